//! Users, teams and permissions (octopus-api.md §9).

use super::{
    access::{Access, EVERYONE},
    answer::{Answer, Ask, Handled, Refusal, str_of, texts},
    collection::{self, noun_of, page, present},
    keys,
    permissions::{Level, PERMISSIONS},
    state::State,
};
use serde_json::{Value, json};

/// Takes out what users do not have.
pub(crate) fn hide(doc: &mut Value) {
    if let Some(doc) = doc.as_object_mut() {
        doc.retain(|k, _| k != "Name" && k != "Slug");
    }
}

fn show(doc: &Value) -> Value {
    let Some(noun) = noun_of("users") else { return Value::Null };
    let mut doc = present(noun, doc);
    hide(&mut doc);
    doc
}

/// `users…`; none when the generic handling shall answer.
pub(crate) fn route(state: &mut State, ask: &Ask, rest: &[&str]) -> Option<Handled> {
    let noun = noun_of("users")?;
    match (ask.method.as_str(), rest) {
        ("GET", []) => {
            let found = collection::select(state, noun, ask, |u| {
                ask.query("filter").is_none_or(|f| str_of(u, "Username").to_lowercase().contains(&f.to_lowercase()))
            });
            Some(Answer::ok(page(ask, noun.item, &found, |d| show(d))))
        }
        ("GET", ["all"]) => {
            Some(Answer::ok(Value::Array(collection::select(state, noun, ask, |_| true).into_iter().map(|d| show(d)).collect())))
        }
        ("POST", ["login"]) => Some(Err(Refusal::invalid("Invalid username or password."))),
        ("POST", ["logout"]) => Some(Answer::ok(json!({}))),
        ("POST", ["access-token"]) => Some(keys::token(state, ask)),
        (_, [id, "apikeys", tail @ ..]) => {
            let id = if id.eq_ignore_ascii_case("me") { ask.user.clone() } else { (*id).to_owned() };
            let user = state.store.of("users").get(&id).map(|u| str_of(u, "Id").to_owned());
            Some(user.ok_or_else(|| Refusal::missing(&id)).and_then(|user| keys::route(state, ask, &user, tail)))
        }
        ("GET", [id, tail @ ..]) => {
            let id = if id.eq_ignore_ascii_case("me") { ask.user.clone() } else { (*id).to_owned() };
            Some(one(state, ask, &id, tail))
        }
        _ => None,
    }
}

fn one(state: &State, ask: &Ask, id: &str, rest: &[&str]) -> Handled {
    let doc = state.store.of("users").get(id).ok_or_else(|| Refusal::missing(id))?;
    let id = str_of(doc, "Id");
    let teams = || {
        state
            .store
            .of("teams")
            .iter()
            .filter(|t| str_of(t, "Id") == EVERYONE || texts(&t["MemberUserIds"]).iter().any(|m| m == id))
            .map(|t| {
                let member = texts(&t["MemberUserIds"]).iter().any(|m| m == id);
                json!({"Id": t["Id"], "Name": t["Name"], "SpaceId": t["SpaceId"], "IsDirectlyAssigned": member, "ExternalSecurityGroups": []})
            })
            .collect::<Vec<_>>()
    };
    match rest {
        [] => Answer::ok(show(doc)),
        ["spaces"] => {
            let noun = noun_of("spaces").ok_or_else(|| Refusal::missing(id))?;
            let access = Access::of(state, id, false);
            // Of others only what the caller sees as well.
            let theirs = state.store.of("spaces").iter().filter(|s| access.reaches(str_of(s, "Id")) && state.sees(noun, s));
            Answer::ok(Value::Array(theirs.map(|s| present(noun, s)).collect()))
        }
        ["teams"] => Answer::ok(json!(teams())),
        ["permissions"] | ["permissions", "configuration"] => {
            let (map, system) = held(state, id);
            Answer::ok(
                json!({"Id": id, "SpacePermissions": map, "SystemPermissions": system, "Teams": teams(), "IsTeamsComplete": true, "IsPermissionsComplete": true, "Links": {}}),
            )
        }
        _ => Err(Refusal::not_simulated(&ask.method, &ask.path)),
    }
}

/// The permissions of a user: in spaces, each with the restrictions under which it is held, and at system level.
fn held(state: &State, user: &str) -> (Value, Vec<&'static str>) {
    let access = Access::of(state, user, false);
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
        for p in PERMISSIONS.iter().filter(|p| p.2 != Level::System) {
            state.store.of("spaces").iter().for_each(|s| add(p.0, str_of(s, "Id"), [&[]; 4]));
        }
        system.extend(PERMISSIONS.iter().filter(|p| p.2 != Level::Space).map(|p| p.0));
    } else {
        for (permission, space, under) in access.held() {
            match space {
                Some(space) => add(permission, space, under),
                None => system.extend(PERMISSIONS.iter().map(|p| p.0).find(|p| *p == permission)),
            }
        }
        system.sort_unstable();
        system.dedup();
    }
    (map, system)
}
