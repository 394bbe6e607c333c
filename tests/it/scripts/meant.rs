//! Which one a name means: never the first that fits, and a release is itself, not its version.

use crate::support::{InProcess, shop, simulate};

/// A world of three projects: `Projects-2` has the name that is the id of the second.
const NAMES: &str = r#"
[[environments]]
name = "Test"
[[environments]]
name = "Environments-1"
[[environments]]
name = "Production"
[[lifecycles]]
name = "Standard"
phases = [ { name = "All", environments = ["Test", "Environments-1", "Production"] } ]
[[groups]]
name = "Shop"
[[groups]]
name = "ProjectGroups-1"
[[tag_sets]]
name = "Ring"
tags = ["Canary"]
[[tenants]]
name = "North"
tags = ["Ring/Canary"]
projects = { Web = ["Test"] }
[[tenants]]
name = "Tenants-1"
projects = { Web = ["Test"] }
[[machines]]
name = "web-1"
environments = ["Test"]
[[machines]]
name = "Machines-1"
environments = ["Test"]
[[projects]]
name = "Projects-2"
group = "Shop"
lifecycle = "Standard"
steps = [ { name = "Go", takes = "1m" } ]
releases = [ { version = "9.0.0" } ]
[[projects]]
name = "Web"
group = "Shop"
lifecycle = "Standard"
tenanted = "both"
variables = [ { name = "Change", prompt = "Change number" }, { name = "Reason", prompt = "Why" }, { name = "Other reason", prompt = "Why" } ]
channels = [ { name = "Default" }, { name = "Hotfix" }, { name = "Channels-2" } ]
steps = [ { name = "deploy", takes = "1m" }, { name = "Deploy", takes = "9m" }, { name = "Smoke test", takes = "1m" } ]
releases = [ { version = "1.0.0+b1" }, { version = "1.0.0+b2" }, { version = "1.1.0", channel = "Hotfix" } ]
runbooks = [ { name = "Restart", steps = [ { name = "Go" } ] }, { name = "Runbooks-1", steps = [ { name = "Go" } ] } ]
"#;

fn told(ran: &InProcess) -> String {
    match &ran.outcome.failure {
        Some(failure) => format!("{}: {}", failure.error.kind(), ran.error()),
        None => ran.printed(),
    }
}

