//! The protocols that keep a deployment from happening twice and a lock from having two owners, as models of which every
//! state is looked at.
//!
//! A model proves a protocol under its assumptions, not the code that follows it. Each variant that is refuted stays here
//! and must go on being refuted: it shows that the models can see what is wrong, and why a step of the protocol is there.
//!
//! `cargo test --test model -- --nocapture` prints the variants with the states looked at.
//! `OCTORHAI_MODEL_TRACE=B4` prints the shortest way to what is wrong in a variant (`all`: in each).
//! `.ci/full model` (`OCTORHAI_MODEL_FULL=1`) adds the variants with three and four processes: minutes, and gigabytes of memory.
#![allow(clippy::print_stdout)] // the table and the traces are what is wanted

mod create;
mod explore;
mod lock;
mod queue;
mod readers;
mod rules;
mod trouble;

use create::{Create, Doubt};
use explore::{Found, Model, Verdict, explore};
use queue::{Place, Queue};
use readers::{Readers, Rule};
use rules::{Fence, Rules};
use std::env;
use trouble::{Taken, Trouble};

/// What is expected of a variant.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Expect {
    Holds,
    Violated,
    DeadEnd,
}

use Expect::{DeadEnd, Holds, Violated};

/// Looks at all of a variant and prints its line of the table.
#[track_caller]
fn look(name: &str, what: &str, expect: Expect, model: &impl Model) {
    let Found { states, steps, verdict } = explore(model);
    let (got, words, trace) = match verdict {
        Verdict::Holds => (Holds, "holds, and everyone can always finish".to_owned(), Vec::new()),
        Verdict::Violated(why, trace) => (Violated, format!("refuted in {} steps: {why}", trace.len() - 1), trace),
        Verdict::DeadEnd(trace) => (DeadEnd, format!("refuted in {} steps: somebody never finishes", trace.len() - 1), trace),
    };
    println!("| {name} | {what} | {states} | {steps} | {words} |");
    let asked = env::var("OCTORHAI_MODEL_TRACE").unwrap_or_default();
    if asked == name || asked == "all" || got != expect {
        println!("{}", trace.join("\n"));
    }
    assert!(got == expect, "{name} ({what}) should be {expect:?} and is {got:?}, after {states} states");
}

fn full() -> bool {
    env::var_os("OCTORHAI_MODEL_FULL").is_some()
}

const READERS: Readers = Readers { n: 2, rule: Rule::Alone, again: 1, zombies: false, twice: false };

#[test]
fn scripts_that_only_read() {
    let lowest = Readers { rule: Rule::Lowest, ..READERS };
    look("A1", "the lowest id enters", Violated, &lowest);
    look("A2", "whoever is alone enters", Holds, &READERS);
    look("A2-3", "the same, three scripts", Holds, &Readers { n: 3, again: 0, ..READERS });
    look("A4", "A2, and a script may outlive its task", Violated, &Readers { zombies: true, ..READERS });
    look("A5", "A2, and a task may run twice", Violated, &Readers { twice: true, ..READERS });
    if full() {
        look("A2-4", "A2, four scripts", Holds, &Readers { n: 4, again: 0, ..READERS });
    }
}

const PROTOCOL: Rules = Rules::PROTOCOL;
/// Nobody is killed, no task ends early.
const CALM: Rules = Rules { crashes: false, zombies: false, ..PROTOCOL };
const BARE: Rules = Rules { fence: Fence::None, self_check: false, ..PROTOCOL };
/// A server that checks first and writes later.
const RACY: Rules = Rules { atomic: false, repeats: false, ..PROTOCOL };
/// Two processes of one task.
const TWICE: Rules = Rules { one_task: true, fence: Fence::None, ..CALM };

#[test]
fn the_lock() {
    look("B0", "freed while a deployment is in doubt", Violated, &Rules { frees_in_doubt: true, takes: 2, ..CALM });
    look("B1", "no fence", Violated, &Rules { zombies: false, ..BARE });
    look("B2", "no fence, tasks may end early", Violated, &BARE);
    look("B3", "no fence, checks itself", Violated, &Rules { self_check: true, ..BARE });
    look("B4", "key revoked, not drained", Violated, &Rules { drain: false, ..PROTOCOL });
    look("B5", "key revoked and drained", Holds, &PROTOCOL);
    look("B6", "deployments with a deadline, waited for", Holds, &Rules { fence: Fence::Lease, repeats: false, ..PROTOCOL });
    look("B11", "taken over without asking for the owner", Violated, &Rules { ask: false, ..CALM });
}

#[test]
fn the_lock_on_a_server_that_writes_late() {
    look("B7", "no settling", Violated, &Rules { settle: false, settle_on_reread: false, crashes: false, zombies: false, ..RACY });
    look("B7r", "no settling where a record is already mine", Violated, &Rules { settle_on_reread: false, ..RACY });
    look("B7s", "settling from when an answer is given up", Violated, &Rules { settle_from_sending: true, ..RACY });
    look("B8", "settled, fenced and drained", Holds, &RACY);
}

