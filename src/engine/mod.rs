//! Rhai without Octopus: limits, modules, diagnostics, thrown values, options, signatures.
//!
//! One [`Interpreter`] serves one run. It knows the functions of its library and nothing of what they do;
//! what goes wrong in a script comes back as a [`Failure`] with its place.

mod bounded;
mod closures;
mod errors;
mod interpreter;
mod limits;
mod meter;
mod modules;
mod native;
mod parse;
mod secret_texts;
mod sizes;
mod standard;
mod tag;
mod thread;
mod unlocked;
mod words;

pub mod baton;
pub mod choice;
pub mod compare;
pub mod docs;
pub mod foreign_syntax;
pub mod library;
pub mod options;
pub mod parallel;
pub mod param_names;
pub mod params;
pub mod scene;
pub mod session;
pub mod text;
pub mod texts;

pub use errors::{Failure, StackFrame, thrown};
pub use interpreter::{Config, Interpreter, Program};
pub use limits::Limits;
pub use modules::{Files, Source, standard_library};
pub use parallel::{Hooks, branch, parallel};
pub use session::is_well_formed;
pub use text::span;
pub use thread::on_script_thread;
pub use words::with_article;
