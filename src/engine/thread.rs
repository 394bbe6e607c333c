//! The threads that scripts run on, which need much stack.

use crate::error::{Error, Result};

/// Enough for 64 nested script calls of the worst shape, which need 4 MiB in a debug build, and for letting go of a value that got as
/// deep as it can before it is looked at ([`Sizes`](super::sizes::Sizes)). Only what is used of it takes memory.
pub(super) const STACK: usize = 64 << 20;

/// Runs `work` on a thread of its own whose stack is big enough for scripts; never call it on a worker of a runtime
/// that `work` needs. A panic in `work` becomes an error of kind `bug`.
pub fn on_script_thread<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T> {
    std::thread::scope(|scope| {
        let spawned = std::thread::Builder::new().name("script".to_owned()).stack_size(STACK).spawn_scoped(scope, work);
        let thread = spawned.map_err(|e| Error::bug(format!("no thread for the script: {e}")))?;
        thread.join().map_err(|panic| Error::bug(format!("the interpreter panicked: {}", panic_text(&*panic))))
    })
}

/// What a panic said.
pub(super) fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(|s| (*s).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    #[test]
    fn a_panic_is_reported_and_not_passed_on() {
        assert_eq!(on_script_thread(|| 6 * 7).expect("no panic"), 42);
        let error = on_script_thread(|| -> i64 { panic!("oh no") }).expect_err("it panicked");
        assert_eq!(error.kind(), Kind::Bug);
        assert!(error.message().contains("oh no"));
    }
}
