//! Taking a lock: one look after the other until it is ours. Who waits between the looks, and how long, is the caller's matter.

use super::{
    Held, Life, LockRequest, Locks, Owner, Record, Swap, cell,
    held::{let_go, sensible},
    queue::{Standing, Ticket, Try, Waiter},
    record::FORMAT,
    spread, wait_circles,
};
use crate::{
    clock::{later, text},
    error::{Error, Kind, Result},
};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;

/// The longest pause of the first in the queue, and of those behind, in halves of [`super::Rules::every`].
const FIRST: i32 = 10;
const BEHIND: i32 = 20;

/// Why a lock cannot be had now.
#[derive(Clone, Debug)]
pub struct Busy {
    /// In words, with holder and since when; stays the same while nothing changes.
    pub why: String,
    /// The holders.
    pub owners: Vec<Owner>,
    /// Where a person looks at the first of them.
    pub url: Option<String>,
    /// When it is worth looking again.
    pub pause: SignedDuration,
    /// Whether a holder is gone and only its last requests are waited for.
    pub taking_over: bool,
}

/// What a look found.
pub enum Seen {
    /// It is ours.
    Taken(Held),
    /// Somebody has it.
    Busy(Busy),
}

/// What we have seen of a holder, by our own clock.
struct Watched {
    beat: u64,
    unchanged_since: Timestamp,
    /// Since when it is known that nothing new is sent: it is gone, or its key is revoked.
    quiet_since: Option<Timestamp>,
    fenced: bool,
    /// When the server last said that its task goes on, or nothing.
    asked: Option<(Timestamp, Life)>,
}

impl Watched {
    fn new(beat: u64, now: Timestamp) -> Self {
        Self { beat, unchanged_since: now, quiet_since: None, fenced: false, asked: None }
    }
}

/// Somebody who asks for a lock.
pub struct Taker {
    locks: Locks,
    wanted: LockRequest,
    nonce: String,
    watched: BTreeMap<String, Watched>,
    looks: u32,
    /// A write of ours may still land.
    doubt: bool,
    /// We stand among those who wait.
    registered: bool,
    line: Standing,
    /// Looks since we are the first that waits.
    first_looks: u32,
    /// When we first saw the lock held, and in which generation: how fast it goes from one to the next.
    begun: Option<(Timestamp, u64)>,
    /// The lock's generation when it was last seen held.
    generation: u64,
}

impl Taker {
    /// Asks for a lock; does nothing yet.
    pub fn new(locks: &Locks, wanted: LockRequest) -> Result<Self> {
        let name = wanted.name.as_str();
        if !super::is_name(name, 220) {
            return Err(Error::new(Kind::Script, format!("`{}` cannot be the name of a lock", name.escape_debug()))
                .help("a name has 1 to 220 characters, none of them a control character, and no space at its ends"));
        }
        let nonce = locks.nonce(&format!("{}\n{name}", wanted.branch));
        locks.in_use.lock().insert(nonce.clone());
        Ok(Self {
            locks: locks.clone(),
            wanted: LockRequest { slots: wanted.slots.max(1), ..wanted },
            nonce,
            watched: BTreeMap::new(),
            looks: 0,
            doubt: false,
            registered: false,
            line: Standing::default(),
            first_looks: 0,
            begun: None,
            generation: 0,
        })
    }

    /// One look; takes the lock if it can be had.
    pub async fn look(&mut self) -> Result<Seen> {
        self.looks = self.looks.saturating_add(1);
        let name = cell(&self.wanted.name);
        let asked = self.locks.clock.now();
        let found = self.locks.register.read(&name).await?;
        let record = Record::read(&self.wanted.name, found.value.as_ref())?;
        if record.owner(&self.nonce).is_some() {
            // An earlier take of ours landed late; somebody else's may still be under way.
            return self.confirm().await;
        }
        self.refuse_our_own(&record)?;
        let limit = if record.owners.is_empty() { self.wanted.slots } else { record.slots.min(self.wanted.slots) };
        let mut gone: Vec<String> = record.owners.iter().filter(|owner| self.was_ours(owner)).map(|owner| owner.nonce.clone()).collect();
        let mut why = Vec::new();
        let mut taking_over = None;
        if record.owners.len() - gone.len() >= limit as usize {
            for owner in &record.owners {
                if self.was_ours(owner) {
                    continue;
                }
                let life = self.judge(owner).await?;
                let mut line = format!("held by {} since {}", owner.shown(), owner.since.strftime("%Y-%m-%d %H:%M:%SZ"));
                if let Life::Dead(reason) = &life {
                    match self.last_effects(owner, asked).await? {
                        None => gone.push(owner.nonce.clone()),
                        Some(left) => {
                            taking_over = Some(taking_over.map_or(left, |other: SignedDuration| other.min(left)));
                            line = format!(
                                "{line}; it is gone ({reason}), and we wait until nothing it sent can still take effect, at most {}",
                                text::show(rounded(left))
                            );
                        }
                    }
                } else if let Some(left) = self.silent_until(owner) {
                    line = format!("{line}; known to be dead in {} unless it says something", text::show(rounded(left)));
                } else if let Life::Unknown(reason) = &life {
                    line = format!("{line}; whether it lives cannot be told ({reason}), so it counts as alive");
                }
                why.push(line);
            }
        }
        let free = (limit as usize).saturating_sub(record.owners.len() - gone.len());
        if free > 0 {
            if let Try::After(before, first) = self.turn(&record, &gone, free).await? {
                return Ok(Seen::Busy(self.not_yet(before, &first)));
            }
            return self.take(found.version, record, &gone).await;
        }
        self.wait_in_view(&record).await?;
        self.stand_in_line(&record).await?;
        let pause = taking_over.unwrap_or_else(|| self.pause()).max(SignedDuration::from_millis(1));
        let url = record.owners.iter().find_map(|owner| owner.url.clone());
        Ok(Seen::Busy(Busy { why: why.join("; "), owners: record.owners, url, pause, taking_over: taking_over.is_some() }))
    }

