//! The step templates in `templates/` and their table in README.md are as the scripts make them now.

use crate::support::{self, golden, ground::told, octorhai, root};
use octorhai::template::Shell;
use serde_json::Value;
use std::{collections::BTreeSet, fs};

#[test]
fn templates_are_fresh_and_clean() {
    let bless = golden::blesses();
    let folder = tempfile::tempdir().expect("a folder");
    let here = root().join("templates");
    let out = if bless { here.clone() } else { folder.path().to_path_buf() };
    let mut known = BTreeSet::new();
    for entry in fs::read_dir(&here).expect("there").flatten() {
        known.insert(entry.file_name().to_string_lossy().into_owned());
        if !bless {
            fs::copy(entry.path(), out.join(entry.file_name())).expect("copied");
        }
    }
    let mut scripts: Vec<String> = fs::read_dir(root().join("scripts"))
        .expect("there")
        .flatten()
        .map(|e| format!("scripts/{}", e.file_name().to_string_lossy()))
        .collect();
    scripts.sort();
    let mut arguments = vec!["template", "export", "--out", out.to_str().expect("a path")];
    arguments.extend(scripts.iter().map(String::as_str));
    let ran = support::finish(octorhai().args(arguments));
    assert!(
        ran.code == 0 && (bless || ran.stdout.is_empty()),
        "not as `octorhai template export` makes them (`cargo bless` renews them):\n{}",
        ran.stdout
    );
    let wanted: BTreeSet<String> = scripts
        .iter()
        .flat_map(|script| {
            let stem = script.trim_start_matches("scripts/").trim_end_matches(".rhai");
            Shell::ALL.map(|shell| format!("{stem}.{}", shell.ending()))
        })
        .collect();
    assert!(bless || known == wanted, "{known:?}");
    let ran = support::finish(octorhai().args(["template", "lint", "templates"]));
    told(&ran, 0, &["24 step templates", "nothing to say"]);
    // In JSON a script is one long line: a change of the launchers is read here, of what they start in `scripts/`.
    for shell in Shell::ALL {
        let stem = format!("master-project.{}", shell.ending());
        let template: Value = serde_json::from_str(&fs::read_to_string(out.join(&stem)).expect("there")).expect("JSON");
        let script = template["Properties"]["Octopus.Action.Script.ScriptBody"].as_str().expect("a script");
        let ending = if shell == Shell::Bash { "sh" } else { "ps1" };
        golden::file(&format!("tests/golden/templates/{}", stem.replace("json", ending)), script);
    }
}

/// The table of the README: what each template does, and its own parameters.
fn table() -> String {
    let mut rows = vec!["| template | what it does | parameters |".to_owned(), "|---|---|---|".to_owned()];
    let mut files: Vec<_> = fs::read_dir(root().join("templates")).expect("there").flatten().map(|entry| entry.path()).collect();
    files.sort();
    for file in files.iter().filter(|file| file.to_string_lossy().ends_with(".bash.json")) {
        let template: Value = serde_json::from_str(&fs::read_to_string(file).expect("text")).expect("JSON");
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let about = text(&template["Description"]).lines().next().unwrap_or_default().trim_end_matches('.').to_owned();
        let own = template["Parameters"].as_array().into_iter().flatten().map(|p| text(&p["Name"])).filter_map(|name| {
            let name = name.splitn(3, '.').nth(2)?.to_owned();
            (!name.contains('.') && !["Package", "BinaryPath"].contains(&name.as_str())).then(|| format!("`{name}`"))
        });
        let own = own.collect::<Vec<_>>().join(", ");
        let stem = file.file_name().expect("a name").to_string_lossy().trim_end_matches(".bash.json").to_owned();
        rows.push(format!("| {stem} | {about} | {} |", if own.is_empty() { "none" } else { own.as_str() }));
    }
    rows.join("\n")
}

#[test]
fn the_table_in_the_readme_is_fresh() {
    golden::part("README.md", "<!-- templates, written by the tests -->\n", "<!-- end of templates -->", &format!("\n{}\n\n", table()));
}
