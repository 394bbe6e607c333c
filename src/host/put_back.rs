//! Puts back what one step of a saga deployed: first compares with what the server says now, then deploys what was live before.
//!
//! Nobody else's deployment is overwritten: one that is live or under way is left alone and named. The way back is no wider than the act:
//! the same deployment targets, the same steps left out, the same freeze overridden.

use super::prelude::*;
use super::{
    call::ScriptCall,
    deployments::{DeployOptions, DeploymentPlan},
    history::Success,
    references::{Ref, TargetRef},
    requeue::values_of,
    space::Space,
    task::Task,
    time::Moment,
    wait::{Until, cancel_all, for_tasks},
    wait_options::{Asked, WaitOptions},
};
use crate::api::create_once::mark_in;
use std::cell::RefCell;

/// What was live before a step when the script asked for it.
#[derive(Clone)]
pub struct Before {
    /// The release.
    pub release: api::Release,
    /// Its deployment.
    pub deployment: api::Deployment,
}

/// A deployment of a saga.
#[derive(Clone)]
pub struct Deployed {
    /// What was deployed where.
    pub plan: DeploymentPlan,
    /// How.
    pub options: DeployOptions,
    /// Its task.
    pub task: Task,
    /// What was live when the script asked for it.
    pub before: Option<Before>,
}

/// How to undo.
pub struct HowBack {
    /// Also what failed itself.
    pub undo_failed: bool,
    /// How long each may take.
    pub timeout: SignedDuration,
    /// What happens when it waits for a person.
    pub on_interrupt: Decide<Asked>,
    /// What happens when it waits for the approval of a change request.
    pub on_approval: Decide<Asked>,
}

/// What was undone and what was not, for the error.
#[derive(Default)]
pub struct Undone {
    /// What was.
    pub done: Vec<String>,
    /// What was not, and why.
    pub not: Vec<String>,
}

impl Undone {
    /// What a part of an undo gives; none when it failed, which is listed. What ends the run is listed and handed on.
    fn or_not<T>(&mut self, title: &str, result: HostResult<T>) -> HostResult<Option<T>> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(error) if stops(&error) => {
                self.not.push(format!("{title} (the run was stopped before that)"));
                Err(error)
            }
            Err(error) => {
                self.failed(title, &error);
                Ok(None)
            }
        }
    }

    /// Lists what could not be undone.
    pub fn failed(&mut self, what: &str, error: &EvalAltResult) {
        self.not.push(format!("{what} ({})", message(error)));
    }

    /// Tells all.
    pub fn tell(&self, host: &Host) {
        for line in &self.done {
            host.note(Level::Info, format!("undone: {line}"));
        }
        for line in &self.not {
            host.note(Level::Warning, format!("not undone: {line}"));
        }
    }

    /// The error with the lists as facts and in words.
    pub fn add_to(&self, error: Error) -> Error {
        let mut text = Vec::new();
        if !self.done.is_empty() {
            text.push(format!("undone: {}", self.done.join(", ")));
        }
        if !self.not.is_empty() {
            text.push(format!("not undone: {}", self.not.join(", ")));
        }
        // A saga inside of this one has its own list already.
        let all = |name: &str, own: &[String]| {
            let inner = error.fact(name).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
            inner.map(str::to_owned).chain(own.iter().cloned()).collect::<Vec<String>>()
        };
        let (done, not) = (all("undone", &self.done), all("not_undone", &self.not));
        let error = error.with("undone", done).with("not_undone", not);
        if text.is_empty() { error.help("nothing had to be undone") } else { error.help(text.join("; ")) }
    }
}

/// Takes back the deployments of one saga.
pub struct Undo<'a> {
    host: &'a ScriptCall<'a>,
    how: HowBack,
    /// The tasks of the saga.
    own: Vec<Task>,
    /// The ways back so far.
    back: RefCell<Vec<WayBack>>,
}

/// A deployment of the undo.
struct WayBack {
    plan: DeploymentPlan,
    task: Task,
    /// The number of the newest deployment that was known before it.
    newest: u64,
}

/// Whether a deployment at `place` is what `task` carries out. Ids are unique on one server only.
fn is_of(task: &Task, one: &api::Deployment, place: &Space) -> bool {
    task.id == one.task_id && task.place.client.address() == place.client.address()
}

/// What a comparison came to.
enum Verdict {
    /// It stays, and why.
    Left(String),
    /// It goes back.
    Back { plan: Box<DeploymentPlan>, options: Box<DeployOptions>, notes: Vec<String>, newest: u64 },
}