    /// Gives up: a take whose answer was lost must not land later.
    pub async fn give_up(&mut self) -> Result<()> {
        self.leave_view().await;
        self.leave_line().await;
        let given_up = if self.doubt { self.take_back().await } else { Ok(()) };
        self.locks.in_use.lock().remove(&self.nonce);
        given_up
    }

    /// Each write moves the version, and a late one of ours names an old version.
    async fn take_back(&self) -> Result<()> {
        let name = cell(&self.wanted.name);
        for _ in 0..20 {
            let_go(&self.locks, &self.wanted.name, &self.nonce).await?;
            let found = self.locks.register.read(&name).await?;
            let record = Record::read(&self.wanted.name, found.value.as_ref())?;
            if record.owner(&self.nonce).is_none()
                && self.locks.register.swap(&name, found.version, &record.to_value()).await? == Swap::Done
            {
                break;
            }
        }
        self.locks.clock.sleep(self.locks.register.settle()).await;
        let_go(&self.locks, &self.wanted.name, &self.nonce).await
    }

    /// An earlier process of our run, or an earlier take of this process.
    fn was_ours(&self, owner: &Owner) -> bool {
        self.locks.is_earlier(owner) || self.locks.is_ghost(owner)
    }

    /// A wait for ourselves never ends.
    fn refuse_our_own(&self, record: &Record) -> Result<()> {
        let me = &self.locks.me;
        let name = &self.wanted.name;
        if record.owners.len() < record.slots.min(self.wanted.slots) as usize {
            return Ok(());
        }
        for owner in record.owners.iter().filter(|owner| !self.was_ours(owner)) {
            let by_us = owner.process == me.process && wait_circles::within(&self.wanted.branch, &owner.branch);
            let by_parent = me.parent.as_ref() == Some(&owner.mark) && owner.process != me.process;
            let (who, help) = if by_us {
                ("this run itself", "leave out the inner `lock`: what it protects is protected already")
            } else if by_parent {
                ("the run that started this one and waits for it", "take the lock in one of the two only")
            } else {
                continue;
            };
            return Err(Error::new(
                Kind::LockBusy,
                format!("lock `{name}` is held by {who}, which would wait for ever: {}", owner.shown()),
            )
            .with("lock", name.clone())
            .with("holder", owner.shown())
            .help(help));
        }
        Ok(())
    }

    /// Whether a holder lives.
    async fn judge(&mut self, owner: &Owner) -> Result<Life> {
        let now = self.locks.clock.now();
        let seen = self.watched.entry(owner.nonce.clone()).or_insert_with(|| Watched::new(owner.beat, now));
        if seen.beat != owner.beat {
            *seen = Watched::new(owner.beat, now);
        }
        let silent = self.locks.clock.since(seen.unchanged_since);
        if owner.process == self.locks.me.process {
            return Ok(Life::Alive("it is another branch of this run".to_owned()));
        }
        // Another process in our own task: its task tells nothing, for it is ours too.
        if (owner.task.is_none() || owner.task != self.locks.me.task)
            && let Some(life) = self.ask_server(owner).await?
        {
            return Ok(life);
        }
        // What it sent before may still be under way: the caller lets that time pass.
        if owner.has_ended() {
            return Ok(Life::Dead("its process, on this machine, has ended".to_owned()));
        }
        Ok(if silent > owner.lease() {
            Life::Dead(format!("no sign of life for {}", text::show(owner.lease())))
        } else {
            Life::Alive("it gives signs of life".to_owned())
        })
    }

