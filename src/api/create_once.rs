//! The create protocol (durable-runs.md §2): exactly one deployment or runbook run, or an error that says why not.
//!
//! 1. The comment ends with a marker that nobody else uses, and `QueueTimeExpiry` says by when the task must have
//!    started: on the server's clock, now (or the scheduled time) plus the life the caller gives, six hours by default.
//! 2. An answer that says "created" or "refused" is believed. A request that surely did not arrive is sent again.
//!    A run that is journaled looks once whether the request was delivered twice, and keeps the first.
//! 3. Anything else is doubt: what was created for that project and environment since ten minutes before the request
//!    is listed, again and again, until the marker is found (then that one is ours), or
//! 4. until the deadline and five seconds have passed on the server's clock: on a server that is known to keep to it,
//!    nothing that arrives now can start any more, so the request is sent anew with a new deadline, three times at most; or
//! 5. until the caller's patience ends: an `in_doubt` error names the marker and the time after which nothing can start.
//!
//! A step of Octopus that is tried again has no record of what its last attempt sent, if that was killed on another worker. Its
//! markers say whose step they are of ([`Earlier`]), so what goes on or went well is taken over before anything is sent.
//!
//! The life is not shortened for the first request, although that would settle doubts sooner: a deployment that waits
//! its turn behind others would then time out. Who wants doubts settled without a person gives a patience longer than
//! the life. A server that was not measured (`octorhai doctor`), or was seen to drop the deadline, is never asked twice.

use super::address::Route;
use super::client::DOUBT;
use super::decode::{FromJson, Problem, document};
use super::encode::stamp;
use super::id::{TaskId, TenantId, number};
use super::spaces::SpaceClient;
use super::tasks::{Task, TaskState};
use crate::cancel::Cancel;
use crate::clock::later;
use crate::error::{Error, Kind, Result};
use crate::json::{JsonSlice, JsonText};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

/// How long a created task may wait for its start, unless the caller says otherwise.
pub(crate) const LIFE: SignedDuration = SignedDuration::from_hours(6);
/// How long we look for what may have been created, unless the caller says otherwise.
pub(crate) const DOUBT_PATIENCE: SignedDuration = SignedDuration::from_mins(10);
/// How far before the request we look: the clocks of database and web server may differ.
pub(super) const LOOK_BACK: SignedDuration = SignedDuration::from_mins(10);
/// How long after the deadline nothing can start for sure.
const SETTLE: SignedDuration = SignedDuration::from_secs(5);
/// Requests in all (durable-runs.md §2).
const ATTEMPTS: u32 = 3;

document! {
    /// A deployment or a runbook run, as far as the protocol looks at one.
    MarkedExecution, "deployment or runbook run" {
        /// Id as the server wrote it.
        id: String = "Id",
        /// Tenant.
        tenant_id: Option<TenantId> = "TenantId",
        /// Task that carries it out.
        task_id: TaskId = "TaskId",
        /// Comment, at whose end the marker stands.
        comments: String = "Comments",
        /// When it was created.
        created: Option<Timestamp> = "Created",
        /// By when it must have started.
        expires: Option<Timestamp> = "QueueTimeExpiry",
    }
}

impl MarkedExecution {
    /// The number at the end of the id, by which executions are ordered.
    fn number(&self) -> u64 {
        number(&self.id)
    }
}

/// What an earlier attempt of the same step would have made in this place of its script.
#[derive(Clone, Debug)]
pub struct Earlier {
    /// How its marker begins: `octorhai:ServerTasks-71/1a2b3c4d.`.
    pub head: String,
    /// How it ends: `:2:9a0b1c2d`.
    pub tail: String,
    /// When the task that the step belongs to began.
    pub since: Timestamp,
}

impl Earlier {
    fn made(&self, comments: &str) -> bool {
        let marked = comments.rsplit_once(&format!("[{}", self.head)).and_then(|(_, rest)| rest.split_once(']'));
        marked.and_then(|(marker, _)| marker.strip_suffix(&self.tail)).is_some_and(|attempt| !attempt.contains(':'))
    }
}

