//! Steps that really run: bodies in Bash or PowerShell, executed as a worker executes them (octopus-step-contract.md §1).
//!
//! Everything else in the sandbox is worked out when somebody asks. A process is not: it starts when a request (or, in real time, a
//! tick) finds that its step has begun, and the step ends when it ends. On a virtual clock a running process counts as somebody who
//! works, so that the clock stands but for what the process's own requests say (`X-Octorhai-Now`), and everybody who waits goes on after it.

mod bash;
mod cipher;
mod modules;
mod octostache;
mod powershell;
mod process;
mod reader;
mod sent;
mod shells;
mod staging;
mod variables;

pub(crate) use reader::heard;
pub(crate) use sent::{UNRUN, steps_of};
pub(crate) use shells::found as shells_found;
pub(crate) use variables::evaluated;

use super::{
    answer::str_of,
    artifacts,
    http::Shared,
    state::{State, TaskState},
};
use crate::platform::files;
use jiff::SignedDuration;
use parking_lot::Mutex;
use process::Job;
use serde_json::json;
use std::{collections::BTreeMap, path::PathBuf, sync::Arc};
use tempfile::TempDir;

/// How often to look for steps that have begun, where time passes by itself; on the clock on the wall, however fast the world's is.
const TICK: SignedDuration = SignedDuration::from_millis(20);

/// The agent's own folder in the one that is thrown away at the end.
const HOME: &str = "agent";

/// Where steps run, and those that do.
pub(crate) struct Worker {
    /// The folder of the agent: its work folders, and what programs leave in its home. Made when it is needed, gone with the worker.
    home: Mutex<Option<TempDir>>,
    jobs: Mutex<BTreeMap<(usize, usize), Arc<Job>>>,
}

impl Worker {
    pub(crate) fn new() -> Self {
        Self { home: Mutex::default(), jobs: Mutex::default() }
    }

    /// The folder of the agent.
    fn home(&self) -> std::io::Result<PathBuf> {
        let mut home = self.home.lock();
        if let Some(known) = &*home {
            return Ok(known.path().join(HOME));
        }
        let made = tempfile::Builder::new().prefix("octorhai-worker-").tempdir()?;
        // Scripts with their values are written in it: nobody else looks in, whatever the mask of this process says.
        files::create_folder(&made.path().join(HOME))?;
        std::fs::create_dir(made.path().join(HOME).join("Work"))?;
        Ok(home.insert(made).path().join(HOME))
    }

    /// Ends all that runs: nothing outlives the server, and nothing is left on the disk.
    pub(crate) fn stop(&self) {
        for job in self.jobs.lock().values() {
            job.kill(false);
        }
        drop(self.home.lock().take());
    }
}

/// Starts the steps that have begun, and ends those whose task was cancelled. Called after whatever may have changed the state.
pub(crate) fn look(shared: &Arc<Shared>) {
    let mut state = shared.state.lock();
    let begun = std::mem::take(&mut state.begun);
    let stale: Vec<Arc<Job>> = {
        let jobs = shared.worker.jobs.lock();
        jobs.values().filter(|job| state.tasks[job.task].generation != job.generation).cloned().collect()
    };
    let root_only = state.plan.worker.kills_root_only();
    let jobs: Vec<Arc<Job>> = begun.into_iter().filter_map(|(task, step)| Job::of(&state, task, step)).map(Arc::new).collect();
    drop(state);
    for job in stale {
        job.kill(root_only);
    }
    for job in jobs {
        shared.worker.jobs.lock().insert((job.task, job.step), job.clone());
        // Before the answer leaves that made the step begin: the clock must not jump over it.
        let busy = shared.clock.enter();
        let (own, runs) = (shared.clone(), job.clone());
        let thread = std::thread::Builder::new().name("step".to_owned()).spawn(move || {
            runs.run(&own);
            own.worker.jobs.lock().remove(&(runs.task, runs.step));
            // What begins now does so before anybody's clock goes on.
            look(&own);
            drop(busy);
        });
        if let Err(problem) = thread {
            ended(shared, &job, Some(format!("The step could not be started: {problem}")));
        }
    }
}

/// Looks from time to time, for as long as the server is there.
pub(crate) async fn watch(shared: std::sync::Weak<Shared>) {
    let clock = crate::clock::Clock::real();
    loop {
        clock.sleep(TICK).await;
        let Some(shared) = shared.upgrade() else { return };
        {
            let mut state = shared.state.lock();
            shared.catch_up(&mut state);
        }
        look(&shared);
    }
}

/// A process has ended: so has its step, unless its task was cancelled before.
fn ended(shared: &Arc<Shared>, job: &Job, error: Option<String>) {
    let mut state = shared.state.lock();
    shared.catch_up(&mut state);
    let t = &mut state.tasks[job.task];
    if t.generation == job.generation && t.state == TaskState::Executing {
        state.script_ended(job.task, job.step, error);
        state.fill_slots();
    }
}

/// Adds an artifact of a task, with its content, to what the server keeps.
fn keep_artifact(state: &mut State, job: &Job, name: &str, bytes: Vec<u8>) {
    let source = json!(state.tasks[job.task].plan[job.step].name);
    let correlation = json!(format!("ServerTasks-{}_SANDBOX/{}", job.task + 1, job.step));
    let kept = artifacts::add(state, job.task, name, &source, &correlation);
    state.blobs.insert(str_of(&kept, "Id").to_lowercase(), ("application/octet-stream".to_owned(), bytes.into()));
}