    /// How long a holder whose life only its own signs tell may still be silent, when one is overdue.
    fn silent_until(&self, owner: &Owner) -> Option<SignedDuration> {
        let seen = self.watched.get(&owner.nonce)?;
        let by_signs = seen.asked.is_none() && owner.process != self.locks.me.process;
        let silent = self.locks.clock.since(seen.unchanged_since);
        // A sign comes each third of the lease.
        (by_signs && silent > owner.lease() / 2).then(|| owner.lease() - silent)
    }

    /// How the task of a holder is. An answer that it goes on stands for a while: each waiter asks.
    async fn ask_server(&mut self, owner: &Owner) -> Result<Option<Life>> {
        let stands = self.locks.rules.every * 10;
        let seen = self.watched.get(&owner.nonce).and_then(|seen| seen.asked.clone());
        if let Some((at, life)) = seen
            && self.locks.clock.since(at) < stands
        {
            return Ok(Some(life));
        }
        let life = self.locks.owners.life(owner).await?;
        if let Some(seen) = self.watched.get_mut(&owner.nonce) {
            seen.asked = life.clone().filter(|life| !matches!(life, Life::Dead(_))).map(|life| (self.locks.clock.now(), life));
        }
        Ok(life)
    }

    /// Makes sure that nothing a dead holder sent takes effect after we enter. The record must have been `asked` for after
    /// that time: a take names the version it was read with.
    async fn last_effects(&mut self, owner: &Owner, asked: Timestamp) -> Result<Option<SignedDuration>> {
        let Some(seen) = self.watched.get_mut(&owner.nonce) else { return Err(Error::bug("a holder was not looked at")) };
        if !seen.fenced && owner.key.is_some() && self.locks.owners.fence(owner).await? {
            (seen.fenced, seen.quiet_since) = (true, None);
        }
        let now = self.locks.clock.now();
        let over = later(*seen.quiet_since.get_or_insert(now), self.locks.rules.drain);
        Ok((asked <= over).then(|| over.duration_since(now) + SignedDuration::from_millis(1)))
    }

    async fn take(&mut self, version: u64, record: Record, gone: &[String]) -> Result<Seen> {
        let (me, register) = (&self.locks.me, &self.locks.register);
        let gone: Vec<&str> = gone.iter().map(String::as_str).collect();
        let mut record = record.without(&gone);
        if record.owners.is_empty() {
            record.slots = self.wanted.slots;
        }
        record.v = FORMAT;
        record.generation += 1;
        let now = register.now();
        let lease = sensible(self.wanted.lease, register.settle());
        record.owners.push(Owner {
            task: me.task.clone(),
            run: me.run.clone(),
            mark: me.mark.clone(),
            nonce: self.nonce.clone(),
            process: me.process.clone(),
            branch: self.wanted.branch.clone(),
            host: me.host.clone(),
            pid: me.pid,
            identity: me.identity.clone(),
            generation: record.generation,
            key: me.key.clone(),
            until: later(now, lease),
            since: now,
            beat: 0,
            lease: lease.as_millis() as i64,
            url: me.url.clone(),
        });
        // Also when this look is torn off while the request is under way.
        let before = std::mem::replace(&mut self.doubt, true);
        match register.swap(&cell(&self.wanted.name), version, &record.to_value()).await? {
            Swap::Lost => {
                self.doubt = before;
                Ok(Seen::Busy(self.again("somebody else wrote at the same moment")))
            }
            Swap::Done => self.confirm().await,
            // It may be under way: what is seen now says nothing, and settling begins when it is seen to stand there.
            Swap::Unknown => Ok(Seen::Busy(self.again("the answer to our request was lost"))),
        }
    }

    /// Waits until all writes that were let through are done, and looks who stands there.
    async fn confirm(&mut self) -> Result<Seen> {
        self.locks.clock.sleep(self.locks.register.settle()).await;
        let record = self.locks.record(&self.wanted.name).await?;
        match Held::begin(&self.locks, &self.wanted.name, &self.nonce, &self.wanted.branch, &record) {
            Some(held) => {
                self.doubt = false;
                self.leave_view().await;
                self.leave_line().await;
                Ok(Seen::Taken(held))
            }
            None => Ok(Seen::Busy(self.again("somebody else was quicker"))),
        }
    }

    /// Nobody is known to hold it: look again soon, but not at the same moment as everybody else.
    fn again(&self, why: &str) -> Busy {
        let base = self.locks.rules.every * i32::try_from(2 + self.looks.min(20)).unwrap_or(22) / 40;
        let pause = spread(base, &self.nonce, self.looks);
        Busy { why: why.to_owned(), owners: Vec::new(), url: None, pause, taking_over: false }
    }

