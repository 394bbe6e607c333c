//! Projects in Git: references, releases and runs at them, custom fields and what channels let in.

use crate::support::server::Server;
use reqwest::Method;
use serde_json::{Value, json};

const WORLD: &str = r#"
[[environments]]
name = "Test"

[[packages]]
id = "Acme.Web"
versions = ["1.1.0", "1.0.9", "1.2.0-rc.1"]
[[packages]]
id = "acme/web"
feed = "Registry"
versions = ["20-bookworm", "latest", "sha-0123456789"]

[[projects]]
name = "Loft"
git = { branches = ["feature/sails"], tags = ["v1"], commits = ["00112233445566778899aabbccddeeff00112233"], variables = true, runbooks = true }
steps = [ { name = "Sew", git = [ { repository = "https://git.example/cloth.git", branch = "trunk" } ] } ]
channels = [
  { name = "Default", default = true },
  { name = "Tracked", fields = { Ticket = "who asked for it" } },
  { name = "Mainline", git_refs = ["refs/heads/main"] },
]
variables = [ { name = "Colour", value = "red" }, { name = "Secret", value = "x", sensitive = true } ]
releases = [ { version = "1.0.0" } ]
runbooks = [ { name = "Mend", steps = [ { name = "Mend", takes = "1m" } ] } ]

[[projects]]
name = "Shed"
steps = [ { name = "Deploy web", package = "Acme.Web" }, { name = "Deploy image", package = "acme/web" } ]
channels = [
  { name = "Default", default = true, rules = [ { step = "Deploy web", versions = "[1.0,2.0)", tag = "^$" } ] },
  { name = "Recent", rules = [ { step = "Deploy web", newest = "published" }, { step = "Deploy image", matches = "^[0-9]+-" , newest = "published" } ] },
]
releases = [ { version = "1.0.0" } ]
runbooks = [ { name = "Sweep", steps = [ { name = "Sweep" } ] } ]
"#;

const LOFT: &str = "/api/Spaces-1/projects/Projects-1";

fn reasons(body: &Value) -> String {
    body["Errors"].as_array().map(|all| all.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" | ")).unwrap_or_default()
}

#[tokio::test]
async fn reference_is_found_by_short_name_full_name_and_hash() {
    let s = Server::toml(WORLD).await;
    let branches = s.get(&format!("{LOFT}/git/branches")).await;
    let names: Vec<&str> = branches["Items"].as_array().expect("a list").iter().filter_map(|b| b["CanonicalName"].as_str()).collect();
    assert_eq!(names, ["refs/heads/feature/sails", "refs/heads/main"]);
    assert_eq!(s.get(&format!("{LOFT}/git/branches?searchByName=SAILS")).await["TotalResults"], 1);
    assert_eq!(s.get(&format!("{LOFT}/git/branches/feature%2Fsails")).await["Name"], "feature/sails");
    for reference in
        ["main", "refs%2Fheads%2Fmain", "feature%2fsails", "v1", "refs%2Ftags%2Fv1", "00112233445566778899AABBCCDDEEFF00112233"]
    {
        let process = s.get(&format!("{LOFT}/{reference}/deploymentprocesses")).await;
        assert_eq!(process["Steps"][0]["Name"], "Sew", "{reference}");
    }
    let (status, refused) = s.send(Method::GET, &format!("{LOFT}/mian/deploymentprocesses"), None).await;
    assert_eq!((status, refused["ErrorMessage"].as_str().map(|m| m.contains("'mian'"))), (404, Some(true)), "{refused}");
    let (status, refused) = s.send(Method::GET, "/api/Spaces-1/projects/Projects-2/main/deploymentprocesses", None).await;
    assert_eq!((status, reasons(&refused).as_str()), (400, "The project 'Shed' is not version controlled."));
    let variables = s.get(&format!("{LOFT}/main/variables")).await;
    assert_eq!(variables["Variables"].as_array().map(Vec::len), Some(1), "{variables}");
}

fn cloth() -> Value {
    json!([{"ActionName": "Sew", "GitReferenceResource": {"GitRef": "trunk"}, "GitResourceReferenceName": ""}])
}

