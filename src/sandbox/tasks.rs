//! Server tasks: shown, listed with counts and all filters, cancelled, moved to the top, their state edited.

use super::{
    agenda::Due,
    answer::{Answer, Ask, Handled, Refusal, entries},
    audit::SYSTEM,
    pages::page,
    routing::{EMPTY, Endpoint, Of, Whole, get, post},
    state::{Execution, Numbered, State, StepRun, Task, TaskState, What, in_words, number, stamp, stamp_or_null},
    tags,
    world::server_version::Generation,
};
use axum::body::Bytes;
use jiff::{SignedDuration, Timestamp};
use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::json;
use std::{fmt, sync::Arc};

/// The page of a task; a task of the whole server belongs to no space.
pub(crate) fn web_page(space: Option<&str>, id: &impl fmt::Display) -> String {
    space.map_or_else(|| format!("/app#/tasks/{id}"), |space| format!("/app#/{space}/tasks/{id}"))
}

/// The name of the one server node.
pub(crate) const NODE: &str = "OctopusServerNodes-sandbox";

/// A task as it goes out (octopus-api.md §18.2).
pub(crate) fn render(state: &State, index: usize) -> TaskText {
    let t = &state.tasks[index];
    TaskText {
        id: Numbered("ServerTasks-", index),
        execution: t.execution.map(|x| state.executions.share(x)),
        pending: t.interruption.map(|i| state.interruptions[i].kind.name()),
        unapproved: state.held_for_approval(index).map(|_| "Approval"),
        now: state.now,
        generation: state.plan.version.generation,
        task: state.tasks.share(index),
    }
}

/// A task in an answer.
pub(crate) struct TaskText {
    id: Numbered,
    task: Arc<Task>,
    execution: Option<Arc<Execution>>,
    pending: Option<&'static str>,
    unapproved: Option<&'static str>,
    now: Timestamp,
    generation: Generation,
}

impl Serialize for TaskText {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let t = &*self.task;
        let completed = match t.completed {
            None => format!("{}...", t.state.name()),
            Some(at) => long_date(at),
        };
        let arguments = match self.execution.as_deref() {
            Some(x) if matches!(x.what, What::Deploy { .. }) => &json!({ "DeploymentId": x.id }),
            Some(x) => &json!({ "RunbookRunId": x.id }),
            None => &t.arguments,
        };
        let mut map = to.serialize_map(None)?;
        entries!(map;
            "Id": self.id, "SpaceId": t.space, "Name": t.kind, "Description": t.description, "Arguments": arguments, "State": t.state.name(),
            "Completed": completed, "QueueTime": stamp(t.queued), "QueueTimeExpiry": stamp_or_null(t.expiry), "StartTime": stamp_or_null(t.started),
            "LastUpdatedTime": stamp(t.updated), "CompletedTime": stamp_or_null(t.completed), "ServerNode": t.started.map(|_| NODE),
            "Duration": duration(self.now, t), "ErrorMessage": t.error, "HasBeenPickedUpByProcessor": t.started.is_some(),
            "IsCompleted": t.state.is_completed(), "FinishedSuccessfully": t.state == TaskState::Success,
            "HasPendingInterruptions": self.pending.is_some(), "CanRerun": false,
            "HasWarningsOrErrors": t.warnings, "ProjectId": t.project, "EstimatedRemainingQueueDurationSeconds": 0,
            "Links": TaskLinks(self.id, t.space.as_deref()),
        );
        if self.generation < Generation::V2026_1 {
            entries!(map; "UnmetPreconditions": ());
        } else {
            entries!(map;
                "PendingInterruptionTypes": self.pending.as_slice(), "HasPendingPreconditions": self.unapproved.is_some(),
                "PendingPreconditionTypes": self.unapproved.as_slice(),
            );
        }
        map.end()
    }
}

struct TaskLinks<'a>(Numbered, Option<&'a str>);

impl Serialize for TaskLinks<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let Self(id, space) = self;
        let below = if space.is_some_and(|s| !s.is_empty()) { "/api/" } else { "/api" };
        let (own, below) = (format!("/api/tasks/{id}"), format!("{below}{}", space.unwrap_or_default()));
        let mut map = to.serialize_map(None)?;
        entries!(map;
            "Self": own, "Web": web_page(*space, id), "Raw": format_args!("{own}/raw"), "Rerun": format_args!("/api/tasks/rerun/{id}"),
            "Cancel": format_args!("{own}/cancel"), "State": format_args!("{own}/state"), "BlockedBy": format_args!("{own}/blockedby"),
            "QueuedBehind": format_args!("{own}/queued-behind{{?skip,take}}"), "Details": format_args!("{own}/details{{?verbose,tail,ranges}}"),
            "StatusMessages": format_args!("{own}/status/messages"), "Prioritize": format_args!("{own}/prioritize"),
            "Artifacts": format_args!("{below}/artifacts?regarding={id}"), "Interruptions": format_args!("{below}/interruptions?regarding={id}"),
        );
        map.end()
    }
}

