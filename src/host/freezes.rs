//! Deployment freezes.

use super::prelude::*;
use super::{
    references::{EnvironmentRef, ProjectRef, TenantRef},
    time::{Moment, When},
};
use crate::api::{freezes::FreezeAt, recurrence::Occurrence};

/// A deployment freeze that holds, or of which it cannot be told.
#[derive(Clone)]
pub struct Freeze {
    freeze: api::Freeze,
    /// Since when and until when, this time; or why that cannot be told.
    held: Result<Occurrence, String>,
}

impl Freeze {
    /// The document.
    pub fn document(&self) -> &api::Freeze {
        &self.freeze
    }

    /// What it keeps from being deployed: `deployment freeze `Month end` until ...`.
    pub(super) fn in_words(&self, host: &Host) -> String {
        let again = if self.freeze.is_recurring() { "recurring " } else { "" };
        let name = &self.freeze.name;
        match &self.held {
            Ok(Occurrence { end: Some(end), .. }) => format!("{again}deployment freeze `{name}` until {}", Moment::of(host, *end)),
            Ok(_) => format!("{again}deployment freeze `{name}`"),
            Err(why) => format!("perhaps {again}deployment freeze `{name}`: when it holds is not known, {why}"),
        }
    }

    fn side(&self, of: fn(&Occurrence) -> Option<Timestamp>) -> Option<Timestamp> {
        self.held.as_ref().ok().and_then(of)
    }
}

/// The freeze that stops a deployment at a moment, and of several the one that lasts longest. One with an unknown rule is returned when no other
/// stops it.
pub(super) fn strictest(
    freezes: &[api::Freeze],
    at: Timestamp,
    project: &api::Project,
    environment: &api::Environment,
    tenant: Option<&api::Tenant>,
) -> Option<Freeze> {
    let found = freezes.iter().filter_map(|freeze| match freeze.stops(at, &project.id, &environment.id, tenant.map(|tenant| &tenant.id)) {
        FreezeAt::Open => None,
        FreezeAt::Frozen(occurrence) => Some(Freeze { freeze: freeze.clone(), held: Ok(occurrence) }),
        FreezeAt::Unclear(why) => Some(Freeze { freeze: freeze.clone(), held: Err(why) }),
    });
    // Of equal ones the first: `max_by_key` takes the last.
    let found: Vec<Freeze> = found.collect();
    found.into_iter().rev().max_by_key(|freeze| freeze.held.as_ref().ok().map(|held| held.end.unwrap_or(Timestamp::MAX)))
}

impl fmt::Display for Freeze {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.freeze.name)
    }
}

crate::script_type! {
    /// A deployment freeze that keeps a project from being deployed to an environment.
    Freeze as "Freeze" shows [name, id, start, ends, recurring] {
        /// The name.
        name: "text" = |z| z.freeze.name.clone();
        /// The id, e.g. `DeploymentFreezes-2`.
        id: "text" = |z| z.freeze.id.to_string();
        /// When it begins; of one that comes again, this time. `()` when that is not known.
        start: "Moment" = |z, host: Host| host.moment(z.side(|held| held.start));
        /// When it ends; of one that comes again, this time. `()` when that is not known.
        ends: "Moment" = |z, host: Host| host.moment(z.side(|held| held.end));
        /// Whether it comes again.
        recurring: "true or false" = |z| z.freeze.is_recurring();
        /// Why nobody but the server can say whether it holds: it comes again by a rule that this version does not know. `()` for one that holds.
        unclear: "text" = |z| z.held.as_ref().err().cloned();
        /// The whole document of the server.
        raw: "map" = |z| z.freeze.raw.clone();
    }
}

crate::options! {
    /// For whom, and when.
    pub struct FreezeOptions for ["freeze"] {
        /// A time to come; otherwise now.
        at: Option<When> = None, "none";
        /// The tenant.
        tenant: Option<TenantRef> = None, "none";
    }
}

crate::functions! {
    group "time";

    /// The deployment freeze that keeps `project` from being deployed to `env` now, or at a time to come (`at`); `()` when there is none. Of several
    /// it is the one that lasts longest. Freezes that come again are those of that time: `start` and `ends` are when they hold this time.
    ///
    /// When a freeze comes again by a rule that is not known here, it is returned all the same, and `unclear` says why: it may hold.
    ///
    /// ```rhai
    /// let f = freeze("Project A", "Production");
    /// if f != () { print(`frozen by ${f.name} until ${f.ends}`); }
    /// if freeze("Project A", "Production", #{at: "Sat 02:00 Europe/Berlin"}) == () { print("free on Saturday") }
    /// ```
    fn freeze(host: Host, project: ProjectRef, env: EnvironmentRef; options: FreezeOptions) -> "Freeze" raises "not_found, ambiguous, request" {
        let place = host.place();
        let at = match &options.at {
            Some(at) => at.resolve(&host)?,
            None => host.now(),
        };
        host.block(async {
            let (project, env, tenant) = place.spot(&project, &env, options.tenant.as_deref()).await?;
            Ok(strictest(&place.client.freezes(at).await?, at, &project, &env, tenant.as_deref()))
        })
        .raise()
    }
}
