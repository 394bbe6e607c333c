//! Branches: order, time, errors, cancellation.

use super::sample;
use octorhai::{
    cancel::Cancel,
    clock::Clock,
    engine::{Config, Failure, Files, Hooks, Interpreter, Source, on_script_thread},
    error::Kind,
};
use parking_lot::Mutex;
use rhai::Dynamic;
use std::sync::Arc;

struct Ended {
    result: Result<Dynamic, Failure>,
    printed: String,
    seconds: f64,
}

fn run(clock: &Clock, cancel: &Cancel, script: &str) -> Ended {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let printed = Arc::new(Mutex::new(String::new()));
    let print = {
        let printed = printed.clone();
        Arc::new(move |text: &str| printed.lock().extend([text, "\n"]))
    };
    let started = clock.now();
    let result = on_script_thread(|| {
        let _busy = clock.enter();
        let hooks = Hooks { clock: clock.clone(), runtime: runtime.handle().clone(), cancel: cancel.clone() };
        let config = Config { state: Dynamic::from(hooks), cancel: cancel.clone(), library: sample::library(), print, ..Config::default() };
        let interpreter = Interpreter::new(config);
        let program = interpreter.load(&Source { name: "main.rhai".into(), text: script.into(), files: Files::None })?;
        interpreter.run(&program)
    })
    .expect("no panic");
    let printed = printed.lock().clone();
    Ended { result, printed, seconds: clock.since(started).as_secs_f64() }
}

fn virtual_clock() -> Clock {
    Clock::virtual_at("2026-03-02T08:00:00Z".parse().expect("a timestamp"))
}

const BUSY: &str = r#"
    let seen = [];
    let results = parallel([1, 2, 3, 4, 5, 6], |n| {
        for turn in 0..3 {
            seen.push(`${branch()}:${turn}`);
            sleep("10s");
        }
        n * 10
    });
    print(seen);
    results
"#;

#[test]
fn branches_share_values_and_run_in_the_same_order_every_time() {
    let first = run(&virtual_clock(), &Cancel::new(), BUSY);
    let results = first.result.expect("ends well").into_typed_array::<i64>().expect("numbers");
    assert_eq!(results, [10, 20, 30, 40, 50, 60]);
    // Four at a time, three sleeps of 10 s each, so the last two end after 60 s.
    assert!((first.seconds - 60.0).abs() < 1e-9, "{}", first.seconds);
    assert!(first.printed.starts_with(r#"["1:0", "2:0", "3:0", "4:0", "1:1", "2:1""#), "{}", first.printed);
    for _ in 0..20 {
        assert_eq!(run(&virtual_clock(), &Cancel::new(), BUSY).printed, first.printed);
    }
}

#[test]
fn branches_within_branches_keep_the_order() {
    let script = r"
        let seen = [];
        parallel([1, 2, 3], |n| {
            seen.push(branch());
            parallel([1, 2], |m| { seen.push(branch()); sleep(`${m * n}s`); seen.push(branch()); });
            seen.push(`end ${branch()}`);
        });
        print(seen);
    ";
    let first = run(&virtual_clock(), &Cancel::new(), script);
    assert!(first.result.is_ok());
    assert!((first.seconds - 6.0).abs() < 1e-9, "{}", first.seconds);
    assert!(first.printed.contains(r#""2.1""#) && first.printed.contains(r#""end 3""#), "{}", first.printed);
    for _ in 0..20 {
        assert_eq!(run(&virtual_clock(), &Cancel::new(), script).printed, first.printed);
    }
}

#[test]
fn on_a_real_clock_branches_sleep_at_the_same_time() {
    let clock = Clock::scaled("2026-03-02T08:00:00Z".parse().expect("a timestamp"), 100.0);
    // Each waits for all the others, or there would be no end.
    let ended = run(
        &clock,
        &Cancel::new(),
        r#"let list = []; parallel([1, 2, 3, 4], |n| { for i in 0..50 { list.push(i); } while list.len() < 200 { sleep("1s"); } }); list.len()"#,
    );
    assert_eq!(ended.result.expect("ends well").as_int().expect("a number"), 200);
}

#[test]
fn the_first_error_is_raised_when_all_have_ended_and_lists_the_others() {
    let script = r#"
        parallel(["Project A", "B", "C"], |name| {
            sleep(if name == "B" { "9s" } else { "1s" });
            let t = start(name, "Test");
            print(`started ${t}`);
        })
    "#;
    let ended = run(&virtual_clock(), &Cancel::new(), script);
    let failure = ended.result.expect_err("B and C do not exist");
    assert_eq!(failure.error.kind(), Kind::NotFound);
    assert_eq!(failure.error.message(), "there is no project `B`");
    assert_eq!(failure.error.fact("errors"), Some(&serde_json::json!([{"item": 3, "message": "there is no project `C`"}])));
    let lines: Vec<usize> = failure.trace.iter().map(|f| f.line).collect();
    assert_eq!(lines, [4, 2]);
    assert!((ended.seconds - 9.0).abs() < 1e-9);
    assert_eq!(ended.printed, "started Project A → Test within PT30M (Queued)\n");
}

#[test]
fn a_cancellation_ends_all_branches_at_once() {
    let clock = Clock::real();
    let cancel = Cancel::new();
    let ended = std::thread::scope(|scope| {
        scope.spawn(|| {
            // At whatever moment it comes; most often they sleep by then.
            std::thread::sleep(std::time::Duration::from_millis(100));
            cancel.cancel("Ctrl-C");
        });
        run(
            &clock,
            &cancel,
            r#"try { parallel([1, 2, 3, 4, 5, 6], |n| { if n == 2 { loop { } } sleep("1h"); }) } catch { print("caught"); }"#,
        )
    });
    assert_eq!(ended.result.expect_err("cancelled").error.kind(), Kind::Cancelled);
    assert_eq!(ended.printed, "");
}
