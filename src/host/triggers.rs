//! Triggers that a script calls by their webhooks.

use super::prelude::*;
use super::{
    context::SecretText,
    effect::EffectOutcome,
    references::{ProjectRef, Ref},
    space::Space,
    task::Task,
};
use crate::api::meant::Meant;

/// How long the runs of a trigger are looked for: the server says that it has heard a call, and not what it has started.
const LOOKED_FOR: SignedDuration = SignedDuration::from_secs(30);
const PAUSE: SignedDuration = SignedDuration::from_secs(1);

/// The secret of a webhook: a text that is not empty.
#[derive(Clone, Debug)]
pub struct WebhookSecret(SecretText);

impl OptionValue for WebhookSecret {
    const KIND: &'static str = "text";
    fn read(value: Dynamic) -> std::result::Result<Self, String> {
        let secret = SecretText::read(value)?;
        if secret.clone().into_text().trim().is_empty() { Err("it is empty".to_owned()) } else { Ok(Self(secret)) }
    }
}

crate::options! {
    /// How to call a trigger.
    pub struct TriggerOptions for ["run_trigger"] {
        /// The secret of its webhook; otherwise the call is made as the user of the API key.
        secret: Option<WebhookSecret> = None, "none";
    }
}

impl Host {
    fn run_trigger(&self, project: &Ref, wanted: &str, options: &TriggerOptions) -> HostResult<Vec<Task>> {
        let place = self.place();
        let secret = options.secret.clone().map(|secret| secret.0.into_text());
        if let Some(secret) = &secret {
            self.secrets.learn(secret);
        }
        let (project, trigger) = self.block(async {
            let project = place.project(project).await?;
            let trigger = place.space.find_trigger(&project.id, wanted).await?;
            Ok((project, trigger))
        })?;
        let Some(webhook) = trigger.filter.webhook.clone() else {
            let text = format!("the trigger `{}` of `{}` has no webhook: it is a `{}`", trigger.name, project.name, trigger.filter.kind);
            return Err(raise(Error::new(Kind::Refused, text).help("a runbook is run by `run_runbook`, a release deployed by `deploy`")));
        };
        if trigger.is_disabled {
            let text = format!("the trigger `{}` of `{}` is disabled", trigger.name, project.name);
            return Err(raise(Error::new(Kind::Refused, text).help("enable it in the project's triggers")));
        }
        let arguments = json!({"trigger": trigger.id.to_string()});
        let what = format!("the call of the trigger `{}`", trigger.name);
        let runs = self.effect("run trigger", &arguments, |attempt| {
            let (place, trigger) = (&place, &trigger);
            async move {
                let since = match attempt.earlier.as_ref().and_then(|earlier| earlier["since"].as_str()?.parse().ok()) {
                    Some(since) => since,
                    None => place.space.client().server_now(),
                };
                if attempt.may_be_done() {
                    let found = runs(place, trigger, since).await?;
                    return if found.0.is_empty() { attempt.once(&what).map(|()| found) } else { Ok(found) };
                }
                api::create_once::Sending::about_to(&attempt, json!({"since": since.to_string()}))?;
                match place.space.call_webhook(&webhook, secret.as_deref()).await {
                    Err(lost) if lost.kind() == Kind::InDoubt => {
                        let found = runs(place, trigger, since).await?;
                        if found.0.is_empty() { Err(lost) } else { Ok(found) }
                    }
                    Err(error) if error.kind() == Kind::Unauthorized && secret.is_some() => {
                        let text = format!("the server does not take this secret for the webhook of the trigger `{}`", trigger.name);
                        Err(Error::new(Kind::Refused, text)
                            .help("it was set when the trigger was made, and nobody can read it: set a new one"))
                    }
                    Err(error) => Err(error),
                    Ok(()) => match runs(place, trigger, since).await? {
                        found if found.0.is_empty() && trigger.action.runbook.is_some() => {
                            let text = format!("the server took {what} and no run of its runbook is seen");
                            Err(Error::new(Kind::InDoubt, text)
                                .help("may the account see runs (RunbookRunView)? look at the runs of the runbook"))
                        }
                        found => Ok(found),
                    },
                }
            }
        })?;
        let Some(runbook) = trigger.action.runbook.as_ref().filter(|_| !runs.0.is_empty()) else { return Ok(Vec::new()) };
        let (names, runbook) = self.block(async {
            let runbook = place.space.find_runbook(&project, runbook.as_str()).await?;
            let mut names = Vec::new();
            for environment in &trigger.action.environments {
                names.push(place.environment(Meant::Id(environment.as_str())).await?);
            }
            Ok((names, runbook))
        })?;
        let task_of = |run: api::RunbookRun| {
            let environment = names.iter().find(|known| Some(&known.id) == run.environment_id.as_ref());
            let environment = environment.map_or_else(|| "?".to_owned(), |known| known.name.clone());
            let subject = Subject {
                task: run.task_id.to_string(),
                title: format!("{} / {} → {environment}", project.name, runbook.name),
                project: Some(project.name.clone()),
                release: None,
                environment: Some(environment),
                tenant: None,
                runbook: Some(runbook.name.clone()),
                url: Some(place.space.task_url(&run.task_id)),
            };
            let task = Task::new(place.clone(), subject, api::Task::of_new_run(&run), None, Some(run));
            self.started(&task, "trigger");
            task
        };
        Ok(runs.0.into_iter().map(task_of).collect())
    }
}

