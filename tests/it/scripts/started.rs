//! What a block of the script starts and does not wait for: waited for at the end of the block, whose failure it is.

use crate::{
    scripts::scene::made,
    support::{InProcess, shop, shop_where_c_fails, simulate},
};
use octorhai::event::What;

fn notes(ran: &InProcess) -> String {
    let notes = ran.events.iter().filter_map(|event| match &event.what {
        What::Note { text, .. } => Some(text.as_str()),
        _ => None,
    });
    notes.collect::<Vec<_>>().join("\n")
}

/// Every function with a block, around `DO`.
const BLOCKS: [(&str, &str); 6] = [
    ("lock", r#"lock("l", || DO)"#),
    ("locks", r#"locks(["l", "m"], || DO)"#),
    ("only_one", r#"only_one("l", || DO)"#),
    ("once", r#"once("k", || DO)"#),
    ("retry", "retry(1, || DO)"),
    ("saga", "saga(|s| DO)"),
];

#[test]
fn block_ends_when_what_it_started_has_ended() {
    for (function, block) in BLOCKS {
        let script = format!("{};", block.replace("DO", r#"{ deploy("Project A", "latest", "Test"); 7 }"#));
        let ran = simulate(&shop(&[]), &script);
        assert_eq!((ran.error().as_str(), made(&ran.outcome.truth)), ("", vec!["Project A 2.0.0 Test Success".to_owned()]), "{function}");
        let told = format!("`{function}` waits for what was started in it: Project A 2.0.0 → Test (ServerTasks-19)");
        assert!(notes(&ran).contains(&told), "{function}: {}", notes(&ran));
    }
}

#[test]
fn failure_of_what_a_block_started_is_the_failure_of_the_block() {
    for (function, block) in BLOCKS {
        let script = block.replace("DO", r#"deploy("Project C", "2.0.0", "Test")"#) + ";";
        let ran = simulate(&shop_where_c_fails(), &script);
        assert!(ran.error().contains("the test payment was declined"), "{function}: {}", ran.error());
        assert_eq!(ran.outcome.exit_code, 5, "{function}");
    }
    // It is retried, and undone.
    let twice = simulate(&shop_where_c_fails(), r#"retry(2, || deploy("Project C", "2.0.0", "Test"));"#);
    assert_eq!(made(&twice.outcome.truth), ["Project C 2.0.0 Test Failed"; 2]);
    let saga = r#"try { saga(|s| { s.deploy("Project A", "2.0.0", "Test"); s.deploy("Project C", "2.0.0", "Test") }); }
        catch (err) { print(err.undone); }"#;
    assert_eq!(simulate(&shop_where_c_fails(), saga).printed(), "[\"Project A is back on 1.1.0 in Test\"]");
}

#[test]
fn lock_is_given_back_only_when_what_was_started_under_it_has_ended() {
    let script = r#"
        parallel([
            || { lock("l", || deploy("Project A", "latest", "Test")); },
            || { sleep("1s"); lock("l", || print(running("Project A", "Test"))); },
            // Also when the closure fails.
            || { sleep("2h"); attempt(|| lock("l", || { deploy("Project B", "latest", "Test"); fail("no"); })); },
            || { sleep("2h"); sleep("1s"); lock("l", || print(running("Project B", "Test"))); },
        ], |f| f.call());"#;
    let ran = simulate(&shop(&[]), script);
    assert_eq!((ran.error().as_str(), ran.printed().as_str()), ("", "[]\n[]"));
}

#[test]
fn script_that_runs_only_once_ends_when_what_it_started_has_ended() {
    let ran = simulate(&shop(&[]), r#"only_one(); deploy("Project A", "latest", "Test"); 7"#);
    assert_eq!((ran.error().as_str(), made(&ran.outcome.truth)), ("", vec!["Project A 2.0.0 Test Success".to_owned()]));
    assert_eq!(ran.outcome.result, 7);
    let failed = simulate(&shop_where_c_fails(), r#"only_one(); deploy("Project C", "2.0.0", "Test");"#);
    assert_eq!((failed.outcome.exit_code, failed.error().contains("the test payment was declined")), (5, true), "{}", failed.error());
    // Nothing is locked: it goes on after the script, as before.
    let free = simulate(&shop(&[]), r#"deploy("Project A", "latest", "Test");"#);
    assert_eq!(made(&free.outcome.truth), ["Project A 2.0.0 Test Queued"]);
}

#[test]
fn branches_wait_only_for_what_they_started_themselves() {
    let script = r#"
        parallel([
            || { deploy("Project A", "latest", "Test", #{comment: "long"}); sleep("10m"); },
            || { sleep("1m"); lock("l", || { let t = deploy("Project C", "latest", "Development"); t.cancel(); settle(t); }); print("free"); },
        ], |f| f.call());
        lock("m", || parallel(["Project B"], |p| { deploy(p, "latest", "Test"); }));
        print(running("Project B", "Test"));"#;
    let ran = simulate(&shop(&[]), script);
    assert_eq!((ran.error().as_str(), ran.printed().as_str()), ("", "free\n[]"));
    assert!(!notes(&ran).contains("`lock` waits for what was started in it: Project A"), "{}", notes(&ran));
}

#[test]
fn what_is_scheduled_for_later_is_not_waited_for_nor_what_the_script_ends_itself() {
    for script in [
        r#"lock("l", || deploy("Project A", "latest", "Test", #{at: "in 1 day"}));"#,
        r#"lock("l", || { deploy("Project A", "latest", "Test"); exit(); });"#,
    ] {
        let ran = simulate(&shop(&[]), script);
        assert_eq!((ran.error().as_str(), made(&ran.outcome.truth)), ("", vec!["Project A 2.0.0 Test Queued".to_owned()]), "{script}");
    }
}

#[test]
fn block_that_waits_too_long_says_how_to_wait_longer() {
    let long = shop(&[("{ name = \"Migrate database\",    takes = \"8m\"", "{ name = \"Migrate database\",    takes = \"80m\"")]);
    let ran = simulate(&long, r#"lock("l", || deploy("Project A", "latest", "Test"));"#);
    let error = ran.outcome.failure.expect("an error").error;
    assert!(error.message().starts_with("after 30m 1 task is still open: Project A 2.0.0 → Test"), "{}", error.message());
    assert_eq!(error.hints(), ["wait for it in the closure with a longer limit: `wait(task, #{timeout: \"2h\"})`"]);
}
