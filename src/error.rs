//! What can go wrong: one error type for the whole program, a closed list of kinds, and the exit code of each.
//!
//! Everybody raises [`Error`]; only `engine` turns it into a value that scripts can catch, and only
//! `cli` turns it into an exit code.

use serde_json::{Map, Value};
use std::fmt;

/// The result of everything in this crate that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What an error does to the run that meets it. `saga`, `catch`, `attempt`, `finally`, `retry`, `rollout`, `in_order`, `parallel` and the
/// closures of lists all go by this; docs/reliability.md has the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// A matter of the script: it can be caught, counts as a failed item, is undone, and stands in the record as what came of the step.
    Failure,
    /// The script must not go on, so nothing catches it; apart from that it is a failure.
    End,
    /// Trouble of the surroundings, or somebody's stop: the run ends where it is. Nothing catches, counts or undoes it, and it is not
    /// what came of a step: a run that goes on later tries the step again.
    Stop,
}

macro_rules! kinds {
    ($($variant:ident $name:literal $exit:literal $class:ident $meaning:literal;)*) => {
        /// The kind of an error: what scripts compare with (`err.kind == "timeout"`) and what decides the exit code.
        ///
        /// The list is closed: a new kind is a deliberate act, and stands in the README's table.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Kind { $(#[doc = $meaning] $variant,)* }

        impl Kind {
            /// Every kind, in the order of the documentation.
            pub const ALL: &[Kind] = &[$(Kind::$variant,)*];

            /// The name scripts see, e.g. `deployment_failed`.
            pub const fn name(self) -> &'static str { match self { $(Kind::$variant => $name,)* } }

            /// The exit code of the process when an error of this kind ends a run.
            pub const fn exit_code(self) -> u8 { match self { $(Kind::$variant => $exit,)* } }

            /// The first kind with an exit code, as a record of a run keeps it; [`Kind::Failed`] when there is none.
            pub fn of_exit_code(code: u8) -> Self {
                Self::ALL.iter().find(|kind| kind.exit_code() == code).copied().unwrap_or(Self::Failed)
            }

            /// What an error of this kind does to the run that meets it.
            pub const fn class(self) -> Class { match self { $(Kind::$variant => Class::$class,)* } }

            /// One sentence for the documentation.
            pub const fn meaning(self) -> &'static str { match self { $(Kind::$variant => $meaning,)* } }
        }
    };
}

kinds! {
    Script            "script"            1  Failure "the script is wrong or raised an error of its own";
    Failed            "failed"            1  Failure "`fail(...)` or `require(...)` in the script said no";
    Limit             "limit"             1  End     "the script went over a limit of operations, depth or size";
    NotFound          "not_found"         1  Failure "no such project, release, environment, tenant, task, ... or you may not see it";
    Ambiguous         "ambiguous"         1  Failure "a name fits several";
    Refused           "refused"           1  Failure "the server said no to a request (its own words are in the message)";
    Conflict          "conflict"          1  Failure "somebody changed it since it was read, so the server did not take the change";
    Forbidden         "forbidden"         1  Failure "the API key lacks a permission";
    BadAnswer         "bad_answer"        1  Failure "the server answered something that is not what Octopus answers";
    Mail              "mail"              1  Failure "a required e-mail could not be sent";
    Usage             "usage"             2  Failure "the command line, a parameter, a world file or the configuration is wrong";
    Unauthorized      "unauthorized"      2  Stop    "the server does not accept the API key or access token";
    Timeout           "timeout"           3  Failure "a wait reached its limit";
    Cancelled         "cancelled"         4  Stop    "somebody cancelled the run (Ctrl-C, SIGTERM)";
    DeploymentFailed  "deployment_failed" 5  Failure "a deployment or runbook run ended as Failed, Canceled or TimedOut";
    LockBusy          "lock_busy"         6  Failure "somebody else holds the lock";
    Suspended         "suspended"         7  Stop    "the run ended on purpose and goes on later (requeue)";
    InDoubt           "in_doubt"          8  Stop    "a request may or may not have taken effect; a person must look";
    Diverged          "diverged"          8  Stop    "a continued run asked for something else than its journal says";
    Fenced            "fenced"            9  Stop    "this run lost its lock and must not act any more";
    Unreachable       "unreachable"       10 Stop    "the server cannot be reached, or did not recover in time";
    Store             "store"             10 Stop    "the journal or the record of a lock cannot be read or written, or is not what was written";
    Bug               "bug"               70 Stop    "a mistake of ours; please report it";
}

