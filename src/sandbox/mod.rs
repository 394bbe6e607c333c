//! A simulated Octopus Server over real HTTP on loopback, or for this process alone. Shares only the ground with the rest of the crate.
//!
//! Not simulated, and answered with 501 and a sentence: version-controlled projects, what feeds other than the built-in one hold,
//! certificates and accounts beyond plain documents, the portal, retention, sign-in with a password.
//! Scripts in steps do not run: a step takes the time and has the outcome its world gives it.

mod access;
mod actiontemplates;
mod activity;
mod agenda;
mod answer;
mod api_keys;
mod approval_rules;
mod approvals;
mod artifacts;
mod at_reference;
mod audit;
mod bounds;
mod build;
mod build_information;
mod builtin_feed;
mod caller;
mod change_control;
mod change_requests;
mod channel_types;
mod channels;
mod clones;
mod collection;
mod control;
mod dashboard;
mod defaults;
mod deployments;
mod endpoints;
mod environment_types;
mod environments;
mod ephemeral;
mod ephemeral_uses;
mod event_categories;
mod events;
mod executions;
mod faults;
mod feeds;
mod freezes;
mod gate;
mod git;
mod git_resources;
mod git_runbooks;
#[cfg(test)]
mod growth;
mod hooks;
mod http;
mod interruptions;
mod keys;
mod known_members;
mod late;
mod lifecycle;
mod limits;
mod links;
mod log;
mod machines;
pub mod mailbox;
mod members;
mod nouns;
mod oidc;
mod packages;
mod pages;
mod parent_environments;
mod people;
mod permissions;
mod poster;
mod previews;
mod processes;
mod progress;
mod progression;
mod projects;
mod provisioning;
mod rate_limiting_policies;
mod release_creation;
mod releases;
mod repetition;
mod routing;
mod runbooks;
mod selection;
mod server;
mod shared_list;
mod state;
mod store;
mod subscriptions;
mod tags;
mod target_tags;
mod tasks;
mod tenants;
mod trigger_times;
mod triggers;
mod upload;
mod variable_snapshots;
mod variables;
mod versions;
mod wire;
mod worker;
mod world;

pub use mailbox::Mail;
pub use world::World;

use crate::{
    clock::Clock,
    error::{Error, Result},
    transport::{Answering, InProcess},
};
use axum::{
    body::{Body, Bytes},
    extract::{ConnectInfo, Request, State},
};
use http::Shared;
use http_body_util::BodyExt;
use mailbox::Mailbox;
use parking_lot::Mutex;
use std::path::Path;
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio::{net::TcpListener, sync::Semaphore, task::JoinHandle};
use wire::{Door, Line};

/// A running simulated server; dropping it stops it.
pub struct Sandbox {
    shared: Arc<Shared>,
    url: String,
    over_sockets: bool,
    /// When it listens.
    serving: Option<JoinHandle<()>>,
}

/// What a sandbox is called that does not listen.
const UNHEARD: &str = "sandbox";

/// Which shells of this machine run the scripts of steps, in one line, and a line for each that is missing and why.
pub fn shells() -> Vec<String> {
    worker::shells_found()
}

/// The service messages that the sandbox hears in lines of a step's stdout, in order: `{"name", "attributes"}`, or `{"level"}` for those that
/// change the level of the lines behind them (null: nothing is shown).
pub fn messages_in(lines: &[String]) -> serde_json::Value {
    worker::heard(lines)
}

impl Sandbox {
    /// Starts a server for `world` on the current tokio runtime. Time in it is `clock`'s; port 0 means any.
    ///
    /// Its key is the world's, and `API-SANDBOX` in a world that names none. Where scripts run or other machines reach it, a key that
    /// the world does not name is made up.
    ///
    /// # Errors
    /// `usage` when it cannot listen, or when the world has scripts and may not run them ([`World::running_scripts`]).
    pub async fn start(world: World, clock: Clock, listen: SocketAddr) -> Result<Sandbox> {
        Self::start_as(world, clock, listen, &[]).await
    }

    /// The same; clients call it by `hosts`, too.
    ///
    /// # Errors
    /// As [`Sandbox::start`].
    pub async fn start_as(world: World, clock: Clock, listen: SocketAddr, hosts: &[String]) -> Result<Sandbox> {
        world.may_start()?;
        let cannot = |e: std::io::Error| {
            let why = match e.kind() {
                std::io::ErrorKind::AddrInUse => "another process listens there".to_owned(),
                std::io::ErrorKind::AddrNotAvailable => "this machine does not have that address".to_owned(),
                std::io::ErrorKind::PermissionDenied => "this user may not".to_owned(),
                _ => e.to_string(),
            };
            Error::usage(format!("the sandbox cannot listen on `{listen}`: {why}")).help("port 0 takes a free one: 127.0.0.1:0")
        };
        let listener = TcpListener::bind(listen).await.map_err(cannot)?;
        let address = listener.local_addr().map_err(cannot)?;
        let mut sandbox = Self::begin(&world, clock, address, &address.to_string(), hosts)?;
        let app = axum::Router::new().fallback(http::handle).with_state(sandbox.shared.clone());
        let app = app.into_make_service_with_connect_info::<Line>();
        sandbox.serving = Some(tokio::spawn(async move {
            // The server ends only when this task is aborted.
            let _ = axum::serve(Door::new(listener), app).await;
        }));
        Ok(sandbox)
    }

    /// The same for clients of this process, which reach it by [`Sandbox::in_process`]. It listens only where somebody else needs it: scripts
    /// of steps.
    ///
    /// # Errors
    /// As [`Sandbox::start`].
    pub async fn start_within(world: World, clock: Clock) -> Result<Sandbox> {
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        if world.runs_scripts() || world.is_over_sockets() {
            return Self::start(world, clock, listen).await;
        }
        world.may_start()?;
        Self::begin(&world, clock, listen, UNHEARD, &[UNHEARD.to_owned()])
    }

