//! A stop is final and says what is left: every way to stop a run, in everything a run can be in, on a server that nobody measured.
#![cfg(unix)]

use crate::support::{Ran, finish, going::Going, octorhai, octorhai_command, standalone::Standalone, terminal::Terminal};
use octorhai::journal::{self, RunState};
use std::{
    fs,
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Command, Stdio},
    thread,
};
use tempfile::TempDir;

/// How somebody stops a run.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    Signal(&'static str),
    /// SIGTERM, and once more when the run cannot leave in order.
    Twice,
    /// `octorhai runs cancel`
    ByHand,
}

/// What the run is in.
struct Scene {
    name: &'static str,
    script: &'static str,
    locks: &'static str,
    /// What is told of a stop besides.
    told: &'static [&'static str],
}

/// Each begins with a deployment of its own, whose cancellation can be held up.
const BEGIN: &str = "let b = deploy(\"Project B\", \"latest\", \"Test\");\n";

const SCENES: &[Scene] = &[
    Scene { name: "waiting", script: "GO; wait(b);", locks: "octopus", told: &[] },
    Scene { name: "lock on the server", script: "lock(\"area\", || { GO; wait(b); });", locks: "octopus", told: &[] },
    Scene { name: "lock in the store", script: "lock(\"area\", || { GO; wait(b); });", locks: "store", told: &[] },
    Scene {
        name: "inside a saga",
        script: "saga(|s| { s.deploy(\"Project A\", \"latest\", \"Test\"); GO; wait(b); });",
        locks: "octopus",
        told: &[],
    },
    Scene {
        name: "during an undo",
        script: r#"saga(|s| {
            let a = s.deploy("Project A", "latest", "Test");
            wait_for(|| task(a.id).state == "Executing", #{every: "1s"});
            s.undo(|| { GO; sleep("1h"); });
            fail("the moon is full");
        });"#,
        locks: "octopus",
        told: &[
            "it was under way because the moon is full",
            "not undone: a step of the script's own (the run was stopped in it)",
            "not undone: Project A 2.0.0 → Test (the run was stopped before that)",
        ],
    },
    Scene {
        name: "inside parallel",
        script: "parallel([\"Project A\", \"Project C\"], |p| { let t = deploy(p, \"latest\", \"Test\"); if p == \"Project C\" { GO; } wait(t); });",
        locks: "octopus",
        told: &[],
    },
];

/// A server, and a folder with a script and a journal.
struct Ground {
    server: Standalone,
    folder: TempDir,
}

impl Ground {
    fn new() -> Self {
        Self { server: Standalone::start("shop", &[]), folder: tempfile::tempdir().expect("a folder") }
    }

    fn store(&self) -> PathBuf {
        self.folder.path().join("store")
    }

    fn octorhai(&self, arguments: &[&str]) -> Ran {
        let mut command = octorhai();
        command.current_dir(self.folder.path()).env("OCTOPUS_API_KEY", "API-SANDBOX").env("OCTORHAI_STATE", self.folder.path());
        finish(command.env("OCTOPUS_URL", &self.server.url).env("OCTORHAI_STORE", self.store()).args(arguments))
    }

    fn state(&self) -> RunState {
        let store = journal::open(self.store().to_str().expect("a path")).expect("a store");
        store.run("night").expect("read").expect("there").state
    }

    /// State and project of each deployment that a run made.
    fn deployments(&self) -> Vec<String> {
        let state = self.server.get("/sandbox/state");
        let made = state["deployments"].as_array().expect("a list").iter().filter(|d| d["history"] == false);
        made.map(|d| format!("{} {}", d["project"].as_str().unwrap_or_default(), d["state"].as_str().unwrap_or_default())).collect()
    }

    /// Runs the scene's script until it says that it is there, and stops it; the exit code and all that was told.
    fn stopped(&self, scene: &Scene, way: Way) -> (Option<i32>, String) {
        let held_up = "post(\"~/sandbox/faults\", #{\"match\": \"POST *cancel\", action: \"delay\", by: \"5m\"}); ";
        let go = format!("{}print(\"go\")", if way == Way::Twice { held_up } else { "" });
        let script = format!("{BEGIN}{}\nprint(\"not reached\");\n", scene.script.replace("GO", &go));
        fs::write(self.folder.path().join("night.rhai"), script).expect("written");
        let mut command = hears_hangups(octorhai_command());
        command.current_dir(self.folder.path()).args(["run", "--run-id", "night", "--locks", scene.locks, "--env", "Test", "night.rhai"]);
        command.env("OCTOPUS_URL", &self.server.url).env("OCTOPUS_API_KEY", "API-SANDBOX").env("OCTORHAI_STORE", self.store());
        // The machine may be busy; how long it may take is said elsewhere.
        command.env("OCTORHAI_STATE", self.folder.path()).env("OCTORHAI_STOP_WITHIN", "10m");
        let going = Going::start(&mut command, scene.name);
        match way {
            Way::Signal(signal) => going.signal(signal),
            Way::Twice => {
                going.signal("-TERM");
                going.has_heard();
                self.server.is_asked();
                going.signal("-TERM");
            }
            Way::ByHand => {
                let ran = self.octorhai(&["runs", "cancel", "night"]);
                assert!(ran.code == 0 && ran.stderr.contains("to end `night`"), "{ran:?}");
            }
        }
        let (code, rest, told) = going.ended();
        assert_eq!(rest, "", "{}: nothing goes on", scene.name);
        (code, told)
    }
}

