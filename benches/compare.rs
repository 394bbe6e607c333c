//! Octorhai beside a sequential loop, in one run: start-up, calls, waiting for 1,000 tasks, promoting 1,000 projects.
//!
//! `cargo bench` prints a table. Both sides talk HTTP to the same simulated server, which answers each request after
//! 20 ms, on a real clock. The rival is the loop of Octopus's own guides: for each project find what is live and deploy
//! it, then ask each task once a second until it is complete, one request after the other.
#![allow(clippy::print_stdout, reason = "the table is what it is for")]

use octorhai::{
    api::Credential,
    clock::{Clock, Stopwatch},
    engine::Source,
    event::{Event, Sink, What},
    run::{ContextSettings, OnCancel, Settings, Target},
    sandbox::{Sandbox, World},
};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    process::{Command, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::runtime::Runtime;

/// How many projects and tasks.
const MANY: usize = 1000;
/// How often the small things are measured; the middle one counts.
const TIMES: usize = 15;

struct Server {
    sandbox: Sandbox,
    _runtime: Runtime,
}

impl Server {
    /// A fresh server on a real clock with `MANY` projects; its tasks take two seconds and all run at once.
    fn start(latency: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
        let world = World::builtin_toml(&format!("fleet({MANY})")).expect("a built-in world");
        let world = world.replace("task_cap = 50", &format!("task_cap = {MANY}")).replace("\"90s\"", "\"1s\"").replace("\"30s\"", "\"1s\"");
        let world = if latency.is_empty() { world } else { format!("{world}\n[[faults]]\naction = \"delay\"\nby = \"{latency}\"\n") };
        let world = World::from_toml("fleet", &world).expect("a good world");
        let clock = Clock::scaled(world.start(), 1.0);
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let sandbox = runtime.block_on(Sandbox::start(world, clock, any)).expect("a server");
        Self { sandbox, _runtime: runtime }
    }

    /// Deployments to Production that ended well since the start.
    fn promoted(&self) -> usize {
        let state = self.sandbox.state();
        let all = state["deployments"].as_array().expect("a list");
        all.iter().filter(|d| d["environment"] == "Production" && d["state"] == "Success" && d["history"] == false).count()
    }
}

/// When each text was printed, in seconds since the start of the run.
struct Prints(Stopwatch, Mutex<BTreeMap<String, f64>>);

impl Sink for Prints {
    fn event(&self, event: &Event) {
        if let What::Print { text } = &event.what {
            self.1.lock().expect("no panic").insert(text.clone(), self.0.elapsed().as_secs_f64());
        }
    }
}

struct Ran {
    seconds: f64,
    prints: BTreeMap<String, f64>,
    requests: u64,
    /// On the run's own clock.
    minutes: f64,
}

fn run(target: Target, script: &str) -> Ran {
    let prints = Arc::new(Prints(Stopwatch::start(), Mutex::default()));
    let watch = Stopwatch::start();
    let outcome = octorhai::run::run(Settings {
        script: Source { name: "bench.rhai".to_owned(), text: script.to_owned(), files: octorhai::run::Files::None },
        params: BTreeMap::new(),
        target,
        virtual_time: false,
        servers: BTreeMap::new(),
        context: ContextSettings::default(),
        zone: jiff::tz::TimeZone::UTC,
        on_cancel: OnCancel::Leave,
        on_failure: OnCancel::Leave,
        smtp: None,
        mail_from: None,
        artifacts: std::env::temp_dir(),
        secrets: octorhai::secrets::Redactor::new(),
        max_operations: None,
        locks: octorhai::run::LocksAt::Octopus,
        journal: None,
        measured: None,
        store_patience: octorhai::journal::patience::USUAL,
        sinks: vec![prints.clone()],
        cancel: octorhai::cancel::Cancel::new(),
    });
    assert_eq!(outcome.exit_code, 0, "{:?}", outcome.failure.map(|f| f.error));
    let prints = std::mem::take(&mut *prints.1.lock().expect("no panic"));
    let (stats, seconds) = (outcome.stats, watch.elapsed().as_secs_f64());
    Ran { seconds, prints, requests: stats.requests, minutes: stats.seconds / 60.0 }
}

fn server(server: &Server) -> Target {
    let credential = Credential::api_key(&server.sandbox.url(), &server.sandbox.api_key()).expect("a credential");
    Target::Server { credential, space: None, ca_cert: None }
}

/// The rival: one request after the other, over one connection that is kept.
struct Loop {
    http: reqwest::Client,
    runtime: Runtime,
    url: String,
    key: String,
    requests: u64,
}

impl Loop {
    fn on(server: &Server) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self { http: reqwest::Client::new(), runtime, url: server.sandbox.url(), key: server.sandbox.api_key(), requests: 0 }
    }

    fn ask(&mut self, path: &str, body: Option<&Value>) -> Value {
        self.requests += 1;
        let url = format!("{}/api/Spaces-1/{path}", self.url);
        let request = match body {
            Some(body) => self.http.post(url).header("Content-Type", "application/json").body(body.to_string()),
            None => self.http.get(url),
        };
        let answer =
            self.runtime.block_on(async { request.header("X-Octopus-ApiKey", &self.key).send().await?.error_for_status()?.text().await });
        serde_json::from_str(&answer.expect("an answer")).expect("JSON")
    }

    /// Deploys to Production what is live in Test, project by project.
    fn promote(&mut self) -> Vec<String> {
        let environments = self.ask("environments/all", None);
        let id = |name: &str| {
            let all = environments.as_array().expect("a list");
            all.iter().find(|e| e["Name"] == name).expect("the environment")["Id"].as_str().expect("an id").to_owned()
        };
        let (test, production) = (id("Test"), id("Production"));
        let mut tasks = Vec::new();
        for project in self.ask("projects/all", None).as_array().expect("a list") {
            let project = project["Id"].as_str().expect("an id");
            let live = self.ask(&format!("deployments?projects={project}&environments={test}&taskState=Success&take=1"), None);
            let body = json!({"ProjectId": project, "ReleaseId": live["Items"][0]["ReleaseId"], "EnvironmentId": production});
            tasks.push(self.ask("deployments", Some(&body))["TaskId"].as_str().expect("an id").to_owned());
        }
        tasks
    }

    /// Asks each task once a second until it is complete.
    fn wait(&mut self, tasks: &[String]) {
        for task in tasks {
            while self.ask(&format!("tasks/{task}"), None)["IsCompleted"] != true {
                std::thread::sleep(Duration::from_secs(1));
            }
        }
    }
}

