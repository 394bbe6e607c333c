//! Parent and ephemeral environments: made, provisioned before the first deployment, deprovisioned, and removed when they are idle.

use crate::support::server::Server;
use octorhai::sandbox::World;
use reqwest::Method;
use serde_json::{Value, json};

/// Two projects whose releases of the channel `Pull requests` go below `Previews`, and one that has no such channel.
const WORLD: &str = r#"
[[environments]]
name = "Test"
[[parent_environments]]
name = "Previews"
[[parent_environments]]
name = "Long ones"
keep_idle = true

[[projects]]
name = "A"
provision = "Provision"
deprovision = "Deprovision"
steps = [ { name = "Deploy", takes = "3m" } ]
channels = [
  { name = "Default", default = true },
  { name = "Pull requests", parent = "Previews", name_template = "pr-#{Octopus.Release.CustomFields[PullRequest]}", automatic = true },
]
releases = [ { version = "1.0.0" }, { version = "2.0.0-pr.1", channel = "Pull requests" } ]
runbooks = [
  { name = "Provision", steps = [ { name = "Make", takes = "5m" } ] },
  { name = "Deprovision", steps = [ { name = "Take away", takes = "2m" } ] },
]
variables = [ { name = "Where", value = "preview", environments = ["Previews"] } ]

[[projects]]
name = "B"
channels = [ { name = "Default", default = true }, { name = "Pull requests", parent = "Previews" } ]
steps = [ { name = "Deploy", takes = "1m" } ]
releases = [ { version = "1.0.0", channel = "Pull requests" } ]

[[projects]]
name = "C"
steps = [ { name = "Deploy", takes = "1m" } ]
releases = [ { version = "1.0.0" } ]
"#;

const V2: &str = "/api/Spaces-1/environments/v2?skip=0&take=100";

/// Names by type, in the order of the answer.
async fn names(s: &Server, more: &str) -> Vec<String> {
    let page = s.get(&format!("{V2}{more}")).await;
    page["Items"].as_array().expect("a page").iter().map(|doc| format!("{} {}", doc["Type"], doc["Name"]).replace('"', "")).collect()
}

async fn make(s: &Server, project: &str, name: &str) -> (u16, Value) {
    let project = s.id("projects", project).await;
    s.post(&format!("/api/Spaces-1/projects/{project}/environments/ephemeral"), json!({ "EnvironmentName": name })).await
}

/// Makes an environment and returns its id.
async fn made(s: &Server, project: &str, name: &str) -> String {
    let (status, body) = make(s, project, name).await;
    assert_eq!(status, 201, "{body}");
    body["Id"].as_str().expect("an id").to_owned()
}

async fn deploy(s: &Server, project: &str, version: &str, environment: &str) -> (u16, Value) {
    let body = json!({"ReleaseId": s.release(project, version).await, "EnvironmentId": environment});
    s.post("/api/Spaces-1/deployments", body).await
}

async fn status(s: &Server, project: &str, environment: &str) -> String {
    let project = s.id("projects", project).await;
    let answer = s.get(&format!("/api/Spaces-1/projects/{project}/environments/ephemeral/{environment}/status")).await;
    answer["Status"].as_str().expect("a status").to_owned()
}

fn refusal((status, body): (u16, Value)) -> String {
    assert_eq!(status, 400, "{body}");
    body["Errors"][0].as_str().expect("a reason").to_owned()
}

