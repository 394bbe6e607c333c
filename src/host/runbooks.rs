//! Runbooks.

use super::prelude::*;
use super::{
    deployments::{Priority, form_values},
    git,
    references::{EnvironmentRef, ProjectRef, Ref, RunbookRef, TargetTagRef, TenantRef},
    space::Space,
    tags::{has_all, tags, target_tags},
    task::Task,
    time::When,
};

crate::options! {
    /// How to run a runbook.
    pub struct RunbookOptions for ["run_runbook"] {
        /// The tenant.
        tenant: Option<TenantRef> = None, "none";
        /// The snapshot, by name; otherwise the published one. Runbooks in Git have none.
        snapshot: Option<Name> = None, "published";
        /// For runbooks in Git: branch, tag or commit; otherwise the default branch. An error for other runbooks.
        git_ref: Option<Name> = None, "none";
        /// For runbooks in Git: references of repositories that steps take files from, by step name; otherwise their default branches.
        git_resources: Map = Map::new(), "#{}";
        /// Values of prompted variables by name.
        variables: Map = Map::new(), "#{}";
        /// When the server shall start it; otherwise at once.
        at: Option<When> = None, "none";
        /// How long the server may keep it queued before it gives up.
        expires: Option<SignedDuration> = None, "6h";
        /// A comment on the run.
        comment: Option<String> = None, "none";
        /// Whether a failing step asks a person; otherwise as the runbook says.
        guided_failure: Option<bool> = None, "none";
        /// Only deployment targets with one of these tags, e.g. `"Ring/Canary"`. An empty list is an error: it would run on none.
        target_tags: OneOrMore<TargetTagRef> = OneOrMore::ALL, "all";
        /// Not deployment targets with one of these tags.
        without_target_tags: Vec<TargetTagRef> = Vec::new(), "[]";
        /// Priority in the server's queue; otherwise as the server does without a word.
        priority: Option<Priority> = None, "none";
    }
}

/// A runbook.
#[derive(Clone)]
pub struct Runbook(pub Arc<api::Runbook>);

impl fmt::Display for Runbook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.name)
    }
}

crate::script_type! {
    /// A runbook. Wherever a function takes a runbook's name it also takes this.
    Runbook as "Runbook" shows [name, id, slug, description, tags, published] {
        /// The name.
        name: "text" = |r| r.0.name.clone();
        /// The id, e.g. `Runbooks-4`.
        id: "text" = |r| r.0.id.to_string();
        /// The slug, e.g. `smoke-test`.
        slug: "text" = |r| r.0.slug.clone();
        /// What it is for.
        description: "text" = |r| r.0.description.clone();
        /// Its tags, e.g. `Kind/Check`.
        tags: "list of text" = |r| r.0.tags.clone();
        /// Whether it has a snapshot that is run unless another one is named.
        published: "true or false" = |r| r.0.published_snapshot_id.is_some();
        /// The whole document of the server.
        raw: "map" = |r| r.0.raw.clone();
    }
}

crate::options! {
    /// Which runbooks.
    pub struct RunbookFilter for ["runbooks"] {
        /// Only those with all of these tags, e.g. `"Kind/Check"`.
        tag: Chosen<Name> = Chosen::All, "all";
        /// Only those whose name contains this text, without regard to case.
        name: Option<Name> = None, "none";
    }
}

/// A run that is to be created.
enum PlannedRun {
    /// Of a snapshot.
    Published(api::NewRunbookRun),
    /// Of a runbook as it is at a reference.
    InGit(api::NewRunInGit),
}

