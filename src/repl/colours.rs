//! Colours of an input while it is typed.

use crate::engine::{
    scene::Scene,
    text::scan::{self, Kind},
};
use std::{collections::BTreeSet, fmt::Write as _};

const KEYWORDS: &[&str] = &[
    "let", "const", "fn", "if", "else", "for", "in", "while", "loop", "do", "until", "switch", "return", "throw", "try", "catch", "import",
    "as", "break", "continue", "private", "export", "true", "false",
];

/// The input with colours; nothing else of it changes.
pub(super) fn coloured(text: &str, scene: &Scene) -> String {
    if text.trim_start().starts_with(':') {
        return format!("\x1b[36m{text}\x1b[0m");
    }
    let pieces = scan::pieces(text);
    let known: BTreeSet<&str> = scene.entries.iter().map(|entry| entry.name.as_str()).collect();
    let mut out = String::with_capacity(text.len() * 2);
    let mut done = 0;
    for (at, piece) in pieces.iter().enumerate() {
        let word = piece.of(text);
        let is_call = pieces.get(at + 1).is_some_and(|next| next.of(text) == "(");
        let code = match piece.kind {
            Kind::Comment => "2",
            Kind::Text => "32",
            Kind::Number => "36",
            Kind::Word if KEYWORDS.contains(&word) => "35",
            Kind::Word if is_call && known.contains(word) => "1;34",
            Kind::Word if is_call || word == "ctx" => "34",
            _ => "",
        };
        out.push_str(&text[done..piece.range.start]);
        let _ = if code.is_empty() { write!(out, "{word}") } else { write!(out, "\x1b[{code}m{word}\x1b[0m") };
        done = piece.range.end;
    }
    out.push_str(&text[done..]);
    out
}
