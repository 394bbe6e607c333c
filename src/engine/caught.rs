//! Rhai's own errors on their way into a script: what `catch`, `attempt`, `saga` and mails get of them is our error, in the words
//! in which the end of a run would tell it.
//!
//! There are two doors. Functions of the library call closures through [`call`](super::tag::call), where the error itself is at hand. For the variable
//! of `catch` Rhai makes a map of its own words; [`Explainer::caught`] reads those back into the error that they tell.

use super::{
    explain::{self, Surroundings},
    library::Docs,
    modules::Shelf,
    tag::Reword,
    thrown,
};
use crate::error::Error;
use rhai::{Dynamic, Engine, EvalAltResult, ImmutableString, Map, Position};
use std::{cell::Cell, sync::Arc};

/// What explanations are made from.
pub(super) struct Explainer {
    pub(super) shelf: Arc<Shelf>,
    pub(super) docs: Arc<Docs>,
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
        let error = explain::explain(error, &around);
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
    pub(super) fn caught(&self, value: &Dynamic, engine: &Engine) -> Option<Map> {
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
                let (first, position) = without_position(first);
                let (first, source) = first.strip_suffix('\'').and_then(|rest| rest.rsplit_once(" @ '")).unwrap_or((first, ""));
                (first, if source.is_empty() { file } else { source.to_owned() }, position)
            }
        };
        let (error, position) = self.explain(&reread(said), &file, position.unwrap_or(Position::NONE), engine);
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

/// Splits ` (line 3, position 4)` off.
fn without_position(said: &str) -> (&str, Option<Position>) {
    let split = || {
        let (before, place) = said.strip_suffix(')')?.rsplit_once(" (line ")?;
        let (line, column) = place.split_once(", position ").unwrap_or((place, "0"));
        Some((before, Position::new(line.parse().ok().filter(|line| *line > 0)?, column.parse().ok()?)))
    };
    split().map_or((said, None), |(before, position)| (before, Some(position)))
}

