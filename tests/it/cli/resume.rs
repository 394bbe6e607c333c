//! `octorhai runs resume` with the binary, against a sandbox in a process of its own.

use crate::support::{
    self,
    ground::{Ground, told},
    octorhai, shop,
};
use octorhai::journal::{self, RunState};
use serde_json::Value;
use std::fs;

/// Without waiting, which would be put down.
const DEPLOY: &str = "deploy(\"Project A\", \"latest\", \"Test\");\nprint(\"after\");\n";

#[test]
fn a_killed_run_goes_on_by_its_name_from_anywhere() {
    let ground = Ground::new();
    ground.write(
        "night.rhai",
        "import \"more\" as more;\nmore::first(param(\"To\", \"x\"));\nprint(`${param(\"To\", \"x\")} ${ctx.tz} ${ctx.env}`);\n",
    );
    ground.write("more.rhai", "fn first(to) { wait(deploy(\"Project A\", \"latest\", \"Test\")); }\n");
    ground.killed("night", "scripts/night.rhai", &["--tz", "Asia/Tokyo", "--To", "2.1"]);
    // In another folder, in another zone, with an environment that says other things.
    let mut command = octorhai();
    command.current_dir(ground.folder.path().join("scripts")).args(["runs", "--store", "../journal", "resume", "night"]);
    command.env("OCTOPUS_API_KEY", "API-SANDBOX").env("OCTOPUS_URL", &ground.sandbox.url).env("OCTOPUS_SPACE", "Elsewhere");
    command.env("OCTORHAI_PARAM_TO", "9.9").env("TZ", "America/Lima");
    let ran = support::finish(&mut command);
    told(&ran, 0, &["continuing run `night`", "done in"]);
    assert_eq!(ran.stdout, "2.1 Asia/Tokyo Test\n");
    assert_eq!(ground.deployed(), ["Project A"]);
    told(&ground.resume(&["night"]), 0, &["run `night` has succeeded", "there is nothing to go on with"]);
    told(&ground.resume(&["nihgt"]), 1, &["there is no run `nihgt`", "did you mean `night`?"]);
    told(&ground.resume(&[]), 2, &["--due"]);
}

/// A script with a mistake that it may never come to.
const MISTAKEN: &str = "sleep(\"2h\");\nif ctx.env == \"Moon\" { nope(); }\nprint(\"after\");\n";

#[test]
fn a_run_that_was_begun_without_the_check_goes_on_without_it() {
    let ground = Ground::new();
    ground.write("night.rhai", MISTAKEN);
    told(&ground.run("night", "scripts/night.rhai", &["--suspend"], &[]), 1, &["there is no function `nope`", "nothing was sent"]);
    assert_eq!(ground.run("night", "scripts/night.rhai", &["--suspend", "--no-check"], &[]).code, 7);
    told(&ground.resume(&["night"]), 7, &["put down until"]);
    // One that the variable let pass has nothing of it in its record.
    assert_eq!(ground.run("other", "scripts/night.rhai", &["--suspend"], &[("OCTORHAI_NO_CHECK", "1")]).code, 7);
    told(&ground.resume(&["other"]), 1, &["there is no function `nope`", "--no-check"]);
    told(&ground.resume(&["other", "--no-check"]), 7, &["put down until"]);
}

#[test]
fn the_zone_of_the_machine_is_kept() {
    let ground = Ground::new();
    ground.write("night.rhai", "sleep(\"2h\");\nprint(ctx.tz);\n");
    assert_eq!(ground.run("night", "scripts/night.rhai", &["--suspend"], &[("TZ", "Europe/Berlin")]).code, 7);
    // The clock of the sandbox stands, so there is more to wait for: put down again, as it was begun.
    told(&ground.resume(&["night"]), 7, &["put down until 2026-03-02 11:00:00"]);
    let ran = ground.octorhai(&["runs", "show", "night"], &[]);
    assert!(ran.stdout.contains("zone = Europe/Berlin") && ran.stdout.contains("suspend = true"), "{}", ran.stdout);
}

