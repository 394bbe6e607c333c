//! How much of an answer is taken: bytes after decompression, nesting, and the memory that the values of JSON need.
//!
//! The text says little about the memory: `{"a":1},` takes eight bytes of it and 450 bytes as a value. So the values are weighed while they
//! are made, and the first one that goes over the limit ends the reading. The numbers come from what a server of 10,000 projects
//! answers: all projects in one document are 25 MB of text and 80 to 100 MB of values.

use crate::error::size;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use std::{cell::Cell, fmt, mem::size_of};

/// The longest text of a JSON document.
const JSON: usize = 32 << 20;
/// The longest log or file: a text of a script cannot be longer.
const TEXT: usize = 16 << 20;
/// What is read of an answer that is not a success. What comes after it is left: the status says what matters.
const REFUSAL: usize = 1 << 20;
/// The memory that the values of one document may take. A script that asks for it holds it twice for a moment, as JSON and as its own values.
const VALUES: usize = 96 << 20;
/// The memory that the items of one list may take, all pages together.
pub(super) const LIST: usize = 128 << 20;
/// How deep arrays and objects may stand inside each other. Real documents have ten levels.
const DEPTH: usize = 64;

/// The most requests that one list may take. A thousand pages of thirty items are the most that was seen of a real server.
pub(super) const PAGES: usize = 2000;
/// The most items that a list may have.
pub(super) const ITEMS: usize = 200_000;

/// What an answer is asked to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// A document.
    Json,
    /// A log, a file.
    Text,
}

impl Form {
    /// The most bytes it may have.
    fn limit(self) -> usize {
        match self {
            Self::Json => JSON,
            Self::Text => TEXT,
        }
    }
}

/// The body of an answer, when it has come and is not too long; the inner error says how long it is, and how long it may be.
pub(super) async fn body(response: &mut reqwest::Response, form: Form) -> reqwest::Result<Result<Vec<u8>, String>> {
    let (limit, may_be_cut) = if response.status().is_success() { (form.limit(), false) } else { (REFUSAL, true) };
    let too_long = |answered: String| Ok(Err(format!("{answered}; the limit is {}", size(limit as u64))));
    // What is announced may be a lie either way, and is the length before decompression.
    let told = response.content_length();
    if let Some(told) = told.filter(|told| *told > limit as u64 && !may_be_cut) {
        return too_long(size(told));
    }
    // Put together when all is there: a buffer that grows is there twice each time it does.
    let (mut chunks, mut room) = (Vec::new(), limit);
    while let Some(mut chunk) = response.chunk().await? {
        if chunk.len() > room {
            if !may_be_cut {
                return too_long(format!("more than {}", size(limit as u64)));
            }
            chunk.truncate(room);
        }
        room -= chunk.len();
        chunks.push(chunk);
        if room == 0 && may_be_cut {
            break;
        }
    }
    Ok(Ok(chunks.concat()))
}

/// Why a text did not become JSON.
pub(super) enum NotJson {
    /// It is not JSON.
    Wrong(serde_json::Error),
    /// It is more than we take; in words, e.g. `values that need more than 96 MiB of memory`.
    TooMuch(String),
}

/// Reads JSON; its values together weigh [`VALUES`] at most and are no deeper than [`DEPTH`].
pub(super) fn json(text: &[u8]) -> Result<Value, NotJson> {
    let scales = Scales { left: Cell::new(VALUES), tipped: Cell::new(None) };
    let mut reader = serde_json::Deserializer::from_slice(text);
    let read = Tree { scales: &scales, depth: 0 }.deserialize(&mut reader).and_then(|value| reader.end().map(|()| value));
    read.map_err(|error| match scales.tipped.get() {
        Some(Over::Weight) => NotJson::TooMuch(format!("values that need more than {} of memory", size(VALUES as u64))),
        Some(Over::Depth) => NotJson::TooMuch(format!("values that stand inside each other more than {DEPTH} levels deep")),
        None => NotJson::Wrong(error),
    })
}

