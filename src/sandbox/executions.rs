//! The executions API: names instead of ids, and many deployments in one call (octopus-api.md §16).

use super::{
    answer::{Answer, Ask, Handled, Refusal, is_called, str_of, texts},
    deployments::{self, NewExecution},
    freezes, git, git_resources, git_runbooks,
    nouns::noun_of,
    routing::{Endpoint, Whole, post},
    runbooks,
    selection::{self, Selecting},
    state::{Execution, Numbered, State},
    tags,
};
use serde_json::{Value, json};

/// The document of a name or id the executions API was given, or 404.
pub(crate) fn by_name(state: &State, kind: &'static str, space: &str, name: &str) -> Result<String, Refusal> {
    let word = match kind {
        "environments" => "environment",
        "tenants" => "tenant",
        "projects" => "project",
        "channels" => "channel",
        _ => "resource",
    };
    let seen = |d: &&Value| noun_of(kind).is_none_or(|noun| state.sees(noun, d));
    state.store.named(kind, space, name).filter(seen).map(|d| str_of(d, "Id").to_owned()).ok_or_else(|| Refusal::unknown(word, name))
}

/// The tenants and environments an executions request names, one pair for each thing to be made.
fn pairs(state: &State, ask: &Ask, space: &str, project: &str, tenanted: bool) -> Result<Vec<(String, Option<String>)>, Refusal> {
    let mut environments = ask.texts("environmentNames");
    environments.extend(ask.text("environmentName"));
    let environments: Vec<String> = environments.iter().map(|e| by_name(state, "environments", space, e)).collect::<Result<_, _>>()?;
    let names = ask.texts("tenants");
    let everybody = names.len() == 1 && names[0] == "*";
    let named = names.iter().filter(|_| !everybody);
    let mut tenants: Vec<String> = named.map(|t| by_name(state, "tenants", space, t)).collect::<Result<_, _>>()?;
    let tags = ask.texts("tenantTags");
    if everybody || !tags.is_empty() {
        // No tags are wanted of everybody.
        for t in state.store.of("tenants").iter().filter(|t| str_of(t, "SpaceId") == space && tags::all(t, &tags)) {
            let connected = texts(&t["ProjectEnvironments"][project]);
            let id = str_of(t, "Id").to_owned();
            if environments.iter().any(|e| connected.contains(e)) && !tenants.contains(&id) {
                tenants.push(id);
            }
        }
    }
    if tenants.is_empty() {
        if everybody || !tags.is_empty() {
            return Err(Refusal::invalid("No tenants were found that match the request."));
        }
        if tenanted {
            return Ok(Vec::new());
        }
        return Ok(environments.into_iter().map(|e| (e, None)).collect());
    }
    Ok(environments.iter().flat_map(|e| tenants.iter().map(move |t| (e.clone(), Some(t.clone())))).collect())
}

/// The words for the space of a request.
pub(crate) const SPACE: &[&str] = &["SpaceIdOrName"];

#[rustfmt::skip]
pub(crate) const ENDPOINTS: &[Endpoint] = &[
    post("S/deployments/create/untenanted/v1", "DeploymentCreate", &Whole(|state, ask| create(state, ask, false))).takes(&[deployments::COMMON, deployments::BY_NAME, SPACE, &["ProjectName", "ReleaseVersion", "EnvironmentNames", "Tenants", "TenantTags", "ForcePackageRedeployment", "UpdateVariableSnapshot"]]),
    post("S/deployments/create/tenanted/v1", "DeploymentCreate", &Whole(|state, ask| create(state, ask, true))).takes(&[deployments::COMMON, deployments::BY_NAME, SPACE, &["ProjectName", "ReleaseVersion", "EnvironmentName", "Tenants", "TenantTags", "ForcePackageRedeployment", "UpdateVariableSnapshot"]]),
    post("S/runbook-runs/create/v1", "RunbookRunCreate", &Whole(create_runs)).takes(&[deployments::COMMON, deployments::BY_NAME, SPACE, &["ProjectName", "RunbookName", "Snapshot", "EnvironmentNames", "Tenants", "TenantTags"]]),
    post("S/runbook-runs/git/create/v1", "RunbookRunCreate", &Whole(create_runs_in_git)).takes(&[deployments::COMMON, deployments::BY_NAME, SPACE, &["GitRef", "Packages", "PackageVersion", "PackagePrerelease", "GitResources", "ProjectName", "RunbookName", "EnvironmentNames", "Tenants", "TenantTags"]]),
];

