//! What a run weighs: peak memory and computing time of whole programs, beside those of version 0.1.0 and what was aimed at.
//!
//! `cargo bench --bench weight` prints a table; `cargo bench --bench weight -- /path/to/another/octorhai` measures another program beside it,
//! in the same run. Memory is the peak of the client's process alone, unless the line says that the server is in it. Linux only, because other
//! systems count memory otherwise.
#![allow(clippy::print_stdout, reason = "the table is what it is for")]

use octorhai::clock::Stopwatch;
use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

const KEY: &str = "API-SANDBOX";

/// How often short programs are measured; the least counts, because whatever else the machine does only adds.
const TIMES: usize = 5;

/// What one program took.
#[derive(Clone, Copy)]
struct Taken {
    /// Peak resident memory, in MB (10⁶ bytes).
    memory: f64,
    /// User and system time, in seconds.
    computing: f64,
}

impl Taken {
    /// Runs `command` to its end; no numbers when it fails. A process of its own waits for it, so that what the system counted for its
    /// children is this one.
    fn by(command: &mut Command) -> Self {
        let mut measured = Command::new(std::env::current_exe().expect("this program"));
        measured.arg(MEASURE).arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            measured.env(name, value.unwrap_or_default());
        }
        let output = measured.stderr(Stdio::piped()).output().expect("it starts");
        let told = String::from_utf8_lossy(&output.stderr);
        if !output.status.success() {
            return Self { memory: f64::NAN, computing: f64::NAN };
        }
        let figures = told.lines().last().and_then(|line| line.split_once(' ')).expect("two figures");
        Self { memory: figures.0.parse().expect("a number"), computing: figures.1.parse().expect("a number") }
    }

    fn least(command: &mut Command) -> Self {
        let all: Vec<Self> = (0..TIMES).map(|_| Self::by(command)).collect();
        let of = |figure: fn(&Self) -> f64| all.iter().map(figure).fold(f64::INFINITY, f64::min);
        Self { memory: of(|taken| taken.memory), computing: of(|taken| taken.computing) }
    }
}

/// The word that makes this program run the command behind it, and tell what it took.
const MEASURE: &str = "--measure";

fn measure(command: &[String]) -> ! {
    use nix::sys::resource::{UsageWho, getrusage};
    let status = Command::new(&command[0]).args(&command[1..]).stdin(Stdio::null()).stdout(Stdio::null()).status().expect("it starts");
    let used = getrusage(UsageWho::RUSAGE_CHILDREN).expect("what the child used");
    let seconds = |time: nix::sys::time::TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    // Linux counts in units of 1024 bytes.
    let (memory, computing) = (used.max_rss() as f64 * 1024.0 / 1e6, seconds(used.user_time()) + seconds(used.system_time()));
    #[allow(clippy::print_stderr, reason = "stdout is the child's")]
    {
        eprintln!("\n{memory} {computing}");
    }
    std::process::exit(status.code().unwrap_or(1));
}

/// A program that is measured, and files for it.
struct Bench {
    program: PathBuf,
    folder: tempfile::TempDir,
}

/// A sandbox in another process, whose clock goes on when its clients wait.
struct Server {
    child: Child,
    url: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Bench {
    fn of(program: PathBuf) -> Self {
        Self { program, folder: tempfile::tempdir().expect("a folder") }
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, text).expect("a file");
        path
    }

    /// A run with the server in the process.
    fn simulated(&self, script: &str, world: &str) -> Command {
        let mut command = Command::new(&self.program);
        command.current_dir("/").arg("run").arg(self.file("script.rhai", script)).arg("--sandbox").arg(self.world(world)).arg("-q");
        command
    }

    /// A run on a server in another process.
    fn on(&self, server: &Server, script: &str) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("run").arg(self.file("script.rhai", script)).args(["--virtual-time", "-q"]);
        command.env("OCTOPUS_URL", &server.url).env("OCTOPUS_API_KEY", KEY).env("OCTORHAI_STORE", "none");
        command
    }

    /// The name of a built-in world, or a file with the text of one.
    fn world(&self, world: &str) -> PathBuf {
        if world.contains('\n') { self.file("bench.toml", world) } else { world.into() }
    }

    fn serve(&self, world: &str) -> Server {
        let mut command = Command::new(&self.program);
        command.args(["sandbox", "--virtual", "--listen", "127.0.0.1:0", "--world"]).arg(self.world(world));
        let mut child = command.stderr(Stdio::piped()).spawn().expect("it starts");
        let mut line = String::new();
        BufReader::new(child.stderr.take().expect("piped")).read_line(&mut line).expect("it tells its address");
        let url = line.split_whitespace().nth(3).unwrap_or_else(|| panic!("it does not listen: {line}")).trim_end_matches(',').to_owned();
        Server { child, url }
    }
}

