//! Whether a run in a step is still wanted. A step is told of being cancelled in several ways, on some agents in none: its agent is
//! gone, its log is not read any more, its task is over on the server (octopus-step-contract.md §1.8). A step that is killed at once
//! hears of none; all of this is for where it is not: PowerShell lives on when its agent was killed, and so does what it started.
//!
//! Processes and agents live in real time, whatever clock the run has.

use crate::{
    api::{SpaceClient, TaskState},
    cancel::Cancel,
    clock::{Clock, Stopwatch},
    error::{Kind, Result},
    host::context::Launcher,
    platform::{ancestors::Ancestors, console},
};
use jiff::SignedDuration;
use std::{
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// How often to look at the agent and the log: both are on this machine.
const LOOK: SignedDuration = SignedDuration::from_secs(1);
/// How often to ask the server for the task.
const ASK: SignedDuration = SignedDuration::from_secs(5);
/// How old an answer about the task may be when something is written.
const FRESH: Duration = Duration::from_secs(3);

/// Who started the run, and for what.
pub(super) struct StepWatch {
    cancel: Cancel,
    ancestors: Ancestors,
    /// Stdout is the log of the step.
    is_log: bool,
    /// The task that the step belongs to.
    task: Option<String>,
    /// Asks for the task.
    space: OnceLock<SpaceClient>,
    /// When the task was last seen to go on. Writes that come at the same time wait for one answer.
    seen: tokio::sync::Mutex<Option<Stopwatch>>,
    /// The server knows no such task: whoever named it knows better than we do.
    is_unknown: AtomicBool,
}

impl StepWatch {
    /// By a launcher, for a step of a task.
    pub(super) fn new(launcher: Option<Launcher>, task: Option<String>, cancel: Cancel) -> Self {
        // PowerShell stays between the agent and us; Bash is replaced by us.
        let levels = if launcher == Some(Launcher::Waits) { 2 } else { 1 };
        Self {
            cancel,
            ancestors: Ancestors::of_this_process(levels),
            is_log: launcher.is_some(),
            task,
            space: OnceLock::new(),
            seen: tokio::sync::Mutex::new(None),
            is_unknown: AtomicBool::new(false),
        }
    }

    /// How to ask the server.
    pub(super) fn ask_by(&self, space: SpaceClient) {
        let _first_stays = self.space.set(space);
    }

    /// Cancels the run when its agent or its log is gone; whether it is.
    fn is_abandoned(&self) -> bool {
        if self.ancestors.is_one_gone() {
            self.cancel.cancel("the agent that started this step is gone");
            return true;
        }
        if self.is_log && console::is_output_closed() {
            self.cancel.cancel("nobody hears this step any more");
            return true;
        }
        false
    }

    /// Looks at the agent until it is gone.
    pub(super) async fn watch_agent(&self) {
        let clock = Clock::real();
        while !self.is_abandoned() {
            clock.sleep(LOOK).await;
        }
    }

    /// Looks at the task until it is over.
    pub(super) async fn watch_task(&self) {
        let clock = Clock::real();
        while !self.cancel.is_cancelled() && !self.is_unknown.load(Ordering::Relaxed) {
            clock.sleep(ASK).await;
            // What is wrong with an answer is asked again: the next write is held up by it.
            let _trouble = self.look(Duration::ZERO).await;
        }
    }

    /// Asks for the task, unless it was seen to go on within `fresh`.
    async fn look(&self, fresh: Duration) -> Result<()> {
        let (Some(task), Some(space)) = (&self.task, self.space.get()) else { return Ok(()) };
        let mut seen = self.seen.lock().await;
        if self.is_unknown.load(Ordering::Relaxed) || seen.as_ref().is_some_and(|seen| seen.elapsed() < fresh) {
            return Ok(());
        }
        let watch = Stopwatch::start();
        match space.task(&task.as_str().into()).await {
            Ok(found) if found.is_completed() || found.state == TaskState::Cancelling => {
                let how = match found.state {
                    TaskState::Cancelling | TaskState::Canceled => "was cancelled in Octopus".to_owned(),
                    state => format!("is over in Octopus: {state}"),
                };
                self.cancel.cancel(&format!("{task}, whose step this is, {how}"));
                Err(self.cancel.error())
            }
            Ok(_) => {
                *seen = Some(watch);
                Ok(())
            }
            Err(error) if error.kind() == Kind::NotFound => {
                self.is_unknown.store(true, Ordering::Relaxed);
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// To be asked before each write to a server.
    ///
    /// # Errors
    /// The one of a cancelled run when it is not wanted any more; trouble with the server that is asked.
    pub(super) async fn before_write(&self) -> Result<()> {
        if self.is_abandoned() {
            return Err(self.cancel.error());
        }
        self.look(FRESH).await
    }
}
