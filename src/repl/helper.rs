//! What the line editor asks while a person types.

use super::{colours, complete, cursor, names::Names};
use crate::engine::{scene::Scene, session::is_unfinished};
use parking_lot::RwLock;
use rustyline::{
    Context,
    completion::{Completer, Pair},
    highlight::{CmdKind, Highlighter},
    hint::{Hint, Hinter},
    validate::{ValidationContext, ValidationResult, Validator},
};
use std::{borrow::Cow, sync::Arc};

/// Answers from what is known; clones know the same.
#[derive(Clone)]
pub struct Helper {
    scene: Arc<RwLock<Scene>>,
    names: Names,
    /// Commands, each with what it does.
    commands: &'static [(&'static str, &'static str)],
    colour: bool,
}

impl Helper {
    /// A helper that goes by `scene` and asks the server through `names`.
    pub fn new(scene: Scene, names: Names, commands: &'static [(&'static str, &'static str)], colour: bool) -> Self {
        Self { scene: Arc::new(RwLock::new(scene)), names, commands, colour }
    }

    /// Changes what it goes by.
    pub fn update(&self, change: impl FnOnce(&mut Scene)) {
        change(&mut self.scene.write());
    }

    /// The names that the server knows.
    pub fn names(&self) -> &Names {
        &self.names
    }

    /// What the text `line` with the cursor at `position` can be completed to: where the part to replace begins, and by what.
    pub fn candidates(&self, line: &str, position: usize) -> (usize, Vec<Pair>) {
        complete::complete(&line[..position], &line[position..], &self.scene.read(), &self.names, self.commands)
    }
}

/// A hint that is only read: a signature is no text to take over.
pub struct Signature(String);

impl Hint for Signature {
    fn display(&self) -> &str {
        &self.0
    }
    fn completion(&self) -> Option<&str> {
        None
    }
}

impl rustyline::Helper for Helper {}

impl Completer for Helper {
    type Candidate = Pair;

    fn complete(&self, line: &str, position: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<Pair>)> {
        Ok(self.candidates(line, position))
    }
}

impl Hinter for Helper {
    type Hint = Signature;

    fn hint(&self, line: &str, position: usize, _: &Context<'_>) -> Option<Signature> {
        let at_end = position == line.len();
        at_end.then(|| cursor::signature_at(line, &self.scene.read()).map(Signature)).flatten()
    }
}

impl Highlighter for Helper {
    fn highlight<'l>(&self, line: &'l str, _: usize) -> Cow<'l, str> {
        if self.colour { Cow::Owned(colours::coloured(line, &self.scene.read())) } else { Cow::Borrowed(line) }
    }

    fn highlight_hint<'h>(&self, hint: &'h str) -> Cow<'h, str> {
        if self.colour { Cow::Owned(format!("\x1b[2m{hint}\x1b[0m")) } else { Cow::Borrowed(hint) }
    }

    fn highlight_char(&self, _: &str, _: usize, kind: CmdKind) -> bool {
        self.colour && kind != CmdKind::MoveCursor
    }
}

impl Validator for Helper {
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        let input = context.input();
        let open = !input.trim_start().starts_with(':') && is_unfinished(input);
        Ok(if open { ValidationResult::Incomplete } else { ValidationResult::Valid(None) })
    }
}
