//! `octorhai check`: each mistake is found where it is, and good scripts have none.

use crate::support::{Ran, finish, octorhai, root, shop};
use octorhai::check::RULES;
use serde_json::Value;
use std::{collections::BTreeSet, fs, path::Path};

/// A script that holds a mistake for each rule; the lines behind `//!` say which rules find something on the line.
const SEEDED: &str = r##"let to = param("NotifyTo", "team@example.com");
let again = param("notifyto", "team@example.com", #{label: "Who"}); //! parameter-twice
let token = secret("Token");
let open = secret("Other").reveal();
let a = deploi("Project A", "latest", "Test"); //! unknown-function
deploy("Project A", "latest"); //! wrong-arguments
wait(deploy("Project A", "latest", ctx.env, #{chanel: "x"}), #{timeout: 45}); //! unknown-option wrong-option
wait(deploy("Project A", "latest", "Test", #{at: "03:00 UTC"})); //! default-limit
if running("Project C", "Test").is_empty() {
    deploy("Project C", "latest", "Test"); //! check-then-act
} else if open != "" {
    print("no");
}
let busy = running("Project B", "Test");
if busy.len() > 0 { fail("busy"); }
promote("Project B", "Test", "Production"); //! check-then-act
while task("ServerTasks-1").state != "Success" { sleep("10s"); } //! wait-without-limit
loop { sleep("1m"); if task("ServerTasks-1").completed { break; } } //! wait-without-limit
sleep(at("tomorrow 03:00")); //! time-without-zone
if window("22:00-04:00") { requeue("Sat 02:00"); } //! time-without-zone time-without-zone
let t = deploy("Project E", "2.0.0", "Test", #{at: "03:00", tenant: "Sun & Sons"}); //! check-then-act time-without-zone
print(`the key is ${token}`); //! secret-shown
post("x", #{Key: `Bearer ${token}`}); //! secret-in-text
email(#{to: to, subject: "x", body: open}); //! secret-shown
print(ctx.environment); //! unknown-property
print(t.stat); //! unknown-property
wait_idle("Project C", "Test", #{timeout: "1h"});
run_runbook("Project A", "Smoke test", "Test"); //! check-then-act
let shown = #{Name: "x"};
for t in tenants(#{project: "Store"}) { ensure("Store", "1.0.0", "Test", #{tenant: t}); }
ensure("Store", "1.0.0", "Test"); //! tenant-forgotten
ensure("Project D", "latest", "Test", #{channel: "Beta"});
ensure("Project D", "latest", "Production"); //! channel-forgotten
print("#{Octopus.Project.Name}"); //! inline-trap
"##;

/// Scripts that look alike and are right.
const RIGHT: &str = r#"import "std/lists" as lists;
fn twice(x) { x * 2 }
let to = param("NotifyTo", "team@example.com", #{label: "Who gets the mail"});
let token = secret("Token");
output_secret("Token", token);
output_secret("Header", "Bearer " + token);
post("x", #{Key: `Bearer ${token.reveal()} of ${token.length}`});
let parts = lists::chunks([1, 2, 3], 2);
print(twice(parts.len()));
lock("shop", #{wait_up_to: "30m"}, || {
    if running("Project C", ctx.env).is_empty() { deploy("Project C", "latest", ctx.env); }
});
if running("Project C", ctx.env).is_empty() { print("idle"); }
deploy("Project A", "latest", ctx.env, #{variables: #{"Any": "thing"}, at: "tomorrow 03:00 Europe/Berlin"});
"Project A".deploy("latest", ctx.env);
space("Default").deploy("Project A", "latest", ctx.env);
let tries = 0;
while tries < 5 { sleep("10s"); tries += 1; }
sleep("5m");
if !window("22:00-04:00", "Europe/Berlin") { requeue("2026-03-03T02:00:00+01:00"); }
let doors = #{open: |x| x + 1};
print(doors.open.call(1));
[3, 1].sort();
let names = projects().map(|p| p.name).filter(|n| n.starts_with("P"));
let limit = #{timeout: "5m"};
wait(running("Project A", ctx.env), limit);
ensure("Project A", "latest", ctx.env);
for t in running() { wait(t, #{timeout: "1h", on_timeout: "cancel"}); }
"#;

fn check(folder: &Path, arguments: &[&str]) -> Ran {
    finish(octorhai().current_dir(folder).arg("check").args(arguments))
}

/// Line and rule of each finding.
fn found(folder: &Path, arguments: &[&str]) -> Vec<(u64, String)> {
    let ran = check(folder, &[&["--output", "json"], arguments].concat());
    assert!(ran.code <= 1, "{ran:?}");
    let lines = ran.stdout.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    lines.map(|f| (f["line"].as_u64().expect("a line"), f["rule"].as_str().expect("a rule").to_owned())).collect()
}

fn wanted(script: &str) -> Vec<(u64, String)> {
    let mut all: Vec<(u64, String)> = Vec::new();
    for (line, number) in script.lines().zip(1..) {
        let rules = line.split_once("//! ").map_or("", |(_, rules)| rules);
        all.extend(rules.split_whitespace().map(|rule| (number, rule.to_owned())));
    }
    all
}

#[test]
fn each_mistake_is_found_where_it_is_and_nothing_else() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("seeded.rhai"), SEEDED).expect("written");
    let mut got = found(folder.path(), &["seeded.rhai"]);
    let mut expected = wanted(SEEDED);
    got.sort();
    expected.sort();
    assert_eq!(got, expected);
    fs::write(folder.path().join("right.rhai"), RIGHT).expect("written");
    let ran = check(folder.path(), &["right.rhai"]);
    assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.as_str()), (0, "", "1 script: nothing to say\n"));
}

#[test]
fn the_scripts_that_come_with_it_have_no_mistake_here_and_on_a_server() {
    let ran = finish(octorhai().args(["check", "scripts"]));
    assert_eq!((ran.code, ran.stdout.as_str()), (0, ""), "{ran:?}");
    let names: Vec<String> = fs::read_dir(root().join("scripts"))
        .expect("there")
        .map(|entry| entry.expect("an entry").path().display().to_string())
        .filter(|name| !name.ends_with("tenant-rings.rhai"))
        .collect();
    let ran = finish(octorhai().args(["check", "--sandbox"]).args(&names));
    assert_eq!((ran.code, ran.stdout.as_str()), (0, ""), "{ran:?}");
}

#[test]
fn a_server_knows_which_names_there_are() {
    let folder = tempfile::tempdir().expect("a folder");
    let script = r#"deploy("Projekt A", "latest", "Test"); //! unknown-name
deploy("Project A", "latest", "Tset"); //! channel-forgotten unknown-name
deploy("project-a", "2.0.0", "Environments-2");
deploy("Project A", "9.9.9", "Test", #{channel: "Nope", skip_steps: ["Smoke test", "Smoke tset"]}); //! unknown-name unknown-name unknown-name
run_runbook("Project A", "Smok", "Test"); //! unknown-name
promote("Project A", "Test", "Prod"); //! unknown-name
deploy("Project A", ">=1.0 <3", "Test");
create_release("Project C", #{version: "7.0.0"});
deploy("Project C", "7.0.0", "Test");
dashboard(#{env: ["Test", "Proud"], group: "Shop"}); //! unknown-name
space("Opps").deploy("Project Z", "latest", "Test"); //! unknown-name
deploy("Project B", "latest", "Test"); //! latest-without-channel
ensure("Project T", "1.0.0", "Test"); //! tenant-missing
"#;
    fs::write(folder.path().join("x.rhai"), script).expect("written");
    let world = shop(&[(
        "name = \"Project B\"\n",
        "name = \"Project B\"\nchannels = [ { name = \"Default\", default = true }, { name = \"Beta\" } ]\n",
    )]);
    let tenanted = "\n[[projects]]\nname = \"Project T\"\ngroup = \"Shop\"\nlifecycle = \"Standard\"\ntenanted = \"only\"\nreleases = [ { version = \"1.0.0\" } ]\nsteps = [ { name = \"One\", takes = \"1m\" } ]\n";
    fs::write(folder.path().join("world.toml"), world + tenanted).expect("written");
    let got = found(folder.path(), &["--sandbox=world.toml", "x.rhai"]);
    assert_eq!(got, wanted(script), "{:?}", check(folder.path(), &["--sandbox=world.toml", "x.rhai"]));
    // Without a server nothing is known of names.
    assert_eq!(found(folder.path(), &["x.rhai"]), [(2, "channel-forgotten".to_owned())]);
    let ran = finish(
        octorhai().current_dir(folder.path()).args(["check", "--server", "http://127.0.0.1:9", "x.rhai"]).env("OCTOPUS_API_KEY", "API-X"),
    );
    assert_eq!(ran.code, 10, "{ran:?}");
}

#[test]
fn what_does_not_compile_is_told_as_a_run_tells_it() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("x.rhai"), "let t = 1;\nprint(tt);\ndeploi(\"A\");\n").expect("written");
    // A name that there is not does not hide what else is wrong; a slip of grammar does.
    assert_eq!(found(folder.path(), &["x.rhai"]), [(2, "syntax".to_owned()), (3, "unknown-function".to_owned())]);
    fs::write(folder.path().join("y.rhai"), "if true {\ndeploi(1);\n").expect("written");
    let ran = check(folder.path(), &["y.rhai"]);
    assert!(ran.code == 1 && ran.stdout.starts_with("error[syntax]: "), "{ran:?}");
    fs::write(folder.path().join("z.rhai"), "import \"./part\" as part;\nprint(part::f(1));\npart::g();\n").expect("written");
    fs::write(folder.path().join("part.rhai"), "fn f(x) { deploi(x) }\n").expect("written");
    let ran = check(folder.path(), &["z.rhai"]);
    assert!(ran.stdout.contains(" --> part.rhai:1:11") && ran.stdout.contains("`./part` has no function `g`"), "{ran:?}");
    fs::write(folder.path().join("p.rhai"), "let a = param(\"A\", 1);\nlet b = param(\"A\", 2, #{label: \"x\"});\nlet c = param(a, 1);\n")
        .expect("written");
    assert_eq!(found(folder.path(), &["p.rhai"]), [(2, "parameter".to_owned())]);
    for (arguments, why) in
        [(&["nope.rhai"][..], "there is no such file"), (&["."][..], ""), (&["--output", "yaml", "x.rhai"][..], "sarif")]
    {
        let ran = check(folder.path(), arguments);
        assert!(ran.code == if why.is_empty() { 1 } else { 2 } && ran.stderr.contains(why), "{ran:?}");
    }
}

#[test]
fn a_comment_switches_a_rule_off_on_its_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let script = "wait_idle(\"A\", ctx.env); // check: allow default-limit\n// check: allow time-without-zone, check-then-act\nlet x = at(\"03:00\");\nlet y = at(\"03:00\");\n";
    fs::write(folder.path().join("x.rhai"), script).expect("written");
    assert_eq!(found(folder.path(), &["x.rhai"]), [(4, "time-without-zone".to_owned())]);
}

#[test]
fn sarif_is_one_log_with_all_rules() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("seeded.rhai"), SEEDED).expect("written");
    let ran = check(folder.path(), &["--output", "sarif", "seeded.rhai"]);
    let log: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_eq!((ran.code, log["version"].as_str()), (1, Some("2.1.0")));
    let run = &log["runs"][0];
    let rules: BTreeSet<&str> = run["tool"]["driver"]["rules"].as_array().expect("rules").iter().filter_map(|r| r["id"].as_str()).collect();
    assert_eq!(rules.len(), RULES.len());
    let results = run["results"].as_array().expect("results");
    assert_eq!(results.len(), wanted(SEEDED).len());
    for result in results {
        let region = &result["locations"][0]["physicalLocation"]["region"];
        assert!(rules.contains(result["ruleId"].as_str().expect("an id")) && region["startLine"].as_u64() > Some(0), "{result}");
        assert!(["note", "warning", "error"].contains(&result["level"].as_str().expect("a level")), "{result}");
        assert!(!result["message"]["text"].as_str().expect("text").is_empty());
    }
}

#[test]
fn every_rule_is_explained_where_users_look() {
    let page = fs::read_to_string(root().join("docs/check.md")).expect("docs/check.md is there");
    for rule in RULES {
        assert!(
            page.contains(&format!("| `{}` | {} | {} |", rule.name, rule.level.name(), rule.about)),
            "docs/check.md has no row for {rule:?}"
        );
    }
}

#[test]
fn the_scripts_in_the_docs_have_no_mistake() {
    let folder = tempfile::tempdir().expect("a folder");
    for entry in fs::read_dir(root().join("docs")).expect("docs/ is there").flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        // Its examples are as short as can be: no zone, no time-out.
        if name == "reference.md" || entry.path().extension().is_none_or(|end| end != "md") {
            continue;
        }
        let text = fs::read_to_string(entry.path()).expect("readable");
        let blocks = text.split("```rhai").skip(1).filter_map(|rest| rest.split_once('\n')?.1.split_once("\n```"));
        for (number, (block, _)) in blocks.enumerate() {
            fs::write(folder.path().join(format!("{name}-{number}.rhai")), block).expect("written");
        }
    }
    let ran = check(folder.path(), &["."]);
    assert!(ran.code == 0, "{}", ran.stdout);
}
