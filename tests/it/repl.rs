//! The REPL on a real terminal: what a person types and sees.
#![cfg(unix)]

use crate::support::{self, finish, octorhai, shop, standalone::Standalone, terminal::Terminal};
use std::fs;

const PROMPT: &str = "sandbox shop Default>";

fn sandbox(folder: &std::path::Path) -> Terminal {
    let terminal = Terminal::start(folder, &["repl", "--sandbox"], &[]);
    terminal.ends_with(PROMPT);
    terminal
}

/// A session on a server in a process of its own.
fn server(folder: &std::path::Path, speed: &str) -> (Standalone, Terminal, String) {
    let world = folder.join("world.toml");
    fs::write(&world, shop(&[])).expect("written");
    let sandbox = Standalone::start(&world.display().to_string(), &["--speed", speed]);
    let terminal = Terminal::start(folder, &["repl", "--server", &sandbox.url, "--env", "Test"], &[("OCTOPUS_API_KEY", "API-SANDBOX")]);
    let place = sandbox.url.trim_start_matches("http://").to_owned();
    terminal.ends_with(&format!("{place} Default dry>"));
    (sandbox, terminal, place)
}

#[test]
fn tab_completes_names_options_and_members() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut terminal = sandbox(folder.path());
    // Of several the common beginning is taken, and all are shown.
    terminal.types("deploy(\"proj\t");
    terminal.shows("Project A  Project B  Project C");
    terminal.ends_with(&format!("{PROMPT} deploy(\"Project"));
    for (typed, completed) in [
        ("b", "deploy(\"Project B\""),
        (", \"lat", "deploy(\"Project B\", \"latest\""),
        (", \"te", "deploy(\"Project B\", \"latest\", \"Test\""),
        (", #{ten", "deploy(\"Project B\", \"latest\", \"Test\", #{tenant:"),
    ] {
        terminal.types(typed);
        terminal.completes_to(&format!("{PROMPT} {completed}"));
    }
    terminal.types("\x15");
    terminal.enters("let t = deploy(\"Project A\", \"latest\", \"Test\");");
    terminal.shows("ServerTasks-19");
    for (typed, completed) in [
        ("t.failed_s", "t.failed_step"),
        ("wait_st", "wait_step("),
        ("wait_step(t, \"Migr", "wait_step(t, \"Migrate database\""),
        ("latest(\"Project C\", #{channel: \"def", "latest(\"Project C\", #{channel: \"Default\""),
        ("run_runbook(\"Project A\", \"smo", "run_runbook(\"Project A\", \"Smoke test\""),
        ("wait(t, #{on_timeout: \"ca", "wait(t, #{on_timeout: \"cancel\""),
        ("projects()[0].tenan", "projects()[0].tenanted"),
        ("for p in projects() { p.slu", "for p in projects() { p.slug"),
        ("saga(|s| s.run_", "saga(|s| s.run_runbook("),
        (":adv", ":advance"),
        (":help wait_id", ":help wait_idle"),
        ("import \"std/li", "import \"std/lists\""),
    ] {
        terminal.types(typed);
        terminal.completes_to(&format!("{PROMPT} {completed}"));
        terminal.types("\x15");
        terminal.ends_with(PROMPT);
    }
    // What is to be given next stands behind an open call.
    terminal.types("promote(");
    terminal.ends_with(&format!("{PROMPT} promote(project, from, to, #{{...}}) -> Task"));
}

#[test]
fn an_unfinished_block_goes_on_and_a_mistake_keeps_the_session() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut terminal = sandbox(folder.path());
    terminal.enters("fn half(n) {");
    terminal.enters("  n / 2");
    terminal.enters("}");
    terminal.enters("half(8)");
    terminal.shows("\n4\n");
    terminal.enters("half(9");
    terminal.shows("half(9");
    terminal.types("\x03");
    terminal.ends_with(PROMPT);
    terminal.enters("it + 1");
    terminal.shows("\n5\n");
    terminal.enters("nope(1)");
    terminal.shows("error: ");
    terminal.enters("half(6)");
    let screen = terminal.shows("\n3\n");
    assert!(!screen.contains("ended"), "{screen}");
    terminal.types("\x04");
    assert_eq!(terminal.ends(), 0);
}

