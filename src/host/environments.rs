//! Environments: listed by type, and ephemeral ones made and deprovisioned.

use super::prelude::*;
use super::{
    effect::EffectOutcome,
    references::{EnvironmentRef, ProjectRef},
    space::Space,
    tags::{has_all, tags},
    task::Task,
};
use crate::{
    api::{
        decode::Document,
        environments::{Deprovisioning, DeprovisioningRun, EnvironmentKind, EnvironmentList, without_types},
    },
    engine::{options::ListKind, texts::Words},
};

/// An environment.
#[derive(Clone)]
pub struct Environment(pub Arc<api::Environment>);

impl fmt::Display for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.name)
    }
}

crate::words! {
    /// A type of environments.
    pub enum EnvironmentType {
        /// Stays until somebody deletes it.
        Static = "static",
        /// Gives scope to the ephemeral ones below it.
        Parent = "parent",
        /// Made for a while, e.g. for a pull request.
        Ephemeral = "ephemeral",
    }
}

static TYPES: Words = Words::new("a type of environments", &["static", "parent", "ephemeral"]);

static STATUSES: Words = Words::new(
    "a status of an ephemeral environment",
    &["NotProvisioned", "Provisioning", "Provisioned", "Deprovisioning", "Deprovisioned"],
);

impl ListKind for EnvironmentType {
    const LIST: &'static str = "list of these";
}

impl EnvironmentType {
    /// Whether an environment is of this type.
    fn is(self, environment: &api::Environment) -> bool {
        Self::named(&environment.kind().as_str().to_lowercase()) == Some(self)
    }
}

crate::script_type! {
    /// An environment. Wherever a function takes an environment's name it also takes this.
    Environment as "Environment" shows [name, id, slug, description, r#type] {
        /// The name.
        name: "text" = |e| e.0.name.clone();
        /// The id, e.g. `Environments-11`.
        id: "text" = |e| e.0.id.to_string();
        /// The slug.
        slug: "text" = |e| e.0.slug.clone();
        /// What it is for.
        description: "text" = |e| e.0.description.clone();
        /// `static`, `parent` or `ephemeral`; a type that is not known here is as the server writes it.
        r#type: "text" = |e| type_of(&e.0);
        /// Its tags, e.g. `Cloud/Azure`.
        tags: "list of text" = |e| e.0.tags.clone();
        /// The whole document of the server.
        raw: "map" = |e| e.0.raw.clone();
    }
}

/// The type of an environment, as scripts compare it.
fn type_of(environment: &api::Environment) -> Dynamic {
    match environment.kind() {
        EnvironmentKind::Other(word) => word.clone().into(),
        known => TYPES.give(&known.as_str().to_lowercase()),
    }
}

crate::options! {
    /// Which environments.
    pub struct EnvironmentFilter for ["envs"] {
        /// Only those of these types. Parent environments give scope and cannot be deployed to; ephemeral ones are made for a while.
        r#type: Chosen<EnvironmentType> = Chosen::These(vec![EnvironmentType::Static]), "\"static\"";
        /// Only those with all of these tags, e.g. `"Cloud/Azure"`.
        tag: Chosen<Name> = Chosen::All, "all";
    }
}

crate::options! {
    /// For which project.
    pub struct DeprovisionOptions for ["deprovision"] {
        /// Only for this project: the environment stays. Without it all projects that use it are deprovisioned, and it is removed.
        project: Option<ProjectRef> = None, "none";
    }
}

/// The environments that a filter selects.
async fn select(place: &Space, filter: &EnvironmentFilter) -> Result<Vec<api::Environment>> {
    if filter.r#type.is_nothing() || filter.tag.is_nothing() {
        return Ok(Vec::new());
    }
    let EnvironmentList { mut all, has_types } = place.space.environment_list().await?;
    let types = filter.r#type.named();
    if !has_types && !types.contains(&EnvironmentType::Static) {
        return Err(without_types("list"));
    }
    all.retain(|one| types.iter().any(|wanted| wanted.is(one)));
    let tags = tags(&place.space, "tag", None, filter.tag.named()).await?;
    all.retain(|one| has_all(&one.tags, &tags));
    Ok(all)
}

/// An ephemeral environment by its name.
///
/// # Errors
/// `refused` for one of another type.
async fn ephemeral(place: &Space, wanted: &EnvironmentRef, what: &str) -> Result<Arc<api::Environment>> {
    let found = place.environment(wanted).await?;
    if *found.kind() == EnvironmentKind::Ephemeral {
        return Ok(found);
    }
    let kind = found.kind().as_str().to_lowercase();
    Err(Error::new(Kind::Refused, format!("cannot {what} `{}`: it is a {kind} environment, not an ephemeral one", found.name)))
}

impl EffectOutcome for Vec<DeprovisioningRun> {
    fn record(&self) -> JsonText {
        let runs: Vec<Value> = self.iter().map(|run| json!({"RunbookRunId": run.run.as_str(), "TaskId": run.task.as_str()})).collect();
        json!({ "DeprovisioningRuns": runs }).into()
    }
    fn restore(record: JsonText) -> Result<Self> {
        Ok(Deprovisioning::decode(record).map_err(|problem| problem.into_error("deprovisioning"))?.all)
    }
}

