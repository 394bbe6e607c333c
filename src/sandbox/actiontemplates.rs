//! Step templates: their versions, where they are used, and steps brought to a newer version (octopus-api.md §11.4).

use super::{
    access::Thing,
    answer::{Answer, Ask, Handled, Refusal, field, str_of, text, texts},
    collection, defaults,
    nouns::{Noun, named},
    pages::page,
    processes,
    routing::{EMPTY, Endpoint, Of, OfBy, Whole, delete, get, post, put},
    selection,
    state::State,
    store::{Document, present},
    upload,
};
use serde_json::{Map, Value, json};
use std::sync::Arc;

const TEMPLATE: &str = "Octopus.Action.Template.Id";
const VERSION: &str = "Octopus.Action.Template.Version";

/// Steps every server has, with their category.
const BUILT_IN: [(&str, &str, &str, &str); 4] = [
    ("Octopus.Script", "Run a Script", "Runs a script on deployment targets or workers.", "Script"),
    ("Octopus.TentaclePackage", "Deploy a Package", "Deploys the contents of a package to deployment targets.", "Package"),
    ("Octopus.Manual", "Manual Intervention Required", "Waits until somebody says that the deployment may go on.", "Other"),
    ("Octopus.DeployRelease", "Deploy a Release", "Deploys a release of another project.", "Other"),
];

/// What is wrong with a template that was sent.
fn check(state: &State, space: &str, body: &Value, own: Option<&str>) -> Result<(), Refusal> {
    let mut errors = Vec::new();
    let name = text(body, "Name").filter(|n| !n.trim().is_empty());
    if name.is_none() {
        errors.push("Please provide a name for the template.".to_owned());
    }
    if own.is_none() && text(body, "ActionType").is_none() {
        errors.push("Please provide an action type.".to_owned());
    }
    let properties = field(body, "Properties");
    if !properties.is_null() && !properties.is_object() {
        errors.push("The Properties field must be an object.".to_owned());
    }
    for (list, what) in [("Parameters", "parameter"), ("Packages", "package")] {
        let list = field(body, list);
        if !list.is_null() && !list.is_array() {
            errors.push(format!("The {what}s must be a list."));
        }
        let names: Vec<String> =
            list.as_array().into_iter().flatten().map(|p| text(p, "Name").unwrap_or_default().to_lowercase()).collect();
        if what == "parameter" && names.iter().any(String::is_empty) {
            errors.push("Please provide a variable name for every parameter.".to_owned());
        }
        if let Some(twice) = names.iter().enumerate().find(|(i, n)| names[..*i].contains(n)).map(|(_, n)| n) {
            errors.push(format!("There are two {what}s with the name '{twice}'."));
        }
    }
    let same = |d: &&Value| {
        str_of(d, "SpaceId") == space
            && own.is_none_or(|own| str_of(d, "Id") != own)
            && name.as_ref().is_some_and(|n| str_of(d, "Name").eq_ignore_ascii_case(n))
    };
    if let Some(other) = state.store.of("actiontemplates").iter().find(same) {
        errors.push(format!("The name '{}' is already in use. Please choose a different name.", str_of(other, "Name")));
    }
    if errors.is_empty() { Ok(()) } else { Err(Refusal { errors, ..Refusal::invalid("") }) }
}

const TEMPLATES: &Noun = named("actiontemplates");

