//! What values of each type mean where they meet others: in comparisons, and where a function wants a name.
//!
//! Projects, environments, tenants, spaces, freezes and steps are what they are called, without regard to case, as in look-ups. Releases go by
//! version, times and durations by what a text says, tasks and other documents by id. What makes no sense is an error that says what does.

use super::prelude::*;
use super::{
    approval::Approval,
    ctx::Context,
    dashboard::{Difference, Live},
    environments::Environment,
    events::Event,
    freezes::Freeze,
    interruption::Interruption,
    past_deployments::Deployment,
    projects::Project,
    promote::Promotable,
    release::Release,
    rollout::Outcome,
    runbooks::Runbook,
    saga::Saga,
    space::Space,
    task::Task,
    task_log::Step,
    tenants::Tenant,
    time::Moment,
    words,
};
use crate::{
    engine::compare::{Beside, Meaning},
    secrets::Secret,
};
use jiff::civil::{Date, DateTime, Time};
use std::cmp::Ordering;

/// Whether `text` is one of the ways to write a thing in a script: its name, its slug or its id.
fn called(text: &str, name: &str, others: &[&str]) -> Beside {
    Beside::name(name.to_lowercase() == text.trim().to_lowercase() || others.iter().any(|other| other.eq_ignore_ascii_case(text.trim())))
}

/// Whether `text` is the id; a text that cannot be an id of this kind does not compare.
fn id(text: &str, id: &str) -> Result<Beside, String> {
    let kind = id.split('-').next().unwrap_or_default();
    if text.split_once('-').is_some_and(|(begin, number)| begin == kind && !number.is_empty()) {
        Ok(Beside::name(text == id))
    } else {
        Err(format!("`{text}` is not an id like `{kind}-17`"))
    }
}

macro_rules! named {
    ($($type:ty: $instead:literal, $value:ident => $id:expr, $name:expr, [$($other:expr),*];)*) => { $(
        impl Meaning for $type {
            const INSTEAD: &'static str = $instead;
            fn same(&self, other: &Self) -> bool {
                let of = |$value: &Self| ($id.to_string(), $name.clone());
                of(self) == of(other)
            }
            fn beside(&self, text: &str) -> Result<Beside, String> {
                let $value = self;
                Ok(called(text, &$name, &[$id.as_str() $(, $other)*]))
            }
            fn named(&self) -> Option<String> {
                let $value = self;
                Some($id.to_string())
            }
        }
    )* };
}

named! {
    Project: "compare names: `project.name`", p => p.0.id, p.0.name, [&p.0.slug];
    Environment: "compare names: `env.name`", e => e.0.id, e.0.name, [&e.0.slug];
    Runbook: "compare names: `runbook.name`", r => r.0.id, r.0.name, [&r.0.slug];
    Tenant: "compare names: `tenant.name`", t => t.0.id, t.0.name, [&t.0.slug];
    Freeze: "compare names: `freeze.name`, or times: `freeze.ends`", f => f.document().id, f.document().name, [];
    Space: "compare names: `space.name`", s => s.space.space().id, s.space.space().name, [];
}

macro_rules! by_id {
    ($($type:ty: $instead:literal, $value:ident => $id:expr;)*) => { $(
        impl Meaning for $type {
            const INSTEAD: &'static str = $instead;
            fn same(&self, other: &Self) -> bool {
                <$type>::same(self, other)
            }
            fn beside(&self, text: &str) -> Result<Beside, String> {
                let $value = self;
                id(text, $id.as_str())
            }
        }
    )* };
}

by_id! {
    Task: "compare `task.state`, `task.id` or `task.project`", t => t.id;
    Deployment: "compare `deployment.state`, `deployment.release` or `deployment.id`", d => d.id;
    Interruption: "compare `interruption.id` or `interruption.title`", i => i.document().id;
    Approval: "compare `approval.number` or `approval.id`", a => a.document().id;
    Event: "compare `event.category` or `event.id`", e => e.document().id;
}

macro_rules! rows {
    ($($type:ty: $instead:literal;)*) => { $(
        impl Meaning for $type {
            const INSTEAD: &'static str = $instead;
            fn same(&self, other: &Self) -> bool {
                <$type>::same(self, other)
            }
            fn beside(&self, _text: &str) -> Result<Beside, String> {
                Err("a text does not say what it is".to_owned())
            }
        }
    )* };
}

