//! What a world file may say: the TOML document as Rust types, with the place of every reference kept for messages.

use super::{
    approvals::{ApprovalRulePlan, ChangeRequestPlan},
    environments::ParentEnvironmentPlan,
    freezes::FreezePlan,
    git::{GitPlan, GitSourcePlan},
    hooks::SubscriptionPlan,
    people::{RateLimitPlan, TeamPlan, UserPlan, UserRolePlan},
    run::{RunPlan, WorkerPlan, body},
    server_version::ServerVersion,
    triggers::TriggerPlan,
    values::{Moment, Ref, Span},
};
use crate::{error::Result, sandbox::change_requests::Provider};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use std::{collections::BTreeMap, path::Path};
use toml::Spanned;

plans! {
    /// The whole file.
    #[derive(Default)]
    struct Plan {
        /// None: the one that everybody knows, or one that is made up where it must be secret.
        key: Option<String>,
        #[serde(default = "default_start")]
        start: Moment,
        zone: Option<Ref>,
        #[serde(default)]
        version: ServerVersion,
        #[serde(default)]
        base_path: String,
        #[serde(default = "default_cap")]
        task_cap: u32,
        /// How long a free server needs to notice a new task.
        #[serde(default = "one_second")]
        pick_up: Span,
        /// How long a running task needs to stop once it is cancelled.
        #[serde(default = "three_seconds")]
        cancel_takes: Span,
        /// How long a save of variables lets another one with the same version through: a check that is not atomic.
        racy_variables: Option<Span>,
        /// Freezes that happen once stop deployments before they begin: a mistake of some servers of 2025.4 (octopus-api.md §20.1).
        #[serde(default)]
        future_freezes_stop: bool,
        /// For how long a revoked API key still works.
        key_cache: Option<Span>,
        /// How far the `Date` of answers is ahead of the world's clock.
        date_ahead: Option<Span>,
        /// How steps with a body are run.
        #[serde(default)]
        worker: WorkerPlan,
        /// Whose tokens are exchanged for access tokens.
        #[serde(default)]
        oidc: Vec<OidcPlan>,
        /// What becomes of the moment by which a deployment must have started.
        #[serde(default)]
        start_deadlines: StartDeadlines,
        /// The slots of the queue are shared among the projects that have priority tasks in it.
        #[serde(default)]
        fair_queue: bool,
        /// Feature toggles that are on.
        #[serde(default)]
        toggles: Vec<Ref>,
        #[serde(default = "yes")]
        smtp: bool;
        context: Context,
        spaces: Vec<SpacePlan>,
        environments: Vec<EnvironmentPlan>,
        parent_environments: Vec<ParentEnvironmentPlan>,
        lifecycles: Vec<LifecyclePlan>,
        groups: Vec<Named>,
        tag_sets: Vec<TagSetPlan>,
        tenants: Vec<TenantPlan>,
        teams: Vec<TeamPlan>,
        users: Vec<UserPlan>,
        roles: Vec<UserRolePlan>,
        rate_limits: Vec<RateLimitPlan>,
        machines: Vec<MachinePlan>,
        library: Vec<LibraryPlan>,
        packages: Vec<PackagePlan>,
        projects: Vec<ProjectPlan>,
        live: Vec<LivePlan>,
        freezes: Vec<FreezePlan>,
        approval_rules: Vec<ApprovalRulePlan>,
        change_requests: Vec<ChangeRequestPlan>,
        subscriptions: Vec<SubscriptionPlan>,
        triggers: Vec<TriggerPlan>,
        faults: Vec<FaultPlan>,
    }
}

/// The feature toggle without which a snapshot's variables are taken anew all together only.
pub(crate) const RENEW_BY_NAME: &str = "partial-updates-on-variables";

/// The feature toggles that a world may turn on.
pub(crate) const TOGGLES: [&str; 1] = [RENEW_BY_NAME];

/// What a server does with `QueueTimeExpiry`.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum StartDeadlines {
    /// A deployment that has not started by then does not start.
    #[default]
    Honoured,
    /// It is shown, and nothing comes of it.
    Ignored,
    /// It is not even kept.
    Dropped,
}

fn default_start() -> Moment {
    Moment(Timestamp::constant(1_772_438_400, 0))
}
fn default_cap() -> u32 {
    5
}
fn one_second() -> Span {
    Span(SignedDuration::from_secs(1))
}
fn three_seconds() -> Span {
    Span(SignedDuration::from_secs(3))
}
fn yes() -> bool {
    true
}
fn one_minute() -> Span {
    Span(SignedDuration::from_secs(60))
}

