//! The promises of the trait `Store`, the same suite on each store; PostgreSQL is a real one (tests/it/support/postgres.rs).
#![allow(clippy::print_stdout)] // children tell the test what they did

use crate::support::{
    postgres,
    records::{at, holder, new_run},
    until,
};
use octorhai::{
    error::Kind,
    journal::{self, Begin, BegunFor, Claim, Holder, Journal, NewRun, RunState, Step, StepState},
    platform::process::ProcessIdentity,
};
use serde_json::{Value, json};
use std::{
    io::Read,
    process::{Child, Command, Stdio},
    thread,
};

fn step(path: &str, state: StepState, began: i64) -> Step {
    Step {
        path: path.into(),
        kind: "deploy".into(),
        arguments: json!({ "project": "A", "b": 1, "a": 2 }),
        state,
        intent: json!({ "mark": "m" }),
        outcome: if state == StepState::Done { json!({ "task": "ServerTasks-1" }) } else { Value::Null }.into(),
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

fn names(runs: &[journal::Run]) -> Vec<&str> {
    runs.iter().map(|run| run.new.name.as_str()).collect()
}

/// A store that is empty at first.
struct Place {
    address: String,
    folder: Option<tempfile::TempDir>,
}

impl Place {
    fn file() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        Self { address: folder.path().join("state").to_str().expect("a path").to_owned(), folder: Some(folder) }
    }

    fn database() -> Self {
        Self { address: postgres::database(), folder: None }
    }

    fn open(&self) -> Journal {
        journal::open(&self.address).unwrap_or_else(|error| panic!("{error:?}"))
    }

    /// Does something behind the store's back; the two know almost the same SQL.
    fn execute(&self, sql: &str) {
        if self.folder.is_some() {
            let file = rusqlite::Connection::open(format!("{}/runs.sqlite", self.address)).expect("a file");
            file.execute_batch(sql).expect("a statement");
        } else {
            postgres::execute(&self.address, &format!("SET search_path TO octorhai; {sql}")).expect("a statement");
        }
    }

    /// As if whoever held runs had died: a file is left by its process; a database hears no beat for longer than the lease.
    fn holders_die(&self, store: Journal) {
        drop(store);
        if self.folder.is_none() {
            self.execute("UPDATE run SET beat = clock_timestamp() - interval '61 s'");
        }
    }

    /// This test program again, as another process that claims runs and stays until its input ends.
    fn process(&self, task: &str) -> Child {
        Command::new(std::env::current_exe().expect("this program"))
            .args(["--exact", ANOTHER_PROCESS, "--nocapture"])
            .env("JOURNAL_TEST_TASK", task)
            .env("JOURNAL_TEST_ADDRESS", &self.address)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a process")
    }
}

/// The name of the test below in this program.
const ANOTHER_PROCESS: &str = "journal::store::another_process";

/// What [`Place::process`] does; nothing when the tests run.
#[test]
fn another_process() {
    let (Ok(task), Ok(address)) = (std::env::var("JOURNAL_TEST_TASK"), std::env::var("JOURNAL_TEST_ADDRESS")) else { return };
    let store = journal::open(&address).expect("a store");
    let nonce = format!("process-{}", std::process::id());
    let holder = |nonce: &str| Holder { identity: ProcessIdentity::own(), ..holder(nonce) };
    match task.as_str() {
        "race" => {
            let won = (0..20).filter(|n| matches!(store.claim(&new_run(&format!("race-{n}")), &holder(&nonce)), Ok(Claim::Fresh))).count();
            println!("won {won}.");
        }
        "fill" => {
            // A disk that ends: limited by the shell that started us.
            fresh(&store, "big", &nonce);
            let mut written = 0;
            let error = loop {
                let mut step = step(&written.to_string(), StepState::Done, 1);
                step.outcome = json!("x".repeat(20_000)).into();
                match store.write("big", &holder(&nonce), &[step]) {
                    Ok(()) => written += 1,
                    Err(error) => break error,
                }
            };
            println!("{} {written}: {error:?}.", error.kind());
        }
        other => panic!("{other}"),
    }
    let _ = std::io::stdin().read(&mut [0]);
}

/// Waits for the line of a process that ends with a full stop.
fn said(process: &mut Child) -> String {
    let mut out = process.stdout.take().expect("its output");
    let (mut text, mut letter) = (Vec::new(), [0]);
    while !text.ends_with(b".\n") && out.read(&mut letter).expect("output") == 1 {
        text.push(letter[0]);
    }
    String::from_utf8_lossy(&text).into_owned()
}

fn a_run_is_claimed_written_put_down_and_resumed(place: &Place) {
    let (store, again) = (place.open(), place.open());
    fresh(&store, "nightly", "p1");
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
    again.write("nightly", &holder("p2"), &[step("3", StepState::Done, 30)]).expect("the chain goes on");
    assert_eq!(again.steps("nightly").expect("steps").len(), 3);
    end(&again, "nightly", "p2", 40);
}

fn user_of_a_run_is_written_down_before_its_first_step(place: &Place) {
    let store = place.open();
    fresh(&store, "night", "p1");
    let begun_for = BegunFor { server: Some("https://octopus.example.com".into()), user: Some("00ff".into()) };
    let new = NewRun { begun_for: begun_for.clone(), ..new_run("night") };
    assert_eq!(store.begin_for(&new, &holder("p2")).expect_err("it is another's").kind(), Kind::Fenced);
    store.begin_for(&new, &holder("p1")).expect("written");
    store.begin_for(&new, &holder("p1")).expect("written again, as after a lost answer");
    assert_eq!(store.run("night").expect("read").expect("there").new.begun_for, begun_for);
    store.write("night", &holder("p1"), &[step("1", StepState::Done, 1)]).expect("a step");
    // From now on it stands: the chain of records begins with it.
    store.begin_for(&new_run("night"), &holder("p1")).expect("nothing happens");
    store.write("night", &holder("p1"), &[step("2", StepState::Done, 2)]).expect("a step");
    let run = store.run("night").expect("read").expect("there");
    assert_eq!((run.new.begun_for, run.new.mark.as_str(), run.steps), (begun_for, "m-night", 2));
    assert_eq!(place.open().steps("night").expect("the chain is whole").len(), 2);
}

fn a_run_that_has_ended_is_begun_again_by_who_wants_that_only(place: &Place) {
    let store = place.open();
    let ended = |name: &str, nonce: &str, begin: Begin| match store.claim_if(&new_run(name), &holder(nonce), begin).expect("a claim") {
        Claim::Ended(run) => Some(run.state),
        Claim::Fresh => None,
        other => panic!("{other:?}"),
    };
    let failed = RunState::Failed { exit_code: 5, reason: "no".into() };
    for (name, state) in [("good", RunState::Succeeded { result: json!(7) }), ("bad", failed)] {
        assert_eq!(ended(name, "p1", Begin::UnlessEnded), None);
        assert!(matches!(store.claim_if(&new_run(name), &holder("p2"), Begin::UnlessEnded).expect("a claim"), Claim::Held(_)));
        store.put_down(name, &holder("p1"), &state, at(60)).expect("an end");
        assert_eq!(ended(name, "p2", Begin::UnlessEnded), Some(state));
    }
    assert!(ended("good", "p2", Begin::UnlessSucceeded).is_some());
    assert_eq!(store.runs(false, 10).expect("runs").len(), 2, "nothing was changed");
    assert_eq!(ended("bad", "p2", Begin::UnlessSucceeded), None);
    assert_eq!(ended("good", "p2", Begin::Anew), None);
    assert_eq!(names(&store.runs(false, 10).expect("runs")).len(), 4);
    // What was put down goes on, whoever asks.
    store.put_down("bad", &holder("p2"), &RunState::Suspended { due: at(300), reason: "later".into() }, at(60)).expect("put down");
    assert!(matches!(store.claim_if(&new_run("bad"), &holder("p3"), Begin::Anew).expect("a claim"), Claim::Resumed(..)));
}

fn a_writer_that_was_taken_for_dead_is_fenced(place: &Place) {
    let store = place.open();
    fresh(&store, "nightly", "p1");
    store.write("nightly", &holder("p1"), &[step("1", StepState::Intent, 1)]).expect("a write");
    place.holders_die(store);
    let (store, zombie) = (place.open(), place.open());
    assert!(!store.run("nightly").expect("a look").expect("a run").alive);
    let Claim::Resumed(run, steps) = store.claim(&new_run("nightly"), &holder("p2")).expect("a claim") else { panic!("it goes on") };
    assert_eq!((run.state, run.holder, steps.len()), (RunState::Running, Some(holder("p1")), 1));
    for error in [
        zombie.write("nightly", &holder("p1"), &[step("1", StepState::Done, 1)]).expect_err("a write"),
        zombie.beat("nightly", &holder("p1")).expect_err("a beat"),
        zombie.put_down("nightly", &holder("p1"), &RunState::Running, at(9)).expect_err("an end"),
    ] {
        assert!(error.kind() == Kind::Fenced && error.message().contains("process 42 on build-1 took it over"), "{error:?}");
    }
    assert_eq!(store.steps("nightly").expect("steps"), [step("1", StepState::Intent, 1)]);
    assert_eq!(store.write("no such run", &holder("p2"), &[]).expect_err("no run").kind(), Kind::Fenced);
}

fn ended_runs_make_room_and_are_pruned(place: &Place) {
    let store = place.open();
    fresh(&store, "nightly~2", "p1");
    for n in 1..=3 {
        fresh(&store, "nightly", "p1");
        store.write("nightly", &holder("p1"), &[step("1", StepState::Done, n)]).expect("a write");
        end(&store, "nightly", "p1", n * 100);
    }
    fresh(&store, "nightly", "p1");
    assert_eq!(names(&store.runs(false, 10).expect("runs")), ["nightly", "nightly~4", "nightly~3", "nightly~1", "nightly~2"]);
    assert_eq!(names(&store.runs(true, 10).expect("runs")), ["nightly", "nightly~2"]);
    assert_eq!(names(&store.runs(false, 1).expect("runs")), ["nightly"]);
    assert_eq!(store.steps("nightly~1").expect("steps"), [step("1", StepState::Done, 1)], "a chain survives its run's new name");
    assert_eq!(store.prune(at(201)).expect("a number"), 2);
    assert_eq!(names(&store.runs(false, 10).expect("runs")), ["nightly", "nightly~4", "nightly~2"]);
    assert_eq!(store.run("nightly~4").expect("a look").expect("a run").new.sources.len(), 2, "what others share stays");
}

fn what_is_due_and_what_is_cancelled(place: &Place) {
    let store = place.open();
    for (name, due) in [("late", 300), ("soon", 100), ("later", 900)] {
        fresh(&store, name, "p1");
        let state = RunState::Suspended { due: at(due), reason: "sleeps".into() };
        store.put_down(name, &holder("p1"), &state, at(1)).expect("put down");
    }
    assert_eq!(names(&store.due(at(300)).expect("runs")), ["soon", "late"]);
    assert!(store.cancel("soon", at(50)).expect("a cancel"));
    assert!(!store.cancel("soon", at(51)).expect("it has ended"));
    assert!(!store.cancel("no such run", at(51)).expect("there is none"));
    assert!(matches!(store.run("soon").expect("a look").expect("a run").state, RunState::Cancelled { .. }));
    assert_eq!(names(&store.due(at(300)).expect("runs")), ["late"]);
    // A held one is cancelled at once, and its holder told.
    fresh(&store, "held", "p1");
    assert!(place.open().cancel("held", at(60)).expect("a cancel"));
    assert!(!place.open().cancel("held", at(61)).expect("it is cancelled already"));
    assert!(matches!(store.run("held").expect("a look").expect("a run").state, RunState::Cancelled { .. }));
    assert!(store.beat("held", &holder("p1")).expect("a beat"));
    assert!(store.cancel("late", at(70)).expect("a cancel"));
    assert_eq!(store.prune(at(60)).expect("a number"), 1);
}

fn cancelled_run_is_final_before_its_holder_leaves_it(place: &Place) {
    type Way = fn(&Journal);
    let ways: [(&str, Way); 2] = [
        ("by its holder", |store| store.mark_cancelled("night", &holder("p1"), "Ctrl-C", at(5)).expect("marked")),
        ("by hand", |store| assert!(store.cancel("night", at(5)).expect("a cancel"))),
    ];
    for (way, cancel) in ways {
        let store = place.open();
        fresh(&store, "night", "p1");
        cancel(&store);
        let run = store.run("night").expect("a look").expect("a run");
        assert!(matches!(run.state, RunState::Cancelled { .. }) && run.alive, "{way}: {run:?}");
        assert!(names(&store.runs(true, 10).expect("runs")).is_empty(), "{way}: nobody continues it");
        // Nobody else gets it, whatever is asked for, while its holder leaves.
        let other = place.open();
        for begin in [Begin::Anew, Begin::UnlessSucceeded, Begin::UnlessEnded] {
            let claim = other.claim_if(&new_run("night"), &holder("p2"), begin).expect("a claim");
            let fits = if begin == Begin::UnlessEnded { matches!(claim, Claim::Ended(_)) } else { matches!(claim, Claim::Held(_)) };
            assert!(fits, "{way}, {begin:?}: {claim:?}");
        }
        assert!(other.mark_cancelled("night", &holder("p2"), "not theirs", at(6)).is_err_and(|error| error.kind() == Kind::Fenced));
        // Its holder has the rest to write.
        store.write("night", &holder("p1"), &[step("1", StepState::Done, 1)]).expect("a write");
        assert!(store.beat("night", &holder("p1")).is_ok());
        let stopped = RunState::Stopped { exit_code: 8, reason: "in doubt".into() };
        store.put_down("night", &holder("p1"), &stopped, at(7)).expect("put down");
        let run = store.run("night").expect("a look").expect("a run");
        assert!(matches!(run.state, RunState::Cancelled { .. }) && !run.alive && run.steps == 1, "{way}: {run:?}");
        for late in [store.put_down("night", &holder("p1"), &stopped, at(8)), store.mark_cancelled("night", &holder("p1"), "", at(8))] {
            assert!(late.is_err_and(|error| error.kind() == Kind::Fenced), "{way}: it was left");
        }
        assert!(store.write("night", &holder("p1"), &[step("2", StepState::Done, 2)]).is_err(), "{way}");
        assert!(matches!(other.claim_if(&new_run("night"), &holder("p2"), Begin::Anew).expect("a claim"), Claim::Fresh));
        end(&other, "night", "p2", 9);
    }
}

fn run_that_ended_well_while_it_was_cancelled_has_succeeded(place: &Place) {
    let store = place.open();
    fresh(&store, "night", "p1");
    store.mark_cancelled("night", &holder("p1"), "Ctrl-C", at(5)).expect("marked");
    end(&store, "night", "p1", 6);
    assert!(matches!(store.run("night").expect("a look").expect("a run").state, RunState::Succeeded { .. }));
}

fn cells_change_one_step_at_a_time(place: &Place) {
    let store = place.open();
    assert!(store.cell("count").expect("a look").is_none());
    assert!(!store.swap("count", 3, &json!(0)).expect("a swap"), "it was never written");
    assert!(store.swap("count", 0, &json!(0)).expect("a swap"));
    assert!(!store.swap("count", 0, &json!(0)).expect("a swap"), "it was");
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let store = place.open();
                let mut done = 0;
                while done < 25 {
                    let cell = store.cell("count").expect("a look").expect("a cell");
                    let next = json!(cell.value.as_u64().expect("a number") + 1);
                    done += u32::from(store.swap("count", cell.version, &next).expect("a swap"));
                }
            });
        }
    });
    let cell = store.cell("count").expect("a look").expect("a cell");
    assert_eq!((cell.value, cell.version), (json!(200), 201));
    for name in ["lock:b", "lock:a", "lock_c", "lock:Ü"] {
        assert!(store.swap(name, 0, &json!({ "z": 1, "a": null })).expect("a swap"));
    }
    let found: Vec<String> = store.cells("lock:").expect("cells").into_iter().map(|cell| cell.name).collect();
    assert_eq!(found, ["lock:a", "lock:b", "lock:Ü"]);
}

