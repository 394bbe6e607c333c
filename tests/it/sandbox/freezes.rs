//! What deployment freezes do on the sandbox: whom they stop, when they come again, and who may override or change them.

use crate::support::server::Server;
use reqwest::Method;
use serde_json::{Value, json};

/// A world that begins on Monday at 08:00, with project `P` to `E` and by itself on to `F`, and these freezes.
fn world(freezes: &str, more: &str) -> String {
    format!(
        r#"{more}
environments = [{{ name = "E" }}, {{ name = "F" }}]
lifecycles = [{{ name = "L", phases = [{{ name = "E", environments = ["E"] }}, {{ name = "F", automatic = ["F"] }}] }}]
tenants = [{{ name = "Acme", projects = {{ T = ["E"] }} }}, {{ name = "Ajax", projects = {{ T = ["E"] }} }}]
projects = [
  {{ name = "P", lifecycle = "L", steps = [{{ name = "go", takes = "1m" }}], releases = [{{ version = "1" }}, {{ version = "2" }}], runbooks = [{{ name = "R", steps = [{{ name = "go", takes = "1m" }}] }}] }},
  {{ name = "T", lifecycle = "L", tenanted = "both", steps = [{{ name = "go", takes = "1m" }}], releases = [{{ version = "1" }}] }},
]
{freezes}
"#
    )
}

/// Each day from 10:00 to 12:00.
const DAILY: &str = r#"freezes = [{ name = "Rush hour", from = "2h", for = "2h", every = "day", projects = ["P"], environments = ["E"] }]"#;

fn refusal(answer: &(u16, Value)) -> &str {
    assert_eq!(answer.0, 400, "{}", answer.1);
    answer.1["Errors"][0].as_str().expect("a reason")
}

async fn scheduled(s: &Server, at: &str) -> String {
    let (release, environment) = (s.release("P", "1").await, s.id("environments", "E").await);
    let (status, made) =
        s.post("/api/Spaces-1/deployments", json!({"ReleaseId": release, "EnvironmentId": environment, "QueueTime": at})).await;
    assert_eq!(status, 201, "{made}");
    made["TaskId"].as_str().expect("a task").to_owned()
}

#[tokio::test]
async fn recurring_freeze_refuses_in_each_window_and_fails_what_starts_inside() {
    let s = Server::toml(&world(DAILY, "")).await;
    assert_eq!(s.deploy("P", "1", "E").await.0, 201);
    let (inside, outside) = (scheduled(&s, "2026-03-04T11:00:00Z").await, scheduled(&s, "2026-03-04T12:00:00Z").await);
    s.pass(2 * 60);
    for day in 0..2 {
        assert!(refusal(&s.deploy("P", "1", "E").await).contains("'Rush hour'"), "day {day}");
        s.pass(119);
        assert!(refusal(&s.deploy("P", "1", "E").await).contains("'Rush hour'"), "day {day}");
        s.pass(1);
        assert_eq!(s.deploy("P", "1", "E").await.0, 201, "day {day}");
        s.pass(22 * 60);
    }
    s.pass(3 * 60);
    let task = s.get(&format!("/api/tasks/{inside}")).await;
    assert_eq!(task["State"], "Failed");
    assert!(task["ErrorMessage"].as_str().expect("a reason").contains("'Rush hour'"), "{task}");
    assert_eq!(s.state_of(&outside).await, "Success");
}

#[tokio::test]
async fn deployment_that_the_lifecycle_starts_by_itself_fails_in_a_freeze() {
    let freeze = r#"freezes = [{ name = "Rush hour", from = "0s", for = "1h", every = "day", environments = ["F"] }]"#;
    let s = Server::toml(&world(freeze, "")).await;
    let first = s.start("P", "1", "E").await;
    s.pass(5);
    assert_eq!(s.state_of(&first).await, "Success");
    let to_f = s.id("environments", "F").await;
    let all = s.get(&format!("/api/Spaces-1/deployments?environments={to_f}")).await;
    let task = all["Items"][0]["TaskId"].as_str().unwrap_or_else(|| panic!("nothing was started: {all}"));
    assert_eq!(s.state_of(task).await, "Failed");
}

