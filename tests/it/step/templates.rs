//! Step templates: whatever a script says survives Octopus and the launcher; templates are fresh, linted, pushed, packed.

use super::param;
use crate::support::{
    self, Ran, cases,
    ground::{Ground, told},
    octorhai, root, shop,
};
use octorhai::{
    engine::params::ParamDecl,
    step::frame::{END, Frame, PROTOCOL, SCRIPT},
    template::{Script, Shell, export, lint},
};
use proptest::{prelude::*, sample::select};
use serde_json::{Value, json};
use std::{fs, io::Read};

/// What Octopus makes of a text (octopus-step-contract.md §1.3), with every name known: nothing may be changed by it. Written anew
/// from the contract; the sandbox has its own.
fn evaluated(text: &str) -> String {
    let mut out = String::new();
    let letters: Vec<char> = text.chars().collect();
    let mut at = 0;
    while at < letters.len() {
        let run = letters[at..].iter().take_while(|c| **c == '#').count();
        let rest = &letters[at + run..];
        if run > 0 && rest.first() == Some(&'{') {
            // Pairs, of which the last is the escape; or an expression.
            let inside: String = rest[1..].iter().take_while(|c| **c != '}').collect();
            let ends = rest.get(1 + inside.chars().count()) == Some(&'}');
            let is_name = !inside.trim().is_empty()
                && inside.chars().all(|c| c.is_alphanumeric() || c.is_whitespace() || "_-:/~()@.[]|\"".contains(c));
            let nothing: Vec<char> = "{if _}#{/if}".chars().collect();
            at += run;
            if run % 2 == 0 {
                out.push_str(&"#".repeat(run - 1));
            } else {
                out.push_str(&"#".repeat(run.saturating_sub(2)));
                if rest.starts_with(&nothing) {
                    at += nothing.len();
                } else if ends && is_name {
                    out.push_str("VALUE");
                    at += 2 + inside.chars().count();
                } else {
                    out.push('#');
                }
            }
        } else {
            out.push(letters[at]);
            at += 1;
        }
    }
    out
}

