//! Which projects use which ephemeral environments, and how far each is provisioned for them.

use std::collections::{BTreeMap, BTreeSet};

/// How far an ephemeral environment is for a project (octopus-api.md §10.7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum ProvisionState {
    #[default]
    NotProvisioned,
    Provisioning,
    Provisioned,
    Deprovisioning,
    Deprovisioned,
}

impl ProvisionState {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::NotProvisioned => "NotProvisioned",
            Self::Provisioning => "Provisioning",
            Self::Provisioned => "Provisioned",
            Self::Deprovisioning => "Deprovisioning",
            Self::Deprovisioned => "Deprovisioned",
        }
    }
}

/// An environment and a project, by their ids.
pub(crate) type UseKey = (String, String);

/// A project that uses an ephemeral environment.
#[derive(Clone, Default)]
pub(crate) struct EphemeralUse {
    pub(crate) state: ProvisionState,
    /// Tasks of deployments that start when it is provisioned.
    pub(crate) waiting: Vec<usize>,
}

/// All of them.
#[derive(Default)]
pub(crate) struct EphemeralUses {
    pub(crate) by_key: BTreeMap<UseKey, EphemeralUse>,
    /// Tasks of provisioning and deprovisioning runs.
    pub(crate) runs: BTreeMap<usize, UseKey>,
    /// Environments that go away as soon as no project deprovisions them any more.
    pub(crate) leaving: BTreeSet<String>,
}

impl EphemeralUses {
    pub(crate) fn state(&self, environment: &str, project: &str) -> Option<ProvisionState> {
        self.by_key.get(&(environment.to_owned(), project.to_owned())).map(|one| one.state)
    }

    /// The projects that use an environment.
    pub(crate) fn projects(&self, environment: &str) -> Vec<String> {
        self.by_key.keys().filter(|(id, _)| id == environment).map(|(_, project)| project.clone()).collect()
    }

    /// Whether a project deprovisions it at the moment.
    pub(crate) fn is_deprovisioning(&self, environment: &str) -> bool {
        self.by_key.iter().any(|((id, _), one)| id == environment && one.state == ProvisionState::Deprovisioning)
    }

    /// Whether a task waits for its environment to be provisioned.
    pub(crate) fn holds(&self, task: usize) -> bool {
        self.by_key.values().any(|one| one.waiting.contains(&task))
    }

    /// Takes an environment that is gone out of all that is known.
    pub(crate) fn forget(&mut self, environment: &str) {
        self.by_key.retain(|(id, _), _| id != environment);
        self.leaving.remove(environment);
    }
}
