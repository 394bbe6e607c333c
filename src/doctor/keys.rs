//! Whether an account may make keys for itself, and how soon a revoked one stops working.

use super::{Finding, Measured, Patient, Verdict, readable};
use crate::{
    api::{Client, User},
    clock::{later, text::show},
    error::{Kind, Result},
};
use jiff::SignedDuration;
use serde_json::json;

/// Longer is not waited for the end of a key.
const LONGEST: SignedDuration = SignedDuration::from_mins(3);

/// A key that nobody could remove holds no longer.
const LIFE: SignedDuration = SignedDuration::from_hours(1);

/// Warned of a key that holds no longer than this.
const SOON: SignedDuration = SignedDuration::from_hours(30 * 24);

/// Until when the API key holds with which the account is logged in.
pub(super) async fn expiry(client: &Client, me: &User) -> Result<Finding> {
    let own = match client.own_api_key(&me.id).await {
        Err(error) if matches!(error.kind(), Kind::Forbidden | Kind::NotFound | Kind::BadAnswer) => None,
        other => other?,
    };
    let Some(key) = own else {
        let text = "cannot tell when the credential expires: it is an access token, or the server does not show which of the keys it is";
        return Ok(Finding::new("key", Verdict::NotPossible, text, json!({"expires": null})));
    };
    let facts = json!({"purpose": key.purpose, "expires": key.expires.map(|at| at.to_string())});
    let Some(expires) = key.expires else {
        return Ok(Finding::new("key", Verdict::Ok, format!("the API key `{}` never expires", key.purpose), facts));
    };
    let left = expires.duration_since(client.server_now());
    let text = format!("the API key `{}` expires in {}", key.purpose, show(SignedDuration::from_mins(left.as_mins().max(1))));
    Ok(if left < SOON {
        let text = format!("{text}, and every run with it fails from then on: make a new one now (Octopus gives keys 180 days by default)");
        Finding::new("key", Verdict::Weaker, text, facts)
    } else {
        Finding::new("key", Verdict::Ok, text, facts)
    })
}

/// Makes a key, uses it, revokes it, and waits until it is refused.
pub(super) async fn fence(patient: &Patient<'_>, me: &User, name: &str, measured: &mut Measured) -> Result<Finding> {
    let client = patient.space.client();
    let (key, secret) = client.create_api_key(&me.id, name, later(client.server_now(), LIFE)).await?;
    let with_key = (patient.login)(&secret)?;
    with_key.me().await?;
    client.revoke_api_key(&me.id, &key.id).await?;
    let began = client.clock().now();
    loop {
        let asked = client.clock().now().duration_since(began);
        match with_key.me().await {
            Err(error) if error.kind() == Kind::Unauthorized => {
                measured.revoked_after = Some(asked);
                let facts = json!({"refused_after_ms": asked.as_millis() as i64});
                let text = |when: &str| format!("the account makes and revokes keys of its own, and a revoked key is refused {when}");
                return Ok(if asked < SignedDuration::from_secs(1) {
                    Finding::new("fence", Verdict::Ok, text("at once"), facts)
                } else {
                    let when =
                        format!("after {}: taking over a lock waits that much longer", show(SignedDuration::from_secs(asked.as_secs())));
                    Finding::new("fence", Verdict::Weaker, text(&when), facts)
                });
            }
            Err(error) => return Err(error),
            Ok(_) if asked >= LONGEST => {
                let text = format!("a revoked key still works after {}: no owner of a lock can be fenced by its key", show(LONGEST));
                return Ok(Finding::new("fence", Verdict::NotPossible, text, json!({"refused_after_ms": null})));
            }
            Ok(_) => client.rest(SignedDuration::from_millis(500)).await?,
        }
    }
}

/// Revokes the key.
pub(super) async fn sweep(client: &Client, me: &User, name: &str) -> Result<()> {
    for key in readable(client.api_keys(&me.id).await)?.iter().filter(|key| key.purpose == name) {
        client.revoke_api_key(&me.id, &key.id).await?;
    }
    Ok(())
}
