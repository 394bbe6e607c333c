//! The one poller of a process: all waits share its answers, its interval and its budget.
//!
//! It has no task of its own: whoever polls when a refresh is due refreshes for everybody, a hundred ids a request;
//! who polls earlier is answered from the last one. Callers sleep on the clock until [`Watch::next_due`].
//!
//! - The interval begins at a second, grows with the age of the youngest task to fifteen, and is never so short that
//!   refreshing costs more than three quarters of the budget: 1,000 tasks are 10 requests a round, every 13.3 seconds.
//!   The rest of the budget is for what explains the wait to people ([`Poller::spare`]) and for retries.
//! - Of more than a hundred tasks, those that the server keeps queued are asked for in every fourth round only: they have
//!   yet to start before they can end.
//! - Complete tasks are not asked for again. An id that two answers in a row leave out is an error: servers drop
//!   unknown ids silently (octopus-api.md §6), but may not know a task yet that was created a moment ago.

use super::by_ids::BATCH;
use super::id::TaskId;
use super::spaces::SpaceClient;
use super::tasks::{Task, TaskState, unknown_tasks};
use crate::clock::{Busy, Clock, later};
use crate::error::{Error, Kind, Result};
use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use tokio::sync::oneshot;

/// The longest interval.
const SLOWEST: SignedDuration = SignedDuration::from_secs(15);
/// A task's age divided by this is its interval: an end is noticed after a twelfth of the time it took, at most.
const AGE_SHARE: i32 = 12;

/// Every so many rounds all are asked for, also those that are queued.
const QUEUED_ROUNDS: u64 = 4;

/// The poller; clones are the same one.
#[derive(Clone)]
pub struct Poller(Arc<PollerParts>);

struct PollerParts {
    space: SpaceClient,
    budget_per_minute: u32,
    state: Mutex<Watches>,
}

struct Watches {
    watched: BTreeMap<TaskId, WatchedTask>,
    last: Option<Timestamp>,
    /// When spare requests were granted, in the last minute.
    spared: VecDeque<Timestamp>,
    next_due: Timestamp,
    round: u64,
    /// Who waits for the refresh that is under way, if one is.
    refreshing: Option<Vec<oneshot::Sender<Busy>>>,
}

struct WatchedTask {
    watchers: usize,
    since: Timestamp,
    task: Option<Arc<Task>>,
    misses: u32,
    /// In how many answers, one after the other, it was queued.
    queued: u8,
}

impl WatchedTask {
    /// Whether the server keeps it queued: one that was seen queued once may have been about to start.
    fn stays_queued(&self) -> bool {
        self.queued >= 2
    }

    fn is_open(&self) -> bool {
        self.misses < 2 && !self.task.as_ref().is_some_and(|task| task.is_completed())
    }
}

/// Some tasks being watched; dropping it ends that.
#[must_use = "dropping a watch ends it"]
pub struct Watch {
    poller: Poller,
    ids: Vec<TaskId>,
}

/// What a caller of [`Watch::poll`] has to do.
enum Turn {
    Answer(Result<Vec<Arc<Task>>>),
    /// Not before then.
    Sleep(Timestamp),
    /// Somebody else refreshes; this is the place among those who wait for it.
    Wait(oneshot::Receiver<Busy>, usize),
    /// Refresh these.
    Refresh(Vec<TaskId>),
}

impl Poller {
    /// A poller for one space that sends at most `budget_per_minute` requests (60 is usual).
    pub fn new(space: SpaceClient, budget_per_minute: u32) -> Self {
        let state = Watches {
            watched: BTreeMap::new(),
            last: None,
            spared: VecDeque::new(),
            next_due: space.clock().now(),
            round: 0,
            refreshing: None,
        };
        Self(Arc::new(PollerParts { space, budget_per_minute: budget_per_minute.max(1), state: Mutex::new(state) }))
    }

    /// Watches tasks until the answer is dropped.
    pub fn watch(&self, ids: impl IntoIterator<Item = TaskId>) -> Watch {
        let now = self.clock().now();
        let mut state = self.0.state.lock();
        let mut met = HashSet::new();
        let unique: Vec<TaskId> = ids.into_iter().filter(|id| met.insert(id.clone())).collect();
        for id in &unique {
            state
                .watched
                .entry(id.clone())
                .or_insert(WatchedTask { watchers: 0, since: now, task: None, misses: 0, queued: 0 })
                .watchers += 1;
        }
        // New tasks are looked at as soon as the budget allows.
        let soonest = state.last.map_or(now, |last| later(last, self.floor(state.open().count())));
        state.next_due = state.next_due.min(soonest);
        Watch { poller: self.clone(), ids: unique }
    }

    fn clock(&self) -> &Clock {
        self.0.space.clock()
    }

    /// Whether `requests` more may be sent now for what is good to know but can wait: three twentieths of the budget.
    /// A grant counts as used.
    pub fn spare(&self, requests: usize) -> bool {
        let now = self.clock().now();
        let mut state = self.0.state.lock();
        while state.spared.front().is_some_and(|at| now.duration_since(*at) >= SignedDuration::from_mins(1)) {
            state.spared.pop_front();
        }
        let granted = state.spared.len() + requests <= self.0.budget_per_minute as usize * 3 / 20;
        if granted {
            state.spared.extend(std::iter::repeat_n(now, requests));
        }
        granted
    }

    /// The shortest interval the budget allows: three quarters of it are for refreshing.
    fn floor(&self, open: usize) -> SignedDuration {
        let batches = open.div_ceil(BATCH).max(1) as i64;
        SignedDuration::from_millis(batches * 80_000 / i64::from(self.0.budget_per_minute))
    }

