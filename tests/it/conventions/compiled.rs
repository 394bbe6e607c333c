//! Every source file is compiled: some target of `Cargo.toml` leads to it.

use super::{
    reader::code,
    repository::{File, joined, none, one, root, rust_files},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};
use toml::{Table, Value};

/// The sources at which a target starts, as Cargo finds them.
fn roots_of_targets(manifest: &str, known: &BTreeSet<&str>) -> Vec<String> {
    let manifest: Table = manifest.parse().expect("Cargo.toml is TOML");
    let package = manifest.get("package").and_then(Value::as_table);
    let automatic = |key: &str| package.and_then(|package| package.get(key)).and_then(Value::as_bool) != Some(false);
    let mut roots = Vec::new();
    let library = manifest.get("lib").and_then(|library| library.get("path")).and_then(Value::as_str);
    roots.push(library.unwrap_or("src/lib.rs").to_owned());
    for (kind, folder, switch) in [
        ("bin", "src/bin", "autobins"),
        ("test", "tests", "autotests"),
        ("bench", "benches", "autobenches"),
        ("example", "examples", "autoexamples"),
    ] {
        for target in manifest.get(kind).and_then(Value::as_array).into_iter().flatten() {
            let name = target.get("name").and_then(Value::as_str).unwrap_or_default();
            match target.get("path").and_then(Value::as_str) {
                Some(path) => roots.push(path.to_owned()),
                None => roots.extend([format!("{folder}/{name}.rs"), format!("{folder}/{name}/main.rs")]),
            }
        }
        if automatic(switch) {
            roots.extend(known.iter().filter(|path| is_automatic_root(path, folder)).map(|path| (*path).to_owned()));
        }
    }
    if automatic("autobins") {
        roots.push("src/main.rs".to_owned());
    }
    roots.retain(|root| known.contains(root.as_str()));
    roots
}

/// Whether Cargo takes `folder/x.rs` or `folder/x/main.rs` as a target by itself.
fn is_automatic_root(path: &str, folder: &str) -> bool {
    let Some(below) = path.strip_prefix(folder).and_then(|below| below.strip_prefix('/')) else { return false };
    match below.split_once('/') {
        None => true,
        Some((_, rest)) => rest == "main.rs",
    }
}

/// The modules that a source declares with `mod x;`: name and, if it has one, the text of `#[path = "..."]`.
fn declared_modules(text: &str) -> Vec<(String, Option<String>)> {
    let code = code(text);
    let mut found = Vec::new();
    for (at, _) in code.match_indices("mod ") {
        if code[..at].chars().next_back().is_some_and(|c| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let rest = &code[at + 4..];
        let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        if !rest[name.len()..].trim_start().starts_with(';') {
            continue;
        }
        // The attributes of the declaration: all that follows the end of the item before.
        let start = code[..at].rfind([';', '}']).map_or(0, |end| end + 1);
        let path = code[start..at].find("#[path").and_then(|attribute| text[start + attribute..at].split('"').nth(1)).map(str::to_owned);
        found.push((name, path));
    }
    found
}

/// Files that no target leads to.
fn forgotten(manifest: &str, files: &[File]) -> Vec<String> {
    let texts: BTreeMap<&str, &str> = files.iter().map(|file| (file.path.as_str(), file.text.as_str())).collect();
    let known: BTreeSet<&str> = texts.keys().copied().collect();
    // The folder of a file's modules is its own folder for roots, `mod.rs` and what `#[path]` names; else that of its name.
    let mut next: Vec<(String, bool)> = roots_of_targets(manifest, &known).into_iter().map(|root| (root, true)).collect();
    let mut reached: BTreeSet<(String, bool)> = BTreeSet::new();
    while let Some((path, owns_folder)) = next.pop() {
        let Some(text) = texts.get(path.as_str()) else { continue };
        if !reached.insert((path.clone(), owns_folder)) {
            continue;
        }
        let own_folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let folder = if owns_folder { own_folder } else { path.trim_end_matches(".rs") };
        for (name, attribute) in declared_modules(text) {
            match attribute {
                Some(attribute) => next.push((joined(own_folder, &attribute), true)),
                None => next.extend([(format!("{folder}/{name}.rs"), false), (format!("{folder}/{name}/mod.rs"), true)]),
            }
        }
    }
    let reached: BTreeSet<&str> = reached.iter().map(|(path, _)| path.as_str()).collect();
    known.difference(&reached).map(|path| format!("{path}: no target of Cargo.toml leads to this file")).collect()
}

#[test]
fn every_source_file_is_compiled() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).expect("Cargo.toml is there");
    none(forgotten(&manifest, &rust_files()));
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
    one(&forgotten("", &files), "src/c.rs");
}

#[test]
fn a_forgotten_test_file_is_found() {
    let files = |paths: &[(&str, &str)]| paths.iter().map(|(path, text)| File::new(path, text)).collect::<Vec<_>>();
    let tests = files(&[
        ("tests/it/main.rs", "mod lock;\n/// mod gone;\n#[path = \"../support/world.rs\"]\nmod world;"),
        ("tests/it/lock/mod.rs", "mod held;"),
        ("tests/it/lock/held.rs", "fn f() {}"),
        ("tests/support/world.rs", "mod shop;"),
        ("tests/support/shop.rs", ""),
        ("tests/late.rs", ""),
    ]);
    let named = "[package]\nautotests = false\n[[test]]\nname = \"it\"\n";
    one(&forgotten(named, &tests), "tests/late.rs");
    assert!(forgotten("[package]\nname = \"a\"", &tests).is_empty(), "Cargo finds tests/late.rs and tests/it/main.rs by itself");
    let late = format!("{named}[[test]]\nname = \"late\"\npath = \"tests/late.rs\"\n");
    assert!(forgotten(&late, &tests).is_empty());

    let silent = files(&[("tests/it/main.rs", "mod a;"), ("tests/it/a.rs", ""), ("tests/it/b.rs", "")]);
    one(&forgotten("", &silent), "tests/it/b.rs");
    one(&forgotten("", &files(&[("tests/support/mod.rs", "")])), "tests/support/mod.rs");
    one(&forgotten("[package]\nautobenches = false", &files(&[("benches/a.rs", "")])), "benches/a.rs");
}
