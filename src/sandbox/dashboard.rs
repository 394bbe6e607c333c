//! The dashboards: which release is where (octopus-api.md §23).

use super::{
    access::Thing,
    answer::{Answer, Ask, Handled, Refusal, str_of},
    collection::noun_of,
    lifecycle,
    state::{State, TaskState, What, stamp, stamp_or_null},
};
use serde_json::{Value, json};
use std::collections::HashMap;

/// A deployment as dashboards and progressions show it.
pub(crate) fn item(state: &State, index: usize) -> Value {
    let x = &state.executions[index];
    let t = &state.tasks[x.task];
    let What::Deploy { release, channel } = &x.what else { return Value::Null };
    let (rid, task) = (super::releases::id(*release), format!("ServerTasks-{}", x.task + 1));
    let slot = state.slots.get(&(x.project.clone(), x.environment.clone(), x.tenant.clone()));
    let current = slot.and_then(|s| s.iter().rev().find(|i| !state.executions[**i].deleted)) == Some(&index);
    let pending = t.interruption.map(|i| if state.interruptions[i].guided { "GuidedFailure" } else { "ManualIntervention" });
    let s = &x.space;
    let mut doc = json!({
        "Id": x.id, "ProjectId": x.project, "EnvironmentId": x.environment, "TenantId": x.tenant, "ReleaseId": rid,
        "ReleaseVersion": state.release(*release).map(|r| &r.version), "ChannelId": channel, "DeploymentId": x.id, "TaskId": task, "State": t.state.name(),
        "Created": stamp(x.created), "QueueTime": stamp(t.queued), "StartTime": stamp_or_null(t.started), "CompletedTime": stamp_or_null(t.completed),
        "Duration": super::tasks::duration(state, t),
        "IsCurrent": current, "IsPrevious": false, "IsCompleted": t.state.is_completed(),
        "HasPendingInterruptions": pending.is_some(), "PendingInterruptionTypes": pending.into_iter().collect::<Vec<_>>(),
        "HasPendingPreconditions": false, "PendingPreconditionTypes": [], "HasWarningsOrErrors": t.warnings, "ErrorMessage": t.error,
        "Links": {"Self": format!("/api/{s}/deployments/{}", x.id), "Release": format!("/api/{s}/releases/{rid}"), "Task": format!("/api/tasks/{task}")},
    });
    if let Some(tenant) = &x.tenant {
        doc["Links"]["Tenant"] = json!(format!("/api/{s}/tenants/{tenant}"));
    }
    doc
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
        items.push(item(state, current));
        let is_success = |i: &usize| state.tasks[state.executions[*i].task].state == TaskState::Success;
        if previous
            && !is_success(&current)
            && let Some(last) = newest.find(is_success)
        {
            let mut doc = item(state, last);
            doc["IsPrevious"] = json!(true);
            before.push(doc);
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
    let project_docs: Vec<Value> = projects
        .iter()
        .map(|p| {
            let id = str_of(p, "Id");
            let (reach, connected) = (reach.get(str_of(p, "LifecycleId")), connected.get(id).map_or(&[][..], Vec::as_slice));
            json!({"Id": id, "Name": p["Name"], "Slug": p["Slug"], "ProjectGroupId": p["ProjectGroupId"], "EnvironmentIds": reach, "TenantIds": connected, "IsDisabled": p["IsDisabled"], "TenantedDeploymentMode": p["TenantedDeploymentMode"], "CanPerformUntenantedDeployment": str_of(p, "TenantedDeploymentMode") != "Tenanted", "Links": {"Self": format!("/api/{space}/projects/{id}")}})
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
    Answer::ok(json!({
        "Projects": project_docs, "ProjectGroups": groups, "Environments": environment_docs, "Tenants": tenant_docs, "Items": items, "PreviousItems": before,
        "ProjectLimit": null, "IsFiltered": !wanted.is_empty() || !environments.is_empty(), "Links": {"Self": format!("/api/{space}/dashboard")},
    }))
}
