//! Words for runs of the journal that several subcommands say.

use crate::{
    error::{Error, Kind},
    journal::{Journal, Run, RunState},
};
use jiff::{Timestamp, tz::TimeZone};

/// The error for a name that no run has.
pub fn unknown(name: &str, journal: &Journal) -> Error {
    let error = Error::new(Kind::NotFound, format!("there is no run `{name}` in {}", journal.place()));
    // Of the newest ones, for those are asked for.
    let known: Vec<String> = journal.runs(false, 1000).unwrap_or_default().into_iter().map(|run| run.new.name).collect();
    error.suggest(name, known.iter().map(String::as_str)).help("`octorhai runs list` shows what there is")
}

/// A word for how it stands.
pub fn state(run: &Run) -> &'static str {
    // Its process died or was switched off: that is not what people call running.
    if run.state == RunState::Running && !run.alive { "Interrupted" } else { run.state.name() }
}

/// `2026-03-02 10:00:05`.
pub fn moment(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned_datetime(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}
