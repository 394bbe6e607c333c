//! The built-in feed, build information, and the package versions of releases, over real HTTP.

use crate::support::server::Server;
use reqwest::Method;
use serde_json::{Value, json};

const WORLD: &str = r#"
[[spaces]]
name = "Default"
[[spaces]]
name = "Second"
[[environments]]
name = "Test"
[[packages]]
id = "Acme.Web"
versions = ["1.0.0", "1.1.0", "1.10.0", "2.0.0-beta.1"]
[[packages]]
id = "Acme.Tools"
versions = []
[[projects]]
name = "Parcel"
steps = [ { name = "Deploy web", package = "Acme.Web" }, { name = "Run tools", packages = ["Acme.Web"] } ]
releases = [ { version = "1.0.0" }, { version = "7.0.0" } ]
[[projects]]
name = "Empty"
steps = [ { name = "Deploy", package = "Acme.Tools" } ]
[[users]]
name = "reader"
key = "API-READER"
permissions = ["FeedView", "ActionTemplateView"]
[[users]]
name = "builder"
key = "API-BUILDER"
permissions = ["FeedView", "BuiltInFeedPush", "BuildInformationPush"]
"#;

/// Sends a body of one's own making.
async fn raw(s: &Server, path: &str, key: &str, kind: &str, body: Vec<u8>) -> (u16, Value) {
    let request = s.http.post(format!("{}{path}", s.sandbox.url())).header("X-Octopus-ApiKey", key).header("Content-Type", kind).body(body);
    let response = request.send().await.expect("an answer");
    let status = response.status().as_u16();
    (status, serde_json::from_str(&response.text().await.expect("text")).unwrap_or(Value::Null))
}

fn form(part: &str, name: &str, content: &[u8]) -> Vec<u8> {
    let mut body = format!(
        "--edge\r\nContent-Disposition: form-data; name=\"{part}\"; filename=\"{name}\"\r\nContent-Type: application/octet-stream\r\n\r\n"
    )
    .into_bytes();
    body.extend(content);
    body.extend(b"\r\n--edge--\r\n");
    body
}

async fn push(s: &Server, query: &str, name: &str, content: &[u8]) -> (u16, Value) {
    push_as(s, &s.sandbox.api_key(), query, name, content).await
}

async fn push_as(s: &Server, key: &str, query: &str, name: &str, content: &[u8]) -> (u16, Value) {
    let kind = "multipart/form-data; boundary=edge";
    raw(s, &format!("/api/Spaces-1/packages/raw{query}"), key, kind, form("fileToUpload", name, content)).await
}

fn versions(page: &Value) -> Vec<&str> {
    page["Items"].as_array().expect("items").iter().map(|i| i["Version"].as_str().expect("a version")).collect()
}

