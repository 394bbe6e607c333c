//! Tickets: who waits for a lock, in the order in which they came.
//!
//! Only the lock's record says who is inside. Tickets say who may try, so nothing depends on them: when they cannot be read or
//! written, waiters have no order, as in version 0.1.0. They stand beside the record, never in it: on a server that checks a
//! version first and writes later, each further write of the record could bring an old version back (model D4 of `tests/model`).
//!
//! A waiter that is gone blocks nobody: its ticket ends by itself, is dropped when its process is known to have ended, and is
//! struck by the next waiter when the lock is free and the ticket's turn passes.

use super::{LockRequest, Locks, Owner, Record, Register, Swap, spread};
use crate::{
    clock::later,
    error::{Kind, Result},
    platform::process::{ProcessIdentity, ProcessState},
};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// The format of queues; another one is left alone.
pub const FORMAT: u32 = 1;
/// What the names of queues begin with.
pub const QUEUE: &str = "queue/";
/// The most tickets of one lock: a value on the server is short. Waiters beyond have no order among them.
pub const MOST: usize = 24;
/// How long a ticket counts without being renewed.
const VALID: SignedDuration = SignedDuration::from_mins(10);
/// How often a change is tried: the next look tries again.
const ATTEMPTS: u32 = 5;

/// A waiter's place in the queue of a lock.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ticket {
    /// The nonce with which the waiter takes the lock.
    pub nonce: String,
    /// The name of the run.
    pub run: String,
    /// What stands in the comments of the deployments that the run makes.
    #[serde(default)]
    pub mark: String,
    /// Random, new for each process.
    pub process: String,
    /// The branch of the script that asks; empty outside of `parallel`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub branch: String,
    /// The server task in which the waiter runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// The machine, for people.
    pub host: String,
    /// The process id on it, for people.
    pub pid: u32,
    /// Tells other processes of the same machine whether the waiter has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<ProcessIdentity>,
    /// How many may hold the lock at once, as this waiter asks for it.
    pub slots: u32,
    /// When it came, on the register's clock; for people.
    pub since: Timestamp,
    /// Until when the ticket counts, on the register's clock.
    pub until: Timestamp,
    /// Within how many milliseconds it looks at a lock that has become free.
    pub turn: i64,
}

impl Ticket {
    /// E.g. `run 4f2c (ServerTasks-12) on build-1, process 4711`.
    pub fn shown(&self) -> String {
        super::record::shown(&self.run, self.task.as_deref(), &self.host, self.pid)
    }

    /// How long others leave it a free lock: at most five minutes, whatever it says.
    fn turn(&self) -> SignedDuration {
        SignedDuration::from_millis(self.turn.clamp(1, 300_000))
    }
}

/// All tickets of one lock.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Queue {
    /// The format.
    pub v: u32,
    /// The first comes first.
    pub tickets: Vec<Ticket>,
    /// The generation of the lock in which a ticket was last struck: then all that wait have seen the lock free already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub struck: Option<u64>,
}

impl Default for Queue {
    fn default() -> Self {
        Self { v: FORMAT, tickets: Vec::new(), struck: None }
    }
}

impl Queue {
    /// What a register holds; empty when it cannot be read, for then it orders nobody.
    fn read(value: Option<&Value>) -> Self {
        value.and_then(|value| serde_json::from_value(value.clone()).ok()).filter(|queue: &Self| queue.v == FORMAT).unwrap_or_default()
    }

    fn to_value(&self) -> Value {
        if self.tickets.is_empty() { Value::Null } else { serde_json::to_value(self).unwrap_or_default() }
    }

    fn place(&self, nonce: &str) -> Option<usize> {
        self.tickets.iter().position(|ticket| ticket.nonce == nonce)
    }
}

fn cell(name: &str) -> String {
    format!("{QUEUE}{name}")
}

