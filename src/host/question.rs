//! What a wait asks its script: an interruption or an approval that the script is to decide on.

use super::prelude::*;
use super::{approval::Approval, interruption::Interruption, space::Space};

/// Something that a task waits for and people decide on.
#[derive(Clone)]
pub enum Question {
    /// A manual intervention, or guidance after a failure.
    Interruption(Interruption),
    /// A change request, and in words what is waited for.
    Approval(Approval, String),
}

impl Question {
    /// Its id.
    pub fn id(&self) -> String {
        match self {
            Self::Interruption(one) => one.id().to_string(),
            Self::Approval(one, _) => one.document().id.to_string(),
        }
    }

    /// Where a person decides.
    pub fn url(&self) -> String {
        match self {
            Self::Interruption(one) => one.url(),
            Self::Approval(one, _) => one.url(),
        }
    }

    /// The error of a task that is not to wait for it.
    pub fn failure(&self, title: &str, task: &api::TaskId) -> Error {
        let (text, fact) = match self {
            Self::Interruption(one) => (format!("{title} waits for a person: {}", one.who_may_answer()), "interruption"),
            Self::Approval(_, why) => (format!("{title} {why}"), "approval"),
        };
        Error::new(Kind::Failed, text).with("task", task.to_string()).with("url", self.url()).with(fact, self.id())
    }

    /// As a script gets it.
    pub fn into_dynamic(self) -> Dynamic {
        match self {
            Self::Interruption(one) => Dynamic::from(one),
            Self::Approval(one, _) => Dynamic::from(one),
        }
    }

    /// As JSON, for [`Question::from_record`].
    pub fn to_record(&self, task: &api::TaskId) -> Value {
        match self {
            Self::Interruption(one) => json!({"task": task.to_string(), "interruption": one.to_record()}),
            Self::Approval(one, why) => json!({"task": task.to_string(), "approval": one.to_record(), "why": why}),
        }
    }

    /// The same one again.
    pub fn from_record(place: Space, record: &Value) -> HostResult<Self> {
        match record.get("approval") {
            Some(approval) => {
                Ok(Self::Approval(Approval::from_record(place, approval)?, record["why"].as_str().unwrap_or_default().to_owned()))
            }
            None => Interruption::from_record(place, &record["interruption"]).map(Self::Interruption),
        }
    }
}