#[tokio::test]
async fn a_pushed_package_is_found_read_and_deleted() {
    let s = Server::toml(WORLD).await;
    let (status, made) = push(&s, "", "Acme.Mail.3.1.0-rc.1+b7.tar.gz", b"abc").await;
    assert_eq!(status, 201, "{made}");
    let expected = json!({
        "Id": "packages-Acme.Mail.3.1.0-rc.1+b7", "PackageSizeBytes": 3, "Hash": "a9993e364706816aba3e25717850c26c9cd0d89d",
        "NuGetPackageId": "Acme.Mail", "PackageId": "Acme.Mail", "NuGetFeedId": "feeds-builtin", "FeedId": "feeds-builtin", "Title": "Acme.Mail",
        "Summary": null, "Version": "3.1.0-rc.1+b7", "Description": null, "Published": "2026-03-02T08:00:00.000+00:00", "ReleaseNotes": null,
        "FileExtension": ".tar.gz", "PackageVersionBuildInformation": null,
        "Links": {
            "Self": "/api/Spaces-1/packages/packages-Acme.Mail.3.1.0-rc.1+b7", "AllVersions": "/api/Spaces-1/packages?nuGetPackageId=Acme.Mail",
            "Feed": "/api/Spaces-1/feeds/feeds-builtin", "Raw": "/api/Spaces-1/packages/packages-Acme.Mail.3.1.0-rc.1+b7/raw",
        },
    });
    assert_eq!(made, expected);
    for id in ["packages-Acme.Mail.3.1.0-rc.1+b7", "acme.mail.3.1.0-RC.1+b7"] {
        assert_eq!(s.get(&format!("/api/Spaces-1/packages/{id}")).await, expected, "{id}");
    }
    let content = s.http.get(format!("{}{}", s.sandbox.url(), expected["Links"]["Raw"].as_str().unwrap()));
    let content = content.header("X-Octopus-ApiKey", s.sandbox.api_key()).send().await.unwrap();
    assert_eq!((content.status().as_u16(), content.bytes().await.unwrap().as_ref()), (200, b"abc".as_slice()));
    let truth = s.sandbox.state()["packages"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(
        truth,
        json!({"space": "Default", "id": "Acme.Mail", "version": "3.1.0-rc.1+b7", "size": 3, "hash": "a9993e364706816aba3e25717850c26c9cd0d89d"})
    );
    let elsewhere = s.send(Method::GET, "/api/Spaces-2/packages/packages-Acme.Mail.3.1.0-rc.1+b7", None).await;
    assert_eq!(elsewhere.0, 404);
    let own = expected["Links"]["Self"].as_str().unwrap();
    assert_eq!(s.send(Method::DELETE, own, None).await.0, 200);
    let (status, gone) = s.send(Method::GET, own, None).await;
    assert_eq!((status, gone["ErrorMessage"].as_str().unwrap()), (404, "The resource 'packages-Acme.Mail.3.1.0-rc.1+b7' was not found."));
}

#[tokio::test]
async fn a_package_that_is_there_is_refused_kept_or_replaced() {
    let s = Server::toml(WORLD).await;
    assert_eq!(push(&s, "?overwriteMode=FailIfExists", "A.1.0.0.zip", b"one").await.0, 201);
    for query in ["", "?overwriteMode=FailIfExists", "?replace=false"] {
        let (status, refusal) = push(&s, query, "a.1.0.0.zip", b"two").await;
        assert_eq!(status, 409, "{query}");
        assert!(refusal["ErrorMessage"].as_str().unwrap().starts_with("A package with the same name and version already exists."));
        assert!(refusal.get("Errors").is_none(), "`Errors` belongs to 400 only");
    }
    let (status, kept) = push(&s, "?overwriteMode=IgnoreIfExists", "A.1.0.0.zip", b"three!").await;
    assert_eq!((status, kept["PackageSizeBytes"].as_u64()), (200, Some(3)));
    for query in ["?overwriteMode=OverwriteExisting", "?replace=true"] {
        s.pass(1);
        let (status, new) = push(&s, query, "A.1.0.0.nupkg", b"three!").await;
        assert_eq!((status, new["PackageSizeBytes"].as_u64(), new["FileExtension"].as_str()), (201, Some(6), Some(".nupkg")), "{query}");
        assert_eq!(new["Published"].as_str().unwrap()[..14], "2026-03-02T08:"[..14]);
    }
    assert_eq!(s.get("/api/Spaces-1/packages?nuGetPackageId=A").await["TotalResults"], 1);
    let (status, refusal) = push(&s, "?overwriteMode=Maybe", "A.1.0.0.zip", b"x").await;
    assert_eq!(status, 400);
    assert!(refusal["Errors"][0].as_str().unwrap().contains("'Maybe' is not valid"), "{refusal}");
}

#[tokio::test]
async fn bad_uploads_say_what_is_wrong() {
    let s = Server::toml(WORLD).await;
    let key = s.sandbox.api_key();
    let multipart = "multipart/form-data; boundary=edge";
    let whole = form("file", "A.1.0.0.zip", b"abc");
    let mut later = form("file", "A.1.0.0.zip", b"abc");
    later.truncate(later.len() - 4);
    later.extend(b"\r\nContent-Disposition: form-data; name=\"rest\"\r\n\r\nbroken off");
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("application/octet-stream", b"PK".to_vec(), "must be a multipart/form-data request"),
        ("application/json", b"{}".to_vec(), "must be a multipart/form-data request"),
        ("multipart/form-data", whole.clone(), "with a boundary"),
        ("multipart/form-data; boundary=other", whole.clone(), "cannot be read"),
        (multipart, whole[..whole.len() - 10].to_vec(), "cannot be read"),
        (multipart, whole[..30].to_vec(), "cannot be read"),
        (multipart, later, "cannot be read"),
        (multipart, Vec::new(), "cannot be read"),
        (multipart, b"--edge--\r\n".to_vec(), "contains no file"),
        (multipart, b"--edge\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\nhi\r\n--edge--\r\n".to_vec(), "contains no file"),
        (multipart, form("file", "A.1.0.0.zip", b""), "is empty"),
        (multipart, form("file", "Acme.zip", b"abc"), "ID and version cannot be read"),
        (multipart, form("file", "1.0.0.zip", b"abc"), ""),
        (multipart, form("file", "A.1.0.0.exe", b"abc"), "not a package the built-in feed takes"),
        (multipart, form("file", "../../etc/passwd", b"abc"), "not a package the built-in feed takes"),
        (multipart, form("file", &format!("{}.1.0.0.zip", "x".repeat(101)), b"abc"), "ID and version cannot be read"),
    ];
    for (kind, body, words) in cases {
        let shown = String::from_utf8_lossy(&body).into_owned();
        let (status, answer) = raw(&s, "/api/Spaces-1/packages/raw", &key, kind, body).await;
        if words.is_empty() {
            assert_eq!((status, answer["PackageId"].as_str(), answer["Version"].as_str()), (201, Some("1"), Some("0.0")), "{answer}");
            continue;
        }
        assert_eq!(status, 400, "{kind} {shown}: {answer}");
        assert!(answer["Errors"][0].as_str().unwrap().contains(words), "{kind} {shown}: {answer}");
    }
    // Exactly one byte more than a server takes, so that it reads all of it before it says no.
    let head = form("file", "Big.1.0.0.zip", b"").len();
    let (status, _) = push(&s, "", "Big.1.0.0.zip", &vec![b'x'; (64 << 20) + 1 - head]).await;
    assert_eq!(status, 413);
    assert_eq!(s.send(Method::PUT, "/api/Spaces-1/packages/raw", None).await.0, 405);
}

