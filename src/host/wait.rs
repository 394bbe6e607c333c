//! Waiting: the one loop everybody waits in, and waiting for tasks.
//!
//! The loop looks, sleeps on the run's clock until it is worth looking again, and ends at its deadline; a cancelled run
//! ends it at once. Time-outs are always errors that name what is open and what was done about it.

use super::{
    Host,
    effect::Limit,
    interruptions::Interruption,
    retry,
    tasks::{Explanation, Task, array, tasks_of},
};
use crate::{
    api::{self, TaskId},
    clock::{later, text},
    engine::{
        library::Call,
        options::OptionValue,
        thrown::{HostResult, raise},
    },
    error::{Error, Kind, Result},
    event::{Level, What},
};
use jiff::{SignedDuration, Timestamp};
use rhai::{Dynamic, FnPtr};
use serde_json::json;
use std::{collections::BTreeMap, sync::Arc};

/// What a look found.
pub enum Look<T> {
    /// What was waited for.
    Done(T),
    /// Not yet; look again then.
    Again(Timestamp),
}

/// The one wait loop: `None` when `deadline` passed first.
pub fn until<T>(host: &Host, deadline: Timestamp, mut look: impl FnMut() -> HostResult<Look<T>>) -> HostResult<Option<T>> {
    let limit = Limit::at(host, deadline);
    loop {
        host.check_cancelled()?;
        match look()? {
            Look::Done(found) => return Ok(Some(found)),
            Look::Again(due) => {
                let now = host.now();
                let deadline = limit.now_at(host);
                if now >= deadline {
                    return Ok(None);
                }
                // Never sooner than a millisecond from now: a look that is due already must not spin.
                host.sleep_until(due.max(later(now, SignedDuration::from_millis(1))).min(deadline))?;
            }
        }
    }
}

/// `"wait"`, `"fail"`, ... or a closure.
#[derive(Clone, Debug)]
pub enum Policy {
    /// One of the words.
    Word(String),
    /// Decides itself.
    Closure(FnPtr),
}

impl OptionValue for Policy {
    const KIND: &'static str = "text or closure";
    fn read(value: Dynamic) -> std::result::Result<Self, String> {
        match value.clone().try_cast::<FnPtr>() {
            Some(closure) => Ok(Self::Closure(closure)),
            None => String::read(value).map(Self::Word),
        }
    }
}

impl Policy {
    fn word(word: &str) -> Self {
        Self::Word(word.to_owned())
    }

    /// An error when it is a word that the option does not have.
    fn check(&self, function: &str, option: &str, words: &[&str]) -> HostResult<()> {
        match self {
            Self::Word(word) if !words.contains(&word.as_str()) => Err(raise(
                Error::new(Kind::Script, format!("option `{option}` of `{function}` cannot be `{word}`"))
                    .with("option", option)
                    .help(format!("it can be {}, or a closure", words.iter().map(|w| format!("\"{w}\"")).collect::<Vec<_>>().join(" or "))),
            )),
            _ => Ok(()),
        }
    }
}

crate::options! {
    /// How to wait.
    pub struct WaitOptions for ["wait"] {
        /// How long at most. A time-out is an error of kind `timeout` that names the open tasks.
        timeout: SignedDuration = SignedDuration::from_mins(30), "30m";
        /// What happens to open tasks at a time-out: `"leave"`, `"cancel"`, or a closure that gets the list of them.
        on_timeout: Policy = Policy::word("leave"), "\"leave\"";
        /// How long a task may be queued without a start before that is a time-out, from the time for which it is queued.
        queue_timeout: Option<SignedDuration> = None, "none";
        /// What happens when a task waits for a person: `"wait"`, `"fail"`, or a closure that gets the interruption.
        on_interrupt: Policy = Policy::word("wait"), "\"wait\"";
        /// Raise the error as soon as one task failed, not when all are complete.
        fail_fast: bool = false, "false";
        /// What happens to these tasks when the run is cancelled: `"cancel"` or `"leave"`; otherwise `--on-cancel` decides.
        on_cancel: Option<String> = None, "none";
    }
}

