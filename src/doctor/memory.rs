//! What was measured, kept in a file for the runs that follow.

use super::{Measured, Report};
use crate::error::{Error, Result};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};
use std::{fs, path::Path};

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

/// What locks and creations should go by on a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Advice {
    /// How long a take of a lock settles before it is believed.
    pub settle: SignedDuration,
    /// How long a revoked key is waited for.
    pub drain: SignedDuration,
    /// What happens in doubt.
    pub create_mode: CreateMode,
    /// When it was measured, in the server's time; none when it never was.
    pub measured_at: Option<Timestamp>,
}

/// What is safe on any server that we know of.
const CAUTIOUS: Advice = Advice {
    settle: SignedDuration::from_secs(2),
    drain: SignedDuration::from_secs(120),
    create_mode: CreateMode::Stop,
    measured_at: None,
};

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
            measured_at: Some(now),
        }
    }

    /// As JSON.
    pub fn json(&self) -> Value {
        json!({
            "settle_ms": self.settle.as_millis() as i64, "drain_ms": self.drain.as_millis() as i64,
            "create_mode": self.create_mode.word(), "measured_at": self.measured_at.map(|at| at.to_string()),
        })
    }

    fn read(value: &Value) -> Option<Self> {
        let span = |name: &str| value[name].as_i64().filter(|ms| *ms >= 0).map(SignedDuration::from_millis);
        Some(Self {
            settle: span("settle_ms")?,
            drain: span("drain_ms")?,
            create_mode: if value["create_mode"] == CreateMode::Expiry.word() { CreateMode::Expiry } else { CreateMode::Stop },
            measured_at: Some(value["measured_at"].as_str()?.parse().ok()?),
        })
    }
}

/// What was measured on `server`, from the file that [`remember`] wrote. Nothing there, or nothing that can be read: what is
/// safe anywhere.
pub fn advice(file: &Path, server: &str) -> Advice {
    let kept = fs::read(file).ok().and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
    kept.and_then(|kept| Advice::read(&kept[server]["advice"])).unwrap_or(CAUTIOUS)
}

/// Keeps a report beside those of other servers.
pub fn remember(file: &Path, report: &Report) -> Result<()> {
    let cannot = |why: std::io::Error| {
        Error::usage(format!("what was measured cannot be kept in `{}`: {why}", file.display()))
            .help("make the folder writable for this user, or choose another with OCTORHAI_STATE")
    };
    let mut all: Map<String, Value> = fs::read(file).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
    all.insert(report.server.clone(), report.json());
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).map_err(cannot)?;
    }
    // Written beside and moved, so that a run never reads half of it.
    let beside = file.with_extension(format!("{}.new", std::process::id()));
    fs::write(&beside, format!("{:#}\n", Value::Object(all))).map_err(cannot)?;
    fs::rename(&beside, file).map_err(cannot)
}