#[tokio::test]
async fn release_of_a_project_in_git_needs_a_reference_and_another_one_refuses_it() {
    let s = Server::toml(WORLD).await;
    let loft = |version: &str, at: Value| json!({"ProjectId": "Projects-1", "Version": version, "VersionControlReference": at, "SelectedGitResources": cloth()});
    for (body, why) in [
        (loft("2.0.0", Value::Null), "is version controlled, so a GitRef must be given"),
        (loft("2.0.0", json!({"GitCommit": "00112233445566778899aabbccddeeff00112233"})), "A GitCommit was given without a GitRef"),
        (
            json!({"ProjectId": "Projects-2", "Version": "2.0.0", "VersionControlReference": {"GitRef": "main"}}),
            "so a GitRef must not be given",
        ),
    ] {
        let (status, refused) = s.post("/api/Spaces-1/releases", body).await;
        assert_eq!((status, reasons(&refused).contains(why)), (400, true), "{refused}");
    }
    let (_, made) = s.post("/api/Spaces-1/releases", loft("2.0.0", json!({"GitRef": "v1"}))).await;
    assert_eq!(made["VersionControlReference"]["GitRef"], "refs/tags/v1", "{made}");
    assert_eq!(made["VersionControlReference"]["VariablesGitCommit"], made["VersionControlReference"]["GitCommit"]);
    let hash = "00112233445566778899aabbccddeeff00112233";
    let (_, made) = s.post("/api/Spaces-1/releases", loft("2.0.1", json!({"GitRef": "main", "GitCommit": hash}))).await;
    assert_eq!(made["VersionControlReference"]["GitCommit"], hash, "{made}");
    let (status, refused) = s.post("/api/Spaces-1/releases", loft("2.0.2", json!({"GitRef": "main", "GitCommit": "ffff"}))).await;
    assert_eq!(status, 404, "{refused}");
    // The executions API says the same in its own words.
    let named = |more: Value| {
        let mut body = json!({"spaceIdOrName": "Spaces-1", "projectName": "Loft", "releaseVersion": "3.0.0"});
        more.as_object().expect("an object").iter().for_each(|(k, v)| body[k] = v.clone());
        body
    };
    let (status, refused) = s.post("/api/Spaces-1/releases/create/v1", named(json!({}))).await;
    assert_eq!((status, reasons(&refused).contains("a GitRef must be given")), (400, true), "{refused}");
    let wished = named(json!({"gitRef": "main", "gitResources": ["Sew:refs/tags/2026"]}));
    let (status, made) = s.post("/api/Spaces-1/releases/create/v1", wished).await;
    assert_eq!(status, 201, "{made}");
    let release = s.get(&format!("/api/Spaces-1/releases/{}", made["ReleaseId"].as_str().expect("an id"))).await;
    assert_eq!(release["SelectedGitResources"][0]["GitReferenceResource"]["GitRef"], "refs/tags/2026", "{release}");
}

#[tokio::test]
async fn git_resource_is_needed_and_must_be_one_of_the_process() {
    let s = Server::toml(WORLD).await;
    let loft = |resources: Value| json!({"ProjectId": "Projects-1", "Version": "2.0.0", "VersionControlReference": {"GitRef": "main"}, "SelectedGitResources": resources});
    let (status, refused) = s.post("/api/Spaces-1/releases", loft(json!([]))).await;
    assert_eq!((status, reasons(&refused).as_str()), (400, "No Git reference was specified for the step 'Sew'."));
    let other = json!([cloth()[0], {"ActionName": "Knit", "GitReferenceResource": {"GitRef": "main"}, "GitResourceReferenceName": ""}]);
    let (status, refused) = s.post("/api/Spaces-1/releases", loft(other)).await;
    assert_eq!((status, reasons(&refused).as_str()), (400, "The step 'Knit' takes no such Git resource."));
    let template = s.get(&format!("{LOFT}/main/deploymentprocesses/template")).await;
    assert_eq!(template["GitResources"][0]["DefaultBranch"], "trunk", "{template}");
}

