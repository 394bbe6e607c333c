//! What time does: everything that happens by itself, in the order and at the instants it is due.
//!
//! Nothing runs in the background but the processes of steps that have a body (`worker`). Whoever looks at the state calls [`State::advance_to`] first.

use super::{
    agenda::Due,
    answer::str_of,
    audit::SYSTEM,
    change_control, deployments,
    interruptions::awaited_words,
    lifecycle, provisioning,
    state::{Interruption, InterruptionType, QueueKey, State, StepStatus, TaskState, What},
    triggers,
    world::model::{Answer, Condition},
};
use crate::clock::later;
use jiff::Timestamp;
use serde_json::Value;
use std::collections::BTreeSet;

/// Whether a task in the queue has priority, or was moved to its top.
fn has_priority(key: &&QueueKey) -> bool {
    key.0 < 0 || key.1 == 0
}

impl State {
    /// Lets everything happen that is due up to `to`.
    pub(crate) fn advance_to(&mut self, to: Timestamp) {
        while let Some((at, due)) = self.agenda.next_by(to) {
            self.now = self.now.max(at);
            self.happen(due);
            self.fill_slots();
        }
        self.now = self.now.max(to);
    }

    fn happen(&mut self, due: Due) {
        match due {
            Due::Look => {}
            Due::StepEnds { task, step, generation } => {
                if self.tasks[task].generation == generation && self.tasks[task].state == TaskState::Executing {
                    self.step_ends(task, step);
                }
            }
            Due::CancelEnds { task } => {
                if self.tasks[task].state == TaskState::Cancelling {
                    self.cancelled(task, "The task was canceled.");
                }
            }
            Due::Expires { task } => {
                let t = &self.tasks[task];
                if t.waits_to_start() {
                    self.queue.remove(&t.key);
                    self.complete_task(task, TaskState::TimedOut, "The task was not started before its queue time expired.");
                }
            }
            Due::Answers { interruption } => {
                let i = &self.interruptions[interruption];
                if i.pending && matches!(i.kind, InterruptionType::Awaited(_)) {
                    self.awaited_ends(interruption);
                } else if i.pending {
                    let plan = self.tasks[i.task].plan[i.step].manual.clone();
                    if let Some(plan) = plan {
                        let is_it =
                            |u: &&Value| plan.answer_by.as_ref().is_some_and(|n| str_of(u, "Username").eq_ignore_ascii_case(n.get_ref()));
                        let user = self.store.of("users").iter().find(is_it).map_or(SYSTEM, |u| str_of(u, "Id")).to_owned();
                        let result = if plan.answer == Some(Answer::Abort) { "Abort" } else { "Proceed" };
                        self.answer(interruption, &user, result, None);
                    }
                }
            }
            Due::Change(step) => change_control::happen(self, step),
            Due::Trigger => triggers::happen(self),
            Due::Provision { execution } => provisioning::begin(self, execution),
            Due::Idle { environment } => provisioning::idle(self, environment),
            Due::Restart => {
                for task in self.running.clone() {
                    self.complete_task(
                        task,
                        TaskState::Failed,
                        "The task was running when the Octopus Server was restarted. It has been marked as failed.",
                    );
                }
            }
        }
    }

    /// Starts queued tasks while there are free slots (octopus-api.md §18.6).
    pub(crate) fn fill_slots(&mut self) {
        if self.maintenance || self.queue.is_empty() {
            return;
        }
        let cap = self.cap();
        if self.running.len() >= cap {
            return;
        }
        let stopped = self.stopped();
        while self.running.len() < cap {
            let is_ready = |key: &&QueueKey| {
                let t = &self.tasks[key.3];
                t.eligible <= self.now
                    && self.held.get(&t.tag).is_none_or(|by| *by == key.3)
                    && t.space.as_ref().is_none_or(|s| !stopped.contains(s))
            };
            let fair = self.fair_share().and_then(|share| self.queue.iter().filter(is_ready).find(|key| self.is_below(key, share)));
            let Some(key) = fair.or_else(|| self.queue.iter().find(is_ready)).copied() else { return };
            self.queue.remove(&key);
            self.start(key.3);
        }
    }

