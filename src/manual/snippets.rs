//! editors/vscode/octorhai.code-snippets: each function, and the scripts that come with the program, for Visual Studio Code.

use crate::{engine::docs::Entry, host};
use serde_json::{Map, Value, json};

/// The snippet file. `scripts` are names and texts of whole scripts.
pub fn snippets<'a>(scripts: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut all = Map::new();
    let entries = host::reference();
    for entry in entries.iter().filter(|entry| !entry.is_type() && !entry.is_standard()) {
        all.insert(entry.name.clone(), snippet(last_name(&entry.name), &[call(entry)], &entry.summary));
    }
    for (name, text) in scripts {
        let name = name.trim_end_matches(".rhai");
        let (head, body) = text.split_once('\n').unwrap_or(("", text));
        let about = head.split_once(": ").map_or(head, |(_, about)| about);
        let lines: Vec<String> = body.lines().map(escaped).collect();
        all.insert(format!("script {name}"), snippet(&format!("octorhai-{name}"), &lines, about));
    }
    let text = serde_json::to_string_pretty(&Value::Object(all)).unwrap_or_default();
    format!("{text}\n")
}

fn last_name(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

fn snippet(prefix: &str, body: &[String], about: &str) -> Value {
    json!({"scope": "rhai", "prefix": prefix, "body": body, "description": about})
}

/// `deploy(${1:project}, ${2:version}, ${3:env})$0`; a list and a closure as they are written.
fn call(entry: &Entry) -> String {
    let mut places = 0;
    let mut place = |text: &str| {
        places += 1;
        format!("${{{places}:{text}}}")
    };
    let params = entry.params.iter().filter(|param| {
        !param.optional || entry.params.last().is_some_and(|last| std::ptr::eq(last, *param) && param.takes.kind == "closure")
    });
    let given: Vec<String> = params
        .map(|param| match param.takes.kind {
            "closure" => format!("|{}| {}", place("x"), place("...")),
            "options map" => format!("#{{{}}}", place("")),
            _ => place(param.name),
        })
        .collect();
    format!("{}({})$0", last_name(&entry.name), given.join(", "))
}

/// A line of code in a snippet, where `$` begins a place.
fn escaped(line: &str) -> String {
    line.replace('\\', "\\\\").replace('$', "\\$")
}
