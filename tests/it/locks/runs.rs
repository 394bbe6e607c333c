//! Locks between processes: two copies of a script, and runs that are killed while they hold one and go on.

use crate::support::{self, Ran, ground::Ground, shop};
use octorhai::{
    api,
    cancel::Cancel,
    clock::Clock,
    lock::{Register, Swap, octopus::OctopusRegister},
};
use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

/// The binary in the root of the repository; server and folder are the ground's.
fn octorhai(ground: &Ground, arguments: &[&str]) -> Ran {
    let mut command = support::octorhai();
    support::finish(command.envs(surroundings(ground)).args(arguments))
}

fn surroundings(ground: &Ground) -> [(&'static str, String); 3] {
    let state = ground.folder.path().display().to_string();
    [("OCTOPUS_API_KEY", "API-SANDBOX".to_owned()), ("OCTOPUS_URL", ground.sandbox.url.clone()), ("OCTORHAI_STATE", state)]
}

/// Runs a script in virtual time under a name; dies at the given place, if one is given.
fn named(ground: &Ground, name: &str, script: &str, crash_at: Option<u32>) -> Ran {
    ground.write("x.rhai", script);
    let at = crash_at.map(|at| at.to_string());
    let crash: Vec<(&str, &str)> = at.iter().map(|at| ("OCTORHAI_CRASH_AT", at.as_str())).collect();
    ground.run(name, "scripts/x.rhai", &[], &crash)
}

/// Kills the run at one place after the other until what `locks list` says tells that it died inside of its lock.
fn dies_inside(ground: &Ground, name: &str, script: &str, is_enough: impl Fn(&Ground) -> bool) -> u32 {
    for at in 15..90 {
        named(ground, name, script, Some(at));
        if octorhai(ground, &["locks", "list"]).stdout.contains(&format!("run `{name}`")) && is_enough(ground) {
            return at;
        }
    }
    panic!("it never died inside of its lock")
}

/// A run beside us; returns once it has said `until`.
fn beside(ground: &Ground, arguments: &[&str], until: &str) -> (Child, std::thread::JoinHandle<()>) {
    let mut child = Command::new(assert_cmd::cargo::cargo_bin!("octorhai"))
        .args(arguments)
        .current_dir(support::root())
        .env_clear()
        .envs(surroundings(ground))
        .envs([("NO_COLOR", "1"), ("TZ", "UTC")])
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
    let ground = Ground::with_clock(&shop(&[]), &["--speed", "600"]);
    let train = ["run", "scripts/master-project.rhai", "--env", "Test"];
    let (mut first, reader) = beside(&ground, &train, "started  (ServerTasks-");
    let held = "lock `only one: master-project` is held by run `";

    let busy = octorhai(&ground, &["run", "scripts/master-project.rhai", "--env", "Test", "--", "--WhenBusy", "fail"]);
    assert_eq!(busy.code, 6, "{}", busy.stderr);
    assert!(busy.stderr.contains(held) && busy.stderr.contains(", process ") && busy.stderr.contains(" since "), "{}", busy.stderr);

    let skipped = octorhai(&ground, &["run", "scripts/master-project.rhai", "--env", "Test", "--", "--WhenBusy", "skip"]);
    assert_eq!(skipped.code, 0, "{}", skipped.stderr);
    assert!(skipped.stderr.contains(&format!("skipped: {held}")), "{}", skipped.stderr);

    let listed = octorhai(&ground, &["locks", "list"]).stdout;
    assert!(listed.contains("only one: master-project") && listed.contains(", process "), "{listed}");

    let waited = octorhai(&ground, &["run", "scripts/master-project.rhai", "--env", "Test", "--run-id", "patient"]);
    assert_eq!(waited.code, 0, "{}", waited.stderr);
    let shown = octorhai(&ground, &["runs", "show", "patient"]).stdout;
    let why = shown.lines().find(|line| line.contains("  waits ")).unwrap_or_default();
    assert!(why.contains("lock `only one: master-project`") && why.contains("held by run `"), "{shown}");
    assert!(waited.stderr.contains("waiting for lock `only one: master-project`: held by run `"), "{}", waited.stderr);
    assert!(first.wait().expect("it ends").success());
    reader.join().expect("read to the end");
    assert_eq!(
        ground.releases(),
        ["Project A 2.0.0", "Project B 2.0.0", "Project C 2.0.0", "Project A 2.0.0", "Project B 2.0.0", "Project C 2.0.0"],
        "one train after the other"
    );
    let listed = octorhai(&ground, &["locks", "list"]);
    assert!(listed.stdout.is_empty() && listed.stderr.contains("no lock is held"), "{listed:?}");
}

#[test]
fn a_busy_train_is_queued_again_for_later() {
    let ground = Ground::with_clock(&shop(&[]), &["--speed", "600"]);
    ground.write("first.rhai", "lock(\"train\", || { wait(deploy(\"Project A\", \"latest\", \"Test\")); sleep(\"9h\"); });");
    let script = |name: &str| ground.folder.path().join("scripts").join(name).display().to_string();
    let (mut first, reader) = beside(&ground, &["run", &script("first.rhai")], "started  (ServerTasks-");
    ground.write(
        "second.rhai",
        "lock(\"train\", #{on_busy: \"requeue\", requeue_in: \"2h\"}, || deploy(\"Project B\", \"latest\", \"Test\"));",
    );

    // In a sandbox the newest deployment of its world stands for the one whose step runs the script.
    let queued = octorhai(&ground, &["run", &script("second.rhai")]);
    first.kill().expect("it runs");
    first.wait().expect("it ends");
    reader.join().expect("read to the end");
    assert_eq!(queued.code, 7, "{}", queued.stderr);
    assert!(queued.stderr.contains("Project C 1.1.0 → Test is queued again for "), "{}", queued.stderr);
    assert_eq!(ground.releases(), ["Project A 2.0.0", "Project C 1.1.0"], "its own deployment again, and nothing else");
}

const LOCKED: &str = "lock(\"shop\", #{wait_up_to: \"20m\"}, || { wait(deploy(\"Project A\", \"latest\", \"Test\")); wait(deploy(\"Project B\", \"latest\", \"Test\")); });\nprint(\"done\");\n";

#[test]
fn a_run_killed_inside_goes_on_inside() {
    let ground = Ground::new();
    let at = dies_inside(&ground, "night", LOCKED, |ground| !ground.releases().is_empty());
    let again = named(&ground, "night", LOCKED, None);
    assert_eq!(again.code, 0, "killed at {at}: {}", again.stderr);
    assert_eq!(ground.releases(), ["Project A 2.0.0", "Project B 2.0.0"]);
    assert!(octorhai(&ground, &["locks", "list"]).stdout.is_empty());
}

/// Makes the holder of a lock one of another machine, of which nothing is known here.
fn is_elsewhere(ground: &Ground, lock: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let key = api::Credential::api_key(&ground.sandbox.url, "API-SANDBOX").expect("a credential");
        let settings = api::Settings::new(key, Clock::real(), Cancel::new());
        let space = api::Client::new(settings).expect("a client").space(None).await.expect("a space");
        let register = OctopusRegister::new(space, jiff::SignedDuration::ZERO);
        let name = format!("lock/{lock}");
        let found = register.read(&name).await.expect("an answer");
        let mut record = found.value.expect("a record");
        record["owners"][0]["identity"]["boot"] = "another".into();
        assert_eq!(register.swap(&name, found.version, &record).await.expect("an answer"), Swap::Done);
    });
}