/// The memory that a value takes, but for itself.
pub(crate) fn weight(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        Value::String(text) => text_weight(text),
        Value::Array(items) => items.capacity() * SLOT + items.iter().map(weight).sum::<usize>(),
        Value::Object(members) => {
            let mut entries = Entries::default();
            let inside = members.iter().map(|(name, value)| entries.added() + text_weight(name) + weight(value));
            inside.sum()
        }
    }
}

/// One value in an array.
const SLOT: usize = size_of::<Value>();
/// One member of an object: its name, its value, its hash, and its place in the table.
const ENTRY: usize = size_of::<String>() + SLOT + 8 + 10;

fn text_weight(text: &str) -> usize {
    // Memory is given out in steps of eight bytes and more. Twice, because a text is there a second time in a typed member or in the record.
    if text.is_empty() { 0 } else { 2 * text.len() + 8 }
}

/// How an object grows: for three members at once, and twice as many each time.
#[derive(Default)]
struct Entries {
    len: usize,
    room: usize,
}

impl Entries {
    /// What one more weighs.
    fn added(&mut self) -> usize {
        self.len += 1;
        if self.len <= self.room {
            return 0;
        }
        let before = self.room;
        self.room = if before == 0 { 3 } else { before * 2 + 1 };
        (self.room - before) * ENTRY
    }
}

#[derive(Clone, Copy)]
enum Over {
    Weight,
    Depth,
}

struct Scales {
    left: Cell<usize>,
    tipped: Cell<Option<Over>>,
}

impl Scales {
    fn add<E: serde::de::Error>(&self, weight: usize) -> Result<(), E> {
        match self.left.get().checked_sub(weight) {
            Some(left) => {
                self.left.set(left);
                Ok(())
            }
            None => Err(self.tip(Over::Weight)),
        }
    }

    fn take_off(&self, weight: usize) {
        self.left.set(self.left.get() + weight);
    }

    fn tip<E: serde::de::Error>(&self, over: Over) -> E {
        self.tipped.set(Some(over));
        E::custom("too much")
    }
}

/// Makes values and weighs them.
#[derive(Clone, Copy)]
struct Tree<'a> {
    scales: &'a Scales,
    depth: usize,
}

impl Tree<'_> {
    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        if self.depth >= DEPTH {
            return Err(self.scales.tip(Over::Depth));
        }
        Ok(Self { depth: self.depth + 1, ..self })
    }
}

impl<'de> DeserializeSeed<'de> for Tree<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Tree<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Value, E> {
        self.scales.add(text_weight(text))?;
        Ok(text.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        let deeper = self.deeper()?;
        let mut items = Vec::new();
        while let Some(item) = from.next_element_seed(deeper)? {
            if items.len() == items.capacity() {
                // The old room is there until all is in the new one.
                let room = (items.capacity() * 2).max(4);
                self.scales.add(room * SLOT)?;
                self.scales.take_off(items.capacity() * SLOT);
                items.reserve_exact(room - items.len());
            }
            items.push(item);
        }
        let room = items.capacity();
        items.shrink_to_fit();
        self.scales.take_off((room - items.len()) * SLOT);
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        let deeper = self.deeper()?;
        let (mut members, mut entries) = (Map::new(), Entries::default());
        while let Some(name) = from.next_key::<String>()? {
            self.scales.add(text_weight(&name) + entries.added())?;
            members.insert(name, from.next_value_seed(deeper)?);
        }
        Ok(Value::Object(members))
    }
}

/// The first characters of a text of somebody else's, for a message: what is behind them is left out, and so is a word that would be torn
/// apart, for it may be the beginning of a key.
pub(super) fn beginning(text: &str, most: usize) -> String {
    let Some((end, next)) = text.char_indices().nth(most) else { return text.to_owned() };
    let kept = &text[..end];
    if of_word(next) { untorn(kept).to_owned() } else { kept.to_owned() }
}