fn of_several_processes_one_gets_a_run(place: &Place) {
    drop(place.open());
    let mut processes: Vec<Child> = (0..3).map(|_| place.process("race")).collect();
    let won: usize = processes
        .iter_mut()
        .map(|process| {
            let text = said(process);
            text.split("won ").nth(1).and_then(|rest| rest.trim().trim_end_matches('.').parse::<usize>().ok()).expect(&text)
        })
        .sum();
    assert_eq!(won, 20);
    let store = place.open();
    assert!(store.runs(true, 100).expect("runs").iter().all(|run| run.alive), "the winners live");
    for process in &mut processes {
        process.kill().expect("SIGKILL");
        process.wait().expect("its end");
    }
    assert!(store.runs(true, 100).expect("runs").iter().all(|run| !run.alive), "this machine knows at once");
    let claim = store.claim(&new_run("race-0"), &holder("next")).expect("a claim");
    assert!(matches!(claim, Claim::Resumed(..)), "{claim:?}");
}

/// In a database the holder may be on another machine. Only what this machine knows for sure counts before the lease is over.
#[test]
fn in_a_database_a_holder_counts_as_there_unless_this_machine_knows_better() {
    let place = Place::database();
    let store = place.open();
    let own = ProcessIdentity::own().expect("Linux tells");
    let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().expect("it starts");
    let killed = ProcessIdentity::of(child.id()).expect("it runs");
    child.kill().expect("SIGKILL");
    child.wait().expect("its end");
    let cases = [
        ("lives", Some(own.clone()), true),
        ("killed", Some(killed.clone()), false),
        ("number used again", Some(ProcessIdentity { started: own.started + 1, ..own }), false),
        ("another start of the kernel", Some(ProcessIdentity { boot: "another".into(), ..killed.clone() }), true),
        ("another container", Some(ProcessIdentity { namespace: "pid:[1] time:[1]".into(), ..killed }), true),
        ("written by 0.1.0", None, true),
    ];
    for (name, identity, alive) in cases {
        let holder = Holder { identity, ..holder("p1") };
        assert!(matches!(store.claim(&new_run(name), &holder).expect("a claim"), Claim::Fresh), "{name}");
        let run = store.run(name).expect("a look").expect("a run");
        assert_eq!((run.alive, run.gone_in.is_some(), run.holder.as_ref()), (alive, alive, Some(&holder)), "{name}");
        match store.claim(&new_run(name), &Holder { identity: None, ..holder.clone() }).expect("a claim") {
            Claim::Held(run) => {
                let left = run.gone_in.expect("the lease is known");
                assert!(alive && left <= journal::record::LEASE && left.is_positive(), "{name}: {left}");
                let text = run.worked_on();
                assert!(text.contains("known to be dead in ") && text.ends_with(" unless it says something"), "{text}");
            }
            other => assert!(!alive && matches!(other, Claim::Resumed(..)), "{name}: {other:?}"),
        }
    }
}

