//! The past of a world: the deployments that brought releases to where they are live.

use crate::{
    clock::later,
    sandbox::{
        audit::SYSTEM,
        deployments::{self, NewExecution},
        lifecycle, releases,
        state::{State, StepStatus, TaskState},
    },
};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeSet, HashMap, VecDeque};

/// A deployment that is to be recorded: when, which release, where to.
type NextDeployment = (Timestamp, usize, String);

/// How the releases of one project, for one tenant, came to where they are live.
pub(super) struct Past {
    project: String,
    tenant: Option<String>,
    /// Releases with the environment to reach, oldest first.
    wanted: VecDeque<(usize, String)>,
    /// When the last deployment was; the next is not before it.
    last: Timestamp,
}

impl Past {
    pub(super) fn new(state: &State, project: &str, spots: &[(String, String)], tenant: Option<String>) -> Self {
        let mut wanted: Vec<(usize, String)> = Vec::new();
        for (environment, version) in spots {
            let Ok(release) = releases::by_version(state, project, version) else { continue };
            wanted.push((release, environment.clone()));
        }
        wanted.sort_by_key(|(release, _)| *release);
        wanted.dedup();
        Self { project: project.to_owned(), tenant, wanted: wanted.into(), last: Timestamp::MIN }
    }

    /// The next deployment: when, which release, where to. Stages before the wanted one come first.
    fn next(&mut self, state: &State, start: Timestamp) -> Option<NextDeployment> {
        loop {
            let (release, environment) = self.wanted.front()?.clone();
            let whose = self.tenant.as_deref().map_or(lifecycle::Whose::Untenanted, lifecycle::Whose::Tenant);
            let standing = lifecycle::standing(state, release, whose);
            let done = standing.iter().any(|p| p.done.contains(&environment));
            let reachable = standing.iter().find(|p| p.environments().any(|e| *e == environment)).is_some_and(|p| p.reachable);
            let target = if reachable {
                Some(environment)
            } else {
                standing.iter().find(|p| p.reachable && !p.complete).and_then(|p| p.environments().find(|e| !p.done.contains(e)).cloned())
            };
            let Some(target) = target.filter(|_| !done) else {
                self.wanted.pop_front();
                continue;
            };
            let before =
                state.by_release.get(&release).map_or(0, |l| l.iter().filter(|x| state.executions[**x].tenant == self.tenant).count());
            let assembled = state.release(release).map_or(start, |r| r.assembled);
            let at = later(assembled, SignedDuration::from_hours(1 + 24 * i64::try_from(before).unwrap_or(0))).max(self.last);
            return Some((at.min(later(start, SignedDuration::from_hours(-1))), release, target));
        }
    }
}

/// Writes the successful deployments that brought releases to where they are live, in the order of time, as a server
/// numbers them.
pub(super) fn bring(state: &mut State, mut pasts: Vec<Past>, start: Timestamp) {
    // What one tenant has may be what another waits for; projects do not know each other.
    let mut of_project: HashMap<String, Vec<usize>> = HashMap::new();
    for (i, past) in pasts.iter().enumerate() {
        of_project.entry(past.project.clone()).or_default().push(i);
    }
    let mut next: Vec<Option<NextDeployment>> = pasts.iter_mut().map(|past| past.next(state, start)).collect();
    let mut order: BTreeSet<(Timestamp, usize)> = next.iter().enumerate().filter_map(|(i, n)| Some((n.as_ref()?.0, i))).collect();
    while let Some((at, first)) = order.pop_first() {
        if let Some((_, release, environment)) = next[first].take() {
            pasts[first].last = at;
            if !record(state, release, &environment, pasts[first].tenant.clone(), at) {
                pasts[first].wanted.pop_front();
            }
        }
        for i in &of_project[&pasts[first].project] {
            if let Some((at, ..)) = next[*i].take() {
                order.remove(&(at, *i));
            }
        }
        for i in of_project[&pasts[first].project].clone() {
            next[i] = pasts[i].next(state, start);
            order.extend(next[i].as_ref().map(|(at, ..)| (*at, i)));
        }
    }
    state.now = start;
}

/// One deployment that succeeded in the past.
fn record(state: &mut State, release: usize, environment: &str, tenant: Option<String>, at: Timestamp) -> bool {
    state.now = at;
    let new = NewExecution { environment: environment.to_owned(), tenant, user: SYSTEM.into(), ..NewExecution::default() };
    let Ok(x) = deployments::deploy(state, release, new) else { return false };
    let task = state.executions[x].task;
    let mut clock = later(at, SignedDuration::from_secs(2));
    let t = &mut state.tasks[task];
    t.started = Some(clock);
    let plan = t.plan.clone();
    for (run, step) in t.steps.iter_mut().zip(plan.iter()) {
        run.status = if step.disabled { StepStatus::Skipped } else { StepStatus::Success };
        run.started = Some(clock);
        clock = later(clock, step.takes.0);
        run.ended = Some(clock);
        run.outputs = step.output.iter().map(|(k, v)| (k.clone(), v.clone())).collect();
    }
    t.state = TaskState::Success;
    t.completed = Some(clock);
    t.updated = clock;
    let description = t.description.clone();
    state.task_event("DeploymentQueued", SYSTEM, task, format!("{description} was queued"));
    state.now = clock;
    state.task_event("DeploymentSucceeded", SYSTEM, task, format!("{description} succeeded"));
    true
}
