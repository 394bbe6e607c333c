//! The rules of a server, and what time does: people, failures, tenants, freezes, queues, variables.

use crate::support::server::Server;
use octorhai::sandbox::World;
use serde_json::{Value, json};
use std::fmt::Write;

/// A world with one project `P` of `steps`, one environment `E`, release `1` and more lines.
fn world(steps: &str, more: &str) -> String {
    let mut text = String::from(
        "[[environments]]\nname = \"E\"\n[[environments]]\nname = \"F\"\n[[lifecycles]]\nname = \"L\"\nphases = [{ name = \"E\", environments = [\"E\", \"F\"] }]\n",
    );
    let _ = write!(
        text,
        "{more}\n[[projects]]\nname = \"P\"\nlifecycle = \"L\"\nreleases = [{{ version = \"1\" }}, {{ version = \"2\" }}]\nsteps = [{steps}]\n"
    );
    text
}

async fn pending(s: &Server, task: &str) -> Value {
    s.get(&format!("/api/Spaces-1/interruptions?pendingOnly=true&regarding={task}")).await["Items"][0].clone()
}

async fn submit(s: &Server, interruption: &Value, body: Value) -> u16 {
    let id = interruption["Id"].as_str().expect("an id");
    let (status, _) = s.send(reqwest::Method::PUT, &format!("/api/interruptions/{id}/responsible"), None).await;
    assert_eq!(status, 200);
    s.post(&format!("/api/interruptions/{id}/submit"), body).await.0
}

#[tokio::test]
async fn people_are_asked_and_the_slot_is_free_meanwhile() {
    let steps = r#"{ name = "one" }, { name = "ask", manual = { instructions = "look" } }, { name = "two" }"#;
    let s = Server::toml(&format!("task_cap = 1\n{}", world(steps, ""))).await;
    let first = s.start("P", "1", "E").await;
    s.pass(2);
    let t = s.get(&format!("/api/tasks/{first}")).await;
    assert_eq!(
        (t["State"].as_str().unwrap(), t["HasPendingInterruptions"].as_bool(), t["StartTime"].is_string()),
        ("Queued", Some(true), true)
    );
    assert_eq!(t["PendingInterruptionTypes"], json!(["ManualIntervention"]));
    let second = s.start("P", "2", "E").await;
    s.pass(1);
    assert_eq!(s.state_of(&second).await, "Executing", "another may overtake");
    let question = pending(&s, &first).await;
    assert_eq!(question["Form"]["Elements"][0]["Control"]["Text"], "look");
    assert_eq!(
        s.post(&format!("/api/interruptions/{}/submit", question["Id"].as_str().unwrap()), json!({"Result": "Proceed"})).await.0,
        400,
        "nobody is responsible"
    );
    assert_eq!(submit(&s, &question, json!({"Notes": "ok", "Result": "Proceed"})).await, 200);
    s.pass(3);
    assert_eq!(s.state_of(&first).await, "Success");
    assert_eq!(s.state_of(&second).await, "Queued", "now it asks too");
    let question = pending(&s, &second).await;
    submit(&s, &question, json!({"Result": "Abort"})).await;
    s.pass(1);
    assert_eq!(s.state_of(&second).await, "Failed");
}

