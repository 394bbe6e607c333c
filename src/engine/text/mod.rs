//! The one reader of scripts, finished or not: pieces, brackets, names in scope, calls, and the types of expressions.
//!
//! Rhai's own parser stops at the first error, keeps no ends of expressions, and knows nothing of types. Messages, completion, colours
//! and the check ask this reader instead. It reads each text once, in a time that grows with its length.

pub mod calls;
pub mod cost;
pub mod kinds;
pub mod names;
pub mod scan;

mod places;

pub use places::{line_and_column, position_of, span};

use names::Declared;
use scan::{Kind, Piece};
use std::{
    collections::{BTreeSet, HashMap},
    ops::Range,
};

/// A text that was read.
#[derive(Debug)]
pub struct Reading<'a> {
    /// The text.
    pub text: &'a str,
    /// Its pieces without comments.
    pub pieces: Vec<Piece>,
    /// For a piece that opens a bracket, the piece that closes it.
    closing: Vec<Option<usize>>,
    /// For a piece that closes a bracket, the piece that opens it.
    opening: Vec<Option<usize>>,
    /// The innermost bracket that is open around a piece.
    around: Vec<Option<usize>>,
    /// The first `,`, `;` or end of the brackets that a piece stands in, from the piece on.
    stops: Vec<usize>,
    /// The first `;` or end of the brackets.
    semicolons: Vec<usize>,
    /// Every name that the text declares, by name and in the order of the text.
    declared: HashMap<&'a str, Vec<Declared>>,
    /// Where each word stands.
    words: HashMap<&'a str, Vec<usize>>,
    /// The names of the functions (`fn`) that the text declares.
    functions: BTreeSet<&'a str>,
    /// Whether it gives `this` another value somewhere.
    assigns_this: bool,
    /// Every name that a map may have as a key: what is written before a `:`, as a text, or assigned as a member.
    keys: BTreeSet<&'a str>,
}

impl<'a> Reading<'a> {
    /// Reads a text.
    pub fn new(text: &'a str) -> Self {
        let mut pieces = scan::pieces(text);
        pieces.retain(|piece| piece.kind != Kind::Comment);
        let count = pieces.len();
        let mut reading = Self {
            text,
            pieces,
            closing: vec![None; count],
            opening: vec![None; count],
            around: vec![None; count],
            stops: vec![count; count],
            semicolons: vec![count; count],
            declared: HashMap::new(),
            words: HashMap::new(),
            functions: BTreeSet::new(),
            assigns_this: false,
            keys: BTreeSet::new(),
        };
        reading.match_brackets();
        reading.find_stops();
        for (at, piece) in reading.pieces.iter().enumerate().filter(|(_, piece)| piece.kind == Kind::Word) {
            reading.words.entry(piece.of(text)).or_default().push(at);
        }
        // Both are asked of every use of a name: what they say is found once.
        reading.functions = reading.functions().map(|function| reading.word(function.name)).collect();
        reading.assigns_this = reading.words.get("this").is_some_and(|all| all.iter().any(|at| reading.is_assigned(at + 1)));
        reading.declared = names::declared(&reading);
        reading.keys = (0..count).filter_map(|at| reading.key(at)).collect();
        reading
    }

    /// A bracket that does not fit the last open one closes the nearest that it fits, and otherwise nothing.
    fn match_brackets(&mut self) {
        let mut open: Vec<(usize, &str)> = Vec::new();
        let mut count: HashMap<&str, usize> = HashMap::new();
        for at in 0..self.pieces.len() {
            let (kind, sign) = (self.pieces[at].kind, self.word(at));
            let closes = match (kind, sign) {
                (Kind::Sign, ")") => Some(&["("][..]),
                (Kind::Sign, "]") => Some(&["["][..]),
                (Kind::Sign, "}") => Some(&["{", "#{"][..]),
                // Code in a text is a bracket too: `${ ... }`.
                (Kind::Text, _) if sign.starts_with('}') => Some(&["${"][..]),
                _ => None,
            };
            // Looked for only where there is one: what stands behind it is closed with it, so that no bracket is looked at twice.
            if let Some(fitting) = closes.filter(|fitting| fitting.iter().any(|sign| count.get(sign).is_some_and(|count| *count > 0)))
                && let Some(found) = open.iter().rposition(|(_, sign)| fitting.contains(sign))
            {
                let begin = open[found].0;
                for (_, sign) in open.drain(found..) {
                    *count.entry(sign).or_default() -= 1;
                }
                (self.closing[begin], self.opening[at]) = (Some(at), Some(begin));
            }
            self.around[at] = open.last().map(|(begin, _)| *begin);
            let opens = match (kind, sign) {
                (Kind::Sign, "(" | "[" | "{" | "#{") => sign,
                (Kind::Text, _) if sign.ends_with("${") && self.pieces[at].closed => "${",
                _ => continue,
            };
            open.push((at, opens));
            *count.entry(opens).or_default() += 1;
        }
    }

