//! A project in Git: its references, its releases, its runbooks.

use super::{Walk, text};
use reqwest::Method;
use serde_json::json;

/// All that hangs below a project in Git.
pub async fn sail_loft(walk: &mut Walk) {
    let (project, test) = (walk.id("projects", "Sail Loft").await, walk.id("environments", "Test").await);
    let at = format!("/api/Spaces-1/projects/{project}");
    let branches = walk.get(&format!("{at}/git/branches")).await;
    assert_eq!(branches["TotalResults"], 2, "{branches}");
    walk.get(&format!("{at}/git/branches/main")).await;
    walk.get(&format!("{at}/git/tags")).await;
    walk.get(&format!("{at}/git/tags/v1")).await;
    for tail in ["deploymentprocesses", "deploymentprocesses/template", "deploymentsettings", "variables", "runbooks"] {
        walk.get(&format!("{at}/refs%2Fheads%2Fmain/{tail}")).await;
    }
    let project_now = walk.get(&at).await;
    walk.put(&at, project_now.clone()).await;
    let mut moved = project_now;
    moved["PersistenceSettings"] = json!({"Type": "Database"});
    walk.refused(Method::PUT, &at, Some(moved), 501).await;
    let resources = json!([{"ActionName": "Sew", "GitReferenceResource": {"GitRef": "main"}, "GitResourceReferenceName": ""}]);
    let tracked = walk.get(&format!("{at}/channels?partialName=Tracked")).await["Items"][0].clone();
    let new = json!({
        "ProjectId": project, "Version": "2026-03-bookworm", "VersionControlReference": {"GitRef": "main"}, "ChannelId": tracked["Id"],
        "CustomFields": {"Ticket": "OPS-1"}, "SelectedGitResources": resources,
        "SelectedPackages": [{"ActionName": "Sew", "PackageReferenceName": "", "Version": "2026-03"}],
    });
    let made = walk.kept(Method::POST, "/api/Spaces-1/releases", new.clone(), &["SelectedGitResources", "VersionControlReference"]).await;
    let own = format!("/api/Spaces-1/releases/{}", text(&made, "Id"));
    walk.get(&format!("{at}/git/commits/{}", text(&made["VersionControlReference"], "GitCommit"))).await;
    walk.get(&format!("{at}/main/deploymentprocesses/template?channel={}", text(&tracked, "Id"))).await;
    walk.post(&format!("{own}/release-notes"), json!({"ReleaseId": made["Id"], "SpaceId": "Spaces-1", "ReleaseNotes": "new sails"})).await;
    let read = walk.get(&own).await;
    walk.put(&own, read).await;
    for (key, value) in [("VersionControlReference", json!(null)), ("CustomFields", json!({})), ("SelectedGitResources", json!([]))] {
        let mut wrong = new.clone();
        wrong["Version"] = json!("9.0.0");
        wrong[key] = value;
        walk.refused(Method::POST, "/api/Spaces-1/releases", Some(wrong), 400).await;
    }
    walk.put(&format!("/api/Spaces-1/channels/{}", text(&tracked, "Id")), tracked).await;

    let book = walk.get(&format!("{at}/main/runbooks")).await["Items"][0].clone();
    let (id, process) = (text(&book, "Id"), text(&book, "RunbookProcessId"));
    for tail in ["", "/environments", "/runbookSnapshotTemplate"] {
        walk.get(&format!("{at}/v1/runbooks/{id}{tail}")).await;
    }
    walk.get(&format!("{at}/main/runbooks/{id}/runbookRuns/preview/{test}")).await;
    walk.get(&format!("{at}/main/runbooks/{id}/runbookRuns/preview/{test}/Tenants-1")).await;
    walk.get(&format!("{at}/main/runbookProcesses/{process}")).await;
    let wanted = json!({"DeploymentPreviews": [{"EnvironmentId": test}]});
    walk.post(&format!("{at}/main/runbooks/{id}/runbookRuns/previews"), wanted).await;
    let run = json!({"GitRef": "main", "ProjectId": project, "RunbookId": id, "SpaceId": "Spaces-1", "Runs": [{"EnvironmentId": test, "Comments": "at main"}]});
    let made = walk.post(&format!("{at}/main/runbooks/{id}/run/v1"), run).await;
    let made = text(&made["Resources"][0], "Id");
    walk.post(&format!("{at}/runbookruns/{made}/retry/v1"), json!({})).await;
    let named = json!({"SpaceId": "Spaces-1", "SpaceIdOrName": "Spaces-1", "ProjectName": "Sail Loft", "RunbookName": "Mend", "EnvironmentNames": ["Test"], "GitRef": "v1"});
    walk.post("/api/Spaces-1/runbook-runs/git/create/v1", named).await;
    walk.server.pass(5);
}
