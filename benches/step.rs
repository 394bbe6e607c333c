//! How long a step waits for its first line, beside an empty script in the same shell with the same variables.
//!
//! `cargo bench --bench step` prints a table. PowerShell is measured when `OCTORHAI_TEST_KITS` names a folder with it. *With the array*
//! is a server that fills `octopus_parameters`; *functions unknown* is an agent whose functions have another text than Calamari's, so that
//! the launcher calls them for each variable.
#![allow(clippy::print_stdout, reason = "the table is what it is for")]
#![cfg(unix)]

#[path = "../tests/it/support/kits.rs"]
mod kits;
#[path = "../tests/it/support/worker.rs"]
#[allow(dead_code, reason = "tests use the rest")]
mod worker;

use octorhai::{
    clock::{Clock, Stopwatch},
    sandbox::{Sandbox, World},
    template::{Script, Shell, export},
};
use serde_json::Value;
use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
};
use worker::Worker;

const ROUNDS: usize = 15;
/// Variables of the project that the step does not need.
const OTHERS: usize = 150;
/// What may be lost by the launcher and the program, in milliseconds.
const BAR: f64 = 150.0;

/// Milliseconds until the line `first` is there.
fn first_line(worker: &Worker, body: &str) -> f64 {
    let mut command = worker.command(body);
    let since = Stopwatch::start();
    let mut child = command.spawn().expect("the shell starts");
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines().map(|line| line.expect("text"));
    let mut told = Vec::new();
    assert!(lines.by_ref().inspect(|line| told.push(line.clone())).any(|line| line == "first"), "{told:#?}");
    let took = since.elapsed().as_secs_f64() * 1000.0;
    lines.for_each(drop);
    assert!(child.wait().expect("it ends").success());
    took
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

fn with_array(text: String) -> String {
    text + "declare -A octopus_parameters=([Octorhai.First.Server.Url]=raw)\n"
}

fn unknown(text: String) -> String {
    text.replace("echo -n \"$1\"", "printf %s \"$1\"")
}

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let world = World::from_toml("shop", &World::builtin_toml("shop").expect("a built-in world")).expect("a good world");
    let clock = Clock::scaled(world.start(), 1.0);
    let sandbox = runtime.block_on(Sandbox::start(world, clock, SocketAddr::from(([127, 0, 0, 1], 0)))).expect("a server");
    let script =
        Script { name: "first.rhai".into(), text: "print(\"first\");".into(), files: Vec::new(), params: Vec::new(), about: String::new() };
    println!("| shell | empty script | step | more | ratio | at most {BAR:.0} ms more |\n|---|---|---|---|---|---|");
    let same: fn(String) -> String = |text| text;
    for (shell, title, functions) in [
        (Shell::Bash, "Bash", same),
        (Shell::Bash, "Bash, with the array", with_array),
        (Shell::Bash, "Bash, functions unknown", unknown),
        (Shell::PowerShell, "PowerShell", same),
    ] {
        let Some(mut worker) = Worker::new("the bench of steps", shell) else { continue };
        worker.functions = functions;
        for at in 0..OTHERS {
            worker.set(&format!("Project.Variable{at}"), &format!("value {at}"));
        }
        for name in octorhai::step::frame::SYSTEM_VARIABLES.iter().filter(|name| !name.contains("Runbook") && !name.contains("Tenant")) {
            worker.set(name, "1");
        }
        worker
            .set("Octopus.Web.ServerUri", &sandbox.url())
            .set("Octorhai.First.Server.ApiKey", "API-SANDBOX")
            .set("Octopus.Space.Id", "Spaces-1");
        worker.set("Octopus.Space.Name", "Default").set("Octopus.Environment.Name", "Test").set("Octopus.Project.Name", "Project A");
        let program = env!("CARGO_BIN_EXE_octorhai");
        worker.set("Octorhai.First.BinaryPath", program).set("Octorhai.First.Server.Url", "");
        let template = export(&script, shell, None, None, jiff::Timestamp::UNIX_EPOCH).expect("a template");
        let template: Value = serde_json::from_str(&template).expect("JSON");
        let body = template["Properties"]["Octopus.Action.Script.ScriptBody"].as_str().expect("a body");
        let empty = if shell == Shell::Bash { "echo first" } else { "[Console]::Out.WriteLine('first')" };
        // In turn, so that both see the same machine.
        let (mut without, mut with) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            without.push(first_line(&worker, empty));
            with.push(first_line(&worker, body));
        }
        let (without, with) = (median(without), median(with));
        let more = with - without;
        let held = if more <= BAR { "yes" } else { "no" };
        println!("| {title} | {without:.0} ms | {with:.0} ms | {more:.0} ms | {:.1} | {held} |", with / without);
    }
}
