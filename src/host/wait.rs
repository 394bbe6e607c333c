//! Waiting for tasks. Time-outs are always errors that name what is open and what was done about it.

use super::prelude::*;
use super::{
    call::ScriptCall,
    interruption,
    question::Question,
    task::Task,
    tasks::{array, tasks_of},
    time_limit::Limit,
    wait_loop::{Look, until},
    wait_options::{AnyOptions, OpenTasks, WaitOptions},
    watch::Watcher,
};
use crate::api::TaskId;
use serde::Serialize;
use std::collections::HashSet;

/// When a wait for tasks is over.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// All are complete.
    All,
    /// One is complete.
    Any,
}

/// The function of a script that waits.
pub trait Asker {
    /// The run.
    fn host(&self) -> &Host;
    /// Its name.
    fn function(&self) -> &'static str;
    /// Calls a closure that its options gave.
    fn ask(&self, closure: &FnPtr, about: Dynamic) -> HostResult<Dynamic>;
}

impl Asker for ScriptCall<'_> {
    fn host(&self) -> &Host {
        self
    }
    fn function(&self) -> &'static str {
        self.function()
    }
    fn ask(&self, closure: &FnPtr, about: Dynamic) -> HostResult<Dynamic> {
        self.closure(closure, (about,))
    }
}

/// Waits for tasks. `Ok(true)` when what was waited for came, `Ok(false)` at the deadline.
pub fn for_tasks(call: &dyn Asker, tasks: &[Task], options: &WaitOptions, until_what: Until) -> HostResult<bool> {
    let host = call.host();
    super::guards::before_waiting(host, tasks)?;
    let over = |open: &[Task]| match until_what {
        Until::All => open.is_empty() || (options.fail_fast && tasks.iter().any(failed)),
        Until::Any => open.len() < tasks.len() || open.is_empty(),
    };
    let mut answered = Vec::new();
    let mut since = None;
    // Asked here: inside of the step nobody keeps anything.
    let is_kept = host.recorder().is_some();
    loop {
        let open: Vec<Task> = tasks.iter().filter(|t| !t.last().is_completed()).cloned().collect();
        if over(&open) {
            return Ok(true);
        }
        let arguments = || json!({"tasks": ids(&open), "timeout": text::show(options.timeout)});
        let arguments = if is_kept { arguments() } else { Value::Null };
        let answered_before = &answered;
        let stretch = host.waited(
            "wait",
            arguments,
            |began| {
                let (began, limit) = since.unwrap_or_else(|| (began, Limit::at(host, later(began, options.timeout))));
                let stretch = watch(host, tasks, open, options, answered_before, limit.now_at(host), &over)?;
                let record = if is_kept { stretch.to_json(began, tasks) } else { Value::Null.into() };
                Ok(((began, stretch), record))
            },
            |record| Stretch::again(host, tasks, record),
        )?;
        let (began, stretch) = stretch;
        since.get_or_insert_with(|| (began, Limit::at(host, later(began, options.timeout))));
        match stretch {
            Stretch::Over(came) => return Ok(came),
            Stretch::Asked(asked) => {
                for (task, question) in asked {
                    answered.push(question.id());
                    let decide = match &question {
                        Question::Interruption(_) => &options.on_interrupt,
                        Question::Approval(..) => &options.on_approval,
                    };
                    if let Decide::Closure(closure) = decide {
                        let url = question.url();
                        match call.ask(closure, question.into_dynamic()) {
                            // Theirs is the answer: nothing has failed.
                            Err(error) if ours(&error).is_some_and(|error| interruption::is_anothers(&error)) => {
                                let (task, title) = (Some(task.id.to_string()), task.subject.title.clone());
                                host.emit(What::Waiting { task, title, why: message(&error), url: Some(url) });
                            }
                            answered => drop(answered?),
                        }
                    } else {
                        return Err(raise(question.failure(&task.subject.title, &task.id)));
                    }
                }
            }
        }
    }
}

fn ids(tasks: &[Task]) -> Vec<String> {
    tasks.iter().map(|task| task.id.to_string()).collect()
}

