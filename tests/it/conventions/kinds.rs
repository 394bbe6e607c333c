//! Every kind of error has its row in the table of exit codes of the README.

use super::repository::{none, one, readme};
use octorhai::error::Kind;
use std::fmt::Write as _;

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
