//! Rate limits: a bucket of tokens for each user, and one for all who are not signed in (octopus-api.md §7.3).

use super::world::{
    model::Plan,
    people::{RateLimitPlan, RateScope},
};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::HashMap;

/// How full each caller's bucket was, and when.
#[derive(Default)]
pub(crate) struct Buckets(HashMap<String, (f64, Timestamp)>);

impl Buckets {
    /// Takes a token out of the bucket of `user` (nobody: the anonymous one); the seconds to wait when it is empty.
    pub(crate) fn take(&mut self, plan: &Plan, user: Option<&str>, now: Timestamp) -> Result<(), u64> {
        let scope = if user.is_some() { RateScope::AuthenticatedHuman } else { RateScope::Unauthenticated };
        let Some(policy) = plan.rate_limits.iter().find(|p| p.scope == scope) else { return Ok(()) };
        let (burst, a_second) = (f64::from(burst(policy)), f64::from(policy.per_minute.get()) / 60.0);
        let (left, since) = self.0.entry(user.unwrap_or_default().to_owned()).or_insert((burst, now));
        *left = (*left + now.duration_since(*since).as_secs_f64() * a_second).min(burst);
        *since = now;
        if *left >= 1.0 {
            *left -= 1.0;
            return Ok(());
        }
        Err(((1.0 - *left) / a_second.max(f64::MIN_POSITIVE)).ceil().clamp(1.0, 3600.0) as u64)
    }
}

fn burst(policy: &RateLimitPlan) -> u32 {
    policy.burst.unwrap_or(policy.per_minute).get()
}

fn show(index: usize, policy: &RateLimitPlan) -> Value {
    json!({
        "Id": format!("RateLimitingPolicies-{}", index + 1), "IsBuiltIn": true, "Name": format!("{:?}", policy.scope), "IsEnabled": true,
        "ScopeType": format!("{:?}", policy.scope), "RequestsPerMinute": policy.per_minute, "BurstLimit": burst(policy), "AuditMode": false,
    })
}

/// The policies of a world.
pub(crate) fn policies(plan: &Plan) -> Vec<Value> {
    plan.rate_limits.iter().enumerate().map(|(i, p)| show(i, p)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::later;
    use jiff::SignedDuration;

    #[test]
    fn a_bucket_empties_and_fills_again() {
        let plan: Plan = toml::from_str("rate_limits = [ { per_minute = 60, burst = 2 } ]").expect("a plan");
        let (mut buckets, start) = (Buckets::default(), Timestamp::UNIX_EPOCH);
        let at = |s: i64| later(start, SignedDuration::from_secs(s));
        let mut take = |user: Option<&str>, s: i64| buckets.take(&plan, user, at(s));
        assert_eq!([take(Some("a"), 0), take(Some("a"), 0), take(Some("a"), 0)], [Ok(()), Ok(()), Err(1)]);
        assert_eq!(take(Some("b"), 0), Ok(()), "everybody has a bucket of their own");
        assert_eq!(take(None, 0), Ok(()), "there is no policy for those who are not signed in");
        assert_eq!([take(Some("a"), 1), take(Some("a"), 1)], [Ok(()), Err(1)]);
    }
}
