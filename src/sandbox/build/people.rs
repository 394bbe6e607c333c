//! Users with their keys, teams, user roles, and who is given which.
//!
//! On a server only teams are given roles. A user of whom the world says roles or permissions gets a team of their own; one of
//! whom it says nothing may do everything.

use super::{Builder, USER};
use crate::sandbox::{
    access::{ADMINISTRATORS, EVERYONE},
    keys::NewKey,
    permissions::{ADMINISTRATOR, Permission, ROLES, is_system, permission},
    state::{State, stamp},
    store::{Store, slug},
    world::{
        people::{RolePlan, UserPlan},
        values::Ref,
    },
};
use serde_json::{Value, json};

impl Builder<'_> {
    /// Users, their keys, and teams without roles yet.
    pub(super) fn people(&mut self, state: &mut State, own_key: &str) {
        let plan = self.plan;
        let now = stamp(plan.start.0);
        let user = |name: &str, display: &str, plan: Option<&UserPlan>| {
            json!({
                "Username": name, "DisplayName": display, "IsActive": plan.is_none_or(|u| !u.disabled), "IsService": plan.is_none_or(|u| u.service),
                "EmailAddress": plan.and_then(|u| u.email.as_ref()), "CanPasswordBeEdited": false, "IsRequestor": false, "Identities": [], "Created": now,
            })
        };
        let id = self.add(&mut state.store, "users", "Users-", "", "sandbox", user("sandbox", "Sandbox", None));
        debug_assert_eq!(id, USER);
        let key =
            NewKey { user: USER, secret: Some(own_key), purpose: "the world's key", expires: None, read_only: false, is_token: false };
        state.keys.add(&key, state.now);
        for u in &plan.users {
            let name = u.name.get_ref();
            let display = u.display.as_ref().unwrap_or(name);
            let id = self.add(&mut state.store, "users", "Users-", "", name, user(name, display, Some(u)));
            if let Some(key) = &u.key {
                let key = NewKey { user: &id, secret: Some(key), purpose: "", expires: None, read_only: false, is_token: false };
                state.keys.add(&key, state.now);
            }
            for k in &u.keys {
                let expires = k.expires.map(|e| e.0);
                let key = NewKey { user: &id, secret: Some(&k.key), purpose: &k.purpose, expires, read_only: k.read_only, is_token: false };
                let index = state.keys.add(&key, state.now);
                state.keys.all[index].is_agent = k.agent;
            }
        }
        let mut administrators = vec![USER.to_owned()];
        let said = |u: &UserPlan| {
            let name = u.name.get_ref();
            u.permissions.is_some()
                || !u.roles.is_empty()
                || plan.teams.iter().any(|t| !t.roles.is_empty() && t.members.iter().any(|m| m.get_ref().eq_ignore_ascii_case(name)))
        };
        administrators.extend(plan.users.iter().filter(|u| !said(u)).map(|u| self.id("users", "", u.name.get_ref())));
        let everyone: Vec<String> = state.store.of("users").iter().map(|u| u["Id"].as_str().unwrap_or_default().to_owned()).collect();
        for (id, name, members) in [(EVERYONE, "Everyone", &everyone), (ADMINISTRATORS, "Octopus Administrators", &administrators)] {
            let mut doc = team(members, None, false);
            doc["Id"] = json!(id);
            doc["Name"] = json!(name);
            doc["Slug"] = json!(slug(name));
            state.store.of_mut("teams").put(doc);
        }
        for t in &plan.teams {
            let space = t.space.as_ref().map(|s| self.space(Some(s)));
            let members = self.all("users", "", &t.members);
            self.add(&mut state.store, "teams", "Teams-", "", t.name.get_ref(), team(&members, space.as_deref(), true));
        }
    }

    /// The roles, and who is given which: only when the projects and tenants they are restricted to are there.
    pub(super) fn roles(&mut self, store: &mut Store) {
        let plan = self.plan;
        for role in *ROLES {
            user_role(store, role.name, "", &role.system, &role.in_space(), false);
        }
        for role in &plan.roles {
            let (system, space) = split(&role.permissions);
            user_role(store, role.name.get_ref(), &role.description, &system, &space, true);
        }
        let all_spaces: Vec<String> = store.of("spaces").iter().map(|s| s["Id"].as_str().unwrap_or_default().to_owned()).collect();
        given(store, ADMINISTRATORS, &role_id(ADMINISTRATOR), None, [vec![], vec![], vec![], vec![]]);
        for t in &plan.teams {
            let id = self.id("teams", "", t.name.get_ref());
            t.roles.iter().for_each(|r| self.give(store, &id, r));
        }
        for u in plan.users.iter().filter(|u| u.permissions.is_some() || !u.roles.is_empty()) {
            let (name, id) = (u.name.get_ref(), self.id("users", "", u.name.get_ref()));
            let own = self.add(store, "teams", "Teams-", "", &format!("{name} alone"), team(&[id], None, true));
            u.roles.iter().for_each(|r| self.give(store, &own, r));
            if let Some(permissions) = &u.permissions {
                let (system, space) = split(permissions);
                let role = user_role(store, &format!("What {name} may do"), "", &system, &space, true);
                given(store, &own, &role, None, [vec![], vec![], vec![], vec![]]);
                for s in &all_spaces {
                    given(store, &own, &role, Some(s), [vec![], vec![], vec![], vec![]]);
                }
            }
        }
    }

    fn give(&self, store: &mut Store, team: &str, plan: &RolePlan) {
        let space = self.space(plan.space.as_ref());
        // A name that stands for copies has no id of its own: nothing is meant by it, rather than everything.
        let ids = |kind: &'static str, names: &[Ref]| -> Vec<String> {
            self.all(kind, &space, names).into_iter().map(|id| if id.is_empty() { "-".to_owned() } else { id }).collect()
        };
        let role = role_id(plan.role.get_ref());
        let under = [
            ids("projects", &plan.projects),
            ids("projectgroups", &plan.groups),
            ids("environments", &plan.environments),
            ids("tenants", &plan.tenants),
        ];
        if store.of("userroles").get(&role).is_some_and(|r| r["GrantedSystemPermissions"].as_array().is_some_and(|a| !a.is_empty())) {
            given(store, team, &role, None, [vec![], vec![], vec![], vec![]]);
        }
        given(store, team, &role, Some(&space), under);
    }
}

