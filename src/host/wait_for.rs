//! Waiting for other things than tasks: a release to be live, a project to be idle, any condition.

use super::prelude::*;
use super::{
    call::ScriptCall,
    deployments::live_in,
    references::{EnvironmentRef, ProjectRef, TenantRef},
    task::Task,
    tasks::active,
    wait_loop::{Look, until},
};
use crate::api::version::VersionRange;

crate::options! {
    /// How to wait for a condition.
    pub struct ConditionOptions for ["wait_for"] {
        /// How long at most. A time-out is an error of kind `timeout`.
        timeout: SignedDuration = SignedDuration::from_mins(30), "30m";
        /// How often to look.
        every: SignedDuration = SignedDuration::from_secs(15), "15s";
        /// What is waited for, in words, for messages.
        message: Option<Shown> = None, "none";
    }
}

crate::options! {
    /// How to wait for what is live, or for what runs.
    pub struct DeployedOptions for ["wait_deployed", "wait_idle"] {
        /// How long at most. A time-out is an error of kind `timeout`.
        timeout: SignedDuration = SignedDuration::from_mins(30), "30m";
        /// How often to look.
        every: SignedDuration = SignedDuration::from_secs(15), "15s";
        /// Only what concerns this tenant.
        tenant: Option<TenantRef> = None, "none";
    }
}

impl DeployedOptions {
    fn condition(&self) -> ConditionOptions {
        ConditionOptions { timeout: self.timeout, every: self.every, message: None }
    }
}

/// Waits until `look` finds something; tells why it waits when that changes.
pub(super) fn condition<T>(
    host: &Host,
    what: &str,
    options: &ConditionOptions,
    mut look: impl FnMut() -> HostResult<Result<T, String>>,
) -> HostResult<T> {
    let begun = host.now();
    let mut told = String::new();
    let found = until(host, later(begun, options.timeout), || match look()? {
        Ok(found) => Ok(Look::Done(found)),
        Err(why) => {
            if why != told {
                host.emit(What::Waiting { task: None, title: what.to_owned(), why: why.clone(), url: None });
                told = why;
            }
            Ok(Look::Again(later(host.now(), options.every.max(SignedDuration::from_millis(100)))))
        }
    })?;
    found.ok_or_else(|| {
        raise(
            Error::new(Kind::Timeout, format!("after {} still waiting for {what}: {told}", text::show(options.timeout)))
                .with("open_tasks", Vec::<String>::new()),
        )
    })
}

crate::functions! {
    group "wait";

    /// Waits until the release of `project` that is live in `env` lies in a version range. Returns the version.
    ///
    /// ```rhai
    /// deploy("Project A", "2.0.0", "Test");
    /// wait_deployed("Project A", "2.*", "Test", #{timeout: "1h"});
    /// ```
    fn wait_deployed(host: Host, project: ProjectRef, range: VersionRange, env: EnvironmentRef; options: DeployedOptions) -> "text" raises "timeout, not_found, ambiguous, request" {
        let place = host.place();
        condition(&host, &format!("{project} `{range}` in {env}"), &options.condition(), || {
            let (live, is_in) = host.block(live_in(&place, &project, &env, options.tenant.as_deref(), &range))?;
            Ok(match live.version() {
                Some(version) if is_in => Ok(version.to_owned()),
                Some(version) => Err(format!("{version} is live")),
                None => Err("nothing is live".to_owned()),
            })
        })
    }

    /// Waits until no deployment of `project` to `env` is queued or running. `project` may be a list. A deployment that is
    /// scheduled for later is not waited for.
    ///
    /// ```rhai
    /// deploy("Project C", "latest", "Test");
    /// wait_idle("Project C", "Test");
    /// ```
    fn wait_idle(host: Host, project: Vec<ProjectRef>, env: EnvironmentRef; options: DeployedOptions) -> "nothing" raises "timeout, not_found, ambiguous, request" {
        let place = host.place();
        let names = project.iter().map(|p| p.as_str()).collect::<Vec<_>>().join(", ");
        let tenant = host.block(place.tenant_or_none(options.tenant.as_ref().map(|t| t.as_str())))?;
        let ours = |task: &Task| tenant.as_ref().is_none_or(|t| task.deployment.as_ref().is_some_and(|d| d.tenant_id.as_ref() == Some(&t.id)));
        condition(&host, &format!("{names} in {env} to be idle"), &options.condition(), || {
            let mut busy = Vec::new();
            for one in &project {
                busy.extend(host.block(active(&place, Some(one), Some(&env)))?);
            }
            busy.retain(&ours);
            Ok(if busy.is_empty() { Ok(()) } else { Err(busy.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")) })
        })
    }

    /// Waits until the closure returns something other than `false` or `()`, and returns that. The closure is called
    /// every 15 seconds (`every`).
    ///
    /// ```rhai
    /// deploy("Project A", "2.0.0", "Test");
    /// wait_for(|| deployed("Project A", "Test").release == "2.0.0", #{timeout: "1h", message: "2.0.0 in Test"});
    /// ```
    fn wait_for(host: ScriptCall, closure: FnPtr; options: ConditionOptions) -> "what the closure returns" raises "timeout, closure" {
        let what = options.message.clone().map_or_else(|| "a condition".to_owned(), |message| message.0);
        condition(&host, &what, &options, || {
            let value: Dynamic = host.closure(&closure, ())?;
            let not_yet = value.is_unit() || value.as_bool() == Ok(false);
            Ok(if not_yet { Err("it does not hold yet".to_owned()) } else { Ok(value) })
        })
    }
}