/// Who remembers what is sent, so that a later start of the run can look for it.
pub trait Sending {
    /// What was about to be sent, as [`Sending::about_to`] was given it, when an earlier start ended without an answer.
    fn earlier(&self) -> Option<&Value>;

    /// Called before each request, with what must be known to look for it. An error: nothing is sent, e.g. because it is too late.
    fn about_to(&self, intent: Value) -> Result<()>;

    /// What an earlier attempt of the same step may have made; it is taken over. Asked only when nothing is remembered.
    fn attempted(&self) -> Option<&Earlier>;

    /// Whether it is remembered: then a doubt is waited out, because ending the run would not settle it sooner.
    fn is_journaled(&self) -> bool;
}

/// Nobody remembers.
impl Sending for () {
    fn earlier(&self) -> Option<&Value> {
        None
    }
    fn about_to(&self, _: Value) -> Result<()> {
        Ok(())
    }
    fn attempted(&self) -> Option<&Earlier> {
        None
    }
    fn is_journaled(&self) -> bool {
        false
    }
}

/// What [`Sending::about_to`] is given.
#[derive(Clone, Copy)]
struct Sent {
    /// What is older need not be looked at.
    since: Timestamp,
    /// What has not started by then never will.
    expires: Timestamp,
    attempt: u32,
}

impl Sent {
    fn to_json(self, marker: &str) -> Value {
        json!({"marker": marker, "since": stamp(self.since), "expires": stamp(self.expires), "attempt": self.attempt})
    }

    fn from_json(value: &Value) -> Option<Self> {
        let time = |name: &str| value[name].as_str()?.parse().ok();
        Some(Self { since: time("since")?, expires: time("expires")?, attempt: u32::try_from(value["attempt"].as_u64()?).ok()? })
    }
}

/// One creation.
pub(super) struct Creation<'a> {
    /// What people call what is created: `deployment`.
    pub(super) noun: &'static str,
    /// Whether the whole of a document can be read.
    pub(super) reads: &'a (dyn Fn(JsonSlice<'_>) -> Result<(), Problem> + Sync),
    /// Whether what an earlier one did in the same place is undone by a later one.
    pub(super) replaces: bool,
    /// Where to post.
    pub(super) post: Route,
    /// The body, without comment and deadline.
    pub(super) body: Value,
    /// How the body is sent and the document is found in the answer.
    pub(super) wrap: &'a (dyn Fn(Value) -> Value + Sync),
    /// The member of the answer that holds the document, or a list of which it is the first.
    pub(super) unwrap: Option<&'static str>,
    /// The list in which to look.
    pub(super) list: Route,
    /// For people.
    pub(super) comments: &'a str,
    /// Without brackets, or with them.
    pub(super) marker: &'a str,
    /// When to start.
    pub(super) queue_time: Option<Timestamp>,
    /// The caller's own deadline.
    pub(super) expires: Option<Timestamp>,
    /// How long it may wait for its start.
    pub(super) life: SignedDuration,
    /// How long to look for it.
    pub(super) doubt_patience: SignedDuration,
    /// Who remembers.
    pub(super) sending: &'a (dyn Sending + Sync),
}

/// How a search ended.
enum Search {
    Found(MarkedExecution),
    CannotStartAnyMore,
    PatienceOver,
}

