//! The command line.

use std::process::ExitCode;

/// Parses the arguments, runs the subcommand, and returns the exit code of design.md §3.
pub fn main() -> ExitCode {
    ExitCode::SUCCESS
}
