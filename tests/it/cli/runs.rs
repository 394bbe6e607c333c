//! `octorhai runs` as a user meets it, over a journal that was filled through the library.

use crate::support::{Ran, finish, ground::Ground, octorhai};
use jiff::{Timestamp, ToSpan};
use octorhai::journal::{self, Holder, Journal, NewRun, RunState, Step, StepState};
use serde_json::{Value, json};
use tempfile::TempDir;

fn at(seconds: i64) -> Timestamp {
    "2026-03-02T10:00:00Z".parse::<Timestamp>().expect("a time") + seconds.seconds()
}

fn holder() -> Holder {
    Holder { nonce: "n".into(), host: "build-1".into(), pid: 42, mode: Value::Null, identity: None }
}

fn begin(store: &Journal, name: &str) {
    let new = NewRun {
        name: name.into(),
        mark: format!("m-{name}"),
        script: "scripts/ship.rhai".into(),
        sources: vec![("scripts/ship.rhai".into(), "1".into())],
        params: json!({ "version": "2.1.0", "token": { "secret": "9f86d081884c7d65" } }),
        target: json!({ "server": "http://octopus.example", "environment": "Production", "tenant": null }),
        options: Value::Null,
        begun_for: journal::BegunFor::default(),
        engine: "0.1.0".into(),
        created: at(0),
    };
    store.claim(&new, &holder()).expect("a claim");
}

fn step(
    path: &str,
    kind: &str,
    arguments: Value,
    state: StepState,
    (intent, outcome): (Value, Value),
    began: i64,
    took: Option<i64>,
) -> Step {
    let ended = took.map(|took| at(began + took));
    Step { path: path.into(), kind: kind.into(), arguments, state, intent, outcome: outcome.into(), began: at(began), ended }
}

/// One run of each state; `nightly` has steps.
fn filled() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let store = journal::open(folder.path().to_str().expect("a path")).expect("a store");
    begin(&store, "nightly");
    let url = "http://octopus.example/app#/Spaces-1/tasks/ServerTasks-7";
    let steps = [
        step("1", "dashboard", json!({ "project": "A" }), StepState::Done, (Value::Null, json!({ "version": "2.0.0" })), 1, Some(0)),
        step(
            "2",
            "deploy",
            json!({ "project": "A", "version": "2.1.0" }),
            StepState::Done,
            (json!({ "mark": "m" }), json!({ "task": "ServerTasks-7", "url": url })),
            2,
            Some(1),
        ),
        step(
            "3",
            "wait",
            json!({ "task": "ServerTasks-7" }),
            StepState::Failed,
            (
                json!({ "waits": [{"at": at(5).to_string(), "title": "A 2.1.0 → Test", "why": "waits for approval by QA", "url": url}] }),
                json!({ "kind": "timeout", "message": "nobody\napproved" }),
            ),
            4,
            Some(3700),
        ),
        step("4", "mail", json!({ "to": "a@example.com" }), StepState::Intent, (json!({}), Value::Null), 90_000, None),
    ];
    store.write("nightly", &holder(), &steps).expect("a write");
    let states = [
        ("done", RunState::Succeeded { result: json!({ "deployed": 3 }) }),
        ("broken", RunState::Failed { exit_code: 5, reason: "Deploy A 2.1.0 to Production failed".into() }),
        ("doubtful", RunState::Stopped { exit_code: 8, reason: "deploy at 2 is in doubt".into() }),
        ("asleep", RunState::Suspended { due: at(7200), reason: "waits for 12:00".into() }),
    ];
    for (name, state) in states {
        begin(&store, name);
        store.put_down(name, &holder(), &state, at(60)).expect("an end");
    }
    folder
}

fn runs(folder: &TempDir, arguments: &[&str]) -> Ran {
    finish(octorhai().env("OCTORHAI_STORE", folder.path()).arg("runs").args(arguments))
}

