//! Packages, feeds, step templates, and other documents nothing happens by.

use super::{Walk, text};
use reqwest::Method;
use serde_json::json;

/// Packages: pushed, found, described, taken away.
pub async fn packages(walk: &mut Walk) {
    let file =
        b"--edge\r\nContent-Disposition: form-data; name=\"file\"; filename=\"Acme.Mail.3.1.0.zip\"\r\n\r\nabc\r\n--edge--\r\n".to_vec();
    let kind = "multipart/form-data; boundary=edge";
    let made = walk.send_as(Method::POST, "/api/Spaces-1/packages/raw", kind, file.clone()).await;
    let id = text(&made, "Id");
    let information = json!({
        "PackageId": "Acme.Mail", "Version": "3.1.0",
        "OctopusBuildInformation": {
            "BuildEnvironment": "Jenkins", "BuildNumber": "7", "BuildUrl": "https://build.example/7", "Branch": "main", "VcsType": "Git",
            "VcsRoot": "https://git.example/mail", "VcsCommitNumber": "9ac3", "Commits": [{"Id": "9ac3", "Comment": "new"}],
        },
    });
    let built = walk.post("/api/Spaces-1/build-information", information).await;
    let built = text(&built, "Id");
    for path in [
        format!("/api/Spaces-1/build-information/{built}"),
        "/api/Spaces-1/build-information".into(),
        "/api/Spaces-1/packages".into(),
        format!("/api/Spaces-1/packages/{id}"),
        format!("/api/Spaces-1/packages/{id}/raw"),
        "/api/Spaces-1/packages/notes?packageIds=feeds-builtin:Acme.Mail:3.1.0,feeds-builtin:Acme.Mail:9.9.9".into(),
        "/api/Spaces-1/feeds/stats".into(),
        "/api/Spaces-1/feeds/feeds-builtin".into(),
        "/api/Spaces-1/feeds/feeds-builtin/packages/search?term=Acme".into(),
        "/api/Spaces-1/feeds/feeds-builtin/packages/versions?packageId=Acme.Mail".into(),
        "/api/Spaces-1/feeds/feeds-builtin/packages/notes?packageId=Acme.Mail&version=3.1.0".into(),
    ] {
        walk.get(&path).await;
    }
    walk.delete(&format!("/api/Spaces-1/build-information/{built}")).await;
    walk.delete("/api/Spaces-1/build-information/bulk?ids=BuildInformation-9").await;
    walk.delete(&format!("/api/Spaces-1/packages/{id}")).await;
    walk.send_as(Method::POST, "/api/Spaces-1/packages/raw?overwriteMode=OverwriteExisting", kind, file).await;
    walk.delete(&format!("/api/Spaces-1/packages/bulk?ids={id}")).await;
}

/// A step template: made, changed, used, its steps brought up to date.
pub async fn templates(walk: &mut Walk) {
    let new = json!({
        "Name": "Wait for gate", "Description": "Asks the gate", "ActionType": "Octopus.Script",
        "Properties": {"Octopus.Action.Script.Syntax": "Bash", "Octopus.Action.Script.ScriptBody": "ask"},
        "Parameters": [{"Name": "Gate.Url", "Label": "Gate URL", "HelpText": "", "DefaultValue": "", "DisplaySettings": {"Octopus.ControlType": "SingleLineText"}}],
    });
    let made = walk.post("/api/Spaces-1/actiontemplates", new).await;
    let own = format!("/api/Spaces-1/actiontemplates/{}", text(&made, "Id"));
    let process = "/api/Spaces-1/deploymentprocesses/deploymentprocess-Projects-2";
    let mut steps = walk.get(process).await;
    steps["Steps"][0]["Actions"][0]["Properties"] = json!({
        "Octopus.Action.Template.Id": made["Id"], "Octopus.Action.Template.Version": made["Version"].to_string(),
        "Octopus.Action.Script.Syntax": "Bash", "Octopus.Action.Script.ScriptBody": "ask",
    });
    let action = text(&steps["Steps"][0]["Actions"][0], "Id");
    walk.kept(Method::PUT, process, steps, &["Version"]).await;
    let mut changed = walk.get(&own).await;
    changed["Properties"]["Octopus.Action.Script.ScriptBody"] = json!("ask twice");
    let changed = walk.kept(Method::PUT, &own, changed, &["Version"]).await;
    for tail in ["", "/usage", "/versions", "/versions/0"] {
        walk.get(&format!("{own}{tail}")).await;
    }
    let update = json!({
        "Version": changed["Version"],
        "ActionsToUpdate": [{"ProcessType": "Deployment", "ProcessId": "deploymentprocess-Projects-2", "ActionIds": [action]}],
    });
    let done = walk.post(&format!("{own}/actionsUpdate"), update).await;
    assert_eq!(done[0]["Outcome"], "Success", "{done}");
    let picture =
        b"--edge\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.png\"\r\n\r\n\x89PNG\r\n\x1a\n\r\n--edge--\r\n".to_vec();
    for method in [Method::POST, Method::PUT] {
        walk.send_as(method, &format!("{own}/logo"), "multipart/form-data; boundary=edge", picture.clone()).await;
    }
    walk.get(&format!("{own}/logo")).await;
    walk.get(&format!("{own}/versions/0/logo")).await;
    walk.get("/api/Spaces-1/actiontemplates/search").await;
    let spare = walk.post("/api/Spaces-1/actiontemplates", json!({"Name": "Spare", "ActionType": "Octopus.Script"})).await;
    walk.delete(&format!("/api/Spaces-1/actiontemplates/{}", text(&spare, "Id"))).await;
}

