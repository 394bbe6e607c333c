//! What people found, and its relatives: each input with what is right.

use crate::support::{
    finish,
    ground::{Ground, told},
    octorhai, shop,
    step::Step,
};
use serde_json::Value;
use std::fs;

const SECRET: &str = "hunter\"22/long";
const GIVEN: [(&str, &str); 1] = [("OCTORHAI_PARAM_T", SECRET)];

/// The script on a sandbox of its own.
#[track_caller]
fn run(script: &str) -> crate::support::Ran {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("x.rhai"), script).expect("written");
    finish(octorhai().current_dir(folder.path()).envs(GIVEN).args(["run", "--sandbox", "x.rhai"]))
}

#[test]
fn value_of_output_secret_is_masked_from_then_on_in_every_run() {
    let ran = run(r#"let v = "made-" + "by-script"; output_secret("X", v); print(v); print(`and ${v}`);"#);
    told(&ran, 0, &[]);
    assert_eq!(ran.stdout, "***\nand ***\n");
}

#[test]
fn name_that_holds_a_secret_is_refused() {
    for call in ["artifact(v + \".txt\", \"x\")", "output(v, \"x\")", "output_secret(v, \"x\")", "artifact(v, \"x\", #{masked: true})"] {
        let ran = run(&format!("let v = \"made-by-script\"; output_secret(\"X\", v); {call};"));
        told(&ran, 1, &["the name holds the text of a secret", "choose another name"]);
        assert!(!ran.stderr.contains("made-by-script\", \"x\""), "{}", ran.stderr);
    }
}

#[test]
fn password_in_a_wrong_address_is_not_shown() {
    for address in [
        "https://u:SESAME99@h:bad/",
        "https://u:SESAME99@/",
        "https://u:SESA/ME99@h",
        "https://u:SESAME99@h/x",
        "https://u:SESAME99@h:99999",
    ] {
        for words in [
            &["run", "--server", address, "x.rhai"][..],
            &["runs", "--store", address, "list"],
            &["doctor", "--server", address],
            &["run", "--sandbox", "--smtp", address, "x.rhai"],
        ] {
            let folder = tempfile::tempdir().expect("a folder");
            fs::write(folder.path().join("x.rhai"), "1").expect("written");
            let ran = finish(octorhai().current_dir(folder.path()).env("OCTOPUS_API_KEY", "API-1234").args(words));
            let said = format!("{}{}", ran.stdout, ran.stderr);
            assert!(ran.code == 2 && !said.contains("SESA") && !said.contains("ME99"), "{words:?}: {ran:?}");
        }
        let ran = finish(octorhai().env("OCTOPUS_URL", address).env("OCTOPUS_API_KEY", "API-1234").args(["doctor"]));
        assert!(ran.code == 2 && !ran.stderr.contains("SESA") && !ran.stderr.contains("ME99"), "{ran:?}");
    }
}

#[test]
fn what_looks_like_a_key_is_masked_everywhere() {
    let ran =
        run(r#"let k = "API-" + "ABCDEFGHIJ0123456789"; print(k); warn(k); print(attempt(|| artifact("a.txt", k)).ok); fail("no " + k);"#);
    told(&ran, 1, &["warning: ***", "no ***"]);
    assert_eq!(ran.stdout, "***\nfalse\n");
    assert!(!ran.stderr.contains("API-A"), "{}", ran.stderr);
}

#[test]
fn escapes_of_json_are_recognised() {
    let ran = run(
        r#"let v = "plus+and<more>'é"; output_secret("X", v); print("a plus\\u002Band\\u003cmore\\u003E\\u0027\\u00E9 b"); print("plus\\u002band<more>\\u0027\\u00e9");"#,
    );
    assert_eq!(ran.stdout, "a *** b\n***\n", "{ran:?}");
}

#[test]
fn what_is_joined_with_a_secret_stays_one() {
    let ran = run(r#"
        let s = secret("T");
        let all = ["Bearer " + s, s + " x", s + 5, 1.5 + s, s + s, s + 'c', true + s, (s + ()) + ""];
        let grown = "a"; grown += s; grown += 7; all.push(grown);
        let other = s; other += "tail"; all.push(other);
        for one in all { print(one); print(type_of(one)); print(one.length > 14 || one.reveal() == s.reveal()); }
        print(grown.reveal() == "a" + s.reveal() + "7");
        print(other.reveal() == s.reveal() + "tail");
        print(("Bearer " + s).reveal() == "Bearer " + s.reveal());
        print(`in a text: ${s}`);
        "x" + #{a: 1} + s
    "#);
    told(&ran, 0, &[]);
    assert_eq!(ran.stdout, format!("{}true\ntrue\ntrue\nin a text: ***\n", "***\nSecret\ntrue\n".repeat(10)), "{ran:?}");
    let ran = run("[1] + secret(\"T\")");
    told(&ran, 1, &["a secret can be joined with texts and numbers", "`.reveal()` gives its text"]);
}

#[test]
fn data_that_holds_a_secret_is_refused_and_never_arrives_as_stars() {
    for call in [
        "post(\"projectgroups\", #{Name: s})",
        "post(\"projectgroups\", #{Name: \"x\", Deep: [#{a: [s]}]})",
        "put(\"projectgroups/ProjectGroups-1\", #{Name: s})",
        "post(\"projectgroups\", \"x\" + s)",
        "get(\"projects/\" + s)",
        "remember(\"k\", s)",
        "remember(\"k\", #{a: s})",
        "remember(s, 1)",
        "once(\"k\", || s)",
        "output(\"X\", \"x\" + s)",
        "output(\"X\", [s])",
        "artifact(\"a.txt\", \"x\" + s)",
        "#{a: s}.to_json()",
        "deploy(\"Project A\", \"latest\", \"Test\", #{comment: \"x\" + s})",
        "create_release(\"Project A\", #{version: \"9.9.9\", notes: s})",
        "email(#{to: s, subject: \"x\"})",
        "arrive(\"there\", s)",
    ] {
        let ran = run(&format!("let s = secret(\"T\");\n{call};\nprint(\"it went on\");"));
        assert!(ran.code == 1 && ran.stdout.is_empty() && ran.stderr.contains("secret"), "{call}: {ran:?}");
        assert!(ran.stderr.contains(".reveal()") || ran.stderr.contains("output_secret"), "{call}: {ran:?}");
    }
}

#[test]
fn header_made_of_a_secret_arrives_whole_in_a_sensitive_variable() {
    let ground = Ground::new();
    let script = r#"output_secret("Header", "Bearer " + secret("Token")); output("Plain", "x", #{masked: true}); output("Stars", "y" + secret("Token"), #{masked: true});"#;
    let heard = Step::new(&ground.sandbox.url, script, &[("T.Token!", SECRET)]).run();
    heard.ended(0);
    assert_eq!(heard.variables["Header"], (format!("Bearer {SECRET}"), true));
    assert_eq!((heard.variable("Plain"), heard.variable("Stars")), (Some("x"), Some("***")));
}

#[test]
fn mail_shows_a_secret_only_when_the_script_revealed_it() {
    let error = format!("login with {SECRET} failed").replace('"', "\\\"");
    let world = shop(&[(
        "{ name = \"Verify payments\",     takes = \"4m\" }",
        &format!(
            "{{ name = \"Verify payments\", takes = \"4m\", fails = [ {{ release = \"2.0.0\", environment = \"Test\", error = \"{error}\" }} ] }}"
        ),
    )]);
    let body = |reveal: &str| {
        format!(
            r#"let s = secret("T"); let caught = (); {reveal}
            try {{ wait(deploy("Project C", "2.0.0", "Test")); }} catch (err) {{ caught = err; }}
            email(#{{to: "a@example.com", subject: `failed: ${{caught.first_errors[0]}}`, body: problem(caught), attachments: #{{"e.txt": `${{caught}}`}}}});
            email(#{{to: "a@example.com", subject: "asked for", body: "pw: " + {given}}});"#,
            given = if reveal.is_empty() { "s" } else { "open" },
        )
    };
    for (reveal, is_shown) in [("", false), ("let open = s.reveal();", true)] {
        let ground = Ground::in_world(&world);
        ground.write("mail.rhai", &body(reveal));
        told(&ground.run("mail", "scripts/mail.rhai", &[], &GIVEN), 0, &[]);
        let state = ground.sandbox.get("/sandbox/state");
        let raw = |n: usize| {
            let raw = state["mails"][n]["raw"].as_str().expect("a mail").to_owned();
            let read = mail_parser::MessageParser::default().parse(raw.as_bytes()).expect("a mail");
            let parts: Vec<String> = read.parts.iter().map(|part| String::from_utf8_lossy(part.contents()).into_owned()).collect();
            format!("{}\n{raw}\n{}", read.subject().unwrap_or_default(), parts.join("\n"))
        };
        // The error of a step is for people: it holds no secret, whatever the script has revealed.
        assert!(raw(0).contains("login with *** failed") && !raw(0).contains("hunter"), "{}", raw(0));
        assert_eq!(raw(1).contains(&format!("pw: {SECRET}")), is_shown, "{}", raw(1));
        assert!(is_shown || raw(1).contains("***"), "{}", raw(1));
    }
}

#[test]
fn masked_mail_is_told() {
    let ran = run(r#"output_secret("X", "made-by-script"); email(#{to: "a@example.com", subject: "s", body: "it is made-by-script"});"#);
    told(&ran, 0, &["mail `s`: `***` stands in it in place of a secret"]);
    let ran = run(r#"output_secret("X", "made-by-script"); report([#{a: "made-by-script"}], #{format: "csv"})"#);
    told(&ran, 0, &["report: `***` stands in it in place of a secret"]);
}

#[test]
fn short_secret_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("x.rhai"), "secret(\"T\");").expect("written");
    let ran = finish(octorhai().current_dir(folder.path()).env("OCTORHAI_PARAM_T", "abc").args(["run", "--sandbox", "x.rhai"]));
    told(&ran, 0, &["parameter `T`: a secret of fewer than 4 characters is shown wherever it comes up"]);
}

#[test]
fn prompted_variable_that_people_can_read_gets_no_secret() {
    let ran = run(r#"deploy("Project B", "latest", "Test", #{variables: #{"Change number": secret("T")}});"#);
    assert!(ran.code == 1 && ran.stdout.is_empty(), "{ran:?}");
}

/// What `output_secret` was given stands in the record by its name, and comes back when the run goes on.
#[test]
fn run_with_a_secret_of_its_own_goes_on() {
    let ground = Ground::new();
    ground.write(
        "own.rhai",
        r#"
        let own = "made-" + "by-the-script";
        output_secret("Own", own);
        remember("kept", #{pw: "pw=" + own});
        let kept = recall("kept");
        deploy("Project A", "2.0.0", "Test");
        remember("again", #{length: kept.pw.len, same: kept.pw == "pw=" + own});
        "#,
    );
    ground.killed("own", "scripts/own.rhai", &[]);
    let record = format!("{:?}", ground.journal().steps("own").expect("read"));
    assert!(!record.contains("by-the-script") && record.contains("output_secret Own"), "{record}");
    told(&ground.resume(&["own"]), 0, &[]);
    ground.write("look.rhai", "recall(\"again\")");
    let ran = ground.run("look", "scripts/look.rhai", &["--output", "json"], &[]);
    let ended: Value = serde_json::from_str(ran.stdout.lines().last().unwrap_or_default()).expect("JSON");
    assert_eq!(ended["result"], serde_json::json!({"length": 21, "same": true}));
}
