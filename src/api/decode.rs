//! Reading Octopus's JSON into typed documents, leniently where servers differ and strictly where it matters.
//!
//! `null`, `""` and absent are the same for references (octopus-api.md §1); unknown members are kept in `raw`; a member
//! that is missing or of the wrong shape is an error that names its path (`Items[3].QueueTime`).

use crate::error::{Error, Kind, Result};
use jiff::{Timestamp, fmt::temporal::Pieces, tz::Offset};
use serde_json::Value;
use std::collections::BTreeMap;

/// Why a body did not fit: where in it, and what is wrong there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    path: String,
    what: String,
}

impl Problem {
    /// A problem at the place itself.
    pub fn new(what: impl Into<String>) -> Self {
        Self { path: String::new(), what: what.into() }
    }

    /// What was expected, and what was there instead.
    pub fn expected(what: &str, found: &Value) -> Self {
        Self::new(format!("expected {what}, found {}", shown(found)))
    }

    /// The same problem seen from one level further out: member `name`.
    #[must_use]
    pub fn in_member(mut self, name: &str) -> Self {
        let dot = if self.path.is_empty() || self.path.starts_with('[') { "" } else { "." };
        self.path = format!("{name}{dot}{}", self.path);
        self
    }

    /// The same problem seen from one level further out: item `index`.
    #[must_use]
    pub fn in_item(mut self, index: usize) -> Self {
        let dot = if self.path.is_empty() || self.path.starts_with('[') { "" } else { "." };
        self.path = format!("[{index}]{dot}{}", self.path);
        self
    }

    /// As an error of the program; `noun` says what was being read, e.g. `project`.
    pub fn into_error(self, noun: &str) -> Error {
        let place = if self.path.is_empty() { String::new() } else { format!(" at `{}`", self.path) };
        Error::new(Kind::BadAnswer, format!("the {noun} the server sent does not look like one{place}: {}", self.what))
            .help("does a proxy change the answers, or is the server of a version that this program does not know? `octorhai doctor` looks")
            .with("json_path", self.path)
    }
}

/// A value in a message: short, and never more than its beginning.
fn shown(value: &Value) -> String {
    match value {
        Value::Object(_) => "an object".to_owned(),
        Value::Array(_) => "an array".to_owned(),
        other => {
            let text = other.to_string();
            let short: String = text.chars().take(60).collect();
            if short.len() < text.len() { format!("`{short}...`") } else { format!("`{short}`") }
        }
    }
}

/// What can be read from JSON.
pub trait FromJson: Sized {
    /// Reads `value`, which is not null.
    fn from_json(value: &Value) -> Result<Self, Problem>;

    /// What stands for an absent or null member; `None` when the member is required.
    fn absent() -> Option<Self> {
        None
    }

    /// Whether an empty text means absent: true for references.
    const EMPTY_IS_ABSENT: bool = false;
}

/// A whole resource: a typed view and the JSON it was read from.
pub trait Document: FromJson {
    /// What people call it, e.g. `project`.
    const NOUN: &'static str;

    /// Reads a body and keeps it as `raw`.
    fn decode(body: Value) -> Result<Self, Problem>;

    /// The whole JSON it was read from.
    fn raw(&self) -> &Value;
}

/// Reads member `name` of an object.
pub fn member<T: FromJson>(object: &Value, name: &str) -> Result<T, Problem> {
    maybe(object.get(name)).map_err(|problem| problem.in_member(name))
}

/// Reads what may be absent.
pub fn maybe<T: FromJson>(value: Option<&Value>) -> Result<T, Problem> {
    match value.filter(|v| !v.is_null()).filter(|v| !(T::EMPTY_IS_ABSENT && v.as_str() == Some(""))) {
        Some(value) => T::from_json(value),
        None => T::absent().ok_or_else(|| Problem::new("it is missing")),
    }
}

