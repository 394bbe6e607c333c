//! What `octorhai doctor` measured decides what a run does in doubt, and every report of a run says so.

use crate::support::{self, Ran, finish, octorhai, simulate, standalone::Standalone};
use octorhai::{
    api::{Client, Credential, Settings},
    cancel::Cancel,
    clock::Clock,
    doctor::{self, Patient},
    sandbox::World,
};
use serde_json::Value;
use std::fs;
use tempfile::TempDir;

/// The first request for a deployment is lost on the way.
const SCRIPT: &str = r#"
    post("~/sandbox/faults", #{"match": "POST */deployments", nth: 1, action: "reset"});
    let t = deploy("Project A", "latest", "Test");
    wait(t);
    print(t.state);
"#;

/// A sandbox in virtual time, and the folder in which this user's programs remember things.
struct Ground {
    sandbox: Standalone,
    folder: TempDir,
}

impl Ground {
    /// The built-in world with a line at its top.
    fn new(first: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let world = folder.path().join("world.toml");
        fs::write(&world, format!("{first}\n{}", World::builtin_toml("shop").expect("a built-in world"))).expect("written");
        fs::write(folder.path().join("night.rhai"), SCRIPT).expect("written");
        Self { sandbox: Standalone::start(&world.display().to_string(), &["--virtual"]), folder }
    }

    /// What `octorhai doctor` does, on the sandbox's clock.
    fn measure(&self) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
        let report = runtime.block_on(async {
            let login = Credential::api_key(&self.sandbox.url, "API-SANDBOX").expect("a credential");
            let connect = |clock| Settings::new(login.clone(), clock, Cancel::new());
            let said = Client::new(connect(Clock::real())).expect("a client").get("/sandbox/clock").await.expect("a time");
            let clock = Clock::virtual_at(said["now"].as_str().expect("a time").parse().expect("a time"));
            let _busy = clock.enter();
            let settings = connect(clock.clone());
            let space = Client::new(settings.clone()).expect("a client").space(None).await.expect("a space");
            let login = |key: &str| {
                let credential = settings.credential.with_key_of_the_same_server(key)?;
                Client::new(Settings { credential, ..settings.clone() })
            };
            let place = Some(("Project B".to_owned(), "Development".to_owned()));
            doctor::examine(&Patient { space, login: &login, place, rounds: 3 }).await.expect("a report")
        });
        doctor::remember(&self.folder.path().join("doctor.json"), &report).expect("kept");
    }

    fn command(&self, arguments: &[&str]) -> Ran {
        let mut command = octorhai();
        command.args(arguments).env("OCTORHAI_STATE", self.folder.path()).env("OCTOPUS_API_KEY", "API-SANDBOX");
        finish(&mut command)
    }

    fn run(&self, more: &[&str]) -> Ran {
        let script = self.folder.path().join("night.rhai").display().to_string();
        let run = ["run", "--server", &self.sandbox.url, "--virtual-time", "--run-id", "night", &script];
        self.command(&[&run, more].concat())
    }

    fn shown(&self) -> (String, Value) {
        let text = self.command(&["runs", "show", "night"]);
        let json = self.command(&["runs", "show", "night", "--output", "json"]);
        (text.stdout, serde_json::from_str(&json.stdout).expect("JSON"))
    }
}

#[test]
fn a_server_that_keeps_to_deadlines_is_asked_again_once_it_is_too_late_for_the_first() {
    let ground = Ground::new("");
    ground.measure();
    let ran = ground.run(&[]);
    assert_eq!((ran.code, ran.stdout.trim()), (0, "Success"), "{}", ran.stderr);
    let mode = "mode: a create in doubt is sent again once it has expired, locks settle 0s and drain 30s (measured 2026-03-02)";
    assert!(ran.stderr.contains(mode), "{}", ran.stderr);
    let (text, json) = ground.shown();
    assert!(text.contains("is sent again once it has expired") && text.contains("(measured 2026-03-02)"), "{text}");
    assert_eq!((&json["mode"]["create_mode"], &json["mode"]["basis"]), (&"expiry".into(), &"measured".into()), "{json}");
}

#[test]
fn what_was_not_measured_or_found_wanting_stops_a_run_in_doubt() {
    for (world, measured) in [("", false), ("start_deadlines = \"ignored\"", true), ("start_deadlines = \"dropped\"", true)] {
        let ground = Ground::new(world);
        if measured {
            ground.measure();
        }
        let ran = ground.run(&[]);
        assert_eq!((ran.code, ran.stdout.as_str()), (8, ""), "{world}: {}", ran.stderr);
        assert!(ran.stderr.contains("this server is not known to keep to that"), "{world}: {}", ran.stderr);
        let basis = if measured { "(measured 2026-03-02)" } else { "(assumed: not measured by octorhai doctor)" };
        let (text, json) = ground.shown();
        for shown in [&ran.stderr, &text] {
            assert!(shown.contains("a create in doubt stops the run") && shown.contains(basis), "{world}: {shown}");
        }
        assert_eq!(json["mode"]["create_mode"], "stop", "{world}: {json}");
    }
}

#[test]
fn a_doubt_that_stopped_a_run_settles_itself_once_the_server_was_measured() {
    let ground = Ground::new("");
    assert_eq!(ground.run(&[]).code, 8);
    ground.measure();
    let ran = ground.run(&["--output", "json"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let last: Value = serde_json::from_str(ran.stdout.lines().last().expect("a line")).expect("JSON");
    assert_eq!((&last["event"], &last["mode"]["basis"]), (&"run_ended".into(), &"measured".into()), "{last}");
    let (text, _) = ground.shown();
    assert!(text.contains("(measured 2026-03-02)"), "{text}");
}

#[test]
fn a_version_check_with_a_gap_and_a_key_that_works_on_make_locks_slower() {
    let ground = Ground::new("racy_variables = \"1s\"\nkey_cache = \"40s\"");
    ground.measure();
    fs::write(ground.folder.path().join("night.rhai"), "print(1);").expect("written");
    let ran = ground.run(&[]);
    assert!(ran.stderr.contains("locks settle 2s and drain 1m 10s (measured 2026-03-02)"), "{}", ran.stderr);
}

#[test]
fn a_simulated_server_is_known_by_its_world() {
    let lost = "[[faults]]\nmatch = \"POST */deployments\"\nnth = 1\naction = \"reset\"\n";
    let script = r#"wait(deploy("Project A", "latest", "Test", #{expires: "5m"}))"#;
    for (first, code, mode) in [("", 0, "expiry"), ("start_deadlines = \"ignored\"", 8, "stop")] {
        let ran = simulate(&format!("{first}\n{}\n{lost}", support::shop(&[])), script);
        assert_eq!(ran.outcome.exit_code, code, "{first}: {}", ran.error());
        let said = ran.outcome.mode.expect("a mode").json();
        assert_eq!((&said["create_mode"], &said["basis"]), (&mode.into(), &"world".into()));
    }
}
