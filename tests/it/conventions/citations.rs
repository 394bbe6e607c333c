//! Citations: each document and each file of the repository that a comment, a text or a document names is there.

use super::{
    known::{Offenders, beyond_the_known},
    reader::{comments, prose},
    repository::{ConcatFiles as _, File, documents, has_ending, none, root, rust_files},
};
use std::{collections::BTreeSet, fs};

/// Folders in which the name of a document without its folder is looked up, after that of the file which cites it.
const FOLDERS_OF_DOCUMENTS: &[&str] = &["", "docs/", "docs/design/", "conformance/"];

/// A path that starts with one of these is a path of this repository. Not `scripts/` and `templates/`: users have these folders too.
const FOLDERS_OF_THE_REPOSITORY: &[&str] = &["src/", "tests/", "benches/", "docs/", "conformance/", "stdlib/", "editors/", ".ci/"];

/// What the list of known offenders has in place of a path that leads out of the repository.
const OUTSIDE: &str = "a path outside of the repository";

/// The words of a text that may be paths, each with what follows it.
fn words(text: &str) -> Vec<(&str, &str)> {
    let part_of_word = |c: char| c.is_alphanumeric() || "_-./{}*$".contains(c);
    let mut found = Vec::new();
    // A line that names a public repository at a commit cites a file there.
    for line in text.lines().filter(|line| !names_a_commit(line)) {
        let mut rest = line;
        while let Some(start) = rest.find(part_of_word) {
            let end = rest[start..].find(|c| !part_of_word(c)).map_or(rest.len(), |length| start + length);
            let word = rest[start..end].trim_end_matches('.');
            // `//` begins what follows `https:`; the others stand for names that differ.
            if !word.starts_with("//") && !word.contains(['{', '}', '*', '$']) {
                found.push((word, &rest[end..]));
            }
            rest = &rest[end..];
        }
    }
    found
}

/// Whether the line has ` @ ` and a hash of Git.
fn names_a_commit(line: &str) -> bool {
    line.split(" @ ").skip(1).any(|after| after.chars().take_while(char::is_ascii_hexdigit).count() >= 7)
}

/// The number in `, §2.3` and the like.
fn section(after: &str) -> Option<&str> {
    let number = after.trim_start_matches(['`', ')', ',', ' ']).strip_prefix('§')?;
    let end = number.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(number.len());
    Some(number[..end].trim_end_matches('.')).filter(|number| !number.is_empty())
}

fn has_section(document: &str, number: &str) -> bool {
    let headings = document.lines().filter(|line| line.starts_with('#'));
    headings.flat_map(str::split_whitespace).any(|word| word.trim_start_matches('§').trim_end_matches('.') == number)
}

/// The repository, as far as a citation asks for it.
trait Repository {
    fn exists(&self, path: &str) -> bool;
    fn text(&self, path: &str) -> String;
}

struct OnDisk;

impl Repository for OnDisk {
    fn exists(&self, path: &str) -> bool {
        root().join(path).exists()
    }

    fn text(&self, path: &str) -> String {
        fs::read_to_string(root().join(path)).unwrap_or_default()
    }
}

/// What is wrong with a word of a file: the document or the section that is not there.
fn missing(file: &str, word: &str, after: &str, repository: &impl Repository) -> Option<String> {
    let folder = file.rsplit_once('/').map_or(String::new(), |(folder, _)| format!("{folder}/"));
    let is_document = word.strip_suffix(".md").is_some_and(|stem| stem.ends_with(|c: char| c.is_alphanumeric()));
    if !is_document || word.starts_with("target/") {
        // `src/mail` may be `src/mail.rs`.
        let is_ours = FOLDERS_OF_THE_REPOSITORY.iter().any(|folder| word.starts_with(folder)) && !is_document;
        let is_there = || [word.to_owned(), format!("{word}.rs"), format!("{folder}{word}")].iter().any(|path| repository.exists(path));
        return (is_ours && !is_there()).then(|| word.to_owned());
    }
    let places = std::iter::once(folder.as_str()).chain(FOLDERS_OF_DOCUMENTS.iter().copied());
    let document = places.map(|folder| format!("{folder}{word}")).find(|path| repository.exists(path));
    match (document, section(after)) {
        (None, _) => Some(word.to_owned()),
        (Some(path), Some(number)) if !has_section(&repository.text(&path), number) => Some(format!("{word} §{number}")),
        _ => None,
    }
}