/// `fleet(count)`, of which `cap` tasks run at the same time.
fn fleet(count: usize, cap: usize) -> String {
    octorhai::sandbox::World::builtin_toml(&format!("fleet({count})"))
        .expect("a built-in world")
        .replace("task_cap = 50", &format!("task_cap = {cap}"))
}

/// Projects with a history of 500 releases in two environments each: a thousand deployments a project.
fn history(projects: usize) -> String {
    let releases: Vec<String> = (0..500).map(|i| format!("{{ version = \"1.0.{i}\" }}")).collect();
    format!(
        "[[environments]]\nname = \"Test\"\n[[environments]]\nname = \"Production\"\n[[projects]]\nname = \"Project #####\"\ncopies = {projects}\n\
         steps = [ {{ name = \"Deploy\" }}, {{ name = \"Verify\" }} ]\nhistory = true\nlive = {{ Test = \"1.0.499\", Production = \"1.0.499\" }}\n\
         releases = [ {} ]\n",
        releases.join(", ")
    )
}

/// Each night of a week a release of each project goes to Test, and from there to Production.
const WEEK: &str = r#"
let names = projects().map(|project| project.name);
for day in 0..7 {
    let tested = names.map(|name| deploy(name, create_release(name), "Test"));
    wait(tested);
    wait(names.map(|name| promote(name, "Test", "Production")));
    sleep("12h");
}
"#;

/// All projects, and then one line.
const PROJECTS: &str = "print(projects().len());";
const WAITS: &str = r#"wait(projects().map(|project| deploy(project, "1.1.0", "Production")), #{timeout: "1d"});"#;
const WIDE: &str = "let names = projects().map(|one| one.name); parallel(names, |name| project(name), #{width: 200});";

fn rows(count: usize) -> String {
    format!("print(report(deployments(#{{limit: {count}}}), #{{format: \"csv\"}}).len());")
}

/// Requests a second and the 99th of 100 in milliseconds, of 50 clients that ask without a pause for `seconds`.
fn load(server: &Server, path: &str, seconds: u64) -> (f64, f64) {
    const CLIENTS: usize = 50;
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let http = reqwest::Client::builder().no_proxy().build().expect("a client");
        let (url, running) = (format!("{}{path}", server.url), Arc::new(AtomicUsize::new(CLIENTS)));
        let watch = Stopwatch::start();
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| {
                let (http, url, running) = (http.clone(), url.clone(), running.clone());
                tokio::spawn(async move {
                    let (whole, mut times) = (Stopwatch::start(), Vec::new());
                    while whole.elapsed() < Duration::from_secs(seconds) {
                        let watch = Stopwatch::start();
                        let answer = http.get(&url).header("X-Octopus-ApiKey", KEY).send().await.expect("an answer");
                        assert!(answer.status().is_success(), "{url}: {}", answer.status());
                        answer.bytes().await.expect("a body");
                        times.push(watch.elapsed().as_secs_f64() * 1000.0);
                    }
                    running.fetch_sub(1, Ordering::Relaxed);
                    times
                })
            })
            .collect();
        let mut times = Vec::new();
        for client in clients {
            times.extend(client.await.expect("a client"));
        }
        let rate = times.len() as f64 / watch.elapsed().as_secs_f64();
        times.sort_by(f64::total_cmp);
        (rate, times[times.len() * 99 / 100])
    })
}

/// A figure: what, in 0.1.0, what was aimed at, and how it is measured.
struct Figure {
    what: &'static str,
    before: &'static str,
    aim: &'static str,
    measured: fn(&Bench) -> String,
}

fn mb(taken: Taken) -> String {
    if taken.memory.is_nan() { "fails".to_owned() } else { format!("{:.0} MB", taken.memory) }
}

fn both(taken: Taken) -> String {
    if taken.memory.is_nan() { "fails".to_owned() } else { format!("{:.2} s {:.0} MB", taken.computing, taken.memory) }
}

