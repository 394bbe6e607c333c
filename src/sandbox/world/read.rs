//! Turns the text of a world file into a [`Plan`], or into a message that points at the mistake.

use super::model::Plan;
use crate::error::{Error, Result, suggestion};
use std::ops::Range;

pub(super) fn read(name: &str, text: &str) -> Result<Plan> {
    toml::from_str(text).map_err(|e| {
        let (message, hint) = explain(e.message());
        let error = at(name, text, e.span().unwrap_or(0..0), &message);
        match hint {
            Some(hint) => error.help(hint),
            None => error,
        }
    })
}

/// What the reader of TOML complains about, in words of people who write worlds, and what helps.
fn explain(message: &str) -> (String, Option<String>) {
    let message = message.lines().next().unwrap_or("this cannot be read").trim_end_matches('.');
    for (theirs, what) in [("unknown field", "key"), ("unknown variant", "value")] {
        if message.starts_with(theirs) {
            let mut quoted = message.split('`').skip(1).step_by(2);
            let wrong = quoted.next().unwrap_or_default();
            let known: Vec<&str> = quoted.collect();
            let list = || format!("here can stand: {}", known.iter().map(|k| format!("`{k}`")).collect::<Vec<_>>().join(", "));
            return (format!("there is no {what} `{wrong}` here"), suggestion(wrong, known.iter().copied()).or_else(|| Some(list())));
        }
    }
    if let Some(key) = message.strip_prefix("missing field ") {
        return (format!("the key {key} is missing"), None);
    }
    if message.ends_with("is not a duration") {
        return (message.to_owned(), Some("write it with its unit and without a sign, e.g. \"90s\", \"4m\" or \"1h30m\"".to_owned()));
    }
    if let Some((got, wanted)) = message.strip_prefix("invalid type: ").and_then(|m| m.split_once(", expected ")) {
        let mut text = format!("{wanted} is wanted here, not {got}");
        for (theirs, ours) in [
            ("a string", "a text in quotes"),
            ("a sequence", "a list"),
            ("a map", "a table"),
            ("a boolean", "true or false"),
            ("integer `", "the number `"),
            ("floating point `", "the number `"),
            ("string \"", "the text \""),
            ("boolean `", "`"),
            ("sequence", "list"),
            ("map", "table"),
        ] {
            text = text.replace(theirs, ours);
        }
        for theirs in [" i64", " u64", " f64", "i64", "u64", "u32", "usize", "f64"] {
            text = text.replace(theirs, if theirs.starts_with(' ') { " number" } else { "a number" });
        }
        if let Some((_, rest)) = text.split_once("struct ") {
            text = format!("a table is wanted here, not {}", rest.split_once("not ").map_or(rest, |(_, got)| got));
        }
        return (text, None);
    }
    (message.to_owned(), None)
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
