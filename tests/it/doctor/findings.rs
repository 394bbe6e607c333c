//! `octorhai doctor` on servers with and without each property: the verdict, what follows from it, and nothing left behind.

use crate::support::{self, http, server::Server, standalone::Standalone};
use octorhai::{
    api::{Client, Credential, Settings},
    cancel::Cancel,
    doctor::{self, Basis, CreateMode, Patient, Report, Verdict},
    error::{Error, Kind, Result},
    sandbox::World,
};
use serde_json::Value;
use std::path::Path;

/// The built-in world with lines at its top.
fn world(first: &str) -> String {
    format!("{first}\n{}", World::builtin_toml("shop").expect("a built-in world"))
}

/// Examines a sandbox as whoever has `key`.
async fn examine(server: &Server, key: &str, place: Option<(&str, &str)>) -> Result<Report> {
    let _busy = server.clock.enter();
    let settings =
        Settings::new(Credential::api_key(&server.sandbox.url(), key).expect("a credential"), server.clock.clone(), Cancel::new());
    let space = Client::new(settings.clone())?.space(None).await?;
    let login = |key: &str| {
        let credential = settings.credential.with_key_of_the_same_server(key)?;
        Client::new(Settings { credential, ..settings.clone() })
    };
    let place = place.map(|(project, environment)| (project.to_owned(), environment.to_owned()));
    doctor::examine(&Patient { space, login: &login, place, rounds: 3 }).await
}

async fn report(server: &Server, place: Option<(&str, &str)>) -> Report {
    let report = examine(server, &server.sandbox.api_key(), place).await.expect("a report");
    nothing_is_left(server).await;
    report
}

/// No set, no key, no task that goes on.
async fn nothing_is_left(server: &Server) {
    let sets = server.get("/api/Spaces-1/libraryvariablesets/all").await.to_string();
    let me = server.get("/api/users/me").await["Id"].as_str().expect("an id").to_owned();
    let keys = server.get(&format!("/api/users/{me}/apikeys")).await.to_string();
    assert!(!sets.contains("octorhai-doctor") && !keys.contains("octorhai-doctor"), "{sets} {keys}");
    let active = server.get("/api/Spaces-1/tasks?states=Queued,Executing").await;
    assert_eq!(active["TotalResults"], 0, "{active}");
}

fn verdict(report: &Report, check: &str) -> Verdict {
    report.findings.iter().find(|f| f.check == check).unwrap_or_else(|| panic!("there is no check {check}")).verdict
}

fn text<'a>(report: &'a Report, check: &str) -> &'a str {
    &report.findings.iter().find(|f| f.check == check).expect("there is such a check").text
}

const PLACE: Option<(&str, &str)> = Some(("Project A", "Development"));

#[tokio::test]
async fn a_server_as_it_should_be() {
    let report = report(&Server::shop().await, PLACE).await;
    for finding in &report.findings {
        assert_eq!(finding.verdict, Verdict::Ok, "{finding:?}");
    }
    assert_eq!(report.findings.len(), 7);
    assert_eq!((report.advice.settle.as_secs(), report.advice.create_mode), (0, CreateMode::Expiry));
    assert!(report.advice.drain.as_secs() < 120, "{:?}", report.advice);
}

#[tokio::test]
async fn deadlines_that_are_dropped_or_ignored_make_a_create_stop_in_doubt() {
    for (how, said) in [("dropped", "does not keep"), ("ignored", "still waits")] {
        let server = Server::toml(&world(&format!("start_deadlines = \"{how}\""))).await;
        let report = report(&server, PLACE).await;
        assert_eq!(verdict(&report, "expiry"), Verdict::Weaker, "{how}");
        assert!(text(&report, "expiry").contains(said), "{}", text(&report, "expiry"));
        assert_eq!(report.advice.create_mode, CreateMode::Stop);
    }
}

#[tokio::test]
async fn deadlines_are_measured_only_where_deploying_is_allowed() {
    let report = report(&Server::shop().await, None).await;
    assert_eq!(verdict(&report, "expiry"), Verdict::NotPossible);
    assert!(text(&report, "expiry").contains("--project"));
    assert_eq!(report.advice.create_mode, CreateMode::Stop);
}

#[tokio::test]
async fn a_key_that_works_on_makes_taking_over_slower() {
    let fast = report(&Server::shop().await, None).await;
    let late = report(&Server::toml(&world("key_cache = \"30s\"")).await, None).await;
    assert_eq!(verdict(&late, "fence"), Verdict::Weaker);
    assert!(text(&late, "fence").contains("after 30s"), "{}", text(&late, "fence"));
    assert!(late.advice.drain.as_secs() >= fast.advice.drain.as_secs().min(30) + 30);
    let never = report(&Server::toml(&world("key_cache = \"1h\"")).await, None).await;
    assert_eq!((verdict(&never, "fence"), never.advice.drain.as_secs()), (Verdict::NotPossible, 120));
}

