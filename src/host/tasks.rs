//! Functions of tasks: find them, look again, cancel.

use super::prelude::*;
use super::{
    call::ScriptCall,
    references::{EnvironmentRef, ProjectRef, Ref},
    space::Space,
    task::Task,
};
use crate::api::TaskId;

/// Reads one task or a list of tasks that a script gives. Lists may be nested, e.g. what `parallel` returned.
pub fn tasks_of(host: &ScriptCall<'_>, value: Dynamic) -> HostResult<Vec<Task>> {
    if let Some(task) = value.clone().try_cast::<Task>() {
        return Ok(vec![task]);
    }
    if value.is_array() {
        let mut all = Vec::new();
        for item in value.into_array().unwrap_or_default() {
            all.extend(tasks_of(host, item)?);
        }
        return Ok(all);
    }
    if value.is_unit() {
        // `ensure` starts nothing when the release is there already.
        return Ok(Vec::new());
    }
    if value.is_string() {
        return Ok(vec![find(host, &value.to_string())?]);
    }
    Err(Error::new(Kind::Script, format!("`{}` takes a task or a list of tasks; got {}", host.function(), type_in_words(&value)))
        .help("`deploy`, `promote`, `run_runbook`, `running` and `task(\"ServerTasks-1\")` return tasks")
        .into())
}

/// The task with an id.
pub fn find(host: &Host, id: &str) -> Result<Task> {
    let place = host.place();
    host.block(async {
        let seen = place.space.task(&TaskId::from(id)).await?;
        Task::of(&place, seen).await
    })
}

crate::functions! {
    group "query";

    /// The server task with an id.
    ///
    /// ```rhai
    /// let t = deploy("Project A", "latest", "Test");
    /// print(task(t.id).title);
    /// ```
    fn task(host: Host, id: Name) -> "Task" raises "not_found, request" {
        Ok(find(&host, &id)?)
    }

    /// The tasks of deployments of `project` to `env` that are queued or running; without `env` to any environment.
    /// Without `project` all that run in the space. A deployment that waits for a person counts; one that is scheduled for
    /// later does not.
    ///
    /// ```rhai
    /// for t in running("Project B", "Test") { print(t.title); }
    /// ```
    fn running(host: Host; project: Option<ProjectRef>, env: Option<EnvironmentRef>) -> "list of Task" raises "not_found, ambiguous, request" {
        let place = host.place();
        Ok(host.block(active(&place, project.as_deref(), env.as_deref()))?)
    }

    /// Looks again and returns the task.
    ///
    /// ```rhai
    /// let t = deploy("Project A", "latest", "Test");
    /// print(t.refresh().state);
    /// ```
    fn refresh[task: Task](host: Host) -> "Task" raises "not_found, request" {
        host.block(task.look(&host))?;
        Ok(task)
    }

    group "act";

    /// Cancels the task on the server. A complete one is left alone. The task is complete a little later: `wait` for it
    /// with `settle`.
    ///
    /// ```rhai
    /// let t = deploy("Project A", "latest", "Test");
    /// t.cancel();
    /// settle(t);
    /// ```
    fn cancel[task: Task](host: Host) -> "Task" raises "refused, request" {
        host.effect("cancel", &task.id.to_string().into(), |_| async { task.cancel(&host).await })?;
        Ok(task.clone())
    }

    /// Gives up a deployment or runbook run that hangs after it was cancelled: one that has been `Cancelling` for more than ten
    /// minutes (servers since 2026.3). It is `Canceled` then, but scripts that it started on deployment targets may run on, so nothing does this by
    /// itself.
    ///
    /// ```rhai
    /// let t = deploy("Project A", "latest", "Test");
    /// t.cancel();
    /// if t.refresh().state == "Cancelling" { t.abandon(); }
    /// ```
    fn abandon[task: Task](host: Host) -> "Task" raises "refused, not_found, request" {
        host.effect("abandon", &task.id.to_string().into(), |_| async { task.place.space.abandon_task(&task.id).await.map(|_| ()) })?;
        Ok(task.clone())
    }

    /// Moves a queued task to the top of the server's queue.
    ///
    /// ```rhai
    /// deploy("Project A", "latest", "Test").prioritize();
    /// ```
    fn prioritize[task: Task](host: Host) -> "Task" raises "refused, request" {
        host.effect("prioritize", &task.id.to_string().into(), |_| async { task.place.space.prioritize_task(&task.id).await.map(|_| ()) })?;
        Ok(task.clone())
    }
}

/// Deployments that are queued, run or wait for a person.
pub async fn active(place: &Space, project: Option<&Ref>, env: Option<&Ref>) -> Result<Vec<Task>> {
    let mut query = api::TaskQuery::default();
    if let Some(project) = project {
        query.project = Some(place.project(project).await?.id.clone());
    }
    if let Some(env) = env {
        query.environment = Some(place.environment(env).await?.id.clone());
    }
    under_way(place, query).await
}

/// Deployments of `query` that are queued, run or wait for a person, newest first. What is scheduled for later is not under way: it
/// may be cancelled, or its release deleted, before its time comes.
pub async fn under_way(place: &Space, query: api::TaskQuery) -> Result<Vec<Task>> {
    let query = api::TaskQuery { active: true, name: Some("Deploy".to_owned()), ..query };
    let seen = place.space.tasks(&query).await?;
    let now = place.client.moment();
    let mut tasks = Vec::new();
    for seen in seen {
        let task = Task::of(place, seen).await?;
        if !task.is_planned(now) {
            tasks.push(task);
        }
    }
    Ok(tasks)
}

/// A list for the script.
pub fn array(tasks: Vec<Task>) -> Array {
    tasks.into_iter().map(Dynamic::from).collect()
}
