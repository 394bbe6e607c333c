//! The permissions of Octopus and the user roles that come with a server, as `permissions.json` lists them.
//!
//! Names, levels and restrictions are those of a server's `permissions/all`; the roles are those of the page "Default permissions
//! for built-in user roles" of Octopus's documentation.

use serde::Deserialize;
use std::{collections::HashMap, sync::LazyLock};

/// Where a permission applies.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Level {
    Space,
    System,
    Both,
}

/// A permission.
#[derive(Deserialize)]
pub(crate) struct Permission {
    pub(crate) name: &'static str,
    /// What it allows, in the server's words.
    pub(crate) allows: &'static str,
    pub(crate) level: Level,
    /// What a role that grants it can be restricted to: `P`rojects, `E`nvironments, `T`enants, project `G`roups.
    restrictions: &'static str,
}

impl Permission {
    /// The restrictions in the server's words.
    pub(crate) fn restrictions(&self) -> Vec<&'static str> {
        let words = [('P', "projects"), ('E', "environments"), ('T', "tenants"), ('G', "projectgroups")];
        words.iter().filter(|(letter, _)| self.restrictions.contains(*letter)).map(|(_, word)| *word).collect()
    }
}

/// A role that comes with the server.
#[derive(Deserialize)]
pub(crate) struct Role {
    pub(crate) name: &'static str,
    /// The role whose permissions in a space it has, too.
    extends: Option<&'static str>,
    /// The permissions it grants at system level.
    #[serde(default)]
    pub(crate) system: Vec<&'static str>,
    #[serde(default)]
    space: Vec<&'static str>,
}

impl Role {
    /// The permissions it grants in a space.
    pub(crate) fn in_space(&self) -> Vec<&'static str> {
        let extended = ROLES.iter().find(|role| self.extends == Some(role.name));
        self.space.iter().chain(extended.into_iter().flat_map(|role| &role.space)).copied().collect()
    }
}

/// The name of the role that may do everything.
pub(crate) const ADMINISTRATOR: &str = "System administrator";

#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'static"))]
struct Shipped {
    permissions: Vec<Permission>,
    roles: Vec<Role>,
}

static SHIPPED: LazyLock<Shipped> = LazyLock::new(|| serde_json::from_str(include_str!("permissions.json")).expect("a test reads it"));

/// Every permission.
pub(crate) static PERMISSIONS: LazyLock<&[Permission]> = LazyLock::new(|| &SHIPPED.permissions);

/// Every built-in role.
pub(crate) static ROLES: LazyLock<&[Role]> = LazyLock::new(|| &SHIPPED.roles);

/// The permission of this name, without regard to case.
pub(crate) fn permission(name: &str) -> Option<&'static Permission> {
    static BY_NAME: LazyLock<HashMap<String, &Permission>> =
        LazyLock::new(|| PERMISSIONS.iter().map(|p| (p.name.to_ascii_lowercase(), p)).collect());
    BY_NAME.get(&name.to_ascii_lowercase()).copied()
}

/// Whether a permission applies at system level only.
pub(crate) fn is_system(name: &str) -> bool {
    permission(name).is_some_and(|p| p.level == Level::System)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_grant_permissions_that_exist() {
        for role in *ROLES {
            for name in role.system.iter().copied().chain(role.in_space()) {
                assert!(PERMISSIONS.iter().any(|known| known.name == name), "{} grants {name}", role.name);
            }
            assert!(role.extends.is_none_or(|of| ROLES.iter().any(|known| known.name == of)), "{}", role.name);
        }
    }
}
