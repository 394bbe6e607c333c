//! `create_release` in projects whose steps have packages: versions are found, given, or the lack of them is told.

use crate::support::{InProcess, simulate};

fn run(script: &str) -> InProcess {
    simulate(
        r#"
[[environments]]
name = "Test"
[[packages]]
id = "Acme.Web"
versions = ["1.9.0", "1.10.0", "2.0.0"]
[[packages]]
id = "Acme.Lost"
versions = []
[[projects]]
name = "Web"
steps = [ { name = "Deploy web", package = "Acme.Web" }, { name = "Smoke test" } ]
channels = [ { name = "Stable", default = true }, { name = "One", versions = "[1.0,2.0)" } ]
[[projects]]
name = "Lost"
steps = [ { name = "Deploy", package = "Acme.Lost" } ]
"#,
        script,
    )
}

const MADE: &str = "r.raw.SelectedPackages.map(|p| `${p.ActionName} ${p.Version}`)";

#[test]
fn each_package_is_its_newest() {
    let ran = run(&format!("let r = create_release(\"Web\", #{{version: \"1.0.0\"}}); print({MADE});"));
    assert_eq!(ran.printed(), "[\"Deploy web 2.0.0\"]", "{}", ran.error());
    let told = format!("{:?}", ran.events);
    assert!(told.contains("package Acme.Web of step Deploy web is 2.0.0: the newest that channel Stable lets in"), "{told}");
}

#[test]
fn a_version_can_be_given_by_step() {
    let ran =
        run(&format!("let r = create_release(\"Web\", #{{version: \"1.0.0\", packages: #{{\"deploy web\": \"1.9.0\"}}}}); print({MADE});"));
    assert_eq!(ran.printed(), "[\"Deploy web 1.9.0\"]", "{}", ran.error());
}

#[test]
fn a_mistyped_step_is_told_with_the_nearest() {
    let ran = run("create_release(\"Web\", #{version: \"1.0.0\", packages: #{\"Deploy wep\": \"1.9.0\"}});");
    assert_eq!(ran.error(), "no step `Deploy wep` of Web needs a package version");
    let help = format!("{:?}", ran.outcome.failure.map(|f| f.error));
    assert!(help.contains("Deploy web"), "{help}");
}

#[test]
fn a_package_that_is_nowhere_is_told_before_anything_is_made() {
    let ran = run(
        "try { create_release(\"Lost\", #{version: \"1.0.0\"}); } catch (err) { print(err.kind); print(err.message); } print(releases(\"Lost\").len());",
    );
    let printed = ran.printed();
    assert!(printed.starts_with("not_found\nfeed "), "{printed} {}", ran.error());
    assert!(
        printed.contains("has no version of package `Acme.Lost` that channel Default lets in, and step `Deploy` needs one"),
        "{printed}"
    );
    assert!(printed.ends_with("\n0"), "{printed}");
}

#[test]
fn what_is_there_already_is_returned_when_asked_for() {
    let ran = run(
        "create_release(\"Web\", #{version: \"1.0.0\"}); let r = create_release(\"Web\", #{version: \"1.0.0\", ignore_existing: true}); print(r.version); print(releases(\"Web\").len());",
    );
    assert_eq!(ran.printed(), "1.0.0\n1", "{}", ran.error());
}