plans! {
    /// What `ctx` says when nobody says anything else.
    #[derive(Default)]
    struct Context {
        ;
        environment: Option<Ref>,
        tenant: Option<Ref>,
        project: Option<Ref>,
    }

    struct SpacePlan {
        name: Ref;
        description: String,
        queue_stopped: bool,
    }

    struct Named {
        name: Ref;
        space: Option<Ref>,
        description: String,
    }

    struct EnvironmentPlan {
        name: Ref;
        space: Option<Ref>,
        description: String,
        guided_failure: bool,
        /// The system whose change requests let deployments of controlled projects start here.
        change_control: Option<Provider>,
    }

    struct LifecyclePlan {
        name: Ref;
        space: Option<Ref>,
        description: String,
        phases: Vec<PhasePlan>,
    }

    struct PhasePlan {
        name: String;
        /// Deployed by hand (Octopus says "optional deployment targets").
        environments: Vec<Ref>,
        /// Deployed by the server as soon as the phase is reached.
        automatic: Vec<Ref>,
        minimum: u32,
        optional: bool,
        priority: bool,
    }

    struct TagSetPlan {
        name: Ref,
        space: Option<Ref>,
        tags: Vec<String>;
        /// What may have its tags; empty: tenants.
        scopes: Vec<TagScope>,
    }

    struct TenantPlan {
        name: Ref;
        space: Option<Ref>,
        tags: Vec<Ref>,
        /// Project → environments it is connected to.
        projects: BTreeMap<String, Vec<Ref>>,
        disabled: bool,
    }

    struct MachinePlan {
        name: Ref;
        space: Option<Ref>,
        environments: Vec<Ref>,
        roles: Vec<String>,
        /// Tags of sets for deployment targets, which are roles of it besides.
        tags: Vec<Ref>,
    }

    struct LibraryPlan {
        name: Ref;
        space: Option<Ref>,
        variables: Vec<VariablePlan>,
    }

    /// A package in the built-in feed.
    struct PackagePlan {
        id: Ref;
        space: Option<Ref>,
        /// In the order in which they were published; none: it is known, but nobody has pushed it yet.
        versions: Vec<Ref>,
        /// A registry of images; otherwise the built-in feed.
        feed: Option<Ref>,
    }

    struct VariablePlan {
        name: String;
        value: String,
        environments: Vec<Ref>,
        sensitive: bool,
        /// The label of the question asked before a deployment.
        prompt: Option<String>,
        required: bool,
    }

    /// An OpenID Connect identity of a service account.
    struct OidcPlan {
        /// Its id, which clients name as the audience.
        audience: String,
        /// The token that is trusted, as it is sent: nothing is signed here.
        subject_token: String,
        /// The service account.
        user: Ref;
    }

    struct ProjectPlan {
        /// With `copies`, a run of `#` is replaced by the number, filled up with zeros.
        name: Ref;
        copies: Option<u32>,
        space: Option<Ref>,
        description: String,
        group: Option<Ref>,
        lifecycle: Option<Ref>,
        tenanted: Tenanted,
        disabled: bool,
        guided_failure: Option<bool>,
        /// The system whose change requests let its deployments to controlled environments start.
        change_control: Option<Provider>,
        cancel_queued: bool,
        cancel_running: bool,
        concurrency_tag: Option<String>,
        steps: Vec<StepPlan>,
        channels: Vec<ChannelPlan>,
        releases: Vec<ReleasePlan>,
        /// Environment → version.
        live: BTreeMap<String, Ref>,
        /// The releases listed before the one that is live were live before it.
        history: bool,
        runbooks: Vec<RunbookPlan>,
        /// The runbook that runs before the first deployment to an ephemeral environment.
        provision: Option<Ref>,
        /// The runbook that runs before an ephemeral environment is removed.
        deprovision: Option<Ref>,
        variables: Vec<VariablePlan>,
        library: Vec<Ref>,
        tags: Vec<Ref>,
        /// Where its process is, when that is not the server.
        git: Option<GitPlan>,
    }
}

/// What the tags of a set may be put on.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum TagScope {
    Tenant,
    Environment,
    Project,
    Runbook,
    Target,
}

impl TagScope {
    /// As the server writes it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Tenant => "Tenant",
            Self::Environment => "Environment",
            Self::Project => "Project",
            Self::Runbook => "Runbook",
            Self::Target => "Target",
        }
    }
}

impl TagSetPlan {
    /// What its tags may be put on.
    pub(crate) fn scopes(&self) -> &[TagScope] {
        if self.scopes.is_empty() { &[TagScope::Tenant] } else { &self.scopes }
    }
}

impl ProjectPlan {
    /// The names of its copies, in order; its own where it has none.
    pub(crate) fn names(&self) -> impl Iterator<Item = String> + '_ {
        let name = self.name.get_ref();
        let width = name.matches('#').count();
        (1..=self.copies.unwrap_or(1)).map(move |copy| match (self.copies, name.find('#')) {
            (Some(_), Some(at)) => format!("{}{copy:0width$}{}", &name[..at], name[at..].trim_start_matches('#')),
            (Some(_), None) => format!("{name} {copy}"),
            (None, _) => name.clone(),
        })
    }
}

