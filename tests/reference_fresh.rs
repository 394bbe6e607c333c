//! What is written from the functions' own docs is fresh: docs/reference.md, the list of functions in README.md, definitions and snippets for
//! editors, and the manual pages.
//!
//! `OCTORHAI_BLESS=1 cargo test --test reference_fresh` writes them anew.

mod support;

use octorhai::manual;
use std::fs;

const BEGIN: &str = "<!-- functions: OCTORHAI_BLESS=1 cargo test --test reference_fresh writes this table -->\n";
const END: &str = "<!-- end of functions -->";

#[track_caller]
fn fresh(path: &str, wanted: &str) {
    let file = support::root().join(path);
    if std::env::var_os("OCTORHAI_BLESS").is_some() {
        fs::create_dir_all(file.parent().expect("a folder")).expect("made");
        fs::write(&file, wanted).expect("written");
        return;
    }
    let have = fs::read_to_string(&file).unwrap_or_default();
    let line =
        have.lines().zip(wanted.lines()).position(|(a, b)| a != b).unwrap_or_else(|| have.lines().count().min(wanted.lines().count()));
    assert!(
        have == wanted,
        "{path}:{} is not what the functions say now: OCTORHAI_BLESS=1 cargo test --test reference_fresh\n  there: {:?}\n  wanted: {:?}",
        line + 1,
        have.lines().nth(line),
        wanted.lines().nth(line)
    );
}

/// What `octorhai docs` prints.
fn printed(what: &[&str]) -> String {
    let ran = support::finish(support::octorhai().arg("docs").args(what));
    assert_eq!(ran.code, 0, "{ran:?}");
    ran.stdout
}

#[test]
fn the_reference_is_fresh() {
    fresh("docs/reference.md", &printed(&["reference"]));
    assert!(
        printed(&["reference"]).lines().filter(|line| line.starts_with("## ")).count() == 15,
        "a group has no line in the table of groups"
    );
}

#[test]
fn the_list_in_the_readme_is_fresh() {
    let readme = fs::read_to_string(support::root().join("README.md")).expect("README.md is there");
    let (before, rest) = readme.split_once(BEGIN).expect("the list begins");
    let (_, after) = rest.split_once(END).expect("the list ends");
    fresh("README.md", &format!("{before}{BEGIN}{}{END}{after}", manual::overview()));
}

#[test]
fn what_editors_read_is_fresh() {
    fresh("stdlib/host.d.rhai", &printed(&["definitions"]));
    let snippets = printed(&["snippets"]);
    fresh("editors/vscode/octorhai.code-snippets", &snippets);
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
            assert!(entry.options.iter().all(|o| text.contains(&format!("- `{}` ({}", o.name, o.kind))), "{}", entry.name);
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