#[test]
fn due_goes_on_with_what_is_due_and_with_what_was_killed() {
    let ground = Ground::new();
    ground.write("sleeps.rhai", &format!("print(\"before\");\nsleep(\"2h\");\n{DEPLOY}"));
    ground.write("night.rhai", DEPLOY);
    ground.write("fails.rhai", "sleep(\"1h\");\nfail(\"the moon is full\");\n");
    told(&ground.resume(&["--due"]), 0, &["nothing is due in"]);
    assert_eq!(ground.run("sleeps", "scripts/sleeps.rhai", &["--suspend"], &[]).code, 7);
    ground.killed("killed", "scripts/night.rhai", &[]);
    // Its clock has gone on with the killed one's wait, if it got there, but by less than what `sleeps` waits for.
    let ran = ground.resume(&["--due"]);
    // Side by side, so each line says its run.
    let (sleeps, killed): (Vec<&str>, Vec<&str>) = ran.stdout.lines().partition(|line| line.starts_with("sleeps: "));
    assert!(ran.code == 0 && sleeps.len() == 1 && sleeps[0].starts_with("sleeps: put down until 2026-03-02 10:00:00: "), "{ran:?}");
    assert_eq!(killed, ["killed: after", "killed: succeeded"], "{ran:?}");
    assert!(ran.stderr.lines().all(|line| line.contains("warning: ")), "only what went wrong is told: {}", ran.stderr);
    assert_eq!(ground.run("fails", "scripts/fails.rhai", &["--suspend"], &[]).code, 7);
    // Time passes.
    assert_eq!(ground.run("other", "scripts/sleeps.rhai", &[], &[]).code, 0);
    let ran = ground.resume(&["--due", "--output", "json"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    let lines: Vec<Value> = ran.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert!(lines.iter().all(|line| ["fails", "sleeps"].iter().any(|run| line["run"] == **run)), "each says its run: {}", ran.stdout);
    let mut results: Vec<&Value> = lines.iter().filter(|line| line["event"] == "run_resumed").collect();
    results.sort_by_key(|line| line["run"].to_string());
    let short: Vec<String> = results.iter().map(|r| format!("{} {} {}", r["run"], r["exit_code"], r["state"]).replace('"', "")).collect();
    assert_eq!(short, ["fails 1 Failed", "sleeps 0 Succeeded"]);
    assert!(results[0]["result"].as_str().expect("a text").contains("the moon is full") && ran.stderr.contains("the moon is full"));
    told(&ground.resume(&["--due", "--quiet"]), 0, &[]);
    assert_eq!(ground.deployed(), ["Project A"; 3]);
    told(
        &ground.resume(&["fails"]),
        1,
        &["run `fails` has failed", "the moon is full", "octorhai run --run-id fails --anew scripts/fails.rhai"],
    );
}

#[test]
fn name_of_a_run_that_has_ended_says_how_to_begin_anew() {
    let ground = Ground::new();
    ground.write("fails.rhai", "fail(\"the moon is full\");\n");
    let start = || ground.run("nightly", "scripts/fails.rhai", &[], &[]);
    assert_eq!(start().code, 1);
    // As cron starts it every night.
    let stays = "every start under this name ends like this until it is begun anew, or gets another --run-id";
    let anew = "octorhai run --run-id nightly --anew scripts/fails.rhai";
    told(&start(), 1, &["run `nightly` has failed before", "the moon is full", stays, anew, "octorhai runs show nightly"]);
    let run = ground.journal().run("nightly").expect("read").expect("there");
    assert_eq!(run.attempts, 1);
    let holder = journal::Holder { nonce: "n".into(), host: "build-1".into(), pid: 42, mode: Value::Null, identity: None };
    let store = ground.journal();
    assert!(matches!(store.claim(&run.new, &holder).expect("claimed"), journal::Claim::Fresh));
    store.put_down("nightly", &holder, &RunState::Cancelled { reason: "asked to".into() }, run.updated).expect("ended");
    told(&start(), 4, &["run `nightly` was cancelled", "and is not continued: asked to", stays, anew]);
}

#[test]
fn before_it_is_due_nothing_happens() {
    let world = shop(&[("2026-03-02T08:00:00Z", "2126-03-02T08:00:00Z")]);
    let ground = Ground::in_world(&world);
    ground.write("sleeps.rhai", &format!("sleep(\"2h\");\n{DEPLOY}"));
    assert_eq!(ground.run("sleeps", "scripts/sleeps.rhai", &["--suspend"], &[]).code, 7);
    told(&ground.resume(&["--due"]), 0, &["nothing is due in", "next is `sleeps`, 2126-03-02 10:00:00"]);
    let run = ground.journal().run("sleeps").expect("read").expect("there");
    assert!(matches!(run.state, RunState::Suspended { .. }) && run.attempts == 1, "{run:?}");
}

#[test]
fn secrets_come_again_from_the_environment_or_a_file() {
    let ground = Ground::new();
    ground.write("night.rhai", &format!("let token = secret(\"The Token\");\nsleep(\"2h\");\nprint(token.length);\n{DEPLOY}"));
    let file = ground.folder.path().join("secrets.json");
    fs::write(&file, "{\"The Token\": \"hunter22-long\"}").expect("written");
    let path = file.display().to_string();
    assert_eq!(ground.run("night", "scripts/night.rhai", &["--suspend", "--params", &path], &[]).code, 7);
    let record = fs::read(ground.folder.path().join("journal/runs.sqlite")).expect("readable");
    for secret in ["hunter22", "API-SANDBOX"] {
        assert!(!record.windows(secret.len()).any(|part| part == secret.as_bytes()), "{secret} is in the journal");
    }
    // The file is still where it was.
    told(&ground.resume(&["night"]), 7, &["put down until"]);
    let moved = ground.folder.path().join("moved.json");
    fs::rename(&file, &moved).expect("moved");
    let missing =
        ["run `night` was begun with secrets that its journal does not hold: `The Token`", "OCTORHAI_PARAM_THE_TOKEN", "--params FILE"];
    told(&ground.resume(&["night"]), 2, &missing);
    let ran = ground.resume(&["--due"]);
    told(&ran, 2, &missing);
    assert_eq!(ran.stdout, "night: not continued (exit code 2), see the error above\n");
    told(&ground.resume(&["night", "--params", &moved.display().to_string()]), 7, &["put down until"]);
    let wrong = ground.octorhai(&["runs", "resume", "night"], &[("OCTORHAI_PARAM_THE_TOKEN", "swordfish-long")]);
    told(&wrong, 2, &["the secret parameter `The Token` is not the one it began with", "nothing was sent"]);
    let no_key = ground.octorhai(&["runs", "resume", "night", "--params", &moved.display().to_string()], &[("OCTOPUS_API_KEY", "")]);
    told(&no_key, 2, &["there is no API key for", "OCTOPUS_API_KEY", "--api-key-file"]);
    assert_eq!(ground.run("other", "scripts/night.rhai", &["--The-Token", "abc"], &[]).code, 0);
    let ran = ground.octorhai(&["runs", "resume", "night"], &[("OCTORHAI_PARAM_THE_TOKEN", "hunter22-long")]);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "13\nafter\n"), "{}", ran.stderr);
    assert!(matches!(ground.state("night"), RunState::Succeeded { .. }));
}

