//! Steps whose bodies came over the network, with a process that a client has saved: run only when the sandbox was started for that.

use crate::sandbox::{
    answer::{str_of, text},
    state::State,
    world::{
        model::StepPlan,
        run::{Reference, RunPlan, STAND_IN, Syntax},
    },
};
use serde_json::{Value, from_str};
use std::sync::Arc;

/// What the log of a task says whose steps have bodies that are not run.
pub(crate) const UNRUN: &str =
    "The process was changed over the API: bodies of scripts that come over the network are run only by `octorhai sandbox --run-scripts`.";

/// The steps of a project or runbook as they are executed now, and whether bodies are left out.
pub(crate) fn steps_of(state: &State, owner: &str) -> (Arc<Vec<StepPlan>>, bool) {
    let plan = state.steps.get(owner).cloned().unwrap_or_default();
    let id = if owner.starts_with("Runbooks-") { format!("runbookprocess-{owner}") } else { format!("deploymentprocess-{owner}") };
    let Some(sent) = state.written.get(&id.to_lowercase()) else { return (plan, false) };
    let known = |action: &Value| plan.iter().find(|step| step.name.eq_ignore_ascii_case(str_of(action, "Name")));
    // What the sandbox itself showed as the body of a step of the world says nothing about what that step does.
    let is_new = |action: &Value| is_script(action) && !(known(action).is_some() && action["Properties"][BODY] == STAND_IN);
    if !actions(sent).any(is_new) {
        return (plan, false);
    }
    if !state.run_scripts {
        return (plan, true);
    }
    let steps = actions(sent).map(|action| {
        let mut step = known(action).cloned().unwrap_or_else(|| StepPlan::named(str_of(action, "Name"), 60));
        if is_new(action) {
            step.run = Some(run(action));
        }
        step.disabled = action["IsDisabled"] == true;
        step
    });
    (Arc::new(steps.collect()), false)
}

fn actions(process: &Value) -> impl Iterator<Item = &Value> {
    process["Steps"].as_array().into_iter().flatten().flat_map(|step| step["Actions"].as_array().into_iter().flatten())
}

const SYNTAX: &str = "Octopus.Action.Script.Syntax";
const BODY: &str = "Octopus.Action.Script.ScriptBody";
const SOURCE: &str = "Octopus.Action.Script.ScriptSource";

/// Whether a step runs a script, wherever that comes from.
fn is_script(action: &Value) -> bool {
    let properties = &action["Properties"];
    ["Package", "GitRepository"].iter().any(|source| properties[SOURCE] == *source) || text(properties, BODY).is_some()
}

/// The body, and what goes with it: the properties of the action are variables of the step.
fn run(action: &Value) -> RunPlan {
    let properties = &action["Properties"];
    let (mut plain, mut secret) = (Vec::new(), Vec::new());
    for (name, value) in properties.as_object().into_iter().flatten() {
        match value {
            Value::String(text) => plain.push((name.clone(), text.clone())),
            Value::Object(sensitive) => {
                secret.extend(sensitive.get("NewValue").and_then(Value::as_str).map(|text| (name.clone(), text.to_owned())));
            }
            _ => {}
        }
    }
    let mut run = RunPlan::sent(plain, secret);
    let name = str_of(action, "Name");
    let (kind, source) = (str_of(action, "ActionType"), str_of(properties, SOURCE));
    // Without a word the agent takes the language that its platform prefers.
    let usual = if cfg!(windows) { Syntax::PowerShell } else { Syntax::Bash };
    let syntax = text(properties, SYNTAX);
    run.shell = syntax.as_deref().map_or(Some(usual), Syntax::named).unwrap_or_default();
    run.refused = if !["", "Octopus.Script"].contains(&kind) {
        Some(format!("The step '{name}' is of the type {kind}: the sandbox runs only steps of the type Octopus.Script."))
    } else if !["", "Inline"].contains(&source) {
        Some(format!("The script of the step '{name}' comes from a {source}: the sandbox runs only scripts that stand in the step."))
    } else {
        let other = syntax.filter(|name| Syntax::named(name).is_none());
        other.map(|syntax| format!("The script of the step '{name}' is written in {syntax}: the sandbox runs Bash and PowerShell."))
    };
    str_of(properties, BODY).clone_into(&mut run.body);
    str_of(properties, "Octopus.Action.Script.ScriptParameters").clone_into(&mut run.parameter_text);
    run.fail_on_error_output =
        text(properties, "Octopus.Action.FailScriptOnErrorOutput").is_some_and(|flag| flag.eq_ignore_ascii_case("true"));
    let retries = text(properties, "Octopus.Action.AutoRetry.MaximumCount").and_then(|count| count.parse().ok());
    run.retries = retries.unwrap_or(0);
    run.references = action["Packages"].as_array().into_iter().flatten().map(|package| reference(package, properties)).collect();
    run
}

/// A package of a step; one that a parameter chooses is what the parameter's value says, if the step itself says nothing.
fn reference(package: &Value, properties: &Value) -> Reference {
    let of_package = &package["Properties"];
    let chosen: Value = text(of_package, "PackageParameterName")
        .and_then(|parameter| text(properties, &parameter))
        .and_then(|value| from_str(&value).ok())
        .unwrap_or_default();
    let either = |key: &str| text(package, key).or_else(|| text(&chosen, key)).unwrap_or_default();
    Reference {
        name: str_of(package, "Name").to_owned(),
        package: either("PackageId"),
        feed: either("FeedId"),
        fixed: text(package, "Version"),
        is_acquired: !str_of(package, "AcquisitionLocation").eq_ignore_ascii_case("NotAcquired"),
        properties: of_package
            .as_object()
            .into_iter()
            .flatten()
            .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
            .collect(),
    }
}