/// The error that Rhai told in these words, without its place.
fn reread(said: &str) -> EvalAltResult {
    use EvalAltResult as E;
    const AT: Position = Position::NONE;
    type Named = fn(String, Position) -> E;
    type Mismatch = fn(String, String, Position) -> E;
    type Bounds = fn(usize, i64, Position) -> E;
    const NAMED: [(&str, &str, Named); 10] = [
        ("Function not found: ", "", E::ErrorFunctionNotFound),
        ("Variable not found: ", "", E::ErrorVariableNotFound),
        ("Property not found: ", "", E::ErrorPropertyNotFound),
        ("Module not found: ", "", E::ErrorModuleNotFound),
        ("Indexer unavailable: ", "", E::ErrorIndexingType),
        ("Data race detected on ", "", E::ErrorDataRace),
        ("Cannot modify constant ", "", E::ErrorAssignmentToConstant),
        ("Non-pure method '", "' cannot be called on constant", E::ErrorNonPureMethodCallOnConstant),
        ("Non-pure property ", " cannot be accessed on constant", |name, at| {
            E::ErrorNonPureMethodCallOnConstant(format!("get${name}"), at)
        }),
        ("Cannot modify property '", "' of constant", |name, at| E::ErrorNonPureMethodCallOnConstant(format!("set${name}"), at)),
    ];
    const MISMATCHES: [(&str, Mismatch); 2] =
        [("Data type incorrect", E::ErrorMismatchDataType), ("Output type incorrect", E::ErrorMismatchOutputType)];
    const BOUNDS: [(&str, Bounds); 3] =
        [("Array index ", E::ErrorArrayBounds), ("String index ", E::ErrorStringBounds), ("Bit-field index ", E::ErrorBitFieldBounds)];
    for (start, end, make) in NAMED {
        if let Some(name) = said.strip_prefix(start).and_then(|rest| rest.strip_suffix(end)) {
            return make(name.to_owned(), AT);
        }
    }
    for (start, make) in MISMATCHES {
        let Some(types) = said.strip_prefix(start) else { continue };
        // `: got`, `: got (expecting wanted)` or `, expecting wanted`
        let both = || types.strip_suffix(')')?.split_once(" (expecting ");
        let (got, wanted) = types.split_once(", expecting ").or_else(both).unwrap_or((types, ""));
        let got = got.trim_start_matches(": ");
        return make(wanted.to_owned(), got.to_owned(), AT);
    }
    for (start, make) in BOUNDS {
        let Some((index, rest)) = said.strip_prefix(start).and_then(|rest| rest.split_once(" out of bounds: ")) else { continue };
        // `only 3 elements in array`, or that it is empty.
        let length = rest.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap_or(0);
        return make(length, index.parse().unwrap_or_default(), AT);
    }
    match said {
        "For loop expects iterable type" => E::ErrorFor(AT),
        "'this' not bound" => E::ErrorUnboundThis(AT),
        "Data race detected" => E::ErrorDataRace(String::new(), AT),
        said if said.starts_with("Unknown property") || said.starts_with("No writable property") => E::ErrorDotExpr(said.to_owned(), AT),
        said => match said.strip_prefix("Invalid index: ") {
            Some(index) => E::ErrorIndexNotFound(index.into(), AT),
            None => E::ErrorArithmetic(said.to_owned(), AT),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use EvalAltResult as E;

    #[test]
    fn what_rhai_says_is_read_back() {
        const AT: Position = Position::NONE;
        let text = || "some (text, i64)".to_owned();
        for error in [
            E::ErrorFunctionNotFound(text(), AT),
            E::ErrorVariableNotFound(text(), AT),
            E::ErrorPropertyNotFound(text(), AT),
            E::ErrorModuleNotFound(text(), AT),
            E::ErrorIndexNotFound("some text".into(), AT),
            E::ErrorIndexingType(text(), AT),
            E::ErrorDataRace(text(), AT),
            E::ErrorDataRace(String::new(), AT),
            E::ErrorAssignmentToConstant(text(), AT),
            E::ErrorNonPureMethodCallOnConstant("push".to_owned(), AT),
            E::ErrorNonPureMethodCallOnConstant("set$name".to_owned(), AT),
            E::ErrorNonPureMethodCallOnConstant("get$name".to_owned(), AT),
            E::ErrorMismatchDataType("i64".to_owned(), "string".to_owned(), AT),
            E::ErrorMismatchDataType("i64".to_owned(), String::new(), AT),
            E::ErrorMismatchDataType(String::new(), "string".to_owned(), AT),
            E::ErrorMismatchOutputType("i64".to_owned(), "string".to_owned(), AT),
            E::ErrorArrayBounds(0, 0, AT),
            E::ErrorArrayBounds(1, -2, AT),
            E::ErrorArrayBounds(7, 7, AT),
            E::ErrorStringBounds(7, 9, AT),
            E::ErrorBitFieldBounds(64, 65, AT),
            E::ErrorFor(AT),
            E::ErrorUnboundThis(AT),
            E::ErrorDotExpr("Unknown property 'x' - a getter is not registered for type 'T'".to_owned(), AT),
            E::ErrorDotExpr("No writable property 'x' - a setter is not registered for type 'T'".to_owned(), AT),
            E::ErrorArithmetic("Division by zero: 1 / 0".to_owned(), AT),
        ] {
            assert_eq!(format!("{:?}", reread(&error.to_string())), format!("{error:?}"), "{error}");
        }
    }

    #[test]
    fn the_place_of_an_error_is_split_off() {
        assert_eq!(without_position("no (line x)"), ("no (line x)", None));
        assert_eq!(without_position("what (line 3, position 4)"), ("what", Some(Position::new(3, 4))));
        assert_eq!(without_position("what (line 3)"), ("what", Some(Position::new(3, 0))));
    }
}
