//! One run: script and settings in, outcome out.
//!
//! Front ends (`cli`, later `repl` and `serve`) fill in [`Settings`], call [`run`] and show the [`Outcome`].

mod journaled;

pub use journaled::Journaling;
pub use options::{Address, RunOptions};

pub use crate::{
    engine::{Files, Source},
    host::{
        context::{ContextSettings, Launcher, NameGiven, StepContext},
        held_locks::LocksAt,
    },
};

mod options;
mod parent;
pub mod session;
mod shared_pace;
mod time;

use crate::{
    api,
    cancel::Cancel,
    clock::{Clock, Stopwatch},
    doctor::{self, Advice},
    engine::{Config, Failure, Interpreter, Limits, Program, on_script_thread, thrown::to_json},
    error::{Error, Kind, Result},
    event::{Events, Level, Sink, What},
    host::{self, HeldLocks, Host, RunFacts, Servers, outbox::Outbox, raised::as_error, record::Recorder, space::Space},
    journal::Patience,
    mail::Mailer,
    sandbox::{Sandbox, World},
    secrets::Redactor,
    trust::Certificates,
};
use jiff::{SignedDuration, tz::TimeZone};
use journaled::{Begun, TakenUp};
use parent::StepWatch;
use parking_lot::Mutex;
use rhai::Dynamic;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, LazyLock},
};

/// Everything a run needs to know before it starts.
pub struct Settings {
    /// The script.
    pub script: Source,
    /// Values for `param(...)`, already checked against the script's declarations.
    pub params: BTreeMap<String, Value>,
    /// Where to.
    pub target: Target,
    /// The server is a sandbox in another process whose clock goes on when its clients wait: so does the run's.
    pub virtual_time: bool,
    /// Other servers by lower-case name, for `server("name")`; an error of one is that of a script that asks for it.
    pub servers: BTreeMap<String, Result<api::Credential>>,
    /// `ctx.env` and friends when the surroundings do not say.
    pub context: ContextSettings,
    /// The zone in which times without one are meant.
    pub zone: TimeZone,
    /// What happens to tasks this run started when it is cancelled and the script does not say otherwise.
    pub on_cancel: OnCancel,
    /// What happens to tasks this run started when the script fails and they go on.
    pub on_failure: OnCancel,
    /// How to send mail: an SMTP URL (`smtp://user:password@host:587`). A sandbox brings its own.
    pub smtp: Option<String>,
    /// The sender of mails.
    pub mail_from: Option<String>,
    /// Where `artifact(...)` writes; created when needed.
    pub artifacts: PathBuf,
    /// Knows the secrets, and takes them out of what leaves the run.
    pub secrets: Redactor,
    /// An operation limit that differs from the default.
    pub max_operations: Option<u64>,
    /// Who listens.
    pub sinks: Vec<Arc<dyn Sink>>,
    /// Ends the run.
    pub cancel: Cancel,
    /// Where locks are kept.
    pub locks: LocksAt,
    /// Where the run is journaled, if it is.
    pub journal: Option<Journaling>,
    /// Where `octorhai doctor` keeps what it measured; without it the run goes by what is safe on any server.
    pub measured: Option<PathBuf>,
    /// How long a store that is away is waited for, in real time; [`crate::journal::patience::USUAL`] unless somebody said otherwise.
    pub store_patience: std::time::Duration,
}

impl Settings {
    /// What the run goes by on its server.
    fn advice(&self) -> Advice {
        match &self.target {
            Target::Server { credential, .. } => doctor::advice(self.measured.as_deref(), &credential.address()),
            Target::Sandbox(world) => Advice::simulated(world.checks_versions(), world.key_cache(), world.keeps_deadlines()),
        }
    }
}

/// The Octopus Server a run works on.
pub enum Target {
    /// A real one, or a sandbox in another process.
    Server {
        /// Which one, and how to log in.
        credential: api::Credential,
        /// Space by name, slug or id; the default space when absent.
        space: Option<String>,
        /// Certificates that are trusted beside those of the machine.
        ca_cert: Option<Certificates>,
    },
    /// A simulated one in this process, with a virtual clock.
    Sandbox(World),
}

