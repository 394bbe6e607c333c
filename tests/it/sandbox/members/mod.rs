//! Nothing is accepted and ignored: each member of a body that an endpoint takes makes a difference, and others are answered with 501.

mod cases;

use crate::support::server::Server;
use cases::cases;
use octorhai::sandbox::endpoints;
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

const WORLD: &str = include_str!("world.toml");

/// Names that stand for identifiers, in paths and bodies: `@environments/E`, `@releases/P/1`.
async fn named(server: &Server, text: &str) -> String {
    let Some((kind, name)) = text.strip_prefix('@').and_then(|rest| rest.split_once('/')) else { return text.to_owned() };
    match (kind, name.split_once('/')) {
        ("releases", Some((project, version))) => server.release(project, version).await,
        ("runbooks" | "environments" | "projects" | "tenants" | "machines" | "runbookSnapshots" | "channels", None) => {
            let all = server.get(&format!("/api/Spaces-1/{kind}?take=1000")).await;
            let all = all["Items"].as_array().cloned().expect("items");
            let found = all.iter().find(|doc| doc["Name"] == name).unwrap_or_else(|| panic!("no {text}"));
            found["Id"].as_str().expect("an id").to_owned()
        }
        ("parents", None) => {
            let all = server.get("/api/Spaces-1/environments/v2?skip=0&take=100&type=Parent").await;
            let found = all["Items"].as_array().cloned().expect("items").into_iter().find(|doc| doc["Name"] == name);
            found.unwrap_or_else(|| panic!("no {text}"))["Id"].as_str().expect("an id").to_owned()
        }
        ("tags", Some((set, tag))) => {
            let sets = server.get("/api/Spaces-1/tagsets").await;
            let set = sets["Items"].as_array().cloned().expect("items").into_iter().find(|doc| doc["Name"] == set).expect("a set");
            let found = set["Tags"].as_array().cloned().expect("tags").into_iter().find(|doc| doc["Name"] == tag).expect("a tag");
            found["Id"].as_str().expect("an id").to_owned()
        }
        ("variables", None) => {
            let project = Box::pin(named(server, "@projects/P")).await;
            let set = server.get(&format!("/api/Spaces-1/projects/{project}/variables")).await;
            let all = set["Variables"].as_array().cloned().expect("variables");
            all.iter().find(|v| v["Name"] == name).expect("a variable")["Id"].as_str().expect("an id").to_owned()
        }
        _ => panic!("no {text}"),
    }
}

async fn filled(server: &Server, value: &Value) -> Value {
    match value {
        Value::String(text) => json!(named(server, text).await),
        Value::Array(list) => {
            let mut all = Vec::new();
            for one in list {
                all.push(Box::pin(filled(server, one)).await);
            }
            json!(all)
        }
        Value::Object(members) => {
            let mut all = serde_json::Map::new();
            for (name, one) in members {
                all.insert(named(server, name).await, Box::pin(filled(server, one)).await);
            }
            Value::Object(all)
        }
        other => other.clone(),
    }
}

async fn path_of(server: &Server, path: &str) -> String {
    let mut whole = Vec::new();
    for segment in path.split('/') {
        whole.push(named(server, &segment.replacen('~', "/", 2)).await);
    }
    whole.join("/")
}

/// What can be seen of a server.
const SEEN: &[&str] = &[
    "/sandbox/state",
    "/api/Spaces-1/tasks?take=1000",
    "/api/Spaces-1/deployments?take=1000",
    "/api/Spaces-1/runbookRuns?take=1000",
    "/api/Spaces-1/releases?take=1000",
    "/api/Spaces-1/events?take=1000",
    "/api/Spaces-1/interruptions",
    "/api/Spaces-1/artifacts",
    "/api/Spaces-1/build-information",
    "/api/Spaces-1/runbookSnapshots",
    "/api/Spaces-1/releases/Releases-1/defects",
    "/api/users/Users-1/apikeys",
    "/api/Spaces-1/environments/v2?skip=0&take=100",
    "/api/Spaces-1/parentEnvironments/Environments-4",
    "/api/Spaces-1/parentEnvironments/Environments-5",
];

