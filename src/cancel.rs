//! The cancel token: one per run, set by Ctrl-C, SIGTERM or a front end, asked by everybody who waits.

use crate::{
    clock::Stopwatch,
    error::{Error, Kind, Result},
};
use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};
use tokio::sync::Notify;

/// How long the record of a stop ([`Cancel::record_first`]) holds up the stop itself: a store that does not answer must not keep
/// deployments from being cancelled.
const RECORD_WITHIN: Duration = Duration::from_secs(1);

/// How long a run that is stopped gives back its locks: on a server that was not measured a release settles for two seconds.
/// What takes longer is left to the next taker.
pub const LEAVE_LOCKS: Duration = Duration::from_millis(2500);

/// Writes down why a run is stopped.
type RecordStop = Box<dyn FnOnce(&str) -> Result<()> + Send>;

/// Tells everybody who holds a clone that the run shall end. Once set it stays set, in a run; a session takes it back for its
/// next input.
#[derive(Clone, Default)]
pub struct Cancel(Arc<Inner>);

#[derive(Default)]
struct Inner {
    set: AtomicBool,
    reason: parking_lot::Mutex<String>,
    /// What ended the run in one of its branches: the others begin nothing more.
    halted: parking_lot::Mutex<Option<Error>>,
    notify: Notify,
    record: parking_lot::Mutex<Option<RecordStop>>,
    /// The stop is being recorded, and sets the token itself.
    recording: AtomicBool,
    stopping: Stopping,
}

/// What is true of a run that is being stopped: for the last words of a process that is ended before its run could say it.
#[derive(Default)]
pub struct Stopping {
    recorded: parking_lot::Mutex<Option<Result<()>>>,
    recording: parking_lot::Condvar,
    locks: parking_lot::Mutex<BTreeSet<String>>,
    leaves_locks: parking_lot::Mutex<Option<Stopwatch>>,
}

impl Stopping {
    /// Whether the stop is on record; none when nothing comes of it within a moment, or the run has no record.
    pub fn recorded(&self, moment: Duration) -> Option<Result<()>> {
        let mut recorded = self.recorded.lock();
        if recorded.is_none() {
            let _in_time = self.recording.wait_for(&mut recorded, moment);
        }
        recorded.clone()
    }

    /// The run holds this lock from now on, or does not any more.
    pub fn holds_lock(&self, name: &str, holds: bool) {
        let mut locks = self.locks.lock();
        if holds {
            locks.insert(name.to_owned());
        } else {
            locks.remove(name);
        }
    }

    /// The locks that the run holds.
    pub fn locks(&self) -> Vec<String> {
        self.locks.lock().iter().cloned().collect()
    }

    /// The run gives back locks; returns the time that is left for that, [`LEAVE_LOCKS`] for all of them together.
    pub fn leave_locks(&self) -> Duration {
        let watch = *self.leaves_locks.lock().get_or_insert_with(Stopwatch::start);
        LEAVE_LOCKS.saturating_sub(watch.elapsed())
    }

    /// Whether the run has begun to give back its locks.
    pub fn leaves_locks(&self) -> bool {
        self.leaves_locks.lock().is_some()
    }
}

impl Cancel {
    /// A token that nobody has set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the token; `reason` (e.g. `Ctrl-C`) is kept from the first call. Returns at once: when there is something to record
    /// first ([`Cancel::record_first`]), the token is set after that, a second later at most.
    pub fn cancel(&self, reason: &str) {
        let reason = {
            let mut kept = self.0.reason.lock();
            if kept.is_empty() {
                reason.clone_into(&mut kept);
            }
            kept.clone()
        };
        let record = {
            let mut kept = self.0.record.lock();
            let record = kept.take();
            let recording = self.0.recording.fetch_or(record.is_some(), Ordering::SeqCst);
            if record.is_none() && recording {
                return;
            }
            record
        };
        let Some(record) = record else { return self.set() };
        let (done, wait_done) = mpsc::channel();
        let recorder = self.clone();
        let recording = thread::Builder::new().name("stop-record".to_owned()).spawn(move || {
            let recorded = record(&message(&reason));
            *recorder.0.stopping.recorded.lock() = Some(recorded);
            recorder.0.stopping.recording.notify_all();
            let _ = done.send(());
        });
        let setter = self.clone();
        let waiting = thread::Builder::new().name("stop".to_owned()).spawn(move || {
            let _done_or_too_late = wait_done.recv_timeout(RECORD_WITHIN);
            setter.set();
        });
        // Without a thread the run is stopped all the same.
        if recording.is_err() || waiting.is_err() {
            self.set();
        }
    }