/// What becomes of this run's open tasks when the run ends before they do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnCancel {
    /// Cancel them on the server
    #[default]
    Cancel,
    /// Let them go on
    Leave,
}

/// How a run ended.
pub struct Outcome {
    /// See [`crate::error::Kind::exit_code`]; 0 when all went well.
    pub exit_code: u8,
    /// What the script returned, as JSON.
    pub result: Value,
    /// What ended it, with its place in the script.
    pub failure: Option<Failure>,
    /// Requests and time.
    pub stats: Stats,
    /// What it went by on the server; none when it did nothing on one.
    pub mode: Option<Advice>,
    /// What was true in the sandbox at the end ([`Sandbox::state`]); null for a real server.
    pub truth: Truth,
}

/// The state of a sandbox at the end of a run. It is large, so it is put together when somebody looks at it.
pub type Truth = LazyLock<Value, Box<dyn FnOnce() -> Value + Send>>;

impl Outcome {
    /// Of a run that had no sandbox, or has not asked it yet.
    fn of(exit_code: u8, result: Value, failure: Option<Failure>) -> Self {
        Self { exit_code, result, failure, stats: Stats::default(), mode: None, truth: Truth::new(Box::new(|| Value::Null)) }
    }
}

/// What `--stats` prints.
#[derive(Clone, Debug, Default)]
pub struct Stats {
    /// Requests sent, retries included.
    pub requests: u64,
    /// The most requests in any minute of the run's clock.
    pub busiest_minute: u64,
    /// Requests that the server rejected because there were too many (429).
    pub rejected: u64,
    /// Requests that waited for their turn, so that the server would not reject them.
    pub delayed: u64,
    /// Time the run took on its own clock (virtual in a simulation), in seconds.
    pub seconds: f64,
    /// Time the run took on the wall, in seconds.
    pub real_seconds: f64,
}

/// A run's server side: where it is, how mail leaves, and what must live as long as the run.
struct Grounds {
    host: Host,
    client: api::Client,
    sandbox: Option<Sandbox>,
}

/// Runs a script. Never panics on what a script or a server does.
pub fn run(settings: Settings) -> Outcome {
    let watch = Stopwatch::start();
    let clock = match time::of(&settings) {
        Ok(clock) => clock,
        Err(error) => return failed(error.into()),
    };
    let begun = clock.now();
    let events = Events::new(clock.clone(), settings.secrets.clone());
    for sink in &settings.sinks {
        events.listen(Arc::clone(sink));
    }
    let mut outcome = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).thread_name("octorhai").enable_all().build() {
        Ok(runtime) => {
            let outcome = on_runtime(&runtime, settings, &clock, &events);
            // A connection that hangs must not keep a run from ending.
            runtime.shutdown_background();
            outcome
        }
        Err(problem) => failed(Error::bug(format!("no runtime: {problem}")).into()),
    };
    outcome.stats.seconds = clock.since(begun).as_secs_f64();
    outcome.stats.real_seconds = watch.elapsed().as_secs_f64();
    let result = (!outcome.result.is_null()).then(|| outcome.result.clone());
    let (error, mode) = (outcome.failure.as_ref().map(Failure::to_json), outcome.mode.as_ref().map(Advice::json));
    events.emit(What::RunEnded { exit_code: outcome.exit_code, result, error, mode });
    outcome
}

fn failed(failure: Failure) -> Outcome {
    Outcome::of(failure.exit_code(), Value::Null, Some(failure))
}

/// How a run asks its server.
#[derive(Default)]
struct Manners<'a> {
    /// How long reads are retried, where not as usual.
    patience: Option<SignedDuration>,
    /// Says before each write whether the run is still wanted.
    wanted: Option<&'a Arc<StepWatch>>,
}

