//! Why a task does not go on, in words for people: who or what holds it, and how many.

use super::prelude::*;
use super::{approval::Approval, interruption::Interruption, space::Space, time::Moment};
use crate::api::meant::Meant;

/// How many of those in front of a queued task are named.
const NAMED: usize = 3;

/// Why a task waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// In words.
    pub why: String,
    /// Where a person can do something about it.
    pub url: Option<String>,
    /// It is queued, and nothing that runs is in front of it: [`halt`] may know more.
    pub is_stalled: bool,
}

impl Explanation {
    fn of(why: String, url: Option<String>) -> Self {
        Self { why, url, is_stalled: false }
    }
}

/// Why a task does not go on; none when it runs or is complete.
pub async fn explain(host: &Host, place: &Space, last: &api::Task, deployment: Option<&api::Deployment>) -> Result<Option<Explanation>> {
    if last.is_completed() {
        return Ok(None);
    }
    // A task that waits at an interruption goes back to the queue; the list knows better than the flag (octopus-api.md §19.1).
    let paused = last.state == api::TaskState::Queued && last.start_time.is_some();
    if last.is_interrupted() || paused {
        let pending = place.space.interruptions(true, Some(last.id.as_str())).await?;
        let more = pending.len().saturating_sub(1);
        if let Some(first) = pending.into_iter().next() {
            let shown = Interruption::new(place.clone(), first).with_names().await;
            let more = if more > 0 { format!(", and at {more} more interruptions") } else { String::new() };
            return Ok(Some(Explanation::of(format!("{}{more}", shown.waits_for()), Some(shown.url()))));
        }
    }
    if last.state != api::TaskState::Queued {
        return Ok(None);
    }
    if last.waits_for_preconditions() {
        return precondition(host, place, last).await.map(Some);
    }
    if let Some(at) = last.queue_time
        && at > host.clock.now()
    {
        return Ok(Some(Explanation::of(format!("scheduled for {}", Moment::of(host, at)), None)));
    }
    let (behind, total) = place.space.queued_behind(&last.id, NAMED).await?;
    if behind.is_empty()
        && let Some(deployment) = deployment
        && let Some(why) = provisioning(place, deployment).await
    {
        return Ok(Some(Explanation::of(why, None)));
    }
    let names: Vec<String> = behind
        .iter()
        .map(|t| format!("{} ({}{})", t.description, t.id, if goes_first(t, last) { ", in front of it by priority" } else { "" }))
        .collect();
    let queued = if paused { "goes on when a slot is free, queued" } else { "queued" };
    let why = match total.saturating_sub(behind.len()) {
        _ if behind.is_empty() => format!("{queued}: the server has not started it yet (no free slot, or a lock holds it)"),
        0 => format!("{queued} behind {}", names.join(", ")),
        more => format!("{queued} behind {} and {more} more", names.join(", ")),
    };
    let is_stalled = behind.iter().all(|task| task.state == api::TaskState::Queued);
    Ok(Some(Explanation { why, url: None, is_stalled }))
}

/// Whether a queued task is in front of one that was queued before it: it has priority, or somebody has moved it to the top.
fn goes_first(other: &api::Task, last: &api::Task) -> bool {
    let never_ran = |task: &api::Task| task.state == api::TaskState::Queued && task.start_time.is_none();
    never_ran(other) && never_ran(last) && other.queue_time.zip(last.queue_time).is_some_and(|(other, own)| other > own)
}

/// That a deployment waits for its ephemeral environment to be provisioned; none when it does not, or nobody can say.
async fn provisioning(place: &Space, deployment: &api::Deployment) -> Option<String> {
    let environment = place.environment(Meant::Id(deployment.environment_id.as_str())).await.ok()?;
    if *environment.kind() != api::EnvironmentKind::Ephemeral {
        return None;
    }
    let status = place.space.ephemeral_status(&deployment.project_id, &environment.id).await.ok()?;
    let project = place.project_name(&deployment.project_id).await;
    (status == "Provisioning").then(|| format!("waits until `{}` is provisioned for {project}", environment.name))
}

/// What a task waits for before it may start.
async fn precondition(host: &Host, place: &Space, last: &api::Task) -> Result<Explanation> {
    let types = &last.pending_precondition_types;
    if last.waits_for_approval()
        && let Some((approval, progress)) = Approval::of_task(place, &last.id).await?
    {
        let why = format!("{}{}", approval.waits_for(Some(&progress)), window(host, last));
        return Ok(Explanation::of(why, Some(approval.url())));
    }
    let why = match types.as_slice() {
        [] => "waits for something that the server does not name".to_owned(),
        types => format!("waits for {} before it starts", types.join(", ")),
    };
    Ok(Explanation::of(why, Some(place.space.task_url(&last.id))))
}

/// `; it may start from ... to ...`
fn window(host: &Host, last: &api::Task) -> String {
    let opens = last.queue_time.filter(|at| *at > host.clock.now()).map(|at| Moment::of(host, at));
    let closes = last.queue_time_expiry.map(|at| Moment::of(host, at));
    match (opens, closes) {
        (Some(opens), Some(closes)) => format!("; it may start from {opens} to {closes}"),
        (Some(opens), None) => format!("; it may start from {opens}"),
        (None, Some(closes)) => format!("; it may start until {closes}"),
        (None, None) => String::new(),
    }
}

/// Why no queued task of a space starts; none when nothing is known to keep them. Up to three requests.
pub async fn halt(place: &Space) -> Result<Option<String>> {
    let space = place.client.space(Some(place.space.space().id.as_str())).await?;
    if space.space().task_queue_stopped {
        return Ok(Some(format!("queued: the task queue of the space `{}` is paused, and nothing in it starts", space.space().name)));
    }
    if place.space.is_in_maintenance().await? {
        return Ok(Some("queued: the server is in maintenance mode, and starts nothing".to_owned()));
    }
    let nodes = place.space.nodes().await?;
    let idle: Vec<&str> = nodes.iter().filter(|node| node.is_in_maintenance).map(|node| node.name.as_str()).collect();
    if nodes.is_empty() || idle.is_empty() {
        return Ok(None);
    }
    let (all, names) = (nodes.len(), idle.join(", "));
    let and = if idle.len() == all { ", and start nothing" } else { "" };
    Ok(Some(format!("queued: {} of {all} nodes of the server take no new tasks{and}: {names}", idle.len())))
}
