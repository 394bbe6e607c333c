//! What happens in a run, for the task log of the step that runs it: lines at their levels, output variables as soon as there is
//! something to know, progress, artifacts (octopus-step-contract.md §6.1).

use super::{
    lines::Lines,
    ui::{Loudness, Tone, Ui},
};
use crate::{
    error::size,
    event::{Event, Hidden, Level, Sink, Subject, What},
    secrets::Redactor,
    step::{
        octostache,
        voice::{LogLevel, Voice},
    },
};
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use parking_lot::Mutex;
use serde_json::Value;

/// A variable is not longer: what servers take is not known (octopus-step-contract.md §6.4).
const LONGEST: usize = 64 << 10;
/// Progress is not told more often.
const SOONEST: SignedDuration = SignedDuration::from_secs(1);

/// Speaks in the task log.
pub(super) struct StepLog {
    ui: Ui,
    voice: Voice,
    state: Mutex<State>,
}

struct State {
    lines: Lines,
    /// The tasks that were started, in order: a number is part of a variable's name.
    tasks: Vec<String>,
    ended: usize,
    /// How many tasks there will be, as far as the script's functions know.
    planned: usize,
    /// The script tells itself how far it is.
    by_script: bool,
    told: Option<(Timestamp, u8)>,
}

impl StepLog {
    /// What is said goes through `voice`, and nothing that the redactor of `ui` knows.
    pub(super) fn new(ui: Ui, voice: Voice) -> Self {
        // The task log has its own times.
        let state = State { lines: Lines::new(TimeZone::UTC), tasks: Vec::new(), ended: 0, planned: 0, by_script: false, told: None };
        Self { ui, voice, state: Mutex::new(state) }
    }

    fn redactor(&self) -> &Redactor {
        self.ui.redactor()
    }

    /// Sets an output variable that tells people of the run.
    fn tell(&self, name: &str, value: &str) {
        self.set(name, &self.redactor().clean(value));
    }

    fn set(&self, name: &str, value: &str) {
        set_variable(&self.ui, &self.voice, name, value);
    }

    fn output(&self, name: &str, value: Option<&str>, secret: Option<&str>, raw: bool) {
        match (value, secret) {
            // The script gave it as data: without secrets, see `host::outputs`.
            (Some(value), _) if raw => self.voice.set_variable(name, value, false),
            (Some(value), _) => self.set(name, value),
            (None, Some(secret)) => {
                self.redactor().learn(secret);
                self.voice.mask(secret);
                let escaped = octostache::escape(secret);
                self.voice.set_variable(name, if raw { secret } else { &escaped }, true);
            }
            (None, None) => {}
        }
    }

    fn started(&self, state: &mut State, subject: &Subject) {
        if !state.tasks.contains(&subject.task) {
            state.tasks.push(subject.task.clone());
        }
        let number = number(state, &subject.task);
        self.tell(&format!("Task.{number}.Id"), &subject.task);
        self.tell(&format!("Task.{number}.Title"), &subject.title);
        self.tell("TaskIds", &state.tasks.join(","));
    }

    fn ended(&self, state: &mut State, subject: &Subject, task_state: &str) {
        // A task that this run only waited for has no number.
        if state.tasks.contains(&subject.task) {
            state.ended += 1;
            self.tell(&format!("Task.{}.State", number(state, &subject.task)), task_state);
        }
    }

    /// How many of the tasks are over; never back, and not too often.
    fn progress(&self, state: &mut State, at: Timestamp, percent: u8, text: &str) {
        let soon = |(before, said): (Timestamp, u8)| percent <= said || (percent < 100 && at.duration_since(before) < SOONEST);
        if !state.told.is_some_and(soon) {
            state.told = Some((at, percent));
            self.voice.progress(percent, &self.redactor().clean(text));
        }
    }

    fn count(&self, state: &mut State, at: Timestamp) {
        let (ended, all) = (state.ended, state.tasks.len().max(state.planned));
        if !state.by_script && all > 0 {
            let percent = u8::try_from(ended * 100 / all).unwrap_or(100).min(99);
            self.progress(state, at, percent, &format!("{ended} of {all} tasks are done"));
        }
    }
}