#[tokio::test]
async fn a_clock_that_is_ahead_is_told() {
    let report = report(&Server::toml(&world("date_ahead = \"10m\"")).await, None).await;
    assert_eq!(verdict(&report, "clock"), Verdict::Weaker);
    assert!(text(&report, "clock").contains("10m ahead"), "{}", text(&report, "clock"));
}

#[tokio::test]
async fn a_key_that_expires_soon_is_told_with_its_purpose() {
    let robot = |expires: &str| {
        let keys = format!("{{ key = \"API-ROBOTSKEY\", purpose = \"release train\"{expires} }}");
        format!("{}\n[[users]]\nname = \"robot\"\nkeys = [ {keys} ]\n", world(""))
    };
    for (expires, verdict_of_it, said) in [
        ("", Verdict::Ok, "the API key `release train` never expires"),
        (
            ", expires = \"2026-03-12T09:00:00Z\"",
            Verdict::Weaker,
            "the API key `release train` expires in 10d 1h, and every run with it fails",
        ),
        (", expires = \"2026-06-02T08:00:00Z\"", Verdict::Ok, "the API key `release train` expires in 92d"),
    ] {
        let server = Server::toml(&robot(expires)).await;
        let report = examine(&server, "API-ROBOTSKEY", None).await.expect("a report");
        assert_eq!(verdict(&report, "key"), verdict_of_it, "{expires}");
        assert!(text(&report, "key").starts_with(said), "{}", text(&report, "key"));
    }
    // Two keys that begin alike: which of them it is cannot be told.
    let server = Server::toml(&robot(" }, { key = \"API-ROADWORKS\"")).await;
    let report = examine(&server, "API-ROBOTSKEY", None).await.expect("a report");
    assert_eq!(verdict(&report, "key"), Verdict::NotPossible);
}

#[tokio::test]
async fn an_account_without_rights_gets_what_is_safe() {
    let reader = "\n[[users]]\nname = \"reader\"\nkey = \"API-READER\"\npermissions = [\"ProjectView\"]\n";
    let server = Server::toml(&format!("{}{reader}", world(""))).await;
    let report = examine(&server, "API-READER", None).await.expect("a report");
    assert_eq!(verdict(&report, "permissions"), Verdict::Weaker);
    assert!(text(&report, "permissions").contains("LibraryVariableSetEdit (locks)"), "{}", text(&report, "permissions"));
    assert_eq!((verdict(&report, "cas"), report.advice.settle.as_secs()), (Verdict::NotPossible, 2));
    nothing_is_left(&server).await;
}

#[tokio::test]
async fn a_full_queue_is_told() {
    let server = Server::toml(&world("").replacen("task_cap", "# task_cap", 1).replacen('\n', "\ntask_cap = 1\n", 1)).await;
    server.start("Project A", "1.0.0", "Development").await;
    server.clock.advance(jiff::SignedDuration::from_secs(5));
    let report = examine(&server, &server.sandbox.api_key(), None).await.expect("a report");
    assert_eq!(verdict(&report, "queue"), Verdict::Weaker);
    assert!(text(&report, "queue").contains("1 of 1 tasks execute"), "{}", text(&report, "queue"));
}

#[tokio::test]
async fn a_check_that_breaks_leaves_nothing_behind() {
    let fault = "\n[[faults]]\nmatch = \"PUT */variables/*\"\naction = \"status=500\"\n";
    let server = Server::toml(&format!("{}{fault}", world(""))).await;
    let error: Error = examine(&server, &server.sandbox.api_key(), None).await.err().expect("writes break");
    assert_ne!(error.kind(), Kind::Bug);
    nothing_is_left(&server).await;
}

#[tokio::test]
async fn a_version_check_with_a_gap_makes_a_lock_settle() {
    let atomic = report(&Server::shop().await, None).await;
    let racy = report(&Server::toml(&world("racy_variables = \"5ms\"")).await, None).await;
    assert_eq!((verdict(&atomic, "cas"), verdict(&racy, "cas")), (Verdict::Ok, Verdict::Weaker));
    assert!(text(&racy, "cas").contains("in 3 of 3 rounds"), "{}", text(&racy, "cas"));
    assert_eq!((atomic.advice.settle.as_secs(), racy.advice.settle.as_secs()), (0, 2));
}

