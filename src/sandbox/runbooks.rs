//! Runbooks, their snapshots and their runs.

use super::{
    answer::{All, Answer, Ask, Handled, Refusal, is_called, str_of, texts},
    audit::SYSTEM,
    collection::{self, under},
    deployments::{self, Job, NewExecution},
    environment_types::{EnvironmentType, includes, type_of},
    git, git_resources, lifecycle,
    nouns::{Noun, PROJECTS, named},
    pages::page,
    previews,
    routing::{Endpoint, Find, Of, OfBy, Whole, delete, get, post, put},
    selection,
    state::{State, What, stamp},
    store::Document,
    variables::{self, Target},
    world::server_version::Generation,
};
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::Arc};

/// Makes a snapshot of a runbook and returns its id.
pub(crate) fn snapshot(state: &mut State, space: &str, project: &str, runbook: &str, name: &str, notes: Option<String>) -> String {
    let id = state.store.next_id("RunbookSnapshots-");
    let taken = state.take_variables(project);
    state.runbook_variables.insert(id.to_lowercase(), taken);
    let mut doc = json!({
        "Id": id, "SpaceId": space, "Name": name, "RunbookId": runbook, "ProjectId": project, "Notes": notes, "Assembled": stamp(state.now),
        "FrozenRunbookProcessId": format!("RunbookProcess-{runbook}-s-1-SANDB"), "FrozenProjectVariableSetId": null,
        "LibraryVariableSetSnapshotIds": [], "SelectedPackages": [], "SelectedGitResources": [], "GitReference": null,
        "ProjectVariableSetSnapshotId": null,
    });
    state.show_taken(&mut doc);
    state.store.of_mut("runbookSnapshots").put(doc);
    id
}

/// Makes a run and its task.
pub(crate) fn run(state: &mut State, runbook: &str, wanted: Option<&str>, new: NewExecution) -> Result<usize, Refusal> {
    let r = state.store.of("runbooks").get(runbook).ok_or_else(|| Refusal::missing(runbook))?.clone();
    let (name, project, space) = (str_of(&r, "Name").to_owned(), str_of(&r, "ProjectId").to_owned(), str_of(&r, "SpaceId").to_owned());
    let snapshot = match wanted {
        Some(s) => state
            .store
            .of("runbookSnapshots")
            .iter()
            .find(|d| str_of(d, "RunbookId") == runbook && is_called(d, &["Id", "Name"], s))
            .map(|d| str_of(d, "Id").to_owned())
            .ok_or_else(|| Refusal::missing(s))?,
        None => r["PublishedRunbookSnapshotId"]
            .as_str()
            .filter(|s| !s.is_empty())
            .map(str::to_owned)
            .ok_or_else(|| Refusal::invalid(format!("The runbook '{name}' has no published snapshot.")))?,
    };
    let environment = state.store.name("environments", &new.environment);
    let taken = state.runbook_variables.get(&snapshot.to_lowercase()).cloned().unwrap_or_default();
    let values = check_place(state, &r, &new, variables::of_snapshot(state, &taken))?;
    let mut description = format!("Run {name} on {environment}");
    if let Some(t) = &new.tenant {
        description = format!("{description} for {}", state.store.name("tenants", t));
    }
    let tag = format!("{runbook}/{}/{}", new.environment, new.tenant.as_deref().unwrap_or_default());
    let first = new.priority.as_deref() == Some("On");
    let id = state.store.next_id("RunbookRuns-");
    let what = What::Runbook { runbook: runbook.to_owned(), snapshot };
    Ok(deployments::enqueue(state, Job { id, space, project, owner: runbook.to_owned(), what, description, tag, first, values, new }))
}

