//! What the variants of the lock differ in.

/// How a previous owner is kept from deploying on.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Fence {
    None,
    /// Its key is revoked.
    Key,
    /// Its deployments carry a moment after which they do not start, and this is waited for.
    Lease,
}

/// A variant of the lock, and what happens around it.
#[derive(Clone, Copy)]
pub(crate) struct Rules {
    pub(crate) n: usize,
    /// How often each process takes the lock, and how often it deploys inside.
    pub(crate) takes: u8,
    pub(crate) deploys: u8,
    /// How many answers each process may give up waiting for.
    pub(crate) late_puts: u8,
    pub(crate) late_posts: u8,
    /// The server checks the version and writes in one step.
    pub(crate) atomic: bool,
    /// After a take, changes that were checked before are waited for.
    pub(crate) settle: bool,
    /// The same where a record is read that is already one's own.
    pub(crate) settle_on_reread: bool,
    /// The settling starts when the process no longer waits for an answer, whether or not its change is known to be written.
    pub(crate) settle_from_sending: bool,
    /// A lock is taken over only when the task of its owner is completed.
    pub(crate) ask: bool,
    pub(crate) fence: Fence,
    /// After a key is revoked, what was let in with it is waited for.
    pub(crate) drain: bool,
    /// The record is read once more before it is taken over: after the fence, and when nothing can still be written over it
    /// that was checked before it was first read.
    pub(crate) read_again: bool,
    /// Task and lock are checked before each deployment.
    pub(crate) self_check: bool,
    /// A lock is freed while it is unknown what became of a deployment.
    pub(crate) frees_in_doubt: bool,
    /// A lock is one's own when its task is one's own.
    pub(crate) by_task: bool,
    /// All processes run in one task.
    pub(crate) one_task: bool,
    /// A process of the same task is fenced instead of waited for.
    pub(crate) restarts: bool,
    pub(crate) crashes: bool,
    pub(crate) zombies: bool,
    pub(crate) losses: bool,
    /// One change may be delivered twice.
    pub(crate) repeats: bool,
}

impl Rules {
    /// The protocol as it is meant, with everything around it that may go wrong.
    pub(crate) const PROTOCOL: Self = Self {
        n: 2,
        takes: 1,
        deploys: 1,
        late_puts: 1,
        late_posts: 1,
        atomic: true,
        settle: true,
        settle_on_reread: true,
        settle_from_sending: false,
        ask: true,
        fence: Fence::Key,
        drain: true,
        read_again: true,
        self_check: true,
        frees_in_doubt: false,
        by_task: false,
        one_task: false,
        restarts: false,
        crashes: true,
        zombies: true,
        losses: true,
        repeats: true,
    };
}
