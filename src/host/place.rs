//! A server and a space: where functions find what a name means.

use super::Host;
use crate::{
    api::{self, EnvironmentId, ProjectId, ReleaseId, TenantId, id::looks_like, meant::Meant, poller::Poller},
    doctor::{self, Advice},
    engine::{
        compare,
        options::{ListKind, OptionValue, type_in_words, wrong},
        thrown::raise,
    },
    error::{Error, Kind, Result},
    event::Subject,
};
use parking_lot::Mutex;
use rhai::Dynamic;
use std::{collections::BTreeMap, fmt, sync::Arc};

/// A space on a server, with the names looked up so far. Clones share them.
#[derive(Clone)]
pub struct Place(Arc<Inner>);

/// What [`Place`] is made of.
pub struct Inner {
    /// The server.
    pub client: api::Client,
    /// The space.
    pub space: api::SpaceClient,
    /// What locks and creations go by there.
    pub advice: Advice,
    /// Asks for the tasks this process waits for.
    pub poller: Poller,
    projects: Known<api::Project>,
    environments: Known<api::Environment>,
    tenants: Known<api::Tenant>,
}

/// Documents by what they were asked for, and by id: a name may look like the id of another one.
type Known<T> = Mutex<Met<T>>;

/// What [`Known`] holds: each document once, shared by all who know it.
struct Met<T> {
    written: BTreeMap<String, Arc<T>>,
    by_id: BTreeMap<String, Arc<T>>,
}

impl<T> Default for Met<T> {
    fn default() -> Self {
        Self { written: BTreeMap::new(), by_id: BTreeMap::new() }
    }
}

impl<T> Met<T> {
    fn get(&self, wanted: Meant<'_>) -> Option<Arc<T>> {
        match wanted {
            Meant::Written(text) => self.written.get(text).cloned(),
            Meant::Id(id) => self.by_id.get(id).cloned(),
        }
    }
}

/// What `wanted` means: looked up once in a run, because names do not change under a script's feet.
async fn known<T: api::resource::Named>(known: &Known<T>, wanted: Meant<'_>, find: impl Future<Output = Result<T>>) -> Result<Arc<T>> {
    if let Some(found) = known.lock().get(wanted) {
        return Ok(found);
    }
    let found = Arc::new(find.await?);
    let mut known = known.lock();
    if let Meant::Written(text) = wanted {
        known.written.insert(text.to_owned(), Arc::clone(&found));
    }
    known.by_id.insert(found.id().to_owned(), Arc::clone(&found));
    Ok(found)
}

impl std::ops::Deref for Place {
    type Target = Inner;
    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "space {}", self.space.space().name)
    }
}

crate::script_type! {
    /// A space of an Octopus Server. Every function that takes names is also a method of it: `space("Ops").deploy(...)`.
    Place as "Space" shows [name, id] {
        /// The name.
        name: "text" = |p| p.space.space().name.clone();
        /// The id, e.g. `Spaces-1`.
        id: "text" = |p| p.space.space().id.to_string();
    }
}

/// A project, environment, tenant, ... as scripts give it: by name, slug or id, or as a value got before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ref(
    /// The name, slug or id.
    pub String,
    /// What it is, when it was given as a value.
    pub Option<Given>,
);

/// What a [`Ref`] was read from, when it is no text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Given {
    /// A project, an environment or a tenant: the text is its id.
    Noun,
    /// A release: the text is its version.
    Release {
        /// Its id.
        id: ReleaseId,
        /// Its project.
        project: ProjectId,
    },
}

impl Ref {
    /// As written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'a> From<&'a Ref> for Meant<'a> {
    fn from(given: &'a Ref) -> Self {
        match given.1 {
            Some(Given::Noun) => Self::Id(&given.0),
            _ => Self::Written(&given.0),
        }
    }
}

