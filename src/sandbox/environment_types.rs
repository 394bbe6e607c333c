//! The types of environments: static ones, parents that only give scope, and ephemeral ones below a parent (octopus-api.md §10.7).
//!
//! All are documents of one kind, so that deployments and variables name each of them by its id. A parent or an ephemeral one says so in
//! members of our own, which no answer shows.

use super::{
    answer::{Refusal, str_of},
    nouns::{Noun, named},
    state::State,
};
use serde_json::{Value, json};

pub(crate) const ENVIRONMENTS: &Noun = named("environments");

/// The longest name, characters.
const LONGEST_NAME: usize = 50;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EnvironmentType {
    Static,
    /// Gives scope to the ephemeral ones below it; nothing can be deployed to it.
    Parent,
    Ephemeral,
}

impl EnvironmentType {
    pub(crate) const ALL: [Self; 3] = [Self::Static, Self::Parent, Self::Ephemeral];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Static => "Static",
            Self::Parent => "Parent",
            Self::Ephemeral => "Ephemeral",
        }
    }

    pub(crate) fn of(environment: &Value) -> Self {
        let said = str_of(environment, "_Type");
        Self::ALL.into_iter().find(|one| one.name() == said).unwrap_or(Self::Static)
    }
}

/// The type of an environment; one that is gone counts as static.
pub(crate) fn type_of(state: &State, environment: &str) -> EnvironmentType {
    state.store.of(ENVIRONMENTS.path).get(environment).map_or(EnvironmentType::Static, EnvironmentType::of)
}

/// The parent of an ephemeral environment.
pub(crate) fn parent_of<'s>(state: &'s State, environment: &str) -> Option<&'s str> {
    let doc = state.store.of(ENVIRONMENTS.path).get(environment)?;
    Some(str_of(doc, "_Parent")).filter(|parent| !parent.is_empty())
}

/// Whether a list of environments, of a scope or a deployment target, means an environment: a parent stands for those below it.
pub(crate) fn includes(state: &State, listed: &[String], environment: &str) -> bool {
    let has = |id: &str| listed.iter().any(|one| one.eq_ignore_ascii_case(id));
    has(environment) || parent_of(state, environment).is_some_and(has)
}

/// The channel through which releases of a project reach ephemeral environments.
pub(crate) fn channel_of<'s>(state: &'s State, project: &str) -> Option<&'s Value> {
    state.store.of("channels").with("ProjectId", project).find(|channel| is_ephemeral(channel))
}

/// Whether a channel leads to ephemeral environments.
pub(crate) fn is_ephemeral(channel: &Value) -> bool {
    str_of(channel, "Type") == "EphemeralEnvironment"
}

/// The ephemeral environments below a parent.
pub(crate) fn below(state: &State, parent: &str) -> Vec<String> {
    let all = state.store.of(ENVIRONMENTS.path).iter().filter(|doc| str_of(doc, "_Parent") == parent);
    all.map(|doc| str_of(doc, "Id").to_owned()).collect()
}

/// Refuses documents, such as lifecycles and freezes, that may name static environments only.
///
/// # Errors
/// 400 for the first that is of another type.
pub(crate) fn only_static(state: &State, environments: impl IntoIterator<Item = String>, what: &str) -> Result<(), Refusal> {
    let other = environments.into_iter().find(|id| type_of(state, id) != EnvironmentType::Static);
    other.map_or(Ok(()), |id| {
        let (name, kind) = (state.store.name(ENVIRONMENTS.path, &id), type_of(state, &id).name().to_lowercase());
        Err(Refusal::invalid(format!("The {kind} environment '{name}' cannot be used in a {what}.")))
    })
}

/// An environment as `environments/v2` shows it: without links and without its place in the order.
pub(crate) fn shown(environment: &Value) -> Value {
    let mut doc = json!({});
    for member in ["Id", "SpaceId", "Name", "Slug", "Description", "EnvironmentTags"] {
        doc[member] = environment[member].clone();
    }
    doc["Type"] = json!(EnvironmentType::of(environment).name());
    doc
}

/// The name that an ephemeral environment gets for one that was written: characters that names must not have become dashes.
///
/// # Errors
/// 400 for a name that is empty then, or too long.
pub(crate) fn ephemeral_name(written: &str) -> Result<String, Refusal> {
    let dashed = |c: char| if "<>:\"/\\|?*{}".contains(c) { '-' } else { c };
    let name: String = written.chars().map(dashed).collect();
    checked(name.trim().trim_matches(['-', '_']).trim())
}

/// A name of at most 50 characters.
///
/// # Errors
/// 400 for an empty one, or one that is too long.
pub(crate) fn checked(name: &str) -> Result<String, Refusal> {
    match name.chars().count() {
        0 => Err(Refusal::required("Name")),
        1..=LONGEST_NAME => Ok(name.to_owned()),
        _ => Err(Refusal::invalid(format!("The field Name must be a string with a maximum length of {LONGEST_NAME}."))),
    }
}

/// Whether an environment of a space has this name.
pub(crate) fn called<'s>(state: &'s State, space: &str, name: &str) -> Option<&'s Value> {
    state.store.of(ENVIRONMENTS.path).with("Name", name).find(|doc| str_of(doc, "SpaceId") == space)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lose_what_environments_must_not_be_called() {
        let cases = [("ava/my-new-feature", "ava-my-new-feature"), ("<pr>:451?", "pr--451"), ("  _pr 7_ ", "pr 7"), ("a{b}*", "a-b")];
        for (written, expected) in cases {
            assert_eq!(ephemeral_name(written).expect(written), expected);
        }
        for wrong in ["", " ", "???", &"x".repeat(51)] {
            assert_eq!(ephemeral_name(wrong).expect_err(wrong).status, 400);
        }
    }
}