#[rustfmt::skip]
pub(crate) const ENDPOINTS: &[Endpoint] = &[
    get("S/actiontemplates/categories", "ActionTemplateView", &Whole(|_, _| Answer::ok(categories()))).partly("of four built-in steps"),
    get("S/actiontemplates/search", "ActionTemplateView", &Whole(|state, ask| Answer::ok(search(state, ask)))).partly("the space's templates and four built-in steps"),
    get("S/communityactiontemplates", "", &Whole(|_, ask| Answer::ok(page(ask, "CommunityActionTemplate", &[(); 0], |()| ())))).partly(EMPTY),
    post("S/actiontemplates", "ActionTemplateCreate", &Whole(create)).keeps(),
    put("S/actiontemplates/{id}", "ActionTemplateEdit", &Of(TEMPLATES, update)).keeps(),
    delete("S/actiontemplates/{id}", "ActionTemplateDelete", &Of(TEMPLATES, remove)),
    get("S/actiontemplates/{id}/versions", "ActionTemplateView", &Of(TEMPLATES, versions)),
    get("S/actiontemplates/{id}/versions/{version}", "ActionTemplateView", &OfBy(TEMPLATES, |_, _, template, [version]| {
        let found = version.parse().ok().and_then(|v| of_version(&template, v));
        Answer::ok(present(TEMPLATES, &found.ok_or_else(|| Refusal::missing(&format!("{}/versions/{version}", str_of(&template, "Id"))))?))
    })),
    get("S/actiontemplates/{id}/logo", "ActionTemplateView", &Of(TEMPLATES, |state, _, template| logo(state, &template))),
    get("S/actiontemplates/{id}/versions/{version}/logo", "ActionTemplateView", &OfBy(TEMPLATES, |state, _, template, [_]| logo(state, &template))),
    put("S/actiontemplates/{id}/logo", "ActionTemplateEdit", &Of(TEMPLATES, put_logo)).of_file(),
    post("S/actiontemplates/{id}/logo", "ActionTemplateEdit", &Of(TEMPLATES, put_logo)).of_file(),
    post("S/actiontemplates/{id}/actionsUpdate", "ProcessEdit", &Of(TEMPLATES, update_actions)).takes(&[&["Version", "ActionIdsByProcessId", "ActionsToUpdate", "Overrides", "DefaultPropertyValues"]]),
    get("S/actiontemplates/{id}/usage", "ActionTemplateView", &Of(TEMPLATES, |state, _, template| Answer::ok(usage(state, &template)))),
];

fn create(state: &mut State, ask: &Ask) -> Handled {
    if ask.body.is_object() {
        check(state, &state.space_of(ask), &ask.body, None)?;
    }
    collection::create(state, ask, TEMPLATES, |_, _, _| {})
}

fn remove(state: &mut State, ask: &Ask, template: Arc<Document>) -> Handled {
    let used: Vec<String> = usage(state, &template).iter().map(|u| format!("'{}'", str_of(u, "ProjectName"))).collect();
    if used.is_empty() {
        return collection::remove(state, ask, TEMPLATES, template);
    }
    let name = str_of(&template, "Name");
    Err(Refusal::invalid(format!("The step template '{name}' cannot be deleted, because it is used by {}.", used.join(", "))))
}

fn versions(_: &mut State, ask: &Ask, template: Arc<Document>) -> Handled {
    let mut all: Vec<&Value> = template["_History"].as_array().into_iter().flatten().collect();
    all.push(&template);
    all.reverse();
    Answer::ok(page(ask, TEMPLATES.item, &all, |d| present(TEMPLATES, d)))
}

/// Where the logo of a template is kept.
fn logo_of(template: &Value) -> String {
    format!("{}/logo", str_of(template, "Id")).to_lowercase()
}

fn logo(state: &State, template: &Value) -> Handled {
    let blob = logo_of(template);
    let (kind, bytes) = state.blobs.get(&blob).cloned().ok_or_else(|| Refusal::missing(&blob))?;
    Ok(Answer::Bytes(200, kind, bytes))
}

fn put_logo(state: &mut State, ask: &Ask, template: Arc<Document>) -> Handled {
    let form = ask.content_type.to_lowercase().starts_with("multipart/");
    let bytes = if form { upload::file(&ask.content_type, &ask.raw)?.1 } else { ask.raw.clone() };
    let kind = match bytes.as_ref() {
        [0x89, b'P', b'N', b'G', ..] => "image/png",
        [0xff, 0xd8, ..] => "image/jpeg",
        [b'G', b'I', b'F', b'8', ..] => "image/gif",
        [b'<', ..] => "image/svg+xml",
        _ => return Err(Refusal::invalid("The logo must be a PNG, JPEG, GIF or SVG image.")),
    };
    state.blobs.insert(logo_of(&template), (kind.into(), bytes));
    Answer::ok(json!({}))
}

fn version_of(doc: &Value) -> u64 {
    doc["Version"].as_u64().unwrap_or(0)
}

/// A template as it was in a version.
fn of_version(doc: &Value, version: u64) -> Option<Value> {
    if version_of(doc) == version {
        return Some(doc.clone());
    }
    doc["_History"].as_array()?.iter().find(|old| version_of(old) == version).cloned()
}

