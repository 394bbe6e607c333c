//! Triggers of a world.

use super::Builder;
use crate::sandbox::{
    state::State,
    trigger_times,
    triggers::{self, TRIGGERS},
};
use serde_json::{Value, json};

impl Builder<'_> {
    pub(super) fn triggers(&mut self, state: &mut State) {
        for t in &self.plan.triggers {
            let space = self.space(t.space.as_ref());
            let project = self.id("projects", &space, t.project.get_ref());
            let tenants = self.all("tenants", &space, &t.tenants);
            let filter = match (&t.cron, &t.webhook) {
                (Some(cron), _) => {
                    json!({"FilterType": "CronExpressionSchedule", "CronExpression": cron.get_ref(), "Timezone": t.zone.as_ref().map_or("UTC", |zone| zone.get_ref())})
                }
                (None, secret) => {
                    let secret = secret.as_ref().map(toml::Spanned::get_ref);
                    json!({"FilterType": "WebhookFilter", "Secret": {"NewValue": secret}, "RequireApiKey": t.needs_key})
                }
            };
            let action = match (&t.runbook, &t.deploy_to) {
                (Some(runbook), _) => json!({
                    "ActionType": "RunRunbook", "RunbookId": runbook_of(state, &project, runbook.get_ref()),
                    "EnvironmentIds": self.all("environments", &space, &t.environments), "TenantIds": tenants, "TenantTags": [],
                }),
                (None, to) => json!({
                    "ActionType": "DeployLatestRelease", "SourceEnvironmentIds": self.all("environments", &space, &t.from),
                    "DestinationEnvironmentId": to.as_ref().map(|to| self.id("environments", &space, to.get_ref())),
                    "ShouldRedeployWhenReleaseIsCurrent": t.redeploy, "TenantIds": tenants, "TenantTags": [],
                }),
            };
            let rest = json!({"ProjectId": project, "Description": "", "IsDisabled": t.disabled, "Filter": filter, "Action": action});
            let id = self.add(&mut state.store, TRIGGERS.path, TRIGGERS.prefix, &space, t.name.get_ref(), rest);
            state.store.of_mut(TRIGGERS.path).change(&id, trigger_times::keep_secret);
        }
        triggers::plan_ahead(state);
    }
}

/// The id of a runbook of a project.
fn runbook_of(state: &State, project: &str, name: &str) -> Value {
    let found =
        state.store.of("runbooks").with("ProjectId", project).find(|r| r["Name"].as_str().is_some_and(|n| n.eq_ignore_ascii_case(name)));
    found.map_or(Value::Null, |runbook| runbook["Id"].clone())
}
