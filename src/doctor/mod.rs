//! Measures on a server what locks and repeated runs rely on, and remembers it for them.
//!
//! A server does not say whether its version check is atomic, whether it keeps to the moment by which a deployment must
//! have started, or how soon a revoked key stops working. [`examine`] tries it; [`advice`] says what follows, and something
//! safe where nobody has tried.

mod deployments;
mod keys;
mod looks;
mod memory;
mod variables;

pub use memory::{Advice, Basis, CreateMode, advice, remember};

use crate::{
    api::{Client, SpaceClient, User},
    cancel::Cancel,
    error::{Kind, Result},
};
use jiff::SignedDuration;
use serde_json::{Value, json};

/// How good the server is in one respect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// Usable, with more waiting or a weaker promise.
    Weaker,
    /// Could not be measured, or is not there.
    NotPossible,
}

impl Verdict {
    /// In words.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Weaker => "weaker",
            Self::NotPossible => "not possible",
        }
    }
}

/// What one check found.
#[derive(Clone, Debug)]
pub struct Finding {
    /// Its name: `cas`, `expiry`, `fence`, `clock`, `key`, `permissions`, `queue`.
    pub check: &'static str,
    /// The verdict.
    pub verdict: Verdict,
    /// What it means and what to do.
    pub text: String,
    /// What was measured.
    pub facts: Value,
}

impl Finding {
    fn new(check: &'static str, verdict: Verdict, text: impl Into<String>, facts: Value) -> Self {
        Self { check, verdict, text: text.into(), facts }
    }
}

/// What is to be examined.
pub struct Patient<'a> {
    /// The server and the space.
    pub space: SpaceClient,
    /// A client that logs in on the same server with another API key.
    pub login: &'a (dyn Fn(&str) -> Result<Client> + Sync),
    /// A project and an environment that may be deployed to.
    pub place: Option<(String, String)>,
    /// How often simultaneous writers are tried.
    pub rounds: u32,
}

/// What was found on a server.
pub struct Report {
    /// Its address.
    pub server: String,
    /// The findings, in the order of the checks.
    pub findings: Vec<Finding>,
    /// What follows.
    pub advice: Advice,
}

impl Report {
    /// As JSON, for programs and for the next run.
    pub fn json(&self) -> Value {
        let findings: Vec<Value> = self
            .findings
            .iter()
            .map(|f| json!({"check": f.check, "verdict": f.verdict.word(), "text": f.text, "facts": f.facts}))
            .collect();
        json!({"server": self.server, "advice": self.advice.json(), "findings": findings})
    }
}

/// Where a check puts what the advice is made of.
#[derive(Default)]
struct Measured {
    atomic: Option<bool>,
    slowest_write: SignedDuration,
    revoked_after: Option<SignedDuration>,
    honours_deadline: bool,
}

/// Tries everything. What is made on the way is removed, also when a check fails or somebody cancels.
///
/// A check that the account may not make is a finding, no error; errors are those of a server that cannot be talked to.
pub async fn examine(patient: &Patient<'_>) -> Result<Report> {
    let client = patient.space.client();
    let me = client.me().await?;
    let mut measured = Measured::default();
    let mut findings =
        vec![looks::clock(client), keys::expiry(client, &me).await?, looks::permissions(patient, &me).await?, looks::queue(patient).await?];
    let name = format!("octorhai-doctor-{}", &uuid::Uuid::new_v4().simple().to_string()[..12]);
    let tried = tries(patient, &me, &name, &mut measured, &mut findings).await;
    // Also after Ctrl-C: the cleaning must not be stopped by what stopped the checks.
    let awake = patient.space.with_cancel(Cancel::new());
    let swept = sweep(&awake, &me, &name).await;
    tried?;
    swept?;
    let advice = Advice::from(&measured, client.server_now());
    Ok(Report { server: client.address(), findings, advice })
}

/// The checks that make something on the server.
async fn tries(patient: &Patient<'_>, me: &User, name: &str, measured: &mut Measured, findings: &mut Vec<Finding>) -> Result<()> {
    findings.push(allowed("cas", variables::cas(patient, name, measured).await)?);
    findings.push(allowed("fence", keys::fence(patient, me, name, measured).await)?);
    findings.push(match &patient.place {
        Some((project, environment)) => allowed("expiry", deployments::expiry(patient, project, environment, name, measured).await)?,
        None => Finding::new(
            "expiry",
            Verdict::NotPossible,
            "not measured without --project and --env; a create in doubt stops the run and asks a person",
            Value::Null,
        ),
    });
    Ok(())
}

/// What an account may not do is a finding.
fn allowed(check: &'static str, result: Result<Finding>) -> Result<Finding> {
    match result {
        Err(error) if matches!(error.kind(), Kind::Forbidden | Kind::Refused | Kind::Conflict | Kind::NotFound | Kind::BadAnswer) => {
            let text = format!("{}; the safe default holds", error.message());
            Ok(Finding::new(check, Verdict::NotPossible, text, Value::Null))
        }
        other => other,
    }
}

/// Removes everything that carries the name, whether or not its making was answered.
async fn sweep(space: &SpaceClient, me: &User, name: &str) -> Result<()> {
    let variables = variables::sweep(space, name).await;
    let keys = keys::sweep(space.client(), me, name).await;
    deployments::sweep(space, name).await?;
    variables.and(keys)
}

/// A list that the account may not read holds nothing of ours.
fn readable<T>(list: Result<Vec<T>>) -> Result<Vec<T>> {
    match list {
        Err(error) if matches!(error.kind(), Kind::Forbidden | Kind::NotFound) => Ok(Vec::new()),
        other => other,
    }
}
