//! Faults: which requests go wrong, and how. Counting and the clock decide, never chance.

use super::world::model::{FaultAction, FaultPlan};
use crate::clock::later;
use jiff::Timestamp;
use serde_json::{Value, json};

/// Whether `text` fits `pattern`, in which `*` stands for anything (also `/`) and `?` for one character; case does not count.
pub(crate) fn glob(pattern: &str, text: &str) -> bool {
    let (p, t): (Vec<char>, Vec<char>) = (pattern.to_lowercase().chars().collect(), text.to_lowercase().chars().collect());
    let (mut i, mut j, mut star) = (0, 0, None);
    while j < t.len() {
        if i < p.len() && p[i] == '*' {
            star = Some((i, j));
            i += 1;
        } else if i < p.len() && (p[i] == '?' || p[i] == t[j]) {
            i += 1;
            j += 1;
        } else if let Some((si, sj)) = star {
            i = si + 1;
            j = sj + 1;
            star = Some((si, j));
        } else {
            return false;
        }
    }
    p[i..].iter().all(|c| *c == '*')
}

/// All faults of a running server, with their counters.
pub(crate) struct Faults {
    start: Timestamp,
    list: Vec<Counted>,
    down_until: Option<Timestamp>,
}

struct Counted {
    plan: FaultPlan,
    seen: u64,
    since: Option<Timestamp>,
}

impl Faults {
    pub(crate) fn new(start: Timestamp, plans: &[FaultPlan]) -> Self {
        let list = plans.iter().map(|p| Counted { plan: p.clone(), seen: 0, since: None }).collect();
        Self { start, list, down_until: None }
    }

    pub(crate) fn add(&mut self, plan: FaultPlan) {
        self.list.push(Counted { plan, seen: 0, since: None });
    }

    /// Each fault's requests, and how many of them have arrived.
    pub(crate) fn seen(&self) -> Vec<Value> {
        self.list.iter().map(|fault| json!({"match": fault.plan.matches, "seen": fault.seen})).collect()
    }

    /// Counts a request and says what goes wrong with it. The second half of the pair: running tasks fail now.
    pub(crate) fn strike(&mut self, method: &str, path: &str, now: Timestamp) -> (Vec<FaultPlan>, bool) {
        let mut struck = Vec::new();
        let mut tasks_fail = false;
        for fault in &mut self.list {
            if !fault.fires(self.start, method, path, now) {
                continue;
            }
            if fault.plan.action == FaultAction::Restart && fault.plan.from.is_none() {
                self.down_until = fault.plan.length.map(|l| later(now, l.0));
                tasks_fail |= fault.plan.tasks_fail && fault.plan.from.is_none();
            }
            struck.push(fault.plan.clone());
        }
        if struck.is_empty() && self.down_until.is_some_and(|t| now < t) {
            struck.extend(self.list.iter().find(|f| f.plan.action == FaultAction::Restart).map(|f| f.plan.clone()));
        }
        (struck, tasks_fail)
    }
}

impl Counted {
    fn fires(&mut self, start: Timestamp, method: &str, path: &str, now: Timestamp) -> bool {
        let plan = &self.plan;
        let (verb, pattern) = match plan.matches.split_once(' ') {
            Some((verb, pattern)) => (Some(verb), pattern.trim()),
            None => (None, plan.matches.as_str()),
        };
        if verb.is_some_and(|v| v != "*" && !v.eq_ignore_ascii_case(method)) || !glob(pattern, path) {
            return false;
        }
        if let Some(from) = plan.from {
            let from = later(start, from.0);
            if now < from || plan.length.is_some_and(|l| now >= later(from, l.0)) {
                return false;
            }
        }
        self.seen += 1;
        match (plan.nth, plan.length, plan.from) {
            // A restart begins once; what comes after is the business of `down_until`.
            (nth, _, None) if plan.action == FaultAction::Restart => self.seen == nth.unwrap_or(1),
            (Some(nth), Some(length), None) => {
                if self.seen == nth {
                    self.since = Some(now);
                }
                self.since.is_some_and(|s| now < later(s, length.0))
            }
            (None, Some(length), None) => now < later(*self.since.get_or_insert(now), length.0),
            (Some(nth), _, _) => self.seen >= nth && self.seen < nth.saturating_add(plan.times.unwrap_or(1)),
            (None, _, _) => plan.times.is_none_or(|t| self.seen <= t),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs() {
        assert!(glob("*/deployments", "/api/Spaces-1/deployments"));
        assert!(!glob("*/deployments", "/api/Spaces-1/deployments/Deployments-1"));
        assert!(glob("/api/*/tasks/*", "/api/Spaces-1/tasks/ServerTasks-1"));
        assert!(glob("2.*", "2.0.1"));
        assert!(!glob("2.*", "12.0.1"));
    }

    #[test]
    fn the_nth_matching_request_and_only_that() {
        let start = Timestamp::UNIX_EPOCH;
        let plan: FaultPlan = toml::from_str("match = \"POST */deployments\"\nnth = 2\naction = \"drop_after\"").unwrap();
        let mut faults = Faults::new(start, &[plan]);
        let mut hits = Vec::new();
        for (method, path) in
            [("GET", "/api/deployments"), ("POST", "/api/deployments"), ("POST", "/api/deployments"), ("POST", "/api/deployments")]
        {
            hits.push(faults.strike(method, path, start).0.len());
        }
        assert_eq!(hits, [0, 0, 1, 0]);
    }

    #[test]
    fn a_restart_lasts() {
        let start = Timestamp::UNIX_EPOCH;
        let plan: FaultPlan = toml::from_str("match = \"POST *\"\naction = \"restart\"\nfor = \"30s\"").unwrap();
        let mut faults = Faults::new(start, &[plan]);
        let at = |s| later(start, jiff::SignedDuration::from_secs(s));
        assert!(faults.strike("GET", "/api", at(0)).0.is_empty());
        assert_eq!(faults.strike("POST", "/api/x", at(1)).0.len(), 1);
        assert_eq!(faults.strike("GET", "/api", at(30)).0.len(), 1);
        assert!(faults.strike("GET", "/api", at(32)).0.is_empty());
    }
}