fn what_was_done_to_a_journal_is_seen(place: &Place) {
    let store = place.open();
    let damages = [
        ("edited", "UPDATE record SET step = replace(step, 'deploy', 'delete') WHERE number = 2", "record 2 is not what was written"),
        ("torn", "DELETE FROM record WHERE number = 3", "records after number 2 are missing"),
        ("holed", "DELETE FROM record WHERE number = 2", "record 2 is missing"),
        ("other parameters", "UPDATE run SET new = replace(new, '1.5', '2.5') WHERE 2 > number", "record 1 is not what was written"),
    ];
    for (name, sql, _) in damages {
        fresh(&store, name, "p1");
        for n in 1..=3 {
            store.write(name, &holder("p1"), &[step(&n.to_string(), StepState::Done, n)]).expect("a write");
        }
        let table = if sql.contains("record") { "AND run =" } else { "AND id =" };
        place.execute(&format!("{sql} {table} (SELECT id FROM run WHERE name = '{name}')"));
    }
    place.holders_die(store);
    let store = place.open();
    for (name, _, why) in damages {
        for error in [store.steps(name).expect_err(name), store.claim(&new_run(name), &holder("p2")).expect_err(name)] {
            let text = format!("{error:?}");
            assert!(error.kind() == Kind::Usage && text.contains(why) && text.contains(name) && text.contains("is damaged"), "{text}");
        }
    }
    fresh(&store, "sound", "p1");
}

