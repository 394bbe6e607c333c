//! What a world file may say of people: users, their keys, teams, user roles, and how much anybody may ask.

use super::model::{Moment, Ref};
use serde::Deserialize;
use std::num::NonZeroU32;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TeamPlan {
    pub(crate) name: Ref,
    pub(crate) space: Option<Ref>,
    #[serde(default)]
    pub(crate) members: Vec<Ref>,
    #[serde(default)]
    pub(crate) roles: Vec<RolePlan>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct UserPlan {
    pub(crate) name: Ref,
    pub(crate) display: Option<String>,
    pub(crate) email: Option<String>,
    pub(crate) key: Option<String>,
    #[serde(default)]
    pub(crate) keys: Vec<KeyPlan>,
    #[serde(default)]
    pub(crate) service: bool,
    #[serde(default)]
    pub(crate) disabled: bool,
    /// Exactly these, in every space.
    pub(crate) permissions: Option<Vec<Ref>>,
    #[serde(default)]
    pub(crate) roles: Vec<RolePlan>,
}

/// A key of a user.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeyPlan {
    pub(crate) key: String,
    #[serde(default)]
    pub(crate) purpose: String,
    pub(crate) expires: Option<Moment>,
    #[serde(default)]
    pub(crate) read_only: bool,
}

/// A user role given to a team or a user, and what it is restricted to.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RolePlan {
    pub(crate) role: Ref,
    pub(crate) space: Option<Ref>,
    #[serde(default)]
    pub(crate) projects: Vec<Ref>,
    #[serde(default)]
    pub(crate) groups: Vec<Ref>,
    #[serde(default)]
    pub(crate) environments: Vec<Ref>,
    #[serde(default)]
    pub(crate) tenants: Vec<Ref>,
}

/// A user role of this world's own.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct UserRolePlan {
    pub(crate) name: Ref,
    #[serde(default)]
    pub(crate) description: String,
    pub(crate) permissions: Vec<Ref>,
}

/// A rate limiting policy (octopus-api.md §7.3).
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RateLimitPlan {
    #[serde(default)]
    pub(crate) scope: RateScope,
    pub(crate) per_minute: NonZeroU32,
    /// How many requests may come at once; as many as in a minute when nothing is said.
    pub(crate) burst: Option<NonZeroU32>,
}

/// Whom a policy is for, in the server's words.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
pub(crate) enum RateScope {
    Unauthenticated,
    #[default]
    AuthenticatedHuman,
}
