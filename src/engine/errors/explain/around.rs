//! The place of an error in the text of its file, and the sentences that explanations share.

use crate::{
    engine::{
        library::Docs,
        modules::Shelf,
        text::{position_of, span},
    },
    error::{Error, Kind},
};
use rhai::{ASTNode, Engine, Expr, Position, Stmt};
use std::{cell::Cell, ops::Range};

/// What an explanation may look at.
pub(super) struct Surroundings<'a> {
    pub(super) engine: &'a Engine,
    pub(super) shelf: &'a Shelf,
    /// What the library offers.
    pub(super) docs: &'a Docs,
    /// The text of the file that the error is in.
    pub(super) text: &'a str,
    /// The name of that file.
    pub(super) file: &'a str,
    /// Where in that file.
    pub(super) position: Position,
    /// A place that is more to the point, if the explanation knows one: the argument instead of the call.
    pub(super) better: Cell<Option<Position>>,
}

/// A mistake of the script.
pub(super) fn script(message: impl Into<String>) -> Error {
    Error::new(Kind::Script, message)
}

/// `error` with the hint if there is one.
pub(super) fn hinted(error: Error, hint: Option<String>) -> Error {
    match hint {
        Some(hint) => error.help(hint),
        None => error,
    }
}

/// A constant that was to be changed.
pub(super) fn constant(name: &str) -> Error {
    let name = if name.is_empty() { "a constant".to_owned() } else { format!("`{name}` is a constant: it") };
    script(format!("{name} cannot be changed")).help("what changes is kept in a variable with a name of its own: `let name = ...;`")
}

/// Rhai's words as a fragment of ours: quotes become backticks, names of types ours, the first letter small.
pub(super) fn plain(message: &str) -> String {
    let mut text = message.trim().trim_end_matches('.').replace('\'', "`");
    for (rhai, ours) in [
        ("Runtime error: ", ""),
        ("a boolean expression", "true or false"),
        ("a boolean", "true or false"),
        ("an object map", "a map"),
        ("an array", "a list"),
        ("object map literal", "map"),
        ("array literal", "list"),
        ("object map", "map"),
        ("Array", "List"),
        ("array", "list"),
        ("Expecting", "expected"),
        ("ImmutableString", "text"),
        ("&str", "text"),
        ("i64", "whole number"),
        ("f64", "number"),
    ] {
        text = text.replace(rhai, ours);
    }
    let mut letters = text.chars();
    let second_small = text.chars().nth(1).is_none_or(|c| !c.is_uppercase());
    match letters.next() {
        Some(first) if second_small => first.to_lowercase().chain(letters).collect(),
        _ => text,
    }
}

impl<'a> Surroundings<'a> {
    /// The bytes of the token at the error's place.
    pub(super) fn token(&self) -> Option<Range<usize>> {
        Some(span(self.text, self.position.line()?, self.position.position()?))
    }

    /// What follows the token at the error's place.
    pub(super) fn text_after(&self) -> &'a str {
        self.token().map_or("", |token| self.text[token.end..].trim_start())
    }

    /// Whether the call at the error's place is written `subject.name(...)`.
    pub(super) fn called_as_method(&self, name: &str) -> bool {
        self.token().is_some_and(|token| &self.text[token.clone()] == name && self.text[..token.start].trim_end().ends_with('.'))
    }

    /// Where, in the call at the error's place, the key `name` of a map literal stands. Constant maps have lost their
    /// positions when a script runs, so the text is searched.
    pub(super) fn key_after(&self, name: &str) -> Option<Position> {
        let start = self.token()?.start;
        let call = self.text[start..].split(';').next()?;
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        let (at, _) = call.match_indices(name).find(|(at, _)| {
            let after = call[at + name.len()..].trim_start_matches('"').trim_start();
            !call[..*at].ends_with(is_word) && after.starts_with(':') && !after.starts_with("::")
        })?;
        position_of(self.text, start + at)
    }

    /// Where `name(` stands in the text, if it does so once: for errors that come without a place.
    pub(super) fn only_call_of(&self, name: &str) -> Option<Position> {
        let call = format!("{name}(");
        let mut places = self.text.match_indices(&call);
        let (at, _) = places.next()?;
        if places.next().is_some() { None } else { position_of(self.text, at) }
    }

    /// Where argument number `index` of the call at the error's place begins.
    pub(super) fn argument_position(&self, index: usize) -> Option<Position> {
        let unit = self.shelf.compiled(self.file)?;
        let mut found = None;
        unit.ast.walk(&mut |nodes| {
            let call = match nodes.last() {
                Some(ASTNode::Expr(Expr::FnCall(call, at) | Expr::MethodCall(call, at)) | ASTNode::Stmt(Stmt::FnCall(call, at))) => {
                    Some((call, at))
                }
                _ => None,
            };
            if let Some((call, at)) = call
                && *at == self.position
            {
                found = call.args.get(index).map(Expr::start_position).filter(|p| !p.is_none());
            }
            found.is_none()
        });
        found
    }

    /// What a wrong argument needs: its place, and how the function is called.
    pub(super) fn argument_named(&self, argument: &str) -> Option<String> {
        let name = &self.text[self.token()?];
        let doc = self.docs.functions.iter().find(|f| f.name == name && f.params.iter().any(|p| p.name == argument))?;
        let index = doc.params.iter().position(|p| p.name == argument)?;
        let before_dot = usize::from(doc.receiver.is_none() && self.called_as_method(name));
        if let Some(index) = index.checked_sub(before_dot) {
            self.better.set(self.argument_position(index));
        }
        let receiver = if before_dot > 0 { ", and what stands before the dot is its first argument" } else { "" };
        Some(format!("it is: `{}`{receiver}", doc.signature()))
    }
}
