//! The sandbox's own endpoints under `/sandbox/`: its clock, its truth, its faults.

use super::{
    audit::SYSTEM,
    bounds, http,
    http::Shared,
    state::{State, What, stamp, stamp_or_null},
    world::model::FaultPlan,
};
use crate::clock::text;
use axum::{body::Bytes, response::Response};
use serde_json::{Value, json};
use std::sync::atomic::Ordering;

/// Every deployment and run in the order they were made, for tests: what really happened.
pub(crate) fn truth(shared: &Shared) -> Value {
    let mut state = shared.state.lock();
    shared.catch_up(&mut state);
    let (mut deployments, mut runs) = (Vec::new(), Vec::new());
    for x in state.executions.iter() {
        let t = &state.tasks[x.task];
        let skipped = t.plan.iter().enumerate().filter(|(i, _)| !x.skip.is_empty() && x.skip.contains(&State::action_id(&t.owner, *i)));
        let skipped: Vec<&String> = skipped.map(|(_, step)| &step.name).collect();
        let mut doc = json!({
            "id": x.id, "task": format!("ServerTasks-{}", x.task + 1), "project": state.store.name("projects", &x.project),
            "environment": state.store.name("environments", &x.environment), "tenant": x.tenant.as_ref().map(|t| state.store.name("tenants", t)),
            "state": t.state.name(), "comments": x.comments, "by": if x.by == SYSTEM { "system".into() } else { state.username(&x.by) },
            "created": stamp(x.created), "queued": stamp(t.queued), "started": stamp_or_null(t.started), "completed": stamp_or_null(t.completed),
            "error": t.error, "scheduled": stamp_or_null(x.queue_time), "values": x.values, "guided": x.guided,
            "skip": skipped, "machines": x.targets.only, "without": x.targets.without,
            "targets": super::target_tags::chosen(&state, x).iter().map(|m| m["Name"].clone()).collect::<Vec<_>>(),
        });
        match &x.what {
            What::Deploy { release, .. } => {
                doc["release"] = json!(state.release(*release).map(|r| &r.version));
                // What brought the world to its start is not something a run did.
                doc["history"] = json!(x.created < state.plan.start.0);
                deployments.push(doc);
            }
            What::Runbook { runbook, .. } => {
                doc["runbook"] = json!(state.store.name("runbooks", runbook));
                runs.push(doc);
            }
        }
    }
    let packages: Vec<Value> = state
        .packages
        .iter()
        .map(|p| json!({"space": state.store.name("spaces", &p.space), "id": p.id, "version": p.version, "size": p.size(), "hash": p.hash}))
        .collect();
    json!({
        "now": stamp(state.now), "packages": packages, "deployments": deployments, "runbook_runs": runs, "live": live(&state),
        "requests": shared.requests.load(Ordering::SeqCst), "mails": mails(shared), "secrets": super::variables::secrets(&state),
    })
}

/// What is live where: the last success of every project, environment and tenant.
fn live(state: &State) -> Vec<Value> {
    state
        .slots
        .iter()
        .filter_map(|((project, environment, tenant), list)| {
            let release = super::deployments::live(state, list)?;
            Some(json!({"project": state.store.name("projects", project), "environment": state.store.name("environments", environment), "tenant": tenant.as_ref().map(|t| state.store.name("tenants", t)), "release": state.release(release).map(|r| &r.version)}))
        })
        .collect()
}

fn mails(shared: &Shared) -> Vec<Value> {
    shared.mailbox.mails().iter().map(|m| json!({"from": m.from, "to": m.to, "subject": m.subject, "raw": m.raw})).collect()
}

/// What the world's `[context]` says, when the world began (what is older was there before any client), and who takes mail.
fn context(shared: &Shared) -> Value {
    let state = shared.state.lock();
    let said = &state.plan.context;
    let name = |said: &Option<super::world::values::Ref>| said.as_ref().map(|name| name.get_ref().clone());
    json!({
        "environment": name(&said.environment), "tenant": name(&said.tenant), "project": name(&said.project),
        "start": stamp(state.plan.start.0), "smtp": shared.mailbox.url(),
    })
}

/// Answers a request to the sandbox itself; the body is null where none was sent.
type Control = fn(&Shared, Value) -> Result<(u16, Value), String>;

