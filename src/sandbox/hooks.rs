//! Events on their way to the addresses of subscriptions, and the secrets that go with them (octopus-api.md §22).

use super::world::{hooks::HookFault, server_version::Generation};
use crate::clock::real_limit;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

/// What subscriptions have come to.
#[derive(Default)]
pub(crate) struct Hooks {
    /// How many events each subscription has found, for its faults.
    pub(crate) found: HashMap<String, u64>,
    /// Events that a fault keeps back, by the look at which they leave.
    pub(crate) late: HashMap<String, BTreeMap<Timestamp, Vec<Post>>>,
}

/// An event on its way to an address.
pub(crate) struct Post {
    pub(crate) body: Value,
    pub(crate) fault: Option<HookFault>,
}

/// What the job found for a subscription.
pub(crate) struct Batch {
    pub(crate) url: String,
    pub(crate) header: Option<(String, String)>,
    pub(crate) timeout: Duration,
    pub(crate) posts: Vec<Post>,
}

impl Batch {
    /// Posts its events one after the other, until one fails.
    pub(crate) async fn post(self, client: &reqwest::Client) {
        for post in &self.posts {
            if post.fault == Some(HookFault::Drop) || !self.deliver(client, &post.body).await {
                return;
            }
            if post.fault == Some(HookFault::Twice) {
                self.deliver(client, &post.body).await;
            }
        }
    }

    /// Whether somebody has taken an event; somebody slow is asked a second time.
    async fn deliver(&self, client: &reqwest::Client, body: &Value) -> bool {
        for _ in 0..2 {
            let mut request = client.post(&self.url).json(body);
            if let Some((key, value)) = &self.header {
                request = request.header(key, value);
            }
            if let Some(answer) = real_limit(self.timeout, request.send()).await {
                return answer.is_ok_and(|answer| answer.status().is_success());
            }
        }
        false
    }
}

/// Keeps the secret of a subscription's header out of what is shown, and shows that there is one.
pub(crate) fn keep_header(doc: &mut Value, server: Generation) {
    let notification = &doc["EventNotificationSubscription"];
    let sent = &notification["WebhookHeaderValue"];
    let sensitive = if sent["SensitiveValue"].is_object() { &sent["SensitiveValue"] } else { sent };
    let new = [sent, &sensitive["NewValue"], &sent["Value"]].into_iter().find_map(Value::as_str).map(str::to_owned);
    let kept = doc["_WebhookHeaderValue"].as_str().filter(|_| sensitive["HasValue"] == true).map(str::to_owned);
    let secret = new.or(kept).filter(|secret| !secret.is_empty());
    doc["EventNotificationSubscription"]["WebhookHeaderValue"] = match (secret.is_some(), server) {
        (false, _) => Value::Null,
        (true, Generation::V2026_3) => {
            json!({"IsSensitive": true, "Value": null, "SensitiveValue": {"HasValue": true, "Hint": null, "NewValue": null}})
        }
        (true, _) => json!({"HasValue": true, "NewValue": null}),
    };
    doc["_WebhookHeaderValue"] = json!(secret);
}
