//! What a document has besides what its creator said, whether that was a world file or a request.
//!
//! What is not named here is no property of the document: servers ignore it in a request and never send it.

use super::{
    hooks, known_members, machines,
    nouns::noun_of,
    state::State,
    store::{Store, slug},
    trigger_times,
};
use serde_json::{Map, Value, json};

/// A document that was never changed.
const NEVER: &str = "0001-01-01T00:00:00.000+00:00";

/// Kinds whose documents are kept as they are sent: nothing is known about them but their names.
const OPEN: &[&str] = &["accounts", "certificates", "feeds", "actiontemplates"];

/// Whether documents of a kind have a `Slug`.
pub(crate) fn has_slug(kind: &str) -> bool {
    noun_of(kind).is_none_or(|noun| noun.has_slug)
}

/// Gives a document every property of its kind, and takes away what its kind has not.
pub(crate) fn complete(kind: &str, doc: &mut Value) {
    let (id, space) = (text(doc, "Id"), text(doc, "SpaceId"));
    let Value::Object(defaults) = (if kind == "actiontemplates" { template(doc) } else { of(kind, &id, &space) }) else {
        return;
    };
    if let (Value::Object(map), false) = (&mut *doc, defaults.is_empty() || OPEN.contains(&kind)) {
        // Names are read without regard to case.
        let own = ["Id", "SpaceId", "Name"].into_iter().chain(has_slug(kind).then_some("Slug"));
        let known: Vec<String> = own.map(str::to_owned).chain(defaults.keys().cloned()).collect();
        let said = std::mem::take(map);
        for (key, value) in said {
            if key.starts_with('_') {
                map.insert(key, value);
            } else if let Some(known) = known.iter().find(|k| k.eq_ignore_ascii_case(&key)) {
                map.insert(known.clone(), value);
            }
        }
    }
    parts(kind, doc);
    let Value::Object(doc) = doc else { return };
    for (k, v) in defaults {
        fill_in(doc, k, v);
    }
}

/// What is absent or null becomes what it is when nobody says anything, also inside of what is there in part.
fn fill_in(doc: &mut Map<String, Value>, key: String, value: Value) {
    let now = doc.entry(key).or_insert(Value::Null);
    match (now, value) {
        (Value::Object(now), Value::Object(parts)) => parts.into_iter().for_each(|(k, v)| fill_in(now, k, v)),
        (now, value) if now.is_null() => *now = value,
        _ => {}
    }
}

/// Secrets go in and never come out (octopus-api.md §11.1): what is kept is that there is one.
fn seal(value: &mut Value) {
    match value {
        Value::Object(map) => {
            if map.get("NewValue").is_some_and(|v| !v.is_null()) {
                map.insert("HasValue".into(), json!(true));
                map.insert("NewValue".into(), Value::Null);
            }
            map.values_mut().for_each(seal);
        }
        Value::Array(list) => list.iter_mut().for_each(seal),
        _ => {}
    }
}

fn text(doc: &Value, key: &str) -> String {
    super::answer::str_of(doc, key).to_owned()
}

fn fill(part: &mut Value, defaults: Value) {
    if let (Value::Object(part), Value::Object(defaults)) = (part, defaults) {
        for (k, v) in defaults {
            fill_in(part, k, v);
        }
    }
}

/// Nested parts are written as documents of their own, with the members of all documents (machines/dd-machines-page-2024.2.json).
fn nested() -> Map<String, Value> {
    let Value::Object(map) = json!({"Id": null, "LastModifiedOn": null, "LastModifiedBy": null, "Links": {}}) else { return Map::new() };
    map
}

