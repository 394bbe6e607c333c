//! Where a script stands: `ctx`, its parameters and secrets, other spaces.

use super::Host;
use crate::{
    api,
    engine::{
        param_names::ParamName,
        thrown::{HostResult, raise, to_dynamic},
    },
    error::{Error, Kind},
};
use jiff::Timestamp;
use rhai::{Dynamic, Map};
use std::fmt;

/// What `ctx` says outside of an Octopus step.
#[derive(Clone, Debug, Default)]
pub struct ContextSettings {
    /// On a sandbox of the run's own: the space, by name, slug or id.
    pub space: Option<String>,
    /// Environment name.
    pub environment: Option<String>,
    /// Tenant name.
    pub tenant: Option<String>,
    /// Project name.
    pub project: Option<String>,
    /// The deployment that runs the script (its id).
    pub deployment: Option<String>,
    /// The step of Octopus that runs the script.
    pub step: Option<StepContext>,
}

/// What a run must know of the step that runs it.
#[derive(Clone, Debug)]
pub struct StepContext {
    /// The task it belongs to (its id).
    pub task: String,
    /// How the marks of its attempts begin: `ServerTasks-71/1a2b3c4d.`; the same for each.
    pub mark: String,
    /// Its project says itself which of its tasks wait for each other (`Octopus.Task.ConcurrencyTag`).
    pub own_tag: bool,
    /// The deployment target (its id) whose scripts wait while the step runs; none on a worker.
    pub target: Option<String>,
}

/// What a script knows about where it runs.
#[derive(Clone)]
pub struct Context;

impl fmt::Display for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ctx")
    }
}

/// What a simulated server says about its world; all empty on a real one.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// Environment name.
    environment: Option<String>,
    /// Tenant name.
    tenant: Option<String>,
    /// Project name.
    project: Option<String>,
    /// When the world began.
    start: Option<Timestamp>,
    /// Who takes mail.
    smtp: Option<String>,
}

impl Host {
    /// Asks the server about its world, once and only when a script needs it: a sandbox answers, a real server has no
    /// such page.
    fn surroundings(&self) -> HostResult<&Surroundings> {
        if let Some(known) = self.surroundings.get() {
            return Ok(known);
        }
        let said = self.block(self.home.client.get_of_sandbox("/sandbox/context"))?.unwrap_or_default();
        let text = |name: &str| said[name].as_str().map(str::to_owned);
        Ok(self.surroundings.get_or_init(|| Surroundings {
            environment: text("environment"),
            tenant: text("tenant"),
            project: text("project"),
            smtp: text("smtp"),
            start: text("start").and_then(|at| at.parse().ok()),
        }))
    }

    fn environment(&self) -> HostResult<Option<String>> {
        self.said(self.context.environment.as_ref(), |world| world.environment.as_ref())
    }

    fn tenant(&self) -> HostResult<Option<String>> {
        self.said(self.context.tenant.as_ref(), |world| world.tenant.as_ref())
    }

    pub(super) fn project(&self) -> HostResult<Option<String>> {
        self.said(self.context.project.as_ref(), |world| world.project.as_ref())
    }

    /// The mail server of the sandbox this run works on; none on a real server.
    pub fn sandbox_smtp(&self) -> HostResult<Option<String>> {
        Ok(self.surroundings()?.smtp.clone())
    }

    fn said(&self, given: Option<&String>, world: impl Fn(&Surroundings) -> Option<&String>) -> HostResult<Option<String>> {
        if given.is_some() { Ok(given.cloned()) } else { Ok(world(self.surroundings()?).cloned()) }
    }
}

fn known(name: &str, value: Option<String>, how: &str) -> HostResult<String> {
    value.ok_or_else(|| raise(Error::new(Kind::Usage, format!("`ctx.{name}` is not known here")).help(how.to_owned())))
}

crate::script_type! {
    /// Where the script runs: in an Octopus step what the step belongs to, otherwise what the command line says.
    Context as "Context" shows [] {
        /// The environment's name: `--env`, or that of the sandbox's world.
        env: "text" = |call, _c| known("env", Host::of(call)?.environment()?, "give it with `--env NAME`")?;
        /// The tenant's name; `()` when there is none.
        tenant: "text" = |call, _c| Host::of(call)?.tenant()?;
        /// The project's name; `()` outside of a step without `--project`.
        project: "text" = |call, _c| Host::of(call)?.project()?;
        /// The deployment that runs this script (its id); `()` outside of a step without `--deployment`. In a sandbox the
        /// newest one to the environment that was there before stands in for it.
        deployment: "text" = |call, _c| {
            let host = Host::of(call)?;
            if host.context.deployment.is_some() { host.context.deployment.clone() } else { own(&host)?.map(|d| d.id.to_string()) }
        };
        /// The release's version of that deployment; `()` when there is none.
        release: "text" = |call, _c| { let host = Host::of(call)?; own(&host)?.map(|d| host.block(host.home.space.release(&d.release_id))).transpose()?.map(|r| r.version) };
        /// The channel's name of that release; `()` when there is none.
        channel: "text" = |call, _c| {
            let host = Host::of(call)?;
            let id = own(&host)?.and_then(|d| d.channel_id);
            id.map(|id| host.block(host.home.space.channel(&id))).transpose()?.map(|c| c.name)
        };
        /// The task that runs this script (its id); `()` outside of a step.
        task: "text" = |call, _c| {
            let host = Host::of(call)?;
            match &host.context.step {
                Some(step) => Some(step.task.clone()),
                None => own(&host)?.map(|d| d.task_id.to_string()),
            }
        };
        /// Who started that deployment; `()` outside of a step.
        started_by: "text" = |call, _c| own(&Host::of(call)?)?.map(|d| d.deployed_by);
        /// The space's name.
        space: "text" = |call, _c| Host::of(call)?.home.space.space().name.clone();
        /// The address of the server.
        server: "text" = |call, _c| Host::of(call)?.home.client.address();
        /// The zone in which times without one are meant, e.g. `Europe/Berlin`.
        tz: "text" = |call, _c| { let host = Host::of(call)?; host.zone.iana_name().unwrap_or("UTC").to_owned() };
    }
}

