//! Change requests and the tasks that wait for them: what is kept of approvals (octopus-api.md §20.2).

use jiff::Timestamp;
use serde::Deserialize;
use std::collections::HashMap;

/// Where change requests are kept and approved.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
pub(crate) enum Provider {
    /// In Octopus itself, by the votes of people.
    #[serde(skip)]
    Octopus,
    ServiceNow,
    JiraServiceManagement,
}

impl Provider {
    /// Its id in answers. Only that of Octopus is known from elsewhere.
    pub(crate) fn id(self) -> &'static str {
        match self {
            Self::Octopus => "octopus",
            Self::ServiceNow => "servicenow",
            Self::JiraServiceManagement => "jiraservicemanagement",
        }
    }

    /// Its name as people say it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Octopus => "Octopus",
            Self::ServiceNow => "ServiceNow",
            Self::JiraServiceManagement => "Jira Service Management",
        }
    }

    /// The word for it in world files and in names of variables.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::JiraServiceManagement => "JiraServiceManagement",
            other => other.name(),
        }
    }

    /// The states in which a deployment waits, the first of them first, and the one in which it goes on. In all others it fails.
    pub(crate) fn stages(self) -> (&'static [&'static str], &'static str) {
        match self {
            Self::Octopus => (&[], ""),
            Self::ServiceNow => (&["New", "Assess", "Authorize", "Scheduled"], "Implement"),
            Self::JiraServiceManagement => (&["Preview", "Planning", "Authorize", "Awaiting Implementation"], "Implementing"),
        }
    }
}

/// How far the approval of a change request is, in the server's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ApprovalState {
    PreApproval,
    Approved,
    /// It was rejected, or it is closed.
    PostApproval,
}

impl ApprovalState {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::PreApproval => "PreApproval",
            Self::Approved => "Approved",
            Self::PostApproval => "PostApproval",
        }
    }
}

/// Who must approve.
#[derive(Clone, Default)]
pub(crate) struct Approvers {
    pub(crate) minimum: usize,
    pub(crate) users: Vec<String>,
    pub(crate) teams: Vec<String>,
    /// Whether those who started it may.
    pub(crate) self_approval: bool,
}

/// A change request.
#[derive(Clone)]
pub(crate) struct ChangeRequest {
    pub(crate) provider: Provider,
    pub(crate) number: String,
    pub(crate) title: String,
    /// What later tasks must be about to belong to it; empty: no later task does.
    pub(crate) scope: String,
    pub(crate) state: ApprovalState,
    pub(crate) approvers: Approvers,
    pub(crate) tasks: Vec<usize>,
    /// Its state in the system that keeps it; empty in Octopus.
    pub(crate) stage: String,
    /// When the change is planned to start, and to be over.
    pub(crate) window: (Option<Timestamp>, Option<Timestamp>),
}

impl ChangeRequest {
    /// Whether a deployment that belongs to it may start at a time.
    pub(crate) fn lets_start(&self, now: Timestamp) -> bool {
        self.state == ApprovalState::Approved && self.window.0.is_none_or(|start| start <= now)
    }
}

/// A task and the change request it belongs to: a *server task approval*.
pub(crate) struct TaskApproval {
    pub(crate) task: usize,
    pub(crate) change: usize,
}

/// What a person said of a change request.
pub(crate) struct Vote {
    pub(crate) change: usize,
    /// The server task approval it was given through.
    pub(crate) approval: usize,
    pub(crate) user: String,
    pub(crate) approves: bool,
    pub(crate) notes: String,
}

/// All of them.
#[derive(Default)]
pub(crate) struct ChangeRequests {
    pub(crate) changes: Vec<ChangeRequest>,
    pub(crate) approvals: Vec<TaskApproval>,
    pub(crate) votes: Vec<Vote>,
    of_task: HashMap<usize, Vec<usize>>,
}

impl ChangeRequests {
    /// The approvals of a task, in the order in which they were asked for.
    pub(crate) fn of_task(&self, task: usize) -> impl DoubleEndedIterator<Item = usize> + '_ {
        self.of_task.get(&task).into_iter().flatten().copied()
    }

    /// The change request of an approval.
    pub(crate) fn change_of(&self, approval: usize) -> &ChangeRequest {
        &self.changes[self.approvals[approval].change]
    }

    /// The approval that a task waits for. Whether the task itself still waits for its start is for the caller to know.
    pub(crate) fn holding(&self, task: usize, now: Timestamp) -> Option<usize> {
        self.of_task(task).find(|approval| !self.change_of(*approval).lets_start(now))
    }

    /// Makes a task one of a change request.
    pub(crate) fn join(&mut self, task: usize, change: usize) {
        self.of_task.entry(task).or_default().push(self.approvals.len());
        self.approvals.push(TaskApproval { task, change });
        self.changes[change].tasks.push(task);
    }

    /// The votes of a change request, in the order in which they were given.
    pub(crate) fn votes_of(&self, change: usize) -> impl Iterator<Item = usize> + '_ {
        self.votes.iter().enumerate().filter(move |(_, vote)| vote.change == change).map(|(index, _)| index)
    }

    /// How many people approve of it.
    pub(crate) fn count(&self, change: usize) -> usize {
        self.votes_of(change).filter(|vote| self.votes[*vote].approves).count()
    }

    /// A change request that is kept elsewhere and is not closed: by its number or its title.
    pub(crate) fn open(&self, provider: Provider, number: Option<&str>, title: &str) -> Option<usize> {
        let is_it = |change: &ChangeRequest| match number {
            Some(number) => change.number.eq_ignore_ascii_case(number),
            None => change.title == title && change.state != ApprovalState::PostApproval,
        };
        self.changes.iter().rposition(|change| change.provider == provider && is_it(change))
    }
}

/// Something that happens to change requests by itself.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ChangeStep {
    /// Somebody of the world votes: the vote of this rule.
    Vote { change: usize, rule: usize, vote: usize },
    /// The change request of a deployment is looked for, or made.
    Sought { execution: usize },
    /// The system that keeps it goes on with it: the state of this entry of the world.
    Stage { change: usize, entry: usize, state: usize },
    /// Its window opens or closes.
    Window { change: usize },
}
