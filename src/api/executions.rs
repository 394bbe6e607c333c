//! Executions: what deployments and runbook runs have in common when they are created.

use super::address::Route;
use super::create_once::{Creation, DOUBT_PATIENCE, LIFE, Sending};
use super::decode::{Document, FromJson};
use super::id::{EnvironmentId, TenantId};
use super::spaces::SpaceClient;
use crate::error::Result;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// A deployment or a runbook run to be created; `S` says of what (octopus-api.md §15, §17).
#[derive(Clone, Debug, Default)]
pub struct NewExecution<S> {
    /// What is deployed or run, with the settings that only this kind of execution has.
    pub subject: S,
    /// The environment.
    pub environment: EnvironmentId,
    /// The tenant.
    pub tenant: Option<TenantId>,
    /// A comment for people; the marker is put after it.
    pub comments: String,
    /// Whether failures wait for guidance; the server's own rule when absent.
    pub use_guided_failure: Option<bool>,
    /// Whether packages are fetched again.
    pub force_package_download: bool,
    /// Ids of actions to leave out.
    pub skip_actions: Vec<String>,
    /// Only these machines; empty is all.
    pub specific_machines: Vec<String>,
    /// Not these machines.
    pub excluded_machines: Vec<String>,
    /// Only deployment targets with one of these tags, by their ids; empty is all.
    pub specific_target_tags: Vec<String>,
    /// Not deployment targets with one of these tags, by their ids.
    pub excluded_target_tags: Vec<String>,
    /// Values for prompted variables, by the GUID of the form's element (octopus-api.md §14).
    pub form_values: BTreeMap<String, String>,
    /// When to start; at once when absent.
    pub queue_time: Option<Timestamp>,
    /// By when it must have started; [`queue_expiry`](Self::queue_expiry) from now (or from the queue time) when absent.
    pub queue_time_expiry: Option<Timestamp>,
    /// How long it may wait for its start: 6 hours.
    pub queue_expiry: SignedDuration,
    /// `LifecycleDefault`, `On`, `Off`; the server's own rule when absent.
    pub priority: Option<String>,
    /// How long we look for it when the answer is lost, before we give up in doubt: 10 minutes.
    pub doubt_patience: SignedDuration,
}

/// What an execution is of.
pub trait Subject: Default + Sync {
    /// The document that the server makes.
    type Made: Document;
    /// The collection of such documents: `deployments`.
    const COLLECTION: &'static str;

    /// Whether a later execution undoes what an earlier one did in the same place.
    const REPLACES: bool;

    /// Where a new one is posted.
    fn route(&self, space: &SpaceClient) -> Route {
        space.route(Self::COLLECTION)
    }

    /// The members of the body that only such executions have, in the places where they stand among the others: at the beginning, behind
    /// `ForcePackageDownload`, at the end.
    fn members(&self) -> [Value; 3];

    /// The filter that leaves of the collection what has the same subject: the name of a query parameter, and an id.
    fn filter(&self) -> (&'static str, &str);

    /// What is sent instead of the body alone.
    fn wrapped(&self, body: Value) -> Value {
        body
    }

    /// The member of the answer that holds the document, or a list of which it is the first, when that is not the whole answer.
    fn member(&self) -> Option<&'static str> {
        None
    }
}

/// `members` without those that are null or an empty list.
pub(super) fn given(mut members: Value) -> Value {
    if let Some(members) = members.as_object_mut() {
        members.retain(|_, value| !value.is_null() && value.as_array().is_none_or(|list| !list.is_empty()));
    }
    members
}

impl<S: Subject> NewExecution<S> {
    pub(super) fn of(subject: S, environment: &EnvironmentId) -> Self {
        Self { subject, environment: environment.clone(), queue_expiry: LIFE, doubt_patience: DOUBT_PATIENCE, ..Self::default() }
    }

    fn body(&self) -> Value {
        let tenant = self.tenant.as_ref().map(TenantId::as_str);
        let [ids, packages, last] = self.subject.members();
        let parts = [
            ids,
            json!({"EnvironmentId": self.environment.as_str(), "TenantId": tenant, "ForcePackageDownload": self.force_package_download}),
            packages,
            json!({
                "SkipActions": self.skip_actions,
                "SpecificMachineIds": self.specific_machines,
                "ExcludedMachineIds": self.excluded_machines,
                "FormValues": self.form_values,
            }),
            given(json!({"SpecificTargetTagIds": self.specific_target_tags, "ExcludedTargetTagIds": self.excluded_target_tags})),
            given(json!({"UseGuidedFailure": self.use_guided_failure, "Priority": self.priority})),
            last,
        ];
        parts.iter().filter_map(Value::as_object).flatten().map(|(name, value)| (name.clone(), value.clone())).collect::<Map<_, _>>().into()
    }
}

impl SpaceClient {
    /// Creates exactly one deployment or runbook run, or none and says why; [`super::create_once`] describes the protocol and its limits.
    ///
    /// `marker` (`octorhai:RUN:STEP:KEY`) must be used for this execution only. It is appended to the comment in square
    /// brackets and is how the execution is found when the server's answer is lost. `sending` remembers what is sent, `&()` does not.
    ///
    /// # Errors
    /// `refused` and other answers of the server; `in_doubt` with facts `marker` and `expires`.
    pub async fn create<S: Subject>(&self, new: &NewExecution<S>, marker: &str, sending: &(dyn Sending + Sync)) -> Result<S::Made> {
        let (name, id) = new.subject.filter();
        let creation = Creation {
            noun: S::Made::NOUN,
            replaces: S::REPLACES,
            reads: &|json| S::Made::read(json).map(drop),
            post: new.subject.route(self),
            body: new.body(),
            wrap: &|body| new.subject.wrapped(body),
            unwrap: new.subject.member(),
            list: self.route(S::COLLECTION).with(name, id).with("environments", &new.environment).maybe("tenants", new.tenant.as_ref()),
            comments: &new.comments,
            marker,
            queue_time: new.queue_time,
            expires: new.queue_time_expiry,
            life: new.queue_expiry,
            doubt_patience: new.doubt_patience,
            sending,
        };
        let made = self.create_once(&creation).await?;
        self.client().decode(made.raw, &creation.post)
    }
}
