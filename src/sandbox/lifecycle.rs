//! Which release may go where: lifecycles, phases, defects (octopus-api.md §10.4).

use super::{
    answer::{str_of, texts},
    environment_types::{EnvironmentType, below, is_ephemeral},
    freezes,
    state::{State, TaskState, What},
};
use serde_json::Value;

/// A phase and how far a release has come in it.
#[derive(Default)]
pub(crate) struct Standing {
    pub(crate) id: Value,
    pub(crate) name: String,
    pub(crate) automatic: Vec<String>,
    pub(crate) optional: Vec<String>,
    pub(crate) minimum: u64,
    pub(crate) is_optional: bool,
    pub(crate) is_priority: bool,
    pub(crate) reachable: bool,
    pub(crate) complete: bool,
    pub(crate) blocked: bool,
    /// Environments with a success.
    pub(crate) done: Vec<String>,
}

impl Standing {
    /// Automatic and manual targets.
    pub(crate) fn environments(&self) -> impl Iterator<Item = &String> {
        self.automatic.iter().chain(&self.optional)
    }
}

/// Whose deployments count.
#[derive(Clone, Copy)]
pub(crate) enum Whose<'a> {
    Untenanted,
    Tenant(&'a str),
    Anybody,
}

/// The lifecycle a release follows: its channel's, else its project's.
pub(crate) fn lifecycle_of(state: &State, project: &str, channel: &str) -> String {
    let of =
        |kind: &'static str, id: &str| state.store.of(kind).get(id).map(|d| str_of(d, "LifecycleId").to_owned()).filter(|l| !l.is_empty());
    of("channels", channel).or_else(|| of("projects", project)).unwrap_or_default()
}

/// The static environments of a space in their order.
pub(crate) fn environments(state: &State, space: &str) -> Vec<String> {
    let is_meant = |e: &&Value| str_of(e, "SpaceId") == space && EnvironmentType::of(e) == EnvironmentType::Static;
    let mut all: Vec<&Value> = state.store.of("environments").iter().filter(is_meant).collect();
    all.sort_by_key(|e| e["SortOrder"].as_i64().unwrap_or(0));
    all.into_iter().map(|e| str_of(e, "Id").to_owned()).collect()
}

/// The environments a lifecycle leads to, in order.
pub(crate) fn lifecycle_environments(state: &State, space: &str, lifecycle: &str) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for phase in phases(state, space, lifecycle) {
        for e in phase.environments() {
            if !all.contains(e) {
                all.push(e.clone());
            }
        }
    }
    all
}

fn phases(state: &State, space: &str, lifecycle: &str) -> Vec<Standing> {
    let all = environments(state, space);
    let listed = state.store.of("lifecycles").get(lifecycle).and_then(|l| l["Phases"].as_array()).cloned().unwrap_or_default();
    if listed.is_empty() {
        return all
            .iter()
            .map(|e| Standing { optional: vec![e.clone()], name: state.store.name("environments", e), ..Standing::default() })
            .collect();
    }
    let mut used: Vec<String> = Vec::new();
    let mut phases = Vec::new();
    for phase in &listed {
        let mut s = Standing {
            id: phase["Id"].clone(),
            name: str_of(phase, "Name").to_owned(),
            automatic: texts(&phase["AutomaticDeploymentTargets"]),
            optional: texts(&phase["OptionalDeploymentTargets"]),
            minimum: phase["MinimumEnvironmentsBeforePromotion"].as_u64().unwrap_or(0),
            is_optional: phase["IsOptionalPhase"] == true,
            is_priority: phase["IsPriorityPhase"] == true,
            ..Standing::default()
        };
        if s.automatic.is_empty() && s.optional.is_empty() {
            s.optional = all.iter().filter(|e| !used.contains(e)).cloned().collect();
        }
        used.extend(s.environments().cloned().collect::<Vec<_>>());
        phases.push(s);
    }
    phases
}

/// The phases of releases of a channel. Those of a channel for ephemeral environments have one phase: the environments below its parent.
fn phases_of(state: &State, project: &str, channel: &str, space: &str) -> Vec<Standing> {
    match state.store.of("channels").get(channel).filter(|channel| is_ephemeral(channel)) {
        Some(channel) => {
            let parent = str_of(channel, "ParentEnvironmentId");
            let name = state.store.name("environments", parent);
            vec![Standing { name, optional: below(state, parent), ..Standing::default() }]
        }
        None => phases(state, space, &lifecycle_of(state, project, channel)),
    }
}

