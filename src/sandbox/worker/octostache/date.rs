//! Dates as .NET reads and writes them without a culture, on a worker whose clock is on UTC.

use fancy_regex::Regex;
use jiff::{
    Timestamp,
    civil::{self, Weekday},
    tz::TimeZone,
};
use std::{fmt::Write as _, sync::LazyLock};

const MONTHS: [&str; 12] =
    ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"];
const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
/// A tick of .NET.
const TICK: i32 = 100;

/// What a date says about its place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Zone {
    None,
    Utc,
    /// Minutes east. A `DateTime` of the kind *local* has it too; a worker here is on UTC.
    Offset(i32),
}

/// A date and a time, to the tick.
#[derive(Clone, Copy, Debug)]
pub(super) struct Date {
    pub(super) time: civil::DateTime,
    pub(super) zone: Zone,
}

/// What a text may be written as: which kinds of numbers its patterns know.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    DateTime,
    DateTimeOffset,
}

impl Date {
    /// Now.
    pub(super) fn at(now: Timestamp, zone: Zone) -> Self {
        let time = TimeZone::UTC.to_datetime(now);
        let ticks = time.subsec_nanosecond() / TICK * TICK;
        Self { time: time.with().subsec_nanosecond(ticks).build().unwrap_or(time), zone }
    }

    /// A text in JSON that is taken for a date.
    pub(super) fn of_json(text: &str) -> Option<Self> {
        static ISO: LazyLock<Regex> = LazyLock::new(|| {
            let time = r"([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,7}))?";
            regex(&format!(r"\A([0-9]{{4}})-([0-9]{{2}})-([0-9]{{2}})T{time}(?:([Zz])|([+-][0-9]{{2}}):?([0-9]{{2}})?)?\z"))
        });
        static SINCE: LazyLock<Regex> = LazyLock::new(|| regex(r"\A/Date\((-?[0-9]+)([+-][0-9]{4})?\)/\z"));
        if let Ok(Some(found)) = SINCE.captures(text) {
            let since = Timestamp::from_millisecond(found[1].parse().ok()?).ok()?;
            return Some(Self::at(since, if found.get(2).is_some() { Zone::Offset(0) } else { Zone::Utc }));
        }
        let found = ISO.captures(text).ok()??;
        let part = |number: usize| found.get(number).map_or(0, |part| part.as_str().parse().unwrap_or(0));
        let fraction = found.get(7).map_or("", |part| part.as_str());
        let midnight = part(4) == 24 && part(5) == 0 && part(6) == 0 && fraction.trim_matches('0').is_empty();
        let time = civil_of([part(1), part(2), part(3), if midnight { 0 } else { part(4) }, part(5), part(6)], fraction)?;
        let time = if midnight { shifted(time, 24 * 60)? } else { time };
        if found.get(8).is_some() {
            return Some(Self { time, zone: Zone::Utc });
        }
        match found.get(9) {
            None => Some(Self { time, zone: Zone::None }),
            Some(hours) => {
                let minutes = part(9).abs() * 60 + part(10);
                let minutes = if hours.as_str().starts_with('-') { -minutes } else { minutes };
                Some(Self { time: shifted(time, -minutes)?, zone: Zone::Offset(0) })
            }
        }
    }