impl<'a> Undo<'a> {
    /// The undo of what these tasks did.
    pub fn new(host: &'a ScriptCall<'a>, how: HowBack, own: Vec<Task>) -> Self {
        Self { host, how, own, back: RefCell::default() }
    }

    /// Whether a deployment is one of the saga or of this undo.
    fn is_own(&self, one: &api::Deployment, place: &Space) -> bool {
        self.own.iter().any(|task| is_of(task, one, place)) || self.is_way_back(one, place)
    }

    /// Whether a deployment is one of this undo.
    fn is_way_back(&self, one: &api::Deployment, place: &Space) -> bool {
        self.back.borrow().iter().any(|back| is_of(&back.task, one, place))
    }

    /// Takes one deployment back. An error is what ends the run meanwhile.
    pub fn put_back(&self, step: &Deployed, undone: &mut Undone) -> HostResult<()> {
        let (host, last, title) = (self.host, step.task.last(), &step.task.subject.title);
        if last.start_time.is_none() {
            return Ok(()); // it never began
        }
        if !last.is_completed() {
            undone.not.push(format!("{title} ({} is {} and could not be stopped)", step.task.id, last.state));
            return Ok(());
        }
        if !last.finished_successfully() && !self.how.undo_failed && last.state != api::TaskState::Canceled {
            undone.not.push(format!("{title} (it failed itself and is left as it is)"));
            return Ok(());
        }
        let (plan, options, newest) = match undone.or_not(title, host.block(self.compare(step)).raise())? {
            None => return Ok(()),
            Some(Verdict::Left(why)) => {
                undone.not.push(format!("{title} ({why})"));
                return Ok(());
            }
            Some(Verdict::Back { plan, options, notes, newest }) => {
                for note in notes {
                    host.note(Level::Warning, format!("undo: {note}"));
                }
                (plan, options, newest)
            }
        };
        let version = &plan.release.version;
        let Some(task) = undone.or_not(title, host.start(&plan, &options, "undo"))? else { return Ok(()) };
        self.back.borrow_mut().push(WayBack { plan: (*plan).clone(), task: task.clone(), newest });
        // A cancelled run leaves it alone: half an undo is worse than a whole one.
        host.ledger.started.lock().retain(|other| other.task.id != task.id);
        let wait = WaitOptions {
            timeout: self.how.timeout,
            on_interrupt: self.how.on_interrupt.clone(),
            on_approval: self.how.on_approval.clone(),
            ..WaitOptions::default()
        };
        let waited = for_tasks(host, std::slice::from_ref(&task), &wait, Until::All);
        let way = format!("going back to {version}");
        let problem = match waited {
            Err(error) if stops(&error) => {
                undone.not.push(format!("{title} ({way} goes on as {})", task.id));
                return Err(error);
            }
            Err(error) => Some(message(&error)),
            Ok(true) => None,
            Ok(false) => Some(format!("it was not complete after {}", text::show(self.how.timeout))),
        };
        let given_up = match problem {
            Some(problem) => Some(self.give_up(&task, &problem).inspect_err(|_| {
                undone.not.push(format!("{title} ({way} goes on as {})", task.id));
            })?),
            None => None,
        };
        let url = task.subject.url.as_deref().unwrap_or_default();
        match (task.last().finished_successfully(), given_up) {
            (true, _) => undone.done.push(format!("{} is back on {version} in {}", plan.project.name, spot_in_words(&plan))),
            (false, Some(why)) => undone.not.push(format!("{title} ({way}, {}: {why}; {url})", task.id)),
            (false, None) => undone.not.push(format!("{title} ({way} ended as {}: {}, {url})", task.last().state, task.id)),
        }
        Ok(())
    }

    /// What becomes of a way back that nobody waits for any longer: what has not begun, or waits for a person, is cancelled, or it
    /// would change the environment hours later.
    fn give_up(&self, task: &Task, problem: &str) -> HostResult<String> {
        let host = self.host;
        let explained = host.block(async {
            let seen = task.look(host).await?;
            let waits = seen.state == api::TaskState::Queued || seen.is_interrupted();
            Ok((waits, task.explain(host).await?))
        });
        let explained = explained.raise();
        let (waits, explained) = match explained {
            Err(error) if stops(&error) => return Err(error),
            Err(error) => return Ok(format!("{problem}; how it goes on is not known: {}", message(&error))),
            Ok(found) => found,
        };
        let why = explained.map(|explained| format!("; it {}", explained.why)).unwrap_or_default();
        if !waits {
            return Ok(format!("{problem}, and goes on as {}", task.last().state));
        }
        let (_, problems) = cancel_all(host, std::slice::from_ref(task))?;
        Ok(match problems.as_slice() {
            [] => format!("{problem}{why}; it was cancelled"),
            problems => format!("{problem}{why}; {}", problems.join("; ")),
        })
    }

