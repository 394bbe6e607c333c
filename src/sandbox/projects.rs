//! Projects and what hangs below them: channels, releases, runbooks, processes, settings, variables, progression.

use super::{
    access::Thing,
    answer::{All, Answer, Ask, Handled, Refusal, field, str_of, text},
    collection::{self, Document, noun_of, page, present},
    dashboard, defaults, lifecycle, releases, runbooks, selection,
    state::State,
    variables,
    world::run::STAND_IN,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// `projects/{id}/…`; none when the generic handling shall answer.
pub(crate) fn route(state: &mut State, ask: &Ask, rest: &[&str]) -> Option<Handled> {
    let (id, rest) = rest.split_first()?;
    if rest.is_empty() {
        return None;
    }
    Some((|| {
        let noun = noun_of("projects").ok_or_else(|| Refusal::missing(id))?;
        let project = str_of(collection::get(state, ask, noun, id)?, "Id").to_owned();
        below(state, ask, &project, rest)
    })())
}

fn below(state: &mut State, ask: &Ask, project: &str, rest: &[&str]) -> Handled {
    match (ask.method.as_str(), rest) {
        ("GET", ["releases"]) => Answer::ok(releases::list(state, ask, Some(project), |_| true)),
        (_, ["releases", version, tail @ ..]) => {
            let index = match state.release_index(version) {
                Some(index) => index,
                None => releases::by_version(state, project, version)?,
            };
            releases::one(state, ask, index, tail)
        }
        ("GET", ["channels"]) => under(state, ask, "channels", project),
        ("GET", ["channels", channel]) => {
            let noun = noun_of("channels").ok_or_else(|| Refusal::missing(channel))?;
            Answer::ok(collection::get(state, ask, noun, channel)?.shown())
        }
        ("GET", ["channels", channel, "releases"]) => {
            Answer::ok(releases::list(state, ask, Some(project), |r| r.channel.eq_ignore_ascii_case(channel)))
        }
        ("GET", ["runbooks"]) => under(state, ask, "runbooks", project),
        ("POST", ["runbooks"]) => {
            if ask.text("ProjectId").is_none_or(|p| !p.eq_ignore_ascii_case(project)) {
                return Err(Refusal::invalid("The ProjectId of the runbook is not that of its project."));
            }
            generic(state, ask, "runbooks", &[])
        }
        ("PUT" | "DELETE", ["runbooks", runbook]) => generic(state, ask, "runbooks", &[runbook]),
        (_, ["runbooks", runbook, tail @ ..]) => {
            let found = state
                .store
                .of("runbooks")
                .with("ProjectId", project)
                .find(|r| ["Id", "Slug"].iter().any(|k| str_of(r, k).eq_ignore_ascii_case(runbook)));
            let doc = found.ok_or_else(|| Refusal::missing(runbook))?.clone();
            let id = str_of(&doc, "Id").to_owned();
            runbooks::below(state, ask, &doc, &id, tail)
        }
        ("GET", ["runbookSnapshots"]) => under(state, ask, "runbookSnapshots", project),
        ("POST", ["runbookSnapshots"]) => {
            runbooks::route_snapshots(state, ask, &[]).unwrap_or_else(|| Err(Refusal::wrong_verb(&ask.method)))
        }
        ("GET", ["runbookSnapshots", name]) => {
            let noun = noun_of("runbookSnapshots").ok_or_else(|| Refusal::missing(name))?;
            let mut all = state.store.of("runbookSnapshots").with("ProjectId", project);
            let found = all.find(|s| ["Id", "Name"].iter().any(|k| str_of(s, k).eq_ignore_ascii_case(name)));
            Answer::ok(present(noun, found.ok_or_else(|| Refusal::missing(name))?))
        }
        ("GET" | "PUT", ["runbookProcesses", process]) => route_processes(state, ask, &[process]),
        ("GET", ["triggers"]) => under(state, ask, "projecttriggers", project),
        ("GET", ["progression"]) => Answer::ok(progression(state, ask, project)),
        ("GET", ["deploymentprocesses"]) => Answer::ok(process(state, &format!("deploymentprocess-{project}"))?),
        ("GET", ["deploymentprocesses", "template"]) => Answer::ok(releases::new_release_template(state, project, ask.query("channel"))),
        ("PUT", ["deploymentprocesses"]) => put_process(state, ask, &format!("deploymentprocess-{project}")),
        ("GET", ["variables"]) => Answer::ok(variables::get(state, &format!("variableset-{project}"))?),
        ("PUT", ["variables"]) => variables::put(state, ask, &format!("variableset-{project}")),
        ("GET", ["deploymentsettings"]) => Answer::ok(settings(state, project)),
        ("PUT", ["deploymentsettings"]) => {
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
        ("GET", ["summary"]) => Answer::ok(
            json!({"HasDeploymentProcess": true, "HasRunbooks": state.store.of("runbooks").with("ProjectId", project).next().is_some()}),
        ),
        ("GET", ["metadata"]) => Answer::ok(json!([])),
        _ => Err(Refusal::not_simulated(&ask.method, &ask.path)),
    }
}

/// What is handled like any other document, also below its project.
fn generic(state: &mut State, ask: &Ask, kind: &'static str, rest: &[&str]) -> Handled {
    let noun = noun_of(kind).ok_or_else(|| Refusal::missing(kind))?;
    collection::route(state, ask, noun, rest)
}

/// The documents of a kind that belong to a project.
fn under(state: &State, ask: &Ask, kind: &'static str, project: &str) -> Handled {
    let noun = noun_of(kind).ok_or_else(|| Refusal::missing(kind))?;
    let found = collection::select_among(state, noun, ask, Some(project), |_| true);
    Answer::ok(page(ask, noun.item, &found, |d| d.shown()))
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
                    let packages = selection::references(state, space, &action, s);
                    let (kind, mut properties) = match &s.manual {
                        Some(m) => {
                            let teams: Vec<String> = m.teams.iter().filter_map(|t| state.store.of("teams").iter().find(|d| str_of(d, "Name").eq_ignore_ascii_case(t.get_ref()))).map(|d| str_of(d, "Id").to_owned()).collect();
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
                        "Id": format!("{action}-step"), "Name": s.name, "Slug": State::slug(&s.name), "PackageRequirement": "LetOctopusDecide", "Properties": {},
                        "Condition": format!("{:?}", s.condition), "StartTrigger": if s.with_previous { "StartWithPrevious" } else { "StartAfterPrevious" },
                        "Actions": [{
                            "Id": action, "Name": s.name, "Slug": State::slug(&s.name), "ActionType": kind, "Notes": null, "IsDisabled": s.disabled, "IsRequired": false,
                            "CanBeUsedForProjectVersioning": !packages.is_empty(), "WorkerPoolId": null, "WorkerPoolVariable": null, "Container": {"Image": null, "FeedId": null},
                            "Environments": [], "ExcludedEnvironments": [], "Channels": [], "TenantTags": [], "Packages": packages, "GitDependencies": [],
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
            part["Slug"] = json!(State::slug(str_of(part, "Name")));
        }
    }
}

/// `deploymentprocesses…` and `runbookProcesses…`
pub(crate) fn route_processes(state: &mut State, ask: &Ask, rest: &[&str]) -> Handled {
    match (ask.method.as_str(), rest) {
        ("GET", []) => {
            let found: Vec<Value> = ask.ids().iter().filter_map(|id| process(state, id).ok()).collect();
            Answer::ok(page(ask, "DeploymentProcess", &found, Clone::clone))
        }
        ("GET", [id]) => Answer::ok(process(state, id)?),
        ("GET", [id, "template"]) => {
            let doc = process(state, id)?;
            Answer::ok(releases::new_release_template(state, str_of(&doc, "ProjectId"), ask.query("channel")))
        }
        ("PUT", [id]) => put_process(state, ask, id),
        _ => Err(Refusal::not_simulated(&ask.method, &ask.path)),
    }
}

/// `progression/{project}` (octopus-api.md §13.2).
pub(crate) fn progression(state: &State, ask: &Ask, project: &str) -> Value {
    let count = ask.query("releaseHistoryCount").and_then(|n| n.parse::<usize>().ok()).unwrap_or(30);
    let p = state.store.of("projects").get(project).cloned().unwrap_or(Value::Null);
    let space = str_of(&p, "SpaceId");
    let named =
        |list: &[String]| json!(list.iter().map(|e| json!({"Id": e, "Name": state.store.name("environments", e)})).collect::<Vec<_>>());
    let (mut by_lifecycle, mut by_channel, mut all) = (BTreeMap::new(), BTreeMap::new(), Vec::<String>::new());
    let noun = noun_of("channels");
    let mut channels: BTreeMap<&str, &Value> = BTreeMap::new();
    for c in state.store.of("channels").with("ProjectId", project) {
        let id = str_of(c, "Id");
        let l = lifecycle::lifecycle_of(state, project, id);
        let list = lifecycle::lifecycle_environments(state, space, &l);
        all.extend(list.iter().filter(|e| !all.contains(e)).cloned().collect::<Vec<_>>());
        by_channel.insert(id.to_owned(), named(&list));
        by_lifecycle.insert(l, named(&list));
        channels.insert(id, c);
    }
    let order = lifecycle::environments(state, space);
    all.sort_by_key(|e| order.iter().position(|o| o == e));
    let mut indexes = releases::of_project(state, project);
    releases::newest_first(state, &mut indexes);
    let list: Vec<Value> = indexes
        .into_iter()
        .take(count)
        .filter_map(|i| {
            let r = state.release(i)?;
            let mut items: BTreeMap<String, Vec<Value>> = BTreeMap::new();
            for x in state.by_release.get(&i).into_iter().flatten().rev().filter(|x| !state.executions[**x].deleted && state.sees_execution(**x)) {
                items.entry(state.executions[*x].environment.clone()).or_default().push(dashboard::item(state, *x));
            }
            let standing = lifecycle::standing(state, i, lifecycle::Whose::Anybody);
            Some(json!({
                "Release": releases::render(state, i), "Channel": noun.zip(channels.get(r.channel.as_str())).map(|(n, c)| present(n, c)), "Deployments": items,
                "NextDeployments": lifecycle::next(&standing), "HasUnresolvedDefect": r.defects.iter().any(|d| !d.1), "ReleaseRetentionPeriod": null, "TentacleRetentionPeriod": null,
            }))
        })
        .collect();
    json!({"LifecycleEnvironments": by_lifecycle, "Environments": named(&all), "ChannelEnvironments": by_channel, "Releases": list, "Links": {}})
}

/// `progression/{id}`
pub(crate) fn route_progression(state: &State, ask: &Ask, rest: &[&str]) -> Handled {
    let [id] = rest else { return Err(Refusal::not_simulated(&ask.method, &ask.path)) };
    let noun = noun_of("projects").ok_or_else(|| Refusal::missing(id))?;
    let project = str_of(collection::get(state, ask, noun, id)?, "Id").to_owned();
    Answer::ok(progression(state, ask, &project))
}

/// Below groups and lifecycles: their projects, and previews of phases.
pub(crate) fn route_owners(state: &State, ask: &Ask, kind: &'static str, rest: &[&str]) -> Option<Handled> {
    let noun = noun_of(kind)?;
    let of_lifecycle = |l: &Value| {
        let (id, space) = (str_of(l, "Id"), str_of(l, "SpaceId"));
        let mut doc = present(noun, l);
        if l["Phases"].as_array().is_none_or(Vec::is_empty) {
            let phases: Vec<Value> = lifecycle::lifecycle_environments(state, space, id)
                .iter()
                .map(|e| {
                    let mut phase = defaults::phase(&Value::Null);
                    phase["Name"] = json!(state.store.name("environments", e));
                    phase["OptionalDeploymentTargets"] = json!([e]);
                    phase
                })
                .collect();
            doc["Phases"] = json!(phases);
        }
        doc
    };
    match (ask.method.as_str(), rest) {
        ("GET", [id, "projects"]) => Some((|| {
            let doc = collection::get(state, ask, noun, id)?;
            let key = if kind == "projectgroups" { "ProjectGroupId" } else { "LifecycleId" };
            let projects = noun_of("projects").ok_or_else(|| Refusal::missing(id))?;
            let found = collection::select(state, projects, ask, |p| str_of(p, key) == str_of(doc, "Id"));
            // A group answers with a page, a lifecycle with a bare list.
            if kind == "lifecycles" {
                return Answer::ok(All(found.into_iter().map(Document::shown).collect()));
            }
            Answer::ok(page(ask, "Project", &found, |d| d.shown()))
        })()),
        ("GET", [id, "preview"]) if kind == "lifecycles" => {
            Some(collection::get(state, ask, noun, id).and_then(|l| Answer::ok(of_lifecycle(l))))
        }
        ("GET", ["previews"]) if kind == "lifecycles" => {
            Some(Answer::ok(Value::Array(collection::select(state, noun, ask, |_| true).into_iter().map(|l| of_lifecycle(l)).collect())))
        }
        _ => None,
    }
}

/// The documents of a kind that name `id` in a list of theirs.
fn members(state: &State, ask: &Ask, kind: &str, key: &str, id: &str) -> Option<Handled> {
    let noun = noun_of(kind)?;
    let found = collection::select(state, noun, ask, |m| super::answer::texts(&m[key]).iter().any(|x| x.eq_ignore_ascii_case(id)));
    Some(Answer::ok(page(ask, noun.item, &found, |d| d.shown())))
}

/// `workerpools/{id}/workers`
pub(crate) fn route_pools(state: &State, ask: &Ask, rest: &[&str]) -> Option<Handled> {
    match (ask.method.as_str(), rest) {
        ("GET", [id, "workers"]) => members(state, ask, "workers", "WorkerPoolIds", id),
        _ => None,
    }
}

/// `environments/sortorder`, `environments/{id}/machines`
pub(crate) fn route_environments(state: &mut State, ask: &Ask, rest: &[&str]) -> Option<Handled> {
    match (ask.method.as_str(), rest) {
        ("GET", [id, "machines"]) => members(state, ask, "machines", "EnvironmentIds", id),
        ("GET", ["summary"]) => {
            let noun = noun_of("environments")?;
            let all: Vec<&Value> = state.store.of("machines").iter().collect();
            let summaries: Vec<Value> = collection::select(state, noun, ask, |_| true)
                .into_iter()
                .map(|e| {
                    let here: Vec<&Value> = all
                        .iter()
                        .copied()
                        .filter(|m| super::answer::texts(&m["EnvironmentIds"]).iter().any(|x| x == str_of(e, "Id")))
                        .collect();
                    let mut doc = counts(&here);
                    doc["Environment"] = present(noun, e);
                    doc["MachineIdsForTentacleUpgrade"] = json!([]);
                    doc
                })
                .collect();
            let mut doc = counts(&all);
            doc["EnvironmentSummaries"] = json!(summaries);
            Some(Answer::ok(doc))
        }
        ("GET", ["v2"]) => {
            let noun = noun_of("environments")?;
            let wanted = text(&ask.body, "type").or_else(|| ask.query("type").map(str::to_owned));
            let found = collection::select(state, noun, ask, |_| wanted.as_deref().is_none_or(|t| t == "Static"));
            Some(Answer::ok(page(ask, noun.item, &found, |d| {
                let mut doc = present(noun, d);
                doc["Type"] = json!("Static");
                doc
            })))
        }
        _ => None,
    }
}

/// How many deployment targets there are, by health and by kind.
fn counts(machines: &[&Value]) -> Value {
    let by = |of: &dyn Fn(&Value) -> String| {
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        for m in machines {
            *counts.entry(of(m)).or_default() += 1;
        }
        counts
    };
    json!({
        "TotalMachines": machines.len(), "TotalDisabledMachines": machines.iter().filter(|m| m["IsDisabled"] == true).count(),
        "MachineHealthStatusSummaries": by(&|m| str_of(m, "HealthStatus").to_owned()),
        "MachineEndpointSummaries": by(&|m| str_of(&m["Endpoint"], "CommunicationStyle").to_owned()),
        "MachineTenantSummaries": {}, "MachineTenantTagSummaries": {}, "TentacleUpgradesRequired": false, "MachineIdsForCalamariUpgrade": [],
    })
}
