//! What the server says about itself, and other small things.

use super::{
    answer::{Answer, Handled, Refusal, str_of},
    links,
    nouns::{PROJECTS, named},
    routing::{By, Endpoint, LINK, Of, Whole, absent, get, put},
    state::{State, stamp},
    world::{model::TOGGLES, server_version::Generation},
};
use axum::body::Bytes;
use serde_json::{Value, json};

/// A PNG of one grey pixel: the logo of everything that has one.
const LOGO: &[u8] = include_bytes!("logo.png");

/// Commands of this server, as clients ask for them instead of comparing versions.
const COMMANDS: &[&str] = &[
    "CreateReleaseCommandV1",
    "CreateDeploymentUntenantedCommandV1",
    "CreateDeploymentTenantedCommandV1",
    "RunRunbookCommandV1",
    "GetAllSpacesRequest",
];
/// The status of a server or node that answers and takes no tasks (octopus-api.md §26).
const TEAPOT: u16 = 418;
/// Whether a world has turned a feature toggle on.
fn is_on(state: &State, name: &str) -> bool {
    state.plan.toggles.iter().any(|toggle| toggle.get_ref() == name)
}

const ONE_LOGO: &str = "the same for everything: pictures are not kept";

#[rustfmt::skip]
pub(crate) const ENDPOINTS: &[Endpoint] = &[
    get("/api", "", &Whole(|state, _| Answer::ok(links::root(state.default_space(), &state.plan.version)))).public(),
    get("/api/{space}", "", &Whole(|state, ask| Answer::ok(links::space_root(&state.space_of(ask), &state.plan.version)))).public(),
    get("/api/octopusservernodes/ping", "", &Whole(|state, _| {
        let draining = state.store.of("octopusservernodes").iter().next().is_some_and(is_draining);
        Ok(Answer::Json(if draining { TEAPOT } else { 200 }, Box::new(ping(state))))
    })).public(),
    get("/api/octopusservernodes/summary", "", &Whole(|state, _| Answer::ok(summary(state)))),
    get("/api/serverstatus", "", &Whole(|state, _| Answer::ok(status(state)))),
    get("/api/serverstatus/health", "", &Whole(|state, _| {
        let draining = state.store.of("octopusservernodes").iter().all(is_draining);
        let shown = json!({
            "Description": if draining { "All nodes are draining tasks." } else { "" }, "IsCompliantWithLicense": true,
            "IsEntireClusterDrainingTasks": draining, "IsEntireClusterReadOnly": false, "IsOperatingNormally": !draining,
            "Links": {"Self": "/api/serverstatus/health"},
        });
        Ok(Answer::Json(if draining { TEAPOT } else { 200 }, Box::new(shown)))
    })).public(),
    get("/api/serverstatus/system-info", "ConfigureServer", &Whole(|state, _| Answer::ok(json!({
        "Version": state.plan.version.text, "OSVersion": "", "ClrVersion": "", "Uptime": "an hour", "ThreadCount": 1, "WorkingSetBytes": 0, "Links": {},
    })))).partly("the uptime is made up"),
    get("/api/smtpconfiguration", "ConfigureServer", &Whole(|state, _| Answer::ok(json!({
        "Id": "smtp-server", "SmtpHost": state.smtp.as_ref().map(|s| &s.0), "SmtpPort": state.smtp.as_ref().map(|s| s.1),
        "SendEmailFrom": "octopus@example.com", "EnableSsl": false, "Timeout": 12000,
        "Details": {"CredentialType": "UsernamePassword", "SmtpLogin": null, "SmtpPassword": {"HasValue": false, "NewValue": null, "Hint": null}},
        "Links": {"Self": "/api/smtpconfiguration"},
    })))),
    get("/api/smtpconfiguration/isconfigured", "", &Whole(|state, _| Answer::ok(json!({"IsConfigured": state.plan.smtp, "Links": {}})))),
    get("/api/maintenanceconfiguration", "", &Whole(|state, _| Answer::ok(maintenance(state)))),
    put("/api/maintenanceconfiguration", "ConfigureServer", &Whole(|state, ask| {
        state.maintenance = ask.field("IsInMaintenanceMode") == true;
        state.fill_slots();
        Answer::ok(maintenance(state))
    })).keeps(),
    get("/api/configuration/feature-toggles", "", &Whole(|state, ask| {
        let wanted = |name: &&str| ask.query("Name").is_none_or(|wanted| wanted.eq_ignore_ascii_case(name));
        let known: Vec<Value> = TOGGLES.into_iter().filter(wanted).map(|name| json!({"Name": name, "IsEnabled": is_on(state, name)})).collect();
        Answer::ok(json!({ "FeatureToggles": known }))
    })).partly("only the toggles that a world may turn on"),
    get("/api/configuration/enabled-feature-toggles", "", &Whole(|state, _| {
        Answer::ok(TOGGLES.into_iter().filter(|name| is_on(state, name)).collect::<Vec<_>>())
    })).partly("only the toggles that a world may turn on"),
    get("/api/capabilities", "", &Whole(|_, _| Answer::ok(json!({"Capabilities": ["GetAllSpacesRequest"]})))).partly("one capability, so that clients can ask"),
    get("/api/capabilities/{name}", "", &By(|_, _, [name]| {
        let known = COMMANDS.iter().any(|known| known.eq_ignore_ascii_case(name));
        if known { Answer::ok(json!({"Exists": true})) } else { Err(Refusal::missing(name)) }
    })).since(Generation::V2026_3).partly("the commands of the executions API only"),
    get("S/projects/{id}/logo", "ProjectView", &Of(PROJECTS, |_, _, _| logo())).partly(ONE_LOGO),
    get("S/tenants/{id}/logo", "TenantView", &Of(named("tenants"), |_, _, _| logo())).partly(ONE_LOGO),
    get("/api/spaces/{id}/logo", "SpaceView", &Of(named("spaces"), |_, _, _| logo())).partly(ONE_LOGO),
    absent("GET", "/api/spaces/{id}/search", "the portal's search is not simulated"),
    absent("GET", "/api/scheduler", "the server's own jobs are not simulated"),
    absent("GET", "S/reporting/deployments-counted-by-week", "reports are not simulated"),
    absent("GET", "S/accounts/{id}/usages", "accounts are plain documents"),
    absent("GET", "S/certificates/{id}/usages", "certificates are plain documents"),
    absent("GET", "/api/octopusservernodes/{id}/details", LINK),
];

