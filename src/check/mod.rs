//! Mistakes in a script, found without running it.
//!
//! What does not compile is one finding, with the message that a run would show. Otherwise the text is read: calls with their arguments
//! and surroundings (`calls`), rules that need nothing else (`rules`, `risks`), and names that a server does not know ([`names`]).

mod arguments;
pub mod names;
mod risks;
mod rules;
pub mod show;

use crate::engine::{
    Failure, Program,
    scene::Scene,
    text::{Reading, line_and_column},
};
use crate::error::{Error, Kind};
use std::ops::Range;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Worth a thought; what happens is defined.
    Note,
    /// It runs, and sooner or later does what nobody wants.
    Warning,
    /// It cannot go well.
    Error,
}

impl Severity {
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
    pub level: Severity,
    /// What it is about, in a sentence.
    pub about: &'static str,
}

macro_rules! rules {
    ($($constant:ident: $name:literal, $level:ident, $about:literal;)*) => {
        $(pub(crate) const $constant: Rule = Rule { name: $name, level: Severity::$level, about: $about };)*
        /// All rules.
        pub const RULES: &[Rule] = &[$($constant),*];
    };
}
rules! {
    SYNTAX: "syntax", Error, "The script does not compile, or names a variable, module or file that there is not.";
    UNKNOWN_FUNCTION: "unknown-function", Error, "A function of this name does not exist.";
    WRONG_ARGUMENTS: "wrong-arguments", Error, "A function is called with too few or too many arguments, or with one that cannot be.";
    UNKNOWN_OPTION: "unknown-option", Error, "A function has no option of this name.";
    WRONG_OPTION: "wrong-option", Error, "An option has a value that cannot be, such as a time-out without a unit, or a word with a typing error.";
    OPTION_MISSING: "option-missing", Error, "An option has to be given, and is not.";
    NOT_A_CLOSURE: "not-a-closure", Error, "A function that takes a closure is given a call: `retry(3, deploy(...))` deploys before `retry` begins.";
    UNKNOWN_PROPERTY: "unknown-property", Error, "A value has no property of this name.";
    PARAMETER: "parameter", Error, "A parameter cannot be found without running the script, or is declared in two ways.";
    HIDES_FUNCTION: "hides-function", Warning, "A function of the script has the name of a function of octorhai.";
    TEXT_WITHOUT_VALUES: "text-without-values", Warning, "A text in double quotes has `${...}` in it, which only a text in backticks fills in.";
    PARAMETER_TWICE: "parameter-twice", Warning, "A parameter is declared more than once.";
    WAIT_WITHOUT_LIMIT: "wait-without-limit", Warning, "A loop sleeps until something is so, with nothing that ends it.";
    DEFAULT_LIMIT: "default-limit", Note, "A wait for work that is scheduled for later does not say how long it may take: its 30 minutes begin at once.";
    CHECK_THEN_ACT: "check-then-act", Warning, "Something is looked at and then acted on, with no lock that keeps it so.";
    TIME_WITHOUT_ZONE: "time-without-zone", Warning, "A time of day does not say in which zone.";
    SECRET_SHOWN: "secret-shown", Warning, "A secret's text goes where people read it.";
    SECRET_IN_TEXT: "secret-in-text", Warning, "A text in backticks holds `***` in the place of a secret, wherever it is sent.";
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
    /// Path of the file, as messages show it.
    pub name: &'a str,
    pub(crate) reading: Reading<'a>,
}

impl<'a> File<'a> {
    /// A file of a script.
    pub fn new(name: &'a str, text: &'a str) -> Self {
        Self { name, reading: Reading::new(text) }
    }

    /// A finding at a range of pieces.
    pub(crate) fn finding(&self, rule: &'static Rule, pieces: Range<usize>, message: impl Into<String>) -> Finding {
        Finding { rule, file: self.name.to_owned(), range: self.span(&pieces), message: message.into(), help: Vec::new() }
    }

    /// Where a range of pieces stands, in bytes.
    pub(crate) fn span(&self, pieces: &Range<usize>) -> Range<usize> {
        let text = self.reading.text;
        let at = |piece: usize| self.reading.pieces.get(piece).map_or(text.len()..text.len(), |piece| piece.range.clone());
        at(pieces.start).start..at(pieces.end.saturating_sub(1).max(pieces.start)).end
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

/// The mistakes because of which a script is not run, each as the run would tell it: those that cannot go well.
pub fn refusals(program: &Program, scene: &Scene) -> Vec<Failure> {
    let text_of = |name: &str| program.files().find(|(file, _)| *file == name).map_or("", |(_, text)| text);
    let mut found = check(program, scene);
    found.retain(|finding| finding.rule.level == Severity::Error);
    found.sort_by(|a, b| (&a.file, a.range.start).cmp(&(&b.file, b.range.start)));
    let failure = |finding: Finding| {
        let error = finding.help.into_iter().fold(Error::new(Kind::Script, finding.message), Error::help);
        let text = text_of(&finding.file);
        Failure::in_text(error, &finding.file, text, line_and_column(text, finding.range.start))
    };
    found.into_iter().map(failure).collect()
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
    let text = files.iter().find(|file| file.name == finding.file).map_or("", |file| file.reading.text);
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
