//! What Rhai's errors mean in words of users.
use super::{modules::Shelf, thrown};
use crate::error::{Error, Kind};
use rhai::{Engine, EvalAltResult, Position};
/// What an explanation may look at.
pub(super) struct Surroundings<'a> {
    pub(super) engine: &'a Engine,
    pub(super) shelf: &'a Shelf,
    /// The text of the file that the error is in.
    pub(super) text: &'a str,
    pub(super) position: Position,
}
/// Our error for a Rhai error without its wrappers.
pub(super) fn explain(error: &EvalAltResult, _around: &Surroundings) -> Error {
    thrown::ours(error).unwrap_or_else(|| Error::new(Kind::Script, error.to_string()))
}
