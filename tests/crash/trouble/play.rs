//! Plays a scene while something around it goes wrong: until the run ends or stops, then, when all is well again, on.

use super::gate::Gate;
use crate::{
    oracle::Ended,
    play::{LONGEST, Stage, command},
    scenes::Scene,
    support::{measured, octorhai},
};
use assert_cmd::Command;
use jiff::SignedDuration;
use octorhai::{
    error::Kind,
    journal::{self, RunState, StepState},
};
use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
};

/// How often a run is started again before we say that it does not end.
const MOST_STARTS: usize = 5;

pub const IN_DOUBT: i32 = Kind::InDoubt.exit_code() as i32;

/// After so long every trouble here is over and what was late has arrived.
pub const OVER: SignedDuration = SignedDuration::from_mins(21);

/// A run and what is around it.
pub struct Ground<'a> {
    pub scene: &'a Scene,
    pub stage: Stage,
    /// Where the run finds the server.
    pub url: String,
    folder: tempfile::TempDir,
    /// Where its record is: a folder, or the address of a database.
    pub store: String,
    /// Whether doctor has measured the server.
    pub measured: bool,
    pub starts: Vec<Start>,
    /// What others had done before it.
    pub before: Ended,
    /// How many requests they had sent.
    asked: usize,
}

/// How a start ended.
pub struct Start {
    pub code: Option<i32>,
    /// What its record says then; none when there is no record, or nobody can read it.
    pub state: Option<RunState>,
    pub talk: String,
}

impl<'a> Ground<'a> {
    pub fn new(scene: &'a Scene, measured: bool) -> Self {
        Self::on(Stage::set(scene), scene, measured)
    }