/// Texts of the pieces that break things.
fn nasty() -> impl Strategy<Value = String> {
    let pieces = [
        "#{",
        "}",
        "##{",
        "###",
        "#{Octopus.Action.Name}",
        "#{if a}",
        "$(id)",
        "`id`",
        "${x}",
        "'",
        "\"",
        "\\",
        "\n",
        "\r\n",
        "\t",
        " ",
        "'@",
        "@'",
        "EOF",
        "let m = #{ a: 1 };",
        "##octopus[setVariable name='QQ==' value='QQ==']",
        "ä",
        "漢",
        "🐙",
        "\u{feff}",
        "\u{85}",
        "%PATH%",
        "$env:X",
        "!",
        "*",
        "~",
        "&&",
        "@SCRIPT@",
        "@NAME@",
        "@FILES@",
        "x",
    ];
    let piece = prop_oneof![4 => select(pieces.to_vec()).prop_map(str::to_owned), 1 => "[ -~]{0,200}", 1 => "\\PC{0,20}"];
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

fn script(text: &str, file: &str, default: &str) -> Script {
    Script {
        name: "some-script.rhai".into(),
        text: text.into(),
        files: vec![("lib/part.rhai".into(), file.into())],
        params: vec![param("To", Some(json!(default))), ParamDecl { secret: true, ..param("Token", None) }],
        about: "What it does".into(),
    }
}

fn template(script: &Script, shell: Shell) -> octorhai::error::Result<Value> {
    let text = export(script, shell, None, None, jiff::Timestamp::UNIX_EPOCH)?;
    Ok(serde_json::from_str(&text).expect("JSON"))
}

fn body(template: &Value) -> &str {
    template["Properties"]["Octopus.Action.Script.ScriptBody"].as_str().expect("a body")
}

/// The words in quotes of the line of a launcher that writes the script and its files.
fn words(body: &str) -> Vec<String> {
    let line = body.lines().find(|line| line.contains(&format!("'{SCRIPT}'"))).expect("a line with the script");
    let words = line.split('\'').skip(1).step_by(2).skip_while(|word| *word != PROTOCOL);
    words.map(str::to_owned).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(5_000), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn scripts_survive_export_octopus_and_launcher(text in nasty(), file in nasty(), default in nasty(), bash in any::<bool>()) {
        let (shell, script) = (if bash { Shell::Bash } else { Shell::PowerShell }, script(&text, &file, &default));
        let template = template(&script, shell).expect("every script can be exported");
        let written = template["Parameters"][0]["DefaultValue"].as_str().expect("a text");
        prop_assert_eq!(evaluated(written), default);
        let body = evaluated(body(&template));
        let pairs = [words(&body), vec![END.to_owned(), String::new()]].concat();
        let bytes: Vec<u8> = pairs.iter().flat_map(|word| [word.as_bytes(), b"\0"].concat()).collect();
        let frame = Frame::parse(&bytes).expect("a frame");
        prop_assert_eq!(frame.script().expect("a script").1, text);
        prop_assert_eq!(frame.files().expect("files"), [("lib/part.rhai".to_owned(), file)]);
    }
}

#[cfg(unix)]
#[test]
fn the_launcher_hands_on_exact_bytes_in_real_bash() {
    use crate::support::worker::{self, Worker};
    let mut runner =
        proptest::test_runner::TestRunner::new(ProptestConfig { cases: cases(20), failure_persistence: None, ..ProptestConfig::default() });
    let checked = runner.run(&(nasty(), nasty(), any::<bool>()), |(text, value, is_unknown)| {
        let mut worker = Worker::new("", Shell::Bash).expect("Bash is there");
        if is_unknown {
            worker.functions = |text| text.replace("echo -n", "printf %s");
        }
        // Where the functions are unknown, a name that is not set reads as one newline.
        let value = if is_unknown && value == "\n" { String::new() } else { value.replace('\0', "") };
        let made = template(&script(&text, "", "x"), Shell::Bash).expect("a template");
        let program = worker.stand_in("octorhai", "");
        for (name, value) in [
            ("Octorhai.SomeScript.To", value.as_str()),
            ("Octorhai.SomeScript.Token", "s3\"cr'et\n"),
            ("Octopus.Task.Id", "ServerTasks-7"),
            ("Other", "not ours"),
            ("Octorhai.SomeScript.BinaryPath", worker::text(&program)),
        ] {
            worker.set(name, value);
        }
        let output = worker.run(body(&made));
        let said = [String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr)].concat();
        prop_assert!(output.status.success() && output.stderr.is_empty(), "{said}");
        let frame = Frame::parse(&worker.frame()).expect("a frame");
        prop_assert_eq!(frame.script().expect("a script").1, text);
        prop_assert_eq!(frame.get("Octorhai.SomeScript.To"), Some(value.as_str()));
        prop_assert_eq!(
            (frame.get("Octorhai.SomeScript.Token"), frame.get("Octopus.Task.Id")),
            (Some("s3\"cr'et\n"), Some("ServerTasks-7"))
        );
        prop_assert_eq!((frame.get("Octopus.Project.Name"), frame.get("Other")), (None, None));
        prop_assert!(frame.secrets().any(|secret| secret == "s3\"cr'et\n"));
        Ok(())
    });
    checked.expect("the same bytes");
}

