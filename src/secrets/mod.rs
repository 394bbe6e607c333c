//! Knows the secrets of this process, and takes them out of what people read.
//!
//! A secret is learned where it comes into being: a key or token from environment or file, a parameter, a variable of a step, a token that
//! was exchanged, a password in an address, a value given to `output_secret`. From then on whoever makes a text for people out of pieces
//! asks the one [`Redactor`] for each piece before it is laid out, cut or encoded; the writers of terminal and log ask it again for the
//! whole line. What looks like an API key of Octopus is taken out whether it is known or not.

mod spelling;

use crate::error::{Error, Kind};
use crate::userinfo;
use base64::{Engine as _, engine::general_purpose as base64_kinds};
use parking_lot::RwLock;
use serde_json::Value;
use spelling::{Spelling, begins_escape};
use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    fmt,
    ops::Range,
    sync::Arc,
};

/// What stands in the place of a secret.
pub const MASK: &str = "***";

/// Secrets of fewer characters are not masked: to mask `ab` everywhere would make the output unreadable and hide nothing.
pub const SHORTEST: usize = 4;

/// The begin of an API key of Octopus, and how many capital letters and digits follow at least.
const KEY_BEGIN: &[u8] = b"API-";
const KEY_LENGTH: usize = 20;

/// A value that prints as `***`; the type `Secret` of scripts.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// A secret of this text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Whether it is the same text.
    pub fn same(&self, other: &Self) -> bool {
        self.0 == other.0
    }

    /// The text, for a function that does not show it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

/// Knows the secrets; clones know the same ones.
#[derive(Clone, Default)]
pub struct Redactor(Arc<RwLock<Learned>>);

#[derive(Default)]
struct Learned {
    /// What was learned, to know it again.
    texts: BTreeSet<String>,
    spellings: Vec<(Spelling, Arc<str>)>,
    /// Base64 and hexadecimal: no character of the secret is left there to begin with.
    coded: Vec<(Vec<u8>, Arc<str>)>,
    /// Pairs of bytes that a secret can begin with, a bit each.
    pairs: Vec<u64>,
    /// Spellings by their first byte, coded ones by their first four.
    by_byte: BTreeMap<u8, Vec<usize>>,
    by_four: BTreeMap<[u8; 4], Vec<usize>>,
}

/// Which secrets count.
#[derive(Clone, Copy)]
struct Scope<'a> {
    /// Also what is left of a secret where a text was cut.
    cuts: bool,
    /// Not secrets that are part of one of these texts.
    but: &'a [String],
}

impl Redactor {
    /// A redactor that knows no secret yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Learns a secret. Of a secret of several lines (a private key) each longer line is one too.
    pub fn learn(&self, secret: &str) {
        let mut known = self.0.write();
        if !known.texts.insert(secret.to_owned()) {
            return;
        }
        let whole: Arc<str> = secret.into();
        let lines = if secret.contains('\n') { secret.lines().filter(|line| line.trim().len() >= 8).collect() } else { Vec::new() };
        for part in std::iter::once(secret).chain(lines) {
            known.learn(part, &whole);
        }
    }

    /// Learns the passwords in what may be an address, also in one that is written wrong: its error shall not show them.
    pub fn learn_address(&self, text: &str) {
        for password in userinfo::passwords(text) {
            self.learn(&password);
        }
    }

    /// `text` with a star in place of each character of a secret, `wide` of them for one of several bytes: places in it stay as they are.
    pub fn starred(&self, text: &str, wide: bool) -> String {
        let (mut out, mut done) = (String::with_capacity(text.len()), 0);
        for place in self.0.read().find(text, Scope { cuts: false, but: &[] }) {
            out.push_str(text.get(done..place.start).unwrap_or_default());
            for c in text.get(place.clone()).unwrap_or_default().chars() {
                let stars = if wide { c.len_utf8() } else { 1 };
                if c == '\n' { out.push(c) } else { out.extend(std::iter::repeat_n('*', stars)) }
            }
            done = place.end;
        }
        out.push_str(text.get(done..).unwrap_or_default());
        out
    }

