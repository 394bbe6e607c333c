//! 200 secrets of hard characters through every sink: no piece of eight characters comes out anywhere.
#![allow(clippy::print_stderr)] // the count is part of the result

use super::hard::{Finder, literal, plain, secrets};
use crate::support::{
    Ran, finish,
    ground::Ground,
    octorhai, postgres, shop,
    step::{Heard, Step},
    terminal::Terminal,
};
use octorhai::journal::{self, Journal};
use serde_json::{Value, json};
use std::{fmt::Write as _, fs, path::Path};

/// How many there are, and how many of them one run is given.
const ALL: usize = 200;
const BATCH: usize = 25;

/// What a run is given: secrets, the name of each parameter, and a server whose step fails with all of them in its error.
struct Batch {
    secrets: Vec<String>,
    finder: Finder,
    ground: Ground,
}

impl Batch {
    fn new(secrets: &[String]) -> Self {
        let error = json!(secrets.iter().map(|secret| format!("login with {secret} failed")).collect::<Vec<_>>().join(" ~ "));
        let world = shop(&[(
            "{ name = \"Verify payments\",     takes = \"4m\" }",
            &format!(
                "{{ name = \"Verify payments\", takes = \"4m\", fails = [ {{ release = \"2.0.0\", environment = \"Test\", error = {error}, log = [{error}] }} ] }}"
            ),
        )]);
        let batch = Self { secrets: secrets.to_vec(), finder: Finder::of(secrets), ground: Ground::in_world(&world) };
        let values: serde_json::Map<String, Value> =
            secrets.iter().enumerate().map(|(n, secret)| (format!("P{n}"), json!(secret))).collect();
        fs::write(batch.path("params.json"), Value::Object(values).to_string()).expect("written");
        batch
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.ground.folder.path().join(name)
    }

    /// A script that has the secrets in `all`, and after `reveal` their texts in `open`.
    fn script(&self, name: &str, body: &str) {
        let list: Vec<String> = (0..self.secrets.len()).map(|n| format!("secret(\"P{n}\")")).collect();
        self.ground.write(name, &format!("let all = [{}];\n{body}", list.join(", ")));
    }

    fn run(&self, run: &str, script: &str, more: &[&str], environment: &[(&str, &str)]) -> Ran {
        let script = format!("scripts/{script}");
        let all = [&["--params", "params.json", "--artifacts", "artifacts"], more].concat();
        self.ground.run(run, &script, &all, environment)
    }

    #[track_caller]
    fn check(&self, what: &str, ran: &Ran) {
        assert!(!ran.stderr.contains("our bug"), "{what}: {}", ran.stderr);
        for (sink, text) in [("stdout", &ran.stdout), ("stderr", &ran.stderr)] {
            self.finder.holds_none(&format!("{what}: {sink}"), text);
            for line in text.lines() {
                self.finder.holds_none(&format!("{what}: {sink}, decoded"), &plain(line));
                if let Ok(document) = serde_json::from_str::<Value>(line) {
                    self.finder.document_holds_none(&format!("{what}: {sink}, JSON"), &document);
                }
            }
        }
    }
}

