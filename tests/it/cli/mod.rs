//! The command line: arguments, runs, what is said about mistakes.

mod args;
mod bad_input;
mod bad_server;
#[cfg(unix)]
mod files;
mod golden;
mod hostile;
mod keys;
mod resume;
mod run;
mod runs;
mod step;
