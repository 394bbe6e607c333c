//! Runbooks and their runs.

use super::decode::{Links, document};
use super::encode::editable;
use super::executions::{NewExecution, Subject};
use super::id::{EnvironmentId, ProjectId, RunbookId, RunbookRunId, RunbookSnapshotId, TaskId, UserId, VariableSetId};
use super::meant::Meant;
use super::projects::Project;
use super::resource::{named, pick};
use super::spaces::SpaceClient;
use super::tasks::Task;
use crate::error::{Error, Kind, Result};
use jiff::Timestamp;
use serde_json::{Value, json};

editable! {
    /// A runbook (octopus-api.md §17).
    Runbook, "runbook" {
        /// Id as the server wrote it.
        id: RunbookId = "Id",
        /// Name as people see it in the portal.
        name: String = "Name",
        /// Slug.
        slug: String = "Slug",
        /// What it is for.
        description: String = "Description",
        /// Tags, as `Set/Tag`.
        tags: Vec<String> = "RunbookTags",
        /// The snapshot that is run unless another is named.
        published_snapshot_id: Option<RunbookSnapshotId> = "PublishedRunbookSnapshotId",
    }
}
named!(Runbook, RunbookId);

impl Runbook {
    /// The snapshot that is run unless another is named.
    ///
    /// # Errors
    /// `not_found` when nothing was published yet.
    pub(super) fn published(&self) -> Result<&RunbookSnapshotId> {
        self.published_snapshot_id.as_ref().ok_or_else(|| {
            Error::new(Kind::NotFound, format!("runbook `{}` has no published snapshot", self.name))
                .help("publish one in the project's runbook")
        })
    }
}

document! {
    /// A run of a runbook. Its state is that of its task.
    RunbookRun, "runbook run" {
        /// Id as the server wrote it.
        id: RunbookRunId = "Id",
        /// Name, e.g. `Run Backup`.
        name: String = "Name",
        /// Its runbook.
        runbook_id: RunbookId = "RunbookId",
        /// Project that it belongs to.
        project_id: Option<ProjectId> = "ProjectId",
        /// Where it runs.
        environment_id: Option<EnvironmentId> = "EnvironmentId",
        /// The variables it ran with, and what its steps have put out.
        manifest_variable_set_id: Option<VariableSetId> = "ManifestVariableSetId",
        /// Its task.
        task_id: TaskId = "TaskId",
        /// Who created it: a user's name, or `System`.
        deployed_by: String = "DeployedBy",
        /// The id of that user; none for what the server created itself.
        deployed_by_id: Option<UserId> = "DeployedById",
        /// Whether only these machines were meant; empty is all.
        specific_machine_ids: Vec<String> = "SpecificMachineIds",
        /// Machines left out.
        excluded_machine_ids: Vec<String> = "ExcludedMachineIds",
        /// Comment; ends with our marker when we created it.
        comments: String = "Comments",
        /// When it was created.
        created: Option<Timestamp> = "Created",
        /// When it was scheduled for.
        queue_time: Option<Timestamp> = "QueueTime",
        /// Links, of which the one to the page for people is kept.
        links: Links = "Links",
    }
}

impl Task {
    /// [`Task::of_new`] for a runbook run.
    pub fn of_new_run(run: &RunbookRun) -> Self {
        Self { queue_time: run.queue_time.or(run.created), ..Self::queued(&run.task_id, &run.name) }
    }
}

/// The runbook that is run.
#[derive(Clone, Debug, Default)]
pub struct RunbookToRun {
    /// The runbook.
    pub runbook: RunbookId,
    /// The snapshot: the published one, unless another is named.
    pub snapshot: Option<RunbookSnapshotId>,
}

/// A runbook run to be created.
pub type NewRunbookRun = NewExecution<RunbookToRun>;

impl NewRunbookRun {
    /// A run of the published snapshot; `not_found` when nothing was published yet.
    pub fn new(runbook: &Runbook, environment: &EnvironmentId) -> Result<Self> {
        let snapshot = Some(runbook.published()?.clone());
        Ok(Self::of(RunbookToRun { runbook: runbook.id.clone(), snapshot }, environment))
    }
}

impl Subject for RunbookToRun {
    type Made = RunbookRun;
    const COLLECTION: &'static str = "runbookRuns";
    const REPLACES: bool = false;

    fn members(&self) -> [Value; 3] {
        let snapshot = self.snapshot.as_ref().map(RunbookSnapshotId::as_str);
        [json!({"RunbookId": self.runbook.as_str(), "RunbookSnapshotId": snapshot}), Value::Null, Value::Null]
    }

    fn filter(&self) -> (&'static str, &str) {
        ("runbooks", self.runbook.as_str())
    }
}

impl SpaceClient {
    /// A project's runbooks; those in Git as they are on the default branch.
    pub async fn runbooks(&self, project: &Project) -> Result<Vec<Runbook>> {
        let route = self.route("projects").then(&project.id).then_maybe(project.branch_of_runbooks()).then("runbooks");
        self.client().list(&route, None).await
    }

    /// A runbook by id.
    pub async fn runbook(&self, id: &RunbookId) -> Result<Runbook> {
        self.client().fetch(&self.route("runbooks").then(id)).await
    }

    /// The runbook of `project` called `wanted`: id, slug or name.
    pub async fn find_runbook<'a>(&self, project: &Project, wanted: impl Into<Meant<'a>>) -> Result<Runbook> {
        pick(self.runbooks(project).await?, wanted).map_err(|error| error.context(format!("project `{}`", project.name)))
    }

    /// A run by id.
    pub async fn runbook_run(&self, id: &RunbookRunId) -> Result<RunbookRun> {
        self.client().fetch(&self.route("runbookRuns").then(id)).await
    }
}
