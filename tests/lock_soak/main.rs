//! Sixteen processes want one lock, again and again, while some are killed and the server stumbles. Who was inside when is
//! told by a server's own record, not by those who contend.
//!
//! `.ci/full soak` (`OCTORHAI_SOAK_ROUNDS=1000`) is the long one; without it each process goes a
//! few rounds. `OCTORHAI_SOAK_SETTLE=100`: so many milliseconds are waited for a server that lets two writers through.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "the figures are shown, and what a process met before it failed")]

#[path = "../it/support/mod.rs"]
mod support;

use jiff::{SignedDuration, Timestamp};
use octorhai::{
    api,
    cancel::Cancel,
    clock::Clock,
    error::Kind,
    journal,
    lock::{
        Held, LockRequest, Locks, Me, NoServer, Owners, Register, Rules, Seen, Swap, Taker, Versioned, Work,
        octopus::{OctopusOwners, OctopusRegister},
        store::StoreRegister,
    },
    sandbox::{Sandbox, World},
};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use support::postgres;

const PROCESSES: usize = 16;
/// Longer than a busy machine keeps a living process from giving signs of life.
const LEASE: SignedDuration = SignedDuration::from_secs(8);
const LOCK: &str = "the one";

/// What a process is told, in its environment.
const JOB: &str = "OCTORHAI_SOAK_JOB";

fn milliseconds(n: i64) -> SignedDuration {
    SignedDuration::from_millis(n)
}

async fn space(url: &str) -> api::SpaceClient {
    let key = api::Credential::api_key(url, "API-SANDBOX").expect("a credential");
    let client = api::Client::new(api::Settings::new(key, Clock::real(), Cancel::new())).expect("a client");
    loop {
        match client.space(None).await {
            Ok(space) => return space,
            Err(error) => eprintln!("{error:?}"),
        }
    }
}

/// How often a waiter looks at first: two seconds where nobody tests, fifty times as fast here. All that is told in minutes below
/// is counted in these.
const EVERY: i64 = 40;

/// A register that counts what it is asked.
struct Counted {
    inner: Arc<dyn Register>,
    queues: Option<Box<Counted>>,
    count: Arc<AtomicU64>,
}

/// The queues of another register.
struct Queues(Arc<dyn Register>);

impl Register for Queues {
    fn place(&self) -> String {
        self.0.queues().place()
    }
    fn settle(&self) -> SignedDuration {
        self.0.queues().settle()
    }
    fn now(&self) -> Timestamp {
        self.0.queues().now()
    }
    fn read<'a>(&'a self, name: &'a str) -> Work<'a, Versioned> {
        self.0.queues().read(name)
    }
    fn swap<'a>(&'a self, name: &'a str, version: u64, value: &'a Value) -> Work<'a, Swap> {
        self.0.queues().swap(name, version, value)
    }
    fn list<'a>(&'a self, prefix: &'a str) -> Work<'a, Vec<(String, Versioned)>> {
        self.0.queues().list(prefix)
    }
    fn queues(&self) -> &dyn Register {
        self
    }
}

impl Counted {
    fn new(inner: Arc<dyn Register>, count: &Arc<AtomicU64>) -> Self {
        let queues = Self { inner: Arc::new(Queues(inner.clone())), queues: None, count: count.clone() };
        Self { inner, queues: Some(Box::new(queues)), count: count.clone() }
    }
    fn one_more(&self) -> &dyn Register {
        self.count.fetch_add(1, Ordering::SeqCst);
        &*self.inner
    }
}

