//! The statements: rows of the tables to and from what the journal speaks of.

use super::super::{
    Cell, Holder, NewRun, Run, RunState, Step,
    chain::{self, json},
    record::LEASE,
    row::{self, Begun, COLUMNS, RunRow},
};
use super::connection::Fault;
use jiff::{SignedDuration, Timestamp};
use std::collections::HashMap;
use tokio_postgres::{
    GenericClient, Transaction,
    types::{ToSql, Type},
};

type Texts = Vec<(String, String)>;

/// A run's row, and what is known of its holder.
pub struct Found {
    pub row: RunRow,
    /// Its last beat is fresh, and it is no process of this machine that has ended.
    pub alive: bool,
    /// How long the last beat stays fresh.
    pub fresh_for: SignedDuration,
}

impl Found {
    fn new(row: RunRow, fresh_for: f64) -> Self {
        let ended = || row.holder().is_ok_and(|holder| holder.is_some_and(|holder| holder.has_ended()));
        let alive = fresh_for > 0.0 && !ended();
        Self { row, alive, fresh_for: SignedDuration::try_from_secs_f64(fresh_for.max(0.0)).unwrap_or(LEASE) }
    }

    /// The run, with the texts of its sources.
    pub fn run(&self, sources: Texts) -> Result<Run, String> {
        self.row.run(sources, self.alive, self.alive.then_some(self.fresh_for))
    }
}

/// The rows that a condition selects.
pub async fn some(client: &impl GenericClient, rest: &str, params: &[(&(dyn ToSql + Sync), Type)]) -> Result<Vec<Found>, Fault> {
    let lease = LEASE.as_secs();
    let fresh_for = format!(
        "CASE WHEN run.nonce IS NULL THEN 0 ELSE extract(epoch FROM run.beat + interval '{lease} s' - clock_timestamp())::float8 END"
    );
    let sql = format!("SELECT {COLUMNS}, {fresh_for} FROM octorhai.run AS run {rest}");
    let found = client.query_typed(&sql, params).await?.into_iter().map(|row| {
        let fresh_for = row.get(12);
        let row = RunRow {
            id: row.get(0),
            name: row.get(1),
            new: row.get(2),
            sources: row.get(3),
            state: row.get(4),
            holder: row.get(5),
            updated: row.get(6),
            attempts: row.get(7),
            steps: row.get(8),
            records: row.get(9),
            head: row.get(10),
            cancel: row.get(11),
        };
        Found::new(row, fresh_for)
    });
    Ok(found.collect())
}

/// The row of a run; kept for us until the end of the transaction if that is wanted.
pub async fn one(client: &impl GenericClient, name: &str, keep: bool) -> Result<Option<Found>, Fault> {
    let rest = if keep { "WHERE run.name = $1 FOR UPDATE" } else { "WHERE run.name = $1" };
    Ok(some(client, rest, &[(&name, Type::TEXT)]).await?.pop())
}

/// The texts of the sources of some runs, by their hash.
pub async fn sources(client: &impl GenericClient, rows: &[&RunRow]) -> Result<HashMap<String, Texts>, Fault> {
    let mut wanted: Vec<&str> = rows.iter().map(|row| row.sources.as_str()).collect();
    wanted.sort_unstable();
    wanted.dedup();
    let sql = "SELECT hash, text FROM octorhai.source WHERE hash = ANY($1)";
    let mut texts = HashMap::new();
    for found in client.query_typed(sql, &[(&wanted, Type::TEXT_ARRAY)]).await? {
        let (hash, text): (String, String) = (found.get(0), found.get(1));
        let read = row::sources(&text, &hash)?;
        texts.insert(hash, read);
    }
    if texts.len() < wanted.len() {
        return Err("the text of a script is missing".to_owned().into());
    }
    Ok(texts)
}

/// The runs of some rows.
pub async fn whole(client: &impl GenericClient, found: &[Found]) -> Result<Vec<Run>, Fault> {
    let texts = sources(client, &found.iter().map(|found| &found.row).collect::<Vec<_>>()).await?;
    let runs: Result<Vec<Run>, String> = found.iter().map(|found| found.run(texts[&found.row.sources].clone())).collect();
    Ok(runs?)
}

/// The steps of a run, unless its records are not what was written.
pub async fn steps(client: &impl GenericClient, row: &RunRow) -> Result<Vec<Step>, Fault> {
    let sql = "SELECT number, step, hash FROM octorhai.record WHERE run = $1 ORDER BY number";
    let records = client.query_typed(sql, &[(&row.id, Type::INT8)]).await?;
    let records = records.iter().map(|record| chain::Record { number: record.get(0), step: record.get(1), hash: record.get(2) });
    Ok(chain::steps(&row.genesis(), &row.head, records).map_err(|why| format!("the run `{}`: {why}", row.name))?)
}

