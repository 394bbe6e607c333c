//! Twice means once: each verb that writes, with each of its requests delivered twice, lost, turned away or late, and killed before and after
//! it. The run ends well, and the server is as if nothing had happened. What came of it is the table in docs/reliability.md.

use super::approvals::with_rule;
use super::people::{with_approval, with_guided_failure};
use crate::support::{ground::Ground, measured, previews, settings, shop, world_of_example};
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
    sync::Arc,
};

/// A verb at work.
pub(super) struct Verb {
    pub(super) name: &'static str,
    script: &'static str,
    /// What is compared at the end, beside deployments and runbook runs.
    look: &'static str,
    /// What is made cannot be told from what somebody else made: a lost answer ends in doubt, and two deliveries may end in a refusal.
    nameless: bool,
}

const fn verb(name: &'static str, script: &'static str, look: &'static str) -> Verb {
    Verb { name, script, look, nameless: false }
}

/// All votes on change requests; a deployment that was cancelled, because it was there twice, has none.
const VOTES: &str = "get(\"servertaskapprovals\").Items.map(|a| get(`servertaskapprovals/${a.Id}/approvals`).map(|v| [v.Status, v.Notes])).filter(|votes| !votes.is_empty())";

pub(super) const VERBS: &[Verb] = &[
    verb("deploy", "wait(deploy(\"Project A\", \"2.0.0\", \"Test\", #{expires: \"5m\"}))", "()"),
    verb("run_runbook", "wait(run_runbook(\"Project A\", \"Smoke test\", \"Test\", #{expires: \"5m\"}))", "()"),
    Verb { nameless: true, ..verb("run_trigger", "wait(run_trigger(\"Project A\", \"After monitoring\"))", "()") },
    verb(
        "create_release",
        "create_release(\"Project A\", #{version: \"3.0.0\", notes: \"one\\ntwo\"})",
        "releases(\"Project A\").map(|r| [r.version, r.notes, r.channel])",
    ),
    verb("set_notes", "set_notes(latest(\"Project A\"), \"by hand\")", "latest(\"Project A\").notes"),
    verb("create_environment", "create_environment(\"pr-1\", \"Project A\")", "envs(#{type: \"ephemeral\"}).map(|e| e.name)"),
    verb(
        "deprovision",
        "let e = create_environment(\"pr-1\", \"Project A\"); wait(deploy(\"Project A\", \"1.1.0-pr-451\", e, #{expires: \"30m\"})); \
         wait(deprovision(e))",
        "envs(#{type: \"ephemeral\"}).map(|e| e.name)",
    ),
    verb(
        "deprovision of a project",
        "let e = create_environment(\"pr-1\", \"Project A\"); wait(deploy(\"Project A\", \"1.1.0-pr-451\", e, #{expires: \"30m\"})); \
         wait(deprovision(e, #{project: \"Project A\"}))",
        "environment_status(\"pr-1\", \"Project A\")",
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
    verb(
        "approve a change",
        "let t = deploy(\"Project A\", \"2.0.0\", \"Test\", #{expires: \"3h\"}); pending(#{task: t})[0].approve(\"ok\"); wait(t, #{timeout: \"9h\"})",
        VOTES,
    ),
    verb(
        "reject a change",
        "let t = deploy(\"Project A\", \"2.0.0\", \"Test\", #{expires: \"3h\"}); pending(#{task: t})[0].reject(\"no\"); settle(t)",
        VOTES,
    ),
    verb(
        "on_approval",
        "wait(deploy(\"Project A\", \"2.0.0\", \"Test\", #{expires: \"3h\"}), #{timeout: \"9h\", on_approval: |a| a.approve(\"ok\")})",
        VOTES,
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

/// What goes wrong: the column of the table, what it is, and how a world says it.
pub(super) const FAULTS: &[(&str, &str, &str)] = &[
    ("answer lost", "the answer is lost", "action = \"drop_after\""),
    ("answer lost", "the answer is cut", "action = \"truncate\""),
    ("502", "502 after it was done", "action = \"status_after=502\""),
    ("502", "503 with Retry-After", "action = \"status=503\"\nretry_after = 3"),
    ("strange answer", "the page of a proxy", "action = \"html\""),
    ("strange answer", "an empty object", "action = \"empty\""),
    ("reset", "the connection is reset", "action = \"reset\""),
    ("two minutes late", "late by two minutes", "action = \"late\"\nby = \"2m\""),
    ("delivered twice", TWICE, "action = \"twice\""),
];

const TWICE: &str = "delivered twice";

/// The column of runs that are killed and started again.
pub(super) const KILLED: &str = "killed";

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
        "approve a change" | "reject a change" | "on_approval" => {
            with_rule("approvers = [\"sandbox\"]\nminimum = 1\nself_approval = true\n")
        }
        "guide" => with_guided_failure(),
        "create_environment" | "deprovision" | "deprovision of a project" => previews(),
        _ => shop(&[]),
    }
}

pub(super) struct Ended {
    pub(super) code: u8,
    /// Of [`LOOK`], without the requests.
    left: Value,
    /// `POST /api/Spaces-1/releases/*/defects`, how often.
    pub(super) writes: BTreeMap<String, usize>,
    pub(super) told: String,
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
        any_user: false,
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
    let is_uuid = |part: &str| uuid::Uuid::parse_str(part).is_ok();
    let is_id = |part: &str| {
        is_uuid(part) || part.starts_with("variableset-") || part.rsplit_once('-').is_some_and(|(_, n)| n.parse::<u64>().is_ok())
    };
    let parts = path.split('/').enumerate().map(|(at, part)| if at > 2 && is_id(part) { "*" } else { part });
    parts.collect::<Vec<_>>().join("/")
}

pub(super) fn ends(verb: &Verb, fault: &str) -> Ended {
    run(&format!("{}{fault}", world(verb)), &format!("{};{}", verb.script, LOOK.replace("LOOK", verb.look)))
}

/// What came of a run that was disturbed, in words; `Err` when it is not what is promised.
pub(super) fn outcome(verb: &Verb, undisturbed: &Ended, name: &str, got: &Ended) -> Result<&'static str, String> {
    match got.code {
        0 if got.left == undisturbed.left => Ok("once"),
        // The server may refuse the second of two deliveries, in its own words.
        1 if verb.nameless && name == TWICE => Ok("refused"),
        // `put` is sent again after a lost answer, for it means the same twice; hours after a kill it would undo what others did since.
        8 if verb.nameless || (verb.name == "put" && name.starts_with(KILLED)) => Ok("in doubt"),
        code => Err(format!("{}, {name}\nexit code {code}: {}\n{}\n{}", verb.name, got.told, undisturbed.left, got.left)),
    }
}

