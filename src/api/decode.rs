//! Reading Octopus's JSON into typed documents, leniently where servers differ and strictly where it matters.
//!
//! A document is read from its text: members that have a type become values, the others stay in `raw` as text.
//!
//! `null`, `""` and absent are the same for references (octopus-api.md §1); unknown members are kept in `raw`; a member
//! that is missing or of the wrong shape is an error that names its path (`Items[3].QueueTime`).

use super::bounded::weight;
use crate::error::{Error, Kind, Result};
use crate::json::{JsonSlice, JsonText};
use jiff::{Timestamp, fmt::temporal::Pieces, tz::Offset};
use serde_json::Value;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

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
    pub fn expected(what: &str, found: JsonSlice<'_>) -> Self {
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

    /// Where in the body it is: `Items[3].QueueTime`.
    pub(super) fn path(&self) -> &str {
        &self.path
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
fn shown(value: JsonSlice<'_>) -> String {
    if value.is_object() {
        "an object".to_owned()
    } else if value.is_array() {
        "an array".to_owned()
    } else {
        let text = value.tree().to_string();
        let short: String = text.chars().take(60).collect();
        if short.len() < text.len() { format!("`{short}...`") } else { format!("`{short}`") }
    }
}

/// What can be read from JSON.
pub trait FromJson: Sized {
    /// Reads `json`, which is not null.
    fn read(json: JsonSlice<'_>) -> Result<Self, Problem>;

    /// Reads a value, which is not null.
    fn from_json(value: &Value) -> Result<Self, Problem> {
        Self::read(JsonText::from(value).json())
    }

    /// What stands for an absent or null member; `None` when the member is required.
    fn absent() -> Option<Self> {
        None
    }

    /// Whether an empty text means absent: true for references.
    const EMPTY_IS_ABSENT: bool = false;

    /// The memory that it takes beside itself, in bytes, about.
    fn held(&self) -> usize {
        0
    }
}

/// A whole resource: a typed view and the JSON it was read from.
pub trait Document: FromJson + Send + Sync {
    /// What people call it, e.g. `project`.
    const NOUN: &'static str;

    /// Reads a body and keeps it as `raw`.
    fn decode(body: impl Into<JsonText>) -> Result<Self, Problem>;

    /// The whole JSON it was read from.
    fn raw(&self) -> &JsonText;
}

/// The members of an object, by name.
pub struct Members<'a>(Vec<(Cow<'a, str>, JsonSlice<'a>)>);

/// A member of a document that a script wrote, in whatever case its name is: the server reads it so (octopus-api.md §1).
pub fn in_any_case<'a>(document: &'a Value, name: &str) -> Option<&'a Value> {
    document.get(name).or_else(|| document.as_object()?.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value))
}

impl<'a> Members<'a> {
    /// Those of `json`, which must be an object.
    pub fn of(json: JsonSlice<'a>) -> Result<Self, Problem> {
        json.members().map(|members| Self(members.collect())).ok_or_else(|| Problem::expected("an object", json))
    }

    /// Member `name`; of two of that name the last one.
    pub fn get(&self, name: &str) -> Option<JsonSlice<'a>> {
        self.0.iter().rev().find(|(known, _)| known == name).map(|(_, json)| *json)
    }

    /// Reads member `name`.
    pub fn read<T: FromJson>(&self, name: &str) -> Result<T, Problem> {
        maybe(self.get(name)).map_err(|problem| problem.in_member(name))
    }
}

/// Reads what may be absent.
pub fn maybe<T: FromJson>(json: Option<JsonSlice<'_>>) -> Result<T, Problem> {
    match json.filter(|json| !(json.is_null() || T::EMPTY_IS_ABSENT && json.as_str() == "\"\"")) {
        Some(json) => T::read(json),
        None => T::absent().ok_or_else(|| Problem::new("it is missing")),
    }
}

