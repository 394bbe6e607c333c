//! Creating exactly once under faults, and waiting for many tasks within a budget.

use crate::support::http::*;
use jiff::{SignedDuration, Timestamp};
use octorhai::api::{Client, DeploymentQuery, NewDeployment, Poller, Settings, SpaceClient, TaskId, TaskState};
use octorhai::cancel::Cancel;
use octorhai::clock::{Clock, later};
use octorhai::error::{Kind, Result};
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::sync::Arc;

const MARKER: &str = "octorhai:R1:s1:abcd1234";

fn seconds(n: i64) -> SignedDuration {
    SignedDuration::from_secs(n)
}

/// What happens to the POST of a deployment.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    /// Nothing.
    None,
    /// The answer is lost after it was created.
    LostAnswer,
    /// It never arrives.
    LostRequest,
    /// It arrives so many seconds later.
    Late(i64),
}

/// As much of Octopus as the create protocol sees: a list of deployments and their tasks.
struct World {
    server: Server,
    deployments: Arc<Mutex<Vec<Value>>>,
}

impl World {
    /// `faults` hit the POSTs in order; later ones are well.
    fn new(clock: &Clock, faults: &'static [Fault]) -> Self {
        let deployments: Arc<Mutex<Vec<Value>>> = Arc::default();
        let (list, now) = (deployments.clone(), clock.clone());
        let posts = Mutex::new(0);
        let late: Mutex<Vec<(Timestamp, Value)>> = Mutex::default();
        let server = Server::start(clock, move |request| {
            let mut list = list.lock();
            late.lock().retain(|(due, body)| {
                let arrived = now.now() >= *due;
                if arrived {
                    create(&mut list, body, now.now());
                }
                !arrived
            });
            match (request.method.as_str(), request.path.as_str()) {
                ("GET", "/api/spaces") => spaces(),
                ("GET", "/api/Spaces-1/deployments") => {
                    assert_eq!(request.query["projects"], "Projects-1");
                    page(list.iter().rev().cloned().collect())
                }
                ("GET", "/api/Spaces-1/tasks") => {
                    let wanted: Vec<&str> = request.query["ids"].split(',').collect();
                    let tasks = list.iter().map(|d| {
                        let expires: Timestamp = d["QueueTimeExpiry"].as_str().expect("a deadline").parse().expect("a time");
                        let created: Timestamp = d["Created"].as_str().expect("a date").parse().expect("a time");
                        // What arrives after its deadline never starts; all else starts at once.
                        if created > expires {
                            json!({"Id": d["TaskId"], "State": "TimedOut"})
                        } else {
                            json!({"Id": d["TaskId"], "State": "Executing", "StartTime": d["Created"]})
                        }
                    });
                    page(tasks.filter(|t| wanted.contains(&t["Id"].as_str().expect("an id"))).collect())
                }
                ("POST", "/api/Spaces-1/deployments") => {
                    let mut posts = posts.lock();
                    *posts += 1;
                    match faults.get(*posts - 1).unwrap_or(&Fault::None) {
                        Fault::None => Reply::Json(201, create(&mut list, &request.body, now.now())),
                        Fault::LostAnswer => {
                            create(&mut list, &request.body, now.now());
                            Reply::Hangup
                        }
                        Fault::LostRequest => Reply::Hangup,
                        Fault::Late(delay) => {
                            late.lock().push((later(now.now(), seconds(*delay)), request.body.clone()));
                            Reply::Hangup
                        }
                    }
                }
                _ => Reply::Json(404, json!({"ErrorMessage": "Not found."})),
            }
        });
        Self { server, deployments }
    }

    /// How many deployments can start or have started.
    fn alive(&self) -> usize {
        let late = |d: &&Value| d["Created"].as_str() <= d["QueueTimeExpiry"].as_str();
        self.deployments.lock().iter().filter(late).count()
    }
}

fn create(list: &mut Vec<Value>, body: &Value, now: Timestamp) -> Value {
    let mut created = body.clone();
    let number = list.len() + 1;
    created["Id"] = format!("Deployments-{number}").into();
    created["TaskId"] = format!("ServerTasks-{number}").into();
    created["Created"] = now.strftime("%Y-%m-%dT%H:%M:%S%.3f+00:00").to_string().into();
    list.push(created.clone());
    created
}

fn new_deployment() -> NewDeployment {
    NewDeployment {
        comments: "wave 2".to_owned(),
        ..NewDeployment::new(&"Projects-1".into(), &"Releases-1".into(), &"Environments-1".into())
    }
}

