//! Deployments, runbook runs, their tasks in every state, and what people are asked.

use super::{Walk, text};
use reqwest::Method;
use serde_json::{Value, json};

async fn release(walk: &mut Walk, project: &str, version: &str) -> (String, String) {
    let project = walk.id("projects", project).await;
    let release = walk.get(&format!("/api/Spaces-1/projects/{project}/releases/{version}")).await;
    (project, text(&release, "Id"))
}

/// Deploys and gives back the task's id.
pub(super) async fn deploy(walk: &mut Walk, project: &str, version: &str, environment: &str, more: Value) -> String {
    let (_, release) = release(walk, project, version).await;
    let environment = walk.id("environments", environment).await;
    let mut body = json!({"ReleaseId": release, "EnvironmentId": environment});
    for (key, value) in super::super::schema::members(&more) {
        body[key] = value.clone();
    }
    let doc = walk.kept(Method::POST, "/api/Spaces-1/deployments", body, &["FormValues"]).await;
    walk.get(&format!("/api/Spaces-1/deployments/{}", text(&doc, "Id"))).await;
    walk.get(&format!("/api/Spaces-1/releases/{release}/progression")).await;
    text(&doc, "TaskId")
}

/// Looks at a task from all sides, and says in which state it is.
async fn look(walk: &mut Walk, task: &str) -> String {
    for tail in ["/details", "/details?verbose=true", "/raw", "/blockedby", "/queued-behind", "/status/messages"] {
        walk.get(&format!("/api/tasks/{task}{tail}")).await;
    }
    walk.get("/api/Spaces-1/dashboard").await;
    let doc = walk.get(&format!("/api/tasks/{task}")).await;
    text(&doc, "State")
}

/// Deployments in every way they can be made and every way they can end.
pub async fn deployments(walk: &mut Walk) {
    let machine = walk.id("machines", "rivo-web-01").await;
    let rich = json!({
        "Comments": "wave 2", "UseGuidedFailure": false, "ForcePackageDownload": true, "ForcePackageRedeployment": true, "Priority": "On",
        "SpecificMachineIds": [machine], "ExcludedMachineIds": [], "SkipActions": [],
    });
    let task = deploy(walk, "Harbour API", "1.1.0", "Production", rich).await;
    assert_eq!(look(walk, &task).await, "Queued");
    walk.server.pass(1);
    assert_eq!(look(walk, &task).await, "Executing");
    let second = deploy(walk, "Harbour API", "1.1.0", "Production", json!({"ExcludedMachineIds": [machine]})).await;
    look(walk, &second).await;
    walk.server.pass(10);
    assert_eq!(look(walk, &task).await, "Success");
    let preview = preview(walk, "Ledger", "1.0.0", "Test").await;
    let form = text(&preview["Form"]["Elements"][0], "Name");
    let when = json!({
        "QueueTime": "2026-03-02T22:00:00.000+00:00", "QueueTimeExpiry": "2026-03-02T23:00:00.000+00:00", "FormValues": { form: "CHG-1042" },
    });
    let later = deploy(walk, "Ledger", "1.0.0", "Test", when).await;
    assert_eq!(look(walk, &later).await, "Queued");
    let failed = deploy(walk, "Leaky Barge", "1.0.0", "Production", json!({})).await;
    let warned = deploy(walk, "Leaky Barge", "1.0.0", "Development", json!({})).await;
    let slow = deploy(walk, "Slow Boat", "1.0.0", "Test", json!({})).await;
    walk.server.pass(1);
    let waits = deploy(walk, "Slow Boat", "1.0.0", "Test", json!({})).await;
    let replaces = deploy(walk, "Slow Boat", "1.0.0", "Test", json!({})).await;
    walk.server.pass(3);
    assert_eq!(look(walk, &failed).await, "Failed");
    assert_eq!(look(walk, &warned).await, "Success");
    assert_eq!(look(walk, &waits).await, "Canceled");
    let behind = walk.get(&format!("/api/tasks/{replaces}/queued-behind")).await;
    assert_eq!(behind["TotalResults"], 1, "{behind}");
    walk.post(&format!("/api/tasks/{replaces}/prioritize"), json!({})).await;
    let cancelled = walk.post(&format!("/api/tasks/{slow}/cancel"), Value::Null).await;
    assert_eq!(text(&cancelled, "State"), "Cancelling");
    look(walk, &slow).await;
    walk.server.pass(11);
    let abandoned = walk.post(&format!("/api/tasks/{slow}/abandon"), Value::Null).await;
    assert_eq!(text(&abandoned, "State"), "Canceled");
    walk.post(&format!("/api/Spaces-1/tasks/{failed}/state"), json!({"state": "Success", "reason": "checked by hand"})).await;
    tenanted(walk).await;
    by_name(walk).await;
}