#[tokio::test]
async fn override_needs_freezes_and_a_reason_on_each_route() {
    let s = Server::toml(&world(DAILY, "")).await;
    s.pass(2 * 60 + 24 * 60);
    let (release, environment) = (s.release("P", "1").await, s.id("environments", "E").await);
    let override_ = async |ids: Value, reason: Value| {
        let command = json!({"ReleaseId": release, "EnvironmentId": environment});
        s.post("/api/Spaces-1/deployments/override", json!({"CreateDeploymentCommand": command, "FreezeIds": ids, "Reason": reason})).await
    };
    let create = async |path: &str, names: Value, reason: Value| {
        let mut body = json!({
            "SpaceId": "Spaces-1", "SpaceIdOrName": "Spaces-1", "ProjectName": "P", "EnvironmentNames": ["E"],
            "DeploymentFreezeNames": names, "DeploymentFreezeOverrideReason": reason,
        });
        let (member, name) = if path == "runbook-runs" { ("RunbookName", "R") } else { ("ReleaseVersion", "1") };
        body[member] = json!(name);
        s.post(&format!("/api/Spaces-1/{path}/create/{}", if path == "runbook-runs" { "v1" } else { "untenanted/v1" }), body).await
    };
    for reason in [json!(null), json!(""), json!(" \t")] {
        assert_eq!(
            refusal(&override_(json!(["DeploymentFreezes-1"]), reason.clone()).await),
            "A reason is required to override deployment freezes."
        );
        for path in ["deployments", "runbook-runs"] {
            assert_eq!(
                refusal(&create(path, json!(["Rush hour"]), reason.clone()).await),
                "A reason is required to override deployment freezes."
            );
        }
    }
    let nothing = "A deployment freeze override reason is specified, but no deployment freezes to override are specified.";
    let invalid = "Unable to override freezes, no valid freezes were specified.";
    assert_eq!(refusal(&override_(json!([]), json!("must")).await), nothing);
    assert_eq!(refusal(&override_(json!(["DeploymentFreezes-9"]), json!("must")).await), invalid);
    for path in ["deployments", "runbook-runs"] {
        assert_eq!(refusal(&create(path, json!([]), json!("must")).await), nothing);
        assert_eq!(refusal(&create(path, json!(["Lunch"]), json!("must")).await), invalid);
    }
    assert_eq!(override_(json!(["DeploymentFreezes-1"]), json!("must")).await.0, 201);
    // How the calls by name answer what is made is not what this is about.
    assert!(create("deployments", json!(["rush hour"]), json!("must")).await.0 < 300);
    assert!(create("runbook-runs", json!([]), json!(null)).await.0 < 300, "runbooks run in spite of freezes");
}

#[tokio::test]
async fn freeze_for_a_tenant_stops_that_tenant_only() {
    let freeze = r#"freezes = [{ name = "Stocktaking", from = "0s", for = "1h", every = "week", on = ["Mon"], projects = ["T"], environments = ["E"], tenants = ["Acme"] }]"#;
    let s = Server::toml(&world(freeze, "")).await;
    s.pass(7 * 24 * 60);
    let (release, environment) = (s.release("T", "1").await, s.id("environments", "E").await);
    let deploy = async |tenant: Value| {
        s.post("/api/Spaces-1/deployments", json!({"ReleaseId": release, "EnvironmentId": environment, "TenantId": tenant})).await
    };
    assert!(refusal(&deploy(json!("Tenants-1")).await).contains("'Stocktaking'"));
    assert_eq!((deploy(json!("Tenants-2")).await.0, deploy(json!(null)).await.0), (201, 201));
    let of = async |tenant: &str| s.get(&format!("/api/deploymentfreezes?skip=0&take=9&tenantIds={tenant}")).await["Count"].clone();
    assert_eq!((of("Tenants-1").await, of("Tenants-2").await), (json!(1), json!(0)));
}

#[tokio::test]
async fn freeze_of_a_project_needs_project_edit_and_stays_within_the_project() {
    let people = r#"
users = [
  { name = "petra", key = "API-PETRA", permissions = ["ProjectView", "ProjectEdit"] },
  { name = "frieda", key = "API-FRIEDA", permissions = ["DeploymentFreezeAdminister"] },
  { name = "vera", key = "API-VERA", permissions = ["ProjectView"] },
]"#;
    let s = Server::toml(&world("", people)).await;
    let new = |owner: Value, project: &str| json!({"Name": format!("Own {owner}{project}"), "Start": "2026-03-02T08:00:00Z", "End": "2026-03-02T09:00:00Z", "OwnerId": owner, "ProjectEnvironmentScope": {project: ["Environments-1"]}});
    let post = async |key: &str, body: Value| s.send_as(key, Method::POST, "/api/deploymentfreezes", Some(body)).await;
    let (status, made) = post("API-PETRA", new(json!("Projects-1"), "Projects-1")).await;
    assert_eq!((status, &made["OwnerId"]), (201, &json!("Projects-1")), "{made}");
    assert_eq!(
        refusal(&post("API-PETRA", new(json!("Projects-1"), "Projects-2")).await),
        "A deployment freeze that belongs to a project cannot be scoped to another project."
    );
    assert_eq!(post("API-PETRA", new(json!(null), "Projects-1")).await.0, 403);
    assert_eq!(post("API-VERA", new(json!("Projects-1"), "Projects-1")).await.0, 403);
    let (status, global) = post("API-FRIEDA", new(json!(null), "Projects-1")).await;
    assert_eq!(status, 201, "{global}");
    let at = |freeze: &Value| format!("/api/deploymentfreezes/{}", freeze["Id"].as_str().expect("an id"));
    assert_eq!(s.send_as("API-PETRA", Method::DELETE, &at(&global), None).await.0, 403);
    assert_eq!(s.send_as("API-PETRA", Method::PUT, &at(&made), Some(made.clone())).await.0, 200);
    assert_eq!(s.send_as("API-PETRA", Method::DELETE, &at(&made), None).await.0, 200);
}