impl Kind {
    /// Whether the server said no to a request, for whatever reason it has: nothing came of it.
    pub const fn is_refusal(self) -> bool {
        matches!(self, Self::Refused | Self::Conflict)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An error: its kind, what happened (a lower-case fragment without a full stop), what helps, and what belongs to the kind.
///
/// Boxed inside, so that results stay small.
#[derive(Clone)]
pub struct Error(Box<Parts>);

#[derive(Clone)]
struct Parts {
    kind: Kind,
    message: String,
    help: Vec<String>,
    facts: Map<String, Value>,
    overcome: bool,
}

impl Error {
    /// An error of `kind`; `message` names things in backticks and does not end with a full stop.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self(Box::new(Parts { kind, message: message.into(), help: Vec::new(), facts: Map::new(), overcome: false }))
    }

    /// Shorthand for a [`Kind::Usage`] error.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Kind::Usage, message)
    }

    /// Shorthand for a [`Kind::Bug`] error.
    pub fn bug(message: impl Into<String>) -> Self {
        Self::new(Kind::Bug, message)
    }

    /// Adds a hint: what the reader can do now. Several hints keep their order.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.0.help.push(help.into());
        self
    }

    /// Adds the hint of [`suggestion`], when there is one for `wanted` among `known`.
    #[must_use]
    pub fn suggest<'a>(self, wanted: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> Self {
        match suggestion(wanted, known) {
            Some(help) => self.help(help),
            None => self,
        }
    }

    /// Adds a fact that scripts can read as a property (`err.task`) and that JSON output carries.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.facts.insert(name.to_owned(), value.into());
        self
    }

    /// The same as an error of another kind.
    #[must_use]
    pub fn into_kind(mut self, kind: Kind) -> Self {
        self.0.kind = kind;
        self
    }

    /// Puts words before the message: `before: message`.
    #[must_use]
    pub fn context(mut self, before: impl fmt::Display) -> Self {
        self.0.message = format!("{before}: {}", self.0.message);
        self
    }

    /// The same with other texts: message and hints as `text` makes them, facts as `fact` does.
    #[must_use]
    pub fn rewritten(mut self, text: impl Fn(&str) -> String, fact: impl Fn(Value) -> Value) -> Self {
        self.0.message = text(&self.0.message);
        self.0.help.iter_mut().for_each(|help| *help = text(help));
        self.0.facts = std::mem::take(&mut self.0.facts).into_iter().map(|(name, value)| (name, fact(value))).collect();
        self
    }

    /// As JSON, from which [`Error::from_record`] makes the same error again.
    pub fn to_record(&self) -> Value {
        serde_json::json!({"kind": self.0.kind.name(), "message": self.0.message, "help": self.0.help, "facts": self.0.facts})
    }

    /// The error that [`Error::to_record`] wrote.
    pub fn from_record(record: &Value) -> Self {
        let kind = Kind::ALL.iter().find(|kind| record["kind"] == kind.name()).copied().unwrap_or(Kind::Bug);
        let help = record["help"].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
        let facts = record["facts"].as_object().cloned().unwrap_or_default();
        Self(Box::new(Parts { kind, message: record["message"].as_str().unwrap_or_default().to_owned(), help, facts, overcome: false }))
    }

    /// The kind.
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// Whether it ends the run as it stands, see [`Class::Stop`].
    pub fn stops(&self) -> bool {
        self.0.kind.class() == Class::Stop && !self.0.overcome
    }

    /// The same as a failure: the run went on after it, as octorhai 0.1.0 let scripts do, and must do so again.
    #[must_use]
    pub fn overcome(mut self) -> Self {
        self.0.overcome = true;
        self
    }

    /// The message, without kind and hints.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The hints, in order.
    pub fn hints(&self) -> &[String] {
        &self.0.help
    }

    /// What belongs to the kind: `status`, `task`, `url`, `open_tasks`, ...
    pub fn facts(&self) -> &Map<String, Value> {
        &self.0.facts
    }

    /// One fact, if it is there.
    pub fn fact(&self, name: &str) -> Option<&Value> {
        self.0.facts.get(name)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.kind, self.0.message)?;
        for hint in &self.0.help {
            write!(f, "\n  help: {hint}")?;
        }
        if !self.0.facts.is_empty() {
            write!(f, "\n  {}", Value::Object(self.0.facts.clone()))?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

/// The words of an error of others and those of its causes, outermost first, without what has been said.
pub fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let words = cause.to_string();
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        next = cause.source();
    }
    text
}

