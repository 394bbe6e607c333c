//! Secrets in the record of a run: named instead of written, and filled in again when the run goes on.
//!
//! What a step gives back must be what the script saw, or a continued run would decide, and keep, `***`. So where a recorded value holds the text
//! of a secret the record holds its name, and a later start, which is given the same secrets again, puts the text back. What cannot be named
//! (another way to write a secret, a secret that the script made itself) is left out and marked: a run that comes to it stops instead of going on
//! with something else.

use crate::error::Error;
use crate::json::{JsonText, JsonToken, walk};
use crate::secrets::{MASK, Redactor, SHORTEST};
use parking_lot::RwLock;
use serde_json::Value;

/// Begins and ends a name. Twice it stands for itself.
const MARK: char = '\u{10FFFD}';

/// The members of an error in a record.
const ERROR: [&str; 4] = ["kind", "message", "help", "facts"];

/// Knows the secrets of a run by name.
pub struct Sealer {
    redactor: Redactor,
    /// What to look for, the longest first, and what it is called: `=Token` as it is, `jToken` as JSON writes it.
    forms: RwLock<Vec<(String, String)>>,
}

impl Sealer {
    /// A sealer for secrets by name; what else `redactor` knows is taken out.
    pub fn new(redactor: Redactor, secrets: impl IntoIterator<Item = (String, String)>) -> Self {
        let sealer = Self { redactor, forms: RwLock::default() };
        secrets.into_iter().for_each(|(name, secret)| sealer.learn(&name, &secret));
        sealer
    }

    /// Learns a secret that the script has made, under a name that it gives it again when it goes on.
    pub fn learn(&self, name: &str, secret: &str) {
        let json = Value::from(secret).to_string();
        let json = json.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or_default();
        let mut forms = self.forms.write();
        for (kind, form) in [('=', secret), ('j', json)] {
            if form.len() >= SHORTEST && forms.iter().all(|(known, _)| known != form) {
                forms.push((form.to_owned(), format!("{kind}{name}")));
            }
        }
        forms.sort_by(|(a, _), (b, _)| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
    }

    /// Takes secrets out of a value that is shown or compared, and not given back.
    pub fn cleaned(&self, value: Value) -> Value {
        self.redactor.clean_value(value)
    }

    /// An error as the script gets it of a call with these arguments, see [`Redactor::clean_call_error`].
    pub fn cleaned_error(&self, error: Error, arguments: &Value) -> Error {
        let mut texts = Vec::new();
        let found = |text: String| {
            texts.push(text.clone());
            Ok::<_, std::convert::Infallible>(text)
        };
        drop(each(arguments.clone(), &mut { found }));
        self.redactor.clean_call_error(error, &texts)
    }

    /// The value as it may be kept.
    pub fn seal(&self, value: Value) -> Value {
        let value = self.errors_for_people(value);
        each(value, &mut |text| Ok::<_, std::convert::Infallible>(self.sealed(text))).unwrap_or_else(|never| match never {})
    }

    /// [`Sealer::seal`] for a text: it stays as it is where nothing in it has to be sealed.
    pub fn seal_text(&self, json: JsonText) -> JsonText {
        // Of each object that is not over, how many names of an error it has.
        let mut of_error: Vec<usize> = Vec::new();
        let walked = walk(json.as_str().as_bytes(), usize::MAX, &mut |token| match token {
            JsonToken::Object | JsonToken::Array => {
                of_error.push(0);
                true
            }
            JsonToken::End => of_error.pop().is_some_and(|count| count < ERROR.len()),
            JsonToken::Item => true,
            JsonToken::Text(text) => self.is_plain(text),
            JsonToken::Name(name) => {
                if let Some(count) = of_error.last_mut().filter(|_| ERROR.contains(&name)) {
                    *count += 1;
                }
                self.is_plain(name)
            }
        });
        if walked.is_ok() { json } else { self.seal(json.tree()).into() }
    }

    /// Whether a text is written as it is.
    fn is_plain(&self, text: &str) -> bool {
        !text.contains(MARK) && !self.redactor.is_in(text)
    }

    /// Errors in a value as the script got them, see [`Redactor::clean_call_error`].
    fn errors_for_people(&self, value: Value) -> Value {
        match value {
            Value::Object(members) if members.len() == ERROR.len() && ERROR.iter().all(|name| members.contains_key(*name)) => {
                self.redactor.clean_call_error(Error::from_record(&Value::Object(members)), &[]).to_record()
            }
            Value::Object(members) => members.into_iter().map(|(name, value)| (name, self.errors_for_people(value))).collect(),
            Value::Array(items) => items.into_iter().map(|item| self.errors_for_people(item)).collect(),
            other => other,
        }
    }

    /// What [`Sealer::seal`] made of a value; `Err` names what is missing.
    pub fn open(&self, value: Value) -> Result<Value, String> {
        each(value, &mut |text| self.opened(text))
    }

    /// What [`Sealer::seal_text`] made of a text.
    pub fn open_text(&self, json: JsonText) -> Result<JsonText, String> {
        // No record has a mark that is spelt with escapes.
        if json.as_str().contains(MARK) { self.open(json.tree()).map(JsonText::from) } else { Ok(json) }
    }

    fn sealed(&self, text: String) -> String {
        if self.is_plain(&text) {
            return text;
        }
        let mut sealed = String::with_capacity(text.len() + 16);
        let mut rest = text.as_str();
        let forms = self.forms.read();
        while let Some((at, (form, name))) = first(&forms, rest) {
            self.plain(&rest[..at], &mut sealed);
            sealed.push(MARK);
            sealed.push_str(name);
            sealed.push(MARK);
            rest = &rest[at + form.len()..];
        }
        self.plain(rest, &mut sealed);
        sealed
    }

    /// A text without secrets that have a name.
    fn plain(&self, text: &str, sealed: &mut String) {
        let clean = self.redactor.clean_whole(text);
        for c in clean.chars() {
            sealed.push(c);
            if c == MARK {
                sealed.push(MARK);
            }
        }
        if clean != text {
            sealed.extend([MARK, '!', MARK]);
        }
    }

    fn opened(&self, text: String) -> Result<String, String> {
        if !text.contains(MARK) {
            return Ok(text);
        }
        let mut opened = String::with_capacity(text.len());
        for piece in Pieces(&text) {
            match piece {
                Piece::Text(text) => opened.push_str(text),
                Piece::Name("!") => return Err("a secret in a form that no record keeps".to_owned()),
                Piece::Name(name) => match self.forms.read().iter().find(|(_, known)| known == name) {
                    Some((secret, _)) => opened.push_str(secret),
                    None => return Err(format!("the secret `{}`, which this start was not given", name.get(1..).unwrap_or_default())),
                },
            }
        }
        Ok(opened)
    }
}

/// The first secret in a text, and of several at one place the longest.
fn first<'a>(forms: &'a [(String, String)], text: &str) -> Option<(usize, &'a (String, String))> {
    let found = forms.iter().filter_map(|form| text.find(form.0.as_str()).map(|at| (at, form)));
    found.min_by_key(|(at, form)| (*at, std::cmp::Reverse(form.0.len())))
}

