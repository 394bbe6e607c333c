//! What a world file may say: the TOML document as Rust types, with the place of every reference kept for messages.

use super::{
    people::{RateLimitPlan, TeamPlan, UserPlan, UserRolePlan},
    run::{RunPlan, WorkerPlan},
};
use crate::clock::text;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Deserializer, de::Error as _};
use std::collections::BTreeMap;
use toml::Spanned;

/// A name that points at something declared elsewhere in the file.
pub(crate) type Ref = Spanned<String>;

/// A length of time, written as `"90s"` or `"1h30m"`.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Span(pub(crate) SignedDuration);

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let written = String::deserialize(from)?;
        text::duration(&written).map(Self).map_err(|e| D::Error::custom(e.message()))
    }
}

/// A point in time, written as `"2026-03-02T08:00:00Z"`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment(pub(crate) Timestamp);

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let written = String::deserialize(from)?;
        written
            .parse()
            .map(Self)
            .map_err(|_| D::Error::custom(format!("`{written}` is not a point in time; write it like \"2026-03-02T08:00:00Z\", in quotes")))
    }
}

/// The whole file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Plan {
    /// None: the one that everybody knows, or one that is made up where it must be secret.
    pub(crate) key: Option<String>,
    #[serde(default = "default_start")]
    pub(crate) start: Moment,
    pub(crate) zone: Option<Ref>,
    #[serde(default = "default_version")]
    pub(crate) version: String,
    #[serde(default)]
    pub(crate) base_path: String,
    #[serde(default = "default_cap")]
    pub(crate) task_cap: u32,
    /// How long a free server needs to notice a new task.
    #[serde(default = "one_second")]
    pub(crate) pick_up: Span,
    /// How long a running task needs to stop once it is cancelled.
    #[serde(default = "three_seconds")]
    pub(crate) cancel_takes: Span,
    /// How long a save of variables lets another one with the same version through: a check that is not atomic.
    pub(crate) racy_variables: Option<Span>,
    /// For how long a revoked API key still works.
    pub(crate) key_cache: Option<Span>,
    /// How far the `Date` of answers is ahead of the world's clock.
    pub(crate) date_ahead: Option<Span>,
    /// How steps with a body are run.
    #[serde(default)]
    pub(crate) worker: WorkerPlan,
    /// Whose tokens are exchanged for access tokens.
    #[serde(default)]
    pub(crate) oidc: Vec<OidcPlan>,
    /// What becomes of the moment by which a deployment must have started.
    #[serde(default)]
    pub(crate) start_deadlines: StartDeadlines,
    #[serde(default = "yes")]
    pub(crate) smtp: bool,
    #[serde(default)]
    pub(crate) context: Context,
    #[serde(default)]
    pub(crate) spaces: Vec<SpacePlan>,
    #[serde(default)]
    pub(crate) environments: Vec<EnvironmentPlan>,
    #[serde(default)]
    pub(crate) lifecycles: Vec<LifecyclePlan>,
    #[serde(default)]
    pub(crate) groups: Vec<Named>,
    #[serde(default)]
    pub(crate) tag_sets: Vec<TagSetPlan>,
    #[serde(default)]
    pub(crate) tenants: Vec<TenantPlan>,
    #[serde(default)]
    pub(crate) teams: Vec<TeamPlan>,
    #[serde(default)]
    pub(crate) users: Vec<UserPlan>,
    #[serde(default)]
    pub(crate) roles: Vec<UserRolePlan>,
    #[serde(default)]
    pub(crate) rate_limits: Vec<RateLimitPlan>,
    #[serde(default)]
    pub(crate) machines: Vec<MachinePlan>,
    #[serde(default)]
    pub(crate) library: Vec<LibraryPlan>,
    #[serde(default)]
    pub(crate) packages: Vec<PackagePlan>,
    #[serde(default)]
    pub(crate) projects: Vec<ProjectPlan>,
    #[serde(default)]
    pub(crate) live: Vec<LivePlan>,
    #[serde(default)]
    pub(crate) freezes: Vec<FreezePlan>,
    #[serde(default)]
    pub(crate) faults: Vec<FaultPlan>,
}

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

