//! When a recurring deployment freeze comes again (octopus-api.md §20.1).
//!
//! Each day is asked by itself whether the freeze begins on it. Days are those of a clock that is ahead of UTC by `UserUtcOffsetInMinutes`, all
//! year round: the server keeps no zone, so that a freeze does not move when clocks change.

use super::answer::{Refusal, field, text, time};
use crate::clock::later;
use jiff::{
    SignedDuration, Timestamp, ToSpan,
    civil::{Date, Time, Weekday},
    tz::Offset,
};
use serde_json::{Value, json};

/// On which days, by the schedule alone.
enum Days {
    Daily,
    Weekly(Vec<Weekday>),
    /// The date; 0 is the last day.
    Date(i8),
    /// The n-th weekday of the month; 0 is the last one.
    Weekday(i8, Weekday),
    Annually,
}

/// What a schedule says, in any case: null where it has nothing to say.
pub(crate) const MEMBERS: [&str; 11] = [
    "Type",
    "Unit",
    "EndType",
    "EndOnDate",
    "EndAfterOccurrences",
    "UserUtcOffsetInMinutes",
    "DaysOfWeek",
    "MonthlyScheduleType",
    "DateOfMonth",
    "DayNumberOfMonth",
    "DayOfWeek",
];

/// A freeze that comes again and again.
pub(crate) struct Repetition {
    days: Days,
    every: i32,
    offset: Offset,
    begins: Timestamp,
    first: Date,
    at: Time,
    length: SignedDuration,
    until: Option<Timestamp>,
    times: Option<i64>,
}

const WEEK: [(&str, Weekday); 7] = [
    ("Monday", Weekday::Monday),
    ("Tuesday", Weekday::Tuesday),
    ("Wednesday", Weekday::Wednesday),
    ("Thursday", Weekday::Thursday),
    ("Friday", Weekday::Friday),
    ("Saturday", Weekday::Saturday),
    ("Sunday", Weekday::Sunday),
];

/// A day by its name, or by its number in .NET, where the week begins with Sunday.
fn weekday(day: &Value) -> Option<Weekday> {
    match day {
        Value::String(name) => WEEK.iter().find(|(known, _)| known.eq_ignore_ascii_case(name.trim())).map(|(_, day)| *day),
        day => Weekday::from_sunday_zero_offset(i8::try_from(day.as_i64()?).ok()?).ok(),
    }
}

/// `DaysOfWeek`: names in a list, or the text of .NET flags.
pub(crate) fn days_of_week(schedule: &Value) -> Option<Vec<Weekday>> {
    let written = match field(schedule, "DaysOfWeek") {
        Value::String(flags) => flags.split(',').map(|day| json!(day)).collect(),
        list => list.as_array().cloned().unwrap_or_default(),
    };
    written.iter().map(weekday).collect()
}

/// A number that is written as such or as a text; `L` and the like are 0, the last.
fn nth(value: &Value, most: i8) -> Option<i8> {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let words = ["l", "first", "second", "third", "fourth"];
    let found = if text.eq_ignore_ascii_case("last") { Some(0) } else { words.iter().position(|word| text.eq_ignore_ascii_case(word)) };
    let found = found.and_then(|n| i8::try_from(n).ok()).or_else(|| text.trim().parse().ok().filter(|n| *n > 0));
    found.filter(|n| *n <= most)
}

