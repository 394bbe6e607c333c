//! The dashboards: which release is where (octopus-api.md §23).

use super::{
    access::Thing,
    answer::{Answer, Ask, Handled, entries, str_of},
    environment_types::{EnvironmentType, parent_of, type_of},
    lifecycle,
    nouns::noun_of,
    routing::{Endpoint, Whole, get},
    state::{Execution, Numbered, Release, State, Task, TaskState, What, number, stamp},
    store::Document,
};
use jiff::Timestamp;
use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::{Value, json};
use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

/// A deployment as dashboards and progressions show it. Dashboards can have tens of thousands: they are written out from
/// this, without a document in between.
struct Item {
    x: Arc<Execution>,
    task: Arc<Task>,
    release: Arc<Option<Release>>,
    release_id: Numbered,
    channel: String,
    pending: Option<&'static str>,
    now: Timestamp,
    rank: Rank,
}

/// Which of the deployments to a place one is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rank {
    Current,
    Previous,
    Older,
}

impl Item {
    /// None for a run of a runbook.
    fn of(state: &State, index: usize, rank: Rank) -> Option<Self> {
        let x = state.executions.share(index);
        let What::Deploy { release, channel } = &x.what else { return None };
        let task = state.tasks.share(x.task);
        let pending = task.interruption.map(|i| state.interruptions[i].kind.name());
        let (release_id, channel) = (Numbered("Releases-", *release), channel.clone());
        Some(Self { release: state.releases.share(*release), release_id, channel, pending, now: state.now, rank, task, x })
    }
}

impl Serialize for Item {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let (x, t) = (&*self.x, &*self.task);
        let mut map = to.serialize_map(None)?;
        entries!(map;
            "Id": x.id, "ProjectId": x.project, "EnvironmentId": x.environment, "TenantId": x.tenant, "ReleaseId": self.release_id,
            "ReleaseVersion": self.release.as_ref().as_ref().map(|r| &r.version), "ChannelId": self.channel, "DeploymentId": x.id,
            "TaskId": Numbered("ServerTasks-", x.task), "State": t.state.name(), "Created": stamp(x.created), "QueueTime": stamp(t.queued),
            "StartTime": t.started.map(stamp), "CompletedTime": t.completed.map(stamp), "Duration": super::tasks::duration(self.now, t),
            "IsCurrent": self.rank == Rank::Current, "IsPrevious": self.rank == Rank::Previous, "IsCompleted": t.state.is_completed(),
            "HasPendingInterruptions": self.pending.is_some(), "PendingInterruptionTypes": self.pending.as_slice(),
            "HasPendingPreconditions": false, "PendingPreconditionTypes": [(); 0], "HasWarningsOrErrors": t.warnings,
            "ErrorMessage": t.error, "Links": ItemLinks(self),
        );
        map.end()
    }
}

struct ItemLinks<'a>(&'a Item);

impl Serialize for ItemLinks<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let x = &*self.0.x;
        let s = &x.space;
        let mut map = to.serialize_map(None)?;
        entries!(map;
            "Self": format_args!("/api/{s}/deployments/{}", x.id), "Release": format_args!("/api/{s}/releases/{}", self.0.release_id),
            "Task": format_args!("/api/tasks/{}", Numbered("ServerTasks-", x.task)),
        );
        if let Some(tenant) = &x.tenant {
            entries!(map; "Tenant": format_args!("/api/{s}/tenants/{tenant}"));
        }
        map.end()
    }
}

/// A deployment as a document.
pub(crate) fn item(state: &State, index: usize) -> Value {
    let x = &state.executions[index];
    let slot = state.slots.get(&(x.project.clone(), x.environment.clone(), x.tenant.clone()));
    let current = slot.and_then(|s| s.iter().rev().find(|i| !state.executions[**i].deleted)) == Some(&index);
    let item = Item::of(state, index, if current { Rank::Current } else { Rank::Older });
    serde_json::to_value(item).unwrap_or_default()
}

/// A project in its row of the dashboard.
struct Row {
    project: Arc<Document>,
    environments: Option<Arc<Vec<String>>>,
    tenants: Vec<String>,
}

impl Serialize for Row {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let p = &self.project;
        let mode = str_of(p, "TenantedDeploymentMode");
        let mut map = to.serialize_map(None)?;
        entries!(map;
            "Id": p["Id"], "Name": p["Name"], "Slug": p["Slug"], "ProjectGroupId": p["ProjectGroupId"], "EnvironmentIds": self.environments.as_deref(),
            "TenantIds": self.tenants, "IsDisabled": p["IsDisabled"], "TenantedDeploymentMode": mode,
            "CanPerformUntenantedDeployment": mode != "Tenanted",
            "Links": json!({"Self": format!("/api/{}/projects/{}", str_of(p, "SpaceId"), str_of(p, "Id"))}),
        );
        map.end()
    }
}

/// The whole; everything but its two long lists is a document.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Board {
    projects: Vec<Row>,
    items: Vec<Item>,
    previous_items: Vec<Item>,
    #[serde(flatten)]
    rest: Value,
}

