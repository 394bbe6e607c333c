//! An approval: a task that does not start before a change request is approved.

use super::prelude::*;
use super::space::Space;

/// An approval.
#[derive(Clone)]
pub struct Approval {
    place: Space,
    document: api::TaskApproval,
}

impl fmt::Display for Approval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.number(), self.document.id)
    }
}

crate::script_type! {
    /// A task waits for the approval of a change request before it starts. The change request is kept by Octopus itself, by ServiceNow or by Jira
    /// Service Management.
    Approval as "Approval" shows [title, kind, number, task, url] {
        /// The id, e.g. `ServerTaskApprovals-12`.
        id: "text" = |a| a.document.id.to_string();
        /// What is to be approved, in the words of the change request.
        title: "text" = |a| a.title().to_owned();
        /// Always `Approval`: an interruption says its type here.
        kind: "text" = |_a| "Approval";
        /// The number of the change request, e.g. `OCT17`.
        number: "text" = |a| a.number().to_owned();
        /// Where the change request is kept: `Octopus`, `ServiceNow`, `Jira Service Management`; an unknown one as the server names it.
        system: "text" = |a| a.system().to_owned();
        /// How far it was when it was read: `PreApproval`, `Approved` or `PostApproval`.
        state: "text" = |a| a.document.change.as_ref().map(|change| change.state.to_string());
        /// Whether it waited for approval when it was read.
        pending: "true or false" = |a| a.document.is_pending();
        /// The task's id.
        task: "text" = |a| a.document.task_id.as_ref().map(ToString::to_string);
        /// How many have approved. Asks the server.
        approved: "whole number" = |a, host: Host| host.block(a.progress())?.map_or(0, |now| now.count);
        /// How many must approve; 0 where another system decides. Asks the server.
        minimum: "whole number" = |a, host: Host| host.block(a.progress())?.map_or(0, |now| now.minimum);
        /// The users and teams that may approve. Asks the server.
        approvers: "list of text" = |a, host: Host| host.block(a.progress())?.map(|now| approvers(&now)).unwrap_or_default();
        /// Where a person approves it.
        url: "text" = |a| a.url();
        /// The whole document of the server.
        raw: "map" = |a| a.document.raw.clone();
    }
}

/// Who may approve.
fn approvers(now: &api::ApprovalProgress) -> Vec<String> {
    now.users.iter().chain(&now.teams).map(|name| name.0.clone()).collect()
}

impl Approval {
    /// An approval as the server shows it.
    pub fn new(place: Space, document: api::TaskApproval) -> Self {
        Self { place, document }
    }

    /// The approval that a task waits for, with who may give it; none when it waits for none.
    pub async fn of_task(place: &Space, task: &api::TaskId) -> Result<Option<(Self, api::ApprovalProgress)>> {
        let Some(progress) = place.space.approval_progress(task).await? else { return Ok(None) };
        let document = place.space.approval(&progress.id).await?;
        Ok(Some((Self::new(place.clone(), document), progress)))
    }

    /// The document.
    pub fn document(&self) -> &api::TaskApproval {
        &self.document
    }

    /// Whether it is the same one, whatever became of it meanwhile.
    pub fn same(&self, other: &Self) -> bool {
        self.document.id == other.document.id && self.place.client.address() == other.place.client.address()
    }

    /// The number of the change request; the id of the approval where there is none.
    pub fn number(&self) -> &str {
        let number = self.document.change.as_ref().map(|change| change.number.as_str());
        number.filter(|number| !number.is_empty()).unwrap_or(self.document.id.as_str())
    }

    /// What is to be approved, in the words of the change request.
    pub fn title(&self) -> &str {
        self.document.change.as_ref().map_or("", |change| &change.description)
    }

    /// The system that keeps the change request, as people say it.
    pub fn system(&self) -> &str {
        let provider = &self.document.provider;
        let word = provider.to_lowercase();
        match () {
            () if self.document.is_octopus() => "Octopus",
            () if word.contains("servicenow") => "ServiceNow",
            () if word.contains("jira") => "Jira Service Management",
            () => provider,
        }
    }

    /// Where a person approves it: the change request where another system keeps it, or else the page of the task.
    pub fn url(&self) -> String {
        let page = self.document.change.as_ref().and_then(|change| change.page.clone()).filter(|page| !page.is_empty());
        page.unwrap_or_else(|| match &self.document.task_id {
            Some(task) => self.place.space.task_url(task),
            None => self.place.client.address(),
        })
    }

