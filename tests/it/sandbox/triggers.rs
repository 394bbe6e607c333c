//! Triggers: by a schedule, in each zone and through both changes of the clocks, and by a webhook with its secret, its key and its bucket.

use crate::support::server::Server;
use octorhai::sandbox::World;
use reqwest::Method;
use serde_json::{Value, json};

fn world(triggers: &str) -> String {
    format!(
        r#"
start = "2026-03-27T08:00:00Z"
[[environments]]
name = "E"
[[environments]]
name = "F"
[[users]]
name = "looker"
key = "API-LOOKER"
permissions = ["ProjectView", "TaskView"]
[[roles]]
name = "Runs runbooks"
permissions = ["ProjectView", "RunbookView", "RunbookRunCreate", "RunbookRunView", "EnvironmentView"]
[[users]]
name = "half"
key = "API-HALF"
roles = [ {{ role = "Runs runbooks", environments = ["E"] }} ]
[[projects]]
name = "P"
steps = [ {{ name = "one", takes = "1m" }} ]
releases = [ {{ version = "1" }}, {{ version = "2" }} ]
live = {{ E = "1" }}
runbooks = [ {{ name = "R", steps = [ {{ name = "look", takes = "1m" }} ] }} ]
{triggers}"#
    )
}

async fn created(s: &Server, list: &str) -> Vec<String> {
    let all = s.get(&format!("/api/Spaces-1/{list}?take=1000")).await;
    let times = all["Items"].as_array().expect("items").iter().map(|run| run["Created"].as_str().expect("a time")[..16].to_owned());
    times.collect::<Vec<_>>().into_iter().rev().collect()
}

#[tokio::test]
async fn schedule_runs_its_runbook_at_the_hours_of_its_zone() {
    let s = Server::toml(&world(
        "[[triggers]]\nname = \"Nightly\"\nproject = \"P\"\ncron = \"0 30 1 * * *\"\nzone = \"Europe/London\"\nrunbook = \"R\"\nenvironments = [\"E\", \"F\"]\n",
    ))
    .await;
    s.pass(3 * 24 * 60);
    // In the night of the 29th clocks went from 1:00 to 2:00.
    let nights = ["2026-03-28T01:30", "2026-03-29T01:00", "2026-03-30T00:30"].into_iter().flat_map(|night| [night, night]);
    assert_eq!(created(&s, "runbookRuns").await, nights.collect::<Vec<_>>());
    let event = s.get("/api/Spaces-1/events?eventCategories=RunbookRunQueued&take=1").await;
    assert_eq!(event["Items"][0]["UserId"], "users-system");
}

#[tokio::test]
async fn schedule_deploys_the_latest_release_of_its_source_only_where_it_is_not_live() {
    let triggers = |more: &str| {
        format!("[[triggers]]\nname = \"Up\"\nproject = \"P\"\ncron = \"0 0 9 * * *\"\ndeploy_to = \"F\"\nfrom = [\"E\"]\n{more}\n")
    };
    let s = Server::toml(&world(&triggers(""))).await;
    s.pass(2 * 24 * 60);
    assert_eq!(created(&s, "deployments").await.last().map(String::as_str), Some("2026-03-27T09:00"));
    s.start("P", "2", "E").await;
    s.pass(24 * 60);
    assert_eq!(created(&s, "deployments").await.last().map(String::as_str), Some("2026-03-29T09:00"));
    let again = Server::toml(&world(&triggers("redeploy = true"))).await;
    again.pass(2 * 24 * 60);
    assert_eq!(created(&again, "deployments").await.last().map(String::as_str), Some("2026-03-28T09:00"));
    let off = Server::toml(&world(&triggers("disabled = true"))).await;
    off.pass(2 * 24 * 60);
    assert!(created(&off, "deployments").await.iter().all(|at| at.as_str() < "2026-03-27T09:00"));
}

