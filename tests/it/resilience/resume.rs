//! Runs that are killed, put down, refused and continued, each with the binary against a sandbox in a process of its own.

use crate::support::{self, Ran, octorhai, standalone::Standalone};
use octorhai::journal::{self, Holder, RunState};
use serde_json::Value;
use std::{fmt::Write as _, fs, path::Path};
use tempfile::TempDir;

/// A sandbox in virtual time, and a folder for scripts and journal.
pub(super) struct Ground {
    sandbox: Standalone,
    folder: TempDir,
}

impl Ground {
    pub(super) fn new(world: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("world.toml");
        fs::write(&file, world).expect("written");
        let sandbox = Standalone::start(&file.display().to_string(), &["--virtual"]);
        support::measured(folder.path(), &sandbox.url);
        Self { sandbox, folder }
    }

    pub(super) fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    pub(super) fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.path().join(name), text).expect("written");
    }

    /// Runs the script under the name `night`; dies at the given place, if one is given.
    pub(super) fn run(&self, script: &str, crash_at: Option<u32>, arguments: &[&str]) -> Ran {
        self.run_in("journal", script, crash_at, arguments)
    }

    fn run_in(&self, journal: &str, script: &str, crash_at: Option<u32>, arguments: &[&str]) -> Ran {
        self.run_with("API-SANDBOX", journal, script, crash_at, arguments)
    }

    fn run_with(&self, key: &str, journal: &str, script: &str, crash_at: Option<u32>, arguments: &[&str]) -> Ran {
        let mut command = octorhai();
        command.args(["run", "--server", &self.sandbox.url, "--virtual-time", "--store", &self.path(journal)]);
        command.args(["--run-id", "night", "--env", "Test"]).arg(script).args(arguments).env("OCTOPUS_API_KEY", key);
        command.env("OCTORHAI_STATE", self.folder.path());
        if let Some(at) = crash_at {
            command.env("OCTORHAI_CRASH_AT", at.to_string());
        }
        support::finish(&mut command)
    }

    fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let clock = octorhai::clock::Clock::real();
            let settings =
                octorhai::api::Settings::new(support::ground::known_key(&self.sandbox.url), clock, octorhai::cancel::Cancel::new());
            let client = octorhai::api::Client::new(settings).expect("a client");
            client.raw(method, path, Some(body)).await.expect("an answer")
        })
    }

    pub(super) fn state(&self) -> Value {
        self.ask("GET", "/sandbox/state", &Value::Null)
    }

    /// Projects and releases in the order they were deployed, without what was there before, with the end of each.
    fn deployed(&self) -> Vec<String> {
        let state = self.state();
        let all = state["deployments"].as_array().expect("a list").iter().filter(|d| d["history"] != true);
        all.map(|d| format!("{} {} {}", d["project"], d["release"], d["state"]).replace('"', "")).collect()
    }
}

fn shop() -> String {
    octorhai::sandbox::World::builtin_toml("shop").expect("a built-in world")
}

const SCRIPT: &str =
    "import \"more\" as more;\nlet to = param(\"To\", \"1.0.0\");\nmore::first(to);\nwait(deploy(\"Project B\", \"latest\", \"Test\"));\n";
const MODULE: &str = "fn first(to) { wait(deploy(\"Project A\", \"latest\", \"Test\")); }\n";

/// A run that was killed after its first deployment.
fn killed() -> Ground {
    let ground = Ground::new(&shop());
    ground.write("night.rhai", SCRIPT);
    ground.write("more.rhai", MODULE);
    for at in (1..).step_by(4) {
        let ran = ground.run(&ground.path("night.rhai"), Some(at), &[]);
        assert_eq!(ran.code, -1, "it ended before it was killed: {}", ran.stderr);
        if !ground.deployed().is_empty() {
            return ground;
        }
    }
    unreachable!("it never deployed")
}

fn refused(ground: &Ground, arguments: &[&str], wanted: &[&str]) {
    let before = ground.deployed();
    let ran = ground.run(&ground.path("night.rhai"), None, arguments);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    for part in wanted {
        assert!(ran.stderr.contains(part), "{part:?} is not in\n{}", ran.stderr);
    }
    assert_eq!(ground.deployed(), before);
}

