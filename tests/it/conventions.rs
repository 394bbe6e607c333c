//! The conventions of this repository as tests: each lists all offenders, and each is shown to find a seeded one.

use octorhai::error::Kind;
use std::{
    collections::BTreeSet,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

/// A file: its path from the root of the repository, with `/`, and its text.
struct File {
    path: String,
    text: String,
}

impl File {
    fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned() }
    }

    /// Without comments and the insides of literals.
    fn code(&self) -> String {
        code(&self.text)
    }

    /// Without these and without what is compiled for tests only.
    fn shipped(&self) -> String {
        without_tests(&self.code())
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// All files with `ending` under `folder`, sorted.
fn files(folder: &str, ending: &str) -> Vec<File> {
    fn walk(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                walk(&path, ending, found);
            } else if path.extension().is_some_and(|have| have == ending) {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk(&root().join(folder), ending, &mut found);
    found.sort();
    found
        .into_iter()
        .map(|path| {
            let text = fs::read_to_string(&path).expect("a readable file");
            let path = path.strip_prefix(root()).expect("below the root").to_string_lossy().replace('\\', "/");
            File { path, text }
        })
        .collect()
}

fn sources() -> Vec<File> {
    let sources = files("src", "rs");
    assert!(sources.len() > 10, "the sources were not found");
    sources
}

fn readme() -> String {
    fs::read_to_string(root().join("README.md")).expect("README.md is there")
}

/// Fails with all of them.
#[track_caller]
fn none(offenders: Vec<String>) {
    assert!(offenders.is_empty(), "{} offenders:\n  {}", offenders.len(), offenders.join("\n  "));
}

/// Fails unless exactly the seeded one was found.
#[track_caller]
fn one(offenders: &[String], part: &str) {
    assert!(offenders.len() == 1 && offenders[0].contains(part), "the seeded offender `{part}` should be the only one: {offenders:?}");
}

/// Blanks comments and the insides of string and character literals; lines stay where they are.
fn code(text: &str) -> String {
    let letters: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    let blank = |out: &mut String, letters: &[char]| out.extend(letters.iter().map(|c| if *c == '\n' { '\n' } else { ' ' }));
    while at < letters.len() {
        let rest = &letters[at..];
        let word_before = at > 0 && (letters[at - 1].is_alphanumeric() || letters[at - 1] == '_');
        let length = if rest.starts_with(&['/', '/']) {
            rest.iter().position(|c| *c == '\n').unwrap_or(rest.len())
        } else if rest.starts_with(&['/', '*']) {
            let (mut depth, mut i) = (0, 0);
            loop {
                match rest.get(i..i + 2) {
                    Some(['/', '*']) => (depth, i) = (depth + 1, i + 2),
                    Some(['*', '/']) => (depth, i) = (depth - 1, i + 2),
                    Some(_) => i += 1,
                    None => break rest.len(),
                }
                if depth == 0 {
                    break i;
                }
            }
        } else if let Some(length) = raw_string(rest).filter(|_| !word_before) {
            length
        } else if rest[0] == '"' {
            let mut i = 1;
            while i < rest.len() && rest[i] != '"' {
                i += if rest[i] == '\\' { 2 } else { 1 };
            }
            (i + 1).min(rest.len())
        } else if rest[0] == '\'' && (rest.get(1) == Some(&'\\') || rest.get(2) == Some(&'\'')) {
            let from = if rest.get(1) == Some(&'\\') { 3 } else { 2 };
            rest.iter().skip(from).position(|c| *c == '\'').map_or(1, |i| i + from + 1)
        } else {
            out.push(rest[0]);
            at += 1;
            continue;
        };
        blank(&mut out, &rest[..length]);
        at += length;
    }
    out
}

/// The length of a raw string that starts here: `r"..."`, `r#"..."#`, `br"..."`.
fn raw_string(rest: &[char]) -> Option<usize> {
    let start = usize::from(rest.first() == Some(&'b'));
    if rest.get(start) != Some(&'r') {
        return None;
    }
    let hashes = rest[start + 1..].iter().take_while(|c| **c == '#').count();
    let open = start + 1 + hashes;
    if rest.get(open) != Some(&'"') {
        return None;
    }
    let mut i = open + 1;
    while i < rest.len() {
        if rest[i] == '"' && rest[i + 1..].iter().take(hashes).filter(|c| **c == '#').count() == hashes {
            return Some(i + 1 + hashes);
        }
        i += 1;
    }
    Some(rest.len())
}

/// Blanks each item that stands below `#[cfg(test)]`.
fn without_tests(code: &str) -> String {
    let mut out = code.to_owned();
    while let Some(start) = out.find("#[cfg(test)]") {
        let body = out[start..].find(['{', ';']).map_or(out.len(), |i| start + i);
        let mut end = out.len();
        if out[body..].starts_with(';') {
            end = body + 1;
        } else {
            let mut depth = 0;
            for (i, letter) in out[body..].char_indices() {
                depth += i32::from(letter == '{') - i32::from(letter == '}');
                if depth == 0 {
                    end = body + i + 1;
                    break;
                }
            }
        }
        let blank: String = out[start..end].chars().map(|c| if c == '\n' { '\n' } else { ' ' }).collect();
        out.replace_range(start..end, &blank);
    }
    out
}

fn line_of(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

/// Each place where one of `words` stands as whole words.
fn places<'a>(text: &str, words: &[&'a str]) -> Vec<(usize, &'a str)> {
    let part_of_word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let mut found = Vec::new();
    for word in words {
        for (at, _) in text.match_indices(word) {
            let before = word.starts_with(|c: char| c.is_alphanumeric()) && part_of_word(text[..at].chars().next_back());
            let after = word.ends_with(|c: char| c.is_alphanumeric()) && part_of_word(text[at + word.len()..].chars().next());
            if !before && !after {
                found.push((line_of(text, at), *word));
            }
        }
    }
    found.sort_unstable();
    found
}

/// Who may know whom (ARCHITECTURE.md). What is not listed may know nobody.
const LAYERS: &[(&str, &[&str])] = &[
    ("error", &[]),
    ("clock", &["error"]),
    ("cancel", &["error", "clock"]),
    ("event", &["error", "clock"]),
    ("crash", &[]),
    ("api", &["error", "clock", "cancel", "event", "crash"]),
    ("journal", &["error", "clock", "crash"]),
    ("lock", &["error", "clock", "cancel", "event", "api", "journal"]),
    ("doctor", &["error", "clock", "cancel", "event", "api", "lock"]),
    ("mail", &["error", "clock", "cancel", "event", "crash"]),
    ("report", &["error", "clock", "cancel", "event"]),
    ("engine", &["error", "clock", "cancel", "event"]),
    ("sandbox", &["error", "clock", "cancel", "event"]),
    ("step", &["error", "clock", "cancel", "event"]),
    ("host", &["error", "clock", "cancel", "event", "api", "journal", "lock", "doctor", "mail", "report", "engine"]),
    ("run", &["error", "clock", "cancel", "event", "api", "journal", "lock", "doctor", "mail", "report", "engine", "host", "sandbox"]),
    ("template", &["error", "clock", "cancel", "event", "engine", "step"]),
    ("manual", &["engine", "host"]),
    ("check", &["error", "clock", "engine", "host"]),
    ("repl", &["clock", "engine", "host"]),
    (
        "cli",
        &[
            "error", "clock", "cancel", "event", "api", "journal", "lock", "doctor", "step", "engine", "host", "run", "template",
            "sandbox", "repl", "check", "manual",
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

/// Words that only some files may use: what for, the words, where they may stand.
struct Door {
    name: &'static str,
    words: &'static [&'static str],
    allowed: &'static [&'static str],
}

const DOORS: &[Door] = &[
    Door {
        name: "time (use crate::clock)",
        words: &["Instant::now", "SystemTime::now", "Timestamp::now", "Zoned::now", "tokio::time", "thread::sleep", "time::sleep"],
        allowed: &["src/clock/"],
    },
    Door {
        name: "network",
        words: &[
            "TcpStream",
            "TcpListener",
            "UdpSocket",
            "UnixStream",
            "ToSocketAddrs",
            "to_socket_addrs",
            "reqwest::Client",
            "reqwest::get",
            "axum",
            "SmtpTransport",
            "AsyncSmtpTransport",
        ],
        allowed: &["src/api/client", "src/api/tls", "src/mail", "src/sandbox/"],
    },
    Door {
        name: "stdout and stderr (use cli::ui)",
        words: &[
            "println!",
            "print!",
            "eprintln!",
            "eprint!",
            "dbg!",
            "io::stdout",
            "io::stderr",
            "stdout()",
            "stderr()",
            "ProgressDrawTarget::std",
        ],
        allowed: &["src/cli/ui.rs"],
    },
    Door { name: "unwrap (use expect with the reason, or an error)", words: &[".unwrap()"], allowed: &[] },
    Door { name: "unsafe", words: &["unsafe"], allowed: &[] },
];

fn through_a_wrong_door(door: &Door, files: &[File]) -> Vec<String> {
    let mut offenders = Vec::new();
    for file in files.iter().filter(|file| !door.allowed.iter().any(|allowed| file.path.starts_with(allowed))) {
        for (line, word) in places(&file.shipped(), door.words) {
            offenders.push(format!("{}:{line}: `{word}`: the door for {} is elsewhere: {:?}", file.path, door.name, door.allowed));
        }
    }
    offenders
}

#[test]
fn time_network_and_output_have_one_door_each() {
    let sources = sources();
    none(DOORS.iter().flat_map(|door| through_a_wrong_door(door, &sources)).collect());
}

#[test]
fn each_word_at_a_wrong_door_is_found() {
    for door in DOORS {
        for word in door.words {
            let text = format!("fn f() {{ x\n{word} }}");
            let found = through_a_wrong_door(door, &[File::new("src/host/a.rs", &text)]);
            // One word may hold another (`std::thread::sleep`); each must be found at its line.
            assert!(found.iter().any(|offender| offender.contains(&format!("src/host/a.rs:2: `{word}`"))), "{word}: {found:?}");
            for hidden in
                [format!("// {word}"), format!("fn f() {{ g(\"{word}\") }}"), format!("#[cfg(test)]\nmod t {{ fn f() {{ {word} }} }}")]
            {
                assert!(through_a_wrong_door(door, &[File::new("src/host/a.rs", &hidden)]).is_empty(), "{hidden}");
            }
            for allowed in door.allowed {
                let path = if *allowed == "src/cli/ui.rs" { (*allowed).to_owned() } else { format!("{allowed}x.rs") };
                assert!(through_a_wrong_door(door, &[File::new(&path, &text)]).is_empty(), "{path}");
            }
        }
    }
}

/// No file is longer: one sitting.
const MOST_LINES: usize = 700;

fn unreadable(files: &[File]) -> Vec<String> {
    let mut offenders = Vec::new();
    for file in files {
        if !file.text.starts_with("//!") {
            offenders.push(format!("{}: does not start with `//!` and what it is responsible for", file.path));
        }
        let lines = file.text.lines().count();
        if lines > MOST_LINES {
            offenders.push(format!("{}: {lines} lines, more than {MOST_LINES}", file.path));
        }
    }
    offenders
}

#[test]
fn files_say_what_they_are_for_and_end_soon() {
    none(unreadable(&sources()));
}

#[test]
fn a_long_or_silent_file_is_found() {
    one(&unreadable(&[File::new("src/a.rs", "use x;\n")]), "does not start");
    one(&unreadable(&[File::new("src/a.rs", &format!("//! A.\n{}", "\n".repeat(MOST_LINES)))]), "701 lines");
    assert!(unreadable(&[File::new("src/a.rs", "//! A.\n")]).is_empty());
}

fn unfinished(files: &[File]) -> Vec<String> {
    let mut offenders = Vec::new();
    for file in files {
        let code = file.code();
        let mut found = places(&code, &["todo!", "unimplemented!", "#[ignore", "#![ignore"]);
        // These stand in comments; but for the file that looks for them.
        if !file.path.ends_with("conventions.rs") {
            found.extend(places(&file.text, &["FIXME", "TODO", "XXX"]));
        }
        offenders.extend(found.into_iter().map(|(line, word)| format!("{}:{line}: `{word}`", file.path)));
    }
    offenders
}

#[test]
fn nothing_is_left_for_later_or_ignored() {
    none(unfinished(&[sources(), files("tests", "rs"), files("benches", "rs")].concat_files()));
}

#[test]
fn what_is_left_for_later_is_found() {
    one(&unfinished(&[File::new("src/a.rs", "fn f() {\n todo!() }")]), "src/a.rs:2: `todo!`");
    one(&unfinished(&[File::new("tests/a.rs", "#[test]\n#[ignore]\nfn f() {}")]), "tests/a.rs:2: `#[ignore`");
    one(&unfinished(&[File::new("src/a.rs", "// FIXME: later")]), "FIXME");
}

trait ConcatFiles {
    fn concat_files(self) -> Vec<File>;
}

impl<const N: usize> ConcatFiles for [Vec<File>; N] {
    fn concat_files(self) -> Vec<File> {
        self.into_iter().flatten().collect()
    }
}

/// Files that no `mod` leads to.
fn forgotten(files: &[File]) -> Vec<String> {
    let known: BTreeSet<&str> = files.iter().map(|file| file.path.as_str()).collect();
    let mut reached: BTreeSet<String> = BTreeSet::new();
    let mut next: Vec<String> =
        ["src/lib.rs", "src/main.rs"].iter().filter(|path| known.contains(*path)).map(|path| (*path).to_owned()).collect();
    while let Some(path) = next.pop() {
        if !reached.insert(path.clone()) {
            continue;
        }
        let Some(file) = files.iter().find(|file| file.path == path) else { continue };
        let folder = match path.strip_suffix("/mod.rs").or_else(|| path.strip_suffix("/lib.rs")).or_else(|| path.strip_suffix("/main.rs")) {
            Some(folder) => folder.to_owned(),
            None => path.trim_end_matches(".rs").to_owned(),
        };
        let code = file.code();
        for (at, _) in code.match_indices("mod ") {
            if code[..at].chars().next_back().is_some_and(|c| c.is_alphanumeric() || c == '_') {
                continue;
            }
            let rest = &code[at + 4..];
            let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            if rest[name.len()..].trim_start().starts_with(';') {
                for candidate in [format!("{folder}/{name}.rs"), format!("{folder}/{name}/mod.rs")] {
                    if known.contains(candidate.as_str()) {
                        next.push(candidate);
                    }
                }
            }
        }
    }
    known.into_iter().filter(|path| !reached.contains(*path)).map(|path| format!("{path}: no `mod` leads here")).collect()
}

#[test]
fn every_source_file_is_compiled() {
    none(forgotten(&sources()));
}

#[test]
fn a_forgotten_source_file_is_found() {
    let files = [
        File::new("src/lib.rs", "pub mod a;\n// mod c;"),
        File::new("src/a/mod.rs", "mod b;"),
        File::new("src/a/b.rs", "pub mod deep;"),
        File::new("src/a/b/deep.rs", ""),
        File::new("src/c.rs", ""),
    ];
    one(&forgotten(&files), "src/c.rs");
}

/// Scripts that the README does not name or no test runs.
fn unknown_scripts(scripts: &[File], readme: &str, tests: &[File]) -> Vec<String> {
    let mut offenders = Vec::new();
    for script in scripts {
        let name = script.path.rsplit('/').next().unwrap_or(&script.path);
        let stem = name.trim_end_matches(".rhai");
        if !readme.contains(name) {
            offenders.push(format!("{}: README.md does not name it", script.path));
        }
        if !tests.iter().any(|test| test.text.contains(&format!("\"{stem}\"")) || test.text.contains(name)) {
            offenders.push(format!("{}: no file in tests/ names it", script.path));
        }
    }
    offenders
}

#[test]
fn every_script_is_in_the_readme_and_in_the_tests() {
    none(unknown_scripts(&files("scripts", "rhai"), &readme(), &files("tests", "rs")));
}

#[test]
fn an_unknown_script_is_found() {
    let scripts = [File::new("scripts/a.rhai", ""), File::new("scripts/b.rhai", "")];
    let tests = [File::new("tests/x.rs", "run(\"a\"); run(\"scripts/b.rhai\")")];
    one(&unknown_scripts(&scripts, "see a.rhai", &tests), "scripts/b.rhai: README.md");
    one(&unknown_scripts(&scripts, "see a.rhai, b.rhai", &tests[..0]).split_off(1), "scripts/b.rhai: no file in tests/");
}

/// Embedded files that nothing in the sources names.
fn unused(data: &[File], sources: &[File]) -> Vec<String> {
    let used = |file: &File| {
        let folder = file.path.split('/').next().unwrap_or_default();
        let whole_folder = format!("include_dir!(\"$CARGO_MANIFEST_DIR/{folder}\")");
        // `include_str!` has a path from its own file: the folder and the name must be in it.
        let mut parts = file.path.rsplit('/');
        let name = parts.next().unwrap_or_default();
        let tail = format!("{}/{name}", parts.next().unwrap_or_default());
        sources.iter().any(|source| source.text.contains(&tail) || source.text.contains(&whole_folder))
    };
    data.iter().filter(|file| !used(file)).map(|file| format!("{}: no source embeds it", file.path)).collect()
}

#[test]
fn every_embedded_file_is_embedded() {
    none(unused(&[files("stdlib", "rhai"), files("src/sandbox/worlds", "toml")].concat_files(), &sources()));
}

#[test]
fn an_embedded_file_that_is_not_is_found() {
    let data = [File::new("worlds/shop.toml", ""), File::new("worlds/old.toml", ""), File::new("stdlib/x.rhai", "")];
    let sources = [
        File::new("src/a.rs", "include_str!(\"../worlds/shop.toml\")"),
        File::new("src/b.rs", "include_dir!(\"$CARGO_MANIFEST_DIR/stdlib\")"),
    ];
    one(&unused(&data, &sources), "worlds/old.toml");
}

/// Kinds of error without their row in the table of exit codes.
fn undocumented_kinds(readme: &str) -> Vec<String> {
    let row = |kind: &Kind| {
        readme.lines().filter(|line| line.trim_start().starts_with('|')).any(|line| {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            line.contains(&format!("`{kind}`")) && cells.iter().any(|cell| cell.trim_matches('`') == kind.exit_code().to_string())
        })
    };
    Kind::ALL
        .iter()
        .filter(|kind| !row(kind))
        .map(|kind| format!("README.md: no table row with `{kind}` and its exit code {}", kind.exit_code()))
        .collect()
}

#[test]
fn every_kind_of_error_is_in_the_readme() {
    none(undocumented_kinds(&readme()));
}

#[test]
fn a_kind_that_is_not_is_found() {
    let mut table = String::new();
    for kind in Kind::ALL.iter().filter(|kind| **kind != Kind::Timeout) {
        let _ = writeln!(table, "| {} | `{kind}` | {} |", kind.exit_code(), kind.meaning());
    }
    one(&undocumented_kinds(&table), "`timeout` and its exit code 3");
    one(&undocumented_kinds(&format!("{table}| 4 | `timeout` |")), "`timeout`");
    assert!(undocumented_kinds(&format!("{table}| 3 | `timeout` |")).is_empty());
}

#[test]
fn the_reader_of_sources_sees_code_only() {
    let text = "a(\"x // \\\" y\"); // b\nr#\"c \" d\"# 'e' '\\'' &'f str /* g /* h */ i */ j";
    let seen: String = code(text).split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(seen, "a( ); &'f str j");
}
