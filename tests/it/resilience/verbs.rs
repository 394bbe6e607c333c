//! Twice means once: each verb that writes, with each of its requests delivered twice, lost, turned away or late. The run ends well, and
//! the server is as if nothing had happened.

use super::people::{with_approval, with_guided_failure};
use crate::support::{settings, shop};
use octorhai::{
    engine::docs::entries,
    event::Recorder,
    host,
    journal::{self, Begin},
    run::{Journaling, Target},
    sandbox::World,
};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

/// A verb at work.
struct Verb {
    name: &'static str,
    script: &'static str,
    /// What is compared at the end, beside deployments and runbook runs.
    look: &'static str,
    /// What is made cannot be told from what somebody else made: a lost answer ends in doubt, and two deliveries may end in a refusal.
    nameless: bool,
}

const fn verb(name: &'static str, script: &'static str, look: &'static str) -> Verb {
    Verb { name, script, look, nameless: false }
}

const VERBS: &[Verb] = &[
    verb("deploy", "wait(deploy(\"Project A\", \"2.0.0\", \"Test\", #{expires: \"5m\"}))", "()"),
    verb("run_runbook", "wait(run_runbook(\"Project A\", \"Smoke test\", \"Test\", #{expires: \"5m\"}))", "()"),
    verb(
        "create_release",
        "create_release(\"Project A\", #{version: \"3.0.0\", notes: \"one\\ntwo\"})",
        "releases(\"Project A\").map(|r| [r.version, r.notes, r.channel])",
    ),
    verb("block", "block(latest(\"Project A\"), \"a leak\")", "latest(\"Project A\").blocked"),
    verb("unblock", "let r = latest(\"Project A\"); block(r, \"a leak\"); sleep(\"10m\"); unblock(r)", "latest(\"Project A\").blocked"),
    verb("cancel", "let t = deploy(\"Project A\", \"2.0.0\", \"Test\", #{expires: \"5m\"}); sleep(\"5m\"); t.cancel(); settle(t)", "()"),
    verb(
        "cancel too late",
        "let t = deploy(\"Project A\", \"2.0.0\", \"Test\", #{expires: \"5m\"}); sleep(\"30m\"); t.cancel(); settle(t)",
        "()",
    ),
    verb(
        "prioritize",
        "let a = deploy(\"Project A\", \"2.0.0\", \"Test\", #{expires: \"3h\"}); \
         let b = deploy(\"Project A\", \"2.0.0\", \"Test\", #{expires: \"3h\"}); b.prioritize(); settle([a, b], #{timeout: \"9h\"})",
        "()",
    ),
    verb(
        "approve",
        "deploy(\"Project A\", \"2.0.0\", \"Test\", #{expires: \"5m\"}); sleep(\"30m\"); pending()[0].approve(\"ok\")",
        "pending()",
    ),
    verb(
        "reject",
        "deploy(\"Project A\", \"2.0.0\", \"Test\", #{expires: \"5m\"}); sleep(\"30m\"); pending()[0].reject(\"no\")",
        "pending()",
    ),
    verb(
        "guide",
        "deploy(\"Project A\", \"2.0.0\", \"Test\", #{expires: \"5m\"}); sleep(\"30m\"); pending()[0].guide(\"retry\")",
        "pending()",
    ),
    verb("lock", "lock(\"shop\", || lock_info(\"shop\").held)", "lock_info(\"shop\").held"),
    verb("remember", "remember(\"last good\", \"2.0.0\"); remember(\"last good\", \"2.0.1\")", "recall(\"last good\")"),
    verb("once", "once(\"told\", || latest(\"Project A\").version)", "once(\"told\", || \"again\")"),
    verb("arrive", "arrive(\"2.0.0\", \"shop\")", "wait_arrivals(\"2.0.0\", [\"shop\"])"),
    verb(
        "put",
        "let g = get(\"projectgroups/ProjectGroups-1\"); g.Description = \"seen\"; put(\"projectgroups/ProjectGroups-1\", g)",
        "get(\"projectgroups/ProjectGroups-1\").Description",
    ),
    Verb {
        nameless: true,
        ..verb("post", "post(\"projectgroups\", #{Name: \"Made by a script\"})", "get(\"projectgroups/all\").map(|g| g.Name)")
    },
    Verb {
        nameless: true,
        ..verb(
            "delete",
            "let g = post(\"projectgroups\", #{Name: \"Not for long\"}); delete(`projectgroups/${g.Id}`)",
            "get(\"projectgroups/all\").map(|g| g.Name)",
        )
    },
];

/// What goes wrong, and the name of it.
const FAULTS: &[(&str, &str)] = &[
    ("delivered twice", "action = \"twice\""),
    ("the answer is lost", "action = \"drop_after\""),
    ("the answer is cut", "action = \"truncate\""),
    ("the page of a proxy", "action = \"html\""),
    ("an empty object", "action = \"empty\""),
    ("502 after it was done", "action = \"status_after=502\""),
    ("503 with Retry-After", "action = \"status=503\"\nretry_after = 3"),
    ("the connection is reset", "action = \"reset\""),
    ("late by two minutes", "action = \"late\"\nby = \"2m\""),
];

