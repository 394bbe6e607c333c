//! A step that is not wanted any more: its agent is gone, its log is not read, its task is over. Nothing is started long after that.
#![cfg(target_os = "linux")]

use crate::support::{cases, ground::Ground, kits, shop, step::Step, until};
use jiff::{SignedDuration, Timestamp};
use std::{
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Child, ChildStdout, Command},
};

/// How long after its end something may still be started.
const GRACE: SignedDuration = SignedDuration::from_secs(10);
/// Starts something each second, for ever.
const BUSY: &str = "while true { run_runbook(\"Project A\", \"Smoke test\", \"Test\"); sleep(\"1s\"); }";
/// The agent is the outer shell: it starts a launcher that we take the place of.
const LIKE_BASH: &str = r#"bash -c 'exec 3< <(cat "$FRAME_FILE"); exec "$OCTORHAI" step run'; exit $?"#;
/// A launcher that stays and writes on stdin.
const LIKE_POWERSHELL: &str = r#"bash -c 'echo "launcher $$"; "$OCTORHAI" step run < <(cat "$FRAME_FILE"); exit $?'; exit $?"#;

fn world() -> String {
    // Each of them is over by itself a few seconds after it began.
    let step = |name: &str, how: &str| format!("{{ name = \"{name}\", takes = \"7s\"{how} }}");
    let fails = ", fails = [ { release = \"1.1.0\", environment = \"Test\", error = \"no\" } ]";
    shop(&[(
        "[[projects]]\nname = \"Project A\"",
        &format!(
            "[[projects]]\nname = \"Ends well\"\nlifecycle = \"Standard\"\nsteps = [ {} ]\nreleases = [ {{ version = \"1.1.0\" }} ]\nlive = {{ Development = \"1.1.0\" }}\n\n[[projects]]\nname = \"Ends badly\"\nlifecycle = \"Standard\"\nsteps = [ {} ]\nreleases = [ {{ version = \"1.1.0\" }} ]\nlive = {{ Development = \"1.1.0\" }}\n\n[[projects]]\nname = \"Project A\"",
            step("Work", ""),
            step("Work", fails)
        ),
    )])
}

/// What the sandbox says of the task with an id.
fn task(ground: &Ground, id: &str) -> serde_json::Value {
    let state = ground.sandbox.get("/sandbox/state");
    state["deployments"].as_array().expect("a list").iter().find(|one| one["task"] == id).expect("it is there").clone()
}

fn now(ground: &Ground) -> Timestamp {
    ground.sandbox.get("/sandbox/clock")["now"].as_str().expect("a time").parse().expect("a time")
}

/// When runs of runbooks were made.
fn started(ground: &Ground) -> Vec<Timestamp> {
    let state = ground.sandbox.get("/sandbox/state");
    let runs = state["runbook_runs"].as_array().expect("a list").iter();
    runs.map(|run| run["created"].as_str().expect("a time").parse().expect("a time")).collect()
}

/// Starts the deployment that stands for the one whose step runs the script; the id of its task.
fn parent(ground: &Ground, project: &str) -> String {
    ground.write("parent.rhai", &format!("print(deploy(\"{project}\", \"1.1.0\", \"Test\").id);"));
    let name = format!("parent-{}", project.replace(' ', "-"));
    let ran = ground.octorhai(&["run", "--server", &ground.sandbox.url, "--run-id", &name, "--anew", "scripts/parent.rhai"], &[]);
    assert_eq!(ran.code, 0, "{ran:?}");
    ran.stdout.trim().to_owned()
}

fn cancel(ground: &Ground, task: &str) {
    ground.write("cancel.rhai", &format!("task(\"{task}\").cancel();"));
    let ran = ground.octorhai(&["run", "--server", &ground.sandbox.url, "--run-id", "cancel", "--anew", "scripts/cancel.rhai"], &[]);
    assert_eq!(ran.code, 0, "{ran:?}");
}

/// A step of `parent` under way in real time; its process, its log, and what was said so far.
fn under_way(mut command: Command, word: &str) -> (Child, BufReader<ChildStdout>, String) {
    let mut child = command.env_remove("OCTORHAI_VIRTUAL_TIME").spawn().expect("bash starts");
    let mut out = BufReader::new(child.stdout.take().expect("piped"));
    let mut said = String::new();
    while !said.contains(word) {
        assert!(out.read_line(&mut said).expect("a line") > 0, "it ended:\n{said}");
    }
    (child, out, said)
}