/// The deployment that runs this script, if one does. In a sandbox no Octopus step runs it: the newest deployment that
/// the world began with stands in, so that `requeue` and `ctx.release` can be tried.
pub fn own(host: &Host) -> HostResult<Option<api::Deployment>> {
    if let Some(id) = &host.context.deployment {
        return host.block(host.home.space.deployment(&id.as_str().into())).map(Some);
    }
    // A step of a runbook run belongs to no deployment.
    if host.context.step.is_some() {
        return Ok(None);
    }
    let Some(start) = host.surroundings()?.start else { return Ok(None) };
    let (environment, project, tenant) = (host.environment()?, host.project()?, host.tenant()?);
    let space = &host.home.space;
    let found = host.block(async {
        let mut query = api::DeploymentQuery::default();
        if let Some(name) = &environment {
            query.environments.push(space.find_environment(name).await?.id);
        }
        if let Some(name) = &project {
            query.projects.push(space.find_project(name).await?.id);
        }
        if let Some(name) = &tenant {
            query.tenants.push(space.find_tenant(name).await?.id);
        }
        space.deployments(&query).await
    })?;
    Ok(found.into_iter().find(|d| d.created.is_some_and(|at| at < start)))
}

crate::functions! {
    group "context";

    /// Where the script runs; the same as the constant `ctx`, for functions in modules.
    ///
    /// ```rhai
    /// print(ctx().env);
    /// ```
    fn ctx(call) -> "Context" {
        Ok::<_, Box<rhai::EvalAltResult>>(Context)
    }

    /// The value of a parameter: from the command line (`--NotifyTo x`), `--params FILE`, the environment
    /// (`OCTORHAI_PARAM_NOTIFY_TO`), a step's parameter, or the default. Without a default it must be given. Options stand in
    /// the last argument, with or without a default before them: `label`, `help`, `type` (`"text"`, `"number"`, `"flag"`,
    /// `"list"`), `choices`.
    ///
    /// The name must be written out: `octorhai run x.rhai --help` finds parameters without running the script.
    ///
    /// ```rhai
    /// let to = param("NotifyTo", "team@example.com", #{label: "Who gets the mail"});
    /// ```
    fn param(call, name: String; default: Option<Dynamic>, options: Option<Map>) -> "the parameter's value" raises "usage" {
        let host = Host::of(call)?;
        let _ = options; // read from the text of the script, see engine::params
        match host.given(&name) {
            Some(value) => Ok(to_dynamic(&value)),
            // `param(name, #{label: ...})` has no default.
            None => default.filter(|value| !value.is_map()).ok_or_else(|| raise(missing(&name))),
        }
    }

    /// The value of a secret parameter. It prints as `***`, and its text is masked in all output; `.reveal()` gives the
    /// text to functions that need it.
    ///
    /// ```rhai
    /// let token = secret("Token");
    /// output_secret("Token", token);
    /// ```
    fn secret(call, name: String) -> "Secret" raises "usage" {
        let host = Host::of(call)?;
        match host.given(&name) {
            Some(value) => Ok(Secret(String::read(to_dynamic(&value)).unwrap_or_default())),
            None => Err(raise(missing(&name))),
        }
    }

    /// The text of a secret. Whatever prints it is still masked.
    ///
    /// ```rhai
    /// let token = secret("Token").reveal();
    /// output_secret("Token", token);
    /// ```
    fn reveal[secret: Secret](call) -> "text" {
        Ok::<_, Box<rhai::EvalAltResult>>(secret.0.clone())
    }

    /// Another space on the same server, by name, slug or id. Every function that takes names is a method of it.
    ///
    /// ```rhai
    /// wait(space("Default").deploy("Project A", "latest", "Test"));
    /// ```
    fn space(call, name: super::place::SpaceRef) -> "Space" raises "not_found, ambiguous, request" {
        Host::of(call)?.space(name.as_str())
    }

    /// Another server, in its default space: `server("dr")` is at OCTOPUS_URL_DR, with the key OCTOPUS_API_KEY_DR.
    /// `server("default")` is the one the run works on. Every function that takes names is a method of it.
    ///
    /// ```rhai
    /// wait(server("default").deploy("Project A", "latest", "Test"));
    /// ```
    fn server(call, name: String) -> "Space" raises "not_found, request" {
        Host::of(call)?.server(&name)
    }
}

fn missing(name: &str) -> Error {
    // A run has asked for what is missing before it began: this is a session.
    let variable = ParamName(name).variable();
    Error::usage(format!("parameter `{name}` was not given"))
        .help(format!("start again with {variable} set, or give it a default: `param(\"{name}\", \"...\")`"))
}

/// A secret: prints as `***`.
#[derive(Clone)]
pub struct Secret(String);

impl Context {
    /// There is one.
    pub fn same(&self, _other: &Self) -> bool {
        true
    }
}

impl Secret {
    /// Whether it is the same text.
    pub fn same(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

crate::script_type! {
    /// A secret. Prints as `***`.
    Secret as "Secret" shows [] {
        /// How many characters it has.
        length: "whole number" = |_call, s| s.0.chars().count() as i64;
    }
}
