//! Locks between processes: two copies of a script, and runs that are killed while they hold one and go on.

#[path = "sandbox_support/standalone.rs"]
#[allow(dead_code, reason = "shared with tests that look at the sandbox's own end")]
mod standalone;
mod support;

use standalone::Standalone;
use std::{
    fs,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};
use support::{Ran, octorhai};
use tempfile::TempDir;

/// A sandbox and a folder for scripts and journal.
struct Ground {
    sandbox: Standalone,
    folder: TempDir,
}

impl Ground {
    fn new(how: &[&str]) -> Self {
        Self { sandbox: Standalone::start("shop", how), folder: tempfile::tempdir().expect("a folder") }
    }

    fn command(&self, arguments: &[&str]) -> assert_cmd::Command {
        let mut command = octorhai();
        command.args(arguments).env("OCTOPUS_API_KEY", "API-SANDBOX").env("OCTOPUS_URL", &self.sandbox.url);
        command.env("OCTORHAI_STATE", self.folder.path());
        command
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        support::finish(&mut self.command(arguments))
    }

    /// Runs a script in virtual time under a name; dies at the given place, if one is given.
    fn named(&self, name: &str, script: &str, crash_at: Option<u32>) -> Ran {
        let file = self.folder.path().join("x.rhai");
        fs::write(&file, script).expect("written");
        let mut command = self.command(&["run", "--virtual-time", "--run-id", name, "--env", "Test"]);
        command.arg(file);
        if let Some(at) = crash_at {
            command.env("OCTORHAI_CRASH_AT", at.to_string());
        }
        support::finish(&mut command)
    }

    /// Kills the run at one place after the other until what `locks list` says tells that it died inside of its lock.
    fn dies_inside(&self, name: &str, script: &str, is_enough: impl Fn(&Self) -> bool) -> u32 {
        for at in 15..90 {
            self.named(name, script, Some(at));
            if self.run(&["locks", "list"]).stdout.contains(&format!("run `{name}`")) && is_enough(self) {
                return at;
            }
        }
        panic!("it never died inside of its lock")
    }

    fn deployed(&self) -> Vec<String> {
        let told = self.run(&[
            "run",
            "--store",
            "none",
            "-q",
            self.write(
                "s.rhai",
                "print(get(\"/sandbox/state\").deployments.filter(|d| d.history != true).map(|d| `${d.project} ${d.release}`))",
            ),
        ]);
        told.stdout
            .trim()
            .trim_matches(['[', ']'])
            .split(", ")
            .filter(|one| !one.is_empty())
            .map(|one| one.trim_matches('"').to_owned())
            .collect()
    }

    fn write(&self, name: &str, text: &str) -> &'static str {
        let file = self.folder.path().join(name);
        fs::write(&file, text).expect("written");
        Box::leak(file.display().to_string().into_boxed_str())
    }
}