    /// Compares what is live and under way with what the step deployed.
    async fn compare(&self, step: &Deployed) -> Result<Verdict> {
        let (plan, act) = (&step.plan, &step.task);
        let spot = plan.spot();
        let is_own = |one: &api::Deployment| {
            // What an earlier start of the run put back, as long as the script has not come to it again.
            let is_back = step.before.as_ref().is_some_and(|before| before.release.id == one.release_id);
            self.is_own(one, &plan.place) || (is_back && mark_in(&one.comments).as_deref() == Some(self.host.run_id.as_str()))
        };
        // What is under way comes first: what ends between the two looks is among the successes of the second.
        let under_way = spot.under_way().await?;
        if let Some(other) = under_way.iter().find(|task| task.deployment.as_ref().is_some_and(|one| !is_own(one))) {
            return Ok(Verdict::Left(format!("{} is under way there and is left alone", foreign(self.host, other))));
        }
        let own_number = act.deployment.as_ref().map_or(0, |one| one.id.number());
        let past = spot.ended_well(|one| one.task_id != act.id && one.id.number() < own_number).await?;
        let ended = act.last().completed_time.unwrap_or_else(|| plan.place.client.moment());
        let newest_first =
            |(a, b): (&&Success, &&Success)| (a.completed, a.deployment.id.number()).cmp(&(b.completed, b.deployment.id.number()));
        let others = past.iter().filter(|one| !is_own(&one.deployment) && one.completed > ended);
        if let Some(other) = others.max_by(|a, b| newest_first((a, b))) {
            let version = version_of(&plan.place, &other.deployment.release_id).await;
            let when = Moment::of(self.host, other.completed);
            let who = &other.deployment.deployed_by;
            return Ok(Verdict::Left(format!(
                "{version} of {who} is live there since {when} ({}) and is left alone",
                other.deployment.task_id
            )));
        }
        let earlier = past
            .iter()
            .filter(|one| one.deployment.task_id != act.id && one.completed <= ended && !self.is_way_back(&one.deployment, &plan.place));
        let live = earlier.max_by(|a, b| newest_first((a, b)));
        if let Some(gone) = step.before.as_ref().filter(|before| {
            past.iter().all(|one| one.deployment.id != before.deployment.id)
                && live.is_none_or(|live| live.deployment.id.number() < before.deployment.id.number())
        }) {
            let version = &gone.release.version;
            return Ok(Verdict::Left(format!("{version}, which was live before, is gone: retention or a person deleted it")));
        }
        let Some(live) = live else { return Ok(Verdict::Left("there was nothing before".to_owned())) };
        if live.deployment.release_id == plan.release.id {
            return Ok(Verdict::Left("the same release was live before".to_owned()));
        }
        let release = plan.place.space.release(&live.deployment.release_id).await?;
        let back = DeploymentPlan { release: release.into(), ..plan.clone() };
        let (mut options, notes) = match self.narrowed(step, &back).await? {
            Ok(narrowed) => narrowed,
            Err(why) => return Ok(Verdict::Left(why)),
        };
        options.variables = values_of(&plan.place, &live.deployment).await?;
        let newest = past.iter().map(|one| one.deployment.id.number()).max().unwrap_or(0).max(own_number);
        Ok(Verdict::Back { plan: Box::new(back), options: Box::new(options), notes, newest })
    }

