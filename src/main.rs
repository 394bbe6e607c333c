//! The `octorhai` command.

use std::process::ExitCode;

/// Octopus's documents are many small texts: a continued run spends half of its time in the system's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    octorhai::cli::main()
}
