//! What the official clients showed the sandbox to have done otherwise than a server.

use crate::support::server::Server;
use reqwest::Method;
use serde_json::json;

const WORLD: &str = r#"
[[environments]]
name = "Test"
[[environments]]
name = "Live"
[[tag_sets]]
name = "Ring"
tags = ["Canary", "Early"]
[[tag_sets]]
name = "Region"
tags = ["North"]
[[projects]]
name = "Web"
tenanted = "both"
steps = [ { name = "Deploy" }, { name = "Smoke test" } ]
releases = [ { version = "1.0.0", notes = "First" } ]
runbooks = [ { name = "Restart", steps = [ { name = "Restart" } ] } ]
[[tenants]]
name = "Rivo"
tags = ["Ring/Canary"]
projects = { Web = ["Test"] }
"#;

const WEB: &str = "/api/Spaces-1/projects/Projects-1";

#[tokio::test]
async fn a_step_skipped_by_name_is_known_by_its_id() {
    let s = Server::toml(WORLD).await;
    let body = json!({"spaceIdOrName": "Default", "projectName": "Web", "releaseVersion": "1.0.0", "environmentNames": ["Test"], "skipStepNames": ["smoke test"]});
    let (status, made) = s.post("/api/Spaces-1/deployments/create/untenanted/v1", body).await;
    assert_eq!(status, 200, "{made}");
    let process = s.get(&format!("{WEB}/deploymentprocesses")).await;
    let id = made["DeploymentServerTasks"][0]["DeploymentId"].as_str().unwrap();
    let deployment = s.get(&format!("/api/Spaces-1/deployments/{id}")).await;
    assert_eq!(deployment["SkipActions"], json!([process["Steps"][1]["Actions"][0]["Id"]]));
    assert_eq!(s.sandbox.state()["deployments"][0]["skip"], json!(["Smoke test"]));
    assert_eq!(deployment["ChangesMarkdown"], "\n**Release 1.0.0**\n\nFirst\n\n");
    s.pass(10);
    let task = s.get(&format!("/api/tasks/{}/details", deployment["TaskId"].as_str().unwrap())).await;
    let steps = task["ActivityLogs"][0]["Children"].as_array().unwrap();
    assert_eq!(steps.iter().map(|c| c["Status"].as_str().unwrap()).collect::<Vec<_>>(), ["Success", "Skipped"]);
}

#[tokio::test]
async fn a_tenant_has_values_for_what_it_is_connected_to() {
    let s = Server::toml(WORLD).await;
    let doc = s.get("/api/Spaces-1/tenants/Tenants-1/variables").await;
    assert_eq!(doc["ProjectVariables"]["Projects-1"]["ProjectName"], "Web");
    assert_eq!(doc["ProjectVariables"]["Projects-1"]["Variables"], json!({"Environments-1": {}}));
    let common = s.get("/api/Spaces-1/tenants/Tenants-1/commonvariables").await;
    assert_eq!(common, json!({"TenantId": "Tenants-1", "Variables": []}));
    let own = s.get("/api/Spaces-1/tenants/Tenants-1/projectvariables?includeMissingVariables=true").await;
    assert_eq!(own, json!({"TenantId": "Tenants-1", "Variables": [], "MissingVariables": []}));
}

#[tokio::test]
async fn a_tag_test_says_what_is_missing() {
    let s = Server::toml(WORLD).await;
    let path = "/api/Spaces-1/tenants/tag-test?tenantIds=Tenants-1&tags=";
    // Any tag of a set, of every set that is named.
    let fits = &s.get(&format!("{path}Ring/Early,Ring/Canary")).await["Tenants-1"];
    assert_eq!((&fits["IsMatched"], &fits["MissingTags"]), (&json!(true), &json!([])));
    let not = &s.get(&format!("{path}Ring/Canary,Region/North")).await["Tenants-1"];
    assert_eq!((&not["IsMatched"], &not["MissingTags"]), (&json!(false), &json!(["Region/North"])));
    assert!(not["Reason"].as_str().unwrap().contains("Region/North"), "{not}");
}

