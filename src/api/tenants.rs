//! Tenants and the tags they wear.

use super::encode::editable;
use super::id::{EnvironmentId, ProjectId, TagSetId, TenantId};
use super::meant::Meant;
use super::resource::named;
use super::spaces::SpaceClient;
use crate::error::Result;
use std::collections::BTreeMap;

editable! {
    /// A tenant (octopus-api.md §10.3).
    Tenant, "tenant" {
        /// Id as the server wrote it.
        id: TenantId = "Id",
        /// Name as people see it in the portal.
        name: String = "Name",
        /// Slug.
        slug: String = "Slug",
        /// A disabled tenant cannot be deployed to.
        is_disabled: bool = "IsDisabled",
        /// Tags, as `Set/Tag`.
        tenant_tags: Vec<String> = "TenantTags",
        /// Where which project may be deployed for it, by project id.
        project_environments: BTreeMap<String, Vec<EnvironmentId>> = "ProjectEnvironments",
    }
}
named!(Tenant, TenantId);

impl Tenant {
    /// The environments in which `project` may be deployed for this tenant.
    pub fn environments_of(&self, project: &ProjectId) -> &[EnvironmentId] {
        self.project_environments.iter().find(|(id, _)| project == id.as_str()).map_or(&[], |(_, environments)| environments)
    }
}

editable! {
    /// A tag set.
    TagSet, "tag set" {
        /// Id as the server wrote it.
        id: TagSetId = "Id",
        /// Name as people see it in the portal.
        name: String = "Name",
        /// Slug; most servers send none.
        slug: String = "Slug",
        /// What its tags may be put on: `Tenant`, `Project`, `Environment`, `Runbook`, `Target`; empty on older servers, which know tenants only.
        scopes: Vec<String> = "Scopes",
        /// Its tags.
        tags: Vec<Tag> = "Tags",
    }
}
named!(TagSet, TagSetId);

editable! {
    /// A tag of a set.
    Tag {
        /// Id, e.g. `TagSets-2/Tags-9`.
        id: String = "Id",
        /// Name as people see it in the portal.
        name: String = "Name",
        /// `Set/Tag`, which is how tenants and channels name it.
        canonical_name: String = "CanonicalTagName",
    }
}

impl TagSet {
    /// Whether its tags may be put on a kind of thing: `Target`.
    pub fn is_for(&self, scope: &str) -> bool {
        if self.scopes.is_empty() { scope == "Tenant" } else { self.scopes.iter().any(|own| own == scope) }
    }
}

/// Which tenants.
#[derive(Clone, Debug, Default)]
pub struct TenantQuery {
    /// Connected to this project.
    pub project: Option<ProjectId>,
    /// Wearing these tags (`Set/Tag`): one of each set named.
    pub tags: Vec<String>,
    /// Whose name contains this.
    pub partial_name: Option<String>,
    /// Only these; empty is no filter.
    pub ids: Vec<TenantId>,
    /// Disabled ones too.
    pub include_disabled: bool,
}

impl SpaceClient {
    /// The tenant called `wanted`: id, slug or name.
    pub async fn find_tenant<'a>(&self, wanted: impl Into<Meant<'a>>) -> Result<Tenant> {
        self.client().find(&self.route("tenants"), wanted).await
    }

    /// Tenants by name.
    pub async fn tenants(&self, query: &TenantQuery) -> Result<Vec<Tenant>> {
        let route = self
            .route("tenants")
            .maybe("projectId", query.project.as_ref())
            .list("tags", &query.tags)
            .maybe("partialName", query.partial_name.as_ref());
        let mut tenants: Vec<Tenant> = self.client().list_of(&route, &query.ids).await?;
        tenants.retain(|t| query.include_disabled || !t.is_disabled);
        tenants.sort_by_cached_key(|t| t.name.to_lowercase());
        Ok(tenants)
    }

    /// All tag sets.
    pub async fn tag_sets(&self) -> Result<Vec<TagSet>> {
        self.client().list(&self.route("tagsets"), None).await
    }
}
