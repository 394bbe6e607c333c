//! Random sagas on a server where somebody else deploys in between: before them, while they run, and between any two requests of their undo.
//!
//! The somebody stands in a proxy: before the n-th request of the run it makes requests of its own, with a key of its own. What the server
//! shows, and what the run is shown, is therefore known to the request. With `OCTORHAI_CASES=10` there are 500 sagas.

use crate::support::{cases, settings, shop};
use octorhai::{
    clock::Clock,
    event::Recorder,
    run::{Outcome, Target},
    sandbox::{Sandbox, World},
};
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    fmt::Write as _,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::Arc,
};

const PROJECTS: [&str; 3] = ["Project A", "Project B", "Project C"];

/// `shop` with releases that only others deploy, and a lifecycle that lets every release go anywhere.
fn world() -> String {
    let anywhere = r#"{ name = "All", environments = ["Development", "Test", "Production"] },"#;
    let text = shop(&[
        ("  { name = \"Development\", environments = [\"Development\"] },\n", anywhere),
        ("  { name = \"Test\",        environments = [\"Test\"] },\n", ""),
        ("  { name = \"Production\",  environments = [\"Production\"] },\n", ""),
        ("name = \"ada\"\n", "name = \"ada\"\nkey = \"API-ADA\"\n"),
    ]);
    text.replace("releases = [\n", "releases = [\n  { version = \"2.5.0\" },\n  { version = \"2.6.0\" },\n")
}

/// Numbers by chance that come again with their seed.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((mixed ^ (mixed >> 31)) % limit as u64).expect("a small number")
    }
}

/// What somebody else does before a request of the run.
#[derive(Clone, Debug)]
struct Act {
    at: usize,
    project: &'static str,
    what: What,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum What {
    Deploy(&'static str),
    Schedule(&'static str),
    /// Cancels the own deployment that was made last.
    Cancel,
}

/// Something that was seen to pass.
#[derive(Debug)]
struct Seen {
    at: usize,
    project: String,
    what: Passed,
}

#[derive(Debug)]
enum Passed {
    /// The run looks what is under way: what it is shown of others.
    Look(Vec<Value>),
    /// The run has made a deployment.
    Made(String),
    /// The run looks what came in.
    LastLook,
    /// Somebody else has made a deployment.
    Foreign { deployment: String, task: String, scheduled: bool },
}

/// The proxy's side of one case.
struct Between {
    sandbox: Arc<Sandbox>,
    ids: BTreeMap<String, String>,
    acts: Vec<Act>,
    count: usize,
    seen: Vec<Seen>,
}

impl Between {
    fn name(&self, id: &str) -> String {
        self.ids.iter().find(|(_, known)| *known == id).map(|(name, _)| name.clone()).unwrap_or_default()
    }

    /// What others do before this request of the run, at the time that it brings along.
    fn interfere(&mut self, now: &str) {
        let (due, later) = std::mem::take(&mut self.acts).into_iter().partition(|act: &Act| act.at <= self.count);
        self.acts = later;
        let due: Vec<Act> = due;
        for act in due {
            let (method, path, body) = match act.what {
                What::Deploy(release) | What::Schedule(release) => {
                    let mut body = json!({"ReleaseId": self.ids[&format!("{} {release}", act.project)], "EnvironmentId": self.ids["Test"]});
                    if let What::Schedule(_) = act.what {
                        body["QueueTime"] = "2026-03-09T08:00:00.000+00:00".into();
                    }
                    ("POST", "/api/Spaces-1/deployments".to_owned(), body)
                }
                What::Cancel => {
                    let last = self
                        .seen
                        .iter()
                        .rev()
                        .find_map(|seen| if let Passed::Foreign { task, .. } = &seen.what { Some(task) } else { None });
                    let Some(task) = last else { continue };
                    ("POST", format!("/api/tasks/{task}/cancel"), Value::Null)
                }
            };
            let (status, answer) = ask(&self.sandbox.url(), "API-ADA", method, &path, &body, now);
            if act.what == What::Cancel {
                continue; // it may have ended
            }
            assert_eq!(status, 201, "{act:?}: {answer}");
            let text = |name: &str| answer[name].as_str().expect("text").to_owned();
            let what = Passed::Foreign { deployment: text("Id"), task: text("TaskId"), scheduled: matches!(act.what, What::Schedule(_)) };
            self.seen.push(Seen { at: self.count, project: act.project.to_owned(), what });
        }
    }

    /// What others have made, as the server shows it now.
    fn others(&self, project: &str) -> Vec<Value> {
        let state = self.sandbox.state();
        let all = state["deployments"].as_array().expect("a list").iter();
        all.filter(|d| d["by"] == "ada" && d["project"] == project).cloned().collect()
    }

    /// Notes a request of the run that matters. The answer to a creation is noted afterwards.
    fn note(&mut self, method: &str, path: &str) {
        let Some((route, query)) = path.split_once('?') else { return };
        let asked = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        let project = || self.name(asked("project").or_else(|| asked("projects")).unwrap_or_default());
        let seen = match (method, route.rsplit('/').next()) {
            ("GET", Some("tasks")) if asked("active").is_some() => {
                let project = project();
                let shown = self.others(&project);
                Some((project, Passed::Look(shown)))
            }
            ("GET", Some("deployments")) if asked("taskState").is_none() => Some((project(), Passed::LastLook)),
            _ => None,
        };
        self.seen.extend(seen.map(|(project, what)| Seen { at: self.count, project, what }));
    }
}

/// A request with a body, and the answer to it.
fn ask(server: &str, key: &str, method: &str, path: &str, body: &Value, now: &str) -> (u16, Value) {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX-Octopus-ApiKey: {key}\r\nContent-Type: application/json\r\nX-Octorhai-Now: {now}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let answer = String::from_utf8(forward(server, head.as_bytes())).expect("text");
    let status = answer.split_whitespace().nth(1).and_then(|code| code.parse().ok()).expect("a status");
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    (status, serde_json::from_str(body).unwrap_or_default())
}

fn forward(server: &str, request: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(server.trim_start_matches("http://")).expect("it listens");
    stream.write_all(request).expect("sent");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an answer");
    answer
}

/// Listens in front of the sandbox.
fn proxy(between: &Arc<Mutex<Between>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("http://{}", listener.local_addr().expect("an address"));
    let between = Arc::downgrade(between);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let Some(between) = between.upgrade() else { return };
            std::thread::spawn(move || pass(&stream, &between));
        }
    });
    address
}

