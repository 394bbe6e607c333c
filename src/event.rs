//! What happens in a run, told once: one stream feeds the terminal, `--output json`, and later journal and reports.
//!
//! Who makes something happen emits an [`Event`]; who shows it is a [`Sink`]. Emitting is synchronous, so
//! the order of a stream is the order of what happened.

use crate::{clock::Clock, secrets::Redactor};
use jiff::Timestamp;
use parking_lot::Mutex;
use serde::Serialize;
use serde_json::Value;
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// One thing that happened.
#[derive(Clone, Debug, Serialize)]
pub struct Event {
    /// Counts from 1 in each run.
    pub seq: u64,
    /// When, in the time of the run's clock (virtual in a simulation).
    pub at: Timestamp,
    /// What.
    #[serde(flatten)]
    pub what: What,
}

/// A text that no event stream shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Hidden(String);

impl Hidden {
    /// Hides a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for who must know it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Hidden {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// How loud a note is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Only with `--verbose`.
    Verbose,
    /// Normal talk, such as which release `"latest"` is and why.
    Info,
    /// Something the reader shall not miss.
    Highlight,
    /// Not as it should be, yet the run goes on.
    Warning,
}

/// Who or what a server task works on. Names, not ids; what does not apply is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Subject {
    /// The id of the server task, e.g. `ServerTasks-17`.
    pub task: String,
    /// What the task is called in lines of output, e.g. `Project A 2.0.0 → Test`.
    pub title: String,
    /// Project name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// Release version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub release: Option<String>,
    /// Environment name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// Tenant name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// Runbook name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runbook: Option<String>,
    /// Where a person looks at it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// The kinds of event. In JSON the member `event` names the kind.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum What {
    /// The first event of a run.
    RunStarted {
        /// Path or name of the script.
        script: String,
        /// The server's address; `sandbox shop` for a simulated one.
        server: String,
        /// Whether time is virtual.
        virtual_time: bool,
    },
    /// The script printed something: data, for stdout.
    Print {
        /// The text, without the final newline.
        text: String,
    },
    /// Something worth telling.
    Note {
        /// How loud.
        level: Level,
        /// The text.
        text: String,
    },
    /// This run created a server task (or took over one that runs already).
    TaskStarted {
        /// The task.
        #[serde(flatten)]
        subject: Subject,
        /// `deploy`, `runbook`, `undo`, `adopted`, ...
        how: String,
    },
    /// A task this run watches changed its state, its step or its percentage.
    TaskProgress {
        /// The task.
        #[serde(flatten)]
        subject: Subject,
        /// Octopus's state name: `Queued`, `Executing`, `Cancelling`, ...
        state: String,
        /// Name of the step that runs.
        #[serde(skip_serializing_if = "Option::is_none")]
        step: Option<String>,
        /// 0 to 100.
        #[serde(skip_serializing_if = "Option::is_none")]
        percent: Option<u8>,
    },
    /// Why something waits; emitted when the reason changes.
    Waiting {
        /// The task that waits, when it is one.
        #[serde(skip_serializing_if = "Option::is_none")]
        task: Option<String>,
        /// What waits, e.g. a task's title.
        title: String,
        /// Why, e.g. `queued behind Project A 1.1.0 → Test (ServerTasks-3)`.
        why: String,
        /// Where a person can do something about it.
        #[serde(skip_serializing_if = "Option::is_none")]
        url: Option<String>,
    },
    /// A task this run watched is complete.
    TaskEnded {
        /// The task.
        #[serde(flatten)]
        subject: Subject,
        /// `Success`, `Failed`, `Canceled`, `TimedOut`.
        state: String,
        /// When the server queued it.
        queued: Timestamp,
        /// When it first started, if it ever did.
        #[serde(skip_serializing_if = "Option::is_none")]
        started: Option<Timestamp>,
        /// When it was complete.
        #[serde(skip_serializing_if = "Option::is_none")]
        completed: Option<Timestamp>,
        /// The server's error message, empty when there is none.
        error: String,
    },
    /// A mail left, or could not.
    Mail {
        /// The recipients.
        to: Vec<String>,
        /// The subject line.
        subject: String,
        /// Why it could not be sent; absent when it was.
        #[serde(skip_serializing_if = "Option::is_none")]
        problem: Option<String>,
    },
    /// `progress(percent, text)` of the script.
    Progress {
        /// 0 to 100.
        percent: u8,
        /// What is being done.
        text: String,
    },
    /// The script begins something that will start so many tasks: for the share of what is done.
    Planned {
        /// How many, as far as is known then.
        tasks: usize,
    },
    /// `output(name, value)` of the script; a secret value is not in it.
    Output {
        /// The name of the output variable.
        name: String,
        /// The value; absent when it is sensitive.
        #[serde(skip_serializing_if = "Option::is_none")]
        value: Option<String>,
        /// The value when it is sensitive: for who sets the variable, never for who shows or keeps events.
        #[serde(skip)]
        secret: Option<Hidden>,
        /// Whether the next step shall evaluate it as a template of Octopus; otherwise it is escaped.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        raw: bool,
    },
    /// `artifact(name, text)` of the script.
    Artifact {
        /// File name.
        name: String,
        /// Where it was written.
        path: String,
    },
    /// What an earlier start of this run did, gone through again: for timelines, not to be told as new.
    Replayed {
        /// What.
        what: Box<What>,
    },
    /// The last event of a run.
    RunEnded {
        /// The exit code.
        exit_code: u8,
        /// What the script returned; absent when nothing or when it failed.
        #[serde(skip_serializing_if = "Option::is_none")]
        result: Option<Value>,
        /// The error that ended it.
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<Value>,
        /// What it went by on the server: measured or assumed (see the module `doctor`); absent when it never came to that.
        #[serde(skip_serializing_if = "Option::is_none")]
        mode: Option<Value>,
    },
}

