//! Names that a script declares: what each means, and where it can be seen.

use super::{Reading, scan::Kind};
use std::{collections::HashMap, ops::Range};

/// A name that a script declares.
#[derive(Clone, Debug)]
pub struct Declared {
    /// Its piece.
    pub at: usize,
    /// The pieces from which it can be seen.
    pub scope: Range<usize>,
    /// What it holds.
    pub holds: Holds,
}

/// What a name holds when it is declared.
#[derive(Clone, Debug)]
pub enum Holds {
    /// The value of these pieces.
    Value(Range<usize>),
    /// Each item of the list that these pieces are.
    Item(Range<usize>),
    /// What a closure is given: the piece with which the closure begins, and the number of the parameter.
    Given(usize, usize),
    /// Nothing that the text says: a parameter of a function, an error, a module.
    Unknown,
}

/// Every declared name.
pub(super) fn declared<'a>(reading: &Reading<'a>) -> HashMap<&'a str, Vec<Declared>> {
    let mut all: HashMap<&'a str, Vec<Declared>> = HashMap::new();
    let mut add = |at: usize, scope: Range<usize>, holds: Holds| {
        if reading.pieces.get(at).is_some_and(|piece| piece.kind == Kind::Word) {
            all.entry(reading.word(at)).or_default().push(Declared { at, scope, holds });
        }
    };
    let end = reading.pieces.len();
    for at in 0..end {
        if let Some(closure) = reading.closure(at) {
            for (number, parameter) in closure.parameters.iter().enumerate() {
                add(*parameter, closure.body.clone(), Holds::Given(at, number));
            }
        }
        if reading.pieces[at].kind != Kind::Word || reading.is_member(at) {
            continue;
        }
        match reading.word(at) {
            "let" | "const" => {
                let stop = reading.statement_end(at);
                let holds = if reading.is_sign(at + 2, "=") { Holds::Value(at + 3..stop) } else { Holds::Unknown };
                add(at + 1, stop..block_end(reading, at), holds);
            }
            "for" => {
                let Some(within) = reading.find_beside(at + 1, |next| reading.is_word(next, "in")) else { continue };
                let Some(open) = reading.find_beside(within + 1, |next| reading.is_sign(next, "{")) else { continue };
                let scope = open..reading.end_of(open);
                if reading.is_sign(at + 1, "(") {
                    add(at + 2, scope.clone(), Holds::Item(within + 1..open));
                    add(at + 4, scope, Holds::Unknown);
                } else {
                    add(at + 1, scope, Holds::Item(within + 1..open));
                }
            }
            "fn" => {
                let Some(function) = reading.function(at) else { continue };
                let close = reading.end_of(function.open);
                let body = close + 1..reading.end_of(close + 1);
                (function.open + 1..close).for_each(|parameter| add(parameter, body.clone(), Holds::Unknown));
            }
            "catch" if reading.is_sign(at + 1, "(") => add(at + 2, at + 4..reading.end_of(at + 4), Holds::Unknown),
            "as" => add(at + 1, at + 1..block_end(reading, at), Holds::Unknown),
            _ => {}
        }
    }
    all
}

/// Where the brackets end that piece `at` stands in.
fn block_end(reading: &Reading<'_>, at: usize) -> usize {
    reading.around(at).map_or(reading.pieces.len(), |open| reading.end_of(open))
}

