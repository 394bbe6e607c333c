//! Documents that clients send incomplete: copies of projects and tenants, fields left out, new variables.

use crate::support::server::Server;
use serde_json::{Value, json};

const WORLD: &str = r#"
[[environments]]
name = "Test"
[[tag_sets]]
name = "Region"
tags = ["North"]
[[projects]]
name = "Harbour"
description = "The old one"
steps = [{ name = "Dig" }, { name = "Flood" }]
releases = [{ version = "1.0.0" }]
channels = [{ name = "Main", default = true }, { name = "Beta" }]
variables = [{ name = "Depth", value = "9" }]
runbooks = [{ name = "Drain", steps = [{ name = "Pump" }] }]
tenanted = "both"
[[tenants]]
name = "Rivo"
tags = ["Region/North"]
projects = { Harbour = ["Test"] }
"#;

fn names(list: &Value) -> Vec<&str> {
    list.as_array().expect("a list").iter().map(|d| d["Name"].as_str().expect("a name")).collect()
}

#[tokio::test]
async fn a_copied_project_has_process_variables_channels_and_runbooks_but_no_releases() {
    let s = Server::toml(WORLD).await;
    let (status, copy) = s
        .post(
            "/api/Spaces-1/projects?clone=Projects-1",
            json!({"Name": "New harbour", "Description": "The new one", "ProjectGroupID": "ProjectGroups-7"}),
        )
        .await;
    assert_eq!(status, 201);
    let id = copy["Id"].as_str().expect("an id");
    assert_ne!(id, "Projects-1");
    assert_eq!([&copy["ClonedFromProjectId"], &copy["Description"], &copy["Slug"]], ["Projects-1", "The new one", "new-harbour"]);
    assert_eq!((&copy["ProjectGroupId"], copy.get("ProjectGroupID")), (&json!("ProjectGroups-7"), None));
    assert_eq!(copy["TenantedDeploymentMode"], "TenantedOrUntenanted");
    let process = s.get(&format!("/api/Spaces-1/deploymentprocesses/{}", copy["DeploymentProcessId"].as_str().expect("an id"))).await;
    assert_eq!(names(&process["Steps"]), ["Dig", "Flood"]);
    let set = s.get(&format!("/api/Spaces-1/variables/{}", copy["VariableSetId"].as_str().expect("an id"))).await;
    assert_eq!((names(&set["Variables"]), set["OwnerId"].as_str()), (vec!["Depth"], Some(id)));
    assert_eq!(names(&s.get(&format!("/api/Spaces-1/projects/{id}/channels")).await["Items"]), ["Main", "Beta"]);
    assert_eq!(names(&s.get(&format!("/api/Spaces-1/projects/{id}/runbooks")).await["Items"]), ["Drain"]);
    assert_eq!(s.get(&format!("/api/Spaces-1/projects/{id}/releases")).await["TotalResults"], 0);
    assert_eq!(s.get("/api/Spaces-1/projects/Projects-1/channels").await["TotalResults"], 2, "the source is as it was");
}

#[tokio::test]
async fn a_copied_tenant_has_tags_and_connections() {
    let s = Server::toml(WORLD).await;
    let (status, copy) = s.post("/api/Spaces-1/tenants?clone=Tenants-1", json!({"Name": "Sul", "Description": null})).await;
    assert_eq!((status, &copy["ClonedFromTenantId"], &copy["TenantTags"]), (201, &json!("Tenants-1"), &json!(["Region/North"])));
    assert_eq!(copy["ProjectEnvironments"], json!({"Projects-1": ["Environments-1"]}));
    assert_eq!(s.post("/api/Spaces-1/tenants?clone=Tenants-99", json!({"Name": "Norr"})).await.0, 404);
    assert_eq!(s.post("/api/Spaces-1/tenants?clone=Tenants-1", json!({"Name": "Sul"})).await.0, 400, "the name is taken");
}

#[tokio::test]
async fn a_field_that_a_client_leaves_out_is_empty_not_gone() {
    let s = Server::toml(WORLD).await;
    let body = json!({"Id": "Tenants-1", "Name": "Rivo", "SpaceId": "Spaces-1", "TenantTags": ["Region/North"]});
    let (status, tenant) = s.send(reqwest::Method::PUT, "/api/Spaces-1/tenants/Tenants-1", Some(body)).await;
    assert_eq!((status, &tenant["ProjectEnvironments"], &tenant["Description"]), (200, &json!({}), &json!("")));
}

#[tokio::test]
async fn a_new_variable_gets_an_id_and_a_secret_is_one_by_its_type() {
    let s = Server::toml(WORLD).await;
    let path = "/api/Spaces-1/variables/variableset-Projects-1";
    let mut set = s.get(path).await;
    let list = set["Variables"].as_array_mut().expect("a list");
    list.push(json!({"Name": "A", "Value": "1", "Type": "String"}));
    list.push(json!({"Id": "", "Name": "B", "Value": "hush", "Type": "Sensitive", "IsSensitive": false}));
    assert_eq!(s.send(reqwest::Method::PUT, path, Some(set)).await.0, 200);
    let set = s.get(path).await;
    let (depth, a, b) = (&set["Variables"][0], &set["Variables"][1], &set["Variables"][2]);
    let ids: std::collections::BTreeSet<&str> = [depth, a, b].iter().map(|v| v["Id"].as_str().expect("an id")).collect();
    assert_eq!((ids.len(), ids.contains("")), (3, false));
    assert_eq!((&b["IsSensitive"], &b["Value"]), (&json!(true), &Value::Null));
    assert_eq!((&a["IsSensitive"], &a["Scope"], &a["Prompt"]), (&json!(false), &json!({}), &Value::Null));
}

#[tokio::test]
async fn a_worker_is_listed_in_its_pool() {
    let s = Server::toml(WORLD).await;
    let path = "/api/Spaces-1/workerpools/WorkerPools-1/workers";
    assert_eq!(s.get(path).await["TotalResults"], 0);
    let worker = json!({"Name": "Tug", "WorkerPoolIds": ["WorkerPools-1"], "Endpoint": {"CommunicationStyle": "TentaclePassive"}});
    assert_eq!(s.post("/api/Spaces-1/workers", worker).await.0, 201);
    assert_eq!(names(&s.get(path).await["Items"]), ["Tug"]);
}
