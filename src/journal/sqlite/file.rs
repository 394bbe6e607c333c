//! The file `runs.sqlite`: how it comes to be, which format it has, what can be wrong with it.

use super::super::{FORMAT, newer};
use crate::{
    error::{Error, Kind, Result},
    platform::files::{WHO_HAS_IT_OPEN, create_folder, private, sync_content, sync_names},
};
use rusqlite::{Connection, ErrorCode, OpenFlags};
use std::{
    fs::OpenOptions,
    io,
    path::{Path, PathBuf},
    time::Duration,
};

/// Says in the file that it is ours: `OcRh`.
const APPLICATION: i32 = 0x4F63_5268;

/// What takes the format with the number of its place to the next. The first makes a journal out of nothing.
const MIGRATIONS: [&str; FORMAT as usize] = ["
    CREATE TABLE source (hash TEXT PRIMARY KEY, text TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE run (
        id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, base TEXT NOT NULL, number INTEGER NOT NULL,
        new TEXT NOT NULL, sources TEXT NOT NULL REFERENCES source(hash), state TEXT NOT NULL, unfinished INTEGER NOT NULL,
        due INTEGER, ended INTEGER, holder TEXT, nonce TEXT, cancel INTEGER NOT NULL, updated TEXT NOT NULL,
        attempts INTEGER NOT NULL, steps INTEGER NOT NULL, records INTEGER NOT NULL, head TEXT NOT NULL);
    CREATE INDEX run_base ON run (base, number);
    CREATE INDEX run_unfinished ON run (id) WHERE unfinished;
    CREATE INDEX run_due ON run (due) WHERE due IS NOT NULL;
    CREATE INDEX run_ended ON run (ended) WHERE ended IS NOT NULL;
    CREATE TABLE record (
        run INTEGER NOT NULL REFERENCES run(id) ON DELETE CASCADE, number INTEGER NOT NULL, path TEXT NOT NULL,
        step TEXT NOT NULL, hash TEXT NOT NULL, PRIMARY KEY (run, number)) WITHOUT ROWID;
    CREATE INDEX record_path ON record (run, path);
    CREATE TABLE cell (name TEXT PRIMARY KEY, version INTEGER NOT NULL, value TEXT NOT NULL) WITHOUT ROWID;
"];

/// Opens the journal in a folder; makes it when there is none yet.
pub fn open(folder: &Path, patience: Duration) -> Result<Connection> {
    let file = folder.join("runs.sqlite");
    create_folder(folder).map_err(|error| no_folder(folder, &error))?;
    if !exists(&file)? {
        create(folder, &file, patience)?;
    }
    if std::fs::metadata(&file).is_ok_and(|known| known.len() == 0) {
        return Err(damaged(&file, "it is empty"));
    }
    let told = |error: rusqlite::Error| fault(&file, error);
    let mut connection = connect(&file, patience).map_err(told)?;
    let (application, format) = numbers(&connection).map_err(told)?;
    if application != APPLICATION {
        return Err(Error::usage(format!("`{}` is a database of something else", file.display()))
            .help("choose another folder with --store FOLDER or OCTORHAI_STATE"));
    }
    if format > FORMAT {
        return Err(newer(&format!("`{}`", file.display()), format));
    }
    if format < FORMAT {
        // What an older octorhai can still read stays beside it.
        let copy = folder.join(format!("runs.format-{format}.sqlite"));
        connection.backup("main", &copy, None::<fn(rusqlite::backup::Progress)>).map_err(told)?;
        migrate(&mut connection, format, &MIGRATIONS).map_err(told)?;
    }
    Ok(connection)
}

fn exists(file: &Path) -> Result<bool> {
    file.try_exists().map_err(|error| no_folder(file, &error))
}

/// A journal appears whole or not at all: it is made under another name. So an empty file is never taken for a new one.
fn create(folder: &Path, file: &Path, patience: Duration) -> Result<()> {
    let told = |error: io::Error| no_folder(folder, &error);
    let turn = private(OpenOptions::new().write(true).create(true).truncate(false)).open(folder.join("create.lock")).map_err(told)?;
    turn.lock().map_err(told)?;
    if exists(file)? {
        return Ok(());
    }
    let beside = |ending: &str| PathBuf::from(format!("{}{ending}", file.display()));
    if beside("-wal").exists() {
        return Err(damaged(file, "it is gone, but the changes that belong to it (`runs.sqlite-wal`) are there"));
    }
    let unborn = beside(".new");
    for ending in ["", "-wal", "-shm", "-journal"] {
        let left = PathBuf::from(format!("{}{ending}", unborn.display()));
        if left.exists() {
            std::fs::remove_file(left).map_err(told)?;
        }
    }
    private(OpenOptions::new().write(true).create_new(true)).open(&unborn).map_err(told)?;
    // Without a write-ahead log: closing one writes it into the file, and does not say when the disk was too full for that.
    let made = (|| {
        let mut connection = Connection::open_with_flags(&unborn, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        connection.busy_timeout(patience)?;
        connection.pragma_update(None, "synchronous", "full")?;
        migrate(&mut connection, 0, &MIGRATIONS)?;
        connection.close().map_err(|(_, error)| error)
    })();
    made.map_err(|error| fault(file, error))?;
    sync_content(&unborn).map_err(told)?;
    std::fs::rename(&unborn, file).map_err(told)?;
    // The name must be on disk, too.
    sync_names(folder).map_err(told)
}

fn connect(file: &Path, patience: Duration) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(patience)?;
    // Before anything is written, so that a file of somebody else is not touched.
    numbers(&connection)?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

/// Connects again, to a file that must be there and ours.
pub fn again(file: &Path, patience: Duration) -> Result<Connection> {
    let connection = connect(file, patience).map_err(|error| fault(file, error))?;
    match numbers(&connection).map_err(|error| fault(file, error))? {
        (APPLICATION, FORMAT) => Ok(connection),
        _ => Err(damaged(file, "another file was put in its place")),
    }
}

/// The error for a file that was there, and is not or cannot be seen.
pub fn gone(file: &Path, error: &io::Error) -> Error {
    Error::new(Kind::Store, format!("the journal `{}` is gone ({error})", file.display()))
        .help("put it back with what belongs to it (`runs.sqlite-wal`): the run is in it; one that is begun anew would do everything again")
}

/// Whether somebody may give back what is missing while a run waits: a right, a disk that was made read-only.
pub fn may_be_written_later(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied))
}

fn numbers(connection: &Connection) -> rusqlite::Result<(i32, u32)> {
    let application = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let format = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    Ok((application, format))
}

/// One transaction for all steps: a crash leaves the old format or the new one.
fn migrate(connection: &mut Connection, from: u32, steps: &[&str]) -> rusqlite::Result<()> {
    let change = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Exclusive)?;
    // Another process may have been faster.
    let (_, now) = numbers(&change)?;
    for step in steps.iter().skip(now.max(from) as usize) {
        change.execute_batch(step)?;
    }
    change.pragma_update(None, "application_id", APPLICATION)?;
    change.pragma_update(None, "user_version", steps.len() as u32)?;
    change.commit()
}