/// Trees of PowerShell: no PowerShell can be installed everywhere, so its grammar stands in for it.
#[test]
fn the_launcher_in_powershell_parses() {
    let mut parser = tree_sitter::Parser::new();
    parser.set_language(&tree_sitter_powershell::LANGUAGE.into()).expect("a grammar");
    let mut check = |text: &str| {
        let tree = parser.parse(text, None).expect("a tree");
        let mut wrong = Vec::new();
        let mut open = vec![tree.root_node()];
        while let Some(node) = open.pop() {
            if node.is_error() || node.is_missing() {
                wrong.push(format!("line {}: {}", node.start_position().row + 1, &text[node.byte_range()]));
            }
            open.extend((0..node.child_count()).filter_map(|at| node.child(at)));
        }
        wrong
    };
    for name in ["master-project", "tenant-rings"] {
        let text = fs::read_to_string(root().join(format!("templates/{name}.powershell.json"))).expect("there");
        let template: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(check(body(&template)), Vec::<String>::new(), "{name}");
    }
    let made = template(&script("let m = 'x';", "1", "x"), Shell::PowerShell).expect("a template");
    assert_eq!(check(body(&made)), Vec::<String>::new());
    assert!(!check("if ($a { 'x' }").is_empty(), "the grammar must refuse something");
}

/// A clean template, and what is done to it so that it breaks a rule.
fn broken(rule: &str) -> Option<Vec<(String, Vec<u8>)>> {
    let clean = template(&script("let x = 1;", "1", "x"), Shell::Bash).expect("a template");
    let file = |value: &Value| ("x.json".to_owned(), value.to_string().into_bytes());
    let changed = |change: &dyn Fn(&mut Value)| {
        let mut value = clean.clone();
        change(&mut value);
        Some(vec![file(&value)])
    };
    let set = |pointer: &str, to: Value| changed(&|value| *value.pointer_mut(pointer).expect("there") = to.clone());
    let body = |text: String| set("/Properties/Octopus.Action.Script.ScriptBody", text.into());
    let old = self::body(&clean).to_owned();
    match rule {
        "json" => Some(vec![("x.json".into(), b"{".to_vec())]),
        "bom" => Some(vec![("x.json".into(), ["\u{feff}".as_bytes(), &file(&clean).1].concat())]),
        "file" => Some(vec![file(&clean), ("notes.txt".into(), Vec::new())]),
        "last-modified-by" => changed(&|value| drop(value.as_object_mut().expect("a map").remove("LastModifiedBy"))),
        "meta" => set("/$Meta/Type", "Other".into()),
        "name" => set("/Name", "x".repeat(201).into()),
        "name-once" | "id-once" => {
            let mut other = clean.clone();
            if rule == "name-once" {
                other["Id"] = "0b4f6c7e-9a4e-4d2b-8a11-3c5f6d7e8f90".into();
            } else {
                other["Name"] = "octorhai - another (Bash)".into();
            }
            Some(vec![file(&clean), ("y.json".into(), other.to_string().into_bytes())])
        }
        "id" => set("/Id", "00000000-0000-0000-0000-000000000000".into()),
        "feed" => set("/Packages/0/FeedId", "feeds-builtin".into()),
        "category" => set("/Category", "Octopus".into()),
        "version" => set("/Version", "1".into()),
        "name-style" => set("/Name", "octorhai".into()),
        "parameter-dollar" => set("/Parameters/0/Name", "$To".into()),
        "parameter-prefix" => set("/Parameters/0/Name", "Timeout".into()),
        "default" => set("/Parameters/0/DefaultValue", json!(5)),
        "help" => set("/Parameters/0/HelpText", "".into()),
        "description" => set("/Description", " ".into()),
        "action-type" => set("/Properties/Octopus.Action.Script.Syntax", "Python".into()),
        "guids" => set("/Parameters/0/Id", "zzzzzzzz-9a4e-4d2b-8a11-3c5f6d7e8f90".into()),
        "parameter-once" => set("/Parameters/1/Name", "octorhai.somescript.TO".into()),
        "control" => set("/Parameters/0/DisplaySettings/Octopus.ControlType", "SingleLine".into()),
        "secret" => set("/Parameters/1/DisplaySettings/Octopus.ControlType", "SingleLineText".into()),
        "secret-default" => set("/Parameters/1/DefaultValue", "hunter2".into()),
        "binding" => body(format!("{old}\necho #{{Octorhai.SomeScript.Token}}")),
        "ascii" => body(old.replace("octorhai:", "öctorhai:")),
        "short" => body(format!("{old}{}", "\n:".repeat(60))),
        "packages" => set("/Packages/0/Name", "Other".into()),
        "pair" => {
            let twin = template(&Script { params: Vec::new(), ..script("let x = 1;", "1", "x") }, Shell::PowerShell).expect("a template");
            Some(vec![file(&clean), ("y.json".into(), twin.to_string().into_bytes())])
        }
        _ => None,
    }
}