/// A new version; the one before stays readable, and steps stay with it until they are updated.
fn update(state: &mut State, ask: &Ask, template: Arc<Document>) -> Handled {
    let mut old = Value::clone(&template);
    let mut new = collection::clean(ask.body.clone())?;
    check(state, str_of(&old, "SpaceId"), &new, Some(str_of(&old, "Id")))?;
    let version = version_of(&old);
    // Clients that leave the number out take what they find.
    if new["Version"].as_u64().is_some_and(|v| v != version) {
        return Err(Refusal::invalid(
            "The step template was changed by another user between when you started editing and when you saved your changes. Please reload and make your changes again.",
        ));
    }
    for key in ["Id", "SpaceId", "ActionType", "CommunityActionTemplateId"] {
        new[key] = old[key].clone();
    }
    new["Version"] = json!(version + 1);
    defaults::shape_template(&mut new);
    let mut history = old.as_object_mut().and_then(|o| o.shift_remove("_History")).unwrap_or_else(|| json!([]));
    if let Some(history) = history.as_array_mut() {
        history.push(old);
    }
    new["_History"] = history;
    Answer::ok(collection::put_changed(state, ask, TEMPLATES, new))
}

fn categories() -> Value {
    let mut names: Vec<&str> = BUILT_IN.iter().map(|b| b.3).collect();
    names.dedup();
    json!(
        names
            .iter()
            .enumerate()
            .map(|(i, n)| json!({"Id": n.to_lowercase(), "Name": n, "DisplayOrder": i + 1, "Links": {}}))
            .collect::<Vec<_>>()
    )
}

/// Built-in steps and the templates of the space, by name.
fn search(state: &State, ask: &Ask) -> Value {
    let item = |id: Value, kind: &str, name: &str, description: &Value, links: Value| {
        let built_in = id.is_null();
        let category = BUILT_IN.iter().find(|b| b.0 == kind).map_or("Other", |b| b.3);
        json!({
            "Id": id, "Type": kind, "Name": name, "Description": description, "Keywords": null, "Author": if built_in { json!("Octopus Deploy") } else { Value::Null },
            "Website": null, "IsInstalled": true, "IsBuiltIn": built_in, "Category": category, "Categories": [category],
            "CommunityActionTemplateId": null, "HasUpdate": false, "Links": links,
        })
    };
    let mut all: Vec<Value> =
        BUILT_IN.iter().map(|(kind, name, description, _)| item(Value::Null, kind, name, &json!(description), json!({}))).collect();
    for doc in collection::select(state, TEMPLATES, ask, |_| true) {
        let shown = present(TEMPLATES, doc);
        let links = json!({"Self": shown["Links"]["Self"], "Logo": shown["Links"]["Logo"]});
        all.push(item(doc["Id"].clone(), str_of(doc, "ActionType"), str_of(doc, "Name"), &doc["Description"], links));
    }
    all.retain(|i| ask.query("type").is_none_or(|t| str_of(i, "Type").eq_ignore_ascii_case(t)));
    all.sort_by_key(|i| str_of(i, "Name").to_lowercase());
    Value::Array(all)
}

/// The steps that are made from a template.
fn usage(state: &State, template: &Value) -> Vec<Value> {
    let mut all = Vec::new();
    for process in state.written.values().filter(|d| d["Steps"].is_array()) {
        let project = state.store.of("projects").get(str_of(process, "ProjectId")).unwrap_or(&Value::Null);
        let thing = Thing { space: project["SpaceId"].as_str(), ..Thing::project(str_of(project, "Id")) };
        if str_of(project, "SpaceId") != str_of(template, "SpaceId") || !state.allows("ProjectView", &thing) {
            continue;
        }
        let runbook = text(process, "RunbookId");
        let deployment = runbook.is_none();
        for step in process["Steps"].as_array().into_iter().flatten() {
            for action in step["Actions"].as_array().into_iter().flatten().filter(|a| is_of(a, template)) {
                all.push(json!({
                    "Id": null, "ActionTemplateId": template["Id"], "ActionId": action["Id"], "ActionName": action["Name"],
                    "StepId": step["Id"], "StepName": step["Name"], "ProcessId": process["Id"],
                    "ProcessType": if deployment { "Deployment" } else { "Runbook" }, "DeploymentProcessId": deployment.then(|| &process["Id"]),
                    "ProjectId": project["Id"], "ProjectName": project["Name"], "ProjectSlug": project["Slug"], "RunbookId": runbook,
                    "RunbookName": runbook.as_ref().map(|r| state.store.name("runbooks", r)), "Release": null, "Branch": null,
                    "Version": action_version(action).to_string(), "Links": {},
                }));
            }
        }
    }
    all
}