/// `1,000,000`
pub fn with_commas(number: u64) -> String {
    let digits = number.to_string();
    let mut shown = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

/// A number of bytes for messages: `512 bytes`, `64 KiB`, `1.5 MiB`. Rounded up to a tenth, so that a size above a limit never reads
/// like the limit.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1 << 10 {
        return format!("{bytes} byte{}", if bytes == 1 { "" } else { "s" });
    }
    // The first unit in which less than 1024 are needed, also after rounding; the last one holds every number.
    let tenths = |unit: usize| (u128::from(bytes) * 10).div_ceil(1 << (10 * (unit + 1)));
    let unit = (0..UNITS.len()).find(|unit| tenths(*unit) < 10_240).unwrap_or(UNITS.len() - 1);
    match (tenths(unit) / 10, tenths(unit) % 10) {
        (whole, 0) => format!("{whole} {}", UNITS[unit]),
        (whole, tenth) => format!("{whole}.{tenth} {}", UNITS[unit]),
    }
}

/// Longer names are no slips of a finger, and comparing them takes the product of their lengths.
const LONGEST_SLIP: usize = 200;

/// The name nearest to `wanted` among `known`, if one is near enough to be a slip of the finger.
///
/// Case and the difference between `_`, `-` and a blank do not count.
pub fn nearest<'a>(wanted: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Lower case may be three times as long.
    if wanted.len() > 4 * LONGEST_SLIP {
        return None;
    }
    let fold = |s: &str| s.to_lowercase().replace(['_', '-'], " ");
    let wanted = fold(wanted);
    let length = wanted.chars().count();
    let most = |name: &str| 1 + name.chars().count().min(length) / 4;
    known
        .into_iter()
        // What is longer by more than the slips that are allowed is not near, whatever it is.
        .filter(|name| name.len() <= 4 * LONGEST_SLIP && name.chars().count().abs_diff(length) <= 1 + length / 4 + name.chars().count() / 4)
        .map(|name| (strsim::damerau_levenshtein(&wanted, &fold(name)), name))
        .filter(|(distance, name)| *distance <= most(name))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// At most `most` characters of a text for a message; `…` says that there are more.
pub fn shortened(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// The sentence `did you mean ...?` for [`nearest`], or else the list of what is known when it is short.
pub fn suggestion<'a>(wanted: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> Option<String> {
    if let Some(name) = nearest(wanted, known.clone()) {
        return Some(format!("did you mean `{name}`?"));
    }
    let all: Vec<&str> = known.into_iter().take(13).collect();
    (1..=12).contains(&all.len()).then(|| format!("there is: {}", all.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn size_has_the_unit_that_fits_and_is_never_rounded_down() {
        for (bytes, words) in [
            (0, "0 bytes"),
            (1, "1 byte"),
            (1023, "1023 bytes"),
            (1024, "1 KiB"),
            (1025, "1.1 KiB"),
            (1536, "1.5 KiB"),
            (64 << 10, "64 KiB"),
            ((64 << 10) + 1, "64.1 KiB"),
            ((1 << 20) - 1, "1 MiB"),
            (1 << 20, "1 MiB"),
            (200 << 20, "200 MiB"),
            ((1 << 30) - 1, "1 GiB"),
            (1 << 40, "1 TiB"),
            (1 << 50, "1 PiB"),
            (u64::MAX, "16 EiB"),
        ] {
            assert_eq!(size(bytes), words, "{bytes}");
        }
    }

    #[test]
    fn nearest_forgives_case_and_one_slip_but_not_another_word() {
        let known = ["Project A", "Project B", "Development"];
        assert_eq!(nearest("project-a", known), Some("Project A"));
        assert_eq!(nearest("Projct B", known), Some("Project B"));
        assert_eq!(nearest("Production", known), None);
    }

    #[test]
    fn kinds_have_distinct_names() {
        let mut names: Vec<_> = Kind::ALL.iter().map(|k| k.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Kind::ALL.len());
    }

    #[test]
    fn large_numbers_are_readable() {
        assert_eq!(with_commas(50_000_000), "50,000,000");
        assert_eq!(with_commas(999), "999");
        assert_eq!([with_commas(7), with_commas(1234), with_commas(1_234_567)], ["7", "1,234", "1,234,567"]);
    }
}