#[test]
fn each_rule_refuses_its_bad_sample() {
    for rule in lint::RULES {
        let sample = broken(rule.name).unwrap_or_else(|| panic!("there is no sample for {}", rule.name));
        let found = lint::lint(&sample);
        assert!(found.iter().any(|finding| finding.rule == *rule), "{}: {found:?}", rule.name);
    }
    let clean = template(&script("let x = 1;", "1", "x"), Shell::Bash).expect("a template");
    assert!(lint::lint(&[("x.json".into(), clean.to_string().into_bytes())]).is_empty());
    let documented = fs::read_to_string(root().join("docs/step-templates.md")).expect("there");
    for rule in lint::RULES {
        assert!(
            documented.contains(&format!("| `{}` | {} | {} |", rule.name, rule.of, rule.says)),
            "docs/step-templates.md lacks {}",
            rule.name
        );
    }
}

#[test]
fn findings_are_told_with_what_to_do() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("x.json");
    fs::write(&path, &broken("secret").expect("a sample")[0].1).expect("written");
    let lint = |more: &[&str]| support::finish(octorhai().args([&["template", "lint", path.to_str().expect("a path")], more].concat()));
    let ran = lint(&[]);
    assert!(
        ran.code == 1
            && ran.stdout.contains("x.json: secret: `Octorhai.SomeScript.Token` is `SingleLineText`")
            && ran.stdout.contains("help:"),
        "{ran:?}"
    );
    let ran = lint(&["--output", "json"]);
    let finding: Value = serde_json::from_str(ran.stdout.lines().next().expect("a line")).expect("JSON");
    assert_eq!(finding["rule"], "secret");
    told(&support::finish(octorhai().args(["template", "lint", "/no/such"])), 2, &["cannot be read"]);
    told(&support::finish(octorhai().args(["template", "export", "scripts/no-such.rhai"])), 2, &["there is no such file"]);
}

fn push(ground: &Ground, more: &[&str]) -> Ran {
    let mut all = vec!["template", "push", "--server", ground.sandbox.url.as_str()];
    all.extend(more);
    ground.octorhai(&all, &[])
}

