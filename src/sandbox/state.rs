//! What is true on the server right now: documents, releases, deployments, tasks, interruptions, events.

#[cfg(test)]
use super::shared_list::Looks;
use super::{
    access::Access,
    agenda::Agenda,
    answer::{Ask, str_of},
    audit::{About, AuditLog, SYSTEM},
    bounds::Weight,
    builtin_feed::Package,
    change_requests::ChangeRequests,
    ephemeral_uses::EphemeralUses,
    hooks::Hooks,
    keys::KeyRing,
    limits::Limits,
    shared_list::SharedList,
    store::Store,
    trigger_times::Triggers,
    world::model::{AwaitedType, Plan, StepPlan},
};
use axum::body::Bytes;
use jiff::{SignedDuration, Timestamp};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    fmt,
    sync::Arc,
};

/// Everything.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) plan: Arc<Plan>,
    pub(crate) now: Timestamp,
    pub(crate) store: Store,
    /// Steps of a project or runbook, by its id.
    pub(crate) steps: HashMap<String, Arc<Vec<StepPlan>>>,
    /// Variable sets and processes that were written to, by id; the others are made when asked for.
    pub(crate) written: BTreeMap<String, Value>,
    /// Variable sets as releases and runbook snapshots have taken them, where they were changed since: by id in lower case and version.
    pub(crate) frozen_sets: BTreeMap<(String, u64), Value>,
    /// Which versions of variable sets were taken, by id in lower case.
    pub(crate) taken_sets: BTreeSet<(String, u64)>,
    /// The variables that runbook snapshots have taken, by the ids of the snapshots in lower case.
    pub(crate) runbook_variables: HashMap<String, VariableSnapshot>,
    pub(crate) releases: SharedList<Option<Release>>,
    pub(crate) release_by_version: HashMap<(String, String), usize>,
    /// Those of a project in the order they were made, deleted ones too.
    pub(crate) releases_of: HashMap<String, Vec<usize>>,
    pub(crate) executions: SharedList<Execution>,
    pub(crate) tasks: SharedList<Task>,
    pub(crate) interruptions: SharedList<Interruption>,
    /// Those of a task.
    pub(crate) interruptions_of: HashMap<usize, Vec<usize>>,
    /// What tasks wait for before they start.
    pub(crate) requests: ChangeRequests,
    /// Who uses which ephemeral environment.
    pub(crate) ephemeral: EphemeralUses,
    pub(crate) events: AuditLog,
    /// The place of the first event after the world's past.
    pub(crate) first_event: usize,
    pub(crate) hooks: Hooks,
    pub(crate) triggers: Triggers,
    /// Executions per project, environment and tenant, oldest first; deployments only.
    pub(crate) slots: BTreeMap<(String, String, Option<String>), Vec<usize>>,
    pub(crate) by_release: HashMap<usize, Vec<usize>>,
    pub(crate) by_project: HashMap<String, Vec<usize>>,
    pub(crate) execution_by_id: HashMap<String, usize>,
    pub(crate) agenda: Agenda,
    pub(crate) queue: BTreeSet<QueueKey>,
    pub(crate) running: BTreeSet<usize>,
    pub(crate) held: HashMap<String, usize>,
    /// How often a step (owner, index) has started since the start.
    pub(crate) step_runs: HashMap<(String, usize), u32>,
    pub(crate) moved_to_top: i64,
    pub(crate) blobs: HashMap<String, (String, Bytes)>,
    /// The built-in feeds of all spaces.
    pub(crate) packages: Vec<Package>,
    /// What is in other feeds, by their ids: what a world says of them.
    pub(crate) images: Vec<(String, Package)>,
    /// The server's own address.
    pub(crate) url: String,
    /// Whether bodies of steps that came over the network are run.
    pub(crate) run_scripts: bool,
    /// Host and port of the mailbox.
    pub(crate) smtp: Option<(String, u16)>,
    pub(crate) maintenance: bool,
    /// Tasks that retention has taken: nobody finds them any more.
    pub(crate) forgotten: BTreeSet<usize>,
    /// When each variable set was saved last, and the version before.
    pub(crate) saved: BTreeMap<String, (Timestamp, u64)>,
    /// What clients said they were doing, in the order in which they came: for tests.
    pub(crate) marks: Vec<Value>,
    /// Steps with a body that have begun, and whose process has not.
    pub(crate) begun: Vec<(usize, usize)>,
    /// The past is being written: no queue, no events, no questions.
    pub(crate) history: bool,
    /// What the caller of the request at hand may do.
    pub(crate) access: Access,
    pub(crate) keys: KeyRing,
    pub(crate) limits: Limits,
    /// How much clients have made it keep.
    pub(crate) weight: Weight,
}

