//! Templates made by the grammar of Octostache, and then bent a little: the same ones for the same seed.

use super::real::Dice;
use serde_json::{Map, Value, json};
use std::fmt::Write as _;

/// Variables, by name, and their values.
const KNOWN: &[(&str, &str)] = &[
    ("A", "alpha"),
    ("B", "#{A}-b"),
    ("My.Key", "secret"),
    ("Empty", ""),
    ("Blank", " "),
    ("Zero", "0"),
    ("No", "no"),
    ("True", "True"),
    ("Num", "10"),
    ("Num2", "2.5"),
    ("Neg", "-3"),
    ("NumText", "ten"),
    ("List", "a,b,c"),
    ("One", "single"),
    ("JList", "[1, 2.50, \"t\", true, null, {\"n\": [1]}]"),
    ("JObj", "{\"Host\":\"h\",\"Port\":8080,\"Nested\":{\"Deep\":\"#{A}\",\"List\":[{\"n\":\"n0\"},{\"n\":\"n1\"}]},\"F\":1.0}"),
    ("JTpl", "{\"v\": \"#{A}\", \"w\": \"#{JTpl.v}\"}"),
    ("Bad", "{\"x\": 1"),
    ("Act[x].Name", "Ax"),
    ("Act[y].Name", "Ay #{A}"),
    ("Act[x]", "item"),
    ("Key", "x"),
    ("With Space", "spaced"),
    ("x-y", "dash"),
    ("a/b", "slash"),
    ("Loop", "#{Loop}"),
    ("L1", "x#{L2}"),
    ("L2", "#{L1}"),
    ("Hash", "#"),
    ("Hash2", "##"),
    ("Esc3", "###{A}"),
    ("Lines", "one\ntwo\r\nthree"),
    ("Quote", "say \"hi\""),
    ("Html", "<a href='x'>&/"),
    ("Uni", "日本 ß é 😀x"),
    ("Ver", "1.2.3-beta.4+meta"),
    ("Url", "https://user@example.com:8443/a?q=1#f"),
    ("Date", "2026-03-02T10:11:12Z"),
    ("B64", "aGk="),
    ("é", "e"),
    ("in", "inn"),
];

/// So many variables are templates: `R0`, `R1`, ...
const TEMPLATES: usize = 6;

/// Names of members and of what is not there.
const OTHER_NAMES: &[&str] = &[
    "a",
    "Missing",
    "Missing.Deep",
    "JList[0]",
    "JList[2]",
    "JList[9]",
    "JObj.Host",
    "JObj[Host]",
    "JObj.Port",
    "JObj.Nested",
    "JObj.Nested.Deep",
    "JObj.Nested.List",
    "JObj.Nested.List[1].n",
    "JObj.Gone",
    "JTpl.v",
    "JTpl.w",
    "Bad.x",
    "Act",
    "Act[z].Name",
    "Act[*].Name",
    "Act[#{Key}].Name",
    "Act[#{Missing}].Name",
    "Act[#{ B }].Name",
    "Act[[q]]",
    "Act[ x].Name",
    "With  Space",
    "R0.m",
    "R1[0]",
    "it",
    "it.Name",
    "it.Key",
    "it.Value",
    "it.n",
    "Octopus.Template.Each.Index",
    "Octopus.Template.Each.Last",
    "Octopus.Template.Each.First",
    "_",
    "1",
    "if",
    "else",
];

const TEXTS: &[&str] = &[
    "a",
    " ",
    "text ",
    "#",
    "##",
    "###",
    "####",
    "{",
    "}",
    "}}",
    "#{",
    "##{",
    "###{",
    "####{A}",
    "##{A}",
    "#####{A}",
    "\"",
    "\\\"",
    "\\",
    "\n",
    "\r\n",
    "|",
    "é",
    "😀",
    "$",
    "#{}",
    "#{ }",
    "#{/if}",
    "#{/each}",
    "#{else}",
    "#{ \"k\": 1 }",
    "#{ a: 1, b: 2 }",
    "]",
    "[",
    ".",
    "#{A",
    "#!",
    "#\n",
    "{A}",
    "=",
    "//",
    "'",
];

const QUOTED: &[&str] = &[
    "x", "", "alpha", "a b", "10", "A", "1.5", "}", "|", "é", "'", "\\", "{", "]", "yyyy", "0.00", "[a-z]+", "^a", "b$", "(.)(.)", "$1",
    "x*", "$&",
];

const FILTERS: &[&str] = &[
    "ToUpper",
    "tolower",
    "ToBase64",
    "ToBase64 unicode",
    "FromBase64",
    "HtmlEscape",
    "XmlEscape",
    "JsonEscape",
    "YamlSingleQuoteEscape",
    "YamlDoubleQuoteEscape",
    "PropertiesKeyEscape",
    "PropertiesValueEscape",
    "UriEscape",
    "UriDataEscape",
    "Trim",
    "Trim start",
    "Trim end",
    "Trim x",
    "Truncate 3",
    "Truncate 3 \"\"",
    "Truncate x",
    "Substring 2",
    "Substring 1 2",
    "Substring 9 2",
    "Substring -1",
    "Indent",
    "Indent 2",
    "Indent 1/2",
    "Indent /3",
    "Indent \"-\"",
    "Match \"a\"",
    "Match \"^[a-z]+$\"",
    "Replace \"a\" \"b\"",
    "Replace \"(.)\" \"<$1>\"",
    "Replace \"x*\" \"-\"",
    "Replace \"l\"",
    "StartsWith \"a\"",
    "EndsWith a",
    "Contains \"lph\"",
    "Append \"x\"",
    "Append",
    "Prepend x y",
    "Append #{A}",
    "Append #{Missing}",
    "Md5",
    "Sha1",
    "Sha256 4",
    "Sha384",
    "Sha512 utf8",
    "VersionMajor",
    "VersionMinor",
    "VersionPatch",
    "VersionRevision",
    "VersionPreRelease",
    "VersionPreReleasePrefix",
    "VersionPreReleaseCounter",
    "VersionMetadata",
    "Format \"0.00\"",
    "Format int \"D3\"",
    "Format \"#,##0.0;(0)\"",
    "Format double \"E2\"",
    "null",
    "Nope",
    "Nope 1",
    "Append 1.5",
    "Contains",
    "|",
    "ToUpper |",
    "",
];

/// The variables that the texts are about, with some that are templates themselves.
fn variables(dice: &mut Dice) -> Map<String, Value> {
    let mut all: Map<String, Value> = KNOWN.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
    for number in 0..TEMPLATES {
        let value = template(dice, 2);
        all.insert(format!("R{number}"), json!(bent(dice, value)));
    }
    all
}

fn name(dice: &mut Dice) -> String {
    let (known, other) = (KNOWN.len(), OTHER_NAMES.len());
    match dice.below(known + other + TEMPLATES) {
        at if at < known => KNOWN[at].0.to_owned(),
        at if at < known + other => OTHER_NAMES[at - known].to_owned(),
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
        0 => format!("\"{}\"", dice.pick(QUOTED)),
        1 => format!("\\\"{}\\\"", dice.pick(QUOTED)),
        _ => format!("\"{}\"", name(dice)),
    }
}

fn expression(dice: &mut Dice) -> String {
    let mut text = if one_in(dice, 12) { String::new() } else { name(dice) };
    for _ in 0..[0, 0, 0, 1, 1, 2][dice.below(6)] {
        text.push_str(dice.pick(&[" | ", "|", " |", "| "]));
        text.push_str(dice.pick(FILTERS));
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
        0..4 => dice.pick(TEXTS).to_owned(),
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
