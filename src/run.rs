//! One run: script and settings in, outcome out.
//!
//! Front ends (`cli`, later `repl` and `serve`) fill in [`Settings`], call [`run`] and show the [`Outcome`].

pub use crate::engine::Source;
use crate::{cancel::Cancel, engine::Failure, event::Sink};
use jiff::tz::TimeZone;
use serde_json::Value;
use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

/// Everything a run needs to know before it starts.
pub struct Settings {
    /// The script.
    pub script: Source,
    /// Values for `param(...)`, already checked against the script's declarations.
    pub params: BTreeMap<String, Value>,
    /// Where to.
    pub target: Target,
    /// `ctx.env` and friends when the surroundings do not say.
    pub context: ContextSettings,
    /// The zone in which times without one are meant.
    pub zone: TimeZone,
    /// What happens to tasks this run started when it is cancelled and the script does not say otherwise.
    pub on_cancel: OnCancel,
    /// How to send mail: an SMTP URL (`smtp://user:password@host:587`). A sandbox brings its own.
    pub smtp: Option<String>,
    /// The sender of mails.
    pub mail_from: Option<String>,
    /// Where `artifact(...)` writes; created when needed.
    pub artifacts: PathBuf,
    /// An operation limit that differs from the default.
    pub max_operations: Option<u64>,
    /// Who listens.
    pub sinks: Vec<Arc<dyn Sink>>,
    /// Ends the run.
    pub cancel: Cancel,
}

/// The Octopus Server a run works on.
pub enum Target {
    /// A real one, or a sandbox in another process.
    Server {
        /// Base address, with a virtual directory if there is one.
        url: String,
        /// How to log in.
        credential: crate::api::Credential,
        /// Space by name, slug or id; the default space when absent.
        space: Option<String>,
        /// An extra certificate authority (PEM file).
        ca_cert: Option<PathBuf>,
    },
    /// A simulated one in this process, with a virtual clock.
    Sandbox(crate::sandbox::World),
}

/// What `ctx` says outside of an Octopus step.
#[derive(Clone, Debug, Default)]
pub struct ContextSettings {
    /// Environment name.
    pub environment: Option<String>,
    /// Tenant name.
    pub tenant: Option<String>,
    /// Project name.
    pub project: Option<String>,
    /// The deployment that runs the script (its id).
    pub deployment: Option<String>,
}

/// What becomes of this run's open tasks when the run is cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnCancel {
    /// They are cancelled on the server.
    Cancel,
    /// They go on.
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
    /// Mails that the sandbox's mail box received: (recipients, subject), in order. Empty for a real server.
    pub mails: Vec<(Vec<String>, String)>,
}

/// What `--stats` prints.
#[derive(Clone, Debug, Default)]
pub struct Stats {
    /// Requests sent, retries included.
    pub requests: u64,
    /// The most requests in any minute of the run's clock.
    pub busiest_minute: u64,
    /// Time the run took on its own clock (virtual in a simulation), in seconds.
    pub seconds: f64,
    /// Time the run took on the wall, in seconds.
    pub real_seconds: f64,
    /// What one loop per waited task, asking every second, would have sent.
    pub naive_requests: u64,
}

/// Runs a script.
pub fn run(settings: Settings) -> Outcome {
    use crate::{
        clock::Clock,
        engine::{Config, Interpreter, Limits},
        event::{Events, What},
    };
    let virtual_time = matches!(settings.target, Target::Sandbox(_));
    let events = Events::new(Clock::virtual_at("2026-03-02T08:00:00Z".parse().expect("a timestamp")));
    for sink in settings.sinks {
        events.listen(sink);
    }
    events.emit(What::RunStarted { script: settings.script.name.clone(), server: "sandbox shop".to_owned(), virtual_time });
    let printed = events.clone();
    let config = Config {
        cancel: settings.cancel,
        limits: Limits { operations: settings.max_operations.unwrap_or(50_000_000), ..Limits::default() },
        print: Arc::new(move |text| printed.emit(What::Print { text: text.to_owned() })),
        ..Config::default()
    };
    let interpreter = Interpreter::new(config);
    let failure = interpreter.load(&settings.script).and_then(|program| interpreter.run(&program)).err();
    let exit_code = failure.as_ref().map_or(0, Failure::exit_code);
    events.emit(What::RunEnded { exit_code, result: None, error: failure.as_ref().map(Failure::to_json) });
    Outcome { exit_code, result: Value::Null, failure, stats: Stats::default(), mails: Vec::new() }
}
