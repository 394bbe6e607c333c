//! Scripts of a project that looks at others: `cooperating-project`, `wait-for-step`, `wait-or-fail-if-running`,
//! `require-version`, `trigger-and-wait`.

use crate::{
    scripts::scene::{script, shop_with_step, with_step},
    support,
};

const LIVE: &str = "live = { Production = \"1.0.0\", Test = \"1.1.0\", Development = \"2.0.0\" }";

/// `shop` where Project A 2.0.0 is live in Test.
fn a_is_live() -> String {
    support::shop(&[]).replacen(LIVE, &LIVE.replace("1.1.0", "2.0.0"), 1)
}

#[test]
fn cooperating_deploys_a_when_it_is_not_there() {
    let run = script("cooperating-project").run().exits(0);
    assert_eq!(run.made(), ["Project A 2.0.0 Test Success"]);
    assert_eq!(run.live("Project A", "Test"), "2.0.0");
    assert!(run.notes().contains(&"A is in Test, B is past its step 3, C is idle: go on".to_owned()), "{:?}", run.notes());
}

#[test]
fn cooperating_does_not_deploy_a_again() {
    let run = script("cooperating-project").world(a_is_live()).run().exits(0);
    assert_eq!(run.made(), [] as [String; 0]);
    assert!(run.notes().contains(&"Project A 2.0.0 is live in Test already".to_owned()), "{:?}", run.notes());
    assert_eq!(run.now(), "08:00:00", "nothing to wait for");
}

#[test]
fn cooperating_takes_over_a_deployment_of_a_that_is_on_its_way() {
    let run = script("cooperating-project").before("deploy(\"Project A\", \"latest\", \"Test\");\n").run().exits(0);
    assert_eq!(run.made(), ["Project A 2.0.0 Test Success"]);
    assert!(run.now().as_str() >= "08:20:01", "{}", run.now());
}

#[test]
fn cooperating_waits_for_step_3_of_b_and_no_longer() {
    let run = script("cooperating-project").world(a_is_live()).before("deploy(\"Project B\", \"latest\", \"Test\");\n").run().exits(0);
    // Steps 1 to 3 of B take 16 minutes, all of it 22.
    assert_eq!(run.made(), ["Project B 2.0.0 Test Executing"]);
    assert!(("08:16:01".."08:16:30").contains(&run.now().as_str()), "{}", run.now());
}

#[test]
fn cooperating_stops_when_b_fails_before_its_step_3() {
    let failing = r#"{ name = "Fetch images", takes = "5m", fails = [{ error = "registry is down" }] }"#;
    let world = with_step(&a_is_live(), "Project B", "Fetch images", failing);
    let run = script("cooperating-project").world(world).before("deploy(\"Project B\", \"latest\", \"Test\");\n").run().exits(5);
    assert_eq!(run.made(), ["Project B 2.0.0 Test Failed"]);
    assert!(run.error().contains("step 3 of Project B 2.0.0 → Test") || run.error().contains("before step 3"), "{}", run.error());
    assert!(run.notes().iter().all(|n| !n.contains("go on")), "{:?}", run.notes());
}

#[test]
fn cooperating_waits_until_c_is_idle() {
    let run = script("cooperating-project").world(a_is_live()).before("deploy(\"Project C\", \"latest\", \"Test\");\n").run().exits(0);
    assert_eq!(run.made(), ["Project C 2.0.0 Test Success"]);
    assert!(("08:18:01".."08:18:30").contains(&run.now().as_str()), "{}", run.now());
}

#[test]
fn wait_for_step_when_nothing_runs() {
    let run = script("wait-for-step").run().exits(0);
    assert_eq!(
        (run.notes(), run.printed(), run.now()),
        (vec!["Project B is not running in Test".to_owned()], String::new(), "08:00:00".to_owned())
    );
}

