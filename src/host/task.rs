//! A server task: what verbs that start work return, and what `wait` waits for.

use super::prelude::*;
use super::{
    space::Space,
    task_log::{self, Step, Trouble},
    why_waiting::{self, Explanation},
};
use crate::{
    api::TaskId,
    engine::{choice::unknown, options::WORD},
};
use std::sync::atomic::{AtomicBool, Ordering};

/// A server task. Clones are the same task; what is known of its state is what was last seen.
#[derive(Clone)]
pub struct Task(Arc<TaskParts>);

/// What [`Task`] is made of.
pub struct TaskParts {
    /// Where it runs.
    pub place: Space,
    /// Its id.
    pub id: TaskId,
    /// How it is called in lines of output.
    pub subject: Subject,
    /// The deployment, when it is one, without its JSON: no script can read that of a task.
    pub deployment: Option<api::Deployment>,
    /// The runbook run, when it is one, without its JSON.
    pub runbook_run: Option<api::RunbookRun>,
    last: Mutex<Arc<api::Task>>,
    ended: AtomicBool,
}

impl std::ops::Deref for Task {
    type Target = TaskParts;
    fn deref(&self) -> &TaskParts {
        &self.0
    }
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}, {})", self.subject.title, self.id, self.last.lock().state)
    }
}

impl OptionValue for api::TaskState {
    const KIND: &'static str = WORD;
    const WORDS: &'static [&'static str] = Self::KNOWN;
    fn read(value: Dynamic) -> std::result::Result<Self, String> {
        match Self::from(String::read(value)?.as_str()) {
            Self::Other(word) => Err(unknown(&word, Self::KNOWN)),
            known => Ok(known),
        }
    }
}

crate::script_type! {
    /// A server task: a deployment, a runbook run, or another one.
    ///
    /// `state` and what belongs to it is what was last seen; `wait` and `refresh` look again. Comparing a state with a text that is no state of
    /// a task (`t.state == "Succeeded"`) is an error. Beside a text a task is its id.
    Task as "Task" shows [title, state, started, ended, error] {
        /// The id, e.g. `ServerTasks-17`.
        id: "text" = |t| t.id.to_string();
        /// `Queued`, `Executing`, `Cancelling`, `Success`, `Failed`, `Canceled` or `TimedOut`.
        state: "text" = |t| t.last().state.clone();
        /// Whether it is complete, well or not.
        completed: "true or false" = |t| t.last().is_completed();
        /// Whether it is complete and ended well.
        succeeded: "true or false" = |t| t.last().finished_successfully();
        /// Whether it ended well but with warnings.
        warnings: "true or false" = |t| t.last().has_warnings_or_errors;
        /// The server's error message; empty when there is none.
        error: "text" = |t| t.last().error_message.clone();
        /// The project's name.
        project: "text" = |t| t.subject.project.clone();
        /// The release's version.
        release: "text" = |t| t.subject.release.clone();
        /// The environment's name.
        env: "text" = |t| t.subject.environment.clone();
        /// The tenant's name; `()` when there is none.
        tenant: "text" = |t| t.subject.tenant.clone();
        /// The runbook's name; `()` when it is not a runbook run.
        runbook: "text" = |t| t.subject.runbook.clone();
        /// One line that says what it does, e.g. `Project A 2.0.0 → Test`.
        title: "text" = |t| t.subject.title.clone();
        /// Where a person looks at it.
        url: "text" = |t| t.subject.url.clone();
        /// The id of the deployment; `()` when it is not one.
        deployment: "text" = |t| t.deployment.as_ref().map(|d| d.id.to_string());
        /// When the server queued it.
        queued: "Moment" = |t, host: Host| host.moment(t.last().queue_time);
        /// When it first started; `()` before that.
        started: "Moment" = |t, host: Host| host.moment(t.last().start_time);
        /// When it was complete; `()` before that.
        ended: "Moment" = |t, host: Host| host.moment(t.last().completed_time);
        /// From start to end, or to now while it runs.
        duration: "duration" = |t, host: Host| {
            let last = t.last();
            last.start_time.map(|from| last.completed_time.unwrap_or_else(|| host.now()).duration_since(from))
        };
        /// The steps of its log with their states; asks the server.
        steps: "list of Step" = |t, host: Host| host.block(t.steps())?;
        /// The name of the first step that failed; `()` when none did. Asks the server.
        failed_step: "text" = |t, host: Host| host.block(t.trouble())?.step;
        /// The first lines of errors in its log. Asks the server.
        first_errors: "list of text" = |t, host: Host| host.block(t.trouble())?.lines;
        /// The whole log as text. Asks the server.
        log: "text" = |t, host: Host| host.block(t.place.space.task_log(&t.id))?;
        /// Why it does not go on: queued behind others, waiting for a person, for an approval, for pull requests, ...; `()` when it does. Asks the
        /// server.
        waiting_for: "text" = |t, host: Host| host.block(t.waits_for(&host))?;
        /// The whole document of the server.
        raw: "map" = |t, host: Host| {
            let last = t.last();
            // A task that was started just now has not been asked for yet.
            if last.raw.is_null() { let host = host; host.block(t.look(&host))?.raw.clone() } else { last.raw.clone() }
        };
    }
}

