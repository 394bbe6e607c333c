//! Locks as a run holds them: taken, checked before each effect, taken again when a run goes on, given back.
//!
//! In the record of a run a lock is two steps, `lock` and `unlock`, around the steps of the closure. A run that goes on
//! comes by the first without taking anything: what follows has happened before. Only when something is about to happen
//! anew are the locks around it taken again (`Host::before_live`).

use super::prelude::*;
use super::{
    raised::as_error,
    started_inside::StartedInside,
    wait_loop::{Look, until},
};
use crate::{
    api::create_once::mark_in,
    cancel::Cancel,
    clock::real_limit,
    error::Class,
    lock::{
        Busy, Held, LockRequest, Locks, Me, NoServer, Owner, Owners, Register, Seen, Taker,
        octopus::{OctopusOwners, OctopusRegister},
        store::StoreRegister,
        within,
    },
};
use std::sync::atomic::{AtomicBool, Ordering};

crate::options! {
    /// How to take a lock.
    pub struct LockOptions for ["lock", "locks", "only_one", "once"] {
        /// How long to wait for it at most. A time-out is an error of kind `timeout` that names the holder.
        wait_up_to: SignedDuration = SignedDuration::from_mins(30), "30m";
        /// After how long without a sign of life this run counts as gone, when it does not run in an Octopus step: the
        /// server knows whether the task of a step goes on.
        lease: SignedDuration = crate::lock::LEASE, "1m";
        /// How many runs may hold it at once.
        slots: i64 = 1, "1";
        /// What happens when somebody holds it. `"skip"`: the closure is not called, the result is `()`; without a closure the
        /// script ends, with exit code 0. `"fail"`: an error of kind `lock_busy`, exit code 6. `"requeue"`: the deployment that
        /// runs this script is scheduled again, as by `requeue`.
        on_busy: Otherwise = Otherwise::Wait, "\"wait\"";
        /// How much later it is scheduled with `"requeue"`.
        requeue_in: SignedDuration = SignedDuration::from_mins(15), "15m";
    }
}

crate::words! {
    /// What is done when somebody has a lock.
    pub enum Otherwise {
        /// Wait.
        Wait = "wait",
        /// Go on without.
        Skip = "skip",
        /// An error.
        Fail = "fail",
        /// The whole deployment again, later.
        Requeue = "requeue",
    }
}

/// Where locks are kept.
#[derive(Clone)]
pub enum LocksAt {
    /// On the Octopus Server, in the run's space.
    Octopus,
    /// In a store: a PostgreSQL, or a folder of this machine.
    Store(crate::journal::Journal),
}

impl LocksAt {
    /// The store, when that is where.
    pub fn store(&self) -> Option<&crate::journal::Journal> {
        match self {
            Self::Octopus => None,
            Self::Store(store) => Some(store),
        }
    }
}

/// The locks that a run is inside of, and where they are kept.
pub struct HeldLocks {
    at: LocksAt,
    /// In the order in which they were taken.
    pub(super) holds: Mutex<Vec<Arc<Hold>>>,
}

impl HeldLocks {
    /// None yet.
    pub fn new(at: LocksAt) -> Self {
        Self { at, holds: Mutex::default() }
    }
}

/// A lock that the script is inside of.
pub struct Hold {
    name: String,
    branch: String,
    options: LockOptions,
    state: Mutex<HoldState>,
    /// What the run had started when it was taken.
    pub(super) begun: StartedInside,
    /// Something sent under it may still take effect.
    in_doubt: AtomicBool,
    /// The script has left it because the run was cancelled: it is given back when the tasks of the run are.
    left: AtomicBool,
}

enum HoldState {
    /// An earlier start of the run took it, in this generation.
    Earlier(u64),
    /// A branch takes it again.
    Taking,
    /// It is ours.
    Ours(Held),
    /// It was given back.
    Over,
}

