//! What the steps of a task have started: found by the markers in comments, with or without a journal.

use super::{
    SpaceClient, Task, TaskId,
    create_once::{LOOK_BACK, MarkedExecution, parent_in},
    decode::FromJson as _,
};
use crate::{clock::later, error::Result};
use jiff::Timestamp;

impl SpaceClient {
    /// The tasks that octorhai started in steps of the task `parent`, in the order of their start. A task that retention has taken is
    /// left out.
    pub async fn children(&self, parent: &Task) -> Result<Vec<Task>> {
        let mut found = self.made_by("deployments", "deployment", parent).await?;
        found.extend(self.made_by("runbookRuns", "runbook run", parent).await?);
        found.sort_by_key(|(at, id)| (*at, id.number()));
        let ids: Vec<TaskId> = found.into_iter().map(|(_, id)| id).collect();
        let mut tasks = self.known_tasks(&ids).await?;
        Ok(ids.iter().filter_map(|id| tasks.remove(id)).collect())
    }

    /// When and as which task each execution of a list was made whose marker names the task.
    async fn made_by(&self, list: &str, noun: &str, parent: &Task) -> Result<Vec<(Option<Timestamp>, TaskId)>> {
        let since = parent.start_time.or(parent.queue_time).map(|began| later(began, -LOOK_BACK));
        let mut young = |one: &MarkedExecution| one.created.is_none_or(|at| since.is_none_or(|since| at >= since));
        let recent = self.client().list_made(&self.route(list), noun, None, &MarkedExecution::read, &mut young).await?;
        let made = recent.into_iter().filter(|one| parent_in(&one.comments).as_deref() == Some(parent.id.as_str()));
        Ok(made.map(|one| (one.created, one.task_id)).collect())
    }
}
