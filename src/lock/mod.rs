//! Locks that cannot get stuck, on any register that can compare and swap (durable-runs.md §3).
//!
//! A *register* is a named JSON value with a version. It may be a variable in an Octopus library variable set, whose
//! version check is not atomic: so nothing is believed before it was read again after a while ([`Register::settle`]),
//! and no answer to a write is believed at all. Identity is a nonce, order is a generation that never repeats. A holder
//! that lives is never robbed; a dead one only when nothing it sent can still take effect.

pub mod held;
pub mod memo;
pub mod octopus;
pub mod queue;
pub mod record;
pub mod store;
pub mod taker;
pub mod wait_circles;

pub use held::Held;
pub use record::{Owner, Record};
pub use taker::{Busy, Seen, Taker};
pub use wait_circles::within;

use crate::{clock::Clock, error::Result, platform::process::ProcessIdentity};
use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    pin::Pin,
    sync::Arc,
};

/// Work of a register.
pub type Work<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>>;

/// A value as it was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Versioned {
    /// What a swap must name.
    pub version: u64,
    /// None when it was never written, or deleted.
    pub value: Option<Value>,
}

/// What the answer to a swap says. Only a hint: what is true is read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Swap {
    /// It was written.
    Done,
    /// The version was another one.
    Lost,
    /// The answer was lost.
    Unknown,
}

/// Named values with a version.
pub trait Register: Send + Sync {
    /// Where they are, for people.
    fn place(&self) -> String;
    /// How long a write that passed the version check may still be under way; zero when the check is atomic.
    fn settle(&self) -> SignedDuration;
    /// The clock that leases are stamped with: the server's, where there is one.
    fn now(&self) -> Timestamp;
    /// Reads one.
    fn read<'a>(&'a self, name: &'a str) -> Work<'a, Versioned>;
    /// Writes one if its version is still `version`; null deletes it.
    fn swap<'a>(&'a self, name: &'a str, version: u64, value: &'a Value) -> Work<'a, Swap>;
    /// All whose name begins with `prefix`, in the order of names.
    fn list<'a>(&'a self, prefix: &'a str) -> Work<'a, Vec<(String, Versioned)>>;
    /// Where tickets of waiters are kept: a write there never changes the version of anything here.
    fn queues(&self) -> &dyn Register;
}

/// What is known of a holder's life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Life {
    /// It lives, and why we think so.
    Alive(String),
    /// It ended, and why we think so. Stays true once it is.
    Dead(String),
    /// That cannot be told: counts as alive.
    Unknown(String),
}

impl Life {
    /// Reason for thinking so, as a fragment for people.
    pub fn why(&self) -> &str {
        match self {
            Self::Alive(why) | Self::Dead(why) | Self::Unknown(why) => why,
        }
    }

    /// In one word.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Alive(_) => "alive",
            Self::Dead(_) => "dead",
            Self::Unknown(_) => "unknown",
        }
    }
}

/// What can be learned of holders, and done about them, by other means than their signs of life.
pub trait Owners: Send + Sync {
    /// How a holder in a server task is; none when only its signs of life tell.
    fn life<'a>(&'a self, owner: &'a Owner) -> Work<'a, Option<Life>>;
    /// Makes sure that the server turns away what a holder sends from now on. Whether that could be done.
    fn fence<'a>(&'a self, owner: &'a Owner) -> Work<'a, bool>;
}

/// Knows nothing but signs of life.
pub struct NoServer;

impl Owners for NoServer {
    fn life<'a>(&'a self, _: &'a Owner) -> Work<'a, Option<Life>> {
        Box::pin(async { Ok(None) })
    }
    fn fence<'a>(&'a self, _: &'a Owner) -> Work<'a, bool> {
        Box::pin(async { Ok(false) })
    }
}

/// Who we are.
#[derive(Clone, Debug)]
pub struct Me {
    /// The server task we run in.
    pub task: Option<String>,
    /// The name of our run.
    pub run: String,
    /// What stands in the comments of the deployments that our run makes.
    pub mark: String,
    /// Random, new for each process.
    pub process: String,
    /// The machine.
    pub host: String,
    /// The process id.
    pub pid: u32,
    /// Tells other processes of this machine whether we have ended.
    pub identity: Option<ProcessIdentity>,
    /// The key our changes are sent with, when it is ours alone (`Users-1/apikeys-...`).
    pub key: Option<String>,
    /// Where a person looks at us.
    pub url: Option<String>,
    /// The mark of the run that made the deployment we run in, and waits for it.
    pub parent: Option<String>,
    /// Whether we are the only process of our run, by the word of a journal: then what an earlier process of it held is ours.
    pub only_one: bool,
    /// Where nobody but this process can ask for locks, what everything that is elsewhere left to chance is made of: then the same run asks,
    /// waits and tells in the same way each time.
    pub seed: Option<String>,
}

