//! Approvals: what a deployment or run waits for before it starts, how people vote, and what comes of that (octopus-api.md §20.2).

use super::{
    agenda::Due,
    answer::{All, Answer, Ask, Handled, Refusal, str_of},
    approval_rules::{self, MergedRule},
    change_requests::{ApprovalState, ChangeRequest, ChangeStep, Provider, Vote},
    pages::page,
    routing::{Endpoint, Find, Of, OfBy, Whole, get, post, put},
    state::{Numbered, State, TaskState, What, number},
    world::{approvals::VoteStatus, server_version::Generation},
};
use crate::clock::later;
use jiff::Timestamp;
use serde_json::{Value, json};

#[rustfmt::skip]
pub(crate) const ENDPOINTS: &[Endpoint] = &[
    get("S/tasks/{id}/servertaskapproval", "TaskView", &Of(super::tasks::find, |state, _, task| Answer::ok(json!({ "Resource": of_task(state, task) })))).since(Generation::V2026_1),
    get("S/servertaskapprovals", "TaskView", &Whole(|state, ask| list(state, ask))).since(Generation::V2026_1),
    get("S/servertaskapprovals/{id}", "TaskView", &Of(find, |state, _, approval| Answer::ok(shown(state, approval)))).since(Generation::V2026_1),
    get("S/servertaskapprovals/{id}/approvals", "TaskView", &Of(find, |state, _, approval| Answer::ok(All(votes(state, approval))))).since(Generation::V2026_1),
    post("S/servertaskapprovals/{id}/approvals", "TaskView", &Of(find, |state, ask, approval| {
        let vote = cast(state, ask, approval)?;
        Answer::created(shown_vote(state, vote))
    })).since(Generation::V2026_1).takes(&[&["Status", "Notes"]]),
    get("S/servertaskapprovals/{id}/approvals/{vote}", "TaskView", &OfBy(find, |state, _, approval, [id]| Answer::ok(shown_vote(state, find_vote(state, approval, id)?)))).since(Generation::V2026_1),
    put("S/servertaskapprovals/{id}/approvals/{vote}", "TaskView", &OfBy(find, |state, ask, approval, [id]| {
        let vote = find_vote(state, approval, id)?;
        recast(state, ask, approval, vote)?;
        Answer::ok(shown_vote(state, vote))
    })).since(Generation::V2026_1).takes(&[&["Status", "Notes"]]),
];

/// Asks for approval of what was queued just now, if a rule says so.
pub(crate) fn ask_for(state: &mut State, execution: usize) {
    let x = &state.executions[execution];
    let Some(rule) = approval_rules::merged(state, &x.space, &x.project, &x.environment) else { return };
    let (task, title) = (x.task, title(state, execution));
    let MergedRule { approvers, per_tenant, plans } = rule;
    let subject = match &x.what {
        What::Deploy { release, .. } => Numbered("Releases-", *release).to_string(),
        What::Runbook { snapshot, .. } => snapshot.clone(),
    };
    // The tenants of a release share a change request. What has no tenant has one of its own each time.
    let scope = if x.tenant.is_some() && !per_tenant { format!("{subject}/{}", x.environment) } else { String::new() };
    let is_it = |change: &usize| !scope.is_empty() && state.requests.changes[*change].scope == scope && is_active(state, *change);
    let change = if let Some(change) = (0..state.requests.changes.len()).rev().find(is_it) {
        change
    } else {
        let change = state.requests.changes.len();
        let number = format!("OCT{}", task + 1);
        let provider = Provider::Octopus;
        let stage = String::new();
        let new = ChangeRequest {
            provider,
            number,
            title,
            scope,
            state: ApprovalState::PreApproval,
            approvers,
            tasks: Vec::new(),
            stage,
            window: (None, None),
        };
        state.requests.changes.push(new);
        for rule in plans {
            for (vote, plan) in state.plan.approval_rules[rule].votes.iter().enumerate() {
                state.agenda.add(later(state.now, plan.after.0), Due::Change(ChangeStep::Vote { change, rule, vote }));
            }
        }
        change
    };
    state.requests.join(task, change);
    hold(state, task);
}