impl Subject {
    fn clean(&mut self, secrets: &Redactor) {
        let Self { task, title, project, release, environment, tenant, runbook, url } = self;
        for text in [task, title].into_iter().chain([project, release, environment, tenant, runbook, url].into_iter().flatten()) {
            clean(text, secrets);
        }
    }
}

impl What {
    /// Takes secrets out of all that people read. What a step hands on as data, the value of an output variable and the path of an
    /// artifact, stays whole: the script's functions refuse data that holds a secret.
    fn clean(&mut self, secrets: &Redactor) {
        match self {
            Self::RunStarted { script, server, virtual_time: _ } => {
                for text in [script, server] {
                    clean(text, secrets);
                }
            }
            Self::Print { text } | Self::Note { text, level: _ } | Self::Progress { text, percent: _ } => clean(text, secrets),
            Self::TaskStarted { subject, how: _ } => subject.clean(secrets),
            Self::TaskProgress { subject, state, step, percent: _ } => {
                subject.clean(secrets);
                clean(state, secrets);
                for text in step.iter_mut() {
                    clean(text, secrets);
                }
            }
            Self::Waiting { task, title, why, url } => {
                [title, why].into_iter().chain(task).chain(url).for_each(|text| clean(text, secrets));
            }
            Self::TaskEnded { subject, state, error, queued: _, started: _, completed: _ } => {
                subject.clean(secrets);
                for text in [state, error] {
                    clean(text, secrets);
                }
            }
            Self::Mail { to, subject, problem } => to.iter_mut().chain([subject]).chain(problem).for_each(|text| clean(text, secrets)),
            Self::Planned { tasks: _ } | Self::Output { name: _, value: _, secret: _, raw: _ } => {}
            Self::Artifact { name, path: _ } => clean(name, secrets),
            Self::Replayed { what } => what.clean(secrets),
            Self::RunEnded { exit_code: _, result, error, mode } => {
                for value in [result, error, mode].into_iter().flatten() {
                    *value = secrets.clean_value(value.take());
                }
            }
        }
    }
}

fn clean(text: &mut String, secrets: &Redactor) {
    if let std::borrow::Cow::Owned(clean) = secrets.clean(text) {
        *text = clean;
    }
}

/// Shows or keeps events.
pub trait Sink: Send + Sync {
    /// Called for each event in order. Must not block for long.
    fn event(&self, event: &Event);
}

impl<F: Fn(&Event) + Send + Sync> Sink for F {
    fn event(&self, event: &Event) {
        self(event);
    }
}

/// Where events are emitted; clones feed the same sinks.
#[derive(Clone)]
pub struct Events(Arc<Inner>);

struct Inner {
    clock: Clock,
    secrets: Redactor,
    seq: AtomicU64,
    sinks: Mutex<Vec<Arc<dyn Sink>>>,
}

impl Events {
    /// A stream whose times come from `clock` and whose texts hold nothing that `secrets` knows, with nobody listening yet.
    pub fn new(clock: Clock, secrets: Redactor) -> Self {
        Self(Arc::new(Inner { clock, secrets, seq: AtomicU64::new(0), sinks: Mutex::default() }))
    }

    /// Adds a listener; it hears what comes after.
    pub fn listen(&self, sink: Arc<dyn Sink>) {
        self.0.sinks.lock().push(sink);
    }

    /// Tells everybody.
    pub fn emit(&self, mut what: What) {
        // Here, before any sink lays out, cuts or encodes a text.
        what.clean(&self.0.secrets);
        // The lock is held while sinks run, so that no two events overtake each other.
        let sinks = self.0.sinks.lock();
        let event = Event { seq: self.0.seq.fetch_add(1, Ordering::Relaxed) + 1, at: self.0.clock.now(), what };
        for sink in sinks.iter() {
            sink.event(&event);
        }
    }

    /// Emits a [`What::Note`].
    pub fn note(&self, level: Level, text: impl Into<String>) {
        self.emit(What::Note { level, text: text.into() });
    }
}

/// Keeps all events: for tests, the timeline and reports.
#[derive(Default)]
pub struct Recorder(Mutex<Vec<Event>>);

impl Recorder {
    /// What was heard so far.
    pub fn events(&self) -> Vec<Event> {
        self.0.lock().clone()
    }
}

impl Sink for Recorder {
    fn event(&self, event: &Event) {
        self.0.lock().push(event.clone());
    }
}