#[tokio::test]
async fn pushing_replacing_and_deleting_need_permission() {
    let s = Server::toml(WORLD).await;
    let missing = |body: &Value| body["ErrorMessage"].as_str().unwrap().rsplit(' ').next().unwrap().to_owned();
    let (status, body) = push_as(&s, "API-READER", "", "A.1.0.0.zip", b"x").await;
    assert_eq!((status, missing(&body).as_str()), (403, "BuiltInFeedPush"));
    assert_eq!(push_as(&s, "API-BUILDER", "", "A.1.0.0.zip", b"x").await.0, 201);
    let (status, body) = push_as(&s, "API-BUILDER", "?overwriteMode=OverwriteExisting", "A.1.0.0.zip", b"y").await;
    assert_eq!((status, missing(&body).as_str()), (403, "BuiltInFeedAdminister"));
    let as_builder = |method: Method, path: &str| {
        let request = s.http.request(method, format!("{}{path}", s.sandbox.url())).header("X-Octopus-ApiKey", "API-BUILDER");
        async move { request.send().await.expect("an answer").status().as_u16() }
    };
    assert_eq!(as_builder(Method::DELETE, "/api/Spaces-1/packages/A.1.0.0").await, 403);
    assert_eq!(as_builder(Method::DELETE, "/api/Spaces-1/packages/bulk?ids=packages-A.1.0.0").await, 403);
    assert_eq!(as_builder(Method::GET, "/api/Spaces-1/packages/A.1.0.0/raw").await, 403);
    assert_eq!(as_builder(Method::GET, "/api/Spaces-1/packages/A.1.0.0").await, 200);
    assert_eq!(push_as(&s, "API-WRONG", "", "A.2.0.0.zip", b"x").await.0, 401);
}