impl FromJson for Value {
    fn from_json(value: &Value) -> Result<Self, Problem> {
        Ok(value.clone())
    }
    fn absent() -> Option<Self> {
        Some(Value::Null)
    }
}

impl FromJson for String {
    fn from_json(value: &Value) -> Result<Self, Problem> {
        value.as_str().map(str::to_owned).ok_or_else(|| Problem::expected("a text", value))
    }
    fn absent() -> Option<Self> {
        Some(String::new())
    }
}

impl FromJson for bool {
    fn from_json(value: &Value) -> Result<Self, Problem> {
        match value {
            Value::Bool(b) => Ok(*b),
            Value::String(s) if s.eq_ignore_ascii_case("true") => Ok(true),
            Value::String(s) if s.eq_ignore_ascii_case("false") => Ok(false),
            other => Err(Problem::expected("true or false", other)),
        }
    }
    fn absent() -> Option<Self> {
        Some(false)
    }
}

impl FromJson for i64 {
    fn from_json(value: &Value) -> Result<Self, Problem> {
        value
            .as_i64()
            .or_else(|| value.as_f64().filter(|f| f.fract() == 0.0 && f.abs() < 9e15).map(|f| f as i64))
            .ok_or_else(|| Problem::expected("a whole number", value))
    }
    fn absent() -> Option<Self> {
        Some(0)
    }
}

impl FromJson for Timestamp {
    fn from_json(value: &Value) -> Result<Self, Problem> {
        let text = value.as_str().ok_or_else(|| Problem::expected("a date and time", value))?;
        timestamp(text).ok_or_else(|| Problem::expected("a date and time", value))
    }
    const EMPTY_IS_ABSENT: bool = true;
}

impl<T: FromJson> FromJson for Option<T> {
    fn from_json(value: &Value) -> Result<Self, Problem> {
        T::from_json(value).map(Some)
    }
    fn absent() -> Option<Self> {
        Some(None)
    }
    const EMPTY_IS_ABSENT: bool = T::EMPTY_IS_ABSENT;
}

impl<T: FromJson> FromJson for Vec<T> {
    fn from_json(value: &Value) -> Result<Self, Problem> {
        let items = value.as_array().ok_or_else(|| Problem::expected("an array", value))?;
        items.iter().enumerate().map(|(i, item)| T::from_json(item).map_err(|p| p.in_item(i))).collect()
    }
    fn absent() -> Option<Self> {
        Some(Vec::new())
    }
}

impl<T: FromJson> FromJson for BTreeMap<String, T> {
    fn from_json(value: &Value) -> Result<Self, Problem> {
        let members = value.as_object().ok_or_else(|| Problem::expected("an object", value))?;
        members
            .iter()
            .filter(|(_, item)| !item.is_null())
            .map(|(name, item)| T::from_json(item).map(|item| (name.clone(), item)).map_err(|p| p.in_member(name)))
            .collect()
    }
    fn absent() -> Option<Self> {
        Some(BTreeMap::new())
    }
}

/// The links of a resource. Values that are not texts are left out: old webhooks send `{}` (payloads, "All resources").
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Links(BTreeMap<String, String>);

impl Links {
    /// The link `name` without its template part (`{?skip,take}`).
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|link| link.split('{').next().unwrap_or(link))
    }
}

impl FromJson for Links {
    fn from_json(value: &Value) -> Result<Self, Problem> {
        let members = value.as_object().ok_or_else(|| Problem::expected("an object", value))?;
        Ok(Self(members.iter().filter_map(|(name, link)| Some((name.clone(), link.as_str()?.to_owned()))).collect()))
    }
    fn absent() -> Option<Self> {
        Some(Self::default())
    }
}

