//! Deployments: list them, and create exactly one.

use super::address::Route;
use super::decode::{Links, document};
use super::executions::{NewExecution, Subject, given};
use super::id::{ChannelId, DeploymentId, EnvironmentId, FreezeId, ProjectId, ReleaseId, TaskId, TenantId, UserId, VariableSetId};
use super::spaces::SpaceClient;
use super::tasks::{Task, TaskArguments, TaskState};
use crate::error::Result;
use jiff::Timestamp;
use serde_json::{Value, json};

document! {
    /// A deployment (octopus-api.md §15). Its state is that of its task.
    Deployment, "deployment" {
        /// Id as the server wrote it.
        id: DeploymentId = "Id",
        /// Name, e.g. `Deploy to Production`.
        name: String = "Name",
        /// Its release.
        release_id: ReleaseId = "ReleaseId",
        /// Project that it belongs to.
        project_id: ProjectId = "ProjectId",
        /// Its channel.
        channel_id: Option<ChannelId> = "ChannelId",
        /// Its environment.
        environment_id: EnvironmentId = "EnvironmentId",
        /// Its tenant.
        tenant_id: Option<TenantId> = "TenantId",
        /// Its task.
        task_id: TaskId = "TaskId",
        /// Comment; ends with our marker when we created it.
        comments: String = "Comments",
        /// When it was created.
        created: Option<Timestamp> = "Created",
        /// When it was scheduled for.
        queue_time: Option<Timestamp> = "QueueTime",
        /// By when it must have started.
        queue_time_expiry: Option<Timestamp> = "QueueTimeExpiry",
        /// Who created it: a user's name, or `System`.
        deployed_by: String = "DeployedBy",
        /// The id of that user; none for what the server created itself.
        deployed_by_id: Option<UserId> = "DeployedById",
        /// Whether only these machines were meant; empty is all.
        specific_machine_ids: Vec<String> = "SpecificMachineIds",
        /// Machines left out.
        excluded_machine_ids: Vec<String> = "ExcludedMachineIds",
        /// Actions left out.
        skip_actions: Vec<String> = "SkipActions",
        /// Whether failures wait for guidance.
        use_guided_failure: bool = "UseGuidedFailure",
        /// Its variables, output variables included; absent while they are not kept.
        manifest_variable_set_id: Option<VariableSetId> = "ManifestVariableSetId",
        /// Links, of which the one to the page for people is kept.
        links: Links = "Links",
    }
}

impl Task {
    /// The task of a deployment that was created just now, as far as that is known without asking: it is queued.
    /// Saves a request for each of many deployments. `raw` is null until the server was asked.
    pub fn of_new(deployment: &Deployment) -> Self {
        Self {
            arguments: Some(TaskArguments { deployment_id: Some(deployment.id.clone()) }),
            queue_time: deployment.queue_time.or(deployment.created),
            ..Self::queued(&deployment.task_id, &deployment.name)
        }
    }
}

/// The release that is deployed, with the settings that only deployments have (octopus-api.md §15).
#[derive(Clone, Debug, Default)]
pub struct ReleaseToDeploy {
    /// The project of the release: where to look when an answer is lost.
    pub project: ProjectId,
    /// The release.
    pub release: ReleaseId,
    /// Whether packages that are installed already are installed again.
    pub force_package_redeployment: bool,
    /// `None`, `Log` or `Debug`; the server's own rule when absent.
    pub debug_mode: Option<String>,
    /// Settings of a change request (ServiceNow and the like).
    pub change_request_settings: Option<Value>,
    /// Freezes to override, and why.
    pub freeze_override: Option<(Vec<FreezeId>, String)>,
}

/// A deployment to be created.
pub type NewDeployment = NewExecution<ReleaseToDeploy>;

impl NewDeployment {
    /// A deployment with what it must have.
    pub fn new(project: &ProjectId, release: &ReleaseId, environment: &EnvironmentId) -> Self {
        let subject = ReleaseToDeploy { project: project.clone(), release: release.clone(), ..ReleaseToDeploy::default() };
        Self::of(subject, environment)
    }
}

