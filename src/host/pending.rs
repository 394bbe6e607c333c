//! What waits for people: interruptions and approvals, listed together and approved together.

use super::prelude::*;
use super::{
    approval::Approval,
    call::ScriptCall,
    interruption::Interruption,
    references::{EnvironmentRef, ProjectRef},
    tasks::tasks_of,
};

crate::options! {
    /// Which interruptions and approvals.
    pub struct PendingFilter for ["pending", "approve_all"] {
        /// Only those of a task or of a list of tasks.
        task: Option<Dynamic> = None, "none";
        /// Only those of a project's tasks.
        project: Option<ProjectRef> = None, "none";
        /// Only those in an environment.
        env: Option<EnvironmentRef> = None, "none";
        /// Only approvals of the change request with this number.
        number: Option<Name> = None, "none";
    }
}

/// What waits, newest first.
struct Pending {
    interruptions: Vec<Interruption>,
    approvals: Vec<Approval>,
}

impl Pending {
    fn find(host: &ScriptCall<'_>, filter: &PendingFilter) -> HostResult<Self> {
        let place = host.place();
        let tasks = match filter.task.clone() {
            Some(value) => Some(tasks_of(host, value)?.iter().map(|t| t.id.clone()).collect::<Vec<_>>()),
            None => None,
        };
        let is_of_tasks = |task: Option<&api::TaskId>| tasks.as_ref().is_none_or(|ids| task.is_some_and(|task| ids.contains(task)));
        Ok(host.block(async {
            let project = match &filter.project {
                Some(project) => Some(place.project(project).await?.id.clone()),
                None => None,
            };
            let environment = match &filter.env {
                Some(env) => Some(place.environment(env).await?.id.clone()),
                None => None,
            };
            let mut interruptions = Vec::new();
            if filter.number.is_none() {
                let regarding = project.as_ref().map(ToString::to_string).or_else(|| environment.as_ref().map(ToString::to_string));
                for one in place.space.interruptions(true, regarding.as_deref()).await? {
                    let about = |id: &api::EnvironmentId| one.related_document_ids.iter().any(|r| api::meant::same_word(r, id.as_str()));
                    if environment.as_ref().is_none_or(about) && is_of_tasks(one.task_id.as_ref()) {
                        interruptions.push(Interruption::new(place.clone(), one).with_names().await);
                    }
                }
            }
            let mut approvals = place.space.pending_approvals().await?;
            if !approvals.is_empty() && (project.is_some() || environment.is_some()) {
                // An approval names only its task.
                let query =
                    api::TaskQuery { project, environment, active: true, has_pending_preconditions: true, ..api::TaskQuery::default() };
                let waiting: Vec<api::TaskId> = place.space.tasks(&query).await?.into_iter().map(|task| task.id).collect();
                approvals.retain(|one| one.task_id.as_ref().is_some_and(|task| waiting.contains(task)));
            }
            let number = |one: &api::TaskApproval| one.change.as_ref().map(|change| change.number.clone()).unwrap_or_default();
            approvals.retain(|one| filter.number.as_ref().is_none_or(|wanted| api::meant::same_word(&number(one), wanted)));
            approvals.retain(|one| is_of_tasks(one.task_id.as_ref()));
            Ok(Self { interruptions, approvals: approvals.into_iter().map(|one| Approval::new(place.clone(), one)).collect() })
        })?)
    }

    /// One approval of each change request: a vote counts for all tasks of it.
    fn of_each_change(&self) -> Vec<&Approval> {
        let mut met = BTreeSet::new();
        self.approvals.iter().filter(|one| met.insert((one.system().to_owned(), one.number().to_owned()))).collect()
    }
}

