//! Step templates over real HTTP: versions, usages, and steps that are brought to a newer version.

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
[[projects]]
name = "Web"
steps = [ { name = "Wait" } ]
runbooks = [ { name = "Nightly", steps = [ { name = "Wait too" } ] } ]
[[users]]
name = "reader"
key = "API-READER"
permissions = ["ActionTemplateView"]
"#;
const ALL: &str = "/api/Spaces-1/actiontemplates";

fn gate() -> Value {
    json!({
        "Name": "Wait for gate", "Description": "Asks the gate", "ActionType": "Octopus.Script", "Version": 7, "$Meta": {"Type": "ActionTemplate"},
        "Properties": {"Octopus.Action.Script.Syntax": "Bash", "Octopus.Action.Script.ScriptBody": "ask"},
        "Parameters": [{"Name": "Gate.Url", "Label": "Gate URL", "HelpText": "", "DefaultValue": "http://gate", "DisplaySettings": {"Octopus.ControlType": "SingleLineText"}}],
    })
}

async fn make(s: &Server) -> (String, Value) {
    let (status, made) = s.post(ALL, gate()).await;
    assert_eq!(status, 201, "{made}");
    (made["Links"]["Self"].as_str().expect("a link").to_owned(), made)
}

async fn put(s: &Server, path: &str, doc: &Value) -> (u16, Value) {
    s.send(Method::PUT, path, Some(doc.clone())).await
}

/// A step made from the template, in the project's process and in its runbook's.
async fn use_it(s: &Server, template: &Value, body: &str) {
    for path in ["deploymentprocesses/deploymentprocess-Projects-1", "runbookProcesses/RunbookProcess-Runbooks-1"] {
        let path = format!("/api/Spaces-1/{path}");
        let mut process = s.get(&path).await;
        process["Steps"][0]["Actions"][0]["Properties"] = json!({
            "Octopus.Action.Template.Id": template["Id"], "Octopus.Action.Template.Version": template["Version"].to_string(),
            "Octopus.Action.Script.Syntax": "Bash", "Octopus.Action.Script.ScriptBody": body, "Gate.Url": "http://north",
        });
        assert_eq!(put(s, &path, &process).await.0, 200);
    }
}

#[tokio::test]
async fn a_template_is_made_and_changed_in_versions() {
    let s = Server::toml(WORLD).await;
    let (own, made) = make(&s).await;
    assert_eq!((made["Version"].as_u64(), made["SpaceId"].as_str()), (Some(0), Some("Spaces-1")), "an import drops its version");
    for (key, value) in
        [("Packages", json!([])), ("GitDependencies", json!([])), ("CommunityActionTemplateId", Value::Null), ("Inputs", Value::Null)]
    {
        assert_eq!(made[key], value, "{key}");
    }
    assert!(made.get("$Meta").is_none() && made.get("Slug").is_none(), "{made}");
    let parameter = made["Parameters"][0]["Id"].as_str().expect("an id").to_owned();
    assert_eq!(parameter.len(), 36);
    assert_eq!(s.get(&own).await, made);
    let (_, bare) =
        s.post(ALL, json!({"Name": "Bare", "ActionType": "Octopus.Script", "Parameters": [{"Name": "A"}], "Packages": [{}]})).await;
    let of = |list: &str| {
        let mut part = bare[list][0].clone();
        assert_eq!(part.as_object_mut().unwrap().remove("Id").unwrap().as_str().unwrap().len(), 36);
        part
    };
    assert_eq!(of("Parameters"), json!({"Name": "A", "Label": "", "HelpText": "", "DefaultValue": null, "DisplaySettings": {}}));
    assert_eq!(of("Packages"), json!({"Name": "", "PackageId": null, "FeedId": null, "AcquisitionLocation": "Server", "Properties": {}}));

    let mut new = made.clone();
    new["Properties"]["Octopus.Action.Script.ScriptBody"] = json!("ask twice");
    new["ActionType"] = json!("Octopus.Manual");
    let (status, second) = put(&s, &own, &new).await;
    assert_eq!((status, second["Version"].as_u64(), second["ActionType"].as_str()), (200, Some(1), Some("Octopus.Script")));
    assert_eq!(second["Parameters"][0]["Id"], parameter.as_str());
    let (status, refusal) = put(&s, &own, &new).await;
    assert!(status == 400 && refusal["Errors"][0].as_str().unwrap().contains("changed by another user"), "{refusal}");
    new.as_object_mut().unwrap().remove("Version");
    assert_eq!(put(&s, &own, &new).await.1["Version"], 2, "some clients leave the number out");

    assert_eq!(s.get(&format!("{own}/versions/0")).await, made);
    assert_eq!(s.get(&format!("{own}/versions/1")).await, second);
    let all = s.get(&format!("{own}/versions")).await;
    assert_eq!(all["Items"].as_array().unwrap().iter().map(|v| v["Version"].as_u64().unwrap()).collect::<Vec<_>>(), [2, 1, 0]);
    assert!(all["Items"][0].get("_History").is_none());
    for wrong in ["3", "x", "-1"] {
        assert_eq!(s.send(Method::GET, &format!("{own}/versions/{wrong}"), None).await.0, 404, "{wrong}");
    }
    assert_eq!(s.get(&format!("{ALL}?partialName=GATE")).await["TotalResults"], 1);
    assert_eq!(s.send(Method::GET, &own.replace("Spaces-1", "Spaces-2"), None).await.0, 404);
    assert_eq!(s.send(Method::DELETE, &own, None).await.0, 200);
    assert_eq!(s.send(Method::GET, &own, None).await.0, 404);
}