fn default_version() -> String {
    "2026.1.4242".into()
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

/// What `ctx` says when nobody says anything else.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Context {
    pub(crate) environment: Option<Ref>,
    pub(crate) tenant: Option<Ref>,
    pub(crate) project: Option<Ref>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SpacePlan {
    pub(crate) name: Ref,
    #[serde(default)]
    pub(crate) description: String,
    #[serde(default)]
    pub(crate) queue_stopped: bool,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Named {
    pub(crate) name: Ref,
    pub(crate) space: Option<Ref>,
    #[serde(default)]
    pub(crate) description: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EnvironmentPlan {
    pub(crate) name: Ref,
    pub(crate) space: Option<Ref>,
    #[serde(default)]
    pub(crate) description: String,
    #[serde(default)]
    pub(crate) guided_failure: bool,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LifecyclePlan {
    pub(crate) name: Ref,
    pub(crate) space: Option<Ref>,
    #[serde(default)]
    pub(crate) description: String,
    #[serde(default)]
    pub(crate) phases: Vec<PhasePlan>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PhasePlan {
    pub(crate) name: String,
    /// Deployed by hand (Octopus says "optional deployment targets").
    #[serde(default)]
    pub(crate) environments: Vec<Ref>,
    /// Deployed by the server as soon as the phase is reached.
    #[serde(default)]
    pub(crate) automatic: Vec<Ref>,
    #[serde(default)]
    pub(crate) minimum: u32,
    #[serde(default)]
    pub(crate) optional: bool,
    #[serde(default)]
    pub(crate) priority: bool,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TagSetPlan {
    pub(crate) name: Ref,
    pub(crate) space: Option<Ref>,
    pub(crate) tags: Vec<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TenantPlan {
    pub(crate) name: Ref,
    pub(crate) space: Option<Ref>,
    #[serde(default)]
    pub(crate) tags: Vec<Ref>,
    /// Project → environments it is connected to.
    #[serde(default)]
    pub(crate) projects: BTreeMap<String, Vec<Ref>>,
    #[serde(default)]
    pub(crate) disabled: bool,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MachinePlan {
    pub(crate) name: Ref,
    pub(crate) space: Option<Ref>,
    #[serde(default)]
    pub(crate) environments: Vec<Ref>,
    #[serde(default)]
    pub(crate) roles: Vec<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LibraryPlan {
    pub(crate) name: Ref,
    pub(crate) space: Option<Ref>,
    #[serde(default)]
    pub(crate) variables: Vec<VariablePlan>,
}

/// A package in the built-in feed.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PackagePlan {
    pub(crate) id: Ref,
    pub(crate) space: Option<Ref>,
    /// Oldest first; none: it is known, but nobody has pushed it yet.
    #[serde(default)]
    pub(crate) versions: Vec<Ref>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct VariablePlan {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) value: String,
    #[serde(default)]
    pub(crate) environments: Vec<Ref>,
    #[serde(default)]
    pub(crate) sensitive: bool,
    /// The label of the question asked before a deployment.
    pub(crate) prompt: Option<String>,
    #[serde(default)]
    pub(crate) required: bool,
}

/// An OpenID Connect identity of a service account.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OidcPlan {
    /// Its id, which clients name as the audience.
    pub(crate) audience: String,
    /// The token that is trusted, as it is sent: nothing is signed here.
    pub(crate) subject_token: String,
    /// The service account.
    pub(crate) user: Ref,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProjectPlan {
    /// With `copies`, a run of `#` is replaced by the number, filled up with zeros.
    pub(crate) name: Ref,
    pub(crate) copies: Option<u32>,
    pub(crate) space: Option<Ref>,
    #[serde(default)]
    pub(crate) description: String,
    pub(crate) group: Option<Ref>,
    pub(crate) lifecycle: Option<Ref>,
    #[serde(default)]
    pub(crate) tenanted: Tenanted,
    #[serde(default)]
    pub(crate) disabled: bool,
    pub(crate) guided_failure: Option<bool>,
    #[serde(default)]
    pub(crate) cancel_queued: bool,
    #[serde(default)]
    pub(crate) cancel_running: bool,
    pub(crate) concurrency_tag: Option<String>,
    #[serde(default)]
    pub(crate) steps: Vec<StepPlan>,
    #[serde(default)]
    pub(crate) channels: Vec<ChannelPlan>,
    #[serde(default)]
    pub(crate) releases: Vec<ReleasePlan>,
    /// Environment → version.
    #[serde(default)]
    pub(crate) live: BTreeMap<String, Ref>,
    /// The releases listed before the one that is live were live before it.
    #[serde(default)]
    pub(crate) history: bool,
    #[serde(default)]
    pub(crate) runbooks: Vec<RunbookPlan>,
    #[serde(default)]
    pub(crate) variables: Vec<VariablePlan>,
    #[serde(default)]
    pub(crate) library: Vec<Ref>,
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

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChannelPlan {
    pub(crate) name: Ref,
    #[serde(default)]
    pub(crate) default: bool,
    pub(crate) lifecycle: Option<Ref>,
    #[serde(default)]
    pub(crate) tenant_tags: Vec<Ref>,
    /// Versions a release of this channel may have, e.g. `"[1.0,2.0)"`.
    pub(crate) versions: Option<String>,
    /// Regular part after the dash: `"^$"` means none.
    pub(crate) tag: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReleasePlan {
    pub(crate) version: Ref,
    pub(crate) channel: Option<Ref>,
    #[serde(default)]
    pub(crate) notes: String,
    pub(crate) assembled: Option<Moment>,
    /// A reason why it must not be promoted.
    pub(crate) blocked: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RunbookPlan {
    pub(crate) name: Ref,
    #[serde(default)]
    pub(crate) description: String,
    #[serde(default)]
    pub(crate) steps: Vec<StepPlan>,
    #[serde(default = "yes")]
    pub(crate) published: bool,
    #[serde(default)]
    pub(crate) environments: Vec<Ref>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StepPlan {
    pub(crate) name: String,
    #[serde(default = "one_minute")]
    pub(crate) takes: Span,
    #[serde(default)]
    pub(crate) log: Vec<String>,
    #[serde(default)]
    pub(crate) output: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) warns: Option<String>,
    #[serde(default)]
    pub(crate) fails: Vec<FailPlan>,
    pub(crate) manual: Option<ManualPlan>,
    #[serde(default)]
    pub(crate) condition: Condition,
    #[serde(default)]
    pub(crate) with_previous: bool,
    #[serde(default)]
    pub(crate) disabled: bool,
    /// What it deploys: the id of a package in the built-in feed.
    pub(crate) package: Option<Ref>,
    /// Packages it refers to besides, by their ids.
    #[serde(default)]
    pub(crate) packages: Vec<Ref>,
    /// Only in these environments; empty: in all.
    #[serde(default)]
    pub(crate) environments: Vec<Ref>,
    /// What it really does; without this it only takes time.
    pub(crate) run: Option<RunPlan>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Condition {
    #[default]
    Success,
    Failure,
    Always,
}

/// When a step fails: everything that is said must be true.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FailPlan {
    /// Version; `*` stands for anything.
    pub(crate) release: Option<String>,
    pub(crate) environment: Option<Ref>,
    pub(crate) tenant: Option<Ref>,
    /// The n-th time this step runs since the world's start.
    pub(crate) nth: Option<u32>,
    pub(crate) error: Option<String>,
    #[serde(default)]
    pub(crate) log: Vec<String>,
    /// Fails after this long, not at the end.
    pub(crate) after: Option<Span>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ManualPlan {
    pub(crate) instructions: String,
    #[serde(default)]
    pub(crate) teams: Vec<Ref>,
    /// `"Proceed"` or `"Abort"`, given by somebody after `answer_after`.
    pub(crate) answer: Option<Answer>,
    #[serde(default = "one_minute")]
    pub(crate) answer_after: Span,
    pub(crate) answer_by: Option<Ref>,
    /// Keep other deployments out while waiting.
    #[serde(default)]
    pub(crate) block: bool,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
pub(crate) enum Answer {
    Proceed,
    Abort,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LivePlan {
    pub(crate) project: Ref,
    pub(crate) release: Ref,
    pub(crate) environment: Ref,
    #[serde(default)]
    pub(crate) tenants: Vec<Ref>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FreezePlan {
    pub(crate) name: String,
    /// Since the world's start.
    pub(crate) from: Span,
    #[serde(rename = "for")]
    pub(crate) length: Span,
    #[serde(default)]
    pub(crate) projects: Vec<Ref>,
    #[serde(default)]
    pub(crate) environments: Vec<Ref>,
}

/// Something that goes wrong on the way between client and server.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FaultPlan {
    /// `"POST */deployments"`; the method may be left out; `*` stands for anything.
    #[serde(default = "anything", rename = "match")]
    pub(crate) matches: String,
    /// The n-th matching request (from 1).
    pub(crate) nth: Option<u64>,
    /// How many matching requests from there.
    pub(crate) times: Option<u64>,
    /// Since the world's start.
    pub(crate) from: Option<Span>,
    #[serde(rename = "for")]
    pub(crate) length: Option<Span>,
    pub(crate) action: FaultAction,
    /// Seconds for the `Retry-After` header.
    pub(crate) retry_after: Option<u64>,
    /// For `delay` and `late`.
    pub(crate) by: Option<Span>,
    /// For `redirect`.
    pub(crate) url: Option<String>,
    /// For `huge`, in megabytes.
    pub(crate) size: Option<u64>,
    /// For `restart`: running tasks fail.
    #[serde(default)]
    pub(crate) tasks_fail: bool,
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
    fn try_from(text: String) -> Result<Self, String> {
        const NAMES: [&str; 13] = [
            "status=502",
            "status_after=502",
            "reset",
            "drop_after",
            "delay",
            "html",
            "empty",
            "truncate",
            "huge",
            "redirect",
            "late",
            "twice",
            "restart",
        ];
        let statuses = [("status=", Self::Status as fn(u16) -> Self), ("status_after=", Self::StatusAfter)];
        if let Some((code, action)) = statuses.iter().find_map(|(start, action)| text.strip_prefix(start).zip(Some(action))) {
            return code
                .parse()
                .ok()
                .filter(|c| (400..600).contains(c))
                .map(action)
                .ok_or_else(|| format!("`{code}` is not an error status between 400 and 599"));
        }
        Ok(match text.as_str() {
            "reset" => Self::Reset,
            "drop_after" => Self::DropAfter,
            "delay" => Self::Delay,
            "html" => Self::Html,
            "empty" => Self::Empty,
            "truncate" => Self::Truncate,
            "huge" => Self::Huge,
            "redirect" => Self::Redirect,
            "late" => Self::Late,
            "twice" => Self::Twice,
            "restart" => Self::Restart,
            other => {
                let known = NAMES.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ");
                return Err(format!("unknown variant `{other}`, expected one of {known}"));
            }
        })
    }
}

impl StepPlan {
    /// A step that only takes time.
    pub(crate) fn named(name: &str, seconds: i64) -> Self {
        Self {
            name: name.to_owned(),
            takes: Span(SignedDuration::from_secs(seconds)),
            log: Vec::new(),
            output: BTreeMap::new(),
            warns: None,
            fails: Vec::new(),
            manual: None,
            condition: Condition::Success,
            with_previous: false,
            disabled: false,
            package: None,
            packages: Vec::new(),
            environments: Vec::new(),
            run: None,
        }
    }
}
