//! Runs, steps and cells in one file of this machine, shared by all processes on it.
//!
//! Write-ahead log with full synchronisation: what a method returned from is on the disk. Every change is one immediate transaction, so
//! claims are made one after the other; the holder is checked inside of it.

mod file;
mod held;

use super::{
    Begin, Cell, Claim, Holder, NewRun, Patience, Run, RunState, Step, Store,
    chain::{self, json},
    fenced, not_ours,
    row::{self, Begun, COLUMNS, RunRow},
};
use crate::{
    crash,
    error::{Error, Kind, Result},
    platform::files,
};
use held::{Grip, HeldFiles};
use jiff::Timestamp;
use parking_lot::Mutex;
use rusqlite::{Connection, OptionalExtension, Params, Transaction, TransactionBehavior, params};
use serde_json::Value;
use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::OnceLock,
    time::Duration,
};

/// How long to wait for other processes. A write takes milliseconds; a backup may take seconds.
const PATIENCE: Duration = Duration::from_secs(10);

/// A journal in a file.
pub struct Sqlite {
    file: PathBuf,
    connection: Mutex<Opened>,
    patience: OnceLock<Patience>,
    held: HeldFiles,
    grips: Mutex<HashMap<(String, String), Grip>>,
}

/// A connection, and the file that it leads to.
struct Opened {
    connection: Connection,
    identity: Option<files::Identity>,
}

type SqliteFault = super::fault::Fault<rusqlite::Error>;

impl From<rusqlite::Error> for SqliteFault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error)
    }
}

impl Sqlite {
    /// The journal in a folder; made when there is none.
    pub fn open(folder: &Path) -> Result<Self> {
        Self::open_with(folder, PATIENCE)
    }

    /// The same with another patience for processes that have it locked.
    pub fn open_with(folder: &Path, patience: Duration) -> Result<Self> {
        // An absolute path, for errors and because the working folder could change.
        let folder = std::path::absolute(folder).map_err(|error| file::no_folder(folder, &error))?;
        let connection = file::open(&folder, patience)?;
        let file = folder.join("runs.sqlite");
        Ok(Self {
            connection: Mutex::new(Opened { connection, identity: files::identity(&file).ok() }),
            file,
            patience: OnceLock::new(),
            held: HeldFiles::below(&folder),
            grips: Mutex::default(),
        })
    }

    fn told(&self, fault: SqliteFault) -> Error {
        match fault {
            SqliteFault::Database(error) if self.patience.get().is_some() && file::may_be_written_later(&error) => {
                file::fault(&self.file, error).into_kind(Kind::Store)
            }
            SqliteFault::Database(error) => file::fault(&self.file, error),
            SqliteFault::Damaged(why) => file::damaged(&self.file, &why),
            SqliteFault::Ours(error) => error,
        }
    }

    /// Tries something once, or as long as a run waits for its store.
    fn patiently<T>(&self, mut work: impl FnMut(&mut Connection) -> Result<T, SqliteFault>) -> Result<T> {
        let mut once = || {
            let mut opened = self.connection.lock();
            self.stay(&mut opened)?;
            work(&mut opened.connection).map_err(|fault| self.told(fault))
        };
        match self.patience.get() {
            Some(patience) => patience.through(once),
            None => once(),
        }
    }

    /// Makes sure that the connection leads to the file that has the name. SQLite would go on writing to one that was moved away or
    /// deleted, and what was written would be lost with the process.
    fn stay(&self, opened: &mut Opened) -> Result<()> {
        let now = files::identity(&self.file).map_err(|error| file::gone(&self.file, &error))?;
        if opened.identity.as_ref().is_some_and(|then| *then != now) {
            opened.connection = file::again(&self.file, PATIENCE)?;
            opened.identity = Some(now);
        }
        Ok(())
    }

    /// Reads in one transaction, so that all of it is of one moment.
    fn read<T>(&self, work: impl Fn(&Connection) -> Result<T, SqliteFault>) -> Result<T> {
        self.patiently(|connection| {
            let view = connection.transaction()?;
            let found = work(&view)?;
            view.commit()?;
            Ok(found)
        })
    }