impl Subject for ReleaseToDeploy {
    type Made = Deployment;
    const COLLECTION: &'static str = "deployments";
    const REPLACES: bool = true;

    fn route(&self, space: &SpaceClient) -> Route {
        space.route(if self.freeze_override.is_some() { "deployments/override" } else { Self::COLLECTION })
    }

    fn members(&self) -> [Value; 3] {
        [
            json!({"ProjectId": self.project.as_str(), "ReleaseId": self.release.as_str()}),
            json!({"ForcePackageRedeployment": self.force_package_redeployment}),
            given(json!({"DebugMode": self.debug_mode, "ChangeRequestSettings": self.change_request_settings})),
        ]
    }

    fn filter(&self) -> (&'static str, &str) {
        ("projects", self.project.as_str())
    }

    fn wrapped(&self, body: Value) -> Value {
        match &self.freeze_override {
            Some((ids, reason)) => {
                json!({"CreateDeploymentCommand": body, "FreezeIds": ids.iter().map(FreezeId::as_str).collect::<Vec<_>>(), "Reason": reason})
            }
            None => body,
        }
    }

    fn member(&self) -> Option<&'static str> {
        self.freeze_override.as_ref().map(|_| "Deployment")
    }
}

/// Which deployments.
#[derive(Clone, Debug, Default)]
pub struct DeploymentQuery {
    /// Of these projects; empty is all. The same for the next three.
    pub projects: Vec<ProjectId>,
    /// To these environments.
    pub environments: Vec<EnvironmentId>,
    /// For these tenants.
    pub tenants: Vec<TenantId>,
    /// Of releases in these channels.
    pub channels: Vec<ChannelId>,
    /// Whose task is in this state.
    pub state: Option<TaskState>,
    /// Created then or later.
    pub created_after: Option<Timestamp>,
    /// At most so many, the newest.
    pub limit: Option<usize>,
}

impl DeploymentQuery {
    /// Whether the list, which begins with the newest, has still to be read where `one` stands.
    fn goes_back_to(&self, one: &Deployment) -> bool {
        one.created.zip(self.created_after).is_none_or(|(created, after)| created >= after)
    }
}

impl SpaceClient {
    /// A deployment by id.
    pub async fn deployment(&self, id: &DeploymentId) -> Result<Deployment> {
        self.client().fetch(&self.route("deployments").then(id)).await
    }

    /// A deployment by id; none when it is gone or not shown: retention and people delete deployments, and leave their tasks.
    pub async fn deployment_or_none(&self, id: &DeploymentId) -> Result<Option<Deployment>> {
        self.client().fetch_opt(&self.route("deployments").then(id)).await
    }

    /// Deployments, newest first.
    pub async fn deployments(&self, query: &DeploymentQuery) -> Result<Vec<Deployment>> {
        self.deployments_while(query, |one| query.goes_back_to(one)).await
    }

    /// Deployments, newest first, up to the first one that `wanted` does not want, however many there are.
    pub async fn deployments_while(
        &self,
        query: &DeploymentQuery,
        wanted: impl FnMut(&Deployment) -> bool + Send,
    ) -> Result<Vec<Deployment>> {
        self.client().list_while(&self.deployments_route(query), query.limit, wanted).await
    }

    /// Gives deployments, newest first, to `take`, which returns how many bytes it keeps of each: for lists of years.
    pub async fn each_deployment(&self, query: &DeploymentQuery, mut take: impl FnMut(Deployment) -> usize + Send) -> Result<()> {
        let take = |one| if query.goes_back_to(&one) { Some(take(one)) } else { None };
        self.client().each(&self.deployments_route(query), query.limit, take).await
    }

    fn deployments_route(&self, query: &DeploymentQuery) -> Route {
        self.route("deployments")
            .list("projects", &query.projects)
            .list("environments", &query.environments)
            .list("tenants", &query.tenants)
            .list("channels", &query.channels)
            .maybe("taskState", query.state.as_ref())
    }
}
