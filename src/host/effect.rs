//! The one door for effects: everything that changes something outside passes here.
//!
//! Each effect has a key (branch of the script, sequence in it, hash of kind and arguments) that is the same when the
//! script runs again. What is created on the server carries it as a marker, so that it can be found after a lost answer
//! (durable-runs.md §2). The journal stands in this door: the intent is synced before, the outcome after.

use super::prelude::*;
use super::record::StepPosition;
use crate::journal::{Step, StepState};
use sha2::{Digest, Sha256};

/// The key of one effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marker(String);

impl Marker {
    /// What is written into comments, e.g. `octorhai:4f2c:2:9a0b1c2d`; at most 80 characters.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Marker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One try of an effect.
pub struct Attempt {
    /// Its key.
    pub marker: Marker,
    /// What an earlier start of the run was about to send when it ended; it may have been carried out.
    pub earlier: Option<Value>,
    host: Host,
    step: Option<Step>,
    /// When it was first meant to be done.
    began: Timestamp,
    attempted: Option<api::create_once::Earlier>,
}

impl Attempt {
    /// Whether an earlier start of the run may have done it.
    pub fn may_be_done(&self) -> bool {
        self.earlier.is_some()
    }

    /// Writes an intent that stays when the function returns, see [`EffectOutcome::goes_on`]; the step, if the run is journaled.
    pub(super) fn keep(&self, intent: Value) -> Result<Option<Step>> {
        let step = self.step.as_ref().map(|step| Step { intent, ..step.clone() });
        if let (Some(recorder), Some(step)) = (&self.host.record, &step) {
            recorder.write(Some(step.clone()))?;
        }
        Ok(step)
    }

    /// The error for what must not be done twice and cannot be looked for.
    pub fn once(&self, what: &str) -> Result<()> {
        if !self.may_be_done() {
            return Ok(());
        }
        let run = self.host.record.as_ref().map(|r| r.run().to_owned()).unwrap_or_default();
        Err(Error::new(
            Kind::InDoubt,
            format!("the run ended while it sent {what}: whether the server did it is not known, and it cannot be looked for"),
        )
        .help("look at the server; a request that can be repeated is better made by a function of its own than by `post`, `put`, `delete`")
        .help(format!("give the run up: octorhai runs cancel {run}")))
    }
}

impl api::create_once::Sending for Attempt {
    fn earlier(&self) -> Option<&Value> {
        self.earlier.as_ref().filter(|intent| !intent.is_null())
    }

    fn about_to(&self, intent: Value) -> Result<()> {
        self.host.in_time(self.began)?;
        match (&self.host.record, &self.step) {
            (Some(recorder), Some(step)) => {
                let intent = if let Some(at) = step.intent.get(AGAIN_AT) { going_on(intent, at) } else { intent };
                recorder.write(Some(Step { intent, ..step.clone() }))
            }
            _ => Ok(()),
        }
    }

    fn attempted(&self) -> Option<&api::create_once::Earlier> {
        self.attempted.as_ref()
    }