#[tokio::test]
async fn a_deployment_carries_marker_and_deadline() {
    let clock = virtual_clock();
    let _busy = clock.enter();
    let world = World::new(&clock, &[]);
    let space = space(&world.server.address, &clock).await;
    let deployment = space.create(&new_deployment(), MARKER, &()).await.expect("created");
    assert_eq!(deployment.comments, "wave 2 [octorhai:R1:s1:abcd1234]");
    assert_eq!(deployment.queue_time_expiry, Some(later(start_of_time(), SignedDuration::from_hours(6))));
    let scheduled = later(start_of_time(), SignedDuration::from_hours(10));
    let deployment = space.create(&NewDeployment { queue_time: Some(scheduled), ..new_deployment() }, "other", &()).await.expect("created");
    assert_eq!(deployment.queue_time_expiry, Some(later(scheduled, SignedDuration::from_hours(6))));
}

#[tokio::test]
async fn a_lost_answer_makes_no_second_deployment() {
    let clock = virtual_clock();
    let _busy = clock.enter();
    let world = World::new(&clock, &[Fault::LostAnswer]);
    let space = space(&world.server.address, &clock).await;
    let deployment = space.create(&new_deployment(), MARKER, &()).await.expect("found again");
    assert_eq!(deployment.id.as_str(), "Deployments-1");
    assert_eq!((world.server.count("POST"), world.alive()), (1, 1));
}

#[tokio::test]
async fn a_late_request_is_waited_for() {
    let clock = virtual_clock();
    let _busy = clock.enter();
    let world = World::new(&clock, &[Fault::Late(90)]);
    let space = space(&world.server.address, &clock).await;
    let deployment = space.create(&new_deployment(), MARKER, &()).await.expect("found in the end");
    assert_eq!((deployment.id.as_str(), world.server.count("POST"), world.alive()), ("Deployments-1", 1, 1));
}

#[tokio::test]
async fn a_lost_request_ends_in_doubt_rather_than_twice() {
    let clock = virtual_clock();
    let _busy = clock.enter();
    let world = World::new(&clock, &[Fault::LostRequest]);
    let space = space(&world.server.address, &clock).await;
    let error = space.create(&new_deployment(), MARKER, &()).await.expect_err("nobody can know");
    assert_eq!(error.kind(), Kind::InDoubt);
    assert_eq!(error.fact("marker"), Some(&json!(format!("[{MARKER}]"))));
    assert!(error.hints()[0].contains("after 2026-03-02T14:00:00.000+00:00 none can start any more"), "{error:?}");
    assert_eq!((world.server.count("POST"), clock.since(start_of_time())), (1, SignedDuration::from_mins(10)));
}

#[tokio::test]
async fn after_the_deadline_it_is_safe_to_try_again() {
    for faults in
        [&[Fault::LostRequest][..], &[Fault::LostRequest, Fault::LostAnswer], &[Fault::Late(400)], &[Fault::Late(301), Fault::LostAnswer]]
    {
        let clock = virtual_clock();
        let _busy = clock.enter();
        let world = World::new(&clock, Vec::leak(faults.to_vec()));
        let space = space(&world.server.address, &clock).await;
        let new = NewDeployment { queue_expiry: seconds(300), doubt_patience: seconds(3600), ..new_deployment() };
        let deployment = space.create(&new, MARKER, &()).await.unwrap_or_else(|e| panic!("{faults:?}: {e:?}"));
        assert_eq!(world.server.count("POST"), 2, "{faults:?}");
        // Whatever arrives late cannot start.
        clock.sleep(seconds(600)).await;
        space.deployments(&DeploymentQuery { projects: vec!["Projects-1".into()], ..DeploymentQuery::default() }).await.expect("a list");
        assert_eq!(world.alive(), 1, "{faults:?}");
        assert!(deployment.created <= deployment.queue_time_expiry, "{faults:?}");
    }
}

#[tokio::test]
async fn a_server_that_was_not_measured_is_never_asked_twice() {
    let clock = virtual_clock();
    let _busy = clock.enter();
    let world = World::new(&clock, &[Fault::LostRequest]);
    let settings = Settings { keeps_deadlines: false, ..settings(&world.server.address, &clock) };
    let space = Client::new(settings).expect("a client").space(None).await.expect("a space");
    let new = NewDeployment { queue_expiry: seconds(60), doubt_patience: seconds(3600), ..new_deployment() };
    let error = space.create(&new, MARKER, &()).await.expect_err("in doubt");
    assert_eq!((error.kind(), world.server.count("POST")), (Kind::InDoubt, 1));
    let help = error.hints().join(" ");
    assert!(help.contains("is not known to keep to that") && help.contains("octorhai doctor"), "{help}");
}

