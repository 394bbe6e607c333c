//! Types of expressions, as far as their text tells. What cannot be known has no type: a wrong guess would be a wrong finding.

use super::{
    Reading,
    names::Holds,
    scan::{Kind, ends_value},
};
use crate::engine::scene::Scene;
use std::{cell::RefCell, collections::HashMap, ops::Range};

/// Functions of a list that return a list of the same things.
const KEEPS_ITEMS: &[&str] = &["filter", "extract", "drain", "splice", "retain", "chop"];

/// Functions of a list that call a closure with one item after the other, as its first argument.
const GIVE_ITEMS: &[&str] =
    &["map", "filter", "all", "some", "find", "find_map", "index_of", "drain", "retain", "parallel", "rollout", "in_order"];

/// Functions of Rhai's own whose result does not depend on what they are given.
const RESULTS: &[(&str, &str)] = &[
    ("len", "whole number"),
    ("keys", "list of text"),
    ("to_string", "text"),
    ("contains", "true or false"),
    ("starts_with", "true or false"),
    ("ends_with", "true or false"),
    ("is_empty", "true or false"),
];

/// Types of Rhai's own, in words of users.
const PLAIN: &[&str] = &["text", "true or false", "whole number", "number", "map", "list", "duration", "closure", "bytes"];

/// Expressions are followed so deep: each step is a function call.
const DEEPEST: usize = 200;

/// The types of the expressions of one text.
#[derive(Debug)]
pub struct Kinds<'r, 'a> {
    reading: &'r Reading<'a>,
    scene: &'r Scene,
    /// What is known by the piece that an expression ends with. While it is being found out, nothing is.
    known: RefCell<HashMap<usize, Option<String>>>,
    depth: RefCell<usize>,
}

impl<'r, 'a> Kinds<'r, 'a> {
    /// Those of `reading`, which names what is in `scene`.
    pub fn new(reading: &'r Reading<'a>, scene: &'r Scene) -> Self {
        Self { reading, scene, known: RefCell::default(), depth: RefCell::default() }
    }

    /// The type of the value that ends with piece `end`: a name, a literal, a call, a member.
    pub fn ending(&self, end: usize) -> Option<String> {
        if let Some(known) = self.known.borrow().get(&end) {
            return known.clone();
        }
        if *self.depth.borrow() >= DEEPEST {
            return None;
        }
        self.known.borrow_mut().insert(end, None);
        *self.depth.borrow_mut() += 1;
        let found = self.find(end);
        *self.depth.borrow_mut() -= 1;
        self.known.borrow_mut().insert(end, found.clone());
        found
    }

    /// The type of the expression that a range of pieces is.
    pub fn of(&self, range: &Range<usize>) -> Option<String> {
        let reading = self.reading;
        let last = range.end.checked_sub(1).filter(|last| *last >= range.start)?;
        if reading.is_sign(range.start, "(") && reading.end_of(range.start) == last {
            return self.of(&(range.start + 1..last));
        }
        if reading.closure(range.start).is_some_and(|closure| closure.body.end == range.end) {
            return Some("closure".to_owned());
        }
        let starts_with_sign = reading.is_sign(range.start, "!");
        let (mut compares, mut computes) = (starts_with_sign, false);
        let mut before: Option<usize> = None;
        for at in reading.top(range.clone()) {
            let sign = reading.word(at);
            match reading.pieces[at].kind {
                Kind::Sign => match sign {
                    "=" | "<" | ">" => compares = true,
                    // `name!(...)` is a call.
                    "!" if at > range.start && reading.is_sign(at + 1, "(") => computes = true,
                    "!" if at > range.start => compares = true,
                    "&" | "|" if reading.is_sign(at + 1, sign) => compares = true,
                    "+" | "-" | "*" | "/" | "%" | "^" | "?" | ":" | ";" | "," => computes = true,
                    "&" | "|" if before.is_none_or(|before| !reading.is_sign(before, sign)) => computes = true,
                    "." if before.is_some_and(|before| reading.is_sign(before, ".")) => computes = true,
                    _ => {}
                },
                Kind::Word if reading.is_member(at) => {}
                Kind::Word if sign == "in" => compares = true,
                Kind::Word if reading.is_keyword(at) || matches!(sign, "is_def_var" | "this") => return None,
                // Two values beside each other are no expression.
                _ if before.is_some_and(|before| ends_value(reading.text, &reading.pieces[before])) && reading.begin_of(at).is_none() => {
                    return None;
                }
                _ => {}
            }
            before = Some(at);
        }
        match (compares, computes) {
            // `a + b > c` is a comparison, `a > b ?? c` is not known.
            (true, _) if !(range.start..range.end).any(|at| reading.is_sign(at, "?")) => Some("true or false".to_owned()),
            (false, false) => self.ending(last),
            _ => None,
        }
    }

