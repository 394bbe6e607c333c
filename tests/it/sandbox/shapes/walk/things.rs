//! Documents that are written: made, read, changed, taken away.

use super::{Walk, text};
use reqwest::Method;
use serde_json::{Value, json};

/// Makes a document, reads it, writes it back as it came, and takes it away.
async fn round(walk: &mut Walk, kind: &str, new: Value) {
    let path = if matches!(kind, "spaces" | "teams" | "users") { format!("/api/{kind}") } else { format!("/api/Spaces-1/{kind}") };
    let made = walk.post(&path, new).await;
    let at = format!("{path}/{}", text(&made, "Id"));
    let read = walk.get(&at).await;
    walk.kept(Method::PUT, &at, read, &["Version"]).await;
    walk.delete(&at).await;
    walk.refused(Method::GET, &at, None, 404).await;
}

/// One of each kind of document.
pub async fn documents(walk: &mut Walk) {
    let (group, lifecycle) = (walk.id("projectgroups", "Harbour").await, walk.id("lifecycles", "Standard").await);
    let (project, environment) = (walk.id("projects", "Store").await, walk.id("environments", "Test").await);
    for (kind, new) in [
        ("environments", json!({"Name": "Staging", "Description": "before", "UseGuidedFailure": true, "SortOrder": 7})),
        ("projectgroups", json!({"Name": "Fish", "Description": "market"})),
        ("projects", json!({"Name": "Crab Pot", "Description": "new", "ProjectGroupId": group, "LifecycleId": lifecycle})),
        (
            "lifecycles",
            json!({"Name": "Short", "Phases": [{"Name": "One", "OptionalDeploymentTargets": [environment], "AutomaticDeploymentTargets": []}]}),
        ),
        ("channels", json!({"Name": "Nightly", "ProjectId": project, "Description": "at night", "TenantTags": ["Region/North"]})),
        (
            "tenants",
            json!({"Name": "Port of Vik", "TenantTags": ["Region/South"], "ProjectEnvironments": {project.clone(): [environment]}}),
        ),
        ("tagsets", json!({"Name": "Size", "Tags": [{"Name": "Big", "Color": "#333333"}]})),
        ("libraryvariablesets", json!({"Name": "More", "Description": "variables"})),
        ("teams", json!({"Name": "Deckhands", "Description": "crew", "MemberUserIds": ["Users-1"]})),
        ("spaces", json!({"Name": "Third", "Description": "space", "SpaceManagersTeams": ["teams-administrators"]})),
        ("projecttriggers", json!({"Name": "Daily", "ProjectId": project, "Filter": daily(), "Action": latest(&environment)})),
        ("subscriptions", json!({"Name": "hook", "Type": "Event", "IsDisabled": false})),
    ] {
        round(walk, kind, new).await;
    }
    triggers(walk, &project, &environment).await;
    let order = json!([walk.id("environments", "Test").await, walk.id("environments", "Development").await]);
    walk.put("/api/Spaces-1/environments/sortorder", order).await;
    walk.refused(
        Method::POST,
        "/api/Spaces-1/projects",
        Some(json!({"Name": "Store", "ProjectGroupId": group, "LifecycleId": lifecycle})),
        400,
    )
    .await;
    walk.post("/api/Spaces-1/channels/rule-test?version=1.0.0&versionRange=[1.0,2.0)", json!({})).await;
    walk.put("/api/maintenanceconfiguration", json!({"Id": "maintenance", "IsInMaintenanceMode": true})).await;
    walk.put("/api/maintenanceconfiguration", json!({"Id": "maintenance", "IsInMaintenanceMode": false})).await;
}