#[test]
fn a_mail_server_with_a_password_is_named_again() {
    let ground = Ground::new();
    ground.write("night.rhai", "sleep(\"2h\");\n");
    let smtp = [("OCTORHAI_SMTP_URL", "smtp://me:hunter22@mail.example.com:587")];
    assert_eq!(ground.run("night", "scripts/night.rhai", &["--suspend"], &smtp).code, 7);
    told(&ground.resume(&["night"]), 2, &["a mail server whose password its journal does not hold", "OCTORHAI_SMTP_URL"]);
    told(&ground.octorhai(&["runs", "resume", "night"], &smtp), 7, &["put down until"]);
    let ran = ground.octorhai(&["runs", "show", "night"], &[]);
    assert!(ran.stdout.contains("smtp = ***") && !ran.stdout.contains("hunter22"), "{}", ran.stdout);
}

#[test]
fn a_run_that_version_0_1_0_was_asked_to_end_is_not_continued() {
    let ground = Ground::new();
    ground.write("night.rhai", DEPLOY);
    ground.killed("night", "scripts/night.rhai", &[]);
    let before = ground.deployed();
    // It wrote down the wish, and its holder died before it saw that.
    let file = std::path::Path::new(&ground.journal().place()).to_owned();
    rusqlite::Connection::open(file).and_then(|journal| journal.execute("UPDATE run SET cancel = 1", [])).expect("a change");
    told(&ground.resume(&["--due"]), 4, &["run `night` was cancelled"]);
    assert!(matches!(ground.journal().run("night").expect("read").expect("there").state, RunState::Cancelled { .. }));
    told(&ground.resume(&["--due"]), 0, &["nothing is due"]);
    assert_eq!(ground.deployed(), before);
}