    /// When it is worth looking again: two seconds at first, growing to ten for the first in the queue and to twenty for those
    /// behind. Where the lock was seen to go from one to the next, those behind look again when they should be nearly the first.
    fn pause(&mut self) -> SignedDuration {
        let every = self.locks.rules.every;
        let halves = |halves: u32, most: i32| every * i32::try_from(halves).unwrap_or(most).min(most) / 2;
        let most = every * BEHIND / 2;
        match self.line.place {
            Some(0) => {
                self.first_looks = self.first_looks.saturating_add(1);
                let third = self.each_takes().map_or(every, |each| each / 3);
                let base = halves(2 + self.first_looks / 2, FIRST).max(third.min(every * FIRST / 2));
                spread(base, &self.nonce, self.looks)
            }
            place => {
                if let Some(way) = self.way() {
                    // Those with a place do not meet: it is near to what was computed.
                    return way.clamp(every, most) * 3 / 4 + spread(way.clamp(every, most) / 4, &self.nonce, self.looks);
                }
                let before = u32::try_from(place.unwrap_or(0)).unwrap_or(u32::MAX);
                spread(halves((2 + self.looks / 2).saturating_add(before), BEHIND), &self.nonce, self.looks)
            }
        }
    }

    /// How long it takes until we are nearly the first, if the lock goes on from one to the next as it did.
    fn way(&self) -> Option<SignedDuration> {
        let place = i32::try_from(self.line.place?).unwrap_or(i32::MAX).min(1000);
        Some(self.each_takes()? * (3 * place - 2).max(0) / 4)
    }

    /// How long the lock takes from one holder to the next, by what we have seen.
    fn each_takes(&self) -> Option<SignedDuration> {
        let (at, generation) = self.begun?;
        let taken = i32::try_from(self.generation.checked_sub(generation)?).ok().filter(|taken| *taken > 0)?;
        Some(self.locks.clock.since(at) / taken)
    }

    /// The lock is held: takes a ticket, and looks how far it has come.
    async fn stand_in_line(&mut self, record: &Record) -> Result<()> {
        self.generation = record.generation;
        self.begun.get_or_insert((self.locks.clock.now(), record.generation));
        if self.wanted.impatient {
            return Ok(());
        }
        self.line.stand(&waiter(&self.locks, &self.wanted, &self.nonce), record).await
    }

    /// The lock is free: whether we may take it now.
    async fn turn(&mut self, record: &Record, gone: &[String], free: usize) -> Result<Try> {
        // What an earlier process of our run held is ours still.
        if record.owners.iter().any(|owner| self.was_ours(owner)) {
            return Ok(Try::Now);
        }
        let staying: Vec<&Owner> = record.owners.iter().filter(|owner| !gone.contains(&owner.nonce)).collect();
        self.line.may_try(&waiter(&self.locks, &self.wanted, &self.nonce), record, &staying, free).await
    }

    /// It is the turn of somebody else: look again sooner the nearer we are.
    fn not_yet(&self, before: usize, first: &Ticket) -> Busy {
        let soon = self.locks.rules.every * i32::try_from(before + 1).unwrap_or(5).min(5);
        let base = self.way().map_or(soon, |way| way.clamp(soon, self.locks.rules.every * BEHIND / 2));
        let why = format!("free, and it is the turn of {}", first.shown());
        Busy { why, owners: Vec::new(), url: None, pause: spread(base, &self.nonce, self.looks), taking_over: false }
    }

    async fn leave_line(&mut self) {
        self.line.leave(&waiter(&self.locks, &self.wanted, &self.nonce)).await;
    }

    /// Lets others see what we wait for, and looks whether they wait for us. Who holds nothing cannot be part of a cycle.
    async fn wait_in_view(&mut self, record: &Record) -> Result<()> {
        let held = self.locks.held();
        if !held.iter().any(|held| wait_circles::within(&self.wanted.branch, held.branch())) {
            return Ok(());
        }
        let first = !std::mem::replace(&mut self.registered, true);
        wait_circles::register(&self.locks, &self.nonce, &self.wanted, first).await?;
        if let Some(error) = wait_circles::cycle(&self.locks, &self.nonce, &self.wanted, record).await? {
            self.leave_view().await;
            return Err(error);
        }
        Ok(())
    }

    async fn leave_view(&mut self) {
        if std::mem::take(&mut self.registered) {
            wait_circles::forget(&self.locks, &self.nonce).await;
        }
    }
}

/// In steps of fifteen seconds, upwards: what is told changes from time to time, not with each look.
fn rounded(left: SignedDuration) -> SignedDuration {
    SignedDuration::from_secs((left.as_secs() / 15 + 1) * 15)
}

fn waiter<'a>(locks: &'a Locks, wanted: &'a LockRequest, nonce: &'a str) -> Waiter<'a> {
    // `spread` adds half.
    let longest = locks.rules.every * BEHIND * 3 / 4;
    Waiter { locks, wanted, nonce, longest }
}
