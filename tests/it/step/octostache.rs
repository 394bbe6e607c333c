//! Output values as the next step reads them, with the real library.

use crate::support::octostache::{Dice, ask, seed};
use octorhai::step::octostache::{escape, unresolved};
use serde_json::{Map, Value, json};

/// What breaks things, and names of variables that there are.
const PIECES: &[&str] = &[
    "#",
    "#",
    "#",
    "##",
    "{",
    "}",
    "#{",
    "##{",
    "###{",
    "####{",
    "#{A}",
    "#{My.Key}",
    "#{_}",
    "_",
    "\"",
    "\\\"",
    "'",
    "\n",
    "\r\n",
    "|",
    " ",
    "a",
    "é",
    "漢",
    "😀",
    "\\",
    "if",
    "#{if A}",
    "#{/if}",
    "#{else}",
    "#{if _}#{/if}",
    "#{unless _}",
    "[",
    "]",
    ".",
    " | ToUpper",
    "##octopus",
    "#{each x in A}",
    "{\"a\":\"",
];

fn texts(dice: &mut Dice, many: usize) -> Vec<String> {
    (0..many).map(|_| (0..dice.below(15)).map(|_| dice.pick(PIECES)).collect()).collect()
}

#[test]
fn an_escaped_value_is_read_back_as_it_was_given_whatever_variables_there_are() {
    let seed = seed();
    let mut dice = Dice::new(seed);
    // A fifth of the 5,000 with each value of `_`, the name that the escape has in it.
    for under in [None, Some(""), Some("x"), Some("#{My.Key}"), Some("False")] {
        let given = texts(&mut dice, 1_000);
        let mut variables: Map<String, Value> =
            given.iter().enumerate().map(|(number, text)| (format!("V{number}"), json!(escape(text)))).collect();
        let names: Vec<String> = variables.keys().cloned().collect();
        variables.extend([("A", "alpha"), ("My.Key", "secret")].map(|(name, value)| (name.to_owned(), json!(value))));
        variables.extend(under.map(|value| ("_".to_owned(), json!(value))));
        // Inside of another text, before what a `#` at its end could make an expression of, and through another variable.
        variables.extend(names.iter().map(|name| (format!("Through.{name}"), json!(format!("<#{{{name}}}{{A}}#{{{name}}}")))));
        let through: Vec<String> = names.iter().map(|name| format!("#{{Through.{name}}}")).collect();
        let request = json!({ "variables": variables, "get": names, "evaluate": through, "file": through });
        let Some(read) = ask("an_escaped_value_is_read_back_as_it_was_given_whatever_variables_there_are", &request) else { return };
        for (number, text) in given.iter().enumerate() {
            let inside = format!("<{text}{{A}}{text}");
            let found = [&read["get"][number], &read["evaluate"][number], &read["file"][number]];
            let wanted = [text, &inside, &inside].map(|value| json!({ "value": value, "error": null }));
            assert!(found.into_iter().eq(wanted.iter()), "seed {seed}, _ = {under:?}: {text:?} is read as {found:?}");
        }
    }
}

#[test]
fn what_the_library_could_not_evaluate_is_found_in_the_text() {
    let left =
        ["#{No}", "#{ No.Such[a b].c:d }", "#{No|ToUpper}", "#{No | Truncate 3 \"}\"}", "#{calc A+1}", "#{No[#{My.Key}].C}", "#{A | Nope}"];
    let fine = ["#{A}", "#{if No}x#{/if}", "#{each x in No}#{x}#{/each}", "# {No}", "#{No | Append \"d\"}"];
    let around = |text: &&str| [(*text).to_owned(), format!("Project {text}, 1.0")];
    let all: Vec<String> = left.iter().chain(&fine).flat_map(around).collect();
    let request = json!({ "variables": { "A": "alpha", "My.Key": "x" }, "evaluate": all });
    let Some(read) = ask("what_the_library_could_not_evaluate_is_found_in_the_text", &request) else { return };
    for (number, text) in all.iter().enumerate() {
        let value = read["evaluate"][number]["value"].as_str().expect("a text");
        assert_eq!(unresolved(value).is_some(), number < 2 * left.len(), "{text} became {value}");
    }
}
