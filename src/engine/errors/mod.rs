//! Errors on their way, in the order in which one travels:
//!
//! 1. [`thrown`]: an error of ours becomes a value that a script can catch or throw again, and is found again in it;
//! 2. `rhai_words`: what came out of the interpreter where it is not ours, read back from its words;
//! 3. `explain`: either of them as an error of ours in words of users, for a script that catches it and for a person;
//! 4. `failure`: an error that came out of the script, with its place and the calls that led there, as it is drawn.

pub mod thrown;

mod explain;
mod failure;
mod rhai_words;

pub(super) use explain::Explainer;
pub use failure::{Failure, StackFrame};
