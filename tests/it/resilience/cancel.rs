//! Ctrl-C and SIGTERM in the middle of things, on a sandbox in another process and in real time.
#![cfg(unix)]

use crate::support::{going::Going, octorhai_command, standalone::Standalone, until};
use octorhai::journal::{self, RunState};

/// A stand-alone sandbox; ends with the test.
struct Server(Standalone);

impl Server {
    fn start() -> Self {
        Self(Standalone::start("shop", &[]))
    }

    /// State and project of each deployment that a run made.
    fn deployments(&self) -> Vec<String> {
        let state = self.0.get("/sandbox/state");
        let made = state["deployments"].as_array().expect("a list").iter().filter(|d| d["history"] == false);
        made.map(|d| format!("{} {}", d["project"].as_str().unwrap_or_default(), d["state"].as_str().unwrap_or_default())).collect()
    }
}

struct Ended {
    code: Option<i32>,
    out: String,
    err: String,
}

/// Runs a script on a server; when it has printed `go` and `ready` has been waited for, sends signals, each when the one before was heard.
/// It has all the time it wants to leave in order, for the machine may be busy.
fn interrupted(server: &Server, script: &str, more: &[&str], signals: &[&str], ready: impl Fn()) -> Ended {
    let file = tempfile::Builder::new().suffix(".rhai").tempfile().expect("a file");
    std::fs::write(file.path(), script).expect("written");
    let mut command = octorhai_command();
    command.args(["run", "--env", "Test"]).args(more).arg(file.path()).env("OCTOPUS_URL", &server.0.url);
    command.env("OCTOPUS_API_KEY", "API-SANDBOX").env("OCTORHAI_STOP_WITHIN", "10m");
    let going = Going::start(&mut command, "not in its place");
    ready();
    for (number, signal) in signals.iter().enumerate() {
        if number > 0 {
            going.has_heard();
        }
        going.signal(signal);
    }
    let (code, out, err) = going.ended();
    Ended { code, out, err }
}

/// Interrupts a run that waits, or is about to.
fn waiting(server: &Server, script: &str, more: &[&str], signal: &str) -> Ended {
    // The wait has begun by now, unless the machine is very busy; a signal before it must do the same.
    interrupted(server, script, more, &[signal], || std::thread::sleep(std::time::Duration::from_millis(300)))
}

fn left_in_order(ended: &Ended) {
    assert_eq!(ended.code, Some(4), "{}", ended.err);
    assert!(!ended.err.contains("did not end"), "{}", ended.err);
    assert_eq!(ended.out, "", "nothing goes on after a cancellation");
}

const WAIT: &str = r#"
    let t = [deploy("Project A", "latest", "Test"), deploy("Project B", "latest", "Test")];
    print("go");
    wait(t);
    print("not reached");
"#;

fn stopped(state: &str) -> bool {
    ["Cancelling", "Canceled"].iter().any(|s| state.ends_with(s))
}

#[test]
fn a_signal_ends_a_wait_and_cancels_what_was_started() {
    let server = Server::start();
    for signal in ["-INT", "-TERM"] {
        let ended = waiting(&server, WAIT, &[], signal);
        left_in_order(&ended);
        assert!(ended.err.contains(if signal == "-INT" { "Ctrl-C" } else { "SIGTERM" }), "{}", ended.err);
        assert!(server.deployments().iter().all(|d| stopped(d)), "{:?}", server.deployments());
    }
}

#[test]
fn what_was_started_can_be_left_alone() {
    let server = Server::start();
    left_in_order(&waiting(&server, WAIT, &["--on-cancel", "leave"], "-INT"));
    assert!(!server.deployments().iter().any(|d| stopped(d)), "{:?}", server.deployments());
    let script = WAIT.replace("Project A", "Project C").replace(", deploy(\"Project B\", \"latest\", \"Test\")", "");
    left_in_order(&waiting(&server, &script.replace("wait(t)", "wait(t, #{on_cancel: \"leave\"})"), &[], "-INT"));
    assert!(!server.deployments().iter().any(|d| stopped(d)), "{:?}", server.deployments());
    // And the other way round: the wait's own word wins.
    let other = Server::start();
    left_in_order(&waiting(&other, &WAIT.replace("wait(t)", "wait(t, #{on_cancel: \"cancel\"})"), &["--on-cancel", "leave"], "-INT"));
    assert!(other.deployments().iter().all(|d| stopped(d)), "{:?}", other.deployments());
}

