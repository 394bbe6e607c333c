//! Lists of a hundred thousand rows: what they ask the server for grows with the rows and not faster, and what they keep of a row is small.

use crate::support::{http, settings};
use octorhai::{
    api::Credential,
    event::{Event, What},
    run::{Outcome, Target},
};
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::Arc};

/// So many deployments have the same release.
const OF_ONE_RELEASE: usize = 20;

/// A server with so many deployments, each as long as those of a real one.
fn server(rows: usize) -> http::Server {
    let clock = http::virtual_clock();
    let padding = "x".repeat(1500);
    http::Server::start(&clock, move |request| {
        let asked = |noun: &str| request.path == format!("/api/Spaces-1/{noun}");
        let number = |name: &str| request.query.get(name).and_then(|text| text.parse::<usize>().ok());
        let ids =
            || request.query.get("ids").map_or("", String::as_str).split(',').filter_map(|id| id.split_once('-')?.1.parse::<usize>().ok());
        let list = |total: usize, items: Vec<String>| {
            let body = format!("{{\"TotalResults\":{total},\"Items\":[{}]}}", items.join(","));
            http::Reply::Text(200, "Content-Type: application/json\r\n", body)
        };
        if asked("deployments") {
            let (skip, take) = (number("skip").unwrap_or(0), number("take").unwrap_or(30));
            let deployment = |at: usize| {
                let id = rows - at;
                format!(
                    r#"{{"Id":"Deployments-{id}","ReleaseId":"Releases-{}","ProjectId":"Projects-1","EnvironmentId":"Environments-1","TaskId":"ServerTasks-{id}","Created":"2026-03-01T08:00:00Z","DeployedBy":"ada","Comments":"","Changes":"{padding}"}}"#,
                    id / OF_ONE_RELEASE
                )
            };
            list(rows, (skip..rows.min(skip + take)).map(deployment).collect())
        } else if asked("tasks") {
            let task = |id| {
                format!(
                    r#"{{"Id":"ServerTasks-{id}","Name":"Deploy","State":"Success","StartTime":"2026-03-01T08:00:00Z","CompletedTime":"2026-03-01T08:05:00Z"}}"#
                )
            };
            let items: Vec<String> = ids().map(task).collect();
            list(items.len(), items)
        } else if asked("releases") {
            let items: Vec<String> =
                ids().map(|id| format!(r#"{{"Id":"Releases-{id}","ProjectId":"Projects-1","Version":"1.{id}.0"}}"#)).collect();
            list(items.len(), items)
        } else if request.path == "/api/spaces" {
            http::spaces()
        } else if request.path == "/api" {
            http::Reply::Json(200, json!({"Application": "Octopus Deploy", "Version": "2026.1.1", "ApiVersion": "3.0.0", "Links": {}}))
        } else if asked("environments") {
            http::page(vec![json!({"Id": "Environments-1", "Name": "Test", "SortOrder": 0})])
        } else {
            // Its project may not be seen.
            http::Reply::Json(404, json!({"ErrorMessage": "The resource you requested was not found."}))
        }
    })
}

fn run(server: &http::Server, script: &str) -> (Outcome, Vec<String>) {
    let credential = Credential::api_key(&server.address, http::KEY).expect("a credential");
    let mut settings = settings(Target::Server { credential, space: None, ca_cert: None }, script, Arc::default());
    let printed: Arc<Mutex<Vec<String>>> = Arc::default();
    let lines = Arc::clone(&printed);
    settings.sinks.push(Arc::new(move |event: &Event| {
        if let What::Print { text } = &event.what {
            lines.lock().push(text.clone());
        }
    }));
    let outcome = octorhai::run::run(settings);
    let printed = printed.lock().clone();
    (outcome, printed)
}

/// By collection: how many requests, and how many ids were asked for in them.
fn work(rows: usize) -> BTreeMap<String, (usize, usize)> {
    let server = server(rows);
    let (outcome, _) = run(&server, r#"report(deployments(#{since: ago("10000d")}), #{format: "csv"}).len()"#);
    assert!(outcome.failure.is_none(), "{:?}", outcome.failure.map(|f| f.error.to_string()));
    let mut work: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for request in server.requests.lock().iter() {
        let of = work.entry(request.path.clone()).or_default();
        of.0 += 1;
        of.1 += request.query.get("ids").map_or(0, |ids| ids.split(',').count());
    }
    work
}

#[test]
fn twice_as_many_rows_ask_for_twice_as_much_and_for_each_id_once() {
    let (once, twice) = (work(2000), work(4000));
    assert_eq!(once["/api/Spaces-1/deployments"], (4, 0));
    assert_eq!(once["/api/Spaces-1/tasks"], (20, 2000));
    // A release more than whole: the first deployments are of a release that has only nineteen.
    assert_eq!(once["/api/Spaces-1/releases"], (2, 101));
    assert_eq!(once["/api/Spaces-1/projects/Projects-1"], (1, 0), "a project that may not be seen is asked for once");
    assert_eq!(twice["/api/Spaces-1/deployments"], (8, 0));
    assert_eq!(twice["/api/Spaces-1/tasks"], (40, 4000));
    assert_eq!(twice["/api/Spaces-1/releases"], (3, 201));
    let rest = |work: &BTreeMap<String, (usize, usize)>| -> usize {
        work.iter()
            .filter(|(path, _)| !["deployments", "tasks", "releases"].iter().any(|noun| path.ends_with(noun)))
            .map(|(_, (n, _))| n)
            .sum()
    };
    assert_eq!(rest(&once), rest(&twice), "names are asked for once, however many rows there are");
}

/// Whole documents of so many would need more memory than a list may take, 128 MiB.
#[test]
fn a_long_list_keeps_cells_and_gives_whole_documents_when_they_are_asked_for() {
    let rows = 14_000;
    let server = server(rows);
    let script = r#"
        let all = deployments(#{since: ago("10000d")});
        print(all.len());
        print(all[0].raw.Id);
        print(all[17].raw.Changes.len());
        print(all[all.len() - 1].raw.TaskId);
        print(report([all[5]], #{format: "csv", columns: ["id", "project", "release", "env", "state", "duration", "deployed_by", "comments", "error"]}));
        print(report(all, #{format: "csv", columns: ["id"]}).split("\r\n").len());
    "#;
    let (outcome, printed) = run(&server, script);
    let expected = [
        "14000",
        "Deployments-14000",
        "1500",
        "ServerTasks-1",
        "id,project,release,env,state,duration,deployed_by,comments,error\r\nDeployments-13995,Projects-1,1.699.0,Test,Success,300,ada,,\r\n",
        "14002",
    ];
    assert_eq!(printed, expected, "{:?}", outcome.failure.map(|f| f.error.to_string()));
    assert_eq!(outcome.result, Value::Null);
}
