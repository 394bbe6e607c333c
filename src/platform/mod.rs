//! What an operating system is asked, one file per matter. Each matter also has an answer for systems on which we cannot ask.

pub mod ancestors;
pub mod console;
pub mod process;
