//! Runs, steps and cells in a PostgreSQL database, shared by any number of machines.
//!
//! Who is alive is judged by beats on the database's clock. Every change of a run is one statement or transaction that takes effect only
//! if the holder and the last record are still the ones we know. So when an answer was lost, the same can be asked once more: it is
//! done now, or seen to have been done.

mod address;
mod connection;
mod plain;
mod rows;

pub use address::{is_one, with_password};

use super::{
    Begin, Cell, Claim, Holder, NewRun, Patience, Run, RunState, Step, Store,
    chain::json,
    not_ours,
    row::{self, RunRow},
};
use crate::{
    crash,
    error::{Error, Result},
};
use address::Address;
use connection::{Fault, connect, prepare, told};
use jiff::Timestamp;
use parking_lot::Mutex;
use rows::Found;
use serde_json::Value;
use std::{
    collections::HashMap,
    ops::AsyncFn,
    panic::resume_unwind,
    sync::{
        OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
};
use tokio::runtime::{Handle, Runtime};
use tokio_postgres::{Client, IsolationLevel, types::Type};

/// A journal in a database.
pub struct Postgres {
    address: Address,
    // Of its own: who calls may have none, or one that must not be blocked. Always there until it is dropped.
    runtime: Option<Runtime>,
    client: Mutex<Option<Client>>,
    patience: OnceLock<Patience>,
    /// The last record of each run we hold, so that a write needs one trip.
    ends: Mutex<HashMap<(String, String), End>>,
}

/// Where a run's chain ends.
#[derive(Clone)]
struct End {
    head: String,
    records: i64,
    updated: Timestamp,
}

impl End {
    fn of(row: &RunRow) -> Self {
        Self { head: row.head.clone(), records: row.records, updated: row.updated.parse().unwrap_or(Timestamp::MIN) }
    }
}

/// Whether everybody on the way can read and change what is sent to the server at this address.
pub fn is_exposed(address: &str) -> bool {
    Address::read(address).is_ok_and(|address| address.is_exposed())
}

/// The condition on a run, `$6`, that a holder, `$7`, holds it.
const OF_HOLDER: &str = "name = $6 AND nonce = $7";

impl Postgres {
    /// Connects.
    pub fn open(address: &str) -> Result<Self> {
        let address = Address::read(address)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("journal")
            .enable_all()
            .build()
            .map_err(|error| Error::bug(format!("no runtime for the journal: {error}")))?;
        let store = Self { address, runtime: Some(runtime), client: Mutex::default(), patience: OnceLock::new(), ends: Mutex::default() };
        // Once: a database that is without the tables later is another one.
        store.ask(async |client, _| prepare(client, &store.address).await)?;
        Ok(store)
    }

    /// Does some work on the connection, as long as a run waits for its store. When the connection is lost meanwhile, on a new one;
    /// the work is told so.
    fn ask<T: Send>(&self, work: impl AsyncFn(&mut Client, bool) -> Result<T, Fault> + Sync) -> Result<T> {
        let lost = AtomicBool::new(false);
        match self.patience.get() {
            Some(patience) => patience.through(|| self.ask_now(&work, &lost)),
            None => self.ask_now(&work, &lost),
        }
    }

    /// The same, at most twice. `lost` is set when nobody knows what became of the work.
    fn ask_now<T: Send>(&self, work: &(impl AsyncFn(&mut Client, bool) -> Result<T, Fault> + Sync), unknown: &AtomicBool) -> Result<T> {
        let mut place = self.client.lock();
        let place = &mut *place;
        let done = self.block(async || {
            let mut again = false;
            loop {
                let known = !unknown.load(Ordering::Relaxed);
                let mut client = match place.take().filter(|client| !client.is_closed()) {
                    Some(client) => client,
                    None => match connect(&self.address).await {
                        Err(fault) if fault.is_cut() => connect(&self.address).await?,
                        made => made?,
                    },
                };
                let done = work(&mut client, !known).await;
                let lost = done.as_ref().is_err_and(Fault::is_lost);
                if lost {
                    unknown.store(true, Ordering::Relaxed);
                }
                if lost && !again {
                    again = true;
                    continue;
                }
                if !lost {
                    *place = Some(client);
                }
                return done;
            }
        });
        done.map_err(|fault| told(&self.address, fault, self.patience.get().is_some()))
    }

    /// Waits for some work, also where another runtime is being driven and nothing may wait: the intent of an effect is written
    /// in the middle of sending it.
    fn block<T: Send>(&self, work: impl AsyncFnOnce() -> Result<T, Fault> + Send) -> Result<T, Fault> {
        let runtime = self.runtime.as_ref().expect("until it is dropped");
        if Handle::try_current().is_err() {
            return runtime.block_on(work());
        }
        let done = thread::scope(|scope| scope.spawn(|| runtime.block_on(work())).join());
        done.unwrap_or_else(|panic| resume_unwind(panic))
    }

    /// Reads: all of one moment.
    fn read<T: Send>(&self, work: impl AsyncFn(&tokio_postgres::Transaction<'_>) -> Result<T, Fault> + Sync) -> Result<T> {
        self.ask(async |client, _| {
            let view = client.build_transaction().isolation_level(IsolationLevel::RepeatableRead).read_only(true).start().await?;
            let found = work(&view).await?;
            view.commit().await?;
            Ok(found)
        })
    }

    /// Changes something.
    fn change<T: Send>(&self, kind: &str, work: impl AsyncFn(&mut Client, bool) -> Result<T, Fault> + Sync) -> Result<T> {
        crash::point("journal: before", kind);
        let done = self.ask(work);
        crash::point("journal: after", kind);
        done
    }

    fn claimed(&self, row: &RunRow, holder: &Holder) {
        self.ends.lock().insert((row.name.clone(), holder.nonce.clone()), End::of(row));
    }

    async fn claim_once(
        &self,
        client: &mut Client,
        again: bool,
        (new, holder, begin): (&NewRun, &Holder, Begin),
    ) -> Result<Option<Claim>, Fault> {
        let change = client.transaction().await?;
        let (open, ended) = match rows::one(&change, &new.name, true).await? {
            Some(found) if found.row.state()?.is_unfinished() => (Some(found), None),
            Some(found) if begin.leaves(&found.row.state()?) || found.alive => {
                let sources = rows::sources(&change, &[&found.row]).await?;
                let run = Box::new(found.run(sources[&found.row.sources].clone())?);
                return Ok(Some(if begin.leaves(&run.state) { Claim::Ended(run) } else { Claim::Held(run) }));
            }
            Some(found) => (None, Some(found)),
            None => (None, None),
        };
        let claim = if let Some(found) = open {
            let row = &found.row;
            // The first answer was lost, and the claim had been made.
            let made = again && row.holder()?.is_some_and(|now| now.nonce == holder.nonce);
            let sources = rows::sources(&change, &[row]).await?;
            let mut run = found.run(sources[&row.sources].clone())?;
            if run.alive && !made {
                Claim::Held(Box::new(run))
            } else if made && run.attempts == 1 {
                self.claimed(row, holder);
                Claim::Fresh
            } else {
                let steps = rows::steps(&change, row).await?;
                if !made {
                    rows::take_over(&change, row, holder, new.created).await?;
                    run.attempts += 1;
                }
                self.claimed(row, holder);
                Claim::Resumed(Box::new(run), steps)
            }
        } else {
            // Only for the row we hold: another of this name may have been begun by somebody since we looked.
            if let Some(ended) = ended {
                rows::make_room(&change, &ended.row).await?;
            }
            let Some(row) = rows::begin(&change, new, holder).await? else { return Ok(None) };
            self.claimed(&row, holder);
            Claim::Fresh
        };
        change.commit().await?;
        Ok(Some(claim))
    }

    /// The run's row if the holder is its holder; else the error that says whose it is.
    async fn ours(client: &Client, name: &str, holder: &Holder) -> Result<RunRow, Fault> {
        let Some(Found { row, .. }) = rows::one(client, name, false).await? else {
            return Err(super::fenced(name, "it is not in the journal any more").into());
        };
        let (state, now) = (row.state()?, row.holder()?);
        let is_holder = super::may_be_held(&state) && now.as_ref().is_some_and(|now| now.nonce == holder.nonce);
        // What is left keeps its last holder's name, but not the nonce.
        if !is_holder || !rows::is_held(client, name, &holder.nonce).await? {
            return Err(not_ours(name, &state, now.as_ref(), holder).into());
        }
        Ok(row)
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // Without waiting: the last clone may be dropped on a worker of another runtime.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Store for Postgres {
    fn place(&self) -> String {
        self.address.shown.clone()
    }

    fn claim_if(&self, new: &NewRun, holder: &Holder, begin: Begin) -> Result<Claim> {
        self.change("claim", async |client, again| {
            // Two that begin the same run: the database lets one through, and the other then finds it.
            for _ in 0..10 {
                if let Some(claim) = self.claim_once(client, again, (new, holder, begin)).await? {
                    return Ok(claim);
                }
            }
            Err(Error::bug(format!("the run `{}` is neither there nor not there", new.name)).into())
        })
    }

    fn begin_for(&self, new: &NewRun, holder: &Holder) -> Result<()> {
        self.change("begin_for", async |client, _| {
            let row = Self::ours(client, &new.name, holder).await?;
            rows::begin_for(client, &row, new, holder).await
        })?;
        // The next write looks where the chain ends now.
        self.ends.lock().remove(&(new.name.clone(), holder.nonce.clone()));
        Ok(())
    }

    fn be_patient(&self, patience: Patience) {
        let _ = self.patience.set(patience);
    }

    fn beat(&self, run: &str, holder: &Holder) -> Result<bool> {
        let beat = async |client: &mut Client, _| {
            let sql = "UPDATE octorhai.run SET beat = clock_timestamp() WHERE name = $1 AND nonce = $2 RETURNING cancel";
            match client.query_typed_opt(sql, &[(&run, Type::TEXT), (&holder.nonce, Type::TEXT)]).await? {
                Some(row) => Ok(row.get(0)),
                None => Ok(Self::ours(client, run, holder).await?.cancel),
            }
        };
        self.ask_now(&beat, &AtomicBool::new(false))
    }

    fn write(&self, run: &str, holder: &Holder, steps: &[Step]) -> Result<()> {
        let key = (run.to_owned(), holder.nonce.clone());
        self.change("write", async |client, _| {
            let known = self.ends.lock().get(&key).cloned();
            let mut end = match known {
                Some(end) => end,
                None => End::of(&Self::ours(client, run, holder).await?),
            };
            for attempt in 0..2 {
                let records = rows::Records::after(&end.head, end.records, steps);
                let next = End {
                    head: records.head(&end.head),
                    records: end.records + steps.len() as i64,
                    updated: steps.iter().map(|step| step.ended.unwrap_or(step.began)).fold(end.updated, Timestamp::max),
                };
                if records.append(client, run, &holder.nonce, &end.head, next.updated).await? {
                    self.ends.lock().insert(key.clone(), next);
                    return Ok(());
                }
                // Not ours any more; or written although the answer was lost; or another part of this process has written.
                let now = End::of(&Self::ours(client, run, holder).await?);
                if now.head == next.head {
                    self.ends.lock().insert(key.clone(), next);
                    return Ok(());
                }
                if attempt == 0 {
                    end = now;
                }
            }
            Err(super::fenced(run, "another part of this process writes to it").into())
        })
    }

    fn mark_cancelled(&self, run: &str, holder: &Holder, reason: &str, at: Timestamp) -> Result<()> {
        let state = super::cancelled_by(reason);
        self.change("cancel", async |client, _| {
            if rows::mark(client, OF_HOLDER, &[run, &holder.nonce], &state, at).await? {
                return Ok(());
            }
            Self::ours(client, run, holder).await.map(drop)
        })
    }

    fn put_down(&self, run: &str, holder: &Holder, state: &RunState, at: Timestamp) -> Result<()> {
        self.change("put_down", async |client, again| {
            let change = client.transaction().await?;
            let found = rows::one(&change, run, true).await?;
            let state = match &found {
                Some(found) => super::left_as(&found.row.state()?, found.row.cancel, state),
                None => state.clone(),
            };
            if rows::put_down(&change, OF_HOLDER, &[run, &holder.nonce], &state, at).await? {
                change.commit().await?;
                return Ok(());
            }
            drop(change);
            if again
                && let Some(found) = found
                && found.row.state == json(&state)
                && found.row.holder()?.is_some_and(|last| last.nonce == holder.nonce)
            {
                return Ok(());
            }
            Self::ours(client, run, holder).await.map(drop)
        })?;
        self.ends.lock().remove(&(run.to_owned(), holder.nonce.clone()));
        Ok(())
    }

    fn run(&self, name: &str) -> Result<Option<Run>> {
        self.read(async |view| {
            let found: Vec<Found> = rows::one(view, name, false).await?.into_iter().collect();
            Ok(rows::whole(view, &found).await?.pop())
        })
    }

    fn runs(&self, unfinished: bool, limit: usize) -> Result<Vec<Run>> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let only = if unfinished { "WHERE run.unfinished " } else { "" };
        self.read(async |view| {
            let found = rows::some(view, &format!("{only}ORDER BY run.id DESC LIMIT $1"), &[(&limit, Type::INT8)]).await?;
            rows::whole(view, &found).await
        })
    }

    fn steps(&self, name: &str) -> Result<Vec<Step>> {
        self.read(async |view| match rows::one(view, name, false).await? {
            Some(found) => rows::steps(view, &found.row).await,
            None => Ok(Vec::new()),
        })
    }

    fn cancel(&self, name: &str, at: Timestamp) -> Result<bool> {
        self.change("cancel", async |client, again| {
            let change = client.transaction().await?;
            let Some(Found { row, alive, .. }) = rows::one(&change, name, true).await? else { return Ok(false) };
            let state = row.state()?;
            if !state.is_unfinished() {
                return Ok(again && (state == super::cancelled() || state == super::asked_to_end()));
            }
            if alive && state == RunState::Running {
                rows::mark(&change, "name = $6", &[name], &super::asked_to_end(), at).await?;
            } else {
                change.execute_typed("UPDATE octorhai.run SET cancel = true WHERE id = $1", &[(&row.id, Type::INT8)]).await?;
                rows::put_down(&change, "name = $6", &[name], &super::cancelled(), at).await?;
            }
            change.commit().await?;
            Ok(true)
        })
    }

    fn due(&self, now: Timestamp) -> Result<Vec<Run>> {
        let now = row::micros(now);
        self.read(async |view| {
            let found = rows::some(view, "WHERE run.due <= $1 ORDER BY run.due, run.id", &[(&now, Type::INT8)]).await?;
            rows::whole(view, &found).await
        })
    }

    fn prune(&self, before: Timestamp) -> Result<usize> {
        let before = row::micros(before);
        // When the answer was lost, those that the first try deleted are not there to be counted again.
        let most = AtomicU64::new(0);
        self.change("prune", async |client, _| {
            let change = client.transaction().await?;
            let sql = "DELETE FROM octorhai.run WHERE NOT unfinished AND ended < $1";
            let gone = change.execute_typed(sql, &[(&before, Type::INT8)]).await?;
            // A source that a run just begins to use is not seen here: the row is locked by `begin`, and then passed by.
            let unused = "DELETE FROM octorhai.source WHERE hash IN (SELECT hash FROM octorhai.source WHERE NOT EXISTS \
                          (SELECT 1 FROM octorhai.run WHERE run.sources = source.hash) FOR UPDATE SKIP LOCKED)";
            change.batch_execute(unused).await?;
            let gone = gone.max(most.fetch_max(gone, Ordering::Relaxed));
            change.commit().await?;
            Ok(gone as usize)
        })
    }

    fn cell(&self, name: &str) -> Result<Option<Cell>> {
        Ok(self.ask(async |client, _| rows::cells(client, "name = $1", name).await)?.pop())
    }

    fn cells(&self, prefix: &str) -> Result<Vec<Cell>> {
        self.ask(async |client, _| rows::cells(client, "starts_with(name, $1) ORDER BY name", prefix).await)
    }

    fn swap(&self, name: &str, version: u64, value: &Value) -> Result<bool> {
        let (known, text) = (version as i64, json(value));
        self.change("swap", async |client, again| {
            let sql = if known == 0 {
                "INSERT INTO octorhai.cell (name, version, value) VALUES ($1, 1 + $2, $3) ON CONFLICT DO NOTHING"
            } else {
                "UPDATE octorhai.cell SET version = version + 1, value = $3 WHERE name = $1 AND version = $2"
            };
            let done = client.execute_typed(sql, &[(&name, Type::TEXT), (&known, Type::INT8), (&text, Type::TEXT)]).await?;
            if done == 0 && again {
                // Ours, if the answer was lost and nobody wrote since: values that must not be confused hold who wrote them.
                let cell = rows::cells(client, "name = $1", name).await?.pop();
                return Ok(cell.is_some_and(|cell| cell.version == version + 1 && json(&cell.value) == text));
            }
            Ok(done == 1)
        })
    }
}
