//! The joint: what scripts can say, and what that means on an Octopus Server. One file a noun.
//!
//! [`Host`] is the state of one run; functions reach it through the engine's tag. Whatever changes something outside
//! goes through [`effect`]; whatever waits goes through [`wait`].

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
mod guards;
pub mod history;
pub mod hold;
pub mod interruptions;
pub mod journal;
pub mod limit;
mod lists;
pub mod lock;
mod meanings;
pub mod memory;
pub mod nouns;
pub mod obstacles;
pub mod order;
pub mod outbox;
pub mod outputs;
mod past_deployments;
pub mod place;
pub mod projects;
pub mod promote;
mod put_back;
pub mod raw;
pub mod releases;
pub mod requeue;
pub mod retry;
pub mod rollout;
pub mod rows;
pub mod runbooks;
pub mod saga;
pub mod sealed;
mod started_inside;
pub mod steps;
pub mod tasks;
pub mod tell;
pub mod tenants;
pub mod time;
pub mod wait;
pub mod wait_for;
mod watch;
pub mod words;

use crate::{
    api,
    cancel::Cancel,
    clock::Clock,
    engine::{
        docs::{self, Entry},
        library::{Library, LibraryBuilder},
        thrown::{HostResult, Raise},
    },
    error::Result,
    event::{Events, Level, What},
    mail::Mailer,
    secrets::{Redactor, Secret},
};
use jiff::tz::TimeZone;
use parking_lot::Mutex;
use place::Place;
use serde_json::Value;
use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::{Arc, LazyLock},
};

/// The state of one run; clones share it.
#[derive(Clone)]
pub struct Host(Arc<Inner>);

/// What [`Host`] is made of.
pub struct Inner {
    /// Runs the asynchronous half; never on a script's thread.
    pub handle: tokio::runtime::Handle,
    /// The run's time.
    pub clock: Clock,
    /// Ends the run.
    pub cancel: Cancel,
    /// Where everything that happens is told.
    pub events: Events,
    /// The server and space that functions mean when nothing else is said.
    pub home: Place,
    /// How the home server was reached: other servers are reached the same way.
    pub connection: api::Settings,
    /// Where `octorhai doctor` keeps what it measured.
    pub measured: Option<PathBuf>,
    /// Servers for `server("name")`, by lower-case name.
    pub servers: BTreeMap<String, Result<api::Credential>>,
    /// How mail leaves; none when no SMTP server is known.
    pub mailer: Option<Mailer>,
    /// Mails that the mail server did not take yet.
    pub outbox: Arc<outbox::Outbox>,
    /// The zone of times without one.
    pub zone: TimeZone,
    /// What `ctx` says.
    pub context: context::ContextSettings,
    /// What a simulated server says about its world, once it was asked.
    pub surroundings: std::sync::OnceLock<context::Surroundings>,
    /// Values of `param(...)`; those of a session come with its inputs.
    pub params: Mutex<BTreeMap<String, Value>>,
    /// Where artifacts are written.
    pub artifacts: PathBuf,
    /// Knows the secrets, and takes them out of what people read.
    pub secrets: Redactor,
    /// Texts that the script has revealed, on whatever server: it may send them. Each once.
    pub revealed: Arc<Mutex<Vec<String>>>,
    /// Names this run in markers; the same in every run of a simulation.
    pub run_id: String,
    /// Where no other process reaches the server, what stands for chance: the same for all runs of a script.
    pub seed: Option<String>,
    /// When the task began whose step runs the script, once it was asked for.
    pub step_since: std::sync::OnceLock<jiff::Timestamp>,
    /// The script's file, as it was named.
    pub script: String,
    /// Where locks are kept.
    pub locks_at: hold::LocksAt,
    /// The locks the script is inside of, in the order in which they were taken.
    pub holds: Mutex<Vec<Arc<hold::Hold>>>,
    /// Locks, once they were needed.
    pub locks: std::sync::OnceLock<crate::lock::Locks>,
    /// The sequence of effects, one for each branch.
    pub effects: Mutex<BTreeMap<String, u64>>,
    /// How long effects took, by branch.
    pub busy: Mutex<BTreeMap<String, jiff::SignedDuration>>,
    /// The run's journal, if it has one.
    pub recorder: Option<journal::Recorder>,
    /// Tasks this run started, in order.
    pub started: Mutex<Vec<tasks::Task>>,
    /// Other spaces and servers met so far: one poller and one set of names each.
    pub places: Mutex<BTreeMap<String, Place>>,
    /// What [`Host::note_once`] has told.
    pub told: Mutex<BTreeSet<String>>,
}

thread_local! {
    /// `space("Ops").deploy(...)`: the place that functions mean for the length of one call.
    static PLACES: RefCell<Vec<Place>> = const { RefCell::new(Vec::new()) };
}

/// Leaves the place entered by [`Host::enter`] when dropped.
pub struct Entered(());

impl Drop for Entered {
    fn drop(&mut self) {
        PLACES.with_borrow_mut(|places| {
            places.pop();
        });
    }
}

