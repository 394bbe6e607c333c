//! One process: the body of a step in a folder of its own, its output read as the server reads it, its end as that of the step.

use super::{
    bash, modules,
    octostache::{Mode, Unevaluated, Variables, evaluate, evaluate_body},
    powershell,
    reader::{self, Heard, Lines, Reader},
    shells,
    staging::{self, Package},
    variables::{self, Set, Variable},
};
use crate::sandbox::{
    bounds,
    http::Shared,
    state::State,
    world::run::{RunPlan, Syntax},
};
use jiff::Timestamp;
use parking_lot::Mutex;
use std::{
    collections::BTreeMap,
    fs,
    io::Read,
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc,
    },
};

/// What a line of the log costs beside its text.
const LINE: usize = 48;
/// How many lines of a step are read ahead.
const AHEAD: usize = 10_000;
/// Only texts longer than this are masked (octopus-step-contract.md §2.6).
const SHORTEST: usize = 3;

/// A step that runs.
pub(super) struct Job {
    pub(super) task: usize,
    pub(super) step: usize,
    /// The task's when it began: another one now means that it was cancelled.
    pub(super) generation: u32,
    name: String,
    run: RunPlan,
    variables: Set,
    /// What stands beside the body, or why the step cannot begin.
    packages: Result<Vec<Package>, String>,
    with_array: bool,
    attempt: u32,
    /// The group of its processes, once there are some.
    group: Mutex<Option<u32>>,
    left: AtomicBool,
    /// How much its log holds, and whether it was told that there is no more room.
    logged: AtomicUsize,
    full: AtomicBool,
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
        let plan = t.plan.get(step)?;
        let run = plan.run.clone()?;
        Some(Self {
            task,
            step,
            generation: t.generation,
            name: plan.name.clone(),
            packages: match &run.refused {
                Some(why) => Err(why.clone()),
                None => staging::acquire(state, task, step),
            },
            run,
            with_array: state.plan.worker.parameters_array,
            attempt: t.steps[step].attempts,
            variables: variables::of_step(state, task, step),
            group: Mutex::default(),
            left: AtomicBool::new(false),
            logged: AtomicUsize::new(0),
            full: AtomicBool::new(false),
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
        let error = match self.work(shared) {
            Ok(error) => error,
            Err(problem) => Some(format!("The step could not be run: {problem}")),
        };
        super::ended(shared, self, error);
    }

    fn work(&self, shared: &Arc<Shared>) -> std::io::Result<Option<String>> {
        let packages = match &self.packages {
            Ok(packages) => packages,
            Err(why) => return Ok(Some(why.clone())),
        };
        let home = shared.worker.home()?;
        let folder = home.join("Work").join(uuid::Uuid::new_v4().simple().to_string());
        fs::create_dir_all(&folder)?;
        let done = self.in_folder(shared, packages, &home, &folder);
        // Deleted when the server says that the script is complete (§1.1).
        let _gone = fs::remove_dir_all(&folder);
        done
    }

    fn in_folder(&self, shared: &Arc<Shared>, packages: &[Package], home: &Path, folder: &Path) -> std::io::Result<Option<String>> {
        let environment = environment(shared, home, folder);
        let mut known = self.variables.clone();
        for (name, value) in &environment {
            known.add(&format!("env:{name}"), value, false);
        }
        staging::stage(packages, home, folder, &mut known, |level, text| {
            self.log(&mut shared.state.lock(), shared, level, &text, &Told::default());
        })?;
        let command = match self.prepare(&mut known, shared.clock.now(), folder)? {
            Ok(command) => command,
            Err(NotBegun::Without(why)) => return Ok(Some(why)),
            Err(NotBegun::Unreadable(Unevaluated { text, code, level })) => {
                // As the part of the server at the agent ends then: before there is a script.
                self.log(&mut shared.state.lock(), shared, level, &text, &Told::default());
                return Ok(Some(format!("The remote script failed with exit code {code}")));
            }
        };
        let secrets = command.variables.iter().filter(|one| one.sensitive).flat_map(|one| masks(&one.value));
        let mut told = Told { masks: secrets.collect(), ..Told::default() };
        for note in &command.notes {
            self.log(&mut shared.state.lock(), shared, "Verbose", note, &told);
        }
        let mut child = spawn(&command.line, folder, &environment)?;
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
            // Whatever its level: the agent counts lines of the stream that are no messages.
            told.errors |= stream == 1 && !line.trim().is_empty() && !line.starts_with(reader::MARK);
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
            match crate::platform::files::read(Path::new(&path), bounds::ARTIFACT) {
                Ok(bytes) => super::keep_artifact(&mut state, self, &masked(&name, &told.masks), bytes),
                Err(problem) => self.log(&mut state, shared, "Error", &format!("artifact {path} cannot be collected: {problem}"), &told),
            }
        }
        let result = || told.result.as_ref().map(|text| masked(text, &told.masks));
        Ok(match status.code() {
            Some(0) if told.errors && self.run.fail_on_error_output => {
                Some("The script wrote to the error stream, and this step fails then".to_owned())
            }
            Some(0) => None,
            Some(code) => Some(result().unwrap_or_else(|| format!("The remote script failed with exit code {code}"))),
            None => Some("The remote script was killed".to_owned()),
        })
    }