/// A trigger under its project, and a call of a webhook.
async fn triggers(walk: &mut Walk, project: &str, environment: &str) {
    let list = format!("/api/Spaces-1/projects/{project}/triggers");
    let made = walk.post(&list, json!({"Name": "Daily", "ProjectId": project, "Filter": daily(), "Action": latest(environment)})).await;
    let at = format!("{list}/{}", text(&made, "Id"));
    let read = walk.get(&at).await;
    walk.kept(Method::PUT, &at, read, &[]).await;
    walk.delete(&at).await;
    let restart = walk.id("runbooks", "Restart").await;
    let runbook = walk.get(&format!("/api/Spaces-1/runbooks/{restart}")).await;
    let action =
        json!({"ActionType": "RunRunbook", "RunbookId": runbook["Id"], "EnvironmentIds": [environment], "TenantIds": [], "TenantTags": []});
    let filter = json!({"FilterType": "WebhookFilter", "Secret": {"NewValue": "open sesame"}});
    let hook = json!({"Name": "Hook", "ProjectId": runbook["ProjectId"], "Filter": filter, "Action": action});
    let made = walk.kept(Method::POST, "/api/Spaces-1/projecttriggers", hook, &["Filter"]).await;
    let called = walk.ask(Method::POST, &format!("/api/Spaces-1/webhook/{}", text(&made["Filter"], "WebhookId")), None).await;
    assert_eq!(called, (200, json!("")));
}

fn daily() -> Value {
    json!({"FilterType": "CronExpressionSchedule", "CronExpression": "0 0 6 * * *", "Timezone": "UTC"})
}

fn latest(environment: &str) -> Value {
    json!({"ActionType": "DeployLatestRelease", "SourceEnvironmentIds": [environment], "DestinationEnvironmentId": environment, "ShouldRedeployWhenReleaseIsCurrent": true, "Variables": null})
}

/// Releases: made, changed, blocked, allowed, taken away.
pub async fn releases(walk: &mut Walk) {
    let project = walk.id("projects", "Harbour API").await;
    let template = walk.get(&format!("/api/Spaces-1/projects/{project}/deploymentprocesses/template")).await;
    let new =
        json!({"ProjectId": project, "Version": text(&template, "NextVersionIncrement"), "ReleaseNotes": "Boats", "SelectedPackages": []});
    let made = walk.post("/api/Spaces-1/releases", new).await;
    let at = format!("/api/Spaces-1/releases/{}", text(&made, "Id"));
    let mut changed = walk.get(&at).await;
    changed["ReleaseNotes"] = json!("Boats and ships");
    changed["Version"] = json!("1.9.9");
    walk.put(&at, changed).await;
    walk.post(&format!("{at}/snapshot-variables"), json!({})).await;
    walk.post(&format!("{at}/snapshot-variables-by-name"), json!({"Variables": [{"Name": "Wave", "OwnerId": project}]})).await;
    walk.get(&format!("/api/Spaces-1/projects/{project}/releases/{}/variables", text(&made, "Id"))).await;
    let snapshot = "/api/Spaces-1/runbookSnapshots/RunbookSnapshots-1";
    walk.post(&format!("{snapshot}/snapshot-variables"), json!({})).await;
    walk.post(&format!("{snapshot}/snapshot-variables-by-name"), json!({"Variables": [{"Name": "Wave", "OwnerId": project}]})).await;
    let defect = walk.post(&format!("{at}/defects"), json!({"Description": "it sinks"})).await;
    assert_eq!(text(&defect, "Status"), "Unresolved");
    walk.get(&format!("{at}/defects")).await;
    walk.get(&format!("{at}/progression")).await;
    walk.refused(Method::POST, &format!("{at}/defects"), Some(json!({"Description": "again"})), 400).await;
    let defect = walk.post(&format!("{at}/defects/resolve"), json!({})).await;
    assert_eq!(text(&defect, "Status"), "Resolved");
    walk.get(&format!("{at}/deployments")).await;
    walk.delete(&at).await;
    let page = walk.get("/api/Spaces-1/deployments?take=1").await;
    let id = text(&page["Items"][0], "Id");
    walk.delete(&format!("/api/Spaces-1/deployments/{id}")).await;
}

