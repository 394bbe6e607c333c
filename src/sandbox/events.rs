//! The audit log (octopus-api.md §21).

use super::{
    access::thing_of_related,
    answer::{Answer, Ask, Handled, Refusal, entries},
    audit::{About, AuditEntry, SYSTEM},
    event_categories::{CATEGORIES, GROUPS, is_in_group},
    pages::page,
    routing::{EMPTY, Endpoint, Of, Whole, get},
    state::{Execution, Numbered, State, Task, What, number, stamp},
};
use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::json;
use std::sync::Arc;

/// Whether a document of a type, e.g. `Releases`, is among these ids.
pub(crate) fn names_type(ids: &[String], of: &str) -> bool {
    ids.iter().any(|id| id.split('-').next().is_some_and(|prefix| prefix.eq_ignore_ascii_case(of)))
}

/// The documents an event is about.
pub(crate) fn related(state: &State, event: &AuditEntry) -> Vec<String> {
    match &event.about {
        About::Documents { related, .. } => related.clone(),
        About::Task(task) => {
            let t = &state.tasks[*task];
            of_task(*task, t, t.execution.map(|x| &state.executions[x]))
        }
    }
}

fn of_task(task: usize, t: &Task, execution: Option<&Execution>) -> Vec<String> {
    let mut ids = Vec::new();
    if let Some(x) = execution {
        ids.push(x.id.clone());
        if let What::Deploy { release, channel } = &x.what {
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
    Some(tasks.iter().flat_map(|t| &state.tasks[*t].events).chain(state.events.naming(id)).copied().collect())
}

/// The space an event belongs to; none when it is of the whole server.
pub(crate) fn space<'s>(state: &'s State, event: &'s AuditEntry) -> Option<&'s str> {
    match &event.about {
        About::Documents { space, .. } => space.as_deref(),
        About::Task(task) => state.tasks[*task].space.as_deref(),
    }
}

pub(crate) fn render(state: &State, index: usize) -> EventText {
    let event = state.events.entries.share(index);
    let task = match event.about {
        About::Documents { .. } => None,
        About::Task(task) => Some((task, state.tasks.share(task), state.tasks[task].execution.map(|x| state.executions.share(x)))),
    };
    let is_service = state.store.of("users").get(&event.user).is_some_and(|user| user["IsService"] == true);
    EventText { id: Numbered("Events-", index), username: state.username(&event.user), is_service, event, task }
}

/// An event in an answer.
pub(crate) struct EventText {
    id: Numbered,
    event: Arc<AuditEntry>,
    username: String,
    is_service: bool,
    /// What it is about, if that is a task.
    task: Option<(usize, Arc<Task>, Option<Arc<Execution>>)>,
}

impl Serialize for EventText {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let (e, person) = (&*self.event, self.event.user != SYSTEM);
        let (space, related) = match (&e.about, &self.task) {
            (About::Documents { related, space }, _) => (space.as_deref(), related.clone()),
            (About::Task(_), Some((task, t, x))) => (t.space.as_deref(), of_task(*task, t, x.as_deref())),
            (About::Task(_), None) => (None, Vec::new()),
        };
        let mut map = to.serialize_map(None)?;
        entries!(map;
            "Id": self.id, "SpaceId": space, "Category": e.category, "UserId": e.user, "Username": self.username, "IsService": self.is_service,
            "IdentityEstablishedWith": if person { "API key" } else { "" }, "UserAgent": if person { "" } else { "Server" }, "Occurred": stamp(e.occurred),
            "Message": e.message, "MessageHtml": e.message, "MessageReferences": [(); 0], "RelatedDocumentIds": related, "Comments": (), "Details": (),
            "ChangeDetails": json!({"DocumentContext": null, "Differences": null}), "IpAddress": (), "Links": json!({"Self": format!("/api/events/{}", self.id)}),
        );
        map.end()
    }
}

#[rustfmt::skip]
pub(crate) const ENDPOINTS: &[Endpoint] = &[
    get("S/events", "EventView", &Whole(|state, ask| list(state, ask))),
    get("S/events/categories", "", &Whole(|_, _| Answer::ok(CATEGORIES.iter().map(|c| json!({"Id": c, "Name": c, "Links": null})).collect::<Vec<_>>()))).public(),
    get("S/events/groups", "", &Whole(|_, _| Answer::ok(GROUPS.iter().map(|(id, name, categories)| {
        json!({"Id": id, "Name": name, "EventCategories": categories, "Links": null})
    }).collect::<Vec<_>>()))).partly("the groups of documents, deployments, runbook runs and tasks only").public(),
    get("S/events/agents", "", &Whole(|_, _| Answer::ok([(); 0]))).partly(EMPTY).public(),
    get("S/events/documenttypes", "", &Whole(|_, _| Answer::ok([(); 0]))).partly(EMPTY).public(),
    get("S/events/{id}", "EventView", &Of(find, |state, _, event| Answer::ok(render(state, event)))),
];

fn find(state: &State, _: &Ask, id: &str) -> Result<usize, Refusal> {
    place(state, id).filter(|n| sees(state, *n)).ok_or_else(|| Refusal::missing(id))
}

fn place(state: &State, id: &str) -> Option<usize> {
    number(id, "Events-").map(|n| n - 1).filter(|n| *n < state.events.entries.len())
}

fn sees(state: &State, index: usize) -> bool {
    let e = &state.events.entries[index];
    state.access.everything || state.allows("EventView", &thing_of_related(space(state, e), &related(state, e)))
}

fn list(state: &State, ask: &Ask) -> Handled {
    let occurred = ask.between("")?;
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
            && (types.is_empty() || types.iter().any(|t| names_type(ids, t)))
            && documents.iter().all(|list| list.iter().any(|d| has(ids, d)))
    };
    // What any of these names is looked at, and nothing else.
    let narrowed = [all_of.get(..1), Some(&any_of[..]), documents.first().map(Vec::as_slice)].into_iter().flatten();
    let all = || {
        let about =
            narrowed.filter(|ids| !ids.is_empty()).find_map(|ids| ids.iter().map(|id| about(state, id)).collect::<Option<Vec<_>>>());
        let Some(about) = about else { return (0..state.events.entries.len()).collect() };
        let mut places = about.concat();
        places.sort_unstable();
        places.dedup();
        places
    };
    let found: Vec<usize> = ask
        .places(|id| place(state, id), all)
        .into_iter()
        .rev()
        .filter(|i| {
            let e = &state.events.entries[*i];
            ask.space.as_ref().is_none_or(|s| space(state, e) == Some(s))
                && occurred.has(Some(e.occurred))
                && from_id.is_none_or(|n| *i >= n.saturating_sub(1))
                && to_id.is_none_or(|n| *i < n)
                && (categories.is_empty() || has(&categories, e.category))
                && (groups.is_empty() || groups.iter().any(|g| is_in_group(e.category, g)))
                && (users.is_empty() || has(&users, &e.user))
                && (!by_document || concerns(&related(state, e)))
                && sees(state, *i)
        })
        .collect();
    Answer::ok(page(ask, "Event", &found, |i| render(state, *i)))
}