    /// Writes the files of the step, and says how it is started, or why it cannot be.
    fn prepare(&self, all: &mut Set, now: Timestamp, folder: &Path) -> std::io::Result<Result<Prepared, NotBegun>> {
        let syntax = self.run.shell;
        let program = match shells::program(syntax) {
            Ok(program) => program,
            Err(why) => {
                let why = format!("The script of the step '{}' is written in {}: {why}", self.name, syntax.name());
                return Ok(Err(NotBegun::Without(why)));
            }
        };
        let extension = match syntax {
            Syntax::Bash => "sh",
            Syntax::PowerShell => "ps1",
        };
        let file = format!("Script.{extension}");
        all.add("Octopus.Action.Script.ScriptFileName", &file, false);
        let known = all.known(now);
        // Everything is evaluated once: the body with the values as they were set.
        let texts = || {
            let body = evaluate_body(&self.run.body, &file, &known)?;
            Ok((body.text, body.note, self.parameters(&known)?, all.evaluated(&known)?))
        };
        let (body, note, parameters, variables) = match texts() {
            Ok(texts) => texts,
            Err(why) => return Ok(Err(NotBegun::Unreadable(why))),
        };
        let modules = modules::of(&variables, syntax);
        for module in &modules {
            let mark = if syntax == Syntax::PowerShell { powershell::MARK } else { "" };
            let text = if syntax == Syntax::Bash { module.text.replace("\r\n", "\n") } else { module.text.clone() };
            fs::write(folder.join(&module.file), format!("{mark}{text}"))?;
        }
        // As long as a part of a name that nobody else has.
        let part = uuid::Uuid::new_v4().to_string().split_off(10);
        let arguments = match syntax {
            Syntax::Bash => {
                let body = body.replace("\r\n", "\n");
                let uses_array =
                    [&body].into_iter().chain(modules.iter().map(|module| &module.text)).any(|text| text.contains(bash::ARRAY));
                let (configure, bootstrap) = (format!("Configure.{part}.sh"), format!("Bootstrap.{part}.Script.sh"));
                let files = bash::files(&parameters, &configure, &variables, (self.with_array, uses_array));
                fs::write(folder.join(file), body)?;
                fs::write(folder.join(configure), files.configure)?;
                fs::write(folder.join(&bootstrap), files.bootstrap)?;
                vec![bootstrap, files.key]
            }
            Syntax::PowerShell => {
                let (body_file, bootstrap) = (folder.join(file), folder.join("Bootstrap.Script.ps1"));
                let files = powershell::files(&body_file, &parameters, &variables, &modules);
                fs::write(body_file, format!("{}{body}", powershell::MARK))?;
                fs::write(&bootstrap, &files.bootstrap)?;
                files.command(&bootstrap, !all.flag("Octopus.Action.PowerShell.ExecuteWithoutProfile"))
            }
        };
        let line = std::iter::once(program.display().to_string()).chain(arguments).collect();
        let notes = modules.iter().map(|module| module.note(syntax)).chain(note).collect();
        Ok(Ok(Prepared { line, variables, notes }))
    }

    /// The script parameters as text of the shell.
    fn parameters(&self, known: &Variables) -> Result<String, String> {
        let quoted = match self.run.shell {
            Syntax::Bash => bash::quoted,
            Syntax::PowerShell => powershell::quoted,
        };
        let own = self.run.arguments.iter().map(|text| evaluate(text, Mode::Value, known).map(|text| quoted(&text)));
        let mut all: Vec<String> = own.collect::<Result<_, _>>()?;
        if !self.run.parameter_text.is_empty() {
            all.push(evaluate(&self.run.parameter_text, Mode::Value, known)?.into_owned());
        }
        Ok(all.join(" "))
    }

