//! The record of this run: which step comes now, what an earlier start says of it, and what is still to be written.

use super::{called::is_same, reads::Answers, sealed::Sealer};
use crate::{
    error::{Error, Kind, Result},
    journal::{Holder, Journal, Step, StepState},
    json::JsonText,
};
use jiff::Timestamp;
use parking_lot::Mutex;
use serde_json::Value;
use std::collections::BTreeMap;

/// What is pending is written at once when its outcomes take more memory than this: a script may read much before it changes anything.
const HEAVY: usize = 8 << 20;

/// The record of this run.
pub struct Recorder {
    store: Journal,
    run: String,
    holder: Holder,
    secrets: Sealer,
    /// Whether an earlier start of the run came to its first step.
    goes_on: bool,
    /// After this moment a wait is put down instead of waited out (`--suspend`).
    suspend_after: Option<Timestamp>,
    progress: Mutex<Progress>,
}

#[derive(Default)]
struct Progress {
    /// What the record says and the script has not come to yet, by branch and number.
    known: BTreeMap<(String, u64), Step>,
    /// The number of the last step of each branch.
    numbers: BTreeMap<String, u64>,
    /// Not written yet.
    pending: Vec<Step>,
    /// How many of these are without secrets already, because they could not be written before.
    sealed: usize,
    /// The memory that the outcomes of what is pending take, about.
    weight: usize,
    /// By branch: what its reads were answered.
    answers: BTreeMap<String, Answers>,
    /// By branch: a step that failed for a reason that may be gone when the run goes on. It counts once the script goes on after it.
    undecided: BTreeMap<String, Step>,
    /// That something differed from the record: nothing is done after it.
    diverged: Option<Error>,
}

/// Which step comes now.
pub(in crate::host) struct StepPosition {
    branch: String,
    number: u64,
}

impl StepPosition {
    fn path(&self) -> String {
        if self.branch.is_empty() { self.number.to_string() } else { format!("{}.{}", self.branch, self.number) }
    }
}

/// Branch and number of a path.
fn parts(path: &str) -> (String, u64) {
    let (branch, number) = path.rsplit_once('.').unwrap_or(("", path));
    (branch.to_owned(), number.parse().unwrap_or(0))
}

impl Recorder {
    /// The recorder of a run that was claimed; `steps` is what its record says.
    pub fn new(store: Journal, run: String, holder: Holder, steps: Vec<Step>, secrets: Sealer, suspend_after: Option<Timestamp>) -> Self {
        let goes_on = !steps.is_empty();
        let known = steps.into_iter().map(|step| (parts(&step.path), step)).collect();
        let progress = Mutex::new(Progress { known, ..Progress::default() });
        Self { store, run, holder, secrets, goes_on, suspend_after, progress }
    }

    /// The run's name.
    pub fn run(&self) -> &str {
        &self.run
    }

    /// Whether the run was begun by an earlier start, and came to its first step then.
    pub fn goes_on(&self) -> bool {
        self.goes_on
    }

    /// The position of the next step of a branch.
    pub(in crate::host) fn next(&self, branch: &str) -> StepPosition {
        let mut state = self.progress.lock();
        // The script went on after it, so it is what the script saw.
        if let Some(step) = state.undecided.remove(branch) {
            state.pending.push(step);
        }
        let number = state.numbers.entry(branch.to_owned()).or_insert(0);
        *number += 1;
        StepPosition { number: *number, branch: branch.to_owned() }
    }

    /// What the record says of this step. An error when it says that something else was done here.
    pub(in crate::host) fn known(&self, place: &StepPosition, kind: &str, arguments: &Value) -> Result<Option<Step>> {
        let mut state = self.progress.lock();
        if let Some(error) = &state.diverged {
            return Err(error.clone());
        }
        let Some(step) = state.known.remove(&(place.branch.clone(), place.number)) else { return Ok(None) };
        if step.kind != kind || !is_same(&self.cleaned(step.arguments.clone()), arguments) {
            let (then, now) = (described(&step.kind, &step.arguments), described(kind, arguments));
            let error = self.diverged(format!("step {} was `{then}`, and is `{now}` now", step.path));
            state.diverged = Some(error.clone());
            return Err(error);
        }
        let step = match self.opened(step) {
            Ok(step) => step,
            Err(error) => {
                state.diverged = Some(error.clone());
                return Err(error);
            }
        };
        let later = (place.branch.clone(), place.number + 1)..=(place.branch.clone(), u64::MAX);
        if step.state == StepState::Failed && Error::from_record(&step.outcome.tree()).stops() && state.known.range(later).next().is_none()
        {
            // What ended the run here may be over: it is tried again.
            return Ok(Some(Step { state: StepState::Intent, outcome: JsonText::default(), ended: None, ..step }));
        }
        Ok(Some(step))
    }

