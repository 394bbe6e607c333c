//! Lists that are asked for certain ids: every list whose link says that it takes `ids`.

use crate::support::server::Server;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// One of everything that a list can hold, and several of what there can be many.
const WORLD: &str = r#"
[[spaces]]
name = "Default"
[[spaces]]
name = "Other"
[[environments]]
name = "Test"
[[environments]]
name = "Production"
[[lifecycles]]
name = "Straight"
phases = [{ name = "One", environments = ["Test"] }, { name = "Two", environments = ["Production"] }]
[[tag_sets]]
name = "Region"
tags = ["North"]
[[machines]]
name = "web-1"
environments = ["Test"]
[[machines]]
name = "web-2"
environments = ["Test"]
[[library]]
name = "Common"
[[library]]
name = "More"
[[projects]]
name = "Harbour #"
copies = 4
steps = [{ name = "Dig", manual = { instructions = "Deep enough?" } }, { name = "Flood" }]
releases = [{ version = "1.0.0" }, { version = "1.1.0" }, { version = "2.0.0" }]
history = true
live = { Test = "1.1.0", Production = "1.0.0" }
runbooks = [{ name = "Drain", steps = [{ name = "Pump" }] }]
[[projects]]
name = "Quay"
tenanted = "both"
releases = [{ version = "1.0.0" }]
[[tenants]]
name = "Rivo"
projects = { Quay = ["Test"] }
[[tenants]]
name = "Sul"
projects = { Quay = ["Test"] }
[[tenants]]
name = "Tarn"
projects = { Quay = ["Test"] }
"#;

/// The paths of all lists that take `ids`, from the links of the root document.
async fn lists(s: &Server) -> BTreeMap<String, String> {
    let root = s.get("/api/Spaces-1").await;
    let links = root["Links"].as_object().expect("links");
    let takes_ids =
        |to: &str| to.split_once("{?").is_some_and(|(_, names)| names.trim_end_matches('}').split(',').any(|name| name == "ids"));
    let all = links.iter().map(|(name, to)| (name, to.as_str().expect("a text"))).filter(|(_, to)| takes_ids(to));
    all.map(|(name, to)| (name.clone(), to.split('{').next().unwrap_or(to).to_owned())).collect()
}

/// What a list shows, in its order: a page, a bare list, or one under a name of its own.
fn ids(answer: &Value) -> Vec<String> {
    let items =
        [answer, &answer["Items"], &answer["DeploymentFreezes"], &answer["EnvironmentSummaries"]].into_iter().find_map(Value::as_array);
    let id = |d: &Value| d["Id"].as_str().or_else(|| d["Environment"]["Id"].as_str()).expect("an id").to_owned();
    items.unwrap_or_else(|| panic!("no list: {answer}")).iter().map(id).collect()
}

#[tokio::test]
async fn every_list_answers_the_ids_it_is_asked_for_once_and_in_its_own_order() {
    let s = Server::toml(WORLD).await;
    for environment in ["Environments-1", "Environments-2"] {
        for release in ["Releases-1", "Releases-4"] {
            s.post("/api/deployments", json!({"ReleaseId": release, "EnvironmentId": environment})).await;
        }
        for runbook in ["Runbooks-1", "Runbooks-2"] {
            s.post("/api/runbookRuns", json!({"RunbookId": runbook, "RunbookSnapshotId": "Snapshot 1", "EnvironmentId": environment}))
                .await;
        }
    }
    for purpose in ["One", "Two"] {
        s.post("/api/users/Users-1/apikeys", json!({"Purpose": purpose})).await;
    }
    s.pass(60);
    let (mut long, mut seen) = (Vec::new(), Vec::new());
    for (name, path) in lists(&s).await {
        let (status, all) = s.send(reqwest::Method::GET, &format!("{path}?skip=0&take=1000"), None).await;
        if status == 501 {
            continue;
        }
        seen.push(name.clone());
        // Sets of variables and processes are many and never listed: they are shown to those that name them.
        let whole: Vec<String> = match name.as_str() {
            "Variables" => ["variableset-Projects-2", "variableset-Projects-1"].map(str::to_owned).into(),
            "DeploymentProcesses" => ["deploymentprocess-Projects-3", "deploymentprocess-Projects-1"].map(str::to_owned).into(),
            "RunbookProcesses" => ["RunbookProcess-Runbooks-2", "RunbookProcess-Runbooks-1"].map(str::to_owned).into(),
            "PackagesBulk" | "BuildInformationBulk" => continue,
            _ => ids(&all),
        };
        let wanted: Vec<String> = whole.iter().step_by(2).cloned().collect();
        let Some(first) = wanted.first() else { continue };
        if wanted.len() > 1 {
            long.push(name.clone());
        }
        let mut asked: Vec<String> = wanted.clone();
        if !matches!(name.as_str(), "Variables" | "DeploymentProcesses" | "RunbookProcesses") {
            asked.reverse();
        }
        asked.extend([
            first.to_uppercase(),
            first.clone(),
            first.to_lowercase(),
            "Nothing-1".into(),
            first.replace('-', "-0"),
            format!("{first}-"),
        ]);
        let answer = s.get(&format!("{path}?skip=0&take=1000&ids={}", asked.join(","))).await;
        assert_eq!(ids(&answer), wanted, "{name}: {path}?ids={}", asked.join(","));
        assert_eq!(ids(&s.get(&format!("{path}?skip=0&take=1000&ids=Nothing-1")).await), [""; 0], "{name}");
    }
    for name in ["Deployments", "Events", "Interruptions", "Projects", "Releases", "RunbookRuns", "Tasks", "Tenants"] {
        assert!(long.iter().any(|l| l == name), "{name} has too few: {long:?}");
    }
    assert!(seen.len() > 30, "{seen:?}");
}
