//! One pacer for each server and user: when the next request may be sent, so that a server with a rate limit rejects none.
//!
//! It is the generic cell rate algorithm (GCRA), the mirror image of the server's bucket of tokens: all it keeps is the moment at which the
//! bucket would be full again. Each request moves that moment by the time in which a token grows back, and may be sent when the
//! moment is near enough. One token stays in the bucket: for what must go first, and for what the server counts and we do not see.
//!
//! The server's word corrects it (octopus-api.md §7.3), only ever to later: an answer that tells of fewer tokens than we believed says that others
//! share the bucket, one that tells of more is older than what we have sent since. Nothing is kept, and nothing is waited for, until a server
//! tells of a limit.

use super::Credential;
use crate::{
    clock::{Clock, Stopwatch},
    error::Result,
};
use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

/// How long all requests pause for a `Retry-After` of a server that names no limit. A longer one concerns the request that it answers.
const LONGEST_PAUSE: i64 = 60_000_000;
/// So many tokens are taken for this process at once when there are plenty.
const LARGEST_SHARE: i64 = 32;
/// Of the tokens that are left one process takes so small a part at once.
const SHARE: i64 = 8;
/// Other processes are waited for no longer than this, or than it takes to let sixty requests pass: their clocks may be wrong.
const LONGEST_WAIT_FOR_OTHERS: i64 = 10_000_000;

/// So far ahead of ours the clocks of other processes may be.
const LARGEST_SKEW: i64 = 60_000_000;

/// Where processes that ask the same server see what the others have asked: named values that change by compare-and-swap.
/// Its methods block.
pub trait SharedPace: Send + Sync {
    /// The value and its version; none when it was never written.
    fn read(&self, name: &str) -> Result<Option<(u64, Value)>>;

    /// Writes the value if its version is still `version` (0: never written). Returns whether it was written.
    fn swap(&self, name: &str, version: u64, value: &Value) -> Result<bool>;
}

/// The pacers of a process; clones are the same ones.
#[derive(Clone, Default)]
pub struct Pacers {
    known: Arc<Mutex<HashMap<String, Arc<Pacer>>>>,
    shared: Option<Arc<dyn SharedPace>>,
}

impl Pacers {
    /// Pacers that are shared with the processes that use the same store.
    pub fn shared(by: Arc<dyn SharedPace>) -> Self {
        Self { shared: Some(by), ..Self::default() }
    }

    /// The pacer of a server and user. A user's other keys have one of their own: keys of agents are counted apart.
    pub(super) fn of(&self, credential: &Credential) -> Arc<Pacer> {
        // A server within this process is nobody else's.
        let shared = self.shared.clone().filter(|_| credential.server_here().is_none());
        let make = |name: &String| Arc::new(Pacer { name: name.clone(), shared, ..Pacer::default() });
        let name = format!("pace {} {}", credential.address(), credential.fingerprint());
        Arc::clone(self.known.lock().entry(name.clone()).or_insert_with(|| make(&name)))
    }
}

/// Whose turn it is to ask one server.
#[derive(Default)]
pub(super) struct Pacer {
    name: String,
    shared: Option<Arc<dyn SharedPace>>,
    /// Whether the server has told of a limit.
    limits: AtomicBool,
    pace: Mutex<Pace>,
    share: tokio::sync::Mutex<Share>,
    /// Whether people were told that requests wait.
    told: AtomicBool,
}

/// What a server says of its limit. Times are in microseconds of the run's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Policy {
    /// How many tokens the bucket holds.
    burst: i64,
    /// How long a token takes to grow back.
    every: i64,
}

impl Policy {
    /// How long before the bucket is full again a request may be sent that leaves `left` tokens.
    fn tolerance(self, left: i64) -> i64 {
        (self.burst - 1 - left).max(0) * self.every
    }
}

#[derive(Default)]
struct Pace {
    policy: Option<Policy>,
    /// When the bucket is full again after all that were sent or wait.
    full_at: i64,
    /// How many wait.
    waiting: i64,
    /// By how much those that wait were moved to later, all told.
    moved: i64,
    /// Nothing is sent before, though no limit is known.
    closed_until: i64,
}

impl Pace {
    /// When the bucket is full again after all that were sent.
    fn sent(&self) -> i64 {
        self.full_at - self.waiting * self.policy.map_or(0, |policy| policy.every)
    }

    /// The bucket is not full before `at`, without those that wait.
    fn full_not_before(&mut self, at: i64) {
        let late = at - self.sent();
        if late > 0 {
            self.full_at += late;
            self.moved += late;
        }
    }
}

/// A request that waits for its turn.
pub(super) struct Ticket<'p> {
    pacer: &'p Pacer,
    /// By the limit that was known when it came.
    policy: Option<Policy>,
    due: i64,
    moved: i64,
    is_urgent: bool,
    has_gone: bool,
}