/// How a stretch of waiting ended: a wait is one, or several with a question to the script between them.
enum Stretch {
    /// Whether what was waited for came.
    Over(bool),
    /// People are asked something, and the script decides.
    Asked(Vec<(Task, Question)>),
}

/// A [`Stretch`] in the record.
#[derive(Serialize)]
struct StretchRecord {
    began: String,
    /// The documents of the tasks as last seen.
    tasks: Vec<JsonText>,
    #[serde(skip_serializing_if = "Option::is_none")]
    came: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    asked: Option<Vec<Value>>,
}

impl Stretch {
    fn to_json(&self, began: Timestamp, tasks: &[Task]) -> JsonText {
        let tasks: Vec<_> = tasks.iter().map(Task::last).filter(|t| !t.raw.is_null()).map(|t| t.raw.clone()).collect();
        let (came, asked) = match self {
            Self::Over(came) => (Some(*came), None),
            Self::Asked(asked) => (None, Some(asked.iter().map(|(task, question)| question.to_record(&task.id)).collect())),
        };
        JsonText::of(&StretchRecord { began: began.to_string(), tasks, came, asked })
    }

    /// What [`Stretch::to_json`] wrote, and since when the whole wait lasts.
    fn again(host: &Host, tasks: &[Task], record: &Value) -> HostResult<(Timestamp, Self)> {
        let mut by_id: HashMap<&TaskId, Vec<&Task>> = HashMap::new();
        for task in tasks {
            by_id.entry(&task.id).or_default().push(task);
        }
        for seen in record["tasks"].as_array().into_iter().flatten() {
            let seen = <api::Task as api::decode::Document>::decode(seen.clone()).map_err(|problem| raise(problem.into_error("task")))?;
            let seen = Arc::new(seen);
            for task in by_id.get(&seen.id).into_iter().flatten() {
                task.saw(host, Arc::clone(&seen));
            }
        }
        let began = record["began"].as_str().and_then(|at| at.parse().ok()).unwrap_or_else(|| host.clock.now());
        let Some(asked) = record["asked"].as_array() else { return Ok((began, Self::Over(record["came"] == true))) };
        let mut again = Vec::new();
        for one in asked {
            if let Some(task) = one["task"].as_str().and_then(|id| by_id.get(&TaskId::from(id))?.first()) {
                again.push(((*task).clone(), Question::from_record(task.place.clone(), one)?));
            }
        }
        Ok((began, Self::Asked(again)))
    }
}

/// Watches until it is over, the deadline has come, or somebody is asked and the script shall decide.
fn watch(
    host: &Host,
    tasks: &[Task],
    mut open: Vec<Task>,
    options: &WaitOptions,
    answered: &[String],
    deadline: Timestamp,
    over: &dyn Fn(&[Task]) -> bool,
) -> HostResult<Stretch> {
    let mut watcher = Watcher::new(host, &open, options, answered);
    let done = until(host, deadline, || {
        watcher.look(host, &mut open, deadline)?;
        if over(&open) {
            return Ok(Look::Done(Stretch::Over(true)));
        }
        if !watcher.asked.is_empty() {
            return Ok(Look::Done(Stretch::Asked(std::mem::take(&mut watcher.asked))));
        }
        if open.iter().any(|task| is_stuck(host, task, options)) {
            return Ok(Look::Done(Stretch::Over(false)));
        }
        let soon = later(host.clock.now(), SignedDuration::from_mins(1));
        host.put_down_until(soon.min(deadline), &format!("{} of {} tasks are open", open.len(), tasks.len()))?;
        Ok(Look::Again(watcher.next_due()))
    });
    if done.is_err()
        && host.cancel.is_cancelled()
        && let Some(word) = options.on_cancel
    {
        host.decide_on_cancel(&open, word == OpenTasks::Cancel);
    }
    Ok(done?.unwrap_or(Stretch::Over(false)))
}

