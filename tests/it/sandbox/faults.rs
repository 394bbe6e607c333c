//! What can go wrong on the way: cut connections, gateways' pages, half answers, restarts; and mistakes in world files.

use crate::support::server::Server;
use octorhai::{error::Kind, sandbox::World};
use serde_json::{Value, json};

const BASE: &str = "[[environments]]\nname = \"E\"\n[[projects]]\nname = \"P\"\nreleases = [{ version = \"1\" }]\nsteps = [{ name = \"go\", takes = \"10m\" }]\n";

async fn with(fault: &str) -> Server {
    Server::toml(&format!("{BASE}\n[[faults]]\n{fault}\n")).await
}

async fn post(s: &Server) -> reqwest::Result<reqwest::Response> {
    s.http
        .post(format!("{}/api/Spaces-1/deployments", s.sandbox.url()))
        .header("X-Octopus-ApiKey", "API-SANDBOX")
        .json(&json!({"ReleaseId": "Releases-1", "EnvironmentId": "Environments-1"}))
        .send()
        .await
}

fn deployments(s: &Server) -> usize {
    s.sandbox.state()["deployments"].as_array().expect("a list").len()
}

#[tokio::test]
async fn dropped_after_the_effect() {
    let s = with("match = \"POST */deployments\"\nnth = 1\naction = \"drop_after\"").await;
    assert!(post(&s).await.is_err());
    assert_eq!(deployments(&s), 1);
    assert_eq!(post(&s).await.unwrap().status(), 201);
}

#[tokio::test]
async fn reset_before_the_effect() {
    let s = with("match = \"POST */deployments\"\nnth = 1\naction = \"reset\"").await;
    assert!(post(&s).await.is_err());
    assert_eq!(deployments(&s), 0);
    assert_eq!(post(&s).await.unwrap().status(), 201);
}

#[tokio::test]
async fn late_it_happens_when_nobody_waits_for_it() {
    let s = with("match = \"POST */deployments\"\nnth = 1\naction = \"late\"\nby = \"2m\"").await;
    assert!(post(&s).await.is_err());
    s.pass(1);
    assert_eq!(deployments(&s), 0);
    // Nobody has asked for twenty minutes: it was made at its moment all the same, and is over.
    s.pass(20);
    assert_eq!(deployments(&s), 1);
    let made = &s.sandbox.state()["deployments"][0];
    assert_eq!((&made["created"], &made["state"]), (&json!("2026-03-02T08:02:00.000+00:00"), &json!("Success")));
    assert_eq!(post(&s).await.unwrap().status(), 201);
}

#[tokio::test]
async fn a_request_that_arrives_twice_happens_twice() {
    let s = with("match = \"POST */deployments\"\nnth = 1\naction = \"twice\"").await;
    let answer: Value = post(&s).await.unwrap().json().await.unwrap();
    assert_eq!((deployments(&s), &answer["Id"]), (2, &json!("Deployments-2")));
    assert_eq!(post(&s).await.unwrap().status(), 201);
    assert_eq!(deployments(&s), 3);
}

#[tokio::test]
async fn error_pages_and_retry_after() {
    let s = with("match = \"*/tasks\"\naction = \"status=429\"\nretry_after = 7\ntimes = 1").await;
    let ask = || s.http.get(format!("{}/api/tasks", s.sandbox.url())).header("X-Octopus-ApiKey", "API-SANDBOX").send();
    let response = ask().await.unwrap();
    assert_eq!((response.status().as_u16(), response.headers()["retry-after"].to_str().unwrap()), (429, "7"));
    assert!(response.text().await.unwrap().starts_with("<!DOCTYPE html>"));
    assert_eq!(ask().await.unwrap().status(), 200);
}

#[tokio::test]
async fn odd_answers_hit_the_nth_request_whatever_its_method() {
    for (action, body) in [("html", "Please sign in"), ("empty", "{}")] {
        let s = with(&format!("match = \"/api*\"\nnth = 2\naction = \"{action}\"")).await;
        s.get("/api/tasks").await;
        let odd = post(&s).await.unwrap();
        assert_eq!(odd.status(), 200);
        assert!(odd.text().await.unwrap().contains(body), "{action}");
        // It did not happen, and the next request is answered as always.
        assert_eq!(deployments(&s), 0, "{action}");
        assert_eq!(post(&s).await.unwrap().status(), 201);
    }
}

#[tokio::test]
async fn half_an_answer_says_that_it_is_whole() {
    let s = with("nth = 1\naction = \"truncate\"").await;
    let answer = post(&s).await.unwrap();
    let length = answer.content_length();
    let half = answer.bytes().await.unwrap();
    assert_eq!(length, Some(half.len() as u64));
    assert!(serde_json::from_slice::<Value>(&half).is_err());
    assert_eq!(deployments(&s), 1);
}

