//! What is written from the functions' own docs is fresh: docs/reference.md, the list of functions in README.md, definitions and snippets for
//! editors, and the manual pages.

use crate::support::{self, golden};
use octorhai::manual;
use std::fs;

/// What `octorhai docs` prints.
fn printed(what: &[&str]) -> String {
    let ran = support::finish(support::octorhai().arg("docs").args(what));
    assert_eq!(ran.code, 0, "{ran:?}");
    ran.stdout
}

#[test]
fn the_reference_is_fresh() {
    golden::file("docs/reference.md", &printed(&["reference"]));
    assert!(
        printed(&["reference"]).lines().filter(|line| line.starts_with("## ")).count() == 15,
        "a group has no line in the table of groups"
    );
}

#[test]
fn the_list_in_the_readme_is_fresh() {
    golden::part("README.md", "<!-- functions, written by the tests -->\n", "<!-- end of functions -->", &manual::overview());
}

#[test]
fn what_editors_read_is_fresh() {
    golden::file("stdlib/host.d.rhai", &printed(&["definitions"]));
    let snippets = printed(&["snippets"]);
    golden::file("editors/vscode/octorhai.code-snippets", &snippets);
    let all: serde_json::Value = serde_json::from_str(&snippets).expect("JSON");
    assert_eq!(all["deploy"]["body"][0], "deploy(${1:project}, ${2:version}, ${3:env})$0");
    assert!(all["script master-project"]["body"].as_array().is_some_and(|lines| lines.len() > 10), "{snippets}");
}

#[test]
fn definitions_name_every_function_option_and_property() {
    let text = printed(&["definitions"]);
    for entry in octorhai::engine::docs::entries(octorhai::host::library().docs()) {
        let last = entry.name.rsplit(['.', ':']).next().unwrap_or_default();
        if entry.group == "types" {
            assert!(entry.properties.iter().all(|p| text.contains(&format!("fn get {}(", p.name))), "{}", entry.name);
        } else if !entry.group.starts_with("std/") {
            assert!(text.contains(&format!("\nfn {last}(")), "{}", entry.name);
            assert!(entry.options.iter().all(|o| text.contains(&format!("- `{}` ({}", o.name, o.shown().0))), "{}", entry.name);
        }
    }
}

#[test]
fn manual_pages_and_completions_know_every_subcommand() {
    let page = printed(&["man"]);
    assert!(page.contains(".TH octorhai 1") && page.contains("octorhai\\-repl") && page.contains("EXIT STATUS"), "{page}");
    assert!(printed(&["man", "run"]).contains("\\-\\-sandbox"));
    for (shell, word) in
        [("bash", "octorhai__subcmd__repl"), ("zsh", "(check)"), ("fish", "-a \"repl\""), ("powershell", "'octorhai;check'")]
    {
        let script = printed(&["completions", shell]);
        assert!(script.contains(word), "{shell}: {script}");
    }
}

#[test]
fn the_first_script_is_the_master_project() {
    let script = fs::read_to_string(support::root().join("scripts/master-project.rhai")).expect("the script is there");
    let readme = fs::read_to_string(support::root().join("README.md")).expect("README.md is there");
    assert!(readme.find("```rhai\n") == readme.find("```"), "the first block of README.md is no script");
    golden::part("README.md", "```rhai\n", "```\n", &script);
}
