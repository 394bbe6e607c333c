//! The API keys of a user: listed, made and revoked; access tokens (octopus-api.md §2).

use super::{
    answer::{Answer, Ask, Handled, Refusal, str_of},
    keys::{Key, NewKey},
    pages::{ListPage, page},
    people,
    routing::{Endpoint, Of, OfBy, Whole, delete, get, post},
    state::{State, stamp, stamp_or_null},
};
use crate::clock::later;
use jiff::SignedDuration;
use serde_json::{Value, json};
use std::collections::HashMap;

#[rustfmt::skip]
pub(crate) const ENDPOINTS: &[Endpoint] = &[
    get("/api/users/{id}/apikeys", "", &Of(owner, |state, ask, user| Answer::ok(list(state, ask, &user)))),
    get("/api/users/{id}/apikeys/{key}", "", &OfBy(owner, |state, _, user, [id]| Answer::ok(show(&state.keys.all[find(state, &user, id)?])))),
    post("/api/users/{id}/apikeys", "", &Of(owner, |state, ask, user| create(state, ask, &user))),
    delete("/api/users/{id}/apikeys/{key}", "", &OfBy(owner, |state, _, user, [id]| revoke(state, &user, id))),
    post("/api/users/access-token", "", &Whole(token)),
];

/// How long an access token holds; a server's holds an hour as well.
const TOKEN: SignedDuration = SignedDuration::from_hours(1);

/// The id of a user whose keys are the caller's business.
fn owner(state: &State, ask: &Ask, id: &str) -> Result<String, Refusal> {
    let user = str_of(&*people::find(state, ask, id)?, "Id").to_owned();
    if user == ask.user || state.access.everything { Ok(user) } else { Err(Refusal::forbidden("AdministerSystem")) }
}

/// A key as lists show it: the secret is known only to whoever made it.
fn show(key: &Key) -> Value {
    let hint: String = key.secret.chars().take(6).collect();
    json!({
        "Id": key.id, "Purpose": key.purpose, "UserId": key.user, "ApiKey": {"HasValue": true, "NewValue": null, "Hint": hint},
        "Created": stamp(key.created), "Expires": stamp_or_null(key.expires),
        "Links": {"Self": format!("/api/users/{}/apikeys/{}", key.user, key.id)},
    })
}

/// A key of a user that lists show.
fn find(state: &State, user: &str, id: &str) -> Result<usize, Refusal> {
    let is_it = |k: &Key| k.is_shown_to(user) && k.id.eq_ignore_ascii_case(id);
    state.keys.all.iter().position(is_it).ok_or_else(|| Refusal::missing(id))
}

fn list(state: &State, ask: &Ask, user: &str) -> ListPage<Value> {
    let by_id: HashMap<String, usize> = state.keys.all.iter().enumerate().map(|(i, k)| (k.id.to_lowercase(), i)).collect();
    let places = ask.places(|id| by_id.get(&id.to_lowercase()).copied(), || (0..state.keys.all.len()).collect());
    let found: Vec<&Key> = places.into_iter().map(|i| &state.keys.all[i]).filter(|k| k.is_shown_to(user)).collect();
    page(ask, "ApiKey", &found, |k| show(k))
}

fn create(state: &mut State, ask: &Ask, user: &str) -> Handled {
    if state.access.read_only {
        return Err(Refusal::forbidden("UserEdit"));
    }
    let (purpose, expires) = (ask.need("Purpose")?, ask.time("Expires")?);
    if expires.is_some_and(|at| at <= state.now) {
        return Err(Refusal::invalid("The expiry date must be in the future."));
    }
    let index = state.keys.add(&NewKey { user, secret: None, purpose: &purpose, expires, read_only: false, is_token: false }, state.now);
    let mut doc = show(&state.keys.all[index]);
    doc["ApiKey"] = json!(state.keys.all[index].secret);
    Answer::created(doc)
}

fn revoke(state: &mut State, user: &str, id: &str) -> Handled {
    if state.access.read_only {
        return Err(Refusal::forbidden("UserEdit"));
    }
    let index = find(state, user, id)?;
    state.keys.all[index].revoked = Some(state.now);
    Answer::ok(show(&state.keys.all[index]))
}

/// `POST users/access-token`
fn token(state: &mut State, ask: &Ask) -> Handled {
    let (expires, read_only) = (Some(later(state.now, TOKEN)), state.access.read_only);
    let index =
        state.keys.add(&NewKey { user: &ask.user, secret: None, purpose: "access token", expires, read_only, is_token: true }, state.now);
    Answer::ok(json!({ "AccessToken": state.keys.all[index].secret }))
}
