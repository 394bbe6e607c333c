//! Step templates: a script becomes an ActionTemplate of Octopus for Bash and one for PowerShell, from one source
//! (octopus-step-contract.md §3, §4, §6).
//!
//! [`mod@export`] makes the documents, [`lint`] refuses what a library or a person would stumble over, [`pack`] makes the package with
//! the program that the launchers in the documents start. Nothing is run here.

pub mod document;
pub mod export;
mod exported;
mod launcher;
pub mod lint;
pub mod pack;

pub use export::export;
pub use exported::{Script, Shell};
