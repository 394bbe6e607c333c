//! Server tasks: read them one by one or in batches, their logs, and act on them.

use super::address::Route;
use super::by_ids::BATCH;
use super::decode::{FromJson, document, part, words};
use super::id::{DeploymentId, EnvironmentId, ProjectId, RunbookId, TaskId, TenantId};
use super::repeatable_writes::is_doubt;
use super::spaces::SpaceClient;
use crate::error::{Error, Kind, Result};
use crate::json::JsonSlice;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use std::{collections::HashMap, sync::Arc};

words! {
    /// The state of a task (octopus-api.md §18.2; the numbers are those of old servers).
    TaskState {
        /// Waits for its turn, or for a person when it has started already.
        Queued = 1,
        /// Runs.
        Executing = 2,
        /// Ended badly.
        Failed = 3,
        /// Was cancelled.
        Canceled = 4,
        /// Did not start in time.
        TimedOut = 5,
        /// Ended well, possibly with warnings.
        Success = 6,
        /// Is being cancelled.
        Cancelling = 8,
    }
}

impl TaskState {
    /// Whether the task is at its end.
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Success | Self::Failed | Self::Canceled | Self::TimedOut)
    }
}

document! {
    /// A server task (octopus-api.md §18.2).
    Task, "task" {
        /// Id as the server wrote it.
        id: TaskId = "Id",
        /// What it does, for people; not to be parsed.
        description: String = "Description",
        /// State.
        state: TaskState = "State",
        /// Whether it is at its end, as the server says it; see [`Task::is_completed`].
        completed_flag: bool = "IsCompleted",
        /// Whether it waits at an interruption, as the server says it; see [`Task::is_interrupted`].
        has_pending_interruptions: bool = "HasPendingInterruptions",
        /// The types of the interruptions at which it waits; servers before 2026.1.420 do not say them.
        pending_interruption_types: Vec<String> = "PendingInterruptionTypes",
        /// Whether something must happen before it may start, as the server says it; see [`Task::waits_for_approval`].
        has_pending_preconditions: bool = "HasPendingPreconditions",
        /// What must happen before it may start (`Approval`); old servers do not say it.
        pending_precondition_types: Vec<String> = "PendingPreconditionTypes",
        /// Whether something was worth a warning; also true for some that succeeded.
        has_warnings_or_errors: bool = "HasWarningsOrErrors",
        /// When it was queued; in the future for scheduled work.
        queue_time: Option<Timestamp> = "QueueTime",
        /// When it first started.
        start_time: Option<Timestamp> = "StartTime",
        /// When it ended.
        completed_time: Option<Timestamp> = "CompletedTime",
        /// The server's error message; empty when there is none.
        error_message: String = "ErrorMessage",
        /// By when it must have started.
        queue_time_expiry: Option<Timestamp> = "QueueTimeExpiry",
        /// What it is about.
        arguments: Option<TaskArguments> = "Arguments",
    }
}

part! {
    /// What a task is about.
    TaskArguments {
        /// The deployment.
        deployment_id: Option<DeploymentId> = "DeploymentId",
    }
}

impl Task {
    /// A task that was created just now, as far as that is known without asking.
    pub fn queued(id: &TaskId, description: &str) -> Self {
        Self { id: id.clone(), description: description.to_owned(), state: TaskState::Queued, ..Self::default() }
    }

    /// The deployment it carries out.
    pub fn deployment_id(&self) -> Option<&DeploymentId> {
        self.arguments.as_ref()?.deployment_id.as_ref()
    }

    /// Whether it is at its end: the state decides, and the flag where the state is unknown to us.
    pub fn is_completed(&self) -> bool {
        self.state.is_final() || (self.completed_flag && matches!(self.state, TaskState::Other(_)))
    }

    /// Whether it ended well.
    pub fn finished_successfully(&self) -> bool {
        self.state == TaskState::Success
    }

