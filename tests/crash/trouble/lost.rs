//! A store that is gone while a run is under way: a folder that was moved or removed; a database that restarts, is locked, or is
//! another, empty one after a fail-over.

use super::{
    End,
    gate::Moment,
    play::{Ground, OVER, shown},
    quiet::{Quiet, telling},
    rule::{self, undone},
};
use crate::{oracle::differences, support::postgres};
use std::{
    path::Path,
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    time::Duration,
};

/// Scenes with effects of every kind.
pub const SCENES: &[&str] = &["a saga in a lock", "what is remembered", "a rollout with a budget", "the train goes back"];

/// What happens to the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Loss {
    /// The folder has another name, until the run has ended.
    Moved,
    /// The folder is removed.
    Removed,
    /// The database's server is stopped as by a power failure, and starts again.
    Restarted,
    /// Somebody holds all tables for longer than anybody waits for a lock of a moment.
    Locked,
    /// The tables are not there any more.
    Emptied,
}

impl Loss {
    const ALL: [Self; 5] = [Self::Moved, Self::Removed, Self::Restarted, Self::Locked, Self::Emptied];

    fn name(self) -> &'static str {
        match self {
            Self::Moved => "store moved away",
            Self::Removed => "store removed",
            Self::Restarted => "database restarted",
            Self::Locked => "tables locked for 40 s",
            Self::Emptied => "tables gone",
        }
    }

    fn is_of_database(self) -> bool {
        matches!(self, Self::Restarted | Self::Locked | Self::Emptied)
    }

    fn is_slow(self) -> bool {
        matches!(self, Self::Restarted | Self::Locked)
    }

    /// Whether nothing is left of the record.
    fn is_final(self) -> bool {
        matches!(self, Self::Removed | Self::Emptied)
    }
}

/// A loss at a request.
pub struct Point<'a> {
    quiet: &'a Quiet,
    loss: Loss,
    nth: usize,
    at: String,
}

pub fn points(quiet: &Quiet) -> Vec<Point<'_>> {
    let mut points = Vec::new();
    for (place, (nth, request)) in telling(&quiet.requests).into_iter().enumerate() {
        // What takes a server of its own, or seconds, not everywhere.
        for loss in Loss::ALL.into_iter().filter(|loss| !loss.is_slow() || place % 5 == 0) {
            points.push(Point { quiet, loss, nth, at: format!("request {nth}, {request}") });
        }
    }
    points
}

/// The server whose databases are locked and emptied, and the one that is restarted, with all of its databases: a scene at a time.
fn servers() -> &'static (postgres::Own, Mutex<postgres::Own>) {
    static SERVERS: OnceLock<(postgres::Own, Mutex<postgres::Own>)> = OnceLock::new();
    let start = || postgres::Own::start("-c fsync=off", |_| ());
    SERVERS.get_or_init(|| (start(), Mutex::new(start())))
}

/// The address of a new database.
fn database(server: &postgres::Own) -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let name = format!("crash_{}", NEXT.fetch_add(1, Ordering::SeqCst));
    postgres::execute(&server.address, &format!("CREATE DATABASE {name}")).expect("a database");
    let mut address = url::Url::parse(&server.address).expect("an address");
    address.set_path(&name);
    address.to_string()
}

/// Holds all tables of a database until the returned end of a channel is dropped, or for 40 seconds.
fn hold_tables(address: &str) -> mpsc::Sender<()> {
    let (told, held) = mpsc::channel();
    let (stop, stopped) = mpsc::channel::<()>();
    let address = address.to_owned();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let (client, connection) = tokio_postgres::connect(&address, tokio_postgres::NoTls).await.expect("a connection");
            tokio::spawn(connection);
            let lock = "BEGIN; LOCK TABLE octorhai.run, octorhai.record, octorhai.cell, octorhai.source IN ACCESS EXCLUSIVE MODE";
            client.batch_execute(lock).await.expect("the tables are there");
            let _ = told.send(());
            let _ = stopped.recv_timeout(Duration::from_secs(40));
            let _ = client.batch_execute("ROLLBACK").await;
        });
    });
    held.recv().expect("they are held");
    stop
}

