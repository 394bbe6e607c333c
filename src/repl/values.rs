//! Values of a session, as completion and a person see them.

use crate::{
    engine::{
        options::type_in_words,
        scene::Variable,
        thrown::{shown, to_json},
    },
    host::task::Task,
};
use rhai::Dynamic;

/// What completion knows of a variable.
pub fn variable(name: &str, value: &Dynamic) -> Variable {
    let keys = value.read_lock::<rhai::Map>().map(|map| map.keys().map(ToString::to_string).collect()).unwrap_or_default();
    let task = value.clone().try_cast::<Task>().and_then(|task| task.subject.project.clone());
    let project = task.or_else(|| value.is_string().then(|| value.to_string()));
    Variable { name: name.to_owned(), kind: kind_of(value), project, keys }
}

/// The type of a value in words of users.
pub fn kind_of(value: &Dynamic) -> String {
    if let Some(items) = value.read_lock::<rhai::Array>() {
        return items.first().map_or_else(|| "list".to_owned(), |first| format!("list of {}", kind_of(first)));
    }
    let words = type_in_words(value);
    words.strip_prefix("a ").map_or(words.clone(), str::to_owned)
}

/// A key as it is written in a script.
fn key_of(key: &str) -> String {
    let plain = key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') && !key.starts_with(|c: char| c.is_ascii_digit());
    if plain { key.to_owned() } else { serde_json::Value::from(key).to_string() }
}

/// One line for a value, as a script would write it; of a text its quotes, so that `"1"` and `1` differ.
pub fn line_of(value: &Dynamic) -> String {
    if let Some(items) = value.read_lock::<rhai::Array>() {
        return format!("[{}]", items.iter().map(line_of).collect::<Vec<_>>().join(", "));
    }
    if let Some(map) = value.read_lock::<rhai::Map>() {
        return format!(
            "#{{{}}}",
            map.iter().map(|(key, value)| format!("{}: {}", key_of(key), line_of(value))).collect::<Vec<_>>().join(", ")
        );
    }
    match () {
        () if value.is_unit() => "()".to_owned(),
        () if value.is_string() => to_json(value).to_string(),
        () if value.is_fnptr() => "a closure".to_owned(),
        () => shown(value),
    }
}
