//! How to wait for tasks.

use super::prelude::*;

crate::words! {
    /// What happens to tasks that are not complete.
    pub enum OpenTasks {
        /// They go on.
        Leave = "leave",
        /// They are cancelled.
        Cancel = "cancel",
    }
}

crate::words! {
    /// What happens when a task waits for a person, or for an approval.
    pub enum Asked {
        /// The wait goes on.
        Wait = "wait",
        /// The wait ends with an error.
        Fail = "fail",
    }
}

/// Declares the options of a function that waits for tasks: those of all, with its own among them.
macro_rules! wait_options {
    ($(#[$meta:meta])* pub struct $name:ident for [$($function:literal),+] { $($(#[doc = $prose:literal])+ $field:ident: $type:ty = $default:expr, $shown:literal;)* }) => {
        crate::options! {
            $(#[$meta])*
            pub struct $name for [$($function),+] {
                /// How long at most. A time-out is an error of kind `timeout` that names the open tasks.
                timeout: SignedDuration = SignedDuration::from_mins(30), "30m";
                /// What happens to open tasks at a time-out. A closure gets the list of them.
                on_timeout: Decide<OpenTasks> = Decide::Word(OpenTasks::Leave), "\"leave\"";
                /// How long a task may be queued without a start before that is a time-out, from the time for which it is queued.
                queue_timeout: Option<SignedDuration> = None, "none";
                /// What happens when a task waits for a person: at a manual intervention or for guidance after a failure. A closure gets the
                /// interruption. When a person has answered first or taken responsibility, the wait goes on. Interruptions that end by
                /// themselves are waited for.
                on_interrupt: Decide<Asked> = Decide::Word(Asked::Wait), "\"wait\"";
                /// What happens when a task waits for the approval of a change request. A closure gets the approval.
                on_approval: Decide<Asked> = Decide::Word(Asked::Wait), "\"wait\"";
                $($(#[doc = $prose])+ $field: $type = $default, $shown;)*
                /// What happens to these tasks when the run is cancelled; otherwise `--on-cancel` decides.
                on_cancel: Option<OpenTasks> = None, "none";
            }
        }
    };
}

wait_options! {
    /// How to wait for all.
    pub struct WaitOptions for ["wait", "settle"] {
        /// End the wait as soon as one task failed, not when all are complete.
        fail_fast: bool = false, "false";
    }
}

wait_options! {
    /// How to wait for one of several: it ends with the first, well or not.
    pub struct AnyOptions for ["wait_any"] {}
}

impl From<AnyOptions> for WaitOptions {
    fn from(given: AnyOptions) -> Self {
        Self {
            timeout: given.timeout,
            on_timeout: given.on_timeout,
            queue_timeout: given.queue_timeout,
            on_interrupt: given.on_interrupt,
            on_approval: given.on_approval,
            fail_fast: false,
            on_cancel: given.on_cancel,
        }
    }
}
