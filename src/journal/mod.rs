//! The journal of runs: what a run was asked, what it did, and what came of it, kept where a crash cannot take it.
//!
//! A *run* is one execution of a script, under a name. A *step* is one call that changed something outside or whose
//! answer can change; its path (branch of the script and number in it) is the same whenever the script runs again.
//! An effect writes its intent before and its outcome after, both synced; a read writes its outcome only. Who writes must
//! still be the run's holder: a process that was declared dead and lives on is stopped here (durable-runs.md §4).
//!
//! Beside runs a store keeps *cells*: small named values with a version, changed by compare-and-swap. Locks, `once`,
//! `remember` and arrivals are built on them.

mod chain;
mod fault;
pub mod patience;
mod postgres;
pub mod record;
mod row;
mod sqlite;

pub use patience::Patience;
pub use postgres::{Postgres, is_exposed, is_one as is_postgres, with_password};
pub use record::{BegunFor, Cell, Holder, NewRun, Run, RunState, Step, StepState, fingerprint};
pub use sqlite::Sqlite;

use crate::error::{Error, Kind, Result};
use jiff::Timestamp;
use serde_json::Value;
use std::{path::Path, sync::Arc};

/// The format of what is written. A store with a higher number is refused, one with a lower is migrated when it is opened.
pub const FORMAT: u32 = 1;

/// What [`Store::claim`] found.
#[derive(Clone, Debug)]
pub enum Claim {
    /// There was no unfinished run of that name: it was created. One of that name that ended before keeps its record
    /// under `NAME~1`, `NAME~2`, ...
    Fresh,
    /// There was an unfinished one whose holder is gone: it is ours now. The run with the state and the holder it had before
    /// (`attempts` counts this one), and all its steps, in the order of writing.
    Resumed(Box<Run>, Vec<Step>),
    /// Its holder lives.
    Held(Box<Run>),
    /// One of that name has ended, and [`Begin`] says that it stands. Nothing changed.
    Ended(Box<Run>),
}

/// Whether [`Store::claim_if`] begins a run when one of its name has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// It does; the one that ended makes room.
    Anew,
    /// Only when the one that ended did not succeed: who asks again for what failed wants another try.
    UnlessSucceeded,
    /// It does not.
    UnlessEnded,
}

impl Begin {
    /// Whether a run that stands like this is left as it is.
    fn leaves(self, state: &RunState) -> bool {
        match self {
            Self::Anew => false,
            Self::UnlessSucceeded => matches!(state, RunState::Succeeded { .. }),
            Self::UnlessEnded => !state.is_unfinished(),
        }
    }
}

/// Where runs, steps and cells are kept. All methods block and return once the data is synced; they are called from
/// threads that may block (never from a runtime's worker).
///
/// Errors: `usage` when the store cannot be used as it is (newer format, damaged, no permission, wrong address);
/// `store` for a full disk, a locked file, a lost connection, with what helps; `fenced` when `holder` is not the
/// run's holder any more.
pub trait Store: Send + Sync {
    /// Where it is, for people: a path, or an address without password.
    fn place(&self) -> String;

    /// Whether nobody but this user of this machine can have written to it, as far as can be told. What a record names is done by who
    /// continues the run: files are read only by the word of such a record.
    fn is_own(&self) -> bool {
        false
    }

    /// From now on a run depends on it: what may pass is waited for, see [`Patience`]. Beats are not: the lease is what waits for them.
    fn be_patient(&self, patience: Patience);

    /// Creates the run or takes it over; with `Claim::Held` and `Claim::Ended` nothing changes. What is found and what is
    /// done is one step: of two that begin or continue the same run one does, and a run that ends meanwhile is not begun again.
    fn claim_if(&self, new: &NewRun, holder: &Holder, begin: Begin) -> Result<Claim>;

    /// The same with [`Begin::Anew`].
    fn claim(&self, new: &NewRun, holder: &Holder) -> Result<Claim> {
        self.claim_if(new, holder, Begin::Anew)
    }

    /// Writes down for whom a run was begun, once that is known: replaces the record's `new`, which but for that is the same. A run that
    /// has steps keeps what it has.
    fn begin_for(&self, new: &NewRun, holder: &Holder) -> Result<()>;

    /// Says that the holder lives; who has not for [`record::LEASE`] on the store's clock is gone (a store on this machine
    /// may know sooner). Returns whether somebody asked the run to end (`octorhai runs cancel`).
    fn beat(&self, run: &str, holder: &Holder) -> Result<bool>;

    /// Writes steps, new ones or new states of known ones (same path), all or none.
    fn write(&self, run: &str, holder: &Holder, steps: &[Step]) -> Result<()>;