#[allow(clippy::unnecessary_wraps)] // it is a handler
fn logo() -> Handled {
    Ok(Answer::Bytes(200, "image/png".into(), Bytes::from_static(LOGO)))
}

/// Whether a node starts no new tasks.
fn is_draining(node: &Value) -> bool {
    node["IsInMaintenanceMode"] == true
}

fn maintenance(state: &State) -> Value {
    json!({"Id": "maintenance", "IsInMaintenanceMode": state.maintenance, "Links": {"Self": "/api/maintenanceconfiguration"}})
}

fn status(state: &State) -> Value {
    json!({
        "IsInMaintenanceMode": state.maintenance, "MaintenanceExpires": null, "IsUpgradeAvailable": false, "IsMajorMinorUpgrade": false,
        "MaximumAvailableVersion": state.plan.version.text, "MaximumAvailableVersionCoveredByLicense": state.plan.version.text, "IsDatabaseEncrypted": false,
        "Links": {
            "Self": "/api/serverstatus", "Health": "/api/serverstatus/health", "RecentLogs": "/api/serverstatus/logs{?skip,take,includeDetail}",
            "SystemInfo": "/api/serverstatus/system-info", "SystemReport": "/api/serverstatus/system-report",
            "BuiltInFeedStats": "/api/serverstatus/nuget", "GCCollect": "/api/serverstatus/gc-collect",
        },
    })
}

/// The one node, as it answers to whoever asks whether it lives; nobody has to be signed in.
fn ping(state: &State) -> Value {
    let Some(node) = state.store.of("octopusservernodes").iter().next() else { return Value::Null };
    json!({
        "Id": node["Id"], "Name": node["Name"], "LastSeen": stamp(state.now), "IsOffline": false, "MaxConcurrentTasks": node["MaxConcurrentTasks"],
        "IsInMaintenanceMode": node["IsInMaintenanceMode"], "Version": state.plan.version.text,
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
                "Rank": "Leader", "Version": state.plan.version.text, "LastSeen": stamp(state.now), "IsOffline": false, "RunningTaskCount": state.running.len(),
                "Links": {"Self": own, "Details": format!("{own}/details")},
            })
        })
        .collect();
    json!({"Nodes": nodes, "Links": {}})
}
