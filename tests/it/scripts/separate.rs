//! The master script against a sandbox in a process of its own ends as it does in the same process.

use crate::{
    scripts::scene::{made, mails, script},
    support::{self, finish, octorhai, root},
};
use serde_json::Value;
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Child, Command, Stdio},
};

/// A sandbox in a process of its own; it ends with this.
struct Separate {
    child: Child,
    state: tempfile::TempDir,
    variables: Vec<(String, String)>,
}

impl Drop for Separate {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Separate {
    /// Starts it and reads what it tells people to set.
    fn start(world: &str) -> Self {
        Self::with(&["--speed", "600"], world)
    }

    fn with(clock: &[&str], world: &str) -> Self {
        let mut child = Command::new(assert_cmd::cargo::cargo_bin("octorhai"))
            .args(["sandbox", "--listen", "127.0.0.1:0", "--world", world])
            .args(clock)
            .current_dir(root())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let (out, err) = (child.stdout.take().expect("a pipe"), child.stderr.take().expect("a pipe"));
        let lines = BufReader::new(err).lines().chain(BufReader::new(out).lines()).map(|line| line.expect("text"));
        let line = lines.into_iter().find(|line| line.contains("OCTORHAI_SMTP_URL=")).expect("instructions");
        let variables: Vec<(String, String)> =
            line.split_whitespace().filter_map(|word| word.split_once('=')).map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
        let state = tempfile::tempdir().expect("a folder");
        let url = variables.iter().find(|(name, _)| name == "OCTOPUS_URL").map(|(_, url)| url.clone()).expect("a URL");
        // The sandbox in the same process is known to keep to everything; of this one it has to be measured.
        support::measured(state.path(), &url);
        Self { child, state, variables }
    }

    fn get(&self, path: &str) -> Value {
        let url = &self.variables.iter().find(|(name, _)| name == "OCTOPUS_URL").expect("a URL").1;
        let mut stream = TcpStream::connect(url.trim_start_matches("http://")).expect("it listens");
        write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nX-Octopus-ApiKey: API-SANDBOX\r\nConnection: close\r\n\r\n")
            .expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        serde_json::from_str(answer.split_once("\r\n\r\n").expect("a body").1).expect("JSON")
    }

    /// Runs a script on it as it tells people to, with or without the variable for mail.
    fn run(&self, name: &str, mail: bool) -> support::Ran {
        self.run_with(&[], name, mail)
    }

    fn run_with(&self, arguments: &[&str], name: &str, mail: bool) -> support::Ran {
        let variables = self.variables.iter().filter(|(n, _)| mail || n != "OCTORHAI_SMTP_URL").map(|(n, v)| (n.as_str(), v.as_str()));
        finish(
            octorhai()
                .envs(variables)
                .env("OCTORHAI_STATE", self.state.path())
                .arg("run")
                .args(arguments)
                .arg(format!("scripts/{name}.rhai")),
        )
    }
}

/// Recipients, subject and what people read, without what depends on the moment.
fn readable(list: &Value) -> Vec<(Vec<String>, String)> {
    mails(list).into_iter().map(|m| (m.to, m.subject)).collect()
}

#[track_caller]
fn same(world: &str, file: &str, code: i32) {
    let sandbox = Separate::start(file);
    let ran = sandbox.run("master-project", code == 0);
    assert_eq!(ran.code, code, "{}", ran.stderr);
    let there = sandbox.get("/sandbox/state");
    let here = script("master-project").world(world).run().exits(u8::try_from(code).expect("a code"));
    assert_eq!(made(&there), here.made());
    assert_eq!(there["live"], here.truth()["live"]);
    assert_eq!(readable(&there["mails"]), readable(&here.truth()["mails"]));
    // The mails name the same projects, releases, steps and errors.
    for (theirs, ours) in mails(&there["mails"]).iter().zip(here.mails()) {
        for word in
            ["Project A", "Project B", "Project C", "2.0.0", "1.1.0", "Verify payments", "the test payment was declined", "is back on"]
        {
            assert_eq!(theirs.text().matches(word).count(), ours.text().matches(word).count(), "{word} in {}", ours.subject);
        }
    }
}

#[test]
fn the_train_arrives() {
    same(&support::shop(&[]), "shop", 0);
}

#[test]
fn the_train_stops() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("world.toml");
    std::fs::write(&file, support::shop_where_c_fails()).expect("a world");
    same(&support::shop_where_c_fails(), file.to_str().expect("text"), 5);
}

#[test]
fn in_virtual_time_every_moment_is_the_same_as_in_one_process() {
    let sandbox = Separate::with(&["--virtual"], "shop");
    let ran = sandbox.run_with(&["--virtual-time"], "master-project", false);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stderr.contains("of virtual time"), "{}", ran.stderr);
    let (there, here) = (sandbox.get("/sandbox/state"), script("master-project").run().exits(0));
    assert_eq!(made(&there), here.made());
    for (theirs, ours) in there["deployments"].as_array().expect("a list").iter().rev().zip(here.deployments().into_iter().rev()) {
        assert_eq!((&theirs["started"], &theirs["completed"]), (&ours["started"], &ours["completed"]));
    }
    assert_eq!(there["now"], here.truth()["now"]);
}

#[test]
fn a_clock_that_does_not_stand_is_no_virtual_time() {
    let ran = Separate::start("shop").run_with(&["--virtual-time"], "master-project", true);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("is no sandbox in virtual time") && ran.stderr.contains("octorhai sandbox --virtual"), "{}", ran.stderr);
}

#[test]
fn the_script_learns_from_the_server_where_it_is() {
    let sandbox = Separate::start("shop");
    assert_eq!(sandbox.get("/sandbox/context")["environment"], "Test");
    let ran = sandbox.run("require-version", true);
    assert_eq!((ran.code, ran.stdout.trim()), (0, "Project B 1.1.0 fits >=1.0 <3"), "{}", ran.stderr);
    // No deployment runs it: the newest to Test that was there before stands in. In virtual time, for whether the script goes
    // on depends on the hour of the day.
    let sandbox = Separate::with(&["--virtual"], "shop");
    let ran = sandbox.run_with(&["--virtual-time"], "requeue-self", true);
    assert_eq!(ran.code, 7, "{}", ran.stderr);
    assert_eq!(made(&sandbox.get("/sandbox/state")), ["Project C 1.1.0 Test Queued"]);
}
