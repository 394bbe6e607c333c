//! When a recurring deployment freeze holds (octopus-api.md §20.1), worked out from its schedule: for servers that do not say it.
//!
//! The schedule is gone through by its periods (days, weeks, months, years), each of which has the dates on which the freeze begins in it. Dates are
//! those of a clock with the fixed offset that the schedule names: no zone is known, so the freeze does not move when clocks change.

use crate::clock::later;
use jiff::{
    SignedDuration, Span, Timestamp, ToSpan,
    civil::{Date, Time, Weekday},
    tz::Offset,
};
use serde_json::Value;

/// A time during which a freeze holds; an end that is missing is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Occurrence {
    /// When it begins.
    pub start: Option<Timestamp>,
    /// When it ends: the first moment that is free again.
    pub end: Option<Timestamp>,
}

impl Occurrence {
    /// Whether a moment lies in it.
    pub fn has(&self, at: Timestamp) -> bool {
        self.start.is_none_or(|start| start <= at) && self.end.is_none_or(|end| at < end)
    }
}

/// Which dates of a period.
#[derive(Debug)]
enum Cycle {
    Day,
    /// Days since Monday.
    Week(Vec<i8>),
    /// Of each month.
    Month(DayOfMonth),
    Year,
}

#[derive(Debug)]
enum DayOfMonth {
    Date(i8),
    Last,
    /// The n-th one; -1 is the last.
    Nth(i8, Weekday),
}

/// The rule by which a freeze comes again.
#[derive(Debug)]
pub struct Recurrence {
    cycle: Cycle,
    every: i64,
    /// What the clock is ahead of UTC.
    offset: Offset,
    /// The first day, and the time of day.
    first: Date,
    time: Time,
    length: SignedDuration,
    /// The last moment at which it may begin.
    until: Option<Timestamp>,
    /// How many times it comes.
    times: Option<i64>,
}

/// Days of the week as Octopus writes them, Monday first.
const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// A day by its name or by the number that .NET has for it (Sunday is 0), as days since Monday.
fn day_of_week(day: &Value) -> Option<i8> {
    let found = match day.as_str() {
        Some(name) => DAYS.iter().position(|known| **known == *name.trim())?,
        None => usize::try_from(day.as_u64().filter(|day| *day < 7)? + 6).ok()? % 7,
    };
    i8::try_from(found).ok()
}

/// A member that is a number, or a text that says one.
fn number(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.trim().parse().ok())
}

/// Why a member cannot be used.
fn strange(name: &str, value: &Value) -> String {
    if value.is_null() { format!("its schedule has no `{name}`") } else { format!("its schedule has `{name}` {value}") }
}

impl Recurrence {
    /// The rule in `schedule`, a `RecurringSchedule`, of a freeze whose first occurrence lies between `start` and `end`.
    ///
    /// # Errors
    /// What of the schedule is missing or not known, in words.
    pub fn read(schedule: &Value, start: Timestamp, end: Timestamp) -> Result<Self, String> {
        let is = |name: &str, word: &str| schedule[name] == word;
        let not = |name: &str| strange(name, &schedule[name]);
        let cycle = match () {
            () if is("Type", "Daily") => Cycle::Day,
            () if is("Type", "Weekly") => {
                // A list of names, or what .NET writes of flags: `Monday, Friday`.
                let days: Option<Vec<i8>> = match &schedule["DaysOfWeek"] {
                    Value::Array(days) => days.iter().map(day_of_week).collect(),
                    Value::String(flags) => flags.split(',').map(|day| day_of_week(&day.into())).collect(),
                    _ => None,
                };
                let mut days = days.filter(|days| !days.is_empty()).ok_or_else(|| not("DaysOfWeek"))?;
                days.sort_unstable();
                days.dedup();
                Cycle::Week(days)
            }
            () if is("Type", "Annually") => Cycle::Year,
            () if is("Type", "Monthly") && is("MonthlyScheduleType", "DateOfMonth") => match &schedule["DateOfMonth"] {
                Value::String(last) if last == "L" || last == "Last" => Cycle::Month(DayOfMonth::Last),
                date => {
                    let day = number(date).and_then(|day| i8::try_from(day).ok()).filter(|day| (1..=31).contains(day));
                    Cycle::Month(DayOfMonth::Date(day.ok_or_else(|| not("DateOfMonth"))?))
                }
            },
            () if is("Type", "Monthly") && is("MonthlyScheduleType", "DayOfMonth") => {
                let written = &schedule["DayNumberOfMonth"];
                let nth = match written.as_str().unwrap_or_default().to_lowercase().as_str() {
                    "l" | "last" => Some(-1),
                    "first" => Some(1),
                    "second" => Some(2),
                    "third" => Some(3),
                    "fourth" => Some(4),
                    _ => number(written).and_then(|nth| i8::try_from(nth).ok()).filter(|nth| (1..=5).contains(nth)),
                };
                let nth = nth.ok_or_else(|| not("DayNumberOfMonth"))?;
                let day = day_of_week(&schedule["DayOfWeek"]).and_then(|day| Weekday::from_monday_zero_offset(day).ok());
                Cycle::Month(DayOfMonth::Nth(nth, day.ok_or_else(|| not("DayOfWeek"))?))
            }
            () if is("Type", "Monthly") => return Err(not("MonthlyScheduleType")),
            () => return Err(not("Type")),
        };
        let every = number(&schedule["Unit"]).filter(|unit| (1..=10_000).contains(unit)).ok_or_else(|| not("Unit"))?;
        let (until, times) = match () {
            () if schedule["EndType"].is_null() || is("EndType", "Never") => (None, None),
            () if is("EndType", "OnDate") => {
                let until = super::decode::maybe::<Timestamp>(Some(crate::json::JsonText::from(&schedule["EndOnDate"]).json()));
                (Some(until.map_err(|_| not("EndOnDate"))?), None)
            }
            () if is("EndType", "AfterOccurrences") => {
                (None, Some(number(&schedule["EndAfterOccurrences"]).ok_or_else(|| not("EndAfterOccurrences"))?))
            }
            () => return Err(not("EndType")),
        };
        let minutes = if schedule["UserUtcOffsetInMinutes"].is_null() { Some(0) } else { number(&schedule["UserUtcOffsetInMinutes"]) };
        let seconds = minutes.and_then(|minutes| i32::try_from(minutes.checked_mul(60)?).ok());
        let offset = seconds.and_then(|seconds| Offset::from_seconds(seconds).ok()).ok_or_else(|| not("UserUtcOffsetInMinutes"))?;
        let local = offset.to_datetime(start);
        Ok(Self { cycle, every, offset, first: local.date(), time: local.time(), length: end.duration_since(start), until, times })
    }

