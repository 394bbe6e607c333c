//! JSON as the real library reads it: with single quotes, bare names, comments, numbers in base 8 and 16, and with texts that are dates.

use super::{date, node::Node, number};
use std::{fmt::Write as _, sync::Arc};

/// How deep JSON may nest.
const DEEPEST: usize = 64;

#[derive(Clone, Debug)]
enum Json {
    Nothing,
    Undefined,
    Bool(bool),
    Whole(i64),
    /// Too large for 64 bits.
    Huge(String),
    Number(f64),
    Text(String),
    Date(date::Date),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
    /// A comment in a list counts as one of its values, where the whole is a list.
    Comment(String),
}

/// The member of this name, or none when the text is no JSON with members. A member that is not there is empty.
pub(super) fn member(text: &str, name: &str) -> Result<Option<Arc<Node>>, String> {
    let found = match read(text)? {
        Some(Json::Object(all)) => all.into_iter().find(|(known, _)| known == name).map(|(_, value)| value),
        Some(Json::List(all)) => {
            match number::parse_int(name) {
                None => return Ok(None),
                Some(at) if at < 0 => {
                    return Err("ArgumentOutOfRangeException: Index was out of range. Must be non-negative and less than the size of the collection. \
                            (Parameter 'index')"
                    .to_owned());
                }
                Some(at) => all.into_iter().nth(at as usize),
            }
        }
        _ => return Ok(None),
    };
    Ok(Some(Arc::new(node(found.as_ref())?)))
}

/// What can be gone through: none when the text is no JSON list or object.
pub(super) fn items(text: &str) -> Result<Option<Vec<Arc<Node>>>, String> {
    match read(text)? {
        Some(Json::List(all)) => all.iter().map(|one| node(Some(one)).map(Arc::new)).collect::<Result<_, _>>().map(Some),
        Some(Json::Object(all)) => {
            let entry = |(name, value): &(String, Json)| {
                let mut entry = Node::of(Some(name));
                let (key, value) = (Node::of(Some(name)), node(Some(value))?);
                let _both_fresh = entry.members.add("Key", Arc::new(key)) && entry.members.add("Value", Arc::new(value));
                Ok(Arc::new(entry))
            };
            all.iter().map(entry).collect::<Result<_, _>>().map(Some)
        }
        _ => Ok(None),
    }
}

fn node(value: Option<&Json>) -> Result<Node, String> {
    let text = match value {
        None | Some(Json::Nothing | Json::Undefined) => String::new(),
        Some(Json::Bool(true)) => "True".to_owned(),
        Some(Json::Bool(false)) => "False".to_owned(),
        Some(Json::Whole(number)) => number.to_string(),
        Some(Json::Huge(_)) => return Err("InvalidCastException: Object must implement IConvertible.".to_owned()),
        Some(Json::Number(number)) => number::shortest(*number),
        Some(Json::Text(text) | Json::Comment(text)) => text.clone(),
        Some(Json::Date(date)) => date.general(),
        Some(other) => {
            let mut out = String::new();
            write(other, &mut out);
            out
        }
    };
    Ok(Node::of(Some(&text)))
}

fn write(value: &Json, out: &mut String) {
    match value {
        Json::Nothing => out.push_str("null"),
        Json::Undefined => out.push_str("undefined"),
        Json::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Json::Whole(number) => out.push_str(&number.to_string()),
        Json::Huge(digits) => out.push_str(digits),
        Json::Number(number) if number.is_finite() => {
            let text = number::shortest(*number);
            out.push_str(&text);
            if !text.contains(['.', 'E']) {
                out.push_str(".0");
            }
        }
        Json::Number(number) => write_text(&number::shortest(*number), out),
        Json::Text(text) => write_text(text, out),
        Json::Date(date) => write_text(&date.iso(), out),
        Json::Comment(text) => {
            out.push_str("/*");
            out.push_str(text);
            out.push_str("*/");
        }
        Json::List(all) => {
            out.push('[');
            let mut first = true;
            for one in all {
                if !matches!(one, Json::Comment(_)) && !std::mem::take(&mut first) {
                    out.push(',');
                }
                write(one, out);
            }
            out.push(']');
        }
        Json::Object(all) => {
            out.push('{');
            for (number, (name, one)) in all.iter().enumerate() {
                if number > 0 {
                    out.push(',');
                }
                write_text(name, out);
                out.push(':');
                write(one, out);
            }
            out.push('}');
        }
    }
}

