//! Mistakes in a script, found without running it.
//!
//! What does not compile is one finding, with the message that a run would show. Otherwise the text is read: calls with their arguments
//! and surroundings (`calls`), rules that need nothing else (`rules`, `risks`), and names that a server does not know ([`names`]).

mod calls;
pub mod names;
mod risks;
mod rules;
pub mod show;

use crate::engine::{
    Failure, Program,
    scan::{self, Piece},
    scene::Scene,
};
use calls::Pair;
use std::ops::Range;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Worth a thought; what happens is defined.
    Note,
    /// It runs, and sooner or later does what nobody wants.
    Warning,
    /// It cannot go well.
    Error,
}

impl Level {
    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// A rule.
#[derive(Debug)]
pub struct Rule {
    /// Its name, which a comment `// check: allow NAME` on the line or the one above switches off there.
    pub name: &'static str,
    /// How bad what it finds is.
    pub level: Level,
    /// What it is about, in a sentence.
    pub about: &'static str,
}

macro_rules! rules {
    ($($constant:ident: $name:literal, $level:ident, $about:literal;)*) => {
        $(pub(crate) const $constant: Rule = Rule { name: $name, level: Level::$level, about: $about };)*
        /// All rules.
        pub const RULES: &[Rule] = &[$($constant),*];
    };
}
rules! {
    SYNTAX: "syntax", Error, "The script does not compile, or names a variable, module or file that there is not.";
    UNKNOWN_FUNCTION: "unknown-function", Error, "A function of this name does not exist.";
    WRONG_ARGUMENTS: "wrong-arguments", Error, "A function is called with too few or too many arguments.";
    UNKNOWN_OPTION: "unknown-option", Error, "A function has no option of this name.";
    WRONG_OPTION: "wrong-option", Error, "An option has a value of a wrong type, such as a time-out without a unit.";
    UNKNOWN_PROPERTY: "unknown-property", Error, "A value has no property of this name.";
    PARAMETER: "parameter", Error, "A parameter cannot be found without running the script, or is declared in two ways.";
    PARAMETER_TWICE: "parameter-twice", Warning, "A parameter is declared more than once.";
    WAIT_WITHOUT_LIMIT: "wait-without-limit", Warning, "A loop sleeps until something is so, with nothing that ends it.";
    DEFAULT_LIMIT: "default-limit", Note, "A wait does not say how long it may take; it gives up after the default.";
    CHECK_THEN_ACT: "check-then-act", Warning, "Something is looked at and then acted on, with no lock that keeps it so.";
    TIME_WITHOUT_ZONE: "time-without-zone", Warning, "A time of day does not say in which zone.";
    SECRET_SHOWN: "secret-shown", Error, "A secret's text goes where people read it.";
    INLINE_TRAP: "inline-trap", Warning, "In a step's inline script, Octopus rewrites this text before octorhai sees it.";
    TENANT_FORGOTTEN: "tenant-forgotten", Warning, "A project is deployed for tenants in one place of the script, and without one in another.";
    CHANNEL_FORGOTTEN: "channel-forgotten", Warning, "`latest` of a project names a channel in one place of the script, and none in another.";
    UNKNOWN_NAME: "unknown-name", Error, "The server has no project, environment, tenant, ... of this name.";
    TENANT_MISSING: "tenant-missing", Error, "A project that is deployed only for tenants is deployed without one.";
    LATEST_WITHOUT_CHANNEL: "latest-without-channel", Warning, "`latest` of a project with several channels does not say of which one.";
}

/// A mistake.
#[derive(Debug)]
pub struct Finding {
    /// Which rule found it.
    pub rule: &'static Rule,
    /// The file.
    pub file: String,
    /// Where in it, in bytes.
    pub range: Range<usize>,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: Vec<String>,
}

/// A file that is checked.
pub struct File<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its text.
    pub text: &'a str,
    pub(crate) pieces: Vec<Piece>,
}

impl<'a> File<'a> {
    /// A file of a script.
    pub fn new(name: &'a str, text: &'a str) -> Self {
        let mut pieces = scan::pieces(text);
        pieces.retain(|piece| piece.kind != scan::Kind::Comment);
        Self { name, text, pieces }
    }

