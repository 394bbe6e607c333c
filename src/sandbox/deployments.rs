//! Deployments: what is checked before one is made, how it is shown, listed and deleted, and the name-based executions API.

use super::{
    access::Thing,
    agenda::Due,
    answer::{Answer, Ask, Handled, Refusal, entries, field, is_called, str_of, text, texts, time},
    approvals,
    audit::SYSTEM,
    change_control, ephemeral, freezes, lifecycle,
    members::Accepts,
    pages::{ListPage, page},
    releases,
    routing::{Endpoint, Of, Whole, delete, get, post},
    state::{Execution, Numbered, Release, State, StepRun, TargetSelection, Task, TaskState, What, is_whole, number, stamp, stamp_or_null},
    tags, target_tags,
    world::model::StartDeadlines,
};
use crate::clock::later;
use jiff::Timestamp;
use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::Arc};

/// What a client asks for when it wants something executed.
#[derive(Clone, Default)]
pub(crate) struct NewExecution {
    pub(crate) environment: String,
    pub(crate) tenant: Option<String>,
    pub(crate) user: String,
    pub(crate) comments: Option<String>,
    pub(crate) guided: Option<bool>,
    pub(crate) skip: Vec<String>,
    pub(crate) forms: Value,
    pub(crate) variables: Value,
    pub(crate) queue_time: Option<Timestamp>,
    pub(crate) expiry: Option<Timestamp>,
    pub(crate) priority: Option<String>,
    pub(crate) targets: TargetSelection,
    pub(crate) overridden: Vec<String>,
    pub(crate) force: (bool, bool),
    /// `None`, `Log` or `Debug`.
    pub(crate) debug: String,
}

impl NewExecution {
    /// What it would be, for permissions.
    pub(crate) fn thing<'a>(&'a self, space: &'a str, project: &'a str) -> Thing<'a> {
        let tenant = Some(self.tenant.as_deref().unwrap_or_default());
        Thing { space: Some(space), project: Some(project), environment: Some(&self.environment), tenant }
    }
}

/// What all forms of creation take.
#[rustfmt::skip]
pub(crate) const COMMON: &[&str] = &["DebugMode", "UseGuidedFailure", "Variables", "Priority", "ForcePackageDownload"];

/// The same with the spelling of the executions API.
#[rustfmt::skip]
pub(crate) const BY_NAME: &[&str] = &["RunAt", "NoRunAfter", "SkipStepNames", "SpecificMachineNames", "ExcludedMachineNames", "SpecificTargetTagNames", "ExcludedTargetTagNames", "DeploymentFreezeNames", "DeploymentFreezeOverrideReason"];

/// The same with ids.
#[rustfmt::skip]
pub(crate) const BY_ID: &[&str] = &["EnvironmentId", "TenantId", "Comments", "FormValues", "QueueTime", "QueueTimeExpiry", "SkipActions", "SpecificMachineIds", "ExcludedMachineIds", "SpecificTargetTagIds", "ExcludedTargetTagIds"];