/// What parts of a document have besides what was said.
fn parts(kind: &str, doc: &mut Value) {
    let (id, name) = (text(doc, "Id"), text(doc, "Name"));
    let mut each = |list: &str, with: &mut dyn FnMut(usize, &mut Value)| {
        let list = doc.get_mut(list).and_then(Value::as_array_mut);
        list.into_iter().flatten().enumerate().for_each(|(i, part)| with(i, part));
    };
    match kind {
        "lifecycles" => each("Phases", &mut |i, phase| {
            let made = uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, format!("{id}/{i}").as_bytes()).to_string();
            fill(phase, self::phase(&json!(made)));
        }),
        "tagsets" => each("Tags", &mut |i, tag| {
            let tag_name = text(tag, "Name");
            fill(tag, json!({"Id": format!("{id}/Tags-{}", i + 1), "Color": "#333333", "Description": "", "SortOrder": i}));
            tag["CanonicalTagName"] = json!(format!("{name}/{tag_name}"));
        }),
        "channels" => each("Rules", &mut |i, rule| {
            let made = uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, format!("{id}/{i}").as_bytes()).to_string();
            fill(
                rule,
                json!({"Id": made, "VersioningStrategy": "SemVer", "VersionRange": "", "Tag": "", "VersionTagRegex": null, "ActionPackages": [], "Actions": []}),
            );
        }),
        "machines" | "workers" => {
            if let Some(endpoint) = doc.get_mut("Endpoint") {
                fill(endpoint, Value::Object(nested()));
            }
        }
        "projecttriggers" => {
            for key in ["Filter", "Action"] {
                fill(&mut doc[key], Value::Object(nested()));
            }
            if doc["Action"]["ActionType"] == "DeployLatestRelease" {
                fill(&mut doc["Action"], json!({"Variables": null, "ChannelId": null, "TenantIds": [], "TenantTags": []}));
            }
        }
        "subscriptions" => {
            if doc["EventNotificationSubscription"].is_null() {
                doc["EventNotificationSubscription"] = json!({});
            }
            fill(&mut doc["EventNotificationSubscription"], notification());
            fill(&mut doc["EventNotificationSubscription"]["Filter"], notification()["Filter"].clone());
        }
        _ => {}
    }
}

/// A phase of a lifecycle (octopus-api.md §10.4).
pub(crate) fn phase(id: &Value) -> Value {
    json!({
        "Id": id, "AutomaticDeploymentTargets": [], "OptionalDeploymentTargets": [], "MinimumEnvironmentsBeforePromotion": 0,
        "IsOptionalPhase": false, "IsPriorityPhase": false, "ReleaseRetentionPolicy": null, "TentacleRetentionPolicy": null,
    })
}

/// A subscription's other half (octopus-api.md §22).
fn notification() -> Value {
    json!({
        "Filter": {
            "Users": [], "Projects": [], "ProjectGroups": [], "Environments": [], "EventGroups": [], "EventCategories": [], "EventAgents": [],
            "Tenants": [], "Tags": [], "DocumentTypes": [],
        },
        "EmailTeams": [], "EmailFrequencyPeriod": "01:00:00", "EmailPriority": "Normal", "EmailDigestLastProcessed": null,
        "EmailDigestLastProcessedEventAutoId": null, "EmailShowDatesInTimeZoneId": "UTC", "WebhookURI": null, "WebhookTeams": [],
        "WebhookTimeout": "00:00:10", "WebhookHeaderKey": null, "WebhookHeaderValue": null, "WebhookLastProcessed": null,
        "WebhookLastProcessedEventAutoId": null, "SlackChannelIds": [], "SlackChannelNames": [], "SlackFrequencyPeriod": "00:00:00",
    })
}

/// Everything of a kind for ever.
fn forever() -> Value {
    json!({"Strategy": "Forever", "Unit": "Items", "QuantityToKeep": 0, "ShouldKeepForever": true})
}

fn connectivity() -> Value {
    json!({"SkipMachineBehavior": "None", "TargetRoles": [], "AllowDeploymentsToNoTargets": true, "ExcludeUnhealthyTargets": false})
}

