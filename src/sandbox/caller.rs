//! What the caller of a request may do to what the state holds: the questions of `access.rs`, asked of documents, deployments and tasks.

use super::{
    access::Thing,
    answer::{Refusal, texts},
    nouns::Noun,
    permissions::is_system,
    state::{State, What},
};
use serde_json::Value;

impl State {
    /// Whether the caller holds one of the permissions (separated by `|`; none: everybody does) for this thing.
    pub(crate) fn allows(&self, needs: &str, thing: &Thing<'_>) -> bool {
        self.access.allows(&self.store, needs, thing)
    }

    /// 403 unless the caller holds one of the permissions for this thing.
    pub(crate) fn demand(&self, needs: &str, thing: &Thing<'_>) -> Result<(), Refusal> {
        if self.allows(needs, thing) { Ok(()) } else { Err(Refusal::forbidden(needs.split('|').next().unwrap_or(needs))) }
    }

    /// The check before a request is looked at any further: 403 unless the caller may do such a thing somewhere in the space,
    /// or when the key may only read.
    pub(crate) fn admit(&self, method: &str, needs: &str, space: Option<&str>) -> Result<(), Refusal> {
        let first = needs.split('|').next().unwrap_or(needs);
        if self.access.read_only && method != "GET" && !needs.is_empty() {
            return Err(Refusal::forbidden(first));
        }
        // What only exists at system level has no space, whatever the path says.
        let space = space.filter(|_| !is_system(first));
        self.demand(needs, &Thing { space, ..Thing::default() })
    }

    /// Whether the caller sees a document.
    pub(crate) fn sees(&self, noun: &Noun, doc: &Value) -> bool {
        self.access.sees(&self.store, noun, doc)
    }

    /// What a deployment or run of a runbook is, for permissions.
    pub(crate) fn thing_of_execution(&self, index: usize) -> Thing<'_> {
        let x = &self.executions[index];
        Thing {
            space: Some(&x.space),
            project: Some(&x.project),
            environment: Some(&x.environment),
            tenant: Some(x.tenant.as_deref().unwrap_or_default()),
        }
    }

    /// Whether the caller sees a deployment or run of a runbook.
    pub(crate) fn sees_execution(&self, index: usize) -> bool {
        let needs = match self.executions[index].what {
            What::Deploy { .. } => "DeploymentView",
            What::Runbook { .. } => "RunbookRunView",
        };
        self.allows(needs, &self.thing_of_execution(index))
    }

    /// What a task is, for permissions: that of a project, or nobody's.
    pub(crate) fn thing_of_task(&self, index: usize) -> Thing<'_> {
        let t = &self.tasks[index];
        match t.execution {
            Some(x) => self.thing_of_execution(x),
            None => Thing { space: t.space.as_deref(), project: Some(""), ..Thing::default() },
        }
    }

    /// Whether the caller sees a task.
    pub(crate) fn sees_task(&self, index: usize) -> bool {
        self.allows("TaskView", &self.thing_of_task(index))
    }

    /// The place of a key that holds now and whose user is active.
    pub(crate) fn key_of_caller(&self, secret: &str) -> Option<usize> {
        let place = self.keys.holding(secret, self.now, self.plan.key_cache.map(|cache| cache.0))?;
        let user = self.store.of("users").get(&self.keys.all[place].user);
        user.is_some_and(|u| u["IsActive"] == true).then_some(place)
    }

    /// Whether the caller is in one of these teams; none at all means everybody.
    pub(crate) fn is_in(&self, user: &str, teams: &[String]) -> bool {
        let has = |t: &String| self.store.of("teams").get(t).is_some_and(|t| texts(&t["MemberUserIds"]).iter().any(|m| m == user));
        teams.is_empty() || teams.iter().any(has)
    }
}
