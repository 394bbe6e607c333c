//! Undo: deployments made inside a saga are taken back, in reverse order, when something in it fails.

use super::{
    Host,
    deployments::{DeployOptions, MoveOptions, Plan, live},
    limit::Limit,
    place::{EnvironmentRef, ProjectRef, ReleaseRef, RunbookRef},
    retry::as_error,
    runbooks::RunbookOptions,
    tasks::Task,
    wait::{Until, WaitOptions, cancel_all, for_tasks},
};
use crate::{
    api,
    engine::{
        library::Call,
        thrown::{HostResult, is_exit, message, stops},
    },
    error::{Error, Kind},
    event::Level,
};
use jiff::SignedDuration;
use parking_lot::Mutex;
use rhai::{Dynamic, EvalAltResult, FnPtr};
use std::{fmt, sync::Arc};

/// What a closure given to `saga` works with.
#[derive(Clone, Default)]
pub struct Saga(Arc<Mutex<Vec<Step>>>);

/// What was live before a step.
#[derive(Clone)]
struct Before {
    release: api::Release,
    deployment: api::Deployment,
}

#[derive(Clone)]
enum Step {
    /// A deployment, with what was live before it.
    Deployed { plan: Box<Plan>, task: Task, before: Option<Box<Before>> },
    /// A runbook run: nothing can be put back.
    Ran { task: Task },
    /// What the script itself knows how to take back.
    Own { undo: FnPtr },
}

impl Step {
    fn task(&self) -> Option<&Task> {
        match self {
            Self::Deployed { task, .. } | Self::Ran { task } => Some(task),
            Self::Own { .. } => None,
        }
    }
}

impl fmt::Display for Saga {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a saga of {} steps", self.0.lock().len())
    }
}

crate::script_type! {
    /// What the closure of `saga` gets: verbs that remember how to be undone.
    Saga as "Saga" {
        /// How many steps were taken so far.
        size: "whole number" = |_call, s| s.0.lock().len() as i64;
    }
}

crate::options! {
    /// How to undo.
    pub struct SagaOptions for ["saga"] {
        /// Also put back what failed itself; otherwise it is left as it is, so that people can look.
        undo_failed: bool = false, "false";
        /// How long each undo may take.
        timeout: SignedDuration = SignedDuration::from_hours(1), "1h";
    }
}

impl Saga {
    fn deployed(&self, host: &Host, plan: Plan, options: &DeployOptions, how: &str) -> HostResult<Task> {
        let before = host.block(async {
            let now = live(&plan.place, &plan.project, &plan.environment, plan.tenant.as_ref()).await?;
            Ok(now.release.zip(now.deployment).map(|(release, deployment)| Box::new(Before { release, deployment })))
        })?;
        let task = host.start(&plan, options, how)?;
        self.0.lock().push(Step::Deployed { plan: Box::new(plan), task: task.clone(), before });
        Ok(task)
    }
}

/// What was undone and what was not, for the error.
#[derive(Default)]
struct Undone {
    done: Vec<String>,
    not: Vec<String>,
}

impl Undone {
    fn failed(&mut self, what: &str, error: &EvalAltResult) {
        self.not.push(format!("{what} ({})", message(error)));
    }

    /// Lists steps that the undo did not come to, the next one first.
    fn left(&mut self, steps: &[Step]) {
        let title = |step: &Step| step.task().map_or("a step of the script's own", |task| task.subject.title.as_str()).to_owned();
        // One that never began leaves nothing to undo.
        let began = |step: &&Step| step.task().is_none_or(|task| task.last().start_time.is_some());
        self.not.extend(steps.iter().rev().filter(began).map(|step| format!("{} (the run was stopped before that)", title(step))));
    }

    fn tell(&self, host: &Host) {
        for line in &self.done {
            host.note(Level::Info, format!("undone: {line}"));
        }
        for line in &self.not {
            host.note(Level::Warning, format!("not undone: {line}"));
        }
    }

    fn add_to(&self, error: Error) -> Error {
        let mut text = Vec::new();
        if !self.done.is_empty() {
            text.push(format!("undone: {}", self.done.join(", ")));
        }
        if !self.not.is_empty() {
            text.push(format!("not undone: {}", self.not.join(", ")));
        }
        // A saga inside of this one has its own list already.
        let all = |name: &str, own: &[String]| {
            let inner = error.fact(name).and_then(serde_json::Value::as_array).into_iter().flatten().filter_map(serde_json::Value::as_str);
            inner.map(str::to_owned).chain(own.iter().cloned()).collect::<Vec<String>>()
        };
        let (done, not) = (all("undone", &self.done), all("not_undone", &self.not));
        let error = error.with("undone", done).with("not_undone", not);
        if text.is_empty() { error.help("nothing had to be undone") } else { error.help(text.join("; ")) }
    }
}

