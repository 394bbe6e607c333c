//! Events: the audit log.

use super::decode::document;
use super::encode::stamp;
use super::id::{EnvironmentId, EventId, ProjectId, TenantId, UserId};
use super::spaces::SpaceClient;
use crate::error::Result;
use jiff::Timestamp;

document! {
    /// An event (octopus-api.md §21).
    Event, "event" {
        /// Id as the server wrote it.
        id: EventId = "Id",
        /// `DeploymentSucceeded`, `TaskCanceled`, ...: an open set.
        category: String = "Category",
        /// Their login name.
        username: String = "Username",
        /// When it happened, on the server's clock.
        occurred: Option<Timestamp> = "Occurred",
        /// What, for people.
        message: String = "Message",
        /// What it is about, in no fixed order.
        related_document_ids: Vec<String> = "RelatedDocumentIds",
    }
}

/// Which events. Lists are "one of", different filters are "and".
#[derive(Clone, Debug, Default)]
pub struct EventQuery {
    /// About all of these documents.
    pub regarding: Vec<String>,
    /// About any of these documents.
    pub regarding_any: Vec<String>,
    /// Of these categories.
    pub categories: Vec<String>,
    /// Of these kinds of document, e.g. `Releases`.
    pub document_types: Vec<String>,
    /// Of these projects.
    pub projects: Vec<ProjectId>,
    /// Of these environments.
    pub environments: Vec<EnvironmentId>,
    /// Of these tenants.
    pub tenants: Vec<TenantId>,
    /// By these users.
    pub users: Vec<UserId>,
    /// Then or later.
    pub from: Option<Timestamp>,
    /// Earlier than that.
    pub to: Option<Timestamp>,
    /// At most so many, the newest.
    pub limit: Option<usize>,
}

document! {
    /// A category of events.
    EventCategory, "event category" {
        /// As events name it.
        id: String = "Id",
    }
}

impl SpaceClient {
    /// The categories of events that the server has.
    pub async fn event_categories(&self) -> Result<Vec<String>> {
        let all: Vec<EventCategory> = self.client().list(&self.route("events/categories"), None).await?;
        Ok(all.into_iter().map(|category| category.id).collect())
    }

    /// Events, newest first.
    pub async fn events(&self, query: &EventQuery) -> Result<Vec<Event>> {
        let route = self
            .route("events")
            .list("regarding", &query.regarding)
            .list("regardingAny", &query.regarding_any)
            .list("eventCategories", &query.categories)
            .list("documentTypes", &query.document_types)
            .list("projects", &query.projects)
            .list("environments", &query.environments)
            .list("tenants", &query.tenants)
            .list("users", &query.users)
            .maybe("from", query.from.map(stamp))
            .maybe("to", query.to.map(stamp))
            .with("excludeDifference", "true");
        self.client().list(&route, query.limit).await
    }
}