    /// `text` for people: each secret, and what is left of one where the text was cut, is `***`.
    pub fn clean<'a>(&self, text: &'a str) -> Cow<'a, str> {
        self.masked(text, Scope { cuts: true, but: &[] })
    }

    /// The same without secrets that are part of one of the texts in `revealed`: those the script wants to send.
    pub fn clean_but<'a>(&self, text: &'a str, revealed: &[String]) -> Cow<'a, str> {
        self.masked(text, Scope { cuts: true, but: revealed })
    }

    /// `text` with each whole secret masked.
    pub fn clean_whole<'a>(&self, text: &'a str) -> Cow<'a, str> {
        self.masked(text, Scope { cuts: false, but: &[] })
    }

    /// Whether a secret is in `text`: such data is refused rather than damaged.
    pub fn is_in(&self, text: &str) -> bool {
        !self.0.read().find(text, Scope { cuts: false, but: &[] }).is_empty()
    }

    /// A document for people: all texts and names in it, and numbers that are a secret.
    pub fn clean_value(&self, value: Value) -> Value {
        match value {
            Value::String(text) => match self.clean(&text) {
                Cow::Borrowed(_) => Value::String(text),
                Cow::Owned(clean) => clean.into(),
            },
            Value::Number(number) if self.is_in(&number.to_string()) => MASK.into(),
            Value::Array(items) => items.into_iter().map(|item| self.clean_value(item)).collect(),
            Value::Object(members) => {
                let clean = |(name, value): (String, Value)| (self.clean(&name).into_owned(), self.clean_value(value));
                Value::Object(members.into_iter().map(clean).collect())
            }
            other => other,
        }
    }

    /// The same for a document whose own member names are ours.
    pub fn clean_members(&self, value: Value) -> Value {
        match value {
            Value::Object(members) => members.into_iter().map(|(name, value)| (name, self.clean_value(value))).collect(),
            other => self.clean_value(other),
        }
    }

    /// An error of a call that the script gets from us, whose text is for people. What the script says itself with `fail` is its own.
    ///
    /// A function may quote a part of its argument: the first number of a version, the path before a `?`. So where a secret is in
    /// `arguments`, longer pieces of it are masked too.
    #[must_use]
    pub fn clean_call_error(&self, error: Error, arguments: &[String]) -> Error {
        if error.kind() == Kind::Failed {
            return error;
        }
        let error = self.clean_error(error);
        let learned = self.0.read();
        let held: Vec<Vec<char>> = (learned.texts.iter())
            .filter(|secret| secret.trim().chars().count() >= SHORTEST && arguments.iter().any(|text| text.contains(secret.trim())))
            .flat_map(|secret| {
                let secret = secret.trim();
                // As addresses write it.
                let in_address = secret.chars().filter(|c| !c.is_control()).map(|c| if c == '\\' { '/' } else { c });
                [secret.chars().collect(), in_address.collect()]
            })
            .collect();
        if held.is_empty() {
            return error;
        }
        // As they are, and as addresses write them.
        let clean = |text: &str| without_pieces(&without_pieces(text, &held, plain_characters), &held, unescaped);
        error.rewritten(clean, |fact| each_text(fact, &clean))
    }

    /// An error for people: its message, its hints and its facts.
    #[must_use]
    pub fn clean_error(&self, error: Error) -> Error {
        error.rewritten(|text| self.clean(text).into_owned(), |fact| self.clean_value(fact))
    }

    fn masked<'a>(&self, text: &'a str, scope: Scope<'_>) -> Cow<'a, str> {
        let places = self.0.read().find(text, scope);
        if places.is_empty() {
            return Cow::Borrowed(text);
        }
        let (mut out, mut done) = (String::with_capacity(text.len()), 0);
        for place in places {
            // Found by bytes of whole characters, so that both ends are between characters.
            out.push_str(text.get(done..place.start).unwrap_or_default());
            out.push_str(MASK);
            done = place.end;
        }
        out.push_str(text.get(done..).unwrap_or_default());
        Cow::Owned(out)
    }
}