/// Undoes what was done; an error is what ended the run meanwhile, and `undone` then says what is left.
fn undo(call: &Call<'_>, host: &Host, saga: &Saga, options: &SagaOptions, undone: &mut Undone) -> HostResult<()> {
    let steps = saga.0.lock().clone();
    stop_what_runs(host, &steps, undone).inspect_err(|_| undone.left(&steps))?;
    for (index, step) in steps.iter().enumerate().rev() {
        let done = match step {
            Step::Own { undo } => match call.closure(undo, ()) {
                Ok(_) => {
                    undone.done.push("a step of the script's own".to_owned());
                    Ok(())
                }
                Err(error) if stops(&error) => {
                    undone.not.push("a step of the script's own (the run was stopped in it)".to_owned());
                    Err(error)
                }
                Err(error) => {
                    undone.failed("a step of the script's own", &error);
                    Ok(())
                }
            },
            Step::Ran { task } => {
                if task.last().start_time.is_some() {
                    undone.not.push(format!("{} (a runbook run: nothing to go back to)", task.subject.title));
                }
                Ok(())
            }
            Step::Deployed { plan, task, before } => put_back(call, host, options, (plan, task, before.as_deref()), undone),
        };
        done.inspect_err(|_| undone.left(&steps[..index]))?;
    }
    Ok(())
}

/// Cancels what still runs: nothing may finish behind our back.
fn stop_what_runs(host: &Host, steps: &[Step], undone: &mut Undone) -> HostResult<()> {
    let tasks = || steps.iter().filter_map(Step::task).filter(|task| !task.last().is_completed());
    for task in tasks() {
        // What cannot be looked at is left to the server: the rest is undone all the same, and the first error kept.
        match host.block(task.look(host)) {
            Err(error) if stops(&error) => return Err(error),
            Err(error) => undone.not.push(format!("{} ({})", task.subject.title, message(&error))),
            Ok(_) => {}
        }
    }
    let open: Vec<Task> = tasks().cloned().collect();
    if !open.is_empty() {
        let titles: Vec<&str> = open.iter().map(|task| task.subject.title.as_str()).collect();
        host.note(Level::Warning, format!("undo: cancelling {}", titles.join(", ")));
        let (_, problems) = cancel_all(host, &open)?;
        undone.not.extend(problems);
    }
    Ok(())
}

/// Deploys what was live before one step.
fn put_back(
    call: &Call<'_>,
    host: &Host,
    options: &SagaOptions,
    (plan, task, before): (&Plan, &Task, Option<&Before>),
    undone: &mut Undone,
) -> HostResult<()> {
    let last = task.last();
    if last.start_time.is_none() {
        return Ok(()); // it never began
    }
    let title = &task.subject.title;
    if !last.finished_successfully() && !options.undo_failed && last.state != api::TaskState::Canceled {
        undone.not.push(format!("{title} (it failed itself and is left as it is)"));
        return Ok(());
    }
    let where_to = match &plan.tenant {
        Some(tenant) => format!("{} for {}", plan.environment.name, tenant.name),
        None => plan.environment.name.clone(),
    };
    let Some(before) = before else {
        undone.not.push(format!("{title} (there was nothing before)"));
        return Ok(());
    };
    let Before { release: before, deployment } = before;
    if before.id == plan.release.id {
        undone.not.push(format!("{title} (the same release was live before)"));
        return Ok(());
    }
    let back = Plan { release: before.clone(), ..plan.clone() };
    let mut under_way = None;
    let as_before = host.as_before(&plan.place, deployment, &DeployOptions::default());
    let started = as_before.and_then(|as_before| host.start(&back, &as_before, "undo")).and_then(|task| {
        // A cancelled run leaves it alone: half an undo is worse than a whole one.
        host.started.lock().retain(|other| other.id != task.id);
        under_way = Some(task.id.clone());
        let wait = WaitOptions { timeout: options.timeout, ..WaitOptions::default() };
        for_tasks(call, host, std::slice::from_ref(&task), &wait, Until::All)?;
        Ok(task)
    });
    match started {
        Err(error) if stops(&error) => {
            undone.not.push(match under_way {
                Some(id) => format!("{title} (going back to {} goes on as {id})", before.version),
                None => format!("{title} (the run was stopped before that)"),
            });
            return Err(error);
        }
        Err(error) => undone.failed(title, &error),
        Ok(task) if task.last().finished_successfully() => {
            undone.done.push(format!("{} is back on {} in {where_to}", plan.project.name, before.version));
        }
        Ok(task) => undone.not.push(format!("{title} (going back to {} ended as {})", before.version, task.last().state)),
    }
    Ok(())
}