impl FromJson for Value {
    fn read(json: JsonSlice<'_>) -> Result<Self, Problem> {
        Ok(json.tree())
    }
    fn absent() -> Option<Self> {
        Some(Value::Null)
    }
    fn held(&self) -> usize {
        weight(self)
    }
}

impl FromJson for String {
    fn read(json: JsonSlice<'_>) -> Result<Self, Problem> {
        json.text().map(Cow::into_owned).ok_or_else(|| Problem::expected("a text", json))
    }
    fn absent() -> Option<Self> {
        Some(String::new())
    }
    fn held(&self) -> usize {
        self.capacity()
    }
}

impl FromJson for bool {
    fn read(json: JsonSlice<'_>) -> Result<Self, Problem> {
        let word = json.text().unwrap_or(Cow::Borrowed(json.as_str()));
        match () {
            () if word.eq_ignore_ascii_case("true") => Ok(true),
            () if word.eq_ignore_ascii_case("false") => Ok(false),
            () => Err(Problem::expected("true or false", json)),
        }
    }
    fn absent() -> Option<Self> {
        Some(false)
    }
}

impl FromJson for i64 {
    fn read(json: JsonSlice<'_>) -> Result<Self, Problem> {
        let number = if json.is_number() { json.tree() } else { Value::Null };
        number
            .as_i64()
            .or_else(|| number.as_f64().filter(|f| f.fract() == 0.0 && f.abs() < 9e15).map(|f| f as i64))
            .ok_or_else(|| Problem::expected("a whole number", json))
    }
    fn absent() -> Option<Self> {
        Some(0)
    }
}

impl FromJson for Timestamp {
    fn read(json: JsonSlice<'_>) -> Result<Self, Problem> {
        json.text().and_then(|text| timestamp(&text)).ok_or_else(|| Problem::expected("a date and time", json))
    }
    const EMPTY_IS_ABSENT: bool = true;
}

impl<T: FromJson> FromJson for Option<T> {
    fn read(json: JsonSlice<'_>) -> Result<Self, Problem> {
        T::read(json).map(Some)
    }
    fn absent() -> Option<Self> {
        Some(None)
    }
    const EMPTY_IS_ABSENT: bool = T::EMPTY_IS_ABSENT;
    fn held(&self) -> usize {
        self.as_ref().map_or(0, T::held)
    }
}

impl<T: FromJson> FromJson for Arc<T> {
    fn read(json: JsonSlice<'_>) -> Result<Self, Problem> {
        T::read(json).map(Self::new)
    }
    fn held(&self) -> usize {
        size_of::<T>() + T::held(self)
    }
}

/// A document that others hold too.
impl<T: Document> Document for Arc<T> {
    const NOUN: &'static str = T::NOUN;
    fn decode(body: impl Into<JsonText>) -> Result<Self, Problem> {
        T::decode(body).map(Self::new)
    }
    fn raw(&self) -> &JsonText {
        T::raw(self)
    }
}

impl<T: FromJson> FromJson for Vec<T> {
    fn read(json: JsonSlice<'_>) -> Result<Self, Problem> {
        let items = json.items().ok_or_else(|| Problem::expected("an array", json))?;
        items.enumerate().map(|(i, item)| T::read(item).map_err(|p| p.in_item(i))).collect()
    }
    fn absent() -> Option<Self> {
        Some(Vec::new())
    }
    fn held(&self) -> usize {
        self.capacity() * size_of::<T>() + self.iter().map(T::held).sum::<usize>()
    }
}

impl<T: FromJson> FromJson for BTreeMap<String, T> {
    fn read(json: JsonSlice<'_>) -> Result<Self, Problem> {
        let members = json.members().ok_or_else(|| Problem::expected("an object", json))?;
        let mut read = Self::new();
        for (name, item) in members {
            if item.is_null() {
                read.remove(&*name);
            } else {
                let item = T::read(item).map_err(|p| p.in_member(&name))?;
                read.insert(name.into_owned(), item);
            }
        }
        Ok(read)
    }
    fn absent() -> Option<Self> {
        Some(BTreeMap::new())
    }
    fn held(&self) -> usize {
        self.iter().map(|(name, item)| size_of::<(String, T)>() + name.capacity() + item.held()).sum()
    }
}