/// Whether it has been queued for longer than `queue_timeout` without a start.
fn is_stuck(host: &Host, task: &Task, options: &WaitOptions) -> bool {
    let last = task.last();
    let queued = last.queue_time.filter(|_| last.start_time.is_none() && !last.is_completed());
    options.queue_timeout.zip(queued).is_some_and(|(limit, since)| host.clock.since(since) >= limit)
}

fn failed(task: &Task) -> bool {
    let last = task.last();
    last.is_completed() && !last.finished_successfully()
}

/// The error of tasks that did not end well; one error for one, a list for several.
pub fn failures(host: &Host, tasks: &[Task]) -> Option<Error> {
    let failed: Vec<Task> = tasks.iter().filter(|t| failed(t)).cloned().collect();
    let first = failed.first()?;
    let look = |task: &Task| host.block(task.failure()).unwrap_or_else(|error| error);
    let error = look(first);
    let all = ids(&failed);
    if failed.len() == 1 {
        return Some(error.with("tasks", all));
    }
    if error.stops() {
        return Some(error);
    }
    // Each message costs a request: the first five are told in full.
    let mut lines = vec![error.message().to_owned()];
    for task in failed.iter().skip(1).take(4) {
        let next = look(task);
        if next.stops() {
            return Some(next);
        }
        lines.push(next.message().to_owned());
    }
    if failed.len() > 5 {
        lines.push(format!("and {} more", failed.len() - 5));
    }
    let mut several = Error::new(Kind::DeploymentFailed, format!("{} of {} tasks failed: {}", failed.len(), tasks.len(), lines.join("; ")));
    for (name, value) in error.facts() {
        several = several.with(name, value.clone());
    }
    Some(several.with("tasks", all))
}

/// What becomes of open tasks at a time-out, and the error that says so.
pub fn timed_out(call: &dyn Asker, tasks: &[Task], options: &WaitOptions) -> HostResult<Error> {
    let error = left_open(call, tasks, options)?;
    Ok(error.help("give it more time with #{timeout: \"...\"}; `on_timeout: \"cancel\"` cancels what is open"))
}

/// [`timed_out`] without advice.
pub(super) fn left_open(call: &dyn Asker, tasks: &[Task], options: &WaitOptions) -> HostResult<Error> {
    let host = call.host();
    let open: Vec<Task> = tasks.iter().filter(|t| !t.last().is_completed()).cloned().collect();
    let (mut named, mut stuck) = (Vec::new(), Vec::new());
    for task in &open {
        if is_stuck(host, task, options) {
            stuck.push(format!("{} ({})", task.subject.title, task.id));
        }
    }
    // What holds a task and the step that runs cost requests: of the first five they are told.
    for task in open.iter().take(5) {
        let seen = task.last();
        let told = if seen.state == api::TaskState::Queued || seen.is_interrupted() {
            host.block(task.waits_for(host))
        } else {
            host.block(task.place.space.task_details(&task.id)).map(|details| super::task_log::running_of(&details))
        };
        let told = match told {
            Err(error) if error.stops() => return Err(raise(error)),
            // The state says already that it is queued.
            told => told.ok().flatten().map(|told| format!(", {}", told.strip_prefix("queued: ").unwrap_or(&told))).unwrap_or_default(),
        };
        named.push(format!("{} ({}, `{}`{told})", task.subject.title, task.id, seen.state));
    }
    named.extend(open.iter().skip(5).take(5).map(|t| format!("{} ({}, `{}`)", t.subject.title, t.id, t.last().state)));
    if open.len() > 10 {
        named.push(format!("and {} more", open.len() - 10));
    }
    let done = match &options.on_timeout {
        Decide::Word(OpenTasks::Cancel) => {
            let (cancelled, refused) = cancel_all(host, &open)?;
            match refused.as_slice() {
                [] => format!("cancelled {cancelled}"),
                lines => format!("cancelled {cancelled}, but {}", lines.join("; ")),
            }
        }
        Decide::Word(OpenTasks::Leave) => "left to go on".to_owned(),
        Decide::Closure(closure) => {
            let told = call.ask(closure, array(open.clone()).into())?;
            if told.is_unit() { "handed to `on_timeout`".to_owned() } else { shown(&told) }
        }
    };
    let limit = text::show(options.timeout);
    let count = if open.len() == 1 { "1 task is".to_owned() } else { format!("{} tasks are", open.len()) };
    let before = match options.queue_timeout.filter(|_| !stuck.is_empty()) {
        Some(limit) => format!("after {} in the queue {} did not start; ", text::show(limit), stuck.join(", ")),
        None => format!("after {limit} "),
    };
    Ok(Error::new(Kind::Timeout, format!("{before}{count} still open: {}; {done}", named.join(", ")))
        .with("open_tasks", ids(&open))
        .with("done_with_open", done)
        .with("timeout", limit))
}