impl SpaceClient {
    pub(super) async fn create_once(&self, creation: &Creation<'_>) -> Result<MarkedExecution> {
        let marker = format!("[{}]", creation.marker.trim_start_matches('[').trim_end_matches(']'));
        let mut body = creation.body.clone();
        body["Comments"] = format!("{} {marker}", creation.comments.trim_end()).trim_start().into();
        if let Some(at) = creation.queue_time {
            body["QueueTime"] = stamp(at).into();
        }
        // What an earlier start of the run sent comes first.
        let mut earlier = creation.sending.earlier().and_then(Sent::from_json);
        if let Some(attempted) = creation.sending.attempted().filter(|_| earlier.is_none())
            && let Some(found) = self.take_over(creation, attempted).await?
        {
            return Ok(found);
        }
        let since = earlier.map_or_else(|| later(self.client().server_now(), -LOOK_BACK), |sent| sent.since);
        let mut attempt = earlier.map_or(1, |sent| sent.attempt);
        loop {
            let (cause, expires) = if let Some(sent) = earlier.take() {
                (Error::new(Kind::InDoubt, "the run ended before the answer came"), sent.expires)
            } else {
                // Before the intent: a process that ends while it asks has sent nothing.
                self.client().still_wanted().await?;
                let now = self.client().server_now();
                let start = creation.queue_time.map_or(now, |at| at.max(now));
                let expires = creation.expires.unwrap_or_else(|| later(start, creation.life));
                body["QueueTimeExpiry"] = stamp(expires).into();
                let sent = (creation.wrap)(body.clone());
                creation.sending.about_to(Sent { since, expires, attempt }.to_json(&marker))?;
                match self.post(creation, &sent).await? {
                    Ok(created) if creation.sending.is_journaled() => return Ok(self.only_one(creation, &marker, since, created).await),
                    Ok(created) => return Ok(created),
                    Err(doubt) => (doubt, expires),
                }
            };
            let life = expires.duration_since(self.client().server_now());
            // A run that can be continued would only have to ask again: it waits the doubt out.
            let waits_it_out = creation.sending.is_journaled() && self.client().keeps_deadlines();
            let patience = if waits_it_out { creation.doubt_patience.max(life + SETTLE * 2) } else { creation.doubt_patience };
            let until = if waits_it_out { format!("; after {} none can start any more", stamp(expires)) } else { String::new() };
            let why = cause.message();
            let why = why.split_once(DOUBT).map_or(why, |(_, why)| why);
            self.client().tell(&format!("whether a {} was created{DOUBT}{why}; looking for `{marker}`{until}", creation.noun));
            match self.search(creation, &marker, since, expires, patience).await {
                Ok(Search::Found(created)) => {
                    self.client().tell(&format!("found the {} by its marker `{marker}`", creation.noun));
                    return Ok(created);
                }
                Ok(Search::CannotStartAnyMore) if attempt < ATTEMPTS && creation.expires.is_none() && self.client().keeps_deadlines() => {
                    attempt += 1;
                }
                Ok(Search::CannotStartAnyMore) if creation.expires.is_some() && self.client().keeps_deadlines() => {
                    return Err(Error::new(Kind::Timeout, format!("no {} was created before its deadline: {cause}", creation.noun))
                        .with("marker", marker));
                }
                Ok(_) => return Err(self.unsettled(creation, &cause, &marker, expires)),
                Err(error) if error.kind() == Kind::Cancelled => {
                    return match self.last_look(creation, &marker, since).await {
                        Some(created) => Ok(created),
                        None => Err(error
                            .help(format!("a {} with `{marker}` in its comment may have been created", creation.noun))
                            .with("marker", marker)),
                    };
                }
                Err(error) => return Err(self.unsettled(creation, &cause.context(error), &marker, expires)),
            }
        }
    }

    /// Sends one request: what was created, or inside the doubt whether anything was. An error: surely nothing was.
    async fn post(&self, creation: &Creation<'_>, body: &Value) -> Result<Result<MarkedExecution>> {
        let answer = match self.client().send("POST", creation.post.as_str(), Some(body)).await {
            Ok(answer) => answer,
            Err(error) if error.kind() == Kind::InDoubt => return Ok(Err(error)),
            Err(error) => return Err(error),
        };
        let answer = match creation.unwrap {
            Some(member) => {
                let held = answer.json().get(member);
                let first = held.and_then(|held| held.items().map_or(Some(held), |mut items| items.next()));
                first.map(JsonText::from).unwrap_or_default()
            }
            None => answer,
        };
        let created = read(creation, answer.json()).map_err(|problem| self.client().unreadable(problem, creation.noun, &creation.post));
        if let Ok(created) = &created {
            self.client().deadline_seen(created.expires.is_some());
        }
        Ok(created.map_err(|error| error.context("it was created, but the answer cannot be read")))
    }

