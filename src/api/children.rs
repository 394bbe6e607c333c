//! What the steps of a task have started: found by the markers in comments, with or without a journal.

use super::{
    Deployment, RunbookRun, SpaceClient, Task, TaskId,
    marked::{LOOK_BACK, Marked, parent_in},
};
use crate::{clock::later, error::Result};
use jiff::Timestamp;

impl SpaceClient {
    /// The tasks that octorhai started in steps of the task `parent`, in the order of their start. A task that retention has taken is
    /// left out.
    pub async fn children(&self, parent: &Task) -> Result<Vec<Task>> {
        let mut found = self.made_by::<Deployment>("deployments", parent).await?;
        found.extend(self.made_by::<RunbookRun>("runbookRuns", parent).await?);
        found.sort_by_key(|(at, id)| (*at, id.number()));
        let ids: Vec<TaskId> = found.into_iter().map(|(_, id)| id).collect();
        let mut tasks = self.known_tasks(&ids).await?;
        Ok(ids.iter().filter_map(|id| tasks.remove(id)).collect())
    }

    /// When and as which task each thing of a list was made whose marker names the task.
    async fn made_by<T: Marked>(&self, list: &str, parent: &Task) -> Result<Vec<(Option<Timestamp>, TaskId)>> {
        let since = parent.start_time.or(parent.queue_time).map(|began| later(began, -LOOK_BACK));
        let young = |one: &T| one.created().is_none_or(|at| since.is_none_or(|since| at >= since));
        let recent = self.client().list_while::<T>(&self.route(list), None, young).await?;
        let made = recent.iter().filter(|one| parent_in(one.comments()).as_deref() == Some(parent.id.as_str()));
        Ok(made.filter_map(|one| Some((one.created(), one.task_id()?.clone()))).collect())
    }
}
