//! Time in scripts: now, points in time as people write them, durations, sleeping, windows.

use super::prelude::*;
use super::words::WEEKDAYS;
use crate::engine::library::{LibraryBuilder, PropertyDoc, TypeDoc};
use jiff::{ZonedDateTime, tz::TimeZone};
use std::any::TypeId;

/// A point in time, shown in the run's zone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(pub ZonedDateTime);

impl Moment {
    /// The instant.
    pub fn timestamp(&self) -> Timestamp {
        self.0.timestamp()
    }

    /// As ISO 8601 with offset.
    pub fn iso(&self) -> String {
        self.0.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
    }

    /// `at` in the zone of `host`.
    pub fn of(host: &Host, at: Timestamp) -> Self {
        Self(at.to_zoned_datetime(host.zone.clone()))
    }
}

impl Host {
    /// A time of the server as scripts get it.
    pub(super) fn moment(&self, at: Option<Timestamp>) -> Option<Moment> {
        at.map(|at| Moment::of(self, at))
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.strftime("%Y-%m-%d %H:%M:%S %Z"))
    }
}

crate::script_type! {
    /// A point in time. Beside a text it is compared as exactly as the text says: `now() > "08:01"` goes by hour and minute, whatever the day,
    /// `created >= "2026-03-02"` by the date, `"2026-03-02T08:00+01:00"` is an instant.
    Moment as "Moment" shows [] {
        /// The year.
        year: "whole number" = |m| i64::from(m.0.year());
        /// The month, 1 to 12.
        month: "whole number" = |m| i64::from(m.0.month());
        /// The day of the month.
        day: "whole number" = |m| i64::from(m.0.day());
        /// The hour, 0 to 23.
        hour: "whole number" = |m| i64::from(m.0.hour());
        /// The minute.
        minute: "whole number" = |m| i64::from(m.0.minute());
        /// The day of the week: `Mon` to `Sun`.
        weekday: "text" = |m| WEEKDAYS.give(&m.0.strftime("%a").to_string());
        /// The date, e.g. `2026-03-02`.
        date: "text" = |m| m.0.strftime("%Y-%m-%d").to_string();
        /// The time of day, e.g. `22:30`.
        time: "text" = |m| m.0.strftime("%H:%M").to_string();
        /// As ISO 8601 with offset.
        iso: "text" = |m| m.iso();
        /// Seconds since 1970.
        epoch: "whole number" = |m| m.timestamp().as_second();
    }
}

/// A point in time given as a `Moment` or as text.
#[derive(Clone, Debug)]
pub enum When {
    /// Worked out already.
    Moment(Timestamp),
    /// As written; needs now and a zone.
    Text(String),
}

impl OptionValue for When {
    const KIND: &'static str = "time";
    fn read(value: Dynamic) -> Result<Self, String> {
        if let Some(moment) = value.clone().try_cast::<Moment>() {
            return Ok(Self::Moment(moment.timestamp()));
        }
        let written = Name::read(value)?;
        // What day it is makes no difference to what is a time.
        why(text::point(&written, Timestamp::UNIX_EPOCH, &TimeZone::UTC))?;
        Ok(Self::Text(written.into()))
    }
}

/// What is wrong, and what would be right, of a value that is not used.
fn why<T>(read: Result<T>) -> Result<(), String> {
    read.map(drop)
        .map_err(|error| std::iter::once(error.message()).chain(error.hints().iter().map(String::as_str)).collect::<Vec<_>>().join(": "))
}

/// A window of the week, as written.
#[derive(Clone, Debug)]
pub struct WindowText(String);

impl WindowText {
    /// The window in a zone.
    pub(super) fn in_zone(&self, zone: &TimeZone) -> Result<text::Window> {
        text::Window::parse(&self.0, zone)
    }
}

impl OptionValue for WindowText {
    const KIND: &'static str = "window";
    fn read(value: Dynamic) -> Result<Self, String> {
        let written = Name::read(value)?;
        why(text::Window::parse(&written, &TimeZone::UTC))?;
        Ok(Self(written.into()))
    }
}

/// A time zone.
#[derive(Clone, Debug)]
pub struct Zone(TimeZone);

impl OptionValue for Zone {
    const KIND: &'static str = "time zone";
    fn read(value: Dynamic) -> Result<Self, String> {
        text::zone(&Name::read(value)?).map(Self).map_err(|error| error.message().to_owned())
    }
}

/// How long to sleep, or until when.
#[derive(Clone, Debug)]
pub enum Pause {
    /// So long.
    For(SignedDuration),
    /// Until then.
    Until(Timestamp),
}

