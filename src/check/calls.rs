//! The calls of a script, as its text has them: arguments, options, and what stands around.

use crate::engine::scan::{Kind, Piece};
use std::ops::Range;

/// A call: `name(...)`, `value.name(...)`, `module::name(...)`.
#[derive(Debug)]
pub(super) struct Call<'a> {
    /// The function's name.
    pub(super) name: &'a str,
    /// Its piece.
    pub(super) at: usize,
    /// The piece that ends the value before the dot.
    pub(super) receiver: Option<usize>,
    /// What stands before `::`.
    pub(super) module: Option<&'a str>,
    /// The pieces of each argument.
    pub(super) args: Vec<Range<usize>>,
    /// The piece that closes it.
    pub(super) close: usize,
    /// The calls that it is an argument of, or in a closure of; by number, the innermost first.
    pub(super) inside: Vec<usize>,
}

/// An entry of a map that is written out.
#[derive(Debug)]
pub(super) struct Pair<'a> {
    pub(super) key: &'a str,
    pub(super) at: usize,
    pub(super) value: Range<usize>,
}

/// All calls, in the order of their names.
pub(super) fn calls<'a>(text: &'a str, pieces: &[Piece]) -> Vec<Call<'a>> {
    let word = |at: usize| pieces.get(at).map_or("", |piece| piece.of(text));
    let mut all: Vec<Call> = Vec::new();
    // Open brackets: which call each opens, if one.
    let mut open: Vec<Option<usize>> = Vec::new();
    let mut begun: Vec<usize> = Vec::new();
    for (at, piece) in pieces.iter().enumerate() {
        let sign = piece.of(text);
        if piece.kind == Kind::Text {
            if sign.starts_with('}') {
                open.pop();
                begun.pop();
            }
            if sign.ends_with("${") {
                open.push(None);
                begun.push(at + 1);
            }
        }
        if piece.kind != Kind::Sign {
            continue;
        }
        match sign {
            "(" => {
                let named = at > 0 && pieces[at - 1].kind == Kind::Word && pieces[at - 1].range.end == piece.range.start;
                let declared = at > 1 && word(at - 2) == "fn";
                let keyword = ["if", "while", "for", "switch", "catch", "return", "in", "until"].contains(&word(at.wrapping_sub(1)));
                if named && !declared && !keyword {
                    let before = at.checked_sub(2).map_or("", word);
                    all.push(Call {
                        name: word(at - 1),
                        at: at - 1,
                        receiver: (before == ".").then(|| at.checked_sub(3)).flatten(),
                        module: (before == "::").then(|| at.checked_sub(3).map(word)).flatten(),
                        args: Vec::new(),
                        close: pieces.len(),
                        inside: open.iter().rev().copied().flatten().collect(),
                    });
                    open.push(Some(all.len() - 1));
                } else {
                    open.push(None);
                }
                begun.push(at + 1);
            }
            "[" | "{" | "#{" => {
                open.push(None);
                begun.push(at + 1);
            }
            ")" | "]" | "}" => {
                let start = begun.pop().unwrap_or(at);
                if let Some(Some(call)) = open.pop() {
                    if start < at {
                        all[call].args.push(start..at);
                    }
                    all[call].close = at;
                }
            }
            "," => {
                if let (Some(Some(call)), Some(start)) = (open.last().copied(), begun.last_mut()) {
                    // The comma between a closure's parameters separates no arguments.
                    if !in_bars(text, pieces, *start, at) {
                        all[call].args.push(*start..at);
                        *start = at + 1;
                    }
                }
            }
            _ => {}
        }
    }
    all
}

/// Whether piece `at` stands between the bars of a closure that begins at `start`: `|a, b| ...`.
fn in_bars(text: &str, pieces: &[Piece], start: usize, at: usize) -> bool {
    pieces[start].of(text) == "|" && pieces[start..at].iter().filter(|piece| piece.of(text) == "|").count() == 1
}

/// The entries of the map that an argument is; none when it is no map that is written out.
pub(super) fn map<'a>(text: &'a str, pieces: &[Piece], argument: &Range<usize>) -> Option<Vec<Pair<'a>>> {
    if pieces.get(argument.start)?.of(text) != "#{" {
        return None;
    }
    let mut pairs: Vec<Pair> = Vec::new();
    let (mut depth, mut fresh) = (0_usize, true);
    let inside = argument.start + 1..argument.end.saturating_sub(1).max(argument.start + 1);
    for (at, piece) in inside.clone().zip(&pieces[inside]) {
        match piece.of(text) {
            "(" | "[" | "{" | "#{" if piece.kind == Kind::Sign => depth += 1,
            ")" | "]" | "}" if piece.kind == Kind::Sign => depth = depth.saturating_sub(1),
            "," if depth == 0 && piece.kind == Kind::Sign => {
                fresh = true;
                continue;
            }
            key if fresh && matches!(piece.kind, Kind::Word | Kind::Text) => {
                pairs.push(Pair { key: key.trim_matches('"'), at, value: at + 2..at + 2 });
                fresh = false;
            }
            _ => {}
        }
        if let Some(last) = pairs.last_mut()
            && at >= last.value.start
        {
            last.value.end = at + 1;
        }
    }
    Some(pairs)
}

/// The text of a piece that is a text by itself, without its quotes.
pub(super) fn literal<'a>(text: &'a str, pieces: &[Piece], range: &Range<usize>) -> Option<&'a str> {
    let piece = pieces.get(range.start).filter(|piece| range.len() == 1 && piece.kind == Kind::Text && piece.closed)?;
    // `#"..."#` is one too.
    let word = piece.of(text).trim_matches('#');
    (word.len() >= 2 && !word.ends_with("${")).then(|| &word[1..word.len() - 1])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::scan;

    #[test]
    fn calls_know_their_arguments_and_surroundings() {
        let text = "lock(\"a\", #{slots: 3, x: f(1, 2)}, || { wait(t); l.each(|a, b| g(a)); }); `${h(k)}`; m::n()";
        let pieces = scan::pieces(text);
        let all = calls(text, &pieces);
        let shown: Vec<(&str, usize, Vec<&str>)> =
            all.iter().map(|c| (c.name, c.args.len(), c.inside.iter().map(|i| all[*i].name).collect())).collect();
        assert_eq!(
            shown,
            [
                ("lock", 3, vec![]),
                ("f", 2, vec!["lock"]),
                ("wait", 1, vec!["lock"]),
                ("each", 1, vec!["lock"]),
                ("g", 1, vec!["each", "lock"]),
                ("h", 1, vec![]),
                ("n", 0, vec![])
            ]
        );
        assert_eq!((all[3].receiver.is_some(), all[6].module), (true, Some("m")));
        let pairs = map(text, &pieces, &all[0].args[1]).expect("a map");
        let shown: Vec<(&str, usize)> = pairs.iter().map(|pair| (pair.key, pair.value.len())).collect();
        assert_eq!(shown, [("slots", 1), ("x", 6)]);
        assert_eq!(literal(text, &pieces, &all[0].args[0]), Some("a"));
        assert_eq!(literal("#\"a\"#", &scan::pieces("#\"a\"#"), &(0..1)), Some("a"));
    }
}