/// Of the links of a resource, the one that is followed; a value that is not a text is none: old webhooks send `{}` (payloads, "All
/// resources").
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Links(Option<Box<str>>);

impl Links {
    /// The page for people, without the template part of the link (`{?skip,take}`).
    pub fn web(&self) -> Option<&str> {
        self.0.as_deref()
    }
}

impl FromJson for Links {
    fn read(json: JsonSlice<'_>) -> Result<Self, Problem> {
        let link = Members::of(json)?.read::<Value>("Web")?;
        Ok(Self(link.as_str().map(|link| link.split('{').next().unwrap_or(link).into())))
    }
    fn absent() -> Option<Self> {
        Some(Self::default())
    }
    fn held(&self) -> usize {
        self.web().map_or(0, str::len)
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
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct $name {
            $($(#[$field_meta])* pub $field: $type,)*
            /// The whole JSON, for what is not typed and for writing back.
            pub raw: $crate::json::JsonText,
        }

        impl $name {
            /// The JSON members that are typed: what a test compares with the server's published schema.
            pub const MEMBERS: &'static [&'static str] = &[$($member,)*];

            fn typed(raw: $crate::json::JsonText) -> std::result::Result<Self, $crate::api::decode::Problem> {
                let members = $crate::api::decode::Members::of(raw.json())?;
                $(let $field = members.read($member)?;)*
                Ok(Self { $($field,)* raw })
            }
        }

        impl $crate::api::decode::FromJson for $name {
            fn read(json: $crate::json::JsonSlice<'_>) -> std::result::Result<Self, $crate::api::decode::Problem> {
                Self::typed(json.into())
            }
            fn held(&self) -> usize {
                $($crate::api::decode::FromJson::held(&self.$field) +)* self.raw.as_str().len()
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
            fn decode(body: impl Into<$crate::json::JsonText>) -> std::result::Result<Self, $crate::api::decode::Problem> {
                Self::typed(body.into())
            }
            fn raw(&self) -> &$crate::json::JsonText {
                &self.raw
            }
        }
    };
}

/// Declares a part of a document that is read only: like [`document!`], but without `raw`.
macro_rules! part {
    ($(#[$meta:meta])* $name:ident { $($(#[$field_meta:meta])* $field:ident: $type:ty = $member:literal,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct $name { $($(#[$field_meta])* pub $field: $type,)* }

        impl $name {
            /// The JSON members that are typed: what a test compares with the server's published schema.
            pub const MEMBERS: &'static [&'static str] = &[$($member,)*];
        }

        impl $crate::api::decode::FromJson for $name {
            fn read(json: $crate::json::JsonSlice<'_>) -> std::result::Result<Self, $crate::api::decode::Problem> {
                let members = $crate::api::decode::Members::of(json)?;
                Ok(Self { $($field: members.read($member)?,)* })
            }
            fn held(&self) -> usize {
                $($crate::api::decode::FromJson::held(&self.$field) +)* 0
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
            fn read(json: $crate::json::JsonSlice<'_>) -> std::result::Result<Self, $crate::api::decode::Problem> {
                if let Some(word) = json.text() {
                    return Ok(Self::from(&*word));
                }
                if !json.is_number() {
                    return Err($crate::api::decode::Problem::expected("a word", json));
                }
                let number = json.tree();
                $($(if number.as_i64() == Some($number) { return Ok(Self::$word); })?)*
                Ok(Self::Other(number.to_string()))
            }
            fn held(&self) -> usize {
                if let Self::Other(word) = self { word.capacity() } else { 0 }
            }
            fn absent() -> Option<Self> {
                Some(Self::default())
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self::Other(String::new())
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
