//! When a cron expression comes next, on the clocks of a zone.
//!
//! The search is croner's; here it learns to read our times. A time that clocks leave out comes when they are put forward, as croner does it.

use croner::{
    CivilDate, CivilDateTime, CivilTime, Cron, CronDateTime, Resolution, Weekday,
    errors::CronError,
    parser::{CronParser, Seconds},
};
use jiff::{
    SignedDuration, Timestamp, ZonedDateTime,
    civil::DateTime,
    tz::{AmbiguousOffset, TimeZone},
};
use std::cmp::Ordering;

/// A cron expression of five, six (seconds first) or seven (years last) fields, and the zone in which its hours count.
pub(crate) struct CronSchedule {
    cron: Cron,
    zone: TimeZone,
}

impl CronSchedule {
    /// Reads an expression.
    ///
    /// # Errors
    /// What is wrong with it, in the words of the library.
    pub(crate) fn read(expression: &str, zone: TimeZone) -> Result<Self, String> {
        let parser = CronParser::builder().seconds(Seconds::Optional).build();
        let cron = parser.parse(expression.trim()).map_err(|problem| problem.to_string())?;
        Ok(Self { cron, zone })
    }

    /// The first time after a moment; none when the expression has no later one.
    pub(crate) fn after(&self, at: Timestamp) -> Option<Timestamp> {
        let found = self.cron.find_next_occurrence(&OnClocks(at.to_zoned_datetime(self.zone.clone())), false);
        found.ok().map(|OnClocks(next)| next.timestamp())
    }
}

/// A time as croner asks about it.
#[derive(Clone)]
struct OnClocks(ZonedDateTime);

impl CronDateTime for OnClocks {
    fn to_civil(&self) -> CivilDateTime {
        let part = |part: i8| u32::try_from(part).unwrap_or_default();
        let at = self.0.datetime();
        CivilDateTime::new(
            CivilDate::from_parts_unchecked(i32::from(at.year()), part(at.month()), part(at.day())),
            CivilTime::from_parts_unchecked(part(at.hour()), part(at.minute()), part(at.second())),
        )
    }

    fn civil_weekday(&self) -> Weekday {
        Weekday::from_days_from_sunday(u32::try_from(self.0.weekday().to_sunday_zero_offset()).unwrap_or_default())
    }

    fn resolve_civil(&self, civil: CivilDateTime) -> Result<Resolution<Self>, CronError> {
        let part = |part: u32| i8::try_from(part).map_err(|_| CronError::InvalidDate);
        let year = i16::try_from(civil.year()).map_err(|_| CronError::InvalidDate)?;
        let (month, day, hour) = (part(civil.month())?, part(civil.day())?, part(civil.hour())?);
        let at = DateTime::new(year, month, day, hour, part(civil.minute())?, part(civil.second())?, 0);
        let found = self.0.time_zone().to_ambiguous_zoned_datetime(at.map_err(|_| CronError::InvalidDate)?);
        let exists = |zoned: Result<ZonedDateTime, jiff::Error>| zoned.map(Self).map_err(|_| CronError::InvalidTime);
        Ok(match found.offset() {
            AmbiguousOffset::Unambiguous { .. } => Resolution::Single(exists(found.unambiguous())?),
            AmbiguousOffset::Fold { .. } => Resolution::Ambiguous(exists(found.clone().earlier())?, exists(found.later())?),
            AmbiguousOffset::Gap { .. } => Resolution::Gap,
        })
    }

    fn checked_add_seconds(&self, seconds: i64) -> Option<Self> {
        self.0.checked_add(SignedDuration::from_secs(seconds)).ok().map(Self)
    }

    fn cmp_instant(&self, other: &Self) -> Ordering {
        self.0.timestamp().cmp(&other.0.timestamp())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(expression: &str, zone: &str, from: &str, count: usize) -> Vec<String> {
        let cron = CronSchedule::read(expression, TimeZone::get(zone).expect("a zone")).expect("an expression");
        let mut at: Timestamp = from.parse().expect("a time");
        let mut found = Vec::new();
        while let (true, Some(next)) = (found.len() < count, cron.after(at)) {
            found.push(next.to_string());
            at = next;
        }
        found
    }

    #[test]
    fn both_changes_of_the_clocks_come_once() {
        let nights = times("0 30 2 * * *", "Europe/Berlin", "2026-03-28T00:00:00Z", 3);
        assert_eq!(nights, ["2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]);
        let nights = times("0 30 2 * * *", "Europe/Berlin", "2026-10-24T00:00:00Z", 3);
        assert_eq!(nights, ["2026-10-24T00:30:00Z", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]);
    }

    #[test]
    fn fields_may_be_five_or_six_and_days_have_names() {
        assert_eq!(times("0 6 * * Mon-Fri", "UTC", "2026-03-06T07:00:00Z", 2), ["2026-03-09T06:00:00Z", "2026-03-10T06:00:00Z"]);
        assert_eq!(times("0 0 6 L * *", "UTC", "2026-02-01T00:00:00Z", 2), ["2026-02-28T06:00:00Z", "2026-03-31T06:00:00Z"]);
        assert!(CronSchedule::read("0 0 61 * * *", TimeZone::UTC).is_err());
        assert_eq!(times("0 0 0 30 2 *", "UTC", "2026-02-01T00:00:00Z", 1), Vec::<String>::new());
    }
}
