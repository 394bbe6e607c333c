//! Another space or server is meant for the length of one call, in branches too.

use crate::support::{shop, simulate};

const TWO_SPACES: &str = "spaces = [{ name = \"Default\" }, { name = \"Ops\" }]\n";

#[test]
fn server_default_and_space_by_name_are_the_same_place() {
    let script = r#"
        print(server("default").latest("Project A").version);
        print(space("Default").latest("Project A").version);
        print(space("default").parallel(["Project A", "Project B"], |p| latest(p).version));
    "#;
    let ran = simulate(&shop(&[]), script);
    assert_eq!(ran.printed(), "2.0.0\n2.0.0\n[\"2.0.0\", \"2.0.0\"]", "{}", ran.error());
}

#[test]
fn in_another_space_projects_of_this_one_are_unknown_in_branches_too() {
    let world = format!("{TWO_SPACES}{}", shop(&[]));
    for script in [r#"space("Ops").latest("Project A");"#, r#"space("Ops").parallel(["Project A"], |p| latest(p));"#] {
        let ran = simulate(&world, script);
        assert_eq!(ran.outcome.exit_code, 1, "{script}");
        assert!(ran.error().contains("there is no project `Project A`"), "{script}: {}", ran.error());
    }
}

#[test]
fn an_unknown_space_or_server_says_what_to_do() {
    let ran = simulate(&shop(&[]), r#"space("Opps").latest("Project A");"#);
    assert!(ran.error().contains("Opps"), "{}", ran.error());
    let ran = simulate(&shop(&[]), r#"server("dr").latest("Project A");"#);
    let failure = ran.outcome.failure.expect("an error");
    assert!(failure.error.hints().iter().any(|h| h.contains("OCTOPUS_URL_DR")), "{:?}", failure.error);
}
