//! Deployment freezes: times in which some projects are not deployed to some environments.

use super::address::Route;
use super::client::Client;
use super::decode::{document, maybe};
use super::encode::{editable, stamp};
use super::id::{EnvironmentId, FreezeId, ProjectId, TenantId};
use super::recurrence::{Occurrence, Recurrence};
use crate::error::Result;
use crate::json::JsonText;
use jiff::Timestamp;
use serde_json::Value;
use std::collections::BTreeMap;

editable! {
    /// A deployment freeze (octopus-api.md §20.1).
    Freeze, "deployment freeze" {
        /// Id as the server wrote it.
        id: FreezeId = "Id",
        /// Name as people see it in the portal.
        name: String = "Name",
        /// When it begins; of a recurring one the first time.
        start: Option<Timestamp> = "Start",
        /// When it ends; of a recurring one the first time.
        end: Option<Timestamp> = "End",
        /// What is frozen: environments by project id.
        scope: BTreeMap<String, Vec<EnvironmentId>> = "ProjectEnvironmentScope",
        /// What is frozen for single tenants.
        tenant_scope: Vec<FrozenTenant> = "TenantProjectEnvironmentScope",
        /// How it comes again, as the server wrote it; null for one that happens once.
        schedule: Value = "RecurringSchedule",
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

/// What a freeze means for a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FreezeAt {
    /// It does not hold.
    Open,
    /// It holds, from then to then.
    Frozen(Occurrence),
    /// It comes again by a rule that we do not know; why, in words. It may hold.
    Unclear(String),
}

impl Freeze {
    /// What it means for a project at a moment.
    pub fn stops(&self, at: Timestamp, project: &ProjectId, environment: &EnvironmentId, tenant: Option<&TenantId>) -> FreezeAt {
        if self.covers(project, environment, tenant) { self.at(at) } else { FreezeAt::Open }
    }

    /// Whether it comes again.
    pub fn is_recurring(&self) -> bool {
        !self.schedule.is_null()
    }

    /// What it means for a moment. What the server says of the occurrence at that moment counts; a server that says nothing, or speaks of an earlier
    /// one, has the rule worked out here.
    pub fn at(&self, at: Timestamp) -> FreezeAt {
        let once = Occurrence { start: self.start, end: self.end };
        let of = |occurrence: Option<Occurrence>| occurrence.map_or(FreezeAt::Open, FreezeAt::Frozen);
        if !self.is_recurring() {
            return of(Some(once).filter(|once| once.has(at)));
        }
        let side = |name: &str| maybe::<Option<Timestamp>>(Some(JsonText::from(&self.schedule[name]).json())).ok().flatten();
        let told = Occurrence { start: side("StartDate"), end: side("EndDate") };
        if let (Some(start), Some(_)) = (told.start, told.end)
            && (told.has(at) || start > at)
        {
            return of(Some(told).filter(|told| told.has(at)));
        }
        let (Some(start), Some(end)) = (self.start, self.end) else {
            return FreezeAt::Unclear("it comes again, and has no start or no end".to_owned());
        };
        match Recurrence::read(&self.schedule, start, end) {
            Ok(rule) => of(rule.holding(at)),
            Err(why) => FreezeAt::Unclear(why),
        }
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
    /// All freezes, with the occurrences of recurring ones that matter at a moment, as far as the server says them; none on servers before 2024.2,
    /// which know no freezes.
    pub async fn freezes(&self, at: Timestamp) -> Result<Vec<Freeze>> {
        let mut all: Vec<Freeze> = Vec::new();
        let mut read = 0;
        loop {
            let route = Route::new("/api/deploymentfreezes").with("skip", read).with("take", 1000).with("effectiveDate", stamp(at));
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
