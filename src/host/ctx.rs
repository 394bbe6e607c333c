//! `ctx`: what a script knows of the deployment or runbook run that runs it, of its step, and of the server.

use super::prelude::*;
use super::{context::own, interruption::Interruption};

/// What a script knows about where it runs.
#[derive(Clone)]
pub struct Context;

impl fmt::Display for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ctx")
    }
}

impl Context {
    /// There is one.
    pub fn same(&self, _other: &Self) -> bool {
        true
    }
}

fn known(name: &str, value: Option<String>, how: &str) -> HostResult<String> {
    value.ok_or_else(|| raise(Error::new(Kind::Usage, format!("`ctx.{name}` is not known here")).help(how.to_owned())))
}

crate::script_type! {
    /// Where the script runs: in an Octopus step what the step belongs to, otherwise what the command line says.
    Context as "Context" shows [] {
        /// The environment's name: `--env`, or that of the sandbox's world.
        env: "text" = |_c, host: Host| known("env", host.environment()?, "give it with `--env NAME`")?;
        /// The tenant's name; `()` when there is none.
        tenant: "text" = |_c, host: Host| host.tenant()?;
        /// The project's name; `()` outside of a step without `--project`.
        project: "text" = |_c, host: Host| host.project()?;
        /// The deployment that runs this script (its id); `()` outside of a step without `--deployment`. In a sandbox the
        /// newest one to the environment that was there before stands in for it.
        deployment: "text" = |_c, host: Host| {
            if host.context.deployment.is_some() { host.context.deployment.clone() } else { own(&host)?.map(|d| d.id.to_string()) }
        };
        /// The release's version of that deployment; `()` when there is none.
        release: "text" = |_c, host: Host| own_release(&host)?.map(|r| r.version);
        /// The channel's name of that release; `()` when there is none.
        channel: "text" = |_c, host: Host| {
            let id = own(&host)?.and_then(|d| d.channel_id);
            id.map(|id| host.block(host.servers.home.space.channel(&id))).transpose()?.map(|c| c.name)
        };
        /// The release notes of that release; empty when there are none, `()` without a deployment.
        release_notes: "text" = |_c, host: Host| own_release(&host)?.map(|r| r.release_notes);
        /// The branch of Git that the release's deployment process is from, e.g. `main`; `()` for a tag or a commit, and when the
        /// process is not kept in Git.
        branch: "text" = |_c, host: Host| own_git(&host)?.and_then(|git| git.git_ref.strip_prefix("refs/heads/").map(str::to_owned));
        /// The commit of Git that the release's deployment process is from; `()` when it is not kept in Git.
        commit: "text" = |_c, host: Host| own_git(&host)?.map(|git| git.git_commit).filter(|commit| !commit.is_empty());
        /// The phase of the lifecycle that the environment is in for that release (its name); `()` without a deployment.
        phase: "text" = |_c, host: Host| {
            let Some(deployment) = own(&host)? else { return Ok(Dynamic::UNIT) };
            let progression = host.block(host.servers.home.space.release_progression(&deployment.release_id))?;
            let here = |phase: &api::dashboards::PhaseProgress| {
                phase.automatic_targets.iter().chain(&phase.optional_targets).any(|id| *id == deployment.environment_id)
            };
            progression.phases.into_iter().find(here).map(|phase| phase.name)
        };
        /// The runbook whose run runs this script (its name); `()` in a deployment and outside of a step.
        runbook: "text" = |_c, host: Host| {
            let run = own_run(&host)?;
            run.map(|run| host.block(host.servers.home.space.runbook(&run.runbook_id))).transpose()?.map(|runbook| runbook.name)
        };
        /// The deployment target that this step runs on, or on behalf of (its name); `()` on a worker without one and outside of a step.
        machine: "text" = |_c, host: Host| host.context.machine.clone();
        /// The deployment targets that were chosen for that deployment, or for the run of the runbook (their names); empty when all
        /// are meant, and without a deployment.
        machines: "list of text" = |_c, host: Host| machine_names(&host, &origin(&host)?.machines)?;
        /// The deployment targets that were left out (their names); empty when none is, and without a deployment.
        excluded_machines: "list of text" = |_c, host: Host| machine_names(&host, &origin(&host)?.excluded)?;
        /// The person who started that deployment, or the run of the runbook: `#{id, username, name}`; `name` is the username where
        /// the person's name may not be seen. `()` for what Octopus started itself, and without a deployment.
        deployed_by: "map" = |_c, host: Host| person(&host, origin(&host)?)?;
        /// The interruptions of this task, answered ones too, newest first; empty outside of a step. `.answer`, `.answered_by` and
        /// `.notes` say what was answered.
        interruptions: "list of Interruption" = |_c, host: Host| {
            let task = own_task(&host)?;
            let found = match &task {
                Some(task) => host.block(host.servers.home.space.interruptions(false, Some(task)))?,
                None => Vec::new(),
            };
            found.into_iter().map(|one| Dynamic::from(Interruption::new(host.servers.home.clone(), one))).collect::<Array>()
        };
        /// The task that runs this script (its id); `()` outside of a step.
        task: "text" = |_c, host: Host| own_task(&host)?;
        /// Who started that deployment, or the run of the runbook, as its page says it; `()` outside of a step.
        started_by: "text" = |_c, host: Host| Some(origin(&host)?.deployed_by).filter(|by| !by.is_empty());
        /// The space's name.
        space: "text" = |_c, host: Host| host.servers.home.space.space().name.clone();
        /// The address of the server.
        server: "text" = |_c, host: Host| host.servers.home.client.address();
        /// The zone in which times without one are meant, e.g. `Europe/Berlin`.
        tz: "text" = |_c, host: Host| host.zone.iana_name().unwrap_or("UTC").to_owned();
    }
}