/// What all runs have in common.
async fn fill<S>(
    place: &Space,
    new: &mut api::NewExecution<S>,
    tenant: Option<&api::TenantId>,
    at: Option<Timestamp>,
    options: &RunbookOptions,
) -> Result<()> {
    new.tenant = tenant.cloned();
    new.comments = options.comment.clone().unwrap_or_default();
    new.use_guided_failure = options.guided_failure;
    new.queue_time = at;
    if let Some(expires) = options.expires {
        new.queue_expiry = expires;
    }
    new.priority = options.priority.map(|priority| priority.server_word().to_owned());
    let tags = [options.target_tags.named(), options.without_target_tags.as_slice()];
    [new.specific_target_tags, new.excluded_target_tags] = target_tags(&place.space, tags).await?;
    Ok(())
}

/// What a run of a runbook in Git is made of, with all that must be asked for first.
async fn at_reference(
    place: &Space,
    project: &api::Project,
    git_ref: String,
    wanted: &Ref,
    environment: &api::EnvironmentId,
    options: &RunbookOptions,
) -> Result<(api::Runbook, api::NewRunInGit)> {
    if let Some(name) = &options.snapshot {
        let message = format!("the runbooks of project `{}` are in Git and have no snapshots to run; given is `{name}`", project.name);
        return Err(Error::new(Kind::Refused, message).help("name a branch, tag or commit with #{git_ref: \"...\"}"));
    }
    let runbook = place.space.find_runbook_at(project, &git_ref, wanted).await;
    let runbook = git::asked_at(place, project, &git_ref, runbook).await?;
    let template = place.space.runbook_template_at(project, &git_ref, &runbook.id).await?;
    let whole = format!("runbook `{}`", runbook.name);
    let mut of = api::RunbookInGit {
        runbook: runbook.id.clone(),
        project: project.id.clone(),
        space: place.space.space().id.to_string(),
        git_ref,
        git_resources: git::resources(&template.git_resources, &options.git_resources, &whole)?,
        packages: Vec::new(),
    };
    for package in template.packages.iter().filter(|package| package.fixed_version.is_empty()) {
        let newest = if package.is_resolvable == Some(false) { None } else { place.space.newest_package(package, None).await? };
        let version = newest.ok_or_else(|| {
            let message =
                format!("no version of package `{}` is known, and step `{}` of {whole} needs one", package.package_id, package.step_name);
            Error::new(Kind::NotFound, message).help("push one to its feed")
        })?;
        let reference = package.reference.clone();
        of.packages
            .push(api::SelectedPackage { package_reference_name: reference, ..api::SelectedPackage::new(&package.action_name, version) });
    }
    Ok((runbook, api::NewRunInGit::at(of, environment)))
}

