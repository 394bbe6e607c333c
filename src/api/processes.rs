//! Deployment processes: the steps of projects and releases.

use super::encode::editable;
use super::id::EnvironmentId;
use super::projects::Project;
use super::spaces::SpaceClient;
use crate::error::Result;

editable! {
    /// A deployment process or runbook process (octopus-api.md §11.1).
    Process, "process" {
        /// Counts changes.
        version: i64 = "Version",
        /// Steps in order.
        steps: Vec<Step> = "Steps",
    }
}

editable! {
    /// A step.
    Step {
        /// Name as people see it in the portal.
        name: String = "Name",
        /// What it does; several are child steps.
        actions: Vec<Action> = "Actions",
    }
}

editable! {
    /// An action of a step.
    Action {
        /// Whether it is switched off.
        is_disabled: bool = "IsDisabled",
        /// Only in these environments; empty is all.
        environments: Vec<EnvironmentId> = "Environments",
    }
}

impl SpaceClient {
    /// The process of a project as it is now.
    pub async fn deployment_process(&self, project: &Project) -> Result<Process> {
        let branch = project.default_branch();
        if branch.is_some() || project.deployment_process_id.is_empty() {
            return self.client().fetch(&self.route("projects").then(&project.id).then_maybe(branch).then("deploymentprocesses")).await;
        }
        self.process(&project.deployment_process_id).await
    }

    /// A deployment process by id, e.g. the one a release or deployment was made with.
    pub async fn process(&self, id: &str) -> Result<Process> {
        self.client().fetch(&self.route("deploymentprocesses").then(id)).await
    }
}
