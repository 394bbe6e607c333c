//! Artifacts: files that tasks and people leave on the server.

use super::{
    access::thing_of_related,
    answer::{Answer, Ask, Handled, Refusal, str_of, texts},
    nouns::{Noun, named},
    routing::{Endpoint, Of, Whole, get, post, put},
    state::{Numbered, State, stamp},
    store::{Document, present},
};
use serde_json::{Value, json};
use std::sync::Arc;

const ARTIFACTS: &Noun = named("artifacts");

#[rustfmt::skip]
pub(crate) const ENDPOINTS: &[Endpoint] = &[
    post("S/artifacts", "ArtifactCreate", &Whole(create)).takes(&[&["ServerTaskId", "Filename", "Source", "LogCorrelationId"]]),
    get("S/artifacts/{id}/content", "ArtifactView", &Of(ARTIFACTS, content)),
    put("S/artifacts/{id}/content", "ArtifactCreate", &Of(ARTIFACTS, put_content)).of_file(),
];

/// Adds an artifact of a task, whose content comes later, and gives it back.
pub(crate) fn add(state: &mut State, task: usize, name: &str, source: &Value, correlation: &Value) -> Value {
    let (related, space) = (state.related_to(task), state.tasks[task].space.clone().unwrap_or_else(|| state.default_space().to_owned()));
    let id = state.store.next_id("Artifacts-");
    let doc = json!({"Id": id, "SpaceId": space, "Filename": name, "Source": source, "ServerTaskId": Numbered("ServerTasks-", task), "Created": stamp(state.now), "LogCorrelationId": correlation, "_Related": related});
    state.store.of_mut("artifacts").put(doc.clone());
    doc
}

fn create(state: &mut State, ask: &Ask) -> Handled {
    let (task, name) = (ask.need("ServerTaskId")?, ask.need("Filename")?);
    let index = super::tasks::find(state, ask, &task)?;
    state.demand("ArtifactCreate", &state.thing_of_task(index))?;
    let doc = add(state, index, &name, ask.field("Source"), ask.field("LogCorrelationId"));
    Answer::created(present(ARTIFACTS, &doc))
}

fn key_of(artifact: &Value) -> String {
    str_of(artifact, "Id").to_lowercase()
}

fn content(state: &mut State, _: &Ask, artifact: Arc<Document>) -> Handled {
    let key = key_of(&artifact);
    let (kind, bytes) = state.blobs.get(&key).cloned().ok_or_else(|| Refusal::missing(str_of(&artifact, "Id")))?;
    Ok(Answer::Bytes(200, if kind.is_empty() { "application/octet-stream".into() } else { kind }, bytes))
}

fn put_content(state: &mut State, ask: &Ask, artifact: Arc<Document>) -> Handled {
    state.demand("ArtifactCreate", &thing_of_related(artifact["SpaceId"].as_str(), &texts(&artifact["_Related"])))?;
    state.blobs.insert(key_of(&artifact), (ask.content_type.clone(), ask.raw.clone()));
    Answer::ok(json!({}))
}