/// What a change request is called that is made for a deployment or run.
pub(crate) fn title(state: &State, execution: usize) -> String {
    let x = &state.executions[execution];
    let (project, environment) = (state.store.name("projects", &x.project), state.store.name("environments", &x.environment));
    match &x.what {
        What::Deploy { release, .. } => {
            let version = state.release(*release).map_or("", |release| &release.version);
            format!("Octopus: Deploy \"{project}\" version {version} to \"{environment}\"")
        }
        What::Runbook { runbook, .. } => {
            format!("Octopus: Run \"{}\" of \"{project}\" in \"{environment}\"", state.store.name("runbooks", runbook))
        }
    }
}

/// Keeps a task in the queue as long as an approval of it is open.
pub(crate) fn hold(state: &mut State, task: usize) {
    if state.requests.holding(task, state.now).is_some() {
        state.tasks[task].eligible = Timestamp::MAX;
    }
}

/// The tasks of a change request that have not started.
fn waiting(state: &State, change: usize) -> Vec<usize> {
    state.requests.changes[change].tasks.iter().copied().filter(|task| state.tasks[*task].waits_to_start()).collect()
}

/// Lets the tasks of a change request start that wait for nothing else.
pub(crate) fn let_start(state: &mut State, change: usize) {
    for task in waiting(state, change) {
        let held = state.tasks[task].eligible == Timestamp::MAX;
        if held && state.requests.holding(task, state.now).is_none() && !state.ephemeral.holds(task) {
            release(state, task);
        }
    }
}

/// Gives a task that was held back to the queue.
pub(crate) fn release(state: &mut State, task: usize) {
    let eligible = later(state.now.max(state.tasks[task].queued), state.plan.pick_up.0);
    state.tasks[task].eligible = eligible;
    state.tasks[task].updated = state.now;
    state.agenda.add(eligible, Due::Look);
}

/// Ends the tasks of a change request that have not started.
pub(crate) fn end(state: &mut State, change: usize, why: &str) {
    for task in waiting(state, change) {
        refuse(state, task, why);
    }
    state.fill_slots();
}

/// Ends a queued task that may not start.
pub(crate) fn refuse(state: &mut State, task: usize, why: &str) {
    let key = state.tasks[task].key;
    state.queue.remove(&key);
    state.tasks[task].notes.push((state.now, "Fatal", why.to_owned()));
    state.complete_task(task, TaskState::Failed, why);
}

impl State {
    /// The approval that a task waits for before it starts.
    pub(crate) fn held_for_approval(&self, task: usize) -> Option<usize> {
        self.requests.holding(task, self.now).filter(|_| self.tasks[task].waits_to_start())
    }
}

/// Whether people can still say something of a change request.
fn is_active(state: &State, change: usize) -> bool {
    let request = &state.requests.changes[change];
    request.state != ApprovalState::PostApproval && request.tasks.iter().any(|task| !state.tasks[*task].state.is_completed())
}

/// Somebody of the world votes, if nobody has decided before.
pub(crate) fn vote_of_world(state: &mut State, change: usize, rule: usize, vote: usize) {
    let plan = state.plan.clone();
    let plan = &plan.approval_rules[rule].votes[vote];
    let is_it = |user: &&Value| str_of(user, "Username").eq_ignore_ascii_case(plan.user.get_ref());
    let Some(user) = state.store.of("users").iter().find(is_it).map(|user| str_of(user, "Id").to_owned()) else { return };
    let Some(approval) = state.requests.approvals.iter().position(|approval| approval.change == change) else { return };
    let approves = plan.status == VoteStatus::Approved;
    if may_vote(state, change, &user, approves).is_ok() && vote_by(state, change, &user).is_none() {
        add(state, Vote { change, approval, user, approves, notes: plan.notes.clone() });
    }
}

fn vote_by(state: &State, change: usize, user: &str) -> Option<usize> {
    state.requests.votes_of(change).find(|vote| state.requests.votes[*vote].user == user)
}

