//! Previews: which steps a deployment or runbook run would execute, and what it asks for.

use super::{
    channels::Channel,
    decode::{FromJson, Members, Problem, document, part},
    deployments::Deployment,
    id::{EnvironmentId, ReleaseId, RunbookId, RunbookSnapshotId, TaskId, TeamId, TenantId, VariableSetId},
    meant::{Keys, same_word, the_one},
    projects::Project,
    runbooks::Runbook,
    spaces::SpaceClient,
    variables::{ManifestVariable, VariableManifest},
};
use crate::error::{Error, Kind, Result};
use crate::json::JsonSlice;
use jiff::Timestamp;
use serde_json::Value;
use std::collections::BTreeMap;

document! {
    /// What a deployment or run would do (octopus-api.md §14).
    Preview, "deployment preview" {
        /// The steps, in order.
        steps: Vec<PreviewStep> = "StepsToExecute",
        /// What must or may be given.
        form: Option<PreviewForm> = "Form",
    }
}

part! {
    /// A step that would be executed.
    PreviewStep {
        /// The id of its action.
        action_id: String = "ActionId",
        /// The name of its action.
        name: String = "ActionName",
        /// Where it would run.
        machines: Vec<PreviewMachine> = "Machines",
        /// The tags that deployment targets are told apart by; absent on servers before 2026.3.
        tag_sets: Option<Vec<PreviewTagSet>> = "AvailableTagSets",
    }
}

part! {
    /// A tag set for deployment targets, in a preview.
    PreviewTagSet {
        /// The tags that targets have.
        tags: Vec<PreviewTag> = "AvailableTags",
    }
}

part! {
    /// A tag of a deployment target.
    PreviewTag {
        /// Id, e.g. `TagSets-2/Tags-9`.
        id: String = "TagId",
    }
}

part! {
    /// A deployment target.
    PreviewMachine {
        /// Id as the server wrote it.
        id: String = "Id",
        /// Name as people see it in the portal.
        name: String = "Name",
    }
}

part! {
    /// The form of prompted variables.
    PreviewForm {
        /// What is taken where no value is given, by form element.
        values: BTreeMap<String, Value> = "Values",
        /// Its elements.
        elements: Vec<Prompt> = "Elements",
    }
}

/// A prompted variable.
#[derive(Clone, Debug, PartialEq)]
pub struct Prompt {
    /// The GUID by which a value is posted in `FormValues`.
    pub element: String,
    /// The variable's name.
    pub name: String,
    /// What people see.
    pub label: String,
    /// Whether a value must be given.
    pub required: bool,
    /// Whether the form hides what is typed.
    pub hidden: bool,
}

impl FromJson for Prompt {
    fn read(json: JsonSlice<'_>) -> std::result::Result<Self, Problem> {
        let members = Members::of(json)?;
        let control: Value = members.read("Control")?;
        let text = |name: &str| control.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        Ok(Self {
            element: members.read("Name")?,
            name: text("Name"),
            label: text("Label"),
            required: members.read("IsValueRequired")?,
            hidden: control["DisplaySettings"]["Octopus.ControlType"] == "Sensitive",
        })
    }
}

impl Prompt {
    /// What people may call it.
    pub fn keys(&self) -> Keys<'_> {
        Keys { names: [&self.name, &self.label], slug: "", id: &self.element }
    }
}

impl Preview {
    /// Whether a deployment target that would be deployed to has one of these tags, by their ids; yes where the server does not say.
    pub fn has_one_tag(&self, ids: &[String]) -> bool {
        let known: Vec<&Vec<PreviewTagSet>> = self.steps.iter().filter_map(|step| step.tag_sets.as_ref()).collect();
        let tags = || known.iter().flat_map(|sets| sets.iter()).flat_map(|set| set.tags.iter());
        known.is_empty() || ids.iter().any(|id| tags().any(|tag| tag.id == *id))
    }

    /// Prompted variables.
    pub fn prompts(&self) -> &[Prompt] {
        self.form.as_ref().map_or(&[], |form| &form.elements)
    }

    /// Whether Octopus keeps the value of a prompted variable hidden.
    pub fn is_sensitive(&self, prompt: &Prompt) -> bool {
        // A secret shows only that it is there.
        prompt.hidden || self.form.as_ref().is_some_and(|form| form.values.get(&prompt.element).is_some_and(Value::is_object))
    }

    /// Prompted variables that must be given a value, because they have none of their own.
    pub fn unanswered(&self) -> impl Iterator<Item = &Prompt> {
        let form = self.form.as_ref();
        let has_value = move |prompt: &Prompt| match form.and_then(|form| form.values.get(&prompt.element)) {
            None | Some(Value::Null) => false,
            Some(Value::String(text)) => !text.is_empty(),
            // A secret shows only that it is there.
            Some(Value::Object(secret)) => secret.get("HasValue") == Some(&Value::Bool(true)),
            Some(_) => true,
        };
        self.prompts().iter().filter(move |prompt| prompt.required && !has_value(prompt))
    }
}