impl Register for Counted {
    fn place(&self) -> String {
        self.inner.place()
    }
    fn settle(&self) -> SignedDuration {
        self.inner.settle()
    }
    fn now(&self) -> Timestamp {
        self.inner.now()
    }
    fn read<'a>(&'a self, name: &'a str) -> Work<'a, Versioned> {
        self.one_more().read(name)
    }
    fn swap<'a>(&'a self, name: &'a str, version: u64, value: &'a Value) -> Work<'a, Swap> {
        self.one_more().swap(name, version, value)
    }
    fn list<'a>(&'a self, prefix: &'a str) -> Work<'a, Vec<(String, Versioned)>> {
        self.one_more().list(prefix)
    }
    fn queues(&self) -> &dyn Register {
        self.queues.as_deref().map_or(self, |queues| queues)
    }
}

/// The locks as one process sees them: `place` is `octopus`, a folder or an address.
async fn locks(place: &str, url: &str, name: &str, settle: i64) -> Locks {
    counted(place, url, name, settle, &Arc::default()).await
}

/// The same; each request is counted.
async fn counted(place: &str, url: &str, name: &str, settle: i64, count: &Arc<AtomicU64>) -> Locks {
    let clock = Clock::real();
    let (register, owners): (Arc<dyn Register>, Arc<dyn Owners>) = if place == "octopus" {
        let space = space(url).await;
        (Arc::new(OctopusRegister::new(space.clone(), milliseconds(settle))), Arc::new(OctopusOwners::new(space)))
    } else {
        let place = place.to_owned();
        let open = move || loop {
            match journal::open(&place) {
                Ok(store) => {
                    // As a run has it: a connection that is cut while its successor is cut as well is waited for.
                    store.be_patient(journal::Patience::new(journal::patience::USUAL, || false, |_| {}));
                    return store;
                }
                Err(error) => eprintln!("{error:?}"),
            }
        };
        let store = tokio::task::spawn_blocking(open).await.expect("no panic");
        (Arc::new(StoreRegister::new(store, clock.clone())), Arc::new(NoServer))
    };
    let register = Arc::new(Counted::new(register, count));
    Locks::new(register, owners, clock, Me::new(name), Rules { drain: milliseconds(500), every: milliseconds(EVERY) })
}

async fn take(locks: &Locks, slots: u32) -> Held {
    // Without tickets, to see what they are good for.
    let impatient = std::env::var_os("OCTORHAI_SOAK_NO_TICKETS").is_some();
    let wanted = LockRequest { name: LOCK.to_owned(), slots, lease: Some(LEASE), branch: String::new(), impatient };
    let mut taker = Taker::new(locks, wanted).expect("a name");
    loop {
        match taker.look().await {
            Ok(Seen::Taken(held)) => return held,
            Ok(Seen::Busy(busy)) => locks.clock.sleep(busy.pause).await,
            Err(error) => {
                assert!(matches!(error.kind(), Kind::Unreachable | Kind::InDoubt | Kind::BadAnswer), "{error:?}");
                locks.clock.sleep(milliseconds(50)).await;
            }
        }
    }
}

/// One of the processes; an empty test when nobody gave it a job.
#[test]
fn worker() {
    let Ok(job) = std::env::var(JOB) else { return };
    let job: Value = serde_json::from_str(&job).expect("a job");
    let text = |name: &str| job[name].as_str().expect("text").to_owned();
    let number = |name: &str| job[name].as_i64().expect("a number");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let (who, url) = (text("who"), text("url"));
        let count = Arc::new(AtomicU64::new(0));
        let locks = counted(&text("place"), &url, &who, number("settle"), &count).await;
        let marks = space(&url).await;
        let mark = async |what: String| {
            marks.raw("POST", "/sandbox/mark", Some(&json!({"who": who, "what": what}))).await.expect("a mark");
        };
        for round in number("from")..number("rounds") {
            let (came, before) = (locks.clock.now().as_millisecond(), count.load(Ordering::SeqCst));
            let held = take(&locks, u32::try_from(number("slots")).expect("few")).await;
            let (inside, requests) = (locks.clock.now().as_millisecond(), count.load(Ordering::SeqCst) - before);
            mark(format!("in {round} {came} {inside} {requests}")).await;
            locks.clock.sleep(milliseconds(number("stay"))).await;
            mark(format!("out {round}")).await;
            while let Err(error) = held.release().await {
                eprintln!("{error:?}");
            }
            // Not all come again at once: half of what one stays inside, to one and a half.
            let pause = number("stay") * (50 + (round * 37 + i64::from(std::process::id()) * 13) % 101) / 100;
            locks.clock.sleep(milliseconds(pause)).await;
        }
    });
}

