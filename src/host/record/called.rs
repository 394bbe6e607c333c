//! How the arguments of a call stand in the record: a run that goes on compares them.

use crate::{
    engine::thrown::{shown, to_json},
    host::{saga::Saga, task::Task},
};
use rhai::{Array, Dynamic, FnPtr, Map};
use serde_json::Value;

/// A text longer than this is kept as its beginning and its digest.
const LONGEST: usize = 400;

/// Whether two descriptions of the arguments of a call mean the same. Version 0.1.0 kept the text that was shown, with what changes in
/// it: `a saga of 2 steps`, `Project A 2.0.0 → Test (ServerTasks-7, Executing)`.
pub(super) fn is_same(recorded: &Value, now: &Value) -> bool {
    match (recorded, now) {
        (Value::String(old), Value::String(new)) => {
            let shown_then = |old: &str, new: &str| match new.strip_suffix(')') {
                Some(start) => old.strip_prefix(start).is_some_and(|rest| rest.starts_with(", ") && rest.ends_with(')')),
                None => new == "a saga" && old.starts_with("a saga of ") && old.ends_with(" steps"),
            };
            old == new || shown_then(old, new)
        }
        (Value::Array(old), Value::Array(new)) => old.len() == new.len() && old.iter().zip(new).all(|(old, new)| is_same(old, new)),
        (Value::Object(old), Value::Object(new)) => {
            old.len() == new.len() && old.iter().all(|(key, old)| new.get(key).is_some_and(|new| is_same(old, new)))
        }
        (old, new) => old == new,
    }
}

/// A value such that the same value is described the same in another process: closures have names by chance, and what a task or a saga is
/// shown as changes while the run goes on.
pub(super) fn described(value: &Dynamic) -> Value {
    if value.is::<FnPtr>() {
        return "closure".into();
    }
    if value.is::<Saga>() {
        return "a saga".into();
    }
    if let Some(task) = value.read_lock::<Task>() {
        return task.lasting_name().into();
    }
    if let Some(items) = value.read_lock::<Array>() {
        return items.iter().map(described).collect();
    }
    if let Some(map) = value.read_lock::<Map>() {
        return Value::Object(map.iter().map(|(name, value)| (name.to_string(), described(value))).collect());
    }
    match to_json(value) {
        Value::String(text) if text.len() > LONGEST => short(&text).into(),
        Value::String(_) if !value.is_string() => shown(value).into(),
        other => other,
    }
}

fn short(text: &str) -> String {
    use sha2::{Digest, Sha256};
    let begin: String = text.chars().take(60).collect();
    let digest = hex::encode(&Sha256::digest(text)[..8]);
    format!("{begin}... ({} characters, {digest})", text.chars().count())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_an_older_version_recorded_is_the_same_call() {
        let same = |old: Value, new: Value| is_same(&old, &new);
        assert!(same(json!(["a saga of 2 steps", "Project A"]), json!(["a saga", "Project A"])));
        assert!(same(json!([["A 2 (ServerTasks-7, Executing)"]]), json!([["A 2 (ServerTasks-7)"]])));
        assert!(same(json!([{"to": "a"}, 1]), json!([{"to": "a"}, 1])));
        assert!(!same(json!(["A 2 (ServerTasks-70, Executing)"]), json!(["A 2 (ServerTasks-7)"])));
        assert!(!same(json!(["a saga of 2 steps"]), json!(["a saga", "Project A"])));
        assert!(!same(json!([{"to": "a"}]), json!([{"to": "b"}])));
        assert!(!same(json!(["Project A"]), json!(["Project"])));
    }
}
