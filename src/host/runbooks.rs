//! Runbooks.

use super::prelude::*;
use super::{
    deployments::form_values,
    references::{EnvironmentRef, ProjectRef, Ref, RunbookRef, TenantRef},
    task::Task,
    time::When,
};

crate::options! {
    /// How to run a runbook.
    pub struct RunbookOptions for ["run_runbook"] {
        /// The tenant.
        tenant: Option<TenantRef> = None, "none";
        /// The snapshot, by name; otherwise the published one.
        snapshot: Option<Name> = None, "published";
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
    }
}

impl Host {
    /// Starts a runbook run.
    pub fn run_runbook(&self, project: &Ref, runbook: &str, env: &Ref, options: &RunbookOptions) -> HostResult<Task> {
        let place = self.place();
        let at = match &options.at {
            Some(at) => Some(at.resolve(self)?),
            None => None,
        };
        let (project, environment, tenant, runbook, new) = self.block(async {
            let (project, environment, tenant) = place.spot(project, env, options.tenant.as_deref()).await?;
            let runbook = place.space.find_runbook(&project, runbook).await?;
            let mut new = api::NewRunbookRun::new(&runbook, &environment.id)?;
            new.tenant = tenant.as_ref().map(|t| t.id.clone());
            new.comments = options.comment.clone().unwrap_or_default();
            new.use_guided_failure = options.guided_failure;
            new.queue_time = at;
            if let Some(expires) = options.expires {
                new.queue_expiry = expires;
            }
            if let Some(name) = &options.snapshot {
                new.subject.snapshot = Some(place.space.find_runbook_snapshot(&runbook, name).await?.id);
            }
            if !options.variables.is_empty() {
                let preview = place.space.runbook_preview(&runbook, &environment.id, tenant.as_ref().map(|t| &t.id)).await?;
                new.form_values = form_values(&preview, &format!("runbook `{}`", runbook.name), &options.variables)?;
            }
            Ok((project, environment, tenant, runbook, new))
        })?;
        let arguments = json!({"runbook": runbook.id.to_string(), "environment": environment.id.to_string(), "tenant": new.tenant.as_ref().map(ToString::to_string)});
        let run = self.effect("run runbook", &arguments, |attempt| {
            let (place, new) = (&place, &new);
            async move { place.space.create(new, attempt.marker.as_str(), &attempt).await }
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
    /// is run unless another one is named.
    ///
    /// ```rhai
    /// wait(run_runbook("Project A", "Smoke test", "Test"));
    /// ```
    fn run_runbook(host: Host, project: ProjectRef, runbook: RunbookRef, env: EnvironmentRef; options: RunbookOptions) -> "Task" raises "not_found, ambiguous, refused, in_doubt, fenced, request" {
        host.run_runbook(&project, runbook.as_str(), &env, &options)
    }
}
