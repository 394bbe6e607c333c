//! Lifecycles: which environments come after which.

use super::encode::editable;
use super::id::{EnvironmentId, LifecycleId};
use super::resource::named;
use super::spaces::SpaceClient;
use crate::error::Result;

editable! {
    /// A lifecycle (octopus-api.md §10.4). Without phases, every environment is one, in the order of environments.
    Lifecycle, "lifecycle" {
        /// Id.
        id: LifecycleId = "Id",
        /// Name.
        name: String = "Name",
        /// Slug.
        slug: String = "Slug",
        /// Description.
        description: String = "Description",
        /// Phases in order.
        phases: Vec<Phase> = "Phases",
    }
}
named!(Lifecycle, LifecycleId);

editable! {
    /// A phase of a lifecycle.
    Phase {
        /// Id.
        id: String = "Id",
        /// Name.
        name: String = "Name",
        /// Environments that are deployed to as soon as the phase is reached.
        automatic_targets: Vec<EnvironmentId> = "AutomaticDeploymentTargets",
        /// Environments that people deploy to.
        optional_targets: Vec<EnvironmentId> = "OptionalDeploymentTargets",
        /// How many environments must succeed; 0 is all.
        minimum_environments: i64 = "MinimumEnvironmentsBeforePromotion",
        /// Whether the phase may be skipped.
        is_optional: bool = "IsOptionalPhase",
        /// Whether its deployments go first.
        is_priority: bool = "IsPriorityPhase",
    }
}

impl Phase {
    /// All its environments, automatic ones first.
    pub fn environments(&self) -> impl Iterator<Item = &EnvironmentId> {
        self.automatic_targets.iter().chain(&self.optional_targets)
    }
}

impl SpaceClient {
    /// A lifecycle by id.
    pub async fn lifecycle(&self, id: &LifecycleId) -> Result<Lifecycle> {
        self.client().fetch(&self.route("lifecycles").then(id)).await
    }

    /// All lifecycles.
    pub async fn lifecycles(&self) -> Result<Vec<Lifecycle>> {
        self.client().list(&self.route("lifecycles"), None).await
    }

    /// The lifecycle called `wanted`: id, slug or name.
    pub async fn find_lifecycle(&self, wanted: &str) -> Result<Lifecycle> {
        self.client().find(&self.route("lifecycles"), wanted).await
    }
}
