//! Times of the week in which something is allowed: `Mon-Fri 22:00-04:00`.

use super::{super::later, time_of_day, weekday};
use crate::error::{Error, Kind, Result};
use jiff::{
    SignedDuration, Timestamp, ToSpan,
    civil::{Time, Weekday},
    tz::{Offset, TimeZone},
};
use std::fmt;

/// A window that opens every week, in a zone. Its start belongs to it, its end does not.
///
/// A slot over midnight belongs to the day on which it opens: `Fri 22:00-04:00` ends on Saturday at 04:00.
/// What counts is what a clock on the wall shows: of a slot that a clock change cuts, what is left is open; what the clock shows twice is open
/// twice.
#[derive(Clone, Debug)]
pub struct Window {
    written: String,
    zone: TimeZone,
    slots: Vec<Slot>,
}

#[derive(Clone, Debug)]
struct Slot {
    /// By days since Monday.
    days: [bool; 7],
    open: Time,
    close: Time,
    over_midnight: bool,
}

impl Window {
    /// Reads days (`Mon-Fri`, `Sat,Sun`, `weekdays`, `weekend`, `daily`), times (`22:00-04:00`, `10pm-4am`), or days and times;
    /// several such slots are divided by `;`. Days alone are whole days, times alone are every day.
    ///
    /// # Errors
    /// [`Kind::Script`] with examples.
    pub fn parse(written: &str, zone: &TimeZone) -> Result<Self> {
        let slots: Option<Vec<Slot>> = written.split(';').map(slot).collect();
        let slots = slots.ok_or_else(|| {
            Error::new(Kind::Script, format!("`{written}` is not a window of the week"))
                .help("write it like \"Mon-Fri 22:00-04:00\", \"Sat,Sun\", \"22:00-04:00\" or \"Mon-Thu 22:00-04:00; Sat,Sun\"")
        })?;
        Ok(Self { written: written.trim().to_owned(), zone: zone.clone(), slots })
    }

    /// Whether the window is open at `at`.
    pub fn contains(&self, at: Timestamp) -> bool {
        self.spans(at).iter().any(|(open, close)| *open <= at && at < *close)
    }

    /// When the window opens next, strictly after `at`. `None` when it never closes.
    pub fn next_start(&self, at: Timestamp) -> Option<Timestamp> {
        self.spans(at).into_iter().map(|(open, _)| open).find(|open| *open > at)
    }

    /// When the window closes next, strictly after `at`: the end of the open one, else of the next one. `None` when it never closes.
    pub fn next_end(&self, at: Timestamp) -> Option<Timestamp> {
        let spans = self.spans(at);
        // What reaches from now to the last day looked at is open all week.
        let last = spans.last().map(|(_, close)| *close);
        spans.into_iter().find(|(_, close)| *close > at).filter(|(open, close)| *open > at || Some(*close) != last).map(|(_, close)| close)
    }

    /// The time around `at` in pieces without a clock change, each with what the clock is ahead of UTC: more days than are looked at.
    fn even(&self, at: Timestamp) -> Vec<(Timestamp, Timestamp, Offset)> {
        const AROUND: SignedDuration = SignedDuration::from_hours(24 * 19);
        let (mut from, end) = (later(at, -AROUND), later(at, AROUND));
        let mut offset = self.zone.to_offset(from);
        let mut pieces = Vec::new();
        for change in self.zone.following(from).take_while(|change| change.timestamp() < end) {
            pieces.push((from, change.timestamp(), offset));
            (from, offset) = (change.timestamp(), change.offset());
        }
        pieces.push((from, end, offset));
        pieces
    }

    /// The open times around `at`, in order; those that touch or overlap are one.
    fn spans(&self, at: Timestamp) -> Vec<(Timestamp, Timestamp)> {
        let today = at.to_zoned_datetime(self.zone.clone()).date();
        let mut spans = Vec::new();
        for (from, to, offset) in self.even(at) {
            for day in -8_i64..=16 {
                let date = today.saturating_add(day.days());
                for slot in self.slots.iter().filter(|slot| slot.days[date.weekday().to_monday_zero_offset() as usize]) {
                    let last = if slot.over_midnight { date.saturating_add(1.days()) } else { date };
                    let open = offset.to_timestamp(date.to_datetime(slot.open));
                    let close = offset.to_timestamp(last.to_datetime(slot.close));
                    if let (Ok(open), Ok(close)) = (open, close)
                        && open.max(from) < close.min(to)
                    {
                        spans.push((open.max(from), close.min(to)));
                    }
                }
            }
        }
        spans.sort_unstable();
        let mut merged: Vec<(Timestamp, Timestamp)> = Vec::new();
        for (open, close) in spans {
            match merged.last_mut() {
                Some((_, end)) if open <= *end => *end = (*end).max(close),
                _ => merged.push((open, close)),
            }
        }
        merged
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.zone.iana_name() {
            Some(name) => write!(f, "{} {name}", self.written),
            None => f.write_str(&self.written),
        }
    }
}

