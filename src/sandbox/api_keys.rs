//! The API keys of a user: listed, made and revoked; access tokens (octopus-api.md §2).

use super::{
    answer::{Answer, Ask, Handled, Refusal, str_of},
    keys::{Key, NewKey},
    pages::{ListPage, page},
    people,
    routing::{Endpoint, Of, OfBy, Whole, delete, get, post},
    state::{State, stamp, stamp_or_null},
    world::server_version::Generation,
};
use crate::clock::later;
use jiff::SignedDuration;
use serde_json::{Value, json};

#[rustfmt::skip]
pub(crate) const ENDPOINTS: &[Endpoint] = &[
    get("/api/users/{id}/apikeys", "", &Of(owner, |state, ask, user| Answer::ok(list(state, ask, &user)))),
    get("/api/users/{id}/apikeys/{key}", "", &OfBy(owner, |state, _, user, [id]| Answer::ok(show(&state.keys.all[find(state, &user, id)?])))),
    post("/api/users/{id}/apikeys", "", &Of(owner, |state, ask, user| create(state, ask, &user))).takes(&[&["Purpose", "Expires", "ActorType"]]),
    delete("/api/users/{id}/apikeys/{key}", "", &OfBy(owner, |state, _, user, [id]| revoke(state, &user, id))),
    post("/api/users/access-token", "", &Whole(token)),
];

/// How long an access token holds; a server's holds an hour as well.
const TOKEN: SignedDuration = SignedDuration::from_hours(1);

/// How long a key holds whose expiry nobody gave; null asks for the longest time, which is not limited here (octopus-api.md §2).
const NOT_SAID: SignedDuration = SignedDuration::from_hours(180 * 24);

/// The kinds of callers for which keys are made.
const USER: &str = "User";
const AGENT: &str = "AiAgent";

/// The id of a user whose keys are the caller's business.
fn owner(state: &State, ask: &Ask, id: &str) -> Result<String, Refusal> {
    let user = str_of(&*people::find(state, ask, id)?, "Id").to_owned();
    if user == ask.user || state.access.everything { Ok(user) } else { Err(Refusal::forbidden("AdministerSystem")) }
}

/// The first characters of a key, by which its owner knows it.
fn hint(key: &Key) -> String {
    key.secret.chars().take(6).collect()
}

/// A key as lists show it: the secret is known only to whoever made it.
fn show(key: &Key) -> Value {
    json!({
        "Id": key.id, "Purpose": key.purpose, "UserId": key.user, "ApiKey": {"HasValue": true, "NewValue": null, "Hint": hint(key)},
        "Created": stamp(key.created), "Expires": stamp_or_null(key.expires), "ActorType": if key.is_agent { AGENT } else { USER },
        "AccessLevel": if key.read_only { "ReadOnly" } else { "FullAccess" }, "LastUsedTimeStamp": stamp_or_null(key.used),
        "IsLastUsedTimestampKnown": true,
        "Links": {"Self": format!("/api/users/{}/apikeys/{}", key.user, key.id)},
    })
}

/// A key of a user that lists show.
fn find(state: &State, user: &str, id: &str) -> Result<usize, Refusal> {
    let is_it = |k: &Key| k.is_shown_to(user) && k.id.eq_ignore_ascii_case(id);
    state.keys.all.iter().position(is_it).ok_or_else(|| Refusal::missing(id))
}

fn list(state: &State, ask: &Ask, user: &str) -> ListPage<Value> {
    let (purpose, keyword) = (ask.query("partialPurpose").map(str::to_lowercase), ask.query("partialKeyword").map(str::to_lowercase));
    let has = |text: &str, part: Option<&String>| part.is_none_or(|part| text.to_lowercase().contains(part));
    let is_meant =
        |key: &&Key| has(&key.purpose, purpose.as_ref()) && (has(&key.purpose, keyword.as_ref()) || has(&hint(key), keyword.as_ref()));
    let found: Vec<&Key> = state.keys.all.iter().filter(|k| k.is_shown_to(user)).filter(is_meant).collect();
    page(ask, "ApiKey", &found, |k| show(k))
}

fn create(state: &mut State, ask: &Ask, user: &str) -> Handled {
    if state.access.read_only {
        return Err(Refusal::forbidden("UserEdit"));
    }
    let purpose = ask.need("Purpose")?;
    let is_agent = match ask.text("ActorType").as_deref() {
        None | Some(USER) => false,
        Some(AGENT) => true,
        Some(other) => return Err(Refusal::invalid(format!("The value '{other}' is not valid for ActorType."))),
    };
    let expires = if ask.has("Expires") || state.plan.version.generation < Generation::V2026_3 {
        ask.time("Expires")?
    } else {
        Some(later(state.now, NOT_SAID))
    };
    if expires.is_some_and(|at| at <= state.now) {
        return Err(Refusal::invalid("The expiry date must be in the future."));
    }
    let index = state.keys.add(&NewKey { user, secret: None, purpose: &purpose, expires, read_only: false, is_token: false }, state.now);
    state.keys.all[index].is_agent = is_agent;
    let mut doc = show(&state.keys.all[index]);
    doc["ApiKey"] = json!(state.keys.all[index].secret);
    Answer::ok(doc)
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
