//! Watching tasks while somebody waits for them: one request for all of each server's, and telling what changes: the state, the step
//! that runs, why nothing goes on, what people are asked.

use super::prelude::*;
use super::{
    approval::Approval,
    interruption::Interruption,
    question::Question,
    space::Space,
    task::Task,
    wait_options::{Asked, WaitOptions},
    why_waiting::{self, Explanation},
};
use crate::api::TaskId;

/// How many queued tasks of one wait are explained.
const EXPLAINED: usize = 5;
/// How soon to look again why a task waits, at first and at last.
const EXPLAIN_SOON: SignedDuration = SignedDuration::from_secs(30);
const EXPLAIN_LATE: SignedDuration = SignedDuration::from_mins(2);
/// How soon to look again for what the script decides on: when a task has begun to wait, and when none has.
const DECIDE_SOON: SignedDuration = SignedDuration::from_secs(10);
const DECIDE_LATE: SignedDuration = SignedDuration::from_secs(30);
/// How long what keeps all queued tasks of a space is taken for true.
const HALT_KEPT: SignedDuration = SignedDuration::from_mins(1);
/// How often to look which step runs, at first and at last.
const DETAILS_SOON: SignedDuration = SignedDuration::from_secs(15);
const DETAILS_LATE: SignedDuration = SignedDuration::from_secs(60);

/// A server's address, and the id of a space on it.
type PlaceKey = (String, String);

fn key_of(place: &Space) -> PlaceKey {
    (place.client.address(), place.space.space().id.to_string())
}

/// Watches a set of tasks and tells what changes.
pub struct Watcher<'o> {
    options: &'o WaitOptions,
    /// One for each place the tasks are in, with the server's address: ids are unique on one server only.
    watches: Vec<(String, api::poller::Watch)>,
    told: BTreeMap<TaskId, Explanation>,
    /// When to look again why a task waits, and the pause before that: longer each time.
    explain_again: BTreeMap<TaskId, (Timestamp, SignedDuration)>,
    /// What keeps the queued tasks of a space, when it was asked.
    halts: BTreeMap<PlaceKey, (Timestamp, Option<String>)>,
    /// Questions that the script has decided on, and those it has yet to.
    answered: &'o [String],
    pub asked: Vec<(Task, Question)>,
    /// When it was looked for questions, and which tasks had some.
    looked: Option<(Timestamp, BTreeSet<TaskId>)>,
    begun: Timestamp,
    details_due: Timestamp,
    steps: BTreeMap<TaskId, (Option<String>, Option<u8>)>,
}

