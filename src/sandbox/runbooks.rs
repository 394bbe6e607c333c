//! Runbooks, their snapshots and their runs.

use super::{
    answer::{Answer, Ask, Handled, Refusal, str_of, text, texts},
    collection::{self, noun_of, page, present},
    deployments::{self, Job, NewExecution},
    executions, lifecycle, selection,
    state::{State, What, stamp},
    variables::Target,
};
use serde_json::{Value, json};

/// Makes a snapshot of a runbook and returns its id.
pub(crate) fn snapshot(state: &mut State, space: &str, project: &str, runbook: &str, name: &str, notes: Option<String>) -> String {
    let id = state.store.next_id("RunbookSnapshots-");
    let doc = json!({
        "Id": id, "SpaceId": space, "Name": name, "RunbookId": runbook, "ProjectId": project, "Notes": notes, "Assembled": stamp(state.now),
        "FrozenRunbookProcessId": format!("RunbookProcess-{runbook}-s-1-SANDB"), "FrozenProjectVariableSetId": format!("variableset-{project}-s-1-SANDB"),
        "LibraryVariableSetSnapshotIds": [], "SelectedPackages": [], "SelectedGitResources": [], "GitReference": null,
        "ProjectVariableSetSnapshotId": format!("variableset-{project}-s-1-SANDB"),
    });
    state.store.of_mut("runbookSnapshots").put(doc);
    id
}

/// Makes a run and its task.
fn run(state: &mut State, runbook: &str, wanted: Option<&str>, new: NewExecution) -> Result<usize, Refusal> {
    let r = state.store.of("runbooks").get(runbook).ok_or_else(|| Refusal::missing(runbook))?.clone();
    let (name, project, space) = (str_of(&r, "Name").to_owned(), str_of(&r, "ProjectId").to_owned(), str_of(&r, "SpaceId").to_owned());
    let p = state.store.of("projects").get(&project).ok_or_else(|| Refusal::missing(&project))?;
    if p["IsDisabled"] == true {
        return Err(Refusal::invalid(format!("The project '{}' is disabled.", str_of(p, "Name"))));
    }
    state.demand("RunbookRunCreate", &new.thing(&space, &project))?;
    let snapshot = match wanted {
        Some(s) => state
            .store
            .of("runbookSnapshots")
            .iter()
            .find(|d| {
                str_of(d, "RunbookId") == runbook && (str_of(d, "Id").eq_ignore_ascii_case(s) || str_of(d, "Name").eq_ignore_ascii_case(s))
            })
            .map(|d| str_of(d, "Id").to_owned())
            .ok_or_else(|| Refusal::missing(s))?,
        None => r["PublishedRunbookSnapshotId"]
            .as_str()
            .filter(|s| !s.is_empty())
            .map(str::to_owned)
            .ok_or_else(|| Refusal::invalid(format!("The runbook '{name}' has no published snapshot.")))?,
    };
    let environment = state.store.name("environments", &new.environment);
    if !environments(state, &r).contains(&new.environment) {
        return Err(Refusal::invalid(format!("The runbook '{name}' cannot be run in environment '{environment}'.")));
    }
    if new.tenant.is_some() {
        deployments::check_tenant(state, "TenantedOrUntenanted", str_of(p, "Name"), &project, &new, None)?;
    }
    let target = Target { environment: &new.environment, tenant: new.tenant.as_deref(), channel: None };
    let values = super::variables::prompted(state, &project, &target, &new.forms, &new.variables)?;
    let mut description = format!("Run {name} on {environment}");
    if let Some(t) = &new.tenant {
        description = format!("{description} for {}", state.store.name("tenants", t));
    }
    let tag = format!("{runbook}/{}/{}", new.environment, new.tenant.as_deref().unwrap_or_default());
    let first = new.priority.as_deref() == Some("On");
    let id = state.store.next_id("RunbookRuns-");
    let what = What::Runbook { runbook: runbook.to_owned(), snapshot };
    Ok(deployments::enqueue(state, Job { id, space, project, owner: runbook.to_owned(), what, description, tag, first, values, new }))
}

/// Where a runbook may run.
fn environments(state: &State, runbook: &Value) -> Vec<String> {
    let space = str_of(runbook, "SpaceId");
    match str_of(runbook, "EnvironmentScope") {
        "Specified" => texts(&runbook["Environments"]),
        "FromProjectLifecycles" => {
            lifecycle::lifecycle_environments(state, space, &lifecycle::lifecycle_of(state, str_of(runbook, "ProjectId"), ""))
        }
        _ => lifecycle::environments(state, space),
    }
}