/// Reads what all forms of creation have in common; `renamed` names the executions API's spelling.
pub(crate) fn read(state: &State, body: &Value, user: &str, renamed: bool) -> Result<NewExecution, Refusal> {
    let (queue, expiry, skip, with, without) = if renamed {
        ("runAt", "noRunAfter", "skipStepNames", "specificMachineNames", "excludedMachineNames")
    } else {
        ("QueueTime", "QueueTimeExpiry", "SkipActions", "SpecificMachineIds", "ExcludedMachineIds")
    };
    let (queue_time, expiry) = (time(body, queue)?, time(body, expiry)?);
    if let Some(e) = expiry
        && e <= queue_time.unwrap_or(state.now)
    {
        return Err(Refusal::invalid("The queue time expiry must be after the queue time."));
    }
    let expiry = expiry.filter(|_| state.plan.start_deadlines != StartDeadlines::Dropped);
    let machines = |name: &str| -> Result<Vec<String>, Refusal> {
        texts(field(body, name))
            .into_iter()
            .map(|m| {
                let found = state.store.of("machines").iter().find(|d| is_called(d, &["Id", "Name"], &m));
                found.map(|d| str_of(d, "Id").to_owned()).ok_or_else(|| Refusal::invalid(format!("The machine '{m}' does not exist.")))
            })
            .collect()
    };
    let priority = text(body, "Priority");
    if let Some(other) = priority.as_ref().filter(|word| !["LifecycleDefault", "On", "Off"].contains(&word.as_str())) {
        return Err(Refusal::invalid(format!("The value '{other}' is not valid for Priority.")));
    }
    let debug = text(body, "DebugMode").unwrap_or_else(|| "None".to_owned());
    if !["None", "Log", "Debug"].contains(&&*debug) {
        return Err(Refusal::invalid(format!("The value '{debug}' is not valid for DebugMode.")));
    }
    Ok(NewExecution {
        debug,
        environment: String::new(),
        tenant: None,
        user: user.to_owned(),
        comments: text(body, "Comments"),
        guided: field(body, "UseGuidedFailure").as_bool(),
        skip: texts(field(body, skip)),
        forms: field(body, "FormValues").clone(),
        variables: field(body, "Variables").clone(),
        queue_time,
        expiry,
        priority,
        targets: target_tags::read(state, body, renamed, machines(with)?, machines(without)?)?,
        overridden: Vec::new(),
        force: (field(body, "ForcePackageDownload") == true, field(body, "ForcePackageRedeployment") == true),
    })
}

/// Reads what is sent for a deployment or a run to one environment, in a space.
pub(crate) fn read_sent(state: &State, body: &Value, space: &str, user: &str) -> Result<NewExecution, Refusal> {
    let known = |kind: &'static str, id: &str| {
        state.store.find(kind, Some(space), id).map(|d| str_of(d, "Id").to_owned()).ok_or_else(|| Refusal::missing(id))
    };
    let environment = text(body, "EnvironmentId").ok_or_else(|| Refusal::required("EnvironmentId"))?;
    let new = read(state, body, user, false)?;
    let tenant = text(body, "TenantId");
    Ok(NewExecution { environment: known("environments", &environment)?, tenant: tenant.map(|t| known("tenants", &t)).transpose()?, ..new })
}

/// The rules that forbid a deployment; the values of its prompted variables when none does.
///
/// # Errors
/// 400 for every rule that forbids it.
pub(crate) fn check(state: &State, release: usize, new: &NewExecution) -> Result<BTreeMap<String, String>, Refusal> {
    let r = state.release(release).ok_or_else(|| Refusal::missing("release"))?;
    let p = state.store.of("projects").get(&r.project).ok_or_else(|| Refusal::missing(&r.project))?;
    let name = str_of(p, "Name");
    if p["IsDisabled"] == true && !state.history {
        return Err(Refusal::invalid(format!("The project '{name}' is disabled and cannot be deployed.")));
    }
    if new.user != SYSTEM {
        state.demand("DeploymentCreate", &new.thing(&r.space, &r.project))?;
    }
    ephemeral::check(state, &r.project, &new.environment, new.tenant.as_deref())?;
    check_tenant(state, str_of(p, "TenantedDeploymentMode"), name, &r.project, new, Some(&r.channel))?;
    let environment = state.store.name("environments", &new.environment);
    let tenant = new.tenant.as_deref();
    // What is past went the way of its lifecycle: it was made so.
    if !state.history && !lifecycle::allowed(state, release, tenant).contains(&new.environment) {
        return Err(Refusal::invalid(lifecycle::not_allowed(state, release, &new.environment, &r.version)));
    }
    let freezes = freezes::active(state, &r.project, &new.environment, tenant);
    // What the server deploys by itself is queued all the same, and fails when it starts.
    if new.user != SYSTEM
        && let Some((_, freeze)) = freezes.iter().find(|(id, _)| !new.overridden.contains(id))
    {
        return Err(Refusal::invalid(format!(
            "The deployment of project '{name}' to environment '{environment}' is prevented by the active deployment freeze '{freeze}'."
        )));
    }
    let target = super::variables::Target { environment: &new.environment, tenant, channel: Some(&r.channel) };
    let taken = super::variables::of_snapshot(state, &r.variables);
    super::variables::prompted(state, taken, &target, &new.forms, &new.variables)
}