const FIGURES: &[Figure] = &[
    Figure {
        what: "size of the program",
        before: "32.7 MB",
        aim: "26 MB",
        measured: |bench| format!("{:.1} MB", fs::metadata(&bench.program).expect("the program").len() as f64 / 1e6),
    },
    Figure {
        what: "start: print(1) over shop, server in the process",
        before: "0.01 s 36 MB",
        aim: "20 MB",
        measured: |bench| both(Taken::least(&mut bench.simulated("print(1);", "shop"))),
    },
    Figure {
        what: "projects() of 1,000",
        before: "110 MB",
        aim: "40 MB",
        measured: |bench| both(Taken::least(&mut bench.on(&bench.serve("fleet(1000)"), PROJECTS))),
    },
    Figure {
        what: "the same, journaled",
        before: "159 MB",
        aim: "50 MB",
        measured: |bench| {
            let server = bench.serve("fleet(1000)");
            let run = |n: usize| {
                let store = bench.folder.path().join("journal.db");
                Taken::by(bench.on(&server, PROJECTS).args(["--run-id", &format!("run-{n}"), "--store"]).arg(store))
            };
            both((0..TIMES).map(run).min_by(|a, b| a.memory.total_cmp(&b.memory)).expect("it ran"))
        },
    },
    Figure {
        what: "1,000 waited tasks",
        before: "187 MB",
        aim: "40 MB",
        measured: |bench| both(Taken::by(&mut bench.on(&bench.serve(&fleet(1000, 50)), WAITS))),
    },
    Figure {
        what: "parallel(width: 200), 1,000 look-ups, server in the process",
        before: "338 MB",
        aim: "80 MB",
        measured: |bench| both(Taken::by(&mut bench.simulated(WIDE, "fleet(1000)"))),
    },
    Figure {
        what: "  the client alone",
        before: "",
        aim: "",
        measured: |bench| mb(Taken::by(&mut bench.on(&bench.serve("fleet(1000)"), WIDE))),
    },
    Figure {
        what: "a week of 200 projects, server in the process",
        before: "8.90 s",
        aim: "2 s 80 MB",
        measured: |bench| both(Taken::by(&mut bench.simulated(WEEK, &fleet(200, 50)))),
    },
    Figure {
        what: "print(1) over 100,000 deployments, server in the process",
        before: "7.90 s 2000 MB",
        aim: "1 s",
        measured: |bench| both(Taken::by(&mut bench.simulated("print(1);", &history(100)))),
    },
    Figure {
        what: "1,000 deployments as CSV, the client alone",
        before: "",
        aim: "linear",
        measured: |bench| both(Taken::by(&mut bench.on(&bench.serve(&history(100)), &rows(1000)))),
    },
    Figure {
        what: "10,000 deployments",
        before: "",
        aim: "linear",
        measured: |bench| both(Taken::by(&mut bench.on(&bench.serve(&history(100)), &rows(10_000)))),
    },
    Figure {
        what: "100,000 deployments",
        before: "",
        aim: "300 MB",
        measured: |bench| both(Taken::by(&mut bench.on(&bench.serve(&history(100)), &rows(100_000)))),
    },
    Figure {
        what: "100,000 deployments, server in the process",
        before: "616 s 10800 MB",
        aim: "10 s 700 MB",
        measured: |bench| both(Taken::by(&mut bench.simulated(&rows(100_000), &history(100)))),
    },
    Figure {
        what: "server: tasks?ids= of 100, 50 clients without pause",
        before: "489/s p99 298 ms",
        aim: "1500/s 100 ms",
        measured: |bench| {
            let server = bench.serve(&history(1));
            let ids: Vec<String> = (1..=100).map(|n| format!("ServerTasks-{n}")).collect();
            let (rate, high) = load(&server, &format!("/api/tasks?take=100&ids={}", ids.join(",")), 10);
            format!("{rate:.0}/s p99 {high:.0} ms")
        },
    },
    Figure {
        what: "server: projects?take=500, 50 clients without pause",
        before: "28/s p99 3200 ms",
        aim: "200/s",
        measured: |bench| {
            let (rate, high) = load(&bench.serve("fleet(500)"), "/api/projects?take=500", 10);
            format!("{rate:.0}/s p99 {high:.0} ms")
        },
    },
];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if let Some((MEASURE, command)) = arguments.split_first().map(|(first, rest)| (first.as_str(), rest)) {
        measure(command);
    }
    // `cargo test --benches` and `cargo bench -- --list` only want to know that it starts.
    if !std::env::args().any(|argument| argument == "--bench") || arguments.iter().any(|argument| argument == "--list") {
        return;
    }
    let only = std::env::var("ONLY").unwrap_or_default(); // figures whose line holds this text
    let mut benches = vec![Bench::of(env!("CARGO_BIN_EXE_octorhai").into())];
    benches.extend(arguments.iter().map(|other| Bench::of(Path::new(other).into())));
    let other = if benches.len() > 1 { "another program" } else { "" };
    println!("{:<60} {:>18} {:>16} {:>20} {other:>20}", "", "0.1.0", "aim", "now");
    for figure in FIGURES.iter().filter(|figure| figure.what.contains(&only)) {
        print!("{:<60} {:>18} {:>16}", figure.what, figure.before, figure.aim);
        for bench in &benches {
            print!(" {:>20}", (figure.measured)(bench));
        }
        println!();
    }
}