impl Me {
    /// This process, working on `run`.
    pub fn new(run: impl Into<String>) -> Self {
        let run = run.into();
        Self {
            task: None,
            mark: run.clone(),
            run,
            process: random(),
            host: hostname::get().ok().and_then(|name| name.into_string().ok()).unwrap_or_else(|| "unknown".to_owned()),
            pid: std::process::id(),
            identity: ProcessIdentity::own(),
            key: None,
            url: None,
            parent: None,
            only_one: false,
            seed: None,
        }
    }

    /// A process that nobody else meets, such as one with a server of its own: called by `run`, without what differs from one machine and one
    /// start to the next.
    pub fn alone(run: impl Into<String>, seed: impl Into<String>) -> Self {
        let seed = seed.into();
        Self {
            process: seeded(&seed, "process", 0),
            host: "sandbox".to_owned(),
            pid: 0,
            identity: None,
            seed: Some(seed),
            ..Self::new(run)
        }
    }
}

/// A lock that is asked for.
#[derive(Clone, Debug, Default)]
pub struct LockRequest {
    /// The lock.
    pub name: String,
    /// How many may hold it at once; 0 is 1.
    pub slots: u32,
    /// After how long without a sign of life we count as gone.
    pub lease: Option<SignedDuration>,
    /// The branch of the script that asks.
    pub branch: String,
    /// Leaves when somebody holds the lock, so it takes no ticket.
    pub impatient: bool,
}

/// How long what was sent may be under way, on a server that was not measured.
pub const DRAIN: SignedDuration = SignedDuration::from_secs(120);

/// How careful a take-over is.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// The longest time from when something is sent to when it takes effect: so long is waited after a holder is known to be
    /// gone, or its key was revoked (durable-runs.md §3.1).
    pub drain: SignedDuration,
    /// How often a waiter looks at first; it grows to fifteen times as long.
    pub every: SignedDuration,
}

impl Default for Rules {
    fn default() -> Self {
        Self { drain: DRAIN, every: SignedDuration::from_secs(2) }
    }
}

/// How long a holder without a sign of life counts as there, unless it says otherwise.
pub const LEASE: SignedDuration = SignedDuration::from_secs(60);

/// All locks in one register, as one run sees them; clones are the same.
#[derive(Clone)]
pub struct Locks(Arc<Parts>);

/// What [`Locks`] is made of.
pub struct Parts {
    /// Where they are.
    pub register: Arc<dyn Register>,
    /// What else is known of holders.
    pub owners: Arc<dyn Owners>,
    /// Our own time.
    pub clock: Clock,
    /// Who we are.
    pub me: Me,
    /// How careful we are.
    pub rules: Rules,
    /// What we hold.
    held: Mutex<Vec<Held>>,
    /// The nonces that are in use: asking, holding or letting go.
    in_use: Mutex<BTreeSet<String>>,
    /// How many nonces were given for what.
    given: Mutex<BTreeMap<String, u64>>,
}

