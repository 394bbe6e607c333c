//! What a world file may say of subscriptions: which events are posted where, and what goes wrong on the way.

use super::values::{Ref, Span};
use jiff::SignedDuration;
use serde::Deserialize;

fn ten_seconds() -> Span {
    Span(SignedDuration::from_secs(10))
}

plans! {
    /// A subscription that posts events to an address.
    struct SubscriptionPlan {
        name: Ref,
        url: Ref,
        /// How long a receiver may take, in the time of the machine.
        #[serde(default = "ten_seconds")]
        timeout: Span;
        space: Option<Ref>,
        header: Option<HeaderPlan>,
        categories: Vec<Ref>,
        groups: Vec<Ref>,
        projects: Vec<Ref>,
        environments: Vec<Ref>,
        tenants: Vec<Ref>,
        users: Vec<Ref>,
        disabled: bool,
        faults: Vec<HookFaultPlan>,
    }

    struct HeaderPlan {
        name: String,
        value: String;
    }

    /// What goes wrong with events of a subscription.
    struct HookFaultPlan {
        action: HookFault;
        /// The n-th event that it finds (from 1).
        nth: Option<u64>,
        /// How many events from there.
        times: Option<u64>,
    }
}

/// What becomes of an event on its way.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum HookFault {
    /// Its request fails, which also ends the batch.
    Drop,
    /// It comes twice.
    Twice,
    /// It comes behind the batch after its own.
    Late,
}

impl HookFaultPlan {
    /// Whether the n-th event is meant: all events where nothing is said.
    pub(crate) fn fires(&self, n: u64) -> bool {
        let first = self.nth.unwrap_or(1);
        let times = self.times.unwrap_or(if self.nth.is_some() { 1 } else { u64::MAX });
        n >= first && n - first < times
    }
}
