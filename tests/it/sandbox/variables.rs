//! Variables on the simulated server: what keeps a secret, what releases have taken, and who was the later of two writers.

use crate::support::server::Server;
use octorhai::sandbox::World;
use reqwest::Method;
use serde_json::{Value, json};

const SET: &str = "/api/Spaces-1/variables/variableset-Projects-1";

/// Project A with a secret of 18 characters, a text, and a question; `more` is put in front.
fn world(more: &str) -> String {
    let shop = World::builtin_toml("shop").expect("a built-in world");
    let variables = r##"variables = [
        { name = "Password", value = "correct horse 1234", sensitive = true },
        { name = "Wave", value = "1" },
        { name = "Octopus.Task.ConcurrencyTag", value = "#{Octopus.Project.Id}" } ]"##;
    format!("{more}\n{}", shop.replacen("name = \"Project A\"", &format!("name = \"Project A\"\n{variables}"), 1))
}

async fn secret(s: &Server, name: &str) -> (u64, String) {
    let truth = s.get("/sandbox/state").await;
    let all = truth["secrets"].as_array().expect("a list");
    let one = all.iter().find(|one| one["name"] == name).unwrap_or_else(|| panic!("no {name} in {all:?}"));
    (one["length"].as_u64().expect("a length"), one["sha256"].as_str().expect("a hash").to_owned())
}

async fn put(s: &Server, path: &str, body: Value) -> (u16, Value) {
    s.send(Method::PUT, path, Some(body)).await
}

#[tokio::test]
async fn sensitive_variable_keeps_its_secret_by_its_id_and_by_nothing_else() {
    let s = Server::toml(&world("")).await;
    let before = secret(&s, "Password").await;
    assert_eq!(before.0, 18);
    // With the id, null and an empty text both keep it.
    for value in [Value::Null, json!("")] {
        let mut set = s.get(SET).await;
        assert_eq!(set["Variables"][0]["Value"], Value::Null);
        set["Variables"][0]["Value"] = value;
        assert_eq!(put(&s, SET, set).await.0, 200);
        assert_eq!(secret(&s, "Password").await, before);
    }
    // A value replaces it, also under an id of the client's own.
    let mut set = s.get(SET).await;
    set["Variables"][0]["Value"] = json!("new");
    set["Variables"][0]["Id"] = json!("mine");
    assert_eq!(put(&s, SET, set).await.0, 200);
    let replaced = secret(&s, "Password").await;
    assert!(replaced.0 == 3 && replaced.1 != before.1, "{replaced:?}");
    // Without the id, or with one that is not known, it is gone, and the answer does not say so.
    for id in [Value::Null, json!(""), json!("another")] {
        let mut set = s.get(SET).await;
        set["Variables"][0]["Value"] = json!("new");
        assert_eq!(put(&s, SET, set).await.0, 200);
        let mut set = s.get(SET).await;
        set["Variables"][0]["Id"] = id;
        let (status, answer) = put(&s, SET, set).await;
        assert_eq!((status, &answer["Variables"][0]["Value"], &answer["Variables"][0]["IsSensitive"]), (200, &Value::Null, &json!(true)));
        assert_eq!(secret(&s, "Password").await.0, 0);
    }
    let shown = s.get("/sandbox/state").await.to_string();
    assert!(!shown.contains("correct horse"), "{shown}");
}

#[tokio::test]
async fn release_deploys_with_the_variables_it_has_taken() {
    let s = Server::toml(&world("")).await;
    let release = format!("/api/Spaces-1/releases/{}", s.release("Project A", "2.0.0").await);
    let taken = async || {
        let set = s.get(&format!("{release}/variables")).await;
        set["Variables"].as_array().expect("a list").iter().find(|v| v["Name"] == "Wave").expect("Wave")["Value"].clone()
    };
    let template = async || s.get(&format!("{release}/deployments/template")).await["IsVariableSetModified"].clone();
    assert_eq!((taken().await, template().await), (json!("1"), json!(false)));
    let before = s.get(&release).await;
    let mut set = s.get(SET).await;
    set["Variables"][1]["Value"] = json!("2");
    assert_eq!(put(&s, SET, set).await.0, 200);
    assert_eq!((taken().await, template().await), (json!("1"), json!(true)));
    let old = s.get(&format!("/api/Spaces-1/variables/{}", before["ProjectVariableSetSnapshotId"].as_str().expect("an id"))).await;
    assert_eq!(old["Variables"][1]["Value"], "1");
    let (status, after) = s.post(&format!("{release}/snapshot-variables"), json!({})).await;
    assert_eq!((status, taken().await, template().await), (200, json!("2"), json!(false)));
    assert_ne!(before["ProjectVariableSetSnapshotId"], after["ProjectVariableSetSnapshotId"]);
    let sets = s.get(&release.replace("/releases/", "/projects/Projects-1/releases/")).await;
    assert_eq!(sets["Id"], after["Id"]);
    let sets = s.get(&format!("{}/variables", release.replace("/releases/", "/projects/Projects-1/releases/"))).await;
    assert_eq!(sets[0]["Id"], after["ProjectVariableSetSnapshotId"]);
}