/// The same command; where this process ignores SIGHUP, as below `nohup`, the child must not.
fn hears_hangups(command: Command) -> Command {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    if mask.is_none_or(|mask| mask & 1 == 0) {
        return command;
    }
    let mut other = Command::new("env");
    other.arg("--default-signal=HUP").arg(command.get_program()).args(command.get_args());
    other.env_clear().envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    other.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    other
}

fn is_final(way: Way, scene: &Scene) {
    let ground = Ground::new();
    let (code, told) = ground.stopped(scene, way);
    let case = format!("{way:?}, {}: {told}", scene.name);
    assert_eq!(code, Some(4), "{case}");
    assert!(matches!(ground.state(), RunState::Cancelled { .. }), "{:?} {case}", ground.state());
    // The last lines: that it is over, what is left, how to begin anew.
    for part in ["begin it anew: octorhai run --run-id night --anew night.rhai", "not continued"] {
        assert!(told.contains(part), "{part:?} is not in {case}");
    }
    if way == Way::Twice {
        assert!(told.contains("ended at once\nopen on the server when it ended, look there: "), "{case}");
        assert!(told.contains("Project B 2.0.0 → Test (ServerTasks-"), "{case}");
    } else {
        for part in scene.told {
            assert!(told.contains(part), "{part:?} is not in {case}");
        }
        let made = ground.deployments();
        assert!(made.iter().all(|one| ["Cancelling", "Canceled"].iter().any(|state| one.ends_with(state))), "{made:?} {case}");
    }
    if scene.script.contains("lock(") {
        let held = ground.octorhai(&["locks", "list", "--locks", scene.locks, "--output", "json"]);
        let is_held = held.stdout.contains("\"area\"");
        let is_told = told.contains("lock `area` could not be given back") || told.contains("locks that were not given back: `area`");
        assert_eq!((held.code, is_held), (0, is_told), "a lock is free, or it is said that it is not: {held:?} {case}");
        // On a busy machine it may take longer than a stopped run waits, but there is nothing to wait for in a store.
        assert!(way == Way::Twice || scene.locks == "octopus" || !is_held, "{case}");
    }
    // Nobody continues it.
    let before = ground.deployments().len();
    let due = ground.octorhai(&["runs", "resume", "--due"]);
    assert!(due.code == 0 && due.stderr.contains("nothing is due"), "{due:?} {case}");
    for arguments in
        [&["runs", "resume", "night"][..], &["run", "--run-id", "night", "--locks", scene.locks, "--env", "Test", "night.rhai"]]
    {
        let ran = ground.octorhai(arguments);
        assert!(ran.code == 4 && ran.stderr.contains("is not continued") && ran.stderr.contains("--anew"), "{ran:?} {case}");
    }
    assert_eq!(ground.deployments().len(), before, "{case}");
}

/// All scenes at once: most of the time each waits.
fn everywhere(way: Way) {
    thread::scope(|scope| {
        for scene in SCENES {
            scope.spawn(move || is_final(way, scene));
        }
    });
}

#[test]
fn ctrl_c_is_final_everywhere() {
    everywhere(Way::Signal("-INT"));
}

#[test]
fn sigterm_is_final_everywhere() {
    everywhere(Way::Signal("-TERM"));
}

#[test]
fn sighup_is_final_everywhere() {
    everywhere(Way::Signal("-HUP"));
}

#[test]
fn second_signal_is_final_everywhere() {
    everywhere(Way::Twice);
}

#[test]
fn cancel_by_hand_is_final_everywhere() {
    everywhere(Way::ByHand);
}

