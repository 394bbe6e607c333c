//! Tenants: tags, variables, and what is asked about them.

use super::{
    access::Thing,
    answer::{Answer, Ask, Handled, Refusal, field, str_of, texts},
    collection,
    environment_types::only_static,
    nouns::{Noun, named},
    routing::{EMPTY, Endpoint, Of, Whole, get, post, put},
    state::State,
    store::Document,
    tags,
    world::server_version::Generation,
};
use serde_json::{Value, json};
use std::sync::Arc;

const TENANTS: &Noun = named("tenants");

#[rustfmt::skip]
pub(crate) const ENDPOINTS: &[Endpoint] = &[
    get("S/tenants/tag-test", "TenantView", &Whole(|state, ask| Answer::ok(tag_test(state, ask)))),
    get("S/tenants/variables-missing", "TenantView", &Whole(|_, _| Answer::ok([(); 0]))).partly(EMPTY),
    get("S/tenants/status", "", &Whole(|_, _| Answer::ok(json!({"Enabled": true, "Links": {}})))),
    post("S/tenants", "TenantCreate", &Whole(|state, ask| {
        only_static(state, environments_of(&ask.body), "tenant")?;
        collection::create(state, ask, TENANTS, |_, _, _| {})
    })).keeps(),
    put("S/tenants/{id}", "TenantEdit", &Of(TENANTS, |state, ask, tenant| {
        only_static(state, environments_of(&ask.body), "tenant")?;
        collection::replace(state, ask, TENANTS, tenant)
    })).keeps(),
    get("S/tenants/{id}/variables", "VariableView", &Of(TENANTS, |state, _, tenant| Answer::ok(variables(state, &tenant)))),
    put("S/tenants/{id}/variables", "VariableEdit", &Of(TENANTS, put_variables)).keeps(),
    post("S/tenants/{id}/variables", "VariableEdit", &Of(TENANTS, put_variables)).keeps(),
    get("S/tenants/{id}/commonvariables", "VariableView", &Of(TENANTS, no_variables)).partly(EMPTY),
    get("S/tenants/{id}/projectvariables", "VariableView", &Of(TENANTS, no_variables)).partly(EMPTY),
    get("S/tenantvariables/all", "VariableView", &Whole(|state, ask| Answer::ok(all_variables(state, ask)))),
];

/// The environments that are sent for the projects of a tenant.
fn environments_of(body: &Value) -> Vec<String> {
    field(body, "ProjectEnvironments").as_object().into_iter().flatten().flat_map(|(_, environments)| texts(environments)).collect()
}

fn tag_test(state: &State, ask: &Ask) -> Value {
    let (ids, tags) = (ask.list("tenantIds"), ask.list("tags"));
    let mut doc = json!({});
    for t in state.store.of("tenants").iter().filter(|t| ids.iter().any(|i| i.eq_ignore_ascii_case(str_of(t, "Id")))) {
        let missing = tags::missing(t, &tags);
        let reason = if missing.is_empty() {
            "The tenant has tags of every set that was asked for.".to_owned()
        } else {
            format!("The tenant has none of the tags {}.", missing.join(", "))
        };
        doc[str_of(t, "Id")] = json!({"IsMatched": missing.is_empty(), "Reason": reason, "MissingTags": missing});
    }
    doc
}

/// Where the values of a tenant are kept.
fn key_of(tenant: &Value) -> String {
    format!("tenantvariables-{}", str_of(tenant, "Id")).to_lowercase()
}

/// Takes the place of all values, unless a token is sent with it that is no longer theirs. That this is refused with 409 is inferred from the
/// snapshots of variables; the words are those of a server of 2024 (octopus-api.md §8.1).
fn put_variables(state: &mut State, ask: &Ask, tenant: Arc<Document>) -> Handled {
    let key = key_of(&tenant);
    let (known, sent) = (token(state, &tenant), ask.field("ConcurrencyToken"));
    if known.is_string() && !sent.is_null() && *sent != known {
        let id = str_of(&tenant, "Id");
        return Err(Refusal::said(
            409,
            format!(
                "Modification failed for 'TenantVariable' document with '{id}' Id because submitted data was out of date. Refresh the document and try again."
            ),
        ));
    }
    let saves = state.written.get(&key).and_then(|values| values[SAVES].as_u64()).unwrap_or(0) + 1;
    let mut values = collection::clean(ask.body.clone())?;
    values[SAVES] = json!(saves);
    state.written.insert(key, values);
    Answer::ok(variables(state, &tenant))
}

/// How often the values of a tenant were saved.
const SAVES: &str = "_Saves";

/// What the values of a tenant are known by as they are now; older servers do not say it.
fn token(state: &State, tenant: &Value) -> Value {
    if state.plan.version.generation < Generation::V2026_3 {
        return Value::Null;
    }
    let key = key_of(tenant);
    let saves = state.written.get(&key).and_then(|values| values[SAVES].as_u64()).unwrap_or(0);
    json!(uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, format!("{key}/{saves}").as_bytes()).to_string())
}

/// No set has templates here, so there is nothing a tenant could have a value for.
fn no_variables(_: &mut State, ask: &Ask, tenant: Arc<Document>) -> Handled {
    let mut doc = json!({"TenantId": tenant["Id"], "Variables": []});
    if ask.flag("includeMissingVariables") == Some(true) {
        doc["MissingVariables"] = json!([]);
    }
    Answer::ok(doc)
}

fn all_variables(state: &State, ask: &Ask) -> Vec<Value> {
    let connected = |t: &Value| ask.query("projectId").is_none_or(|p| t["ProjectEnvironments"].get(p).is_some());
    collection::select(state, TENANTS, ask, connected).into_iter().map(|t| variables(state, t)).collect()
}

/// The variables of a tenant: one group for each project it is connected to, with what was written for it.
fn variables(state: &State, tenant: &Value) -> Value {
    let written = state.written.get(&key_of(tenant)).unwrap_or(&Value::Null);
    let (id, space) = (str_of(tenant, "Id"), str_of(tenant, "SpaceId"));
    let mut projects = json!({});
    let seen = |project: &str| state.allows("ProjectView|VariableView", &Thing { space: Some(space), ..Thing::project(project) });
    for (project, environments) in tenant["ProjectEnvironments"].as_object().into_iter().flatten().filter(|(p, _)| seen(p)) {
        let said = &written["ProjectVariables"][project]["Variables"];
        let mut values = json!({});
        for environment in texts(environments) {
            values[&environment] = if said[&environment].is_object() { said[&environment].clone() } else { json!({}) };
        }
        projects[project] = json!({
            "ProjectId": project, "ProjectName": state.store.name("projects", project), "Templates": [], "Variables": values,
            "Links": {"Project": format!("/api/{space}/projects/{project}"), "Logo": format!("/api/{space}/projects/{project}/logo")},
        });
    }
    let own = format!("/api/{space}/tenants/{id}");
    json!({
        "TenantId": id, "TenantName": tenant["Name"], "SpaceId": space, "ProjectVariables": projects, "LibraryVariables": {},
        "ConcurrencyToken": token(state, tenant), "Links": {"Self": format!("{own}/variables"), "Tenant": own},
    })
}