impl Learned {
    fn learn(&mut self, part: &str, whole: &Arc<str>) {
        let Some(spelling) = Spelling::of(part, SHORTEST) else { return };
        if self.pairs.is_empty() {
            self.pairs = vec![0; 1 << 10];
        }
        let (first, seconds) = spelling.begins();
        seconds.for_each(|second| mark(&mut self.pairs, first, second));
        self.by_byte.entry(first).or_default().push(self.spellings.len());
        self.spellings.push((spelling, Arc::clone(whole)));
        for coded in coded(part) {
            mark(&mut self.pairs, coded[0], coded[1]);
            let begin = [coded[0], coded[1], coded[2], coded[3]];
            self.by_four.entry(begin).or_default().push(self.coded.len());
            self.coded.push((coded, Arc::clone(whole)));
        }
    }

    /// Where secrets are, in order; those that overlap are one.
    fn find(&self, text: &str, scope: Scope<'_>) -> Vec<Range<usize>> {
        let text = text.as_bytes();
        let mut places: Vec<Range<usize>> = Vec::new();
        let mut open = Vec::new();
        let counts = |whole: &Arc<str>| !scope.but.iter().any(|revealed| revealed.contains(&**whole));
        for (at, pair) in text.windows(2).enumerate() {
            let mut end = 0;
            if pair == [KEY_BEGIN[0], KEY_BEGIN[1]] {
                end = api_key(text, at).unwrap_or_default();
            }
            // A run of backslashes is read as one.
            if pair[0] == b'\\' && at > 0 && text[at - 1] == b'\\' {
                continue;
            }
            if begins_escape(pair[0]) && !self.spellings.is_empty() {
                let mut begins = [pair[0]; 8];
                let mut count = 1;
                spelling::meanings(text, at, |byte| {
                    if !begins[..count].contains(&byte) && count < begins.len() {
                        begins[count] = byte;
                        count += 1;
                    }
                });
                for (spelling, whole) in begins[..count].iter().flat_map(|byte| self.starting(*byte)) {
                    if counts(whole) {
                        end = end.max(spelling.end(text, at, scope.cuts, &mut open).unwrap_or_default());
                    }
                }
            } else if self.is_marked(pair[0], pair[1]) {
                for (spelling, whole) in self.starting(pair[0]) {
                    if counts(whole) {
                        end = end.max(spelling.end(text, at, scope.cuts, &mut open).unwrap_or_default());
                    }
                }
                let begin = text.get(at..at + 4).and_then(|begin| <[u8; 4]>::try_from(begin).ok());
                let coded = begin.and_then(|begin| self.by_four.get(&begin)).into_iter().flatten().map(|index| &self.coded[*index]);
                for (coded, whole) in coded {
                    if text[at..].starts_with(coded) && counts(whole) {
                        end = end.max(at + coded.len());
                    }
                }
            }
            if end == 0 {
                continue;
            }
            match places.last_mut().filter(|last| at < last.end) {
                Some(last) => last.end = last.end.max(end),
                None => places.push(at..end),
            }
        }
        places
    }

    /// The spellings that begin with a byte.
    fn starting(&self, byte: u8) -> impl Iterator<Item = &(Spelling, Arc<str>)> {
        self.by_byte.get(&byte).into_iter().flatten().map(|index| &self.spellings[*index])
    }

    fn is_marked(&self, first: u8, second: u8) -> bool {
        let bit = usize::from(first) << 8 | usize::from(second);
        self.pairs.get(bit >> 6).is_some_and(|word| word >> (bit & 63) & 1 == 1)
    }
}

/// A character, and where it stands in a text.
type Placed = (char, Range<usize>);

/// `text` without pieces of these secrets, of so many characters or more.
fn without_pieces(text: &str, secrets: &[Vec<char>], read: fn(&str) -> Vec<Placed>) -> String {
    const SHORTEST_PIECE: usize = 6;
    let chars = read(text);
    let common = |at: usize, secret: &[char]| {
        let from = |start: usize| chars[at..].iter().zip(&secret[start..]).take_while(|(a, b)| a.0 == **b).count();
        (0..secret.len()).map(from).max().unwrap_or_default()
    };
    let (mut out, mut at) = (String::with_capacity(text.len()), 0);
    while at < chars.len() {
        let length = secrets.iter().map(|secret| common(at, secret)).max().unwrap_or_default();
        if length >= SHORTEST_PIECE {
            out.push_str(MASK);
            at += length;
        } else {
            out.push_str(&text[chars[at].1.clone()]);
            at += 1;
        }
    }
    out
}

