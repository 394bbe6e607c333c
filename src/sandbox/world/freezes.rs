//! Freezes of a world: when they hold, and how they come again.

use super::values::{Ref, Span};
use jiff::{Timestamp, civil::Weekday, tz::Offset};
use serde_json::{Value, json};

plans! {
    struct FreezePlan {
        name: String,
        /// Since the world's start.
        from: Span,
        #[serde(rename = "for")]
        length: Span;
        projects: Vec<Ref>,
        environments: Vec<Ref>,
        /// Only for these tenants.
        tenants: Vec<Ref>,
        /// The project it belongs to.
        owner: Option<Ref>,
        /// How often it comes again: `"day"`, `"2 weeks"`, `"month"`, `"year"`.
        every: Option<Ref>,
        /// On which days of the week or of the month: `"Fri"`; `"15"`, `"last day"`, `"first Monday"`, `"last Friday"`.
        on: Vec<Ref>,
        /// What the clock is ahead of UTC by which its days are meant, e.g. `"+02:00"`.
        offset: Option<Ref>,
        /// The last moment at which it may begin again, since the world's start.
        until: Option<Span>,
        /// How many times it comes.
        times: Option<u32>,
    }
}

const WEEK: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const PLACES: [(&str, &str); 5] = [("first", "1"), ("second", "2"), ("third", "3"), ("fourth", "4"), ("last", "L")];

/// The whole name of a day of which at least three characters are given.
fn weekday(written: &str) -> Option<&'static str> {
    let is_it = |day: &&&str| written.len() >= 3 && day.get(..written.len()).is_some_and(|start| start.eq_ignore_ascii_case(written));
    WEEK.iter().find(is_it).copied()
}

/// The name that the server has for a day.
fn name_of(day: Weekday) -> &'static str {
    WEEK[usize::from(day.to_monday_zero_offset().unsigned_abs())]
}

/// `+02:00` in minutes.
fn minutes(written: &str) -> Option<i32> {
    let (sign, rest) = written.strip_prefix('+').map(|rest| (1, rest)).or_else(|| written.strip_prefix('-').map(|rest| (-1, rest)))?;
    let (hours, minutes) = rest.split_once(':')?;
    let (hours, minutes) = (hours.parse::<i32>().ok()?, minutes.parse::<i32>().ok()?);
    ((0..=14).contains(&hours) && (0..60).contains(&minutes)).then_some(sign * (hours * 60 + minutes))
}

/// On which days of the month.
fn in_month(on: &[Ref], start_date: i8) -> Option<Value> {
    let date = |date: String| Some(json!({"MonthlyScheduleType": "DateOfMonth", "DateOfMonth": date}));
    match on {
        [] => date(start_date.to_string()),
        [one] => match one.get_ref().split_once(' ') {
            None => one.get_ref().parse::<u8>().ok().filter(|day| (1..=31).contains(day)).and_then(|day| date(day.to_string())),
            Some(("last", "day")) => date("L".to_owned()),
            Some((place, day)) => {
                let (_, number) = PLACES.iter().find(|(name, _)| *name == place)?;
                Some(json!({"MonthlyScheduleType": "DayOfMonth", "DayNumberOfMonth": number, "DayOfWeek": weekday(day)?}))
            }
        },
        _ => None,
    }
}

impl FreezePlan {
    /// The `RecurringSchedule` of a freeze that begins then, in a world that begins at `world`; null for one that does not come again.
    ///
    /// # Errors
    /// The key that is wrong, and why.
    pub(crate) fn schedule(&self, start: Timestamp, end_on: Option<Timestamp>) -> Result<Value, (Option<&Ref>, String)> {
        let Some(every) = &self.every else {
            let loose = self.on.first().or(self.offset.as_ref());
            if loose.is_some() || self.until.is_some() || self.times.is_some() {
                return Err((loose, format!("`on`, `offset`, `until` and `times` of freeze `{}` need `every`", self.name)));
            }
            return Ok(Value::Null);
        };
        let wrong = || (Some(every), format!("`{}` is not how often a freeze comes again", every.get_ref()));
        let (number, unit) = every.get_ref().split_once(' ').unwrap_or(("1", every.get_ref()));
        let number = number.parse::<u16>().ok().filter(|number| *number > 0).ok_or_else(wrong)?;
        let offset = match &self.offset {
            None => 0,
            Some(written) => minutes(written.get_ref())
                .ok_or_else(|| (Some(written), format!("`{}` is not an offset; write it like \"+02:00\"", written.get_ref())))?,
        };
        let local = Offset::from_seconds(offset * 60).unwrap_or(Offset::UTC).to_datetime(start);
        let wrong_day = || (self.on.first(), format!("`on` of freeze `{}` does not fit `every = \"{}\"`", self.name, every.get_ref()));
        let (kind, mut schedule) = match unit.trim_end_matches('s') {
            "day" => ("Daily", json!({})),
            "week" => {
                let days: Option<Vec<&str>> = self.on.iter().map(|day| weekday(day.get_ref())).collect();
                let days = days.ok_or_else(wrong_day)?;
                ("Weekly", json!({"DaysOfWeek": if days.is_empty() { vec![name_of(local.weekday())] } else { days }}))
            }
            "month" => ("Monthly", in_month(&self.on, local.day()).ok_or_else(wrong_day)?),
            "year" => ("Annually", json!({})),
            _ => return Err(wrong()),
        };
        if matches!(kind, "Daily" | "Annually") && !self.on.is_empty() {
            return Err(wrong_day());
        }
        let end = match (self.times, end_on) {
            (Some(_), Some(_)) => return Err((Some(every), format!("freeze `{}` has both `until` and `times`", self.name))),
            (Some(_), None) => "AfterOccurrences",
            (None, Some(_)) => "OnDate",
            (None, None) => "Never",
        };
        schedule["Type"] = json!(kind);
        schedule["Unit"] = json!(number);
        schedule["EndType"] = json!(end);
        schedule["EndOnDate"] = json!(end_on.map(|at| at.to_string()));
        schedule["EndAfterOccurrences"] = json!(self.times);
        schedule["UserUtcOffsetInMinutes"] = json!(offset);
        Ok(schedule)
    }
}
