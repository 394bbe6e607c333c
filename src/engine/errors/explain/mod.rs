//! Explanations for a person: what an error of Rhai means in words of users, and what helps.
//!
//! There are two doors. Functions of the library call closures through [`call`](crate::engine::tag::call), where the error itself is at hand.
//! For the variable of `catch` Rhai makes a map of its own words; [`Explainer::caught`] reads those back into the error that they tell.

mod around;
mod names;
mod syntax;

use self::{
    around::{Surroundings, constant, hinted, plain, script},
    names::{unknown_function, unknown_property, unknown_variable},
};
use super::{rhai_words, thrown};
use crate::{
    engine::{
        foreign_syntax,
        library::Docs,
        modules::Shelf,
        tag::Reword,
        words::{type_words, with_article},
    },
    error::{Error, Kind, with_commas},
};
use rhai::{Dynamic, Engine, EvalAltResult, ImmutableString, Map, Position};
use std::{cell::Cell, sync::Arc};

/// What explanations are made from.
pub(in crate::engine) struct Explainer {
    pub(in crate::engine) shelf: Arc<Shelf>,
    pub(in crate::engine) docs: Arc<Docs>,
}

impl Reword for Explainer {
    fn reword(&self, error: &mut EvalAltResult, file: &str, engine: &Engine) {
        self.put_ours(error, file, engine);
    }
}

impl Explainer {
    /// Our error for `error` without its wrappers, which was raised at `position` of the running text of `file`, and the place in the
    /// written text that is more to the point.
    pub(super) fn explain(&self, error: &EvalAltResult, file: &str, position: Position, engine: &Engine) -> (Error, Position) {
        let text = self.shelf.text(file).unwrap_or_default();
        let position = self.shelf.written(file, position);
        let around = Surroundings { engine, shelf: &self.shelf, docs: &self.docs, text: &text, file, position, better: Cell::new(None) };
        let error = meaning(error, &around);
        (error, around.better.get().unwrap_or(position))
    }

    /// Puts our error in the place of an error of Rhai's own; the wrappers around it stay.
    fn put_ours(&self, error: &mut EvalAltResult, file: &str, engine: &Engine) {
        match error {
            EvalAltResult::ErrorInFunctionCall(_, source, inner, _) => {
                let file = if source.is_empty() { file } else { source.as_str() };
                self.put_ours(inner, file, engine);
            }
            EvalAltResult::ErrorInModule(name, inner, _) => self.put_ours(inner, name, engine),
            EvalAltResult::ErrorRuntime(..) | EvalAltResult::ErrorTerminated(..) => {}
            pseudo if pseudo.is_pseudo_error() => {}
            own => {
                let (ours, position) = self.explain(own, file, own.position(), engine);
                let mut raised = *thrown::raise(placed(ours, file, position));
                raised.set_position(self.shelf.in_running(file, position));
                *own = raised;
            }
        }
    }

    /// What a script shall find where `value` is what Rhai made for `catch` of an error of its own; `None` for any other value.
    pub(in crate::engine) fn caught(&self, value: &Dynamic, engine: &Engine) -> Option<Map> {
        let map = value.read_lock::<Map>()?;
        if !map.get("error")?.read_lock::<ImmutableString>()?.starts_with("Error") {
            return None;
        }
        let said = map.get("message")?.read_lock::<ImmutableString>()?;
        let number = |key: &str| map.get(key).and_then(|n| n.as_int().ok()).and_then(|n| u16::try_from(n).ok());
        let here = number("line").filter(|line| *line > 0).map(|line| Position::new(line, number("position").unwrap_or(0)));
        let file = map.get("source").map(ToString::to_string).unwrap_or_default();
        // The first line is the error, the others are the calls that it came through.
        let (said, file, position) = match said.split_once('\n') {
            None => (said.as_str(), file, here),
            Some((first, _)) => {
                let (first, position) = rhai_words::without_position(first);
                let (first, source) = first.strip_suffix('\'').and_then(|rest| rest.rsplit_once(" @ '")).unwrap_or((first, ""));
                (first, if source.is_empty() { file } else { source.to_owned() }, position)
            }
        };
        let (error, position) = self.explain(&rhai_words::error(said), &file, position.unwrap_or(Position::NONE), engine);
        Some(thrown::to_map(&placed(error, &file, position)))
    }
}