/// Settles where the run works: a sandbox of its own or a server, the space, the mailer.
async fn grounds(
    settings: &Settings,
    advice: Advice,
    clock: &Clock,
    events: &Events,
    mark: String,
    recorder: Option<Recorder>,
    Manners { patience, wanted }: Manners<'_>,
) -> Result<Grounds> {
    let (credential, space, ca_cert, sandbox, server) = match &settings.target {
        Target::Server { credential, space, ca_cert } => (credential.clone(), space.clone(), ca_cert.clone(), None, credential.address()),
        Target::Sandbox(world) => {
            let sandbox = Sandbox::start_within(world.clone(), clock.clone()).await?;
            let name = format!("sandbox {}", world.name());
            let credential = api::Credential::api_key(&sandbox.url(), &sandbox.api_key())?;
            let credential = sandbox.in_process().into_iter().fold(credential, api::Credential::in_process);
            (credential, settings.context.space.clone(), None, Some(sandbox), name)
        }
    };
    events.emit(What::RunStarted { script: settings.script.name.clone(), server, virtual_time: clock.is_virtual() });
    let told = events.clone();
    let connection = api::Settings {
        ca_cert,
        // A port is another one each time, and gone with the run: people and records see a fixed name.
        public_url: sandbox.as_ref().map(|_| "http://sandbox".to_owned()),
        on_retry: Some(Arc::new(move |text: &str| told.note(Level::Warning, text))),
        keeps_deadlines: advice.keeps_deadlines(),
        // A run that goes on was answered there before: what is wrong there now passes.
        known: recorder.as_ref().is_some_and(Recorder::goes_on),
        ..api::Settings::new(credential, clock.clone(), settings.cancel.clone())
    };
    let store = settings.journal.as_ref().map(|journaling| &journaling.store).or(settings.locks.store());
    let shared = store.map(|store| api::Pacers::shared(Arc::new(shared_pace::StoredPace(Arc::clone(store)))));
    let connection = api::Settings { pacers: shared.unwrap_or_default(), ..connection };
    let connection = api::Settings { patience: patience.unwrap_or(connection.patience), ..connection };
    let connection = api::Settings { before_write: wanted.map(before_write), ..connection };
    let client = api::Client::new(connection.clone())?;
    let space = client.space(space.as_deref()).await.map_err(configured)?;
    if let Some(wanted) = wanted {
        wanted.ask_by(space.clone());
    }
    let smtp = settings.smtp.clone().or_else(|| sandbox.as_ref().map(Sandbox::smtp_url));
    let mailer = match smtp {
        Some(url) => {
            // In a simulation nobody has to be told who writes.
            let from = settings.mail_from.as_deref().or(sandbox.as_ref().map(|_| "octorhai@example.com"));
            let mailer = Mailer::new(&url, from, clock.clone())?;
            Some(if sandbox.is_some() && settings.smtp.is_none() { mailer.shown_as("sandbox") } else { mailer })
        }
        None => None,
    };
    let run = RunFacts {
        handle: tokio::runtime::Handle::current(),
        clock: clock.clone(),
        cancel: settings.cancel.clone(),
        events: events.clone(),
        secrets: settings.secrets.clone(),
        zone: settings.zone.clone(),
        context: settings.context.clone(),
        params: Mutex::new(settings.params.clone()),
        artifacts: settings.artifacts.clone(),
        outbox: Outbox::new(mailer),
        run_id: mark,
        seed: sandbox.as_ref().map(|_| settings.script.text.clone()),
        script: settings.script.name.clone(),
    };
    let home = Space::new(client.clone(), space, advice);
    let servers = Servers::new(home, connection, settings.servers.clone(), settings.measured.clone());
    let host = Host::new(run, servers, HeldLocks::new(settings.locks.clone()), recorder);
    Ok(Grounds { host, client, sandbox })
}

