//! Watching tasks while somebody waits for them: one request for all of each server's, and telling what changes: the state, the step
//! that runs, why nothing goes on, what people are asked.

use super::prelude::*;
use super::{
    interruption::Interruption,
    task::{Explanation, Task},
    wait_options::{Asked, WaitOptions},
};
use crate::api::TaskId;

/// How many queued tasks of one wait are explained.
const EXPLAINED: usize = 5;
/// How soon to look again why a task waits, at first and at last.
const EXPLAIN_SOON: SignedDuration = SignedDuration::from_secs(30);
const EXPLAIN_LATE: SignedDuration = SignedDuration::from_mins(2);
/// How often to look which step runs, at first and at last.
const DETAILS_SOON: SignedDuration = SignedDuration::from_secs(15);
const DETAILS_LATE: SignedDuration = SignedDuration::from_secs(60);

/// Watches a set of tasks and tells what changes.
pub struct Watcher<'o> {
    options: &'o WaitOptions,
    /// One for each place the tasks are in, with the server's address: ids are unique on one server only.
    watches: Vec<(String, api::poller::Watch)>,
    told: BTreeMap<TaskId, Explanation>,
    /// When to look again why a task waits, and the pause before that: longer each time.
    explain_again: BTreeMap<TaskId, (Timestamp, SignedDuration)>,
    /// Interruptions that the script has decided on, and those it has yet to.
    answered: &'o [String],
    pub asked: Vec<(Task, Interruption)>,
    begun: Timestamp,
    details_due: Timestamp,
    steps: BTreeMap<TaskId, (Option<String>, Option<u8>)>,
}

impl<'o> Watcher<'o> {
    pub fn new(host: &Host, open: &[Task], options: &'o WaitOptions, answered: &'o [String]) -> Self {
        let mut by_space: BTreeMap<(String, String), (super::space::Space, Vec<TaskId>)> = BTreeMap::new();
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

    pub fn next_due(&self) -> Timestamp {
        self.watches.iter().map(|(_, watch)| watch.next_due()).min().unwrap_or(Timestamp::MAX)
    }

    /// Asks for all tasks at once, tells what changed, takes complete ones out of `open`.
    pub fn look(&mut self, host: &Host, open: &mut Vec<Task>, deadline: Timestamp) -> HostResult<()> {
        let mut seen: Vec<(&String, HashMap<TaskId, Arc<api::Task>>)> = Vec::new();
        for (server, watch) in &self.watches {
            let polled = host.block(watch.poll(deadline)).map_err(|error| raise(about(error, open)))?;
            seen.push((server, polled.into_iter().map(|task| (task.id.clone(), task)).collect()));
        }
        let is_only_server = seen.len() == 1;
        for task in open.iter() {
            // Not taken out: a list may name the same task twice, e.g. as it was started and as `running` found it.
            let now = seen.iter().filter_map(|(server, tasks)| Some((server, tasks.get(&task.id)?)));
            if let Some((_, now)) = now.rev().find(|(server, _)| is_only_server || task.place.client.address() == ***server) {
                task.saw(host, Arc::clone(now));
            }
        }
        open.retain(|task| !task.last().is_completed());
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
            let asks = last.waits_for_a_person() && !matches!(self.options.on_interrupt, Decide::Word(Asked::Wait));
            // A policy for interruptions is not talk: it does not wait for a spare request.
            if now < due || (!asks && !task.place.poller.spare(if last.waits_for_a_person() { 2 } else { 1 })) {
                continue;
            }
            if last.state == api::TaskState::Queued && !last.waits_for_a_person() && host.context.step.is_some() {
                match host.block(super::guards::while_queued(host, task)) {
                    Err(error) if error.kind() == Kind::Failed || error.kind() == Kind::Cancelled => return Err(raise(error)),
                    // What cannot be looked at must not end a wait.
                    _ => {}
                }
            }
            let explanation = match host.block(task.explain(host)) {
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
        if matches!(self.options.on_interrupt, Decide::Word(Asked::Wait)) {
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
            let details = match host.block(task.place.space.until(now).task_details(&task.id)) {
                Err(error) if error.kind() == Kind::Cancelled => return Err(raise(error)),
                Err(_) => continue,
                Ok(details) => details,
            };
            let step = super::task_log::running(&details);
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
