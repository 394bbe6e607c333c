//! Nothing is accepted and ignored: each member of a body that an endpoint takes makes a difference, and others are answered with 501.

use crate::support::server::Server;
use octorhai::sandbox::endpoints;
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

const WORLD: &str = r#"
key = "API-SANDBOX"
start = "2026-03-02T08:00:00Z"
[[environments]]
name = "E"
[[environments]]
name = "D"
guided_failure = false
[[environments]]
name = "Frozen"
[[lifecycles]]
name = "Anywhere"
phases = [ { name = "All", environments = ["E", "D", "Frozen"] } ]
[[users]]
name = "bo"
key = "API-BO"
[[teams]]
name = "Team"
members = ["sandbox", "bo"]
[[tag_sets]]
name = "Set"
tags = ["Tag"]
[[tenants]]
name = "T"
tags = ["Set/Tag"]
projects = { P = ["E", "D", "Frozen"] }
[[tenants]]
name = "U"
projects = { P = ["E", "D", "Frozen"] }
[[machines]]
name = "M"
environments = ["E", "D"]
[[packages]]
id = "Web"
versions = ["1.0.0", "1.2.0-beta", "1.3.0"]
[[freezes]]
name = "Freeze"
from = "0s"
for = "5000h"
projects = ["P"]
environments = ["Frozen"]
[[approval_rules]]
name = "Rule"
projects = ["Approved"]
environments = ["E"]
approvers = ["sandbox", "bo"]
minimum = 1
self_approval = true
[[projects]]
name = "P"
lifecycle = "Anywhere"
tenanted = "both"
variables = [ { name = "Wave", value = "1", prompt = "Wave" } ]
steps = [ { name = "one", takes = "1m" }, { name = "two", takes = "1m" } ]
releases = [ { version = "1", notes = "first" }, { version = "2" } ]
runbooks = [ { name = "R", steps = [ { name = "look", takes = "1m" } ] } ]
[[projects]]
name = "Asks"
steps = [ { name = "ask", manual = { instructions = "go?", teams = ["Team"] } } ]
releases = [ { version = "1" } ]
[[projects]]
name = "Fails"
steps = [ { name = "one", takes = "1m", fails = [ { error = "broken" } ] } ]
releases = [ { version = "1" } ]
[[projects]]
name = "Approved"
steps = [ { name = "one", takes = "1m" } ]
releases = [ { version = "1" } ]
[[projects]]
name = "Packed"
steps = [ { name = "web", takes = "1m", package = "Web" } ]
releases = []
channels = [ { name = "Default", default = true }, { name = "Other" } ]
"#;

/// Names that stand for identifiers, in paths and bodies: `@environments/E`, `@releases/P/1`.
async fn named(server: &Server, text: &str) -> String {
    let Some((kind, name)) = text.strip_prefix('@').and_then(|rest| rest.split_once('/')) else { return text.to_owned() };
    match (kind, name.split_once('/')) {
        ("releases", Some((project, version))) => server.release(project, version).await,
        ("runbooks" | "environments" | "projects" | "tenants" | "machines" | "runbookSnapshots" | "channels", None) => {
            let all = server.get(&format!("/api/Spaces-1/{kind}?take=1000")).await;
            let all = all["Items"].as_array().cloned().expect("items");
            let found = all.iter().find(|doc| doc["Name"] == name).unwrap_or_else(|| panic!("no {text}"));
            found["Id"].as_str().expect("an id").to_owned()
        }
        ("variables", None) => {
            let project = Box::pin(named(server, "@projects/P")).await;
            let set = server.get(&format!("/api/Spaces-1/projects/{project}/variables")).await;
            let all = set["Variables"].as_array().cloned().expect("variables");
            all.iter().find(|v| v["Name"] == name).expect("a variable")["Id"].as_str().expect("an id").to_owned()
        }
        _ => panic!("no {text}"),
    }
}

async fn filled(server: &Server, value: &Value) -> Value {
    match value {
        Value::String(text) => json!(named(server, text).await),
        Value::Array(list) => {
            let mut all = Vec::new();
            for one in list {
                all.push(Box::pin(filled(server, one)).await);
            }
            json!(all)
        }
        Value::Object(members) => {
            let mut all = serde_json::Map::new();
            for (name, one) in members {
                all.insert(named(server, name).await, Box::pin(filled(server, one)).await);
            }
            Value::Object(all)
        }
        other => other.clone(),
    }
}

async fn path_of(server: &Server, path: &str) -> String {
    let mut whole = Vec::new();
    for segment in path.split('/') {
        whole.push(named(server, &segment.replacen('~', "/", 2)).await);
    }
    whole.join("/")
}

