//! Events: the audit trail.

use super::{
    Host,
    place::Ref,
    time::{Moment, When},
};
use crate::api;
use rhai::{Array, Dynamic};
use std::fmt;

/// An event of the audit trail.
#[derive(Clone)]
pub struct Event(api::Event);

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

crate::script_type! {
    /// An event of the audit trail.
    Event as "Event" {
        /// The id, e.g. `Events-90210`.
        id: "text" = |_call, e| e.0.id.to_string();
        /// The category, e.g. `DeploymentFailed`.
        category: "text" = |_call, e| e.0.category.clone();
        /// What happened.
        message: "text" = |_call, e| e.0.message.clone();
        /// Who did it.
        user: "text" = |_call, e| e.0.username.clone();
        /// When.
        at: "Moment" = |call, e| { let host = Host::of(call)?; e.0.occurred.map(|at| Moment::of(&host, at)) };
        /// Ids of what it is about.
        about: "list of text" = |_call, e| e.0.related_document_ids.clone();
        /// The whole document of the server.
        raw: "map" = |_call, e| e.0.raw.clone();
    }
}

crate::options! {
    /// Which events.
    pub struct EventFilter for ["events"] {
        /// Only these categories, e.g. `"DeploymentFailed"`.
        categories: Vec<String> = Vec::new(), "all";
        /// Only about these projects.
        projects: Vec<Ref> = Vec::new(), "all";
        /// Only about these environments.
        env: Vec<Ref> = Vec::new(), "all";
        /// Only since then.
        since: Option<When> = None, "none";
        /// Only before then.
        before: Option<When> = None, "none";
        /// How many at most.
        limit: i64 = 100, "100";
    }
}

crate::functions! {
    group "query";

    /// Events of the audit trail, newest first.
    ///
    /// ```rhai
    /// for e in events(#{categories: "DeploymentFailed", since: ago("7d")}) { print(e.message); }
    /// ```
    fn events(call; filter: EventFilter) -> "list of Event" raises "not_found, ambiguous, request" {
        let host = Host::of(call)?;
        let place = host.place();
        let mut query = api::EventQuery {
            categories: filter.categories.clone(),
            limit: Some(usize::try_from(filter.limit).unwrap_or(0)),
            ..api::EventQuery::default()
        };
        if let Some(since) = &filter.since {
            query.from = Some(since.resolve(&host)?);
        }
        if let Some(before) = &filter.before {
            query.to = Some(before.resolve(&host)?);
        }
        let found = host.block(async {
            for name in &filter.projects {
                query.projects.push(place.project(name.as_str()).await?.id);
            }
            for name in &filter.env {
                query.environments.push(place.environment(name.as_str()).await?.id);
            }
            place.space.events(&query).await
        })?;
        Ok(found.into_iter().map(|e| Dynamic::from(Event(e))).collect::<Array>())
    }
}