#[tokio::test]
async fn each_kind_of_schedule_comes_when_a_server_would() {
    let schedules = [
        (
            json!({"FilterType": "OnceDailySchedule", "StartTime": "2022-09-14T09:00:00.000", "DaysOfWeek": ["Tuesday", "Friday"], "Timezone": "UTC"}),
            &["2026-03-27T09:00", "2026-03-31T09:00", "2026-04-03T09:00"][..],
        ),
        (
            json!({"FilterType": "ContinuousDailySchedule", "DaysOfWeek": ["Friday", "Saturday"], "Interval": "OnceHourly", "HourInterval": 6, "RunAfter": "2022-09-14T10:00:00.000", "RunUntil": "2022-09-14T20:00:00.000", "Timezone": "UTC"}),
            &["2026-03-27T10:00", "2026-03-27T16:00", "2026-03-28T10:00", "2026-03-28T16:00", "2026-04-03T10:00"],
        ),
        (
            json!({"FilterType": "DaysPerMonthSchedule", "StartTime": "2022-09-13T21:00:00.000", "MonthlyScheduleType": "DateOfMonth", "DateOfMonth": "L", "Timezone": "UTC"}),
            &["2026-03-31T21:00"],
        ),
        (
            json!({"FilterType": "DaysPerMonthSchedule", "StartTime": "2022-09-13T21:00:00.000", "MonthlyScheduleType": "DayOfMonth", "DayNumberOfMonth": "1", "DayOfWeek": "Wednesday", "Timezone": "UTC"}),
            &["2026-04-01T21:00"],
        ),
        (
            json!({"FilterType": "CronExpressionSchedule", "CronExpression": "0 0 6 * * Mon-Fri", "Timezone": "Singapore Standard Time"}),
            &["2026-03-29T22:00", "2026-03-30T22:00", "2026-03-31T22:00", "2026-04-01T22:00", "2026-04-02T22:00"],
        ),
    ];
    for (filter, expected) in schedules {
        let s = Server::toml(&world("")).await;
        let (project, environment) = (s.id("projects", "P").await, s.id("environments", "E").await);
        let runbook = s.get(&format!("/api/Spaces-1/projects/{project}/runbooks")).await["Items"][0]["Id"].clone();
        let action =
            json!({"ActionType": "RunRunbook", "RunbookId": runbook, "EnvironmentIds": [environment], "TenantIds": [], "TenantTags": []});
        let trigger = json!({"Name": "T", "ProjectId": project, "Filter": filter, "Action": action});
        let (status, made) = s.post(&format!("/api/Spaces-1/projects/{project}/triggers"), trigger).await;
        assert_eq!(status, 201, "{made}");
        s.pass((7 * 24 + 4) * 60);
        assert_eq!(created(&s, "runbookRuns").await, expected, "{filter}");
        let own = format!("/api/Spaces-1/projects/{project}/triggers/{}", made["Id"].as_str().expect("an id"));
        assert_eq!(s.send(Method::DELETE, &own, None).await.0, 200);
        s.pass(31 * 24 * 60);
        assert_eq!(created(&s, "runbookRuns").await.len(), expected.len());
    }
}

#[tokio::test]
async fn trigger_that_would_do_nothing_here_is_refused() {
    let s = Server::toml(&world("")).await;
    let (project, environment) = (s.id("projects", "P").await, s.id("environments", "E").await);
    let cron = |zone: &str| json!({"FilterType": "CronExpressionSchedule", "CronExpression": "0 0 6 * * *", "Timezone": zone});
    let latest = json!({"ActionType": "DeployLatestRelease", "DestinationEnvironmentId": environment});
    for (filter, action, status, said) in [
        (json!({"FilterType": "MachineFilter"}), latest.clone(), 501, "FilterType is 'MachineFilter'"),
        (json!({"FilterType": "FeedFilter"}), latest.clone(), 501, "FilterType is 'FeedFilter'"),
        (cron("UTC"), json!({"ActionType": "CreateRelease"}), 501, "ActionType is 'CreateRelease'"),
        (cron("Mars Standard Time"), latest.clone(), 400, "Mars Standard Time"),
        (json!({"FilterType": "CronExpressionSchedule", "CronExpression": "often"}), latest, 400, "CronExpression"),
    ] {
        let (found, answer) =
            s.post("/api/Spaces-1/projecttriggers", json!({"Name": "T", "ProjectId": project, "Filter": filter, "Action": action})).await;
        assert!(found == status && answer.to_string().contains(said), "{filter}: {found} {answer}");
    }
}

const HOOK: &str = "[[triggers]]\nname = \"Hook\"\nproject = \"P\"\nwebhook = \"open sesame\"\nrunbook = \"R\"\nenvironments = [\"E\"]\n";

async fn called(s: &Server, hook: &str, headers: &[(&str, &str)]) -> u16 {
    let mut request = s.http.post(format!("{}/api/Spaces-1/webhook/{hook}", s.sandbox.url())).body("not even JSON");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.expect("an answer").status().as_u16()
}

async fn hook(s: &Server) -> String {
    let all = s.get("/api/Spaces-1/projecttriggers").await;
    let filter = &all["Items"][0]["Filter"];
    assert_eq!(filter["Secret"], json!({"HasValue": true, "Hint": null, "NewValue": null}));
    assert!(!all.to_string().contains("sesame"), "{all}");
    filter["WebhookId"].as_str().expect("an id").to_owned()
}

