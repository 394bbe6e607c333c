//! Lists of the server: nothing is cut without a word, and a bad row does not spoil the rest.

use crate::{
    scripts::scene::script,
    support::{InProcess, http, settings, shop, simulate},
};
use octorhai::{
    api::Credential,
    engine::docs::entries,
    event::{Level, Recorder, What},
    host,
    run::Target,
    sandbox::World,
};
use serde_json::json;
use std::{collections::BTreeSet, sync::Arc};

fn fleet(count: u32) -> String {
    World::builtin_toml(&format!("fleet({count})")).expect("a built-in world")
}

fn warnings(ran: &InProcess) -> Vec<String> {
    let noted = ran.events.iter().filter_map(|event| match &event.what {
        What::Note { level: Level::Warning, text } => Some(text.clone()),
        _ => None,
    });
    noted.collect()
}

/// A function that has an option `limit`.
struct Limited {
    function: &'static str,
    /// A call, with `OPTIONS` where the options stand.
    call: &'static str,
    /// The option that says how far back, or which ones, and reads everything.
    all: &'static str,
    /// What there is in [`WORLD`].
    rows: usize,
}

const LIMITED: &[Limited] = &[
    Limited { function: "deployments", call: "deployments(#{OPTIONS})", all: "since: ago(\"60d\")", rows: 390 },
    Limited { function: "events", call: "events(#{OPTIONS})", all: "since: ago(\"60d\")", rows: 0 },
    Limited { function: "releases", call: "releases(\"Many\", #{OPTIONS})", all: "range: \"*\"", rows: 130 },
];

/// 130 copies with three deployments each, and a project with 130 releases.
fn world() -> String {
    let releases: Vec<String> = (1..=130).map(|n| format!("{{ version = \"1.{n}.0\" }}")).collect();
    format!(
        "{}\n[[projects]]\nname = \"Many\"\nlifecycle = \"Standard\"\nsteps = [ {{ name = \"Go\" }} ]\nreleases = [{}]\n",
        fleet(130),
        releases.join(", ")
    )
}

#[test]
fn every_list_with_a_limit_says_when_it_is_cut() {
    let docs = entries(host::library().docs());
    let with_limit: BTreeSet<&str> = docs.iter().filter(|e| e.options.iter().any(|o| o.name == "limit")).map(|e| e.name.as_str()).collect();
    assert_eq!(with_limit, LIMITED.iter().map(|one| one.function).collect(), "a function with a limit is missing here");
    let world = world();
    for one in LIMITED {
        let call = |options: &str| one.call.replace("OPTIONS", options);
        let counted = |options: &str| {
            simulate(
                &world,
                &format!("let rows = {}; print(`${{rows.len()}} ${{rows.more}} ${{more(rows)}} ${{rows.more()}}`);", call(options)),
            )
        };
        let usual = counted("");
        assert_eq!(usual.printed(), "100 true true true", "{}: {}", one.function, usual.error());
        let told = warnings(&usual);
        let begin = format!("`{}` returned the newest 100 rows, and there are more: ", one.function);
        assert!(told.len() == 1 && told[0].starts_with(&begin) && told[0].contains("`limit` returns up to 100000"), "{told:?}");
        let twice = simulate(&world, &format!("for i in 0..3 {{ {}; }}", call("")));
        assert_eq!(warnings(&twice).len(), 1, "{}", one.function);
        let all = counted(one.all);
        let rows: usize = all.printed().split(' ').next().and_then(|count| count.parse().ok()).expect("a count");
        assert!(rows > 100 && (one.rows == 0 || rows == one.rows), "{}: {rows}", one.function);
        assert!(all.printed().ends_with(" false false false"), "{}: {}", one.function, all.printed());
        assert_eq!(warnings(&all), [] as [String; 0], "{}", one.function);
        for (options, expected) in [
            ("limit: 7".to_owned(), "7 true".to_owned()),
            (format!("limit: 7, {}", one.all), "7 true".to_owned()),
            (format!("limit: {rows}, {}", one.all), format!("{rows} false")),
            (format!("limit: {}, {}", rows - 1, one.all), format!("{} true", rows - 1)),
            (format!("limit: {}, {}", rows + 1, one.all), format!("{rows} false")),
            ("limit: 100000".to_owned(), format!("{rows} false")),
        ] {
            let ran = counted(&options);
            assert!(ran.printed().starts_with(&expected), "{} #{{{options}}}: {} {}", one.function, ran.printed(), ran.error());
            assert_eq!(warnings(&ran), [] as [String; 0], "{} #{{{options}}}: who names a limit knows it", one.function);
        }
        for number in ["0", "-1", "100001", "-9223372036854775808"] {
            let ran = counted(&format!("limit: {number}"));
            let message = format!("option `limit` of `{}` must be: whole number; {number} does not lie between 1 and 100000", one.function);
            assert_eq!((ran.outcome.exit_code, ran.error()), (1, message));
        }
        let ran = counted("limit: \"7\"");
        assert_eq!(ran.error(), format!("option `limit` of `{}` must be: whole number; got text", one.function));
        let prose = docs
            .iter()
            .find(|e| e.name == one.function)
            .and_then(|e| e.options.iter().find(|o| o.name == "limit"))
            .expect("documented")
            .prose;
        assert!(prose.contains("from 1 to 100000"), "{prose}");
    }
}

