//! Waiting goes on through what goes wrong: many tasks, outages, tasks that vanish, time-outs.

use crate::support::{InProcess, shop, shop_where_c_fails, simulate};
use octorhai::{
    error::Kind,
    event::{Level, What},
    sandbox::World,
};
use serde_json::Value;

fn kind(ran: &InProcess) -> Option<Kind> {
    ran.outcome.failure.as_ref().map(|f| f.error.kind())
}

/// Everything that was said about the server being away or back.
fn notes(ran: &InProcess) -> Vec<String> {
    let notes = ran.events.iter().filter_map(|e| match &e.what {
        What::Note { level: Level::Warning, text } => Some(text.clone()),
        _ => None,
    });
    notes.collect()
}

fn waits(ran: &InProcess) -> Vec<String> {
    let lines = ran.events.iter().filter_map(|e| match &e.what {
        What::Waiting { title, why, url, .. } => Some(format!("{title}: {why} {}", url.as_deref().unwrap_or_default())),
        _ => None,
    });
    lines.collect()
}

fn with_fault(fault: &str) -> String {
    format!("{}\n[[faults]]\n{fault}\n", shop(&[]))
}

/// `fleet` with so many projects, of which the last ten fail in their second step.
fn fleet(count: u32, cap: u32) -> String {
    let text = World::builtin_toml("fleet(10)").expect("a built-in world");
    let text = text.replace("copies = 10", &format!("copies = {}", count - 10)).replace("task_cap = 50", &format!("task_cap = {cap}"));
    let failing = text[text.find("[[projects]]").expect("projects")..]
        .replace("Project ####", "Weak project ##")
        .replace(&format!("copies = {}", count - 10), "copies = 10")
        .replace("takes = \"30s\" }", "takes = \"30s\", fails = [ { error = \"no answer\" } ] }");
    assert!(failing.contains("no answer"), "{failing}");
    format!("{text}\n{failing}")
}

/// Deploys a whole fleet, waits, and returns how it ended and when which requests were sent from the wait's begin on.
const WAIT_FOR_ALL: &str = r#"
    let all = projects().map(|p| deploy(p, "latest", "Test"));
    let begun = get("~/sandbox/clock").now;
    let ended = settle(all, #{timeout: "24h"});
    let sent = get("~/sandbox/requests").filter(|r| r.at > begun).map(|r| r.at);
    #{sent: sent, begun: begun,
      good: ended.filter(|t| t.succeeded).len(),
      bad: ended.filter(|t| t.state == "Failed").map(|t| t.project)}
"#;

fn busiest_minute(result: &Value) -> usize {
    let mut at: Vec<jiff::Timestamp> =
        result["sent"].as_array().expect("a list").iter().map(|t| t.as_str().expect("a time").parse().expect("a time")).collect();
    at.sort();
    let minute = jiff::SignedDuration::from_secs(60);
    (0..at.len()).map(|i| at[i..].iter().take_while(|t| t.duration_since(at[i]) < minute).count()).max().unwrap_or_default()
}

fn check_fleet(ran: &InProcess, count: usize) {
    let result = &ran.outcome.result;
    assert_eq!(ran.error(), "");
    assert_eq!(result["good"], count - 10);
    let bad: Vec<&str> = result["bad"].as_array().expect("a list").iter().filter_map(Value::as_str).collect();
    assert_eq!(bad.len(), 10);
    assert!(bad.iter().all(|name| name.starts_with("Weak project")), "{bad:?}");
    let busiest = busiest_minute(result);
    assert!((1..=60).contains(&busiest), "{busiest} requests in one minute of waiting");
}

#[test]
fn a_thousand_tasks_cost_sixty_requests_a_minute() {
    let ran = simulate(&fleet(1000, 2000), WAIT_FOR_ALL);
    check_fleet(&ran, 1000);
}

#[test]
fn hundreds_of_tasks_queue_for_hours_behind_a_cap_of_five() {
    let ran = simulate(&fleet(400, 5), WAIT_FOR_ALL);
    check_fleet(&ran, 400);
    assert!(ran.outcome.stats.seconds > 2.6 * 3600.0, "{:?}", ran.outcome.stats);
}

