//! Environments and worker pools: what is in them.

use super::{
    answer::{Answer, Ask, Handled, str_of, text, texts},
    collection,
    nouns::{Noun, named},
    pages::page,
    routing::{By, EMPTY, Endpoint, LINK, Whole, absent, get, put},
    state::State,
    store::present,
    world::server_version::Generation,
};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

const ENVIRONMENTS: &Noun = named("environments");
const MACHINES: &Noun = named("machines");
const NOBODY_WORKS: &str = "deployment targets do not work";

#[rustfmt::skip]
pub(crate) const ENDPOINTS: &[Endpoint] = &[
    put("S/environments/sortorder", "EnvironmentEdit", &Whole(|state, ask| collection::sort(state, ask, ENVIRONMENTS))).of_list(),
    put("S/tagsets/sortorder", "TagSetEdit", &Whole(|state, ask| collection::sort(state, ask, named("tagsets")))).of_list(),
    get("S/environments/{id}/machines", "MachineView", &By(|state, ask, [id]| members(state, ask, MACHINES, "EnvironmentIds", id))),
    get("S/workerpools/{id}/workers", "WorkerView", &By(|state, ask, [id]| members(state, ask, named("workers"), "WorkerPoolIds", id))),
    get("S/machineroles/all", "MachineView", &Whole(|state, ask| {
        let space = state.space_of(ask);
        let machines = state.store.of("machines").iter().filter(|m| str_of(m, "SpaceId") == space);
        Answer::ok(machines.flat_map(|m| texts(&m["Roles"])).collect::<BTreeSet<_>>())
    })),
    get("S/useronboarding", "", &Whole(|_, _| Answer::ok(json!({"Tasks": [], "Links": {}})))).partly(EMPTY),
    get("S/environments/summary", "EnvironmentView", &Whole(|state, ask| summary(state, ask))),
    get("S/environments/v2", "EnvironmentView", &Whole(|state, ask| all_kinds(state, ask))).partly("static environments only").since(Generation::V2026_1),
    absent("GET", "S/environments/{id}/metadata", LINK),
    absent("GET", "S/environments/{id}/singlyScopedVariableDetails", LINK),
    absent("GET", "S/machines/{id}/singlyScopedVariableDetails", LINK),
    absent("GET", "S/machines/{id}/tasks", NOBODY_WORKS),
    absent("GET", "S/machines/{id}/connection", NOBODY_WORKS),
];

/// The documents of a kind that name `id` in a list of theirs.
fn members(state: &State, ask: &Ask, noun: &'static Noun, key: &str, id: &str) -> Handled {
    let found = collection::select(state, noun, ask, |m| texts(&m[key]).iter().any(|x| x.eq_ignore_ascii_case(id)));
    Answer::ok(page(ask, noun.item, &found, |d| d.shown()))
}

fn summary(state: &State, ask: &Ask) -> Handled {
    let all: Vec<&Value> = state.store.of("machines").iter().collect();
    let one = |e: &Value| {
        let is_there = |m: &&Value| texts(&m["EnvironmentIds"]).iter().any(|x| x == str_of(e, "Id"));
        let mut doc = counts(&all.iter().copied().filter(is_there).collect::<Vec<_>>());
        doc["Environment"] = present(ENVIRONMENTS, e);
        doc["MachineIdsForTentacleUpgrade"] = json!([]);
        doc
    };
    let mut doc = counts(&all);
    doc["EnvironmentSummaries"] = collection::select(state, ENVIRONMENTS, ask, |_| true).into_iter().map(|e| one(e)).collect();
    Answer::ok(doc)
}

fn all_kinds(state: &State, ask: &Ask) -> Handled {
    let wanted = text(&ask.body, "type").or_else(|| ask.query("type").map(str::to_owned));
    let found = collection::select(state, ENVIRONMENTS, ask, |_| wanted.as_deref().is_none_or(|t| t == "Static"));
    Answer::ok(page(ask, ENVIRONMENTS.item, &found, |d| {
        let mut doc = present(ENVIRONMENTS, d);
        doc["Type"] = json!("Static");
        doc
    }))
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