    fn set(&self) {
        self.0.set.store(true, Ordering::SeqCst);
        self.0.notify.notify_waiters();
    }

    /// Says that a branch of the script met what ends the run: the others wait no longer and begin nothing more, but what
    /// they have sent they bring to its end. The first error stays.
    pub fn halt(&self, error: Error) {
        self.0.halted.lock().get_or_insert(error);
        self.0.notify.notify_waiters();
    }

    /// Does `record` before the token is set, so that a process which is ended right after that leaves a record of the stop.
    /// It gets what [`Cancel::error`] will say.
    pub fn record_first(&self, record: impl FnOnce(&str) -> Result<()> + Send + 'static) {
        *self.0.record.lock() = Some(Box::new(record));
    }

    /// See [`Stopping`].
    pub fn stopping(&self) -> &Stopping {
        &self.0.stopping
    }

    /// Takes it back: what ended was one input of a session. Call it only when nobody waits any more.
    pub fn take_back(&self) {
        *self.0.stopping.leaves_locks.lock() = None;
        self.0.reason.lock().clear();
        *self.0.halted.lock() = None;
        self.0.set.store(false, Ordering::SeqCst);
    }

    /// Whether the token is set. Cheap: one atomic load.
    pub fn is_cancelled(&self) -> bool {
        self.0.set.load(Ordering::Relaxed)
    }

    /// Returns as soon as the token is set.
    pub async fn cancelled(&self) {
        loop {
            let notified = self.0.notify.notified();
            if self.0.set.load(Ordering::SeqCst) {
                return;
            }
            // Woken also when the run is halted.
            notified.await;
        }
    }

    /// The error that ends a cancelled run.
    pub fn error(&self) -> Error {
        Error::new(Kind::Cancelled, message(&self.0.reason.lock()))
    }

    /// `Err` when the token is set.
    pub fn check(&self) -> Result<()> {
        if self.is_cancelled() { Err(self.error()) } else { Ok(()) }
    }

    /// `Err` when the token is set or the run was halted: asked before something is begun.
    pub fn go_on(&self) -> Result<()> {
        self.check()?;
        self.0.halted.lock().clone().map_or(Ok(()), Err)
    }

    /// Runs a wait until it ends, the token is set or the run is halted, whichever is first.
    pub async fn guard_wait<T>(&self, wait: impl Future<Output = Result<T>>) -> Result<T> {
        let ended = async {
            loop {
                let notified = self.0.notify.notified();
                self.go_on()?;
                notified.await;
            }
        };
        tokio::select! {
            biased;
            ended = ended => ended,
            done = wait => done,
        }
    }

    /// Runs `work` until it ends or the token is set, whichever is first.
    pub async fn guard<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        tokio::select! {
            biased;
            () = self.cancelled() => Err(self.error()),
            done = work => done,
        }
    }
}

fn message(reason: &str) -> String {
    format!("the run was cancelled ({})", if reason.is_empty() { "no reason given" } else { reason })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn stop_is_recorded_before_the_token_is_set() {
        let cancel = Cancel::new();
        let (asked, (go_on, wait)) = (cancel.clone(), mpsc::channel());
        cancel.record_first(move |why| {
            wait.recv().expect("the test goes on");
            assert!(!asked.is_cancelled() && why.contains("Ctrl-C"));
            Ok(())
        });
        cancel.cancel("Ctrl-C");
        cancel.cancel("SIGTERM");
        assert!(!cancel.is_cancelled() && cancel.stopping().recorded(Duration::ZERO).is_none());
        go_on.send(()).expect("it waits");
        cancel.cancelled().await;
        assert!(matches!(cancel.stopping().recorded(Duration::ZERO), Some(Ok(()))));
    }

    #[tokio::test]
    async fn record_that_is_not_written_does_not_hold_up_the_stop() {
        let cancel = Cancel::new();
        let (_never_sent, wait) = mpsc::channel::<()>();
        cancel.record_first(move |_| {
            let _ = wait.recv();
            Ok(())
        });
        cancel.cancel("Ctrl-C");
        cancel.cancelled().await;
        assert!(cancel.stopping().recorded(Duration::ZERO).is_none());
    }

    #[tokio::test]
    async fn a_guard_ends_when_the_token_is_set() {
        let cancel = Cancel::new();
        let other = cancel.clone();
        let waiting = tokio::spawn(async move { other.guard(std::future::pending::<Result<()>>()).await });
        tokio::task::yield_now().await;
        cancel.cancel("Ctrl-C");
        let error = waiting.await.expect("the task does not panic").expect_err("the guard reports the cancellation");
        assert_eq!(error.kind(), Kind::Cancelled);
        assert!(error.message().contains("Ctrl-C"));
    }
}
