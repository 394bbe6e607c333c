//! Which function of the library the script calls just now, and with what: for records of what a run did.

use super::thrown::shown;
use rhai::{Array, Dynamic, FnPtr, Map};
use serde_json::Value;
use std::cell::RefCell;

/// A text longer than this is kept as its beginning and its digest.
const LONGEST: usize = 400;

struct Site {
    function: &'static str,
    arguments: Vec<Dynamic>,
}

thread_local! {
    static SITES: RefCell<Vec<Site>> = const { RefCell::new(Vec::new()) };
}

/// Leaves the call when it is dropped.
pub(super) struct Inside(());

impl Drop for Inside {
    fn drop(&mut self) {
        SITES.with_borrow_mut(|sites| {
            sites.pop();
        });
    }
}

/// Enters a call.
pub(super) fn enter(function: &'static str, arguments: &[Dynamic]) -> Inside {
    SITES.with_borrow_mut(|sites| sites.push(Site { function, arguments: arguments.to_vec() }));
    Inside(())
}

/// The innermost call on this thread: the function's name and its arguments as JSON.
pub fn current() -> (String, Value) {
    SITES.with_borrow(|sites| match sites.last() {
        Some(site) => (site.function.to_owned(), site.arguments.iter().map(described).collect()),
        None => (String::new(), Value::Null),
    })
}

/// A value such that the same value is described the same in another process: closures have names by chance.
fn described(value: &Dynamic) -> Value {
    if value.is::<FnPtr>() {
        return "closure".into();
    }
    if let Some(items) = value.read_lock::<Array>() {
        return items.iter().map(described).collect();
    }
    if let Some(map) = value.read_lock::<Map>() {
        return Value::Object(map.iter().map(|(name, value)| (name.to_string(), described(value))).collect());
    }
    match super::thrown::to_json(value) {
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