fn kill(pid: &str) {
    assert!(Command::new("kill").args(["-KILL", pid]).status().expect("kill runs").success());
}

#[test]
fn nothing_is_started_after_agent_launcher_or_task_are_gone() {
    let ground = Ground::with_clock(&world(), &["--speed", "1"]);
    for (how, launcher, project) in [
        ("agent", LIKE_BASH, "Project C"),
        ("agent", LIKE_POWERSHELL, "Project C"),
        ("launcher", LIKE_POWERSHELL, "Project C"),
        ("Canceled", LIKE_POWERSHELL, "Project C"),
        ("Success", LIKE_BASH, "Ends well"),
        ("Failed", LIKE_POWERSHELL, "Ends badly"),
    ] {
        let own = parent(&ground, project);
        let step = Step::new(&ground.sandbox.url, BUSY, &[("Octopus.Task.Id", &own)]);
        let (mut child, mut out, mut said) = under_way(step.launched(launcher), "  started  (ServerTasks-");
        let mut ended = match how {
            "agent" => {
                kill(&child.id().to_string());
                now(&ground)
            }
            "launcher" => {
                kill(said.lines().find_map(|line| line.strip_prefix("launcher ")).expect("it says so"));
                now(&ground)
            }
            "Canceled" => {
                cancel(&ground, &own);
                now(&ground)
            }
            _ => now(&ground),
        };
        // It is the pipe that says when the step has ended: its launcher may be gone long before.
        out.read_to_string(&mut said).expect("text");
        child.wait().expect("it ends");
        if matches!(how, "Success" | "Failed") {
            let seen = task(&ground, &own);
            assert_eq!(seen["state"], how, "{seen}");
            ended = seen["completed"].as_str().expect("a time").parse().expect("a time");
        }
        let late: Vec<Timestamp> = started(&ground).into_iter().filter(|at| at.duration_since(ended) > GRACE).collect();
        assert!(late.is_empty(), "{how}: ended at {ended}, started at {late:?}\n{said}");
        let why = match how {
            "agent" | "launcher" => "the agent that started this step is gone".to_owned(),
            "Canceled" => format!("{own}, whose step this is, was cancelled in Octopus"),
            state => format!("{own}, whose step this is, is over in Octopus: {state}"),
        };
        assert!(said.contains(&why), "{how}: {said}");
        if project == "Project C" && how != "Canceled" {
            cancel(&ground, &own);
        }
    }
}

#[test]
fn closed_log_is_noticed_without_writing() {
    let ground = Ground::with_clock(&world(), &["--speed", "1"]);
    let own = parent(&ground, "Project C");
    let step = Step::new(
        &ground.sandbox.url,
        "print(\"here\"); sleep(\"2h\"); run_runbook(\"Project A\", \"Smoke test\", \"Test\");",
        &[("Octopus.Task.Id", &own)],
    );
    let (mut child, out, _) = under_way(step.command(), "here");
    drop(out);
    assert_eq!(child.wait().expect("it ends").code(), Some(4));
    assert!(started(&ground).is_empty());
}

/// A write does not wait for the next look at the task: it looks itself.
#[test]
fn write_is_refused_when_the_task_is_over_and_nobody_has_looked_yet() {
    let ground = Ground::new();
    let own = parent(&ground, "Project C");
    cancel(&ground, &own);
    let heard = Step::new(&ground.sandbox.url, "deploy(\"Project A\", \"latest\", \"Test\");", &[("Octopus.Task.Id", &own)]).run();
    heard.ended(4).says("error", &format!("{own}, whose step this is, was cancelled in Octopus"));
    assert_eq!(ground.deployed(), ["Project C"]);
    // A task that the server does not know says nothing.
    let heard =
        Step::new(&ground.sandbox.url, "deploy(\"Project A\", \"latest\", \"Test\");", &[("Octopus.Task.Id", "ServerTasks-999")]).run();
    heard.ended(0);
}

