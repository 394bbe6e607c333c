//! Names that parameters and options mean, and where the server lists them: for completion, and for checks before a run.

use super::prelude::*;
use crate::{
    api::{ProjectQuery, TenantQuery},
    engine::options::Takes,
};

/// Releases of a project that are listed: the newest are the ones that are meant.
const RELEASES: usize = 50;

/// What a name is the name of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Noun {
    /// A project.
    Projects,
    /// An environment.
    Environments,
    /// A tenant.
    Tenants,
    /// A project group.
    Groups,
    /// A space.
    Spaces,
    /// A channel of a project.
    Channels(String),
    /// The version of a release of a project, or `latest`.
    Releases(String),
    /// A step of a project's deployment process.
    Steps(String),
    /// A runbook of a project.
    Runbooks(String),
}

impl Noun {
    /// The word for one of them.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Projects => "project",
            Self::Environments => "environment",
            Self::Tenants => "tenant",
            Self::Groups => "project group",
            Self::Spaces => "space",
            Self::Channels(_) => "channel",
            Self::Releases(_) => "release",
            Self::Steps(_) => "step",
            Self::Runbooks(_) => "runbook",
        }
    }

    /// The project that they belong to.
    pub fn project(&self) -> Option<&str> {
        match self {
            Self::Channels(project) | Self::Releases(project) | Self::Steps(project) | Self::Runbooks(project) => Some(project),
            _ => None,
        }
    }
}

/// The noun that a parameter or option says it names ([`Takes::names`]); `project` is the one that the call is about.
pub fn of(takes: &Takes, project: Option<&str>) -> Option<Noun> {
    let of_project = |noun: fn(String) -> Noun| project.map(|name| noun(name.to_owned()));
    match takes.names? {
        "project" => Some(Noun::Projects),
        "environment" => Some(Noun::Environments),
        "tenant" => Some(Noun::Tenants),
        "project group" => Some(Noun::Groups),
        "space" => Some(Noun::Spaces),
        "channel" => of_project(Noun::Channels),
        "release" => of_project(Noun::Releases),
        "step" => of_project(Noun::Steps),
        "runbook" => of_project(Noun::Runbooks),
        _ => None,
    }
}

/// All names of a kind in the home space, as the server lists them.
pub async fn names(host: &Host, noun: &Noun) -> Result<Vec<String>> {
    let place = &host.servers.home;
    let space = &place.space;
    Ok(match noun {
        Noun::Projects => space.projects(&ProjectQuery::default()).await?.into_iter().map(|p| p.name).collect(),
        Noun::Environments => space.environments().await?.into_iter().map(|e| e.name).collect(),
        Noun::Tenants => space.tenants(&TenantQuery::default()).await?.into_iter().map(|t| t.name).collect(),
        Noun::Groups => space.project_groups().await?.into_iter().map(|g| g.name).collect(),
        Noun::Spaces => place.client.spaces().await?.into_iter().map(|s| s.name).collect(),
        Noun::Channels(project) => {
            let project = place.project(project).await?;
            space.channels(&project.id).await?.into_iter().map(|c| c.name).collect()
        }
        Noun::Releases(project) => {
            let project = place.project(project).await?;
            let releases = space.releases(&project.id, Some(RELEASES)).await?;
            std::iter::once("latest".to_owned()).chain(releases.into_iter().map(|r| r.version)).collect()
        }
        Noun::Steps(project) => {
            let project = place.project(project).await?;
            space.deployment_process(&project).await?.steps.into_iter().map(|s| s.name).collect()
        }
        Noun::Runbooks(project) => {
            let project = place.project(project).await?;
            space.runbooks(&project).await?.into_iter().map(|r| r.name).collect()
        }
    })
}
