//! Runs that version 0.1.0 left, in every state: each is listed, shown, and continued or refused by its name.
//!
//! `tests/fixtures/README.md` says how the stores were made.
#![cfg(unix)]

use crate::support::{Ran, finish, octorhai, postgres, root, standalone::Standalone};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::Read as _,
    path::PathBuf,
};
use tempfile::TempDir;

/// The address in the records: a sandbox is reached there as its own proxy.
const SERVER: &str = "http://octopus.test";
const SECRETS: [&str; 2] = ["chat-token-of-the-fixture", "mail-word"];

/// A run of the fixture.
struct Left {
    name: &'static str,
    /// As `runs list` shows it.
    state: &'static str,
    /// The exit code of `runs resume`.
    code: i32,
    /// Part of what it tells.
    told: &'static str,
    /// What is deployed in the end by this run, with its state.
    made: &'static [&'static str],
    /// Whether `runs resume` has something to continue.
    goes_on: bool,
}

const A: &str = "Project A 2.0.0 Success";
const B: &str = "Project B 2.0.0 Success";
const C: &str = "Project C 2.0.0 Success";
const UNDONE: &[&str] = &[A, B, "Project C 2.1.0 Failed", "Project B 1.1.0 Success", "Project A 1.1.0 Success"];

const fn ended(name: &'static str, state: &'static str, code: i32, told: &'static str, made: &'static [&'static str]) -> Left {
    Left { name, state, code, told, made, goes_on: false }
}

const fn open(name: &'static str, state: &'static str, code: i32, told: &'static str, made: &'static [&'static str]) -> Left {
    Left { name, state, code, told, made, goes_on: true }
}

/// All of them. Those that go on do so in this order: no train gets a lock that another one holds.
const RUNS: &[Left] = &[
    ended("train-succeeded", "Succeeded", 0, "has succeeded, 2025-06-02T08:42:", &[A, B, C]),
    ended("saga-failed", "Failed", 5, "the test payment was declined", UNDONE),
    ended("night-cancelled", "Cancelled", 4, "was cancelled", &[]),
    ended("nightly", "Succeeded", 0, "has succeeded", &[B]),
    ended("nightly~1", "Succeeded", 0, "has succeeded", &[B]),
    ended("again-requeued", "Succeeded", 0, "has succeeded", &["Project C 2.0.0 Queued", "Project C 2.0.0 Queued"]),
    open("train-killed-before-sent", "Interrupted", 0, "continuing run", &[A, B, C]),
    open("train-killed-before-answer", "Interrupted", 0, "continuing run", &[A, B, C]),
    open("train-killed-side-by-side", "Interrupted", 0, "continuing run", &[A, B, C]),
    open("train-killed-in-wait", "Interrupted", 0, "continuing run", &[A, B, C]),
    open("saga-killed-in-undo", "Interrupted", 5, "the test payment was declined", UNDONE),
    open("one-in-doubt", "Stopped", 0, "continuing run", &[B]),
    open("one-server-away", "Stopped", 0, "continuing run", &[B]),
    open("one-suspended", "Suspended", 0, "continuing run", &[B]),
    open("night-suspended", "Suspended", 0, "continuing run", &[A]),
];

/// A copy of a store of version 0.1.0, and the scripts of its runs.
struct Kept {
    folder: TempDir,
    store: String,
    requests: Value,
}

fn fixture() -> PathBuf {
    root().join("tests/fixtures/0.1.0")
}

fn unpacked(name: &str) -> Vec<u8> {
    let file = fs::File::open(fixture().join("stores.zip")).expect("the stores");
    let mut all = zip::ZipArchive::new(file).expect("an archive");
    let mut bytes = Vec::new();
    all.by_name(name).expect("a store").read_to_end(&mut bytes).expect("its bytes");
    bytes
}

impl Kept {
    fn with(store: impl FnOnce(&TempDir) -> String) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir_all(folder.path().join("scripts")).expect("made");
        for script in fs::read_dir(fixture().join("scripts")).expect("scripts").flatten() {
            fs::copy(script.path(), folder.path().join("scripts").join(script.file_name())).expect("copied");
        }
        crate::support::measured(&folder.path().join("state"), SERVER);
        let requests = fs::read(fixture().join("requests.json")).expect("requests");
        Self { store: store(&folder), folder, requests: serde_json::from_slice(&requests).expect("JSON") }
    }

    fn sqlite() -> Self {
        Self::with(|folder| {
            let store = folder.path().join("journal");
            fs::create_dir(&store).expect("made");
            fs::write(store.join("runs.sqlite"), unpacked("runs.sqlite")).expect("written");
            store.display().to_string()
        })
    }

    fn postgres() -> Self {
        Self::with(|_| {
            let database = postgres::database();
            postgres::execute(&database, &String::from_utf8(unpacked("postgres.sql")).expect("text")).expect("loaded");
            database
        })
    }

    /// The binary in the folder of the scripts; what it tells holds no secret.
    fn octorhai(&self, at: Option<&Server>, arguments: &[&str]) -> Ran {
        let mut command = octorhai();
        command.current_dir(self.folder.path()).env("OCTORHAI_STORE", &self.store).env("OCTORHAI_LOCKS", "store").args(arguments);
        command.env("OCTORHAI_STATE", self.folder.path().join("state")).env("OCTOPUS_API_KEY", "API-SANDBOX").env("OCTOPUS_URL", SERVER);
        command.env("OCTORHAI_PARAM_CHAT_TOKEN", SECRETS[0]);
        if let Some(server) = at {
            let smtp = server.mails_at.trim_start_matches("smtp://");
            command.env("HTTP_PROXY", &server.process.url).env("OCTORHAI_SMTP_URL", format!("smtp://octorhai:{}@{smtp}", SECRETS[1]));
        }
        let ran = finish(&mut command);
        for secret in SECRETS {
            assert!(!ran.stdout.contains(secret) && !ran.stderr.contains(secret), "{ran:?}");
        }
        ran
    }

    /// The server as the run left it.
    fn server(&self, run: &str) -> Server {
        let server = Server::start();
        let left = &self.requests[run];
        for write in left["writes"].as_array().expect("a list") {
            let answer = server.send(write["method"].as_str(), write["path"].as_str(), &write["at"], &write["body"]);
            assert_eq!(answer["Id"], write["id"], "{run}: a sandbox that gives other ids than that of 0.1.0 did");
        }
        server.send(Some("GET"), Some("/api/Spaces-1/tasks?take=1"), &left["until"], &Value::Null);
        server
    }

    /// The runs that `runs list` knows, with their states.
    fn listed(&self) -> BTreeMap<String, String> {
        let ran = self.octorhai(None, &["runs", "list", "--limit", "0", "--output", "json"]);
        assert_eq!(ran.code, 0, "{ran:?}");
        let lines = ran.stdout.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
        let text = |run: &Value, name: &str| run[name].as_str().expect("text").to_owned();
        lines.map(|run| (text(&run, "name"), text(&run, "state"))).collect()
    }
}

/// A sandbox in a process of its own.
struct Server {
    process: Standalone,
    runtime: tokio::runtime::Runtime,
    http: reqwest::Client,
    mails_at: String,
}

impl Server {
    fn start() -> Self {
        let process = Standalone::start(&fixture().join("world.toml").display().to_string(), &["--virtual", "--host", "octopus.test"]);
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mails_at = process.get("/sandbox/context")["smtp"].as_str().expect("an address").to_owned();
        Self {
            process,
            runtime: tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime"),
            http: reqwest::Client::builder().no_proxy().build().expect("a client"),
            mails_at,
        }
    }

    fn send(&self, method: Option<&str>, path: Option<&str>, at: &Value, body: &Value) -> Value {
        let method = method.and_then(|method| method.parse().ok()).expect("a method");
        let url = format!("{}{}", self.process.url, path.expect("a path"));
        let request = self.http.request(method, url).header("X-Octopus-ApiKey", "API-SANDBOX");
        let request = request.header("X-Octorhai-Now", at.as_str().expect("a moment"));
        let request = if body.is_null() { request } else { request.json(body) };
        self.runtime.block_on(async { request.send().await.expect("an answer").json().await.expect("JSON") })
    }

    /// What was deployed since the world began.
    fn made(&self) -> Vec<String> {
        let state = self.process.get("/sandbox/state");
        let made = state["deployments"].as_array().expect("a list").iter().filter(|d| d["history"] == false);
        let text = |d: &Value, name: &str| d[name].as_str().unwrap_or_default().to_owned();
        made.map(|d| format!("{} {} {}", text(d, "project"), text(d, "release"), text(d, "state"))).collect()
    }

    fn asked(&self) -> usize {
        self.process.get("/sandbox/requests").as_array().expect("a list").len()
    }
}

/// Does it with both stores.
fn with_both(work: impl Fn(&Kept)) {
    work(&Kept::sqlite());
    work(&Kept::postgres());
}

#[test]
fn every_run_of_version_0_1_0_is_listed_and_shown() {
    with_both(|kept| {
        let wanted = RUNS.iter().map(|run| (run.name.to_owned(), run.state.to_owned())).collect::<BTreeMap<_, _>>();
        assert_eq!(kept.listed(), wanted, "a run of the fixture is not in the table, or stands otherwise");
        for run in RUNS {
            let ran = kept.octorhai(None, &["runs", "show", run.name]);
            assert_eq!(ran.code, 0, "{ran:?}");
            let lines: Vec<String> = ran.stdout.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
            let wanted =
                [format!("run {}", run.name), format!("state {}", run.state), "octorhai 0.1.0".to_owned(), format!("on server = {SERVER}")];
            for line in wanted {
                assert!(lines.contains(&line), "{line:?} is not in\n{}", ran.stdout);
            }
            let ran = kept.octorhai(None, &["runs", "show", run.name, "--output", "json"]);
            let shown: Value = serde_json::from_str(&ran.stdout).expect("JSON");
            assert!(ran.code == 0 && shown["engine"] == "0.1.0" && shown["timeline"].is_array(), "{ran:?}");
        }
    });
}

#[test]
fn each_run_of_version_0_1_0_is_continued_to_its_end_or_refused() {
    with_both(|kept| {
        for run in RUNS {
            let server = kept.server(run.name);
            let (before, made) = (server.asked(), server.made());
            let resume = || kept.octorhai(Some(&server), &["runs", "resume", run.name]);
            let mut ran = resume();
            // What was begun with --suspend is suspended again while there is something to wait for.
            for _ in 0..8 {
                if ran.code == 7 {
                    let by = json!({"by": "30m"});
                    server.send(Some("POST"), Some("/sandbox/advance"), &kept.requests[run.name]["until"], &by);
                    ran = resume();
                }
            }
            assert_eq!(ran.code, run.code, "{}: {}", run.name, ran.stderr);
            assert!(ran.stderr.contains(run.told) && ran.stderr.contains(run.name), "{}: {}", run.name, ran.stderr);
            assert_eq!(server.made(), run.made, "{}: {}", run.name, ran.stderr);
            if !run.goes_on {
                assert_eq!((server.asked(), server.made()), (before, made), "{}: something was sent", run.name);
            }
        }
        let unfinished = kept.octorhai(None, &["runs", "list", "--unfinished", "--output", "json"]);
        assert_eq!(unfinished.stdout, "", "all have come to their end");
        // A second time there is nothing to do, and nothing is asked.
        let server = Server::start();
        for run in RUNS {
            let ran = kept.octorhai(Some(&server), &["runs", "resume", run.name]);
            assert_eq!(ran.code, run.code, "{ran:?}");
        }
        assert_eq!(server.asked(), 0);
    });
}

#[test]
fn run_of_version_0_1_0_with_another_secret_is_refused_and_nothing_is_sent() {
    with_both(|kept| {
        let server = kept.server("train-killed-in-wait");
        let before = (server.asked(), server.made());
        let mut command = octorhai();
        command.current_dir(kept.folder.path()).env("OCTORHAI_STORE", &kept.store).env("OCTOPUS_API_KEY", "API-SANDBOX");
        command.env("OCTOPUS_URL", SERVER).env("OCTORHAI_PARAM_CHAT_TOKEN", "another one").env("HTTP_PROXY", &server.process.url);
        command.env("OCTORHAI_SMTP_URL", format!("smtp://octorhai:word@{}", server.mails_at.trim_start_matches("smtp://")));
        let ran = finish(command.args(["runs", "resume", "train-killed-in-wait"]));
        assert_eq!(ran.code, 2, "{ran:?}");
        assert!(ran.stderr.contains("`train-killed-in-wait`") && ran.stderr.contains("secret parameter `ChatToken`"), "{}", ran.stderr);
        // To know whether the server keeps time with its clients it is asked for its clock.
        assert_eq!(server.made(), before.1);
        assert_eq!(kept.listed()["train-killed-in-wait"], "Stopped");
    });
}

#[test]
fn cells_of_version_0_1_0_are_honoured() {
    with_both(|kept| {
        let locks = kept.octorhai(None, &["locks", "list", "--output", "json"]);
        let names = locks.stdout.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
        let held: BTreeSet<String> = names.map(|lock| lock["name"].as_str().expect("a name").to_owned()).collect();
        assert_eq!(held, ["area-2", "area-3", "area-4", "test-environment"].map(str::to_owned).into(), "{locks:?}");
        let shown = kept.octorhai(None, &["locks", "show", "test-environment"]);
        assert!(shown.code == 0 && shown.stdout.contains("train-killed-in-wait"), "{shown:?}");
        let script = r#"
            print(recall("last good"));
            print(once("announce 2.0.0", || { print("again"); false }));
            print(wait_arrivals("2.0.0 in Test", ["train"], #{timeout: "1m"}));
            print(lock_info("test-environment").held);
            lock("test-environment", #{on_busy: "skip"}, || print("inside"));
        "#;
        fs::write(kept.folder.path().join("cells.rhai"), script).expect("written");
        let server = kept.server("train-succeeded");
        let ran = kept.octorhai(Some(&server), &["run", "--server", SERVER, "--virtual-time", "--run-id", "cells", "cells.rhai"]);
        assert_eq!((ran.code, &*ran.stdout), (0, "2.0.0\ntrue\n[\"train\"]\ntrue\n"), "{}", ran.stderr);
    });
}