crate::functions! {
    group "undo";

    /// Calls the closure with a saga. When it raises an error, what was deployed through the saga is undone: what still
    /// runs is cancelled, then, in reverse order, what was live before is deployed again. The deployment that failed
    /// is left as it is (`undo_failed: true` puts it back too). Then the error is raised again; it lists what was
    /// undone (`err.undone`) and what could not be (`err.not_undone`). What ends the run as it stands undoes nothing: a
    /// cancellation, a doubt, a server or journal that stays away.
    ///
    /// ```rhai
    /// saga(|s| {
    ///     wait([s.deploy("Project A", "latest", "Test"), s.deploy("Project B", "latest", "Test")]);
    ///     wait(s.deploy("Project C", "latest", "Test"));
    /// });
    /// ```
    fn saga(call, closure: FnPtr; options: SagaOptions) -> "what the closure returns" raises "closure" {
        let host = Host::of(call)?;
        let saga = Saga::default();
        match call.closure(&closure, (saga.clone(),)) {
            Ok(value) => Ok(value),
            Err(error) if is_exit(&error) || stops(&error) => Err(error),
            Err(error) => {
                let ours = as_error(&error);
                host.note(Level::Warning, format!("undoing because {}", ours.message()));
                let mut undone = Undone::default();
                let ended = Limit::lifted(|| undo(call, &host, &saga, &options, &mut undone)).err();
                // A run that is put down goes on with its undo: there is nothing to list yet.
                if ended.as_ref().is_none_or(|ended| as_error(ended).kind() != Kind::Suspended) {
                    undone.tell(&host);
                }
                if let Some(ended) = ended {
                    host.note(Level::Warning, format!("the undo was interrupted; it was under way because {}", ours.message()));
                    let changed = undone.add_to(as_error(&ended));
                    return Err(super::retry::with_place(ended, changed));
                }
                // What the script threw itself stays as it is, for its own `catch`.
                let thrown_by_script = crate::engine::thrown::ours(&error).is_none();
                Err(if thrown_by_script { error } else { super::retry::with_place(error, undone.add_to(ours)) })
            }
        }
    }

    /// `deploy` that is undone when the saga fails.
    ///
    /// ```rhai
    /// saga(|s| wait(s.deploy("Project A", "latest", "Test")));
    /// ```
    fn deploy[saga: Saga](call, project: ProjectRef, version: ReleaseRef, env: EnvironmentRef; options: Box<DeployOptions>) -> "Task" raises "not_found, ambiguous, refused, in_doubt, fenced, request" {
        let host = Host::of(call)?;
        let plan = host.plan(&project, &version, &env, &options)?;
        saga.deployed(&host, plan, &options, "deploy")
    }

    /// `promote` that is undone when the saga fails.
    ///
    /// ```rhai
    /// saga(|s| wait(s.promote("Project A", "Test", "Production")));
    /// ```
    fn promote[saga: Saga](call, project: ProjectRef, from: EnvironmentRef, to: EnvironmentRef; options: Box<MoveOptions>) -> "Task" raises "not_found, ambiguous, refused, in_doubt, fenced, request" {
        let (host, options) = (Host::of(call)?, DeployOptions::from(*options));
        let plan = host.plan_promotion(&project, &from, &to, &options)?;
        saga.deployed(&host, plan, &options, "promote")
    }

    /// `run_runbook` inside a saga. What a runbook did cannot be put back; it is listed as such. Say with `s.undo` how.
    ///
    /// ```rhai
    /// saga(|s| wait(s.run_runbook("Project A", "Smoke test", "Test")));
    /// ```
    fn run_runbook[saga: Saga](call, project: ProjectRef, runbook: RunbookRef, env: EnvironmentRef; options: RunbookOptions) -> "Task" raises "not_found, ambiguous, refused, in_doubt, fenced, request" {
        let host = Host::of(call)?;
        let task = host.run_runbook(&project, runbook.as_str(), &env, &options)?;
        saga.0.lock().push(Step::Ran { task: task.clone() });
        Ok(task)
    }

    /// Says how something of the script's own is undone: the closure is called, in its turn, when the saga fails.
    ///
    /// ```rhai
    /// saga(|s| {
    ///     block(latest("Project A"), "while the train runs");
    ///     s.undo(|| unblock(latest("Project A")));
    /// });
    /// ```
    fn undo[saga: Saga](call, closure: FnPtr) -> "nothing" {
        saga.0.lock().push(Step::Own { undo: closure });
        Ok(Dynamic::UNIT)
    }
}