/// The rules that forbid a run; the values of its prompted variables when none does. `taken` are the variables with which it would go.
///
/// # Errors
/// 400 for every rule that forbids it, and 403.
pub(crate) fn check_place(
    state: &State,
    runbook: &Value,
    new: &NewExecution,
    taken: Vec<Value>,
) -> Result<BTreeMap<String, String>, Refusal> {
    let (project, space) = (str_of(runbook, "ProjectId"), str_of(runbook, "SpaceId"));
    let p = state.store.of("projects").get(project).ok_or_else(|| Refusal::missing(project))?;
    if p["IsDisabled"] == true {
        return Err(Refusal::invalid(format!("The project '{}' is disabled.", str_of(p, "Name"))));
    }
    if new.user != SYSTEM {
        state.demand("RunbookRunCreate", &new.thing(space, project))?;
    }
    // The server itself runs it where it provisions and deprovisions, wherever people may run it.
    let is_meant = new.user == SYSTEM || includes(state, &environments(state, runbook), &new.environment);
    if !is_meant || type_of(state, &new.environment) == EnvironmentType::Parent {
        let environment = state.store.name("environments", &new.environment);
        let name = str_of(runbook, "Name");
        return Err(Refusal::invalid(format!("The runbook '{name}' cannot be run in environment '{environment}'.")));
    }
    if new.tenant.is_some() {
        deployments::check_tenant(state, "TenantedOrUntenanted", str_of(p, "Name"), project, new, None)?;
    }
    let target = Target { environment: &new.environment, tenant: new.tenant.as_deref(), channel: None };
    variables::prompted(state, taken, &target, &new.forms, &new.variables)
}

/// 400 for a runbook that is in Git, which only its own calls run.
pub(crate) fn in_database(state: &State, runbook: &str) -> Result<(), Refusal> {
    match state.store.of("runbooks").get(runbook) {
        Some(doc) if doc["_InGit"] == true => {
            Err(Refusal::invalid(format!("The runbook '{}' is in Git: it is run at a Git reference.", str_of(doc, "Name"))))
        }
        _ => Ok(()),
    }
}

/// Where a runbook may run.
pub(crate) fn environments(state: &State, runbook: &Value) -> Vec<String> {
    let space = str_of(runbook, "SpaceId");
    match str_of(runbook, "EnvironmentScope") {
        "Specified" => texts(&runbook["Environments"]),
        "FromProjectLifecycles" => {
            lifecycle::lifecycle_environments(state, space, &lifecycle::lifecycle_of(state, str_of(runbook, "ProjectId"), ""))
        }
        _ => {
            let docs = || state.store.of("environments").iter().filter(|e| str_of(e, "SpaceId") == space);
            let ephemeral = docs().filter(|e| EnvironmentType::of(e) == EnvironmentType::Ephemeral).map(|e| str_of(e, "Id").to_owned());
            lifecycle::environments(state, space).into_iter().chain(ephemeral).collect()
        }
    }
}

const RUNBOOKS: &Noun = named("runbooks");
const SNAPSHOTS: &Noun = named("runbookSnapshots");

/// What makes a snapshot.
const SNAPSHOT: &[&str] = &["ProjectId", "RunbookId", "Name", "Notes", "SelectedPackages"];

