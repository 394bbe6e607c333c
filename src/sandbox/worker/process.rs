//! One process: the body of a step in a folder of its own, its output read as the server reads it, its end as that of the step.

use super::{
    bash,
    octostache::{Mode, evaluate},
    reader::{Heard, Reader},
    variables::{self, Variable},
};
use crate::sandbox::{http::Shared, state::State};
use parking_lot::Mutex;
use std::{
    borrow::Cow,
    collections::BTreeMap,
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
};

/// Only texts longer than this are masked (octopus-step-contract.md §2.6).
const SHORTEST: usize = 3;

/// A step that runs.
pub(super) struct Job {
    pub(super) task: usize,
    pub(super) step: usize,
    /// The task's when it began: another one now means that it was cancelled.
    pub(super) generation: u32,
    /// Why it cannot run: its variables cannot be evaluated.
    problem: Option<String>,
    body: String,
    arguments: Vec<String>,
    variables: Vec<Variable>,
    with_array: bool,
    fails_on_stderr: bool,
    attempt: u32,
    /// The group of its processes, once there are some.
    group: Mutex<Option<u32>>,
    left: AtomicBool,
}

/// What the server learns while it runs.
#[derive(Default)]
struct Told {
    masks: Vec<String>,
    artifacts: Vec<(String, String)>,
    result: Option<String>,
    errors: bool,
}

impl Job {
    /// The process of a step that has begun; none when it has no body any more.
    pub(super) fn of(state: &State, task: usize, step: usize) -> Option<Self> {
        let t = &state.tasks[task];
        let run = t.plan.get(step)?.run.as_ref()?;
        let seen = variables::of_step(state, task, step).and_then(|(variables, known)| {
            // Everything is evaluated once: the body with the values as they were set.
            let body = evaluate(&run.body.replace("\r\n", "\n"), Mode::File, &known)?.into_owned();
            let argument = |text: &String| evaluate(text, Mode::Value, &known).map(Cow::into_owned);
            let arguments = run.arguments.iter().map(argument).collect::<Result<_, _>>()?;
            Ok((variables, body, arguments))
        });
        let (problem, (variables, body, arguments)) = match seen {
            Ok(seen) => (None, seen),
            Err(problem) => (Some(problem), Default::default()),
        };
        Some(Self {
            task,
            step,
            generation: t.generation,
            problem,
            body,
            arguments,
            with_array: state.plan.worker.parameters_array,
            fails_on_stderr: run.fail_on_error_output,
            attempt: t.steps[step].attempts,
            variables,
            group: Mutex::default(),
            left: AtomicBool::new(false),
        })
    }

    /// Kills the whole tree without notice, or only its root, as weak agents do (octopus-step-contract.md §1.8).
    pub(super) fn kill(&self, root_only: bool) {
        if self.left.swap(true, Ordering::SeqCst) {
            return;
        }
        if let Some(group) = *self.group.lock() {
            let whom = if root_only { group.to_string() } else { format!("-{group}") };
            let _gone_already = Command::new("kill").args(["-KILL", "--", &whom]).stdout(Stdio::null()).stderr(Stdio::null()).status();
        }
    }

    /// Runs it to its end.
    pub(super) fn run(&self, shared: &Arc<Shared>) {
        if let Some(problem) = &self.problem {
            // As the agent's part of the server ends then.
            self.log(&mut shared.state.lock(), shared, "Error", problem, &Told::default());
            return super::ended(shared, self, Some("The remote script failed with exit code 100".to_owned()));
        }
        let error = match self.work(shared) {
            Ok(error) => error,
            Err(problem) => Some(format!("The step could not be run: {problem}")),
        };
        super::ended(shared, self, error);
    }

    fn work(&self, shared: &Arc<Shared>) -> std::io::Result<Option<String>> {
        let home = shared.worker.home()?;
        let folder = home.join("Work").join(uuid::Uuid::new_v4().simple().to_string());
        std::fs::create_dir_all(&folder)?;
        let done = self.in_folder(shared, &home, &folder);
        // Deleted when the server says that the script is complete (§1.1).
        let _gone = std::fs::remove_dir_all(&folder);
        done
    }

    fn in_folder(&self, shared: &Arc<Shared>, home: &Path, folder: &Path) -> std::io::Result<Option<String>> {
        let files = bash::files(&self.body, &self.variables, self.with_array);
        std::fs::write(folder.join("Script.sh"), &self.body)?;
        std::fs::write(folder.join("Configure.sh"), files.configure)?;
        std::fs::write(folder.join("Bootstrap.sh"), files.bootstrap)?;
        let mut told =
            Told { masks: self.variables.iter().filter(|v| v.sensitive).flat_map(|v| masks(&v.value)).collect(), ..Told::default() };
        let mut child = self.spawn(shared, home, folder, &files.key)?;
        *self.group.lock() = Some(child.id());
        if self.left.load(Ordering::SeqCst) {
            // Cancelled while it started.
            self.left.store(false, Ordering::SeqCst);
            self.kill(false);
        }
        let heard = listen(&mut child);
        let mut readers = [Reader::new("Info"), Reader::new("Error")];
        let mut all = Vec::new();
        // Until both pipes are closed, by whoever holds them (§1.9); of a step that was left to itself nobody waits for that.
        while let Ok((stream, line)) = heard.recv() {
            if self.left.load(Ordering::SeqCst) {
                break;
            }
            readers[stream].line(&line, &mut all);
            let mut state = shared.state.lock();
            for one in all.drain(..) {
                self.hear(&mut state, shared, one, &mut told);
            }
        }
        let status = child.wait()?;
        let mut state = shared.state.lock();
        if !readers[0].is_back() {
            self.log(&mut state, shared, "Warning", "the step has left the level of its log changed", &told);
        }
        for (path, name) in std::mem::take(&mut told.artifacts) {
            match std::fs::read(&path) {
                Ok(bytes) => super::keep_artifact(&mut state, self, &masked(&name, &told.masks), bytes),
                Err(problem) => self.log(&mut state, shared, "Error", &format!("artifact {path} cannot be collected: {problem}"), &told),
            }
        }
        let result = || told.result.as_ref().map(|text| masked(text, &told.masks));
        Ok(match status.code() {
            Some(0) if told.errors && self.fails_on_stderr => {
                Some("The script wrote to the error stream, and this step fails then".to_owned())
            }
            Some(0) => None,
            Some(code) => Some(result().unwrap_or_else(|| format!("The remote script failed with exit code {code}"))),
            None => Some("The remote script was killed".to_owned()),
        })
    }

