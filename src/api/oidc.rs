//! Logging in without a key: a token that Octopus gave to a step is exchanged for an access token of a service account.
//!
//! The server's `/.well-known/openid-configuration` says where (octopus-step-contract.md §4.4, RFC 8693).

use super::{Client, Settings};
use crate::error::{Error, Kind, Result};
use crate::json::JsonSlice;
use serde_json::json;
use std::borrow::Cow;

const GRANT: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";

/// An access token for the service account whose OpenID Connect identity has the id `audience`, for the signed token `jwt`.
///
/// # Errors
/// `unauthorized` when the server does not trust the token; its own words are in the message.
pub async fn exchange(settings: Settings, audience: &str, jwt: &str) -> Result<String> {
    let client = Client::new(settings)?;
    let known = client
        .get("/.well-known/openid-configuration")
        .await
        .map_err(|error| error.help("logging in with an OpenID Connect account needs Octopus 2023.4 or later; an API key does as well"))?;
    let endpoint = known["token_endpoint"]
        .as_str()
        .ok_or_else(|| Error::new(Kind::BadAnswer, "the server's OpenID configuration names no token endpoint"))?;
    // Its path alone: behind a proxy the server may know itself by another name, and the token goes nowhere else.
    let path = url::Url::parse(endpoint).map_or_else(|_| endpoint.to_owned(), |url| url.path().to_owned());
    let wanted = json!({"grant_type": GRANT, "audience": audience, "subject_token_type": JWT, "subject_token": jwt});
    let answer = client.send("POST", &path, Some(&wanted)).await.map_err(|error| {
        Error::new(Kind::Unauthorized, format!("the server did not exchange the step's token: {}", error.message()))
            .help("does the service account in Octopus have an OpenID Connect identity with this subject and audience?")
    })?;
    answer
        .json()
        .get("access_token")
        .and_then(JsonSlice::text)
        .map(Cow::into_owned)
        .ok_or_else(|| Error::new(Kind::BadAnswer, "the server exchanged the step's token for nothing"))
}
