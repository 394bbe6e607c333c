//! The variables of the system: what a server tells of a deployment, a run of a runbook and their steps to those who run in them. The names are those
//! that Octopus documents, and no others.

use crate::sandbox::{
    answer::{str_of, texts},
    environment_types::includes,
    releases,
    state::{Execution, Release, State, StepStatus, Task, What},
};
use jiff::Timestamp;

/// Names and values.
type Pairs = Vec<(String, String)>;

struct All(Pairs);

impl All {
    fn add(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.0.push((name.into(), value.into()));
    }
}

/// What holds for the whole deployment or run.
pub(crate) fn of_execution(state: &State, index: usize) -> Pairs {
    let x = &state.executions[index];
    let mut all = All(Vec::new());
    place(state, x, &mut all);
    task(state, x, &mut all);
    match &x.what {
        What::Deploy { release, channel } => {
            deployment(state, index, &mut all);
            of_release(state, x, *release, channel, &mut all);
            before(state, index, *release, &mut all);
        }
        What::Runbook { runbook, snapshot } => run(state, x, runbook, snapshot, &mut all),
    }
    all.0
}

/// Project, environment, space, tenant, server.
fn place(state: &State, x: &Execution, all: &mut All) {
    let name = |kind: &'static str, id: &str| state.store.name(kind, id);
    all.add("Octopus.Space.Id", &x.space);
    all.add("Octopus.Space.Name", name("spaces", &x.space));
    all.add("Octopus.Project.Id", &x.project);
    all.add("Octopus.Project.Name", name("projects", &x.project));
    if let Some(project) = state.store.of("projects").get(&x.project) {
        let group = str_of(project, "ProjectGroupId");
        all.add("Octopus.ProjectGroup.Id", group);
        all.add("Octopus.ProjectGroup.Name", name("projectgroups", group));
        all.add("Octopus.Web.ProjectLink", format!("/app#/{}/projects/{}", x.space, str_of(project, "Slug")));
    }
    all.add("Octopus.Environment.Id", &x.environment);
    all.add("Octopus.Environment.Name", name("environments", &x.environment));
    if let Some(order) = state.store.of("environments").get(&x.environment).map(|environment| &environment["SortOrder"]) {
        all.add("Octopus.Environment.SortOrder", order.to_string());
    }
    if let Some(tenant) = &x.tenant {
        all.add("Octopus.Deployment.Tenant.Id", tenant);
        all.add("Octopus.Deployment.Tenant.Name", name("tenants", tenant));
        let tags = state.store.of("tenants").get(tenant).map(|tenant| texts(&tenant["TenantTags"]).join(",")).unwrap_or_default();
        all.add("Octopus.Deployment.Tenant.Tags", tags);
    }
    all.add("Octopus.Web.ServerUri", &state.url);
    all.add("Octopus.Web.BaseUrl", &state.url);
}

fn task(state: &State, x: &Execution, all: &mut All) {
    let t = &state.tasks[x.task];
    all.add("Octopus.Task.Id", format!("ServerTasks-{}", x.task + 1));
    all.add("Octopus.Task.Name", &t.description);
    let argument = if matches!(x.what, What::Deploy { .. }) { "DeploymentId" } else { "RunbookRunId" };
    all.add(format!("Octopus.Task.Argument[{argument}]"), &x.id);
    if let Some(at) = x.queue_time {
        all.add("Octopus.Task.QueueTime", spelt(at));
    }
    if let Some(at) = x.expiry {
        all.add("Octopus.Task.QueueTimeExpiry", spelt(at));
    }
}

