//! JSON as text: read once for its form, shared by clones, and made into values only where somebody asks for them.
//!
//! A document of the server is 1 to 3 KB of text, and ten to twenty times as much as a tree of values. So whatever keeps documents keeps
//! [`JsonText`], and what reads a few members of one looks at the text through [`JsonSlice`], which makes no value of the others.

use memchr::{memchr, memchr2};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{DeserializeSeed, MapAccess, SeqAccess, Visitor},
};
use serde_json::Value;
use std::{borrow::Cow, fmt, sync::Arc};

/// A JSON text that is known to be one, without white space between its parts; clones share it.
#[derive(Clone)]
pub struct JsonText(Arc<str>);

impl JsonText {
    /// The JSON of something that cannot fail to become JSON.
    pub fn of(value: &impl Serialize) -> Self {
        Self(serde_json::to_string(value).expect("keys are texts").into())
    }

    /// What was put together from JSON texts.
    pub(crate) fn put_together(text: String) -> Self {
        debug_assert!(serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok(), "{text}");
        Self(text.into())
    }

    /// Reads a text, of which it takes the bytes when it is JSON; see [`walk`] for `deepest` and `see`.
    ///
    /// # Errors
    /// See [`walk`]; the text is as it was.
    pub fn read(text: &mut Vec<u8>, deepest: usize, see: &mut dyn FnMut(JsonToken<'_>) -> bool) -> Result<Self, NotWalked> {
        walk(text, deepest, see)?;
        squeeze(text);
        let compact = String::from_utf8(std::mem::take(text)).expect("the texts in it were read, and all else is ASCII");
        Ok(Self(compact.into()))
    }

    /// The text, to look into.
    pub fn json(&self) -> JsonSlice<'_> {
        JsonSlice(&self.0)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// All values of it.
    pub fn tree(&self) -> Value {
        self.json().tree()
    }

    /// Whether it is `null`.
    pub fn is_null(&self) -> bool {
        self.json().is_null()
    }
}

impl Default for JsonText {
    fn default() -> Self {
        Self("null".into())
    }
}

impl From<&Value> for JsonText {
    fn from(value: &Value) -> Self {
        Self(value.to_string().into())
    }
}

impl From<Value> for JsonText {
    fn from(value: Value) -> Self {
        (&value).into()
    }
}

impl From<&Self> for JsonText {
    fn from(text: &Self) -> Self {
        text.clone()
    }
}

impl fmt::Display for JsonText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for JsonText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Equal as values: a number or a text may be spelt in several ways.
impl PartialEq for JsonText {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0 || self.tree() == other.tree()
    }
}

impl PartialEq<Value> for JsonText {
    fn eq(&self, other: &Value) -> bool {
        self.tree() == *other
    }
}

impl Serialize for JsonText {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        serde_transcode::transcode(&mut reader(self.0.as_bytes()), to)
    }
}

impl<'de> Deserialize<'de> for JsonText {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let mut text = Vec::new();
        serde_transcode::transcode(from, &mut serde_json::Serializer::new(&mut text)).map_err(serde::de::Error::custom)?;
        String::from_utf8(text).map(|text| Self(text.into())).map_err(serde::de::Error::custom)
    }
}

/// A reader of text that may be as deep as it is: what comes from elsewhere was bounded when it came.
fn reader(text: &[u8]) -> serde_json::Deserializer<serde_json::de::SliceRead<'_>> {
    let mut reader = serde_json::Deserializer::from_slice(text);
    reader.disable_recursion_limit();
    reader
}

/// A value in a [`JsonText`].
#[derive(Clone, Copy)]
pub struct JsonSlice<'a>(&'a str);

impl<'a> JsonSlice<'a> {
    /// Whether it is `null`.
    pub fn is_null(self) -> bool {
        self.0 == "null"
    }

    /// Whether it is an array.
    pub fn is_array(self) -> bool {
        self.0.starts_with('[')
    }

    /// Whether it is an object.
    pub fn is_object(self) -> bool {
        self.0.starts_with('{')
    }

    /// Whether it is a number.
    pub fn is_number(self) -> bool {
        self.0.starts_with(|c: char| c == '-' || c.is_ascii_digit())
    }