#[tokio::test]
async fn older_servers_neither_say_occurrences_nor_know_freezes_of_projects() {
    let schedule = json!({"Type": "Weekly", "Unit": 1, "DaysOfWeek": "Monday, Friday", "EndType": "Never"});
    let new = json!({"Name": "N", "Start": "2026-03-02T10:00:00Z", "End": "2026-03-02T12:00:00Z", "OwnerId": "Projects-1", "RecurringSchedule": schedule});
    for (version, owner, occurrence) in
        [("2025.1", None, false), ("2026.1", Some("Projects-1"), false), ("2026.3", Some("Projects-1"), true)]
    {
        let s = Server::toml(&world("", &format!("version = \"{version}\""))).await;
        // A freeze without a scope is taken, and stops nothing.
        let (status, made) = s.post("/api/deploymentfreezes", new.clone()).await;
        assert_eq!(status, 201, "{made}");
        assert_eq!(made["OwnerId"].as_str(), owner, "{version}");
        assert_eq!(made["RecurringSchedule"]["DaysOfWeek"], json!(["Monday", "Friday"]));
        let list = s.get("/api/deploymentfreezes?skip=0&take=9&effectiveDate=2026-03-03T00:00:00Z").await;
        let start = &list["DeploymentFreezes"][0]["RecurringSchedule"]["StartDate"];
        assert_eq!(start.as_str(), occurrence.then_some("2026-03-06T10:00:00.000+00:00"), "{version}");
        let bare = s.send(Method::GET, "/api/deploymentfreezes", None).await;
        assert_eq!(bare.0, if occurrence { 400 } else { 200 }, "{version}: {}", bare.1);
    }
}

#[tokio::test]
async fn server_with_the_mistake_of_2025_4_is_stopped_by_a_freeze_to_come() {
    let freeze = r#"freezes = [{ name = "Christmas", from = "24h", for = "1h", projects = ["P"], environments = ["E"] }]"#;
    let (right, wrong) = (Server::toml(&world(freeze, "")).await, Server::toml(&world(freeze, "future_freezes_stop = true")).await);
    assert_eq!(right.deploy("P", "1", "E").await.0, 201);
    assert!(refusal(&wrong.deploy("P", "1", "E").await).contains("'Christmas'"));
    wrong.pass(25 * 60);
    assert_eq!(wrong.deploy("P", "1", "E").await.0, 201);
}

#[tokio::test]
async fn schedule_that_makes_no_sense_is_refused() {
    let s = Server::toml(&world("", "")).await;
    for (member, schedule) in [
        ("Type", json!({"Type": "Lunar", "Unit": 1})),
        ("Unit", json!({"Type": "Daily", "Unit": 0})),
        ("DaysOfWeek", json!({"Type": "Weekly", "Unit": 1, "DaysOfWeek": []})),
        ("DaysOfWeek", json!({"Type": "Weekly", "Unit": 1, "DaysOfWeek": "Monday, Someday"})),
        ("MonthlyScheduleType", json!({"Type": "Monthly", "Unit": 1})),
        ("DateOfMonth", json!({"Type": "Monthly", "Unit": 1, "MonthlyScheduleType": "DateOfMonth", "DateOfMonth": "32"})),
        ("EndOnDate", json!({"Type": "Daily", "Unit": 1, "EndType": "OnDate"})),
        ("EndAfterOccurrences", json!({"Type": "Daily", "Unit": 1, "EndType": "AfterOccurrences"})),
    ] {
        let new = json!({"Name": "N", "Start": "2026-03-02T10:00:00Z", "End": "2026-03-02T12:00:00Z", "RecurringSchedule": schedule});
        let answer = s.post("/api/deploymentfreezes", new).await;
        assert!(refusal(&answer).ends_with(&format!("is not valid for RecurringSchedule.{member}.")), "{}", answer.1);
    }
    let backwards = json!({"Name": "N", "Start": "2026-03-02T10:00:00Z", "End": "2026-03-02T09:00:00Z"});
    assert!(refusal(&s.post("/api/deploymentfreezes", backwards).await).contains("after its start"));
    let (status, said) = s.send(Method::GET, "/api/deploymentfreezes?skip=0&take=1&status=Active", None).await;
    assert_eq!(status, 501, "{said}");
}