    /// Changes something, all or nothing.
    fn change<T>(&self, kind: &str, work: impl Fn(&Transaction<'_>) -> Result<T, SqliteFault>) -> Result<T> {
        crash::point("journal: before", kind);
        let done = self.patiently(|connection| {
            let change = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let found = work(&change)?;
            change.commit()?;
            Ok(found)
        });
        crash::point("journal: after", kind);
        done
    }

    fn is_alive(&self, row: &RunRow) -> Result<bool, SqliteFault> {
        Ok(match (row.state()?, row.holder()?) {
            (state, Some(holder)) if super::may_be_held(&state) => self.held.is_alive(&row.name, &holder),
            _ => false,
        })
    }

    fn whole(&self, connection: &Connection, row: &RunRow) -> Result<Run, SqliteFault> {
        Ok(row.run(sources(connection, &row.sources)?, self.is_alive(row)?, None)?)
    }

    /// The runs that a condition selects.
    fn list(&self, rest: &str, params: impl Params + Clone) -> Result<Vec<Run>> {
        self.read(|view| {
            let mut known: HashMap<String, Vec<(String, String)>> = HashMap::new();
            let mut runs = Vec::new();
            for row in rows(view, rest, params.clone())? {
                if !known.contains_key(&row.sources) {
                    known.insert(row.sources.clone(), sources(view, &row.sources)?);
                }
                runs.push(row.run(known[&row.sources].clone(), self.is_alive(&row)?, None)?);
            }
            Ok(runs)
        })
    }
}

impl Store for Sqlite {
    fn place(&self) -> String {
        self.file.display().to_string()
    }

    fn is_own(&self) -> bool {
        files::is_own(&self.file) && self.file.parent().is_some_and(files::is_own)
    }

    fn claim_if(&self, new: &NewRun, holder: &Holder, begin: Begin) -> Result<Claim> {
        self.change("claim", |change| {
            let found = one(change, &new.name)?;
            if let Some(row) = &found
                && row.state().is_ok_and(|state| begin.leaves(&state))
            {
                return Ok(Claim::Ended(Box::new(self.whole(change, row)?)));
            }
            if let Some(row) = &found
                && self.is_alive(row)?
            {
                return Ok(Claim::Held(Box::new(self.whole(change, row)?)));
            }
            let open = found.filter(|row| row.state().map_or(true, |state| state.is_unfinished()));
            // Nobody looks for this file before the transaction has told them of it.
            let grip = self.held.take(&new.name, holder).map_err(|error| file::no_folder(&self.file, &error))?;
            let claim = if let Some(row) = open {
                let steps = steps(change, &row)?;
                let mut run = self.whole(change, &row)?;
                change
                    .prepare_cached(
                        "UPDATE run SET state = ?2, unfinished = 1, due = NULL, holder = ?3, nonce = ?4, updated = ?5, \
                             attempts = attempts + 1 WHERE id = ?1",
                    )?
                    .execute(params![row.id, json(&RunState::Running), json(holder), holder.nonce, new.created.to_string()])?;
                if let Some(dead) = row.holder()?.filter(|dead| dead.nonce != holder.nonce) {
                    self.held.forget(&row.name, &dead);
                }
                run.attempts += 1;
                Claim::Resumed(Box::new(run), steps)
            } else {
                make_room(change, &new.name)?;
                insert_run(change, new, holder)?;
                Claim::Fresh
            };
            self.grips.lock().insert((new.name.clone(), holder.nonce.clone()), grip);
            Ok(claim)
        })
        .inspect_err(|_| drop(self.grips.lock().remove(&(new.name.clone(), holder.nonce.clone()))))
    }

    fn begin_for(&self, new: &NewRun, holder: &Holder) -> Result<()> {
        self.change("begin_for", |change| {
            let (row, begun) = (ours(change, &new.name, holder)?, Begun::of(new));
            change.prepare_cached("UPDATE run SET new = ?2, head = ?3 WHERE id = ?1 AND records = 0")?.execute(params![
                row.id,
                begun.new,
                begun.genesis()
            ])?;
            Ok(())
        })
    }

    fn be_patient(&self, patience: Patience) {
        let _ = self.patience.set(patience);
    }

    fn beat(&self, run: &str, holder: &Holder) -> Result<bool> {
        // The kernel knows whether we live, so nothing has to be written.
        self.read(|view| Ok(ours(view, run, holder)?.cancel))
    }

    fn write(&self, run: &str, holder: &Holder, steps: &[Step]) -> Result<()> {
        self.change("write", |change| {
            let row = ours(change, run, holder)?;
            let (mut head, mut number, mut fresh) = (row.head, row.records, 0);
            let mut known = change.prepare_cached("SELECT 1 FROM record WHERE run = ? AND path = ? LIMIT 1")?;
            let mut insert = change.prepare_cached("INSERT INTO record (run, number, path, step, hash) VALUES (?, ?, ?, ?, ?)")?;
            let mut updated = row.updated.parse().unwrap_or(Timestamp::MIN);
            for step in steps {
                fresh += i64::from(!known.exists(params![row.id, step.path])?);
                let text = chain::step_json(step);
                number += 1;
                head = chain::link(&head, number, &text);
                insert.execute(params![row.id, number, step.path, text, head])?;
                updated = updated.max(step.ended.unwrap_or(step.began));
            }
            change
                .prepare_cached("UPDATE run SET head = ?2, records = ?3, steps = steps + ?4, updated = ?5 WHERE id = ?1")?
                .execute(params![row.id, head, number, fresh, updated.to_string()])?;
            Ok(())
        })
    }