fn team(members: &[String], space: Option<&str>, own: bool) -> Value {
    json!({
        "SpaceId": space, "Description": "", "MemberUserIds": members, "ExternalSecurityGroups": [], "CanBeDeleted": own, "CanBeRenamed": own,
        "CanChangeRoles": own, "CanChangeMembers": true,
    })
}

/// `userroles-projectdeployer`
fn role_id(name: &str) -> String {
    format!("userroles-{}", slug(name).replace('-', ""))
}

/// What of a list of permissions applies at system level, and what in a space.
fn split(permissions: &[Ref]) -> (Vec<&'static str>, Vec<&'static str>) {
    let known = permissions.iter().filter_map(|p| permission(p.get_ref())).map(|p| p.name);
    known.partition(|p| is_system(p))
}

fn user_role(store: &mut Store, name: &str, description: &str, system: &[&'static str], space: &[&'static str], own: bool) -> String {
    let id = role_id(name);
    let words = |list: &[&str]| -> Vec<&str> { list.iter().filter_map(|p| permission(p)).map(|p| p.allows).collect() };
    let mut restrictions: Vec<&str> = space.iter().filter_map(|p| permission(p)).flat_map(Permission::restrictions).collect();
    restrictions.sort_unstable();
    restrictions.dedup();
    store.of_mut("userroles").put(json!({
        "Id": id, "Name": name, "Description": description, "GrantedSpacePermissions": space, "GrantedSystemPermissions": system,
        "SupportedRestrictions": restrictions, "SpacePermissionDescriptions": words(space), "SystemPermissionDescriptions": words(system),
        "CanBeDeleted": own,
    }));
    id
}

fn given(store: &mut Store, team: &str, role: &str, space: Option<&str>, under: [Vec<String>; 4]) {
    let id = store.next_id("ScopedUserRoles-");
    let [projects, groups, environments, tenants] = under;
    store.of_mut("scopeduserroles").put(json!({
        "Id": id, "TeamId": team, "UserRoleId": role, "SpaceId": space, "ProjectIds": projects, "ProjectGroupIds": groups,
        "EnvironmentIds": environments, "TenantIds": tenants,
    }));
}
