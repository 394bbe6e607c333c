//! Members of channels and projects that older servers do not know.

use super::{state::State, world::server_version::Generation};
use serde_json::Value;

/// Takes away what older servers do not know of channels and projects.
pub(crate) fn keep(kind: &str, doc: &mut Value, server: Generation) {
    let newer: &[&str] = match kind {
        "channels" => &["ParentEnvironmentId", "EphemeralEnvironmentNameTemplate", "AutomaticEphemeralEnvironmentDeployments"],
        "projects" => &["ProvisioningRunbookId", "DeprovisioningRunbookId"],
        _ => return,
    };
    if let Some(members) = doc.as_object_mut().filter(|_| server < Generation::V2026_1) {
        for member in newer {
            members.shift_remove(*member);
        }
        if kind == "channels" {
            members.insert("Type".to_owned(), "Lifecycle".into());
        }
    }
}

/// Does so for all channels and projects of a world.
pub(crate) fn keep_everywhere(state: &mut State) {
    let server = state.plan.version.generation;
    if server >= Generation::V2026_1 {
        return;
    }
    for kind in ["channels", "projects"] {
        let all: Vec<Value> = state.store.of(kind).iter().cloned().collect();
        for mut doc in all {
            keep(kind, &mut doc, server);
            state.store.of_mut(kind).put(doc);
        }
    }
}