/// Makes a run ours whose holder is gone.
pub async fn take_over(change: &Transaction<'_>, row: &RunRow, holder: &Holder, at: Timestamp) -> Result<(), Fault> {
    let sql = "UPDATE octorhai.run SET state = $2, unfinished = true, due = NULL, holder = $3, nonce = $4, updated = $5, \
               attempts = attempts + 1, beat = clock_timestamp() WHERE id = $1";
    let (state, holder_text, at) = (json(&RunState::Running), json(holder), at.to_string());
    let params: &[(&(dyn ToSql + Sync), Type)] =
        &[(&row.id, Type::INT8), (&state, Type::TEXT), (&holder_text, Type::TEXT), (&holder.nonce, Type::TEXT), (&at, Type::TEXT)];
    change.execute_typed(sql, params).await?;
    Ok(())
}

/// Gives an ended run the next of the names `NAME~1`, `NAME~2`, ...
pub async fn make_room(change: &Transaction<'_>, ended: &RunRow) -> Result<(), Fault> {
    let name = &ended.name;
    let sql = "SELECT coalesce(max(number), 0) + 1 FROM octorhai.run WHERE base = $1";
    let mut number: i64 = change.query_typed_one(sql, &[(name, Type::TEXT)]).await?.get(0);
    let taken = "SELECT 1 FROM octorhai.run WHERE name = $1";
    // Somebody may have named a run of theirs like that.
    while change.query_typed_opt(taken, &[(&format!("{name}~{number}"), Type::TEXT)]).await?.is_some() {
        number += 1;
    }
    let sql = "UPDATE octorhai.run SET name = $2, base = $3, number = $4 WHERE id = $1";
    let next = format!("{name}~{number}");
    change.execute_typed(sql, &[(&ended.id, Type::INT8), (&next, Type::TEXT), (name, Type::TEXT), (&number, Type::INT8)]).await?;
    Ok(())
}

/// Begins a run; none if somebody did so at the same moment.
pub async fn begin(change: &Transaction<'_>, new: &NewRun, holder: &Holder) -> Result<Option<RunRow>, Fault> {
    let begun = Begun::of(new);
    // Writing the same again locks the row, so that `prune` does not take it away meanwhile.
    let sql = "INSERT INTO octorhai.source (hash, text) VALUES ($1, $2) ON CONFLICT (hash) DO UPDATE SET hash = excluded.hash";
    change.execute_typed(sql, &[(&begun.sources_hash, Type::TEXT), (&begun.sources, Type::TEXT)]).await?;
    let sql = "INSERT INTO octorhai.run (name, base, number, new, sources, state, unfinished, holder, nonce, beat, cancel, updated, attempts, \
               steps, records, head) VALUES ($1, $1, 0, $2, $3, $4, true, $5, $6, clock_timestamp(), false, $7, 1, 0, 0, $8) \
               ON CONFLICT (name) DO NOTHING";
    let (state, holder_text, at, genesis) = (json(&RunState::Running), json(holder), new.created.to_string(), begun.genesis());
    let texts: [&(dyn ToSql + Sync); 8] = [&new.name, &begun.new, &begun.sources_hash, &state, &holder_text, &holder.nonce, &at, &genesis];
    let params: Vec<_> = texts.into_iter().map(|text| (text, Type::TEXT)).collect();
    if change.execute_typed(sql, &params).await? == 0 {
        return Ok(None);
    }
    Ok(one(change, &new.name, false).await?.map(|found| found.row))
}

/// Puts a run down, if the condition on parameters from `$6` holds.
pub async fn put_down(client: &impl GenericClient, only: &str, of: &[&str], state: &RunState, at: Timestamp) -> Result<bool, Fault> {
    change(client, "nonce = NULL", only, of, state, at).await
}

async fn change(
    client: &impl GenericClient,
    besides: &str,
    only: &str,
    of: &[&str],
    state: &RunState,
    at: Timestamp,
) -> Result<bool, Fault> {
    let (unfinished, due, ended) = row::facts(state, at);
    let (text, at) = (json(state), at.to_string());
    let sql = format!("UPDATE octorhai.run SET state = $1, unfinished = $2, due = $3, ended = $4, updated = $5, {besides} WHERE {only}");
    let mut params: Vec<(&(dyn ToSql + Sync), Type)> =
        vec![(&text, Type::TEXT), (&unfinished, Type::BOOL), (&due, Type::INT8), (&ended, Type::INT8), (&at, Type::TEXT)];
    params.extend(of.iter().map(|text| (text as &(dyn ToSql + Sync), Type::TEXT)));
    Ok(client.execute_typed(&sql, &params).await? == 1)
}

