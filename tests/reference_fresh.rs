//! docs/reference.md and the list of functions in README.md are what the functions say of themselves.
//!
//! `OCTORHAI_BLESS=1 cargo test --test reference_fresh` writes them anew.

mod support;

use octorhai::{
    engine::{docs::standard_functions, library::FunctionDoc, options::OptionDoc},
    host,
};
use std::{fmt::Write as _, fs};

/// The groups in the order of a reader, with what they are about.
const GROUPS: &[(&str, &str)] = &[
    ("context", "who runs this, and with which parameters"),
    ("query", "look at the server"),
    ("act", "start something"),
    ("wait", "wait for it"),
    ("order", "several at once, one after the other, in waves"),
    ("one at a time", "locks, never two copies at once"),
    ("undo", "undo, try again"),
    ("check", "stop when something is not as it must be"),
    ("time", "moments, durations, windows"),
    ("outputs", "what the step leaves behind"),
    ("memory", "what outlives a run, and meeting points of scripts"),
    ("people", "manual interventions"),
    ("tell", "mail, chat, reports"),
];

/// Prose without the examples: lines without the blank that stands behind `///`.
fn prose(doc: &str) -> String {
    let text = doc.split("```").next().unwrap_or_default();
    text.lines().map(|line| line.strip_prefix(' ').unwrap_or(line)).collect::<Vec<_>>().join("\n").trim().to_owned()
}

fn example(doc: &str) -> Option<String> {
    let code = doc.split("```rhai").nth(1)?.split("```").next()?;
    Some(code.lines().map(|line| line.strip_prefix(' ').unwrap_or(line)).collect::<Vec<_>>().join("\n").trim().to_owned())
}

/// In a cell of a table.
fn cell(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

fn name(doc: &FunctionDoc) -> String {
    doc.receiver.map_or_else(|| doc.name.to_owned(), |of| format!("{of}.{}", doc.name))
}

/// In groups; each function once, with all ways to call it.
fn grouped() -> Vec<(String, Vec<FunctionDoc>)> {
    let functions = host::library().docs().functions.clone();
    let mut groups: Vec<(String, Vec<FunctionDoc>)> = GROUPS.iter().map(|(group, _)| ((*group).to_owned(), Vec::new())).collect();
    for function in functions {
        match groups.iter_mut().find(|(group, _)| *group == function.group) {
            Some((_, list)) => list.push(function),
            None => panic!("group `{}` of `{}` has no line in this test's table", function.group, function.name),
        }
    }
    groups
}

fn options(out: &mut String, options: &[OptionDoc]) {
    if options.is_empty() {
        return;
    }
    out.push_str("\n| option | type | default | |\n|---|---|---|---|\n");
    for option in options {
        let _ = writeln!(out, "| `{}` | {} | `{}` | {} |", option.name, cell(option.kind), cell(option.default), cell(option.prose));
    }
}

fn reference() -> String {
    let mut out = String::from(
        "# Reference\n\nWritten by `OCTORHAI_BLESS=1 cargo test --test reference_fresh` from what the functions say of themselves; \
         `octorhai help NAME` shows the same. Every example runs in the tests, on the world `shop`.\n\n\
         Names of projects, environments, tenants and so on may be a name, a slug or an id. Arguments in brackets may be left out, and so may \
         the options map `#{...}`. A method is called on its value: `task.cancel()`. What a function returns prints as one readable line.\n\n",
    );
    for (group, about) in GROUPS {
        let _ = writeln!(out, "- [{group}](#{group}): {about}");
    }
    out.push_str("- [standard library](#standard-library)\n- [types](#types)\n");
    for (group, functions) in grouped() {
        let _ = write!(out, "\n## {group}\n");
        let mut seen: Vec<String> = Vec::new();
        for function in &functions {
            let name = name(function);
            if seen.contains(&name) {
                continue;
            }
            let ways: Vec<&FunctionDoc> = functions.iter().filter(|f| self::name(f) == name).collect();
            let _ = write!(out, "\n### {name}\n");
            seen.push(name);
            for way in ways {
                let _ = write!(out, "\n`{}`\n\n{}\n", way.signature(), prose(way.doc));
                options(&mut out, way.params.iter().find(|p| !p.options.is_empty()).map_or(&[], |p| p.options));
                if let Some(example) = example(way.doc) {
                    let _ = write!(out, "\n```rhai\n{example}\n```\n");
                }
            }
        }
    }
    out.push_str("\n## standard library\n\nWritten in Rhai; `import \"std/lists\" as lists;` brings a module in.\n");
    for doc in standard_functions() {
        let _ = write!(out, "\n### {}\n\n`{}`\n\n{}\n\n```rhai\n{}\n```\n", doc.name, doc.signature, doc.prose.trim(), doc.example);
    }
    out.push_str("\n## types\n");
    let mut types = host::library().docs().types.clone();
    types.sort_by_key(|doc| doc.name);
    for doc in types {
        let _ = write!(out, "\n### {}\n\n{}\n", doc.name, prose(doc.doc));
        if !doc.properties.is_empty() {
            out.push_str("\n| property | type | |\n|---|---|---|\n");
            for property in doc.properties {
                let _ = writeln!(out, "| `{}` | {} | {} |", property.name, cell(property.kind), cell(property.doc));
            }
        }
    }
    out
}

/// The table in the README.
fn overview() -> String {
    let mut out = String::from("| group | functions |\n|---|---|\n");
    for (group, functions) in grouped() {
        let mut names: Vec<String> = Vec::new();
        for function in &functions {
            let name = format!("`{}`", name(function));
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let about = GROUPS.iter().find(|(name, _)| *name == group).map_or("", |(_, about)| about);
        let _ = writeln!(out, "| **{group}**: {about} | {} |", names.join(", "));
    }
    out
}

const BEGIN: &str = "<!-- functions: OCTORHAI_BLESS=1 cargo test --test reference_fresh writes this table -->\n";
const END: &str = "<!-- end of functions -->";

#[track_caller]
fn fresh(path: &str, wanted: &str) {
    let file = support::root().join(path);
    if std::env::var_os("OCTORHAI_BLESS").is_some() {
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

#[test]
fn the_reference_is_fresh() {
    fresh("docs/reference.md", &reference());
}

#[test]
fn the_list_in_the_readme_is_fresh() {
    let readme = fs::read_to_string(support::root().join("README.md")).expect("README.md is there");
    let (before, rest) = readme.split_once(BEGIN).expect("the list begins");
    let (_, after) = rest.split_once(END).expect("the list ends");
    fresh("README.md", &format!("{before}{BEGIN}{}{END}{after}", overview()));
}
