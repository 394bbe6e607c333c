//! The one loop everybody waits in.
//!
//! It looks, sleeps on the run's clock until it is worth looking again, and ends at its deadline; a cancelled run ends it at once.

use super::prelude::*;
use super::time_limit::Limit;

/// What a look found.
pub enum Look<T> {
    /// What was waited for.
    Done(T),
    /// Not yet; look again then.
    Again(Timestamp),
}

/// The one wait loop: `None` when `deadline` passed first.
pub fn until<T>(host: &Host, deadline: Timestamp, mut look: impl FnMut() -> HostResult<Look<T>>) -> HostResult<Option<T>> {
    let mut found = None;
    until_none(host, deadline, &mut || match look()? {
        Look::Done(value) => {
            found = Some(value);
            Ok(None)
        }
        Look::Again(due) => Ok(Some(due)),
    })?;
    Ok(found)
}

/// Looks until there is no time to look again, or `deadline` has passed.
fn until_none(host: &Host, deadline: Timestamp, look: &mut dyn FnMut() -> HostResult<Option<Timestamp>>) -> HostResult<()> {
    let limit = Limit::at(host, deadline);
    loop {
        host.check_cancelled()?;
        let Some(due) = host.patiently(limit.now_at(host), &mut *look)? else { return Ok(()) };
        let now = host.now();
        let deadline = limit.now_at(host);
        if now >= deadline {
            return Ok(());
        }
        // Never sooner than a millisecond from now: a look that is due already must not spin.
        host.sleep_until(due.max(later(now, SignedDuration::from_millis(1))).min(deadline))?;
    }
}
