//! Plays a scene: a fresh server whose clock stands, the binary on it, and what was true in the end.

use crate::{
    oracle::Ended,
    scenes::Scene,
    support::{octorhai_command, settings},
};
use assert_cmd::Command;
use jiff::Timestamp;
use octorhai::{
    api::Credential,
    clock::Clock,
    event::Recorder,
    run::Target,
    sandbox::{Sandbox, World},
};
use serde_json::{Value, json};
use std::{ffi::OsStr, fmt::Write as _, os::unix::process::ExitStatusExt as _, path::Path, sync::Arc, time::Duration};

/// How often a run is started again before we say that it does not end.
const MOST_STARTS: usize = 5;

/// How long a start may take on a very busy machine before it hangs.
pub const LONGEST: Duration = Duration::from_secs(120);

/// What disturbs a run.
#[derive(Clone, Debug, Default)]
pub struct Disturbance {
    /// Kill the first start at the first of these places, the second at the second, and so on.
    pub kills: Vec<u64>,
    /// Requests that go wrong, as `POST /sandbox/faults` takes them.
    pub fault: Option<Value>,
    /// Cut so many bytes off the journal's log after the kill, if the kill was right after something was written.
    pub tear: Option<u64>,
}

/// How it went.
pub struct Played {
    pub world: Ended,
    /// The exit code of the last start.
    pub code: i32,
    /// The names of the places at which it was killed, if it came that far.
    pub killed_at: Vec<String>,
    pub torn: bool,
    /// The names of the places that the last start passed.
    pub places: Vec<String>,
    /// The requests that were sent, `POST /api/...`.
    pub requests: Vec<String>,
    /// What all starts wrote to stderr.
    pub talk: String,
}

/// A server, its runtime and its clock.
pub struct Stage {
    pub runtime: tokio::runtime::Runtime,
    pub sandbox: Sandbox,
    pub clock: Clock,
    http: reqwest::Client,
}

impl Stage {
    pub fn set(scene: &Scene) -> Self {
        Self::on(scene, Clock::virtual_at)
    }

    /// The same on another clock, which begins with the world.
    pub fn on(scene: &Scene, clock: fn(Timestamp) -> Clock) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        let world = World::from_toml("world.toml", &scene.world).expect("a good world");
        let clock = clock(world.start());
        let listen = "127.0.0.1:0".parse().expect("an address");
        let sandbox = runtime.block_on(Sandbox::start(world, clock.clone(), listen)).expect("it starts");
        let http = reqwest::Client::builder().no_proxy().build().expect("a client");
        let stage = Self { runtime, sandbox, clock, http };
        if !scene.before.is_empty() {
            let credential = Credential::api_key(&stage.sandbox.url(), &stage.sandbox.api_key()).expect("a credential");
            let target = Target::Server { credential, space: None, ca_cert: None };
            let mut settings = settings(target, scene.before, Arc::new(Recorder::default()));
            settings.virtual_time = stage.clock.is_virtual();
            let outcome = octorhai::run::run(settings);
            assert_eq!(outcome.exit_code, 0, "{}: {:?}", scene.name, outcome.failure.map(|f| f.error));
        }
        stage
    }

    pub fn ask(&self, path: &str, body: Option<&Value>) -> Value {
        let url = format!("{}{path}", self.sandbox.url());
        let request = body.map_or_else(|| self.http.get(&url), |body| self.http.post(&url).json(body));
        let request = request.header("X-Octopus-ApiKey", self.sandbox.api_key());
        self.runtime.block_on(async { request.send().await.expect("an answer").json().await.expect("JSON") })
    }

    pub fn variables(&self) -> Vec<String> {
        let sets = self.ask("/api/Spaces-1/libraryvariablesets/all", None);
        let mut lines = Vec::new();
        for set in sets.as_array().into_iter().flatten() {
            let variables = self.ask(&format!("/api/Spaces-1/variables/{}", set["VariableSetId"].as_str().unwrap_or_default()), None);
            for variable in variables["Variables"].as_array().into_iter().flatten() {
                lines.push(format!("{} {} {}", set["Name"], variable["Name"], without_generation(&variable["Value"])));
            }
        }
        lines
    }
}

/// What stands in a variable, but for times and marks; of a lock not how often it was taken, for a run that goes on takes its lock again.
fn without_generation(value: &Value) -> String {
    let record = value.as_str().and_then(|text| serde_json::from_str::<Value>(text).ok());
    record.map_or_else(
        || value.to_string(),
        |mut record| {
            if let Some(members) = record.as_object_mut() {
                members.remove("gen");
                for time in members.values_mut().filter(|v| v.as_str().is_some_and(|text| text.parse::<Timestamp>().is_ok())) {
                    *time = json!("a time");
                }
                // Of `once`: a run that could not begin at first has another mark.
                if let Some(mark) = members.get_mut("run") {
                    *mark = json!("a run");
                }
            }
            record.to_string()
        },
    )
}

