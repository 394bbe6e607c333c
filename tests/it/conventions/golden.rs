//! Whatever is written anew by `cargo bless` is found by it: by the names of its tests, which have `golden` in them.

use super::repository::{File, files, none, one};

/// What writes files of the repository.
const WRITERS: &[&str] = &["golden::file(", "golden::part(", "golden::check(", "golden::blesses(", "OCTORHAI_BLESS"];

fn not_found_by_bless(files: &[File]) -> Vec<String> {
    let allowed = |path: &str| path.ends_with("/golden.rs") || path.starts_with("tests/it/conventions/");
    let mut offenders = Vec::new();
    for file in files.iter().filter(|file| !allowed(&file.path)) {
        let used = WRITERS.iter().filter(|word| file.text.contains(*word));
        offenders.extend(
            used.map(|word| format!("{}: uses `{word}`: move the test to a module `golden`, where `cargo bless` finds it", file.path)),
        );
    }
    offenders
}

#[test]
fn tests_that_bless_are_in_modules_called_golden() {
    none(not_found_by_bless(&files("tests", "rs")));
}

#[test]
fn a_test_that_blesses_elsewhere_is_found() {
    let text = "fn f() { golden::file(\"README.md\", \"\"); }";
    one(&not_found_by_bless(&[File::new("tests/it/cli/run.rs", text)]), "tests/it/cli/run.rs: uses `golden::file(`");
    assert!(not_found_by_bless(&[File::new("tests/it/cli/golden.rs", text)]).is_empty());
}
