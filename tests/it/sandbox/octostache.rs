//! What a worker does with texts of a step that Octopus's template language cannot evaluate, or evaluates to more than a value.
#![cfg(target_os = "linux")]

use super::steps::{Came, world};

/// A step with this body and these parameters.
fn step(body: &str, parameters: &[(&str, &str)]) -> Came {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("body.sh"), body).expect("written");
    let toml = |text: &str| toml::Value::String(text.to_owned()).to_string();
    let parameters: Vec<String> = parameters.iter().map(|(name, value)| format!("{} = {}", toml(name), toml(value))).collect();
    Came::of(folder.path(), &world(&format!("file = \"body.sh\", parameters = {{ {} }}", parameters.join(", ")), ""))
}

#[test]
fn a_body_is_evaluated_once_with_the_values_as_they_were_set() {
    let body = r#"
        echo '#{if P.Kind == "blue"}is blue#{elseif P.Kind}is #{P.Kind}#{else}is nothing#{/if}'
        echo '#{each x in P.List}<#{x | ToUpper}>#{/each} #{P.Json.a[1].b} #{calc P.Two * 3}'
        echo '#{P.Escaped} #{P.Outer}'
        echo "$(get_octopusvariable P.Escaped) $(get_octopusvariable P.Outer)"
    "#;
    let parameters = [
        ("P.Kind", "green"),
        ("P.List", "a,b"),
        ("P.Json", "{\"a\": [0, {\"b\": \"#{P.Kind}\"}]}"),
        ("P.Two", "2"),
        ("P.Escaped", "##{P.Kind}"),
        ("P.Outer", "#{P.Escaped}-#{P.Kind}"),
    ];
    let came = step(body, &parameters);
    assert_eq!(came.state, "Success", "{}", came.log);
    for line in ["is green", "<A><B> green 6", "#{P.Kind} #{P.Kind}-green"] {
        assert!(came.log.contains(line), "{line}: {}", came.log);
    }
    assert_eq!(came.log.matches("#{P.Kind} #{P.Kind}-green").count(), 2, "the body and the function say the same: {}", came.log);
}

#[test]
fn a_text_that_cannot_be_evaluated_fails_the_step_as_with_the_real_agent() {
    let cases = [
        ("echo never", ("P.A", "x #{P.B}"), "appears to have resulted in a self referencing loop (P.B -> P.A -> P.B)", 101),
        ("echo 'never #{P.A | FromBase64}'", ("P.A", "*"), "not a valid Base-64 string", 100),
        ("echo 'never #{P.No}'", ("OctopusShouldFailDeploymentOnSubstitutionFails", "True"), "unable to be evaluated: '#{P.No}'", 1),
    ];
    for (body, parameter, said, code) in cases {
        let came = step(body, &[parameter, ("P.B", "#{P.A}")]);
        assert_eq!(came.state, "Failed", "{body}: {}", came.log);
        assert!(came.log.contains(said) && came.log.contains(&format!("exit code {code}")), "{body}: {}", came.log);
        assert!(!came.log.contains("never"), "{body}: {}", came.log);
    }
    let came = step("echo 'here #{P.No}'", &[]);
    assert!(came.state == "Success" && came.log.contains("here #{P.No}"), "{}", came.log);
    assert!(
        came.log.contains("with Octostache returned the following error: `The following tokens were unable to be evaluated: '#{P.No}'`")
    );
}
