//! Every answer of the sandbox has the keys, types and nulls that a real server sends, or is named in `conformance/DIFFERENCES.md`.
#![allow(clippy::print_stdout)] // the figures are read with --nocapture

pub mod check;
pub mod differences;
pub mod golden;
pub mod learn;
pub mod log;
pub mod mutate;
pub mod schema;
pub mod types;
pub mod walk;

use self::{
    check::{Differences, Exchange, check, pattern, place},
    schema::{Shapes, members, read, segments},
    types::Presence,
};
use crate::support::standalone::Standalone;
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    process::Command,
};

pub fn differences_of(shapes: &Shapes, seen: &[Exchange]) -> (Differences, BTreeMap<String, String>) {
    let mut found = Differences::new();
    let mut first = BTreeMap::new();
    for exchange in seen {
        for difference in check(shapes, exchange) {
            let key = format!("{} | {} | {}", difference.definition, difference.property, difference.what);
            first.entry(key).or_insert_with(|| format!("{} ({})", pattern(shapes, exchange), exchange.status));
            found.insert(difference);
        }
    }
    (found, first)
}

#[tokio::test]
async fn a_misspelt_field_in_an_answer_is_noticed() {
    let shapes = Shapes::load();
    let seen = walk::everywhere().await;
    let tally = mutate::run(&shapes, seen);
    let caught = tally.total - tally.missed.len();
    println!("misspelt fields in answers: {caught} of {} noticed\n{}", tally.total, tally.missed.join("\n"));
    assert!(caught * 100 >= tally.total * 99, "only {caught} of {}:\n{}", tally.total, tally.missed.join("\n"));
}

/// Endpoints that are always refused.
const NEVER: &[&str] = &["POST /api/users/login", "POST /api/{space}/tasks/rerun/{id}"];

/// Every endpoint that the sandbox says it simulates is visited by the walk, and answers with success.
#[tokio::test]
async fn the_walk_visits_every_endpoint() {
    let out = Command::new(assert_cmd::cargo::cargo_bin!("octorhai")).args(["sandbox", "--endpoints"]).output().expect("octorhai runs");
    let seen = walk::everywhere().await;
    let visited: BTreeSet<(&str, Vec<String>)> = seen
        .iter()
        .filter(|e| e.status < 300)
        .map(|e| (e.method.as_str(), place(&e.path).iter().map(|s| s.to_lowercase()).collect()))
        .collect();
    let mut missing = Vec::new();
    for line in String::from_utf8_lossy(&out.stdout).lines() {
        let endpoint: Value = serde_json::from_str(line).expect("JSON");
        let text = |key: &str| endpoint[key].as_str().unwrap_or_default().to_owned();
        let path: Vec<String> = segments(&text("path").replace("/{space}", "")).into_iter().skip(1).collect();
        let fits = |(method, at): &(&str, Vec<String>)| {
            *method == text("method") && at.len() == path.len() && at.iter().zip(&path).all(|(a, p)| p.starts_with('{') || a == p)
        };
        let name = format!("{} {}", text("method"), text("path"));
        if text("depth") != "501" && !NEVER.contains(&name.as_str()) && !visited.iter().any(fits) {
            missing.push(name);
        }
    }
    assert!(missing.is_empty(), "{} endpoints are not visited:\n{}", missing.len(), missing.join("\n"));
}

/// What today's servers were seen to send has the shapes the sandbox is held to; only younger members may be missing.
#[test]
fn real_bodies_have_the_shapes_too() {
    let shapes = Shapes::load();
    let edited: Vec<String> = members(&read("tests/shapes/additions.json")["edited"]).keys().cloned().collect();
    let left_out = |w: &String| w.ends_with("is missing") || edited.iter().any(|e| w.starts_with(e.as_str()));
    let wrong: Vec<String> = learn::today(&shapes).into_iter().filter(|w| !left_out(w)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Every addition says where it is from, and the place exists.
#[test]
fn additions_name_their_sources() {
    let additions = read("tests/shapes/additions.json");
    let mut without = Vec::new();
    let mut look = |what: String, about: &Value| {
        let source = about["source"].as_str().unwrap_or_default();
        let files = source.split([' ', ';', ',', ':']).filter(|w| std::path::Path::new(w).extension().is_some_and(|e| e == "json"));
        let known = [
            "octopus-api.md §",
            "the schema",
            "schema",
            "OctopusDeploy/",
            "port-labs/",
            "CS Model/",
            "GO pkg/",
            "every capture",
            "octopus-deploy-swagger-client",
        ];
        let mut files = files.peekable();
        let named = files.peek().is_some() || known.iter().any(|k| source.contains(k));
        if !named || files.any(|f| !schema::at(&format!("tests/payloads/{f}")).exists()) {
            without.push(format!("{what}: `{source}`"));
        }
    };
    for (name, said) in members(&additions["definitions"]) {
        for (property, about) in members(&said["properties"]) {
            look(format!("{name}.{property}"), about);
        }
        if said["links"].is_object() {
            look(format!("{name}.Links"), &said["links"]);
        }
        if ["is", "union", "values", "like"].iter().any(|k| said.get(*k).is_some()) {
            look(name.clone(), said);
        }
    }
    for endpoint in additions["endpoints"].as_array().into_iter().flatten() {
        look(format!("{} {}", endpoint["method"], endpoint["path"]), endpoint);
    }
    assert!(without.is_empty(), "{}", without.join("\n"));
    let shapes = Shapes::load();
    assert!(shapes.definitions["TaskResource"].properties["LastModifiedOn"].presence == Presence::Never);
}

/// A small log in a folder.
async fn record(folder: &std::path::Path) {
    let log = folder.join("requests.jsonl");
    let sandbox = Standalone::start("shop", &["--log", log.to_str().expect("UTF-8")]);
    let _ = rustls::crypto::ring::default_provider().install_default();
    let http = reqwest::Client::builder().no_proxy().build().expect("a client");
    for path in ["/api", "/api/Spaces-1/projects", "/api/tasks/ServerTasks-1/raw", "/api/tasks/ServerTasks-0", "/api/users/me"] {
        http.get(format!("{}{path}", sandbox.url)).header("X-Octopus-ApiKey", "API-SANDBOX").send().await.expect("an answer");
    }
}

/// What was really answered, to whomever: `OCTORHAI_SHAPES_LOG` is a folder of logs (`octorhai sandbox --log`), else a small one is made.
#[tokio::test]
async fn logged_answers_have_the_shapes_too() {
    let shapes = Shapes::load();
    let own = tempfile::tempdir().expect("a folder");
    let given = std::env::var_os("OCTORHAI_SHAPES_LOG").map(std::path::PathBuf::from);
    if given.is_none() {
        record(own.path()).await;
    }
    let folder = given.unwrap_or_else(|| own.path().to_owned());
    let seen = log::exchanges(&folder);
    assert!(!seen.is_empty(), "no exchange is logged in {}", folder.display());
    let (found, first) = differences_of(&shapes, &seen);
    let reasons = differences::reasons();
    let new: Vec<String> = found
        .iter()
        .filter(|d| !reasons.contains_key(d))
        .map(|d| format!("{} | {} | {}", d.definition, d.property, d.what))
        .map(|key| format!("{key}    first at {}", first[&key]))
        .collect();
    println!("{} logged exchanges", seen.len());
    assert!(new.is_empty(), "{} differences in {} logged exchanges:\n{}", new.len(), seen.len(), new.join("\n"));
}
