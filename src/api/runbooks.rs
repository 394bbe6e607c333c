//! Runbooks and their runs.

use super::decode::{Links, document};
use super::encode::editable;
use super::id::{EnvironmentId, ProjectId, RunbookId, RunbookRunId, RunbookSnapshotId, TaskId, TenantId, UserId, VariableSetId};
use super::marked::{Creation, DOUBT_PATIENCE, LIFE, Marked, Sending};
use super::projects::Project;
use super::resource::{named, pick};
use super::spaces::SpaceClient;
use super::tasks::TaskState;
use crate::error::{Error, Kind, Result};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

editable! {
    /// A runbook (octopus-api.md §17).
    Runbook, "runbook" {
        /// Id.
        id: RunbookId = "Id",
        /// Name.
        name: String = "Name",
        /// Slug.
        slug: String = "Slug",
        /// Description.
        description: String = "Description",
        /// Its project.
        project_id: ProjectId = "ProjectId",
        /// The snapshot that is run unless another is named.
        published_snapshot_id: Option<RunbookSnapshotId> = "PublishedRunbookSnapshotId",
        /// `All`, `Specified`, `FromProjectLifecycles`.
        environment_scope: String = "EnvironmentScope",
        /// Where it may run, when `Specified`.
        environments: Vec<EnvironmentId> = "Environments",
    }
}
named!(Runbook, RunbookId);

document! {
    /// A run of a runbook. Its state is that of its task.
    RunbookRun, "runbook run" {
        /// Id.
        id: RunbookRunId = "Id",
        /// Name, e.g. `Run Backup`.
        name: String = "Name",
        /// Its runbook.
        runbook_id: RunbookId = "RunbookId",
        /// Its snapshot.
        runbook_snapshot_id: Option<RunbookSnapshotId> = "RunbookSnapshotId",
        /// Its project.
        project_id: Option<ProjectId> = "ProjectId",
        /// Its environment.
        environment_id: EnvironmentId = "EnvironmentId",
        /// Its tenant.
        tenant_id: Option<TenantId> = "TenantId",
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
        /// By when it must have started.
        queue_time_expiry: Option<Timestamp> = "QueueTimeExpiry",
        /// Links.
        links: Links = "Links",
    }
}

impl Marked for RunbookRun {
    fn comments(&self) -> &str {
        &self.comments
    }
    fn created(&self) -> Option<Timestamp> {
        self.created
    }
    fn task_id(&self) -> Option<&TaskId> {
        Some(&self.task_id)
    }
    fn number(&self) -> u64 {
        self.id.number()
    }
    fn expires(&self) -> Option<Timestamp> {
        self.queue_time_expiry
    }
    fn replaces(&self, _: &Self) -> bool {
        false
    }
}

/// A run to be created.
#[derive(Clone, Debug)]
pub struct NewRunbookRun {
    /// The runbook.
    pub runbook: RunbookId,
    /// The snapshot: the published one, unless another is named.
    pub snapshot: Option<RunbookSnapshotId>,
    /// The environment.
    pub environment: EnvironmentId,
    /// The tenant.
    pub tenant: Option<TenantId>,
    /// A comment for people; the marker is put after it.
    pub comments: String,
    /// Whether failures wait for guidance; the server's own rule when absent.
    pub use_guided_failure: Option<bool>,
    /// Whether packages are fetched again.
    pub force_package_download: bool,
    /// Ids of actions to leave out.
    pub skip_actions: Vec<String>,
    /// Only these machines; empty is all.
    pub specific_machines: Vec<String>,
    /// Not these machines.
    pub excluded_machines: Vec<String>,
    /// Values for prompted variables, by the GUID of the form's element.
    pub form_values: BTreeMap<String, String>,
    /// When to start; at once when absent.
    pub queue_time: Option<Timestamp>,
    /// By when it must have started; [`queue_expiry`](Self::queue_expiry) from now (or from the queue time) when absent.
    pub queue_time_expiry: Option<Timestamp>,
    /// How long it may wait for its start: 6 hours.
    pub queue_expiry: SignedDuration,
    /// `LifecycleDefault`, `On`, `Off`; the server's own rule when absent.
    pub priority: Option<String>,
    /// How long we look for the run when the answer is lost, before we give up in doubt: 10 minutes.
    pub doubt_patience: SignedDuration,
}

