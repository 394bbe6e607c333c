//! Requests keep to the limit that a server tells of: none is rejected, none waits without need.

use crate::support::{http::*, server::Server as Sandbox};
use jiff::SignedDuration;
use octorhai::{
    api::{Client, Credential, Settings},
    cancel::Cancel,
    clock::{Clock, later},
    error::Kind,
};
use serde_json::json;
use std::sync::atomic::{AtomicUsize, Ordering};

fn seconds(seconds: i64) -> SignedDuration {
    SignedDuration::from_secs(seconds)
}

/// Of the user `sandbox`.
fn own(sandbox: &Sandbox) -> Client {
    let credential = Credential::api_key(&sandbox.sandbox.url(), &sandbox.sandbox.api_key()).expect("a credential");
    Client::new(Settings::new(credential, sandbox.clock.clone(), Cancel::new())).expect("a client")
}

/// A server whose first answer tells of an empty bucket of two that gets a token a minute; `then` says what follows.
fn empty(clock: &Clock, then: impl Fn(usize) -> Reply + Send + Sync + 'static) -> Server {
    let count = AtomicUsize::new(0);
    Server::start(clock, move |_| match count.fetch_add(1, Ordering::SeqCst) {
        0 => Reply::Text(200, "Octopus-RateLimit-Policy: l=2;rpm=1\r\nOctopus-RateLimit: r=0;t=120\r\n", "{}".to_owned()),
        n => then(n),
    })
}

#[tokio::test]
async fn a_bucket_that_others_use_too_is_not_overdrawn() {
    let sandbox = Sandbox::toml("rate_limits = [ { per_minute = 60, burst = 20 } ]").await;
    let _busy = sandbox.clock.enter();
    let (client, began) = (own(&sandbox), sandbox.clock.now());
    for n in 0..200 {
        client.get("/api/users/me").await.expect("an answer");
        if n % 3 == 0 {
            // Somebody looks at the portal as the same user.
            assert_eq!(sandbox.send(reqwest::Method::GET, "/api/users/me", None).await.0, 200);
        }
    }
    assert_eq!(client.stats().rejected, 0);
    let allowed = 20.0 + sandbox.clock.since(began).as_secs_f64();
    assert!(267.0 / allowed > 0.95, "267 of {allowed} requests");
}

#[tokio::test]
async fn a_bucket_that_others_empty_at_once_costs_few_rejections() {
    let sandbox = Sandbox::toml("rate_limits = [ { per_minute = 60, burst = 20 } ]").await;
    let _busy = sandbox.clock.enter();
    let client = own(&sandbox);
    for n in 0..200 {
        client.get("/api/users/me").await.expect("an answer");
        if n % 20 == 0 {
            while sandbox.send(reqwest::Method::GET, "/api/users/me", None).await.0 == 200 {}
        }
    }
    let stats = client.stats();
    assert!(stats.rejected <= 10 && stats.delayed > 100, "{stats:?}");
    assert_eq!(stats.requests, 200 + stats.rejected);
}

#[tokio::test]
async fn waiting_for_a_turn_is_no_part_of_the_patience() {
    let clock = virtual_clock();
    let _busy = clock.enter();
    let server = empty(&clock, |n| if n == 1 { Reply::Text(502, "", String::new()) } else { Reply::Json(200, json!({"ok": n})) });
    let client = Client::new(Settings { patience: seconds(60), ..settings(&server.address, &clock) }).expect("a client");
    client.get("/api/tasks").await.expect("the first");
    assert_eq!(client.get("/api/tasks").await.expect("it came back"), json!({"ok": 2}));
    assert!(clock.since(start_of_time()) >= seconds(120));
    assert_eq!(client.stats().delayed, 2);
}

#[tokio::test]
async fn a_turn_behind_the_deadline_is_told_at_once_and_nothing_is_sent() {
    let clock = virtual_clock();
    let _busy = clock.enter();
    let server = empty(&clock, |_| Reply::Json(200, json!({})));
    let client = client(&server.address, &clock);
    client.get("/api/tasks").await.expect("the first");
    let error = client.until(later(clock.now(), seconds(30))).get("/api/tasks").await.expect_err("too late");
    assert_eq!((error.kind(), server.count("GET")), (Kind::Unreachable, 1));
    assert!(error.message().contains("allows 1 requests a minute"), "{error}");
    assert_eq!(clock.since(start_of_time()), seconds(0));
    client.until(later(clock.now(), seconds(60))).get("/api/tasks").await.expect("with the token that is kept back otherwise");
    assert_eq!(clock.since(start_of_time()), seconds(60));
}

#[tokio::test]
async fn a_stop_ends_the_wait_for_a_turn_and_what_tidies_up_goes_first() {
    let clock = virtual_clock();
    // Time stands until the run was stopped.
    let (_busy, others) = (clock.enter(), clock.enter());
    let server = empty(&clock, |_| Reply::Json(200, json!({"ok": true})));
    let cancel = Cancel::new();
    let client = Client::new(Settings { cancel: cancel.clone(), ..settings(&server.address, &clock) }).expect("a client");
    client.get("/api/tasks").await.expect("the first");
    let tidy = client.with_cancel(Cancel::new());
    let body = json!({});
    let (write, ()) = tokio::join!(client.send("POST", "/api/tasks", Some(&body)), async { cancel.cancel("enough") });
    assert_eq!((write.expect_err("it was not sent").kind(), server.count("POST")), (Kind::Cancelled, 0));
    drop(others);
    tidy.send("DELETE", "/api/locks/1", None).await.expect("sent");
    assert_eq!(clock.since(start_of_time()), seconds(60));
}

#[tokio::test]
async fn a_limit_that_is_lifted_slows_nobody_down() {
    let clock = virtual_clock();
    let _busy = clock.enter();
    let server = empty(&clock, |_| Reply::Json(200, json!({})));
    let client = client(&server.address, &clock);
    for _ in 0..20 {
        client.get("/api/tasks").await.expect("an answer");
    }
    assert!(clock.since(start_of_time()) < seconds(180), "{}", clock.since(start_of_time()));
}

#[tokio::test]
async fn clients_of_one_user_share_the_pace() {
    let sandbox = Sandbox::toml("rate_limits = [ { per_minute = 60, burst = 10 } ]").await;
    let _busy = sandbox.clock.enter();
    let credential = Credential::api_key(&sandbox.sandbox.url(), &sandbox.sandbox.api_key()).expect("a credential");
    let settings = Settings::new(credential, sandbox.clock.clone(), Cancel::new());
    let clients = [Client::new(settings.clone()).expect("a client"), Client::new(settings).expect("a client")];
    for n in 0..40 {
        clients[n % 2].get("/api/users/me").await.expect("an answer");
    }
    assert_eq!(clients.map(|client| client.stats().rejected), [0, 0]);
}
