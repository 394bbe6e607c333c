//! What was measured, kept in a file for the runs that follow.

use super::{Measured, Report};
use crate::{
    api,
    clock::text::show,
    error::{Error, Result},
    lock::{DRAIN, Rules, octopus::SETTLE},
    platform::files,
};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};
use std::{fmt, fs, path::Path};

/// What was measured is not longer.
const LARGEST: u64 = 16 << 20;

/// How a deployment is created when an answer is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CreateMode {
    /// It is tried again when the earlier attempt can no longer start.
    Expiry,
    /// The run stops and asks a person.
    Stop,
}

impl CreateMode {
    /// As it is written.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Expiry => "expiry",
            Self::Stop => "stop",
        }
    }
}

/// How it is known what a server keeps to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// Nobody has measured: what is safe on any server that we know of.
    Assumed,
    /// It was measured, at this moment of the server's time.
    Measured(Timestamp),
    /// The server is simulated in this process, and its world says it.
    World,
}

/// What locks and creations go by on a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Advice {
    /// How long a take of a lock settles before it is believed.
    pub settle: SignedDuration,
    /// How long a revoked key is waited for.
    pub drain: SignedDuration,
    /// What happens in doubt.
    pub create_mode: CreateMode,
    /// How this is known.
    pub basis: Basis,
}

impl Default for Advice {
    /// What is safe on any server that we know of.
    fn default() -> Self {
        CAUTIOUS
    }
}

const CAUTIOUS: Advice = Advice { settle: SETTLE, drain: DRAIN, create_mode: CreateMode::Stop, basis: Basis::Assumed };

/// A server that is busier than now is slower by this.
const BUSIER: i32 = 10;

/// A drain is not shorter, however fast the server was.
const SHORTEST_DRAIN: SignedDuration = SignedDuration::from_secs(30);

impl Advice {
    pub(super) fn from(measured: &Measured, now: Timestamp) -> Self {
        let slow = measured.slowest_write.saturating_mul(BUSIER);
        Self {
            settle: if measured.atomic == Some(true) { SignedDuration::ZERO } else { CAUTIOUS.settle.max(slow) },
            drain: measured.revoked_after.map_or(CAUTIOUS.drain, |after| SHORTEST_DRAIN.max(slow).saturating_add(after)),
            create_mode: if measured.honours_deadline { CreateMode::Expiry } else { CreateMode::Stop },
            basis: Basis::Measured(now),
        }
    }

    /// What a measurement would show on a simulated server, without making one.
    pub fn simulated(atomic: bool, key_cache: SignedDuration, honours_deadline: bool) -> Self {
        let measured = Measured { atomic: Some(atomic), revoked_after: Some(key_cache), honours_deadline, ..Measured::default() };
        Self { basis: Basis::World, ..Self::from(&measured, Timestamp::UNIX_EPOCH) }
    }

    /// Whether nothing starts after its `QueueTimeExpiry`, so that a create in doubt can be sent anew.
    pub fn keeps_deadlines(&self) -> bool {
        self.create_mode == CreateMode::Expiry
    }

    /// How careful a take-over of a lock is.
    pub fn rules(&self) -> Rules {
        Rules { drain: self.drain, ..Rules::default() }
    }

    /// As JSON.
    pub fn json(&self) -> Value {
        let (basis, at) = match self.basis {
            Basis::Assumed => ("assumed", None),
            Basis::Measured(at) => ("measured", Some(at)),
            Basis::World => ("world", None),
        };
        let mut json = json!({
            "settle_ms": self.settle.as_millis() as i64, "drain_ms": self.drain.as_millis() as i64,
            "create_mode": self.create_mode.word(), "basis": basis,
        });
        if let Some(at) = at {
            json["measured_at"] = json!(at.to_string());
        }
        json
    }

    /// From what [`Advice::json`] made.
    pub fn read(value: &Value) -> Option<Self> {
        let span = |name: &str| value[name].as_i64().filter(|ms| *ms >= 0).map(SignedDuration::from_millis);
        Some(Self {
            settle: span("settle_ms")?,
            drain: span("drain_ms")?,
            create_mode: if value["create_mode"] == CreateMode::Expiry.word() { CreateMode::Expiry } else { CreateMode::Stop },
            basis: match (value["basis"].as_str()?, value["measured_at"].as_str()) {
                ("measured", Some(at)) => Basis::Measured(at.parse().ok()?),
                ("world", _) => Basis::World,
                _ => Basis::Assumed,
            },
        })
    }
}

impl fmt::Display for Advice {
    /// In one line, for the report of a run.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let create = match self.create_mode {
            CreateMode::Expiry => "a create in doubt is sent again once it has expired",
            CreateMode::Stop => "a create in doubt stops the run",
        };
        write!(f, "{create}, locks settle {} and drain {} ", show(self.settle), show(self.drain))?;
        match self.basis {
            Basis::Assumed => f.write_str("(assumed: not measured by octorhai doctor)"),
            Basis::Measured(at) => write!(f, "(measured {})", at.strftime("%Y-%m-%d")),
            Basis::World => f.write_str("(as the world says)"),
        }
    }
}

/// What was measured on the server at `address`, from the file that [`remember`] wrote. No file, nothing in it, or nothing
/// that can be read: what is safe anywhere.
pub fn advice(file: Option<&Path>, address: &str) -> Advice {
    let kept = file.and_then(|file| files::read(file, LARGEST).ok()).and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
    let address = api::base_address(address).unwrap_or_else(|_| address.to_owned());
    kept.and_then(|kept| Advice::read(&kept[&address]["advice"])).unwrap_or(CAUTIOUS)
}

/// Keeps a report beside those of other servers.
pub fn remember(file: &Path, report: &Report) -> Result<()> {
    let cannot = |why: std::io::Error| {
        Error::usage(format!("what was measured cannot be kept in `{}`: {why}", file.display()))
            .help("make the folder writable for this user, or choose another with OCTORHAI_STATE")
    };
    let mut all: Map<String, Value> =
        files::read(file, LARGEST).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
    all.insert(report.server.clone(), report.json());
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).map_err(cannot)?;
    }
    // Written beside and moved, so that a run never reads half of it.
    let beside = file.with_extension(format!("{}.new", std::process::id()));
    fs::write(&beside, format!("{:#}\n", Value::Object(all))).map_err(cannot)?;
    fs::rename(&beside, file).map_err(cannot)
}
