//! Parent and ephemeral environments.

use super::{Walk, text};
use reqwest::Method;
use serde_json::json;

/// A parent of our own, and an ephemeral environment from its making to its end.
pub async fn ephemeral(walk: &mut Walk) {
    let parents = "/api/Spaces-1/parentEnvironments";
    let rule = json!({"ExpiryDays": 1, "ExpiryHours": 2});
    let made = walk.post(parents, json!({"Name": "Reviews", "SpaceId": "Spaces-1", "AutomaticDeprovisioningRule": rule})).await;
    let at = format!("{parents}/{}", text(&made, "Id"));
    assert_eq!(walk.get(&at).await["AutomaticDeprovisioningRule"], rule);
    let body = json!({"EnvironmentId": made["Id"], "Name": "Reviews 2", "SpaceId": "Spaces-1", "Description": "none", "AutomaticDeprovisioningRule": null});
    walk.put(&at, body).await;
    for wrong in [
        json!({"Name": ""}),
        json!({"Name": "x".repeat(51)}),
        json!({"Name": "Test"}),
        json!({"Name": "R", "AutomaticDeprovisioningRule": {}}),
    ] {
        walk.refused(Method::POST, parents, Some(wrong), 400).await;
    }
    walk.get("/api/Spaces-1/environments/v2?skip=0&take=30&type=Parent").await;
    walk.delete(&at).await;
    walk.refused(Method::GET, &at, None, 404).await;

    let project = walk.id("projects", "Sandbank").await;
    let own = format!("/api/Spaces-1/projects/{project}/environments/ephemeral");
    walk.refused(Method::POST, &own, Some(json!({"EnvironmentName": "Test"})), 400).await;
    let made = walk.post(&own, json!({"EnvironmentName": "ava/pr"})).await;
    let environment = text(&made, "Id");
    assert_eq!(walk.get(&format!("/api/Spaces-1/environments/{environment}/v2")).await["Name"], "ava-pr");
    let status = format!("{own}/{environment}/status");
    assert_eq!(walk.get(&status).await["Status"], "NotProvisioned");
    let release = walk.server.release("Sandbank", "1.1.0-pr.1").await;
    let body = json!({"ReleaseId": release, "EnvironmentId": environment});
    walk.post("/api/Spaces-1/deployments", body).await;
    walk.server.pass(1);
    assert_eq!(walk.get(&status).await["Status"], "Provisioning");
    walk.get(&format!("/api/Spaces-1/projects/{project}/environments?skip=0&take=30&type=Ephemeral")).await;
    walk.get("/api/Spaces-1/environments/summary/v2").await;
    walk.get(&format!("/api/Spaces-1/releases/{release}/progression")).await;
    walk.get(&format!("/api/Spaces-1/dashboard/dynamic?environments={environment}")).await;
    walk.server.pass(5);
    assert_eq!(walk.get(&status).await["Status"], "Provisioned");
    let run = walk.post(&format!("{own}/{environment}/deprovision"), json!({})).await;
    assert!(run["DeprovisioningRun"]["TaskId"].is_string(), "{run}");
    walk.server.pass(5);
    assert_eq!(walk.get(&status).await["Status"], "Deprovisioned");
    walk.post(&format!("/api/Spaces-1/environments/ephemeral/{environment}/deprovision"), json!({})).await;
    walk.refused(Method::GET, &status, None, 404).await;
}
