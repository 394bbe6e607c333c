//! The record of a run, as the host's functions see it: every call whose answer can change, and every effect, is a step of it.
//!
//! A run that starts again runs its script from the top. A step that has an outcome in the record gives it back and
//! touches nothing; the first one without goes live (durable-runs.md §4). Three kinds of step:
//!
//! - a *read* ([`Host::block`]) keeps what the server answered (`reads`), so that the code above sees it again;
//! - an *effect* ([`super::effect`]) writes its intent before and its outcome after, both synced;
//! - a *wait* (`Host::waited`) keeps when it began, so that its deadline stays, and what came of it.
//!
//! Reads are written together with the next intent: nothing outside depends on them before. Steps inside of a step are
//! not written: the frame of the call knows that it is inside of one. Without a recorder all of this is the plain call.

mod called;
mod reads;
mod recorder;
pub mod sealed;

pub use recorder::Recorder;
pub(super) use recorder::StepPosition;

use super::{Host, call::CallFrame};
use crate::{
    engine::thrown::{HostResult, raise},
    error::{Error, Kind, Result},
    event::What,
    journal::{Step, StepState},
    json::JsonText,
};
use jiff::{SignedDuration, Timestamp};
use reads::Reads;
use serde_json::{Value, json};
use std::{pin::Pin, sync::Arc};

/// A sleep longer than this is put down at once (`--suspend`).
pub const LONG: SignedDuration = SignedDuration::from_mins(1);

/// How many reasons of one wait its record keeps: the first ones, and the last.
const REASONS: usize = 20;

/// Adds to the record of a wait why it waits.
fn give_reason(step: &mut Step, reason: Value) {
    if let Some(reasons) = step.intent.get_mut("waits").and_then(Value::as_array_mut) {
        reasons.truncate(REASONS - 1);
        reasons.push(reason);
    } else {
        step.intent = json!({"waits": [reason]});
    }
}

impl CallFrame {
    /// The function and its arguments, as steps that say nothing else are called.
    fn called(&self) -> (String, Value) {
        match &self.function {
            Some((name, arguments)) => ((*name).to_owned(), arguments.iter().map(called::described).collect()),
            None => ("read".to_owned(), Value::Null),
        }
    }
}

impl Host {
    /// The recorder, unless the call is inside of a step already.
    pub(super) fn recorder(&self) -> Option<&Recorder> {
        self.record.as_deref().filter(|_| !self.frame.is_in_step())
    }

    /// Whether what happens now in this call has happened before.
    pub fn is_again(&self) -> bool {
        self.frame.is_again() || self.recorder().is_some_and(|recorder| recorder.is_behind(&self.frame.branch))
    }

    /// Runs `work` without writing steps: what belongs to the run and not to the script.
    pub fn unrecorded<T>(&self, work: impl FnOnce() -> T) -> T {
        let _within = self.frame.step(false);
        work()
    }

    /// The time that decides: what it was when the run first came here.
    pub fn now(&self) -> Timestamp {
        let now = self.clock.now();
        let Some(recorder) = self.recorder() else { return now };
        let position = recorder.next(&self.frame.branch);
        match recorder.known(&position, "now", &Value::Null) {
            Ok(Some(step)) => return step.began,
            Ok(None) => {}
            // The time is no place to fail at: the next step says so, before it does anything.
            Err(_) => return now,
        }
        let step = Recorder::step(&position, "now", &Value::Null, now);
        recorder.settle(&position, step, Ok(JsonText::default()), now);
        now
    }

    /// A step with its intent in the record, synced: the one that is `known` from an earlier start, or a new one.
    pub(super) fn intend(
        &self,
        recorder: &Recorder,
        position: &StepPosition,
        known: Option<Step>,
        kind: &str,
        arguments: &Value,
    ) -> Result<Step> {
        recorder.intend(known, || {
            let mut step = Recorder::step(position, kind, arguments, self.clock.now());
            if let Some(reason) = self.frame.reason.lock().take() {
                give_reason(&mut step, reason);
            }
            step
        })
    }

    /// Gives a step its outcome.
    pub(super) fn settle(&self, recorder: &Recorder, position: &StepPosition, step: Step, outcome: Result<JsonText>, now: Timestamp) {
        let outcome = outcome.map_err(|error| recorder.cleaned_error(error, &self.frame.called().1));
        recorder.settle(position, step, outcome, now);
    }

