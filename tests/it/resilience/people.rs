//! Waiting for people: manual interventions and guided failures in what a script deployed.

use crate::support::{InProcess, shop, simulate};
use octorhai::{error::Kind, event::What};

/// The kind of the error that ended a run.
pub fn kind(ran: &InProcess) -> Option<Kind> {
    ran.outcome.failure.as_ref().map(|f| f.error.kind())
}

/// What a run told of its waits.
pub fn waits(ran: &InProcess) -> Vec<String> {
    let lines = ran.events.iter().filter_map(|e| match &e.what {
        What::Waiting { title, why, url, .. } => Some(format!("{title}: {why} | {}", url.as_deref().unwrap_or_default())),
        _ => None,
    });
    lines.collect()
}

/// The notes that a run told.
pub fn notes(ran: &InProcess) -> Vec<&str> {
    ran.events.iter().filter_map(|e| if let What::Note { text, .. } = &e.what { Some(text.as_str()) } else { None }).collect()
}

/// `shop` where a person has to approve Project A after its first step; `more` is added to the manual step.
pub fn with_approval(more: &str) -> String {
    shop(&[(
        "{ name = \"Back up database\",    takes = \"6m\" }",
        &format!("{{ name = \"Approve\", manual = {{ instructions = \"Check the tide table\", teams = [\"Release managers\"]{more} }} }}"),
    )])
}

/// `shop` where the migration of Project A fails once and a person is asked what to do.
pub(super) fn with_guided_failure() -> String {
    shop(&[
        (
            "takes = \"8m\", log = [\"12 migrations applied\"] }",
            "takes = \"8m\", fails = [ { nth = 1, error = \"the database is locked\" } ] }",
        ),
        ("description = \"The database and its API\"", "description = \"x\"\nguided_failure = true"),
    ])
}

const ONE: &str = r#"print(wait(deploy("Project A", "latest", "Test"), #{timeout: "3h"}).state)"#;

#[test]
fn a_wait_tells_who_may_answer_and_goes_on_afterwards() {
    let ran = simulate(&with_approval(", answer = \"Proceed\", answer_after = \"40m\", answer_by = \"ada\""), ONE);
    assert_eq!((ran.error().as_str(), ran.printed().as_str()), ("", "Success"));
    let waits = waits(&ran);
    assert_eq!(waits.len(), 1, "{waits:?}");
    for told in [
        "Project A 2.0.0 → Test: waits for a manual intervention, `Approve`, by Release managers: Check the tide table",
        "/app#/Spaces-1/tasks/ServerTasks-",
    ] {
        assert!(waits[0].contains(told), "{told}: {waits:?}");
    }
    assert!(ran.outcome.stats.seconds > 50.0 * 60.0, "{:?}", ran.outcome.stats);
}

#[test]
fn another_branch_answers_like_another_person() {
    let script = r#"
        parallel([
            || wait(deploy("Project A", "latest", "Test")),
            || { sleep("10m"); for i in pending() { print(i.title); i.approve("seen") } },
        ], |f| f.call())[0].state
    "#;
    let ran = simulate(&with_approval(""), script);
    assert_eq!((ran.error().as_str(), ran.printed().as_str()), ("", "Approve"));
    assert_eq!(ran.outcome.result, "Success");
}

#[test]
fn a_rejection_is_a_failure_that_says_so() {
    let ran = simulate(&with_approval(", answer = \"Abort\", answer_after = \"5m\""), ONE);
    assert_eq!(kind(&ran), Some(Kind::DeploymentFailed));
    assert!(ran.error().contains("failed at step `Approve`"), "{}", ran.error());
}

#[test]
fn an_interruption_can_be_an_error_at_once() {
    let ran = simulate(&with_approval(""), &ONE.replace("timeout: \"3h\"", "on_interrupt: \"fail\""));
    assert_eq!(kind(&ran), Some(Kind::Failed));
    assert!(ran.error().contains("by Release managers"), "{}", ran.error());
    let error = &ran.outcome.failure.as_ref().expect("an error").error;
    assert!(error.fact("url").is_some_and(|u| u.as_str().is_some_and(|u| u.contains("/tasks/ServerTasks-"))), "{:?}", error.facts());
    assert!(ran.outcome.stats.seconds < 120.0, "{:?}", ran.outcome.stats);
}

#[test]
fn a_closure_answers_an_interruption() {
    let ran = simulate(&with_approval(""), &ONE.replace("timeout: \"3h\"", "on_interrupt: |i| i.approve(\"ok\")"));
    assert_eq!((ran.error().as_str(), ran.printed().as_str()), ("", "Success"));
}

