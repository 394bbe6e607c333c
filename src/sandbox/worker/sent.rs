//! Steps whose bodies came over the network, with a process that a client has saved: run only when the sandbox was started for that.

use crate::sandbox::{
    answer::str_of,
    state::State,
    world::{model::StepPlan, run::RunPlan},
};
use serde_json::Value;
use std::sync::Arc;

/// What the log of a task says whose steps have bodies that are not run.
pub(crate) const UNRUN: &str =
    "The process was changed over the API: bodies of scripts that come over the network are run only by `octorhai sandbox --run-scripts`.";

/// The steps of a project or runbook as they are executed now, and whether bodies are left out.
pub(crate) fn steps_of(state: &State, owner: &str) -> (Arc<Vec<StepPlan>>, bool) {
    let plan = state.steps.get(owner).cloned().unwrap_or_default();
    let id = if owner.starts_with("Runbooks-") { format!("runbookprocess-{owner}") } else { format!("deploymentprocess-{owner}") };
    let Some(sent) = state.written.get(&id.to_lowercase()) else { return (plan, false) };
    let bodies: Vec<(&str, &Value)> = actions(sent).filter(|(_, properties)| is_script(properties)).collect();
    if bodies.is_empty() {
        return (plan, false);
    }
    if !state.run_scripts {
        return (plan, true);
    }
    let steps = actions(sent).map(|(name, properties)| {
        let known = plan.iter().find(|step| step.name.eq_ignore_ascii_case(name)).cloned();
        let mut step = known.unwrap_or_else(|| StepPlan::named(name, 60));
        if is_script(properties) {
            step.run = Some(run(properties));
        }
        step
    });
    (Arc::new(steps.collect()), false)
}

/// Name and properties of each action.
fn actions(process: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let steps = process["Steps"].as_array().into_iter().flatten();
    steps.flat_map(|step| step["Actions"].as_array().into_iter().flatten()).map(|action| (str_of(action, "Name"), &action["Properties"]))
}

const SYNTAX: &str = "Octopus.Action.Script.Syntax";
const BODY: &str = "Octopus.Action.Script.ScriptBody";

fn is_script(properties: &Value) -> bool {
    properties[SYNTAX] == "Bash" && properties[BODY].as_str().is_some_and(|body| !body.is_empty())
}

/// The body, and the values of the template's parameters, which are properties of the action.
fn run(properties: &Value) -> RunPlan {
    let (mut plain, mut secret) = (Vec::new(), Vec::new());
    for (name, value) in properties.as_object().into_iter().flatten().filter(|(name, _)| !name.starts_with("Octopus.")) {
        match value {
            Value::String(text) => plain.push((name.clone(), text.clone())),
            Value::Object(sensitive) => {
                secret.extend(sensitive.get("NewValue").and_then(Value::as_str).map(|text| (name.clone(), text.to_owned())));
            }
            _ => {}
        }
    }
    RunPlan::sent(str_of(properties, BODY), plain, secret)
}
