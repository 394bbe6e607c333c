//! Who waits for what: scripts that hold a lock and wait for another see each other, so that a circle is found.

use super::{LockRequest, Locks, Record, memo};
use crate::{
    clock::later,
    error::{Error, Kind, Result},
};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What the names of waits begin with.
const WAIT: &str = "wait/";
/// A wait that was not renewed for so long is one of somebody who is gone.
const FRESH: SignedDuration = SignedDuration::from_mins(5);

/// Somebody who waits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Waiting {
    run: String,
    process: String,
    branch: String,
    holds: Vec<String>,
    wants: String,
    until: Timestamp,
}

/// Whether `branch` is `outer` or started inside of it.
pub fn within(branch: &str, outer: &str) -> bool {
    outer.is_empty() || branch == outer || branch.strip_prefix(outer).is_some_and(|rest| rest.starts_with('.'))
}

fn ours(locks: &Locks, wanted: &LockRequest) -> Waiting {
    Waiting {
        run: locks.me.run.clone(),
        process: locks.me.process.clone(),
        branch: wanted.branch.clone(),
        holds: locks.held().iter().filter(|held| within(&wanted.branch, held.branch())).map(|held| held.name().to_owned()).collect(),
        wants: wanted.name.clone(),
        until: later(locks.register.now(), FRESH),
    }
}

fn cell(nonce: &str) -> String {
    format!("{WAIT}{nonce}")
}

/// Writes that we wait; again when half of the time is over that it counts.
pub(super) async fn register(locks: &Locks, nonce: &str, wanted: &LockRequest, first: bool) -> Result<()> {
    let mine = ours(locks, wanted);
    let value = serde_json::to_value(&mine).unwrap_or_default();
    let half = later(locks.register.now(), FRESH / 2);
    memo::change(locks, &cell(nonce), |found| {
        let stands = found.and_then(|found| serde_json::from_value::<Waiting>(found.clone()).ok());
        let fresh = stands.is_some_and(|stands| stands.until > half && (!first || stands.wants == mine.wants));
        Ok((!fresh).then(|| value.clone()))
    })
    .await
    .map(drop)
}

/// Takes it back. When that fails it is ignored after a while.
pub(super) async fn forget(locks: &Locks, nonce: &str) {
    let gone = memo::change(locks, &cell(nonce), |found| Ok(found.is_some().then_some(serde_json::Value::Null))).await;
    if let Err(error) = gone {
        tracing::debug!(%error, "a wait stays in view");
    }
}

/// The error for a circle of waits that we are to leave: of those in it, the one with the largest name does.
pub(super) async fn cycle(locks: &Locks, nonce: &str, wanted: &LockRequest, record: &Record) -> Result<Option<Error>> {
    let now = locks.register.now();
    let mut waiting = BTreeMap::new();
    for (name, found) in locks.register.list(WAIT).await? {
        let parsed = found.value.and_then(|value| serde_json::from_value::<Waiting>(value).ok());
        if let Some(one) = parsed.filter(|one| one.until > now) {
            waiting.insert(name.trim_start_matches(WAIT).to_owned(), one);
        }
    }
    waiting.insert(nonce.to_owned(), ours(locks, wanted));
    if waiting.len() < 2 {
        return Ok(None);
    }
    let mut records: BTreeMap<String, Record> = locks.all().await?.into_iter().collect();
    records.insert(wanted.name.clone(), record.clone());
    let mut path = Vec::new();
    if !blocked(nonce, nonce, &waiting, &records, &mut BTreeSet::new(), &mut path) {
        return Ok(None);
    }
    path.sort();
    path.dedup();
    let name = |nonce: &String| waiting.get(nonce).map(|one| (one.run.clone(), one.process.clone(), one.branch.clone(), nonce.clone()));
    if path.iter().map(name).max().flatten().is_none_or(|(_, _, _, last)| last != nonce) {
        return Ok(None);
    }
    let mut told: Vec<String> = path
        .iter()
        .filter_map(|nonce| waiting.get(nonce))
        .map(|one| format!("run `{}` holds {} and waits for `{}`", one.run, quoted(&one.holds), one.wants))
        .collect();
    told.sort();
    Ok(Some(
        Error::new(Kind::LockBusy, format!("these runs wait for each other in a circle: {}", told.join("; ")))
            .with("lock", wanted.name.clone())
            .help("take the locks together, with `locks([...], || ...)`, or in the same order in all scripts"),
    ))
}

fn quoted(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// Whether what `from` waits for can only come free after `goal` went on: each holder of the lock waits, and so on.
fn blocked(
    goal: &str,
    from: &str,
    waiting: &BTreeMap<String, Waiting>,
    records: &BTreeMap<String, Record>,
    seen: &mut BTreeSet<String>,
    path: &mut Vec<String>,
) -> bool {
    let Some(record) = waiting.get(from).and_then(|one| records.get(&one.wants)) else { return false };
    path.push(from.to_owned());
    let stuck = !record.owners.is_empty()
        && record.owners.iter().all(|owner| {
            waiting
                .iter()
                .filter(|(_, one)| one.process == owner.process && within(&one.branch, &owner.branch))
                .any(|(nonce, _)| nonce == goal || (seen.insert(nonce.clone()) && blocked(goal, nonce, waiting, records, seen, path)))
        });
    if !stuck {
        path.pop();
    }
    stuck
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_branch_is_within_itself_and_its_parents() {
        assert!(within("", "") && within("2.1", "") && within("2.1", "2") && within("2", "2"));
        assert!(!within("21", "2") && !within("", "2") && !within("3", "2"));
    }
}