impl<'o> Watcher<'o> {
    pub fn new(host: &Host, open: &[Task], options: &'o WaitOptions, answered: &'o [String]) -> Self {
        let mut by_space: BTreeMap<PlaceKey, (Space, Vec<TaskId>)> = BTreeMap::new();
        for task in open {
            by_space.entry(key_of(&task.place)).or_insert_with(|| (task.place.clone(), Vec::new())).1.push(task.id.clone());
        }
        let watches = by_space.into_iter().map(|((server, _), (place, ids))| (server, place.poller.watch(ids))).collect();
        Self {
            options,
            watches,
            told: BTreeMap::new(),
            explain_again: BTreeMap::new(),
            halts: BTreeMap::new(),
            answered,
            asked: Vec::new(),
            looked: None,
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
        self.look_for_questions(host, open)?;
        self.tell_steps(host, open)
    }

    /// Tells why tasks wait, when the reason changes, as far as the poller has requests to spare.
    fn explain(&mut self, host: &Host, open: &[Task]) -> HostResult<()> {
        let now = host.clock.now();
        let mut queued = 0;
        for task in open {
            let last = task.last();
            let is_held = last.is_interrupted() || last.waits_for_preconditions();
            let waits = is_held
                || (last.state == api::TaskState::Queued
                    // At once when it is scheduled; not for what is about to start.
                    && last.queue_time.is_some_and(|at| now < at || now.duration_since(at) >= SignedDuration::from_secs(5)));
            if !waits {
                if self.told.remove(&task.id).is_some() {
                    self.explain_again.remove(&task.id);
                }
                continue;
            }
            // Of many that queue behind each other, or wait for the same approval, the first few tell enough.
            queued += usize::from(!last.is_interrupted());
            if queued > EXPLAINED && !last.is_interrupted() {
                continue;
            }
            let (due, pause) = self.explain_again.get(&task.id).copied().unwrap_or((now, SignedDuration::ZERO));
            if now < due || !task.place.poller.spare(if is_held { 2 } else { 1 }) {
                continue;
            }
            if last.state == api::TaskState::Queued && !is_held && host.context.step.is_some() {
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
            let explanation = match explanation {
                Some(explanation) if explanation.is_stalled => self.with_halt(host, task, explanation)?,
                explanation => explanation,
            };
            let pause = (pause * 2).clamp(EXPLAIN_SOON, EXPLAIN_LATE);
            self.explain_again.insert(task.id.clone(), (later(now, pause), pause));
            if let Some(explanation) = explanation
                && self.told.get(&task.id) != Some(&explanation)
            {
                host.emit(What::Waiting {
                    task: Some(task.id.to_string()),
                    title: task.subject.title.clone(),
                    why: explanation.why.clone(),
                    url: explanation.url.clone(),
                });
                self.told.insert(task.id.clone(), explanation);
            }
        }
        Ok(())
    }

    /// The explanation of a task that nothing in front of it keeps, with what keeps its whole space. None while that cannot be asked.
    fn with_halt(&mut self, host: &Host, task: &Task, explanation: Explanation) -> HostResult<Option<Explanation>> {
        let (now, key) = (host.clock.now(), key_of(&task.place));
        let kept = self.halts.get(&key).filter(|(at, _)| now.duration_since(*at) < HALT_KEPT);
        let halt = if let Some((_, halt)) = kept {
            halt.clone()
        } else if task.place.poller.spare(3) {
            let halt = match host.block(why_waiting::halt(&task.place)) {
                Err(error) if error.kind() == Kind::Cancelled => return Err(raise(error)),
                halt => halt.unwrap_or_default(),
            };
            self.halts.insert(key, (now, halt.clone()));
            halt
        } else {
            return Ok(None);
        };
        Ok(Some(match halt {
            Some(why) => Explanation { why, ..explanation },
            None => explanation,
        }))
    }

    /// Looks for questions that the script decides on. A policy is not talk: it does not wait for a spare request, but one list answers for
    /// all tasks of a space.
    fn look_for_questions(&mut self, host: &Host, open: &[Task]) -> HostResult<()> {
        let decides = |policy: &Decide<Asked>| !matches!(policy, Decide::Word(Asked::Wait));
        let (people, approvals) = (decides(&self.options.on_interrupt), decides(&self.options.on_approval));
        let mut asking: BTreeMap<PlaceKey, Vec<&Task>> = BTreeMap::new();
        for task in open {
            let last = task.last();
            if people && last.asks_a_person() || approvals && last.waits_for_approval() {
                asking.entry(key_of(&task.place)).or_default().push(task);
            }
        }
        let (now, ids) = (host.clock.now(), asking.values().flatten().map(|task| task.id.clone()).collect());
        let is_due = self
            .looked
            .as_ref()
            .is_none_or(|(at, before)| now.duration_since(*at) >= if *before == ids { DECIDE_LATE } else { DECIDE_SOON });
        if asking.is_empty() || !is_due {
            return Ok(());
        }
        self.looked = Some((now, ids));
        for tasks in asking.values() {
            if people {
                self.look_for_interruptions(host, tasks)?;
            }
            if approvals {
                self.look_for_approvals(host, tasks)?;
            }
        }
        Ok(())
    }

    fn look_for_interruptions(&mut self, host: &Host, tasks: &[&Task]) -> HostResult<()> {
        let tasks: Vec<&&Task> = tasks.iter().filter(|task| task.last().asks_a_person()).collect();
        let Some(first) = tasks.first() else { return Ok(()) };
        let regarding = (tasks.len() == 1).then_some(first.id.as_str());
        for one in host.block(first.place.space.interruptions(true, regarding))? {
            let Some(task) = tasks.iter().find(|task| one.task_id.as_ref() == Some(&task.id)) else { continue };
            if !one.is_for_people() || self.answered.iter().any(|id| *id == one.id.as_str()) {
                continue;
            }
            let shown = host.block(async { Ok(Interruption::new(task.place.clone(), one).with_names().await) })?;
            self.asked.push(((**task).clone(), Question::Interruption(shown)));
        }
        Ok(())
    }

    fn look_for_approvals(&mut self, host: &Host, tasks: &[&Task]) -> HostResult<()> {
        let tasks: Vec<&&Task> = tasks.iter().filter(|task| task.last().waits_for_approval()).collect();
        let Some(first) = tasks.first() else { return Ok(()) };
        let fails = matches!(self.options.on_approval, Decide::Word(Asked::Fail));
        for one in host.block(first.place.space.pending_approvals())? {
            let Some(task) = tasks.iter().find(|task| one.task_id.as_ref() == Some(&task.id)) else { continue };
            if self.answered.iter().any(|id| *id == one.id.as_str()) {
                continue;
            }
            let approval = Approval::new(task.place.clone(), one);
            // The first one ends the wait, and its error says who may approve.
            let progress = if fails { host.block(task.place.space.approval_progress(&task.id))? } else { None };
            let why = approval.waits_for(progress.as_ref());
            self.asked.push(((**task).clone(), Question::Approval(approval, why)));
            if fails {
                break;
            }
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