#[tokio::test]
async fn lists_show_the_newest_or_all_versions() {
    let s = Server::toml(WORLD).await;
    push(&s, "", "Acme.Mail.1.0.0.zip", b"x").await;
    let page = s.get("/api/Spaces-1/packages").await;
    assert_eq!((page["ItemType"].as_str().unwrap(), versions(&page)), ("Package", vec!["1.0.0", "2.0.0-beta.1"]));
    assert_eq!(versions(&s.get("/api/Spaces-1/packages?filter=WEB&take=2147483647").await), ["2.0.0-beta.1"]);
    let all = s.get("/api/Spaces-1/packages?nuGetPackageId=acme.web").await;
    assert_eq!(versions(&all), ["2.0.0-beta.1", "1.10.0", "1.1.0", "1.0.0"]);
    assert_eq!(versions(&s.get("/api/Spaces-1/packages?nuGetPackageId=acme.web&latest=true").await), ["2.0.0-beta.1"]);
    assert_eq!(s.get("/api/Spaces-1/packages?latest=False&filter=acme").await["TotalResults"], 5);
    let page = s.get("/api/Spaces-1/packages?nuGetPackageId=Acme.Web&skip=1&take=2").await;
    assert_eq!(versions(&page), ["1.10.0", "1.1.0"]);
    assert_eq!(versions(&s.get(page["Links"]["Page.Next"].as_str().unwrap()).await), ["1.0.0"]);
    assert_eq!(s.get("/api/Spaces-2/packages").await["TotalResults"], 0);
    let (status, _) =
        s.send(Method::DELETE, "/api/Spaces-1/packages/bulk?ids=packages-Acme.Web.1.0.0,packages-None.1.0&ids=Acme.Web.1.1.0", None).await;
    assert_eq!(status, 200);
    assert_eq!(versions(&s.get("/api/Spaces-1/packages?nuGetPackageId=Acme.Web").await), ["2.0.0-beta.1", "1.10.0"]);
    let notes = s.get("/api/Spaces-1/packages/notes?packageIds=feeds-builtin:Acme.Web:1.10.0,feeds-builtin:Acme.Web:9").await;
    assert_eq!((&notes["Packages"][0]["Notes"]["Succeeded"], &notes["Packages"][1]["Notes"]["Succeeded"]), (&json!(true), &json!(false)));
    assert_eq!(s.send(Method::GET, "/api/Spaces-1/packages/notes?packageIds=Acme.Web", None).await.0, 400);
}

#[tokio::test]
async fn every_space_has_a_built_in_feed_that_answers() {
    let s = Server::toml(WORLD).await;
    let feeds = s.get("/api/Spaces-1/feeds?feedType=BuiltIn&take=1").await;
    assert_eq!((feeds["TotalResults"].as_u64(), feeds["Items"][0]["Id"].as_str()), (Some(1), Some("feeds-builtin")));
    assert_eq!(feeds["Items"][0]["Name"], "Octopus Server (built-in)");
    let second = s.get("/api/Spaces-2/feeds?name=Octopus%20Server%20(built-in)").await;
    assert_eq!((second["TotalResults"].as_u64(), second["Items"][0]["SpaceId"].as_str()), (Some(1), Some("Spaces-2")));
    let (status, space) = s.post("/api/spaces", json!({"Name": "Third"})).await;
    assert_eq!(status, 201, "{space}");
    let third = s.get(&format!("/api/{}/feeds/all", space["Id"].as_str().unwrap())).await;
    assert_eq!(third[0]["FeedType"], "BuiltIn");

    let search = s.get("/api/Spaces-1/feeds/feeds-builtin/packages/search?term=web").await;
    assert_eq!(
        (search["Items"][0]["Name"].as_str(), search["Items"][0]["LatestVersion"].as_str()),
        (Some("Acme.Web"), Some("2.0.0-beta.1"))
    );
    let ask = |query: &'static str| {
        let s = &s;
        async move { s.get(&format!("/api/Spaces-1/feeds/feeds-builtin/packages/versions?packageId=Acme.Web{query}")).await }
    };
    let page = ask("").await;
    assert_eq!(versions(&page), ["2.0.0-beta.1", "1.10.0", "1.1.0", "1.0.0"]);
    let item = &page["Items"][1];
    assert_eq!((item["FeedId"].as_str(), item["Published"].as_str()), (Some("feeds-builtin"), Some("2026-02-16T08:00:00.000+00:00")));
    assert!(item["SizeBytes"].as_u64().unwrap() > 22);
    assert_eq!(versions(&ask("&take=1&includePreRelease=false").await), ["1.10.0"]);
    assert_eq!(versions(&ask("&versionRange=%5B1.0,1.5)").await), ["1.1.0", "1.0.0"]);
    assert_eq!(versions(&ask("&preReleaseTag=%5Ebeta").await), ["2.0.0-beta.1"]);
    assert_eq!(versions(&ask("&preReleaseTag=%5E%24&skip=1").await), ["1.1.0", "1.0.0"]);
    assert_eq!(versions(&ask("&filter=1.1").await), ["1.10.0", "1.1.0"]);
    assert_eq!(s.send(Method::GET, "/api/Spaces-1/feeds/feeds-builtin/packages/versions", None).await.0, 400);
    assert_eq!(s.send(Method::GET, "/api/Spaces-1/feeds/Feeds-99/packages/search", None).await.0, 404);
    assert_eq!(s.get("/api/Spaces-1/feeds/stats").await["TotalPackages"], 1);
    let versions = s.get("/api/Spaces-1/feeds/feeds-builtin").await["Links"]["SearchPackageVersionsTemplate"].clone();
    assert!(versions.as_str().unwrap().starts_with("/api/Spaces-1/feeds/feeds-builtin/packages/versions{?packageId,"), "{versions}");

    assert_eq!(s.send(Method::DELETE, "/api/Spaces-1/feeds/feeds-builtin", None).await.0, 400);
    assert_eq!(s.post("/api/Spaces-1/feeds", json!({"Name": "Another", "FeedType": "BuiltIn"})).await.0, 400);
    let (status, feed) =
        s.post("/api/Spaces-1/feeds", json!({"Name": "Hub", "FeedType": "Docker", "FeedUri": "https://example.com"})).await;
    assert_eq!(status, 201, "{feed}");
    let images = format!("/api/Spaces-1/feeds/{}/packages/versions?packageId=nginx", feed["Id"].as_str().unwrap());
    assert_eq!(s.send(Method::GET, &images, None).await.0, 501, "what other people's servers hold is not known");
}

