//! Trouble of the surroundings is not a failure of the script: no construct swallows, counts or undoes it, and it passes where it can.

use crate::support::{self, InProcess};
use octorhai::{
    engine::thrown::{HostResult, raise},
    error::{Class, Error, Kind},
    event::What,
};

/// Every construct that does something about an error, around what meets one; none of them may print.
const CONSTRUCTS: &[(&str, &str)] = &[
    ("catch", "try { TROUBLE } catch { print(1); }"),
    ("attempt", "attempt(|| { TROUBLE });"),
    ("finally", "finally(|| { TROUBLE }, || print(1));"),
    ("retry", "retry(3, || { TROUBLE });"),
    ("saga", "saga(|s| { s.undo(|| print(1)); wait(s.deploy(\"Project A\", \"latest\", \"Test\")); TROUBLE });"),
    (
        "saga of its own verbs",
        "saga(|s| { wait(s.deploy(\"Project A\", \"latest\", \"Test\")); s.deploy(\"Project B\", \"latest\", \"Test\"); });",
    ),
    ("rollout", "rollout([1, 2], |n| { TROUBLE }, #{max_failures: 2});"),
    ("in_order", "in_order(#{a: [], b: []}, |n| { TROUBLE });"),
    ("parallel", "parallel([1, 2], |n| { if n == 2 { sleep(\"3h\"); print(1); } TROUBLE });"),
    ("settle", "settle(deploy(\"Project B\", \"latest\", \"Test\"));"),
    ("map", "[1].map(|n| { TROUBLE });"),
    ("filter", "[1].filter(|n| { TROUBLE });"),
    ("sort_by", "[2, 1].sort_by(|a, b| { TROUBLE });"),
    ("lock", "lock(\"shop\", || { TROUBLE });"),
    ("once", "once(\"shop\", || { TROUBLE });"),
    ("wait_for", "wait_for(|| { TROUBLE });"),
    ("on_timeout", "wait(deploy(\"Project A\", \"latest\", \"Test\"), #{timeout: \"1s\", on_timeout: |open| { TROUBLE }});"),
];

/// What goes wrong an hour after the start, with the kind and exit code of the end.
const TROUBLE: &[(&str, &str, Kind)] = &[
    ("in doubt", "match = \"POST */deployments\"\nfrom = \"59m\"\naction = \"status=502\"", Kind::InDoubt),
    ("away", "match = \"*\"\nfrom = \"59m\"\naction = \"status=502\"", Kind::Unreachable),
    ("a page", "match = \"GET *\"\nfrom = \"59m\"\naction = \"html\"", Kind::Unreachable),
    ("half", "match = \"GET *\"\nfrom = \"59m\"\naction = \"truncate\"", Kind::Unreachable),
    ("elsewhere", "match = \"GET *\"\nfrom = \"59m\"\naction = \"redirect\"\nurl = \"https://sso.example.com/login\"", Kind::Unreachable),
];

fn with(fault: &str, script: &str) -> InProcess {
    support::simulate(&format!("{}\n[[faults]]\n{fault}\n", support::shop(&[])), script)
}

fn notes(ran: &InProcess) -> Vec<String> {
    let text = |what: &What| if let What::Note { text, .. } = what { Some(text.clone()) } else { None };
    ran.events.iter().filter_map(|event| text(&event.what)).collect()
}

#[test]
fn no_construct_takes_trouble_for_a_failure() {
    for (construct, script) in CONSTRUCTS {
        for (trouble, fault, kind) in TROUBLE {
            // What deploys something before has done so by then.
            let act = "sleep(\"1h\"); deploy(\"Project B\", \"latest\", \"Test\");";
            let script = script.replace("TROUBLE", act).replace("s.deploy(\"Project B\"", "sleep(\"1h\"); s.deploy(\"Project B\"");
            let script = if *construct == "settle" { format!("sleep(\"1h\"); {script}") } else { script };
            let ran = with(fault, &format!("{script} print(2);"));
            let failure = ran.outcome.failure.as_ref().map(|failure| failure.error.kind());
            // A record of a lock that cannot be written is trouble as well, whatever it was about.
            assert_eq!((failure, ran.printed().as_str()), (Some(*kind), ""), "{construct}, {trouble}: {}", ran.error());
            assert_eq!(ran.outcome.exit_code, kind.exit_code(), "{construct}, {trouble}");
            let undone = ran.outcome.truth["deployments"].as_array().expect("a list").iter().filter(|d| d["release"] == "1.1.0").count();
            let before = support::simulate(&support::shop(&[]), "1").outcome.truth["deployments"]
                .as_array()
                .expect("a list")
                .iter()
                .filter(|d| d["release"] == "1.1.0")
                .count();
            assert_eq!(undone, before, "{construct}, {trouble}");
        }
    }
}

#[test]
fn every_kind_is_caught_exactly_when_it_is_a_failure() {
    for kind in Kind::ALL {
        let mut engine = rhai::Engine::new();
        engine.register_fn("meet", || -> HostResult<()> { Err(raise(Error::new(*kind, "met"))) });
        let caught = engine.eval::<i64>("try { meet(); } catch { } 1").is_ok();
        assert_eq!(caught, kind.class() == Class::Failure, "{kind}");
    }
}

#[test]
fn an_odd_answer_in_the_middle_of_the_master_project_passes() {
    let script = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/master-project.rhai")).expect("it is there");
    for action in ["html", "truncate", "redirect", "status=502", "status=404", "status=522"] {
        for nth in [1, 3, 7] {
            let ran = with(
                &format!("match = \"GET */tasks*\"\nnth = {nth}\ntimes = 2\naction = \"{action}\"\nurl = \"https://sso.example.com/\""),
                &script,
            );
            assert_eq!((ran.error().as_str(), ran.outcome.exit_code), ("", 0), "{action} {nth}");
            assert!(notes(&ran).iter().any(|note| note.contains("trying again for up to")), "{action} {nth}: {:?}", notes(&ran));
            assert!(!notes(&ran).iter().any(|note| note.contains("undo")), "{action} {nth}: {:?}", notes(&ran));
        }
    }
}

