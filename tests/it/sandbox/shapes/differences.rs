//! `conformance/DIFFERENCES.md`: every difference that is left, with the reason people gave for it.

use super::{
    check::{Difference, Differences},
    schema::at,
};
use std::{collections::BTreeMap, fmt::Write};

/// Where the list is.
pub const FILE: &str = "conformance/DIFFERENCES.md";

const HEAD: &str = "\
# Where the sandbox differs from a real Octopus Server

Made by `cargo bless`, which walks through everything the sandbox answers and compares it with the
schema of Octopus Server 2021.2 (`tests/payloads/openapi-pruned.json`), with what was added since (`tests/shapes/additions.json`, each with
its source) and with real bodies (`tests/payloads`). The reasons are written by people and kept. A test fails when a line is missing, is
no longer true, or has no reason.

";

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

/// The reasons that are written down.
pub fn reasons() -> BTreeMap<Difference, String> {
    let text = std::fs::read_to_string(at(FILE)).unwrap_or_default();
    let mut found = BTreeMap::new();
    for line in text.lines().filter(|l| l.starts_with("| ") && !l.starts_with("| Definition")) {
        let escaped = line.replace("\\|", "\u{1}");
        let cells: Vec<String> = escaped.trim().trim_matches('|').split('|').map(|c| c.trim().replace('\u{1}', "|")).collect();
        if let [definition, property, what, why] = &cells[..] {
            let difference = Difference { definition: definition.clone(), property: property.clone(), what: what.clone() };
            found.insert(difference, why.clone());
        }
    }
    found
}

/// The file as it must be.
pub fn file(found: &Differences, reasons: &BTreeMap<Difference, String>) -> String {
    let mut text = HEAD.to_owned();
    if found.is_empty() {
        text.push_str("There is none.\n");
        return text;
    }
    text.push_str("| Definition | Property | What | Why |\n|---|---|---|---|\n");
    for d in found {
        let why = reasons.get(d).map_or("", String::as_str);
        let _ = writeln!(text, "| {} | {} | {} | {} |", cell(&d.definition), cell(&d.property), cell(&d.what), cell(why));
    }
    text
}