#[tokio::test]
async fn webhook_takes_its_secret_or_the_key_of_a_user_who_may_run_the_runbook() {
    let s = Server::toml(&world(HOOK)).await;
    let hook = hook(&s).await;
    let key = s.sandbox.api_key();
    assert_eq!(called(&s, &hook, &[("X-Octopus-Webhook-Secret", "open sesame")]).await, 200);
    assert_eq!(called(&s, &hook, &[("X-Octopus-ApiKey", &key)]).await, 200);
    for refused in [&[][..], &[("X-Octopus-Webhook-Secret", "open barley")], &[("X-Octopus-ApiKey", "API-NOBODY")]] {
        assert_eq!(called(&s, &hook, refused).await, 401);
    }
    assert_eq!(called(&s, &hook, &[("X-Octopus-ApiKey", "API-LOOKER")]).await, 403);
    assert_eq!(called(&s, "d290f1ee-6c54-4b01-90e6-d701748f0851", &[("X-Octopus-Webhook-Secret", "open sesame")]).await, 404);
    s.pass(5);
    let runs = s.get("/api/Spaces-1/runbookRuns").await;
    let by: Vec<&Value> = runs["Items"].as_array().expect("items").iter().map(|run| &run["DeployedBy"]).collect();
    assert_eq!(by, ["sandbox", "System"]);
    assert_eq!(s.get("/api/events?eventCategories=LoginFailed").await["TotalResults"], 3);
    let needs_key = Server::toml(&world(&format!("{HOOK}needs_key = true\n"))).await;
    let id = self::hook(&needs_key).await;
    assert_eq!(called(&needs_key, &id, &[("X-Octopus-Webhook-Secret", "open sesame")]).await, 401);
    assert_eq!(called(&needs_key, &id, &[("X-Octopus-ApiKey", &needs_key.sandbox.api_key())]).await, 200);
}

#[tokio::test]
async fn caller_who_may_run_the_runbook_in_one_of_two_environments_runs_it_in_none() {
    let both = HOOK.replace("environments = [\"E\"]", "environments = [\"E\", \"F\"]");
    for (triggers, status, runs) in [(HOOK, 200, 1), (both.as_str(), 403, 0)] {
        let s = Server::toml(&world(triggers)).await;
        let hook = hook(&s).await;
        assert_eq!(called(&s, &hook, &[("X-Octopus-ApiKey", "API-HALF")]).await, status, "{triggers}");
        assert_eq!(s.get("/api/Spaces-1/runbookRuns").await["TotalResults"], runs, "{triggers}");
    }
}

#[tokio::test]
async fn webhooks_share_one_bucket_of_sixty_and_one_more_each_second() {
    let s = Server::toml(&world(HOOK)).await;
    let hook = hook(&s).await;
    let secret = [("X-Octopus-Webhook-Secret", "open sesame")];
    for n in 0..60 {
        assert_eq!(called(&s, &hook, &secret).await, 200, "{n}");
    }
    assert_eq!(called(&s, &hook, &secret).await, 429);
    s.clock.advance(jiff::SignedDuration::from_secs(2));
    for status in [200, 200, 429] {
        assert_eq!(called(&s, &hook, &secret).await, status);
    }
}

#[tokio::test]
async fn webhooks_are_not_there_before_2026_3() {
    let s = Server::toml(&format!("version = \"2026.1\"\n{}", world(""))).await;
    assert_eq!(called(&s, "d290f1ee-6c54-4b01-90e6-d701748f0851", &[]).await, 404);
}

#[test]
fn trigger_of_a_world_says_when_it_comes_and_what_it_does() {
    let base = "[[triggers]]\nname = \"T\"\nproject = \"P\"\n";
    for (more, message) in [
        ("runbook = \"R\"\nenvironments = [\"E\"]", "a trigger has either `cron` or `webhook`"),
        ("cron = \"0 0 2 * * *\"", "a trigger has either `runbook` or `deploy_to`"),
        ("cron = \"0 0 2 * * *\"\nrunbook = \"R\"", "a trigger with `runbook` has `environments`"),
        ("cron = \"0 0 99 * * *\"\ndeploy_to = \"E\"", "this is not a cron expression"),
        ("cron = \"0 0 2 * * *\"\nzone = \"Mars/Olympus\"\ndeploy_to = \"E\"", "`Mars/Olympus` is not a time zone"),
        ("cron = \"0 0 2 * * *\"\nrunbook = \"S\"\nenvironments = [\"E\"]", "there is no runbook `S`"),
    ] {
        let error = World::from_toml("w.toml", &world(&format!("{base}{more}\n"))).err().expect(more).to_string();
        assert!(error.contains(message), "{more}: {error}");
    }
}
