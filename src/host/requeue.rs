//! Requeue: the deployment that runs this script is scheduled again for later, as it is.

use super::prelude::*;
use super::{
    begin::{Begin, FreezeScope, first_allowed, whole_minute},
    context::own,
    deployments::DeployOptions,
    space::Space,
    time::{Moment, When, WindowText},
};
use crate::api::previews::Prompt;

crate::options! {
    /// How to requeue.
    pub struct RequeueOptions for ["requeue"] {
        /// A comment on the new deployment.
        comment: Option<String> = None, "none";
        /// Go on with the script instead of ending it (exit code 7).
        go_on: bool = false, "false";
        /// The hours in which `"next allowed"` may begin, e.g. `"Mon-Fri 22:00-04:00"`, in the run's zone.
        window: Option<WindowText> = None, "none";
    }
}

/// The deployment `old` once more. Values of prompted variables are read from its variables, because the server never
/// sends back what was posted as `FormValues` (payloads, "Deployments, releases").
async fn again(place: &Space, old: &api::Deployment) -> Result<(api::NewDeployment, Vec<String>)> {
    let mut new = api::NewDeployment::new(&old.project_id, &old.release_id, &old.environment_id);
    new.tenant.clone_from(&old.tenant_id);
    new.skip_actions.clone_from(&old.skip_actions);
    new.specific_machines.clone_from(&old.specific_machine_ids);
    new.excluded_machines.clone_from(&old.excluded_machine_ids);
    new.use_guided_failure = Some(old.use_guided_failure);
    let raw = old.raw.tree();
    new.force_package_download = raw["ForcePackageDownload"] == true;
    new.subject.force_package_redeployment = raw["ForcePackageRedeployment"] == true;
    new.priority = raw["Priority"].as_str().map(str::to_owned);
    let (values, lost) = prompted(place, old).await?;
    new.form_values = values.into_iter().map(|(prompt, value)| (prompt.element, value)).collect();
    Ok((new, lost))
}

/// The values of prompted variables that a deployment was made with, and the names of those that cannot be read back.
async fn prompted(place: &Space, old: &api::Deployment) -> Result<(Vec<(Prompt, String)>, Vec<String>)> {
    let preview = place.space.deployment_preview(&old.release_id, &old.environment_id, old.tenant_id.as_ref()).await?;
    let (mut values, mut lost) = (Vec::new(), Vec::new());
    if preview.prompts().is_empty() {
        return Ok((values, lost));
    }
    let known = place.space.deployment_variables(old).await?;
    for prompt in preview.prompts() {
        match known.iter().find(|v| v.name == prompt.name) {
            Some(variable) if !variable.is_sensitive => {
                values.extend(variable.value.clone().map(|value| (prompt.clone(), value)));
            }
            Some(_) => lost.push(prompt.name.clone()),
            None if prompt.required => lost.push(prompt.name.clone()),
            None => {}
        }
    }
    Ok((values, lost))
}

/// When a deployment comes again: at a time, or by a rule.
#[derive(Clone, Debug)]
pub enum RequeueTime {
    /// Then.
    At(When),
    /// When the rule says.
    By(Begin),
}

impl OptionValue for RequeueTime {
    const KIND: &'static str = When::KIND;
    const WORDS: &'static [&'static str] = Begin::WORDS;
    fn read(value: Dynamic) -> Result<Self, String> {
        match Begin::read(value.clone()) {
            Ok(rule) => Ok(Self::By(rule)),
            Err(_) => When::read(value).map(Self::At),
        }
    }
}

