//! Limits: when a wait ends at the latest, and after which nothing new is started.

use super::Host;
use crate::{
    clock::later,
    error::{Error, Kind, Result},
    lock::within,
};
use jiff::{SignedDuration, Timestamp};
use rhai::EvalAltResult;
use std::cell::RefCell;

thread_local! {
    /// The limits that this thread works within, the innermost last.
    static LIMITS: RefCell<Vec<Limit>> = const { RefCell::new(Vec::new()) };
}

/// When a wait ends at the latest. It stands still while effects are sent: one that is in doubt takes until its request can
/// no longer start, hours perhaps, and that must not end the waits around it, which are about the tasks.
#[derive(Clone, Copy)]
pub struct Limit {
    of: &'static str,
    at: Timestamp,
    busy: SignedDuration,
}

/// The fact of an error that says whose limit had passed.
const LIMIT_OF: &str = "limit_of";

impl Limit {
    /// The limit that is `at`, if nothing is sent from now on.
    pub fn at(host: &Host, at: Timestamp) -> Self {
        Self { of: "", at, busy: host.busy() }
    }

    /// The same as that of a function, by which [`Limit::around`] is told.
    #[must_use]
    pub fn of(self, function: &'static str) -> Self {
        Self { of: function, ..self }
    }

    /// Calls what may start something. Once the limit has passed, on the clock and not by what the record says, nothing is started:
    /// that is an error for which [`Limit::has_passed`] holds. A run that was put down or killed may come back hours later.
    pub fn around<T>(self, work: impl FnOnce() -> T) -> T {
        let _entered = entered(LIMITS.with_borrow(|limits| limits.iter().copied().chain([self]).collect()));
        work()
    }

    /// Does what must be done after any limit, too: an undo.
    pub fn lifted<T>(work: impl FnOnce() -> T) -> T {
        let _entered = entered(Vec::new());
        work()
    }

    /// What another thread needs to work within the same limits: to be called there, until what it returns is dropped.
    pub fn handed_on() -> impl Fn() -> LimitsEntered + Send + Sync + 'static {
        let limits = LIMITS.with_borrow(Clone::clone);
        move || entered(limits.clone())
    }

    /// Whether something was not started because a limit had passed.
    pub fn has_passed(error: &EvalAltResult) -> bool {
        crate::engine::thrown::ours(error).is_some_and(|error| error.fact(LIMIT_OF).is_some())
    }

    /// When it is, with what was sent since.
    pub fn now_at(self, host: &Host) -> Timestamp {
        later(self.at, host.busy() - self.busy)
    }
}

/// Works within limits until it is dropped.
pub struct LimitsEntered(Vec<Limit>);

impl Drop for LimitsEntered {
    fn drop(&mut self) {
        LIMITS.set(std::mem::take(&mut self.0));
    }
}

fn entered(limits: Vec<Limit>) -> LimitsEntered {
    LimitsEntered(LIMITS.replace(limits))
}

impl Host {
    /// An error when a limit around had passed at `begun`. For what was meant to be started before it, and was in doubt since, it stands still.
    pub(super) fn in_time(&self, begun: Timestamp) -> Result<()> {
        let passed = LIMITS.with_borrow(|limits| limits.iter().rev().find(|limit| begun >= limit.now_at(self)).copied());
        let Some(limit) = passed else { return Ok(()) };
        let at = super::time::Moment::of(self, limit.now_at(self));
        Err(Error::new(Kind::Timeout, format!("not started: the limit of `{}` was {at}", limit.of)).with(LIMIT_OF, limit.of))
    }

    /// How long effects took so far, in this branch of the script and in those it has split into.
    fn busy(&self) -> SignedDuration {
        let here = crate::engine::branch();
        let busy = self.busy.lock();
        busy.iter().filter(|(branch, _)| within(branch, &here)).fold(SignedDuration::ZERO, |sum, (_, span)| sum.saturating_add(*span))
    }
}