/// Whether somebody may say yes or no to a change request now.
fn may_vote(state: &State, change: usize, user: &str, approves: bool) -> Result<(), Refusal> {
    let request = &state.requests.changes[change];
    if request.provider != Provider::Octopus {
        return Err(Refusal::invalid(format!("The change request {} is approved in {}.", request.number, request.provider.name())));
    }
    let approvers = &request.approvers;
    let in_a_team = !approvers.teams.is_empty() && state.is_in(user, &approvers.teams);
    if !in_a_team && !approvers.users.iter().any(|one| one == user) {
        return Err(Refusal::said(403, format!("You are not an approver of the change request {}.", request.number)));
    }
    let started_by = |task: &usize| state.tasks[*task].execution.map(|x| state.executions[x].by.as_str());
    if approves && !approvers.self_approval && request.tasks.iter().any(|task| started_by(task) == Some(user)) {
        return Err(Refusal::invalid("You cannot approve a deployment or runbook run that you created."));
    }
    if request.state != ApprovalState::PreApproval || !is_active(state, change) {
        return Err(Refusal::invalid(format!("The change request {} does not wait for approval.", request.number)));
    }
    Ok(())
}

fn add(state: &mut State, vote: Vote) -> usize {
    let (index, change) = (state.requests.votes.len(), vote.change);
    state.requests.votes.push(vote);
    count(state, change);
    index
}

/// What comes of the votes: one that rejects ends everything, enough that approve let it start.
fn count(state: &mut State, change: usize) {
    let rejection = state.requests.votes_of(change).map(|vote| &state.requests.votes[vote]).find(|vote| !vote.approves);
    if let Some(vote) = rejection {
        let notes = if vote.notes.is_empty() { String::new() } else { format!(": {}", vote.notes) };
        let why =
            format!("The change request {} was rejected by {}{notes}", state.requests.changes[change].number, state.username(&vote.user));
        state.requests.changes[change].state = ApprovalState::PostApproval;
        end(state, change, &why);
    } else if state.requests.count(change) >= state.requests.changes[change].approvers.minimum {
        state.requests.changes[change].state = ApprovalState::Approved;
        let_start(state, change);
    }
}

fn read(ask: &Ask) -> Result<(bool, String), Refusal> {
    let approves = match ask.need("Status")?.as_str() {
        "Approved" => true,
        "Rejected" => false,
        other => return Err(Refusal::invalid(format!("The value '{other}' is not valid for Status."))),
    };
    Ok((approves, ask.text("Notes").unwrap_or_default()))
}

fn cast(state: &mut State, ask: &Ask, approval: usize) -> Result<usize, Refusal> {
    let (approves, notes) = read(ask)?;
    let change = state.requests.approvals[approval].change;
    may_vote(state, change, &ask.user, approves)?;
    if vote_by(state, change, &ask.user).is_some() {
        let number = &state.requests.changes[change].number;
        return Err(Refusal::invalid(format!("You have already voted on the change request {number}.")));
    }
    Ok(add(state, Vote { change, approval, user: ask.user.clone(), approves, notes }))
}

fn recast(state: &mut State, ask: &Ask, approval: usize, vote: usize) -> Result<(), Refusal> {
    let (approves, notes) = read(ask)?;
    let change = state.requests.approvals[approval].change;
    if state.requests.votes[vote].user != ask.user {
        return Err(Refusal::said(403, "You can only change your own approval."));
    }
    may_vote(state, change, &ask.user, approves)?;
    let vote = &mut state.requests.votes[vote];
    (vote.approves, vote.notes) = (approves, notes);
    count(state, change);
    Ok(())
}

fn find(state: &State, ask: &Ask, id: &str) -> Result<usize, Refusal> {
    let index = number(id, "ServerTaskApprovals-").filter(|n| *n <= state.requests.approvals.len()).map(|n| n - 1);
    let task = |index: &usize| Numbered("ServerTasks-", state.requests.approvals[*index].task).to_string();
    index.filter(|index| super::tasks::find.find(state, ask, &task(index)).is_ok()).ok_or_else(|| Refusal::missing(id))
}

/// A vote on the change request of an approval: it may have been given through that of another task.
fn find_vote(state: &State, approval: usize, id: &str) -> Result<usize, Refusal> {
    let index = number(id, "Approvals-").filter(|n| *n <= state.requests.votes.len()).map(|n| n - 1);
    let change = state.requests.approvals[approval].change;
    index.filter(|vote| state.requests.votes[*vote].change == change).ok_or_else(|| Refusal::missing(id))
}

