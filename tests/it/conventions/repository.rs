//! The files of this repository, and the two ways in which a convention reports: no offender, or exactly the seeded one.

use super::reader;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// A file: its path from the root of the repository, with `/`, and its text.
pub struct File {
    pub path: String,
    pub text: String,
}

impl File {
    pub fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned() }
    }

    /// Whether the name ends with a dot and this.
    pub fn has_ending(&self, ending: &str) -> bool {
        has_ending(&self.path, ending)
    }

    /// Without comments and the insides of literals.
    pub fn code(&self) -> String {
        reader::code(&self.text)
    }

    /// Without these and without what is compiled for tests only.
    pub fn shipped(&self) -> String {
        reader::without_tests(&self.code())
    }
}

/// Whether a path ends with a dot and this.
pub fn has_ending(path: &str, ending: &str) -> bool {
    Path::new(path).extension().is_some_and(|have| have == ending)
}

pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// All files with `ending` under `folder`, sorted.
pub fn files(folder: &str, ending: &str) -> Vec<File> {
    files_with(folder, &[ending])
}

/// All files under `folder` that have one of the endings (`""` for none), sorted.
fn files_with(folder: &str, endings: &[&str]) -> Vec<File> {
    fn walk(folder: &Path, endings: &[&str], found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                walk(&path, endings, found);
            } else if endings.contains(&path.extension().unwrap_or_default().to_string_lossy().as_ref()) {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk(&root().join(folder), endings, &mut found);
    found.sort();
    found.iter().map(|path| read(path)).collect()
}

fn read(path: &Path) -> File {
    let text = fs::read_to_string(path).expect("a readable file");
    let path = path.strip_prefix(root()).expect("below the root").to_string_lossy().replace('\\', "/");
    File { path, text }
}

/// All that people write apart from Rust: documents, scripts, differences from a real server, clients of the conformance runs.
pub fn documents() -> Vec<File> {
    let at_the_root = ["README.md", "CONTRIBUTING.md", "ARCHITECTURE.md", "CHANGELOG.md"];
    let mut found: Vec<File> = at_the_root.iter().map(|name| read(&root().join(name))).collect();
    found.extend(["docs", "tests"].iter().flat_map(|folder| files(folder, "md")));
    found.extend(files("tests/shapes", "json"));
    found.extend(["stdlib", "scripts"].iter().flat_map(|folder| files(folder, "rhai")));
    found.extend(["conformance", ".ci"].iter().flat_map(|folder| files_with(folder, &["", "md", "py", "js", "ts", "go", "json", "toml"])));
    found
}

pub fn sources() -> Vec<File> {
    let sources = files("src", "rs");
    assert!(sources.len() > 10, "the sources were not found");
    sources
}

/// All Rust files: of the program, of the tests, of the benchmarks.
pub fn rust_files() -> Vec<File> {
    [sources(), files("tests", "rs"), files("benches", "rs")].concat_files()
}

/// `folder/path`, without `.` and `..`.
pub fn joined(folder: &str, path: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "." | "" => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

pub fn readme() -> String {
    fs::read_to_string(root().join("README.md")).expect("README.md is there")
}

pub trait ConcatFiles {
    fn concat_files(self) -> Vec<File>;
}

impl<const N: usize> ConcatFiles for [Vec<File>; N] {
    fn concat_files(self) -> Vec<File> {
        self.into_iter().flatten().collect()
    }
}

/// Fails with all of them.
#[track_caller]
pub fn none(offenders: Vec<String>) {
    assert!(offenders.is_empty(), "{} offenders:\n  {}", offenders.len(), offenders.join("\n  "));
}

/// Fails unless exactly the seeded one was found.
#[track_caller]
pub fn one(offenders: &[String], part: &str) {
    assert!(offenders.len() == 1 && offenders[0].contains(part), "the seeded offender `{part}` should be the only one: {offenders:?}");
}
