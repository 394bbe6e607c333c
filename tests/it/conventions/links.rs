//! Links of documents: each leads to a file of the repository, and to a heading there.

use super::repository::{File, documents, joined, none, one, root};
use std::{collections::BTreeMap, fs};

/// The lines of a document outside of blocks of code.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut in_block = false;
    text.lines().enumerate().filter_map(move |(index, line)| {
        let fence = line.trim_start().starts_with("```");
        in_block ^= fence;
        (!in_block && !fence).then_some((index + 1, line))
    })
}

/// The anchors that GitHub gives to the headings.
fn anchors(text: &str) -> Vec<String> {
    let headings =
        lines(text).filter(|(_, line)| line.starts_with('#')).map(|(_, line)| line.trim_start_matches('#').trim().to_lowercase());
    let kept = |c: &char| c.is_alphanumeric() || ['-', '_', ' '].contains(c);
    headings.map(|heading| heading.chars().filter(kept).collect::<String>().replace(' ', "-")).collect()
}

fn broken(files: &[File], exists: impl Fn(&str) -> bool) -> Vec<String> {
    let texts: BTreeMap<&str, &str> = files.iter().map(|file| (file.path.as_str(), file.text.as_str())).collect();
    let mut offenders = Vec::new();
    for file in files.iter().filter(|file| file.has_ending("md")) {
        let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        for (line, text) in lines(&file.text) {
            for link in text.split("](").skip(1).filter_map(|link| link.split([')', ' ']).next()) {
                if link.contains("://") || link.starts_with("mailto:") {
                    continue;
                }
                let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
                let path = if path.is_empty() { file.path.clone() } else { joined(folder, path) };
                let here = format!("{}:{line}: the link `{link}`", file.path);
                if !exists(&path) {
                    offenders.push(format!("{here} leads to no file"));
                } else if !anchor.is_empty() && texts.get(path.as_str()).is_some_and(|text| !anchors(text).iter().any(|a| a == anchor)) {
                    offenders.push(format!("{here} leads to no heading of {path}"));
                }
            }
        }
    }
    offenders
}

#[test]
fn every_link_of_a_document_leads_somewhere() {
    none(broken(&documents(), |path| fs::exists(root().join(path)).unwrap_or_default()));
}

#[test]
fn a_broken_link_is_found() {
    let find = |text: &str| broken(&[File::new("docs/locks.md", text)], |path| ["docs/locks.md", "README.md"].contains(&path));
    one(&find("# A\nsee [b](gone.html)"), "docs/locks.md:2: the link `gone.html` leads to no file");
    one(&find("[b](README.md)"), "leads to no file");
    one(&find("# Held `twice`!\n[a](#held-twice) [b](#held)"), "the link `#held` leads to no heading of docs/locks.md");
    assert!(find("[a](../README.md#x) [b](locks.md) [c](https://a.b/c)\n```\n[d](gone.html)\n```").is_empty());
}