#[rustfmt::skip]
pub(crate) const ENDPOINTS: &[Endpoint] = &[
    get("S/runbooks/{id}/environments", "RunbookView", &Of(RUNBOOKS, environments_of)),
    get("S/runbooks/{id}/runbookSnapshotTemplate", "RunbookView", &Of(RUNBOOKS, snapshot_template)),
    get("S/runbooks/{id}/runbookSnapshots", "RunbookView", &Of(RUNBOOKS, snapshots_of)),
    get("S/runbooks/{id}/runbookRuns/preview/{environment}", "RunbookRunCreate", &OfBy(RUNBOOKS, |state, _, runbook, [environment]| Answer::ok(preview(state, &runbook, environment, None)))),
    post("S/runbooks/{id}/runbookRuns/previews", "RunbookRunCreate", &Of(RUNBOOKS, previews_of)).takes(&[&["DeploymentPreviews"]]),
    post("S/runbooks/{id}/run", "RunbookRunCreate", &Of(RUNBOOKS, run_everywhere)).takes(&[deployments::COMMON, deployments::BY_ID, &["EnvironmentIds", "RunbookSnapshotId"]]),
    get("S/projects/{id}/runbooks", "RunbookView", &Of(PROJECTS, |state, ask, project| of_project_list(state, ask, &project, false))),
    get("S/projects/{id}/runbooks/{runbook}", "RunbookView", &OfBy(PROJECTS, |state, _, project, [id]| Answer::ok(of_project(state, &project, id)?.shown()))),
    get("S/projects/{id}/runbooks/{runbook}/environments", "RunbookView", &OfBy(PROJECTS, |state, ask, project, [id]| environments_of(state, ask, of_project(state, &project, id)?))),
    get("S/projects/{id}/runbooks/{runbook}/runbookSnapshots", "RunbookView", &OfBy(PROJECTS, |state, ask, project, [id]| snapshots_of(state, ask, of_project(state, &project, id)?))),
    get("S/projects/{id}/runbooks/{runbook}/runbookSnapshotTemplate", "RunbookView", &OfBy(PROJECTS, |state, ask, project, [id]| snapshot_template(state, ask, of_project(state, &project, id)?))),
    get("S/projects/{id}/runbooks/{runbook}/runbookRuns/preview/{environment}", "RunbookRunCreate", &OfBy(PROJECTS, |state, _, project, [id, environment]| Answer::ok(preview(state, &*of_project(state, &project, id)?, environment, None)))),
    post("S/projects/{id}/runbooks/{runbook}/runbookRuns/previews", "RunbookRunCreate", &OfBy(PROJECTS, |state, ask, project, [id]| previews_of(state, ask, of_project(state, &project, id)?))).takes(&[&["DeploymentPreviews"]]),
    post("S/projects/{id}/runbooks", "RunbookEdit", &Of(PROJECTS, create_in_project)).keeps(),
    put("S/projects/{id}/runbooks/{runbook}", "RunbookEdit", &OfBy(PROJECTS, |state, ask, _, [id]| collection::replace(state, ask, RUNBOOKS, RUNBOOKS.find(state, ask, id)?))).keeps(),
    delete("S/projects/{id}/runbooks/{runbook}", "RunbookEdit", &OfBy(PROJECTS, |state, ask, _, [id]| collection::remove(state, ask, RUNBOOKS, RUNBOOKS.find(state, ask, id)?))),
    post("S/runbooks", "RunbookEdit", &Whole(create_runbook)).keeps(),
    post("S/runbookSnapshots", "RunbookEdit", &Whole(create_snapshot)).takes(&[SNAPSHOT]),
    get("S/projects/{id}/runbookSnapshots", "RunbookView", &Of(PROJECTS, |state, ask, project| under(state, ask, SNAPSHOTS, &project))),
    post("S/projects/{id}/runbookSnapshots", "RunbookEdit", &Of(PROJECTS, |state, ask, _| create_snapshot(state, ask))).takes(&[SNAPSHOT]),
    get("S/projects/{id}/runbookSnapshots/{name}", "RunbookView", &OfBy(PROJECTS, |state, _, project, [name]| Answer::ok(belonging(state, SNAPSHOTS, &project, name, "Name")?.shown()))),
    get("S/runbookSnapshots/{id}/runbookRuns", "RunbookRunView", &Of(SNAPSHOTS, runs_of)),
    get("S/runbookSnapshots/{id}/runbookRuns/template", "RunbookRunCreate", &Of(SNAPSHOTS, run_template)),
    get("S/runbookSnapshots/{id}/runbookRuns/preview/{environment}", "RunbookRunCreate", &OfBy(SNAPSHOTS, |state, _, snapshot, [environment]| {
        let target = Target { environment, tenant: None, channel: None };
        let taken = state.runbook_variables.get(&str_of(&snapshot, "Id").to_lowercase()).cloned().unwrap_or_default();
        Answer::ok(previews::preview(state, variables::of_snapshot(state, &taken), str_of(&snapshot, "RunbookId"), &target))
    })),
    get("S/runbookRuns", "RunbookRunView", &Whole(|state, ask| Answer::ok(deployments::list(state, ask, false, None, |_| true)))),
    post("S/runbookRuns", "RunbookRunCreate", &Whole(create_run)).takes(&[deployments::COMMON, deployments::BY_ID, &["ProjectId", "RunbookId", "RunbookSnapshotId"]]),
    get("S/runbookRuns/{id}", "RunbookRunView", &Of(deployments::find, |state, _, index| Answer::ok(deployments::render(state, index)))),
];

