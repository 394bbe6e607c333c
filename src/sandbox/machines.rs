//! Deployment targets, workers and their policy, as documents: nobody connects to them (octopus-api.md §24).

use serde_json::{Value, json};

/// What a machine policy is when nobody says anything; also the one every space begins with.
pub(crate) fn policy() -> Value {
    let script = json!({"RunType": "InheritFromDefault", "ScriptBody": null});
    json!({
        "Description": "", "IsDefault": false,
        "MachineHealthCheckPolicy": {
            "PowerShellHealthCheckPolicy": script, "BashHealthCheckPolicy": script, "HealthCheckInterval": "24:00:00",
            "HealthCheckCron": null, "HealthCheckCronTimezone": null, "HealthCheckType": "RunScript",
        },
        "MachineConnectivityPolicy": {"MachineConnectivityBehavior": "ExpectedToBeOnline"},
        "MachineCleanupPolicy": {"DeleteMachinesBehavior": "DoNotDelete", "DeleteMachinesElapsedTimeSpan": "00:00:00"},
        "MachineUpdatePolicy": {"CalamariUpdateBehavior": "UpdateOnDeployment", "TentacleUpdateBehavior": "NeverUpdate", "TentacleUpdateAccountId": null},
        "PollingRequestQueueTimeout": "00:02:00", "PollingRequestMaximumMessageProcessingTimeout": "00:10:00",
        "ConnectionRetrySleepInterval": "00:00:01", "ConnectionRetryCountLimit": 5, "ConnectionRetryTimeLimit": "00:05:00",
        "ConnectionConnectTimeout": "00:01:00",
    })
}

/// What a healthy deployment target without a Tentacle is.
pub(crate) fn target(space: &str) -> Value {
    let mut doc = worker(space);
    for (key, value) in [
        ("EnvironmentIds", json!([])),
        ("Roles", json!([])),
        ("TenantedDeploymentParticipation", json!("TenantedOrUntenanted")),
        ("TenantIds", json!([])),
        ("TenantTags", json!([])),
        ("SkipInitialHealthCheck", json!(false)),
        ("OperatingSystem", json!("Unknown")),
        ("ShellName", json!("Unknown")),
        ("ShellVersion", json!("Unknown")),
        ("Architecture", json!("Unknown")),
    ] {
        doc[key] = value;
    }
    // A worker is in pools instead.
    if let Some(doc) = doc.as_object_mut() {
        doc.shift_remove("WorkerPoolIds");
    }
    doc
}

/// What a healthy worker is.
pub(crate) fn worker(space: &str) -> Value {
    let policy = space.strip_prefix("Spaces-").map_or_else(|| "MachinePolicies-1".to_owned(), |n| format!("MachinePolicies-{n}"));
    json!({
        "WorkerPoolIds": [], "Thumbprint": null, "Uri": null, "IsDisabled": false, "MachinePolicyId": policy, "HealthStatus": "Healthy",
        "HasLatestCalamari": true, "StatusSummary": "", "IsInProcess": false,
        // Parts of a document are written as documents of their own.
        "Endpoint": {"CommunicationStyle": "None", "DefaultWorkerPoolId": null, "Id": null, "LastModifiedOn": null, "LastModifiedBy": null, "Links": {}},
    })
}
