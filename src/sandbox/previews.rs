//! What a deployment would be: the promotion template of a release and previews of its steps and questions.

use super::{
    access::Thing,
    answer::{Answer, Ask, Handled, Refusal, str_of, text, texts},
    deployments,
    environment_types::includes,
    lifecycle, releases,
    routing::{Endpoint, Of, OfBy, get, post},
    state::State,
    target_tags, variables,
    world::server_version::Generation,
};
use serde_json::{Value, json};

#[rustfmt::skip]
pub(crate) const ENDPOINTS: &[Endpoint] = &[
    get("S/releases/{id}/deployments/template", "DeploymentCreate", &Of(releases::find, |state, _, release| Answer::ok(template(state, release)))),
    get("S/releases/{id}/deployments/preview/{environment}", "DeploymentCreate", &OfBy(releases::find, |state, _, release, [environment]| Answer::ok(one(state, release, environment, None)?))),
    get("S/releases/{id}/deployments/preview/{environment}/{tenant}", "DeploymentCreate", &OfBy(releases::find, |state, _, release, [environment, tenant]| Answer::ok(one(state, release, environment, Some(tenant))?))),
    post("S/releases/{id}/deployments/previews", "DeploymentCreate", &Of(releases::find, |state, ask, release| each(ask, |environment, tenant| one(state, release, environment, tenant)))).takes(&[&["DeploymentPreviews"]]),
];

/// `GET releases/{id}/deployments/template` (octopus-api.md §14).
fn template(state: &State, release: usize) -> Value {
    let Some(r) = state.release(release) else { return Value::Null };
    let at = format!("/api/{}/releases/{}/deployments/preview", r.space, releases::id(release));
    let target = |e: &String, tail: &str| json!({"Id": e, "Name": state.store.name("environments", e), "Links": {"Preview": format!("{at}/{e}{tail}")}});
    let mode = state.store.of("projects").get(&r.project).map(|p| str_of(p, "TenantedDeploymentMode").to_owned()).unwrap_or_default();
    // Only what the caller may deploy is offered.
    let allowed = |tenant: Option<&str>| -> Vec<String> {
        let whole = Thing { space: Some(&r.space), tenant: Some(tenant.unwrap_or_default()), ..Thing::project(&r.project) };
        let may = |e: &String| state.allows("DeploymentCreate", &Thing { environment: Some(e), ..whole });
        lifecycle::allowed(state, release, tenant).into_iter().filter(may).collect()
    };
    let untenanted: Vec<Value> = if mode == "Tenanted" { Vec::new() } else { allowed(None).iter().map(|e| target(e, "")).collect() };
    let mut tenants = Vec::new();
    if mode != "Untenanted" {
        for t in state
            .store
            .of("tenants")
            .iter()
            .filter(|t| str_of(t, "SpaceId") == r.space && t["ProjectEnvironments"].get(&r.project).is_some())
        {
            let id = str_of(t, "Id");
            let connected = texts(&t["ProjectEnvironments"][&r.project]);
            let to: Vec<Value> = allowed(Some(id)).iter().filter(|e| connected.contains(e)).map(|e| target(e, &format!("/{id}"))).collect();
            tenants
                .push(json!({"Id": id, "Name": t["Name"], "PromoteTo": to, "Links": {"Self": format!("/api/{}/tenants/{id}", r.space)}}));
        }
    }
    let (own, library) = state.variables_differ(&r.project, &r.variables);
    json!({
        "IsDeploymentProcessModified": false, "IsVariableSetModified": own, "IsLibraryVariableSetModified": library, "IsGitResourceModified": false,
        "DeploymentNotes": r.notes, "PromoteTo": untenanted, "TenantPromotions": tenants, "Links": {},
    })
}

/// One preview.
fn one(state: &State, release: usize, environment: &str, tenant: Option<&str>) -> Result<Value, Refusal> {
    let r = state.release(release).ok_or_else(|| Refusal::missing("release"))?;
    state.store.of("environments").get(environment).ok_or_else(|| Refusal::missing(environment))?;
    if let Some(t) = tenant {
        state.store.of("tenants").get(t).ok_or_else(|| Refusal::missing(t))?;
    }
    let target = variables::Target { environment, tenant, channel: Some(&r.channel) };
    let mut preview = preview(state, variables::of_snapshot(state, &r.variables), &r.project, &target);
    // Every step may run on every deployment target of the environment: steps have no roles here.
    let targets: Vec<Value> = state
        .store
        .of("machines")
        .iter()
        .filter(|m| includes(state, &texts(&m["EnvironmentIds"]), environment))
        .map(|m| json!({"Id": m["Id"], "Name": m["Name"], "HasLatestCalamari": m["HasLatestCalamari"], "HealthStatus": m["HealthStatus"]}))
        .collect();
    for step in preview["StepsToExecute"].as_array_mut().into_iter().flatten() {
        step["MachineNames"] = targets.iter().map(|m| m["Name"].clone()).collect();
        step["Machines"] = json!(targets);
        if state.plan.version.generation >= Generation::V2026_3 {
            step["AvailableTagSets"] = json!(target_tags::available(state, environment));
        }
    }
    preview["Changes"] = json!([]);
    preview["ChangesMarkdown"] = Value::Null;
    preview["UseGuidedFailureModeByDefault"] = json!(deployments::guided_by_default(state, &r.project, environment));
    Ok(preview)
}

/// The previews a request asks for, each of an environment and perhaps a tenant.
pub(crate) fn each(ask: &Ask, one: impl Fn(&str, Option<&str>) -> Result<Value, Refusal>) -> Handled {
    let wanted = ask.field("DeploymentPreviews").as_array().into_iter().flatten();
    let all = wanted.map(|w| one(&text(w, "EnvironmentId").unwrap_or_default(), text(w, "TenantId").as_deref()));
    Answer::ok(all.collect::<Result<Vec<_>, _>>()?)
}

/// The steps of a project's or runbook's process and what those of `variables` that are prompted ask for a target.
pub(crate) fn preview(state: &State, variables: Vec<Value>, owner: &str, target: &variables::Target<'_>) -> Value {
    let steps: Vec<Value> = state
        .steps
        .get(owner)
        .map(|s| {
            s.iter()
                .enumerate()
                .filter(|(_, s)| !s.disabled)
                .map(|(i, s)| json!({"ActionId": State::action_id(owner, i), "ActionName": s.name, "ActionNumber": (i + 1).to_string(), "Roles": [], "MachineNames": [], "Machines": [], "CanBeSkipped": true, "IsDisabled": false, "HasNoApplicableMachines": false, "UnavailableMachines": [], "ExcludedMachines": []}))
                .collect()
        })
        .unwrap_or_default();
    let mut values = json!({});
    let mut elements = Vec::new();
    for v in variables::questions(state, variables, target) {
        let (id, p) = (str_of(&v, "Id"), &v["Prompt"]);
        values[id] = v["Value"].clone();
        elements.push(json!({"Name": id, "IsValueRequired": p["Required"], "Control": {"Type": "VariableValue", "Name": v["Name"], "Label": p["Label"], "Description": p["Description"], "Required": p["Required"], "DisplaySettings": p["DisplaySettings"]}}));
    }
    json!({"StepsToExecute": steps, "Form": {"Values": values, "Elements": elements}, "UseGuidedFailureModeByDefault": false, "Links": {}})
}
