//! docs/reference.md, and the list of functions in the README.

use crate::{
    engine::{docs::Entry, options::OptionDoc},
    host,
};
use std::fmt::Write as _;

/// The groups in the order of a reader, with what they are about.
pub(super) const GROUPS: &[(&str, &str)] = &[
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

/// In a cell of a table.
fn cell(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

/// In the order of [`GROUPS`]; a group that is missing there comes last, without a word about it.
fn grouped(entries: &[Entry]) -> Vec<(&str, &str, Vec<&Entry>)> {
    let mut groups: Vec<(&str, &str, Vec<&Entry>)> = GROUPS.iter().map(|(group, about)| (*group, *about, Vec::new())).collect();
    for entry in entries.iter().filter(|entry| !entry.is_type() && !entry.is_standard()) {
        match groups.iter_mut().find(|(group, ..)| *group == entry.group) {
            Some((.., list)) => list.push(entry),
            None => groups.push((&entry.group, "", vec![entry])),
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
        let (kind, prose) = option.shown();
        let _ = writeln!(out, "| `{}` | {} | `{}` | {} |", option.name, cell(&kind), cell(option.default), cell(&prose));
    }
}

/// `timeout`, `deployment_failed`, ...; those of every request and of wrong arguments are told once, at the top.
fn errors(out: &mut String, entry: &Entry) {
    let usual = ["unreachable", "unauthorized", "forbidden", "bad_answer", "script"];
    let own: Vec<String> = entry
        .errors
        .iter()
        .filter(|(kind, _)| !usual.contains(kind))
        .map(|(kind, meaning)| match *kind {
            "..." => (*meaning).to_owned(),
            kind => format!("`{kind}`"),
        })
        .collect();
    if !own.is_empty() {
        let _ = write!(out, "\nErrors: {}.\n", own.join(", "));
    }
}

fn example(out: &mut String, code: &str) {
    if !code.is_empty() {
        let _ = write!(out, "\n```rhai\n{}\n```\n", code.trim());
    }
}

/// The whole reference as Markdown.
pub fn reference() -> String {
    let mut out = String::from(
        "# Reference\n\nWritten by `cargo bless` from what the functions say of themselves; \
         `octorhai help NAME` shows the same. Every example runs in the tests, on the world `shop`.\n\n\
         Names of projects, environments, tenants and so on may be a name, a slug or an id. Arguments in brackets may be left out, and so may \
         the options map `#{...}`. A method is called on its value: `task.cancel()`. What a function returns prints as one readable line.\n\n\
         An option that is left out has its default. A list that selects (`projects`, `env`, ...) selects everything when it is left out, and nothing \
         when it is empty. An empty text where a name is wanted is an error. `()` means not given where one value is wanted, and is an error for a \
         list.\n\n\
         Errors are named by their kind (`err.kind`). Every function may raise `script` for a wrong argument, and one that asks the server \
         `unreachable`, `unauthorized`, `forbidden` or `bad_answer`; what else there is stands at the function. [errors.md](errors.md) \
         explains each kind.\n\n",
    );
    let entries = host::reference();
    for (group, about) in GROUPS {
        let _ = writeln!(out, "- [{group}](#{}): {about}", group.replace(' ', "-"));
    }
    out.push_str("- [standard library](#standard-library)\n- [types](#types)\n");
    for (group, _, functions) in grouped(&entries) {
        let _ = write!(out, "\n## {group}\n");
        let mut last = "";
        for entry in functions {
            if entry.name != last {
                let _ = write!(out, "\n### {}\n", entry.name);
                last = &entry.name;
            }
            let _ = write!(out, "\n`{}`\n\n{}\n", entry.signature, entry.prose);
            options(&mut out, entry.options);
            errors(&mut out, entry);
            example(&mut out, &entry.example);
        }
    }
    out.push_str("\n## standard library\n\nWritten in Rhai; `import \"std/lists\" as lists;` brings a module in.\n");
    for entry in entries.iter().filter(|entry| entry.is_standard()) {
        let _ = write!(out, "\n### {}\n\n`{}`\n\n{}\n", entry.name, entry.signature, entry.prose);
        example(&mut out, &entry.example);
    }
    out.push_str("\n## types\n");
    let mut types: Vec<&Entry> = entries.iter().filter(|entry| entry.is_type()).collect();
    types.sort_by(|a, b| a.name.cmp(&b.name));
    for entry in types {
        let _ = write!(out, "\n### {}\n\n{}\n", entry.name, entry.prose);
        if !entry.properties.is_empty() {
            out.push_str("\n| property | type | |\n|---|---|---|\n");
            for property in entry.properties {
                let _ = writeln!(out, "| `{}` | {} | {} |", property.name, cell(property.kind), cell(property.doc));
            }
        }
    }
    out
}

/// The table in the README.
pub fn overview() -> String {
    let entries = host::reference();
    let mut out = String::from("| group | functions |\n|---|---|\n");
    for (group, about, functions) in grouped(&entries) {
        let mut names: Vec<String> = functions.iter().map(|entry| format!("`{}`", entry.name)).collect();
        names.dedup();
        let _ = writeln!(out, "| **{group}**: {about} | {} |", names.join(", "));
    }
    out
}