    fn begin(world: &World, clock: Clock, address: SocketAddr, name: &str, hosts: &[String]) -> Result<Sandbox> {
        let mailbox = Mailbox::start(SocketAddr::new(address.ip(), 0))?;
        let plan = world.plan();
        let is_secret = world.runs_scripts() || !address.ip().to_canonical().is_loopback();
        let key = plan.key.clone().unwrap_or_else(|| if is_secret { keys::made_up() } else { world::KNOWN_KEY.to_owned() });
        let base = plan.base_path.trim_end_matches('/').to_owned();
        let url = format!("http://{name}{base}");
        let mut state = build::state(world, &key);
        state.smtp = plan.smtp.then(|| (mailbox.address().ip().to_string(), mailbox.address().port()));
        state.url.clone_from(&url);
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            faults: Mutex::new(faults::Faults::new(plan.start.0, &plan.faults)),
            late: late::Waiting::default(),
            clock,
            gate: gate::Gate::new(address, hosts),
            key,
            bodies: Semaphore::new(bounds::BODIES >> 10),
            base,
            date_ahead: plan.date_ahead.unwrap_or_default().0,
            requests: AtomicU64::new(0),
            log: log::Log::default(),
            mailbox,
            worker: worker::Worker::new(),
            poster: poster::Poster::default(),
        });
        let server = Arc::downgrade(&shared);
        shared.poster.start(move || server.upgrade().map(|shared| shared.look_at_subscriptions()));
        if subscriptions::any(&shared.state.lock()) {
            shared.poster.call(shared.clock.enter());
        }
        if !shared.clock.is_virtual() && world.runs_scripts() {
            tokio::spawn(worker::watch(Arc::downgrade(&shared)));
        }
        Ok(Sandbox { shared, url, over_sockets: world.is_over_sockets(), serving: None })
    }

    /// The server for clients of this process, with no socket between them; none in a world that is [`World::over_sockets`].
    pub fn in_process(&self) -> Option<Arc<dyn InProcess>> {
        (!self.over_sockets).then(|| self.shared.clone() as Arc<dyn InProcess>)
    }

    /// The address to give to clients, with the virtual directory if the world has one.
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// An API key that may do everything.
    pub fn api_key(&self) -> String {
        self.shared.key.clone()
    }

    /// Where mail goes: `smtp://127.0.0.1:port`.
    pub fn smtp_url(&self) -> String {
        format!("smtp://{}", self.shared.mailbox.address())
    }

    /// Writes every request and its answer, as a line of JSON, behind what the file at `path` holds.
    ///
    /// # Errors
    /// `usage` when the file cannot be opened.
    pub fn log_to(&self, path: &Path) -> Result<()> {
        self.shared.log.write_to(path)
    }

    /// Waits until the log's file can no longer be written, and says why.
    pub async fn log_breaks(&self) -> Error {
        self.shared.log.breaks().await
    }

    /// The mails so far, oldest first.
    pub fn mails(&self) -> Vec<Mail> {
        self.shared.mailbox.mails()
    }

    /// What is true now: `deployments` and `runbook_runs` in creation order, `live`, `requests`, `mails`.
    pub fn state(&self) -> serde_json::Value {
        control::truth(&self.shared)
    }

    /// Stops the server. The function that is returned says what was true at its end, as [`Sandbox::state`] does.
    pub fn stop(self) -> impl FnOnce() -> serde_json::Value + Send + 'static {
        let shared = Arc::clone(&self.shared);
        move || control::truth(&shared)
    }

    /// How many requests have come, without those to `/sandbox/`.
    pub fn requests(&self) -> u64 {
        self.shared.requests.load(Ordering::SeqCst)
    }
}

/// Every endpoint the sandbox knows, one JSON object each: `method`, `path`, `depth` (`simulated`, `partly`, `501`), `note`,
/// `permission` (of which one is needed, separated by `|`), `since` (the first server that has it; null: all that are simulated),
/// `takes` (members of a body on which it acts, or `document`, `file`, `list`).
pub fn endpoints() -> impl Iterator<Item = serde_json::Value> {
    endpoints::ALL.iter().map(|e| {
        let (depth, note) = e.depth();
        serde_json::json!({"method": e.method, "path": e.path(), "depth": depth, "note": note, "permission": e.needs, "since": e.since.name(), "takes": e.accepts.shown()})
    })
}

/// The endpoints of the sandbox itself: method and path.
pub fn control_endpoints() -> impl Iterator<Item = (&'static str, &'static str)> {
    control::endpoints()
}

/// The name of the endpoint of a request, as `GET /api/{space}/projects/{id}`; none when the sandbox knows no such endpoint.
pub fn endpoint(method: &str, path: &str) -> Option<String> {
    let path = path.split('?').next().unwrap_or_default();
    let segments: Vec<String> = path.split('/').filter(|s| !s.is_empty()).skip(1).map(str::to_owned).collect();
    let (space, rest) = endpoints::behind_space(&segments);
    endpoints::find(method, path, space.is_some(), rest).ok().map(routing::Endpoint::name)
}

impl InProcess for Shared {
    fn answer(self: Arc<Self>, request: Request<Bytes>) -> Answering {
        Box::pin(async move {
            let line = Line::new();
            let response = http::handle(State(self), ConnectInfo(line.clone()), request.map(Body::from)).await;
            (!line.is_cut()).then(|| response.map(|content| content.map_err(Into::into).boxed_unsync()))
        })
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        if let Some(serving) = &self.serving {
            serving.abort();
        }
        self.shared.worker.stop();
    }
}