#[tokio::test]
async fn wrong_templates_are_refused_with_all_reasons() {
    let s = Server::toml(WORLD).await;
    make(&s).await;
    let parameters = |list: Value| json!({"Name": "New", "ActionType": "Octopus.Script", "Parameters": list});
    let cases = [
        (json!({}), vec!["Please provide a name for the template.", "Please provide an action type."]),
        (json!({"Name": " ", "ActionType": "Octopus.Script"}), vec!["Please provide a name for the template."]),
        (
            json!({"Name": "wait FOR gate", "ActionType": "Octopus.Script"}),
            vec!["The name 'Wait for gate' is already in use. Please choose a different name."],
        ),
        (json!({"Name": "New", "ActionType": "Octopus.Script", "Properties": []}), vec!["The Properties field must be an object."]),
        (parameters(json!({})), vec!["The parameters must be a list."]),
        (parameters(json!([{"Label": "No name"}])), vec!["Please provide a variable name for every parameter."]),
        (parameters(json!([{"Name": "A"}, {"Name": "a"}])), vec!["There are two parameters with the name 'a'."]),
    ];
    for (body, expected) in cases {
        let (status, refusal) = s.post(ALL, body.clone()).await;
        assert_eq!((status, &refusal["Errors"]), (400, &json!(expected)), "{body}");
    }
    for body in [json!([]), json!("text"), json!(1)] {
        assert_eq!(s.post(ALL, body.clone()).await.0, 400, "{body}");
        assert_eq!(put(&s, &format!("{ALL}/ActionTemplates-1"), &body).await.0, 400, "{body}");
    }
    assert_eq!(put(&s, &format!("{ALL}/ActionTemplates-9"), &gate()).await.0, 404);
    assert_eq!(s.post("/api/Spaces-2/actiontemplates", gate()).await.0, 201, "names are a space's own");

    let as_reader = |method: Method, path: &str| {
        let request = s.http.request(method, format!("{}{path}", s.sandbox.url())).header("X-Octopus-ApiKey", "API-READER").json(&gate());
        async move { request.send().await.expect("an answer").status().as_u16() }
    };
    let one = format!("{ALL}/ActionTemplates-1");
    assert_eq!(as_reader(Method::GET, &one).await, 200);
    for (method, path) in [
        (Method::POST, ALL.to_owned()),
        (Method::PUT, one.clone()),
        (Method::DELETE, one.clone()),
        (Method::POST, format!("{one}/actionsUpdate")),
    ] {
        assert_eq!(as_reader(method.clone(), &path).await, 403, "{method} {path}");
    }
}

