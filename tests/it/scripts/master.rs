//! `master-project.rhai`.

use crate::{
    scripts::scene::{script, shop_with_step},
    support,
};

#[test]
fn all_goes_well() {
    let run = script("master-project").param("NotifyTo", "ops@example.com").run().exits(0);
    assert_eq!(run.made(), ["Project A 2.0.0 Test Success", "Project B 2.0.0 Test Success", "Project C 2.0.0 Test Success"]);
    let ((a, _), (b, b_ended), (c, _)) = (run.times(0), run.times(1), run.times(2));
    assert_eq!(a, b, "A and B run side by side");
    assert!(c > b_ended, "C starts after both: {c} {b_ended}");
    let mails = run.mails();
    assert_eq!(run.subjects(), ["A and B are live in Test", "The train is live in Test"]);
    assert!(mails.iter().all(|m| m.to == ["ops@example.com"]));
    let first = mails[0].text();
    for line in ["Project A", "2.0.0", "Project C", "1.1.0", "Success"] {
        assert!(first.contains(line), "{line} is missing in\n{first}");
    }
    assert!(!mails[1].text().contains("1.1.0"), "{}", mails[1].text());
}

#[test]
fn c_fails_and_the_older_a_and_b_come_back_in_reverse_order() {
    let run = script("master-project").world(support::shop_where_c_fails()).run().exits(5);
    assert_eq!(
        run.made(),
        [
            "Project A 2.0.0 Test Success",
            "Project B 2.0.0 Test Success",
            "Project C 2.0.0 Test Failed",
            "Project B 1.1.0 Test Success",
            "Project A 1.1.0 Test Success"
        ]
    );
    let ((_, b_back), (a_back, _)) = (run.times(3), run.times(4));
    assert!(a_back > b_back, "one after the other: B until {b_back}, A from {a_back}");
    assert_eq!([run.live("Project A", "Test"), run.live("Project B", "Test"), run.live("Project C", "Test")], ["1.1.0"; 3]);
    assert_eq!(run.subjects(), ["A and B are live in Test", "The train stopped in Test"]);
    let mail = run.mails()[1].text();
    for line in [
        "Failed step: Verify payments",
        "First error lines:",
        "the test payment was declined",
        "Project B is back on 1.1.0 in Test",
        "Project A is back on 1.1.0 in Test",
        "it failed itself and is left as it is",
        "http://sandbox/app#/Spaces-1/tasks/",
    ] {
        assert!(mail.contains(line), "{line} is missing in\n{mail}");
    }
    assert!(mail.find("Project B is back") < mail.find("Project A is back"));
    assert!(run.error().contains("Verify payments"), "{}", run.error());
}

#[test]
fn a_fails_while_b_runs_and_b_is_stopped_and_put_back() {
    let world = shop_with_step(
        "Project A",
        "Back up database",
        r#"{ name = "Back up database", takes = "6m", fails = [{ error = "disk full" }] }"#,
    );
    let run = script("master-project").world(world).run().exits(5);
    assert_eq!(run.made(), ["Project A 2.0.0 Test Failed", "Project B 2.0.0 Test Canceled", "Project B 1.1.0 Test Success"]);
    assert!(run.times(1).1.as_str() < "08:09:00", "B is not waited for: it ended at {}", run.times(1).1);
    assert_eq!(run.live("Project A", "Test"), "1.1.0", "A itself never became live");
    assert_eq!(run.subjects(), ["The train stopped in Test"]);
    let mail = run.mails()[0].text();
    for line in ["disk full", "Failed step: Back up database", "Project B is back on 1.1.0 in Test"] {
        assert!(mail.contains(line), "{line} is missing in\n{mail}");
    }
}

#[test]
fn a_and_b_take_too_long() {
    let world = shop_with_step("Project A", "Migrate database", r#"{ name = "Migrate database", takes = "42m" }"#);
    let run = script("master-project").world(world).run().exits(3);
    // B was done, A is cancelled in the middle; both go back, in reverse order.
    assert_eq!(
        run.made(),
        ["Project A 2.0.0 Test Canceled", "Project B 2.0.0 Test Success", "Project B 1.1.0 Test Success", "Project A 1.1.0 Test Success"]
    );
    let mail = run.mails()[0].text();
    assert!(mail.contains("Project A 2.0.0 → Test") && mail.contains("after 45m"), "{mail}");
    assert!(mail.contains("step 3 of 5 `Migrate database`"), "{mail}");
}

#[test]
fn what_has_nothing_to_go_back_to_is_listed() {
    let nothing = "live = { Production = \"1.0.0\", Test = \"1.1.0\", Development = \"2.0.0\" }";
    let world = support::shop_where_c_fails();
    // Project A alone was never in Test.
    let world = world.replacen(nothing, "live = { Development = \"2.0.0\" }", 1);
    let run = script("master-project").world(world).run().exits(5);
    assert_eq!(
        run.made(),
        ["Project A 2.0.0 Test Success", "Project B 2.0.0 Test Success", "Project C 2.0.0 Test Failed", "Project B 1.1.0 Test Success"]
    );
    assert_eq!(run.live("Project A", "Test"), "2.0.0");
    let mail = run.mails().pop().expect("a mail").text();
    assert!(mail.contains("Not undone:") && mail.contains("Project A 2.0.0 → Test (there was nothing before)"), "{mail}");
}

#[test]
fn a_mail_that_nobody_takes_is_a_warning_and_undoes_nothing() {
    let run = script("master-project").before("post(\"/sandbox/mailbox\", #{reject: [\"*\"]});\n").run().exits(0);
    assert_eq!(run.made().len(), 3);
    assert_eq!(run.live("Project C", "Test"), "2.0.0");
    assert_eq!(run.subjects(), [] as [String; 0]);
    let problems: Vec<String> = run
        .run
        .events
        .iter()
        .filter_map(|e| match &e.what {
            octorhai::event::What::Mail { subject, problem: Some(problem), .. } => Some(format!("{subject}: {problem}")),
            _ => None,
        })
        .collect();
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(problems[0].starts_with("A and B are live in Test: the mail server `sandbox` did not take the mail: 550"), "{problems:?}");
}

#[test]
fn a_mail_server_that_is_busy_is_asked_again() {
    let run = script("master-project").before("post(\"/sandbox/mailbox\", #{fail_next: 2});\n").run().exits(0);
    assert_eq!(run.subjects(), ["A and B are live in Test", "The train is live in Test"], "each once");
}

#[test]
fn a_name_that_the_server_does_not_know_stops_the_train_before_anything_is_live() {
    let world = support::shop(&[("name = \"Project B\"", "name = \"Project Q\"")]);
    let run = script("master-project").world(world).run().exits(1);
    // A was on its way when B was looked up.
    assert_eq!(run.made()[0], "Project A 2.0.0 Test Canceled");
    assert_eq!(run.live("Project A", "Test"), "1.1.0");
    assert!(run.error().contains("`Project B`"), "{}", run.error());
}