    /// So many slots belong to each project that has priority tasks in the queue, where the server shares them fairly (octopus-api.md §18.6).
    fn fair_share(&self) -> Option<usize> {
        let projects: BTreeSet<_> = self.queue.iter().filter(has_priority).filter_map(|key| self.tasks[key.3].project.as_ref()).collect();
        (self.plan.fair_queue && !projects.is_empty()).then(|| (self.cap() / projects.len()).max(1))
    }

    /// Whether a task has priority and its project runs fewer tasks than its share.
    fn is_below(&self, key: &QueueKey, share: usize) -> bool {
        let project = &self.tasks[key.3].project;
        has_priority(&key) && self.running.iter().filter(|task| self.tasks[**task].project == *project).count() < share
    }

    fn start(&mut self, task: usize) {
        let now = self.now;
        let t = &mut self.tasks[task];
        let resumed = t.started.is_some();
        t.state = TaskState::Executing;
        t.started.get_or_insert(now);
        t.updated = now;
        let tag = t.tag.clone();
        let execution = t.execution;
        self.running.insert(task);
        self.held.insert(tag, task);
        let description = self.tasks[task].description.clone();
        let runbook = self.tasks[task].runbook.is_some();
        let category = match (runbook, resumed) {
            (false, false) => "DeploymentStarted",
            (false, true) => "DeploymentResumed",
            (true, _) => "RunbookRunStarted",
        };
        if execution.is_some() {
            self.task_event(category, SYSTEM, task, format!("{description} {}", if resumed { "resumed" } else { "started" }));
        }
        if !resumed
            && let Some(x) = execution
            && let Err(refusal) = lifecycle::may_start(self, x)
        {
            self.tasks[task].notes.push((now, "Fatal", refusal.clone()));
            self.complete_task(task, TaskState::Failed, &refusal);
            return;
        }
        self.next_group(task);
    }

    /// Goes on with the next step, and those that start with it.
    fn next_group(&mut self, task: usize) {
        let now = self.now;
        loop {
            let t = &self.tasks[task];
            let Some(first) = t.steps.iter().position(|s| s.status == StepStatus::Pending) else {
                let (state, error) = if t.failing {
                    (
                        TaskState::Failed,
                        "The deployment failed because one or more steps failed. Please see the deployment log for details.",
                    )
                } else {
                    (TaskState::Success, "")
                };
                self.complete_task(task, state, error);
                return;
            };
            // What interrupts a task never shares its moment with other steps: the task leaves its slot.
            let joins = |i: &usize| t.plan[*i].with_previous && !t.plan[*i].interrupts() && !t.plan[first].interrupts();
            let last = (first + 1..t.plan.len()).take_while(joins).last().unwrap_or(first);
            let mut any = false;
            for step in first..=last {
                if !self.wanted(task, step) {
                    let run = &mut self.tasks[task].steps[step];
                    run.status = StepStatus::Skipped;
                    run.started = Some(now);
                    run.ended = Some(now);
                    continue;
                }
                if self.tasks[task].plan[step].interrupts() {
                    self.interrupt(task, step);
                    return;
                }
                self.begin_step(task, step);
                any = true;
            }
            if any {
                return;
            }
        }
    }

    fn wanted(&self, task: usize, step: usize) -> bool {
        let t = &self.tasks[task];
        let plan = &t.plan[step];
        let condition = match plan.condition {
            Condition::Success => !t.failing,
            Condition::Failure => t.failing,
            Condition::Always => true,
        };
        let skipped = t.execution.map(|x| &self.executions[x].skip).filter(|skip| !skip.is_empty()).is_some_and(|skip| {
            let id = Self::action_id(&t.owner, step);
            skip.iter().any(|s| s.eq_ignore_ascii_case(&id) || s.eq_ignore_ascii_case(&plan.name))
        });
        let here = plan.environments.is_empty()
            || t.environment.as_ref().is_some_and(|e| {
                let name = self.store.name("environments", e);
                plan.environments.iter().any(|w| w.get_ref().eq_ignore_ascii_case(&name))
            });
        condition && !skipped && here && !plan.disabled
    }

