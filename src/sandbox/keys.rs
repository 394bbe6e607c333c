//! API keys and access tokens: whose they are, until when they hold, and whether they may only read (octopus-api.md §2).

use super::world::KNOWN_KEY;
use crate::clock::later;
use jiff::{SignedDuration, Timestamp};

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
    /// Made for an AI agent, whose requests are counted apart from the user's own.
    pub(crate) is_agent: bool,
    /// Since when it is revoked; it may still work for a while.
    pub(crate) revoked: Option<Timestamp>,
    /// When a request came with it last.
    pub(crate) used: Option<Timestamp>,
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

impl Key {
    pub(crate) fn is_shown_to(&self, user: &str) -> bool {
        self.user == user && !self.is_token && self.revoked.is_none()
    }
}

/// All keys, those that no longer work too.
#[derive(Default)]
pub(crate) struct KeyRing {
    pub(crate) all: Vec<Key>,
}

impl KeyRing {
    /// Adds a key and gives back its place.
    pub(crate) fn add(&mut self, new: &NewKey<'_>, now: Timestamp) -> usize {
        // Where the sandbox's own key is secret, those that are made here must not be known either.
        let own = self.all.first().map(|own| own.secret.as_str()).filter(|own| *own != KNOWN_KEY).unwrap_or_default();
        let made_of = format!("{own}{}/{}/{}", new.user, self.all.len(), new.purpose);
        let digits = uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, made_of.as_bytes()).simple().to_string().to_uppercase();
        self.all.push(Key {
            id: format!("apikeys-{}", &digits[..26]),
            user: new.user.to_owned(),
            secret: new.secret.map_or_else(|| format!("API-{digits}"), str::to_owned),
            purpose: new.purpose.to_owned(),
            created: now,
            expires: new.expires,
            read_only: new.read_only,
            is_token: new.is_token,
            is_agent: false,
            revoked: None,
            used: None,
        });
        self.all.len() - 1
    }

    /// Whether this is one of the keys that there are or were.
    pub(crate) fn knows(&self, secret: &str) -> bool {
        self.all.iter().any(|key| key.secret == secret)
    }

    /// The place of the key with this secret that holds now; `cache` is how long one that was revoked goes on to work.
    pub(crate) fn holding(&self, secret: &str, now: Timestamp, cache: Option<SignedDuration>) -> Option<usize> {
        let works = |k: &Key| k.revoked.is_none_or(|at| cache.is_some_and(|cache| now < later(at, cache)));
        self.all.iter().position(|k| k.secret == secret && works(k) && k.expires.is_none_or(|e| now < e))
    }
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
