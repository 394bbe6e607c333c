//! How far releases have come: of a project, and of one release.

use super::{
    answer::{Answer, Ask, str_of},
    dashboard, deployments, lifecycle,
    nouns::{Noun, PROJECTS, named},
    releases,
    routing::{Endpoint, Of, get},
    state::State,
    store::present,
    tasks,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const CHANNELS: &Noun = named("channels");

#[rustfmt::skip]
pub(crate) const ENDPOINTS: &[Endpoint] = &[
    get("S/projects/{id}/progression", "ProjectView", &Of(PROJECTS, |state, ask, project| Answer::ok(progression(state, ask, &project)))),
    get("S/progression/{id}", "ProjectView", &Of(PROJECTS, |state, ask, project| Answer::ok(progression(state, ask, &project)))),
    get("S/releases/{id}/progression", "ReleaseView", &Of(releases::find, |state, _, release| Answer::ok(of_release(state, release)))),
];

/// `progression/{project}` (octopus-api.md §13.2).
fn progression(state: &State, ask: &Ask, project: &Value) -> Value {
    let (project, space) = (str_of(project, "Id"), str_of(project, "SpaceId"));
    let count = ask.query("releaseHistoryCount").and_then(|n| n.parse::<usize>().ok()).unwrap_or(30);
    let named =
        |list: &[String]| json!(list.iter().map(|e| json!({"Id": e, "Name": state.store.name("environments", e)})).collect::<Vec<_>>());
    let (mut by_lifecycle, mut by_channel, mut all) = (BTreeMap::new(), BTreeMap::new(), Vec::<String>::new());
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
                "Release": releases::render(state, i), "Channel": channels.get(r.channel.as_str()).map(|c| present(CHANNELS, c)), "Deployments": items,
                "NextDeployments": lifecycle::next(&standing), "HasUnresolvedDefect": r.defects.iter().any(|d| !d.1), "ReleaseRetentionPeriod": null, "TentacleRetentionPeriod": null,
            }))
        })
        .collect();
    json!({"LifecycleEnvironments": by_lifecycle, "Environments": named(&all), "ChannelEnvironments": by_channel, "Releases": list, "Links": {}})
}

/// `GET releases/{id}/progression` (octopus-api.md §13.1).
fn of_release(state: &State, release: usize) -> Value {
    let all = lifecycle::standing(state, release, lifecycle::Whose::Anybody);
    let defect = state.release(release).is_some_and(|r| r.defects.iter().any(|(_, resolved)| !resolved));
    let mine = state.by_release.get(&release).cloned().unwrap_or_default();
    let next_ones = lifecycle::next(&all);
    let phases: Vec<Value> = all
        .iter()
        .map(|p| {
            let deployments: Vec<Value> = mine
                .iter()
                .rev()
                .filter(|x| {
                    p.environments().any(|e| *e == state.executions[**x].environment)
                        && !state.executions[**x].deleted
                        && state.sees_execution(**x)
                })
                .map(|x| json!({"Task": tasks::render(state, state.executions[*x].task), "Deployment": deployments::render(state, *x)}))
                .collect();
            json!({
                "Id": p.id, "Name": p.name, "Blocked": p.blocked,
                "Progress": if p.complete { "Complete" } else if p.reachable { "Current" } else { "Pending" },
                "Deployments": deployments, "AutomaticDeploymentTargets": p.automatic, "OptionalDeploymentTargets": p.optional,
                "MinimumEnvironmentsBeforePromotion": p.minimum, "IsOptionalPhase": p.is_optional, "IsPriorityPhase": p.is_priority,
            })
        })
        .collect();
    json!({
        "Phases": phases, "NextDeployments": next_ones, "NextDeploymentsMinimumRequired": 0, "HasUnresolvedDefect": defect,
        "ReleaseRetentionPeriod": null, "TentacleRetentionPeriod": null, "Links": {},
    })
}