impl Repetition {
    /// The repetition of a freeze; none of one that happens once.
    ///
    /// # Errors
    /// 400 for a schedule that says something else than a server takes.
    pub(crate) fn of(freeze: &Value) -> Result<Option<Self>, Refusal> {
        let schedule = field(freeze, "RecurringSchedule");
        if schedule.is_null() {
            return Ok(None);
        }
        let no = |name: &str| Refusal::invalid(format!("The value '{}' is not valid for RecurringSchedule.{name}.", field(schedule, name)));
        let (start, end) = (time(freeze, "Start")?, time(freeze, "End")?);
        let (Some(begins), Some(end)) = (start, end) else { return Err(Refusal::required("Start")) };
        let days = match text(schedule, "Type").unwrap_or_default().to_lowercase().as_str() {
            "daily" => Days::Daily,
            "weekly" => match days_of_week(schedule) {
                Some(days) if !days.is_empty() => Days::Weekly(days),
                _ => return Err(no("DaysOfWeek")),
            },
            "monthly" => match text(schedule, "MonthlyScheduleType").unwrap_or_default().to_lowercase().as_str() {
                "dateofmonth" => Days::Date(nth(field(schedule, "DateOfMonth"), 31).ok_or_else(|| no("DateOfMonth"))?),
                "dayofmonth" => Days::Weekday(
                    nth(field(schedule, "DayNumberOfMonth"), 5).ok_or_else(|| no("DayNumberOfMonth"))?,
                    weekday(field(schedule, "DayOfWeek")).ok_or_else(|| no("DayOfWeek"))?,
                ),
                _ => return Err(no("MonthlyScheduleType")),
            },
            "annually" => Days::Annually,
            _ => return Err(no("Type")),
        };
        let every = field(schedule, "Unit").as_i64().and_then(|unit| i32::try_from(unit).ok()).filter(|unit| *unit > 0);
        let (until, times) = match text(schedule, "EndType").unwrap_or_else(|| "Never".to_owned()).to_lowercase().as_str() {
            "never" => (None, None),
            "ondate" => (Some(time(schedule, "EndOnDate")?.ok_or_else(|| no("EndOnDate"))?), None),
            "afteroccurrences" => {
                let times = field(schedule, "EndAfterOccurrences").as_i64().filter(|times| *times > 0);
                (None, Some(times.ok_or_else(|| no("EndAfterOccurrences"))?))
            }
            _ => return Err(no("EndType")),
        };
        let minutes = field(schedule, "UserUtcOffsetInMinutes");
        let minutes = if minutes.is_null() { Some(0) } else { minutes.as_i64().filter(|minutes| minutes.abs() <= 14 * 60) };
        let seconds = minutes.and_then(|minutes| i32::try_from(minutes * 60).ok()).ok_or_else(|| no("UserUtcOffsetInMinutes"))?;
        let offset = Offset::from_seconds(seconds).map_err(|_| no("UserUtcOffsetInMinutes"))?;
        let local = offset.to_datetime(begins);
        let length = end.duration_since(begins);
        let every = every.ok_or_else(|| no("Unit"))?;
        Ok(Some(Self { days, every, offset, begins, first: local.date(), at: local.time(), length, until, times }))
    }

    /// Whether the schedule names a day.
    fn names(&self, day: Date) -> bool {
        let every = self.every;
        let months =
            || (i32::from(day.year()) - i32::from(self.first.year())) * 12 + i32::from(day.month()) - i32::from(self.first.month());
        let days = || (day - self.first).get_days();
        match &self.days {
            Days::Daily => days() % every == 0,
            Days::Weekly(named) => {
                // Weeks begin on Monday, the first one with that before the first day.
                let since_monday = i32::from(self.first.weekday().to_monday_zero_offset());
                named.contains(&day.weekday()) && ((days() + since_monday) / 7) % every == 0
            }
            Days::Date(date) => months() % every == 0 && day.day() == if *date == 0 { day.days_in_month() } else { *date },
            Days::Weekday(nth, weekday) => {
                let is_nth = if *nth == 0 { day.day() + 7 > day.days_in_month() } else { (day.day() - 1) / 7 + 1 == *nth };
                months() % every == 0 && day.weekday() == *weekday && is_nth
            }
            Days::Annually => (day.month(), day.day()) == (self.first.month(), self.first.day()) && (months() / 12) % every == 0,
        }
    }

    /// The occurrence that covers a moment, or else the first one behind it; none when it never comes again.
    pub(crate) fn at_or_after(&self, moment: Timestamp) -> Option<(Timestamp, Timestamp)> {
        // What is counted is counted from the start; else only days are looked at from which an occurrence could reach as far.
        let from = if self.times.is_some() { self.begins } else { self.begins.max(later(moment, -self.length)) };
        let mut day = self.offset.to_datetime(from).date().yesterday().map_or(self.first, |day| day.max(self.first));
        // A 29 February comes within eight years, a 31st in each n-th month within n years: what has not come by then never does.
        let last = self.offset.to_datetime(from.max(moment)).date().checked_add(self.every.saturating_mul(8).min(4000).years());
        let last = last.unwrap_or(Date::MAX);
        let mut count = 0;
        while day <= last {
            if self.names(day)
                && let Ok(start) = self.offset.to_timestamp(day.to_datetime(self.at))
            {
                count += 1;
                if self.until.is_some_and(|until| start > until) || self.times.is_some_and(|times| count > times) {
                    return None;
                }
                let end = later(start, self.length);
                if end > moment {
                    return Some((start, end));
                }
            }
            day = day.tomorrow().ok()?;
        }
        None
    }

    /// Whether an occurrence covers a moment.
    pub(crate) fn covers(&self, moment: Timestamp) -> bool {
        self.at_or_after(moment).is_some_and(|(start, _)| start <= moment)
    }
}

/// The names of days as the server writes them.
pub(crate) fn day_names(days: &[Weekday]) -> Vec<&'static str> {
    WEEK.iter().filter(|(_, day)| days.contains(day)).map(|(name, _)| *name).collect()
}