#[tokio::test]
async fn a_release_needs_a_version_of_each_package() {
    let s = Server::toml(WORLD).await;
    let project = s.id("projects", "Parcel").await;
    let process = s.get(&format!("/api/Spaces-1/deploymentprocesses/deploymentprocess-{project}")).await;
    let packages = |step: usize| process["Steps"][step]["Actions"][0]["Packages"].as_array().unwrap().clone();
    assert_eq!(
        (&packages(0)[0]["Name"], &packages(0)[0]["PackageId"], &packages(0)[0]["FeedId"]),
        (&json!(""), &json!("Acme.Web"), &json!("feeds-builtin"))
    );
    assert_eq!(packages(1)[0]["Name"], "Acme.Web");
    let template = s.get(&format!("/api/Spaces-1/deploymentprocesses/deploymentprocess-{project}/template?channel=Channels-1")).await;
    assert_eq!(template["NextVersionIncrement"], "7.0.1");
    let row = &template["Packages"][0];
    assert_eq!(
        (row["ActionName"].as_str(), row["StepName"].as_str(), row["FeedName"].as_str()),
        (Some("Deploy web"), Some("Deploy web"), Some("Octopus Server (built-in)"))
    );
    assert_eq!(
        (row["VersionSelectedLastRelease"].as_str(), &row["FixedVersion"], &row["IsResolvable"]),
        (Some("2.0.0-beta.1"), &Value::Null, &json!(true))
    );
    let first = s.get(&format!("/api/Spaces-1/projects/{project}/releases/1.0.0")).await;
    assert_eq!(
        first["SelectedPackages"][0],
        json!({"ActionName": "Deploy web", "StepName": "Deploy web", "PackageReferenceName": "", "Version": "1.0.0"})
    );

    let post = |packages: Value| {
        let (s, project) = (&s, &project);
        async move { s.post("/api/Spaces-1/releases", json!({"ProjectId": project, "Version": "8.0.0", "SelectedPackages": packages})).await }
    };
    let (status, refusal) = post(json!([])).await;
    assert_eq!(status, 400);
    assert_eq!(
        refusal["Errors"],
        json!([
            "No package version was specified for the step 'Deploy web'",
            "No package version was specified for the step 'Run tools' and its package 'Acme.Web'"
        ])
    );
    assert_eq!(post(json!([{"ActionName": "Deploy web", "Version": "1.1.0"}])).await.0, 400);
    assert_eq!(post(json!([{"ActionName": "Deploy web", "Version": " "}, {"ActionName": "Run tools", "PackageReferenceName": "Acme.Web", "Version": "1.0.0"}])).await.0, 400);
    let (status, made) =
        post(json!([{"StepName": "deploy WEB", "Version": "1.1.0"}, {"ActionName": "Run tools", "PackageReferenceName": "Acme.Web", "Version": "5.0.0"}])).await;
    assert_eq!(status, 201, "{made}");
    assert_eq!(
        made["SelectedPackages"][0],
        json!({"ActionName": "Deploy web", "StepName": "Deploy web", "PackageReferenceName": "", "Version": "1.1.0"})
    );
    let own = made["Links"]["Self"].as_str().unwrap().to_owned();
    assert_eq!(s.get(&format!("{own}/missingpackages")).await, json!({"Packages": [{"Id": "Acme.Web", "Version": "5.0.0"}]}));
    let mut changed = made.clone();
    changed["SelectedPackages"][1]["Version"] = json!("1.1.0");
    let (status, _) = s.send(Method::PUT, &own, Some(changed.clone())).await;
    assert_eq!(status, 200);
    assert_eq!(s.get(&format!("{own}/missingpackages")).await, json!({"Packages": []}));
    changed["SelectedPackages"] = json!([]);
    assert_eq!(s.send(Method::PUT, &own, Some(changed)).await.0, 400);
    assert_eq!(s.get(&own).await["SelectedPackages"][1]["Version"], "1.1.0");
}

