//! Variable sets with their version check, prompted variables, concurrency tags, and the output variables of deployments.

pub(crate) mod system;

use super::{
    access::Thing,
    answer::{Answer, Ask, Handled, Refusal, field, str_of, text, texts},
    environment_types::includes,
    nouns::PROJECTS,
    routing::{By, Endpoint, Of, Whole, get, put},
    state::{Execution, State, Task, VariableSnapshot, What},
    world::model::VariablePlan,
};
use crate::clock::later;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

fn guid(owner: &str, name: &str) -> String {
    uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, format!("{owner}/{name}").as_bytes()).to_string()
}

/// A text variable without scope.
pub(crate) fn plain(owner: &str, name: &str, value: &str) -> Value {
    json!({"Id": guid(owner, name), "Name": name, "Value": value, "Description": "", "Type": "String", "IsSensitive": false, "IsEditable": true, "Scope": {}, "Prompt": null})
}

/// Variables of a world file.
pub(crate) fn from_plan(list: &[VariablePlan], owner: &str, environment: impl Fn(&str) -> String) -> Vec<Value> {
    list.iter()
        .map(|v| {
            let mut doc = plain(owner, &v.name, &v.value);
            if !v.environments.is_empty() {
                doc["Id"] = json!(guid(owner, &format!("{}@{}", v.name, v.environments.iter().map(|e| e.get_ref().as_str()).collect::<Vec<_>>().join(","))));
                doc["Scope"] = json!({"Environment": v.environments.iter().map(|e| environment(e.get_ref())).collect::<Vec<_>>()});
            }
            if v.sensitive {
                doc["Type"] = json!("Sensitive");
                doc["IsSensitive"] = json!(true);
            }
            if let Some(label) = &v.prompt {
                doc["Prompt"] = json!({"Label": label, "Description": "", "Required": v.required, "DisplaySettings": {"Octopus.ControlType": "SingleLineText"}});
            }
            doc
        })
        .collect()
}

/// A variable set.
pub(crate) fn document(id: &str, owner: &str, space: &str, list: Vec<Value>) -> Value {
    json!({
        "Id": id, "OwnerId": owner, "SpaceId": space, "Version": 0, "Variables": list,
        "ScopeValues": {"Environments": [], "Machines": [], "Actions": [], "Roles": [], "Channels": [], "TenantTags": [], "Processes": []},
        "Links": {"Self": format!("/api/{space}/variables/{id}")},
    })
}

/// The variable set with this id, stored or made up; sensitive values are not shown.
pub(crate) fn get_set(state: &State, id: &str) -> Result<Value, Refusal> {
    let mut doc = raw(state, id)?;
    if !may(state, &doc, "VariableView", "LibraryVariableSetView|VariableView") {
        return Err(Refusal::missing(id));
    }
    let space = str_of(&doc, "SpaceId").to_owned();
    let environments: Vec<Value> = super::lifecycle::environments(state, &space)
        .iter()
        .map(|e| json!({"Id": e, "Name": state.store.name("environments", e)}))
        .collect();
    doc["ScopeValues"]["Environments"] = json!(environments);
    if let Some(list) = doc["Variables"].as_array_mut() {
        for v in list.iter_mut().filter(|v| v["IsSensitive"] == true) {
            v["Value"] = Value::Null;
        }
    }
    Ok(doc)
}

/// Whether the caller holds a permission for the owner of a set.
fn may(state: &State, doc: &Value, of_project: &str, of_library: &str) -> bool {
    let owner = str_of(doc, "OwnerId");
    match state.execution_by_id.get(&owner.to_lowercase()) {
        Some(execution) => state.sees_execution(*execution),
        None if owner.starts_with("Projects-") => {
            state.allows(of_project, &Thing { space: Some(str_of(doc, "SpaceId")), ..Thing::project(owner) })
        }
        None => state.allows(of_library, &Thing { space: Some(str_of(doc, "SpaceId")), ..Thing::default() }),
    }
}

fn raw(state: &State, id: &str) -> Result<Value, Refusal> {
    let lower = id.to_lowercase();
    if let Some(doc) = state.written.get(&lower) {
        return Ok(doc.clone());
    }
    let missing = || Refusal::missing(id);
    let owner = lower.strip_prefix("variableset-").ok_or_else(missing)?;
    // A snapshot is `<id>-s-<n>-<suffix>`: the set as it was in its n-th version.
    if let Some((owner, rest)) = owner.split_once("-s-") {
        let version = rest.split('-').next().and_then(|n| n.parse::<u64>().ok()).and_then(|n| n.checked_sub(1)).ok_or_else(missing)?;
        let set = format!("variableset-{owner}");
        let now = raw(state, &set)?;
        let frozen = state.frozen_sets.get(&(set, version)).cloned();
        let mut doc = frozen.or_else(|| Some(now).filter(|set| set["Version"] == version)).ok_or_else(missing)?;
        doc["Id"] = json!(id);
        return Ok(doc);
    }
    if let Some(x) = state.execution_by_id.get(owner) {
        return Ok(manifest(state, *x));
    }
    for kind in ["projects", "libraryvariablesets"] {
        if let Some(doc) = state.store.of(kind).get(owner) {
            let owner = str_of(doc, "Id");
            return Ok(document(&format!("variableset-{owner}"), owner, str_of(doc, "SpaceId"), Vec::new()));
        }
    }
    Err(missing())
}