/// Makes a deployment and its task.
///
/// # Errors
/// 400 for every rule that forbids it.
pub(crate) fn deploy(state: &mut State, release: usize, new: NewExecution) -> Result<usize, Refusal> {
    let values = check(state, release, &new)?;
    let r = state.release(release).ok_or_else(|| Refusal::missing("release"))?;
    let (project, channel, space) = (r.project.clone(), r.channel.clone(), r.space.clone());
    let priority = new.priority.clone().unwrap_or_else(|| "LifecycleDefault".into());
    let first = priority == "On"
        || (priority == "LifecycleDefault"
            && !state.history
            && lifecycle::has_priority(state, &project, &channel, &space, &new.environment));
    let (project_name, environment) = (state.store.name("projects", &project), state.store.name("environments", &new.environment));
    let mut description = format!("Deploy {project_name} release {} to {environment}", r.version);
    if let Some(t) = &new.tenant {
        description = format!("{description} for {}", state.store.name("tenants", t));
    }
    let (taken, task) = (super::variables::of_snapshot(state, &r.variables), state.tasks.len() + 1);
    let tag = super::variables::concurrency_tag(state, taken, &project, &new.environment, new.tenant.as_deref(), task);
    let id = state.store.next_id("Deployments-");
    let what = What::Deploy { release, channel };
    Ok(enqueue(state, Job { id, space, project: project.clone(), owner: project, what, description, tag, first, values, new }))
}

/// Tenant rules, for deployments and runbook runs (octopus-api.md §10.3).
pub(crate) fn check_tenant(
    state: &State,
    mode: &str,
    project_name: &str,
    project: &str,
    new: &NewExecution,
    channel: Option<&str>,
) -> Result<(), Refusal> {
    let environment = state.store.name("environments", &new.environment);
    match &new.tenant {
        None if mode == "Tenanted" => {
            Err(Refusal::invalid(format!("Project '{project_name}' does not allow untenanted deployments. Please choose a tenant.")))
        }
        None => Ok(()),
        Some(_) if mode == "Untenanted" => Err(Refusal::invalid(format!("Project '{project_name}' does not allow tenanted deployments."))),
        Some(id) => {
            let tenant = state.store.of("tenants").get(id).ok_or_else(|| Refusal::missing(id))?;
            let name = str_of(tenant, "Name");
            if tenant["IsDisabled"] == true {
                return Err(Refusal::invalid(format!("The tenant '{name}' is disabled.")));
            }
            if !texts(&tenant["ProjectEnvironments"][project]).contains(&new.environment) {
                return Err(Refusal::invalid(format!(
                    "The tenant '{name}' is not connected to project '{project_name}' in environment '{environment}'."
                )));
            }
            let tags = channel.and_then(|c| state.store.of("channels").get(c)).map(|c| texts(&c["TenantTags"])).unwrap_or_default();
            if !tags.is_empty() && !tags::all(tenant, &tags) {
                return Err(Refusal::invalid(format!("The tenant '{name}' does not have the tags that the release's channel requires.")));
            }
            Ok(())
        }
    }
}

/// Everything needed to queue something.
pub(crate) struct Job {
    pub(crate) id: String,
    pub(crate) space: String,
    pub(crate) project: String,
    pub(crate) owner: String,
    pub(crate) what: What,
    pub(crate) description: String,
    pub(crate) tag: String,
    pub(crate) first: bool,
    pub(crate) values: BTreeMap<String, String>,
    pub(crate) new: NewExecution,
}