/// Whether `../x` leads neither to a file beside the citing one nor to anything else in the repository.
fn leads_outside(file: &str, word: &str, repository: &impl Repository) -> bool {
    let folder = file.rsplit_once('/').map_or("", |(folder, _)| folder);
    word.starts_with("../") && !(word.matches("../").count() <= folder.split('/').count() && repository.exists(&format!("{folder}/{word}")))
}

fn uncovered(files: &[File], repository: &impl Repository) -> Offenders {
    let mut found = Offenders::new();
    for file in files {
        let is_rust = file.has_ending("rs");
        // Literals hold names of files that tests make: of those only documents count.
        let literals = if is_rust { prose(&file.text).replace("\\n", "  ") } else { String::new() };
        let remarks = if is_rust { comments(&file.text) } else { file.text.clone() };
        let documents = words(&literals).into_iter().filter(|(word, _)| has_ending(word, "md"));
        let mut cited: BTreeSet<String> =
            documents.chain(words(&remarks)).filter_map(|(word, after)| missing(&file.path, word, after, repository)).collect();
        // In the code of other languages `../x` is an import.
        let paths = words(&remarks).into_iter().filter(|_| is_rust || file.has_ending("md")).map(|(word, _)| word);
        let joined = file.text.match_indices("join(\"../").filter(|_| is_rust).map(|(at, _)| &file.text[at + "join(\"".len()..]);
        let joined = joined.filter_map(|path| path.split('"').next());
        if paths.chain(joined).any(|word| leads_outside(&file.path, word, repository)) {
            cited.insert(OUTSIDE.to_owned());
        }
        found.extend(cited.into_iter().map(|cited| (file.path.clone(), cited)));
    }
    found
}

#[test]
fn every_cited_document_is_there() {
    let mut files = [rust_files(), documents()].concat_files();
    // What is seeded below is not there.
    files.retain(|file| !file.path.ends_with("conventions/citations.rs"));
    none(beyond_the_known("citations", &uncovered(&files, &OnDisk), |file, cited| {
        format!("{file} cites {cited}, which is not in this repository: cite a document of docs/ or a public page")
    }));
}

#[test]
fn a_cited_document_that_is_not_there_is_found() {
    struct Seeded;
    impl Repository for Seeded {
        fn exists(&self, path: &str) -> bool {
            ["docs/locks.md", "src/mail.rs", "tests/a", "tests/it/support/x.rs", "tests/it/../b.rs"].contains(&path)
        }

        fn text(&self, _: &str) -> String {
            "# Locks\n## 2.1 Holders\n".to_owned()
        }
    }
    let find =
        |path: &str, text: &str| uncovered(&[File::new(path, text)], &Seeded).into_iter().map(|(_, cited)| cited).collect::<Vec<_>>();
    assert_eq!(find("src/a.rs", "// See gone.md §1.\nfn f() {}"), ["gone.md"]);
    assert_eq!(find("src/a.rs", "const A: &str = \"x\\ngone.md\";"), ["gone.md"]);
    assert_eq!(find("scripts/a.rhai", "// `docs/gone.md`"), ["docs/gone.md"]);
    assert_eq!(find("docs/a.md", "Read `src/gone.rs` and [this](locks.md)."), ["src/gone.rs"]);
    assert_eq!(find("src/a.rs", "/// locks.md §2.1, and locks.md §2.2."), ["locks.md §2.2"]);
    assert_eq!(find("tests/it/a.rs", "// See ../../../other/notes."), [OUTSIDE]);
    assert_eq!(find("tests/it/a.rs", "fn f() { root().join(\"../other\") }"), [OUTSIDE]);
    for quiet in [
        "// https://example.com/gone.md and target/gone.md, *.md, {name}.md",
        "// octo/cli @ 94e7c32e, `gone.md`",
        "// docs/locks.md, locks.md, src/mail, tests/a, support/x.rs, ../b.rs",
        "fn f() { run(\"src/made.rs\", \"../made\") }",
    ] {
        assert!(find("tests/it/a.rs", quiet).is_empty(), "{quiet}");
    }
}
