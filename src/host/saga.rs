//! Undo: deployments made inside a saga are taken back, in reverse order, when something in it fails.

use super::prelude::*;
use super::{
    call::ScriptCall,
    deployments::{DeployOptions, DeploymentPlan, MoveOptions, live},
    put_back::{Before, Deployed, HowBack, Undo, Undone},
    raised::as_error,
    references::{EnvironmentRef, ProjectRef, ReleaseRef, RunbookRef},
    runbooks::RunbookOptions,
    started_inside::StartedInside,
    task::Task,
    time_limit::Limit,
    wait::cancel_all,
    wait_options::Asked,
};
use crate::engine::thrown::is_exit;

/// What a closure given to `saga` works with.
#[derive(Clone, Default)]
pub struct Saga(Arc<Mutex<Vec<SagaStep>>>);

#[derive(Clone)]
enum SagaStep {
    /// A deployment.
    Deployed(Box<Deployed>),
    /// A runbook run: nothing can be put back.
    Ran { task: Task },
    /// What the script itself knows how to take back.
    Own { undo: FnPtr },
}

impl SagaStep {
    fn task(&self) -> Option<&Task> {
        match self {
            Self::Deployed(deployed) => Some(&deployed.task),
            Self::Ran { task } => Some(task),
            Self::Own { .. } => None,
        }
    }
}

impl Saga {
    /// Whether it is the same one.
    pub fn same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl fmt::Display for Saga {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a saga of {} steps", self.0.lock().len())
    }
}

crate::script_type! {
    /// What the closure of `saga` gets: verbs that remember how to be undone.
    Saga as "Saga" shows [] {
        /// How many steps were taken so far.
        size: "whole number" = |s| s.0.lock().len() as i64;
    }
}

crate::options! {
    /// How to undo.
    pub struct SagaOptions for ["saga"] {
        /// Also put back what failed itself; otherwise it is left as it is, so that people can look.
        undo_failed: bool = false, "false";
        /// How long each undo may take. One that is still queued or waits for a person then is cancelled.
        timeout: SignedDuration = SignedDuration::from_hours(1), "1h";
        /// What happens when an undo waits for a person. `"fail"` cancels it; a closure gets the interruption.
        on_interrupt: Decide<Asked> = Decide::Word(Asked::Wait), "\"wait\"";
        /// What happens when an undo waits for the approval of a change request. `"fail"` cancels it; a closure gets the approval.
        on_approval: Decide<Asked> = Decide::Word(Asked::Wait), "\"wait\"";
    }
}

impl Saga {
    fn deployed(&self, host: &Host, plan: DeploymentPlan, options: &DeployOptions, how: &str) -> HostResult<Task> {
        let before = host.block(async {
            let now = live(&plan.place, &plan.project, &plan.environment, plan.tenant.as_deref()).await?;
            Ok(now.release.zip(now.deployment).map(|(release, deployment)| Before { release, deployment }))
        })?;
        let task = host.start(&plan, options, how)?;
        let deployed = Deployed { plan, options: options.clone(), task: task.clone(), before };
        self.0.lock().push(SagaStep::Deployed(Box::new(deployed)));
        Ok(task)
    }
}

/// Lists steps that the undo did not come to, the next one first.
fn list_left(undone: &mut Undone, steps: &[SagaStep]) {
    let title = |step: &SagaStep| step.task().map_or("a step of the script's own", |task| task.subject.title.as_str()).to_owned();
    // One that never began leaves nothing to undo.
    let began = |step: &&SagaStep| step.task().is_none_or(|task| task.last().start_time.is_some());
    undone.not.extend(steps.iter().rev().filter(began).map(|step| format!("{} (the run was stopped before that)", title(step))));
}

