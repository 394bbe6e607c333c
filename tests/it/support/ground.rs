//! A sandbox in a process of its own, and runs on it that are journaled in a folder.

use crate::support::{self, Ran, octorhai, shop, standalone::Standalone};
use octorhai::journal::{self, Journal, RunState};
use serde_json::Value;
use std::{fs, path::Path};
use tempfile::TempDir;

/// A sandbox in virtual time, and a folder with scripts and a journal.
pub struct Ground {
    pub sandbox: Standalone,
    pub folder: TempDir,
}

impl Ground {
    pub fn new() -> Self {
        Self::in_world(&shop(&[]))
    }

    pub fn in_world(world: &str) -> Self {
        Self::with_clock(world, &["--virtual"])
    }

    /// `clock` is an option of `octorhai sandbox`.
    pub fn with_clock(world: &str, clock: &[&str]) -> Self {
        Self::with_files(clock, |_| world.to_owned())
    }

    /// `fill` writes what stands beside the world, and gives the world.
    pub fn with_files(clock: &[&str], fill: impl FnOnce(&Path) -> String) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("world.toml");
        fs::write(&file, fill(folder.path())).expect("written");
        fs::create_dir(folder.path().join("scripts")).expect("made");
        Self { sandbox: Standalone::start(&file.display().to_string(), clock), folder }
    }

    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.path().join("scripts").join(name), text).expect("written");
    }

    /// The binary in the folder with the journal `journal`; `surroundings` are added to the environment.
    pub fn octorhai(&self, arguments: &[&str], surroundings: &[(&str, &str)]) -> Ran {
        let mut command = octorhai();
        command.current_dir(self.folder.path()).env("OCTORHAI_STORE", self.folder.path().join("journal"));
        command
            .env("OCTOPUS_URL", &self.sandbox.url)
            .env("OCTOPUS_API_KEY", "API-SANDBOX")
            .envs(surroundings.iter().copied())
            .args(arguments);
        support::finish(&mut command)
    }

    pub fn run(&self, name: &str, script: &str, arguments: &[&str], surroundings: &[(&str, &str)]) -> Ran {
        let mut all = vec!["run", "--server", &self.sandbox.url, "--virtual-time", "--run-id", name, "--env", "Test", script];
        all.extend(arguments);
        self.octorhai(&all, surroundings)
    }

    /// The same, killed at the first place after which something is deployed.
    pub fn killed(&self, name: &str, script: &str, arguments: &[&str]) {
        let before = self.deployed().len();
        let arguments = [&["--anew"], arguments].concat();
        for at in 1.. {
            let ran = self.run(name, script, &arguments, &[("OCTORHAI_CRASH_AT", &at.to_string())]);
            assert_eq!(ran.code, -1, "it ended before it was killed: {}", ran.stderr);
            if self.deployed().len() > before {
                return;
            }
            let _not_begun_yet = self.octorhai(&["runs", "cancel", name], &[]);
        }
    }

    pub fn resume(&self, arguments: &[&str]) -> Ran {
        let mut all = vec!["runs", "resume"];
        all.extend(arguments);
        self.octorhai(&all, &[])
    }

    pub fn journal(&self) -> Journal {
        journal::open(self.folder.path().join("journal").to_str().expect("a path")).expect("a store")
    }

    pub fn state(&self, name: &str) -> RunState {
        self.journal().run(name).expect("read").expect("there").state
    }

    /// The projects, in the order in which they were deployed, without what was there before.
    pub fn deployed(&self) -> Vec<String> {
        self.made().iter().map(|d| d["project"].as_str().expect("a name").to_owned()).collect()
    }

    /// The same with their releases.
    pub fn releases(&self) -> Vec<String> {
        let text = |d: &Value, name: &str| d[name].as_str().expect("text").to_owned();
        self.made().iter().map(|d| format!("{} {}", text(d, "project"), text(d, "release"))).collect()
    }

    fn made(&self) -> Vec<Value> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let state = runtime.block_on(async {
            let clock = octorhai::clock::Clock::real();
            let settings = octorhai::api::Settings::new(known_key(&self.sandbox.url), clock, octorhai::cancel::Cancel::new());
            let client = octorhai::api::Client::new(settings).expect("a client");
            client.raw("GET", "/sandbox/state", Some(&Value::Null)).await.expect("an answer")
        });
        state["deployments"].as_array().expect("a list").iter().filter(|d| d["history"] != true).cloned().collect()
    }
}

/// The key of a sandbox that names none.
pub fn known_key(url: &str) -> octorhai::api::Credential {
    octorhai::api::Credential::api_key(url, "API-SANDBOX").expect("a key for an address")
}

#[track_caller]
pub fn told(ran: &Ran, code: i32, parts: &[&str]) {
    assert_eq!(ran.code, code, "{ran:?}");
    for part in parts {
        assert!(ran.stderr.contains(part), "{part:?} is not in\n{}", ran.stderr);
    }
}