    async fn search(
        &self,
        creation: &Creation<'_>,
        marker: &str,
        since: Timestamp,
        expires: Timestamp,
        patience: SignedDuration,
    ) -> Result<Search> {
        let began = self.clock().now();
        let limit = later(began, patience);
        let reader = self.until(limit);
        let mut pause = SignedDuration::from_secs(1);
        loop {
            // Whether it is too late must be known before the list is read.
            let too_late = self.client().server_now() > later(expires, SETTLE);
            if let Some(found) = reader.look(creation, marker, since).await? {
                return Ok(Search::Found(found));
            }
            if too_late {
                return Ok(Search::CannotStartAnyMore);
            }
            let left = limit.duration_since(self.clock().now());
            if left <= SignedDuration::ZERO {
                return Ok(Search::PatienceOver);
            }
            self.client().rest(pause.min(left)).await?;
            // The longer nothing came, the less likely it still does.
            let longest = self.clock().since(began) / 20;
            pause = (pause * 2).min(longest.clamp(SignedDuration::from_secs(30), SignedDuration::from_mins(5)));
        }
    }

    /// What an earlier attempt of the same step made, if it goes on or is what counts now.
    async fn take_over(&self, creation: &Creation<'_>, attempted: &Earlier) -> Result<Option<MarkedExecution>> {
        let since = later(attempted.since, -LOOK_BACK);
        let recent = self.recent(creation, since).await?;
        let ids: Vec<TaskId> = recent.iter().filter(|one| attempted.made(&one.comments)).map(|one| one.task_id.clone()).collect();
        let tasks = self.known_tasks(&ids).await?;
        let counts = |one: &MarkedExecution| {
            let Some(task) = tasks.get(&one.task_id) else { return false };
            match &task.state {
                TaskState::Success => {
                    !recent.iter().any(|other| other.number() > one.number() && creation.replaces && other.tenant_id == one.tenant_id)
                }
                TaskState::Cancelling => false,
                _ => !task.is_completed(),
            }
        };
        let found = recent.iter().enumerate().filter(|(_, one)| counts(one)).max_by_key(|(_, one)| one.number()).map(|(at, _)| at);
        Ok(found.and_then(|at| recent.into_iter().nth(at)))
    }

    /// A cancelled run looks once more, so that it can tell what it leaves behind.
    async fn last_look(&self, creation: &Creation<'_>, marker: &str, since: Timestamp) -> Option<MarkedExecution> {
        let reader = self.with_cancel(Cancel::new()).until(self.clock().now());
        crate::clock::real_limit(std::time::Duration::from_millis(500), reader.look(creation, marker, since)).await?.ok()?
    }

    /// Of a creation that was answered, the one that counts: a proxy or a network may have delivered the request twice, and
    /// the answer may be that of the second, which waits its turn behind the first. One look right after the answer comes
    /// in time to cancel it. What cannot be looked at is what the answer says.
    async fn only_one(&self, creation: &Creation<'_>, marker: &str, since: Timestamp, created: MarkedExecution) -> MarkedExecution {
        let reader = self.until(self.clock().now());
        let looked = async {
            let found = reader.marked(creation, marker, since).await?;
            if found.len() > 1 { reader.choose(creation, found, marker).await } else { Ok(None) }
        };
        looked.await.ok().flatten().unwrap_or(created)
    }

    /// What the list shows that was created since then.
    async fn recent(&self, creation: &Creation<'_>, since: Timestamp) -> Result<Vec<MarkedExecution>> {
        let mut young = |one: &MarkedExecution| one.created.is_none_or(|at| at >= since);
        self.client().list_made(&creation.list, creation.noun, None, &|json| read(creation, json), &mut young).await
    }

    /// Looks for the marker once.
    async fn look(&self, creation: &Creation<'_>, marker: &str, since: Timestamp) -> Result<Option<MarkedExecution>> {
        self.choose(creation, self.marked(creation, marker, since).await?, marker).await
    }

