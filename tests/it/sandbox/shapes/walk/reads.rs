//! Everything that can be read.

use super::{Walk, text};
use serde_json::Value;

/// Root documents, and what the server says about itself.
pub async fn roots(walk: &mut Walk) {
    for path in [
        "/api",
        "/api/",
        "/api/Spaces-1",
        "/api/spaces",
        "/api/spaces/all",
        "/api/spaces/Spaces-1",
        "/api/spaces/default",
        "/api/serverstatus",
        "/api/serverstatus/health",
        "/api/serverstatus/system-info",
        "/api/smtpconfiguration",
        "/api/smtpconfiguration/isconfigured",
        "/api/maintenanceconfiguration",
        "/api/configuration/feature-toggles?Name=x",
        "/api/configuration/enabled-feature-toggles",
        "/api/capabilities",
        "/api/capabilities/CreateReleaseCommandV1",
        "/api/permissions/all",
        "/api/octopusservernodes",
        "/api/octopusservernodes/all",
        "/api/octopusservernodes/ping",
        "/api/octopusservernodes/summary",
        "/api/octopusservernodes/OctopusServerNodes-sandbox",
        "/api/ratelimitingpolicies",
        "/api/communityactiontemplates",
        "/api/scopeduserroles",
        "/api/userroles",
        "/api/userroles/all",
        "/api/teammembership",
        "/api/teammembership?userId=Users-1",
        "/api/tasks/tasktypes",
        "/api/events/categories",
        "/api/events/groups",
        "/api/events/agents",
        "/api/events/documenttypes",
        "/api/deploymentfreezes?skip=0&take=30",
        "/api/deploymentfreezes?skip=0&take=30&includeComplete=false&effectiveDate=2026-12-25T00:00:00Z",
    ] {
        walk.get(path).await;
    }
}

/// Every list, its pages, and a list of nothing.
pub async fn lists(walk: &mut Walk) {
    for kind in [
        "environments",
        "projectgroups",
        "projects",
        "lifecycles",
        "channels",
        "tenants",
        "tagsets",
        "runbooks",
        "libraryvariablesets",
        "machines",
        "workers",
        "workerpools",
        "machinepolicies",
        "feeds",
        "accounts",
        "certificates",
        "actiontemplates",
        "subscriptions",
    ] {
        walk.get(&format!("/api/Spaces-1/{kind}")).await;
        walk.get(&format!("/api/Spaces-1/{kind}/all")).await;
        walk.get(&format!("/api/Spaces-1/{kind}?partialName=nothing-is-called-so")).await;
    }
    for kind in [
        "runbookSnapshots",
        "runbookRuns",
        "projecttriggers",
        "artifacts",
        "releases",
        "deployments",
        "interruptions",
        "events",
        "tasks",
        "servertaskapprovals",
    ] {
        walk.get(&format!("/api/Spaces-1/{kind}")).await;
        walk.get(&format!("/api/Spaces-1/{kind}?ids=Nothing-1")).await;
    }
    for path in [
        "/api/Spaces-1/approvalrules?skip=0&take=10",
        "/api/tasks?hasPendingPreconditions=true",
        "/api/spaces/Spaces-1/projects?skip=1&take=1",
        "/api/projects?skip=0&take=2",
        "/api/tasks?take=3",
        "/api/tasks?active=true",
        "/api/tasks?states=Success,Failed&name=Deploy",
        "/api/events?take=5",
        "/api/interruptions?pendingOnly=true",
        "/api/teams",
        "/api/teams/all",
        "/api/users",
        "/api/users/all",
        "/api/Spaces-1/teams",
        "/api/Spaces-1/subscriptions",
        "/api/Spaces-1/dashboard",
        "/api/Spaces-1/dashboard/dynamic?includePrevious=true",
        "/api/Spaces-1/dashboardconfiguration",
        "/api/Spaces-1/environments/summary",
        "/api/Spaces-1/environments/v2?skip=0&take=2147483647&type=Static",
        "/api/Spaces-1/environments/v2?skip=0&take=30&type=Parent&type=Ephemeral",
        "/api/Spaces-1/environments/v1",
        "/api/Spaces-1/environments/summary/v2?type=Static",
        "/api/Spaces-1/lifecycles/previews",
        "/api/Spaces-1/tenants/status",
        "/api/Spaces-1/tenants/variables-missing",
        "/api/Spaces-1/tenantvariables/all",
        "/api/Spaces-1/channels/rule-test?version=1.0.0&versionRange=[1.0,2.0)&preReleaseTag=^$",
        "/api/Spaces-1/channels/rule-test/v1?version=1.0.0&versionRange=[1.0,2.0)&preReleaseTagPattern=^$&versionTagRegex=^1",
        "/api/Spaces-1/variables/all?ids=variableset-Projects-1",
        "/api/Spaces-1/variables?ids=variableset-Projects-1",
        "/api/Spaces-1/variables/names?project=Projects-1",
        "/api/Spaces-1/variables/preview?project=Projects-1&environment=Environments-2",
        "/api/Spaces-1/deploymentprocesses?ids=deploymentprocess-Projects-1",
        "/api/Spaces-1/runbookProcesses?ids=RunbookProcess-Runbooks-1",
        "/api/Spaces-1/actiontemplates/categories",
        "/api/Spaces-1/actiontemplates/search",
        "/api/Spaces-1/build-information",
        "/api/Spaces-1/packages",
    ] {
        walk.get(path).await;
    }
    // The links between pages are followed as they are given.
    let mut page = walk.get("/api/Spaces-1/projects?take=15&partialName=e").await;
    while let Some(next) = page["Links"]["Page.Next"].as_str().map(str::to_owned) {
        page = walk.get(&next).await;
    }
}

