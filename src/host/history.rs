//! What was live and what goes on in one spot, asked of the server at the moment of a decision.
//!
//! A spot is a project in an environment for a tenant, or for none: one deployment there replaces the one before it.

use super::prelude::*;
use super::{space::Space, task::Task, tasks::under_way};
use crate::api::{DeploymentId, ReleaseId};

/// How many past deployments one look takes in.
pub const LOOK: usize = 100;

/// A project in an environment for a tenant, or for none.
pub struct Spot<'a> {
    place: &'a Space,
    project: &'a api::Project,
    environment: &'a api::Environment,
    tenant: Option<&'a api::Tenant>,
}

/// A deployment that ended well.
pub struct Success {
    /// The deployment.
    pub deployment: api::Deployment,
    /// When its task was complete; when it was created, where retention has taken the task.
    pub completed: Timestamp,
}

/// A release that was live and is on the server no longer.
pub struct Gone {
    release: ReleaseId,
    version: Option<String>,
    /// When its deployment ended well.
    pub at: Timestamp,
}

impl fmt::Display for Gone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.version.as_deref().unwrap_or(self.release.as_str()))
    }
}

/// What was live before something else.
#[derive(Default)]
pub struct Earlier {
    /// The newest release that is still there, with its deployment if that is.
    pub found: Option<(api::Release, Option<api::Deployment>)>,
    /// Newer ones that are gone, the newest first.
    pub gone: Vec<Gone>,
    /// The event log may not be read: releases that are gone are not known.
    pub unsure: bool,
}

impl<'a> Spot<'a> {
    /// The spot.
    pub fn new(place: &'a Space, project: &'a api::Project, environment: &'a api::Environment, tenant: Option<&'a api::Tenant>) -> Self {
        Self { place, project, environment, tenant }
    }

    /// Whether a deployment is one to this spot.
    pub fn holds(&self, deployment: &api::Deployment) -> bool {
        deployment.project_id == self.project.id
            && deployment.environment_id == self.environment.id
            && deployment.tenant_id.as_ref() == self.tenant.map(|tenant| &tenant.id)
    }

    fn query(&self) -> api::DeploymentQuery {
        api::DeploymentQuery {
            projects: vec![self.project.id.clone()],
            environments: vec![self.environment.id.clone()],
            tenants: self.tenant.iter().map(|tenant| tenant.id.clone()).collect(),
            ..api::DeploymentQuery::default()
        }
    }

    /// Deployments that ended well, newest first: those among the newest `look`, or, where none of them is `enough`, on to the first
    /// that is. The server has no filter for deployments without a tenant, so those may stand behind many others.
    pub async fn successes(&self, look: usize, enough: impl Fn(&api::Deployment) -> bool + Sync) -> Result<Vec<api::Deployment>> {
        let query = api::DeploymentQuery { state: Some(api::TaskState::Success), ..self.query() };
        let mut found = self.place.space.deployments(&api::DeploymentQuery { limit: Some(look), ..query.clone() }).await?;
        let is_all = found.len() < look;
        found.retain(|one| self.holds(one));
        if is_all || found.iter().any(&enough) {
            return Ok(found);
        }
        let mut done = false;
        let unfinished = |one: &api::Deployment| !std::mem::replace(&mut done, self.holds(one) && enough(one));
        let mut found = self.place.space.deployments_while(&query, unfinished).await?;
        found.retain(|one| self.holds(one));
        Ok(found)
    }

    /// What is live, as Octopus sees it: the newest deployment that ended well.
    pub async fn live(&self) -> Result<Option<api::Deployment>> {
        // With tenants one without may stand behind theirs.
        let is_exact = self.tenant.is_some() || self.project.tenanted_deployment_mode.as_str() == "Untenanted";
        Ok(self.successes(if is_exact { 1 } else { LOOK }, |_| true).await?.into_iter().next())
    }

    /// Deployments that ended well with the time of their end; see [`Spot::successes`].
    pub async fn ended_well(&self, enough: impl Fn(&api::Deployment) -> bool + Sync) -> Result<Vec<Success>> {
        let found = self.successes(LOOK, enough).await?;
        let ids: Vec<api::TaskId> = found.iter().map(|one| one.task_id.clone()).collect();
        let tasks = self.place.space.known_tasks(&ids).await?;
        let with_end = |deployment: api::Deployment| {
            let completed = tasks.get(&deployment.task_id).and_then(|task| task.completed_time);
            let completed = completed.or(deployment.created).unwrap_or(Timestamp::MIN);
            Success { deployment, completed }
        };
        Ok(found.into_iter().map(with_end).collect())
    }

