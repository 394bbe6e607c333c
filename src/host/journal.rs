//! The journal at the door: every call whose answer can change, and every effect, is a step of the run's record.
//!
//! A run that starts again runs its script from the top. A step that has an outcome in the record gives it back and
//! touches nothing; the first one without goes live (durable-runs.md §4). Three kinds of step:
//!
//! - a *read* (`Host::recorded`) keeps what the server answered (`api::tape`), so that the code above sees it again;
//! - an *effect* ([`super::effect`]) writes its intent before and its outcome after, both synced;
//! - a *wait* (`Host::waited`) keeps when it began, so that its deadline stays, and what came of it.
//!
//! Reads are written together with the next intent: nothing outside depends on them before. Steps inside of a step are
//! not written. Without a recorder all of this is the plain call.

use super::{Host, sealed::Sealer};
use crate::{
    api::tape::{self, Answers},
    engine::{
        branch, site,
        thrown::{HostResult, raise},
    },
    error::{Error, Kind, Result},
    event::What,
    journal::{Holder, Journal, Step, StepState},
    json::JsonText,
};
use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
};

/// A sleep longer than this is put down at once (`--suspend`).
pub const LONG: SignedDuration = SignedDuration::from_mins(1);

/// How many reasons of one wait its record keeps: the first ones, and the last.
const REASONS: usize = 20;

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
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
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

thread_local! {
    /// How many steps this thread is inside of.
    static DEPTH: Cell<usize> = const { Cell::new(0) };
    /// Whether what happens on this thread has happened before.
    static AGAIN: Cell<bool> = const { Cell::new(false) };
    /// The wait that this thread is inside of.
    static WAIT: RefCell<Option<Step>> = const { RefCell::new(None) };
    /// Why this thread is about to wait: told, and the wait has not begun.
    static REASON: RefCell<Option<Value>> = const { RefCell::new(None) };
}

/// Adds to the record of a wait why it waits.
fn give_reason(step: &mut Step, reason: Value) {
    if let Some(reasons) = step.intent.get_mut("waits").and_then(Value::as_array_mut) {
        reasons.truncate(REASONS - 1);
        reasons.push(reason);
    } else {
        step.intent = json!({"waits": [reason]});
    }
}

/// For the length of a step.
struct Within {
    again: bool,
}

impl Within {
    fn step(again: bool) -> Self {
        DEPTH.set(DEPTH.get() + 1);
        Self { again: AGAIN.replace(again || AGAIN.get()) }
    }
}

impl Drop for Within {
    fn drop(&mut self) {
        DEPTH.set(DEPTH.get() - 1);
        AGAIN.set(self.again);
    }
}

/// Which step comes now.
pub(super) struct Place {
    branch: String,
    number: u64,
}

