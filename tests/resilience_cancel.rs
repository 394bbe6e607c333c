//! Ctrl-C and SIGTERM in the middle of things, on a sandbox in another process and in real time.
#![cfg(unix)]

mod support;

use serde_json::Value;
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// A stand-alone sandbox; ends with the test.
struct Server {
    child: Child,
    url: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_octorhai"));
    command.args(arguments).env_clear().env("TZ", "UTC").env("NO_COLOR", "1").stdin(Stdio::null());
    command
}

impl Server {
    fn start() -> Self {
        let mut child = command(&["sandbox", "--listen", "127.0.0.1:0", "--world", "shop"])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the sandbox starts");
        let mut lines = BufReader::new(child.stderr.take().expect("a pipe")).lines();
        let first = lines.next().expect("a line").expect("text");
        let url = first.split_whitespace().find(|w| w.starts_with("http://")).expect("an address").trim_end_matches(',').to_owned();
        // Nobody must block on a full pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, url }
    }

    /// State and project of each deployment that a run made.
    fn deployments(&self) -> Vec<String> {
        let host = self.url.trim_start_matches("http://");
        let mut stream = TcpStream::connect(host).expect("it listens");
        write!(stream, "GET /sandbox/state HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let body = answer.split_once("\r\n\r\n").expect("a body").1;
        let state: Value = serde_json::from_str(body).unwrap_or_else(|e| panic!("{e}: {body}"));
        let made = state["deployments"].as_array().expect("a list").iter().filter(|d| d["history"] == false);
        made.map(|d| format!("{} {}", d["project"].as_str().unwrap_or_default(), d["state"].as_str().unwrap_or_default())).collect()
    }
}

struct Ended {
    code: Option<i32>,
    out: String,
    err: String,
    took: Duration,
}

/// Runs a script on a server; when it has printed `go`, sends signals, and says how it ended and how soon.
fn interrupted(url: &str, script: &str, more: &[&str], signals: &[&str]) -> Ended {
    let file = tempfile::Builder::new().suffix(".rhai").tempfile().expect("a file");
    std::fs::write(file.path(), script).expect("written");
    let path = file.path().to_str().expect("a path").to_owned();
    let mut arguments = vec!["run", "--env", "Test"];
    arguments.extend(more);
    arguments.push(&path);
    let mut child = command(&arguments)
        .env("OCTOPUS_URL", url)
        .env("OCTOPUS_API_KEY", "API-SANDBOX")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut out = BufReader::new(child.stdout.take().expect("a pipe"));
    let mut err = child.stderr.take().expect("a pipe");
    let errors = std::thread::spawn(move || {
        let mut text = String::new();
        let _ = err.read_to_string(&mut text);
        text
    });
    let mut first = String::new();
    out.read_line(&mut first).expect("a line");
    if first.trim() != "go" {
        let _ = child.kill();
        panic!("{first}{}", errors.join().expect("no panic"));
    }
    std::thread::sleep(Duration::from_millis(1200));
    let watch = Instant::now();
    for signal in signals {
        let sent = Command::new("kill").args([*signal, child.id().to_string().as_str()]).status().expect("kill runs");
        assert!(sent.success());
        std::thread::sleep(Duration::from_millis(50));
    }
    let code = child.wait().expect("it ends").code();
    let took = watch.elapsed();
    let mut rest = String::new();
    let _ = out.read_to_string(&mut rest);
    Ended { code, out: rest, err: errors.join().expect("no panic"), took }
}

fn left_in_order(ended: &Ended) {
    assert_eq!(ended.code, Some(4), "{}", ended.err);
    assert!(ended.took < Duration::from_millis(2500), "{:?}: {}", ended.took, ended.err);
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
        let ended = interrupted(&server.url, WAIT, &[], &[signal]);
        left_in_order(&ended);
        assert!(ended.err.contains(if signal == "-INT" { "Ctrl-C" } else { "SIGTERM" }), "{}", ended.err);
        assert!(server.deployments().iter().all(|d| stopped(d)), "{:?}", server.deployments());
    }
}

#[test]
fn what_was_started_can_be_left_alone() {
    let server = Server::start();
    left_in_order(&interrupted(&server.url, WAIT, &["--on-cancel", "leave"], &["-INT"]));
    assert!(!server.deployments().iter().any(|d| stopped(d)), "{:?}", server.deployments());
    let script = WAIT.replace("Project A", "Project C").replace(", deploy(\"Project B\", \"latest\", \"Test\")", "");
    left_in_order(&interrupted(&server.url, &script.replace("wait(t)", "wait(t, #{on_cancel: \"leave\"})"), &[], &["-INT"]));
    assert!(!server.deployments().iter().any(|d| stopped(d)), "{:?}", server.deployments());
    // And the other way round: the wait's own word wins.
    let other = Server::start();
    left_in_order(&interrupted(
        &other.url,
        &WAIT.replace("wait(t)", "wait(t, #{on_cancel: \"cancel\"})"),
        &["--on-cancel", "leave"],
        &["-INT"],
    ));
    assert!(other.deployments().iter().all(|d| stopped(d)), "{:?}", other.deployments());
}

#[test]
fn a_second_signal_ends_at_once() {
    let server = Server::start();
    let journal = tempfile::tempdir().expect("a folder");
    let store = journal.path().to_str().expect("a path");
    // Or it could end in order before the second signal comes.
    let stuck = format!("post(\"~/sandbox/faults\", #{{\"match\": \"POST *cancel\", action: \"delay\", by: \"5m\"}});{WAIT}");
    let ended = interrupted(&server.url, &stuck, &["--store", store, "--run-id", "night"], &["-INT", "-INT"]);
    assert_eq!(ended.code, Some(4), "{}", ended.err);
    assert!(ended.took < Duration::from_secs(1), "{:?}", ended.took);
    // It was not put down in order, but it is in its journal.
    assert!(ended.err.contains(&format!("go on with it: octorhai runs --store {store} resume night")), "{}", ended.err);
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
        let ended = interrupted(&server.url, &WAIT.replace("wait(t);", &format!("{wrap};")), &[], &["-INT"]);
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
    left_in_order(&interrupted(&server.url, script, &[], &["-TERM"]));
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
    left_in_order(&interrupted(&server.url, hanging, &[], &["-INT"]));
}

#[test]
fn a_deployment_that_is_being_created_is_cancelled_too() {
    let server = Server::start();
    let script = r#"
        post("~/sandbox/faults", #{"match": "POST *deployments", action: "delay", by: "1.5s"});
        print("go");
        deploy("Project A", "latest", "Test");
        print("went on");
    "#;
    left_in_order(&interrupted(&server.url, script, &[], &["-INT"]));
    std::thread::sleep(Duration::from_secs(1));
    let made = server.deployments();
    assert!(made.len() == 1 && stopped(&made[0]), "{made:?}");
}