/// What is left of a world: what was deployed and run, and what the verb looks at.
const LOOK: &str = "
sleep(\"30m\");
let s = get(\"~/sandbox/state\");
let began = |d| d.started != ();
#{
    deployments: s.deployments.filter(|d| !d.history && began.call(d)).map(|d| [d.project, d.release, d.environment, d.state]),
    runs: s.runbook_runs.filter(began).map(|d| [d.project, d.runbook, d.environment, d.state]),
    requests: get(\"~/sandbox/requests\").filter(|r| r.method != \"GET\" && r.path.starts_with(\"/api\")).map(|r| [r.method, r.path]),
    look: LOOK,
}";

fn world(verb: &Verb) -> String {
    match verb.name {
        "approve" | "reject" => with_approval(""),
        "guide" => with_guided_failure(),
        _ => shop(&[]),
    }
}

struct Ended {
    code: u8,
    /// Of [`LOOK`], without the requests.
    left: Value,
    /// `POST /api/Spaces-1/releases/*/defects`, how often.
    writes: BTreeMap<String, usize>,
    told: String,
}

/// A journaled run in virtual time.
fn run(world: &str, script: &str) -> Ended {
    let folder = tempfile::tempdir().expect("a folder");
    let target = Target::Sandbox(World::from_toml("test", world).expect("a good world"));
    let mut settings = settings(target, script, Arc::new(Recorder::default()));
    settings.params.insert("Token".to_owned(), "not known to anybody".into());
    settings.journal = Some(Journaling {
        store: journal::open(&folder.path().join("store").display().to_string()).expect("a store"),
        name: "verb".to_owned(),
        begin: Begin::Anew,
        params: Value::Null,
        target: Value::Null,
        options: Value::Null,
        suspend: false,
    });
    let outcome = octorhai::run::run(settings);
    let told = outcome.failure.as_ref().map(|failure| failure.render(false)).unwrap_or_default();
    let mut left = outcome.result;
    let requests = left.as_object_mut().and_then(|left| left.remove("requests")).unwrap_or_default();
    let mut writes = BTreeMap::new();
    for request in requests.as_array().into_iter().flatten() {
        let (method, path) = (request[0].as_str().unwrap_or_default(), request[1].as_str().unwrap_or_default());
        *writes.entry(format!("{method} {}", without_ids(path))).or_default() += 1;
    }
    Ended { code: outcome.exit_code, left, writes, told }
}

/// An address with `*` for each id in it, without what is behind `?`.
fn without_ids(path: &str) -> String {
    let path = path.split('?').next().unwrap_or_default();
    let is_id = |part: &str| part.starts_with("variableset-") || part.rsplit_once('-').is_some_and(|(_, n)| n.parse::<u64>().is_ok());
    let parts = path.split('/').enumerate().map(|(at, part)| if at > 2 && is_id(part) { "*" } else { part });
    parts.collect::<Vec<_>>().join("/")
}

fn ends(verb: &Verb, fault: &str) -> Ended {
    run(&format!("{}{fault}", world(verb)), &format!("{};{}", verb.script, LOOK.replace("LOOK", verb.look)))
}

/// What is wrong with a run that was disturbed.
fn problem(verb: &Verb, undisturbed: &Ended, name: &str, fault: &str) -> Option<String> {
    let got = ends(verb, fault);
    let is_fine = match got.code {
        0 => got.left == undisturbed.left,
        // The server may refuse the second of two deliveries, in its own words.
        1 => verb.nameless && name == "delivered twice",
        8 => verb.nameless,
        _ => false,
    };
    (!is_fine).then(|| format!("{}, {name}:{fault}\nexit code {}: {}\n{}\n{}", verb.name, got.code, got.told, undisturbed.left, got.left))
}

#[test]
fn every_write_is_done_once_whatever_happens_to_its_request() {
    let undisturbed: Vec<Ended> = VERBS.iter().map(|verb| ends(verb, "")).collect();
    let mut all = Vec::new();
    for (verb, undisturbed) in VERBS.iter().zip(&undisturbed) {
        assert_eq!(undisturbed.code, 0, "{}: {}", verb.name, undisturbed.told);
        assert!(!undisturbed.writes.is_empty(), "{} writes nothing", verb.name);
        for (request, times) in &undisturbed.writes {
            for nth in 1..=(*times).min(2) {
                for (name, action) in FAULTS {
                    let fault = format!("\n[[faults]]\nmatch = \"{request}\"\nnth = {nth}\n{action}\n");
                    all.push((verb, undisturbed, *name, fault));
                }
            }
        }
    }
    let (next, broken) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some((verb, undisturbed, name, fault)) = all.get(next.fetch_add(1, Ordering::SeqCst)) {
                    broken.lock().expect("no panic").extend(problem(verb, undisturbed, name, fault));
                }
            });
        }
    });
    let broken = broken.into_inner().expect("no panic");
    assert!(broken.is_empty(), "{} of {} do not end as undisturbed ones:\n{}", broken.len(), all.len(), broken.join("\n\n"));
    assert!(all.len() >= 200, "only {}", all.len());
}

/// Whatever the example of a function sends is in the table above.
#[test]
fn every_write_of_the_library_is_in_the_table() {
    let covered: BTreeSet<String> = VERBS.iter().flat_map(|verb| ends(verb, "").writes.into_keys()).collect();
    let mut missing = String::new();
    let mut seen = 0;
    for entry in entries(host::library().docs()) {
        if entry.is_type() || entry.is_standard() {
            continue;
        }
        let ended = run(&shop(&[]), &format!("{}\n;{}", entry.example, LOOK.replace("LOOK", "()")));
        seen += usize::from(!ended.writes.is_empty());
        for write in ended.writes.keys().filter(|write| !covered.contains(*write)) {
            let _ = writeln!(missing, "{}: {write}", entry.name);
        }
    }
    assert!(missing.is_empty(), "no verb of the table sends\n{missing}");
    assert!(seen >= 40, "only {seen} of the examples write");
}
