//! How much of an answer is taken: bytes after decompression, nesting, and the memory that the values of JSON need.
//!
//! The text says little about the memory: `{"a":1},` takes eight bytes of it and 450 bytes as a value. So the values are weighed before
//! any is made, and the first one that goes over the limit ends the reading. The numbers come from what a server of 10,000 projects
//! answers: all projects in one document are 25 MB of text and 80 to 100 MB of values.

use crate::{
    error::size,
    json::{JsonText, JsonToken, NotWalked},
    transport::Content,
};
use http::Response;
use http_body::Body;
use http_body_util::BodyExt;
use serde_json::Value;
use std::error::Error as StdError;

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
pub(super) async fn body(response: Response<Content>, form: Form) -> Result<Result<Vec<u8>, String>, Box<dyn StdError + Send + Sync>> {
    let (limit, may_be_cut) = if response.status().is_success() { (form.limit(), false) } else { (REFUSAL, true) };
    let too_long = |answered: String| Ok(Err(format!("{answered}; the limit is {}", size(limit as u64))));
    // What is announced may be a lie either way, and is the length before decompression.
    let mut content = response.into_body();
    let told = content.size_hint().exact();
    if let Some(told) = told.filter(|told| *told > limit as u64 && !may_be_cut) {
        return too_long(size(told));
    }
    // Put together when all is there: a buffer that grows is there twice each time it does.
    let (mut chunks, mut room) = (Vec::new(), limit);
    while let Some(frame) = content.frame().await {
        let Ok(mut chunk) = frame?.into_data() else { continue };
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
    // What came at once is not copied.
    if chunks.len() == 1 {
        return Ok(Ok(chunks.remove(0).into()));
    }
    let mut body = Vec::with_capacity(limit - room);
    // Each piece goes when it is copied.
    for chunk in chunks {
        body.extend_from_slice(&chunk);
    }
    Ok(Ok(body))
}

/// Why a text did not become JSON.
pub(super) enum NotJson {
    /// It is not JSON.
    Wrong(serde_json::Error),
    /// It is more than we take; in words, e.g. `values that need more than 96 MiB of memory`.
    TooMuch(String),
}

/// Reads JSON, of which it takes the bytes; its values together would weigh [`VALUES`] at most, and they are no deeper than [`DEPTH`].
pub(super) fn json(text: &mut Vec<u8>) -> Result<JsonText, NotJson> {
    let mut scales = Scales { left: VALUES, open: Vec::new() };
    JsonText::read(text, DEPTH, &mut |token| scales.add(token).is_some()).map_err(|problem| match problem {
        NotWalked::Stopped => NotJson::TooMuch(format!("values that need more than {} of memory", size(VALUES as u64))),
        NotWalked::TooDeep => NotJson::TooMuch(format!("values that stand inside each other more than {DEPTH} levels deep")),
        NotWalked::Wrong(error) => NotJson::Wrong(error),
    })
}

/// The memory that a value takes, but for itself.
pub(super) fn weight(value: &Value) -> usize {
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

/// Weighs values that are not made.
struct Scales {
    left: usize,
    /// Arrays and objects that are not over.
    open: Vec<Entries>,
}

impl Scales {
    /// Adds a part of the text; none when it is too much.
    fn add(&mut self, token: JsonToken<'_>) -> Option<()> {
        let weight = match token {
            // An object without members is one of our structs as well.
            JsonToken::Object => 3 * ENTRY,
            JsonToken::Array | JsonToken::End => 0,
            JsonToken::Item => SLOT,
            JsonToken::Text(text) => text_weight(text),
            JsonToken::Name(name) => text_weight(name) + self.open.last_mut()?.added(),
        };
        match token {
            JsonToken::Object => self.open.push(Entries { len: 0, room: 3 }),
            JsonToken::Array => self.open.push(Entries::default()),
            JsonToken::End => drop(self.open.pop()),
            _ => {}
        }
        self.left = self.left.checked_sub(weight)?;
        Some(())
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

    fn json(text: &str) -> Result<JsonText, NotJson> {
        super::json(&mut text.as_bytes().to_vec())
    }

    fn too_much(text: &str) -> String {
        match json(text) {
            Err(NotJson::TooMuch(what)) => what,
            Err(NotJson::Wrong(error)) => panic!("{error}"),
            Ok(_) => panic!("{} bytes that begin `{}` were taken; a value has {SLOT} bytes", text.len(), &text[..20]),
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
            assert!(json(&text).is_ok(), "{open}");
        }
    }

    #[test]
    fn ten_thousand_projects_in_one_answer_are_taken() {
        let project = std::fs::read_to_string("tests/payloads/projects/project-2018.11.json").expect("a payload");
        let text = format!("[{}{project}]", format!("{project},").repeat(9_999));
        assert!(text.len() < JSON, "{}", text.len());
        let all = json(&text).ok().expect("all are taken");
        assert_eq!(all.json().items().map(Iterator::count), Some(10_000));
        let weight = weight(&all.tree());
        assert!(weight > all.as_str().len() && weight < VALUES, "{weight}");
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