fn slot(text: &str) -> Option<Slot> {
    let mut text = text.to_lowercase().replace('\u{2013}', "-");
    for sign in ["-", ","] {
        for (loose, tight) in [(format!(" {sign}"), sign), (format!("{sign} "), sign)] {
            while text.contains(&loose) {
                text = text.replace(&loose, tight);
            }
        }
    }
    let words: Vec<&str> = text.split_whitespace().collect();
    let (days, times) = match words[..] {
        [days, times] => (days, Some(times)),
        [one] if one.starts_with(|c: char| c.is_ascii_digit()) => ("daily", Some(one)),
        [one] => (one, None),
        _ => return None,
    };
    let days = week(days)?;
    let Some(times) = times else {
        return Some(Slot { days, open: Time::midnight(), close: Time::midnight(), over_midnight: true });
    };
    let (open, close) = times.split_once('-')?;
    let open = time_of_day(open)?;
    let close = if close == "24:00" { Time::midnight() } else { time_of_day(close)? };
    // `09:00-09:00` may mean nothing or a whole day; `00:00-24:00` is clear.
    if open == close && !times.ends_with("-24:00") {
        return None;
    }
    Some(Slot { days, open, close, over_midnight: close <= open })
}

fn week(text: &str) -> Option<[bool; 7]> {
    let mut days = [false; 7];
    for part in text.split(',') {
        let (first, last) = match part {
            "daily" | "everyday" => (Weekday::Monday, Weekday::Sunday),
            "weekday" | "weekdays" => (Weekday::Monday, Weekday::Friday),
            "weekend" | "weekends" => (Weekday::Saturday, Weekday::Sunday),
            _ => match part.split_once('-') {
                Some((first, last)) => (weekday(first)?, weekday(last)?),
                None => (weekday(part)?, weekday(part)?),
            },
        };
        for day in 0..=last.since(first) {
            days[first.wrapping_add(day).to_monday_zero_offset() as usize] = true;
        }
    }
    Some(days)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(written: &str) -> Window {
        Window::parse(written, &TimeZone::get("Europe/Berlin").expect("a zone")).expect("a window")
    }

    fn ts(berlin: &str) -> Timestamp {
        let zone = TimeZone::get("Europe/Berlin").expect("a zone");
        zone.to_timestamp(berlin.parse().expect("a civil time")).expect("in range")
    }

    #[test]
    fn a_window_over_midnight_belongs_to_the_day_it_opens() {
        // 2026-01-16 is a Friday.
        let nights = window("Mon-Fri 22:00-04:00");
        for (at, open) in [
            ("2026-01-16T21:59:59", false),
            ("2026-01-16T22:00", true),
            ("2026-01-17T03:59:59", true),
            ("2026-01-17T04:00", false),
            ("2026-01-17T23:00", false),
            ("2026-01-19T02:00", false),
        ] {
            assert_eq!(nights.contains(ts(at)), open, "{at}");
        }
        assert_eq!(nights.next_start(ts("2026-01-16T22:00")), Some(ts("2026-01-19T22:00")));
        assert_eq!(nights.next_end(ts("2026-01-16T22:00")), Some(ts("2026-01-17T04:00")));
        assert_eq!(nights.next_end(ts("2026-01-17T12:00")), Some(ts("2026-01-20T04:00")));
    }

    #[test]
    fn whole_days_and_every_day() {
        let weekend = window("Sat,Sun");
        assert!(weekend.contains(ts("2026-01-17T00:00")) && weekend.contains(ts("2026-01-18T23:59")));
        assert!(!weekend.contains(ts("2026-01-19T00:00")));
        assert_eq!(weekend.next_start(ts("2026-01-17T12:00")), Some(ts("2026-01-24T00:00")), "Sunday goes on from Saturday");
        assert_eq!(weekend.next_end(ts("2026-01-17T12:00")), Some(ts("2026-01-19T00:00")));
        let nights = window("10pm - 4am");
        assert!(nights.contains(ts("2026-01-18T02:00")) && !nights.contains(ts("2026-01-18T12:00")));
        let always = window("daily 00:00-24:00");
        assert!(always.contains(ts("2026-01-18T02:00")));
        assert_eq!((always.next_start(ts("2026-01-18T02:00")), always.next_end(ts("2026-01-18T02:00"))), (None, None));
        let both = window("Fri-Mon 08:00-09:00; Wed");
        assert!(both.contains(ts("2026-01-18T08:30")) && both.contains(ts("2026-01-21T20:00")) && !both.contains(ts("2026-01-20T08:30")));
    }

    #[test]
    fn a_clock_change_inside_the_window_changes_its_length() {
        let nights = window("22:00-04:00");
        let length = |at: &str| {
            let end = nights.next_end(ts(at)).expect("it closes");
            end.duration_since(nights.next_start(ts(at)).expect("it opens")).as_hours()
        };
        assert_eq!([length("2026-03-27T12:00"), length("2026-03-28T12:00"), length("2026-10-24T12:00")], [6, 5, 7]);
        // On the day of the change this hour does not exist, so the window skips the day.
        assert_eq!(window("02:00-03:00").next_start(ts("2026-03-28T12:00")), Some(ts("2026-03-30T02:00")));
    }

    /// Whether a clock on the wall shows a time of the window.
    fn shown(window: &Window, at: Timestamp) -> bool {
        let wall = at.to_zoned_datetime(window.zone.clone()).datetime();
        window.slots.iter().any(|slot| {
            let on = |date: jiff::civil::Date| slot.days[date.weekday().to_monday_zero_offset() as usize];
            let (today, yesterday, time) = (wall.date(), wall.date().saturating_sub(1.days()), wall.time());
            if slot.over_midnight {
                (on(today) && slot.open <= time) || (on(yesterday) && time < slot.close)
            } else {
                on(today) && slot.open <= time && time < slot.close
            }
        })
    }

    #[test]
    fn a_window_goes_by_the_clock_on_the_wall_also_when_it_is_changed() {
        let (mut minutes, mut wrong) = (0, Vec::new());
        // Berlin and New York change at night by an hour, Lord Howe by half, Santiago at midnight, Casablanca back for a month.
        for name in
            ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Santiago", "Africa/Casablanca", "America/St_Johns", "UTC"]
        {
            let zone = TimeZone::get(name).expect("a zone");
            let changes: Vec<Timestamp> =
                zone.following("2026-01-01T00:00:00Z".parse().expect("a time")).take(2).map(|c| c.timestamp()).collect();
            for written in [
                "02:15-03:15",
                "02:15-02:45",
                "01:30-02:30",
                "02:00-03:00",
                "22:00-02:30",
                "23:30-00:30",
                "Sun 02:15-03:15",
                "Sat 22:00-04:00",
                "Sat",
                "Sat,Sun 00:00-24:00",
                "03:00-02:00",
            ] {
                let window = Window::parse(written, &zone).expect("a window");
                for change in &changes {
                    let mut before = None;
                    for minute in -26 * 60..26 * 60 {
                        let at = later(*change, SignedDuration::from_mins(minute));
                        let open = shown(&window, at);
                        minutes += 1;
                        if window.contains(at) != open {
                            wrong.push(format!("{name} {written} at {}", at.to_zoned_datetime(zone.clone())));
                        }
                        // What comes next is what the wall shows next.
                        if before.replace(open).is_some_and(|before| before != open) {
                            let just_before = later(at, SignedDuration::from_mins(-1));
                            let next = if open { window.next_start(just_before) } else { window.next_end(just_before) };
                            assert_eq!(next, Some(at), "{name} {written} after {}", just_before.to_zoned_datetime(zone.clone()));
                        }
                    }
                }
            }
        }
        assert!(wrong.is_empty() && minutes > 400_000, "{} of {minutes} differ: {:?}", wrong.len(), &wrong[..wrong.len().min(10)]);
        let at = |text: &str| ts(text);
        assert!(window("02:15-03:15").contains(at("2026-03-29T03:05")) && !window("02:15-03:15").contains(at("2026-03-29T03:15")));
    }

    #[test]
    fn what_is_not_a_window_says_how_to_write_one() {
        for wrong in ["", "Mon-Fri 22:00", "Mon-Foo", "09:00-09:00", "25:00-26:00", "Mon Tue 1:00-2:00", "Mon-Fri;"] {
            let error = Window::parse(wrong, &TimeZone::UTC).expect_err(wrong);
            assert!(error.kind() == Kind::Script && !error.hints().is_empty(), "{wrong}");
        }
    }
}
