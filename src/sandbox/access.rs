//! Who may do what: the permissions that a user's teams give through their roles, and what each is restricted to
//! (octopus-api.md §9).
//!
//! Three questions, asked in this order. May the caller do this at all, anywhere in the space? If not: 403 with the missing
//! permission. Does the caller see this thing? If not, it does not exist: 404, and lists leave it out. May the caller do it to
//! this very thing? If not: 403.

use super::{
    answer::{str_of, texts},
    nouns::Noun,
    store::Store,
};
use serde_json::Value;
use std::collections::BTreeSet;

/// The team whose members may do everything.
pub(crate) const ADMINISTRATORS: &str = "teams-administrators";
/// The team of everybody.
pub(crate) const EVERYONE: &str = "teams-everyone";

/// What the caller of a request may do.
#[derive(Default)]
pub(crate) struct Access {
    /// Holds `AdministerSystem`: no permission and no restriction is asked.
    pub(crate) everything: bool,
    /// The key may only read (Octopus 2026.3, "Access level").
    pub(crate) read_only: bool,
    grants: Vec<Grant>,
}

/// One role of one team.
struct Grant {
    permissions: BTreeSet<String>,
    /// None: at system level.
    space: Option<String>,
    projects: Vec<String>,
    groups: Vec<String>,
    environments: Vec<String>,
    tenants: Vec<String>,
}

/// What a permission is asked for. A dimension that does not apply is `None`: no restriction can shut it out. One that applies
/// but is empty (an untenanted deployment) is `Some("")`: a restriction to certain tenants shuts it out.
#[derive(Clone, Copy, Default)]
pub(crate) struct Thing<'a> {
    pub(crate) space: Option<&'a str>,
    pub(crate) project: Option<&'a str>,
    pub(crate) environment: Option<&'a str>,
    pub(crate) tenant: Option<&'a str>,
}

impl<'a> Thing<'a> {
    /// Something of a project.
    pub(crate) fn project(id: &'a str) -> Self {
        Self { project: Some(id), ..Self::default() }
    }

    /// What a document is.
    pub(crate) fn of(noun: &Noun, doc: &'a Value) -> Self {
        let text = |key: &str| doc.get(key).and_then(Value::as_str);
        let own = |path: &str| text("Id").filter(|_| noun.path == path);
        Self {
            space: text("SpaceId"),
            project: own("projects").or_else(|| text("ProjectId")),
            environment: own("environments"),
            tenant: own("tenants"),
        }
    }
}

impl Access {
    /// Everything: what the server itself may do.
    pub(crate) fn unlimited() -> Self {
        Self { everything: true, ..Self::default() }
    }

    /// What a user may do by the teams and roles there are now.
    pub(crate) fn of(store: &Store, user: &str, read_only: bool) -> Self {
        let mut access = Self { read_only, ..Self::default() };
        let mine = |t: &&Value| str_of(t, "Id") == EVERYONE || texts(&t["MemberUserIds"]).iter().any(|m| m == user);
        let teams: Vec<&str> = store.of("teams").iter().filter(mine).map(|t| str_of(t, "Id")).collect();
        access.everything = teams.contains(&ADMINISTRATORS);
        if access.everything {
            // Nothing is asked of its grants.
            return access;
        }
        for given in store.of("scopeduserroles").iter().filter(|r| teams.contains(&str_of(r, "TeamId"))) {
            let Some(role) = store.of("userroles").get(str_of(given, "UserRoleId")) else { continue };
            let space = given["SpaceId"].as_str();
            let granted = texts(&role[if space.is_some() { "GrantedSpacePermissions" } else { "GrantedSystemPermissions" }]);
            access.everything |= granted.iter().any(|p| p == "AdministerSystem");
            access.grants.push(Grant {
                permissions: granted.into_iter().collect(),
                space: space.map(str::to_owned),
                projects: texts(&given["ProjectIds"]),
                groups: texts(&given["ProjectGroupIds"]),
                environments: texts(&given["EnvironmentIds"]),
                tenants: texts(&given["TenantIds"]),
            });
        }
        access
    }