    /// What a text says; none for everything else.
    pub fn text(self) -> Option<Cow<'a, str>> {
        let [b'"', .., b'"'] = self.0.as_bytes() else { return None };
        let inside = &self.0[1..self.0.len() - 1];
        if memchr(b'\\', inside.as_bytes()).is_some() {
            serde_json::from_str(self.0).ok().map(Cow::Owned)
        } else {
            Some(Cow::Borrowed(inside))
        }
    }

    /// The items of an array; none for everything else.
    pub fn items(self) -> Option<impl Iterator<Item = JsonSlice<'a>>> {
        let mut rest = self.0.strip_prefix('[')?;
        Some(std::iter::from_fn(move || next(&mut rest)))
    }

    /// The members of an object in their order; none for everything else. Of two of the same name the last one counts.
    pub fn members(self) -> Option<impl Iterator<Item = (Cow<'a, str>, JsonSlice<'a>)>> {
        let mut rest = self.0.strip_prefix('{')?;
        Some(std::iter::from_fn(move || Some((next(&mut rest)?.text()?, next(&mut rest)?))))
    }

    /// A member of an object.
    pub fn get(self, name: &str) -> Option<JsonSlice<'a>> {
        self.members()?.filter(|(known, _)| known == name).last().map(|(_, value)| value)
    }

    /// All values of it.
    pub fn tree(self) -> Value {
        // The text is JSON.
        Value::deserialize(&mut reader(self.0.as_bytes())).unwrap_or_default()
    }

    /// The text.
    pub fn as_str(self) -> &'a str {
        self.0
    }
}

/// A text of its own, which does not keep the one it was a part of.
impl From<JsonSlice<'_>> for JsonText {
    fn from(json: JsonSlice<'_>) -> Self {
        Self(json.0.into())
    }
}

/// Takes the next value of an array or object off its text, which goes on behind the comma or colon.
fn next<'a>(rest: &mut &'a str) -> Option<JsonSlice<'a>> {
    let (bytes, mut end, mut depth) = (rest.as_bytes(), 0, 0_usize);
    loop {
        match bytes.get(end)? {
            b'"' => end += quoted(&bytes[end..]) - 1,
            b'[' | b'{' => depth += 1,
            b']' | b'}' | b',' | b':' if depth == 0 => break,
            b']' | b'}' => depth -= 1,
            _ => {}
        }
        end += 1;
    }
    let value = &rest[..end];
    *rest = &rest[end + 1..];
    (!value.is_empty()).then_some(JsonSlice(value))
}

/// Takes the white space between the parts of a JSON text out.
fn squeeze(text: &mut Vec<u8>) {
    let (mut from, mut to) = (0, 0);
    while from < text.len() {
        let start = from;
        while from < text.len() && !text[from].is_ascii_whitespace() {
            from += if text[from] == b'"' { quoted(&text[from..]) } else { 1 };
        }
        if start != to {
            text.copy_within(start..from, to);
        }
        (to, from) = (to + from - start, from + 1);
    }
    text.truncate(to);
}

/// How many bytes the text in quotes has that JSON begins with, quotes included. Most of a document is texts, which are jumped over.
fn quoted(json: &[u8]) -> usize {
    let mut end = 1;
    while let Some(found) = json.get(end..).and_then(|rest| memchr2(b'"', b'\\', rest)) {
        end += found + 1;
        if json[end - 1] == b'"' {
            return end;
        }
        end += 1;
    }
    json.len()
}

/// What [`walk`] comes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonToken<'a> {
    /// An array begins.
    Array,
    /// An object begins.
    Object,
    /// The last array or object that began is over.
    End,
    /// An item of an array is over.
    Item,
    /// The name of a member, without escapes.
    Name(&'a str),
    /// A text, without escapes.
    Text(&'a str),
}

/// Why a text was not walked through to its end.
#[derive(Debug)]
pub enum NotWalked {
    /// It is not JSON.
    Wrong(serde_json::Error),
    /// Its arrays and objects stand deeper inside each other than they may.
    TooDeep,
    /// The caller had seen enough.
    Stopped,
}

/// Goes through a text and makes no values: `see` is told of its parts, and ends it by saying `false`. Arrays and objects may be `deepest`
/// inside each other.
pub fn walk(text: &[u8], deepest: usize, see: &mut dyn FnMut(JsonToken<'_>) -> bool) -> Result<(), NotWalked> {
    let mut reader = reader(text);
    let mut walk = Walk { see, left: deepest, is_name: false, ended: None };
    let walked = walk.deserialize(&mut reader).and_then(|()| reader.end());
    walked.map_err(|error| walk.ended.unwrap_or(NotWalked::Wrong(error)))
}

struct Walk<'a> {
    see: &'a mut dyn FnMut(JsonToken<'_>) -> bool,
    /// How much deeper it may go.
    left: usize,
    /// Whether the next text is a name.
    is_name: bool,
    ended: Option<NotWalked>,
}

impl Walk<'_> {
    fn see<E: serde::de::Error>(&mut self, token: JsonToken<'_>) -> Result<(), E> {
        if (self.see)(token) { Ok(()) } else { self.end(NotWalked::Stopped) }
    }

    fn end<E: serde::de::Error>(&mut self, why: NotWalked) -> Result<(), E> {
        self.ended = Some(why);
        Err(E::custom("ended"))
    }

    fn begin<E: serde::de::Error>(&mut self, token: JsonToken<'_>) -> Result<(), E> {
        match self.left.checked_sub(1) {
            Some(left) => self.left = left,
            None => return self.end(NotWalked::TooDeep),
        }
        self.see(token)
    }
}

