//! Ctrl-C and SIGTERM at every request, most of them with a lock held: a stop is final, and leaves nothing that is in anybody's way.

use super::{
    End,
    gate::{Gate, Moment},
    play::{Ground, shown},
    quiet::{Quiet, telling},
    rule::undone,
};
use crate::{play::Stage, scenes::Scene, support::until};
use octorhai::{clock::Clock, journal::RunState};
use std::{
    io::Read,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

/// Scenes that hold locks.
pub const SCENES: &[&str] = &["a saga in a lock", "locks in a saga", "what is remembered", "the train arrives"];

const STOPPED: i32 = octorhai::error::Kind::Cancelled.exit_code() as i32;

/// A signal at a request.
pub struct Point<'a> {
    quiet: &'a Quiet,
    time: Time,
    signal: &'static str,
    nth: usize,
    moment: Moment,
    at: String,
}

impl super::Point for Point<'_> {
    fn quiet(&self) -> &Quiet {
        self.quiet
    }

    fn kind(&self) -> &'static str {
        if self.signal == "-INT" { "Ctrl-C" } else { "SIGTERM" }
    }

    fn play(&self) -> End {
        let quiet = self.quiet;
        let mut ground = Ground::on(self.time.stage(&quiet.scene), &quiet.scene, quiet.measured);
        let gate = ground.behind_gate();
        signalled(&mut ground, &gate, self.signal, self.nth, self.moment);
        let wrong = wrong(quiet, &mut ground);
        End { at: self.at.clone(), wrong: (!wrong.is_empty()).then_some(wrong), talk: ground.talk() }
    }
}

/// A signal at each request and at each answer, one or the other in turn.
pub fn points(quiet: &Quiet) -> Vec<Point<'_>> {
    let all = telling(&quiet.requests).into_iter();
    all.flat_map(|(nth, request)| {
        [("-INT", Moment::Request), ("-TERM", Moment::Answer)].map(|how| point(quiet, Time::Virtual, how, nth, request))
    })
    .collect()
}

/// Both signals at each request and each answer until the run first waits for a deployment: until there they are the same in real time.
pub fn points_in_real_time(quiet: &Quiet) -> Vec<Point<'_>> {
    let wait = quiet.requests.iter().position(|request| request.contains("/tasks?ids=")).expect("it waits");
    let moments = ["-INT", "-TERM"].map(|signal| [Moment::Request, Moment::Answer].map(|moment| (signal, moment)));
    let all = (1..).zip(&quiet.requests[..=wait]);
    all.flat_map(|(nth, request)| moments.into_iter().flatten().map(move |how| point(quiet, Time::Real, how, nth, request))).collect()
}

fn point<'a>(quiet: &'a Quiet, time: Time, (signal, moment): (&'static str, Moment), nth: usize, request: &str) -> Point<'a> {
    Point { quiet, time, signal, nth, moment, at: format!("request {nth}, {request}, {moment:?}") }
}

/// Sends a signal to a process, and leaves it a moment to hear it: a request goes on when it did.
pub fn send(signal: &str, process: u32) {
    Command::new("kill").args([signal, &process.to_string()]).status().expect("kill runs");
    std::thread::sleep(Duration::from_millis(20));
}

/// Starts the run behind a gate, and signals it at a request.
pub fn signalled(ground: &mut Ground<'_>, gate: &Gate, signal: &'static str, nth: usize, moment: Moment) {
    let process = Arc::new(AtomicU32::new(0));
    let told = Arc::clone(&process);
    gate.at(nth, moment, move || {
        let process = until("the process", || Some(told.load(Ordering::SeqCst)).filter(|id| *id > 0));
        send(signal, process);
    });
    let mut child = ground.prepared(&[]).spawn().expect("it starts");
    process.store(child.id(), Ordering::SeqCst);
    let mut out = child.stdout.take().expect("a pipe");
    std::thread::spawn(move || std::io::copy(&mut out, &mut std::io::sink()));
    let mut talk = String::new();
    let _ = child.stderr.take().expect("a pipe").read_to_string(&mut talk);
    let status = child.wait().expect("it ends");
    gate.calm();
    ground.ended(status.code(), talk);
}

/// How time passes.
#[derive(Clone, Copy)]
pub enum Time {
    Virtual,
    /// As on the wall, for what the end of a run may take; on the server it is fast, so that deployments take no time.
    Real,
}

impl Time {
    pub fn stage(self, scene: &Scene) -> Stage {
        match self {
            Self::Virtual => Stage::set(scene),
            Self::Real => Stage::on(scene, |start| Clock::scaled(start, 600.0)),
        }
    }
}

fn wrong(quiet: &Quiet, ground: &mut Ground<'_>) -> Vec<String> {
    let mut problems = Vec::new();
    // It may have been over when it heard of it.
    if !ground.is_over() {
        let first = ground.starts.first().expect("it was started");
        if first.code != Some(STOPPED) || !matches!(first.state, Some(RunState::Cancelled { .. })) {
            problems.push(format!("it is not cancelled: exit {:?}, {}", first.code, shown(first.state.as_ref())));
        }
        if !first.talk.contains("ended with exit code") {
            problems.push("it ended without its last lines".to_owned());
        }
    }
    let stopped = ground.world();
    // What was running is cancelled, that is what `--on-cancel` says; but nothing else is begun.
    problems.extend(undone(&quiet.wanted, &stopped).into_iter().filter(|problem| !problem.starts_with("cancelled")));
    ground.stage.clock.advance(jiff::SignedDuration::from_mins(1));
    let due = ground.octorhai(&["runs", "--store", &ground.store.clone(), "resume", "--due"]);
    ground.run(due);
    let after = ground.world();
    if (after.deployments.len(), after.runbook_runs.len(), after.mails.len())
        != (stopped.deployments.len(), stopped.runbook_runs.len(), stopped.mails.len())
    {
        problems.push("`runs resume --due` goes on with what somebody stopped".to_owned());
    }
    if !ground.next_gets_the_locks() {
        problems.push("the next run does not get the locks".to_owned());
    }
    problems
}
