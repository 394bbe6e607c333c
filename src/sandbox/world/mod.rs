//! A world: everything that is true on a simulated server when it starts, read from TOML and checked.

/// What a world file may say of something: its keys, before the semicolon those that must be there (or say what stands for them). No other key may stand.
macro_rules! plans {
    ($($(#[$about:meta])* struct $name:ident { $($(#[$m:meta])* $must:ident: $type:ty),* $(,)?; $($(#[$o:meta])* $may:ident: $other:ty),* $(,)? })*) => {
        $(
            $(#[$about])*
            #[derive(Clone, Debug, serde::Deserialize)]
            #[serde(deny_unknown_fields)]
            pub(crate) struct $name {
                $($(#[$m])* pub(crate) $must: $type,)*
                $($(#[$o])* #[serde(default)] pub(crate) $may: $other,)*
            }
        )*
    };
}

pub(crate) mod approvals;
mod builtin;
mod environments;
mod freezes;
pub(crate) mod git;
pub(crate) mod hooks;
pub(crate) mod model;
pub(crate) mod people;
mod read;
pub(crate) mod run;
pub(crate) mod server_version;
pub(crate) mod triggers;
mod validate;
pub(crate) mod values;

use crate::{
    error::{Error, Result, suggestion},
    platform::files,
};
use jiff::{SignedDuration, Timestamp};
use model::{Plan, StartDeadlines};
use std::sync::Arc;

/// A world that has been read and checked. Clones are cheap.
#[derive(Clone)]
pub struct World {
    name: String,
    plan: Arc<Plan>,
    runs_scripts: bool,
    over_sockets: bool,
}

/// The key of a sandbox that only this machine reaches and that runs nobody's scripts, unless the world names another.
pub(crate) const KNOWN_KEY: &str = "API-SANDBOX";

/// A world file is not larger.
const LARGEST: u64 = 16 << 20;

impl World {
    /// A built-in world (`shop`, `tenants`, `previews`, `fleet(200)`) or the path of a TOML file.
    ///
    /// # Errors
    /// `usage` when there is neither, or when the file is wrong.
    pub fn named_or_file(text: &str) -> Result<World> {
        if let Some(toml) = Self::builtin_toml(text) {
            let mut world = Self::from_toml(text, &toml)?;
            // What everybody knows is not what somebody chose.
            Arc::make_mut(&mut world.plan).key = None;
            return Ok(world);
        }
        let looks_like_a_file =
            text.contains(['/', '\\']) || std::path::Path::new(text).extension().is_some_and(|e| e.eq_ignore_ascii_case("toml"));
        match files::read_text(std::path::Path::new(text), LARGEST) {
            Ok(toml) => Self::from_toml(text, &toml),
            Err(why) if looks_like_a_file => Err(Error::usage(format!("the world file `{text}` cannot be read: {why}"))),
            Err(_) => {
                let error = Error::usage(format!("there is no built-in world `{text}`, and no such file"));
                let error = match suggestion(text, ["shop", "tenants", "previews", "fleet(200)"]) {
                    Some(hint) => error.help(hint),
                    None => error,
                };
                Err(error.help("a world is `shop`, `tenants`, `previews`, `fleet(200)` or the path of a TOML file"))
            }
        }
    }

    /// Reads and checks a world; `name` is used in messages (a path, or anything).
    ///
    /// # Errors
    /// `usage`, with file, line, the line itself and a caret under the mistake.
    pub fn from_toml(name: &str, text: &str) -> Result<World> {
        let mut plan = read::read(name, text)?;
        validate::validate(name, text, &plan)?;
        model::load(name, &mut plan)?;
        Ok(World { name: name.to_owned(), plan: Arc::new(plan), runs_scripts: false, over_sockets: false })
    }

    /// The same world, in which scripts of steps run on this machine, as this user: those of the world (`run = {...}`), and those that
    /// clients put into processes. Without this a world that has some is not started.
    #[must_use]
    pub fn running_scripts(mut self) -> World {
        self.runs_scripts = true;
        self
    }

    /// The same world, which a run in this process reaches over sockets, as if it were in another one: for who compares.
    #[must_use]
    pub fn over_sockets(mut self) -> World {
        self.over_sockets = true;
        self
    }

    /// The same world, whose steps take their time and do nothing: for who wants to know its names.
    #[must_use]
    pub fn without_scripts(mut self) -> World {
        let plan = Arc::make_mut(&mut self.plan);
        for project in &mut plan.projects {
            for step in project.steps.iter_mut().chain(project.runbooks.iter_mut().flat_map(|runbook| &mut runbook.steps)) {
                step.run = None;
            }
        }
        self
    }

    /// Whether a run in this process comes over sockets, too.
    pub(crate) fn is_over_sockets(&self) -> bool {
        self.over_sockets
    }

    /// Whether scripts of steps run on this machine.
    pub(crate) fn runs_scripts(&self) -> bool {
        self.runs_scripts
    }

    /// Whether a server of this world may start.
    ///
    /// # Errors
    /// `usage` when steps of it are scripts and nobody asked for them to be run.
    pub fn may_start(&self) -> Result<()> {
        match self.plan.scripts().next() {
            Some(step) if !self.runs_scripts => {
                let why = format!("the step `{step}` of the world `{}` is a script, which would run on this machine", self.name);
                Err(Error::usage(why).help("`--run-scripts` runs the scripts of a world, as this user: read them first"))
            }
            _ => Ok(()),
        }
    }

    /// The text of a built-in world; none for an unknown name.
    pub fn builtin_toml(name: &str) -> Option<String> {
        builtin::toml(name)
    }

    /// The environment `ctx.env` means when nobody says another (`[context]`).
    pub fn default_environment(&self) -> Option<String> {
        self.plan.context.environment.as_ref().map(|r| r.get_ref().clone())
    }

    /// The tenant `ctx.tenant` means when nobody says another.
    pub fn default_tenant(&self) -> Option<String> {
        self.plan.context.tenant.as_ref().map(|r| r.get_ref().clone())
    }

    /// The project `ctx.project` means when nobody says another.
    pub fn default_project(&self) -> Option<String> {
        self.plan.context.project.as_ref().map(|r| r.get_ref().clone())
    }

    /// The time zone of the people in this world.
    pub fn zone(&self) -> Option<String> {
        self.plan.zone.as_ref().map(|r| r.get_ref().clone())
    }

    /// Where the world's clock starts.
    pub fn start(&self) -> Timestamp {
        self.plan.start.0
    }

    /// Whether the version check of its variable sets is atomic.
    pub fn checks_versions(&self) -> bool {
        self.plan.racy_variables.is_none()
    }

    /// For how long a revoked key works in it.
    pub fn key_cache(&self) -> SignedDuration {
        self.plan.key_cache.map_or(SignedDuration::ZERO, |span| span.0)
    }

    /// Whether nothing starts in it after its `QueueTimeExpiry`.
    pub fn keeps_deadlines(&self) -> bool {
        self.plan.start_deadlines == StartDeadlines::Honoured
    }

    /// The names of its projects and of its environments, before a server is made of it.
    pub fn names(&self) -> (Vec<String>, Vec<String>) {
        let projects = self.plan.projects.iter().flat_map(model::ProjectPlan::names).collect();
        (projects, self.plan.environments.iter().map(|environment| environment.name.get_ref().clone()).collect())
    }

    /// The name it was read under.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }
}
