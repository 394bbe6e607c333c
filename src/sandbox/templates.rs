//! Step templates: their earlier versions, and which steps use them (octopus-api.md §11.4). The rest is a plain resource.

use super::{
    answer::{Answer, Ask, Handled, Refusal, str_of},
    collection::{self, noun_of, present},
    state::State,
};
use serde_json::{Value, json};

fn key(id: &str, version: &Value) -> String {
    format!("{id}/versions/{version}").to_lowercase()
}

/// `actiontemplates…`; none when the generic handling shall answer.
pub(crate) fn route(state: &mut State, ask: &Ask, rest: &[&str]) -> Option<Handled> {
    let noun = noun_of("actiontemplates")?;
    match (ask.method.as_str(), rest) {
        // Who updates a template keeps what steps made from it still run.
        ("PUT", [id]) => {
            if let Ok(old) = collection::get(state, ask, noun, id) {
                let (key, old) = (key(str_of(old, "Id"), &old["Version"]), old.clone());
                state.written.insert(key, old);
            }
            None
        }
        ("GET", [id, "versions", version]) => Some((|| {
            let doc = collection::get(state, ask, noun, id)?;
            let wanted = version.parse::<u64>().map_err(|_| Refusal::missing(version))?;
            if doc["Version"].as_u64() == Some(wanted) {
                return Answer::ok(present(noun, doc));
            }
            let old = state.written.get(&key(str_of(doc, "Id"), &json!(wanted)));
            old.ok_or_else(|| Refusal::missing(version)).and_then(|old| Answer::ok(present(noun, old)))
        })()),
        ("GET", [id, "usage"]) => {
            Some(collection::get(state, ask, noun, id).and_then(|doc| Answer::ok(Value::Array(usage(state, str_of(doc, "Id"))))))
        }
        _ => None,
    }
}

/// The actions of all processes that were made from a template. Only a process that a client wrote can have any.
fn usage(state: &State, template: &str) -> Vec<Value> {
    let mut found = Vec::new();
    for process in state.written.values().filter(|d| d["Steps"].is_array()) {
        let (project, runbook) = (str_of(process, "ProjectId"), process["RunbookId"].as_str());
        let slug = state.store.of("projects").get(project).map(|p| p["Slug"].clone());
        for action in process["Steps"].as_array().into_iter().flatten().flat_map(|s| s["Actions"].as_array().into_iter().flatten()) {
            let properties = &action["Properties"];
            if str_of(properties, "Octopus.Action.Template.Id").eq_ignore_ascii_case(template) {
                found.push(json!({
                    "ActionTemplateId": template, "ActionId": action["Id"], "ActionName": action["Name"],
                    "DeploymentProcessId": process["Id"], "ProcessId": process["Id"],
                    "ProcessType": if runbook.is_some() { "Runbook" } else { "Deployment" },
                    "ProjectId": project, "ProjectName": state.store.name("projects", project), "ProjectSlug": slug,
                    "RunbookId": runbook, "RunbookName": runbook.map(|r| state.store.name("runbooks", r)),
                    "Version": properties["Octopus.Action.Template.Version"], "Release": null, "Branch": null,
                }));
            }
        }
    }
    found
}
