//! Durations, points in time, zones and windows as people write them: `"90s"`, `"tomorrow 03:00"`, `"Sat 02:00"`, `"Mon-Fri 22:00-04:00"`.
//!
//! Days with a clock change follow RFC 5545, as calendars do: a time that does not exist (clocks go forward over it) moves
//! forward by the length of the gap, and of a time that exists twice (clocks go back over it) the first one is meant.

mod window;
mod zones;

pub use window::Window;
pub use zones::zone;

use crate::error::{Error, Kind, Result};
use jiff::{
    SignedDuration, SpanRelativeTo, Timestamp, ToSpan,
    civil::{Date, DateTime, Time, Weekday},
    tz::TimeZone,
};

/// Reads a duration: `90s`, `30m`, `1.5h`, `1h30m`, `1h 30m`, `2 days`, `7d`, `PT5M`. Days are 24 hours, weeks 7 days.
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

/// A duration as people write it: `12s`, `45m`, `1h 30m`, `7d`; below a second `350ms`. [`duration`] reads it back.
///
/// Fractions of a second are cut off as soon as there is a whole one.
pub fn show(span: SignedDuration) -> String {
    let sign = if span.is_negative() { "-" } else { "" };
    let span = span.unsigned_abs();
    let seconds = span.as_secs();
    if seconds == 0 {
        return match span.subsec_millis() {
            0 => "0s".to_owned(),
            millis => format!("{sign}{millis}ms"),
        };
    }
    let parts = [(seconds / 86_400, "d"), (seconds / 3_600 % 24, "h"), (seconds / 60 % 60, "m"), (seconds % 60, "s")];
    let shown: Vec<String> = parts.iter().filter(|(n, _)| *n > 0).map(|(n, unit)| format!("{n}{unit}")).collect();
    format!("{sign}{}", shown.join(" "))
}

/// The point in time that lies `written` (a [`duration`], with or without the word `ago`) before `now`.
///
/// # Errors
/// [`Kind::Script`] when the text is not a duration, or reaches back before the year -9999.
pub fn ago(written: &str, now: Timestamp) -> Result<Timestamp> {
    let span = duration(written.trim().trim_end_matches("ago"))?;
    now.checked_sub(span).map_err(|_| Error::new(Kind::Script, format!("`{written}` reaches too far back")))
}

/// Reads a point in time, seen from `now` in `zone`.
///
/// * `in 30m`, `now`
/// * `02:00`, `3am`, `noon`, `midnight`: the next such time strictly after `now`
/// * `today 18:30` (also when that is past), `tomorrow 03:00`, `3am tomorrow`
/// * `Sat 02:00`: the next Saturday at that time strictly after `now`
/// * a day without a time means its start
/// * ISO 8601: `2026-03-29T02:30:00Z`, `2026-03-29 02:30+02:00`; without an offset it is a time in `zone`
/// * any of the last five with a zone behind it: `2026-03-29 02:30 Europe/Berlin`, `tomorrow 03:00 UTC`
///
/// # Errors
/// [`Kind::Script`] with examples when the text is none of these.
pub fn point(written: &str, now: Timestamp, zone: &TimeZone) -> Result<Timestamp> {
    let text = written.trim();
    if text.eq_ignore_ascii_case("now") {
        return Ok(now);
    }
    let far = |_| Error::new(Kind::Script, format!("`{written}` is too far away"));
    if let Some(span) = text.get(..3).filter(|word| word.eq_ignore_ascii_case("in ")).map(|_| &text[3..]) {
        return now.checked_add(duration(span)?).map_err(far);
    }
    if let Ok(zoned) = text.parse::<jiff::ZonedDateTime>() {
        return Ok(zoned.timestamp());
    }
    // What a bracket says about the zone may not be overlooked by the readers below.
    if text.contains('[') {
        return Err(not_a_point(written));
    }
    if let Ok(exact) = text.parse::<Timestamp>() {
        return Ok(exact);
    }
    if let Some((civil, named)) = zones::split_off(text) {
        return local(civil, now, &named).ok_or_else(|| not_a_point(written))?.map_err(far);
    }
    local(text, now, zone).ok_or_else(|| not_a_point(written))?.map_err(far)
}

fn not_a_point(written: &str) -> Error {
    Error::new(Kind::Script, format!("`{written}` is not a point in time"))
        .help("write it like \"tomorrow 03:00\", \"Sat 02:00\", \"02:00\", \"in 30m\" or \"2026-03-29 02:30 Europe/Berlin\"")
}

/// A time on the wall in `zone`: `None` when the text is not one, an error when it is outside of what time stamps can say.
fn local(text: &str, now: Timestamp, zone: &TimeZone) -> Option<Result<Timestamp, jiff::Error>> {
    let at = |date: Date, time: Time| zone.to_timestamp(date.to_datetime(time));
    if let Ok(civil) = text.parse::<DateTime>() {
        return Some(zone.to_timestamp(civil));
    }
    let today = now.to_zoned_datetime(zone.clone()).date();
    let days = |n: i64| today.saturating_add(n.days());
    let (day, time) = day_and_time(text)?;
    let start = time.unwrap_or(Time::midnight());
    match day {
        Some(Day::After(n)) => Some(at(days(n), start)),
        // 15 days: on a clock change the first of two candidates may not lie after now.
        _ => (0..15)
            .map(days)
            .filter(|date| !matches!(day, Some(Day::Week(weekday)) if date.weekday() != weekday))
            .map(|date| at(date, start))
            .find(|found| !matches!(found, Ok(instant) if *instant <= now)),
    }
}