    /// A step of the record with the secrets that were taken out of it.
    fn opened(&self, step: Step) -> Result<Step> {
        let opened = self.secrets.open(step.intent).and_then(|intent| Ok((intent, self.secrets.open_text(step.outcome)?)));
        match opened {
            Ok((intent, outcome)) => Ok(Step { intent, outcome, ..step }),
            Err(missing) => Err(self.diverged(format!("step {}, `{}`, held {missing}", step.path, step.kind))),
        }
    }

    fn diverged(&self, what: String) -> Error {
        Error::new(Kind::Diverged, format!("run `{}` does not go on as its journal says: {what}", self.run))
            .help("nothing was sent since; a script must decide only by what functions return, its parameters and `ctx`")
            .help(format!("see what was done: octorhai runs show {0}\ngive the run up: octorhai runs cancel {0}", self.run))
            .with("run", self.run.clone())
    }

    /// Whether the script has not yet come to all that the record says of this branch.
    pub(super) fn is_behind(&self, branch: &str) -> bool {
        let state = self.progress.lock();
        let number = state.numbers.get(branch).copied().unwrap_or(0);
        state.known.range((branch.to_owned(), number + 1)..=(branch.to_owned(), u64::MAX)).next().is_some()
    }

    /// Does something with the answers of a branch. Its steps come in the same order whenever the script runs, whatever others do.
    pub(super) fn answers<T>(&self, place: &StepPosition, work: impl FnOnce(&mut Answers) -> T) -> T {
        work(self.progress.lock().answers.entry(place.branch.clone()).or_default())
    }

    pub(super) fn step(place: &StepPosition, kind: &str, arguments: &Value, began: Timestamp) -> Step {
        Step {
            path: place.path(),
            kind: kind.to_owned(),
            arguments: arguments.clone(),
            state: StepState::Intent,
            intent: Value::Null,
            outcome: JsonText::default(),
            began,
            ended: None,
        }
    }

    /// Takes secrets out of a value that nobody is given back.
    pub(in crate::host) fn cleaned(&self, value: Value) -> Value {
        self.secrets.cleaned(value)
    }

    /// Learns a secret that the script has made: the record names it by `name`.
    pub(in crate::host) fn learn(&self, name: &str, secret: &str) {
        self.secrets.learn(name, secret);
    }

    /// The step with its intent in the record: the one that is `known` from an earlier start, or a new one, synced.
    pub(super) fn intend(&self, known: Option<Step>, new: impl FnOnce() -> Step) -> Result<Step> {
        if let Some(step) = known {
            return Ok(step);
        }
        let step = new();
        self.write(Some(step.clone()))?;
        Ok(step)
    }

    /// An error as the record keeps it: for people, as the script gets it. `arguments` are those of the call.
    pub(super) fn cleaned_error(&self, error: Error, arguments: &Value) -> Error {
        self.secrets.cleaned_error(error, arguments)
    }

    /// After this moment a wait is put down, if the run was started so.
    pub(super) fn suspend_after(&self) -> Option<Timestamp> {
        self.suspend_after
    }

    /// Gives a step its outcome; it is written with the next one that must be.
    pub(super) fn settle(&self, place: &StepPosition, mut step: Step, outcome: Result<JsonText>, now: Timestamp) {
        step.ended = Some(now);
        let stops = outcome.as_ref().is_err_and(Error::stops);
        let (state, record) = match outcome {
            Ok(value) => (StepState::Done, value),
            Err(error) => (StepState::Failed, error.to_record().into()),
        };
        (step.state, step.outcome) = (state, record);
        let mut state = self.progress.lock();
        if stops {
            state.undecided.insert(place.branch.clone(), step);
            return;
        }
        state.weight += step.outcome.as_str().len();
        state.pending.push(step);
        if state.weight > HEAVY {
            drop(state);
            // What goes wrong goes wrong again, and is told, when something has to be in the record.
            let _later = self.write(None);
        }
    }

    /// Writes what is pending, and `step`; returns when it is synced.
    pub(in crate::host) fn write(&self, step: Option<Step>) -> Result<()> {
        // The lock is kept: the order of writing is the order of what happened.
        let mut state = self.progress.lock();
        let settled = state.pending.len();
        state.pending.extend(step);
        if state.pending.is_empty() {
            return Ok(());
        }
        // In place: answers may be large.
        let sealed = state.sealed;
        for step in &mut state.pending[sealed..] {
            step.intent = self.secrets.seal(step.intent.take());
            step.outcome = self.secrets.seal_text(std::mem::take(&mut step.outcome));
        }
        let written = self.store.write(&self.run, &self.holder, &state.pending);
        // What could not be written is written with the next; an intent is not one when nothing was sent for it.
        let left = if written.is_ok() { 0 } else { settled };
        state.pending.truncate(left);
        (state.sealed, state.weight) = (left, 0);
        written
    }

