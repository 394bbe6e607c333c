//! Parent environments: the scope of ephemeral environments, and when these are removed (octopus-api.md §10.7).

use super::{
    access::Thing,
    answer::{Answer, Ask, Handled, Refusal, str_of},
    environment_types::{ENVIRONMENTS, EnvironmentType, below, called, checked},
    ephemeral::{idle_limit, look_after},
    routing::{Endpoint, Of, Whole, delete, get, post, put},
    state::State,
    store::{Document, slug},
    world::server_version::Generation,
};
use serde_json::{Value, json};
use std::sync::Arc;

/// What makes a parent environment.
const PARENT: &[&str] = &["Name", "Slug", "Description", "UseGuidedFailure", "AutomaticDeprovisioningRule"];

#[rustfmt::skip]
pub(crate) const ENDPOINTS: &[Endpoint] = &[
    post("S/parentEnvironments", "EnvironmentCreate", &Whole(create)).since(Generation::V2026_1).takes(&[PARENT]),
    get("S/parentEnvironments/{id}", "EnvironmentView", &Of(find, |_, _, parent| Answer::ok(shown(&parent)))).since(Generation::V2026_1),
    put("S/parentEnvironments/{id}", "EnvironmentEdit", &Of(find, change)).since(Generation::V2026_1).takes(&[PARENT, &["EnvironmentId", "SortOrder"]]),
    delete("S/parentEnvironments/{id}", "EnvironmentDelete", &Of(find, remove)).since(Generation::V2026_1),
];

/// When environments below a parent are removed, where nobody says anything.
pub(crate) fn usual_rule() -> Value {
    json!({"ExpiryDays": 7, "ExpiryHours": 0})
}

fn find(state: &State, ask: &Ask, id: &str) -> Result<Arc<Document>, Refusal> {
    let found = state.store.find(ENVIRONMENTS.path, Some(&state.space_of(ask)), id).filter(|doc| state.sees(ENVIRONMENTS, doc));
    found.filter(|doc| EnvironmentType::of(doc) == EnvironmentType::Parent).cloned().ok_or_else(|| Refusal::missing(id))
}

fn shown(parent: &Value) -> Value {
    let mut doc = json!({});
    for member in ["Id", "SpaceId", "Name", "Slug", "Description", "SortOrder", "UseGuidedFailure"] {
        doc[member] = parent[member].clone();
    }
    doc["AutomaticDeprovisioningRule"] = parent["_Rule"].clone();
    doc
}

/// The rule that a body gives; null: environments stay for ever.
fn rule(ask: &Ask, otherwise: Value) -> Result<Value, Refusal> {
    let is_said = ask.has("AutomaticDeprovisioningRule");
    let sent = ask.field("AutomaticDeprovisioningRule");
    if !is_said || sent.is_null() {
        return Ok(if is_said { Value::Null } else { otherwise });
    }
    let number = |member: &str| super::answer::field(sent, member).as_i64().unwrap_or(0);
    let (days, hours) = (number("ExpiryDays"), number("ExpiryHours"));
    if days < 0 || hours < 0 || days + hours == 0 || days > 36_500 || hours > 876_000 {
        return Err(Refusal::invalid("The automatic deprovisioning rule must be a time after which environments expire."));
    }
    Ok(json!({"ExpiryDays": days, "ExpiryHours": hours}))
}

fn create(state: &mut State, ask: &Ask) -> Handled {
    let space = state.space_of(ask);
    state.demand("EnvironmentCreate", &Thing { space: Some(&space), ..Thing::default() })?;
    let name = free_name(state, &space, &ask.need("Name")?, None)?;
    let id = state.store.next_id(ENVIRONMENTS.prefix);
    let mut doc = json!({
        "Id": id, "SpaceId": space, "Name": name, "Slug": ask.text("Slug").unwrap_or_else(|| slug(&name)), "Description": ask.text("Description"),
        "UseGuidedFailure": ask.field("UseGuidedFailure") == true, "_Type": EnvironmentType::Parent.name(), "_Rule": rule(ask, usual_rule())?,
    });
    state.complete(ENVIRONMENTS.path, &mut doc);
    state.store.of_mut(ENVIRONMENTS.path).put(doc);
    state.event("Created", &ask.user, format!("Environment {name} was created"), vec![id.clone()], Some(space));
    Answer::created(json!({ "Id": id }))
}

/// A name that no other environment of the space has.
fn free_name(state: &State, space: &str, name: &str, own: Option<&str>) -> Result<String, Refusal> {
    let name = checked(name)?;
    let other = called(state, space, &name).filter(|doc| own.is_none_or(|own| str_of(doc, "Id") != own));
    if other.is_some() {
        return Err(Refusal::invalid(format!("The name '{name}' is already in use. Please choose a different name.")));
    }
    Ok(name)
}

fn change(state: &mut State, ask: &Ask, old: Arc<Document>) -> Handled {
    state.demand("EnvironmentEdit", &Thing::of(ENVIRONMENTS, &old))?;
    let id = str_of(&old, "Id").to_owned();
    if !ask.need("EnvironmentId")?.eq_ignore_ascii_case(&id) {
        return Err(Refusal::invalid("The EnvironmentId is not that of the path."));
    }
    let name = free_name(state, str_of(&old, "SpaceId"), &ask.need("Name")?, Some(&id))?;
    let mut doc = Value::clone(&old);
    doc["_Rule"] = rule(ask, old["_Rule"].clone())?;
    doc["Name"] = json!(name);
    doc["Description"] = json!(ask.text("Description").unwrap_or_default());
    doc["UseGuidedFailure"] = json!(ask.field("UseGuidedFailure") == true);
    if let Some(slug) = ask.text("Slug") {
        doc["Slug"] = json!(slug);
    }
    if ask.field("SortOrder").is_i64() {
        doc["SortOrder"] = ask.field("SortOrder").clone();
    }
    let answer = shown(&doc);
    state.event("Modified", &ask.user, format!("Environment {name} was changed"), vec![id.clone()], super::store::space_of(&doc));
    let limited = idle_limit(&doc).is_some();
    state.store.of_mut(ENVIRONMENTS.path).put(doc);
    if limited {
        for environment in below(state, &id) {
            let now = state.now;
            look_after(state, &environment, now);
        }
    }
    Answer::ok(answer)
}

fn remove(state: &mut State, ask: &Ask, parent: Arc<Document>) -> Handled {
    state.demand("EnvironmentDelete", &Thing::of(ENVIRONMENTS, &parent))?;
    let (id, name) = (str_of(&parent, "Id").to_owned(), str_of(&parent, "Name"));
    let is_used = state.store.of("channels").iter().any(|channel| str_of(channel, "ParentEnvironmentId") == id);
    if is_used || !below(state, &id).is_empty() {
        return Err(Refusal::invalid(format!("The parent environment '{name}' cannot be deleted: environments or channels use it.")));
    }
    state.store.of_mut(ENVIRONMENTS.path).remove(&id);
    state.event("Deleted", &ask.user, format!("Environment {name} was deleted"), vec![id], super::store::space_of(&parent));
    Answer::ok(json!({}))
}