#[test]
fn an_unknown_task_is_an_error() {
    let ran = simulate(&shop(&[]), r#"wait(task("ServerTasks-99999"))"#);
    assert_eq!(kind(&ran), Some(Kind::NotFound));
    assert!(ran.error().contains("`ServerTasks-99999`"), "{}", ran.error());
    assert!(ran.outcome.stats.seconds < 60.0);
}

#[test]
fn a_task_that_disappears_ends_its_wait() {
    let script = r#"
        let a = deploy("Project A", "latest", "Test");
        let b = deploy("Project B", "latest", "Test");
        parallel([
            || wait([a, b]),
            || { sleep("5m"); post("~/sandbox/forget", #{task: a.id}); },
        ], |f| f.call());
    "#;
    let ran = simulate(&shop(&[]), script);
    assert_eq!(kind(&ran), Some(Kind::NotFound));
    assert!(ran.error().contains("Project A 2.0.0 → Test"), "{}", ran.error());
    assert!(ran.error().contains("gone"), "{}", ran.error());
    assert!(ran.outcome.stats.seconds < 400.0, "{:?}", ran.outcome.stats);
}

const ONE: &str = r#"print(wait(deploy("Project A", "latest", "Test")).state)"#;

/// The wait survived, and was told of the outage once, and of its end once.
fn survived(ran: &InProcess, told: &str) {
    went_on(ran, told, 1);
}

/// The wait survived, and was told once of what was wrong, and so often that the server is back.
fn went_on(ran: &InProcess, told: &str, times_back: usize) {
    assert_eq!(ran.error(), "");
    assert_eq!(ran.printed(), "Success");
    let notes = notes(ran);
    let (away, back): (Vec<&String>, Vec<&String>) = notes.iter().partition(|n| !n.contains("answers again"));
    assert_eq!((away.len(), back.len()), (1, times_back), "{notes:?}");
    assert!(away[0].contains(told), "{notes:?}");
}

#[test]
fn a_wait_survives_two_minutes_of_502() {
    let ran = simulate(&with_fault("from = \"3m\"\nfor = \"2m\"\naction = \"status=502\""), ONE);
    survived(&ran, "502");
    assert!(!notes(&ran).join("\n").contains("<html"), "{:?}", notes(&ran));
}

#[test]
fn a_wait_survives_429_and_pauses_as_told() {
    let fault = "match = \"GET */tasks?*\"\nnth = 4\ntimes = 3\naction = \"status=429\"\nretry_after = 40";
    let script = format!("{ONE}; get(\"~/sandbox/requests\").filter(|r| r.status == 429).map(|r| r.at)");
    let ran = simulate(&with_fault(&fault.replace("?*", "")), &script);
    // A server that limits requests is not away.
    went_on(&ran, "429", 0);
    let at: Vec<jiff::Timestamp> =
        ran.outcome.result.as_array().expect("a list").iter().map(|t| t.as_str().expect("text").parse().expect("a time")).collect();
    assert_eq!(at.len(), 3);
    assert!(at.windows(2).all(|w| w[1].duration_since(w[0]).as_secs() >= 40), "{at:?}");
}

#[test]
fn a_wait_survives_connections_that_are_cut() {
    survived(&simulate(&with_fault("from = \"3m\"\nfor = \"2m\"\naction = \"reset\""), ONE), "connection");
}

#[test]
fn a_wait_survives_a_restart() {
    let fault = "match = \"GET */tasks\"\nnth = 10\nfor = \"90s\"\naction = \"restart\"";
    survived(&simulate(&with_fault(fault), ONE), "connection");
}

#[test]
fn a_wait_survives_all_of_it_in_one_run() {
    let faults = "from = \"2m\"\nfor = \"2m\"\naction = \"status=502\"\n[[faults]]\nmatch = \"GET */tasks\"\nnth = 15\ntimes = 2\n\
        action = \"status=429\"\nretry_after = 30\n[[faults]]\nfrom = \"8m\"\nfor = \"30s\"\naction = \"reset\"\n[[faults]]\n\
        match = \"GET */tasks\"\nnth = 30\nfor = \"60s\"\naction = \"restart\"";
    let ran = simulate(&with_fault(faults), ONE);
    assert_eq!((ran.error().as_str(), ran.printed().as_str()), ("", "Success"));
    let notes = notes(&ran);
    for told in ["502", "429", "connection"] {
        assert!(notes.iter().any(|n| n.contains(told)), "{told}: {notes:?}");
    }
    assert!(notes.len() <= 8, "{notes:?}");
}

#[test]
fn an_outage_longer_than_the_usual_patience_ends_within_the_wait() {
    survived(&simulate(&with_fault("from = \"3m\"\nfor = \"12m\"\naction = \"status=503\""), ONE), "503");
}

#[test]
fn a_server_that_stays_dead_is_an_error_in_time() {
    let script = r#"wait(deploy("Project A", "latest", "Test"), #{timeout: "20m"})"#;
    let ran = simulate(&with_fault("from = \"3m\"\naction = \"reset\""), script);
    assert_eq!(ran.outcome.exit_code, 10);
    assert!(ran.error().contains("tried for 16m") || ran.error().contains("tried for 17m"), "{}", ran.error());
    let error = &ran.outcome.failure.as_ref().expect("an error").error;
    assert!(error.hints()[0].contains("Project A 2.0.0 → Test"), "{:?}", error.hints());
    assert!(ran.outcome.stats.seconds < 20.5 * 60.0, "{:?}", ran.outcome.stats);
}

#[test]
fn a_time_out_names_what_is_open() {
    let script = r#"
        try { wait([deploy("Project A", "latest", "Test"), deploy("Project B", "latest", "Test")], #{timeout: "5m"}) }
        catch (e) { print(e.message); print(e.kind); print(e.open_tasks.len()); }
        sleep("1h");
        print(deployed("Project A", "Test"));
    "#;
    let ran = simulate(&shop(&[]), script);
    let printed = ran.printed();
    for told in [
        "after 5m 2 tasks are still open",
        "Project A 2.0.0 → Test (ServerTasks-",
        "`Executing`, step 2 of 5 `Back up database`",
        "step 2 of 5 `Fetch images`",
        "left to go on",
        "timeout\n2\nProject A 2.0.0 in Test (Success)",
    ] {
        assert!(printed.contains(told), "{told}: {printed}");
    }
}

#[test]
fn a_time_out_can_cancel_what_is_open() {
    let script = r#"
        let t = [deploy("Project A", "latest", "Test"), deploy("Project B", "latest", "Test")];
        try { wait(t, #{timeout: "5m", on_timeout: "cancel"}) } catch (e) { print(e.message) }
        get("~/sandbox/state").deployments.filter(|d| !d.history).map(|d| d.state)
    "#;
    let ran = simulate(&shop(&[]), script);
    assert!(ran.printed().contains("cancelled 2"), "{}", ran.printed());
    assert_eq!(ran.outcome.result, serde_json::json!(["Canceled", "Canceled"]));
}

#[test]
fn a_time_out_can_be_handed_to_a_closure() {
    let script = r#"
        let t = deploy("Project A", "latest", "Test");
        wait(t, #{timeout: "5m", on_timeout: |open| { for t in open { t.cancel() }; `told ${open.len()} person` }})
    "#;
    let ran = simulate(&shop(&[]), script);
    assert_eq!(ran.outcome.exit_code, 3);
    assert!(ran.error().ends_with("told 1 person"), "{}", ran.error());
}

#[test]
fn too_long_in_the_queue_is_a_time_out_of_its_own() {
    let world = shop(&[("zone  = ", "task_cap = 1\nzone  = ")]);
    let script = r#"
        let t = [deploy("Project A", "latest", "Test"), deploy("Project B", "latest", "Test")];
        wait(t, #{queue_timeout: "10m"})
    "#;
    let ran = simulate(&world, script);
    assert_eq!(ran.outcome.exit_code, 3);
    assert!(
        ran.error().starts_with("after 10m in the queue Project B 2.0.0 → Test (ServerTasks-20) did not start; 2 tasks"),
        "{}",
        ran.error()
    );
    assert!((600.0..700.0).contains(&ran.outcome.stats.seconds), "{:?}", ran.outcome.stats);
    assert!(waits(&ran).join("\n").contains("queued behind"), "{:?}", waits(&ran));
}

#[test]
fn a_task_that_is_named_twice_is_waited_for_once() {
    let ran = simulate(
        &shop(&[]),
        r#"let t = deploy("Project A", "latest", "Test");
           wait([t, task(t.id), running("Project A", "Test")]);
           now() - t.queued < 25.minutes"#,
    );
    assert_eq!((ran.outcome.exit_code, &ran.outcome.result), (0, &Value::Bool(true)), "{}", ran.error());
}

#[test]
fn a_time_out_cancels_what_is_open_also_when_another_task_failed() {
    let script = r#"
        let t = [deploy("Project C", "2.0.0", "Test"), deploy("Project B", "latest", "Test", #{at: "in 20h"})];
        wait(t, #{timeout: "1h", on_timeout: "cancel"})
    "#;
    let ran = simulate(&shop_where_c_fails(), script);
    assert_eq!(ran.outcome.exit_code, 3, "{}", ran.error());
    assert!(ran.error().starts_with("after 1h 1 task is still open: Project B") && ran.error().ends_with("cancelled 1"), "{}", ran.error());
    let error = &ran.outcome.failure.as_ref().expect("an error").error;
    assert!(error.hints().iter().any(|h| h.contains("failed before that: Project C 2.0.0")), "{:?}", error.hints());
}

#[test]
fn what_is_only_told_does_not_end_a_wait() {
    let fault = "match = \"GET */tasks/*/details\"\naction = \"status=403\"";
    let ran = simulate(&with_fault(fault), ONE);
    assert_eq!((ran.error().as_str(), ran.printed().as_str()), ("", "Success"));
}

#[test]
fn a_slip_in_on_cancel_is_an_error() {
    let ran = simulate(&shop(&[]), r#"wait(deploy("Project A", "latest", "Test"), #{on_cancel: "cancle"})"#);
    assert_eq!(ran.error(), "option `on_cancel` of `wait` must be \"leave\" or \"cancel\", not `cancle`");
}
