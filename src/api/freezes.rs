//! Deployment freezes: times in which some projects are not deployed to some environments.

use super::address::Route;
use super::client::Client;
use super::decode::document;
use super::encode::editable;
use super::id::{EnvironmentId, FreezeId, ProjectId, TenantId};
use crate::error::Result;
use jiff::Timestamp;
use std::collections::BTreeMap;

editable! {
    /// A deployment freeze (octopus-api.md §20.1).
    Freeze, "deployment freeze" {
        /// Id as the server wrote it.
        id: FreezeId = "Id",
        /// Name as people see it in the portal.
        name: String = "Name",
        /// When it begins.
        start: Option<Timestamp> = "Start",
        /// When it ends.
        end: Option<Timestamp> = "End",
        /// What is frozen: environments by project id.
        scope: BTreeMap<String, Vec<EnvironmentId>> = "ProjectEnvironmentScope",
        /// What is frozen for single tenants.
        tenant_scope: Vec<FrozenTenant> = "TenantProjectEnvironmentScope",
    }
}

editable! {
    /// A project frozen in an environment for one tenant.
    FrozenTenant {
        /// The tenant.
        tenant_id: TenantId = "TenantId",
        /// The project.
        project_id: ProjectId = "ProjectId",
        /// The environment.
        environment_id: EnvironmentId = "EnvironmentId",
    }
}

document! {
    /// The answer of the list, which is no usual collection.
    FreezeList, "list of deployment freezes" {
        /// The freezes.
        freezes: Vec<Freeze> = "DeploymentFreezes",
        /// How many there are on all pages.
        count: i64 = "Count",
    }
}

impl Freeze {
    /// Whether it keeps a project from being deployed at a time.
    pub fn stops(&self, at: Timestamp, project: &ProjectId, environment: &EnvironmentId, tenant: Option<&TenantId>) -> bool {
        self.is_active(at) && self.covers(project, environment, tenant)
    }

    /// Whether it holds at a time. Of a recurring one only the dates given are looked at: the server sends the next.
    pub fn is_active(&self, at: Timestamp) -> bool {
        self.start.is_none_or(|start| start <= at) && self.end.is_none_or(|end| at < end)
    }

    /// Whether it is about a project, an environment and, if there is one, a tenant.
    pub fn covers(&self, project: &ProjectId, environment: &EnvironmentId, tenant: Option<&TenantId>) -> bool {
        let untenanted = self.scope.iter().any(|(id, environments)| project == id.as_str() && environments.contains(environment));
        untenanted
            || tenant.is_some_and(|t| {
                self.tenant_scope.iter().any(|s| s.tenant_id == *t && s.project_id == *project && s.environment_id == *environment)
            })
    }
}

impl Client {
    /// Freezes that are active or still to come; none on servers before 2024.2, which know no freezes.
    pub async fn freezes(&self) -> Result<Vec<Freeze>> {
        let mut all: Vec<Freeze> = Vec::new();
        let mut read = 0;
        loop {
            let route = Route::new("/api/deploymentfreezes").with("skip", read).with("take", 1000);
            let Some(list) = self.fetch_opt::<FreezeList>(&route).await? else { return Ok(all) };
            let count = list.freezes.len();
            for freeze in list.freezes {
                if !all.iter().any(|known| known.id == freeze.id) {
                    all.push(freeze);
                }
            }
            read += count;
            if count == 0 || read >= usize::try_from(list.count).unwrap_or(0) {
                return Ok(all);
            }
        }
    }
}
