//! Runbooks that provision ephemeral environments before their first deployment and deprovision them in the end (octopus-api.md §10.7).

use super::{
    answer::{Answer, Ask, Refusal, str_of},
    approvals,
    audit::SYSTEM,
    deployments::NewExecution,
    environment_types::{ENVIRONMENTS, EnvironmentType, channel_of, parent_of},
    ephemeral::{self, idle_limit, look_after, runbook_of},
    ephemeral_uses::{ProvisionState, UseKey},
    nouns::PROJECTS,
    routing::{By, Endpoint, Of, OfBy, get, post},
    runbooks,
    state::{Numbered, State, TaskState},
    world::server_version::Generation,
};
use crate::clock::later;
use jiff::Timestamp;
use serde_json::{Value, json};

#[rustfmt::skip]
pub(crate) const ENDPOINTS: &[Endpoint] = &[
    post("S/projects/{id}/environments/ephemeral", "EnvironmentCreate", &Of(PROJECTS, |state, ask, project| {
        let id = ephemeral::ensure(state, str_of(&project, "Id"), &ask.need("EnvironmentName")?, &ask.user)?;
        Answer::created(json!({ "Id": id }))
    })).since(Generation::V2026_1).takes(&[&["EnvironmentName"]]),
    get("S/projects/{id}/environments/ephemeral/{environment}/status", "EnvironmentView", &OfBy(PROJECTS, |state, ask, project, [id]| {
        let environment = find(state, ask, id)?;
        Answer::ok(json!({ "Status": status(state, str_of(&project, "Id"), &environment)?.name() }))
    })).since(Generation::V2026_1),
    post("S/projects/{id}/environments/ephemeral/{environment}/deprovision", "EnvironmentDelete", &OfBy(PROJECTS, |state, ask, project, [id]| {
        let (environment, project) = (find(state, ask, id)?, str_of(&project, "Id").to_owned());
        status(state, &project, &environment)?;
        let runs = deprovision(state, &environment, vec![project], false, &ask.user)?;
        Answer::ok(runs.first().map_or_else(|| json!({}), |run| json!({ "DeprovisioningRun": shown(state, *run) })))
    })).since(Generation::V2026_1),
    post("S/environments/ephemeral/{id}/deprovision", "EnvironmentDelete", &By(|state, ask, [id]| {
        let environment = find(state, ask, id)?;
        let projects = state.ephemeral.projects(&environment);
        let runs = deprovision(state, &environment, projects, true, &ask.user)?;
        Answer::ok(json!({ "DeprovisioningRuns": runs.iter().map(|run| shown(state, *run)).collect::<Vec<_>>() }))
    })).since(Generation::V2026_1),
];

/// The id of an ephemeral environment of the request's space.
fn find(state: &State, ask: &Ask, id: &str) -> Result<String, Refusal> {
    let found = state.store.find(ENVIRONMENTS.path, Some(&state.space_of(ask)), id).filter(|doc| state.sees(ENVIRONMENTS, doc));
    let found = found.filter(|doc| EnvironmentType::of(doc) == EnvironmentType::Ephemeral);
    found.map(|doc| str_of(doc, "Id").to_owned()).ok_or_else(|| Refusal::missing(id))
}

/// How far an environment is for a project, if the project uses it or may use it.
fn status(state: &State, project: &str, environment: &str) -> Result<ProvisionState, Refusal> {
    let may = || channel_of(state, project).is_some_and(|channel| parent_of(state, environment) == channel["ParentEnvironmentId"].as_str());
    let used = state.ephemeral.state(environment, project);
    used.or_else(|| may().then_some(ProvisionState::NotProvisioned)).ok_or_else(|| Refusal::missing(environment))
}

fn shown(state: &State, execution: usize) -> Value {
    let x = &state.executions[execution];
    json!({"RunbookRunId": x.id, "TaskId": Numbered("ServerTasks-", x.task)})
}

/// Runs a runbook of a project in an environment, as the server itself. Returns the place of the run.
fn run(state: &mut State, runbook: &str, (environment, project): UseKey) -> Result<usize, Refusal> {
    let new = NewExecution { environment: environment.clone(), user: SYSTEM.into(), ..NewExecution::default() };
    let run = runbooks::run(state, runbook, None, new)?;
    state.ephemeral.runs.insert(state.executions[run].task, (environment, project));
    Ok(run)
}

/// Provisions the environment that a deployment waits for.
pub(crate) fn begin(state: &mut State, execution: usize) {
    let x = &state.executions[execution];
    let key = (x.environment.clone(), x.project.clone());
    let Some(runbook) = runbook_of(state, &key.1, "ProvisioningRunbookId") else { return provisioned(state, &key) };
    if let Err(refusal) = run(state, &runbook, key.clone()) {
        not_provisioned(state, &key, &refusal.errors.first().cloned().unwrap_or(refusal.message));
    }
}