async fn preview(walk: &mut Walk, project: &str, version: &str, environment: &str) -> Value {
    let (_, release) = release(walk, project, version).await;
    let environment = walk.id("environments", environment).await;
    let wanted = json!({"ReleaseId": release, "DeploymentPreviews": [{"EnvironmentId": environment, "TenantId": null}]});
    let all = walk.post(&format!("/api/Spaces-1/releases/{release}/deployments/previews"), wanted).await;
    walk.get(&format!("/api/Spaces-1/releases/{release}/deployments/preview/{environment}")).await;
    assert_eq!(all.as_array().map(Vec::len), Some(1));
    all[0].clone()
}

async fn tenanted(walk: &mut Walk) {
    let (_, release) = release(walk, "Store", "3.0.0").await;
    let (tenant, environment) = (walk.id("tenants", "Port of Rivo").await, walk.id("environments", "Production").await);
    walk.get(&format!("/api/Spaces-1/releases/{release}/deployments/preview/{environment}/{tenant}")).await;
    walk.get(&format!("/api/Spaces-1/releases/{release}/deployments/template")).await;
    let task = deploy(walk, "Store", "3.0.0", "Production", json!({"TenantId": tenant})).await;
    walk.server.pass(1);
    look(walk, &task).await;
    let tags = walk.get(&format!("/api/Spaces-1/tenants/tag-test?tenantIds={tenant}&tags=Region/South")).await;
    assert_eq!(tags[&tenant]["IsMatched"], false, "{tags}");
    let board = walk.get(&format!("/api/Spaces-1/dashboard?selectedTenants={tenant}")).await;
    let store = board["Projects"].as_array().into_iter().flatten().find(|p| p["Name"] == "Store").expect("the store");
    assert!(store["TenantIds"].as_array().is_some_and(|t| t.contains(&json!(tenant))), "{store}");
    walk.get("/api/Spaces-1/tenants?tags=Region/North").await;
}

