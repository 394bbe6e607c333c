//! Tags of deployment targets: which targets a deployment goes to, and what a preview offers (octopus-api.md §15).

use super::{
    answer::{Refusal, field, str_of, texts},
    state::{Execution, State, TargetSelection},
    world::server_version::Generation,
};
use serde_json::{Value, json};

/// The tag sets for deployment targets.
fn sets(state: &State) -> impl Iterator<Item = &Value> {
    state.store.of("tagsets").iter().filter(|set| texts(&set["Scopes"]).iter().any(|scope| scope == "Target"))
}

/// Their tags.
fn all(state: &State) -> impl Iterator<Item = &Value> {
    sets(state).flat_map(|set| set["Tags"].as_array().into_iter().flatten())
}

/// Whether a deployment target has one of these tags: it knows them by their plain names, among its roles.
fn has_one(state: &State, machine: &Value, ids: &[String]) -> bool {
    let roles = texts(&machine["Roles"]);
    let is_worn = |tag: &Value| {
        roles
            .iter()
            .any(|role| role.eq_ignore_ascii_case(str_of(tag, "Name")) || role.eq_ignore_ascii_case(str_of(tag, "CanonicalTagName")))
    };
    all(state).any(|tag| ids.iter().any(|id| id.eq_ignore_ascii_case(str_of(tag, "Id"))) && is_worn(tag))
}

/// The deployment targets that a request names by machines (ids that were looked up) and tags; the executions API names tags `Set/Tag`.
pub(crate) fn read(
    state: &State,
    body: &Value,
    renamed: bool,
    only: Vec<String>,
    without: Vec<String>,
) -> Result<TargetSelection, Refusal> {
    let [with, not, member] = if renamed {
        ["SpecificTargetTagNames", "ExcludedTargetTagNames", "CanonicalTagName"]
    } else {
        ["SpecificTargetTagIds", "ExcludedTargetTagIds", "Id"]
    };
    let tags = |name: &str| -> Result<Vec<String>, Refusal> {
        let given = texts(field(body, name));
        if !given.is_empty() && state.plan.version.generation < Generation::V2026_3 {
            return Err(Refusal::said(501, format!("The sandbox simulates `{name}` on servers of 2026.3 only.")));
        }
        let id_of = |tag: &String| {
            let found = all(state).find(|known| str_of(known, member).eq_ignore_ascii_case(tag));
            found
                .map(|known| str_of(known, "Id").to_owned())
                .ok_or_else(|| Refusal::invalid(format!("The target tag '{tag}' does not exist.")))
        };
        given.iter().map(id_of).collect()
    };
    Ok(TargetSelection { only, without, tags: tags(with)?, without_tags: tags(not)? })
}

/// The deployment targets of a deployment or run.
pub(crate) fn chosen<'s>(state: &'s State, x: &Execution) -> Vec<&'s Value> {
    let named = |list: &[String], machine: &Value| list.iter().any(|id| id.eq_ignore_ascii_case(str_of(machine, "Id")));
    let is_it = |machine: &&Value| {
        texts(&machine["EnvironmentIds"]).contains(&x.environment)
            && machine["IsDisabled"] != true
            && (x.targets.only.is_empty() || named(&x.targets.only, machine))
            && !named(&x.targets.without, machine)
            && (x.targets.tags.is_empty() || has_one(state, machine, &x.targets.tags))
            && (x.targets.without_tags.is_empty() || !has_one(state, machine, &x.targets.without_tags))
    };
    state.store.of("machines").iter().filter(is_it).collect()
}

/// What the log of a task says of deployment targets that were chosen by tags.
pub(crate) fn note(state: &State, x: &Execution) -> Option<(&'static str, String)> {
    if x.targets.tags.is_empty() && x.targets.without_tags.is_empty() {
        return None;
    }
    let names: Vec<&str> = chosen(state, x).into_iter().map(|machine| str_of(machine, "Name")).collect();
    Some(if names.is_empty() {
        ("Warning", "No deployment target has the tags that were chosen: steps run on no target.".to_owned())
    } else {
        ("Info", format!("Deployment targets chosen by tags: {}", names.join(", ")))
    })
}

/// `AvailableTagSets` of a preview's step: the tags that deployment targets of the environment have.
pub(crate) fn available(state: &State, environment: &str) -> Vec<Value> {
    let machines: Vec<&Value> = state
        .store
        .of("machines")
        .iter()
        .filter(|m| texts(&m["EnvironmentIds"]).iter().any(|e| e.eq_ignore_ascii_case(environment)))
        .collect();
    let is_worn = |tag: &&Value| machines.iter().any(|m| has_one(state, m, &[str_of(tag, "Id").to_owned()]));
    let of_set = |set: &Value| {
        let tags: Vec<Value> = set["Tags"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(is_worn)
            .map(|tag| json!({"TagId": tag["Id"], "TagName": tag["Name"], "SortOrder": tag["SortOrder"]}))
            .collect();
        (!tags.is_empty()).then(|| {
            json!({"TagSetId": set["Id"], "TagSetName": set["Name"], "TagSetType": set["Type"], "SortOrder": set["SortOrder"], "AvailableTags": tags})
        })
    };
    sets(state).filter_map(of_set).collect()
}