/// Without its last word, of which the end may be missing.
pub(super) fn untorn(cut: &str) -> &str {
    cut.trim_end_matches(of_word)
}

fn of_word(c: char) -> bool {
    c.is_alphanumeric() || "-_+/=.%".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn too_much(text: &str) -> String {
        match json(text.as_bytes()) {
            Err(NotJson::TooMuch(what)) => what,
            Err(NotJson::Wrong(error)) => panic!("{error}"),
            Ok(_) => panic!("{} bytes that begin `{}` were taken; a value has {SLOT} bytes", text.len(), &text[..20]),
        }
    }

    #[test]
    fn values_are_as_serde_json_makes_them() {
        for text in [
            r#"{"a":[1,-2,3.5,1e300,18446744073709551615,99999999999999999999],"b":{"c":null,"d":true},"b2":"\ud83d\ude00\n","a":[{}]}"#,
            "[]",
            "7",
            "\"x\"",
            "null",
        ] {
            let ours = json(text.as_bytes()).ok().expect(text);
            assert_eq!(ours, serde_json::from_str::<Value>(text).expect("JSON"), "{text}");
        }
        for text in ["[1,]", "{\"a\" 1}", "[1] 2", "1e999", "NaN", "\"\\ud800\"", "[", "{\"a\":1}}", "nul"] {
            assert!(matches!(json(text.as_bytes()), Err(NotJson::Wrong(_))), "{text}");
        }
    }

    #[test]
    fn many_small_values_are_refused_before_they_are_made() {
        for (item, most) in [("{}", 2_200_000), ("{\"a\":1}", 340_000), ("[1]", 2_200_000), ("1", 2_200_000), ("\"\"", 2_200_000)] {
            let text = format!("[{}{item}]", format!("{item},").repeat(most));
            assert_eq!(too_much(&text), "values that need more than 96 MiB of memory", "{item}");
        }
        let keys: Vec<String> = (0..1_000_000).map(|n| format!("\"{n}\":0")).collect();
        assert_eq!(too_much(&format!("{{{}}}", keys.join(","))), "values that need more than 96 MiB of memory");
    }

    #[test]
    fn nesting_is_bounded_whatever_nests() {
        for (open, close) in [("[", "]"), ("{\"a\":", "}"), ("[{\"a\":", "}]")] {
            assert_eq!(too_much(&open.repeat(100_000)), "values that stand inside each other more than 64 levels deep");
            let levels = 64 / open.matches(['[', '{']).count();
            let text = format!("{}1{}", open.repeat(levels), close.repeat(levels));
            assert!(json(text.as_bytes()).is_ok(), "{open}");
        }
    }

    #[test]
    fn ten_thousand_projects_in_one_answer_are_taken() {
        let project = std::fs::read_to_string("tests/payloads/projects/project-2018.11.json").expect("a payload");
        let text = format!("[{}{project}]", format!("{project},").repeat(9_999));
        assert!(text.len() < JSON, "{}", text.len());
        let all = json(text.as_bytes()).ok().expect("all are taken");
        assert_eq!(all.as_array().map(Vec::len), Some(10_000));
        assert!(weight(&all) > 10_000 * project.len() && weight(&all) < VALUES, "{}", weight(&all));
    }

    #[test]
    fn a_value_weighs_what_it_holds() {
        assert_eq!(weight(&json!(7)), 0);
        assert_eq!(weight(&json!("seven")), 18);
        assert_eq!(weight(&json!([1, 2])), 2 * SLOT);
        assert_eq!(weight(&json!({"a": {}})), 3 * ENTRY + 10);
    }

    #[test]
    fn the_beginning_of_a_text_ends_before_a_torn_word() {
        assert_eq!(beginning("one two", 7), "one two");
        assert_eq!(beginning("one two-three", 9), "one ");
        assert_eq!(beginning("one two three", 7), "one two");
        assert_eq!(beginning("<p>API-SECRET</p>", 9), "<p>");
        assert_eq!(beginning("äöü äöü", 4), "äöü ");
    }
}
