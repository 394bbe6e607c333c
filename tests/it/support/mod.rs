//! What the tests of whole runs share: the binary in a sealed environment, worlds made from the built-in ones.
#![allow(dead_code, reason = "the programs that run alone use a part of it")]

pub mod certificates;
#[cfg(unix)]
pub mod going;
pub mod golden;
pub mod ground;
pub mod http;
pub mod kits;
pub mod listening;
#[cfg(target_os = "linux")]
pub mod memory;
pub mod octostache;
pub mod payloads;
#[cfg(unix)]
pub mod postgres;
pub mod proxy;
pub mod records;
pub mod registers;
pub mod server;
pub mod standalone;
#[cfg(unix)]
pub mod step;
#[cfg(unix)]
pub mod terminal;
#[cfg(unix)]
pub mod worker;

use assert_cmd::Command;
use octorhai::{
    doctor,
    engine::Source,
    event::{Event, Recorder},
    run::{ContextSettings, OnCancel, Outcome, Settings, Target},
    sandbox::World,
};
use std::{collections::BTreeMap, path::Path, process::Stdio, sync::Arc};

/// The root of the repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// How the binary ended.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

/// The binary in the root of the repository, with an environment that holds nothing of this machine's.
pub fn octorhai() -> Command {
    Command::from_std(sealed())
}

fn sealed() -> std::process::Command {
    let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin!("octorhai"));
    command.current_dir(root()).env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("NO_COLOR", "1").env("TZ", "UTC");
    command
}

/// The same for processes that are watched while they run: stdout and stderr are pipes.
pub fn octorhai_command() -> std::process::Command {
    let mut command = sealed();
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs the binary with arguments.
pub fn run(arguments: &[&str]) -> Ran {
    finish(octorhai().args(arguments))
}

/// How many random cases a property is tried with: `OCTORHAI_CASES` times as many as usual.
pub fn cases(usual: u32) -> u32 {
    usual * std::env::var("OCTORHAI_CASES").map_or(1, |times| times.parse().expect("OCTORHAI_CASES is a number"))
}

/// Waits until `look` finds something: for what other processes do. Far longer than it takes on the busiest machine.
#[track_caller]
pub fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    for _ in 0..6000 {
        if let Some(found) = look() {
            return found;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    panic!("{what} did not come")
}

/// Runs a prepared command to its end.
pub fn finish(command: &mut Command) -> Ran {
    let output = command.output().expect("the binary runs");
    Ran {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// The built-in world `shop` with pieces of its text replaced; each piece must be there.
pub fn shop(changes: &[(&str, &str)]) -> String {
    let mut text = World::builtin_toml("shop").expect("a built-in world");
    for (from, to) in changes {
        assert!(text.contains(from), "the world has no {from:?}");
        text = text.replace(from, to);
    }
    text
}

/// `shop` where step `Verify payments` of Project C 2.0.0 fails in Test.
pub fn shop_where_c_fails() -> String {
    shop(&[(
        "{ name = \"Verify payments\",     takes = \"4m\" }",
        "{ name = \"Verify payments\", takes = \"4m\", fails = [ { release = \"2.0.0\", environment = \"Test\", error = \"the test payment was declined\" } ] }",
    )])
}

/// A run in this process.
pub struct InProcess {
    pub outcome: Outcome,
    pub events: Vec<Event>,
}

impl InProcess {
    /// What the script printed.
    pub fn printed(&self) -> String {
        use octorhai::event::What;
        let lines = self.events.iter().filter_map(|e| match &e.what {
            What::Print { text } => Some(text.clone()),
            _ => None,
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    /// The message of the error that ended it; empty when none did.
    pub fn error(&self) -> String {
        self.outcome.failure.as_ref().map(|f| f.error.message().to_owned()).unwrap_or_default()
    }
}

/// The built-in world `previews`.
pub fn previews() -> String {
    World::builtin_toml("previews").expect("a built-in world")
}

/// The world in which the example of a function runs.
pub fn world_of_example(function: &str) -> String {
    match function {
        "create_environment" | "deprovision" | "environment_status" => previews(),
        _ => shop(&[]),
    }
}

/// Runs the text of a script in a world given as TOML, in this process and in virtual time.
pub fn simulate(world: &str, script: &str) -> InProcess {
    let world = World::from_toml("test", world).expect("a good world");
    let events = Arc::new(Recorder::default());
    let outcome = octorhai::run::run(settings(Target::Sandbox(world), script, Arc::clone(&events)));
    InProcess { outcome, events: events.events() }
}

/// What `octorhai doctor` leaves in a state folder when the server at `url` was seen to keep to everything.
pub fn measured(state: &Path, url: &str) {
    let basis = doctor::Basis::Measured(jiff::Timestamp::constant(1_772_438_400, 0));
    let advice = doctor::Advice { basis, ..doctor::Advice::simulated(true, jiff::SignedDuration::ZERO, true) };
    let report = doctor::Report { server: octorhai::api::base_address(url).expect("an address"), findings: Vec::new(), advice };
    doctor::remember(&state.join("doctor.json"), &report).expect("kept");
}

/// Settings as the command line makes them without options.
pub fn settings(target: Target, script: &str, events: Arc<Recorder>) -> Settings {
    Settings {
        script: Source { name: "test.rhai".to_owned(), text: script.to_owned(), files: octorhai::run::Files::None },
        params: BTreeMap::new(),
        target,
        virtual_time: false,
        servers: BTreeMap::new(),
        context: ContextSettings::default(),
        zone: jiff::tz::TimeZone::UTC,
        on_cancel: OnCancel::Cancel,
        on_failure: OnCancel::Leave,
        smtp: None,
        mail_from: None,
        secrets: octorhai::secrets::Redactor::new(),
        artifacts: std::env::temp_dir().join("octorhai-test-artifacts"),
        max_operations: None,
        locks: octorhai::run::LocksAt::Octopus,
        journal: None,
        measured: None,
        store_patience: octorhai::journal::patience::USUAL,
        sinks: vec![events],
        cancel: octorhai::cancel::Cancel::new(),
    }
}
