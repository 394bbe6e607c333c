//! A walk through everything the sandbox answers, in every state that shows itself, with a record of all exchanges.

mod approvals;
mod environments;
mod git;
mod people;
mod reads;
mod stores;
mod things;
mod work;

use super::check::Exchange;
use crate::support::server::Server;
use octorhai::sandbox::World;
use reqwest::Method;
use serde_json::Value;
use tokio::sync::OnceCell;

/// A sandbox and all that was said to it.
pub struct Walk {
    pub server: Server,
    pub seen: Vec<Exchange>,
}

impl Walk {
    async fn of(world: World) -> Self {
        Self { server: Server::of(world).await, seen: Vec::new() }
    }

    /// Sends a request as somebody and notes the exchange.
    pub async fn say(&mut self, method: Method, path: &str, body: Option<Value>, key: &str) -> (u16, Value) {
        let url = format!("{}{path}", self.server.sandbox.url());
        let mut request = self.server.http.request(method.clone(), url).header("X-Octopus-ApiKey", key);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.expect("an answer");
        let status = response.status().as_u16();
        let is_json = response.headers().get("Content-Type").is_some_and(|t| t.to_str().is_ok_and(|t| t.starts_with("application/json")));
        let text = String::from_utf8_lossy(&response.bytes().await.expect("bytes")).into_owned();
        let body = (is_json && !text.is_empty()).then(|| serde_json::from_str::<Value>(&text).expect("JSON"));
        let answer = body.clone().unwrap_or(Value::String(text));
        self.seen.push(Exchange { method: method.to_string(), path: path.to_owned(), status, body });
        (status, answer)
    }

    async fn ask(&mut self, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
        let key = self.server.sandbox.api_key();
        self.say(method, path, body, &key).await
    }

    async fn get(&mut self, path: &str) -> Value {
        let (status, body) = self.ask(Method::GET, path, None).await;
        assert_eq!(status, 200, "GET {path}: {body}");
        body
    }

    /// Must be refused with this status.
    async fn refused(&mut self, method: Method, path: &str, body: Option<Value>, status: u16) -> Value {
        let (got, answer) = self.ask(method.clone(), path, body).await;
        assert_eq!(got, status, "{method} {path}: {answer}");
        answer
    }

    async fn post(&mut self, path: &str, body: Value) -> Value {
        self.kept(Method::POST, path, body, &[]).await
    }

    async fn put(&mut self, path: &str, body: Value) -> Value {
        self.kept(Method::PUT, path, body, &[]).await
    }

    /// Sends a document; what was said must be found under the same names in the answer, where it has them.
    async fn kept(&mut self, method: Method, path: &str, body: Value, not: &[&str]) -> Value {
        let (status, answer) = self.ask(method.clone(), path, Some(body.clone())).await;
        assert!(status == 200 || status == 201, "{method} {path}: {status} {answer}");
        for (key, sent) in super::schema::members(&body) {
            if let Some(kept) = answer.get(key).filter(|_| key != "Links" && !not.contains(&key.as_str())) {
                assert!(holds(kept, sent), "{method} {path}: {key} was not kept: {sent} became {kept}");
            }
        }
        answer
    }

    /// Sends bytes of some kind.
    async fn send_as(&mut self, method: Method, path: &str, kind: &str, body: Vec<u8>) -> Value {
        let request = self.server.http.request(method.clone(), format!("{}{path}", self.server.sandbox.url()));
        let request = request.header("X-Octopus-ApiKey", self.server.sandbox.api_key()).header("Content-Type", kind).body(body);
        let response = request.send().await.expect("an answer");
        let status = response.status().as_u16();
        let answer: Value = response.json().await.expect("JSON");
        assert!(status == 200 || status == 201, "{method} {path}: {answer}");
        self.seen.push(Exchange { method: method.to_string(), path: path.to_owned(), status, body: Some(answer.clone()) });
        answer
    }

    async fn delete(&mut self, path: &str) -> Value {
        let (status, body) = self.ask(Method::DELETE, path, None).await;
        assert_eq!(status, 200, "DELETE {path}: {body}");
        body
    }

    /// The first document of a list with this name.
    async fn id(&mut self, kind: &str, name: &str) -> String {
        let all = self.get(&format!("/api/Spaces-1/{kind}/all")).await;
        let found = all.as_array().into_iter().flatten().find(|d| d["Name"] == name).unwrap_or_else(|| panic!("no {name} in {kind}"));
        text(found, "Id")
    }
}

/// Whether all that was sent is there; more may be.
fn holds(kept: &Value, sent: &Value) -> bool {
    match (kept, sent) {
        (Value::Object(kept), Value::Object(sent)) => sent.iter().all(|(k, v)| kept.get(k).is_some_and(|kept| holds(kept, v))),
        (Value::Array(kept), Value::Array(sent)) => kept.len() == sent.len() && kept.iter().zip(sent).all(|(k, s)| holds(k, s)),
        _ => kept == sent,
    }
}

/// A text member.
fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_else(|| panic!("no {key} in {value}")).to_owned()
}

/// All exchanges of a walk through the worlds, which all tests share.
pub async fn everywhere() -> &'static [Exchange] {
    static WALK: OnceCell<Vec<Exchange>> = OnceCell::const_new();
    WALK.get_or_init(walk).await
}

async fn walk() -> Vec<Exchange> {
    let mut seen = Vec::new();
    let mut walk = Walk::of(World::from_toml("walk.toml", include_str!("world.toml")).expect("a good world")).await;
    reads::roots(&mut walk).await;
    reads::lists(&mut walk).await;
    reads::documents(&mut walk).await;
    people::users(&mut walk).await;
    people::refusals(&mut walk).await;
    work::deployments(&mut walk).await;
    work::interruptions(&mut walk).await;
    work::answered(&mut walk).await;
    approvals::of_octopus(&mut walk).await;
    approvals::of_service_now(&mut walk).await;
    environments::ephemeral(&mut walk).await;
    work::runbooks(&mut walk).await;
    git::sail_loft(&mut walk).await;
    work::tasks(&mut walk).await;
    things::documents(&mut walk).await;
    things::releases(&mut walk).await;
    things::variables(&mut walk).await;
    things::freezes_and_artifacts(&mut walk).await;
    stores::packages(&mut walk).await;
    stores::templates(&mut walk).await;
    stores::plain(&mut walk).await;
    people::roles_and_keys(&mut walk).await;
    reads::lists(&mut walk).await;
    reads::documents(&mut walk).await;
    seen.append(&mut walk.seen);
    for name in ["shop", "tenants", "previews", "fleet(40)", "conformance/world.toml"] {
        let mut walk = Walk::of(World::named_or_file(name).unwrap_or_else(|e| panic!("{name}: {e}"))).await;
        reads::roots(&mut walk).await;
        reads::lists(&mut walk).await;
        reads::documents(&mut walk).await;
        seen.append(&mut walk.seen);
    }
    seen
}
