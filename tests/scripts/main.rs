//! Every script of `scripts/` on the sandbox, when all goes well and when it does not: what really happened on the
//! server, which mails went out, what was printed, and the exit code.

#[path = "../support/mod.rs"]
mod support;

mod cooperation;
mod mails;
mod master;
mod newcomer;
mod promotion;
mod requeue;
mod scene;
mod separate;
mod trains;