/// What can be seen of a server.
const SEEN: &[&str] = &[
    "/sandbox/state",
    "/api/Spaces-1/tasks?take=1000",
    "/api/Spaces-1/deployments?take=1000",
    "/api/Spaces-1/runbookRuns?take=1000",
    "/api/Spaces-1/releases?take=1000",
    "/api/Spaces-1/events?take=1000",
    "/api/Spaces-1/interruptions",
    "/api/Spaces-1/artifacts",
    "/api/Spaces-1/build-information",
    "/api/Spaces-1/runbookSnapshots",
    "/api/Spaces-1/releases/Releases-1/defects",
    "/api/users/Users-1/apikeys",
];

/// A request, with what must be there before it.
struct Case {
    name: &'static str,
    path: &'static str,
    before: Vec<(&'static str, &'static str, Value)>,
    body: Value,
    /// Values other than those of the body.
    members: Vec<(&'static str, Value)>,
}

impl Case {
    /// What the server answers and looks like after the request, at once and two hours later.
    async fn played(&self, body: &Value) -> (u16, String) {
        let server = Server::toml(WORLD).await;
        for (method, path, body) in &self.before {
            let (path, body) = (path_of(&server, path).await, filled(&server, body).await);
            let (status, answer) = server.send(method.parse().expect("a method"), &path, Some(body)).await;
            assert!(status < 300, "{}: {path}: {status} {answer}", self.name);
            server.pass(3);
        }
        let method: Method = self.name.split(' ').next().expect("a method").parse().expect("a method");
        let (status, answer) = server.send(method, &path_of(&server, self.path).await, Some(filled(&server, body).await)).await;
        let mut all = format!("{status} {answer}");
        for minutes in [1, 120] {
            server.pass(minutes);
            for path in SEEN {
                all.push_str(&server.send(Method::GET, path, None).await.1.to_string());
            }
        }
        (status, all)
    }
}

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
        ("DeploymentFreezeNames", json!(["Freeze"])),
        ("DeploymentFreezeOverrideReason", json!("must")),
        ("Variables", json!({"Wave": "2"})),
    ]);
    all.extend_from_slice(more);
    all
}

fn cases() -> Vec<Case> {
    const DEPLOY: &str = "/api/Spaces-1/deployments";
    let deployment = |project: &str| json!({"ReleaseId": format!("@releases/{project}/1"), "EnvironmentId": "@environments/E"});
    let named = json!({"SpaceIdOrName": "Default", "ProjectName": "P"});
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
            &[],
            with(&named, json!({"ReleaseVersion": "1", "EnvironmentNames": ["E"]})),
            &by_name(&[("ForcePackageRedeployment", json!(true)), ("ReleaseVersion", json!("2")), ("EnvironmentNames", json!(["D"]))]),
        ),
        case(
            "POST /api/{space}/deployments/create/tenanted/v1",
            "/api/Spaces-1/deployments/create/tenanted/v1",
            &[],
            with(&named, json!({"ReleaseVersion": "1", "EnvironmentName": "E", "Tenants": ["U"]})),
            &by_name(&[("ForcePackageRedeployment", json!(true)), ("ReleaseVersion", json!("2")), ("EnvironmentName", json!("D"))]),
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
            json!({"RunbookId": "@runbooks/R", "EnvironmentId": "@environments/E", "ProjectId": "@projects/P"}),
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
            "POST /api/{space}/releases/{id}/defects",
            "/api/Spaces-1/releases/Releases-1/defects",
            &[],
            json!({"Description": "wet"}),
            &[("Description", json!("broken"))],
        ),
        case(
            "POST /api/{space}/releases/{id}/deployments/previews",
            "/api/Spaces-1/releases/@releases~P~1/deployments/previews",
            &[],
            json!({"DeploymentPreviews": [{"EnvironmentId": "@environments/E"}]}),
            &[("DeploymentPreviews", json!([]))],
        ),
        case(
            "POST /api/{space}/runbooks/{id}/runbookRuns/previews",
            "/api/Spaces-1/runbooks/@runbooks~R/runbookRuns/previews",
            &[],
            json!({"DeploymentPreviews": [{"EnvironmentId": "@environments/E"}]}),
            &[("DeploymentPreviews", json!([]))],
        ),
        case(
            "POST /api/{space}/projects/{id}/runbooks/{runbook}/runbookRuns/previews",
            "/api/Spaces-1/projects/@projects~P/runbooks/@runbooks~R/runbookRuns/previews",
            &[],
            json!({"DeploymentPreviews": [{"EnvironmentId": "@environments/E"}]}),
            &[("DeploymentPreviews", json!([]))],
        ),
        case(
            "POST /api/{space}/runbookSnapshots",
            "/api/Spaces-1/runbookSnapshots",
            &[],
            json!({"RunbookId": "@runbooks/R", "ProjectId": "@projects/P", "Name": "S"}),
            &[
                ("RunbookId", json!("Runbooks-9")),
                ("ProjectId", json!("@projects/Fails")),
                ("Name", json!("S2")),
                ("Notes", json!("why")),
                ("SelectedPackages", json!([{"ActionName": "look", "Version": "1"}])),
            ],
        ),
        case(
            "POST /api/{space}/projects/{id}/runbookSnapshots",
            "/api/Spaces-1/projects/@projects~P/runbookSnapshots",
            &[],
            json!({"RunbookId": "@runbooks/R", "ProjectId": "@projects/P", "Name": "S"}),
            &[
                ("RunbookId", json!("Runbooks-9")),
                ("ProjectId", json!("@projects/Fails")),
                ("Name", json!("S2")),
                ("Notes", json!("why")),
                ("SelectedPackages", json!([{"ActionName": "look", "Version": "1"}])),
            ],
        ),
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