/// The executions API.
async fn by_name(walk: &mut Walk) {
    let who = json!({"spaceId": "Spaces-1", "spaceIdOrName": "Spaces-1"});
    let said = |more: Value| {
        let mut body = who.clone();
        for (key, value) in super::super::schema::members(&more) {
            body[key] = value.clone();
        }
        body
    };
    let made = walk
        .post(
            "/api/Spaces-1/releases/create/v1",
            said(json!({"projectName": "Harbour API", "releaseVersion": "1.2.0", "releaseNotes": "by name", "channelName": "Default"})),
        )
        .await;
    let made = walk.get(&format!("/api/Spaces-1/releases/{}", text(&made, "ReleaseId"))).await;
    assert_eq!((text(&made, "Version"), text(&made, "ReleaseNotes")), ("1.2.0".into(), "by name".into()));
    walk.post(
        "/api/Spaces-1/releases/create/v1",
        said(json!({"projectName": "Harbour API", "releaseVersion": "1.2.0", "ignoreIfAlreadyExists": true})),
    )
    .await;
    let untenanted = json!({
        "projectName": "Ledger", "releaseVersion": "1.0.0", "environmentNames": ["Development", "Production"],
        "variables": {"Change number": "CHG-7"}, "runAt": "2026-03-03T01:00:00.000+00:00", "noRunAfter": "2026-03-03T02:00:00.000+00:00",
        "forcePackageDownload": true, "forcePackageRedeployment": true, "useGuidedFailure": true, "priority": "Off",
        "specificMachineNames": ["rivo-web-01"], "excludedMachineNames": [], "skipStepNames": [],
    });
    let made = walk.post("/api/Spaces-1/deployments/create/untenanted/v1", said(untenanted)).await;
    let tasks = made["DeploymentServerTasks"].as_array().expect("tasks").clone();
    assert_eq!(tasks.len(), 2, "{made}");
    let doc = walk.get(&format!("/api/Spaces-1/deployments/{}", text(&tasks[0], "DeploymentId"))).await;
    assert_eq!(doc["QueueTime"], "2026-03-03T01:00:00.000+00:00", "{doc}");
    assert_eq!(doc["QueueTimeExpiry"], "2026-03-03T02:00:00.000+00:00", "{doc}");
    for flag in ["ForcePackageDownload", "ForcePackageRedeployment", "UseGuidedFailure"] {
        assert_eq!(doc[flag], true, "{flag}: {doc}");
    }
    assert_eq!((text(&doc, "Priority"), doc["SpecificMachineIds"].as_array().map(Vec::len)), ("Off".into(), Some(1)));
    let tenanted = json!({"projectName": "Store", "releaseVersion": "3.0.0", "environmentName": "Test", "tenants": ["Port of Rivo"], "tenantTags": ["Region/North"]});
    let made = walk.post("/api/Spaces-1/deployments/create/tenanted/v1", said(tenanted)).await;
    walk.get(&format!("/api/Spaces-1/tasks/{}", text(&made["DeploymentServerTasks"][0], "ServerTaskId"))).await;
    let frozen = json!({
        "projectName": "Frozen Pier", "releaseVersion": "1.0.0", "environmentNames": ["Production"],
        "deploymentFreezeNames": ["Quarter close"], "deploymentFreezeOverrideReason": "it burns",
    });
    walk.post("/api/Spaces-1/deployments/create/untenanted/v1", said(frozen)).await;
    let freeze = walk.get("/api/deploymentfreezes?skip=0&take=30").await;
    let (_, release) = release(walk, "Frozen Pier", "1.0.0").await;
    let environment = walk.id("environments", "Production").await;
    walk.refused(Method::POST, "/api/Spaces-1/deployments", Some(json!({"ReleaseId": release, "EnvironmentId": environment})), 400).await;
    let over = json!({
        "CreateDeploymentCommand": {"ReleaseId": release, "EnvironmentId": environment}, "Reason": "it burns",
        "FreezeIds": [text(&freeze["DeploymentFreezes"][0], "Id")],
    });
    walk.post("/api/Spaces-1/deployments/override", over).await;
    let runs = json!({"projectName": "Harbour API", "runbookName": "Restart", "environmentNames": ["Test"]});
    let made = walk.post("/api/Spaces-1/runbook-runs/create/v1", said(runs)).await;
    walk.get(&format!("/api/Spaces-1/runbookRuns/{}", text(&made["RunbookRunServerTasks"][0], "RunbookRunId"))).await;
}