/// What the world is like, and how many go in at once.
struct Soak {
    name: &'static str,
    place: String,
    slots: u32,
    rounds: i64,
    /// For the server's check of versions: the time between check and write, and what is waited for it.
    gap: Option<&'static str>,
    settle: i64,
    /// How long one stays inside.
    stay: i64,
    /// No trouble but kills: the order of waiters is checked.
    orderly: bool,
}

struct Process {
    child: Option<Child>,
    who: String,
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Soak {
    fn start(&self, who: &str, url: &str, from: i64) -> Child {
        let job = json!({
            "who": who, "url": url, "place": self.place, "slots": self.slots, "settle": self.settle, "stay": self.stay, "from": from, "rounds": self.rounds,
        });
        Command::new(std::env::current_exe().expect("this program"))
            .args(["worker", "--exact", "--nocapture"])
            .env(JOB, job.to_string())
            .stdout(Stdio::null())
            .spawn()
            .expect("it starts")
    }

    fn run(&self) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().expect("a runtime");
        runtime.block_on(self.go());
    }

    /// Something goes wrong with the place where the locks are.
    async fn disturb(&self, control: &api::SpaceClient, chance: &mut Chance) {
        let place = self.place.clone();
        if place == "octopus" {
            let fault = json!({"match": chance.of(&["PUT */variables/*", "GET */variables/*"]), "nth": 1, "by": "250ms",
                "action": chance.of(&["status=502", "status_after=502", "reset", "drop_after", "delay", "late", "twice"])});
            control.raw("POST", "/sandbox/faults", Some(&fault)).await.expect("a good fault");
            return;
        }
        let trouble = move || {
            if journal::is_postgres(&place) {
                // Two of the connections are cut, whatever is under way on them.
                let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                    WHERE datname = current_database() AND pid <> pg_backend_pid() ORDER BY random() LIMIT 2";
                postgres::execute(&place, cut).expect("a server");
            } else {
                // Somebody has the file for himself for a while.
                let file = rusqlite::Connection::open(std::path::Path::new(&place).join("runs.sqlite")).expect("a journal");
                file.busy_timeout(Duration::from_secs(10)).expect("a time");
                file.execute_batch("BEGIN IMMEDIATE").expect("a turn");
                std::thread::sleep(Duration::from_millis(150));
                file.execute_batch("ROLLBACK").expect("an end");
            }
        };
        tokio::task::spawn_blocking(trouble).await.expect("no panic");
    }