/// Endpoints whose members other tests look at, or that always answer the same.
const ELSEWHERE: &[(&str, &str)] = &[
    ("POST /api/users/login", "nobody has a password"),
    ("POST /api/{space}/actiontemplates/{id}/actionsUpdate", "tests/it/sandbox/step_templates.rs"),
    ("PUT /api/{space}/servertaskapprovals/{id}/approvals/{vote}", "reads what the POST reads; tests/it/resilience/approvals.rs"),
];

/// The members of each endpoint that takes some.
fn taken() -> BTreeMap<String, BTreeSet<String>> {
    let all = endpoints().filter_map(|endpoint| {
        let members: BTreeSet<String> =
            endpoint["takes"].as_array()?.iter().map(|name| name.as_str().expect("a name").to_owned()).collect();
        let name = format!("{} {}", endpoint["method"].as_str()?, endpoint["path"].as_str()?);
        (!members.is_empty()).then_some((name, members))
    });
    all.collect()
}

#[tokio::test]
async fn each_accepted_member_makes_a_difference() {
    let mut shown: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut silent = Vec::new();
    for case in cases() {
        let (status, base) = case.played(&case.body).await;
        assert!(status < 300, "{}: {base:.300}", case.name);
        for (member, value) in &case.members {
            let mut body = case.body.clone();
            body[*member] = value.clone();
            let (status, with) = case.played(&body).await;
            if status == 501 || with == base {
                silent.push(format!("{} `{member}`: {with:.160}", case.name));
            }
            shown.entry(case.name.to_owned()).or_default().insert((*member).to_owned());
        }
    }
    assert!(silent.is_empty(), "{}", silent.join("\n"));
    let mut missing = taken();
    for (endpoint, _) in ELSEWHERE {
        assert!(missing.remove(*endpoint).is_some(), "{endpoint} takes nothing");
    }
    for (endpoint, members) in shown {
        let left = missing.entry(endpoint.clone()).or_default();
        for member in members {
            assert!(left.remove(&member), "{endpoint} does not say that it takes `{member}`");
        }
    }
    missing.retain(|_, members| !members.is_empty());
    assert!(missing.is_empty(), "not tried: {missing:#?}");
}

#[tokio::test]
async fn a_member_on_which_nothing_acts_is_refused_by_its_name() {
    let server = Server::toml(WORLD).await;
    let mut tried = 0;
    for endpoint in endpoints().filter(|endpoint| endpoint["takes"].is_array() && endpoint["depth"] != "501") {
        let text = |key: &str| endpoint[key].as_str().unwrap_or_default().to_owned();
        let method: Method = text("method").parse().expect("a method");
        if method == Method::GET || text("path").contains("/login") || text("path").contains("/logout") {
            continue;
        }
        let path = text("path").replace("{space}", "Spaces-1").replace(['{', '}'], "");
        let body = json!({"Moon": true, "Nothing": null, "Empty": "", "No": false, "None": [], "Links": {"Self": "/api"}});
        let (status, answer) = server.send(method, &path, Some(body)).await;
        let said = answer["ErrorMessage"].as_str().unwrap_or_default();
        assert!(status == 501 && said.contains("`Moon`"), "{endpoint}: {status} {answer}");
        tried += 1;
    }
    assert!(tried > 40, "{tried}");
}