    /// A date as people write it: none when the text is not one.
    pub(super) fn parse(text: &str, today: Timestamp) -> Result<Option<Self>, String> {
        static DAY: LazyLock<[Regex; 4]> = LazyLock::new(|| {
            let names = MONTHS.map(|name| format!("{name}|{}", &name[..3])).join("|");
            let weekday = DAYS.map(|name| format!("{name}|{}", &name[..3])).join("|");
            [
                regex(r"(?i)\A(?<y>[0-9]{4})[-/](?<m>[0-9]{1,2})[-/](?<d>[0-9]{1,2})(?:T|[ ]+|\z)"),
                regex(r"(?i)\A(?<m>[0-9]{1,2})[-/](?<d>[0-9]{1,2})[-/](?<y>[0-9]{4})(?:[ ]+|\z)"),
                regex(&format!(r"(?i)\A(?:(?<w>{weekday}),? )?(?<d>[0-9]{{1,2}})[- ](?<n>{names})[- ](?<y>[0-9]{{4}})(?:[ ]+|\z)")),
                regex(&format!(r"(?i)\A(?:(?<w>{weekday}),? )?(?<n>{names}) (?<d>[0-9]{{1,2}}),? (?<y>[0-9]{{4}})(?:[ ]+|\z)")),
            ]
        });
        static TIME: LazyLock<Regex> = LazyLock::new(|| {
            regex(
                r"(?i)\A(?:(?<h>[0-9]{1,2}):(?<m>[0-9]{2})(?::(?<s>[0-9]{2})(?:[.,](?<f>[0-9]{1,7}))?)?(?: ?(?<t>[ap]m))?)?(?: ?(?:(?<z>Z|GMT)|(?<o>[+-][0-9]{2}):?(?<p>[0-9]{2})))?\z",
            )
        });
        let trimmed = text.trim();
        if !may_be_date(trimmed) {
            return Ok(None);
        }
        let unknown = || Err(format!("the sandbox does not read the date {text:?}: write it as 2026-03-02T10:00:00Z"));
        let part = |found: &fancy_regex::Captures<'_, str>, name: &str| found.name(name).map(|part| part.as_str().to_owned());
        let day = DAY.iter().find_map(|one| one.captures(trimmed).ok().flatten());
        let (date, rest) = match &day {
            Some(found) => {
                let number = |name: &str| part(found, name).and_then(|text| text.parse::<i32>().ok());
                let month = number("m").or_else(|| {
                    let name = part(found, "n")?;
                    MONTHS.iter().position(|known| known[..3].eq_ignore_ascii_case(&name[..3])).map(|at| at as i32 + 1)
                });
                let Some(time) = civil_of([number("y").unwrap_or(0), month.unwrap_or(0), number("d").unwrap_or(0), 0, 0, 0], "") else {
                    return Ok(None);
                };
                if part(found, "w").is_some_and(|name| !DAYS[weekday(time)][..3].eq_ignore_ascii_case(&name[..3])) {
                    return Ok(None);
                }
                (time.date(), &trimmed[found.get(0).map_or(0, |all| all.end())..])
            }
            None => (TimeZone::UTC.to_datetime(today).date(), trimmed),
        };
        let Ok(Some(found)) = TIME.captures(rest) else { return unknown() };
        let number = |name: &str| part(&found, name).and_then(|text| text.parse::<i32>().ok()).unwrap_or(0);
        if (day.is_none() || part(&found, "z").is_some()) && part(&found, "h").is_none() {
            return unknown();
        }
        let mut hour = number("h");
        if let Some(half) = part(&found, "t") {
            if !(1..=12).contains(&hour) {
                return Ok(None);
            }
            hour = hour % 12 + if half.eq_ignore_ascii_case("pm") { 12 } else { 0 };
        }
        if hour == 24 {
            return unknown();
        }
        let day = [i32::from(date.year()), i32::from(date.month()), i32::from(date.day())];
        let fraction = part(&found, "f").unwrap_or_default();
        let Some(time) = civil_of([day[0], day[1], day[2], hour, number("m"), number("s")], &fraction) else { return Ok(None) };
        let zone = match (part(&found, "z"), part(&found, "o")) {
            (Some(_), _) => Zone::Utc,
            (None, None) => Zone::None,
            (None, Some(hours)) => {
                let minutes = number("o").abs() * 60 + number("p");
                if minutes > 14 * 60 || number("p") > 59 {
                    return Ok(None);
                }
                Zone::Offset(if hours.starts_with('-') { -minutes } else { minutes })
            }
        };
        // What is no moment in UTC is none.
        let date = Self { time, zone };
        Ok(date.local().map(|_| date))
    }

    /// The same moment as a `DateTime`, which knows no offset but the worker's own.
    pub(super) fn local(self) -> Option<Self> {
        match self.zone {
            Zone::Offset(minutes) => Some(Self { time: shifted(self.time, -minutes)?, zone: Zone::Offset(0) }),
            Zone::Utc => Some(Self { zone: Zone::Offset(0), ..self }),
            Zone::None => Some(self),
        }
    }

    /// The same moment as a `DateTimeOffset`.
    pub(super) fn with_offset(self) -> Self {
        let minutes = if let Zone::Offset(minutes) = self.zone { minutes } else { 0 };
        Self { zone: Zone::Offset(minutes), ..self }
    }