/// A release.
#[derive(Clone)]
pub(crate) struct Release {
    pub(crate) space: String,
    pub(crate) project: String,
    pub(crate) channel: String,
    pub(crate) version: String,
    pub(crate) notes: Option<String>,
    pub(crate) assembled: Timestamp,
    pub(crate) ignore_channel_rules: bool,
    /// What a client sent or changed: packages, custom fields.
    pub(crate) extra: Map<String, Value>,
    /// `(description, resolved)`.
    pub(crate) defects: Vec<(String, bool)>,
    pub(crate) variables: VariableSnapshot,
}

/// The variables that a release or a runbook snapshot has taken.
#[derive(Clone, Default)]
pub(crate) struct VariableSnapshot {
    /// The variable sets and their versions then, the project's own first.
    pub(crate) sets: Vec<(String, u64)>,
    /// How often they were taken anew.
    pub(crate) renewals: u32,
}

impl VariableSnapshot {
    fn id((set, version): &(String, u64)) -> String {
        format!("{set}-s-{}-SANDB", version + 1)
    }

    /// The id of the snapshot of the project's own set.
    pub(crate) fn project_set(&self) -> Option<String> {
        self.sets.first().map(Self::id)
    }

    /// The ids of the snapshots of its library sets.
    pub(crate) fn library_sets(&self) -> Vec<String> {
        self.sets.iter().skip(1).map(Self::id).collect()
    }

    /// The token of the snapshot that `owner` has taken: another one each time.
    pub(crate) fn token(&self, owner: &str) -> String {
        uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, format!("{owner}/{}", self.renewals).as_bytes()).to_string()
    }
}

/// A deployment, or a run of a runbook.
#[derive(Clone)]
pub(crate) struct Execution {
    pub(crate) id: String,
    pub(crate) space: String,
    pub(crate) project: String,
    pub(crate) what: What,
    pub(crate) environment: String,
    pub(crate) tenant: Option<String>,
    pub(crate) task: usize,
    pub(crate) created: Timestamp,
    pub(crate) comments: Option<String>,
    pub(crate) by: String,
    pub(crate) guided: bool,
    pub(crate) skip: Vec<String>,
    pub(crate) values: BTreeMap<String, String>,
    pub(crate) queue_time: Option<Timestamp>,
    pub(crate) expiry: Option<Timestamp>,
    pub(crate) priority: String,
    pub(crate) targets: TargetSelection,
    pub(crate) overridden: Vec<String>,
    pub(crate) force: (bool, bool),
    /// `None`, `Log` or `Debug`: how much of the variables its log shows.
    pub(crate) debug: String,
    pub(crate) failed_once: bool,
    pub(crate) deleted: bool,
}

/// What is executed.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum What {
    Deploy { release: usize, channel: String },
    Runbook { runbook: String, snapshot: String },
}

/// The states of a task (octopus-api.md §18.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum TaskState {
    Canceled,
    Cancelling,
    Executing,
    Failed,
    #[default]
    Queued,
    Success,
    TimedOut,
}

impl TaskState {
    pub(crate) const ALL: [TaskState; 7] =
        [Self::Canceled, Self::Cancelling, Self::Executing, Self::Failed, Self::Queued, Self::Success, Self::TimedOut];
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Canceled => "Canceled",
            Self::Cancelling => "Cancelling",
            Self::Executing => "Executing",
            Self::Failed => "Failed",
            Self::Queued => "Queued",
            Self::Success => "Success",
            Self::TimedOut => "TimedOut",
        }
    }
    pub(crate) fn is_completed(self) -> bool {
        !matches!(self, Self::Queued | Self::Executing | Self::Cancelling)
    }
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.name().eq_ignore_ascii_case(name))
    }
}

