//! What the activity log of a task says: its steps, and why it failed.

use super::words::STEPS;
use crate::api::{Activity, ActivityStatus, TaskDetails};
use std::fmt;

/// A step of a task.
#[derive(Clone)]
pub struct Step {
    pub(super) number: i64,
    pub(super) name: String,
    pub(super) status: String,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ({})", self.number, self.name, self.status)
    }
}

crate::script_type! {
    /// A step of a task.
    Step as "Step" shows [number, name, state] {
        /// Counts from 1.
        number: "whole number" = |s| s.number;
        /// Its name in the deployment process.
        name: "text" = |s| s.name.clone();
        /// `Pending`, `Running`, `Success`, `SuccessWithWarning`, `Failed`, `Skipped` or `Canceled`.
        state: "text" = |s| STEPS.give(&s.status);
    }
}

/// `Step 3: Deploy web` → `Deploy web` (octopus-api.md §18.5).
pub fn plain_name(node: &str) -> &str {
    split(node).map_or(node, |(_, name)| name)
}

fn split(node: &str) -> Option<(i64, &str)> {
    let (number, name) = node.strip_prefix("Step ")?.split_once(": ")?;
    number.parse().ok().map(|number| (number, name))
}

fn nodes(details: &TaskDetails) -> impl Iterator<Item = &Activity> {
    details.activity.iter().flat_map(|root| root.children.iter()).filter(|node| split(&node.name).is_some())
}

/// The name of the step that runs.
pub fn running(details: &TaskDetails) -> Option<String> {
    nodes(details).find(|n| n.status == ActivityStatus::Running).map(|n| plain_name(&n.name).to_owned())
}

/// `step 3 of 5 "Deploy web"`, for messages.
pub fn running_of(details: &TaskDetails) -> Option<String> {
    let total = nodes(details).count();
    nodes(details)
        .find(|n| n.status == ActivityStatus::Running)
        .and_then(|n| split(&n.name))
        .map(|(number, name)| format!("step {number} of {total} `{name}`"))
}

/// The steps in order.
pub(super) fn steps(details: &TaskDetails) -> Vec<Step> {
    let step =
        |node: &Activity| split(&node.name).map(|(number, name)| Step { number, name: name.to_owned(), status: node.status.to_string() });
    nodes(details).filter_map(step).collect()
}

/// What is known of why a task failed.
#[derive(Clone, Debug, Default)]
pub struct Trouble {
    /// The first failed step.
    pub step: Option<String>,
    /// The first error lines of its log.
    pub lines: Vec<String>,
}

impl Trouble {
    /// The failed step and the first error lines.
    pub(super) fn of(details: &TaskDetails) -> Self {
        let mut trouble = Self::default();
        for root in &details.activity {
            if let Some(step) = root.children.iter().find(|child| child.status == ActivityStatus::Failed) {
                trouble.step = Some(plain_name(&step.name).to_owned());
                collect_errors(step, &mut trouble.lines);
            }
            if trouble.lines.is_empty() {
                collect_errors(root, &mut trouble.lines);
            }
        }
        trouble.lines.truncate(5);
        trouble
    }
}

fn collect_errors(node: &Activity, lines: &mut Vec<String>) {
    for line in &node.log {
        // The summary line of the root repeats what the step said; it is last in order and cut off later.
        if matches!(line.category.as_str(), "Error" | "Fatal") && !lines.contains(&line.text) {
            lines.push(line.text.clone());
        }
    }
    for child in &node.children {
        collect_errors(child, lines);
    }
}
