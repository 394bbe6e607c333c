//! A disk that is full or broken, once or for a while, at every write and sync of the journal.

use super::{End, play::Ground, quiet::Quiet, rule};
use std::{path::PathBuf, process::Command, sync::OnceLock};

/// The library that is preloaded: compiled once, by the compiler that the linker of this program needs anyway.
fn shim() -> &'static PathBuf {
    static SHIM: OnceLock<PathBuf> = OnceLock::new();
    SHIM.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a folder").keep();
        let (source, library) = (folder.join("shim.c"), folder.join("shim.so"));
        std::fs::write(&source, include_str!("shim.c")).expect("written");
        let made = Command::new("cc").args(["-shared", "-fPIC", "-O1", "-Wall", "-o"]).args([&library, &source]).arg("-ldl").output();
        let made = made.unwrap_or_else(|error| panic!("this test needs a C compiler, `cc`, as Rust's linker does: {error}"));
        assert!(made.status.success(), "cc: {}", String::from_utf8_lossy(&made.stderr));
        library
    })
}

/// How writes fail.
#[derive(Clone, Copy)]
struct Kind {
    name: &'static str,
    errno: &'static str,
    /// How many calls fail, one after the other.
    count: u64,
}

/// As many as a run never makes.
const ALL: u64 = 1_000_000;

const KINDS: &[Kind] = &[
    Kind { name: "disk full once", errno: "ENOSPC", count: 1 },
    Kind { name: "disk broken once", errno: "EIO", count: 1 },
    Kind { name: "disk full for 4 calls", errno: "ENOSPC", count: 4 },
    Kind { name: "disk broken for 4 calls", errno: "EIO", count: 4 },
    Kind { name: "disk full from then on", errno: "ENOSPC", count: ALL },
];

/// The calls that an undisturbed run makes.
fn calls(quiet: &Quiet) -> Vec<String> {
    let mut ground = Ground::new(&quiet.scene, quiet.measured);
    let log = start(&mut ground, 0, KINDS[0]);
    assert!(ground.is_over(), "{}, undisturbed\n{}", quiet.name(), ground.talk());
    assert!(log.iter().any(|call| call.contains("sync")), "is the library preloaded? {log:?}");
    log
}

/// The calls that matter, counted from 1: of those that write page after page the first and the last. A store is made in the
/// same way for every scene: that is tried `with_making` only.
fn telling(calls: &[String], with_making: bool) -> Vec<usize> {
    let is_inner = |at: usize| at > 0 && calls.get(at + 1) == Some(&calls[at]) && calls[at - 1] == calls[at];
    let is_making = |at: usize| calls[at].contains("runs.sqlite.new");
    (0..calls.len()).filter(|at| !is_inner(*at) && (with_making || !is_making(*at))).map(|at| at + 1).collect()
}

/// A call that fails.
pub struct Point<'a> {
    quiet: &'a Quiet,
    kind: Kind,
    nth: usize,
}

impl Point<'_> {
    /// For a fixed order.
    pub fn place(&self) -> (String, usize) {
        (self.quiet.name(), self.nth)
    }
}

/// All calls of a scene, and what can go wrong with each.
pub fn points(quiet: &Quiet, with_making: bool) -> Vec<Point<'_>> {
    let all = telling(&calls(quiet), with_making);
    all.into_iter().flat_map(|nth| KINDS.iter().map(move |kind| Point { quiet, kind: *kind, nth })).collect()
}

/// Starts the run with a disk that fails from the n-th call on; the calls it made.
fn start(ground: &mut Ground<'_>, nth: usize, kind: Kind) -> Vec<String> {
    let log = ground.folder().join("calls");
    let mut command = ground.command();
    command
        .env("LD_PRELOAD", shim())
        .env("OCTORHAI_TEST_FAIL_PATH", &ground.store)
        .env("OCTORHAI_TEST_FAIL_NTH", nth.to_string())
        .env("OCTORHAI_TEST_FAIL_COUNT", kind.count.to_string())
        .env("OCTORHAI_TEST_FAIL_ERRNO", kind.errno)
        .env("OCTORHAI_TEST_FAIL_LOG", &log);
    if kind.count == ALL {
        // It is of no use to wait.
        command.env("OCTORHAI_STORE_PATIENCE", "2s");
    }
    ground.run(command);
    std::fs::read_to_string(log).unwrap_or_default().lines().map(str::to_owned).collect()
}

impl super::Point for Point<'_> {
    fn quiet(&self) -> &Quiet {
        self.quiet
    }

    fn kind(&self) -> &'static str {
        self.kind.name
    }

    fn play(&self) -> End {
        let mut ground = Ground::new(&self.quiet.scene, self.quiet.measured);
        let log = start(&mut ground, self.nth, self.kind);
        let hit = log.iter().find(|call| call.starts_with('!')).cloned().unwrap_or_else(|| "none: it made fewer".to_owned());
        // A letter that could not be noted is sent again, with the same Message-ID.
        let wrong = rule::ended(self.quiet, &mut ground, true);
        End { at: format!("call {}, {hit}", self.nth), wrong, talk: ground.talk() }
    }
}