    /// Whether it waits at an interruption; may be stale for a moment (octopus-api.md §19.1). Old servers send only the flag, new
    /// ones a list beside it, of which their own client works out the flag.
    pub fn is_interrupted(&self) -> bool {
        self.has_pending_interruptions || !self.pending_interruption_types.is_empty()
    }

    /// Whether a person must answer, rather than a machine: a manual intervention or guidance. Where the server does not say what is
    /// waited for, it may be a person.
    pub fn asks_a_person(&self) -> bool {
        let types = &self.pending_interruption_types;
        self.is_interrupted() && (types.is_empty() || types.iter().any(|kind| is_for_people(kind)))
    }

    /// Whether something must be done before it may start.
    pub fn waits_for_preconditions(&self) -> bool {
        self.state == TaskState::Queued && (self.has_pending_preconditions || !self.pending_precondition_types.is_empty())
    }

    /// Whether a change request must be approved before it may start. A server that says no types knows no others.
    pub fn waits_for_approval(&self) -> bool {
        let types = &self.pending_precondition_types;
        self.waits_for_preconditions() && (types.is_empty() || types.iter().any(|kind| kind == "Approval"))
    }

    /// Whether it ever started. A queued task that has started waits for a person or for its next turn.
    pub fn has_started(&self) -> bool {
        self.start_time.is_some()
    }
}

/// Whether interruptions of a type are answered by people (octopus-api.md §19); the others end when a machine has done something.
pub fn is_for_people(kind: &str) -> bool {
    matches!(kind, "ManualIntervention" | "GuidedFailure")
}

words! {
    /// The state of a node of a task's log (octopus-api.md §18.5).
    ActivityStatus {
        /// Has not begun.
        Pending,
        /// Runs.
        Running,
        /// Ended well.
        Success,
        /// Ended badly.
        Failed,
        /// Was left out.
        Skipped,
        /// Ended well, with warnings.
        SuccessWithWarning,
        /// Was cancelled.
        Canceled,
    }
}

part! {
    /// A node of a task's log: the task, a step, a machine.
    Activity {
        /// Name, e.g. `Step 1: Deploy web`.
        name: String = "Name",
        /// Status.
        status: ActivityStatus = "Status",
        /// Lines.
        log: Vec<LogLine> = "LogElements",
        /// What it consists of.
        children: Vec<Activity> = "Children",
    }
}

part! {
    /// A line of a task's log.
    LogLine {
        /// `Info`, `Warning`, `Error`, `Fatal`, ...: an open set.
        category: String = "Category",
        /// The text.
        text: String = "MessageText",
    }
}

document! {
    /// A task with its log (octopus-api.md §18.5).
    TaskDetails, "task details" {
        /// The task.
        task: Task = "Task",
        /// The log; empty before the task starts.
        activity: Vec<Activity> = "ActivityLogs",
        /// How far it is.
        progress: Option<Progress> = "Progress",
    }
}

part! {
    /// How far a task is.
    Progress {
        /// 0 to 100; 0 again once the task is complete.
        percentage: i64 = "ProgressPercentage",
    }
}

document! {
    /// A node of the server: a process that runs tasks.
    Node, "server node" {
        /// Name as people see it in the portal.
        name: String = "Name",
        /// Whether it takes no new tasks.
        is_in_maintenance: bool = "IsInMaintenanceMode",
        /// How many tasks it runs at a time.
        slots: i64 = "MaxConcurrentTasks",
    }
}

document! {
    /// Whether the server runs no tasks, so that people can work on it.
    Maintenance, "maintenance mode" {
        /// Whether it is on.
        is_on: bool = "IsInMaintenanceMode",
    }
}

