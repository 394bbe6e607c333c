//! A script that did not compile or did not end well: what happened, where, and how that is drawn.

use super::{explain::Explainer, thrown};
use crate::{
    engine::{modules::Unit, text::span},
    error::Error,
    secrets::Redactor,
    tame,
};
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use rhai::{Engine, EvalAltResult, Position};
use serde_json::{Map, Value, json};
use std::{collections::BTreeMap, ops::Range};

/// More frames than this are not drawn.
const DRAWN: usize = 7;

/// What a closure is called in a [`StackFrame`].
const CLOSURE: &str = "closure";

/// A script that did not compile or did not end well, with all that is known about where and why.
#[derive(Clone, Debug)]
pub struct Failure {
    /// What happened.
    pub error: Error,
    /// Where, the innermost place first; then the calls that led there. Empty when no place is known.
    pub trace: Vec<StackFrame>,
    /// The text of each file in the trace.
    texts: BTreeMap<String, String>,
}

/// A place in a script, of the innermost one and of the calls that led there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StackFrame {
    /// The file, as the user wrote it; `std/...` for an embedded one.
    pub file: String,
    /// Counts from 1.
    pub line: usize,
    /// Counts from 1, in characters.
    pub column: usize,
    /// The function that the place is in, `closure` for one without a name; `None` at the top level of a file.
    pub function: Option<String>,
}

/// What is marked in a file, and what stands beside it.
type Mark = (Range<usize>, Option<String>);

impl From<Error> for Failure {
    /// A failure that has no place in a script.
    fn from(error: Error) -> Self {
        Self { error, trace: Vec::new(), texts: BTreeMap::new() }
    }
}

impl Failure {
    /// What a Rhai error means; `file` is where the outermost frame is.
    pub(in crate::engine) fn new(error: EvalAltResult, file: &str, engine: &Engine, explainer: &Explainer) -> Self {
        let mut trace = Vec::new();
        let mut file = file.to_owned();
        let mut function = None;
        let mut current = &error;
        let innermost = loop {
            let (inner, next_file, next_function) = match current {
                EvalAltResult::ErrorInFunctionCall(name, source, inner, _) => {
                    let name = if name.starts_with("anon$") { CLOSURE.to_owned() } else { name.clone() };
                    (inner, if source.is_empty() { file.clone() } else { source.clone() }, Some(name))
                }
                EvalAltResult::ErrorInModule(name, inner, _) => (inner, name.clone(), None),
                other => break other,
            };
            trace.extend(frame(&file, explainer.shelf.written(&file, current.position()), function.as_ref()));
            (file, function, current) = (next_file, next_function, inner);
        };
        let mut at = innermost.position();
        // Where the call is that ended the script, when Rhai has forgotten it on the way out of a closure.
        if let Some((ended_in, place)) = thrown::place(innermost).filter(|(_, place)| !place.is_none() && *place != at) {
            trace.extend(frame(&file, explainer.shelf.written(&file, at), function.as_ref()));
            (file, function, at) = (if ended_in.is_empty() { file } else { ended_in }, Some(CLOSURE.to_owned()), place);
        }
        let (error, position) = explainer.explain(innermost, &file, at, engine);
        trace.extend(frame(&file, position, function.as_ref()));
        trace.reverse();
        // A native function and the closure it calls are one place: `list.map(|x| ...)`.
        trace.dedup_by(|outer, inner| {
            let same = (&outer.file, outer.line, outer.column) == (&inner.file, inner.line, inner.column);
            if same {
                inner.function = outer.function.take();
            }
            same
        });

        let texts = trace.iter().filter_map(|f| Some((f.file.clone(), explainer.shelf.text(&f.file)?))).collect();
        Self { error, trace, texts }
    }

    /// An error of ours at a place.
    pub(in crate::engine) fn at(error: Error, unit: &Unit, position: Position) -> Self {
        let trace = frame(&unit.name, position, None).into_iter().collect();
        Self { error, trace, texts: BTreeMap::from([(unit.name.clone(), unit.text.clone())]) }
    }

    /// A failure that was found in a text, at a line and a column, both from 1, the column in characters.
    pub fn in_text(error: Error, file: &str, text: &str, (line, column): (usize, usize)) -> Self {
        let trace = vec![StackFrame { file: file.to_owned(), line, column, function: None }];
        Self { error, trace, texts: BTreeMap::from([(file.to_owned(), text.to_owned())]) }
    }