#[test]
fn a_closure_guides_a_failure() {
    let ran = simulate(&with_guided_failure(), &ONE.replace("timeout: \"3h\"", "on_interrupt: |i| i.guide(\"retry\")"));
    assert_eq!((ran.error().as_str(), ran.printed().as_str()), ("", "Success"));
    let waits = waits(&ran);
    assert!(waits.iter().any(|w| w.contains("guidance after a failure")), "{waits:?}");
}

#[test]
fn an_answer_whose_answer_was_lost_is_given_once() {
    for action in ["drop_after", "status_after=502", "truncate"] {
        let world = format!("{}\n[[faults]]\nmatch = \"POST */submit\"\nnth = 1\naction = \"{action}\"\n", with_approval(""));
        let ran = simulate(&world, &ONE.replace("timeout: \"3h\"", "on_interrupt: |i| i.approve(\"ok\")"));
        assert_eq!((ran.error().as_str(), ran.printed().as_str()), ("", "Success"), "{action}");
    }
}

#[test]
fn an_approved_task_that_has_to_wait_for_a_slot_is_told_as_such() {
    let world = with_approval(", answer = \"Proceed\", answer_after = \"5m\"").replace("zone  = ", "task_cap = 1\nzone  = ");
    let ran = simulate(&world, r#"wait([deploy("Project A", "latest", "Test"), deploy("Project B", "latest", "Test")], #{timeout: "2h"})"#);
    assert_eq!(ran.error(), "");
    let waits = waits(&ran).join("\n");
    assert!(waits.contains("Project A 2.0.0 → Test: goes on when a slot is free, queued behind"), "{waits}");
}

/// `with_approval`, where ada has a key of her own.
fn with_ada(more: &str) -> String {
    with_approval(more).replace("name = \"ada\"\n", "name = \"ada\"\nkey = \"API-ADA\"\n")
}

/// Around the wait for a deployment of Project A.
const AROUND: [&str; 3] = ["WAIT", "saga(|s| { WAIT });", "retry(1, || { WAIT });"];

#[test]
fn wait_goes_on_when_a_person_has_answered_first() {
    for (answer, ends, told) in [
        ("Proceed", "", "Approve: ada has answered already: Proceed"),
        ("Abort", "failed at step `Approve`", "Approve: ada has answered already: Abort"),
    ] {
        for around in AROUND {
            // Her answer comes while the closure thinks.
            let world = with_ada(&format!(", answer = \"{answer}\", answer_after = \"2m\", answer_by = \"ada\""));
            let wait = r#"wait(deploy("Project A", "latest", "Test"), #{on_interrupt: |i| { sleep("10m"); i.approve("late"); }});"#;
            let ran = simulate(&world, &around.replace("WAIT", wait));
            assert!(if ends.is_empty() { ran.error().is_empty() } else { ran.error().contains(ends) }, "{around}: {}", ran.error());
            let notes = notes(&ran);
            assert!(notes.contains(&told), "{around}: {notes:?}");
        }
    }
}

#[test]
fn wait_goes_on_for_the_person_who_has_taken_responsibility() {
    for around in AROUND {
        let ground = crate::support::ground::Ground::in_world(&with_ada(""));
        let wait = r#"
            let t = deploy("Project A", "latest", "Test");
            parallel([
                || wait(t, #{timeout: "3h", on_interrupt: |i| { sleep("5m"); i.approve("mine"); }}),
                || {
                    wait_for(|| !pending().is_empty());
                    let id = pending()[0].id;
                    let hers = server("ada");
                    hers.put(`interruptions/${id}/responsible`, #{});
                    sleep("1h");
                    hers.post(`interruptions/${id}/submit`, #{Notes: "seen", Result: "Proceed"});
                },
            ], |f| f.call());
            print(t.state);"#;
        ground.write("x.rhai", &around.replace("WAIT", wait));
        let hers = [("OCTOPUS_URL_ADA", ground.sandbox.url.as_str()), ("OCTOPUS_API_KEY_ADA", "API-ADA")];
        let ran = ground.run("x", "scripts/x.rhai", &[], &hers);
        assert_eq!((ran.code, ran.stdout.as_str()), (0, "Success\n"), "{around}: {}", ran.stderr);
        let told = "Project A 2.0.0 → Test: `Approve` can be answered only by ada, who has taken responsibility";
        assert!(ran.stderr.contains(told), "{around}: {}", ran.stderr);
    }
}
