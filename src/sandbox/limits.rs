//! Rate limits: policies by kind of caller, and a bucket of tokens for each caller (octopus-api.md §7.3).

use super::world::{model::Plan, people::RateScope, server_version::Generation};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, HashMap};

/// What the built-in policies are called.
pub(crate) const POLICIES: [(RateScope, &str); 3] = [
    (RateScope::Unauthenticated, "Unauthenticated requests"),
    (RateScope::AuthenticatedHuman, "Authenticated requests"),
    (RateScope::AuthenticatedAgent, "AI Agent requests"),
];

/// What a token is counted in: so many times a microsecond's share of a minute. All numbers are whole then.
const TOKEN: i128 = 60_000_000;

/// How much callers of a kind may ask.
#[derive(Clone, Copy)]
pub(crate) struct Policy {
    pub(crate) enabled: bool,
    pub(crate) per_minute: u32,
    pub(crate) burst: u32,
    /// Counts and tells, and rejects nothing.
    pub(crate) audit: bool,
    /// Whether a rejection says when to come again.
    pub(crate) retry_after: bool,
}

/// How full a caller's bucket was, and when; when an event told of it last.
struct Bucket {
    left: i128,
    since: Timestamp,
    told: Option<Timestamp>,
}

/// The policies as they are now, and the buckets of those who came.
#[derive(Default)]
pub(crate) struct Limits {
    /// Policies that a client has changed.
    changed: BTreeMap<RateScope, Policy>,
    buckets: HashMap<(RateScope, String), Bucket>,
}

/// What a limited caller is told.
pub(crate) struct LimitState {
    policy: Policy,
    /// Tokens left.
    left: i128,
    /// Seconds until the bucket is full.
    full_in: i128,
    pub(crate) rejected: bool,
    /// Seconds until there is a token again.
    retry_after: i128,
    /// The name of the policy, when an event has to tell that it was exceeded.
    pub(crate) exceeded: Option<&'static str>,
}

impl Limits {
    pub(crate) fn policy(&self, plan: &Plan, scope: RateScope) -> Policy {
        self.changed.get(&scope).copied().unwrap_or_else(|| planned(plan, scope))
    }

    /// From now on this is the policy for such callers.
    pub(crate) fn change(&mut self, scope: RateScope, policy: Policy) {
        self.changed.insert(scope, policy);
    }

    /// Takes a token out of the bucket of `user`; none when no policy limits such callers.
    pub(crate) fn take(&mut self, plan: &Plan, scope: RateScope, user: &str, now: Timestamp) -> Option<LimitState> {
        let policy = self.policy(plan, scope);
        if !policy.enabled || plan.version.generation < Generation::V2026_3 {
            return None;
        }
        let (full, a_second) = (i128::from(policy.burst) * TOKEN, i128::from(policy.per_minute) * 1_000_000);
        let bucket = self.buckets.entry((scope, user.to_owned())).or_insert(Bucket { left: full, since: now, told: None });
        bucket.left = (bucket.left + now.duration_since(bucket.since).as_micros() * i128::from(policy.per_minute)).min(full);
        bucket.since = now;
        let enough = bucket.left >= TOKEN;
        if enough {
            bucket.left -= TOKEN;
        }
        let seconds = |tokens: i128| (tokens + a_second - 1) / a_second;
        let pause = SignedDuration::from_mins(if policy.audit { 5 } else { 15 });
        let exceeded = !enough && bucket.told.is_none_or(|at| now.duration_since(at) >= pause);
        if exceeded {
            bucket.told = Some(now);
        }
        Some(LimitState {
            policy,
            left: bucket.left / TOKEN,
            full_in: seconds(full - bucket.left),
            rejected: !enough && !policy.audit,
            retry_after: seconds(TOKEN - bucket.left).clamp(1, 3600),
            exceeded: exceeded.then(|| name(scope)),
        })
    }
}

