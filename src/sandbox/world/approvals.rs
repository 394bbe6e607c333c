//! What a world file may say of approvals: rules of Octopus and how people vote, change requests of other systems and how they go on.

use super::values::{Ref, Span};
use crate::sandbox::change_requests::Provider;
use serde::Deserialize;

plans! {
    /// Deployments and runbook runs that people must approve before they start.
    struct ApprovalRulePlan {
        name: Ref,
        projects: Vec<Ref>,
        environments: Vec<Ref>;
        space: Option<Ref>,
        /// How many must approve; Octopus's own default is 2.
        minimum: Option<u8>,
        /// Users who may.
        approvers: Vec<Ref>,
        /// Teams whose members may.
        teams: Vec<Ref>,
        /// Whether those who started it may.
        self_approval: bool,
        /// Each tenant of a release has a change request of its own.
        per_tenant: bool,
        disabled: bool,
        votes: Vec<VotePlan>,
    }

    /// What somebody says of each change request of a rule, so long after it was made.
    struct VotePlan {
        user: Ref,
        after: Span;
        status: VoteStatus,
        notes: String,
    }

    /// How a change request of another system goes on: one that is there already, by its number, or those that are made for deployments.
    struct ChangeRequestPlan {
        system: Provider,
        states: Vec<ChangeStatePlan>;
        number: Option<Ref>,
        project: Option<Ref>,
        environment: Option<Ref>,
        /// Its planned start, since the world's start.
        from: Option<Span>,
        /// From its planned start to its planned end.
        #[serde(rename = "for")]
        length: Option<Span>,
    }

    /// A state, so long after the change request was made; after the world's start when it was there already.
    struct ChangeStatePlan {
        state: Ref,
        after: Span;
    }
}

/// What a vote says.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
pub(crate) enum VoteStatus {
    #[default]
    Approved,
    Rejected,
}