/// Makes the execution and the task, and queues it.
pub(crate) fn enqueue(state: &mut State, job: Job) -> usize {
    let Job { id, space, project, owner, what, description, tag, first, values, new } = job;
    let (task, execution, now) = (state.tasks.len(), state.executions.len(), state.now);
    let is_deployment = matches!(what, What::Deploy { .. });
    let guided = new.guided.unwrap_or_else(|| guided_by_default(state, &project, &new.environment));
    let queued = new.queue_time.unwrap_or(now).max(now);
    let mut position = queued;
    if is_deployment && !state.history {
        position = supersede(state, &project, &new, position);
    }
    let key = (0, u8::from(!first), position, task);
    let (plan, unrun) = super::worker::steps_of(state, &owner);
    // The executions API names steps; a deployment knows them by their ids.
    let skip = new.skip.iter().map(|name| match plan.iter().position(|step| step.name.eq_ignore_ascii_case(name)) {
        Some(step) => State::action_id(&owner, step),
        None => name.clone(),
    });
    let skip: Vec<String> = skip.collect();
    let is_step = |name: &&String| (0..plan.len()).any(|step| State::action_id(&owner, step).eq_ignore_ascii_case(name));
    let no_step = skip.iter().filter(|name| !is_step(name));
    let unskipped = no_step.map(|name| format!("There is no step '{name}' that could be skipped."));
    let notes = unrun.then(|| super::worker::UNRUN.to_owned()).into_iter().chain(unskipped).map(|note| (now, "Warning", note)).collect();
    let eligible = later(queued, state.plan.pick_up.0);
    state.tasks.push(Task {
        space: Some(space.clone()),
        kind: if is_deployment { "Deploy" } else { "RunbookRun" }.into(),
        description: description.clone(),
        execution: Some(execution),
        notes,
        project: Some(project.clone()),
        environment: Some(new.environment.clone()),
        tenant: new.tenant.clone(),
        runbook: match &what {
            What::Runbook { runbook, .. } => Some(runbook.clone()),
            What::Deploy { .. } => None,
        },
        queued,
        expiry: new.expiry,
        tag,
        eligible,
        owner,
        updated: now,
        key,
        steps: vec![StepRun::default(); plan.len()],
        plan,
        ..Task::default()
    });
    if is_deployment {
        state.slots.entry((project.clone(), new.environment.clone(), new.tenant.clone())).or_default().push(execution);
    }
    if let What::Deploy { release, .. } = &what {
        state.by_release.entry(*release).or_default().push(execution);
    }
    state.by_project.entry(project.clone()).or_default().push(execution);
    state.execution_by_id.insert(id.to_lowercase(), execution);
    state.executions.push(Execution {
        id,
        space,
        project,
        what,
        environment: new.environment,
        tenant: new.tenant,
        task,
        created: now,
        comments: new.comments,
        by: new.user.clone(),
        guided,
        debug: new.debug,
        skip,
        values,
        queue_time: new.queue_time,
        expiry: new.expiry,
        priority: new.priority.unwrap_or_else(|| "LifecycleDefault".into()),
        targets: new.targets,
        overridden: new.overridden,
        force: new.force,
        failed_once: false,
        deleted: false,
    });
    let chosen = target_tags::note(state, &state.executions[execution]);
    state.tasks[task].notes.extend(chosen.map(|(category, text)| (now, category, text)));
    if !state.history {
        let category = if is_deployment { "DeploymentQueued" } else { "RunbookRunQueued" };
        state.task_event(category, &new.user, task, format!("{description} was queued"));
        state.queue.insert(key);
        state.agenda.add(eligible, Due::Look);
        if let Some(expiry) = new.expiry
            && state.plan.start_deadlines == StartDeadlines::Honoured
        {
            state.agenda.add(expiry, Due::Expires { task });
        }
        approvals::ask_for(state, execution);
        change_control::control(state, execution);
        ephemeral::hold(state, execution);
    }
    execution
}

