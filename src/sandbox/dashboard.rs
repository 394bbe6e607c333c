//! The dashboards: which release is where (octopus-api.md §23).

use super::{
    access::Thing,
    answer::{Answer, Ask, Handled, Refusal, str_of},
    collection::noun_of,
    lifecycle,
    state::{State, TaskState, What, stamp},
};
use serde::{Serialize, Serializer};
use serde_json::{Value, json};
use std::{collections::HashMap, fmt};

/// A deployment as dashboards and progressions show it. Dashboards can have tens of thousands: they are written out from
/// this, without a document in between.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Item<'a> {
    id: &'a str,
    project_id: &'a str,
    environment_id: &'a str,
    tenant_id: Option<&'a str>,
    release_id: Numbered,
    release_version: Option<&'a str>,
    channel_id: &'a str,
    deployment_id: &'a str,
    task_id: Numbered,
    state: &'static str,
    created: String,
    queue_time: String,
    start_time: Option<String>,
    completed_time: Option<String>,
    duration: String,
    is_current: bool,
    is_previous: bool,
    is_completed: bool,
    has_pending_interruptions: bool,
    pending_interruption_types: Vec<&'static str>,
    has_pending_preconditions: bool,
    pending_precondition_types: [(); 0],
    has_warnings_or_errors: bool,
    error_message: &'a str,
    links: ItemLinks<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ItemLinks<'a> {
    #[serde(rename = "Self")]
    own: Link<'a, &'a str>,
    release: Link<'a, Numbered>,
    task: Link<'a, Numbered>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant: Option<Link<'a, &'a str>>,
}

/// `Releases-7`: the id of what is seventh in its list.
#[derive(Clone, Copy)]
struct Numbered(&'static str, usize);

impl fmt::Display for Numbered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.0, self.1 + 1)
    }
}

impl Serialize for Numbered {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

/// Virtual directory, path up to the id, id.
struct Link<'a, I>(&'a str, String, I);

impl<I: fmt::Display> Serialize for Link<'_, I> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&format_args!("{}/api/{}/{}", self.0, self.1, self.2))
    }
}

/// Which of the deployments to a place one is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rank {
    Current,
    Previous,
    Older,
}

impl<'a> Item<'a> {
    /// None for a run of a runbook.
    fn of(state: &'a State, base: &'a str, index: usize, rank: Rank) -> Option<Self> {
        let x = &state.executions[index];
        let t = &state.tasks[x.task];
        let What::Deploy { release, channel } = &x.what else { return None };
        let (release_id, task_id) = (Numbered("Releases-", *release), Numbered("ServerTasks-", x.task));
        let pending: Vec<&str> = t
            .interruption
            .map(|i| if state.interruptions[i].guided { "GuidedFailure" } else { "ManualIntervention" })
            .into_iter()
            .collect();
        Some(Self {
            id: &x.id,
            project_id: &x.project,
            environment_id: &x.environment,
            tenant_id: x.tenant.as_deref(),
            release_id,
            release_version: state.release(*release).map(|r| r.version.as_str()),
            channel_id: channel,
            deployment_id: &x.id,
            task_id,
            state: t.state.name(),
            created: stamp(x.created),
            queue_time: stamp(t.queued),
            start_time: t.started.map(stamp),
            completed_time: t.completed.map(stamp),
            duration: super::tasks::duration(state, t),
            is_current: rank == Rank::Current,
            is_previous: rank == Rank::Previous,
            is_completed: t.state.is_completed(),
            has_pending_interruptions: !pending.is_empty(),
            pending_interruption_types: pending,
            has_pending_preconditions: false,
            pending_precondition_types: [],
            has_warnings_or_errors: t.warnings,
            error_message: &t.error,
            links: ItemLinks {
                own: Link(base, format!("{}/deployments", x.space), &x.id),
                release: Link(base, format!("{}/releases", x.space), release_id),
                task: Link(base, "tasks".into(), task_id),
                tenant: x.tenant.as_deref().map(|t| Link(base, format!("{}/tenants", x.space), t)),
            },
        })
    }
}

/// A deployment as a document.
pub(crate) fn item(state: &State, index: usize) -> Value {
    let x = &state.executions[index];
    let slot = state.slots.get(&(x.project.clone(), x.environment.clone(), x.tenant.clone()));
    let current = slot.and_then(|s| s.iter().rev().find(|i| !state.executions[**i].deleted)) == Some(&index);
    let item = Item::of(state, "", index, if current { Rank::Current } else { Rank::Older });
    serde_json::to_value(item).unwrap_or_default()
}

/// A project in its row of the dashboard.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Row<'a> {
    id: &'a str,
    name: &'a Value,
    slug: &'a Value,
    project_group_id: &'a Value,
    environment_ids: Option<&'a Vec<String>>,
    tenant_ids: &'a [&'a str],
    is_disabled: &'a Value,
    tenanted_deployment_mode: &'a str,
    can_perform_untenanted_deployment: bool,
    links: RowLinks<'a>,
}

#[derive(Serialize)]
struct RowLinks<'a> {
    #[serde(rename = "Self")]
    own: Link<'a, &'a str>,
}

/// The whole; everything but its two long lists is a document.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Board<'a> {
    projects: Vec<Row<'a>>,
    items: Vec<Item<'a>>,
    previous_items: Vec<Item<'a>>,
    #[serde(flatten)]
    rest: Value,
}

