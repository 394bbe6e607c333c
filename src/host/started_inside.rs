//! Tasks that a block of the script started and nobody waited for: `lock`, `retry`, `saga` and their like wait for them at its end.
//!
//! Without that a lock is given back while its deployment is still queued, and what fails later is neither retried nor undone.

use super::prelude::*;
use super::{
    ledger::StartedTask,
    task::Task,
    wait::{Asker, Until, failures, for_tasks, left_open},
    wait_options::WaitOptions,
};
use crate::lock::within;

/// The tasks that the run had started when a block began.
pub struct StartedInside(Vec<Task>);

impl StartedInside {
    /// When it begins now.
    pub fn now(host: &Host) -> Self {
        Self(host.ledger.started.lock().iter().map(|started| started.task.clone()).collect())
    }

    /// What was started since, in this branch of the script or those it has split into, and is open. What was scheduled with `at` is
    /// meant to run later.
    fn open(&self, host: &Host) -> Vec<Task> {
        let is_new =
            |started: &StartedTask| within(&started.branch, &host.frame.branch) && !self.0.iter().any(|known| known.same(&started.task));
        let is_scheduled = |task: &Task| {
            let deployment = task.deployment.as_ref().and_then(|one| one.queue_time);
            deployment.or_else(|| task.runbook_run.as_ref().and_then(|run| run.queue_time)).is_some()
        };
        let started = host.ledger.started.lock();
        let new = started.iter().filter(|started| is_new(started)).map(|started| &started.task);
        new.filter(|task| !task.last().is_completed() && !is_scheduled(task)).cloned().collect()
    }

    /// Waits for what is open; a failure of it is an error.
    pub fn wait(&self, call: &dyn Asker) -> HostResult<()> {
        let host = call.host();
        let open = self.open(host);
        if open.is_empty() {
            return Ok(());
        }
        let names: Vec<String> = open.iter().take(5).map(|task| format!("{} ({})", task.subject.title, task.id)).collect();
        let more = if open.len() > names.len() { format!(" and {} more", open.len() - names.len()) } else { String::new() };
        host.note(Level::Info, format!("`{}` waits for what was started in it: {}{more}", call.function(), names.join(", ")));
        let options = WaitOptions::default();
        let came = for_tasks(call, &open, &options, Until::All)?;
        match failures(host, &open) {
            Some(error) => Err(raise(error)),
            None if came => Ok(()),
            None => {
                let help = "wait for it in the closure with a longer limit: `wait(task, #{timeout: \"2h\"})`";
                Err(raise(left_open(call, &open, &options)?.help(help)))
            }
        }
    }

    /// The result of a block once nothing that it started is open. An error of the block comes before those of its tasks, but what ends
    /// the run comes first.
    pub fn ended(&self, call: &dyn Asker, result: HostResult<Dynamic>) -> HostResult<Dynamic> {
        if result.as_ref().is_err_and(|error| is_final(error)) {
            return result;
        }
        match (self.wait(call), result) {
            (Err(error), Ok(_)) => Err(error),
            (Err(error), Err(_)) if stops(&error) => Err(error),
            (_, result) => result,
        }
    }
}

/// The script itself, when it is one that runs only once at a time.
struct WholeScript<'h>(&'h Host);

impl Asker for WholeScript<'_> {
    fn host(&self) -> &Host {
        self.0
    }
    fn function(&self) -> &'static str {
        "only_one"
    }
    fn ask(&self, _: &FnPtr, _: Dynamic) -> HostResult<Dynamic> {
        Err(raise(Error::bug("the end of a script asks nothing")))
    }
}

impl Host {
    /// Called on the script's thread when the script has ended well. A lock that `only_one` took for all of it is given back only when
    /// nothing that the script started is open.
    pub fn script_ends(&self) -> HostResult<()> {
        let holds = self.held.holds.lock().clone();
        holds.iter().try_for_each(|hold| hold.begun.wait(&WholeScript(self)))
    }
}