crate::functions! {
    group "people";

    /// What waits for a person: interruptions of tasks that have started, and then approvals of tasks that have not; the newest first. Both have
    /// `title`, `kind`, `task` and `url`, and both are answered with `approve` and `reject`. An interruption that ends by itself is
    /// listed, too.
    ///
    /// ```rhai
    /// for i in pending() { print(`${i.kind} ${i.title}: ${i.url}`); }
    /// ```
    fn pending(host: ScriptCall; filter: PendingFilter) -> "list of Interruption or Approval" raises "not_found, ambiguous, request" {
        let found = Pending::find(&host, &filter)?;
        Ok(found.interruptions.into_iter().map(Dynamic::from).chain(found.approvals.into_iter().map(Dynamic::from)).collect::<Array>())
    }

    /// Approves at once what waits for it: approvals in Octopus, with one vote for each change request, and manual interventions. The filter is
    /// that of `pending` and must name something; what is about to be approved is listed first. Where nothing fits, nothing is done. What
    /// other systems or machines decide is left out, and so are guided failures. What was refused is an error after all others are approved.
    /// Returns what was approved.
    ///
    /// ```rhai
    /// let trains = [deploy("Project A", "latest", "Test"), deploy("Project B", "latest", "Test")];
    /// approve_all(#{task: trains}, "agreed in the meeting of 09:00");
    /// ```
    fn approve_all(host: ScriptCall, filter: PendingFilter, note: String) -> "list of Interruption or Approval" raises "refused, in_doubt, not_found, ambiguous, request" {
        approve_what_waits(&host, &filter, &note)
    }
}

/// Approves what fits, once it is told what that is.
fn approve_what_waits(host: &ScriptCall<'_>, filter: &PendingFilter, note: &str) -> HostResult<Array> {
    if filter.task.is_none() && filter.project.is_none() && filter.env.is_none() && filter.number.is_none() {
        let error = Error::new(Kind::Script, "`approve_all` does not approve everything that waits: say what");
        return Err(raise(error.help("`approve_all(#{project: \"Project A\"}, \"...\")`; `task`, `env` and `number` choose, too")));
    }
    let found = Pending::find(host, filter)?;
    let asked: Vec<&Interruption> = found.interruptions.iter().filter(|one| one.is_manual()).collect();
    let (ours, others): (Vec<&Approval>, Vec<&Approval>) = found.of_each_change().into_iter().partition(|one| one.document().is_octopus());
    let mut list: Vec<String> = ours.iter().map(|one| format!("{} {}", one.number(), one.title())).collect();
    list.extend(asked.iter().map(|one| format!("{one} {}", one.url())));
    let left = found.interruptions.iter().filter(|one| !one.is_manual()).map(ToString::to_string);
    let left: Vec<String> = left.chain(others.iter().map(|one| format!("{} in {}", one.number(), one.system()))).collect();
    if !left.is_empty() {
        host.note(Level::Info, format!("not approved here: {}", left.join(", ")));
    }
    let about = if list.is_empty() {
        "nothing waits to be approved".to_owned()
    } else {
        format!("about to approve {}: {}", list.len(), list.join(", "))
    };
    host.note(Level::Info, about);
    let (mut done, mut refused) = (Array::new(), Vec::new());
    let votes = ours.iter().map(|one| (one.number().to_owned(), one.vote(host, true, note).map(Dynamic::from)));
    let answers = asked.iter().map(|one| (one.to_string(), one.proceed(host, note).map(Dynamic::from)));
    for (name, result) in votes.chain(answers) {
        match result {
            Ok(answered) => done.push(answered),
            Err(error) if is_refusal(&error) => refused.push(format!("{name}: {}", message(&error))),
            Err(error) => return Err(error),
        }
    }
    if refused.is_empty() {
        return Ok(done);
    }
    let text = format!("approved {} of {}; {}", done.len(), list.len(), refused.join("; "));
    Err(raise(Error::new(Kind::Refused, text).with("refused", refused)))
}

fn is_refusal(error: &EvalAltResult) -> bool {
    ours(error).is_some_and(|error| error.kind().is_refusal() || error.kind() == Kind::Forbidden)
}
