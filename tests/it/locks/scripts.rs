//! Locks as scripts use them: what they return, what happens when somebody is inside, and what stays behind.

use crate::support::{self, InProcess, shop, simulate};
use octorhai::error::Kind;

/// What the script returned; it must not have failed.
fn result(run: &InProcess) -> &serde_json::Value {
    assert_eq!(run.outcome.exit_code, 0, "{:?}", run.outcome.failure.as_ref().map(|failure| failure.error.message().to_owned()));
    &run.outcome.result
}

fn run(script: &str) -> InProcess {
    simulate(&shop(&[]), script)
}

#[test]
fn options_stand_before_or_after_the_closure() {
    let script = r#"
        let all = [];
        all += lock("a", || 1);
        all += lock("a", #{wait_up_to: "1m"}, || 2);
        all += lock("a", || 3, #{slots: 2});
        all += locks(["b", "a", "b"], || 4);
        all += only_one("c", || 5);
        all += [lock_info("a").held, lock_info("a").generation, lock_info("nobody's").generation];
        all
    "#;
    assert_eq!(result(&run(script)), &serde_json::json!([1, 2, 3, 4, 5, false, 4, 0]));
}

#[test]
fn inside_the_lock_is_held_and_after_it_free_also_when_the_closure_fails() {
    let script = r#"
        let all = [];
        locks(["b", "a"], || all += [lock_info("a").held, lock_info("b").held]);
        try { lock("a", || throw "no"); } catch (problem) { all += problem; }
        all += lock_info("a").held;
        all
    "#;
    assert_eq!(result(&run(script)), &serde_json::json!([true, true, "no", false]));
}

#[test]
fn branches_wait_for_each_other_and_slots_let_several_in() {
    // Three deployments of ten minutes and more, one after the other or two at a time.
    let script = |slots: u32| {
        format!(
            r#"parallel(["Project A", "Project B", "Project C"], |p| lock("x", #{{slots: {slots}, wait_up_to: "5h"}}, || wait(deploy(p, "latest", "Test"), #{{timeout: "2h"}}))); print("done");"#
        )
    };
    let most_at_once = |slots: u32| {
        let run = run(&script(slots));
        result(&run);
        let spans: Vec<(String, String)> = run.outcome.truth["deployments"]
            .as_array()
            .expect("a list")
            .iter()
            .filter(|d| d["history"] != true)
            .map(|d| (d["started"].as_str().unwrap_or_default().to_owned(), d["completed"].as_str().unwrap_or_default().to_owned()))
            .collect();
        assert_eq!(spans.len(), 3, "{spans:?}");
        spans.iter().map(|(start, _)| spans.iter().filter(|(other, end)| other <= start && start < end).count()).max()
    };
    assert_eq!(most_at_once(1), Some(1));
    assert_eq!(most_at_once(2), Some(2));
}

#[test]
fn in_a_store_the_task_of_another_server_says_nothing_of_its_holder() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = octorhai::journal::open(&folder.path().display().to_string()).expect("a store");
    // A step on another server holds it. On ours a task of that name ended long ago.
    let owner = serde_json::json!({
        "task": "ServerTasks-1", "run": "elsewhere", "nonce": "n", "process": "p", "host": "build-9", "pid": 1, "generation": 1,
        "until": "2026-03-02T09:00:00Z", "since": "2026-03-02T08:00:00Z", "lease": 3_600_000,
    });
    let record = serde_json::json!({"v": 1, "gen": 1, "state": "held", "slots": 1, "owners": [owner]});
    assert!(store.swap("lock/shop", 0, &record).expect("written"));

    let world = octorhai::sandbox::World::named_or_file("shop").expect("a built-in world");
    let events = std::sync::Arc::new(octorhai::event::Recorder::default());
    let deployed = simulate(&shop(&[]), r#"deploy("Project A", "latest", "Test")"#).outcome.truth["deployments"].clone();
    let ours = deployed.as_array().and_then(|all| all.iter().find(|d| d["history"] != true)).expect("a deployment");
    let script = r#"deploy("Project A", "latest", "Test"); sleep("1m"); lock("shop", #{on_busy: "fail"}, || 1)"#;
    let mut settings = support::settings(octorhai::run::Target::Sandbox(world), script, events);
    // We run in a step ourselves, of the deployment that the script makes.
    settings.context.deployment = ours["id"].as_str().map(str::to_owned);
    assert!(settings.context.deployment.is_some(), "{ours}");
    settings.locks = octorhai::run::LocksAt::Store(store);
    let outcome = octorhai::run::run(settings);
    let failure = outcome.failure.expect("the lock is held");
    assert_eq!(failure.error.kind(), Kind::LockBusy, "{}", failure.error.message());
    assert!(failure.error.message().contains("run `elsewhere` (ServerTasks-1) on build-9"), "{}", failure.error.message());
}

#[test]
fn a_wait_for_oneself_is_an_error_at_once() {
    let run = run(r#"lock("shop", || lock("shop", || 1))"#);
    assert_eq!(run.outcome.exit_code, Kind::LockBusy.exit_code());
    let failure = run.outcome.failure.expect("a failure");
    assert!(failure.error.message().contains("is held by this run itself"), "{}", failure.error.message());
}

#[test]
fn mistakes_are_told() {
    for (script, told) in [
        (r#"lock("a", #{wait_upto: "1m"}, || 1)"#, "`lock` has no option `wait_upto`"),
        (r#"lock("a", #{on_busy: "leave"}, || 1)"#, "must be \"wait\", \"skip\", \"fail\" or \"requeue\", not `leave`"),
        (r#"lock("a", #{slots: 0}, || 1)"#, "option `slots` is 1 to 100, not 0"),
        (r#"lock("a")"#, "`lock` needs a closure"),
        (r#"only_one("a")"#, "`only_one` needs a closure"),
        (r#"lock(" a", || 1)"#, "` a` cannot be the name of a lock"),
        (r#"remember("", 1)"#, "`` cannot be a key"),
        ("parallel([1], |x| only_one())", "it cannot stand in `parallel`"),
    ] {
        let run = run(script);
        assert_eq!(run.outcome.exit_code, 1, "{script}");
        let failure = run.outcome.failure.expect("a failure");
        assert!(failure.error.message().contains(told), "{script}: {}", failure.error.message());
    }
}

#[test]
fn what_is_remembered_is_recalled() {
    let script = r#"
        remember("k", #{a: [1, "x"], b: 2.5});
        let all = [recall("k"), recall("nothing", 5), recall("nothing")];
        remember("k", "other");
        all += recall("k");
        remember("k", ());
        all += recall("k", "gone");
        all
    "#;
    assert_eq!(result(&run(script)), &serde_json::json!([{"a": [1, "x"], "b": 2.5}, 5, null, "other", "gone"]));
}

#[test]
fn what_is_done_once_is_not_done_again_until_it_is_time() {
    let script = r#"
        let all = [];
        try { once("k", || throw "no"); } catch (problem) { all += problem; }
        all += once("k", || { all += "done"; 42 });
        all += once("k", || { all += "again"; 43 });
        sleep("2h");
        all += once("k", || 44, #{again_after: "3h"});
        sleep("2h");
        all += once("k", || 45, #{again_after: "3h"});
        all
    "#;
    assert_eq!(result(&run(script)), &serde_json::json!(["no", "done", 42, 42, 42, 45]));
}

#[test]
fn who_arrives_is_waited_for() {
    let script = r#"
        let all = parallel(["shop", "till"], |who| {
            sleep(if who == "till" { "20m" } else { "1m" });
            arrive("2.0.0", who);
            wait_arrivals("2.0.0", ["till", "shop"], #{timeout: "1h"})
        });
        all += [wait_arrivals("2.0.0", 2)];
        try { wait_arrivals("2.0.0", ["bank", "shop"], #{timeout: "5m"}); } catch (problem) { all += problem.message; }
        sleep("25h");
        try { wait_arrivals("2.0.0", 1, #{timeout: "5m"}); } catch (problem) { all += problem.kind; }
        all
    "#;
    let both = serde_json::json!(["shop", "till"]);
    let missing = "after 5m still waiting for arrivals at `2.0.0`: not here yet: bank";
    assert_eq!(result(&run(script)), &serde_json::json!([both, both, both, missing, "timeout"]));
}
