//! Rhai's parser, and what it must not be given.

use super::text::{Reading, cost, position_of, scan};
use rhai::{AST, Engine, ParseError, ParseErrorType, Position, Scope};

/// Like Rhai, but a comment or text that swallows the rest of the script is an error, and so is what would take hours to compile.
pub(super) fn parse(engine: &Engine, names: &Scope, text: &str) -> Result<AST, ParseError> {
    let refused = endless(text).or_else(|| too_deep(text));
    refused.map_or_else(|| engine.compile_with_scope(names, text), Err)
}

/// Why something without an end is an error.
pub(super) const ENDLESS: &str = "to end what the script ends in";

/// The error for a comment or text that the script ends in, which Rhai takes for one that is complete.
fn endless(text: &str) -> Option<ParseError> {
    let pieces = scan::pieces(text);
    let (piece, end) = scan::endless(text, &pieces)?;
    let missing = ParseErrorType::MissingToken(end, ENDLESS.to_owned());
    Some(ParseError(Box::new(missing), position_of(text, piece.range.start).unwrap_or(Position::NONE)))
}

/// The error for a `switch` that is nested so deeply that Rhai would need hours to compile it.
fn too_deep(text: &str) -> Option<ParseError> {
    // Most scripts have none.
    let reading = text.contains("switch").then(|| Reading::new(text))?;
    let start = reading.pieces[cost::too_deep(&reading)?].range.start;
    Some(ParseError(Box::new(ParseErrorType::ExprTooDeep), position_of(text, start).unwrap_or(Position::NONE)))
}