    /// Name and text of each file in the trace.
    pub fn texts(&self) -> impl Iterator<Item = (String, String)> + '_ {
        self.texts.iter().map(|(name, text)| (name.clone(), text.clone()))
    }

    /// The exit code that the error's kind asks for.
    pub fn exit_code(&self) -> u8 {
        self.error.kind().exit_code()
    }

    /// For people: the message, the place with a caret, the calls that led there, and what helps. Each escape
    /// sequence in it is a colour of ours: the renderer shows those in lines of the script as signs.
    pub fn render(&self, color: bool) -> String {
        let title = Level::ERROR.primary_title(tame::text(&tame::framed(self.error.message())).into_owned());
        // Of many calls the innermost and the outermost ones say most.
        let depth = self.trace.len();
        let drawn: Vec<usize> = if depth > DRAWN { (0..DRAWN - 2).chain(depth - 2..depth).collect() } else { (0..depth).collect() };
        // Neighbouring frames of one file share a snippet.
        let mut snippets: Vec<(&str, Vec<Mark>)> = Vec::new();
        for &nth in &drawn {
            let frame = &self.trace[nth];
            let Some(text) = self.texts.get(&frame.file) else { continue };
            // The function that was called here is the one the frame before is in.
            let label = (nth > 0).then(|| match self.trace[nth - 1].function.as_deref() {
                Some(CLOSURE) => "a closure is called here".to_owned(),
                Some(function) => format!("`{function}` is called here"),
                None => "imported here".to_owned(),
            });
            let span = span(text, frame.line, frame.column);
            match snippets.last_mut() {
                Some((file, spans)) if *file == frame.file => spans.push((span, label)),
                _ => snippets.push((&frame.file, vec![(span, label)])),
            }
        }
        let mut group = Group::with_title(title);
        let mut first = true;
        for (file, spans) in &snippets {
            let text = self.texts.get(*file).map_or("", String::as_str);
            let mut snippet = Snippet::source(text).path(tame::line(file).into_owned());
            for (span, label) in spans {
                let kind = if first { AnnotationKind::Primary } else { AnnotationKind::Context };
                first = false;
                snippet = snippet.annotation(kind.span(span.clone()).label(label.clone()));
            }
            group = group.element(snippet);
        }
        if drawn.len() < depth {
            group = group.element(Level::NOTE.message(format!("{} more calls are between those", depth - drawn.len())));
        }
        for hint in self.error.hints() {
            group = group.element(Level::HELP.message(tame::text(&tame::framed(hint)).into_owned()));
        }
        let renderer = if color { Renderer::styled() } else { Renderer::plain() };
        renderer.render(&[group])
    }

    /// Takes secrets out of what is shown, places stay as they are.
    pub fn clean(&mut self, secrets: &Redactor) {
        self.error = secrets.clean_error(self.error.clone());
        self.texts.values_mut().for_each(|text| *text = secrets.starred(text, false));
    }

    /// Whether the script has failed: the run has ended, and is not continued later.
    pub fn is_for_good(&self) -> bool {
        !self.error.stops()
    }

    /// For machines: `kind`, `message`, `help`, the error's facts, `file`, `line`, `column`, `trace`.
    pub fn to_json(&self) -> Value {
        let mut object = Map::new();
        object.insert("kind".to_owned(), self.error.kind().name().into());
        object.insert("message".to_owned(), self.error.message().into());
        object.insert("help".to_owned(), self.error.hints().into());
        for (name, value) in self.error.facts() {
            object.entry(name.as_str()).or_insert_with(|| value.clone());
        }
        let show = |f: &StackFrame| json!({"file": f.file, "line": f.line, "column": f.column, "function": f.function});
        if let Some(first) = self.trace.first() {
            object.insert("file".to_owned(), first.file.as_str().into());
            object.insert("line".to_owned(), first.line.into());
            object.insert("column".to_owned(), first.column.into());
            object.insert("trace".to_owned(), self.trace.iter().map(show).collect());
        }
        Value::Object(object)
    }
}

fn frame(file: &str, position: Position, function: Option<&String>) -> Option<StackFrame> {
    Some(StackFrame {
        file: file.to_owned(),
        line: position.line()?,
        column: position.position().unwrap_or(1).max(1),
        function: function.cloned(),
    })
}
