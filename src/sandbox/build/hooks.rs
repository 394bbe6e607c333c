//! Subscriptions of a world.

use super::Builder;
use crate::sandbox::{hooks, state::State};
use serde_json::json;

/// `00:00:10`
fn hours(seconds: i64) -> String {
    format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

impl Builder<'_> {
    pub(super) fn subscriptions(&mut self, state: &mut State) {
        for s in &self.plan.subscriptions {
            let space = self.space(s.space.as_ref());
            let words = |list: &[toml::Spanned<String>]| -> Vec<String> { list.iter().map(|word| word.get_ref().clone()).collect() };
            let rest = json!({
                "Type": "Event", "IsDisabled": s.disabled,
                "EventNotificationSubscription": {
                    "Filter": {
                        "Projects": self.all("projects", &space, &s.projects), "Environments": self.all("environments", &space, &s.environments),
                        "Tenants": self.all("tenants", &space, &s.tenants), "Users": self.all("users", "", &s.users),
                        "EventCategories": words(&s.categories), "EventGroups": words(&s.groups),
                    },
                    "WebhookTimeout": hours(s.timeout.0.as_secs()), "WebhookURI": s.url.get_ref(), "WebhookHeaderKey": s.header.as_ref().map(|header| &header.name),
                    "WebhookHeaderValue": s.header.as_ref().map(|header| &header.value),
                },
            });
            let id = self.add(&mut state.store, "subscriptions", "Subscriptions-", &space, s.name.get_ref(), rest);
            let server = self.plan.version.generation;
            state.store.of_mut("subscriptions").change(&id, |doc| hooks::keep_header(doc, server));
        }
    }
}