/// Which tasks (octopus-api.md §18.3).
#[derive(Clone, Debug, Default)]
pub struct TaskQuery {
    /// Of this project.
    pub project: Option<ProjectId>,
    /// To this environment.
    pub environment: Option<EnvironmentId>,
    /// For this tenant.
    pub tenant: Option<TenantId>,
    /// Of this runbook.
    pub runbook: Option<RunbookId>,
    /// Of this type, e.g. `Deploy`.
    pub name: Option<String>,
    /// In one of these states; empty is all.
    pub states: Vec<TaskState>,
    /// Not complete.
    pub active: bool,
    /// Executing or cancelling.
    pub running: bool,
    /// Waiting for a person. The filter had false positives (2024.1 to 2025.2): look at the tasks again.
    pub has_pending_interruptions: bool,
    /// Waiting for something before they may start. Servers before 2026.2 do not know the filter and send all: look at the tasks again.
    pub has_pending_preconditions: bool,
    /// At most so many, the newest.
    pub limit: Option<usize>,
}

/// The error for ids the server does not know, or does not show: it drops them silently (octopus-api.md §6).
pub(crate) fn unknown_tasks(ids: &[TaskId]) -> Error {
    let names = ids.iter().map(|id| format!("`{id}`")).collect::<Vec<_>>().join(", ");
    let (noun, verb) = if ids.len() == 1 { ("task", "is") } else { ("tasks", "are") };
    Error::new(
        Kind::NotFound,
        format!("{noun} {names} {verb} unknown to the server, or you may not see {}", if ids.len() == 1 { "it" } else { "them" }),
    )
    .with("tasks", ids.iter().map(Value::from).collect::<Vec<_>>())
}

impl SpaceClient {
    fn task_route(&self, id: &TaskId) -> Route {
        self.route("tasks").then(id)
    }

    /// A task.
    pub async fn task(&self, id: &TaskId) -> Result<Task> {
        match self.client().fetch_opt(&self.task_route(id)).await? {
            Some(task) => Ok(task),
            None => Err(unknown_tasks(std::slice::from_ref(id)).with("task", id)),
        }
    }

    /// Those of the tasks that the server knows, a hundred a request.
    pub(crate) async fn known_tasks(&self, ids: &[TaskId]) -> Result<HashMap<TaskId, Task>> {
        let mut found = HashMap::with_capacity(ids.len());
        self.each_known_task(ids, |task| drop(found.insert(task.id.clone(), task))).await?;
        Ok(found)
    }

    /// Gives those of the tasks that the server knows to `take`, one after the other.
    pub(crate) async fn each_known_task(&self, ids: &[TaskId], take: impl FnMut(Task) + Send) -> Result<()> {
        // `take` must be said: 30 is the default even for ids.
        self.client().each_by_id(&self.route("tasks"), ids, Some(BATCH), &Task::read, take).await
    }

