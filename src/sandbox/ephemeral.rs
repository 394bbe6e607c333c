//! Ephemeral environments of projects: made for a project or for a release, and what is asked before a deployment goes there (octopus-api.md §10.7).

use super::{
    agenda::Due,
    answer::{Refusal, str_of},
    environment_types::{ENVIRONMENTS, EnvironmentType, called, channel_of, ephemeral_name, is_ephemeral, parent_of, type_of},
    ephemeral_uses::ProvisionState,
    state::{Release, State, What, number},
    variables::system,
    worker,
};
use crate::clock::later;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

/// How long an environment below a parent may be idle; none where it stays for ever.
pub(crate) fn idle_limit(parent: &Value) -> Option<SignedDuration> {
    let rule = parent["_Rule"].as_object()?;
    let number = |member: &str| rule.get(member).and_then(Value::as_i64).unwrap_or(0);
    Some(SignedDuration::from_hours(number("ExpiryDays").saturating_mul(24).saturating_add(number("ExpiryHours"))))
}

/// Looks after an ephemeral environment at a moment: whether it has been idle for too long by then.
pub(crate) fn look_after(state: &mut State, environment: &str, at: Timestamp) {
    if let Some(n) = number(environment, ENVIRONMENTS.prefix) {
        state.agenda.add(at, Due::Idle { environment: n });
    }
}

/// The ephemeral environment of this name for a project: made, or taken over where one of the same parent has the name. Returns its id.
///
/// # Errors
/// 400 for a project without a channel for ephemeral environments, and for a name that is taken or cannot be one.
pub(crate) fn ensure(state: &mut State, project: &str, written: &str, user: &str) -> Result<String, Refusal> {
    let Wanted { name, parent, space, there } = wanted(state, project, written)?;
    let id = there.unwrap_or_else(|| make(state, &space, &parent, &name, user));
    state.ephemeral.by_key.entry((id.clone(), project.to_owned())).or_default();
    Ok(id)
}

/// An environment that is to be there.
struct Wanted {
    name: String,
    parent: String,
    space: String,
    /// The id of the one that is there.
    there: Option<String>,
}

fn wanted(state: &State, project: &str, written: &str) -> Result<Wanted, Refusal> {
    let name = ephemeral_name(written)?;
    let channel = channel_of(state, project).ok_or_else(|| {
        Refusal::invalid(format!("The project '{}' is not configured for ephemeral environments.", state.store.name("projects", project)))
    })?;
    let (parent, space) = (str_of(channel, "ParentEnvironmentId").to_owned(), str_of(channel, "SpaceId").to_owned());
    let there = match called(state, &space, &name) {
        Some(doc) if str_of(doc, "_Parent") == parent => Some(str_of(doc, "Id").to_owned()),
        Some(_) => return Err(Refusal::invalid(format!("The name '{name}' is already in use. Please choose a different name."))),
        None => None,
    };
    if there.as_ref().is_some_and(|id| state.ephemeral.leaving.contains(id)) {
        return Err(Refusal::invalid(format!("The environment '{name}' is being deprovisioned.")));
    }
    Ok(Wanted { name, parent, space, there })
}

fn make(state: &mut State, space: &str, parent: &str, name: &str, user: &str) -> String {
    let id = state.store.next_id(ENVIRONMENTS.prefix);
    let above = state.store.of(ENVIRONMENTS.path).get(parent).cloned().unwrap_or(Value::Null);
    let mut doc = json!({
        "Id": id, "SpaceId": space, "Name": name, "UseGuidedFailure": above["UseGuidedFailure"], "_Type": EnvironmentType::Ephemeral.name(),
        "_Parent": parent, "_Created": state.now.as_second(),
    });
    state.complete(ENVIRONMENTS.path, &mut doc);
    state.store.of_mut(ENVIRONMENTS.path).put(doc);
    state.event("Created", user, format!("Environment {name} was created"), vec![id.clone()], Some(space.to_owned()));
    if let Some(limit) = idle_limit(&above) {
        let at = later(state.now, limit);
        look_after(state, &id, at);
    }
    id
}