impl Task {
    /// A task as the server showed it last.
    pub fn new(
        place: Space,
        subject: Subject,
        last: api::Task,
        mut deployment: Option<api::Deployment>,
        mut runbook_run: Option<api::RunbookRun>,
    ) -> Self {
        if let Some(one) = &mut deployment {
            (one.raw, one.links) = Default::default();
        }
        if let Some(one) = &mut runbook_run {
            (one.raw, one.links) = Default::default();
        }
        let ended = AtomicBool::new(false);
        let (id, last) = (last.id.clone(), Mutex::new(Arc::new(last)));
        Self(Arc::new(TaskParts { place, id, subject, deployment, runbook_run, last, ended }))
    }

    /// The task `last`, with what its arguments say it works on, as far as that is still there.
    pub async fn of(place: &Space, last: api::Task) -> Result<Self> {
        if let Some(id) = last.deployment_id()
            && let Some(deployment) = place.space.deployment_or_none(id).await?
        {
            let subject = place.subject(&deployment, None).await;
            return Ok(Self::new(place.clone(), subject, last, Some(deployment), None));
        }
        let subject = Subject {
            task: last.id.to_string(),
            title: last.description.clone(),
            url: Some(place.space.task_url(&last.id)),
            ..Subject::default()
        };
        Ok(Self::new(place.clone(), subject, last, None, None))
    }

    /// Whether it is the same one, whatever was seen of its state. Ids are unique on one server only.
    pub fn same(&self, other: &Self) -> bool {
        self.id == other.id && self.place.client.address() == other.place.client.address()
    }

    /// Whether it is a deployment that is scheduled for later than `now`, and has not begun.
    pub fn is_planned(&self, now: Timestamp) -> bool {
        let scheduled = self.deployment.as_ref().and_then(|deployment| deployment.queue_time);
        self.last().start_time.is_none() && scheduled.is_some_and(|at| at > now)
    }

    /// What it is called in records: its state changes.
    pub fn lasting_name(&self) -> String {
        format!("{} ({})", self.subject.title, self.id)
    }

    /// What was last seen.
    pub fn last(&self) -> Arc<api::Task> {
        Arc::clone(&self.last.lock())
    }

    /// Takes over what was seen just now; tells the end once.
    pub fn saw(&self, host: &Host, seen: Arc<api::Task>) {
        let changed = {
            let mut last = self.last.lock();
            // Polled, and nothing has changed.
            if Arc::ptr_eq(&last, &seen) {
                return;
            }
            let changed = last.state != seen.state;
            *last = Arc::clone(&seen);
            changed
        };
        if seen.is_completed() {
            if !self.ended.swap(true, Ordering::SeqCst) {
                host.emit(What::TaskEnded {
                    subject: self.subject.clone(),
                    state: seen.state.to_string(),
                    queued: seen.queue_time.unwrap_or_else(|| host.clock.now()),
                    started: seen.start_time,
                    completed: seen.completed_time,
                    error: seen.error_message.clone(),
                });
            }
        } else if changed {
            host.emit(What::TaskProgress { subject: self.subject.clone(), state: seen.state.to_string(), step: None, percent: None });
        }
    }

    /// Asks the server for the state.
    pub async fn look(&self, host: &Host) -> Result<Arc<api::Task>> {
        let seen = Arc::new(self.place.space.task(&self.id).await?);
        self.saw(host, Arc::clone(&seen));
        Ok(seen)
    }

