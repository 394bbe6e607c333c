//! Deployment freezes.

use super::prelude::*;
use super::references::{EnvironmentRef, ProjectRef, TenantRef};

/// A deployment freeze.
#[derive(Clone)]
pub struct Freeze(api::Freeze);

impl Freeze {
    /// The document.
    pub fn document(&self) -> &api::Freeze {
        &self.0
    }
}

impl fmt::Display for Freeze {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.name)
    }
}

crate::script_type! {
    /// A deployment freeze.
    Freeze as "Freeze" shows [name, id, start, ends] {
        /// The name.
        name: "text" = |z| z.0.name.clone();
        /// The id, e.g. `DeploymentFreezes-2`.
        id: "text" = |z| z.0.id.to_string();
        /// When it begins.
        start: "Moment" = |z, host: Host| host.moment(z.0.start);
        /// When it ends.
        ends: "Moment" = |z, host: Host| host.moment(z.0.end);
        /// The whole document of the server.
        raw: "map" = |z| z.0.raw.clone();
    }
}

crate::functions! {
    group "time";

    /// The deployment freeze that keeps `project` from being deployed to `env` now; `()` when there is none.
    ///
    /// ```rhai
    /// let f = freeze("Project A", "Production");
    /// if f != () { print(`frozen by ${f.name} until ${f.ends}`); }
    /// ```
    fn freeze(host: Host, project: ProjectRef, env: EnvironmentRef; tenant: Option<TenantRef>) -> "Freeze" raises "not_found, ambiguous, request" {
        let place = host.place();
        let now = host.now();
        host.block(async {
            let (project, env, tenant) = place.spot(&project, &env, tenant.as_deref()).await?;
            let found = place.client.freezes().await?;
            Ok(found.into_iter().find(|f| f.stops(now, &project.id, &env.id, tenant.as_ref().map(|t| &t.id))).map(Freeze))
        })
        .raise()
    }
}