fn is_of(action: &Value, template: &Value) -> bool {
    str_of(&action["Properties"], TEMPLATE).eq_ignore_ascii_case(str_of(template, "Id"))
}

/// The version a step was made from; texts and numbers are both seen.
fn action_version(action: &Value) -> u64 {
    let said = &action["Properties"][VERSION];
    said.as_u64().or_else(|| said.as_str()?.trim().parse().ok()).unwrap_or(0)
}

/// What came of updating one step.
#[derive(Default)]
struct Outcome {
    missing: Vec<String>,
    merge: Map<String, Value>,
    removed: Vec<Value>,
}

impl Outcome {
    fn name(&self) -> &'static str {
        if !self.removed.is_empty() {
            "RemovedPackageInUse"
        } else if !self.merge.is_empty() {
            "ManualMergeRequired"
        } else if !self.missing.is_empty() {
            "DefaultParamterValueMissing"
        } else {
            "Success"
        }
    }
}

/// `POST …/actionsUpdate`: brings steps to a version of their template; each step for itself.
fn update_actions(state: &mut State, ask: &Ask, template: Arc<Document>) -> Handled {
    let template: &Value = &template;
    let version = ask.field("Version").as_u64().ok_or_else(|| Refusal::required("Version"))?;
    let target = of_version(template, version)
        .ok_or_else(|| Refusal::invalid(format!("The step template '{}' has no version {version}.", str_of(template, "Name"))))?;
    let mut wanted: Vec<(String, Vec<String>)> = Vec::new();
    for process in ask.field("ActionsToUpdate").as_array().into_iter().flatten() {
        wanted.push((text(process, "ProcessId").unwrap_or_default(), texts(field(process, "ActionIds"))));
    }
    for (process, actions) in ask.field("ActionIdsByProcessId").as_object().into_iter().flatten() {
        wanted.push((process.clone(), texts(actions)));
    }
    if wanted.is_empty() {
        return Err(Refusal::required("ActionsToUpdate"));
    }
    let mut results = Vec::new();
    for (id, ids) in wanted {
        let mut process = processes::process(state, &id)?;
        let project = str_of(&process, "ProjectId").to_owned();
        let mut changed = false;
        for wanted in ids {
            let actions =
                process["Steps"].as_array_mut().into_iter().flatten().flat_map(|s| s["Actions"].as_array_mut().into_iter().flatten());
            let action = actions
                .into_iter()
                .find(|a| str_of(a, "Id").eq_ignore_ascii_case(&wanted) && is_of(a, template))
                .ok_or_else(|| Refusal::invalid(format!("The process '{id}' has no action '{wanted}' made from this step template.")))?;
            let (new, mut outcome) = merged(action, template, &target, ask.field("DefaultPropertyValues"), ask.field("Overrides"));
            outcome.removed = removed_in_use(state, &project, action, &new);
            if outcome.name() == "Success" {
                *action = new;
                changed = true;
            }
            results.push(json!({
                "Id": wanted, "Outcome": outcome.name(), "NamesOfNewParametersMissingDefaultValue": outcome.missing,
                "ManualMergeRequiredReasonsByPropertyName": outcome.merge, "RemovedPackageUsages": outcome.removed, "Links": {},
            }));
        }
        if changed {
            process["Version"] = json!(version_of(&process) + 1);
            state.written.insert(id.to_lowercase(), process);
        }
    }
    Answer::ok(Value::Array(results))
}

