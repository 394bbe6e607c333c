//! What each noun sends: paths, filters and bodies as the server's published schema has them.

use crate::support::http::*;
use jiff::SignedDuration;
use octorhai::api::*;
use octorhai::clock::{Clock, later};
use octorhai::error::Kind;
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// A server that answers each path (method and path) with what the table says, and 404 otherwise.
fn table(clock: &Clock, answers: Vec<(&'static str, Value)>) -> Server {
    Server::start(clock, move |request| {
        if request.path == "/api/spaces" {
            return spaces();
        }
        let wanted = format!("{} {}", request.method, request.path);
        match answers.iter().find(|(route, _)| *route == wanted) {
            Some((_, body)) => Reply::Json(if request.method == "POST" { 201 } else { 200 }, body.clone()),
            None => Reply::Json(404, json!({"ErrorMessage": format!("Nothing at {wanted}.")})),
        }
    })
}

fn last(server: &Server) -> Request {
    server.requests.lock().last().cloned().expect("there was a request")
}

fn list(items: Value) -> Value {
    json!({"Items": items})
}

/// The members a definition of the schema (2021.2) has.
fn members(definition: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/payloads/openapi-pruned.json");
    let schema: Value = serde_json::from_str(&std::fs::read_to_string(path).expect("it is there")).expect("it is JSON");
    let properties = schema["definitions"][definition]["properties"].as_object().expect("the definition is there");
    properties.keys().cloned().collect()
}

fn unknown_members(body: &Value, definition: &str, later: &[&str]) -> Vec<String> {
    let known = members(definition);
    body.as_object().expect("an object").keys().filter(|k| !known.contains(k) && !later.contains(&k.as_str())).cloned().collect()
}

/// The token that was read goes with the request; what was compared is looked at again before somebody is told.
#[tokio::test]
async fn variables_that_others_took_anew_are_told_unless_they_are_the_projects() {
    let clock = virtual_clock();
    let _busy = clock.enter();
    for is_current_after in [true, false] {
        let looks = Arc::new(Mutex::new(0));
        let seen = Arc::clone(&looks);
        let server = Server::start(&clock, move |request| match (request.method.as_str(), request.path.as_str()) {
            (_, "/api/spaces") => spaces(),
            ("GET", "/api/Spaces-1/releases/Releases-1") => Reply::Json(
                200,
                json!({"Id": "Releases-1", "ProjectId": "Projects-1", "Version": "1.0.0", "VariableSnapshotConcurrencyToken": "t-1"}),
            ),
            ("GET", "/api/Spaces-1/releases/Releases-1/deployments/template") => {
                *seen.lock() += 1;
                Reply::Json(200, json!({"IsVariableSetModified": *seen.lock() == 1 || !is_current_after}))
            }
            ("POST", "/api/Spaces-1/releases/Releases-1/snapshot-variables") => {
                Reply::Json(409, json!({"ErrorMessage": "It has been changed."}))
            }
            _ => Reply::Json(404, json!({"ErrorMessage": "Nothing."})),
        });
        let space = space(&server.address, &clock).await;
        let done = space.renew_variables(&"Releases-1".into()).await;
        let sent = server.requests.lock().iter().find(|request| request.method == "POST").cloned().expect("it was asked");
        assert_eq!(sent.body["VariableSnapshotConcurrencyToken"], "t-1");
        assert_eq!((server.count("POST"), *looks.lock()), (1, 2));
        match done {
            Ok(changed) => assert!(changed && is_current_after),
            Err(error) => {
                assert_eq!((error.kind(), is_current_after), (Kind::Conflict, false));
                assert!(
                    error.message().starts_with("the variables of release 1.0.0 were taken anew by somebody else meanwhile"),
                    "{error}"
                );
            }
        }
    }
}

#[tokio::test]
async fn bodies_are_spelt_as_the_server_spells_them() {
    let clock = virtual_clock();
    let _busy = clock.enter();
    let deployment = json!({"Id": "Deployments-1", "ReleaseId": "Releases-1", "ProjectId": "Projects-1", "EnvironmentId": "Environments-1", "TaskId": "ServerTasks-1"});
    let run = json!({"Id": "RunbookRuns-1", "RunbookId": "Runbooks-1", "EnvironmentId": "Environments-1", "TaskId": "ServerTasks-2"});
    let server = table(
        &clock,
        vec![
            ("POST /api/Spaces-1/deployments", deployment.clone()),
            ("POST /api/Spaces-1/deployments/override", json!({"Deployment": deployment})),
            ("POST /api/Spaces-1/runbookRuns", run),
            ("POST /api/Spaces-1/releases", json!({"Id": "Releases-1", "ProjectId": "Projects-1", "Version": "1.0"})),
        ],
    );
    let space = space(&server.address, &clock).await;
    let plain = NewDeployment::new(&"Projects-1".into(), &"Releases-1".into(), &"Environments-1".into());
    let subject = ReleaseToDeploy { debug_mode: Some("Off".into()), change_request_settings: Some(json!({})), ..plain.subject.clone() };
    let everything = NewDeployment {
        subject: subject.clone(),
        tenant: Some("Tenants-1".into()),
        use_guided_failure: Some(true),
        skip_actions: vec!["a".into()],
        specific_machines: vec!["Machines-1".into()],
        excluded_machines: vec!["Machines-2".into()],
        specific_target_tags: vec!["t".into()],
        excluded_target_tags: vec!["u".into()],
        form_values: BTreeMap::from([("guid".into(), "value".into())]),
        queue_time: Some(later(start_of_time(), SignedDuration::from_hours(1))),
        priority: Some("On".into()),
        ..plain
    };
    // Later than 2021.2: octopus-api.md §15.
    let later_members = ["Priority", "DebugMode", "ChangeRequestSettings", "SpecificTargetTagIds", "ExcludedTargetTagIds"];
    space.create(&everything, "m", &()).await.expect("created");
    let body = last(&server).body;
    assert_eq!(unknown_members(&body, "CreateDeploymentCommand", &later_members), [""; 0]);
    assert_eq!(body["QueueTime"], "2026-03-02T09:00:00.000+00:00");
    assert_eq!(body["TenantId"], "Tenants-1");

    let freeze_override = Some((vec!["DeploymentFreezes-2".into()], "hotfix".into()));
    let overriding = NewDeployment { subject: ReleaseToDeploy { freeze_override, ..subject }, ..everything };
    space.create(&overriding, "m2", &()).await.expect("created in spite of the freeze");
    let sent = last(&server);
    assert_eq!(sent.path, "/api/Spaces-1/deployments/override");
    assert_eq!(sent.body["FreezeIds"], json!(["DeploymentFreezes-2"]));
    assert_eq!(sent.body["CreateDeploymentCommand"]["Comments"], "[m2]");

    let runbook = Runbook::decode_for_test(
        json!({"Id": "Runbooks-1", "Name": "R", "ProjectId": "Projects-1", "PublishedRunbookSnapshotId": "RunbookSnapshots-1"}),
    );
    let run = NewRunbookRun {
        priority: Some("On".into()),
        use_guided_failure: Some(false),
        ..NewRunbookRun::new(&runbook, &"Environments-1".into()).expect("it is published")
    };
    assert_eq!(space.create(&run, "m3", &()).await.expect("it runs").task_id.as_str(), "ServerTasks-2");
    assert_eq!(unknown_members(&last(&server).body, "RunbookRunResource", &["Priority"]), [""; 0]);

    let release = NewRelease {
        channel: Some("Channels-1".into()),
        release_notes: Some("n".into()),
        git: Some(("refs/heads/main".into(), None)),
        ..NewRelease::new(&"Projects-1".into(), "1.0")
    };
    space.create_release(&release).await.expect("created");
    assert_eq!(unknown_members(&last(&server).body, "ReleaseResource", &[]), [""; 0]);
}

/// Documents are decoded the way the client does it.
trait ForTest: decode::Document {
    fn decode_for_test(body: Value) -> Self {
        Self::decode(body).expect("the document is right")
    }
}
impl<T: decode::Document> ForTest for T {}

#[tokio::test]
async fn the_latest_release_is_the_highest_and_not_the_newest() {
    let clock = virtual_clock();
    let _busy = clock.enter();
    let releases: Vec<Value> = ["1.9.1", "2.0.0-rc.1", "1.10.0", "1.2.0"]
        .iter()
        .enumerate()
        .map(|(i, v)| json!({"Id": format!("Releases-{}", 9 - i), "ProjectId": "Projects-1", "ChannelId": "Channels-1", "Version": v}))
        .collect();
    let server = table(
        &clock,
        vec![
            ("GET /api/Spaces-1/channels/Channels-1/releases", list(json!(releases))),
            (
                "GET /api/Spaces-1/projects/Projects-1/channels",
                list(json!([
                    {"Id": "Channels-2", "Name": "Beta", "ProjectId": "Projects-1"},
                    {"Id": "Channels-1", "Name": "Main", "ProjectId": "Projects-1", "IsDefault": true},
                ])),
            ),
            ("GET /api/Spaces-1/projects/Projects-1/releases", list(json!(releases))),
        ],
    );
    let space = space(&server.address, &clock).await;
    let project = Project::decode_for_test(json!({"Id": "Projects-1", "Name": "Project A"}));
    let channel = space.default_channel(&project).await.expect("Main");
    assert_eq!(channel.name, "Main");
    let version = async |range: Option<&str>| {
        let range = range.map(|r| VersionRange::parse(r).expect(r));
        space.latest_release(&project, Some(&channel), range.as_ref()).await.expect("a list").map(|r| r.version)
    };
    assert_eq!(version(None).await.as_deref(), Some("2.0.0-rc.1"));
    assert_eq!(version(Some("1.*")).await.as_deref(), Some("1.10.0"));
    assert_eq!(version(Some(">=2")).await, None);
    let error = space.release_by_version(&project, "1.10.1").await.expect_err("there is none");
    assert_eq!((error.kind(), error.hints()), (Kind::NotFound, &["did you mean `1.10.0`?".to_owned()][..]));
}

#[tokio::test]
async fn cancelling_a_task_twice_or_too_late_is_no_error() {
    let clock = virtual_clock();
    let _busy = clock.enter();
    let state = Arc::new(Mutex::new(("Executing", 0)));
    let server = Server::start(&clock, move |request| {
        let mut state = state.lock();
        match (request.method.as_str(), request.path.as_str()) {
            (_, "/api/spaces") => spaces(),
            ("POST", "/api/Spaces-1/tasks/ServerTasks-1/cancel") => {
                state.1 += 1;
                match state.1 {
                    // The first never arrives, the second is done but its answer is lost.
                    1 => Reply::Hangup,
                    2 => {
                        state.0 = "Cancelling";
                        Reply::Hangup
                    }
                    _ => Reply::Json(400, json!({"ErrorMessage": "The task is not running."})),
                }
            }
            _ => Reply::Json(200, json!({"Id": "ServerTasks-1", "State": state.0})),
        }
    });
    let space = space(&server.address, &clock).await;
    let task = space.cancel_task(&"ServerTasks-1".into()).await.expect("it is being cancelled");
    assert_eq!((task.state, server.count("POST")), (TaskState::Cancelling, 2));
    assert_eq!(space.cancel_task(&"ServerTasks-1".into()).await.expect("it is so already").state, TaskState::Cancelling);
}

#[tokio::test]
async fn an_interruption_is_taken_and_answered() {
    let clock = virtual_clock();
    let _busy = clock.enter();
    let answered = Arc::new(Mutex::new(false));
    let server = Server::start(&clock, move |request| match (request.method.as_str(), request.path.as_str()) {
        (_, "/api/spaces") => spaces(),
        ("PUT", "/api/Spaces-1/interruptions/Interruptions-1/responsible") => Reply::Json(200, json!({"Id": "Users-1", "Username": "bot"})),
        ("POST", "/api/Spaces-1/interruptions/Interruptions-1/submit") => {
            assert_eq!(request.body, json!({"Notes": "ok", "Result": "Proceed"}));
            *answered.lock() = true;
            Reply::Hangup
        }
        ("GET", "/api/Spaces-1/interruptions") => {
            assert_eq!((request.query["pendingOnly"].as_str(), request.query["regarding"].as_str()), ("true", "ServerTasks-1"));
            page(vec![json!({"Id": "Interruptions-1", "IsPending": !*answered.lock()})])
        }
        _ => Reply::Json(
            200,
            json!({"Id": "Interruptions-1", "IsPending": !*answered.lock(), "Form": {"Values": {"Result": "Proceed"}, "Elements": []}}),
        ),
    });
    let space = space(&server.address, &clock).await;
    let pending = space.interruptions(true, Some("ServerTasks-1")).await.expect("a list");
    assert_eq!(space.take_responsibility(&pending[0].id).await.expect("ours").username, "bot");
    let values = BTreeMap::from([("Notes".to_owned(), "ok".to_owned()), ("Result".to_owned(), "Proceed".to_owned())]);
    let after = space.submit_interruption(&pending[0].id, &values).await.expect("the answer was lost, but ours arrived");
    assert!(!after.is_pending);
    assert!(space.interruptions(true, Some("ServerTasks-1")).await.expect("a list").is_empty());
}

#[tokio::test]
async fn dashboards_outputs_freezes_and_prompts_are_read() {
    let clock = virtual_clock();
    let _busy = clock.enter();
    let server = table(
        &clock,
        vec![
            (
                "GET /api/Spaces-1/dashboard/dynamic",
                json!({
                    "Items": [{"ProjectId": "Projects-1", "EnvironmentId": "Environments-1", "ReleaseVersion": "2.0", "State": "Failed", "IsCurrent": true}],
                    "PreviousItems": [{"ProjectId": "Projects-1", "EnvironmentId": "Environments-1", "ReleaseVersion": "1.0", "State": "Success", "IsCurrent": true}],
                }),
            ),
            (
                "GET /api/Spaces-1/variables/variableset-Deployments-1",
                json!({"Id": "variableset-Deployments-1", "Variables": [
                    {"Name": "Octopus.Action[Build].Output.Url", "Value": "https://x"},
                    {"Name": "Octopus.Action[Build].Output.Token", "Value": null, "IsSensitive": true},
                    {"Name": "Octopus.Project.Name", "Value": "A"},
                ]}),
            ),
            (
                "GET /api/deploymentfreezes",
                json!({"Count": 1, "DeploymentFreezes": [{
                    "Id": "DeploymentFreezes-1", "Name": "Close", "Start": "2026-03-01T00:00:00.000+00:00", "End": "2026-03-03T00:00:00.000+00:00",
                    "ProjectEnvironmentScope": {"Projects-1": ["Environments-1"]},
                }]}),
            ),
            (
                "GET /api/Spaces-1/releases/Releases-1/deployments/preview/Environments-1",
                json!({"Form": {"Values": {"g-1": "2"}, "Elements": [
                    {"Name": "g-1", "IsValueRequired": true, "Control": {"Type": "VariableValue", "Name": "Wave", "Label": "Which wave"}},
                ]}}),
            ),
        ],
    );
    let space = space(&server.address, &clock).await;
    let items = space.dashboard_items(&["Environments-1".into()], &["Projects-1".into()], &[]).await.expect("items");
    let shown: Vec<_> = items.iter().map(|i| (i.release_version.as_str(), i.is_previous)).collect();
    assert_eq!(shown, [("2.0", false), ("1.0", true)]);
    assert_eq!(last(&server).query["includePrevious"], "true");

    let deployment = Deployment::decode_for_test(
        json!({"Id": "Deployments-1", "ReleaseId": "Releases-1", "ProjectId": "Projects-1", "EnvironmentId": "Environments-1", "TaskId": "ServerTasks-1"}),
    );
    let outputs = space.output_variables(&deployment).await.expect("the manifest");
    assert_eq!(outputs.keys().collect::<Vec<_>>(), ["Octopus.Action[Build].Output.Token", "Octopus.Action[Build].Output.Url"]);
    assert_eq!(outputs["Octopus.Action[Build].Output.Token"], None);

    let freeze = space.client().freezes(start_of_time()).await.expect("freezes").remove(0);
    assert_eq!(last(&server).query["effectiveDate"], "2026-03-02T08:00:00.000+00:00");
    assert!(freeze.at(start_of_time()) != freezes::FreezeAt::Open && freeze.covers(&"projects-1".into(), &"Environments-1".into(), None));
    assert!(!freeze.covers(&"Projects-1".into(), &"Environments-2".into(), None));

    let preview = space.deployment_preview(&"Releases-1".into(), &"Environments-1".into(), None).await.expect("a preview");
    let prompt = &preview.prompts()[0];
    assert_eq!(
        (prompt.element.as_str(), prompt.name.as_str(), prompt.label.as_str(), prompt.required),
        ("g-1", "Wave", "Which wave", true)
    );
}

#[tokio::test]
async fn spaces_and_raw_calls() {
    let clock = virtual_clock();
    let _busy = clock.enter();
    let server = Server::start(&clock, |request| match request.path.as_str() {
        "/api/spaces" => {
            page(vec![json!({"Id": "Spaces-2", "Name": "Ops", "Slug": "ops"}), json!({"Id": "Spaces-3", "Name": "Dev", "Slug": "dev"})])
        }
        path => Reply::Json(200, json!({"Path": path, "Method": request.method})),
    });
    let client = client(&server.address, &clock);
    let error = client.space(None).await.err().expect("none is the default");
    assert_eq!(error.kind(), Kind::NotFound);
    assert!(error.hints().iter().any(|h| h.contains("`Ops`, `Dev`")), "{error:?}");
    let ops = client.space(Some("ops")).await.expect("by slug");
    assert_eq!(ops.space().id.as_str(), "Spaces-2");
    assert_eq!(ops.raw("GET", "projects/all", None).await.expect("read")["Path"], "/api/Spaces-2/projects/all");
    assert_eq!(
        ops.raw("DELETE", "/api/users/Users-1", None).await.expect("written"),
        json!({"Path": "/api/users/Users-1", "Method": "DELETE"})
    );
    assert_eq!(ops.raw("HEAD", "x", None).await.expect_err("no method of ours").kind(), Kind::Usage);
    assert_eq!(ops.web_url("/app#/Spaces-2"), format!("{}/app#/Spaces-2", server.address));
}

#[tokio::test]
async fn a_server_without_tls_is_not_taken_for_one_with() {
    let clock = virtual_clock();
    let _busy = clock.enter();
    let server = Server::start(&clock, |_| Reply::Json(200, json!({})));
    let error = client(&server.address.replace("http:", "https:"), &clock).get("/api").await.expect_err("it does not speak TLS");
    assert_eq!(error.kind(), Kind::Unreachable);
    assert!(server.requests.lock().is_empty());
    assert_eq!(clock.since(start_of_time()), SignedDuration::from_secs(15));
}

#[tokio::test]
async fn keys_and_library_sets_are_made_and_removed() {
    let clock = virtual_clock();
    let _busy = clock.enter();
    let server = table(
        &clock,
        vec![
            ("POST /api/users/Users-1/apikeys", json!({"Id": "apikeys-2", "Purpose": "p", "ApiKey": "API-NEW", "Expires": null})),
            (
                "POST /api/users/Users-2/apikeys",
                json!({"Id": "apikeys-3", "Purpose": "p", "ApiKey": {"HasValue": true, "NewValue": "API-3"}}),
            ),
            ("POST /api/users/Users-3/apikeys", json!({"Id": "apikeys-4", "Purpose": "p", "ApiKey": {"HasValue": true, "NewValue": null}})),
            ("GET /api/users/Users-1/apikeys", list(json!([{"Id": "apikeys-2", "Purpose": "p", "ApiKey": {"HasValue": true}}]))),
            (
                "POST /api/Spaces-1/libraryvariablesets",
                json!({"Id": "LibraryVariableSets-7", "Name": "n", "VariableSetId": "variableset-7"}),
            ),
        ],
    );
    let (client, space) = (client(&server.address, &clock), space(&server.address, &clock).await);
    let until = later(start_of_time(), SignedDuration::from_hours(1));
    let (key, secret) = client.create_api_key(&"Users-1".into(), "p", until).await.expect("made");
    assert_eq!((key.id.as_str(), secret.as_str()), ("apikeys-2", "API-NEW"));
    assert_eq!(last(&server).body, json!({"Purpose": "p", "Expires": "2026-03-02T09:00:00.000+00:00"}));
    assert_eq!(client.create_api_key(&"Users-2".into(), "p", until).await.expect("made").1, "API-3");
    assert_eq!(client.create_api_key(&"Users-3".into(), "p", until).await.expect_err("no key is told").kind(), Kind::BadAnswer);
    assert_eq!(client.api_keys(&"Users-1".into()).await.expect("a list")[0].purpose, "p");
    // The table answers 404 to DELETE: gone already.
    client.revoke_api_key(&"Users-1".into(), &key.id).await.expect("gone is gone");
    assert_eq!((last(&server).method.as_str(), last(&server).path.as_str()), ("DELETE", "/api/users/Users-1/apikeys/apikeys-2"));

    let set = space.create_library_variable_set("n", "d").await.expect("made");
    assert_eq!(last(&server).body, json!({"Name": "n", "Description": "d", "ContentType": "Variables"}));
    space.delete_library_variable_set(&set.id).await.expect("gone is gone");
    assert_eq!(last(&server).path, "/api/Spaces-1/libraryvariablesets/LibraryVariableSets-7");
}
