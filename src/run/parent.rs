//! What a step is told of being cancelled: on some agents nothing, on others that its parent is gone, and the server knows
//! best (octopus-step-contract.md §1.8). Who is killed at once hears of none; all of this is for where we are not.

use crate::{
    api::{SpaceClient, TaskState},
    cancel::Cancel,
    clock::Clock,
    error::Kind,
};
use jiff::SignedDuration;

/// How often to ask the server.
const ASK: SignedDuration = SignedDuration::from_secs(5);

/// Cancels the run when the process that started us is gone: then nobody waits for its end.
pub(super) async fn watch_process(cancel: Cancel) {
    // Processes and agents live in real time, whatever clock the run has.
    let clock = Clock::real();
    let parent = parent_id();
    while parent == parent_id() {
        clock.sleep(SignedDuration::from_secs(1)).await;
    }
    cancel.cancel("the agent that started this step is gone");
}

#[cfg(unix)]
fn parent_id() -> u32 {
    std::os::unix::process::parent_id()
}

/// Elsewhere a child does not learn of it; the task on the server tells.
#[cfg(not(unix))]
fn parent_id() -> u32 {
    0
}

/// Cancels the run when the task that its step belongs to is being cancelled on the server.
pub(super) async fn watch_task(space: SpaceClient, task: String, cancel: Cancel) {
    let clock = Clock::real();
    let id = task.as_str().into();
    loop {
        clock.sleep(ASK).await;
        match space.task(&id).await {
            Ok(seen) if matches!(seen.state, TaskState::Cancelling | TaskState::Canceled) => {
                return cancel.cancel(&format!("{task}, whose step this is, was cancelled in Octopus"));
            }
            // Not a task of this server: whoever named it knows better than we do.
            Err(error) if error.kind() == Kind::NotFound => return,
            _ => {}
        }
    }
}
