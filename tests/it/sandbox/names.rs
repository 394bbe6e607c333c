//! Names of fields that show only in what follows from them: rules, secrets, copies, spaces, orders.

use crate::support::server::Server;
use serde_json::{Value, json};

const WORLD: &str = r#"
[[spaces]]
name = "Default"
[[spaces]]
name = "Yard"
[[environments]]
name = "Test"
[[environments]]
name = "Hull"
space = "Yard"
[[tag_sets]]
name = "Region"
tags = ["North", "South"]
[[teams]]
name = "Pilots"
members = ["sandbox"]
[[packages]]
id = "Acme.Keel"
space = "Yard"
versions = ["1.0.0"]
[[lifecycles]]
name = "Anywhere"
phases = [{ name = "All", environments = ["Test"] }]
[[projects]]
name = "Harbour"
lifecycle = "Anywhere"
steps = [{ name = "Ask", manual = { instructions = "Is the tide right?", teams = ["Pilots"] } }]
releases = [{ version = "1.0.0" }]
channels = [{ name = "Main", default = true }, { name = "Beta", versions = "[2.0,3.0)", tag = "^beta" }]
variables = [{ name = "Pin", prompt = "Pin", sensitive = true }, { name = "Berth", value = "4", prompt = "Berth" }]
runbooks = [{ name = "Drain", steps = [{ name = "Pump" }] }]
[[projects]]
name = "Keel"
space = "Yard"
steps = [{ name = "Lay", package = "Acme.Keel" }]
releases = [{ version = "1.0.0", channel = "Default" }]
runbooks = [{ name = "Scrape", steps = [{ name = "Scrub" }] }]
tenanted = "both"
[[tenants]]
name = "Vik"
space = "Yard"
projects = { Keel = ["Hull"] }
"#;

fn find<'v>(list: &'v Value, name: &str) -> &'v Value {
    list.as_array().expect("a list").iter().find(|d| d["Name"] == name).unwrap_or_else(|| panic!("no {name} in {list}"))
}

#[tokio::test]
async fn a_secret_answer_to_a_prompt_stays_secret() {
    let s = Server::toml(WORLD).await;
    let set = s.get("/api/Spaces-1/variables/variableset-Projects-1").await;
    let (pin, berth) = (find(&set["Variables"], "Pin")["Id"].clone(), find(&set["Variables"], "Berth")["Id"].clone());
    let forms = json!({pin.as_str().expect("an id"): "hush", berth.as_str().expect("an id"): "7"});
    let (status, made) = s
        .post("/api/Spaces-1/deployments", json!({"ReleaseId": "Releases-1", "EnvironmentId": "Environments-1", "FormValues": forms}))
        .await;
    assert_eq!(status, 201, "{made}");
    let manifest = s.get(&format!("/api/Spaces-1/variables/{}", made["ManifestVariableSetId"].as_str().expect("an id"))).await;
    let (pin, berth) = (find(&manifest["Variables"], "Pin"), find(&manifest["Variables"], "Berth"));
    assert_eq!((&pin["IsSensitive"], &pin["Value"]), (&json!(true), &Value::Null));
    assert_eq!((&berth["IsSensitive"], &berth["Value"]), (&json!(false), &json!("7")));
    let preview = s.get("/api/Spaces-1/variables/preview?project=Projects-1&environment=Environments-1").await;
    assert_eq!(find(&preview["Variables"], "Berth")["Value"], "4");
    assert_eq!(
        (&find(&preview["Variables"], "Pin")["IsSensitive"], &find(&preview["Variables"], "Pin")["Value"]),
        (&json!(true), &Value::Null)
    );
}

#[tokio::test]
async fn a_slug_that_a_client_chose_is_kept_however_it_is_written() {
    let s = Server::toml(WORLD).await;
    for (key, name, slug) in [("Slug", "Quay nine", "ninth"), ("slug", "Quay ten", "tenth")] {
        let (status, made) = s.post("/api/Spaces-1/environments", json!({"Name": name, key: slug})).await;
        assert_eq!((status, &made["Name"]), (201, &json!(name)), "{made}");
        assert_eq!(made["Slug"], slug, "{made}");
        assert_eq!(s.get(&format!("/api/Spaces-1/environments/{slug}")).await["Id"], made["Id"]);
    }
}