#[tokio::test]
async fn usage_says_which_steps_are_made_from_it() {
    let s = Server::toml(WORLD).await;
    let (own, made) = make(&s).await;
    assert_eq!(s.get(&format!("{own}/usage")).await, json!([]));
    use_it(&s, &made, "ask").await;
    let process = s.get("/api/Spaces-1/projects/Projects-1/deploymentprocesses").await;
    let properties = &process["Steps"][0]["Actions"][0]["Properties"];
    assert_eq!((&properties["Octopus.Action.Template.Id"], &properties["Octopus.Action.Template.Version"]), (&made["Id"], &json!("0")));
    let snapshot = s.get("/api/Spaces-1/deploymentprocesses/deploymentprocess-Projects-1-s-1-SANDB").await;
    assert_eq!(snapshot["Steps"], process["Steps"]);
    let usage = s.get(&format!("{own}/usage")).await;
    let of =
        |kind: &str| usage.as_array().unwrap().iter().find(|u| u["ProcessType"] == kind).unwrap_or_else(|| panic!("no {kind} in {usage}"));
    let action = &process["Steps"][0]["Actions"][0];
    let expected = json!({
        "Id": null, "ActionTemplateId": made["Id"], "ActionId": action["Id"], "ActionName": "Wait", "StepId": process["Steps"][0]["Id"], "StepName": "Wait",
        "ProcessId": "deploymentprocess-Projects-1", "ProcessType": "Deployment", "DeploymentProcessId": "deploymentprocess-Projects-1",
        "ProjectId": "Projects-1", "ProjectName": "Web", "ProjectSlug": "web", "RunbookId": null, "RunbookName": null, "Release": null, "Branch": null,
        "Version": "0", "Links": {},
    });
    assert_eq!(of("Deployment"), &expected);
    assert_eq!((&of("Runbook")["RunbookName"], &of("Runbook")["DeploymentProcessId"]), (&json!("Nightly"), &Value::Null));
    let (status, refusal) = s.send(Method::DELETE, &own, None).await;
    assert!(status == 400 && refusal["Errors"][0].as_str().unwrap().contains("is used by 'Web', 'Web'"), "{refusal}");
}

#[tokio::test]
async fn steps_are_brought_to_a_newer_version() {
    let s = Server::toml(WORLD).await;
    let (own, made) = make(&s).await;
    use_it(&s, &made, "ask").await;
    let mut new = made.clone();
    new["Properties"]["Octopus.Action.Script.ScriptBody"] = json!("ask twice");
    new["Parameters"].as_array_mut().unwrap().push(json!({"Name": "Gate.Key", "DefaultValue": ""}));
    assert_eq!(put(&s, &own, &new).await.0, 200);

    let process = "deploymentprocess-Projects-1";
    let action = s.get(&format!("/api/Spaces-1/deploymentprocesses/{process}")).await["Steps"][0]["Actions"][0]["Id"].clone();
    let update = |extra: Value| {
        let (s, own, action) = (&s, &own, &action);
        async move {
            let mut body =
                json!({"Version": 1, "ActionsToUpdate": [{"ProcessType": "Deployment", "ProcessId": process, "ActionIds": [action]}]});
            body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
            s.post(&format!("{own}/actionsUpdate"), body).await
        }
    };
    let (status, results) = update(json!({})).await;
    let expected = json!([{
        "Id": action, "Outcome": "DefaultParamterValueMissing", "NamesOfNewParametersMissingDefaultValue": ["Gate.Key"],
        "ManualMergeRequiredReasonsByPropertyName": {}, "RemovedPackageUsages": [], "Links": {},
    }]);
    assert_eq!((status, results), (200, expected));
    let before = s.get(&format!("/api/Spaces-1/deploymentprocesses/{process}")).await;
    let (_, results) = update(json!({"DefaultPropertyValues": {"Gate.Key": "secret"}})).await;
    assert_eq!(results[0]["Outcome"], "Success");
    let after = s.get(&format!("/api/Spaces-1/deploymentprocesses/{process}")).await;
    assert_eq!(after["Version"].as_u64().unwrap(), before["Version"].as_u64().unwrap() + 1);
    let expected = json!({
        "Octopus.Action.Template.Id": made["Id"], "Octopus.Action.Template.Version": "1", "Octopus.Action.Script.Syntax": "Bash",
        "Octopus.Action.Script.ScriptBody": "ask twice", "Gate.Url": "http://north", "Gate.Key": "secret",
    });
    assert_eq!(after["Steps"][0]["Actions"][0]["Properties"], expected);
    assert_eq!(s.get(&format!("{own}/usage")).await[0]["Version"], "1");

    for (body, words) in [
        (json!({"Version": 9}), "has no version 9"),
        (json!({"Version": null}), "Version field is required"),
        (json!({"ActionsToUpdate": []}), "ActionsToUpdate field is required"),
        (json!({"ActionsToUpdate": [{"ProcessId": process, "ActionIds": ["nobody"]}]}), "has no action 'nobody'"),
    ] {
        let (status, refusal) = update(body.clone()).await;
        assert!(status == 400 && refusal["Errors"][0].as_str().unwrap().contains(words), "{body}: {refusal}");
    }
    assert_eq!(update(json!({"ActionsToUpdate": [{"ProcessId": "deploymentprocess-Projects-9", "ActionIds": ["x"]}]})).await.0, 404);
}

