//! The small language in which shapes are written: what a value may be.
//!
//! `string`, `integer`, `number`, `boolean`, `date`, `span`, `uuid`, `any`, `Name` (a definition), `[T]` (a list), `{keys: T}` (a map
//! whose keys are `*`, ids such as `Projects-#`, names of an enumeration, or words with `|` between), `'A'|'B'` (one of these texts), `page T`
//! (a collection). A question mark behind it: or null.

use std::collections::BTreeMap;

/// What a value may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Type {
    Any,
    Text,
    Integer,
    Number,
    Boolean,
    Date,
    Span,
    Uuid,
    OneOf(Vec<String>),
    List(Box<Slot>),
    Map(String, Box<Slot>),
    Page(Box<Slot>),
    Named(String),
}

/// A type, and whether null may stand for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    pub ty: Type,
    pub nullable: bool,
}

/// Whether a property is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    Always,
    Sometimes,
    Never,
}

/// A property of a definition.
#[derive(Clone, Debug)]
pub struct Property {
    pub slot: Slot,
    pub presence: Presence,
    /// Whether somebody said whether it can be null; else real bodies are asked.
    pub stated: bool,
}

/// The names of the links of a definition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LinkNames {
    pub always: Vec<String>,
    pub sometimes: Vec<String>,
}

/// An object with named properties, a union of such objects, or another name for a type.
#[derive(Clone, Debug, Default)]
pub struct Definition {
    pub properties: BTreeMap<String, Property>,
    pub links: Option<LinkNames>,
    /// The property that tells which definition applies, and the definitions by its value.
    pub union: Option<(String, BTreeMap<String, String>)>,
    pub alias: Option<Slot>,
    /// `ItemType` of pages of it.
    pub item_type: Option<String>,
}

impl Type {
    /// What it is made of, in a word or two.
    pub fn name(&self) -> String {
        match self {
            Self::Named(name) => name.clone(),
            Self::List(slot) | Self::Map(_, slot) | Self::Page(slot) => slot.ty.name(),
            Self::Text | Self::OneOf(_) | Self::Date | Self::Span | Self::Uuid => "text".into(),
            Self::Integer | Self::Number => "number".into(),
            Self::Boolean => "boolean".into(),
            Self::Any => "any JSON".into(),
        }
    }
}

impl Slot {
    pub fn new(ty: Type) -> Self {
        Self { ty, nullable: false }
    }

    /// Reads the small language.
    pub fn parse(text: &str) -> Self {
        let text = text.trim();
        if let Some(inner) = text.strip_suffix('?') {
            return Self { nullable: true, ..Self::parse(inner) };
        }
        let inside = |open: char, close: char| text.strip_prefix(open).and_then(|t| t.strip_suffix(close));
        let ty = if let Some(inner) = text.strip_prefix("page ") {
            Type::Page(Box::new(Self::parse(inner)))
        } else if let Some(inner) = inside('[', ']') {
            Type::List(Box::new(Self::parse(inner)))
        } else if let Some(inner) = inside('{', '}') {
            let (keys, value) = inner.split_once(':').unwrap_or_else(|| panic!("a map needs keys: {text}"));
            Type::Map(keys.trim().to_owned(), Box::new(Self::parse(value)))
        } else if text.starts_with('\'') {
            Type::OneOf(text.split('|').map(|w| w.trim().trim_matches('\'').to_owned()).collect())
        } else {
            match text {
                "any" => Type::Any,
                "string" => Type::Text,
                "integer" => Type::Integer,
                "number" => Type::Number,
                "boolean" => Type::Boolean,
                "date" => Type::Date,
                "span" => Type::Span,
                "uuid" => Type::Uuid,
                name if name.starts_with(char::is_uppercase) && name.chars().all(|c| c.is_alphanumeric() || c == '.') => {
                    Type::Named(name.to_owned())
                }
                other => panic!("`{other}` is not a type"),
            }
        };
        Self::new(ty)
    }
}

/// Whether a key fits the keys of a map: `*`, `Projects-#`, words with `|` between.
pub fn key_fits(keys: &str, key: &str) -> bool {
    keys.split('|').map(str::trim).any(|k| match k.strip_suffix('#') {
        _ if k == "*" => true,
        Some(prefix) => key.strip_prefix(prefix).is_some_and(|n| !n.is_empty() && n.chars().all(|c| c.is_ascii_digit())),
        None if k == "guid" => is_uuid(key),
        None => k == key,
    })
}

/// `8-4-4-4-12` hexadecimal digits.
pub fn is_uuid(text: &str) -> bool {
    let parts: Vec<usize> = text.split('-').map(str::len).collect();
    parts == [8, 4, 4, 4, 12] && text.chars().all(|c| c == '-' || c.is_ascii_hexdigit())
}

/// `2026-03-04T05:06:07.123+00:00`: three digits of a second and an offset of nothing.
pub fn is_date(text: &str) -> bool {
    text.len() == 29 && text.is_ascii() && &text[19..20] == "." && text.ends_with("+00:00") && text.parse::<jiff::Timestamp>().is_ok()
}

/// `00:00:10`, `1.02:00:00`.
pub fn is_span(text: &str) -> bool {
    let (days, time) = text.split_once('.').unwrap_or(("0", text));
    let digits = |t: &str| !t.is_empty() && t.chars().all(|c| c.is_ascii_digit());
    digits(days) && time.split(':').count() == 3 && time.split(':').all(|p| p.len() == 2 && digits(p))
}