/// What came of asking for a lock.
pub(super) enum LockAnswer {
    /// We are inside.
    Inside(Arc<Hold>),
    /// It is held, and this is what the options say to do then; with the holder in words.
    Held(Otherwise, String),
}

impl Host {
    /// The locks of this run, made when they are first needed.
    pub(super) fn locks(&self) -> Result<Locks> {
        if let Some(locks) = self.servers.locks.get() {
            return Ok(locks.clone());
        }
        // A cancelled run still has to give its locks back: the script's waits end between two looks.
        let space = self.servers.home.space.with_cancel(Cancel::new());
        let run = self.record.as_ref().map_or(self.run_id.as_str(), |recorder| recorder.run());
        let new = match &self.seed {
            Some(seed) => Me::alone(&self.script, seed),
            None => Me::new(run),
        };
        let mut me = Me { only_one: self.record.is_some(), mark: self.run_id.clone(), ..new };
        // The task that stands for us: that of our deployment, or of the runbook run whose step this is.
        let stands = match (&self.context.deployment, &self.context.step) {
            (Some(id), _) => Some(self.unrecorded(|| {
                self.block(async {
                    let deployment = space.deployment(&id.as_str().into()).await?;
                    Ok((space.task(&deployment.task_id).await?, mark_in(&deployment.comments)))
                })
            })?),
            (None, Some(step)) => Some((self.unrecorded(|| self.block(space.task(&step.task.as_str().into())))?, None)),
            (None, None) => None,
        };
        if let Some((task, parent)) = stands {
            me.parent = parent;
            // Of one that is over only the name was lent.
            if !task.is_completed() {
                me.url = Some(space.task_url(&task.id));
                me.task = Some(task.id.to_string());
            }
        }
        let (register, owners): (Arc<dyn Register>, Arc<dyn Owners>) = match &self.held.at {
            LocksAt::Octopus => {
                (Arc::new(OctopusRegister::new(space.clone(), self.servers.home.advice.settle)), Arc::new(OctopusOwners::new(space)))
            }
            // Holders in tasks of other servers may stand in the same store: only their signs of life tell.
            LocksAt::Store(store) => (Arc::new(StoreRegister::new(store.clone(), self.clock.clone())), Arc::new(NoServer)),
        };
        let made = Locks::new(register, owners, self.clock.clone(), me, self.servers.home.advice.rules());
        Ok(self.servers.locks.get_or_init(|| made).clone())
    }

    /// Asks for a lock; waits for it as the options say.
    pub(super) fn ask_for_lock(&self, name: &str, options: &LockOptions) -> HostResult<LockAnswer> {
        let branch = self.frame.branch.clone();
        let arguments = json!({"name": name, "slots": options.slots});
        let work = |since| {
            let taken = self.take(name, options, &branch, later(since, options.wait_up_to), false)?;
            let record = match &taken {
                Ok(held) => json!({"generation": held.generation()}),
                Err((otherwise, why)) => json!({"held": otherwise.word(), "why": why}),
            };
            Ok((taken.map(HoldState::Ours), record))
        };
        let again = |record: &Value| {
            Ok(match record["held"].as_str() {
                Some(word) => {
                    Err((Otherwise::named(word).unwrap_or(Otherwise::Wait), record["why"].as_str().unwrap_or_default().to_owned()))
                }
                None => Ok(HoldState::Earlier(record["generation"].as_u64().unwrap_or(0))),
            })
        };
        Ok(match self.waited("lock", arguments, work, again)? {
            Ok(state) => {
                let hold = Hold {
                    name: name.to_owned(),
                    branch,
                    options: options.clone(),
                    state: Mutex::new(state),
                    begun: StartedInside::now(self),
                    in_doubt: AtomicBool::new(false),
                    left: AtomicBool::new(false),
                };
                let hold = Arc::new(hold);
                self.cancel.stopping().holds_lock(name, true);
                self.held.holds.lock().push(hold.clone());
                LockAnswer::Inside(hold)
            }
            Err((otherwise, why)) => LockAnswer::Held(otherwise, why),
        })
    }

