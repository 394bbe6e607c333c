//! The steps of a run for people: what the record holds as documents of the server, in the words and with the links that Octopus has for it.

use super::{
    columns::{MOST_LETTERS, columns, tame},
    lines::{day, time},
    ui::span,
};
use crate::{
    api,
    journal::{Run, Step, StepState},
};
use jiff::tz::TimeZone;
use serde_json::Value;
use std::collections::HashMap;

/// Names by id, as far as answers of the server told them.
#[derive(Default)]
struct Names(HashMap<String, String>);

/// A step whose outcome is read into.
struct ReadStep<'a> {
    step: &'a Step,
    outcome: Value,
}

impl std::ops::Deref for ReadStep<'_> {
    type Target = Step;
    fn deref(&self) -> &Step {
        self.step
    }
}

/// Of a row of looks, how many are shown at its begin; and the last one.
const LOOKS: usize = 4;

/// The timeline: when, which step, what, with what, how long, what came of it. Looks in a row, as of somebody who polls,
/// are shortened, and what time it was is not shown: `--output json` has all steps.
pub fn timeline(run: &Run, steps: &[Step], zone: &TimeZone) -> Vec<String> {
    let mut names = Names::default();
    let steps: Vec<ReadStep> = steps.iter().map(|step| ReadStep { step, outcome: step.outcome.tree() }).collect();
    for step in &steps {
        names.learn(&step.outcome);
    }
    let server = run.new.target["server"].as_str().unwrap_or_default();
    let (mut table, mut last) = (Vec::new(), String::new());
    let mut shown = steps.iter().filter(|step| step.kind != "now").peekable();
    let mut looks = 0;
    while let Some(step) = shown.next() {
        looks = if is_look(step) { looks + 1 } else { 0 };
        if looks > LOOKS && shown.peek().is_some_and(|next| is_look(next)) {
            continue;
        }
        if looks > LOOKS + 1 {
            let more = format!("{} more", looks - LOOKS - 1);
            table.push([String::new(), "...".to_owned(), String::new(), more, String::new(), String::new(), String::new()]);
        }
        let today = day(step.began, zone);
        let date = if today == last { String::new() } else { today.clone() };
        last = today;
        let took = step.ended.map_or_else(String::new, |ended| span(ended.duration_since(step.began).as_secs_f64()));
        let (kind, arguments) = (tame(&step.kind, MOST_LETTERS), one_line(&names.put_in(&step.arguments)));
        table.push([date, time(step.began, zone), step.path.clone(), kind, arguments, took, outcome(step, server, &names)]);
        table.extend(reasons(step, zone));
    }
    columns(&table)
}

/// Whether a step only looked, or slept between two looks without a new reason.
fn is_look(step: &ReadStep<'_>) -> bool {
    let slept = || step.kind == "sleep" && step.intent.is_null();
    step.state == StepState::Done && (slept() || answers(&step.outcome).is_some())
}

/// Why a step waited, a row for each reason.
fn reasons<'a>(step: &'a ReadStep<'_>, zone: &'a TimeZone) -> impl Iterator<Item = [String; 7]> + use<'a> {
    step.intent["waits"].as_array().into_iter().flatten().filter_map(|reason| {
        let at = text(reason, "at")?.parse().map_or_else(|_| String::new(), |at| time(at, zone));
        let mut why = tame(text(reason, "why")?, MOST_LETTERS);
        if let Some(url) = text(reason, "url").filter(|url| !why.contains(url)) {
            why = format!("{why}  {}", tame(url, 1000));
        }
        let title = tame(text(reason, "title").unwrap_or_default(), MOST_LETTERS);
        Some([String::new(), at, String::new(), "  waits".to_owned(), title, String::new(), why])
    })
}

/// How a step ended, and its link.
fn outcome(step: &ReadStep<'_>, server: &str, names: &Names) -> String {
    let words = match step.state {
        StepState::Intent => "no outcome known".to_owned(),
        StepState::Failed => {
            let message = text(&step.outcome, "message").map_or_else(|| step.outcome.to_string(), str::to_owned);
            format!("failed: {}", tame(&message, MOST_LETTERS))
        }
        StepState::Done => done(&step.outcome, names),
    };
    let task = || {
        step.arguments
            .as_str()
            .filter(|id| id.starts_with("ServerTasks-"))
            .and_then(|id| api::web_url(server, &format!("/app#/tasks/{id}")))
    };
    match link(&step.outcome, server).or_else(|| link(&step.intent, server)).or_else(task) {
        Some(url) if !words.contains(&url) => format!("{words}  {}", tame(&url, 1000)),
        _ => words,
    }
}

