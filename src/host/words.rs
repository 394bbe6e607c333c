//! Texts that scripts get and that know what they are: versions, and the words of closed sets.

use crate::{
    api::{
        TaskState,
        version::{Version, VersionRange, is_version},
    },
    engine::{
        library::Give,
        texts::{VersionOrder, Words, order_versions},
    },
};
use rhai::Dynamic;
use std::cmp::Ordering;

/// Whether a text stands for one of several versions, such as a range or `latest`.
fn is_open(text: &str) -> bool {
    text.eq_ignore_ascii_case("latest") || VersionRange::parse(text).is_ok_and(|range| range.exact().is_none())
}

/// Which of two versions comes first, in Octopus's order, in which every text has its place.
///
/// # Errors
/// When one is a range or `latest`: says what to write instead.
pub fn order(a: &str, b: &str) -> Result<Ordering, String> {
    match [(a, b), (b, a)].into_iter().find(|(text, _)| is_open(text)) {
        Some((open, _)) => Err(format!("`{open}` stands for more than one version; ask with `version_in(version, \"{open}\")`")),
        None => Ok(Version::parse(a).cmp(&Version::parse(b))),
    }
}

/// Makes the order of versions known to comparisons of texts.
pub fn register() {
    let is_version_or_range = |text: &str| text.trim().eq_ignore_ascii_case("latest") || VersionRange::parse(text).is_ok();
    order_versions(VersionOrder { looks_like: is_version, order, is_version_or_range });
}

static TASK_STATES: Words = Words::new("a state of a task", TaskState::KNOWN);

impl Give for TaskState {
    fn give(self) -> Dynamic {
        TASK_STATES.give(self.as_str())
    }
}

/// States of items of a rollout: those of tasks, and `NotStarted`.
pub static OUTCOMES: Words =
    Words::new("a state of an item", &["NotStarted", "Queued", "Executing", "Failed", "Canceled", "TimedOut", "Success", "Cancelling"]);

/// States of steps.
pub static STEPS: Words =
    Words::new("a state of a step", &["Pending", "Running", "Success", "SuccessWithWarning", "Failed", "Skipped", "Canceled"]);

/// What `compare` finds.
pub static VERDICTS: Words =
    Words::new("what `compare` says of a project", &["same", "newer", "older", "only here", "only there", "nowhere"]);

/// Days of the week.
pub static WEEKDAYS: Words = Words::new("a day of the week here", &["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]);

/// How a project is deployed to tenants.
pub static TENANTED: Words = Words::new("a way to deploy to tenants", &["Untenanted", "TenantedOrUntenanted", "Tenanted"]);