/// How many queued tasks of one wait are explained.
const EXPLAINED: usize = 5;
/// How soon to look again why a task waits, at first and at last.
const EXPLAIN_SOON: SignedDuration = SignedDuration::from_secs(30);
const EXPLAIN_LATE: SignedDuration = SignedDuration::from_mins(2);
/// How often to look which step runs, at first and at last.
const DETAILS_SOON: SignedDuration = SignedDuration::from_secs(15);
const DETAILS_LATE: SignedDuration = SignedDuration::from_secs(60);

/// When a wait for tasks is over.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// All are complete.
    All,
    /// One is complete.
    Any,
}

/// Waits for tasks. `Ok(true)` when what was waited for came, `Ok(false)` at the deadline.
pub fn for_tasks(call: &Call<'_>, host: &Host, tasks: &[Task], options: &WaitOptions, until_what: Until) -> HostResult<bool> {
    options.on_timeout.check(call.function, "on_timeout", &["leave", "cancel"])?;
    options.on_interrupt.check(call.function, "on_interrupt", &["wait", "fail"])?;
    if let Some(word) = options.on_cancel.as_deref().filter(|word| !["cancel", "leave"].contains(word)) {
        return Err(raise(
            Error::new(Kind::Script, format!("option `on_cancel` of `{}` cannot be `{word}`", call.function))
                .with("option", "on_cancel")
                .help("it can be \"cancel\" or \"leave\""),
        ));
    }
    let over = |open: &[Task]| match until_what {
        Until::All => open.is_empty() || (options.fail_fast && tasks.iter().any(failed)),
        Until::Any => open.len() < tasks.len() || open.is_empty(),
    };
    let mut answered = Vec::new();
    let mut since = None;
    loop {
        let open: Vec<Task> = tasks.iter().filter(|t| !t.last().is_completed()).cloned().collect();
        if over(&open) {
            return Ok(true);
        }
        let ids: Vec<String> = open.iter().map(|t| t.id.to_string()).collect();
        let arguments = json!({"tasks": ids, "timeout": text::show(options.timeout)});
        let answered_before = &answered;
        let stretch = host.waited(
            "wait",
            arguments,
            |began| {
                let (began, limit) = since.unwrap_or_else(|| (began, Limit::at(host, later(began, options.timeout))));
                let stretch = watch(host, tasks, open, options, answered_before, (began, limit.now_at(host)), &over)?;
                let record = stretch.to_json(began, tasks);
                Ok(((began, stretch), record))
            },
            |record| Stretch::again(host, tasks, record),
        )?;
        let (began, stretch) = stretch;
        since.get_or_insert_with(|| (began, Limit::at(host, later(began, options.timeout))));
        match stretch {
            Stretch::Over(came) => return Ok(came),
            Stretch::Asked(asked) => {
                for (task, interruption) in asked {
                    answered.push(interruption.id().to_string());
                    if let Policy::Closure(closure) = &options.on_interrupt {
                        retry::ignore(call.closure(closure, (interruption,)))?;
                    } else {
                        return Err(raise(
                            Error::new(
                                Kind::Failed,
                                format!("{} waits for a person: {}", task.subject.title, interruption.who_may_answer()),
                            )
                            .with("task", task.id.to_string())
                            .with("url", interruption.url())
                            .with("interruption", interruption.id().to_string()),
                        ));
                    }
                }
            }
        }
    }
}

/// How a stretch of waiting ended: a wait is one, or several with a question to the script between them.
enum Stretch {
    /// Whether what was waited for came.
    Over(bool),
    /// People are asked something, and the script decides.
    Asked(Vec<(Task, Interruption)>),
}

impl Stretch {
    fn to_json(&self, began: Timestamp, tasks: &[Task]) -> serde_json::Value {
        let seen: Vec<_> = tasks.iter().map(Task::last).filter(|t| !t.raw.is_null()).map(|t| t.raw.clone()).collect();
        let mut record = json!({"began": began.to_string(), "tasks": seen});
        match self {
            Self::Over(came) => record["came"] = (*came).into(),
            Self::Asked(asked) => {
                record["asked"] = asked.iter().map(|(t, i)| json!({"task": t.id.to_string(), "interruption": i.to_record()})).collect();
            }
        }
        record
    }

