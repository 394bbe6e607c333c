//! What the real library says: kept for texts that were written by hand, and asked for others when it is at hand.

mod filter_texts;
mod generate;
#[path = "../../../../../tests/it/support/kits.rs"]
mod kits;
#[path = "../../../../../tests/it/support/octostache.rs"]
mod real;

use super::{Mode, Variables, evaluate_noting, left};
use serde_json::{Map, Value, json};

/// How a sentence begins that says what is not evaluated here.
const REFUSED: &str = "the sandbox does not ";

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
                Ok(done) => json!({ "value": done.text, "error": left(&done.missing) }),
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

/// Where the two answer otherwise. What is refused here with a sentence that says so is no difference.
fn differences(request: &Value, theirs: &Value) -> Vec<String> {
    let ours = ours(request);
    let mut all = Vec::new();
    for list in ["get", "evaluate", "file"] {
        let texts = request[list].as_array().into_iter().flatten();
        for (number, text) in texts.enumerate() {
            let (theirs, ours) = (&theirs[list][number], &ours[list][number]);
            if ours["error"].as_str().is_some_and(|problem| problem.starts_with(REFUSED)) {
                continue;
            }
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

#[test]
fn filters_of_numbers_dates_patterns_and_addresses_come_to_what_the_real_library_says() {
    let seed = real::seed();
    let request = filter_texts::request(seed, 800);
    let test = "filters_of_numbers_dates_patterns_and_addresses_come_to_what_the_real_library_says";
    if let Some(theirs) = real::ask(test, &request) {
        assert_same(&request, &theirs, &format!("seed {seed}"));
    }
}

#[test]
fn what_is_refused_is_named() {
    let cases = [
        ("#{A | Markdown}", "the filter markdown"),
        ("#{A | MarkdownToHtml}", "the filter markdowntohtml"),
        ("#{Json[0]}", "a constructor in JSON"),
        ("#{A | Replace \"(?<a-b>x)\" \"\"}", "a balancing group"),
        ("#{A | Format date \"d\"}", "the date \"1.5\""),
        ("#{Url | UriPart Host}", "the address \"http://[::1]/\""),
    ];
    let known = [("A", "1.5"), ("Json", "[new Date(1)]"), ("Url", "http://[::1]/")];
    let variables = Variables::new(known, "2026-11-29T10:20:30Z".parse().expect("a time"));
    for (text, what) in cases {
        let problem = evaluate_noting(text, Mode::Value, &variables).expect_err(text);
        assert!(problem.starts_with(REFUSED) && problem.contains(what), "{text}: {problem}");
    }
    // The list of filters is the whole one: all others of the library are known.
    for name in super::filters::LEFT_OUT {
        let text = format!("#{{No | {name}}}");
        let fine = evaluate_noting(&text, Mode::Value, &variables);
        assert_eq!(fine.map(|done| done.missing.len()), Ok(1), "{name}");
    }
}

#[test]
fn what_goes_on_for_ever_ends() {
    let doubling: Vec<(String, String)> = (0..60).map(|n| (format!("V{n}"), format!("#{{V{}}}#{{V{}}}", n + 1, n + 1))).collect();
    let chain: Vec<(String, String)> = (0..400).map(|n| (format!("C{n}"), format!("#{{C{}}}", n + 1))).collect();
    let all = doubling.iter().chain(&chain).map(|(name, value)| (name.as_str(), value.as_str()));
    let variables = Variables::new(all, "2026-11-29T10:20:30Z".parse().expect("a time"));
    let open = "#{if V60}".repeat(3_000);
    for text in ["#{V0}", "#{C0}", &open, &"[".repeat(100_000).replacen('[', "#{V0[", 1)] {
        let _bounded = evaluate_noting(text, Mode::File, &variables);
    }
    assert!(evaluate_noting("#{V0}", Mode::Value, &variables).is_err());
    assert!(evaluate_noting("#{C0}", Mode::Value, &variables).is_err());
}
