//! Registers to run the lock's tests on: a sandbox server, and a store in memory.

use jiff::{SignedDuration, Timestamp};
use octorhai::{
    api,
    cancel::Cancel,
    clock::Clock,
    error::Result,
    journal::{Begin, Cell, Claim, Holder, NewRun, Run, RunState, Step, Store},
    lock::{
        LockRequest, Locks, Me, Register, Rules,
        octopus::{OctopusOwners, OctopusRegister, SETTLE},
        store::StoreRegister,
    },
    sandbox::{Sandbox, World},
};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

/// A store that only has cells.
#[derive(Default)]
pub struct Memory(Mutex<BTreeMap<String, (u64, Value)>>);

impl Store for Memory {
    fn be_patient(&self, _: octorhai::journal::Patience) {}

    fn place(&self) -> String {
        "memory".to_owned()
    }
    fn claim_if(&self, _: &NewRun, _: &Holder, _: Begin) -> Result<Claim> {
        unreachable!("only cells are used")
    }
    fn begin_for(&self, _: &NewRun, _: &Holder) -> Result<()> {
        unreachable!("only cells are used")
    }
    fn beat(&self, _: &str, _: &Holder) -> Result<bool> {
        unreachable!("only cells are used")
    }
    fn write(&self, _: &str, _: &Holder, _: &[Step]) -> Result<()> {
        unreachable!("only cells are used")
    }
    fn mark_cancelled(&self, _: &str, _: &Holder, _: &str, _: Timestamp) -> Result<()> {
        unreachable!("only cells are used")
    }
    fn put_down(&self, _: &str, _: &Holder, _: &RunState, _: Timestamp) -> Result<()> {
        unreachable!("only cells are used")
    }
    fn run(&self, _: &str) -> Result<Option<Run>> {
        unreachable!("only cells are used")
    }
    fn runs(&self, _: bool, _: usize) -> Result<Vec<Run>> {
        unreachable!("only cells are used")
    }
    fn steps(&self, _: &str) -> Result<Vec<Step>> {
        unreachable!("only cells are used")
    }
    fn cancel(&self, _: &str, _: Timestamp) -> Result<bool> {
        unreachable!("only cells are used")
    }
    fn due(&self, _: Timestamp) -> Result<Vec<Run>> {
        unreachable!("only cells are used")
    }
    fn prune(&self, _: Timestamp) -> Result<usize> {
        unreachable!("only cells are used")
    }
    fn cell(&self, name: &str) -> Result<Option<Cell>> {
        let all = self.0.lock().expect("no panic");
        Ok(all.get(name).map(|(version, value)| Cell { name: name.to_owned(), version: *version, value: value.clone() }))
    }
    fn cells(&self, prefix: &str) -> Result<Vec<Cell>> {
        let all = self.0.lock().expect("no panic");
        let found = all.iter().filter(|(name, _)| name.starts_with(prefix));
        Ok(found.map(|(name, (version, value))| Cell { name: name.clone(), version: *version, value: value.clone() }).collect())
    }
    fn swap(&self, name: &str, version: u64, value: &Value) -> Result<bool> {
        let mut all = self.0.lock().expect("no panic");
        let cell = all.entry(name.to_owned()).or_insert((0, Value::Null));
        let fits = cell.0 == version;
        if fits {
            *cell = (version + 1, value.clone());
        }
        Ok(fits)
    }
}

/// A place for locks, on a clock that runs fifty times as fast as the one on the wall.
pub struct Ground {
    pub clock: Clock,
    store: Option<Arc<Memory>>,
    pub sandbox: Option<Sandbox>,
}

pub const WORLD: &str = "start = \"2026-03-02T08:00:00Z\"\n[[environments]]\nname = \"Test\"\n[[projects]]\nname = \"P\"\nsteps = [ { name = \"S\", takes = \"10m\" } ]\nreleases = [ { version = \"1.0.0\" } ]\n";

impl Ground {
    /// A store.
    pub fn store() -> Self {
        Self { clock: clock(), store: Some(Arc::default()), sandbox: None }
    }

    /// A server whose world has these keys besides.
    pub async fn server(head: &str) -> Self {
        let clock = clock();
        let world = World::from_toml("test", &format!("{head}\n{WORLD}")).expect("a good world");
        let sandbox = Sandbox::start(world, clock.clone(), SocketAddr::from(([127, 0, 0, 1], 0))).await.expect("it starts");
        Self { clock, store: None, sandbox: Some(sandbox) }
    }

    pub async fn space(&self) -> api::SpaceClient {
        let sandbox = self.sandbox.as_ref().expect("a server");
        let key = api::Credential::api_key(&sandbox.url(), &sandbox.api_key()).expect("a credential");
        let client = api::Client::new(api::Settings::new(key, self.clock.clone(), Cancel::new())).expect("a client");
        client.space(None).await.expect("a space")
    }

    /// The register.
    pub async fn register(&self) -> Arc<dyn Register> {
        match &self.store {
            Some(store) => Arc::new(StoreRegister::new(store.clone(), self.clock.clone())),
            None => Arc::new(OctopusRegister::new(self.space().await, SETTLE)),
        }
    }

    /// Another process that runs `run`.
    pub async fn contender(&self, run: &str) -> Locks {
        self.contender_as(Me::new(run)).await
    }

    /// Another process.
    pub async fn contender_as(&self, me: Me) -> Locks {
        let owners: Arc<dyn octorhai::lock::Owners> = match &self.sandbox {
            Some(_) => Arc::new(OctopusOwners::new(self.space().await)),
            None => Arc::new(octorhai::lock::NoServer),
        };
        Locks::new(self.register().await, owners, self.clock.clone(), me, Rules::default())
    }

    pub async fn fault(&self, fault: Value) {
        self.space().await.raw("POST", "/sandbox/faults", Some(&fault)).await.expect("a good fault");
    }
}

/// So fast that a settle takes 40 ms, and slow enough that neither it nor a lease is over because a machine is busy.
fn clock() -> Clock {
    Clock::scaled("2026-03-02T08:00:00Z".parse().expect("a time"), 50.0)
}

/// The lock `name` for one; with a lease that is not over because the machine is busy.
pub fn wanted(name: &str) -> LockRequest {
    LockRequest { name: name.to_owned(), slots: 1, lease: Some(seconds(900)), branch: String::new(), impatient: false }
}

/// A span.
pub fn seconds(n: i64) -> SignedDuration {
    SignedDuration::from_secs(n)
}