#[tokio::test]
async fn a_server_that_drops_the_deadline_is_never_asked_twice() {
    let clock = virtual_clock();
    let _busy = clock.enter();
    let posts = Mutex::new(0);
    let server = Server::start(&clock, move |request| match (request.method.as_str(), request.path.as_str()) {
        ("GET", "/api/spaces") => spaces(),
        ("POST", _) => {
            *posts.lock() += 1;
            let mut body = request.body.clone();
            body["QueueTimeExpiry"] = Value::Null;
            if *posts.lock() == 1 { Reply::Json(201, create(&mut Vec::new(), &body, start_of_time())) } else { Reply::Hangup }
        }
        _ => page(Vec::new()),
    });
    let space = space(&server.address, &clock).await;
    let new = NewDeployment { queue_expiry: seconds(60), doubt_patience: seconds(3600), ..new_deployment() };
    space.create(&new, "first", &()).await.expect("created");
    let error = space.create(&new, "second", &()).await.expect_err("in doubt");
    assert_eq!((error.kind(), server.count("POST")), (Kind::InDoubt, 2));
}

#[tokio::test]
async fn a_cancelled_run_still_learns_what_it_leaves_behind() {
    let clock = Clock::real();
    let world = World::new(&clock, &[Fault::LostAnswer]);
    let cancel = Cancel::new();
    let settings = Settings { cancel: cancel.clone(), ..settings(&world.server.address, &clock) };
    let space = Client::new(settings).expect("a client").space(None).await.expect("a space");
    let creating = {
        // The list is read for the first time only after the cancellation.
        let creation = space.clone();
        tokio::spawn(async move { creation.create(&new_deployment(), MARKER, &()).await })
    };
    while world.server.count("POST") == 0 {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    cancel.cancel("Ctrl-C");
    assert_eq!(creating.await.expect("no panic").expect("it is known").id.as_str(), "Deployments-1");
}

/// Tasks that each end after as many seconds as their number, up to 600.
fn tasks_server(clock: &Clock, known: u64) -> Server {
    let now = clock.clone();
    Server::start(clock, move |request| match request.path.as_str() {
        "/api/spaces" => spaces(),
        "/api/Spaces-1/tasks" => {
            let ids: Vec<&str> = request.query["ids"].split(',').collect();
            assert!(ids.len() <= 100, "{} ids in one request", ids.len());
            let passed = now.since(start_of_time()).as_secs() as u64;
            let tasks = ids.iter().map(|id| (id, TaskId::from(*id).number())).filter(|(_, number)| *number <= known).map(|(id, number)| {
                let state = if passed >= number.min(600) { "Success" } else { "Executing" };
                json!({"Id": id, "State": state, "QueueTime": "2026-03-02T08:00:00.000+00:00"})
            });
            page(tasks.collect())
        }
        _ => Reply::Json(404, json!({"ErrorMessage": "Not found."})),
    })
}

fn ids(range: std::ops::RangeInclusive<u64>) -> Vec<TaskId> {
    range.map(|n| TaskId::from(format!("ServerTasks-{n}"))).collect()
}

/// Waits like `host` does: poll, look, sleep until the next refresh.
async fn wait_for_all(poller: &Poller, space: &SpaceClient, ids: Vec<TaskId>) -> Result<Vec<Timestamp>> {
    let mut ended = vec![None; ids.len()];
    let watch = poller.watch(ids);
    loop {
        let tasks = watch.poll(later(space.clock().now(), SignedDuration::from_mins(5))).await?;
        for (end, task) in ended.iter_mut().zip(&tasks) {
            if task.state == TaskState::Success {
                end.get_or_insert(space.clock().now());
            }
        }
        if ended.iter().all(Option::is_some) {
            return Ok(ended.into_iter().flatten().collect());
        }
        space.clock().sleep_until(watch.next_due()).await;
    }
}

#[tokio::test]
async fn a_thousand_tasks_cost_at_most_sixty_requests_a_minute() {
    let clock = virtual_clock();
    let _busy = clock.enter();
    let server = tasks_server(&clock, u64::MAX);
    let space = space(&server.address, &clock).await;
    let poller = Poller::new(space.clone(), 60);
    let ended = wait_for_all(&poller, &space, ids(1..=1000)).await.expect("all end");
    let stats = space.client().stats();
    assert!(stats.busiest_minute <= 60, "{stats:?}");
    for (number, end) in (1..=1000).zip(ended) {
        let due = later(start_of_time(), seconds(number.min(600)));
        assert!(end >= due && end <= later(due, seconds(17)), "task {number} ended {due}, noticed {end}");
    }
}

#[tokio::test]
async fn a_young_task_is_looked_at_every_second() {
    let clock = virtual_clock();
    let _busy = clock.enter();
    let server = tasks_server(&clock, u64::MAX);
    let space = space(&server.address, &clock).await;
    let ended = wait_for_all(&Poller::new(space.clone(), 60), &space, ids(5..=5)).await.expect("it ends");
    assert!(ended[0] <= later(start_of_time(), seconds(7)), "{ended:?}");
}

#[tokio::test]
async fn a_task_that_has_not_changed_is_the_one_that_was_seen_before() {
    let clock = virtual_clock();
    let _busy = clock.enter();
    let server = tasks_server(&clock, u64::MAX);
    let space = space(&server.address, &clock).await;
    let poller = Poller::new(space.clone(), 60);
    let watch = poller.watch(ids(5..=400));
    let patience = later(start_of_time(), seconds(3600));
    let before = watch.poll(patience).await.expect("all are known");
    space.client().rest_until(watch.next_due()).await.expect("nobody cancels");
    let requests = server.count("GET");
    let after = watch.poll(patience).await.expect("all are known");
    assert!(server.count("GET") > requests, "they were asked for again");
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(Arc::ptr_eq(before, after), before.state == after.state, "{}", before.id);
    }
    assert!(before.iter().zip(&after).any(|(before, after)| Arc::ptr_eq(before, after)), "some have not changed");
}