#[tokio::test]
async fn channel_demands_custom_fields_and_references() {
    let s = Server::toml(WORLD).await;
    let body = |channel: &str, fields: Value, reference: &str| json!({"spaceIdOrName": "Spaces-1", "projectName": "Loft", "channelName": channel, "releaseVersion": "4.0.0", "gitRef": reference, "customFields": fields});
    for fields in [Value::Null, json!({"Other": "x"}), json!({"Ticket": " "})] {
        let (status, refused) = s.post("/api/Spaces-1/releases/create/v1", body("Tracked", fields, "main")).await;
        assert_eq!((status, reasons(&refused).contains("custom field 'Ticket'")), (400, true), "{refused}");
    }
    let (status, made) = s.post("/api/Spaces-1/releases/create/v1", body("Tracked", json!({"ticket": "OPS-1"}), "main")).await;
    assert_eq!(status, 201, "{made}");
    let release = s.get(&format!("/api/Spaces-1/releases/{}", made["ReleaseId"].as_str().expect("an id"))).await;
    assert_eq!(release["CustomFields"], json!({"ticket": "OPS-1"}));
    let (status, refused) = s.post("/api/Spaces-1/releases/create/v1", body("Mainline", Value::Null, "v1")).await;
    assert_eq!((status, reasons(&refused).contains("'refs/tags/v1' does not satisfy")), (400, true), "{refused}");
}

#[tokio::test]
async fn runbook_in_git_runs_at_a_reference_and_only_there() {
    let s = Server::toml(WORLD).await;
    assert_eq!(s.get(&format!("{LOFT}/runbooks")).await["TotalResults"], 0);
    let book = s.get(&format!("{LOFT}/main/runbooks")).await["Items"][0].clone();
    assert_eq!((&book["Name"], &book["PublishedRunbookSnapshotId"]), (&json!("Mend"), &Value::Null));
    let id = book["Id"].as_str().expect("an id");
    let (status, refused) = s.post(&format!("/api/Spaces-1/runbooks/{id}/run"), json!({"EnvironmentIds": ["Environments-1"]})).await;
    assert_eq!((status, reasons(&refused).contains("is in Git")), (400, true), "{refused}");
    let run = |reference: &str| {
        let one = |comment: &str| json!({"EnvironmentId": "Environments-1", "Comments": comment});
        json!({"GitRef": reference, "ProjectId": "Projects-1", "RunbookId": id, "SpaceId": "Spaces-1", "Notes": "by hand", "Runs": [one("first"), one("second")]})
    };
    let at = format!("{LOFT}/refs%2Fheads%2Fmain/runbooks/{id}/run/v1");
    assert_eq!(s.post(&at, run("v1")).await.0, 400);
    let (status, made) = s.post(&at, run("main")).await;
    assert_eq!((status, made["Resources"].as_array().map(Vec::len)), (201, Some(2)), "{made}");
    assert_eq!(made["Resources"][1]["Comments"], "second");
    let snapshot =
        s.get(&format!("/api/Spaces-1/runbookSnapshots/{}", made["Resources"][0]["RunbookSnapshotId"].as_str().expect("an id"))).await;
    assert_eq!((&snapshot["GitReference"]["GitRef"], &snapshot["Notes"]), (&json!("refs/heads/main"), &json!("by hand")));
    let set = s.get(&format!("/api/Spaces-1/variables/variableset-{}", made["Resources"][0]["Id"].as_str().expect("an id"))).await;
    let value = |name: &str| set["Variables"].as_array().and_then(|all| all.iter().find(|v| v["Name"] == name)).map(|v| v["Value"].clone());
    assert_eq!(value("Octopus.RunbookRun.Git.BranchName"), Some(json!("main")), "{set}");
    s.pass(5);
    assert_eq!(s.state_of(made["Resources"][0]["TaskId"].as_str().expect("a task")).await, "Success");
    let body = json!({"spaceId": "Spaces-1", "spaceIdOrName": "Spaces-1", "projectName": "Loft", "runbookName": "Mend", "environmentNames": ["Test"], "gitRef": "v1"});
    let (status, named) = s.post("/api/Spaces-1/runbook-runs/git/create/v1", body.clone()).await;
    assert_eq!((status, named["RunbookRunServerTasks"].as_array().map(Vec::len)), (200, Some(1)), "{named}");
    let mut body = body;
    body.as_object_mut().expect("an object").remove("gitRef");
    let (status, refused) = s.post("/api/Spaces-1/runbook-runs/create/v1", body).await;
    assert_eq!((status, reasons(&refused).contains("is in Git")), (400, true), "{refused}");
    let (status, again) =
        s.post(&format!("{LOFT}/runbookruns/{}/retry/v1", made["Resources"][1]["Id"].as_str().expect("an id")), json!({})).await;
    assert_eq!(
        (status, &again["Resource"]["Comments"], &again["Resource"]["RunbookSnapshotId"]),
        (200, &json!("second"), &snapshot["Id"]),
        "{again}"
    );
}