/// The properties of a kind with what they are when nobody says anything.
fn of(kind: &str, id: &str, space: &str) -> Value {
    match kind {
        "spaces" => json!({
            "Description": "", "IsDefault": false, "IsPrivate": false, "TaskQueueStopped": false, "SpaceManagersTeams": [], "SpaceManagersTeamMembers": [],
            "Icon": null, "ExtensionSettings": [], "LastModifiedOn": NEVER,
        }),
        "environments" => json!({
            "Description": "", "SortOrder": 0, "UseGuidedFailure": false, "AllowDynamicInfrastructure": true, "EnvironmentTags": [], "ExtensionSettings": [],
        }),
        "projectgroups" => json!({"Description": "", "EnvironmentIds": [], "RetentionPolicyId": null}),
        "projects" => project(id),
        "lifecycles" => {
            json!({"Description": "", "ReleaseRetentionPolicy": forever(), "TentacleRetentionPolicy": forever(), "Phases": []})
        }
        "channels" => json!({
            "Description": "", "ProjectId": null, "LifecycleId": null, "IsDefault": false, "Type": "Lifecycle", "ParentEnvironmentId": null,
            "EphemeralEnvironmentNameTemplate": null, "AutomaticEphemeralEnvironmentDeployments": false, "TenantTags": [], "GitReferenceRules": [],
            "GitResourceRules": [], "CustomFieldDefinitions": [], "Rules": [],
        }),
        "tenants" => {
            json!({"Description": "", "IsDisabled": false, "TenantTags": [], "ProjectEnvironments": {}, "ClonedFromTenantId": null})
        }
        "tagsets" => json!({"Description": "", "SortOrder": 0, "Scopes": ["Tenant"], "Type": "MultiSelect", "Tags": []}),
        "runbooks" => runbook(id),
        "libraryvariablesets" => {
            json!({"Description": "", "VariableSetId": format!("variableset-{id}"), "ContentType": "Variables", "Templates": [], "Version": 0})
        }
        "machines" => machines::target(space),
        "workers" => machines::worker(space),
        "workerpools" => {
            json!({"Description": "", "IsDefault": false, "WorkerPoolType": "StaticWorkerPool", "CanAddWorkers": true, "SortOrder": 0})
        }
        "machinepolicies" => machines::policy(),
        "runbookSnapshots" => json!({
            "RunbookId": null, "ProjectId": null, "Notes": null, "Assembled": NEVER, "FrozenRunbookProcessId": null, "FrozenProjectVariableSetId": null,
            "LibraryVariableSetSnapshotIds": [], "SelectedPackages": [], "SelectedGitResources": [], "GitReference": null,
            "ProjectVariableSetSnapshotId": null,
        }),
        "projecttriggers" => json!({"Description": "", "ProjectId": null, "IsDisabled": false, "Filter": {}, "Action": {}}),
        "subscriptions" => json!({"Type": "Event", "IsDisabled": false, "EventNotificationSubscription": {}}),
        "artifacts" => json!({"Filename": "", "Source": null, "ServerTaskId": null, "Created": NEVER, "LogCorrelationId": null}),
        "deploymentfreezes" => json!({
            "Description": "", "Start": null, "End": null, "ProjectEnvironmentScope": {}, "TenantProjectEnvironmentScope": [], "RecurringSchedule": null,
            "OwnerId": null,
        }),
        "teams" => json!({
            "SpaceId": null, "Description": "", "MemberUserIds": [], "ExternalSecurityGroups": [], "CanBeDeleted": true, "CanBeRenamed": true,
            "CanChangeRoles": true, "CanChangeMembers": true,
        }),
        "scopeduserroles" => json!({
            "SpaceId": null, "TeamId": null, "UserRoleId": null, "ProjectIds": [], "ProjectGroupIds": [], "EnvironmentIds": [], "TenantIds": [],
        }),
        "userroles" => json!({
            "Description": "", "CanBeDeleted": true, "GrantedSpacePermissions": [], "GrantedSystemPermissions": [], "SpacePermissionDescriptions": [],
            "SystemPermissionDescriptions": [], "SupportedRestrictions": [],
        }),
        "users" => json!({
            "Username": "", "DisplayName": "", "IsActive": true, "IsService": false, "EmailAddress": null, "CanPasswordBeEdited": false,
            "IsRequestor": false, "Identities": [], "Created": NEVER,
        }),
        "accounts" => json!({
            "Description": "", "EnvironmentIds": [], "TenantedDeploymentParticipation": "Untenanted", "TenantIds": [], "TenantTags": [],
        }),
        "feeds" => json!({"PackageAcquisitionLocationOptions": ["Server", "ExecutionTarget"]}),
        "proxies" => {
            json!({"Host": "", "Port": 80, "ProxyType": "HTTP", "Username": null, "Password": {"HasValue": false, "NewValue": null}})
        }
        "octopusservernodes" => json!({"MaxConcurrentTasks": 5, "IsInMaintenanceMode": false}),
        _ => json!({}),
    }
}

/// What a project has besides what its creator said (octopus-api.md §10.2).
fn project(id: &str) -> Value {
    json!({
        "Description": "", "IsDisabled": false, "ProjectGroupId": null, "LifecycleId": null, "VariableSetId": format!("variableset-{id}"),
        "DeploymentProcessId": format!("deploymentprocess-{id}"),
        "ClonedFromProjectId": null, "IncludedLibraryVariableSetIds": [], "TenantedDeploymentMode": "Untenanted", "DefaultGuidedFailureMode": "EnvironmentDefault",
        "DiscreteChannelRelease": false, "DefaultToSkipIfAlreadyInstalled": false, "AutoCreateRelease": false, "IsVersionControlled": false,
        "PersistenceSettings": {"Type": "Database"},
        "VersioningStrategy": {"Template": "#{Octopus.Version.LastMajor}.#{Octopus.Version.LastMinor}.#{Octopus.Version.NextPatch}", "DonorPackage": null, "DonorPackageStepId": null},
        "ReleaseCreationStrategy": {"ChannelId": null, "ReleaseCreationPackage": null, "ReleaseCreationPackageStepId": null},
        "Templates": [], "AutoDeployReleaseOverrides": [], "ReleaseNotesTemplate": null, "DeploymentChangesTemplate": null,
        "ProjectConnectivityPolicy": connectivity(), "ForcePackageDownload": false, "AllowIgnoreChannelRules": true,
        "ProvisioningRunbookId": null, "DeprovisioningRunbookId": null, "ExecuteDeploymentsOnResilientPipeline": null, "ProjectTags": [], "ExtensionSettings": [], "Icon": null,
    })
}