/// A server that takes every save of variables, whatever version it names, and allows nothing else.
#[tokio::test]
async fn writers_that_all_win_make_a_lock_settle() {
    use crate::support::http::Reply;
    use serde_json::json;
    let clock = http::virtual_clock();
    let _busy = clock.enter();
    let server = http::Server::start(&clock, |request| match (request.method.as_str(), request.path.as_str()) {
        (_, "/api/spaces") => http::spaces(),
        (_, "/api/users/me") => Reply::Json(200, json!({"Id": "Users-1", "Username": "u"})),
        ("POST", "/api/Spaces-1/libraryvariablesets") => {
            Reply::Json(201, json!({"Id": "LibraryVariableSets-1", "Name": request.body["Name"], "VariableSetId": "variableset-L"}))
        }
        (_, "/api/Spaces-1/variables/variableset-L") => Reply::Json(200, json!({"Id": "variableset-L", "Version": 0, "Variables": []})),
        ("GET", "/api/Spaces-1/libraryvariablesets" | "/api/Spaces-1/deployments") => Reply::Json(200, json!({"Items": []})),
        _ => Reply::Json(403, json!({"ErrorMessage": "You do not have permission."})),
    });
    let settings = http::settings(&server.address, &clock);
    let space = Client::new(settings.clone()).expect("a client").space(None).await.expect("a space");
    let login = |key: &str| {
        let credential = settings.credential.with_key_of_the_same_server(key)?;
        Client::new(Settings { credential, ..settings.clone() })
    };
    let report = doctor::examine(&Patient { space, login: &login, place: None, rounds: 2 }).await.expect("a report");
    assert_eq!(verdict(&report, "cas"), Verdict::Weaker);
    assert!(text(&report, "cas").contains("2 of 2 rounds"), "{}", text(&report, "cas"));
    assert!(report.advice.settle.as_secs() >= 2);
    for (check, drain) in [("fence", 120), ("permissions", 120), ("queue", 120)] {
        assert_eq!((verdict(&report, check), report.advice.drain.as_secs()), (Verdict::NotPossible, drain), "{check}");
    }
}

#[tokio::test]
async fn what_was_measured_is_remembered_by_server() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("state/doctor.json");
    let unknown = doctor::advice(Some(&file), "http://nowhere");
    assert_eq!((unknown.settle.as_secs(), unknown.drain.as_secs(), unknown.create_mode), (2, 120, CreateMode::Stop));
    assert_eq!((unknown.basis, doctor::advice(None, "http://nowhere")), (Basis::Assumed, unknown));
    let report = report(&Server::shop().await, PLACE).await;
    doctor::remember(&file, &report).expect("kept");
    let known = doctor::advice(Some(&file), &report.server);
    assert_eq!((known.settle, known.create_mode), (report.advice.settle, report.advice.create_mode));
    assert!(matches!(known.basis, Basis::Measured(_)));
    // However its address is written.
    assert_eq!(doctor::advice(Some(&file), &format!("{}/api/", report.server)), known);
    assert_eq!(doctor::advice(Some(&file), "http://nowhere"), unknown);
    std::fs::write(&file, "{\"half").expect("written");
    assert_eq!(doctor::advice(Some(&file), &report.server), unknown);
}

/// The command on a sandbox in a process of its own.
fn command(server: &Standalone, state: &Path) -> assert_cmd::Command {
    let mut command = support::octorhai();
    command.env("OCTOPUS_URL", &server.url).env("OCTOPUS_API_KEY", "API-SANDBOX").env("OCTORHAI_STATE", state);
    command
}

#[test]
fn the_command_tells_and_keeps() {
    let server = Standalone::start("shop", &["--speed", "60"]);
    let folder = tempfile::tempdir().expect("a folder");
    let text = support::finish(command(&server, folder.path()).args(["doctor", "--rounds", "2"]));
    assert_eq!(text.code, 0, "{text:?}");
    assert!(text.stdout.contains("cas         ok"), "{}", text.stdout);
    let json = support::finish(command(&server, folder.path()).args(["doctor", "--rounds", "2", "--output", "json"]));
    let told: Value = serde_json::from_str(&json.stdout).expect("JSON");
    assert_eq!(told["advice"]["settle_ms"], 0, "{told}");
    let advice = doctor::advice(Some(&folder.path().join("doctor.json")), told["server"].as_str().expect("an address"));
    assert!(matches!(advice.basis, Basis::Measured(_)));
    let nobody = support::finish(support::octorhai().args(["doctor"]));
    assert_eq!(nobody.code, 2, "{nobody:?}");
}

#[cfg(unix)]
#[tokio::test]
async fn ctrl_c_leaves_nothing_behind() {
    use std::process::Command;
    let server = Standalone::start("shop", &[]);
    let folder = tempfile::tempdir().expect("a folder");
    let mut child = Command::new(assert_cmd::cargo::cargo_bin!("octorhai"))
        .args(["doctor", "--rounds", "10000"])
        .envs([("OCTOPUS_URL", server.url.as_str()), ("OCTOPUS_API_KEY", "API-SANDBOX")])
        .env("OCTORHAI_STATE", folder.path())
        .spawn()
        .expect("it starts");
    let sets = async || {
        let url = format!("{}/api/Spaces-1/libraryvariablesets/all", server.url);
        let request = reqwest::Client::builder().no_proxy().build().expect("a client").get(url).header("X-Octopus-ApiKey", "API-SANDBOX");
        request.send().await.expect("an answer").text().await.expect("text")
    };
    let _ = rustls::crypto::ring::default_provider().install_default();
    while !sets().await.contains("octorhai-doctor") {
        assert!(child.try_wait().expect("a child").is_none(), "it ended before it made anything");
    }
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().expect("kill runs").success());
    assert_eq!(child.wait().expect("it ends").code(), Some(4));
    assert!(!sets().await.contains("octorhai-doctor"));
}
