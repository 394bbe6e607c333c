//! Interruptions: tasks that wait for a person.

use super::decode::{document, part};
use super::id::{InterruptionId, TaskId, TeamId, UserId};
use super::spaces::SpaceClient;
use super::tasks::is_for_people;
use super::users::User;
use crate::error::Result;
use jiff::Timestamp;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

document! {
    /// An interruption (octopus-api.md §19).
    Interruption, "interruption" {
        /// Id as the server wrote it.
        id: InterruptionId = "Id",
        /// Title: the step's name, for manual interventions.
        title: String = "Title",
        /// `ManualIntervention`, `GuidedFailure`, ...; empty on servers before 2019, see [`Interruption::is_guided_failure`] and
        /// [`Interruption::is_for_people`].
        kind: String = "Type",
        /// When it was raised.
        created: Option<Timestamp> = "Created",
        /// Whether it still waits.
        is_pending: bool = "IsPending",
        /// The task that waits.
        task_id: Option<TaskId> = "TaskId",
        /// The teams that may answer; empty is everybody with the permission.
        responsible_team_ids: Vec<TeamId> = "ResponsibleTeamIds",
        /// Who has taken responsibility.
        responsible_user_id: Option<UserId> = "ResponsibleUserId",
        /// Whether the credential's user has it.
        has_responsibility: bool = "HasResponsibility",
        /// What it is about.
        related_document_ids: Vec<String> = "RelatedDocumentIds",
        /// What is asked.
        form: Option<Form> = "Form",
        /// The pull requests it waits for.
        pull_requests: Vec<PullRequest> = "PullRequests",
    }
}

part! {
    /// A pull request that a deployment waits for.
    PullRequest {
        /// Its number in its repository.
        number: Value = "Number",
        /// `Open`, `Merged`, `Closed`, `Unknown`, `UnknownGitVendor`.
        status: String = "Status",
        /// Its title.
        title: String = "Title",
        /// Its page.
        url: String = "Url",
    }
}

impl PullRequest {
    /// `#12 Raise the image tag (Open)`
    pub fn named(&self) -> String {
        let number = self.number.as_str().map_or_else(|| self.number.to_string(), str::to_owned);
        format!("#{number} {} ({})", self.title, self.status)
    }
}

part! {
    /// What an interruption asks.
    Form {
        /// Answers; null until given.
        values: BTreeMap<String, Value> = "Values",
        /// Questions.
        elements: Vec<FormElement> = "Elements",
    }
}

part! {
    /// A question of a form.
    FormElement {
        /// Name of the value.
        name: String = "Name",
        /// How it is shown: `Type` and what belongs to that (octopus-api.md §19).
        control: Value = "Control",
    }
}

impl Interruption {
    fn element(&self, name: &str) -> Option<&FormElement> {
        self.form.as_ref()?.elements.iter().find(|e| e.name == name)
    }

    /// Whether a failed step asks what to do. Old servers send no type, but the form tells.
    pub fn is_guided_failure(&self) -> bool {
        self.kind == "GuidedFailure" || (self.kind.is_empty() && self.element("Guidance").is_some())
    }

    /// Whether a person answers it. The other types end when a machine has done something; one that we do not know may be of these.
    pub fn is_for_people(&self) -> bool {
        self.kind.is_empty() || is_for_people(&self.kind)
    }

    /// The instructions for people.
    pub fn instructions(&self) -> &str {
        self.element("Instructions").and_then(|e| e.control.get("Text")).and_then(Value::as_str).unwrap_or_default()
    }

    /// Whether somebody else than the credential's user is responsible for it.
    pub fn is_anothers(&self) -> bool {
        self.responsible_user_id.is_some() && !self.has_responsibility
    }

    /// The answer that was given: `Proceed`, `Retry`, ...
    pub fn answer(&self) -> Option<&str> {
        let values = &self.form.as_ref()?.values;
        ["Result", "Guidance"].iter().find_map(|name| values.get(*name)?.as_str())
    }

    /// The notes that were given with the answer; empty when there are none.
    pub fn notes(&self) -> &str {
        self.form.as_ref().and_then(|form| form.values.get("Notes")?.as_str()).unwrap_or_default()
    }

    /// Whether it was answered with what these values say.
    pub fn has_answer(&self, values: &BTreeMap<String, String>) -> bool {
        let answered = |name: &str| self.form.as_ref().and_then(|f| f.values.get(name)).and_then(Value::as_str);
        let ours = ["Result", "Guidance"].iter().all(|name| values.get(*name).is_none_or(|v| answered(name).is_none_or(|a| a == v)));
        !self.is_pending && ours
    }
}

impl SpaceClient {
    /// Interruptions, newest first. `regarding` is the id of a task, deployment, project, environment or release.
    pub async fn interruptions(&self, pending_only: bool, regarding: Option<&str>) -> Result<Vec<Interruption>> {
        let route = self.route("interruptions").maybe("regarding", regarding).maybe("pendingOnly", pending_only.then_some("true"));
        let mut found: Vec<Interruption> = self.client().list(&route, None).await?;
        found.retain(|i| i.is_pending || !pending_only);
        Ok(found)
    }

    /// An interruption by id.
    pub async fn interruption(&self, id: &InterruptionId) -> Result<Interruption> {
        self.client().fetch(&self.route("interruptions").then(id)).await
    }

    /// Who has responsibility for an interruption, as people are called in the portal; the id where the name is not shown.
    pub async fn responsible(&self, interruption: &Interruption) -> Option<String> {
        let user = interruption.responsible_user_id.as_ref()?;
        let route = self.route("interruptions").then(&interruption.id).then("responsible");
        Some(self.client().fetch::<User>(&route).await.map_or_else(|_| user.to_string(), |user| user.username))
    }

    /// Takes responsibility, which submitting needs; having it already is no error. Returns who has it.
    pub async fn take_responsibility(&self, id: &InterruptionId) -> Result<User> {
        let route = self.route("interruptions").then(id).then("responsible");
        let ours =
            async || if self.interruption(id).await?.has_responsibility { self.client().fetch(&route).await.map(Some) } else { Ok(None) };
        self.client().repeat(|| self.client().submit("PUT", &route, None), ours).await
    }

    /// Answers an interruption, e.g. `Notes` and `Result`. After a lost answer, or when the request was delivered twice, it is looked up
    /// whether ours arrived.
    pub async fn submit_interruption(&self, id: &InterruptionId, values: &BTreeMap<String, String>) -> Result<Interruption> {
        let body: Map<String, Value> = values.iter().map(|(k, v)| (k.clone(), v.clone().into())).collect();
        let body = Value::Object(body);
        let route = self.route("interruptions").then(id).then("submit");
        let ours = async || Ok(Some(self.interruption(id).await?).filter(|now| now.has_answer(values)));
        self.client().repeat(|| self.client().submit("POST", &route, Some(&body)), ours).await
    }
}
