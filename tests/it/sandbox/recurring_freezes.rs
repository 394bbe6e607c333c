//! Recurring deployment freezes of the sandbox and of the client, each beside a reference of somebody else's making.
//!
//! The reference is the crate `rrule` (RFC 5545). A schedule of Octopus becomes a rule by the table in `Case`, which is written out for each case; the
//! rule runs on the clock that is ahead of UTC by the schedule's offset: the start is given to it as that clock shows it, as if it were UTC, and what
//! comes out is moved back by the offset. Neither the client's code nor the sandbox's has a part in it.

use crate::support::server::Server;
use jiff::{SignedDuration, Timestamp, tz::Offset};
use octorhai::api::{Freeze, decode::Document, freezes::FreezeAt, recurrence::Occurrence};
use serde_json::{Value, json};

/// A recurring freeze as Octopus has it, and as a rule of RFC 5545.
struct Case {
    name: &'static str,
    start: &'static str,
    hours: i64,
    schedule: Value,
    rule: &'static str,
}

const FROM: &str = "2026-01-01T00:00:00Z";
/// Two years: both clock changes of 2026 and of 2027 lie in them.
const TO: &str = "2028-01-02T00:00:00Z";

fn ts(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

fn cases() -> Vec<Case> {
    let case = |name, start, hours, schedule, rule| Case { name, start, hours, schedule, rule };
    vec![
        case("each day", "2025-12-20T22:00:00Z", 8, json!({"Type": "Daily", "Unit": 1, "EndType": "Never"}), "FREQ=DAILY"),
        case(
            "each day of a clock behind UTC",
            "2026-01-03T02:30:00Z",
            3,
            json!({"Type": "Daily", "Unit": 1, "EndType": "AfterOccurrences", "EndAfterOccurrences": 200, "UserUtcOffsetInMinutes": -480}),
            "FREQ=DAILY;COUNT=200",
        ),
        case(
            "each third day, until a date",
            "2026-01-02T06:00:00+01:00",
            30,
            json!({"Type": "Daily", "Unit": 3, "EndType": "OnDate", "EndOnDate": "2027-05-15T00:00:00Z", "UserUtcOffsetInMinutes": 60}),
            "FREQ=DAILY;INTERVAL=3;UNTIL=20270515T010000Z",
        ),
        case(
            "each day, longer than a day",
            "2026-02-01T20:00:00Z",
            30,
            json!({"Type": "Daily", "Unit": 1, "EndType": "AfterOccurrences", "EndAfterOccurrences": 10}),
            "FREQ=DAILY;COUNT=10",
        ),
        case(
            "weekdays by a list",
            "2026-01-05T07:00:00Z",
            10,
            json!({"Type": "Weekly", "Unit": 1, "DaysOfWeek": ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday"], "EndType": "Never"}),
            "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR;WKST=MO",
        ),
        case(
            "days by flags, each second week, and the day of UTC is another",
            "2026-01-07T23:30:00Z",
            5,
            json!({"Type": "Weekly", "Unit": 2, "DaysOfWeek": "Sunday, Thursday", "EndType": "Never", "UserUtcOffsetInMinutes": 600}),
            "FREQ=WEEKLY;INTERVAL=2;BYDAY=TH,SU;WKST=MO",
        ),
        case(
            "a week that is counted from its middle, west of Greenwich",
            "2026-01-15T01:00:00Z",
            12,
            json!({"Type": "Weekly", "Unit": 3, "DaysOfWeek": ["Monday", "Wednesday", "Saturday"], "EndType": "AfterOccurrences", "EndAfterOccurrences": 40, "UserUtcOffsetInMinutes": -300}),
            "FREQ=WEEKLY;INTERVAL=3;BYDAY=MO,WE,SA;WKST=MO;COUNT=40",
        ),
        case(
            "a date of the month",
            "2026-01-15T00:00:00Z",
            48,
            json!({"Type": "Monthly", "Unit": 1, "MonthlyScheduleType": "DateOfMonth", "DateOfMonth": "15", "EndType": "Never"}),
            "FREQ=MONTHLY;BYMONTHDAY=15",
        ),
        case(
            "a date that not every month has",
            "2025-12-31T00:00:00+02:00",
            24,
            json!({"Type": "Monthly", "Unit": 1, "MonthlyScheduleType": "DateOfMonth", "DateOfMonth": "31", "EndType": "Never", "UserUtcOffsetInMinutes": 120}),
            "FREQ=MONTHLY;BYMONTHDAY=31",
        ),
        case(
            "the last day of each second month",
            "2026-01-31T22:30:00Z",
            6,
            json!({"Type": "Monthly", "Unit": 2, "MonthlyScheduleType": "DateOfMonth", "DateOfMonth": "L", "EndType": "OnDate", "EndOnDate": "2027-12-01T00:00:00+00:00"}),
            "FREQ=MONTHLY;INTERVAL=2;BYMONTHDAY=-1;UNTIL=20271201T000000Z",
        ),
        case(
            "the first Monday",
            "2026-01-05T05:00:00Z",
            12,
            json!({"Type": "Monthly", "Unit": 1, "MonthlyScheduleType": "DayOfMonth", "DayNumberOfMonth": "1", "DayOfWeek": "Monday", "EndType": "Never"}),
            "FREQ=MONTHLY;BYDAY=1MO",
        ),
        case(
            "the first Monday, in other words",
            "2026-01-05T05:00:00Z",
            12,
            json!({"Type": "Monthly", "Unit": 2, "MonthlyScheduleType": "DayOfMonth", "DayNumberOfMonth": "First", "DayOfWeek": 1, "EndType": "Never"}),
            "FREQ=MONTHLY;INTERVAL=2;BYDAY=1MO",
        ),
        case(
            "the last Friday, whose evening is a Saturday in UTC",
            "2026-01-31T04:00:00Z",
            60,
            json!({"Type": "Monthly", "Unit": 1, "MonthlyScheduleType": "DayOfMonth", "DayNumberOfMonth": "L", "DayOfWeek": "Friday", "EndType": "AfterOccurrences", "EndAfterOccurrences": 18, "UserUtcOffsetInMinutes": -480}),
            "FREQ=MONTHLY;BYDAY=-1FR;COUNT=18",
        ),
        case(
            "a fifth Sunday, which not every month has",
            "2026-03-29T00:00:00Z",
            24,
            json!({"Type": "Monthly", "Unit": 1, "MonthlyScheduleType": "DayOfMonth", "DayNumberOfMonth": "5", "DayOfWeek": "Sunday", "EndType": "Never"}),
            "FREQ=MONTHLY;BYDAY=5SU",
        ),
        case("each year", "2024-12-20T00:00:00Z", 24 * 14, json!({"Type": "Annually", "Unit": 1, "EndType": "Never"}), "FREQ=YEARLY"),
        case(
            "each second year on a leap day",
            "2020-02-29T12:00:00Z",
            24,
            json!({"Type": "Annually", "Unit": 2, "EndType": "Never"}),
            "FREQ=YEARLY;INTERVAL=2;BYMONTH=2;BYMONTHDAY=29",
        ),
        case(
            "each year, three times",
            "2025-03-29T23:00:00Z",
            36,
            json!({"Type": "Annually", "Unit": 1, "EndType": "AfterOccurrences", "EndAfterOccurrences": 3, "UserUtcOffsetInMinutes": 60}),
            "FREQ=YEARLY;COUNT=3",
        ),
    ]
}

impl Case {
    fn offset(&self) -> SignedDuration {
        SignedDuration::from_mins(self.schedule["UserUtcOffsetInMinutes"].as_i64().unwrap_or(0))
    }

    /// All occurrences that begin before `TO`, by the reference.
    fn reference(&self) -> Vec<(Timestamp, Timestamp)> {
        let shown = Offset::UTC.to_datetime(ts(self.start) + self.offset()).strftime("%Y%m%dT%H%M%SZ").to_string();
        let set: rrule::RRuleSet = format!("DTSTART:{shown}\nRRULE:{}", self.rule).parse().expect("a rule");
        let moved = |second: i64| Timestamp::from_second(second).expect("a time") - self.offset();
        let starts = set.into_iter().map(|date| moved(date.timestamp())).take_while(|start| *start < ts(TO));
        starts.map(|start| (start, start + SignedDuration::from_hours(self.hours))).collect()
    }

    /// As Octopus has it.
    fn freeze(&self) -> Value {
        let end = (ts(self.start) + SignedDuration::from_hours(self.hours)).to_string();
        json!({"Id": "DeploymentFreezes-1", "Name": self.name, "Start": self.start, "End": end, "RecurringSchedule": self.schedule})
    }

    /// The moments at which it is asked: each edge of each occurrence, what lies beside it, and a grid that meets each hour of the day.
    fn moments(reference: &[(Timestamp, Timestamp)]) -> Vec<Timestamp> {
        let (from, to, second) = (ts(FROM), ts(TO), SignedDuration::from_secs(1));
        let mut all: Vec<Timestamp> = reference.iter().flat_map(|(start, end)| [*start - second, *start, *end - second, *end]).collect();
        let mut at = from;
        while at < to {
            all.push(at);
            at += SignedDuration::from_mins(6 * 60 + 25);
        }
        all.retain(|at| *at >= from && *at < to);
        all.sort_unstable();
        all.dedup();
        all
    }
}

/// The occurrence in which a moment lies, or else the next one.
fn at_or_after(reference: &[(Timestamp, Timestamp)], at: Timestamp) -> Option<(Timestamp, Timestamp)> {
    reference.iter().find(|(_, end)| *end > at).copied()
}

#[test]
fn client_agrees_with_rfc_5545_on_each_kind_over_two_years() {
    let mut asked = 0;
    for case in cases() {
        let (reference, freeze) = (case.reference(), Freeze::decode(case.freeze()).expect("a freeze"));
        assert!(!reference.is_empty() && freeze.is_recurring(), "{}", case.name);
        let moments = Case::moments(&reference);
        asked += moments.len();
        for at in moments {
            let held = at_or_after(&reference, at).filter(|(start, _)| *start <= at);
            let expected = held.map_or(FreezeAt::Open, |(start, end)| FreezeAt::Frozen(Occurrence { start: Some(start), end: Some(end) }));
            assert_eq!(freeze.at(at), expected, "{} at {at}", case.name);
        }
    }
    assert!(asked > 17 * 2700, "{asked}");
}

#[tokio::test]
async fn sandbox_agrees_with_rfc_5545_on_each_kind_over_two_years() {
    let s = Server::shop().await;
    let mut asked = 0;
    for case in cases() {
        let reference = case.reference();
        let (status, made) = s.post("/api/deploymentfreezes", case.freeze()).await;
        assert_eq!(status, 201, "{}: {made}", case.name);
        let id = made["Id"].as_str().expect("an id");
        let moments = Case::moments(&reference);
        // One request each: the edges of all, and of the grid each tenth.
        for at in moments
            .iter()
            .enumerate()
            .filter(|(n, at)| n % 10 == 0 || reference.iter().any(|(s, e)| s == *at || e == *at))
            .map(|(_, at)| *at)
        {
            asked += 1;
            let list = s.get(&format!("/api/deploymentfreezes?skip=0&take=1&ids={id}&effectiveDate={at}")).await;
            let schedule = &list["DeploymentFreezes"][0]["RecurringSchedule"];
            let side = |name: &str| schedule[name].as_str().map(ts);
            let expected = at_or_after(&reference, at);
            // What comes after two years the reference does not say.
            let found = side("StartDate").zip(side("EndDate")).filter(|(start, _)| *start < ts(TO));
            assert_eq!(found, expected, "{} at {at}", case.name);
        }
    }
    assert!(asked > 3000, "{asked}");
}

#[test]
fn offset_of_a_schedule_is_fixed_and_does_not_move_when_clocks_change() {
    // 06:00 to 08:00 in Berlin, as it was when somebody made the freeze in winter.
    let schedule = json!({"Type": "Daily", "Unit": 1, "EndType": "Never", "UserUtcOffsetInMinutes": 60});
    let freeze = json!({"Id": "DeploymentFreezes-1", "Name": "Morning", "Start": "2026-01-05T06:00:00+01:00", "End": "2026-01-05T08:00:00+01:00", "RecurringSchedule": schedule});
    let freeze = Freeze::decode(freeze).expect("a freeze");
    let berlin = jiff::tz::TimeZone::get("Europe/Berlin").expect("a zone");
    let begins = |date: &str| {
        let noon = berlin.to_timestamp(format!("{date}T00:00").parse().expect("a date")).expect("in range");
        let minute = (0..24 * 60).map(|n| noon + SignedDuration::from_mins(n)).find(|at| freeze.at(*at) != FreezeAt::Open);
        minute.expect("it comes each day").to_zoned_datetime(berlin.clone()).strftime("%H:%M").to_string()
    };
    let days = ["2026-03-28", "2026-03-29", "2026-03-30", "2026-10-24", "2026-10-25", "2026-10-26"];
    assert_eq!(days.map(begins), ["06:00", "07:00", "07:00", "07:00", "06:00", "06:00"]);
}

#[test]
fn server_that_says_the_occurrence_is_trusted_and_one_that_speaks_of_an_earlier_time_is_not() {
    let of = |start: &str, end: &str| {
        let schedule = json!({"Type": "Daily", "Unit": 1, "EndType": "Never", "StartDate": start, "EndDate": end});
        Freeze::decode(json!({"Id": "DeploymentFreezes-1", "Name": "N", "Start": "2026-01-05T06:00:00Z", "End": "2026-01-05T08:00:00Z", "RecurringSchedule": schedule}))
            .expect("a freeze")
    };
    let held = |start: &str, end: &str| FreezeAt::Frozen(Occurrence { start: Some(ts(start)), end: Some(ts(end)) });
    let at = ts("2026-02-03T07:00:00Z");
    // By its rule it would hold from 06:00 to 08:00.
    assert_eq!(of("2026-02-03T05:30:00Z", "2026-02-03T09:00:00Z").at(at), held("2026-02-03T05:30:00Z", "2026-02-03T09:00:00Z"));
    assert_eq!(of("2026-02-04T06:00:00Z", "2026-02-04T08:00:00Z").at(at), FreezeAt::Open);
    assert_eq!(of("2026-01-05T06:00:00Z", "2026-01-05T08:00:00Z").at(at), held("2026-02-03T06:00:00Z", "2026-02-03T08:00:00Z"));
}

#[test]
fn schedule_that_is_not_known_is_unclear_and_says_why() {
    let of = |schedule: Value| {
        let freeze = json!({"Id": "DeploymentFreezes-1", "Name": "N", "Start": "2026-01-05T06:00:00Z", "End": "2026-01-05T08:00:00Z", "RecurringSchedule": schedule});
        match Freeze::decode(freeze).expect("a freeze").at(ts("2026-03-02T08:00:00Z")) {
            FreezeAt::Unclear(why) => why,
            other => panic!("{other:?}"),
        }
    };
    for (schedule, why) in [
        (json!({"Type": "Lunar", "Unit": 1}), "its schedule has `Type` \"Lunar\""),
        (json!({"Unit": 1}), "its schedule has no `Type`"),
        (json!({"Type": "Daily", "Unit": 0}), "its schedule has `Unit` 0"),
        (json!({"Type": "Weekly", "Unit": 1, "DaysOfWeek": ["Someday"]}), "its schedule has `DaysOfWeek` [\"Someday\"]"),
        (json!({"Type": "Monthly", "Unit": 1, "MonthlyScheduleType": "Tide"}), "its schedule has `MonthlyScheduleType` \"Tide\""),
        (json!({"Type": "Daily", "Unit": 1, "EndType": "Someday"}), "its schedule has `EndType` \"Someday\""),
    ] {
        assert_eq!(of(schedule), why);
    }
}