/// A run beside us; returns once it has said `until`.
fn beside(ground: &Ground, arguments: &[&str], until: &str) -> (Child, std::thread::JoinHandle<()>) {
    let mut child = Command::new(assert_cmd::cargo::cargo_bin!("octorhai"))
        .args(arguments)
        .current_dir(support::root())
        .env_clear()
        .envs([("OCTOPUS_API_KEY", "API-SANDBOX"), ("OCTOPUS_URL", ground.sandbox.url.as_str()), ("NO_COLOR", "1"), ("TZ", "UTC")])
        .env("OCTORHAI_STATE", ground.folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut told = BufReader::new(child.stderr.take().expect("piped")).lines();
    let mut before = String::new();
    loop {
        let line = told.next().unwrap_or_else(|| panic!("it ended without {until:?}:\n{before}")).expect("a line");
        if line.contains(until) {
            break;
        }
        before = format!("{before}{line}\n");
    }
    // Somebody must read on, or it would stand when the pipe is full.
    (child, std::thread::spawn(move || told.for_each(drop)))
}

#[test]
fn of_two_copies_of_the_train_one_runs_and_the_other_does_what_it_was_told() {
    let ground = Ground::new(&["--speed", "600"]);
    let train = ["run", "scripts/master-project.rhai", "--env", "Test", "--run-id", "first", "--store", "none"];
    let (mut first, reader) = beside(&ground, &train[..4], "started  (ServerTasks-");
    let held = "lock `only one: master-project` is held by run `";

    let busy = ground.run(&["run", "scripts/master-project.rhai", "--env", "Test", "--", "--WhenBusy", "fail"]);
    assert_eq!(busy.code, 6, "{}", busy.stderr);
    assert!(busy.stderr.contains(held) && busy.stderr.contains(", process ") && busy.stderr.contains(" since "), "{}", busy.stderr);

    let skipped = ground.run(&["run", "scripts/master-project.rhai", "--env", "Test", "--", "--WhenBusy", "skip"]);
    assert_eq!(skipped.code, 0, "{}", skipped.stderr);
    assert!(skipped.stderr.contains(&format!("skipped: {held}")), "{}", skipped.stderr);

    let listed = ground.run(&["locks", "list"]).stdout;
    assert!(listed.contains("only one: master-project") && listed.contains(", process "), "{listed}");

    let waited = ground.run(&["run", "scripts/master-project.rhai", "--env", "Test"]);
    assert_eq!(waited.code, 0, "{}", waited.stderr);
    assert!(waited.stderr.contains("waiting for lock `only one: master-project`: held by run `"), "{}", waited.stderr);
    assert!(first.wait().expect("it ends").success());
    reader.join().expect("read to the end");
    assert_eq!(
        ground.deployed(),
        ["Project A 2.0.0", "Project B 2.0.0", "Project C 2.0.0", "Project A 2.0.0", "Project B 2.0.0", "Project C 2.0.0"],
        "one train after the other"
    );
    let listed = ground.run(&["locks", "list"]);
    assert!(listed.stdout.is_empty() && listed.stderr.contains("no lock is held"), "{listed:?}");
}

const LOCKED: &str = "lock(\"shop\", #{wait_up_to: \"20m\"}, || { wait(deploy(\"Project A\", \"latest\", \"Test\")); wait(deploy(\"Project B\", \"latest\", \"Test\")); });\nprint(\"done\");\n";

#[test]
fn a_run_killed_inside_goes_on_inside() {
    let ground = Ground::new(&["--virtual"]);
    let at = ground.dies_inside("night", LOCKED, |ground| !ground.deployed().is_empty());
    let again = ground.named("night", LOCKED, None);
    assert_eq!(again.code, 0, "killed at {at}: {}", again.stderr);
    assert_eq!(ground.deployed(), ["Project A 2.0.0", "Project B 2.0.0"]);
    assert!(ground.run(&["locks", "list"]).stdout.is_empty());
}

#[test]
fn a_run_whose_lock_was_taken_meanwhile_does_nothing_until_it_has_it_again() {
    let ground = Ground::new(&["--virtual"]);
    let at = ground.dies_inside("night", LOCKED, |ground| !ground.deployed().is_empty());

    let told = ground.run(&["locks", "break", "shop", "--reason", "the machine is gone"]);
    assert_eq!(told.code, 2, "{told:?}");
    assert!(told.stderr.contains("two may work at once") && told.stderr.contains("--yes"), "{}", told.stderr);
    let broken = ground.run(&["locks", "break", "shop", "--reason", "the machine is gone", "--yes"]);
    assert_eq!(broken.code, 0, "{broken:?}");
    assert!(broken.stdout.contains("lock `shop` was taken from run `night`"), "{}", broken.stdout);

    let other = "lock(\"shop\", || sleep(\"9h\"));";
    ground.dies_inside("other", other, |_| true);
    let shown = ground.run(&["locks", "show", "shop"]).stdout;
    assert!(shown.contains("run `other`") && shown.contains("the machine is gone") && shown.contains("taken from run `night`"), "{shown}");

    let before = ground.deployed();
    let refused = ground.named("night", LOCKED, None);
    assert_eq!(refused.code, 9, "killed at {at}: {}", refused.stderr);
    assert!(
        refused.stderr.contains("this run held lock `shop` before it was interrupted") && refused.stderr.contains("run `other`"),
        "{}",
        refused.stderr
    );
    assert_eq!(ground.deployed(), before, "nothing was sent");

    assert_eq!(ground.run(&["locks", "break", "shop", "--reason", "test", "--yes"]).code, 0);
    let again = ground.named("night", LOCKED, None);
    assert_eq!(again.code, 0, "{}", again.stderr);
    assert!(again.stderr.contains("lock `shop` was taken by others while the run was away"), "{}", again.stderr);
    assert_eq!(ground.deployed(), ["Project A 2.0.0", "Project B 2.0.0"]);
}

#[test]
fn a_lock_that_is_not_there_is_told_with_the_nearest_name() {
    let ground = Ground::new(&["--virtual"]);
    assert_eq!(ground.named("x", "lock(\"shop-database\", || 1)", None).code, 0);
    let told = ground.run(&["locks", "show", "shop-databse"]);
    assert_eq!(told.code, 1, "{told:?}");
    assert!(told.stderr.contains("did you mean `shop-database`?"), "{}", told.stderr);
    let all = ground.run(&["locks", "list", "--all", "--output", "json"]).stdout;
    assert!(all.contains("\"name\":\"shop-database\"") && all.contains("\"held\":false"), "{all}");
    let typed = ground.run(&["run", "--locks", "stroe", "scripts/master-project.rhai"]);
    assert!(typed.code == 2 && typed.stderr.contains("did you mean `store`?"), "{}", typed.stderr);
}
