//! Both shells of a worker alike: a cancel ends them, no secret lies in their files, and `--run-scripts` tells which there are.
#![cfg(target_os = "linux")]

use super::steps::{on, toml, world};
use crate::support::{self, ground::Ground, kits::kit, until};
use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Command, Stdio},
};

/// Bash, and PowerShell where there is one: the name of the syntax, and a body that writes its own process id to the file `FILE` and waits.
fn shells(test: &str) -> Vec<(&'static str, &'static str)> {
    let bash = ("Bash", "echo $$ > FILE.new; mv FILE.new FILE; sleep 600; echo \"$(get_octopusvariable Secret)\"");
    let powershell = ("PowerShell", "Set-Content FILE.new $PID; Move-Item FILE.new FILE; Start-Sleep 600; $OctopusParameters['Secret']");
    std::iter::once(bash).chain(kit(test, "powershell/pwsh.sh").map(|_| powershell)).collect()
}

/// What the files below a folder hold.
fn texts(folder: &Path) -> String {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    entries
        .map(|path| if path.is_dir() { texts(&path) } else { String::from_utf8_lossy(&fs::read(&path).unwrap_or_default()).into_owned() })
        .collect()
}

#[test]
fn a_cancel_kills_the_tree_or_its_root_and_no_secret_is_on_the_disk() {
    for (syntax, body) in shells("a cancel of PowerShell") {
        for (cancel, outlives) in [("tree", false), ("root", true)] {
            let folder = tempfile::tempdir().expect("a folder");
            let file = folder.path().join("pid");
            let body = body.replace("FILE", &file.display().to_string());
            let run = format!("script = {}, syntax = \"{syntax}\", secrets = {{ Secret = \"clear-text-of-it\" }}", toml(&body));
            let ground =
                Ground::with_clock(&world(&run, &format!("\n[worker]\ncancel = \"{cancel}\"\n")), &["--speed", "60", "--run-scripts"]);
            let task = on(&ground, "print(deploy(\"Train\", \"1.0.0\", \"Test\").id);").stdout.trim().to_owned();
            let process = until("the process of the step", || fs::read_to_string(&file).ok()).trim().to_owned();
            let own = Path::new("/proc").join(&process);
            let work = fs::read_link(own.join("cwd")).expect("it runs");
            // Home, with the folders of all steps in it, is for nobody else.
            let home = work.ancestors().nth(2).expect("a home");
            let mode = std::os::unix::fs::MetadataExt::mode(&fs::metadata(home).expect("there"));
            assert_eq!((mode & 0o777, home.join("Work").is_dir()), (0o700, true), "{}", home.display());
            let there = texts(&work);
            // That what was looked at are the files of the step: its body stands in one.
            assert!(there.contains("600") && !there.contains("clear-text-of-it"), "{syntax}: {there}");
            let parent = || {
                fs::read_to_string(own.join("status")).unwrap_or_default().lines().find(|line| line.starts_with("PPid")).map(str::to_owned)
            };
            let before = parent().expect("it runs");
            on(&ground, &format!("let t = task(\"{task}\"); t.cancel(); settle(t);"));
            if outlives {
                // Its root is gone: it belongs to another process now.
                until("the end of the root", || (parent()? != before).then_some(()));
                assert!(Command::new("kill").args(["-KILL", &process]).status().expect("kill runs").success());
            }
            until("the end of the process", || (!own.join("exe").exists()).then_some(()));
        }
    }
}

#[test]
fn run_scripts_tells_which_shells_there_are() {
    let told = |powershell: &Path| {
        let mut command = support::octorhai_command();
        command.args(["sandbox", "--listen", "127.0.0.1:0", "--run-scripts"]).env("OCTORHAI_PWSH", powershell).stdin(Stdio::null());
        let mut child = command.spawn().expect("octorhai starts");
        let lines = BufReader::new(child.stderr.take().expect("piped")).lines().map(|line| line.expect("text"));
        let mut all: Vec<String> = Vec::new();
        for line in lines {
            let is_last = line.contains("PowerShell");
            all.push(line);
            if is_last {
                break;
            }
        }
        child.kill().expect("it runs");
        child.wait().expect("it ends");
        all.into_iter().skip_while(|line| !line.starts_with("scripts of steps")).collect::<Vec<_>>()
    };
    let without = told(Path::new("/no/such/pwsh"));
    assert!(without[0].starts_with("scripts of steps are run: Bash ") && !without[0].contains("PowerShell"), "{without:?}");
    assert_eq!(without[1], "no PowerShell found: OCTORHAI_PWSH names `/no/such/pwsh`, which is no file");
    let Some(powershell) = kit("the version of PowerShell", "powershell/pwsh.sh") else { return };
    let with = told(&powershell);
    assert!(with.len() == 1 && with[0].contains(", PowerShell 7."), "{with:?}");
}