    /// Takes a lock, in the world. With `back` it was ours before: whoever has it is waited for, whatever the options say.
    fn take(
        &self,
        name: &str,
        options: &LockOptions,
        branch: &str,
        deadline: Timestamp,
        back: bool,
    ) -> HostResult<std::result::Result<Held, (Otherwise, String)>> {
        let locks = self.locks().raise()?;
        // In virtual time nobody gives signs of life, and nobody is ever silent.
        let lease = if self.clock.is_virtual() { SignedDuration::from_hours(24 * 30) } else { options.lease };
        let slots = u32::try_from(options.slots).unwrap_or(1);
        let impatient = !back && options.on_busy != Otherwise::Wait;
        let mut taker =
            Taker::new(&locks, LockRequest { name: name.to_owned(), slots, lease: Some(lease), branch: branch.to_owned(), impatient })
                .raise()?;
        let mut last: Option<Busy> = None;
        let found = until(self, deadline, || match self.block(taker.look())? {
            Seen::Taken(held) => Ok(Look::Done(Ok(held))),
            Seen::Busy(busy) => {
                let is_held = !busy.owners.is_empty() && !busy.taking_over;
                if is_held && !back && options.on_busy != Otherwise::Wait {
                    return Ok(Look::Done(Err((options.on_busy, busy.why))));
                }
                if !busy.owners.is_empty() && last.as_ref().is_none_or(|last| last.why != busy.why) {
                    let (why, url) = (busy.why.clone(), busy.url.clone());
                    self.emit(What::Waiting { task: None, title: format!("lock `{name}`"), why, url });
                }
                let due = later(self.clock.now(), busy.pause);
                // What was said of the holder stays said when a look only met somebody else who asks.
                if last.is_none() || !busy.owners.is_empty() {
                    last = Some(busy);
                }
                Ok(Look::Again(due))
            }
        });
        if let Ok(Some(Ok(held))) = found {
            let waited = last.is_some_and(|busy| !busy.owners.is_empty());
            let level = if waited { Level::Info } else { Level::Verbose };
            self.note(level, format!("lock `{name}` is ours (generation {})", held.generation()));
            return Ok(Ok(held));
        }
        // What was sent last may still land: an error in taking it back comes second, the lease ends it.
        let given_up = if self.cancel.is_cancelled() {
            let within = self.cancel.stopping().leave_locks();
            self.finish(real_limit(within, taker.give_up())).unwrap_or_else(|| Err(too_slow()))
        } else {
            self.finish(taker.give_up())
        };
        if let Err(error) = given_up {
            self.note(Level::Warning, format!("lock `{name}` could not be given up in order: {}", error.message()));
        }
        match (found?, last) {
            (Some(Err((Otherwise::Fail, why))), _) => Err(raise(refusal(Kind::LockBusy, name, &why, ""))),
            (Some(otherwise), _) => Ok(otherwise),
            (None, busy) => {
                let why = busy.as_ref().map_or("asked for by many at once", |busy| busy.why.as_str());
                let holder = busy.as_ref().and_then(|busy| busy.owners.first()).map(Owner::shown);
                let error = refusal(Kind::Timeout, name, why, &format!("after {} ", text::show(options.wait_up_to)));
                Err(raise(error.with("holder", holder).with("url", busy.and_then(|busy| busy.url))))
            }
        }
    }

    /// Called before anything happens that is not in the record: the locks around it are taken again.
    pub(super) fn before_live(&self) -> Result<()> {
        let around: Vec<Arc<Hold>> =
            self.held.holds.lock().iter().filter(|hold| within(&self.frame.branch, &hold.branch)).cloned().collect();
        around.iter().try_for_each(|hold| self.unrecorded(|| self.take_back(hold)).map_err(|error| as_error(&error)))
    }