#[test]
fn every_wait_holds_on_for_its_own_limit() {
    let away = "match = \"*\"\nfrom = \"10m\"\nfor = \"30m\"\naction = \"status=502\"";
    for script in [
        "wait_for(|| deployed(\"Project A\", \"Test\").release == \"2.0.0\", #{timeout: \"6h\"});",
        "wait_deployed(\"Project A\", \"2.*\", \"Test\", #{timeout: \"6h\"});",
        "wait_idle(\"Project A\", \"Test\", #{timeout: \"6h\"});",
    ] {
        let script = format!("deploy(\"Project A\", \"2.0.0\", \"Test\", #{{at: \"08:45\"}}); {script} print(1);");
        let ran = with(away, &script);
        assert_eq!((ran.error().as_str(), ran.printed().as_str()), ("", "1"), "{script}");
    }
}

#[test]
fn nothing_is_started_after_the_limit_of_what_starts_it() {
    let deploy = "deploy(n, \"latest\", \"Test\")";
    for script in [
        format!("in_order(#{{\"Project A\": []}}, |n| {{ sleep(\"3h\"); {deploy} }}, #{{timeout: \"2h\"}});"),
        format!("in_order(#{{\"Project A\": []}}, |n| {{ sleep(\"3h\"); retry(3, || {deploy}) }}, #{{timeout: \"2h\"}});"),
        format!("in_order(#{{\"Project A\": []}}, |n| parallel([n], |n| {{ sleep(\"3h\"); {deploy} }}), #{{timeout: \"2h\"}});"),
        format!(
            "rollout([\"Project A\", \"Project B\"], |n| {{ sleep(\"3h\"); {deploy} }}, #{{timeout: \"2h\", width: 1, max_failures: 5}});"
        ),
        "rollout([\"Project A\"], |n| { sleep(\"3h\"); run_runbook(n, \"Smoke test\", \"Test\") }, #{timeout: \"2h\"});".to_owned(),
    ] {
        let ran = support::simulate(&support::shop(&[]), &script);
        assert_eq!(ran.outcome.failure.as_ref().map(|failure| failure.error.kind()), Some(Kind::Timeout), "{script}: {}", ran.error());
        assert!(ran.error().contains("reached its limit of 2h"), "{script}: {}", ran.error());
        let failure = ran.outcome.failure.expect("an error");
        assert!(
            failure.error.fact("not_started").is_some_and(|left| !left.as_array().expect("a list").is_empty())
                || script.contains("in_order"),
            "{script}"
        );
        let begun = ran.outcome.truth["deployments"].as_array().expect("a list").iter().filter(|d| d["history"] != true).count();
        assert_eq!(begun, 0, "{script}");
    }
    // An undo is no start: it must be possible after any limit.
    let script = r#"in_order(#{"Project A": []}, |n| saga(|s| { wait(s.deploy(n, "latest", "Test")); sleep("3h"); fail("no"); }), #{timeout: "2h"});"#;
    let ran = support::simulate(&support::shop(&[]), script);
    assert!(notes(&ran).iter().any(|note| note.starts_with("undone: Project A is back on")), "{:?}", notes(&ran));
}

#[test]
fn a_record_of_a_lock_that_cannot_be_read_undoes_nothing() {
    let script = r#"
        saga(|s| {
            wait(s.deploy("Project A", "latest", "Test"));
            lock("shop", || {
                let set = get("libraryvariablesets/all").filter(|s| s.Name == "octorhai-locks")[0];
                let variables = get(`variables/${set.VariableSetId}`);
                variables.Variables = variables.Variables.map(|v| { v.Value = "edited by hand"; v });
                put(`variables/${set.VariableSetId}`, variables);
                deploy("Project B", "latest", "Test");
            });
        });
    "#;
    let ran = support::simulate(&support::shop(&[]), script);
    assert_eq!(ran.outcome.failure.as_ref().map(|failure| failure.error.kind()), Some(Kind::Store), "{}", ran.error());
    assert!(!notes(&ran).iter().any(|note| note.contains("undo")), "{:?}", notes(&ran));
    let begun = ran.outcome.truth["deployments"].as_array().expect("a list").iter().filter(|d| d["history"] != true).count();
    assert_eq!(begun, 1, "A, and nothing after it");
}

#[test]
fn the_place_of_trouble_is_the_call_that_met_it() {
    for script in [
        "deploy(\"Project B\", \"latest\", \"Test\");",
        "attempt(|| {\n  1;\n  deploy(\"Project B\", \"latest\", \"Test\")\n});",
        "saga(|s| attempt(|| {\n  parallel([1], |n| {\n    deploy(\"Project B\", \"latest\", \"Test\") }) }));",
        "[1].map(|n| {\n deploy(\"Project B\", \"latest\", \"Test\") });",
    ] {
        let ran = with("match = \"POST */deployments\"\naction = \"status=502\"", script);
        let failure = ran.outcome.failure.expect("a doubt");
        let line = script.lines().position(|line| line.contains("deploy(")).expect("there is one");
        let column = script.lines().nth(line).and_then(|text| text.find("deploy(")).expect("there is one");
        assert_eq!(failure.trace.first().map(|at| (at.line, at.column)), Some((line + 1, column + 1)), "{script}: {:?}", failure.trace);
    }
}