/// `error` with the facts that say where it happened: a value that is thrown again has no other place.
fn placed(error: Error, file: &str, position: Position) -> Error {
    match (position.line(), position.position()) {
        (Some(line), column) => error.with("file", file).with("line", line).with("column", column.unwrap_or(1)),
        (None, _) => error,
    }
}

/// Our error for a Rhai error without its wrappers.
fn meaning(error: &EvalAltResult, around: &Surroundings) -> Error {
    if let Some(ours) = thrown::ours(error) {
        if let Some(option) = ours.fact("option").and_then(|o| o.as_str()) {
            around.better.set(around.key_after(option));
        }
        let unfilled = foreign_syntax::binding(ours.message()).map(foreign_syntax::unfilled);
        let ours = hinted(ours, unfilled);
        let number = |name: &str| ours.fact(name).and_then(serde_json::Value::as_u64).and_then(|n| u16::try_from(n).ok());
        // Caught and thrown again: the place is where it was raised.
        if ours.fact("file").and_then(|file| file.as_str()) == Some(around.file)
            && let (Some(line), Some(column)) = (number("line"), number("column"))
        {
            around.better.set(Some(Position::new(line, column)));
        }
        let argument = ours.fact("argument").and_then(|a| a.as_str()).and_then(|argument| around.argument_named(argument));
        return hinted(ours, argument);
    }
    let engine = around.engine;
    let words = |name: &str| with_article(&type_words(Some(engine), name));
    match error {
        EvalAltResult::ErrorParsing(kind, _) => syntax::explain(kind, around),
        EvalAltResult::ErrorRuntime(value, _) => thrown_by_user(value),
        EvalAltResult::ErrorVariableNotFound(name, _) => unknown_variable(name, around),
        EvalAltResult::ErrorFunctionNotFound(call, _) => unknown_function(call, around),
        EvalAltResult::ErrorDotExpr(message, _) => unknown_property(message, around),
        EvalAltResult::ErrorIndexingType(what, _) => {
            let (subject, key) = what.split_once(" [").unwrap_or((what, ""));
            let key = key.split(']').next().unwrap_or_default();
            let error = script(format!("{} has no entries to take out with `[{}]`", words(subject), type_words(Some(engine), key)));
            error.help("a property is read with a dot: `task.state`")
        }
        EvalAltResult::ErrorIndexNotFound(key, _) => script(format!("there is no entry `{key}`")),
        EvalAltResult::ErrorPropertyNotFound(name, _) => script(format!("there is no property `{name}`")),
        EvalAltResult::ErrorModuleNotFound(name, _) => script(format!("unknown module `{name}`")),
        EvalAltResult::ErrorMismatchDataType(wanted, got, _) | EvalAltResult::ErrorMismatchOutputType(wanted, got, _) => {
            let error = match (wanted.as_str(), got.as_str()) {
                ("", got) => script(format!("{} does not fit here", words(got))),
                (wanted, "") => script(format!("{} is expected here", words(wanted))),
                (wanted, got) => script(format!("{} is expected here, got {}", words(wanted), words(got))),
            };
            hinted(error, foreign_syntax::fitting(&type_words(Some(engine), wanted)).map(str::to_owned))
        }
        EvalAltResult::ErrorArrayBounds(length, index, _) => bounds("list", "item", *length, *index),
        EvalAltResult::ErrorStringBounds(length, index, _) => bounds("text", "character", *length, *index),
        EvalAltResult::ErrorBitFieldBounds(length, index, _) => bounds("whole number", "bit", *length, *index),
        EvalAltResult::ErrorFor(_) => {
            script("`for` cannot go through this value").help("it goes through lists, ranges (`1..10`) and `map.keys()`")
        }
        EvalAltResult::ErrorUnboundThis(_) => script("`this` has no value here"),
        EvalAltResult::ErrorDataRace(what, _) => {
            let by = what.split('\'').nth(1).map_or_else(String::new, |name| {
                around.better.set(around.only_call_of(name));
                format!(" by `{name}`")
            });
            script(format!("a value is used by a closure while it is being worked on{by}"))
                .help("a closure given to a function of a value cannot change that value itself; change a copy, or collect results and use them afterwards")
        }
        EvalAltResult::ErrorAssignmentToConstant(name, _) => constant(name),
        EvalAltResult::ErrorNonPureMethodCallOnConstant(name, _) => {
            let what = match name.trim_start_matches("index$").trim_start_matches("set$").trim_start_matches("get$") {
                "" => "this".to_owned(),
                name => format!("`{name}`"),
            };
            script(format!("{what} changes its subject, which is a constant"))
                .help("declare it with `let` instead of `const`, or change a copy")
        }
        EvalAltResult::ErrorArithmetic(message, _) => not_a_number(message).unwrap_or_else(|| script(plain(message))),
        EvalAltResult::ErrorTooManyOperations(_) => {
            // Of an engine that counts itself; ours are counted by the meter.
            Error::new(Kind::Limit, format!("the script did more than {} operations", with_commas(engine.max_operations())))
        }
        EvalAltResult::ErrorTooManyVariables(_) => {
            Error::new(Kind::Limit, format!("more than {} variables at the same time", with_commas(engine.max_variables() as u64)))
        }
        EvalAltResult::ErrorTooManyModules(_) => {
            Error::new(Kind::Limit, format!("more than {} imports", with_commas(engine.max_modules() as u64)))
                .help("import once, at the top of the file")
        }
        EvalAltResult::ErrorStackOverflow(_) => {
            Error::new(Kind::Limit, format!("function calls are nested more than {} deep", engine.max_call_levels()))
                .help("does a function call itself without end?")
        }
        EvalAltResult::ErrorSystem(what, cause) if what.is_empty() => script(plain(&cause.to_string())),
        EvalAltResult::ErrorSystem(what, cause) => script(plain(&format!("{what}: {cause}"))),
        EvalAltResult::ErrorTerminated(..) => Error::new(Kind::Cancelled, "the script was ended"),
        EvalAltResult::LoopBreak(..) => script("`break` and `continue` only work inside of a loop"),
        other => script(plain(&other.to_string())),
    }
}

