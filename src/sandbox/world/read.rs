//! Turns the text of a world file into a [`Plan`], or into a message that points at the mistake.

use super::model::Plan;
use crate::error::{Error, Result, suggestion};
use std::ops::Range;

pub(super) fn read(name: &str, text: &str) -> Result<Plan> {
    toml::from_str(text).map_err(|e| {
        let message = e.message().to_owned();
        let error = at(name, text, e.span().unwrap_or(0..0), message.trim_end_matches('.').lines().next().unwrap_or("cannot be read"));
        match unknown(&message) {
            Some(hint) => error.help(hint),
            None => error,
        }
    })
}

/// `unknown field `nmae`, expected one of `name`, ...`: which one was meant.
fn unknown(message: &str) -> Option<String> {
    if !message.starts_with("unknown field") && !message.starts_with("unknown variant") {
        return None;
    }
    let mut quoted = message.split('`').skip(1).step_by(2);
    let wrong = quoted.next()?;
    let known: Vec<&str> = quoted.collect();
    suggestion(wrong, known.iter().copied())
}

/// A usage error with file, line, column, the line itself and a caret under `span`.
pub(super) fn at(name: &str, text: &str, span: Range<usize>, message: &str) -> Error {
    let start = span.start.min(text.len());
    let before = text.get(..start).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let from = before.rfind('\n').map_or(0, |i| i + 1);
    let shown = text.get(from..).unwrap_or_default().lines().next().unwrap_or_default();
    let column = text.get(from..start).unwrap_or_default().chars().count();
    let left = shown.chars().count().saturating_sub(column).max(1);
    let width = text.get(start..span.end.min(text.len())).map_or(1, |s| s.chars().take_while(|c| *c != '\n').count()).clamp(1, left);
    let gutter = " ".repeat(line.to_string().len());
    Error::usage(format!(
        "{message}\n{gutter}--> {name}:{line}:{}\n{gutter} |\n{line} | {shown}\n{gutter} | {}{}",
        column + 1,
        " ".repeat(column),
        "^".repeat(width)
    ))
    .with("file", name)
    .with("line", line)
    .with("column", column + 1)
}