impl super::Point for Point<'_> {
    fn quiet(&self) -> &Quiet {
        self.quiet
    }

    fn kind(&self) -> &'static str {
        self.loss.name()
    }

    fn play(&self) -> End {
        let (quiet, loss) = (self.quiet, self.loss);
        let mut ground = Ground::new(&quiet.scene, quiet.measured);
        // Held until the scene is over.
        let restarted = (loss == Loss::Restarted).then(|| servers().1.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
        if loss.is_of_database() {
            ground.store = database(restarted.as_deref().unwrap_or(&servers().0));
        }
        let (store, away) = (ground.store.clone(), format!("{}.away", ground.store));
        let gate = ground.behind_gate();
        let held = Arc::new(Mutex::new(None));
        let (holder, address, aside) = (Arc::clone(&held), store.clone(), away.clone());
        let folder = restarted.as_ref().map(|server| server.folder.clone()).unwrap_or_default();
        gate.at(self.nth, Moment::Request, move || match loss {
            Loss::Moved => std::fs::rename(&address, &aside).expect("moved"),
            Loss::Removed => std::fs::remove_dir_all(&address).expect("removed"),
            Loss::Restarted => postgres::crash(&folder),
            Loss::Locked => *holder.lock().expect("no panic") = Some(hold_tables(&address)),
            Loss::Emptied => crate::support::until("no tables", || postgres::execute(&address, "DROP SCHEMA octorhai CASCADE").ok()),
        });
        let mut command = ground.command();
        if matches!(loss, Loss::Moved | Loss::Removed | Loss::Emptied) {
            // It is of no use to wait.
            command.env("OCTORHAI_STORE_PATIENCE", "2s");
        }
        ground.run(command);
        let lost = gate.calm();
        drop(held.lock().expect("no panic").take());
        let mut wrong = Vec::new();
        if lost && loss == Loss::Moved {
            if Path::new(&store).exists() {
                wrong.push("it made another store in its place".to_owned());
                std::fs::remove_dir_all(&store).expect("removed");
            }
            std::fs::rename(&away, &store).expect("put back");
        }
        if loss == Loss::Restarted {
            crate::support::until("the database", || postgres::execute(&store, "SELECT 1").ok());
        }
        if loss.is_of_database() || loss == Loss::Moved {
            let last = ground.starts.pop().expect("it was started");
            ground.ended(last.code, last.talk);
        }
        if lost && loss.is_final() {
            wrong.extend(gone(quiet, &mut ground));
        } else {
            wrong.extend(rule::ended(quiet, &mut ground, true).unwrap_or_default());
        }
        End { at: self.at.clone(), wrong: (!wrong.is_empty()).then_some(wrong), talk: ground.talk() }
    }
}

/// What is wrong when there is no record any more: the run may have come to its end, or have stopped; but it cannot be resumed.
fn gone(quiet: &Quiet, ground: &mut Ground<'_>) -> Vec<String> {
    let first = ground.starts.first().expect("it was started");
    if first.code == Some(quiet.scene.code) {
        return differences(&quiet.wanted, &ground.end(), true);
    }
    let mut problems = Vec::new();
    if first.code.is_none_or(|code| code == 0) {
        problems.push(format!("it ended with {:?}, {}", first.code, shown(first.state.as_ref())));
    }
    let stopped = ground.world();
    problems.extend(undone(&quiet.wanted, &stopped));
    ground.stage.clock.advance(OVER);
    let resume = ground.octorhai(&["runs", "--store", &ground.store.clone(), "resume", "crash"]);
    ground.run(resume);
    if ground.starts.last().is_some_and(|last| last.code == Some(0)) {
        problems.push("a run without a record was resumed".to_owned());
    }
    let after = ground.world();
    if (after.deployments.len(), after.runbook_runs.len(), after.mails.len())
        != (stopped.deployments.len(), stopped.runbook_runs.len(), stopped.mails.len())
    {
        problems.push("something began although the record was gone".to_owned());
    }
    problems
}