    /// What a function returns, of the types that are known.
    fn returned(&self, words: &str) -> Option<String> {
        let words = match words {
            "list of texts" => "list of text",
            words => words,
        };
        let item = words.strip_prefix("list of ").unwrap_or(words);
        (PLAIN.contains(&item) || self.scene.type_named(item).is_some()).then(|| words.to_owned())
    }

    fn find(&self, end: usize) -> Option<String> {
        let reading = self.reading;
        let piece = reading.pieces.get(end)?;
        match (piece.kind, reading.word(end)) {
            (Kind::Text, text) => (!text.starts_with('\'')).then(|| "text".to_owned()),
            (Kind::Number, number) => Some(if number.contains('.') { "number" } else { "whole number" }.to_owned()),
            (Kind::Word, "true" | "false") if !reading.is_member(end) => Some("true or false".to_owned()),
            (Kind::Sign, ")") => self.called(end),
            (Kind::Sign, "}") => reading.begin_of(end).filter(|open| reading.is_sign(*open, "#{")).map(|_| "map".to_owned()),
            (Kind::Sign, "]") => {
                let open = reading.begin_of(end)?;
                if reading.is_sign(open.wrapping_sub(1), "?") {
                    return None;
                }
                match open.checked_sub(1).filter(|at| ends_value(reading.text, &reading.pieces[*at]) && !reading.is_keyword(*at)) {
                    Some(list) => item_of(&self.ending(list)?),
                    None => Some(self.written_list(open, end)),
                }
            }
            (Kind::Word, name) if reading.is_member(end) => {
                let of = self.ending(end.checked_sub(2)?)?;
                let property = self.scene.type_named(&of)?.properties.iter().find(|property| property.name == name)?;
                self.returned(property.kind)
            }
            (Kind::Word, name) => match reading.declaration(end) {
                Some(declared) => {
                    let changed = reading.is_changed(declared);
                    let kind = match &declared.holds {
                        Holds::Value(range) => self.of(range),
                        Holds::Item(range) => item_of(&self.of(range)?),
                        Holds::Given(bar, number) => self.given(*bar, *number),
                        Holds::Unknown => None,
                    };
                    // A list to which something is added stays a list, of anything.
                    if changed { kind.filter(|kind| kind.starts_with("list")).map(|_| "list".to_owned()) } else { kind }
                }
                None if name == "ctx" => Some("Context".to_owned()),
                None => {
                    let known = self.scene.variables.iter().find(|variable| variable.name == name);
                    known.map(|variable| variable.kind.clone())
                }
            },
            _ => None,
        }
    }

    /// A list that is written out: of what all of its items are.
    fn written_list(&self, open: usize, end: usize) -> String {
        let mut kinds = self.reading.items(open, end).map(|item| self.of(&item));
        match kinds.next() {
            Some(Some(first)) if kinds.all(|kind| kind.as_ref() == Some(&first)) => format!("list of {first}"),
            _ => "list".to_owned(),
        }
    }