/// Whether a failing step of a project asks a person when the deployment does not say.
pub(crate) fn guided_by_default(state: &State, project: &str, environment: &str) -> bool {
    match state.store.of("projects").get(project).map(|p| str_of(p, "DefaultGuidedFailureMode")) {
        Some("On") => true,
        Some("Off") => false,
        _ => state.store.of("environments").get(environment).is_some_and(|e| e["UseGuidedFailure"] == true),
    }
}

/// Cancels the queued tasks that a new deployment replaces, from the back of the queue, and gives back the earliest place in it
/// (octopus-api.md §18.7).
fn supersede(state: &mut State, project: &str, new: &NewExecution, mut position: Timestamp) -> Timestamp {
    if !is_whole(&new.skip, &new.targets) || !cancels(state, project, "CancelQueuedTasks") {
        return position;
    }
    let place = (project.to_owned(), new.environment.clone(), new.tenant.clone());
    let mut queued: Vec<usize> = state.slots.get(&place).into_iter().flatten().copied().collect();
    queued.retain(|x| state.tasks[state.executions[*x].task].waits_to_start());
    queued.sort_by_key(|x| std::cmp::Reverse(state.tasks[state.executions[*x].task].key));
    let replaced: Vec<usize> =
        queued.into_iter().take_while(|x| is_whole(&state.executions[*x].skip, &state.executions[*x].targets)).collect();
    for x in replaced {
        let task = state.executions[x].task;
        position = position.min(state.tasks[task].key.2);
        state.cancel(task, SYSTEM);
    }
    position
}

/// Whether a project's settings say that older tasks are cancelled.
fn cancels(state: &State, project: &str, which: &str) -> bool {
    let settings = state.written.get(&format!("deploymentsettings-{project}"));
    let as_made = || state.store.of("projects").get(project).is_some_and(|plan| plan[format!("_{which}")] == true);
    settings.map_or_else(as_made, |settings| settings[which] == true)
}

/// What the success of a deployment sets off: older tasks that have started are cancelled where the project says so, also those that wait for
/// people; and where a phase that has become reachable says so, the server deploys by itself.
pub(crate) fn after_success(state: &mut State, execution: usize) {
    let x = &state.executions[execution];
    let (What::Deploy { release, .. }, tenant) = (x.what.clone(), x.tenant.clone()) else { return };
    if state.history {
        return;
    }
    if is_whole(&x.skip, &x.targets) && cancels(state, &x.project, "CancelRunningTasks") {
        let place = (x.project.clone(), x.environment.clone(), tenant.clone());
        let older: Vec<usize> = state.slots.get(&place).into_iter().flatten().copied().filter(|old| *old < execution).collect();
        for old in older {
            let (e, t) = (&state.executions[old], &state.tasks[state.executions[old].task]);
            if is_whole(&e.skip, &e.targets) && t.started.is_some() && !t.state.is_completed() {
                state.cancel(e.task, SYSTEM);
            }
        }
    }
    automatic(state, release, tenant);
}

/// Queues the automatic deployments of all reachable phases that have none yet.
pub(crate) fn automatic(state: &mut State, release: usize, tenant: Option<String>) {
    let whose = tenant.as_deref().map_or(lifecycle::Whose::Untenanted, lifecycle::Whose::Tenant);
    let wanted: Vec<String> = lifecycle::standing(state, release, whose)
        .iter()
        .filter(|p| p.reachable && !p.blocked && !p.is_optional)
        .flat_map(|p| p.automatic.clone())
        .filter(|e| {
            !state
                .by_release
                .get(&release)
                .is_some_and(|l| l.iter().any(|x| state.executions[*x].environment == *e && state.executions[*x].tenant == tenant))
        })
        .collect();
    for environment in wanted {
        // A refusal (a disabled project) simply means that nothing is queued.
        let _ =
            deploy(state, release, NewExecution { environment, tenant: tenant.clone(), user: SYSTEM.into(), ..NewExecution::default() });
    }
}

