//! A lock that we hold: signs of life, the check before each effect, and the release.

use super::{LEASE, Locks, cell, memo, record::Record};
use crate::{
    clock::later,
    error::{Error, Kind, Result},
};
use jiff::SignedDuration;
use parking_lot::Mutex;
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};
use tokio::{sync::Notify, task::JoinHandle};

/// A lock that we hold; clones are the same one.
#[derive(Clone)]
pub struct Held(Arc<HeldParts>);

struct HeldParts {
    locks: Locks,
    name: String,
    nonce: String,
    branch: String,
    generation: u64,
    lease: SignedDuration,
    lost: AtomicBool,
    ended: AtomicBool,
    /// Wakes the beating when it shall end.
    end: Notify,
    beating: Mutex<Option<JoinHandle<()>>>,
}

impl Held {
    /// Begins to give signs of life.
    pub(super) fn begin(locks: &Locks, name: &str, nonce: &str, branch: &str, record: &Record) -> Option<Self> {
        let owner = record.owner(nonce)?;
        let held = Self(Arc::new(HeldParts {
            locks: locks.clone(),
            name: name.to_owned(),
            nonce: nonce.to_owned(),
            branch: branch.to_owned(),
            generation: owner.generation,
            lease: owner.lease(),
            lost: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            end: Notify::new(),
            beating: Mutex::default(),
        }));
        locks.held.lock().push(held.clone());
        // In virtual time everybody who could wait is in this process and knows that we live; beats would only make the
        // order of requests differ from run to run.
        if !locks.clock.is_virtual()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            let beating = held.clone();
            *held.0.beating.lock() = Some(runtime.spawn(async move { beating.beat().await }));
        }
        Some(held)
    }

    /// The lock's name.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The branch of the script that took it.
    pub fn branch(&self) -> &str {
        &self.0.branch
    }

    /// The generation: greater than that of everybody who held the lock before.
    pub fn generation(&self) -> u64 {
        self.0.generation
    }

    fn fenced(&self) -> Error {
        Error::new(Kind::Fenced, format!("this run does not hold lock `{}` any more: somebody took it over or broke it", self.0.name))
            .with("lock", self.0.name.clone())
            .with("generation", self.0.generation)
            .help("nothing more is done by this run; `octorhai locks show` says who holds the lock now")
    }

    /// Asked before each effect: an error of kind `fenced` when the lock is not ours any more.
    pub async fn still_mine(&self) -> Result<()> {
        if !self.0.lost.load(Ordering::SeqCst) {
            let record = self.0.locks.record(&self.0.name).await?;
            if let Some(owner) = record.owner(&self.0.nonce)
                && owner.generation == self.0.generation
                && !self.task_is_over(owner).await?
            {
                return Ok(());
            }
            self.0.lost.store(true, Ordering::SeqCst);
        }
        Err(self.fenced())
    }

    /// Whether the server task in which we run is complete, though we live: others may take over, so we must not act.
    async fn task_is_over(&self, owner: &super::Owner) -> Result<bool> {
        Ok(matches!(self.0.locks.owners.life(owner).await?, Some(super::Life::Dead(_))))
    }

    /// Gives signs of life until the lock is released or lost.
    async fn beat(&self) {
        let clock = &self.0.locks.clock;
        let every = SignedDuration::from_millis((self.0.lease.as_millis() as i64 / 3).max(1));
        let soon = every.min(SignedDuration::from_secs(1));
        let mut pause = every;
        while !self.0.ended.load(Ordering::SeqCst) {
            tokio::select! {
                () = clock.sleep(pause) => {}
                () = self.0.end.notified() => return,
            }
            pause = match self.beat_once().await {
                Ok(true) => every,
                Ok(false) => {
                    self.0.lost.store(true, Ordering::SeqCst);
                    return;
                }
                // An outage: the next sign of life must come before the lease is over.
                Err(_) => soon,
            };
        }
    }

    /// One sign of life; whether the lock is ours.
    async fn beat_once(&self) -> Result<bool> {
        let register = &self.0.locks.register;
        let found = register.read(&cell(&self.0.name)).await?;
        let mut record = Record::read(&self.0.name, found.value.as_ref())?;
        let until = later(register.now(), self.0.lease);
        let Some(owner) = record.owners.iter_mut().find(|owner| owner.nonce == self.0.nonce) else { return Ok(false) };
        if self.task_is_over(owner).await? {
            return Ok(false);
        }
        owner.beat += 1;
        // Version 0.1.0 drops what it does not know when it writes the record.
        owner.identity.clone_from(&self.0.locks.me.identity);
        owner.until = until;
        let beat = owner.beat;
        register.swap(&cell(&self.0.name), found.version, &record.to_value()).await?;
        tokio::select! {
            () = self.0.locks.clock.sleep(register.settle()) => {}
            // It is being given back, which looks again by itself.
            () = self.0.end.notified() => return Ok(true),
        }
        let record = self.0.locks.record(&self.0.name).await?;
        match record.owner(&self.0.nonce) {
            None => Ok(false),
            Some(owner) if owner.beat >= beat => Ok(true),
            Some(_) => Err(Error::new(Kind::Unreachable, "somebody else wrote at the same moment")),
        }
    }

    /// Lets go. Returns once it is seen that the lock is not ours any more, whoever took it from us.
    pub async fn release(&self) -> Result<()> {
        self.0.ended.store(true, Ordering::SeqCst);
        self.0.end.notify_one();
        let beating = self.0.beating.lock().take();
        if let Some(beating) = beating {
            // A beat under way ends by itself soon; one that came after the release would be refused or seen.
            let _ = beating.await;
        }
        let released = let_go(&self.0.locks, &self.0.name, &self.0.nonce).await;
        self.forget();
        released
    }

    /// Ends the signs of life and leaves the record as it is: something we sent may still take effect, so the next holder
    /// has to come in as after a dead one.
    pub fn abandon(&self) {
        self.0.ended.store(true, Ordering::SeqCst);
        self.0.end.notify_one();
        self.forget();
    }

    fn forget(&self) {
        self.0.locks.held.lock().retain(|held| held.0.nonce != self.0.nonce);
        self.0.locks.in_use.lock().remove(&self.0.nonce);
    }
}

/// Makes sure that `nonce` is no holder, also when a take with a lost answer lands late: each write moves the version.
pub(super) async fn let_go(locks: &Locks, name: &str, nonce: &str) -> Result<()> {
    memo::change(locks, &cell(name), |value| {
        let record = Record::read(name, value)?;
        Ok(record.owner(nonce).is_some().then(|| record.without(&[nonce]).to_value()))
    })
    .await
    .map(drop)
}

/// A lease in the bounds that make sense: three beats must fit in.
pub(super) fn sensible(lease: Option<SignedDuration>, settle: SignedDuration) -> SignedDuration {
    lease.unwrap_or(LEASE).max(settle * 6).max(SignedDuration::from_millis(300))
}