/// A server task; its number is its place in the list plus one.
#[derive(Clone, Default)]
pub(crate) struct Task {
    pub(crate) space: Option<String>,
    pub(crate) kind: String,
    pub(crate) description: String,
    /// What whoever made it said; those of deployments and runs follow from them.
    pub(crate) arguments: Value,
    pub(crate) execution: Option<usize>,
    pub(crate) project: Option<String>,
    pub(crate) environment: Option<String>,
    pub(crate) tenant: Option<String>,
    pub(crate) runbook: Option<String>,
    pub(crate) state: TaskState,
    pub(crate) queued: Timestamp,
    pub(crate) expiry: Option<Timestamp>,
    pub(crate) started: Option<Timestamp>,
    pub(crate) completed: Option<Timestamp>,
    pub(crate) updated: Timestamp,
    pub(crate) error: String,
    pub(crate) warnings: bool,
    pub(crate) failing: bool,
    pub(crate) tag: String,
    pub(crate) key: QueueKey,
    /// Not before this.
    pub(crate) eligible: Timestamp,
    pub(crate) plan: Arc<Vec<StepPlan>>,
    pub(crate) owner: String,
    pub(crate) steps: Vec<StepRun>,
    pub(crate) interruption: Option<usize>,
    /// Raised by every cancel, so that what was due before is stale.
    pub(crate) generation: u32,
    pub(crate) notes: Vec<(Timestamp, &'static str, String)>,
    /// Entries of the audit log about it.
    pub(crate) events: Vec<usize>,
}

impl Task {
    /// Ends the steps that run: they are cancelled.
    pub(crate) fn cancel_steps(&mut self, now: Timestamp) {
        for step in self.steps.iter_mut().filter(|step| step.status == StepStatus::Running) {
            step.status = StepStatus::Canceled;
            step.ended = Some(now);
        }
    }

    /// Whether it is in the queue and has never run.
    pub(crate) fn waits_to_start(&self) -> bool {
        self.state == TaskState::Queued && self.started.is_none()
    }
}

/// The deployment targets that a deployment or a run is limited to.
#[derive(Clone, Default)]
pub(crate) struct TargetSelection {
    /// Ids of the only ones; empty: all.
    pub(crate) only: Vec<String>,
    /// Ids of those left out.
    pub(crate) without: Vec<String>,
    /// Ids of tags of which a target must have one; empty: it need not.
    pub(crate) tags: Vec<String>,
    /// Ids of tags of which a target must have none.
    pub(crate) without_tags: Vec<String>,
}

impl TargetSelection {
    /// Whether nothing is left out.
    pub(crate) fn is_all(&self) -> bool {
        [&self.only, &self.without, &self.tags, &self.without_tags].into_iter().all(Vec::is_empty)
    }
}

/// Whether what skips these steps and is limited to these targets runs the whole process on all targets.
pub(crate) fn is_whole(skip: &[String], targets: &TargetSelection) -> bool {
    skip.is_empty() && targets.is_all()
}

/// The place of a task in the queue: moved to top, priority, position, number.
pub(crate) type QueueKey = (i64, u8, Timestamp, usize);

/// A step of one task.
#[derive(Clone, Default)]
pub(crate) struct StepRun {
    pub(crate) status: StepStatus,
    pub(crate) started: Option<Timestamp>,
    pub(crate) ended: Option<Timestamp>,
    /// What happens at its end, decided at its start.
    pub(crate) fails: Option<(String, Vec<String>)>,
    /// Said by people (notes of a manual intervention) or by the server.
    pub(crate) said: Vec<String>,
    pub(crate) outputs: Vec<(String, String)>,
    /// The names of those that are sensitive.
    pub(crate) secret_outputs: Vec<String>,
    /// What its process said, with the category of each line.
    pub(crate) log: Vec<(Timestamp, &'static str, String)>,
    /// How far its process says it is.
    pub(crate) percent: Option<u64>,
    pub(crate) attempts: u32,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum StepStatus {
    #[default]
    Pending,
    Running,
    Success,
    Warning,
    Failed,
    Skipped,
    Canceled,
}

impl StepStatus {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Running => "Running",
            Self::Success => "Success",
            Self::Warning => "SuccessWithWarning",
            Self::Failed => "Failed",
            Self::Skipped => "Skipped",
            Self::Canceled => "Canceled",
        }
    }
    pub(crate) fn is_over(self) -> bool {
        !matches!(self, Self::Pending | Self::Running)
    }
}

/// What a task is interrupted for.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum InterruptionType {
    #[default]
    Manual,
    GuidedFailure,
    Awaited(AwaitedType),
}