#[tokio::test]
async fn run_refused_in_one_place_starts_nothing() {
    let s = Server::toml(
        &WORLD
            .replace("{ name = \"Mend\", steps", "{ name = \"Mend\", environments = [\"Test\"], steps")
            .replace("name = \"Test\"\n", "name = \"Test\"\n[[environments]]\nname = \"Dock\"\n"),
    )
    .await;
    let runs: Vec<Value> = ["Environments-1", "Environments-2"].iter().map(|e| json!({"EnvironmentId": e})).collect();
    let body = json!({"GitRef": "main", "ProjectId": "loft", "RunbookId": "mend", "SpaceId": "Spaces-1", "Runs": runs});
    let (status, refused) = s.post(&format!("{LOFT}/main/runbooks/mend/run/v1"), body).await;
    assert_eq!((status, reasons(&refused).contains("cannot be run in environment 'Dock'")), (400, true), "{refused}");
    assert_eq!(s.get("/api/Spaces-1/runbookRuns").await["TotalResults"], 0);
    assert_eq!(s.get("/api/Spaces-1/runbookSnapshots").await["TotalResults"], 1, "the one of Shed");
}

#[tokio::test]
async fn classic_run_needs_its_snapshot_on_a_server_of_2026_3() {
    for (version, status) in [("2026.1", 201), ("2026.3", 400)] {
        let s = Server::toml(&format!("version = \"{version}\"\n{WORLD}")).await;
        let body = json!({"RunbookId": "Runbooks-2", "EnvironmentId": "Environments-1"});
        let (got, answer) = s.post("/api/Spaces-1/runbookRuns", body).await;
        assert_eq!(got, status, "{version}: {answer}");
    }
}

#[tokio::test]
async fn feed_orders_by_version_or_by_date_and_filters_by_all_four() {
    let s = Server::toml(WORLD).await;
    let feeds = s.get("/api/Spaces-1/feeds").await;
    let registry = feeds["Items"].as_array().expect("a list").iter().find(|f| f["Name"] == "Registry").expect("the feed")["Id"].clone();
    let versions = async |feed: &str, query: &str| -> Vec<String> {
        let page = s.get(&format!("/api/Spaces-1/feeds/{feed}/packages/versions?{query}")).await;
        page["Items"].as_array().expect("a list").iter().map(|p| p["Version"].as_str().expect("a text").to_owned()).collect()
    };
    assert_eq!(versions("feeds-builtin", "packageId=Acme.Web").await, ["1.2.0-rc.1", "1.1.0", "1.0.9"]);
    assert_eq!(versions("feeds-builtin", "packageId=Acme.Web&preReleaseTag=%5E%24").await, ["1.1.0", "1.0.9"]);
    let recent = "packageId=Acme.Web&preReleaseTag=%5E%24&versioningStrategy=MostRecentlyPublished";
    assert_eq!(versions("feeds-builtin", recent).await, ["1.0.9", "1.1.0"]);
    assert_eq!(versions("feeds-builtin", &format!("{recent}&versionRange=%5B1.1,2)")).await, ["1.1.0"]);
    let registry = registry.as_str().expect("an id");
    assert_eq!(versions(registry, "packageId=acme/web").await, ["20-bookworm", "sha-0123456789", "latest"]);
    assert_eq!(versions(registry, "packageId=acme/web&versionTagRegex=%5E%5B0-9%5D").await, ["20-bookworm"]);
    for wrong in ["versioningStrategy=Newest", "versionTagRegex=("] {
        let (status, _) =
            s.send(Method::GET, &format!("/api/Spaces-1/feeds/feeds-builtin/packages/versions?packageId=Acme.Web&{wrong}"), None).await;
        assert_eq!(status, 400, "{wrong}");
    }
}