    fn find_stops(&mut self) {
        let count = self.pieces.len();
        // By the bracket that is open around: what comes next in it.
        let (mut stops, mut semicolons): (HashMap<Option<usize>, usize>, HashMap<Option<usize>, usize>) = Default::default();
        for at in (0..count).rev() {
            let around = self.around[at];
            if let Some(begin) = self.opening[at] {
                stops.insert(Some(begin), at);
                semicolons.insert(Some(begin), at);
            }
            if self.is_sign(at, ",") || self.is_sign(at, ";") {
                stops.insert(around, at);
            }
            if self.is_sign(at, ";") {
                semicolons.insert(around, at);
            }
            self.stops[at] = stops.get(&around).copied().unwrap_or(count);
            self.semicolons[at] = semicolons.get(&around).copied().unwrap_or(count);
        }
    }

    /// The text of a piece; empty behind the last one.
    pub fn word(&self, at: usize) -> &'a str {
        self.pieces.get(at).map_or("", |piece| piece.of(self.text))
    }

    /// Whether a piece is this sign.
    pub fn is_sign(&self, at: usize, sign: &str) -> bool {
        self.pieces.get(at).is_some_and(|piece| piece.kind == Kind::Sign && piece.of(self.text) == sign)
    }

    /// Whether a piece is this name or keyword.
    pub fn is_word(&self, at: usize, word: &str) -> bool {
        self.pieces.get(at).is_some_and(|piece| piece.kind == Kind::Word && piece.of(self.text) == word)
    }

    /// Whether piece `at` follows a dot: a property or a method, not a variable.
    pub fn is_member(&self, at: usize) -> bool {
        at > 0 && self.is_sign(at - 1, ".") && !(at > 1 && self.is_sign(at - 2, "."))
    }

    /// The piece that closes the bracket which piece `open` opens; behind the end, if nothing does.
    pub fn end_of(&self, open: usize) -> usize {
        self.closing.get(open).copied().flatten().unwrap_or(self.pieces.len())
    }

    /// The piece that opens the bracket which piece `close` closes.
    pub fn begin_of(&self, close: usize) -> Option<usize> {
        self.opening.get(close).copied().flatten()
    }

    /// The innermost bracket around a piece, by the piece that opens it.
    pub fn around(&self, at: usize) -> Option<usize> {
        self.around.get(at).copied().flatten()
    }

    /// The first piece from `from` on, inside of the same brackets, for which `wanted` holds; `None` at the end of the brackets.
    pub fn find_beside(&self, from: usize, wanted: impl Fn(usize) -> bool) -> Option<usize> {
        let mut at = from;
        while at < self.pieces.len() {
            if wanted(at) {
                return Some(at);
            }
            if self.begin_of(at).is_some_and(|begin| begin < from) {
                return None;
            }
            at = self.closing[at].map_or(at + 1, |close| if self.ends_in_code(close) { close } else { close + 1 });
        }
        None
    }

    /// Whether a piece ends code in a text and begins the next: `} and ${`.
    fn ends_in_code(&self, at: usize) -> bool {
        self.closing[at].is_some()
    }

    /// The pieces of a range that stand in no bracket inside of it.
    pub fn top(&self, range: Range<usize>) -> impl Iterator<Item = usize> + '_ {
        let mut next = range.start;
        std::iter::from_fn(move || {
            let at = (next < range.end).then_some(next)?;
            next = self.closing[at].filter(|close| *close > at).unwrap_or(at + 1);
            Some(at)
        })
    }

    /// Where the statement ends that piece `at` stands in: its `;`, or the end of the block.
    pub fn statement_end(&self, at: usize) -> usize {
        self.semicolons.get(at).copied().unwrap_or(self.pieces.len())
    }

    /// What stands between the commas of the brackets that `open` opens and `close` closes.
    pub fn items(&self, open: usize, close: usize) -> impl Iterator<Item = Range<usize>> + '_ {
        let mut next = open + 1;
        std::iter::from_fn(move || {
            let start = (next < close).then_some(next)?;
            // The comma between the parameters of a closure divides nothing.
            let stop = match self.closure(start) {
                Some(closure) => closure.body.end,
                None => self.stops.get(start).copied().unwrap_or(close),
            }
            .clamp(start, close);
            next = stop + 1;
            Some(start..stop)
        })
    }

    /// Whether the text declares a function of this name itself.
    pub fn declares_function(&self, name: &str) -> bool {
        self.functions.contains(name)
    }

    /// The functions (`fn`) that the text declares, in its order.
    pub fn functions(&self) -> impl Iterator<Item = Function> + '_ {
        self.words.get("fn").into_iter().flatten().filter_map(|at| self.function(*at))
    }

    /// The function that the `fn` at a piece declares: `fn name(...)`, or `fn Type.name(...)` for values of one type.
    fn function(&self, at: usize) -> Option<Function> {
        let typed = self.is_sign(at + 2, ".");
        let name = if typed { at + 3 } else { at + 1 };
        (self.is_word(at, "fn") && self.is_sign(name + 1, "(")).then_some(Function { at, name, open: name + 1, typed })
    }

    /// Whether a piece is the name of a function where it is declared.
    pub fn is_function_name(&self, at: usize) -> bool {
        let declares = |begin: Option<usize>| begin.and_then(|begin| self.function(begin)).is_some_and(|function| function.name == at);
        declares(at.checked_sub(1)) || declares(at.checked_sub(3))
    }

    /// Whether a map of this text may have the key `name`: a closure in a map is called like a function.
    pub fn is_key(&self, name: &str) -> bool {
        self.keys.contains(name)
    }

    fn key(&self, at: usize) -> Option<&'a str> {
        let word = self.word(at);
        match self.pieces[at].kind {
            Kind::Text => Some(word.trim_matches(['"', '`'])),
            Kind::Word if self.is_sign(at + 1, ":") || self.is_member(at) && self.is_assigned(at + 1) => Some(word),
            _ => None,
        }
    }

    /// The closure that begins at piece `at`: its parameters and its body.
    pub fn closure(&self, at: usize) -> Option<Closure> {
        if !self.is_sign(at, "|") || at > 0 && scan::ends_value(self.text, &self.pieces[at - 1]) && !self.is_keyword(at - 1) {
            return None;
        }
        let bar = (at + 1..self.pieces.len()).find(|next| !matches!(self.pieces[*next].kind, Kind::Word) && !self.is_sign(*next, ","))?;
        if !self.is_sign(bar, "|") {
            return None;
        }
        let parameters = (at + 1..bar).filter(|next| self.pieces[*next].kind == Kind::Word).collect();
        let body = bar + 1;
        let end = if self.is_sign(body, "{") { self.end_of(body) + 1 } else { self.stops.get(body).copied().unwrap_or(body) };
        Some(Closure { parameters, body: body..end.min(self.pieces.len()) })
    }

    /// Words behind which an expression begins.
    pub fn is_keyword(&self, at: usize) -> bool {
        const WORDS: &[&str] =
            &["if", "else", "while", "return", "throw", "in", "switch", "loop", "try", "do", "until", "let", "const", "for"];
        self.pieces.get(at).is_some_and(|piece| piece.kind == Kind::Word && WORDS.contains(&piece.of(self.text)))
    }
}

