//! Filters whose rules are .NET's own, with values and options of many kinds.

use super::{generate::list, real::Dice};
use serde_json::{Map, Value, json};

/// A request about filters whose rules are .NET's own.
pub(crate) fn request(seed: u64, texts: usize) -> Value {
    let mut dice = Dice::new(seed);
    let mut variables = Map::new();
    let mut all = Vec::new();
    for number in 0..texts {
        let (value, filter) = match dice.below(5) {
            0 | 1 => {
                let (values, formats) =
                    if dice.below(2) == 0 { (list("numbers"), list("number formats")) } else { (list("dates"), list("date formats")) };
                let kind = dice.pick(&["", "", "", "int ", "double ", "decimal ", "date ", "datetimeoffset "]);
                (dice.pick(values), format!("Format {kind}\\\"{}\\\"", dice.pick(formats)))
            }
            2 => (
                dice.pick(list("dates")),
                format!("Add{} {}", dice.pick(&["Days", "Hours"]), dice.pick(&["1", "-1", "0.5", "1e2", "x", "1000000000", "-800000"])),
            ),
            3 => {
                let quantifier = ["", "", "", "*", "+", "?", "*?", "{2}", "{1,2}", "{0,}", "{,2}", "**"];
                let pattern: String =
                    (0..=dice.below(3)).map(|_| dice.pick(list("patterns")).to_owned() + dice.pick(&quantifier)).collect();
                let with = ["x", "", "<$1>", "$&", "[$0]", "${n}", "$$", "$", "$2", "$`", "$'", "$+", "$_", "${zz}", "$10"];
                let value = dice.pick(list("to match"));
                match dice.below(2) {
                    0 => (value, format!("Match \\\"{pattern}\\\"")),
                    _ => (value, format!("Replace \\\"{pattern}\\\" \\\"{}\\\"", dice.pick(&with))),
                }
            }
            _ => (dice.pick(list("addresses")), format!("UriPart {}", dice.pick(list("parts")))),
        };
        variables.insert(format!("V{number}"), json!(value));
        all.push(format!("#{{V{number} | {filter}}}"));
    }
    json!({ "variables": variables, "evaluate": all })
}
