//! A mail server that is away: mails are kept and tried again as long as the run goes on, and what became of them is told.

use super::resume::Ground;
use crate::support::{InProcess, shop, simulate};
use octorhai::event::{Level, What};
use serde_json::Value;
use std::collections::BTreeSet;

const MAIL: &str = "email(#{to: \"team@example.com\", subject: \"A is coming\", body: \"Tonight.\"})";

/// A mail, then a deployment of 20 minutes, with a mail server that turns the first tries away.
fn with_failing(tries: u32) -> InProcess {
    let script = format!(
        "post(\"/sandbox/mailbox\", #{{fail_next: {tries}}});\nprint({MAIL});\nwait(deploy(\"Project A\", \"2.0.0\", \"Test\"));\nprint(\"live\");"
    );
    simulate(&shop(&[]), &script)
}

fn subjects(truth: &Value) -> Vec<&str> {
    truth["mails"].as_array().expect("a list").iter().filter_map(|mail| mail["subject"].as_str()).collect()
}

/// When each mail left or was given up, in minutes since the first event, and why it was.
fn ended(ran: &InProcess) -> Vec<(i64, Option<String>)> {
    let first = ran.events.first().expect("events").at;
    let mails = ran.events.iter().filter_map(|event| match &event.what {
        What::Mail { problem, .. } => Some((event.at.duration_since(first).as_mins(), problem.clone())),
        _ => None,
    });
    mails.collect()
}

fn warnings(ran: &InProcess) -> Vec<String> {
    let notes = ran.events.iter().filter_map(|event| match &event.what {
        What::Note { level: Level::Warning, text } if text.contains("mail") => Some(text.clone()),
        _ => None,
    });
    notes.collect()
}

#[test]
fn a_mail_is_sent_when_the_server_is_back() {
    let ran = with_failing(6);
    assert_eq!((ran.error().as_str(), ran.printed().as_str()), ("", "false\nlive"));
    assert_eq!(subjects(&ran.outcome.truth), ["A is coming"]);
    // Four tries in the first half minute, then after 1, 2 and 4 minutes.
    assert_eq!(ended(&ran), [(7, None)]);
    let [warning] = &warnings(&ran)[..] else { panic!("one warning, not {:?}", warnings(&ran)) };
    assert!(warning.starts_with("mail to team@example.com: A is coming: the mail server `sandbox` did not take the mail"), "{warning}");
    assert!(warning.contains("451 4.3.0") && warning.ends_with("tried again as long as the run goes on"), "{warning}");
}

#[test]
fn a_mail_that_nobody_takes_is_tried_at_the_end_and_named() {
    let ran = with_failing(1000);
    assert_eq!((ran.error().as_str(), ran.printed().as_str()), ("", "false\nlive"), "a mail stops nothing");
    assert_eq!(subjects(&ran.outcome.truth), [""; 0]);
    let [(minutes, Some(problem))] = &ended(&ran)[..] else { panic!("one end, not {:?}", ended(&ran)) };
    assert!((20..=21).contains(minutes), "{minutes}");
    assert!(problem.contains("did not take the mail: 451"), "{problem}");
    // A server that is back by then has it.
    let ran = simulate(&shop(&[]), &format!("post(\"/sandbox/mailbox\", #{{fail_next: 4}});\n{MAIL};"));
    assert_eq!(subjects(&ran.outcome.truth), ["A is coming"]);
    assert_eq!(ended(&ran), [(0, None)]);
}

#[test]
fn a_refusal_later_on_is_final() {
    let script = format!(
        "post(\"/sandbox/mailbox\", #{{fail_next: 5}});\n{MAIL};\npost(\"/sandbox/mailbox\", #{{reject: [\"*\"]}});\nsleep(\"1h\");"
    );
    let ran = simulate(&shop(&[]), &script);
    let [(1, Some(problem))] = &ended(&ran)[..] else { panic!("one end, not {:?}", ended(&ran)) };
    assert!(problem.contains("550"), "{problem}");
    assert_eq!(ran.outcome.exit_code, 0);
}

#[test]
fn a_mail_that_must_be_sent_is_an_error_after_half_a_minute() {
    let script = format!("post(\"/sandbox/mailbox\", #{{fail_next: 9}});\n{}", MAIL.replace("to:", "required: true, to:"));
    let ran = simulate(&shop(&[]), &script);
    assert!(ran.error().contains("(tried 4 times)"), "{}", ran.error());
    assert_eq!(subjects(&ran.outcome.truth), [""; 0]);
}

/// Killed while the mail is kept, the run keeps it again and sends the same letter.
#[test]
fn a_mail_that_is_kept_survives_a_kill() {
    let script = format!(
        "post(\"/sandbox/mailbox\", #{{fail_next: 8}});\nif !{MAIL} {{ verbose(\"later\"); }}\nwait(deploy(\"Project A\", \"2.0.0\", \"Test\"));\n"
    );
    let mut kept = 0;
    for at in (20..).step_by(7) {
        let ground = Ground::new(&shop(&[]));
        ground.write("night.rhai", &script);
        let first = ground.run(&ground.path("night.rhai"), Some(at), &[]);
        if first.code == 0 || kept == 3 {
            break;
        }
        let second = ground.run(&ground.path("night.rhai"), None, &[]);
        assert_eq!(second.code, 0, "killed at {at}: {}\n{}", first.stderr, second.stderr);
        kept += usize::from(second.stderr.contains("it is kept and tried again"));
        let state = ground.state();
        let ids: BTreeSet<&str> = state["mails"]
            .as_array()
            .expect("a list")
            .iter()
            .filter_map(|mail| mail["raw"].as_str()?.lines().find(|line| line.to_lowercase().starts_with("message-id:")))
            .collect();
        assert_eq!(ids.len(), 1, "killed at {at}: {ids:?}\n{}\n{}", first.stderr, second.stderr);
    }
    assert!(kept >= 2, "only {kept} of the kills came while the mail was kept");
}
