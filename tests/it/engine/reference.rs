//! What documentation, machines and other parts of the program get from the engine.

use super::sample;
use octorhai::{
    engine::{
        Config, Files, Interpreter, Source,
        docs::{entries, standard_functions},
        standard_library,
    },
    error::Kind,
};

fn source(text: &str) -> Source {
    Source { name: "main.rhai".into(), text: text.into(), files: Files::None }
}

#[test]
fn the_reference_comes_from_the_declarations() {
    let docs = entries(sample::library().docs());
    let of = |name: &str| {
        docs.iter()
            .find(|d| d.name == name)
            .unwrap_or_else(|| panic!("no `{name}` in {:?}", docs.iter().map(|d| &d.name).collect::<Vec<_>>()))
    };
    let start = of("start");
    assert_eq!(start.signature, "start(project, environment, #{...}) -> Task");
    assert_eq!(start.summary, "Starts a deployment of `project` and returns its task.");
    assert_eq!(start.example, r#"let t = start("Project A", "Test", #{timeout: "45m"});"#);
    assert_eq!((start.group.as_str(), start.options[0].name, start.params[1].takes.kind), ("act", "timeout", "text"));
    assert_eq!(of("Task.cancel").signature, "task.cancel() -> nothing");
    assert_eq!((of("Task").properties[0].name, of("Task").functions.as_slice()), ("state", &["task.cancel() -> nothing".to_owned()][..]));
    assert_eq!(of("lists::chunks").group, "std/lists");
}

#[test]
fn the_examples_of_the_standard_library_run() {
    for doc in standard_functions() {
        let interpreter = Interpreter::new(Config { library: sample::library(), ..Config::default() });
        let run = interpreter.load(&source(&doc.example)).and_then(|program| interpreter.run(&program));
        assert!(run.is_ok(), "{}: {}", doc.name, run.err().map(|f| f.render(false)).unwrap_or_default());
    }
    assert!(standard_library().count() > 0);
}

#[test]
fn a_failure_as_json_has_kind_place_and_facts() {
    let interpreter = Interpreter::new(Config { library: sample::library(), ..Config::default() });
    let program = interpreter.load(&source("fn ship(name) {\n    start(name, \"Test\")\n}\n\nship(\"Web\");\n")).expect("compiles");
    let failure = interpreter.run(&program).expect_err("no such project");
    assert_eq!(
        failure.to_json(),
        serde_json::json!({
            "kind": "not_found", "message": "there is no project `Web`", "help": ["did you mean `Project A`?"], "project": "Web",
            "file": "main.rhai", "line": 2, "column": 5,
            "trace": [
                {"file": "main.rhai", "line": 2, "column": 5, "function": "ship"},
                {"file": "main.rhai", "line": 5, "column": 1, "function": null},
            ],
        })
    );
    assert_eq!(failure.error.kind(), Kind::NotFound);
    assert!(failure.render(true).contains("\u{1b}["));
}

#[test]
fn files_of_a_program_are_the_script_and_what_it_imports_from_its_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("part.rhai"), "fn one() { 1 }").expect("writable");
    let main = source("import \"./part\" as part; import \"std/lists\" as lists; part::one()");
    let main = Source { files: Files::Folder(folder.path().to_path_buf()), ..main };
    let program = Interpreter::new(Config::default()).load(&main).expect("compiles");
    assert_eq!(program.files().collect::<Vec<_>>(), [(main.name.as_str(), main.text.as_str()), ("part.rhai", "fn one() { 1 }")]);
}

#[test]
fn an_import_cannot_leave_the_folder() {
    let outer = tempfile::tempdir().expect("a folder");
    let inner = outer.path().join("scripts");
    std::fs::create_dir(&inner).expect("writable");
    std::fs::write(outer.path().join("secret.rhai"), "fn tell() { 1 }").expect("writable");
    std::fs::write(inner.join("big.rhai"), " ".repeat((1 << 20) + 1)).expect("writable");
    #[cfg(unix)]
    std::os::unix::fs::symlink(outer.path().join("secret.rhai"), inner.join("link.rhai")).expect("a link");
    let absolute = outer.path().join("secret").display().to_string();
    let cases = [
        ("../secret", "outside"),
        ("../scripts/../secret", "outside"),
        (absolute.as_str(), "outside"),
        ("./big", "it has more than 1 MiB"),
        ("./bgi", "there is no such file"),
        #[cfg(unix)]
        ("./link", "outside"),
    ];
    for (path, says) in cases {
        // Both found while loading and, when the name is computed, while running.
        for text in [format!("import \"{path}\" as x;"), format!("let p = \"{path}\"; import p as x;")] {
            let interpreter = Interpreter::new(Config::default());
            let main = Source { files: Files::Folder(inner.clone()), ..source(&text) };
            let failure = interpreter.load(&main).and_then(|p| interpreter.run(&p)).expect_err(path);
            assert!(failure.error.message().contains(says), "{path}: {}", failure.error.message());
            assert_eq!(failure.trace[0].line, 1);
        }
    }
}
