//! Slips that would deploy the wrong thing, or nothing, without a word.

use crate::support::{self, shop, simulate};
use octorhai::event::What;

fn tenants() -> String {
    octorhai::sandbox::World::builtin_toml("tenants").expect("a built-in world")
}

#[test]
fn a_mistyped_tag_is_an_error_with_the_right_one() {
    let ran = simulate(&tenants(), r#"tenants(#{tags: "Ring/Canry"});"#);
    assert_eq!(ran.error(), "there is no tenant tag `Ring/Canry`");
    assert!(ran.outcome.failure.expect("an error").error.hints()[0].contains("Ring/Canary"));
}

#[test]
fn an_environment_alone_does_not_choose_tenants() {
    let ran = simulate(&tenants(), r#"tenants(#{env: "Test"});"#);
    assert!(ran.error().contains("needs the option `project`"), "{}", ran.error());
}

#[test]
fn a_release_of_another_project_is_refused() {
    let ran = simulate(&shop(&[]), r#"deploy("Project A", latest("Project B"), "Test");"#);
    assert_eq!(ran.error(), "the release given is one of another project, not of Project A");
    let ran = simulate(&shop(&[]), r#"wait(deploy("Project A", latest("Project A"), "Test"));"#);
    assert_eq!(ran.outcome.exit_code, 0, "{}", ran.error());
}

#[test]
fn what_is_live_of_a_tenanted_project_needs_a_tenant() {
    let ran = simulate(&tenants(), r#"require_deployed("Store", ">=3", "Production");"#);
    assert!(ran.error().contains("deployed only for tenants"), "{}", ran.error());
    let ran = simulate(&tenants(), r#"print(require_deployed("Store", ">=3", "Production", "Hull"));"#);
    assert_eq!(ran.printed(), "3.0.0", "{}", ran.error());
}

#[test]
fn a_doubt_while_undoing_ends_the_run_and_says_what_is_left() {
    let fault = "[[faults]]\nmatch = \"POST */deployments\"\nnth = 3\ntimes = 1\naction = \"status=502\"\n";
    let script = r#"
        try {
            saga(|s| {
                s.undo(|| print("own step undone"));
                wait(s.deploy("Project A", "latest", "Test"));
                wait(s.deploy("Project B", "latest", "Test"));
                fail("the reason");
            });
        } catch (err) {
            print(`caught ${err.kind}`);
        }
    "#;
    let ran = simulate(&format!("{}\n{fault}", shop(&[])), script);
    assert_eq!((ran.outcome.exit_code, ran.printed().as_str()), (8, ""), "{}", ran.error());
    let noted =
        |what: &What| matches!(what, What::Note { text, .. } if text == "the undo was interrupted; it was under way because the reason");
    assert!(ran.events.iter().any(|event| noted(&event.what)), "{:?}", ran.events);
    let failure = ran.outcome.failure.expect("an error");
    let listed = |name: &str| failure.error.fact(name).map(ToString::to_string).unwrap_or_default();
    assert_eq!(listed("undone"), "[]");
    let left = ["Project B 2.0.0", "Project A 2.0.0", "a step of the script's own"].map(|step| listed("not_undone").find(step));
    assert!(left.is_sorted() && left[0].is_some(), "the next one first: {}", listed("not_undone"));
}

#[test]
fn retry_does_not_repeat_what_may_have_happened() {
    let fault = "[[faults]]\nmatch = \"POST */deployments\"\nnth = 1\ntimes = 1\naction = \"status=502\"\n";
    let script = r#"retry(3, || { print("try"); deploy("Project A", "latest", "Test") });"#;
    let ran = simulate(&format!("{}\n{fault}", shop(&[])), script);
    assert_eq!((ran.outcome.exit_code, ran.printed().as_str()), (8, "try"), "{}", ran.error());
    let ran = simulate(&shop(&[]), "retry(0, || 1);");
    assert!(ran.error().contains("at least one try"), "{}", ran.error());
}

#[test]
fn a_saga_keeps_what_the_script_threw_and_what_an_inner_saga_did() {
    let script = r#"
        try { saga(|s| { throw #{code: 7}; }); } catch (err) { print(err.code); }
        try {
            saga(|outer| {
                saga(|inner| { inner.undo(|| ()); fail("inner"); });
            });
        } catch (err) { print(err.undone); }
    "#;
    let ran = simulate(&shop(&[]), script);
    assert_eq!(ran.printed(), "7\n[\"a step of the script's own\"]", "{}", ran.error());
}

#[test]
fn what_cannot_start_does_not_leave_the_rest_behind() {
    let graph = r#"in_order(#{"Project A": [], "Project B": [], "Project C": ["Project B"]},
        |p| deploy(p, if p == "Project B" { "9.9.9" } else { "latest" }, "Test"));"#;
    let ran = simulate(&shop(&[]), graph);
    assert!(ran.error().contains("has no release `9.9.9`"), "{}", ran.error());
    let ended = ran.events.iter().filter(|e| matches!(&e.what, What::TaskEnded { state, .. } if state == "Success")).count();
    assert_eq!(ended, 1, "Project A was waited for");
    let rows =
        r#"print(rollout(["Project A", "Nothing", "Project B"], |p| deploy(p, "latest", "Test"), #{max_failures: 1}).map(|o| o.state));"#;
    let ran = simulate(&shop(&[]), rows);
    assert_eq!(ran.printed(), "[\"Failed\", \"Success\", \"Success\"]", "{}", ran.error());
}

#[test]
fn a_sandbox_has_the_space_that_was_asked_for() {
    let ran = support::run(&["run", "--sandbox", "--space", "Drei", "scripts/require-version.rhai"]);
    assert_ne!(ran.code, 0);
    assert!(ran.stderr.contains("Drei"), "{}", ran.stderr);
}

#[test]
fn a_world_of_a_million_copies_is_refused() {
    let world = shop(&[("name = \"Project A\"\n", "name = \"Project ####\"\ncopies = 1000000\n")]);
    let error = octorhai::sandbox::World::from_toml("big", &world).err().expect("too many");
    assert!(error.message().contains("between 1 and 100,000"), "{error}");
}

#[test]
fn who_goes_back_is_not_asked_for_prompted_variables_again() {
    let prompt = "variables = [ { name = \"Change\", prompt = \"Change number\", required = true } ]\nlive = {";
    let world = shop(&[("live = {", prompt)]);
    let script = r#"
        let first = #{variables: #{"Change": "CHG-1"}};
        let second = #{variables: #{"Change": "CHG-2"}};
        wait(deploy("Project A", "1.1.0", "Test", first));
        try {
            saga(|s| { wait(s.deploy("Project A", "2.0.0", "Test", second)); fail("no"); });
        } catch (err) { print(err.undone); }
        wait(deploy("Project A", "2.0.0", "Test", second));
        wait(rollback("Project A", "Test"));
        wait(redeploy("Project A", "Test"));
    "#;
    let ran = simulate(&world, script);
    assert_eq!(ran.outcome.exit_code, 0, "{}", ran.error());
    assert_eq!(ran.printed(), "[\"Project A is back on 1.1.0 in Test\"]");
    let made: Vec<String> = ran.outcome.truth["deployments"]
        .as_array()
        .expect("a list")
        .iter()
        .filter(|d| d["history"] != true)
        .map(|d| format!("{} {}", d["release"].as_str().unwrap_or_default(), d["values"]["Change"].as_str().unwrap_or_default()))
        .collect();
    assert_eq!(made, ["1.1.0 CHG-1", "2.0.0 CHG-2", "1.1.0 CHG-1", "2.0.0 CHG-2", "1.1.0 CHG-1", "1.1.0 CHG-1"]);
}

#[test]
fn exit_ends_a_run_well_and_with_a_code_as_failed() {
    let live = r#"print(deployed("Project A", "Test").release);"#;
    for (script, code, printed) in [
        ("fn leave() { exit(); } leave(); print(1);", 0, ""),
        ("try { exit(0); } catch { print(1); } print(2);", 0, ""),
        ("attempt(|| exit()); retry(2, || { print(1); exit(); }); print(2);", 0, ""),
        ("parallel([1, 2], |n| { if n == 2 { exit(); } print(n); sleep(\"1m\"); fail(\"no\"); });", 1, "1"),
        ("finally(|| exit(), || print(1));", 0, "1"),
        ("[1, 2].map(|n| { print(n); exit(); }); print(3);", 0, "1"),
        ("try { [1, 2].map(|n| exit()); } catch { } print(3);", 0, ""),
        ("try { finally(|| [1].map(|n| exit()), || print(1)); } catch (err) { print(2); }", 0, "1"),
        ("exit(1);", 1, ""),
        ("try { exit(3); } catch (err) { print(err.kind); }", 0, "failed"),
        ("exit(\"why\");", 1, ""),
    ] {
        let ran = simulate(&shop(&[]), script);
        assert_eq!((ran.outcome.exit_code, ran.printed().as_str()), (code, printed), "{script}: {}", ran.error());
    }
    for (end, release) in [("exit()", "2.0.0"), ("exit(1)", "1.1.0")] {
        let script = format!(r#"finally(|| saga(|s| {{ wait(s.deploy("Project A", "latest", "Test")); {end}; }}), || {{ {live} }});"#);
        let ran = simulate(&shop(&[]), &script);
        assert_eq!(ran.printed(), release, "{script}: {}", ran.error());
    }
}

#[test]
fn a_limit_is_not_caught_by_any_function() {
    for script in [
        "attempt(|| { let t = \"0123456789\"; loop { t += t; } });",
        "retry(3, || { let t = \"0123456789\"; loop { t += t; } });",
        "saga(|s| { let t = \"0123456789\"; loop { t += t; } });",
        "try { [1].map(|x| { let t = \"0123456789\"; loop { t += t; } }); } catch { }",
    ] {
        let ran = simulate(&shop(&[]), &format!("{script} print(1);"));
        assert_eq!((ran.printed().as_str(), ran.outcome.failure.as_ref().map(|f| f.error.kind().name())), ("", Some("limit")), "{script}");
        let note = |what: &What| matches!(what, What::Note { text, .. } if !text.starts_with("undoing because"));
        assert!(!ran.events.iter().any(|e| note(&e.what)), "{script}: {:?}", ran.events);
    }
}

#[test]
fn a_mistake_in_a_closure_is_shown_where_it_is() {
    for script in [
        r#"rollout(["Test"], |env| deploy("Project A", "latest", env).stat);"#,
        r#"in_order(#{"Project A": []}, |name| deploy(name, "latest", "Test").stat);"#,
        r#"let r = attempt(|| deploy("Project A", "latest", "Test").stat); throw r.error;"#,
        r#"lock("shop", #{wait_up_to: "1m"}, || deploy("Project A", "latest", "Test").stat);"#,
        r#"saga(|s| s.deploy("Project A", "latest", "Test").stat);"#,
        r#"try { deploy("Project A", "latest", "Test").stat } catch (err) { print(1); throw err; }"#,
        r#"fn state(t) { t.stat } try { state(deploy("Project A", "latest", "Test")) } catch (err) { throw err; }"#,
    ] {
        let failure = simulate(&shop(&[]), script).outcome.failure.expect("an error");
        let place = &failure.trace[0];
        assert_eq!(script[place.column - 1..].split(|c: char| !c.is_alphanumeric()).next(), Some("stat"), "{script}: {place:?}");
        assert!(failure.error.message().contains("a Task has no property `stat`"), "{script}: {}", failure.error);
        assert!(failure.error.hints().iter().any(|hint| hint == "did you mean `state`?"), "{script}: {:?}", failure.error.hints());
    }
}

#[test]
fn a_deployment_freeze_blocks_what_is_promotable() {
    let script = r#"
        wait(deploy("Project A", "latest", "Test"));
        for row in promotable("Test", "Production", #{projects: "Project A"}) { print(`${row}`); }
        for row in promotable("Test", "Production", #{projects: "Project A", check: false}) { print(row.blocked_by == ()); }
    "#;
    let freeze =
        "[[freezes]]\nname = \"Month end\"\nfrom = \"0s\"\nfor = \"8h\"\nprojects = [\"Project A\"]\nenvironments = [\"Production\"]\n";
    let ran = simulate(&format!("{}\n{freeze}", shop(&[])), script);
    assert!(ran.printed().contains("blocked: deployment freeze `Month end` until 2026-03-02 16:00"), "{}{}", ran.printed(), ran.error());
    assert!(ran.printed().ends_with("true"), "{}", ran.printed());
}