/// A manual intervention and a guided failure: seen, taken, answered.
pub async fn interruptions(walk: &mut Walk) {
    let asks = deploy(walk, "Lock Gate", "1.0.0", "Production", json!({})).await;
    let fails = deploy(walk, "Leaky Barge", "1.0.0", "Test", json!({"UseGuidedFailure": true})).await;
    walk.server.pass(2);
    for (task, answer) in [(&asks, json!({"Result": "Proceed", "Notes": "fine"})), (&fails, json!({"Guidance": "Fail", "Notes": "no"}))] {
        look(walk, task).await;
        walk.get(&format!("/api/tasks?ids={task}&hasPendingInterruptions=true")).await;
        let page = walk.get(&format!("/api/Spaces-1/interruptions?regarding={task}&pendingOnly=true")).await;
        let id = text(&page["Items"][0], "Id");
        let at = format!("/api/Spaces-1/interruptions/{id}");
        walk.get(&at).await;
        walk.get(&format!("{at}/responsible")).await;
        let key = "API-ADA".to_owned();
        walk.say(Method::GET, &at, None, &key).await;
        walk.refused(Method::POST, &format!("{at}/submit"), Some(answer.clone()), 400).await;
        walk.put(&format!("{at}/responsible"), Value::Null).await;
        walk.get(&format!("{at}/responsible")).await;
        walk.get(&at).await;
        let done = walk.post(&format!("{at}/submit"), answer.clone()).await;
        for (key, value) in super::super::schema::members(&answer) {
            assert_eq!(done["Form"]["Values"][key], *value, "{key}");
        }
        walk.server.pass(3);
        look(walk, task).await;
    }
}

/// A question that somebody answers by themselves, as the world says.
pub async fn answered(walk: &mut Walk) {
    let task = deploy(walk, "Swing Bridge", "1.0.0", "Production", json!({})).await;
    walk.server.pass(10);
    assert_eq!(look(walk, &task).await, "Success");
    let page = walk.get(&format!("/api/Spaces-1/interruptions?regarding={task}")).await;
    let (status, ada) = walk.say(Method::GET, "/api/users/me", None, "API-ADA").await;
    assert_eq!((status, &page["Items"][0]["ResponsibleUserId"]), (200, &ada["Id"]), "{page}");
    assert_eq!(page["Items"][0]["Form"]["Values"]["Result"], "Proceed");
}