/// What went wrong in SQLite, in our words: what, where, why, what now.
pub fn fault(file: &Path, error: rusqlite::Error) -> Error {
    let place = file.display();
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            Error::new(Kind::Store, format!("the journal `{place}` is locked by another process for too long"))
                .help(format!("see who has it open ({WHO_HAS_IT_OPEN}), e.g. a backup or a stopped process, and start again"))
        }
        Some(ErrorCode::DiskFull) => full(file, &error.to_string()),
        Some(ErrorCode::SystemIoFailure) => full(file, &format!("the disk does not take or give what it should ({error})")),
        Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
            Error::usage(format!("the journal `{place}` cannot be written: {error}"))
                .help("give this user the right to write the file and its folder, or choose another folder with --store FOLDER")
        }
        // Corrupt pages, no database at all, tables that are not there.
        _ => damaged(file, &error.to_string()),
    }
}

fn full(file: &Path, why: &str) -> Error {
    Error::new(Kind::Store, format!("the journal `{}` cannot be written: {why}", file.display()))
        .help("make room on the disk and start again: what was written before is safe, and nothing was sent without being written")
}

/// The error for a file that is not what was written.
pub fn damaged(file: &Path, why: &str) -> Error {
    Error::usage(format!("the journal `{}` is damaged: {why}", file.display()))
        .help("restore it from a backup, or save what can be read with `sqlite3 runs.sqlite .recover`")
        .help("or move `runs.sqlite` and `runs.sqlite-wal` away and start with an empty journal; unfinished runs in it cannot go on then: look on the server at what they did first")
}

/// The error for a folder that cannot be used.
pub fn no_folder(folder: &Path, error: &io::Error) -> Error {
    let kind = if error.kind() == io::ErrorKind::StorageFull { Kind::Store } else { Kind::Usage };
    Error::new(kind, format!("the journal cannot be kept in `{}`: {error}", folder.display()))
        .help("make the folder writable for this user, or choose another with --store FOLDER or OCTORHAI_STATE")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_format_is_migrated_in_order_and_once() {
        let mut connection = Connection::open_in_memory().expect("a database");
        let steps = ["CREATE TABLE a (x)", "ALTER TABLE a ADD COLUMN y", "INSERT INTO a VALUES (1, 2)"];
        migrate(&mut connection, 0, &steps[..1]).expect("format 1");
        migrate(&mut connection, 1, &steps).expect("format 3");
        migrate(&mut connection, 1, &steps).expect("nothing: it is format 3 already");
        let rows: u32 = connection.query_row("SELECT count(*) FROM a WHERE y = 2", [], |row| row.get(0)).expect("rows");
        assert_eq!((rows, numbers(&connection).expect("numbers")), (1, (APPLICATION, 3)));
    }
}