#[test]
fn a_killed_run_goes_on_and_an_ended_one_is_not_done_again() {
    let ground = killed();
    let ran = ground.run(&ground.path("night.rhai"), None, &[]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stderr.contains("continuing run `night`"), "{}", ran.stderr);
    let wanted = ["Project A 2.0.0 Success", "Project B 2.0.0 Success"];
    assert_eq!(ground.deployed(), wanted);
    let again = ground.run(&ground.path("night.rhai"), None, &[]);
    assert_eq!(again.code, 0, "{}", again.stderr);
    assert!(again.stderr.contains("nothing is done again"), "{}", again.stderr);
    assert_eq!(ground.deployed(), wanted);
    assert_eq!(ground.run(&ground.path("night.rhai"), None, &["--anew"]).code, 0);
    assert_eq!(ground.deployed().len(), 4);
}

#[test]
fn what_was_changed_is_named_and_nothing_is_sent() {
    let ground = killed();
    ground.write("night.rhai", &SCRIPT.replace("Project B", "Project C"));
    refused(
        &ground,
        &[],
        &["the script", "line 4 was `wait(deploy(\"Project B\"", "and is `wait(deploy(\"Project C\"", "nothing was sent"],
    );
    ground.write("night.rhai", SCRIPT);
    ground.write("more.rhai", &format!("// new\n{MODULE}"));
    refused(&ground, &[], &["the module", "more.rhai", "line 1 was `fn first(to)"]);
    ground.write("more.rhai", MODULE);
    refused(&ground, &["--To", "2.0.0"], &["parameter `To` was not given, and is `2.0.0` now"]);
    // Put back as it was, it goes on.
    assert_eq!(ground.run(&ground.path("night.rhai"), None, &[]).code, 0);
    assert_eq!(ground.deployed().len(), 2);
}

#[test]
fn a_missing_module_is_named() {
    let ground = killed();
    fs::remove_file(ground.folder.path().join("more.rhai")).expect("it was there");
    let before = ground.deployed();
    let ran = ground.run(&ground.path("night.rhai"), None, &[]);
    assert!(ran.code == 2 && ran.stderr.contains("more"), "{} {}", ran.code, ran.stderr);
    assert_eq!(ground.deployed(), before);
}

#[test]
fn a_newer_or_damaged_journal_is_refused() {
    let ground = killed();
    let file = journal_file(Path::new(&ground.path("journal")));
    let intact = fs::read(&file).expect("readable");
    let connection = rusqlite::Connection::open(&file).expect("opened");
    connection.pragma_update(None, "user_version", 99).expect("set");
    drop(connection);
    refused(&ground, &[], &["99", "format"]);
    fs::write(&file, &intact[..intact.len() / 2]).expect("written");
    refused(&ground, &[], &["damaged"]);
    fs::write(&file, "this is no database, and never was one, however long one looks at it").expect("written");
    refused(&ground, &[], &["journal"]);
}

fn journal_file(folder: &Path) -> std::path::PathBuf {
    folder.join("runs.sqlite")
}

#[test]
fn a_call_that_differs_from_the_record_stops_with_both_sides() {
    let ground = killed();
    let store = journal::open(&ground.path("journal")).expect("opened");
    let run = store.run("night").expect("read").expect("there");
    let mut steps = store.steps("night").expect("read");
    // The same run in another journal, with a first call that was another one.
    steps[0].kind = "projects".to_owned();
    let other = journal::open(&ground.path("other")).expect("opened");
    let holder = Holder { nonce: "1".into(), host: "here".into(), pid: 1, mode: Value::Null, identity: None };
    other.claim(&run.new, &holder).expect("claimed");
    other.write("night", &holder, &steps).expect("written");
    let state = RunState::Stopped { exit_code: 10, reason: "away".into() };
    other.put_down("night", &holder, &state, run.updated).expect("written");
    drop(other);
    let before = ground.deployed();
    let ran = ground.run_in("other", &ground.path("night.rhai"), None, &[]);
    assert_eq!(ran.code, 8, "{}", ran.stderr);
    assert!(ran.stderr.contains("was `projects") && ran.stderr.contains("and is `deploy"), "{}", ran.stderr);
    assert_eq!(ground.deployed(), before);
}

