//! The log of `octorhai sandbox --log`: whole exchanges, no credentials, and what happens when it cannot be written.

use crate::support::standalone::Standalone;
use serde_json::Value;
use std::process::{Command, Output};

fn octorhai(arguments: &[&str]) -> Output {
    Command::new(assert_cmd::cargo::cargo_bin!("octorhai")).args(arguments).output().expect("octorhai runs")
}

async fn get(sandbox: &Standalone, way: &str, key: &str) -> u16 {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let http = reqwest::Client::builder().no_proxy().build().expect("a client");
    let answer = http.get(format!("{}{way}", sandbox.url)).header("X-Octopus-ApiKey", key).send().await;
    answer.map_or(0, |a| a.status().as_u16())
}

#[tokio::test]
async fn every_exchange_is_a_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("requests.jsonl");
    let sandbox = Standalone::start("shop", &["--log", path.to_str().expect("UTF-8")]);
    assert_eq!(get(&sandbox, "/api/Spaces-1/projects/project-a", "API-SANDBOX").await, 200);
    assert_eq!(get(&sandbox, "/api/tasks?apikey=API-SECRET", "").await, 401);
    assert_eq!(get(&sandbox, "/api/Spaces-1/environments/Environments-1/metadata", "API-SANDBOX").await, 501);
    let text = std::fs::read_to_string(&path).expect("the log");
    let lines: Vec<Value> = text.lines().map(|l| serde_json::from_str(l).expect("JSON")).collect();
    assert_eq!(lines.len(), 3, "{text}");
    assert_eq!(lines[0]["endpoint"], "GET /api/{space}/projects/{id}");
    assert_eq!((&lines[0]["user"], &lines[0]["status"]), (&"sandbox".into(), &200.into()));
    assert_eq!(lines[0]["response_body"]["Name"], "Project A");
    assert_eq!((&lines[1]["path"], &lines[1]["user"]), (&"/api/tasks?apikey=***".into(), &"".into()));
    assert_eq!(lines[2]["endpoint"], "GET /api/{space}/environments/{id}/metadata");
    assert!(!text.contains("API-"), "a credential is in the log: {text}");
}

#[test]
fn a_log_that_cannot_be_opened_is_told_before_anything_listens() {
    let out = octorhai(&["sandbox", "--listen", "127.0.0.1:0", "--log", "/no/such/folder/requests.jsonl"]);
    assert_eq!(out.status.code(), Some(2));
    let told = String::from_utf8_lossy(&out.stderr);
    assert!(told.contains("the log `/no/such/folder/requests.jsonl` cannot be written"), "{told}");
    assert!(!told.contains("listens on"), "{told}");
}

/// `/dev/full` is a disk that is always full.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_full_disk_ends_the_sandbox_and_says_so() {
    let sandbox = Standalone::start("shop", &["--log", "/dev/full"]);
    get(&sandbox, "/api", "API-SANDBOX").await;
    let (code, told) = sandbox.ends();
    assert_eq!(code, Some(2), "{told}");
    assert!(told.contains("the log `/dev/full` cannot be written"), "{told}");
}

#[test]
fn endpoints_are_listed_with_their_depth() {
    let out = octorhai(&["sandbox", "--endpoints"]);
    let text = String::from_utf8_lossy(&out.stdout);
    let lines: Vec<Value> = text.lines().map(|l| serde_json::from_str(l).expect("JSON")).collect();
    let depth = |path: &str| lines.iter().find(|l| l["path"] == path && l["method"] == "GET").map(|l| l["depth"].clone());
    assert_eq!(depth("/api/{space}/tasks/{id}"), Some("simulated".into()));
    assert_eq!(depth("/api/{space}/environments/{id}/metadata"), Some("501".into()));
}
