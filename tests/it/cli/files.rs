//! Files that people name: only files are read, and only so much of them.

use super::bad_input::in_folder;
use std::{fs, process::Command};

#[test]
fn nothing_but_a_file_of_a_usual_size_is_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    for pipe in ["pipe", "pipe.rhai", "pipe.toml"] {
        assert!(Command::new("mkfifo").arg(at(pipe)).status().expect("mkfifo is there").success());
    }
    fs::create_dir(at("scripts")).expect("made");
    assert!(Command::new("mkfifo").arg(at("scripts/a.rhai")).status().expect("mkfifo is there").success());
    for (name, text) in [("x.rhai", "print(1);"), ("import.rhai", "import \"./pipe\" as p;"), ("huge.rhai", ""), ("huge.toml", "")] {
        fs::write(at(name), text).expect("written");
    }
    for huge in ["huge.rhai", "huge.toml"] {
        // It takes no space.
        fs::File::options().write(true).open(at(huge)).expect("there").set_len(5 << 30).expect("longer");
    }
    std::os::unix::fs::symlink("/dev/zero", at("zero.rhai")).expect("linked");
    let device = "it is not a file but a device or pipe";
    for (line, code, why) in [
        ("run --sandbox pipe.rhai", 2, device),
        ("run --sandbox /dev/zero", 2, device),
        ("run --sandbox zero.rhai", 2, device),
        ("run --sandbox scripts", 2, "it is a folder"),
        ("run --sandbox huge.rhai", 2, "it has more than 1 MiB, the most we read"),
        ("run --sandbox import.rhai", 1, device),
        ("run --sandbox=/dev/zero x.rhai", 2, device),
        ("run --sandbox=pipe.toml x.rhai", 2, device),
        ("run --sandbox=./scripts x.rhai", 2, "it is a folder"),
        ("run --sandbox=huge.toml x.rhai", 2, "it has more than 16 MiB, the most we read"),
        ("sandbox --world pipe.toml", 2, device),
        ("run --sandbox --params /dev/zero x.rhai", 2, device),
        ("run --sandbox --params pipe x.rhai", 2, device),
        ("run --server http://127.0.0.1:1 --api-key-file pipe x.rhai", 2, device),
        ("run --server http://127.0.0.1:1 --api-key-file /dev/zero x.rhai", 2, device),
        ("run --server http://127.0.0.1:1 --api-key-file scripts x.rhai", 2, "it is a folder"),
        ("check scripts", 2, device),
        ("check pipe.rhai", 2, device),
        ("check /dev/zero", 2, device),
        ("template lint pipe", 2, device),
        ("template lint /dev/zero", 2, device),
        ("template export pipe.rhai", 2, device),
        ("template pack --binary linux-x64=/dev/zero", 2, device),
    ] {
        let ran = in_folder(folder.path(), line);
        assert!(ran.code == code && ran.stderr.contains(why), "{line}: {ran:?}");
    }
}

#[test]
fn pipe_that_a_shell_opened_is_read() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("x.rhai"), "print(param(\"who\"));").expect("written");
    let program = assert_cmd::cargo::cargo_bin!("octorhai");
    let line = format!("{} run --sandbox x.rhai --params <(echo 'who = \"Ada\"')", program.display());
    let output = Command::new("bash").args(["-c", &line]).current_dir(folder.path()).output().expect("bash is there");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "Ada\n", "{}", String::from_utf8_lossy(&output.stderr));
}