#[tokio::test]
async fn second_list_shows_all_types_in_order_and_legacy_list_static_ones() {
    let s = Server::toml(WORLD).await;
    let id = made(&s, "A", "pr-451").await;
    assert_eq!(names(&s, "").await, ["Static Test", "Parent Previews", "Parent Long ones", "Ephemeral pr-451"]);
    assert_eq!(names(&s, "&type=Parent&type=Ephemeral&partialName=pr").await, ["Parent Previews", "Ephemeral pr-451"]);
    let page = s.get(V2).await;
    assert!(
        page.get("Links").is_none() && page["Items"][0].get("Links").is_none() && page["Items"][0].get("SortOrder").is_none(),
        "{page}"
    );
    for legacy in ["/environments", "/environments/v1"] {
        let page = s.get(&format!("/api/Spaces-1{legacy}")).await;
        let page = if page["Environments"].is_object() { &page["Environments"] } else { &page };
        assert_eq!(page["TotalResults"], 1, "{page}");
    }
    assert_eq!(s.get("/api/Spaces-1/environments/v1").await["Environments"]["ItemsPerPage"], 10);
    assert_eq!(s.get(&format!("/api/Spaces-1/environments/{id}/machines")).await["ItemsPerPage"], 20);
    assert_eq!(s.get("/api/Spaces-1/environments/all").await.as_array().map(Vec::len), Some(1));
    assert_eq!(s.get("/api/Spaces-1/environments/summary").await["EnvironmentSummaries"].as_array().map(Vec::len), Some(1));
    for wrong in ["/environments/v2", "/environments/v2?skip=0", "/environments/v2?take=1", "/environments/v2?skip=0&take=1&type=Odd"] {
        assert_eq!(s.send(Method::GET, &format!("/api/Spaces-1{wrong}"), None).await.0, 400, "{wrong}");
    }
    let b = s.id("projects", "B").await;
    let page = s.get(&format!("/api/Spaces-1/projects/{b}/environments?skip=0&take=9&type=Ephemeral")).await;
    assert_eq!(page["Items"][0]["Id"], id.as_str(), "{page}");
}

#[tokio::test]
async fn first_deployment_of_a_project_waits_for_its_provisioning_runbook() {
    let s = Server::toml(WORLD).await;
    let environment = made(&s, "A", "pr-451").await;
    let (code, first) = deploy(&s, "A", "2.0.0-pr.1", &environment).await;
    assert_eq!(code, 201, "{first}");
    s.pass(2);
    let task = first["TaskId"].as_str().expect("a task");
    assert_eq!((s.state_of(task).await, status(&s, "A", &environment).await), ("Queued".into(), "Provisioning".into()));
    let runs = s.get(&format!("/api/Spaces-1/runbookRuns?environments={environment}")).await;
    assert_eq!((&runs["TotalResults"], &runs["Items"][0]["DeployedBy"]), (&1.into(), &"System".into()));
    // The other project has no runbook for it, and shares the environment.
    let (_, other) = deploy(&s, "B", "1.0.0", &environment).await;
    s.pass(2);
    assert_eq!(s.state_of(other["TaskId"].as_str().expect("a task")).await, "Success");
    s.pass(5);
    assert_eq!((s.state_of(task).await, status(&s, "A", &environment).await), ("Success".into(), "Provisioned".into()));
    let project = s.id("projects", "A").await;
    let values = s.get(&format!("/api/Spaces-1/variables/preview?project={project}&environment={environment}")).await.to_string();
    assert!(values.contains("\"Where\""), "its parent scopes a variable: {values}");
    let (_, second) = deploy(&s, "A", "2.0.0-pr.1", &environment).await;
    s.pass(4);
    assert_eq!(s.state_of(second["TaskId"].as_str().expect("a task")).await, "Success");
    assert_eq!(s.get(&format!("/api/Spaces-1/runbookRuns?environments={environment}")).await["TotalResults"], 1);
}

#[tokio::test]
async fn failed_provisioning_fails_what_waits_for_it_and_is_tried_again() {
    let text = WORLD.replace("takes = \"5m\"", "takes = \"5m\", fails = [ { nth = 1, error = \"no capacity\" } ]");
    let s = Server::toml(&text).await;
    let environment = made(&s, "A", "pr-451").await;
    let (_, first) = deploy(&s, "A", "2.0.0-pr.1", &environment).await;
    s.pass(6);
    let task = s.get(&format!("/api/tasks/{}", first["TaskId"].as_str().expect("a task"))).await;
    let why = "The environment 'pr-451' could not be provisioned: the provisioning run ServerTasks-2 ended as Failed.";
    assert_eq!((&task["State"], &task["ErrorMessage"]), (&"Failed".into(), &why.into()));
    assert_eq!(status(&s, "A", &environment).await, "NotProvisioned");
    let (_, second) = deploy(&s, "A", "2.0.0-pr.1", &environment).await;
    s.pass(10);
    assert_eq!(s.state_of(second["TaskId"].as_str().expect("a task")).await, "Success");
}