impl Locks {
    /// Who waits for a lock, the first first. Empty where that cannot be read.
    pub async fn waiting(&self, name: &str) -> Vec<Ticket> {
        let mut queue = match self.register.queues().read(&cell(name)).await {
            Ok(found) => Queue::read(found.value.as_ref()),
            Err(_) => Queue::default(),
        };
        self.drop_gone(&mut queue);
        queue.tickets
    }

    /// The same of all locks, by name.
    pub async fn all_waiting(&self) -> BTreeMap<String, Vec<Ticket>> {
        let found = self.register.queues().list(QUEUE).await.unwrap_or_default();
        let tickets = found.into_iter().map(|(name, found)| {
            let mut queue = Queue::read(found.value.as_ref());
            self.drop_gone(&mut queue);
            (name.trim_start_matches(QUEUE).to_owned(), queue.tickets)
        });
        tickets.collect()
    }

    /// Drops tickets of waiters that are known to be gone.
    fn drop_gone(&self, queue: &mut Queue) {
        let now = self.register.now();
        queue.tickets.retain(|ticket| {
            let ended = ticket.identity.as_ref().is_some_and(|identity| identity.state() == ProcessState::Ended);
            let left = ticket.process == self.me.process && !self.in_use.lock().contains(&ticket.nonce);
            ticket.until > now && !ended && !left
        });
    }
}

/// A waiter's view of the queue.
#[derive(Default)]
pub(super) struct Standing {
    /// A ticket of ours may stand there.
    pending: bool,
    /// This account may not write tickets.
    refused: bool,
    /// Our ticket was written; on a server that lets two writers through it may have been overwritten.
    written: bool,
    /// It was seen to stand there.
    seen: bool,
    /// The nonces before us when we last looked.
    before: Vec<String>,
    /// How many were before us, by what we saw last and how often the lock was taken since.
    pub(super) place: Option<usize>,
    /// The lock's generation when we last looked.
    generation: u64,
    /// When our ticket must be renewed.
    renew: Option<Timestamp>,
    /// The queue when the lock was last seen free, with its version: if nobody came since, our ticket is given back with one request.
    last: Option<(u64, Queue)>,
    /// Whose turn we wait for, and since when.
    turn: Option<(u64, Option<u64>, String, Timestamp)>,
}

/// What a look at the tickets of a free lock says.
pub(super) enum Try {
    /// We may take it.
    Now,
    /// Others come first: how many, and the first of them.
    After(usize, Box<Ticket>),
}

/// A waiter: who it is, what it asks for, and how it stands in the queue.
pub(super) struct Waiter<'a> {
    pub(super) locks: &'a Locks,
    pub(super) wanted: &'a LockRequest,
    pub(super) nonce: &'a str,
    /// The longest pause between two looks.
    pub(super) longest: SignedDuration,
}

impl Waiter<'_> {
    fn queues(&self) -> &dyn Register {
        self.locks.register.queues()
    }

    fn ticket(&self) -> Ticket {
        let (me, now) = (&self.locks.me, self.locks.register.now());
        let turn = self.longest + self.locks.rules.every + self.locks.register.settle();
        Ticket {
            nonce: self.nonce.to_owned(),
            run: me.run.chars().take(100).collect(),
            mark: me.mark.clone(),
            process: me.process.clone(),
            branch: self.wanted.branch.clone(),
            task: me.task.clone(),
            host: me.host.clone(),
            pid: me.pid,
            identity: me.identity.clone(),
            slots: self.wanted.slots,
            since: now,
            until: later(now, VALID),
            turn: turn.as_millis() as i64,
        }
    }

    async fn read(&self) -> Result<(u64, Queue, bool)> {
        let found = self.queues().read(&cell(&self.wanted.name)).await?;
        let before = Queue::read(found.value.as_ref());
        let mut queue = before.clone();
        self.locks.drop_gone(&mut queue);
        let changed = queue != before;
        Ok((found.version, queue, changed))
    }

    async fn write(&self, version: u64, queue: &Queue) -> Result<Swap> {
        self.queues().swap(&cell(&self.wanted.name), version, &queue.to_value()).await
    }

    /// An earlier process of our run that waited: its turn is ours.
    fn is_earlier(&self, ticket: &Ticket) -> bool {
        let me = &self.locks.me;
        let same = ticket.run == me.run && ticket.mark == me.mark && ticket.branch == self.wanted.branch;
        me.only_one && same && ticket.process != me.process
    }
}

