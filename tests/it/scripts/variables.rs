//! Variables in scripts: who was faster, what a release deploys with, and secrets that stay.

use super::option_calls::{WORLD, run};
use crate::support::{ground::Ground, measured, simulate};
use octorhai::error::Kind;
use serde_json::Value;

const SET: &str = "variables/variableset-Projects-1";

#[test]
fn conflict_is_caught_and_says_what_to_do() {
    let script = r#"
        let at = "tenants/Tenants-1/variables";
        let mine = get(at);
        let theirs = get(at);
        theirs.ProjectVariables["Projects-1"].Variables["Environments-1"] = #{a: "theirs"};
        put(at, theirs);
        mine.ProjectVariables["Projects-1"].Variables["Environments-1"] = #{a: "mine"};
        try { put(at, mine) } catch (e) {
            print(`${e.kind} ${e.status}`);
            print(e.message);
            print(e.help);
        }
        print(get(at).ProjectVariables["Projects-1"].Variables["Environments-1"].a);
    "#;
    let ran = run(script);
    assert_eq!(ran.error(), "");
    let told = ran.printed();
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!((lines[0], lines[3]), ("conflict 409", "theirs"));
    assert!(lines[1].contains("submitted data was out of date"), "{told}");
    assert!(lines[2].starts_with("read it again"), "{told}");
}

#[test]
fn stale_save_of_a_variable_set_is_a_conflict_too() {
    let script = r#"
        let mine = get(SET);
        let theirs = get(SET);
        theirs.Variables[0].Value = "theirs";
        put(SET, theirs);
        mine.Variables[0].Value = "mine";
        put(SET, mine);
    "#;
    let ran = run(&script.replace("SET", &format!("\"{SET}\"")));
    let error = &ran.outcome.failure.as_ref().expect("a conflict").error;
    assert_eq!((error.kind(), ran.outcome.exit_code), (Kind::Conflict, 1), "{error}");
}

