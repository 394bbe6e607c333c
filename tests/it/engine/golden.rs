//! Scripts and what comes of them without Octopus: the cases in `tests/golden/engine_ok` and `engine_fails`, a folder each.

use super::sample;
use crate::support::golden;
use octorhai::{
    cancel::Cancel,
    clock::Clock,
    engine::{Config, Files, Hooks, Interpreter, Limits, Source, on_script_thread, params},
};
use parking_lot::Mutex;
use rhai::Dynamic;
use std::{fmt::Write, path::Path, sync::Arc};

/// What the script prints, then how it ends.
fn outcome(path: &Path) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let printed = Arc::new(Mutex::new(String::new()));
    let print = {
        let printed = printed.clone();
        Arc::new(move |text: &str| printed.lock().extend([text, "\n"]))
    };
    let source = Source {
        name: path.file_name().expect("a file").to_string_lossy().into_owned(),
        text: std::fs::read_to_string(path).expect("readable"),
        files: path.parent().map_or(Files::None, |folder| Files::Folder(folder.to_path_buf())),
    };
    let ended = on_script_thread(|| {
        let clock = Clock::virtual_at("2026-03-02T08:00:00Z".parse().expect("a timestamp"));
        let _busy = clock.enter();
        let hooks = Hooks { clock: clock.clone(), runtime: runtime.handle().clone(), cancel: Cancel::new() };
        let ctx = rhai::Map::from([("env".into(), "Test".into())]);
        // A debug build needs 17 s for the default of 50 million.
        let limits = Limits { operations: 1_000_000, ..Limits::default() };
        let interpreter = Interpreter::new(Config {
            limits,
            state: Dynamic::from(hooks),
            library: sample::library(),
            constants: vec![("ctx".into(), ctx.into())],
            print,
            ..Config::default()
        });
        let program = interpreter.load(&source)?;
        params::declarations(&program)?;
        interpreter.run(&program)
    })
    .expect("no panic");
    let mut out = printed.lock().clone();
    match ended {
        Ok(value) if value.is_unit() => out.push_str("--- exit 0\n"),
        Ok(value) => writeln!(out, "--- exit 0: {value:?}").expect("text"),
        Err(failure) => writeln!(out, "--- stderr ---\n{}\n--- exit {}", failure.render(false), failure.exit_code()).expect("text"),
    }
    out
}

fn check(area: &str) {
    golden::check(area, |case| outcome(&case.folder.join("script.rhai")));
}

#[test]
fn scripts_that_fail_say_what_where_why_and_what_now() {
    check("engine_fails");
}

#[test]
fn scripts_that_end_well() {
    check("engine_ok");
}
