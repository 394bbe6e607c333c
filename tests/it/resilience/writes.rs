//! What is started on the server is started once, whatever happens to the request and its answer.

use crate::support::{InProcess, shop, simulate};
use octorhai::error::Kind;
use serde_json::Value;

fn kind(ran: &InProcess) -> Option<Kind> {
    ran.outcome.failure.as_ref().map(|f| f.error.kind())
}

fn with_fault(fault: &str) -> String {
    format!("{}\n[[faults]]\n{fault}\n", shop(&[]))
}

/// Deploys, waits, and returns what the server has seen.
const DEPLOY: &str = r#"
    let t = deploy("Project A", "latest", "Test");
    wait(t);
    print(t.state);
    get("~/sandbox/state").deployments.filter(|d| !d.history)
"#;

fn list(ran: &InProcess) -> &Vec<Value> {
    ran.outcome.result.as_array().unwrap_or_else(|| panic!("no list: {}", ran.error()))
}

/// One deployment, successful, with a marker in its comment; the script went on with it.
fn exactly_one(fault: &str, longest: f64) {
    let ran = simulate(&with_fault(fault), DEPLOY);
    assert_eq!((ran.error().as_str(), ran.printed().as_str()), ("", "Success"), "{fault}");
    let made = list(&ran);
    assert_eq!(made.len(), 1, "{fault}: {made:?}");
    assert_eq!(made[0]["state"], "Success");
    assert!(made[0]["comments"].as_str().is_some_and(|c| c.contains("[octorhai:")), "{made:?}");
    assert!(ran.outcome.stats.seconds < longest, "{fault}: {:?}", ran.outcome.stats);
}

const DONE: [&str; 4] = ["drop_after", "truncate", "status_after=500", "status_after=502"];
const NOT_DONE: [&str; 7] = ["reset", "status=500", "status=502", "status=504", "status=408", "html", "redirect"];

#[test]
fn a_deployment_whose_answer_was_lost_is_found_by_its_marker() {
    for action in DONE {
        exactly_one(&format!("match = \"POST */deployments\"\nnth = 1\naction = \"{action}\""), 1260.0);
    }
}

#[test]
fn a_request_turned_away_at_the_door_is_sent_again() {
    exactly_one("match = \"POST */deployments\"\nnth = 1\ntimes = 3\naction = \"status=429\"\nretry_after = 20", 1400.0);
    exactly_one("match = \"POST */deployments\"\nnth = 1\naction = \"status=503\"\nretry_after = 20", 1400.0);
}

/// Nothing was made and we cannot know: the deadline of the request passes, then the same is sent anew.
#[test]
fn a_request_that_was_lost_is_sent_anew_once_it_cannot_start_any_more() {
    for action in NOT_DONE {
        let fault = format!("match = \"POST */deployments\"\nnth = 1\naction = \"{action}\"");
        let script = DEPLOY.replace("\"Test\")", "\"Test\", #{expires: \"5m\"})");
        let ran = simulate(&with_fault(&fault), &script);
        assert_eq!((ran.error().as_str(), ran.printed().as_str()), ("", "Success"), "{action}");
        let made = list(&ran);
        assert_eq!(made.len(), 1, "{action}: {made:?}");
        assert!(ran.outcome.stats.seconds < 1900.0, "{action}: {:?}", ran.outcome.stats);
    }
}

/// With the usual life of six hours nobody waits that long: a person decides, and is told by what.
#[test]
fn a_request_that_was_lost_ends_in_doubt_when_it_may_still_start() {
    for action in NOT_DONE {
        let ran = simulate(&with_fault(&format!("match = \"POST */deployments\"\nnth = 1\naction = \"{action}\"")), DEPLOY);
        assert_eq!(ran.outcome.exit_code, 8, "{action}: {}", ran.error());
        let error = &ran.outcome.failure.as_ref().expect("an error").error;
        let help = error.hints().join(" ");
        assert!(help.contains("[octorhai:") && help.contains("none can start any more"), "{action}: {help}");
        assert!(error.message().contains("Project A 2.0.0"), "{action}: {}", error.message());
        assert!(ran.outcome.stats.seconds < 700.0, "{action}: {:?}", ran.outcome.stats);
    }
}

