//! Environments and worker pools: what is in them.

use super::{
    answer::{Answer, Ask, Handled, Refusal, Tell, str_of, texts},
    collection,
    environment_types::{ENVIRONMENTS, EnvironmentType, below, includes, is_ephemeral, shown},
    lifecycle,
    nouns::{Noun, PROJECTS, named},
    pages::{USUAL_TAKE, page, page_taking},
    routing::{By, EMPTY, Endpoint, LINK, Of, Whole, absent, delete, get, put},
    state::State,
    store::{Document, present},
    world::server_version::Generation,
};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

const MACHINES: &Noun = named("machines");
const NOBODY_WORKS: &str = "deployment targets do not work";

#[rustfmt::skip]
pub(crate) const ENDPOINTS: &[Endpoint] = &[
    put("S/environments/sortorder", "EnvironmentEdit", &Whole(|state, ask| collection::sort(state, ask, ENVIRONMENTS))).of_list(),
    put("S/tagsets/sortorder", "TagSetEdit", &Whole(|state, ask| collection::sort(state, ask, named("tagsets")))).of_list(),
    get("S/environments/{id}/machines", "MachineView", &By(|state, ask, [id]| members(state, ask, MACHINES, "EnvironmentIds", id, 20))),
    get("S/workerpools/{id}/workers", "WorkerView", &By(|state, ask, [id]| members(state, ask, named("workers"), "WorkerPoolIds", id, USUAL_TAKE))),
    get("S/machineroles/all", "MachineView", &Whole(|state, ask| {
        let space = state.space_of(ask);
        let machines = state.store.of("machines").iter().filter(|m| str_of(m, "SpaceId") == space);
        Answer::ok(machines.flat_map(|m| texts(&m["Roles"])).collect::<BTreeSet<_>>())
    })),
    get("S/useronboarding", "", &Whole(|_, _| Answer::ok(json!({"Tasks": [], "Links": {}})))).partly(EMPTY),
    get("S/environments/summary", "EnvironmentView", &Whole(|state, ask| summary(state, ask, false))),
    get("S/environments/summary/v2", "EnvironmentView", &Whole(|state, ask| summary(state, ask, true))).since(Generation::V2026_1),
    get("S/environments/v1", "EnvironmentView", &Whole(|state, ask| {
        let found = collection::listed(state, ask, ENVIRONMENTS, |_| true);
        Answer::ok(InMember("Environments", page_taking(ask, 10, ENVIRONMENTS.item, &found, |d| d.shown())))
    })),
    get("S/environments/v2", "EnvironmentView", &Whole(|state, ask| second_list(state, ask, |_| true))).since(Generation::V2026_1),
    get("S/environments/{id}/v2", "EnvironmentView", &Of(ENVIRONMENTS, |_, _, environment| Answer::ok(shown(&environment)))).since(Generation::V2026_1),
    put("S/environments/{id}", "EnvironmentEdit", &Of(ENVIRONMENTS, |state, ask, environment| {
        only_here(ask, &environment)?;
        collection::replace(state, ask, ENVIRONMENTS, environment)
    })).keeps(),
    delete("S/environments/{id}", "EnvironmentDelete", &Of(ENVIRONMENTS, |state, ask, environment| {
        only_here(ask, &environment)?;
        collection::remove(state, ask, ENVIRONMENTS, environment)
    })),
    get("S/projects/{id}/environments", "EnvironmentView", &Of(PROJECTS, |state, ask, project| {
        let usable = usable(state, &project);
        second_list(state, ask, |environment| usable.iter().any(|id| id == str_of(environment, "Id")))
    })).since(Generation::V2026_1),
    absent("GET", "S/environments/{id}/metadata", LINK),
    absent("GET", "S/environments/{id}/singlyScopedVariableDetails", LINK),
    absent("GET", "S/machines/{id}/singlyScopedVariableDetails", LINK),
    absent("GET", "S/machines/{id}/tasks", NOBODY_WORKS),
    absent("GET", "S/machines/{id}/connection", NOBODY_WORKS),
];

/// The documents of a kind that name `id` in a list of theirs, or its parent; `take` on a page where the request does not say.
fn members(state: &State, ask: &Ask, noun: &'static Noun, key: &str, id: &str, take: u64) -> Handled {
    let found = collection::select(state, noun, ask, |m| includes(state, &texts(&m[key]), id));
    Answer::ok(page_taking(ask, take, noun.item, &found, |d| d.shown()))
}

