//! Scripts that call a trigger by its webhook, on the configured server.

use crate::support::{shop, simulate};

/// `shop` with more.
fn world(more: &str) -> String {
    format!("{}\n{more}", shop(&[]))
}

const CALL: &str = r#"
    let tasks = run_trigger("Project A", "After monitoring", #{secret: "open sesame"});
    let done = settle(tasks);
    print(`${done.len()} ${done[0].state} ${done[0].runbook} ${done[0].env}`);
"#;

#[test]
fn trigger_is_called_with_its_secret_or_as_the_user_and_its_runs_are_waited_for() {
    let ran = simulate(&world(""), CALL);
    assert_eq!((ran.error().as_str(), ran.printed().as_str()), ("", "1 Success Smoke test Test"));
    let ran = simulate(&world(""), &CALL.replace("secret: \"open sesame\"", ""));
    assert_eq!((ran.error().as_str(), ran.printed().as_str()), ("", "1 Success Smoke test Test"));
}

#[test]
fn trigger_without_webhook_or_with_a_wrong_secret_is_refused_and_a_wrong_name_is_told() {
    let nightly = "[[triggers]]\nname = \"Nightly\"\nproject = \"Project A\"\ncron = \"0 0 2 * * *\"\ndeploy_to = \"Test\"\n";
    for (call, said) in [
        (
            "run_trigger(\"Project A\", \"Nightly\")",
            "the trigger `Nightly` of `Project A` has no webhook: it is a `CronExpressionSchedule`",
        ),
        ("run_trigger(\"Project A\", \"After monitorin\")", "there is no trigger `After monitorin`"),
        (
            "run_trigger(\"Project A\", \"After monitoring\", #{secret: \"barley\"})",
            "does not take this secret for the webhook of the trigger `After monitoring`",
        ),
    ] {
        let ran = simulate(&world(nightly), &format!("{call};"));
        assert!(ran.error().contains(said), "{call}: {}", ran.error());
    }
}

#[test]
fn trigger_whose_answer_is_lost_is_called_once_and_its_run_is_found() {
    let fault = "[[faults]]\nmatch = \"POST */webhook/*\"\naction = \"drop_after\"\ntimes = 1\n";
    let ran = simulate(&world(fault), &format!("{CALL}\nprint(get(\"runbookRuns\").TotalResults);"));
    assert_eq!((ran.error().as_str(), ran.printed().as_str()), ("", "1 Success Smoke test Test\n1"));
}

#[test]
fn runs_of_others_at_the_same_time_are_not_taken_for_those_of_the_trigger() {
    let script = r#"
        let mine = run_runbook("Project A", "Smoke test", "Test");
        run_trigger("Project A", "After monitoring");
    "#;
    let ran = simulate(&world(""), script);
    assert!(ran.error().ends_with("2 have begun since it was called: which are its own cannot be told"), "{}", ran.error());
    let after = simulate(&world(""), &script.replace("run_trigger", "wait(mine); run_trigger"));
    assert_eq!(after.error(), "");
}