/// What the first `steps` steps of a task have put out: name, value, whether it is sensitive.
pub(crate) fn outputs(task: &Task, steps: usize) -> impl Iterator<Item = (String, &str, bool)> {
    task.plan.iter().zip(&task.steps).take(steps).flat_map(|(step, run)| {
        let named = move |name: &String| format!("Octopus.Action[{}].Output.{name}", step.name);
        run.outputs.iter().map(move |(name, value)| (named(name), value.as_str(), run.secret_outputs.contains(name)))
    })
}

/// What a deployment ran with, and what its steps have put out so far.
fn manifest(state: &State, index: usize) -> Value {
    let x = &state.executions[index];
    let t = &state.tasks[x.task];
    let id = format!("variableset-{}", x.id);
    let mut list: Vec<Value> = system::of_execution(state, index).iter().map(|(name, value)| plain(&x.id, name, value)).collect();
    list.extend(x.values.iter().map(|(name, value)| plain(&x.id, name, value)));
    for (name, value, is_secret) in outputs(t, t.plan.len()) {
        let mut variable = plain(&x.id, &name, value);
        if is_secret {
            variable["IsSensitive"] = json!(true);
            variable["Value"] = Value::Null;
        }
        list.push(variable);
    }
    for secret in of_execution(state, x).iter().filter(|v| v["Prompt"].is_object() && v["IsSensitive"] == true) {
        for v in list.iter_mut().filter(|v| v["Name"] == secret["Name"]) {
            v["IsSensitive"] = json!(true);
        }
    }
    document(&id, &x.id, &x.space, list)
}

/// The variables of a project, its own before those of its library sets.
pub(crate) fn of_project(state: &State, project: &str) -> Vec<Value> {
    let mut sets = vec![format!("variableset-{project}")];
    if let Some(p) = state.store.of("projects").get(project) {
        sets.extend(texts(&p["IncludedLibraryVariableSetIds"]).iter().map(|l| format!("variableset-{l}")));
    }
    sets.iter()
        .filter_map(|s| state.written.get(&s.to_lowercase()))
        .flat_map(|d| d["Variables"].as_array().cloned().unwrap_or_default())
        .collect()
}

/// A variable set in one of its versions.
pub(crate) fn set_at(state: &State, (id, version): &(String, u64)) -> Value {
    let frozen = state.frozen_sets.get(&(id.to_lowercase(), *version)).cloned();
    frozen.or_else(|| raw(state, id).ok()).unwrap_or_default()
}

/// The variables of a snapshot, those of the project before those of its library sets.
pub(crate) fn of_snapshot(state: &State, taken: &VariableSnapshot) -> Vec<Value> {
    taken.sets.iter().flat_map(|set| set_at(state, set)["Variables"].as_array().cloned().unwrap_or_default()).collect()
}

/// The variables with which a deployment or a run goes: those of its release or snapshot.
pub(crate) fn of_execution(state: &State, x: &Execution) -> Vec<Value> {
    let taken = match &x.what {
        What::Deploy { release, .. } => state.release(*release).map(|r| &r.variables),
        What::Runbook { snapshot, .. } => state.runbook_variables.get(&snapshot.to_lowercase()),
    };
    taken.map_or_else(|| of_project(state, &x.project), |taken| of_snapshot(state, taken))
}

/// What something is deployed to, as far as the scope of a variable can say.
pub(crate) struct Target<'a> {
    pub(crate) environment: &'a str,
    pub(crate) tenant: Option<&'a str>,
    /// None for runbook runs, where a variable of a channel is not in scope.
    pub(crate) channel: Option<&'a str>,
}

impl Target<'_> {
    /// Whether a variable is in scope there. Scopes of steps and deployment targets say nothing about the whole.
    pub(crate) fn is_in_scope(&self, state: &State, variable: &Value) -> bool {
        let scope = &variable["Scope"];
        let among = |name: &str, wanted: Option<&str>| {
            let listed = texts(&scope[name]);
            listed.is_empty() || wanted.is_some_and(|wanted| listed.iter().any(|id| id.eq_ignore_ascii_case(wanted)))
        };
        let tags = texts(&scope["TenantTag"]);
        let tenant = self.tenant.and_then(|id| state.store.of("tenants").get(id));
        let environments = texts(&scope["Environment"]);
        (environments.is_empty() || includes(state, &environments, self.environment))
            && among("Channel", self.channel)
            && (tags.is_empty() || tenant.is_some_and(|tenant| super::tags::all(tenant, &tags)))
    }
}