/// Both have read the values before one of them writes.
#[test]
fn of_two_processes_that_write_the_same_tenant_values_one_wins_and_the_other_is_told() {
    let ground = Ground::in_world(WORLD);
    ground.write(
        "write.rhai",
        r#"
        let at = "tenants/Tenants-1/variables";
        let values = get(at);
        post("~/sandbox/mark", #{who: param("who"), what: "read"});
        wait_for(|| get("~/sandbox/marks").len() == 2, #{every: "1s", timeout: "200h"});
        values.ProjectVariables["Projects-1"].Variables["Environments-1"] = #{a: param("who")};
        let done = attempt(|| put(at, values));
        print(if done.ok { "won" } else { done.error.kind });
        "#,
    );
    let ran = std::thread::scope(|scope| {
        let both = ["one", "two"].map(|who| {
            let ground = &ground;
            scope.spawn(move || ground.run(who, "scripts/write.rhai", &["--who", who], &[]))
        });
        both.map(|one| one.join().expect("it ran"))
    });
    let mut told: Vec<&str> = ran.iter().map(|ran| ran.stdout.trim()).collect();
    told.sort_unstable();
    assert_eq!(told, ["conflict", "won"], "{ran:?}");
}

/// The first variable of Project `Web` is changed after its releases were made.
const CHANGED: &str = r#"
    let set = get("variables/variableset-Projects-1");
    set.Variables[0].Value = "later";
    put("variables/variableset-Projects-1", set);
"#;

/// What the release of a deployment has of it.
const OF: &str = r#"let of = |t| get(`releases/${get("deployments/" + t.deployment).ReleaseId}/variables`).Variables[0].Value;"#;

#[test]
fn release_is_deployed_with_its_own_variables_until_they_are_updated() {
    let script = r#"
        print(of.call(deploy("Web", "latest", "Live")));
        print(of.call(deploy("Web", "latest", "Live", #{update_variables: true})));
        print(of.call(deploy("Web", "latest", "Live", #{update_variables: true})));
        print(get("~/sandbox/requests").filter(|r| r.path.contains("snapshot-variables")).len());
    "#;
    let ran = run(&format!("{CHANGED}{OF}{script}"));
    assert_eq!((ran.error().as_str(), ran.printed().as_str()), ("", "none\nlater\nlater\n1"));
    let notes: Vec<String> = ran
        .events
        .iter()
        .filter_map(|event| match &event.what {
            octorhai::event::What::Note { text, .. } if text.contains("variables") => Some(text.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(notes, ["Web 2.0.0 has the project's variables now", "Web 2.0.0 has the project's variables already"]);
}

#[test]
fn variables_are_updated_once_when_the_answer_is_lost_or_the_request_comes_twice() {
    for action in ["drop_after", "status_after=502", "twice", "reset"] {
        let world = format!("{WORLD}\n[[faults]]\nmatch = \"POST */snapshot-variables\"\nnth = 1\naction = \"{action}\"\n");
        let ran =
            simulate(&world, &format!("{CHANGED}{OF}print(of.call(deploy(\"Web\", \"latest\", \"Live\", #{{update_variables: true}})));"));
        assert_eq!((ran.error().as_str(), ran.printed().as_str()), ("", "later"), "{action}");
    }
}

/// The server is asked to take the variables anew once, also by a run that is killed right before or right after it asked.
#[test]
fn variables_are_updated_once_by_a_run_that_was_killed_meanwhile() {
    let ground = || {
        let ground = Ground::in_world(WORLD);
        measured(ground.folder.path(), &ground.sandbox.url);
        ground.write("change.rhai", CHANGED);
        ground.write("x.rhai", &format!("{OF}\nprint(of.call(deploy(\"Web\", \"latest\", \"Live\", #{{update_variables: true}})));"));
        assert_eq!(ground.run("change", "scripts/change.rhai", &[], &[]).code, 0);
        ground
    };
    let run = |ground: &Ground, more: &[(&str, &str)]| {
        let state = ground.folder.path().display().to_string();
        let surroundings: Vec<_> = more.iter().copied().chain([("OCTORHAI_STATE", state.as_str())]).collect();
        ground.run("x", "scripts/x.rhai", &[], &surroundings)
    };
    let traced = run(&ground(), &[("RUST_LOG", "octorhai=trace")]);
    for when in ["before", "after"] {
        let place = format!("name=\"request: {when} POST\" passed=");
        let at = traced.stderr.lines().find_map(|line| line.split_once(place.as_str())).expect("a place").1.trim().to_owned();
        let ground = ground();
        assert_eq!(run(&ground, &[("OCTORHAI_CRASH_AT", &at)]).code, -1);
        let ran = run(&ground, &[]);
        assert_eq!((ran.code, ran.stdout.trim()), (0, "later"), "{when}: {}", ran.stderr);
        let asked = ground.sandbox.get("/sandbox/requests");
        let is_renewal = |r: &&Value| r["path"].as_str().is_some_and(|path| path.contains("snapshot-variables"));
        assert_eq!(asked.as_array().expect("a list").iter().filter(is_renewal).count(), 1, "{when}");
    }
}

#[test]
fn stale_snapshot_token_is_a_conflict_for_a_script() {
    let script = r#"
        let r = release("Web", "2.0.0");
        let token = get(`releases/${r.id}`).VariableSnapshotConcurrencyToken;
        let again = |token| post(`releases/${r.id}/snapshot-variables`, #{VariableSnapshotConcurrencyToken: token});
        let next = again.call(token).VariableSnapshotConcurrencyToken;
        try { again.call(token) } catch (e) { print(`${e.kind} ${e.status}`); }
        again.call(next);
        print("done");
    "#;
    let ran = run(script);
    assert_eq!((ran.error().as_str(), ran.printed().as_str()), ("", "conflict 409\ndone"));
}

/// Locks and memory are kept in sets in which others have put secrets; the project has some too.
const WITH_SECRETS: &str = r#"
[[library]]
name = "octorhai-locks"
variables = [ { name = "Token of somebody", value = "correct horse", sensitive = true }, { name = "Note", value = "hello" } ]
[[library]]
name = "octorhai-locks-waiting"
variables = [ { name = "Another", value = "battery staple", sensitive = true } ]
"#;

fn with_secrets() -> String {
    let secret = "variables = [ { name = \"Password\", value = \"hunter22\", sensitive = true }, { name = \"Change\"";
    format!("{}{WITH_SECRETS}", WORLD.replace("variables = [ { name = \"Change\"", secret))
}

fn secrets(truth: &Value) -> Vec<(String, u64)> {
    let all = truth["secrets"].as_array().expect("a list");
    all.iter().map(|one| (one["name"].as_str().expect("a name").to_owned(), one["length"].as_u64().expect("a length"))).collect()
}

#[test]
fn secrets_of_others_survive_locks_memory_and_a_document_that_is_put_back() {
    let script = r#"
        lock("a", || print(lock_info("a").held));
        locks(["a", "b"], || 1);
        only_one("c", || 1);
        parallel([1, 2, 3], |n| lock("d", #{wait_up_to: "5h"}, || sleep("10m")), #{width: 3});
        remember("last good", "2.0.0");
        remember("last good", ());
        once("told", || 1);
        arrive("2.0.0", "shop");
        wait_arrivals("2.0.0", ["shop"]);
        let set = get("variables/variableset-Projects-1");
        set.Variables += #{Name: "Wave", Value: "2", Type: "String"};
        put("variables/variableset-Projects-1", set);
        let set = get("projects/Projects-1/variables");
        set.Variables[0].Value = "";
        put("projects/Projects-1/variables", set);
        deploy("Web", "latest", "Live", #{update_variables: true});
    "#;
    let ran = simulate(&with_secrets(), script);
    assert_eq!(ran.error(), "");
    let kept = secrets(&ran.outcome.truth);
    let named = |name: &str| kept.iter().find(|(own, _)| own == name).map(|(_, length)| *length);
    assert_eq!([named("Token of somebody"), named("Another"), named("Password")], [Some(13), Some(14), Some(8)], "{kept:?}");
    // They were in the sets that were written to.
    let saved = ran.outcome.truth["requests"].as_u64();
    assert!(saved > Some(20), "{saved:?}");
}

#[test]
fn sensitive_variable_without_id_and_value_is_not_sent() {
    for (change, is_sent) in [
        ("v.Id = ()", false),
        ("v.Id = \"\"", false),
        ("v.remove(\"Id\")", false),
        ("v.Id = (); v.Value = \"\"", false),
        ("v.Id = (); v.Value = \"new\"", true),
        ("v.Value = \"\"", true),
    ] {
        let script = format!(
            "let set = get(\"{SET}\"); let v = set.Variables[0]; {change}; set.Variables[0] = v; put(\"{SET}\", set); print(\"sent\");"
        );
        let ran = simulate(&with_secrets(), &script);
        assert_eq!(ran.printed() == "sent", is_sent, "{change}: {}", ran.error());
        let kept = secrets(&ran.outcome.truth).iter().any(|(name, length)| name == "Password" && *length > 0);
        assert!(kept, "{change}");
        if !is_sent {
            let error = &ran.outcome.failure.as_ref().expect("refused").error;
            assert_eq!(error.kind(), Kind::Script);
            assert!(error.message().contains("the sensitive variable `Password` has neither an `Id` nor a `Value`"), "{error}");
        }
    }
}
