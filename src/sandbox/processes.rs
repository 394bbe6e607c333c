//! Processes of projects and runbooks, and how projects deploy (octopus-api.md §11).

use super::{
    access::Thing,
    answer::{Answer, Ask, Handled, Refusal, field, str_of},
    builtin_feed,
    nouns::PROJECTS,
    packages,
    pages::page,
    routing::{By, Endpoint, Of, OfBy, Whole, get, put},
    state::State,
    store::{Document, slug},
    world::{git::GitSourcePlan, model::StepPlan, run::STAND_IN},
};
use serde_json::{Value, json};
use std::sync::Arc;

#[rustfmt::skip]
pub(crate) const ENDPOINTS: &[Endpoint] = &[
    get("S/projects/{id}/runbookProcesses/{process}", "RunbookView", &OfBy(PROJECTS, |state, _, _, [id]| Answer::ok(process(state, id)?))),
    put("S/projects/{id}/runbookProcesses/{process}", "RunbookEdit", &OfBy(PROJECTS, |state, ask, _, [id]| put_process(state, ask, id))).keeps(),
    get("S/projects/{id}/deploymentprocesses", "ProcessView", &Of(PROJECTS, |state, _, project| Answer::ok(process(state, &process_of(&project))?))),
    put("S/projects/{id}/deploymentprocesses", "ProcessEdit", &Of(PROJECTS, |state, ask, project| put_process(state, ask, &process_of(&project)))).keeps(),
    get("S/projects/{id}/deploymentsettings", "ProcessView|ProjectView", &Of(PROJECTS, |state, _, project| Answer::ok(settings(state, str_of(&project, "Id"))))),
    put("S/projects/{id}/deploymentsettings", "ProcessEdit|ProjectEdit", &Of(PROJECTS, put_settings)).keeps(),
    get("S/deploymentprocesses", "ProcessView", &Whole(|state, ask| processes(state, ask))),
    get("S/deploymentprocesses/{id}", "ProcessView", &By(|state, _, [id]| Answer::ok(process(state, id)?))),
    put("S/deploymentprocesses/{id}", "ProcessEdit", &By(|state, ask, [id]| put_process(state, ask, id))).keeps(),
    get("S/runbookProcesses", "RunbookView", &Whole(|state, ask| processes(state, ask))),
    get("S/runbookProcesses/{id}", "RunbookView", &By(|state, _, [id]| Answer::ok(process(state, id)?))),
    put("S/runbookProcesses/{id}", "RunbookEdit", &By(|state, ask, [id]| put_process(state, ask, id))).keeps(),
];

fn process_of(project: &Value) -> String {
    format!("deploymentprocess-{}", str_of(project, "Id"))
}

fn put_settings(state: &mut State, ask: &Ask, project: Arc<Document>) -> Handled {
    let project = str_of(&project, "Id");
    let mut doc = settings(state, project);
    if let (Value::Object(doc), Value::Object(body)) = (&mut doc, &ask.body) {
        for (k, v) in doc.iter_mut() {
            if let Some((_, new)) = body.iter().find(|(b, _)| b.eq_ignore_ascii_case(k)).filter(|_| k != "Links") {
                *v = new.clone();
            }
        }
    }
    state.written.insert(format!("deploymentsettings-{project}"), doc.clone());
    Answer::ok(doc)
}

pub(crate) fn settings(state: &State, project: &str) -> Value {
    if let Some(doc) = state.written.get(&format!("deploymentsettings-{project}")) {
        return doc.clone();
    }
    let p = state.store.of("projects").get(project).cloned().unwrap_or(Value::Null);
    let space = str_of(&p, "SpaceId");
    json!({
        "Id": format!("deploymentsettings-{project}"), "SpaceId": space, "ProjectId": project, "ConnectivityPolicy": p["ProjectConnectivityPolicy"],
        "DefaultGuidedFailureMode": p["DefaultGuidedFailureMode"], "VersioningStrategy": p["VersioningStrategy"], "ReleaseNotesTemplate": null,
        "DefaultToSkipIfAlreadyInstalled": false, "DeploymentChangesTemplate": null, "ForcePackageDownload": false, "FailTargetDiscovery": false,
        "CancelQueuedTasks": p["_CancelQueuedTasks"] == true, "CancelRunningTasks": p["_CancelRunningTasks"] == true,
        "Links": {"Self": format!("/api/{space}/projects/{project}/deploymentsettings"), "Project": format!("/api/{space}/projects/{project}")},
    })
}

