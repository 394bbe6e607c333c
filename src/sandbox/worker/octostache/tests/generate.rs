//! Templates made by the grammar of Octostache, and then bent a little: the same ones for the same seed.

use super::real::Dice;
use serde_json::{Map, Value, json};
use std::{collections::BTreeMap, fmt::Write as _, sync::LazyLock};

/// Variables by name, and lists of what templates and filters are given.
static TEXTS: LazyLock<Map<String, Value>> =
    LazyLock::new(|| serde_json::from_str(include_str!("texts.json")).expect("an object of texts"));

/// Variables, by name, and their values.
static KNOWN: LazyLock<&Map<String, Value>> = LazyLock::new(|| TEXTS["variables"].as_object().expect("variables"));

/// A list of the texts.
pub(super) fn list(name: &str) -> &'static [&'static str] {
    static LISTS: LazyLock<BTreeMap<&str, Vec<&str>>> = LazyLock::new(|| {
        let lists = TEXTS.iter().filter_map(|(name, texts)| Some((name.as_str(), texts.as_array()?)));
        lists.map(|(name, texts)| (name, texts.iter().filter_map(Value::as_str).collect())).collect()
    });
    &LISTS[name]
}

/// So many variables are templates: `R0`, `R1`, ...
const TEMPLATES: usize = 6;

/// The variables that the texts are about, with some that are templates themselves.
fn variables(dice: &mut Dice) -> Map<String, Value> {
    let mut all = KNOWN.clone();
    for number in 0..TEMPLATES {
        let value = template(dice, 2);
        all.insert(format!("R{number}"), json!(bent(dice, value)));
    }
    all
}

fn name(dice: &mut Dice) -> String {
    let (known, other) = (KNOWN.len(), list("names").len());
    match dice.below(known + other + TEMPLATES) {
        at if at < known => KNOWN.keys().nth(at).expect("so many are known").clone(),
        at if at < known + other => list("names")[at - known].to_owned(),
        at => format!("R{}", at - known - other),
    }
}

fn one_in(dice: &mut Dice, many: usize) -> bool {
    dice.below(many) == 0
}

fn space(dice: &mut Dice) -> &'static str {
    dice.pick(&["", "", "", "", " ", "  ", "\t"])
}

fn option(dice: &mut Dice) -> String {
    match dice.below(3) {
        0 => format!("\"{}\"", dice.pick(list("quoted"))),
        1 => format!("\\\"{}\\\"", dice.pick(list("quoted"))),
        _ => format!("\"{}\"", name(dice)),
    }
}

fn expression(dice: &mut Dice) -> String {
    let mut text = if one_in(dice, 12) { String::new() } else { name(dice) };
    for _ in 0..[0, 0, 0, 1, 1, 2][dice.below(6)] {
        text.push_str(dice.pick(&[" | ", "|", " |", "| "]));
        text.push_str(dice.pick(list("filters")));
        if one_in(dice, 8) {
            text.push(' ');
            text.push_str(&option(dice));
        }
    }
    text
}

fn condition(dice: &mut Dice) -> String {
    let sign = dice.pick(&[" == ", " != ", "==", "!=", " = ", " ==", "== "]);
    match dice.below(7) {
        0 => format!("{}{sign}{}", expression(dice), option(dice)),
        1 => format!("{}{sign}{}", option(dice), expression(dice)),
        2 => format!("{}{sign}{}", expression(dice), expression(dice)),
        3 => format!("!{}", expression(dice)),
        _ => expression(dice),
    }
}

fn sum(dice: &mut Dice, depth: usize) -> String {
    match dice.below(if depth == 0 { 4 } else { 7 }) {
        0 => dice.pick(&["1", "2.5", ".5", "10", "0", "1.", "007", "1e3", "3"]).to_owned(),
        1 => format!("{{{}}}", dice.pick(&["Num", "Num2", "Neg", "Missing", "JObj.Port"])),
        2 => dice.pick(&["Num", "Num2", "Neg", "NumText", "Missing", "JObj.Port", "JList[1]", "R0"]).to_owned(),
        3 => "4".to_owned(),
        4 => format!("({})", sum(dice, depth - 1)),
        _ => format!("{}{}{}", sum(dice, depth - 1), dice.pick(&["+", " + ", "-", " - ", "*", " * ", "/", " / "]), sum(dice, depth - 1)),
    }
}

fn part(dice: &mut Dice, depth: usize) -> String {
    let kind = dice.below(if depth == 0 { 8 } else { 15 });
    match kind {
        0..4 => dice.pick(list("texts")).to_owned(),
        4..7 => format!("#{{{}{}{}}}", space(dice), expression(dice), space(dice)),
        7 => format!("#{{calc {}{}}}", sum(dice, 2), space(dice)),
        8..12 => {
            let word = dice.pick(&["if", "if", "if", "unless", "If"]);
            let mut text = format!("#{{{}{word} {}{}}}{}", space(dice), condition(dice), space(dice), template(dice, depth - 1));
            while one_in(dice, 4) {
                let _ = write!(text, "#{{elseif {}}}{}", condition(dice), template(dice, depth - 1));
            }
            if one_in(dice, 2) {
                let _ = write!(text, "#{{else}}{}", template(dice, depth - 1));
            }
            let end = word.to_lowercase();
            if !one_in(dice, 20) {
                let _ = write!(text, "#{{/{end}}}");
            }
            text
        }
        _ => {
            let name = dice.pick(&["it", "it", "it", "A", "x y", "Octopus"]);
            let collection = dice.pick(&[
                "List",
                "JList",
                "JObj",
                "Act",
                "JObj.Nested.List",
                "Missing",
                "Empty",
                "One",
                "R1",
                "Loop",
                "it",
                "JObj.Nested",
            ]);
            format!("#{{each {name} in {collection}}}{}#{{/each}}", template(dice, depth - 1))
        }
    }
}

/// A template.
pub(crate) fn template(dice: &mut Dice, depth: usize) -> String {
    (0..=dice.below(4)).map(|_| part(dice, depth)).collect()
}

/// Every fourth text has a character more, less or another one.
pub(crate) fn bent(dice: &mut Dice, text: String) -> String {
    if !one_in(dice, 4) || text.is_empty() {
        return text;
    }
    let mut all: Vec<char> = text.chars().collect();
    let at = dice.below(all.len());
    let other = dice.pick(&["#", "{", "}", "\"", " ", "|", "[", "]", ".", "/", "(", ")", "=", "\n", "\\"]).chars().next().unwrap_or('#');
    match dice.below(3) {
        0 => _ = all.remove(at),
        1 => all[at] = other,
        _ => all.insert(at, other),
    }
    all.into_iter().collect()
}

/// A request for the real library: variables, and so many texts in both modes.
pub(crate) fn request(seed: u64, texts: usize) -> Value {
    let mut dice = Dice::new(seed);
    let variables = variables(&mut dice);
    let texts: Vec<String> = (0..texts)
        .map(|_| {
            let text = template(&mut dice, 3);
            bent(&mut dice, text)
        })
        .collect();
    let names: Vec<&String> = variables.keys().collect();
    json!({ "get": names, "evaluate": texts, "file": texts, "variables": variables })
}