impl LimitState {
    /// Puts what it tells into the head of an answer.
    pub(crate) fn tell(&self, headers: &mut HeaderMap) {
        let mut set =
            |name, text: String| headers.extend(HeaderValue::try_from(text).ok().map(|text| (HeaderName::from_static(name), text)));
        set("octopus-ratelimit-policy", format!("l={};rpm={}", self.policy.burst, self.policy.per_minute));
        set("octopus-ratelimit", format!("r={};t={}", self.left, self.full_in));
        if self.rejected && self.policy.retry_after {
            set("retry-after", self.retry_after.to_string());
        }
    }
}

/// A policy as the world has it. A server that came from an older version limits agents only.
fn planned(plan: &Plan, scope: RateScope) -> Policy {
    let usual = Policy { enabled: scope == RateScope::AuthenticatedAgent, per_minute: 600, burst: 200, audit: false, retry_after: true };
    plan.rate_limits.iter().find(|p| p.scope == scope).map_or(usual, |p| Policy {
        enabled: true,
        per_minute: p.per_minute.get_ref().get(),
        burst: p.burst.unwrap_or(*p.per_minute.get_ref()).get(),
        audit: p.audit,
        retry_after: p.retry_after,
    })
}

pub(crate) fn name(scope: RateScope) -> &'static str {
    POLICIES.iter().find(|(known, _)| *known == scope).map_or("", |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::later;

    fn at(seconds: i64) -> Timestamp {
        later(Timestamp::UNIX_EPOCH, SignedDuration::from_secs(seconds))
    }

    #[test]
    fn a_bucket_empties_and_fills_again() {
        let plan: Plan = toml::from_str("rate_limits = [ { per_minute = 60, burst = 2 } ]").expect("a plan");
        let mut limits = Limits::default();
        let mut take = |user: &str, s: i64| {
            let verdict = limits.take(&plan, RateScope::AuthenticatedHuman, user, at(s)).expect("a policy");
            (verdict.rejected, verdict.left, verdict.full_in, verdict.retry_after)
        };
        assert_eq!([take("a", 0), take("a", 0), take("a", 0)], [(false, 1, 1, 1), (false, 0, 2, 1), (true, 0, 2, 1)]);
        assert_eq!(take("b", 0), (false, 1, 1, 1), "everybody has a bucket of their own");
        assert_eq!([take("a", 1), take("a", 1)].map(|t| t.0), [false, true]);
        assert_eq!(take("a", 60).1, 1, "a bucket holds no more than its burst");
    }

    #[test]
    fn only_agents_are_limited_where_the_world_says_nothing() {
        let plan: Plan = toml::from_str("").expect("a plan");
        let mut limits = Limits::default();
        let mut limited = |scope| limits.take(&plan, scope, "a", at(0)).is_some();
        assert_eq!(
            [RateScope::Unauthenticated, RateScope::AuthenticatedHuman, RateScope::AuthenticatedAgent].map(&mut limited),
            [false, false, true]
        );
        let older: Plan = toml::from_str("version = \"2026.1\"").expect("a plan");
        assert!(Limits::default().take(&older, RateScope::AuthenticatedAgent, "a", at(0)).is_none());
    }

    #[test]
    fn audit_mode_rejects_nothing_and_tells_every_five_minutes() {
        for (audit, pause) in [(true, 5), (false, 15)] {
            let toml = format!("rate_limits = [ {{ per_minute = 1, burst = 1, audit = {audit} }} ]");
            let plan: Plan = toml::from_str(&toml).expect("a plan");
            let mut limits = Limits::default();
            let told: Vec<i64> = (0..40)
                .flat_map(|minute| [minute * 60, minute * 60 + 1])
                .filter(|second| {
                    let verdict = limits.take(&plan, RateScope::AuthenticatedHuman, "a", at(*second)).expect("a policy");
                    assert_eq!(verdict.rejected, !audit && second % 60 == 1);
                    verdict.exceeded.is_some()
                })
                .map(|second| second / 60)
                .collect();
            assert_eq!(told, (0..40).filter(|minute| minute % pause == 0).collect::<Vec<_>>());
        }
    }
}