#[test]
fn lock_that_takes_too_long_to_give_back_is_left_and_named() {
    let slow = Scene {
        name: "a server that saves variables slowly",
        script: r#"lock("area", || { post("~/sandbox/faults", #{"match": "PUT *variables*", action: "delay", by: "5m"}); GO; wait(b); });"#,
        locks: "octopus",
        told: &[],
    };
    let ground = Ground::new();
    let (code, told) = ground.stopped(&slow, Way::Signal("-TERM"));
    assert_eq!(code, Some(4), "{told}");
    assert!(told.contains("lock `area` could not be given back (a stopped run waits no longer)"), "{told}");
    assert!(told.contains("Project B 2.0.0 → Test (ServerTasks-19): cancelled"), "tasks first: {told}");
    assert!(matches!(ground.state(), RunState::Cancelled { .. }));
}

#[test]
fn journal_that_does_not_answer_is_said_and_holds_up_nothing() {
    let ground = Ground::new();
    fs::write(ground.folder.path().join("night.rhai"), format!("{BEGIN}print(\"go\");\nwait(b);\n")).expect("written");
    let mut command = octorhai_command();
    command.current_dir(ground.folder.path()).args(["run", "--run-id", "night", "--env", "Test", "night.rhai"]);
    command.env("OCTOPUS_URL", &ground.server.url).env("OCTOPUS_API_KEY", "API-SANDBOX").env("OCTORHAI_STORE", ground.store());
    let mut child = command.env("OCTORHAI_STATE", ground.folder.path()).spawn().expect("it starts");
    let mut first = String::new();
    BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut first).expect("a line");
    assert_eq!(first, "go\n");
    let other = rusqlite::Connection::open(ground.store().join("runs.sqlite")).expect("the journal");
    other.busy_timeout(std::time::Duration::from_secs(60)).expect("patient");
    other.execute_batch("BEGIN EXCLUSIVE").expect("it is ours");
    assert!(Command::new("kill").args(["-TERM", child.id().to_string().as_str()]).status().expect("kill runs").success());
    let mut told = String::new();
    std::io::Read::read_to_string(&mut child.stderr.take().expect("a pipe"), &mut told).expect("text");
    assert_eq!(child.wait().expect("it ends").code(), Some(4), "{told}");
    let wanted = "run `night` could not be marked as cancelled (its journal did not answer): `octorhai runs cancel night` does it";
    assert!(told.contains(wanted), "{told}");
    // Nothing more is done before its journal knows of it, so the task goes on, and is named.
    assert!(told.contains("look there: Project B 2.0.0 → Test (ServerTasks-19)"), "{told}");
    drop(other);
    assert_eq!(ground.state(), RunState::Running);
    assert_eq!(ground.octorhai(&["runs", "cancel", "night"]).code, 0);
    assert!(matches!(ground.state(), RunState::Cancelled { .. }));
}

#[test]
fn no_live_line_is_left_on_a_terminal() {
    let ground = Ground::new();
    let held_up = r#"post("~/sandbox/faults", #{"match": "POST *cancel", action: "delay", by: "5m"});"#;
    fs::write(ground.folder.path().join("night.rhai"), format!("{BEGIN}{held_up}\nwait(b);\n")).expect("written");
    let environment = [("OCTOPUS_URL", ground.server.url.as_str()), ("OCTOPUS_API_KEY", "API-SANDBOX")];
    let mut terminal = Terminal::start(ground.folder.path(), &["run", "--run-id", "night", "--env", "Test", "night.rhai"], &environment);
    let is_live = |screen: &str| screen.chars().any(|letter| ('\u{2800}'..='\u{28ff}').contains(&letter));
    terminal.until("a live line", |screen| is_live(screen) && screen.contains("Executing"));
    terminal.types("\x03");
    terminal.shows("Ctrl-C: ending the run");
    ground.server.is_asked();
    terminal.types("\x03");
    let last = "begin it anew: octorhai run --run-id night --anew night.rhai";
    let screen = terminal.until(last, |screen| screen.lines().last() == Some(last));
    assert!(screen.contains("ended at once") && !is_live(&screen), "{screen}");
}

/// Leaves a run as if its process had been killed at its beginning.
fn killed(ground: &Ground, name: &str, script: &str) {
    fs::write(ground.folder.path().join(format!("{name}.rhai")), script).expect("written");
    for at in 1.. {
        let mut command = octorhai();
        command.current_dir(ground.folder.path()).env("OCTOPUS_URL", &ground.server.url).env("OCTOPUS_API_KEY", "API-SANDBOX");
        command.env("OCTORHAI_STORE", ground.store()).env("OCTORHAI_STATE", ground.folder.path()).env("OCTORHAI_CRASH_AT", at.to_string());
        let ran = finish(command.args(["run", "--run-id", name, &format!("{name}.rhai")]));
        assert_eq!(ran.code, -1, "{ran:?}");
        let store = journal::open(ground.store().to_str().expect("a path")).expect("a store");
        if store.run(name).expect("read").is_some() {
            return;
        }
    }
}