enum Day {
    After(i64),
    Week(Weekday),
}

/// `tomorrow 03:00`, `3 am on Saturday`: at most one day and one time, at least one of them, in any order.
fn day_and_time(text: &str) -> Option<(Option<Day>, Option<Time>)> {
    let lower = text.to_lowercase().replace(" am", "am").replace(" pm", "pm");
    let (mut day, mut time) = (None, None);
    for word in lower.split([' ', ',', '\t']).filter(|word| !matches!(*word, "" | "at" | "on")) {
        let new = match word {
            "today" => Some(Day::After(0)),
            "tomorrow" => Some(Day::After(1)),
            _ => weekday(word).map(Day::Week),
        };
        match (new, &day, &time) {
            (Some(new), None, _) => day = Some(new),
            (None, _, None) => time = Some(time_of_day(word)?),
            _ => return None,
        }
    }
    (day.is_some() || time.is_some()).then_some((day, time))
}

/// `mon`, `tues`, `Saturday`: three letters or more of an English weekday.
fn weekday(word: &str) -> Option<Weekday> {
    const DAYS: [(&str, Weekday); 7] = [
        ("monday", Weekday::Monday),
        ("tuesday", Weekday::Tuesday),
        ("wednesday", Weekday::Wednesday),
        ("thursday", Weekday::Thursday),
        ("friday", Weekday::Friday),
        ("saturday", Weekday::Saturday),
        ("sunday", Weekday::Sunday),
    ];
    let word = word.to_lowercase();
    (word.len() >= 3).then(|| DAYS.iter().find(|(name, _)| name.starts_with(&word)).map(|(_, day)| *day))?
}

