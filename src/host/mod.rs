//! The joint: what scripts can say, and what that means on an Octopus Server. One file a noun.
//!
//! [`Host`] is the state of one run; functions reach it through the engine's tag. Whatever changes something outside
//! goes through [`effect`]; whatever waits goes through [`wait`].

mod approval;
pub mod approvals;
mod begin;
mod call;
pub mod check;
pub mod context;
pub mod ctx;
pub mod dashboard;
pub mod deployments;
pub mod effect;
pub mod environments;
pub mod events;
pub mod freezes;
mod git;
mod guards;
pub mod held_locks;
pub mod history;
pub mod interruption;
pub mod interruptions;
mod ledger;
mod lists;
pub mod lock;
mod meanings;
pub mod memory;
pub mod messages;
pub mod newest_release;
pub mod nouns;
pub mod obstacles;
pub mod order;
pub mod outbox;
pub mod outputs;
mod past_deployments;
pub mod pending;
mod prelude;
pub mod projects;
pub mod promote;
mod put_back;
mod question;
pub mod raised;
pub mod raw;
pub mod record;
pub mod references;
pub mod release;
mod release_fields;
pub mod releases;
pub mod requeue;
pub mod retry;
pub mod rollout;
pub mod rows;
pub mod runbooks;
pub mod saga;
pub mod servers;
pub mod space;
mod started_inside;
mod tags;
pub mod task;
pub mod task_log;
pub mod tasks;
pub mod tenants;
pub mod time;
pub mod time_limit;
pub mod triggers;
pub mod wait;
pub mod wait_for;
mod wait_loop;
pub mod wait_options;
mod wait_step;
mod watch;
mod why_waiting;
pub mod words;

pub use held_locks::HeldLocks;
pub use ledger::Ledger;
pub use servers::Servers;

use crate::{
    api,
    cancel::Cancel,
    clock::Clock,
    engine::{
        baton::{self, Baton},
        docs::{self, Entry},
        library::{Library, LibraryBuilder},
        thrown::{HostResult, Raise},
    },
    error::{Error, Result},
    event::{Events, Level, Subject, What},
    secrets::{Redactor, Secret},
};
use call::CallFrame;
use jiff::tz::TimeZone;
use parking_lot::Mutex;
use record::Recorder;
use rhai::Dynamic;
use serde_json::Value;
use space::Space;
use std::{
    collections::BTreeMap,
    path::PathBuf,
    pin::{Pin, pin},
    sync::{Arc, LazyLock},
};

/// A run as one call of its script sees it. Clones share the run, and the frame of the call.
#[derive(Clone)]
pub struct Host {
    run: Arc<RunFacts>,
    /// The servers it works on.
    pub servers: Arc<Servers>,
    /// What it has done so far.
    pub ledger: Arc<Ledger>,
    /// The locks that its script is inside of.
    pub held: Arc<HeldLocks>,
    /// Its journal, if it has one.
    pub record: Option<Arc<Recorder>>,
    frame: Arc<CallFrame>,
}

/// What a run was begun with.
pub struct RunFacts {
    /// Runs the asynchronous half; never on a script's thread.
    pub handle: tokio::runtime::Handle,
    /// The run's time.
    pub clock: Clock,
    /// Ends the run.
    pub cancel: Cancel,
    /// Where everything that happens is told.
    pub events: Events,
    /// Knows the secrets, and takes them out of what people read.
    pub secrets: Redactor,
    /// The zone of times without one.
    pub zone: TimeZone,
    /// What `ctx` says.
    pub context: context::ContextSettings,
    /// Values of `param(...)`; those of a session come with its inputs.
    pub params: Mutex<BTreeMap<String, Value>>,
    /// Where artifacts are written.
    pub artifacts: PathBuf,
    /// How mail leaves, and what the mail server did not take yet.
    pub outbox: outbox::Outbox,
    /// Names this run in markers; the same in every run of a simulation.
    pub run_id: String,
    /// Where no other process reaches the server, what stands for chance: the same for all runs of a script.
    pub seed: Option<String>,
    /// The script's file, as it was named.
    pub script: String,
}

impl std::ops::Deref for Host {
    type Target = RunFacts;
    fn deref(&self) -> &RunFacts {
        &self.run
    }
}

impl Host {
    /// The host of a run.
    pub fn new(run: RunFacts, servers: Servers, held: HeldLocks, record: Option<Recorder>) -> Self {
        let frame = Arc::new(CallFrame::of_run(servers.home.clone()));
        Self {
            run: Arc::new(run),
            servers: Arc::new(servers),
            ledger: Arc::default(),
            held: Arc::new(held),
            record: record.map(Arc::new),
            frame,
        }
    }

    /// The same run in another home.
    #[must_use]
    pub fn moved(&self, home: Space) -> Self {
        let frame = Arc::new(CallFrame::of_run(home.clone()));
        Self { servers: Arc::new(self.servers.moved(home)), frame, ..self.clone() }
    }