fn deployment(state: &State, index: usize, all: &mut All) {
    let x = &state.executions[index];
    let environment = state.store.name("environments", &x.environment);
    all.add("Octopus.Deployment.Id", &x.id);
    all.add("Octopus.Deployment.Name", format!("Deploy to {environment}"));
    all.add("Octopus.Deployment.Comments", x.comments.clone().unwrap_or_default());
    all.add("Octopus.Deployment.Created", spelt(x.created));
    all.add("Octopus.Deployment.ForcePackageDownload", if x.force.0 { "True" } else { "False" });
    all.add("Octopus.Web.DeploymentLink", format!("/app#/{}/deployments/{}", x.space, x.id));
    for (key, value) in state.person(&x.by) {
        all.add(format!("Octopus.Deployment.CreatedBy.{key}"), value);
    }
    let (only, without) = (&x.targets.only, &x.targets.without);
    let chosen = |id: &str| (only.is_empty() || only.iter().any(|one| one == id)) && !without.iter().any(|one| one == id);
    let there = state.store.of("machines").iter().filter(|m| includes(state, &texts(&m["EnvironmentIds"]), &x.environment));
    let targets: Vec<_> = there.filter(|machine| chosen(str_of(machine, "Id"))).collect();
    let ids = |machines: &[&serde_json::Value]| machines.iter().map(|m| str_of(m, "Id")).collect::<Vec<_>>().join(",");
    all.add("Octopus.Deployment.Machines", ids(&targets));
    all.add("Octopus.Deployment.SpecificMachines", only.join(","));
    all.add("Octopus.Deployment.ExcludedMachines", without.join(","));
    let mut roles: Vec<String> = Vec::new();
    for machine in &targets {
        let id = str_of(machine, "Id");
        all.add(format!("Octopus.Deployment.Targets[{id}].Id"), id);
        all.add(format!("Octopus.Deployment.Targets[{id}].Name"), str_of(machine, "Name"));
        roles.extend(texts(&machine["Roles"]));
    }
    roles.sort();
    roles.dedup();
    for role in roles {
        let with: Vec<_> = targets.iter().copied().filter(|machine| texts(&machine["Roles"]).contains(&role)).collect();
        all.add(format!("Octopus.Environment.MachinesInRole[{role}]"), ids(&with));
    }
    let failed = state.tasks[x.task].steps.iter().filter(|step| step.status == StepStatus::Failed);
    if let Some((error, more)) = failed.filter_map(|step| step.fails.as_ref()).next_back() {
        all.add("Octopus.Deployment.Error", error);
        all.add("Octopus.Deployment.ErrorDetail", [std::slice::from_ref(error), more.as_slice()].concat().join("\n"));
    }
}

fn of_release(state: &State, x: &Execution, index: usize, channel: &str, all: &mut All) {
    all.add("Octopus.Release.Id", releases::id(index));
    all.add("Octopus.Release.Channel.Name", state.store.name("channels", channel));
    all.add("Octopus.Web.ReleaseLink", format!("/app#/{}/releases/{}", x.space, releases::id(index)));
    if let Some(release) = state.release(index) {
        told_of(release, all);
    }
}

/// What is known of a release before it is made, and nothing was deployed.
pub(crate) fn of_new_release(state: &State, release: &Release, index: usize) -> Pairs {
    let mut all = All(Vec::new());
    all.add("Octopus.Release.Id", releases::id(index));
    all.add("Octopus.Release.Channel.Name", state.store.name("channels", &release.channel));
    all.add("Octopus.Project.Id", &release.project);
    all.add("Octopus.Project.Name", state.store.name("projects", &release.project));
    told_of(release, &mut all);
    all.0
}

/// What a release says of itself.
fn told_of(release: &Release, all: &mut All) {
    all.add("Octopus.Release.Number", &release.version);
    all.add("Octopus.Release.Notes", release.notes.clone().unwrap_or_default());
    all.add("Octopus.Release.Created", spelt(release.assembled));
    for (name, value) in release.extra.get("CustomFields").and_then(|fields| fields.as_object()).into_iter().flatten() {
        all.add(format!("Octopus.Release.CustomFields[{name}]"), value.as_str().unwrap_or_default());
    }
    of_git("Octopus.Release", release.extra.get("VersionControlReference"), all);
}

/// Where in Git a release or a run is from, if it is.
fn of_git(whose: &str, at: Option<&serde_json::Value>, all: &mut All) {
    let Some(at) = at.filter(|at| at.is_object()) else { return };
    let reference = str_of(at, "GitRef");
    all.add(format!("{whose}.Git.Ref"), reference);
    all.add(format!("{whose}.Git.CommitHash"), str_of(at, "GitCommit"));
    if let Some(branch) = reference.strip_prefix("refs/heads/") {
        all.add(format!("{whose}.Git.BranchName"), branch);
    }
}

