//! Places at which a test ends the process as a power failure would: in debug builds, when `OCTORHAI_CRASH_AT` says so.
//!
//! Places are passed before and after every write to the journal and every request. With `OCTORHAI_CRASH_AT=7` the process
//! kills itself (SIGKILL) at the seventh; a test counts upwards until a run passes fewer. Release builds hold none of this.

/// Passes a place: `when` is like `request: before`, `what` like `POST`.
#[cfg(not(debug_assertions))]
pub fn point(_when: &str, _what: &str) {}

/// Passes a place: `when` is like `request: before`, `what` like `POST`.
#[cfg(debug_assertions)]
pub fn point(when: &str, what: &str) {
    use std::sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
    };
    static AT: OnceLock<u64> = OnceLock::new();
    static PASSED: AtomicU64 = AtomicU64::new(0);
    let at = *AT.get_or_init(|| std::env::var("OCTORHAI_CRASH_AT").ok().and_then(|at| at.parse().ok()).unwrap_or(0));
    let passed = PASSED.fetch_add(1, Ordering::SeqCst) + 1;
    let name = format!("{when} {what}");
    tracing::trace!(name, passed, "place");
    if passed != at {
        return;
    }
    tracing::debug!(name, at, "crash");
    // No system call without `unsafe`, so somebody else sends the signal.
    let _ = std::process::Command::new("kill").args(["-KILL", &std::process::id().to_string()]).status();
    loop {
        std::thread::park();
    }
}