#[tokio::test]
async fn a_new_environment_is_the_last() {
    let s = Server::toml(WORLD).await;
    let before = s.get("/api/Spaces-1/environments").await["TotalResults"].as_u64().expect("a number");
    let (status, made) = s.post("/api/Spaces-1/environments", json!({"Name": "Abyss"})).await;
    assert_eq!(status, 201, "{made}");
    assert!(made["SortOrder"].as_u64().is_some_and(|n| n >= before), "{made}");
    let all = s.get("/api/Spaces-1/environments/all").await;
    assert_eq!(all.as_array().and_then(|a| a.last()).map(|e| &e["Name"]), Some(&json!("Abyss")), "{all}");
}

#[tokio::test]
async fn a_world_says_which_teams_answer_and_which_space_has_what() {
    let s = Server::toml(WORLD).await;
    let process = s.get("/api/Spaces-1/deploymentprocesses/deploymentprocess-Projects-1").await;
    let team = s.get("/api/teams?partialName=Pilots").await["Items"][0]["Id"].clone();
    let properties = &process["Steps"][0]["Actions"][0]["Properties"];
    assert_eq!((&properties["Octopus.Action.Manual.ResponsibleTeamIds"], team.is_string()), (&team, true));
    assert_eq!(properties["Octopus.Action.Manual.Instructions"], "Is the tide right?");
    let packages = |space: &str| format!("/api/{space}/packages?nuGetPackageId=Acme.Keel");
    assert_eq!(s.get(&packages("Spaces-1")).await["TotalResults"], 0);
    assert_eq!(s.get(&packages("Spaces-2")).await["TotalResults"], 1);
    for space in ["Spaces-1", "Spaces-2"] {
        let feeds = s.get(&format!("/api/{space}/feeds/all")).await;
        let spaces: Vec<&Value> = feeds.as_array().expect("a list").iter().map(|f| &f["SpaceId"]).collect();
        assert_eq!(spaces, [space], "{feeds}");
    }
    let yard = s.get("/api/Spaces-2/feeds/all").await[0]["Id"].clone();
    let process = s.get("/api/Spaces-2/deploymentprocesses/deploymentprocess-Projects-2").await;
    assert_eq!((&process["Steps"][0]["Actions"][0]["Packages"][0]["FeedId"], yard == "feeds-builtin"), (&yard, false));
    let channel = s.get("/api/Spaces-2/projects/Projects-2/channels").await["Items"][0]["Id"].clone();
    assert_eq!(s.get("/api/Spaces-2/projects/Projects-2/releases").await["Items"][0]["ChannelId"], channel);
    let hull = s.get("/api/Spaces-2/environments/all").await;
    assert_eq!((hull.as_array().map(Vec::len), &hull[0]["Name"], &hull[0]["SpaceId"]), (Some(1), &json!("Hull"), &json!("Spaces-2")));
    let tags = s.get("/api/Spaces-1/tagsets/all").await;
    let names: Vec<&Value> = tags[0]["Tags"].as_array().expect("tags").iter().map(|t| &t["CanonicalTagName"]).collect();
    assert_eq!((&tags[0]["Name"], names), (&json!("Region"), vec![&json!("Region/North"), &json!("Region/South")]));
}