impl Host {
    /// The task of a deprovisioning run. It is there: nothing that cannot be asked about it may hide it.
    fn deprovisioning_task(&self, place: &Space, run: &DeprovisioningRun, environment: &api::Environment) -> HostResult<Task> {
        let (document, project, runbook) = self.block(async {
            let Ok(document) = place.space.runbook_run(&run.run).await else { return Ok((None, None, None)) };
            let project = match &document.project_id {
                Some(id) => Some(place.project_name(id).await),
                None => None,
            };
            let runbook = place.space.runbook(&document.runbook_id).await.ok().map(|runbook| runbook.name);
            Ok((Some(document), project, runbook))
        })?;
        let name = [project.clone(), runbook.clone()].into_iter().flatten().collect::<Vec<_>>().join(" / ");
        let subject = Subject {
            task: run.task.to_string(),
            title: if name.is_empty() { format!("deprovision {}", environment.name) } else { format!("{name} → {}", environment.name) },
            project,
            release: None,
            environment: Some(environment.name.clone()),
            tenant: None,
            runbook,
            url: Some(place.space.task_url(&run.task)),
        };
        let last = document.as_ref().map_or_else(|| api::Task::queued(&run.task, &subject.title), api::Task::of_new_run);
        let task = Task::new(place.clone(), subject, last, None, document);
        self.started(&task, "deprovision");
        Ok(task)
    }
}

crate::functions! {
    group "query";

    /// The environments of the space, in their sort order: the static ones, or those of the types that `type` names.
    ///
    /// ```rhai
    /// for e in envs() { print(e.name); }
    /// for e in envs(#{type: ["parent", "ephemeral"]}) { print(`${e.name} is ${e.type}`); }
    /// ```
    fn envs(host: Host; filter: EnvironmentFilter) -> "list of Environment" raises "not_found, ambiguous, refused, request" {
        let place = host.place();
        let found = host.block(select(&place, &filter))?;
        Ok(found.into_iter().map(|e| Dynamic::from(Environment(e.into()))).collect::<Array>())
    }

    /// How far the ephemeral environment `env` is for `project`: `NotProvisioned`, `Provisioning`, `Provisioned`, `Deprovisioning` or
    /// `Deprovisioned`. The first deployment provisions it.
    ///
    /// ```rhai
    /// let env = create_environment("pr-451", "Project A");
    /// if environment_status(env, "Project A") == "NotProvisioned" { print("nothing was deployed there yet"); }
    /// ```
    fn environment_status(host: Host, env: EnvironmentRef, project: ProjectRef) -> "text" raises "not_found, ambiguous, refused, request" {
        let place = host.place();
        let status = host.block(async {
            let environment = ephemeral(&place, &env, "ask for the status of").await?;
            let project = place.project(&project).await?;
            place.space.ephemeral_status(&project.id, &environment.id).await
        })?;
        Ok(STATUSES.give(&status))
    }

    group "act";

    /// Makes an ephemeral environment for `project` and returns it. One that is there already and that the project can use is returned as it is,
    /// so that several projects of a train can ask for the same one. Characters that a name must not have, such as `/`, become `-`.
    ///
    /// The environment is provisioned by its first deployment, which waits for that.
    ///
    /// ```rhai
    /// let env = create_environment("pr-451", "Project A");
    /// wait(deploy("Project A", "latest", env));
    /// ```
    fn create_environment(host: Host, name: Name, project: ProjectRef) -> "Environment" raises "not_found, ambiguous, refused, in_doubt, fenced, request" {
        let place = host.place();
        let project = host.block(place.project(&project))?;
        let arguments = json!({"name": &*name, "project": project.id.to_string()});
        let made = host.effect("create environment", &arguments, |_| async { place.space.ensure_ephemeral(&project, &name).await })?;
        Ok(Environment(place.remember_environment(made)))
    }

    /// Deprovisions the ephemeral environment `env` and removes it, or with `project` deprovisions it for that project only. Returns the tasks of
    /// the runbooks that this starts, which `wait` accepts; the environment is removed when they have ended well.
    ///
    /// ```rhai
    /// let env = create_environment("pr-451", "Project A");
    /// wait(deploy("Project A", "latest", env));
    /// wait(deprovision(env));
    /// ```
    fn deprovision(host: Host, env: EnvironmentRef; options: DeprovisionOptions) -> "list of Task" raises "not_found, ambiguous, refused, in_doubt, fenced, request" {
        let place = host.place();
        let (environment, project) = host.block(async {
            let environment = ephemeral(&place, &env, "deprovision").await?;
            let project = match &options.project {
                Some(project) => Some(place.project(project).await?.id.clone()),
                None => None,
            };
            Ok((environment, project))
        })?;
        let arguments = json!({"environment": environment.id.to_string(), "project": project.as_ref().map(ToString::to_string)});
        let runs = host.effect("deprovision", &arguments, |attempt| {
            let (place, environment, project) = (&place, &environment, &project);
            async move { place.space.deprovision(&environment.id, project.as_ref(), &attempt).await }
        })?;
        if project.is_none() {
            place.forget_environment(&environment.id);
        }
        let tasks = runs.iter().map(|run| host.deprovisioning_task(&place, run, &environment).map(Dynamic::from));
        tasks.collect::<HostResult<Array>>()
    }
}