/// Both stores, each as its own test.
macro_rules! suite {
    ($($test:ident)*) => {
        mod in_a_file { $(#[test] fn $test() { super::$test(&super::Place::file()); })* }
        mod in_a_database { $(#[test] fn $test() { super::$test(&super::Place::database()); })* }
    };
}

suite! {
    a_run_is_claimed_written_put_down_and_resumed
    a_run_that_has_ended_is_begun_again_by_who_wants_that_only
    a_writer_that_was_taken_for_dead_is_fenced
    ended_runs_make_room_and_are_pruned
    what_is_due_and_what_is_cancelled
    cancelled_run_is_final_before_its_holder_leaves_it
    run_that_ended_well_while_it_was_cancelled_has_succeeded
    cells_change_one_step_at_a_time
    of_several_processes_one_gets_a_run
    what_was_done_to_a_journal_is_seen
    user_of_a_run_is_written_down_before_its_first_step
}

#[track_caller]
fn refused(address: &str, kind: Kind, parts: &[&str]) {
    let error = journal::open(address).err().expect("no store");
    let text = format!("{error:?}");
    assert!(error.kind() == kind && parts.iter().all(|part| text.contains(part)) && text.contains("help: "), "{parts:?} in {text}");
}

#[test]
fn a_newer_format_is_refused_and_left_alone() {
    let file = Place::file();
    drop(file.open());
    file.execute("PRAGMA user_version = 7");
    refused(&file.address, Kind::Usage, &["has format 7", "knows formats up to 1", "runs.sqlite", "a later one"]);
    let database = Place::database();
    drop(database.open());
    database.execute("UPDATE format SET number = 7");
    refused(&database.address, Kind::Usage, &["has format 7", "knows formats up to 1", "a later one"]);
}

#[test]
fn a_damaged_file_is_refused_and_not_made_anew() {
    let place = Place::file();
    let store = place.open();
    fresh(&store, "nightly", "p1");
    let steps: Vec<Step> = (0..200).map(|n| step(&n.to_string(), StepState::Done, n)).collect();
    store.write("nightly", &holder("p1"), &steps).expect("a write");
    drop(store);
    let file = format!("{}/runs.sqlite", place.address);
    let whole = std::fs::read(&file).expect("the file");
    for bytes in [
        &b"not a database at all, but some text of more than a hundred letters, for that is what a header of SQLite has....."[..],
        &[],
        &whole[..whole.len() / 2],
    ] {
        std::fs::write(&file, bytes).expect("a damage");
        let error = journal::open(&place.address).and_then(|store| store.steps("nightly").map(drop)).expect_err("it is damaged");
        let text = format!("{error:?}");
        assert!(
            error.kind() == Kind::Usage && text.contains("is damaged") && text.contains("runs.sqlite") && text.contains("help: "),
            "{text}"
        );
        assert_eq!(std::fs::read(&file).expect("the file"), bytes, "it is left as it was found");
    }
    let mut pages = whole.clone();
    for byte in &mut pages[4096..] {
        *byte ^= 0x5A;
    }
    std::fs::write(&file, pages).expect("a damage");
    let error = journal::open(&place.address).and_then(|store| store.steps("nightly").map(drop)).expect_err("it is damaged");
    assert_eq!(error.kind(), Kind::Usage, "{error:?}");
    std::fs::remove_file(&file).expect("gone");
    std::fs::write(format!("{file}-wal"), "left").expect("a file");
    refused(&place.address, Kind::Usage, &["is damaged: it is gone"]);
}

#[cfg(unix)]
#[test]
fn a_place_that_cannot_be_written_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::file();
    let mode = |path: &str| std::fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    drop(place.open());
    assert_eq!((mode(&place.address), mode(&format!("{}/runs.sqlite", place.address))), (0o700, 0o600));
    std::fs::write(format!("{}/file", place.address), "").expect("a file");
    refused(&format!("{}/file/state", place.address), Kind::Usage, &["cannot be kept in", "choose another with --store"]);
    // Read-only even for root.
    refused("/proc/octorhai", Kind::Usage, &["cannot be kept in `/proc/octorhai`"]);
    let other = Place::file();
    std::fs::create_dir(&other.address).expect("a folder");
    other.execute("CREATE TABLE theirs (x)");
    refused(&other.address, Kind::Usage, &["is a database of something else"]);
}

#[test]
fn a_file_that_is_locked_for_too_long_is_told() {
    let place = Place::file();
    drop(place.open());
    let store = journal::Sqlite::open_with(place.address.as_ref(), std::time::Duration::from_millis(50)).expect("a store");
    let other = rusqlite::Connection::open(format!("{}/runs.sqlite", place.address)).expect("a file");
    other.execute_batch("BEGIN IMMEDIATE").expect("a lock");
    let error = journal::Store::claim(&store, &new_run("nightly"), &holder("p1")).expect_err("it is locked");
    assert!(error.kind() == Kind::Store && error.message().contains("locked by another process"), "{error:?}");
    other.execute_batch("COMMIT").expect("no lock");
    assert!(matches!(journal::Store::claim(&store, &new_run("nightly"), &holder("p1")), Ok(Claim::Fresh)));
}

/// A run that depends on the store waits for it, and what it said is kept.
fn patient(store: &dyn journal::Store, span: std::time::Duration) -> std::sync::Arc<std::sync::Mutex<Vec<String>>> {
    let said = std::sync::Arc::<std::sync::Mutex<Vec<String>>>::default();
    let heard = said.clone();
    store.be_patient(journal::Patience::new(span, || false, move |text| heard.lock().expect("no panic").push(text.to_owned())));
    said
}

#[test]
fn a_run_waits_for_a_file_that_is_locked_gone_or_read_only_for_a_moment() {
    let place = Place::file();
    drop(place.open());
    let file = format!("{}/runs.sqlite", place.address);
    let store = journal::Sqlite::open_with(place.address.as_ref(), std::time::Duration::from_millis(50)).expect("a store");
    journal::Store::claim(&store, &new_run("nightly"), &holder("p1")).expect("a claim");
    let said = patient(&store, journal::patience::USUAL);
    let heard = |at: usize| said.lock().expect("no panic").get(at).cloned().unwrap_or_default();
    let write = |n: i64| journal::Store::write(&store, "nightly", &holder("p1"), &[step(&n.to_string(), StepState::Done, n)]);
    // Each goes away as soon as the run has said that it waits.
    let meanwhile = |at: usize, n: i64, over: &(dyn Fn() + Sync)| {
        thread::scope(|scope| {
            scope.spawn(|| {
                until("it says that it waits", || (!heard(at).is_empty()).then_some(()));
                over();
            });
            write(n).expect("it was waited for");
        });
    };
    let other = std::sync::Mutex::new(rusqlite::Connection::open(&file).expect("a file"));
    other.lock().expect("no panic").execute_batch("BEGIN IMMEDIATE").expect("a lock");
    meanwhile(0, 1, &|| other.lock().expect("no panic").execute_batch("COMMIT").expect("no lock"));
    assert!(heard(0).contains("is locked by another process") && heard(0).contains("trying again for up to 5m"), "{}", heard(0));
    assert!(heard(1).starts_with("the journal can be written again after "), "{}", heard(1));

    let away = format!("{file}.away");
    std::fs::rename(&file, &away).expect("the file is there");
    meanwhile(2, 2, &|| std::fs::rename(&away, &file).expect("the file is there"));
    assert!(heard(2).contains("is gone") && heard(2).contains("nothing is sent meanwhile"), "{}", heard(2));
    drop(other);
    drop(store);
    assert_eq!(place.open().steps("nightly").expect("steps").len(), 2);
}

#[test]
fn a_run_does_not_go_on_in_another_store_of_the_same_name() {
    let place = Place::file();
    let store = journal::Sqlite::open(place.address.as_ref()).expect("a store");
    journal::Store::claim(&store, &new_run("nightly"), &holder("p1")).expect("a claim");
    patient(&store, std::time::Duration::ZERO);
    let write = || journal::Store::write(&store, "nightly", &holder("p1"), &[step("1", StepState::Done, 1)]);
    // Somebody moved it away and another octorhai made a new one; and a backup of something else was put in its place.
    let aside = tempfile::tempdir().expect("a folder");
    std::fs::rename(&place.address, aside.path().join("old")).expect("the folder is there");
    drop(place.open());
    let error = write().expect_err("the run is not in it");
    assert!(error.stops() && error.message().contains("it is not in the journal any more"), "{error:?}");
    std::fs::remove_file(format!("{}/runs.sqlite", place.address)).expect("the file is there");
    std::fs::write(format!("{}/runs.sqlite", place.address), "something else").expect("written");
    let error = write().expect_err("it is something else");
    assert!(error.stops() && error.kind() == Kind::Store, "{error:?}");
}

#[test]
fn a_database_without_the_tables_is_refused_by_a_run_that_has_seen_them() {
    let place = Place::database();
    let store = place.open();
    fresh(&store, "nightly", "p1");
    let said = patient(&*store, journal::patience::USUAL);
    place.execute("DROP SCHEMA octorhai CASCADE");
    let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'octorhai' AND datname = current_database()";
    for lost in [false, true] {
        if lost {
            place.execute(cut);
        }
        let error = store.write("nightly", &holder("p1"), &[step("1", StepState::Done, 1)]).expect_err("there are no tables");
        assert!(error.stops() && error.kind() == Kind::Store && error.message().contains("is damaged"), "{error:?}");
    }
    assert!(said.lock().expect("no panic").is_empty(), "that does not pass");
}

#[cfg(unix)]
#[test]
fn a_full_disk_is_told_before_the_effect_and_loses_nothing() {
    let place = Place::file();
    drop(place.open());
    // The limit of a file's size stands for the disk's; both make a write fail.
    let mut process = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 1000; exec \"$0\" --exact \"$1\" --nocapture"])
        .arg(std::env::current_exe().expect("this program"))
        .arg(ANOTHER_PROCESS)
        .env("JOURNAL_TEST_TASK", "fill")
        .env("JOURNAL_TEST_ADDRESS", &place.address)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a process");
    let text = said(&mut process);
    process.kill().expect("SIGKILL");
    process.wait().expect("its end");
    assert!(text.contains("store ") && text.contains("cannot be written") && text.contains("make room on the disk"), "{text}");
    let written: usize = text.split("store ").nth(1).and_then(|rest| rest.split(':').next()?.parse().ok()).expect("a number");
    let Claim::Resumed(_, steps) = place.open().claim(&new_run("big"), &holder("p2")).expect("a claim") else { panic!("it goes on") };
    assert!(written > 0 && steps.len() == written, "{written} were written, {} are there", steps.len());
}

#[test]
fn a_lost_connection_is_made_again_and_a_dead_server_is_told() {
    let place = Place::database();
    let store = place.open();
    fresh(&store, "nightly", "p1");
    for n in 1..=5 {
        place.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'octorhai' AND datname = current_database()",
        );
        store.write("nightly", &holder("p1"), &[step(&n.to_string(), StepState::Done, n)]).expect("a write");
    }
    assert_eq!(place.open().steps("nightly").expect("steps").len(), 5);
    refused("postgres://ann:s3cret@127.0.0.1:1/runs", Kind::Store, &["postgres://ann@127.0.0.1:1/runs cannot be reached"]);
}

#[test]
fn a_password_is_never_shown() {
    let place = Place::database();
    assert!(!place.open().place().contains(postgres::PASSWORD));
    let wrong = place.address.replace(postgres::PASSWORD, "wr0ng-w0rd");
    if wrong != place.address {
        let text = format!("{:?}", journal::open(&wrong).err().expect("no store"));
        assert!(text.contains("does not let us in") && !text.contains("wr0ng-w0rd"), "{text}");
    }
}
