//! Tenants: tags, variables, and what is asked about them.

use super::{
    access::Thing,
    answer::{Answer, Ask, Handled, Refusal, str_of, texts},
    collection::{self, noun_of},
    state::State,
    tags,
};
use serde_json::{Value, json};

/// `tenants…`; none when the generic handling shall answer.
pub(crate) fn route(state: &mut State, ask: &Ask, rest: &[&str]) -> Option<Handled> {
    match (ask.method.as_str(), rest) {
        ("GET", ["tag-test"]) => {
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
            Some(Answer::ok(doc))
        }
        ("GET", ["variables-missing"]) => Some(Answer::ok(json!([]))),
        ("GET", ["status"]) => Some(Answer::ok(json!({"Enabled": true, "Links": {}}))),
        ("GET" | "PUT" | "POST", [id, "variables"]) => Some((|| {
            let noun = noun_of("tenants").ok_or_else(|| Refusal::missing(id))?;
            let t = collection::get(state, ask, noun, id)?.clone();
            let key = format!("tenantvariables-{}", str_of(&t, "Id")).to_lowercase();
            if ask.method != "GET" {
                state.written.insert(key.clone(), ask.body.clone());
            }
            Answer::ok(variables(state, &t, state.written.get(&key).unwrap_or(&Value::Null)))
        })()),
        // No set has templates here, so there is nothing a tenant could have a value for.
        ("GET", [id, "commonvariables" | "projectvariables"]) => Some((|| {
            let noun = noun_of("tenants").ok_or_else(|| Refusal::missing(id))?;
            let mut doc = json!({"TenantId": collection::get(state, ask, noun, id)?["Id"], "Variables": []});
            if ask.flag("includeMissingVariables") == Some(true) {
                doc["MissingVariables"] = json!([]);
            }
            Answer::ok(doc)
        })()),
        _ => None,
    }
}

/// `tenantvariables/all`
pub(crate) fn all_variables(state: &State, ask: &Ask) -> Value {
    let Some(noun) = noun_of("tenants") else { return json!([]) };
    let connected = |t: &Value| ask.query("projectId").is_none_or(|p| t["ProjectEnvironments"].get(p).is_some());
    let found = collection::select(state, noun, ask, connected);
    Value::Array(
        found
            .into_iter()
            .map(|t| {
                let key = format!("tenantvariables-{}", str_of(t, "Id")).to_lowercase();
                variables(state, t, state.written.get(&key).unwrap_or(&Value::Null))
            })
            .collect(),
    )
}

/// The variables of a tenant: one group for each project it is connected to, with what was written for it.
fn variables(state: &State, tenant: &Value, written: &Value) -> Value {
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
        "ConcurrencyToken": null, "Links": {"Self": format!("{own}/variables"), "Tenant": own},
    })
}
