//! Scripts that tell people: `daily-report` and `mail-when-live`.

use crate::{
    scripts::scene::{script, text},
    support,
};
use octorhai::sandbox::World;

const LIVE: &str = "live = { Production = \"1.0.0\", Test = \"1.1.0\", Development = \"2.0.0\" }";

#[test]
fn the_days_deployments_as_html_and_csv() {
    let run = script("daily-report").param("NotifyTo", "ada@example.com").run().exits(0);
    assert_eq!(run.subjects(), ["3 deployments until 2026-03-02"]);
    let mail = &run.mails()[0];
    assert_eq!(mail.to, ["ada@example.com"]);
    let html = mail.html();
    assert!(html.contains("Deployments of the last 24h") && html.contains("<table"), "{html}");
    for project in ["Project A", "Project B", "Project C"] {
        assert!(html.contains(project), "{html}");
    }
    let attachments = mail.attachments();
    assert_eq!(attachments.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["deployments.csv"]);
    let csv = String::from_utf8(attachments[0].1.clone()).expect("UTF-8");
    let lines: Vec<&str> = csv.trim_start_matches('\u{feff}').lines().collect();
    assert_eq!(lines.len(), 4, "{csv}");
    assert!(lines[0].starts_with("project,release,env,state,created,"), "{csv}");
    // Newest first.
    let starts = ["Project C,2.0.0,Development,Success,", "Project B,2.0.0,Development,Success,", "Project A,2.0.0,Development,Success,"];
    assert!(lines[1..].iter().zip(starts).all(|(line, start)| line.starts_with(start)), "{csv}");
    assert!(lines[3].contains("2026-03-01T17:00:00+00:00,1200"), "{csv}");
    // The same as files.
    assert_eq!(run.artifact("deployments.csv").replace("\r\n", "\n"), csv.replace("\r\n", "\n"));
    assert!(run.artifact("deployments.html").contains("Deployments of the last 24h"));
}

#[test]
fn what_failed_and_what_runs_is_in_the_report_and_what_is_old_is_not() {
    let before = "settle(deploy(\"Project C\", \"2.0.0\", \"Test\")); deploy(\"Project A\", \"2.0.0\", \"Test\");\n";
    let run = script("daily-report").world(support::shop_where_c_fails()).before(before).param("Since", "1h").run().exits(0);
    assert_eq!(run.subjects(), ["2 deployments until 2026-03-02"]);
    let csv = run.artifact("deployments.csv");
    assert!(csv.contains("Project C,2.0.0,Test,Failed,") && csv.contains("Project A,2.0.0,Test,Queued,"), "{csv}");
    assert!(!csv.contains("Development"), "{csv}");
}

#[test]
fn a_day_without_deployments() {
    let run = script("daily-report").param("Since", "1h").run().exits(0);
    assert_eq!(run.subjects(), ["0 deployments until 2026-03-02"]);
}

#[test]
fn a_report_that_cannot_be_mailed_is_still_a_file() {
    let run = script("daily-report").before("post(\"/sandbox/mailbox\", #{reject: [\"*\"]});\n").run().exits(0);
    assert_eq!(run.subjects(), [] as [String; 0]);
    assert!(run.artifact("deployments.csv").contains("Project A"));
}

#[test]
fn one_mail_when_all_are_live_already() {
    let run = script("mail-when-live").run().exits(0);
    assert_eq!((run.subjects(), run.now()), (vec!["2 projects are live in Test".to_owned()], "08:00:00".to_owned()));
    let text = run.mails()[0].text();
    assert!(text.contains("Project A") && text.contains("Project B") && text.contains("1.1.0") && !text.contains("Project C"), "{text}");
}

#[test]
fn one_mail_when_the_last_became_live() {
    let before = "deploy(\"Project A\", \"latest\", \"Test\"); deploy(\"Project B\", \"latest\", \"Test\", #{at: at(\"09:00\")});\n";
    let run = script("mail-when-live").param("Range", "2.*").before(before).run().exits(0);
    assert_eq!(run.subjects(), ["2 projects are live in Test"], "one, not two");
    // B ends 22 minutes after nine.
    assert!(("09:22:01".."09:23:05").contains(&run.now().as_str()), "{}", run.now());
    assert!(!run.mails()[0].text().contains("1.1.0"));
}

#[test]
fn no_mail_when_one_never_becomes_live() {
    let before = "deploy(\"Project A\", \"latest\", \"Test\");\n";
    let run = script("mail-when-live").param("Range", "2.*").param("Timeout", "2h").before(before).run().exits(3);
    assert_eq!(run.subjects(), [] as [String; 0]);
    assert!(run.error().contains("after 2h still waiting for Project B `2.*` in Test: 1.1.0 is live"), "{}", run.error());
    assert_eq!(run.now(), "10:00:00");
}

#[test]
fn a_deployment_that_fails_does_not_count_as_live() {
    let world = support::shop_where_c_fails().replace(LIVE, "live = { Development = \"2.0.0\" }");
    let projects = serde_json::json!(["Project C"]);
    let before = "deploy(\"Project C\", \"latest\", \"Test\");\n";
    let run = script("mail-when-live")
        .world(world)
        .param("Projects", projects)
        .param("Range", "*")
        .param("Timeout", "1h")
        .before(before)
        .run()
        .exits(3);
    assert!(run.error().ends_with("nothing is live"), "{}", run.error());
}

#[test]
fn deployments_are_numbered_in_the_order_of_time() {
    for name in ["shop", "tenants", "fleet(3)"] {
        let run = support::simulate(&World::builtin_toml(name).expect("a built-in world"), "1");
        let made: Vec<String> = run.outcome.truth["deployments"].as_array().expect("a list").iter().map(|d| text(&d["created"])).collect();
        assert!(made.len() > 3 && made.is_sorted(), "{name}: {made:?}");
    }
}
