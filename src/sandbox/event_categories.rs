//! The categories of events and their groups (octopus-api.md §21).

/// What happens here.
pub(crate) const CATEGORIES: &[&str] = &[
    "Created",
    "Modified",
    "Deleted",
    "DeploymentQueued",
    "DeploymentStarted",
    "DeploymentResumed",
    "DeploymentSucceeded",
    "DeploymentFailed",
    "ManualInterventionInterruptionRaised",
    "GuidedFailureInterruptionRaised",
    "RunbookRunQueued",
    "RunbookRunStarted",
    "RunbookRunSucceeded",
    "RunbookRunFailed",
    "TaskCanceled",
    "TaskQueued",
    "LoginFailed",
    "RateLimitPolicyExceeded",
];

/// Groups of categories: id, name, categories.
pub(crate) const GROUPS: &[(&str, &str, &[&str])] = &[
    ("Document", "Document", &["Created", "Modified", "Deleted"]),
    (
        "Deployment",
        "Deployment",
        &[
            "DeploymentQueued",
            "DeploymentStarted",
            "DeploymentResumed",
            "DeploymentSucceeded",
            "DeploymentFailed",
            "ManualInterventionInterruptionRaised",
            "GuidedFailureInterruptionRaised",
        ],
    ),
    (
        "DeploymentCritical",
        "Deployment (critical events)",
        &["DeploymentFailed", "ManualInterventionInterruptionRaised", "GuidedFailureInterruptionRaised"],
    ),
    ("RunbookRun", "Runbook run", &["RunbookRunQueued", "RunbookRunStarted", "RunbookRunSucceeded", "RunbookRunFailed"]),
    ("RunbookRunCritical", "Runbook run (critical events)", &["RunbookRunFailed"]),
    ("Task", "Task", &["TaskQueued", "TaskCanceled"]),
];

/// Whether a category belongs to a group.
pub(crate) fn is_in_group(category: &str, group: &str) -> bool {
    GROUPS.iter().any(|(id, _, categories)| id.eq_ignore_ascii_case(group) && categories.contains(&category))
}