#[tokio::test]
async fn the_executions_api_finds_versions_itself() {
    let s = Server::toml(WORLD).await;
    let create = |project: &'static str, extra: Value| {
        let s = &s;
        async move {
            let mut body = json!({"spaceId": "Spaces-1", "spaceIdOrName": "Spaces-1", "projectName": project});
            body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
            let (status, answer) = s.post("/api/Spaces-1/releases/create/v1", body).await;
            if status != 201 {
                return Err((status, answer["Errors"][0].as_str().unwrap_or_default().to_owned()));
            }
            let release = s.get(&format!("/api/Spaces-1/releases/{}", answer["ReleaseId"].as_str().unwrap())).await;
            Ok(release["SelectedPackages"]
                .as_array()
                .unwrap()
                .iter()
                .map(|p| p["Version"].as_str().unwrap().to_owned())
                .collect::<Vec<_>>())
        }
    };
    let cases = [
        (json!({}), ["2.0.0-beta.1", "2.0.0-beta.1"]),
        (json!({"packagePrerelease": "^$"}), ["1.10.0", "1.10.0"]),
        (json!({"packageVersion": "1.1.0"}), ["1.1.0", "1.1.0"]),
        (json!({"packages": ["*:1.0.0"]}), ["1.0.0", "1.0.0"]),
        (json!({"packageVersion": "1.1.0", "packages": ["Deploy web:1.0.0"]}), ["1.0.0", "1.1.0"]),
        (json!({"packages": ["acme.web:1.1.0"]}), ["1.1.0", "1.1.0"]),
        (json!({"packages": ["acme.web:1.1.0", "Run tools:Acme.Web:1.0.0"]}), ["1.1.0", "1.0.0"]),
        (json!({"packages": ["acme.web/1.1.0", "*:Acme.Web:1.0.0"]}), ["1.1.0", "1.0.0"]),
        (json!({"packages": ["Nothing:9.9.9"]}), ["2.0.0-beta.1", "2.0.0-beta.1"]),
    ];
    for (extra, expected) in cases {
        assert_eq!(create("Parcel", extra.clone()).await.unwrap_or_default(), expected, "{extra}");
    }
    let (status, why) = create("Parcel", json!({"packages": ["1.0.0"]})).await.unwrap_err();
    assert!(status == 400 && why.contains("'1.0.0' is not written as"), "{why}");
    let (status, why) = create("Empty", json!({})).await.unwrap_err();
    assert!(status == 400 && why.contains("package 'Acme.Tools' for the step 'Deploy'"), "{why}");
    assert_eq!(push(&s, "", "Acme.Tools.0.1.0.zip", b"x").await.0, 201);
    assert_eq!(create("Empty", json!({})).await, Ok(vec!["0.1.0".to_owned()]));
}