    fn mark_cancelled(&self, run: &str, holder: &Holder, reason: &str, at: Timestamp) -> Result<()> {
        self.change("cancel", |change| mark(change, "cancel = 1", &ours(change, run, holder)?, &super::cancelled_by(reason), at))
    }

    fn put_down(&self, run: &str, holder: &Holder, state: &RunState, at: Timestamp) -> Result<()> {
        self.change("put_down", |change| {
            let row = ours(change, run, holder)?;
            mark(change, "nonce = NULL", &row, &super::left_as(&row.state()?, row.cancel, state), at)
        })?;
        self.grips.lock().remove(&(run.to_owned(), holder.nonce.clone()));
        Ok(())
    }

    fn run(&self, name: &str) -> Result<Option<Run>> {
        self.read(|view| one(view, name)?.map(|row| self.whole(view, &row)).transpose())
    }

    fn runs(&self, unfinished: bool, limit: usize) -> Result<Vec<Run>> {
        let only = if unfinished { "WHERE unfinished " } else { "" };
        self.list(&format!("{only}ORDER BY id DESC LIMIT ?"), [i64::try_from(limit).unwrap_or(i64::MAX)])
    }

    fn steps(&self, name: &str) -> Result<Vec<Step>> {
        self.read(|view| one(view, name)?.map_or_else(|| Ok(Vec::new()), |row| steps(view, &row)))
    }

    fn cancel(&self, name: &str, at: Timestamp) -> Result<bool> {
        self.change("cancel", |change| {
            let Some(row) = one(change, name)?.filter(|row| row.state().map_or(true, |state| state.is_unfinished())) else {
                return Ok(false);
            };
            if self.is_alive(&row)? {
                mark(change, "cancel = 1", &row, &super::asked_to_end(), at)?;
            } else {
                mark(change, "cancel = 1, nonce = NULL", &row, &super::cancelled(), at)?;
            }
            Ok(true)
        })
    }

    fn due(&self, now: Timestamp) -> Result<Vec<Run>> {
        self.list("WHERE due IS NOT NULL AND due <= ? ORDER BY due, id", [row::micros(now)])
    }

    fn prune(&self, before: Timestamp) -> Result<usize> {
        self.change("prune", |change| {
            let gone = change.execute("DELETE FROM run WHERE NOT unfinished AND ended < ?", [row::micros(before)])?;
            change.execute("DELETE FROM source WHERE hash NOT IN (SELECT sources FROM run)", [])?;
            Ok(gone)
        })
    }

    fn cell(&self, name: &str) -> Result<Option<Cell>> {
        let cells = self.read(|view| cells(view, "name = ?", name))?;
        Ok(cells.into_iter().next())
    }

    fn cells(&self, prefix: &str) -> Result<Vec<Cell>> {
        self.read(|view| cells(view, "name >= ?1 AND substr(name, 1, length(?1)) = ?1 ORDER BY name", prefix))
    }

