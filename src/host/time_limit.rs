//! Limits: when a wait ends at the latest, and after which nothing new is started.

use super::prelude::*;
use crate::lock::within;

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
    pub fn around<T>(self, host: &Host, work: impl FnOnce() -> T) -> T {
        let _back = host.frame.change(|now| now.limits.push(self));
        work()
    }

    /// Does what must be done after any limit, too: an undo.
    pub fn lifted<T>(host: &Host, work: impl FnOnce() -> T) -> T {
        let _back = host.frame.change(|now| now.limits.clear());
        work()
    }

    /// Whether something was not started because a limit had passed.
    pub fn has_passed(error: &EvalAltResult) -> bool {
        ours(error).is_some_and(|error| error.fact(LIMIT_OF).is_some())
    }

    /// When it is, with what was sent since.
    pub fn now_at(self, host: &Host) -> Timestamp {
        later(self.at, host.busy() - self.busy)
    }
}

impl Host {
    /// An error when a limit around had passed at `begun`. For what was meant to be started before it, and was in doubt since, it stands still.
    pub(super) fn in_time(&self, begun: Timestamp) -> Result<()> {
        let passed = self.frame.state().limits.into_iter().rev().find(|limit| begun >= limit.now_at(self));
        let Some(limit) = passed else { return Ok(()) };
        let at = super::time::Moment::of(self, limit.now_at(self));
        Err(Error::new(Kind::Timeout, format!("not started: the limit of `{}` was {at}", limit.of)).with(LIMIT_OF, limit.of))
    }

    /// How long effects took so far, in this branch of the script and in those it has split into.
    fn busy(&self) -> SignedDuration {
        let busy = self.ledger.busy.lock();
        busy.iter()
            .filter(|(branch, _)| within(branch, &self.frame.branch))
            .fold(SignedDuration::ZERO, |sum, (_, span)| sum.saturating_add(*span))
    }
}
