//! API keys and access tokens: whose they are, until when they hold, and whether they may only read (octopus-api.md §2).

use super::{
    answer::{Answer, Ask, Handled, Refusal},
    collection::page,
    state::{State, stamp, stamp_or_null},
    world::KNOWN_KEY,
};
use crate::clock::later;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::collections::HashMap;

/// How long an access token holds; a server's holds an hour as well.
const TOKEN: SignedDuration = SignedDuration::from_hours(1);

/// A key.
pub(crate) struct Key {
    pub(crate) id: String,
    pub(crate) user: String,
    pub(crate) secret: String,
    pub(crate) purpose: String,
    pub(crate) created: Timestamp,
    pub(crate) expires: Option<Timestamp>,
    pub(crate) read_only: bool,
    /// An access token, which no list shows.
    pub(crate) is_token: bool,
    /// Since when it is revoked; it may still work for a while.
    pub(crate) revoked: Option<Timestamp>,
}

/// What a key is made of.
pub(crate) struct NewKey<'a> {
    pub(crate) user: &'a str,
    /// Absent: one is made up, the same for the same world and requests.
    pub(crate) secret: Option<&'a str>,
    pub(crate) purpose: &'a str,
    pub(crate) expires: Option<Timestamp>,
    pub(crate) read_only: bool,
    pub(crate) is_token: bool,
}

impl State {
    /// Adds a key and gives back its place.
    pub(crate) fn add_key(&mut self, new: &NewKey<'_>) -> usize {
        // Where the sandbox's own key is secret, those that are made here must not be known either.
        let own = self.keys.first().map(|own| own.secret.as_str()).filter(|own| *own != KNOWN_KEY).unwrap_or_default();
        let made_of = format!("{own}{}/{}/{}", new.user, self.keys.len(), new.purpose);
        let digits = uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, made_of.as_bytes()).simple().to_string().to_uppercase();
        self.keys.push(Key {
            id: format!("apikeys-{}", &digits[..26]),
            user: new.user.to_owned(),
            secret: new.secret.map_or_else(|| format!("API-{digits}"), str::to_owned),
            purpose: new.purpose.to_owned(),
            created: self.now,
            expires: new.expires,
            read_only: new.read_only,
            is_token: new.is_token,
            revoked: None,
        });
        self.keys.len() - 1
    }

    /// Whether this is one of the keys that there are or were.
    pub(crate) fn knows_key(&self, secret: &str) -> bool {
        self.keys.iter().any(|key| key.secret == secret)
    }

    /// The user of a key that holds now, and whether it may only read.
    pub(crate) fn user_of_key(&self, secret: &str) -> Option<(String, bool)> {
        let works = |k: &Key| match (k.revoked, self.plan.key_cache) {
            (Some(at), Some(cache)) => self.now < later(at, cache.0),
            (revoked, _) => revoked.is_none(),
        };
        let holds = |k: &&Key| k.secret == secret && works(k) && k.expires.is_none_or(|e| self.now < e);
        let key = self.keys.iter().find(holds)?;
        let active = self.store.of("users").get(&key.user).is_some_and(|u| u["IsActive"] == true);
        active.then(|| (key.user.clone(), key.read_only))
    }
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

/// `users/{id}/apikeys…`
pub(crate) fn route(state: &mut State, ask: &Ask, user: &str, rest: &[&str]) -> Handled {
    if user != ask.user && !state.access.everything {
        return Err(Refusal::forbidden("AdministerSystem"));
    }
    let find = |state: &State, id: &str| {
        let mine = |k: &Key| k.user == user && !k.is_token && k.revoked.is_none() && k.id.eq_ignore_ascii_case(id);
        state.keys.iter().position(mine).ok_or_else(|| Refusal::missing(id))
    };
    match (ask.method.as_str(), rest) {
        ("GET", []) => {
            let by_id: HashMap<String, usize> = state.keys.iter().enumerate().map(|(i, k)| (k.id.to_lowercase(), i)).collect();
            let places = ask.places(|id| by_id.get(&id.to_lowercase()).copied(), || (0..state.keys.len()).collect());
            let wanted = |k: &&Key| k.user == user && !k.is_token && k.revoked.is_none();
            let found: Vec<&Key> = places.into_iter().map(|i| &state.keys[i]).filter(wanted).collect();
            Answer::ok(page(ask, "ApiKey", &found, |k| show(k)))
        }
        ("POST", []) => {
            if state.access.read_only {
                return Err(Refusal::forbidden("UserEdit"));
            }
            let purpose = ask.text("Purpose").ok_or_else(|| Refusal::invalid("The Purpose field is required."))?;
            let expires = match ask.text("Expires").map(|t| t.parse::<Timestamp>()) {
                Some(Err(_)) => return Err(Refusal::invalid("The value of Expires is not valid.")),
                Some(Ok(at)) if at <= state.now => return Err(Refusal::invalid("The expiry date must be in the future.")),
                Some(Ok(at)) => Some(at),
                None => None,
            };
            let new = NewKey { user, secret: None, purpose: &purpose, expires, read_only: false, is_token: false };
            let index = state.add_key(&new);
            let mut doc = show(&state.keys[index]);
            doc["ApiKey"] = json!(state.keys[index].secret);
            Answer::created(doc)
        }
        ("GET", [id]) => Answer::ok(show(&state.keys[find(state, id)?])),
        ("DELETE", [id]) => {
            if state.access.read_only {
                return Err(Refusal::forbidden("UserEdit"));
            }
            let index = find(state, id)?;
            state.keys[index].revoked = Some(state.now);
            Answer::ok(show(&state.keys[index]))
        }
        _ => Err(Refusal::wrong_verb(&ask.method)),
    }
}

/// `POST users/access-token`
pub(crate) fn token(state: &mut State, ask: &Ask) -> Handled {
    let (expires, read_only) = (Some(later(state.now, TOKEN)), state.access.read_only);
    let index = state.add_key(&NewKey { user: &ask.user, secret: None, purpose: "access token", expires, read_only, is_token: true });
    Answer::ok(json!({ "AccessToken": state.keys[index].secret }))
}

/// A key that nobody can guess, of 98 random bits. It has the form that official clients want, and is one character shorter than the keys of a
/// server: what looks like one of those is masked wherever it is printed, and this one is shown to be copied.
pub(crate) fn made_up() -> String {
    let mut left = uuid::Uuid::new_v4().as_u128();
    let mut digit = || {
        let digit = char::from_digit(u32::try_from(left % 36).unwrap_or_default(), 36).unwrap_or('0').to_ascii_uppercase();
        left /= 36;
        digit
    };
    let digits: String = (0..19).map(|_| digit()).collect();
    format!("API-{digits}")
}
