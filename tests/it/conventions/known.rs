//! Lists of known offenders, in `known/`: a list may become shorter, never longer.
//!
//! A line is `key: value, value`; lines that start with `#` say what the list is. `cargo bless` strikes what is no longer found;
//! it never adds anything.

use super::repository::{one, root};
use crate::support::golden;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::PathBuf,
};

/// Offenders by key, such as the files that a file uses, or the documents that it cites.
pub type Offenders = BTreeSet<(String, String)>;

fn path_of(list: &str) -> PathBuf {
    root().join("tests/it/conventions/known").join(format!("{list}.txt"))
}

fn parse(text: &str) -> Offenders {
    let lines = text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once(": "));
    lines.flat_map(|(key, values)| values.split(", ").map(|value| (key.to_owned(), value.trim().to_owned()))).collect()
}

fn print(head: &str, offenders: &Offenders) -> String {
    let mut lines: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (key, value) in offenders {
        lines.entry(key).or_default().push(value);
    }
    let mut text: String = head.lines().filter(|line| line.starts_with('#')).fold(String::new(), |text, line| text + line + "\n");
    for (key, values) in lines {
        let _ = writeln!(text, "{key}: {}", values.join(", "));
    }
    text
}

/// What was found and is not listed, and what is listed and was not found.
fn differences(list: &str, listed: &Offenders, found: &Offenders, describe: impl Fn(&str, &str) -> String) -> Vec<String> {
    let new = found.difference(listed).map(|(key, value)| describe(key, value));
    let gone = listed
        .difference(found)
        .map(|(key, value)| format!("known/{list}.txt: `{key}: {value}` is over; strike it from the list (`cargo bless` does this)"));
    new.chain(gone).collect()
}

/// Compares `found` with the known list; `describe` says what is wrong with a new offender and what to do.
pub fn beyond_the_known(list: &str, found: &Offenders, describe: impl Fn(&str, &str) -> String) -> Vec<String> {
    let text = fs::read_to_string(path_of(list)).expect("the list is there");
    let mut listed = parse(&text);
    if golden::blesses() {
        listed = listed.intersection(found).cloned().collect();
        fs::write(path_of(list), print(&text, &listed)).expect("the list can be written");
    }
    differences(list, &listed, found, describe)
}

#[test]
fn a_list_of_known_offenders_may_only_become_shorter() {
    let offenders = |text: &str| parse(text);
    let listed = offenders("# Known.\na.rs: b.rs, c.rs\nb.rs: a.rs\n");
    let compare = |found: &str| differences("circles", &listed, &offenders(found), |key, value| format!("new: {key} → {value}"));
    assert!(compare("a.rs: b.rs, c.rs\nb.rs: a.rs").is_empty());
    one(&compare("a.rs: b.rs, c.rs\nb.rs: a.rs, c.rs"), "new: b.rs → c.rs");
    one(&compare("a.rs: b.rs\nb.rs: a.rs"), "known/circles.txt: `a.rs: c.rs` is over");
    assert_eq!(print("# Known.\na.rs: x.rs\n", &listed), "# Known.\na.rs: b.rs, c.rs\nb.rs: a.rs\n");
}
