//! A world is the server that its version says: what older ones do not know is not there.

use crate::support::server::Server;
use octorhai::sandbox::{World, endpoints};
use reqwest::Method;

const VERSIONS: [&str; 3] = ["2025.1", "2026.1", "2026.3"];

fn world(version: &str) -> String {
    format!("version = \"{version}\"\n{}", World::builtin_toml("shop").expect("a built-in world"))
}

#[tokio::test]
async fn each_endpoint_is_there_from_its_version_on() {
    let mut newer = 0;
    for (age, version) in VERSIONS.into_iter().enumerate() {
        let s = Server::toml(&world(version)).await;
        let root = s.get("/api").await;
        assert_eq!(root["Version"], format!("{version}.4242"));
        for endpoint in endpoints() {
            let text = |key: &str| endpoint[key].as_str().unwrap_or_default().to_owned();
            let Some(first) = endpoint["since"].as_str() else { continue };
            let first = VERSIONS.iter().position(|version| *version == first).expect("a simulated version");
            let path = text("path").replace("{space}", "Spaces-1").replace(['{', '}'], "");
            let method: Method = text("method").parse().expect("a method");
            let (status, body) = s.send(method, &path, None).await;
            // What is there may miss the document that the path names, and says so by its name.
            let unknown = status == 404 && body["ErrorMessage"] == format!("The resource '{path}' was not found.");
            assert_eq!(unknown, age < first, "{version}: {endpoint}: {status} {body}");
            newer += 1;
        }
    }
    assert!(newer > 6, "{newer}");
}

#[tokio::test]
async fn callers_see_who_they_are_and_events_who_was_a_service() {
    let more = "[[users]]\nname = \"robot\"\nkey = \"API-ROBOT\"\nservice = true\n[[users]]\nname = \"zoe\"\n";
    let s = Server::toml(&format!("{}\n{more}", world("2026.3"))).await;
    let me = s.get("/api/users/me").await;
    assert_eq!(me["IsRequestor"], true);
    assert_eq!(s.get(&format!("/api/users/{}", me["Id"].as_str().expect("an id"))).await["IsRequestor"], true);
    let all = s.get("/api/users/all").await;
    let zoe = all.as_array().expect("a list").iter().find(|user| user["Username"] == "zoe").expect("zoe");
    assert_eq!(s.get(&format!("/api/users/{}", zoe["Id"].as_str().expect("an id"))).await["IsRequestor"], false);
    let (release, environment) = (s.release("Project A", "2.0.0").await, s.id("environments", "Development").await);
    let body = serde_json::json!({"ReleaseId": release, "EnvironmentId": environment});
    assert_eq!(s.send_as("API-ROBOT", Method::POST, "/api/Spaces-1/deployments", Some(body)).await.0, 201);
    let queued = s.get("/api/Spaces-1/events?eventCategories=DeploymentQueued&take=1").await;
    assert_eq!((&queued["Items"][0]["Username"], &queued["Items"][0]["IsService"]), (&"robot".into(), &true.into()));
    s.pass(1);
    let started = s.get("/api/Spaces-1/events?eventCategories=DeploymentStarted&take=1").await;
    assert_eq!(started["Items"][0]["IsService"], false);
}

#[tokio::test]
async fn commands_can_be_asked_for_by_name() {
    let s = Server::shop().await;
    assert_eq!(s.get("/api/capabilities/CreateReleaseCommandV1").await, serde_json::json!({"Exists": true}));
    assert_eq!(s.send(Method::GET, "/api/capabilities/MakeCoffeeCommandV1", None).await.0, 404);
}