/// A deployment or runbook process (octopus-api.md §11.1); snapshots show the process as it is now.
pub(crate) fn process(state: &State, id: &str) -> Result<Value, Refusal> {
    let doc = match state.written.get(&id.to_lowercase()) {
        Some(doc) => doc.clone(),
        None => made_process(state, id)?,
    };
    let needs = if doc.get("RunbookId").is_some() { "RunbookView" } else { "ProcessView" };
    let seen = state.allows(needs, &Thing { space: Some(str_of(&doc, "SpaceId")), ..Thing::project(str_of(&doc, "ProjectId")) });
    if seen { Ok(doc) } else { Err(Refusal::missing(id)) }
}

/// The process that the world's steps make.
fn made_process(state: &State, id: &str) -> Result<Value, Refusal> {
    let base = id.split("-s-").next().unwrap_or(id);
    if let Some(doc) = state.written.get(&base.to_lowercase()) {
        let mut doc = doc.clone();
        doc["Id"] = json!(id);
        return Ok(doc);
    }
    let missing = || Refusal::missing(id);
    let (owner, runbook) = match base.split_once('-') {
        Some((head, owner)) if head.eq_ignore_ascii_case("deploymentprocess") => (owner, false),
        Some((head, owner)) if head.eq_ignore_ascii_case("RunbookProcess") => (owner, true),
        _ => return Err(missing()),
    };
    let doc = state.store.of(if runbook { "runbooks" } else { "projects" }).get(owner).ok_or_else(missing)?;
    let (owner, space) = (str_of(doc, "Id"), str_of(doc, "SpaceId"));
    let project = if runbook { str_of(doc, "ProjectId") } else { owner };
    let steps: Vec<Value> = state
        .steps
        .get(owner)
        .map(|steps| {
            steps
                .iter()
                .enumerate()
                .map(|(i, s)| {
                    let action = State::action_id(owner, i);
                    let packages = references(state, space, &action, s);
                    let (kind, mut properties) = match &s.manual {
                        Some(m) => {
                            let teams = state.store.ids_of("teams", &m.teams);
                            ("Octopus.Manual", json!({"Octopus.Action.Manual.Instructions": m.instructions, "Octopus.Action.Manual.ResponsibleTeamIds": teams.join(","), "Octopus.Action.Manual.BlockConcurrentDeployments": if m.block { "True" } else { "False" }}))
                        }
                        None => ("Octopus.Script", json!({"Octopus.Action.Script.ScriptSource": "Inline", "Octopus.Action.Script.Syntax": "Bash", "Octopus.Action.Script.ScriptBody": STAND_IN, "Octopus.Action.RunOnServer": "true"})),
                    };
                    if let Some(package) = packages.iter().find(|p| str_of(p, "Name").is_empty()) {
                        properties["Octopus.Action.Script.ScriptSource"] = json!("Package");
                        properties["Octopus.Action.Script.ScriptFileName"] = json!("deploy.sh");
                        properties["Octopus.Action.Package.PackageId"] = package["PackageId"].clone();
                        properties["Octopus.Action.Package.FeedId"] = package["FeedId"].clone();
                    }
                    json!({
                        "Id": format!("{action}-step"), "Name": s.name, "Slug": slug(&s.name), "PackageRequirement": "LetOctopusDecide", "Properties": {},
                        "Condition": format!("{:?}", s.condition), "StartTrigger": if s.with_previous { "StartWithPrevious" } else { "StartAfterPrevious" },
                        "Actions": [{
                            "Id": action, "Name": s.name, "Slug": slug(&s.name), "ActionType": kind, "Notes": null, "IsDisabled": s.disabled, "IsRequired": false,
                            "CanBeUsedForProjectVersioning": !packages.is_empty(), "WorkerPoolId": null, "WorkerPoolVariable": null, "Container": {"Image": null, "FeedId": null},
                            "Environments": [], "ExcludedEnvironments": [], "Channels": [], "TenantTags": [], "Packages": packages, "GitDependencies": sources(s),
                            "Condition": "Success", "Properties": properties, "StepPackageVersion": null, "Inputs": null, "Links": {},
                        }],
                    })
                })
                .collect()
        })
        .unwrap_or_default();
    let path = if runbook { "runbookProcesses" } else { "deploymentprocesses" };
    let mut doc = json!({
        "Id": id, "SpaceId": space, "ProjectId": project, "Version": 1, "LastSnapshotId": null, "Steps": steps,
        "Links": {"Self": format!("/api/{space}/{path}/{id}"), "Project": format!("/api/{space}/projects/{project}"), "Template": format!("/api/{space}/{path}/{id}/template{{?channel,releaseId}}")},
    });
    if runbook {
        doc["RunbookId"] = json!(owner);
    }
    Ok(doc)
}

