//! What holds tasks on a server of 2026, and what ends them: things outside of the server, newer deployments, shares of the queue, people.

use crate::support::server::Server;
use octorhai::sandbox::World;
use reqwest::Method;
use serde_json::{Value, json};
use std::fmt::Write;

/// A world with projects of the same steps, one environment `E`, releases `1` to `4`.
fn world(top: &str, projects: &[&str], keys: &str, steps: &str) -> String {
    let mut text = format!("{top}\n[[environments]]\nname = \"E\"\n");
    for name in projects {
        let releases = (1..=4).map(|n| format!("{{ version = \"{n}\" }}")).collect::<Vec<_>>().join(", ");
        let _ = write!(text, "[[projects]]\nname = \"{name}\"\n{keys}\nreleases = [{releases}]\nsteps = [{steps}]\n");
    }
    text
}

async fn states<const N: usize>(s: &Server, tasks: [&str; N]) -> [String; N] {
    let mut found = [const { String::new() }; N];
    for (task, state) in tasks.into_iter().zip(&mut found) {
        *state = s.state_of(task).await;
    }
    found
}

#[tokio::test]
async fn what_is_outside_of_the_server_is_waited_for_and_answered_by_nobody() {
    for (kind, more) in [
        (
            "PullRequestCompletion",
            ", pull_requests = [{ number = 41, title = \"Web 2\" }, { number = 42, title = \"Web 3\", url = \"https://git.example.com/web/pull/42\" }]",
        ),
        ("ArgoCDApplicationSync", ""),
        ("KubernetesResourceVerification", ""),
    ] {
        for (fails, end) in [(false, "Success"), (true, "Failed")] {
            let steps = format!(
                r#"{{ name = "go" }}, {{ name = "wait", awaits = {{ type = "{kind}", takes = "20m", fails = {fails}{more} }} }}, {{ name = "on" }}"#
            );
            let s = Server::toml(&world("task_cap = 1", &["P", "Q"], "", &steps)).await;
            let task = s.start("P", "1", "E").await;
            s.pass(2);
            let doc = s.get(&format!("/api/tasks/{task}")).await;
            assert_eq!((&doc["State"], &doc["PendingInterruptionTypes"]), (&json!("Queued"), &json!([kind])), "{doc}");
            let page = s.get(&format!("/api/Spaces-1/interruptions?pendingOnly=true&regarding={task}")).await;
            let interruption = &page["Items"][0];
            assert_eq!((&interruption["Type"], &interruption["CanTakeResponsibility"]), (&json!(kind), &json!(false)));
            let controls = interruption["Form"]["Elements"].as_array().expect("elements").iter().map(|e| &e["Control"]["Type"]);
            assert!(controls.into_iter().all(|control| control != "SubmitButtonGroup"), "{interruption}");
            let id = interruption["Id"].as_str().expect("an id");
            assert_eq!(s.send(Method::PUT, &format!("/api/interruptions/{id}/responsible"), None).await.0, 400);
            assert_eq!(s.post(&format!("/api/interruptions/{id}/submit"), json!({"Result": "Proceed"})).await.0, 400);
            let requests = |doc: &Value| -> Vec<(u64, String)> {
                let all = doc["PullRequests"].as_array().expect("a list").iter();
                all.map(|p| (p["Number"].as_u64().expect("a number"), p["Status"].as_str().expect("a status").to_owned())).collect()
            };
            let expected = |status: &str| if more.is_empty() { vec![] } else { vec![(41, status.to_owned()), (42, status.to_owned())] };
            assert_eq!(requests(interruption), expected("Open"));
            // The slot is free meanwhile.
            let other = s.start("Q", "1", "E").await;
            s.pass(2);
            assert_eq!(s.get(&format!("/api/tasks/{other}")).await["HasPendingInterruptions"], true);
            s.pass(21);
            assert_eq!(s.state_of(&task).await, end, "{kind}");
            let doc = s.get(&format!("/api/Spaces-1/interruptions/{id}")).await;
            assert_eq!((&doc["IsPending"], requests(&doc)), (&json!(false), expected(if fails { "Closed" } else { "Merged" })));
        }
    }
}

#[test]
fn a_step_that_waits_for_something_says_what() {
    for (awaits, message) in [
        ("{ type = \"PullRequestCompletion\" }", "the key `pull_requests` is missing"),
        (
            "{ type = \"ArgoCDApplicationSync\", pull_requests = [{ number = 1, title = \"x\" }] }",
            "only PullRequestCompletion has `pull_requests`",
        ),
        ("{ type = \"ManualIntervention\" }", "there is no value `ManualIntervention` here"),
    ] {
        let text = world("", &["P"], "", &format!("{{ name = \"wait\", awaits = {awaits} }}"));
        let Err(error) = World::from_toml("w.toml", &text) else { panic!("{awaits} is taken") };
        assert!(error.message().starts_with(message), "{awaits}: {}", error.message());
    }
    let both = "{ name = \"wait\", manual = { instructions = \"look\" }, awaits = { type = \"ArgoCDApplicationSync\" } }";
    let Err(error) = World::from_toml("w.toml", &world("", &["P"], "", both)) else { panic!("taken") };
    assert!(error.message().starts_with("a step with `awaits` has neither `manual` nor `run`"), "{}", error.message());
}