    /// The options of the act as far as they make the way back narrower, for the older release; what that lacks is noted. `Err` says why
    /// there is no way back that is as narrow. Actions and deployment targets are known by their ids: names change.
    async fn narrowed(&self, step: &Deployed, back: &DeploymentPlan) -> Result<std::result::Result<(DeployOptions, Vec<String>), String>> {
        let act = &step.options;
        let mut options = DeployOptions {
            guided_failure: act.guided_failure,
            priority: act.priority,
            override_freeze: act.override_freeze.clone(),
            ..DeployOptions::default()
        };
        let mut notes = Vec::new();
        let Some(made) = step.task.deployment.as_ref() else { return Ok(Ok((options, notes))) };
        if made.skip_actions.is_empty() && made.specific_machine_ids.is_empty() && made.excluded_machine_ids.is_empty() {
            return Ok(Ok((options, notes)));
        }
        let tenant = back.tenant.as_ref().map(|tenant| &tenant.id);
        let preview = back.place.space.deployment_preview(&back.release.id, &back.environment.id, tenant).await?;
        let whole = format!("{} {} in {}", back.project.name, back.release.version, spot_in_words(back));
        for (at, id) in made.skip_actions.iter().enumerate() {
            let name = act.skip_steps.get(at).map_or(id.as_str(), |step| step.as_str());
            let found = preview.steps.iter().find(|one| one.action_id == *id).or_else(|| preview.steps.iter().find(|one| one.name == name));
            match found {
                Some(found) => options.skip_steps.push(Ref(found.name.clone(), None).into()),
                None => notes.push(format!("{whole} has no step `{name}`, which was left out")),
            }
        }
        let has = |id: &String| preview.steps.iter().flat_map(|one| &one.machines).any(|machine| machine.id == *id);
        let mut machines: Vec<TargetRef> = Vec::new();
        for (ids, names, into) in [
            (&made.specific_machine_ids, act.machines.named(), &mut machines),
            (&made.excluded_machine_ids, act.exclude_machines.as_slice(), &mut options.exclude_machines),
        ] {
            for (at, id) in ids.iter().enumerate() {
                if has(id) {
                    into.push(Ref(id.clone(), None).into());
                } else {
                    let name = names.get(at).map_or(id.as_str(), |name| name.as_str());
                    notes.push(format!("{whole} has no deployment target `{name}`"));
                }
            }
        }
        if !made.specific_machine_ids.is_empty() {
            let Some(machines) = OneOrMore::these(machines) else {
                let names = act.machines.named().iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
                return Ok(Err(format!("it was deployed only to {names}, and {whole} has no such deployment target: it would go to all")));
            };
            options.machines = machines;
        }
        Ok(Ok((options, notes)))
    }

    /// Lists what others started where something was put back, since the comparison: it may be what is live in the end.
    pub fn look_again(&self, undone: &mut Undone) -> HostResult<()> {
        for WayBack { plan, task, newest } in self.back.borrow().iter() {
            let began = task.deployment.as_ref().and_then(|one| one.created);
            // It failed before and changed nothing of what was compared.
            let is_over = |other: &Task| {
                let last = other.last();
                last.is_completed() && !last.finished_successfully() && last.completed_time < began
            };
            let came = match self.host.block(plan.spot().created_after(*newest)).raise() {
                Err(error) if stops(&error) => return Err(error),
                Err(error) => {
                    undone.failed(&format!("whether others deployed {} meanwhile is not known", plan.project.name), &error);
                    continue;
                }
                Ok(came) => came,
            };
            let is_foreign = |other: &&Task| other.deployment.as_ref().is_none_or(|one| !self.is_own(one, &plan.place));
            let others = came.iter().filter(|other| is_foreign(other) && !is_over(other));
            let lines = others.map(|other| format!("{} came in while {} was put back", foreign(self.host, other), plan.project.name));
            for line in lines.collect::<Vec<_>>() {
                if !undone.not.contains(&line) {
                    undone.not.push(line);
                }
            }
        }
        Ok(())
    }
}

/// `Project A 2.0.1 → Test of ada (ServerTasks-17, Executing, since ...)`
fn foreign(host: &Host, task: &Task) -> String {
    let who = task.deployment.as_ref().map(|one| one.deployed_by.as_str()).filter(|who| !who.is_empty());
    let who = who.map(|who| format!(" of {who}")).unwrap_or_default();
    let last = task.last();
    let since: Option<Timestamp> = last.completed_time.or(last.start_time).or(last.queue_time);
    let since = since.map(|at| format!(" since {}", Moment::of(host, at))).unwrap_or_default();
    format!("{}{who} ({}, {}{since})", task.subject.title, task.id, last.state)
}

/// `Test for Aberdeen`
fn spot_in_words(plan: &DeploymentPlan) -> String {
    match &plan.tenant {
        Some(tenant) => format!("{} for {}", plan.environment.name, tenant.name),
        None => plan.environment.name.clone(),
    }
}

/// The version of a release, or its id when it cannot be read.
async fn version_of(place: &Space, id: &api::ReleaseId) -> String {
    place.space.release(id).await.map_or_else(|_| id.to_string(), |release| release.version)
}