/// The middle of several measurements, in milliseconds.
fn middle(mut measure: impl FnMut() -> f64) -> f64 {
    let mut all: Vec<f64> = (0..TIMES).map(|_| measure() * 1000.0).collect();
    all.sort_by(f64::total_cmp);
    all[TIMES / 2]
}

/// From the start of the process to its end, in seconds.
fn process(server: &Server, arguments: &[&str]) -> f64 {
    let mut command = Command::new(env!("CARGO_BIN_EXE_octorhai"));
    command.args(arguments).env("OCTOPUS_URL", server.sandbox.url()).env("OCTOPUS_API_KEY", server.sandbox.api_key());
    let watch = Stopwatch::start();
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status().expect("octorhai starts");
    assert!(status.success());
    watch.elapsed().as_secs_f64()
}

fn line(what: &str, ours: &str, rival: &str, ratio: &str) {
    println!("{what:<42} {ours:>26} {rival:>26} {ratio:>8}");
}

fn seconds(seconds: f64, requests: u64) -> String {
    format!("{seconds:.2} s, {requests} requests")
}

fn start_up() {
    let server = Server::start("");
    let folder = tempfile::tempdir().expect("a folder");
    let script = folder.path().join("one.rhai");
    std::fs::write(&script, "get(\"/api\");").expect("written");
    let bare = middle(|| process(&server, &["--version"]));
    let whole = middle(|| process(&server, &["run", "--quiet", script.to_str().expect("UTF-8")]));
    line("start, find the space, one request, end", &format!("{whole:.1} ms"), &format!("--version {bare:.1} ms"), "");
}