#[test]
fn a_run_whose_lock_was_taken_meanwhile_does_nothing_until_it_has_it_again() {
    let ground = Ground::new();
    let at = dies_inside(&ground, "night", LOCKED, |ground| !ground.releases().is_empty());

    let told = octorhai(&ground, &["locks", "break", "shop", "--reason", "the machine is gone"]);
    assert_eq!(told.code, 2, "{told:?}");
    assert!(told.stderr.contains("the holder is gone") && told.stderr.contains("--yes"), "{}", told.stderr);
    let broken = octorhai(&ground, &["locks", "break", "shop", "--reason", "the machine is gone", "--yes"]);
    assert_eq!(broken.code, 0, "{broken:?}");
    assert!(broken.stdout.contains("lock `shop` was taken from run `night`"), "{}", broken.stdout);

    let other = "lock(\"shop\", || sleep(\"9h\"));";
    dies_inside(&ground, "other", other, |_| true);
    is_elsewhere(&ground, "shop");
    let risk = octorhai(&ground, &["locks", "break", "shop", "--reason", "test"]);
    assert!(risk.stderr.contains("two may work at once") && risk.stderr.contains("--yes"), "{}", risk.stderr);
    let shown = octorhai(&ground, &["locks", "show", "shop"]).stdout;
    assert!(shown.contains("run `other`") && shown.contains("the machine is gone") && shown.contains("taken from run `night`"), "{shown}");

    let before = ground.releases();
    let refused = named(&ground, "night", LOCKED, None);
    assert_eq!(refused.code, 9, "killed at {at}: {}", refused.stderr);
    assert!(
        refused.stderr.contains("this run held lock `shop` before it was interrupted") && refused.stderr.contains("run `other`"),
        "{}",
        refused.stderr
    );
    assert_eq!(ground.releases(), before, "nothing was sent");

    assert_eq!(octorhai(&ground, &["locks", "break", "shop", "--reason", "test", "--yes"]).code, 0);
    let again = named(&ground, "night", LOCKED, None);
    assert_eq!(again.code, 0, "{}", again.stderr);
    assert!(again.stderr.contains("lock `shop` was taken by others while the run was away"), "{}", again.stderr);
    assert_eq!(ground.releases(), ["Project A 2.0.0", "Project B 2.0.0"]);
}

#[test]
fn a_lock_that_is_not_there_is_told_with_the_nearest_name() {
    let ground = Ground::new();
    assert_eq!(named(&ground, "x", "lock(\"shop-database\", || 1)", None).code, 0);
    let told = octorhai(&ground, &["locks", "show", "shop-databse"]);
    assert_eq!(told.code, 1, "{told:?}");
    assert!(told.stderr.contains("did you mean `shop-database`?"), "{}", told.stderr);
    let all = octorhai(&ground, &["locks", "list", "--all", "--output", "json"]).stdout;
    assert!(all.contains("\"name\":\"shop-database\"") && all.contains("\"held\":false"), "{all}");
    let typed = octorhai(&ground, &["run", "--locks", "stroe", "scripts/master-project.rhai"]);
    assert!(typed.code == 2 && typed.stderr.contains("did you mean `store`?"), "{}", typed.stderr);
}