#[tokio::test]
async fn what_step_and_template_both_changed_needs_a_person() {
    let s = Server::toml(WORLD).await;
    let (own, made) = make(&s).await;
    use_it(&s, &made, "ask politely").await;
    let mut new = made.clone();
    new["Properties"]["Octopus.Action.Script.ScriptBody"] = json!("ask twice");
    new["Parameters"] = json!([]);
    assert_eq!(put(&s, &own, &new).await.0, 200);
    let process = "RunbookProcess-Runbooks-1";
    let action = s.get(&format!("/api/Spaces-1/runbookProcesses/{process}")).await["Steps"][0]["Actions"][0]["Id"].clone();
    // The old form of the request, by which process has which actions.
    let mut body = json!({"Version": 1, "ActionIdsByProcessId": {process: [action]}});
    let (_, results) = s.post(&format!("{own}/actionsUpdate"), body.clone()).await;
    assert_eq!(results[0]["Outcome"], "ManualMergeRequired");
    assert!(results[0]["ManualMergeRequiredReasonsByPropertyName"]["Octopus.Action.Script.ScriptBody"].is_array());
    body["Overrides"] = json!({"Octopus.Action.Script.ScriptBody": "ask twice, politely"});
    let (_, results) = s.post(&format!("{own}/actionsUpdate"), body).await;
    assert_eq!(results[0]["Outcome"], "Success");
    let properties = s.get(&format!("/api/Spaces-1/runbookProcesses/{process}")).await["Steps"][0]["Actions"][0]["Properties"].clone();
    assert_eq!(properties["Octopus.Action.Script.ScriptBody"], "ask twice, politely");
    assert!(properties.get("Gate.Url").is_none(), "the parameter is gone");
}