impl fmt::Display for Ref {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl OptionValue for Ref {
    const KIND: &'static str = "name, slug or id";
    fn read(value: Dynamic) -> Result<Self, String> {
        if let Some(release) = value.clone().try_cast::<super::releases::Release>() {
            let (id, project) = (release.release.id.clone(), release.release.project_id.clone());
            return Ok(Self(release.release.version.clone(), Some(Given::Release { id, project })));
        }
        match compare::named(&value) {
            Some(id) => Ok(Self(id, Some(Given::Noun))),
            None => String::read(value)
                .and_then(|text| if text.trim().is_empty() { Err("it is empty".to_owned()) } else { Ok(Self(text, None)) }),
        }
    }
}

impl Ref {
    /// [`OptionValue::read`] where only values of these script types, and text, can be meant.
    fn read_from(value: Dynamic, types: &[&str]) -> Result<Self, String> {
        let words = type_in_words(&value);
        let scripted = words.rsplit(' ').next().filter(|name| name.starts_with(|c: char| c.is_uppercase()));
        match scripted {
            Some(name) if !types.contains(&name) => Err(wrong(&value)),
            _ => Self::read(value),
        }
    }
}

macro_rules! references {
    ($($(#[doc = $doc:literal])+ $name:ident: $kind:literal or $list:literal, names $noun:literal, from [$($type:literal),*];)+) => {$(
        $(#[doc = $doc])+
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name(Ref);

        impl std::ops::Deref for $name {
            type Target = Ref;
            fn deref(&self) -> &Ref {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl<'a> From<&'a $name> for Meant<'a> {
            fn from(given: &'a $name) -> Self {
                (&given.0).into()
            }
        }

        impl From<Ref> for $name {
            fn from(reference: Ref) -> Self {
                Self(reference)
            }
        }

        impl OptionValue for $name {
            const KIND: &'static str = $kind;
            const NAMES: Option<&'static str> = Some($noun);
            const TYPES: &'static [&'static str] = &[$($type),*];
            fn read(value: Dynamic) -> Result<Self, String> {
                Ref::read_from(value, Self::TYPES).map(Self)
            }
        }

        impl ListKind for $name {
            const LIST: &'static str = $list;
        }
    )+};
}

// What a parameter names is said once, by its type: reading, help, completion and checks take it from there.
references! {
    /// A project.
    ProjectRef: "project" or "project or list", names "project", from ["Project"];
    /// An environment.
    EnvironmentRef: "environment" or "environment or list", names "environment", from ["Environment"];
    /// A tenant.
    TenantRef: "tenant" or "tenant or list", names "tenant", from ["Tenant"];
    /// A project group.
    GroupRef: "project group" or "project group or list", names "project group", from [];
    /// A release: a version, a version range, or `latest`.
    ReleaseRef: "version, range or release" or "list of versions", names "release", from ["Release"];
    /// A channel of a project.
    ChannelRef: "channel" or "channel or list", names "channel", from [];
    /// A step of a project's deployment process.
    StepRef: "step" or "step or list", names "step", from [];
    /// A runbook of a project.
    RunbookRef: "runbook" or "runbook or list", names "runbook", from [];
    /// A deployment target.
    TargetRef: "deployment target" or "deployment target or list", names "deployment target", from [];
    /// A space.
    SpaceRef: "space" or "space or list", names "space", from [];
}

impl Place {
    /// The place `space` on the server of `client`, which keeps to what `advice` says.
    pub fn new(client: api::Client, space: api::SpaceClient, advice: Advice) -> Self {
        let poller = Poller::new(space.clone(), 60);
        Self(Arc::new(Inner {
            client,
            space,
            advice,
            poller,
            projects: Mutex::default(),
            environments: Mutex::default(),
            tenants: Mutex::default(),
        }))
    }

    /// The project that `wanted` means.
    pub async fn project<'a>(&self, wanted: impl Into<Meant<'a>>) -> Result<Arc<api::Project>> {
        let wanted = wanted.into();
        known(&self.projects, wanted, self.space.find_project(wanted)).await
    }

    /// The environment that `wanted` means.
    pub async fn environment<'a>(&self, wanted: impl Into<Meant<'a>>) -> Result<Arc<api::Environment>> {
        let wanted = wanted.into();
        known(&self.environments, wanted, self.space.find_environment(wanted)).await
    }

    /// The tenant that `wanted` means.
    pub async fn tenant<'a>(&self, wanted: impl Into<Meant<'a>>) -> Result<Arc<api::Tenant>> {
        let wanted = wanted.into();
        known(&self.tenants, wanted, self.space.find_tenant(wanted)).await
    }

