//! What stands in a register about a lock: its generation, who holds it, and who broke it.

use crate::{
    error::{Error, Kind, Result},
    platform::process::{ProcessIdentity, ProcessState},
};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The format of records; a higher one is refused.
pub const FORMAT: u32 = 1;

/// One holder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Owner {
    /// The server task in which the holder runs: while it is not complete, the holder lives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// The name of the run.
    pub run: String,
    /// What stands in the comments of the deployments that the run makes.
    #[serde(default)]
    pub mark: String,
    /// Random, new for each take: the identity. The same task may run twice, so the task is none (durable-runs.md §1).
    pub nonce: String,
    /// Random, new for each process.
    pub process: String,
    /// The branch of the script that took it; empty outside of `parallel`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub branch: String,
    /// The machine, for people.
    pub host: String,
    /// The process id on it, for people.
    pub pid: u32,
    /// Tells other processes of the same machine at once that it has ended; absent where that cannot be told, and in what
    /// version 0.1.0 wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<ProcessIdentity>,
    /// The generation in which it took the lock: its fencing token.
    pub generation: u64,
    /// The key all its changes are sent with (`Users-1/apikeys-...`, never the key itself), when it has one of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Until when it counts as there without another sign of life, on the register's clock.
    pub until: Timestamp,
    /// When it took the lock, on the register's clock.
    pub since: Timestamp,
    /// Counts its signs of life.
    #[serde(default)]
    pub beat: u64,
    /// After how many milliseconds without a sign of life it counts as gone, when no server task vouches for it.
    pub lease: i64,
    /// Where a person looks at it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

impl Owner {
    /// After how long without a sign of life it counts as gone.
    pub fn lease(&self) -> SignedDuration {
        SignedDuration::from_millis(self.lease.clamp(1, 30 * 24 * 3_600_000))
    }

    /// Whether its process ran on this machine and has ended, for sure.
    pub fn has_ended(&self) -> bool {
        self.identity.as_ref().is_some_and(|identity| identity.state() == ProcessState::Ended)
    }

    /// E.g. `run 4f2c (ServerTasks-12) on build-1, process 4711`.
    pub fn shown(&self) -> String {
        shown(&self.run, self.task.as_deref(), &self.host, self.pid)
    }
}

/// A process that holds a lock or waits for one, for people.
pub(super) fn shown(run: &str, task: Option<&str>, host: &str, pid: u32) -> String {
    let task = task.map(|task| format!(" ({task})")).unwrap_or_default();
    // Without a number it is a process that nobody has to find.
    let process = if pid == 0 { String::new() } else { format!(", process {pid}") };
    format!("run `{run}`{task} on {host}{process}")
}

/// Who took a lock away by hand, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Broken {
    /// Who, e.g. `ann@build-1`.
    pub by: String,
    /// Reason that was given, which the next holder reads.
    pub reason: String,
    /// When it was taken away, on the register's clock.
    pub at: Timestamp,
    /// Whom it was taken from.
    pub from: Vec<String>,
}

/// What stands in the register.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The format.
    pub v: u32,
    /// Counts the takes; never goes back.
    #[serde(rename = "gen")]
    pub generation: u64,
    /// `held` or `free`, for people who read the variable.
    pub state: String,
    /// How many may hold it at once.
    pub slots: u32,
    /// Who does.
    #[serde(default)]
    pub owners: Vec<Owner>,
    /// The last time it was broken by hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broken: Option<Broken>,
}

impl Default for Record {
    fn default() -> Self {
        Self { v: FORMAT, generation: 0, state: "free".to_owned(), slots: 1, owners: Vec::new(), broken: None }
    }
}

impl Record {
    /// Reads a record; none was written yet when there is no value.
    pub fn read(name: &str, value: Option<&Value>) -> Result<Self> {
        let Some(value) = value else { return Ok(Self::default()) };
        let unreadable = |why: String| {
            Error::new(Kind::Store, format!("the record of lock `{name}` cannot be read: {why}"))
                .help("somebody may have edited it by hand; when nobody uses the lock, delete it")
        };
        let format = value.get("v").and_then(Value::as_u64).unwrap_or(0);
        if format > u64::from(FORMAT) {
            return Err(Error::usage(format!("lock `{name}` was written by a newer version of octorhai (format {format})"))
                .help("use the same version everywhere"));
        }
        serde_json::from_value(value.clone()).map_err(|problem| unreadable(problem.to_string()))
    }

    /// As it is written.
    pub fn to_value(&self) -> Value {
        let state = if self.owners.is_empty() { "free" } else { "held" };
        serde_json::to_value(Self { state: state.to_owned(), ..self.clone() }).unwrap_or_default()
    }

    /// The holder with this nonce.
    pub fn owner(&self, nonce: &str) -> Option<&Owner> {
        self.owners.iter().find(|owner| owner.nonce == nonce)
    }

    /// The same without some holders.
    #[must_use]
    pub fn without(mut self, nonces: &[&str]) -> Self {
        self.owners.retain(|owner| !nonces.contains(&owner.nonce.as_str()));
        self
    }
}