impl NewRunbookRun {
    /// A run of the published snapshot; `not_found` when nothing was published yet.
    pub fn new(runbook: &Runbook, environment: &EnvironmentId) -> Result<Self> {
        let snapshot = runbook.published_snapshot_id.clone().ok_or_else(|| {
            Error::new(Kind::NotFound, format!("runbook `{}` has no published snapshot", runbook.name))
                .help("publish one in the project's runbook")
        })?;
        Ok(Self {
            runbook: runbook.id.clone(),
            snapshot: Some(snapshot),
            environment: environment.clone(),
            tenant: None,
            comments: String::new(),
            use_guided_failure: None,
            force_package_download: false,
            skip_actions: Vec::new(),
            specific_machines: Vec::new(),
            excluded_machines: Vec::new(),
            form_values: BTreeMap::new(),
            queue_time: None,
            queue_time_expiry: None,
            queue_expiry: LIFE,
            priority: None,
            doubt_patience: DOUBT_PATIENCE,
        })
    }

    fn body(&self) -> Value {
        let form_values: Map<String, Value> = self.form_values.iter().map(|(k, v)| (k.clone(), v.clone().into())).collect();
        let mut body = json!({
            "RunbookId": self.runbook.as_str(),
            "RunbookSnapshotId": self.snapshot.as_ref().map(RunbookSnapshotId::as_str),
            "EnvironmentId": self.environment.as_str(),
            "TenantId": self.tenant.as_ref().map(TenantId::as_str),
            "ForcePackageDownload": self.force_package_download,
            "SkipActions": self.skip_actions,
            "SpecificMachineIds": self.specific_machines,
            "ExcludedMachineIds": self.excluded_machines,
            "FormValues": form_values,
        });
        if let Some(guided) = self.use_guided_failure {
            body["UseGuidedFailure"] = guided.into();
        }
        if let Some(priority) = &self.priority {
            body["Priority"] = priority.as_str().into();
        }
        body
    }
}

/// Which runs.
#[derive(Clone, Debug, Default)]
pub struct RunbookRunQuery {
    /// Of these runbooks; empty is all. The same for the next two.
    pub runbooks: Vec<RunbookId>,
    /// In these environments.
    pub environments: Vec<EnvironmentId>,
    /// For these tenants.
    pub tenants: Vec<TenantId>,
    /// Whose task is in this state.
    pub state: Option<TaskState>,
    /// At most so many, the newest.
    pub limit: Option<usize>,
}

impl SpaceClient {
    /// A project's runbooks.
    pub async fn runbooks(&self, project: &ProjectId) -> Result<Vec<Runbook>> {
        self.client().list(&self.route("projects").then(project).then("runbooks"), None).await
    }

    /// A runbook by id.
    pub async fn runbook(&self, id: &RunbookId) -> Result<Runbook> {
        self.client().fetch(&self.route("runbooks").then(id)).await
    }

    /// The runbook of `project` called `wanted`: id, slug or name.
    pub async fn find_runbook(&self, project: &Project, wanted: &str) -> Result<Runbook> {
        pick(self.runbooks(&project.id).await?, wanted).map_err(|error| error.context(format!("project `{}`", project.name)))
    }

    /// A run by id.
    pub async fn runbook_run(&self, id: &RunbookRunId) -> Result<RunbookRun> {
        self.client().fetch(&self.route("runbookRuns").then(id)).await
    }

    /// Runs, newest first.
    pub async fn runbook_runs(&self, query: &RunbookRunQuery) -> Result<Vec<RunbookRun>> {
        let route = self
            .route("runbookRuns")
            .list("runbooks", &query.runbooks)
            .list("environments", &query.environments)
            .list("tenants", &query.tenants)
            .maybe("taskState", query.state.as_ref());
        self.client().list(&route, query.limit).await
    }

    /// Runs a runbook exactly once, or not at all and says why; see [`SpaceClient::create_deployment`].
    pub async fn run_runbook(&self, new: &NewRunbookRun, marker: &str) -> Result<RunbookRun> {
        self.run_remembered_runbook(new, marker, &()).await
    }

    /// [`SpaceClient::run_runbook`] for a run that can be continued.
    pub async fn run_remembered_runbook(&self, new: &NewRunbookRun, marker: &str, sending: &(dyn Sending + Sync)) -> Result<RunbookRun> {
        let creation = Creation {
            post: self.route("runbookRuns"),
            body: new.body(),
            wrap: None,
            unwrap: None,
            list: self
                .route("runbookRuns")
                .with("runbooks", &new.runbook)
                .with("environments", &new.environment)
                .maybe("tenants", new.tenant.as_ref()),
            comments: &new.comments,
            marker,
            queue_time: new.queue_time,
            expires: new.queue_time_expiry,
            life: new.queue_expiry,
            doubt_patience: new.doubt_patience,
            sending,
        };
        self.create_marked(&creation).await
    }
}
