//! The run of an Octopus step: which name and mark it has, so that the step's next attempt finds it and what it made.
//!
//! Octopus starts a step again in the same task: on a retry, and when a node was restarted. The task and the action are the same
//! then; the process, its folder and often the machine are not. A script step hands them on, for it has no variables of Octopus in
//! its environment.

use super::environment::{Environment, variable};
use crate::{
    error::{Error, Result},
    run::StepContext,
};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// The variable that names the deployment target whose scripts wait while this step runs.
pub(super) const TARGET: &str = "OCTOPUS_LOCKED_MACHINE_ID";
/// The variable that says by which tag the server tells the tasks of the project apart, when the project says so itself.
pub(super) const OWN_TAG: &str = "OCTOPUS_TASK_CONCURRENCY_TAG";

/// The step that this process was started by.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct StepIdentity<'a> {
    /// `Octopus.Task.Id`.
    task: &'a str,
    /// `Octopus.Action.Id`.
    action: &'a str,
    /// `Octopus.Machine.Id`, where the step runs once for each of several machines.
    machine: Option<&'a str>,
}

impl<'a> StepIdentity<'a> {
    /// What the environment says of it; none outside of a step.
    pub(super) fn of(environment: &'a Environment) -> Result<Option<Self>> {
        // A name that Octopus did not know is handed on as it was written.
        let known = |name: &str| variable(environment, name).filter(|value| !value.starts_with("#{"));
        let machine = known("OCTOPUS_MACHINE_ID");
        match (known("OCTOPUS_TASK_ID"), known("OCTOPUS_ACTION_ID")) {
            (None, None) => Ok(None),
            (Some(task), Some(action)) => Ok(Some(Self { task, action, machine })),
            // Without the other, two steps of one task would take each other's run for theirs.
            (task, _) => {
                let (there, not) =
                    if task.is_some() { ("OCTOPUS_TASK_ID", "OCTOPUS_ACTION_ID") } else { ("OCTOPUS_ACTION_ID", "OCTOPUS_TASK_ID") };
                Err(Error::usage(format!("{there} is given, and {not} is not: a step is known by both"))
                    .help("hand on Octopus.Task.Id and Octopus.Action.Id, or name the run with --run-id"))
            }
        }
    }

    /// What a run of that name must know of its step.
    pub(super) fn context(&self, run: &str, environment: &Environment) -> StepContext {
        let digest = hex::encode(&Sha256::digest(run)[..4]);
        StepContext {
            task: self.task.to_owned(),
            mark: format!("{}/{digest}.", self.task),
            own_tag: variable(environment, OWN_TAG).is_some(),
            target: variable(environment, TARGET).map(str::to_owned),
        }
    }

    /// The name of the run that the step starts with this script and `what`: a step may start several.
    pub(super) fn run(&self, stem: &str, what: &Value) -> String {
        let digest = hex::encode(&Sha256::digest(format!("{stem}\n{what}"))[..4]);
        let part = |text: &str, most: usize| -> String {
            text.chars().map(|c| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' }).take(most).collect()
        };
        let machine = self.machine.map_or_else(String::new, |machine| format!("/{}", part(machine, 20)));
        format!("{}/{}{machine}/{}-{digest}", part(self.task, 24), part(self.action, 36), part(stem, 24))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;
    use serde_json::json;

    fn environment(pairs: &[(&str, &str)]) -> Environment {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn the_same_task_and_action_have_the_same_run() {
        let known = [("OCTOPUS_TASK_ID", "ServerTasks-71"), ("OCTOPUS_ACTION_ID", "0b4f6c7e-9a4e")];
        let name = |more: &[(&str, &str)], stem: &str, what: Value| {
            let environment = environment(&[&known, more].concat());
            StepIdentity::of(&environment).expect("both are there").expect("a step").run(stem, &what)
        };
        let first = name(&[], "ship it", json!({"To": 1}));
        assert!(first.starts_with("ServerTasks-71/0b4f6c7e-9a4e/ship-it-"), "{first}");
        assert_eq!(first, name(&[("OCTOPUS_MACHINE_ID", "#{Octopus.Machine.Id}")], "ship it", json!({"To": 1})));
        for other in [
            name(&[], "ship it", json!({"To": 2})),
            name(&[], "ship-it", json!({"To": 1})),
            name(&[("OCTOPUS_MACHINE_ID", "Machines-3")], "ship it", json!({"To": 1})),
            name(&[("OCTOPUS_ACTION_ID", "other")], "ship it", json!({"To": 1})),
        ] {
            assert_ne!(first, other);
        }
    }

    #[test]
    fn half_a_step_is_none() {
        assert_eq!(StepIdentity::of(&environment(&[("OCTOPUS_ACTION_ID", "#{Octopus.Action.Id}")])).expect("nothing given"), None);
        for name in ["OCTOPUS_TASK_ID", "OCTOPUS_ACTION_ID"] {
            let environment = environment(&[(name, "x")]);
            let error = StepIdentity::of(&environment).expect_err("half of it");
            assert!(error.kind() == Kind::Usage && error.message().starts_with(name), "{error:?}");
        }
    }
}