#[test]
fn a_server_gets_no_write_until_live_and_a_cancelled_wait_keeps_the_session() {
    let folder = tempfile::tempdir().expect("a folder");
    let (_sandbox, mut terminal, place) = server(folder.path(), "1");
    terminal.enters("let t = deploy(\"Project A\", \"latest\", ctx.env)");
    let screen = terminal.shows("`:live` sends what changes something");
    assert!(
        screen.contains("not sent: POST /api/Spaces-1/deployments") && screen.contains("\"EnvironmentId\": \"Environments-2\""),
        "{screen}"
    );
    terminal.enters(":save planned");
    terminal.shows("octorhai run planned.rhai");
    let planned = fs::read_to_string(folder.path().join("planned.rhai")).expect("saved");
    assert!(planned.contains("let t = deploy("), "{planned}");
    terminal.enters("email(#{to: \"a@example.com\", subject: \"Hello\", body: \"x\"})");
    terminal.shows("not sent: email");
    terminal.enters("running(\"Project A\", \"Test\").len()");
    terminal.shows("\n0\n");
    terminal.enters(":live");
    terminal.ends_with(&format!("{place} Default LIVE>"));
    terminal.enters("wait(deploy(\"Project A\", \"latest\", ctx.env))");
    terminal.shows("Executing");
    terminal.types("\x03");
    terminal.shows("cancelled; the session goes on");
    terminal.ends_with(&format!("{place} Default LIVE>"));
    terminal.enters("1 + 1");
    terminal.shows("\n2\n");
    // What the input had started was cancelled with it.
    terminal.enters("deployments(#{limit: 1})[0].state");
    terminal.shows("Cancel");
    terminal.enters("print(6 * 7); loop { }");
    terminal.shows("\n42\n");
    terminal.types("\x03");
    terminal.ends_with(&format!("{place} Default LIVE>"));
}

#[test]
fn news_do_not_tear_the_line_that_is_typed() {
    let folder = tempfile::tempdir().expect("a folder");
    let (_sandbox, mut terminal, place) = server(folder.path(), "600");
    terminal.enters(":live");
    terminal.ends_with(&format!("{place} Default LIVE>"));
    terminal.enters("let t = deploy(\"Project A\", \"latest\", \"Test\");");
    terminal.shows("started");
    terminal.types("let half = \"typed");
    let line = format!("{place} Default LIVE> let half = \"typed");
    terminal.ends_with(&line);
    // 20 minutes at 600 times the speed of the wall: news come above the line, which stays whole and can be typed on.
    terminal.shows("Success  after");
    // Not while it is drawn.
    terminal.ends_with(&line);
    let screen = terminal.screen();
    assert_eq!(screen.matches("let half").count(), 1, "{screen}");
    terminal.enters(" on\"; half");
    terminal.shows("\"typed on\"");
}

#[test]
fn a_saved_session_is_a_script_with_the_same_result() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut terminal = sandbox(folder.path());
    for line in [
        "projects()",
        "let a = deploy(\"Project A\", \"latest\", \"Test\")",
        "oops(a)",
        "wait(a)",
        "it.state",
        "fn both(x, y) {\r  `${x} and ${y}`\r}",
        "wait(deploy(\"Project B\", \"latest\", \"Test\")); a.release",
        "both(it, a.state)",
    ] {
        terminal.enters(line);
        terminal.until("the prompt", |screen| screen.lines().last() == Some(PROMPT));
    }
    terminal.shows("\"2.0.0 and Success\"");
    terminal.enters(":save train");
    terminal.shows("octorhai run --sandbox=shop train.rhai");
    let saved = fs::read_to_string(folder.path().join("train.rhai")).expect("saved");
    assert!(!saved.contains("oops") && !saved.contains("projects()"), "{saved}");
    let ran = finish(octorhai().current_dir(folder.path()).args(["run", "--sandbox", "--output", "json", "train.rhai"]));
    assert_eq!(ran.code, 0, "{ran:?}\n{saved}");
    let end: serde_json::Value = serde_json::from_str(ran.stdout.lines().last().expect("a line")).expect("JSON");
    assert_eq!(end["result"], "2.0.0 and Success", "{saved}");
    terminal.enters(":save train");
    terminal.shows("`train.rhai` is there already");
    terminal.enters(":template ship");
    terminal.shows("templates/ship.powershell.json");
    assert!(folder.path().join("templates/ship.bash.json").is_file());
}