    /// The first day of a period, counted from that of the first occurrence; none beyond the calendar.
    fn period(&self, number: i64) -> Option<Date> {
        let steps = number.checked_mul(self.every)?;
        match &self.cycle {
            Cycle::Day => self.first.checked_add(Span::new().try_days(steps).ok()?).ok(),
            Cycle::Week(_) => {
                let monday = self.first.checked_sub(i64::from(self.first.weekday().to_monday_zero_offset()).days()).ok()?;
                monday.checked_add(Span::new().try_weeks(steps).ok()?).ok()
            }
            Cycle::Month(_) => self.first.first_of_month().checked_add(Span::new().try_months(steps).ok()?).ok(),
            Cycle::Year => self.first.first_of_year().checked_add(Span::new().try_years(steps).ok()?).ok(),
        }
    }

    /// The dates of a period that begins then, in order.
    fn dates(&self, begin: Date) -> Vec<Date> {
        match &self.cycle {
            Cycle::Day => vec![begin],
            Cycle::Week(days) => days.iter().filter_map(|day| begin.checked_add(i64::from(*day).days()).ok()).collect(),
            Cycle::Month(DayOfMonth::Date(day)) => Date::new(begin.year(), begin.month(), *day).into_iter().collect(),
            Cycle::Month(DayOfMonth::Last) => vec![begin.last_of_month()],
            Cycle::Month(DayOfMonth::Nth(nth, day)) => begin.nth_weekday_of_month(*nth, *day).into_iter().collect(),
            // A year without a 29 February is left out.
            Cycle::Year => Date::new(begin.year(), self.first.month(), self.first.day()).into_iter().collect(),
        }
    }

    /// How many whole periods lie between the first occurrence and a date, about: never too many.
    fn periods_before(&self, date: Date) -> i64 {
        let days = i64::from((date - self.first).get_days());
        let longest = match self.cycle {
            Cycle::Day => 1,
            Cycle::Week(_) => 7,
            Cycle::Month(_) => 31,
            Cycle::Year => 366,
        };
        (days / (longest * self.every) - 1).max(0)
    }

    /// The occurrence in which a moment lies, the earliest one where several do.
    pub fn holding(&self, at: Timestamp) -> Option<Occurrence> {
        let today = self.offset.to_datetime(at).date();
        // What is counted is counted from the start; else it begins with what may still hold.
        let from = if self.times.is_some() { self.first } else { self.offset.to_datetime(later(at, -self.length)).date() };
        let mut count = 0;
        for number in self.periods_before(from).. {
            let begin = self.period(number).filter(|begin| *begin <= today)?;
            for date in self.dates(begin).into_iter().filter(|date| *date >= self.first) {
                let start = self.offset.to_timestamp(date.to_datetime(self.time)).ok()?;
                count += 1;
                if start > at || self.until.is_some_and(|until| start > until) || self.times.is_some_and(|times| count > times) {
                    return None;
                }
                let occurrence = Occurrence { start: Some(start), end: Some(later(start, self.length)) };
                if occurrence.has(at) {
                    return Some(occurrence);
                }
            }
        }
        None
    }
}
