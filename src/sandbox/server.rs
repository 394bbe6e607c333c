//! What the server says about itself, freezes, artifacts, and other small things.

use super::{
    answer::{Answer, Ask, Handled, Refusal, str_of},
    collection::{self, noun_of, page, present},
    permissions::{Level, PERMISSIONS},
    state::{State, stamp},
};
use axum::body::Bytes;
use serde_json::{Value, json};

/// A PNG of one grey pixel: the logo of everything that has one.
const LOGO: &[u8] = include_bytes!("logo.png");

/// `…/{id}/logo`
pub(crate) fn logo(state: &State, ask: &Ask, kind: &str, id: &str) -> Handled {
    let noun = noun_of(kind).filter(|n| matches!(n.path, "projects" | "spaces" | "tenants"));
    let noun = noun.ok_or_else(|| Refusal::not_simulated(&ask.method, &ask.path))?;
    collection::get(state, ask, noun, id)?;
    Ok(Answer::Bytes(200, "image/png".into(), Bytes::from_static(LOGO)))
}

/// Paths that belong to no other file; none when unknown.
pub(crate) fn route(state: &mut State, ask: &Ask, segments: &[&str]) -> Option<Handled> {
    let method = ask.method.as_str();
    Some(match (method, segments) {
        ("GET", ["serverstatus"]) => Answer::ok(json!({
            "IsInMaintenanceMode": state.maintenance, "MaintenanceExpires": null, "IsUpgradeAvailable": false, "IsMajorMinorUpgrade": false,
            "MaximumAvailableVersion": state.plan.version, "MaximumAvailableVersionCoveredByLicense": state.plan.version, "IsDatabaseEncrypted": false,
            "Links": {
                "Self": "/api/serverstatus", "Health": "/api/serverstatus/health", "RecentLogs": "/api/serverstatus/logs{?skip,take,includeDetail}",
                "SystemInfo": "/api/serverstatus/system-info", "SystemReport": "/api/serverstatus/system-report",
                "BuiltInFeedStats": "/api/serverstatus/nuget", "GCCollect": "/api/serverstatus/gc-collect",
            },
        })),
        ("GET", ["serverstatus", "health"]) => Answer::ok(json!({
            "Description": "", "IsCompliantWithLicense": true, "IsEntireClusterDrainingTasks": state.maintenance, "IsEntireClusterReadOnly": false,
            "IsOperatingNormally": true, "Links": {"Self": "/api/serverstatus/health"},
        })),
        ("GET", ["serverstatus", "system-info"]) => Answer::ok(json!({
            "Version": state.plan.version, "OSVersion": "", "ClrVersion": "", "Uptime": "an hour", "ThreadCount": 1, "WorkingSetBytes": 0, "Links": {},
        })),
        ("GET", ["smtpconfiguration"]) => Answer::ok(json!({
                "Id": "smtp-server", "SmtpHost": state.smtp.as_ref().map(|s| &s.0), "SmtpPort": state.smtp.as_ref().map(|s| s.1),
                "SendEmailFrom": "octopus@example.com", "EnableSsl": false, "Timeout": 12000,
                "Details": {"CredentialType": "UsernamePassword", "SmtpLogin": null, "SmtpPassword": {"HasValue": false, "NewValue": null, "Hint": null}},
                "Links": {"Self": "/api/smtpconfiguration"},
        })),
        ("GET", ["tenantvariables", "all"]) => Answer::ok(super::tenants::all_variables(state, ask)),
        ("GET", ["communityactiontemplates"]) => {
            let none: [Value; 0] = [];
            Answer::ok(page(ask, "CommunityActionTemplate", &none, Clone::clone))
        }
        ("GET", ["smtpconfiguration", "isconfigured"]) => Answer::ok(json!({"IsConfigured": state.plan.smtp, "Links": {}})),
        ("GET", ["maintenanceconfiguration"]) => Answer::ok(
            json!({"Id": "maintenance", "IsInMaintenanceMode": state.maintenance, "Links": {"Self": "/api/maintenanceconfiguration"}}),
        ),
        ("PUT", ["maintenanceconfiguration"]) => {
            state.maintenance = ask.field("IsInMaintenanceMode") == true;
            state.fill_slots();
            Answer::ok(
                json!({"Id": "maintenance", "IsInMaintenanceMode": state.maintenance, "Links": {"Self": "/api/maintenanceconfiguration"}}),
            )
        }
        ("GET", ["configuration", "feature-toggles"]) => Answer::ok(json!({ "FeatureToggles": [] })),
        ("GET", ["configuration", "enabled-feature-toggles"]) => Answer::ok(json!([])),
        ("GET", ["capabilities"]) => Answer::ok(json!({"Capabilities": ["GetAllSpacesRequest"]})),
        ("GET", ["machineroles", "all"]) => {
            let space = state.space_of(ask);
            let machines = state.store.of("machines").iter().filter(|m| str_of(m, "SpaceId") == space);
            Answer::ok(json!(machines.flat_map(|m| super::answer::texts(&m["Roles"])).collect::<std::collections::BTreeSet<_>>()))
        }
        ("GET", ["useronboarding"]) => Answer::ok(json!({"Tasks": [], "Links": {}})),
        ("GET", ["permissions", "all"]) => {
            let all = PERMISSIONS.iter().map(|p| {
                let about = json!({"Description": p.1, "CanApplyAtSystemLevel": p.2 != Level::Space, "CanApplyAtSpaceLevel": p.2 != Level::System, "SupportedRestrictions": p.restrictions()});
                (p.0.to_owned(), about)
            });
            Answer::ok(Value::Object(all.collect()))
        }
        ("GET", ["octopusservernodes", "ping"]) => Answer::ok(ping(state)),
        ("GET", ["octopusservernodes", "summary"]) => Answer::ok(summary(state)),
        (_, ["ratelimitingpolicies", rest @ ..]) => super::limits::route(&state.plan, ask, rest),
        ("GET", ["dashboardconfiguration"]) => Answer::ok(
            json!({"Id": format!("dashboardconfiguration-{}", ask.user), "SpaceId": state.space_of(ask), "IncludedProjectGroupIds": [], "IncludedProjectIds": [], "IncludedProjectTags": [], "IncludedEnvironmentIds": [], "IncludedEnvironmentTags": [], "IncludedTenantIds": [], "IncludedTenantTags": [], "ProjectLimit": null, "Links": {"Self": format!("/api/{}/dashboardconfiguration", state.space_of(ask))}}),
        ),
        ("GET", ["teams", id, "scopeduserroles"]) => {
            let noun = noun_of("scopeduserroles")?;
            let found = collection::select(state, noun, ask, |d| str_of(d, "TeamId").eq_ignore_ascii_case(id));
            Answer::ok(page(ask, noun.item, &found, |d| d.shown()))
        }
        ("GET", ["servertaskapprovals"]) => {
            let none: [Value; 0] = [];
            Answer::ok(page(ask, "Item", &none, Clone::clone))
        }
        ("GET", ["teammembership"]) => {
            let user = ask.query("userId").unwrap_or(&ask.user);
            let list: Vec<Value> = state
                .store
                .of("teams")
                .iter()
                .filter(|t| t["MemberUserIds"].as_array().is_some_and(|a| a.iter().any(|m| m == user)))
                .map(|t| json!({"TeamId": t["Id"], "TeamName": t["Name"], "IsDirectlyAssigned": true, "ExternalGroupNames": []}))
                .collect();
            Answer::ok(json!(list))
        }
        ("GET", ["deploymentfreezes"]) => freezes(state, ask),
        ("POST" | "PUT", ["deploymentfreezes", ..]) if !ask.field("ProjectEnvironmentScope").is_object() => {
            Err(Refusal::invalid("The ProjectEnvironmentScope field is required."))
        }
        (_, ["artifacts", rest @ ..]) => return artifacts(state, ask, rest),
        _ => return None,
    })
}

