//! What Rhai's parse errors mean in words of users, and what helps.

use super::{
    around::{Surroundings, constant, hinted, plain, script},
    names::{unknown_module, unknown_variable},
};
use crate::{
    engine::{
        foreign_syntax,
        parse::ENDLESS,
        text::{scan, span},
    },
    error::{Error, Kind},
};
use rhai::{LexError, ParseErrorType};
use std::ops::Range;

/// Our error for a parse error.
pub(super) fn explain(error: &ParseErrorType, around: &Surroundings) -> Error {
    let place = span(around.text, around.position.line().unwrap_or(1), around.position.position().unwrap_or(1).max(1));
    let token = &around.text[place.clone()];
    if token == "eval" {
        return script("`eval` is switched off: a script is what its files say");
    }
    if let Some(error) = Brackets::at(&place, around.text) {
        return error;
    }
    match error {
        ParseErrorType::MissingToken(end, why) if why == ENDLESS => {
            let what = if end == "*/" { "comment" } else { "text" };
            script(format!("the {what} has no end: its `{end}` is missing")).help("everything behind its beginning belongs to it")
        }
        ParseErrorType::VariableUndefined(name) => unknown_variable(name, around),
        ParseErrorType::ModuleUndefined(name) => unknown_module(name),
        ParseErrorType::Reserved(name) => reserved(name, &around.text[..place.start], &around.text[place.end..]),
        // Words that are in use, other than those that wait for a use.
        ParseErrorType::VariableExpected | ParseErrorType::PropertyExpected | ParseErrorType::FnMissingName
            if token.starts_with(|c: char| c.is_ascii_alphabetic()) =>
        {
            reserved(token, &around.text[..place.start], &around.text[place.end..])
        }
        ParseErrorType::VariableExpected => {
            script(format!("a name is missing before `{token}`")).help("a variable is declared with `let name = ...;`")
        }
        ParseErrorType::UnexpectedEOF => unfinished(around.text, "the script ends in the middle of a statement"),
        ParseErrorType::MissingToken(wanted, why) => missing(wanted, why, &place, around.text),
        // `##{`: the escape of a step's inline script, where Octopus takes one `#` away.
        ParseErrorType::BadInput(LexError::UnexpectedInput(_)) if around.text[place.start..].starts_with("##{") => {
            script("unexpected `##{`").help(foreign_syntax::ESCAPED)
        }
        ParseErrorType::BadInput(lex) => bad_input(lex, token),
        ParseErrorType::UnknownOperator(sign) => {
            hinted(script(format!("unknown operator `{sign}`")), foreign_syntax::operator(sign).map(str::to_owned))
        }
        ParseErrorType::ExprExpected(_) if around.text[..place.start].trim_end().ends_with(" in") => {
            script("`for` needs something to go through").help("a list, a range or the keys of a map: `for name in [\"A\", \"B\"] { ... }`")
        }
        ParseErrorType::ExprExpected(what) if what.contains("boolean") => {
            script("a condition is missing here").help("it is `true`, `false`, or a comparison: `if t.state == \"Success\" { ... }`")
        }
        ParseErrorType::ExprExpected(what) if what.contains("literal") => script("`switch` compares with values that are written out")
            .help("write it like `switch ctx.env { \"Test\" => 1, \"Production\" => 2, _ => 3 }`"),
        ParseErrorType::WrongSwitchCaseCondition => script("the case `_` of a `switch` cannot have a condition")
            .help("put the condition behind the arrow: `_ => if n > 100 { \"many\" } else { \"some\" }`"),
        ParseErrorType::WrongSwitchDefaultCase => {
            script("the case `_` of a `switch` must be the last one").help("move it to the end: `switch ctx.env { \"Test\" => 1, _ => 2 }`")
        }
        ParseErrorType::WrongSwitchIntegerCase => script("a number cannot follow a range in a `switch`")
            .help("put single numbers first: `switch n { 5 => 1, 0..3 => 2, _ => 3 }`"),
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
        ParseErrorType::MismatchedType(wanted, _) => {
            let wanted = if wanted.contains("boolean") { "true or false" } else { wanted.as_str() };
            hinted(script(plain(&error.to_string())), foreign_syntax::fitting(wanted).map(str::to_owned))
        }
        other => script(plain(&other.to_string())),
    }
}

