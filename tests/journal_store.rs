//! The promises of the trait `Store`, on each store.

use jiff::{Timestamp, ToSpan};
use octorhai::{
    error::Kind,
    journal::{self, Claim, Holder, Journal, NewRun, RunState, Step, StepState},
};
use serde_json::json;

fn at(seconds: i64) -> Timestamp {
    "2026-03-02T10:00:00Z".parse::<Timestamp>().expect("a time") + seconds.seconds()
}

fn holder(nonce: &str) -> Holder {
    Holder { nonce: nonce.into(), host: "build-1".into(), pid: 42 }
}

fn new_run(name: &str) -> NewRun {
    NewRun {
        name: name.into(),
        mark: format!("m-{name}"),
        script: "scripts/ship.rhai".into(),
        sources: vec![("scripts/ship.rhai".into(), "deploy(\"A\")".into()), ("lib".into(), "fn x() {}".into())],
        params: json!({ "zeta": 1.5, "alpha": [null, "ü"] }),
        target: json!({ "server": "http://octopus" }),
        engine: "0.1.0".into(),
        created: at(0),
    }
}

fn step(path: &str, state: StepState, began: i64) -> Step {
    Step {
        path: path.into(),
        kind: "deploy".into(),
        arguments: json!({ "project": "A", "b": 1, "a": 2 }),
        state,
        intent: json!({ "mark": "m" }),
        outcome: if state == StepState::Done { json!({ "task": "ServerTasks-1" }) } else { json!(null) },
        began: at(began),
        ended: (state == StepState::Done).then(|| at(began + 5)),
    }
}

fn fresh(store: &Journal, name: &str, nonce: &str) {
    assert!(matches!(store.claim(&new_run(name), &holder(nonce)).expect("a claim"), Claim::Fresh), "{name} is new");
}

fn end(store: &Journal, name: &str, nonce: &str, when: i64) {
    store.put_down(name, &holder(nonce), &RunState::Succeeded { result: json!(7) }, at(when)).expect("an end");
}

/// Claimed, written to, held against others, put down, resumed with all steps.
fn a_run_lives(store: &Journal, again: &Journal) {
    fresh(store, "nightly", "p1");
    let Claim::Held(held) = again.claim(&new_run("nightly"), &holder("p2")).expect("a claim") else { panic!("it is held") };
    assert_eq!((held.holder, held.alive, held.attempts, held.steps), (Some(holder("p1")), true, 1, 0));
    let steps = [step("1", StepState::Intent, 1), step("2", StepState::Done, 2)];
    store.write("nightly", &holder("p1"), &steps).expect("a write");
    store.write("nightly", &holder("p1"), &[step("1", StepState::Done, 1)]).expect("a write");
    assert!(!store.beat("nightly", &holder("p1")).expect("a beat"));
    let run = again.run("nightly").expect("a look").expect("a run");
    assert_eq!((run.new, run.state, run.steps, run.updated), (new_run("nightly"), RunState::Running, 2, at(7)));
    let suspended = RunState::Suspended { due: at(100), reason: "waits for the night".into() };
    store.put_down("nightly", &holder("p1"), &suspended, at(20)).expect("put down");
    assert_eq!(store.write("nightly", &holder("p1"), &steps).expect_err("it is put down").kind(), Kind::Fenced);
    let Claim::Resumed(run, found) = again.claim(&new_run("nightly"), &holder("p2")).expect("a claim") else { panic!("it goes on") };
    assert_eq!((run.state, run.attempts, run.alive), (suspended, 2, false));
    assert_eq!(found, [step("1", StepState::Done, 1), step("2", StepState::Done, 2)]);
    let fenced = store.write("nightly", &holder("p1"), &steps).expect_err("it is another's");
    assert!(fenced.kind() == Kind::Fenced && fenced.message().contains("process 42 on build-1 took it over"), "{fenced:?}");
    assert_eq!(store.beat("nightly", &holder("p1")).expect_err("it is another's").kind(), Kind::Fenced);
    end(again, "nightly", "p2", 30);
}

#[test]
fn a_run_lives_in_a_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let open = || journal::open(folder.path().join("state").to_str().expect("a path")).expect("a store");
    a_run_lives(&open(), &open());
}
