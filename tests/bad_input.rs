//! What the binary tells who makes a mistake: whole messages, kept in `tests/golden/cli/<case>/`.
//!
//! `cmd` holds the arguments, `out` what came of it; the other files are what the command finds in its folder.
//! `OCTORHAI_BLESS=1 cargo test --test bad_input` writes the `out` files anew; read the difference before you commit it.

mod support;

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};
use support::{Ran, finish, octorhai, root};

/// Words of Rhai and Rust that mean nothing to users.
const INTERNALS: [&str; 24] = [
    "Dynamic",
    "alloc::",
    "core::",
    "std::",
    "i64",
    "f64",
    "u64",
    "usize",
    "EvalAltResult",
    "ErrorRuntime",
    "Runtime error",
    "ErrorDot",
    "ErrorFunction",
    "ErrorIn",
    "Function not found",
    "Variable not found",
    "Data type incorrect",
    "getter",
    "setter",
    "anon$",
    "octorhai::",
    "ImmutableString",
    "os error",
    "Error(",
];

/// Runs the case in a copy of its folder.
fn outcome(case: &Path) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    for entry in fs::read_dir(case).expect("the case") {
        let entry = entry.expect("an entry");
        if !matches!(entry.file_name().to_str(), Some("cmd" | "out")) {
            fs::copy(entry.path(), folder.path().join(entry.file_name())).expect("copied");
        }
    }
    let line = fs::read_to_string(case.join("cmd")).expect("the command");
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

fn wrong_scripts() -> Vec<PathBuf> {
    let mut cases: Vec<_> =
        fs::read_dir(root().join("tests/golden/scripts")).expect("the cases").map(|e| e.expect("an entry").path()).collect();
    cases.retain(|path| path.extension().is_some_and(|end| end == "rhai"));
    cases.sort();
    cases
}

/// What people write who come from another language or are in a hurry: `tests/golden/scripts/<case>.rhai`, with the whole message beside it.
#[test]
fn each_wrong_script_is_told_where_why_and_what_to_write_instead() {
    let bless = std::env::var_os("OCTORHAI_BLESS").is_some();
    let cases = wrong_scripts();
    assert!(cases.len() > 60, "only {} cases", cases.len());
    let mut wrong = String::new();
    for case in cases {
        let name = case.file_name().expect("a name");
        let Ran { code, stderr, .. } =
            finish(octorhai().current_dir(case.parent().expect("a folder")).args(["run", "--quiet", "--sandbox"]).arg(name));
        let got = format!("{}--- exit {code}\n", without_ports(&stderr));
        let file = case.with_extension("out");
        if bless {
            fs::write(&file, &got).expect("writable");
        }
        let wanted = fs::read_to_string(&file).unwrap_or_default();
        if got != wanted {
            let _ = writeln!(wrong, "=== {}\n--- wanted\n{wanted}\n--- got\n{got}", case.display());
        }
        let place = got.contains(&format!("--> {}:", name.display())) || got.contains(&format!("::: {}:", name.display()));
        if code == 0 || !got.contains("help: ") || !place {
            let _ = writeln!(wrong, "{}: it does not say where, or what to do:\n{got}", case.display());
        }
        for word in INTERNALS {
            if got.contains(word) {
                let _ = writeln!(wrong, "{} shows `{word}`, which is not a word of users:\n{got}", case.display());
            }
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
    for case in wrong_scripts() {
        let text = fs::read_to_string(&case).expect("the script");
        let told = fs::read_to_string(case.with_extension("out")).expect("its message");
        // Functions and imports stand at the top of a file, and what does not compile is not caught.
        if text.lines().any(|line| line.starts_with("fn ") || line.starts_with("import ")) {
            continue;
        }
        let message = told.lines().find_map(|line| line.strip_prefix("error: ")).expect("a message");
        let tell = "print(problem(err)); print(err); print(`kind ${err.kind}`); email(#{to: \"a@example.com\", subject: err.message});";
        for (way, script) in [
            ("function", format!("fn all() {{\n{text}\n}}\ntry {{ all() }} catch (err) {{ {tell} throw err; }}")),
            ("attempt", format!("let err = attempt(|| {{\n{text}\n}}).error;\n{tell} throw err;")),
            ("saga", format!("try {{ saga(|s| {{\n{text}\n}}) }} catch (err) {{ {tell} throw err; }}")),
        ] {
            fs::write(folder.path().join("x.rhai"), script).expect("written");
            let ran = in_folder(folder.path(), "run --sandbox x.rhai");
            let all = format!("{}{}", ran.stdout, ran.stderr);
            for word in INTERNALS.iter().filter(|word| all.contains(**word)) {
                let _ = writeln!(wrong, "{} in {way} shows `{word}`, which is not a word of users:\n{all}", case.display());
            }
            if ran.stdout.is_empty() {
                continue;
            }
            caught += 1;
            let is_told = ran.stdout.lines().any(|line| line == message) && ran.stderr.contains(&format!("error: {message}\n"));
            if !is_told || ran.stdout.contains("\nkind \n") || !ran.stderr.contains("a@example.com: ") {
                let _ = writeln!(wrong, "{} in {way} is not told as `{message}`:\n{all}", case.display());
            }
        }
    }
    assert!(caught > 80, "only {caught} mistakes were caught");
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn each_mistake_is_told_with_what_where_why_and_what_now() {
    let bless = std::env::var_os("OCTORHAI_BLESS").is_some();
    let mut cases: Vec<_> =
        fs::read_dir(root().join("tests/golden/cli")).expect("the cases").map(|e| e.expect("an entry").path()).collect();
    cases.sort();
    assert!(cases.len() > 50, "only {} cases", cases.len());
    let mut wrong = String::new();
    for case in cases {
        let got = outcome(&case);
        let file = case.join("out");
        if bless {
            fs::write(&file, &got).expect("writable");
        }
        let wanted = fs::read_to_string(&file).unwrap_or_default();
        if got != wanted {
            let _ = writeln!(wrong, "=== {}\n--- wanted\n{wanted}\n--- got\n{got}", case.display());
        }
        for word in INTERNALS {
            if got.contains(word) {
                let _ = writeln!(wrong, "{} shows `{word}`, which is not a word of users:\n{got}", case.display());
            }
        }
        assert!(!got.contains("HUNTER22") && !got.contains("hunter22"), "{} shows a secret:\n{got}", case.display());
    }
    assert!(wrong.is_empty(), "{wrong}");
}

fn in_folder(folder: &Path, line: &str) -> Ran {
    finish(octorhai().current_dir(folder).args(line.split_whitespace()))
}

#[cfg(unix)]
#[test]
fn links_lead_out_of_the_folder_neither_for_files_nor_for_folders() {
    let outside = tempfile::tempdir().expect("a folder");
    fs::write(outside.path().join("other.rhai"), "fn sail() { 1 }").expect("written");
    let folder = tempfile::tempdir().expect("a folder");
    std::os::unix::fs::symlink(outside.path().join("other.rhai"), folder.path().join("file.rhai")).expect("linked");
    std::os::unix::fs::symlink(outside.path(), folder.path().join("way")).expect("linked");
    for import in ["./file", "./way/other"] {
        fs::write(folder.path().join("x.rhai"), format!("import \"{import}\" as o;\nprint(o::sail());\n")).expect("written");
        let ran = in_folder(folder.path(), "run --sandbox x.rhai");
        assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{}", ran.stderr);
        assert!(
            ran.stderr.contains(&format!("cannot import `{import}`: it is outside of the script's folder\n --> x.rhai:1:8")),
            "{}",
            ran.stderr
        );
    }
}

#[test]
fn a_script_of_ten_megabytes_is_refused_at_once() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("x.rhai"), "let a = 1;\n".repeat(1_000_000)).expect("written");
    let ran = in_folder(folder.path(), "run --sandbox x.rhai");
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""));
    assert_eq!(ran.stderr, "error: the script `x.rhai` cannot be read: it has more than 1 MB, the most we read\n");
}