#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Tenanted {
    #[default]
    No,
    Both,
    Only,
}

plans! {
    struct ChannelPlan {
        name: Ref;
        default: bool,
        lifecycle: Option<Ref>,
        tenant_tags: Vec<Ref>,
        /// The parent environment below which releases of this channel get ephemeral environments.
        parent: Option<Ref>,
        /// What an ephemeral environment is called that is made for a release, e.g. `"pr-#{Octopus.Release.CustomFields[PullRequest]}"`.
        name_template: Option<String>,
        /// Releases go to the environment of that name by themselves.
        automatic: bool,
        /// Versions a release of this channel may have, e.g. `"[1.0,2.0)"`.
        versions: Option<String>,
        /// Regular part after the dash: `"^$"` means none.
        tag: Option<String>,
        /// Rules about packages.
        rules: Vec<PackageRulePlan>,
        /// Custom fields that its releases must have, with what they mean.
        fields: BTreeMap<String, String>,
        /// Patterns for the references of its releases; empty: all.
        git_refs: Vec<Ref>,
    }

    /// Which versions of a step's package releases of a channel may have.
    struct PackageRulePlan {
        step: Ref;
        /// Which of the step's packages, when it has several.
        package: String,
        versions: Option<String>,
        tag: Option<String>,
        /// Regular expression for the whole version.
        matches: Option<String>,
        newest: Newest,
    }

    struct ReleasePlan {
        version: Ref;
        channel: Option<Ref>,
        notes: String,
        assembled: Option<Moment>,
        /// A reason why it must not be promoted.
        blocked: Option<String>,
    }

    struct RunbookPlan {
        name: Ref,
        #[serde(default)]
        description: String,
        #[serde(default)]
        steps: Vec<StepPlan>,
        #[serde(default = "yes")]
        published: bool;
        environments: Vec<Ref>,
        tags: Vec<Ref>,
    }

    #[derive(Default)]
    struct StepPlan {
        name: String,
        #[serde(default = "one_minute")]
        takes: Span;
        log: Vec<String>,
        output: BTreeMap<String, String>,
        warns: Option<String>,
        fails: Vec<FailPlan>,
        manual: Option<ManualPlan>,
        awaits: Option<AwaitedPlan>,
        condition: Condition,
        with_previous: bool,
        disabled: bool,
        /// What it deploys: the id of a package in the built-in feed.
        package: Option<Ref>,
        /// Packages it refers to besides, by their ids.
        packages: Vec<Ref>,
        /// Repositories that it takes files from.
        git: Vec<GitSourcePlan>,
        /// Only in these environments; empty: in all.
        environments: Vec<Ref>,
        /// What it really does; without this it only takes time.
        run: Option<RunPlan>,
    }
}

/// Which version of a package is the newest.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Newest {
    /// The highest.
    #[default]
    Version,
    /// The one that was published last.
    Published,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Condition {
    #[default]
    Success,
    Failure,
    Always,
}

plans! {
    /// When a step fails: everything that is said must be true.
    struct FailPlan {
        ;
        /// Version; `*` stands for anything.
        release: Option<String>,
        environment: Option<Ref>,
        tenant: Option<Ref>,
        /// The n-th time this step runs since the world's start.
        nth: Option<u32>,
        error: Option<String>,
        log: Vec<String>,
        /// Fails after this long, not at the end.
        after: Option<Span>,
    }

    struct ManualPlan {
        instructions: String,
        #[serde(default)]
        teams: Vec<Ref>,
        /// `"Proceed"` or `"Abort"`, given by somebody after `answer_after`.
        answer: Option<Answer>,
        #[serde(default = "one_minute")]
        answer_after: Span;
        answer_by: Option<Ref>,
        /// Keep other deployments out while waiting.
        block: bool,
    }
}

plans! {
    /// A step that waits for something outside of the server which no person answers there.
    struct AwaitedPlan {
        #[serde(rename = "type")]
        kind: Spanned<AwaitedType>;
        /// Without it the step waits for ever.
        takes: Option<Span>,
        /// It ends badly: pull requests are closed, an application or a resource does not become healthy.
        fails: bool,
        pull_requests: Vec<PullRequestPlan>,
    }

    struct PullRequestPlan {
        number: u64,
        title: String;
        url: Option<String>,
    }
}

