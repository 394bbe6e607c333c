//! The cells of a store as a register: PostgreSQL or the local SQLite file. Their compare-and-swap is atomic.

use super::{Register, Swap, Versioned, Work};
use crate::{
    clock::Clock,
    error::{Error, Result},
    journal::Journal,
};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

/// The cells of a store.
pub struct StoreRegister {
    store: Journal,
    clock: Clock,
}

impl StoreRegister {
    /// The cells of `store`.
    pub fn new(store: Journal, clock: Clock) -> Self {
        Self { store, clock }
    }

    /// Stores block, which a worker of the runtime must not.
    async fn blocking<T: Send + 'static>(&self, work: impl FnOnce(Journal) -> Result<T> + Send + 'static) -> Result<T> {
        let store = self.store.clone();
        tokio::task::spawn_blocking(move || work(store)).await.map_err(|problem| Error::bug(format!("the store: {problem}")))?
    }
}

impl Register for StoreRegister {
    // Each cell has a version of its own.
    fn queues(&self) -> &dyn Register {
        self
    }

    fn place(&self) -> String {
        self.store.place()
    }

    fn settle(&self) -> SignedDuration {
        SignedDuration::ZERO
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn read<'a>(&'a self, name: &'a str) -> Work<'a, Versioned> {
        let name = name.to_owned();
        Box::pin(async move {
            let cell = self.blocking(move |store| store.cell(&name)).await?;
            Ok(cell.map_or(Versioned { version: 0, value: None }, |cell| Versioned {
                version: cell.version,
                value: Some(cell.value).filter(|value| !value.is_null()),
            }))
        })
    }

    fn swap<'a>(&'a self, name: &'a str, version: u64, value: &'a Value) -> Work<'a, Swap> {
        let (name, value) = (name.to_owned(), value.clone());
        Box::pin(async move {
            let done = self.blocking(move |store| store.swap(&name, version, &value)).await;
            match done {
                Ok(done) => Ok(if done { Swap::Done } else { Swap::Lost }),
                // The connection may have broken after the commit.
                Err(error) if error.kind() == crate::error::Kind::Store => Ok(Swap::Unknown),
                Err(error) => Err(error),
            }
        })
    }

    fn list<'a>(&'a self, prefix: &'a str) -> Work<'a, Vec<(String, Versioned)>> {
        let prefix = prefix.to_owned();
        Box::pin(async move {
            let cells = self.blocking(move |store| store.cells(&prefix)).await?;
            Ok(cells
                .into_iter()
                .filter(|cell| !cell.value.is_null())
                .map(|cell| (cell.name, Versioned { version: cell.version, value: Some(cell.value) }))
                .collect())
        })
    }
}