/// Asks whether the run is still wanted. The answer needs the client that asks, so neither keeps the other.
fn before_write(wanted: &Arc<StepWatch>) -> api::BeforeWrite {
    let wanted = Arc::downgrade(wanted);
    Arc::new(move || {
        let wanted = wanted.upgrade();
        Box::pin(async move { if let Some(wanted) = wanted { wanted.before_write().await } else { Ok(()) } })
    })
}

/// What fails before the script starts is a matter of the address and the space, not of the script.
fn configured(error: Error) -> Error {
    if !matches!(error.kind(), Kind::NotFound | Kind::Ambiguous | Kind::BadAnswer) {
        return error;
    }
    error.into_kind(Kind::Usage)
}

/// A name for the run in markers: new each time on a real server, the same each time for the same script in a sandbox.
/// There a journaled run is told apart from others of the same script, which may have been on the same server before it.
/// Attempts of a step are told apart too, whatever time it is: what one took over from another is said.
fn run_id(settings: &Settings, clock: &Clock) -> String {
    let anew = || uuid::Uuid::new_v4().simple().to_string();
    if let Some(step) = &settings.context.step {
        return format!("{}{}", step.mark, &anew()[..6]);
    }
    let id = if clock.is_virtual() {
        let run = settings.journal.as_ref().map(|journaling| format!("\n{} {}", journaling.name, clock.now())).unwrap_or_default();
        uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, format!("{}{run}", settings.script.text).as_bytes()).simple().to_string()
    } else {
        anew()
    };
    id[..16].to_owned()
}

/// A script with all its files, compiled to be looked at: there is no server for its functions.
pub fn compiled(script: &Source) -> std::result::Result<Program, Failure> {
    // With the library all the same: what a wrong name should be is found among its functions.
    Interpreter::new(Config { library: host::library(), constants: vec![("ctx".to_owned(), Dynamic::UNIT)], ..Config::default() })
        .load(script)
}

fn interpreter(settings: &Settings, host: &Host, events: &Events) -> Interpreter {
    let (printer, debugged) = (host.clone(), events.clone());
    Interpreter::new(Config {
        limits: settings.max_operations.map_or_else(Limits::default, Limits::with_operations),
        cancel: settings.cancel.clone(),
        secrets: settings.secrets.clone(),
        state: Dynamic::from(host.clone()),
        library: host::library(),
        constants: vec![("ctx".to_owned(), Dynamic::from(host::ctx::Context))],
        print: Arc::new(move |text| printer.of_this_branch().emit(What::Print { text: text.to_owned() })),
        debug: Arc::new(move |text| debugged.note(Level::Verbose, text)),
    })
}