#[test]
fn locks_are_taken_again_where_they_were() {
    let ground = Ground::new();
    ground.write("night.rhai", "lock(\"shop\", || wait(deploy(\"Project A\", \"2.0.0\", \"Test\")));\n");
    let folder = ground.folder.path().join("locks");
    let locks = ["--locks", &folder.display().to_string()];
    ground.killed("night", "scripts/night.rhai", &locks);
    told(&ground.resume(&["night"]), 0, &["continuing run `night`"]);
    let cell = journal::open(locks[1]).expect("a store").cell("lock/shop").expect("read").expect("it was taken there");
    assert!(cell.value["gen"].as_u64() >= Some(2), "{}", cell.value);
}

#[test]
fn a_script_that_was_changed_or_moved_is_said_and_nothing_is_sent() {
    let ground = Ground::new();
    ground.write("night.rhai", DEPLOY);
    ground.killed("night", "scripts/night.rhai", &[]);
    let before = ground.deployed();
    ground.write("night.rhai", &DEPLOY.replace("Project A", "Project B"));
    told(&ground.resume(&["night"]), 2, &["the script", "was changed since it began: line 1 was", "nothing was sent"]);
    fs::remove_file(ground.folder.path().join("scripts/night.rhai")).expect("removed");
    let ran = ground.resume(&["night"]);
    told(&ran, 2, &["its script is not at `scripts/night.rhai` any more", "octorhai runs resume night --script FILE"]);
    // What a person must look at is not for `--due`: it was put back as killed, then as stopped.
    told(&ground.resume(&["--due"]), 0, &["nothing is due"]);
    assert_eq!(ground.deployed(), before);
    ground.write("moved.rhai", DEPLOY);
    told(&ground.resume(&["night", "--script", "scripts/moved.rhai"]), 0, &["continuing run `night`"]);
    assert_eq!(ground.deployed(), ["Project A"]);
}

#[test]
fn who_works_on_it_is_named() {
    let ground = Ground::new();
    ground.write("night.rhai", DEPLOY);
    ground.killed("night", "scripts/night.rhai", &[]);
    let store = ground.journal();
    let run = store.run("night").expect("read").expect("there");
    let holder = journal::Holder { nonce: "n".into(), host: "build-1".into(), pid: 42, mode: Value::Null, identity: None };
    assert!(matches!(store.claim(&run.new, &holder).expect("claimed"), journal::Claim::Resumed(..)));
    told(&ground.resume(&["night"]), 6, &["run `night` is being worked on by process 42 on build-1", "octorhai runs cancel night"]);
    told(&ground.resume(&["--due"]), 0, &["nothing is due"]);
    store.put_down("night", &holder, &RunState::Cancelled { reason: "asked to".into() }, run.updated).expect("ended");
    told(&ground.resume(&["night"]), 4, &["run `night` was cancelled", "asked to"]);
}