    /// Deployments to the spot that are queued, run or wait for a person, newest first; not those that are scheduled for later.
    pub async fn under_way(&self) -> Result<Vec<Task>> {
        let query = api::TaskQuery {
            project: Some(self.project.id.clone()),
            environment: Some(self.environment.id.clone()),
            tenant: self.tenant.map(|tenant| tenant.id.clone()),
            ..api::TaskQuery::default()
        };
        let mut found = under_way(self.place, query).await?;
        found.retain(|task| task.deployment.as_ref().is_some_and(|one| self.holds(one)));
        Ok(found)
    }

    /// Deployments to the spot that were created after the one with this number, whatever became of them; not those that are scheduled
    /// for later.
    pub async fn created_after(&self, number: u64) -> Result<Vec<Task>> {
        let mut found = self.place.space.deployments_while(&self.query(), |one| one.id.number() > number).await?;
        found.retain(|one| self.holds(one));
        let ids: Vec<api::TaskId> = found.iter().map(|one| one.task_id.clone()).collect();
        let mut tasks = self.place.space.known_tasks(&ids).await?;
        let now = self.place.client.moment();
        let mut all = Vec::new();
        for deployment in found {
            let Some(seen) = tasks.remove(&deployment.task_id) else { continue };
            let subject = self.place.subject(&deployment, None).await;
            let task = Task::new(self.place.clone(), subject, seen, Some(deployment), None);
            if !task.is_planned(now) {
                all.push(task);
            }
        }
        Ok(all)
    }

    /// What was live before `live`, of another release. The event log tells of releases that were deleted since, with their deployments.
    pub async fn before(&self, live: &api::Deployment) -> Result<Earlier> {
        let other = |one: &api::Deployment| one.release_id != live.release_id;
        let candidate = self.successes(LOOK, other).await?.into_iter().find(other);
        let mut earlier = Earlier::default();
        let query = api::EventQuery {
            categories: vec!["DeploymentSucceeded".to_owned()],
            projects: vec![self.project.id.clone()],
            environments: vec![self.environment.id.clone()],
            tenants: self.tenant.iter().map(|tenant| tenant.id.clone()).collect(),
            from: candidate.as_ref().and_then(|one| one.created),
            to: live.created,
            limit: candidate.is_none().then_some(LOOK),
            ..api::EventQuery::default()
        };
        let events = match self.place.space.events(&query).await {
            Err(error) if error.kind() == Kind::Forbidden => {
                earlier.unsure = true;
                Vec::new()
            }
            events => events?,
        };
        let about = |event: &api::Event, prefix: &str| event.related_document_ids.iter().find(|id| id.starts_with(prefix)).cloned();
        // The filter for tenants has no word for none.
        let here = events.into_iter().filter(|event| self.tenant.is_some() || about(event, "Tenants-").is_none());
        let told: Vec<(ReleaseId, Option<DeploymentId>, api::Event)> = here
            .filter_map(|event| {
                let release = ReleaseId::from(about(&event, "Releases-")?.as_str());
                Some((release, about(&event, "Deployments-").map(|id| id.as_str().into()), event))
            })
            .filter(|(release, ..)| *release != live.release_id)
            .collect();
        let ids: Vec<ReleaseId> = told.iter().map(|(release, ..)| release.clone()).collect();
        let mut known = self.place.space.known_releases(&ids).await?;
        for (release, deployment, event) in told {
            if candidate.as_ref().is_some_and(|one| one.release_id == release) {
                break;
            }
            match known.get(&release) {
                None if earlier.gone.iter().any(|gone| gone.release == release) => {}
                None => {
                    // For people only: what stands in the text is the same on all servers we know.
                    let version = event.message.split_once(" release ").and_then(|(_, rest)| rest.split_whitespace().next());
                    let at = event.occurred.unwrap_or(Timestamp::MIN);
                    earlier.gone.push(Gone { release, version: version.map(str::to_owned), at });
                }
                // Its deployment was deleted without it. One that is there was marked as failed since.
                Some(_) => {
                    let there = match &deployment {
                        Some(id) => self.place.space.deployment_or_none(id).await?.is_some(),
                        None => true,
                    };
                    if !there {
                        earlier.found = known.remove(&release).map(|found| (found, None));
                        return Ok(earlier);
                    }
                }
            }
        }
        if let Some(deployment) = candidate {
            earlier.found = Some((self.place.space.release(&deployment.release_id).await?, Some(deployment)));
        }
        Ok(earlier)
    }
}
