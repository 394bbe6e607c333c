//! How the requests of one caller are made, whatever client makes them: until when they are tried, and whether reads are kept or played back.
//!
//! It goes with the future that asks: what scripts hold, a task or a release, has a client of its own that knows nothing of the call it is used in.

use crate::{
    error::{Error, Result},
    json::JsonText,
};
use jiff::Timestamp;
use std::sync::Arc;

tokio::task_local! {
    static ASKING: Asking;
}

/// Keeps what reads are answered, and answers them from what was kept. Answers are found by address, without the server.
pub trait Tape: Send + Sync {
    /// The answer to a read of `path`; none when the server is to be asked.
    fn play(&self, path: &str) -> Option<Result<JsonText>>;
    /// Keeps what the server answered.
    fn keep(&self, path: &str, answer: Result<JsonText, &Error>);
}

/// What a caller wants of all requests that are made for it.
#[derive(Clone, Default)]
pub struct Asking {
    /// The end of the wait that the requests are made for: they are tried as long, when that is longer than usual.
    pub patient_until: Option<Timestamp>,
    /// Of the step of the record that asks.
    pub tape: Option<Arc<dyn Tape>>,
}

impl Asking {
    /// Runs `work`, whose requests are made so.
    pub async fn scope<T>(self, work: impl Future<Output = T>) -> T {
        ASKING.scope(self, work).await
    }

    /// What the caller wants whose future runs now.
    pub(super) fn now() -> Self {
        ASKING.try_with(Clone::clone).unwrap_or_default()
    }
}