/// A runbook of a project that is not in Git, by id or slug.
fn of_project(state: &State, project: &Value, id: &str) -> Result<Arc<Document>, Refusal> {
    belonging(state, RUNBOOKS, project, id, "Slug").and_then(|doc| if doc["_InGit"] == true { Err(Refusal::missing(id)) } else { Ok(doc) })
}

/// The runbooks of a project that are in Git, or those that are not.
pub(crate) fn of_project_list(state: &State, ask: &Ask, project: &Value, in_git: bool) -> Handled {
    let found = collection::select_among(state, RUNBOOKS, ask, Some(str_of(project, "Id")), |doc| (doc["_InGit"] == true) == in_git);
    Answer::ok(page(ask, RUNBOOKS.item, &found, |d| d.shown()))
}

/// A document of a project, by its id or another member.
pub(crate) fn belonging(state: &State, noun: &Noun, project: &Value, id: &str, member: &str) -> Result<Arc<Document>, Refusal> {
    let mut all = state.store.of(noun.path).documents_with("ProjectId", str_of(project, "Id"));
    let found = all.find(|d| is_called(d, &["Id", member], id));
    found.cloned().ok_or_else(|| Refusal::missing(id))
}

pub(crate) fn environments_of(state: &mut State, _: &Ask, runbook: Arc<Document>) -> Handled {
    let docs = state.store.of("environments");
    Answer::ok(All(environments(state, &runbook).iter().filter_map(|e| docs.document(e)).map(Document::shown).collect()))
}

pub(crate) fn snapshot_template(state: &mut State, _: &Ask, runbook: Arc<Document>) -> Handled {
    let id = str_of(&runbook, "Id");
    let snapshots = || state.store.of("runbookSnapshots").iter().filter(|s| str_of(s, "RunbookId") == id);
    let (count, last) = (snapshots().count(), snapshots().next_back().unwrap_or(&Value::Null));
    let process = format!("RunbookProcess-{id}");
    let packages = selection::template(state, &process, None, &last["SelectedPackages"]);
    let resources = git_resources::template(state, &process, None, &last["SelectedGitResources"]);
    Answer::ok(
        json!({"NextNameIncrement": format!("Snapshot {}", count + 1), "RunbookProcessId": format!("RunbookProcess-{id}"), "RunbookId": id, "Packages": packages, "GitResources": resources, "Links": {}}),
    )
}

fn snapshots_of(state: &mut State, ask: &Ask, runbook: Arc<Document>) -> Handled {
    collection::list(state, ask, SNAPSHOTS, |s| str_of(s, "RunbookId") == str_of(&runbook, "Id"))
}

pub(crate) fn preview(state: &State, runbook: &Value, environment: &str, tenant: Option<&str>) -> Value {
    let target = Target { environment, tenant, channel: None };
    let published = state.runbook_variables.get(&str_of(runbook, "PublishedRunbookSnapshotId").to_lowercase());
    let taken = match published {
        Some(taken) => variables::of_snapshot(state, taken),
        None => variables::of_project(state, str_of(runbook, "ProjectId")),
    };
    previews::preview(state, taken, str_of(runbook, "Id"), &target)
}

pub(crate) fn previews_of(state: &mut State, ask: &Ask, runbook: Arc<Document>) -> Handled {
    previews::each(ask, |environment, tenant| Ok(preview(state, &runbook, environment, tenant)))
}

fn run_everywhere(state: &mut State, ask: &Ask, runbook: Arc<Document>) -> Handled {
    in_database(state, str_of(&runbook, "Id"))?;
    let mut environments = ask.texts("EnvironmentIds");
    environments.extend(ask.text("EnvironmentId"));
    let base = deployments::read(state, &ask.body, &ask.user, false)?;
    let made = environments
        .into_iter()
        .map(|environment| {
            let new = NewExecution { environment, tenant: ask.text("TenantId"), ..base.clone() };
            run(state, str_of(&runbook, "Id"), ask.text("RunbookSnapshotId").as_deref(), new).map(|i| deployments::render(state, i))
        })
        .collect::<Result<Vec<_>, _>>()?;
    Answer::created(made)
}

fn create_in_project(state: &mut State, ask: &Ask, project: Arc<Document>) -> Handled {
    if ask.text("ProjectId").is_none_or(|p| !p.eq_ignore_ascii_case(str_of(&project, "Id"))) {
        return Err(Refusal::invalid("The ProjectId of the runbook is not that of its project."));
    }
    create_runbook(state, ask)
}