fn pass(mut stream: &TcpStream, between: &Mutex<Between>) {
    let mut reader = BufReader::new(stream);
    let mut first = String::new();
    if reader.read_line(&mut first).unwrap_or(0) == 0 {
        return;
    }
    let (mut head, mut length, mut now) = (first.clone(), 0, String::new());
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).expect("a header");
        let (name, value) = line.split_once(':').unwrap_or(("", ""));
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse().expect("a number"),
            "x-octorhai-now" => value.trim().clone_into(&mut now),
            "connection" => continue,
            _ => {}
        }
        if line.trim().is_empty() {
            break;
        }
        head.push_str(&line);
    }
    let mut request = format!("{head}Connection: close\r\n\r\n").into_bytes();
    let mut body = vec![0; length];
    reader.read_exact(&mut body).expect("a body");
    request.extend(&body);
    let (method, path) = first.split_once(' ').expect("a request line");
    let path = path.split_whitespace().next().expect("a path");
    // One at a time: what the server shows and what others do have an order.
    let mut between = between.lock();
    if path.starts_with("/api") {
        between.count += 1;
        between.interfere(&now);
        between.note(method, path);
    }
    let answer = forward(&between.sandbox.url(), &request);
    if method == "POST" && path.ends_with("/deployments") {
        let text = String::from_utf8_lossy(&answer);
        let made: Value = serde_json::from_str(text.split_once("\r\n\r\n").map_or("", |(_, body)| body)).expect("JSON");
        let (project, id) =
            (between.name(made["ProjectId"].as_str().unwrap_or_default()), made["Id"].as_str().unwrap_or_default().to_owned());
        let at = between.count;
        between.seen.push(Seen { at, project, what: Passed::Made(id) });
    }
    drop(between);
    // Gone when the run has ended meanwhile.
    let _ = stream.write_all(&answer);
}

/// One run of a saga.
struct Played {
    outcome: Outcome,
    truth: Value,
    seen: Vec<Seen>,
}