/// Gives a run that is held a state in which nobody continues it, if the condition on parameters from `$6` holds; its holder stays.
pub async fn mark(client: &impl GenericClient, only: &str, of: &[&str], state: &RunState, at: Timestamp) -> Result<bool, Fault> {
    change(client, "cancel = true", only, of, state, at).await
}

/// Whether the holder with this nonce holds the run.
pub async fn is_held(client: &impl GenericClient, name: &str, nonce: &str) -> Result<bool, Fault> {
    let sql = "SELECT 1 FROM octorhai.run WHERE name = $1 AND nonce = $2";
    Ok(client.query_typed_opt(sql, &[(&name, Type::TEXT), (&nonce, Type::TEXT)]).await?.is_some())
}

/// Cells that a condition on `$1` selects.
pub async fn cells(client: &impl GenericClient, condition: &str, name: &str) -> Result<Vec<Cell>, Fault> {
    let sql = format!("SELECT name, version, value FROM octorhai.cell WHERE {condition}");
    let rows = client.query_typed(&sql, &[(&name, Type::TEXT)]).await?;
    let cell = |row: tokio_postgres::Row| {
        let (name, version, text): (String, i64, String) = (row.get(0), row.get(1), row.get(2));
        let value = chain::value(&text).map_err(|why| format!("the cell `{name}` cannot be read ({why})"))?;
        Ok(Cell { name, version: version as u64, value })
    };
    rows.into_iter().map(cell).collect()
}

/// Records to be written, a column each.
#[derive(Default)]
pub struct Records {
    numbers: Vec<i64>,
    paths: Vec<String>,
    steps: Vec<String>,
    hashes: Vec<String>,
}

impl Records {
    /// Of steps, after the last record.
    pub fn after(head: &str, count: i64, steps: &[Step]) -> Self {
        let (mut records, mut last) = (Self::default(), head.to_owned());
        for (number, step) in (count + 1..).zip(steps) {
            let text = chain::step_json(step);
            last = chain::link(&last, number, &text);
            records.numbers.push(number);
            records.paths.push(step.path.clone());
            records.steps.push(text);
            records.hashes.push(last.clone());
        }
        records
    }

    /// The hash of the last one.
    pub fn head(&self, before: &str) -> String {
        self.hashes.last().map_or_else(|| before.to_owned(), Clone::clone)
    }

    /// Writes them in one trip, if the run is the holder's and ends where we think. A write is a beat, too.
    pub async fn append(&self, client: &impl GenericClient, run: &str, nonce: &str, head: &str, updated: Timestamp) -> Result<bool, Fault> {
        let sql = "WITH own AS (\
                     UPDATE octorhai.run SET head = $4, records = records + cardinality($6), updated = $5, beat = clock_timestamp(), \
                       steps = steps + (SELECT count(DISTINCT new.path) FROM unnest($7) AS new(path) WHERE NOT EXISTS \
                         (SELECT 1 FROM octorhai.record WHERE record.run = run.id AND record.path = new.path)) \
                     WHERE name = $1 AND nonce = $2 AND head = $3 RETURNING id), \
                   written AS (\
                     INSERT INTO octorhai.record (run, number, path, step, hash) SELECT own.id, new.* FROM own, unnest($6, $7, $8, $9) AS new) \
                   SELECT count(*) FROM own";
        let (last, updated) = (self.head(head), updated.to_string());
        let params: &[(&(dyn ToSql + Sync), Type)] = &[
            (&run, Type::TEXT),
            (&nonce, Type::TEXT),
            (&head, Type::TEXT),
            (&last, Type::TEXT),
            (&updated, Type::TEXT),
            (&self.numbers, Type::INT8_ARRAY),
            (&self.paths, Type::TEXT_ARRAY),
            (&self.steps, Type::TEXT_ARRAY),
            (&self.hashes, Type::TEXT_ARRAY),
        ];
        Ok(client.query_typed_one(sql, params).await?.get::<_, i64>(0) == 1)
    }
}

/// Replaces what a run was begun with, as long as it has no records.
pub async fn begin_for(client: &impl GenericClient, row: &RunRow, new: &NewRun, holder: &Holder) -> Result<(), Fault> {
    let begun = Begun::of(new);
    let sql = "UPDATE octorhai.run SET new = $1, head = $2 WHERE id = $3 AND nonce = $4 AND records = 0";
    let genesis = begun.genesis();
    client
        .execute_typed(sql, &[(&begun.new, Type::TEXT), (&genesis, Type::TEXT), (&row.id, Type::INT8), (&holder.nonce, Type::TEXT)])
        .await?;
    Ok(())
}