/// `throw "text"`, `throw #{message: ...}`, `throw anything`; also what Rhai's own functions complain about.
fn thrown_by_user(value: &Dynamic) -> Error {
    if value.is_unit() {
        return script("the script threw an error without a message").help("say what is wrong: `throw \"...\"`");
    }
    let Some(map) = value.read_lock::<Map>() else { return script(value.to_string()) };
    let message = map
        .get("message")
        .filter(|m| !m.is_unit())
        .map_or_else(|| format!("the script threw {}", thrown::shown(value)), ToString::to_string);
    let mut error = script(message);
    for (name, value) in map.iter() {
        match name.as_str() {
            "message" => {}
            "help" => error = error.help(value.to_string()),
            name => error = error.with(name, thrown::to_json(value)),
        }
    }
    error
}

/// What `parse_int`, `parse_float` and `to_int` say of a text.
fn not_a_number(message: &str) -> Option<Error> {
    let (what, rest) = message.strip_prefix("Error parsing ")?.split_once(" '")?;
    let (text, _) = rest.rsplit_once("':")?;
    let kind = if what.contains("integer") { "whole number" } else { "number" };
    Some(script(format!("`{text}` is not a {kind}")))
}

fn bounds(what: &str, item: &str, length: usize, index: i64) -> Error {
    let has = match length {
        0 => format!("the {what} is empty"),
        1 => format!("the {what} has 1 {item}"),
        n => format!("the {what} has {n} {item}s"),
    };
    let error = script(format!("{has}, there is none at `{index}`"));
    if length > 0 && index == length as i64 {
        error.help(format!("counting starts at 0: the last {item} is at `{}`, or `-1`", length - 1))
    } else {
        error.help(format!("counting starts at 0; `.len()` says how many {item}s there are"))
    }
}