#[tokio::test]
async fn what_cannot_be_deployed_to_says_why() {
    let s = Server::toml(WORLD).await;
    let environment = made(&s, "A", "pr-451").await;
    let parent = s.get(&format!("{V2}&name=Previews")).await["Items"][0]["Id"].as_str().expect("an id").to_owned();
    let why = refusal(deploy(&s, "A", "2.0.0-pr.1", &parent).await);
    assert_eq!(why, "The environment 'Previews' is a parent environment and cannot be deployed to.");
    for (project, version, environment) in [("A", "1.0.0", environment.clone()), ("A", "2.0.0-pr.1", s.id("environments", "Test").await)] {
        let why = refusal(deploy(&s, project, version, &environment).await);
        assert!(why.contains("not in the list of environments"), "{why}");
    }
    assert_eq!(refusal(make(&s, "C", "pr-451").await), "The project 'C' is not configured for ephemeral environments.");
    for (name, why) in [("Test", "already in use"), ("", "required"), (&*"x".repeat(51), "maximum length of 50")] {
        let said = refusal(make(&s, "A", name).await);
        assert!(said.contains(why), "{name}: {said}");
    }
    assert_eq!(made(&s, "B", "pr-451").await, environment, "two projects share it");
    let project = s.id("projects", "A").await;
    let freeze = json!({"Name": "F", "Start": "2026-01-01T00:00:00Z", "End": "2027-01-01T00:00:00Z", "ProjectEnvironmentScope": {&project: [environment]}});
    let why = refusal(s.post("/api/deploymentfreezes", freeze).await);
    assert_eq!(why, "The ephemeral environment 'pr-451' cannot be used in a deployment freeze.");
    let lifecycle = json!({"Name": "L", "Phases": [{"Name": "P", "OptionalDeploymentTargets": [parent]}]});
    assert_eq!(
        refusal(s.post("/api/Spaces-1/lifecycles", lifecycle).await),
        "The parent environment 'Previews' cannot be used in a lifecycle."
    );
    let tenant = json!({"Name": "T", "ProjectEnvironments": {&project: [environment]}});
    assert_eq!(refusal(s.post("/api/Spaces-1/tenants", tenant).await), "The ephemeral environment 'pr-451' cannot be used in a tenant.");
    let (code, said) = s.send(Method::DELETE, &format!("/api/Spaces-1/environments/{environment}"), None).await;
    assert_eq!(code, 501, "{said}");
}

#[tokio::test]
async fn release_of_an_automatic_channel_makes_its_environment_and_goes_there() {
    let s = Server::toml(WORLD).await;
    let project = s.id("projects", "A").await;
    let channels = s.get(&format!("/api/Spaces-1/projects/{project}/channels")).await;
    let channel =
        channels["Items"].as_array().expect("channels").iter().find(|c| c["Type"] == "EphemeralEnvironment").expect("one")["Id"].clone();
    let release =
        |version: &str, fields: Value| json!({"ProjectId": project, "ChannelId": channel, "Version": version, "CustomFields": fields});
    let why = refusal(s.post("/api/Spaces-1/releases", release("3.0.0", json!({}))).await);
    assert!(why.contains("the release has no value for #{Octopus.Release.CustomFields[PullRequest]}"), "{why}");
    assert_eq!(s.post("/api/Spaces-1/releases", release("3.0.0", json!({"PullRequest": "451/2"}))).await.0, 201);
    assert_eq!(names(&s, "&type=Ephemeral").await, ["Ephemeral pr-451-2"]);
    s.pass(10);
    let done = s.get("/api/Spaces-1/deployments?take=1").await["Items"][0].clone();
    assert_eq!((&done["DeployedBy"], s.state_of(done["TaskId"].as_str().expect("a task")).await), (&"System".into(), "Success".into()));
    // Another release of the same pull request goes to the same place.
    assert_eq!(s.post("/api/Spaces-1/releases", release("3.0.1", json!({"PullRequest": "451/2"}))).await.0, 201);
    s.pass(5);
    assert_eq!(s.get("/api/Spaces-1/deployments?take=1").await["Items"][0]["EnvironmentId"], done["EnvironmentId"]);
    assert_eq!(names(&s, "&type=Ephemeral").await.len(), 1);
}

