//! What a server answers leads nowhere else: links to further pages, redirects, the place where tokens are exchanged.

use crate::support::{http::*, listening::Listening};
use octorhai::{
    api::{Client, Credential, DeploymentQuery, Settings, oidc},
    cancel::Cancel,
    clock::Clock,
    error::Kind,
};
use serde_json::json;

/// Ways to name the place `/x` of another server; `OTHER` stands for its host and port, `OWN` for those of the asked one.
const ELSEWHERE: [&str; 12] = [
    "http://OTHER/x",
    "https://OTHER/x",
    "HTTP://OTHER/x",
    "//OTHER/x",
    "\\\\OTHER\\x",
    "/\\OTHER/x",
    "http:\\\\OTHER/x",
    "http://OWN@OTHER/x",
    "@OTHER/x",
    "~@OTHER/x",
    "~//OTHER/x",
    "http://OTHER/octopus/x",
];

fn host(url: &str) -> &str {
    url.trim_start_matches("http://")
}

#[tokio::test]
async fn link_to_the_next_page_takes_the_key_to_no_other_server() {
    let clock = virtual_clock();
    let _busy = clock.enter();
    let other = Listening::refusing();
    for link in ELSEWHERE.iter().chain(&["/../x", "/octopus/../x", "../../x", "/octopus/%2e%2e/x"]) {
        let link = link.replace("OTHER", host(&other.url));
        let next = link.clone();
        let row = json!({"Id": "Deployments-1", "ReleaseId": "Releases-1", "ProjectId": "Projects-1", "EnvironmentId": "Environments-1", "TaskId": "ServerTasks-1", "Created": "2026-03-01T08:00:00Z"});
        let server = Server::start(&clock, move |request| match request.path.as_str() {
            "/octopus/api/spaces" => spaces(),
            "/octopus/api/Spaces-1/deployments" => Reply::Json(
                200,
                json!({"Items": [row.clone()], "TotalResults": 90, "Links": {"Page.Next": next.replace("OWN", "127.0.0.1")}}),
            ),
            _ => Reply::Json(404, json!({"ErrorMessage": "not here"})),
        });
        let space = space(&format!("{}/octopus", server.address), &clock).await;
        let error = space.deployments(&DeploymentQuery::default()).await.expect_err(&link);
        assert!(matches!(error.kind(), Kind::BadAnswer | Kind::NotFound), "{link}: {error:?}");
        assert_eq!(other.heard(), "", "{link}");
        let strayed: Vec<_> = server.requests.lock().iter().filter(|r| !r.path.starts_with("/octopus/")).map(|r| r.path.clone()).collect();
        assert!(strayed.is_empty(), "{link}: the key is for the directory: {strayed:?}");
    }
}

#[tokio::test]
async fn redirect_takes_the_key_to_no_other_server() {
    let clock = virtual_clock();
    let _busy = clock.enter();
    let other = Listening::refusing();
    for location in ELSEWHERE.iter().chain(&["/x", "/octopus/../x", "../../../x", "/octopuses/x"]) {
        // Behind an address of one's own all is below it: only where a redirect leads to another host or directory it is refused.
        let location = location.replace("OTHER", host(&other.url));
        let header: &'static str = format!("Location: {}\r\n", location.replace("OWN", "127.0.0.1")).leak();
        let server = Server::start(&clock, move |request| match request.path.as_str() {
            "/octopus/api/tasks" => Reply::Text(307, header, String::new()),
            _ => Reply::Json(404, json!({"ErrorMessage": "not here"})),
        });
        let client = client(&format!("{}/octopus", server.address), &clock);
        client.get("/api/tasks").await.expect_err(&location);
        client.send("POST", "/api/tasks", Some(&json!({}))).await.expect_err(&location);
        assert_eq!(other.heard(), "", "{location}");
        let strayed: Vec<_> = server.requests.lock().iter().filter(|r| !r.path.starts_with("/octopus/")).map(|r| r.path.clone()).collect();
        assert!(strayed.is_empty(), "{location}: the key is for the directory: {strayed:?}");
    }
}

#[tokio::test]
async fn token_of_a_step_is_exchanged_on_its_own_server_wherever_that_says() {
    let clock = virtual_clock();
    let other = Listening::refusing();
    for endpoint in ELSEWHERE {
        let endpoint = endpoint.replace("OTHER", host(&other.url)).replace("OWN", "127.0.0.1");
        let said = endpoint.clone();
        let server = Server::start(&clock, move |request| match request.path.as_str() {
            "/.well-known/openid-configuration" => Reply::Json(200, json!({"issuer": said, "token_endpoint": said})),
            _ => Reply::Json(400, json!({"error": "invalid_request"})),
        });
        let settings = Settings::new(Credential::anonymous(&server.address).expect("an address"), Clock::real(), Cancel::new());
        oidc::exchange(settings, "audience", "the.signed.token").await.expect_err(&endpoint);
        assert_eq!(other.heard(), "", "{endpoint}");
        assert!(server.requests.lock().iter().all(|request| !request.headers.contains_key("x-octopus-apikey")));
    }
    // The address is not one thing and the client another: nobody can be logged in at two places.
    let login = Credential::api_key(&other.url, KEY).expect("a credential");
    let client = Client::new(Settings::new(login, Clock::real(), Cancel::new())).expect("a client");
    assert_eq!(client.address(), other.url);
}
