//! The variables that a step sees: of the system, the project, earlier steps, and its own parameters.

use super::octostache::{Mode, Variables, evaluate};
use crate::sandbox::{
    answer::{str_of, texts},
    state::{State, What},
    variables::{of_project, outputs, system},
};

/// One variable.
#[derive(Clone, Debug)]
pub(super) struct Variable {
    pub(super) name: String,
    /// As it was set.
    pub(super) raw: String,
    /// As a script reads it: evaluated.
    pub(super) value: String,
    pub(super) sensitive: bool,
}

/// All of them, evaluated, the last of a name counts; and what other texts of the step are evaluated with. An error fails the step.
pub(super) fn of_step(state: &State, task: usize, step: usize) -> Result<(Vec<Variable>, Variables), String> {
    let t = &state.tasks[task];
    let mut all: Vec<Variable> = Vec::new();
    let mut add = |name: &str, value: &str, sensitive: bool| {
        all.retain(|known| !known.name.eq_ignore_ascii_case(name));
        all.push(Variable { name: name.to_owned(), raw: value.to_owned(), value: String::new(), sensitive });
    };
    if let Some((index, x)) = t.execution.map(|x| (x, &state.executions[x])) {
        for variable in of_project(state, &x.project).iter().rev() {
            let scope = texts(&variable["Scope"]["Environment"]);
            if scope.is_empty() || scope.contains(&x.environment) {
                add(str_of(variable, "Name"), str_of(variable, "Value"), variable["IsSensitive"] == true);
            }
        }
        for (name, value) in &x.values {
            add(name, value, false);
        }
        for (name, value) in system(state, index) {
            add(name, &value, false);
        }
        add("Octopus.Space.Id", &x.space, false);
        add("Octopus.Space.Name", &state.store.name("spaces", &x.space), false);
        if let Some(tenant) = &x.tenant {
            add("Octopus.Deployment.Tenant.Id", tenant, false);
            add("Octopus.Deployment.Tenant.Name", &state.store.name("tenants", tenant), false);
        }
        if let What::Deploy { .. } = x.what {
            let by = state.username(&x.by);
            add("Octopus.Deployment.CreatedBy.Username", &by, false);
            add("Octopus.Deployment.CreatedBy.DisplayName", &by, false);
        }
    }
    let plan = &t.plan[step];
    add("Octopus.Task.Id", &format!("ServerTasks-{}", task + 1), false);
    add("Octopus.Action.Id", &State::action_id(&t.owner, step), false);
    add("Octopus.Action.Name", &plan.name, false);
    add("Octopus.Step.Name", &plan.name, false);
    add("Octopus.WorkerPool.Id", "WorkerPools-1", false);
    add("Octopus.Web.ServerUri", &state.url, false);
    for (name, value, is_secret) in outputs(t, step) {
        add(&name, value, is_secret);
    }
    if let Some(run) = &plan.run {
        for (name, value, sensitive) in &run.parameters() {
            add(name, value, *sensitive);
        }
        for (package, folder) in &run.packages {
            add(&format!("Octopus.Action.Package[{package}].ExtractedPath"), folder, false);
        }
    }
    let known = Variables::new(all.iter().map(|one| (one.name.as_str(), one.raw.as_str())), state.now);
    for variable in &mut all {
        variable.value = evaluate(&variable.raw, Mode::Value, &known)?.into_owned();
    }
    Ok((all, known))
}
