//! Approvals: tasks that wait for the approval of a change request before they start.

use super::decode::{FromJson, Members, Problem, document, part, words};
use super::id::{ApprovalId, TaskId, UserId, VoteId};
use super::spaces::SpaceClient;
use crate::error::{Kind, Result};
use crate::json::JsonSlice;
use serde_json::json;

words! {
    /// How far the approval of a change request is (octopus-api.md §20.2).
    ApprovalState {
        /// It waits for people, or for the system that keeps it.
        PreApproval,
        /// It is approved.
        Approved,
        /// It was rejected, or it is closed.
        PostApproval,
    }
}

document! {
    /// A task and the change request it belongs to (octopus-api.md §20.2).
    TaskApproval, "approval" {
        /// Id as the server wrote it.
        id: ApprovalId = "Id",
        /// The task.
        task_id: Option<TaskId> = "ServerTaskId",
        /// The system that keeps the change request: `octopus` is the server itself, other words are shown as they are.
        provider: String = "ApprovalProviderId",
        /// The change request.
        change: Option<ChangeRequest> = "ChangeRequest",
    }
}

part! {
    /// A change request.
    ChangeRequest {
        /// The number that people know it by, e.g. `OCT272141`.
        number: String = "Number",
        /// What it is about.
        description: String = "Description",
        /// Whether it is still open.
        active: bool = "Active",
        /// How far it is.
        state: ApprovalState = "ChangeRequestApprovalState",
        /// Its page in the system that keeps it.
        page: Option<String> = "Self",
    }
}

document! {
    /// Who approved a task, and who still may.
    ApprovalProgress, "approval" {
        /// The id of the [`TaskApproval`].
        id: ApprovalId = "Id",
        /// How far it is.
        state: ApprovalState = "ApprovalState",
        /// How many have approved.
        count: i64 = "ApprovalsCount",
        /// How many must; 0 where another system decides.
        minimum: i64 = "MinimumApproversRequired",
        /// Users who may.
        users: Vec<ApproverName> = "ApprovingUsers",
        /// Teams whose members may.
        teams: Vec<ApproverName> = "ApprovingTeams",
    }
}

document! {
    /// The answer of a task, in which an approval is wrapped.
    ApprovalOfTask, "approval" {
        /// None when the task needs no approval.
        resource: Option<ApprovalProgress> = "Resource",
    }
}

document! {
    /// What a person said of a change request.
    Vote, "vote" {
        /// Id as the server wrote it.
        id: VoteId = "Id",
        /// The person.
        user_id: Option<UserId> = "UserId",
        /// `Approved` or `Rejected`.
        status: String = "Status",
        /// What was said with it.
        notes: String = "Notes",
    }
}

/// The name of a user or team.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ApproverName(
    /// As people see it; the id where there is none.
    pub String,
);

impl FromJson for ApproverName {
    fn read(json: JsonSlice<'_>) -> Result<Self, Problem> {
        if let Some(name) = json.text() {
            return Ok(Self(name.into_owned()));
        }
        let members = Members::of(json)?;
        for name in ["DisplayName", "Name", "Id"] {
            let name: String = members.read(name)?;
            if !name.is_empty() {
                return Ok(Self(name));
            }
        }
        Ok(Self::default())
    }
}

impl TaskApproval {
    /// Whether its change request waits for approval.
    pub fn is_pending(&self) -> bool {
        self.change.as_ref().is_some_and(|change| change.active && change.state == ApprovalState::PreApproval)
    }

    /// Whether Octopus itself keeps the change request, so that people vote there.
    pub fn is_octopus(&self) -> bool {
        self.provider == "octopus"
    }
}

impl SpaceClient {
    /// Who approved a task and who may; none when nothing has to be approved, and on servers that know no approvals.
    pub async fn approval_progress(&self, task: &TaskId) -> Result<Option<ApprovalProgress>> {
        let route = self.route("tasks").then(task).then("servertaskapproval");
        Ok(self.client().fetch_opt::<ApprovalOfTask>(&route).await?.and_then(|answer| answer.resource))
    }

    /// An approval by its id.
    pub async fn approval(&self, id: &ApprovalId) -> Result<TaskApproval> {
        self.client().fetch(&self.route("servertaskapprovals").then(id)).await
    }

    /// The approvals that wait, newest first; none on servers that know no approvals.
    pub async fn pending_approvals(&self) -> Result<Vec<TaskApproval>> {
        let route = self.route("servertaskapprovals").with("state", ApprovalState::PreApproval);
        let mut found: Vec<TaskApproval> = match self.client().list(&route, None).await {
            Err(error) if error.kind() == Kind::NotFound => Vec::new(),
            found => found?,
        };
        found.retain(TaskApproval::is_pending);
        Ok(found)
    }

    /// The votes on the change request of an approval: also those that were given through another task of it.
    pub async fn votes(&self, id: &ApprovalId) -> Result<Vec<Vote>> {
        self.client().list(&self.route("servertaskapprovals").then(id).then("approvals"), None).await
    }

    /// Approves or rejects as `user`, who is the credential's. Each user has one vote on a change request: one that says the same is left as it
    /// is, one that says the opposite is changed. After a lost answer the votes are looked at.
    ///
    /// # Errors
    /// `refused` and `forbidden` in the server's words.
    pub async fn vote(&self, id: &ApprovalId, user: &UserId, approves: bool, notes: &str) -> Result<Vote> {
        let status = if approves { "Approved" } else { "Rejected" };
        let own = async || Ok(self.votes(id).await?.into_iter().find(|vote| vote.user_id.as_ref() == Some(user)));
        let same = async || Ok(own().await?.filter(|vote: &Vote| vote.status == status));
        let body = json!({"ServerTaskApprovalId": id.as_str(), "Status": status, "Notes": notes});
        let all = self.route("servertaskapprovals").then(id).then("approvals");
        let (method, route) = match own().await? {
            Some(vote) if vote.status == status => return Ok(vote),
            Some(vote) => ("PUT", all.then(&vote.id)),
            None => ("POST", all),
        };
        self.client().repeat(|| self.client().submit(method, &route, Some(&body)), same).await
    }
}
