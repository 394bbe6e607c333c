//! Triggers of projects, and calls of their webhooks (octopus-api.md §11.3).

use super::address::Route;
use super::decode::document;
use super::id::{EnvironmentId, ProjectId, RunbookId, TenantId, TriggerId};
use super::resource::{named, pick};
use super::runbooks::RunbookRun;
use super::spaces::SpaceClient;
use crate::error::Result;
use jiff::Timestamp;

document! {
    /// When a trigger comes.
    TriggerFilter, "filter of a trigger" {
        /// `CronExpressionSchedule`, `WebhookFilter` and others.
        kind: String = "FilterType",
        /// The name of its webhook, of a trigger that has one.
        webhook: Option<String> = "WebhookId",
    }
}

document! {
    /// What a trigger does.
    TriggerAction, "action of a trigger" {
        /// `RunRunbook`, `DeployLatestRelease` and others.
        kind: String = "ActionType",
        /// The runbook that it runs.
        runbook: Option<RunbookId> = "RunbookId",
        /// Where it runs it.
        environments: Vec<EnvironmentId> = "EnvironmentIds",
        /// The tenants for which it runs it.
        tenants: Vec<TenantId> = "TenantIds",
        /// Tags that choose further tenants.
        tenant_tags: Vec<String> = "TenantTags",
    }
}

document! {
    /// A trigger of a project.
    Trigger, "trigger" {
        /// Id as the server wrote it.
        id: TriggerId = "Id",
        /// Name as people see it in the portal.
        name: String = "Name",
        /// Not used by servers.
        slug: String = "Slug",
        /// Whether somebody switched it off.
        is_disabled: bool = "IsDisabled",
        /// When it comes.
        filter: TriggerFilter = "Filter",
        /// What it does.
        action: TriggerAction = "Action",
    }
}
named!(Trigger, TriggerId);

impl SpaceClient {
    /// The trigger of a project called `wanted`: id or name.
    pub async fn find_trigger(&self, project: &ProjectId, wanted: &str) -> Result<Trigger> {
        pick(self.client().list(&self.route("projects").then(project).then("triggers"), None).await?, wanted)
    }

    /// Calls a webhook with its secret, or else as the user of the API key. The server says only that it has heard it.
    pub async fn call_webhook(&self, webhook: &str, secret: Option<&str>) -> Result<()> {
        self.client().call(self.route("webhook").then(webhook).as_str(), secret).await
    }

    /// The runs that a trigger has started since then, oldest first: those of its runbook, in its environments and for its tenants.
    pub async fn runs_of_trigger(&self, action: &TriggerAction, since: Timestamp) -> Result<Vec<RunbookRun>> {
        let Some(runbook) = &action.runbook else { return Ok(Vec::new()) };
        let route: Route = self.route("runbookRuns").with("runbooks", runbook);
        let is_young = |run: &RunbookRun| run.created.is_none_or(|at| at >= since);
        let mut runs = self.client().list_while(&route, None, is_young).await?;
        runs.retain(is_young);
        runs.retain(|run| run.environment_id.as_ref().is_some_and(|environment| action.environments.contains(environment)));
        runs.reverse();
        Ok(runs)
    }
}