#[tokio::test]
async fn what_is_copied_points_at_itself() {
    let s = Server::toml(WORLD).await;
    let (status, copy) = s
        .post(
            "/api/Spaces-1/projects?clone=Projects-1",
            json!({"Name": "Dock", "ProjectGroupId": "ProjectGroups-1", "LifecycleId": "Lifecycles-1"}),
        )
        .await;
    assert_eq!(status, 201, "{copy}");
    let id = copy["Id"].as_str().expect("an id");
    for (kind, key) in [("variables", "VariableSetId"), ("deploymentprocesses", "DeploymentProcessId")] {
        let at = format!("/api/Spaces-1/{kind}/{}", copy[key].as_str().expect("an id"));
        let doc = s.get(&at).await;
        assert_eq!((&doc["Links"]["Self"], &doc["Id"]), (&json!(at), &copy[key]));
        assert_eq!(doc.get("OwnerId").or_else(|| doc.get("ProjectId")), Some(&json!(id)), "{doc}");
    }
    let runbook = s.get(&format!("/api/Spaces-1/projects/{id}/runbooks")).await["Items"][0].clone();
    let process = runbook["RunbookProcessId"].as_str().expect("an id");
    assert_eq!(
        (&runbook["ProjectId"], process),
        (&json!(id), format!("RunbookProcess-{}", runbook["Id"].as_str().expect("an id")).as_str())
    );
    let process = s.get(&format!("/api/Spaces-1/runbookProcesses/{process}")).await;
    assert_eq!((&process["RunbookId"], &process["Steps"][0]["Name"]), (&runbook["Id"], &json!("Pump")));
}

#[tokio::test]
async fn a_channel_refuses_by_range_and_by_tag() {
    let s = Server::toml(WORLD).await;
    let beta = s.get("/api/Spaces-1/projects/Projects-1/channels?partialName=Beta").await["Items"][0]["Id"].clone();
    let release = |version: &str| json!({"ProjectId": "Projects-1", "Version": version, "ChannelId": beta});
    for (version, why) in
        [("1.0.1-beta", "version range '[2.0,3.0)'"), ("2.1.0-rc", "pre-release tag '^beta'"), ("2.1.0", "pre-release tag '^beta'")]
    {
        let (status, refused) = s.post("/api/Spaces-1/releases", release(version)).await;
        assert_eq!(status, 400, "{version}: {refused}");
        assert!(refused["Errors"][0].as_str().is_some_and(|e| e.contains(why)), "{version}: {refused}");
    }
    assert_eq!(s.post("/api/Spaces-1/releases", release("2.1.0-beta.1")).await.0, 201);
    let (_, tested) =
        s.post("/api/Spaces-1/channels/rule-test?version=2.1.0-rc&versionRange=[2.0,3.0)&preReleaseTag=%5Ebeta", json!({})).await;
    assert_eq!((&tested["SatisfiesVersionRange"], &tested["SatisfiesPreReleaseTag"]), (&json!(true), &json!(false)));
}

#[tokio::test]
async fn a_run_takes_the_snapshot_that_was_asked_for() {
    let s = Server::toml(WORLD).await;
    let mut ids = Vec::new();
    for name in ["First", "Second"] {
        let new = json!({"ProjectId": "Projects-1", "RunbookId": "Runbooks-1", "Name": name, "Notes": name.to_lowercase()});
        let (status, made) = s.post("/api/Spaces-1/runbookSnapshots?publish=true", new).await;
        assert_eq!((status, &made["Notes"]), (201, &json!(name.to_lowercase())), "{made}");
        ids.push(made["Id"].clone());
    }
    for (asked, is) in [(json!(ids[0]), &ids[0]), (Value::Null, &ids[1])] {
        let (status, runs) = s
            .post(
                "/api/Spaces-1/runbooks/Runbooks-1/run",
                json!({"EnvironmentIds": ["Environments-1"], "RunbookSnapshotId": asked, "FormValues": forms(&s).await}),
            )
            .await;
        assert_eq!((status, &runs[0]["RunbookSnapshotId"]), (201, is), "{runs}");
        let (status, run) = s
            .post(
                "/api/Spaces-1/runbookRuns",
                json!({"RunbookId": "Runbooks-1", "EnvironmentId": "Environments-1", "RunbookSnapshotId": is}),
            )
            .await;
        assert_eq!((status, &run["RunbookSnapshotId"]), (201, is), "{run}");
    }
}

async fn forms(s: &Server) -> Value {
    let set = s.get("/api/Spaces-1/variables/variableset-Projects-1").await;
    json!({find(&set["Variables"], "Berth")["Id"].as_str().expect("an id"): "7"})
}