    fn hear(&self, state: &mut State, shared: &Shared, heard: Heard, told: &mut Told) {
        let (name, attributes) = match heard {
            Heard::Line(level, text) => {
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
        if t.steps[self.step].attempts != self.attempt {
            return;
        }
        match self.logged.fetch_add(line.2.len() + LINE, Ordering::SeqCst) {
            before if before < bounds::LOG => t.steps[self.step].log.push(line),
            _ if !self.full.swap(true, Ordering::SeqCst) => {
                let text = format!("the log of this step is longer than {} MiB: the rest is left out", bounds::LOG >> 20);
                t.steps[self.step].log.push((line.0, "Warning", text));
            }
            _ => {}
        }
    }
}

/// A step that can begin.
struct Prepared {
    /// The program and its arguments.
    line: Vec<String>,
    /// All that it knows.
    variables: Vec<Variable>,
    /// What is told of its preparation.
    notes: Vec<String>,
}

/// Why a step does not begin.
enum NotBegun {
    /// There is no shell for it.
    Without(String),
    /// Its texts cannot be evaluated.
    Unreadable(Unevaluated),
}

/// Names that programs on Windows, and .NET anywhere, cannot do without.
const PASSED_ON: [&str; 10] = [
    "SystemRoot",
    "windir",
    "TEMP",
    "TMP",
    "PATHEXT",
    "ComSpec",
    "ProgramFiles",
    "ProgramData",
    "DOTNET_ROOT",
    "DOTNET_SYSTEM_GLOBALIZATION_INVARIANT",
];

/// What an agent's service gives to its steps, and no more.
fn environment(shared: &Shared, home: &Path, folder: &Path) -> Vec<(String, String)> {
    let of = |name: &str| std::env::var(name).ok();
    let (home, folder) = (home.display().to_string(), folder.display().to_string());
    let mut all = vec![
        ("PATH".to_owned(), of("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".to_owned())),
        ("HOME".to_owned(), home.clone()),
        ("TentacleHome".to_owned(), home),
        ("OctopusCalamariWorkingDirectory".to_owned(), folder),
        ("LANG".to_owned(), "C.UTF-8".to_owned()),
        // Nothing leaves the machine.
        ("POWERSHELL_TELEMETRY_OPTOUT".to_owned(), "1".to_owned()),
        ("POWERSHELL_UPDATECHECK".to_owned(), "Off".to_owned()),
    ];
    all.extend(PASSED_ON.iter().filter_map(|name| Some(((*name).to_owned(), of(name)?))));
    if shared.clock.is_virtual() {
        all.push(("OCTORHAI_VIRTUAL_TIME".to_owned(), "1".to_owned()));
    }
    all
}

fn spawn(line: &[String], folder: &Path, environment: &[(String, String)]) -> std::io::Result<Child> {
    // As the agent starts it: the outer shell is the root that some agents kill alone.
    let outer: &[&str] = if cfg!(unix) { &["/bin/bash", "-c", "\"$@\"; exit $?", "step"] } else { &[] };
    let mut words = outer.iter().copied().chain(line.iter().map(String::as_str));
    let mut command = Command::new(words.next().unwrap_or_default());
    command.args(words).current_dir(folder).env_clear().envs(environment.iter().map(|(name, value)| (name, value)));
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()
}

/// Lines of both streams as they come: which one, and the line.
fn listen(child: &mut Child) -> mpsc::Receiver<(usize, String)> {
    let (say, heard) = mpsc::sync_channel(AHEAD);
    let streams: [Option<Box<dyn Read + Send>>; 2] =
        [child.stdout.take().map(|pipe| Box::new(pipe) as _), child.stderr.take().map(|pipe| Box::new(pipe) as _)];
    for (number, pipe) in streams.into_iter().enumerate().filter_map(|(number, pipe)| Some((number, pipe?))) {
        let say = say.clone();
        let _none_without_threads = std::thread::Builder::new().name("step-output".to_owned()).spawn(move || {
            let (mut pipe, mut lines, mut buffer) = (pipe, Lines::default(), [0; 8192]);
            while let Ok(read @ 1..) = pipe.read(&mut buffer) {
                for line in lines.take(&buffer[..read]) {
                    if say.send((number, line)).is_err() {
                        return;
                    }
                }
            }
            if let Some(line) = lines.end() {
                let _nobody_listens = say.send((number, line));
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