    fn begin_step(&mut self, task: usize, step: usize) {
        let now = self.now;
        let owner = self.tasks[task].owner.clone();
        let nth = self.step_runs.entry((owner, step)).or_insert(0);
        *nth += 1;
        let nth = *nth;
        let fails = self.failure(task, step, nth);
        let t = &mut self.tasks[task];
        let takes = fails.as_ref().and_then(|f| f.2).unwrap_or(t.plan[step].takes.0);
        let run = &mut t.steps[step];
        run.status = StepStatus::Running;
        run.started = Some(now);
        run.ended = None;
        run.attempts += 1;
        run.fails = fails.map(|f| (f.0, f.1));
        let generation = t.generation;
        if t.plan[step].run.is_some() && !self.history {
            self.begun.push((task, step));
        } else {
            self.agenda.add(later(now, takes), Due::StepEnds { task, step, generation });
        }
    }

    /// Whether this step fails this time: error, log lines, when.
    fn failure(&self, task: usize, step: usize, nth: u32) -> Option<(String, Vec<String>, Option<jiff::SignedDuration>)> {
        let t = &self.tasks[task];
        let version = t.execution.and_then(|x| match self.executions[x].what {
            What::Deploy { release, .. } => self.release(release).map(|r| r.version.clone()),
            What::Runbook { .. } => None,
        });
        let name = |kind: &'static str, id: &Option<String>| id.as_ref().map(|id| self.store.name(kind, id));
        let (environment, tenant) = (name("environments", &t.environment), name("tenants", &t.tenant));
        t.plan[step]
            .fails
            .iter()
            .find(|f| {
                f.release.as_ref().is_none_or(|w| version.as_ref().is_some_and(|v| super::faults::glob(w, v)))
                    && f.environment.as_ref().is_none_or(|w| environment.as_ref().is_some_and(|v| w.get_ref().eq_ignore_ascii_case(v)))
                    && f.tenant.as_ref().is_none_or(|w| tenant.as_ref().is_some_and(|v| w.get_ref().eq_ignore_ascii_case(v)))
                    && f.nth.is_none_or(|n| n == nth)
            })
            .map(|f| {
                let error = f.error.clone().unwrap_or_else(|| "The script returned a non-zero exit code: 1".into());
                (error, f.log.clone(), f.after.map(|a| a.0))
            })
    }

    /// The process of a step has ended, with an error if there was one. It is tried again as often as the step says.
    pub(crate) fn script_ended(&mut self, task: usize, step: usize, error: Option<String>) {
        let now = self.now;
        let t = &mut self.tasks[task];
        let retries = t.plan[step].run.as_ref().map_or(0, |run| run.retries);
        let run = &mut t.steps[step];
        if let Some(error) = &error
            && run.attempts <= retries
        {
            run.log.push((now, "Warning", format!("{error}; the step is tried again ({} of {retries})", run.attempts)));
            self.begin_step(task, step);
            return;
        }
        // What the world says of its failures counts, too.
        let said = run.fails.take();
        run.fails = error.map(|error| (error, Vec::new())).or(said);
        self.step_ends(task, step);
    }

    fn step_ends(&mut self, task: usize, step: usize) {
        let now = self.now;
        let t = &mut self.tasks[task];
        t.updated = now;
        let guided = t.execution.is_some_and(|x| self.executions[x].guided);
        let plan = t.plan.clone();
        let run = &mut t.steps[step];
        if run.fails.is_some() {
            if guided {
                self.ask_guidance(task, step);
                return;
            }
            run.status = StepStatus::Failed;
            t.failing = true;
            t.warnings = true;
            if let Some(x) = t.execution {
                self.executions[x].failed_once = true;
            }
        } else {
            run.status = if plan[step].warns.is_some() { StepStatus::Warning } else { StepStatus::Success };
            t.warnings |= plan[step].warns.is_some();
            run.outputs.extend(plan[step].output.iter().map(|(k, v)| (k.clone(), v.clone())));
        }
        self.tasks[task].steps[step].ended = Some(now);
        self.after_step(task);
    }

    fn after_step(&mut self, task: usize) {
        if self.tasks[task].steps.iter().all(|s| s.status != StepStatus::Running) {
            self.next_group(task);
        }
    }

