//! Tenants.

use super::prelude::*;
use super::{
    references::{EnvironmentRef, ProjectRef},
    tags::{has_all, tags},
};

/// A tenant.
#[derive(Clone)]
pub struct Tenant(pub Arc<api::Tenant>);

impl fmt::Display for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.name)
    }
}

crate::script_type! {
    /// A tenant. Wherever a function takes a tenant's name it also takes this.
    Tenant as "Tenant" shows [name, id, slug, tags] {
        /// The name.
        name: "text" = |t| t.0.name.clone();
        /// The id, e.g. `Tenants-8`.
        id: "text" = |t| t.0.id.to_string();
        /// The slug.
        slug: "text" = |t| t.0.slug.clone();
        /// Its tags, e.g. `Ring/Canary`.
        tags: "list of text" = |t| t.0.tenant_tags.clone();
        /// The whole document of the server.
        raw: "map" = |t| t.0.raw.clone();
    }
}

crate::options! {
    /// Which tenants.
    pub struct TenantFilter for ["tenants"] {
        /// Only those connected to a project.
        project: Option<ProjectRef> = None, "none";
        /// Only those connected to the project in an environment; needs `project`.
        env: Option<EnvironmentRef> = None, "none";
        /// Only those with all of these tags, e.g. `"Ring/Canary"`.
        tags: Chosen<Name> = Chosen::All, "all";
        /// Only those whose name contains this text, without regard to case.
        name: Option<Name> = None, "none";
        /// Disabled ones too.
        disabled: bool = false, "false";
    }
}

crate::functions! {
    group "query";

    /// The tenants of the space, by name.
    ///
    /// ```rhai
    /// for t in tenants() { print(`${t.name}: ${t.tags}`); }
    /// ```
    fn tenants(host: Host; filter: TenantFilter) -> "list of Tenant" raises "not_found, ambiguous, request" {
        let place = host.place();
        if filter.env.is_some() && filter.project.is_none() {
            return Err(raise(Error::new(Kind::Script, "`tenants` with the option `env` needs the option `project` too")));
        }
        let found = host.block(async {
            if filter.tags.is_nothing() {
                return Ok(Vec::new());
            }
            let tags = tags(&place.space, "tenant tag", Some("Tenant"), filter.tags.named()).await?;
            let project = match &filter.project {
                Some(project) => Some(place.project(project).await?.id.clone()),
                None => None,
            };
            let env = match &filter.env {
                Some(env) => Some(place.environment(env).await?.id.clone()),
                None => None,
            };
            let partial_name = filter.name.clone().map(String::from);
            let query = api::TenantQuery { project: project.clone(), tags: tags.clone(), partial_name, include_disabled: filter.disabled, ..api::TenantQuery::default() };
            let mut found = place.space.tenants(&query).await?;
            found.retain(|t| connected(t, project.as_ref(), env.as_ref()));
            // The server's tag filter joins tags of one set with "or"; ours means all of them.
            found.retain(|t| has_all(&t.tenant_tags, &tags));
            Ok(found)
        })?;
        Ok(place.remember_tenants(found).into_iter().map(|t| Dynamic::from(Tenant(t))).collect::<Array>())
    }
}

/// Whether a tenant may be deployed to for a project in an environment.
pub fn connected(tenant: &api::Tenant, project: Option<&api::ProjectId>, env: Option<&api::EnvironmentId>) -> bool {
    match (project, env) {
        (Some(project), Some(env)) => tenant.environments_of(project).iter().any(|e| e == env),
        (Some(project), None) => !tenant.environments_of(project).is_empty(),
        _ => true,
    }
}
