//! Nothing is left for later: no `todo!`, no ignored test, no note that promises work.

use super::{
    reader::places,
    repository::{File, none, one, rust_files},
};

fn unfinished(files: &[File]) -> Vec<String> {
    let mut offenders = Vec::new();
    for file in files {
        let code = file.code();
        let mut found = places(&code, &["todo!", "unimplemented!", "#[ignore", "#![ignore"]);
        // These stand in comments; but for the file that looks for them.
        if !file.path.ends_with("conventions/unfinished.rs") {
            found.extend(places(&file.text, &["FIXME", "TODO", "XXX"]));
        }
        offenders.extend(found.into_iter().map(|(line, word)| format!("{}:{line}: `{word}`", file.path)));
    }
    offenders
}

#[test]
fn nothing_is_left_for_later_or_ignored() {
    none(unfinished(&rust_files()));
}

#[test]
fn what_is_left_for_later_is_found() {
    one(&unfinished(&[File::new("src/a.rs", "fn f() {\n todo!() }")]), "src/a.rs:2: `todo!`");
    one(&unfinished(&[File::new("tests/a.rs", "#[test]\n#[ignore]\nfn f() {}")]), "tests/a.rs:2: `#[ignore`");
    one(&unfinished(&[File::new("src/a.rs", "// FIXME: later")]), "FIXME");
}
