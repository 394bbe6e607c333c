//! Spaces, and the handle under which everything inside one is reached.

use super::address::Route;
use super::client::Client;
use super::encode::editable;
use super::id::SpaceId;
use super::resource::named;
use crate::cancel::Cancel;
use crate::clock::Clock;
use crate::error::{Error, Kind, Result};
use crate::json::JsonText;
use jiff::Timestamp;
use serde_json::Value;
use std::sync::Arc;

editable! {
    /// A space (octopus-api.md §3).
    Space, "space" {
        /// Id as the server wrote it.
        id: SpaceId = "Id",
        /// Name as people see it in the portal.
        name: String = "Name",
        /// Slug; empty on old servers.
        slug: String = "Slug",
        /// Whether it is meant when no space is named.
        is_default: bool = "IsDefault",
        /// Whether its tasks all stay queued.
        task_queue_stopped: bool = "TaskQueueStopped",
    }
}
named!(Space, SpaceId);

impl Client {
    /// All spaces the credential may see.
    pub async fn spaces(&self) -> Result<Vec<Space>> {
        self.list(&Route::new("/api/spaces"), None).await
    }

    /// The space called `wanted` (id, slug or name), or the default space.
    pub async fn space(&self, wanted: Option<&str>) -> Result<SpaceClient> {
        let space = if let Some(wanted) = wanted {
            self.find(&Route::new("/api/spaces"), wanted).await?
        } else {
            let spaces = self.spaces().await?;
            let names: Vec<String> = spaces.iter().map(|s| s.name.clone()).collect();
            spaces.into_iter().find(|s| s.is_default).ok_or_else(|| {
                let error = Error::new(Kind::NotFound, "the server has no default space, or you may not see it").help("name the space");
                error.suggest("", names.iter().map(String::as_str))
            })?
        };
        Ok(SpaceClient { client: self.clone(), space: Arc::new(space) })
    }
}

/// A client of one space: has the nouns. Cheap to clone.
#[derive(Clone)]
pub struct SpaceClient {
    client: Client,
    space: Arc<Space>,
}

impl SpaceClient {
    /// The space.
    pub fn space(&self) -> &Space {
        &self.space
    }

    /// The client of the whole server.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The clock.
    pub fn clock(&self) -> &Clock {
        self.client.clock()
    }

    /// The same with another patience: reads are retried until `deadline`.
    #[must_use]
    pub fn until(&self, deadline: Timestamp) -> Self {
        Self { client: self.client.until(deadline), space: self.space.clone() }
    }

    /// The same with another cancel token: for tidying up after a run was cancelled.
    #[must_use]
    pub fn with_cancel(&self, cancel: Cancel) -> Self {
        Self { client: self.client.with_cancel(cancel), space: self.space.clone() }
    }

    /// A route below the space: `route("projects")` is `/api/Spaces-1/projects`.
    pub fn route(&self, path: &str) -> Route {
        Route::new(format!("/api/{}/{}", self.space.id, path.trim_start_matches('/')))
    }

    /// An address for people from a link of the server's.
    pub fn web_url(&self, link: &str) -> String {
        self.client.web_url(link)
    }

    /// Any request. `path` is below the space (`projects/Projects-1`), unless it begins with `/api` (or `/sandbox`, a simulated server's own pages).
    pub async fn raw(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value> {
        self.client.raw(method, &self.absolute(path), body).await
    }

    /// `GET path` as [`SpaceClient::raw`], not read into yet.
    pub async fn read(&self, path: &str) -> Result<JsonText> {
        self.client.read_as(&self.absolute(path), Ok).await
    }

    /// A write as [`SpaceClient::raw`], whose answer is not read into yet.
    pub async fn send(&self, method: &str, path: &str, body: Option<&Value>) -> Result<JsonText> {
        self.client.send(method, &self.absolute(path), body).await
    }

    fn absolute(&self, path: &str) -> String {
        let is_absolute = ["/api", "/sandbox/", "~/", "http://", "https://"].iter().any(|head| path.starts_with(head));
        if is_absolute { path.to_owned() } else { self.route(path).as_str().to_owned() }
    }
}