/// How long a task has run, in words, or how long it has waited (tasks/dd-tasks-in-progress-page-2024.2.json).
pub(crate) fn duration(now: Timestamp, t: &Task) -> String {
    in_words(t.completed.unwrap_or(now).duration_since(t.started.unwrap_or(t.queued)))
}

/// `Wednesday, 4 March 2026 5:07:11 AM +00:00`
fn long_date(at: Timestamp) -> String {
    at.to_zoned_datetime(jiff::tz::TimeZone::UTC).strftime("%A, %-d %B %Y %-I:%M:%S %p +00:00").to_string()
}

#[rustfmt::skip]
pub(crate) const ENDPOINTS: &[Endpoint] = &[
    get("S/tasks", "TaskView", &Whole(|state, ask| list(state, ask))),
    post("S/tasks", "TaskCreate", &Whole(ad_hoc)).partly("every kind takes ten seconds and succeeds").takes(&[&["Name", "Description", "Arguments", "QueueTime", "QueueTimeExpiry"]]),
    get("S/tasks/tasktypes", "", &Whole(|_, _| Answer::ok(["Deploy", "RunbookRun", "Health", "AdHocScript", "TestEmail"].map(|n| json!({"Id": n, "Name": n, "Links": {}}))))).public(),
    post("S/tasks/rerun/{id}", "TaskCreate", &Of(find, |_, _, _| Err(Refusal::invalid("This task cannot be re-run.")))),
    get("S/tasks/{id}", "TaskView", &Of(find, |state, _, task| Answer::ok(render(state, task)))),
    get("S/tasks/{id}/status/messages", "TaskView", &Of(find, |_, _, _| Answer::ok(json!({ "Messages": [] })))).partly(EMPTY),
    get("S/tasks/{id}/blockedby", "TaskView", &Of(find, |state, _, task| Answer::ok(json!({ "Tasks": behind(state, task).iter().map(|i| render(state, *i)).collect::<Vec<_>>() })))),
    get("S/tasks/{id}/queued-behind", "TaskView", &Of(find, |state, ask, task| Answer::ok(page(ask, "Task", &behind(state, task), |i| render(state, *i))))),
    post("S/tasks/{id}/cancel", "TaskCancel", &Of(find, cancel)),
    post("S/tasks/{id}/abandon", "TaskCancel", &Of(find, abandon)).since(Generation::V2026_3),
    post("S/tasks/{id}/state", "TaskEdit", &Of(find, change_state)).takes(&[&["State", "Reason"]]),
    post("S/tasks/{id}/prioritize", "TaskPrioritize", &Of(find, prioritize)),
];

pub(crate) fn find(state: &State, ask: &Ask, id: &str) -> Result<usize, Refusal> {
    let here = |i: &usize| (ask.space.is_none() || ask.space == state.tasks[*i].space) && state.sees_task(*i);
    state.task_index(id).filter(here).ok_or_else(|| Refusal::missing(id))
}

fn cancel(state: &mut State, ask: &Ask, task: usize) -> Handled {
    state.demand("TaskCancel", &state.thing_of_task(task))?;
    if state.tasks[task].state.is_completed() {
        let id = Numbered("ServerTasks-", task);
        return Err(Refusal::invalid(format!("The task {id} has already completed and cannot be canceled.")));
    }
    state.cancel(task, &ask.user);
    Answer::ok(render(state, task))
}

/// How long a task must have been cancelling before it can be given up (octopus-api.md §18.8).
const STUCK_AFTER: SignedDuration = SignedDuration::from_mins(10);

fn abandon(state: &mut State, ask: &Ask, task: usize) -> Handled {
    state.demand("TaskCancel", &state.thing_of_task(task))?;
    let t = &state.tasks[task];
    if t.execution.is_none() {
        return Err(Refusal::invalid("Only deployments and runbook runs can be abandoned."));
    }
    if t.state != TaskState::Cancelling || state.now.duration_since(t.updated) <= STUCK_AFTER {
        return Err(Refusal::invalid("A task can be abandoned when it has been cancelling for more than 10 minutes."));
    }
    let by = state.username(&ask.user);
    state.abandon(task, &by);
    Answer::ok(render(state, task))
}