#[tokio::test]
async fn a_space_shows_what_is_its_own() {
    let s = Server::toml(WORLD).await;
    for (space, project) in [("Spaces-1", "Harbour"), ("Spaces-2", "Keel")] {
        for kind in [
            "environments",
            "projects",
            "projectgroups",
            "lifecycles",
            "channels",
            "runbooks",
            "tenants",
            "feeds",
            "workerpools",
            "machinepolicies",
        ] {
            let all = s.get(&format!("/api/{space}/{kind}/all")).await;
            let page = s.get(&format!("/api/{space}/{kind}")).await;
            assert_eq!(page["TotalResults"].as_u64(), all.as_array().map(|a| a.len() as u64), "{kind}: {page}");
            assert!(all.as_array().is_some_and(|a| a.iter().all(|d| d["SpaceId"] == space)), "{kind}: {all}");
            assert!(kind == "tenants" || all.get(0).is_some(), "{kind} of {space} are none");
        }
        let board = s.get(&format!("/api/{space}/dashboard")).await;
        assert_eq!((board["Projects"].as_array().map(Vec::len), &board["Projects"][0]["Name"]), (Some(1), &json!(project)), "{board}");
        let releases = s.get(&format!("/api/{space}/releases")).await;
        assert_eq!((&releases["TotalResults"], &releases["Items"][0]["SpaceId"]), (&json!(1), &json!(space)));
    }
}

#[tokio::test]
async fn a_run_for_a_tenant_of_another_space() {
    let s = Server::toml(WORLD).await;
    let (environment, tenant) = ("Environments-2", "Tenants-1");
    for (path, body) in [
        ("/api/Spaces-2/runbooks/Runbooks-2/run", json!({"EnvironmentId": environment, "TenantId": tenant, "Comments": "high water"})),
        (
            "/api/Spaces-2/runbookRuns",
            json!({"RunbookId": "Runbooks-2", "RunbookSnapshotId": "Snapshot 1", "EnvironmentId": environment, "TenantId": tenant, "Comments": "high water"}),
        ),
        (
            "/api/Spaces-2/runbook-runs/create/v1",
            json!({"spaceIdOrName": "Spaces-2", "projectName": "Keel", "runbookName": "Scrape", "environmentNames": ["Hull"], "tenants": ["Vik"]}),
        ),
    ] {
        let (status, made) = s.post(path, body).await;
        assert_eq!(status, if path.ends_with("/v1") { 200 } else { 201 }, "{path}: {made}");
        let run = made.get(0).unwrap_or(&made);
        let id = run.get("Id").or_else(|| run["RunbookRunServerTasks"][0].get("RunbookRunId")).and_then(Value::as_str).expect("an id");
        let run = s.get(&format!("/api/Spaces-2/runbookRuns/{id}")).await;
        let is = [&run["TenantId"], &run["EnvironmentId"], &run["SpaceId"], &run["ProjectId"], &run["Comments"]];
        // The executions API has no comments.
        let comments = if path.ends_with("/v1") { Value::Null } else { json!("high water") };
        assert_eq!(is, [&json!(tenant), &json!(environment), &json!("Spaces-2"), &json!("Projects-2"), &comments], "{path}");
        let task = s.get(&format!("/api/tasks/{}", run["TaskId"].as_str().expect("an id"))).await;
        assert_eq!([&task["SpaceId"], &task["Description"]], ["Spaces-2", "Run Scrape on Hull for Vik"], "{task}");
    }
    assert_eq!(s.get("/api/Spaces-2/runbookRuns?tenants=Tenants-1").await["TotalResults"], 3);
    assert_eq!(s.get("/api/Spaces-1/runbookRuns").await["TotalResults"], 0);
    assert_eq!(s.get("/api/Spaces-2/tasks").await["TotalResults"], 3);
    let others = s.get("/api/Spaces-1/tasks").await;
    assert_eq!(others["TotalResults"], 0, "{others}");
}

