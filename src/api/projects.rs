//! Projects and their groups.

use super::decode::document;
use super::encode::editable;
use super::id::{ProjectGroupId, ProjectId, RunbookId};
use super::meant::Meant;
use super::resource::named;
use super::spaces::SpaceClient;
use crate::error::Result;

editable! {
    /// A project (octopus-api.md §10.2).
    Project, "project" {
        /// Id as the server wrote it.
        id: ProjectId = "Id",
        /// Name as people see it in the portal.
        name: String = "Name",
        /// Slug.
        slug: String = "Slug",
        /// Description.
        description: String = "Description",
        /// A disabled project cannot be deployed.
        is_disabled: bool = "IsDisabled",
        /// Its group.
        project_group_id: Option<ProjectGroupId> = "ProjectGroupId",
        /// Id of its deployment process.
        deployment_process_id: String = "DeploymentProcessId",
        /// `Untenanted`, `TenantedOrUntenanted`, `Tenanted`.
        tenanted_deployment_mode: String = "TenantedDeploymentMode",
        /// Tags, as `Set/Tag`.
        tags: Vec<String> = "ProjectTags",
        /// Where its process is kept; absent on servers before 2021.
        persistence: Option<Persistence> = "PersistenceSettings",
        /// The runbook that takes away what it has in an ephemeral environment.
        deprovisioning_runbook_id: Option<RunbookId> = "DeprovisioningRunbookId",
    }
}
named!(Project, ProjectId);

editable! {
    /// Where a project keeps its process, and what else it keeps there.
    Persistence {
        /// `Database` or `VersionControlled`.
        kind: String = "Type",
        /// The branch that counts where nobody names another; empty for `Database`.
        default_branch: String = "DefaultBranch",
        /// What is in Git beside the process.
        conversion: Option<GitConversion> = "ConversionState",
    }
}

editable! {
    /// What a project keeps in Git beside its process.
    GitConversion {
        /// Whether its runbooks are there.
        runbooks: bool = "RunbooksAreInGit",
    }
}

impl Project {
    /// The default branch of a project that keeps its process in Git; none for other projects.
    pub fn default_branch(&self) -> Option<&str> {
        self.persistence.as_ref().filter(|kept| kept.kind == "VersionControlled").map(|kept| kept.default_branch.as_str())
    }

    /// The default branch of a project that keeps its runbooks in Git, too.
    pub fn branch_of_runbooks(&self) -> Option<&str> {
        let in_git = self.persistence.as_ref().and_then(|kept| kept.conversion.as_ref()).is_some_and(|kept| kept.runbooks);
        self.default_branch().filter(|_| in_git)
    }
}

editable! {
    /// A project group.
    ProjectGroup, "project group" {
        /// Id as the server wrote it.
        id: ProjectGroupId = "Id",
        /// Name as people see it in the portal.
        name: String = "Name",
        /// Slug.
        slug: String = "Slug",
        /// Description.
        description: String = "Description",
    }
}
named!(ProjectGroup, ProjectGroupId);

document! {
    /// A branch or a tag of a project in Git.
    NamedReference, "branch or tag" {
        /// Its short name: `main`.
        name: String = "Name",
    }
}

/// Which projects.
#[derive(Clone, Debug, Default)]
pub struct ProjectQuery {
    /// Only those of this group.
    pub group: Option<ProjectGroupId>,
    /// Only those whose name contains this.
    pub partial_name: Option<String>,
    /// Only these; empty is no filter.
    pub ids: Vec<ProjectId>,
    /// Disabled ones too.
    pub include_disabled: bool,
}

impl SpaceClient {
    /// The project called `wanted`: id, slug or name.
    pub async fn find_project<'a>(&self, wanted: impl Into<Meant<'a>>) -> Result<Project> {
        self.client().find(&self.route("projects"), wanted).await
    }

    /// Projects by name.
    pub async fn projects(&self, query: &ProjectQuery) -> Result<Vec<Project>> {
        let route = match &query.group {
            Some(group) => self.route("projectgroups").then(group).then("projects"),
            None => self.route("projects"),
        }
        .maybe("partialName", query.partial_name.as_ref());
        let mut projects: Vec<Project> = self.client().list_of(&route, &query.ids).await?;
        projects.retain(|p| query.include_disabled || !p.is_disabled);
        // Servers sort by name; a group's projects and chunks of ids come in an order of their own.
        projects.sort_by_cached_key(|p| p.name.to_lowercase());
        Ok(projects)
    }

    /// The branches of a project in Git, and behind them its tags.
    pub async fn branches_and_tags(&self, project: &ProjectId) -> Result<Vec<NamedReference>> {
        let route = || self.route("projects").then(project).then("git");
        let mut all: Vec<NamedReference> = self.client().list(&route().then("branches"), None).await?;
        all.extend(self.client().list(&route().then("tags"), None).await?);
        Ok(all)
    }

    /// All project groups.
    pub async fn project_groups(&self) -> Result<Vec<ProjectGroup>> {
        self.client().list(&self.route("projectgroups"), None).await
    }

    /// The project group called `wanted`.
    pub async fn find_project_group(&self, wanted: &str) -> Result<ProjectGroup> {
        self.client().find(&self.route("projectgroups"), wanted).await
    }
}