    fn is_journaled(&self) -> bool {
        self.step.is_some()
    }
}

/// The outcome of an effect, for the record.
pub trait EffectOutcome: Sized {
    /// As JSON.
    fn record(&self) -> JsonText;
    /// From what [`EffectOutcome::record`] made.
    fn restore(record: JsonText) -> Result<Self>;
    /// Whether the effect goes on when its function returns: then its step keeps its intent, and whoever ends it writes the outcome.
    fn goes_on(&self) -> bool {
        false
    }
}

impl EffectOutcome for () {
    fn record(&self) -> JsonText {
        JsonText::default()
    }
    fn restore(_: JsonText) -> Result<Self> {
        Ok(())
    }
}

impl EffectOutcome for bool {
    fn record(&self) -> JsonText {
        JsonText::from(&Value::Bool(*self))
    }
    fn restore(record: JsonText) -> Result<Self> {
        Ok(record.tree() == Value::Bool(true))
    }
}

impl EffectOutcome for JsonText {
    fn record(&self) -> JsonText {
        self.clone()
    }
    fn restore(record: JsonText) -> Result<Self> {
        Ok(record)
    }
}

macro_rules! documents {
    ($($type:ty: $noun:literal),*) => { $(
        impl EffectOutcome for $type {
            fn record(&self) -> JsonText {
                self.raw.clone()
            }
            fn restore(record: JsonText) -> Result<Self> {
                <$type as api::decode::Document>::decode(record).map_err(|problem| problem.into_error($noun))
            }
        }
    )* };
}
documents!(api::Deployment: "deployment", api::RunbookRun: "runbook run", api::Release: "release", api::Interruption: "interruption",
    api::TaskApproval: "approval", api::Environment: "environment");

/// The member of an intent that says when a later start of the run went on with the effect.
const AGAIN_AT: &str = "again_at";

/// An intent that says so.
fn going_on(intent: Value, at: &Value) -> Value {
    let mut members = if let Value::Object(members) = intent { members } else { serde_json::Map::new() };
    members.insert(AGAIN_AT.to_owned(), at.clone());
    members.into()
}

/// Since when the step was worked on by processes that went on with it, or else since its intent. What lies between the end of the first
/// process and that is no work, hours perhaps: it must not move the limits around.
fn at_work_since(step: &Step) -> Timestamp {
    step.intent[AGAIN_AT].as_str().and_then(|at| at.parse().ok()).unwrap_or(step.began)
}

/// An effect that is about to be done, or was done before.
enum BegunEffect {
    /// The record has its outcome.
    Done(JsonText),
    /// It is to be done now.
    ToDo(Box<(Attempt, UnderWay)>),
}

/// What is needed to end an effect.
struct UnderWay {
    /// Since when it is worked on.
    began: Timestamp,
    /// Its step, if the run is journaled.
    step: Option<(StepPosition, Step)>,
}

impl Host {
    /// Does something that changes the world outside. `kind` and `arguments` say what, for the key; `act` does it, and ends
    /// soon by itself when the run is cancelled meanwhile.
    pub fn effect<T: EffectOutcome, F: Future<Output = Result<T>>>(
        &self,
        kind: &str,
        arguments: &Value,
        act: impl FnOnce(Attempt) -> F,
    ) -> HostResult<T> {
        let (attempt, under_way) = match self.begin_effect(kind, arguments)? {
            BegunEffect::Done(record) => return T::restore(record).raise(),
            BegunEffect::ToDo(begun) => *begun,
        };
        let done = self.unrecorded(|| self.finish(act(attempt)));
        let is_kept = under_way.step.is_some();
        let record = done.as_ref().map(|outcome| (is_kept && !outcome.goes_on()).then(|| outcome.record()));
        self.end_effect(under_way, record.map_err(Clone::clone))?;
        done.raise()
    }

    fn begin_effect(&self, kind: &str, arguments: &Value) -> HostResult<BegunEffect> {
        // What goes to the server is kept back by its client, which knows the whole request.
        if kind == "email" && self.servers.connection.dry.is_on() {
            return Err(raise(self.servers.connection.dry.refusal(kind, arguments)));
        }
        let marker = self.next_marker(kind, arguments);
        tracing::debug!(%marker, kind, %arguments, "effect");
        let Some(recorder) = self.recorder() else {
            self.still_inside()?;
            self.still_wanted()?;
            let began = self.clock.now();
            let attempted = self.attempted(&marker);
            self.check_cancelled()?;
            let attempt = Attempt { marker, earlier: None, host: self.clone(), step: None, began, attempted };
            return Ok(BegunEffect::ToDo((attempt, UnderWay { began, step: None }).into()));
        };
        let position = recorder.next(&self.frame.branch);
        let arguments = recorder.cleaned(arguments.clone());
        let known = recorder.known(&position, kind, &arguments)?;
        if let Some(step) = &known {
            if let Some(ended) = step.ended {
                self.was_busy(ended.duration_since(at_work_since(step)));
            }
            match step.state {
                StepState::Done => return Ok(BegunEffect::Done(step.outcome.clone())),
                StepState::Failed => return Err(raise(step.failure())),
                StepState::Intent => {}
            }
        }
        self.check_cancelled()?;
        self.before_live()?;
        self.still_inside()?;
        self.still_wanted()?;
        let earlier = known.as_ref().map(|step| step.intent.clone());
        let mut step = self.intend(recorder, &position, known, kind, &arguments)?;
        if earlier.is_some() && step.intent.get(AGAIN_AT).is_none() {
            step.intent = going_on(step.intent, &self.clock.now().to_string().into());
            recorder.write(Some(step.clone()))?;
        }
        let attempted = self.attempted(&marker);
        let attempt = Attempt { marker, earlier, host: self.clone(), began: step.began, step: Some(step.clone()), attempted };
        Ok(BegunEffect::ToDo((attempt, UnderWay { began: at_work_since(&step), step: Some((position, step)) }).into()))
    }

