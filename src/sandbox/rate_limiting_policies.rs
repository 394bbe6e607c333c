//! Rate limiting policies as clients see and change them, and what a limited request leaves in the audit log (octopus-api.md §7.3).

use super::{
    answer::{Answer, Ask, Handled, Refusal, str_of},
    audit::SYSTEM,
    limits::{LimitState, POLICIES, Policy, name},
    pages::page,
    routing::{By, Endpoint, Whole, get, put},
    state::State,
    world::{people::RateScope, server_version::Generation},
};
use serde_json::{Value, json};

#[rustfmt::skip]
pub(crate) const ENDPOINTS: &[Endpoint] = &[
    get("/api/ratelimitingpolicies", "", &Whole(|state, ask| {
        let mut page = page(ask, "RateLimitingPolicy", &all(state), Clone::clone);
        // The one list without links (octopus-api.md §6).
        page.rest.shift_remove("Links");
        Answer::ok(page)
    })).since(Generation::V2026_3),
    get("/api/ratelimitingpolicies/{id}", "", &By(|state, _, [id]| Answer::ok(show(find(id)?, &state.limits.policy(&state.plan, find(id)?)))))
        .since(Generation::V2026_3),
    put("/api/ratelimitingpolicies/{id}", "ConfigureServer", &By(|state, ask, [id]| modify(state, ask, find(id)?))).since(Generation::V2026_3).keeps(),
];

impl State {
    /// Counts a request of a user, or of somebody who is not signed in; none when such callers are not limited.
    pub(crate) fn limit(&mut self, user: Option<&str>, is_agent: bool) -> Option<LimitState> {
        let scope = match user {
            None => RateScope::Unauthenticated,
            Some(_) if is_agent => RateScope::AuthenticatedAgent,
            Some(_) => RateScope::AuthenticatedHuman,
        };
        let limit = self.limits.take(&self.plan, scope, user.unwrap_or_default(), self.now)?;
        if let Some(policy) = limit.exceeded {
            let whom = user.map_or_else(|| "an anonymous user".to_owned(), |user| self.username(user));
            let message = format!("Rate limit policy {policy} exceeded for {whom}");
            let related = user.map(str::to_owned).into_iter().collect();
            self.event("RateLimitPolicyExceeded", user.unwrap_or(SYSTEM), message, related, None);
        }
        Some(limit)
    }
}

fn all(state: &State) -> Vec<Value> {
    POLICIES.iter().map(|(scope, _)| show(*scope, &state.limits.policy(&state.plan, *scope))).collect()
}

fn find(id: &str) -> Result<RateScope, Refusal> {
    let found = POLICIES.iter().find(|(scope, _)| id_of(*scope).eq_ignore_ascii_case(id));
    found.map(|(scope, _)| *scope).ok_or_else(|| Refusal::missing(id))
}

fn id_of(scope: RateScope) -> String {
    format!("RateLimitingPolicies-{}", scope as usize + 1)
}

fn show(scope: RateScope, policy: &Policy) -> Value {
    json!({
        "Id": id_of(scope), "IsBuiltIn": true, "Name": name(scope), "IsEnabled": policy.enabled, "ScopeType": format!("{scope:?}"),
        "RequestsPerMinute": policy.per_minute, "BurstLimit": policy.burst, "AuditMode": policy.audit,
    })
}

/// `PUT ratelimitingpolicies/{id}`: all members are required; name and scope of a built-in policy stay.
fn modify(state: &mut State, ask: &Ask, scope: RateScope) -> Handled {
    let old = state.limits.policy(&state.plan, scope);
    let flag = |name| ask.field(name).as_bool().ok_or_else(|| Refusal::required(name));
    let number = |name| {
        let number = ask.field(name).as_u64().ok_or_else(|| Refusal::required(name))?;
        u32::try_from(number).ok().filter(|n| *n > 0).ok_or_else(|| Refusal::invalid(format!("{name} must be greater than 0.")))
    };
    let shown = show(scope, &old);
    for kept in ["Name", "ScopeType"] {
        if ask.need(kept)? != str_of(&shown, kept) {
            return Err(Refusal::invalid(format!("The {kept} of a built-in policy cannot be changed.")));
        }
    }
    let (enabled, audit) = (flag("IsEnabled")?, flag("AuditMode")?);
    let new = Policy { enabled, audit, per_minute: number("RequestsPerMinute")?, burst: number("BurstLimit")?, ..old };
    state.limits.change(scope, new);
    Answer::ok(show(scope, &new))
}