#[tokio::test]
async fn deprovisioning_runs_the_runbook_and_removes_the_environment_when_it_is_for_all() {
    let s = Server::toml(WORLD).await;
    let (environment, project) = (made(&s, "A", "pr-451").await, s.id("projects", "A").await);
    deploy(&s, "A", "2.0.0-pr.1", &environment).await;
    let own = format!("/api/Spaces-1/projects/{project}/environments/ephemeral/{environment}/deprovision");
    let whole = format!("/api/Spaces-1/environments/ephemeral/{environment}/deprovision");
    assert_eq!(refusal(s.post(&own, json!({})).await), "The environment 'pr-451' is being provisioned.");
    s.pass(10);
    let run = s.post(&own, json!({})).await.1["DeprovisioningRun"].clone();
    assert_eq!(refusal(deploy(&s, "A", "2.0.0-pr.1", &environment).await), "The environment 'pr-451' is being deprovisioned.");
    s.pass(3);
    assert_eq!(s.state_of(run["TaskId"].as_str().expect("a task")).await, "Success");
    assert_eq!((names(&s, "&type=Ephemeral").await.len(), status(&s, "A", &environment).await), (1, "Deprovisioned".into()));
    assert_eq!(s.post(&own, json!({})).await.1, json!({}), "there is nothing to deprovision");
    // What is deployed again is provisioned again.
    deploy(&s, "A", "2.0.0-pr.1", &environment).await;
    s.pass(10);
    let runs = s.post(&whole, json!({})).await.1["DeprovisioningRuns"].clone();
    assert_eq!(runs.as_array().map(Vec::len), Some(1), "{runs}");
    assert_eq!(names(&s, "&type=Ephemeral").await.len(), 1, "until the runbook has run");
    s.pass(3);
    assert!(names(&s, "&type=Ephemeral").await.is_empty());
    let gone = s.get("/api/events?eventCategories=Deleted&take=1").await;
    assert_eq!(gone["Items"][0]["Message"], "Environment pr-451 was deleted");
    assert_eq!(s.post(&whole, json!({})).await.0, 404);
}

#[tokio::test]
async fn idle_environments_go_by_the_rule_of_their_parent() {
    let s = Server::toml(WORLD).await;
    let day = 24 * 60;
    let environment = made(&s, "B", "pr-1").await;
    s.pass(6 * day);
    deploy(&s, "B", "1.0.0", &environment).await;
    s.pass(6 * day);
    assert_eq!(names(&s, "&type=Ephemeral").await, ["Ephemeral pr-1"], "a deployment is activity");
    s.pass(day + 5);
    assert!(names(&s, "&type=Ephemeral").await.is_empty());
    // A shorter rule holds for those that are there.
    let (_, parent) = (made(&s, "B", "pr-2").await, s.get(&format!("{V2}&name=Previews")).await["Items"][0]["Id"].clone());
    let at = format!("/api/Spaces-1/parentEnvironments/{}", parent.as_str().expect("an id"));
    let rule =
        |rule: Value| json!({"EnvironmentId": parent, "Name": "Previews", "SpaceId": "Spaces-1", "AutomaticDeprovisioningRule": rule});
    assert_eq!(s.send(Method::PUT, &at, Some(rule(json!({"ExpiryHours": 3})))).await.0, 200);
    s.pass(3 * 60);
    assert!(names(&s, "&type=Ephemeral").await.is_empty());
    assert_eq!(s.send(Method::PUT, &at, Some(rule(Value::Null))).await.0, 200);
    made(&s, "B", "pr-3").await;
    s.pass(90 * day);
    assert_eq!(names(&s, "&type=Ephemeral").await, ["Ephemeral pr-3"]);
    assert_eq!(
        refusal(s.send(Method::DELETE, &at, None).await),
        "The parent environment 'Previews' cannot be deleted: environments or channels use it."
    );
}

