//! Change control: deployments that wait for a change request in ServiceNow or Jira Service Management (octopus-api.md §20.2).

use super::{
    agenda::Due,
    answer::str_of,
    approvals,
    change_requests::{ApprovalState, ChangeRequest, ChangeStep, Provider},
    state::{State, What},
    variables,
};
use crate::clock::later;
use jiff::Timestamp;

/// Lets something happen to a change request.
pub(crate) fn happen(state: &mut State, step: ChangeStep) {
    match step {
        ChangeStep::Vote { change, rule, vote } => approvals::vote_of_world(state, change, rule, vote),
        ChangeStep::Sought { execution } => seek(state, execution),
        ChangeStep::Stage { change, entry, state: nth } => {
            let stage = state.plan.change_requests[entry].states[nth].state.get_ref().clone();
            enter(state, change, stage);
            settle(state, change);
        }
        ChangeStep::Window { change } => settle(state, change),
    }
}

/// Asks for a change request for what was queued just now, if both its project and its environment are controlled by the same system. For a
/// scheduled deployment that is done when its time has come.
pub(crate) fn control(state: &mut State, execution: usize) {
    if system(state, execution).is_none() {
        return;
    }
    match state.executions[execution].queue_time.filter(|at| *at > state.now) {
        Some(at) => state.agenda.add(at, Due::Change(ChangeStep::Sought { execution })),
        None => seek(state, execution),
    }
}

fn system(state: &State, execution: usize) -> Option<Provider> {
    let x = &state.executions[execution];
    let named = |kind: &'static str, id: &str| {
        let word = state.store.of(kind).get(id).map(|doc| str_of(doc, "_ChangeControl").to_owned())?;
        [Provider::ServiceNow, Provider::JiraServiceManagement].into_iter().find(|provider| provider.word() == word)
    };
    let own = named("projects", &x.project)?;
    let is_deployment = matches!(x.what, What::Deploy { .. });
    (is_deployment && named("environments", &x.environment) == Some(own)).then_some(own)
}

/// Finds the change request of a deployment, by the number that a variable gives or by its title, or makes one.
fn seek(state: &mut State, execution: usize) {
    let Some(provider) = system(state, execution) else { return };
    let task = state.executions[execution].task;
    if state.tasks[task].state.is_completed() {
        return;
    }
    let (number, title) = (given_number(state, execution, provider), approvals::title(state, execution));
    let change = match (state.requests.open(provider, number.as_deref(), &title), &number) {
        (Some(change), _) => change,
        (None, Some(wanted)) => {
            let is_it = |number: &str| number.eq_ignore_ascii_case(wanted);
            let entry = state
                .plan
                .change_requests
                .iter()
                .position(|entry| entry.system == provider && entry.number.as_ref().is_some_and(|n| is_it(n.get_ref())));
            if entry.is_none() {
                let why = format!("The change request {wanted} was not found in {}.", provider.name());
                return approvals::refuse(state, task, &why);
            }
            let since = state.plan.start.0;
            make(state, provider, wanted.clone(), title, entry, since)
        }
        (None, None) => {
            let x = &state.executions[execution];
            let (project, environment) = (state.store.name("projects", &x.project), state.store.name("environments", &x.environment));
            let entry = state.plan.change_requests.iter().position(|entry| {
                let fits = |wanted: &Option<super::world::values::Ref>, name: &str| {
                    wanted.as_ref().is_none_or(|w| w.get_ref().eq_ignore_ascii_case(name))
                };
                entry.system == provider
                    && entry.number.is_none()
                    && fits(&entry.project, &project)
                    && fits(&entry.environment, &environment)
            });
            let number = match provider {
                Provider::ServiceNow => format!("CHG{:07}", 30_000 + state.store.next("CHG")),
                _ => state.store.next_id("CHANGE-"),
            };
            let now = state.now;
            make(state, provider, number, title, entry, now)
        }
    };
    state.requests.join(task, change);
    approvals::hold(state, task);
    settle(state, change);
}

/// The number of the change request that the deployment's variables give.
fn given_number(state: &State, execution: usize, provider: Provider) -> Option<String> {
    let x = &state.executions[execution];
    let What::Deploy { channel, .. } = &x.what else { return None };
    let name = format!("Octopus.{}.ChangeRequest.Number", provider.word());
    let prompted = x.values.iter().find(|(key, _)| key.eq_ignore_ascii_case(&name)).map(|(_, value)| value.clone());
    let target = variables::Target { environment: &x.environment, tenant: x.tenant.as_deref(), channel: Some(channel) };
    let is_it = |v: &serde_json::Value| str_of(v, "Name").eq_ignore_ascii_case(&name) && target.is_in_scope(state, v);
    let own = || variables::of_execution(state, x).into_iter().find(is_it).map(|v| str_of(&v, "Value").to_owned());
    prompted.or_else(own).filter(|number| !number.is_empty())
}

fn make(state: &mut State, provider: Provider, number: String, title: String, entry: Option<usize>, since: Timestamp) -> usize {
    let change = state.requests.changes.len();
    let plan = state.plan.clone();
    let plan = entry.map(|entry| &plan.change_requests[entry]);
    let begins = plan.and_then(|plan| plan.from).map(|from| later(state.plan.start.0, from.0));
    let ends = plan.and_then(|plan| plan.length).map(|length| later(begins.unwrap_or(state.plan.start.0), length.0));
    state.requests.changes.push(ChangeRequest {
        provider,
        number,
        title,
        scope: String::new(),
        state: ApprovalState::PreApproval,
        approvers: super::change_requests::Approvers::default(),
        tasks: Vec::new(),
        stage: provider.stages().0.first().copied().unwrap_or_default().to_owned(),
        window: (begins, ends),
    });
    for at in [begins, ends].into_iter().flatten().filter(|at| *at > state.now) {
        state.agenda.add(at, Due::Change(ChangeStep::Window { change }));
    }
    for (nth, stage) in plan.map(|plan| plan.states.as_slice()).unwrap_or_default().iter().enumerate() {
        let at = later(since, stage.after.0);
        if at <= state.now {
            enter(state, change, stage.state.get_ref().clone());
        } else if let Some(entry) = entry {
            state.agenda.add(at, Due::Change(ChangeStep::Stage { change, entry, state: nth }));
        }
    }
    change
}

/// Takes over the state that its system gives a change request.
fn enter(state: &mut State, change: usize, stage: String) {
    let request = &mut state.requests.changes[change];
    let (waits, goes) = request.provider.stages();
    request.state = if stage == goes {
        ApprovalState::Approved
    } else if waits.contains(&stage.as_str()) {
        ApprovalState::PreApproval
    } else {
        ApprovalState::PostApproval
    };
    request.stage = stage;
}

/// What comes of the state of a change request and of its window for the deployments that wait for it.
fn settle(state: &mut State, change: usize) {
    let request = &state.requests.changes[change];
    let (number, system) = (&request.number, request.provider.name());
    if request.window.1.is_some_and(|end| end <= state.now) {
        let why = format!("The planned end of the change request {number} in {system} has passed.");
        approvals::end(state, change, &why);
    } else if request.state == ApprovalState::PostApproval {
        let why =
            format!("The change request {number} in {system} is in the state '{}', in which a deployment cannot go on.", request.stage);
        approvals::end(state, change, &why);
    } else if request.lets_start(state.now) {
        approvals::let_start(state, change);
    }
}
