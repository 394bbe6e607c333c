//! Values of a session, as completion and a person see them.

use crate::{
    engine::{
        options::type_in_words,
        scene::Variable,
        thrown::{shown, to_json},
    },
    host::tasks::Task,
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

/// One line for a value; of a text its quotes, so that `"1"` and `1` differ.
pub fn line_of(value: &Dynamic) -> String {
    if value.is_string() || value.is_map() || value.read_lock::<rhai::Array>().is_some_and(|items| items.iter().all(Dynamic::is_string)) {
        return to_json(value).to_string();
    }
    shown(value)
}