impl Ticket<'_> {
    /// When it may be sent.
    pub(super) fn due(&self) -> Timestamp {
        Timestamp::from_microsecond(self.due_at(&self.pacer.pace.lock())).unwrap_or(Timestamp::MAX)
    }

    fn due_at(&self, pace: &Pace) -> i64 {
        if self.is_urgent { self.due } else { self.due.saturating_add(pace.moved - self.moved) }
    }

    /// It is sent now.
    pub(super) fn go(&mut self) {
        self.has_gone = true;
        let mut pace = self.pacer.pace.lock();
        // One that came under another policy is not counted any more.
        if !self.is_urgent && self.policy == pace.policy {
            pace.waiting = (pace.waiting - 1).max(0);
        }
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        let mut pace = self.pacer.pace.lock();
        let Some(policy) = self.policy.filter(|_| !self.has_gone && self.policy == pace.policy) else { return };
        pace.full_at -= policy.every;
        if self.is_urgent {
            pace.moved -= policy.every;
        } else {
            pace.waiting = (pace.waiting - 1).max(0);
        }
    }
}

/// Tokens that were taken for this process from what all share.
#[derive(Default)]
struct Share {
    /// When the bucket is full again after the next of them; one that would be full by now is gone.
    at: i64,
    left: i64,
    /// Since when others have been waited for: in real time, for a virtual clock jumps at the speed of the machine.
    since: Option<Stopwatch>,
    /// Whether this process has told the others of the request whose answer told of the limit.
    has_told: bool,
    /// Whether the store fails: then the server's word is all there is.
    lost: bool,
}

impl Pacer {
    /// Whether requests wait for anything at all.
    pub(super) fn limits(&self) -> bool {
        self.limits.load(Ordering::Relaxed)
    }

    /// Whether this is the first time that people are told of it.
    pub(super) fn tells(&self) -> bool {
        !self.told.swap(true, Ordering::Relaxed)
    }

    /// How many requests a minute the server allows, if that is known.
    pub(super) fn per_minute(&self) -> Option<i64> {
        self.pace.lock().policy.map(|policy| (60_000_000 + policy.every / 2) / policy.every)
    }

