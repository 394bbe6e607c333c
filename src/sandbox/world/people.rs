//! What a world file may say of people: users, their keys, teams, user roles, and how much anybody may ask.

use super::values::{Moment, Ref};
use serde::Deserialize;
use std::num::NonZeroU32;
use toml::Spanned;

plans! {
    struct TeamPlan {
        name: Ref;
        space: Option<Ref>,
        members: Vec<Ref>,
        roles: Vec<RolePlan>,
    }

    struct UserPlan {
        name: Ref;
        display: Option<String>,
        email: Option<String>,
        key: Option<String>,
        keys: Vec<KeyPlan>,
        service: bool,
        disabled: bool,
        /// Exactly these, in every space.
        permissions: Option<Vec<Ref>>,
        roles: Vec<RolePlan>,
    }

    /// A key of a user.
    struct KeyPlan {
        key: String;
        purpose: String,
        expires: Option<Moment>,
        read_only: bool,
        /// For an AI agent.
        agent: bool,
    }

    /// A user role given to a team or a user, and what it is restricted to.
    struct RolePlan {
        role: Ref;
        space: Option<Ref>,
        projects: Vec<Ref>,
        groups: Vec<Ref>,
        environments: Vec<Ref>,
        tenants: Vec<Ref>,
    }

    /// A user role of this world's own.
    struct UserRolePlan {
        name: Ref,
        #[serde(default)]
        description: String,
        permissions: Vec<Ref>;
    }

    /// A rate limiting policy (octopus-api.md §7.3).
    struct RateLimitPlan {
        #[serde(default)]
        scope: RateScope,
        per_minute: Spanned<NonZeroU32>,
        /// Whether a rejection says when to come again.
        #[serde(default = "yes")]
        retry_after: bool;
        /// How many requests may come at once; as many as in a minute when nothing is said.
        burst: Option<NonZeroU32>,
        /// Counts and tells, and rejects nothing.
        audit: bool,
    }
}

fn yes() -> bool {
    true
}

/// Whom a policy is for, in the server's words.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum RateScope {
    Unauthenticated,
    #[default]
    AuthenticatedHuman,
    AuthenticatedAgent,
}