    fn spawn(&self, shared: &Shared, home: &Path, folder: &Path, key: &str) -> std::io::Result<Child> {
        // As the agent starts it: the outer shell is the root that some agents kill alone.
        let mut command = Command::new("/bin/bash");
        command.args(["-c", "/bin/bash Bootstrap.sh \"$@\"; exit $?", "step", key]).args(&self.arguments);
        command.current_dir(folder).env_clear();
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        command.env("PATH", std::env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into()));
        command.env("HOME", home).env("TentacleHome", home).env("OctopusCalamariWorkingDirectory", folder).env("LANG", "C.UTF-8");
        if shared.clock.is_virtual() {
            command.env("OCTORHAI_VIRTUAL_TIME", "1");
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()
    }

    fn hear(&self, state: &mut State, shared: &Shared, heard: Heard, told: &mut Told) {
        let (name, attributes) = match heard {
            Heard::Line(level, text) => {
                told.errors |= level == "Error";
                self.log(state, shared, level, &text, told);
                return;
            }
            Heard::Message(name, attributes) => (name, attributes.into_iter().collect::<BTreeMap<_, _>>()),
        };
        let of = |name: &str| attributes.get(name).cloned();
        match name.as_str() {
            "setVariable" => {
                let (Some(name), Some(value)) = (of("name"), of("value")) else { return };
                let sensitive = of("sensitive").is_some_and(|text| text.eq_ignore_ascii_case("true"));
                if sensitive {
                    told.masks.extend(masks(&value));
                }
                let run = &mut state.tasks[self.task].steps[self.step];
                run.outputs.retain(|(known, _)| *known != name);
                run.secret_outputs.retain(|known| *known != name);
                if sensitive {
                    run.secret_outputs.push(name.clone());
                }
                run.outputs.push((name, value));
            }
            "progress" => {
                state.tasks[self.task].steps[self.step].percent = of("percentage").and_then(|text| text.parse().ok());
            }
            "createArtifact" => told.artifacts.extend(of("path").zip(of("name"))),
            "resultMessage" => told.result = of("message"),
            "mask" => told.masks.extend(of("value").iter().flat_map(|value| masks(value))),
            // Silently, as servers do with messages that they do not know.
            _ => {}
        }
    }

    fn log(&self, state: &mut State, shared: &Shared, level: &'static str, text: &str, told: &Told) {
        let line = (shared.clock.now(), level, masked(text, &told.masks));
        let t = &mut state.tasks[self.task];
        // What a killed process still says is not read any more.
        if t.steps[self.step].attempts == self.attempt {
            t.steps[self.step].log.push(line);
        }
    }
}

/// Lines of both streams as they come: which one, and the line.
fn listen(child: &mut Child) -> mpsc::Receiver<(usize, String)> {
    let (say, heard) = mpsc::channel();
    let streams: [Option<Box<dyn Read + Send>>; 2] =
        [child.stdout.take().map(|pipe| Box::new(pipe) as _), child.stderr.take().map(|pipe| Box::new(pipe) as _)];
    for (number, pipe) in streams.into_iter().enumerate().filter_map(|(number, pipe)| Some((number, pipe?))) {
        let say = say.clone();
        let _none_without_threads = std::thread::Builder::new().name("step-output".to_owned()).spawn(move || {
            let mut lines = BufReader::new(pipe);
            let mut line = Vec::new();
            while lines.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
                let text = String::from_utf8_lossy(line.strip_suffix(b"\n").unwrap_or(&line)).into_owned();
                if say.send((number, text)).is_err() {
                    return;
                }
                line.clear();
            }
        });
    }
    heard
}

/// The texts that a secret is struck out as.
fn masks(secret: &str) -> Vec<String> {
    let lines = secret.lines().filter(|_| secret.contains('\n'));
    [secret].into_iter().chain(lines).filter(|text| text.len() > SHORTEST).map(str::to_owned).collect()
}

fn masked(text: &str, masks: &[String]) -> String {
    let mut longest: Vec<&String> = masks.iter().collect();
    longest.sort_by_key(|mask| std::cmp::Reverse(mask.len()));
    longest.iter().fold(text.to_owned(), |text, mask| text.replace(mask.as_str(), "********"))
}