    /// Whether the caller holds one of the permissions (separated by `|`; none: everybody does) for this thing.
    pub(crate) fn allows(&self, store: &Store, needs: &str, thing: &Thing<'_>) -> bool {
        self.everything
            || needs.is_empty()
            || self.grants.iter().any(|g| needs.split('|').any(|p| g.permissions.contains(p)) && g.covers(store, thing))
    }

    /// Whether the caller sees a document.
    pub(crate) fn sees(&self, store: &Store, noun: &Noun, doc: &Value) -> bool {
        if self.everything {
            return true;
        }
        let (thing, allows) = (Thing::of(noun, doc), |thing: &Thing<'_>| self.allows(store, noun.needs[0], thing));
        match noun.path {
            "spaces" => self.reaches(str_of(doc, "Id")) || self.allows(store, "SpaceView", &Thing::default()),
            // A restriction to a group lets its own group be seen, not only the projects in it.
            "projectgroups" => self.grants.iter().any(|g| {
                g.permissions.contains("ProjectGroupView")
                    && g.space.as_deref() == doc["SpaceId"].as_str()
                    && (g.groups.is_empty() || g.groups.iter().any(|id| id == str_of(doc, "Id")))
            }),
            // Whoever sees one environment of a target sees the target.
            "machines" => {
                let environments = texts(&doc["EnvironmentIds"]);
                environments.is_empty() || environments.iter().any(|e| allows(&Thing { environment: Some(e), ..thing }))
            }
            "artifacts" => allows(&thing_of_related(doc["SpaceId"].as_str(), &texts(&doc["_Related"]))),
            _ => allows(&thing),
        }
    }

    /// Whether anything is granted in a space.
    pub(crate) fn reaches(&self, space: &str) -> bool {
        self.everything || self.grants.iter().any(|g| g.space.as_deref() == Some(space))
    }

    /// The restrictions under which each permission is held, as a server's `users/{id}/permissions` lists them:
    /// `(permission, space, projects, groups, environments, tenants)`; system-level ones without a space.
    pub(crate) fn held(&self) -> impl Iterator<Item = (&str, Option<&str>, [&[String]; 4])> {
        self.grants.iter().flat_map(|g| {
            let under: [&[String]; 4] = [&g.projects, &g.groups, &g.environments, &g.tenants];
            g.permissions.iter().map(move |p| (p.as_str(), g.space.as_deref(), under))
        })
    }
}

impl Grant {
    fn covers(&self, store: &Store, thing: &Thing<'_>) -> bool {
        let open = |list: &[String], of: Option<&str>| of.is_none_or(|id| list.is_empty() || list.iter().any(|l| l == id));
        let group = || thing.project.and_then(|p| store.of("projects").get(p)).map(|p| str_of(p, "ProjectGroupId"));
        let project = match thing.project {
            None => true,
            Some(_) if self.projects.is_empty() && self.groups.is_empty() => true,
            Some(id) => self.projects.iter().any(|p| p == id) || group().is_some_and(|g| self.groups.iter().any(|x| x == g)),
        };
        // What is granted at system level says nothing about what is in a space.
        let space = thing.space.is_none_or(|wanted| self.space.as_deref() == Some(wanted));
        space && project && open(&self.environments, thing.environment) && open(&self.tenants, thing.tenant)
    }
}

/// What something is that names the documents it is about: an event, an artifact.
pub(crate) fn thing_of_related<'a>(space: Option<&'a str>, related: &'a [String]) -> Thing<'a> {
    let find = |prefix: &str| related.iter().find(|id| id.starts_with(prefix)).map(String::as_str);
    Thing { space, project: find("Projects-"), environment: find("Environments-"), tenant: find("Tenants-") }
}
