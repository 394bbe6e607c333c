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

/// `shop` where Project B asks for a change number before it is deployed to Production, and only there.
fn with_a_question() -> String {
    support::shop(&[(
        "name = \"Project B\"\ndescription = \"The web site\"\n",
        "name = \"Project B\"\ndescription = \"The web site\"\nvariables = [ { name = \"Change\", prompt = \"Change number\", required = true, environments = [\"Production\"] }, { name = \"Colour\", value = \"red\", prompt = \"Colour\", required = true } ]\n",
    )])
}

#[test]
fn one_that_asks_for_a_value_does_not_stop_the_others() {
    let run = script("promote-all").world(with_a_question()).run().exits(1);
    assert_eq!(run.made(), ["Project A 1.1.0 Production Success", "Project C 1.1.0 Production Success"]);
    let refused = "Project B 1.1.0 may not be deployed to Production: the prompted variable `Change` needs a value";
    assert_eq!(run.error(), refused);
    let told = format!("Project B 1.1.0 was not promoted: {refused}");
    assert!(run.notes().contains(&told), "{:?}", run.notes());
    assert_eq!(run.printed().matches("Success").count(), 2, "{}", run.printed());
    assert!(run.now().as_str() > "08:15", "the others were waited for: {}", run.now());
}

#[test]
fn one_that_the_server_refuses_does_not_stop_the_others() {
    let refused = "\n[[faults]]\nmatch = \"POST */deployments\"\naction = \"status=400\"\nnth = 2\ntimes = 1\n";
    let run = script("promote-all").world(support::shop(&[]) + refused).run().exits(1);
    assert_eq!(run.made(), ["Project A 1.1.0 Production Success", "Project C 1.1.0 Production Success"]);
    assert!(run.notes().iter().any(|note| note.starts_with("Project B 1.1.0 was not promoted: ")), "{:?}", run.notes());
    assert_eq!(run.live("Project C", "Production"), "1.1.0");
}

#[test]
fn a_failed_deployment_counts_more_than_one_that_was_refused() {
    let world = with_a_question().replace(
        "{ name = \"Verify payments\",     takes = \"4m\" }",
        "{ name = \"Verify payments\", takes = \"4m\", fails = [ { environment = \"Production\", error = \"declined\" } ] }",
    );
    let run = script("promote-all").world(world).run().exits(5);
    assert!(run.error().contains("Project C 1.1.0 → Production") && run.error().contains("declined"), "{}", run.error());
    assert!(run.notes().iter().any(|note| note.starts_with("Project B 1.1.0 was not promoted: ")), "{:?}", run.notes());
}

#[test]
fn a_question_is_asked_where_its_variable_is_in_scope() {
    let script = r#"
        let rows = promotable("Test", "Production", #{projects: "Project B"});
        print(`${rows[0].blocked_by} ${rows[0].needs}`);
        print(rows[0]);
        let there = promotable("Development", "Test", #{projects: "Project B"})[0];
        print(`${there.blocked_by == ()} ${there.needs}`);
        print(wait(there.deploy()).state);
        print(wait(deploy("Project B", "1.1.0", "Test")).state);
        try { deploy("Project B", "1.1.0", "Test", #{variables: #{Change: "x"}}); } catch (e) { print(e.message); }
        try { deploy("Project B", "1.1.0", "Production"); } catch (e) { print(e.message.contains("Change number")); }
        try { rows[0].deploy(#{variables: #{Colour: "blue"}}); } catch (e) { print(e.message); print(e.blocked_by); }
        print(wait(rows[0].deploy(#{variables: #{"change NUMBER": "CHG-1"}})).state);
        print(promotable("Test", "Production", #{projects: "Project B", check: false}).len());
    "#;
    let ran = support::simulate(&with_a_question(), script);
    let expected = [
        "the prompted variable `Change` needs a value [\"Change\"]",
        "Project B 1.1.0: Test → Production (blocked: the prompted variable `Change` needs a value)",
        "true []",
        "Success",
        "Success",
        "Project B 1.1.0 to Test has no prompted variable `Change`",
        "true",
        "Project B 1.1.0 may not be deployed to Production: the prompted variable `Change` needs a value",
        "the prompted variable `Change` needs a value",
        "Success",
        "0",
    ];
    assert_eq!(ran.printed(), expected.join("\n"), "{}", ran.error());
}

/// Phases of which one is optional, and rows that go forth, back and past it: `blocked_by` says what the server does.
#[test]
fn what_is_blocked_is_what_the_server_refuses() {
    let world = r#"
[[environments]]
name = "Development"
[[environments]]
name = "Test"
[[environments]]
name = "Load"
[[environments]]
name = "Staging"
[[environments]]
name = "Production"
[[environments]]
name = "Elsewhere"
[[lifecycles]]
name = "Standard"
phases = [
  { name = "Build", environments = ["Development"] },
  { name = "Check", environments = ["Test"] },
  { name = "Load", environments = ["Load"], optional = true },
  { name = "Stage", environments = ["Staging"] },
  { name = "Production", environments = ["Production"] },
]
[[tenants]]
name = "North"
projects = { Both = ["Test", "Staging"] }
[[tenants]]
name = "South"
projects = { Both = ["Test"] }
[[projects]]
name = "Web"
lifecycle = "Standard"
steps = [ { name = "Go", takes = "1m" } ]
releases = [ { version = "1.0.0" }, { version = "2.0.0" }, { version = "3.0.0" } ]
[[projects]]
name = "Both"
lifecycle = "Standard"
tenanted = "both"
steps = [ { name = "Go", takes = "1m" } ]
releases = [ { version = "1.0.0" } ]
"#;
    let script = r#"
        wait(deploy("Web", "3.0.0", "Development"));
        wait(deploy("Web", "2.0.0", "Development")); wait(deploy("Web", "2.0.0", "Test"));
        for name in ["North", "South"] { wait(deploy("Both", "1.0.0", "Test", #{tenant: name})); }
        let all = ["Development", "Test", "Load", "Staging", "Production", "Elsewhere"];
        let tried = 0;
        for from in all {
            for to in all {
                if from == to { continue; }
                for row in promotable(from, to, #{older: true}) {
                    tried += 1;
                    let tenant = row.tenant;
                    let says = row.blocked_by;
                    let answer = ();
                    try { settle(deploy(row.project, row.release, to, #{tenant: tenant, at: now() + 400.days, expires: "1h"}).cancel()); }
                    catch (e) { answer = e.message; }
                    if (says == ()) != (answer == ()) { print(`${row}: the server: ${answer}`); }
                    if says != () { print(`${row.project} ${row.release} ${tenant} ${from} → ${to}: ${says}`); }
                }
            }
        }
        print(tried > 12);
    "#;
    let ran = support::simulate(world, script);
    let told = ran.printed();
    assert!(told.ends_with("true"), "{told}\n{}", ran.error());
    assert!(!told.contains("the server: "), "{told}");
    for part in [
        "Web 2.0.0  Test → Production: the lifecycle: phase `Stage` is not complete",
        "Web 2.0.0  Test → Elsewhere: the lifecycle does not lead to Elsewhere",
        "Both 1.0.0 South Test → Staging: South is not connected to Both in Staging",
    ] {
        assert!(told.contains(part), "{part} is not in:\n{told}");
    }
    assert!(
        !told.contains("Web 2.0.0  Test → Load:") && !told.contains("Web 2.0.0  Test → Development"),
        "an optional or an earlier phase is open:\n{told}"
    );
}