/// Reads a date and time as servers of all ages write it: three or seven fractional digits, `Z` or an offset, or no
/// offset at all, which means UTC (trigger start times).
///
/// Times that people mean by "never" and "always" lie beyond what can be reckoned with (`9999-12-31T23:59:59Z`, the last second that a
/// .NET server knows): they become the last or the first time there is.
pub fn timestamp(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    text.parse::<Timestamp>().ok().or_else(|| {
        let written = Pieces::parse(text).ok()?;
        let local = written.date().to_datetime(written.time().unwrap_or_default());
        let offset = written.to_numeric_offset().unwrap_or(Offset::UTC);
        let beyond = if local.year() > 0 { Timestamp::MAX } else { Timestamp::MIN };
        Some(offset.to_timestamp(local).unwrap_or(beyond))
    })
}

/// Declares a struct with public fields, each with the name of its JSON member, and `raw`, the JSON it was read from.
macro_rules! kept {
    ($(#[$meta:meta])* $name:ident { $($(#[$field_meta:meta])* $field:ident: $type:ty = $member:literal,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq)]
        pub struct $name {
            $($(#[$field_meta])* pub $field: $type,)*
            /// The whole JSON, for what is not typed and for writing back.
            pub raw: serde_json::Value,
        }

        impl $name {
            /// The JSON members that are typed: what a test compares with the server's published schema.
            pub const MEMBERS: &'static [&'static str] = &[$($member,)*];

            fn read(value: &serde_json::Value) -> std::result::Result<Self, $crate::api::decode::Problem> {
                if !value.is_object() {
                    return Err($crate::api::decode::Problem::expected("an object", value));
                }
                Ok(Self { $($field: $crate::api::decode::member(value, $member)?,)* raw: serde_json::Value::Null })
            }
        }

        impl $crate::api::decode::FromJson for $name {
            fn from_json(value: &serde_json::Value) -> std::result::Result<Self, $crate::api::decode::Problem> {
                Ok(Self { raw: value.clone(), ..Self::read(value)? })
            }
        }
    };
}

/// Declares a document that is read only; one that is also written back is [`editable!`](super::encode::editable).
macro_rules! document {
    ($(#[$meta:meta])* $name:ident, $noun:literal { $($fields:tt)* }) => {
        $crate::api::decode::kept! { $(#[$meta])* $name { $($fields)* } }

        impl $crate::api::decode::Document for $name {
            const NOUN: &'static str = $noun;
            fn decode(body: serde_json::Value) -> std::result::Result<Self, $crate::api::decode::Problem> {
                let read = Self::read(&body)?;
                Ok(Self { raw: body, ..read })
            }
            fn raw(&self) -> &serde_json::Value {
                &self.raw
            }
        }
    };
}

/// Declares a part of a document that is read only: like [`document!`], but without `raw`.
macro_rules! part {
    ($(#[$meta:meta])* $name:ident { $($(#[$field_meta:meta])* $field:ident: $type:ty = $member:literal,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq)]
        pub struct $name { $($(#[$field_meta])* pub $field: $type,)* }

        impl $name {
            /// The JSON members that are typed: what a test compares with the server's published schema.
            pub const MEMBERS: &'static [&'static str] = &[$($member,)*];
        }

        impl $crate::api::decode::FromJson for $name {
            fn from_json(value: &serde_json::Value) -> std::result::Result<Self, $crate::api::decode::Problem> {
                if !value.is_object() {
                    return Err($crate::api::decode::Problem::expected("an object", value));
                }
                Ok(Self { $($field: $crate::api::decode::member(value, $member)?,)* })
            }
        }
    };
}

/// Declares a set of words that may grow: unknown ones are kept as `Other`. Numbers are accepted where old servers
/// sent them (payloads, "Events and webhooks").
macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$word_meta:meta])* $word:ident $(= $number:literal)?,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name {
            $($(#[$word_meta])* $word,)*
            /// A word this version does not know, as the server wrote it.
            Other(String),
        }

        impl $name {
            /// The words this version knows.
            pub const KNOWN: &'static [&'static str] = &[$(stringify!($word)),*];

            /// The word as Octopus writes it.
            pub fn as_str(&self) -> &str {
                match self { $(Self::$word => stringify!($word),)* Self::Other(word) => word }
            }
        }

        impl From<&str> for $name {
            fn from(word: &str) -> Self {
                $(if word.eq_ignore_ascii_case(stringify!($word)) { return Self::$word; })*
                Self::Other(word.to_owned())
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl $crate::api::decode::FromJson for $name {
            fn from_json(value: &serde_json::Value) -> std::result::Result<Self, $crate::api::decode::Problem> {
                match value {
                    serde_json::Value::String(word) => Ok(Self::from(word.as_str())),
                    serde_json::Value::Number(number) => {
                        $($(if number.as_i64() == Some($number) { return Ok(Self::$word); })?)*
                        Ok(Self::Other(number.to_string()))
                    }
                    other => Err($crate::api::decode::Problem::expected("a word", other)),
                }
            }
            fn absent() -> Option<Self> {
                Some(Self::Other(String::new()))
            }
        }
    };
}

pub(crate) use {document, kept, part, words};

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    part! {
        /// For the tests.
        Sample {
            /// Required.
            when: Timestamp = "When",
            /// A reference.
            tenant: Option<crate::api::TenantId> = "TenantId",
            /// A list.
            names: Vec<String> = "Names",
        }
    }

    #[test]
    fn null_empty_and_absent_references_are_the_same() {
        for tenant in [json!({}), json!({"TenantId": null}), json!({"TenantId": ""})] {
            let mut body = tenant;
            body["When"] = json!("2016-01-02T03:04:05.1234567Z");
            let sample = Sample::from_json(&body).expect("it decodes");
            assert_eq!(sample.tenant, None);
            assert!(sample.names.is_empty());
        }
    }

    #[test]
    fn a_problem_names_its_path() {
        let body = json!([{"When": "2016-01-02T03:04:05+10:00"}, {"When": "2016-01-02T03:04:05Z", "Names": ["a", 7]}]);
        let problem = Vec::<Sample>::from_json(&body).expect_err("7 is not a name");
        assert_eq!(problem.clone().in_member("Items").path, "Items[1].Names[1]");
        assert!(problem.into_error("sample").message().ends_with("at `[1].Names[1]`: expected a text, found `7`"));
        let missing = Sample::from_json(&json!({})).expect_err("When is required");
        assert_eq!(missing.path, Sample::MEMBERS[0]);
    }

    #[test]
    fn dates_of_all_servers_are_read() {
        let same =
            ["2026-03-04T05:06:07.1230000Z", "2026-03-04T05:06:07.123+00:00", "2026-03-04T15:06:07.123+10:00", "2026-03-04T05:06:07.123"];
        for text in same {
            assert_eq!(timestamp(text), timestamp(same[0]), "{text}");
        }
        assert!(timestamp("0001-01-01T00:00:00.000+00:00").is_some());
        assert_eq!(timestamp("2/20/2019"), None);
        assert_eq!(timestamp("2026-03-04"), timestamp("2026-03-04T00:00:00Z"));
    }

    #[test]
    fn far_times_are_the_first_or_the_last_there_is() {
        let last = ["9999-12-31T23:59:59Z", "9999-12-31T23:59:59.9999999+00:00", "9999-12-31T23:59:59.999", "9999-12-31T00:00:00-12:00"];
        for text in last {
            assert_eq!(timestamp(text), Some(Timestamp::MAX), "{text}");
        }
        for text in ["0001-01-01T00:00:00+14:00", "0001-01-01T00:00:00", "9999-12-30T00:00:00Z", "9999-12-31T00:00:00+14:00"] {
            assert!(timestamp(text).is_some_and(|at| at > Timestamp::MIN && at < Timestamp::MAX), "{text}");
        }
        assert_eq!(timestamp("-009999-01-01T00:00:00+00:00"), Some(Timestamp::MIN));
        assert_eq!(timestamp("9999-13-31T23:59:59Z"), None);
    }
}
