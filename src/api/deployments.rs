//! Deployments: list them, and create exactly one.

use super::address::Route;
use super::decode::{Links, document};
use super::id::{ChannelId, DeploymentId, EnvironmentId, FreezeId, ProjectId, ReleaseId, TaskId, TenantId, UserId, VariableSetId};
use super::marked::{Creation, DOUBT_PATIENCE, LIFE, Marked, Sending};
use super::spaces::SpaceClient;
use super::tasks::TaskState;
use crate::error::Result;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

document! {
    /// A deployment (octopus-api.md §15). Its state is that of its task.
    Deployment, "deployment" {
        /// Id.
        id: DeploymentId = "Id",
        /// Name, e.g. `Deploy to Production`.
        name: String = "Name",
        /// Its release.
        release_id: ReleaseId = "ReleaseId",
        /// Its project.
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
        /// Values for prompted variables; always empty when read back (payloads, "Deployments, releases").
        form_values: BTreeMap<String, Value> = "FormValues",
        /// Whether failures wait for guidance.
        use_guided_failure: bool = "UseGuidedFailure",
        /// Its variables, output variables included; absent while they are not kept.
        manifest_variable_set_id: Option<VariableSetId> = "ManifestVariableSetId",
        /// Links.
        links: Links = "Links",
    }
}

impl Deployment {
    /// Where a person looks at it.
    pub fn url(&self, space: &SpaceClient) -> String {
        match self.links.web() {
            Some(link) => space.web_url(link),
            None => space.web_url(&format!("/app#/{}/deployments/{}", space.space().id, self.id)),
        }
    }
}

impl Marked for Deployment {
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
    fn replaces(&self, earlier: &Self) -> bool {
        self.tenant_id == earlier.tenant_id
    }
}

/// A deployment to be created: every field of octopus-api.md §15.
#[derive(Clone, Debug)]
pub struct NewDeployment {
    /// The project of the release: where to look when an answer is lost.
    pub project: ProjectId,
    /// The release.
    pub release: ReleaseId,
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
    /// Whether packages that are installed already are installed again.
    pub force_package_redeployment: bool,
    /// Ids of actions to leave out.
    pub skip_actions: Vec<String>,
    /// Only these machines; empty is all.
    pub specific_machines: Vec<String>,
    /// Not these machines.
    pub excluded_machines: Vec<String>,
    /// Only machines with these tags; empty is all.
    pub specific_target_tags: Vec<String>,
    /// Not machines with these tags.
    pub excluded_target_tags: Vec<String>,
    /// Values for prompted variables, by the GUID of the form's element (octopus-api.md §14).
    pub form_values: BTreeMap<String, String>,
    /// When to start; at once when absent.
    pub queue_time: Option<Timestamp>,
    /// By when it must have started; [`queue_expiry`](Self::queue_expiry) from now (or from the queue time) when absent.
    pub queue_time_expiry: Option<Timestamp>,
    /// How long it may wait for its start: 6 hours.
    pub queue_expiry: SignedDuration,
    /// `LifecycleDefault`, `On`, `Off`; the server's own rule when absent.
    pub priority: Option<String>,
    /// `Off`, or a kind of debugging the server knows.
    pub debug_mode: Option<String>,
    /// Settings of a change request (ServiceNow and the like).
    pub change_request_settings: Option<Value>,
    /// Freezes to override, and why.
    pub freeze_override: Option<(Vec<FreezeId>, String)>,
    /// How long we look for the deployment when the answer is lost, before we give up in doubt: 10 minutes.
    pub doubt_patience: SignedDuration,
}