fn done(outcome: &Value, names: &Names) -> String {
    let waited = || outcome["tasks"].as_array().filter(|_| outcome.get("began").is_some());
    if let Some(tasks) = waited() {
        let task = |task: &Value| Some(format!("{} ({}): {}", text(task, "Description")?, text(task, "Id")?, text(task, "State")?));
        let mut tasks: Vec<String> = tasks.iter().filter_map(task).map(|task| tame(&task, MOST_LETTERS)).collect();
        if outcome["came"] == false {
            tasks.insert(0, "timed out".to_owned());
        }
        return tasks.join(", ");
    }
    if let Some(count) = answers(outcome) {
        return if count == 1 { "1 answer".to_owned() } else { format!("{count} answers") };
    }
    document(outcome, names).unwrap_or_else(|| one_line(outcome))
}

/// How many answers of the server a read kept: they are long, and `--output json` has them.
fn answers(outcome: &Value) -> Option<usize> {
    let is_answer =
        |entry: &Value| entry.get("path").is_some() && ["answer", "again", "error"].iter().any(|name| entry.get(*name).is_some());
    outcome.as_array().filter(|entries| !entries.is_empty() && entries.iter().all(is_answer)).map(Vec::len)
}

/// A document of the server: `Project A 2.0.0 → Test (ServerTasks-19)`.
fn document(document: &Value, names: &Names) -> Option<String> {
    let id = text(document, "Id")?;
    let name = |field: &str| text(document, field).map(|id| names.of(id).to_owned());
    let about = match (name("ProjectId"), name("ReleaseId").or_else(|| name("RunbookId")), name("EnvironmentId")) {
        (Some(project), Some(what), Some(environment)) => {
            let tenant = name("TenantId").map_or_else(String::new, |tenant| format!(" for {tenant}"));
            format!("{project} {what} → {environment}{tenant}")
        }
        (project, ..) => {
            let own = ["Version", "Title", "Name", "Description"].iter().find_map(|name| text(document, name))?;
            project.map_or_else(|| own.to_owned(), |project| format!("{project} {own}"))
        }
    };
    Some(tame(&format!("{about} ({})", text(document, "TaskId").unwrap_or(id)), MOST_LETTERS))
}

/// The address of what a value is about, for a browser.
fn link(value: &Value, server: &str) -> Option<String> {
    let web = |value: &Value| api::web_url(server, text(value.get("Links")?, "Web")?);
    let own = |value: &Value| text(value, "url").map(str::to_owned);
    // An error has facts; of tasks that were waited for, the one that did not succeed counts most.
    let tasks = value.get("tasks").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let task = tasks.iter().find(|task| task["FinishedSuccessfully"] == false).or(tasks.first());
    own(value).or_else(|| own(value.get("facts")?)).or_else(|| web(value)).or_else(|| task.and_then(web))
}

fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name)?.as_str()
}

impl Names {
    /// Keeps what documents in `value` are called.
    fn learn(&mut self, value: &Value) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| self.learn(item)),
            Value::Object(members) => {
                if let (Some(id), Some(name)) = (text(value, "Id"), text(value, "Version").or_else(|| text(value, "Name"))) {
                    self.0.insert(id.to_owned(), name.to_owned());
                }
                members.values().for_each(|member| self.learn(member));
            }
            _ => {}
        }
    }

    /// The name; the id when it is not known.
    fn of<'a>(&'a self, id: &'a str) -> &'a str {
        self.0.get(id).map_or(id, String::as_str)
    }

    /// The arguments of a call, with names.
    fn put_in(&self, arguments: &Value) -> Value {
        match arguments {
            Value::Object(members) => members.iter().map(|(name, value)| (name.clone(), self.put_in(value))).collect(),
            // An id is a word of its own, and what it names is no task: those are known by their ids.
            Value::String(id) if !id.starts_with("ServerTasks-") => self.of(id).into(),
            other => other.clone(),
        }
    }
}

/// A value in one line: a text without quotes, a map without the outer braces.
pub fn one_line(value: &Value) -> String {
    let scalar = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let plain =
        |value: &Value| value.as_array().map_or_else(|| scalar(value), |items| items.iter().map(scalar).collect::<Vec<_>>().join(", "));
    let text = match value {
        Value::Null => String::new(),
        Value::Object(map) => map
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| format!("{name}={}", plain(value)))
            .collect::<Vec<_>>()
            .join(" "),
        other => plain(other),
    };
    tame(&text, MOST_LETTERS)
}