/// A request, with what must be there before it.
struct Case {
    name: &'static str,
    path: &'static str,
    before: Vec<(&'static str, &'static str, Value)>,
    body: Value,
    /// Values other than those of the body.
    members: Vec<(&'static str, Value)>,
}

impl Case {
    /// What the server answers and looks like after the request, at once and two hours later.
    async fn played(&self, body: &Value) -> (u16, String) {
        let server = Server::toml(WORLD).await;
        for (method, path, body) in &self.before {
            let (path, body) = (path_of(&server, path).await, filled(&server, body).await);
            let (status, answer) = server.send(method.parse().expect("a method"), &path, Some(body)).await;
            assert!(status < 300, "{}: {path}: {status} {answer}", self.name);
            server.pass(3);
        }
        let method: Method = self.name.split(' ').next().expect("a method").parse().expect("a method");
        let (status, answer) = server.send(method, &path_of(&server, self.path).await, Some(filled(&server, body).await)).await;
        let mut all = format!("{status} {answer}");
        for minutes in [1, 120] {
            server.pass(minutes);
            for path in SEEN {
                all.push_str(&server.send(Method::GET, path, None).await.1.to_string());
            }
        }
        (status, all)
    }
}

/// Endpoints whose members other tests look at, or that always answer the same.
const ELSEWHERE: &[(&str, &str)] = &[
    ("POST /api/users/login", "nobody has a password"),
    ("POST /api/{space}/actiontemplates/{id}/actionsUpdate", "tests/it/sandbox/step_templates.rs"),
    ("PUT /api/{space}/servertaskapprovals/{id}/approvals/{vote}", "reads what the POST reads; tests/it/resilience/approvals.rs"),
];

/// The members of each endpoint that takes some.
fn taken() -> BTreeMap<String, BTreeSet<String>> {
    let all = endpoints().filter_map(|endpoint| {
        let members: BTreeSet<String> =
            endpoint["takes"].as_array()?.iter().map(|name| name.as_str().expect("a name").to_owned()).collect();
        let name = format!("{} {}", endpoint["method"].as_str()?, endpoint["path"].as_str()?);
        (!members.is_empty()).then_some((name, members))
    });
    all.collect()
}

#[tokio::test]
async fn each_accepted_member_makes_a_difference() {
    let mut shown: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut silent = Vec::new();
    for case in cases() {
        let (status, base) = case.played(&case.body).await;
        assert!(status < 300, "{}: {base:.300}", case.name);
        for (member, value) in &case.members {
            let mut body = case.body.clone();
            body[*member] = value.clone();
            let (status, with) = case.played(&body).await;
            if status == 501 || with == base {
                silent.push(format!("{} `{member}`: {with:.160}", case.name));
            }
            shown.entry(case.name.to_owned()).or_default().insert((*member).to_owned());
        }
    }
    assert!(silent.is_empty(), "{}", silent.join("\n"));
    let mut missing = taken();
    for (endpoint, _) in ELSEWHERE {
        assert!(missing.remove(*endpoint).is_some(), "{endpoint} takes nothing");
    }
    for (endpoint, members) in shown {
        let left = missing.entry(endpoint.clone()).or_default();
        for member in members {
            assert!(left.remove(&member), "{endpoint} does not say that it takes `{member}`");
        }
    }
    missing.retain(|_, members| !members.is_empty());
    assert!(missing.is_empty(), "not tried: {missing:#?}");
}

#[tokio::test]
async fn a_member_on_which_nothing_acts_is_refused_by_its_name() {
    let server = Server::toml(WORLD).await;
    let mut tried = 0;
    for endpoint in endpoints().filter(|endpoint| endpoint["takes"].is_array() && endpoint["depth"] != "501") {
        let text = |key: &str| endpoint[key].as_str().unwrap_or_default().to_owned();
        let method: Method = text("method").parse().expect("a method");
        if method == Method::GET || text("path").contains("/login") || text("path").contains("/logout") {
            continue;
        }
        let path = text("path").replace("{space}", "Spaces-1").replace(['{', '}'], "");
        let body = json!({"Moon": true, "Nothing": null, "Empty": "", "No": false, "None": [], "Links": {"Self": "/api"}});
        let (status, answer) = server.send(method, &path, Some(body)).await;
        let said = answer["ErrorMessage"].as_str().unwrap_or_default();
        assert!(status == 501 && said.contains("`Moon`"), "{endpoint}: {status} {answer}");
        tried += 1;
    }
    assert!(tried > 40, "{tried}");
}
