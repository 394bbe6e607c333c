//! The server itself: its root document.

use super::address::Route;
use super::client::Client;
use super::decode::document;
use crate::error::Result;

document! {
    /// The root document (octopus-api.md §4.1).
    ServerInfo, "root document" {
        /// Version, e.g. `2026.1.4242`.
        version: String = "Version",
        /// Tells installations apart.
        installation_id: String = "InstallationId",
    }
}

impl Client {
    /// The root document; needs no credential.
    pub async fn server_info(&self) -> Result<ServerInfo> {
        self.fetch(&Route::new("/api")).await
    }
}
