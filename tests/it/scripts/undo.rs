//! Undo, rollback and `ensure` where others deploy too: what is live and under way is compared before anything is sent.

use crate::{
    resilience::people::with_approval,
    scripts::scene::made,
    support::{
        InProcess,
        ground::{Ground, told},
        shop, simulate,
    },
};
use octorhai::sandbox::World;

/// Project A 2.0.1 is there and has been in Development.
const NEWER: &str = r#"create_release("Project A", #{version: "2.0.1"}); wait(deploy("Project A", "2.0.1", "Development"));"#;

/// Runs a script that ends well, and gives back what it printed.
#[track_caller]
fn printed(world: &str, script: &str) -> (String, InProcess) {
    let ran = simulate(world, script);
    assert_eq!(ran.error(), "", "{script}");
    (ran.printed(), ran)
}

/// What a saga around `body` says it has undone and not, and what is live in Test afterwards.
#[track_caller]
fn undone(world: &str, before: &str, body: &str, options: &str) -> (String, InProcess) {
    let script = format!(
        r#"{before}
        try {{ saga(|s| {{ {body} }}, {options}); }} catch (err) {{ print(err.undone); print(err.not_undone); }}
        print(deployed("Project A", "Test").release);"#
    );
    printed(world, &script)
}

const OURS: &str = r#"wait(s.deploy("Project A", "2.0.0", "Test"), #{timeout: "3h"});"#;