/// The verb in a process of its own, killed right before and right after its first write, and started again.
pub(super) fn killed(verb: &Verb) -> Vec<(String, Ended)> {
    let script = format!("{};{}", verb.script, LOOK.replace("LOOK", verb.look));
    let ground = || {
        let ground = Ground::in_world(&world(verb));
        ground.write("verb.rhai", &script);
        measured(ground.folder.path(), &ground.sandbox.url);
        ground
    };
    let run = |ground: &Ground, arguments: &[&str], more: &[(&str, &str)]| {
        let state = ground.folder.path().display().to_string();
        let surroundings: Vec<_> = more.iter().copied().chain([("OCTORHAI_STATE", state.as_str())]).collect();
        ground.run("verb", "scripts/verb.rhai", arguments, &surroundings)
    };
    let traced = run(&ground(), &[], &[("RUST_LOG", "octorhai=trace")]);
    // `place name="request: before POST" passed=17`
    let place = |when: &str| {
        let writes = ["POST", "PUT", "DELETE"].map(|method| format!("name=\"request: {when} {method}\" passed="));
        let found = traced.stderr.lines().find_map(|line| writes.iter().find_map(|write| line.split_once(write.as_str())));
        found.map_or_else(|| panic!("{} writes nothing:\n{}", verb.name, traced.stderr), |(_, number)| number.trim().to_owned())
    };
    let kill = |when: &str| {
        let (ground, at) = (ground(), place(when));
        let dead = run(&ground, &[], &[("OCTORHAI_CRASH_AT", &at)]);
        assert_eq!(dead.code, -1, "{} was not killed: {}", verb.name, dead.stderr);
        let ran = run(&ground, &["--output", "json"], &[]);
        let ended =
            ran.stdout.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()).find(|event| event["event"] == "run_ended");
        let mut left = ended.map(|ended| ended["result"].clone()).unwrap_or_default();
        left.as_object_mut().map(|left| left.remove("requests"));
        let ended = Ended { code: u8::try_from(ran.code).unwrap_or(255), left, writes: BTreeMap::new(), told: ran.stderr };
        (format!("killed {when} its first write"), ended)
    };
    vec![kill("before"), kill("after")]
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
        let ended = run(&world_of_example(&entry.name), &format!("{}\n;{}", entry.example, LOOK.replace("LOOK", "()")));
        seen += usize::from(!ended.writes.is_empty());
        for write in ended.writes.keys().filter(|write| !covered.contains(*write)) {
            let _ = writeln!(missing, "{}: {write}", entry.name);
        }
    }
    assert!(missing.is_empty(), "no verb of the table sends\n{missing}");
    assert!(seen >= 40, "only {seen} of the examples write");
}