#[test]
fn a_file_where_the_folder_of_artifacts_should_be_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("taken"), "").expect("written");
    fs::write(folder.path().join("x.rhai"), "artifact(\"report.txt\", \"all is well\");\n").expect("written");
    let ran = in_folder(folder.path(), "run --sandbox --artifacts taken x.rhai");
    assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{}", ran.stderr);
    assert!(ran.stderr.contains("x.rhai:1:1") && ran.stderr.contains("taken") && !ran.stderr.contains("os error"), "{}", ran.stderr);
}

/// The surroundings of cron jobs, containers and pipes.
#[cfg(unix)]
mod surroundings {
    use super::*;
    use std::process::{Command, Stdio};

    fn shell(folder: &Path, line: &str) -> Ran {
        let output = Command::new("sh")
            .arg("-c")
            .arg(line)
            .current_dir(folder)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("OCTORHAI", assert_cmd::cargo::cargo_bin!("octorhai"))
            .stdin(Stdio::null())
            .output()
            .expect("a shell");
        Ran {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    fn place() -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("x.rhai"), "for i in 0..3000 { print(`line ${i}`); }\nprint(\"Grüße\");\n").expect("written");
        folder
    }

    #[test]
    fn a_reader_that_goes_away_does_not_end_the_run() {
        let folder = place();
        let ran = shell(folder.path(), "{ \"$OCTORHAI\" run --sandbox x.rhai; echo \"ended with $?\" >&2; } | head -1");
        assert_eq!(ran.stdout, "line 0\n");
        assert!(
            ran.stderr.contains("done in") && ran.stderr.ends_with("ended with 0\n") && !ran.stderr.contains("panic"),
            "{}",
            ran.stderr
        );
    }

    #[test]
    fn a_full_disk_behind_stdout_does_not_end_the_run() {
        let folder = place();
        let ran = shell(folder.path(), "\"$OCTORHAI\" run --sandbox x.rhai > /dev/full");
        assert!(ran.stderr.contains("done in") && !ran.stderr.contains("bug"), "{}", ran.stderr);
        assert!(ran.stderr.contains("stdout"), "who reads it must hear that it is not whole: {}", ran.stderr);
    }

    #[test]
    fn closed_streams_are_no_crash() {
        let folder = place();
        assert_eq!(shell(folder.path(), "\"$OCTORHAI\" run --sandbox x.rhai >&- 2>&- <&-").code, 0);
        assert_eq!(shell(folder.path(), "\"$OCTORHAI\" run --sandbox y.rhai >&- 2>&- <&-").code, 2);
    }

    #[test]
    fn it_needs_no_home_no_terminal_and_no_locale() {
        let folder = place();
        for setting in ["", "LANG=C LC_ALL=C", "LC_ALL=POSIX TERM=dumb", "HOME=/nowhere", "RUST_LOG=trace RUST_BACKTRACE=1"] {
            let ran = shell(folder.path(), &format!("{setting} \"$OCTORHAI\" run --sandbox x.rhai | tail -1"));
            assert_eq!(ran.stdout, "Grüße\n", "{setting}: {}", ran.stderr);
            assert!(!ran.stderr.contains('\x1b') && ran.stderr.contains("done in"), "{setting}: {}", ran.stderr);
        }
    }
}