#[test]
fn a_long_wait_is_put_down_and_goes_on_when_it_is_due() {
    let ground = Ground::new(&shop());
    ground
        .write("night.rhai", "print(\"before\");\nsleep(\"2h\");\nwait(deploy(\"Project A\", \"latest\", \"Test\"));\nprint(\"after\");\n");
    let script = ground.path("night.rhai");
    let ran = ground.run(&script, None, &["--suspend"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (7, "before\n"), "{}", ran.stderr);
    assert!(ran.stderr.contains("put down until 2026-03-02 10:00:00"), "{}", ran.stderr);
    ground.ask("POST", "/sandbox/advance", &serde_json::json!({"by": "2h"}));
    let ran = ground.run(&script, None, &[]);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "after\n"), "{}", ran.stderr);
    assert_eq!(ground.deployed(), ["Project A 2.0.0 Success"]);
}

#[test]
fn an_undo_that_was_killed_goes_on() {
    let master = support::root().join("scripts/master-project.rhai").display().to_string();
    let world = support::shop_where_c_fails();
    let undisturbed = Ground::new(&world);
    let ran = undisturbed.run(&master, None, &[]);
    assert_eq!(ran.code, 5, "{}", ran.stderr);
    let wanted = undisturbed.deployed();
    assert!(wanted.iter().any(|d| d.starts_with("Project A 1")), "{wanted:?}");
    let mut killed = 0;
    // A few places: the crash tests take all of them.
    for at in (40..).step_by(331) {
        let ground = Ground::new(&world);
        if ground.run(&master, Some(at), &[]).code != -1 {
            break;
        }
        killed += 1;
        let ran = ground.run(&master, None, &[]);
        assert_eq!((ran.code, ground.deployed()), (5, wanted.clone()), "killed at {at}: {}", ran.stderr);
    }
    assert!(killed >= 3, "only {killed} kills");
}

/// Two branches on one saga inside of a lock, every fourth request turned away: killed anywhere, it ends as if nothing had happened.
#[test]
fn branches_that_share_a_value_go_on_after_a_kill() {
    let mut world = shop();
    for nth in (3..200).step_by(4) {
        let _ = write!(world, "\n[[faults]]\nmatch = \"* /api/*\"\nnth = {nth}\naction = \"status=429\"\nretry_after = 1\n");
    }
    let script =
        "lock(\"shop\", || saga(|s| {\n    parallel([\"Project A\", \"Project B\"], |p| wait(s.deploy(p, \"2.0.0\", \"Test\")));\n}));\n";
    let mut kills = 0;
    for at in (9..).step_by(13) {
        let ground = Ground::new(&world);
        ground.write("night.rhai", script);
        let first = ground.run(&ground.path("night.rhai"), Some(at), &[]);
        if first.code == 0 {
            break;
        }
        assert_eq!(first.code, -1, "it ended before it was killed at {at}: {}", first.stderr);
        kills += 1;
        let second = ground.run(&ground.path("night.rhai"), None, &[]);
        assert_eq!(second.code, 0, "killed at {at}: {}\n{}", first.stderr, second.stderr);
        let mut deployed = ground.deployed();
        deployed.sort();
        assert_eq!(deployed, ["Project A 2.0.0 Success", "Project B 2.0.0 Success"], "killed at {at}: {}", second.stderr);
    }
    assert!(kills >= 8, "only {kills}");
}