    pub fn on(stage: Stage, scene: &'a Scene, measured: bool) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let store = folder.path().join("store").to_str().expect("a path").to_owned();
        let before = Ended::of(&stage.sandbox.state(), Vec::new());
        let asked = stage.ask("/sandbox/requests", None).as_array().map_or(0, Vec::len);
        Self { scene, url: stage.sandbox.url(), stage, folder, store, measured, starts: Vec::new(), before, asked }
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A gate in front of the server, through which the run goes from now on.
    pub fn behind_gate(&mut self) -> Gate {
        let gate = Gate::before(&self.stage.runtime, self.stage.sandbox.url());
        self.url.clone_from(&gate.url);
        gate
    }

    /// The run with more options, to be started.
    pub fn prepared(&self, options: &[&str]) -> std::process::Command {
        if self.measured {
            measured(self.folder(), &self.url);
        }
        command(self.scene, &self.stage, &self.url, self.folder(), &self.store, options)
    }

    pub fn command(&self) -> Command {
        let mut command = Command::from_std(self.prepared(&[]));
        command.timeout(LONGEST);
        command
    }

    /// Begins the run anew: the one of its name has ended.
    pub fn start_anew(&mut self) {
        let mut command = Command::from_std(self.prepared(&["--anew"]));
        command.timeout(LONGEST);
        self.run(command);
    }

    /// Another command of the program, on the same server.
    pub fn octorhai(&self, arguments: &[&str]) -> Command {
        let mut command = octorhai();
        command.env("OCTOPUS_URL", &self.url).env("OCTOPUS_API_KEY", self.stage.sandbox.api_key()).env("OCTORHAI_STATE", self.folder());
        command.timeout(LONGEST).args(arguments);
        command
    }

    /// Starts the run, or goes on with it.
    pub fn start(&mut self) {
        let command = self.command();
        self.run(command);
    }

    pub fn run(&mut self, mut command: Command) {
        let output = command.output().expect("the binary runs");
        self.ended(output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned());
    }

    /// Keeps how a start ended.
    pub fn ended(&mut self, code: Option<i32>, talk: String) {
        self.starts.push(Start { code, state: self.state(), talk });
    }

    /// How the run stands in its record.
    pub fn state(&self) -> Option<RunState> {
        if !self.store.contains("://") && !PathBuf::from(&self.store).join("runs.sqlite").exists() {
            return None;
        }
        journal::open(&self.store).and_then(|store| store.run("crash")).ok().flatten().map(|run| run.state)
    }

    /// How many deployments were sent, or about to be, of which the record does not know what came of them.
    pub fn in_doubt(&self) -> usize {
        let steps = journal::open(&self.store).and_then(|store| store.steps("crash")).unwrap_or_default();
        steps.iter().filter(|step| step.state == StepState::Intent && step.kind == "deploy").count()
    }

    /// Whether the last start ended the run.
    pub fn is_over(&self) -> bool {
        let last = self.starts.last().expect("it was started");
        last.code == Some(self.scene.code) && last.state.as_ref().is_some_and(|state| !state.is_unfinished())
    }

    /// Goes on with the run, with nothing in its way, until it has ended. What never arrived at a server that nobody has
    /// measured stays in doubt: then somebody measures it.
    pub fn go_on(&mut self) {
        while !self.is_over() && self.starts.len() < MOST_STARTS {
            self.start();
            self.measured |= self.starts.last().is_some_and(|start| start.code == Some(IN_DOUBT));
        }
    }

    /// What is true on the server now.
    pub fn world(&self) -> Ended {
        Ended::of(&self.stage.sandbox.state(), Vec::new())
    }

    /// What is true when all that is on its way has ended: the same comparison whenever the run stopped looking.
    pub fn end(&self) -> Ended {
        self.stage.clock.advance(SignedDuration::from_hours(48));
        let mut variables = self.stage.variables();
        variables.extend(self.blocked());
        Ended::of(&self.stage.sandbox.state(), variables)
    }

    /// Releases and which of them are blocked.
    fn blocked(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let releases = self.stage.ask("/api/Spaces-1/releases?take=1000", None);
        for release in releases["Items"].as_array().into_iter().flatten() {
            let path = format!("/api/Spaces-1/releases/{}/defects", release["Id"].as_str().unwrap_or_default());
            let defects = self.stage.ask(&path, None);
            let defects = defects["Items"].as_array().into_iter().flatten();
            let defects: Vec<String> = defects.map(|d| format!("{} {}", d["Status"], d["Description"])).collect();
            lines.push(format!("release {} {} {}", release["ProjectId"], release["Version"], defects.join(", ")));
        }
        lines
    }

    /// Whether another run gets every lock that is not free within the time that a taker is told: the holder is gone, and what it
    /// sent can take effect for two minutes on a server that nobody has measured.
    pub fn next_gets_the_locks(&mut self) -> bool {
        let name = |line: &String| line.split('"').find_map(|word| word.strip_prefix("lock/").map(str::to_owned));
        let locks: Vec<String> = self.stage.variables().iter().filter_map(name).collect();
        if locks.is_empty() {
            return true;
        }
        let takes: Vec<String> = locks.iter().map(|name| format!("lock({name:?}, #{{wait_up_to: \"10m\"}}, || ());")).collect();
        let script = self.folder().join("next.rhai");
        std::fs::write(&script, takes.join("\n")).expect("written");
        let mut next = self.octorhai(&["run", "--store", "none", "--server", &self.url]);
        next.args(self.stage.clock.is_virtual().then_some("--virtual-time")).arg(&script);
        self.run(next);
        self.starts.last().is_some_and(|next| next.code == Some(0))
    }

    /// The requests of the run, `POST /api/...`, with what they were answered.
    pub fn requests(&self) -> Vec<(String, i64)> {
        let requests = self.stage.ask("/sandbox/requests", None);
        let requests = requests.as_array().into_iter().flatten().skip(self.asked);
        requests
            .map(|r| {
                let name = format!("{} {}", r["method"].as_str().unwrap_or("-"), r["path"].as_str().unwrap_or("-"));
                (name, r["status"].as_i64().unwrap_or_default())
            })
            .collect()
    }

    /// All that was said.
    pub fn talk(&self) -> String {
        let mut talk = String::new();
        for start in &self.starts {
            let _ = writeln!(talk, "--- exit {:?}, {}\n{}", start.code, shown(start.state.as_ref()), start.talk.trim_end());
        }
        talk
    }
}

/// A state in words.
pub fn shown(state: Option<&RunState>) -> String {
    state.map_or_else(|| "no record".to_owned(), |state| format!("{state:?}"))
}