/// The same under the program that runs steps on workers, in both shells, at random moments. `OCTORHAI_CASES=N` takes N times as many.
#[test]
fn nothing_is_started_after_the_real_agent_is_killed() {
    const NAME: &str = "step::watch::nothing_is_started_after_the_real_agent_is_killed";
    let Some(calamari) = kits::kit(NAME, "calamari") else { return };
    if kits::kit(NAME, "powershell").is_none() {
        return;
    }
    let ground = Ground::with_clock(&world(), &["--speed", "1"]);
    ground.write("busy.rhai", BUSY);
    let out = ground.folder.path().join("templates").display().to_string();
    let ran = ground.octorhai(&["template", "export", "--out", &out, "scripts/busy.rhai"], &[]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let kinds = [("agent", "Project C"), ("Canceled", "Project C"), ("Success", "Ends well"), ("Failed", "Ends badly")];
    for case in 0..cases(2) as usize {
        let shell = ["powershell", "bash"][case % 2];
        let (how, project) = kinds[case / 2 % kinds.len()];
        // Moments differ by how much was started: a seed of its own for each case.
        let moment = 1 + (case * 7 + 3) % 5;
        let template = Path::new(&out).join(format!("busy.{shell}.json"));
        let output = Command::new("python3")
            .args(["-c", AGENT])
            .args([calamari.as_os_str(), template.as_os_str()])
            .args([ground.sandbox.url.as_str(), project, how, &moment.to_string()])
            .arg(assert_cmd::cargo::cargo_bin!("octorhai"))
            .output()
            .expect("python3 runs");
        assert!(output.status.success(), "{shell} {how}: {}", String::from_utf8_lossy(&output.stderr));
        let told: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let own = told["task"].as_str().expect("a task");
        let ended = match how {
            "Success" | "Failed" => task(&ground, own)["completed"].as_str().expect("it is over").to_owned(),
            _ => told["at"].as_str().expect("a time").to_owned(),
        };
        let ended: Timestamp = ended.parse().expect("a time");
        let late: Vec<Timestamp> = started(&ground).into_iter().filter(|at| at.duration_since(ended) > GRACE).collect();
        assert!(late.is_empty(), "{shell} {how} after {moment}: ended at {ended}, started at {late:?}\n{told}");
        // The next deployment of the same project waits for this one.
        until("the parent is over", || (!["Executing", "Cancelling"].map(Into::into).contains(&task(&ground, own)["state"])).then_some(()));
    }
}

/// Starts a step by the kit's driver, does the mischief when enough was started, and waits until no process of the step is left.
const AGENT: &str = r#"
import glob, json, os, subprocess, sys, time, urllib.request, uuid
kit, template, url, project, how, moment, binary = sys.argv[1:]
sys.path.insert(0, kit)
import calamari_step as c
mark, told = str(uuid.uuid4()), {}
ask = lambda path: json.load(urllib.request.urlopen(urllib.request.Request(url + path, headers={"X-Octopus-ApiKey": "API-SANDBOX"}), timeout=30))
before = len(ask("/sandbox/state")["runbook_runs"])

def left():
    found = []
    for file in glob.glob("/proc/[0-9]*/environ"):
        try:
            if ("MARK=" + mark).encode() in open(file, "rb").read():
                found.append(file)
        except OSError:
            pass
    return found

class Agent(subprocess.Popen):
    def communicate(self, input=None, timeout=None):
        if not any(str(a) == "run-script" for a in self.args):
            return super().communicate(input, timeout)
        import threading
        out = []
        threading.Thread(target=lambda: out.append(self.stdout.read()), daemon=True).start()
        threading.Thread(target=lambda: out.append(self.stderr.read()), daemon=True).start()
        while len(ask("/sandbox/state")["runbook_runs"]) - before < int(moment) and self.poll() is None:
            time.sleep(0.05)
        if how == "agent":
            self.kill()
        elif how == "Canceled":
            server.cancel()
        told["at"] = ask("/sandbox/clock")["now"]
        for _ in range(1200):
            if self.poll() is not None and not left():
                break
            time.sleep(0.1)
        else:
            sys.exit(f"processes of the step are left: {left()}")
        return b"", b""

c.subprocess.Popen = Agent
server = c.Server(url, "API-SANDBOX", project + ":Test:1.1.0")
told["task"] = server.task
values = {"Server.ApiKey": "API-SANDBOX", "BinaryPath": binary}
seen = c.step(template, values, server=server, env={"MARK": mark, "OCTORHAI_STORE": "none"})
server.cancel()
print(json.dumps({**told, "rc": seen["rc"]}))
"#;