/// Runbooks by id: snapshots, publication, runs.
pub async fn runbooks(walk: &mut Walk) {
    let (restart, draft) = (walk.id("runbooks", "Restart").await, walk.id("runbooks", "Draft").await);
    let (project, test) = (walk.id("projects", "Harbour API").await, walk.id("environments", "Test").await);
    let new = json!({"ProjectId": project, "RunbookId": draft, "Name": "Snapshot 9", "Notes": "ready"});
    let snapshot = walk.post("/api/Spaces-1/runbookSnapshots?publish=true", new).await;
    let snapshot = text(&snapshot, "Id");
    let doc = walk.get(&format!("/api/Spaces-1/runbooks/{draft}")).await;
    assert_eq!(doc["PublishedRunbookSnapshotId"], snapshot.as_str());
    walk.get(&format!("/api/Spaces-1/runbookSnapshots/{snapshot}")).await;
    walk.get(&format!("/api/Spaces-1/runbookSnapshots/{snapshot}/runbookRuns/preview/{test}")).await;
    let run = walk
        .kept(
            Method::POST,
            "/api/Spaces-1/runbookRuns",
            json!({"RunbookId": draft, "RunbookSnapshotId": snapshot, "EnvironmentId": test, "Comments": "by id"}),
            &[],
        )
        .await;
    walk.get(&format!("/api/Spaces-1/runbookRuns/{}", text(&run, "Id"))).await;
    let runs = walk.post(&format!("/api/Spaces-1/runbooks/{restart}/run"), json!({"EnvironmentIds": [test]})).await;
    walk.server.pass(1);
    look(walk, &text(&runs[0], "TaskId")).await;
    walk.server.pass(5);
    look(walk, &text(&runs[0], "TaskId")).await;
    walk.post(
        &format!("/api/Spaces-1/projects/{project}/runbooks/{restart}/runbookRuns/previews"),
        json!({"DeploymentPreviews": [{"EnvironmentId": test}]}),
    )
    .await;
    let new = json!({"Name": "Sweep", "ProjectId": project, "Description": "the quay", "EnvironmentScope": "FromProjectLifecycles"});
    let made = walk.post("/api/Spaces-1/runbooks", new).await;
    let id = text(&made, "Id");
    let mut changed = walk.get(&format!("/api/Spaces-1/runbooks/{id}")).await;
    changed["Description"] = json!("the whole quay");
    walk.put(&format!("/api/Spaces-1/runbooks/{id}"), changed).await;
    walk.get(&format!("/api/Spaces-1/runbooks/{id}/environments")).await;
    walk.get(&format!("/api/Spaces-1/runbookProcesses/RunbookProcess-{id}")).await;
    walk.delete(&format!("/api/Spaces-1/runbooks/{id}")).await;
    // The same below the project, where version-controlled ones live on a server.
    let below = format!("/api/Spaces-1/projects/{project}");
    let made = walk.post(&format!("{below}/runbooks"), json!({"Name": "Scrub", "ProjectId": project, "Description": "the deck"})).await;
    let at = format!("{below}/runbooks/{}", text(&made, "Id"));
    let read = walk.get(&at).await;
    walk.put(&at, read).await;
    walk.get(&format!("{at}/runbookSnapshotTemplate")).await;
    for process in [format!("{below}/runbookProcesses"), "/api/Spaces-1/runbookProcesses".to_owned()] {
        let process = format!("{process}/{}", text(&made, "RunbookProcessId"));
        let read = walk.get(&process).await;
        walk.kept(Method::PUT, &process, read, &["Version"]).await;
    }
    let new = json!({"ProjectId": project, "RunbookId": made["Id"], "Name": "First", "Notes": "to try"});
    let snapshot = walk.post(&format!("{below}/runbookSnapshots"), new).await;
    walk.get(&format!("{below}/runbookSnapshots/{}", text(&snapshot, "Id"))).await;
    let own = format!("/api/Spaces-1/runbookSnapshots/{}", text(&snapshot, "Id"));
    let read = walk.get(&own).await;
    walk.put(&own, read).await;
    walk.delete(&own).await;
    walk.delete(&at).await;
    walk.get(&format!("/api/Spaces-1/runbooks/{restart}/runbookRuns/preview/{test}")).await;
    walk.post(&format!("/api/Spaces-1/runbooks/{restart}/runbookRuns/previews"), json!({"DeploymentPreviews": [{"EnvironmentId": test}]}))
        .await;
}

/// Tasks that are neither deployments nor runs, and what is refused about tasks.
pub async fn tasks(walk: &mut Walk) {
    let mail = json!({"Name": "TestEmail", "Description": "Send a mail", "Arguments": {"EmailAddress": "ada@example.com"}});
    let task = walk.post("/api/tasks", mail).await;
    let id = text(&task, "Id");
    look(walk, &id).await;
    walk.server.pass(1);
    look(walk, &id).await;
    walk.refused(Method::POST, &format!("/api/tasks/{id}/cancel"), None, 400).await;
    walk.refused(Method::POST, &format!("/api/tasks/{id}/abandon"), None, 400).await;
    walk.refused(Method::POST, &format!("/api/tasks/rerun/{id}"), None, 400).await;
    for filter in ["hasWarningsOrErrors=true", "running=true", "description=Harbour", "fromQueueDate=2026-03-02T08:00:00.000%2B00:00"] {
        walk.get(&format!("/api/tasks?{filter}")).await;
    }
    walk.refused(Method::GET, "/api/tasks?states=Nonsense", None, 400).await;
    let page = walk.get("/api/Spaces-1/events?eventCategories=DeploymentFailed&take=100").await;
    assert!(page["TotalResults"].as_u64().is_some_and(|n| n > 0), "{page}");
    walk.get("/api/events?take=200").await;
}
