//! Comparisons between values of all types: each works or is an error, none is silently `false`.

use crate::support::{settings, shop, simulate};
use octorhai::{event::Recorder, run::Target, sandbox::World};
use serde_json::{Value, json};
use std::{collections::BTreeSet, sync::Arc};

/// A value of each type, by the name of the type.
const VALUES: &str = r#"
    let waits = deploy("Project A", "2.0.0", "Test");
    wait_for(|| pending().len() > 0);
    let unapproved = deploy("Project C", "2.0.0", "Development");
    let approval = pending(#{task: unapproved})[0];
    let held = ();
    try { saga(|s| { held = s; }); } catch { }
    let done = wait(deploy("Project B", "1.1.0", "Test"));
    let values = #{
        "Context": ctx,
        "Secret": secret("S"),
        "Project": project("Project A"),
        "Environment": envs()[1],
        "Tenant": tenants()[0],
        "Runbook": runbooks("Project A")[0],
        "Release": release("Project A", "2.0.0"),
        "Deployment": deployments(#{projects: "Project B"})[0],
        "Live": deployed("Project A", "Production"),
        "Difference": compare("Test", "Production")[0],
        "Promotable": promotable("Test", "Production")[0],
        "Task": task(deployments(#{projects: "Project B"})[0].task),
        "Step": waits.steps[0],
        "Interruption": pending()[0],
        "Approval": approval,
        "Event": events()[0],
        "Freeze": freeze("Project B", "Production"),
        "Outcome": rollout(["Project C"], |p| deploy(p, "2.0.0", "Test"))[0],
        "Saga": held,
        "Space": space("Default"),
        "Moment": at("2026-03-02T09:30:00Z"),
        "duration": 5.minutes,
        "text": "no such thing",
        "whole number": 5,
        "number": 5.5,
        "true or false": true,
        "list": [1],
        "map": #{a: 1},
        "closure": || 1,
        "nothing": (),
    };
"#;

/// Types without an order.
const UNORDERED: [&str; 19] = [
    "Context",
    "Secret",
    "Project",
    "Environment",
    "Tenant",
    "Runbook",
    "Deployment",
    "Live",
    "Difference",
    "Promotable",
    "Task",
    "Step",
    "Interruption",
    "Approval",
    "Event",
    "Freeze",
    "Outcome",
    "Saga",
    "Space",
];

/// Types that are what they are called: every text says whether it is the name.
const CALLED: [&str; 8] = ["Project", "Environment", "Tenant", "Runbook", "Step", "Freeze", "Space", "Release"];

/// Types that a text never names, and those that it names only by id, time or length.
const NOT_BESIDE_THIS_TEXT: [&str; 14] = [
    "Context",
    "Secret",
    "Deployment",
    "Live",
    "Difference",
    "Promotable",
    "Task",
    "Interruption",
    "Approval",
    "Event",
    "Outcome",
    "Saga",
    "Moment",
    "duration",
];

fn world() -> String {
    // Project A, the first one, waits for a person.
    let world = shop(&[]).replacen(
        r#"{ name = "Check prerequisites", takes = "1m" }"#,
        r#"{ name = "Check prerequisites", manual = { instructions = "Is the backup good?" } }"#,
        1,
    );
    let more = r#"
[[tenants]]
name = "Acme"
projects = { "Project A" = ["Test"] }
[[approval_rules]]
name = "Yes"
projects = ["Project C"]
environments = ["Development"]
teams = ["Release managers"]
[[freezes]]
name = "Month end"
from = "0s"
for = "80h"
environments = ["Production"]
"#;
    format!("{world}{more}")
}

fn run(script: &str) -> Value {
    let world = World::from_toml("test", &world()).expect("a good world");
    let events = Arc::new(Recorder::default());
    let mut settings = settings(Target::Sandbox(world), &format!("{VALUES}{script}"), Arc::clone(&events));
    settings.params = [("S".to_owned(), json!("hush-hush"))].into();
    let outcome = octorhai::run::run(settings);
    assert_eq!(outcome.exit_code, 0, "{:?}", outcome.failure.map(|f| f.error.message().to_owned()));
    outcome.result
}

#[test]
fn every_pair_of_types_compares_or_is_an_error() {
    let table = run(r#"
        let comparisons = #{
            "==": |a, b| a == b, "!=": |a, b| a != b, "<": |a, b| a < b, "<=": |a, b| a <= b, ">": |a, b| a > b, ">=": |a, b| a >= b,
            "in": |a, b| a in [b], "in it": |a, b| a in b,
        };
        let table = [];
        for left in values.keys() { for right in values.keys() { for sign in comparisons.keys() {
            let came = "error";
            let told = "";
            try { came = comparisons[sign].call(values[left], values[right]); } catch (e) { told = e.message; }
            table.push([left, sign, right, came, told]);
        } } }
        table
    "#);
    let table = table.as_array().expect("a list");
    let types =
        octorhai::host::library().docs().types.iter().map(|t| t.name).filter(|name| *name != "whole number").collect::<BTreeSet<_>>();
    let tried: BTreeSet<&str> = table.iter().filter_map(|row| row[0].as_str()).collect();
    assert!(types.is_subset(&tried), "no value of {:?}", types.difference(&tried).collect::<Vec<_>>());

    let known: BTreeSet<&str> = UNORDERED.into_iter().chain(["Release", "Moment", "duration"]).collect();
    assert_eq!(known, types, "what is said here about types is about all of them");
    let (mut wrong, mut judged) = (Vec::new(), 0);
    for row in table {
        let [left, sign, right] = [0, 1, 2].map(|at| row[at].as_str().expect("text"));
        let ours = [left, right].into_iter().find(|name| types.contains(name));
        let other = if ours == Some(left) { right } else { left };
        let equality = matches!(sign, "==" | "!=" | "in");
        let right_answer = match (ours, sign) {
            (None, "<" | "<=" | ">" | ">=") if [left, right].contains(&"text") && (left.contains("number") || right.contains("number")) => {
                json!("error")
            }
            (None, _) => continue,
            // What is inside a value of ours nobody can say; what is inside of others Rhai knows.
            (Some(_), "in it") if types.contains(right) => json!("error"),
            (Some(_), "in it") if matches!(right, "list" | "text" | "map") => continue,
            (Some(_), "in it") => json!("error"),
            (Some(_), _) if left == right && equality => json!(sign != "!="),
            (Some(own), _) if left == right && UNORDERED.contains(&own) => json!("error"),
            (Some(_), _) if left == right => json!(sign.contains('=')),
            (Some(_), _) if other == "nothing" => json!(sign == "!="),
            (Some(own), _) if other == "text" && equality && CALLED.contains(&own) => json!(sign == "!="),
            (Some(own), _) if other == "text" => {
                assert!(!equality || NOT_BESIDE_THIS_TEXT.contains(&own), "{own}");
                json!("error")
            }
            (Some(_), _) => json!("error"),
        };
        judged += 1;
        // An error that a person meets says what the two are.
        let said = row[3] != "error" || row[4].as_str().is_some_and(|told| !told.is_empty());
        if row[3] != right_answer || !said {
            wrong.push(format!("{left} {sign} {right}: {} {}, not {right_answer}", row[3], row[4]));
        }
    }
    assert!(wrong.is_empty(), "of {judged}:\n{}", wrong.join("\n"));
    assert!(judged > 4000, "{judged}");
}

#[test]
fn every_type_is_what_a_text_calls_it() {
    let result = run(r#"
        let fitting = #{
            "Project": ["Project A", "project a", "project-a", values["Project"].id],
            "Environment": ["Test", "TEST", values["Environment"].id],
            "Tenant": ["Acme", values["Tenant"].id],
            "Runbook": ["smoke test", values["Runbook"].id],
            "Step": [values["Step"].name],
            "Freeze": ["Month end", values["Freeze"].id],
            "Space": ["Default", "Spaces-1"],
            "Release": ["2.0.0", values["Release"].id],
            "Task": [values["Task"].id],
            "Deployment": [values["Deployment"].id],
            "Interruption": [values["Interruption"].id],
            "Approval": [values["Approval"].id],
            "Event": [values["Event"].id],
            "Moment": ["2026-03-02", "09:30", "09:30:00", "2026-03-02 09:30", "2026-03-02T09:30:00", "2026-03-02T10:30:00+01:00"],
            "duration": ["5m", "300s"],
        };
        let wrong = [];
        for name in fitting.keys() { for text in fitting[name] {
            let value = values[name];
            if !(value == text) || !(text == value) || value != text || text != value || !(text in [value]) || !(value in [text]) { wrong.push([name, text]); }
        } }
        [fitting.keys().len(), wrong]
    "#);
    assert_eq!(result, json!([15, []]));
}

#[test]
fn what_release_managers_write_means_what_they_mean() {
    let script = r#"
        let t = deploy("Project A", "latest", "Test");
        wait(t);
        let d = deployments(#{projects: "Project A", env: "Test", limit: 1})[0];
        print(envs().filter(|e| e != "Production").map(|e| e.name));
        print(["Project A" in projects(), "Project Z" in projects()]);
        print([latest("Project A") == "2.0.0", latest("Project A").version > "10.0.0", "10.0.0" > latest("Project A").version]);
        print([d.duration > "5m", "5m" < d.duration, d.duration > "2h"]);
        print([now() > "08:01", now() < "08:01", now() > "2026-03-01"]);
        print([t.state == "Success", t.state in ["Failed", "Canceled"], t.state != "Success"]);
        print([deployed("Project A", "Test").release >= "1.1", deployed("Project A", "Test").release >= "2.0.1"]);
        print([t.id in [t], d == d.id, d.release == latest("Project A").version]);
    "#;
    let printed = [
        r#"["Development", "Test"]"#,
        "[true, false]",
        "[true, false, true]",
        "[true, true, false]",
        "[true, false, true]",
        "[true, false, false]",
        "[true, false]",
        "[true, true, true]",
    ];
    let ran = simulate(&shop(&[]), script);
    assert_eq!(ran.printed(), printed.join("\n"), "{}", ran.error());
}

#[test]
fn what_cannot_be_meant_is_an_error_with_the_right_words() {
    for (script, message) in [
        (
            r#"deploy("Project A", "latest", "Test").state == "Succeeded""#,
            "`==` makes no sense here: `Succeeded` is not a state of a task; there is: ",
        ),
        (
            r#"deploy("Project A", "latest", "Test").state == "Cancelled""#,
            "`==` makes no sense here: `Cancelled` is not a state of a task; did you mean `Canceled`?",
        ),
        (r#"now().weekday == "Monday""#, "`==` makes no sense here: `Monday` is not a day of the week here; "),
        (
            r#"let s = deploy("Project A", "latest", "Test").state; let m = #{s: s}; m.s != "Sucess""#,
            "`!=` makes no sense here: `Sucess` is not a state of a task; did you mean `Success`?",
        ),
        (
            r#"latest("Project A") == "2.*""#,
            "`==` does not compare a Release (`Project A 2.0.0`) with text (`2.*`): `2.*` stands for more than one version; ask with `version_in(version, \"2.*\")`",
        ),
        (
            r#"latest("Project A").version < "latest""#,
            "`<` makes no sense here: `latest` stands for more than one version; ask with `version_in(version, \"latest\")`",
        ),
        (r#"deployments()[0].state > "Success""#, "`>` makes no sense here: a state of a task comes neither before nor after another"),
        (
            r#"now() > "tomorrow 03:00""#,
            "`>` does not compare a Moment (`2026-03-02 08:00:00 UTC`) with text (`tomorrow 03:00`): `tomorrow 03:00` is not a date, a time of day or both",
        ),
        ("deployments()[0].duration > 5", "`>` does not compare a duration ("),
        (r#"deployments()[0].duration > "soon""#, "`>` does not compare a duration ("),
        (
            r#"latest("Project A") > latest("Project B")"#,
            "`>` does not compare a Release (`Project A 2.0.0`) with a Release (`Project B 2.0.0`)",
        ),
        (r#"project("Project A") == envs()[1]"#, "`==` does not compare a Project (`Project A`) with an Environment (`Test`)"),
        (r#""12" > 5"#, "`>` does not compare text with a whole number: `12` and `5`"),
    ] {
        let ran = simulate(&shop(&[]), script);
        assert_eq!(ran.outcome.exit_code, 1, "{script}: {:?}", ran.outcome.result);
        assert!(ran.error().starts_with(message), "{script}: {}", ran.error());
    }
}

#[test]
fn versions_are_texts_that_know_their_order() {
    let script = r#"
        let v = latest("Project A").version;
        let m = #{};
        m[v] = "key";
        print([v + "x", "x" + v, `${v}`, v.starts_with("2."), v.split("."), v.len(), type_of(v)]);
        print([m["2.0.0"], "2.0.0" in m, switch v { "2.0.0" => "case", _ => "none" }]);
        print(#{v: v}.to_json());
        let kept = [v, "10.0.0", "9.0.0-rc.1", "9.0.0"];
        kept.sort();
        print(kept);
        kept.sort_desc();
        print(kept[0]);
        let names = releases("Project A").map(|r| r.version);
        names.sort();
        print(names);
        let times = [at("2026-03-05T00:00:00Z"), at("2026-03-04T00:00:00Z")];
        times.sort();
        print(times[0].date);
        print(["1.10.0" > "1.9.0", "1.10" == "1.10.0", "b" > "a", "5" > "10", v > "10", "2026-03-10" > "2026-03-09"]);
        print([v == "2.0", v >= "2.0", v <= "2.0", v == "", v == "main", v <= "2.0.0+b1", v > "v1"]);
    "#;
    let printed = [
        r#"["2.0.0x", "x2.0.0", "2.0.0", true, ["2", "0", "0"], 5, "string"]"#,
        r#"["key", true, "case"]"#,
        r#"{"v":"2.0.0"}"#,
        r#"["2.0.0", "9.0.0-rc.1", "9.0.0", "10.0.0"]"#,
        "10.0.0",
        r#"["1.0.0", "1.1.0", "2.0.0"]"#,
        "2026-03-04",
        "[true, false, true, true, false, true]",
        "[false, true, true, false, false, true, true]",
    ];
    let ran = simulate(&shop(&[]), script);
    assert_eq!(ran.printed(), printed.join("\n"), "{}", ran.error());
    let ran = simulate(&shop(&[]), "projects().sort()");
    assert_eq!(ran.error(), "values like `Project A` have no order");
}

#[test]
fn reports_have_columns_of_every_type() {
    let result = run(r#"
        let empty = [];
        for name in values.keys() {
            let rows = parse_json(report([values[name]], #{format: "json"}));
            if rows.len() != 1 || rows[0].is_empty() || rows[0].values().all(|cell| cell == () || cell == "") { empty.push(name); }
        }
        [values.keys().len(), empty, parse_json(report([values["Freeze"], values["Space"]], #{format: "json", columns: ["name", "id"]}))]
    "#);
    let rows = json!([{"name": "Month end", "id": "DeploymentFreezes-1"}, {"name": "Default", "id": "Spaces-1"}]);
    assert_eq!(result, json!([30, ["nothing"], rows]));
    for doc in &octorhai::host::library().docs().types {
        let unknown: Vec<_> = doc.columns.iter().filter(|column| doc.properties.iter().all(|p| p.name != **column)).collect();
        assert!(unknown.is_empty(), "{}: {unknown:?}", doc.name);
    }
}

#[test]
fn csv_and_json_hold_times_and_durations_that_programs_read() {
    let script = r#"
        wait(deploy("Project A", "2.0.0", "Test"));
        let rows = deployments(#{projects: "Project A", env: "Test", limit: 1});
        let looks = #{columns: ["release", "ended", "duration"]};
        for format in ["csv", "json", "table", "html"] { looks.format = format; print(report(rows, looks)); }
        print(report([#{at: rows[0].ended, took: 90.seconds, half: duration("500ms")}], #{format: "csv"}));
    "#;
    let world = World::from_toml("test", &shop(&[])).expect("a good world");
    let events = Arc::new(Recorder::default());
    let mut settings = settings(Target::Sandbox(world), script, Arc::clone(&events));
    settings.zone = jiff::tz::TimeZone::get("Europe/Berlin").expect("a zone");
    let outcome = octorhai::run::run(settings);
    assert_eq!(outcome.exit_code, 0);
    let ran = crate::support::InProcess { outcome, events: events.events() };
    let printed = ran.printed();
    for part in [
        "release,ended,duration\r\n2.0.0,2026-03-02T09:20:01+01:00,1200\r\n",
        "\"ended\": \"2026-03-02T09:20:01+01:00\",\n    \"duration\": 1200\n",
        "2026-03-02 09:20:01 CET ┆ 20m",
        ">20m</td>",
        "at,half,took\r\n2026-03-02T09:20:01+01:00,0.5,90\r\n",
    ] {
        assert!(printed.contains(part), "{part}\n{printed}");
    }
}
