//! Values of the script language: when they are equal, and what happens at the edge of what they can say.

use crate::support::{settings, shop, simulate};
use octorhai::{event::Recorder, run::Target, sandbox::World};
use serde_json::json;
use std::sync::Arc;

#[test]
fn secrets_are_equal_when_their_texts_are() {
    let world = World::from_toml("test", &shop(&[])).expect("a good world");
    let script = r#"[secret("A") == secret("B"), secret("A") != secret("B"), secret("A") == secret("C")]"#;
    let mut settings = settings(Target::Sandbox(world), script, Arc::new(Recorder::default()));
    settings.params = [("A", "one"), ("B", "two"), ("C", "one")].map(|(name, text)| (name.to_owned(), json!(text))).into();
    assert_eq!(octorhai::run::run(settings).result, json!([false, true, true]));
}

#[test]
fn tasks_and_deployments_are_equal_when_they_are_the_same_one() {
    let script = r#"
        let t = deploy("Project A", "latest", "Test");
        let before = task(t.id);
        wait(t);
        wait(redeploy("Project A", "Test"));
        let d = deployments(#{projects: "Project A", env: "Test", limit: 2});
        [t == before, t == task(d[0].task), d[0] == d[1], `${d[0]}` == `${d[1]}`, now() == now(), now() == now() + "1ms".duration()]
    "#;
    let ran = simulate(&shop(&[]), script);
    assert_eq!(ran.outcome.result, json!([true, false, false, true, true, false]), "{}", ran.error());
}

#[test]
fn a_duration_out_of_range_is_an_error_of_the_script() {
    for script in ["9223372036854775807.weeks", "(1e300).hours", "sleep((0.0 / 0.0).minutes)"] {
        let ran = simulate(&shop(&[]), script);
        assert_eq!((ran.outcome.exit_code, ran.error().as_str()), (1, "the duration is out of range"), "{script}");
    }
    let ran = simulate(&shop(&[]), "let longest = (-9223372036854775808).seconds; now() - longest");
    assert_eq!((ran.outcome.exit_code, ran.error().as_str()), (1, "the time is out of range"));
}

#[test]
fn a_saga_goes_on_undoing_past_a_task_that_cannot_be_looked_at() {
    let script = r#"
        saga(|s| {
            s.undo(|| print("undone"));
            let t = s.deploy("Project A", "latest", "Test");
            sleep("1h");
            let made = get("deployments").Items.filter(|d| d.TaskId == t.id)[0].Id;
            delete(`deployments/${made}`);
            throw "the ticket is missing";
        });
    "#;
    let ran = simulate(&shop(&[]), script);
    assert_eq!(ran.printed(), "undone", "{}", ran.error());
    assert_eq!(ran.error(), "the ticket is missing");
}

#[test]
fn missing_is_true_for_a_text_that_was_left_empty() {
    let ran = simulate(&shop(&[]), r#"print(missing("")); print(missing("OPS-1"));"#);
    assert_eq!(ran.printed(), "true\nfalse", "{}", ran.error());
}
