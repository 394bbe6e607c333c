//! Files: each says at its top what it is for, and can be read in one sitting.

use super::repository::{File, none, one, rust_files, sources};

/// No file is longer: one sitting.
const MOST_LINES: usize = 700;

fn unreadable(files: &[File]) -> Vec<String> {
    let mut offenders = Vec::new();
    for file in files {
        if !file.text.starts_with("//!") {
            offenders.push(format!("{}: does not start with `//!` and what it is responsible for", file.path));
        }
    }
    offenders.extend(too_long(files));
    offenders
}

fn too_long(files: &[File]) -> Vec<String> {
    let lines = files.iter().map(|file| (file, file.text.lines().count()));
    lines
        .filter(|(_, lines)| *lines > MOST_LINES)
        .map(|(file, lines)| format!("{}: {lines} lines, more than {MOST_LINES}", file.path))
        .collect()
}

#[test]
fn files_say_what_they_are_for_and_end_soon() {
    none(unreadable(&sources()));
}

#[test]
fn tests_and_benchmarks_can_be_read_in_one_sitting() {
    none(too_long(&rust_files()));
}

#[test]
fn a_long_or_silent_file_is_found() {
    one(&unreadable(&[File::new("src/a.rs", "use x;\n")]), "does not start");
    one(&unreadable(&[File::new("src/a.rs", &format!("//! A.\n{}", "\n".repeat(MOST_LINES)))]), "701 lines");
    one(&too_long(&[File::new("tests/a.rs", &"\n".repeat(MOST_LINES + 1))]), "tests/a.rs: 701 lines");
    assert!(unreadable(&[File::new("src/a.rs", "//! A.\n")]).is_empty());
}
