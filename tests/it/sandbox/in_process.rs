//! A run that has its sandbox in its own process asks it without a socket, and nobody can tell from what becomes of it.

use crate::support::{settings, shop};
use octorhai::{
    event::Recorder,
    run::{Target, run},
    sandbox::World,
};
use serde_json::json;
use std::sync::Arc;

/// Reads, writes of each kind, waits, branches, mail, an error that is caught, and the pages of the sandbox itself.
const SCRIPT: &str = r#"
print(projects().map(|p| p.name));
let made = create_release("Project C", #{version: "2.1.0", notes: "by a script"});
let tasks = parallel(["Project A", "Project B"], |p| { let task = deploy(p, "latest", "Test"); sleep("1m"); task });
let third = deploy("Project C", made, "Development");
wait(tasks, #{timeout: "2h"});
print(third.log);
try { get("/api/nothing"); } catch (e) { print(e.message); print(e.keys()); }
email(#{to: "team@example.com", subject: "done", body: "all of it"});
remember("seen", now().time);
print(get("~/sandbox/clock"));
print(deployments(#{env: "Test"}).map(|d| [d.release, d.state, d.url]));
print(put("projectgroups/ProjectGroups-1", get("projectgroups/ProjectGroups-1")));
"#;

/// What goes wrong on the way, for each request of the script, and for one of them.
const FAULTS: &[&str] = &[
    "action = \"status=502\"",
    "action = \"status=429\"\nretry_after = 7",
    "action = \"status_after=500\"",
    "action = \"reset\"",
    "action = \"drop_after\"",
    "action = \"late\"\nby = \"3m\"",
    "action = \"delay\"\nby = \"90s\"",
    "action = \"html\"",
    "action = \"empty\"",
    "action = \"truncate\"",
    "action = \"huge\"\nsize = 40",
    "action = \"redirect\"\nurl = \"/elsewhere\"",
    "action = \"redirect\"\nurl = \"http://other.example/api\"",
    "action = \"twice\"",
    "action = \"restart\"\nfor = \"4m\"",
];

/// All that somebody could see of a run, and of the world behind it.
fn all_of(world: World) -> String {
    let events = Arc::new(Recorder::default());
    let mut outcome = run(settings(Target::Sandbox(world), SCRIPT, Arc::clone(&events)));
    outcome.stats.real_seconds = 0.0;
    let told: Vec<String> = events.events().iter().map(|event| json!(event).to_string()).collect();
    let failure = outcome.failure.as_ref().map(octorhai::engine::Failure::to_json);
    format!("{}\n{failure:?}\n{}\n{:?}\n{}", told.join("\n"), outcome.result, outcome.stats, *outcome.truth)
}

#[track_caller]
fn same(world: &str, what: &str) -> String {
    let read = || World::from_toml("test", world).expect("a good world");
    let (inside, outside) = (all_of(read()), all_of(read().over_sockets()));
    let differs = inside.lines().zip(outside.lines()).find(|(inside, outside)| inside != outside);
    assert!(inside == outside, "{what}: {differs:?}");
    inside
}

#[test]
fn run_is_the_same_with_and_without_sockets() {
    let undisturbed = same(&shop(&[]), "undisturbed");
    let end = undisturbed.lines().find(|line| line.contains("run_ended")).unwrap_or_default();
    assert!(end.contains("\"exit_code\":0"), "{end}");
    let key = "key   = \"API-SANDBOX\"";
    same(
        &shop(&[(key, "key = \"API-SANDBOX\"\nbase_path = \"/octopus\"\ndate_ahead = \"5m\"")]),
        "a virtual directory, a clock that is ahead",
    );
}

#[test]
fn faults_are_the_same_with_and_without_sockets() {
    for fault in FAULTS {
        for asked in ["GET */projects*", "POST */deployments"] {
            let world = format!("{}\n[[faults]]\nmatch = \"{asked}\"\nnth = 1\n{fault}\n", shop(&[]));
            let ended = same(&world, &format!("{asked}: {fault}"));
            assert!(ended.contains("run_ended"), "{asked}: {fault}");
        }
    }
}