    async fn go(&self) {
        let gap = self.gap.map_or_else(String::new, |gap| format!("racy_variables = \"{gap}\"\n"));
        let world = format!("{gap}{}", World::builtin_toml("shop").expect("a world"));
        let world = World::from_toml("soak", &world).expect("a good world");
        let sandbox = Sandbox::start(world, Clock::real(), SocketAddr::from(([127, 0, 0, 1], 0))).await.expect("it starts");
        let url = sandbox.url();
        let control = space(&url).await;
        let mut chance = Chance(0x2545_F491_4F6C_DD1D ^ u64::from(self.slots) ^ self.place.len() as u64);
        let mut all: Vec<Process> =
            (0..PROCESSES).map(|n| format!("p{n:02}")).map(|who| Process { child: Some(self.start(&who, &url, 0)), who }).collect();
        let (mut kills, mut faults, mut turns) = (0, 0, 0_u64);
        let most_kills = 8 + usize::try_from(self.rounds).expect("few") / 10;
        while all.iter().any(|one| one.child.is_some()) {
            tokio::time::sleep(Duration::from_millis(60)).await;
            turns += 1;
            // Not faster than requests come, or nobody would get an answer any more.
            let many = all.iter().filter(|one| one.child.is_some()).count() > 3;
            if many && !self.orderly && turns % 6 == 0 {
                self.disturb(&control, &mut chance).await;
                faults += 1;
            }
            // A holder now and then, else anybody.
            if kills < most_kills && turns % 4 == 0 {
                let now = read(&control).await;
                let inside = inside(&now);
                let victim = match inside.iter().next() {
                    Some(who) if kills % 5 == 0 => who.clone(),
                    _ => all[chance.below(PROCESSES)].who.clone(),
                };
                if let Some(child) = all.iter_mut().find(|one| one.who == victim).and_then(|one| one.child.as_mut())
                    && child.kill().is_ok()
                {
                    kills += 1;
                }
            }
            for one in &mut all {
                let Some(status) = one.child.as_mut().and_then(|child| child.try_wait().expect("a state")) else { continue };
                let done =
                    i64::try_from(read(&control).await.iter().filter(|mark| mark.who == one.who && mark.is_out).count()).expect("few");
                if status.success() {
                    assert_eq!(done, self.rounds, "{}: no round is lost", one.who);
                    one.child = None;
                } else {
                    assert_eq!(status.code(), None, "{} failed by itself", one.who);
                    control.raw("POST", "/sandbox/mark", Some(&json!({"who": one.who, "what": "killed"}))).await.expect("a mark");
                    one.child = Some(self.start(&one.who, &url, done));
                }
            }
        }
        let marks = read(&control).await;
        let most = most_inside(&marks);
        let rounds = marks.iter().filter(|mark| mark.is_out).count();
        println!(
            "{}, slots = {}: {PROCESSES} processes, {rounds} rounds, {kills} killed, {faults} faults: at most {most} inside",
            self.name, self.slots
        );
        let order = Order::of(&marks);
        println!("    {order}");
        if self.orderly {
            order.is_fair();
        }
        assert_eq!(rounds, PROCESSES * usize::try_from(self.rounds).expect("few"), "no round is lost, none done twice");
        assert!(most <= self.slots as usize, "{most} were inside at once");
        assert!(kills > 0, "nobody was killed");
        assert!(self.slots == 1 || most > 1, "several may be inside");
        // What a killed process left there is no obstacle.
        let eye = async || locks(&self.place, &url, "eye", self.settle).await;
        let mut all = Vec::new();
        for _ in 0..self.slots {
            all.push(take(&eye().await, self.slots).await);
        }
        for held in all {
            held.release().await.expect("it is let go");
        }
        let locks = eye().await;
        assert!(locks.record(LOCK).await.expect("a record").owners.is_empty(), "a lock is left");
        assert!(locks.register.list("wait/").await.expect("a list").is_empty(), "somebody still waits");
        assert_eq!(locks.waiting(LOCK).await, [], "a ticket is left");
    }
}

/// A line of the server's record.
#[derive(Debug)]
struct Mark {
    who: String,
    what: String,
    is_out: bool,
}

async fn read(control: &api::SpaceClient) -> Vec<Mark> {
    let marks = control.raw("GET", "/sandbox/marks", None).await.expect("marks");
    let text = |mark: &Value, name: &str| mark[name].as_str().expect("text").to_owned();
    let mark = |mark: &Value| Mark { who: text(mark, "who"), what: text(mark, "what"), is_out: text(mark, "what").starts_with("out ") };
    marks.as_array().expect("a list").iter().map(mark).collect()
}

fn inside(marks: &[Mark]) -> BTreeSet<String> {
    let mut inside = BTreeSet::new();
    for mark in marks {
        if mark.what.starts_with("in ") {
            inside.insert(mark.who.clone());
        } else {
            inside.remove(&mark.who);
        }
    }
    inside
}

