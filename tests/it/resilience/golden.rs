//! The table of docs/reliability.md: what becomes of one write, by verb and by what goes wrong with it.

use super::verbs::{Ended, FAULTS, KILLED, VERBS, ends, killed, outcome};
use crate::support::golden;
use std::{
    collections::BTreeSet,
    fmt::Write as _,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

type Came = Result<&'static str, String>;
type Act<'a> = dyn Fn() -> Vec<Came> + Sync + 'a;

#[test]
#[allow(clippy::print_stdout, reason = "the table is for whoever runs it")]
fn every_write_is_done_once_whatever_happens_to_its_request() {
    let undisturbed: Vec<Ended> = VERBS.iter().map(|verb| ends(verb, "")).collect();
    let mut all: Vec<(usize, &str, Box<Act>)> = Vec::new();
    for (at, (verb, undisturbed)) in VERBS.iter().zip(&undisturbed).enumerate() {
        assert_eq!(undisturbed.code, 0, "{}: {}", verb.name, undisturbed.told);
        assert!(!undisturbed.writes.is_empty(), "{} writes nothing", verb.name);
        for (request, times) in &undisturbed.writes {
            for nth in 1..=(*times).min(2) {
                for (column, name, action) in FAULTS {
                    let fault = format!("\n[[faults]]\nmatch = \"{request}\"\nnth = {nth}\n{action}\n");
                    all.push((at, column, Box::new(move || vec![outcome(verb, undisturbed, name, &ends(verb, &fault))])));
                }
            }
        }
        let came = |(name, ended): (String, Ended)| outcome(verb, undisturbed, &name, &ended);
        all.push((at, KILLED, Box::new(move || killed(verb).into_iter().map(came).collect())));
    }
    let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some((verb, column, act)) = all.get(next.fetch_add(1, Ordering::SeqCst)) {
                    let came = act();
                    done.lock().expect("no panic").extend(came.into_iter().map(|came| (*verb, *column, came)));
                }
            });
        }
    });
    let done = done.into_inner().expect("no panic");
    let broken: Vec<&String> = done.iter().filter_map(|(.., came)| came.as_ref().err()).collect();
    assert!(broken.is_empty(), "{} of {} do not end as undisturbed ones:\n{broken:#?}", broken.len(), done.len());
    assert!(done.len() >= 200, "only {}", done.len());
    let table = table(&undisturbed, &done);
    println!("{table}");
    golden::part("docs/reliability.md", "<!-- verbs that write: written by the tests -->\n", "<!-- end of the verbs -->", &table);
}

/// A row for each verb, a column for each thing that goes wrong.
fn table(undisturbed: &[Ended], done: &[(usize, &str, Came)]) -> String {
    let mut columns: Vec<&str> = FAULTS.iter().map(|(column, ..)| *column).chain([KILLED]).collect();
    columns.dedup();
    let mut table = format!("| verb | its requests | {} |\n|---|---|{}\n", columns.join(" | "), "---|".repeat(columns.len()));
    for (at, verb) in VERBS.iter().enumerate() {
        let requests: Vec<String> =
            undisturbed[at].writes.keys().map(|write| format!("`{}`", write.replace("/api/Spaces-1/", ""))).collect();
        let cell = |column: &&str| {
            let came: BTreeSet<&str> =
                done.iter().filter(|(verb, of, _)| *verb == at && of == column).filter_map(|(.., came)| came.clone().ok()).collect();
            came.into_iter().collect::<Vec<_>>().join(", or ")
        };
        let cells: Vec<String> = columns.iter().map(cell).collect();
        let _ = writeln!(table, "| `{}` | {} | {} |", verb.name, requests.join(", "), cells.join(" | "));
    }
    table
}