/// The run of a runbook that runs this script, if one does.
fn own_run(host: &Host) -> Result<Option<api::RunbookRun>> {
    let id = host.context.runbook_run.as_ref();
    id.map(|id| host.block(host.servers.home.space.runbook_run(&id.as_str().into()))).transpose()
}

fn own_release(host: &Host) -> HostResult<Option<api::Release>> {
    Ok(own(host)?.map(|deployment| host.block(host.servers.home.space.release(&deployment.release_id))).transpose()?)
}

fn own_git(host: &Host) -> HostResult<Option<api::GitReference>> {
    Ok(own_release(host)?.and_then(|release| release.version_control))
}

fn own_task(host: &Host) -> HostResult<Option<String>> {
    match &host.context.step {
        Some(step) => Ok(Some(step.task.clone())),
        None => Ok(own(host)?.map(|deployment| deployment.task_id.to_string())),
    }
}

/// What a deployment and the run of a runbook were begun with.
#[derive(Default)]
struct Origin {
    machines: Vec<String>,
    excluded: Vec<String>,
    deployed_by: String,
    deployed_by_id: Option<api::UserId>,
}

/// Of the deployment or run that runs this script; nothing when none does.
fn origin(host: &Host) -> HostResult<Origin> {
    if let Some(run) = own_run(host)? {
        let (machines, excluded) = (run.specific_machine_ids, run.excluded_machine_ids);
        return Ok(Origin { machines, excluded, deployed_by: run.deployed_by, deployed_by_id: run.deployed_by_id });
    }
    Ok(own(host)?.map_or_else(Origin::default, |made| Origin {
        machines: made.specific_machine_ids,
        excluded: made.excluded_machine_ids,
        deployed_by: made.deployed_by,
        deployed_by_id: made.deployed_by_id,
    }))
}

/// Names of deployment targets; ids of those that are gone since.
fn machine_names(host: &Host, ids: &[String]) -> HostResult<Array> {
    if ids.is_empty() {
        return Ok(Array::new());
    }
    let found = host.block(host.servers.home.space.machine_names(ids))?;
    Ok(ids.iter().map(|id| found.get(id).unwrap_or(id).clone().into()).collect())
}

fn person(host: &Host, origin: Origin) -> HostResult<Dynamic> {
    let Some(id) = origin.deployed_by_id else { return Ok(Dynamic::UNIT) };
    let found = host.block(async {
        match host.servers.home.client.user(&id).await {
            // Who may deploy need not be allowed to see people.
            Err(error) if matches!(error.kind(), Kind::NotFound | Kind::Forbidden) => Ok(None),
            found => found.map(Some),
        }
    })?;
    let (username, name) = found.map_or_else(|| (origin.deployed_by.clone(), String::new()), |user| (user.username, user.display_name));
    let name = if name.is_empty() { username.clone() } else { name };
    let members = [("id", id.to_string()), ("username", username), ("name", name)];
    Ok(members.into_iter().map(|(key, text)| (key.into(), text.into())).collect::<Map>().into())
}

crate::functions! {
    group "context";

    /// Where the script runs; the same as the constant `ctx`, for functions in modules.
    ///
    /// ```rhai
    /// print(ctx().env);
    /// ```
    fn ctx(call) -> "Context" {
        Ok::<_, Box<EvalAltResult>>(Context)
    }
}