fn on_runtime(runtime: &tokio::runtime::Runtime, settings: Settings, clock: &Clock, events: &Events) -> Outcome {
    let busy = clock.enter();
    let (told, cancel) = (events.clone(), settings.cancel.clone());
    let patience = Patience::new(settings.store_patience, move || cancel.is_cancelled(), move |text| told.note(Level::Warning, text));
    for store in settings.journal.iter().map(|journal| &journal.store).chain(settings.locks.store()) {
        store.be_patient(patience.clone());
    }
    let (mark, advice) = (run_id(&settings, clock), settings.advice());
    let context = &settings.context;
    let wanted = (context.step.is_some() || context.launcher.is_some()).then(|| {
        let task = context.step.as_ref().map(|step| step.task.clone());
        Arc::new(StepWatch::new(context.launcher, task, settings.cancel.clone()))
    });
    if let Some(wanted) = wanted.clone() {
        runtime.spawn(async move { wanted.watch_agent().await });
    }
    let mut taken_up =
        match settings.journal.as_ref().map(|journal| journaled::take_up(journal, &settings, advice, mark.clone(), clock, events, runtime))
        {
            None => None,
            Some(Ok(Begun::Ours(taken_up))) => Some(taken_up),
            Some(Ok(Begun::Over(outcome))) => return *outcome,
            Some(Err(failure)) => return failed(failure),
        };
    let mark = taken_up.as_ref().map_or(mark, |taken_up| taken_up.mark.clone());
    let recorder = taken_up.as_mut().map(|taken_up| taken_up.recorder(clock));
    if let Some(taken_up) = &taken_up {
        let (store, name, holder) = taken_up.life();
        runtime.spawn(TakenUp::keep_alive(store, name, holder, settings.cancel.clone()));
    }
    let manners = Manners { wanted: wanted.as_ref(), ..Manners::default() };
    let grounds = match runtime.block_on(settings.cancel.guard(grounds(&settings, advice, clock, events, mark, recorder, manners))) {
        Ok(grounds) => grounds,
        Err(error) => {
            let mut outcome = failed(error.into());
            if let Some(taken_up) = &taken_up {
                taken_up.give_back(&mut outcome, clock);
            }
            return outcome;
        }
    };
    let Grounds { host, client, sandbox } = grounds;
    if let Some(taken_up) = &taken_up {
        match runtime.block_on(settings.cancel.guard(taken_up.is_of_another_user(&client))) {
            Ok(None) => {}
            Ok(Some(error)) => {
                let mut outcome = failed(error.into());
                taken_up.leave_as_found(&mut outcome, clock);
                return outcome;
            }
            Err(error) => {
                let mut outcome = failed(error.into());
                taken_up.give_back(&mut outcome, clock);
                return outcome;
            }
        }
    }
    if let Some(wanted) = wanted.clone() {
        runtime.spawn(async move { wanted.watch_task().await });
    }
    let interpreter = interpreter(&settings, &host, events);
    let mut still = None;
    let ran = interpreter.load(&settings.script).and_then(|program| {
        let (ran, token) = on_script_thread(|| {
            // The token moves to the thread that works: time stands until the script waits.
            let token = clock.enter();
            drop(busy);
            // A run that goes on was told when it began; what is called otherwise since then is no matter of its parameters.
            let goes_on = host.record.as_deref().is_some_and(Recorder::goes_on);
            let named = if goes_on { Ok(()) } else { host.unrecorded(|| host.look_up_names()) };
            let ran = named.map_err(Failure::from).and_then(|()| interpreter.run(&program)).map(|value| to_json(&value));
            (ran.and_then(|value| host.script_ends().map(|()| value).map_err(|error| as_error(&error).into())), token)
        })
        .map_err(Failure::from)?;
        // And back: what waits for a later time has to wait until the run has tidied up.
        still = Some(token);
        ran
    });
    host.unrecorded(|| {
        let is_stopped = settings.cancel.is_cancelled() && settings.on_cancel == OnCancel::Cancel;
        // A run that can be continued goes on with them.
        let has_failed = ran.as_ref().is_err_and(Failure::is_for_good) && settings.on_failure == OnCancel::Cancel;
        if is_stopped || has_failed {
            host.cancel_on_the_way_out(&host.open_tasks());
        } else {
            host.look_at_open_tasks();
        }
    });
    let ended_by = ran.as_ref().err().map(|failure| failure.error.kind());
    let left = host.leave_all(ended_by).map_err(Failure::from);
    let ran = ran.and_then(|value| left.map(|()| value));
    host.unrecorded(|| host.close_outbox(ran.as_ref().err().map(|failure| failure.error.kind())));
    let mut outcome = match ran {
        Ok(result) => Outcome::of(0, result, None),
        Err(failure) => failed(failure),
    };
    drop(still);
    outcome.mode = Some(host.servers.home.advice);
    if let (Some(taken_up), Some(recorder)) = (&taken_up, &host.record) {
        taken_up.put_down(recorder, &mut outcome, clock);
    }
    let sent = client.stats();
    outcome.stats.requests = sent.requests;
    outcome.stats.busiest_minute = sent.busiest_minute;
    outcome.stats.rejected = sent.rejected;
    outcome.stats.delayed = sent.delayed;
    if let Some(sandbox) = sandbox {
        outcome.truth = Truth::new(Box::new(sandbox.stop()));
    }
    outcome
}
