//! What differs between operating systems stands in `src/platform/` only: elsewhere no code asks which system it was built for.

use super::{
    known,
    reader::places,
    repository::{File, none, sources},
};

/// Each asks which system it is, as an attribute or as a condition.
const WORDS: &[&str] = &[
    "cfg(unix",
    "cfg(windows",
    "cfg(target_os",
    "cfg(target_family",
    "cfg!(",
    "cfg_attr(unix",
    "cfg_attr(windows",
    "cfg(any(",
    "cfg(not(",
    "cfg(all(",
];

/// What they ask for, in the same attribute or condition.
const SYSTEMS: &[&str] = &["unix", "windows", "target_os", "target_family"];

fn askers(files: &[File]) -> known::Offenders {
    let mut found = known::Offenders::new();
    for file in files.iter().filter(|file| !file.path.starts_with("src/platform/")) {
        let code = file.shipped();
        let lines: Vec<&str> = code.lines().collect();
        for (line, _) in places(&code, WORDS) {
            // Tests that only one system can run stand beside what they test.
            let asked = lines.get(line - 1).copied().filter(|line| !line.contains("all(test")).unwrap_or_default();
            found.extend(SYSTEMS.iter().filter(|system| asked.contains(*system)).map(|system| (file.path.clone(), (*system).to_owned())));
        }
        // Modules of the standard library that other systems do not have.
        found.extend(
            places(&code, &["os::unix", "os::windows", "os::linux", "nix::"])
                .into_iter()
                .map(|(_, word)| (file.path.clone(), word.to_owned())),
        );
    }
    found
}

#[test]
fn systems_are_told_apart_in_one_folder() {
    let found = askers(&sources());
    none(known::beyond_the_known("systems", &found, |file, word| {
        format!("{file}: `{word}`: what differs between systems belongs into src/platform/, one file per matter")
    }));
}

#[test]
fn each_way_to_ask_for_the_system_is_found() {
    let seeded = |text: &str| askers(&[File::new("src/host/a.rs", text)]);
    for asking in [
        "#[cfg(unix)]\nfn f() {}",
        "#[cfg(windows)]\nfn f() {}",
        "#[cfg(not(unix))]\nfn f() {}",
        "#[cfg(all(unix, feature = \"x\"))]\nfn f() {}",
        "#[cfg(any(target_os = \"linux\"))]\nfn f() {}",
        "#[cfg(target_os = \"linux\")]\nfn f() {}",
        "fn f() { if cfg!(windows) {} }",
        "fn f() { if cfg!(not(unix)) {} }",
        "use std::os::unix::fs::MetadataExt as _;",
        "fn f() { std::os::windows::g() }",
        "fn f() { nix::g() }",
    ] {
        assert!(!seeded(asking).is_empty(), "{asking}");
        assert!(askers(&[File::new("src/platform/a.rs", asking)]).is_empty());
        assert!(seeded(&format!("#[cfg(test)]\nmod tests {{\n{asking}\n}}")).is_empty(), "{asking}");
    }
    for other in [
        "#[cfg(debug_assertions)]\nfn f() {}",
        "const A: bool = cfg!(debug_assertions);",
        "#[cfg(all(test, unix))]\nmod tests {}",
        "// cfg(unix)",
        "fn f() { unix(\"cfg(unix)\") }",
    ] {
        assert!(seeded(other).is_empty(), "{other}");
    }
}