#[test]
fn a_continued_run_sees_the_secrets_that_were_in_what_it_saw() {
    let ground = Ground::new();
    let script = r#"
        let s = secret("The Token");
        remember("kept", #{pw: "pw=" + s.reveal(), quoted: #{s: s.reveal()}.to_json(), plain: "no secret"});
        let kept = recall("kept");
        let comment = deployments(#{limit: 1})[0].raw.Comments;
        try { throw "not " + s.reveal(); } catch (e) { remember("caught", e); }
        let told = attempt(|| fail("no " + s.reveal()));
        deploy("Project A", "2.0.0", "Test");
        remember("again", #{kept: kept, told: told.error.message, comment: comment});
    "#;
    ground.write("kept.rhai", script);
    let secret = "hunt\"er22-long";
    let given = [("OCTORHAI_PARAM_THE_TOKEN", secret)];
    let before = ground.deployed().len();
    for at in 1.. {
        let crash = at.to_string();
        let ran = ground.run("kept", "scripts/kept.rhai", &["--anew"], &[given[0], ("OCTORHAI_CRASH_AT", &crash)]);
        assert_eq!(ran.code, -1, "{}", ran.stderr);
        if ground.deployed().len() > before {
            break;
        }
        let _not_begun_yet = ground.octorhai(&["runs", "cancel", "kept"], &[]);
    }
    // What lies on the disk holds no secret, and people see that there is one.
    let store = ground.journal();
    let record = format!("{:?}", store.steps("kept").expect("read"));
    assert!(record.contains("no secret") && !record.contains("er22-long"), "{record}");
    let shown = ground.octorhai(&["runs", "show", "kept", "--output", "json"], &[]);
    assert!(shown.stdout.contains("pw=***") && !shown.stdout.contains("The Token\u{10FFFD}"), "{}", shown.stdout);
    // With another secret, or none, nothing goes on.
    for wrong in [&[("OCTORHAI_PARAM_THE_TOKEN", "another-one")][..], &[]] {
        let ran = ground.octorhai(&["runs", "resume", "kept"], wrong);
        assert!(ran.code == 2 && ran.stderr.contains("The Token"), "{ran:?}");
    }
    let ran = ground.octorhai(&["runs", "resume", "kept"], &given);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    ground.write("look.rhai", r#"let a = recall("again"); [a.kept.pw.len(), a.kept.quoted.len(), parse_json(a.kept.quoted).s == secret("The Token").reveal(), a.kept.pw == "pw=" + secret("The Token").reveal(), a.told == "no " + secret("The Token").reveal()]"#);
    let ran = ground.run("look", "scripts/look.rhai", &["--output", "json"], &given);
    let ended: Value = serde_json::from_str(ran.stdout.lines().last().unwrap_or_default()).expect("JSON");
    let quoted = serde_json::json!({"s": secret}).to_string().len();
    assert_eq!(ended["result"], serde_json::json!([secret.len() + 3, quoted, true, true, true]), "{}", ran.stdout);
}

#[test]
fn how_a_run_ended_holds_no_secret() {
    let ground = Ground::new();
    let reveal = "let token = secret(\"The Token\").reveal();";
    ground.write("fails.rhai", &format!("{reveal}\nfail(`wrong token ${{token}}`);"));
    ground.write("returns.rhai", &format!("{reveal}\n#{{text: `it is ${{token}}`, list: [token]}}"));
    let given = [("OCTORHAI_PARAM_THE_TOKEN", "hunter22-long")];
    assert_eq!(ground.run("fails", "scripts/fails.rhai", &[], &given).code, 1);
    assert_eq!(ground.run("returns", "scripts/returns.rhai", &[], &given).code, 0);
    // Who looks at the record later does not know the secret, and so cannot take it out.
    for arguments in
        [&["runs", "list"][..], &["runs", "show", "fails"], &["runs", "show", "returns"], &["runs", "list", "--output", "json"]]
    {
        let ran = ground.octorhai(arguments, &[]);
        assert!(ran.code == 0 && !format!("{ran:?}").contains("hunter22"), "{ran:?}");
    }
    assert!(ground.octorhai(&["runs", "show", "fails"], &[]).stdout.contains("wrong token ***"));
}
