//! What a script may use up.

use std::time::Duration;

/// What a script may use up at most. Going over one is an error of kind `limit` that scripts cannot catch.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Operations (roughly: expressions and statements evaluated) of one run.
    pub operations: u64,
    /// Time in which the script's threads compute, together. Waiting for anything does not count.
    pub computing: Duration,
    /// Bytes that the process takes beside those that it had when the script began.
    pub memory: usize,
    /// Bytes of one text; all texts in one list or map may have 16 times as many.
    pub text: usize,
    /// Items of one list, counted with the lists in it.
    pub list: usize,
    /// Entries of one map, counted with the maps in it.
    pub map: usize,
    /// Function calls inside of each other.
    pub calls: usize,
    /// Nested expressions and blocks.
    pub nesting: usize,
    /// `import` statements carried out.
    pub imports: usize,
    /// Functions in one file.
    pub functions: usize,
    /// Variables at the same time.
    pub variables: usize,
}

/// Bytes of one text.
pub(super) const TEXT: usize = 16 << 20;

/// Items of one list.
pub(super) const LIST: usize = 1_000_000;

impl Limits {
    /// The usual limits with another number of operations. More of them have more time, in proportion.
    pub fn with_operations(operations: u64) -> Self {
        let usual = Self::default();
        let times = u32::try_from(operations.div_ceil(usual.operations)).unwrap_or(u32::MAX).max(1);
        Self { operations, computing: usual.computing.saturating_mul(times), ..usual }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            operations: 50_000_000,
            // A debug build is slow.
            computing: Duration::from_secs(if cfg!(debug_assertions) { 40 } else { 8 }),
            memory: 1 << 30,
            text: TEXT,
            list: LIST,
            map: 100_000,
            calls: 64,
            nesting: 256,
            imports: 10_000,
            functions: 1_000,
            variables: 10_000,
        }
    }
}
