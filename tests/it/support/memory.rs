//! How much memory a program has had.

use std::{fs, process::Child};

/// The most memory that a started octorhai has had so far, in KiB; none when it cannot be told any more.
///
/// For a moment after it was started a process still has the memory of the one that started it. It gets its own name after its own memory.
pub fn most(child: &Child) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    if status.lines().next() != Some("Name:\toctorhai") {
        return None;
    }
    status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse().ok())
}
