//! What a deployment would do and ask before it is created: steps, prompted variables, where a release may go now.

use super::decode::{document, part};
use super::id::{EnvironmentId, ReleaseId, RunbookSnapshotId, TenantId};
use super::interruptions::Form;
use super::spaces::SpaceClient;
use crate::error::Result;
use serde_json::Value;

document! {
    /// A deployment that was not created (octopus-api.md §14).
    Preview, "deployment preview" {
        /// The steps it would have.
        steps: Vec<PreviewStep> = "StepsToExecute",
        /// The prompted variables; element names are the GUIDs that `FormValues` has as keys.
        form: Option<Form> = "Form",
        /// Whether failures wait for guidance, unless it is said otherwise.
        use_guided_failure: bool = "UseGuidedFailureModeByDefault",
    }
}

part! {
    /// A step a deployment would have.
    PreviewStep {
        /// What `SkipActions` names.
        action_id: String = "ActionId",
        /// Name.
        action_name: String = "ActionName",
        /// Number, e.g. `2.1`.
        action_number: String = "ActionNumber",
        /// Whether it may be left out.
        can_be_skipped: bool = "CanBeSkipped",
        /// Machines it would run on.
        machines: Vec<String> = "MachineNames",
    }
}

/// A prompted variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompt {
    /// The key in `FormValues`.
    pub key: String,
    /// The variable's name.
    pub name: String,
    /// Its label for people; may be empty.
    pub label: String,
    /// Whether it must have a value.
    pub required: bool,
    /// The value it has unless another is given.
    pub default: Option<String>,
}

impl Preview {
    /// The prompted variables in order.
    pub fn prompts(&self) -> Vec<Prompt> {
        let Some(form) = &self.form else { return Vec::new() };
        let text = |control: &Value, name: &str| control.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let prompt = |element: &super::interruptions::FormElement| Prompt {
            key: element.name.clone(),
            name: text(&element.control, "Name"),
            label: text(&element.control, "Label"),
            required: element.is_required,
            default: form.values.get(&element.name).and_then(Value::as_str).map(str::to_owned),
        };
        form.elements.iter().map(prompt).collect()
    }
}

document! {
    /// Where a release may be deployed now, as far as the credential's user may.
    DeploymentTemplate, "deployment template" {
        /// Environments, untenanted.
        promote_to: Vec<PromotionTarget> = "PromoteTo",
        /// Environments by tenant.
        tenant_promotions: Vec<TenantPromotion> = "TenantPromotions",
    }
}

part! {
    /// An environment a release may go to.
    PromotionTarget {
        /// Id.
        id: EnvironmentId = "Id",
        /// Name.
        name: String = "Name",
    }
}

part! {
    /// Where a release may go for a tenant.
    TenantPromotion {
        /// Id.
        id: TenantId = "Id",
        /// Name.
        name: String = "Name",
        /// Environments.
        promote_to: Vec<PromotionTarget> = "PromoteTo",
    }
}

impl SpaceClient {
    /// What deploying a release to an environment would do and ask.
    pub async fn deployment_preview(&self, release: &ReleaseId, environment: &EnvironmentId, tenant: Option<&TenantId>) -> Result<Preview> {
        let route = self.route("releases").then(release).then("deployments").then("preview").then(environment);
        self.client().fetch(&tenant.map_or(route.clone(), |tenant| route.then(tenant))).await
    }

    /// What running a snapshot of a runbook in an environment would do and ask.
    pub async fn runbook_preview(&self, snapshot: &RunbookSnapshotId, environment: &EnvironmentId) -> Result<Preview> {
        self.client().fetch(&self.route("runbookSnapshots").then(snapshot).then("runbookRuns").then("preview").then(environment)).await
    }

    /// Where a release may be deployed now.
    pub async fn deployment_template(&self, release: &ReleaseId) -> Result<DeploymentTemplate> {
        self.client().fetch(&self.route("releases").then(release).then("deployments").then("template")).await
    }
}