#[test]
fn foreign_deployment_that_is_live_is_left_alone_and_named() {
    let body = format!(r#"{OURS} wait(deploy("Project A", "2.0.1", "Test")); fail("x");"#);
    let (printed, _) = undone(&shop(&[]), NEWER, &body, "#{}");
    assert_eq!(
        printed,
        "[]\n[\"Project A 2.0.0 → Test (2.0.1 of sandbox is live there since 2026-03-02 09:00:11+00:00 (ServerTasks-21) and is left alone)\"]\n2.0.1"
            .replace("+00:00", " UTC")
    );
}

#[test]
fn foreign_deployment_under_way_is_left_alone_and_named() {
    for (other, told) in [
        (r#"deploy("Project A", "2.0.1", "Test");"#, "Project A 2.0.1 → Test of sandbox (ServerTasks-21, Queued since"),
        (r#"deploy("Project A", "2.0.1", "Test"); sleep("5m");"#, "Project A 2.0.1 → Test of sandbox (ServerTasks-21, Executing since"),
    ] {
        let body = format!(r#"{OURS} {other} fail("x");"#);
        let (printed, _) = undone(&shop(&[]), NEWER, &body, "#{}");
        assert!(printed.starts_with(&format!("[]\n[\"Project A 2.0.0 → Test ({told}")) && printed.contains("is left alone"), "{printed}");
    }
}

#[test]
fn scheduled_and_failed_deployments_of_others_do_not_stop_an_undo() {
    let planned = r#"deploy("Project A", "2.0.1", "Test", #{at: "in 1 day"});"#;
    let cancelled = r#"let t = deploy("Project A", "2.0.1", "Test"); sleep("1m"); t.cancel(); settle(t);"#;
    for other in [planned, cancelled] {
        let (printed, _) = undone(&shop(&[]), NEWER, &format!(r#"{OURS} {other} fail("x");"#), "#{}");
        assert_eq!(printed, "[\"Project A is back on 1.1.0 in Test\"]\n[]\n1.1.0", "{other}");
    }
}

#[test]
fn undo_goes_to_what_was_live_when_the_deployment_started() {
    // It runs when the saga asks, and goes live just before ours.
    let before = format!(r#"{NEWER} deploy("Project A", "2.0.1", "Test");"#);
    let (printed, _) = undone(&shop(&[]), &before, &format!(r#"{OURS} fail("x");"#), "#{}");
    assert_eq!(printed, "[\"Project A is back on 2.0.1 in Test\"]\n[]\n2.0.1");
}

#[test]
fn two_steps_of_a_saga_at_one_spot_are_taken_back_in_turn() {
    let body = format!(r#"{OURS} wait(s.deploy("Project A", "2.0.1", "Test")); fail("x");"#);
    let (printed, ran) = undone(&shop(&[]), NEWER, &body, "#{}");
    assert_eq!(printed, "[\"Project A is back on 2.0.0 in Test\", \"Project A is back on 1.1.0 in Test\"]\n[]\n1.1.0");
    assert_eq!(made(&ran.outcome.truth).len(), 5);
}

#[test]
fn release_that_was_live_and_is_gone_is_named_and_nothing_older_deployed() {
    let gone = r#"delete("releases/" + releases("Project A").filter(|r| r.version == "1.1.0")[0].id);"#;
    let (printed, _) = undone(&shop(&[]), "", &format!(r#"{OURS} {gone} fail("x");"#), "#{}");
    assert_eq!(
        printed,
        "[]\n[\"Project A 2.0.0 → Test (1.1.0, which was live before, is gone: retention or a person deleted it)\"]\n2.0.0"
    );
}

/// `shop` with two deployment targets.
fn with_targets() -> String {
    let targets =
        "\n[[machines]]\nname = \"web-1\"\nenvironments = [\"Test\"]\n[[machines]]\nname = \"web-2\"\nenvironments = [\"Test\"]\n";
    format!("{}{targets}", shop(&[]))
}

/// What the deployments to Test since the start were restricted to: skipped steps, targets, targets left out; how many of each.
const NARROW: &str = r#"
    for d in deployments(#{env: "Test", projects: "Project A", limit: 2}) {
        print(`${d.release} ${d.raw.SkipActions.len()} ${d.raw.SpecificMachineIds.len()} ${d.raw.ExcludedMachineIds.len()}`);
    }"#;

#[test]
fn undo_is_as_narrow_as_the_act() {
    for (options, narrow) in [
        (r#"#{machines: "web-1"}"#, "0 1 0"),
        (r#"#{exclude_machines: ["web-2"], skip_steps: "Smoke test"}"#, "1 0 1"),
        (r#"#{skip_steps: ["Smoke test", "Back up database"]}"#, "2 0 0"),
    ] {
        let script = format!(
            r#"try {{ saga(|s| {{ wait(s.deploy("Project A", "2.0.0", "Test", {options})); fail("x"); }}); }} catch (err) {{ print(err.undone); }} {NARROW}"#
        );
        let (printed, _) = printed(&with_targets(), &script);
        assert_eq!(printed, format!("[\"Project A is back on 1.1.0 in Test\"]\n1.1.0 {narrow}\n2.0.0 {narrow}"), "{options}");
    }
}

#[test]
fn undo_does_not_go_to_all_targets_where_the_only_one_is_gone() {
    let gone = r#"delete("machines/" + get("machines/all").filter(|m| m.Name == "web-1")[0].Id);"#;
    let body = format!(r#"wait(s.deploy("Project A", "2.0.0", "Test", #{{machines: "web-1"}})); {gone} fail("x");"#);
    let (printed, _) = undone(&with_targets(), "", &body, "#{}");
    assert_eq!(
        printed,
        "[]\n[\"Project A 2.0.0 → Test (it was deployed only to web-1, and Project A 1.1.0 in Test has no such deployment target: it would go to all)\"]\n2.0.0"
    );
}

#[test]
fn undo_overrides_the_freeze_that_the_act_overrode() {
    let frozen = shop(&[]) + "\n[[freezes]]\nname = \"Quarter close\"\nfrom = \"0s\"\nfor = \"8h\"\nenvironments = [\"Test\"]\n";
    let body = r#"wait(s.deploy("Project A", "2.0.0", "Test", #{override_freeze: "agreed"})); fail("x");"#;
    let (printed, _) = undone(&frozen, "", body, "#{}");
    assert_eq!(printed, "[\"Project A is back on 1.1.0 in Test\"]\n[]\n1.1.0");
}

/// The act is approved, the undo is not.
const APPROVED: &str = r#"wait(s.deploy("Project A", "2.0.0", "Test"), #{on_interrupt: |i| i.approve("ok")}); fail("x");"#;

#[test]
fn undo_that_waits_for_a_person_is_cancelled_at_its_limit_and_named_with_task_and_link() {
    let (printed, ran) = undone(&with_approval(""), "", APPROVED, r#"#{timeout: "30m"}"#);
    for part in [
        "[]\n[\"Project A 2.0.0 → Test (going back to 1.1.0, ServerTasks-20: it was not complete after 30m; it waits for a manual intervention, ",
        "`Approve`, by Release managers: Check the tide table; it was cancelled; ",
        "/app#/Spaces-1/tasks/ServerTasks-20",
    ] {
        assert!(printed.contains(part), "{part:?} is not in {printed}");
    }
    assert_eq!(made(&ran.outcome.truth), ["Project A 2.0.0 Test Success", "Project A 1.1.0 Test Canceled"]);
}

#[test]
fn undo_that_waits_for_a_person_asks_the_script() {
    let back = |options: &str| undone(&with_approval(""), "", APPROVED, options).0;
    assert_eq!(back(r#"#{on_interrupt: |i| i.approve("back")}"#), "[\"Project A is back on 1.1.0 in Test\"]\n[]\n1.1.0");
    let failed = back(r#"#{on_interrupt: "fail"}"#);
    assert!(failed.contains("waits for a person") && failed.contains("it was cancelled"), "{failed}");
    let ran = simulate(&shop(&[]), r#"saga(|s| s.deploy("Project A", "2.0.0", "Test"), #{on_interrupt: "fial"});"#);
    assert!(ran.error().starts_with("option `on_interrupt` of `saga`") && made(&ran.outcome.truth).is_empty(), "{}", ran.error());
}

#[test]
fn whatever_is_thrown_in_a_saga_says_what_was_undone() {
    let back = "Project A is back on 1.1.0 in Test";
    for (thrown, shown) in [
        (r#"throw "text";"#, "text|script|text"),
        ("throw 42;", "42|script|42"),
        (r#"throw #{message: "own", code: 7};"#, "own||own"),
        ("throw #{code: 7};", "||#{\"code\": 7}"),
        (r#"fail("no");"#, "no|failed|no"),
        ("let x = 1; x.nothing;", "|script|"),
    ] {
        let script = format!(
            r"try {{ saga(|s| {{ {OURS} {thrown} }}); }} catch (err) {{
                print(err.undone);
                print(`${{err.message}}|${{err.kind}}|${{problem(err)}}`);
            }}"
        );
        let (printed, _) = printed(&shop(&[]), &script);
        let (undone, rest) = printed.split_once('\n').expect("two lines");
        assert_eq!(undone, format!("[\"{back}\"]"), "{thrown}");
        assert!(rest.contains(&format!("Undone:\n  {back}")), "{thrown}: {rest}");
        let mut parts = shown.split('|').zip(rest.split('|'));
        assert!(parts.all(|(part, got)| got.starts_with(part)), "{thrown}: {rest}");
    }
    // At the end of a run the words are those of the script.
    let ran = simulate(&shop(&[]), &format!(r#"saga(|s| {{ {OURS} throw "text"; }});"#));
    assert_eq!((ran.outcome.exit_code, ran.error().as_str()), (1, "text"));
}

#[test]
fn rollback_names_a_release_that_is_gone_and_skips_it_when_told_to() {
    let gone = r#"wait(deploy("Project A", "2.0.0", "Test")); delete("releases/" + releases("Project A").filter(|r| r.version == "1.1.0")[0].id);"#;
    let ran = simulate(&shop(&[]), &format!(r#"{gone} rollback("Project A", "Test");"#));
    assert!(ran.error().starts_with("Project A 1.1.0, which was live in Test before 2.0.0 (since "), "{}", ran.error());
    assert_eq!(made(&ran.outcome.truth).len(), 1, "nothing was deployed");
    let skipping = format!(r#"{gone} print(wait(rollback("Project A", "Test", #{{skip_missing: true}})).release);"#);
    assert_eq!(printed(&shop(&[]), &skipping).0, "1.0.0");
    // The deployment alone was deleted: the release is there, and is what was live.
    let only = r#"wait(deploy("Project A", "2.0.0", "Test"));
        let old = deployments(#{projects: "Project A", env: "Test"}).filter(|d| d.release == "1.1.0")[0];
        delete(`deployments/${old.id}`);
        print(wait(rollback("Project A", "Test")).release);"#;
    assert_eq!(printed(&shop(&[]), only).0, "1.1.0");
}

#[test]
fn rollback_says_that_it_cannot_see_what_is_gone_without_the_event_log() {
    let views = ["Project", "Environment", "Lifecycle", "Process", "Release", "Deployment", "Task"].map(|noun| format!("\"{noun}View\""));
    let low = format!("\n[[users]]\nname = \"low\"\nkey = \"API-LOW\"\npermissions = [\"DeploymentCreate\", {}]\n", views.join(", "));
    let ground = Ground::in_world(&(shop(&[]) + low.as_str()));
    ground.write("x.rhai", r#"wait(deploy("Project A", "2.0.0", "Test")); wait(server("low").rollback("Project A", "Test"));"#);
    let hers = [("OCTOPUS_URL_LOW", ground.sandbox.url.as_str()), ("OCTOPUS_API_KEY_LOW", "API-LOW")];
    let ran = ground.run("x", "scripts/x.rhai", &[], &hers);
    told(&ran, 0, &["Project A in Test: the event log may not be read, so a release that was deleted is not noticed"]);
    assert_eq!(ground.releases(), ["Project A 2.0.0", "Project A 1.1.0"]);
}

#[test]
fn row_of_promotable_is_refused_when_its_target_has_changed_since() {
    let script = r#"
        let rows = promotable("Development", "Test").filter(|row| row.project == "Project A");
        let release = releases("Project A").filter(|r| r.version == "2.0.0")[0].id;
        let env = get("environments/all").filter(|e| e.Name == "Test")[0].Id;
        wait(server("ada").post("deployments", #{ReleaseId: release, EnvironmentId: env}).TaskId);
        try { rows[0].deploy(); } catch (err) { print(err.message); print(err.kind); }
        print(deployed("Project A", "Test").release);
        // What the run did itself is known to it.
        rows = promotable("Test", "Production").filter(|row| row.project == "Project B");
        wait(rows[0].deploy()); wait(deploy("Project B", "1.0.0", "Production")); print(wait(rows[0].deploy()).release);
    "#;
    let world = shop(&[("name = \"ada\"\n", "name = \"ada\"\nkey = \"API-ADA\"\n")]);
    let ground = Ground::in_world(&world);
    ground.write("x.rhai", &format!("{NEWER}\n{script}"));
    let hers = [("OCTOPUS_URL_ADA", ground.sandbox.url.as_str()), ("OCTOPUS_API_KEY_ADA", "API-ADA")];
    let ran = ground.run("x", "scripts/x.rhai", &[], &hers);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert!(lines[0].starts_with("Project A 2.0.1 is not promoted to Test: 2.0.0 of ada is live there since "), "{}", ran.stdout);
    assert!(lines[0].ends_with("; when the list was made it was 1.1.0"), "{}", ran.stdout);
    assert_eq!(lines[1..], ["refused", "2.0.0", "1.1.0"]);
}

#[test]
fn ensure_deploys_after_another_release_that_is_under_way() {
    for wait in ["", r#"sleep("5m");"#] {
        let script = format!(
            r#"deploy("Project A", "2.0.0", "Test"); {wait}
            let t = ensure("Project A", "1.1.0", "Test");
            print(ensure("Project A", "1.1.0", "Test").id == t.id);
            wait(t, #{{timeout: "2h"}});
            print(deployed("Project A", "Test").release);"#
        );
        let (printed, ran) = printed(&shop(&[]), &script);
        assert_eq!(printed, "true\n1.1.0");
        assert_eq!(made(&ran.outcome.truth), ["Project A 2.0.0 Test Success", "Project A 1.1.0 Test Success"]);
    }
    // Ours is on its way, but not the last one.
    let between = r#"deploy("Project A", "2.0.0", "Test"); deploy("Project A", "1.0.0", "Test");
        wait(ensure("Project A", "2.0.0", "Test"), #{timeout: "3h"});
        print(deployed("Project A", "Test").release);"#;
    assert_eq!(printed(&shop(&[]), between).0, "2.0.0");
}

#[test]
fn a_deployment_that_is_scheduled_for_later_is_not_under_way() {
    let script = r#"deploy("Project A", "2.0.0", "Test", #{at: "in 1 day"});
        print(running("Project A", "Test"));
        wait_idle("Project A", "Test");
        print(ensure("Project A", "1.1.0", "Test") == ());
        sleep("24h");
        print(running("Project A", "Test").len());"#;
    assert_eq!(printed(&shop(&[]), script).0, "[]\ntrue\n1");
}

#[test]
fn what_is_live_without_a_tenant_is_found_behind_many_deployments_for_tenants() {
    let one = "[[tenants]]\nname = \"T###\"\nprojects = { Gateway = [\"Production\"] }\n";
    let one_by_one: String = (0..110).map(|n| one.replace("###", &n.to_string())).collect();
    let names: Vec<String> = (0..110).map(|n| format!("\"T{n}\"")).collect();
    let live =
        format!("[[live]]\nproject = \"Gateway\"\nrelease = \"1.1.0\"\nenvironment = \"Production\"\ntenants = [{}]\n", names.join(", "));
    let world = format!("{}\n{one_by_one}\n{live}", World::builtin_toml("tenants").expect("a built-in world"));
    let script = r#"
        print(deployed("Gateway", "Production").release);
        require_deployed("Gateway", "1.0.0", "Production");
        saga_of("Gateway");
        fn saga_of(name) {
            try { saga(|s| { wait(s.deploy(name, "1.1.0", "Production")); fail("x"); }); } catch (err) { print(err.undone); }
        }
        wait(deploy("Gateway", "1.1.0", "Production"));
        print(wait(rollback("Gateway", "Production")).release);"#;
    let (printed, _) = printed(&world, script);
    assert_eq!(printed, "1.0.0\n[\"Gateway is back on 1.0.0 in Production\"]\n1.0.0");
}