    /// Cancels it on the server. A task that is complete already is left alone.
    pub async fn cancel(&self, host: &Host) -> Result<()> {
        if self.last.lock().is_completed() {
            return Ok(());
        }
        match self.place.space.cancel_task(&self.id).await {
            Ok(seen) => self.saw(host, Arc::new(seen)),
            // It ended meanwhile, or our request took effect without an answer: look (octopus-api.md §31 no. 24).
            Err(error) if error.kind().is_refusal() || error.kind() == Kind::InDoubt => {
                let seen = self.look(host).await?;
                if !seen.is_completed() && seen.state != api::TaskState::Cancelling {
                    return Err(error);
                }
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// The steps in order, from the activity log.
    pub async fn steps(&self) -> Result<Vec<Step>> {
        Ok(task_log::steps(&self.place.space.task_details(&self.id).await?))
    }

    /// The failed step and the first error lines, from the activity log.
    pub async fn trouble(&self) -> Result<Trouble> {
        Ok(Trouble::of(&self.place.space.task_details(&self.id).await?))
    }

    /// Why it does not go on, in words; `None` when it runs or is complete.
    pub async fn explain(&self, host: &Host) -> Result<Option<Explanation>> {
        why_waiting::explain(host, &self.place, &self.last(), self.deployment.as_ref()).await
    }

    /// The same with what keeps all queued tasks of its space.
    pub async fn waits_for(&self, host: &Host) -> Result<Option<String>> {
        let Some(explanation) = self.explain(host).await? else { return Ok(None) };
        let halt = if explanation.is_stalled { why_waiting::halt(&self.place).await? } else { None };
        Ok(Some(halt.unwrap_or(explanation.why)))
    }

    /// ` by ada`, or that the server itself did it, for a newer deployment (octopus-api.md §18.7): what waits is replaced, what has started is cancelled
    /// when the newer one has succeeded. Empty when unknown.
    async fn who_cancelled(&self) -> String {
        let query = api::EventQuery {
            regarding: vec![self.id.to_string()],
            categories: vec!["TaskCanceled".to_owned()],
            limit: Some(1),
            ..api::EventQuery::default()
        };
        let event = self.place.space.events(&query).await.ok().and_then(|events| events.into_iter().next());
        match event {
            Some(event) if event.username.is_empty() || event.username == "system" => {
                let newer = if self.last().has_started() { "has succeeded" } else { "replaces it" };
                format!(" by itself: a newer deployment to the same place {newer}")
            }
            Some(event) => format!(" by {}", event.username),
            None => String::new(),
        }
    }

    /// The error of a task that did not end well. `Err` is what keeps it from being known and ends the run.
    pub async fn failure(&self) -> Result<Error> {
        let last = self.last();
        let trouble = match self.trouble().await {
            Err(error) if error.stops() => return Err(error),
            trouble => trouble.unwrap_or_default(),
        };
        let what = if self.subject.runbook.is_some() { "runbook run" } else { "deployment" };
        let mut message = match last.state {
            api::TaskState::Canceled => {
                format!("{}: the {what} was cancelled on the server{}", self.subject.title, self.who_cancelled().await)
            }
            api::TaskState::TimedOut if last.start_time.is_none() => {
                let expiry = self.deployment.as_ref().and_then(|d| d.queue_time_expiry);
                let allowed = expiry.zip(last.queue_time).map(|(to, from)| text::show(to.duration_since(from)));
                let within = allowed.map(|allowed| format!(" within {allowed}")).unwrap_or_default();
                format!("{}: the {what} did not start{within}, so the server gave it up", self.subject.title)
            }
            api::TaskState::TimedOut => format!("{}: the {what} timed out on the server", self.subject.title),
            _ => match &trouble.step {
                Some(step) => format!("{} failed at step `{step}`", self.subject.title),
                None => format!("{} failed", self.subject.title),
            },
        };
        if let Some(first) = trouble.lines.first() {
            message = format!("{message}: {first}");
        } else if !last.error_message.is_empty() {
            message = format!("{message}: {}", last.error_message);
        }
        let mut error = Error::new(Kind::DeploymentFailed, message)
            .with("task", self.id.to_string())
            .with("state", last.state.to_string())
            .with("project", self.subject.project.clone())
            .with("release", self.subject.release.clone())
            .with("environment", self.subject.environment.clone())
            .with("tenant", self.subject.tenant.clone())
            .with("failed_step", trouble.step)
            .with("first_errors", trouble.lines);
        if let Some(url) = &self.subject.url {
            error = error.with("url", url.clone());
        }
        Ok(error)
    }
}