impl<'de> DeserializeSeed<'de> for &mut Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for &mut Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<(), E> {
        let is_name = std::mem::take(&mut self.is_name);
        self.see(if is_name { JsonToken::Name(text) } else { JsonToken::Text(text) })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<(), A::Error> {
        self.begin(JsonToken::Array)?;
        while from.next_element_seed(&mut *self)?.is_some() {
            self.see(JsonToken::Item)?;
        }
        self.left += 1;
        self.see(JsonToken::End)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<(), A::Error> {
        self.begin(JsonToken::Object)?;
        loop {
            self.is_name = true;
            if from.next_key_seed(&mut *self)?.is_none() {
                break;
            }
            from.next_value_seed(&mut *self)?;
        }
        self.is_name = false;
        self.left += 1;
        self.see(JsonToken::End)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(text: &str) -> JsonText {
        JsonText::read(&mut text.as_bytes().to_vec(), 64, &mut |_| true).expect(text)
    }

    #[test]
    fn text_is_read_as_serde_json_reads_it() {
        for text in [
            r#" {"a" : [1, -2, 3.5, 1e300, 18446744073709551615, 99999999999999999999],
                "b" : {"c":null, "d" : true}, "b2":"\ud83d\ude00\n x", "a" : [ {} ] } "#,
            "[ ]",
            " 7 ",
            "\"x y\"",
            "null",
            r#"["\\", "\"", "[,]", "{:}", [[], {}, [""]], "\\\""]"#,
        ] {
            let (ours, theirs) = (read(text), serde_json::from_str::<Value>(text).expect("JSON"));
            assert_eq!(ours.tree(), theirs, "{text}");
            assert_eq!(piecewise(ours.json()), theirs, "{text}");
            assert_eq!(serde_json::from_str::<JsonText>(text).expect("JSON"), ours);
            assert_eq!(json!({"in": ours}), json!({"in": theirs}));
        }
        for text in ["[1,]", "{\"a\" 1}", "[1] 2", "1e999", "NaN", "\"\\ud800\"", "[", "{\"a\":1}}", "nul", "\u{b}1"] {
            let mut bytes = text.as_bytes().to_vec();
            assert!(matches!(JsonText::read(&mut bytes, 64, &mut |_| true), Err(NotWalked::Wrong(_))), "{text}");
            assert_eq!(bytes, text.as_bytes(), "it is still there for a message");
        }
    }

    /// A value put together from what [`JsonSlice`] gives.
    fn piecewise(json: JsonSlice<'_>) -> Value {
        if let Some(items) = json.items() {
            return items.map(piecewise).collect();
        }
        if let Some(members) = json.members() {
            return members.map(|(name, value)| (name.into_owned(), piecewise(value))).collect();
        }
        json.text().map_or_else(|| json.tree(), Into::into)
    }

    #[test]
    fn a_member_is_found_by_its_name_without_escapes_and_the_last_one_counts() {
        let text = read(r#"{"a": 1, "b\u0063": {"a": 2}, "a": [3, 4]}"#);
        assert_eq!(text.json().get("a").map(JsonSlice::as_str), Some("[3,4]"));
        assert_eq!(text.json().get("bc").and_then(|inner| inner.get("a")).map(JsonSlice::as_str), Some("2"));
        assert!(text.json().get("c").is_none() && text.json().get("a").and_then(|list| list.get("a")).is_none());
    }

    #[test]
    fn walk_tells_of_all_texts_and_ends_where_it_is_told_to() {
        let mut seen = Vec::new();
        let text = r#"{"a":["x\n",1,{}],"b":{"c":"y"}}"#;
        walk(text.as_bytes(), 3, &mut |token| {
            seen.push(format!("{token:?}"));
            true
        })
        .expect("JSON");
        assert_eq!(
            seen.join(" "),
            r#"Object Name("a") Array Text("x\n") Item Item Object End Item End Name("b") Object Name("c") Text("y") End End"#
        );
        assert!(matches!(walk(text.as_bytes(), 2, &mut |_| true), Err(NotWalked::TooDeep)));
        assert!(matches!(walk(text.as_bytes(), 3, &mut |token| token != JsonToken::Name("c")), Err(NotWalked::Stopped)));
        assert!(matches!(walk(&vec![b'['; 1_000_000], 64, &mut |_| true), Err(NotWalked::TooDeep)));
    }

    #[test]
    fn what_a_script_nests_comes_back_however_deep() {
        let deep = (0..250).fold(json!("x"), |inner, _| json!([inner]));
        let text = JsonText::from(&deep);
        assert_eq!(text.tree(), deep);
        assert_eq!(JsonText::of(&text), text);
    }
}
