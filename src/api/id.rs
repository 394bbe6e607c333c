//! Ids: a type for each kind, so that a release is never asked for with a task's id.

use crate::api::decode::{FromJson, Problem};
use crate::api::encode::ToJson;
use serde_json::Value;
use std::fmt;

macro_rules! ids {
    ($($name:ident $prefix:literal $noun:literal;)*) => {$(
        #[doc = concat!("The id of ", $noun, ", e.g. `", $prefix, "-1`. Compared without regard to case (octopus-api.md §1).")]
        #[derive(Clone)]
        pub struct $name(String);

        impl $name {
            /// What such an id begins with, before the hyphen.
            pub const PREFIX: &'static str = $prefix;

            /// The id as the server wrote it.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// The number at the end, for order; 0 when there is none.
            pub fn number(&self) -> u64 {
                self.0.rsplit('-').next().and_then(|n| n.parse().ok()).unwrap_or(0)
            }

            fn key(&self) -> (u64, String) {
                (self.number(), self.0.to_ascii_lowercase())
            }
        }

        impl From<&str> for $name {
            fn from(id: &str) -> Self {
                Self(id.to_owned())
            }
        }

        impl From<String> for $name {
            fn from(id: String) -> Self {
                Self(id)
            }
        }

        impl From<&$name> for $name {
            fn from(id: &$name) -> Self {
                id.clone()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }

        impl From<&$name> for Value {
            fn from(id: &$name) -> Value {
                Value::String(id.0.clone())
            }
        }

        impl<'a> From<&'a $name> for $crate::api::meant::Meant<'a> {
            fn from(id: &'a $name) -> Self {
                Self::Id(&id.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                self.0.eq_ignore_ascii_case(&other.0)
            }
        }

        impl Eq for $name {}

        impl PartialEq<str> for $name {
            fn eq(&self, other: &str) -> bool {
                self.0.eq_ignore_ascii_case(other)
            }
        }

        impl std::hash::Hash for $name {
            fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
                self.0.to_ascii_lowercase().hash(state);
            }
        }

        impl PartialOrd for $name {
            fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
                Some(self.cmp(other))
            }
        }

        impl Ord for $name {
            fn cmp(&self, other: &Self) -> std::cmp::Ordering {
                self.key().cmp(&other.key())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromJson for $name {
            fn from_json(value: &Value) -> Result<Self, Problem> {
                match value {
                    Value::String(id) if !id.is_empty() => Ok(Self(id.clone())),
                    // For a while in 2021.2 some ids were {"Value":"Spaces-3"} (payloads, "Events and webhooks").
                    Value::Object(members) => match members.get("Value") {
                        Some(Value::String(id)) => Ok(Self(id.clone())),
                        _ => Err(Problem::expected("an id", value)),
                    },
                    other => Err(Problem::expected("an id", other)),
                }
            }
            const EMPTY_IS_ABSENT: bool = true;
        }

        impl ToJson for $name {
            fn write(&self, place: &mut Value) {
                *place = self.into();
            }
        }
    )*};
}

ids! {
    SpaceId "Spaces" "a space";
    ProjectId "Projects" "a project";
    ProjectGroupId "ProjectGroups" "a project group";
    EnvironmentId "Environments" "an environment";
    LifecycleId "Lifecycles" "a lifecycle";
    ChannelId "Channels" "a channel";
    ReleaseId "Releases" "a release";
    DeploymentId "Deployments" "a deployment";
    TaskId "ServerTasks" "a server task";
    TenantId "Tenants" "a tenant";
    TagSetId "TagSets" "a tag set";
    RunbookId "Runbooks" "a runbook";
    RunbookSnapshotId "RunbookSnapshots" "a runbook snapshot";
    RunbookRunId "RunbookRuns" "a runbook run";
    InterruptionId "Interruptions" "an interruption";
    EventId "Events" "an event";
    ArtifactId "Artifacts" "an artifact";
    FreezeId "DeploymentFreezes" "a deployment freeze";
    VariableSetId "variableset" "a variable set";
    LibraryVariableSetId "LibraryVariableSets" "a library variable set";
    DefectId "Defects" "a defect";
    UserId "Users" "a user";
    TeamId "Teams" "a team";
    ApiKeyId "apikeys" "an API key";
    ActionTemplateId "ActionTemplates" "a step template";
}

/// Whether `text` has the form of an id that begins with `prefix`: `Projects-21`.
pub fn looks_like(prefix: &str, text: &str) -> bool {
    text.split_once('-')
        .is_some_and(|(head, number)| head.eq_ignore_ascii_case(prefix) && !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_compare_without_case_and_order_by_number() {
        assert_eq!(ProjectId::from("projects-2"), ProjectId::from("Projects-2"));
        let (nine, ten) = (TaskId::from("ServerTasks-9"), TaskId::from("ServerTasks-10"));
        assert!(nine < ten);
    }

    #[test]
    fn a_name_is_not_an_id() {
        assert!(looks_like("Projects", "projects-21"));
        assert!(!looks_like("Projects", "Projects-Alpha"));
        assert!(!looks_like("Projects", "Project A"));
    }
}