    /// So many ticks later.
    pub(super) fn plus(self, ticks: i64) -> Option<Self> {
        let nanoseconds = i128::from(ticks) * i128::from(TICK);
        let span = jiff::SignedDuration::new((nanoseconds / 1_000_000_000) as i64, (nanoseconds % 1_000_000_000) as i32);
        let time = self.time.checked_add(span).ok().filter(|time| (1..=9999).contains(&time.year()))?;
        Some(Self { time, ..self })
    }

    /// As JSON has it.
    pub(super) fn iso(self) -> String {
        self.written("yyyy-MM-ddTHH:mm:ss.FFFFFFFK", Type::DateTime).unwrap_or_default()
    }

    /// As a text that is made of it by the way.
    pub(super) fn general(self) -> String {
        self.written("G", Type::DateTime).unwrap_or_default()
    }

    /// In a format of .NET; none when that is none.
    pub(super) fn written(self, format: &str, kind: Type) -> Option<String> {
        let offset = kind == Type::DateTimeOffset;
        let utc = || if let (true, Zone::Offset(minutes)) = (offset, self.zone) { shifted(self.time, -minutes) } else { Some(self.time) };
        let mut all = format.chars();
        let (custom, time) = match (all.next(), all.next()) {
            (None, _) if offset => ("MM/dd/yyyy HH:mm:ss zzz", self.time),
            (None, _) => ("MM/dd/yyyy HH:mm:ss", self.time),
            (Some(one), None) => match one {
                'd' => ("MM/dd/yyyy", self.time),
                'D' => ("dddd, dd MMMM yyyy", self.time),
                'f' => ("dddd, dd MMMM yyyy HH:mm", self.time),
                'F' => ("dddd, dd MMMM yyyy HH:mm:ss", self.time),
                'U' if !offset => ("dddd, dd MMMM yyyy HH:mm:ss", self.time),
                'g' => ("MM/dd/yyyy HH:mm", self.time),
                'G' => ("MM/dd/yyyy HH:mm:ss", self.time),
                'm' | 'M' => ("MMMM dd", self.time),
                'o' | 'O' if offset => ("yyyy-MM-ddTHH:mm:ss.fffffffzzz", self.time),
                'o' | 'O' => ("yyyy-MM-ddTHH:mm:ss.fffffffK", self.time),
                'r' | 'R' => match utc() {
                    Some(time) => ("ddd, dd MMM yyyy HH':'mm':'ss 'GMT'", time),
                    None => return None,
                },
                's' => ("yyyy-MM-ddTHH:mm:ss", self.time),
                't' => ("HH:mm", self.time),
                'T' => ("HH:mm:ss", self.time),
                'u' => match utc() {
                    Some(time) => ("yyyy-MM-dd HH:mm:ss'Z'", time),
                    None => return None,
                },
                'y' | 'Y' => ("yyyy MMMM", self.time),
                _ => return None,
            },
            _ => (format, self.time),
        };
        Self { time, zone: self.zone }.custom(custom, offset)
    }

    fn custom(self, format: &str, offset: bool) -> Option<String> {
        let format: Vec<char> = format.chars().collect();
        let mut out = String::new();
        let mut at = 0;
        while let Some(&c) = format.get(at) {
            let mut count = format[at..].iter().take_while(|one| **one == c).count();
            match c {
                '\'' | '"' => count = quoted(&format[at..], &mut out)?,
                '\\' => {
                    out.push(*format.get(at + 1)?);
                    count = 2;
                }
                '%' => {
                    let next = *format.get(at + 1).filter(|next| **next != '%')?;
                    out.push_str(&self.custom(&String::from(next), offset)?);
                    count = 2;
                }
                ':' | '/' => {
                    out.push(c);
                    count = 1;
                }
                _ if self.part(c, count, offset, &mut out)? => {}
                _ => {
                    out.push(c);
                    count = 1;
                }
            }
            at += count;
        }
        Some(out)
    }