/// The one node, as it answers to whoever asks whether it lives; nobody has to be signed in.
fn ping(state: &State) -> Value {
    let Some(node) = state.store.of("octopusservernodes").iter().next() else { return Value::Null };
    json!({
        "Id": node["Id"], "Name": node["Name"], "LastSeen": stamp(state.now), "IsOffline": false, "MaxConcurrentTasks": node["MaxConcurrentTasks"],
        "IsInMaintenanceMode": node["IsInMaintenanceMode"], "Version": state.plan.version,
        "Links": {"Self": "/api/octopusservernodes/ping", "Node": format!("/api/octopusservernodes/{}", str_of(node, "Id"))},
    })
}

/// All nodes and how busy they are.
fn summary(state: &State) -> Value {
    let nodes: Vec<Value> = state
        .store
        .of("octopusservernodes")
        .iter()
        .map(|node| {
            let own = format!("/api/octopusservernodes/{}", str_of(node, "Id"));
            json!({
                "Id": node["Id"], "Name": node["Name"], "MaxConcurrentTasks": node["MaxConcurrentTasks"], "IsInMaintenanceMode": node["IsInMaintenanceMode"],
                "Rank": "Leader", "LastSeen": stamp(state.now), "IsOffline": false, "RunningTaskCount": state.running.len(),
                "Links": {"Self": own, "Details": format!("{own}/details")},
            })
        })
        .collect();
    json!({"Nodes": nodes, "Links": {}})
}