fn reserved(name: &str, before: &str, after: &str) -> Error {
    let error = match name {
        "$" | "#" | "@" => script(format!("unexpected `{name}`")),
        _ => script(format!("`{name}` is a reserved word of the language")),
    };
    let place = before.trim_end();
    let as_key = place.ends_with(['.', '{', ',']) || ["let", "const", "fn"].iter().any(|word| place.ends_with(word));
    if let Some(habit) = foreign_syntax::word(name, before, after).filter(|_| !as_key) {
        return error.help(habit);
    }
    let before = place;
    if before.ends_with('.') {
        error.help(format!("take the entry of a map with `[\"{name}\"]` instead of `.{name}`"))
    } else if before.ends_with(['{', ',']) {
        error.help(format!("as a key of a map it stands in quotes: `\"{name}\": ...`, and is read with `[\"{name}\"]`"))
    } else {
        error.help(format!("choose another name, e.g. `{name}_`"))
    }
}

fn missing(wanted: &str, why: &str, place: &Range<usize>, text: &str) -> Error {
    let (before, token, after) = (&text[..place.start], &text[place.clone()], &text[place.end..]);
    let error = missing_sign(wanted, why, token, text);
    if !error.hints().is_empty() {
        return error;
    }
    let is_word = token.starts_with(|c: char| c.is_ascii_alphabetic());
    // `5m`, `90s`: a duration without its quotes.
    let digits = before.len() - before.trim_end_matches(|c: char| c.is_ascii_digit()).len();
    if is_word && digits > 0 {
        let number = &before[before.len() - digits..];
        return error.help(format!("a duration is a text: \"{number}{token}\""));
    }
    if wanted == ":" {
        let line_start = before.rfind("#{").unwrap_or(0);
        if let Some(binding) = foreign_syntax::binding(&text[line_start..]).filter(|_| token == ".") {
            return error.help(foreign_syntax::unfilled(binding));
        }
        if token == "-" {
            return error.help("a key with a dash in it stands in quotes: `#{\"a-b\": 1}`; options have no dashes: `on_timeout`");
        }
        return error.help("a map is written `#{key: value, other: value}`");
    }
    if let Some(habit) =
        foreign_syntax::word(token, before, after).filter(|_| is_word && ["and", "or", "not", "then", "except", "finally"].contains(&token))
    {
        return error.help(habit);
    }
    match wanted {
        "{" => error.help("what belongs to `if`, `for`, `while` and so on stands in braces: `if x { ... }`"),
        "," => match Brackets::of(text).open.filter(|open| open.0.start < place.start) {
            Some(open) => error.help(format!("is a comma missing, or a `{}`? the {} is not closed", open.closing(text), open.shown(text))),
            None => error.help("is a comma missing, or a bracket?"),
        },
        _ => error,
    }
}

fn missing_sign(wanted: &str, why: &str, token: &str, text: &str) -> Error {
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
    hinted(script(message), Brackets::of(text).open.map(|open| format!("the {} is never closed", open.shown(text))))
}

/// A bracket, `#{` being one.
struct Bracket(Range<usize>);

impl Bracket {
    /// `` `(` of line 3 ``
    fn shown(&self, text: &str) -> String {
        format!("`{}` of line {}", &text[self.0.clone()], text[..self.0.start].matches('\n').count() + 1)
    }

    fn closing(&self, text: &str) -> &'static str {
        match &text[self.0.clone()] {
            "(" => ")",
            "[" => "]",
            _ => "}",
        }
    }
}

/// The first thing that is wrong with the brackets of a text.
struct Brackets {
    /// The one that is not closed, or closed by one of another kind.
    open: Option<Bracket>,
    /// What shows it: a bracket that closes another one or nothing, or the `;` that ends a statement in the middle of a value.
    shows: Option<Range<usize>>,
}

