//! What is to happen, and when.

use super::change_requests::ChangeStep;
use jiff::Timestamp;
use std::collections::BTreeMap;

/// Something on the agenda. Tasks and interruptions are named by their place in the list.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Due {
    /// A queued task may be looked at.
    Look,
    StepEnds {
        task: usize,
        step: usize,
        generation: u32,
    },
    CancelEnds {
        task: usize,
    },
    Expires {
        task: usize,
    },
    /// Somebody in the world answers.
    Answers {
        interruption: usize,
    },
    /// The environment of a deployment is provisioned.
    Provision {
        execution: usize,
    },
    /// An ephemeral environment, by its number, may have been idle for too long.
    Idle {
        environment: usize,
    },
    /// Something happens to a change request.
    Change(ChangeStep),
    /// Something that comes by a schedule.
    Trigger,
    /// The server restarts and fails what runs.
    Restart,
}

/// All that is to happen; of two things at the same moment first what was added first.
#[derive(Default)]
pub(crate) struct Agenda {
    entries: BTreeMap<(Timestamp, u64), Due>,
    added: u64,
}

impl Agenda {
    pub(crate) fn add(&mut self, when: Timestamp, due: Due) {
        self.added += 1;
        self.entries.insert((when, self.added), due);
    }

    pub(crate) fn first_due(&self) -> Option<Timestamp> {
        self.entries.keys().next().map(|(at, _)| *at)
    }

    /// Takes the first entry that is due by then, with its moment.
    pub(crate) fn next_by(&mut self, then: Timestamp) -> Option<(Timestamp, Due)> {
        let first = self.entries.first_entry().filter(|entry| entry.key().0 <= then)?;
        Some((first.key().0, first.remove()))
    }
}
