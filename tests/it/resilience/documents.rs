//! What documents of the server cost: memory grows with their text, and no tree of values stays behind them.

use crate::support::{memory, octorhai_command, standalone::Standalone};
use std::{
    fs,
    io::{BufRead, BufReader},
};

/// The most memory, in bytes, that a run has had when its script has read all projects of a fleet of so many, and holds them.
fn most(projects: usize, arguments: &[&str]) -> u64 {
    let folder = tempfile::tempdir().expect("a folder");
    // The journal of the second read is written before the sleep begins.
    let script = r#"let all = projects(); let group = post("projectgroups", #{Name: "x"}); print(all.len()); sleep("1h");"#;
    fs::write(folder.path().join("x.rhai"), script).expect("written");
    let world = Standalone::start(&format!("fleet({projects})"), &[]);
    let mut command = octorhai_command();
    command.current_dir(folder.path()).env("OCTOPUS_API_KEY", "API-SANDBOX").env("OCTORHAI_STATE", folder.path());
    let mut child = command.args(["run", "--server", &world.url]).args(arguments).arg("x.rhai").spawn().expect("octorhai starts");
    let mut told = String::new();
    BufReader::new(child.stdout.as_mut().expect("piped")).read_line(&mut told).expect("read");
    let most = memory::most(&child).expect("it sleeps");
    child.kill().expect("it can be ended");
    child.wait().expect("it ends");
    assert_eq!(told.trim(), projects.to_string());
    most << 10
}

#[test]
fn memory_of_projects_grows_with_their_text() {
    // A project of a fleet is 2.7 KB of text. Its typed members and the page that it came in are there once more; a tree of its values
    // takes 25 KB, and one in the record as much again.
    for (name, arguments, limit) in
        [("without a journal", &["--store", "none"][..], 10_000), ("with a journal", &["--store", "journal"][..], 22_000)]
    {
        let counts = [2000, 4000, 8000];
        let most = counts.map(|count| most(count, arguments));
        let each = (most[2] - most[0]) / 6000;
        assert!((2_700..limit).contains(&each), "{name}: {each} bytes a project; {most:?} for {counts:?}");
        let (first, second) = (most[1] - most[0], most[2] - most[1]);
        assert!(second < 3 * first, "{name}: twice as many projects took {first} and then {second} bytes more");
    }
}
