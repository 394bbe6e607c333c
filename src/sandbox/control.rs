//! The sandbox's own endpoints under `/sandbox/`: its clock, its truth, its faults.

use super::{
    bounds, http,
    http::Shared,
    state::{SYSTEM, State, What, stamp, stamp_or_null},
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
            "skip": skipped, "machines": x.machines.0, "without": x.machines.1,
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
        "requests": shared.requests.load(Ordering::SeqCst), "mails": mails(shared),
    })
}

/// What is live where: the last success of every project, environment and tenant.
fn live(state: &State) -> Vec<Value> {
    state
        .slots
        .iter()
        .filter_map(|((project, environment, tenant), list)| {
            let last = list.iter().rev().find(|x| state.tasks[state.executions[**x].task].state == super::state::TaskState::Success)?;
            let What::Deploy { release, .. } = state.executions[*last].what else { return None };
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
    let name = |said: &Option<super::world::model::Ref>| said.as_ref().map(|name| name.get_ref().clone());
    json!({
        "environment": name(&said.environment), "tenant": name(&said.tenant), "project": name(&said.project),
        "start": stamp(state.plan.start.0), "smtp": shared.mailbox.url(),
    })
}

/// All of them: what is not in here is not there.
pub(crate) const ENDPOINTS: [(&str, &str); 12] = [
    ("GET", "/sandbox/state"),
    ("GET", "/sandbox/mails"),
    ("GET", "/sandbox/context"),
    ("GET", "/sandbox/clock"),
    ("GET", "/sandbox/marks"),
    ("GET", "/sandbox/requests"),
    ("GET", "/sandbox/faults"),
    ("POST", "/sandbox/mark"),
    ("POST", "/sandbox/advance"),
    ("POST", "/sandbox/forget"),
    ("POST", "/sandbox/faults"),
    ("POST", "/sandbox/mailbox"),
];

/// Those that `octorhai run` asks for the sake of its script: any key of a client is enough.
pub(crate) const FOR_CLIENTS: [&str; 2] = ["/sandbox/clock", "/sandbox/context"];

/// `/sandbox/…`
pub(crate) fn route(shared: &Shared, method: &str, path: &str, raw: &Bytes) -> Response {
    let body: Value = serde_json::from_slice(raw).unwrap_or(Value::Null);
    let no = |message: String| http::json(400, &json!({ "ErrorMessage": message }));
    let full = || no(format!("there are {} of them already", bounds::NOTES));
    if !ENDPOINTS.contains(&(method, path)) {
        let all: Vec<String> = ENDPOINTS.iter().map(|(method, path)| format!("{method} {path}")).collect();
        let why = format!("there is no {method} {path}; there is: {}", all.join(", "));
        return http::json(404, &json!({ "ErrorMessage": why }));
    }
    match (method, path) {
        ("GET", "/sandbox/state") => http::json(200, &truth(shared)),
        ("GET", "/sandbox/mails") => http::json(200, &json!(mails(shared))),
        ("GET", "/sandbox/context") => http::json(200, &context(shared)),
        ("GET", "/sandbox/clock") => http::json(200, &json!({"now": stamp(shared.clock.now()), "virtual": shared.clock.is_virtual()})),
        ("GET", "/sandbox/marks") => http::json(200, &json!(shared.state.lock().marks)),
        ("POST", "/sandbox/mark") => {
            let mut state = shared.state.lock();
            if state.marks.len() >= bounds::NOTES {
                return full();
            }
            let mark = json!({"n": state.marks.len() + 1, "at": stamp(shared.clock.now()), "who": body["who"], "what": body["what"]});
            state.marks.push(mark.clone());
            http::json(201, &mark)
        }
        ("GET", "/sandbox/requests") => http::json(200, &json!(shared.log.recent())),
        ("POST", "/sandbox/advance") => match body["by"].as_str().map(text::duration) {
            Some(Ok(by)) => {
                shared.clock.advance(by);
                let now = shared.clock.now();
                shared.catch_up(&mut shared.state.lock());
                http::json(200, &json!({ "now": stamp(now) }))
            }
            Some(Err(e)) => no(e.message().to_owned()),
            None => no("say how far, like {\"by\": \"1h\"}".into()),
        },
        ("POST", "/sandbox/forget") => {
            let mut state = shared.state.lock();
            match body["task"].as_str().and_then(|id| state.task_index(id)) {
                Some(index) => {
                    state.forgotten.insert(index);
                    http::json(200, &json!({}))
                }
                None => no("say which task, like {\"task\": \"ServerTasks-7\"}".into()),
            }
        }
        ("GET", "/sandbox/faults") => http::json(200, &json!(shared.faults.lock().seen())),
        ("POST", "/sandbox/faults") => match serde_json::from_value::<FaultPlan>(body) {
            Ok(_) if shared.faults.lock().seen().len() >= bounds::NOTES => full(),
            Ok(plan) => {
                shared.faults.lock().add(plan);
                http::json(201, &json!({}))
            }
            Err(e) => no(e.to_string()),
        },
        ("POST", "/sandbox/mailbox") => {
            if let Some(patterns) = body["reject"].as_array() {
                shared.mailbox.reject(patterns.iter().filter_map(Value::as_str));
            }
            if let Some(times) = body["fail_next"].as_u64() {
                shared.mailbox.fail_next(usize::try_from(times).unwrap_or(usize::MAX));
            }
            http::json(200, &json!({}))
        }
        _ => no(format!("{method} {path} does nothing")),
    }
}
