//! What stands in the boxes of a step: kinds, bindings, names, and what is said of each way to fail.
#![cfg(unix)]

use crate::support::{
    ground::Ground,
    root,
    step::{Heard, Step},
};

fn script(name: &str) -> String {
    std::fs::read_to_string(root().join("scripts").join(name)).expect("it is there")
}

/// What every failed step says, so that later steps and people can rely on it.
#[track_caller]
fn says_all(heard: &Heard, code: i32, kind: &str) {
    heard.ended(code);
    // As the next step reads it.
    let error = heard.variable("Error.Message").unwrap_or_default().replace("##{", "#{");
    assert_eq!((heard.variable("ExitCode"), heard.variable("Error.Kind")), (Some(&*code.to_string()), Some(kind)), "{}", heard.raw);
    assert!(!error.is_empty() && heard.result.as_deref() == Some(&*error), "{error:?} and {:?}", heard.result);
}

#[test]
fn box_that_is_none_of_its_kind_is_an_error_before_the_first_request() {
    let ground = Ground::new();
    for (name, parameter, text, wanted) in [
        ("promote-all.rhai", "Timeout", "45", "a duration such as 45m or 1h30m"),
        ("promote-all.rhai", "Timeout", "90", "a duration such as 45m or 1h30m"),
        ("promote-all.rhai", "At", "whenever", "a point in time such as 22:00, Sat 02:00 or in 30m"),
        ("trigger-and-wait.rhai", "Timeout", "45", "a duration such as 45m or 1h30m"),
        ("trigger-and-wait.rhai", "Version", ">=two", "a version, a range such as 1.2.* or >=2.0 <3, or latest"),
        ("requeue-self.rhai", "Window", "always", "a window such as Mon-Fri 22:00-04:00"),
        ("daily-report.rhai", "Since", "yesterday", "a duration such as 45m or 1h30m"),
        ("tenant-rings.rhai", "MaxFailures", "few", "a number"),
    ] {
        let heard = Step::new(&ground.sandbox.url, &script(name), &[(&format!("T.{parameter}"), text)]).run();
        says_all(&heard, 2, "usage");
        heard.says("error", &format!("parameter `T.{parameter}` must be {wanted}, got `{text}`"));
    }
    assert!(ground.deployed().is_empty());
    // No request at all: there is no server at this address.
    let heard = Step::new("http://127.0.0.1:1", &script("trigger-and-wait.rhai"), &[("T.Timeout", "45")]).run();
    says_all(&heard, 2, "usage");
    heard.says("error", "`T.Timeout`");
}

#[test]
fn emptied_box_of_a_kind_is_its_default() {
    let ground = Ground::new();
    let all = [("T.Project", ""), ("T.Version", " "), ("T.Timeout", "")];
    Step::new(&ground.sandbox.url, &script("trigger-and-wait.rhai"), &all).run().ended(0);
    assert_eq!(ground.deployed(), ["Project A"]);
    let all = [("T.Timeout", ""), ("T.At", ""), ("T.From", ""), ("T.To", "")];
    let heard = Step::new(&ground.sandbox.url, &script("promote-all.rhai"), &all).run();
    heard.ended(0);
}

