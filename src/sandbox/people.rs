//! Users, teams and permissions (octopus-api.md §9).

use super::{
    access::{Access, EVERYONE},
    answer::{All, Answer, Ask, Refusal, str_of, texts},
    collection,
    nouns::named,
    permissions::{Level, PERMISSIONS, Permission},
    routing::{By, Endpoint, Of, Whole, absent, get, post},
    state::State,
    store::{Document, DocumentText, present},
};
use serde_json::{Map, Value, json};
use std::sync::Arc;

#[rustfmt::skip]
pub(crate) const ENDPOINTS: &[Endpoint] = &[
    get("/api/users/me", "", &Whole(|state, ask| Answer::ok(shown(ask, &*find(state, ask, "me")?)))),
    Endpoint { is_own: true, ..get("/api/users/{id}", "UserView", &Of(find, |_, ask, user| Answer::ok(shown(ask, &user)))) },
    get("/api/users/{id}/spaces", "", &Of(find, |state, _, user| Answer::ok(spaces(state, str_of(&user, "Id"))))),
    get("/api/users/{id}/teams", "", &Of(find, |state, _, user| Answer::ok(teams(state, str_of(&user, "Id"))))),
    get("/api/users/{id}/permissions", "", &Of(find, |state, _, user| Answer::ok(permissions(state, str_of(&user, "Id"))))),
    get("/api/users/{id}/permissions/configuration", "", &Of(find, |state, _, user| Answer::ok(permissions(state, str_of(&user, "Id"))))).partly("the same as without `/configuration`"),
    post("/api/users/login", "", &Whole(|_, _| Err(Refusal::invalid("Invalid username or password.")))).partly("nobody has a password: refused").public().takes(&[&["Username", "Password", "RememberMe"]]),
    post("/api/users/logout", "", &Whole(|_, _| Answer::ok(json!({})))).public(),
    absent("GET", "/api/users/{id}/avatar", "pictures are not kept"),
    get("/api/teams/{id}/scopeduserroles", "TeamView", &By(|state, ask, [id]| {
        collection::list(state, ask, named("scopeduserroles"), |d| str_of(d, "TeamId").eq_ignore_ascii_case(id))
    })),
    get("/api/teammembership", "", &Whole(|state, ask| Answer::ok(memberships(state, ask)))),
    get("/api/permissions/all", "", &Whole(|_, _| Answer::ok(descriptions()))),
];

/// A user by id, or the caller.
pub(crate) fn find(state: &State, ask: &Ask, id: &str) -> Result<Arc<Document>, Refusal> {
    let id = if id.eq_ignore_ascii_case("me") { &ask.user } else { id };
    state.store.of("users").document(id).cloned().ok_or_else(|| Refusal::missing(id))
}

/// A user as the caller sees them: `IsRequestor` says that it is the caller.
fn shown(ask: &Ask, user: &Value) -> Value {
    let mut doc = present(named("users"), user);
    doc["IsRequestor"] = json!(str_of(user, "Id") == ask.user);
    doc
}

/// The spaces of a user; of others' only what the caller sees as well.
fn spaces(state: &State, user: &str) -> All<DocumentText> {
    let access = Access::of(&state.store, user, false);
    let theirs = state.store.of("spaces").documents().filter(|s| access.reaches(str_of(s, "Id")) && state.sees(named("spaces"), s));
    All(theirs.map(Document::shown).collect())
}

fn teams(state: &State, user: &str) -> Vec<Value> {
    let is_in = |t: &Value| texts(&t["MemberUserIds"]).iter().any(|m| m == user);
    let theirs = state.store.of("teams").iter().filter(|t| str_of(t, "Id") == EVERYONE || is_in(t));
    theirs
        .map(|t| json!({"Id": t["Id"], "Name": t["Name"], "SpaceId": t["SpaceId"], "IsDirectlyAssigned": is_in(t), "ExternalSecurityGroups": []}))
        .collect()
}

fn permissions(state: &State, user: &str) -> Value {
    let (map, system) = held(state, user);
    json!({"Id": user, "SpacePermissions": map, "SystemPermissions": system, "Teams": teams(state, user), "IsTeamsComplete": true, "IsPermissionsComplete": true, "Links": {}})
}

fn memberships(state: &State, ask: &Ask) -> Vec<Value> {
    let user = ask.query("userId").unwrap_or(&ask.user);
    let theirs = state.store.of("teams").iter().filter(|t| texts(&t["MemberUserIds"]).iter().any(|m| m == user));
    theirs.map(|t| json!({"TeamId": t["Id"], "TeamName": t["Name"], "IsDirectlyAssigned": true, "ExternalGroupNames": []})).collect()
}

fn descriptions() -> Map<String, Value> {
    let about = |p: &Permission| json!({"Description": p.allows, "CanApplyAtSystemLevel": p.level != Level::Space, "CanApplyAtSpaceLevel": p.level != Level::System, "SupportedRestrictions": p.restrictions()});
    PERMISSIONS.iter().map(|p| (p.name.to_owned(), about(p))).collect()
}

/// The permissions of a user: in spaces, each with the restrictions under which it is held, and at system level.
fn held(state: &State, user: &str) -> (Value, Vec<&'static str>) {
    let access = Access::of(&state.store, user, false);
    let mut map = json!({});
    let mut add = |permission: &str, space: &str, [projects, groups, environments, tenants]: [&[String]; 4]| {
        let under = json!({"SpaceId": space, "RestrictedToProjectIds": projects, "RestrictedToEnvironmentIds": environments, "RestrictedToTenantIds": tenants, "RestrictedToProjectGroupIds": groups});
        match map[permission].as_array_mut() {
            Some(list) => list.push(under),
            None => map[permission] = json!([under]),
        }
    };
    let mut system = Vec::new();
    if access.everything {
        for p in PERMISSIONS.iter().filter(|p| p.level != Level::System) {
            state.store.of("spaces").iter().for_each(|s| add(p.name, str_of(s, "Id"), [&[]; 4]));
        }
        system.extend(PERMISSIONS.iter().filter(|p| p.level != Level::Space).map(|p| p.name));
    } else {
        for (permission, space, under) in access.held() {
            match space {
                Some(space) => add(permission, space, under),
                None => system.extend(PERMISSIONS.iter().map(|p| p.name).find(|p| *p == permission)),
            }
        }
        system.sort_unstable();
        system.dedup();
    }
    (map, system)
}