impl Standing {
    /// The lock is held: takes a ticket, or looks how far it has come when that is worth a request. What goes wrong leaves us
    /// without an order, until the next look.
    pub(super) async fn stand(&mut self, waiter: &Waiter<'_>, record: &Record) -> Result<()> {
        self.turn = None;
        let taken = record.generation.saturating_sub(self.generation);
        let renew = self.renew.is_none_or(|renew| waiter.locks.register.now() >= renew);
        // The number of takes says how far we have come.
        self.place = self.place.map(|place| place.saturating_sub(usize::try_from(taken).unwrap_or(usize::MAX)));
        self.generation = record.generation;
        if self.refused || (self.written && self.seen && !renew) {
            return Ok(());
        }
        let stood = self.stand_once(waiter, renew).await;
        self.refused = stood.as_ref().is_err_and(|error| error.kind() == Kind::Forbidden);
        ordered(stood)
    }

    async fn stand_once(&mut self, waiter: &Waiter<'_>, renew: bool) -> Result<()> {
        for attempt in 0..ATTEMPTS {
            let (version, mut queue, _) = waiter.read().await?;
            if let Some(place) = queue.place(waiter.nonce)
                && !renew
            {
                self.stands(&queue, place);
                return Ok(());
            }
            if self.add(waiter, version, &mut queue).await? {
                return Ok(());
            }
            waiter.locks.clock.sleep(spread(waiter.locks.rules.every / 10, waiter.nonce, attempt)).await;
        }
        Ok(())
    }

    /// Writes our ticket into a queue as it was read. Whether that is done: somebody else may have written meanwhile.
    async fn add(&mut self, waiter: &Waiter<'_>, version: u64, queue: &mut Queue) -> Result<bool> {
        let ticket = waiter.ticket();
        let until = ticket.until;
        let Some(place) = self.insert(waiter, queue, ticket) else { return Ok(true) };
        // Also when this look is torn off while the request is under way.
        self.pending = true;
        self.last = None;
        let swap = waiter.write(version, queue).await?;
        if swap == Swap::Lost {
            return Ok(false);
        }
        self.stands(queue, place);
        // Where two writers may be let through, the next look says whether it stayed.
        self.seen = swap == Swap::Done && waiter.queues().settle().is_zero();
        self.renew = Some(later(until, -(VALID / 2)));
        Ok(true)
    }

    fn stands(&mut self, queue: &Queue, place: usize) {
        (self.written, self.seen, self.place) = (true, true, Some(place));
        self.before = queue.tickets[..place].iter().map(|ticket| ticket.nonce.clone()).collect();
    }

    /// Puts our ticket where it belongs: where it stands; in the place of an earlier process of our run; behind those that were
    /// before us, when it was lost; else at the end. None when the queue is full.
    fn insert(&self, waiter: &Waiter<'_>, queue: &mut Queue, mut ticket: Ticket) -> Option<usize> {
        let standing = queue.tickets.iter().position(|other| other.nonce == ticket.nonce || waiter.is_earlier(other));
        if let Some(place) = standing {
            ticket.since = queue.tickets[place].since;
            queue.tickets[place] = ticket;
            return Some(place);
        }
        if queue.tickets.len() >= MOST {
            return None;
        }
        let place = if self.written {
            queue.tickets.iter().rposition(|other| self.before.contains(&other.nonce)).map_or(0, |last| last + 1)
        } else {
            queue.tickets.len()
        };
        queue.tickets.insert(place, ticket);
        Some(place)
    }

