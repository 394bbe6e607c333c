//! Tenants: tags, variables, and what is asked about them.

use super::{
    answer::{Answer, Ask, Handled, Refusal, str_of, texts},
    collection::{self, noun_of},
    state::State,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Whether a tenant has the tags: any within a set, of every set that is named.
pub(crate) fn has_tags(tenant: &Value, wanted: &[String]) -> bool {
    let own = texts(&tenant["TenantTags"]);
    let mut sets: BTreeMap<String, bool> = BTreeMap::new();
    for tag in wanted {
        let set = tag.split('/').next().unwrap_or_default().to_lowercase();
        *sets.entry(set).or_default() |= own.iter().any(|t| t.eq_ignore_ascii_case(tag));
    }
    sets.values().all(|has| *has)
}

/// `tenants…`; none when the generic handling shall answer.
pub(crate) fn route(state: &mut State, ask: &Ask, rest: &[&str]) -> Option<Handled> {
    match (ask.method.as_str(), rest) {
        ("GET", ["tag-test"]) => {
            let (ids, tags) = (ask.list("tenantIds"), ask.list("tags"));
            let mut doc = json!({});
            for t in state.store.of("tenants").iter().filter(|t| ids.iter().any(|i| i.eq_ignore_ascii_case(str_of(t, "Id")))) {
                doc[str_of(t, "Id")] = json!({"IsMatched": has_tags(t, &tags), "MissingTags": []});
            }
            Some(Answer::ok(doc))
        }
        ("GET", ["variables-missing"]) => Some(Answer::ok(json!([]))),
        ("GET", ["status"]) => Some(Answer::ok(json!({"IsMultiTenancyEnabled": true, "Enabled": true, "Links": {}}))),
        ("GET" | "PUT" | "POST", [id, "variables"]) => Some((|| {
            let noun = noun_of("tenants").ok_or_else(|| Refusal::missing(id))?;
            let t = collection::get(state, ask, noun, id)?.clone();
            let key = format!("tenantvariables-{}", str_of(&t, "Id")).to_lowercase();
            if ask.method != "GET" {
                state.written.insert(key.clone(), ask.body.clone());
            }
            let stored = state.written.get(&key).cloned();
            Answer::ok(stored.unwrap_or_else(|| json!({"TenantId": t["Id"], "TenantName": t["Name"], "SpaceId": t["SpaceId"], "ProjectVariables": {}, "LibraryVariables": {}, "ConcurrencyToken": null, "Links": {}})))
        })()),
        _ => None,
    }
}
