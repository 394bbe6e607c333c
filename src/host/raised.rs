//! Errors that closures of the script raised, as ours.

use super::prelude::*;
use crate::engine::thrown::{innermost, to_map};

/// The value that `catch` would see.
pub fn caught(error: &EvalAltResult) -> Dynamic {
    match (ours(error), innermost(error)) {
        (None, EvalAltResult::ErrorRuntime(value, _)) => value.clone(),
        _ => to_map(&as_error(error)).into(),
    }
}

/// The error that a closure raised, as ours.
pub fn as_error(error: &EvalAltResult) -> Error {
    ours(error).unwrap_or_else(|| Error::new(Kind::Script, message(error)))
}

/// Puts a changed error of ours into a Rhai error, where its place and the calls around it are kept.
pub fn with_place(mut error: Box<EvalAltResult>, changed: Error) -> Box<EvalAltResult> {
    fn put(error: &mut EvalAltResult, changed: Error) {
        match error {
            EvalAltResult::ErrorInFunctionCall(_, _, inner, _) | EvalAltResult::ErrorInModule(_, inner, _) => put(inner, changed),
            other => crate::engine::thrown::put(other, changed),
        }
    }
    put(&mut error, changed);
    error
}