fn change_state(state: &mut State, ask: &Ask, task: usize) -> Handled {
    state.demand("TaskEdit", &state.thing_of_task(task))?;
    // A client that names the task or its space once more must mean this one; Octopus.Client sends state and reason only.
    let id = Numbered("ServerTasks-", task).to_string();
    for (member, own) in [("Id", Some(id)), ("SpaceId", state.tasks[task].space.clone())] {
        if ask.text(member).is_some_and(|sent| !own.as_ref().is_some_and(|own| sent.eq_ignore_ascii_case(own))) {
            return Err(Refusal::invalid(format!("The {member} of the request is not that of its path.")));
        }
    }
    let wanted = ask
        .text("state")
        .and_then(|s| TaskState::named(&s))
        .filter(|s| matches!(s, TaskState::Success | TaskState::Failed | TaskState::Canceled))
        .ok_or_else(|| Refusal::invalid("The state of a task can be changed to Success, Failed or Canceled."))?;
    if !state.tasks[task].state.is_completed() {
        return Err(Refusal::invalid("Only the state of a completed task can be changed."));
    }
    let reason = ask.need("Reason")?;
    let now = state.now;
    let t = &mut state.tasks[task];
    t.state = wanted;
    t.updated = now;
    t.error = if wanted == TaskState::Failed { reason.clone() } else { String::new() };
    let description = t.description.clone();
    state.task_event("Modified", &ask.user, task, format!("The state of {description} was changed to {}: {reason}", wanted.name()));
    Answer::ok(render(state, task))
}

fn prioritize(state: &mut State, _: &Ask, task: usize) -> Handled {
    state.demand("TaskPrioritize", &state.thing_of_task(task))?;
    if state.tasks[task].state != TaskState::Queued {
        return Err(Refusal::invalid("Only a queued task can be moved to the top."));
    }
    state.moved_to_top -= 1;
    let old = state.tasks[task].key;
    let new = (state.moved_to_top, old.1, old.2, old.3);
    state.queue.remove(&old);
    state.queue.insert(new);
    state.tasks[task].key = new;
    Ok(Answer::Bytes(200, "application/json".into(), Bytes::new()))
}

/// The tasks that must end before this one can start.
pub(crate) fn behind(state: &State, index: usize) -> Vec<usize> {
    let t = &state.tasks[index];
    if t.state != TaskState::Queued || state.held_for_approval(index).is_some() {
        return Vec::new();
    }
    if let Some(by) = state.held.get(&t.tag).filter(|by| **by != index) {
        let mut list = vec![*by];
        list.extend(
            state
                .queue
                .iter()
                .filter(|k| **k < t.key && state.tasks[k.3].tag == t.tag && state.tasks[k.3].eligible <= state.now)
                .map(|k| k.3),
        );
        return list;
    }
    let ahead: Vec<usize> = state.queue.iter().filter(|k| **k < t.key && state.tasks[k.3].eligible <= state.now).map(|k| k.3).collect();
    if state.running.len() >= state.cap() {
        let mut list: Vec<usize> = state.running.iter().copied().collect();
        list.extend(ahead);
        return list;
    }
    Vec::new()
}

