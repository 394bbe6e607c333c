//! Requests with the members that their endpoints take, and other values for each.

use super::Case;
use serde_json::{Value, json};

fn case(
    name: &'static str,
    path: &'static str,
    before: &[(&'static str, &'static str, Value)],
    body: Value,
    members: &[(&'static str, Value)],
) -> Case {
    Case { name, path, before: before.to_vec(), body, members: members.to_vec() }
}

/// Members that all ways to start something take; `id` tells how they are spelt.
fn common(more: &[(&'static str, Value)]) -> Vec<(&'static str, Value)> {
    let mut all = vec![
        ("DebugMode", json!("Debug")),
        ("UseGuidedFailure", json!(true)),
        ("Priority", json!("On")),
        ("ForcePackageDownload", json!(true)),
    ];
    all.extend_from_slice(more);
    all
}

fn by_id(more: &[(&'static str, Value)]) -> Vec<(&'static str, Value)> {
    let mut all = common(&[
        ("EnvironmentId", json!("@environments/D")),
        ("TenantId", json!("@tenants/T")),
        ("Comments", json!("why")),
        ("QueueTime", json!("2026-03-02T09:00:00Z")),
        ("QueueTimeExpiry", json!("2026-03-02T10:00:00Z")),
        ("SkipActions", json!(["one"])),
        ("SpecificMachineIds", json!(["@machines/M"])),
        ("ExcludedMachineIds", json!(["@machines/M"])),
        ("SpecificTargetTagIds", json!(["@tags/Ring/Canary"])),
        ("ExcludedTargetTagIds", json!(["@tags/Ring/Canary"])),
        ("FormValues", json!({"@variables/Wave": "2"})),
        ("Variables", json!({"Wave": "2"})),
    ]);
    all.extend_from_slice(more);
    all
}

fn by_name(more: &[(&'static str, Value)]) -> Vec<(&'static str, Value)> {
    let mut all = common(&[
        ("SpaceIdOrName", json!("Elsewhere")),
        ("ProjectName", json!("Fails")),
        ("Tenants", json!(["T"])),
        ("TenantTags", json!(["Set/Tag"])),
        ("RunAt", json!("2026-03-02T09:00:00Z")),
        ("NoRunAfter", json!("2026-03-02T10:00:00Z")),
        ("SkipStepNames", json!(["one"])),
        ("SpecificMachineNames", json!(["M"])),
        ("ExcludedMachineNames", json!(["M"])),
        ("SpecificTargetTagNames", json!(["Ring/Canary"])),
        ("ExcludedTargetTagNames", json!(["Ring/Canary"])),
        ("DeploymentFreezeNames", json!(["Freeze"])),
        ("DeploymentFreezeOverrideReason", json!("must")),
        ("Variables", json!({"Wave": "2"})),
    ]);
    all.extend_from_slice(more);
    all
}

/// Previews of several environments.
fn previews(name: &'static str, path: &'static str) -> Case {
    let body = json!({"DeploymentPreviews": [{"EnvironmentId": "@environments/E"}]});
    case(name, path, &[], body, &[("DeploymentPreviews", json!([]))])
}

/// A snapshot of a runbook.
fn snapshot(name: &'static str, path: &'static str) -> Case {
    let members = [
        ("RunbookId", json!("Runbooks-9")),
        ("ProjectId", json!("@projects/Fails")),
        ("Name", json!("S2")),
        ("Notes", json!("why")),
        ("SelectedPackages", json!([{"ActionName": "look", "Version": "1"}])),
    ];
    case(name, path, &[], json!({"RunbookId": "@runbooks/R", "ProjectId": "@projects/P", "Name": "S"}), &members)
}

const WAVE: &str = "/api/Spaces-1/projects/@projects~P/variables";

/// A value that the project has got since its releases and snapshots took its variables.
fn changed() -> (&'static str, &'static str, Value) {
    ("PUT", WAVE, json!({"Version": 0, "Variables": [{"Name": "Wave", "Value": "3"}]}))
}

/// Variables that a release or a snapshot takes anew, all or by name; `whose` is what it is not.
fn renewal(name: &'static str, path: &'static str, whose: (&'static str, Value), by_name: bool) -> Case {
    let variables = |name: &str| json!([{"Name": name, "OwnerId": "@projects/P"}]);
    let mut members = vec![whose, ("VariableSnapshotConcurrencyToken", json!("stale"))];
    let mut body = json!({});
    if by_name {
        body = json!({"Variables": variables("Wave")});
        members.push(("Variables", variables("Tide")));
    }
    case(name, path, &[changed()], body, &members)
}

/// All requests.
pub(super) fn cases() -> Vec<Case> {
    const DEPLOY: &str = "/api/Spaces-1/deployments";
    let deployment = |project: &str| json!({"ReleaseId": format!("@releases/{project}/1"), "EnvironmentId": "@environments/E"});
    let named = json!({"SpaceIdOrName": "Default", "ProjectName": "P"});
    let updates = ("UpdateVariableSnapshot", json!(true));
    let with = |base: &Value, more: Value| {
        let mut all = base.clone();
        all.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        all
    };
    vec![
        case(
            "POST /api/{space}/deployments",
            DEPLOY,
            &[],
            deployment("P"),
            &by_id(&[
                ("ForcePackageRedeployment", json!(true)),
                ("ReleaseId", json!("@releases/P/2")),
                ("ProjectId", json!("@projects/Fails")),
            ]),
        ),
        case(
            "POST /api/{space}/deployments/override",
            "/api/Spaces-1/deployments/override",
            &[],
            json!({"CreateDeploymentCommand": with(&deployment("P"), json!({"EnvironmentId": "@environments/Frozen"})), "FreezeIds": ["DeploymentFreezes-1"], "Reason": "must"}),
            &[("CreateDeploymentCommand", deployment("P")), ("FreezeIds", json!(["DeploymentFreezes-9"])), ("Reason", json!(" "))],
        ),
        case(
            "POST /api/{space}/deployments/create/untenanted/v1",
            "/api/Spaces-1/deployments/create/untenanted/v1",
            &[changed()],
            with(&named, json!({"ReleaseVersion": "1", "EnvironmentNames": ["E"]})),
            &by_name(&[
                updates.clone(),
                ("ForcePackageRedeployment", json!(true)),
                ("ReleaseVersion", json!("2")),
                ("EnvironmentNames", json!(["D"])),
            ]),
        ),
        case(
            "POST /api/{space}/deployments/create/tenanted/v1",
            "/api/Spaces-1/deployments/create/tenanted/v1",
            &[changed()],
            with(&named, json!({"ReleaseVersion": "1", "EnvironmentName": "E", "Tenants": ["U"]})),
            &by_name(&[
                updates.clone(),
                ("ForcePackageRedeployment", json!(true)),
                ("ReleaseVersion", json!("2")),
                ("EnvironmentName", json!("D")),
            ]),
        ),
        case(
            "POST /api/{space}/runbook-runs/create/v1",
            "/api/Spaces-1/runbook-runs/create/v1",
            &[],
            with(&named, json!({"RunbookName": "R", "EnvironmentNames": ["E"]})),
            &by_name(&[("RunbookName", json!("S")), ("EnvironmentNames", json!(["D"])), ("Snapshot", json!("none"))]),
        ),
        case(
            "POST /api/{space}/runbookRuns",
            "/api/Spaces-1/runbookRuns",
            &[],
            json!({"RunbookId": "@runbooks/R", "RunbookSnapshotId": "RunbookSnapshots-1", "EnvironmentId": "@environments/E", "ProjectId": "@projects/P"}),
            &by_id(&[
                ("RunbookId", json!("Runbooks-9")),
                ("RunbookSnapshotId", json!("RunbookSnapshots-9")),
                ("ProjectId", json!("@projects/Fails")),
            ]),
        ),
        case(
            "POST /api/{space}/runbooks/{id}/run",
            "/api/Spaces-1/runbooks/@runbooks~R/run",
            &[],
            json!({"EnvironmentId": "@environments/E"}),
            &by_id(&[("EnvironmentIds", json!(["@environments/D"])), ("RunbookSnapshotId", json!("RunbookSnapshots-9"))]),
        ),
        case(
            "POST /api/{space}/releases",
            "/api/Spaces-1/releases",
            &[],
            json!({"ProjectId": "@projects/P", "Version": "3"}),
            &[
                ("ProjectId", json!("@projects/Fails")),
                ("Version", json!("4")),
                ("ChannelId", json!("Channels-99")),
                ("ReleaseNotes", json!("third")),
                ("SelectedPackages", json!([{"ActionName": "none", "Version": "1"}])),
                ("SelectedGitResources", json!([{"ActionName": "one"}])),
                ("CustomFields", json!({"Ticket": "OPS-1"})),
                ("VersionControlReference", json!({"GitRef": "refs/heads/main"})),
                ("IgnoreChannelRules", json!(true)),
            ],
        ),
        case(
            "POST /api/{space}/releases/create/v1",
            "/api/Spaces-1/releases/create/v1",
            &[],
            json!({"SpaceIdOrName": "Default", "ProjectName": "Packed", "ReleaseVersion": "3"}),
            &[
                ("SpaceIdOrName", json!("Elsewhere")),
                ("ProjectName", json!("P")),
                ("ReleaseVersion", json!("4")),
                ("ChannelName", json!("Other")),
                ("ReleaseNotes", json!("third")),
                ("IgnoreChannelRules", json!(true)),
                ("Packages", json!(["web:1.0.0"])),
                ("PackageVersion", json!("1.0.0")),
                ("PackagePrerelease", json!("beta")),
            ],
        ),
        case(
            "POST /api/{space}/releases/create/v1",
            "/api/Spaces-1/releases/create/v1",
            &[],
            json!({"SpaceIdOrName": "Default", "ProjectName": "P", "ReleaseVersion": "1", "IgnoreIfAlreadyExists": true}),
            &[("IgnoreIfAlreadyExists", json!(false))],
        ),
        case(
            "POST /api/{space}/releases/create/v1",
            "/api/Spaces-1/releases/create/v1",
            &[],
            json!({"SpaceIdOrName": "Default", "ProjectName": "Loft", "ReleaseVersion": "3", "GitRef": "main", "GitResources": ["Sew:main"]}),
            &[
                ("GitRef", json!("v1")),
                ("GitCommit", json!("0123456789012345678901234567890123456789")),
                ("GitResources", json!(["Sew:next"])),
                ("CustomFields", json!({"Ticket": "OPS-1"})),
            ],
        ),
        case(
            "POST /api/{space}/releases/{id}/release-notes",
            "/api/Spaces-1/releases/@releases~P~1/release-notes",
            &[],
            json!({"ReleaseId": "@releases/P/1", "SpaceId": "Spaces-1", "ReleaseNotes": "new"}),
            &[("ReleaseNotes", json!("newer")), ("ReleaseId", json!("Releases-9"))],
        ),
        renewal(
            "POST /api/{space}/releases/{id}/snapshot-variables",
            "/api/Spaces-1/releases/@releases~P~1/snapshot-variables",
            ("ReleaseId", json!("Releases-9")),
            false,
        ),
        renewal(
            "POST /api/{space}/releases/{id}/snapshot-variables-by-name",
            "/api/Spaces-1/releases/@releases~P~1/snapshot-variables-by-name",
            ("ReleaseId", json!("Releases-9")),
            true,
        ),
        renewal(
            "POST /api/{space}/runbookSnapshots/{id}/snapshot-variables",
            "/api/Spaces-1/runbookSnapshots/RunbookSnapshots-1/snapshot-variables",
            ("RunbookSnapshotId", json!("RunbookSnapshots-9")),
            false,
        ),
        renewal(
            "POST /api/{space}/runbookSnapshots/{id}/snapshot-variables-by-name",
            "/api/Spaces-1/runbookSnapshots/RunbookSnapshots-1/snapshot-variables-by-name",
            ("RunbookSnapshotId", json!("RunbookSnapshots-9")),
            true,
        ),
        case(
            "POST /api/{space}/projects/{id}/{gitref}/runbooks/{runbook}/run/v1",
            "/api/Spaces-1/projects/@projects~Loft/main/runbooks/mend/run/v1",
            &[],
            json!({
                "SpaceId": "Spaces-1", "ProjectId": "@projects/Loft", "RunbookId": "mend", "GitRef": "main", "Runs": [{"EnvironmentId": "@environments/E"}],
                "SelectedPackages": [{"ActionName": "Mend", "Version": "1.0.0"}],
                "SelectedGitResources": [{"ActionName": "Mend", "GitReferenceResource": {"GitRef": "refs/heads/main"}}],
            }),
            &[
                ("GitRef", json!("v1")),
                ("ProjectId", json!("@projects/P")),
                ("RunbookId", json!("other")),
                ("Notes", json!("why")),
                ("Runs", json!([{"EnvironmentId": "@environments/D"}])),
                ("SelectedPackages", json!([{"ActionName": "Mend", "Version": "1.3.0"}])),
                ("SelectedGitResources", json!([{"ActionName": "Mend", "GitReferenceResource": {"GitRef": "refs/heads/next"}}])),
            ],
        ),
        previews(
            "POST /api/{space}/projects/{id}/{gitref}/runbooks/{runbook}/runbookRuns/previews",
            "/api/Spaces-1/projects/@projects~Loft/main/runbooks/mend/runbookRuns/previews",
        ),
        case(
            "POST /api/{space}/runbook-runs/git/create/v1",
            "/api/Spaces-1/runbook-runs/git/create/v1",
            &[],
            json!({"SpaceIdOrName": "Default", "ProjectName": "Loft", "RunbookName": "Mend", "GitRef": "main", "GitResources": ["Mend:main"], "EnvironmentNames": ["E"]}),
            &by_name(&[
                ("RunbookName", json!("Sew")),
                ("EnvironmentNames", json!(["D"])),
                ("GitRef", json!("v1")),
                ("GitResources", json!(["Mend:next"])),
                ("Packages", json!(["Mend:1.0.0"])),
                ("PackageVersion", json!("1.0.0")),
                ("PackagePrerelease", json!("beta")),
            ]),
        ),
        case(
            "POST /api/{space}/parentEnvironments",
            "/api/Spaces-1/parentEnvironments",
            &[],
            json!({"Name": "Other"}),
            &[
                ("Name", json!("Another")),
                ("Slug", json!("o")),
                ("Description", json!("why")),
                ("UseGuidedFailure", json!(true)),
                ("AutomaticDeprovisioningRule", json!({"ExpiryDays": 3})),
            ],
        ),
        case(
            "PUT /api/{space}/parentEnvironments/{id}",
            "/api/Spaces-1/parentEnvironments/@parents~Parent",
            &[],
            json!({"EnvironmentId": "@parents/Parent", "Name": "Other"}),
            &[
                ("EnvironmentId", json!("Environments-1")),
                ("Name", json!("Another")),
                ("Slug", json!("o")),
                ("Description", json!("why")),
                ("UseGuidedFailure", json!(true)),
                ("AutomaticDeprovisioningRule", json!({"ExpiryDays": 3})),
                ("SortOrder", json!(9)),
            ],
        ),
        case(
            "POST /api/{space}/projects/{id}/environments/ephemeral",
            "/api/Spaces-1/projects/@projects~Loft/environments/ephemeral",
            &[],
            json!({"EnvironmentName": "pr-1"}),
            &[("EnvironmentName", json!("pr-2"))],
        ),
        case(
            "POST /api/{space}/releases/{id}/defects",
            "/api/Spaces-1/releases/Releases-1/defects",
            &[],
            json!({"Description": "wet"}),
            &[("Description", json!("broken"))],
        ),
        previews("POST /api/{space}/releases/{id}/deployments/previews", "/api/Spaces-1/releases/@releases~P~1/deployments/previews"),
        previews("POST /api/{space}/runbooks/{id}/runbookRuns/previews", "/api/Spaces-1/runbooks/@runbooks~R/runbookRuns/previews"),
        previews(
            "POST /api/{space}/projects/{id}/runbooks/{runbook}/runbookRuns/previews",
            "/api/Spaces-1/projects/@projects~P/runbooks/@runbooks~R/runbookRuns/previews",
        ),
        snapshot("POST /api/{space}/runbookSnapshots", "/api/Spaces-1/runbookSnapshots"),
        snapshot("POST /api/{space}/projects/{id}/runbookSnapshots", "/api/Spaces-1/projects/@projects~P/runbookSnapshots"),
        case(
            "POST /api/{space}/interruptions/{id}/submit",
            "/api/Spaces-1/interruptions/Interruptions-1/submit",
            &[("POST", DEPLOY, deployment("Asks")), ("PUT", "/api/Spaces-1/interruptions/Interruptions-1/responsible", json!(null))],
            json!({"Result": "Proceed"}),
            &[("Result", json!("Abort")), ("Notes", json!("fine"))],
        ),
        case(
            "POST /api/{space}/interruptions/{id}/submit",
            "/api/Spaces-1/interruptions/Interruptions-1/submit",
            &[
                ("POST", DEPLOY, with(&deployment("Fails"), json!({"UseGuidedFailure": true}))),
                ("PUT", "/api/Spaces-1/interruptions/Interruptions-1/responsible", json!(null)),
            ],
            json!({"Guidance": "Fail"}),
            &[("Guidance", json!("Ignore"))],
        ),
        case(
            "POST /api/{space}/servertaskapprovals/{id}/approvals",
            "/api/Spaces-1/servertaskapprovals/ServerTaskApprovals-1/approvals",
            &[("POST", DEPLOY, deployment("Approved"))],
            json!({"ServerTaskApprovalId": "ServerTaskApprovals-1", "Status": "Approved"}),
            &[("Status", json!("Rejected")), ("Notes", json!("fine"))],
        ),
        case(
            "POST /api/{space}/artifacts",
            "/api/Spaces-1/artifacts",
            &[("POST", DEPLOY, deployment("P"))],
            json!({"ServerTaskId": "ServerTasks-1", "Filename": "a.txt"}),
            &[
                ("ServerTaskId", json!("ServerTasks-9")),
                ("Filename", json!("b.txt")),
                ("Source", json!("s")),
                ("LogCorrelationId", json!("ServerTasks-1/x")),
            ],
        ),
        case(
            "POST /api/{space}/tasks",
            "/api/Spaces-1/tasks",
            &[],
            json!({"Name": "Health", "Description": "look"}),
            &[
                ("Name", json!("AdHocScript")),
                ("Description", json!("look twice")),
                ("Arguments", json!({"EnvironmentId": "Environments-1"})),
                ("QueueTime", json!("2026-03-02T09:00:00Z")),
                ("QueueTimeExpiry", json!("2026-03-02T10:00:00Z")),
            ],
        ),
        case(
            "POST /api/{space}/tasks/{id}/state",
            "/api/Spaces-1/tasks/ServerTasks-1/state",
            &[("POST", DEPLOY, deployment("P"))],
            json!({"State": "Failed", "Reason": "seen"}),
            &[("State", json!("Success")), ("Reason", json!("other"))],
        ),
        case(
            "POST /api/{space}/build-information",
            "/api/Spaces-1/build-information",
            &[],
            json!({"PackageId": "Web", "Version": "1.0.0", "OctopusBuildInformation": {"Branch": "main"}}),
            &[("PackageId", json!("App")), ("Version", json!("1.1.0")), ("OctopusBuildInformation", json!({"Branch": "next"}))],
        ),
        case(
            "POST /api/{space}/build-information",
            "/api/Spaces-1/build-information",
            &[(
                "POST",
                "/api/Spaces-1/build-information",
                json!({"PackageId": "Web", "Version": "1.0.0", "OctopusBuildInformation": {"Branch": "main"}}),
            )],
            json!({"PackageId": "Web", "Version": "1.0.0", "OctopusBuildInformation": {"Branch": "next"}, "OverwriteMode": "OverwriteExisting"}),
            &[("OverwriteMode", json!("IgnoreIfExists"))],
        ),
        case(
            "POST /api/users/{id}/apikeys",
            "/api/users/me/apikeys",
            &[],
            json!({"Purpose": "tests"}),
            &[("Purpose", json!("other")), ("Expires", json!("2026-12-24T00:00:00Z")), ("ActorType", json!("AiAgent"))],
        ),
    ]
}