/// The runs that a call has started.
struct Runs(Vec<api::RunbookRun>);

impl EffectOutcome for Runs {
    fn record(&self) -> JsonText {
        let all: Vec<Value> = self.0.iter().map(|run| run.raw.tree()).collect();
        Value::Array(all).into()
    }
    fn restore(record: JsonText) -> Result<Self> {
        let Value::Array(all) = record.tree() else { return Ok(Self(Vec::new())) };
        let read =
            |run: Value| <api::RunbookRun as api::decode::Document>::decode(run).map_err(|problem| problem.into_error("runbook run"));
        all.into_iter().map(read).collect::<Result<_>>().map(Self)
    }
}

/// The runs since then, once there are as many as the trigger starts. Runs that others start meanwhile cannot be told from them.
async fn runs(place: &Space, trigger: &api::Trigger, since: Timestamp) -> Result<Runs> {
    let action = &trigger.action;
    if action.runbook.is_none() {
        return Ok(Runs(Vec::new()));
    }
    let client = place.space.client();
    let expected = action.tenant_tags.is_empty().then(|| action.environments.len() * action.tenants.len().max(1));
    let until = later(client.clock().now(), LOOKED_FOR);
    loop {
        let found = place.space.runs_of_trigger(action, since).await?;
        match expected {
            Some(expected) if found.len() > expected => {
                let text = format!(
                    "the trigger `{}` starts {expected} runs and {} have begun since it was called: which are its own cannot be told",
                    trigger.name,
                    found.len()
                );
                return Err(
                    Error::new(Kind::InDoubt, text).help("somebody else runs the same runbook, or the call came twice: look at its runs")
                );
            }
            Some(expected) if found.len() == expected => return Ok(Runs(found)),
            None if !found.is_empty() => return Ok(Runs(found)),
            Some(expected) if client.clock().now() >= until && !found.is_empty() => {
                let text = format!("the trigger `{}` starts {expected} runs and {} have begun", trigger.name, found.len());
                return Err(Error::new(Kind::InDoubt, text).help("look at the runs of its runbook"));
            }
            _ if client.clock().now() >= until => return Ok(Runs(found)),
            _ => client.rest(PAUSE).await?,
        }
    }
}

crate::functions! {
    group "act";

    /// Calls the webhook of a trigger of `project` on the configured server, and returns the tasks of the runbook runs that it started (none where
    /// the trigger does something else). Without `secret` the call is made as the user of the API key.
    ///
    /// ```rhai
    /// settle(run_trigger("Project A", "After monitoring"));
    /// ```
    fn run_trigger(host: Host, project: ProjectRef, trigger: Name; options: TriggerOptions) -> "list of Task" raises "not_found, ambiguous, refused, in_doubt, request" {
        host.run_trigger(&project, &trigger, &options)
    }
}
