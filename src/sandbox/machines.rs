//! Deployment targets and their policy, as documents: nobody connects to them (octopus-api.md §24).

use serde_json::{Value, json};

/// The policy every space begins with.
pub(crate) fn policy() -> Value {
    let script = json!({"RunType": "InheritFromDefault", "ScriptBody": null});
    json!({
        "Description": "", "IsDefault": true,
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

/// A healthy deployment target without a Tentacle.
pub(crate) fn target(environments: &[String], roles: &[String]) -> Value {
    json!({
        "EnvironmentIds": environments, "Roles": roles, "TenantedDeploymentParticipation": "TenantedOrUntenanted", "TenantIds": [], "TenantTags": [],
        "Thumbprint": null, "Uri": null, "IsDisabled": false, "MachinePolicyId": "MachinePolicies-1", "HealthStatus": "Healthy",
        "HasLatestCalamari": true, "StatusSummary": "", "IsInProcess": false, "SkipInitialHealthCheck": false,
        "OperatingSystem": "Unknown", "ShellName": "Unknown", "ShellVersion": "Unknown", "Architecture": "Unknown",
        // Parts of a document are written as documents of their own.
        "Endpoint": {"CommunicationStyle": "None", "DefaultWorkerPoolId": null, "Id": null, "LastModifiedOn": null, "LastModifiedBy": null, "Links": {}},
    })
}