fn write_text(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\0'..='\u{1f}' | '\u{85}' | '\u{2028}' | '\u{2029}' => _ = write!(out, "\\u{:04x}", c as u32),
            _ => out.push(c),
        }
    }
    out.push('"');
}

/// None when the text is no JSON.
fn read(text: &str) -> Result<Option<Json>, String> {
    let mut reader = Reader { rest: text, depth: 0, root_is_list: false, constructor: false };
    let value = reader.root();
    if reader.constructor {
        return Err(format!("the sandbox does not read a constructor in JSON: {text}"));
    }
    Ok(value)
}

struct Reader<'t> {
    rest: &'t str,
    depth: usize,
    root_is_list: bool,
    /// `new Date(1)`: not read here.
    constructor: bool,
}

impl Reader<'_> {
    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn take(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.rest = &self.rest[c.len_utf8()..];
        Some(c)
    }

    fn root(&mut self) -> Option<Json> {
        self.skip(None)?;
        self.root_is_list = self.peek()? == '[';
        let value = if matches!(self.peek()?, '{' | '[') { self.value()? } else { return None };
        self.skip(None)?;
        self.rest.is_empty().then_some(value)
    }

    /// Space and comments, which are kept in a list.
    fn skip(&mut self, mut kept: Option<&mut Vec<Json>>) -> Option<()> {
        loop {
            self.rest = self.rest.trim_start_matches(is_space);
            let comment = if let Some(after) = self.rest.strip_prefix("//") {
                let end = after.find(['\r', '\n']).unwrap_or(after.len());
                self.rest = &after[end..];
                (!after.is_empty()).then_some(&after[..end])?
            } else if let Some(after) = self.rest.strip_prefix("/*") {
                let (comment, after) = after.split_once("*/")?;
                self.rest = after;
                comment
            } else {
                return (!self.rest.starts_with('/')).then_some(());
            };
            if let Some(kept) = kept.as_deref_mut().filter(|_| self.root_is_list) {
                kept.push(Json::Comment(comment.to_owned()));
            }
        }
    }

    /// A list at the top may end where the text ends, and whatever is open in it with it.
    fn ends_early(&self) -> bool {
        self.root_is_list && self.rest.is_empty()
    }

    fn value(&mut self) -> Option<Json> {
        self.skip(None)?;
        match self.peek()? {
            '{' => self.nested(Self::object),
            '[' => self.nested(Self::list),
            quote @ ('"' | '\'') => {
                let text = self.text(quote)?;
                Some(date::Date::of_json(&text).map_or(Json::Text(text), Json::Date))
            }
            '-' if self.rest.starts_with("-Infinity") => self.word("-Infinity", Json::Number(f64::NEG_INFINITY)),
            '0'..='9' | '-' | '.' => self.number(),
            _ => {
                let words = [
                    ("true", Json::Bool(true)),
                    ("false", Json::Bool(false)),
                    ("null", Json::Nothing),
                    ("undefined", Json::Undefined),
                    ("NaN", Json::Number(f64::NAN)),
                    ("Infinity", Json::Number(f64::INFINITY)),
                ];
                let mut name = self.rest.strip_prefix("new").unwrap_or_default().chars();
                self.constructor |= name.next().is_some_and(is_space) && self.rest.contains('(');
                let (word, value) = words.into_iter().find(|(word, _)| self.rest.starts_with(word))?;
                self.word(word, value)
            }
        }
    }

    fn nested(&mut self, read: fn(&mut Self) -> Option<Json>) -> Option<Json> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return None;
        }
        self.take();
        let value = read(self);
        self.depth -= 1;
        value
    }

    fn word(&mut self, word: &str, value: Json) -> Option<Json> {
        self.rest = &self.rest[word.len()..];
        self.peek().is_none_or(ends_word).then_some(value)
    }

    fn object(&mut self) -> Option<Json> {
        let mut all: Vec<(String, Json)> = Vec::new();
        loop {
            self.skip(None)?;
            let name = match self.peek()? {
                '}' => {
                    self.take();
                    return Some(Json::Object(all));
                }
                quote @ ('"' | '\'') => self.text(quote)?,
                _ => {
                    let end = self.rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$')).unwrap_or(self.rest.len());
                    let (name, rest) = self.rest.split_at(end);
                    self.rest = rest;
                    (!name.is_empty()).then(|| name.to_owned())?
                }
            };
            self.rest = self.rest.trim_start_matches(is_space);
            (self.take()? == ':').then_some(())?;
            let value = self.value()?;
            // The last of a name counts, and stands where it was read.
            all.retain(|(known, _)| *known != name);
            all.push((name, value));
            self.skip(None)?;
            if self.ends_early() {
                return Some(Json::Object(all));
            }
            match self.peek()? {
                ',' => _ = self.take(),
                '}' => {}
                _ => return None,
            }
        }
    }

    fn list(&mut self) -> Option<Json> {
        let mut all = Vec::new();
        loop {
            self.skip(Some(&mut all))?;
            match self.peek()? {
                ']' => {
                    self.take();
                    return Some(Json::List(all));
                }
                ',' => all.push(Json::Undefined),
                _ => all.push(self.value()?),
            }
            self.skip(Some(&mut all))?;
            if self.ends_early() {
                return Some(Json::List(all));
            }
            match self.peek()? {
                ',' => _ = self.take(),
                ']' => {}
                _ => return None,
            }
        }
    }

    fn text(&mut self, quote: char) -> Option<String> {
        self.take();
        let mut units: Vec<u16> = Vec::new();
        loop {
            let c = match self.take()? {
                c if c == quote => return Some(String::from_utf16_lossy(&units)),
                '\\' => match self.take()? {
                    'b' => '\u{8}',
                    't' => '\t',
                    'n' => '\n',
                    'f' => '\u{c}',
                    'r' => '\r',
                    c @ ('\\' | '"' | '\'' | '/') => c,
                    'u' => {
                        let digits = self.rest.get(..4).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))?;
                        units.push(u16::from_str_radix(digits, 16).ok()?);
                        self.rest = &self.rest[4..];
                        continue;
                    }
                    _ => return None,
                },
                c => c,
            };
            units.extend_from_slice(c.encode_utf16(&mut [0; 2]));
        }
    }

    fn number(&mut self) -> Option<Json> {
        let end = self.rest.find(|c: char| !(c.is_ascii_hexdigit() || "xX.+-".contains(c))).unwrap_or(self.rest.len());
        let (text, rest) = self.rest.split_at(end);
        self.rest = rest;
        self.peek().is_none_or(ends_word).then_some(())?;
        let bytes = text.as_bytes();
        if bytes[0] == b'0' && bytes.get(1).is_some_and(|c| !b".eE".contains(c)) {
            let hex = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
            let read = match hex {
                Some(digits) => u64::from_str_radix(digits, 16),
                None => u64::from_str_radix(text, 8),
            };
            return read.ok().map(|number| Json::Whole(number as i64));
        }
        if let Ok(number) = text.parse::<i64>()
            && !text.starts_with('+')
        {
            return Some(Json::Whole(number));
        }
        let digits = text.strip_prefix('-').unwrap_or(text);
        if digits.bytes().all(|b| b.is_ascii_digit()) && !digits.is_empty() {
            return Some(Json::Huge(text.to_owned()));
        }
        if text.contains(',') {
            return None;
        }
        number::parse_double(text).map(Json::Number)
    }
}

/// What may stand behind a word or a number.
fn ends_word(c: char) -> bool {
    is_space(c) || ",]})/".contains(c)
}

/// NUL counts as space.
fn is_space(c: char) -> bool {
    c.is_whitespace() || c == '\0'
}
