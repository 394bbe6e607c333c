//! What the binary tells who makes a mistake: whole messages, kept in `tests/golden/cli/<case>/` and `tests/golden/mistakes/<case>/`.
//!
//! In `cli`, `cmd` holds the arguments; the other files are what the command finds in its folder. In `mistakes` is what people write in
//! `script.rhai` who come from another language or are in a hurry.

use super::bad_input::in_folder;
use crate::support::{
    Ran, finish,
    golden::{self, Case},
    octorhai,
};
use std::{fmt::Write as _, fs};

/// Runs the case in a copy of its folder.
fn outcome(case: &Case) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    for entry in fs::read_dir(&case.folder).expect("the case") {
        let entry = entry.expect("an entry");
        if !matches!(entry.file_name().to_str(), Some("cmd" | "out")) {
            fs::copy(entry.path(), folder.path().join(entry.file_name())).expect("copied");
        }
    }
    let line = case.read("cmd");
    let Ran { code, stdout, stderr } = finish(octorhai().current_dir(folder.path()).args(line.split_whitespace()));
    format!("--- stdout ---\n{}--- stderr ---\n{}--- exit {code}\n", without_ports(&stdout), without_ports(&stderr))
}

/// The port of a sandbox differs from run to run.
fn without_ports(text: &str) -> String {
    let mut parts = text.split("http://127.0.0.1:");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let _ = write!(out, "http://127.0.0.1:PORT{}", part.trim_start_matches(|c: char| c.is_ascii_digit()));
    }
    out
}

#[test]
fn each_wrong_script_is_told_where_why_and_what_to_write_instead() {
    golden::check("mistakes", |case| {
        let ran = finish(octorhai().current_dir(&case.folder).args(["run", "--quiet", "--sandbox", "script.rhai"]));
        format!("{}--- exit {}\n", without_ports(&ran.stderr), ran.code)
    });
    let mut wrong = String::new();
    for case in golden::cases("mistakes") {
        let out = case.out();
        let place = out.contains("--> script.rhai:") || out.contains("::: script.rhai:");
        if out.contains("--- exit 0") || !out.contains("help: ") || !place {
            let _ = writeln!(wrong, "{}: it does not say where, or what to do:\n{out}", case.name);
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// What `catch`, `attempt` and `saga` see of a mistake is what the end of the run says of it, and so is what goes out in mails.
#[test]
fn a_script_that_catches_its_own_mistake_reads_our_words() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut wrong = String::new();
    let mut caught = 0;
    for case in golden::cases("mistakes") {
        let text = case.read("script.rhai");
        let ran = finish(octorhai().current_dir(&case.folder).args(["run", "--quiet", "--no-check", "--sandbox", "script.rhai"]));
        let told = ran.stderr;
        // Functions and imports stand at the top of a file, and what does not compile is not caught.
        if text.lines().any(|line| line.starts_with("fn ") || line.starts_with("import ")) {
            continue;
        }
        let Some(message) = told.lines().find_map(|line| line.strip_prefix("error: ")) else {
            // Only the check finds it.
            continue;
        };
        let tell = "print(problem(err)); print(err); print(`kind ${err.kind}`); email(#{to: \"a@example.com\", subject: err.message});";
        for (way, script) in [
            ("function", format!("fn all() {{\n{text}\n}}\ntry {{ all() }} catch (err) {{ {tell} throw err; }}")),
            ("attempt", format!("let err = attempt(|| {{\n{text}\n}}).error;\n{tell} throw err;")),
            ("saga", format!("try {{ saga(|s| {{\n{text}\n}}) }} catch (err) {{ {tell} throw err; }}")),
        ] {
            fs::write(folder.path().join("x.rhai"), script).expect("written");
            let ran = in_folder(folder.path(), "run --no-check --sandbox x.rhai");
            let all = format!("{}{}", ran.stdout, ran.stderr);
            for word in golden::internals(&all) {
                let _ = writeln!(wrong, "{} in {way} shows `{word}`, which is not a word of users:\n{all}", case.name);
            }
            if ran.stdout.is_empty() {
                continue;
            }
            caught += 1;
            let is_told = ran.stdout.lines().any(|line| line == message) && ran.stderr.contains(&format!("error: {message}\n"));
            if !is_told || ran.stdout.contains("\nkind \n") || !ran.stderr.contains("a@example.com: ") {
                let _ = writeln!(wrong, "{} in {way} is not told as `{message}`:\n{all}", case.name);
            }
        }
    }
    assert!(caught > 80, "only {caught} mistakes were caught");
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn each_mistake_is_told_with_what_where_why_and_what_now() {
    golden::check("cli", |case| {
        let got = outcome(case);
        assert!(!got.contains("HUNTER22") && !got.contains("hunter22"), "{} shows a secret:\n{got}", case.name);
        got
    });
}