/// Plays it to the end: starts the run again with the same id and journal until it has ended.
pub fn play(scene: &Scene, disturbance: &Disturbance) -> Played {
    let stage = Stage::set(scene);
    let folder = tempfile::tempdir().expect("a folder");
    let before = stage.ask("/sandbox/requests", None).as_array().map_or(0, Vec::len);
    if let Some(fault) = &disturbance.fault {
        stage.ask("/sandbox/faults", Some(fault));
    }
    let mut played = Played {
        world: Ended::default(),
        code: -1,
        killed_at: Vec::new(),
        torn: false,
        places: Vec::new(),
        requests: Vec::new(),
        talk: String::new(),
    };
    for start in 0..MOST_STARTS {
        let kill = disturbance.kills.get(start).copied();
        let killed = once(scene, &stage, folder.path(), kill, &mut played);
        if killed {
            if disturbance.tear.is_some_and(|bytes| written(played.killed_at.last()) && tear(&folder.path().join("store"), bytes)) {
                played.torn = true;
            }
            continue;
        }
        // In doubt, or it goes on later: another start may know more.
        if played.code == scene.code || !matches!(played.code, 7 | 8) {
            break;
        }
    }
    let requests = stage.ask("/sandbox/requests", None);
    let requests = requests.as_array().into_iter().flatten().skip(before);
    played.requests = requests.map(|r| format!("{} {}", r["method"].as_str().unwrap_or("-"), r["path"].as_str().unwrap_or("-"))).collect();
    // What is still on its way ends: the same comparison whenever the run stopped looking.
    stage.clock.advance(jiff::SignedDuration::from_hours(48));
    played.world = Ended::of(&stage.sandbox.state(), stage.variables());
    played
}

/// Whether something had just been written to the journal.
fn written(place: Option<&String>) -> bool {
    place.is_some_and(|place| place.contains("journal") && place.contains("after"))
}

/// The run on the server at `url`, with its store at an address and more options.
pub fn command(
    scene: &Scene,
    stage: &Stage,
    url: &str,
    folder: &Path,
    store: impl AsRef<OsStr>,
    options: &[&str],
) -> std::process::Command {
    let script = scene.file(folder);
    let (ours, theirs) = scene.arguments.split_at(if scene.arguments.first() == Some(&"--deployment") { 2 } else { 0 });
    let mut command = octorhai_command();
    command
        .env("OCTOPUS_API_KEY", stage.sandbox.api_key())
        .env("OCTORHAI_STATE", folder)
        .args(["run", "--server", url, "--run-id", "crash"])
        .args(stage.clock.is_virtual().then_some("--virtual-time"))
        .args([OsStr::new("--store"), store.as_ref()])
        .args([Path::new("--artifacts"), &folder.join("artifacts")])
        .args(options)
        .args(ours)
        .arg(&script)
        .args(theirs);
    command
}

/// One start; whether it was killed.
fn once(scene: &Scene, stage: &Stage, folder: &Path, kill: Option<u64>, played: &mut Played) -> bool {
    crate::support::measured(folder, &stage.sandbox.url());
    let mut command = Command::from_std(command(scene, stage, &stage.sandbox.url(), folder, folder.join("store"), &[]));
    command.timeout(LONGEST).env("RUST_LOG", if kill.is_some() { "octorhai::crash=debug" } else { "octorhai::crash=trace" });
    if let Some(kill) = kill {
        command.env("OCTORHAI_CRASH_AT", kill.to_string());
    }
    let output = command.output().expect("the binary runs");
    let written = String::from_utf8_lossy(&output.stderr);
    // `TRACE octorhai::crash: place name="request: before POST" passed=7`, and `crash name=...` at the end of a killed one.
    let (places, talk): (Vec<&str>, Vec<&str>) = written.lines().partition(|line| line.contains("octorhai::crash: place name=\""));
    let name = |line: &str| line.split('"').nth(1).map(str::to_owned);
    played.places = places.into_iter().filter_map(name).collect();
    let place = talk.iter().find(|line| line.contains("octorhai::crash: crash name=\"")).and_then(|line| name(line));
    played.code = output.status.code().unwrap_or(-1);
    let (code, signal) = (output.status.code(), output.status.signal());
    let _ = writeln!(played.talk, "--- exit {code:?}, signal {signal:?}\n{}", talk.join("\n"));
    let killed = output.status.signal() == Some(9);
    played.killed_at.extend(place.filter(|_| killed));
    killed
}

/// Cuts bytes off the end of the journal's write-ahead log, as a power failure in the middle of a write does; whether there is one.
fn tear(store: &Path, bytes: u64) -> bool {
    let files = std::fs::read_dir(store).into_iter().flatten().flatten().map(|entry| entry.path());
    let Some(log) = files.into_iter().find(|path| path.to_string_lossy().ends_with("-wal")) else { return false };
    let length = std::fs::metadata(&log).map_or(0, |log| log.len());
    let file = std::fs::OpenOptions::new().write(true).open(&log).expect("the log can be written");
    length > bytes && file.set_len(length - bytes).is_ok()
}

/// A fault that hits the `nth` POST.
pub fn fault(action: &str, nth: usize) -> Value {
    json!({"match": "POST /api/*", "nth": nth, "action": action, "by": "2m"})
}