    /// Ends an effect by what came of it, as the record keeps it: nothing when it goes on, or no record is kept.
    fn end_effect(&self, UnderWay { began, step }: UnderWay, outcome: Result<Option<JsonText>>) -> HostResult<()> {
        // What was done stands on the server, and its marker finds it: an error of the journal comes second.
        let ended = self.clock.now();
        self.was_busy(ended.duration_since(began));
        let result = outcome.as_ref().map(drop).map_err(Clone::clone);
        let written = match (step, self.recorder(), outcome.transpose()) {
            (Some((position, step)), Some(recorder), Some(outcome)) => {
                self.settle(recorder, &position, step, outcome, ended);
                recorder.write(None)
            }
            _ => Ok(()),
        };
        // Locks have to know when something is in doubt.
        if result.as_ref().is_err_and(|error| error.kind() == Kind::InDoubt) {
            self.left_in_doubt();
        }
        result.and(written).raise()
    }

    /// Asked before the intent is written: a process that ends while it asks has done nothing.
    fn still_wanted(&self) -> Result<()> {
        self.unrecorded(|| self.block(self.servers.home.client.still_wanted()))
    }

    /// What an earlier attempt of the step that runs this script would have made here.
    fn attempted(&self, marker: &Marker) -> Option<api::create_once::Earlier> {
        let step = self.context.step.as_ref()?;
        let (head, tail) = (format!("octorhai:{}", step.mark), marker.as_str().strip_prefix(&format!("octorhai:{}", self.run_id))?);
        Some(api::create_once::Earlier { head, tail: tail.to_owned(), since: self.step_since(&step.task) })
    }

    /// When the task began that this step belongs to; of one that cannot be looked at, what is surely long enough ago.
    fn step_since(&self, task: &str) -> Timestamp {
        *self.servers.step_since.get_or_init(|| {
            let task = self.unrecorded(|| self.block(self.servers.home.space.task(&task.into())));
            let began = task.ok().and_then(|task| task.start_time.or(task.queue_time));
            began.unwrap_or_else(|| later(self.clock.now(), -SignedDuration::from_hours(24)))
        })
    }

    /// Counts the time from the intent of an effect, or since a later start goes on with it, to its outcome: by the record, so that it is the same at each start.
    fn was_busy(&self, span: SignedDuration) {
        let mut busy = self.ledger.busy.lock();
        let all = busy.entry(self.frame.branch.clone()).or_default();
        *all = all.saturating_add(span);
    }

    fn next_marker(&self, kind: &str, arguments: &Value) -> Marker {
        let branch = &self.frame.branch;
        let sequence = {
            let mut effects = self.ledger.effects.lock();
            let next = effects.entry(branch.clone()).or_insert(0);
            *next += 1;
            *next
        };
        let hash = Sha256::digest(format!("{kind}\n{arguments}"));
        let key = hash.iter().take(4).fold(0_u32, |key, byte| (key << 8) | u32::from(*byte));
        let path = if branch.is_empty() { sequence.to_string() } else { format!("{branch}.{sequence}") };
        Marker(format!("octorhai:{}:{path}:{key:08x}", self.run_id))
    }
}