    /// [`SpaceClient::each_known_task`] where a task that is as it was `before` is not read again: most are, each time they are polled.
    pub(super) async fn each_polled_task(
        &self,
        ids: &[TaskId],
        before: impl Fn(TaskId) -> Option<Arc<Task>> + Sync,
        take: impl FnMut(Arc<Task>) + Send,
    ) -> Result<()> {
        let make = |json: JsonSlice<'_>| {
            let id = json.get("Id").and_then(JsonSlice::text);
            match id.and_then(|id| before((*id).into())).filter(|before| before.raw.as_str() == json.as_str()) {
                Some(unchanged) => Ok(unchanged),
                None => Arc::<Task>::read(json),
            }
        };
        self.client().each_by_id(&self.route("tasks"), ids, Some(BATCH), &make, take).await
    }

    /// Tasks, newest first.
    pub async fn tasks(&self, query: &TaskQuery) -> Result<Vec<Task>> {
        let states: Vec<&str> = query.states.iter().map(TaskState::as_str).collect();
        let route = self
            .route("tasks")
            .maybe("project", query.project.as_ref())
            .maybe("environment", query.environment.as_ref())
            .maybe("tenant", query.tenant.as_ref())
            .maybe("runbook", query.runbook.as_ref())
            .maybe("name", query.name.as_ref())
            .list("states", &states)
            .maybe("active", query.active.then_some("true"))
            .maybe("running", query.running.then_some("true"))
            .maybe("hasPendingInterruptions", query.has_pending_interruptions.then_some("true"))
            .maybe("hasPendingPreconditions", query.has_pending_preconditions.then_some("true"));
        self.client().list(&route, query.limit).await
    }

    /// A task with its log tree.
    pub async fn task_details(&self, id: &TaskId) -> Result<TaskDetails> {
        self.client().fetch(&self.task_route(id).then("details")).await
    }

    /// A task's log as text.
    pub async fn task_log(&self, id: &TaskId) -> Result<String> {
        self.client().get_text(self.task_route(id).then("raw").as_str()).await
    }

    /// The first `limit` of the tasks that must end before this one starts, and how many they are in all.
    pub async fn queued_behind(&self, id: &TaskId, limit: usize) -> Result<(Vec<Task>, usize)> {
        let route = self.task_route(id).then("queued-behind");
        self.client().list_first(&route, limit).await
    }

    /// The nodes of the server; none when we may not know them.
    pub async fn nodes(&self) -> Result<Vec<Node>> {
        match self.client().list(&Route::new("/api/octopusservernodes"), None).await {
            Err(error) if matches!(error.kind(), Kind::NotFound | Kind::Forbidden) => Ok(Vec::new()),
            nodes => nodes,
        }
    }

    /// Whether the whole server is in maintenance mode; false when we may not know it.
    pub async fn is_in_maintenance(&self) -> Result<bool> {
        match self.client().fetch::<Maintenance>(&Route::new("/api/maintenanceconfiguration")).await {
            Err(error) if matches!(error.kind(), Kind::NotFound | Kind::Forbidden) => Ok(false),
            maintenance => Ok(maintenance?.is_on),
        }
    }

    /// How many tasks the nodes of the server run at a time, all in all (octopus-api.md §19); none when we may not know.
    pub async fn slots(&self) -> Result<Option<u64>> {
        let nodes = self.nodes().await?;
        let running = nodes.iter().filter(|node| !node.is_in_maintenance);
        let slots = running.filter_map(|node| u64::try_from(node.slots).ok()).fold(0, u64::saturating_add);
        Ok(Some(slots).filter(|slots| *slots > 0))
    }

    /// Cancels a task and returns how it is now. One that has ended stays as it is; that is no error.
    pub async fn cancel_task(&self, id: &TaskId) -> Result<Task> {
        self.act(id, "cancel", |task| task.is_completed() || task.state == TaskState::Cancelling).await
    }

    /// Moves a queued task to the top of the queue (servers since 2023.4.6612).
    pub async fn prioritize_task(&self, id: &TaskId) -> Result<Task> {
        self.act(id, "prioritize", Task::has_started).await
    }

    /// Gives up a deployment or run that has been cancelling for more than ten minutes (servers since 2026.3). Scripts that it started may run on.
    pub async fn abandon_task(&self, id: &TaskId) -> Result<Task> {
        let abandoned = self.act(id, "abandon", Task::is_completed).await;
        // The task was read after the request, so it is the endpoint that is not there.
        let is_old = |error: &Error| error.kind() == Kind::NotFound;
        abandoned.map_err(|error| if is_old(&error) { error.help("servers before 2026.3 cannot abandon a task") } else { error })
    }

    /// Posts to an endpoint of a task that may be posted to twice, and reads the task.
    ///
    /// A lost answer or a refusal is no error when the task already `is` as wanted. Doing it twice does no harm, so
    /// after a lost answer it is done again.
    async fn act(&self, id: &TaskId, verb: &str, is: impl Fn(&Task) -> bool) -> Result<Task> {
        let mut pause = SignedDuration::from_secs(1);
        let mut attempt = 0;
        loop {
            let outcome = self.client().send("POST", self.task_route(id).then(verb).as_str(), None).await;
            let task = self.task(id).await?;
            match outcome {
                Ok(_) => return Ok(task),
                Err(error) if (is_doubt(&error) || error.kind().is_refusal()) && is(&task) => return Ok(task),
                Err(error) if is_doubt(&error) && attempt < 5 => {}
                Err(error) => return Err(error),
            }
            self.client().rest(pause).await?;
            pause *= 2;
            attempt += 1;
        }
    }
}