#[tokio::test]
async fn half_an_answer_and_too_much_of_one() {
    let s =
        with("match = \"*/projects\"\nnth = 1\naction = \"truncate\"\n[[faults]]\nmatch = \"*/environments\"\naction = \"huge\"\nsize = 3")
            .await;
    let ask = |path: &str| s.http.get(format!("{}/api/{path}", s.sandbox.url())).header("X-Octopus-ApiKey", "API-SANDBOX").send();
    let text = ask("projects").await.unwrap().text().await.unwrap();
    assert!(text.starts_with('{') && serde_json::from_str::<Value>(&text).is_err());
    let bytes = ask("environments").await.unwrap().bytes().await.unwrap();
    assert!(bytes.len() > 2 << 20);
    assert!(serde_json::from_slice::<Value>(&bytes).unwrap().is_array());
}

#[tokio::test]
async fn a_delay_passes_on_the_clock() {
    let s = with("match = \"*/tasks\"\naction = \"delay\"\nby = \"90s\"").await;
    let before = s.clock.now();
    s.get("/api/tasks").await;
    assert_eq!(s.clock.since(before), jiff::SignedDuration::from_secs(90));
}

#[tokio::test]
async fn a_restart_fails_tasks_only_when_told() {
    for (told, state) in [(true, "Failed"), (false, "Success")] {
        let s = with(&format!("action = \"restart\"\nfrom = \"5m\"\nfor = \"1m\"\ntasks_fail = {told}")).await;
        assert_eq!(post(&s).await.unwrap().status(), 201);
        s.pass(5);
        assert!(post(&s).await.is_err());
        s.pass(10);
        assert_eq!(s.state_of("ServerTasks-1").await, state);
    }
}

#[tokio::test]
async fn faults_and_time_by_hand() {
    let s = with("match = \"*/nothing\"\naction = \"html\"").await;
    let control = |path: &str, body: Value| {
        s.http.post(format!("{}/sandbox/{path}", s.sandbox.url())).header("X-Octopus-ApiKey", "API-SANDBOX").json(&body).send()
    };
    assert_eq!(control("faults", json!({"match": "GET */tasks", "action": "html"})).await.unwrap().status(), 201);
    let page = s.http.get(format!("{}/api/tasks", s.sandbox.url())).send().await.unwrap().text().await.unwrap();
    assert!(page.contains("<html>"));
    post(&s).await.unwrap();
    let now: Value = control("advance", json!({"by": "1h"})).await.unwrap().json().await.unwrap();
    assert_eq!(now["now"], "2026-03-02T09:00:00.000+00:00");
    let state: Value = s.get("/sandbox/state").await;
    assert_eq!(state["deployments"][0]["state"], "Success");
    assert_eq!(s.sandbox.requests(), 2);
}

#[test]
fn a_mistake_in_a_world_is_pointed_at() {
    let wrong =
        |text: &str| World::from_toml("w.toml", text).err().map(|e| (e.kind(), e.message().to_owned(), e.hints().to_vec())).unwrap();
    let (kind, message, hints) = wrong("[[environments]]\nnmae = \"Test\"\n");
    assert_eq!(kind, Kind::Usage);
    assert!(message.contains("w.toml:2:1") && message.contains("2 | nmae = \"Test\"") && message.contains("^^^^"), "{message}");
    assert_eq!(hints, ["did you mean `name`?"]);
    let (_, message, hints) =
        wrong("[[environments]]\nname = \"Test\"\n[[lifecycles]]\nname = \"L\"\nphases = [{ name = \"T\", environments = [\"Tset\"] }]\n");
    assert!(message.starts_with("there is no environment `Tset` in this world") && message.contains("w.toml:5:"), "{message}");
    assert_eq!(hints, ["did you mean `Test`?"]);
    let (_, message, _) = wrong("[[projects]]\nname = \"P\"\nsteps = [{ name = \"s\", takes = \"soon\" }]\n");
    assert!(message.contains("`soon` is not a duration"), "{message}");
    assert!(World::named_or_file("shopp").err().unwrap().hints()[0].contains("`shop`"));
}

#[test]
fn built_in_worlds_are_good() {
    for name in ["shop", "tenants", "fleet(3)"] {
        let text = World::builtin_toml(name).unwrap();
        assert_eq!(World::from_toml(name, &text).unwrap().start().to_string(), "2026-03-02T08:00:00Z");
    }
    let shop = World::named_or_file("shop").unwrap();
    assert_eq!((shop.default_environment().as_deref(), shop.zone().as_deref()), (Some("Test"), Some("Europe/London")));
}