impl std::ops::Deref for Locks {
    type Target = Parts;
    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl Locks {
    /// The locks in `register`.
    pub fn new(register: Arc<dyn Register>, owners: Arc<dyn Owners>, clock: Clock, me: Me, rules: Rules) -> Self {
        Self(Arc::new(Parts {
            register,
            owners,
            clock,
            me,
            rules,
            held: Mutex::default(),
            in_use: Mutex::default(),
            given: Mutex::default(),
        }))
    }

    /// A nonce for the next of many things of one kind, `of`.
    pub(crate) fn nonce(&self, of: &str) -> String {
        let Some(seed) = &self.me.seed else { return random() };
        let mut given = self.given.lock();
        let number = given.entry(of.to_owned()).or_insert(0);
        *number += 1;
        seeded(seed, of, *number)
    }

    /// What this process holds now.
    pub fn held(&self) -> Vec<Held> {
        self.held.lock().clone()
    }

    /// Whether a holder is one of ours that let go: on a server whose version check is not atomic, somebody else's write may
    /// bring back what it had read before.
    fn is_ghost(&self, owner: &Owner) -> bool {
        owner.process == self.me.process && !self.in_use.lock().contains(&owner.nonce)
    }

    /// Whether a holder is an earlier process of our run, when a journal vouches that there is no other now. The name alone says
    /// nothing: on another machine, with a journal of its own, a run may be called the same.
    fn is_earlier(&self, owner: &Owner) -> bool {
        let me = &self.me;
        me.only_one && owner.run == me.run && owner.mark == me.mark && owner.process != me.process
    }

    /// Takes out of a lock what an earlier process of our run left there.
    pub async fn forget_earlier(&self, name: &str) -> Result<()> {
        memo::change(self, &cell(name), |value| {
            let record = Record::read(name, value)?;
            let nonces: Vec<String> =
                record.owners.iter().filter(|owner| self.is_earlier(owner)).map(|owner| owner.nonce.clone()).collect();
            let nonces: Vec<&str> = nonces.iter().map(String::as_str).collect();
            Ok((!nonces.is_empty()).then(|| record.without(&nonces).to_value()))
        })
        .await
        .map(drop)
    }

    /// The record of a lock.
    pub async fn record(&self, name: &str) -> Result<Record> {
        let found = self.register.read(&cell(name)).await?;
        Record::read(name, found.value.as_ref())
    }

    /// All locks there are, in the order of names.
    pub async fn all(&self) -> Result<Vec<(String, Record)>> {
        let mut all = Vec::new();
        for (name, found) in self.register.list(LOCK).await? {
            let name = name.trim_start_matches(LOCK).to_owned();
            let record = Record::read(&name, found.value.as_ref())?;
            all.push((name, record));
        }
        Ok(all)
    }

    /// How a holder is, as far as one look can tell: its signs of life are compared with its lease's end.
    pub async fn life(&self, owner: &Owner) -> Result<Life> {
        if owner.process == self.me.process {
            return Ok(Life::Alive("it is this process".to_owned()));
        }
        match self.owners.life(owner).await? {
            // Another process in our own task: the task says nothing about it.
            Some(life) if owner.task.is_none() || owner.task != self.me.task => Ok(life),
            _ if owner.has_ended() => Ok(Life::Dead("its process, on this machine, has ended".to_owned())),
            _ if self.register.now() <= owner.until => Ok(Life::Alive("it gave a sign of life within its lease".to_owned())),
            _ => Ok(Life::Unknown("its lease is over; who waits for the lock watches for a sign of life".to_owned())),
        }
    }

    /// Takes a lock away from its holders by hand. Fences them first where that can be done; returns whom it was taken from
    /// and whether all were fenced.
    pub async fn break_open(&self, name: &str, by: &str, reason: &str) -> Result<(Vec<Owner>, bool)> {
        let at = self.register.now();
        let before = self.record(name).await?.owners;
        let mut fenced = true;
        for owner in &before {
            fenced &= self.owners.fence(owner).await?;
        }
        let nonces: Vec<&str> = before.iter().map(|owner| owner.nonce.as_str()).collect();
        let broken = record::Broken { by: by.to_owned(), reason: reason.to_owned(), at, from: before.iter().map(Owner::shown).collect() };
        memo::change(self, &cell(name), |value| {
            let mut record = Record::read(name, value)?;
            if record.broken.as_ref() == Some(&broken) && nonces.iter().all(|nonce| record.owner(nonce).is_none()) {
                return Ok(None);
            }
            record = record.without(&nonces);
            // Nobody was let in, yet what was sent under the old generation is recognised.
            record.generation += 1;
            record.broken = Some(broken.clone());
            Ok(Some(record.to_value()))
        })
        .await?;
        Ok((before, fenced))
    }
}

/// What the names of locks begin with.
pub const LOCK: &str = "lock/";

/// Whether people can tell a name from another: of `most` characters at most, none of them a control character, no space at
/// its ends.
pub fn is_name(name: &str, most: usize) -> bool {
    !name.is_empty() && name.chars().count() <= most && !name.chars().any(char::is_control) && name.trim() == name
}

/// The register's name for a lock.
pub(crate) fn cell(name: &str) -> String {
    format!("{LOCK}{name}")
}

/// 128 random bits.
pub(crate) fn random() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}

/// What stands for chance where there is a seed.
fn seeded(seed: &str, of: &str, number: u64) -> String {
    uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, format!("{seed}\n{of}\n{number}").as_bytes()).simple().to_string()
}

/// A pause that differs from one contender to the next, so that they do not meet again: a half to one and a half of `base`.
pub(crate) fn spread(base: SignedDuration, nonce: &str, attempt: u32) -> SignedDuration {
    let hash = nonce.bytes().fold(u64::from(attempt) ^ 0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
    let percent = 50 + (hash >> 20) % 101;
    SignedDuration::from_millis((base.as_millis() as i64).saturating_mul(percent as i64) / 100)
}