#[tokio::test]
async fn an_unknown_task_is_an_error_and_not_a_wait() {
    let clock = virtual_clock();
    let _busy = clock.enter();
    let server = tasks_server(&clock, 50);
    let space = space(&server.address, &clock).await;
    let error = wait_for_all(&Poller::new(space.clone(), 60), &space, ids(48..=51)).await.expect_err("one is unknown");
    assert_eq!(error.kind(), Kind::NotFound);
    assert!(error.message().contains("`ServerTasks-51` is unknown to the server"), "{error}");
    assert!(clock.since(start_of_time()) < seconds(5));
    let error = wait_for_all(&Poller::new(space.clone(), 60), &space, ids(49..=52)).await.expect_err("two are unknown");
    assert!(error.message().contains("`ServerTasks-51`, `ServerTasks-52` are unknown"), "{error}");
}

#[tokio::test]
async fn many_waits_share_each_refresh() {
    let clock = virtual_clock();
    let busy = clock.enter();
    let server = tasks_server(&clock, u64::MAX);
    let space = space(&server.address, &clock).await;
    let poller = Poller::new(space.clone(), 60);
    let waits: Vec<_> = (1..=40)
        .map(|n| {
            let (poller, space, token) = (poller.clone(), space.clone(), clock.enter());
            tokio::spawn(async move {
                let _token = token;
                wait_for_all(&poller, &space, ids(n..=n + 200)).await
            })
        })
        .collect();
    drop(busy);
    for wait in waits {
        wait.await.expect("no panic").expect("all end");
    }
    let stats = space.client().stats();
    assert!(stats.busiest_minute <= 60, "{stats:?}");
    // Three batches for four minutes, with pauses of 3.6 to 12 seconds.
    assert!(stats.requests < 200, "{stats:?}");
}

#[tokio::test]
async fn a_dropped_refresh_wakes_the_others() {
    let clock = virtual_clock();
    let _busy = clock.enter();
    let server = tasks_server(&clock, u64::MAX);
    let space = space(&server.address, &clock).await;
    let poller = Poller::new(space.clone(), 60);
    let (first, second) = (poller.watch(ids(1..=1)), poller.watch(ids(2..=2)));
    let until = later(start_of_time(), seconds(60));
    tokio::select! {
        biased;
        _ = first.poll(until) => panic!("the answer cannot be there yet"),
        () = std::future::ready(()) => {}
    }
    assert_eq!(second.poll(until).await.expect("it refreshes itself").len(), 1);
    drop(first);
}