/// The characters of a text, and where each stands.
fn plain_characters(text: &str) -> Vec<Placed> {
    text.char_indices().map(|(at, c)| (c, at..at + c.len_utf8())).collect()
}

/// The same, and those that are written `%C3%BC` as what they mean.
fn unescaped(text: &str) -> Vec<Placed> {
    let byte_at = |at: usize| u8::from_str_radix(text.get(at..at + 3)?.strip_prefix('%')?, 16).ok();
    let (mut chars, mut at) = (Vec::with_capacity(text.len()), 0);
    while let Some(c) = text[at..].chars().next() {
        let bytes: Vec<u8> = (0..4).map_while(|nth| byte_at(at + 3 * nth)).collect();
        let escaped = (1..=bytes.len()).find_map(|count| Some((std::str::from_utf8(&bytes[..count]).ok()?.chars().next()?, 3 * count)));
        let (c, length) = escaped.unwrap_or((c, c.len_utf8()));
        chars.push((c, at..at + length));
        at += length;
    }
    chars
}

/// Changes all texts in a document.
fn each_text(value: Value, change: &impl Fn(&str) -> String) -> Value {
    match value {
        Value::String(text) => change(&text).into(),
        Value::Array(items) => items.into_iter().map(|item| each_text(item, change)).collect(),
        Value::Object(members) => members.into_iter().map(|(name, value)| (name, each_text(value, change))).collect(),
        other => other,
    }
}

fn mark(pairs: &mut [u64], first: u8, second: u8) {
    let bit = usize::from(first) << 8 | usize::from(second);
    pairs[bit >> 6] |= 1 << (bit & 63);
}

/// Where a text ends that looks like an API key of Octopus and begins here.
fn api_key(text: &[u8], at: usize) -> Option<usize> {
    let rest = text[at..].strip_prefix(KEY_BEGIN)?;
    let length = rest.iter().take_while(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit()).count();
    (length >= KEY_LENGTH).then_some(at + KEY_BEGIN.len() + length)
}

/// The secret as base64 and hexadecimal digits write it, as it is and as JSON spells it.
fn coded(secret: &str) -> Vec<Vec<u8>> {
    let json = Value::from(secret).to_string();
    let json = json.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or_default();
    let mut all = Vec::new();
    let mut texts = vec![secret, secret.trim(), json];
    texts.sort_unstable();
    texts.dedup();
    for text in texts {
        all.extend([hex::encode(text), hex::encode_upper(text)]);
        all.extend(base64_shapes(text.as_bytes()));
    }
    all.retain(|shape| shape.len() >= SHORTEST);
    all.sort_unstable();
    all.dedup();
    all.into_iter().map(String::into_bytes).collect()
}

/// The characters of base64 that depend on the secret alone, for each of its three places in a longer text (`user:password` in an
/// `Authorization` header), in both alphabets.
fn base64_shapes(secret: &[u8]) -> Vec<String> {
    let mut all = Vec::new();
    for before in 0..3_usize {
        let mut padded = vec![0_u8; before];
        padded.extend_from_slice(secret);
        // Characters that also hold bits of a neighbour are left out: 6 bits a character.
        let first = (before * 8).div_ceil(6);
        let last = padded.len() * 8 / 6;
        if last < first + 5 {
            continue; // too short to tell from chance
        }
        for engine in [&base64_kinds::STANDARD_NO_PAD, &base64_kinds::URL_SAFE_NO_PAD] {
            let text = engine.encode(&padded);
            if before == 0 {
                all.push(text.clone());
            }
            all.push(text[first..last].to_owned());
        }
    }
    all
}

#[cfg(test)]
mod tests;