#[tokio::test]
async fn a_new_deployment_replaces_queued_ones_from_the_back_up_to_a_partial_one() {
    let s = Server::toml(&world("", &["P"], "cancel_queued = true", r#"{ name = "go", takes = "10m" }, { name = "on" }"#)).await;
    let first = s.start("P", "1", "E").await;
    s.pass(1);
    let (release, environment) = (s.release("P", "2").await, s.id("environments", "E").await);
    let process = s.get("/api/Spaces-1/projects/Projects-1/deploymentprocesses").await;
    let partial = json!({"ReleaseId": release, "EnvironmentId": environment, "SkipActions": [process["Steps"][1]["Actions"][0]["Id"]]});
    let whole = s.start("P", "2", "E").await;
    let (status, partial) = s.post("/api/deployments", partial).await;
    assert_eq!(status, 201, "{partial}");
    let partial = partial["TaskId"].as_str().expect("a task");
    let third = s.start("P", "3", "E").await;
    let last = s.start("P", "4", "E").await;
    assert_eq!(states(&s, [&first, &whole, partial, &third, &last]).await, ["Executing", "Queued", "Queued", "Canceled", "Queued"]);
}

#[tokio::test]
async fn what_has_started_is_cancelled_when_a_newer_deployment_has_succeeded() {
    let steps = r#"{ name = "ask", manual = { instructions = "look" } }, { name = "on", fails = [{ release = "2" }] }"#;
    let s = Server::toml(&world("", &["P"], "cancel_running = true", steps)).await;
    let tasks = [s.start("P", "1", "E").await, s.start("P", "2", "E").await, s.start("P", "3", "E").await];
    s.pass(2);
    let answer = async |task: &str| {
        let page = s.get(&format!("/api/Spaces-1/interruptions?pendingOnly=true&regarding={task}")).await;
        let id = page["Items"][0]["Id"].as_str().expect("an id").to_owned();
        s.send(Method::PUT, &format!("/api/interruptions/{id}/responsible"), None).await;
        assert_eq!(s.post(&format!("/api/interruptions/{id}/submit"), json!({"Result": "Proceed"})).await.0, 200);
        s.pass(5);
    };
    let all = [&*tasks[0], &*tasks[1], &*tasks[2]];
    assert_eq!(states(&s, all).await, ["Queued", "Queued", "Queued"], "creation cancels nothing that has started");
    answer(&tasks[1]).await;
    assert_eq!(states(&s, all).await, ["Queued", "Failed", "Queued"], "neither does a failure");
    answer(&tasks[2]).await;
    assert_eq!(states(&s, all).await, ["Canceled", "Failed", "Success"]);
}

#[tokio::test]
async fn a_fair_queue_shares_its_slots_among_projects_with_priority() {
    for (fair, wanted) in [(true, ["Projects-1", "Projects-2"]), (false, ["Projects-1", "Projects-1"])] {
        let phases = "[[lifecycles]]\nname = \"L\"\nphases = [{ name = \"one\", environments = [\"E\", \"F\"], priority = true }]";
        let top = format!("task_cap = 2\nfair_queue = {fair}\n[[environments]]\nname = \"F\"\n{phases}");
        let s = Server::toml(&world(&top, &["P", "Q"], "lifecycle = \"L\"", r#"{ name = "go", takes = "10m" }"#)).await;
        for (project, environment) in [("P", "E"), ("P", "F"), ("Q", "E")] {
            s.start(project, "1", environment).await;
        }
        s.pass(1);
        let running = s.get("/api/tasks?states=Executing").await;
        let mut projects: Vec<&str> = running["Items"].as_array().expect("tasks").iter().filter_map(|t| t["ProjectId"].as_str()).collect();
        projects.sort_unstable();
        assert_eq!(projects, wanted, "fair: {fair}");
    }
}

#[tokio::test]
async fn a_task_that_hangs_in_cancelling_can_be_abandoned() {
    let world = |top: &str| world(&format!("cancel_takes = \"1h\"\n{top}"), &["P"], "", r#"{ name = "go", takes = "10m" }"#);
    let s = Server::toml(&world("")).await;
    let task = s.start("P", "1", "E").await;
    let abandon = async || s.send(Method::POST, &format!("/api/Spaces-1/tasks/{task}/abandon"), None).await;
    s.pass(1);
    assert_eq!(abandon().await.0, 400);
    s.send(Method::POST, &format!("/api/tasks/{task}/cancel"), None).await;
    s.pass(10);
    assert_eq!((abandon().await.0, s.state_of(&task).await), (400, "Cancelling".into()));
    s.pass(1);
    let (status, doc) = abandon().await;
    assert_eq!((status, &doc["State"]), (200, &json!("Canceled")), "{doc}");
    assert!(doc["ErrorMessage"].as_str().is_some_and(|text| text.contains("abandoned by sandbox")), "{doc}");
    assert_eq!(abandon().await.0, 400);
    let (_, other) = s.post("/api/Spaces-1/tasks", json!({"Name": "Health", "Description": "Check"})).await;
    let other = other["Id"].as_str().expect("an id");
    assert_eq!(s.send(Method::POST, &format!("/api/Spaces-1/tasks/{other}/abandon"), None).await.0, 400);
    let old = Server::toml(&world("version = \"2026.1\"")).await;
    let task = old.start("P", "1", "E").await;
    assert_eq!(old.send(Method::POST, &format!("/api/Spaces-1/tasks/{task}/abandon"), None).await.0, 404, "older servers do not know it");
}

#[tokio::test]
async fn lists_of_tasks_take_the_filters_of_2026() {
    let s = Server::of(World::named_or_file("tenants").expect("a world")).await;
    let command = json!({"spaceIdOrName": "Default", "projectName": "Store", "releaseVersion": "3.1.0", "environmentName": "Production", "tenants": ["*"]});
    let (status, made) = s.post("/api/Spaces-1/deployments/create/tenanted/v1", command).await;
    assert_eq!(status, 200, "{made}");
    let count = async |query: &str| s.get(&format!("/api/Spaces-1/tasks?{query}")).await["TotalResults"].as_u64().expect("a number");
    let all = count("").await;
    let early = count("tenantTag=Ring/Early").await;
    assert!(early > 0 && early < all, "{early} of {all}");
    assert_eq!(count("tenantTag=Ring/Nowhere").await, 0);
    assert_eq!(count("name=Deploy,RunbookRun").await, all);
    assert_eq!(count("name=RunbookRun,Health").await, 0);
    assert_eq!((count("states=New").await, count("states=New,Queued").await), (0, count("states=Queued").await));
    let (status, body) = s.send(Method::GET, "/api/Spaces-1/tasks?batch=Batches-1", None).await;
    assert_eq!(status, 501, "{body}");
}

#[tokio::test]
async fn deployments_by_name_are_created_as_documented() {
    let s = Server::of(World::named_or_file("tenants").expect("a world")).await;
    let command = |more: Value| {
        let mut body = json!({"spaceIdOrName": "Default", "projectName": "Store", "releaseVersion": "3.1.0"});
        body.as_object_mut().expect("an object").extend(more.as_object().cloned().expect("an object"));
        body
    };
    let (untenanted, tenanted) = ("/api/Spaces-1/deployments/create/untenanted/v1", "/api/Spaces-1/deployments/create/tenanted/v1");
    for (path, more) in [
        (untenanted, json!({"environmentNames": []})),
        (tenanted, json!({"environmentName": "Production", "tenants": [], "tenantTags": []})),
    ] {
        let (status, made) = s.post(path, command(more)).await;
        assert_eq!((status, made), (200, json!({"DeploymentServerTasks": []})), "nothing is asked for, so nothing is made");
    }
    let without = json!({"projectName": "Store", "releaseVersion": "3.1.0", "environmentName": "Production", "tenants": ["*"]});
    let (status, body) = s.post(tenanted, without).await;
    assert_eq!((status, &body["Errors"][0]), (400, &json!("The SpaceIdOrName field is required.")));
    for (member, value, status, words) in [
        ("DebugMode", json!("Off"), 400, "DebugMode"),
        ("SpecificTargetTagNames", json!(["Roles/Web"]), 400, "The target tag 'Roles/Web' does not exist."),
        ("ChangeRequestSettings", json!([{"Type": "ServiceNow"}]), 501, "ChangeRequestSettings"),
        ("DebugMode", json!("Debug"), 200, "DeploymentServerTasks"),
    ] {
        let (found, body) = s.post(tenanted, command(json!({"environmentName": "Production", "tenants": ["*"], member: value}))).await;
        assert_eq!(found, status, "{member}: {body}");
        assert!(body.to_string().contains(words), "{body}");
    }
    let deployments = s.get("/api/Spaces-1/deployments").await;
    assert_eq!(deployments["Items"][0]["DebugMode"], "Debug");
}
