//! Channels.

use super::encode::editable;
use super::id::{ChannelId, LifecycleId, ProjectId};
use super::projects::Project;
use super::resource::{named, pick};
use super::spaces::SpaceClient;
use crate::error::{Error, Kind, Result};

editable! {
    /// A channel (octopus-api.md §10.6).
    Channel, "channel" {
        /// Id as the server wrote it.
        id: ChannelId = "Id",
        /// Name as people see it in the portal.
        name: String = "Name",
        /// Slug.
        slug: String = "Slug",
        /// Project that it belongs to.
        project_id: ProjectId = "ProjectId",
        /// Its lifecycle; the project's when absent.
        lifecycle_id: Option<LifecycleId> = "LifecycleId",
        /// `Lifecycle`, or `EphemeralEnvironment` where its releases go to ephemeral environments; others as the server writes them.
        kind: String = "Type",
        /// Whether releases without a channel come here.
        is_default: bool = "IsDefault",
        /// Tenants with one of these tags may be deployed to; empty is all.
        tenant_tags: Vec<String> = "TenantTags",
        /// Which package versions may come in.
        rules: Vec<ChannelRule> = "Rules",
        /// Custom fields that its releases must have.
        custom_fields: Vec<CustomField> = "CustomFieldDefinitions",
    }
}
named!(Channel, ChannelId);

editable! {
    /// A custom field that the releases of a channel must have.
    CustomField {
        /// Its name.
        name: String = "FieldName",
        /// What it means, for people.
        description: String = "Description",
    }
}

editable! {
    /// Which package versions may come into a channel.
    ChannelRule {
        /// NuGet or Maven range, e.g. `[1.0,2.0)`.
        version_range: String = "VersionRange",
        /// Regular expression for the pre-release tag.
        tag: String = "Tag",
        /// Regular expression for the version; empty is any.
        version_tag: String = "VersionTagRegex",
        /// `SemVer`, or `MostRecentlyPublished`: which version is the newest.
        strategy: String = "VersioningStrategy",
        /// The packages it is for; empty is all.
        action_packages: Vec<ActionPackage> = "ActionPackages",
    }
}

editable! {
    /// A package of an action.
    ActionPackage {
        /// The action's name.
        action: String = "DeploymentAction",
        /// Which of its packages, when it has several.
        reference: String = "PackageReference",
    }
}

impl SpaceClient {
    /// A project's channels, the default one first, then by name.
    pub async fn channels(&self, project: &ProjectId) -> Result<Vec<Channel>> {
        let mut all: Vec<Channel> = self.client().list(&self.route("projects").then(project).then("channels"), None).await?;
        all.sort_by_cached_key(|c| (!c.is_default, c.name.to_lowercase()));
        Ok(all)
    }

    /// The channel of `project` called `wanted`: id, slug or name.
    pub async fn find_channel(&self, project: &Project, wanted: &str) -> Result<Channel> {
        pick(self.channels(&project.id).await?, wanted).map_err(|error| error.context(format!("project `{}`", project.name)))
    }

    /// A channel by id.
    pub async fn channel(&self, id: &ChannelId) -> Result<Channel> {
        self.client().fetch(&self.route("channels").then(id)).await
    }

    /// The channel of a project whose releases go to ephemeral environments.
    pub async fn ephemeral_channel(&self, project: &Project) -> Result<Channel> {
        let mut all = self.channels(&project.id).await?;
        all.retain(|channel| channel.kind == "EphemeralEnvironment");
        let mut all = all.into_iter();
        match (all.next(), all.next()) {
            (Some(only), None) => Ok(only),
            (None, _) => Err(Error::new(Kind::NotFound, format!("project `{}` has no channel for ephemeral environments", project.name))
                .help("configure ephemeral environments in the project")),
            (Some(one), Some(other)) => {
                let names = format!("`{}` and `{}`", one.name, other.name);
                Err(Error::new(
                    Kind::Ambiguous,
                    format!("project `{}` has several channels for ephemeral environments: {names}", project.name),
                )
                .help("name one with #{channel: \"...\"}"))
            }
        }
    }

    /// The default channel of a project.
    pub async fn default_channel(&self, project: &Project) -> Result<Channel> {
        self.channels(&project.id).await?.into_iter().find(|c| c.is_default).ok_or_else(|| {
            Error::new(Kind::NotFound, format!("project `{}` has no default channel, or you may not see it", project.name))
                .help("name a channel")
        })
    }
}