/// What was sealed, for people.
pub fn masked(value: Value) -> Value {
    let mask = |text: String| {
        let pieces = Pieces(&text).map(|piece| match piece {
            Piece::Text(text) => text,
            Piece::Name("!") => "",
            Piece::Name(_) => MASK,
        });
        Ok::<_, std::convert::Infallible>(if text.contains(MARK) { pieces.collect() } else { text })
    };
    each(value, &mut |text| mask(text)).unwrap_or_else(|never| match never {})
}

/// Changes all texts in a value.
fn each<E>(value: Value, change: &mut impl FnMut(String) -> Result<String, E>) -> Result<Value, E> {
    Ok(match value {
        Value::String(text) => change(text)?.into(),
        Value::Array(items) => Value::Array(items.into_iter().map(|item| each(item, change)).collect::<Result<_, _>>()?),
        Value::Object(members) => {
            let member = |(name, value)| Ok((change(name)?, each(value, change)?));
            Value::Object(members.into_iter().map(member).collect::<Result<_, _>>()?)
        }
        other => other,
    })
}

enum Piece<'a> {
    Text(&'a str),
    Name(&'a str),
}

/// The pieces of a sealed text.
struct Pieces<'a>(&'a str);

impl<'a> Iterator for Pieces<'a> {
    type Item = Piece<'a>;