#[tokio::test]
async fn a_change_of_variables_is_an_event_about_the_set() {
    let s = Server::toml(WORLD).await;
    let at = "/api/Spaces-1/variables/variableset-Projects-1";
    let set = s.get(at).await;
    assert_eq!(s.send(reqwest::Method::PUT, at, Some(set)).await.0, 200);
    let events = s.get("/api/Spaces-1/events?eventCategories=Modified").await;
    assert_eq!(events["Items"][0]["RelatedDocumentIds"], json!(["variableset-Projects-1", "Projects-1"]), "{events}");
}

/// Previews and templates say what would be done, not only in the right shape.
#[tokio::test]
async fn previews_show_the_steps_and_places_of_what_they_are_about() {
    let s = Server::shop().await;
    let (test, a) = (s.id("environments", "Test").await, s.id("projects", "Project A").await);
    let steps = |preview: &Value| -> Vec<String> {
        let all = preview["StepsToExecute"].as_array().expect("steps");
        all.iter().map(|step| step["ActionName"].as_str().unwrap_or_default().to_owned()).collect()
    };
    let names = |list: &Value| -> Vec<String> {
        list.as_array().expect("a list").iter().map(|d| d["Name"].as_str().unwrap_or_default().to_owned()).collect()
    };
    let snapshots = s.get("/api/Spaces-1/runbookSnapshots?take=100").await;
    let snapshot =
        snapshots["Items"].as_array().expect("items").iter().find(|d| d["ProjectId"] == a.as_str()).expect("one of Project A").clone();
    let runs = format!("/api/Spaces-1/runbookSnapshots/{}/runbookRuns", snapshot["Id"].as_str().expect("an id"));
    assert_eq!(steps(&s.get(&format!("{runs}/preview/{test}")).await), ["Call the API"]);
    assert_eq!(names(&s.get(&format!("{runs}/template")).await["PromoteTo"]), ["Development", "Test", "Production"]);
    let runbook = format!("/api/Spaces-1/runbooks/{}", snapshot["RunbookId"].as_str().expect("an id"));
    assert_eq!(steps(&s.get(&format!("{runbook}/runbookRuns/preview/{test}")).await), ["Call the API"]);
    assert_eq!(names(&s.get(&format!("{runbook}/environments")).await), ["Development", "Test", "Production"]);
    let release = format!("/api/Spaces-1/releases/{}/deployments", s.release("Project A", "1.1.0").await);
    let preview = s.get(&format!("{release}/preview/{test}")).await;
    assert_eq!(steps(&preview), ["Check prerequisites", "Back up database", "Migrate database", "Deploy API", "Smoke test"]);
    assert_eq!(names(&s.get(&format!("{release}/template")).await["PromoteTo"]), ["Development", "Test", "Production"]);
    let (_, several) = s.post(&format!("{release}/previews"), json!({"DeploymentPreviews": [{"EnvironmentId": test}]})).await;
    assert_eq!(steps(&several[0]).len(), 5);
}

#[tokio::test]
async fn a_run_of_a_runbook_is_asked_what_its_project_asks() {
    let s = Server::toml(
        "[[environments]]\nname = \"Test\"\n[[projects]]\nname = \"Web\"\nvariables = [ { name = \"Why\", prompt = \"Reason\", required = true } ]\nrunbooks = [ { name = \"Restart\", steps = [ { name = \"Go\" } ] } ]\n",
    )
    .await;
    let book = s.get("/api/Spaces-1/runbooks/all").await[0].clone();
    let (id, snapshot) = (book["Id"].as_str().expect("an id"), book["PublishedRunbookSnapshotId"].as_str().expect("published"));
    let test = s.id("environments", "Test").await;
    for way in [format!("runbooks/{id}/runbookRuns/preview/{test}"), format!("runbookSnapshots/{snapshot}/runbookRuns/preview/{test}")] {
        let preview = s.get(&format!("/api/Spaces-1/{way}")).await;
        assert_eq!(preview["Form"]["Elements"][0]["Control"]["Label"], "Reason", "{way}");
    }
    let body = json!({"DeploymentPreviews": [{"EnvironmentId": test}]});
    let (_, several) = s.post(&format!("/api/Spaces-1/runbooks/{id}/runbookRuns/previews"), body).await;
    assert_eq!(several[0]["Form"]["Elements"][0]["Control"]["Label"], "Reason");
}
