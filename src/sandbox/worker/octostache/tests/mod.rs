//! What the real library says: kept for texts that were written by hand, and asked for others when it is at hand.

mod generate;
mod real;

use super::{Mode, Variables, evaluate_noting};
use serde_json::{Map, Value, json};

const CORPUS: &str = include_str!("corpus.json");

/// The texts of a request, evaluated here: as the driver of the real library answers.
fn ours(request: &Value) -> Value {
    let known = request["variables"].as_object().expect("variables");
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let pairs: Vec<(&String, String)> = known.iter().map(|(name, value)| (name, text(value))).collect();
    let now = "2026-11-29T10:20:30Z".parse().expect("a time");
    let variables = Variables::new(pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())), now);
    let mut answer = Map::new();
    for kind in ["get", "evaluate", "file"] {
        let Some(texts) = request[kind].as_array() else { continue };
        let evaluate = |one: &Value| {
            let written = if kind == "get" { text(&known[one.as_str().expect("a name")]) } else { text(one) };
            match evaluate_noting(&written, if kind == "file" { Mode::File } else { Mode::Value }, &variables) {
                Err(problem) => json!({ "value": null, "error": problem }),
                Ok(done) if done.missing.is_empty() => json!({ "value": done.text, "error": null }),
                Ok(done) => {
                    let missing: Vec<String> = done.missing.iter().map(|one| format!("'{one}'")).collect();
                    json!({ "value": done.text, "error": format!("The following tokens were unable to be evaluated: {}", missing.join(", ")) })
                }
            }
        };
        answer.insert(kind.to_owned(), texts.iter().map(evaluate).collect());
    }
    Value::Object(answer)
}

/// An error as far as it counts: whole for a loop and for what has no value, else the exception; where a text did not parse none.
fn kind(error: &Value) -> String {
    let text = error.as_str().unwrap_or_default();
    if text.starts_with("The following tokens") || text.starts_with("RecursiveDefinitionException") {
        return text.to_owned();
    }
    if text.starts_with("Parsing failure") {
        return String::new();
    }
    text.split_once(':').map_or(text, |(name, _)| name).to_owned()
}

/// Where the two answer otherwise.
fn differences(request: &Value, theirs: &Value) -> Vec<String> {
    let ours = ours(request);
    let mut all = Vec::new();
    for list in ["get", "evaluate", "file"] {
        let texts = request[list].as_array().into_iter().flatten();
        for (number, text) in texts.enumerate() {
            let (theirs, ours) = (&theirs[list][number], &ours[list][number]);
            if theirs["value"] != ours["value"] || kind(&theirs["error"]) != kind(&ours["error"]) {
                all.push(format!("{list} {text}\n  real {theirs}\n  ours {ours}"));
            }
        }
    }
    all
}

fn assert_same(request: &Value, theirs: &Value, about: &str) {
    let all = differences(request, theirs);
    assert!(all.is_empty(), "{about}: {} texts differ\n{}", all.len(), all.join("\n"));
}

/// The corpus as a request, and the answer that was kept.
fn corpus() -> (Value, Value) {
    let corpus: Value = serde_json::from_str(CORPUS).expect("the corpus is JSON");
    let cases = corpus["cases"].as_array().expect("cases");
    let texts: Vec<&Value> = cases.iter().map(|case| &case["text"]).collect();
    let answer = |case: &Value| json!({ "value": case["value"], "error": case["error"] });
    let values: Vec<Value> = cases.iter().map(answer).collect();
    let files: Vec<Value> = cases.iter().map(|case| case.get("file").map_or_else(|| answer(case), answer)).collect();
    let request = json!({ "variables": corpus["variables"], "evaluate": texts, "file": texts });
    (request, json!({ "evaluate": values, "file": files }))
}

#[test]
fn texts_by_hand_come_to_what_the_real_library_said() {
    let (request, answer) = corpus();
    assert!(request["evaluate"].as_array().is_some_and(|all| all.len() >= 320));
    assert_same(&request, &answer, "corpus");
}

#[test]
fn the_kept_answers_are_those_of_the_real_library() {
    let (request, _) = corpus();
    if let Some(theirs) = real::ask("the_kept_answers_are_those_of_the_real_library", &request) {
        assert_same(&request, &theirs, "corpus");
    }
}

#[test]
fn generated_texts_come_to_what_the_real_library_says() {
    let seed = real::seed();
    let request = generate::request(seed, 400);
    if let Some(theirs) = real::ask("generated_texts_come_to_what_the_real_library_says", &request) {
        assert_same(&request, &theirs, &format!("seed {seed}"));
    }
}
