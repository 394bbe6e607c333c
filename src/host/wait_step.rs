//! Waiting for a step of a task.

use super::prelude::*;
use super::{
    call::ScriptCall,
    task::Task,
    task_log::{Step, Trouble},
    tasks::tasks_of,
    wait_loop::{Look, until},
};
use crate::api::meant::{Keys, the_one};

/// A step given by number or name.
#[derive(Clone, Debug)]
pub enum WantedStep {
    /// Counts from 1.
    Number(i64),
    /// As in the deployment process; other case will do where only one step fits.
    Name(String),
}

impl OptionValue for WantedStep {
    const KIND: &'static str = "step number or name";
    const NAMES: Option<&'static str> = Some("step");
    fn read(value: Dynamic) -> std::result::Result<Self, String> {
        if let Ok(number) = value.as_int() {
            return if number >= 1 { Ok(Self::Number(number)) } else { Err("steps count from 1".to_owned()) };
        }
        if !value.is_string() {
            return Err(format!("got {}", type_in_words(&value)));
        }
        Name::read(value).map(|name| Self::Name(name.into()))
    }
}

impl WantedStep {
    /// The step among `steps` that is meant.
    fn among<'a>(&self, steps: &'a [Step]) -> Result<Option<&'a Step>> {
        match self {
            Self::Number(number) => Ok(steps.iter().find(|step| step.number == *number)),
            Self::Name(name) => the_one("step", name, steps, |step| Keys::name(&step.name)),
        }
    }
}

impl fmt::Display for WantedStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "step {number}"),
            Self::Name(name) => write!(f, "step `{name}`"),
        }
    }
}

crate::options! {
    /// How to wait for a step.
    pub struct StepOptions for ["wait_step"] {
        /// How long at most.
        timeout: SignedDuration = SignedDuration::from_mins(30), "30m";
    }
}

/// Where a step stands.
fn judge(host: &Host, task: &Task, wanted: &WantedStep) -> HostResult<Option<Step>> {
    let steps = host.block(task.steps())?;
    let completed = task.last().is_completed();
    let Some(step) = wanted.among(&steps).raise()? else {
        if completed || (!steps.is_empty() && matches!(wanted, WantedStep::Name(_))) {
            let names: Vec<&str> = steps.iter().map(|s| s.name.as_str()).collect();
            let mut error = Error::new(Kind::NotFound, format!("{} has no {wanted}", task.subject.title)).with("task", task.id.to_string());
            if let WantedStep::Name(name) = wanted
                && let Some(help) = crate::error::suggestion(name, names.iter().copied())
            {
                error = error.help(help);
            } else {
                error = error.help(format!("it has {} steps", steps.len()));
            }
            return Err(raise(error));
        }
        return Ok(None);
    };
    // After a failure the rest is marked as skipped as well; that is not done.
    let broken = step.status == "Skipped"
        && !(completed && task.last().finished_successfully())
        && steps.iter().any(|s| s.number < step.number && matches!(s.status.as_str(), "Failed" | "Canceled"));
    match step.status.as_str() {
        _ if broken && !completed => Ok(None),
        "Success" | "SuccessWithWarning" => Ok(Some(step.clone())),
        "Skipped" if !broken => Ok(Some(step.clone())),
        "Failed" | "Canceled" => {
            let Trouble { lines, .. } = host.block(task.trouble())?;
            let first = lines.first().map(|l| format!(": {l}")).unwrap_or_default();
            Err(Error::new(Kind::DeploymentFailed, format!("{wanted} of {} ended as {}{first}", task.subject.title, step.status))
                .with("task", task.id.to_string())
                .with("failed_step", step.name.clone())
                .with("first_errors", lines)
                .into())
        }
        _ if completed => Err(Error::new(
            Kind::DeploymentFailed,
            format!("{} ended as {} before {wanted} was done", task.subject.title, task.last().state),
        )
        .with("task", task.id.to_string())
        .into()),
        _ => Ok(None),
    }
}

crate::functions! {
    group "wait";

    /// Waits until a step of a task is done: by number (from 1) or by name. Returns the step. When the step fails, or
    /// the task ends before it, that is an error of kind `deployment_failed`.
    ///
    /// ```rhai
    /// let t = deploy("Project B", "latest", "Test");
    /// wait_step(t, 3);
    /// ```
    fn wait_step(host: ScriptCall, task: Dynamic, step: WantedStep; options: StepOptions) -> "Step" raises "timeout, deployment_failed, not_found, request" {
        let list = tasks_of(&host, task)?;
        let [task] = list.as_slice() else {
            return Err(raise(Error::new(Kind::Script, "`wait_step` takes one task")));
        };
        let mut told = false;
        let begun = host.now();
        let found = until(&host, later(begun, options.timeout), || {
            host.block(task.look(&host))?;
            if let Some(done) = judge(&host, task, &step)? {
                return Ok(Look::Done(done));
            }
            if !std::mem::replace(&mut told, true) {
                host.emit(What::Waiting {
                    task: Some(task.id.to_string()),
                    title: format!("{step} of {}", task.subject.title),
                    why: "not done yet".to_owned(),
                    url: task.subject.url.clone(),
                });
            }
            Ok(Look::Again(later(host.now(), SignedDuration::from_secs(10))))
        })?;
        found.ok_or_else(|| {
            raise(
                Error::new(Kind::Timeout, format!("after {} {step} of {} is not done; the task is `{}`", text::show(options.timeout), task.subject.title, task.last().state))
                    .with("open_tasks", vec![task.id.to_string()]),
            )
        })
    }
}
