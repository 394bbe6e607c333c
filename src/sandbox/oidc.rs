//! Logging in without a key: the token of somebody whom the server trusts is exchanged for an access token (octopus-api.md §2).

use super::{
    answer::{Answer, Handled, str_of},
    keys::NewKey,
    state::State,
};
use crate::clock::later;
use axum::body::Bytes;
use jiff::SignedDuration;
use serde_json::{Value, json};

const GRANT: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";
const ACCESS: &str = "urn:ietf:params:oauth:token-type:access_token";
/// How long a token holds.
const HOURS: i64 = 1;

/// Answers what has to do with it; it lies beside the API and needs nobody to be signed in.
pub(crate) fn route(state: &mut State, method: &str, path: &str, content_type: &str, raw: &Bytes) -> Option<Handled> {
    let url = state.url.clone();
    match (method, path) {
        ("GET", "/.well-known/openid-configuration") => Some(Answer::ok(
            json!({"issuer": url, "token_endpoint": format!("{url}/token/v1"), "jwks_uri": format!("{url}/.well-known/jwks")}),
        )),
        // The reference of 2026 lists it under `/api`.
        ("POST", "/token/v1" | "/api/token/v1") => Some(Ok(exchange(state, &fields(content_type, raw)))),
        _ => None,
    }
}

/// What was sent, as JSON or as a form.
fn fields(content_type: &str, raw: &Bytes) -> Value {
    if content_type.contains("json") {
        return serde_json::from_slice(raw).unwrap_or_default();
    }
    url::form_urlencoded::parse(raw).map(|(name, value)| (name.into_owned(), Value::from(value.into_owned()))).collect()
}

fn exchange(state: &mut State, sent: &Value) -> Answer {
    let refuse = |why: &str| answer(400, &json!({"error": "invalid_request", "error_description": why}));
    if str_of(sent, "grant_type") != GRANT || str_of(sent, "subject_token_type") != JWT {
        return refuse("The grant type must be a token exchange of a JWT.");
    }
    let plan = state.plan.clone();
    let trusted =
        plan.oidc.iter().find(|one| one.audience == str_of(sent, "audience") && one.subject_token == str_of(sent, "subject_token"));
    let Some(trusted) = trusted else {
        return refuse(
            "The subject token could not be validated: no OIDC identity of a service account matches its issuer, subject and audience.",
        );
    };
    let user = state.store.of("users").iter().find(|user| str_of(user, "Username").eq_ignore_ascii_case(trusted.user.get_ref()));
    let Some(user) = user.map(|user| str_of(user, "Id").to_owned()) else { return refuse("The service account does not exist.") };
    let expires = Some(later(state.now, SignedDuration::from_hours(HOURS)));
    let index = state
        .keys
        .add(&NewKey { user: &user, secret: None, purpose: "token exchange", expires, read_only: false, is_token: true }, state.now);
    let token = &state.keys.all[index].secret;
    answer(
        200,
        &json!({"access_token": token, "issued_token_type": ACCESS, "token_type": "Bearer", "expires_in": (HOURS * 3600).to_string()}),
    )
}

fn answer(status: u16, body: &Value) -> Answer {
    Answer::Bytes(status, "application/json; charset=utf-8".to_owned(), body.to_string().into())
}
