//! What the server keeps of triggers beside their documents: when they come next, secrets of webhooks, calls that it still takes.

use super::answer::{Refusal, str_of, text};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// When each trigger with a schedule comes next, and how many calls of webhooks the server still takes.
#[derive(Default)]
pub(crate) struct Triggers {
    pub(crate) next: BTreeMap<String, Timestamp>,
    pub(crate) calls: Calls,
}

/// One bucket for all webhooks: 60 calls at once, and one more each second. Nobody can change it (octopus-api.md §7.3).
pub(crate) struct Calls {
    left: SignedDuration,
    since: Timestamp,
}

impl Default for Calls {
    fn default() -> Self {
        Self { left: Self::FULL, since: Timestamp::MIN }
    }
}

impl Calls {
    const FULL: SignedDuration = SignedDuration::from_secs(60);
    const ONE: SignedDuration = SignedDuration::from_secs(1);

    pub(crate) fn take(&mut self, now: Timestamp) -> Result<(), Refusal> {
        self.left = self.left.saturating_add(now.duration_since(self.since)).min(Self::FULL);
        self.since = now;
        if self.left < Self::ONE {
            return Err(Refusal::too_many());
        }
        self.left -= Self::ONE;
        Ok(())
    }
}

/// Keeps the secret of a webhook where answers do not show it, and gives the webhook its address.
pub(crate) fn keep_secret(doc: &mut Value) {
    if doc["Filter"]["FilterType"] != "WebhookFilter" {
        return;
    }
    let sent = &doc["Filter"]["Secret"];
    let new = sent.as_str().or_else(|| sent["NewValue"].as_str()).map(str::to_owned);
    if let Some(new) = new {
        doc["_Secret"] = json!(new);
    }
    let has = doc["_Secret"].as_str().is_some_and(|secret| !secret.is_empty());
    doc["Filter"]["Secret"] = json!({"HasValue": has, "Hint": null, "NewValue": null});
    if doc["Filter"]["RequireApiKey"].is_null() {
        doc["Filter"]["RequireApiKey"] = json!(false);
    }
    if text(&doc["Filter"], "WebhookId").is_none() {
        let made_of = format!("webhook of {}", str_of(doc, "Id"));
        doc["Filter"]["WebhookId"] = json!(uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, made_of.as_bytes()).to_string());
    }
}