/// Where a release stands.
pub(crate) fn standing(state: &State, release: usize, whose: Whose<'_>) -> Vec<Standing> {
    let Some(r) = state.release(release) else { return Vec::new() };
    let mut all = phases_of(state, &r.project, &r.channel, &r.space);
    let connected: Option<Vec<String>> = match whose {
        Whose::Tenant(t) => state.store.of("tenants").get(t).map(|t| texts(&t["ProjectEnvironments"][&r.project])),
        _ => None,
    };
    let mine: Vec<&super::state::Execution> = state
        .by_release
        .get(&release)
        .map(|list| list.iter().map(|x| &state.executions[*x]).collect::<Vec<_>>())
        .unwrap_or_default()
        .into_iter()
        .filter(|x| match whose {
            Whose::Untenanted => x.tenant.is_none(),
            Whose::Tenant(t) => x.tenant.as_deref() == Some(t),
            Whose::Anybody => true,
        })
        .collect();
    let defect = r.defects.iter().any(|(_, resolved)| !resolved);
    let mut reachable = true;
    for (i, phase) in all.iter_mut().enumerate() {
        if let Some(connected) = &connected {
            phase.automatic.retain(|e| connected.contains(e));
            phase.optional.retain(|e| connected.contains(e));
        }
        let targets: Vec<String> = phase.environments().cloned().collect();
        phase.done = targets
            .iter()
            .filter(|e| mine.iter().any(|x| x.environment == **e && state.tasks[x.task].state == TaskState::Success))
            .cloned()
            .collect();
        let needed = if phase.minimum == 0 { targets.len() } else { (phase.minimum as usize).min(targets.len()) };
        phase.complete = phase.done.len() >= needed;
        phase.reachable = reachable;
        phase.blocked = defect && phase.done.is_empty() && !(i == 0 && mine.is_empty());
        reachable &= phase.complete || phase.is_optional;
    }
    all
}

/// The environments a release may be deployed to now.
pub(crate) fn allowed(state: &State, release: usize, tenant: Option<&str>) -> Vec<String> {
    let whose = tenant.map_or(Whose::Untenanted, Whose::Tenant);
    let mut list = Vec::new();
    for phase in standing(state, release, whose).iter().filter(|p| p.reachable && !p.blocked) {
        for e in phase.environments() {
            if !list.contains(e) {
                list.push(e.clone());
            }
        }
    }
    list
}

/// The environments that come next: reachable, not blocked, not yet done.
pub(crate) fn next(standing: &[Standing]) -> Vec<String> {
    let mut list: Vec<String> = Vec::new();
    for phase in standing.iter().filter(|p| p.reachable && !p.blocked && !p.complete) {
        list.extend(phase.environments().filter(|e| !phase.done.contains(e)).cloned());
    }
    list
}

/// Whether the phase of an environment has priority.
pub(crate) fn has_priority(state: &State, project: &str, channel: &str, space: &str, environment: &str) -> bool {
    phases_of(state, project, channel, space).iter().any(|p| p.is_priority && p.environments().any(|e| e == environment))
}

/// The checks that are made once more when a task starts (octopus-api.md §10.4 rule 10).
pub(crate) fn may_start(state: &State, execution: usize) -> Result<(), String> {
    let x = &state.executions[execution];
    let What::Deploy { release, .. } = x.what else { return Ok(()) };
    let Some(r) = state.release(release) else { return Err("The release was deleted.".into()) };
    if !allowed(state, release, x.tenant.as_deref()).contains(&x.environment) {
        return Err(not_allowed(state, release, &x.environment, &r.version));
    }
    match freezes::active(state, &x.project, &x.environment, x.tenant.as_deref()).iter().find(|(id, _)| !x.overridden.contains(id)) {
        Some((_, name)) => Err(format!("The deployment could not start because of the active deployment freeze '{name}'.")),
        None => Ok(()),
    }
}

/// Why a release may not go to an environment.
pub(crate) fn not_allowed(state: &State, release: usize, environment: &str, version: &str) -> String {
    let project = state.release(release).map(|r| state.store.name("projects", &r.project)).unwrap_or_default();
    let environment = state.store.name("environments", environment);
    format!(
        "Release '{version}' of project '{project}' cannot be deployed to environment '{environment}' because it is not in the list of environments that this release can be deployed to. This may be because a required environment must be deployed to first, because the release is blocked, or because the lifecycle does not include it."
    )
}