#[test]
fn the_lock_when_a_task_runs_twice() {
    look("B9", "the lock is mine when its task is mine", Violated, &Rules { by_task: true, ..TWICE });
    look("B10", "the lock is mine when its process is mine", Holds, &TWICE);
    look("B10k", "the same, and a process is killed", DeadEnd, &Rules { crashes: true, ..TWICE });
    let restarts = Rules { restarts: true, crashes: true, fence: Fence::Key, ..TWICE };
    look("B12", "a process of the same task is fenced", Holds, &restarts);
    look("B12u", "the same without the fence", Violated, &Rules { fence: Fence::None, ..restarts });
}

#[test]
fn the_lock_with_three_processes() {
    let three = Rules { n: 3, repeats: false, late_posts: 0, losses: false, ..PROTOCOL };
    let racy = Rules { n: 3, late_puts: 0, late_posts: 0, losses: false, zombies: false, ..RACY };
    look("B13", "B8 without reading again after the fence, three processes", Violated, &Rules { read_again: false, ..racy });
    look("B8-3", "B8, three processes", Holds, &racy);
    if full() {
        look("B5-3", "B5, three processes", Holds, &three);
        look("B6-3", "B6, three processes", Holds, &Rules { fence: Fence::Lease, ..three });
        let twice = Rules { takes: 2, repeats: false, ..PROTOCOL };
        look("B5-2", "B5, each takes the lock twice", Holds, &twice);
        look("B6-2", "B6, each takes the lock twice", Holds, &Rules { fence: Fence::Lease, ..twice });
        look("B12-2", "B12, each takes the lock twice", Holds, &Rules { one_task: true, restarts: true, zombies: false, ..twice });
        look("B5-d", "B5, two deployments and two late answers", Holds, &Rules { deploys: 2, late_posts: 2, ..PROTOCOL });
    }
}

const TICKETS: Queue = Queue::PROTOCOL;
/// Nobody is killed and the queue is right.
const ORDERLY: Queue = Queue { n: 3, crashes: false, late: 0, mess: false, lapses: false, order: true, ..TICKETS };

#[test]
fn waiters_with_tickets() {
    look("D1", "tickets beside the record, struck when their turn has passed", Holds, &TICKETS);
    look("D1-3", "D1, three processes", Holds, &Queue { n: 3, late: 0, mess: false, ..TICKETS });
    look("D1o", "D1, and one knows no tickets", Holds, &Queue { old: true, ..TICKETS });
    look("D2", "a ticket is honoured for ever", DeadEnd, &Queue { lapses: false, mess: false, ..TICKETS });
    look("D3", "the first ticket is trusted instead of the record", Violated, &Queue { trusted: true, ..TICKETS });
    look("D4", "tickets in the record of the lock", Violated, &Queue { place: Place::Record, mess: false, ..TICKETS });
    look(
        "D4h",
        "the same, written only while it is held",
        Violated,
        &Queue { place: Place::RecordHeld, mess: false, n: 3, late: 0, ..TICKETS },
    );
    look("D5", "nobody is killed: first come, first served", Holds, &ORDERLY);
    look("D6", "D5, tickets are not looked at", Violated, &Queue { looks: false, ..ORDERLY });
    if full() {
        let exact = Queue { n: 3, atomic: true, ..TICKETS };
        look("D1-3e", "D1, three processes, late answers, a server with an exact check", Holds, &exact);
    }
}

const CREATE: Create = Create { doubt: Doubt::Expire, expiry: true, surplus: false, watch: true, kills: 2, twice: false };
/// Without a deadline there is nothing to watch for.
const PLAIN: Create = Create { expiry: false, watch: false, ..CREATE };

#[test]
fn creating_once() {
    look("C1", "a journal written after the call", Violated, &Create { doubt: Doubt::Unseen, ..PLAIN });
    look("C2", "the intent first, then tried again", Violated, &Create { doubt: Doubt::Retry, ..PLAIN });
    let looks = Create { doubt: Doubt::Look, ..PLAIN };
    look("C3", "the mark looked for, then tried again", Violated, &looks);
    look("C4", "C3, and what is too much is cancelled", Violated, &Create { surplus: true, ..looks });
    look("C5", "C3 with a deadline that is not waited for", Violated, &Create { expiry: true, watch: true, ..looks });
    look("C6", "tried again after the deadline, when nothing lives", Holds, &CREATE);
    look("C6w", "C6 that does not watch whether it starts", Violated, &Create { watch: false, ..CREATE });
    look("C6t", "C6, and a request may be delivered twice", Violated, &Create { twice: true, ..CREATE });
    look("C7", "the mark looked for once, else stopped", Holds, &Create { doubt: Doubt::Stop, ..PLAIN });
}

const STOPS: Trouble = Trouble { taken: Taken::Stop, odd: true, doubt: true };

#[test]
fn trouble_and_failure() {
    look("E1", "trouble is taken for a failure, and undone", Violated, &Trouble { taken: Taken::Failure, doubt: false, ..STOPS });
    look("E2", "the same, and a request is late", Violated, &Trouble { taken: Taken::Failure, odd: false, ..STOPS });
    look("E3", "trouble is counted or caught, and the script goes on", Violated, &Trouble { taken: Taken::Counted, ..STOPS });
    look("E4", "trouble stops, and is on record as what came of the step", DeadEnd, &Trouble { taken: Taken::Outcome, ..STOPS });
    look("E5", "trouble stops, and the step is tried again", Holds, &STOPS);
}