/// `runbooks…`; none when the generic handling shall answer.
pub(crate) fn route(state: &mut State, ask: &Ask, rest: &[&str]) -> Option<Handled> {
    let (id, rest) = rest.split_first()?;
    if rest.is_empty() {
        return None;
    }
    Some((|| {
        let noun = noun_of("runbooks").ok_or_else(|| Refusal::missing(id))?;
        let doc = collection::get(state, ask, noun, id)?.clone();
        let id = str_of(&doc, "Id").to_owned();
        below(state, ask, &doc, &id, rest)
    })())
}

/// What hangs below one runbook.
pub(crate) fn below(state: &mut State, ask: &Ask, doc: &Value, id: &str, rest: &[&str]) -> Handled {
    match (ask.method.as_str(), rest) {
        ("GET", []) => Answer::ok(present(noun_of("runbooks").ok_or_else(|| Refusal::missing(id))?, doc)),
        ("GET", ["environments"]) => {
            let noun = noun_of("environments").ok_or_else(|| Refusal::missing(id))?;
            Answer::ok(Value::Array(
                environments(state, doc).iter().filter_map(|e| state.store.of("environments").get(e)).map(|e| present(noun, e)).collect(),
            ))
        }
        ("GET", ["runbookSnapshotTemplate"]) => {
            let snapshots = || state.store.of("runbookSnapshots").iter().filter(|s| str_of(s, "RunbookId") == id);
            let (count, last) = (snapshots().count(), snapshots().next_back().map_or(&Value::Null, |s| &s["SelectedPackages"]));
            let packages = selection::template(state, &format!("RunbookProcess-{id}"), None, last);
            Answer::ok(
                json!({"NextNameIncrement": format!("Snapshot {}", count + 1), "RunbookProcessId": format!("RunbookProcess-{id}"), "RunbookId": id, "Packages": packages, "GitResources": [], "Links": {}}),
            )
        }
        ("GET", ["runbookSnapshots"]) => {
            let noun = noun_of("runbookSnapshots").ok_or_else(|| Refusal::missing(id))?;
            let found = collection::select(state, noun, ask, |s| str_of(s, "RunbookId") == id);
            Answer::ok(page(ask, noun.item, &found, |d| d.shown()))
        }
        ("GET", ["runbookRuns", "preview", environment]) => {
            let target = Target { environment, tenant: None, channel: None };
            Answer::ok(super::previews::preview(state, str_of(doc, "ProjectId"), id, &target))
        }
        ("POST", ["runbookRuns", "previews"]) => {
            let wanted = ask.field("DeploymentPreviews").as_array().cloned().unwrap_or_default();
            let one = |w: &Value| {
                let (environment, tenant) = (text(w, "EnvironmentId").unwrap_or_default(), text(w, "TenantId"));
                let target = Target { environment: &environment, tenant: tenant.as_deref(), channel: None };
                super::previews::preview(state, str_of(doc, "ProjectId"), id, &target)
            };
            Answer::ok(wanted.iter().map(one).collect::<Vec<_>>())
        }
        ("POST", ["run"]) => {
            let mut environments = ask.texts("EnvironmentIds");
            environments.extend(ask.text("EnvironmentId"));
            let base = deployments::read(state, &ask.body, &ask.user, false)?;
            let made = environments
                .into_iter()
                .map(|environment| {
                    let new = NewExecution { environment, tenant: ask.text("TenantId"), ..base.clone() };
                    run(state, id, ask.text("RunbookSnapshotId").as_deref(), new).map(|i| deployments::render(state, i))
                })
                .collect::<Result<Vec<_>, _>>()?;
            Answer::created(made)
        }
        _ => Err(Refusal::not_simulated(&ask.method, &ask.path)),
    }
}