#[tokio::test]
async fn best_channel_is_the_one_whose_rules_fit() {
    let s = Server::toml(WORLD).await;
    let made = async |version: &str, packages: &[&str]| {
        let body = json!({"spaceIdOrName": "Spaces-1", "projectName": "Shed", "releaseVersion": version, "packages": packages});
        let (status, made) = s.post("/api/Spaces-1/releases/create/v1", body).await;
        assert_eq!(status, 201, "{made}");
        let release = s.get(&format!("/api/Spaces-1/releases/{}", made["ReleaseId"].as_str().expect("an id"))).await;
        let channel = s.get(&format!("/api/Spaces-1/channels/{}", release["ChannelId"].as_str().expect("an id"))).await;
        (
            channel["Name"].as_str().expect("a name").to_owned(),
            release["SelectedPackages"][0]["Version"].as_str().expect("a version").to_owned(),
        )
    };
    assert_eq!(made("2.0.0", &[]).await, ("Default".to_owned(), "1.1.0".to_owned()));
    assert_eq!(made("2.0.1", &["Deploy web:1.2.0-rc.1"]).await, ("Recent".to_owned(), "1.2.0-rc.1".to_owned()));
}

#[tokio::test]
async fn rules_of_a_channel_are_checked() {
    let s = Server::toml(WORLD).await;
    let package = json!({"DeploymentAction": "Deploy web", "PackageReference": ""});
    for (rules, why) in [
        (json!([{"ActionPackages": [package]}, {"ActionPackages": [package]}]), "more than one rule"),
        (json!([{"VersioningStrategy": "Newest"}]), "VersioningStrategy"),
        (json!([{"VersionTagRegex": "("}]), "not a valid regular expression"),
    ] {
        let (status, refused) = s.post("/api/Spaces-1/channels", json!({"Name": "New", "ProjectId": "Projects-2", "Rules": rules})).await;
        assert_eq!((status, reasons(&refused).contains(why)), (400, true), "{refused}");
    }
    let body = json!({"Name": "New", "ProjectId": "Projects-2", "GitReferenceRules": ["refs/heads/main"]});
    assert_eq!(s.post("/api/Spaces-1/channels", body).await.0, 400);
    let test = "/api/Spaces-1/channels/rule-test";
    let old = s.get(&format!("{test}?version=1.5.0-rc&versionRange=%5B1,2)&preReleaseTag=%5E%24")).await;
    assert_eq!(old, json!({"Errors": [], "SatisfiesVersionRange": true, "SatisfiesPreReleaseTag": false}));
    let new = s.get(&format!("{test}/v1?version=20-bookworm&versionTagRegex=%5E20&preReleaseTagPattern=book")).await;
    let fits = json!({"Errors": [], "SatisfiesVersionRange": true, "SatisfiesPreReleaseTag": true, "SatisfiesVersionTagRegex": true});
    assert_eq!(new, fits);
    assert_eq!(s.post(test, json!({})).await.1["Errors"], json!(["The version is required."]));
    assert_eq!(s.post(test, json!({"Version": "1.0.0"})).await.0, 501, "it takes its query only");
}

#[tokio::test]
async fn release_notes_change_alone() {
    let s = Server::toml(WORLD).await;
    let body = |notes: &str| json!({"ReleaseId": "Releases-1", "SpaceId": "Spaces-1", "ReleaseNotes": notes});
    let before = s.get("/api/Spaces-1/releases/Releases-1").await;
    let (status, mut after) = s.post("/api/Spaces-1/releases/Releases-1/release-notes", body("new sails")).await;
    assert_eq!((status, &after["ReleaseNotes"]), (200, &json!("new sails")));
    after["ReleaseNotes"] = before["ReleaseNotes"].clone();
    assert_eq!(after, before);
    assert_eq!(s.post("/api/Spaces-1/releases/Releases-1/release-notes", body("")).await.1["ReleaseNotes"], Value::Null);
    assert_eq!(s.post("/api/Spaces-1/releases/Releases-1/release-notes", body("#{Octopus.Release.Number}")).await.0, 501);
}

#[test]
fn mistakes_of_a_world_are_told() {
    for (wrong, right, why) in [
        ("commits = [\"0011\"", "commits = [\"00112233445566778899aabbccddeeff00112233\"", "40 hexadecimal digits"),
        ("step = \"Deploy wep\"", "step = \"Deploy web\"", "did you mean `Deploy web`"),
        ("matches = \"(\"", "matches = \"^[0-9]+-\"", "not a valid regular expression"),
        ("sha 0123456789", "sha-0123456789", "tag of an image"),
        ("{ name = \"Recent\", git_refs = [\"x\"],", "{ name = \"Recent\",", "not in Git"),
    ] {
        let error = octorhai::sandbox::World::from_toml("w.toml", &WORLD.replace(right, wrong)).err().expect("a mistake");
        let told = format!("{error} {error:?}");
        assert!(told.contains(why), "{told}");
    }
}