#[tokio::test]
async fn tag_sets_and_environments_are_put_in_order() {
    let s = Server::toml(WORLD).await;
    for (kind, ids) in [("environments", ["Environments-2", "Environments-1"]), ("tagsets", ["TagSets-2", "TagSets-1"])] {
        let (status, _) = s.send(Method::PUT, &format!("/api/Spaces-1/{kind}/sortorder"), Some(json!(ids))).await;
        assert_eq!(status, 200, "{kind}");
        for (i, id) in ids.iter().enumerate() {
            assert_eq!(s.get(&format!("/api/Spaces-1/{kind}/{id}")).await["SortOrder"], i, "{id}");
        }
    }
}

#[tokio::test]
async fn runbooks_are_written_below_their_project() {
    let s = Server::toml(WORLD).await;
    let (status, made) = s.post(&format!("{WEB}/runbooks"), json!({"Name": "Count", "ProjectId": "Projects-1"})).await;
    assert_eq!(status, 201, "{made}");
    let id = made["Id"].as_str().unwrap();
    let (status, _) = s.post(&format!("{WEB}/runbooks"), json!({"Name": "Count", "ProjectId": "Projects-7"})).await;
    assert_eq!(status, 400, "it belongs to another project");

    let snapshot = json!({"Name": "First", "RunbookId": id, "ProjectId": "Projects-1"});
    let (status, snapshot) = s.post(&format!("{WEB}/runbookSnapshots?publish=true"), snapshot).await;
    assert_eq!(status, 201, "{snapshot}");
    assert_eq!(s.get(&format!("{WEB}/runbooks/{id}")).await["PublishedRunbookSnapshotId"], snapshot["Id"]);
    assert_eq!(s.get(&format!("{WEB}/runbookSnapshots/first")).await["Id"], snapshot["Id"]);

    let process = format!("{WEB}/runbookProcesses/RunbookProcess-{id}");
    let mut doc = s.get(&process).await;
    doc["Steps"] = json!([{"Name": "Count gulls", "Actions": []}]);
    assert_eq!(s.send(Method::PUT, &process, Some(doc)).await.1["Version"], 2);
    let (status, _) = s.send(Method::DELETE, &format!("{WEB}/runbooks/{id}"), None).await;
    assert_eq!((status, s.send(Method::GET, &format!("{WEB}/runbooks/{id}"), None).await.0), (200, 404));
}

#[tokio::test]
async fn a_step_template_keeps_its_versions_and_knows_its_users() {
    let s = Server::toml(WORLD).await;
    let body = json!({"Name": "Ring", "ActionType": "Octopus.Script", "Properties": {"Octopus.Action.Script.ScriptBody": "ding"}});
    let (_, made) = s.post("/api/Spaces-1/actiontemplates", body).await;
    let path = format!("/api/Spaces-1/actiontemplates/{}", made["Id"].as_str().unwrap());
    let mut new = made.clone();
    new["Properties"]["Octopus.Action.Script.ScriptBody"] = json!("dong");
    let (_, new) = s.send(Method::PUT, &path, Some(new)).await;
    assert_eq!((&made["Version"], &new["Version"]), (&json!(0), &json!(1)));
    assert_eq!(s.get(&format!("{path}/versions/0")).await, made);
    assert_eq!(s.get(&format!("{path}/versions/1")).await, new);
    assert_eq!(s.send(Method::GET, &format!("{path}/versions/2"), None).await.0, 404);

    assert_eq!(s.get(&format!("{path}/usage")).await, json!([]));
    let mut process = s.get(&format!("{WEB}/deploymentprocesses")).await;
    process["Steps"][0]["Actions"][0]["Properties"] =
        json!({"Octopus.Action.Template.Id": made["Id"], "Octopus.Action.Template.Version": "1"});
    s.send(Method::PUT, &format!("{WEB}/deploymentprocesses"), Some(process)).await;
    let usage = s.get(&format!("{path}/usage")).await;
    let row = &usage[0];
    assert_eq!((&row["ProjectName"], &row["ActionName"], &row["Version"]), (&json!("Web"), &json!("Deploy"), &json!("1")));
}
