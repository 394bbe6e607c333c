//! What Octopus makes of `#{...}`: its template language Octostache, as the library of that name evaluates it.

mod case;
mod date;
mod escapes;
mod evaluator;
mod filters;
mod format;
mod hash;
mod json;
mod node;
mod number;
mod parser;
mod pattern;
mod text;
mod token;
mod uri;
mod version;

use jiff::Timestamp;
use node::Node;
use std::{borrow::Cow, sync::Arc};

/// Whether a text is a file, in which what cannot be parsed is left alone, or a value, which then stays raw as a whole.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Mode {
    /// The body of a script.
    File,
    /// The value of a variable.
    Value,
}

/// The variables that a text is evaluated with, by the paths that their names are, and without case.
pub(super) struct Variables {
    root: Arc<Node>,
    now: Timestamp,
    /// A name that no text can be evaluated beside.
    broken: Option<String>,
}

impl Variables {
    /// Raw values by name, in the order of the variables: the last of a name counts. `now` is what filters of dates say.
    pub(super) fn new<'v>(all: impl IntoIterator<Item = (&'v str, &'v str)>, now: Timestamp) -> Self {
        let mut root = Node::default();
        let mut broken = None;
        for (name, value) in all {
            if let Err(problem) = root.set(name, value) {
                broken.get_or_insert(problem);
            }
        }
        Self { root: Arc::new(root), now, broken }
    }
}

/// A text after its evaluation.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Evaluated<'a> {
    /// None where the filter `null` stood.
    pub(super) text: Option<Cow<'a, str>>,
    /// What stands in the text as it was written because it has no value, each once, in the order of the text.
    pub(super) missing: Vec<String>,
}

/// How much stack deep templates may take, bytes.
const STACK: usize = 64 << 20;

/// The text with its bindings resolved. An error is what the real library throws, and fails the step.
pub(super) fn evaluate<'a>(text: &'a str, mode: Mode, variables: &Variables) -> Result<Cow<'a, str>, String> {
    evaluate_noting(text, mode, variables).map(|done| done.text.unwrap_or_default())
}

/// As [`evaluate`], with what has no value.
pub(super) fn evaluate_noting<'a>(text: &'a str, mode: Mode, variables: &Variables) -> Result<Evaluated<'a>, String> {
    let raw = || Evaluated { text: Some(Cow::Borrowed(text)), missing: Vec::new() };
    if !text.contains("#{") {
        return Ok(raw());
    }
    let done = std::thread::scope(|scope| {
        let run = || evaluator::run(text, mode == Mode::File, variables);
        let thread = std::thread::Builder::new().name("octostache".to_owned()).stack_size(STACK).spawn_scoped(scope, run);
        match thread.map(std::thread::ScopedJoinHandle::join) {
            Ok(Ok(done)) => done,
            Ok(Err(panic)) => std::panic::resume_unwind(panic),
            Err(problem) => Err(format!("no thread to evaluate a template in: {problem}")),
        }
    })?;
    Ok(done.map_or_else(raw, |done| Evaluated { text: done.text.map(Cow::Owned), missing: done.missing }))
}

#[cfg(test)]
mod tests;
