//! Misspells one field of an answer at a time and asks whether the check notices.

use super::{
    check::{Exchange, check, pattern},
    schema::Shapes,
};
use serde_json::Value;
use std::collections::BTreeMap;

/// What a run over all field names found.
#[derive(Default)]
pub struct Tally {
    pub total: usize,
    pub missed: Vec<String>,
}

/// The way to each field of a body: keys, with `[]` for the items of a list.
fn fields(value: &Value, way: &str, found: &mut Vec<(String, Vec<Step>)>, steps: &mut Vec<Step>) {
    match value {
        Value::Object(map) => {
            for (key, inner) in map {
                let way = format!("{way}.{key}");
                steps.push(Step::Key(key.clone()));
                found.push((way.clone(), steps.clone()));
                fields(inner, &way, found, steps);
                steps.pop();
            }
        }
        Value::Array(list) => {
            for (index, inner) in list.iter().enumerate() {
                steps.push(Step::Index(index));
                fields(inner, &format!("{way}[]"), found, steps);
                steps.pop();
            }
        }
        _ => {}
    }
}

#[derive(Clone)]
enum Step {
    Key(String),
    Index(usize),
}

/// The body with one field called otherwise.
fn misspelt(body: &Value, steps: &[Step]) -> Value {
    let mut body = body.clone();
    let mut at = &mut body;
    let (last, way) = steps.split_last().expect("a way");
    for step in way {
        at = match step {
            Step::Key(key) => &mut at[key.as_str()],
            Step::Index(index) => &mut at[*index],
        };
    }
    if let (Step::Key(key), Some(object)) = (last, at.as_object_mut())
        && let Some(value) = object.remove(key)
    {
        object.insert(format!("{key}x"), value);
    }
    body
}

/// Ids in a way are all alike: `Projects-7` is `Projects-#`.
fn alike(way: &str) -> String {
    let mut text = String::new();
    for c in way.chars() {
        if !c.is_ascii_digit() {
            text.push(c);
        } else if !text.ends_with('#') {
            text.push('#');
        }
    }
    text
}

/// Every field of every kind of answer, once.
pub fn run(shapes: &Shapes, seen: &[Exchange]) -> Tally {
    // The smallest body that has a field shows it best.
    let mut sizes: Vec<(usize, &Exchange)> = seen.iter().filter_map(|e| e.body.as_ref().map(|b| (b.to_string().len(), e))).collect();
    sizes.sort_by_key(|(size, _)| *size);
    let mut places: BTreeMap<String, (&Exchange, Vec<Step>)> = BTreeMap::new();
    for (_, exchange) in sizes {
        let mut found = Vec::new();
        let endpoint = pattern(shapes, exchange);
        fields(exchange.body.as_ref().expect("a body"), "", &mut found, &mut Vec::new());
        for (way, steps) in found {
            let place = format!("{endpoint} {} {}", exchange.status, alike(&way));
            places.entry(place).or_insert((exchange, steps));
        }
    }
    let mut tally = Tally { total: places.len(), missed: Vec::new() };
    for (place, (exchange, steps)) in places {
        let before = check(shapes, exchange);
        let changed = Exchange { body: exchange.body.as_ref().map(|b| misspelt(b, &steps)), ..exchange.clone() };
        if check(shapes, &changed).is_subset(&before) {
            tally.missed.push(place);
        }
    }
    tally
}
