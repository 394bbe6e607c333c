//! Texts that are kept in the repository and held against what is made now: cases in `tests/golden/`, generated documents.
//!
//! `cargo bless` (the tests again, with `OCTORHAI_BLESS=1`) writes all of them anew; read the difference before you commit it. Tests that use
//! this stand in modules called `golden`, which is how that command finds them.

use super::root;
use std::{
    fmt::Write as _,
    fs,
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

/// Words of Rhai and Rust that mean nothing to users.
pub const INTERNALS: [&str; 25] = [
    "Dynamic",
    "alloc::",
    "core::",
    "std::",
    "i64",
    "f64",
    "u64",
    "usize",
    "EvalAltResult",
    "ErrorRuntime",
    "Runtime error",
    "ErrorDot",
    "ErrorFunction",
    "ErrorIn",
    "Function not found",
    "Variable not found",
    "Data type incorrect",
    "getter",
    "setter",
    "anon$",
    "octorhai::",
    "ImmutableString",
    "SignedDuration",
    "os error",
    "Error(",
];

/// A case of an area: a folder with what it needs and the file `out`, what must come of it.
pub struct Case {
    pub name: String,
    pub folder: PathBuf,
}

impl Case {
    /// A file of the case.
    pub fn read(&self, file: &str) -> String {
        fs::read_to_string(self.folder.join(file)).unwrap_or_else(|error| panic!("{}/{file}: {error}", self.name))
    }

    /// What must come of it.
    pub fn out(&self) -> String {
        fs::read_to_string(self.folder.join("out")).unwrap_or_default()
    }
}

/// More cases than this are in each area: a folder that is no longer found, or half empty, is not green.
const CASES: [(&str, usize); 4] = [("cli", 50), ("engine_fails", 1), ("engine_ok", 1), ("mistakes", 60)];

/// The cases in `tests/golden/<area>/`, sorted by name.
pub fn cases(area: &str) -> Vec<Case> {
    let folder = root().join("tests/golden").join(area);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())).flatten();
    let mut cases: Vec<Case> =
        entries.map(|entry| Case { name: entry.file_name().to_string_lossy().into_owned(), folder: entry.path() }).collect();
    cases.sort_by(|a, b| a.name.cmp(&b.name));
    let (_, known) = CASES.iter().find(|(name, _)| *name == area).expect("the area is listed");
    assert!(cases.len() > *known, "only {} cases in {}", cases.len(), folder.display());
    cases
}

/// Holds each case of an area against its `out`. No `out` has a word of Rhai or Rust in it.
#[track_caller]
pub fn check(area: &str, outcome: impl Fn(&Case) -> String) {
    let mut wrong = String::new();
    for case in cases(area) {
        let got = outcome(&case);
        if blesses() {
            fs::write(case.folder.join("out"), &got).expect("writable");
        }
        let wanted = case.out();
        if got != wanted {
            let _ = writeln!(wrong, "=== {area}/{}\n--- wanted\n{wanted}\n--- got\n{got}", case.name);
        }
        for word in internals(&got) {
            let _ = writeln!(wrong, "{area}/{} shows `{word}`, which is not a word of users:\n{got}", case.name);
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// The words of Rhai and Rust in a text for users.
pub fn internals(text: &str) -> impl Iterator<Item = &'static str> {
    INTERNALS.into_iter().filter(|word| text.contains(word))
}

/// Whether files are written instead of compared.
pub fn blesses() -> bool {
    std::env::var_os("OCTORHAI_BLESS").is_some()
}

/// Holds a whole file of the repository against what is made now.
#[track_caller]
pub fn file(path: &str, wanted: &str) {
    let file = root().join(path);
    if blesses() {
        fs::create_dir_all(file.parent().expect("a folder")).expect("made");
        fs::write(&file, wanted).expect("written");
        return;
    }
    let have = fs::read_to_string(&file).unwrap_or_default();
    let same = have.lines().zip(wanted.lines()).take_while(|(a, b)| a == b).count();
    assert!(
        have == wanted,
        "{path}:{} is stale; `cargo bless` writes it anew\n  there:  {:?}\n  wanted: {:?}",
        same + 1,
        have.lines().nth(same),
        wanted.lines().nth(same)
    );
}

/// Holds the part of a file of the repository between two lines against what is made now.
#[track_caller]
pub fn part(path: &str, begin: &str, end: &str, wanted: &str) {
    // Several tests may write parts of one file.
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let text = fs::read_to_string(root().join(path)).expect("the file is there");
    let (before, rest) = text.split_once(begin).unwrap_or_else(|| panic!("{path} has no {begin:?}"));
    let (_, after) = rest.split_once(end).unwrap_or_else(|| panic!("{path} has no {end:?}"));
    file(path, &format!("{before}{begin}{wanted}{end}{after}"));
}