fn put_process(state: &mut State, ask: &Ask, id: &str) -> Handled {
    let old = process(state, id)?;
    let needs = if old.get("RunbookId").is_some() { "RunbookEdit" } else { "ProcessEdit" };
    state.demand(needs, &Thing { space: Some(str_of(&old, "SpaceId")), ..Thing::project(str_of(&old, "ProjectId")) })?;
    if field(&ask.body, "Version").as_u64() != old["Version"].as_u64() {
        return Err(Refusal::invalid(
            "The process was changed by another user between when you started editing and when you saved your changes. Please reload and make your changes again.",
        ));
    }
    let mut new = old.clone();
    new["Steps"] = field(&ask.body, "Steps").clone();
    let version = old["Version"].as_u64().unwrap_or(0) + 1;
    new["Version"] = json!(version);
    for (n, step) in new["Steps"].as_array_mut().into_iter().flatten().enumerate() {
        for (m, action) in step["Actions"].as_array_mut().into_iter().flatten().enumerate() {
            name_part(action, || State::action_id(&format!("{id}/{version}/{n}"), m));
        }
        name_part(step, || State::action_id(&format!("{id}/{version}"), n));
    }
    state.written.insert(id.to_lowercase(), new.clone());
    Answer::ok(new)
}

/// Gives a step or action that is new its id and slug.
fn name_part(part: &mut Value, id: impl Fn() -> String) {
    if part.is_object() {
        if str_of(part, "Id").is_empty() {
            part["Id"] = json!(id());
        }
        if str_of(part, "Slug").is_empty() {
            part["Slug"] = json!(slug(str_of(part, "Name")));
        }
    }
}

fn processes(state: &State, ask: &Ask) -> Handled {
    let found: Vec<Value> = ask.ids().iter().filter_map(|id| process(state, id).ok()).collect();
    Answer::ok(page(ask, "DeploymentProcess", &found, Clone::clone))
}

/// The repositories of a step of a world, as its action shows them.
fn sources(step: &StepPlan) -> Vec<Value> {
    let shown = |source: &GitSourcePlan| {
        json!({
            "Name": source.name, "RepositoryUri": source.repository.get_ref(), "DefaultBranch": source.branch, "GitCredentialType": "Anonymous",
            "GitCredentialId": null, "GitHubConnectionId": null, "FilePathFilters": [], "StepPackageInputsReferenceId": null,
        })
    };
    step.git.iter().map(shown).collect()
}

/// The packages of a step of a world, as its action shows them.
fn references(state: &State, space: &str, action: &str, step: &StepPlan) -> Vec<Value> {
    let builtin = builtin_feed::builtin(&state.store, space);
    let first = step.package.iter().map(|p| (String::new(), p));
    first
        .chain(step.packages.iter().map(|p| (p.get_ref().clone(), p)))
        .map(|(name, package)| {
            let id = uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, format!("{action}/{name}").as_bytes()).to_string();
            let feed = packages::feed_of(state, space, package.get_ref());
            let acquired = if feed == builtin { "Server" } else { "NotAcquired" };
            json!({"Id": id, "Name": name, "PackageId": package.get_ref(), "FeedId": feed, "AcquisitionLocation": acquired, "Version": null, "Properties": {"SelectionMode": "immediate"}})
        })
        .collect()
}