    /// A read: `work` asks the server and changes nothing.
    pub(super) fn read(&self, work: Pin<&mut dyn Future<Output = Result<()>>>) -> Result<()> {
        let Some(recorder) = self.recorder() else { return self.ask(work, None) };
        // What was told before something else than a wait is not why the next one waits.
        self.frame.reason.lock().take();
        let position = recorder.next(&self.frame.branch);
        let (kind, arguments) = self.frame.called();
        let arguments = recorder.cleaned(arguments);
        if let Some(step) = recorder.known(&position, &kind, &arguments)?.filter(|step| step.state != StepState::Intent) {
            let _within = self.frame.step(true);
            if step.state == StepState::Failed {
                return Err(step.failure());
            }
            if !step.outcome.json().is_array() {
                return self.ask(work, None);
            }
            let answers = recorder.answers(&position, |answers| answers.whole(step.outcome.json()));
            drop(step);
            return self.ask(work, Some(Arc::new(Reads::of(answers))));
        }
        self.before_live()?;
        let step = Recorder::step(&position, &kind, &arguments, self.clock.now());
        let reads = Arc::new(Reads::default());
        let result = self.unrecorded(|| self.ask(work, Some(reads.clone())));
        let heard = reads.take_heard();
        let outcome = match &result {
            // Answered from what is known already: nothing to keep.
            Ok(()) if heard.is_empty() => return result,
            Ok(()) => Ok(recorder.answers(&position, |answers| answers.shortened(heard))),
            Err(error) => Err(error.clone()),
        };
        self.settle(recorder, &position, step, outcome, self.clock.now());
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
        let (mut work, mut came) = (Some(work), None);
        let mut once = |began| {
            let work = work.take().ok_or_else(|| raise(Error::bug("a wait was begun twice")))?;
            let (value, record) = work(began)?;
            came = Some(value);
            Ok(record.into())
        };
        match self.wait_step(kind, arguments, &mut once)? {
            Some(record) => {
                let _within = self.frame.step(true);
                again(&record)
            }
            None => came.ok_or_else(|| raise(Error::bug("a wait ended without a value"))),
        }
    }

    /// The step of a wait: what the record says came of it, or none when `work` has waited.
    fn wait_step(
        &self,
        kind: &str,
        arguments: Value,
        work: &mut dyn FnMut(Timestamp) -> HostResult<JsonText>,
    ) -> HostResult<Option<Value>> {
        let Some(recorder) = self.recorder() else { return work(self.clock.now()).map(|_| None) };
        let position = recorder.next(&self.frame.branch);
        let arguments = recorder.cleaned(arguments);
        let known = recorder.known(&position, kind, &arguments).map_err(raise)?;
        if let Some(step) = &known {
            match step.state {
                StepState::Done => return Ok(Some(step.outcome.tree())),
                StepState::Failed => return Err(raise(step.failure())),
                StepState::Intent => {}
            }
        }
        self.before_live().map_err(raise)?;
        let step = self.intend(recorder, &position, known, kind, &arguments).map_err(raise)?;
        let began = step.began;
        *self.frame.wait.lock() = Some(step);
        let result = self.unrecorded(|| work(began));
        let step = self.frame.wait.lock().take().expect("it was set above, and no wait is inside of another");
        let (result, outcome) = match result {
            Ok(record) => (Ok(None), Ok(record)),
            Err(error) => {
                let outcome = super::raised::as_error(&error);
                (Err(error), Err(outcome))
            }
        };
        self.settle(recorder, &position, step, outcome, self.clock.now());
        result
    }

    /// An error that puts the run down until `due`, if it was started so (`--suspend`) and has waited long enough to be worth it.
    pub(super) fn put_down_until(&self, due: Timestamp, what: &str) -> HostResult<()> {
        let Some(recorder) = &self.record else { return Ok(()) };
        // Who holds a lock stays, or nobody else could go on meanwhile.
        if !self.held.holds.lock().is_empty() {
            return Ok(());
        }
        let now = self.clock.now();
        let is_long = due.duration_since(now) > LONG;
        if recorder.suspend_after().is_none_or(|after| now < after && !is_long) {
            return Ok(());
        }
        Err(Error::new(Kind::Suspended, format!("put down until {}: {what}", super::time::Moment::of(self, due)))
            .with("due", due.to_string())
            .with("waits_for", what)
            .help(format!("it goes on with: octorhai runs resume {}", recorder.run()))
            .into())
    }

    /// Puts on record why this call waits, or is about to. That it cannot be written is said by the next step that must be.
    fn record_reason(&self, reason: Value) {
        let Some(recorder) = &self.record else { return };
        let reason = recorder.cleaned(reason);
        let mut wait = self.frame.wait.lock();
        match wait.as_mut() {
            Some(step) => {
                give_reason(step, reason);
                drop(recorder.write(Some(step.clone())));
            }
            None => *self.frame.reason.lock() = Some(reason),
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
