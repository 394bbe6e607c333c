//! What a store keeps.

use crate::{
    clock::text,
    error::Error,
    json::JsonText,
    platform::process::{ProcessIdentity, ProcessState},
};
use hmac::{Hmac, KeyInit, Mac as _};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::Sha256;

/// How long after its last beat a holder on another machine counts as gone.
pub const LEASE: SignedDuration = SignedDuration::from_secs(60);

/// The process that works on a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Random, new for each process: the identity. The rest is for people.
    pub nonce: String,
    /// The machine.
    pub host: String,
    /// The process id on it.
    pub pid: u32,
    /// What it goes by on the server (see the module `doctor`), for reports; null when that is not known.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub mode: Value,
    /// Tells other processes of the same machine at once that it has ended; absent where that cannot be told, and in what
    /// version 0.1.0 wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<ProcessIdentity>,
}

impl Holder {
    /// Whether it ran on this machine and has ended, for sure.
    pub fn has_ended(&self) -> bool {
        self.identity.as_ref().is_some_and(|identity| identity.state() == ProcessState::Ended)
    }

    /// For people: `process 4711 on build-1`.
    pub fn shown(&self) -> String {
        format!("process {} on {}", self.pid, self.host)
    }
}

/// For which server and which user a run was begun. Whoever continues it must be the same, or say that it is meant otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BegunFor {
    /// The server's address in its normal form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// Tells whether a user is the one it was begun by, and nothing else: see [`fingerprint`]. Absent until the server has told who it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
}

/// The fingerprint of the user `id` on the server at `address`, for the run with the mark `mark`.
///
/// It is the same after the user's key was changed. Its key is `secret`, which every user of the server can ask it for and no record
/// holds: from the record alone nobody can try which of the few possible ids fits. Two runs of a user have different ones.
pub fn fingerprint(secret: &str, mark: &str, address: &str, id: &str) -> String {
    let mut hmac = <Hmac<Sha256> as KeyInit>::new_from_slice(secret.as_bytes()).expect("a key of any length will do");
    for part in ["octorhai user", mark, address, id] {
        hmac.update(&(part.len() as u64).to_be_bytes());
        hmac.update(part.as_bytes());
    }
    hex::encode(&hmac.finalize().into_bytes()[..16])
}

/// A run that begins.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NewRun {
    /// Its name: `--run-id`, or one made up.
    pub name: String,
    /// Stands in the markers of what the run creates on the server: other than every other run's.
    pub mark: String,
    /// The script as the user wrote its path.
    pub script: String,
    /// The texts of the script and of all modules it imports from its folder, by name, the script's first.
    pub sources: Vec<(String, String)>,
    /// The parameters; in place of a secret its digest with the run's mark, so that a change is seen and the value is not.
    pub params: Value,
    /// Server, space, environment, ... : whatever else decides what the script does.
    pub target: Value,
    /// How it was begun: what `octorhai runs resume` needs beside that to begin it again (its folder, options without secrets).
    /// Not compared.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub options: Value,
    /// For whom. Not compared as the rest is: the user is known only when the server was asked. Empty in what version 0.1.0 wrote.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub begun_for: BegunFor,
    /// The version of octorhai.
    pub engine: String,
    /// When it began.
    pub created: Timestamp,
}

impl NewRun {
    /// The address of the server; none where the record names none.
    pub fn server(&self) -> Option<&str> {
        self.begun_for.server.as_deref().or_else(|| self.target.get("server")?.as_str())
    }
}

fn is_empty(begun_for: &BegunFor) -> bool {
    *begun_for == BegunFor::default()
}

