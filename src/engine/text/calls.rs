//! The calls of a script: arguments, options, and what stands around.

use super::{
    Reading,
    scan::{Kind, Piece},
};
use std::ops::Range;

/// A call: `name(...)`, `value.name(...)`, `module::name(...)`.
#[derive(Debug)]
pub struct Call<'a> {
    /// The function's name.
    pub name: &'a str,
    /// Its piece.
    pub at: usize,
    /// The piece that ends the value before the dot.
    pub receiver: Option<usize>,
    /// What stands before `::`.
    pub module: Option<&'a str>,
    /// The pieces of each argument.
    pub args: Vec<Range<usize>>,
    /// The piece that closes it.
    pub close: usize,
    /// The innermost call that it is an argument of, or in a closure of, by number.
    pub parent: Option<usize>,
}

/// An entry of a map that is written out.
#[derive(Debug)]
pub struct Pair<'a> {
    /// The key without quotes.
    pub key: &'a str,
    /// Its piece.
    pub at: usize,
    /// The pieces of its value.
    pub value: Range<usize>,
}

/// All calls, in the order of their names.
pub fn calls<'a>(reading: &Reading<'a>) -> Vec<Call<'a>> {
    let mut all: Vec<Call> = Vec::new();
    // By the bracket that a call opens, its number.
    let mut by_bracket: std::collections::HashMap<usize, usize> = std::collections::HashMap::new();
    // By a bracket, the innermost call around what stands in it.
    let mut inside: Vec<Option<usize>> = vec![None; reading.pieces.len()];
    for open in 0..reading.pieces.len() {
        let around = reading.around(open).and_then(|bracket| by_bracket.get(&bracket).copied().or(inside[bracket]));
        inside[open] = around;
        if !reading.is_sign(open, "(") {
            continue;
        }
        let Some(at) = open.checked_sub(1).filter(|at| is_name(reading, *at, open)) else { continue };
        let before = at.checked_sub(1);
        let is = |sign: &str| before.is_some_and(|before| reading.is_sign(before, sign));
        let close = reading.end_of(open);
        by_bracket.insert(open, all.len());
        all.push(Call {
            name: reading.word(at),
            at,
            receiver: if reading.is_member(at) { at.checked_sub(2) } else { None },
            module: if is("::") { at.checked_sub(2).map(|module| reading.word(module)) } else { None },
            args: reading.items(open, close).collect(),
            close,
            parent: around,
        });
    }
    all
}

/// Whether piece `at` is the name of what is called with the bracket `open`.
fn is_name(reading: &Reading<'_>, at: usize, open: usize) -> bool {
    let adjoins = reading.pieces[at].kind == Kind::Word && reading.pieces[at].range.end == reading.pieces[open].range.start;
    let declared = reading.is_function_name(at);
    adjoins && !declared && !(reading.is_keyword(at) || reading.is_word(at, "catch")) | reading.is_member(at)
}

impl<'a> Reading<'a> {
    /// The entries of the map that a range of pieces is, if it is one that is written out: `#{a: 1} + more` has others too.
    pub fn map(&self, range: &Range<usize>) -> Option<Vec<Pair<'a>>> {
        if !self.is_sign(range.start, "#{") || self.end_of(range.start) + 1 < range.end {
            return None;
        }
        let close = self.end_of(range.start).min(range.end);
        let pairs = self.items(range.start, close).filter(|item| !item.is_empty()).map(|item| {
            let value = (item.start + 2).min(item.end)..item.end;
            Pair { key: self.word(item.start).trim_matches('"'), at: item.start, value }
        });
        Some(pairs.collect())
    }

    /// The text that a range of pieces is, without its quotes, if it is one that is written out.
    pub fn literal(&self, range: &Range<usize>) -> Option<&'a str> {
        let piece = self.pieces.get(range.start).filter(|piece| range.len() == 1 && piece.kind == Kind::Text && piece.closed)?;
        // `#"..."#` is one too.
        let word = piece.of(self.text).trim_matches('#');
        (word.len() >= 2 && !word.ends_with("${") && !word.starts_with('}')).then(|| &word[1..word.len() - 1])
    }

    /// The value that a range of pieces is, if it is one that is written out: a text, a number, a list or a map of such.
    pub fn value(&self, range: &Range<usize>) -> Option<rhai::Dynamic> {
        /// Longer ones are data.
        const LONGEST: usize = 1000;
        let pieces = self.pieces.get(range.clone()).filter(|pieces| !pieces.is_empty() && pieces.len() < LONGEST)?;
        let constant = |(at, piece): (usize, &Piece)| match piece.kind {
            Kind::Word => matches!(piece.of(self.text), "true" | "false") || self.is_sign(range.start + at + 1, ":"),
            Kind::Text => piece.closed && !piece.of(self.text).starts_with(['}', '\'']) && !piece.of(self.text).ends_with("${"),
            Kind::Number => true,
            Kind::Sign => matches!(piece.of(self.text), "[" | "]" | "#{" | "}" | "(" | ")" | "," | ":" | "-"),
            Kind::Comment => false,
        };
        if !pieces.iter().enumerate().all(constant) {
            return None;
        }
        let text = &self.text[pieces[0].range.start..pieces[pieces.len() - 1].range.end];
        rhai::Engine::new_raw().eval_expression(text).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_know_their_arguments_and_surroundings() {
        let text = "lock(\"a\", #{slots: 3, x: f(1, 2)}, || { wait(t); l.each(|a, b| g(a)); }); `${h(k)}`; m::n(); if (x) { }";
        let reading = Reading::new(text);
        let all = calls(&reading);
        let shown: Vec<(&str, usize, Option<&str>)> = all.iter().map(|c| (c.name, c.args.len(), c.parent.map(|i| all[i].name))).collect();
        assert_eq!(
            shown,
            [
                ("lock", 3, None),
                ("f", 2, Some("lock")),
                ("wait", 1, Some("lock")),
                ("each", 1, Some("lock")),
                ("g", 1, Some("each")),
                ("h", 1, None),
                ("n", 0, None)
            ]
        );
        assert_eq!((all[3].receiver.is_some(), all[6].module), (true, Some("m")));
        let pairs = reading.map(&all[0].args[1]).expect("a map");
        let shown: Vec<(&str, usize)> = pairs.iter().map(|pair| (pair.key, pair.value.len())).collect();
        assert_eq!(shown, [("slots", 1), ("x", 6)]);
        assert_eq!(reading.literal(&all[0].args[0]), Some("a"));
        assert_eq!(Reading::new("#\"a\"#").literal(&(0..1)), Some("a"));
        let value = |text: &str| Reading::new(text).value(&(0..Reading::new(text).pieces.len())).map(|v| v.to_string());
        assert_eq!(value("[1, -2, \"a\", #{b: true}]").as_deref(), Some("[1, -2, \"a\", #{\"b\": true}]"));
        assert_eq!(value("[1, x]"), None);
        assert_eq!(value("`a ${b}`"), None);
    }
}