impl Host {
    /// Starts a runbook run.
    pub fn run_runbook(&self, project: &Ref, runbook: &Ref, env: &Ref, options: &RunbookOptions) -> HostResult<Task> {
        let place = self.place();
        let at = match &options.at {
            Some(at) => Some(at.resolve(self)?),
            None => None,
        };
        let (project, environment, tenant, runbook, new) = self.block(async {
            let (project, environment, tenant) = place.spot(project, env, options.tenant.as_deref()).await?;
            let tenant_id = tenant.as_ref().map(|t| &t.id);
            let forms = |runbook: &api::Runbook, preview| form_values(preview, &format!("runbook `{}`", runbook.name), &options.variables);
            let Some(git_ref) = git::of_run(&project, options.git_ref.as_deref())? else {
                let runbook = place.space.find_runbook(&project, runbook).await?;
                if !options.git_resources.is_empty() {
                    let message = format!("runbook `{}` is not in Git, so it takes no `git_resources`", runbook.name);
                    return Err(Error::new(Kind::Refused, message).help("leave them out: its snapshot says them"));
                }
                let mut new = api::NewRunbookRun::new(&runbook, &environment.id)?;
                fill(&place, &mut new, tenant_id, at, options).await?;
                if let Some(name) = &options.snapshot {
                    new.subject.snapshot = Some(place.space.find_runbook_snapshot(&runbook, name).await?.id);
                }
                if !options.variables.is_empty() {
                    new.form_values = forms(&runbook, &place.space.runbook_preview(&runbook, &environment.id, tenant_id).await?)?;
                }
                return Ok((project, environment, tenant, runbook, PlannedRun::Published(new)));
            };
            let (runbook, mut new) = at_reference(&place, &project, git_ref, runbook, &environment.id, options).await?;
            fill(&place, &mut new, tenant_id, at, options).await?;
            if !options.variables.is_empty() {
                let git_ref = &new.subject.git_ref;
                let preview = place.space.runbook_preview_at(&project, git_ref, &runbook.id, &environment.id, tenant_id).await?;
                new.form_values = forms(&runbook, &preview)?;
            }
            Ok((project, environment, tenant, runbook, PlannedRun::InGit(new)))
        })?;
        let tenant_id = tenant.as_ref().map(|t| t.id.to_string());
        let mut arguments = json!({"runbook": runbook.id.to_string(), "environment": environment.id.to_string(), "tenant": tenant_id});
        if let PlannedRun::InGit(new) = &new {
            arguments["git_ref"] = json!(new.subject.git_ref);
        }
        let run = self.effect("run runbook", &arguments, |attempt| {
            let (place, new) = (&place, &new);
            async move {
                match new {
                    PlannedRun::Published(new) => place.space.create(new, attempt.marker.as_str(), &attempt).await,
                    PlannedRun::InGit(new) => place.space.create(new, attempt.marker.as_str(), &attempt).await,
                }
            }
        })?;
        let mut title = format!("{} / {} → {}", project.name, runbook.name, environment.name);
        if let Some(tenant) = &tenant {
            title = format!("{title} for {}", tenant.name);
        }
        let subject = Subject {
            task: run.task_id.to_string(),
            title,
            project: Some(project.name.clone()),
            release: None,
            environment: Some(environment.name.clone()),
            tenant: tenant.map(|t| t.name.clone()),
            runbook: Some(runbook.name),
            url: Some(place.space.task_url(&run.task_id)),
        };
        // Not asked for: a request that fails here would hide a run that is there.
        let task = Task::new(place, subject, api::Task::of_new_run(&run), None, Some(run));
        self.started(&task, "runbook");
        Ok(task)
    }
}

crate::functions! {
    group "act";

    /// Runs a runbook of `project` in `env` and returns its task at once; `wait` waits for it. The published snapshot
    /// is run unless another one is named; a runbook in Git is run as it is on the default branch, or at `git_ref`.
    ///
    /// ```rhai
    /// wait(run_runbook("Project A", "Smoke test", "Test"));
    /// ```
    fn run_runbook(host: Host, project: ProjectRef, runbook: RunbookRef, env: EnvironmentRef; options: RunbookOptions) -> "Task" raises "not_found, ambiguous, refused, in_doubt, fenced, request" {
        host.run_runbook(&project, &runbook, &env, &options)
    }

    group "query";

    /// The runbooks of a project, by name.
    ///
    /// ```rhai
    /// for r in runbooks("Project A") { print(r.name); }
    /// ```
    fn runbooks(host: Host, project: ProjectRef; filter: RunbookFilter) -> "list of Runbook" raises "not_found, ambiguous, request" {
        let place = host.place();
        let found = host.block(async {
            if filter.tag.is_nothing() {
                return Ok(Vec::new());
            }
            let tags = tags(&place.space, "runbook tag", Some("Runbook"), filter.tag.named()).await?;
            let project = place.project(&project).await?;
            let mut found = place.space.runbooks(&project).await?;
            found.retain(|runbook| has_all(&runbook.tags, &tags));
            if let Some(name) = &filter.name {
                let part = name.to_lowercase();
                found.retain(|runbook| runbook.name.to_lowercase().contains(&part));
            }
            found.sort_by_cached_key(|runbook| runbook.name.to_lowercase());
            Ok(found)
        })?;
        Ok(found.into_iter().map(|r| Dynamic::from(Runbook(r.into()))).collect::<Array>())
    }
}
