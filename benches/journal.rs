//! What the journal costs: an effect (intent and outcome, both on disk) beside a plain append with fsync, a long run that is
//! continued, a list of many runs. `cargo bench --bench journal` prints a table; programs are timed from their start to their end.
#![allow(clippy::print_stdout, reason = "a benchmark prints")]

use jiff::Timestamp;
use octorhai::journal::{self, BegunFor, Holder, Journal, NewRun, RunState, Step, StepState};
use serde_json::json;
use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Write as _},
    path::Path,
    process::{Child, Command, Stdio},
    time::Instant,
};

fn holder() -> Holder {
    Holder { nonce: "bench".into(), host: "here".into(), pid: 1, mode: serde_json::Value::Null, identity: None }
}

fn begin(store: &Journal, name: &str) {
    let new = NewRun {
        name: name.into(),
        mark: name.into(),
        script: "scripts/ship.rhai".into(),
        sources: vec![("scripts/ship.rhai".into(), "deploy(\"Project A\");\n".repeat(100))],
        params: json!({ "version": "2.1.0" }),
        target: json!({ "server": "http://octopus.example" }),
        begun_for: BegunFor::default(),
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
        outcome: if state == StepState::Done {
            json!({ "deployment": "Deployments-1", "task": "ServerTasks-1" }).into()
        } else {
            json!(null).into()
        },
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

/// The binary with a journal.
fn octorhai(journal: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_octorhai"));
    command.args(arguments).env("OCTORHAI_STORE", journal).env("OCTORHAI_STATE", journal).env("OCTOPUS_API_KEY", "API-SANDBOX");
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// A sandbox in a process of its own; it ends when this is dropped.
struct Server(Child, String);

impl Server {
    fn start() -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_octorhai"));
        let mut child = command.args(["sandbox", "--listen", "127.0.0.1:0"]).stderr(Stdio::piped()).spawn().expect("octorhai starts");
        let mut line = String::new();
        BufReader::new(child.stderr.take().expect("piped")).read_line(&mut line).expect("it tells its address");
        let url = line.split_whitespace().nth(3).expect("an address").trim_end_matches(',').to_owned();
        Self(child, url)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A script with effects and reads that is put down at its end; continued it is gone through to there and put down again.
const LONG: &str = "for i in 0..200 {
    deploy(\"Project A\", \"latest\", \"Test\");
    for k in 0..49 { latest(\"Project A\"); }
}
sleep(\"2h\");
";

fn continued(folder: &Path) {
    let (server, journal, script) = (Server::start(), folder.join("long"), folder.join("long.rhai"));
    fs::write(&script, LONG).expect("a file");
    let script = script.display().to_string();
    let begin = ["run", "--server", &server.1, "--run-id", "long", "--suspend", &script];
    let began = Instant::now();
    assert_eq!(octorhai(&journal, &begin).status().expect("it runs").code(), Some(7), "it is put down");
    let live = began.elapsed().as_secs_f64();
    let store = journal::open(journal.to_str().expect("a path")).expect("a store");
    let steps = store.run("long").expect("a look").expect("it is there").steps;
    let replay = times(5, |_| {
        let code = octorhai(&journal, &["runs", "resume", "long"]).status().expect("it runs").code();
        assert_eq!(code, Some(7), "it is put down again");
    });
    let replay = line(&format!("a run with {steps} recorded steps is continued"), &replay);
    println!("  {:.0} times as fast as it was begun ({live:.1} s); goal: under 1 s for 10,000\n", live * 1000.0 / replay);
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
    let list = |arguments: &[&str]| times(20, |_| assert!(octorhai(folder.path(), arguments).status().expect("it runs").success()));
    line("`runs list` (50 of 10,000)", &list(&["runs", "list"]));
    line("`runs list --limit 0` (10,000 of 10,000)", &list(&["runs", "list", "--limit", "0"]));
    println!("  goal: under 100 ms\n");

    continued(folder.path());
}
