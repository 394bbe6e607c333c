//! How the client behaves when the server does not: retries, limits, redirects, and no secret anywhere.

use crate::support::http::*;
use jiff::SignedDuration;
use octorhai::api::{Client, NewRelease, ProjectQuery, Route, Settings};
use octorhai::cancel::Cancel;
use octorhai::clock::{Clock, later};
use octorhai::error::Kind;
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

fn seconds(n: i64) -> SignedDuration {
    SignedDuration::from_secs(n)
}

/// Answers with `first` so many times, then with an empty object.
fn at_first(times: usize, first: impl Fn() -> Reply + Send + Sync + 'static) -> impl Fn(&Request) -> Reply + Send + Sync {
    let count = AtomicUsize::new(0);
    move |_: &Request| if count.fetch_add(1, Ordering::SeqCst) < times { first() } else { Reply::Json(200, json!({"ok": true})) }
}

#[tokio::test]
async fn two_minutes_of_502_are_survived_and_told_once() {
    let clock = virtual_clock();
    let _busy = clock.enter();
    let server_clock = clock.clone();
    let server = Server::start(&clock, move |_| {
        if server_clock.now() < later(start_of_time(), seconds(120)) {
            Reply::Text(502, "Content-Type: text/html\r\n", "<html>Bad Gateway</html>".to_owned())
        } else {
            Reply::Json(200, json!({"ok": true}))
        }
    });
    let notes: Arc<Mutex<Vec<String>>> = Arc::default();
    let heard = notes.clone();
    let client = Client::new(Settings {
        on_retry: Some(Arc::new(move |note: &str| heard.lock().push(note.to_owned()))),
        ..settings(&server.address, &clock)
    });
    let client = client.expect("a client");
    assert_eq!(client.get("/api/tasks").await.expect("it came back"), json!({"ok": true}));
    assert!(clock.since(start_of_time()) <= seconds(160));
    assert!(server.count("GET") < 15, "{} requests", server.count("GET"));
    assert_eq!(client.stats().requests, server.count("GET") as u64);
    let notes = notes.lock().clone();
    assert_eq!(notes.len(), 2, "{notes:?}");
    assert_eq!(notes[0], "the server answers 502, trying again for up to 5m");
    assert!(notes[1].starts_with("the server answers again after 2m"), "{}", notes[1]);
}

#[tokio::test]
async fn retry_after_is_obeyed_to_the_second() {
    let clock = virtual_clock();
    let _busy = clock.enter();
    let server = Server::start(&clock, at_first(1, || Reply::Text(429, "Retry-After: 47\r\n", "slow down".to_owned())));
    client(&server.address, &clock).get("/api/tasks").await.expect("the second request is answered");
    assert_eq!(clock.since(start_of_time()), seconds(47));
}

#[tokio::test]
async fn a_pause_longer_than_our_patience_is_said_at_once() {
    let clock = virtual_clock();
    let _busy = clock.enter();
    let server = Server::start(&clock, at_first(1, || Reply::Text(429, "Retry-After: 3600\r\n", String::new())));
    let error = client(&server.address, &clock).get("/api/tasks").await.expect_err("an hour is too long");
    assert_eq!(error.kind(), Kind::Unreachable);
    assert!(error.message().contains("429") && error.message().contains("a pause of 1h"), "{error}");
    assert_eq!(clock.since(start_of_time()), seconds(0));
}

#[tokio::test]
async fn resets_and_answers_that_break_off_are_survived() {
    let clock = virtual_clock();
    let _busy = clock.enter();
    let server = Server::start(&clock, at_first(3, || Reply::Hangup));
    client(&server.address, &clock).get("/api/tasks").await.expect("the fourth request is answered");
    let server = Server::start(&clock, at_first(2, || Reply::Truncated("{\"Items\": [".to_owned())));
    client(&server.address, &clock).get("/api/tasks").await.expect("the third answer is whole");
}

#[tokio::test]
async fn patience_ends_with_the_last_answer_and_the_time_tried() {
    let clock = virtual_clock();
    let _busy = clock.enter();
    let server = Server::start(&clock, |_| Reply::Json(503, json!({"ErrorMessage": "Octopus is upgrading."})));
    let client = client(&server.address, &clock);
    let error = client.get("/api/tasks").await.expect_err("it never recovers");
    assert_eq!(error.kind(), Kind::Unreachable);
    assert!(error.message().contains("503 (Octopus is upgrading.); tried for 5m"), "{error}");
    assert_eq!(clock.since(start_of_time()), seconds(300));
    // A wait brings its own deadline.
    client.until(later(start_of_time(), seconds(3600))).get("/api/tasks").await.expect_err("nor does it now");
    assert_eq!(clock.since(start_of_time()), seconds(3600));
}