#[test]
fn a_session_remembers_inputs_but_no_secret() {
    let folder = tempfile::tempdir().expect("a folder");
    let (_sandbox, mut terminal, _) = server(folder.path(), "1");
    terminal.enters("let key = \"API-SANDBOX\"; 1");
    terminal.shows("\n1\n");
    terminal.enters("let other = \"API-NEVERSEENBEFORE1\"; 2");
    terminal.shows("\n2\n");
    terminal.enters(" let hidden = 3; 3");
    terminal.shows("\n3\n");
    terminal.enters("40 + 2");
    terminal.shows("\n42\n");
    terminal.types("\x04");
    assert_eq!(terminal.ends(), 0);
    let kept = fs::read_to_string(folder.path().join("repl-history")).expect("kept");
    assert!(kept.contains("40 + 2") && kept.contains("let key = \"***\""), "{kept}");
    assert!(!kept.contains("API-") && !kept.contains("hidden"), "{kept}");
    let mut again = Terminal::start(folder.path(), &["repl", "--sandbox"], &[]);
    again.ends_with(PROMPT);
    again.types("\x1b[A");
    again.ends_with(&format!("{PROMPT} 40 + 2"));
}

#[test]
fn values_are_a_line_and_lists_a_table() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(
        folder.path().join("in.rhai"),
        "project(\"Project A\")\nenvs()\n[1, 2]\n\"text\"\n#{a: 1}\n1..3\n()\nproject(\"Project B\")\n:full\nfor n in 0..40 { n }\nreleases(\"Project A\").map(|r| r.version)\n",
    )
    .expect("written");
    let input = fs::File::open(folder.path().join("in.rhai")).expect("there");
    let output = std::process::Command::new(assert_cmd::cargo::cargo_bin!("octorhai"))
        .args(["repl", "--sandbox"])
        .current_dir(folder.path())
        .env_clear()
        .stdin(input)
        .output()
        .expect("it runs");
    let shown = String::from_utf8_lossy(&output.stdout);
    assert!(shown.starts_with("Project A\n") && shown.contains("│ Development ┆ Environments-1 ┆ development"), "{shown}");
    assert!(shown.contains("\n[1, 2]\n\"text\"\n#{a: 1}\n") && shown.contains("\n  \"Slug\": \"project-b\","), "{shown}");
    assert!(shown.contains("[\"2.0.0\", \"1.1.0\", \"1.0.0\"]"), "{shown}");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn without_a_server_both_ways_on_are_named_and_piped_mistakes_end_in_their_code() {
    let ran = finish(octorhai().args(["repl"]));
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("octorhai repl --sandbox") && ran.stderr.contains("octorhai repl --server https://"), "{ran:?}");
    let ran = finish(octorhai().args(["repl", "--server", "http://127.0.0.1:9"]).env("OCTOPUS_API_KEY", "API-X").write_stdin("1\n"));
    assert_eq!(ran.code, 10, "{ran:?}");
    let folder = tempfile::tempdir().expect("a folder");
    let mut with_parameters = octorhai();
    with_parameters
        .current_dir(folder.path())
        .args(["repl", "--sandbox"])
        .env("OCTORHAI_PARAM_TOKEN", "s3cr3t-of-it")
        .env("OCTORHAI_PARAM_NOTIFY_TO", "a@example.com");
    let ran = finish(
        with_parameters.write_stdin("let t = secret(\"Token\"); t\nt.reveal()\nparam(\"NotifyTo\")\nparam(\"Other\", 5)\n:save p.rhai\n"),
    );
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "***\n\"***\"\n\"a@example.com\"\n5\n"), "{ran:?}");
    let ran = finish(octorhai().args(["repl", "--sandbox"]).write_stdin("nope(1)\n1\n:live\n:nope\n"));
    assert_eq!((ran.code, ran.stdout.as_str()), (2, "1\n"), "{ran:?}");
    assert!(ran.stderr.contains("there is no dry mode") && ran.stderr.contains("there is no command `:nope`"), "{ran:?}");
}