    /// [`Place::tenant`] for what need not be given.
    pub async fn tenant_or_none<'a>(&self, wanted: Option<impl Into<Meant<'a>>>) -> Result<Option<Arc<api::Tenant>>> {
        match wanted {
            Some(wanted) => self.tenant(wanted).await.map(Some),
            None => Ok(None),
        }
    }

    /// Remembers projects that a list answered, so that their names cost nothing later; returns them.
    pub fn remember_projects(&self, list: Vec<api::Project>) -> Vec<Arc<api::Project>> {
        let list: Vec<_> = list.into_iter().map(Arc::new).collect();
        let mut projects = self.projects.lock();
        for project in &list {
            projects.by_id.entry(project.id.to_string()).or_insert_with(|| Arc::clone(project));
            // A name that could be the id of another project has to be looked up.
            if !looks_like(ProjectId::PREFIX, project.name.trim()) {
                projects.written.entry(project.name.clone()).or_insert_with(|| Arc::clone(project));
            }
        }
        list
    }

    /// Remembers all tenants of the space, one request for many names; returns them.
    pub fn remember_tenants(&self, list: Vec<api::Tenant>) -> Vec<Arc<api::Tenant>> {
        let list: Vec<_> = list.into_iter().map(Arc::new).collect();
        let mut tenants = self.tenants.lock();
        for tenant in &list {
            tenants.by_id.entry(tenant.id.to_string()).or_insert_with(|| Arc::clone(tenant));
        }
        list
    }

    /// The name of a project, or its id when it may not be seen.
    pub async fn project_name(&self, id: &ProjectId) -> String {
        self.project(id).await.map_or_else(|_| id.to_string(), |p| p.name.clone())
    }

    /// The name of an environment, or its id when it may not be seen.
    pub async fn environment_name(&self, id: &EnvironmentId) -> String {
        self.environment(id).await.map_or_else(|_| id.to_string(), |e| e.name.clone())
    }

    /// The name of a tenant, or its id when it may not be seen.
    pub async fn tenant_name(&self, id: &TenantId) -> String {
        self.tenant(id).await.map_or_else(|_| id.to_string(), |t| t.name.clone())
    }

    /// How a deployment is called in lines of output.
    pub async fn subject(&self, deployment: &api::Deployment, version: Option<&str>) -> Subject {
        let project = self.project_name(&deployment.project_id).await;
        let environment = self.environment_name(&deployment.environment_id).await;
        let tenant = match &deployment.tenant_id {
            Some(id) => Some(self.tenant_name(id).await),
            None => None,
        };
        let release = match version {
            Some(version) => version.to_owned(),
            None => self.space.release(&deployment.release_id).await.map_or_else(|_| deployment.release_id.to_string(), |r| r.version),
        };
        let mut title = format!("{project} {release} → {environment}");
        if let Some(tenant) = &tenant {
            title = format!("{title} for {tenant}");
        }
        Subject {
            task: deployment.task_id.to_string(),
            title,
            project: Some(project),
            release: Some(release),
            environment: Some(environment),
            tenant,
            runbook: None,
            url: Some(self.space.task_url(&deployment.task_id)),
        }
    }
}

impl Host {
    /// The space `name` on the server that is meant now.
    pub fn space(&self, name: &str) -> crate::engine::thrown::HostResult<Place> {
        let here = self.place();
        let client = here.client.clone();
        let key = format!("{} {}", client.address(), name.to_lowercase());
        self.met(key, async {
            let space = client.space(Some(name)).await?;
            Ok(Place::new(client.clone(), space, here.advice))
        })
    }

    /// The place that was met before under `key`, or what `find` finds: one poller and one set of names for each.
    fn met(&self, key: String, find: impl Future<Output = Result<Place>>) -> crate::engine::thrown::HostResult<Place> {
        if let Some(known) = self.places.lock().get(&key) {
            return Ok(known.clone());
        }
        let found = self.block(find)?;
        self.places.lock().insert(key, found.clone());
        Ok(found)
    }
}

impl Host {
    /// The default space of another server. `default` is the server the run works on.
    pub fn server(&self, name: &str) -> crate::engine::thrown::HostResult<Place> {
        let lower = name.to_lowercase();
        if lower == "default" {
            return Ok(self.home.clone());
        }
        let Some(credential) = self.servers.get(&lower) else {
            let upper = name.to_uppercase();
            return Err(raise(
                unknown("server", name, self.servers.keys().map(String::as_str))
                    .help(format!("set OCTOPUS_URL_{upper}, and OCTOPUS_API_KEY_{upper} or OCTOPUS_ACCESS_TOKEN_{upper}")),
            ));
        };
        let credential = credential.clone().map_err(raise)?;
        let url = credential.address();
        let advice = doctor::advice(self.measured.as_deref(), &url);
        let connection =
            api::Settings { credential, public_url: None, keeps_deadlines: advice.keeps_deadlines(), ..self.connection.clone() };
        self.met(url, async {
            let client = api::Client::new(connection)?;
            let space = client.space(None).await?;
            Ok(Place::new(client, space, advice))
        })
    }
}

/// An error for a name that means nothing here.
pub fn unknown<'a>(what: &str, name: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> Error {
    Error::new(Kind::NotFound, format!("there is no {what} `{name}`")).suggest(name, known)
}
