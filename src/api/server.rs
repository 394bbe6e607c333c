//! The server itself: its root document.

use super::address::Route;
use super::client::Client;
use super::decode::{Links, document};
use crate::error::Result;

document! {
    /// The root document (octopus-api.md §4.1).
    ServerInfo, "root document" {
        /// `Octopus Deploy`.
        application: String = "Application",
        /// Version, e.g. `2026.1.4242`.
        version: String = "Version",
        /// Version of the API.
        api_version: String = "ApiVersion",
        /// Tells installations apart.
        installation_id: String = "InstallationId",
        /// Links, of which the one to the page for people is kept.
        links: Links = "Links",
    }
}

impl Client {
    /// The root document; needs no credential.
    pub async fn server_info(&self) -> Result<ServerInfo> {
        self.fetch(&Route::new("/api")).await
    }
}
