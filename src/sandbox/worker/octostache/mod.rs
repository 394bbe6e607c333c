//! What Octopus makes of `#{...}`: its template language Octostache, as the library of that name evaluates it.

mod case;
mod date;
mod done;
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

/// The body of a script after its evaluation.
pub(super) struct EvaluatedBody {
    pub(super) text: String,
    /// What the log says of parts that have no value.
    pub(super) note: Option<String>,
}

/// Why a text cannot be evaluated, and with which code the part of the server at the agent ends then.
pub(super) struct Unevaluated {
    pub(super) text: String,
    pub(super) code: u8,
    /// The level of the text in the log.
    pub(super) level: &'static str,
}

impl From<String> for Unevaluated {
    /// What the library throws: of a loop the log speaks by the way only.
    fn from(text: String) -> Self {
        let (code, level) = if text.starts_with("RecursiveDefinitionException") { (101, "Verbose") } else { (100, "Error") };
        Self { text, code, level }
    }
}

/// Evaluates the body of a script. Parts without a value are noted; they fail the step where a variable says so.
pub(super) fn evaluate_body(body: &str, file: &str, variables: &Variables) -> Result<EvaluatedBody, Unevaluated> {
    let done = evaluate_noting(body, Mode::File, variables)?;
    let text = done.text.unwrap_or_default().into_owned();
    if done.missing.is_empty() {
        return Ok(EvaluatedBody { text, note: None });
    }
    let note = format!("Parsing file '{file}' with Octostache returned the following error: `{}`", left(&done.missing));
    let fails = evaluate("#{OctopusShouldFailDeploymentOnSubstitutionFails}", Mode::Value, variables)?;
    if fails.trim().eq_ignore_ascii_case("true") {
        return Err(Unevaluated { text: note, code: 1, level: "Error" });
    }
    Ok(EvaluatedBody { text, note: Some(note) })
}

/// What the library says of parts without a value.
fn left(missing: &[String]) -> String {
    let missing: Vec<String> = missing.iter().map(|one| format!("'{one}'")).collect();
    format!("The following tokens were unable to be evaluated: {}", missing.join(", "))
}

#[cfg(test)]
mod tests;
