//! Waiting that can never end: a step that waits for what waits for the step (octopus-step-contract.md §1.10).
//!
//! The server breaks none of these knots; both tasks stand until somebody cancels one. So they are looked for before a step waits,
//! and, where only the queue tells, while it does. What can be done is the same each time: let the step end, and come back later.

use super::prelude::*;
use super::{context::own, task::Task};

/// How many queued tasks are asked whose children they are.
const ASKED: usize = 50;

/// The error for a task that waits for the step which is about to wait for it.
fn knot(task: &Task, why: String) -> Error {
    Error::new(Kind::Failed, format!("{} ({}) would be waited for for ever: {why}", task.subject.title, task.id))
        .help("start it without waiting for it, or let the step end and its deployment come back: `requeue(\"in 10 minutes\")`")
        .with("task", task.id.to_string())
        .with("url", task.subject.url.clone())
}

/// Refuses to wait for what cannot start before the step that runs this script has ended.
pub(super) fn before_waiting(host: &Host, open: &[Task]) -> HostResult<()> {
    let Some(step) = &host.context.step else { return Ok(()) };
    let here = host.place();
    let open: Vec<&Task> =
        open.iter().filter(|task| task.place.client.address() == here.client.address() && !task.last().has_started()).collect();
    if open.is_empty() {
        return Ok(());
    }
    if let Some(ours) = own(host)? {
        let same = |d: &api::Deployment| {
            (&d.project_id, &d.environment_id, &d.tenant_id) == (&ours.project_id, &ours.environment_id, &ours.tenant_id)
        };
        if let Some(task) = open.iter().find(|task| !step.own_tag && task.deployment.as_ref().is_some_and(same)) {
            let why = format!(
                "it is a deployment of this very project to this very environment, so Octopus starts it when {}, whose step this is, has ended",
                step.task
            );
            return Err(raise(knot(task, why)));
        }
    }
    let Some(target) = &step.target else { return Ok(()) };
    for task in open {
        let Some(deployment) = &task.deployment else { continue };
        let preview = host.block(async {
            let space = &task.place.space;
            space.deployment_preview(&deployment.release_id, &deployment.environment_id, deployment.tenant_id.as_ref()).await
        })?;
        let shared = preview.steps.iter().find_map(|step| Some((step, step.machines.iter().find(|m| m.id == *target)?)));
        if let Some((step_there, machine)) = shared {
            let why = format!(
                "its step `{}` runs on the deployment target {}, and so does this one: one script at a time runs there",
                step_there.name, machine.name
            );
            return Err(knot(task, why)
                .help("run this step on a worker, or set OctopusBypassDeploymentMutex to True in both projects")
                .into());
        }
    }
    Ok(())
}

/// Whether `task`, which is queued, cannot start: behind are the tasks that must end first, as far as the server says.
pub(super) async fn while_queued(host: &Host, task: &Task) -> Result<()> {
    let Some(step) = &host.context.step else { return Ok(()) };
    let space = &task.place.space;
    let (behind, total) = space.queued_behind(&task.id, ASKED).await?;
    let running = space.tasks(&api::TaskQuery { running: true, ..api::TaskQuery::default() }).await?;
    let slots = space.slots().await?;
    let is_full = slots.is_some_and(|slots| running.len() as u64 >= slots);
    // Of a full server the list says who has the slots, and one of them may end. Where we may not know, only what is certain counts.
    let behind_us = behind.iter().any(|other| other.id.as_str() == step.task);
    if behind_us && !is_full && (slots.is_some() || total == 1) {
        return Err(knot(task, format!("it is queued behind {}, whose step this is", step.task)));
    }
    let Some(slots) = slots.filter(|_| is_full) else { return Ok(()) };
    let waiting = parents(space, host.clock.now()).await?;
    if running.iter().all(|other| other.id.as_str() == step.task || waiting.contains(other.id.as_str())) {
        let names: Vec<&str> = running.iter().map(|other| other.id.as_str()).collect();
        return Err(knot(
            task,
            format!("all {slots} slots of the server's task cap are taken by tasks that wait for queued ones: {}", names.join(", ")),
        )
        .help("raise the task cap of the nodes: Configuration, Nodes"));
    }
    Ok(())
}

/// The tasks whose children are queued.
async fn parents(space: &api::SpaceClient, now: Timestamp) -> Result<BTreeSet<String>> {
    let query = api::TaskQuery { states: vec![api::TaskState::Queued], limit: Some(ASKED), ..api::TaskQuery::default() };
    let mut found = BTreeSet::new();
    for task in space.tasks(&query).await?.iter().filter(|task| task.queue_time.is_none_or(|at| at <= now)) {
        let Some(id) = task.deployment_id() else { continue };
        let Some(deployment) = space.deployment_or_none(id).await? else { continue };
        found.extend(api::create_once::parent_in(&deployment.comments));
    }
    Ok(found)
}