    fn take_back(&self, hold: &Hold) -> HostResult<()> {
        let before = loop {
            {
                let mut state = hold.state.lock();
                match *state {
                    HoldState::Earlier(generation) => {
                        *state = HoldState::Taking;
                        break generation;
                    }
                    HoldState::Ours(_) | HoldState::Over => return Ok(()),
                    HoldState::Taking => {}
                }
            }
            self.sleep_until(later(self.clock.now(), SignedDuration::from_millis(100)))?;
        };
        let deadline = later(self.clock.now(), hold.options.wait_up_to);
        let taken = self.take(&hold.name, &hold.options, &hold.branch, deadline, true);
        let (state, result) = match taken {
            Ok(Ok(held)) => {
                if held.generation() > before + 1 {
                    let text = format!("lock `{}` was taken by others while the run was away", hold.name);
                    self.note(Level::Warning, text);
                }
                (HoldState::Ours(held), Ok(()))
            }
            Ok(Err((_, why))) => (HoldState::Earlier(before), Err(raise(lost(&hold.name, &why)))),
            Err(error) if ours(&error).is_some_and(|error| matches!(error.kind(), Kind::Timeout | Kind::LockBusy)) => {
                let why = ours(&error).map(|error| error.message().to_owned()).unwrap_or_default();
                (HoldState::Earlier(before), Err(raise(lost(&hold.name, &why))))
            }
            Err(error) => (HoldState::Earlier(before), Err(error)),
        };
        *hold.state.lock() = state;
        result
    }

    /// LockAnswer before each effect: whether the locks around it are still ours.
    pub(super) fn still_inside(&self) -> Result<()> {
        let around: Vec<Held> =
            self.held.holds.lock().iter().filter(|hold| within(&self.frame.branch, &hold.branch)).filter_map(|hold| hold.held()).collect();
        self.unrecorded(|| around.iter().try_for_each(|held| self.finish(held.still_mine())))
    }

    /// Something was sent and nobody knows whether it takes effect: the locks around it are not given back in order.
    pub(super) fn left_in_doubt(&self) {
        for hold in self.held.holds.lock().iter().filter(|hold| within(&self.frame.branch, &hold.branch)) {
            hold.in_doubt.store(true, Ordering::SeqCst);
        }
    }

    /// Gives a lock back. A run that ends by `error` and may go on later keeps it in its record.
    pub(super) fn leave(&self, hold: &Arc<Hold>, error: Option<Kind>) -> HostResult<()> {
        // Its tasks are cancelled first, or the next holder would meet them.
        if self.cancel.is_cancelled() {
            hold.left.store(true, Ordering::SeqCst);
            return Ok(());
        }
        self.held.holds.lock().retain(|other| !Arc::ptr_eq(other, hold));
        if error.is_some_and(|kind| kind.class() == Class::Stop) {
            let _told = self.give_back(hold);
            return Ok(());
        }
        let left = self.waited(
            "unlock",
            json!({"name": hold.name}),
            |_| match self.give_back(hold) {
                // What a run with a record could not give back it gives back when it goes on.
                Err(error) if error.stops() && self.record.is_some() => Err(raise(error)),
                _ => Ok(((), Value::Null)),
            },
            |_| {
                // It was taken again on the way, for something that the record has no outcome of.
                if hold.held().is_some() {
                    let _told = self.give_back(hold);
                }
                *hold.state.lock() = HoldState::Over;
                Ok(())
            },
        );
        if left.is_err() {
            let _told = self.give_back(hold);
        }
        left
    }

    /// Gives a lock back; that it could not be is told.
    fn give_back(&self, hold: &Hold) -> Result<()> {
        let locks = hold.is_earlier().then(|| self.locks());
        let given = self.finish(self.given_back(hold, locks));
        self.tell_given(hold, given.clone());
        given
    }

