//! A server with a rate limit: no request is rejected, and nearly as many are sent as it allows.

use crate::support::{InProcess, ground::Ground, octorhai_command, postgres::database, simulate};
use octorhai::sandbox::World;
use serde_json::{Value, json};
use std::process::Stdio;

/// A fleet of so many projects on a server that allows 200 requests a minute.
fn limited(projects: usize) -> String {
    let fleet = World::builtin_toml(&format!("fleet({projects})")).expect("a built-in world");
    format!("{fleet}\n[[rate_limits]]\nper_minute = 200\n")
}

/// How many of the requests that the sandbox kept were rejected, and which part of what the server allowed was sent.
fn kept_to(requests: &Value) -> (usize, f64) {
    let requests: Vec<&Value> =
        requests.as_array().expect("a list").iter().filter(|r| r["path"].as_str().is_some_and(|p| p.starts_with("/api"))).collect();
    let at = |request: &Value| request["at"].as_str().expect("a time").parse::<jiff::Timestamp>().expect("a time");
    let moments = || requests.iter().map(|r| at(r));
    let spent = moments().max().expect("some").duration_since(moments().min().expect("some"));
    let allowed = 200.0 + 200.0 / 60.0 * spent.as_secs_f64();
    let rejected = requests.iter().filter(|r| r["status"] == 429).count();
    (rejected, requests.len() as f64 / allowed)
}

const PROMOTE: &str = r#"parallel(projects(), |p| promote(p, "Test", "Production"), #{width: 50}).len()"#;

#[test]
fn promotions_use_the_whole_rate_and_none_is_rejected() {
    let ran = simulate(&limited(300), &format!("let all = {PROMOTE}; #{{all: all, requests: get(\"~/sandbox/requests\")}}"));
    assert_eq!((ran.error(), &ran.outcome.result["all"]), (String::new(), &json!(300)));
    let (rejected, part) = kept_to(&ran.outcome.result["requests"]);
    assert_eq!((rejected, ran.outcome.stats.rejected), (0, 0));
    assert!((0.95..=1.0).contains(&part), "{part} of the allowed rate");
    assert!(ran.outcome.stats.delayed > 300, "{:?}", ran.outcome.stats);
}

#[test]
fn nothing_waits_on_a_server_without_limit() {
    let free = World::builtin_toml("fleet(100)").expect("a built-in world");
    let (free, limited) = (simulate(&free, PROMOTE), simulate(&limited(100), PROMOTE));
    let sent = |ran: &InProcess| (ran.error(), ran.outcome.result.clone(), ran.outcome.stats.requests);
    assert_eq!(sent(&free), sent(&limited));
    assert_eq!((free.outcome.stats.delayed, free.outcome.stats.seconds), (0, 0.0));
    assert!(limited.outcome.stats.delayed > 0);
}

#[test]
fn processes_that_share_a_store_share_the_rate() {
    let ground = Ground::in_world(&limited(300));
    let store = ground.folder.path().join("journal").display().to_string();
    share_the_rate(&ground, &store);
}

#[test]
fn processes_that_share_a_database_share_the_rate() {
    share_the_rate(&Ground::in_world(&limited(300)), &database());
}

/// Four processes promote a quarter each.
fn share_the_rate(ground: &Ground, store: &str) {
    drop(octorhai::journal::open(store).expect("a store"));
    for part in 0..4 {
        let script = format!(
            "let mine = projects().filter(|p| p.name.split(\" \")[-1].parse_int() % 4 == {part}); parallel(mine, |p| promote(p, \"Test\", \"Production\"), #{{width: 50}}).len()"
        );
        ground.write(&format!("part-{part}.rhai"), &script);
    }
    let parts: Vec<_> = (0..4)
        .map(|part| {
            let mut command = octorhai_command();
            command.current_dir(ground.folder.path()).env("OCTORHAI_STORE", store);
            command.env("OCTOPUS_URL", &ground.sandbox.url).env("OCTOPUS_API_KEY", "API-SANDBOX").args([
                "run",
                "--virtual-time",
                "--stats",
                "--output",
                "json",
                "--run-id",
                &format!("part-{part}"),
                &format!("scripts/part-{part}.rhai"),
            ]);
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("octorhai starts")
        })
        .collect();
    for part in parts {
        let ended = part.wait_with_output().expect("it ends");
        assert!(ended.status.success(), "{}{}", String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr));
    }
    let state = ground.sandbox.get("/sandbox/state");
    let promoted = state["deployments"]
        .as_array()
        .expect("a list")
        .iter()
        .filter(|d| d["environment"] == "Production" && d["history"] == false)
        .count();
    assert_eq!(promoted, 300);
    let (rejected, part) = kept_to(&ground.sandbox.get("/sandbox/requests"));
    assert_eq!(rejected, 0);
    assert!((0.95..=1.0).contains(&part), "{part} of the allowed rate");
}