#[tokio::test]
async fn channel_keeps_lists_that_a_change_leaves_out_and_cannot_be_half_ephemeral() {
    let s = Server::toml(WORLD).await;
    let (project, parent) = (s.id("projects", "C").await, s.get(&format!("{V2}&name=Previews")).await["Items"][0]["Id"].clone());
    let body = |more: Value| {
        let mut body = json!({"Name": "Pull requests", "ProjectId": project, "SpaceId": "Spaces-1", "Type": "EphemeralEnvironment"});
        more.as_object().into_iter().flatten().for_each(|(key, value)| body[key] = value.clone());
        body
    };
    let channels = "/api/Spaces-1/channels";
    for (wrong, why) in [
        (json!({}), "ParentEnvironmentId field is required"),
        (json!({"ParentEnvironmentId": s.id("environments", "Test").await}), "No ephemeral environment lifecycle found"),
        (json!({"ParentEnvironmentId": parent, "LifecycleId": "Lifecycles-1"}), "has no lifecycle"),
        (json!({"ParentEnvironmentId": parent, "AutomaticEphemeralEnvironmentDeployments": true}), "NameTemplate field is required"),
        (json!({"ParentEnvironmentId": parent, "EphemeralEnvironmentNameTemplate": "x".repeat(1001)}), "maximum length of 1000"),
        (json!({"Type": "Lifecycle", "ParentEnvironmentId": parent}), "Only a channel of the type EphemeralEnvironment"),
        (json!({"Type": "Other"}), "not valid for Type"),
    ] {
        let said = refusal(s.post(channels, body(wrong)).await);
        assert!(said.contains(why), "{said}");
    }
    let (code, made) = s.post(channels, body(json!({"ParentEnvironmentId": parent, "Rules": [{"VersionRange": "[1,2)"}]}))).await;
    assert_eq!((code, &made["LifecycleId"], &made["Type"]), (201, &Value::Null, &"EphemeralEnvironment".into()), "{made}");
    let at = format!("{channels}/{}", made["Id"].as_str().expect("an id"));
    let change = async |more: Value| s.send(Method::PUT, &at, Some(body(more))).await;
    let kept = change(json!({"ParentEnvironmentId": parent})).await;
    assert_eq!((kept.0, &kept.1["Rules"][0]["VersionRange"]), (200, &"[1,2)".into()));
    assert_eq!(change(json!({"ParentEnvironmentId": parent, "Rules": []})).await.1["Rules"], json!([]));
    assert_eq!(change(json!({"Type": "Lifecycle"})).await.0, 501);
    assert_eq!(s.post(channels, body(json!({"Name": "More", "ParentEnvironmentId": parent}))).await.0, 501);
}

#[tokio::test]
async fn older_servers_know_nothing_of_it() {
    let shop = World::builtin_toml("shop").expect("a world");
    let s = Server::toml(&format!("version = \"2025.1\"\n{shop}")).await;
    assert_eq!(s.send(Method::GET, V2, None).await.0, 404);
    let project = s.id("projects", "Project A").await;
    for path in [format!("/api/Spaces-1/projects/{project}"), "/api/Spaces-1/channels".to_owned()] {
        let text = s.get(&path).await.to_string();
        assert!(!text.contains("ParentEnvironmentId") && !text.contains("ProvisioningRunbookId"), "{text}");
    }
    let body = json!({"Name": "PR", "ProjectId": project, "Type": "EphemeralEnvironment", "ParentEnvironmentId": "Environments-1"});
    let (code, made) = s.post("/api/Spaces-1/channels", body).await;
    assert_eq!((code, &made["Type"]), (201, &"Lifecycle".into()), "{made}");
    let wrong = World::from_toml("old.toml", &format!("version = \"2025.1\"\n{WORLD}")).err().expect("it is too new");
    assert!(wrong.message().contains("needs a server that has ephemeral environments"), "{wrong}");
}

#[test]
fn world_files_say_what_is_wrong_with_a_channel_or_a_parent() {
    for (from, to, why) in [
        ("parent = \"Previews\", name_template", "parent = \"Preview\", name_template", "there is no parent environment `Preview`"),
        ("keep_idle = true", "idle = \"90m\"", "must have an `idle` of whole hours"),
        ("name = \"Long ones\"", "name = \"Test\"", "there are two environments called `Test`"),
        ("provision = \"Provision\"", "provision = \"Provide\"", "there is no runbook `Provide`"),
        ("parent = \"Previews\" } ]", "automatic = true } ]", "is `automatic` and has no `parent`"),
    ] {
        let text = WORLD.replacen(from, to, 1);
        assert_ne!(text, WORLD, "{from}");
        let wrong = World::from_toml("wrong.toml", &text).err().unwrap_or_else(|| panic!("{to}"));
        assert!(wrong.to_string().contains(why), "{wrong}");
    }
}
