//! The connection: made when it is needed, made again when it was lost; what can be wrong with a server, in our words.

use super::{
    super::{FORMAT, newer},
    address::{Address, Connector},
    plain::ASKED,
};
use crate::error::{Error, Kind, Result, with_causes};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_postgres::{Client, Connection, error::SqlState, types::Type};

/// Nobody's work on rows takes longer; a statement that waits longer waits for somebody who hangs.
const LIMITS: &str =
    "SET statement_timeout = '30s'; SET lock_timeout = '10s'; SET synchronous_commit = on; SET client_min_messages = warning";

/// The lock under which the tables are made: `octorhai` in numbers.
const MAKING: i64 = 0x6F63_746F_7268;

/// What takes the format with the number of its place to the next.
const MIGRATIONS: [&str; FORMAT as usize] = ["
    CREATE TABLE octorhai.source (hash text PRIMARY KEY, text text NOT NULL);
    CREATE TABLE octorhai.run (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text COLLATE \"C\" NOT NULL UNIQUE, base text COLLATE \"C\" NOT NULL,
        number bigint NOT NULL, new text NOT NULL, sources text NOT NULL REFERENCES octorhai.source(hash), state text NOT NULL,
        unfinished boolean NOT NULL, due bigint, ended bigint, holder text, nonce text, beat timestamptz NOT NULL, cancel boolean NOT NULL,
        updated text NOT NULL, attempts bigint NOT NULL, steps bigint NOT NULL, records bigint NOT NULL, head text NOT NULL);
    CREATE INDEX run_base ON octorhai.run (base, number);
    CREATE INDEX run_unfinished ON octorhai.run (id) WHERE unfinished;
    CREATE INDEX run_due ON octorhai.run (due) WHERE due IS NOT NULL;
    CREATE INDEX run_ended ON octorhai.run (ended) WHERE ended IS NOT NULL;
    CREATE TABLE octorhai.record (
        run bigint NOT NULL REFERENCES octorhai.run(id) ON DELETE CASCADE, number bigint NOT NULL, path text NOT NULL,
        step text NOT NULL, hash text NOT NULL, PRIMARY KEY (run, number));
    CREATE INDEX record_path ON octorhai.record (run, path);
    CREATE TABLE octorhai.cell (name text COLLATE \"C\" PRIMARY KEY, version bigint NOT NULL, value text NOT NULL);
"];

/// What can end a piece of work.
pub type Fault = super::super::fault::Fault<tokio_postgres::Error>;

impl Fault {
    /// Whether the connection is gone, so that nobody knows what became of the work.
    pub fn is_lost(&self) -> bool {
        match self {
            Self::Database(error) => is_lost(error),
            _ => false,
        }
    }

    /// Whether the server was there and is gone: other than one that cannot be reached at all, it may be back at once.
    pub fn is_cut(&self) -> bool {
        use std::io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
        let Self::Database(error) = self else { return false };
        let source = std::error::Error::source(error).and_then(|source| source.downcast_ref::<std::io::Error>());
        error.is_closed() || source.is_some_and(|source| matches!(source.kind(), BrokenPipe | ConnectionReset | UnexpectedEof))
    }
}

fn is_lost(error: &tokio_postgres::Error) -> bool {
    match error.code() {
        Some(code) => code.code().starts_with("08") || code.code().starts_with("57P"),
        None => error.is_closed() || std::error::Error::source(error).is_some_and(<dyn std::error::Error>::is::<std::io::Error>),
    }
}

impl From<tokio_postgres::Error> for Fault {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Database(error)
    }
}

/// Connects.
pub async fn connect(address: &Address) -> Result<Client, Fault> {
    let client = match address.connector()? {
        Connector::Tls(tls) => driven(address.config.connect(tls).await?),
        Connector::Plain(plain) => driven(address.config.connect(plain).await?),
    };
    client.batch_execute(LIMITS).await?;
    Ok(client)
}

/// The client of a connection that works from now on.
fn driven<S, T>((client, connection): (Client, Connection<S, T>)) -> Client
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    tokio::spawn(async move {
        // Who asks the client is told why it ended.
        if let Err(error) = connection.await {
            tracing::debug!(%error, "the connection to the journal ended");
        }
    });
    client
}

/// Makes or migrates the tables when that is needed.
pub async fn prepare(client: &mut Client, address: &Address) -> Result<(), Fault> {
    match format(client).await? {
        Some(FORMAT) => Ok(()),
        Some(format) if format > FORMAT => Err(newer(&address.shown, format).into()),
        _ => make(client, address).await,
    }
}

