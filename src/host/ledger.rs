//! What a run has done so far: effects, started tasks, and what it has told once.

use super::prelude::*;
use super::task::Task;

/// What a run has done so far.
#[derive(Default)]
pub struct Ledger {
    /// The number of the last effect of each branch of the script.
    pub(super) effects: Mutex<BTreeMap<String, u64>>,
    /// How long effects took, by branch.
    pub(super) busy: Mutex<BTreeMap<String, SignedDuration>>,
    /// Tasks that the run started, in order.
    pub(super) started: Mutex<Vec<StartedTask>>,
    /// Texts that the script has revealed, on whatever server: it may send them. Each once.
    pub(super) revealed: Mutex<Vec<String>>,
    told: Mutex<BTreeSet<String>>,
}

/// A task that the run started.
#[derive(Clone)]
pub(super) struct StartedTask {
    pub(super) task: Task,
    /// The branch of the script that started it.
    pub(super) branch: String,
}

impl Host {
    /// Tells a note that would be the same each time only once, e.g. what `latest` is in a loop over tenants.
    pub fn note_once(&self, text: String) {
        self.tell_once(Level::Info, text);
    }

    /// Tells a warning, once in a run.
    pub fn warn_once(&self, text: String) {
        self.tell_once(Level::Warning, text);
    }

    fn tell_once(&self, level: Level, text: String) {
        if self.ledger.told.lock().insert(text.clone()) {
            self.note(level, text);
        }
    }

    /// Tells and remembers a task that this run started, or took over from an earlier attempt of its step.
    pub fn started(&self, task: &Task, how: &str) {
        let comments = task.deployment.as_ref().map(|d| &d.comments).or(task.runbook_run.as_ref().map(|run| &run.comments));
        let is_ours = comments.and_then(|comments| api::create_once::mark_in(comments)).is_none_or(|mark| mark == self.run_id);
        let how = if is_ours { how } else { "adopted" };
        self.ledger.started.lock().push(StartedTask { task: task.clone(), branch: self.frame.branch.clone() });
        self.emit(What::TaskStarted { subject: task.subject.clone(), how: how.to_owned() });
    }

    /// Tasks this run started that are not complete, as far as is known.
    pub fn open_tasks(&self) -> Vec<Task> {
        self.ledger.started.lock().iter().map(|started| &started.task).filter(|t| !t.last().is_completed()).cloned().collect()
    }
}
