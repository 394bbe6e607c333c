//! Durations and points in time as people write them: `"90s"`, `"1h30m"`, `"tomorrow 03:00"`, `"Sat 02:00"`.

use crate::error::{Error, Kind, Result};
use jiff::{SignedDuration, SpanRelativeTo};

/// Reads a duration: `90s`, `30m`, `1h30m`, `1h 30m`, `2 days`, `7d`. Days are 24 hours, weeks 7 days.
///
/// # Errors
/// [`Kind::Script`] when the text is not a duration, or is negative.
pub fn duration(written: &str) -> Result<SignedDuration> {
    let no =
        || Error::new(Kind::Script, format!("`{written}` is not a duration")).help("write it like \"90s\", \"30m\", \"1h30m\" or \"7d\"");
    let span: jiff::Span = written.trim().parse().map_err(|_| no())?;
    let duration = span.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(|_| no())?;
    if duration.is_negative() { Err(no()) } else { Ok(duration) }
}
