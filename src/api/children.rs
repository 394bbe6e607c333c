//! What the steps of a task have started: found by the markers in comments, with or without a journal.

use super::{Deployment, RunbookRun, SpaceClient, Task, TaskId};
use crate::{clock::later, error::Result};
use jiff::SignedDuration;

/// How far before the parent's begin we look: the clocks of database and web server may differ.
const LOOK_BACK: SignedDuration = SignedDuration::from_mins(10);

impl SpaceClient {
    /// The tasks that octorhai started in steps of the task `parent`, in the order of their start. A task that retention has taken is
    /// left out.
    pub async fn children(&self, parent: &Task) -> Result<Vec<Task>> {
        let marker = format!("[octorhai:{}/", parent.id);
        let since = parent.start_time.or(parent.queue_time).map(|began| later(began, -LOOK_BACK));
        let young = |created: Option<jiff::Timestamp>| created.is_none_or(|at| since.is_none_or(|since| at >= since));
        let deployments = self.client().list_while::<Deployment>(&self.route("deployments"), None, |one| young(one.created)).await?;
        let runs = self.client().list_while::<RunbookRun>(&self.route("runbookRuns"), None, |one| young(one.created)).await?;
        let deployed = deployments.iter().filter(|one| one.comments.contains(&marker)).map(|one| (one.created, &one.task_id));
        let ran = runs.iter().filter(|one| one.comments.contains(&marker)).map(|one| (one.created, &one.task_id));
        let mut found: Vec<(Option<jiff::Timestamp>, TaskId)> = deployed.chain(ran).map(|(at, id)| (at, id.clone())).collect();
        found.sort_by_key(|(at, id)| (*at, id.number()));
        let ids: Vec<TaskId> = found.into_iter().map(|(_, id)| id).collect();
        let mut tasks = self.known_tasks(&ids).await?;
        Ok(ids.iter().filter_map(|id| tasks.remove(id)).collect())
    }
}