fn create_runbook(state: &mut State, ask: &Ask) -> Handled {
    let project = ask.text("ProjectId").and_then(|id| state.store.of("projects").get(&id));
    if project.is_some_and(git::has_runbooks) {
        return Err(Refusal::said(501, "The sandbox does not simulate commits: runbooks in Git are those of its world."));
    }
    collection::create(state, ask, RUNBOOKS, |_, _, _| {})
}

/// Refuses a body that names another project than that of the runbook.
fn of_this_project(ask: &Ask, runbook: &Value) -> Result<(), Refusal> {
    let other = ask.text("ProjectId").filter(|project| !project.eq_ignore_ascii_case(str_of(runbook, "ProjectId")));
    other.map_or(Ok(()), |project| Err(Refusal::invalid(format!("The runbook does not belong to the project '{project}'."))))
}

fn create_snapshot(state: &mut State, ask: &Ask) -> Handled {
    let runbook = ask.need("RunbookId")?;
    let doc = state.store.of("runbooks").get(&runbook).ok_or_else(|| Refusal::missing(&runbook))?.clone();
    of_this_project(ask, &doc)?;
    let name = ask.need("Name")?;
    let id = snapshot(state, str_of(&doc, "SpaceId"), str_of(&doc, "ProjectId"), str_of(&doc, "Id"), &name, ask.text("Notes"));
    let packages = ask.field("SelectedPackages");
    if packages.is_array() {
        state.store.of_mut("runbookSnapshots").change(&id, |snapshot| snapshot["SelectedPackages"] = packages.clone());
    }
    if ask.flag("publish") == Some(true) {
        state.store.of_mut("runbooks").change(&runbook, |doc| doc["PublishedRunbookSnapshotId"] = json!(id));
    }
    Answer::created(state.store.of("runbookSnapshots").document(&id).ok_or_else(|| Refusal::missing(&id))?.shown())
}

fn runs_of(state: &mut State, ask: &Ask, snapshot: Arc<Document>) -> Handled {
    let (among, id) = (state.by_project.get(str_of(&snapshot, "ProjectId")).cloned(), str_of(&snapshot, "Id"));
    let of_it = |x: usize| matches!(&state.executions[x].what, What::Runbook { snapshot, .. } if snapshot.eq_ignore_ascii_case(id));
    Answer::ok(deployments::list(state, ask, false, among, of_it))
}

fn run_template(state: &mut State, _: &Ask, snapshot: Arc<Document>) -> Handled {
    let runbook = state.store.of("runbooks").get(str_of(&snapshot, "RunbookId")).unwrap_or(&Value::Null);
    let at = format!("/api/{}/runbookSnapshots/{}/runbookRuns/preview", str_of(&snapshot, "SpaceId"), str_of(&snapshot, "Id"));
    let target = |e: &String| json!({"Id": e, "Name": state.store.name("environments", e), "Links": {"Preview": format!("{at}/{e}")}});
    let to: Vec<Value> = environments(state, runbook).iter().map(target).collect();
    Answer::ok(
        json!({"IsRunbookProcessModified": false, "IsVariableSetModified": false, "IsLibraryVariableSetModified": false, "PromoteTo": to, "TenantPromotions": [], "Links": {}}),
    )
}

fn create_run(state: &mut State, ask: &Ask) -> Handled {
    let runbook = ask.need("RunbookId")?;
    let doc = state.store.of("runbooks").get(&runbook).ok_or_else(|| Refusal::missing(&runbook))?;
    of_this_project(ask, doc)?;
    let (id, new) = (str_of(doc, "Id").to_owned(), deployments::read_sent(state, &ask.body, str_of(doc, "SpaceId"), &ask.user)?);
    in_database(state, &id)?;
    let snapshot = ask.text("RunbookSnapshotId");
    if snapshot.is_none() && state.plan.version.generation >= Generation::V2026_3 {
        return Err(Refusal::required("RunbookSnapshotId"));
    }
    let index = run(state, &id, snapshot.as_deref(), new)?;
    Answer::created(deployments::render(state, index))
}