/// How many were inside at once; that each round was gone once is checked on the way.
fn most_inside(marks: &[Mark]) -> usize {
    let (mut now, mut most, mut done) = (BTreeSet::new(), 0, BTreeMap::<String, i64>::new());
    for mark in marks {
        let (what, round) = mark.what.split_once(' ').unwrap_or((&mark.what, ""));
        match what {
            "in" => {
                assert!(now.insert(mark.who.clone()), "{mark:?}: it was inside already");
                let round = round.split(' ').next().unwrap_or_default();
                assert_eq!(round.parse::<i64>().expect("a number"), done.get(&mark.who).copied().unwrap_or(0), "{mark:?}");
            }
            "out" => {
                now.remove(&mark.who);
                *done.entry(mark.who.clone()).or_default() += 1;
            }
            _ => {
                now.remove(&mark.who);
            }
        }
        most = most.max(now.len());
    }
    most
}

/// In which order waiters were served, by what each says of itself: all clocks are this machine's.
struct Order {
    /// Pairs of waits at the same time, of which one began clearly before the other: by more than the first pause between two looks.
    pairs: usize,
    /// Those of which the later one was served first.
    inverted: usize,
    /// How many others were served while one waited.
    longest: usize,
    mean: f64,
    /// Of each waiter while it waits, and of taking the lock in the end; in minutes as [`EVERY`] counts them.
    requests_a_minute: f64,
}

impl Order {
    fn of(marks: &[Mark]) -> Self {
        let number = |text: Option<&str>| text.and_then(|text| text.parse::<i64>().ok()).expect("a number");
        let waits: Vec<(i64, i64, i64)> = marks
            .iter()
            .filter_map(|mark| mark.what.strip_prefix("in "))
            .map(|rest| {
                let mut words = rest.split(' ').skip(1);
                (number(words.next()), number(words.next()), number(words.next()))
            })
            .collect();
        let (mut pairs, mut inverted, mut queues) = (0, 0, Vec::new());
        for (came, inside, _) in &waits {
            let others = || waits.iter().filter(|(other, _, _)| *other > came + EVERY && other < inside);
            pairs += others().count();
            inverted += others().filter(|(_, other, _)| other < inside).count();
            queues.push(waits.iter().filter(|(_, other, _)| came < other && other < inside).count());
        }
        let waited: i64 = waits.iter().map(|(came, inside, _)| inside - came).sum();
        let requests: i64 = waits.iter().map(|(_, _, requests)| requests).sum();
        // A minute is thirty times two seconds.
        let minutes = waited as f64 / (30 * EVERY) as f64;
        Self {
            pairs,
            inverted,
            longest: queues.iter().copied().max().unwrap_or(0),
            mean: queues.iter().sum::<usize>() as f64 / waits.len().max(1) as f64,
            requests_a_minute: requests as f64 / minutes,
        }
    }

    fn percent(&self) -> f64 {
        100.0 * self.inverted as f64 / self.pairs.max(1) as f64
    }

    /// A short soak on a busy machine may show twice as much of what chance does; without tickets it is ten times as much. In its few
    /// rounds the requests that begin and end a wait weigh more: 13 a minute are allowed there, where it was 15 without tickets.
    fn is_fair(&self) {
        let (chance, requests) = if std::env::var_os("OCTORHAI_SOAK_ROUNDS").is_some() { (1.0, 10.0) } else { (2.0, 13.0) };
        assert!(self.pairs > 100, "{} waits at the same time", self.pairs);
        assert!(self.percent() < 5.0 * chance, "{self}");
        assert!(self.longest as f64 <= 2.0 * self.mean * chance, "{self}");
        assert!(self.requests_a_minute <= requests, "{self}");
    }
}