/// The error of a function that starts one after the other and has reached its limit: `open` is what it has started and still runs, `left`
/// what it has not.
pub fn too_late(host: &ScriptCall<'_>, function: &str, timeout: SignedDuration, open: &[Task], left: Vec<String>) -> HostResult<Error> {
    let error = if open.iter().all(|task| task.last().is_completed()) {
        Error::new(Kind::Timeout, format!("`{function}` reached its limit of {}", text::show(timeout)))
            .with("open_tasks", Vec::<String>::new())
            .help("give it more time with #{timeout: \"...\"}")
    } else {
        timed_out(host, open, &WaitOptions { timeout, ..WaitOptions::default() })?
    };
    if left.is_empty() {
        return Ok(error);
    }
    host.note(Level::Warning, format!("not started: {}", left.join(", ")));
    Ok(error.help(format!("not started: {}", left.join(", "))).with("not_started", left))
}

/// Cancels tasks and waits up to ten minutes until they are complete. Returns how many, and what went wrong.
pub fn cancel_all(host: &Host, open: &[Task]) -> HostResult<(usize, Vec<String>)> {
    let mut problems = Vec::new();
    let mut cancelled: Vec<Task> = Vec::new();
    for task in open {
        match host.effect("cancel", &task.id.to_string().into(), |_| async { task.cancel(host).await }) {
            Ok(()) => cancelled.push(task.clone()),
            Err(error) if stops(&error) => return Err(error),
            Err(error) => problems.push(format!("{} could not be cancelled: {}", task.subject.title, message(&error))),
        }
    }
    let is_kept = host.recorder().is_some();
    let stop = |began| {
        let ended = until(host, later(began, SignedDuration::from_mins(10)), || {
            for task in cancelled.iter().filter(|t| !t.last().is_completed()) {
                host.block(task.look(host))?;
            }
            if cancelled.iter().all(|t| t.last().is_completed()) {
                Ok(Look::Done(Stretch::Over(true)))
            } else {
                Ok(Look::Again(later(host.clock.now(), SignedDuration::from_secs(5))))
            }
        });
        let stopped = ended?.unwrap_or(Stretch::Over(false));
        let record = if is_kept { stopped.to_json(began, &cancelled) } else { Value::Null.into() };
        Ok((stopped, record))
    };
    let stopped =
        host.waited("wait for the end of", ids(&cancelled).into(), stop, |record| Ok(Stretch::again(host, &cancelled, record)?.1));
    match stopped {
        Err(error) if stops(&error) => return Err(error),
        Ok(Stretch::Over(false)) => problems.push("not all have stopped yet".to_owned()),
        _ => {}
    }
    Ok((cancelled.len(), problems))
}

impl Host {
    /// Cancels or leaves tasks when the run is cancelled; with a fresh token, because the run's own is set.
    pub fn decide_on_cancel(&self, open: &[Task], cancel: bool) {
        // Decided here: the end of the run does not ask again.
        let decided: HashSet<&TaskId> = open.iter().map(|task| &task.id).collect();
        self.ledger.started.lock().retain(|t| !decided.contains(&t.task.id) || !open.iter().any(|task| t.task.same(task)));
        if cancel {
            self.cancel_on_the_way_out(open);
        }
    }

    /// Looks once at tasks nobody waited for, so that the closing lines tell how they are. Nothing depends on it.
    pub fn look_at_open_tasks(&self) {
        for task in self.open_tasks().iter().take(20) {
            let space = task.place.space.until(self.clock.now());
            if let Ok(seen) = self.block(space.task(&task.id)) {
                task.saw(self, Arc::new(seen));
            }
        }
    }

