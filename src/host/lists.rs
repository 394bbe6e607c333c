//! Lists: work on many things at the same time.

use super::call::ScriptCall;
use super::prelude::*;
use crate::engine;

crate::options! {
    /// How wide.
    pub struct ParallelOptions for ["parallel"] {
        /// How many items at the same time at most.
        width: i64 = 16, "16";
    }
}

/// Whether an error is about one item only, so that the others of a list can do without it: it is gone, hidden, or the server refuses it.
pub fn is_of_one(error: &Error) -> bool {
    matches!(error.kind(), Kind::NotFound | Kind::Forbidden | Kind::Refused)
}

/// Runs futures at the same time and returns their results in order; the first error wins.
pub async fn all<T>(work: impl IntoIterator<Item = impl Future<Output = Result<T>>>) -> Result<Vec<T>> {
    let mut running: Vec<_> = work.into_iter().map(|f| (Box::pin(f), None)).collect();
    std::future::poll_fn(|context| {
        let mut open = false;
        for (future, done) in &mut running {
            if done.is_none() {
                match future.as_mut().poll(context) {
                    std::task::Poll::Ready(result) => *done = Some(result),
                    std::task::Poll::Pending => open = true,
                }
            }
        }
        if open { std::task::Poll::Pending } else { std::task::Poll::Ready(()) }
    })
    .await;
    running.into_iter().filter_map(|(_, done)| done).collect()
}

crate::functions! {
    group "order";

    /// Calls the closure with each item of a list, several at the same time, and returns the results in the order of
    /// the list. When some raise an error the others still end, then the first error is raised.
    ///
    /// ```rhai
    /// parallel(["Project A", "Project B"], |p| wait(deploy(p, "latest", "Test")));
    /// ```
    fn parallel(host: ScriptCall, list: Array, closure: FnPtr; options: ParallelOptions) -> "list" raises "closure" {
        let hooks = engine::Hooks {
            clock: host.clock.clone(),
            runtime: host.handle.clone(),
            cancel: host.cancel.clone(),
        };
        let width = usize::try_from(options.width).unwrap_or(1).max(1);
        engine::parallel(&host.engine_call().ctx, list, &closure, width, &hooks, Some(&Dynamic::from(Host::clone(&host))))
    }
}
