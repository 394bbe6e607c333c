//! What a project in Git has at a branch, a tag or a commit (octopus-api.md §10.1).
//!
//! A branch is a name with a commit: every reference shows the same process, settings and variables.

use super::{
    answer::{Answer, Ask, Handled, Refusal, str_of},
    collection,
    git::{GitKind, GitPoint, encoded, in_git, names, point, render},
    nouns::PROJECTS,
    pages::page,
    processes::{process, settings},
    release_creation,
    routing::{Endpoint, Of, OfBy, absent, get, put},
    state::State,
    store::Document,
    variables,
};
use serde_json::{Value, json};
use std::sync::Arc;

const ONE_STATE: &str = "the same at every reference: branches are names";
const WRITTEN_THERE: &str = "what is in Git is changed there, and commits are not simulated";

#[rustfmt::skip]
pub(crate) const ENDPOINTS: &[Endpoint] = &[
    get("S/projects/{id}/git/branches", "ProjectView", &Of(in_git, |_, ask, project| references(ask, &project, GitKind::Branch))),
    get("S/projects/{id}/git/branches/{name}", "ProjectView", &OfBy(in_git, |_, _, project, [name]| Answer::ok(one(&project, GitKind::Branch, name)?))),
    get("S/projects/{id}/git/tags", "ProjectView", &Of(in_git, |_, ask, project| references(ask, &project, GitKind::Tag))),
    get("S/projects/{id}/git/tags/{name}", "ProjectView", &OfBy(in_git, |_, _, project, [name]| Answer::ok(one(&project, GitKind::Tag, name)?))),
    get("S/projects/{id}/git/commits/{hash}", "ProjectView", &OfBy(in_git, |_, _, project, [hash]| Answer::ok(one(&project, GitKind::Commit, hash)?))),
    get("S/projects/{id}/{gitref}/deploymentprocesses", "ProcessView", &OfBy(in_git, |state, _, project, [reference]| {
        let at = point(&project, reference)?;
        let doc = process(state, &format!("deploymentprocess-{}", str_of(&project, "Id")))?;
        Answer::ok(linked(doc, &project, &at, "deploymentprocesses"))
    })).partly(ONE_STATE),
    get("S/projects/{id}/{gitref}/deploymentprocesses/template", "ProcessView", &OfBy(in_git, |state, ask, project, [reference]| {
        point(&project, reference)?;
        Answer::ok(release_creation::new_release_template(state, str_of(&project, "Id"), ask.query("channel")))
    })).partly(ONE_STATE),
    get("S/projects/{id}/{gitref}/deploymentsettings", "ProcessView|ProjectView", &OfBy(in_git, |state, _, project, [reference]| {
        let at = point(&project, reference)?;
        Answer::ok(linked(settings(state, str_of(&project, "Id")), &project, &at, "deploymentsettings"))
    })).partly(ONE_STATE),
    get("S/projects/{id}/{gitref}/variables", "VariableView", &OfBy(in_git, variables_at)).partly(ONE_STATE),
    absent("PUT", "S/projects/{id}/{gitref}/deploymentprocesses", WRITTEN_THERE),
    absent("PUT", "S/projects/{id}/{gitref}/deploymentsettings", WRITTEN_THERE),
    absent("PUT", "S/projects/{id}/{gitref}/variables", WRITTEN_THERE),
    put("S/projects/{id}", "ProjectEdit", &Of(PROJECTS, change)).keeps(),
];

/// A document with the addresses it has at a reference.
fn linked(mut doc: Value, project: &Value, at: &GitPoint, what: &str) -> Value {
    let own = format!("/api/{}/projects/{}/{}/{what}", str_of(project, "SpaceId"), str_of(project, "Id"), encoded(&at.reference));
    if doc["Links"]["Template"].is_string() {
        doc["Links"]["Template"] = json!(format!("{own}/template{{?channel,releaseId}}"));
    }
    doc["Links"]["Self"] = json!(own);
    doc
}

fn variables_at(state: &mut State, _: &Ask, project: Arc<Document>, [reference]: [&str; 1]) -> Handled {
    let at = point(&project, reference)?;
    if project["PersistenceSettings"]["ConversionState"]["VariablesAreInGit"] != true {
        return Err(Refusal::invalid(format!("The variables of the project '{}' are not in Git.", str_of(&project, "Name"))));
    }
    let mut doc = variables::get_set(state, &format!("variableset-{}", str_of(&project, "Id")))?;
    if let Some(list) = doc["Variables"].as_array_mut() {
        list.retain(|variable| variable["IsSensitive"] != true);
    }
    Answer::ok(linked(doc, &project, &at, "variables"))
}

/// A project stays where its process is.
fn change(state: &mut State, ask: &Ask, project: Arc<Document>) -> Handled {
    let sent = ask.field("PersistenceSettings");
    let kept = &project["PersistenceSettings"];
    if sent["Type"].is_string() && (sent["Type"] != kept["Type"] || sent["ConversionState"] != kept["ConversionState"]) {
        return Err(Refusal::said(501, "The sandbox does not simulate moving a project to Git or back: say `git` in its world."));
    }
    collection::replace(state, ask, PROJECTS, project)
}

fn references(ask: &Ask, project: &Value, kind: GitKind) -> Handled {
    let search = ask.query("searchByName").map(str::to_lowercase);
    let mut found = names(project, kind);
    found.retain(|name| search.as_ref().is_none_or(|s| name.to_lowercase().contains(s)));
    Answer::ok(page(ask, kind.words().0, &found, |name| render(project, kind, name)))
}

fn one(project: &Value, kind: GitKind, wanted: &str) -> Result<Value, Refusal> {
    let short = wanted.strip_prefix(kind.words().1).unwrap_or(wanted);
    let found = names(project, kind).into_iter().find(|name| name == short);
    found.map(|name| render(project, kind, &name)).ok_or_else(|| Refusal::missing(wanted))
}