#[tokio::test]
async fn somebody_in_the_world_answers() {
    let s =
        Server::toml(&world(r#"{ name = "ask", manual = { instructions = "look", answer = "Proceed", answer_after = "10m" } }"#, "")).await;
    let task = s.start("P", "1", "E").await;
    s.pass(9);
    assert_eq!(s.state_of(&task).await, "Queued");
    s.pass(2);
    assert_eq!(s.state_of(&task).await, "Success");
}

#[tokio::test]
async fn a_step_fails_for_a_release_and_the_nth_time_and_says_why() {
    let s = Server::toml(&world(r#"{ name = "go", fails = [{ release = "1", environment = "E", nth = 1, error = "boom", log = ["before"] }] }, { name = "after" }, { name = "tidy", condition = "always" }"#, "")).await;
    let first = s.start("P", "1", "E").await;
    s.pass(5);
    let t = s.get(&format!("/api/tasks/{first}")).await;
    assert_eq!((t["State"].as_str().unwrap(), t["HasWarningsOrErrors"].as_bool()), ("Failed", Some(true)));
    assert!(t["ErrorMessage"].as_str().unwrap().starts_with("The deployment failed because one or more steps failed."));
    let details = s.get(&format!("/api/tasks/{first}/details")).await;
    let steps = details["ActivityLogs"][0]["Children"].as_array().unwrap();
    let statuses: Vec<_> = steps.iter().map(|c| c["Status"].as_str().unwrap()).collect();
    assert_eq!(statuses, ["Failed", "Skipped", "Success"]);
    let log: Vec<_> =
        steps[0]["Children"][0]["LogElements"].as_array().unwrap().iter().map(|l| l["MessageText"].as_str().unwrap()).collect();
    assert_eq!(log, ["before", "boom", "The step 'go' failed: boom"]);
    let again = s.start("P", "1", "E").await;
    s.pass(5);
    assert_eq!(s.state_of(&again).await, "Success");
    let (status, edited) = s.post(&format!("/api/tasks/{first}/state"), json!({"state": "Success", "reason": "it did work"})).await;
    assert_eq!((status, edited["State"].as_str().unwrap()), (200, "Success"));
}

#[tokio::test]
async fn guided_failure_asks_while_executing() {
    let s = Server::toml(&world(r#"{ name = "go", fails = [{ nth = 1 }] }"#, "")).await;
    let (release, environment) = (s.release("P", "1").await, s.id("environments", "E").await);
    let (_, d) = s.post("/api/deployments", json!({"ReleaseId": release, "EnvironmentId": environment, "UseGuidedFailure": true})).await;
    let task = d["TaskId"].as_str().unwrap();
    s.pass(2);
    let t = s.get(&format!("/api/tasks/{task}")).await;
    assert_eq!((t["State"].as_str().unwrap(), t["PendingInterruptionTypes"][0].as_str().unwrap()), ("Executing", "GuidedFailure"));
    let question = pending(&s, task).await;
    assert_eq!(submit(&s, &question, json!({"Guidance": "Retry"})).await, 200);
    s.pass(2);
    assert_eq!(s.state_of(task).await, "Success");
}

#[tokio::test]
async fn queue_times_and_their_end() {
    let s = Server::toml(&world(r#"{ name = "go", takes = "1h" }"#, "")).await;
    let (release, environment) = (s.release("P", "1").await, s.id("environments", "E").await);
    s.start("P", "1", "E").await;
    let body = |when: &str| json!({"ReleaseId": release, "EnvironmentId": environment, "QueueTimeExpiry": when});
    assert_eq!(s.post("/api/deployments", body("2026-03-02T07:00:00Z")).await.0, 400);
    let (_, d) = s.post("/api/deployments", body("2026-03-02T08:30:00+00:00")).await;
    s.pass(29);
    assert_eq!(s.state_of(d["TaskId"].as_str().unwrap()).await, "Queued");
    s.pass(2);
    let t = s.get(&format!("/api/tasks/{}", d["TaskId"].as_str().unwrap())).await;
    assert_eq!(
        (t["State"].as_str().unwrap(), t["CompletedTime"].as_str().unwrap(), t["StartTime"].is_null()),
        ("TimedOut", "2026-03-02T08:30:00.000+00:00", true)
    );
}

#[tokio::test]
async fn the_cap_and_moving_to_the_top() {
    let mut text = String::from("task_cap = 2\n[[environments]]\nname = \"E\"\n");
    for p in ["A", "B", "C", "D"] {
        let _ = write!(
            text,
            "[[projects]]\nname = \"{p}\"\nreleases = [{{ version = \"1\" }}]\nsteps = [{{ name = \"go\", takes = \"10m\" }}]\n"
        );
    }
    let s = Server::toml(&text).await;
    let mut tasks = Vec::new();
    for p in ["A", "B", "C", "D"] {
        tasks.push(s.start(p, "1", "E").await);
    }
    s.pass(1);
    assert_eq!(s.get("/api/tasks?states=Executing").await["TotalResults"], 2);
    assert_eq!(s.post(&format!("/api/tasks/{}/prioritize", tasks[3]), json!({})).await.0, 200);
    s.pass(10);
    assert_eq!((s.state_of(&tasks[3]).await, s.state_of(&tasks[2]).await), ("Executing".into(), "Executing".into()));
    let state = s.sandbox.state();
    assert_eq!(state["deployments"][3]["started"], "2026-03-02T08:10:01.000+00:00");
}

#[tokio::test]
async fn a_freeze_forbids_and_can_be_overridden() {
    let s = Server::toml(&world(
        r#"{ name = "go" }"#,
        "[[freezes]]\nname = \"Quarter close\"\nfrom = \"0s\"\nfor = \"2h\"\nenvironments = [\"E\"]",
    ))
    .await;
    let (status, body) = s.deploy("P", "1", "E").await;
    assert_eq!(status, 400);
    assert!(body["Errors"][0].as_str().unwrap().contains("'Quarter close'"));
    assert_eq!(s.deploy("P", "1", "F").await.0, 201);
    let (release, environment) = (s.release("P", "1").await, s.id("environments", "E").await);
    let command = json!({"CreateDeploymentCommand": {"ReleaseId": release, "EnvironmentId": environment}, "FreezeIds": ["DeploymentFreezes-1"], "Reason": "must"});
    assert_eq!(s.post("/api/Spaces-1/deployments/override", command).await.0, 201);
    s.pass(121);
    assert_eq!(s.deploy("P", "1", "E").await.0, 201);
}

#[tokio::test]
async fn tenants_one_by_one() {
    let s = Server::of(World::named_or_file("tenants").unwrap()).await;
    let (status, body) = s.deploy("Store", "3.0.0", "Production").await;
    assert_eq!(status, 400, "{body}");
    let command = |version: &str, tags: Value| json!({"spaceIdOrName": "Default", "projectName": "Store", "releaseVersion": version, "environmentName": "Production", "tenantTags": tags});
    let (status, made) = s.post("/api/Spaces-1/deployments/create/tenanted/v1", command("3.1.0", json!(["Ring/Early"]))).await;
    assert_eq!(status, 200, "{made}");
    assert_eq!(made["DeploymentServerTasks"].as_array().unwrap().len(), 3);
    s.pass(5);
    assert_eq!(s.get("/api/tasks?active=true").await["TotalResults"], 0, "tenants do not wait for each other");
    let early = s.get("/api/Spaces-1/tenants?tags=Ring/Early,Region/South").await;
    assert_eq!(early["TotalResults"], 2);
    let (release, test) = (s.release("Store", "3.1.0").await, s.id("environments", "Test").await);
    let (status, body) =
        s.post("/api/deployments", json!({"ReleaseId": release, "EnvironmentId": test, "TenantId": s.id("tenants", "Hull").await})).await;
    assert_eq!(status, 400);
    assert!(body["Errors"][0].as_str().unwrap().contains("is not connected to project 'Store'"), "{body}");
}

#[tokio::test]
async fn variables_are_saved_by_one_at_a_time() {
    let s = Server::shop().await;
    let path = "/api/Spaces-1/variables/variableset-Projects-1";
    let mut set = s.get(path).await;
    set["Variables"] = json!([{"Id": "1", "Name": "Octopus.Task.ConcurrencyTag", "Value": "shop", "Scope": {}, "IsSensitive": false}]);
    let (status, saved) = s.send(reqwest::Method::PUT, path, Some(set.clone())).await;
    assert_eq!((status, saved["Version"].as_u64(), saved["ScopeValues"].is_null()), (200, Some(1), true));
    let (status, refusal) = s.send(reqwest::Method::PUT, path, Some(set)).await;
    assert_eq!(status, 400);
    assert!(refusal["Errors"][0].as_str().unwrap().starts_with("Changes to these variables could not be saved"));
    let b = "/api/Spaces-1/projects/Projects-2/variables";
    let mut set = s.get(b).await;
    set["Variables"] = json!([{"Id": "2", "Name": "Octopus.Task.ConcurrencyTag", "Value": "shop", "Scope": {}, "IsSensitive": false}]);
    let request = s
        .http
        .post(format!("{}{b}", s.sandbox.url()))
        .header("X-HTTP-Method-Override", "PUT")
        .header("Authorization", "Bearer API-SANDBOX")
        .json(&set);
    assert_eq!(request.send().await.unwrap().status(), 200);
    for project in ["Project A", "Project B"] {
        let release = s.release(project, "2.0.0").await;
        assert_eq!(s.post(&format!("/api/Spaces-1/releases/{release}/snapshot-variables"), json!({})).await.0, 200);
    }
    let (first, second) = (s.start("Project A", "2.0.0", "Test").await, s.start("Project B", "2.0.0", "Test").await);
    s.pass(1);
    assert_eq!((s.state_of(&first).await, s.state_of(&second).await), ("Executing".into(), "Queued".into()));
}

#[tokio::test]
async fn prompts_must_be_answered() {
    let s = Server::toml(
        &world(r#"{ name = "go" }"#, "")
            .replace("steps = [", "variables = [{ name = \"Change\", prompt = \"Change number\", required = true }]\nsteps = ["),
    )
    .await;
    assert_eq!(s.deploy("P", "1", "E").await.0, 400);
    let release = s.release("P", "1").await;
    let preview = s.get(&format!("/api/releases/{release}/deployments/preview/Environments-1")).await;
    let form = preview["Form"]["Elements"][0]["Name"].as_str().unwrap();
    let (status, d) =
        s.post("/api/deployments", json!({"ReleaseId": release, "EnvironmentId": "Environments-1", "FormValues": {form: "CHG-1"}})).await;
    assert_eq!(status, 201, "{d}");
    // A server keeps the value as a variable and never sends the form back.
    assert_eq!(d["FormValues"], json!({}));
    let set = s.get(d["Links"]["Variables"].as_str().unwrap()).await;
    assert!(set["Variables"].as_array().unwrap().iter().any(|v| v["Name"] == "Change" && v["Value"] == "CHG-1"), "{set}");
}

#[tokio::test]
async fn newer_deployments_supersede_queued_ones() {
    let s = Server::toml(&world(r#"{ name = "go", takes = "10m" }"#, "").replace("steps = [", "cancel_queued = true\nsteps = [")).await;
    let first = s.start("P", "1", "E").await;
    s.pass(1);
    let second = s.start("P", "1", "E").await;
    let third = s.start("P", "2", "E").await;
    assert_eq!(
        (s.state_of(&first).await, s.state_of(&second).await, s.state_of(&third).await),
        ("Executing".into(), "Canceled".into(), "Queued".into())
    );
}

#[tokio::test]
async fn automatic_deployments_follow_by_themselves() {
    let text = r#"
        [[environments]]
        name = "E"
        [[environments]]
        name = "F"
        [[lifecycles]]
        name = "L"
        phases = [{ name = "one", automatic = ["E"] }, { name = "two", automatic = ["F"] }]
        [[projects]]
        name = "P"
        lifecycle = "L"
        steps = [{ name = "go" }]
    "#;
    let s = Server::toml(text).await;
    assert_eq!(s.post("/api/releases", json!({"ProjectId": "Projects-1", "Version": "1.0"})).await.0, 201);
    s.pass(3);
    let done: Vec<_> = s.sandbox.state()["deployments"]
        .as_array()
        .unwrap()
        .iter()
        .map(|d| format!("{} {} {}", d["environment"], d["state"], d["by"]).replace('"', ""))
        .collect();
    assert_eq!(done, ["E Success system", "F Success system"]);
}

#[tokio::test]
async fn a_virtual_directory_and_permissions() {
    let s = Server::toml(&format!(
        "base_path = \"/octopus\"\n{}\n[[users]]\nname = \"reader\"\nkey = \"API-READER\"\npermissions = [\"TaskView\"]\n",
        world(r#"{ name = "go" }"#, "")
    ))
    .await;
    assert!(s.sandbox.url().ends_with("/octopus"));
    assert_eq!(s.get("/api").await["Links"]["CurrentUser"], "/octopus/api/users/me");
    let request = s
        .http
        .post(format!("{}/api/deployments?apikey=API-READER", s.sandbox.url()))
        .json(&json!({"ReleaseId": "Releases-1", "EnvironmentId": "Environments-1"}));
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 403);
    let body: Value = response.json().await.unwrap();
    assert!(body["ErrorMessage"].as_str().unwrap().ends_with("Missing permission: DeploymentCreate"));
    assert!(body.get("Errors").is_none());
}

#[tokio::test]
async fn artifacts_and_events() {
    let s = Server::shop().await;
    let task = s.start("Project A", "2.0.0", "Test").await;
    let (status, artifact) = s.post("/api/Spaces-1/artifacts", json!({"Filename": "report.html", "ServerTaskId": task})).await;
    assert_eq!(status, 201);
    let content = format!("{}{}", s.sandbox.url(), artifact["Links"]["Content"].as_str().unwrap());
    s.http.put(&content).header("X-Octopus-ApiKey", "API-SANDBOX").body("hello").send().await.unwrap();
    assert_eq!(s.http.get(&content).header("X-Octopus-ApiKey", "API-SANDBOX").send().await.unwrap().text().await.unwrap(), "hello");
    assert_eq!(s.get(&format!("/api/Spaces-1/artifacts?regarding={task}")).await["TotalResults"], 1);
    s.pass(30);
    let events = s.get(&format!("/api/events?regarding={task}")).await;
    let categories: Vec<_> = events["Items"].as_array().unwrap().iter().map(|e| e["Category"].as_str().unwrap()).collect();
    assert_eq!(categories, ["DeploymentSucceeded", "DeploymentStarted", "DeploymentQueued"]);
}

#[tokio::test]
async fn a_fleet_is_all_there() {
    let s = Server::of(World::named_or_file("fleet(1000)").unwrap()).await;
    assert_eq!(s.get("/api/projects?take=1").await["TotalResults"], 1000);
    assert_eq!(s.get("/api/projects?take=1").await["Items"][0]["Name"], "Project 0001");
    let ids: Vec<String> = (1..=100).map(|i| format!("ServerTasks-{}", i * 7)).collect();
    let path = format!("/api/tasks?take=100&ids={}", ids.join(","));
    assert_eq!(s.get(&path).await["Items"].as_array().unwrap().len(), 100);
    assert_eq!(s.deploy("Project 0500", "1.1.0", "Production").await.0, 201);
}

#[tokio::test]
async fn a_refused_batch_makes_nothing() {
    let s = Server::of(World::named_or_file("tenants").expect("a world")).await;
    let before = s.sandbox.state()["deployments"].as_array().expect("a list").len();
    let command = json!({"spaceIdOrName": "Default", "projectName": "Store", "releaseVersion": "3.1.0", "environmentName": "Test", "tenants": ["Aberdeen", "Hull"]});
    let (status, body) = s.post("/api/Spaces-1/deployments/create/tenanted/v1", command).await;
    assert_eq!(status, 400, "{body}");
    assert_eq!(s.sandbox.state()["deployments"].as_array().expect("a list").len(), before);
}

#[tokio::test]
async fn keys_are_never_shown() {
    let s = Server::shop().await;
    for path in ["/api/users/me", "/api/users", "/api/users/all", "/api/users/Users-1"] {
        let body = s.get(path).await.to_string();
        assert!(!body.contains("API-SANDBOX") && !body.contains("_Key"), "{path}: {body}");
    }
    let me = s.get("/api/users/me").await;
    assert_eq!(s.send(reqwest::Method::PUT, "/api/users/Users-1", Some(me)).await.0, 200);
    assert_eq!(s.get("/api/users/me").await["Username"], "sandbox", "the key still opens the door");
}

#[tokio::test]
async fn steps_run_side_by_side_but_people_are_asked_alone() {
    let steps = r#"{ name = "a", takes = "2m" }, { name = "b", takes = "4m", with_previous = true }, { name = "ask", with_previous = true, manual = { instructions = "?" } }"#;
    let s = Server::toml(&world(steps, "")).await;
    let task = s.start("P", "1", "E").await;
    s.pass(3);
    let details = s.get(&format!("/api/tasks/{task}/details")).await;
    let steps: Vec<_> = details["ActivityLogs"][0]["Children"].as_array().expect("steps").iter().map(|c| c["Status"].clone()).collect();
    assert_eq!(steps, ["Success", "Running", "Pending"]);
    s.pass(2);
    let question = pending(&s, &task).await;
    submit(&s, &question, json!({"Result": "Proceed"})).await;
    s.pass(1);
    assert_eq!(s.state_of(&task).await, "Success");
}

#[tokio::test]
async fn what_is_posted_as_it_was_read_becomes_a_document_of_its_own() {
    let s = Server::toml(&world(r#"{ name = "one" }"#, "")).await;
    let mut copy = s.get("/api/Spaces-1/projects/p").await;
    copy["Name"] = json!("Q");
    let (status, made) = s.post("/api/Spaces-1/projects", copy).await;
    assert_eq!((status, &made["Slug"]), (201, &json!("p-1")));
    let id = made["Id"].as_str().expect("an id");
    assert_eq!(made["DeploymentProcessId"], json!(format!("deploymentprocess-{id}")));
    assert_eq!(made["VariableSetId"], json!(format!("variableset-{id}")));
    // A process is copied by its steps; parts without an id get one.
    let path = format!("/api/Spaces-1/deploymentprocesses/deploymentprocess-{id}");
    let mut process = s.get(&path).await;
    assert_eq!(process["Steps"], json!([]));
    process["Steps"] = json!([{"Id": "", "Name": "Look", "Actions": [{"Id": null, "Name": "Look", "ActionType": "Octopus.Script"}]}, {"Name": "Go", "Actions": []}]);
    let (status, new) = s.send(reqwest::Method::PUT, &path, Some(process)).await;
    assert_eq!((status, &new["Version"], &new["Steps"][0]["Slug"]), (200, &json!(2), &json!("look")));
    let ids = [&new["Steps"][0]["Id"], &new["Steps"][0]["Actions"][0]["Id"], &new["Steps"][1]["Id"]].map(|id| id.as_str().expect("an id"));
    assert!(ids.iter().all(|i| i.len() == 36) && ids[0] != ids[1] && ids[0] != ids[2], "{ids:?}");
    assert_eq!(s.get("/api/Spaces-1/deploymentprocesses/deploymentprocess-Projects-1").await["Version"], 1);
}