/// The release of the last success among deployments of one project, environment and tenant, oldest first.
pub(crate) fn live(state: &State, slot: &[usize]) -> Option<usize> {
    let last = slot.iter().rev().find(|x| state.tasks[state.executions[**x].task].state == TaskState::Success)?;
    match state.executions[*last].what {
        What::Deploy { release, .. } => Some(release),
        What::Runbook { .. } => None,
    }
}

/// A deployment or run as it goes out (octopus-api.md §15, §17.3).
pub(crate) fn render(state: &State, index: usize) -> ExecutionText {
    let x = state.executions.share(index);
    let environment = state.store.name("environments", &x.environment);
    let (release, name) = match &x.what {
        What::Deploy { release, .. } => (Some(state.releases.share(*release)), format!("Deploy to {environment}")),
        What::Runbook { runbook, .. } => (None, format!("Run {} on {environment}", state.store.name("runbooks", runbook))),
    };
    let by = if x.by == SYSTEM { "System".into() } else { state.username(&x.by) };
    ExecutionText { x, release, name, by }
}

/// A deployment or run in an answer.
pub(crate) struct ExecutionText {
    x: Arc<Execution>,
    /// Of a deployment.
    release: Option<Arc<Option<Release>>>,
    name: String,
    by: String,
}

impl Serialize for ExecutionText {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let x = &*self.x;
        let mut map = to.serialize_map(None)?;
        entries!(map; "Id": x.id, "SpaceId": x.space, "ProjectId": x.project);
        match &x.what {
            What::Deploy { release, channel } => {
                let r = self.release.as_deref().and_then(Option::as_ref);
                let notes = r.and_then(|r| r.notes.as_deref());
                let changes = json!([{"Version": r.map(|r| &r.version), "ReleaseNotes": notes, "BuildInformation": [], "WorkItems": [], "Commits": []}]);
                entries!(map;
                    "ReleaseId": Numbered("Releases-", *release), "ChannelId": channel, "ForcePackageRedeployment": x.force.1,
                    "DeploymentProcessId": releases::process_snapshot(&x.project), "Changes": changes,
                    "ChangesMarkdown": r.map(|r| format!("\n**Release {}**\n\n{}\n\n", r.version, notes.unwrap_or_default())),
                );
            }
            What::Runbook { runbook, snapshot } => entries!(map;
                "RunbookId": runbook, "RunbookSnapshotId": snapshot, "FrozenRunbookProcessId": format_args!("RunbookProcess-{runbook}-s-1-SANDB"),
            ),
        }
        entries!(map;
            "EnvironmentId": x.environment, "TenantId": x.tenant, "TaskId": Numbered("ServerTasks-", x.task), "Name": self.name, "Created": stamp(x.created),
            "QueueTime": stamp_or_null(x.queue_time), "QueueTimeExpiry": stamp_or_null(x.expiry), "Comments": x.comments,
            "DeployedBy": self.by, "DeployedById": Some(&x.by).filter(|by| *by != SYSTEM),
            "FailureEncountered": x.failed_once, "DeployedToMachineIds": [(); 0], "ManifestVariableSetId": format_args!("variableset-{}", x.id),
            "UseGuidedFailure": x.guided, "ForcePackageDownload": x.force.0,
            "Priority": x.priority, "DebugMode": x.debug, "FailTargetDiscovery": false, "SkipActions": x.skip,
            "SpecificMachineIds": x.targets.only, "ExcludedMachineIds": x.targets.without,
            "SpecificTargetTagIds": x.targets.tags, "ExcludedTargetTagIds": x.targets.without_tags,
            "FormValues": json!({}), "TentacleRetentionPeriod": (), "ChangeRequestSettings": (), "ExecutionPlanLogContext": json!({"Steps": []}),
            "Links": ExecutionLinks(x),
        );
        map.end()
    }
}