#[test]
fn a_second_signal_ends_at_once() {
    let server = Server::start();
    let journal = tempfile::tempdir().expect("a folder");
    let store = journal.path().to_str().expect("a path");
    // Or it could end in order before the second signal comes.
    let stuck = format!("post(\"~/sandbox/faults\", #{{\"match\": \"POST *cancel\", action: \"delay\", by: \"5m\"}});{WAIT}");
    let ended = interrupted(&server, &stuck, &["--store", store, "--run-id", "night"], &["-INT", "-INT"], || ());
    assert_eq!(ended.code, Some(4), "{}", ended.err);
    assert!(ended.err.contains("ended at once"), "{}", ended.err);
    // It was not put down in order, but it is in its journal.
    let state = journal::open(store).expect("a store").run("night").expect("read").expect("there").state;
    assert!(matches!(state, RunState::Cancelled { .. }), "{state:?}");
    for part in [
        "Project A 2.0.0 → Test (ServerTasks-".to_owned(),
        "run `night` is cancelled and is not continued".to_owned(),
        format!("octorhai run --store {store} --run-id night --anew"),
        format!("octorhai runs --store {store} show night"),
    ] {
        assert!(ended.err.contains(&part), "{part} is not in\n{}", ended.err);
    }
}

#[test]
fn nothing_swallows_a_cancellation() {
    let server = Server::start();
    let wraps = [
        "try { wait(t) } catch (e) { print(\"caught\") }",
        "attempt(|| wait(t)); print(\"went on\")",
        "retry(5, || wait(t)); print(\"went on\")",
        "parallel(t, |one| { wait(one); print(\"went on\") })",
        "try { parallel(t, |one| attempt(|| wait(one))) } catch { print(\"caught\") }",
        "saga(|s| { s.undo(|| print(\"undone\")); wait(t); })",
        "sleep(\"1h\")",
        "wait_for(|| false, #{timeout: \"1h\"})",
        "loop { sleep(\"10ms\") }",
    ];
    for wrap in wraps {
        let ended = waiting(&server, &WAIT.replace("wait(t);", &format!("{wrap};")), &[], "-INT");
        left_in_order(&ended);
    }
}

#[test]
fn a_cancelled_saga_undoes_nothing() {
    let server = Server::start();
    let script = r#"
        saga(|s| {
            let a = s.deploy("Project A", "latest", "Test");
            print("go");
            wait(a);
        });
    "#;
    left_in_order(&waiting(&server, script, &[], "-TERM"));
    let made = server.deployments();
    assert!(made.len() == 1 && stopped(&made[0]), "{made:?}");
}

#[test]
fn a_server_that_hangs_does_not_hold_up_the_end() {
    let server = Server::start();
    let hanging = r#"
        post("~/sandbox/faults", #{"match": "GET *", action: "delay", by: "5m"});
        print("go");
        get("projects");
        print("went on");
    "#;
    left_in_order(&interrupted(&server, hanging, &[], &["-INT"], || server.0.is_asked()));
}

#[test]
fn a_deployment_that_is_being_created_is_cancelled_too() {
    let server = Server::start();
    let script = r#"
        post("~/sandbox/faults", #{"match": "POST *deployments", action: "delay", by: "200ms"});
        print("go");
        deploy("Project A", "latest", "Test");
        sleep("1h");
        print("went on");
    "#;
    left_in_order(&interrupted(&server, script, &[], &["-INT"], || server.0.is_asked()));
    until("the deployment, stopped", || matches!(&server.deployments()[..], [one] if stopped(one)).then_some(()));
}