#[tokio::test]
async fn a_wrong_address_is_not_a_long_wait() {
    let clock = virtual_clock();
    let _busy = clock.enter();
    // Nobody listens on a port that was just given back.
    let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port").port();
    let error = client(&format!("http://127.0.0.1:{port}"), &clock).get("/api").await.expect_err("nobody is there");
    assert_eq!(error.kind(), Kind::Unreachable);
    assert_eq!(clock.since(start_of_time()), seconds(15));
    assert!(error.message().to_lowercase().contains("connection refused"), "{error}");
    assert_eq!(error.hints(), ["is the address right, and is the server running?"]);
}

#[tokio::test]
async fn a_login_page_is_told_from_octopus() {
    let clock = virtual_clock();
    let _busy = clock.enter();
    let server =
        Server::start(&clock, |_| Reply::Text(200, "Content-Type: text/html\r\n", "<html><title>Sign in</title></html>".to_owned()));
    let error = client(&server.address, &clock).space(None).await.err().expect("HTML is no answer");
    assert_eq!(error.kind(), Kind::BadAnswer);
    assert!(error.message().contains("`GET /api/spaces?skip=0&take=500`") && error.message().contains("<html><title>Sign in"), "{error}");
    assert_eq!(server.count("GET"), 3, "an address that never answered as Octopus does may be a wrong one");
    assert!(clock.since(start_of_time()) < seconds(10));
}