    /// Gives a lock back; `locks` are needed for one that an earlier start of the run took.
    async fn given_back(&self, hold: &Hold, locks: Option<Result<Locks>>) -> Result<()> {
        let state = std::mem::replace(&mut *hold.state.lock(), HoldState::Over);
        match state {
            HoldState::Ours(held) if hold.in_doubt.load(Ordering::SeqCst) => {
                held.abandon();
                let text = "something sent under it may still take effect, so it is not given back: the next run takes it over with care";
                self.note(Level::Warning, format!("lock `{}`: {text}", hold.name));
            }
            HoldState::Ours(held) => held.release().await?,
            // What an earlier start took stands there still, unless somebody took it over.
            HoldState::Earlier(_) | HoldState::Taking => {
                if let Some(locks) = locks {
                    locks?.forget_earlier(&hold.name).await?;
                }
            }
            HoldState::Over => return Ok(()),
        }
        self.cancel.stopping().holds_lock(&hold.name, false);
        Ok(())
    }

    fn tell_given(&self, hold: &Hold, given: Result<()>) {
        if let Err(error) = given {
            let text =
                format!("lock `{}` could not be given back ({}): it ends with its lease or its server task", hold.name, error.message());
            self.note(Level::Warning, text);
        }
    }

    /// Gives back the locks of a run that is stopped, all at once and within a limit: what takes longer is left to the next taker.
    fn give_back_within(&self, all: &[Arc<Hold>]) {
        let within = self.cancel.stopping().leave_locks();
        let locks = all.iter().any(|hold| hold.is_earlier()).then(|| self.locks());
        let give = |hold: &Arc<Hold>| {
            let (hold, locks) = (hold.clone(), locks.clone());
            async move { Ok(real_limit(within, self.given_back(&hold, locks)).await.unwrap_or_else(|| Err(too_slow()))) }
        };
        let given: Vec<Result<()>> = self.finish(super::lists::all(all.iter().map(give))).unwrap_or_default();
        for (hold, given) in all.iter().zip(given) {
            self.tell_given(hold, given);
        }
    }

    /// Gives back what a cancelled input of a session held: the session goes on.
    pub fn give_back_left(&self) {
        let mut holds = self.held.holds.lock();
        let (left, held) = holds.drain(..).partition(|hold| hold.left.load(Ordering::SeqCst));
        *holds = held;
        drop(holds);
        let left: Vec<Arc<Hold>> = left;
        self.give_back_within(&left);
    }

    /// Gives back what is held to the end of the run, in the opposite order.
    pub fn leave_all(&self, error: Option<Kind>) -> Result<()> {
        if self.cancel.is_cancelled() {
            let all: Vec<Arc<Hold>> = self.held.holds.lock().drain(..).rev().collect();
            if !all.is_empty() {
                self.give_back_within(&all);
            }
            return Ok(());
        }
        let mut result = Ok(());
        let all: Vec<Arc<Hold>> = self.held.holds.lock().iter().rev().cloned().collect();
        for hold in all {
            let left = self.leave(&hold, error).map_err(|error| as_error(&error));
            result = result.and(left);
        }
        result
    }
}

impl Hold {
    fn is_earlier(&self) -> bool {
        matches!(&*self.state.lock(), HoldState::Earlier(_) | HoldState::Taking)
    }

    fn held(&self) -> Option<Held> {
        match &*self.state.lock() {
            HoldState::Ours(held) => Some(held.clone()),
            _ => None,
        }
    }
}

/// The error of a release that took longer than a stop may.
fn too_slow() -> Error {
    Error::new(Kind::Timeout, "a stopped run waits no longer")
}

/// The error of a run that goes on and finds its lock taken.
fn lost(name: &str, why: &str) -> Error {
    Error::new(Kind::Fenced, format!("this run held lock `{name}` before it was interrupted, and could not take it again: {why}"))
        .with("lock", name)
        .help("nothing was sent; when the holder is done, the run can go on")
}

/// The error that names the holder.
fn refusal(kind: Kind, name: &str, why: &str, before: &str) -> Error {
    Error::new(kind, format!("{before}lock `{name}` is {why}"))
        .with("lock", name)
        .help(format!("see it: octorhai locks show \"{name}\"; a run can wait for it (`wait_up_to`), or leave (`on_busy`)"))
}