    /// A turn behind all that wait, or before them, with the token that stays in the bucket otherwise.
    pub(super) fn join(&self, now: Timestamp, is_urgent: bool) -> Ticket<'_> {
        let now = now.as_microsecond();
        let mut pace = self.pace.lock();
        let mut due = pace.closed_until;
        if let Some(policy) = pace.policy {
            let before = if is_urgent { pace.sent() } else { pace.full_at }.max(now);
            due = due.max(before - policy.tolerance(i64::from(!is_urgent)));
            pace.full_at = pace.full_at.max(now) + policy.every;
            if is_urgent {
                pace.moved += policy.every;
            } else {
                pace.waiting += 1;
            }
        }
        Ticket { pacer: self, policy: pace.policy, due, moved: pace.moved, is_urgent, has_gone: false }
    }

    /// Keeps what an answer says: of how much is left, of when to come again. Tokens are counted when a request comes in: an answer that
    /// took long would make a bucket look emptier than it is.
    pub(super) fn heard(&self, now: Timestamp, counted_at: Timestamp, limit: Option<(u32, u32, u32)>, retry_after: Option<SignedDuration>) {
        let now = now.as_microsecond();
        let mut pace = self.pace.lock();
        if let Some((burst, per_minute, left)) = limit {
            let policy =
                Policy { burst: i64::from(burst).max(1), every: (60_000_000 + i64::from(per_minute) - 1) / i64::from(per_minute).max(1) };
            if pace.policy != Some(policy) {
                // Those that wait go by the old one, and are not counted any more.
                *pace = Pace { policy: Some(policy), moved: pace.moved, ..Pace::default() };
            }
            let missing = (policy.burst - i64::from(left)).max(0);
            pace.full_not_before(counted_at.as_microsecond() + missing * policy.every);
            self.limits.store(true, Ordering::Relaxed);
        }
        if let Some(pause) = retry_after {
            let pause = i64::try_from(pause.as_micros()).unwrap_or(i64::MAX);
            match pace.policy {
                Some(policy) => {
                    let until = now + pause.min(policy.burst * policy.every) + policy.tolerance(1);
                    pace.full_not_before(until);
                }
                None if pause <= LONGEST_PAUSE => {
                    pace.closed_until = pace.closed_until.max(now + pause);
                    self.limits.store(true, Ordering::Relaxed);
                }
                None => {}
            }
        }
    }

    /// A request that was sent did not count.
    pub(super) fn did_not_count(&self) {
        let mut pace = self.pace.lock();
        if let Some(policy) = pace.policy {
            pace.full_at -= policy.every;
        }
    }

    /// Lets the ticket go, which is due, if other processes leave room for it. If not, it waits longer.
    pub(super) async fn lets_go(&self, ticket: &mut Ticket<'_>, clock: &Clock) -> bool {
        let (Some(store), Some(policy)) = (&self.shared, ticket.policy) else {
            ticket.go();
            return true;
        };
        let mut share = self.share.lock().await;
        let goes = self.others_agree(&mut share, store, policy, ticket, clock).await;
        if goes {
            // Before the next one is compared with what all have sent.
            ticket.go();
        }
        goes
    }

    async fn others_agree(
        &self,
        share: &mut Share,
        store: &Arc<dyn SharedPace>,
        policy: Policy,
        ticket: &mut Ticket<'_>,
        clock: &Clock,
    ) -> bool {
        let now = clock.now().as_microsecond();
        let (known, due) = {
            let pace = self.pace.lock();
            // One that goes first is among those that were sent already.
            (pace.sent() - if ticket.is_urgent { policy.every } else { 0 }, ticket.due_at(&pace))
        };
        if due > now {
            // While it waited for the store, others were heard of.
            return false;
        }
        while share.left > 0 && share.at < now {
            (share.at, share.left) = (share.at + policy.every, share.left - 1);
        }
        if share.lost || share.left > 0 {
            (share.at, share.left) = (share.at + policy.every, (share.left - 1).max(0));
            return true;
        }
        let patience = LONGEST_WAIT_FOR_OTHERS.max(60 * policy.every);
        let at_once = share.since.is_some_and(|since| since.elapsed().as_micros() > patience.unsigned_abs().into());
        let left = i64::from(!ticket.is_urgent);
        let untold = i64::from(!share.has_told);
        // The virtual clocks of processes differ: a token that is kept may be gone by the server's.
        let most = if clock.is_virtual() { 1 } else { LARGEST_SHARE };
        let asked = Wanted { name: self.name.clone(), policy, now, known, untold, left, most, at_once };
        let store = Arc::clone(store);
        let taken = tokio::task::spawn_blocking(move || asked.take(&*store)).await;
        match taken {
            Ok(Ok(Taken::Tokens(at, count))) => {
                *share = Share { at: at + policy.every, left: count - 1, since: None, has_told: true, lost: false };
                true
            }
            Ok(Ok(Taken::NotBefore(at))) => {
                share.since.get_or_insert_with(Stopwatch::start);
                if ticket.is_urgent {
                    ticket.due = at - policy.tolerance(left);
                } else {
                    self.pace.lock().full_not_before(at);
                }
                false
            }
            Ok(Err(error)) => {
                tracing::warn!("requests are not paced together with other processes any more: {error}");
                share.lost = true;
                true
            }
            Err(_) => true,
        }
    }
}

/// Tokens that are wanted of what all share.
struct Wanted {
    name: String,
    policy: Policy,
    now: i64,
    /// The bucket is not full before, as far as this process knows.
    known: i64,
    /// How many requests of this process the others do not know of.
    untold: i64,
    /// How many tokens stay.
    left: i64,
    /// How many may be taken.
    most: i64,
    /// One token is taken whatever the others have taken.
    at_once: bool,
}

enum Taken {
    /// So many, the first of which is there when the bucket would be full at that moment.
    Tokens(i64, i64),
    /// None; the bucket is full then.
    NotBefore(i64),
}