impl OptionValue for Pause {
    const KIND: &'static str = "duration or Moment";
    fn read(value: Dynamic) -> Result<Self, String> {
        if let Some(moment) = value.clone().try_cast::<Moment>() {
            return Ok(Self::Until(moment.timestamp()));
        }
        let written = value.clone().into_immutable_string().ok();
        SignedDuration::read(value).map(Self::For).map_err(|why| {
            let is_time = written.filter(|text| text::point(text, Timestamp::UNIX_EPOCH, &TimeZone::UTC).is_ok());
            is_time.map_or(why.clone(), |text| format!("{why}; until a time it is `sleep(at(\"{text}\"))`"))
        })
    }
}

impl When {
    /// The instant, for the run of `host`.
    pub fn resolve(&self, host: &Host) -> HostResult<Timestamp> {
        match self {
            Self::Moment(at) => Ok(*at),
            Self::Text(written) => text::point(written, host.now(), &host.zone).raise(),
        }
    }
}

crate::functions! {
    group "time";

    /// The time now, in the run's zone (`ctx.tz`). In a sandbox this is the simulated time.
    ///
    /// ```rhai
    /// let started = now();
    /// sleep("5m");
    /// print(now() - started);
    /// ```
    fn now(host: Host) -> "Moment" {
        Ok(Moment::of(&host, host.now()))
    }

    /// The next time that fits a text: `"tomorrow 03:00"`, `"Sat 02:00"`, `"22:30"`, `"in 2h"`, or ISO 8601.
    /// Without a zone in the text the run's zone is meant. On the day clocks go forward a time that does not exist is
    /// moved by the gap; on the day they go back the first of two is meant.
    ///
    /// ```rhai
    /// let night = at("tomorrow 03:00 Europe/Berlin");
    /// print(night.iso);
    /// ```
    fn at(host: Host, text: When) -> "Moment" {
        Ok(Moment::of(&host, text.resolve(&host)?))
    }

    /// The time a duration ago: `ago("24h")`.
    ///
    /// ```rhai
    /// let rows = deployments(#{since: ago("24h")});
    /// print(rows.len());
    /// ```
    fn ago(host: Host, duration: SignedDuration) -> "Moment" {
        Ok(Moment::of(&host, later(host.now(), negated(duration))))
    }

    /// A duration from text: `duration("1h30m")`. Shorter: `90.minutes`, `2.hours`, `7.days`.
    ///
    /// ```rhai
    /// if duration("90m") == 90.minutes { print("the same") }
    /// ```
    fn duration(call, text: SignedDuration) -> "duration" {
        Ok(text)
    }

    /// Waits for a duration (`sleep("10m")`) or until a time (`sleep(at("Sat 02:00"))`). Ctrl-C ends it at once.
    ///
    /// ```rhai
    /// sleep("10m");
    /// ```
    fn sleep(host: Host, how_long: Pause) -> "nothing" {
        let due = match how_long {
            Pause::Until(at) => at,
            Pause::For(span) => later(host.now(), span),
        };
        host.sleep_until(due)
    }

    /// Whether it is now inside a window: weekdays and hours, `"Mon-Fri 22:00-04:00"`, `"Sat,Sun"`, `"01:00-05:00"`.
    /// A zone may follow as a second argument; otherwise the run's zone is meant.
    ///
    /// ```rhai
    /// if !window("Mon-Fri 08:00-18:00", "Europe/Berlin") { print("not in office hours") }
    /// ```
    fn window(host: Host, window: WindowText; zone: Option<Zone>) -> "true or false" {
        let window = in_zone(&host, &window.0, zone)?;
        Ok(window.contains(host.now()))
    }

    /// Waits until a window is open; returns at once when it is open now.
    ///
    /// ```rhai
    /// wait_window("Mon-Fri 22:00-04:00", "Europe/Berlin");
    /// ```
    fn wait_window(host: Host, window: WindowText; zone: Option<Zone>) -> "nothing" {
        let parsed = in_zone(&host, &window.0, zone)?;
        let now = host.now();
        if !parsed.contains(now) {
            let Some(start) = parsed.next_start(now) else {
                return Err(raise(Error::new(Kind::Script, format!("window `{}` never opens", window.0))));
            };
            host.emit(What::Waiting {
                task: None,
                title: format!("window {}", window.0),
                why: format!("opens at {}", Moment::of(&host, start)),
                url: None,
            });
            host.sleep_until(start)?;
        }
        Ok(())
    }
}

const UNITS: TypeDoc = TypeDoc {
    name: "whole number",
    doc: " A number with a unit is a duration: `5.minutes`, `1.hour`, also `1.5.hours`.",
    properties: &[
        PropertyDoc { name: "seconds", kind: "duration", doc: " So many seconds; also `1.second`.", asks: false },
        PropertyDoc { name: "minutes", kind: "duration", doc: " So many minutes; also `1.minute`.", asks: false },
        PropertyDoc { name: "hours", kind: "duration", doc: " So many hours; also `1.hour`.", asks: false },
        PropertyDoc { name: "days", kind: "duration", doc: " So many times 24 hours; also `1.day`.", asks: false },
        PropertyDoc { name: "weeks", kind: "duration", doc: " So many times 7 days; also `1.week`.", asks: false },
    ],
    columns: &[],
};

