//! Scripts and embedded files: each is documented, tested and part of the program.

use super::repository::{ConcatFiles as _, File, files, none, one, readme, sources};

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