struct ExecutionLinks<'a>(&'a Execution);

impl Serialize for ExecutionLinks<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let x = self.0;
        let (s, id, project) = (&x.space, &x.id, &x.project);
        let mut map = to.serialize_map(None)?;
        entries!(map;
            "Environment": format_args!("/api/{s}/environments/{}", x.environment), "Project": format_args!("/api/{s}/projects/{project}"),
            "Task": format_args!("/api/tasks/{}", Numbered("ServerTasks-", x.task)), "Artifacts": format_args!("/api/{s}/artifacts?regarding={id}"),
            "Interruptions": format_args!("/api/{s}/interruptions?regarding={id}"),
        );
        let kind = match &x.what {
            What::Deploy { release, .. } => {
                entries!(map;
                    "Release": format_args!("/api/{s}/releases/{}", Numbered("Releases-", *release)),
                    "DeploymentProcess": format_args!("/api/{s}/deploymentprocesses/{}", releases::process_snapshot(project)),
                );
                "deployments"
            }
            What::Runbook { runbook, snapshot } => {
                entries!(map; "Runbook": format_args!("/api/{s}/runbooks/{runbook}"), "RunbookSnapshot": format_args!("/api/{s}/runbookSnapshots/{snapshot}"));
                "runbookRuns"
            }
        };
        entries!(map;
            "Self": format_args!("/api/{s}/{kind}/{id}"), "Web": format_args!("/app#/{s}/{kind}/{id}"),
            "Variables": format_args!("/api/{s}/variables/variableset-{id}"),
        );
        map.end()
    }
}

/// The execution with this id.
pub(crate) fn find(state: &State, ask: &Ask, id: &str) -> Result<usize, Refusal> {
    let index = state.execution_by_id.get(&id.to_lowercase()).copied().ok_or_else(|| Refusal::missing(id))?;
    let x = &state.executions[index];
    let here = !x.deleted && ask.space.as_ref().is_none_or(|s| *s == x.space) && state.sees_execution(index);
    if here { Ok(index) } else { Err(Refusal::missing(id)) }
}

/// A list of deployments or runbook runs, newest first, with the filters of both; `among` is where they can be, ascending.
pub(crate) fn list(
    state: &State,
    ask: &Ask,
    deployments: bool,
    among: Option<Vec<usize>>,
    keep: impl Fn(usize) -> bool,
) -> ListPage<ExecutionText> {
    let (projects, environments, tenants, channels, runbooks) =
        (ask.only("projects"), ask.only("environments"), ask.only("tenants"), ask.only("channels"), ask.only("runbooks"));
    let state_filter = ask.query("taskState").and_then(TaskState::named);
    let space = state.space_of(ask);
    let of_projects = || {
        let places = projects.0.iter().map(|p| state.tasks_about(p).filter(|_| number(p, "Projects-").is_some()));
        let tasks: Vec<Vec<usize>> = places.collect::<Option<_>>().filter(|all: &Vec<_>| !all.is_empty())?;
        let mut all: Vec<usize> = tasks.concat().into_iter().filter_map(|t| state.tasks[t].execution).collect();
        all.sort_unstable();
        all.dedup();
        Some(all)
    };
    let all = || among.or_else(of_projects).unwrap_or_else(|| (0..state.executions.len()).collect());
    let found: Vec<usize> = ask
        .places(|id| state.execution_by_id.get(&id.to_lowercase()).copied(), all)
        .into_iter()
        .rev()
        .filter(|i| {
            let x = &state.executions[*i];
            let (channel, runbook) = match &x.what {
                What::Deploy { channel, .. } => (Some(channel.as_str()), None),
                What::Runbook { runbook, .. } => (None, Some(runbook.as_str())),
            };
            !x.deleted
                && channel.is_some() == deployments
                && x.space == space
                && projects.has(Some(&x.project))
                && environments.has(Some(&x.environment))
                && tenants.has(x.tenant.as_deref())
                && channels.has(channel)
                && runbooks.has(runbook)
                && state_filter.is_none_or(|s| state.tasks[x.task].state == s)
                && keep(*i)
                && state.sees_execution(*i)
        })
        .collect();
    page(ask, if deployments { "Deployment" } else { "RunbookRun" }, &found, |i| render(state, *i))
}

