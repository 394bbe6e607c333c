//! The list of differences between the sandbox and a real server, and what each endpoint is compared with.

use super::{check::expected, differences, differences_of, schema::Shapes, walk};
use crate::support::golden;
use serde_json::Value;
use std::collections::BTreeMap;

/// Links with a gap where an id belongs.
fn gaps(value: &Value, of_links: bool, found: &mut Vec<String>) {
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| gaps(value, of_links || key == "Links", found)),
        Value::Array(all) => all.iter().for_each(|value| gaps(value, of_links, found)),
        Value::String(link) => {
            let path = link.split(['{', '?']).next().unwrap_or_default();
            if of_links && path.starts_with('/') && path.contains("//") {
                found.push(link.clone());
            }
        }
        _ => {}
    }
}

#[tokio::test]
async fn answers_have_the_shapes_of_a_real_server_or_say_why_not() {
    let shapes = Shapes::load();
    let seen = walk::everywhere().await;
    let mut broken = Vec::new();
    seen.iter().filter_map(|e| e.body.as_ref()).for_each(|body| gaps(body, false, &mut broken));
    assert!(broken.is_empty(), "links that lack an id: {broken:?}");
    let (found, first) = differences_of(&shapes, seen);
    let reasons = differences::reasons();
    let wanted = differences::file(&found, &reasons);
    println!("{} exchanges, {} differences", seen.len(), found.len());
    let new: Vec<String> = found
        .iter()
        .filter(|d| reasons.get(d).is_none_or(String::is_empty))
        .map(|d| {
            let key = format!("{} | {} | {}", d.definition, d.property, d.what);
            format!("{key}    first at {}", first[&key])
        })
        .collect();
    assert!(new.is_empty(), "{} differences without a reason:\n{}", new.len(), new.join("\n"));
    golden::file(differences::FILE, &wanted);
}

/// The definition that the answers of an endpoint are held to, for the table of endpoints in docs/sandbox.md.
#[tokio::test]
async fn what_each_endpoint_is_compared_with_is_written_down() {
    let shapes = Shapes::load();
    let mut answers = BTreeMap::new();
    for exchange in walk::everywhere().await.iter().filter(|e| e.status < 300) {
        if let (Some(endpoint), Ok(Some(slot))) =
            (octorhai::sandbox::endpoint(&exchange.method, &exchange.path), expected(&shapes, exchange))
        {
            answers.insert(endpoint, slot.ty.name());
        }
    }
    let wanted = serde_json::to_string_pretty(&answers).expect("JSON") + "\n";
    golden::file("conformance/answers.json", &wanted);
}