    /// A step that interrupts: the task goes back to the queue and gives up its slot (octopus-api.md §19.1).
    fn interrupt(&mut self, task: usize, step: usize) {
        let now = self.now;
        let plan = self.tasks[task].plan.clone();
        let (manual, awaited) = (plan[step].manual.as_ref(), plan[step].awaits.as_ref());
        let teams = manual.map(|manual| self.store.ids_of("teams", &manual.teams)).unwrap_or_default();
        let t = &mut self.tasks[task];
        t.steps[step].status = StepStatus::Running;
        t.steps[step].started = Some(now);
        t.state = TaskState::Queued;
        t.eligible = Timestamp::MAX;
        t.updated = now;
        let (tag, key, description) = (t.tag.clone(), t.key, t.description.clone());
        self.running.remove(&task);
        if manual.is_none_or(|manual| !manual.block) {
            self.held.remove(&tag);
        }
        self.queue.insert(key);
        let kind = awaited.map_or(InterruptionType::Manual, |awaited| InterruptionType::Awaited(*awaited.kind.get_ref()));
        let instructions = manual.map(|manual| manual.instructions.clone()).or_else(|| awaited.map(awaited_words)).unwrap_or_default();
        let interruption =
            self.ask(Interruption { task, step, kind, title: plan[step].name.clone(), instructions, teams, ..Interruption::default() });
        if manual.is_some() {
            let message = format!("{description} needs a manual intervention: {}", plan[step].name);
            self.task_event("ManualInterventionInterruptionRaised", SYSTEM, task, message);
        }
        let answered = manual.filter(|manual| manual.answer.is_some()).map(|manual| manual.answer_after);
        if let Some(takes) = answered.or_else(|| awaited.and_then(|awaited| awaited.takes)) {
            self.agenda.add(later(now, takes.0), Due::Answers { interruption });
        }
    }

    /// What a step waited for outside of the server has come to an end, good or bad.
    fn awaited_ends(&mut self, interruption: usize) {
        let now = self.now;
        let (task, step) = (self.interruptions[interruption].task, self.interruptions[interruption].step);
        self.close_question(task);
        let t = &mut self.tasks[task];
        let fails = t.plan[step].awaits.as_ref().is_some_and(|awaited| awaited.fails);
        t.steps[step].status = if fails { StepStatus::Failed } else { StepStatus::Success };
        t.steps[step].ended = Some(now);
        t.failing |= fails;
        t.warnings |= fails;
        t.updated = now;
        t.eligible = now;
        self.fill_slots();
    }

    /// Guided failure: the task keeps its slot and waits.
    fn ask_guidance(&mut self, task: usize, step: usize) {
        let t = &mut self.tasks[task];
        t.updated = self.now;
        let (description, name) = (t.description.clone(), t.plan[step].name.clone());
        let (title, instructions) = (
            format!("{description} requires failure guidance"),
            format!("'{name}' in the current task failed. What would you like to do?"),
        );
        self.ask(Interruption { task, step, kind: InterruptionType::GuidedFailure, title, instructions, ..Interruption::default() });
        self.task_event("GuidedFailureInterruptionRaised", SYSTEM, task, format!("{description} requires failure guidance"));
    }

    /// Somebody has answered a question.
    pub(crate) fn answer(&mut self, interruption: usize, user: &str, result: &str, notes: Option<String>) {
        let now = self.now;
        let by = self.username(user);
        let i = &mut self.interruptions[interruption];
        i.pending = false;
        i.responsible.get_or_insert_with(|| user.to_owned());
        i.answer = Some(result.to_owned());
        i.notes.clone_from(&notes);
        let (task, step, guided) = (i.task, i.step, i.kind == InterruptionType::GuidedFailure);
        let t = &mut self.tasks[task];
        t.interruption = None;
        t.updated = now;
        let run = &mut t.steps[step];
        if guided {
            run.said.push(format!("Failure guidance: {result} (by {by})"));
            match result {
                "Retry" => {
                    self.begin_step(task, step);
                    return;
                }
                "Ignore" | "Exclude" => {
                    run.status = StepStatus::Warning;
                    t.warnings = true;
                }
                _ => {
                    run.status = StepStatus::Failed;
                    t.failing = true;
                    t.warnings = true;
                    if let Some(x) = t.execution {
                        self.executions[x].failed_once = true;
                    }
                }
            }
            self.tasks[task].steps[step].ended = Some(now);
            self.after_step(task);
        } else {
            run.ended = Some(now);
            run.said.push(format!("{result} by {by}{}", notes.as_ref().map_or_else(String::new, |n| format!(": {n}"))));
            if result == "Abort" {
                run.status = StepStatus::Failed;
                t.failing = true;
                t.warnings = true;
            } else {
                run.status = StepStatus::Success;
            }
            t.eligible = now;
            let approved = if result == "Abort" { "False" } else { "True" };
            let mut outputs =
                vec![("Manual.Notes".to_owned(), notes.unwrap_or_default()), ("Manual.Approved".to_owned(), approved.to_owned())];
            outputs.extend(self.person(user).map(|(key, value)| (format!("Manual.ResponsibleUser.{key}"), value)));
            self.tasks[task].steps[step].outputs = outputs;
        }
        self.fill_slots();
    }