#[test]
fn a_deployment_is_found_when_the_server_is_away_right_after_making_it() {
    exactly_one(
        "match = \"POST */deployments\"\nnth = 1\naction = \"drop_after\"\n[[faults]]\nmatch = \"GET *\"\nfrom = \"0s\"\nfor = \"0s\"\naction = \"reset\"",
        1300.0,
    );
    let script = r#"
        post("~/sandbox/faults", #{"match": "POST */deployments", nth: 1, action: "drop_after"});
        post("~/sandbox/faults", #{"match": "GET */deployments*", nth: 1, "for": "4m", action: "status=502"});
    "#;
    let ran = simulate(&shop(&[]), &format!("{script}{DEPLOY}"));
    assert_eq!((ran.error().as_str(), ran.printed().as_str()), ("", "Success"));
    assert_eq!(list(&ran).len(), 1);
}

#[test]
fn a_requeue_is_made_once() {
    for action in DONE {
        let world = shop(&[("[context]", "[context]\nproject = \"Project A\"")]);
        let world = format!("{world}\n[[faults]]\nmatch = \"POST */deployments\"\nnth = 1\naction = \"{action}\"\n");
        let script = "finally(|| requeue(\"23:00\"), || print(get(\"~/sandbox/state\").deployments.filter(|d| !d.history).len()))";
        let ran = simulate(&world, script);
        assert_eq!((ran.outcome.exit_code, ran.printed().as_str()), (7, "1"), "{action}: {}", ran.error());
    }
}

#[test]
fn a_deployment_that_was_never_started_in_time_says_so() {
    let world = shop(&[("zone  = ", "task_cap = 1\nzone  = ")]);
    let script = r#"
        let a = deploy("Project A", "latest", "Test");
        wait([a, deploy("Project B", "latest", "Test", #{expires: "6m"})])
    "#;
    let ran = simulate(&world, script);
    assert_eq!(kind(&ran), Some(Kind::DeploymentFailed));
    assert!(ran.error().contains("Project B 2.0.0 → Test"), "{}", ran.error());
    assert!(ran.error().contains("did not start within 6m"), "{}", ran.error());
}

#[test]
fn a_superseded_deployment_says_by_what() {
    let world = shop(&[("description = \"The database and its API\"", "description = \"x\"\ncancel_running = true\ncancel_queued = true")]);
    let script = r#"
        let first = deploy("Project A", "1.1.0", "Test");
        sleep("2m");
        let old = deploy("Project A", "1.1.0", "Test");
        let newer = deploy("Project A", "2.0.0", "Test");
        wait([first, newer], #{timeout: "3h"});
        wait(old)
    "#;
    let ran = simulate(&world, script);
    assert_eq!(kind(&ran), Some(Kind::DeploymentFailed));
    assert!(ran.error().contains("Project A 1.1.0 → Test"), "{}", ran.error());
    assert!(ran.error().contains("cancelled on the server"), "{}", ran.error());
    assert!(ran.error().contains("by itself: a newer deployment to the same place replaces it"), "{}", ran.error());
}

#[test]
fn a_task_edited_to_failed_is_failed() {
    let script = r#"
        let t = deploy("Project A", "latest", "Test");
        wait(t);
        post(`tasks/${t.id}/state`, #{state: "Failed", reason: "the smoke test lied"});
        wait(task(t.id))
    "#;
    let ran = simulate(&shop(&[]), script);
    assert_eq!(kind(&ran), Some(Kind::DeploymentFailed));
    assert!(ran.error().contains("the smoke test lied"), "{}", ran.error());
}

#[test]
fn a_restart_that_fails_the_running_task_says_so() {
    let ran = simulate(&with_fault("match = \"GET */tasks\"\nnth = 10\nfor = \"90s\"\ntasks_fail = true\naction = \"restart\""), DEPLOY);
    assert_eq!(kind(&ran), Some(Kind::DeploymentFailed));
    assert!(ran.error().contains("restarted"), "{}", ran.error());
}

/// The port of the sandbox is the one thing that chance decides.
fn without_port(line: &str) -> String {
    let mut parts = line.split("http://127.0.0.1:");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |all, part| all + part.trim_start_matches(|c: char| c.is_ascii_digit()))
}

#[test]
fn fifty_branches_share_one_poller() {
    let world = octorhai::sandbox::World::builtin_toml("fleet(50)").expect("a built-in world");
    let script = r#"
        parallel(projects(), |p| wait(deploy(p, "latest", "Test")), #{width: 50});
        get("~/sandbox/requests").filter(|r| r.path.contains("tasks?ids")).len()
    "#;
    let (once, twice) = (simulate(&world, script), simulate(&world, script));
    assert_eq!(once.error(), "");
    let polls = once.outcome.result.as_i64().expect("a number");
    assert!((1..=200).contains(&polls), "{polls} polls for a wait of two minutes");
    let lines = |ran: &InProcess| {
        ran.events.iter().map(|e| serde_json::to_string(&e.what).expect("json")).map(|l| without_port(&l)).collect::<Vec<_>>()
    };
    assert_eq!(lines(&once), lines(&twice));
    assert_eq!(once.outcome.stats.requests, twice.outcome.stats.requests);
}

#[test]
fn errors_of_several_branches_are_all_told() {
    let text = octorhai::sandbox::World::builtin_toml("fleet(5)").expect("a built-in world");
    let world = text.replace("takes = \"30s\" }", "takes = \"30s\", fails = [ { error = \"no answer\" } ] }");
    let ran = simulate(&world, r#"parallel(projects(), |p| wait(deploy(p, "latest", "Test")))"#);
    assert_eq!(ran.outcome.exit_code, 5);
    for n in 1..=5 {
        let error = &ran.outcome.failure.as_ref().expect("an error").error;
        let told = format!("{} {}", error.message(), error.hints().join(" "));
        assert!(told.contains(&format!("Project 000{n} 1.1.0 → Test failed at step")), "{n}: {told}");
    }
}