/// `runbookSnapshots…`; none when the generic handling shall answer.
pub(crate) fn route_snapshots(state: &mut State, ask: &Ask, rest: &[&str]) -> Option<Handled> {
    match (ask.method.as_str(), rest) {
        ("POST", []) => Some((|| {
            let runbook = ask.text("RunbookId").ok_or_else(|| Refusal::invalid("The RunbookId field is required."))?;
            let doc = state.store.of("runbooks").get(&runbook).ok_or_else(|| Refusal::missing(&runbook))?.clone();
            let name = ask.text("Name").ok_or_else(|| Refusal::invalid("The Name field is required."))?;
            let id = snapshot(state, str_of(&doc, "SpaceId"), str_of(&doc, "ProjectId"), str_of(&doc, "Id"), &name, ask.text("Notes"));
            let packages = ask.field("SelectedPackages");
            if packages.is_array() {
                state.store.of_mut("runbookSnapshots").change(&id, |snapshot| snapshot["SelectedPackages"] = packages.clone());
            }
            if ask.flag("publish") == Some(true) {
                state.store.of_mut("runbooks").change(&runbook, |doc| doc["PublishedRunbookSnapshotId"] = json!(id));
            }
            let noun = noun_of("runbookSnapshots").ok_or_else(|| Refusal::missing(&id))?;
            Answer::created(state.store.of("runbookSnapshots").get(&id).map_or(Value::Null, |d| present(noun, d)))
        })()),
        ("GET", [id, "runbookRuns", tail @ ..]) => Some((|| {
            let noun = noun_of("runbookSnapshots").ok_or_else(|| Refusal::missing(id))?;
            let doc = collection::get(state, ask, noun, id)?.clone();
            let (runbook, project) = (str_of(&doc, "RunbookId").to_owned(), str_of(&doc, "ProjectId").to_owned());
            match tail {
                [] => Answer::ok(deployments::list(
                    state,
                    ask,
                    false,
                    state.by_project.get(&project).cloned(),
                    |x| matches!(&state.executions[x].what, What::Runbook { snapshot, .. } if snapshot.eq_ignore_ascii_case(id)),
                )),
                ["template"] => {
                    let r = state.store.of("runbooks").get(&runbook).cloned().unwrap_or(Value::Null);
                    let to: Vec<Value> = environments(state, &r)
                        .iter()
                        .map(|e| json!({"Id": e, "Name": state.store.name("environments", e), "Links": {"Preview": format!("/api/{}/runbookSnapshots/{id}/runbookRuns/preview/{e}", str_of(&doc, "SpaceId"))}}))
                        .collect();
                    Answer::ok(
                        json!({"IsRunbookProcessModified": false, "IsVariableSetModified": false, "IsLibraryVariableSetModified": false, "PromoteTo": to, "TenantPromotions": [], "Links": {}}),
                    )
                }
                ["preview", environment] => {
                    let target = Target { environment, tenant: None, channel: None };
                    Answer::ok(super::previews::preview(state, &project, &runbook, &target))
                }
                _ => Err(Refusal::not_simulated(&ask.method, &ask.path)),
            }
        })()),
        _ => None,
    }
}

/// `runbookRuns…`
pub(crate) fn route_runs(state: &mut State, ask: &Ask, rest: &[&str]) -> Handled {
    match (ask.method.as_str(), rest) {
        ("GET", []) => Answer::ok(deployments::list(state, ask, false, None, |_| true)),
        ("GET", [id]) => {
            let index = deployments::find(state, ask, id)?;
            Answer::ok(deployments::render(state, index))
        }
        ("POST", []) => {
            let runbook = ask.text("RunbookId").ok_or_else(|| Refusal::invalid("The RunbookId field is required."))?;
            let doc = state.store.of("runbooks").get(&runbook).ok_or_else(|| Refusal::missing(&runbook))?;
            let (id, space) = (str_of(doc, "Id").to_owned(), str_of(doc, "SpaceId").to_owned());
            let environment = ask.text("EnvironmentId").ok_or_else(|| Refusal::invalid("The EnvironmentId field is required."))?;
            let known = |kind: &'static str, id: &str| {
                state.store.find(kind, Some(&space), id).map(|d| str_of(d, "Id").to_owned()).ok_or_else(|| Refusal::missing(id))
            };
            let (environment, tenant) =
                (known("environments", &environment)?, ask.text("TenantId").map(|t| known("tenants", &t)).transpose()?);
            let new = NewExecution { environment, tenant, ..deployments::read(state, &ask.body, &ask.user, false)? };
            let index = run(state, &id, ask.text("RunbookSnapshotId").as_deref(), new)?;
            Answer::created(deployments::render(state, index))
        }
        _ => Err(Refusal::not_simulated(&ask.method, &ask.path)),
    }
}

/// `POST runbook-runs/create/v1` (octopus-api.md §16.3).
pub(crate) fn create_named(state: &mut State, ask: &Ask) -> Handled {
    let space = executions::body_space(state, ask)?;
    let project = ask.text("projectName").ok_or_else(|| Refusal::invalid("The ProjectName field is required."))?;
    let project = executions::by_name(state, "projects", &space, &project)?;
    let name = ask.text("runbookName").ok_or_else(|| Refusal::invalid("The RunbookName field is required."))?;
    let runbook = state
        .store
        .of("runbooks")
        .with("ProjectId", &project)
        .find(|r| ["Id", "Name", "Slug"].iter().any(|k| str_of(r, k).eq_ignore_ascii_case(&name)))
        .map(|r| str_of(r, "Id").to_owned())
        .ok_or_else(|| Refusal { status: 404, message: format!("The runbook '{name}' was not found."), errors: Vec::new() })?;
    let base = deployments::read(state, &ask.body, &ask.user, true)?;
    let mut made = Vec::new();
    for (environment, tenant) in executions::pairs(state, ask, &space, &project, false)? {
        let index = run(state, &runbook, ask.text("snapshot").as_deref(), NewExecution { environment, tenant, ..base.clone() })?;
        made.push(json!({"RunbookRunId": state.executions[index].id, "ServerTaskId": format!("ServerTasks-{}", state.executions[index].task + 1)}));
    }
    Answer::created(json!({ "RunbookRunServerTasks": made }))
}