/// Variable sets, processes, settings, and what tenants have.
pub async fn variables(walk: &mut Walk) {
    let project = walk.id("projects", "Harbour API").await;
    for at in [format!("/api/Spaces-1/variables/variableset-{project}"), format!("/api/Spaces-1/projects/{project}/variables")] {
        let mut set = walk.get(&at).await;
        let mut one = set["Variables"][0].clone();
        one["Id"] = json!("0d8b0a3e-0000-4000-8000-000000000001");
        one["Name"] = json!("Added");
        set["Variables"].as_array_mut().expect("a list").push(one);
        walk.kept(Method::PUT, &at, set.clone(), &["Version", "ScopeValues"]).await;
        walk.refused(Method::PUT, &at, Some(set), 400).await;
    }
    for at in [
        format!("/api/Spaces-1/deploymentprocesses/deploymentprocess-{project}"),
        format!("/api/Spaces-1/projects/{project}/deploymentprocesses"),
    ] {
        let process = walk.get(&at).await;
        walk.kept(Method::PUT, &at, process.clone(), &["Version"]).await;
        walk.refused(Method::PUT, &at, Some(process), 400).await;
    }
    let at = format!("/api/Spaces-1/projects/{project}/deploymentsettings");
    let mut settings = walk.get(&at).await;
    settings["CancelQueuedTasks"] = json!(true);
    settings["ReleaseNotesTemplate"] = json!("Notes");
    walk.put(&at, settings).await;
    let tenant = walk.id("tenants", "Port of Rivo").await;
    let at = format!("/api/Spaces-1/tenants/{tenant}/variables");
    let mut values = walk.get(&at).await;
    let store = walk.id("projects", "Store").await;
    let environment = walk.id("environments", "Test").await;
    values["ProjectVariables"][&store]["Variables"][&environment] = json!({"0d8b0a3e-0000-4000-8000-000000000002": "quay 7"});
    walk.kept(Method::PUT, &at, values, &["ConcurrencyToken"]).await;
}

/// Freezes and artifacts.
pub async fn freezes_and_artifacts(walk: &mut Walk) {
    let (project, environment) = (walk.id("projects", "Store").await, walk.id("environments", "Test").await);
    let new = json!({
        "Name": "Holidays", "Description": "everybody sails", "Start": "2026-12-24T00:00:00.000+00:00", "End": "2026-12-27T00:00:00.000+00:00",
        "ProjectEnvironmentScope": {project: [environment]},
        "RecurringSchedule": {"Type": "Annually", "Unit": 1, "EndType": "Never", "UserUtcOffsetInMinutes": 60},
    });
    let made = walk.post("/api/deploymentfreezes", new).await;
    let at = format!("/api/deploymentfreezes/{}", text(&made, "Id"));
    let read = walk.get(&at).await;
    walk.put(&at, read).await;
    walk.delete(&at).await;
    walk.refused(Method::POST, "/api/deploymentfreezes", Some(json!({"Name": "No scope"})), 400).await;
    let page = walk.get("/api/Spaces-1/tasks?name=Deploy&take=1").await;
    let task = text(&page["Items"][0], "Id");
    let made = walk
        .post("/api/Spaces-1/artifacts", json!({"Filename": "chart.txt", "ServerTaskId": task, "Source": null, "LogCorrelationId": null}))
        .await;
    let at = format!("/api/Spaces-1/artifacts/{}", text(&made, "Id"));
    walk.put(&format!("{at}/content"), json!("sea")).await;
    walk.ask(Method::GET, &format!("{at}/content"), None).await;
    let read = walk.get(&at).await;
    walk.put(&at, read).await;
    walk.get(&format!("/api/Spaces-1/artifacts?regarding={task}")).await;
    let spare = walk.post("/api/Spaces-1/artifacts", json!({"Filename": "spare.txt", "ServerTaskId": task})).await;
    walk.delete(&format!("/api/Spaces-1/artifacts/{}", text(&spare, "Id"))).await;
}
