//! What matters of a world at the end of a run, and in what two of them differ.

use serde_json::Value;
use std::{collections::BTreeMap, fmt::Write as _};

/// What is left of a world when times, ids and marks are taken away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ended {
    /// `Project A 2.0.0 Test Success: comment`; those that never began and never will are nothing that happened.
    pub deployments: Vec<String>,
    pub runbook_runs: Vec<String>,
    pub live: Vec<String>,
    /// How often something began for each mark.
    pub marks: BTreeMap<String, usize>,
    /// Recipients and subject, by Message-ID.
    pub mails: Vec<(String, String)>,
    /// Variables of library sets: locks, among others.
    pub variables: Vec<String>,
}

const MARK: &str = "[octorhai:";

/// A comment without its mark, and the mark.
fn split(comment: &str) -> (String, Option<String>) {
    match comment.find(MARK).and_then(|at| Some((at, at + comment[at..].find(']')?))) {
        Some((at, end)) => (format!("{}{}", &comment[..at], &comment[end + 1..]).trim().to_owned(), Some(comment[at..=end].to_owned())),
        None => (comment.to_owned(), None),
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("-")
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

impl Ended {
    /// Of `GET /sandbox/state`, when everything that was on its way has ended.
    pub fn of(state: &Value, variables: Vec<String>) -> Self {
        let mut ended = Self { variables, ..Self::default() };
        for made in list(&state["deployments"]).chain(list(&state["runbook_runs"])).filter(|made| made["history"] != true) {
            if made["started"].is_null() && matches!(text(&made["state"]), "TimedOut" | "Canceled") {
                continue;
            }
            let (comment, mark) = split(text(&made["comments"]));
            let what = if made["release"].is_null() { &made["runbook"] } else { &made["release"] };
            let words: Vec<&str> =
                [&made["project"], what, &made["environment"], &made["tenant"], &made["state"]].into_iter().map(text).collect();
            let line = format!("{}: {comment}", words.join(" "));
            if made["release"].is_null() { &mut ended.runbook_runs } else { &mut ended.deployments }.push(line);
            if let Some(mark) = mark {
                *ended.marks.entry(mark).or_default() += 1;
            }
        }
        for live in list(&state["live"]) {
            let words: Vec<&str> =
                [&live["project"], &live["release"], &live["environment"], &live["tenant"]].into_iter().map(text).collect();
            ended.live.push(words.join(" "));
        }
        for mail in list(&state["mails"]) {
            let to: Vec<&str> = list(&mail["to"]).map(text).collect();
            ended.mails.push((id(text(&mail["raw"])), format!("{}: {}", to.join(", "), text(&mail["subject"]))));
        }
        // Branches that run beside each other may be served in another order.
        for lines in [&mut ended.deployments, &mut ended.runbook_runs, &mut ended.live, &mut ended.variables] {
            lines.sort();
        }
        ended.mails.sort_by(|a, b| a.1.cmp(&b.1));
        ended
    }
}

/// The Message-ID of a letter.
fn id(raw: &str) -> String {
    let line = raw.lines().take_while(|line| !line.is_empty()).find(|line| line.to_lowercase().starts_with("message-id:"));
    line.and_then(|line| line.split_once(':')).map_or_else(String::new, |(_, id)| id.trim().to_owned())
}

/// How much more often each line stands in one list than in the other.
fn compare(what: &str, undisturbed: &[String], killed: &[String], problems: &mut Vec<String>) {
    let mut counts: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for line in undisturbed {
        counts.entry(line).or_default().0 += 1;
    }
    for line in killed {
        counts.entry(line).or_default().1 += 1;
    }
    for (line, (wanted, got)) in counts.into_iter().filter(|(_, (wanted, got))| wanted != got) {
        let how = if got > wanted { "too often" } else { "lost" };
        problems.push(format!("{what} {how} ({got} instead of {wanted}): {line}"));
    }
}

/// In what `killed` is not as `undisturbed`. `one_more_mail`: the kill hit the moment between a letter and the note that it
/// was sent, so that the same letter may have come again, once.
pub fn differences(undisturbed: &Ended, killed: &Ended, one_more_mail: bool) -> Vec<String> {
    let mut problems = Vec::new();
    compare("deployment", &undisturbed.deployments, &killed.deployments, &mut problems);
    compare("run of a runbook", &undisturbed.runbook_runs, &killed.runbook_runs, &mut problems);
    compare("live", &undisturbed.live, &killed.live, &mut problems);
    compare("variable", &undisturbed.variables, &killed.variables, &mut problems);
    for (mark, count) in killed.marks.iter().filter(|(_, count)| **count > 1) {
        problems.push(format!("{count} executions with the mark {mark}"));
    }
    // The same letter twice, with the same id, counts as one where it may.
    let mut letters = killed.mails.clone();
    if one_more_mail && let Some(at) = (1..letters.len()).find(|at| letters[*at] == letters[*at - 1] && !letters[*at].0.is_empty()) {
        letters.remove(at);
    }
    let lines = |mails: &[(String, String)]| mails.iter().map(|(_, line)| line.clone()).collect::<Vec<_>>();
    compare("mail", &lines(&undisturbed.mails), &lines(&letters), &mut problems);
    problems
}

/// For messages.
pub fn show(ended: &Ended) -> String {
    let mut shown = String::new();
    for (what, lines) in [("deployments", &ended.deployments), ("live", &ended.live), ("variables", &ended.variables)] {
        let _ = writeln!(shown, "  {what}:\n    {}", lines.join("\n    "));
    }
    let mails: Vec<String> = ended.mails.iter().map(|(id, line)| format!("{line} {id}")).collect();
    let _ = writeln!(shown, "  mails:\n    {}", mails.join("\n    "));
    shown
}

mod tests {
    use super::*;
    use serde_json::json;

    fn deployment(id: u32, mark: &str, state: &str) -> Value {
        json!({"id": format!("Deployments-{id}"), "project": "A", "release": "2", "environment": "Test", "tenant": null,
            "state": state, "comments": format!("hello [octorhai:r:{mark}:k]"), "started": "2026", "history": false})
    }

    fn state() -> Value {
        let mail = json!({"to": ["a@b"], "subject": "Live", "raw": "Message-ID: <1@b>\r\n\r\nbody"});
        json!({"deployments": [deployment(1, "1", "Success"), deployment(2, "2", "Failed")], "live": [], "mails": [mail]})
    }

    fn problems(change: impl Fn(&mut Value), one_more_mail: bool) -> Vec<String> {
        let mut other = state();
        change(&mut other);
        differences(&Ended::of(&state(), vec![]), &Ended::of(&other, vec![]), one_more_mail)
    }

    fn push(list: &mut Value, item: Value) {
        list.as_array_mut().expect("a list").push(item);
    }

    #[test]
    fn ids_times_and_marks_do_not_matter() {
        assert!(
            problems(
                |s| {
                    s["deployments"][0]["id"] = json!("Deployments-9");
                    s["deployments"][0]["comments"] = json!("hello [octorhai:other:9:z]");
                    let mut never = deployment(3, "3", "TimedOut");
                    never["started"] = Value::Null;
                    push(&mut s["deployments"], never);
                },
                false
            )
            .is_empty()
        );
    }

    #[test]
    fn a_deployment_too_many_is_found() {
        let same_mark = problems(|s| push(&mut s["deployments"], deployment(3, "1", "Success")), false);
        assert!(
            same_mark.len() == 2 && same_mark[0].contains("too often (2 instead of 1)") && same_mark[1].contains("mark"),
            "{same_mark:?}"
        );
        let other_mark = problems(|s| push(&mut s["deployments"], deployment(3, "3", "Success")), false);
        assert_eq!(other_mark.len(), 1, "{other_mark:?}");
    }

    #[test]
    fn what_was_lost_or_ended_otherwise_is_found() {
        let lost = problems(|s| drop(s["deployments"].as_array_mut().expect("a list").pop()), false);
        assert!(lost.len() == 1 && lost[0].contains("lost (0 instead of 1): A 2 Test - Failed: hello"), "{lost:?}");
        assert_eq!(problems(|s| s["deployments"][1]["state"] = json!("Success"), false).len(), 2);
    }

    #[test]
    fn a_second_mail_is_found_but_where_it_may_be() {
        let again = |s: &mut Value| {
            let mail = s["mails"][0].clone();
            push(&mut s["mails"], mail);
        };
        assert_eq!(problems(again, false), ["mail too often (2 instead of 1): a@b: Live"]);
        assert!(problems(again, true).is_empty());
        // Another letter of the same kind, or a third, is one too many even there.
        let another = |s: &mut Value| {
            again(s);
            s["mails"][1]["raw"] = json!("Message-ID: <2@b>\r\n\r\nbody");
        };
        assert_eq!(problems(another, true).len(), 1);
        assert_eq!(problems(|s| [0, 1].iter().for_each(|_| again(s)), true).len(), 1);
        assert_eq!(problems(|s| s["mails"] = json!([]), true), ["mail lost (0 instead of 1): a@b: Live"]);
    }
}