    /// Asks the server, and changes nothing: runs `work` from a script's thread. A cancelled run ends it, and a run that goes on gets the
    /// answers of its record.
    pub fn block<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let mut found = None;
        {
            let work = pin!(into(&mut found, work));
            // Not one copy for each thing that is asked for.
            let work: Pin<&mut dyn Future<Output = Result<()>>> = work;
            self.read(pin!(self.cancel.guard(work)))?;
        }
        found.ok_or_else(nothing)
    }

    /// Runs `work` to its end, also in a cancelled run. `work` has to end by itself.
    pub fn finish<T>(&self, work: impl Future<Output = T>) -> T {
        let mut done = None;
        {
            let work = pin!(into(&mut done, async { Ok(work.await) }));
            let work: Pin<&mut dyn Future<Output = Result<()>>> = work;
            let _ok = self.ask(work, None);
        }
        done.expect("a future that was awaited has a value")
    }

    /// Runs `work` to its end on this thread; reads in it are made with `tape`.
    fn ask(&self, work: Pin<&mut dyn Future<Output = Result<()>>>, tape: Option<Arc<dyn api::Tape>>) -> Result<()> {
        let work = api::Asking { patient_until: self.frame.state().patient_until, tape }.scope(work);
        // In virtual time exactly one branch runs until it sleeps, so that the order of requests repeats.
        if self.clock.is_virtual() { baton::drive(&self.handle, work) } else { Baton::released(|| self.handle.block_on(work)) }
    }

    /// Sleeps until `due` on the run's clock; other branches go on meanwhile.
    pub fn sleep_until(&self, due: jiff::Timestamp) -> HostResult<()> {
        let sleep = |_| {
            self.put_down_until(due, "it sleeps")?;
            let sleep = self.cancel.guard_wait(async {
                self.clock.sleep_until(due).await;
                Ok(())
            });
            baton::wait(&self.handle, sleep).raise()?;
            Ok(((), Value::Null))
        };
        self.waited("sleep", due.to_string().into(), sleep, |_| Ok(()))
    }

    /// What a deployment is called. It is there already: what cannot be asked is called by its id, and no error hides it.
    pub fn named(&self, place: &Space, deployment: &api::Deployment, version: Option<&str>) -> Result<Subject> {
        let mut named = None;
        self.read(pin!(into(&mut named, async { Ok(place.subject(deployment, version).await) })))?;
        named.ok_or_else(nothing)
    }

    /// Tells a note.
    pub fn note(&self, level: Level, text: impl Into<String>) {
        self.emit(What::Note { level, text: text.into() });
    }

    /// `Err` when the run is cancelled, or ends because of what another branch of the script met.
    pub fn check_cancelled(&self) -> HostResult<()> {
        self.cancel.go_on().raise()
    }

    /// The value of a parameter that was given, by its name without case.
    pub fn given(&self, name: &str) -> Option<Value> {
        self.params.lock().iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.clone())
    }
}

/// Waits for `work` and keeps what it found.
async fn into<T>(found: &mut Option<T>, work: impl Future<Output = Result<T>>) -> Result<()> {
    *found = Some(work.await?);
    Ok(())
}

fn nothing() -> Error {
    Error::bug("a request ended without an answer")
}

/// Functions and types of scripts, as the reference shows them.
pub fn reference() -> Vec<Entry> {
    docs::entries(library().docs())
}

/// Everything that scripts can call. It is put together once in a process.
pub fn library() -> Library {
    static LIBRARY: LazyLock<Library> = LazyLock::new(everything);
    LIBRARY.clone()
}

fn everything() -> Library {
    let mut library = LibraryBuilder::new();
    words::register();
    library.compared_texts();
    library.joined_secrets();
    time::register_operators(&mut library);
    library.scripted::<ctx::Context>();
    library.scripted::<Secret>();
    library.scripted::<projects::Project>();
    library.scripted::<environments::Environment>();
    library.scripted::<tenants::Tenant>();
    library.scripted::<runbooks::Runbook>();
    library.scripted::<release::Release>();
    library.scripted::<past_deployments::Deployment>();
    library.scripted::<dashboard::Live>();
    library.scripted::<dashboard::Difference>();
    library.scripted::<promote::Promotable>();
    library.scripted::<task::Task>();
    library.scripted::<task_log::Step>();
    library.scripted::<interruption::Interruption>();
    library.scripted::<approval::Approval>();
    library.scripted::<events::Event>();
    library.scripted::<freezes::Freeze>();
    library.scripted::<rollout::Outcome>();
    library.scripted::<saga::Saga>();
    library.scripted::<Space>();
    ctx::register(&mut library);
    context::register(&mut library);
    projects::register(&mut library);
    environments::register(&mut library);
    tenants::register(&mut library);
    releases::register(&mut library);
    dashboard::register(&mut library);
    deployments::register(&mut library);
    promote::register(&mut library);
    runbooks::register(&mut library);
    triggers::register(&mut library);
    requeue::register(&mut library);
    tasks::register(&mut library);
    wait_step::register(&mut library);
    wait::register(&mut library);
    wait_for::register(&mut library);
    order::register(&mut library);
    rollout::register(&mut library);
    saga::register(&mut library);
    retry::register(&mut library);
    check::register(&mut library);
    time::register(&mut library);
    freezes::register(&mut library);
    outputs::register(&mut library);
    pending::register(&mut library);
    interruptions::register(&mut library);
    approvals::register(&mut library);
    events::register(&mut library);
    rows::register(&mut library);
    rows::property(&mut library);
    messages::register(&mut library);
    lists::register(&mut library);
    lock::register(&mut library);
    memory::register(&mut library);
    raw::register(&mut library);
    library.also_on::<Space>(|place, state| state.try_cast::<Host>().map_or(Dynamic::UNIT, |host| Dynamic::from(host.in_place(place))));
    library.build()
}