/// Undoes what was done; an error is what ended the run meanwhile, and `undone` then says what is left.
fn undo(host: &ScriptCall<'_>, saga: &Saga, options: &SagaOptions, undone: &mut Undone) -> HostResult<()> {
    let steps = saga.0.lock().clone();
    stop_what_runs(host, &steps, undone).inspect_err(|_| list_left(undone, &steps))?;
    let how = HowBack {
        undo_failed: options.undo_failed,
        timeout: options.timeout,
        on_interrupt: options.on_interrupt.clone(),
        on_approval: options.on_approval.clone(),
    };
    let deployments = Undo::new(host, how, steps.iter().filter_map(SagaStep::task).cloned().collect());
    for (index, step) in steps.iter().enumerate().rev() {
        let done = match step {
            SagaStep::Own { undo } => match host.closure(undo, ()) {
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
            SagaStep::Ran { task } => {
                if task.last().start_time.is_some() {
                    undone.not.push(format!("{} (a runbook run: nothing to go back to)", task.subject.title));
                }
                Ok(())
            }
            SagaStep::Deployed(deployed) => deployments.put_back(deployed, undone),
        };
        done.inspect_err(|_| list_left(undone, &steps[..index]))?;
    }
    deployments.look_again(undone)
}

/// Cancels what still runs: nothing may finish behind our back.
fn stop_what_runs(host: &Host, steps: &[SagaStep], undone: &mut Undone) -> HostResult<()> {
    let tasks = || steps.iter().filter_map(SagaStep::task).filter(|task| !task.last().is_completed());
    for task in tasks() {
        // What cannot be looked at is left to the server: the rest is undone all the same, and the first error kept.
        match host.block(task.look(host)).raise() {
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

/// Raises `error` with what was undone, whatever it is: an error of ours and what a script threw become maps with the lists; a map of the script's
/// own gets them as members.
fn raise_undone<T>(mut error: Box<EvalAltResult>, ours: Error, undone: &Undone) -> HostResult<T> {
    fn thrown(error: &mut EvalAltResult) -> Option<&mut Dynamic> {
        match error {
            EvalAltResult::ErrorInFunctionCall(_, _, inner, _) | EvalAltResult::ErrorInModule(_, inner, _) => thrown(inner),
            EvalAltResult::ErrorRuntime(value, _) => Some(value),
            _ => None,
        }
    }
    let mut changed = undone.add_to(ours);
    if crate::engine::thrown::ours(&error).is_none()
        && let Some(value) = thrown(&mut error)
    {
        if value.is_map() {
            if let Some(mut map) = value.write_lock::<Map>() {
                for name in ["undone", "not_undone"] {
                    map.insert(name.into(), changed.fact(name).map_or(Dynamic::UNIT, to_dynamic));
                }
            }
            return Err(error);
        }
        if !value.is_string() {
            changed = changed.with("thrown", to_json(value));
        }
    }
    Err(super::raised::with_place(error, changed))
}

crate::functions! {
    group "undo";

    /// Calls the closure with a saga. When it raises an error, what was deployed through the saga is undone: what still
    /// runs is cancelled, then, in reverse order, what was live before is deployed again. The deployment that failed
    /// is left as it is (`undo_failed: true` puts it back too). Then the error is raised again; it lists what was
    /// undone (`err.undone`) and what could not be (`err.not_undone`). A text that the script threw becomes an error with
    /// that `message`, any other value one with that value as `thrown`, and a map gets both lists as members. What ends the
    /// run as it stands undoes nothing: a cancellation, a doubt, a server or journal that stays away.
    ///
    /// Before something is put back, it is compared with what the server says: a deployment of somebody else that is live
    /// there now, or under way, is left alone and named in `err.not_undone`. The undo goes to the same deployment targets, leaves
    /// out the same steps and overrides the same freezes as the deployment that it takes back. What was started in the
    /// closure and is still open at its end is waited for, 30 minutes at most; if it fails, the saga fails.
    ///
    /// ```rhai
    /// saga(|s| {
    ///     wait([s.deploy("Project A", "latest", "Test"), s.deploy("Project B", "latest", "Test")]);
    ///     wait(s.deploy("Project C", "latest", "Test"));
    /// });
    /// ```
    fn saga(host: ScriptCall, closure: FnPtr; options: SagaOptions) -> "what the closure returns" raises "closure" {
        let saga = Saga::default();
        let begun = StartedInside::now(&host);
        let done = host.closure(&closure, (saga.clone(),)).and_then(|value| begun.wait(&host).map(|()| value));
        match done {
            Ok(value) => Ok(value),
            Err(error) if is_exit(&error) || stops(&error) => Err(error),
            Err(error) => {
                let ours = as_error(&error);
                host.note(Level::Warning, format!("undoing because {}", ours.message()));
                let mut undone = Undone::default();
                let ended = Limit::lifted(&host, || host.tidying(|| undo(&host, &saga, &options, &mut undone))).err();
                // A run that is put down goes on with its undo: there is nothing to list yet.
                if ended.as_ref().is_none_or(|ended| as_error(ended).kind() != Kind::Suspended) {
                    undone.tell(&host);
                }
                if let Some(ended) = ended {
                    host.note(Level::Warning, format!("the undo was interrupted; it was under way because {}", ours.message()));
                    let changed = undone.add_to(as_error(&ended));
                    return Err(super::raised::with_place(ended, changed));
                }
                raise_undone(error, ours, &undone)
            }
        }
    }

    /// `deploy` that is undone when the saga fails.
    ///
    /// ```rhai
    /// saga(|s| wait(s.deploy("Project A", "latest", "Test")));
    /// ```
    fn deploy[saga: Saga](host: Host, project: ProjectRef, version: ReleaseRef, env: EnvironmentRef; options: Box<DeployOptions>) -> "Task" raises "not_found, ambiguous, refused, conflict, in_doubt, fenced, request" {
        let plan = host.plan(&project, &version, &env, &options)?;
        saga.deployed(&host, plan, &options, "deploy")
    }

    /// `promote` that is undone when the saga fails.
    ///
    /// ```rhai
    /// saga(|s| wait(s.promote("Project A", "Test", "Production")));
    /// ```
    fn promote[saga: Saga](host: Host, project: ProjectRef, from: EnvironmentRef, to: EnvironmentRef; options: Box<MoveOptions>) -> "Task" raises "not_found, ambiguous, refused, conflict, in_doubt, fenced, request" {
        let options = DeployOptions::from(*options);
        let plan = host.plan_promotion(&project, &from, &to, &options)?;
        saga.deployed(&host, plan, &options, "promote")
    }

    /// `run_runbook` inside a saga. What a runbook did cannot be put back; it is listed as such. Say with `s.undo` how.
    ///
    /// ```rhai
    /// saga(|s| wait(s.run_runbook("Project A", "Smoke test", "Test")));
    /// ```
    fn run_runbook[saga: Saga](host: Host, project: ProjectRef, runbook: RunbookRef, env: EnvironmentRef; options: RunbookOptions) -> "Task" raises "not_found, ambiguous, refused, in_doubt, fenced, request" {
        let task = host.run_runbook(&project, &runbook, &env, &options)?;
        saga.0.lock().push(SagaStep::Ran { task: task.clone() });
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
        saga.0.lock().push(SagaStep::Own { undo: closure });
        Ok(Dynamic::UNIT)
    }
}