/// What proxies, gates and servers that start answer instead of Octopus.
fn strange(path: &str) -> Vec<Reply> {
    let page = "<!DOCTYPE html><html><title>Sign in</title></html>".to_owned();
    let text = |status, head, body: &str| Reply::Text(status, head, body.to_owned());
    vec![
        text(200, "Content-Type: text/html\r\n", &page),
        text(200, "Content-Type: text/html; charset=utf-8\r\n", "{}"),
        text(200, "Content-Type: application/json\r\n", "{}"),
        text(200, "Content-Type: application/json\r\n", ""),
        text(200, "Content-Type: application/json\r\n", "[1, 2"),
        text(200, "Content-Type: application/json\r\n", r#"{"Id": "ServerTasks-1", "Name": "Dep"#),
        text(200, "Content-Type: application/json\r\n", r#"{"message": "no healthy upstream"}"#),
        text(200, "Content-Type: application/json\r\n", r#""maintenance""#),
        text(200, "Content-Type: text/plain\r\n", "OK"),
        text(302, "Location: /login?next=/\r\n", ""),
        text(302, "Location: https://sso.example.com/\r\n", ""),
        Reply::Text(302, "", String::new()),
        text(403, "Content-Type: text/html\r\n", &page),
        text(401, "Content-Type: text/html\r\n", &page),
        text(404, "Content-Type: text/html\r\n", &page),
        text(404, "Content-Type: text/plain\r\n", &format!("no route to {path}")),
        text(503, "Content-Type: text/html\r\n", &page),
        text(522, "", "error code: 522"),
    ]
}

#[tokio::test]
async fn what_is_no_answer_of_octopus_is_asked_for_again() {
    const TASK: &str = "/api/tasks/ServerTasks-1";
    let document = r#"{"Id": "ServerTasks-1", "Name": "Deploy", "Description": "", "State": "Success", "IsCompleted": true}"#;
    for odd in 0..strange(TASK).len() {
        let clock = virtual_clock();
        let _busy = clock.enter();
        let asked = AtomicUsize::new(0);
        let server = Server::start(&clock, move |_| {
            // Octopus has answered once; then it does not for a while.
            let turn = asked.fetch_add(1, Ordering::SeqCst);
            if turn == 0 || turn > 4 {
                Reply::Text(200, "Content-Type: application/json\r\n", document.to_owned())
            } else {
                strange(TASK).remove(odd)
            }
        });
        let client = client(&server.address, &clock);
        let route = Route::new(TASK);
        client.fetch::<octorhai::api::Task>(&route).await.expect("Octopus");
        let again = client.fetch::<octorhai::api::Task>(&route).await;
        assert_eq!(again.map(|task| task.id.to_string()).map_err(|error| error.to_string()), Ok("ServerTasks-1".to_owned()), "case {odd}");
    }
}

#[tokio::test]
async fn what_stays_strange_ends_the_run_after_five_minutes() {
    for odd in 0..strange("/api").len() {
        let clock = virtual_clock();
        let _busy = clock.enter();
        let asked = AtomicUsize::new(0);
        let server = Server::start(&clock, move |_| {
            let first = asked.fetch_add(1, Ordering::SeqCst) == 0;
            if first {
                Reply::Text(404, "Content-Type: application/json\r\n", r#"{"ErrorMessage": "No."}"#.to_owned())
            } else {
                strange("/api").remove(odd)
            }
        });
        let client = client(&server.address, &clock);
        let route = Route::new("/api/tasks/ServerTasks-1");
        client.fetch::<octorhai::api::Task>(&route).await.expect_err("it is Octopus that says so");
        let before = clock.now();
        let error = client.fetch::<octorhai::api::Task>(&route).await.expect_err("nobody is there");
        assert!(error.kind() == Kind::Unreachable && error.stops(), "case {odd}: {error:?}");
        assert!(clock.since(before) >= seconds(270) && clock.since(before) <= seconds(330), "case {odd}: {}", clock.since(before));
    }
}

#[tokio::test]
async fn a_member_deep_inside_that_is_odd_is_told_at_once() {
    let clock = virtual_clock();
    let _busy = clock.enter();
    let list = r#"{"Items": [{"Id": "ServerTasks-1", "Name": "Deploy", "State": "Success", "QueueTime": "soon"}], "TotalResults": 1}"#;
    let server = Server::start(&clock, |_| Reply::Text(200, "Content-Type: application/json\r\n", list.to_owned()));
    let client = client(&server.address, &clock);
    let error = client.list::<octorhai::api::Task>(&Route::new("/api/tasks"), None).await.expect_err("no time");
    assert_eq!((error.kind(), error.fact("json_path")), (Kind::BadAnswer, Some(&"Items[0].QueueTime".into())), "{error}");
    assert_eq!(server.count("GET"), 1);
}

#[tokio::test]
async fn two_hundred_megabytes_are_not_read() {
    let clock = virtual_clock();
    let _busy = clock.enter();
    let server = Server::start(&clock, |_| Reply::Endless(200 << 20));
    let error = client(&server.address, &clock).get("/api/tasks").await.expect_err("too long");
    assert_eq!(error.kind(), Kind::BadAnswer);
    assert!(error.message().contains("`GET /api/tasks` was answered with more than 32 MiB"), "{error}");
}

#[tokio::test]
async fn the_key_never_follows_a_redirect_to_another_host() {
    let clock = virtual_clock();
    let _busy = clock.enter();
    let other = Server::start(&clock, |_| Reply::Json(200, json!({"stolen": true})));
    let elsewhere: &'static str = format!("Location: {}/api/tasks\r\n", other.address).leak();
    let server = Server::start(&clock, move |request| match request.path.as_str() {
        "/api/here" => Reply::Text(307, "Location: /api/there\r\n", String::new()),
        "/api/there" => Reply::Json(200, json!({"ok": true})),
        "/api/round" => Reply::Text(302, "Location: /api/round\r\n", String::new()),
        _ => Reply::Text(302, elsewhere, String::new()),
    });
    let client = client(&server.address, &clock);
    let error = client.get("/api/tasks").await.expect_err("another host");
    assert_eq!(error.kind(), Kind::BadAnswer);
    assert!(error.message().contains(&other.address), "{error}");
    assert_eq!(other.requests.lock().len(), 0);
    assert_eq!(server.requests.lock()[0].headers["x-octopus-apikey"], KEY);
    assert_eq!(client.get("/api/here").await.expect("the same host"), json!({"ok": true}));
    assert!(client.get("/api/round").await.expect_err("for ever").message().contains("more than 5 times"));
    assert!(client.get(&format!("{}/api/tasks", other.address)).await.is_err(), "links are not followed elsewhere either");
    assert_eq!(other.requests.lock().len(), 0);
}

#[tokio::test]
async fn an_echoed_key_is_masked_everywhere() {
    let clock = virtual_clock();
    let _busy = clock.enter();
    let server = Server::start(&clock, |request| {
        let key = &request.headers["x-octopus-apikey"];
        Reply::Json(
            if request.method == "GET" { 401 } else { 400 },
            json!({"ErrorMessage": format!("Bad key {key}"), "Errors": [format!("key={key}")]}),
        )
    });
    let client = client(&server.address, &clock);
    for error in [client.get("/api/tasks").await, client.send("POST", "/api/tasks", Some(&json!({}))).await.map(|json| json.tree())] {
        let error = error.expect_err("refused");
        assert!(!format!("{error:?}").contains(KEY), "{error:?}");
        assert!(error.message().contains("Bad key ***: key=***"), "{error}");
    }
}

#[tokio::test]
async fn a_write_is_sent_again_only_when_it_was_surely_not_done() {
    let clock = virtual_clock();
    let _busy = clock.enter();
    let doubts: [fn() -> Reply; 5] = [
        || Reply::Hangup,
        || Reply::Json(500, json!({"ErrorMessage": "Crash"})),
        || Reply::Text(503, "", String::new()),
        || Reply::Text(200, "", "<html>".to_owned()),
        || Reply::Truncated("{".to_owned()),
    ];
    for reply in doubts {
        let server = Server::start(&clock, move |_| reply());
        let error = client(&server.address, &clock).send("POST", "/api/deployments", Some(&json!({}))).await.expect_err("in doubt");
        assert_eq!(error.kind(), Kind::InDoubt, "{error}");
        assert_eq!(server.count("POST"), 1, "{error}");
    }
    for retry in [503, 429] {
        let server = Server::start(&clock, at_first(2, move || Reply::Text(retry, "Retry-After: 3\r\n", String::new())));
        client(&server.address, &clock).send("POST", "/api/deployments", Some(&json!({}))).await.expect("the third is taken");
        assert_eq!(server.count("POST"), 3);
    }
    let server = Server::start(&clock, |_| Reply::Json(400, json!({"ErrorMessage": "No.", "Errors": ["The project is disabled."]})));
    let error = client(&server.address, &clock).send("POST", "/api/deployments", Some(&json!({}))).await.expect_err("refused");
    assert_eq!((error.kind(), server.count("POST")), (Kind::Refused, 1));
    assert!(error.message().contains("No: The project is disabled"), "{error}");
}

#[tokio::test]
async fn cancelling_ends_a_retry_and_a_hanging_write_soon() {
    let clock = Clock::real();
    // Answers the write only when all is over.
    let (over, is_over) = std::sync::mpsc::channel::<()>();
    let is_over = Mutex::new(is_over);
    let server = Server::start(&clock, move |request| {
        if request.method == "POST" {
            let _ = is_over.lock().recv();
        }
        Reply::Text(502, "", String::new())
    });
    let cancel = Cancel::new();
    let client = Client::new(Settings { cancel: cancel.clone(), ..settings(&server.address, &clock) }).expect("a client");
    let both = tokio::spawn(async move { tokio::join!(client.get("/api/tasks"), client.send("POST", "/api/tasks", None)) });
    while server.count("POST") == 0 || server.count("GET") == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    cancel.cancel("Ctrl-C");
    let (read, written) = both.await.expect("no panic");
    assert_eq!(read.expect_err("cancelled").kind(), Kind::Cancelled);
    assert_eq!(written.expect_err("nobody knows").kind(), Kind::InDoubt);
    drop(over);
}

#[tokio::test]
async fn lists_are_read_to_the_end_with_and_without_links() {
    let clock = virtual_clock();
    let _busy = clock.enter();
    let project = |n: usize| json!({"Id": format!("Projects-{n}"), "Name": format!("P{n:04}")});
    for links in [true, false] {
        let server = Server::start(&clock, move |request| {
            if request.path.ends_with("/spaces") {
                return spaces();
            }
            let skip: usize = request.query["skip"].parse().expect("a number");
            // A server may send fewer than asked for.
            let take = request.query["take"].parse::<usize>().expect("a number").min(30);
            let items: Vec<Value> = (skip..(skip + take).min(75)).map(project).collect();
            let mut body = json!({"TotalResults": 75, "Items": items});
            if links && skip + take < 75 {
                body["Links"] = json!({"Page.Next": format!("/octo{}?skip={}&take={take}", request.path.strip_prefix("/octo").expect("the virtual directory"), skip + take)});
            }
            Reply::Json(200, body)
        });
        let space = space(&format!("{}/octo/api/", server.address), &clock).await;
        let projects = space.projects(&ProjectQuery::default()).await.expect("all pages");
        assert_eq!(projects.len(), 75);
        assert_eq!(space.client().list::<octorhai::api::Project>(&space.route("projects"), Some(40)).await.expect("some").len(), 40);
    }
}

#[tokio::test]
async fn names_ids_and_slugs_lead_to_the_same_project() {
    let clock = virtual_clock();
    let _busy = clock.enter();
    let server = Server::start(&clock, |request| {
        let all = [
            ("Projects-1", "Project A", "project-a"),
            ("Projects-2", "Twin", "twin-1"),
            ("Projects-3", "twin", "twin-2"),
            ("Projects-4", "TWIN", "x"),
        ];
        let json = |(id, name, slug): &(&str, &str, &str)| json!({"Id": id, "Name": name, "Slug": slug});
        match request.path.as_str() {
            "/api/spaces" => spaces(),
            "/api/Spaces-1/projects" => {
                let part = request.query.get("partialName").cloned().unwrap_or_default().to_lowercase();
                page(all.iter().filter(|(_, name, _)| name.to_lowercase().contains(&part)).map(json).collect())
            }
            path => match all.iter().find(|(id, ..)| path.to_lowercase().ends_with(&format!("/{}", id.to_lowercase()))) {
                Some(found) => Reply::Json(200, json(found)),
                None => Reply::Json(404, json!({"ErrorMessage": "Not there."})),
            },
        }
    });
    let space = space(&server.address, &clock).await;
    for wanted in ["Project A", "project a", "projects-1", "project-a", " Project A "] {
        assert_eq!(space.find_project(wanted).await.expect(wanted).id.as_str(), "Projects-1", "{wanted}");
    }
    // Exact case decides between names that differ in nothing else.
    assert_eq!(space.find_project("twin").await.expect("the exact one").id.as_str(), "Projects-3");
    let error = space.find_project("tWin").await.expect_err("three of them");
    assert_eq!(error.kind(), Kind::Ambiguous);
    assert!(error.message().contains("`Twin` (Projects-2)"), "{error}");
    let error = space.find_project("Projekt A").await.expect_err("a slip");
    assert_eq!(error.kind(), Kind::NotFound);
    assert_eq!(error.hints(), ["did you mean `Project A`?"]);
}

#[tokio::test]
async fn a_body_that_does_not_fit_names_the_place() {
    let clock = virtual_clock();
    let _busy = clock.enter();
    let server = Server::start(&clock, |request| match request.path.as_str() {
        "/api/spaces" => spaces(),
        _ => page(vec![
            json!({"Id": "ServerTasks-1", "State": "Queued"}),
            json!({"Id": "ServerTasks-2", "State": "Queued", "QueueTime": "soon"}),
        ]),
    });
    let space = space(&server.address, &clock).await;
    let error = space.client().list::<octorhai::api::Task>(&Route::new("/api/Spaces-1/tasks"), None).await.expect_err("`soon` is no time");
    assert_eq!(error.kind(), Kind::BadAnswer);
    assert!(error.message().contains("`Items[1].QueueTime`: expected a date and time, found `\"soon\"`"), "{error}");
    assert!(error.message().contains("/api/Spaces-1/tasks"), "{error}");
}

#[tokio::test]
async fn a_release_whose_answer_was_lost_is_found_by_its_version() {
    let clock = virtual_clock();
    let _busy = clock.enter();
    for lost_before in [true, false] {
        let there = Arc::new(Mutex::new(0));
        let server = Server::start(&clock, move |request| {
            let release = json!({"Id": "Releases-1", "ProjectId": "Projects-1", "Version": "1.0+x/y"});
            match (request.method.as_str(), request.path.as_str()) {
                (_, "/api/spaces") => spaces(),
                ("POST", _) if *there.lock() == 0 && lost_before => {
                    *there.lock() = 1;
                    Reply::Hangup
                }
                ("POST", _) => {
                    let first = *there.lock() == 0;
                    *there.lock() = 2;
                    if first { Reply::Hangup } else { Reply::Json(201, release) }
                }
                (_, "/api/Spaces-1/projects/Projects-1/releases/1.0%2Bx%2Fy") if *there.lock() == 2 => Reply::Json(200, release),
                _ => Reply::Json(404, json!({"ErrorMessage": "Not found."})),
            }
        });
        let space = space(&server.address, &clock).await;
        let release = space.create_release(&NewRelease::new(&"Projects-1".into(), "1.0+x/y")).await.expect("one release");
        assert_eq!(release.id.as_str(), "Releases-1");
        assert_eq!(server.count("POST"), if lost_before { 2 } else { 1 });
    }
}