#[tokio::test]
async fn later_of_two_snapshots_with_one_token_is_refused_with_409() {
    let s = Server::toml(&world("")).await;
    let release = format!("/api/Spaces-1/releases/{}", s.release("Project A", "2.0.0").await);
    let doc = s.get(&release).await;
    let body =
        json!({"ReleaseId": doc["Id"], "SpaceId": "Spaces-1", "VariableSnapshotConcurrencyToken": doc["VariableSnapshotConcurrencyToken"]});
    let at = format!("{release}/snapshot-variables");
    let (status, renewed) = s.post(&at, body.clone()).await;
    assert_eq!(status, 200);
    let (status, refusal) = s.post(&at, body.clone()).await;
    assert_eq!((status, refusal.get("Errors"), refusal["ErrorMessage"].is_string()), (409, None, true), "{refusal}");
    // The new token is good, and one that is left out is not compared.
    let mut body = body;
    body["VariableSnapshotConcurrencyToken"] = renewed["VariableSnapshotConcurrencyToken"].clone();
    assert_eq!(s.post(&at, body.clone()).await.0, 200);
    assert_eq!(s.post(&at, json!({})).await.0, 200);
    body["ReleaseId"] = json!("Releases-99");
    assert_eq!(s.post(&at, body).await.0, 400);
    let old = Server::toml(&world("version = \"2026.1\"")).await;
    assert!(old.get(&release).await.get("VariableSnapshotConcurrencyToken").is_none());
    assert_eq!(old.post(&at, json!({"VariableSnapshotConcurrencyToken": "x"})).await.0, 200);
}

#[tokio::test]
async fn named_variables_are_taken_anew_where_the_toggle_is_on() {
    let s = Server::toml(&world("toggles = [\"partial-updates-on-variables\"]")).await;
    let toggles = s.get("/api/configuration/feature-toggles?Name=partial-updates-on-variables").await;
    assert_eq!(toggles, json!({"FeatureToggles": [{"Name": "partial-updates-on-variables", "IsEnabled": true}]}));
    let release = format!("/api/Spaces-1/releases/{}", s.release("Project A", "2.0.0").await);
    let mut set = s.get(SET).await;
    set["Variables"][1]["Value"] = json!("2");
    set["Variables"][2]["Value"] = json!("other");
    assert_eq!(put(&s, SET, set).await.0, 200);
    let body = json!({"Variables": [{"Name": "Wave", "OwnerId": "Projects-1"}], "VariableSnapshotConcurrencyToken": s.get(&release).await["VariableSnapshotConcurrencyToken"]});
    let at = format!("{release}/snapshot-variables-by-name");
    assert_eq!(s.post(&at, body.clone()).await.0, 200);
    assert_eq!(s.post(&at, body).await.0, 409);
    let set = s.get(&format!("{release}/variables")).await;
    let value = |name: &str| set["Variables"].as_array().expect("a list").iter().find(|v| v["Name"] == name).expect("it")["Value"].clone();
    assert_eq!((value("Wave"), value("Octopus.Task.ConcurrencyTag")), (json!("2"), json!("#{Octopus.Project.Id}")));
    for (body, status) in [
        (json!({}), 400),
        (json!({"Variables": [{"Name": "Wave"}]}), 400),
        (json!({"Variables": [{"Name": "Tide", "OwnerId": "Projects-1"}]}), 400),
        (json!({"Variables": [{"Name": "Wave", "OwnerId": "Projects-2"}]}), 404),
    ] {
        assert_eq!(s.post(&at, body.clone()).await.0, status, "{body}");
    }
    let off = Server::toml(&world("")).await;
    let body = json!({"Variables": [{"Name": "Wave", "OwnerId": "Projects-1"}]});
    assert_eq!(off.post(&at, body).await.0, 400);
}

#[tokio::test]
async fn runbook_snapshot_takes_variables_like_a_release() {
    let s = Server::toml(&world("")).await;
    let at = "/api/Spaces-1/runbookSnapshots/RunbookSnapshots-1";
    let doc = s.get(at).await;
    let body = json!({"VariableSnapshotConcurrencyToken": doc["VariableSnapshotConcurrencyToken"]});
    assert!(body["VariableSnapshotConcurrencyToken"].is_string(), "{doc}");
    let (status, renewed) = s.post(&format!("{at}/snapshot-variables"), body.clone()).await;
    assert_eq!(status, 200);
    assert_ne!(renewed["VariableSnapshotConcurrencyToken"], doc["VariableSnapshotConcurrencyToken"]);
    assert_eq!(s.post(&format!("{at}/snapshot-variables"), body).await.0, 409);
    assert_eq!(s.get(at).await, renewed);
}

#[tokio::test]
async fn later_of_two_who_write_a_tenants_values_with_one_token_is_refused_with_409() {
    let world = World::builtin_toml("tenants").expect("a built-in world");
    let s = Server::toml(&world).await;
    let at = "/api/Spaces-1/tenants/Tenants-1/variables";
    let (one, other) = (s.get(at).await, s.get(at).await);
    assert!(one["ConcurrencyToken"].is_string(), "{one}");
    let (status, saved) = put(&s, at, one.clone()).await;
    assert_eq!(status, 200);
    assert_ne!(saved["ConcurrencyToken"], one["ConcurrencyToken"]);
    for method in [Method::PUT, Method::POST] {
        let (status, refusal) = s.send(method, at, Some(other.clone())).await;
        assert_eq!((status, refusal.get("Errors")), (409, None), "{refusal}");
    }
    assert_eq!(put(&s, at, saved).await.0, 200);
    let mut unchecked = other;
    unchecked["ConcurrencyToken"] = Value::Null;
    assert_eq!(put(&s, at, unchecked).await.0, 200);
    let old = Server::toml(&format!("version = \"2026.1\"\n{world}")).await;
    assert_eq!(old.get(at).await["ConcurrencyToken"], Value::Null);
}