/// `02:00`, `02:00:30`, `3am`, `3:30pm`, `noon`, `midnight`; `None` when it is none of these.
fn time_of_day(word: &str) -> Option<Time> {
    let word = word.to_lowercase();
    match word.as_str() {
        "noon" => return Some(Time::constant(12, 0, 0, 0)),
        "midnight" => return Some(Time::midnight()),
        _ => {}
    }
    let number =
        |digits: &str| (matches!(digits.len(), 1 | 2) && digits.bytes().all(|b| b.is_ascii_digit())).then(|| digits.parse().ok())?;
    let (digits, half) = match word.strip_suffix("am").map(|d| (d, 0)).or_else(|| word.strip_suffix("pm").map(|d| (d, 12))) {
        Some((digits, offset)) => (digits, Some(offset)),
        None => (word.as_str(), None),
    };
    let mut parts = digits.split(':');
    let hour: i8 = number(parts.next()?)?;
    let minute = parts.next().map(number);
    let second = parts.next().map(number);
    if parts.next().is_some() || (minute.is_none() && half.is_none()) {
        return None;
    }
    let hour = match half {
        None => hour,
        Some(offset) if (1..=12).contains(&hour) => hour % 12 + offset,
        Some(_) => return None,
    };
    Time::new(hour, minute.unwrap_or(Some(0))?, second.unwrap_or(Some(0))?, 0).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ts(text: &str) -> Timestamp {
        text.parse().expect("a timestamp")
    }

    /// The point in UTC, from a `now` that is written in the zone.
    fn from(now: &str, name: &str, written: &str) -> String {
        let zone = zone(name).expect("a zone");
        let now = zone.to_timestamp(now.parse::<DateTime>().expect("a civil time")).expect("in range");
        point(written, now, &zone).expect("a point").to_string()
    }

    #[test]
    fn durations_are_read_and_shown() {
        for (written, shown) in
            [("90s", "1m 30s"), ("30m", "30m"), ("1.5h", "1h 30m"), ("1h30m", "1h 30m"), ("2 days", "2d"), ("1w", "7d"), ("350ms", "350ms")]
        {
            let read = duration(written).expect("a duration");
            assert_eq!(show(read), shown, "{written}");
            assert_eq!(duration(&show(read)).expect("shown ones are read"), read, "{written}");
        }
        assert_eq!(show(SignedDuration::ZERO), "0s");
        assert_eq!(show(SignedDuration::from_secs(-75)), "-1m 15s");
        assert_eq!(show(SignedDuration::from_millis(12_999)), "12s");
        for wrong in ["", "soon", "-5m", "90", "1 month"] {
            assert_eq!(duration(wrong).expect_err(wrong).kind(), Kind::Script);
        }
    }

    #[test]
    fn points_are_seen_from_now_in_the_zone() {
        // A Wednesday in winter: Berlin is UTC+1.
        let berlin = |written| from("2026-01-14T12:00", "Europe/Berlin", written);
        assert_eq!(berlin("now"), "2026-01-14T11:00:00Z");
        assert_eq!(berlin("in 30m"), "2026-01-14T11:30:00Z");
        assert_eq!(berlin("tomorrow 03:00"), "2026-01-15T02:00:00Z");
        assert_eq!(berlin("3am tomorrow"), "2026-01-15T02:00:00Z");
        assert_eq!(berlin("3:15 PM tomorrow"), "2026-01-15T14:15:00Z");
        assert_eq!(berlin("tomorrow"), "2026-01-14T23:00:00Z");
        assert_eq!(berlin("today 18:30"), "2026-01-14T17:30:00Z");
        assert_eq!(berlin("today 08:30"), "2026-01-14T07:30:00Z");
        assert_eq!(berlin("Sat 02:00"), "2026-01-17T01:00:00Z");
        assert_eq!(berlin("Saturday at 2am"), "2026-01-17T01:00:00Z");
        assert_eq!(berlin("02:00"), "2026-01-15T01:00:00Z");
        assert_eq!(berlin("12:30"), "2026-01-14T11:30:00Z");
        assert_eq!(berlin("noon"), "2026-01-15T11:00:00Z", "strictly after now");
        assert_eq!(berlin("Wed 12:00"), "2026-01-21T11:00:00Z", "strictly after now");
        assert_eq!(berlin("Wed 12:01"), "2026-01-14T11:01:00Z");
        assert_eq!(berlin("2026-05-01T00:00:00Z"), "2026-05-01T00:00:00Z");
        assert_eq!(berlin("2026-05-01 06:00+02:00"), "2026-05-01T04:00:00Z");
        assert_eq!(berlin("2026-05-01 06:00"), "2026-05-01T04:00:00Z");
        assert_eq!(berlin("2026-05-01T06:00[America/New_York]"), "2026-05-01T10:00:00Z");
        assert_eq!(berlin("2026-05-01"), "2026-04-30T22:00:00Z");
        assert_eq!(berlin("2026-05-01 06:00 America/New_York"), "2026-05-01T10:00:00Z");
        assert_eq!(berlin("2026-05-01 06:00 Eastern Standard Time"), "2026-05-01T10:00:00Z");
        assert_eq!(berlin("tomorrow 03:00 UTC"), "2026-01-15T03:00:00Z");
    }

    #[test]
    fn a_time_in_the_gap_of_spring_moves_forward_by_the_gap() {
        assert_eq!(from("2026-03-28T12:00", "Europe/Berlin", "tomorrow 02:30"), "2026-03-29T01:30:00Z", "03:30 in summer time");
        assert_eq!(from("2026-03-28T12:00", "Europe/Berlin", "Sun 02:30"), "2026-03-29T01:30:00Z");
        assert_eq!(from("2026-03-28T12:00", "UTC", "2026-03-29 02:30 Europe/Berlin"), "2026-03-29T01:30:00Z");
        assert_eq!(from("2026-03-07T12:00", "America/New_York", "tomorrow 02:30"), "2026-03-08T07:30:00Z", "03:30 in summer time");
        assert_eq!(from("2026-03-28T12:00", "Europe/Berlin", "tomorrow 03:00"), "2026-03-29T01:00:00Z");
    }

    #[test]
    fn of_a_time_that_autumn_has_twice_the_first_is_meant() {
        assert_eq!(from("2026-10-24T12:00", "Europe/Berlin", "tomorrow 02:30"), "2026-10-25T00:30:00Z");
        assert_eq!(from("2026-10-31T12:00", "America/New_York", "Sun 01:30"), "2026-11-01T05:30:00Z");
        assert_eq!(from("2026-10-31T12:00", "America/New_York", "3am tomorrow"), "2026-11-01T08:00:00Z");
        // Between the two: the first is past, so the next day's is the next.
        let berlin = zone("Europe/Berlin").expect("a zone");
        let found = point("02:30", ts("2026-10-25T00:45:00Z"), &berlin).expect("a point");
        assert_eq!(found, ts("2026-10-26T01:30:00Z"));
    }

    #[test]
    fn what_is_not_a_point_says_how_to_write_one() {
        for wrong in [
            "",
            "soon",
            "25:00",
            "13pm",
            "tomorrow today",
            "02:00 03:00",
            "2026-02-30",
            "in a bit",
            "7",
            "12:00 Mars/Base",
            "2026-05-01T06:00+09:00[Europe/Berlin]",
        ] {
            let error = point(wrong, Timestamp::UNIX_EPOCH, &TimeZone::UTC).expect_err(wrong);
            assert_eq!(error.kind(), Kind::Script);
            assert!(!error.hints().is_empty(), "{wrong}");
        }
    }

    #[test]
    fn ago_counts_back() {
        assert_eq!(ago("2h", ts("2026-01-01T01:00:00Z")).expect("a duration"), ts("2025-12-31T23:00:00Z"));
        assert_eq!(ago("2 days ago", ts("2026-01-03T01:00:00Z")).expect("a duration"), ts("2026-01-01T01:00:00Z"));
        assert!(ago("yesterday", Timestamp::UNIX_EPOCH).is_err());
    }
}