impl Place {
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
        let state = Mutex::new(State { known, ..State::default() });
        Self { store, run, holder, secrets, goes_on, suspend_after, state }
    }

    /// The run's name.
    pub fn run(&self) -> &str {
        &self.run
    }

    /// Whether the run was begun by an earlier start, and came to its first step then.
    pub fn goes_on(&self) -> bool {
        self.goes_on
    }

    /// The place of the next step.
    pub(super) fn next(&self) -> Place {
        let branch = branch();
        let mut state = self.state.lock();
        // The script went on after it, so it is what the script saw.
        if let Some(step) = state.undecided.remove(&branch) {
            state.pending.push(step);
        }
        let number = state.numbers.entry(branch.clone()).or_insert(0);
        *number += 1;
        Place { number: *number, branch }
    }

    /// What the record says of this step. An error when it says that something else was done here.
    pub(super) fn known(&self, place: &Place, kind: &str, arguments: &Value) -> Result<Option<Step>> {
        let mut state = self.state.lock();
        if let Some(error) = &state.diverged {
            return Err(error.clone());
        }
        let Some(step) = state.known.remove(&(place.branch.clone(), place.number)) else { return Ok(None) };
        if step.kind != kind || !site::is_same(&self.cleaned(step.arguments.clone()), arguments) {
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
    fn is_behind(&self) -> bool {
        let branch = branch();
        let state = self.state.lock();
        let number = state.numbers.get(&branch).copied().unwrap_or(0);
        state.known.range((branch.clone(), number + 1)..=(branch, u64::MAX)).next().is_some()
    }

    /// Does something with the answers of a branch. Its steps come in the same order whenever the script runs, whatever others do.
    fn answers<T>(&self, place: &Place, work: impl FnOnce(&mut Answers) -> T) -> T {
        work(self.state.lock().answers.entry(place.branch.clone()).or_default())
    }

    fn step(place: &Place, kind: &str, arguments: &Value, began: Timestamp) -> Step {
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
    pub(super) fn cleaned(&self, value: Value) -> Value {
        self.secrets.cleaned(value)
    }

    /// Learns a secret that the script has made: the record names it by `name`.
    pub(super) fn learn(&self, name: &str, secret: &str) {
        self.secrets.learn(name, secret);
    }

    /// The step with its intent in the record: the one that is `known` from an earlier start, or a new one, synced.
    pub(super) fn intend(&self, place: &Place, known: Option<Step>, kind: &str, arguments: &Value, now: Timestamp) -> Result<Step> {
        if let Some(step) = known {
            return Ok(step);
        }
        let mut step = Self::step(place, kind, arguments, now);
        if let Some(reason) = REASON.take() {
            give_reason(&mut step, reason);
        }
        self.write(Some(step.clone()))?;
        Ok(step)
    }

    /// Gives a step its outcome; it is written with the next one that must be.
    pub(super) fn settle(&self, place: &Place, mut step: Step, outcome: Result<impl Into<JsonText>>, now: Timestamp) {
        step.ended = Some(now);
        let stops = outcome.as_ref().is_err_and(Error::stops);
        let (state, record) = match outcome {
            Ok(value) => (StepState::Done, value.into()),
            // For people, as the script gets it.
            Err(error) => (StepState::Failed, self.secrets.cleaned_error(error, &site::current().1).to_record().into()),
        };
        (step.state, step.outcome) = (state, record);
        let mut state = self.state.lock();
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
    pub(super) fn write(&self, step: Option<Step>) -> Result<()> {
        // The lock is kept: the order of writing is the order of what happened.
        let mut state = self.state.lock();
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
        match self.state.lock().known.values().next() {
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

impl Host {
    /// The recorder, unless this thread is inside of a step already.
    pub(super) fn recorder(&self) -> Option<&Recorder> {
        self.recorder.as_ref().filter(|_| DEPTH.get() == 0)
    }

    /// Whether what happens now on this thread has happened before.
    pub fn is_again(&self) -> bool {
        AGAIN.get() || self.recorder().is_some_and(Recorder::is_behind)
    }

    /// Runs `work` without writing steps: what belongs to the run and not to the script.
    pub fn unrecorded<T>(&self, work: impl FnOnce() -> T) -> T {
        let _within = Within::step(false);
        work()
    }

    /// The time that decides: what it was when the run first came here.
    pub fn now(&self) -> Timestamp {
        let now = self.clock.now();
        let Some(recorder) = self.recorder() else { return now };
        let place = recorder.next();
        let none = Value::Null;
        match recorder.known(&place, "now", &none) {
            Ok(Some(step)) => return step.began,
            Ok(None) => {}
            // The time is no place to fail at: the next step says so, before it does anything.
            Err(_) => return now,
        }
        let step = Recorder::step(&place, "now", &none, now);
        recorder.settle(&place, step, Ok(Value::Null), now);
        now
    }

    /// A read: `work` asks the server and changes nothing.
    pub(super) fn recorded<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let Some(recorder) = self.recorder() else { return self.finish(work) };
        // What was told before something else than a wait is not why the next one waits.
        REASON.take();
        let place = recorder.next();
        let (kind, arguments) = site::current();
        let (kind, arguments) = (if kind.is_empty() { "read".to_owned() } else { kind }, recorder.cleaned(arguments));
        if let Some(step) = recorder.known(&place, &kind, &arguments)?.filter(|step| step.state != StepState::Intent) {
            let _within = Within::step(true);
            if step.state == StepState::Failed {
                return Err(step.failure());
            }
            if !step.outcome.json().is_array() {
                return self.finish(work);
            }
            let answers = recorder.answers(&place, |answers| answers.whole(step.outcome.json()));
            drop(step);
            return tape::playing(answers, || self.finish(work)).0;
        }
        self.before_live()?;
        let step = Recorder::step(&place, &kind, &arguments, self.clock.now());
        let (result, heard) = {
            let _within = Within::step(false);
            tape::recording(|| self.finish(work))
        };
        let outcome = match &result {
            // Answered from what is known already: nothing to keep.
            Ok(_) if heard.is_empty() => return result,
            Ok(_) => Ok(recorder.answers(&place, |answers| answers.shortened(heard))),
            Err(error) => Err(error.clone()),
        };
        recorder.settle(&place, step, outcome, self.clock.now());
        result
    }

    /// A wait: `work` is told when the wait began, and returns what came of it, for itself and for the record;
    /// `again` makes of the record what `work` made of the world.
    pub(super) fn waited<T, R: Into<JsonText>>(
        &self,
        kind: &str,
        arguments: Value,
        work: impl FnOnce(Timestamp) -> HostResult<(T, R)>,
        again: impl FnOnce(&Value) -> HostResult<T>,
    ) -> HostResult<T> {
        let Some(recorder) = self.recorder() else { return work(self.clock.now()).map(|(value, _)| value) };
        let place = recorder.next();
        let arguments = recorder.cleaned(arguments);
        let known = recorder.known(&place, kind, &arguments).map_err(raise)?;
        if let Some(step) = &known {
            let _within = Within::step(true);
            match step.state {
                StepState::Done => return again(&step.outcome.tree()),
                StepState::Failed => return Err(raise(step.failure())),
                StepState::Intent => {}
            }
        }
        self.before_live().map_err(raise)?;
        let step = recorder.intend(&place, known, kind, &arguments, self.clock.now()).map_err(raise)?;
        let began = step.began;
        WAIT.set(Some(step));
        let result = {
            let _within = Within::step(false);
            work(began)
        };
        let step = WAIT.take().expect("it was set above, and no wait is inside of another");
        let (result, outcome) = match result {
            Ok((value, record)) => (Ok(value), Ok(record)),
            Err(error) => {
                let outcome = super::retry::as_error(&error);
                (Err(error), Err(outcome))
            }
        };
        recorder.settle(&place, step, outcome, self.clock.now());
        result
    }

    /// An error that puts the run down until `due`, if it was started so (`--suspend`) and has waited long enough to be worth it.
    pub(super) fn put_down_until(&self, due: Timestamp, what: &str) -> HostResult<()> {
        let Some(recorder) = &self.recorder else { return Ok(()) };
        // Who holds a lock stays, or nobody else could go on meanwhile.
        if !self.holds.lock().is_empty() {
            return Ok(());
        }
        let now = self.clock.now();
        let is_long = due.duration_since(now) > LONG;
        if recorder.suspend_after.is_none_or(|after| now < after && !is_long) {
            return Ok(());
        }
        Err(raise(
            Error::new(Kind::Suspended, format!("put down until {}: {what}", super::time::Moment::of(self, due)))
                .with("due", due.to_string())
                .with("waits_for", what)
                .help(format!("it goes on with: octorhai runs resume {}", recorder.run)),
        ))
    }

    /// Puts on record why this thread waits, or is about to. That it cannot be written is said by the next step that must be.
    fn record_reason(&self, reason: Value) {
        let Some(recorder) = &self.recorder else { return };
        let reason = recorder.cleaned(reason);
        let wait = WAIT.with_borrow_mut(|wait| {
            let step = wait.as_mut()?;
            give_reason(step, reason.clone());
            Some(step.clone())
        });
        match wait {
            Some(step) => drop(recorder.write(Some(step))),
            None => REASON.set(Some(reason)),
        }
    }

    /// Tells something that is told once: what happened before and is only gone through again is marked as such.
    pub fn emit(&self, what: What) {
        if !self.is_again() {
            if let What::Waiting { title, why, url, .. } = &what {
                self.record_reason(json!({"at": self.clock.now().to_string(), "title": title, "why": why, "url": url}));
            }
            self.events.emit(what);
        } else if matches!(
            what,
            What::TaskStarted { .. }
                | What::TaskEnded { .. }
                | What::Mail { .. }
                | What::Output { .. }
                | What::Artifact { .. }
                | What::Planned { .. }
        ) {
            self.events.emit(What::Replayed { what: Box::new(what) });
        }
    }
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
        Recorder::step(&Place { branch: String::new(), number }, kind, &Value::Null, Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn what_could_not_be_written_is_kept_and_an_intent_is_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let (store, recorder) = recorder(folder.path(), Vec::new());
        let place = recorder.next();
        recorder.settle(&place, step(1, "dashboard"), Ok(json!([])), Timestamp::UNIX_EPOCH);
        // The run is another process's, so nothing can be written.
        assert_eq!(recorder.write(Some(step(2, "deploy"))).map_err(|e| e.kind()), Err(Kind::Fenced));
        assert_eq!(recorder.state.lock().pending.iter().map(|s| s.kind.as_str()).collect::<Vec<_>>(), ["dashboard"]);
        assert!(store.steps("night").expect("read").is_empty());
    }

    #[test]
    fn nothing_is_done_after_a_difference() {
        let folder = tempfile::tempdir().expect("a folder");
        let (_, recorder) = recorder(folder.path(), vec![step(1, "deploy"), step(2, "deploy")]);
        let diverged = |kind: &str| recorder.known(&recorder.next(), kind, &Value::Null).map_err(|e| e.kind());
        assert_eq!(diverged("now"), Err(Kind::Diverged));
        assert_eq!(diverged("deploy"), Err(Kind::Diverged), "it is as the record says, but comes after the difference");
    }

    #[test]
    fn what_ends_a_run_is_no_outcome_of_the_step() {
        for kind in Kind::ALL {
            let folder = tempfile::tempdir().expect("a folder");
            let (_, recorder) = recorder(folder.path(), Vec::new());
            let place = recorder.next();
            recorder.settle(&place, step(1, "deploy"), Err::<Value, _>(Error::new(*kind, "no")), Timestamp::UNIX_EPOCH);
            assert_eq!(recorder.state.lock().pending.is_empty(), kind.class() == Class::Stop, "{kind}");
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
        let again = last.known(&last.next(), "deploy", &Value::Null).expect("as recorded").expect("a step");
        assert_eq!((again.state, again.intent), (StepState::Intent, json!({"attempt": 1})), "it goes by what is known now");
        // The script of then went on after it, and must do so again.
        let folder = tempfile::tempdir().expect("a folder");
        let (_, gone_on) = recorder(folder.path(), vec![met(1), step(2, "email")]);
        let caught = gone_on.known(&gone_on.next(), "deploy", &Value::Null).expect("as recorded").expect("a step");
        assert!(caught.state == StepState::Failed && !caught.failure().stops() && caught.failure().kind() == Kind::InDoubt);
    }
}