/// Documents that are only kept.
pub async fn plain(walk: &mut Walk) {
    let secret = json!({"HasValue": true, "NewValue": "hush"});
    for (kind, new) in [
        (
            "machines",
            json!({"Name": "sul-web-01", "EnvironmentIds": ["Environments-2"], "Roles": ["web"], "Endpoint": {"CommunicationStyle": "None"}}),
        ),
        ("workers", json!({"Name": "worker-1", "WorkerPoolIds": ["WorkerPools-1"], "Endpoint": {"CommunicationStyle": "None"}})),
        ("workerpools", json!({"Name": "Pool", "Description": "of workers"})),
        ("machinepolicies", json!({"Name": "Strict", "Description": "no mercy"})),
        ("proxies", json!({"Name": "Way out", "Host": "proxy.example", "Port": 3128})),
        ("feeds", json!({"Name": "Public", "FeedType": "NuGet", "FeedUri": "https://feed.example/v3/index.json"})),
        (
            "accounts",
            json!({"Name": "Deployer", "Description": "may all", "AccountType": "UsernamePassword", "Username": "deployer", "Password": secret}),
        ),
        ("certificates", json!({"Name": "Pier", "Notes": "signed", "CertificateData": secret})),
    ] {
        let mut sent = new.clone();
        for hidden in ["Password", "CertificateData"] {
            sent.as_object_mut().expect("an object").remove(hidden);
        }
        let (status, made) = walk.ask(Method::POST, &format!("/api/Spaces-1/{kind}"), Some(new)).await;
        assert_eq!(status, 201, "{kind}: {made}");
        assert!(!made.to_string().contains("hush"), "{kind} shows its secret: {made}");
        assert!(super::holds(&made, &sent), "{kind}: {sent} became {made}");
        let at = format!("/api/Spaces-1/{kind}/{}", text(&made, "Id"));
        let read = walk.get(&at).await;
        walk.put(&at, read).await;
        walk.get(&format!("/api/Spaces-1/{kind}")).await;
        walk.get(&format!("/api/Spaces-1/{kind}/all")).await;
        walk.delete(&at).await;
    }
    assert_eq!(walk.get("/api/Spaces-1/machineroles/all").await, json!(["Inner", "web"]));
    for path in [
        "/api/Spaces-1/useronboarding",
        "/api/Spaces-1/projecttriggers/all",
        "/api/Spaces-1/projects/Projects-1/logo",
        "/api/Spaces-1/tenants/Tenants-1/logo",
        "/api/spaces/Spaces-1/logo",
        "/api/Spaces-1/tenants/Tenants-1/commonvariables?includeMissingVariables=true",
        "/api/Spaces-1/tenants/Tenants-1/projectvariables",
    ] {
        walk.get(path).await;
    }
    let node = walk.get("/api/octopusservernodes/OctopusServerNodes-sandbox").await;
    walk.put("/api/octopusservernodes/OctopusServerNodes-sandbox", node).await;
    walk.put("/api/Spaces-1/tagsets/sortorder", json!(["TagSets-1"])).await;
    let values = walk.get("/api/Spaces-1/tenants/Tenants-1/variables").await;
    walk.kept(Method::POST, "/api/Spaces-1/tenants/Tenants-1/variables", values, &["ConcurrencyToken"]).await;
}
