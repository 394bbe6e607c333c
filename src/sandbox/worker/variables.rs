//! The variables that a step sees: of the system, the project, earlier steps, its own properties and packages, and the environment.

use super::octostache::{Mode, Variables, evaluate, evaluate_noting};
use crate::sandbox::{
    answer::str_of,
    state::{State, What},
    variables::{Target, of_execution, outputs, system},
};
use jiff::Timestamp;

/// One variable.
#[derive(Clone, Debug)]
pub(super) struct Variable {
    pub(super) name: String,
    /// As it was written, with its `#{…}`.
    pub(super) raw: String,
    /// The same evaluated; the same as `raw` until then.
    pub(super) value: String,
    pub(super) sensitive: bool,
}

/// Variables by their names without regard to case; of two with the same name the one that was added last counts.
#[derive(Clone, Debug, Default)]
pub(super) struct Set(Vec<Variable>);

impl Set {
    pub(super) fn add(&mut self, name: &str, value: &str, sensitive: bool) {
        self.0.retain(|known| !known.name.eq_ignore_ascii_case(name));
        self.0.push(Variable { name: name.to_owned(), raw: value.to_owned(), value: value.to_owned(), sensitive });
    }

    /// The value as it was written.
    pub(super) fn raw(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|one| one.name.eq_ignore_ascii_case(name)).map(|one| one.raw.as_str())
    }

    /// Whether it says yes.
    pub(super) fn flag(&self, name: &str) -> bool {
        self.raw(name).is_some_and(|value| value.trim().eq_ignore_ascii_case("true"))
    }

    /// What texts are evaluated with; the filters of dates say that it is `now`.
    pub(super) fn known(&self, now: Timestamp) -> Variables {
        Variables::new(self.0.iter().map(|one| (one.name.as_str(), one.raw.as_str())), now)
    }

    /// All of them with their values evaluated, each once. An error fails the step.
    pub(super) fn evaluated(&self, known: &Variables) -> Result<Vec<Variable>, String> {
        let mut all = self.0.clone();
        for variable in &mut all {
            variable.value = evaluate(&variable.raw, Mode::Value, known)?.into_owned();
        }
        Ok(all)
    }
}

/// A template of a server evaluated with these variables, and what in it has no value.
///
/// # Errors
/// Why it cannot be evaluated.
pub(crate) fn evaluated(template: &str, variables: &[(String, String)], now: Timestamp) -> Result<(String, Vec<String>), String> {
    let known = Variables::new(variables.iter().map(|(name, value)| (name.as_str(), value.as_str())), now);
    let done = evaluate_noting(template, Mode::Value, &known)?;
    Ok((done.text.unwrap_or_default().into_owned(), done.missing))
}

/// All that the server gives to a step, as it was written.
pub(super) fn of_step(state: &State, task: usize, step: usize) -> Set {
    let t = &state.tasks[task];
    let mut all = Set::default();
    if let Some((index, x)) = t.execution.map(|x| (x, &state.executions[x])) {
        let channel = match &x.what {
            What::Deploy { channel, .. } => Some(channel.as_str()),
            What::Runbook { .. } => None,
        };
        let target = Target { environment: &x.environment, tenant: x.tenant.as_deref(), channel };
        // Of a name the one with a scope counts more than the one without, and the project's more than a library's.
        let mut own: Vec<_> = of_execution(state, x).into_iter().rev().filter(|one| target.is_in_scope(state, one)).collect();
        own.sort_by_key(|one| {
            one["Scope"].as_object().is_some_and(|scope| scope.values().any(|ids| ids.as_array().is_some_and(|ids| !ids.is_empty())))
        });
        for variable in &own {
            all.add(str_of(variable, "Name"), str_of(variable, "Value"), variable["IsSensitive"] == true);
        }
        for (name, value) in &x.values {
            let secret = own.iter().any(|one| str_of(one, "Name").eq_ignore_ascii_case(name) && one["IsSensitive"] == true);
            all.add(name, value, secret);
        }
        for (name, value) in system::of_execution(state, index) {
            all.add(&name, &value, false);
        }
    } else {
        all.add("Octopus.Task.Id", &format!("ServerTasks-{}", task + 1), false);
        all.add("Octopus.Web.ServerUri", &state.url, false);
    }
    for (name, value) in system::of_step(state, t, step) {
        all.add(&name, &value, false);
    }
    for (name, value, is_secret) in outputs(t, step) {
        all.add(&name, value, is_secret);
    }
    if let Some(run) = &t.plan[step].run {
        for (name, value) in [("ScriptSource", "Inline"), ("Syntax", run.shell.name()), ("ScriptBody", &run.body)] {
            all.add(&format!("Octopus.Action.Script.{name}"), value, false);
        }
        for (name, value, sensitive) in &run.parameters() {
            all.add(name, value, *sensitive);
        }
        for (package, folder) in &run.packages {
            all.add(&format!("Octopus.Action.Package[{package}].ExtractedPath"), folder, false);
        }
    }
    all
}

/// Whether the variable is the text of a script module, which goes another way.
pub(super) fn is_script_module(name: &str) -> bool {
    name.starts_with("Octopus.Script.Module[")
}

/// Whether the variable says what build servers said, which the array leaves out.
pub(super) fn is_build_information(name: &str) -> bool {
    ["Octopus.Deployment.PackageBuildInformation", "Octopus.Deployment.PackageBuildMetadata"].iter().any(|head| name.starts_with(head))
}