/// `dashboard`, `dashboard/dynamic`
pub(crate) fn route(state: &State, ask: &Ask, rest: &[&str]) -> Handled {
    let dynamic = match rest {
        [] => false,
        ["dynamic"] => true,
        _ => return Err(Refusal::not_simulated(&ask.method, &ask.path)),
    };
    let space = state.space_of(ask);
    let mut wanted = ask.list("projects");
    wanted.extend(ask.list("projectId"));
    let environments = ask.list("environments");
    let tenants = ask.list("selectedTenants");
    let release = ask.query("releaseId").and_then(|r| state.release_index(r));
    let previous = !dynamic || ask.flag("includePrevious") == Some(true);
    let has = |list: &[String], id: &str| list.is_empty() || list.iter().any(|l| l.eq_ignore_ascii_case(id));
    let base = state.plan.base_path.trim_end_matches('/');
    let (mut items, mut before) = (Vec::new(), Vec::new());
    for ((project, environment, tenant), list) in &state.slots {
        if !has(&wanted, project)
            || !has(&environments, environment)
            || (!tenants.is_empty() && !tenant.as_ref().is_some_and(|t| has(&tenants, t)))
        {
            continue;
        }
        let mut newest = list.iter().rev().copied().filter(|i| {
            let x = &state.executions[*i];
            !x.deleted
                && x.space == space
                && state.sees_execution(*i)
                && release.is_none_or(|r| matches!(x.what, What::Deploy { release, .. } if release == r))
        });
        let Some(current) = newest.next() else { continue };
        items.extend(Item::of(state, base, current, Rank::Current));
        let is_success = |i: &usize| state.tasks[state.executions[*i].task].state == TaskState::Success;
        if previous
            && !is_success(&current)
            && let Some(last) = newest.find(is_success)
        {
            before.extend(Item::of(state, base, last, Rank::Previous));
        }
    }
    let by_name = |kind: &'static str| {
        let here = |d: &&Value| str_of(d, "SpaceId") == space && noun_of(kind).is_some_and(|noun| state.sees(noun, d));
        let mut all: Vec<&Value> = state.store.of(kind).iter().filter(here).collect();
        all.sort_by_cached_key(|d| str_of(d, "Name").to_lowercase());
        all
    };
    let projects: Vec<&Value> = by_name("projects").into_iter().filter(|p| has(&wanted, str_of(p, "Id"))).collect();
    let all_environments = lifecycle::environments(state, &space);
    let seen = |e: &str| state.allows("EnvironmentView", &Thing { space: Some(&space), environment: Some(e), ..Thing::default() });
    let shown: Vec<&String> = all_environments.iter().filter(|e| has(&environments, e) && seen(e)).collect();
    // Of each project: its tenants, and where its lifecycle leads; both looked up once, not once a project.
    let tenants = by_name("tenants");
    let mut connected: HashMap<&str, Vec<&str>> = HashMap::new();
    for tenant in &tenants {
        for project in tenant["ProjectEnvironments"].as_object().into_iter().flat_map(|m| m.keys()) {
            connected.entry(project).or_default().push(str_of(tenant, "Id"));
        }
    }
    let mut reach: HashMap<&str, Vec<String>> = HashMap::new();
    for p in &projects {
        let lifecycle = str_of(p, "LifecycleId");
        reach.entry(lifecycle).or_insert_with(|| lifecycle::lifecycle_environments(state, &space, lifecycle));
    }
    let rows: Vec<Row<'_>> = projects
        .iter()
        .map(|p| {
            let (id, mode) = (str_of(p, "Id"), str_of(p, "TenantedDeploymentMode"));
            Row {
                id,
                name: &p["Name"],
                slug: &p["Slug"],
                project_group_id: &p["ProjectGroupId"],
                environment_ids: reach.get(str_of(p, "LifecycleId")),
                tenant_ids: connected.get(id).map_or(&[][..], Vec::as_slice),
                is_disabled: &p["IsDisabled"],
                tenanted_deployment_mode: mode,
                can_perform_untenanted_deployment: mode != "Tenanted",
                links: RowLinks { own: Link(base, format!("{space}/projects"), id) },
            }
        })
        .collect();
    let groups: Vec<Value> = by_name("projectgroups")
        .into_iter()
        .map(|g| json!({"Id": g["Id"], "Name": g["Name"], "EnvironmentIds": shown, "Links": {}}))
        .collect();
    let tenant_docs: Vec<Value> = tenants
        .iter()
        .map(|t| json!({"Id": t["Id"], "Name": t["Name"], "ProjectEnvironments": t["ProjectEnvironments"], "TenantTags": t["TenantTags"], "IsDisabled": t["IsDisabled"], "Links": {}}))
        .collect();
    let environment_docs: Vec<Value> = shown
        .iter()
        .map(|e| json!({"Id": e, "Name": state.store.name("environments", e), "Links": {"Self": format!("/api/{space}/environments/{e}")}}))
        .collect();
    let mut rest = json!({
        "ProjectGroups": groups, "Environments": environment_docs, "Tenants": tenant_docs, "ProjectLimit": null,
        "IsFiltered": !wanted.is_empty() || !environments.is_empty(), "Links": {"Self": format!("/api/{space}/dashboard")},
    });
    super::http::rebase(&mut rest, base);
    let board = Board { projects: rows, items, previous_items: before, rest };
    let bytes = serde_json::to_vec(&board).map_err(|e| Refusal::broken(&e))?;
    Ok(Answer::Bytes(200, "application/json; charset=utf-8".into(), bytes))
}