/// Deployments of one release (octopus-api.md §16.2).
fn create(state: &mut State, ask: &Ask, tenanted: bool) -> Handled {
    let space = named_space(state, ask)?;
    let project = by_name(state, "projects", &space, &ask.need("ProjectName")?)?;
    let version = ask.need("ReleaseVersion")?;
    let release = super::releases::by_version(state, &project, &version)?;
    let overridden = freezes::overridden_by_name(state, ask)?;
    let base = deployments::read(state, &ask.body, &ask.user, true)?;
    if ask.field("updateVariableSnapshot") == true {
        super::releases::demand(state, "ReleaseEdit", release)?;
        state.renew_variables(release);
    }
    let pairs = pairs(state, ask, &space, &project, tenanted)?;
    let wanted: Vec<NewExecution> = pairs
        .into_iter()
        .map(|(environment, tenant)| NewExecution { environment, tenant, overridden: overridden.clone(), ..base.clone() })
        .collect();
    // All or nothing: the first refusal is found before anything is made.
    wanted.iter().try_for_each(|new| deployments::check(state, release, new).map(drop))?;
    let mut made = Vec::new();
    for new in wanted {
        let index = deployments::deploy(state, release, new)?;
        let x = &state.executions[index];
        made.push(json!({"DeploymentId": x.id, "ServerTaskId": Numbered("ServerTasks-", x.task)}));
    }
    Answer::ok(json!({ "DeploymentServerTasks": made }))
}

/// The runbook that a request names, and its project.
fn named_runbook(state: &State, ask: &Ask, space: &str) -> Result<(String, String), Refusal> {
    let project = by_name(state, "projects", space, &ask.need("ProjectName")?)?;
    let name = ask.need("RunbookName")?;
    let found = state
        .store
        .of("runbooks")
        .with("ProjectId", &project)
        .find(|r| is_called(r, &["Id", "Name", "Slug"], &name))
        .map(|r| str_of(r, "Id").to_owned());
    let found = found.ok_or_else(|| Refusal::unknown("runbook", &name))?;
    Ok((found, project))
}

/// Runs of one runbook (octopus-api.md §16.3).
fn create_runs(state: &mut State, ask: &Ask) -> Handled {
    let space = named_space(state, ask)?;
    let (runbook, project) = named_runbook(state, ask, &space)?;
    runbooks::in_database(state, &runbook)?;
    let wanted = wanted_runs(state, ask, &space, &project)?;
    let snapshot = ask.text("snapshot");
    let made = wanted.into_iter().map(|new| runbooks::run(state, &runbook, snapshot.as_deref(), new)).collect::<Result<Vec<_>, _>>()?;
    Answer::ok(json!({ "RunbookRunServerTasks": server_tasks(state, &made) }))
}

/// The same for a runbook in Git.
fn create_runs_in_git(state: &mut State, ask: &Ask) -> Handled {
    let space = named_space(state, ask)?;
    let (runbook, project) = named_runbook(state, ask, &space)?;
    let doc = state.store.of("projects").get(&project).ok_or_else(|| Refusal::missing(&project))?;
    let at = git::point(git_runbooks::with_runbooks(doc)?, &ask.need("GitRef")?)?;
    let process = format!("RunbookProcess-{runbook}");
    let of = Selecting { process: &process, channel: &Value::Null, by_rules: false };
    let frozen = git_runbooks::Frozen {
        at,
        packages: selection::resolve(state, ask, of)?,
        resources: git_resources::resolve(state, ask, of)?,
        notes: None,
    };
    let wanted = wanted_runs(state, ask, &space, &project)?;
    let made = git_runbooks::run_all(state, &runbook, &frozen, wanted)?;
    Answer::ok(json!({ "RunbookRunServerTasks": server_tasks(state, &made) }))
}

fn wanted_runs(state: &State, ask: &Ask, space: &str, project: &str) -> Result<Vec<NewExecution>, Refusal> {
    // Runbooks run in spite of freezes; what is said of them is checked all the same.
    freezes::overridden_by_name(state, ask)?;
    let base = deployments::read(state, &ask.body, &ask.user, true)?;
    let pairs = pairs(state, ask, space, project, false)?;
    Ok(pairs.into_iter().map(|(environment, tenant)| NewExecution { environment, tenant, ..base.clone() }).collect())
}

fn server_tasks(state: &State, made: &[usize]) -> Vec<Value> {
    let shown = |x: &Execution| json!({"RunbookRunId": x.id, "ServerTaskId": Numbered("ServerTasks-", x.task)});
    made.iter().map(|index| shown(&state.executions[*index])).collect()
}

/// The space of a deployment or a run, which the body must name even where the path does.
fn named_space(state: &State, ask: &Ask) -> Result<String, Refusal> {
    ask.need("SpaceIdOrName")?;
    if ask.space.is_none() {
        ask.need("SpaceId")?;
    }
    body_space(state, ask)
}

/// The space of an executions request: in the path, or else in the body by id, slug or name. Where both name one it is the same.
pub(crate) fn body_space(state: &State, ask: &Ask) -> Result<String, Refusal> {
    let said = ask.text("spaceIdOrName").or_else(|| ask.text("spaceId")).or_else(|| ask.text("spaceName"));
    let named = said.map(|name| {
        let found = state.store.of("spaces").iter().find(|s| is_called(s, &["Id", "Name", "Slug"], &name));
        found.map(|s| str_of(s, "Id").to_owned()).ok_or_else(|| Refusal::missing(&name))
    });
    match (&ask.space, named.transpose()?) {
        (Some(space), Some(named)) if *space != named => Err(Refusal::invalid("The space of the body is not the space of the path.")),
        (Some(space), _) => Ok(space.clone()),
        (None, named) => Ok(named.unwrap_or_else(|| state.default_space().to_owned())),
    }
}