/// What a server waits for without asking anybody.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
pub(crate) enum AwaitedType {
    PullRequestCompletion,
    ArgoCDApplicationSync,
    KubernetesResourceVerification,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
pub(crate) enum Answer {
    Proceed,
    Abort,
}

plans! {
    struct LivePlan {
        project: Ref,
        release: Ref,
        environment: Ref;
        tenants: Vec<Ref>,
    }

    /// Something that goes wrong on the way between client and server.
    struct FaultPlan {
        /// `"POST */deployments"`; the method may be left out; `*` stands for anything.
        #[serde(default = "anything", rename = "match")]
        matches: String,
        /// The n-th matching request (from 1).
        nth: Option<u64>,
        /// How many matching requests from there.
        times: Option<u64>,
        /// Since the world's start.
        from: Option<Span>,
        #[serde(rename = "for")]
        length: Option<Span>,
        action: FaultAction;
        /// Seconds for the `Retry-After` header.
        retry_after: Option<u64>,
        /// For `delay` and `late`.
        by: Option<Span>,
        /// For `redirect`.
        url: Option<String>,
        /// For `huge`, in megabytes.
        size: Option<u64>,
        /// For `restart`: running tasks fail.
        tasks_fail: bool,
    }
}

fn anything() -> String {
    "*".into()
}

/// What a fault does; written `"reset"` or `"status=502"`.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(try_from = "String")]
pub(crate) enum FaultAction {
    /// An error status with an HTML page.
    Status(u16),
    /// Close the connection before anything happens.
    Reset,
    /// Let it happen, then answer an error status with an HTML page.
    StatusAfter(u16),
    /// Let it happen, then close the connection without an answer.
    DropAfter,
    Delay,
    /// 200 with an HTML page.
    Html,
    /// 200 with `{}`.
    Empty,
    /// Let it happen, and cut the answer in half.
    Truncate,
    /// Megabytes of JSON.
    Huge,
    Redirect,
    /// Close the connection at once, and let it happen a while later.
    Late,
    /// It arrives twice; the answer is the second's.
    Twice,
    /// Nobody is there for a while.
    Restart,
}

impl TryFrom<String> for FaultAction {
    type Error = String;
    fn try_from(text: String) -> std::result::Result<Self, String> {
        const PLAIN: [(&str, FaultAction); 11] = [
            ("reset", FaultAction::Reset),
            ("drop_after", FaultAction::DropAfter),
            ("delay", FaultAction::Delay),
            ("html", FaultAction::Html),
            ("empty", FaultAction::Empty),
            ("truncate", FaultAction::Truncate),
            ("huge", FaultAction::Huge),
            ("redirect", FaultAction::Redirect),
            ("late", FaultAction::Late),
            ("twice", FaultAction::Twice),
            ("restart", FaultAction::Restart),
        ];
        let statuses = [("status=", Self::Status as fn(u16) -> Self), ("status_after=", Self::StatusAfter)];
        if let Some((code, action)) = statuses.iter().find_map(|(start, action)| text.strip_prefix(start).zip(Some(action))) {
            let code_of_error = code.parse().ok().filter(|c| (400..600).contains(c));
            return code_of_error.map(action).ok_or_else(|| format!("`{code}` is not an error status between 400 and 599"));
        }
        PLAIN.iter().find(|(name, _)| *name == text).map(|(_, action)| *action).ok_or_else(|| {
            let known = ["status=502", "status_after=502"].into_iter().chain(PLAIN.map(|(name, _)| name));
            let known: Vec<String> = known.map(|name| format!("`{name}`")).collect();
            format!("unknown variant `{text}`, expected one of {}", known.join(", "))
        })
    }
}

impl StepPlan {
    /// A step that only takes time.
    pub(crate) fn named(name: &str, seconds: i64) -> Self {
        Self { name: name.to_owned(), takes: Span(SignedDuration::from_secs(seconds)), ..Self::default() }
    }

    /// Whether its task leaves its slot and waits for people or for what is outside of the server.
    pub(crate) fn interrupts(&self) -> bool {
        self.manual.is_some() || self.awaits.is_some()
    }
}

impl Plan {
    /// The steps that have a body.
    pub(crate) fn scripts(&self) -> impl Iterator<Item = String> {
        let own = self.projects.iter().flat_map(|project| &project.steps);
        let all = own.chain(self.projects.iter().flat_map(|project| &project.runbooks).flat_map(|runbook| &runbook.steps));
        all.filter(|step| step.run.is_some()).map(|step| step.name.clone())
    }
}

/// Reads the files that steps name.
pub(super) fn load(world: &str, plan: &mut Plan) -> Result<()> {
    let folder = Path::new(world).parent().unwrap_or(Path::new("")).to_path_buf();
    for project in &mut plan.projects {
        for step in project.steps.iter_mut().chain(project.runbooks.iter_mut().flat_map(|runbook| &mut runbook.steps)) {
            if let Some(run) = &mut step.run {
                body(run, &step.name, &folder)?;
            }
        }
    }
    Ok(())
}