#[tokio::test]
async fn channel_rules_about_a_package_bind_its_version() {
    let s = Server::toml(WORLD).await;
    let project = s.id("projects", "Parcel").await;
    let rules =
        json!([{"VersionRange": "[1.0,1.5)", "Tag": "^$", "ActionPackages": [{"DeploymentAction": "Deploy web", "PackageReference": ""}]}]);
    let (status, channel) = s.post("/api/Spaces-1/channels", json!({"Name": "Stable", "ProjectId": project, "Rules": rules})).await;
    assert_eq!(status, 201, "{channel}");
    let body = |extra: Value| {
        let mut body = json!({"projectName": "Parcel", "channelName": "Stable"});
        body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        body
    };
    let (_, made) = s.post("/api/Spaces-1/releases/create/v1", body(json!({"releaseVersion": "9.0.0"}))).await;
    let release = s.get(&format!("/api/Spaces-1/releases/{}", made["ReleaseId"].as_str().unwrap())).await;
    assert_eq!(
        (&release["SelectedPackages"][0]["Version"], &release["SelectedPackages"][1]["Version"]),
        (&json!("1.1.0"), &json!("2.0.0-beta.1"))
    );
    let classic = |version: &str, ignore: bool| {
        json!({"ProjectId": project, "ChannelId": channel["Id"], "Version": version, "IgnoreChannelRules": ignore, "SelectedPackages": [
            {"ActionName": "Deploy web", "Version": "1.10.0"}, {"ActionName": "Run tools", "PackageReferenceName": "Acme.Web", "Version": "1.0.0"}]})
    };
    let (status, refusal) = s.post("/api/Spaces-1/releases", classic("9.1.0", false)).await;
    assert!(status == 400 && refusal["Errors"][0].as_str().unwrap().contains("version rules of the channel 'Stable'"), "{refusal}");
    assert_eq!(s.post("/api/Spaces-1/releases", classic("9.1.0", true)).await.0, 201);
}

#[tokio::test]
async fn a_donor_package_gives_releases_their_version() {
    let s = Server::toml(WORLD).await;
    let id = s.id("projects", "Parcel").await;
    let mut project = s.get(&format!("/api/Spaces-1/projects/{id}")).await;
    project["VersioningStrategy"] = json!({"Template": null, "DonorPackage": {"DeploymentAction": "Deploy web", "PackageReference": ""}});
    assert_eq!(s.send(Method::PUT, &format!("/api/Spaces-1/projects/{id}"), Some(project)).await.0, 200);
    let template = s.get(&format!("/api/Spaces-1/projects/{id}/deploymentprocesses/template")).await;
    assert_eq!((&template["NextVersionIncrement"], &template["VersioningPackageStepName"]), (&Value::Null, &json!("Deploy web")));
    let (_, made) = s.post("/api/Spaces-1/releases/create/v1", json!({"projectName": "Parcel", "packagePrerelease": "^$"})).await;
    assert_eq!(made["ReleaseVersion"], "1.10.0");
}

