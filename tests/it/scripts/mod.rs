//! Every script of `scripts/` on the sandbox, when all goes well and when it does not: what really happened on the
//! server, which mails went out, what was printed, and the exit code.

mod comparisons;
mod cooperation;
mod create_release;
mod environments;
mod freezes;
mod git;
mod lists;
mod long_lists;
mod mails;
mod master;
mod meant;
mod newcomer;
pub mod option_calls;
mod option_values;
mod options;
mod promotion;
mod requeue;
mod scene;
mod separate;
mod slips;
mod spaces;
mod started;
mod stuck;
mod target_tags;
mod trains;
mod triggers;
mod undo;
mod values;
mod variables;