    /// What [`Stretch::to_json`] wrote, and since when the whole wait lasts.
    fn again(host: &Host, tasks: &[Task], record: &serde_json::Value) -> HostResult<(Timestamp, Self)> {
        for seen in record["tasks"].as_array().into_iter().flatten() {
            let seen = <api::Task as api::decode::Document>::decode(seen.clone()).map_err(|problem| raise(problem.into_error("task")))?;
            let seen = Arc::new(seen);
            for task in tasks.iter().filter(|t| t.id == seen.id) {
                task.saw(host, Arc::clone(&seen));
            }
        }
        let began = record["began"].as_str().and_then(|at| at.parse().ok()).unwrap_or_else(|| host.clock.now());
        let Some(asked) = record["asked"].as_array() else { return Ok((began, Self::Over(record["came"] == true))) };
        let mut again = Vec::new();
        for one in asked {
            if let Some(task) = tasks.iter().find(|t| one["task"] == t.id.as_str()) {
                again.push((task.clone(), Interruption::from_record(task.place.clone(), &one["interruption"])?));
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
    (began, deadline): (Timestamp, Timestamp),
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
    host.count_naive(host.clock.since(began).as_secs(), open.len());
    if done.is_err()
        && host.cancel.is_cancelled()
        && let Some(word) = &options.on_cancel
    {
        host.decide_on_cancel(&open, word == "cancel");
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

/// Watches a set of tasks and tells what changes.
struct Watcher<'o> {
    options: &'o WaitOptions,
    /// One for each place the tasks are in, with the server's address: ids are unique on one server only.
    watches: Vec<(String, api::poller::Watch)>,
    told: BTreeMap<TaskId, Explanation>,
    /// When to look again why a task waits, and the pause before that: longer each time.
    explain_again: BTreeMap<TaskId, (Timestamp, SignedDuration)>,
    /// Interruptions that the script has decided on, and those it has yet to.
    answered: &'o [String],
    asked: Vec<(Task, Interruption)>,
    begun: Timestamp,
    details_due: Timestamp,
    steps: BTreeMap<TaskId, (Option<String>, Option<u8>)>,
}

impl<'o> Watcher<'o> {
    fn new(host: &Host, open: &[Task], options: &'o WaitOptions, answered: &'o [String]) -> Self {
        let mut by_space: BTreeMap<(String, String), (super::place::Place, Vec<TaskId>)> = BTreeMap::new();
        for task in open {
            let key = (task.place.client.address(), task.place.space.space().id.to_string());
            by_space.entry(key).or_insert_with(|| (task.place.clone(), Vec::new())).1.push(task.id.clone());
        }
        let watches = by_space.into_iter().map(|((server, _), (place, ids))| (server, place.poller.watch(ids))).collect();
        Self {
            options,
            watches,
            told: BTreeMap::new(),
            explain_again: BTreeMap::new(),
            answered,
            asked: Vec::new(),
            begun: host.clock.now(),
            details_due: host.clock.now(),
            steps: BTreeMap::new(),
        }
    }

    fn next_due(&self) -> Timestamp {
        self.watches.iter().map(|(_, watch)| watch.next_due()).min().unwrap_or(Timestamp::MAX)
    }

    /// Asks for all tasks at once, tells what changed, takes complete ones out of `open`.
    fn look(&mut self, host: &Host, open: &mut Vec<Task>, deadline: Timestamp) -> HostResult<()> {
        let mut seen: BTreeMap<(&str, TaskId), Arc<api::Task>> = BTreeMap::new();
        for (server, watch) in &self.watches {
            for task in host.block_plain(watch.poll(deadline)).map_err(|error| raise(about(error, open)))? {
                seen.insert((server, task.id.clone()), task);
            }
        }
        for task in open.iter() {
            // Not taken out: a list may name the same task twice, e.g. as it was started and as `running` found it.
            if let Some(now) = seen.get(&(task.place.client.address().as_str(), task.id.clone())) {
                task.saw(host, Arc::clone(now));
            }
        }
        let before = open.len();
        open.retain(|task| !task.last().is_completed());
        // By our clock: the server's may be another.
        host.count_naive(host.clock.since(self.begun).as_secs(), before - open.len());
        self.explain(host, open)?;
        self.tell_steps(host, open)
    }

    /// Tells why tasks wait, when the reason changes, as far as the poller has requests to spare.
    fn explain(&mut self, host: &Host, open: &[Task]) -> HostResult<()> {
        let now = host.clock.now();
        let mut queued = 0;
        for task in open {
            let last = task.last();
            let waits = last.waits_for_a_person()
                || (last.state == api::TaskState::Queued
                    // At once when it is scheduled; not for what is about to start.
                    && last.queue_time.is_some_and(|at| now < at || now.duration_since(at) >= SignedDuration::from_secs(5)));
            if !waits {
                if self.told.remove(&task.id).is_some() {
                    self.explain_again.remove(&task.id);
                }
                continue;
            }
            // Of many that queue behind each other the first few tell enough.
            queued += usize::from(!last.waits_for_a_person());
            if queued > EXPLAINED && !last.waits_for_a_person() {
                continue;
            }
            let (due, pause) = self.explain_again.get(&task.id).copied().unwrap_or((now, SignedDuration::ZERO));
            let asks = last.waits_for_a_person() && !matches!(&self.options.on_interrupt, Policy::Word(word) if word == "wait");
            // A policy for interruptions is not talk: it does not wait for a spare request.
            if now < due || (!asks && !task.place.poller.spare(if last.waits_for_a_person() { 2 } else { 1 })) {
                continue;
            }
            let explanation = match host.block_plain(task.explain(host)) {
                Err(error) if error.kind() == Kind::Cancelled => return Err(raise(error)),
                // What is told to people must not end a wait: the poller decides whether the task, or the server, is gone.
                Err(_) => continue,
                Ok(explanation) => explanation,
            };
            let changed = explanation.is_some() && self.told.get(&task.id) != explanation.as_ref();
            let pause = if asks { EXPLAIN_SOON } else { (pause * 2).clamp(EXPLAIN_SOON, EXPLAIN_LATE) };
            self.explain_again.insert(task.id.clone(), (later(now, pause), pause));
            if changed && let Some(explanation) = explanation {
                host.emit(What::Waiting {
                    task: Some(task.id.to_string()),
                    title: task.subject.title.clone(),
                    why: explanation.why.clone(),
                    url: explanation.url.clone(),
                });
                self.told.insert(task.id.clone(), explanation);
            }
            if last.waits_for_a_person() {
                self.interrupted(host, task)?;
            }
        }
        Ok(())
    }

    fn interrupted(&mut self, host: &Host, task: &Task) -> HostResult<()> {
        if matches!(&self.options.on_interrupt, Policy::Word(word) if word == "wait") {
            return Ok(());
        }
        let pending = host.block(task.place.space.interruptions(true, Some(task.id.as_str())))?;
        for interruption in pending {
            let id = interruption.id.to_string();
            if self.answered.contains(&id) {
                continue;
            }
            let interruption = host.block(async { Ok(Interruption::new(task.place.clone(), interruption).with_names().await) })?;
            self.asked.push((task.clone(), interruption));
        }
        Ok(())
    }

    /// Tells the running step when few tasks are open; with many that would cost a request for each.
    fn tell_steps(&mut self, host: &Host, open: &[Task]) -> HostResult<()> {
        let now = host.clock.now();
        if open.len() > 4 || now < self.details_due {
            return Ok(());
        }
        // A step that began a quarter of an hour after the wait may be told a minute late.
        self.details_due = later(now, (now.duration_since(self.begun) / 10).clamp(DETAILS_SOON, DETAILS_LATE));
        for task in open.iter().filter(|t| t.last().state == api::TaskState::Executing) {
            if !task.place.poller.spare(1) {
                continue;
            }
            // Asked once: it is only told, and the poller outlasts what makes it fail.
            let details = match host.block_plain(task.place.space.until(now).task_details(&task.id)) {
                Err(error) if error.kind() == Kind::Cancelled => return Err(raise(error)),
                Err(_) => continue,
                Ok(details) => details,
            };
            let step = super::steps::running(&details);
            let percent = details.progress.as_ref().and_then(|p| u8::try_from(p.percentage).ok());
            if self.steps.get(&task.id) != Some(&(step.clone(), percent)) {
                let changed = self.steps.get(&task.id).is_none_or(|(before, _)| *before != step);
                self.steps.insert(task.id.clone(), (step.clone(), percent));
                if changed {
                    host.emit(What::TaskProgress { subject: task.subject.clone(), state: task.last().state.to_string(), step, percent });
                }
            }
        }
        Ok(())
    }
}

/// An error of polling, with the names of the tasks it is about.
fn about(error: Error, open: &[Task]) -> Error {
    let name = |task: &Task| format!("{} ({})", task.subject.title, task.id);
    let ids: Vec<String> = open.iter().map(|task| task.id.to_string()).collect();
    match error.kind() {
        Kind::NotFound => {
            let gone = error.fact("tasks").and_then(|tasks| tasks.as_array().cloned()).unwrap_or_default();
            let gone: Vec<String> = open.iter().filter(|task| gone.iter().any(|id| *id == *task.id.as_str())).map(name).collect();
            let verb = if gone.len() == 1 { "is" } else { "are" };
            let mut named = Error::new(Kind::NotFound, format!("{} {verb} gone from the server: its end is not known", gone.join(", ")));
            for (fact, value) in error.facts() {
                named = named.with(fact, value.clone());
            }
            named.help("was it deleted with its release, by retention or by a person, or did a permission change?")
        }
        Kind::Unreachable => {
            let mut names: Vec<String> = open.iter().take(10).map(name).collect();
            if open.len() > 10 {
                names.push(format!("{} more", open.len() - 10));
            }
            error.help(format!("still open when last seen: {}", names.join(", "))).with("open_tasks", ids)
        }
        _ => error,
    }
}

/// The error of tasks that did not end well; one error for one, a list for several.
pub fn failures(host: &Host, tasks: &[Task]) -> Option<Error> {
    let failed: Vec<Task> = tasks.iter().filter(|t| failed(t)).cloned().collect();
    let first = failed.first()?;
    let look = |task: &Task| host.block_plain(async { Ok::<Error, Error>(task.failure().await) }).unwrap_or_else(|e| e);
    let error = look(first);
    let all: Vec<String> = failed.iter().map(|t| t.id.to_string()).collect();
    if failed.len() == 1 {
        return Some(error.with("tasks", all));
    }
    // Each message costs a request: the first five are told in full.
    let mut lines = vec![error.message().to_owned()];
    for task in failed.iter().skip(1).take(4) {
        lines.push(look(task).message().to_owned());
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
pub fn timed_out(call: &Call<'_>, host: &Host, tasks: &[Task], options: &WaitOptions) -> HostResult<Error> {
    let open: Vec<Task> = tasks.iter().filter(|t| !t.last().is_completed()).cloned().collect();
    let (mut named, mut stuck) = (Vec::new(), Vec::new());
    for task in &open {
        if is_stuck(host, task, options) {
            stuck.push(format!("{} ({})", task.subject.title, task.id));
        }
    }
    // The step costs a request: of the first five it is told.
    for task in open.iter().take(5) {
        let step = host.block_plain(task.place.space.task_details(&task.id)).ok().and_then(|d| super::steps::running_of(&d));
        let seen = task.last();
        let step = step.map(|s| format!(", {s}")).unwrap_or_default();
        named.push(format!("{} ({}, `{}`{step})", task.subject.title, task.id, seen.state));
    }
    named.extend(open.iter().skip(5).take(5).map(|t| format!("{} ({}, `{}`)", t.subject.title, t.id, t.last().state)));
    if open.len() > 10 {
        named.push(format!("and {} more", open.len() - 10));
    }
    let done = match &options.on_timeout {
        Policy::Word(word) if word == "cancel" => {
            let (cancelled, refused) = cancel_all(host, &open);
            match refused.as_slice() {
                [] => format!("cancelled {cancelled}"),
                lines => format!("cancelled {cancelled}, but {}", lines.join("; ")),
            }
        }
        Policy::Word(_) => "left to go on".to_owned(),
        Policy::Closure(closure) => {
            let shown = call.closure(closure, (array(open.clone()),))?;
            if shown.is_unit() { "handed to `on_timeout`".to_owned() } else { crate::engine::thrown::shown(&shown) }
        }
    };
    let limit = text::show(options.timeout);
    let count = if open.len() == 1 { "1 task is".to_owned() } else { format!("{} tasks are", open.len()) };
    let before = match options.queue_timeout.filter(|_| !stuck.is_empty()) {
        Some(limit) => format!("after {} in the queue {} did not start; ", text::show(limit), stuck.join(", ")),
        None => format!("after {limit} "),
    };
    Ok(Error::new(Kind::Timeout, format!("{before}{count} still open: {}; {done}", named.join(", ")))
        .with("open_tasks", open.iter().map(|t| t.id.to_string()).collect::<Vec<_>>())
        .with("done_with_open", done)
        .with("timeout", limit)
        .help("give it more time with #{timeout: \"...\"}; `on_timeout: \"cancel\"` cancels what is open"))
}

/// Cancels tasks and waits up to ten minutes until they are complete. Returns how many, and what went wrong.
pub fn cancel_all(host: &Host, open: &[Task]) -> (usize, Vec<String>) {
    let mut problems = Vec::new();
    let mut cancelled: Vec<Task> = Vec::new();
    for task in open {
        match host.effect("cancel", &task.id.to_string().into(), |_| async { task.cancel(host).await }) {
            Ok(()) => cancelled.push(task.clone()),
            Err(error) => problems.push(format!("{} could not be cancelled: {}", task.subject.title, retry::message(&error))),
        }
    }
    let ids: Vec<String> = cancelled.iter().map(|t| t.id.to_string()).collect();
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
        let record = stopped.to_json(began, &cancelled);
        Ok((stopped, record))
    };
    let stopped = host.waited("wait for the end of", ids.into(), stop, |record| Ok(Stretch::again(host, &cancelled, record)?.1));
    if let Ok(Stretch::Over(false)) = stopped {
        problems.push("not all have stopped yet".to_owned());
    }
    (cancelled.len(), problems)
}

impl Host {
    /// Cancels or leaves tasks when the run is cancelled; with a fresh token, because the run's own is set.
    pub fn decide_on_cancel(&self, open: &[Task], cancel: bool) {
        for task in open {
            // Decided here: the end of the run does not ask again.
            self.started.lock().retain(|t| !t.same(task));
        }
        if cancel {
            self.cancel_on_the_way_out(open);
        }
    }

    /// Looks once at tasks nobody waited for, so that the closing lines tell how they are. Nothing depends on it.
    pub fn look_at_open_tasks(&self) {
        for task in self.open_tasks().iter().take(20) {
            let space = task.place.space.until(self.clock.now());
            if let Ok(seen) = self.block_plain(space.task(&task.id)) {
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
    fn wait(call, tasks: Dynamic; options: WaitOptions) -> "what it was given" {
        let host = Host::of(call)?;
        let list = tasks_of(call, tasks.clone())?;
        let came = for_tasks(call, &host, &list, &options, Until::All)?;
        // Looked at first: what `on_timeout` cancels has not failed.
        match (came, failures(&host, &list)) {
            (true, None) => Ok(tasks),
            (true, Some(error)) => Err(raise(error)),
            (false, None) => Err(raise(timed_out(call, &host, &list, &options)?)),
            (false, Some(failed)) => {
                let failed = failed.message();
                Err(raise(timed_out(call, &host, &list, &options)?.with("failed", failed).help(format!("failed before that: {failed}"))))
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
    fn settle(call, tasks: Dynamic; options: WaitOptions) -> "list of Task" {
        let host = Host::of(call)?;
        let list = tasks_of(call, tasks)?;
        if !for_tasks(call, &host, &list, &options, Until::All)? {
            let problem = timed_out(call, &host, &list, &options)?;
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
    fn wait_any(call, tasks: Dynamic; options: WaitOptions) -> "Task" {
        let host = Host::of(call)?;
        let list = tasks_of(call, tasks)?;
        if list.is_empty() {
            return Err(raise(Error::new(Kind::Script, "`wait_any` was given an empty list")));
        }
        let came = for_tasks(call, &host, &list, &options, Until::Any)?;
        match list.iter().find(|t| t.last().is_completed()) {
            Some(task) if came => Ok(task.clone()),
            _ => Err(raise(timed_out(call, &host, &list, &options)?)),
        }
    }
}
