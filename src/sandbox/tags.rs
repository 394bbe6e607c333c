//! Tags: which of those that are wanted a tenant, a project or an environment has.

use super::answer::texts;
use serde_json::Value;
use std::collections::BTreeMap;

/// Whether a tenant has the tags: any within a set, of every set that is named.
pub(crate) fn all(tenant: &Value, wanted: &[String]) -> bool {
    missing(tenant, wanted).is_empty()
}

/// The wanted tags of every set of which the tenant has none.
pub(crate) fn missing(tenant: &Value, wanted: &[String]) -> Vec<String> {
    missing_among(&texts(&tenant["TenantTags"]), wanted)
}

/// Whether the tags of something are among the wanted ones: any within a set, of every set that is named.
pub(crate) fn fit(own: &[String], wanted: &[String]) -> bool {
    missing_among(own, wanted).is_empty()
}

fn missing_among(own: &[String], wanted: &[String]) -> Vec<String> {
    let mut sets: BTreeMap<String, (bool, Vec<String>)> = BTreeMap::new();
    for tag in wanted {
        let set = sets.entry(tag.split('/').next().unwrap_or_default().to_lowercase()).or_default();
        set.0 |= own.iter().any(|t| t.eq_ignore_ascii_case(tag));
        set.1.push(tag.clone());
    }
    sets.into_values().filter(|(has, _)| !has).flat_map(|(_, tags)| tags).collect()
}