#[test]
fn list_is_a_table_with_the_newest_first() {
    let folder = filled();
    let ran = runs(&folder, &["list"]);
    assert_eq!(
        (ran.code, ran.stdout.as_str(), ran.stderr.as_str()),
        (
            0,
            "NAME      STATE        SCRIPT             STARTED              UPDATED              STEPS  WHY
asleep    Suspended    scripts/ship.rhai  2026-03-02 10:00:00  2026-03-02 10:01:00  0      due 2026-03-02 12:00:00: waits for 12:00
doubtful  Stopped      scripts/ship.rhai  2026-03-02 10:00:00  2026-03-02 10:01:00  0      deploy at 2 is in doubt
broken    Failed       scripts/ship.rhai  2026-03-02 10:00:00  2026-03-02 10:01:00  0      Deploy A 2.1.0 to Production failed
done      Succeeded    scripts/ship.rhai  2026-03-02 10:00:00  2026-03-02 10:01:00  0
nightly   Interrupted  scripts/ship.rhai  2026-03-02 10:00:00  2026-03-03 11:00:00  4
",
            ""
        )
    );
    let ran = runs(&folder, &["list", "--unfinished", "--limit", "1"]);
    assert!(ran.stdout.lines().count() == 2 && ran.stderr.contains("--limit 0"), "{ran:?}");
    let ran = runs(&folder, &["list", "--output", "json", "--unfinished"]);
    let found: Vec<Value> = ran.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(found.len(), 3);
    assert_eq!(
        (&found[0]["name"], &found[0]["due"], &found[1]["exit_code"]),
        (&json!("asleep"), &json!("2026-03-02T12:00:00Z"), &json!(8))
    );
    let empty = tempfile::tempdir().expect("a folder");
    let ran = runs(&empty, &["list"]);
    assert!(ran.code == 0 && ran.stdout.is_empty() && ran.stderr.contains("no runs in"), "{ran:?}");
}

#[test]
fn show_tells_all_steps_and_how_to_go_on() {
    let folder = filled();
    let ran = runs(&folder, &["show", "nightly"]);
    assert_eq!(
        (ran.code, ran.stdout.as_str()),
        (
            0,
            "run         nightly
state       Interrupted
script      scripts/ship.rhai
parameters  version = 2.1.0
            token = ***
on          server = http://octopus.example
            environment = Production
begun       2026-03-02 10:00:00 UTC
updated     2026-03-03 11:00:00
attempts    1
holder      process 42 on build-1: left
octorhai    0.1.0
mark        m-nightly

Mon 2026-03-02  10:00:01  1  dashboard  project=A                0s     version=2.0.0
                10:00:02  2  deploy     project=A version=2.1.0  1s     task=ServerTasks-7 url=http://octopus.example/app#/Spaces-1/tasks/ServerTasks-7
                10:00:04  3  wait       task=ServerTasks-7       1h 1m  failed: nobody approved
                10:00:05       waits    A 2.1.0 → Test                  waits for approval by QA  http://octopus.example/app#/Spaces-1/tasks/ServerTasks-7
Tue 2026-03-03  11:00:00  4  mail       to=a@example.com                no outcome known

its process is gone: `octorhai runs resume nightly` goes on where it was
"
        ),
        "{ran:?}"
    );
    let ran = runs(&folder, &["show", "broken"]);
    assert!(ran.stdout.contains("why         Deploy A 2.1.0 to Production failed\nexit code   5\n"), "{ran:?}");
    let ran = runs(&folder, &["show", "nightly", "--output", "json"]);
    let whole: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_eq!((whole["timeline"].as_array().map(Vec::len), &whole["parameters"]["token"]), (Some(4), &json!("***")));
    assert!(!ran.stdout.contains("9f86d081884c7d65"));
}

#[test]
fn show_names_what_a_run_did_and_links_to_it() {
    let ground = Ground::new();
    ground.write("x.rhai", "wait(deploy(\"Project A\", \"latest\", \"Test\"));\ncancel(deploy(\"Project B\", \"latest\", \"Test\"));\nlatest(\"Project A\");\n");
    assert_eq!(ground.run("x", "scripts/x.rhai", &[], &[]).code, 0);
    let shown = ground.octorhai(&["runs", "show", "x"], &[]).stdout;
    let url = &ground.sandbox.url;
    let lines = [
        format!(
            "release=2.0.0 environment=Test  0s  Project A 2.0.0 → Test (ServerTasks-19)  {url}/app#/Spaces-1/deployments/Deployments-19"
        ),
        format!("Deploy Project A release 2.0.0 to Test (ServerTasks-19): Success  {url}/app#/Spaces-1/tasks/ServerTasks-19"),
        format!("cancel ServerTasks-20 0s {url}/app#/tasks/ServerTasks-20"),
        "latest Project A 0s 2 answers".to_owned(),
    ];
    let blanks = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    for line in lines {
        assert!(blanks(&shown).contains(&blanks(&line)), "{line}\n is not in\n{shown}");
    }
}

