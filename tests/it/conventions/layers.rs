//! Layers: which part of the crate may use which other part.

use super::{
    reader::line_of,
    repository::{File, none, one, sources},
};

/// Who may know whom (ARCHITECTURE.md). What is not listed may know nobody.
const LAYERS: &[(&str, &[&str])] = &[
    ("error", &[]),
    ("json", &[]),
    ("clock", &["error", "platform"]),
    ("cancel", &["error", "clock"]),
    ("event", &["error", "clock", "secrets"]),
    ("crash", &[]),
    ("platform", &["error"]),
    ("tame", &[]),
    ("userinfo", &[]),
    ("secrets", &["error", "userinfo"]),
    ("transport", &[]),
    ("trust", &["error", "clock", "platform"]),
    ("api", &["error", "json", "clock", "cancel", "event", "crash", "secrets", "transport", "trust", "userinfo"]),
    ("journal", &["error", "json", "clock", "crash", "platform", "trust", "userinfo"]),
    ("lock", &["error", "clock", "cancel", "event", "platform", "api", "journal"]),
    ("doctor", &["error", "clock", "cancel", "event", "platform", "api", "lock"]),
    ("mail", &["error", "clock", "cancel", "event", "crash", "tame"]),
    ("report", &["error", "clock", "cancel", "event", "tame"]),
    ("engine", &["error", "json", "clock", "cancel", "event", "platform", "secrets", "tame"]),
    ("sandbox", &["error", "clock", "cancel", "event", "platform", "transport"]),
    ("step", &["error", "clock", "cancel", "event", "tame"]),
    (
        "host",
        &[
            "error", "json", "clock", "cancel", "event", "platform", "api", "journal", "lock", "doctor", "mail", "report", "engine",
            "secrets",
        ],
    ),
    (
        "run",
        &[
            "error", "clock", "cancel", "event", "platform", "secrets", "trust", "api", "journal", "lock", "doctor", "mail", "report",
            "engine", "host", "sandbox",
        ],
    ),
    ("template", &["error", "clock", "cancel", "event", "engine", "step"]),
    ("manual", &["engine", "host"]),
    ("check", &["error", "clock", "tame", "engine", "host"]),
    ("repl", &["clock", "tame", "engine", "host"]),
    (
        "cli",
        &[
            "error", "clock", "cancel", "event", "platform", "secrets", "tame", "trust", "userinfo", "api", "journal", "lock", "doctor",
            "step", "engine", "host", "run", "template", "sandbox", "repl", "check", "manual",
        ],
    ),
];

/// The layer of a file: its first folder or its name below `src`.
fn layer(path: &str) -> &str {
    let below = path.strip_prefix("src/").unwrap_or(path);
    below.split('/').next().unwrap_or(below).trim_end_matches(".rs")
}

/// The first names of a path or of a group: `a::b` → a; `{a, b::{c, d}}` → a, b.
fn first_names(rest: &str) -> Vec<String> {
    let name = |text: &str| text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let rest = rest.trim_start();
    let Some(group) = rest.strip_prefix('{') else { return vec![name(rest)] };
    let (mut depth, mut names, mut start) = (0, Vec::new(), 0);
    for (i, letter) in group.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' if depth == 0 => {
                names.push(name(&group[start..i]));
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                names.push(name(&group[start..i]));
                start = i + 1;
            }
            _ => {}
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

fn forbidden_arrows(files: &[File]) -> Vec<String> {
    let mut offenders = Vec::new();
    for file in files.iter().filter(|file| !["src/lib.rs", "src/main.rs"].contains(&file.path.as_str())) {
        let own = layer(&file.path);
        let Some((_, allowed)) = LAYERS.iter().find(|(name, _)| *name == own) else {
            offenders.push(format!("{}: `{own}` is no layer in the table", file.path));
            continue;
        };
        // Tests of a layer may stand on more, for they want real parts. Not the simulator's: what it shared with the
        // client, both could get wrong together.
        let code = if own == "sandbox" { file.code() } else { file.shipped() };
        // How often `super::` leads from this file to the root of the crate.
        let depth = file.path.trim_end_matches("/mod.rs").matches('/').count();
        let mut arrows: Vec<(usize, String)> = Vec::new();
        for start in ["crate::".to_owned(), "octorhai::".to_owned(), "super::".repeat(depth)] {
            for (at, _) in code.match_indices(&start) {
                let before = code[..at].chars().next_back();
                if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
                    continue;
                }
                let rest = &code[at + start.len()..];
                for name in first_names(rest) {
                    let is_macro = rest.trim_start()[name.len().min(rest.trim_start().len())..].starts_with('!');
                    let known = LAYERS.iter().any(|(layer, _)| *layer == name);
                    if name != own && !is_macro && (known || !start.starts_with("super")) {
                        arrows.push((at, name));
                    }
                }
            }
        }
        for (at, to) in arrows {
            if !allowed.contains(&to.as_str()) {
                offenders.push(format!("{}:{}: {own} must not know {to}", file.path, line_of(&code, at)));
            }
        }
    }
    offenders
}

#[test]
fn arrows_between_layers_exist_only_where_the_table_allows_them() {
    none(forbidden_arrows(&sources()));
}

#[test]
fn a_forbidden_arrow_is_found() {
    let find = |path: &str, text: &str| forbidden_arrows(&[File::new(path, text)]);
    one(&find("src/api/task.rs", "use crate::error::Error;\nuse crate::host::wait;"), "src/api/task.rs:2: api must not know host");
    one(&find("src/sandbox/http.rs", "use crate::{clock::Clock, error::{Error, Kind}, api::Task};"), "sandbox must not know api");
    one(&find("src/sandbox/http.rs", "#[cfg(test)]\nmod tests { use crate::engine::x; }"), "sandbox must not know engine");
    one(&find("src/clock/mod.rs", "use super::event::Events;"), "clock must not know event");
    one(&find("src/engine/a.rs", "fn f() { crate::cli::main(); }"), "engine must not know cli");
    one(&find("src/util.rs", ""), "`util` is no layer");
    assert!(find("src/host/a.rs", "use crate::{api::{self, Task}, engine, host::b};\n// crate::cli\ncrate::options! {}").is_empty());
    assert!(find("src/host/a.rs", "#[cfg(test)]\nmod tests { use crate::sandbox::World; }").is_empty());
}