/// A function that a text declares.
#[derive(Clone, Copy, Debug)]
pub struct Function {
    /// Its `fn`.
    pub at: usize,
    /// Piece that is the name of the function.
    pub name: usize,
    /// The bracket before its parameters.
    pub open: usize,
    /// Whether it is one of a type: `fn Task.label()`.
    pub typed: bool,
}

/// A closure that is written out: `|a, b| body`.
#[derive(Debug)]
pub struct Closure {
    /// The pieces of its parameters.
    pub parameters: Vec<usize>,
    /// The pieces of its body.
    pub body: Range<usize>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_are_matched_also_in_texts_and_when_one_is_missing() {
        let text = "f(`a ${g([1])} b ${h} c`, #{x: {1}}";
        let reading = Reading::new(text);
        let at = |word: &str| (0..reading.pieces.len()).find(|at| reading.word(*at) == word).expect("there");
        assert_eq!(reading.around(at("g")), Some(at("`a ${")));
        assert_eq!(reading.around(at("h")), Some(at("} b ${")));
        assert_eq!(reading.word(reading.end_of(at("["))), "]");
        assert_eq!(reading.end_of(at("(")), reading.pieces.len());
        assert_eq!(reading.around(at("x")), Some(at("#{")));
    }

    #[test]
    fn closures_have_parameters_and_a_body() {
        let text = "a.map(|x, y| f(x, 1) + y, 2); if a || b { || c } else { d | e }";
        let reading = Reading::new(text);
        let closures: Vec<Closure> = (0..reading.pieces.len()).filter_map(|at| reading.closure(at)).collect();
        let shown: Vec<(usize, String)> = closures
            .iter()
            .map(|c| (c.parameters.len(), c.body.clone().map(|at| reading.word(at)).collect::<Vec<_>>().join(" ")))
            .collect();
        assert_eq!(shown, [(2, "f ( x , 1 ) + y".to_owned()), (0, "c".to_owned())]);
    }
}