impl std::ops::Deref for Host {
    type Target = Inner;
    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl Host {
    /// The host of a run.
    pub fn new(inner: Inner) -> Self {
        Self(Arc::new(inner))
    }

    /// The same run in another home: what it started, holds and has sent so far goes with it.
    #[must_use]
    pub fn moved(&self, home: Place) -> Self {
        let inner = &*self.0;
        Self::new(Inner {
            home,
            handle: inner.handle.clone(),
            clock: inner.clock.clone(),
            cancel: inner.cancel.clone(),
            events: inner.events.clone(),
            connection: inner.connection.clone(),
            measured: inner.measured.clone(),
            servers: inner.servers.clone(),
            mailer: inner.mailer.clone(),
            outbox: Arc::clone(&inner.outbox),
            zone: inner.zone.clone(),
            context: inner.context.clone(),
            surroundings: std::sync::OnceLock::new(),
            params: Mutex::new(inner.params.lock().clone()),
            artifacts: inner.artifacts.clone(),
            secrets: inner.secrets.clone(),
            revealed: Arc::clone(&inner.revealed),
            run_id: inner.run_id.clone(),
            seed: inner.seed.clone(),
            step_since: std::sync::OnceLock::new(),
            script: inner.script.clone(),
            locks_at: inner.locks_at.clone(),
            holds: Mutex::new(inner.holds.lock().clone()),
            locks: std::sync::OnceLock::new(),
            effects: Mutex::new(inner.effects.lock().clone()),
            busy: Mutex::new(inner.busy.lock().clone()),
            recorder: None,
            started: Mutex::new(inner.started.lock().clone()),
            places: Mutex::new(inner.places.lock().clone()),
            told: Mutex::new(inner.told.lock().clone()),
        })
    }

    /// Server and space that this thread means now.
    pub fn place(&self) -> Place {
        PLACES.with_borrow(|places| places.last().cloned()).unwrap_or_else(|| self.home.clone())
    }

    /// Means `place` until the returned value is dropped.
    #[must_use = "the place is left when this is dropped"]
    pub fn enter(place: Place) -> Entered {
        PLACES.with_borrow_mut(|places| places.push(place));
        Entered(())
    }

    /// Runs `work` from a script's thread; a cancelled run ends it.
    pub fn block<T>(&self, work: impl Future<Output = Result<T>>) -> HostResult<T> {
        self.block_plain(work).raise()
    }

    /// [`Host::block`] with our own error.
    pub fn block_plain<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        self.recorded(self.cancel.guard(work))
    }

    /// [`Host::block`] for what changes something: a cancelled run does not begin it, but does not tear it off either.
    /// The client grants a write under way a moment, so that what it did is known and can be cancelled too.
    pub fn block_to_end<T>(&self, work: impl Future<Output = Result<T>>) -> HostResult<T> {
        self.check_cancelled()?;
        self.finish(work).raise()
    }

    /// Runs `work` to its end, also in a cancelled run. `work` has to end by itself.
    pub fn finish<T>(&self, work: impl Future<Output = T>) -> T {
        // In virtual time exactly one branch runs until it sleeps, so that the order of requests repeats.
        if self.clock.is_virtual() {
            crate::engine::baton::drive(&self.handle, work)
        } else {
            crate::engine::baton::Baton::released(|| self.handle.block_on(work))
        }
    }

    /// Sleeps until `due` on the run's clock; other branches go on meanwhile.
    pub fn sleep_until(&self, due: jiff::Timestamp) -> HostResult<()> {
        let sleep = |_| {
            self.put_down_until(due, "it sleeps")?;
            let sleep = self.cancel.guard_wait(async {
                self.clock.sleep_until(due).await;
                Ok(())
            });
            crate::engine::baton::wait(&self.handle, sleep).raise()?;
            Ok(((), Value::Null))
        };
        self.waited("sleep", due.to_string().into(), sleep, |_| Ok(()))
    }

    /// What a deployment is called. It is there already: what cannot be asked is called by its id, and no error hides it.
    pub fn named(&self, place: &Place, deployment: &api::Deployment, version: Option<&str>) -> HostResult<crate::event::Subject> {
        self.recorded(async { Ok(place.subject(deployment, version).await) }).raise()
    }

    /// Tells a note that would be the same each time only once, e.g. what `latest` is in a loop over tenants.
    pub fn note_once(&self, text: String) {
        if self.told.lock().insert(text.clone()) {
            self.note(Level::Info, text);
        }
    }

    /// Tells a warning, once in a run.
    pub fn warn_once(&self, text: String) {
        if self.told.lock().insert(text.clone()) {
            self.note(Level::Warning, text);
        }
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
    library.scripted::<releases::Release>();
    library.scripted::<past_deployments::Deployment>();
    library.scripted::<dashboard::Live>();
    library.scripted::<dashboard::Difference>();
    library.scripted::<promote::Promotable>();
    library.scripted::<tasks::Task>();
    library.scripted::<steps::Step>();
    library.scripted::<interruptions::Interruption>();
    library.scripted::<events::Event>();
    library.scripted::<freezes::Freeze>();
    library.scripted::<rollout::Outcome>();
    library.scripted::<saga::Saga>();
    library.scripted::<Place>();
    library.recorded_as::<tasks::Task>(tasks::Task::lasting_name);
    library.recorded_as::<saga::Saga>(|_| "a saga".to_owned());
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
    requeue::register(&mut library);
    tasks::register(&mut library);
    steps::register(&mut library);
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
    interruptions::register(&mut library);
    events::register(&mut library);
    rows::register(&mut library);
    rows::property(&mut library);
    tell::register(&mut library);
    lists::register(&mut library);
    lock::register(&mut library);
    memory::register(&mut library);
    raw::register(&mut library);
    library.also_on::<Place, Entered>(|place| Host::enter(place.clone()));
    library.build()
}