/// Lets go on what waits for the run of a runbook that has ended.
pub(crate) fn ended(state: &mut State, task: usize) {
    let Some(key) = state.ephemeral.runs.remove(&task) else { return };
    let end = state.tasks[task].state;
    let Some(one) = state.ephemeral.by_key.get_mut(&key) else { return };
    match (one.state, end) {
        (ProvisionState::Provisioning, TaskState::Success) => provisioned(state, &key),
        (ProvisionState::Provisioning, _) => {
            let why = format!("the provisioning run {} ended as {}.", Numbered("ServerTasks-", task), end.name());
            not_provisioned(state, &key, &why);
        }
        (_, TaskState::Success) => {
            one.state = ProvisionState::Deprovisioned;
            leave(state, &key.0, SYSTEM);
        }
        _ => {
            one.state = ProvisionState::Provisioned;
            state.ephemeral.leaving.remove(&key.0);
        }
    }
}

/// The deployments that waited for an environment, while it gets another state.
fn released(state: &mut State, key: &UseKey, now: ProvisionState) -> Vec<usize> {
    let Some(one) = state.ephemeral.by_key.get_mut(key) else { return Vec::new() };
    one.state = now;
    let waiting = std::mem::take(&mut one.waiting);
    waiting.into_iter().filter(|task| state.tasks[*task].waits_to_start()).collect()
}

fn provisioned(state: &mut State, key: &UseKey) {
    for task in released(state, key, ProvisionState::Provisioned) {
        if state.requests.holding(task, state.now).is_none() {
            approvals::release(state, task);
        }
    }
}

fn not_provisioned(state: &mut State, key: &UseKey, why: &str) {
    let name = state.store.name(ENVIRONMENTS.path, &key.0);
    for task in released(state, key, ProvisionState::NotProvisioned) {
        approvals::refuse(state, task, &format!("The environment '{name}' could not be provisioned: {why}"));
    }
}

/// Deprovisions an environment for projects, and removes it afterwards if that is wanted. Returns the runs that have to end before.
fn deprovision(state: &mut State, environment: &str, projects: Vec<String>, removes: bool, user: &str) -> Result<Vec<usize>, Refusal> {
    let name = state.store.name(ENVIRONMENTS.path, environment);
    let is = |now: ProvisionState| projects.iter().any(|project| state.ephemeral.state(environment, project) == Some(now));
    if is(ProvisionState::Provisioning) {
        return Err(Refusal::invalid(format!("The environment '{name}' is being provisioned.")));
    }
    if is(ProvisionState::Deprovisioning) {
        return Err(Refusal::invalid(format!("The environment '{name}' is being deprovisioned.")));
    }
    let mut runs = Vec::new();
    for project in projects {
        let key = (environment.to_owned(), project.clone());
        let is_there = state.ephemeral.state(environment, &project) == Some(ProvisionState::Provisioned);
        let runbook = runbook_of(state, &project, "DeprovisioningRunbookId").filter(|_| is_there);
        let after = match runbook {
            Some(runbook) => {
                runs.push(run(state, &runbook, key.clone())?);
                ProvisionState::Deprovisioning
            }
            None => ProvisionState::Deprovisioned,
        };
        state.ephemeral.by_key.entry(key).or_default().state = after;
    }
    if removes {
        state.ephemeral.leaving.insert(environment.to_owned());
        leave(state, environment, user);
    }
    Ok(runs)
}

/// Removes an environment that is to go away, once no project deprovisions it any more.
fn leave(state: &mut State, environment: &str, user: &str) {
    if !state.ephemeral.leaving.contains(environment) || state.ephemeral.is_deprovisioning(environment) {
        return;
    }
    state.ephemeral.forget(environment);
    if let Some(doc) = state.store.of_mut(ENVIRONMENTS.path).remove(environment) {
        let message = format!("Environment {} was deleted", str_of(&doc, "Name"));
        state.event("Deleted", user, message, vec![environment.to_owned()], Some(str_of(&doc, "SpaceId").to_owned()));
    }
}

/// Deprovisions and removes an environment where nothing was deployed and no runbook ran for as long as its parent allows.
pub(crate) fn idle(state: &mut State, environment: usize) {
    let id = Numbered(ENVIRONMENTS.prefix, environment - 1).to_string();
    let Some(doc) = state.store.of(ENVIRONMENTS.path).get(&id) else { return };
    let parent = state.store.of(ENVIRONMENTS.path).get(str_of(doc, "_Parent"));
    let Some(limit) = parent.and_then(idle_limit) else { return };
    let made = doc["_Created"].as_i64().and_then(|at| Timestamp::from_second(at).ok()).unwrap_or(state.now);
    let here = (0..state.executions.len()).map(|x| &state.executions[x]).filter(|x| x.environment == id);
    // What still runs is no sign of idleness.
    let last = here.map(|x| state.tasks[x.task].completed.unwrap_or(state.now)).fold(made, Timestamp::max);
    let due = later(last, limit);
    let is_due = due <= state.now && !state.ephemeral.leaving.contains(&id);
    let projects = state.ephemeral.projects(&id);
    if !is_due {
        look_after(state, &id, due.max(later(state.now, jiff::SignedDuration::from_mins(1))));
    } else if deprovision(state, &id, projects, true, SYSTEM).is_err() || state.store.of(ENVIRONMENTS.path).get(&id).is_some() {
        look_after(state, &id, later(state.now, limit));
    }
}
