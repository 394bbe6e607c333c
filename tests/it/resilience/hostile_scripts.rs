//! Scripts that try to abort, hang or starve the process: each is ended with a clear error, what must happen afterwards happens, and the process
//! never takes more memory than docs/security.md says.

use crate::support::{Ran, going::Going, ground::Ground, memory, octorhai_command, standalone::Standalone};
use octorhai::journal::RunState;
use std::{
    fs,
    io::Read,
    path::Path,
    process::Child,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

/// The peak that docs/security.md promises, in kB.
const PEAK: u64 = 2 << 20;

/// Something that a script does, and a piece of the error that ends it; or several, with `|` between them.
struct Hostile(&'static str, &'static str, &'static str);

const MEMORY: &str = "of memory";
const DEEP: &str = "nested more than 128 deep";
const OPERATIONS: &str = "more than 3,000,000 operations";
const TEXT: &str = "a text is longer than 16 MiB";
const ITEMS: &str = "a list has more than 1,000,000 items";
const ITEMS_OR_MEMORY: &str = "a list has more than 1,000,000 items|the script takes more than 192 MiB of memory at once";
const ITSELF: &str = "a value holds itself";

const HOSTILE: &[Hostile] = &[
    Hostile(
        "a report with a column for each of its rows",
        r#"let l = []; for i in 0..9000 { let n = #{}; n["d" + i] = 1; l.push(n); } report(l, #{format: "csv"});"#,
        "a report of 9,000 rows has 9,000 columns",
    ),
    Hostile(
        "a range of millions of versions",
        r#"let s = "1.x||"; while s.len() < 8000000 { s += s; } version_in("1.2.3", s + "1");"#,
        "10000 characters",
    ),
    Hostile("replace a character by all of the text", r#"let x = "a"; x.pad(1000000, "a"); x.replace("a", x);"#, TEXT),
    Hostile("replace that is used as a value", r#"let x = "a"; x.pad(1000000, "a"); let y = x.replace('a', x); print(y.len());"#, TEXT),
    Hostile(
        "a text with a large value six hundred times",
        "let x = \"a\"; x.pad(1000000, `0123456789`); x += x; x += x; x += x; let y = `@`; print(y.len());",
        MEMORY,
    ),
    Hostile("a text that is doubled", r#"let t = "0123456789"; loop { t += t; }"#, TEXT),
    Hostile("a text that is doubled by values in it", r#"let t = "0123456789"; loop { t = `${t}${t}`; }"#, TEXT),
    Hostile(
        "a text and a list of it",
        r#"let t = "a"; t.pad(1000000, "b"); let l = []; for i in 0..1000 { l.push(t + i); } print(l);"#,
        "a text is longer than",
    ),
    Hostile(
        "many large texts in variables of closures",
        r#"let t = "a"; t.pad(1000000, "b"); let l = []; for i in 0..100 { let m = []; for j in 0..10 { m.push(t + j); } let s = m; l.push(|| s); }"#,
        "",
    ),
    // The step that makes the millionth item takes about 192 MiB: whichever bound it is seen to pass first ends it.
    Hostile("a closure curried with itself", "let f = |x| x; loop { f = f.curry([f]); }", ITEMS_OR_MEMORY),
    Hostile("closures in closures", "let f = |x| x; loop { let g = f; f = || g; }", DEEP),
    Hostile("a list in itself, printed", "let a = []; for i in 0..6000 { a = [a]; } print(a);", DEEP),
    Hostile("a list in itself, compared", "let a = []; let b = []; for i in 0..6000 { a = [a]; b = [b]; } print(a == b);", DEEP),
    Hostile("a list in itself, dropped", "let a = []; for i in 0..400000 { a = [a]; } a = ();", DEEP),
    Hostile(
        "a list in itself behind a million items",
        "let l = []; l.pad(900000, 1); let k = || l; let a = [k]; for i in 0..400000 { a = [a]; } print(a);",
        "",
    ),
    Hostile("a map in itself, as JSON", "let m = #{}; for i in 0..6000 { m = #{m: m}; } print(m.to_json());", DEEP),
    Hostile("a list in itself, switched on", "let a = []; for i in 0..6000 { a = [a]; } switch a { 1 => print(1), _ => print(2) }", DEEP),
    Hostile("a list in itself, thrown", "let a = []; for i in 0..100 { a = [[[[[[[[[[a]]]]]]]]]]; } throw a;", DEEP),
    Hostile("a list that functions made, thrown", "fn f(n) { if n == 0 { 1 } else { [[[[[[[[f(n - 1)]]]]]]]] } } throw f(50);", DEEP),
    Hostile("a list that functions made is the result", "fn f(n) { if n == 0 { 1 } else { [[[[[[[[f(n - 1)]]]]]]]] } } f(50)", DEEP),
    Hostile(
        "a list that functions made, for a function",
        "fn f(n) { if n == 0 { 1 } else { [[[[[[[[f(n - 1)]]]]]]]] } } remember(\"x\", f(50));",
        DEEP,
    ),
    Hostile(
        "a list that functions made, reported",
        "fn f(n) { if n == 0 { 1 } else { [[[[[[[[f(n - 1)]]]]]]]] } } print(report([#{a: f(50)}]));",
        DEEP,
    ),
    Hostile("this in itself", "fn f() { loop { this = [this]; } } let a = []; a.f();", DEEP),
    Hostile("this in its own map", "let m = #{}; m.f = || loop { this.m = this; }; m.f();", ""),
    Hostile("a map that a closure in it holds, as JSON", "let m = #{}; m.f = || m; m.to_json();", ITSELF),
    Hostile("a map that a closure in it holds, switched on", "let m = #{}; m.f = || m; switch m { 1 => 1, _ => print(2) }", ITSELF),
    Hostile("a map that a closure in it holds, compared", "let m = #{}; m.f = || m; print(m == m);", ITSELF),
    Hostile("a list that is doubled", "let l = [1]; loop { l += l; }", ITEMS),
    Hostile(
        "a list that is doubled in a chain",
        "let l = []; l.pad(1000000, 1); let m = (l + l) + (l + l) + (l + l) + (l + l); print(m.len());",
        ITEMS,
    ),
    Hostile("a list of lists", "let l = []; l.pad(1000000, 1); let m = []; loop { m.push(l); }", ITEMS),
    Hostile("many variables of much", "fn f(n) { let l = []; l.pad(900000, n); let r = f(n + 1); l.len() + r } f(0);", ""),
    Hostile(
        "much in each level",
        "fn f(n) { let t = `${n}`; t.pad(1000000, `01`); t += t; t += t; let l = []; for i in 0..16 { l.push(t + i); } f(n + 1); l } f(0);",
        "",
    ),
    Hostile("a text split into characters", r#"let t = "a"; t.pad(1000000, "b"); t += t; print(t.split("").len());"#, ITEMS),
    Hostile("a text split at spaces", r#"let t = " "; t.pad(1000000, " "); t += t; print(t.split(" ").len());"#, ITEMS),
    Hostile(
        "JSON of many values",
        r#"let t = ""; t.pad(1000000, "0,"); t += t; t += t; let j = parse_json("[" + t + "0]"); print(j.len());"#,
        "JSON has more than 1,000,000 values",
    ),
    Hostile("JSON of many levels", r#"let t = ""; t.pad(1000000, "["); parse_json(t);"#, "not JSON"),
    Hostile("a text filled up", r#"let t = "a"; t.pad(1000000000000, "b");"#, "`pad` fills up to 1,000,000 at most"),
    Hostile("a loop", "loop { }", OPERATIONS),
    Hostile("a loop in a closure of a list", "[1].map(|x| { loop { } });", OPERATIONS),
    Hostile("a loop that catches", "loop { try { loop { } } catch { } }", OPERATIONS),
    Hostile("a loop that attempts and tries again", "loop { retry(9, || attempt(|| { loop { } })); }", OPERATIONS),
    Hostile("a loop in each branch", "parallel([1, 2, 3, 4], |x| { loop { } });", OPERATIONS),
    Hostile("slow calls", r#"let t = "a"; t.pad(1000000, "b"); t += t; t += t; t += t; let n = 0; loop { n += t.index_of("c"); }"#, ""),
    Hostile("a slow sort", "let l = []; for i in 0..200000 { l.push(i); } loop { l.sort(|a, b| b - a); }", ""),
    Hostile(
        "branches in branches",
        "fn f(n) { parallel([1, 2, 3, 4, 5, 6, 7, 8], |x| f(n + 1), #{width: 8}) } f(0);",
        "nested more than 64 deep",
    ),
    Hostile("calls without end", "fn f() { f() } f();", "nested more than 64 deep"),
    Hostile("a module without end", "import \"deep\" as deep; deep::run();", DEEP),
    Hostile("an error in a sort", "[3, 1, 2].sort(|x, y| { fail(\"no\") });", "no"),
    Hostile("a loop in a sort", "[3, 1, 2].sort(|x, y| { loop { } });", OPERATIONS),
    Hostile("an error in order_by", "[3, 1, 2].order_by(|x, y| { fail(\"no\") });", "no"),
    Hostile("an error in dedup", "[3, 1, 2].dedup(|x, y| { fail(\"no\") });", "no"),
    Hostile("many files", "loop { import \"deep\" as deep; }", ""),
];

/// A module that does not end.
const MODULE: &str = "fn run() { let a = []; loop { a = [a]; } }";

fn script(hostile: &Hostile) -> String {
    // Six hundred values of 8 MB in one text.
    hostile.1.replace("`@`", &format!("`{}`", "${x}".repeat(600)))
}

/// Waits for the end and watches how much memory it has taken at most, in kB. One that hangs is killed after minutes.
fn watched(mut child: Child) -> (Ran, u64) {
    let (mut out, mut err) = (child.stdout.take().expect("piped"), child.stderr.take().expect("piped"));
    let stdout = std::thread::spawn(move || {
        // A flood of output is not kept.
        let (mut text, mut piece) = (Vec::new(), vec![0; 1 << 16]);
        while let Ok(length @ 1..) = out.read(&mut piece) {
            if text.len() < 1 << 20 {
                text.extend_from_slice(&piece[..length]);
            }
        }
        String::from_utf8_lossy(&text).into_owned()
    });
    let stderr = std::thread::spawn(move || {
        let mut text = Vec::new();
        let _ended = err.read_to_end(&mut text);
        String::from_utf8_lossy(&text).into_owned()
    });
    let mut peak = 0;
    for _ in 0..60_000 {
        if let Some(status) = child.try_wait().expect("a child") {
            let ran = Ran { code: status.code().unwrap_or(-1), stdout: stdout.join().expect("read"), stderr: stderr.join().expect("read") };
            return (ran, peak);
        }
        peak = memory::most(&child).unwrap_or(peak).max(peak);
        std::thread::sleep(Duration::from_millis(10));
    }
    let _gone = child.kill();
    panic!("it hangs: {}", stderr.join().expect("read"))
}

/// Runs a script on the server at `url`, or on a sandbox of its own.
fn run(folder: &Path, name: &str, text: &str, url: Option<&str>) -> (Ran, u64) {
    let file = folder.join(format!("{}.rhai", name.replace(' ', "_")));
    fs::write(&file, text).expect("written");
    let mut command = octorhai_command();
    command.arg("run").arg(&file).args(["--max-operations", "3000000"]);
    match url {
        Some(url) => command.args(["--store", "none"]).env("OCTOPUS_URL", url).env("OCTOPUS_API_KEY", "API-SANDBOX"),
        None => command.arg("--sandbox"),
    };
    watched(command.spawn().expect("octorhai starts"))
}

/// Does it with each script, a few at a time; panics with all that went wrong.
fn each(of: impl Iterator<Item = &'static Hostile>, check: impl Fn(&'static Hostile) -> Result<(), String> + Sync) {
    let all: Vec<&Hostile> = of.collect();
    let (next, wrong) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while let Some(hostile) = all.get(next.fetch_add(1, SeqCst)) {
                    if let Err(why) = check(hostile) {
                        wrong.lock().expect("no panic").push(format!("{}: {why}", hostile.0));
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().expect("no panic");
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), all.len(), wrong.join("\n"));
}

fn judged(hostile: &Hostile, (ran, peak): &(Ran, u64)) -> Result<(), String> {
    let told = ran.code == 1 && ran.stderr.contains("error: ") && hostile.2.split('|').any(|one| ran.stderr.contains(one));
    if !told {
        return Err(format!("code {}, peak {peak} kB: {}", ran.code, ran.stderr.chars().take(2000).collect::<String>()));
    }
    if *peak > PEAK { Err(format!("it took {peak} kB")) } else { Ok(()) }
}

#[test]
fn hostile_script_ends_with_a_clear_error_below_the_ceiling_of_memory() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("deep.rhai"), MODULE).expect("written");
    each(HOSTILE.iter(), |hostile| judged(hostile, &run(folder.path(), hostile.0, &script(hostile), None)));
}

#[test]
fn after_a_hostile_script_undo_and_finally_have_run_and_the_lock_is_free() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("deep.rhai"), MODULE).expect("written");
    let server = Standalone::start("shop", &[]);
    // One of each kind; functions and imports stand in front of the whole.
    let some = HOSTILE.iter().filter(|hostile| !hostile.1.starts_with("fn ") && !hostile.1.starts_with("import"));
    each(some.step_by(4), |hostile| {
        let name = format!("in {}", hostile.0);
        let text = format!(
            "lock(`{name}`, || finally(|| saga(|s| {{\n\
               s.undo(|| print(`undone: ${{[1, 2].map(|x| x + 1)}}`));\n\
               retry(2, || parallel([1, 2], |branch| {{ {} }}));\n\
             }}), || print(`tidied: ${{[1].len()}}`)));",
            script(hostile)
        );
        let at = Some(server.url.as_str());
        let (ran, peak) = run(folder.path(), &name, &text, at);
        let tidied = ran.stdout.contains("undone: [2, 3]") && ran.stdout.contains("tidied: 1");
        judged(hostile, &(ran, peak)).and_then(|()| {
            if !tidied {
                return Err("nothing is undone or tidied".to_owned());
            }
            let free = format!("lock(`{name}`, #{{wait_up_to: `5s`}}, || print(`free`));");
            let (after, _) = run(folder.path(), &format!("after {}", hostile.0), &free, at);
            if after.stdout.contains("free") { Ok(()) } else { Err(format!("the lock is not free: {}", after.stderr)) }
        })
    });
}

#[test]
fn ctrl_c_ends_a_hostile_script_also_where_a_lock_is_held() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Standalone::start("shop", &[]);
    for (number, work) in [
        "loop { }",
        "loop { [1].for_each(|x| x + 1); }",
        "loop { try { loop { } } catch { } }",
        "let l = []; for i in 0..100000 { l.push(i); } loop { l.sort(|a, b| b - a); }",
        "let t = `a`; t.pad(1000000, `b`); loop { t.index_of(`c`); }",
        "parallel([1, 2], |x| { loop { } });",
        "finally(|| { loop { } }, || { loop { } });",
    ]
    .into_iter()
    .enumerate()
    {
        for held in [false, true] {
            let name = format!("stopped {number} {held}");
            let text = if held { format!("lock(`{name}`, || {{ print(`go`); {work} }});") } else { format!("print(`go`); {work}") };
            let file = folder.path().join(format!("{name}.rhai"));
            fs::write(&file, text).expect("written");
            let mut command = octorhai_command();
            command.arg("run").arg(&file).args(["--max-operations", "999999999999", "--store", "none"]);
            // As long as it takes on a busy machine.
            command.env("OCTOPUS_URL", &server.url).env("OCTOPUS_API_KEY", "API-SANDBOX").env("OCTORHAI_STOP_WITHIN", "10m");
            let going = Going::start(&mut command, &name);
            going.signal("-INT");
            let (code, _, err) = going.ended();
            assert!(code == Some(4) && !err.contains("did not end"), "{work}: {code:?}: {err}");
            if held {
                let free = format!("lock(`{name}`, #{{wait_up_to: `5s`}}, || print(`free`));");
                let (after, _) = run(folder.path(), &format!("after {name}"), &free, Some(&server.url));
                assert!(after.stdout.contains("free"), "{work}: {}", after.stderr);
            }
        }
    }
}

#[test]
fn journal_holds_how_a_run_ended_that_met_a_limit() {
    let more =
        r#"fn more(n) { let s = ""; s.pad(1000000, "x"); s += s; s += s; let l = []; for i in 0..50 { l.push(s + i); } more(n + 1) }"#;
    let ground = Ground::in_world("");
    for (name, functions, what, why) in [
        ("items", "", "let l = [1]; loop { l += l; }", ITEMS),
        ("operations", "", "loop {}", OPERATIONS),
        ("depth", "", "let a = []; for i in 0..6000 { a = [a]; }", DEEP),
        ("memory", more, "more(0);", MEMORY),
    ] {
        let script = format!("{functions}\nlock(\"train\", || saga(|s| {{ s.undo(|| print(\"undone\")); {what} }}));");
        ground.write(&format!("{name}.rhai"), &script);
        let ran = ground.run(name, &format!("scripts/{name}.rhai"), &["--max-operations", "3000000"], &[]);
        assert!(ran.code == 1 && ran.stdout == "undone\n" && ran.stderr.contains(why), "{name}: {ran:?}");
        assert!(matches!(ground.state(name), RunState::Failed { exit_code: 1, .. }), "{name}: {:?}", ground.state(name));
        let shown = ground.octorhai(&["runs", "show", name], &[]);
        assert!(shown.stdout.contains(why) && shown.stdout.contains("unlock"), "{name}: {}", shown.stdout);
    }
}
