//! What Rhai's parse errors mean in words of users, and what helps.

use super::{
    explain::{Surroundings, constant, plain, unknown_module, unknown_variable},
    failure::span,
};
use crate::error::{Error, Kind};
use rhai::{LexError, ParseErrorType};

fn script(message: impl Into<String>) -> Error {
    Error::new(Kind::Script, message)
}

/// Our error for a parse error.
pub(super) fn explain(error: &ParseErrorType, around: &Surroundings) -> Error {
    let place = span(around.text, around.position.line().unwrap_or(1), around.position.position().unwrap_or(1).max(1));
    let token = &around.text[place.clone()];
    if token == "eval" {
        return script("`eval` is switched off: a script is what its files say");
    }
    match error {
        ParseErrorType::VariableUndefined(name) => unknown_variable(name, around),
        ParseErrorType::ModuleUndefined(name) => unknown_module(name),
        ParseErrorType::Reserved(name) => reserved(name, &around.text[..place.start]),
        // Words that are in use, other than those that wait for a use.
        ParseErrorType::VariableExpected | ParseErrorType::PropertyExpected | ParseErrorType::FnMissingName
            if token.starts_with(|c: char| c.is_ascii_alphabetic()) =>
        {
            reserved(token, &around.text[..place.start])
        }
        ParseErrorType::UnexpectedEOF => unfinished(around.text, "the script ends in the middle of a statement"),
        ParseErrorType::MissingToken(wanted, why) => missing(wanted, why, token, around.text),
        ParseErrorType::BadInput(lex) => bad_input(lex, token),
        ParseErrorType::AssignmentToConstant(name) => constant(name),
        ParseErrorType::LoopBreak => script("`break` and `continue` only work inside of a loop")
            .help("a closure cannot leave the loop around it: `return` ends the closure"),
        ParseErrorType::DuplicatedProperty(name) => script(format!("the map has the key `{name}` twice")),
        ParseErrorType::FnDuplicatedDefinition(name, count) => script(format!("there are two functions `{name}` with {count} parameters")),
        ParseErrorType::WrongFnDefinition => script("a function (`fn`) can only be declared at the top level of a file")
            .help("inside of blocks use a closure: `let f = |x| ...;` and `f.call(1)`"),
        ParseErrorType::ExprTooDeep => {
            Error::new(Kind::Limit, "expressions or blocks are nested too deeply").help("move inner parts into functions")
        }
        ParseErrorType::TooManyFunctions => Error::new(Kind::Limit, "the file has too many functions"),
        ParseErrorType::LiteralTooLarge(what, most) => Error::new(Kind::Limit, plain(&format!("{what} exceeds the limit of {most}"))),
        ParseErrorType::ExprExpected(_) | ParseErrorType::MissingSymbol(_) if token.is_empty() => {
            unfinished(around.text, "the script ends in the middle of a statement")
        }
        other => script(plain(&other.to_string())),
    }
}

fn reserved(name: &str, before: &str) -> Error {
    let before = before.trim_end();
    let error = script(format!("`{name}` is a reserved word of the language"));
    if before.ends_with('.') {
        error.help(format!("take the entry of a map with `[\"{name}\"]` instead of `.{name}`"))
    } else if before.ends_with(['{', ',']) {
        error.help(format!("as a key of a map it stands in quotes: `\"{name}\": ...`, and is read with `[\"{name}\"]`"))
    } else {
        error.help(format!("choose another name, e.g. `{name}_`"))
    }
}

fn missing(wanted: &str, why: &str, token: &str, text: &str) -> Error {
    if token.is_empty() && matches!(wanted, "}" | ")" | "]" | "," | ";") {
        return unfinished(text, &format!("the script ends, but a `{wanted}` is missing"));
    }
    if wanted == ";" {
        return script(format!("unexpected `{token}`: the statement before it is not finished"))
            .help("is a `;` missing, or a comma, or an operator?");
    }
    if wanted == ")" {
        return script(format!("`)` is missing before `{token}`"));
    }
    script(plain(&format!("`{wanted}` is missing {why}, before `{token}`")))
}

/// The text ended too early: say which bracket is open.
fn unfinished(text: &str, message: &str) -> Error {
    let error = script(message);
    match open_bracket(text) {
        Some((bracket, line)) => error.help(format!("the `{bracket}` of line {line} is never closed")),
        None => error,
    }
}

/// The last bracket that is not closed, and its line. Knows strings and line comments, not more.
fn open_bracket(text: &str) -> Option<(char, usize)> {
    let mut open = Vec::new();
    let mut line = 1;
    let mut quote = None;
    let mut letters = text.chars().peekable();
    while let Some(c) = letters.next() {
        match (quote, c) {
            (_, '\n') => line += 1,
            (Some(_), '\\') => {
                letters.next();
            }
            (Some(q), c) if c == q => quote = None,
            (None, '/') if letters.peek() == Some(&'/') => {
                while letters.peek().is_some_and(|c| *c != '\n') {
                    letters.next();
                }
            }
            (None, '"' | '`') => quote = Some(c),
            (None, '{' | '(' | '[') => open.push((c, line)),
            (None, '}' | ')' | ']') => {
                open.pop();
            }
            _ => {}
        }
    }
    open.pop()
}

fn bad_input(error: &LexError, token: &str) -> Error {
    match error {
        LexError::UnterminatedString => {
            script("the text has no end: its closing quote is missing").help("a text over several lines stands in backticks")
        }
        LexError::UnexpectedInput(what) if what.is_empty() || token.is_empty() => script("the script ends in the middle of a statement"),
        LexError::UnexpectedInput(what) => {
            let error = script(format!("unexpected `{what}`"));
            if what.is_ascii() {
                error
            } else {
                error.help("outside of texts and comments, only letters a to z, digits and ASCII signs are allowed")
            }
        }
        LexError::MalformedChar(what) => {
            script(format!("`{token}` is not one character")).help(format!("text stands in double quotes: \"{}\"", what.trim_matches('\'')))
        }
        LexError::MalformedEscapeSequence(what) => {
            script(format!("`{what}` is not an escape in a text")).help("write a backslash as `\\\\`")
        }
        LexError::MalformedNumber(what) => script(format!("`{what}` is not a number")),
        LexError::MalformedIdentifier(what) => script(format!("`{what}` is not a name")),
        other => script(plain(&other.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_open_bracket_is_the_last_one_not_closed() {
        assert_eq!(open_bracket("if a {\n  f(\"}\"); // }\n  g([1, 2\n"), Some(('[', 3)));
        assert_eq!(open_bracket("f({ }, [ ])"), None);
    }
}
