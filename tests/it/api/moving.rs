//! Lists that change while their pages are read: each row comes once, and none that was there all the time is missing.

use crate::support::{cases, http::*};
use octorhai::api::{DeploymentQuery, EventQuery};
use parking_lot::Mutex;
use proptest::{
    prelude::*,
    test_runner::{Config, RngSeed, TestRunner},
};
use serde_json::{Value, json};
use std::{collections::BTreeSet, sync::Arc};

/// What happens to a list between two pages: rows that come at its front, and rows that go, by their place in tenths of a percent.
#[derive(Clone, Debug)]
struct Change {
    comes: usize,
    goes: Vec<usize>,
}

fn deployment(number: usize) -> Value {
    json!({"Id": format!("Deployments-{number}"), "ReleaseId": "Releases-1", "ProjectId": "Projects-1", "EnvironmentId": "Environments-1", "TaskId": format!("ServerTasks-{number}"), "Created": "2026-03-01T08:00:00Z"})
}

/// Reads a list of `length` rows that changes after each page; what was read, and what was there from the first page to the last.
fn read(length: usize, changes: Vec<Change>, with_links: bool) -> (Vec<String>, BTreeSet<String>) {
    let clock = virtual_clock();
    let newest_first: Vec<usize> = (1..=length).rev().collect();
    let state = Arc::new(Mutex::new((newest_first.clone(), length, changes.into_iter())));
    let shared = state.clone();
    let server = Server::start(&clock, move |request| {
        if request.path == "/api/spaces" {
            return spaces();
        }
        let number = |name: &str| request.query.get(name).and_then(|n| n.parse::<usize>().ok());
        let (skip, take) = (number("skip").unwrap_or(0), number("take").unwrap_or(30));
        let (rows, last, changes) = &mut *shared.lock();
        let items: Vec<Value> = rows.iter().skip(skip).take(take).map(|n| deployment(*n)).collect();
        let mut body = json!({"TotalResults": rows.len(), "Items": items});
        if with_links && skip + take < rows.len() {
            body["Links"] = json!({"Page.Next": format!("{}?skip={}&take={take}", request.path, skip + take)});
        }
        if let Some(change) = changes.next() {
            for place in change.goes {
                if !rows.is_empty() {
                    let at = place * rows.len() / 1000;
                    rows.remove(at.min(rows.len() - 1));
                }
            }
            for _ in 0..change.comes {
                *last += 1;
                rows.insert(0, *last);
            }
        }
        Reply::Json(200, body)
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let found = runtime.block_on(async {
        let _busy = clock.enter();
        space(&server.address, &clock).await.deployments(&DeploymentQuery::default()).await.expect("a list")
    });
    let left: BTreeSet<usize> = state.lock().0.iter().copied().collect();
    let stayed = newest_first.iter().filter(|number| left.contains(number)).map(|number| format!("Deployments-{number}")).collect();
    (found.iter().map(|d| d.id.to_string()).collect(), stayed)
}

fn check(length: usize, changes: Vec<Change>, with_links: bool) -> Result<(), TestCaseError> {
    let (read, stayed) = read(length, changes, with_links);
    let once: BTreeSet<String> = read.iter().cloned().collect();
    prop_assert_eq!(once.len(), read.len(), "a row came twice");
    let missing: Vec<&String> = stayed.difference(&once).collect();
    prop_assert!(missing.is_empty(), "{} rows are missing, e.g. {:?}", missing.len(), missing.first());
    Ok(())
}

#[test]
fn rows_that_move_while_pages_are_read_come_once() {
    for with_links in [true, false] {
        // A deployment that somebody makes pushes all others down: rows would come twice.
        let comes = |comes: usize| Change { comes, goes: Vec::new() };
        check(1200, vec![comes(3), comes(0), comes(7)], with_links).expect("rows that moved down");
        // Retention takes rows that were read: those after them would be skipped.
        let goes = |goes: &[usize]| Change { comes: 0, goes: goes.to_vec() };
        check(1200, vec![goes(&[0, 10, 100]), goes(&[0, 0, 0, 500])], with_links).expect("rows that moved up");
        check(1200, vec![goes(&[0; 700])], with_links).expect("most of them went away");
    }
}

#[test]
fn any_change_between_pages_neither_doubles_nor_hides_rows() {
    let change = (0..20_usize, prop::collection::vec(0..1000_usize, 0..20)).prop_map(|(comes, goes)| Change { comes, goes });
    let strategy = (0..2200_usize, prop::collection::vec(change, 0..6), any::<bool>());
    let config = Config { cases: cases(24), rng_seed: RngSeed::Fixed(2026), failure_persistence: None, ..Config::default() };
    TestRunner::new(config).run(&strategy, |(length, changes, with_links)| check(length, changes, with_links)).expect("each row once");
}

#[tokio::test]
async fn a_row_without_an_id_is_kept() {
    let clock = virtual_clock();
    let _busy = clock.enter();
    let event = json!({"Id": "Events-1", "Category": "Modified", "Message": "x"});
    let server = Server::start(&clock, move |request| match request.path.as_str() {
        "/api/spaces" => spaces(),
        "/api/Spaces-1/events" => page(vec![event.clone(), event.clone()]),
        _ => page(vec![json!({"Version": "1.0.0"}), json!({"Version": "1.0.0"})]),
    });
    let space = space(&server.address, &clock).await;
    assert_eq!(space.events(&EventQuery::default()).await.expect("a list").len(), 1);
    let route = space.route("feeds/feeds-builtin/packages/versions");
    assert_eq!(space.client().list::<octorhai::api::Other>(&route, None).await.expect("a list").len(), 2);
}

/// The list of deployment freezes is paged in a way of its own.
#[tokio::test]
async fn all_pages_of_deployment_freezes_are_read() {
    let clock = virtual_clock();
    let _busy = clock.enter();
    let server = Server::start(&clock, move |request| {
        let number = |name: &str| request.query[name].parse::<usize>().expect("a number");
        let freezes: Vec<Value> = (0..2500)
            .skip(number("skip"))
            .take(number("take"))
            .map(|n| json!({"Id": format!("DeploymentFreezes-{n}"), "Name": "x"}))
            .collect();
        Reply::Json(200, json!({"DeploymentFreezes": freezes, "Count": 2500}))
    });
    assert_eq!(client(&server.address, &clock).freezes(start_of_time()).await.expect("a list").len(), 2500);
}