#[tokio::test]
async fn build_information_comes_with_packages_and_releases() {
    let s = Server::toml(WORLD).await;
    let body = |version: &str| {
        json!({"PackageId": "Acme.Web", "Version": version, "OctopusBuildInformation": {"BuildEnvironment": "Drone", "BuildNumber": "288",
            "BuildUrl": "https://ci.example/288", "Branch": "main", "VcsType": "Git", "VcsRoot": "https://git.example/web",
            "VcsCommitNumber": "314cf2c3", "Commits": [{"Id": "314cf2c3ee91", "Comment": "Cranes"}]}})
    };
    let (status, made) = s.post("/api/Spaces-1/build-information?overwriteMode=FailIfExists", body("1.0.0")).await;
    assert_eq!(status, 200, "{made}");
    assert_eq!(
        (made["Id"].as_str(), made["Branch"].as_str(), made["Created"].as_str()),
        (Some("BuildInformation-1"), Some("main"), Some("2026-03-02T08:00:00.000+00:00"))
    );
    assert_eq!(made["Commits"], json!([{"Id": "314cf2c3ee91", "Comment": "Cranes", "LinkUrl": null}]));
    let (status, refusal) = s.post("/api/Spaces-1/build-information", body("1.0.0")).await;
    assert!(
        status == 409
            && refusal["ErrorMessage"].as_str().unwrap().starts_with("Metadata for the specified Package ID and version already exists.")
    );
    for mode in ["IgnoreIfExists", "OverwriteExisting"] {
        let mut body = body("1.0.0");
        body["overwriteMode"] = json!(mode);
        body["OctopusBuildInformation"]["BuildNumber"] = json!("289");
        let (status, answer) = s.post("/api/Spaces-1/build-information", body).await;
        let number = if mode == "IgnoreIfExists" { "288" } else { "289" };
        assert_eq!(
            (status, answer["BuildNumber"].as_str(), answer["Id"].as_str()),
            (200, Some(number), Some("BuildInformation-1")),
            "{mode}"
        );
    }
    assert_eq!(s.get("/api/Spaces-1/packages/Acme.Web.1.0.0").await["PackageVersionBuildInformation"]["BuildNumber"], "289");
    let (_, release) = s.post("/api/Spaces-1/releases/create/v1", json!({"projectName": "Parcel", "packages": ["Deploy web:1.0.0"]})).await;
    let release = s.get(&format!("/api/Spaces-1/releases/{}", release["ReleaseId"].as_str().unwrap())).await;
    let builds = release["BuildInformation"].as_array().unwrap();
    assert_eq!((builds.len(), &builds[0]["VcsCommitNumber"], builds[0].get("Id")), (1, &json!("314cf2c3"), None));

    assert_eq!(s.post("/api/Spaces-1/build-information", body("1.1.0")).await.0, 200);
    assert_eq!(versions(&s.get("/api/Spaces-1/build-information?packageId=acme.web").await), ["1.1.0", "1.0.0"]);
    assert_eq!(versions(&s.get("/api/Spaces-1/build-information?latest=true").await), ["1.1.0"]);
    assert_eq!(versions(&s.get("/api/Spaces-1/build-information?packageId=Acme.Web&filter=1.0.0").await), ["1.0.0"]);
    assert_eq!(s.get("/api/Spaces-2/build-information").await["TotalResults"], 0);
    assert_eq!(s.get("/api/Spaces-1/build-information/BuildInformation-1").await["PackageId"], "Acme.Web");
    assert_eq!(s.send(Method::GET, "/api/Spaces-2/build-information/BuildInformation-1", None).await.0, 404);
    assert_eq!(s.send(Method::DELETE, "/api/Spaces-1/build-information/BuildInformation-1", None).await.0, 200);
    assert_eq!(s.send(Method::DELETE, "/api/Spaces-1/build-information/bulk?ids=BuildInformation-2,BuildInformation-9", None).await.0, 200);
    assert_eq!(s.get("/api/Spaces-1/build-information").await["TotalResults"], 0);

    for (body, words) in [
        (json!({"Version": "1.0", "OctopusBuildInformation": {}}), "PackageId"),
        (json!({"PackageId": "A", "OctopusBuildInformation": {}}), "Version"),
        (json!({"PackageId": "A", "Version": "1.0"}), "OctopusBuildInformation"),
    ] {
        let (status, refusal) = s.post("/api/Spaces-1/build-information", body).await;
        assert_eq!((status, refusal["Errors"][0].as_str().unwrap()), (400, format!("The {words} field is required.").as_str()));
    }
    let (status, _) =
        raw(&s, "/api/Spaces-1/build-information", "API-READER", "application/json", body("3.0.0").to_string().into_bytes()).await;
    assert_eq!(status, 403);
}

#[test]
fn mistakes_in_packages_of_a_world_are_pointed_at() {
    let wrong = |toml: &str| octorhai::sandbox::World::from_toml("w.toml", toml).err().expect("a refusal").to_string();
    let said = wrong("[[packages]]\nid = \"Acme.Web\"\nversions = [\"1.0\", \"v2\"]\n");
    assert!(said.contains("`v2` cannot be the version of a package") && said.contains("w.toml:3:20"), "{said}");
    let said = wrong("[[packages]]\nid = \"Acme Web\"\n");
    assert!(said.contains("`Acme Web` cannot be the id of a package") && said.contains("^^^^"), "{said}");
    let said = wrong("[[packages]]\nid = \"A\"\n[[packages]]\nid = \"a\"\n");
    assert!(said.contains("there are two packages called `a`"), "{said}");
    let said = wrong("[[packages]]\nid = \"Acme.Web\"\n[[projects]]\nname = \"P\"\nsteps = [ { name = \"S\", package = \"Acme.Wbe\" } ]\n");
    assert!(said.contains("there is no package `Acme.Wbe` in this world") && said.contains("w.toml:5:"), "{said}");
    let said = wrong("[[packages]]\nid = \"Acme.Web\"\nspace = \"Nowhere\"\n");
    assert!(said.contains("there is no space `Nowhere`"), "{said}");
}