#[test]
fn templates_are_pushed_changed_and_brought_to_the_steps_that_use_them() {
    let ground = Ground::in_world(&shop(&[]));
    let export = |script: &str| {
        ground.write("train.rhai", script);
        let ran = ground.octorhai(&["template", "export", "scripts/train.rhai", "--shell", "bash"], &[]);
        assert_eq!(ran.code, 0, "{ran:?}");
    };
    export("// One train\nprint(param(\"To\", \"a\"));\n");
    let file = "templates/train.bash.json";
    let first = push(&ground, &[file]);
    assert!(first.code == 0 && first.stdout.contains("octorhai - Train (Bash): created, version 0"), "{first:?}");
    let again = push(&ground, &[file]);
    assert!(again.code == 0 && again.stdout.contains("is as it was"), "{again:?}");
    // A step that is made from it.
    ground.write(
        "use.rhai",
        r#"
        let made = get("actiontemplates/all")[0];
        let id = get("projects").Items.filter(|p| p.Name == "Project A")[0].DeploymentProcessId;
        let process = get(`deploymentprocesses/${id}`);
        let properties = made.Properties;
        properties["Octopus.Action.Template.Id"] = made.Id;
        properties["Octopus.Action.Template.Version"] = `${made.Version}`;
        process.Steps = [#{Name: "The train", Actions: [#{Name: "The train", ActionType: "Octopus.Script", Properties: properties, Packages: made.Packages}]}];
        put(`deploymentprocesses/${id}`, process);
        "#,
    );
    assert_eq!(ground.run("use", "scripts/use.rhai", &[], &[]).code, 0);
    export("// One train\nprint(param(\"To\", \"b\"));\n");
    let changed = push(&ground, &[file]);
    assert!(
        changed.code == 0
            && changed.stdout.contains("changed, version 0 became 1")
            && changed.stdout.contains("step `The train` of Project A uses version 0"),
        "{changed:?}"
    );
    let updated = push(&ground, &[file, "--update-steps"]);
    assert!(updated.code == 0 && updated.stdout.contains("step `The train` of Project A: version 0 became 1"), "{updated:?}");
    let done = push(&ground, &[file]);
    assert!(done.code == 0 && !done.stdout.contains("uses version"), "{done:?}");
    // What is not clean goes nowhere.
    fs::write(ground.folder.path().join("bad.json"), &broken("secret").expect("a sample")[0].1).expect("written");
    told(&push(&ground, &["bad.json"]), 2, &["secret", "octorhai template lint bad.json"]);
    // An answer that is lost is looked for.
    ground.write("other.rhai", "print(2);");
    assert_eq!(ground.octorhai(&["template", "export", "scripts/other.rhai", "--shell", "bash"], &[]).code, 0);
    ground.write("fault.rhai", "post(\"~/sandbox/faults\", #{\"match\": \"POST *actiontemplates\", action: \"drop_after\"});");
    assert_eq!(ground.run("fault", "scripts/fault.rhai", &[], &[]).code, 0);
    let lost = push(&ground, &["templates/other.bash.json"]);
    assert!(lost.code == 0 && lost.stdout.contains("octorhai - Other (Bash): created"), "{lost:?}");
}

#[test]
fn the_package_holds_the_program_and_goes_into_the_feed() {
    let ground = Ground::in_world(&shop(&[]));
    let program = ground.folder.path().join("program");
    fs::write(&program, "#!/bin/sh\necho octorhai 9\n").expect("written");
    let binary = format!("linux-x64={}", program.display());
    let pack = |more: &[&str]| {
        let mut all = vec!["template", "pack", "--binary", binary.as_str()];
        all.extend(more);
        ground.octorhai(&all, &[])
    };
    assert_eq!(pack(&[]).code, 0);
    let name = format!("octorhai.{}.zip", env!("CARGO_PKG_VERSION"));
    let bytes = fs::read(ground.folder.path().join(&name)).expect("there");
    assert_eq!(pack(&["--out", "again"]).code, 0);
    assert!(fs::read(ground.folder.path().join("again").join(&name)).expect("there") == bytes, "the same input, other bytes");
    let mut zip = zip::ZipArchive::new(std::io::Cursor::new(bytes)).expect("a zip");
    let names: Vec<String> = (0..zip.len()).map(|at| zip.by_index(at).expect("an entry").name().expect("a name").into_owned()).collect();
    for path in ["linux-x64/octorhai", "stdlib/lists.rhai", "scripts/master-project.rhai", "templates/master-project.bash.json"] {
        assert!(names.iter().any(|name| name == path), "{path} is not in {names:?}");
    }
    let mut content = String::new();
    zip.by_name("linux-x64/octorhai").expect("there").read_to_string(&mut content).expect("text");
    assert_eq!(content, "#!/bin/sh\necho octorhai 9\n");
    told(&pack(&["--push", "--server", &ground.sandbox.url]), 0, &["is in the built-in feed"]);
    told(&pack(&["--push", "--server", &ground.sandbox.url]), 0, &["was in the built-in feed before"]);
    told(&ground.octorhai(&["template", "pack", "--binary", "linux=x"], &[]), 2, &["there is no platform `linux`", "linux-x64"]);
    told(&ground.octorhai(&["template", "pack", "--binary", "linux-x64=/no/such"], &[]), 2, &["cannot be read"]);
}