    /// One part of a date; false when the character is none.
    fn part(self, c: char, count: usize, offset: bool, out: &mut String) -> Option<bool> {
        let time = self.time;
        let two = |out: &mut String, number: i32| _ = if count == 1 { write!(out, "{number}") } else { write!(out, "{number:02}") };
        let minutes = if let Zone::Offset(minutes) = self.zone { minutes } else { 0 };
        let sign = if minutes < 0 { '-' } else { '+' };
        let (hours, rest) = (minutes.abs() / 60, minutes.abs() % 60);
        match c {
            'g' => out.push_str("A.D."),
            'h' => two(out, (i32::from(time.hour()) + 11) % 12 + 1),
            'H' => two(out, i32::from(time.hour())),
            'm' => two(out, i32::from(time.minute())),
            's' => two(out, i32::from(time.second())),
            'f' | 'F' if count > 7 => return None,
            'f' => out.push_str(&format!("{:07}", time.subsec_nanosecond() / TICK)[..count]),
            'F' => {
                let digits = format!("{:07}", time.subsec_nanosecond() / TICK);
                let digits = digits[..count].trim_end_matches('0');
                if digits.is_empty() && out.ends_with('.') {
                    out.pop();
                }
                out.push_str(digits);
            }
            't' => out.push_str(&(if time.hour() < 12 { "AM" } else { "PM" })[..count.min(2)]),
            'd' if count <= 2 => two(out, i32::from(time.day())),
            'd' => out.push_str(&DAYS[weekday(time)][..if count == 3 { 3 } else { DAYS[weekday(time)].len() }]),
            'M' if count <= 2 => two(out, i32::from(time.month())),
            'M' => {
                let name = MONTHS[time.month() as usize - 1];
                out.push_str(&name[..if count == 3 { 3 } else { name.len() }]);
            }
            'y' if count <= 2 => two(out, i32::from(time.year()) % 100),
            'y' => _ = write!(out, "{:0count$}", time.year()),
            'z' if count == 1 => _ = write!(out, "{sign}{hours}"),
            'z' if count == 2 => _ = write!(out, "{sign}{hours:02}"),
            'z' => _ = write!(out, "{sign}{hours:02}:{rest:02}"),
            'K' => {
                for _ in 0..count {
                    match self.zone {
                        Zone::Utc if !offset => out.push('Z'),
                        Zone::None if !offset => {}
                        _ => _ = write!(out, "{sign}{hours:02}:{rest:02}"),
                    }
                }
            }
            _ => return Some(false),
        }
        Some(true)
    }
}

/// Whether .NET might find a date in a text: digits, some marks, and the words that dates have.
fn may_be_date(text: &str) -> bool {
    let words = ["am", "pm", "a", "p", "t", "z", "gmt", "utc", "ad"];
    let is_word = |word: &str| {
        let known = |name: &&str| word.eq_ignore_ascii_case(name) || word.eq_ignore_ascii_case(&name[..3]);
        word.is_empty() || words.iter().any(|one| word.eq_ignore_ascii_case(one)) || MONTHS.iter().chain(&DAYS).any(known)
    };
    text.contains(|c: char| c.is_ascii_digit())
        && !text.bytes().all(|b| b.is_ascii_digit())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c.is_whitespace() || ",:./-+#'".contains(c))
        && text.split(|c: char| !c.is_ascii_alphabetic()).all(is_word)
}

/// Text in quotes of a format: how much of that they are, or none when they are not closed.
fn quoted(format: &[char], out: &mut String) -> Option<usize> {
    let mut at = 1;
    loop {
        match *format.get(at)? {
            c if c == format[0] => return Some(at + 1),
            '\\' => {
                at += 1;
                out.push(*format.get(at)?);
            }
            c => out.push(c),
        }
        at += 1;
    }
}

fn weekday(time: civil::DateTime) -> usize {
    time.weekday().since(Weekday::Sunday) as usize
}

fn shifted(time: civil::DateTime, minutes: i32) -> Option<civil::DateTime> {
    time.checked_add(jiff::SignedDuration::from_mins(i64::from(minutes))).ok().filter(|time| (1..=9999).contains(&time.year()))
}

fn civil_of(parts: [i32; 6], fraction: &str) -> Option<civil::DateTime> {
    let nanoseconds = format!("{fraction:0<9}").parse().ok()?;
    let [year, month, day, hour, minute, second] = parts;
    if year < 1 || second > 59 {
        return None;
    }
    let small = |number: i32| i8::try_from(number).ok();
    civil::DateTime::new(year as i16, small(month)?, small(day)?, small(hour)?, small(minute)?, small(second)?, nanoseconds).ok()
}

fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a pattern that is tested")
}