impl Wanted {
    fn take(&self, store: &dyn SharedPace) -> Result<Taken> {
        let Self { policy: Policy { burst, every }, now, .. } = *self;
        loop {
            let (version, value) = store.read(&self.name)?.unwrap_or_default();
            let theirs = value["full_at"].as_str().and_then(|at| at.parse().ok()).map_or(i64::MIN, Timestamp::as_microsecond);
            // No bucket is emptier than empty: what says more is of another time, if it is not of a clock that is a little ahead.
            let theirs = if theirs > now + burst * every + LARGEST_SKEW { i64::MIN } else { theirs };
            let at = theirs.saturating_add(self.untold * every).max(self.known).max(now);
            let room = self.policy.tolerance(self.left) - (at - now);
            if room < 0 && !self.at_once {
                return Ok(Taken::NotBefore(at));
            }
            let count = 1 + (room.max(0) / every / SHARE).min(self.most - 1);
            let full_at = Timestamp::from_microsecond(at + count * every).unwrap_or(Timestamp::MAX);
            if store.swap(&self.name, version, &json!({ "full_at": full_at.to_string() }))? {
                return Ok(Taken::Tokens(at, count));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::later;

    /// One cell, and how often it was asked.
    #[derive(Default)]
    struct Shelf(Mutex<(u64, Value, usize)>);

    impl SharedPace for Shelf {
        fn read(&self, _: &str) -> Result<Option<(u64, Value)>> {
            let mut cell = self.0.lock();
            cell.2 += 1;
            Ok((cell.0 > 0).then(|| (cell.0, cell.1.clone())))
        }
        fn swap(&self, _: &str, version: u64, value: &Value) -> Result<bool> {
            let mut cell = self.0.lock();
            let fits = cell.0 == version;
            if fits {
                (cell.0, cell.1) = (version + 1, value.clone());
            }
            Ok(fits)
        }
    }

    fn start() -> Timestamp {
        Timestamp::UNIX_EPOCH
    }

    fn after(pacer: &Pacer, ticket: &Ticket<'_>) -> i64 {
        assert!(pacer.limits());
        ticket.due().duration_since(start()).as_millis().try_into().expect("in range")
    }

    /// The pacer of a process that has heard of a full bucket of `burst`, which gets a token a second.
    fn process(shelf: &Arc<Shelf>, burst: u32) -> Pacer {
        let pacer = Pacer { name: "pace".to_owned(), shared: Some(Arc::clone(shelf) as Arc<dyn SharedPace>), ..Pacer::default() };
        pacer.heard(start(), start(), Some((burst, 60, burst)), None);
        pacer
    }

    /// How many requests may be sent at once.
    async fn at_once(pacer: &Pacer, clock: &Clock) -> usize {
        let mut sent = 0;
        loop {
            let mut ticket = pacer.join(clock.now(), false);
            if ticket.due() > clock.now() || !pacer.lets_go(&mut ticket, clock).await {
                return sent;
            }
            sent += 1;
        }
    }

    #[test]
    fn one_token_stays_and_the_rest_come_one_after_the_other() {
        let pacer = Pacer::default();
        assert!(!pacer.limits());
        pacer.heard(start(), start(), Some((10, 60, 1)), None);
        let mut tickets: Vec<Ticket<'_>> = (0..4).map(|_| pacer.join(start(), false)).collect();
        assert_eq!(tickets.iter().map(|t| after(&pacer, t)).collect::<Vec<_>>(), [1000, 2000, 3000, 4000]);
        let urgent = pacer.join(start(), true);
        assert_eq!((after(&pacer, &urgent), after(&pacer, &tickets[3])), (0, 5000), "it goes first, and the others make room");
        drop(urgent);
        assert_eq!(after(&pacer, &tickets[3]), 4000, "one that is not sent takes nothing");
        tickets[0].go();
        // Somebody else has taken the two that grew back meanwhile.
        let soon = later(start(), SignedDuration::from_secs(2));
        pacer.heard(soon, soon, Some((10, 60, 0)), None);
        assert_eq!(tickets[1..].iter().map(|t| after(&pacer, t)).collect::<Vec<_>>(), [4000, 5000, 6000]);
        pacer.heard(start(), start(), Some((10, 60, 9)), None);
        assert_eq!(after(&pacer, &tickets[1]), 4000, "never earlier");
        pacer.heard(start(), start(), None, Some(SignedDuration::from_secs(7)));
        assert_eq!(after(&pacer, &tickets[1]), 7000);
    }

    #[test]
    fn a_pause_without_a_limit_holds_all_for_a_minute_at_most() {
        let pacer = Pacer::default();
        pacer.heard(start(), start(), None, Some(SignedDuration::from_secs(3600)));
        assert!(!pacer.limits());
        pacer.heard(start(), start(), None, Some(SignedDuration::from_secs(20)));
        assert_eq!(after(&pacer, &pacer.join(start(), false)), 20_000);
    }

    #[tokio::test]
    async fn two_processes_take_from_one_bucket_in_batches() {
        let (shelf, clock) = (Arc::new(Shelf::default()), Clock::scaled(start(), 1e-9));
        let (first, second) = (process(&shelf, 200), process(&shelf, 200));
        let sent = at_once(&first, &clock).await + at_once(&second, &clock).await;
        assert!((195..=199).contains(&sent), "{sent} at once");
        let asked = shelf.0.lock().2;
        assert!(asked < sent / 4, "the store was asked {asked} times for {sent} requests");
    }

    #[tokio::test]
    async fn what_a_store_keeps_of_another_time_stops_nobody() {
        let (shelf, clock) = (Arc::new(Shelf::default()), Clock::scaled(start(), 1e-9));
        let ahead = later(start(), SignedDuration::from_hours(5));
        *shelf.0.lock() = (1, json!({ "full_at": ahead.to_string() }), 0);
        assert!(at_once(&process(&shelf, 20), &clock).await > 15);
    }
}
