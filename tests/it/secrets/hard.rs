//! Secrets of hard characters, and whether a piece of one is in a text.

use crate::support::octostache::{Dice, seed};
use serde_json::Value;
use std::collections::HashSet;

/// So many characters of a secret in a row are a piece of it.
const PIECE: usize = 8;

const HARD: &[&str] = &[
    "/",
    "\"",
    "|",
    "\t",
    "\n",
    "<",
    ">",
    "&",
    "'",
    "%",
    "#{",
    "}",
    "\\",
    "é",
    "ключ",
    "日本",
    "🔑",
    "👩\u{200d}🚀",
    "e\u{301}",
    " ",
    "+",
    "=",
    "%2F",
    "&amp;",
    "\\n",
    "\\u0041",
    "*",
    "`",
    "$",
    "[",
    "]",
    "(",
    ")",
    ";",
    ",",
    ":",
    "?",
    "@",
    "^",
    "~",
    "_",
    "-",
    ".",
    "\r\n",
    "##",
    "--",
    "/*",
];

/// Secrets of 4 to 200 characters. No two are alike, and each holds a letter that no other text has.
pub fn secrets(count: usize) -> Vec<String> {
    let mut dice = Dice::new(seed() ^ 0x005E_C2E7);
    let letters: Vec<char> = ('A'..='Z').chain('a'..='z').chain('0'..='9').collect();
    (0..count)
        .map(|number| {
            let wanted = match number % 5 {
                0 => 4 + dice.below(8),
                1 => 100 + dice.below(101),
                _ => 12 + dice.below(50),
            };
            // From a block of letters that nothing else uses, so that a short secret is not found by chance.
            let mark = char::from_u32(0x13A0 + u32::try_from(number).expect("few") % 80).expect("a letter");
            let mut secret: Vec<char> = Vec::new();
            while secret.len() < wanted {
                match dice.below(3) {
                    0 => secret.extend(dice.pick(HARD).chars()),
                    _ => secret.push(letters[dice.below(letters.len())]),
                }
            }
            secret.truncate(wanted.min(199));
            let at = 1 + dice.below(2);
            secret[at] = mark;
            let secret: String = secret.into_iter().collect();
            match number % 7 {
                0 => format!(" {secret}"),
                1 => format!("{secret} \n"),
                _ => secret,
            }
        })
        .collect()
}

/// `text` as a literal of Rhai.
pub fn literal(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c => out.push(c),
        }
    }
    out + "\""
}

/// Finds pieces of secrets in texts.
pub struct Finder {
    pieces: HashSet<[char; PIECE]>,
    /// Without blanks, for texts that are wrapped.
    dense: HashSet<[char; PIECE]>,
    short: Vec<String>,
}

impl Finder {
    pub fn of(secrets: &[String]) -> Self {
        let windows =
            |text: &[char]| text.windows(PIECE).map(|window| window.try_into().expect("of that length")).collect::<Vec<[char; PIECE]>>();
        let whole = |secret: &String| windows(&secret.trim().chars().collect::<Vec<_>>());
        let dense = |secret: &String| windows(&secret.chars().filter(|c| !c.is_whitespace()).collect::<Vec<_>>());
        let short = secrets.iter().map(|secret| secret.trim().to_owned()).filter(|secret| (4..PIECE).contains(&secret.chars().count()));
        Self { pieces: secrets.iter().flat_map(whole).collect(), dense: secrets.iter().flat_map(dense).collect(), short: short.collect() }
    }

    /// The first piece of a secret in a text.
    pub fn piece(&self, text: &str) -> Option<String> {
        let chars: Vec<char> = text.chars().collect();
        let found = chars.windows(PIECE).enumerate().find(|(_, window)| self.pieces.contains(*window));
        let around = |at: usize| chars[at.saturating_sub(60)..(at + 60).min(chars.len())].iter().collect();
        found.map(|(at, _)| around(at)).or_else(|| self.short.iter().find(|secret| text.contains(secret.as_str())).cloned())
    }