impl NewDeployment {
    /// A deployment with what it must have.
    pub fn new(project: &ProjectId, release: &ReleaseId, environment: &EnvironmentId) -> Self {
        Self {
            project: project.clone(),
            release: release.clone(),
            environment: environment.clone(),
            tenant: None,
            comments: String::new(),
            use_guided_failure: None,
            force_package_download: false,
            force_package_redeployment: false,
            skip_actions: Vec::new(),
            specific_machines: Vec::new(),
            excluded_machines: Vec::new(),
            specific_target_tags: Vec::new(),
            excluded_target_tags: Vec::new(),
            form_values: BTreeMap::new(),
            queue_time: None,
            queue_time_expiry: None,
            queue_expiry: LIFE,
            priority: None,
            debug_mode: None,
            change_request_settings: None,
            freeze_override: None,
            doubt_patience: DOUBT_PATIENCE,
        }
    }

    fn body(&self) -> Value {
        let form_values: Map<String, Value> = self.form_values.iter().map(|(k, v)| (k.clone(), v.clone().into())).collect();
        let mut body = json!({
            "ProjectId": self.project.as_str(),
            "ReleaseId": self.release.as_str(),
            "EnvironmentId": self.environment.as_str(),
            "TenantId": self.tenant.as_ref().map(TenantId::as_str),
            "ForcePackageDownload": self.force_package_download,
            "ForcePackageRedeployment": self.force_package_redeployment,
            "SkipActions": self.skip_actions,
            "SpecificMachineIds": self.specific_machines,
            "ExcludedMachineIds": self.excluded_machines,
            "FormValues": form_values,
        });
        let tags = [("SpecificTargetTagIds", &self.specific_target_tags), ("ExcludedTargetTagIds", &self.excluded_target_tags)];
        for (name, list) in tags.into_iter().filter(|(_, list)| !list.is_empty()) {
            body[name] = json!(list);
        }
        if let Some(guided) = self.use_guided_failure {
            body["UseGuidedFailure"] = guided.into();
        }
        for (name, text) in [("Priority", &self.priority), ("DebugMode", &self.debug_mode)] {
            if let Some(text) = text {
                body[name] = text.as_str().into();
            }
        }
        if let Some(settings) = &self.change_request_settings {
            body["ChangeRequestSettings"] = settings.clone();
        }
        body
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
    pub async fn deployments_while(&self, query: &DeploymentQuery, wanted: impl Fn(&Deployment) -> bool) -> Result<Vec<Deployment>> {
        self.client().list_while(&self.deployments_route(query), query.limit, wanted).await
    }

    /// Gives deployments, newest first, to `take`, which returns how many bytes it keeps of each: for lists of years.
    pub async fn each_deployment(&self, query: &DeploymentQuery, mut take: impl FnMut(Deployment) -> usize) -> Result<()> {
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

    /// Creates exactly one deployment, or none and says why; [`super::marked`] describes the protocol and its limits.
    ///
    /// `marker` (`octorhai:RUN:STEP:KEY`) must be used for this deployment only. It is appended to the comment in square
    /// brackets and is how the deployment is found when the server's answer is lost.
    ///
    /// Errors: `refused` and other answers of the server; `in_doubt` with facts `marker` and `expires`.
    pub async fn create_deployment(&self, new: &NewDeployment, marker: &str) -> Result<Deployment> {
        self.create_remembered_deployment(new, marker, &()).await
    }

    /// [`SpaceClient::create_deployment`] for a run that can be continued.
    pub async fn create_remembered_deployment(
        &self,
        new: &NewDeployment,
        marker: &str,
        sending: &(dyn Sending + Sync),
    ) -> Result<Deployment> {
        let freezes = new.freeze_override.as_ref();
        let wrap = |body: Value| match freezes {
            Some((ids, reason)) => {
                json!({"CreateDeploymentCommand": body, "FreezeIds": ids.iter().map(FreezeId::as_str).collect::<Vec<_>>(), "Reason": reason})
            }
            None => body,
        };
        let creation = Creation {
            post: if freezes.is_some() { self.route("deployments/override") } else { self.route("deployments") },
            body: new.body(),
            wrap: Some(&wrap),
            unwrap: freezes.map(|_| "Deployment"),
            list: self
                .route("deployments")
                .with("projects", &new.project)
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
