//! Runbooks in Git, read and run as they are at a branch, a tag or a commit.

use super::address::Route;
use super::decode::document;
use super::encode::ToJson;
use super::executions::{NewExecution, Subject};
use super::id::{EnvironmentId, ProjectId, RunbookId, TenantId};
use super::meant::Meant;
use super::previews::{Preview, TemplateGitResource, TemplatePackage};
use super::projects::Project;
use super::releases::{SelectedGitResource, SelectedPackage};
use super::resource::pick;
use super::runbooks::{Runbook, RunbookRun};
use super::spaces::SpaceClient;
use crate::error::Result;
use serde_json::{Value, json};

/// A runbook in Git that is run as it is at a reference (octopus-api.md §17).
#[derive(Clone, Debug, Default)]
pub struct RunbookInGit {
    /// The runbook.
    pub runbook: RunbookId,
    /// Its project.
    pub project: ProjectId,
    /// The space, which the body names once more.
    pub space: String,
    /// Branch, tag or commit.
    pub git_ref: String,
    /// Package versions.
    pub packages: Vec<SelectedPackage>,
    /// References of the repositories that its steps take files from.
    pub git_resources: Vec<SelectedGitResource>,
}

/// A run of a runbook in Git to be created.
pub type NewRunInGit = NewExecution<RunbookInGit>;

impl NewRunInGit {
    /// A run of a runbook as it is at a reference.
    pub fn at(runbook: RunbookInGit, environment: &EnvironmentId) -> Self {
        Self::of(runbook, environment)
    }
}

impl Subject for RunbookInGit {
    type Made = RunbookRun;
    const COLLECTION: &'static str = "runbookRuns";
    const REPLACES: bool = false;

    fn route(&self, space: &SpaceClient) -> Route {
        space.runbooks_at(&self.project, &self.git_ref).then(&self.runbook).then("run").then("v1")
    }

    fn members(&self) -> [Value; 3] {
        [Value::Null, Value::Null, Value::Null]
    }

    fn filter(&self) -> (&'static str, &str) {
        ("runbooks", self.runbook.as_str())
    }

    fn wrapped(&self, body: Value) -> Value {
        json!({
            "GitRef": self.git_ref, "ProjectId": self.project.as_str(), "RunbookId": self.runbook.as_str(), "SpaceId": self.space, "Runs": [body],
            "SelectedPackages": self.packages.iter().map(ToJson::to_json).collect::<Vec<_>>(),
            "SelectedGitResources": self.git_resources.iter().map(ToJson::to_json).collect::<Vec<_>>(),
        })
    }

    fn member(&self) -> Option<&'static str> {
        Some("Resources")
    }
}

document! {
    /// What a run of a runbook takes (octopus-api.md §17).
    RunbookTemplate, "runbook template" {
        /// The packages that need a version.
        packages: Vec<TemplatePackage> = "Packages",
        /// The repositories that need a reference.
        git_resources: Vec<TemplateGitResource> = "GitResources",
    }
}

impl SpaceClient {
    fn runbooks_at(&self, project: &ProjectId, git_ref: &str) -> Route {
        self.route("projects").then(project).then(git_ref).then("runbooks")
    }

    /// The runbook of `project` called `wanted`, as it is at a reference.
    pub async fn find_runbook_at<'a>(&self, project: &Project, git_ref: &str, wanted: impl Into<Meant<'a>>) -> Result<Runbook> {
        let all = self.client().list(&self.runbooks_at(&project.id, git_ref), None).await?;
        pick(all, wanted).map_err(|error| error.context(format!("project `{}` at `{git_ref}`", project.name)))
    }

    /// What a run of a runbook in Git takes.
    pub async fn runbook_template_at(&self, project: &Project, git_ref: &str, runbook: &RunbookId) -> Result<RunbookTemplate> {
        self.client().fetch(&self.runbooks_at(&project.id, git_ref).then(runbook).then("runbookSnapshotTemplate")).await
    }

    /// What a run of a runbook in Git would do in an environment.
    pub async fn runbook_preview_at(
        &self,
        project: &Project,
        git_ref: &str,
        runbook: &RunbookId,
        environment: &EnvironmentId,
        tenant: Option<&TenantId>,
    ) -> Result<Preview> {
        let route = self.runbooks_at(&project.id, git_ref).then(runbook).then("runbookRuns").then("preview").then(environment);
        self.client().fetch(&route.then_maybe(tenant)).await
    }
}
