//! Environments.

use super::encode::editable;
use super::id::EnvironmentId;
use super::meant::Meant;
use super::resource::{named, pick};
use super::spaces::SpaceClient;
use crate::error::Result;

editable! {
    /// An environment (octopus-api.md §10.3).
    Environment, "environment" {
        /// Id as the server wrote it.
        id: EnvironmentId = "Id",
        /// Name as people see it in the portal.
        name: String = "Name",
        /// Slug.
        slug: String = "Slug",
        /// Description.
        description: String = "Description",
        /// Place in the order people gave.
        sort_order: i64 = "SortOrder",
        /// Whether failures wait for guidance here.
        use_guided_failure: bool = "UseGuidedFailure",
    }
}
named!(Environment, EnvironmentId);

impl SpaceClient {
    /// All environments in the order people gave them.
    pub async fn environments(&self) -> Result<Vec<Environment>> {
        let mut all: Vec<Environment> = self.client().list(&self.route("environments"), None).await?;
        all.sort_by_key(|e| (e.sort_order, e.id.number()));
        Ok(all)
    }

    /// The environment called `wanted`: id, slug or name. There are few, so one request reads them all.
    pub async fn find_environment<'a>(&self, wanted: impl Into<Meant<'a>>) -> Result<Environment> {
        pick(self.environments().await?, wanted)
    }
}
