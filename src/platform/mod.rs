//! What an operating system is asked, one file per matter. Each matter also has an answer for systems on which we cannot ask.
//!
//! What differs between systems stands here only: `cfg(windows)`, `cfg(unix)` and `cfg(target_os ..)` occur in no other module.

pub mod ancestors;
pub mod console;
pub mod environment;
pub mod files;
pub mod folders;
pub mod memory;
pub mod process;
pub mod signals;
pub mod terminal;
pub mod zones;
