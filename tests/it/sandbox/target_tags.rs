//! Deployment targets that are chosen by tags.

use crate::{scripts::option_calls::WORLD, support::server::Server};
use serde_json::{Value, json};

async fn tag(s: &Server, name: &str) -> String {
    let sets = s.get("/api/Spaces-1/tagsets/all").await;
    let tags = sets.as_array().expect("a list").iter().flat_map(|set| set["Tags"].as_array().expect("a list"));
    let found = tags.clone().find(|tag| tag["CanonicalTagName"] == name).expect("a tag");
    found["Id"].as_str().expect("an id").to_owned()
}

async fn body(s: &Server) -> Value {
    json!({"ReleaseId": s.release("Web", "2.0.0").await, "EnvironmentId": s.id("environments", "Live").await})
}

/// The deployment targets of the newest deployment, and what the log of its task says of them.
async fn targets(s: &Server) -> (Value, String) {
    let truth = s.get("/sandbox/state").await;
    let last = truth["deployments"].as_array().expect("a list").last().expect("a deployment").clone();
    let details = s.get(&format!("/api/tasks/{}/details", last["task"].as_str().expect("an id"))).await;
    let lines = details["ActivityLogs"][0]["LogElements"].as_array().expect("a list").iter();
    (last["targets"].clone(), lines.map(|line| line["MessageText"].as_str().expect("a text")).collect::<Vec<_>>().join("\n"))
}

#[tokio::test]
async fn a_deployment_goes_to_targets_with_one_of_its_tags_and_none_of_the_excluded() {
    let s = Server::toml(WORLD).await;
    let (blue, green) = (tag(&s, "Place/Blue").await, tag(&s, "Place/Green").await);
    for (with, without, wanted, said) in [
        (vec![], vec![], json!(["web-1", "web-2"]), ""),
        (vec![&blue], vec![], json!(["web-1"]), "Deployment targets chosen by tags: web-1"),
        (vec![&blue, &green], vec![], json!(["web-1", "web-2"]), "Deployment targets chosen by tags: web-1, web-2"),
        (vec![], vec![&blue], json!(["web-2"]), "Deployment targets chosen by tags: web-2"),
        (vec![&blue], vec![&blue], json!([]), "No deployment target has the tags that were chosen: steps run on no target."),
    ] {
        let mut body = body(&s).await;
        body["SpecificTargetTagIds"] = json!(with);
        body["ExcludedTargetTagIds"] = json!(without);
        let (status, made) = s.post("/api/Spaces-1/deployments", body).await;
        assert_eq!((status, &made["SpecificTargetTagIds"], &made["ExcludedTargetTagIds"]), (201, &json!(with), &json!(without)));
        assert_eq!(targets(&s).await, (wanted, said.to_owned()));
    }
}

#[tokio::test]
async fn the_executions_api_names_tags_and_takes_variables_anew() {
    let s = Server::toml(WORLD).await;
    let mut set = s.get("/api/Spaces-1/variables/variableset-Projects-1").await;
    set["Variables"][0]["Value"] = json!("later");
    assert_eq!(s.send(reqwest::Method::PUT, "/api/Spaces-1/variables/variableset-Projects-1", Some(set)).await.0, 200);
    let body = json!({"SpaceId": "Spaces-1", "SpaceIdOrName": "Spaces-1", "ProjectName": "Web", "ReleaseVersion": "2.0.0", "EnvironmentNames": ["Live"],
        "SpecificTargetTagNames": ["place/green"], "UpdateVariableSnapshot": true});
    let (status, made) = s.post("/api/Spaces-1/deployments/create/untenanted/v1", body).await;
    assert_eq!(status, 200, "{made}");
    assert_eq!(targets(&s).await.0, json!(["web-2"]));
    let release = s.release("Web", "2.0.0").await;
    assert_eq!(s.get(&format!("/api/Spaces-1/releases/{release}/variables")).await["Variables"][0]["Value"], "later");
}

#[tokio::test]
async fn a_tag_that_no_set_for_targets_has_is_refused() {
    let s = Server::toml(WORLD).await;
    for other in [tag(&s, "Ring/Canary").await, "TagSets-9/Tags-9".to_owned()] {
        let mut body = body(&s).await;
        body["SpecificTargetTagIds"] = json!([other]);
        let (status, refusal) = s.post("/api/Spaces-1/deployments", body).await;
        assert_eq!((status, &refusal["Errors"][0]), (400, &json!(format!("The target tag '{other}' does not exist."))));
    }
    let mut body = body(&s).await;
    body["Priority"] = json!("Urgent");
    assert_eq!(s.post("/api/Spaces-1/deployments", body).await.0, 400);
}

#[tokio::test]
async fn a_preview_tells_the_tags_of_the_targets_that_are_there() {
    let preview = async |version: &str| {
        let s = Server::toml(&format!("version = \"{version}\"\n{WORLD}")).await;
        let (release, live) = (s.release("Web", "2.0.0").await, s.id("environments", "Live").await);
        let preview = s.get(&format!("/api/Spaces-1/releases/{release}/deployments/preview/{live}")).await;
        preview["StepsToExecute"][0]["AvailableTagSets"].clone()
    };
    let sets = preview("2026.3").await;
    assert_eq!(
        (&sets[0]["TagSetName"], &sets[0]["TagSetType"], sets.as_array().map(Vec::len)),
        (&json!("Place"), &json!("MultiSelect"), Some(1))
    );
    let names: Vec<&Value> = sets[0]["AvailableTags"].as_array().expect("a list").iter().map(|tag| &tag["TagName"]).collect();
    assert_eq!(names, ["Blue", "Green"]);
    assert_eq!(preview("2026.1").await, Value::Null);
}

#[tokio::test]
async fn the_state_of_a_task_is_changed_for_a_reason() {
    let s = Server::shop().await;
    let task = s.start("Project A", "2.0.0", "Test").await;
    s.pass(60);
    let at = format!("/api/tasks/{task}/state");
    for body in [
        json!({"Id": task, "State": "Failed"}),
        json!({"Id": task, "State": "Failed", "Reason": ""}),
        json!({"Id": task, "Reason": "it lies"}),
        json!({"Id": "ServerTasks-999", "State": "Failed", "Reason": "it lies"}),
        json!({"Id": task, "SpaceId": "Spaces-2", "State": "Failed", "Reason": "it lies"}),
    ] {
        assert_eq!(s.post(&at, body.clone()).await.0, 400, "{body}");
    }
    let (status, changed) = s.post(&at, json!({"Id": task, "SpaceId": "Spaces-1", "State": "Failed", "Reason": "it lies"})).await;
    assert_eq!((status, &changed["State"]), (200, &json!("Failed")));
}
