//! The cancel token: one per run, set by Ctrl-C, SIGTERM or a front end, asked by everybody who waits.

use crate::error::{Error, Kind};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};
use tokio::sync::Notify;

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
}

impl Cancel {
    /// A token that nobody has set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the token; `reason` (e.g. `Ctrl-C`) is kept from the first call.
    pub fn cancel(&self, reason: &str) {
        {
            let mut kept = self.0.reason.lock();
            if kept.is_empty() {
                reason.clone_into(&mut kept);
            }
        }
        self.0.set.store(true, Ordering::SeqCst);
        self.0.notify.notify_waiters();
    }

    /// Says that a branch of the script met what ends the run: the others wait no longer and begin nothing more, but what
    /// they have sent they bring to its end. The first error stays.
    pub fn halt(&self, error: Error) {
        self.0.halted.lock().get_or_insert(error);
        self.0.notify.notify_waiters();
    }

    /// Takes it back: what ended was one input of a session. Call it only when nobody waits any more.
    pub fn take_back(&self) {
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
        let reason = self.0.reason.lock();
        Error::new(Kind::Cancelled, format!("the run was cancelled ({})", if reason.is_empty() { "no reason given" } else { &reason }))
    }

    /// `Err` when the token is set.
    pub fn check(&self) -> crate::error::Result<()> {
        if self.is_cancelled() { Err(self.error()) } else { Ok(()) }
    }

    /// `Err` when the token is set or the run was halted: asked before something is begun.
    pub fn go_on(&self) -> crate::error::Result<()> {
        self.check()?;
        self.0.halted.lock().clone().map_or(Ok(()), Err)
    }

    /// Runs a wait until it ends, the token is set or the run is halted, whichever is first.
    pub async fn guard_wait<T>(&self, wait: impl Future<Output = crate::error::Result<T>>) -> crate::error::Result<T> {
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
    pub async fn guard<T>(&self, work: impl Future<Output = crate::error::Result<T>>) -> crate::error::Result<T> {
        tokio::select! {
            biased;
            () = self.cancelled() => Err(self.error()),
            done = work => done,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_guard_ends_when_the_token_is_set() {
        let cancel = Cancel::new();
        let other = cancel.clone();
        let waiting = tokio::spawn(async move { other.guard(std::future::pending::<crate::error::Result<()>>()).await });
        tokio::task::yield_now().await;
        cancel.cancel("Ctrl-C");
        let error = waiting.await.expect("the task does not panic").expect_err("the guard reports the cancellation");
        assert_eq!(error.kind(), Kind::Cancelled);
        assert!(error.message().contains("Ctrl-C"));
    }
}
