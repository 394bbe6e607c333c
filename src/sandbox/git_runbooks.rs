//! Runbooks in Git: read and run as they are at a reference, and runs that are repeated (octopus-api.md §16.3, §17).

use super::{
    answer::{Answer, Ask, Handled, Refusal, is_called, str_of},
    deployments::{self, NewExecution},
    git::{self, GitPoint, in_git, point},
    git_resources,
    members::Accepts,
    nouns::{Noun, PROJECTS, named},
    processes::process,
    routing::{Endpoint, OfBy, absent, get, post},
    runbooks,
    selection::{self, Selecting},
    state::{State, What},
    store::Document,
    variables,
    world::server_version::Generation,
};
use serde_json::{Value, json};
use std::sync::Arc;

const RUNBOOKS: &Noun = named("runbooks");
const ONE_STATE: &str = "the same at every reference: branches are names";
const WRITTEN_THERE: &str = "what is in Git is changed there, and commits are not simulated";

#[rustfmt::skip]
pub(crate) const ENDPOINTS: &[Endpoint] = &[
    get("S/projects/{id}/{gitref}/runbooks", "RunbookView", &OfBy(in_git, |state, ask, project, [reference]| {
        point(with_runbooks(&project)?, reference)?;
        runbooks::of_project_list(state, ask, &project, true)
    })).partly(ONE_STATE),
    get("S/projects/{id}/{gitref}/runbooks/{runbook}", "RunbookView", &OfBy(in_git, |state, _, project, [reference, id]| Answer::ok(at(state, &project, reference, id)?.shown()))).partly(ONE_STATE),
    get("S/projects/{id}/{gitref}/runbooks/{runbook}/environments", "RunbookView", &OfBy(in_git, |state, ask, project, [reference, id]| runbooks::environments_of(state, ask, at(state, &project, reference, id)?))).partly(ONE_STATE),
    get("S/projects/{id}/{gitref}/runbooks/{runbook}/runbookSnapshotTemplate", "RunbookView", &OfBy(in_git, |state, ask, project, [reference, id]| runbooks::snapshot_template(state, ask, at(state, &project, reference, id)?))).partly(ONE_STATE),
    get("S/projects/{id}/{gitref}/runbooks/{runbook}/runbookRuns/preview/{environment}", "RunbookRunCreate", &OfBy(in_git, |state, _, project, [reference, id, environment]| {
        Answer::ok(runbooks::preview(state, &*at(state, &project, reference, id)?, environment, None))
    })).partly(ONE_STATE),
    get("S/projects/{id}/{gitref}/runbooks/{runbook}/runbookRuns/preview/{environment}/{tenant}", "RunbookRunCreate", &OfBy(in_git, |state, _, project, [reference, id, environment, tenant]| {
        Answer::ok(runbooks::preview(state, &*at(state, &project, reference, id)?, environment, Some(tenant)))
    })).partly(ONE_STATE),
    post("S/projects/{id}/{gitref}/runbooks/{runbook}/runbookRuns/previews", "RunbookRunCreate", &OfBy(in_git, |state, ask, project, [reference, id]| runbooks::previews_of(state, ask, at(state, &project, reference, id)?))).partly(ONE_STATE).takes(&[&["DeploymentPreviews"]]),
    get("S/projects/{id}/{gitref}/runbookProcesses/{process}", "RunbookView", &OfBy(in_git, |state, _, project, [reference, id]| {
        point(with_runbooks(&project)?, reference)?;
        Answer::ok(process(state, id)?)
    })).partly(ONE_STATE),
    absent("PUT", "S/projects/{id}/{gitref}/runbookProcesses/{process}", WRITTEN_THERE),
    absent("POST", "S/projects/{id}/{gitref}/runbooks", WRITTEN_THERE),
    absent("PUT", "S/projects/{id}/{gitref}/runbooks/{runbook}", WRITTEN_THERE),
    absent("DELETE", "S/projects/{id}/{gitref}/runbooks/{runbook}", WRITTEN_THERE),
    post("S/projects/{id}/{gitref}/runbooks/{runbook}/run/v1", "RunbookRunCreate", &OfBy(in_git, run)).takes(&[&["GitRef", "ProjectId", "RunbookId", "Notes", "Runs", "SelectedPackages", "SelectedGitResources"]]),
    post("S/projects/{id}/runbookruns/{run}/retry/v1", "RunbookRunCreate", &OfBy(PROJECTS, retry)).since(Generation::V2026_3),
];

/// A project whose runbooks are in Git; 400 for another one.
pub(crate) fn with_runbooks(project: &Value) -> Result<&Value, Refusal> {
    let name = str_of(project, "Name");
    let no = || Refusal::invalid(format!("The runbooks of the project '{name}' are not in Git."));
    if git::has_runbooks(project) { Ok(project) } else { Err(no()) }
}

/// A runbook at a reference, by id or slug.
fn at(state: &State, project: &Value, reference: &str, id: &str) -> Result<Arc<Document>, Refusal> {
    point(with_runbooks(project)?, reference)?;
    runbooks::belonging(state, RUNBOOKS, project, id, "Slug")
}

