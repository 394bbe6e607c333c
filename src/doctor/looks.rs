//! Checks that only look: the clock, the account's permissions, the queue.

use super::{Finding, Patient, Verdict};
use crate::{
    api::{Client, TaskQuery, TaskState, User},
    clock::text::show,
    error::{Kind, Result},
};
use jiff::SignedDuration;
use serde_json::{Value, json};

/// A difference that a `Date` in whole seconds and a slow answer explain.
const NO_DIFFERENCE: SignedDuration = SignedDuration::from_secs(5);

/// What the protocols and the functions of scripts ask a server for.
const NEEDED: &[(&str, &str)] = &[
    ("ProjectView", "finding projects"),
    ("EnvironmentView", "finding environments"),
    ("LifecycleView", "promoting"),
    ("ProcessView", "reading steps"),
    ("ReleaseView", "finding releases"),
    ("ReleaseCreate", "create_release"),
    ("DeploymentView", "looking for a deployment in doubt"),
    ("DeploymentCreate", "deploying"),
    ("TaskView", "waiting, and asking whether the owner of a lock lives"),
    ("TaskCancel", "cancelling"),
    ("InterruptionView", "waiting for people"),
    ("VariableView", "locks and output variables"),
    ("LibraryVariableSetView", "locks"),
    ("LibraryVariableSetCreate", "locks"),
    ("LibraryVariableSetEdit", "locks"),
];

/// The difference between the server's clock and this machine's.
pub(super) fn clock(client: &Client) -> Finding {
    let ahead = client.server_now().duration_since(client.clock().now());
    let facts = json!({"server_ahead_ms": ahead.as_millis() as i64});
    if ahead.abs() <= NO_DIFFERENCE {
        return Finding::new("clock", Verdict::Ok, "the server and this machine show the same time", facts);
    }
    let way = if ahead.is_negative() { "behind" } else { "ahead of" };
    let text = format!(
        "the server is {} {way} this machine; locks and deadlines go by the server's clock, times in scripts by this machine's: set one of them right",
        show(SignedDuration::from_secs(ahead.abs().as_secs()))
    );
    Finding::new("clock", Verdict::Weaker, text, facts)
}

/// Which of the permissions that are needed the account has.
pub(super) async fn permissions(patient: &Patient<'_>, me: &User) -> Result<Finding> {
    let held = match patient.space.client().permissions(&me.id).await {
        Err(error) if matches!(error.kind(), Kind::Forbidden | Kind::NotFound) => {
            return Ok(Finding::new("permissions", Verdict::NotPossible, "the account may not see its own permissions", Value::Null));
        }
        other => other?,
    };
    let space = &patient.space.space().id;
    let missing: Vec<&(&str, &str)> = NEEDED.iter().filter(|(name, _)| !held.has(name, space)).collect();
    let facts = json!({"user": me.username, "missing": missing.iter().map(|(name, _)| *name).collect::<Vec<_>>()});
    if missing.is_empty() {
        return Ok(Finding::new("permissions", Verdict::Ok, format!("`{}` has all {} that are used", me.username, NEEDED.len()), facts));
    }
    let list: Vec<String> = missing.iter().map(|(name, what)| format!("{name} ({what})")).collect();
    let text = format!("`{}` lacks {}; give them by a role, or do without what they are for", me.username, list.join(", "));
    Ok(Finding::new("permissions", Verdict::Weaker, text, facts))
}

/// How busy the server is, and whether only tasks that wait keep it busy.
pub(super) async fn queue(patient: &Patient<'_>) -> Result<Finding> {
    let denied = |kind| matches!(kind, Kind::Forbidden | Kind::NotFound | Kind::Refused);
    let nodes = match patient.space.client().get("/api/octopusservernodes/summary").await {
        Err(error) if denied(error.kind()) => None,
        other => Some(other?),
    };
    let cap = nodes
        .as_ref()
        .and_then(|n| n["Nodes"].as_array())
        .map(|all| all.iter().filter_map(|n| n["MaxConcurrentTasks"].as_u64()).sum::<u64>());
    let tasks = match patient.space.tasks(&TaskQuery { active: true, ..TaskQuery::default() }).await {
        Err(error) if denied(error.kind()) => {
            return Ok(Finding::new("queue", Verdict::NotPossible, "the account may not see tasks", json!({"cap": cap})));
        }
        other => other?,
    };
    let executing: Vec<_> = tasks.iter().filter(|t| t.state == TaskState::Executing).collect();
    let queued = tasks.iter().filter(|t| t.state == TaskState::Queued).count();
    let waiting = executing.iter().filter(|t| t.asks_a_person()).count();
    let facts = json!({"cap": cap, "executing": executing.len(), "waiting": waiting, "queued": queued});
    let limit = cap.map_or_else(|| "an unknown number".to_owned(), |cap| cap.to_string());
    let text = format!("{} of {limit} tasks execute, {queued} are queued", executing.len());
    let full = cap.is_some_and(|cap| executing.len() as u64 >= cap);
    if full && waiting == executing.len() {
        let text = format!("{text}, and every task that executes waits for a person: nothing goes on before somebody answers");
        return Ok(Finding::new("queue", Verdict::Weaker, text, facts));
    }
    if full {
        let text = format!("{text}: a script in a step needs one of them while it waits for another; raise the task cap of the nodes");
        return Ok(Finding::new("queue", Verdict::Weaker, text, facts));
    }
    let verdict = if cap == Some(1) { Verdict::Weaker } else { Verdict::Ok };
    let more = if cap == Some(1) { "; a script in a step would wait for itself: raise the task cap" } else { "" };
    Ok(Finding::new("queue", verdict, format!("{text}{more}"), facts))
}