/// One of each kind, and everything that hangs below it.
pub async fn documents(walk: &mut Walk) {
    let below: &[(&str, &[&str])] = &[
        ("environments", &["/machines", "/v2"]),
        ("projectgroups", &["/projects"]),
        (
            "projects",
            &[
                "/channels",
                "/releases",
                "/runbooks",
                "/runbookSnapshots",
                "/triggers",
                "/progression",
                "/deploymentprocesses",
                "/deploymentprocesses/template",
                "/deploymentsettings",
                "/variables",
                "/summary",
                "/metadata",
                "/environments?skip=0&take=30",
            ],
        ),
        ("lifecycles", &["/preview", "/projects"]),
        ("channels", &["/releases"]),
        ("tenants", &["/variables"]),
        ("runbooks", &["/environments", "/runbookSnapshotTemplate", "/runbookSnapshots"]),
        ("tagsets", &[]),
        ("libraryvariablesets", &[]),
        ("machines", &[]),
        ("workerpools", &["/workers"]),
        ("machinepolicies", &[]),
        ("teams", &[]),
    ];
    for (kind, below) in below {
        let all = walk.get(&format!("/api/Spaces-1/{kind}/all")).await;
        for doc in all.as_array().into_iter().flatten().take(12) {
            let id = text(doc, "Id");
            walk.get(&format!("/api/Spaces-1/{kind}/{id}")).await;
            for tail in *below {
                walk.get(&format!("/api/Spaces-1/{kind}/{id}{tail}")).await;
            }
            if *kind == "projects" {
                project(walk, doc, &id).await;
            }
        }
    }
    for (kind, below) in [
        ("releases", &["/progression", "/deployments", "/deployments/template", "/defects", "/missingpackages", "/variables"][..]),
        ("deployments", &[]),
        ("runbookRuns", &[]),
        ("runbookSnapshots", &["/runbookRuns", "/runbookRuns/template"]),
        (
            "tasks",
            &[
                "/details",
                "/details?verbose=true&tail=2",
                "/raw",
                "/status/messages",
                "/blockedby",
                "/queued-behind",
                "/servertaskapproval",
            ],
        ),
        ("interruptions", &[]),
        ("servertaskapprovals", &["/approvals"]),
        ("artifacts", &[]),
    ] {
        let page = walk.get(&format!("/api/Spaces-1/{kind}?take=60")).await;
        for doc in page["Items"].as_array().into_iter().flatten() {
            let id = text(doc, "Id");
            walk.get(&format!("/api/Spaces-1/{kind}/{id}")).await;
            for tail in below {
                walk.get(&format!("/api/Spaces-1/{kind}/{id}{tail}")).await;
            }
            if matches!(kind, "deployments" | "runbookRuns") {
                walk.get(&format!("/api/Spaces-1/variables/variableset-{id}")).await;
            }
        }
    }
    let page = walk.get("/api/events?take=1").await;
    if let Some(event) = page["Items"].get(0) {
        let id = text(event, "Id");
        walk.get(&format!("/api/events/{id}")).await;
    }
}

/// What is found through a project's links.
async fn project(walk: &mut Walk, doc: &Value, id: &str) {
    let (set, process) = (text(doc, "VariableSetId"), text(doc, "DeploymentProcessId"));
    walk.get(&format!("/api/Spaces-1/variables/{set}")).await;
    walk.get(&format!("/api/Spaces-1/deploymentprocesses/{process}")).await;
    walk.get(&format!("/api/Spaces-1/deploymentprocesses/{process}/template")).await;
    walk.get(&format!("/api/Spaces-1/progression/{id}?releaseHistoryCount=3")).await;
    walk.get(&format!("/api/Spaces-1/dashboard?projectId={id}")).await;
    let channels = walk.get(&format!("/api/Spaces-1/projects/{id}/channels")).await;
    for channel in channels["Items"].as_array().into_iter().flatten() {
        let channel = text(channel, "Id");
        walk.get(&format!("/api/Spaces-1/projects/{id}/channels/{channel}")).await;
        walk.get(&format!("/api/Spaces-1/projects/{id}/channels/{channel}/releases")).await;
    }
    let releases = walk.get(&format!("/api/Spaces-1/projects/{id}/releases?take=1")).await;
    if let Some(release) = releases["Items"].get(0) {
        let (version, release) = (text(release, "Version"), text(release, "Id"));
        walk.get(&format!("/api/Spaces-1/projects/{id}/releases/{version}")).await;
        let template = walk.get(&format!("/api/Spaces-1/releases/{release}/deployments/template")).await;
        if let Some(to) = template["PromoteTo"].get(0) {
            walk.get(to["Links"]["Preview"].as_str().expect("a preview")).await;
        }
    }
    let runbooks = walk.get(&format!("/api/Spaces-1/projects/{id}/runbooks")).await;
    for runbook in runbooks["Items"].as_array().into_iter().flatten() {
        let (runbook, process) = (text(runbook, "Id"), text(runbook, "RunbookProcessId"));
        walk.get(&format!("/api/Spaces-1/runbookProcesses/{process}")).await;
        walk.get(&format!("/api/Spaces-1/projects/{id}/runbooks/{runbook}")).await;
        walk.get(&format!("/api/Spaces-1/projects/{id}/runbooks/{runbook}/environments")).await;
        walk.get(&format!("/api/Spaces-1/projects/{id}/runbooks/{runbook}/runbookSnapshots")).await;
        walk.get(&format!("/api/Spaces-1/projects/{id}/runbooks/{runbook}/runbookRuns/preview/Environments-2")).await;
    }
}