fn calls() {
    let world = || Target::Sandbox(World::named_or_file("shop").expect("a built-in world"));
    let count = 200_000;
    let took = |body: &str| run(world(), &format!("for i in 0..{count} {{ {body} }}")).seconds;
    let empty = took("i + 1;");
    let call = took("version_in(\"1.2.3\", \"1.*\");");
    let each = (call - empty) / f64::from(count) * 1e6;
    line("a call of a function", &format!("{each:.2} µs"), &format!("i + 1: {:.2} µs", empty / f64::from(count) * 1e6), "");
}

fn promote_and_wait(latency: &str) {
    let ours = Server::start(latency);
    let script = "let rows = promotable(\"Test\", \"Production\"); print(\"rows\"); \
                  let tasks = parallel(rows, |row| row.deploy()); print(\"started\"); \
                  wait(tasks, #{timeout: \"10m\"}); print(\"complete\");";
    let ran = run(server(&ours), script);
    assert_eq!(ours.promoted(), MANY, "octorhai promotes all");
    let started = ran.prints["started"];
    drop(ours);

    let rivals = Server::start(latency);
    let mut rival = Loop::on(&rivals);
    let watch = Stopwatch::start();
    let tasks = rival.promote();
    let (began, begun) = (watch.elapsed().as_secs_f64(), rival.requests);
    rival.wait(&tasks);
    let whole = watch.elapsed().as_secs_f64();
    assert_eq!(rivals.promoted(), MANY, "the loop promotes all");

    let ratio = |a: f64, b: f64| format!("{:.1} x", a / b);
    line(&format!("promote {MANY}, until all are started"), &format!("{started:.2} s"), &seconds(began, begun), &ratio(began, started));
    line("  of it to find what may be promoted", &format!("{:.2} s", ran.prints["rows"]), "", "");
    line(
        "promote and wait until all are complete",
        &seconds(ran.seconds, ran.requests),
        &seconds(whole, rival.requests),
        &ratio(whole, ran.seconds),
    );
}

/// What it costs to keep to a limit that is far away, beside no limit: the same promotions, the same requests.
fn pace() {
    let promote = |limit: &str| {
        let world = World::builtin_toml(&format!("fleet({MANY})")).expect("a built-in world");
        let world = World::from_toml("fleet", &format!("{world}{limit}")).expect("a good world");
        run(Target::Sandbox(world), "parallel(projects(), |p| promote(p, \"Test\", \"Production\"), #{width: 50});")
    };
    let (mut paced, mut free) = (Vec::new(), Vec::new());
    for _ in 0..5 {
        paced.push(promote("\n[[rate_limits]]\nper_minute = 1000000000\n"));
        free.push(promote(""));
    }
    let middle = |mut runs: Vec<Ran>| {
        runs.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
        runs.swap_remove(2)
    };
    let (paced, free) = (middle(paced), middle(free));
    assert_eq!(paced.requests, free.requests, "a limit adds no request");
    let ratio = format!("{:.2} x", free.seconds / paced.seconds);
    line(
        "promote with a far limit, beside no limit",
        &seconds(paced.seconds, paced.requests),
        &seconds(free.seconds, free.requests),
        &ratio,
    );
}

fn wait_virtual() {
    let world = World::builtin_toml(&format!("fleet({MANY})")).expect("a built-in world").replace("task_cap = 50", "task_cap = 100");
    let world = World::from_toml("fleet", &world).expect("a good world");
    let script = "let tasks = parallel(promotable(\"Test\", \"Production\"), |row| row.deploy()); print(\"started\"); \
                  wait(tasks, #{timeout: \"5h\"}); print(`${now()}`);";
    let ran = run(Target::Sandbox(world), script);
    line(
        &format!("wait for {MANY} in virtual time"),
        // To promote one project takes two requests.
        &seconds(ran.seconds - ran.prints["started"], ran.requests - 2 * MANY as u64),
        &format!("{:.0} min", ran.minutes),
        "",
    );
}

fn main() {
    // `cargo test --benches` and `cargo bench -- --list` only want to know that it starts.
    if std::env::args().any(|argument| argument == "--test" || argument == "--list") {
        return;
    }
    line("", "octorhai", "beside it", "");
    start_up();
    calls();
    wait_virtual();
    pace();
    promote_and_wait("20ms");
}