impl std::fmt::Display for Order {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} of {} pairs inverted ({:.1} %); others served meanwhile: {:.1} on average, {} at most; {:.1} requests a waiter and minute",
            self.inverted,
            self.pairs,
            self.percent(),
            self.mean,
            self.longest,
            self.requests_a_minute
        )
    }
}

/// Numbers that repeat from run to run.
struct Chance(u64);

impl Chance {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % n as u64).expect("small")
    }
    fn of<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[self.below(all.len())]
    }
}

fn told(name: &str, usual: i64) -> i64 {
    std::env::var(name).map_or(usual, |number| number.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

fn rounds(few: i64) -> i64 {
    told("OCTORHAI_SOAK_ROUNDS", few)
}

/// Far more than the time between check and write, also on a busy machine.
fn settle() -> i64 {
    told("OCTORHAI_SOAK_SETTLE", 300)
}

#[test]
fn in_a_folder_never_two_are_inside() {
    let folder = tempfile::tempdir().expect("a folder");
    Soak {
        name: "a folder",
        place: folder.path().display().to_string(),
        slots: 1,
        rounds: rounds(8),
        gap: None,
        settle: 0,
        stay: 0,
        orderly: false,
    }
    .run();
}

#[test]
fn in_a_folder_never_four_are_inside_of_three() {
    let folder = tempfile::tempdir().expect("a folder");
    Soak {
        name: "a folder",
        place: folder.path().display().to_string(),
        slots: 3,
        rounds: rounds(8),
        gap: None,
        settle: 0,
        stay: 150,
        orderly: false,
    }
    .run();
}

#[test]
fn in_postgresql_never_two_are_inside() {
    Soak { name: "PostgreSQL", place: postgres::database(), slots: 1, rounds: rounds(8), gap: None, settle: 0, stay: 0, orderly: false }
        .run();
}

#[test]
fn in_postgresql_never_four_are_inside_of_three() {
    Soak { name: "PostgreSQL", place: postgres::database(), slots: 3, rounds: rounds(8), gap: None, settle: 0, stay: 150, orderly: false }
        .run();
}

#[test]
fn on_a_server_that_checks_exactly_never_two_are_inside() {
    Soak { name: "Octopus", place: "octopus".to_owned(), slots: 1, rounds: rounds(4), gap: None, settle: 0, stay: 0, orderly: false }.run();
}

#[test]
fn on_a_server_that_lets_two_writers_through_never_two_are_inside() {
    Soak {
        name: "Octopus with a check that lets two writers through",
        place: "octopus".to_owned(),
        slots: 1,
        rounds: rounds(2),
        gap: Some("5ms"),
        settle: settle(),
        stay: 0,
        orderly: false,
    }
    .run();
}

#[test]
fn on_a_server_that_lets_two_writers_through_never_four_are_inside_of_three() {
    Soak {
        name: "Octopus with a check that lets two writers through",
        place: "octopus".to_owned(),
        slots: 3,
        rounds: rounds(2),
        gap: Some("5ms"),
        settle: settle(),
        stay: 400,
        orderly: false,
    }
    .run();
}

/// Waiters are served in the order in which they came, in each place where locks are kept, while some are killed.
#[test]
fn waiters_take_turns_in_a_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    let place = folder.path().display().to_string();
    Soak { name: "a folder, in order", place, slots: 1, rounds: rounds(2), gap: None, settle: 0, stay: 160, orderly: true }.run();
}

#[test]
fn waiters_take_turns_in_postgresql() {
    let place = postgres::database();
    Soak { name: "PostgreSQL, in order", place, slots: 1, rounds: rounds(2), gap: None, settle: 0, stay: 160, orderly: true }.run();
}

#[test]
fn waiters_take_turns_on_a_server() {
    let place = "octopus".to_owned();
    Soak { name: "Octopus, in order", place, slots: 1, rounds: rounds(2), gap: None, settle: 0, stay: 160, orderly: true }.run();
}