    async fn progress(&self) -> Result<Option<api::ApprovalProgress>> {
        match &self.document.task_id {
            Some(task) => self.place.space.approval_progress(task).await,
            None => Ok(None),
        }
    }

    /// `waits for approval of OCT17 (1 of 2) by ada or Release managers: Octopus: Deploy ...`
    pub fn waits_for(&self, now: Option<&api::ApprovalProgress>) -> String {
        let (number, system, title) = (self.number(), self.system(), self.title());
        let about = if title.is_empty() { String::new() } else { format!(": {title}") };
        let is_approved = self.document.change.as_ref().is_some_and(|change| change.state == api::ApprovalState::Approved);
        if is_approved {
            return format!("waits for the planned start of change request {number}, which is approved in {system}{about}");
        }
        if !self.document.is_octopus() {
            return format!("waits for change request {number} in {system}{about}");
        }
        let Some(now) = now else { return format!("waits for approval of {number}{about}") };
        let by = approvers(now);
        let by = if by.is_empty() { String::new() } else { format!(" by {}", by.join(" or ")) };
        format!("waits for approval of {number} ({} of {}){by}{about}", now.count, now.minimum)
    }

    /// As JSON, for [`Approval::from_record`].
    pub fn to_record(&self) -> Value {
        self.document.raw.tree()
    }

    /// The same one again.
    pub fn from_record(place: Space, record: &Value) -> HostResult<Self> {
        let document = <api::TaskApproval as api::decode::Document>::decode(record.clone());
        Ok(Self { place, document: document.map_err(|problem| raise(problem.into_error("approval")))? })
    }

    /// Approves or rejects as the user of the credential. What is decided already, or what that user has said before, is left as it is.
    pub(super) fn vote(&self, host: &Host, approves: bool, note: &str) -> HostResult<Self> {
        let arguments = json!({"approval": self.document.id.to_string(), "approves": approves, "note": note});
        let now = host.effect("vote", &arguments, |_| async move { self.cast(approves, note).await })?;
        let how = match now.change.as_ref().map(|change| &change.state) {
            _ if now.is_pending() => "approved by this run, and waits for more approvals",
            Some(api::ApprovalState::Approved) => "approved",
            _ => "closed",
        };
        host.note(Level::Info, format!("{}: {how}: {}", self.number(), self.title()));
        Ok(Self { document: now, ..self.clone() })
    }

    /// Votes. The server has the last word on who may; what it says is told with who may instead.
    async fn cast(&self, approves: bool, note: &str) -> Result<api::TaskApproval> {
        let (space, id) = (&self.place.space, &self.document.id);
        if !self.document.is_octopus() {
            let text = format!("change request {} is approved in {}, not in Octopus", self.number(), self.system());
            return Err(self.refusal(text).help(self.url()));
        }
        let me = self.place.client.me().await?;
        let error = match space.vote(id, &me.id, approves, note).await {
            Ok(_) => return space.approval(id).await,
            Err(error) if error.kind().is_refusal() || error.kind() == Kind::Forbidden => error,
            Err(error) => return Err(error),
        };
        let now = space.approval(id).await?;
        if !now.is_pending() {
            // Others were faster: it is decided.
            return Ok(now);
        }
        let verb = if approves { "approve" } else { "reject" };
        let others = self.progress().await?.map(|now| approvers(&now)).unwrap_or_default().join(" or ");
        let is_own = self.started_by().await? == Some(me.id);
        let text = if is_own && approves {
            format!("`{}` started what change request {} is about, and may not approve it", me.username, self.number())
        } else {
            format!("`{}` may not {verb} change request {}: {}", me.username, self.number(), error.message())
        };
        Err(self.refusal(text).help(format!("it can be approved by {others}: {}", self.url())))
    }

    fn refusal(&self, text: String) -> Error {
        let task = self.document.task_id.as_ref().map(ToString::to_string);
        Error::new(Kind::Refused, text).with("approval", self.document.id.to_string()).with("task", task).with("url", self.url())
    }

    /// The user that started the deployment; none when that is not known.
    async fn started_by(&self) -> Result<Option<api::UserId>> {
        let Some(task) = &self.document.task_id else { return Ok(None) };
        let task = self.place.space.task(task).await?;
        let Some(id) = task.deployment_id() else { return Ok(None) };
        Ok(self.place.space.deployment_or_none(id).await?.and_then(|deployment| deployment.deployed_by_id))
    }
}
