//! Projects.

use super::prelude::*;
use super::{
    references::{GroupRef, ProjectRef},
    tags::{has_all, tags},
    words::TENANTED,
};

/// A project.
#[derive(Clone)]
pub struct Project(pub Arc<api::Project>);

impl fmt::Display for Project {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.name)
    }
}

crate::script_type! {
    /// A project. Wherever a function takes a project's name it also takes this. Beside a text it is its name (in any case), slug or id:
    /// `"Project A" in projects()`. So are environments, tenants, freezes and spaces.
    Project as "Project" shows [name, id, slug, description, disabled, tenanted] {
        /// The name.
        name: "text" = |p| p.0.name.clone();
        /// The id, e.g. `Projects-21`.
        id: "text" = |p| p.0.id.to_string();
        /// The slug, e.g. `project-a`.
        slug: "text" = |p| p.0.slug.clone();
        /// What it is for.
        description: "text" = |p| p.0.description.clone();
        /// Whether it is disabled.
        disabled: "true or false" = |p| p.0.is_disabled;
        /// Whether its deployments need a tenant: `Untenanted`, `TenantedOrUntenanted` or `Tenanted`.
        tenanted: "text" = |p| TENANTED.give(p.0.tenanted_deployment_mode.as_str());
        /// Its tags, e.g. `Kind/Web`.
        tags: "list of text" = |p| p.0.tags.clone();
        /// The whole document of the server.
        raw: "map" = |p| p.0.raw.clone();
    }
}

crate::options! {
    /// Which projects.
    pub struct ProjectFilter for ["projects"] {
        /// Only those of a project group.
        group: Option<GroupRef> = None, "none";
        /// Only those with all of these tags, e.g. `"Kind/Web"`.
        tag: Chosen<Name> = Chosen::All, "all";
        /// Only those whose name contains this text, without regard to case.
        name: Option<Name> = None, "none";
        /// Disabled ones too.
        disabled: bool = false, "false";
    }
}

crate::functions! {
    group "query";

    /// The projects of the space, by name.
    ///
    /// ```rhai
    /// for p in projects(#{name: "project"}) { print(p.name); }
    /// ```
    fn projects(host: Host; filter: ProjectFilter) -> "list of Project" raises "not_found, request" {
        let place = host.place();
        let found = host.block(async {
            if filter.tag.is_nothing() {
                return Ok(Vec::new());
            }
            let tags = tags(&place.space, "project tag", Some("Project"), filter.tag.named()).await?;
            let group = match &filter.group {
                Some(group) => Some(place.space.find_project_group(group.as_str()).await?.id),
                None => None,
            };
            let partial_name = filter.name.clone().map(String::from);
            let query = api::ProjectQuery { group, partial_name, include_disabled: filter.disabled, ..api::ProjectQuery::default() };
            let mut found = place.space.projects(&query).await?;
            found.retain(|project| has_all(&project.tags, &tags));
            Ok(found)
        })?;
        Ok(place.remember_projects(found).into_iter().map(|p| Dynamic::from(Project(p))).collect::<Array>())
    }

    /// One project by name, slug or id.
    ///
    /// ```rhai
    /// print(project("Project A").slug);
    /// ```
    fn project(host: Host, name: ProjectRef) -> "Project" raises "not_found, ambiguous, request" {
        let place = host.place();
        Ok(Project(host.block(place.project(&name))?))
    }
}