rows! {
    Live: "compare `live.release`, `live.state` or `live.env`";
    Difference: "compare `difference.state`, `difference.left` or `difference.right`";
    Promotable: "compare `row.release` or `row.project`";
    Outcome: "compare `outcome.state` or `outcome.item`";
    Saga: "a saga is compared with nothing";
    Context: "compare one of its properties: `ctx.env`";
    Secret: "compare texts: `secret.reveal()`; whether it is empty says `secret.length == 0`";
}

impl Meaning for Step {
    const INSTEAD: &'static str = "compare `step.name`, `step.state` or `step.number`";
    fn same(&self, other: &Self) -> bool {
        self.to_string() == other.to_string()
    }
    fn beside(&self, text: &str) -> Result<Beside, String> {
        Ok(called(text, &self.name, &[]))
    }
}

impl Meaning for Release {
    const INSTEAD: &'static str = "compare `release.version`, `release.project` or `release.id`";
    fn same(&self, other: &Self) -> bool {
        self.release.id == other.release.id && self.place.client.address() == other.place.client.address()
    }
    /// Releases of two projects have no order.
    fn order(&self, other: &Self) -> Option<Ordering> {
        let comparable = self.release.project_id == other.release.project_id && self.place.client.address() == other.place.client.address();
        comparable.then(|| words::order(&self.release.version, &other.release.version).ok())?
    }
    fn beside(&self, text: &str) -> Result<Beside, String> {
        // The same only as it is written, as in look-ups; `2.0` and `2.0.0` are two releases of one height.
        let same = text == self.release.version || text == self.release.id.as_str();
        let is_version = text.trim_start_matches(['v', 'V']).starts_with(|c: char| c.is_ascii_digit());
        words::order(&self.release.version, text).map(|order| Beside { same, order: is_version.then_some(order) })
    }
}

impl Meaning for Moment {
    const INSTEAD: &'static str =
        "compare times: `at(\"2026-03-02 08:00\")`, `ago(\"1h\")`, `moment.time == \"08:01\"`, `moment.date == \"2026-03-02\"`";
    fn same(&self, other: &Self) -> bool {
        self.timestamp() == other.timestamp()
    }
    fn order(&self, other: &Self) -> Option<Ordering> {
        Some(self.timestamp().cmp(&other.timestamp()))
    }
    /// A date, a time of day, both, or an instant with its offset. What the text does not say does not count: `"08:01"` goes by hour and minute,
    /// whatever the day.
    fn beside(&self, text: &str) -> Result<Beside, String> {
        let text = text.trim();
        let own = self.0.datetime();
        let order = if let Ok(at) = text.parse::<jiff::ZonedDateTime>() {
            self.timestamp().cmp(&at.timestamp())
        } else if let Ok(at) = text.parse::<Timestamp>() {
            self.timestamp().cmp(&at)
        } else if let Ok(time) = Time::strptime("%H:%M", text) {
            (own.hour(), own.minute()).cmp(&(time.hour(), time.minute()))
        } else if let Ok(time) = Time::strptime("%H:%M:%S", text) {
            (own.hour(), own.minute(), own.second()).cmp(&(time.hour(), time.minute(), time.second()))
        } else if let Ok(date) = Date::strptime("%Y-%m-%d", text) {
            own.date().cmp(&date)
        } else if let Ok(at) = text.parse::<DateTime>() {
            own.cmp(&at)
        } else {
            return Err(format!("`{text}` is not a date, a time of day or both"));
        };
        Ok(Beside::ordered(order))
    }
}

impl Meaning for SignedDuration {
    const INSTEAD: &'static str = "compare durations: `5.minutes`, `duration(\"5m\")`; as a number: `duration.in_minutes`";
    fn same(&self, other: &Self) -> bool {
        self == other
    }
    fn order(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
    fn beside(&self, text: &str) -> Result<Beside, String> {
        text::duration(text).map(|other| Beside::ordered(self.cmp(&other))).map_err(|e| e.message().to_owned())
    }
}
