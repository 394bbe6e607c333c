//! What keeps a release from an environment, asked of the server before anything is started.

use super::prelude::*;
use super::space::Space;
use crate::api::previews::Prompt;

/// What the server says of a release, an environment and a tenant.
#[derive(Clone, Debug, Default)]
pub struct Obstacles {
    /// Why it may not be deployed.
    pub reason: Option<String>,
    /// The deployment freeze, in words: who has a reason may override it.
    pub frozen: Option<String>,
    /// Prompted variables that need a value.
    pub unanswered: Vec<Prompt>,
}

impl Obstacles {
    /// Something that keeps it, in words.
    pub fn because(reason: impl Into<String>) -> Self {
        Self { reason: Some(reason.into()), ..Self::default() }
    }

    /// All in words; none when nothing is in the way.
    pub fn shown(&self) -> Option<String> {
        self.frozen.as_ref().or(self.reason.as_ref()).cloned().or_else(|| questions(&self.unanswered))
    }

    /// The names of prompted variables that need a value, when nothing else is in the way.
    pub fn needs(&self) -> Vec<String> {
        if self.frozen.is_some() || self.reason.is_some() {
            return Vec::new();
        }
        self.unanswered.iter().map(|prompt| prompt.name.clone()).collect()
    }
}

/// `the prompted variable `Change number` needs a value`; none without one.
pub fn questions(unanswered: &[Prompt]) -> Option<String> {
    let names: Vec<String> = unanswered.iter().map(|prompt| format!("`{}`", prompt.name)).collect();
    match names.as_slice() {
        [] => None,
        [one] => Some(format!("the prompted variable {one} needs a value")),
        several => Some(format!("the prompted variables {} need values", several.join(", "))),
    }
}

/// What stands in the way. One that the server cannot say anything about is an obstacle of its own, not an error: the other rows of a list
/// have nothing to do with it.
pub async fn find(
    place: &Space,
    release: &api::ReleaseId,
    template: &Result<api::DeploymentTemplate>,
    target: &api::Environment,
    tenant: Option<&api::TenantId>,
) -> Result<Obstacles> {
    let template = match template {
        Ok(template) => template,
        Err(error) => return unclear(error.clone()),
    };
    if !template.offers(&target.id, tenant) {
        let progression = match place.space.release_progression(release).await {
            Ok(progression) => progression,
            Err(error) => return unclear(error),
        };
        return Ok(Obstacles::because(reason(&progression, target)));
    }
    match place.space.deployment_preview(release, &target.id, tenant).await {
        Ok(preview) => Ok(Obstacles { unanswered: preview.unanswered().cloned().collect(), ..Obstacles::default() }),
        Err(error) => unclear(error),
    }
}

/// An error about one release only.
fn unclear(error: Error) -> Result<Obstacles> {
    if super::lists::is_of_one(&error) { Ok(Obstacles::because(format!("the server cannot say: {error}"))) } else { Err(error) }
}

/// Why the server does not offer an environment for a release. Only words: what may be deployed where is decided by the server.
fn reason(progression: &api::ReleaseProgression, target: &api::Environment) -> String {
    let leads_there =
        |phase: &api::dashboards::PhaseProgress| phase.automatic_targets.iter().chain(&phase.optional_targets).any(|id| *id == target.id);
    let Some(at) = progression.phases.iter().position(leads_there) else {
        return format!("the lifecycle does not lead to {}", target.name);
    };
    if progression.phases[at].blocked || (progression.has_unresolved_defect && progression.phases[at].deployments.is_empty()) {
        return "its progression is blocked".to_owned();
    }
    let before = progression.phases[..at].iter().find(|phase| !phase.is_optional && phase.progress != "Complete");
    match before {
        Some(phase) => format!("the lifecycle: phase `{}` is not complete", phase.name),
        None => format!("the server does not offer {} for it: you may not deploy there, or the tenant is not connected", target.name),
    }
}
