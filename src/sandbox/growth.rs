//! How much is looked at for a request, in a world and in one of twice its size: nothing more, where a request names what it wants.

use super::{answer::Answer, build, http, state::State, world::World};
use axum::{body::Bytes, http::HeaderMap};
use serde_json::Value;

/// A world with `size` projects, each with releases, deployments and a runbook, and as many tenants and deployment targets as `others`.
fn world(size: usize, others: usize) -> State {
    let mut text = r#"
[[environments]]
name = "Test"
[[environments]]
name = "Production"
[[projects]]
name = "Harbour ####"
copies = SIZE
steps = [{ name = "Dig" }, { name = "Flood" }]
releases = [{ version = "1.0.0" }, { version = "1.1.0" }]
history = true
live = { Test = "1.1.0", Production = "1.0.0" }
runbooks = [{ name = "Drain", steps = [{ name = "Pump" }] }]
[[projects]]
name = "Quay"
tenanted = "both"
"#
    .replace("SIZE", &size.to_string());
    for n in 0..others {
        let (tenant, machine) = (
            format!("[[tenants]]\nname = \"Tenant {n}\"\nprojects = {{ Quay = [\"Test\"] }}\n"),
            format!("[[machines]]\nname = \"web-{n}\"\nenvironments = [\"Test\"]\n"),
        );
        text.push_str(&tenant);
        text.push_str(&machine);
    }
    build::state(&World::from_toml("test.toml", &text).expect("a good world"), "API-TEST")
}

/// The answer to a request, and at how many documents, tasks, events, ... it looked; none for what is refused.
fn ask_if_there(state: &mut State, path: &str) -> Option<(Value, u64)> {
    let before = state.looks();
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let query = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let headers = HeaderMap::from_iter([("X-Octopus-ApiKey".parse().expect("a name"), "API-TEST".parse().expect("a value"))]);
    let handled = http::respond(state, "GET", path, query, &headers, Bytes::new(), &mut http::Seen::default());
    let mut text = Vec::new();
    let Ok(Answer::Json(_, shown)) = handled else { return None };
    shown.tell(&mut text).expect("it can be written");
    Some((serde_json::from_slice(&text).expect("JSON"), state.looks() - before))
}

fn ask(state: &mut State, path: &str) -> (Value, u64) {
    ask_if_there(state, path).unwrap_or_else(|| panic!("{path} is refused"))
}

#[test]
fn lists_look_only_at_the_ids_they_are_asked_for() {
    let (mut small, mut large) = (world(40, 40), world(80, 80));
    let links = ask(&mut small, "/api/Spaces-1").0["Links"].clone();
    let takes_ids =
        |to: &str| to.split_once("{?").is_some_and(|(_, names)| names.trim_end_matches('}').split(',').any(|name| name == "ids"));
    let lists: Vec<&str> = links.as_object().expect("links").values().filter_map(Value::as_str).filter(|to| takes_ids(to)).collect();
    let mut many = Vec::new();
    for to in lists {
        let path = to.split('{').next().unwrap_or(to);
        let Some((all, work)) = ask_if_there(&mut small, &format!("{path}?take=1000")) else { continue };
        let Some(items) = all["Items"].as_array().filter(|items| items.len() >= 40) else { continue };
        let ids: Vec<&str> = items.iter().step_by(10).filter_map(|d| d["Id"].as_str()).collect();
        let wanted = format!("{path}?ids={}", ids.join(","));
        let ((shown, few), (_, same)) = (ask(&mut small, &wanted), ask(&mut large, &wanted));
        assert_eq!(shown["Items"].as_array().map(Vec::len), Some(ids.len()), "{wanted}");
        assert_eq!(few, same, "{wanted} looks at more when there is more");
        assert!(few < work, "{wanted}: {few} of {work}");
        many.push(path.rsplit('/').next().unwrap_or(path));
    }
    for list in ["channels", "deployments", "events", "machines", "projects", "releases", "runbooks", "tasks", "tenants"] {
        assert!(many.contains(&list), "{list} is not among {many:?}");
    }
}

#[test]
fn requests_about_one_thing_do_not_look_through_all_things() {
    let (mut small, mut large) = (world(40, 40), world(80, 40));
    for path in [
        "projects/harbour-0007",
        "projects?name=Harbour%200007",
        "projects/Projects-7/channels",
        "projects/Projects-7/releases",
        "projects/Projects-7/releases/1.0.0",
        "projects/Projects-7/runbooks",
        "projects/Projects-7/deploymentprocesses/template",
        "progression/Projects-7",
        "channels/Channels-7/releases",
        "releases/Releases-7",
        "releases/Releases-7/deployments",
        "releases/Releases-7/progression",
        "deployments?projects=Projects-7,Projects-8",
        "tasks?project=Projects-7",
        "events?regarding=ServerTasks-7",
        "events?regardingAny=Deployments-7,Deployments-8,Releases-7",
        "events?projects=Projects-7&eventCategories=DeploymentSucceeded",
        "interruptions?regarding=ServerTasks-7",
        "dashboard/dynamic?projects=Projects-7",
    ] {
        let path = format!("/api/Spaces-1/{path}");
        let ((few, work), (same, as_much)) = (ask(&mut small, &path), ask(&mut large, &path));
        assert_eq!(work, as_much, "{path} looks at more when there is more");
        let count = |shown: &Value| shown["Items"].as_array().map(Vec::len);
        assert_eq!(count(&few), count(&same), "{path}");
    }
}