    async fn refresh(&self, ids: &[TaskId], until: Timestamp) -> Result<()> {
        // Dropped on every way out, also when the caller is cancelled in the middle.
        let _done = Refreshing(self);
        let mut found: HashMap<TaskId, Arc<Task>> = HashMap::with_capacity(ids.len());
        let before = |id| self.0.state.lock().watched.get(&id).and_then(|entry| entry.task.clone());
        self.0.space.until(until).each_polled_task(ids, before, |task| drop(found.insert(task.id.clone(), task))).await?;
        let now = self.clock().now();
        let mut state = self.0.state.lock();
        for id in ids {
            let Some(entry) = state.watched.get_mut(id) else { continue };
            match found.remove(id) {
                Some(task) => {
                    let queued = !task.has_started() && task.state == TaskState::Queued;
                    entry.queued = if queued { entry.queued.saturating_add(1) } else { 0 };
                    (entry.task, entry.misses) = (Some(task), 0);
                }
                None => entry.misses += 1,
            }
        }
        state.last = Some(now);
        state.round += 1;
        let open = state.open().count();
        let youngest = state.open().map(|entry| now.duration_since(entry.since)).min().unwrap_or_default();
        let interval = (youngest / AGE_SHARE).clamp(SignedDuration::from_secs(1), SLOWEST).max(self.floor(open));
        // Up to a tenth longer, never shorter, so that the budget holds; from the round, so that runs repeat.
        let jitter = interval * ((state.round.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as i32 % 11) / 100;
        state.next_due = later(now, interval + jitter);
        Ok(())
    }
}

impl Watches {
    fn open(&self) -> impl Iterator<Item = &WatchedTask> {
        self.watched.values().filter(|entry| entry.is_open())
    }
}

/// A refresh under way.
struct Refreshing<'a>(&'a Poller);

impl Drop for Refreshing<'_> {
    fn drop(&mut self) {
        let waiting = self.0.0.state.lock().refreshing.take().unwrap_or_default();
        for waiter in waiting {
            // The token keeps a virtual clock still until the waiter has woken up.
            let _ = waiter.send(self.0.clock().enter());
        }
    }
}

impl Watch {
    /// The watched tasks, in the order they were given, no staler than the interval.
    ///
    /// Refreshes when that is due, and retries until `patience_until`; sleeps only when a task was never seen yet.
    /// Errors: `not_found` for a task that the server does not know, and those of [`super::Client`].
    pub async fn poll(&self, patience_until: Timestamp) -> Result<Vec<Arc<Task>>> {
        let (space, clock) = (&self.poller.0.space, self.poller.clock());
        loop {
            space.client().cancel().check()?;
            match self.turn(patience_until) {
                Turn::Answer(answer) => return answer,
                Turn::Sleep(due) => space.client().rest_until(due).await?,
                Turn::Wait(refreshed, place) => {
                    let wait = async {
                        tokio::select! {
                            biased;
                            token = refreshed => drop(token),
                            () = clock.sleep_until(patience_until) => {}
                        }
                        Ok(())
                    };
                    space.client().cancel().guard(wait).await?;
                    if clock.is_virtual() {
                        // All wake at once, and who comes first is chance: they go on one after the other.
                        space.client().rest(SignedDuration::from_millis(place as i64)).await?;
                    }
                }
                Turn::Refresh(ids) => self.poller.refresh(&ids, patience_until).await?,
            }
        }
    }

    fn turn(&self, patience_until: Timestamp) -> Turn {
        let now = self.poller.clock().now();
        let mut state = self.poller.0.state.lock();
        let entries = || self.ids.iter().filter_map(|id| Some((id, state.watched.get(id)?)));
        let gone: Vec<TaskId> = entries().filter(|(_, entry)| entry.misses >= 2).map(|(id, _)| id.clone()).collect();
        if !gone.is_empty() {
            return Turn::Answer(Err(unknown_tasks(&gone)));
        }
        let known: Vec<Arc<Task>> = entries().filter_map(|(_, entry)| entry.task.clone()).collect();
        let all_known = known.len() == self.ids.len();
        let any_open = entries().any(|(_, entry)| entry.is_open());
        if all_known && (!any_open || now < state.next_due || (state.refreshing.is_some() && now >= patience_until)) {
            return Turn::Answer(Ok(known));
        }
        if state.refreshing.is_some() && now >= patience_until {
            return Turn::Answer(Err(Error::new(Kind::Unreachable, "the server said nothing about the watched tasks in time")));
        }
        if let Some(waiting) = &mut state.refreshing {
            let (wake, woken) = oneshot::channel();
            waiting.push(wake);
            return Turn::Wait(woken, waiting.len());
        }
        if now < state.next_due {
            return Turn::Sleep(state.next_due);
        }
        state.refreshing = Some(Vec::new());
        let all = state.open().count() <= BATCH || state.round.is_multiple_of(QUEUED_ROUNDS);
        let due = |entry: &WatchedTask| entry.is_open() && (all || !entry.stays_queued());
        Turn::Refresh(state.watched.iter().filter(|(_, entry)| due(entry)).map(|(id, _)| id.clone()).collect())
    }

    /// When the next refresh is due: sleep until then before polling again.
    pub fn next_due(&self) -> Timestamp {
        self.poller.0.state.lock().next_due
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut state = self.poller.0.state.lock();
        for id in &self.ids {
            if let Some(entry) = state.watched.get_mut(id) {
                entry.watchers -= 1;
                if entry.watchers == 0 {
                    state.watched.remove(id);
                }
            }
        }
    }
}