impl Reading<'_> {
    /// What the variable at piece `at` means: the last declaration of its name that can be seen there.
    pub fn declaration(&self, at: usize) -> Option<&Declared> {
        let all = self.declared.get(self.word(at))?;
        let before = all.partition_point(|declared| declared.at < at);
        let found = all[..before].iter().rev().find(|declared| declared.scope.contains(&at))?;
        // A function sees nothing from outside.
        let function = self.function_around(at);
        (function.is_none_or(|body| declared_in(found, &body))).then_some(found)
    }

    /// Each name that the text declares, once, in the order of the alphabet.
    pub fn declared_names(&self) -> impl Iterator<Item = &str> {
        self.declared.keys().copied().collect::<std::collections::BTreeSet<_>>().into_iter()
    }

    /// The body of the function (`fn`) around a piece.
    fn function_around(&self, at: usize) -> Option<Range<usize>> {
        let functions = self.words.get("fn")?;
        let before = functions.partition_point(|declared| *declared < at);
        // Functions do not stand in each other: the last one that begins before the piece is the only one that may hold it.
        let function = self.function(*functions[..before].last()?)?;
        let close = self.end_of(function.open);
        let whole = function.at..self.end_of(close + 1);
        whole.contains(&at).then_some(whole)
    }

    /// Whether a variable is given another value, or its list is changed, anywhere that sees it.
    pub fn is_changed(&self, declared: &Declared) -> bool {
        const CHANGES: &[&str] = &["push", "insert", "append", "pad", "set", "splice", "mixin", "fill_with"];
        let uses = self.words.get(self.word(declared.at)).map_or(&[][..], Vec::as_slice);
        let from = uses.partition_point(|at| *at < declared.scope.start);
        uses[from..].iter().take_while(|at| **at < declared.scope.end).any(|at| {
            if self.is_member(*at) {
                return false;
            }
            let mut next = at + 1;
            while self.is_sign(next, "[") {
                next = self.end_of(next) + 1;
            }
            if self.is_sign(next, ".") {
                let method = self.word(next + 1);
                return CHANGES.contains(&method) || self.is_assigned(next + 2) || self.may_assign_this(method, next + 2);
            }
            self.is_assigned(next)
        })
    }

    /// The pieces of the map that the variable at a piece was declared with, if nothing looks into the variable or changes it.
    pub fn map_of_variable(&self, at: usize) -> Option<Range<usize>> {
        let declared = self.declaration(at)?;
        let Holds::Value(range) = &declared.holds else { return None };
        let uses = self.words.get(self.word(at)).map_or(&[][..], Vec::as_slice);
        let mut seen = uses[uses.partition_point(|use_at| *use_at < declared.scope.start)..].iter().filter(|at| !self.is_member(**at));
        let is_left_alone = |at: &usize| {
            *at >= declared.scope.end || [".", "[", "?"].iter().all(|sign| !self.is_sign(at + 1, sign)) && !self.is_assigned(at + 1)
        };
        (self.is_sign(range.start, "#{") && self.end_of(range.start) + 1 == range.end && seen.all(is_left_alone)).then(|| range.clone())
    }

    /// Whether a method may give the value before its dot, or the items of that list, another value: with `this = ...`.
    fn may_assign_this(&self, method: &str, open: usize) -> bool {
        if !self.assigns_this {
            return false;
        }
        let assigned = |within: Range<usize>| {
            let all = self.words.get("this").map_or(&[][..], Vec::as_slice);
            let from = all.partition_point(|at| *at < within.start);
            all[from..].iter().take_while(|at| within.contains(at)).any(|at| self.is_assigned(at + 1))
        };
        method == "for_each" && assigned(open..self.end_of(open)) || self.declares_function(method)
    }

    /// Whether `=`, `+=` or the like stands at a piece.
    pub(super) fn is_assigned(&self, at: usize) -> bool {
        let adjoins = |at: usize| self.pieces.get(at).zip(self.pieces.get(at + 1)).is_some_and(|(a, b)| a.range.end == b.range.start);
        if self.is_sign(at, "=") {
            return !(adjoins(at) && (self.is_sign(at + 1, "=") || self.is_sign(at + 1, ">")));
        }
        let operator = ["+", "-", "*", "/", "%", "&", "|", "^", "<", ">"].iter().any(|sign| self.is_sign(at, sign));
        let compares = self.is_sign(at, "<") || self.is_sign(at, ">");
        operator && !compares && adjoins(at) && self.is_sign(at + 1, "=")
    }
}

fn declared_in(declared: &Declared, body: &Range<usize>) -> bool {
    body.contains(&declared.at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_means_its_last_declaration_that_is_in_sight() {
        let text = "let a = 1; for a in b { a; } a; { let a = 2; a; } a; x.map(|a| a); fn f(a) { a; b } let b = 3; a;";
        let reading = Reading::new(text);
        let line = |at: usize| match reading.declaration(at) {
            None => "none".to_owned(),
            Some(found) => format!("{}{}", format!("{:?}", found.holds).split('(').next().expect("a word"), found.at),
        };
        let uses: Vec<String> = (0..reading.pieces.len())
            .filter(|at| reading.word(*at) == "a" && !reading.declared["a"].iter().any(|d| d.at == *at))
            .map(line)
            .collect();
        assert_eq!(uses, ["Item6", "Value1", "Value17", "Value1", "Given31", "Unknown39", "Value1"]);
    }
}
