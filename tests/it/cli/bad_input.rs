//! Files and surroundings that are not as they should be, told by the binary.

use crate::support::{Ran, finish, octorhai};
use std::{fs, path::Path};

pub fn in_folder(folder: &Path, line: &str) -> Ran {
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
    assert_eq!(ran.stderr, "error: the script `x.rhai` cannot be read: it has more than 1 MiB, the most we read\n");
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