impl InterruptionType {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Manual => "ManualIntervention",
            Self::GuidedFailure => "GuidedFailure",
            Self::Awaited(AwaitedType::PullRequestCompletion) => "PullRequestCompletion",
            Self::Awaited(AwaitedType::ArgoCDApplicationSync) => "ArgoCDApplicationSync",
            Self::Awaited(AwaitedType::KubernetesResourceVerification) => "KubernetesResourceVerification",
        }
    }
}

/// What a task waits for: a question to people, or something outside of the server.
#[derive(Clone, Default)]
pub(crate) struct Interruption {
    pub(crate) task: usize,
    pub(crate) step: usize,
    pub(crate) kind: InterruptionType,
    pub(crate) title: String,
    pub(crate) instructions: String,
    pub(crate) created: Timestamp,
    pub(crate) pending: bool,
    pub(crate) teams: Vec<String>,
    pub(crate) responsible: Option<String>,
    pub(crate) answer: Option<String>,
    pub(crate) notes: Option<String>,
    pub(crate) space: String,
}

/// A point in time as the server writes it.
pub(crate) fn stamp(at: Timestamp) -> String {
    let z = jiff::tz::Offset::UTC.to_datetime(at);
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}+00:00",
        z.year(),
        z.month(),
        z.day(),
        z.hour(),
        z.minute(),
        z.second(),
        z.millisecond()
    )
}

/// A point in time, or null.
pub(crate) fn stamp_or_null(at: Option<Timestamp>) -> Option<String> {
    at.map(stamp)
}

/// A length of time in words, as the portal says it.
pub(crate) fn in_words(span: SignedDuration) -> String {
    let seconds = span.as_secs().max(0);
    let say = |n: i64, unit: &str| if n == 1 { format!("1 {unit}") } else { format!("{n} {unit}s") };
    match seconds {
        0 => "less than a second".into(),
        1..60 => say(seconds, "second"),
        60..3600 => say(seconds / 60, "minute"),
        3600..7200 => "an hour".into(),
        7200..86_400 => say(seconds / 3600, "hour"),
        _ => say(seconds / 86_400, "day"),
    }
}

impl State {
    pub(crate) fn default_space(&self) -> &str {
        self.store
            .of("spaces")
            .iter()
            .find(|s| s["IsDefault"] == true)
            .or_else(|| self.store.of("spaces").iter().next())
            .map_or("Spaces-1", |s| str_of(s, "Id"))
    }

    /// The space a request is about.
    pub(crate) fn space_of(&self, ask: &Ask) -> String {
        ask.space.clone().unwrap_or_else(|| self.default_space().to_owned())
    }

    /// Writes to the audit log.
    pub(crate) fn event(&mut self, category: &'static str, user: &str, message: String, related: Vec<String>, space: Option<String>) {
        self.events.add(category, user, self.now, message, About::Documents { related, space });
    }

    /// Writes about a task to the audit log.
    pub(crate) fn task_event(&mut self, category: &'static str, user: &str, task: usize, message: String) {
        let event = self.events.add(category, user, self.now, message, About::Task(task));
        self.tasks[task].events.push(event);
    }

    /// Adds a question to people and makes it the one its task waits for.
    pub(crate) fn ask(&mut self, question: Interruption) -> usize {
        let (index, task) = (self.interruptions.len(), question.task);
        let space = self.tasks[task].space.clone().unwrap_or_default();
        let interruption = Interruption { created: self.now, pending: true, space, ..question };
        self.tasks[task].interruption = Some(index);
        self.interruptions_of.entry(task).or_default().push(index);
        self.interruptions.push(interruption);
        index
    }

    /// The documents a task is about, and its own id.
    pub(crate) fn related_to(&self, task: usize) -> Vec<String> {
        let t = &self.tasks[task];
        let mut ids = Vec::new();
        if let Some(x) = t.execution {
            ids.push(self.executions[x].id.clone());
            if let What::Deploy { release, .. } = self.executions[x].what {
                ids.push(Numbered("Releases-", release).to_string());
            }
        }
        ids.push(Numbered("ServerTasks-", task).to_string());
        ids.extend([&t.project, &t.environment, &t.tenant].into_iter().flatten().cloned());
        ids
    }