/// What a runbook has besides name and project (octopus-api.md §17).
fn runbook(id: &str) -> Value {
    json!({
        "Description": "", "ProjectId": null, "RunbookProcessId": format!("RunbookProcess-{id}"), "PublishedRunbookSnapshotId": null,
        "MultiTenancyMode": "TenantedOrUntenanted", "EnvironmentScope": "All", "Environments": [], "DefaultGuidedFailureMode": "EnvironmentDefault",
        "ConnectivityPolicy": connectivity(),
        "RunRetentionPolicy": {"Strategy": "Count", "QuantityToKeep": 100, "Unit": "Items", "ShouldKeepForever": false},
        "ForcePackageDownload": false, "FailTargetDiscovery": false, "CancelQueuedTasks": false, "CancelRunningTasks": false, "RunbookTags": [],
    })
}

/// A channel document.
pub(crate) fn channel(store: &mut Store, space: &str, project: &str, name: &str, default: bool) -> Value {
    let mut doc = json!({"Id": store.next_id("Channels-"), "SpaceId": space, "Name": name, "Slug": slug(name), "ProjectId": project, "IsDefault": default});
    complete("channels", &mut doc);
    doc
}

/// What a new template has besides what its creator said; its first version is 0.
fn template(doc: &mut Value) -> Value {
    shape_template(doc);
    doc["Version"] = json!(0);
    json!({})
}

/// Brings what a client sent into the shape templates have: lists are lists, parameters and packages have ids and all members.
pub(crate) fn shape_template(doc: &mut Value) {
    for (key, empty) in [
        ("Description", json!("")),
        ("CommunityActionTemplateId", Value::Null),
        ("Packages", json!([])),
        ("GitDependencies", json!([])),
        ("Properties", json!({})),
        ("Parameters", json!([])),
        ("StepPackageVersion", Value::Null),
        ("Inputs", Value::Null),
    ] {
        if doc[key].is_null() {
            doc[key] = empty;
        }
    }
    let owner = super::answer::str_of(doc, "Id").to_owned();
    let parts = [
        ("Parameters", json!({"Label": "", "HelpText": "", "DefaultValue": null, "DisplaySettings": {}})),
        ("Packages", json!({"Name": "", "PackageId": null, "FeedId": null, "AcquisitionLocation": "Server", "Properties": {}})),
    ];
    for (list, defaults) in parts {
        for part in doc[list].as_array_mut().into_iter().flatten() {
            if super::answer::str_of(part, "Id").is_empty() {
                let name = format!("{owner}/{list}/{}", super::answer::str_of(part, "Name"));
                part["Id"] = json!(uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, name.as_bytes()).to_string());
            }
            for (key, value) in defaults.as_object().into_iter().flatten() {
                if part[key].is_null() {
                    part[key] = value.clone();
                }
            }
        }
    }
    if let Some(doc) = doc.as_object_mut() {
        doc.shift_remove("Slug");
        doc.shift_remove("$Meta");
    }
}

impl State {
    /// Fills in what the creator of a document left out.
    pub(crate) fn complete(&self, kind: &'static str, doc: &mut Value) {
        if kind == "environments" && doc["SortOrder"].is_null() {
            doc["SortOrder"] = json!(self.store.of("environments").iter().count());
        }
        if has_slug(kind) && text(doc, "Slug").is_empty() {
            let name = text(doc, "Name");
            if !name.is_empty() {
                doc["Slug"] = json!(slug(&name));
            }
        }
        complete(kind, doc);
        if kind == "subscriptions" {
            hooks::keep_header(doc, self.plan.version.generation);
        }
        if kind == "projecttriggers" {
            trigger_times::keep_secret(doc);
        }
        if kind == "runbookSnapshots" {
            self.show_taken(doc);
        }
        known_members::keep(kind, doc, self.plan.version.generation);
        seal(doc);
    }
}