    /// The lock has `free` places: whether it is our turn. Strikes a ticket whose turn has passed.
    pub(super) async fn may_try(&mut self, waiter: &Waiter<'_>, record: &Record, staying: &[&Owner], free: usize) -> Result<Try> {
        match self.may_try_once(waiter, record, staying, free).await {
            Ok(may) => Ok(may),
            Err(error) => ordered(Err(error)).map(|()| Try::Now),
        }
    }

    async fn may_try_once(&mut self, waiter: &Waiter<'_>, record: &Record, staying: &[&Owner], free: usize) -> Result<Try> {
        let (version, mut queue, _) = waiter.read().await?;
        let own = queue.tickets.iter().position(|ticket| ticket.nonce == waiter.nonce || waiter.is_earlier(ticket));
        self.pending |= own.is_some();
        // It was overwritten or struck: when the lock is held again, it is put back.
        self.seen &= own.is_some();
        self.last = Some((version, queue.clone()));
        let ahead = &queue.tickets[..own.unwrap_or(queue.tickets.len())];
        // Who asks for fewer holders at once than there are now cannot take it, so nobody waits for that.
        let can =
            |ticket: &&Ticket| staying.len() < if staying.is_empty() { ticket.slots } else { record.slots.min(ticket.slots) } as usize;
        let ahead: Vec<Ticket> = ahead.iter().filter(can).cloned().collect();
        self.place = Some(ahead.len());
        if ahead.len() < free {
            return Ok(Try::Now);
        }
        let first = ahead[0].clone();
        let now = waiter.locks.clock.now();
        let turn = (record.generation, queue.struck, first.nonce.clone());
        if self.turn.as_ref().is_none_or(|(generation, struck, nonce, _)| (*generation, *struck, nonce) != (turn.0, turn.1, &turn.2)) {
            self.turn = Some((turn.0, turn.1, turn.2, now));
        }
        let since = self.turn.as_ref().map_or(now, |turn| turn.3);
        // After the first that did not come everybody who lives has seen the lock free, and looks often.
        let lapses = if queue.struck == Some(record.generation) {
            first.turn().min(waiter.locks.rules.every * 4 + waiter.locks.register.settle())
        } else {
            first.turn()
        };
        if waiter.locks.clock.since(since) <= lapses {
            if own.is_none() && !waiter.wanted.impatient && !self.refused {
                self.add(waiter, version, &mut queue).await?;
            }
            return Ok(Try::After(ahead.len(), Box::new(first)));
        }
        queue.tickets.retain(|ticket| ticket.nonce != first.nonce);
        queue.struck = Some(record.generation);
        let struck = waiter.write(version, &queue).await? == Swap::Done;
        self.turn = None;
        Ok(if struck && ahead.len() <= free { Try::Now } else { Try::After(ahead.len(), Box::new(first)) })
    }

    /// Gives our ticket back. When that fails it is struck later.
    pub(super) async fn leave(&mut self, waiter: &Waiter<'_>) {
        if !std::mem::take(&mut self.pending) {
            return;
        }
        for attempt in 0..ATTEMPTS {
            let (version, mut queue, changed) = match self.last.take() {
                Some((version, queue)) => (version, queue, false),
                None => match waiter.read().await {
                    Ok(found) => found,
                    Err(_) => return,
                },
            };
            let before = queue.tickets.len();
            queue.tickets.retain(|ticket| ticket.nonce != waiter.nonce && !waiter.is_earlier(ticket));
            if queue.tickets.len() == before && !changed {
                return;
            }
            match waiter.write(version, &queue).await {
                Ok(Swap::Lost) => waiter.locks.clock.sleep(spread(waiter.locks.rules.every / 10, waiter.nonce, attempt)).await,
                _ => return,
            }
        }
    }
}

/// Tickets are advice: without them the lock is taken without an order. Only a cancelled run ends here.
fn ordered(done: Result<()>) -> Result<()> {
    match done {
        Err(error) if error.kind() != Kind::Cancelled => {
            tracing::debug!(%error, "waiters have no order");
            Ok(())
        }
        done => done,
    }
}