fn freezes(state: &State, ask: &Ask) -> Handled {
    let noun = noun_of("deploymentfreezes").ok_or_else(|| Refusal::missing("deploymentfreezes"))?;
    let (projects, environments) = (ask.list("projectIds"), ask.list("environmentIds"));
    let complete = ask.flag("includeComplete") != Some(false);
    let found = collection::select(state, noun, ask, |f| {
        let scope = f["ProjectEnvironmentScope"].as_object();
        // An end that lies beyond what we can reckon with is still to come.
        (complete || !str_of(f, "End").parse::<jiff::Timestamp>().is_ok_and(|e| e <= state.now))
            && (projects.is_empty() || scope.is_some_and(|m| m.keys().any(|k| projects.iter().any(|p| p.eq_ignore_ascii_case(k)))))
            && (environments.is_empty()
                || scope.is_some_and(|m| {
                    m.values().any(|v| super::answer::texts(v).iter().any(|e| environments.iter().any(|w| w.eq_ignore_ascii_case(e))))
                }))
    });
    let number = |name: &str| ask.query(name).and_then(|n| n.parse::<usize>().ok());
    let (skip, take) = (number("skip").unwrap_or(0), number("take").unwrap_or(usize::MAX));
    let page: Vec<Value> = found.iter().skip(skip).take(take).map(|f| present(noun, f)).collect();
    Answer::ok(json!({"DeploymentFreezes": page, "Count": found.len()}))
}

/// Adds an artifact of a task, whose content comes later, and gives it back.
pub(crate) fn add_artifact(state: &mut State, task: usize, name: &str, source: &Value, correlation: &Value) -> Value {
    let t = &state.tasks[task];
    let mut related = vec![format!("ServerTasks-{}", task + 1)];
    related.extend([&t.project, &t.environment, &t.tenant].into_iter().flatten().cloned());
    if let Some(x) = t.execution {
        related.push(state.executions[x].id.clone());
        if let super::state::What::Deploy { release, .. } = state.executions[x].what {
            related.push(super::releases::id(release));
        }
    }
    let space = t.space.clone().unwrap_or_else(|| state.default_space().to_owned());
    let id = state.store.next_id("Artifacts-");
    let doc = json!({"Id": id, "SpaceId": space, "Filename": name, "Source": source, "ServerTaskId": related[0], "Created": stamp(state.now), "LogCorrelationId": correlation, "_Related": related});
    state.store.of_mut("artifacts").put(doc.clone());
    doc
}

fn artifacts(state: &mut State, ask: &Ask, rest: &[&str]) -> Option<Handled> {
    match (ask.method.as_str(), rest) {
        ("POST", []) => Some((|| {
            let task = ask.text("ServerTaskId").ok_or_else(|| Refusal::invalid("The ServerTaskId field is required."))?;
            let name = ask.text("Filename").ok_or_else(|| Refusal::invalid("The Filename field is required."))?;
            let here = |i: &usize| (ask.space.is_none() || ask.space == state.tasks[*i].space) && state.sees_task(*i);
            let index = state.task_index(&task).filter(here).ok_or_else(|| Refusal::missing(&task))?;
            state.demand("ArtifactCreate", &state.thing_of_task(index))?;
            Answer::created(show(&add_artifact(state, index, &name, ask.field("Source"), ask.field("LogCorrelationId"))))
        })()),
        ("GET", []) => {
            let noun = noun_of("artifacts")?;
            let mut found = collection::select(state, noun, ask, |d| {
                ask.query("regarding").is_none_or(|r| super::answer::texts(&d["_Related"]).iter().any(|x| x.eq_ignore_ascii_case(r)))
            });
            if ask.query("order") == Some("asc") {
                found.reverse();
            }
            Some(Answer::ok(page(ask, noun.item, &found, |d| show(d))))
        }
        (_, [id, "content"]) => Some((|| {
            let doc = collection::get(state, ask, noun_of("artifacts").ok_or_else(|| Refusal::missing(id))?, id)?;
            if ask.method == "PUT" {
                let related = super::answer::texts(&doc["_Related"]);
                state.demand("ArtifactCreate", &super::access::thing_of_related(doc["SpaceId"].as_str(), &related))?;
                state.blobs.insert(id.to_lowercase(), (ask.content_type.clone(), ask.raw.clone()));
                return Answer::ok(json!({}));
            }
            let (kind, bytes) = state.blobs.get(&id.to_lowercase()).cloned().ok_or_else(|| Refusal::missing(id))?;
            Ok(Answer::Bytes(200, if kind.is_empty() { "application/octet-stream".into() } else { kind }, bytes))
        })()),
        _ => None,
    }
}

fn show(doc: &Value) -> Value {
    noun_of("artifacts").map_or(Value::Null, |noun| present(noun, doc))
}
