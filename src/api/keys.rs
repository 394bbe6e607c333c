//! API keys of a user: made for a while, and revoked.

use super::address::Route;
use super::client::Client;
use super::decode::document;
use super::encode::stamp;
use super::id::{ApiKeyId, UserId};
use crate::error::{Error, Kind, Result};
use jiff::Timestamp;
use serde_json::{Value, json};

document! {
    /// What a server shows of the secret of a key.
    KeyHint, "hint" {
        /// The characters that the key begins with, `API-AB`; empty where a server does not say.
        begins: String = "Hint",
    }
}

document! {
    /// An API key as the server shows it: without the key itself (octopus-api.md §2).
    ApiKey, "API key" {
        /// Id as the server wrote it.
        id: ApiKeyId = "Id",
        /// What it is for.
        purpose: String = "Purpose",
        /// When it stops working; absent when never.
        expires: Option<Timestamp> = "Expires",
        /// What the server shows of the secret.
        secret: Option<KeyHint> = "ApiKey",
    }
}

impl Client {
    /// The API keys of a user.
    pub async fn api_keys(&self, user: &UserId) -> Result<Vec<ApiKey>> {
        self.list(&keys(user), None).await
    }

    /// The key of this client among the keys of its user: the one that alone begins like it. None with an access token, or where several do.
    pub async fn own_api_key(&self, user: &UserId) -> Result<Option<ApiKey>> {
        let begins_like_it =
            |key: &ApiKey| key.secret.as_ref().is_some_and(|secret| self.inner.settings.credential.is_api_key_that_begins(&secret.begins));
        let mut alike: Vec<ApiKey> = self.api_keys(user).await?.into_iter().filter(begins_like_it).collect();
        Ok(if alike.len() == 1 { alike.pop() } else { None })
    }

    /// Makes an API key that holds until `expires`. The second half is the key itself, which is told only once.
    pub async fn create_api_key(&self, user: &UserId, purpose: &str, expires: Timestamp) -> Result<(ApiKey, String)> {
        let body = json!({"Purpose": purpose, "Expires": stamp(expires)});
        let mut answer = self.send("POST", keys(user).as_str(), Some(&body)).await?.tree();
        let secret = match answer.get_mut("ApiKey").map(Value::take) {
            Some(Value::String(secret)) => secret,
            // Newer servers answer like for any secret.
            Some(Value::Object(members)) => members.get("NewValue").and_then(Value::as_str).unwrap_or_default().to_owned(),
            _ => String::new(),
        };
        if secret.is_empty() {
            return Err(Error::new(Kind::BadAnswer, format!("the server made the API key `{purpose}` and did not tell it")));
        }
        Ok((self.decode(answer, &keys(user))?, secret))
    }

    /// Revokes an API key; one that is gone already is no error.
    pub async fn revoke_api_key(&self, user: &UserId, key: &ApiKeyId) -> Result<()> {
        match self.send("DELETE", keys(user).then(key).as_str(), None).await {
            Err(error) if error.kind() != Kind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

fn keys(user: &UserId) -> Route {
    Route::new("/api/users").then(user).then("apikeys")
}