document! {
    /// Where a release may be deployed now, as far as the credential's user may.
    DeploymentTemplate, "deployment template" {
        /// Environments, untenanted.
        promote_to: Vec<PromotionTarget> = "PromoteTo",
        /// Environments by tenant.
        tenant_promotions: Vec<TenantPromotion> = "TenantPromotions",
        /// Whether the project's own variables were changed since the release took them.
        variables_modified: bool = "IsVariableSetModified",
        /// Whether those of its library variable sets were.
        library_modified: bool = "IsLibraryVariableSetModified",
    }
}

part! {
    /// An environment a release may go to.
    PromotionTarget {
        /// Id as the server wrote it.
        id: EnvironmentId = "Id",
    }
}

part! {
    /// Where a release may go for a tenant.
    TenantPromotion {
        /// Id as the server wrote it.
        id: TenantId = "Id",
        /// Environments.
        promote_to: Vec<PromotionTarget> = "PromoteTo",
    }
}

document! {
    /// What a new release of a project would be made of (octopus-api.md §12.3).
    ReleaseTemplate, "release template" {
        /// The next version by the project's template; empty when a package decides.
        next_version: String = "NextVersionIncrement",
        /// The step whose package decides.
        versioning_step: String = "VersioningPackageStepName",
        /// Which of that step's packages, when it has several.
        versioning_reference: String = "VersioningPackageReferenceName",
        /// The packages that need a version.
        packages: Vec<TemplatePackage> = "Packages",
        /// The repositories that need a reference.
        git_resources: Vec<TemplateGitResource> = "GitResources",
    }
}

part! {
    /// A repository that a step takes files from, of which a new release or run needs a reference.
    TemplateGitResource {
        /// The action.
        action_name: String = "ActionName",
        /// Which of that action's repositories, when it has several.
        name: String = "Name",
        /// The branch that is taken where nobody names another.
        default_branch: String = "DefaultBranch",
    }
}

part! {
    /// A package that a new release needs a version of.
    TemplatePackage {
        /// The step.
        step_name: String = "StepName",
        /// The action.
        action_name: String = "ActionName",
        /// Which of the action's packages, when it has several.
        reference: String = "PackageReferenceName",
        /// The package.
        package_id: String = "PackageId",
        /// Where it is looked for.
        feed_id: String = "FeedId",
        /// The name of that feed.
        feed_name: String = "FeedName",
        /// A version that the step itself says.
        fixed_version: String = "FixedVersion",
        /// Whether the server knows the package: not when its name is made of variables.
        is_resolvable: Option<bool> = "IsResolvable",
    }
}

document! {
    /// A version of a package in a feed.
    PackageVersion, "package version" {
        /// The version.
        version: String = "Version",
        /// When it was published.
        published: Option<Timestamp> = "Published",
    }
}

document! {
    /// A frozen state of a runbook (octopus-api.md §17).
    Snapshot, "runbook snapshot" {
        /// Id as the server wrote it.
        id: RunbookSnapshotId = "Id",
        /// Name as people see it in the portal.
        name: String = "Name",
        /// Its runbook.
        runbook_id: Option<RunbookId> = "RunbookId",
    }
}

document! {
    /// A team (octopus-api.md §9).
    Team, "team" {
        /// Id as the server wrote it.
        id: TeamId = "Id",
        /// Name as people see it in the portal.
        name: String = "Name",
    }
}

impl DeploymentTemplate {
    /// Whether the variables of the project are others than those that the release has taken.
    pub fn has_other_variables(&self) -> bool {
        self.variables_modified || self.library_modified
    }

    /// Whether the release may go to an environment now, for a tenant or for none.
    pub fn offers(&self, environment: &EnvironmentId, tenant: Option<&TenantId>) -> bool {
        let targets = match tenant {
            None => Some(&self.promote_to),
            Some(id) => self.tenant_promotions.iter().find(|one| one.id == *id).map(|one| &one.promote_to),
        };
        targets.is_some_and(|targets| targets.iter().any(|target| target.id == *environment))
    }
}

impl SpaceClient {
    /// What a deployment of a release to an environment would do.
    pub async fn deployment_preview(&self, release: &ReleaseId, environment: &EnvironmentId, tenant: Option<&TenantId>) -> Result<Preview> {
        let route = self.route("releases").then(release).then("deployments").then("preview").then(environment);
        self.client().fetch(&route.then_maybe(tenant)).await
    }

