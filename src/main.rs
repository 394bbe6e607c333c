//! The `octorhai` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    octorhai::cli::main()
}