    /// All that carry the marker, the oldest first.
    async fn marked(&self, creation: &Creation<'_>, marker: &str, since: Timestamp) -> Result<Vec<MarkedExecution>> {
        let recent = self.recent(creation, since).await?;
        let mut found: Vec<MarkedExecution> = recent.into_iter().filter(|one| one.comments.contains(marker)).collect();
        found.sort_by_key(MarkedExecution::number);
        Ok(found)
    }

    /// Of several, the first that started is ours, or else the first that still can; others that have not started are
    /// cancelled. One that timed out before it started does not count: it came too late and was never carried out.
    async fn choose(&self, creation: &Creation<'_>, mut found: Vec<MarkedExecution>, marker: &str) -> Result<Option<MarkedExecution>> {
        let ids: Vec<TaskId> = found.iter().map(|one| one.task_id.clone()).collect();
        let tasks = self.known_tasks(&ids).await?;
        let task = |one: &MarkedExecution| tasks.get(&one.task_id);
        found.retain(|one| task(one).is_none_or(|t| t.has_started() || t.state != TaskState::TimedOut));
        let ours = found.iter().position(|one| task(one).is_some_and(Task::has_started)).unwrap_or(0);
        let kept = found.get(ours).map(|one| one.task_id.to_string()).unwrap_or_default();
        for (index, surplus) in found.iter().enumerate() {
            let Some(task) = task(surplus).filter(|_| index != ours) else { continue };
            let what = format!("a {} was created twice, `{kept}` and `{}`, with the marker `{marker}`", creation.noun, task.id);
            if task.has_started() {
                self.client().tell(&format!("{what}; both have started: look whether that did harm"));
            } else if !task.is_completed() {
                self.client().tell(&format!("{what}; cancelling the second, which has not started"));
                self.cancel_task(&task.id).await?;
            }
        }
        Ok(found.into_iter().nth(ours))
    }

    /// The error of who cannot know. Only of a server that keeps to deadlines it says when the doubt is over.
    fn unsettled(&self, creation: &Creation<'_>, cause: &Error, marker: &str, expires: Timestamp) -> Error {
        let error = Error::new(Kind::InDoubt, format!("a {} may or may not have been created: {cause}", creation.noun));
        let look = format!("look for a {} with `{marker}` in its comment", creation.noun);
        let error = if self.client().keeps_deadlines() {
            error.help(format!("{look}; after {} none can start any more", stamp(expires)))
        } else {
            error
                .help(format!("{look}; it must not start after {}, but this server is not known to keep to that", stamp(expires)))
                .help("where `octorhai doctor --project NAME --env NAME` has shown that it does, such a doubt settles itself")
        };
        error.with("marker", marker).with("expires", json!(stamp(expires)))
    }
}

/// Reads what the protocol looks at, of a document that can be read as a whole.
fn read(creation: &Creation<'_>, json: JsonSlice<'_>) -> Result<MarkedExecution, Problem> {
    (creation.reads)(json)?;
    MarkedExecution::read(json)
}

/// The mark of the run that made a deployment, from its comment: `... [octorhai:4f2c:2:9a0b1c2d]`.
pub fn mark_in(comments: &str) -> Option<String> {
    let (_, rest) = comments.rsplit_once("[octorhai:")?;
    let (mark, _) = rest.split_once(':')?;
    Some(mark.to_owned())
}

/// The task whose step made it, if a step did: `... [octorhai:ServerTasks-71/1a2b3c4d.9e8f7a:2:9a0b1c2d]`.
pub fn parent_in(comments: &str) -> Option<String> {
    let mark = mark_in(comments)?;
    Some(mark.split_once('/')?.0.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_run_and_the_task_that_made_something_are_in_its_comment() {
        assert_eq!(mark_in("the train [octorhai:4f2c:2:9a0b1c2d]").as_deref(), Some("4f2c"));
        let by_step = "again [octorhai:4f2c:2:9a0b1c2d] [octorhai:ServerTasks-71/1a2b3c4d.9e8f7a:2:9a0b1c2d]";
        assert_eq!(parent_in(by_step).as_deref(), Some("ServerTasks-71"));
        assert_eq!((mark_in("by hand"), parent_in("[octorhai:4f2c:2:9a0b1c2d]")), (None, None));
    }
}
