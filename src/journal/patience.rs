//! Terms for a store that is away: a full disk, a locked file, a database that restarts. Nothing is sent meanwhile, because nothing is sent
//! that is not written down before.

use crate::{
    clock::{Stopwatch, real_pause, text::show},
    error::{Kind, Result},
};
use jiff::SignedDuration;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// How long a store may be away, unless something else is asked for: a database that fails over takes one or two minutes.
pub const USUAL: Duration = Duration::from_secs(5 * 60);

/// The longest pause between two tries.
const LONGEST: Duration = Duration::from_secs(5);

/// How a run waits for its store; clones are the same one. In real time: a store is not part of any simulation.
#[derive(Clone)]
pub struct Patience(Arc<Terms>);

struct Terms {
    span: Duration,
    is_over: Box<dyn Fn() -> bool + Send + Sync>,
    tell: Box<dyn Fn(&str) + Send + Sync>,
    /// It was waited for in vain: from now on once is enough, until it is back.
    used_up: AtomicBool,
}

impl Patience {
    /// Waits as long as `span`, and no more once `is_over` holds, e.g. because the run was cancelled. `tell` hears when the waiting begins
    /// and when it is over.
    pub fn new(span: Duration, is_over: impl Fn() -> bool + Send + Sync + 'static, tell: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self(Arc::new(Terms { span, is_over: Box::new(is_over), tell: Box::new(tell), used_up: AtomicBool::new(false) }))
    }

    /// Does `work` until it succeeds, or fails for another reason than that the store is away ([`Kind::Store`]).
    ///
    /// A run has begun: whatever is wrong with its store now is no mistake of who started it, so that no other kind than `store`
    /// and `fenced` comes out.
    pub fn through<T>(&self, mut work: impl FnMut() -> Result<T>) -> Result<T> {
        let (watch, mut pause) = (Stopwatch::start(), Duration::from_millis(100));
        let mut told = false;
        loop {
            let error = match work() {
                Ok(done) => {
                    self.0.used_up.store(false, Ordering::Relaxed);
                    if told {
                        (self.0.tell)(&format!("the journal can be written again after {}", shown(watch.elapsed())));
                    }
                    return Ok(done);
                }
                Err(error) => error,
            };
            let left = self.0.span.saturating_sub(watch.elapsed());
            if error.kind() != Kind::Store || (self.0.is_over)() || self.0.used_up.load(Ordering::Relaxed) {
                return Err(if error.kind() == Kind::Usage { error.into_kind(Kind::Store) } else { error });
            }
            if left.is_zero() {
                self.0.used_up.store(true, Ordering::Relaxed);
                return Err(error.help(format!("it was tried for {}, and nothing was sent meanwhile", shown(watch.elapsed()))));
            }
            if !std::mem::replace(&mut told, true) {
                (self.0.tell)(&format!("{error}; trying again for up to {}, and nothing is sent meanwhile", shown(left)));
            }
            self.rest(pause.min(left));
            pause = (pause * 2).min(LONGEST);
        }
    }

    /// Pauses, unless the run is cancelled.
    fn rest(&self, pause: Duration) {
        let watch = Stopwatch::start();
        while watch.elapsed() < pause && !(self.0.is_over)() {
            real_pause(pause.saturating_sub(watch.elapsed()).min(Duration::from_millis(100)));
        }
    }
}

/// A span to the second.
fn shown(span: Duration) -> String {
    show(SignedDuration::from_secs(i64::try_from(span.as_secs_f64().round() as u64).unwrap_or(i64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
    use std::{cell::Cell, sync::Mutex};

    fn away() -> Error {
        Error::new(Kind::Store, "the disk is full")
    }

    #[test]
    fn what_passes_is_waited_for_and_told_once() {
        let said: Arc<Mutex<Vec<String>>> = Arc::default();
        let heard = Arc::clone(&said);
        let patience = Patience::new(USUAL, || false, move |text| heard.lock().expect("a lock").push(text.to_owned()));
        let tries = Cell::new(0);
        let done = patience.through(|| {
            tries.set(tries.get() + 1);
            if tries.get() < 4 { Err(away()) } else { Ok(tries.get()) }
        });
        assert_eq!(done.ok(), Some(4));
        let said = said.lock().expect("a lock").clone();
        assert_eq!(said.len(), 2, "{said:?}");
        assert_eq!(said[0], "the disk is full; trying again for up to 5m, and nothing is sent meanwhile");
        assert!(said[1].starts_with("the journal can be written again after "), "{said:?}");
    }

    #[test]
    fn what_does_not_pass_ends_the_run_and_is_tried_once_from_then_on() {
        let patience = Patience::new(Duration::from_millis(150), || false, |_| {});
        let tries = Cell::new(0);
        let work = || {
            tries.set(tries.get() + 1);
            Err::<(), Error>(away())
        };
        assert_eq!(patience.through(work).map_err(|error| error.kind()), Err(Kind::Store));
        let before = tries.replace(0);
        assert!(before >= 2, "{before}");
        assert!(patience.through(work).is_err());
        assert_eq!(tries.get(), 1);
        // A mistake that cannot pass is not waited for; a run has begun, so it is trouble all the same.
        let damaged = patience.through(|| Err::<(), Error>(Error::usage("it is damaged")));
        assert_eq!(damaged.map_err(|error| (error.kind(), error.message().to_owned())), Err((Kind::Store, "it is damaged".to_owned())));
    }

    #[test]
    fn a_cancelled_run_does_not_wait() {
        assert!(Patience::new(USUAL, || true, |_| {}).through(|| Err::<(), Error>(away())).is_err());
    }
}
