//! Subscriptions that post: batches, order, and what goes wrong with them.

use crate::support::{
    http::{Reply, Request, Server as Receiver},
    server::Server,
    shop, simulate, until,
};
use jiff::SignedDuration;
use octorhai::clock::Clock;
use reqwest::Method;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Takes everything that is posted.
fn receiver() -> Receiver {
    answering(|_| Reply::Text(204, "", String::new()))
}

fn answering(answer: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Receiver {
    Receiver::start(&Clock::real(), answer)
}

/// `shop` with a subscription to deployments, and more keys of it.
fn world(receiver: &Receiver, keys: &str) -> String {
    format!("{}\n[[subscriptions]]\nname = \"hook\"\nurl = \"{}/hooks/octopus\"\n{keys}\n", shop(&[]), receiver.address)
}

/// What came: batch, number, of how many, category.
fn came(receiver: &Receiver) -> Vec<(String, u64, u64, String)> {
    let of = |request: &Request| {
        let payload = &request.body["Payload"];
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let number = |key: &str| payload[key].as_u64().expect("a number");
        (text(&payload["BatchId"]), number("EventNumberInBatch"), number("TotalEventsInBatch"), text(&payload["Event"]["Category"]))
    };
    receiver.requests.lock().iter().map(of).collect()
}

fn categories(receiver: &Receiver) -> Vec<String> {
    came(receiver).into_iter().map(|(.., category)| category).collect()
}

const TRAIN: &str = r#"let t = ["Project A", "Project B"].map(|p| deploy(p, "2.0.0", "Test")); wait(t); sleep("2m");"#;

#[test]
fn each_event_is_posted_once_in_batches_of_half_a_minute() {
    let receiver = receiver();
    let keys = "groups = [\"Deployment\"]\nprojects = [\"Project A\"]\nheader = { name = \"X-Fleet-Token\", value = \"s3cret\" }";
    let ran = simulate(&world(&receiver, keys), TRAIN);
    assert_eq!(ran.error(), "");
    let came = came(&receiver);
    let [first, second, third] = &came[..] else { panic!("{came:?}") };
    assert_eq!([&first.3, &second.3, &third.3], ["DeploymentQueued", "DeploymentStarted", "DeploymentSucceeded"]);
    assert_eq!([(first.1, first.2), (second.1, second.2), (third.1, third.2)], [(1, 2), (2, 2), (1, 1)]);
    assert!(first.0 == second.0 && second.0 != third.0, "{came:?}");
    for request in receiver.requests.lock().iter() {
        assert_eq!((&*request.method, &*request.path), ("POST", "/hooks/octopus"));
        assert_eq!(request.headers["x-fleet-token"], "s3cret");
        assert_eq!(request.body["EventType"], "SubscriptionPayload");
        let text = request.body.to_string();
        assert!(!text.contains("s3cret"), "{text}");
        let (occurred, looked) = (&request.body["Payload"]["Event"]["Occurred"], &request.body["Payload"]["BatchProcessingDate"]);
        assert!(occurred.as_str() < looked.as_str(), "{text}");
    }
}

#[test]
fn same_world_and_script_post_the_same() {
    let (one, two) = (receiver(), receiver());
    for receiver in [&one, &two] {
        assert_eq!(simulate(&world(receiver, ""), TRAIN).error(), "");
    }
    let bodies = |receiver: &Receiver| -> Vec<String> {
        let own = format!("{}/", receiver.address);
        receiver.requests.lock().iter().map(|request| request.body.to_string().replace(&own, "/")).collect()
    };
    assert!(bodies(&one).len() > 5);
    assert_eq!(bodies(&one), bodies(&two));
}

#[test]
fn a_request_that_fails_ends_its_batch_and_not_the_next() {
    let receiver = answering(|request| {
        let is_second = request.body["Payload"]["EventNumberInBatch"] == 2 && request.body["Payload"]["TotalEventsInBatch"] == 4;
        if is_second { Reply::Json(500, json!({})) } else { Reply::Json(200, json!({})) }
    });
    assert_eq!(simulate(&world(&receiver, "groups = [\"Deployment\"]"), TRAIN).error(), "");
    // Queued, queued, started, started: the last two are never sent.
    assert_eq!(categories(&receiver), ["DeploymentQueued", "DeploymentQueued", "DeploymentSucceeded", "DeploymentSucceeded"]);
}

#[test]
fn a_receiver_that_is_too_slow_is_called_again() {
    let calls = AtomicUsize::new(0);
    let receiver = answering(move |_| {
        if calls.fetch_add(1, Ordering::SeqCst) == 0 {
            std::thread::sleep(std::time::Duration::from_secs(3));
        }
        Reply::Json(200, json!({}))
    });
    let keys = "categories = [\"DeploymentQueued\"]\ntimeout = \"1s\"\nprojects = [\"Project A\"]";
    assert_eq!(simulate(&world(&receiver, keys), TRAIN).error(), "");
    let came = came(&receiver);
    assert_eq!(came.len(), 2, "{came:?}");
    assert_eq!(came[0], came[1]);
}

#[test]
fn faults_drop_double_and_delay() {
    let of = |faults: &str| {
        let receiver = receiver();
        let keys = format!("groups = [\"Deployment\"]\nprojects = [\"Project A\"]\nfaults = [{faults}]");
        assert_eq!(simulate(&world(&receiver, &keys), TRAIN).error(), "");
        categories(&receiver).iter().map(|category| category.trim_start_matches("Deployment").to_owned()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(of("{ action = \"drop\", nth = 1 }"), "Succeeded", "the rest of its batch is lost, too");
    assert_eq!(of("{ action = \"twice\", nth = 2 }"), "Queued Started Started Succeeded");
    assert_eq!(of("{ action = \"twice\" }"), "Queued Queued Started Started Succeeded Succeeded");
    assert_eq!(of("{ action = \"late\", nth = 1, times = 2 }"), "Queued Started Succeeded", "a look of the job later");
    assert_eq!(of("{ action = \"late\", nth = 1 }"), "Started Queued Succeeded");
}

// The task that posts works while the test waits.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_client_subscribes_to_is_posted_from_then_on_and_its_secret_is_kept() {
    let receiver = receiver();
    for (version, shown) in [
        ("2026.3", json!({"IsSensitive": true, "Value": null, "SensitiveValue": {"HasValue": true, "Hint": null, "NewValue": null}})),
        ("2026.1", json!({"HasValue": true, "NewValue": null})),
    ] {
        receiver.requests.lock().clear();
        let s = Server::toml(&shop(&[("start = ", &format!("version = \"{version}\"\nstart = "))])).await;
        let _stands = s.clock.enter();
        let before = s.start("Project B", "2.0.0", "Test").await;
        let notification = json!({
            "Filter": {"EventCategories": ["DeploymentQueued"]}, "WebhookURI": format!("{}/made", receiver.address),
            "WebhookHeaderKey": "X-Token", "WebhookHeaderValue": {"NewValue": "hidden one"},
        });
        let (status, doc) =
            s.post("/api/Spaces-1/subscriptions", json!({"Name": "made", "EventNotificationSubscription": notification})).await;
        assert_eq!((status, &doc["EventNotificationSubscription"]["WebhookHeaderValue"]), (201, &shown), "{doc}");
        s.start("Project A", "2.0.0", "Test").await;
        s.pass(1);
        assert_eq!(s.state_of(&before).await, "Executing");
        let request = until("the event", || receiver.requests.lock().first().cloned());
        assert_eq!((&*request.path, &*request.headers["x-token"]), ("/made", "hidden one"));
        // Read, changed and written back: the secret stays; another one takes its place; none takes it away.
        let path = format!("/api/Spaces-1/subscriptions/{}", doc["Id"].as_str().expect("an id"));
        for (value, header) in [(None, Some("hidden one")), (Some(json!("new")), Some("new")), (Some(Value::Null), None)] {
            let mut doc = s.get(&path).await;
            assert!(!doc.to_string().contains("hidden one"), "{doc}");
            if let Some(value) = value {
                doc["EventNotificationSubscription"]["WebhookHeaderValue"] = value;
            }
            assert_eq!(s.send(Method::PUT, &path, Some(doc)).await.0, 200);
            receiver.requests.lock().clear();
            s.start("Project A", "2.0.0", "Development").await;
            s.pass(1);
            s.get(&path).await;
            let request = until("the event", || receiver.requests.lock().first().cloned());
            assert_eq!(request.headers.get("x-token").map(String::as_str).filter(|value| !value.is_empty()), header, "{version}");
        }
        let mut doc = s.get(&path).await;
        doc["IsDisabled"] = json!(true);
        s.send(Method::PUT, &path, Some(doc)).await;
        receiver.requests.lock().clear();
        s.start("Project A", "2.0.0", "Development").await;
        s.pass(5);
        s.get(&path).await;
        assert!(receiver.requests.lock().is_empty(), "a disabled subscription is silent");
    }
}

// The task that posts works while the test waits.
#[tokio::test(flavor = "multi_thread")]
async fn a_late_event_waits_for_the_look_after_its_own_however_often_somebody_asks() {
    let receiver = receiver();
    let keys = "categories = [\"DeploymentQueued\", \"DeploymentStarted\"]\nfaults = [{ action = \"late\", nth = 1 }]";
    let s = Server::toml(&world(&receiver, keys)).await;
    let _stands = s.clock.enter();
    let pass = async |seconds: i64| {
        s.clock.advance(SignedDuration::from_secs(seconds));
        s.get("/api/Spaces-1/tasks").await;
    };
    s.start("Project A", "2.0.0", "Test").await;
    pass(40).await;
    until("the first look", || (!receiver.requests.lock().is_empty()).then_some(()));
    // Somebody asks between two looks.
    pass(1).await;
    s.start("Project B", "2.0.0", "Test").await;
    pass(25).await;
    until("the second look", || (receiver.requests.lock().len() == 4).then_some(()));
    let messages: Vec<String> =
        receiver.requests.lock().iter().map(|r| r.body["Payload"]["Event"]["Message"].as_str().expect("a message").to_owned()).collect();
    let places: Vec<usize> = ["Project A", "Project B"]
        .iter()
        .map(|project| messages.iter().position(|m| m.contains(project) && m.contains("queued")).expect("queued"))
        .collect();
    assert_eq!(places, [3, 1], "{messages:?}");
}
