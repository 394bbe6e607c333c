//! Tags: deployment targets that are chosen by theirs, and lists of what has one.

use super::option_calls::{WORLD, run};
use crate::support::simulate;
use octorhai::{
    error::Kind,
    event::{Level, What},
};

#[test]
fn target_tags_choose_the_targets_and_the_task_log_names_them() {
    let script = r#"
        let t = deploy("Web", "latest", "Live", #{target_tags: "Place/Blue"});
        print(get(`tasks/${t.id}/details`).ActivityLogs[0].LogElements.map(|l| l.MessageText));
        let u = run_runbook("Web", "Restart", "Live", #{target_tags: ["Blue", "green"], without_target_tags: "Place/Blue"});
        print(get(`tasks/${u.id}/details`).ActivityLogs[0].LogElements.map(|l| l.MessageText));
        let v = deploy("Api", "2.0.0", "Live");
        print(get(`tasks/${v.id}/details`).ActivityLogs[0].LogElements);
    "#;
    let ran = run(script);
    assert_eq!(ran.error(), "");
    let told = ran.printed();
    assert_eq!(
        told.lines().collect::<Vec<_>>(),
        ["[\"Deployment targets chosen by tags: web-1\"]", "[\"Deployment targets chosen by tags: web-2\"]", "[]"]
    );
}

#[test]
fn unknown_target_tag_is_refused_with_the_near_one_before_anything_starts() {
    let ran = run(r#"deploy("Web", "latest", "Live", #{target_tags: "Place/Bleu"})"#);
    let error = &ran.outcome.failure.as_ref().expect("no such tag").error;
    assert_eq!((error.kind(), error.message()), (Kind::NotFound, "there is no target tag `Place/Bleu`"));
    assert_eq!(error.hints(), ["did you mean `Place/Blue`?"]);
    // A tag for tenants is none for targets.
    let ran = run(r#"run_runbook("Web", "Restart", "Live", #{without_target_tags: ["Ring/Canary"]})"#);
    assert_eq!(ran.error(), "there is no target tag `Ring/Canary`");
    let made = ran.outcome.truth["runbook_runs"].as_array().map(Vec::len);
    assert_eq!(made, Some(0));
    let ran = run(r#"deploy("Web", "latest", "Live", #{target_tags: []})"#);
    assert!(ran.error().contains("the list is empty and chooses none"), "{}", ran.error());
}

#[test]
fn tags_that_leave_no_target_are_refused_or_warned_of() {
    let ran = run(r#"deploy("Web", "latest", "Live", #{target_tags: ["Green", "Place/Blue"], without_target_tags: "blue"})"#);
    assert_eq!(
        ran.error(),
        "the target tag `Place/Blue` is in `target_tags` and in `without_target_tags`: no deployment target would be left"
    );
    let warnings = |script: &str| {
        let ran = run(script);
        assert_eq!(ran.error(), "");
        let texts = ran.events.iter().filter_map(|event| match &event.what {
            What::Note { level: Level::Warning, text } => Some(text.clone()),
            _ => None,
        });
        texts.collect::<Vec<_>>()
    };
    let warned = "Web 2.0.0 to Test: no deployment target there has one of the tags Place/Blue, and steps run on none";
    assert_eq!(warnings(r#"deploy("Web", "latest", "Test", #{target_tags: "Place/Blue"})"#), [warned]);
    assert_eq!(warnings(r#"deploy("Web", "latest", "Live", #{target_tags: "Place/Blue"})"#), [] as [String; 0]);
}

#[test]
fn lists_of_projects_and_runbooks_are_filtered_by_their_tags() {
    let script = r#"
        print(projects(#{tag: "Kind/Web"}).map(|p| `${p.name} ${p.tags}`));
        print(projects(#{tag: []}).len());
        let r = runbooks("Web", #{tag: "kind/job"})[0];
        print(`${r} ${r.tags} ${r.published} ${r == "clean"}`);
        print(runbooks("Web").map(|r| r.name));
        print(run_runbook("Web", runbooks("Web", #{name: "restart"})[0], "Live").runbook);
        try { projects(#{tag: "Ring/Canary"}) } catch (e) { print(e.message); }
    "#;
    let ran = run(script);
    assert_eq!(ran.error(), "");
    let told = ran.printed();
    assert_eq!(
        told.lines().collect::<Vec<_>>(),
        [
            "[\"Web [\\\"Kind/Web\\\"]\"]",
            "0",
            "Clean [\"Kind/Job\"] false true",
            "[\"Clean\", \"Restart\"]",
            "Restart",
            "there is no project tag `Ring/Canary`"
        ]
    );
}

#[test]
fn task_that_waits_behind_one_with_priority_says_so() {
    let script = r#"
        deploy("Api", "2.0.0", "Live");
        sleep("1m");
        let t = deploy("Web", "latest", "Live");
        sleep("1m");
        deploy("Back", "2.0.0", "Live", #{priority: "on"});
        sleep("1m");
        print(t.refresh().waiting_for);
    "#;
    let ran = simulate(&WORLD.replace("task_cap = 20", "task_cap = 1"), script);
    assert_eq!(ran.error(), "");
    let told = ran.printed();
    assert!(told.contains("Deploy Back release 2.0.0 to Live (ServerTasks-") && told.contains(", in front of it by priority)"), "{told}");
    assert!(
        told.contains("queued behind Deploy Api release 2.0.0 to Live (ServerTasks-")
            && !told.contains("Api release 2.0.0 to Live (ServerTasks-1,"),
        "{told}"
    );
}

#[test]
fn priority_is_one_of_three_words_and_sent_in_the_servers_spelling() {
    let script = r#"
        for word in ["on", "off", "lifecycle default"] {
            let t = deploy("Web", "latest", "Live", #{priority: word});
            print(get(`deployments/${t.deployment}`).Priority);
        }
        try { deploy("Web", "latest", "Live", #{priority: "LifecycleDefault"}) } catch (e) { print(`${e.message} ${e.help}`); }
    "#;
    let ran = run(script);
    assert_eq!(ran.error(), "");
    let told = ran.printed();
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(lines[..3], ["On", "Off", "LifecycleDefault"]);
    assert!(lines[3].contains("\"lifecycle default\""), "{told}");
}