    /// Writes the rest. An error when the record holds steps that the script did not come to.
    pub fn finish(&self, ended_by_itself: bool) -> Result<()> {
        self.write(None)?;
        match self.progress.lock().known.values().next() {
            Some(step) if ended_by_itself => {
                let left = described(&step.kind, &step.arguments);
                Err(self.diverged(format!("it ended before step {}, `{left}`", step.path)))
            }
            _ => Ok(()),
        }
    }
}

/// A call in one line.
fn described(kind: &str, arguments: &Value) -> String {
    let shown = arguments.to_string();
    let short: String = shown.chars().take(200).collect();
    format!("{kind} {short}{}", if short.len() < shown.len() { "..." } else { "" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Class;
    use crate::journal::{self, NewRun};
    use serde_json::json;

    fn recorder(folder: &std::path::Path, steps: Vec<Step>) -> (Journal, Recorder) {
        let store = journal::open(&folder.display().to_string()).expect("a store");
        let new = NewRun {
            name: "night".into(),
            mark: "m".into(),
            script: "x.rhai".into(),
            sources: vec![("x.rhai".into(), String::new())],
            params: Value::Null,
            target: Value::Null,
            options: Value::Null,
            begun_for: journal::BegunFor::default(),
            engine: "0".into(),
            created: Timestamp::UNIX_EPOCH,
        };
        let holder = |nonce: &str| Holder { nonce: nonce.into(), host: "here".into(), pid: 1, mode: Value::Null, identity: None };
        store.claim(&new, &holder("theirs")).expect("claimed");
        let recorder =
            Recorder::new(store.clone(), new.name, holder("ours"), steps, Sealer::new(crate::secrets::Redactor::new(), []), None);
        (store, recorder)
    }

    fn step(number: u64, kind: &str) -> Step {
        Recorder::step(&StepPosition { branch: String::new(), number }, kind, &Value::Null, Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn what_could_not_be_written_is_kept_and_an_intent_is_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let (store, recorder) = recorder(folder.path(), Vec::new());
        let place = recorder.next("");
        recorder.settle(&place, step(1, "dashboard"), Ok(json!([]).into()), Timestamp::UNIX_EPOCH);
        // The run is another process's, so nothing can be written.
        assert_eq!(recorder.write(Some(step(2, "deploy"))).map_err(|e| e.kind()), Err(Kind::Fenced));
        assert_eq!(recorder.progress.lock().pending.iter().map(|s| s.kind.as_str()).collect::<Vec<_>>(), ["dashboard"]);
        assert!(store.steps("night").expect("read").is_empty());
    }

    #[test]
    fn nothing_is_done_after_a_difference() {
        let folder = tempfile::tempdir().expect("a folder");
        let (_, recorder) = recorder(folder.path(), vec![step(1, "deploy"), step(2, "deploy")]);
        let diverged = |kind: &str| recorder.known(&recorder.next(""), kind, &Value::Null).map_err(|e| e.kind());
        assert_eq!(diverged("now"), Err(Kind::Diverged));
        assert_eq!(diverged("deploy"), Err(Kind::Diverged), "it is as the record says, but comes after the difference");
    }

    #[test]
    fn what_ends_a_run_is_no_outcome_of_the_step() {
        for kind in Kind::ALL {
            let folder = tempfile::tempdir().expect("a folder");
            let (_, recorder) = recorder(folder.path(), Vec::new());
            let place = recorder.next("");
            recorder.settle(&place, step(1, "deploy"), Err(Error::new(*kind, "no")), Timestamp::UNIX_EPOCH);
            assert_eq!(recorder.progress.lock().pending.is_empty(), kind.class() == Class::Stop, "{kind}");
        }
    }

    #[test]
    fn trouble_that_an_older_octorhai_wrote_down_is_tried_again_or_stays_caught() {
        let met = |number| Step {
            state: StepState::Failed,
            outcome: Error::new(Kind::InDoubt, "who knows").to_record().into(),
            intent: json!({"attempt": 1}),
            ..step(number, "deploy")
        };
        let folder = tempfile::tempdir().expect("a folder");
        let (_, last) = recorder(folder.path(), vec![met(1)]);
        let again = last.known(&last.next(""), "deploy", &Value::Null).expect("as recorded").expect("a step");
        assert_eq!((again.state, again.intent), (StepState::Intent, json!({"attempt": 1})), "it goes by what is known now");
        // The script of then went on after it, and must do so again.
        let folder = tempfile::tempdir().expect("a folder");
        let (_, gone_on) = recorder(folder.path(), vec![met(1), step(2, "email")]);
        let caught = gone_on.known(&gone_on.next(""), "deploy", &Value::Null).expect("as recorded").expect("a step");
        assert!(caught.state == StepState::Failed && !caught.failure().stops() && caught.failure().kind() == Kind::InDoubt);
    }
}