/// Everything that prints, tells, keeps and fails, with the secrets in clear.
const TELLS: &str = r##"
    let open = all.map(|s| s.reveal());
    fn tried(work) {
        let got = attempt(work);
        if !got.ok { print(got.error); print(problem(got.error)); }
    }
    for (o, n) in open {
        print(o);
        print(#{text: o, list: [o, [o]]});
        print(#{text: o}.to_json());
        debug(o);
        highlight(`note: ${o}`);
        warn(o + "!");
        verbose("v " + o);
        progress(n, o);
        let rows = [#{name: o, note: `${o} and ${o}`, nested: #{inner: o}}, #{name: 1, note: 2}];
        for format in ["table", "markdown", "html", "csv", "json"] {
            print(report(rows, #{format: format, title: o, width: 24}));
        }
        print(report([o], #{width: 20}));
        tried(|| artifact(o, "text"));
        tried(|| artifact("a.txt", `the key is ${o}`));
        artifact(`masked-${n}.txt`, `the key is ${o}`, #{masked: true});
        tried(|| output("Version", o));
        tried(|| output(o, "1"));
        output("Masked", o, #{masked: true});
        tried(|| project(o));
        // These end the path or the value, so that only a part of the secret is sent.
        if !["?", "#", "&", "+", "%"].some(|sign| o.contains(sign)) {
            tried(|| get("projects/" + o));
            tried(|| get(`projects?partialName=${o}`));
        }
        tried(|| sleep(o));
        tried(|| sleep("x" + o + o + o));
        tried(|| deploy("Project A", o, "Test"));
        tried(|| wait(deploy("Project A", "latest", "Test", #{channel: o})));
        tried(|| email(#{to: o, subject: "x", body: "x"}));
        tried(|| parse_json(o));
        tried(|| fail(o));
        tried(|| { throw o; });
        tried(|| { throw #{kind: "own", message: o, more: o}; });
        tried(|| 1 + project("Project A") + o);
        tried(|| project("Project A") == o);
    }
    let comment = "";
    for o in open { comment += o + " ~ "; }
    let t = deploy("Project A", "2.0.0", "Test", #{comment: comment});
    lock("shop", || wait(t));
    print(deployments(#{limit: 1})[0].raw);
    once("k", || comment);
    remember("kept", #{comment: comment});
    print(recall("kept"));
    print("end of it");
"##;

/// The same for secrets that the script never reveals: what a server says holds them.
const HEARS: &str = r#"
    let caught = ();
    let task = deploy("Project C", "2.0.0", "Test");
    try { wait(task); } catch (err) { caught = err; }
    let raw = get(`tasks/${task.id}`);
    let said = `${raw.ErrorMessage}`;
    print(said);
    print(caught);
    print(problem(caught));
    print(report([#{error: said, other: raw.Description}], #{width: 30}));
    email(#{to: "team@example.com", subject: `failed: ${caught.message}`, body: problem(caught)});
    email(#{to: "team@example.com", subject: said, body: said, html: `<pre>${said}</pre>`, attachments: #{"raw.txt": said}});
    email(#{to: "team@example.com", subject: "rows", body: [#{error: said}]});
    for s in all {
        print(s); print("Bearer " + s); print([s]); highlight(s); warn("x" + s + 1);
        email(#{to: "team@example.com", subject: "Bearer " + s, body: s, attachments: #{"a.txt": s}});
    }
    let joined = "all: ";
    for s in all { joined += s; }
    print(joined);
    fail(said);
"#;

fn steps_of(journal: &Journal, run: &str) -> Value {
    let kept = journal.run(run).expect("read").expect("there");
    json!([format!("{:?}", kept.state), kept.new.params, kept.new.target, kept.new.options, journal.steps(run).expect("read")])
}

fn store_holds_none(batch: &Batch, what: &str, journal: &Journal, runs: &[&str]) {
    for run in runs {
        batch.finder.document_holds_none(&format!("{what}, run {run}"), &steps_of(journal, run));
    }
}

fn shown_holds_none(batch: &Batch, store: &str) {
    for arguments in [
        &["runs", "list"][..],
        &["runs", "list", "--output", "json"],
        &["runs", "show", "tells"],
        &["runs", "show", "tells", "--output", "json"],
        &["runs", "show", "hears"],
        &["runs", "show", "hears", "--output", "json"],
    ] {
        let ran = batch.ground.octorhai(arguments, &[("OCTORHAI_STORE", store)]);
        assert_eq!(ran.code, 0, "{ran:?}");
        batch.check(&format!("{arguments:?}"), &ran);
    }
}

fn mails(batch: &Batch) {
    let state = batch.ground.sandbox.get("/sandbox/state");
    let all = state["mails"].as_array().expect("a list");
    assert_eq!(all.len(), 3 + batch.secrets.len());
    for mail in all {
        let raw = mail["raw"].as_str().expect("a text");
        batch.finder.document_holds_none("a mail", mail);
        let read = mail_parser::MessageParser::default().parse(raw.as_bytes()).expect("a mail");
        batch.finder.holds_none("the subject of a mail", read.subject().expect("a subject"));
        for part in &read.parts {
            batch.finder.bytes_hold_none("a part of a mail", part.contents());
        }
    }
    assert!(state.to_string().contains("login with *** failed"), "the error of the step did not come through");
}

fn files_hold_none(batch: &Batch, folder: &Path) {
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        batch.finder.holds_none("the name of a file", &entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            files_hold_none(batch, &entry.path());
        } else {
            batch.finder.bytes_hold_none(&entry.path().display().to_string(), &fs::read(entry.path()).expect("read"));
        }
    }
}

#[test]
fn no_piece_of_a_secret_comes_out_of_a_run() {
    let all = secrets(ALL);
    for secrets in all.chunks(BATCH) {
        let batch = Batch::new(secrets);
        batch.script("tells.rhai", TELLS);
        batch.script("hears.rhai", HEARS);
        let ran = batch.run("hears", "hears.rhai", &["--verbose"], &[]);
        assert_eq!(ran.code, 1, "{}", ran.stderr);
        batch.check("run", &ran);
        mails(&batch);
        let ran = batch.run("tells", "tells.rhai", &["--verbose"], &[]);
        assert!(ran.code == 0 && ran.stdout.ends_with("end of it\n"), "{}", ran.stderr);
        assert!(ran.stdout.matches("***").count() > 10 * secrets.len(), "{}", ran.stdout);
        batch.check("run", &ran);
        let ran = batch.run("json", "tells.rhai", &["--output", "json"], &[("RUST_LOG", "trace")]);
        assert!(ran.code == 0 && ran.stderr.contains("DEBUG"), "{}", ran.stderr);
        batch.check("run --output json at trace level", &ran);
        let store = batch.path("journal");
        store_holds_none(&batch, "the journal", &batch.ground.journal(), &["hears", "tells", "json"]);
        for file in fs::read_dir(&store).expect("a folder").flatten().filter(|file| file.path().is_file()) {
            batch.finder.bytes_hold_none("the journal's file", &fs::read(file.path()).expect("read"));
        }
        shown_holds_none(&batch, store.to_str().expect("a path"));
        files_hold_none(&batch, &batch.path("artifacts"));
    }
    eprintln!(
        "{} secrets, seed {}: terminal, JSON, log at trace level, SQLite, runs list, runs show, mails, artifacts",
        all.len(),
        crate::support::octostache::seed()
    );
}

#[test]
fn no_piece_of_a_secret_comes_into_postgresql() {
    let all = secrets(ALL);
    for secrets in all.chunks(BATCH).step_by(2) {
        let batch = Batch::new(secrets);
        let store = postgres::database();
        batch.script("tells.rhai", TELLS);
        batch.script("hears.rhai", HEARS);
        for (run, code) in [("hears", 1), ("tells", 0)] {
            let ran = batch.run(run, &format!("{run}.rhai"), &[], &[("OCTORHAI_STORE", &store)]);
            assert_eq!(ran.code, code, "{}", ran.stderr);
            batch.check(run, &ran);
        }
        store_holds_none(&batch, "PostgreSQL", &journal::open(&store).expect("a store"), &["hears", "tells"]);
        shown_holds_none(&batch, &store);
    }
    eprintln!("{} secrets in PostgreSQL", all.len() / 2);
}

#[cfg(unix)]
#[test]
fn no_piece_of_a_secret_comes_out_of_a_step() {
    let all = secrets(ALL);
    for secrets in all.chunks(BATCH) {
        let batch = Batch::new(secrets);
        let names: Vec<String> = (0..secrets.len()).map(|n| format!("T.P{n}!")).collect();
        let variables: Vec<(&str, &str)> = names.iter().map(String::as_str).zip(secrets.iter().map(String::as_str)).collect();
        let list: Vec<String> = (0..secrets.len()).map(|n| format!("secret(\"P{n}\")")).collect();
        for (body, code) in [(TELLS, 0), (HEARS, 1)] {
            let step = Step::new(&batch.ground.sandbox.url, &format!("let all = [{}];\n{body}", list.join(", ")), &variables);
            let heard = step.run();
            heard.ended(code);
            heard_holds_none(&batch, &heard);
            fs::remove_file(step.folder().join("frame")).expect("it was there");
            files_hold_none(&batch, step.folder());
        }
    }
    eprintln!("{} secrets in service messages", all.len());
}

fn heard_holds_none(batch: &Batch, heard: &Heard) {
    batch.finder.bytes_hold_none("what a step says", heard.raw.as_bytes());
    let open = json!([heard.log, heard.variables, heard.artifacts, heard.progress, heard.result]);
    batch.finder.document_holds_none("messages of a step", &open);
    for (_, line) in &heard.log {
        batch.finder.holds_none("a line of a step", &plain(line));
    }
}

/// Scripts that hold the secrets as literals: frames, what is saved, and templates.
#[test]
fn no_piece_of_a_secret_comes_out_of_the_text_of_a_script() {
    let all = secrets(ALL);
    for secrets in all.chunks(BATCH) {
        let folder = tempfile::tempdir().expect("a folder");
        let finder = Finder::of(secrets);
        let names: Vec<String> = (0..secrets.len()).map(|n| format!("OCTOPUS_API_KEY_N{n}")).collect();
        let keys = || names.iter().map(String::as_str).zip(secrets.iter().map(String::as_str));
        let mut wrong = String::new();
        for secret in secrets {
            let filler = "x".repeat(200);
            let _ = writeln!(wrong, "oops({0}); oops(\"{filler}\", {0}, \"{filler}\");", literal(secret));
        }
        fs::write(folder.path().join("wrong.rhai"), &wrong).expect("written");
        fs::write(folder.path().join("right.rhai"), wrong.replace("oops(", "print(")).expect("written");
        for arguments in [
            &["run", "--sandbox", "wrong.rhai"][..],
            &["run", "--sandbox", "--no-check", "wrong.rhai"],
            &["check", "wrong.rhai"],
            &["check", "--output", "json", "wrong.rhai"],
            &["check", "--output", "sarif", "wrong.rhai"],
            &["template", "export", "right.rhai"],
            &["run", "--sandbox", "right.rhai"],
        ] {
            let ran = finish(octorhai().current_dir(folder.path()).envs(keys()).args(arguments));
            assert!(ran.code != 70, "{ran:?}");
            for text in [&ran.stdout, &ran.stderr] {
                finder.bytes_hold_none(&format!("{arguments:?}"), text.as_bytes());
            }
            if arguments[0] == "template" {
                assert!(ran.code == 2 && ran.stderr.contains("holds the text of a secret"), "{ran:?}");
                assert!(!folder.path().join("templates").exists());
            }
        }
    }
    eprintln!("{} secrets in scripts", all.len());
}

#[cfg(unix)]
#[test]
fn no_piece_of_a_secret_comes_out_of_a_session() {
    // Only what can be typed.
    let all: Vec<String> = secrets(ALL)
        .into_iter()
        .map(|secret| secret.split_whitespace().collect::<Vec<_>>().join(" "))
        .filter(|secret| secret.chars().count() >= 4)
        .collect();
    for secrets in all.chunks(BATCH * 2) {
        let folder = tempfile::tempdir().expect("a folder");
        let finder = Finder::of(secrets);
        let names: Vec<String> = (0..secrets.len()).map(|n| format!("OCTOPUS_API_KEY_N{n}")).collect();
        let keys: Vec<(&str, &str)> = names.iter().map(String::as_str).zip(secrets.iter().map(String::as_str)).collect();
        let mut terminal = Terminal::start(folder.path(), &["repl", "--sandbox", "--no-color"], &keys);
        terminal.shows("sandbox shop Default>");
        for (number, secret) in secrets.iter().enumerate() {
            terminal.enters(&format!("let x{number} = {}; {number}", literal(secret)));
            terminal.shows(&format!("\n{number}\n"));
        }
        terminal.enters(":vars");
        terminal.enters("\"said\" + 5");
        terminal.shows("\"said5\"");
        terminal.enters(":save kept");
        terminal.shows("kept.rhai");
        terminal.enters(":template kept");
        terminal.enters("6 * 7");
        terminal.shows("\n42\n");
        terminal.types("\x04");
        assert_eq!(terminal.ends(), 0);
        let history = fs::read_to_string(folder.path().join("repl-history")).expect("kept");
        assert!(history.contains("let x0 = ") && history.contains("***"), "{history}");
        for entry in walk(folder.path()) {
            finder.bytes_hold_none(&entry.display().to_string(), &fs::read(&entry).expect("read"));
        }
        assert!(folder.path().join("kept.rhai").exists());
    }
    eprintln!("{} secrets in history, :save and :template", all.len());
}

#[cfg(unix)]
fn walk(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder").flatten().map(|entry| entry.path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}