fn list(state: &State, ask: &Ask) -> Handled {
    let (done, queued, started) = (ask.between("CompletedDate")?, ask.between("QueueDate")?, ask.between("StartDate")?);
    if ask.query("batch").is_some() {
        return Err(Refusal::said(501, "The sandbox does not simulate the filter `batch` of tasks."));
    }
    let asked = ask.list("states");
    let states = asked
        .iter()
        .filter(|s| !s.eq_ignore_ascii_case("New")) // A task is New before it is queued, which nobody sees here.
        .map(|s| TaskState::named(s).ok_or_else(|| Refusal::invalid(format!("The value '{s}' is not valid for TaskState."))))
        .collect::<Result<Vec<_>, _>>()?;
    let spaces = ask.list("spaces");
    let (active, running, pending, warned) =
        (ask.flag("active"), ask.flag("running"), ask.flag("hasPendingInterruptions"), ask.flag("hasWarningsOrErrors"));
    let unapproved = ask.flag("hasPendingPreconditions");
    let is = |wanted: Option<&str>, value: Option<&str>| wanted.is_none_or(|w| value.is_some_and(|v| v.eq_ignore_ascii_case(w)));
    let (project, environment, tenant, runbook) =
        (ask.query("project"), ask.query("environment"), ask.query("tenant"), ask.query("runbook"));
    let (kinds, tenant_tags) = (ask.list("name"), ask.list("tenantTag"));
    let is_tagged = |id: &str| state.store.of("tenants").get(id).is_some_and(|tenant| tags::all(tenant, &tenant_tags));
    let words = ask.query("description").or_else(|| ask.query("partialName")).map(str::to_lowercase);
    let wanted = |i: usize| {
        let t = &state.tasks[i];
        let space = ask.space.is_none() || t.space == ask.space;
        space
            && (spaces.is_empty() || spaces.iter().any(|s| s == "all" || t.space.as_deref().is_some_and(|x| x.eq_ignore_ascii_case(s))))
            && is(project, t.project.as_deref())
            && is(environment, t.environment.as_deref())
            && is(tenant, t.tenant.as_deref())
            && is(runbook, t.runbook.as_deref())
            && (kinds.is_empty() || kinds.iter().any(|k| k.eq_ignore_ascii_case(&t.kind)))
            && (tenant_tags.is_empty() || t.tenant.as_deref().is_some_and(is_tagged))
            && is(ask.query("node"), t.started.map(|_| NODE))
            && pending.is_none_or(|p| t.interruption.is_some() == p)
            && unapproved.is_none_or(|p| state.held_for_approval(i).is_some() == p)
            && warned.is_none_or(|w| t.warnings == w)
            && words.as_ref().is_none_or(|w| t.description.to_lowercase().contains(w))
            && done.has(t.completed)
            && queued.has(Some(t.queued))
            && started.has(t.started)
            && state.sees_task(i)
    };
    let mut counts = [0u64; TaskState::ALL.len()];
    let mut interrupted = 0u64;
    let mut found = Vec::new();
    let mut look = |i: usize| {
        if !wanted(i) {
            return;
        }
        let t = &state.tasks[i];
        counts[t.state as usize] += 1;
        interrupted += u64::from(t.interruption.is_some());
        if active.is_none_or(|a| a != t.state.is_completed())
            && running.is_none_or(|r| r == matches!(t.state, TaskState::Executing | TaskState::Cancelling))
            && (asked.is_empty() || states.contains(&t.state))
        {
            found.push(i);
        }
    };
    let of_project = project.filter(|p| number(p, "Projects-").is_some()).and_then(|p| state.tasks_about(p));
    let all = || of_project.unwrap_or_else(|| (0..state.tasks.len()).collect());
    ask.places(|id| state.task_index(id), all).into_iter().rev().for_each(&mut look);
    let mut doc = page(ask, "Task", &found, |i| render(state, *i));
    let mut totals = json!({});
    let mut elsewhere = json!({});
    for s in TaskState::ALL {
        totals[s.name()] = json!(counts[s as usize]);
        elsewhere[s.name()] = json!(0);
    }
    totals["Interrupted"] = json!(interrupted);
    elsewhere["Interrupted"] = json!(0);
    doc.rest.insert("TotalCounts".into(), totals);
    doc.rest.insert("TotalCountsInOtherSpaces".into(), elsewhere);
    Answer::ok(doc)
}

/// `POST tasks`: a task that is not a deployment; it takes ten seconds.
fn ad_hoc(state: &mut State, ask: &Ask) -> Handled {
    let kind = ask.need("Name")?;
    if matches!(kind.as_str(), "Deploy" | "RunbookRun") {
        return Err(Refusal::invalid(format!("Tasks of type '{kind}' cannot be created directly.")));
    }
    let index = state.tasks.len();
    let now = state.now;
    let (queue_time, expiry) = (ask.time("QueueTime")?, ask.time("QueueTimeExpiry")?);
    let queued = queue_time.unwrap_or(now).max(now);
    if expiry.is_some_and(|at| at <= queued) {
        return Err(Refusal::invalid("The queue time expiry must be after the queue time."));
    }
    let key = (0, 1, queued, index);
    let plan = Arc::new(vec![super::world::model::StepPlan::named(&kind, 10)]);
    state.tasks.push(Task {
        space: ask.space.clone().or_else(|| ask.text("SpaceId")),
        description: ask.text("Description").unwrap_or_else(|| kind.clone()),
        kind,
        arguments: if ask.field("Arguments").is_object() { ask.field("Arguments").clone() } else { json!({}) },
        queued,
        updated: now,
        eligible: queued,
        expiry,
        tag: format!("ServerTasks-{}", index + 1),
        key,
        steps: vec![StepRun::default(); plan.len()],
        plan,
        ..Task::default()
    });
    state.queue.insert(key);
    state.agenda.add(queued, Due::Look);
    if let Some(expiry) = expiry {
        state.agenda.add(expiry, Due::Expires { task: index });
    }
    state.event("TaskQueued", SYSTEM, state.tasks[index].description.clone(), vec![format!("ServerTasks-{}", index + 1)], None);
    state.fill_slots();
    Answer::created(render(state, index))
}