async fn format(client: &impl tokio_postgres::GenericClient) -> Result<Option<u32>, Fault> {
    // Not `to_regclass`: it goes by a cache that does not hear of a table made while we waited for the lock to make it.
    const IS_THERE: &str = "SELECT EXISTS (SELECT FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
        WHERE n.nspname = 'octorhai' AND c.relname = 'format')";
    let there = client.query_one(IS_THERE, &[]).await?;
    if !there.get::<_, bool>(0) {
        return Ok(None);
    }
    let row = client.query_opt("SELECT number FROM octorhai.format", &[]).await?;
    let number: i64 = row.ok_or_else(|| "its format number is missing".to_owned())?.get(0);
    Ok(Some(u32::try_from(number).unwrap_or(u32::MAX)))
}

async fn make(client: &mut Client, address: &Address) -> Result<(), Fault> {
    let change = client.transaction().await?;
    change.query_typed("SELECT pg_advisory_xact_lock($1)", &[(&MAKING, Type::INT8)]).await?;
    // Another process may have been faster.
    let now = format(&change).await?;
    if now.is_some_and(|now| now > FORMAT) {
        return Err(newer(&address.shown, now.unwrap_or_default()).into());
    }
    if now.is_none() {
        change.batch_execute("CREATE SCHEMA IF NOT EXISTS octorhai; CREATE TABLE octorhai.format (number bigint NOT NULL)").await?;
        change.batch_execute("INSERT INTO octorhai.format VALUES (0)").await?;
    }
    for step in MIGRATIONS.iter().skip(now.unwrap_or(0) as usize) {
        change.batch_execute(step).await?;
    }
    change.execute_typed("UPDATE octorhai.format SET number = $1", &[(&i64::from(FORMAT), Type::INT8)]).await?;
    Ok(change.commit().await?)
}

/// What went wrong, in our words: what, where, why, what now. A server that a run is on already and that does not let it in or write is in
/// the middle of a fail-over, perhaps: with `running` that is trouble that may pass.
pub fn told(address: &Address, fault: Fault, running: bool) -> Error {
    let place = &address.shown;
    let closed = |text: String| Error::new(if running { Kind::Store } else { Kind::Usage }, text);
    let error = match fault {
        Fault::Ours(error) => return error,
        Fault::Damaged(why) => return damaged(place, &why),
        Fault::Database(error) => error,
    };
    let why = address.clean(&error.as_db_error().map_or_else(|| with_causes(&error), |error| error.message().to_owned()));
    let code = error.code().map_or("", SqlState::code);
    match code.get(..2).unwrap_or_default() {
        "28" | "3D" | "42" | "3F" if code == "42501" || !code.starts_with("42") => {
            closed(format!("the store {place} does not let us in: {why}"))
                .help("check user, password (PGPASSWORD) and database; the user needs CONNECT and, the first time, CREATE on the database")
        }
        "42" | "3F" | "XX" | "23" => damaged(place, &why),
        "25" => closed(format!("the store {place} cannot be written: {why}")).help("name the primary server, not a read-only copy"),
        "53" => Error::new(Kind::Store, format!("the store {place} is full: {why}"))
            .help("make room there (disk, memory, connections) and start again: what was written before is safe"),
        "55" | "57" | "40" if !code.starts_with("57P") => {
            Error::new(Kind::Store, format!("the store {place} is locked by another process for too long: {why}"))
                .help("see pg_stat_activity for who waits and who holds a lock, and start again")
        }
        "" if why.contains("does not support TLS") => {
            Error::usage(format!("the store {place} does not offer TLS, which this connection needs"))
                .help("switch it on there (ssl = on); where nobody can listen on the way, ?sslmode=disable does without")
        }
        "" if why.contains(ASKED) => Error::usage(format!("the store {place} is not given the password: {ASKED}"))
            .help("switch TLS on there and leave `sslmode=disable` out, or let it ask by SCRAM (password_encryption = scram-sha-256, and scram-sha-256 in pg_hba.conf)"),
        "" if why.contains("not valid for name") => {
            Error::usage(format!("the certificate of the store {place} is not for this host: {why}"))
                .help("name the host as its certificate does, or have the certificate made out to this name")
        }
        "" if why.contains("certificate") => Error::usage(format!("the certificate of the store {place} is not trusted: {why}"))
            .help("add ?sslrootcert=FILE with the authority's certificate to the address"),
        _ => Error::new(Kind::Store, format!("the store {place} cannot be reached: {why}"))
            .help("check host, port and network, then start again: the run goes on where it was"),
    }
}

fn damaged(place: &str, why: &str) -> Error {
    Error::usage(format!("the journal {place} is damaged: {why}"))
        .help("restore the schema `octorhai` from a backup")
        .help("or rename it (ALTER SCHEMA octorhai RENAME TO ...) and start with an empty journal; unfinished runs in it cannot go on then: look on the server at what they did first")
}