/// A step as it would be in the target version. What only the template changed is taken over; what only the step changed
/// stays; what both changed needs a person or an override.
fn merged(action: &Value, template: &Value, target: &Value, defaults: &Value, overrides: &Value) -> (Value, Outcome) {
    let mut outcome = Outcome::default();
    let before = of_version(template, action_version(action)).unwrap_or_default();
    let mut new = action.clone();
    let mut names: Vec<&String> = [&before, target].into_iter().filter_map(|t| t["Properties"].as_object()).flat_map(Map::keys).collect();
    names.sort();
    names.dedup();
    let mut put = |name: &str, value: &Value| {
        if let Some(properties) = new["Properties"].as_object_mut() {
            if value.is_null() {
                properties.shift_remove(name);
            } else {
                properties.insert(name.to_owned(), value.clone());
            }
        }
    };
    for name in names {
        let of = |doc: &Value| doc["Properties"].get(name).cloned().unwrap_or(Value::Null);
        let (mine, was, wanted, chosen) = (of(action), of(&before), of(target), field(overrides, name));
        if !chosen.is_null() {
            put(name, chosen);
        } else if mine == was || mine == wanted {
            put(name, &wanted);
        } else if was != wanted {
            outcome.merge.insert(name.clone(), json!(["The value was changed in the step and in the step template."]));
        }
    }
    let parameters = |doc: &Value| doc["Parameters"].as_array().cloned().unwrap_or_default();
    let named = |list: &[Value], name: &str| list.iter().any(|p| str_of(p, "Name").eq_ignore_ascii_case(name));
    let (old, wanted) = (parameters(&before), parameters(target));
    for parameter in old.iter().filter(|p| !named(&wanted, str_of(p, "Name"))) {
        put(str_of(parameter, "Name"), &Value::Null);
    }
    for parameter in wanted.iter().filter(|p| !named(&old, str_of(p, "Name"))) {
        let name = str_of(parameter, "Name");
        let filled = |v: &&Value| !v.is_null() && v.as_str() != Some("");
        match [field(overrides, name), field(defaults, name), &action["Properties"][name], &parameter["DefaultValue"]]
            .into_iter()
            .find(filled)
        {
            Some(value) => put(name, value),
            None => outcome.missing.push(name.to_owned()),
        }
    }
    put(VERSION, &json!(version_of(target).to_string()));
    new["Packages"] = packages(action, &before, target);
    (new, outcome)
}

/// The step's packages: those that are new in the template come, those that it dropped go, the others stay as they are.
fn packages(action: &Value, before: &Value, target: &Value) -> Value {
    let list = |doc: &Value| doc["Packages"].as_array().cloned().unwrap_or_default();
    let has = |list: &[Value], package: &Value| list.iter().any(|p| str_of(p, "Name").eq_ignore_ascii_case(str_of(package, "Name")));
    let (mine, was, wanted) = (list(action), list(before), list(target));
    let mut all: Vec<Value> = mine.iter().filter(|p| has(&wanted, p) || !has(&was, p)).cloned().collect();
    all.extend(wanted.iter().filter(|p| !has(&mine, p)).cloned());
    Value::Array(all)
}

/// Packages that would go but give releases their version, or have a channel's rule.
fn removed_in_use(state: &State, project: &str, action: &Value, new: &Value) -> Vec<Value> {
    let step = str_of(action, "Name");
    let gone = |reference: &str| {
        let has =
            |doc: &Value| doc["Packages"].as_array().is_some_and(|l| l.iter().any(|p| str_of(p, "Name").eq_ignore_ascii_case(reference)));
        has(action) && !has(new)
    };
    let mut all = Vec::new();
    if let Some((by, reference)) = selection::donor(state, project)
        && by.eq_ignore_ascii_case(step)
        && gone(&reference)
    {
        let name = state.store.name("projects", project);
        all.push(json!({"PackageReference": reference, "UsedBy": "ProjectVersionStrategy", "UsedById": project, "UsedByName": name}));
    }
    for channel in state.store.of("channels").iter().filter(|c| str_of(c, "ProjectId") == project) {
        let rules = channel["Rules"].as_array().into_iter().flatten();
        for package in rules.flat_map(|r| r["ActionPackages"].as_array().into_iter().flatten()) {
            let reference = str_of(package, "PackageReference");
            if str_of(package, "DeploymentAction").eq_ignore_ascii_case(step) && gone(reference) {
                all.push(json!({"PackageReference": reference, "UsedBy": "ChannelRule", "UsedById": channel["Id"], "UsedByName": channel["Name"]}));
            }
        }
    }
    all
}