fn list(state: &State, ask: &Ask) -> Handled {
    let (provider, wanted) = (ask.query("providerId"), ask.query("state"));
    let found: Vec<usize> = (0..state.requests.approvals.len())
        .rev()
        .filter(|approval| {
            let change = state.requests.approvals[*approval].change;
            let is = |wanted: Option<&str>, value: &str| wanted.is_none_or(|wanted| wanted.eq_ignore_ascii_case(value));
            is(provider, state.requests.changes[change].provider.id())
                && is(wanted, shown_state(state, change).name())
                && find(state, ask, &Numbered("ServerTaskApprovals-", *approval).to_string()).is_ok()
        })
        .collect();
    Answer::ok(page(ask, "ServerTaskApproval", &found, |approval| shown(state, *approval)))
}

/// How far a change request is; one whose tasks are over is behind its approval.
fn shown_state(state: &State, change: usize) -> ApprovalState {
    if is_active(state, change) { state.requests.changes[change].state } else { ApprovalState::PostApproval }
}

fn space(state: &State, approval: usize) -> Option<&str> {
    state.tasks[state.requests.approvals[approval].task].space.as_deref()
}

fn shown(state: &State, approval: usize) -> Value {
    let (task, change) = (state.requests.approvals[approval].task, state.requests.approvals[approval].change);
    let request = &state.requests.changes[change];
    let id = uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, request.number.as_bytes());
    let (id, kind, page) = match request.provider {
        Provider::Octopus => (id.to_string(), None, None),
        other => (id.simple().to_string(), Some("Normal"), Some(format!("https://{}.example/{}", other.id(), request.number))),
    };
    json!({
        "Id": Numbered("ServerTaskApprovals-", approval).to_string(), "ServerTaskId": Numbered("ServerTasks-", task).to_string(),
        "SpaceId": space(state, approval), "ApprovalProviderId": request.provider.id(), "Name": "",
        "ChangeRequest": {
            "Id": id, "Number": request.number, "Description": request.title, "Active": is_active(state, change), "Type": kind,
            "ChangeRequestApprovalState": shown_state(state, change).name(), "Self": page,
        },
    })
}

/// What is shown of the approval of a task: the one it waits for, or else the last that was asked for.
fn of_task(state: &State, task: usize) -> Option<Value> {
    let approval = state.held_for_approval(task).or_else(|| state.requests.of_task(task).next_back())?;
    let change = state.requests.approvals[approval].change;
    let approvers = &state.requests.changes[change].approvers;
    let names = |kind: &'static str, member: &str, ids: &[String]| -> Vec<Value> {
        let name = |id: &String| state.store.of(kind).get(id).map_or_else(|| id.clone(), |doc| str_of(doc, member).to_owned());
        ids.iter().map(|id| json!({"Id": id, "DisplayName": name(id), "DisplayIdAndName": false})).collect()
    };
    Some(json!({
        "Id": Numbered("ServerTaskApprovals-", approval).to_string(), "SpaceId": space(state, approval), "ApprovalState": shown_state(state, change).name(),
        "ApprovalsCount": state.requests.count(change), "MinimumApproversRequired": approvers.minimum,
        "ApprovingUsers": names("users", "DisplayName", &approvers.users), "ApprovingTeams": names("teams", "Name", &approvers.teams),
        "Approvals": votes(state, approval),
    }))
}

fn votes(state: &State, approval: usize) -> Vec<Value> {
    state.requests.votes_of(state.requests.approvals[approval].change).map(|vote| shown_vote(state, vote)).collect()
}

fn shown_vote(state: &State, index: usize) -> Value {
    let vote = &state.requests.votes[index];
    let [_, (_, username), (_, display), (_, email)] = state.person(&vote.user);
    json!({
        "Id": Numbered("Approvals-", index).to_string(), "SpaceId": space(state, vote.approval), "Name": "",
        "ServerTaskApprovalId": Numbered("ServerTaskApprovals-", vote.approval).to_string(), "UserId": vote.user,
        "Status": if vote.approves { "Approved" } else { "Rejected" }, "Notes": vote.notes,
        "ApproverUsername": username, "ApproverDisplayName": display, "ApproverEmailAddress": email,
    })
}
