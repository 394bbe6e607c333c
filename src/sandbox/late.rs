//! Requests that are still on their way when their client has long given up: they happen later, and nobody gets the answer.

use axum::{body::Bytes, http::HeaderMap};
use jiff::Timestamp;
use parking_lot::Mutex;

/// A request and the moment at which it arrives.
pub(crate) struct Late {
    pub(crate) at: Timestamp,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: HeaderMap,
    pub(crate) raw: Bytes,
}

/// All that are on their way.
#[derive(Default)]
pub(crate) struct Waiting(Mutex<Vec<Late>>);

impl Waiting {
    pub(crate) fn add(&self, late: Late) {
        self.0.lock().push(late);
    }

    /// The first that has arrived by `now`; of two at the same moment the one that was sent first.
    pub(crate) fn arrived(&self, now: Timestamp) -> Option<Late> {
        let mut list = self.0.lock();
        let (index, first) = list.iter().enumerate().min_by_key(|(_, late)| late.at)?;
        (first.at <= now).then(|| list.remove(index))
    }
}