#[test]
fn every_command_is_in_the_docs() {
    let ran = finish(octorhai().args(["repl", "--sandbox"]).write_stdin(":help\n"));
    let page = fs::read_to_string(support::root().join("docs/repl.md")).expect("docs/repl.md is there");
    let commands: Vec<(&str, &str)> =
        ran.stdout.lines().filter(|line| line.starts_with("  :")).filter_map(|line| line.trim().split_once("  ")).collect();
    assert!(commands.len() > 12, "{ran:?}");
    for (command, what) in commands {
        let row = format!("| `{}` | {} |", command.trim().replace('|', "\\|"), what.trim());
        assert!(page.contains(&row), "docs/repl.md has no row {row}");
    }
}

#[test]
fn signals_end_what_runs_and_at_the_prompt_the_session() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut terminal = sandbox(folder.path());
    terminal.enters("1 + 1");
    terminal.shows("\n2\n");
    terminal.ends_with(PROMPT);
    // Whoever sends it to the whole group of processes does not mean the session.
    terminal.signal("INT");
    terminal.enters("2 + 3");
    terminal.shows("\n5\n");
    terminal.ends_with(PROMPT);
    terminal.signal("TERM");
    assert_eq!(terminal.ends(), 4);
    // While a server is asked for that does not answer, Ctrl-C leaves.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", silent.local_addr().expect("an address"));
    let mut terminal = Terminal::start(folder.path(), &["repl", "--server", &url], &[("OCTOPUS_API_KEY", "API-X")]);
    let _asked = silent.accept().expect("it asks");
    terminal.types("\x03");
    assert_eq!(terminal.ends(), 4);
}

#[test]
fn an_input_can_be_written_in_an_editor() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().expect("a folder");
    let editor = folder.path().join("editor");
    fs::write(&editor, "#!/bin/sh\nprintf '40 +\\n  2' > \"$1\"\n").expect("written");
    fs::set_permissions(&editor, fs::Permissions::from_mode(0o755)).expect("executable");
    let mut terminal = Terminal::start(folder.path(), &["repl", "--sandbox"], &[("EDITOR", editor.to_str().expect("a path"))]);
    terminal.ends_with(PROMPT);
    terminal.enters(":edit");
    terminal.shows("40 +");
    terminal.enters("");
    terminal.shows("\n42\n");
}

#[test]
fn commands_look_at_the_world_and_move_it() {
    let inputs = ":world\n:advance 1h\n:advance soon\n:time\n:requests\n:space\n:space Nope\n:server\n:find rollback\n:help wait_idle\n:help nope\n\
                  let t = 5\n:vars\n:world fleet(3)\nprojects().len()\n:vars\n:full\n:quit\n1\n";
    let ran = finish(octorhai().args(["repl", "--sandbox"]).write_stdin(inputs));
    for part in [
        "sandbox shop: 3 projects, 3 environments, 0 tenants, Mon 2026-03-02 08:00 GMT",
        "Mon 2026-03-02 09:00:00 GMT (virtual",
        " requests, ",
        "\nDefault\n",
        "sandbox shop, Octopus 2026.",
        "rollback  Deploys the release that was live",
        "wait_idle(project, env, #{...}) -> nothing",
        "t     whole number  5",
        "\n3\n",
    ] {
        assert!(ran.stdout.contains(part), "{part:?} is not in\n{}", ran.stdout);
    }
    for part in ["`soon` is not a duration", "there is no space `Nope`", "there is no help on `nope`", "a new world: sandbox fleet(3)"] {
        assert!(ran.stderr.contains(part), "{part:?} is not in\n{}", ran.stderr);
    }
    // The last input is behind `:quit`; the code is that of the last one that failed.
    assert!(ran.code == 2 && !ran.stdout.ends_with("\n1\n"), "{ran:?}");
    for leave in ["exit", "exit();", "quit"] {
        let ran = finish(octorhai().args(["repl", "--sandbox"]).write_stdin(format!("40 + 2\n{leave}\n7 * 7\n")));
        assert!(ran.code == 0 && ran.stdout.contains("42") && !ran.stdout.contains("49"), "{leave}: {ran:?}");
    }
}
