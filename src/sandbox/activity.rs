//! The activity log of a task: as a tree and as plain text (octopus-api.md §18.5).

use super::{
    answer::{Answer, Ask},
    routing::{Endpoint, Of, get},
    state::{State, StepStatus, TaskState, stamp, stamp_or_null},
    tasks,
};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::fmt::Write;

#[rustfmt::skip]
pub(crate) const ENDPOINTS: &[Endpoint] = &[
    get("S/tasks/{id}/details", "TaskView", &Of(tasks::find, |state, ask, task| Answer::ok(details(state, ask, task)))).partly("`ranges` is ignored"),
    get("S/tasks/{id}/raw", "TaskView", &Of(tasks::find, |state, _, task| Answer::plain(raw(state, task)))),
];

type Line = (Timestamp, &'static str, String);

/// `GET tasks/{id}/details`.
fn details(state: &State, ask: &Ask, index: usize) -> Value {
    let t = &state.tasks[index];
    let id = format!("ServerTasks-{}", index + 1);
    let root = format!("{id}_SANDBOX");
    let tail = ask.query("tail").and_then(|n| n.parse::<usize>().ok());
    let mut number = 0u64;
    let mut lines = |list: &[Line]| -> Vec<Value> {
        let from = tail.map_or(0, |n| list.len().saturating_sub(n));
        list.iter()
            .enumerate()
            .map(|(i, (at, category, text))| {
                number += 1;
                (i, json!({"Category": category, "OccurredAt": stamp(*at), "MessageText": text, "Detail": null, "Number": number}))
            })
            .filter(|(i, _)| *i >= from)
            .map(|(_, v)| v)
            .collect()
    };
    let mut children = Vec::new();
    let root_lines = lines(&root_log(state, index));
    for (i, run) in t.steps.iter().enumerate() {
        let plan = &t.plan[i];
        let node = format!("{root}/{}", State::action_id(&t.owner, i));
        let log = lines(&step_log(state, index, i));
        let progress = match (run.status, run.started) {
            (StepStatus::Running, Some(s)) if !plan.interrupts() => {
                percent(state.now.duration_since(s).as_secs_f64(), plan.takes.0.as_secs_f64())
            }
            (status, _) if status.is_over() => 100,
            _ => 0,
        };
        let leaf = json!({
            "Id": format!("{node}/server"), "Name": "Octopus Server", "Status": run.status.name(), "Started": stamp_or_null(run.started), "Ended": stamp_or_null(run.ended),
            "ShowAtSummaryLevel": true, "ProgressPercentage": progress, "ProgressMessage": "", "LogElements": log, "Children": [],
        });
        let leaves = if run.started.is_some() { vec![leaf] } else { Vec::new() };
        children.push(json!({
            "Id": node, "Name": format!("Step {}: {}", i + 1, plan.name), "Status": run.status.name(), "Started": stamp_or_null(run.started), "Ended": stamp_or_null(run.ended),
            "ShowAtSummaryLevel": true, "ProgressPercentage": progress, "ProgressMessage": "", "LogElements": [], "Children": leaves,
        }));
    }
    let status = match t.state {
        TaskState::Queued => "Pending",
        TaskState::Executing | TaskState::Cancelling => "Running",
        TaskState::Success if t.warnings => "SuccessWithWarning",
        TaskState::Success => "Success",
        TaskState::Failed | TaskState::TimedOut => "Failed",
        TaskState::Canceled => "Canceled",
    };
    let (done, left) = progress(state, index);
    json!({
        "Task": tasks::render(state, index),
        "ActivityLogs": [{
            "Id": root, "Name": t.description, "Status": status, "Started": stamp_or_null(t.started), "Ended": stamp_or_null(t.completed), "ShowAtSummaryLevel": true,
            "ProgressPercentage": done, "ProgressMessage": "", "LogElements": root_lines, "Children": children,
        }],
        "PhysicalLogSize": raw(state, index).len(),
        "Progress": { "ProgressPercentage": done, "EstimatedTimeRemaining": left },
        "Links": {"Self": format!("/api/tasks/{id}/details?verbose=False"), "Task": format!("/api/tasks/{id}"), "Web": tasks::web_page(t.space.as_deref(), &id), "Raw": format!("/api/tasks/{id}/raw")},
    })
}

fn percent(done: f64, all: f64) -> u64 {
    if all <= 0.0 { 100 } else { (done / all * 100.0).clamp(0.0, 100.0) as u64 }
}

fn progress(state: &State, index: usize) -> (u64, String) {
    let t = &state.tasks[index];
    if t.state.is_completed() {
        return (100, String::new());
    }
    let (mut done, mut all) = (0.0, 0.0);
    for (run, plan) in t.steps.iter().zip(t.plan.iter()) {
        let takes = plan.takes.0.as_secs_f64();
        all += takes;
        done += match (run.status, run.started) {
            (s, _) if s.is_over() => takes,
            (StepStatus::Running, _) if run.percent.is_some() => takes * run.percent.unwrap_or(0).min(100) as f64 / 100.0,
            (StepStatus::Running, Some(at)) => state.now.duration_since(at).as_secs_f64().min(takes),
            _ => 0.0,
        };
    }
    let left = jiff::SignedDuration::from_secs_f64((all - done).max(0.0));
    (percent(done, all).min(99), super::state::in_words(left))
}

fn root_log(state: &State, index: usize) -> Vec<Line> {
    let t = &state.tasks[index];
    let mut log: Vec<Line> = t.notes.clone();
    if let (true, Some(at)) = (t.state == TaskState::Failed, t.completed) {
        log.push((at, "Fatal", t.error.clone()));
    }
    log
}

fn step_log(state: &State, index: usize, step: usize) -> Vec<Line> {
    let t = &state.tasks[index];
    let (run, plan) = (&t.steps[step], &t.plan[step]);
    let Some(started) = run.started else { return Vec::new() };
    let mut log: Vec<Line> = Vec::new();
    if run.status == StepStatus::Skipped {
        return log;
    }
    if let Some(manual) = &plan.manual {
        log.push((started, "Wait", format!("Waiting for a manual intervention: {}", manual.instructions)));
    } else if let Some(awaited) = &plan.awaits {
        log.push((started, "Wait", super::interruptions::awaited_words(awaited)));
    } else if plan.run.is_some() {
        log.extend(run.log.iter().cloned());
    } else {
        // Lines are spread over the time the step takes, so that a log grows while somebody looks.
        let takes = plan.takes.0;
        let count = i32::try_from(plan.log.len()).unwrap_or(i32::MAX).max(1);
        for (i, line) in plan.log.iter().enumerate() {
            let at = crate::clock::later(started, takes * i32::try_from(i).unwrap_or(0) / count);
            if at <= run.ended.unwrap_or(state.now) {
                log.push((at, "Info", line.clone()));
            }
        }
    }
    let end = run.ended.unwrap_or(state.now);
    if let (true, Some((error, lines))) = (run.status == StepStatus::Failed, &run.fails) {
        log.extend(lines.iter().map(|l| (end, "Error", l.clone())));
        log.push((end, "Error", error.clone()));
        log.push((end, "Fatal", format!("The step '{}' failed: {error}", plan.name)));
    }
    if let (StepStatus::Warning, Some(text)) = (run.status, &plan.warns) {
        log.push((end, "Warning", text.clone()));
    }
    log.extend(run.said.iter().map(|s| (end, "Info", s.clone())));
    log
}

/// `GET tasks/{id}/raw`.
fn raw(state: &State, index: usize) -> String {
    let t = &state.tasks[index];
    let mut out = format!(
        "Task ID:        ServerTasks-{}\nTask status:    {}\n\n                    | {}\n",
        index + 1,
        t.state.name(),
        t.description
    );
    let write = |out: &mut String, log: &[Line]| {
        for (at, category, text) in log {
            let time = at.strftime("%H:%M:%S");
            let _ = writeln!(out, "{time}   {category:<8} |       {text}");
        }
    };
    for (i, run) in t.steps.iter().enumerate() {
        if run.started.is_some() {
            let _ = writeln!(out, "                    | == {}: Step {}: {} ==", run.status.name(), i + 1, t.plan[i].name);
            write(&mut out, &step_log(state, index, i));
        }
    }
    write(&mut out, &root_log(state, index));
    out
}