impl Host {
    /// Schedules the deployment that runs this script again, as it is, and ends the script unless it goes on.
    pub(super) fn requeue(&self, when: &RequeueTime, options: &RequeueOptions) -> HostResult<Dynamic> {
        let Some(old) = own(self)? else {
            return Err(Error::usage("there is no deployment to requeue: this script does not run in an Octopus step")
                .help("name one with `--deployment Deployments-N` to try it")
                .into());
        };
        let place = self.servers.home.clone();
        let window = options.window.as_ref().map(|window| window.in_zone(&self.zone)).transpose().raise()?;
        if window.is_some() && matches!(when, RequeueTime::At(_)) {
            return Err(raise(Error::new(Kind::Script, "`window` says when \"next allowed\" may begin: give it instead of a time")));
        }
        let (at, why) = match when {
            RequeueTime::At(when) => (when.resolve(self)?, None),
            RequeueTime::By(Begin::NextAllowed) => {
                let scope = FreezeScope { project: &old.project_id, environment: &old.environment_id, tenant: old.tenant_id.as_ref() };
                let (now, allowed) = self.block(async {
                    let now = place.client.moment();
                    // Not this very minute: the script that asks for another time is not to run again at once.
                    let soon = whole_minute(later(now, SignedDuration::from_secs(1)));
                    Ok((now, first_allowed(&place, &scope, soon, window.as_ref()).await?))
                })?;
                (allowed.at, Some(allowed.shown(self, now)))
            }
        };
        if at <= self.now() {
            return Err(raise(Error::new(Kind::Script, format!("`requeue` needs a time to come; {} is past", Moment::of(self, at)))));
        }
        let (mut new, lost) = self.block(again(&place, &old))?;
        if !lost.is_empty() {
            return Err(Error::new(
                Kind::Refused,
                format!("the value of {} cannot be read back, so the deployment cannot be repeated as it is", lost.join(", ")),
            )
            .help("a sensitive prompted variable cannot be requeued: give it a default, or deploy with its value from the script")
            .into());
        }
        new.queue_time = Some(at);
        new.comments = options.comment.clone().unwrap_or_else(|| format!("requeued from {}", old.id));
        let arguments = json!({"deployment": old.id.to_string(), "at": at.to_string()});
        let deployment = self.effect("requeue", &arguments, |attempt| {
            let (place, new) = (&place, &new);
            async move { place.space.create(new, attempt.marker.as_str(), &attempt).await }
        })?;
        // It is there: an error from here on would make a script do it again.
        let subject = self.named(&place, &deployment, None)?;
        let version = subject.release.clone();
        let task = super::task::Task::new(place, subject, api::Task::of_new(&deployment), Some(deployment), None);
        let why = why.map(|why| format!(": {why}")).unwrap_or_default();
        self.note(Level::Highlight, format!("{} is queued again for {} ({}){why}", task.subject.title, Moment::of(self, at), task.id));
        if options.go_on {
            return Ok(Dynamic::from(task));
        }
        Err::<Dynamic, _>(raise(
            Error::new(Kind::Suspended, format!("requeued for {}", Moment::of(self, at)))
                .with("task", task.id.to_string())
                .with("release", version)
                .with("at", at.to_string()),
        ))
    }

    /// `options`, with the values of prompted variables that `old` was made with where none are given: who goes back to
    /// a deployment is not asked again.
    pub fn as_before(&self, place: &Space, old: &api::Deployment, options: &DeployOptions) -> HostResult<DeployOptions> {
        let mut options = options.clone();
        if options.variables.is_empty() {
            options.variables = self.block(values_of(place, old))?;
        }
        Ok(options)
    }
}

/// The values of prompted variables that a deployment was made with, by name, as far as they can be read back.
pub(super) async fn values_of(place: &Space, old: &api::Deployment) -> Result<Map> {
    let (values, _) = prompted(place, old).await?;
    Ok(values.into_iter().map(|(prompt, value)| (prompt.name.into(), value.into())).collect())
}

crate::functions! {
    group "act";

    /// Schedules the deployment that runs this script again, for a later time, and ends the script (exit code 7): the
    /// new one keeps release, tenant, values of prompted variables, deployment targets and skipped steps. Outside of an
    /// Octopus step `--deployment ID` says which deployment is meant.
    ///
    /// `"next allowed"` instead of a time is the first minute, the one that runs left out, outside of the deployment freezes of its project and
    /// environment, and inside of `window` where one is given.
    ///
    /// ```rhai
    /// if window("Mon-Fri 08:00-18:00", "Europe/Berlin") { requeue("22:00 Europe/Berlin"); }
    /// ```
    fn requeue(host: Host, when: RequeueTime; options: RequeueOptions) -> "Task" raises "suspended, not_found, refused, in_doubt, request" {
        host.requeue(&when, &options)
    }
}
