//! Copies: `POST projects?clone=Projects-1`, `tenants?clone=…`, `runbooks?clone=…`.

use super::{answer::str_of, nouns::Noun, state::State};
use serde_json::{Value, json};

/// What the copy begins with: all of the source but what belongs to it alone, and over it what the client sent.
pub(crate) fn body(noun: &Noun, source: &Value, sent: &Value) -> Value {
    const OWN: &[&str] = &[
        "Id",
        "Slug",
        "VariableSetId",
        "DeploymentProcessId",
        "RunbookProcessId",
        "PublishedRunbookSnapshotId",
        "ClonedFromProjectId",
        "ClonedFromTenantId",
    ];
    let mut doc = source.clone();
    if let (Value::Object(doc), Value::Object(sent)) = (&mut doc, sent) {
        doc.retain(|k, _| !OWN.contains(&k.as_str()));
        // A server reads names of fields without regard to case, and the Go SDK writes `LifecycleID`.
        for (key, value) in sent.iter().filter(|(_, v)| !v.is_null()) {
            let known = doc.keys().find(|k| k.eq_ignore_ascii_case(key)).cloned();
            doc.insert(known.unwrap_or_else(|| key.clone()), value.clone());
        }
    }
    match noun.path {
        "projects" => doc["ClonedFromProjectId"] = source["Id"].clone(),
        "tenants" => doc["ClonedFromTenantId"] = source["Id"].clone(),
        _ => {}
    }
    doc
}

/// What hangs below the source: process, variables and the channels and runbooks of a project.
pub(crate) fn below(state: &mut State, noun: &Noun, source: &Value, copy: &str) {
    let from = str_of(source, "Id");
    match noun.path {
        "projects" => {
            owned(state, from, copy, "deploymentprocess");
            channels(state, from, copy);
            let runbooks: Vec<Value> = state.store.of("runbooks").with("ProjectId", from).cloned().collect();
            for runbook in runbooks {
                let id = state.store.next_id("Runbooks-");
                let mut doc = runbook.clone();
                doc["Id"] = json!(id);
                doc["ProjectId"] = json!(copy);
                doc["RunbookProcessId"] = json!(format!("RunbookProcess-{id}"));
                doc["PublishedRunbookSnapshotId"] = Value::Null;
                owned(state, str_of(&runbook, "Id"), &id, "RunbookProcess");
                state.store.of_mut("runbooks").put(doc);
            }
        }
        "runbooks" => owned(state, from, copy, "RunbookProcess"),
        _ => {}
    }
}

/// Steps, and what was written of process and variables.
fn owned(state: &mut State, from: &str, copy: &str, process: &str) {
    if let Some(steps) = state.steps.get(from).cloned() {
        state.steps.insert(copy.to_owned(), steps);
    }
    for kind in [process, "variableset"] {
        let (old, new) = (format!("{kind}-{from}"), format!("{kind}-{copy}"));
        if let Some(mut doc) = state.written.get(&old.to_lowercase()).cloned() {
            let self_link = str_of(&doc["Links"], "Self").replace(&old, &new);
            doc["Id"] = json!(new);
            for key in ["OwnerId", "ProjectId", "RunbookId"] {
                if str_of(&doc, key) == from {
                    doc[key] = json!(copy);
                }
            }
            doc["Links"]["Self"] = json!(self_link);
            state.written.insert(new.to_lowercase(), doc);
        }
    }
}

/// Channels beside the one that each new project has; the default stays the default.
fn channels(state: &mut State, from: &str, copy: &str) {
    let theirs: Vec<Value> = state.store.of("channels").with("ProjectId", from).cloned().collect();
    let made: Vec<String> = state.store.of("channels").with("ProjectId", copy).map(|c| str_of(c, "Id").to_owned()).collect();
    for id in made {
        state.store.of_mut("channels").remove(&id);
    }
    for mut channel in theirs {
        channel["Id"] = json!(state.store.next_id("Channels-"));
        channel["ProjectId"] = json!(copy);
        state.store.of_mut("channels").put(channel);
    }
}