#[rustfmt::skip]
pub(crate) const ENDPOINTS: &[Endpoint] = &[
    get("S/deployments", "DeploymentView", &Whole(|state, ask| Answer::ok(list(state, ask, true, None, |_| true)))),
    post("S/deployments", "DeploymentCreate", &Whole(|state, ask| {
        let index = create(state, ask, &ask.body, Vec::new())?;
        Answer::created(render(state, index))
    })).takes(&[COMMON, BY_ID, &["ReleaseId", "ProjectId", "ForcePackageRedeployment"]]),
    post("S/deployments/override", "DeploymentFreezeAdminister", &Whole(create_in_spite_of_freezes)).takes(&[&["CreateDeploymentCommand", "FreezeIds", "Reason"]]),
    get("S/releases/{id}/deployments", "DeploymentView", &Of(releases::find, of_release)),
    get("S/deployments/{id}", "DeploymentView", &Of(find, |state, _, index| Answer::ok(render(state, index)))),
    delete("S/deployments/{id}", "DeploymentDelete", &Of(find, remove)),
];

fn of_release(state: &mut State, ask: &Ask, index: usize) -> Handled {
    let among = state.by_release.get(&index).cloned().unwrap_or_default();
    let of_it = |x: usize| matches!(state.executions[x].what, What::Deploy { release, .. } if release == index);
    Answer::ok(list(state, ask, true, Some(among), of_it))
}

fn create_in_spite_of_freezes(state: &mut State, ask: &Ask) -> Handled {
    let named = ask.texts("FreezeIds");
    if named.is_empty() {
        return Err(Refusal::invalid(freezes::NOTHING_TO_OVERRIDE));
    }
    let overridden = freezes::overridden(state, &named, ask.field("Reason"), "Id")?;
    let index = create(state, ask, ask.field("CreateDeploymentCommand"), overridden)?;
    Answer::created(json!({ "Deployment": render(state, index) }))
}

fn remove(state: &mut State, _: &Ask, index: usize) -> Handled {
    state.demand("DeploymentDelete", &state.thing_of_execution(index))?;
    let doc = render(state, index);
    state.executions[index].deleted = true;
    Answer::ok(doc)
}

fn create(state: &mut State, ask: &Ask, body: &Value, overridden: Vec<String>) -> Result<usize, Refusal> {
    Accepts::Only(&[COMMON, BY_ID, &["ReleaseId", "ProjectId", "ForcePackageRedeployment"]]).admit(&ask.method, &ask.path, &[], body)?;
    let need = |name: &str| text(body, name).ok_or_else(|| Refusal::required(name));
    let (release, _) = (need("ReleaseId")?, need("EnvironmentId")?);
    let release = state.release_index(&release).ok_or_else(|| Refusal::missing(&release))?;
    let Some(Release { space, project, .. }) = state.release(release) else { return Err(Refusal::missing("release")) };
    if let Some(other) = text(body, "ProjectId").filter(|id| !id.eq_ignore_ascii_case(project)) {
        return Err(Refusal::invalid(format!("The release does not belong to the project '{other}'.")));
    }
    let space = space.clone();
    let new = read_sent(state, body, &space, &ask.user)?;
    deploy(state, release, NewExecution { overridden, ..new })
}
