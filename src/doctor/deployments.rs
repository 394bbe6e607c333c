//! Whether a server keeps to the moment by which a deployment must have started.

use super::{Finding, Measured, Patient, Verdict, readable};
use crate::{
    api::{DeploymentQuery, NewDeployment, SpaceClient, TaskState},
    clock::later,
    error::{Error, Kind, Result},
};
use jiff::SignedDuration;
use serde_json::json;

/// How long the second deployment may wait for its start.
const LIFE: SignedDuration = SignedDuration::from_secs(20);

/// How much later the server may notice that it is over.
const GRACE: SignedDuration = SignedDuration::from_secs(60);

/// One deployment, and another behind it that has to wait longer than it may.
pub(super) async fn expiry(
    patient: &Patient<'_>,
    project: &str,
    environment: &str,
    name: &str,
    measured: &mut Measured,
) -> Result<Finding> {
    let (space, client) = (&patient.space, patient.space.client());
    let project = space.find_project(project).await?;
    let environment = space.find_environment(environment).await?;
    let release = space.releases(&project.id, Some(1)).await?.into_iter().next();
    let release = release.ok_or_else(|| Error::new(Kind::NotFound, format!("project `{}` has no release to deploy", project.name)))?;
    let new = NewDeployment { comments: name.to_owned(), ..NewDeployment::new(&project.id, &release.id, &environment.id) };
    let first = space.create(&new, &format!("{name}:1"), &()).await?;
    loop {
        let task = space.task(&first.task_id).await?;
        if task.is_completed() {
            return Err(Error::new(Kind::Refused, "the deployment that was to be waited behind ended before the other one was made"));
        }
        if task.has_started() {
            break;
        }
        client.rest(SignedDuration::from_millis(500)).await?;
    }
    let deadline = later(client.server_now(), LIFE);
    let waits = NewDeployment { queue_time_expiry: Some(deadline), ..new };
    let second = space.create(&waits, &format!("{name}:2"), &()).await?;
    let kept = space.deployment(&second.id).await?.queue_time_expiry.is_some();
    let facts = |what: &str| json!({"kept": kept, "outcome": what});
    let stops = "; a create in doubt stops the run and asks a person";
    if !kept {
        let text = format!("the server does not keep the moment by which a deployment must have started{stops}");
        return Ok(Finding::new("expiry", Verdict::Weaker, text, facts("dropped")));
    }
    loop {
        let task = space.task(&second.task_id).await?;
        let now = client.server_now();
        if task.has_started() {
            let (verdict, text) = if task.start_time.is_some_and(|at| at > deadline) {
                (Verdict::Weaker, format!("a deployment started after the moment by which it had to{stops}"))
            } else {
                let text = format!("`{}` deploys faster than {} s: take a project that needs longer{stops}", project.name, LIFE.as_secs());
                (Verdict::NotPossible, text)
            };
            return Ok(Finding::new("expiry", verdict, text, facts("started")));
        }
        if task.state == TaskState::TimedOut {
            measured.honours_deadline = true;
            let text = "a deployment that has not started in time never starts: a create in doubt is tried again when the first can no longer start";
            return Ok(Finding::new("expiry", Verdict::Ok, text, facts("timed out")));
        }
        if task.is_completed() {
            let text = format!("the deployment ended as {} before its time{stops}", task.state);
            return Ok(Finding::new("expiry", Verdict::NotPossible, text, facts("ended")));
        }
        if now > later(deadline, GRACE) {
            let text = format!("a deployment still waits {} s after the moment by which it had to start{stops}", GRACE.as_secs());
            return Ok(Finding::new("expiry", Verdict::Weaker, text, facts("waits")));
        }
        client.rest(SignedDuration::from_secs(1)).await?;
    }
}

/// Cancels what was deployed and has not ended. Deployments stay in the server's history.
pub(super) async fn sweep(space: &SpaceClient, name: &str) -> Result<()> {
    let query = DeploymentQuery { limit: Some(100), ..DeploymentQuery::default() };
    for deployment in readable(space.deployments(&query).await)?.iter().filter(|d| d.comments.contains(name)) {
        if !space.task(&deployment.task_id).await?.is_completed() {
            space.cancel_task(&deployment.task_id).await?;
        }
    }
    Ok(())
}