/// What a block waits for at its end, and what an undo compares and puts back, come to the same after a kill anywhere.
#[test]
fn undo_and_end_of_a_block_go_on_after_a_kill() {
    let script = r#"
        lock("shop", || deploy("Project C", "2.0.0", "Test"));
        saga(|s| {
            wait(s.deploy("Project A", "2.0.0", "Test"));
            s.deploy("Project B", "2.0.0", "Test");
            sleep("5m");
            throw "text";
        });
    "#;
    let wanted = [
        "Project C 2.0.0 Success",
        "Project A 2.0.0 Success",
        "Project B 2.0.0 Canceled",
        "Project B 1.1.0 Success",
        "Project A 1.1.0 Success",
    ];
    let mut kills = 0;
    for at in (5..).step_by(11) {
        let ground = Ground::new(&shop());
        ground.write("night.rhai", script);
        let first = ground.run(&ground.path("night.rhai"), Some(at), &[]);
        if first.code == 1 {
            assert_eq!(ground.deployed(), wanted);
            break;
        }
        assert_eq!(first.code, -1, "it ended before it was killed at {at}: {}", first.stderr);
        kills += 1;
        let second = ground.run(&ground.path("night.rhai"), None, &[]);
        let back = "undone: Project B is back on 1.1.0 in Test, Project A is back on 1.1.0 in Test";
        assert!(second.code == 1 && second.stderr.contains(back), "killed at {at}: {}\n{}", first.stderr, second.stderr);
        assert_eq!(ground.deployed(), wanted, "killed at {at}: {}", second.stderr);
    }
    assert!(kills >= 8, "only {kills}");
}

#[test]
fn a_key_that_expired_is_no_outcome_whatever_was_around_it() {
    let world = format!(
        "{}\n[[users]]\nname = \"robot\"\nkeys = [\n  {{ key = \"API-SHORT\", purpose = \"an hour\", \
         expires = \"2026-03-02T08:30:00Z\" }},\n  {{ key = \"API-NEXT\", purpose = \"the next\" }},\n]\n",
        shop()
    );
    for around in ["ACT", "attempt(|| { ACT });", "try { ACT } catch { print(1); }", "retry(3, || { ACT });", "saga(|s| { ACT });"] {
        let ground = Ground::new(&world);
        let act = "wait(deploy(\"Project A\", \"latest\", \"Test\"));";
        ground.write(
            "x.rhai",
            &format!("wait(deploy(\"Project B\", \"latest\", \"Test\")); sleep(\"1h\"); {} print(\"done\");", around.replace("ACT", act)),
        );
        let script = ground.path("x.rhai");
        let first = ground.run_with("API-SHORT", "journal", &script, None, &[]);
        assert_eq!((first.code, first.stdout.as_str()), (2, ""), "{around}: {}", first.stderr);
        assert_eq!(ground.deployed(), ["Project B 2.0.0 Success"], "{around}");
        let second = ground.run_with("API-NEXT", "journal", &script, None, &[]);
        assert_eq!((second.code, second.stdout.trim()), (0, "done"), "{around}: {}", second.stderr);
        assert_eq!(ground.deployed(), ["Project B 2.0.0 Success", "Project A 2.0.0 Success"], "{around}");
    }
}

#[test]
fn run_that_waits_beside_a_recurring_freeze_keeps_its_minute_when_it_is_resumed() {
    let freeze = "\n[[freezes]]\nname = \"Month end\"\nfrom = \"0s\"\nfor = \"4h\"\nevery = \"day\"\nenvironments = [\"Production\"]\n";
    let ground = Ground::new(&(shop() + freeze));
    ground.write("night.rhai", "wait(deploy(\"Project A\", \"1.1.0\", \"Production\", #{begin: \"next allowed\"}));");
    let ran = ground.run(&ground.path("night.rhai"), None, &["--suspend"]);
    assert_eq!(ran.code, 7, "{}", ran.stderr);
    assert!(ran.stderr.contains("Project A 1.1.0 → Production: begins Mon 12:00, after freeze \"Month end\""), "{}", ran.stderr);
    // It may begin sooner now: what was chosen stands all the same.
    ground.ask("DELETE", "/api/deploymentfreezes/DeploymentFreezes-1", &Value::Null);
    let ran = ground.run(&ground.path("night.rhai"), None, &[]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let state = ground.state();
    let all: Vec<&Value> = state["deployments"].as_array().expect("a list").iter().filter(|d| d["history"] != true).collect();
    assert_eq!(all.len(), 1);
    assert!(all[0]["started"].as_str().expect("a time").starts_with("2026-03-02T12:00:01"), "{}", all[0]);
}
