//! The sandbox under load, as a process of its own: 50 clients polling 2,000 tasks, and a world of 100,000 deployments.
//!
//! `cargo bench --bench sandbox` prints a table; `SECONDS=600 cargo bench --bench sandbox` polls for ten minutes. Clients and
//! server share the machine. The rival of a batch of a hundred ids is what the .NET and Python clients do: each task by itself.
#![allow(clippy::print_stdout, reason = "the table is what it is for")]

use octorhai::clock::Stopwatch;
use serde_json::{Value, json};
use std::{
    fmt::Write as _,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

const KEY: &str = "API-SANDBOX";
const CLIENTS: usize = 50;
const TASKS: usize = 2000;
/// As many ids as a client asks for at once (octopus-api.md §6).
const BATCH: usize = 100;
/// How often a client asks; the official ones wait 4 to 10 seconds.
const EVERY: Duration = Duration::from_secs(1);

struct Server {
    child: Child,
    url: String,
}

impl Server {
    fn start(world: &str, speed: &str) -> Self {
        let path = std::env::temp_dir().join(format!("octorhai-bench-{}.toml", std::process::id()));
        std::fs::write(&path, world).expect("a temporary file");
        let mut child = Command::new(env!("CARGO_BIN_EXE_octorhai"))
            .args(["sandbox", "--listen", "127.0.0.1:0", "--speed", speed, "--world"])
            .arg(&path)
            .stderr(Stdio::piped())
            .spawn()
            .expect("octorhai starts");
        let mut line = String::new();
        BufReader::new(child.stderr.take().expect("piped")).read_line(&mut line).expect("it tells its address");
        let url = line.split_whitespace().nth(3).unwrap_or_else(|| panic!("it does not listen: {line}")).trim_end_matches(',').to_owned();
        Self { child, url }
    }

    /// Resident memory in MB.
    fn memory(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let kilobytes =
            status.lines().find_map(|l| l.strip_prefix("VmRSS:")).and_then(|l| l.split_whitespace().next()?.parse::<f64>().ok());
        kilobytes.unwrap_or(f64::NAN) / 1024.0
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[derive(Clone)]
struct Client {
    http: reqwest::Client,
    url: Arc<str>,
}

impl Client {
    fn on(server: &Server) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self { http: reqwest::Client::builder().no_proxy().build().expect("a client"), url: server.url.as_str().into() }
    }

    /// Bytes and milliseconds of an answer.
    async fn get(&self, path: &str) -> (Vec<u8>, f64) {
        let watch = Stopwatch::start();
        let answer = self.http.get(format!("{}{path}", self.url)).header("X-Octopus-ApiKey", KEY).send().await.expect("an answer");
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        let bytes = answer.bytes().await.expect("a body").to_vec();
        (bytes, watch.elapsed().as_secs_f64() * 1000.0)
    }

    async fn json(&self, path: &str) -> Value {
        serde_json::from_slice(&self.get(path).await.0).expect("JSON")
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        let request = self.http.post(format!("{}{path}", self.url)).header("X-Octopus-ApiKey", KEY).json(&body);
        let answer = request.send().await.expect("an answer");
        assert_eq!(answer.status(), 201, "{path}");
        answer.json().await.expect("JSON")
    }
}

/// Percentiles of milliseconds: the middle, 99 of 100, and the worst.
fn percentiles(mut all: Vec<f64>) -> [f64; 3] {
    all.sort_by(f64::total_cmp);
    let at = |share: f64| all[((all.len() as f64 - 1.0) * share).round() as usize];
    [at(0.5), at(0.99), at(1.0)]
}

fn row(what: &str, figure: &str, target: &str) {
    println!("{what:<58} {figure:>34}   {target}");
}

/// Fifty clients ask for all tasks in batches, each client once a second, and the memory at the start and at the end.
async fn polling(seconds: u64) {
    let world = format!(
        "task_cap = {TASKS}\n[[environments]]\nname = \"Test\"\n[[projects]]\nname = \"Project ####\"\ncopies = {TASKS}\nsteps = [ {{ name = \"Deploy\", takes = \"5h\" }}, {{ name = \"Verify\", takes = \"9h\" }} ]\nreleases = [ {{ version = \"1.0.0\" }} ]\n"
    );
    let server = Server::start(&world, "60");
    let client = Client::on(&server);
    let (mut ids, mut made) = (Vec::new(), 0);
    let environment = client.json("/api/environments/all").await[0]["Id"].clone();
    for release in client.json(&format!("/api/releases?take={TASKS}")).await["Items"].as_array().expect("releases") {
        let task = client.post("/api/deployments", json!({"ReleaseId": release["Id"], "EnvironmentId": environment})).await;
        ids.push(task["TaskId"].as_str().expect("an id").to_owned());
        made += 1;
    }
    assert_eq!(made, TASKS);
    let batches: Arc<Vec<String>> = Arc::new(ids.chunks(BATCH).map(|b| format!("/api/tasks?take={BATCH}&ids={}", b.join(","))).collect());
    let begun = server.memory();
    let watch = Stopwatch::start();
    let clients = (0..CLIENTS).map(|me| {
        let (client, batches) = (client.clone(), Arc::clone(&batches));
        tokio::spawn(async move {
            let mut all = Vec::new();
            // Not all in the same instant.
            tokio::time::sleep(EVERY.mul_f64(me as f64 / CLIENTS as f64)).await;
            let mut tick = tokio::time::interval(EVERY);
            let watch = Stopwatch::start();
            let mut next = me;
            while watch.elapsed().as_secs() < seconds {
                tick.tick().await;
                // All two thousand in four rounds.
                for _ in 0..batches.len() / 4 {
                    all.push(client.get(&batches[next % batches.len()]).await.1);
                    next += 1;
                }
            }
            all
        })
    });
    let mut all = Vec::new();
    for client in clients.collect::<Vec<_>>() {
        all.extend(client.await.expect("a client"));
    }
    let (count, took) = (all.len(), watch.elapsed().as_secs_f64());
    let [middle, high, worst] = percentiles(all);
    row(
        &format!("{CLIENTS} clients poll {TASKS} tasks, {BATCH} at once, {:.0} requests/s", count as f64 / took),
        &format!("p50 {middle:.1}  p99 {high:.1}  max {worst:.1} ms"),
        "p99 < 20 ms",
    );
    row(&format!("memory over {took:.0} s at speed 60"), &format!("{begun:.0} -> {:.0} MB", server.memory()), "flat");
    let watch = Stopwatch::start();
    for way in batches.iter() {
        client.get(way).await;
    }
    let batched = watch.elapsed().as_secs_f64();
    let watch = Stopwatch::start();
    for id in &ids {
        client.get(&format!("/api/tasks/{id}")).await;
    }
    let single = watch.elapsed().as_secs_f64();
    row(
        &format!("{TASKS} tasks once: {BATCH} at once; each by itself"),
        &format!("{:.0} ms; {:.0} ms = {:.1} x", batched * 1000.0, single * 1000.0, single / batched),
        "",
    );
}

/// A hundred thousand deployments: few projects with a long history each, or many projects with a short one.
async fn history(projects: usize, releases: usize) {
    let mut world = "[[environments]]\nname = \"Test\"\n[[environments]]\nname = \"Production\"\n".to_owned();
    let _ = write!(
        world,
        "[[projects]]\nname = \"Project #####\"\ncopies = {projects}\nsteps = [ {{ name = \"Deploy\" }}, {{ name = \"Verify\" }} ]\nhistory = true\nlive = {{ Test = \"1.0.{last}\", Production = \"1.0.{last}\" }}\nreleases = [",
        last = releases - 1
    );
    for i in 0..releases {
        let _ = write!(world, " {{ version = \"1.0.{i}\" }},");
    }
    world.push_str(" ]\n");
    let watch = Stopwatch::start();
    let server = Server::start(&world, "1");
    let started = watch.elapsed().as_secs_f64();
    let client = Client::on(&server);
    let all = client.json("/api/deployments?take=1").await["TotalResults"].as_u64().unwrap_or(0);
    let mut board = Vec::new();
    let mut size = 0;
    for _ in 0..15 {
        let (bytes, took) = client.get("/api/dashboard").await;
        size = bytes.len();
        board.push(took);
    }
    let [middle, _, worst] = percentiles(board);
    row(
        &format!("dashboard, {all} deployments of {projects} projects ({:.1} MB)", size as f64 / 1e6),
        &format!("p50 {middle:.0}  max {worst:.0} ms"),
        "< 200 ms",
    );
    row("  its start, and its memory", &format!("{started:.1} s, {:.0} MB", server.memory()), "< 500 MB");
    let mut page = Vec::new();
    for way in ["/api/tasks?take=30", "/api/deployments?take=30", "/api/events?take=30", "/api/releases?take=30"] {
        page.push(format!("{} {:.0}", way.trim_start_matches("/api/").split('?').next().unwrap_or(way), client.get(way).await.1));
    }
    row("  first pages", &format!("{} ms", page.join(", ")), "");
}

fn main() {
    let seconds = std::env::var("SECONDS").ok().and_then(|s| s.parse().ok()).unwrap_or(15);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        polling(seconds).await;
        history(100, 500).await;
        history(5000, 10).await;
    });
}
