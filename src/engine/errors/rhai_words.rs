//! What Rhai said of an error, read back into the error: for the variable of `catch` Rhai makes a map of its own words.

use rhai::{EvalAltResult, Position};

/// Splits ` (line 3, position 4)` off.
pub(super) fn without_position(said: &str) -> (&str, Option<Position>) {
    let split = || {
        let (before, place) = said.strip_suffix(')')?.rsplit_once(" (line ")?;
        let (line, column) = place.split_once(", position ").unwrap_or((place, "0"));
        Some((before, Position::new(line.parse().ok().filter(|line| *line > 0)?, column.parse().ok()?)))
    };
    split().map_or((said, None), |(before, position)| (before, Some(position)))
}

/// The error that Rhai told in these words, without its place.
pub(super) fn error(said: &str) -> EvalAltResult {
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
            assert_eq!(format!("{:?}", super::error(&error.to_string())), format!("{error:?}"), "{error}");
        }
    }

    #[test]
    fn the_place_of_an_error_is_split_off() {
        assert_eq!(without_position("no (line x)"), ("no (line x)", None));
        assert_eq!(without_position("what (line 3, position 4)"), ("what", Some(Position::new(3, 4))));
        assert_eq!(without_position("what (line 3)"), ("what", Some(Position::new(3, 0))));
    }
}