fn play(runtime: &tokio::runtime::Runtime, script: &str, acts: Vec<Act>) -> Played {
    let world = World::from_toml("test", &world()).expect("a good world");
    let clock = Clock::virtual_at(world.start());
    let sandbox = runtime.block_on(Sandbox::start(world, clock, "127.0.0.1:0".parse().expect("an address"))).expect("it starts");
    let sandbox = Arc::new(sandbox);
    let get = |path: &str| ask(&sandbox.url(), "API-SANDBOX", "GET", path, &Value::Null, "2026-03-02T08:00:00Z").1;
    let mut ids = BTreeMap::new();
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    for (kind, all) in [("projects", get("/api/Spaces-1/projects/all")), ("environments", get("/api/Spaces-1/environments/all"))] {
        for one in all.as_array().expect("a list") {
            ids.insert(text(&one["Name"]), text(&one["Id"]));
            if kind == "projects" {
                for release in
                    get(&format!("/api/Spaces-1/projects/{}/releases?take=100", text(&one["Id"])))["Items"].as_array().expect("a list")
                {
                    ids.insert(format!("{} {}", text(&one["Name"]), text(&release["Version"])), text(&release["Id"]));
                }
            }
        }
    }
    let between = Arc::new(Mutex::new(Between { sandbox: Arc::clone(&sandbox), ids, acts, count: 0, seen: Vec::new() }));
    let credential = octorhai::api::Credential::api_key(&proxy(&between), "API-SANDBOX").expect("a credential");
    let target = Target::Server { credential, space: None, ca_cert: None };
    let mut settings = settings(target, script, Arc::new(Recorder::default()));
    settings.virtual_time = true;
    let outcome = octorhai::run::run(settings);
    let mut between = between.lock();
    Played { outcome, truth: sandbox.state(), seen: std::mem::take(&mut between.seen) }
}

/// A saga that fails in the end.
fn saga(chance: &mut Chance) -> String {
    let mut projects = PROJECTS.to_vec();
    let mut body = String::new();
    for _ in 0..=chance.below(3) {
        let project = projects.remove(chance.below(projects.len()));
        let pause = chance.below(15);
        let _ = match chance.below(3) {
            0 => writeln!(body, "s.deploy(\"{project}\", \"2.0.0\", \"Test\"); sleep(\"{pause}m\");"),
            1 => writeln!(body, "wait(s.deploy(\"{project}\", \"2.0.0\", \"Test\"), #{{timeout: \"9h\"}}); sleep(\"{pause}m\");"),
            _ => {
                writeln!(body, "wait(s.deploy(\"{project}\", \"2.0.0\", \"Test\", #{{skip_steps: \"Smoke test\"}}), #{{timeout: \"9h\"}});")
            }
        };
    }
    format!("saga(|s| {{\n{body}fail(\"the moon is full\");\n}}, #{{timeout: \"9h\"}});")
}

/// About so many requests a run makes for each deployment of its saga and its undo.
const REQUESTS: usize = 150;

fn acts(chance: &mut Chance, requests: usize) -> Vec<Act> {
    let mut acts: Vec<Act> = Vec::new();
    for _ in 0..=chance.below(5) {
        let release = ["1.0.0", "2.5.0", "2.6.0"][chance.below(3)];
        let what = match chance.below(8) {
            0 => What::Schedule(release),
            1 => What::Cancel,
            _ => What::Deploy(release),
        };
        // The undo is the last part.
        let at = if chance.below(2) == 0 { chance.below(requests + 1) } else { requests / 2 + chance.below(requests / 2 + 1) };
        acts.push(Act { at, project: PROJECTS[chance.below(3)], what });
    }
    acts
}

/// What one case showed.
#[derive(Debug, Default)]
struct Count {
    foreign: usize,
    back: usize,
    left: usize,
    came_in: usize,
}

fn lines(outcome: &Outcome, fact: &str) -> Vec<String> {
    let error = &outcome.failure.as_ref().expect("an error").error;
    let all = error.fact(fact).and_then(Value::as_array).unwrap_or_else(|| panic!("no {fact}: {}", error.message()));
    all.iter().map(|line| line.as_str().expect("text").to_owned()).collect()
}