const SPAN: TypeDoc = TypeDoc {
    name: "duration",
    doc: " A length of time. Durations add, subtract and compare, with texts such as `5m` too; a number times a duration is one; time minus time is one.",
    properties: &[
        PropertyDoc { name: "in_seconds", kind: "number", doc: " As seconds.", asks: false },
        PropertyDoc { name: "in_minutes", kind: "number", doc: " As minutes.", asks: false },
        PropertyDoc { name: "in_hours", kind: "number", doc: " As hours.", asks: false },
    ],
    columns: &[],
};

/// The opposite; the longest one for the one that has none.
fn negated(span: SignedDuration) -> SignedDuration {
    span.checked_neg().unwrap_or(SignedDuration::MAX)
}

fn span_of(seconds: f64) -> HostResult<Dynamic> {
    let span = SignedDuration::try_from_secs_f64(seconds);
    span.map(Dynamic::from).map_err(|_| Error::new(Kind::Script, "the duration is out of range")).raise()
}

/// A window in a zone given by name, or in the run's.
fn in_zone(host: &Host, window: &str, zone: Option<Zone>) -> HostResult<text::Window> {
    let zone = zone.map_or_else(|| host.zone.clone(), |zone| zone.0);
    text::Window::parse(window, &zone).raise()
}

/// Adds comparison and arithmetic of times and durations, and `5.minutes`.
pub fn register_operators(library: &mut LibraryBuilder) {
    library.scripted::<Moment>();
    library.describe(UNITS);
    library.describe(SPAN);
    library.name::<SignedDuration>(SPAN.name);
    library.compared::<SignedDuration>();
    let (moment, span) = (TypeId::of::<Moment>(), TypeId::of::<SignedDuration>());
    library.raw("-", &[moment, moment], |_, args| {
        let (a, b) = (args[0].flatten_clone().cast::<Moment>(), args[1].flatten_clone().cast::<Moment>());
        Ok(Dynamic::from(a.timestamp().duration_since(b.timestamp())))
    });
    for (name, sign) in [("+", 1), ("-", -1)] {
        library.raw(name, &[moment, span], move |_, args| {
            let (a, b) = (args[0].flatten_clone().cast::<Moment>(), args[1].flatten_clone().cast::<SignedDuration>());
            let moved =
                a.0.checked_add(if sign < 0 { negated(b) } else { b })
                    .map_err(|_| Error::new(Kind::Script, "the time is out of range"))
                    .raise()?;
            Ok(Dynamic::from(Moment(moved)))
        });
        library.raw(name, &[span, span], move |_, args| {
            let (a, b) = (args[0].flatten_clone().cast::<SignedDuration>(), args[1].flatten_clone().cast::<SignedDuration>());
            Ok(Dynamic::from(a.saturating_add(if sign < 0 { negated(b) } else { b })))
        });
    }
    library.raw("*", &[TypeId::of::<i64>(), span], |_, args| {
        let factor = i32::try_from(args[0].as_int().unwrap_or(1)).unwrap_or(i32::MAX);
        Ok(Dynamic::from(args[1].flatten_clone().cast::<SignedDuration>().saturating_mul(factor)))
    });
    for name in ["to_string", "to_debug", "print", "debug"] {
        library.raw(name, &[span], |_, args| Ok(text::show(args[0].flatten_clone().cast::<SignedDuration>()).into()));
    }
    crate::engine::thrown::prints_as::<SignedDuration>(|span| text::show(*span));
    for (name, seconds) in [
        ("second", 1.0),
        ("seconds", 1.0),
        ("minute", 60.0),
        ("minutes", 60.0),
        ("hour", 3600.0),
        ("hours", 3600.0),
        ("day", 86400.0),
        ("days", 86400.0),
        ("week", 604_800.0),
        ("weeks", 604_800.0),
    ] {
        let getter = format!("get${name}");
        library.raw(&getter, &[TypeId::of::<i64>()], move |_, args| span_of(args[0].as_int().unwrap_or(0) as f64 * seconds));
        library.raw(&getter, &[TypeId::of::<f64>()], move |_, args| span_of(args[0].as_float().unwrap_or(0.0) * seconds));
    }
    for (name, seconds) in [("in_seconds", 1.0), ("in_minutes", 60.0), ("in_hours", 3600.0)] {
        library.raw(&format!("get${name}"), &[span], move |_, args| {
            Ok((args[0].flatten_clone().cast::<SignedDuration>().as_secs_f64() / seconds).into())
        });
    }
}