    fn swap(&self, name: &str, version: u64, value: &Value) -> Result<bool> {
        let version = version as i64;
        self.change("swap", |change| {
            let sql = if version == 0 {
                "INSERT INTO cell (name, version, value) VALUES (?1, 1 + ?2, ?3) ON CONFLICT DO NOTHING"
            } else {
                "UPDATE cell SET version = version + 1, value = ?3 WHERE name = ?1 AND version = ?2"
            };
            Ok(change.prepare_cached(sql)?.execute(params![name, version, json(value)])? == 1)
        })
    }
}

fn rows(connection: &Connection, rest: &str, params: impl Params) -> Result<Vec<RunRow>, SqliteFault> {
    let mut query = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM run {rest}"))?;
    let rows = query.query_map(params, |row| {
        Ok(RunRow {
            id: row.get(0)?,
            name: row.get(1)?,
            new: row.get(2)?,
            sources: row.get(3)?,
            state: row.get(4)?,
            holder: row.get(5)?,
            updated: row.get(6)?,
            attempts: row.get(7)?,
            steps: row.get(8)?,
            records: row.get(9)?,
            head: row.get(10)?,
            cancel: row.get(11)?,
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn one(connection: &Connection, name: &str) -> Result<Option<RunRow>, SqliteFault> {
    Ok(rows(connection, "WHERE name = ?", [name])?.pop())
}

/// The run's row if the holder is its holder.
fn ours(connection: &Connection, name: &str, holder: &Holder) -> Result<RunRow, SqliteFault> {
    let row = one(connection, name)?.ok_or_else(|| fenced(name, "it is not in the journal any more"))?;
    let (state, now) = (row.state()?, row.holder()?);
    // What is left keeps its last holder's name, but not the nonce.
    let held = || connection.prepare_cached("SELECT 1 FROM run WHERE id = ? AND nonce = ?")?.exists(params![row.id, holder.nonce]);
    if !super::may_be_held(&state) || now.as_ref().is_none_or(|now| now.nonce != holder.nonce) || !held()? {
        return Err(not_ours(name, &state, now.as_ref(), holder).into());
    }
    Ok(row)
}

/// Gives a run another state; `also` is what else is set: that it is cancelled, that its holder has left it.
fn mark(change: &Transaction<'_>, also: &str, row: &RunRow, state: &RunState, at: Timestamp) -> Result<(), SqliteFault> {
    let (unfinished, due, ended) = row::facts(state, at);
    let sql = format!("UPDATE run SET {also}, state = ?2, unfinished = ?3, due = ?4, ended = ?5, updated = ?6 WHERE id = ?1");
    change.prepare_cached(&sql)?.execute(params![row.id, json(state), unfinished, due, ended, at.to_string()])?;
    Ok(())
}

/// The steps of a run, unless its records are not what was written.
fn steps(connection: &Connection, row: &RunRow) -> Result<Vec<Step>, SqliteFault> {
    let mut query = connection.prepare_cached("SELECT number, step, hash FROM record WHERE run = ? ORDER BY number")?;
    let records = query.query_map([row.id], |row| Ok(chain::Record { number: row.get(0)?, step: row.get(1)?, hash: row.get(2)? }))?;
    let records: Vec<chain::Record> = records.collect::<rusqlite::Result<_>>()?;
    Ok(chain::steps(&row.genesis(), &row.head, records).map_err(|why| format!("the run `{}`: {why}", row.name))?)
}

fn sources(connection: &Connection, hash: &str) -> Result<Vec<(String, String)>, SqliteFault> {
    let text: Option<String> =
        connection.prepare_cached("SELECT text FROM source WHERE hash = ?")?.query_row([hash], |row| row.get(0)).optional()?;
    Ok(row::sources(&text.ok_or_else(|| "the text of a script is missing".to_owned())?, hash)?)
}

/// Gives an ended run of that name the next of the names `NAME~1`, `NAME~2`, ...
fn make_room(change: &Transaction<'_>, name: &str) -> Result<(), SqliteFault> {
    let mut number: i64 = change.query_row("SELECT coalesce(max(number), 0) + 1 FROM run WHERE base = ?", [name], |row| row.get(0))?;
    // Somebody may have named a run of theirs like that.
    while change.prepare_cached("SELECT 1 FROM run WHERE name = ?")?.exists([format!("{name}~{number}")])? {
        number += 1;
    }
    change.prepare_cached("UPDATE run SET name = ?2, base = ?1, number = ?3 WHERE name = ?1")?.execute(params![
        name,
        format!("{name}~{number}"),
        number
    ])?;
    Ok(())
}

fn insert_run(change: &Transaction<'_>, new: &NewRun, holder: &Holder) -> Result<(), SqliteFault> {
    let begun = Begun::of(new);
    change
        .prepare_cached("INSERT INTO source (hash, text) VALUES (?, ?) ON CONFLICT DO NOTHING")?
        .execute(params![begun.sources_hash, begun.sources])?;
    change
        .prepare_cached(
            "INSERT INTO run (name, base, number, new, sources, state, unfinished, holder, nonce, cancel, updated, attempts, steps, records, head) \
             VALUES (?1, ?1, 0, ?2, ?3, ?4, 1, ?5, ?6, 0, ?7, 1, 0, 0, ?8)",
        )?
        .execute(params![
            new.name,
            begun.new,
            begun.sources_hash,
            json(&RunState::Running),
            json(holder),
            holder.nonce,
            new.created.to_string(),
            begun.genesis()
        ])?;
    Ok(())
}

fn cells(connection: &Connection, condition: &str, name: &str) -> Result<Vec<Cell>, SqliteFault> {
    let mut query = connection.prepare_cached(&format!("SELECT name, version, value FROM cell WHERE {condition}"))?;
    let found: Vec<(String, i64, String)> =
        query.query_map([name], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?.collect::<rusqlite::Result<_>>()?;
    let cell = |(name, version, text): (String, i64, String)| {
        let value = chain::value(&text).map_err(|why| format!("the cell `{name}` cannot be read ({why})"))?;
        Ok(Cell { name, version: version as u64, value })
    };
    found.into_iter().map(cell).collect()
}