/// Looks whether a played case kept to the rules; `Err` says which one it broke.
fn judge(played: &Played, count: &mut Count) -> Result<(), String> {
    let error = &played.outcome.failure.as_ref().ok_or("it did not fail")?.error;
    if error.message() != "the moon is full" {
        return Err(format!("it ended otherwise: {}", error.message()));
    }
    let (done, not) = (lines(&played.outcome, "undone"), lines(&played.outcome, "not_undone"));
    count.back += done.len();
    let all = played.truth["deployments"].as_array().expect("a list");
    let by_id = |id: &str| all.iter().find(|d| d["id"] == id).expect("a deployment");
    let is_bad = |d: &Value| ["Failed", "Canceled", "TimedOut", "Cancelling"].contains(&d["state"].as_str().unwrap_or_default());
    let when = |d: &Value, name: &str| d[name].as_str().unwrap_or_default().to_owned();
    for project in PROJECTS {
        let of = || played.seen.iter().filter(move |seen| seen.project == project);
        let made: Vec<(usize, &str)> =
            of().filter_map(|s| if let Passed::Made(id) = &s.what { Some((s.at, id.as_str())) } else { None }).collect();
        let foreign: Vec<(usize, &str, &str, bool)> = of()
            .filter_map(|s| match &s.what {
                Passed::Foreign { deployment, task, scheduled } => Some((s.at, deployment.as_str(), task.as_str(), *scheduled)),
                _ => None,
            })
            .collect();
        count.foreign += foreign.len();
        let Some((_, act)) = made.first() else { continue };
        let act = by_id(act);
        if when(act, "started").is_empty() {
            continue;
        }
        let names_it = not.iter().any(|line| line.starts_with(project));
        let last_look = of().filter(|s| matches!(s.what, Passed::LastLook)).map(|s| s.at).next_back();
        if let Some((_, back)) = made.get(1) {
            // What the run was shown before it sent its undo.
            let look = of().rev().find_map(|s| match &s.what {
                Passed::Look(shown) => Some((s.at, shown)),
                _ => None,
            });
            let (looked, shown) = look.ok_or("it was put back without a look")?;
            for other in shown {
                let planned = !other["scheduled"].is_null() && other["started"].is_null();
                let under_way = other["completed"].is_null() && !planned;
                let live = other["state"] == "Success" && when(other, "completed") > when(act, "completed");
                if under_way || live {
                    return Err(format!("{project}: {back} overwrites {other}, which the server showed"));
                }
            }
            // What came in after the look is named.
            let until = last_look.ok_or("nobody looked again")?;
            for (_, id, task, _) in foreign.iter().filter(|(at, _, _, scheduled)| *at > looked && *at <= until && !scheduled) {
                let is_named = not.iter().any(|line| line.contains(&format!("({task},")) && line.contains("ada"));
                if !is_named && !is_bad(by_id(id)) {
                    return Err(format!("{project}: {task} came in and is not named: {not:?}"));
                }
                count.came_in += usize::from(is_named);
            }
        } else {
            count.left += usize::from(not.iter().any(|line| line.starts_with(project) && line.contains("of ada")));
        }
        // It is back where it was when ours started, or named.
        let live = |until: &str| {
            let good = all.iter().filter(|d| d["project"] == project && d["environment"] == "Test" && d["state"] == "Success");
            let before = good.filter(|d| when(d, "completed").as_str() <= until);
            before.max_by_key(|d| (when(d, "completed"), when(d, "id").len(), when(d, "id"))).map(|d| when(d, "release"))
        };
        let (was, is) = (live(&when(act, "started")), live("9999"));
        // Nobody can tell what comes after the last look.
        let later = foreign.iter().any(|(at, ..)| last_look.is_some_and(|look| *at > look));
        if was != is && !names_it && !later {
            return Err(format!("{project} was on {was:?}, is on {is:?}, and is not named: {not:?}"));
        }
    }
    Ok(())
}

#[test]
#[allow(clippy::print_stdout, reason = "how much was tried is of interest")]
fn random_sagas_leave_what_others_deploy_in_between() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let (all, mut count, mut broken) = (cases(50), Count::default(), Vec::new());
    for seed in 0..u64::from(all) {
        let mut chance = Chance(seed);
        let script = saga(&mut chance);
        if seed % 10 == 0 {
            let alone = play(&runtime, &script, Vec::new());
            judge(&alone, &mut Count::default()).unwrap_or_else(|problem| panic!("seed {seed}, alone: {problem}\n{script}"));
            // What was not waited for may not have begun.
            let has_run = script.contains("wait(");
            assert!(!has_run || !lines(&alone.outcome, "undone").is_empty(), "seed {seed}, alone: nothing was undone\n{script}");
        }
        let acts = acts(&mut chance, script.matches("s.deploy").count() * REQUESTS);
        let played = play(&runtime, &script, acts.clone());
        if let Err(problem) = judge(&played, &mut count) {
            broken.push(format!("seed {seed}: {problem}\n{script}\n{acts:?}"));
        }
    }
    println!("{all} sagas: {count:?}");
    assert!(broken.is_empty(), "{} of {all}:\n{}", broken.len(), broken.join("\n\n"));
    assert!(count.back > 0 && count.left > 0 && count.came_in > 0, "nothing of one kind was tried: {count:?}");
}
