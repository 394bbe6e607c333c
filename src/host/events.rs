//! Events: the audit trail.

use super::prelude::*;
use super::{
    references::{EnvironmentRef, ProjectRef},
    rows::{Reach, RowLimit},
    space::{Space, unknown},
    time::When,
};
use crate::{engine::options::ListKind, error::nearest};

/// An event of the audit trail; clones share it.
#[derive(Clone)]
pub struct Event(Arc<api::Event>);

impl Event {
    /// The document.
    pub fn document(&self) -> &api::Event {
        &self.0
    }

    /// Whether it is the same one.
    pub fn same(&self, other: &Self) -> bool {
        self.0.id == other.0.id && self.0.message == other.0.message
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

crate::script_type! {
    /// An event of the audit trail.
    Event as "Event" shows [at, category, message, user] {
        /// The id, e.g. `Events-90210`.
        id: "text" = |e| e.0.id.to_string();
        /// The category, e.g. `DeploymentFailed`.
        category: "text" = |e| e.0.category.clone();
        /// What happened.
        message: "text" = |e| e.0.message.clone();
        /// Who did it.
        user: "text" = |e| e.0.username.clone();
        /// When.
        at: "Moment" = |e, host: Host| host.moment(e.0.occurred);
        /// Ids of what it is about.
        about: "list of text" = |e| e.0.related_document_ids.clone();
        /// The whole document of the server.
        raw: "map" = |e| e.0.raw.clone();
    }
}

/// A category of events. Octopus has more from version to version, so that the set is open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Category(Name);

impl Category {
    /// Those that scripts ask for most.
    const KNOWN: &'static [&'static str] = &[
        "DeploymentQueued",
        "DeploymentStarted",
        "DeploymentResumed",
        "DeploymentSucceeded",
        "DeploymentFailed",
        "ManualInterventionInterruptionRaised",
        "GuidedFailureInterruptionRaised",
        "RunbookRunQueued",
        "RunbookRunStarted",
        "RunbookRunSucceeded",
        "RunbookRunFailed",
        "TaskCanceled",
        "Created",
        "Modified",
        "Deleted",
        "LoginSucceeded",
        "LoginFailed",
        "CertificateExpired",
    ];
}

impl OptionValue for Category {
    const KIND: &'static str = "event category";
    fn read(value: Dynamic) -> Result<Self, String> {
        Name::read(value).map(Self)
    }
    fn vet(value: Dynamic) -> Result<(), String> {
        let Self(name) = Self::read(value)?;
        match nearest(&name, Self::KNOWN.iter().copied()) {
            Some(near) if near != &*name => Err(format!("`{name}` is not a category of events, did you mean \"{near}\"?")),
            _ => Ok(()),
        }
    }
}

impl ListKind for Category {
    const LIST: &'static str = "event category or list";
}

/// Fails for a category that the server does not have.
async fn exist(place: &Space, categories: &[Category]) -> Result<()> {
    let strange = |category: &&Category| !Category::KNOWN.contains(&&*category.0);
    let Some(_) = categories.iter().find(strange) else { return Ok(()) };
    let known = place.space.event_categories().await?;
    match categories.iter().filter(strange).find(|category| !known.iter().any(|name| **name == *category.0)) {
        Some(category) => Err(unknown("category of events", &category.0, known.iter().map(String::as_str))),
        None => Ok(()),
    }
}

crate::options! {
    /// Which events.
    pub struct EventFilter for ["events"] {
        /// Only these categories, e.g. `"DeploymentFailed"`.
        categories: Chosen<Category> = Chosen::All, "all";
        /// Only about these projects.
        projects: Chosen<ProjectRef> = Chosen::All, "all";
        /// Only about these environments.
        env: Chosen<EnvironmentRef> = Chosen::All, "all";
        /// Only since then: all of them, unless `limit` says otherwise.
        since: Option<When> = None, "none";
        /// Only before then.
        before: Option<When> = None, "none";
        /// How many at most, from 1 to 100000. Without it and without `since` the newest 100; a warning tells when there are more, and
        /// `rows.more` is true.
        limit: Option<RowLimit> = None, "100";
    }
}

crate::functions! {
    group "query";

    /// Events of the audit trail, newest first: with `since` all since then, otherwise the newest 100.
    ///
    /// ```rhai
    /// for e in events(#{categories: "DeploymentFailed", since: ago("7d")}) { print(e.message); }
    /// ```
    fn events(host: Host; filter: EventFilter) -> "list of Event" raises "not_found, ambiguous, request" {
        let place = host.place();
        let reach = Reach::new(filter.limit, filter.since.is_some());
        let mut query = api::EventQuery {
            categories: filter.categories.named().iter().map(|category| category.0.to_string()).collect(),
            limit: reach.asked(),
            ..api::EventQuery::default()
        };
        if let Some(since) = &filter.since {
            query.from = Some(since.resolve(&host)?);
        }
        if let Some(before) = &filter.before {
            query.to = Some(before.resolve(&host)?);
        }
        let found = host.block(async {
            if filter.categories.is_nothing() || filter.projects.is_nothing() || filter.env.is_nothing() {
                return Ok(Vec::new());
            }
            exist(&place, filter.categories.named()).await?;
            for name in filter.projects.named() {
                query.projects.push(place.project(name).await?.id.clone());
            }
            for name in filter.env.named() {
                query.environments.push(place.environment(name).await?.id.clone());
            }
            place.space.events(&query).await
        })?;
        Ok(reach.cut(&host, "events", "`since` returns all since a time", found).map(|event| Event(event.into())))
    }
}
