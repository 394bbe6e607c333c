//! A script inside of a step of Octopus: what it is told, what it says, what it does when its step is tried again or cancelled.
#![cfg(unix)]

use crate::support::{
    ground::{Ground, told},
    postgres, shop,
    step::{Heard, Step},
    until,
};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, Command},
};

/// A sandbox where deployments of Project C go on for as long as their steps.
fn ground() -> Ground {
    Ground::in_world(&shop(&[("{ name = \"Deploy payment\",      takes = \"8m\" }", "{ name = \"Deploy payment\", takes = \"900h\" }")]))
}

/// The id of the task of a deployment that stands for the one whose step runs the script.
fn parent(ground: &Ground, project: &str) -> String {
    ground.write("parent.rhai", &format!("print(deploy(\"{project}\", \"1.1.0\", \"Test\").id);"));
    let ran = ground.run("parent", "scripts/parent.rhai", &[], &[]);
    assert_eq!(ran.code, 0, "{ran:?}");
    ran.stdout.trim().to_owned()
}

#[test]
fn a_step_says_what_happens_in_messages() {
    let ground = Ground::new();
    let script = r##"
        let token = secret("Token");
        print(`hello ${param("Who", "nobody")} ##octopus[stdout-ignore]`);
        wait([deploy("Project A", "latest", ctx.env), deploy("Project B", "latest", ctx.env)]);
        output("Shop.Live", "#{Octopus.Foo}");
        output("Shop.Bound", "#{Octopus.Foo}", #{raw: true});
        output_secret("Derived", token.reveal() + "-derived");
        artifact("note.txt", `the token is ${token.reveal()}, ${token}`, #{masked: true});
        highlight("all is well");
        warn("no ticket");
        verbose("looking");
        #{deployed: 2}
    "##;
    let secret = "hun\"ter'22\nsecond line of it";
    let step = Step::new(&ground.sandbox.url, script, &[("T.Who", "a b  c*"), ("T.Token!", secret)]);
    let heard = step.run();
    heard.ended(0);
    heard.says("default", "hello a b  c* # #octopus[stdout-ignore]").says("highlight", "all is well").says("warning", "no ticket");
    heard
        .says("verbose", "looking")
        .says("highlight", "/tasks/ServerTasks-19)  started")
        .says("highlight", "[Project B 2.0.0 → Test](http");
    assert_eq!(heard.variable("TaskIds"), Some("ServerTasks-19,ServerTasks-20"));
    assert_eq!((heard.variable("Task.2.Id"), heard.variable("Task.2.State")), (Some("ServerTasks-20"), Some("Success")));
    assert_eq!((heard.variable("Shop.Live"), heard.variable("Shop.Bound")), (Some("##{Octopus.Foo}"), Some("#{Octopus.Foo}")));
    assert_eq!((heard.variable("Result"), heard.variable("ExitCode")), (Some("{\"deployed\":2}"), Some("0")));
    assert_eq!(heard.variables["Derived"], (format!("{secret}-derived"), true));
    assert_eq!(heard.masks, [format!("{secret}-derived")]);
    assert_eq!((heard.progress.last().map(|(percent, _)| *percent), heard.result), (Some(100), None));
    let (path, name) = &heard.artifacts[0];
    assert_eq!((name.as_str(), std::fs::read_to_string(path).expect("there")), ("note.txt", "the token is ***, ***".to_owned()));
    // In no line and in no other shape; in a sensitive variable it is base64, which is how the server is told.
    let lines = heard.log.iter().map(|(_, line)| line.as_str()).collect::<Vec<_>>().join("\n");
    assert!(!heard.raw.contains("API-SANDBOX"));
    for shape in [secret, "hun\"ter'22", "second line of it", "API-SANDBOX", &BASE64.encode("API-SANDBOX")] {
        assert!(!lines.contains(shape), "{shape:?} is in\n{lines}");
    }
}

#[test]
fn data_that_holds_a_secret_is_refused_and_never_half_of_it_given() {
    let ground = Ground::new();
    // The secret is also the name of the environment.
    let script = |act: &str| format!(r#"let s = secret("Token"); {act} output("After", "it went on");"#);
    for (act, told) in [
        (r#"output("Env", "Test");"#, "`output`: the value of `Env` holds the text of a secret"),
        (r#"output("Env", "Test", #{raw: true});"#, "`output`: the value of `Env` holds the text of a secret"),
        (r#"artifact("env.txt", "in Test");"#, "`artifact`: the text of `env.txt` holds the text of a secret"),
    ] {
        let heard = Step::new(&ground.sandbox.url, &script(act), &[("T.Token!", "Test")]).run();
        heard.ended(1);
        assert!(heard.variable("Env").is_none() && heard.variable("After").is_none() && heard.artifacts.is_empty());
        // In what people read it is masked, there too.
        heard.says("error", &told.replace("Test", "***"));
    }
    let act = r#"output("Env", "in Test", #{masked: true}); artifact("env.txt", "in Test", #{masked: true}); output("Plain", "Tes");"#;
    let step = Step::new(&ground.sandbox.url, &script(act), &[("T.Token!", "Test")]);
    let heard = step.run();
    heard.ended(0);
    assert_eq!(
        (heard.variable("Env"), heard.variable("Plain"), heard.variable("After")),
        (Some("in ***"), Some("Tes"), Some("it went on"))
    );
    assert_eq!(std::fs::read_to_string(&heard.artifacts[0].0).expect("there"), "in ***");
}

#[test]
fn parameters_are_given_empty_or_not_at_all() {
    let ground = Ground::new();
    let script = r#"
        let shown = |name, value| print(`${name}=${value};`);
        print("Text=" + param("Text", "default") + ";");
        print("Tenant=" + param("Tenant", "none") + ";");
        print("Empty=" + param("Empty", "default") + ";");
        print(`Flag=${param("Flag", true)};`);
        print(`Number=${param("Number", 7)};`);
        print(`Choice=${param("Choice", "a", #{choices: ["a", "b"]})};`);
        print(`List=${param("List", [], #{type: "list"})};`);
    "#;
    let given = [
        ("t.text", "two\nlines\n"),
        ("T.Tenant", "#{Octopus.Deployment.Tenant.Name}"),
        ("T.Empty", ""),
        ("T.Flag", "False"),
        ("T.Number", ""),
        ("T.Choice", "b"),
        ("T.List", "one\ntwo, three\n"),
    ];
    let heard = Step::new(&ground.sandbox.url, script, &given).run();
    heard.ended(0);
    let said = heard.at("default").join("\n");
    for part in
        ["Text=two\nlines\n;", "Tenant=none;", "Empty=;", "Flag=false;", "Number=7;", "Choice=b;", "List=[\"one\", \"two, three\"];"]
    {
        assert!(said.contains(part), "{part:?} is not in\n{said}");
    }
    let wrong = "secret(\"Token\"); param(\"Who\"); param(\"Number\", 7); param(\"Choice\", \"a\", #{choices: [\"a\", \"b\"]});";
    let heard = Step::new(&ground.sandbox.url, wrong, &[("T.Who", "#{Missing}"), ("T.Number", "many"), ("T.Choice", "c")]).run();
    heard.ended(2).says("error", "1 required parameter is not given: `T.Token`").says("error", "must be a number, got `many`");
    heard.says("error", "`T.Who` holds `#{Missing}`").says("error", "`T.Choice`").says("error", "Process, the step, its parameters");
    assert!(heard.result.as_ref().is_some_and(|result| result.starts_with("1 required parameter")), "{:?}", heard.result);
}

#[test]
fn a_step_with_a_mistake_in_its_script_sends_nothing() {
    let ground = Ground::new();
    let script = "deploy(\"Project A\", \"latest\", \"Test\");\nwait([], #{timout: \"1h\"});\n";
    let heard = Step::new(&ground.sandbox.url, script, &[]).run();
    heard.ended(1).says("error", "`wait` has no option `timout`").says("error", "did you mean `timeout`?");
    assert!(ground.deployed().is_empty(), "{}", heard.raw);
    let heard = Step::new(&ground.sandbox.url, script, &[]).env("OCTORHAI_NO_CHECK", "1").run();
    heard.ended(1);
    assert_eq!(ground.deployed(), ["Project A"]);
}

/// A binding that Octopus could not fill in is no empty box: whatever the default is, it is not what was asked for.
#[test]
fn a_box_whose_variable_does_not_exist_is_an_error_that_names_box_and_text() {
    let ground = Ground::new();
    let script = r#"
        let project = param("Project", "Project A");
        let version = param("Version", "latest");
        let dry = param("Dry", false);
        let to = param("To", [], #{type: "list"});
        let tenant = param("Tenant", "");
        if !dry { deploy(project, version, "Test"); }
    "#;
    for (name, text) in [
        ("Project", "#{Typo}"),
        ("Version", "#{Octopus.Release.CurrentForEnvironment.Number}"),
        ("Dry", " #{My.Flag} "),
        ("To", "#{Team.Mails}"),
        ("Server.Url", "#{My.Server}"),
        ("Server.ApiKey", "#{My.Key}"),
        ("Mail.From", "#{My.Sender}"),
    ] {
        let parameter = format!("T.{name}");
        let heard = Step::new(&ground.sandbox.url, script, &[(parameter.as_str(), text)]).run();
        // What stands in the box of a secret is not shown.
        let shown = if name == "Server.ApiKey" { "***" } else { text.trim() };
        heard.ended(2).says("error", &format!("`{parameter}` holds `{shown}`, and Octopus knows no variable of that name"));
        assert!(!heard.raw.contains("started"), "{}", heard.raw);
    }
    // A deployment without a tenant.
    let heard = Step::new(&ground.sandbox.url, script, &[("T.Tenant", "#{Octopus.Deployment.Tenant.Name}"), ("T.Dry", "True")]).run();
    heard.ended(0);
}

#[test]
fn what_is_no_frame_is_said_and_nothing_is_sent() {
    let ground = Ground::new();
    let step = || Step::new(&ground.sandbox.url, "deploy(\"Project A\", \"latest\", \"Test\")", &[("T.Token!", "s3cret-value")]);
    for (frame, why) in [
        (&b""[..], "it is empty"),
        (b"@protocol\x001\x00T.Token\x00s3cret-value", "it breaks off"),
        (b"@protocol\x002\x00T.Token\x00s3cret-value\x00", "it breaks off"),
        (b"@protocol\x009\x00", "version `9`"),
        (b"@protocol\x001\x00@script\x00%%%\x00", "is not base64"),
        (b"@protocol\x001\x00", "holds no script"),
    ] {
        let heard = step().framed(frame).run();
        heard.ended(2).says("error", why).says("error", "octorhai template export");
        assert!(!heard.raw.contains("s3cret") && heard.result.is_some(), "{}", heard.raw);
    }
    let output = step().launched("exec \"$OCTORHAI\" step run").output().expect("bash runs");
    Heard::of(output.status.code(), &output.stdout, &output.stderr).ended(2).says("error", "no pipe is open on descriptor 3");
    for (variables, parts) in [
        (&[("Octopus.Web.ServerUri", "")][..], ["does not know the address of the Octopus Server", "`T.Server.Url`"]),
        (&[("T.Server.ApiKey", "")], ["no credential was given", "`T.Server.ApiKey`, `T.Server.Account`, `T.Server.AccessToken`"]),
    ] {
        let heard = Step::new(&ground.sandbox.url, "1", variables).run();
        heard.ended(2).says("error", parts[0]).says("error", parts[1]);
    }
    assert!(ground.deployed().is_empty());
}

#[test]
fn a_script_that_fails_says_where_and_why() {
    let ground = Ground::new();
    let heard = Step::new(&ground.sandbox.url, "let a = 1;\nfail(\"no, ##octopus[stdout-ignore]\");", &[]).run();
    heard.ended(1).says("error", "error: no, # #octopus[stdout-ignore]").says("error", "--> x.rhai:2:1");
    assert_eq!(heard.result.as_deref(), Some("no, ##octopus[stdout-ignore]"));
    assert_eq!((heard.variable("ExitCode"), heard.variable("Error.Kind")), (Some("1"), Some("failed")));
    let parse = Step::new(&ground.sandbox.url, "let a = ;", &[]).run();
    parse.ended(1).says("error", "--> x.rhai:1:9");
    let name = Step::new(&ground.sandbox.url, "output(\"A[1]\", 1)", &[]).run();
    name.ended(1).says("error", "`A[1]` cannot be the name of an output variable");
}

#[test]
fn the_next_attempt_takes_over_what_the_last_one_started() {
    let ground = ground();
    let parent = parent(&ground, "Project C");
    let step = || {
        let script = "wait([deploy(\"Project A\", \"latest\", \"Test\"), deploy(\"Project B\", \"latest\", \"Test\")]);";
        Step::new(&ground.sandbox.url, script, &[("Octopus.Task.Id", &parent)])
    };
    // Killed at each place until both are under way; without a journal, as on another worker.
    let mut kills = 0;
    while ground.deployed().len() < 3 {
        kills += 1;
        assert!(kills < 400, "both are never deployed");
        let status = step().env("OCTORHAI_CRASH_AT", &kills.to_string()).command().output().expect("it runs").status;
        assert_eq!(status.code(), None, "kill number {kills}");
    }
    let heard = step().run();
    heard.ended(0).says("highlight", "taken over  (ServerTasks-20)").says("highlight", "taken over  (ServerTasks-21)");
    assert_eq!(ground.deployed(), ["Project C", "Project A", "Project B"]);
    // Once more, when all is done: what is live stands for what was asked.
    step().run().ended(0);
    assert_eq!(ground.deployed().len(), 3);
    // Somebody else deployed another release since: then it is done again.
    ground.write("other.rhai", "wait(deploy(\"Project A\", \"1.1.0\", \"Test\"));");
    assert_eq!(ground.run("other", "scripts/other.rhai", &[], &[]).code, 0);
    step().run().ended(0);
    assert_eq!(ground.releases()[3..], ["Project A 1.1.0", "Project A 2.0.0"]);
    // Another action of the same task has children of its own.
    let script = "wait(deploy(\"Project A\", \"latest\", \"Test\"));";
    Step::new(&ground.sandbox.url, script, &[("Octopus.Task.Id", &parent), ("Octopus.Action.Id", "act-2")]).run().ended(0);
    assert_eq!(ground.deployed().len(), 6);
}

#[test]
fn with_a_journal_a_step_that_was_killed_goes_on() {
    let ground = ground();
    let parent = parent(&ground, "Project C");
    let journal = ground.folder.path().join("steps").display().to_string();
    let step = || {
        let script = "let t = deploy(\"Project A\", \"latest\", \"Test\"); output(\"T\", t.id); wait(t); artifact(\"a.txt\", \"a\");";
        Step::new(&ground.sandbox.url, script, &[("Octopus.Task.Id", &parent)]).env("OCTORHAI_STORE", &journal)
    };
    let mut kills = 0;
    while ground.deployed().len() < 2 {
        kills += 1;
        let status = step().env("OCTORHAI_CRASH_AT", &kills.to_string()).command().output().expect("it runs").status;
        assert_eq!(status.code(), None, "kill number {kills}");
    }
    let again = step().run();
    again.ended(0).says("default", &format!("continuing run `{parent}/act-1/x-"));
    // What the dead attempt may not have told is told.
    assert_eq!((again.variable("T"), again.variable("TaskIds")), (Some("ServerTasks-20"), Some("ServerTasks-20")));
    assert_eq!(ground.deployed(), ["Project C", "Project A"]);
    step().run().ended(0).says("default", "has succeeded before");
}

#[test]
fn in_a_database_a_killed_step_goes_on_at_once_and_waits_for_another_machine() {
    let ground = ground();
    let parent = parent(&ground, "Project C");
    let store = postgres::database();
    let step = || {
        let script = "let t = deploy(\"Project A\", \"latest\", \"Test\"); wait(t);";
        Step::new(&ground.sandbox.url, script, &[("Octopus.Task.Id", &parent)]).env("OCTORHAI_STORE", &store)
    };
    let kill = |kills: &str| {
        let output = step().env("OCTORHAI_CRASH_AT", kills).command().output().expect("it runs");
        assert_eq!(output.status.code(), None, "kill number {kills}: {}", String::from_utf8_lossy(&output.stdout));
    };
    // Each attempt goes on where the killed one before was, on the same machine, without waiting for anything.
    for at in ["4", "9", "12"] {
        kill(at);
    }
    // As if the killed process had been on another machine, that gave a sign of life 57 seconds ago.
    let elsewhere = "UPDATE octorhai.run SET beat = clock_timestamp() - interval '57 s', \
                     holder = replace(replace(holder, '\"boot\":\"', '\"boot\":\"another'), '\"host\":\"', '\"host\":\"another-')";
    postgres::execute(&store, elsewhere).expect("a change");
    let heard = step().run();
    heard
        .ended(0)
        .says("default", " is being worked on by process ")
        .says("default", " on another-")
        .says("default", "known to be dead in ");
    heard.says("default", "this attempt of the step waits for it").says("default", &format!("continuing run `{parent}/act-1/x-"));
    assert_eq!(ground.deployed(), ["Project C", "Project A"]);
}

#[test]
fn a_step_does_not_wait_for_what_waits_for_it() {
    let ground = Ground::in_world(&shop(&[("key   = ", "task_cap = 1\nkey   = ")]));
    ground.write("parent.rhai", "let t = deploy(\"Project C\", \"1.1.0\", \"Test\"); print(t.id); print(t.deployment);");
    let ran = ground.run("parent", "scripts/parent.rhai", &[], &[]);
    let (task, deployment) = ran.stdout.trim().split_once('\n').unwrap_or_else(|| panic!("{ran:?}"));
    let own = [("Octopus.Task.Id", task), ("Octopus.Deployment.Id", deployment), ("Octopus.Project.Name", "Project C")];
    let script = "wait(deploy(\"Project C\", \"2.0.0\", \"Test\"));";
    let heard = Step::new(&ground.sandbox.url, script, &own).run();
    heard.ended(1).says("error", "a deployment of this very project to this very environment").says("error", "requeue(");
    assert!(heard.result.as_ref().is_some_and(|result| result.contains("for ever")), "{heard:?}");
    // The only slot of the server is ours.
    let script = "wait(deploy(\"Project A\", \"latest\", \"Test\"));";
    let heard = Step::new(&ground.sandbox.url, script, &own).run();
    heard.ended(1).says("error", "all 1 slots of the server's task cap are taken").says("error", task).says("error", "requeue(");
    // Started without waiting for it, it is none of our business.
    let script = "deploy(\"Project B\", \"latest\", \"Test\");";
    Step::new(&ground.sandbox.url, script, &own).run().ended(0);
}

#[test]
fn a_step_on_a_target_does_not_wait_for_what_runs_there() {
    let world = shop(&[(
        "[[projects]]\nname = \"Project A\"",
        "[[machines]]\nname = \"web-1\"\nenvironments = [\"Test\"]\n\n[[projects]]\nname = \"Project A\"",
    )]);
    let ground = Ground::in_world(&world);
    let parent = parent(&ground, "Project C");
    let on = |more: &[(&str, &str)]| {
        let mut all = vec![("Octopus.Task.Id", parent.as_str()), ("Octopus.Machine.Id", "Machines-1"), ("Octopus.WorkerPool.Id", "")];
        all.extend(more);
        Step::new(&ground.sandbox.url, "wait(deploy(\"Project A\", \"latest\", \"Test\"));", &all).run()
    };
    on(&[])
        .ended(1)
        .says("error", "runs on the deployment target web-1, and so does this one")
        .says("error", "OctopusBypassDeploymentMutex");
    on(&[("OctopusBypassDeploymentMutex", "True")]).ended(0);
}

/// A step in real time, stopped once it has said that it started something.
fn under_way(step: &Step, mut command: Command) -> (Child, BufReader<std::process::ChildStdout>, String) {
    let _ = step;
    let mut child = command.env_remove("OCTORHAI_VIRTUAL_TIME").spawn().expect("bash starts");
    let mut out = BufReader::new(child.stdout.take().expect("piped"));
    let mut said = String::new();
    while !said.contains("  started  (ServerTasks-") {
        assert!(out.read_line(&mut said).expect("a line") > 0, "it ended:\n{said}");
    }
    // Its switch back to the usual level comes in the same write.
    out.read_line(&mut said).expect("a line");
    (child, out, said)
}

/// Waits until the children of a task are `state`, and returns what `runs reap` says of them.
fn children(ground: &Ground, parent: &str, state: &str) -> String {
    until(&format!("a child that is {state}"), || {
        let ran = ground.octorhai(&["runs", "reap", "--parent", parent, "--server", &ground.sandbox.url], &[]);
        assert_eq!(ran.code, 0, "{ran:?}");
        let said = format!("{}{}", ran.stdout, ran.stderr);
        said.contains(state).then_some(said)
    })
}

#[test]
fn the_weak_signals_of_a_cancel_cancel_the_children() {
    let ground = Ground::with_clock(&shop(&[]), &["--speed", "1"]);
    let script = "wait(deploy(\"Project A\", \"latest\", \"Test\"));";
    for how in ["SIGTERM", "pipe", "parent", "task"] {
        ground.write("parent.rhai", "print(deploy(\"Project C\", \"1.1.0\", \"Test\").id);");
        let ran = ground.octorhai(&["run", "--server", &ground.sandbox.url, "--run-id", how, "scripts/parent.rhai"], &[]);
        let parent = ran.stdout.trim();
        let step = Step::new(&ground.sandbox.url, script, &[("Octopus.Task.Id", parent)]);
        // Without `exec`, as PowerShell starts it: then the launcher can die alone.
        let command =
            if how == "parent" { step.launched("exec 3< <(cat \"$FRAME_FILE\"); \"$OCTORHAI\" step run; exit $?") } else { step.command() };
        let (mut child, mut out, mut said) = under_way(&step, command);
        let stop = |arguments: &[&str]| assert!(Command::new("kill").args(arguments).status().expect("kill runs").success());
        let mut errors = child.stderr.take().expect("piped");
        match how {
            "SIGTERM" => stop(&["-TERM", &child.id().to_string()]),
            "parent" => stop(&["-KILL", &child.id().to_string()]),
            "task" => {
                let cancel = format!("task(\"{parent}\").cancel();");
                ground.write("cancel.rhai", &cancel);
                told(&ground.octorhai(&["run", "--server", &ground.sandbox.url, "--run-id", "cancel", "scripts/cancel.rhai"], &[]), 0, &[]);
            }
            _ => {}
        }
        if how == "pipe" {
            drop(out);
        } else {
            out.read_to_string(&mut said).expect("text");
        }
        let code = child.wait().expect("it ends").code();
        let mut complaints = Vec::new();
        errors.read_to_end(&mut complaints).expect("read");
        let listed = children(&ground, parent, "Cancel");
        assert!(listed.contains("Project A"), "{how}: {listed}");
        if how != "pipe" {
            let heard = Heard::of(code, said.as_bytes(), &complaints);
            heard.says("error", "the run was cancelled");
        }
        if how != "parent" {
            assert_eq!(code, Some(4), "{how}: {said}");
        }
    }
}

#[test]
fn what_a_killed_step_leaves_behind_is_listed_and_reaped() {
    let ground = Ground::with_clock(&shop(&[]), &["--speed", "1"]);
    ground.write("parent.rhai", "print(deploy(\"Project C\", \"1.1.0\", \"Test\").id);");
    let ran = ground.octorhai(&["run", "--server", &ground.sandbox.url, "--run-id", "parent", "scripts/parent.rhai"], &[]);
    let parent = ran.stdout.trim();
    let script = "let t = run_runbook(\"Project B\", \"Smoke test\", \"Test\"); wait([t, deploy(\"Project A\", \"latest\", \"Test\")]);";
    let step = Step::new(&ground.sandbox.url, script, &[("Octopus.Task.Id", parent)]);
    let (mut child, mut out, mut said) = under_way(&step, step.command());
    while !said.contains("(ServerTasks-21)") {
        assert!(out.read_line(&mut said).expect("a line") > 0, "{said}");
    }
    child.kill().expect("it runs");
    child.wait().expect("it ends");
    let reap = |more: &[&str]| {
        let mut all = vec!["runs", "reap", "--parent", parent, "--server", &ground.sandbox.url];
        all.extend(more);
        ground.octorhai(&all, &[])
    };
    let listed = reap(&[]);
    assert!(listed.stdout.contains("Project A") && listed.stdout.contains("Smoke test"), "{listed:?}");
    told(&listed, 0, &["2 of 2 go on", "--cancel"]);
    let refused = reap(&["--cancel"]);
    told(&refused, 2, &["its step may still need what it started"]);
    ground.write("cancel.rhai", &format!("let t = task(\"{parent}\"); t.cancel(); settle(t);"));
    told(&ground.octorhai(&["run", "--server", &ground.sandbox.url, "--run-id", "cancel", "scripts/cancel.rhai"], &[]), 0, &[]);
    let reaped = reap(&["--cancel"]);
    assert!(reaped.code == 0 && reaped.stdout.matches("Cancel").count() == 2, "{reaped:?}");
    let nobody = ground.octorhai(&["runs", "reap", "--parent", "ServerTasks-1", "--server", &ground.sandbox.url], &[]);
    told(&nobody, 0, &["octorhai has started nothing in steps of ServerTasks-1"]);
    let json = reap(&["--output", "json"]);
    assert!(json.stdout.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()), "{json:?}");
    told(&ground.octorhai(&["runs", "reap", "--parent", "ServerTasks-999", "--server", &ground.sandbox.url], &[]), 1, &["ServerTasks-999"]);
}