/// Every noun that is looked up by name, and what a script is told.
#[test]
fn a_text_that_means_two_things_is_ambiguous_for_every_noun() {
    let two = |noun: &str, text: &str, names: &str| format!("ambiguous: `{text}` fits 2 {noun}s: {names}");
    let prompt = "Web 1.1.0 to Test";
    let cases = [
        (r#"print(project("Projects-2").name)"#, two("project", "Projects-2", "`Projects-2` (Projects-1), `Web` (Projects-2)")),
        (r#"print(project("projects-2").name)"#, two("project", "projects-2", "`Projects-2` (Projects-1), `Web` (Projects-2)")),
        (r#"print(project("Projects-1").name)"#, "Projects-2".to_owned()),
        (r#"print(project("web").name)"#, "Web".to_owned()),
        (r#"deploy("Projects-2", "latest", "Test")"#, two("project", "Projects-2", "`Projects-2` (Projects-1), `Web` (Projects-2)")),
        // What the server gave is itself, whatever others are called.
        (
            r#"for p in projects() { print(project(p).id); } print(wait(deploy(projects()[1], "1.1.0", "Test")).title)"#,
            "Projects-1\nProjects-2\nWeb 1.1.0 → Test".to_owned(),
        ),
        (
            r#"deploy("Web", "1.1.0", "Environments-1")"#,
            two("environment", "Environments-1", "`Test` (Environments-1), `Environments-1` (Environments-2)"),
        ),
        (r#"print(dashboard(#{env: ["test", "Environments-2"]}).len())"#, "0".to_owned()),
        (
            r#"deploy("Web", "1.1.0", "Test", #{tenant: "Tenants-1"})"#,
            two("tenant", "Tenants-1", "`Tenants-1` (Tenants-2), `North` (Tenants-1)"),
        ),
        (r#"print(tenants(#{tags: "ring/canary"})[0].name)"#, "North".to_owned()),
        (
            r#"projects(#{group: "ProjectGroups-1"})"#,
            two("project group", "ProjectGroups-1", "`ProjectGroups-1` (ProjectGroups-2), `Shop` (ProjectGroups-1)"),
        ),
        (r#"print(latest("Web", #{channel: "Hotfix"}).version)"#, "1.1.0".to_owned()),
        (
            r#"latest("Web", #{channel: "Channels-2"})"#,
            "ambiguous: project `Web`: `Channels-2` fits 2 channels: `Default` (Channels-2), `Channels-2` (Channels-4)".to_owned(),
        ),
        (
            r#"run_runbook("Web", "Runbooks-1", "Test")"#,
            "ambiguous: project `Web`: `Runbooks-1` fits 2 runbooks: `Restart` (Runbooks-1), `Runbooks-1` (Runbooks-2)".to_owned(),
        ),
        (r#"print(run_runbook("Web", "restart", "Test").title)"#, "Web / Restart → Test".to_owned()),
        (
            r#"deploy("Web", "1.1.0", "Test", #{machines: "Machines-1"})"#,
            two("deployment target", "Machines-1", "`web-1` (Machines-1), `Machines-1` (Machines-2)"),
        ),
        (
            r#"print(deployments().len()); deploy("Web", "1.1.0", "Test", #{machines: "WEB-1"}); print(get("deployments").Items[0].SpecificMachineIds)"#,
            "0\n[\"Machines-1\"]".to_owned(),
        ),
        (
            r#"deploy("Web", "1.1.0", "Test", #{variables: #{Change: "1", "Change number": "2"}})"#,
            format!("script: `Change` and `Change number` name the same prompted variable of {prompt}: `Change`"),
        ),
    ];
    let mut wrong = Vec::new();
    for (script, expected) in &cases {
        let ran = simulate(NAMES, script);
        if &told(&ran) != expected {
            wrong.push(format!("{script}\n   {}\n   instead of {expected}", told(&ran)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_label_of_two_prompted_variables_is_ambiguous() {
    let ran = simulate(NAMES, r#"deploy("Web", "1.1.0", "Test", #{variables: #{Why: "x"}})"#);
    assert!(told(&ran).starts_with("ambiguous: `Why` fits 2 prompted variables: `Reason` ("), "{}", told(&ran));
    let ran = simulate(NAMES, r#"wait(deploy("Web", "1.1.0", "Test", #{variables: #{Reason: "x", "other reason": "y"}}))"#);
    assert_eq!(told(&ran), "");
}

#[test]
fn steps_that_differ_in_case_are_two() {
    let skipped = |name: &str| {
        simulate(
            NAMES,
            &format!(
                r#"let t = wait(deploy("Web", "1.1.0", "Test", #{{skip_steps: "{name}"}})); print(t.steps.map(|s| s.name + " " + s.state))"#
            ),
        )
    };
    let shown = |first: &str, second: &str| format!(r#"["deploy {first}", "Deploy {second}", "Smoke test Success"]"#);
    let ran = skipped("Deploy");
    assert_eq!(told(&ran), shown("Success", "Skipped"));
    assert_eq!(told(&skipped("deploy")), shown("Skipped", "Success"));
    let fits = "`DEPLOY` fits 2 steps: `deploy`";
    assert!(told(&skipped("DEPLOY")).starts_with(&format!("ambiguous: {fits}")), "{}", told(&skipped("DEPLOY")));
    let waited = |name: &str| simulate(NAMES, &format!(r#"print(wait_step(deploy("Web", "1.1.0", "Test"), "{name}").number)"#));
    assert_eq!([told(&waited("deploy")), told(&waited("Deploy")), told(&waited("smoke TEST"))], ["1", "2", "3"]);
    assert_eq!(told(&waited("DEPLOY")), "ambiguous: `DEPLOY` fits 2 steps: `deploy`, `Deploy`");
}

#[test]
fn releases_that_differ_in_metadata_are_two() {
    let script = r#"
        wait(deploy("Web", "1.0.0+b1", "Test"));
        wait(deploy("Web", "1.0.0+b2", "Production"));
        let d = compare("Test", "Production", #{projects: "Web"})[0];
        print(`${d.state} ${d.left} ${d.right}`);
        print(compare("Production", "Test", #{projects: "Web"})[0].state);
        print(promotable("Test", "Production").len());
        print(promotable("Test", "Production", #{older: true}).map(|p| p.release));
        print(promotable("Production", "Test").map(|p| p.release));
        print(require_deployed("Web", "1.0.0+b1", "Test"));
        print(require_deployed("Web", "1.0.0", "Test"));
        print(try_to(|| require_deployed("Web", "1.0.0+b2", "Test")));
        print(try_to(|| wait_deployed("Web", "1.0.0+b2", "Test", #{timeout: "1m"})));
        for range in ["=1.0.0+b2", "[1.0.0+b2]", "==1.0.0+B2"] { print(try_to(|| require_deployed("Web", range, "Test"))); }
        for range in ["1.0.0+b1", "=1.0.0+b1", "[ 1.0.0+b1 ]"] {
            print(`${releases("Web", #{range: range}).len()} ${release("Web", range).version} ${latest("Web", #{range: range}).version} ${require_deployed("Web", range, "Test")}`);
        }
        print(releases("Web", #{range: "1.0.*"}).len());
        print(release("Web", "=1.0.0").version);
        print(ensure("Web", "1.0.0+b1", "Test") == ());
        let t = ensure("Web", "1.0.0+b2", "Test");
        print(t.title);
        wait(t);
        print(wait_deployed("Web", "1.0.0+b2", "Test"));
        print(compare("Test", "Production", #{projects: "Web"})[0].state);
        let first = releases("Web").filter(|r| r.version == "1.0.0+b1")[0];
        print(wait(deploy("Web", first, "Test")).title);
        print(latest("Web").version);
        fn try_to(f) { try { return f.call(); } catch (e) { return e.message; } }
    "#;
    let expected = [
        "older 1.0.0+b1 1.0.0+b2",
        "newer",
        "0",
        r#"["1.0.0+b1"]"#,
        r#"["1.0.0+b2"]"#,
        "1.0.0+b1",
        "1.0.0+b1",
        "Web in Test is 1.0.0+b1, not in `1.0.0+b2`",
        "after 1m still waiting for Web `1.0.0+b2` in Test: 1.0.0+b1 is live",
        "Web in Test is 1.0.0+b1, not in `=1.0.0+b2`",
        "Web in Test is 1.0.0+b1, not in `[1.0.0+b2]`",
        "Web in Test is 1.0.0+b1, not in `==1.0.0+B2`",
        "1 1.0.0+b1 1.0.0+b1 1.0.0+b1",
        "1 1.0.0+b1 1.0.0+b1 1.0.0+b1",
        "1 1.0.0+b1 1.0.0+b1 1.0.0+b1",
        "2",
        "1.0.0+b2",
        "true",
        "Web 1.0.0+b2 → Test",
        "1.0.0+b2",
        "same",
        "Web 1.0.0+b1 → Test",
        "1.0.0+b2",
    ];
    assert_eq!(told(&simulate(NAMES, script)), expected.join("\n"));
}

#[test]
fn a_release_that_exists_in_another_channel_is_an_error() {
    let made = |options: &str| {
        told(&simulate(NAMES, &format!(r#"print(create_release("Web", #{{version: "1.1.0", ignore_existing: true{options}}}).channel)"#)))
    };
    assert_eq!(made(r#", channel: "Hotfix""#), "Hotfix");
    let other = "refused: release `1.1.0` of Web is there already, but in channel Hotfix, not in Default";
    assert_eq!(made(r#", channel: "Default""#), other);
    assert_eq!(made(""), format!("{other}, the default channel"));
    // A fault of the server is none of these.
    let broken = shop(&[]) + "\n[[faults]]\nmatch = \"GET */releases/2.0.0\"\naction = \"status=400\"\n";
    let ran = simulate(&broken, r#"create_release("Project A", #{version: "2.0.0", ignore_existing: true})"#);
    assert!(ran.error().contains("400"), "{}", told(&ran));
}

#[test]
fn packages_of_one_step_are_named_once() {
    let world =
        shop(&[("{ name = \"Deploy web\",          takes = \"10m\" }", "{ name = \"Deploy web\", takes = \"10m\", package = \"Web\" }")])
            + "\n[[packages]]\nid = \"Web\"\nversions = [\"1.0.0\", \"1.8.0\"]\n";
    let made = |packages: &str| {
        told(&simulate(
            &world,
            &format!(r#"print(create_release("Project B", #{{version: "3.0.0", packages: {packages}}}).raw.SelectedPackages[0].Version)"#),
        ))
    };
    assert_eq!(made(r#"#{"deploy WEB": "1.0.0"}"#), "1.0.0");
    assert_eq!(
        made(r#"#{"deploy web": "1.0.0", "Deploy web": "1.8.0"}"#),
        "script: `packages` names the step `Deploy web` of Project B twice"
    );
}
