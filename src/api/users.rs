//! Users: who the credential is, and what it may do.

use super::address::Route;
use super::client::Client;
use super::decode::{document, part};
use super::encode::editable;
use super::id::{SpaceId, UserId};
use crate::error::Result;
use std::collections::BTreeMap;

editable! {
    /// A user (octopus-api.md §9).
    User, "user" {
        /// Id as the server wrote it.
        id: UserId = "Id",
        /// Login name.
        username: String = "Username",
        /// Name for people.
        display_name: String = "DisplayName",
        /// Whether it may log in.
        is_active: bool = "IsActive",
    }
}

document! {
    /// What a user may do.
    Permissions, "permission set" {
        /// By permission name, where it holds; a permission that is granted without restriction has an empty entry.
        space_permissions: BTreeMap<String, Vec<Grant>> = "SpacePermissions",
        /// Permissions of the whole server.
        system_permissions: Vec<String> = "SystemPermissions",
    }
}

part! {
    /// Where a permission holds; empty lists do not restrict.
    Grant {
        /// In this space.
        space_id: Option<SpaceId> = "SpaceId",
    }
}

impl Permissions {
    /// Whether `permission` (e.g. `DeploymentCreate`) is granted in a space, possibly restricted.
    pub fn has(&self, permission: &str, space: &SpaceId) -> bool {
        let administrator = self.system_permissions.iter().any(|p| p == "AdministerSystem");
        administrator
            || self
                .space_permissions
                .get(permission)
                .is_some_and(|grants| grants.iter().any(|g| g.space_id.as_ref().is_none_or(|s| s == space)))
    }
}

impl Client {
    /// The user of the credential.
    pub async fn me(&self) -> Result<User> {
        self.fetch(&Route::new("/api/users/me")).await
    }

    /// A user by id.
    pub async fn user(&self, id: &UserId) -> Result<User> {
        self.fetch(&Route::new("/api/users").then(id)).await
    }

    /// What a user may do.
    pub async fn permissions(&self, user: &UserId) -> Result<Permissions> {
        self.fetch(&Route::new("/api/users").then(user).then("permissions").with("spaces", "all").with("includeSystem", "true")).await
    }
}