#[test]
fn due_run_that_waits_long_does_not_hold_up_the_others() {
    let ground = Ground::new();
    // In a lock it is not suspended. It is the oldest, so it would be the first of a row.
    killed(&ground, "long", "lock(\"area\", || { print(\"inside\"); sleep(\"1h\"); });\n");
    let others: Vec<String> = (1..=10).map(|number| format!("short-{number}")).collect();
    for name in &others {
        killed(&ground, name, "print(get(\"projects\").TotalResults);\nprint(\"two\\nlines\");\n");
    }
    let mut command = octorhai_command();
    command.current_dir(ground.folder.path()).args(["runs", "resume", "--due"]).env("OCTOPUS_API_KEY", "API-SANDBOX");
    command.env("OCTOPUS_URL", &ground.server.url);
    command.env("OCTORHAI_STORE", ground.store()).env("OCTORHAI_STATE", ground.folder.path()).env("OCTORHAI_LOCKS", "store");
    let mut child = command.env("OCTORHAI_STOP_WITHIN", "10m").spawn().expect("it starts");
    let mut out = BufReader::new(child.stdout.take().expect("a pipe"));
    let mut lines = Vec::new();
    let is_over = |lines: &[String]| {
        others.iter().all(|name| lines.contains(&format!("{name}: succeeded"))) && lines.contains(&"long: inside".to_owned())
    };
    while !is_over(&lines) {
        let mut line = String::new();
        assert_ne!(out.read_line(&mut line).expect("a line"), 0, "it ended: {lines:?}");
        lines.push(line.trim_end().to_owned());
    }
    for name in &others {
        let own: Vec<&str> = lines.iter().filter_map(|line| line.strip_prefix(&format!("{name}: "))).collect();
        assert_eq!(own, ["3", "two", "lines", "succeeded"], "{lines:?}");
    }
    assert!(Command::new("kill").args(["-TERM", child.id().to_string().as_str()]).status().expect("kill runs").success());
    let mut rest = String::new();
    std::io::Read::read_to_string(&mut out, &mut rest).expect("text");
    assert_eq!(rest, "long: cancelled (exit code 4): the run was cancelled (SIGTERM)\n");
    let mut told = String::new();
    std::io::Read::read_to_string(&mut child.stderr.take().expect("a pipe"), &mut told).expect("text");
    assert_eq!(child.wait().expect("it ends").code(), Some(4), "the worst: {told}");
    let store = journal::open(ground.store().to_str().expect("a path")).expect("a store");
    assert!(matches!(store.run("long").expect("read").expect("there").state, RunState::Cancelled { .. }));
    let locks = ground.octorhai(&["locks", "list", "--locks", "store", "--output", "json"]);
    assert_eq!(locks.stdout, "", "the lock was given back: {told}");
}

#[cfg(target_os = "linux")]
#[test]
fn hangup_that_was_ignored_at_the_start_stays_ignored() {
    let ground = Ground::new();
    fs::write(ground.folder.path().join("night.rhai"), "print(\"go\");\nsleep(\"1h\");\n").expect("written");
    let program = octorhai_command();
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' HUP; exec \"$0\" run --run-id night night.rhai"]).arg(program.get_program());
    shell.env_clear().envs(program.get_envs().filter_map(|(name, value)| Some((name, value?)))).current_dir(ground.folder.path());
    shell.env("OCTOPUS_URL", &ground.server.url).env("OCTOPUS_API_KEY", "API-SANDBOX").env("OCTORHAI_STORE", ground.store());
    let mut child = shell.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let mut first = String::new();
    BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut first).expect("a line");
    assert_eq!(first, "go\n");
    // It listens to signals before its script begins: to this one it does not.
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).expect("it runs");
    let masks: Vec<&str> = status.lines().filter(|line| line.starts_with("SigIgn:") || line.starts_with("SigCgt:")).collect();
    let has_hangup = |mask: &&str| mask.ends_with(['1', '3', '5', '7', '9', 'b', 'd', 'f']);
    assert!(matches!(&masks[..], [ignored, caught] if has_hangup(ignored) && !has_hangup(caught)), "{masks:?}");
    for signal in ["-HUP", "-HUP", "-TERM"] {
        assert!(Command::new("kill").args([signal, child.id().to_string().as_str()]).status().expect("kill runs").success());
    }
    let mut told = String::new();
    std::io::Read::read_to_string(&mut child.stderr.take().expect("a pipe"), &mut told).expect("text");
    assert_eq!(child.wait().expect("it ends").code(), Some(4), "{told}");
    assert!(told.contains("SIGTERM: ending the run") && !told.contains("SIGHUP"), "{told}");
}
