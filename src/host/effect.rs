//! The one door for effects: everything that changes something outside passes here.
//!
//! Each effect has a key (branch of the script, sequence in it, hash of kind and arguments) that is the same when the
//! script runs again. What is created on the server carries it as a marker, so that it can be found after a lost answer
//! (reliability.md §2.3). The journal of a later version stands in this door.

use super::Host;
use crate::{engine::thrown::HostResult, error::Result};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// The key of one effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marker(String);

impl Marker {
    /// What is written into comments, e.g. `octorhai:4f2c:2:9a0b1c2d`; at most 80 characters.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for Marker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl Host {
    /// Does something that changes the world outside. `kind` and `arguments` say what, for the key; `act` does it, and ends
    /// soon by itself when the run is cancelled meanwhile.
    pub fn effect<T, F: Future<Output = Result<T>>>(&self, kind: &str, arguments: &Value, act: impl FnOnce(Marker) -> F) -> HostResult<T> {
        let marker = self.next_marker(kind, arguments);
        tracing::debug!(%marker, kind, %arguments, "effect");
        self.block_to_end(act(marker))
    }

    fn next_marker(&self, kind: &str, arguments: &Value) -> Marker {
        let branch = crate::engine::branch();
        let sequence = {
            let mut effects = self.effects.lock();
            let next = effects.entry(branch.clone()).or_insert(0);
            *next += 1;
            *next
        };
        let hash = Sha256::digest(format!("{kind}\n{arguments}"));
        let key = hash.iter().take(4).fold(0_u32, |key, byte| (key << 8) | u32::from(*byte));
        let path = if branch.is_empty() { sequence.to_string() } else { format!("{branch}.{sequence}") };
        Marker(format!("octorhai:{}:{path}:{key:08x}", self.run_id))
    }
}
