//! stdlib/host.d.rhai: the functions and types for editors that read Rhai definitions.

use crate::{engine::docs::Entry, host};
use std::fmt::Write as _;

/// All of it, in the form that Rhai writes definitions in: `fn name(parameter: type) -> type;`, one for each number of arguments.
pub fn definitions() -> String {
    let entries = host::reference();
    let mut out = String::from("module static;\n\n/// Where the script runs.\nconst ctx: Context;\n");
    for entry in entries.iter().filter(|entry| !entry.is_type() && !entry.is_standard()) {
        let (receiver, name) = entry.name.split_once('.').map_or((None, entry.name.as_str()), |(of, name)| (Some(of), name));
        let least = entry.params.iter().filter(|param| !param.optional).count();
        for count in least..=entry.params.len() {
            out.push('\n');
            // The whole text stands at the longest form, which an editor shows last.
            let text = if count == entry.params.len() { whole(entry) } else { entry.summary.clone() };
            comment(&mut out, &text);
            let given = entry.params[..count].iter().map(|param| format!("{}: {}", param.name, kind(param.takes.kind, &entries)));
            let all: Vec<String> = receiver.map(|of| format!("this_{}: {of}", of.to_lowercase())).into_iter().chain(given).collect();
            let _ = writeln!(out, "fn {name}({}) -> {};", all.join(", "), kind(entry.returns(), &entries));
        }
    }
    for entry in entries.iter().filter(|entry| entry.is_type()) {
        for property in entry.properties {
            out.push('\n');
            comment(&mut out, property.doc);
            let _ = writeln!(
                out,
                "fn get {}(this_{}: {}) -> {};",
                property.name,
                entry.name.to_lowercase(),
                entry.name,
                kind(property.kind, &entries)
            );
        }
    }
    out
}

/// Prose, options, and the example.
fn whole(entry: &Entry) -> String {
    let mut text = entry.prose.clone();
    for (number, option) in entry.options.iter().enumerate() {
        let start = if number == 0 { "\n\n" } else { "\n" };
        let (kind, prose) = option.shown();
        let _ = write!(text, "{start}- `{}` ({}, default {}): {prose}", option.name, kind, option.default);
    }
    if !entry.example.is_empty() {
        let _ = write!(text, "\n\n```rhai\n{}\n```", entry.example.trim());
    }
    text
}

fn comment(out: &mut String, text: &str) {
    for line in text.trim().lines() {
        let line = line.trim_end();
        let line = line.strip_prefix(' ').unwrap_or(line);
        out.push_str(format!("/// {line}").trim_end());
        out.push('\n');
    }
}

/// A type of ours in the words of Rhai's definitions; `?` is any.
fn kind(words: &str, entries: &[Entry]) -> String {
    match words {
        "text" => "String".to_owned(),
        "whole number" => "int".to_owned(),
        "number" => "float".to_owned(),
        "true or false" => "bool".to_owned(),
        "nothing" => "()".to_owned(),
        "map" | "options map" => "Map".to_owned(),
        words if words == "list" || words.starts_with("list of") => "Array".to_owned(),
        words if entries.iter().any(|entry| entry.is_type() && entry.name == words) => words.to_owned(),
        _ => "?".to_owned(),
    }
}