    /// What a run of a runbook's published snapshot in an environment would do.
    pub async fn runbook_preview(&self, runbook: &Runbook, environment: &EnvironmentId, tenant: Option<&TenantId>) -> Result<Preview> {
        let route = self.route("runbookSnapshots").then(runbook.published()?).then("runbookRuns").then("preview").then(environment);
        self.client().fetch(&route.then_maybe(tenant)).await
    }

    /// Where a release may be deployed now.
    pub async fn deployment_template(&self, release: &ReleaseId) -> Result<DeploymentTemplate> {
        self.client().fetch(&self.route("releases").then(release).then("deployments").then("template")).await
    }

    /// What the next release of a project would be made of; the process of a project in git is that of `git`.
    pub async fn release_template(&self, project: &Project, channel: Option<&Channel>, git: Option<&str>) -> Result<ReleaseTemplate> {
        let route = self.route("projects").then(&project.id).then_maybe(git).then("deploymentprocesses").then("template");
        self.client().fetch(&route.maybe("channel", channel.map(|channel| &channel.id))).await
    }

    /// The newest version of a package that the rules of `channel` let in, if the feed has one (octopus-api.md §12.3); without
    /// a channel any.
    pub async fn newest_package(&self, package: &TemplatePackage, channel: Option<&Channel>) -> Result<Option<String>> {
        let route = self.route("feeds").then(&package.feed_id).then("packages").then("versions");
        let mut route = route.with("packageId", &package.package_id);
        let is_for = |rule: &&super::channels::ChannelRule| {
            rule.action_packages.iter().any(|p| same_word(&p.action, &package.action_name) && p.reference == package.reference)
        };
        if let Some(rule) = channel.and_then(|c| c.rules.iter().find(is_for)) {
            let wanted = [
                ("versionRange", &rule.version_range),
                ("preReleaseTag", &rule.tag),
                ("versionTagRegex", &rule.version_tag),
                ("versioningStrategy", &rule.strategy),
            ];
            // By version is what servers do by themselves, and older ones know nothing else.
            for (name, value) in wanted.into_iter().filter(|(_, value)| !value.is_empty() && *value != "SemVer") {
                route = route.with(name, value);
            }
        }
        let found: Vec<PackageVersion> = self.client().list(&route, Some(1)).await?;
        Ok(found.into_iter().next().map(|p| p.version))
    }

    /// All versions of a package that its feed has.
    pub async fn package_versions(&self, package: &TemplatePackage) -> Result<Vec<PackageVersion>> {
        let route = self.route("feeds").then(&package.feed_id).then("packages").then("versions");
        self.client().list(&route.with("packageId", &package.package_id), None).await
    }

    /// The variables a deployment was made with, from its manifest. Sensitive ones have no value.
    pub async fn deployment_variables(&self, deployment: &Deployment) -> Result<Vec<ManifestVariable>> {
        self.manifest(deployment.manifest_variable_set_id.as_ref(), deployment.id.as_str()).await
    }

    /// The variables of a manifest; `of` is the deployment or runbook run, whose id names it where the server does not.
    pub(super) async fn manifest(&self, id: Option<&VariableSetId>, of: &str) -> Result<Vec<ManifestVariable>> {
        let id = id.cloned().unwrap_or_else(|| format!("variableset-{of}").into());
        let set: Option<VariableManifest> = self.client().fetch_opt(&self.route("variables").then(&id)).await?;
        Ok(set.map(|set| set.variables).unwrap_or_default())
    }

    /// The snapshot of a runbook with a name.
    pub async fn find_runbook_snapshot(&self, runbook: &Runbook, wanted: &str) -> Result<Snapshot> {
        let all: Vec<Snapshot> = self.client().list(&self.route("runbookSnapshots"), None).await?;
        let own: Vec<Snapshot> = all.into_iter().filter(|s| s.runbook_id.as_ref() == Some(&runbook.id)).collect();
        let found = the_one("runbook snapshot", wanted, &own, |s| Keys::name_and_id(&s.name, s.id.as_str()))?.cloned();
        found.ok_or_else(|| {
            let error = Error::new(Kind::NotFound, format!("runbook `{}` has no snapshot `{wanted}`", runbook.name));
            error.suggest(wanted, own.iter().map(|s| s.name.as_str()))
        })
    }

    /// The teams that the credential's user may see.
    pub async fn teams(&self) -> Result<Vec<Team>> {
        self.client().list(&self.route("teams"), None).await
    }

    /// The page of a task for people.
    pub fn task_url(&self, task: &TaskId) -> String {
        self.web_url(&format!("/app#/{}/tasks/{task}", self.space().id))
    }
}