#[tokio::test]
async fn a_package_that_gives_releases_their_version_stays() {
    let s = Server::toml(WORLD).await;
    let mut body = gate();
    body["Packages"] =
        json!([{"Name": "", "PackageId": "Acme.Gate", "FeedId": "feeds-builtin", "AcquisitionLocation": "Server", "Properties": {}}]);
    let (_, made) = s.post(ALL, body).await;
    let own = made["Links"]["Self"].as_str().unwrap();
    use_it(&s, &made, "ask").await;
    let path = "/api/Spaces-1/deploymentprocesses/deploymentprocess-Projects-1";
    let mut process = s.get(path).await;
    process["Steps"][0]["Actions"][0]["Packages"] = made["Packages"].clone();
    assert_eq!(put(&s, path, &process).await.0, 200);
    let mut project = s.get("/api/Spaces-1/projects/Projects-1").await;
    project["VersioningStrategy"] = json!({"Template": null, "DonorPackage": {"DeploymentAction": "Wait", "PackageReference": ""}});
    assert_eq!(put(&s, "/api/Spaces-1/projects/Projects-1", &project).await.0, 200);
    let mut new = made.clone();
    new["Packages"] = json!([]);
    assert_eq!(put(&s, own, &new).await.0, 200);
    let action = &process["Steps"][0]["Actions"][0]["Id"];
    let body = json!({"Version": 1, "ActionsToUpdate": [{"ProcessId": "deploymentprocess-Projects-1", "ActionIds": [action]}]});
    let (_, results) = s.post(&format!("{own}/actionsUpdate"), body.clone()).await;
    let expected = json!([{"PackageReference": "", "UsedBy": "ProjectVersionStrategy", "UsedById": "Projects-1", "UsedByName": "Web"}]);
    assert_eq!((&results[0]["Outcome"], &results[0]["RemovedPackageUsages"]), (&json!("RemovedPackageInUse"), &expected));
    project["VersioningStrategy"] = json!({"Template": "#{Octopus.Version.NextPatch}", "DonorPackage": null});
    assert_eq!(put(&s, "/api/Spaces-1/projects/Projects-1", &project).await.0, 200);
    assert_eq!(s.post(&format!("{own}/actionsUpdate"), body).await.1[0]["Outcome"], "Success");
    assert_eq!(s.get(path).await["Steps"][0]["Actions"][0]["Packages"], json!([]));
}

#[tokio::test]
async fn categories_search_and_logos() {
    let s = Server::toml(WORLD).await;
    let (own, made) = make(&s).await;
    let categories = s.get(&format!("{ALL}/categories")).await;
    assert_eq!(categories[0], json!({"Id": "script", "Name": "Script", "DisplayOrder": 1, "Links": {}}));
    let found = s.get(&format!("{ALL}/search?type=octopus.script")).await;
    let expected = json!({
        "Id": made["Id"], "Type": "Octopus.Script", "Name": "Wait for gate", "Description": "Asks the gate", "Keywords": null, "Author": null, "Website": null,
        "IsInstalled": true, "IsBuiltIn": false, "Category": "Script", "Categories": ["Script"], "CommunityActionTemplateId": null, "HasUpdate": false,
        "Links": {"Self": made["Links"]["Self"], "Logo": made["Links"]["Logo"]},
    });
    assert_eq!((&found[0]["Name"], &found[0]["IsBuiltIn"], &found[1]), (&json!("Run a Script"), &json!(true), &expected));
    assert_eq!(s.get(&format!("{ALL}/search")).await.as_array().unwrap().len(), 5);
    assert_eq!(s.get("/api/communityactiontemplates").await["TotalResults"], 0);

    assert_eq!(s.send(Method::GET, &format!("{own}/logo"), None).await.0, 404);
    let send = |kind: &'static str, body: Vec<u8>| {
        let request = s.http.post(format!("{}{own}/logo", s.sandbox.url())).header("X-Octopus-ApiKey", s.sandbox.api_key());
        async move { request.header("Content-Type", kind).body(body).send().await.expect("an answer").status().as_u16() }
    };
    let form =
        b"--edge\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.png\"\r\n\r\n\x89PNG\r\n\x1a\n\r\n--edge--\r\n".to_vec();
    assert_eq!(send("multipart/form-data; boundary=edge", form).await, 200);
    let logo = s.http.get(format!("{}{own}/logo", s.sandbox.url())).header("X-Octopus-ApiKey", s.sandbox.api_key()).send().await.unwrap();
    assert_eq!(
        (logo.headers()["content-type"].to_str().unwrap().to_owned(), logo.bytes().await.unwrap().to_vec()),
        ("image/png".into(), b"\x89PNG\r\n\x1a\n".to_vec())
    );
    assert_eq!(send("image/svg+xml", b"<svg/>".to_vec()).await, 200);
    assert_eq!(send("image/png", b"no picture".to_vec()).await, 400);
    assert_eq!(send("multipart/form-data; boundary=edge", b"--edge".to_vec()).await, 400);
}