    /// The text of a piece; empty behind the last one.
    pub(crate) fn word(&self, at: usize) -> &'a str {
        self.pieces.get(at).map_or("", |piece| piece.of(self.text))
    }

    /// The text that a range of pieces is, without its quotes, if it is one that is written out.
    pub(crate) fn literal(&self, range: &Range<usize>) -> Option<&'a str> {
        calls::literal(self.text, &self.pieces, range)
    }

    /// The value that a range of pieces is, if it is one that is written out: a text, a number, a list or a map of such.
    pub(crate) fn value(&self, range: &Range<usize>) -> Option<rhai::Dynamic> {
        /// Longer ones are data.
        const LONGEST: usize = 1000;
        let pieces = self.pieces.get(range.clone()).filter(|pieces| !pieces.is_empty() && pieces.len() < LONGEST)?;
        let constant = |(at, piece): (usize, &Piece)| match piece.kind {
            scan::Kind::Word => matches!(piece.of(self.text), "true" | "false") || self.word(range.start + at + 1) == ":",
            scan::Kind::Text => piece.closed && !piece.of(self.text).starts_with(['}', '\'']) && !piece.of(self.text).ends_with("${"),
            scan::Kind::Number => true,
            scan::Kind::Sign => matches!(piece.of(self.text), "[" | "]" | "#{" | "}" | "(" | ")" | "," | ":" | "-"),
            scan::Kind::Comment => false,
        };
        if !pieces.iter().enumerate().all(constant) {
            return None;
        }
        let text = &self.text[pieces[0].range.start..pieces[pieces.len() - 1].range.end];
        rhai::Engine::new_raw().eval_expression(text).ok()
    }

    /// The entries of the map that a range of pieces is, if it is one that is written out.
    fn map(&self, range: &Range<usize>) -> Option<Vec<Pair<'a>>> {
        calls::map(self.text, &self.pieces, range)
    }

    /// A finding at a range of pieces.
    pub(crate) fn finding(&self, rule: &'static Rule, pieces: Range<usize>, message: impl Into<String>) -> Finding {
        let at = |piece: usize| self.pieces.get(piece).map_or(self.text.len()..self.text.len(), |piece| piece.range.clone());
        let range = at(pieces.start).start..at(pieces.end.saturating_sub(1).max(pieces.start)).end;
        Finding { rule, file: self.name.to_owned(), range, message: message.into(), help: Vec::new() }
    }
}

impl Finding {
    /// With what helps.
    #[must_use]
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help.push(text.into());
        self
    }
}

/// What is wrong with a script that compiles: its own files, by what they say. `scene` has the functions and types.
pub fn check(program: &Program, scene: &Scene) -> Vec<Finding> {
    let files: Vec<File> = program.files().map(|(name, text)| File::new(name, text)).collect();
    by_rules(&files, scene)
}

/// The same of one text that does not compile, since a name in it is unknown.
pub fn of_text(name: &str, text: &str, scene: &Scene) -> Vec<Finding> {
    by_rules(&[File::new(name, text)], scene)
}

fn by_rules(files: &[File<'_>], scene: &Scene) -> Vec<Finding> {
    let mut found = rules::all(files, scene);
    found.retain(|finding| !is_allowed(files, finding));
    found
}

/// The finding that a script which does not compile is.
pub fn of_failure(failure: &Failure, name: &str, text: &str) -> Finding {
    by_failure(&SYNTAX, failure, name, text)
}

/// What is wrong with the parameters of a script; that one is declared twice is said by it, if it is.
pub fn of_parameters(failure: &Failure, name: &str, text: &str, found: &mut Vec<Finding>) {
    let finding = by_failure(&PARAMETER, failure, name, text);
    let same = |other: &Finding| other.rule.name == PARAMETER_TWICE.name && other.range.contains(&finding.range.start);
    found.retain(|other| !same(other));
    found.push(finding);
}

fn by_failure(rule: &'static Rule, failure: &Failure, name: &str, text: &str) -> Finding {
    let place = failure.trace.first();
    let (file, range) = match place {
        Some(frame) if frame.file == name => (name, crate::engine::span(text, frame.line, frame.column)),
        Some(frame) => (frame.file.as_str(), 0..0),
        None => (name, 0..0),
    };
    Finding { rule, file: file.to_owned(), range, message: failure.error.message().to_owned(), help: failure.error.hints().to_vec() }
}

/// Whether a comment `// check: allow NAME` stands on the line, or on the one above.
fn is_allowed(files: &[File<'_>], finding: &Finding) -> bool {
    let text = files.iter().find(|file| file.name == finding.file).map_or("", |file| file.text);
    let start = finding.range.start.min(text.len());
    let line = text[..start].matches('\n').count();
    let allows = |line: Option<&str>| {
        let allowed = line.and_then(|line| line.split_once("// check: allow ")).map(|(_, names)| names);
        allowed.is_some_and(|names| names.split([',', ' ']).any(|name| name == finding.rule.name))
    };
    let mut lines = text.lines().skip(line.saturating_sub(1));
    let above = if line > 0 { lines.next() } else { None };
    allows(above) || allows(lines.next())
}
