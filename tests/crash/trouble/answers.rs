//! Requests that are answered by something that is not Octopus, or not at all; and writes that are lost, late or doubled.

use super::{
    End,
    play::Ground,
    quiet::{Quiet, telling},
    rule::ended,
};
use serde_json::{Value, json};

/// Something that happens to a request, whatever it is.
struct Kind {
    name: &'static str,
    action: &'static str,
    more: fn() -> Value,
}

const fn kind(name: &'static str, action: &'static str, more: fn() -> Value) -> Kind {
    Kind { name, action, more }
}

fn nothing() -> Value {
    json!({})
}

fn for_a_while() -> Value {
    json!({"for": "20m"})
}

/// What can happen to any request.
const ANY: &[Kind] = &[
    kind("html", "html", nothing),
    kind("sign-in here", "redirect", || json!({"url": "/login"})),
    kind("sign-in elsewhere", "redirect", || json!({"url": "https://login.example.com/"})),
    kind("{}", "empty", nothing),
    kind("cut", "truncate", nothing),
    kind("reset", "reset", nothing),
    kind("lost", "drop_after", nothing),
    kind("429", "status=429", nothing),
    kind("429, wait 7 s", "status=429", || json!({"retry_after": 7})),
    kind("502", "status=502", nothing),
    kind("502 after", "status_after=502", nothing),
    kind("slow", "delay", || json!({"by": "90s"})),
    kind("html, 20 min", "html", for_a_while),
    kind("sign-in here, 20 min", "redirect", || json!({"url": "/login", "for": "20m"})),
    kind("{}, 20 min", "empty", for_a_while),
    kind("cut, 20 min", "truncate", for_a_while),
    kind("reset, 20 min", "reset", for_a_while),
    kind("429, 20 min", "status=429", for_a_while),
    kind("502, 20 min", "status=502", for_a_while),
];

/// What can happen to a request that changes something.
const WRITES: &[Kind] = &[kind("late by 20 min", "late", || json!({"by": "20m"})), kind("twice", "twice", nothing)];

/// A request and what happens to it.
pub struct Point<'a> {
    quiet: &'a Quiet,
    kind: &'static str,
    faults: Vec<Value>,
    at: String,
}

impl super::Point for Point<'_> {
    fn quiet(&self) -> &Quiet {
        self.quiet
    }

    fn kind(&self) -> &'static str {
        self.kind
    }

    fn play(&self) -> End {
        let mut ground = Ground::new(&self.quiet.scene, self.quiet.measured);
        for fault in &self.faults {
            ground.stage.ask("/sandbox/faults", Some(fault));
        }
        ground.start();
        let wrong = ended(self.quiet, &mut ground, false);
        End { at: self.at.clone(), wrong, talk: ground.talk() }
    }
}

/// All places of a scene at which an answer can go wrong.
pub fn points(quiet: &Quiet) -> Vec<Point<'_>> {
    let mut points = Vec::new();
    let looks = telling(&quiet.requests);
    for kind in ANY {
        for (nth, request) in &looks {
            let nth = *nth;
            let mut faults = vec![fault("/api*", nth, kind.action, (kind.more)())];
            if kind.action == "redirect" {
                faults.push(json!({"match": "/login*", "action": "html"}));
            }
            points.push(Point { quiet, kind: kind.name, faults, at: format!("request {nth}, {request}") });
        }
    }
    for kind in WRITES {
        for verb in ["POST", "PUT", "DELETE"] {
            let all = quiet.requests.iter().filter(|request| request.split(' ').next() == Some(verb));
            for (nth, request) in (1..).zip(all) {
                // One that is late comes after its `unblock`, and nothing tells the two apart: docs/reliability.md says so.
                if kind.action == "late" && request.ends_with("/defects") {
                    continue;
                }
                let faults = vec![fault(&format!("{verb} /api*"), nth, kind.action, (kind.more)())];
                points.push(Point { quiet, kind: kind.name, faults, at: format!("{verb} {nth}, {request}") });
            }
        }
    }
    points
}

/// A fault that hits the `nth` request which `matches`.
pub fn fault(matches: &str, nth: usize, action: &str, more: Value) -> Value {
    let mut fault = serde_json::json!({"match": matches, "nth": nth, "action": action});
    for (key, value) in more.as_object().into_iter().flatten() {
        fault[key] = value.clone();
    }
    fault
}
