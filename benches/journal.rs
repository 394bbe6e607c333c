//! What the journal costs: an effect (intent and outcome, both on disk) beside a plain append with fsync, loading a long run, listing
//! many runs.
#![allow(clippy::print_stdout, reason = "a benchmark prints")]

use jiff::Timestamp;
use octorhai::journal::{self, Holder, Journal, NewRun, RunState, Step, StepState};
use serde_json::json;
use std::{fs::File, io::Write as _, time::Instant};

fn holder() -> Holder {
    Holder { nonce: "bench".into(), host: "here".into(), pid: 1, mode: serde_json::Value::Null }
}

fn begin(store: &Journal, name: &str) {
    let new = NewRun {
        name: name.into(),
        mark: name.into(),
        script: "scripts/ship.rhai".into(),
        sources: vec![("scripts/ship.rhai".into(), "deploy(\"Project A\");\n".repeat(100))],
        params: json!({ "version": "2.1.0" }),
        target: json!({ "server": "http://octopus.example" }),
        options: json!(null),
        engine: "0".into(),
        created: Timestamp::UNIX_EPOCH,
    };
    store.claim(&new, &holder()).expect("a claim");
}

fn step(number: usize, state: StepState) -> Step {
    Step {
        path: number.to_string(),
        kind: "deploy".into(),
        arguments: json!({ "project": "Project A", "version": "2.1.0", "environment": "Production" }),
        state,
        intent: json!({ "mark": "[octorhai:run:1:0123abcd]", "expires": "2026-03-02T10:00:00Z" }),
        outcome: if state == StepState::Done { json!({ "deployment": "Deployments-1", "task": "ServerTasks-1" }) } else { json!(null) },
        began: Timestamp::UNIX_EPOCH,
        ended: (state == StepState::Done).then_some(Timestamp::UNIX_EPOCH),
    }
}

/// Milliseconds of each turn, sorted.
fn times(turns: usize, mut work: impl FnMut(usize)) -> Vec<f64> {
    let mut times: Vec<f64> = (0..turns)
        .map(|turn| {
            let began = Instant::now();
            work(turn);
            began.elapsed().as_secs_f64() * 1000.0
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times
}

fn line(what: &str, times: &[f64]) -> f64 {
    let median = times[times.len() / 2];
    println!("{what:<52} median {median:8.3} ms   p99 {:8.3} ms", times[times.len() * 99 / 100]);
    median
}

fn main() {
    let folder = tempfile::tempdir().expect("a folder");
    let open = || journal::open(folder.path().to_str().expect("a path")).expect("a store");
    let store = open();

    begin(&store, "effects");
    let ours = times(1000, |turn| {
        store.write("effects", &holder(), &[step(turn, StepState::Intent)]).expect("a write");
        store.write("effects", &holder(), &[step(turn, StepState::Done)]).expect("a write");
    });
    let mut file = File::create(folder.path().join("plain")).expect("a file");
    let rival = times(1000, |turn| {
        for state in [StepState::Intent, StepState::Done] {
            let text = serde_json::to_string(&step(turn, state)).expect("JSON");
            writeln!(file, "{text}").and_then(|()| file.sync_all()).expect("a write");
        }
    });
    let (ours, rival) =
        (line("an effect: intent and outcome, on disk", &ours), line("the same as two lines of a file, each with fsync", &rival));
    println!("  {:.2} times the plain file; goal: under 1 ms\n", ours / rival);

    begin(&store, "long");
    for chunk in (0..10_000).collect::<Vec<_>>().chunks(500) {
        let steps: Vec<Step> = chunk.iter().map(|number| step(*number, StepState::Done)).collect();
        store.write("long", &holder(), &steps).expect("a write");
    }
    let load = times(5, |_| assert_eq!(open().steps("long").expect("steps").len(), 10_000));
    line("10,000 recorded steps are loaded and verified", &load);

    for number in 0..10_000 {
        let name = format!("run-{number}");
        begin(&store, &name);
        store.put_down(&name, &holder(), &RunState::Succeeded { result: json!(number) }, Timestamp::UNIX_EPOCH).expect("an end");
    }
    let list = times(20, |_| assert_eq!(open().runs(false, 50).expect("runs").len(), 50));
    line("`runs list` (50 of 10,000, store opened)", &list);
    let all = times(5, |_| assert_eq!(open().runs(false, 10_000).expect("runs").len(), 10_000));
    line("`runs list --limit 0` (10,000 of 10,000)", &all);
}