/// Of variables, those that are prompted and asked for a target: in scope there.
pub(crate) fn questions(state: &State, variables: Vec<Value>, target: &Target<'_>) -> Vec<Value> {
    variables.into_iter().filter(|v| v["Prompt"].is_object() && target.is_in_scope(state, v)).collect()
}

/// The values given for those of `variables` that are prompted, by GUID or by name or label; 400 when a required one has none (octopus-api.md §14).
pub(crate) fn prompted(
    state: &State,
    variables: Vec<Value>,
    target: &Target<'_>,
    forms: &Value,
    named: &Value,
) -> Result<BTreeMap<String, String>, Refusal> {
    let mut values = BTreeMap::new();
    if !state.history {
        for v in questions(state, variables, target) {
            let (name, label) = (str_of(&v, "Name"), str_of(&v["Prompt"], "Label"));
            let given = text(forms, str_of(&v, "Id")).or_else(|| text(named, name)).or_else(|| text(named, label));
            match given {
                Some(value) => {
                    values.insert(name.to_owned(), value);
                }
                None if v["Prompt"]["Required"] == true && str_of(&v, "Value").is_empty() => {
                    return Err(Refusal::invalid(format!("The variable '{label}' is required, but no value was given.")));
                }
                None => {}
            }
        }
    }
    Ok(values)
}

/// What makes tasks wait for each other (octopus-api.md §18.6).
pub(crate) fn concurrency_tag(
    state: &State,
    variables: Vec<Value>,
    project: &str,
    environment: &str,
    tenant: Option<&str>,
    task: usize,
) -> String {
    let own = variables.into_iter().find(|v| str_of(v, "Name").eq_ignore_ascii_case("Octopus.Task.ConcurrencyTag"));
    match own {
        Some(v) => [
            ("#{Octopus.Project.Id}", project),
            ("#{Octopus.Environment.Id}", environment),
            ("#{Octopus.Deployment.Tenant.Id}", tenant.unwrap_or_default()),
            ("#{Octopus.Task.Id}", &format!("ServerTasks-{task}")),
            ("#{Octopus.Environment.Name}", &state.store.name("environments", environment)),
            ("#{Octopus.Project.Name}", &state.store.name("projects", project)),
        ]
        .iter()
        .fold(str_of(&v, "Value").to_owned(), |tag, (from, to)| tag.replace(from, to)),
        None => tenant.map_or_else(|| format!("{project}/{environment}"), |t| format!("{t}/{project}/{environment}")),
    }
}

/// Completes a variable as a client sent it: an id for a new one, and both words for a secret.
fn settle(v: &mut Value, owner: &str, which: &str) {
    let name = str_of(v, "Name").to_owned();
    let mut whole = plain(owner, &name, "");
    whole["Id"] = json!(guid(owner, &format!("{name}#{which}")));
    if let (Value::Object(whole), Value::Object(sent)) = (&mut whole, &mut *v) {
        sent.retain(|k, v| k != "Id" || v.as_str().is_some_and(|id| !id.is_empty()));
        whole.append(sent);
    }
    if str_of(&whole, "Type") == "Sensitive" || whole["IsSensitive"] == true {
        whole["Type"] = json!("Sensitive");
        whole["IsSensitive"] = json!(true);
    }
    *v = whole;
}

/// Whether a save whose version is no longer the set's went through the check before the other one wrote.
fn slips_through(state: &State, id: &str, sent: Option<u64>) -> bool {
    let Some(gap) = state.plan.racy_variables else { return false };
    state.saved.get(&id.to_lowercase()).is_some_and(|(at, before)| sent == Some(*before) && state.now < later(*at, gap.0))
}

/// What is stored of a sensitive variable that is sent without a value: only its `Id` keeps it, also when the value is `""`. Without the id it
/// is wiped, and nothing says so (octopus-api.md §25).
fn kept(old: &Value, id: Option<&str>) -> Value {
    let stored = id.and_then(|id| old["Variables"].as_array()?.iter().find(|o| str_of(o, "Id") == id));
    stored.map_or_else(|| json!(""), |o| o["Value"].clone())
}

/// Every sensitive variable that is stored, by its length and hash: no answer of the server shows that one was wiped.
pub(crate) fn secrets(state: &State) -> Vec<Value> {
    let of_set = |set: &Value| -> Vec<Value> {
        let all = set["Variables"].as_array().into_iter().flatten().filter(|v| v["IsSensitive"] == true);
        all.map(|v| {
            let value = str_of(v, "Value");
            json!({
                "set": set["Id"], "id": v["Id"], "name": v["Name"], "length": value.chars().count(),
                "sha256": hex::encode(Sha256::digest(value)),
            })
        })
        .collect()
    };
    state.written.values().flat_map(of_set).collect()
}