#[test]
fn wait_for_step_waits_for_a_number() {
    let run = script("wait-for-step").before("deploy(\"Project B\", \"latest\", \"Test\");\n").run().exits(0);
    assert_eq!(run.printed(), "passed: 3 Deploy web (Success)");
    assert!(("08:16:01".."08:16:30").contains(&run.now().as_str()), "{}", run.now());
}

#[test]
fn wait_for_step_of_another_project_and_number() {
    let run =
        script("wait-for-step").param("Project", "Project C").param("Step", 2).before("deploy(\"Project C\", \"latest\", \"Test\");\n");
    let run = run.run().exits(0);
    assert_eq!(run.printed(), "passed: 2 Drain queue (Success)");
    assert!(("08:05:01".."08:05:30").contains(&run.now().as_str()), "{}", run.now());
}

#[test]
fn wait_for_step_when_the_step_fails() {
    let world =
        shop_with_step("Project B", "Deploy web", r#"{ name = "Deploy web", takes = "10m", fails = [{ error = "port 80 is taken" }] }"#);
    let run = script("wait-for-step").world(world).before("deploy(\"Project B\", \"latest\", \"Test\");\n").run().exits(5);
    assert!(
        run.error().contains("step 3 of Project B 2.0.0 → Test ended as Failed: ") && run.error().contains("port 80 is taken"),
        "{}",
        run.error()
    );
}

#[test]
fn wait_for_step_that_was_skipped_on_purpose() {
    let before = "deploy(\"Project B\", \"latest\", \"Test\", #{skip_steps: [\"Deploy web\"]});\n";
    let run = script("wait-for-step").before(before).run().exits(0);
    assert_eq!(run.printed(), "passed: 3 Deploy web (Skipped)");
}

#[test]
fn wait_for_step_has_a_limit() {
    let run = script("wait-for-step").param("Timeout", "10m").before("deploy(\"Project B\", \"latest\", \"Test\");\n").run().exits(3);
    assert_eq!(run.made(), ["Project B 2.0.0 Test Executing"], "it is left alone");
    assert_eq!(run.error(), "after 10m step 3 of Project B 2.0.0 → Test is not done; the task is `Executing`");
}

#[test]
fn wait_for_step_that_does_not_exist() {
    let run = script("wait-for-step").param("Step", 9).before("deploy(\"Project B\", \"latest\", \"Test\");\n").run().exits(1);
    assert!(run.error().contains("has no step 9"), "{}", run.error());
}

#[test]
fn wait_or_fail_waits() {
    let run = script("wait-or-fail-if-running").before("deploy(\"Project C\", \"latest\", \"Test\");\n").run().exits(0);
    assert_eq!(run.made(), ["Project C 2.0.0 Test Success"]);
    assert!(run.now().as_str() >= "08:18:01" && run.notes().contains(&"Project C is idle in Test".to_owned()));
}

#[test]
fn wait_or_fail_fails() {
    let run = script("wait-or-fail-if-running").param("WhenRunning", "fail").before("deploy(\"Project C\", \"latest\", \"Test\");\n");
    let run = run.run().exits(1);
    assert_eq!(run.now(), "08:00:00", "at once");
    assert!(run.error().starts_with("Project C is running in Test: ") && run.error().contains("Project C 2.0.0 → Test"), "{}", run.error());
    assert_eq!(run.made().len(), 1, "and what runs goes on");
    assert_ne!(run.made(), ["Project C 2.0.0 Test Canceled"]);
}

#[test]
fn wait_or_fail_goes_on_when_it_is_idle() {
    for mode in ["wait", "fail"] {
        // Elsewhere does not matter.
        let run =
            script("wait-or-fail-if-running").param("WhenRunning", mode).before("deploy(\"Project C\", \"1.1.0\", \"Production\");\n");
        let run = run.run().exits(0);
        assert_eq!((run.now().as_str(), run.notes().last().map(String::as_str)), ("08:00:00", Some("Project C is idle in Test")), "{mode}");
    }
}

#[test]
fn wait_or_fail_has_a_limit() {
    let run =
        script("wait-or-fail-if-running").param("Timeout", "5m").before("deploy(\"Project C\", \"latest\", \"Test\");\n").run().exits(3);
    assert!(run.error().starts_with("after 5m still waiting for Project C in Test to be idle: "), "{}", run.error());
}

#[test]
fn require_version_that_fits() {
    let run = script("require-version").run().exits(0);
    assert_eq!(run.printed(), "Project B 1.1.0 fits >=1.0 <3");
}

#[test]
fn require_version_that_does_not_fit() {
    let run = script("require-version").param("Range", "2.*").run().exits(1);
    assert_eq!((run.error().as_str(), run.printed().as_str()), ("Project B in Test is 1.1.0, not in `2.*`", ""));
}

#[test]
fn require_version_of_what_was_never_there() {
    let run = script("require-version").world(support::shop(&[(LIVE, "live = { Development = \"2.0.0\" }")])).run().exits(1);
    assert_eq!(run.error(), "Project B was never deployed to Test, and must be in `>=1.0 <3` there");
}

#[test]
fn require_version_does_not_count_what_is_still_on_its_way() {
    let run = script("require-version").param("Range", "2.*").before("deploy(\"Project B\", \"latest\", \"Test\");\n").run().exits(1);
    assert_eq!(run.error(), "Project B in Test is 1.1.0, not in `2.*`");
}

#[test]
fn trigger_and_wait_to_the_end() {
    let run = script("trigger-and-wait").run().exits(0);
    assert_eq!(run.made(), ["Project A 2.0.0 Test Success"]);
    assert_eq!(run.printed(), "Project A 2.0.0 → Test (ServerTasks-19, Success)");
    let run = script("trigger-and-wait").param("Project", "Project C").param("Version", "1.*").run().exits(0);
    assert_eq!(run.made(), ["Project C 1.1.0 Test Success"]);
}

#[test]
fn trigger_and_wait_for_a_failure() {
    let world =
        shop_with_step("Project A", "Deploy API", r#"{ name = "Deploy API", takes = "4m", fails = [{ error = "no route to host" }] }"#);
    let run = script("trigger-and-wait").world(world).run().exits(5);
    assert_eq!(run.made(), ["Project A 2.0.0 Test Failed"]);
    assert!(run.error().contains("Deploy API") && run.error().contains("no route to host"), "{}", run.error());
}

#[test]
fn trigger_and_wait_cancels_at_the_time_out() {
    let run = script("trigger-and-wait").param("Timeout", "10m").run().exits(3);
    assert_eq!(run.made(), ["Project A 2.0.0 Test Canceled"]);
    assert!(run.times(0).1.as_str() < "08:10:30", "{:?}", run.times(0));
    assert_eq!(run.live("Project A", "Test"), "1.1.0");
    assert!(
        run.error().starts_with(
            "after 10m 1 task is still open: Project A 2.0.0 → Test (ServerTasks-19, `Executing`, step 3 of 5 `Migrate database`)"
        ),
        "{}",
        run.error()
    );
    assert!(run.error().ends_with("; cancelled 1"), "{}", run.error());
}

#[test]
fn where_it_is_the_world_says_or_somebody_must() {
    let world = support::shop(&[("environment = \"Test\"", "")]);
    let run = script("require-version").world(&world).run().exits(2);
    assert_eq!(run.error(), "`ctx.env` is not known here");
    // Behind a virtual directory too.
    let world = support::shop(&[("key   = \"API-SANDBOX\"", "key = \"API-SANDBOX\"\nbase_path = \"/octopus\"")]);
    assert_eq!(script("require-version").world(world).run().exits(0).printed(), "Project B 1.1.0 fits >=1.0 <3");
}

#[test]
fn no_error_shows_the_address_of_this_one_run() {
    let run = support::simulate(&support::shop(&[]), "get(\"/api/nothing\")");
    assert_ne!(run.outcome.exit_code, 0);
    let all = format!("{:?}", run.events);
    assert!(all.contains("http://sandbox/api/nothing") && !all.contains("127.0.0.1"), "{all}");
}