#[test]
fn name_that_is_not_there_ends_the_step_before_anything_is_started() {
    let ground = Ground::new();
    let text = r#"
        let project = param("Project", "Project A", #{type: "project"});
        let to = param("To", ["Test"], #{type: "list of environments"});
        let tenant = param("Tenant", "", #{type: "tenant"});
        deploy("Project A", "latest", "Test");
    "#;
    for (parameter, given, near) in [
        ("Project", "Projct B", "did you mean `Project B`?"),
        ("To", "Test\nProdction", "did you mean `Production`?"),
        ("Tenant", "Acme", ""),
    ] {
        let heard = Step::new(&ground.sandbox.url, text, &[(&format!("T.{parameter}"), given)]).run();
        says_all(&heard, 2, "usage");
        let wrong = given.lines().last().expect("a line");
        heard.says("error", &format!("parameter `T.{parameter}` holds `{wrong}`")).says("error", near);
        assert!(ground.deployed().is_empty(), "{}", heard.raw);
    }
    // An id and a name in other case are names too.
    Step::new(&ground.sandbox.url, text, &[("T.Project", "project b"), ("T.To", "Environments-1\n")]).run().ended(0);
    assert_eq!(ground.deployed(), ["Project A"]);
}

#[test]
fn item_of_a_list_is_a_line() {
    let ground = Ground::new();
    let text = r#"for one in param("To", [], #{type: "list"}) { print(`<${one}>`); }"#;
    let heard = Step::new(&ground.sandbox.url, text, &[("T.To", "Smith, John\r\n\n  Ada \n")]).run();
    heard.ended(0);
    assert_eq!(heard.at("default").into_iter().filter(|line| line.starts_with('<')).collect::<Vec<_>>(), ["<Smith, John>", "<Ada>"]);
    // A bracket at its begin makes no JSON of it.
    let heard = Step::new(&ground.sandbox.url, text, &[("T.To", "[Legacy] Shop\n[\"a\", \"b\"]")]).run();
    heard.ended(0);
    let items: Vec<_> = heard.at("default").into_iter().filter(|line| line.starts_with('<')).collect();
    assert_eq!(items, ["<[Legacy] Shop>", "<[\"a\", \"b\"]>"]);
}

#[test]
fn text_that_reads_like_a_binding_is_taken_where_it_is_meant() {
    let ground = Ground::new();
    let text = r##"print(`<${param("Hash", "#{Octopus.Project.Name}")}>`); print(`<${secret("Token").reveal().len()}>`);"##;
    // The default of a box that nobody touched, and a password.
    let heard = Step::new(&ground.sandbox.url, text, &[("T.Hash", "#{Octopus.Project.Name}"), ("T.Token!", "ab#{cd}ef")]).run();
    heard.ended(0).says("default", "<#{Octopus.Project.Name}>").says("default", "<9>");
    let heard = Step::new(&ground.sandbox.url, text, &[("T.Hash", "x"), ("T.Token!", "#{My.Kye}")]).run();
    says_all(&heard, 2, "usage");
}

#[test]
fn long_message_is_shortened_and_never_missing() {
    let ground = Ground::new();
    let heard =
        Step::new(&ground.sandbox.url, "param(\"Limit\", \"1h\", #{type: \"duration\"});", &[("T.Limit", &"x".repeat(100_000))]).run();
    says_all(&heard, 2, "usage");
    assert!(heard.variable("Error.Message").is_some_and(|text| text.len() < 5_000 && text.ends_with("...")));
}

#[test]
fn binding_that_is_not_filled_in_is_an_error_wherever_it_is() {
    let ground = Ground::new();
    for (parameter, text, binding) in [
        ("Project", "#{My.Porject}", "that name"),
        ("Project", "Shop #{Typo}", "the name in `#{Typo}`"),
        ("Version", "#{Octopus.Release.CurrentForEnvironment.Number}", "that name"),
        ("Version", "1.#{Minor}.*", "the name in `#{Minor}`"),
        ("Mail.From", "#{Team}@example.com", "the name in `#{Team}`"),
        ("Server.Url", "https://#{Host}/octopus", "the name in `#{Host}`"),
    ] {
        let heard = Step::new(&ground.sandbox.url, &script("trigger-and-wait.rhai"), &[(&format!("T.{parameter}"), text)]).run();
        says_all(&heard, 2, "usage");
        heard.says("error", &format!("`T.{parameter}` holds `{text}`, and Octopus knows no variable of {binding}"));
    }
    assert!(ground.deployed().is_empty());
}

#[test]
fn each_way_to_fail_sets_the_same_variables() {
    let ground = Ground::new();
    let url = ground.sandbox.url.as_str();
    let step = |script: &str, variables: &[(&str, &str)]| Step::new(url, script, variables);
    let deploys = "deploy(\"Project A\", \"latest\", \"Test\");";
    for (heard, code, kind) in [
        // A wrong box.
        (step("param(\"N\", 1);", &[("T.N", "x")]).run(), 2, "usage"),
        // A refused login.
        (step(deploys, &[("T.Server.ApiKey", "API-WRONG")]).run(), 2, "unauthorized"),
        // No credential.
        (step(deploys, &[("T.Server.ApiKey", "")]).run(), 2, "usage"),
        // No server.
        (Step::new("http://127.0.0.1:1", deploys, &[]).run(), 10, "unreachable"),
        // No frame.
        (step(deploys, &[]).framed(b"").run(), 2, "usage"),
        // Half a frame.
        (step(deploys, &[]).framed(b"@protocol\x001\x00T.Token\x00s3cret").run(), 2, "usage"),
        // A script that cannot be read.
        (step("let a = ;", &[]).run(), 1, "script"),
        // A script that the check refuses.
        (step("wait([], #{timout: \"1h\"});", &[]).run(), 1, "script"),
        // A script that fails.
        (step("fail(\"no\");", &[]).run(), 1, "failed"),
        // A declaration that is wrong.
        (step("param(\"A\", \"45\", #{type: \"duration\"});", &[]).run(), 1, "script"),
    ] {
        says_all(&heard, code, kind);
    }
    let heard = step("1", &[]).run();
    heard.ended(0);
    assert_eq!((heard.variable("ExitCode"), heard.variable("Error.Kind"), heard.result.as_deref()), (Some("0"), None, None));
    assert!(ground.deployed().is_empty());
}

#[test]
fn secret_parameter_is_put_out_as_it_is() {
    let ground = Ground::new();
    let heard = Step::new(&ground.sandbox.url, "output_secret(\"Token\", secret(\"Token\"));", &[("T.Token!", "hunter22-long")]).run();
    heard.ended(0);
    assert_eq!(heard.variables["Token"], ("hunter22-long".to_owned(), true));
}

#[test]
fn progress_of_a_rollout_grows_by_what_is_planned() {
    let ground = Ground::new();
    let text = r#"
        rollout(["Project A", "Project B", "Project C"], |p| deploy(p, "latest", "Development"), #{width: 1, timeout: "1d"});
        in_order(#{"Project A": [], "Project B": ["Project A"]}, |p| deploy(p, "1.1.0", "Test"), #{timeout: "1d"});
    "#;
    let heard = Step::new(&ground.sandbox.url, text, &[]).run();
    heard.ended(0);
    let percents: Vec<u8> = heard.progress.iter().map(|(percent, _)| *percent).collect();
    assert_eq!(percents, [0, 33, 66, 99, 100], "{}", heard.raw);
}