    /// Marks a run as cancelled while its holder still works on it: from now on no process continues it, whatever becomes of
    /// the holder. The holder may write steps after that, and leaves the run with [`Store::put_down`].
    fn mark_cancelled(&self, run: &str, holder: &Holder, reason: &str, at: Timestamp) -> Result<()>;

    /// Ends the run, or puts it down until something is due; the holder leaves it. A run that was asked to end, or is marked as
    /// cancelled, is not put down: it is cancelled.
    fn put_down(&self, run: &str, holder: &Holder, state: &RunState, at: Timestamp) -> Result<()>;

    /// One run.
    fn run(&self, name: &str) -> Result<Option<Run>>;

    /// Runs, newest first, at most `limit`; only unfinished ones if that is wanted.
    fn runs(&self, unfinished: bool, limit: usize) -> Result<Vec<Run>>;

    /// The steps of a run, in the order of writing.
    fn steps(&self, name: &str) -> Result<Vec<Step>>;

    /// Cancels a run. The holder of a held one sees it at its next beat, and ends. Returns whether there was an unfinished run of
    /// that name.
    fn cancel(&self, name: &str, at: Timestamp) -> Result<bool>;

    /// Runs that are put down and due at `now`, the longest due first.
    fn due(&self, now: Timestamp) -> Result<Vec<Run>>;

    /// Deletes runs that ended before `before`, with their steps; never an unfinished one. Returns how many.
    fn prune(&self, before: Timestamp) -> Result<usize>;

    /// A cell; none when it was never written.
    fn cell(&self, name: &str) -> Result<Option<Cell>>;

    /// Cells whose name starts with `prefix`, in the order of names.
    fn cells(&self, prefix: &str) -> Result<Vec<Cell>>;

    /// Writes a cell if its version is still `version` (0: it was never written). Returns whether it was; atomic.
    fn swap(&self, name: &str, version: u64, value: &Value) -> Result<bool>;
}

/// A store; clones are the same one.
pub type Journal = Arc<dyn Store>;

/// Opens the store at an address: a folder, or `postgres://user:password@host/database`.
pub fn open(address: &str) -> Result<Journal> {
    Ok(if is_postgres(address) { Arc::new(Postgres::open(address)?) } else { Arc::new(Sqlite::open(Path::new(address))?) })
}

/// The error for a journal that a newer octorhai wrote.
fn newer(place: &str, format: u32) -> Error {
    let own = env!("CARGO_PKG_VERSION");
    Error::usage(format!("the journal {place} has format {format}, and this octorhai ({own}) knows formats up to {FORMAT}"))
        .help("use the octorhai that wrote it, or a later one; nothing was changed")
        .help("or use another journal: --store FOLDER")
}

/// The state of a run that was cancelled while nobody held it.
fn cancelled() -> RunState {
    RunState::Cancelled { reason: "cancelled by hand while no process worked on it".to_owned() }
}

/// The state of a run that is cancelled while a process works on it.
fn cancelled_by(reason: &str) -> RunState {
    RunState::Cancelled { reason: reason.to_owned() }
}

/// The state of a held run that somebody cancels by hand.
pub fn asked_to_end() -> RunState {
    cancelled_by("cancelled by hand: octorhai runs cancel")
}

/// The state that a run has after its holder left it with `state`. `before` is the state until then, `asked` whether somebody
/// asked the run to end: what is cancelled can not be continued.
fn left_as(before: &RunState, asked: bool, state: &RunState) -> RunState {
    match before {
        RunState::Cancelled { .. } if state.is_unfinished() => before.clone(),
        _ if asked && state.is_unfinished() => asked_to_end(),
        _ => state.clone(),
    }
}

/// Whether a process may hold a run in this state: it works on it, or leaves it after it was cancelled.
fn may_be_held(state: &RunState) -> bool {
    matches!(state, RunState::Running | RunState::Cancelled { .. })
}

/// The error of a process that may not write any more.
fn fenced(run: &str, why: &str) -> Error {
    Error::new(Kind::Fenced, format!("the run `{run}` is not ours any more: {why}"))
        .help("this process must not do anything more for it; `octorhai runs show` tells how the run stands")
}

/// The same, with who has it now.
fn not_ours(run: &str, state: &RunState, now: Option<&Holder>, holder: &Holder) -> Error {
    match now {
        Some(now) if *state == RunState::Running && now.nonce != holder.nonce => {
            fenced(run, &format!("process {} on {} took it over", now.pid, now.host))
        }
        _ => fenced(run, &format!("it is {}", state.name())),
    }
}
