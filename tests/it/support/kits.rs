//! Programs of others that judge our steps: Calamari, PowerShell, Octostache. They are no part of this repository.

use std::path::PathBuf;

/// Names the folder that the kits were unpacked in.
pub const VARIABLE: &str = "OCTORHAI_TEST_KITS";

/// The path of something in the folder of kits. Without the variable none, and a line on stderr says which test is left out.
///
/// # Panics
/// When the variable is set and the kit is not there: a test that was asked for must not pass unseen.
#[allow(clippy::print_stderr, reason = "whoever runs the tests must see what was left out")]
pub fn kit(test: &str, path: &str) -> Option<PathBuf> {
    let Some(folder) = std::env::var_os(VARIABLE).map(PathBuf::from) else {
        eprintln!("LEFT OUT: {test}: {VARIABLE} names no folder with {path}");
        return None;
    };
    let found = folder.join(path);
    assert!(found.exists(), "{test}: {VARIABLE} is set, and {} is missing", found.display());
    Some(found)
}