    fn next(&mut self) -> Option<Piece<'a>> {
        let rest = self.0;
        if rest.is_empty() {
            return None;
        }
        let Some(inner) = rest.strip_prefix(MARK) else {
            let (text, rest) = rest.split_at(rest.find(MARK).unwrap_or(rest.len()));
            self.0 = rest;
            return Some(Piece::Text(text));
        };
        let Some((name, after)) = inner.split_once(MARK) else {
            // No record of ours ends so.
            self.0 = "";
            return Some(Piece::Text(inner));
        };
        self.0 = after;
        Some(if name.is_empty() { Piece::Text(&rest[..MARK.len_utf8()]) } else { Piece::Name(name) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn sealer(secrets: &'static [(&'static str, &'static str)], other: &'static str) -> Sealer {
        let redactor = Redactor::new();
        secrets.iter().map(|(_, secret)| *secret).chain([other]).for_each(|secret| redactor.learn(secret));
        Sealer::new(redactor, secrets.iter().map(|(name, secret)| ((*name).to_owned(), (*secret).to_owned())))
    }

    const SECRETS: &[(&str, &str)] = &[("Token", "hush-hush"), ("Long", "hush-hush-hush"), ("Odd", "a\"b\\c")];

    #[test]
    fn a_sealed_value_holds_no_secret_and_opens_to_what_it_was() {
        let sealer = sealer(SECRETS, "unnamed");
        for value in [
            json!("pw=hush-hush"),
            json!(["hush-hush-hush", {"hush-hush": "x hush-hush hush-hush-hush."}, 5, null]),
            json!(r#"{"pw":"a\"b\\c"} a"b\c"#),
            json!("\u{10FFFD}=Token\u{10FFFD} and hush-hush\u{10FFFD}"),
            json!("no secret, but \u{10FFFD}"),
        ] {
            let sealed = sealer.seal(value.clone());
            let text = sealed.to_string();
            assert!(!text.contains("hush") && !text.contains("a\\\"b"), "{text}");
            assert_eq!(sealer.open(sealed), Ok(value));
        }
        assert_eq!(
            masked(sealer.seal(json!(["pw=hush-hush", "x\u{10FFFD}", "an unnamed one"]))),
            json!(["pw=***", "x\u{10FFFD}", "an *** one"])
        );
    }

    /// A text as the server may spell it: every character as an escape.
    fn escaped(value: &Value) -> String {
        let escapes = |text: &str| text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect::<Vec<_>>().concat();
        match value {
            Value::String(text) => format!("\"{}\"", escapes(text)),
            Value::Array(items) => format!("[{}]", items.iter().map(escaped).collect::<Vec<_>>().join(",")),
            Value::Object(members) => {
                let member = |(name, value): (&String, &Value)| format!("\"{}\":{}", escapes(name), escaped(value));
                format!("{{{}}}", members.iter().map(member).collect::<Vec<_>>().join(","))
            }
            other => other.to_string(),
        }
    }

    #[test]
    fn a_text_is_sealed_as_its_values_are() {
        let sealer = sealer(SECRETS, "unnamed");
        let error = Error::new(crate::error::Kind::Refused, "no hush-hush").with("x", "an unnamed one").to_record();
        for value in [
            json!({"a": [{"b": ["pw=hush-hush"]}], "c": 1.5}),
            json!({"a": {"x hush-hush": null}}),
            json!(["an unnamed one", "", {}, []]),
            json!([{"answer": {"\u{10FFFD}": "\u{10FFFD}=Token\u{10FFFD}"}}]),
            json!([1, {"path": "/x", "error": error}]),
            json!({"kind": "refused", "message": "no", "help": [], "facts": {"token": "API-ABCDEFGHIJKLMNOPQRSTUVWXYZ"}}),
            json!([[[["hush-hush"]]], "no secret"]),
        ] {
            let sealed = sealer.seal(value.clone());
            for spelling in [value.to_string(), escaped(&value)] {
                let text = sealer.seal_text(serde_json::from_str(&spelling).expect("JSON"));
                assert_eq!(text.as_str(), sealed.to_string(), "{spelling}");
                let mut raw = spelling.clone().into_bytes();
                let text = sealer.seal_text(JsonText::read(&mut raw, 64, &mut |_| true).expect("JSON"));
                assert_eq!(text, sealed, "{spelling}");
                assert_ne!(text.as_str(), spelling, "{spelling}");
                assert_eq!(sealer.open_text(text.clone()).map(|text| text.tree()), sealer.open(sealed.clone()));
            }
        }
        let plain = JsonText::from(json!({"kind": "x", "message": "y", "help": [{"facts": 1}], "more": "no secret"}));
        assert_eq!(sealer.seal_text(plain.clone()).as_str(), plain.as_str());
    }

    #[test]
    fn what_cannot_be_filled_in_is_an_error() {
        let sealed = sealer(SECRETS, "unnamed").seal(json!("pw=hush-hush"));
        assert_eq!(sealer(&[], "x").open(sealed), Err("the secret `Token`, which this start was not given".to_owned()));
        let sealer = sealer(SECRETS, "unnamed");
        assert_eq!(sealer.open(sealer.seal(json!("an unnamed one"))), Err("a secret in a form that no record keeps".to_owned()));
    }

    proptest! {
        #[test]
        fn whatever_holds_secrets_comes_back(parts in proptest::collection::vec(
            prop_oneof![Just("hush-hush".to_owned()), Just("hush-hush-hush".to_owned()), Just("a\"b\\c".to_owned()), Just("\u{10FFFD}".to_owned()), ".{0,6}"], 0..8,
        )) {
            let sealer = sealer(SECRETS, "unnamed");
            let value = json!(parts.concat());
            prop_assert_eq!(sealer.open(sealer.seal(value.clone())), Ok(value));
        }
    }
}
