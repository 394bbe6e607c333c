//! Where this system keeps what programs must remember for a user.

use std::path::PathBuf;

/// The folder for the state of all programs; none for a user without one, as services are. `folder` reads a folder from the environment.
///
/// On Windows `%LOCALAPPDATA%`: what is in `%APPDATA%` may be copied to other machines, where none of it holds.
pub fn state(folder: impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    if cfg!(windows) {
        return folder("LOCALAPPDATA");
    }
    // A relative one is to be ignored, says the specification of the name.
    folder("XDG_STATE_HOME").filter(|folder| folder.is_absolute()).or_else(|| folder("HOME").map(|home| home.join(".local/state")))
}
