//! What the tests of the sandbox share.

use jiff::SignedDuration;
use octorhai::{
    clock::Clock,
    sandbox::{Sandbox, World},
};
use serde_json::{Value, json};

/// A sandbox on a virtual clock, and a client that knows its key.
pub struct Server {
    pub sandbox: Sandbox,
    pub clock: Clock,
    pub http: reqwest::Client,
}

impl Server {
    pub async fn of(world: World) -> Self {
        let clock = Clock::virtual_at(world.start());
        let sandbox = Sandbox::start(world, clock.clone(), "127.0.0.1:0".parse().expect("an address")).await.expect("it starts");
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self { sandbox, clock, http: reqwest::Client::builder().no_proxy().build().expect("a client") }
    }
    pub async fn shop() -> Self {
        Self::of(World::named_or_file("shop").expect("shop is a world")).await
    }
    pub async fn toml(text: &str) -> Self {
        Self::of(World::from_toml("test.toml", text).expect("a good world")).await
    }
    pub async fn send(&self, method: reqwest::Method, path: &str, body: Option<Value>) -> (u16, Value) {
        self.send_as(&self.sandbox.api_key(), method, path, body).await
    }
    /// As whoever has `key`.
    pub async fn send_as(&self, key: &str, method: reqwest::Method, path: &str, body: Option<Value>) -> (u16, Value) {
        let mut request = self.http.request(method, format!("{}{path}", self.sandbox.url())).header("X-Octopus-ApiKey", key);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.expect("an answer");
        let status = response.status().as_u16();
        let body = response.bytes().await.expect("a body");
        (status, if body.is_empty() { Value::Null } else { serde_json::from_slice(&body).expect("JSON") })
    }
    pub async fn get(&self, path: &str) -> Value {
        let (status, body) = self.send(reqwest::Method::GET, path, None).await;
        assert_eq!(status, 200, "{path}: {body}");
        body
    }
    pub async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        self.send(reqwest::Method::POST, path, Some(body)).await
    }
    pub async fn id(&self, kind: &str, name: &str) -> String {
        let all = self.get(&format!("/api/Spaces-1/{kind}/all")).await;
        all.as_array().expect("a list").iter().find(|d| d["Name"] == name).unwrap_or_else(|| panic!("no {name} in {kind}"))["Id"]
            .as_str()
            .expect("an id")
            .to_owned()
    }
    pub async fn release(&self, project: &str, version: &str) -> String {
        let id = self.id("projects", project).await;
        self.get(&format!("/api/Spaces-1/projects/{id}/releases/{version}")).await["Id"].as_str().expect("an id").to_owned()
    }
    pub async fn deploy(&self, project: &str, version: &str, environment: &str) -> (u16, Value) {
        let (release, environment) = (self.release(project, version).await, self.id("environments", environment).await);
        self.post("/api/Spaces-1/deployments", json!({"ReleaseId": release, "EnvironmentId": environment, "Comments": "wave 2"})).await
    }
    pub fn pass(&self, minutes: i64) {
        self.clock.advance(SignedDuration::from_mins(minutes));
    }
    /// Deploys and gives back the task's id.
    pub async fn start(&self, project: &str, version: &str, environment: &str) -> String {
        let (status, body) = self.deploy(project, version, environment).await;
        assert_eq!(status, 201, "{body}");
        body["TaskId"].as_str().expect("an id").to_owned()
    }
    pub async fn state_of(&self, task: &str) -> String {
        self.get(&format!("/api/tasks/{task}")).await["State"].as_str().expect("a state").to_owned()
    }
}
