//! Every function of the library with a secret in each argument and each option: what is shown, what is sent.

use crate::support::{settings, shop};
use octorhai::{
    engine::library::FunctionDoc,
    event::{Recorder, What},
    run::Target,
    sandbox::World,
};
use serde_json::Value;
use std::{collections::BTreeMap, fmt::Write as _, sync::Arc};

const SECRET: &str = "hunter22-long-one";

/// Arguments and options that take a secret: those that only show it, as `***`, and those that are there for secrets.
const TAKES_SECRETS: &[&str] = &[
    "wait_for(#{message})",
    "require(message)",
    "fail(message)",
    "missing(value)",
    "output_secret(value)",
    "highlight(text)",
    "warn(text)",
    "verbose(text)",
    "progress(text)",
    "email(#{subject})",
    "email(#{body})",
    "email(#{html})",
    "problem(err)",
    "notify(text)",
    "report(rows)",
    "report(#{title})",
    "recall(default)",
];

/// A value for an argument that is not the matter.
fn filler(kind: &str) -> &'static str {
    match kind {
        "closure" => "|| 1",
        "options map" | "map" => "#{}",
        "duration" => "\"1m\"",
        "true or false" => "true",
        "whole number" | "number" | "any value" => "1",
        "project" => "\"Project A\"",
        "time" => "\"Sat 02:00\"",
        "window" => "\"22:00-04:00\"",
        kind if kind.contains("version") => "\"2.0.0\"",
        kind if kind.contains("list") => "[]",
        _ => "\"Test\"",
    }
}

/// Calls of a function with a secret in one place, and what each place is called.
fn calls(function: &FunctionDoc) -> Vec<(String, String)> {
    let filler = |kind| match function.name {
        "notify" => "\"a@example.com\"",
        "run_trigger" if filler(kind) == "\"Test\"" => "\"After monitoring\"",
        _ => filler(kind),
    };
    let mut calls = Vec::new();
    for (at, param) in function.params.iter().enumerate() {
        let before = || function.params[..at].iter().map(|param| filler(param.takes.kind).to_owned());
        let required = function.params[at + 1..].iter().filter(|param| !param.optional).map(|param| filler(param.takes.kind).to_owned());
        let with = |value: String| before().chain([value]).chain(required.clone()).collect::<Vec<_>>().join(", ");
        if param.options.is_empty() {
            calls.push((format!("{}({})", function.name, param.name), format!("{}({})", function.name, with("s".to_owned()))));
        }
        for option in param.options {
            let needed = if function.name == "email" && option.name != "to" { "to: \"a@example.com\", " } else { "" };
            let subject = if function.name == "email" && option.name != "subject" { "subject: \"x\", " } else { "" };
            let map = format!("#{{{needed}{subject}{}: s}}", option.name);
            calls.push((format!("{}(#{{{}}})", function.name, option.name), format!("{}({})", function.name, with(map))));
        }
    }
    calls
}

#[test]
fn secret_in_any_argument_is_refused_or_only_shown() {
    let library = octorhai::host::library();
    let mut script = String::from(
        "let s = secret(\"T\");\nfn tried(name, work) { let got = attempt(work); print(name + \" → \" + if got.ok { \"taken\" } else { problem(got.error) }); }\n",
    );
    let functions = library
        .docs()
        .functions
        .iter()
        .filter(|function| function.receiver.is_none() && !["secret", "param", "exit", "only_one"].contains(&function.name));
    let all: Vec<(String, String)> = functions.flat_map(calls).collect();
    for (name, call) in &all {
        let _ = writeln!(script, "tried({}, || {{ let s = s; {call} }});", serde_json::json!(name));
    }
    let run = |script: &str| {
        let events = Arc::new(Recorder::default());
        let mut settings = settings(Target::Sandbox(World::from_toml("shop", &shop(&[])).expect("a world")), script, Arc::clone(&events));
        settings.params = BTreeMap::from([("T".to_owned(), SECRET.into())]);
        settings.secrets.learn(SECRET);
        let folder = tempfile::tempdir().expect("a folder");
        folder.path().clone_into(&mut settings.artifacts);
        (octorhai::run::run(settings), events.events())
    };
    let (outcome, events) = run(&script);
    assert!(outcome.failure.is_none(), "{:?}", outcome.failure);
    let mut taken = Vec::new();
    for event in &events {
        assert!(!serde_json::to_string(event).expect("JSON").contains("hunter22"), "{event:?}");
        if let What::Print { text } = &event.what
            && let Some((name, result)) = text.split_once(" → ")
            && !result.to_lowercase().contains("secret")
        {
            assert!(result == "taken" || name == "fail(message)" && result == "***", "{name}: {result}");
            taken.push(name.to_owned());
        }
    }
    // What arrived on the server, but for mails: neither the secret nor stars in its place.
    let sent = |mut truth: Value| {
        truth["mails"] = Value::Null;
        truth.to_string()
    };
    let stars = sent(run("1").0.truth.clone()).matches("***").count();
    let sent = sent(outcome.truth.clone());
    assert!(!sent.contains("hunter22"), "{sent}");
    assert_eq!(sent.matches("***").count(), stars, "{sent}");
    assert!(all.len() > 200, "{}", all.len());
    assert_eq!(taken, TAKES_SECRETS, "of {} places", all.len());
}