/// What an answer holds in one member.
struct InMember<T>(&'static str, T);

impl<T: Tell> Tell for InMember<T> {
    fn tell(&self, to: &mut Vec<u8>) -> serde_json::Result<()> {
        to.push(b'{');
        self.0.tell(to)?;
        to.push(b':');
        self.1.tell(to)?;
        to.push(b'}');
        Ok(())
    }
}

/// The environments of all types that a request asks for, in their order and ephemeral ones last.
fn of_all_types<'s>(state: &'s State, ask: &Ask, keep: impl Fn(&Value) -> bool) -> Result<Vec<&'s Arc<Document>>, Refusal> {
    let types = ask.list("type");
    let known = |name: &&String| !EnvironmentType::ALL.iter().any(|one| one.name().eq_ignore_ascii_case(name));
    if let Some(unknown) = types.iter().find(known) {
        return Err(Refusal::invalid(format!("The value '{unknown}' is not valid for type.")));
    }
    let types = ask.only("type");
    let is_meant = |doc: &Value| types.has(Some(EnvironmentType::of(doc).name())) && keep(doc);
    let mut found = collection::select(state, ENVIRONMENTS, ask, is_meant);
    found.sort_by_key(|doc| EnvironmentType::of(doc) == EnvironmentType::Ephemeral);
    Ok(found)
}

/// A list of the second version: without links.
fn second_list(state: &State, ask: &Ask, keep: impl Fn(&Value) -> bool) -> Handled {
    ask.need_query("skip").and(ask.need_query("take"))?;
    let found = of_all_types(state, ask, keep)?;
    let mut page = page(ask, ENVIRONMENTS.item, &found, |doc| shown(doc));
    page.rest.clear();
    Answer::ok(page)
}

/// The environments that a project can use: those of its lifecycles, the parents of its channels and what is below these [U].
fn usable(state: &State, project: &Value) -> Vec<String> {
    let (id, space) = (str_of(project, "Id"), str_of(project, "SpaceId"));
    let mut all = Vec::new();
    for channel in state.store.of("channels").with("ProjectId", id) {
        if is_ephemeral(channel) {
            let parent = str_of(channel, "ParentEnvironmentId");
            all.push(parent.to_owned());
            all.extend(below(state, parent));
        } else {
            let lifecycle = lifecycle::lifecycle_of(state, id, str_of(channel, "Id"));
            all.extend(lifecycle::lifecycle_environments(state, space, &lifecycle));
        }
    }
    all
}

/// Refuses to change a parent or an ephemeral environment where the type of an environment is not known.
fn only_here(ask: &Ask, environment: &Value) -> Result<(), Refusal> {
    match EnvironmentType::of(environment) {
        EnvironmentType::Static => Ok(()),
        EnvironmentType::Parent => Err(Refusal::absent(&ask.method, &ask.path, "a parent environment is changed at parentEnvironments")),
        EnvironmentType::Ephemeral => {
            let why = "an ephemeral environment is not changed, and removed by its deprovisioning";
            Err(Refusal::absent(&ask.method, &ask.path, why))
        }
    }
}

fn summary(state: &State, ask: &Ask, is_second: bool) -> Handled {
    if is_second && ask.query("targetTags").is_some() {
        return Err(Refusal::absent(&ask.method, &ask.path, "tags of deployment targets are not known here"));
    }
    let all: Vec<&Value> = state.store.of("machines").iter().collect();
    let one = |e: &Value| {
        let is_there = |m: &&Value| includes(state, &texts(&m["EnvironmentIds"]), str_of(e, "Id"));
        let mut doc = counts(&all.iter().copied().filter(is_there).collect::<Vec<_>>());
        doc["Environment"] = if is_second { shown(e) } else { present(ENVIRONMENTS, e) };
        doc["MachineIdsForTentacleUpgrade"] = json!([]);
        doc
    };
    let mut doc = counts(&all);
    let tags = ask.only("environmentTags");
    let found = if is_second {
        of_all_types(state, ask, |e| tags.has_any(texts(&e["EnvironmentTags"]).iter()))?
    } else {
        collection::listed(state, ask, ENVIRONMENTS, |_| true)
    };
    doc["EnvironmentSummaries"] = found.into_iter().map(|e| one(e)).collect();
    Answer::ok(doc)
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
