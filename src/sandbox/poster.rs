//! The task that posts the events of subscriptions, when the clock comes to it.

use super::hooks::Batch;
use crate::clock::{Busy, Clock};
use jiff::Timestamp;
use std::sync::{LazyLock, OnceLock};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// The line to the task.
#[derive(Default)]
pub(crate) struct Poster(OnceLock<UnboundedSender<Busy>>);

/// What is to be posted now, and when to look again; the task waits to be called when there is nothing to wait for.
pub(crate) struct Looked {
    pub(crate) clock: Clock,
    pub(crate) batches: Vec<Batch>,
    pub(crate) next: Option<Timestamp>,
}

impl Poster {
    /// Starts the task; it ends when `look` finds nobody any more.
    pub(crate) fn start(&self, look: impl Fn() -> Option<Looked> + Send + 'static) {
        let (line, calls) = unbounded_channel();
        if self.0.set(line).is_ok() {
            tokio::spawn(post_all(look, calls));
        }
    }

    /// Lets the task look at what has happened, before the answer leaves that made it happen: the clock must not jump over a batch.
    pub(crate) fn call(&self, busy: Busy) {
        if let Some(line) = self.0.get() {
            // Nobody hears it when the server is going down.
            let _ = line.send(busy);
        }
    }
}

async fn post_all(look: impl Fn() -> Option<Looked>, mut calls: UnboundedReceiver<Busy>) {
    let client = LazyLock::new(|| {
        let _ = rustls::crypto::ring::default_provider().install_default();
        reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build()
    });
    while let Some(busy) = calls.recv().await {
        loop {
            let Some(Looked { clock, batches, next }) = look() else { return };
            for batch in batches {
                // Without a way to post anything every request fails.
                if let Ok(client) = &*client {
                    batch.post(client).await;
                }
            }
            let Some(next) = next else { break };
            tokio::select! {
                () = clock.sleep_until(next) => {}
                again = calls.recv() => match again {
                    Some(also_busy) => drop(also_busy),
                    None => return,
                },
            }
        }
        drop(busy);
    }
}
