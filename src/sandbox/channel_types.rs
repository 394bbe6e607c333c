//! Channels of both types, how they are made and changed: those of a lifecycle, and those that lead to ephemeral environments
//! (octopus-api.md §10.6).

use super::{
    answer::{Ask, Handled, Refusal, str_of},
    channels::check_rules,
    collection,
    environment_types::{EnvironmentType, channel_of, is_ephemeral, type_of},
    nouns::{Noun, named},
    routing::{Endpoint, Of, Whole, post, put},
    state::State,
    store::Document,
    world::server_version::Generation,
};
use serde_json::Value;
use std::sync::Arc;

const CHANNELS: &Noun = named("channels");

/// The first server that keeps the lists of a channel which a change leaves out [U].
const KEEPS_LISTS: Generation = Generation::V2026_3;

#[rustfmt::skip]
pub(crate) const ENDPOINTS: &[Endpoint] = &[
    post("S/channels", "ProcessEdit", &Whole(create)).keeps(),
    put("S/channels/{id}", "ProcessEdit", &Of(CHANNELS, change)).keeps(),
];

fn create(state: &mut State, ask: &Ask) -> Handled {
    let project = ask.need("ProjectId")?;
    check_rules(state, ask, &project)?;
    if check(state, &ask.body, None)? && channel_of(state, &project).is_some() {
        return Err(Refusal::said(501, "The sandbox does not simulate projects with two channels for ephemeral environments."));
    }
    collection::create(state, ask, CHANNELS, |_, _, _| {})
}

fn change(state: &mut State, ask: &Ask, old: Arc<Document>) -> Handled {
    let mut body = collection::clean(ask.body.clone())?;
    if state.plan.version.generation >= KEEPS_LISTS {
        for (member, value) in old.as_object().into_iter().flatten().filter(|(_, value)| value.is_array()) {
            if super::answer::field(&body, member).is_null() {
                body[member.as_str()] = value.clone();
            }
        }
    }
    if super::answer::field(&body, "Type").is_null() {
        body["Type"] = old["Type"].clone();
    }
    if check(state, &body, Some(&old))? != is_ephemeral(&old) {
        return Err(Refusal::said(501, "The sandbox does not simulate a channel whose type is changed."));
    }
    let ask = ask.with_body(body);
    check_rules(state, &ask, str_of(&old, "ProjectId"))?;
    collection::replace(state, &ask, CHANNELS, old)
}

/// Whether a channel is to be one for ephemeral environments, if what is sent goes together.
fn check(state: &State, body: &Value, old: Option<&Value>) -> Result<bool, Refusal> {
    let text = |member: &str| super::answer::text(body, member);
    let wrong = |why: &str| Err(Refusal::invalid(why));
    if state.plan.version.generation < Generation::V2026_1 {
        return Ok(old.is_some_and(is_ephemeral));
    }
    let parent = text("ParentEnvironmentId");
    let template = text("EphemeralEnvironmentNameTemplate");
    let is_automatic = super::answer::field(body, "AutomaticEphemeralEnvironmentDeployments") == true;
    match text("Type").as_deref() {
        None | Some("Lifecycle") if parent.is_some() || template.is_some() || is_automatic => {
            return wrong(
                "Only a channel of the type EphemeralEnvironment has a parent environment, an environment name template and automatic deployments.",
            );
        }
        None | Some("Lifecycle") => return Ok(false),
        Some("EphemeralEnvironment") => {}
        Some(other) => return wrong(&format!("The value '{other}' is not valid for Type.")),
    }
    let parent = parent.ok_or_else(|| Refusal::required("ParentEnvironmentId"))?;
    if type_of(state, &parent) != EnvironmentType::Parent {
        return wrong("No ephemeral environment lifecycle found for parent environment.");
    }
    if text("LifecycleId").is_some() {
        return wrong("A channel of the type EphemeralEnvironment has no lifecycle.");
    }
    if super::answer::field(body, "TenantTags").as_array().is_some_and(|tags| !tags.is_empty()) {
        return wrong("A channel of the type EphemeralEnvironment has no tenants.");
    }
    match template {
        None if is_automatic => Err(Refusal::required("EphemeralEnvironmentNameTemplate")),
        Some(template) if template.chars().count() > 1000 => {
            wrong("The field EphemeralEnvironmentNameTemplate must be a string with a maximum length of 1000.")
        }
        _ => Ok(true),
    }
}