impl Brackets {
    fn of(text: &str) -> Self {
        let mut open: Vec<Bracket> = Vec::new();
        for piece in scan::pieces(text).into_iter().filter(|piece| piece.kind == scan::Kind::Sign) {
            let sign = piece.of(text);
            let fits = match sign {
                "(" | "[" | "{" | "#{" => {
                    open.push(Bracket(piece.range));
                    continue;
                }
                ")" | "]" | "}" => open.last().is_some_and(|last| last.closing(text) == sign),
                ";" if open.last().is_some_and(|last| &text[last.0.clone()] != "{") => false,
                _ => continue,
            };
            if !fits {
                return Self { open: open.pop(), shows: Some(piece.range) };
            }
            open.pop();
        }
        Self { open: open.pop(), shows: None }
    }

    /// The error of a bracket, if it is at `place` that it shows.
    fn at(place: &Range<usize>, text: &str) -> Option<Error> {
        let Self { open, shows } = Self::of(text);
        if shows?.start != place.start {
            return None;
        }
        let sign = &text[place.clone()];
        Some(match open {
            None => script(format!("`{sign}` closes nothing")).help("is it one too many, or is the bracket missing that it belongs to?"),
            Some(open) => {
                let closing = open.closing(text);
                let error = script(format!("the {} is not closed before the `{sign}`", open.shown(text)));
                error.help(format!("is a `{closing}` missing, or is the `{sign}` one too many?"))
            }
        })
    }
}

fn bad_input(error: &LexError, token: &str) -> Error {
    match error {
        LexError::UnterminatedString => {
            script("the text has no end: its closing quote is missing").help("a text over several lines stands in backticks")
        }
        LexError::UnexpectedInput(what) if what.is_empty() || token.is_empty() => script("the script ends in the middle of a statement"),
        LexError::UnexpectedInput(what) if matches!(what.as_str(), ";" | "," | ")" | "]" | "}") => {
            script(format!("a value is missing before `{what}`")).help("is the line half written, or a sign left over?")
        }
        LexError::UnexpectedInput(what) => {
            let error = script(format!("unexpected `{what}`"));
            if what.is_ascii() {
                error.help("this sign has no meaning here; text stands in double quotes")
            } else {
                error.help("outside of texts and comments, only letters a to z, digits and ASCII signs are allowed")
            }
        }
        LexError::MalformedChar(what) => {
            script("text stands in double quotes, not in single ones").help(format!("write \"{}\"", what.trim_matches('\'')))
        }
        LexError::MalformedEscapeSequence(what) => {
            script(format!("`{what}` is not an escape in a text")).help("write a backslash as `\\\\`")
        }
        LexError::ImproperSymbol(_, why) if why.contains("typo of '=='") => {
            script("`=` gives a variable a value, which is no condition").help("compare with `==`")
        }
        LexError::ImproperSymbol(sign, _) => {
            hinted(script(format!("unexpected `{sign}`")), foreign_syntax::operator(sign).map(str::to_owned))
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
    fn the_first_bracket_that_does_not_fit_is_found() {
        let found = |text: &str| {
            let Brackets { open, shows } = Brackets::of(text);
            (open.map(|open| open.shown(text)), shows.map(|range| range.start))
        };
        assert_eq!(found("if a {\n  f(\"}\"); // }\n  g([1, 2\n"), (Some("`[` of line 3".to_owned()), None));
        assert_eq!(found("f(#{ }, [ ], `${ #{a: 1}.a } ) }`); { let a = '}'; }"), (None, None));
        assert_eq!(found("f(1));"), (None, Some(4)));
        assert_eq!(found("f((1);"), (Some("`(` of line 1".to_owned()), Some(5)));
        assert_eq!(found("f(1];"), (Some("`(` of line 1".to_owned()), Some(3)));
        assert_eq!(found("f(|| { 1; });\nlet m = #{a: 1;"), (Some("`#{` of line 2".to_owned()), Some(28)));
    }
}
