//! The audit log (octopus-api.md §21).

use super::{
    access::thing_of_related,
    answer::{Answer, Ask, Handled, Refusal},
    collection::page,
    state::{About, Event, SYSTEM, State, What, number, stamp},
};
use jiff::Timestamp;
use serde_json::{Value, json};

const CATEGORIES: &[&str] = &[
    "Created",
    "Modified",
    "Deleted",
    "DeploymentQueued",
    "DeploymentStarted",
    "DeploymentResumed",
    "DeploymentSucceeded",
    "DeploymentFailed",
    "ManualInterventionInterruptionRaised",
    "GuidedFailureInterruptionRaised",
    "RunbookRunQueued",
    "RunbookRunStarted",
    "RunbookRunSucceeded",
    "RunbookRunFailed",
    "TaskCanceled",
    "TaskQueued",
];

/// The documents an event is about.
fn related(state: &State, event: &Event) -> Vec<String> {
    let task = match &event.about {
        About::Documents { related, .. } => return related.clone(),
        About::Task(task) => *task,
    };
    let t = &state.tasks[task];
    let mut ids = Vec::new();
    if let Some(x) = t.execution {
        ids.push(state.executions[x].id.clone());
        if let What::Deploy { release, channel } = &state.executions[x].what {
            ids.push(super::releases::id(*release));
            ids.push(channel.clone());
        }
    }
    ids.extend([&t.project, &t.environment, &t.tenant, &t.runbook].into_iter().flatten().cloned());
    ids.push(format!("ServerTasks-{}", task + 1));
    ids
}

/// The events about a task, deployment, run, release or project; none where that is not known by the id alone.
fn about(state: &State, id: &str) -> Option<Vec<usize>> {
    let tasks = state.tasks_about(id)?;
    let named = state.events_about.get(&id.to_lowercase()).into_iter().flatten();
    Some(tasks.iter().flat_map(|t| &state.tasks[*t].events).chain(named).copied().collect())
}

fn space<'s>(state: &'s State, event: &'s Event) -> Option<&'s str> {
    match &event.about {
        About::Documents { space, .. } => space.as_deref(),
        About::Task(task) => state.tasks[*task].space.as_deref(),
    }
}

fn render(state: &State, index: usize) -> Value {
    let e = &state.events[index];
    let id = format!("Events-{}", index + 1);
    let person = e.user != SYSTEM;
    json!({
        "Id": id, "SpaceId": space(state, e), "Category": e.category, "UserId": e.user, "Username": state.username(&e.user), "IsService": false,
        "IdentityEstablishedWith": if person { "API key" } else { "" }, "UserAgent": if person { "" } else { "Server" }, "Occurred": stamp(e.occurred),
        "Message": e.message, "MessageHtml": e.message, "MessageReferences": [], "RelatedDocumentIds": related(state, e), "Comments": null, "Details": null,
        "ChangeDetails": {"DocumentContext": null, "Differences": null}, "IpAddress": null, "Links": {"Self": format!("/api/events/{id}")},
    })
}

/// `events…`
pub(crate) fn route(state: &State, ask: &Ask, rest: &[&str]) -> Handled {
    match (ask.method.as_str(), rest) {
        ("GET", []) => list(state, ask),
        ("GET", ["categories"]) => {
            Answer::ok(json!(CATEGORIES.iter().map(|c| json!({"Id": c, "Name": c, "Links": {}})).collect::<Vec<_>>()))
        }
        ("GET", ["groups"]) => Answer::ok(
            json!([{"Id": "Deployment", "Name": "Deployment events", "EventCategories": CATEGORIES.iter().filter(|c| c.starts_with("Deployment")).collect::<Vec<_>>(), "Links": {}}]),
        ),
        ("GET", ["agents" | "documenttypes"]) => Answer::ok(json!([])),
        ("GET", [id]) => {
            let index = number(id, "Events-")
                .map(|n| n - 1)
                .filter(|n| *n < state.events.len() && sees(state, *n))
                .ok_or_else(|| Refusal::missing(id))?;
            Answer::ok(render(state, index))
        }
        _ => Err(Refusal::not_simulated(&ask.method, &ask.path)),
    }
}

fn sees(state: &State, index: usize) -> bool {
    let e = &state.events[index];
    state.access.everything || state.allows("EventView", &thing_of_related(space(state, e), &related(state, e)))
}

fn list(state: &State, ask: &Ask) -> Handled {
    let time = |name: &str| -> Result<Option<Timestamp>, Refusal> {
        ask.query(name)
            .map(|t| t.replace(' ', "+").parse().map_err(|_| Refusal::invalid(format!("The value '{t}' is not valid for {name}."))))
            .transpose()
    };
    let (from, to) = (time("from")?, time("to")?);
    let auto = |name: &str| ask.query(name).and_then(|n| n.parse::<usize>().ok());
    let (from_id, to_id) = (auto("fromAutoId"), auto("toAutoId"));
    let (all_of, any_of) = (ask.list("regarding"), ask.list("regardingAny"));
    let (categories, users, types) =
        (ask.list("eventCategories"), [ask.list("users"), ask.list("user")].concat(), ask.list("documentTypes"));
    let documents: Vec<Vec<String>> =
        ["projects", "environments", "tenants"].iter().map(|k| ask.list(k)).filter(|l| !l.is_empty()).collect();
    let groups = ask.list("eventGroups");
    let has = |list: &[String], id: &str| list.iter().any(|l| l.eq_ignore_ascii_case(id));
    let by_document = [&all_of, &any_of, &types].iter().any(|l| !l.is_empty()) || !documents.is_empty();
    let concerns = |ids: &[String]| {
        all_of.iter().all(|r| has(ids, r))
            && (any_of.is_empty() || any_of.iter().any(|r| has(ids, r)))
            && (types.is_empty()
                || types.iter().any(|t| ids.iter().any(|r| r.split('-').next().is_some_and(|p| p.eq_ignore_ascii_case(t)))))
            && documents.iter().all(|list| list.iter().any(|d| has(ids, d)))
    };
    // What any of these names is looked at, and nothing else.
    let narrowed = [all_of.get(..1), Some(&any_of[..]), documents.first().map(Vec::as_slice)].into_iter().flatten();
    let all = || {
        let about =
            narrowed.filter(|ids| !ids.is_empty()).find_map(|ids| ids.iter().map(|id| about(state, id)).collect::<Option<Vec<_>>>());
        let Some(about) = about else { return (0..state.events.len()).collect() };
        let mut places = about.concat();
        places.sort_unstable();
        places.dedup();
        places
    };
    let place = |id: &str| number(id, "Events-").map(|n| n - 1).filter(|n| *n < state.events.len());
    let found: Vec<usize> = ask
        .places(place, all)
        .into_iter()
        .rev()
        .filter(|i| {
            let e = &state.events[*i];
            ask.space.as_ref().is_none_or(|s| space(state, e) == Some(s))
                && from.is_none_or(|t| e.occurred >= t)
                && to.is_none_or(|t| e.occurred < t)
                && from_id.is_none_or(|n| *i >= n.saturating_sub(1))
                && to_id.is_none_or(|n| *i < n)
                && (categories.is_empty() || has(&categories, e.category))
                && (groups.is_empty()
                    || groups
                        .iter()
                        .any(|g| e.category.starts_with(g.as_str()) || (g == "DeploymentCritical" && e.category == "DeploymentFailed")))
                && (users.is_empty() || has(&users, &e.user))
                && (!by_document || concerns(&related(state, e)))
                && sees(state, *i)
        })
        .collect();
    Answer::ok(page(ask, "Event", &found, |i| render(state, *i)))
}
