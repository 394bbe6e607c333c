//! Ids: a type for each kind, so that a release is never asked for with a task's id.

use crate::api::decode::{FromJson, Problem};
use crate::api::encode::ToJson;
use crate::json::JsonSlice;
use memchr::memrchr;
use serde_json::Value;
use std::{cmp::Ordering, fmt, hash::Hasher, sync::Arc};

macro_rules! ids {
    ($($name:ident $prefix:literal $noun:literal;)*) => {$(
        #[doc = concat!("The id of ", $noun, ", e.g. `", $prefix, "-1`. Compared without regard to case (octopus-api.md §1).")]
        #[derive(Clone, Default)]
        pub struct $name(Arc<str>);

        impl $name {
            /// What such an id begins with, before the hyphen.
            pub const PREFIX: &'static str = $prefix;

            /// The id as the server wrote it.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// The number at the end, for order; 0 when there is none.
            pub fn number(&self) -> u64 {
                number(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(id: &str) -> Self {
                Self(id.into())
            }
        }

        impl From<String> for $name {
            fn from(id: String) -> Self {
                Self(id.into())
            }
        }

        impl From<&$name> for Value {
            fn from(id: &$name) -> Value {
                id.as_str().into()
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
                hash(&self.0, state);
            }
        }

        impl PartialOrd for $name {
            fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
                Some(self.cmp(other))
            }
        }

        impl Ord for $name {
            fn cmp(&self, other: &Self) -> std::cmp::Ordering {
                order(&self.0, &other.0)
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
            fn read(json: JsonSlice<'_>) -> Result<Self, Problem> {
                // For a while in 2021.2 some ids were {"Value":"Spaces-3"} (payloads, "Events and webhooks").
                let inner = || json.get("Value")?.text();
                match json.text().filter(|id| !id.is_empty()).or_else(inner) {
                    Some(id) => Ok(id.as_ref().into()),
                    None => Err(Problem::expected("an id", json)),
                }
            }
            const EMPTY_IS_ABSENT: bool = true;
            fn held(&self) -> usize {
                self.0.len()
            }
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
    ApprovalId "ServerTaskApprovals" "an approval";
    VoteId "Approvals" "a vote";
    EventId "Events" "an event";
    FreezeId "DeploymentFreezes" "a deployment freeze";
    VariableSetId "variableset" "a variable set";
    LibraryVariableSetId "LibraryVariableSets" "a library variable set";
    UserId "Users" "a user";
    TeamId "Teams" "a team";
    ApiKeyId "apikeys" "an API key";
    TriggerId "ProjectTriggers" "a trigger";
    ActionTemplateId "ActionTemplates" "a step template";
}

/// The number at the end of an id; 0 when there is none.
pub(super) fn number(id: &str) -> u64 {
    let digits = memrchr(b'-', id.as_bytes()).map_or(id, |dash| &id[dash + 1..]);
    digits.parse().unwrap_or(0)
}

/// By number, then by text without regard to case. Nothing is copied: a wait compares ids some ten thousand times a minute.
fn order(a: &str, b: &str) -> Ordering {
    fn lower(id: &str) -> impl Iterator<Item = u8> {
        id.bytes().map(|byte| byte.to_ascii_lowercase())
    }
    number(a).cmp(&number(b)).then_with(|| lower(a).cmp(lower(b)))
}

/// The same for ids that are equal, without a copy on the heap.
fn hash<H: Hasher>(id: &str, state: &mut H) {
    let mut lower = [0; 64];
    for part in id.as_bytes().chunks(lower.len()) {
        let lower = &mut lower[..part.len()];
        lower.copy_from_slice(part);
        lower.make_ascii_lowercase();
        state.write(lower);
    }
    state.write_u8(0xff);
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
    fn order_and_hash_are_those_of_the_number_and_the_lower_case_text() {
        use std::hash::{BuildHasher as _, RandomState};
        let texts = [
            "ServerTasks-9",
            "servertasks-9",
            "ServerTasks-10",
            "A-10",
            "teams-everyone",
            "Teams-Everyone",
            "",
            "-",
            "é-9",
            "ServerTasks-09",
        ];
        let long = ["x".repeat(64), "X".repeat(65), "x".repeat(130), "X".repeat(130)];
        let all: Vec<&str> = texts.into_iter().chain(long.iter().map(String::as_str)).collect();
        let state = RandomState::new();
        let key = |text: &str| (TaskId::from(text).number(), text.to_ascii_lowercase());
        for (a, b) in all.iter().flat_map(|a| all.iter().map(move |b| (*a, *b))) {
            let (one, other) = (TaskId::from(a), TaskId::from(b));
            assert_eq!(one.cmp(&other), key(a).cmp(&key(b)), "{a} and {b}");
            assert_eq!(one == other, one.cmp(&other).is_eq(), "{a} and {b}");
            assert_eq!(state.hash_one(&one) == state.hash_one(&other), one == other, "{a} and {b}");
        }
    }

    #[test]
    fn a_name_is_not_an_id() {
        assert!(looks_like("Projects", "projects-21"));
        assert!(!looks_like("Projects", "Projects-Alpha"));
        assert!(!looks_like("Projects", "Project A"));
    }
}