    /// The tasks that are about a task, deployment, run, release or project; none where that is not known by the id alone.
    pub(crate) fn tasks_about(&self, id: &str) -> Option<Vec<usize>> {
        let of = |executions: Option<&Vec<usize>>| executions.into_iter().flatten().map(|x| self.executions[*x].task).collect();
        if let Some(n) = number(id, "ServerTasks-") {
            return Some((n <= self.tasks.len()).then(|| n - 1).into_iter().collect());
        }
        if let Some(n) = number(id, "Releases-") {
            return Some(of(self.by_release.get(&(n - 1))));
        }
        if let Some(n) = number(id, "Projects-") {
            return Some(of(self.by_project.get(&format!("Projects-{n}"))));
        }
        self.execution_by_id.get(&id.to_lowercase()).map(|x| vec![self.executions[*x].task])
    }

    /// The user's name, for `DeployedBy` and events.
    pub(crate) fn username(&self, user: &str) -> String {
        if user == SYSTEM {
            "system".into()
        } else {
            self.store.of("users").get(user).map_or_else(|| user.to_owned(), |u| str_of(u, "Username").to_owned())
        }
    }

    /// A user as variables tell of one: what, and its value.
    pub(crate) fn person(&self, id: &str) -> [(&'static str, String); 4] {
        let user = self.store.of("users").get(id);
        let of = |key: &str| user.map(|user| str_of(user, key).to_owned()).unwrap_or_default();
        let username = self.username(id);
        let shown = if id == SYSTEM { "System".to_owned() } else { of("DisplayName") };
        let shown = if shown.is_empty() { username.clone() } else { shown };
        [("Id", id.to_owned()), ("Username", username), ("DisplayName", shown), ("EmailAddress", of("EmailAddress"))]
    }

    /// How much of its lists and documents was looked at.
    #[cfg(test)]
    pub(crate) fn looks(&self) -> u64 {
        let lists = [&self.releases.1, &self.executions.1, &self.tasks.1, &self.interruptions.1, &self.events.entries.1];
        lists.into_iter().chain(self.store.looks()).map(Looks::count).sum()
    }

    /// The index of a task with this id.
    pub(crate) fn task_index(&self, id: &str) -> Option<usize> {
        number(id, "ServerTasks-").filter(|n| *n <= self.tasks.len()).map(|n| n - 1).filter(|n| !self.forgotten.contains(n))
    }

    /// The index of a release with this id.
    pub(crate) fn release_index(&self, id: &str) -> Option<usize> {
        number(id, "Releases-").map(|n| n - 1).filter(|n| self.releases.get(*n).is_some_and(Option::is_some))
    }

    /// A release that is known to exist.
    pub(crate) fn release(&self, index: usize) -> Option<&Release> {
        self.releases.get(index).and_then(Option::as_ref)
    }

    /// The tasks that may run at once.
    pub(crate) fn cap(&self) -> usize {
        self.store
            .of("octopusservernodes")
            .iter()
            .filter(|n| n["IsInMaintenanceMode"] != true)
            .map(|n| n["MaxConcurrentTasks"].as_u64().unwrap_or(5) as usize)
            .sum()
    }

    /// Whether the queue of a space is stopped.
    pub(crate) fn stopped(&self) -> HashSet<String> {
        self.store.of("spaces").iter().filter(|s| s["TaskQueueStopped"] == true).map(|s| str_of(s, "Id").to_owned()).collect()
    }

    /// The id of a step's action.
    pub(crate) fn action_id(owner: &str, step: usize) -> String {
        uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, format!("{owner}/{step}").as_bytes()).to_string()
    }
}

/// `Releases-7`: the id of what is seventh in its list.
#[derive(Clone, Copy)]
pub(crate) struct Numbered(pub(crate) &'static str, pub(crate) usize);

impl fmt::Display for Numbered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.0, self.1 + 1)
    }
}

impl Serialize for Numbered {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

/// The number behind a prefix, whatever its case; at least 1, and written without zeros before it.
pub(crate) fn number(id: &str, prefix: &str) -> Option<usize> {
    let (head, tail) = id.split_at_checked(prefix.len())?;
    if !head.eq_ignore_ascii_case(prefix) {
        return None;
    }
    // `01` and `+1` are not how a server writes it.
    tail.parse().ok().filter(|_| tail.starts_with(|c: char| ('1'..='9').contains(&c)))
}