#[test]
fn show_says_why_a_run_waited() {
    let ground = Ground::new();
    ground.write(
        "x.rhai",
        r#"
        wait(deploy("Project A", "latest", "Test", #{at: now() + 1.hours}), #{timeout: "3h"});
        wait_step(deploy("Project B", "latest", "Test"), 2);
        "#,
    );
    assert_eq!(ground.run("x", "scripts/x.rhai", &[], &[]).code, 0);
    let shown = ground.octorhai(&["runs", "show", "x"], &[]).stdout;
    let link = format!("{}/app#/Spaces-1/tasks/ServerTasks-20", ground.sandbox.url);
    let lines = [
        "waits Project A 2.0.0 → Test scheduled for 2026-03-02 09:00:00 UTC".to_owned(),
        format!("waits step 2 of Project B 2.0.0 → Test not done yet {link}"),
    ];
    let blanks = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    for line in lines {
        assert!(blanks(&shown).contains(&line), "{line}\n is not in\n{shown}");
    }
    // A step that takes minutes is looked at every ten seconds.
    assert!(shown.contains(" more\n") && shown.lines().count() < 45, "{shown}");
}

#[test]
fn a_mistyped_name_gets_a_suggestion() {
    let folder = filled();
    for arguments in [&["show", "nihgtly"][..], &["cancel", "nihgtly"]] {
        let ran = runs(&folder, arguments);
        assert!(
            ran.code == 1 && ran.stderr.contains("there is no run `nihgtly`") && ran.stderr.contains("did you mean `nightly`?"),
            "{ran:?}"
        );
    }
    let ran = runs(&folder, &["lits"]);
    assert!(ran.code == 2 && ran.stderr.contains("list"), "{ran:?}");
}

#[test]
fn cancel_ends_what_nobody_works_on_and_asks_who_works() {
    let folder = filled();
    let ran = runs(&folder, &["cancel", "nightly", "asleep"]);
    assert!(ran.code == 0 && ran.stderr.contains("cancelled `nightly`") && ran.stderr.contains("cancelled `asleep`"), "{ran:?}");
    assert!(runs(&folder, &["show", "nightly"]).stdout.contains("state       Cancelled"));
    let ran = runs(&folder, &["cancel", "done"]);
    assert!(ran.code == 2 && ran.stderr.contains("has ended already: Succeeded"), "{ran:?}");
    // This process holds it.
    let store = journal::open(folder.path().to_str().expect("a path")).expect("a store");
    begin(&store, "held");
    let ran = runs(&folder, &["cancel", "held"]);
    assert!(ran.code == 0 && ran.stderr.contains("asked process 42 on build-1 to end `held`"), "{ran:?}");
    assert!(store.beat("held", &holder()).expect("a beat"));
    let shown = runs(&folder, &["show", "held"]).stdout;
    assert!(shown.contains("state       Cancelled") && shown.contains("process 42 on build-1: is there"), "{shown}");
}

#[test]
fn prune_deletes_old_runs_that_ended() {
    let folder = filled();
    let ran = runs(&folder, &["prune", "--older-than", "1s", "--dry-run"]);
    assert!(ran.code == 0 && ran.stdout == "broken\ndone\n" && ran.stderr.contains("would delete 2 runs"), "{ran:?}");
    let ran = runs(&folder, &["prune", "--older-than", "100000d"]);
    assert!(ran.code == 0 && ran.stderr.contains("deleted 0 runs"), "{ran:?}");
    let ran = runs(&folder, &["prune", "--older-than", "1s"]);
    assert!(ran.code == 0 && ran.stderr.contains("deleted 2 runs"), "{ran:?}");
    assert_eq!(runs(&folder, &["list", "--output", "json"]).stdout.lines().count(), 3);
    let ran = runs(&folder, &["prune", "--older-than", "long"]);
    assert!(ran.code == 2 && ran.stderr.contains("--older-than") && ran.stderr.contains("90d"), "{ran:?}");
}

#[test]
fn the_store_is_found_and_its_password_is_not_told() {
    let folder = filled();
    let state = folder.path().to_str().expect("a path");
    for command in [octorhai().env("OCTORHAI_STATE", state).args(["runs", "list"]), octorhai().args(["runs", "list", "--store", state])] {
        assert!(finish(command).stdout.contains("nightly"));
    }
    let ran = finish(octorhai().args(["runs", "show", "nope", "--store", state]));
    assert!(ran.code == 1 && ran.stderr.contains(&format!("`octorhai runs --store {state} list` shows")), "{ran:?}");
    let ran = finish(octorhai().args(["runs", "list"]));
    assert!(ran.code == 2 && ran.stderr.contains("OCTORHAI_STORE"), "{ran:?}");
    let ran =
        finish(octorhai().env("PGPASSWORD", "hunter22").args(["runs", "list", "--store", "postgres://ann:s3cret77@127.0.0.1:1/runs"]));
    assert!(ran.code == 10 && ran.stderr.contains("postgres://ann@127.0.0.1:1/runs cannot be reached"), "{ran:?}");
    assert!(!ran.stderr.contains("s3cret77") && !ran.stderr.contains("hunter22"), "{ran:?}");
}
