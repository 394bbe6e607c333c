//! The variables that a step sees: of the system, the project, earlier steps, and its own parameters.

use super::octostache::{Mode, evaluate};
use crate::sandbox::{
    answer::{str_of, texts},
    releases,
    state::{State, What},
    variables::of_project,
};

/// One variable.
#[derive(Clone, Debug)]
pub(super) struct Variable {
    pub(super) name: String,
    pub(super) value: String,
    pub(super) sensitive: bool,
}

/// All of them, evaluated, the last of a name counts.
pub(super) fn of_step(state: &State, url: &str, task: usize, step: usize) -> Vec<Variable> {
    let t = &state.tasks[task];
    let mut all: Vec<Variable> = Vec::new();
    let mut add = |name: &str, value: &str, sensitive: bool| {
        all.retain(|known| !known.name.eq_ignore_ascii_case(name));
        all.push(Variable { name: name.to_owned(), value: value.to_owned(), sensitive });
    };
    let name_of = |kind: &'static str, id: &str| state.store.name(kind, id);
    if let Some(x) = t.execution.map(|x| &state.executions[x]) {
        for variable in of_project(state, &x.project).iter().rev() {
            let scope = texts(&variable["Scope"]["Environment"]);
            if scope.is_empty() || scope.contains(&x.environment) {
                add(str_of(variable, "Name"), str_of(variable, "Value"), variable["IsSensitive"] == true);
            }
        }
        for (name, value) in &x.values {
            add(name, value, false);
        }
        add("Octopus.Project.Id", &x.project, false);
        add("Octopus.Project.Name", &name_of("projects", &x.project), false);
        add("Octopus.Environment.Id", &x.environment, false);
        add("Octopus.Environment.Name", &name_of("environments", &x.environment), false);
        add("Octopus.Space.Id", &x.space, false);
        add("Octopus.Space.Name", &name_of("spaces", &x.space), false);
        if let Some(tenant) = &x.tenant {
            add("Octopus.Deployment.Tenant.Id", tenant, false);
            add("Octopus.Deployment.Tenant.Name", &name_of("tenants", tenant), false);
        }
        let by = state.username(&x.by);
        match &x.what {
            What::Deploy { release, channel } => {
                add("Octopus.Deployment.Id", &x.id, false);
                add("Octopus.Deployment.CreatedBy.Username", &by, false);
                add("Octopus.Deployment.CreatedBy.DisplayName", &by, false);
                add("Octopus.Release.Id", &releases::id(*release), false);
                add("Octopus.Release.Number", state.release(*release).map_or("", |r| &r.version), false);
                add("Octopus.Release.Channel.Name", &name_of("channels", channel), false);
            }
            What::Runbook { runbook, .. } => {
                add("Octopus.RunbookRun.Id", &x.id, false);
                add("Octopus.Runbook.Id", runbook, false);
                add("Octopus.Runbook.Name", &name_of("runbooks", runbook), false);
            }
        }
    }
    let plan = &t.plan[step];
    add("Octopus.Task.Id", &format!("ServerTasks-{}", task + 1), false);
    add("Octopus.Action.Id", &State::action_id(&t.owner, step), false);
    add("Octopus.Action.Name", &plan.name, false);
    add("Octopus.Step.Name", &plan.name, false);
    add("Octopus.WorkerPool.Id", "WorkerPools-1", false);
    add("Octopus.Web.ServerUri", url, false);
    for (earlier, run) in t.plan.iter().zip(&t.steps).take(step) {
        for (name, value) in &run.outputs {
            add(&format!("Octopus.Action[{}].Output.{name}", earlier.name), value, run.secret_outputs.contains(name));
        }
    }
    if let Some(run) = &plan.run {
        for (name, value, sensitive) in &run.parameters() {
            add(name, value, *sensitive);
        }
        for (package, folder) in &run.packages {
            add(&format!("Octopus.Action.Package[{package}].ExtractedPath"), folder, false);
        }
    }
    let raw = all.clone();
    let known = |name: &str| raw.iter().find(|one| one.name.eq_ignore_ascii_case(name)).map(|one| one.value.clone());
    for variable in &mut all {
        variable.value = evaluate(&variable.value, Mode::Value, &known).into_owned();
    }
    all
}
