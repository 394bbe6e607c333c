//! Scripts beside deployment freezes: what they are told, and when what they deploy begins.

use super::scene::script;
use crate::support::{InProcess, http, settings, shop, simulate};
use octorhai::{
    api::Credential,
    event::{Recorder, What},
    run::Target,
};
use serde_json::json;
use std::sync::Arc;

/// `shop`, which begins on Monday at 08:00, with freezes of Production.
fn frozen(freezes: &str) -> String {
    format!("{}\n{freezes}", shop(&[]))
}

/// Each day from 10:00 to 14:00.
const DAILY: &str = "[[freezes]]\nname = \"Month end\"\nfrom = \"2h\"\nfor = \"4h\"\nevery = \"day\"\nenvironments = [\"Production\"]\n";

fn waits(ran: &InProcess) -> Vec<String> {
    let lines = ran.events.iter().filter_map(|e| match &e.what {
        What::Waiting { title, why, .. } if why.starts_with("begins") => Some(format!("{title}: {why}")),
        _ => None,
    });
    lines.collect()
}

#[test]
fn deployment_begins_after_a_recurring_freeze_and_the_live_line_names_it() {
    let script = r#"
        sleep("51h");
        let f = freeze("Project A", "Production");
        print(`${f.name} ${f.start} ${f.ends} ${f.recurring} ${f.unclear == ()}`);
        let t = wait(deploy("Project A", "1.1.0", "Production", #{begin: "next allowed"}));
        print(`${t.state} ${t.started}`);
    "#;
    let ran = simulate(&frozen(DAILY), script);
    assert_eq!(ran.error(), "");
    let expected = "Month end 2026-03-04 10:00:00 UTC 2026-03-04 14:00:00 UTC true true\nSuccess 2026-03-04 14:00:01 UTC";
    assert_eq!(ran.printed(), expected);
    assert_eq!(waits(&ran), ["Project A 1.1.0 → Production: begins Wed 14:00, after freeze \"Month end\""]);
}

#[test]
fn deployment_begins_in_its_window_and_at_once_where_nothing_holds_it() {
    let script = r#"
        print(wait(deploy("Project B", "1.1.0", "Production", #{begin: "next allowed"})).started);
        sleep(at("11:00"));
        let t = wait(deploy("Project A", "1.1.0", "Production", #{begin: "next allowed", window: "Mon-Fri 22:00-04:00"}));
        print(t.started);
    "#;
    let ran = simulate(&frozen(DAILY), script);
    assert_eq!((ran.error().as_str(), ran.printed().as_str()), ("", "2026-03-02 08:00:01 UTC\n2026-03-02 22:00:01 UTC"));
    assert_eq!(
        waits(&ran),
        ["Project A 1.1.0 → Production: begins Mon 22:00, after freeze \"Month end\", in window \"Mon-Fri 22:00-04:00 UTC\""]
    );
}

#[test]
fn freeze_that_is_moved_while_a_deployment_waits_moves_its_beginning() {
    let script = r#"
        parallel([
            || print(wait(deploy("Project A", "1.1.0", "Production", #{begin: "next allowed"})).started),
            || {
                sleep("1h");
                let f = freeze("Project A", "Production").raw;
                f.End = "2026-03-02T18:30:20Z";
                put("/api/deploymentfreezes/" + f.Id, f);
            },
        ], |f| f.call());
    "#;
    let once = "[[freezes]]\nname = \"Quarter close\"\nfrom = \"0s\"\nfor = \"8h\"\nenvironments = [\"Production\"]\n";
    let ran = simulate(&frozen(once), script);
    assert_eq!((ran.error().as_str(), ran.printed().as_str()), ("", "2026-03-02 18:31:01 UTC"));
    let title = "Project A 1.1.0 → Production: begins Mon";
    let after = "after freeze \"Quarter close\"";
    assert_eq!(waits(&ran), [format!("{title} 16:00, {after}"), format!("{title} 18:31, {after}")]);
}

#[test]
fn freeze_is_asked_for_a_time_to_come_and_for_a_tenant() {
    let world = World::tenants();
    let script = r#"
        print(freeze("Project A", "Production") == ());
        print(freeze("Project A", "Production", #{at: "tomorrow 10:30"}).ends);
        print(freeze("Project A", "Production", #{at: "tomorrow 14:00"}) == ());
        print(freeze("Store", "Production", #{tenant: "Acme", at: "10:30"}).name);
        print(freeze("Store", "Production", #{tenant: "Ajax", at: "10:30"}) == ());
    "#;
    let ran = simulate(&world, script);
    assert_eq!(ran.error(), "");
    assert_eq!(ran.printed(), "true\n2026-03-03 14:00:00 UTC\ntrue\nStocktaking\ntrue");
}

struct World;

impl World {
    fn tenants() -> String {
        let daily = DAILY.replace("environments", "projects = [\"Project A\"]\nenvironments");
        let tenant = "[[freezes]]\nname = \"Stocktaking\"\nfrom = \"2h\"\nfor = \"1h\"\nprojects = [\"Store\"]\nenvironments = [\"Production\"]\ntenants = [\"Acme\"]\n";
        let store = "[[projects]]\nname = \"Store\"\ntenanted = \"both\"\nlifecycle = \"Standard\"\nsteps = [{ name = \"go\" }]\nreleases = [{ version = \"1.0.0\" }]\n";
        let of = |name: &str| format!("[[tenants]]\nname = \"{name}\"\nprojects = {{ Store = [\"Production\"] }}\n");
        frozen(&format!("{daily}{tenant}{store}{}{}", of("Acme"), of("Ajax")))
    }
}

#[test]
fn what_is_promotable_names_a_recurring_freeze_and_goes_after_it() {
    let script = r#"
        sleep("51h");
        let row = promotable("Test", "Production", #{projects: "Project A"})[0];
        print(row.blocked_by);
        try { row.deploy(); } catch (e) { print(e.kind); }
        print(wait(row.deploy(#{begin: "next allowed"})).started);
    "#;
    let ran = simulate(&frozen(DAILY), script);
    let blocked = "recurring deployment freeze `Month end` until 2026-03-04 14:00:00 UTC";
    assert_eq!((ran.error(), ran.printed()), (String::new(), format!("{blocked}\nrefused\n2026-03-04 14:00:01 UTC")));
}

#[test]
fn options_that_cannot_stand_together_are_told_before_anything_is_asked() {
    let requests = |ran: &InProcess| ran.outcome.stats.requests;
    let nothing = requests(&simulate(&shop(&[]), "print(1)"));
    for (options, message) in [
        ("begin: \"next allowed\", at: \"22:00\"", "`at` is a time and `begin` a rule"),
        ("begin: \"next allowed\", override_freeze: \"must\"", "`override_freeze` does not wait"),
        ("window: \"Sat\"", "`window` says when `begin: \"next allowed\"` may begin"),
        ("begin: \"next alowed\"", "did you mean \"next allowed\"?"),
        ("override_freeze: \" \"", "`override_freeze`"),
    ] {
        for call in [
            "deploy(\"Project A\", \"latest\", \"Test\", ",
            "promote(\"Project A\", \"Test\", \"Production\", ",
            "redeploy(\"Project A\", \"Test\", ",
        ] {
            let ran = simulate(&shop(&[]), &format!("{call}#{{{options}}});"));
            let failure = ran.outcome.failure.as_ref().map(|f| format!("{:?}", f.error)).unwrap_or_default();
            assert!(ran.error().contains(message) || failure.contains(message), "{options}: {} {failure}", ran.error());
            assert_eq!(requests(&ran), nothing, "{options}");
        }
    }
}

#[test]
fn planned_deployment_that_would_start_in_a_freeze_is_warned_of_and_overridden_for_that_time() {
    let script = r#"
        deploy("Project A", "1.1.0", "Production", #{at: "tomorrow 11:00"});
        print(wait(deploy("Project B", "1.1.0", "Production", #{at: "tomorrow 11:00", override_freeze: "agreed"}), #{timeout: "30h"}).state);
    "#;
    let ran = simulate(&frozen(DAILY), script);
    assert_eq!((ran.error().as_str(), ran.printed().as_str()), ("", "Success"));
    let notes: Vec<&String> =
        ran.events.iter().filter_map(|e| if let What::Note { text, .. } = &e.what { Some(text) } else { None }).collect();
    let warned =
        "Project A 1.1.0 → Production is planned for 2026-03-03 11:00:00 UTC: deployment freeze `Month end` holds then, and it will fail";
    assert!(notes.iter().any(|note| *note == warned), "{notes:?}");
}

#[test]
fn freeze_that_comes_again_by_a_rule_nobody_knows_is_returned_and_nothing_begins_beside_it() {
    let clock = http::virtual_clock();
    let server = http::Server::start(&clock, |request| match request.path.as_str() {
        "/api/spaces" => http::spaces(),
        "/api" => {
            http::Reply::Json(200, json!({"Application": "Octopus Deploy", "Version": "2031.1.1", "ApiVersion": "3.0.0", "Links": {}}))
        }
        "/api/Spaces-1/projects" => http::page(vec![json!({"Id": "Projects-1", "Name": "Web", "Slug": "web"})]),
        "/api/Spaces-1/environments" => http::page(vec![json!({"Id": "Environments-1", "Name": "Live", "SortOrder": 0})]),
        "/api/Spaces-1/projects/Projects-1/releases/1.0.0" => {
            http::Reply::Json(200, json!({"Id": "Releases-1", "ProjectId": "Projects-1", "ChannelId": "Channels-1", "Version": "1.0.0"}))
        }
        "/api/deploymentfreezes" => http::Reply::Json(
            200,
            json!({"Count": 1, "DeploymentFreezes": [{
                "Id": "DeploymentFreezes-1", "Name": "Spring tide", "Start": "2026-03-01T00:00:00.000+00:00", "End": "2026-03-01T03:00:00.000+00:00",
                "ProjectEnvironmentScope": {"Projects-1": ["Environments-1"]}, "RecurringSchedule": {"Type": "Lunar", "Unit": 1},
            }]}),
        ),
        _ => http::Reply::Json(404, json!({"ErrorMessage": "The resource you requested was not found."})),
    });
    let run = |script: &str| {
        let credential = Credential::api_key(&server.address, http::KEY).expect("a credential");
        octorhai::run::run(settings(Target::Server { credential, space: None, ca_cert: None }, script, Arc::new(Recorder::default())))
    };
    let seen = run(r#"let f = freeze("Web", "Live"); [f == (), f.name, f.start, f.ends, f.recurring, f.unclear]"#);
    let why = "its schedule has `Type` \"Lunar\"";
    assert_eq!(seen.result, json!([false, "Spring tide", null, null, true, why]), "{:?}", seen.failure.map(|f| f.error.to_string()));
    let error = run(r#"deploy("Web", "1.0.0", "Live", #{begin: "next allowed"})"#).failure.expect("nothing begins").error;
    let said = "cannot tell when the deployment may begin: deployment freeze `Spring tide` comes again by a rule that is not known: ";
    assert_eq!(error.message(), format!("{said}{why}"));
    assert!(server.requests.lock().iter().all(|request| request.method == "GET"), "nothing was sent");
}

#[test]
fn freeze_without_end_is_told_and_not_waited_for() {
    let script = r#"deploy("Project A", "1.1.0", "Production", #{begin: "next allowed"});"#;
    let ever = "[[freezes]]\nname = \"Migration\"\nfrom = \"0s\"\nfor = \"90000h\"\nenvironments = [\"Production\"]\n";
    let ran = simulate(&frozen(ever), script);
    assert_eq!(ran.error(), "no minute of the next year may be begun in: after freeze \"Migration\"");
}

#[test]
fn requeue_takes_the_next_minute_outside_of_freezes() {
    let world = frozen(&DAILY.replace("2h", "1m"));
    let deploy = "let own = deploy(\"Project A\", \"1.1.0\", \"Production\");\nsleep(\"2s\");\n";
    let run = script("requeue-self").world(world).before(&format!("{deploy}requeue(\"next allowed\");\n")).own("Deployments-19").run();
    assert!(run.error().contains("requeued for 2026-03-02 12:01:00"), "{} {:?}", run.error(), run.notes());
    let note = "Project A 1.1.0 → Production is queued again for 2026-03-02 12:01:00 UTC (ServerTasks-20): begins Mon 12:01, after freeze \"Month end\"";
    assert!(run.notes().iter().any(|told| told == note), "{:?}", run.notes());
    let windowed = script("requeue-self").world(frozen(&DAILY.replace("2h", "1m")));
    let windowed =
        windowed.before(&format!("{deploy}requeue(\"next allowed\", #{{window: \"22:00-23:00\"}});\n")).own("Deployments-19").run();
    assert!(windowed.error().contains("requeued for 2026-03-02 22:00:00"), "{}", windowed.error());
}