#[rustfmt::skip]
pub(crate) const ENDPOINTS: &[Endpoint] = &[
    get("S/dashboard", "DeploymentView", &Whole(|state, ask| board(state, ask, true))),
    get("S/dashboard/dynamic", "DeploymentView", &Whole(|state, ask| board(state, ask, ask.flag("includePrevious") == Some(true)))),
    get("S/dashboardconfiguration", "", &Whole(|state, ask| Answer::ok(
        json!({"Id": format!("dashboardconfiguration-{}", ask.user), "SpaceId": state.space_of(ask), "IncludedProjectGroupIds": [], "IncludedProjectIds": [], "IncludedProjectTags": [], "IncludedEnvironmentIds": [], "IncludedEnvironmentTags": [], "IncludedTenantIds": [], "IncludedTenantTags": [], "ProjectLimit": null, "Links": {"Self": format!("/api/{}/dashboardconfiguration", state.space_of(ask))}}),
    ))).partly("nobody has chosen anything"),
];

/// The dashboard; `previous` are the successes before what is not one.
fn board(state: &State, ask: &Ask, previous: bool) -> Handled {
    let space = state.space_of(ask);
    let mut wanted = ask.list("projects");
    wanted.extend(ask.list("projectId"));
    let environments = ask.list("environments");
    let tenants = ask.list("selectedTenants");
    let release = ask.query("releaseId").and_then(|r| state.release_index(r));
    let has = |list: &[String], id: &str| list.is_empty() || list.iter().any(|l| l.eq_ignore_ascii_case(id));
    // As the server writes them, and in the order in which all are kept.
    let named: BTreeSet<String> = wanted.iter().filter_map(|p| number(p, "Projects-")).map(|n| format!("Projects-{n}")).collect();
    let of_one = |p: String| state.slots.range((p.clone(), String::new(), None)..).take_while(move |slot| slot.0.0 == p);
    let slots: Box<dyn Iterator<Item = _>> =
        if wanted.is_empty() { Box::new(state.slots.iter()) } else { Box::new(named.iter().cloned().flat_map(of_one)) };
    let (mut items, mut before) = (Vec::new(), Vec::new());
    for ((_, environment, tenant), list) in slots {
        // Ephemeral environments are shown to those who name them.
        if (environments.is_empty() && type_of(state, environment) != EnvironmentType::Static)
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
        items.extend(Item::of(state, current, Rank::Current));
        let is_success = |i: &usize| state.tasks[state.executions[*i].task].state == TaskState::Success;
        if previous
            && !is_success(&current)
            && let Some(last) = newest.find(is_success)
        {
            before.extend(Item::of(state, last, Rank::Previous));
        }
    }
    let by_name = |kind: &'static str, only: Option<&BTreeSet<String>>| {
        let here = |d: &&Arc<Document>| str_of(d, "SpaceId") == space && noun_of(kind).is_some_and(|noun| state.sees(noun, d));
        let docs = state.store.of(kind);
        let mut all: Vec<&Arc<Document>> = match only {
            Some(ids) => ids.iter().filter_map(|id| docs.document(id)).filter(here).collect(),
            None => docs.documents().filter(here).collect(),
        };
        all.sort_by_cached_key(|d| str_of(d, "Name").to_lowercase());
        all
    };
    let projects = by_name("projects", (!wanted.is_empty()).then_some(&named));
    let mut all_environments = lifecycle::environments(state, &space);
    all_environments.extend(environments.iter().filter(|e| parent_of(state, e).is_some()).cloned());
    let seen = |e: &str| state.allows("EnvironmentView", &Thing { space: Some(&space), environment: Some(e), ..Thing::default() });
    let shown: Vec<&String> = all_environments.iter().filter(|e| has(&environments, e) && seen(e)).collect();
    // Of each project: its tenants, and where its lifecycle leads; both looked up once, not once a project.
    let tenants = by_name("tenants", None);
    let mut connected: HashMap<&str, Vec<String>> = HashMap::new();
    for tenant in &tenants {
        for project in tenant["ProjectEnvironments"].as_object().into_iter().flat_map(|m| m.keys()) {
            connected.entry(project).or_default().push(str_of(tenant, "Id").to_owned());
        }
    }
    let mut reach: HashMap<&str, Arc<Vec<String>>> = HashMap::new();
    for p in &projects {
        let lifecycle = str_of(p, "LifecycleId");
        reach.entry(lifecycle).or_insert_with(|| lifecycle::lifecycle_environments(state, &space, lifecycle).into());
    }
    let rows = projects.into_iter().map(|p| Row {
        environments: reach.get(str_of(p, "LifecycleId")).cloned(),
        tenants: connected.remove(str_of(p, "Id")).unwrap_or_default(),
        project: Arc::clone(p),
    });
    let rows = rows.collect();
    let groups: Vec<Value> = by_name("projectgroups", None)
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
    let rest = json!({
        "ProjectGroups": groups, "Environments": environment_docs, "Tenants": tenant_docs, "ProjectLimit": null,
        "IsFiltered": !wanted.is_empty() || !environments.is_empty(), "Links": {"Self": format!("/api/{space}/dashboard")},
    });
    Answer::ok(Board { projects: rows, items, previous_items: before, rest })
}