/// What is frozen when a runbook in Git is run: where it was read, and what it takes.
pub(crate) struct Frozen {
    pub(crate) at: GitPoint,
    pub(crate) packages: Vec<Value>,
    pub(crate) resources: Vec<Value>,
    pub(crate) notes: Option<String>,
}

/// Runs a runbook in several places: all of them, or none where one is refused.
pub(crate) fn run_all(state: &mut State, runbook: &str, frozen: &Frozen, wanted: Vec<NewExecution>) -> Result<Vec<usize>, Refusal> {
    let doc = state.store.of("runbooks").get(runbook).ok_or_else(|| Refusal::missing(runbook))?.clone();
    wanted
        .iter()
        .try_for_each(|new| runbooks::check_place(state, &doc, new, variables::of_project(state, str_of(&doc, "ProjectId"))).map(drop))?;
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let (space, project) = (str_of(&doc, "SpaceId"), str_of(&doc, "ProjectId"));
    let short = frozen.at.reference.trim_start_matches("refs/heads/").trim_start_matches("refs/tags/");
    let name = format!("{short} {}", &frozen.at.commit[..7]);
    let snapshot = runbooks::snapshot(state, space, project, runbook, &name, frozen.notes.clone());
    let reference = state.store.of("projects").get(project).map(|p| git::versioned(p, &frozen.at.reference, &frozen.at.commit));
    state.store.of_mut("runbookSnapshots").change(&snapshot, |doc| {
        doc["GitReference"] = json!(reference);
        doc["SelectedPackages"] = json!(frozen.packages);
        doc["SelectedGitResources"] = json!(frozen.resources);
    });
    wanted.into_iter().map(|new| runbooks::run(state, runbook, Some(&snapshot), new)).collect()
}

/// `POST …/run/v1`: several runs at once, each with a comment of its own.
fn run(state: &mut State, ask: &Ask, project: Arc<Document>, [reference, id]: [&str; 2]) -> Handled {
    let doc = at(state, &project, reference, id)?;
    let here = point(&project, reference)?;
    ask.need("SpaceId")?;
    let is_it = is_called(&project, &["Id", "Slug"], &ask.need("ProjectId")?) && is_called(&doc, &["Id", "Slug"], &ask.need("RunbookId")?);
    if !is_it || point(&project, &ask.need("GitRef")?)?.reference != here.reference {
        return Err(Refusal::invalid("ProjectId, RunbookId and GitRef must be those of the address."));
    }
    let runbook = str_of(&doc, "Id");
    let wanted = ask.field("Runs").as_array().ok_or_else(|| Refusal::required("Runs"))?;
    let wanted = wanted.iter().map(|one| {
        Accepts::Only(&[deployments::COMMON, deployments::BY_ID]).admit(&ask.method, &ask.path, &[], one)?;
        deployments::read_sent(state, one, str_of(&doc, "SpaceId"), &ask.user)
    });
    let wanted = wanted.collect::<Result<Vec<_>, _>>()?;
    let process = format!("RunbookProcess-{runbook}");
    let of = Selecting { process: &process, channel: &Value::Null, by_rules: false };
    let frozen = Frozen {
        at: here,
        packages: selection::check(state, of, ask.field("SelectedPackages"))?,
        resources: git_resources::check(state, of, ask.field("SelectedGitResources"))?,
        notes: ask.text("Notes"),
    };
    let made = run_all(state, runbook, &frozen, wanted)?;
    let made: Vec<_> = made.into_iter().map(|index| deployments::render(state, index)).collect();
    Answer::created(Resources { resources: made })
}

/// `{"Resources": […]}`
#[derive(serde::Serialize)]
#[serde(rename_all = "PascalCase")]
struct Resources {
    resources: Vec<deployments::ExecutionText>,
}

/// `{"Resource": …}`
#[derive(serde::Serialize)]
#[serde(rename_all = "PascalCase")]
struct Resource {
    resource: deployments::ExecutionText,
}

/// `POST …/retry/v1`: the same run once more, with what it took.
fn retry(state: &mut State, ask: &Ask, project: Arc<Document>, [run]: [&str; 1]) -> Handled {
    let index = deployments::find(state, ask, run)?;
    let x = &state.executions[index];
    let What::Runbook { runbook, snapshot } = x.what.clone() else { return Err(Refusal::missing(run)) };
    if x.project != str_of(&project, "Id") {
        return Err(Refusal::missing(run));
    }
    let new = NewExecution {
        environment: x.environment.clone(),
        tenant: x.tenant.clone(),
        user: ask.user.clone(),
        comments: x.comments.clone(),
        guided: Some(x.guided),
        skip: x.skip.clone(),
        variables: json!(x.values),
        priority: Some(x.priority.clone()),
        targets: x.targets.clone(),
        force: x.force,
        debug: x.debug.clone(),
        ..NewExecution::default()
    };
    let index = runbooks::run(state, &runbook, Some(&snapshot), new)?;
    Answer::ok(Resource { resource: deployments::render(state, index) })
}
