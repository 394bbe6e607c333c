//! Where a script stands: `ctx`, its parameters and secrets, other spaces.

use super::prelude::*;
use crate::{
    engine::{param_names::ParamName, params::NameKind},
    secrets::Secret,
};

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
    /// The names that the script's parameters hold: they are looked up before it begins.
    pub names: Vec<NameGiven>,
    /// The run of a runbook that runs the script (its id).
    pub runbook_run: Option<String>,
    /// The deployment target that the script runs on, or on behalf of (its name).
    pub machine: Option<String>,
    /// The step of Octopus that runs the script.
    pub step: Option<StepContext>,
    /// What started this process in a step; none when a person or a program did.
    pub launcher: Option<Launcher>,
}

/// What a launcher of a step does while the run works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Launcher {
    /// It became this process: the agent is our parent.
    Replaced,
    /// It waits for our end: the agent is the parent of our parent.
    Waits,
}

/// A name that a parameter holds.
#[derive(Clone, Debug)]
pub struct NameGiven {
    /// The parameter as people see it: `Project`; in a step `Octorhai.TriggerAndWait.Project`.
    pub parameter: String,
    /// What it names.
    pub named: NameKind,
    /// As it was written: a name, a slug or an id.
    pub text: String,
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
        if let Some(known) = self.servers.surroundings.get() {
            return Ok(known);
        }
        let said = self.block(self.servers.home.client.get_of_sandbox("/sandbox/context"))?.unwrap_or_default();
        let text = |name: &str| said[name].as_str().map(str::to_owned);
        Ok(self.servers.surroundings.get_or_init(|| Surroundings {
            environment: text("environment"),
            tenant: text("tenant"),
            project: text("project"),
            smtp: text("smtp"),
            start: text("start").and_then(|at| at.parse().ok()),
        }))
    }

    /// Looks up what the parameters name, so that a name that is not there ends the run before it has changed anything: a read for each.
    /// Nothing of it is remembered, for what the script reads itself stands in its record.
    ///
    /// # Errors
    /// A usage error that names parameter and text, and whatever a look-up runs into.
    pub fn look_up_names(&self) -> Result<()> {
        for given in &self.context.names {
            let space = &self.servers.home.space;
            let wanted = given.text.as_str();
            let found = self.block(async {
                match given.named {
                    NameKind::Project => space.find_project(wanted).await.map(drop),
                    NameKind::Environment => space.find_environment(wanted).await.map(drop),
                    NameKind::Tenant => space.find_tenant(wanted).await.map(drop),
                }
            });
            found.map_err(|error| match error.kind() {
                Kind::NotFound | Kind::Ambiguous => {
                    error.into_kind(Kind::Usage).context(format!("parameter `{}` holds `{wanted}`", given.parameter))
                }
                _ => error,
            })?;
        }
        Ok(())
    }

    pub(super) fn environment(&self) -> HostResult<Option<String>> {
        self.said(self.context.environment.as_ref(), |world| world.environment.as_ref())
    }

    pub(super) fn tenant(&self) -> HostResult<Option<String>> {
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

/// The deployment that runs this script, if one does. In a sandbox no Octopus step runs it: the newest deployment that
/// the world began with stands in, so that `requeue` and `ctx.release` can be tried.
pub fn own(host: &Host) -> HostResult<Option<api::Deployment>> {
    if let Some(id) = &host.context.deployment {
        return Ok(Some(host.block(host.servers.home.space.deployment(&id.as_str().into()))?));
    }
    // A step of a runbook run belongs to no deployment.
    if host.context.step.is_some() {
        return Ok(None);
    }
    let Some(start) = host.surroundings()?.start else { return Ok(None) };
    let (environment, project, tenant) = (host.environment()?, host.project()?, host.tenant()?);
    let space = &host.servers.home.space;
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

    /// The value of a parameter: from the command line (`--NotifyTo x`), `--params FILE`, the environment
    /// (`OCTORHAI_PARAM_NOTIFY_TO`), a step's parameter, or the default. Without a default it must be given. Options stand in
    /// the last argument, with or without a default before them: `label`, `help`, `type`, `choices`.
    ///
    /// The types: `"text"`, `"number"`, `"flag"`, `"list"`, `"duration"` (`45m`), `"time"` (`Sat 02:00`), `"window"`
    /// (`Mon-Fri 22:00-04:00`), `"version"` (a version, a range, or `latest`), `"project"`, `"environment"`, `"tenant"`, and
    /// `"list of projects"`, `"list of environments"`, `"list of tenants"`. A value that is none of its type is an error before the
    /// first request, a name that the run's space does not have one before the script begins. An empty value stands for the default,
    /// but for a text or a list, which can be empty.
    ///
    /// The name must be written out: `octorhai run x.rhai --help` finds parameters without running the script.
    ///
    /// ```rhai
    /// let to = param("NotifyTo", "team@example.com", #{label: "Who gets the mail"});
    /// ```
    fn param(host: Host, name: String; default: Option<Dynamic>, options: Option<Map>) -> "the parameter's value" raises "usage" {
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
    fn secret(host: Host, name: String) -> "Secret" raises "usage" {
        match host.given(&name) {
            Some(value) => Ok(Secret::new(String::read(to_dynamic(&value)).unwrap_or_default())),
            None => Err(raise(missing(&name))),
        }
    }

    /// The text of a secret, for functions that send it. What prints it, a report or an artifact is still masked; a mail that holds it
    /// shows it from now on.
    ///
    /// ```rhai
    /// let token = secret("Token").reveal();
    /// post("projectgroups", #{Name: "Made by a script", Description: token});
    /// ```
    fn reveal[secret: Secret](host: Host) -> "text" {
        let mut revealed = host.ledger.revealed.lock();
        if !revealed.iter().any(|known| known == secret.reveal()) {
            revealed.push(secret.reveal().to_owned());
        }
        Ok(secret.reveal().to_owned())
    }

    /// Another space on the same server, by name, slug or id. Every function that takes names is a method of it.
    ///
    /// ```rhai
    /// wait(space("Default").deploy("Project A", "latest", "Test"));
    /// ```
    fn space(host: Host, name: super::references::SpaceRef) -> "Space" raises "not_found, ambiguous, request" {
        host.space(name.as_str())
    }

    /// Another server, in its default space: `server("dr")` is at OCTOPUS_URL_DR, with the key OCTOPUS_API_KEY_DR.
    /// `server("default")` is the one the run works on. Every function that takes names is a method of it.
    ///
    /// ```rhai
    /// wait(server("default").deploy("Project A", "latest", "Test"));
    /// ```
    fn server(host: Host, name: String) -> "Space" raises "not_found, request" {
        host.server(&name)
    }
}

fn missing(name: &str) -> Error {
    // A run has asked for what is missing before it began: this is a session.
    let variable = ParamName(name).variable();
    Error::usage(format!("parameter `{name}` was not given"))
        .help(format!("start again with {variable} set, or give it a default: `param(\"{name}\", \"...\")`"))
}

/// A text that may be secret, for a function that does not show it: of a [`Secret`] its text, not what it prints as.
#[derive(Clone)]
pub struct SecretText(String);

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl SecretText {
    /// The text.
    pub fn into_text(self) -> String {
        self.0
    }
}

impl OptionValue for SecretText {
    const KIND: &'static str = "text";
    fn read(value: Dynamic) -> std::result::Result<Self, String> {
        match value.clone().try_cast::<Secret>() {
            Some(secret) => Ok(Self(secret.reveal().to_owned())),
            None => String::read(value).map(Self),
        }
    }
}

crate::script_type! {
    /// A secret. Prints as `***`.
    Secret as "Secret" shows [] {
        /// How many characters it has.
        length: "whole number" = |s| s.reveal().chars().count() as i64;
    }
}