/// How a run stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum RunState {
    /// A process works on it, or did until it died.
    Running,
    /// It ended so that it can be continued: `exit_code` and `reason` say why (in doubt, diverged, server unreachable).
    Stopped {
        /// Of the process.
        exit_code: u8,
        /// In words.
        reason: String,
    },
    /// It was put down on purpose and goes on when `due` has come.
    Suspended {
        /// When the run may go on.
        due: Timestamp,
        /// What it waits for.
        reason: String,
    },
    /// It ended well.
    Succeeded {
        /// What the script returned.
        result: Value,
    },
    /// It ended with an error of the script, of a deployment, of a wait.
    Failed {
        /// Of the process.
        exit_code: u8,
        /// The error's message.
        reason: String,
    },
    /// Somebody cancelled it.
    Cancelled {
        /// Who or what cancelled it, as a sentence for people.
        reason: String,
    },
}

impl RunState {
    /// Whether it can be continued.
    pub fn is_unfinished(&self) -> bool {
        matches!(self, Self::Running | Self::Stopped { .. } | Self::Suspended { .. })
    }

    /// Octopus's kind of word for it, e.g. `Succeeded`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Running => "Running",
            Self::Stopped { .. } => "Stopped",
            Self::Suspended { .. } => "Suspended",
            Self::Succeeded { .. } => "Succeeded",
            Self::Failed { .. } => "Failed",
            Self::Cancelled { .. } => "Cancelled",
        }
    }
}

/// A run as it stands in the store.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// What it was begun with.
    pub new: NewRun,
    /// How it stands.
    pub state: RunState,
    /// Who works on it; the last one that did, when nobody does.
    pub holder: Option<Holder>,
    /// Whether the holder is known to be there: it works on the run, or leaves it after it was cancelled.
    pub alive: bool,
    /// After how long the holder counts as gone unless it gives a sign of life before; none when the store knows at once.
    pub gone_in: Option<SignedDuration>,
    /// Whether somebody asked it to end, and no process has done so: octorhai 0.1.0 left it to the holder, who may be dead since.
    pub asked_to_end: bool,
    /// When something was last written.
    pub updated: Timestamp,
    /// How often it was taken up: 1 for a run that was never continued.
    pub attempts: u32,
    /// How many steps it has.
    pub steps: usize,
}

impl Run {
    /// For people: who works on it, and when that is known to be over if the process died on another machine.
    pub fn worked_on(&self) -> String {
        let who = self.holder.as_ref().map_or_else(String::new, |holder| format!(" by {}", holder.shown()));
        let left = self.gone_in.map(|left| SignedDuration::from_secs(left.as_secs() + 1));
        let until = left.map_or_else(String::new, |left| format!("; known to be dead in {} unless it says something", text::show(left)));
        format!("run `{}` is being worked on{who}{until}", self.new.name)
    }
}

/// How a step stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepState {
    /// It was about to happen; whether it did is not known.
    Intent,
    /// It has an outcome.
    Done,
    /// Its outcome is an error.
    Failed,
}

/// One step of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Branch and number in it: `3`, `2.1.4`.
    pub path: String,
    /// What: `deploy`, `wait`, `dashboard`, ...
    pub kind: String,
    /// With what: compared when the script runs again.
    pub arguments: Value,
    /// How it stands.
    pub state: StepState,
    /// What an effect was about to send, and until when it could take effect; when a wait began. Null for a plain read.
    pub intent: Value,
    /// What came of it: a value, or an error. Null before that.
    pub outcome: JsonText,
    /// When it began, on the run's clock.
    pub began: Timestamp,
    /// When it had its outcome.
    pub ended: Option<Timestamp>,
}

impl Step {
    /// The error that it failed with. One that ends a run did not end that one when the record goes on after it: octorhai 0.1.0 let
    /// scripts catch such errors, and a script that did must do so again.
    pub fn failure(&self) -> Error {
        Error::from_record(&self.outcome.tree()).overcome()
    }
}

/// A small named value that is changed by compare-and-swap.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    /// Name, e.g. `lock/deployments`.
    pub name: String,
    /// Counts the writes, from 1.
    pub version: u64,
    /// Its value.
    pub value: Value,
}