/// All of them: what is not in here is not there.
const ENDPOINTS: [(&str, &str, Control); 12] = [
    ("GET", "/sandbox/state", |shared, _| Ok((200, truth(shared)))),
    ("GET", "/sandbox/mails", |shared, _| Ok((200, json!(mails(shared))))),
    ("GET", "/sandbox/context", |shared, _| Ok((200, context(shared)))),
    ("GET", "/sandbox/clock", |shared, _| Ok((200, json!({"now": stamp(shared.clock.now()), "virtual": shared.clock.is_virtual()})))),
    ("GET", "/sandbox/marks", |shared, _| Ok((200, json!(shared.state.lock().marks)))),
    ("GET", "/sandbox/requests", |shared, _| Ok((200, json!(shared.log.recent())))),
    ("GET", "/sandbox/faults", |shared, _| Ok((200, json!(shared.faults.lock().seen())))),
    ("POST", "/sandbox/mark", mark),
    ("POST", "/sandbox/advance", advance),
    ("POST", "/sandbox/forget", forget),
    ("POST", "/sandbox/faults", add_fault),
    ("POST", "/sandbox/mailbox", |shared, body| {
        if let Some(patterns) = body["reject"].as_array() {
            shared.mailbox.reject(patterns.iter().filter_map(Value::as_str));
        }
        if let Some(times) = body["fail_next"].as_u64() {
            shared.mailbox.fail_next(usize::try_from(times).unwrap_or(usize::MAX));
        }
        Ok((200, json!({})))
    }),
];

/// Their methods and paths.
pub(crate) fn endpoints() -> impl Iterator<Item = (&'static str, &'static str)> {
    ENDPOINTS.into_iter().map(|(method, path, _)| (method, path))
}

/// Those that `octorhai run` asks for the sake of its script: any key of a client is enough.
pub(crate) const FOR_CLIENTS: [&str; 2] = ["/sandbox/clock", "/sandbox/context"];

/// `/sandbox/…`
pub(crate) fn route(shared: &Shared, method: &str, path: &str, raw: &Bytes) -> Response {
    let Some((.., answer)) = ENDPOINTS.into_iter().find(|(m, p, _)| (*m, *p) == (method, path)) else {
        let all: Vec<String> = endpoints().map(|(method, path)| format!("{method} {path}")).collect();
        let why = format!("there is no {method} {path}; there is: {}", all.join(", "));
        return http::json(404, &json!({ "ErrorMessage": why }));
    };
    match answer(shared, serde_json::from_slice(raw).unwrap_or(Value::Null)) {
        Ok((status, shown)) => http::json(status, &shown),
        Err(message) => http::json(400, &json!({ "ErrorMessage": message })),
    }
}

fn full() -> String {
    format!("there are {} of them already", bounds::NOTES)
}

fn mark(shared: &Shared, body: Value) -> Result<(u16, Value), String> {
    let mut state = shared.state.lock();
    if state.marks.len() >= bounds::NOTES {
        return Err(full());
    }
    let mark = json!({"n": state.marks.len() + 1, "at": stamp(shared.clock.now()), "who": body["who"], "what": body["what"]});
    state.marks.push(mark.clone());
    Ok((201, mark))
}

fn advance(shared: &Shared, body: Value) -> Result<(u16, Value), String> {
    let by = body["by"].as_str().ok_or("say how far, like {\"by\": \"1h\"}")?;
    shared.clock.advance(text::duration(by).map_err(|e| e.message().to_owned())?);
    let now = shared.clock.now();
    shared.catch_up(&mut shared.state.lock());
    Ok((200, json!({ "now": stamp(now) })))
}

fn forget(shared: &Shared, body: Value) -> Result<(u16, Value), String> {
    let mut state = shared.state.lock();
    let task = body["task"].as_str().and_then(|id| state.task_index(id));
    state.forgotten.insert(task.ok_or("say which task, like {\"task\": \"ServerTasks-7\"}")?);
    Ok((200, json!({})))
}

fn add_fault(shared: &Shared, body: Value) -> Result<(u16, Value), String> {
    let plan: FaultPlan = serde_json::from_value(body).map_err(|e| e.to_string())?;
    let mut faults = shared.faults.lock();
    if faults.seen().len() >= bounds::NOTES {
        return Err(full());
    }
    faults.add(plan);
    Ok((201, json!({})))
}