/// Sets an output variable that the next step reads as it is written.
pub(super) fn set_variable(ui: &Ui, voice: &Voice, name: &str, value: &str) {
    if value.len() > LONGEST {
        return ui.warning(&format!(
            "output variable `{name}` is not set: it has {}, more than {}; keep it as an artifact",
            size(value.len() as u64),
            size(LONGEST as u64)
        ));
    }
    voice.set_variable(name, &octostache::escape(value), false);
}

/// From 1, in the order of the start.
fn number(state: &State, task: &str) -> usize {
    state.tasks.iter().position(|known| known == task).map_or(0, |at| at + 1)
}

/// A title that leads to its page, in Markdown.
fn linked(subject: &Subject) -> String {
    match &subject.url {
        Some(url) => format!("[{}]({url})", subject.title.replace('[', "(").replace(']', ")")),
        None => subject.title.clone(),
    }
}

/// The level of a line.
fn level(what: &What, loudness: Loudness, tone: Tone) -> LogLevel {
    match what {
        What::TaskEnded { .. } if tone == Tone::Bad => LogLevel::Error,
        What::TaskStarted { .. } | What::TaskEnded { .. } | What::Note { level: Level::Highlight, .. } => LogLevel::Highlight,
        What::Note { level: Level::Warning, .. } | What::Mail { problem: Some(_), .. } => LogLevel::Warning,
        What::Waiting { .. } => LogLevel::Wait,
        What::TaskProgress { .. } => LogLevel::Verbose,
        _ if loudness == Loudness::Verbose => LogLevel::Verbose,
        _ => LogLevel::Default,
    }
}

impl Sink for StepLog {
    fn event(&self, event: &Event) {
        let mut state = self.state.lock();
        let state = &mut *state;
        let what = &event.what;
        // What the last attempt told is told again, but for its lines: its variables may have gone with it.
        match if let What::Replayed { what } = what { &**what } else { what } {
            What::Print { text } => self.ui.data(text),
            What::Progress { percent, text } => {
                state.by_script = true;
                self.progress(state, event.at, *percent, text);
            }
            What::Output { name, value, secret, raw } => {
                self.output(name, value.as_deref(), secret.as_ref().map(Hidden::reveal), *raw);
            }
            What::Artifact { name, path } => self.artifact(name, path),
            // What was planned before, or was begun without a plan, is not part of it.
            What::Planned { tasks } => state.planned = state.planned.max(state.tasks.len()) + tasks,
            What::TaskStarted { subject, .. } => self.started(state, subject),
            What::TaskEnded { subject, state: task_state, .. } => self.ended(state, subject, task_state),
            What::RunEnded { exit_code, result, .. } => self.end(state, event.at, *exit_code, result.as_ref()),
            _ => {}
        }
        for (loudness, tone, mut text) in state.lines.body(what) {
            if let What::TaskStarted { subject, .. } | What::TaskEnded { subject, .. } = what {
                text = text.replacen(&subject.title, &linked(subject), 1);
            }
            self.ui.tell(level(what, loudness, tone), &text);
        }
        if matches!(what, What::TaskStarted { .. } | What::TaskEnded { .. }) {
            self.count(state, event.at);
        }
    }
}

impl StepLog {
    fn artifact(&self, name: &str, path: &str) {
        let path = std::path::absolute(path).map_or_else(|_| path.to_owned(), |path| path.display().to_string());
        let length = std::fs::metadata(&path).map_or(0, |file| file.len());
        self.voice.artifact(&path, &self.redactor().clean(name), length);
    }

    fn end(&self, state: &mut State, at: Timestamp, exit_code: u8, result: Option<&Value>) {
        if exit_code == 0 && !state.tasks.is_empty() {
            self.progress(state, at, 100, "done");
        }
        // Exit code and error are the matter of the way out, which every end takes.
        if let Some(result) = result {
            self.tell("Result", &result.as_str().map_or_else(|| result.to_string(), str::to_owned));
        }
    }
}
