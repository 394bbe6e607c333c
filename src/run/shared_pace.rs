//! Runs of several processes that share a store share the pace at which they ask a server.

use crate::{api::SharedPace, error::Result, journal::Journal};
use serde_json::Value;

/// The pace of each server and user is a cell of the store.
pub(super) struct StoredPace(pub(super) Journal);

impl SharedPace for StoredPace {
    fn read(&self, name: &str) -> Result<Option<(u64, Value)>> {
        Ok(self.0.cell(name)?.map(|cell| (cell.version, cell.value)))
    }

    fn swap(&self, name: &str, version: u64, value: &Value) -> Result<bool> {
        self.0.swap(name, version, value)
    }
}