    /// The same in a text whose lines are wrapped in a box.
    fn wrapped(&self, text: &str) -> Option<String> {
        let chars: Vec<char> = text.chars().filter(|c| !c.is_whitespace() && !('\u{2500}'..='\u{257f}').contains(c)).collect();
        let found = chars.windows(PIECE).enumerate().find(|(_, window)| self.dense.contains(*window));
        found.map(|(at, _)| chars[at.saturating_sub(60)..(at + 60).min(chars.len())].iter().collect())
    }

    #[track_caller]
    pub fn holds_none(&self, sink: &str, text: &str) {
        if let Some(found) = self.piece(text).or_else(|| self.wrapped(text)) {
            panic!("{sink} shows a piece of a secret: …{found}…");
        }
    }

    /// The same for all texts of a document, and for its text.
    #[track_caller]
    pub fn document_holds_none(&self, sink: &str, document: &Value) {
        self.holds_none(sink, &document.to_string());
        let mut open = vec![document];
        while let Some(value) = open.pop() {
            match value {
                Value::String(text) => self.holds_none(sink, text),
                Value::Array(items) => open.extend(items),
                Value::Object(members) => {
                    members.keys().for_each(|name| self.holds_none(sink, name));
                    open.extend(members.values());
                }
                _ => {}
            }
        }
    }

    /// The same for a file: as it is, and as it comes out of what it may be encoded with.
    #[track_caller]
    pub fn bytes_hold_none(&self, sink: &str, bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes);
        self.holds_none(sink, &text);
        self.holds_none(sink, &plain(&text));
    }
}

/// Escapes, and what they mean.
const NAMED: &[(&str, char)] = &[
    ("&lt;", '<'),
    ("&gt;", '>'),
    ("&quot;", '"'),
    ("&amp;", '&'),
    ("&#x2f;", '/'),
    ("&#x27;", '\''),
    ("&#39;", '\''),
    ("&#34;", '"'),
    ("<br>", '\n'),
    ("\\n", '\n'),
    ("\\r", '\r'),
    ("\\t", '\t'),
    ("\"\"", '"'),
];

/// `text` without the escapes of JSON, HTML, Markdown, addresses and CSV.
pub fn plain(text: &str) -> String {
    let text = percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
    let mut out = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(c) = rest.chars().next() {
        if let Some((name, meant)) = NAMED.iter().find(|(name, _)| rest.starts_with(name)) {
            out.push(*meant);
            rest = &rest[name.len()..];
            continue;
        }
        rest = &rest[c.len_utf8()..];
        if c == '\\' {
            let unit = rest.strip_prefix('u').and_then(|hex| u32::from_str_radix(hex.get(..4)?, 16).ok()).and_then(char::from_u32);
            match unit {
                Some(unit) => {
                    out.push(unit);
                    rest = &rest[5..];
                }
                None => {
                    if let Some(next) = rest.chars().next() {
                        out.push(next);
                        rest = &rest[next.len_utf8()..];
                    }
                }
            }
            continue;
        }
        out.push(c);
    }
    out
}

#[test]
fn finder_finds_what_is_there() {
    let all = secrets(200);
    assert_eq!(all.iter().collect::<HashSet<_>>().len(), 200);
    assert!(all.iter().all(|secret| (4..=202).contains(&secret.chars().count())));
    for secret in &all {
        let finder = Finder::of(std::slice::from_ref(secret));
        assert!(finder.piece(&format!("before {} after", secret.trim())).is_some(), "{secret:?}");
        assert!(
            finder.piece(&plain(&Value::from(secret.as_str()).to_string())).is_some() || secret.contains(['%', '&', '\\', '<']),
            "{secret:?}"
        );
    }
    let finder = Finder::of(&["abcdefghijkl".to_owned()]);
    assert!(finder.piece("xx cdefghij xx").is_some() && finder.piece("xx cdefghi xx").is_none());
    assert!(finder.wrapped("│ abcdef ┆ 1 │\n│ ghijkl ┆   │").is_none() && finder.wrapped("│ abcdef │\n│ ghijkl │").is_some());
}
