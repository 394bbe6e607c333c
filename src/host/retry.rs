//! Trying again, and looking at an error instead of ending.

use super::prelude::*;
use super::{call::ScriptCall, raised::caught, started_inside::StartedInside, time_limit::Limit};

crate::options! {
    /// How to try again.
    pub struct RetryOptions for ["retry"] {
        /// How long to pause before the next try.
        pause: SignedDuration = SignedDuration::from_secs(10), "10s";
        /// Double the pause each time, up to an hour.
        backoff: bool = false, "false";
    }
}

crate::functions! {
    group "undo";

    /// Calls the closure until it raises no error, `times` times at most, and returns what it returns; the last error
    /// is raised. What ends the run as it stands is not tried again: a cancellation, a doubt, a server or journal that
    /// stays away. What was started in the closure and is still open at its end is waited for, 30 minutes at most; its
    /// failure is one of the try.
    ///
    /// ```rhai
    /// let t = retry(3, || wait(deploy("Project A", "latest", "Test")));
    /// ```
    fn retry(host: ScriptCall, times: i64, closure: FnPtr; options: RetryOptions) -> "what the closure returns" raises "closure" {
        if times < 1 {
            return Err(raise(Error::new(Kind::Script, format!("`retry` needs at least one try; got {times}"))));
        }
        let mut pause = options.pause;
        let mut attempt = 1;
        loop {
            let begun = StartedInside::now(&host);
            let result = host.closure(&closure, ());
            match begun.ended(&host, result) {
                Ok(value) => break Ok(value),
                Err(error) if attempt >= times || is_final(&error) || Limit::has_passed(&error) => break Err(error),
                Err(error) => {
                    host.note(Level::Warning, format!("try {attempt} of {times} failed: {}", message(&error)));
                    host.sleep_until(later(host.now(), pause))?;
                    if options.backoff {
                        pause = pause.saturating_mul(2).min(SignedDuration::from_hours(1));
                    }
                    attempt += 1;
                }
            }
        }
    }

    /// Calls the closure and returns a map: `#{ok: true, value}` or `#{ok: false, error}`; nothing is raised, but what
    /// ends the run as it stands still does: a cancellation, a doubt, a server or journal that stays away.
    ///
    /// ```rhai
    /// let r = attempt(|| wait(deploy("Project A", "latest", "Test")));
    /// if !r.ok { print(r.error.message); }
    /// ```
    fn attempt(host: ScriptCall, closure: FnPtr) -> "map" {
        match host.closure(&closure, ()) {
            Ok(value) => Ok(Map::from_iter([("ok".into(), true.into()), ("value".into(), value)])),
            Err(error) if is_final(&error) => Err(error),
            Err(error) => Ok(Map::from_iter([("ok".into(), false.into()), ("error".into(), caught(&error))])),
        }
    }

    /// Calls `work`, then `cleanup`, also when `work` raised an error, which is raised afterwards. What ends the run as it
    /// stands does not call it: a cancellation, a doubt, a server or journal that stays away.
    ///
    /// ```rhai
    /// finally(|| print("working"), || print("tidying up"));
    /// ```
    fn finally(host: ScriptCall, work: FnPtr, cleanup: FnPtr) -> "what the first closure returns" raises "closure" {
        let done = host.closure(&work, ());
        // `requeue` ends the run because the script says so, as `exit` does.
        let ends_itself = |error: &EvalAltResult| ours(error).is_some_and(|error| error.fact("at").is_some());
        if done.as_ref().is_err_and(|error| stops(error) && !ends_itself(error)) {
            return done;
        }
        let tidied = host.tidying(|| host.closure(&cleanup, ()));
        done.and_then(|value| tidied.map(|_| value))
    }
}