#[test]
fn what_a_list_knows_of_more_rows_stays_with_it() {
    let script = r"
        let cut = deployments();
        let copy = cut;
        let within = #{rows: cut};
        let captured = || cut.more;
        fn passed(rows) { rows.more }
        print([cut.more, copy.more, within.rows.more, captured.call(), passed(cut), cut.filter(|d| true).more, [].more, [1, 2].more]);
    ";
    let ran = simulate(&world(), script);
    assert_eq!(ran.printed(), "[true, true, true, true, true, false, false, false]", "{}", ran.error());
    let ran = simulate(&shop(&[]), r#"more("text")"#);
    assert_eq!(ran.error(), "`more` takes a list; got text");
}

#[test]
fn deployments_of_sixty_days_are_all_there() {
    let script = r#"let rows = deployments(#{since: ago("60d")}); let ids = #{}; for row in rows { ids[row.id] = 1; } print(`${rows.len()} ${ids.len()} ${rows.more}`);"#;
    let ran = simulate(&fleet(600), script);
    assert_eq!(ran.printed(), "1800 1800 false", "{}", ran.error());
    assert_eq!(warnings(&ran), [] as [String; 0]);
}

#[test]
fn the_daily_report_tells_the_true_number() {
    let run = script("daily-report").world(fleet(600)).param("Since", "60d").run().exits(0);
    assert_eq!(run.subjects(), ["1800 deployments until 2026-03-02"]);
    let csv = run.artifact("deployments.csv");
    assert_eq!(csv.lines().count(), 1801);
    let html = run.artifact("deployments.html");
    assert_eq!(html.matches("<tr").count(), 1801);
    assert_eq!(warnings(&run.run), [] as [String; 0]);
}

#[test]
fn disabled_ones_are_listed_when_they_are_wanted() {
    let disabled = r#"
[[projects]]
name = "Old shop"
group = "Shop"
lifecycle = "Standard"
disabled = true
[[tenants]]
name = "Gone"
disabled = true
projects = { "Project A" = ["Test"] }
[[tenants]]
name = "North"
projects = { "Project A" = ["Test"] }
"#;
    let script = r#"
        print(projects().map(|p| p.name));
        print(projects(#{disabled: true, group: "Shop"}).map(|p| p.name));
        print(projects(#{disabled: true, name: "old"}).map(|p| `${p.name} ${p.disabled}`));
        print(tenants().map(|t| t.name));
        print(tenants(#{disabled: true}).map(|t| t.name));
        print(tenants(#{disabled: true, project: "Project A", env: "Test"}).map(|t| t.name));
    "#;
    let ran = simulate(&(shop(&[]) + disabled), script);
    let expected = [
        r#"["Project A", "Project B", "Project C"]"#,
        r#"["Old shop", "Project A", "Project B", "Project C"]"#,
        r#"["Old shop true"]"#,
        r#"["North"]"#,
        r#"["Gone", "North"]"#,
        r#"["Gone", "North"]"#,
    ];
    assert_eq!(ran.printed(), expected.join("\n"), "{}", ran.error());
}

#[test]
fn a_freeze_for_ever_is_a_freeze() {
    let script = |start: &str, end: &str| {
        format!(
            r#"
            let a = project("Project A");
            let env = get("environments").Items.filter(|e| e.Name == "Production")[0].Id;
            let scope = #{{}};
            scope[a.id] = [env];
            post("/api/deploymentfreezes", #{{Name: "Migration", Start: "{start}", End: "{end}", ProjectEnvironmentScope: scope}});
            let f = freeze("Project A", "Production");
            print(`${{f.name}} ${{f.start < now()}} ${{f.ends > now()}} ${{f.ends.year}}`);
            print(freeze("Project B", "Production") == ());
            print(promotable("Test", "Production").map(|p| `${{p.project}} ${{p.blocked_by != () && p.blocked_by.contains("Migration")}}`));
            print(report([f]).contains("Migration"));
            try {{ deploy("Project A", "1.1.0", "Production"); }} catch (e) {{ print(e.kind); }}
            wait(deploy("Project A", "1.1.0", "Production", #{{override_freeze: "agreed"}}));
        "#
        )
    };
    for (start, end) in [
        ("2026-01-01T00:00:00Z", "9999-12-31T23:59:59Z"),
        ("0001-01-01T00:00:00+00:00", "9999-12-31T23:59:59.9999999+00:00"),
        ("2026-01-01T00:00:00Z", "9999-12-31T23:59:59.000-12:00"),
    ] {
        let ran = simulate(&shop(&[]), &script(start, end));
        let expected =
            ["Migration true true 9999", "true", r#"["Project A true", "Project B false", "Project C false"]"#, "true", "refused"];
        assert_eq!(ran.printed(), expected.join("\n"), "{start} to {end}: {}", ran.error());
        assert_eq!(ran.error(), "");
    }
}

#[test]
fn what_is_left_of_a_task_is_listed_when_its_deployment_is_gone() {
    let script = r#"
        let gone = deploy("Project A", "2.0.0", "Test");
        let there = deploy("Project B", "2.0.0", "Test");
        sleep("1m");
        delete(`deployments/${gone.deployment}`);
        print(running().map(|t| `${t.title} ${t.deployment != ()}`));
        print(running("Project A", "Test").len());
        let t = task(gone.id);
        print(`${t.id == gone.id} ${t.state} ${t.deployment} ${t.project} ${t.release} ${t.env}`);
        print(t.refresh().state);
        print(t.steps.len());
        print(deployments(#{env: "Test", since: now() - 1.hours}).map(|d| d.project));
        wait_idle("Project B", "Test");
        print(wait(t).succeeded);
        print(settle([t, there]).len());
        print(report([t]).contains("Project A"));
    "#;
    let ran = simulate(&shop(&[]), script);
    let expected = [
        r#"["Project B 2.0.0 → Test true", "Deploy Project A release 2.0.0 to Test false"]"#,
        "1",
        "true Executing    ",
        "Executing",
        "5",
        r#"["Project B"]"#,
        "true",
        "2",
        "true",
    ];
    assert_eq!(ran.printed(), expected.join("\n"), "{}", ran.error());
}

/// Retention takes tasks and leaves their deployments; people take projects away from a user's eyes.
#[test]
fn what_is_left_of_a_deployment_is_listed_when_its_task_is_gone() {
    let clock = http::virtual_clock();
    let server = http::Server::start(&clock, |request| {
        let deployment = |number: usize| json!({"Id": format!("Deployments-{number}"), "ReleaseId": format!("Releases-{number}"), "ProjectId": "Projects-1", "EnvironmentId": "Environments-1", "TaskId": format!("ServerTasks-{number}"), "Created": "2026-03-01T08:00:00Z", "DeployedBy": "ada"});
        match request.path.as_str() {
            "/api/spaces" => http::spaces(),
            "/api/Spaces-1/deployments" => http::page(vec![deployment(2), deployment(1)]),
            "/api/Spaces-1/tasks" => http::page(vec![
                json!({"Id": "ServerTasks-2", "Name": "Deploy", "State": "Success", "IsCompleted": true, "StartTime": "2026-03-01T08:00:00Z", "CompletedTime": "2026-03-01T08:05:00Z"}),
            ]),
            "/api/Spaces-1/releases" => http::page(vec![json!({"Id": "Releases-2", "ProjectId": "Projects-1", "Version": "2.0.0"})]),
            "/api" => {
                http::Reply::Json(200, json!({"Application": "Octopus Deploy", "Version": "2026.1.1", "ApiVersion": "3.0.0", "Links": {}}))
            }
            "/api/Spaces-1/environments" => http::page(vec![json!({"Id": "Environments-1", "Name": "Test", "SortOrder": 0})]),
            _ => http::Reply::Json(404, json!({"ErrorMessage": "The resource you requested was not found."})),
        }
    });
    let credential = Credential::api_key(&server.address, http::KEY).expect("a credential");
    let target = Target::Server { credential, space: None, ca_cert: None };
    let script = r"deployments().map(|d| [d.id, d.project, d.env, d.release, d.state, d.task, d.duration == (), `${d}`])";
    let outcome = octorhai::run::run(settings(target, script, Arc::new(Recorder::default())));
    let expected = json!([
        ["Deployments-2", "Projects-1", "Test", "2.0.0", "Success", "ServerTasks-2", false, "Projects-1 2.0.0 → Test (Success)"],
        [
            "Deployments-1",
            "Projects-1",
            "Test",
            "Releases-1",
            null,
            "ServerTasks-1",
            true,
            "Projects-1 Releases-1 → Test (its task is gone)"
        ],
    ]);
    assert_eq!(outcome.result, expected, "{:?}", outcome.failure.map(|f| f.error.to_string()));
}
