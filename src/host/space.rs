//! A server and a space: where functions find what a name means.

use super::prelude::*;
use crate::{
    api::{EnvironmentId, ProjectId, TenantId, id::looks_like, meant::Meant, poller::Poller},
    doctor::Advice,
};

/// A space on a server, with the names looked up so far. Clones share them.
#[derive(Clone)]
pub struct Space(Arc<SpaceParts>);

/// What [`Space`] is made of.
pub struct SpaceParts {
    /// The server.
    pub client: api::Client,
    /// The space.
    pub space: api::SpaceClient,
    /// What locks and creations go by there.
    pub advice: Advice,
    /// Asks for the tasks this process waits for.
    pub poller: Poller,
    projects: Mutex<MetNames<api::Project>>,
    environments: Mutex<MetNames<api::Environment>>,
    tenants: Mutex<MetNames<api::Tenant>>,
}

/// Documents by what they were asked for, and by id: a name may look like the id of another one. Each once, shared by all who know it.
struct MetNames<T> {
    written: BTreeMap<String, Arc<T>>,
    by_id: BTreeMap<String, Arc<T>>,
}

impl<T> Default for MetNames<T> {
    fn default() -> Self {
        Self { written: BTreeMap::new(), by_id: BTreeMap::new() }
    }
}

impl<T> MetNames<T> {
    fn get(&self, wanted: Meant<'_>) -> Option<Arc<T>> {
        match wanted {
            Meant::Written(text) => self.written.get(text).cloned(),
            Meant::Id(id) => self.by_id.get(id).cloned(),
        }
    }
}

/// What `wanted` means: looked up once in a run, because names do not change under a script's feet.
async fn known<T: api::resource::Named>(
    known: &Mutex<MetNames<T>>,
    wanted: Meant<'_>,
    find: impl Future<Output = Result<T>>,
) -> Result<Arc<T>> {
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

impl std::ops::Deref for Space {
    type Target = SpaceParts;
    fn deref(&self) -> &SpaceParts {
        &self.0
    }
}

impl fmt::Display for Space {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "space {}", self.space.space().name)
    }
}

crate::script_type! {
    /// A space of an Octopus Server. Every function that takes names is also a method of it: `space("Ops").deploy(...)`.
    Space as "Space" shows [name, id] {
        /// The name.
        name: "text" = |p| p.space.space().name.clone();
        /// The id, e.g. `Spaces-1`.
        id: "text" = |p| p.space.space().id.to_string();
    }
}

impl Space {
    /// The place `space` on the server of `client`, which keeps to what `advice` says.
    pub fn new(client: api::Client, space: api::SpaceClient, advice: Advice) -> Self {
        let poller = Poller::new(space.clone(), 60);
        Self(Arc::new(SpaceParts {
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

    /// [`Space::tenant`] for what need not be given.
    pub async fn tenant_or_none<'a>(&self, wanted: Option<impl Into<Meant<'a>>>) -> Result<Option<Arc<api::Tenant>>> {
        match wanted {
            Some(wanted) => self.tenant(wanted).await.map(Some),
            None => Ok(None),
        }
    }

    /// A project, an environment and, where one is named, a tenant.
    pub async fn spot<'a>(
        &self,
        project: impl Into<Meant<'a>>,
        env: impl Into<Meant<'a>>,
        tenant: Option<impl Into<Meant<'a>>>,
    ) -> Result<(Arc<api::Project>, Arc<api::Environment>, Option<Arc<api::Tenant>>)> {
        Ok((self.project(project).await?, self.environment(env).await?, self.tenant_or_none(tenant).await?))
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

    /// Remembers an environment that was made under its name, also where another one had it before; returns it.
    pub fn remember_environment(&self, made: api::Environment) -> Arc<api::Environment> {
        let made = Arc::new(made);
        let mut environments = self.environments.lock();
        environments.written.insert(made.name.clone(), Arc::clone(&made));
        environments.by_id.insert(made.id.to_string(), Arc::clone(&made));
        made
    }

    /// Looks up the names of an environment anew that goes away. Its id still means it.
    pub fn forget_environment(&self, gone: &EnvironmentId) {
        self.environments.lock().written.retain(|_, known| known.id != *gone);
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

/// An error for a name that means nothing here.
pub fn unknown<'a>(what: &str, name: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> Error {
    Error::new(Kind::NotFound, format!("there is no {what} `{name}`")).suggest(name, known)
}