    /// Sends cancel requests for `open`, each at most once, without waiting for the end.
    pub fn cancel_on_the_way_out(&self, open: &[Task]) {
        // All at once: two seconds after a signal the process ends.
        let send = |task: &Task| {
            let space = task.place.space.with_cancel(crate::cancel::Cancel::new());
            let id = task.id.clone();
            async move { Ok(space.cancel_task(&id).await) }
        };
        let sent: Vec<Result<api::Task>> = self.handle.block_on(super::lists::all(open.iter().map(send))).unwrap_or_default();
        for (task, sent) in open.iter().zip(sent) {
            match sent {
                Ok(seen) => {
                    self.note(Level::Warning, format!("{} ({}): cancelled", task.subject.title, task.id));
                    task.saw(self, Arc::new(seen));
                }
                Err(error) => self.note(Level::Warning, format!("{} ({}) could not be cancelled: {error}", task.subject.title, task.id)),
            }
        }
    }
}

crate::functions! {
    group "wait";

    /// Waits until a task, or all tasks of a list, are complete. Returns what it was given. A task that did not end
    /// well is an error of kind `deployment_failed` that names its failed step and the first error lines; a time-out
    /// is an error of kind `timeout`.
    ///
    /// ```rhai
    /// let a = deploy("Project A", "latest", "Test");
    /// let b = deploy("Project B", "latest", "Test");
    /// wait([a, b], #{timeout: "45m", on_timeout: "cancel"});
    /// ```
    fn wait(host: ScriptCall, tasks: Dynamic; options: WaitOptions) -> "what it was given" raises "timeout, deployment_failed, request" {
        let list = tasks_of(&host, tasks.clone())?;
        let came = for_tasks(&host, &list, &options, Until::All)?;
        // Looked at first: what `on_timeout` cancels has not failed.
        match (came, failures(&host, &list)) {
            (true, None) => Ok(tasks),
            (true, Some(error)) => Err(raise(error)),
            (false, None) => Err(raise(timed_out(&host, &list, &options)?)),
            (false, Some(failed)) => {
                let failed = failed.message();
                Err(raise(timed_out(&host, &list, &options)?.with("failed", failed).help(format!("failed before that: {failed}"))))
            }
        }
    }

    /// Waits like `wait`, but raises no error for tasks that failed or are still open at the time-out: look at the
    /// `state` of each task in the list it returns. Server errors and a cancelled run are still raised.
    ///
    /// ```rhai
    /// for t in settle([deploy("Project A", "latest", "Test"), deploy("Project B", "latest", "Test")]) {
    ///     print(`${t.title}: ${t.state}`);
    /// }
    /// ```
    fn settle(host: ScriptCall, tasks: Dynamic; options: WaitOptions) -> "list of Task" raises "timeout, request" {
        let list = tasks_of(&host, tasks)?;
        if !for_tasks(&host, &list, &options, Until::All)? {
            let problem = timed_out(&host, &list, &options)?;
            host.note(Level::Warning, problem.message().to_owned());
        }
        Ok(array(list))
    }

    /// Waits until one task of a list is complete and returns it.
    ///
    /// ```rhai
    /// let first = wait_any([deploy("Project A", "latest", "Test"), deploy("Project B", "latest", "Test")]);
    /// print(first.title);
    /// ```
    fn wait_any(host: ScriptCall, tasks: Dynamic; options: AnyOptions) -> "Task" raises "timeout, request" {
        let list = tasks_of(&host, tasks)?;
        if list.is_empty() {
            return Err(raise(Error::new(Kind::Script, "`wait_any` was given an empty list")));
        }
        let options = WaitOptions::from(options);
        let came = for_tasks(&host, &list, &options, Until::Any)?;
        match list.iter().find(|t| t.last().is_completed()) {
            Some(task) if came => Ok(task.clone()),
            _ => Err(raise(timed_out(&host, &list, &options)?)),
        }
    }
}