    /// What the call that ends with piece `end` returns.
    fn called(&self, end: usize) -> Option<String> {
        let reading = self.reading;
        let open = reading.begin_of(end)?;
        let Some(name) = open.checked_sub(1).filter(|at| reading.pieces[*at].kind == Kind::Word && !reading.is_keyword(*at)) else {
            let called = reading.is_sign(open.wrapping_sub(1), "!") && open > 1 && ends_value(reading.text, &reading.pieces[open - 2]);
            return if called { None } else { self.of(&(open + 1..end)) };
        };
        let function = reading.word(name);
        let of = if reading.is_member(name) { Some(self.ending(name.checked_sub(2)?)) } else { None };
        if reading.is_sign(name.wrapping_sub(1), "::") || reading.declares_function(function) {
            return None;
        }
        if let Some(Some(list)) = of.as_ref().filter(|of| of.as_ref().is_some_and(|of| of.starts_with("list"))) {
            if KEEPS_ITEMS.contains(&function) {
                return Some(list.clone());
            }
            if function == "map" {
                return Some(self.list_of_results(open));
            }
        }
        if function == "split" {
            return (of == Some(Some("text".to_owned()))).then(|| "list of text".to_owned());
        }
        // A method of a value of unknown type may be any, and that of a map may be a closure in it.
        if of.as_ref().is_some_and(|of| of.as_deref().is_none_or(|of| of == "map")) {
            if reading.is_key(function) {
                return None;
            }
            return RESULTS.iter().find(|(name, _)| *name == function).map(|(_, result)| (*result).to_owned());
        }
        let of = of.flatten();
        let Some(entry) = self.scene.called(function, of.as_deref()).first().copied() else {
            return RESULTS.iter().find(|(name, _)| *name == function).map(|(_, result)| (*result).to_owned());
        };
        match (entry.returns(), function) {
            // `wait(t)` and `t.wait()` give `t`.
            ("what it was given", _) => match of {
                Some(of) => Some(of),
                None => self.of(&reading.items(open, end).next()?),
            },
            (_, "parallel") => Some(self.list_of_results(open)),
            (_, "param") => {
                let mut arguments = reading.items(open, end).skip(1);
                let default = self.of(&arguments.next()?)?;
                (arguments.next().is_none() && matches!(default.as_str(), "text" | "true or false")).then_some(default)
            }
            (returns, _) => self.returned(returns),
        }
    }

    /// A list of what the closure in a call returns.
    fn list_of_results(&self, open: usize) -> String {
        let closure = self.reading.items(open, self.reading.end_of(open)).find_map(|item| self.reading.closure(item.start));
        let result = closure.filter(|closure| !self.reading.is_sign(closure.body.start, "{")).and_then(|closure| self.of(&closure.body));
        result.map_or_else(|| "list".to_owned(), |kind| format!("list of {kind}"))
    }

    /// What the parameter with this number of the closure at piece `bar` is given.
    fn given(&self, bar: usize, number: usize) -> Option<String> {
        let reading = self.reading;
        let mut open = reading.around(bar)?;
        if number > 0 {
            return None;
        }
        if reading.is_sign(open, "#{") {
            let (key, call) = (reading.word(bar.checked_sub(2)?), reading.around(open)?);
            return match (key, reading.is_sign(call, "(")) {
                ("on_interrupt", true) => Some("Interruption".to_owned()),
                ("on_approval", true) => Some("Approval".to_owned()),
                ("on_timeout", true) => Some("list of Task".to_owned()),
                _ => None,
            };
        }
        if !reading.is_sign(open, "(") {
            return None;
        }
        let name = open.checked_sub(1).filter(|at| reading.pieces[*at].kind == Kind::Word)?;
        let function = reading.word(name);
        if reading.declares_function(function) {
            return None;
        }
        if function == "saga" {
            return Some("Saga".to_owned());
        }
        if !GIVE_ITEMS.contains(&function) || function == "in_order" {
            return None;
        }
        let item = if reading.is_member(name) {
            item_of(&self.ending(name.checked_sub(2)?)?)?
        } else {
            open += 1;
            item_of(&self.of(&(open..reading.stops.get(open).copied()?))?)?
        };
        match item_of(&item) {
            // `rollout` goes through lists of lists wave by wave.
            Some(inner) if function == "rollout" => Some(inner),
            None if function == "rollout" && item == "list" => None,
            _ => Some(item),
        }
    }
}

/// What a list of this type has in it.
fn item_of(kind: &str) -> Option<String> {
    kind.strip_prefix("list of ").map(|item| item.trim_end_matches(" or text").to_owned())
}
