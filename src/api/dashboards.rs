//! Dashboards and progression: what is live where, and what may go on.

use super::decode::{document, part};
use super::id::{DeploymentId, EnvironmentId, ProjectId, ReleaseId, TaskId, TenantId};
use super::spaces::SpaceClient;
use super::tasks::TaskState;
use crate::error::Result;
use jiff::Timestamp;
use serde_json::Value;

document! {
    /// A deployment as dashboards show it (octopus-api.md §23).
    DashboardItem, "dashboard item" {
        /// Project that it belongs to.
        project_id: Option<ProjectId> = "ProjectId",
        /// Its environment.
        environment_id: Option<EnvironmentId> = "EnvironmentId",
        /// Its tenant.
        tenant_id: Option<TenantId> = "TenantId",
        /// Its release.
        release_id: Option<ReleaseId> = "ReleaseId",
        /// The release's version.
        release_version: String = "ReleaseVersion",
        /// The deployment.
        deployment_id: Option<DeploymentId> = "DeploymentId",
        /// Its task.
        task_id: Option<TaskId> = "TaskId",
        /// The task's state.
        state: TaskState = "State",
        /// When it was created.
        created: Option<Timestamp> = "Created",
        /// When it ended.
        completed_time: Option<Timestamp> = "CompletedTime",
        /// Whether it is the last successful one before a current one that is not.
        is_previous: bool = "IsPrevious",
    }
}

document! {
    /// A dashboard.
    Dashboard, "dashboard" {
        /// The latest deployments.
        items: Vec<DashboardItem> = "Items",
        /// The last successful ones before those that are not.
        previous_items: Vec<DashboardItem> = "PreviousItems",
    }
}

document! {
    /// How far a release is in its lifecycle (octopus-api.md §13.1).
    ReleaseProgression, "release progression" {
        /// Phases in order.
        phases: Vec<PhaseProgress> = "Phases",
        /// Whether it is blocked.
        has_unresolved_defect: bool = "HasUnresolvedDefect",
    }
}

part! {
    /// A phase of a lifecycle, and how far a release is in it.
    PhaseProgress {
        /// Name as people see it in the portal.
        name: String = "Name",
        /// Whether a defect keeps the release out.
        blocked: bool = "Blocked",
        /// `Pending`, `Current`, `Complete`.
        progress: String = "Progress",
        /// Deployments to its environments.
        deployments: Vec<Value> = "Deployments",
        /// Environments deployed to by themselves.
        automatic_targets: Vec<EnvironmentId> = "AutomaticDeploymentTargets",
        /// Environments people deploy to.
        optional_targets: Vec<EnvironmentId> = "OptionalDeploymentTargets",
        /// Whether it may be skipped.
        is_optional: bool = "IsOptionalPhase",
    }
}

impl SpaceClient {
    /// The latest deployments of projects to environments (all of them, for empty lists), and where the latest was not
    /// a success, the last success before it (`is_previous`). `tenants` filters, unless it is empty.
    ///
    /// One request per hundred projects: their ids stand in the address.
    pub async fn dashboard_items(
        &self,
        environments: &[EnvironmentId],
        projects: &[ProjectId],
        tenants: &[TenantId],
    ) -> Result<Vec<DashboardItem>> {
        let mut items = Vec::new();
        let batches: Vec<&[ProjectId]> = if projects.is_empty() { vec![&[]] } else { projects.chunks(100).collect() };
        for batch in batches {
            let route =
                self.route("dashboard/dynamic").list("projects", batch).list("environments", environments).with("includePrevious", "true");
            let dashboard: Dashboard = self.client().fetch(&route).await?;
            items.extend(dashboard.items);
            // Older servers do not set the flag on the previous ones.
            items.extend(dashboard.previous_items.into_iter().map(|item| DashboardItem { is_previous: true, ..item }));
        }
        items.retain(|item: &DashboardItem| tenants.is_empty() || item.tenant_id.as_ref().is_some_and(|t| tenants.contains(t)));
        Ok(items)
    }

    /// How far a release is in its lifecycle.
    pub async fn release_progression(&self, release: &ReleaseId) -> Result<ReleaseProgression> {
        self.client().fetch(&self.route("releases").then(release).then("progression")).await
    }
}
