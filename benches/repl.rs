//! How long a person waits for the REPL: for the first prompt and for Tab, on a terminal, in a world of 5,000 projects.
//!
//! `cargo bench --bench repl` prints a table. The rival is the REPL that most machines have: `python3 -q`, asked for the same two things.
#![allow(clippy::print_stdout, reason = "the table is what it is for")]
#![cfg(unix)]

#[path = "../tests/it/support/terminal.rs"]
#[allow(dead_code, reason = "tests use the rest")]
mod terminal;

use octorhai::clock::Stopwatch;
use terminal::Terminal;

const ROUNDS: usize = 20;

/// The median, in milliseconds.
fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

/// From the start to the prompt, then from a Tab to what it completes, in milliseconds.
fn one(program: &str, arguments: &[&str], prompt: &str, typed: &str, completed: &str) -> (f64, f64) {
    let folder = std::env::temp_dir();
    let since = Stopwatch::start();
    let mut terminal = Terminal::of(program, &folder, arguments, &[]);
    terminal.until(prompt, |screen| screen.lines().last().is_some_and(|line| line.starts_with(prompt)));
    let first = since.elapsed().as_secs_f64() * 1000.0;
    terminal.types(typed);
    terminal.shows(typed);
    let since = Stopwatch::start();
    terminal.types("\t");
    terminal.shows(completed);
    (first, since.elapsed().as_secs_f64() * 1000.0)
}

fn many(name: &str, program: &str, arguments: &[&str], prompt: &str, typed: &str, completed: &str) -> (f64, f64) {
    let all: Vec<(f64, f64)> = (0..ROUNDS).map(|_| one(program, arguments, prompt, typed, completed)).collect();
    let worst = |of: fn(&(f64, f64)) -> f64| all.iter().map(of).fold(0.0, f64::max);
    let (first, tab) = (median(all.iter().map(|one| one.0).collect()), median(all.iter().map(|one| one.1).collect()));
    println!(
        "{name:<28} first prompt {first:>6.1} ms (worst {:>6.1})   Tab {tab:>6.1} ms (worst {:>6.1})",
        worst(|one| one.0),
        worst(|one| one.1)
    );
    (first, tab)
}

fn main() {
    let ours = env!("CARGO_BIN_EXE_octorhai");
    let fleet = ["repl", "--no-history", "--sandbox=fleet(5000)"];
    let (first, tab) =
        many("octorhai on fleet(5000)", ours, &fleet, "sandbox fleet(5000) Default>", "deploy(\"Project 499", "Project 4990");
    let rival = many("python3", "python3", &["-q"], ">>>", "__buil", "__builtins__");
    println!("ratio to python3: first prompt {:.2}, Tab {:.2}", first / rival.0, tab / rival.1);
}