/// The name of the environment to which a new release goes by itself, if its channel says so.
///
/// # Errors
/// 400 for a template that cannot be evaluated, or not to a name.
pub(crate) fn wanted_by(state: &State, release: &Release, index: usize) -> Result<Option<String>, Refusal> {
    let Some(channel) = state.store.of("channels").get(&release.channel).filter(|channel| is_ephemeral(channel)) else { return Ok(None) };
    if channel["AutomaticEphemeralEnvironmentDeployments"] != true {
        return Ok(None);
    }
    let template = str_of(channel, "EphemeralEnvironmentNameTemplate");
    let wrong = |why: String| Refusal::invalid(format!("The ephemeral environment name template '{template}' cannot be used: {why}."));
    let (name, missing) = worker::evaluated(template, &system::of_new_release(state, release, index), state.now).map_err(&wrong)?;
    if !missing.is_empty() {
        return Err(wrong(format!("the release has no value for {}", missing.join(", "))));
    }
    wanted(state, &release.project, &name).map(|wanted| Some(wanted.name))
}

/// Why nothing may be deployed to an environment of its type.
///
/// # Errors
/// 400 for parents, for tenants in ephemeral environments, for those that go away, and where no snapshot could provision it.
pub(crate) fn check(state: &State, project: &str, environment: &str, tenant: Option<&str>) -> Result<(), Refusal> {
    let name = || state.store.name(ENVIRONMENTS.path, environment);
    match type_of(state, environment) {
        EnvironmentType::Static => return Ok(()),
        EnvironmentType::Parent => {
            return Err(Refusal::invalid(format!("The environment '{}' is a parent environment and cannot be deployed to.", name())));
        }
        EnvironmentType::Ephemeral => {}
    }
    if tenant.is_some() {
        return Err(Refusal::invalid(format!("The ephemeral environment '{}' cannot be deployed to for a tenant.", name())));
    }
    let now = state.ephemeral.state(environment, project);
    if state.ephemeral.leaving.contains(environment) || now == Some(ProvisionState::Deprovisioning) {
        return Err(Refusal::invalid(format!("The environment '{}' is being deprovisioned.", name())));
    }
    if let Some(runbook) = runbook_of(state, project, "ProvisioningRunbookId").filter(|_| must_be_provisioned(now)) {
        let doc = state.store.of("runbooks").get(&runbook).ok_or_else(|| Refusal::missing(&runbook))?;
        if str_of(doc, "PublishedRunbookSnapshotId").is_empty() {
            let why = format!("The provisioning runbook '{}' has no published snapshot.", str_of(doc, "Name"));
            return Err(Refusal::invalid(why));
        }
    }
    Ok(())
}

fn must_be_provisioned(now: Option<ProvisionState>) -> bool {
    matches!(now, None | Some(ProvisionState::NotProvisioned | ProvisionState::Deprovisioned))
}

/// The runbook that a project names for provisioning or deprovisioning.
pub(crate) fn runbook_of(state: &State, project: &str, member: &str) -> Option<String> {
    state.store.of("projects").get(project).map(|doc| str_of(doc, member).to_owned()).filter(|id| !id.is_empty())
}

/// Keeps a deployment that was queued just now until its environment is provisioned for its project.
pub(crate) fn hold(state: &mut State, execution: usize) {
    let x = &state.executions[execution];
    let (task, key) = (x.task, (x.environment.clone(), x.project.clone()));
    if !matches!(x.what, What::Deploy { .. }) || parent_of(state, &key.0).is_none() {
        return;
    }
    let runbook = runbook_of(state, &key.1, "ProvisioningRunbookId");
    let one = state.ephemeral.by_key.entry(key).or_default();
    if must_be_provisioned(Some(one.state)) {
        if runbook.is_none() {
            one.state = ProvisionState::Provisioned;
            return;
        }
        one.state = ProvisionState::Provisioning;
        state.agenda.add(state.now, Due::Provision { execution });
    }
    if one.state == ProvisionState::Provisioning {
        one.waiting.push(task);
        state.tasks[task].eligible = Timestamp::MAX;
    }
}