/// `PUT variables/{id}` (octopus-api.md §8.2).
pub(crate) fn put_set(state: &mut State, ask: &Ask, id: &str) -> Handled {
    if id.to_lowercase().contains("-s-") {
        return Err(Refusal::invalid("A snapshot of variables cannot be changed."));
    }
    let old = raw(state, id)?;
    if !may(state, &old, "VariableEdit", "LibraryVariableSetEdit|VariableEdit") {
        return Err(Refusal::forbidden("VariableEdit"));
    }
    let sent = field(&ask.body, "Version").as_u64();
    if sent != old["Version"].as_u64() && !slips_through(state, id, sent) {
        return Err(Refusal::invalid(
            "Changes to these variables could not be saved, because another user has made changes to the variables between when you started editing and when you saved your changes. Please reload or open a new tab to make your changes.",
        ));
    }
    let mut new = old.clone();
    let mut list = field(&ask.body, "Variables").as_array().cloned().unwrap_or_default();
    for (i, v) in list.iter_mut().enumerate() {
        let id = text(v, "Id");
        settle(v, str_of(&old, "OwnerId"), &format!("{}.{i}", old["Version"]));
        if v["IsSensitive"] == true && str_of(v, "Value").is_empty() {
            v["Value"] = kept(&old, id.as_deref());
        }
    }
    new["Variables"] = json!(list);
    // Who slipped through counts from what it read, like a server that checks first and writes later.
    let before = sent.unwrap_or(0);
    new["Version"] = json!(before + 1);
    state.saved.insert(id.to_lowercase(), (state.now, before));
    let (owner, space) = (str_of(&new, "OwnerId").to_owned(), str_of(&new, "SpaceId").to_owned());
    state.event(
        "Modified",
        &ask.user,
        format!("Variables of {owner} were changed"),
        vec![str_of(&new, "Id").to_owned(), owner],
        Some(space),
    );
    state.freeze_set(id, &old);
    state.written.insert(id.to_lowercase(), new);
    let mut answer = get_set(state, id)?;
    answer["ScopeValues"] = Value::Null;
    Answer::ok(answer)
}

const EITHER: &str = "VariableView|LibraryVariableSetView";

#[rustfmt::skip]
pub(crate) const ENDPOINTS: &[Endpoint] = &[
    get("S/variables", EITHER, &Whole(|state, ask| Answer::ok(super::pages::page(ask, "VariableSet", &named(state, ask), Clone::clone)))),
    get("S/variables/all", EITHER, &Whole(|state, ask| Answer::ok(named(state, ask)))),
    get("S/variables/names", "VariableView", &Whole(|state, ask| {
        Answer::ok(of_project(state, ask.query("project").unwrap_or_default()).iter().map(|v| v["Name"].clone()).collect::<Vec<_>>())
    })).partly("without the built-in names"),
    get("S/variables/preview", "VariableView", &Whole(|state, ask| preview(state, ask))).partly("by environment only"),
    get("S/projects/{id}/variables", "VariableView", &Of(PROJECTS, |state, _, project| Answer::ok(get_set(state, &set_of(&project))?))),
    put("S/projects/{id}/variables", "VariableEdit", &Of(PROJECTS, |state, ask, project| put_set(state, ask, &set_of(&project)))).keeps(),
    get("S/variables/{id}", EITHER, &By(|state, _, [id]| Answer::ok(get_set(state, id)?))),
    put("S/variables/{id}", "VariableEdit|LibraryVariableSetEdit", &By(|state, ask, [id]| put_set(state, ask, id))).keeps(),
];

fn set_of(project: &Value) -> String {
    format!("variableset-{}", str_of(project, "Id"))
}

/// The sets that `ids` names.
fn named(state: &State, ask: &Ask) -> Vec<Value> {
    ask.ids().iter().filter_map(|id| get_set(state, id).ok()).collect()
}

fn preview(state: &State, ask: &Ask) -> Handled {
    let list: Vec<Value> = of_project(state, ask.query("project").unwrap_or_default())
        .iter()
        .filter(|v| {
            let scope = texts(&v["Scope"]["Environment"]);
            scope.is_empty() || ask.query("environment").is_none_or(|e| includes(state, &scope, e))
        })
        .map(|v| json!({"Name": v["Name"], "Value": if v["IsSensitive"] == true { Value::Null } else { v["Value"].clone() }, "Scope": v["Scope"], "Source": {"VariableSetName": "", "IsLibrary": false}, "IsSensitive": v["IsSensitive"]}))
        .collect();
    Answer::ok(json!({ "Variables": list, "Links": {} }))
}