    /// Cancels a task: at once when it is queued, after a moment when it runs (octopus-api.md §18.8).
    pub(crate) fn cancel(&mut self, task: usize, user: &str) {
        let now = self.now;
        self.close_question(task);
        let t = &mut self.tasks[task];
        let description = t.description.clone();
        match t.state {
            TaskState::Queued => {
                t.cancel_steps(now);
                let key = t.key;
                self.queue.remove(&key);
                self.task_event("TaskCanceled", user, task, format!("{description} was canceled"));
                self.complete_task(task, TaskState::Canceled, "The task was canceled.");
                self.fill_slots();
            }
            TaskState::Executing => {
                t.state = TaskState::Cancelling;
                t.generation += 1;
                t.updated = now;
                let takes = self.plan.cancel_takes.0;
                self.task_event("TaskCanceled", user, task, format!("{description} was canceled"));
                self.agenda.add(later(now, takes), Due::CancelEnds { task });
            }
            _ => {}
        }
    }

    /// Gives up a task that does not end after it was cancelled.
    pub(crate) fn abandon(&mut self, task: usize, by: &str) {
        self.cancelled(task, &format!("The task was abandoned by {by}. Scripts that it started may still be running."));
        self.fill_slots();
    }

    fn cancelled(&mut self, task: usize, why: &str) {
        self.tasks[task].cancel_steps(self.now);
        self.complete_task(task, TaskState::Canceled, why);
    }

    fn close_question(&mut self, task: usize) {
        if let Some(i) = self.tasks[task].interruption.take() {
            self.interruptions[i].pending = false;
        }
    }

    pub(crate) fn complete_task(&mut self, task: usize, state: TaskState, error: &str) {
        let now = self.now;
        self.close_question(task);
        let t = &mut self.tasks[task];
        t.state = state;
        t.completed = Some(now);
        t.updated = now;
        t.generation += 1;
        error.clone_into(&mut t.error);
        for step in &mut t.steps {
            match step.status {
                StepStatus::Running => {
                    step.status = if state == TaskState::Failed { StepStatus::Failed } else { StepStatus::Canceled };
                    step.ended = Some(now);
                }
                StepStatus::Pending => step.status = if state == TaskState::Canceled { StepStatus::Canceled } else { StepStatus::Skipped },
                _ => {}
            }
        }
        if state == TaskState::Failed {
            t.warnings = true;
        }
        let (tag, description, execution, runbook) = (t.tag.clone(), t.description.clone(), t.execution, t.runbook.is_some());
        self.running.remove(&task);
        if self.held.get(&tag) == Some(&task) {
            self.held.remove(&tag);
        }
        if let Some(x) = execution {
            match (state, runbook) {
                (TaskState::Success, false) => self.task_event("DeploymentSucceeded", SYSTEM, task, format!("{description} succeeded")),
                (TaskState::Success, true) => self.task_event("RunbookRunSucceeded", SYSTEM, task, format!("{description} succeeded")),
                (TaskState::Failed, false) => self.task_event("DeploymentFailed", SYSTEM, task, format!("{description} failed")),
                (TaskState::Failed, true) => self.task_event("RunbookRunFailed", SYSTEM, task, format!("{description} failed")),
                _ => {}
            }
            if state == TaskState::Success && !runbook {
                deployments::after_success(self, x);
            }
            provisioning::ended(self, task);
        }
    }
}
