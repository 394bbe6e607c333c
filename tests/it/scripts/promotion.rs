//! `promote-all.rhai`.

use crate::{
    scripts::scene::{script, shop_with_step},
    support,
};

#[test]
fn everything_goes_on_side_by_side() {
    let run = script("promote-all").run().exits(0);
    assert_eq!(
        run.made(),
        ["Project A 1.1.0 Production Success", "Project B 1.1.0 Production Success", "Project C 1.1.0 Production Success"]
    );
    assert!((0..3).all(|i| run.times(i).0 == "08:00:01"));
    assert!(run.now().as_str() < "08:22:30", "{}", run.now());
    let table = run.printed();
    assert_eq!(table.matches("Success").count(), 3, "{table}");
}

#[test]
fn what_is_blocked_stays_with_a_warning() {
    let world = support::shop(&[]).replacen(
        "{ version = \"1.1.0\", notes = \"Vouchers\" }",
        "{ version = \"1.1.0\", notes = \"Vouchers\", blocked = \"wrong prices\" }",
        1,
    );
    let run = script("promote-all").world(world).run().exits(0);
    assert_eq!(run.made(), ["Project B 1.1.0 Production Success", "Project C 1.1.0 Production Success"]);
    assert_eq!(run.live("Project A", "Production"), "1.0.0");
    assert_eq!(
        run.notes().iter().filter(|n| n.contains("stays")).collect::<Vec<_>>(),
        ["Project A 1.1.0 stays in Test: its progression is blocked"]
    );
}

#[test]
fn at_a_certain_time() {
    // Monday; Saturday 02:00 in Berlin is 01:00 UTC.
    let run = script("promote-all").param("At", "Sat 02:00").zone("Europe/Berlin").run().exits(0);
    assert_eq!(run.made().len(), 3);
    assert!(run.deployments().iter().all(|d| d["created"] == "2026-03-07T01:00:00.000+00:00"), "{:#?}", run.deployments());
}

#[test]
fn what_is_live_then_counts_not_what_was_live_when_it_was_started() {
    let run = script("promote-all").param("At", "22:00").before("deploy(\"Project A\", \"2.0.0\", \"Test\");\n").run().exits(0);
    assert_eq!(run.live("Project A", "Production"), "2.0.0");
    assert_eq!(run.live("Project B", "Production"), "1.1.0");
}

#[test]
fn one_that_fails_does_not_stop_the_others() {
    let world = shop_with_step(
        "Project B",
        "Deploy web",
        r#"{ name = "Deploy web", takes = "10m", fails = [{ environment = "Production", error = "port 80 is taken" }] }"#,
    );
    let run = script("promote-all").world(world).run().exits(5);
    assert_eq!(
        run.made(),
        ["Project A 1.1.0 Production Success", "Project B 1.1.0 Production Failed", "Project C 1.1.0 Production Success"]
    );
    let table = run.printed();
    assert!(table.contains("Failed") && table.matches("Success").count() == 2, "all are listed:\n{table}");
    assert!(run.error().contains("Project B 1.1.0 → Production") && run.error().contains("port 80 is taken"), "{}", run.error());
}

#[test]
fn what_is_still_open_at_the_limit_is_a_time_out() {
    let run = script("promote-all").param("Timeout", "19m").run().exits(3);
    assert_eq!(
        run.made(),
        ["Project A 1.1.0 Production Executing", "Project B 1.1.0 Production Executing", "Project C 1.1.0 Production Success"]
    );
    assert!(run.error().contains("Project A 1.1.0 → Production") && !run.error().contains("Project C"), "{}", run.error());
}

#[test]
fn nothing_to_promote_is_no_failure() {
    let run = script("promote-all").param("From", "Production").param("To", "Test").run().exits(0);
    assert_eq!(run.made(), [] as [String; 0]);
}

#[test]
fn an_environment_with_a_slip_is_named() {
    let run = script("promote-all").param("To", "Produktion").run().exits(1);
    assert!(run.error().contains("`Produktion`"), "{}", run.error());
    assert_eq!(run.made(), [] as [String; 0]);
}