/// What was there before: the release before this one, and what this environment had when the deployment was made.
fn before(state: &State, index: usize, release: usize, all: &mut All) {
    let x = &state.executions[index];
    let mut named = |what: &str, release: usize| {
        if let Some(found) = state.release(release) {
            all.add(format!("Octopus.Release.{what}.Id"), releases::id(release));
            all.add(format!("Octopus.Release.{what}.Number"), &found.version);
        }
    };
    let earlier = (0..release).rev().find(|other| state.release(*other).is_some_and(|other| other.project == x.project));
    if let Some(earlier) = earlier {
        named("Previous", earlier);
    }
    let there = state.slots.get(&(x.project.clone(), x.environment.clone(), x.tenant.clone())).map(Vec::as_slice).unwrap_or_default();
    let went_well = |other: &&usize| **other != index && state.tasks[state.executions[**other].task].state.name() == "Success";
    let begun = state.tasks[x.task].started.unwrap_or(state.now);
    let done_before = |other: &&usize| state.tasks[state.executions[**other].task].completed.is_some_and(|at| at <= begun);
    let mut deployed = there.iter().rev().filter(went_well).filter(done_before).filter_map(|other| match state.executions[*other].what {
        What::Deploy { release, .. } => Some((*other, release)),
        What::Runbook { .. } => None,
    });
    let Some((last, current)) = deployed.next() else { return };
    named("CurrentForEnvironment", current);
    let mut older = std::iter::once((last, current)).chain(deployed);
    if let Some((_, other)) = older.find(|(_, other)| *other != release) {
        named("PreviousForEnvironment", other);
    }
    all.add("Octopus.Deployment.PreviousSuccessful.Id", &state.executions[last].id);
}

fn run(state: &State, x: &Execution, runbook: &str, snapshot: &str, all: &mut All) {
    all.add("Octopus.Runbook.Id", runbook);
    let name = state.store.name("runbooks", runbook);
    all.add("Octopus.RunbookRun.Id", &x.id);
    all.add("Octopus.RunbookRun.Name", format!("Run {name} on {}", state.store.name("environments", &x.environment)));
    all.add("Octopus.Runbook.Name", name);
    all.add("Octopus.RunbookRun.Created", spelt(x.created));
    all.add("Octopus.RunbookRun.CreatedUtc", utc(x.created));
    all.add("Octopus.Web.RunbookRunLink", format!("/app#/{}/runbookRuns/{}", x.space, x.id));
    if let Some(snapshot) = state.store.of("runbookSnapshots").get(snapshot) {
        let id = str_of(snapshot, "Id");
        all.add("Octopus.RunbookSnapshot.Id", id);
        all.add("Octopus.RunbookSnapshot.Name", str_of(snapshot, "Name"));
        all.add("Octopus.RunbookSnapshot.Notes", str_of(snapshot, "Notes"));
        of_git("Octopus.RunbookRun", snapshot.get("GitReference"), all);
        all.add("Octopus.Web.RunbookSnapshotLink", format!("/app#/{}/runbookSnapshots/{id}", x.space));
    }
}

/// What holds for one step of a task, on a worker.
pub(crate) fn of_step(state: &State, task: &Task, step: usize) -> Pairs {
    let mut all = All(Vec::new());
    let (id, number) = (State::action_id(&task.owner, step), (step + 1).to_string());
    all.add("Octopus.Step.Id", format!("{id}-step"));
    all.add("Octopus.Step.Number", &number);
    all.add("Octopus.Step.Name", &task.plan[step].name);
    all.add("Octopus.Action.Id", id);
    all.add("Octopus.Action.Number", number);
    all.add("Octopus.Action.Name", &task.plan[step].name);
    all.add("Octopus.WorkerPool.Id", "WorkerPools-1");
    all.add("Octopus.WorkerPool.Name", state.store.name("workerpools", "WorkerPools-1"));
    for (plan, run) in task.plan.iter().zip(&task.steps) {
        all.add(format!("Octopus.Step[{}].Status.Code", plan.name), code(run.status));
        if let Some((error, more)) = run.fails.as_ref().filter(|_| run.status == StepStatus::Failed) {
            all.add(format!("Octopus.Step[{}].Status.Error", plan.name), error);
            all.add(
                format!("Octopus.Step[{}].Status.ErrorDetail", plan.name),
                [std::slice::from_ref(error), more.as_slice()].concat().join("\n"),
            );
        }
    }
    all.add("Octopus.Step.Status.Code", code(task.steps[step].status));
    all.0
}

fn code(status: StepStatus) -> &'static str {
    match status {
        StepStatus::Success | StepStatus::Warning => "Succeeded",
        other => other.name(),
    }
}

/// A time as variables have it: the long pattern of .NET.
fn spelt(at: Timestamp) -> String {
    jiff::tz::Offset::UTC.to_datetime(at).strftime("%A, %B %-d, %Y %-I:%M:%S %p").to_string()
}

fn utc(at: Timestamp) -> String {
    jiff::tz::Offset::UTC.to_datetime(at).strftime("%-m/%-d/%y %-I:%M:%S %p +00:00").to_string()
}
