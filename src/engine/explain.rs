//! What Rhai's run-time errors mean in words of users, and what helps.

use super::{
    library::{Docs, FunctionDoc},
    modules::Shelf,
    syntax,
    text::Reading,
    thrown,
    words::{ANY, Way, counted, standard_ways, type_words, with_article},
};
use crate::error::{Error, Kind, nearest, suggestion, with_commas};
use rhai::{ASTNode, Dynamic, Engine, EvalAltResult, Expr, Map, Position, Stmt};
use std::cell::Cell;

/// What an explanation may look at.
pub(super) struct Surroundings<'a> {
    pub(super) engine: &'a Engine,
    pub(super) shelf: &'a Shelf,
    /// What the library offers.
    pub(super) docs: &'a Docs,
    /// The text of the file that the error is in.
    pub(super) text: &'a str,
    /// The name of that file.
    pub(super) file: &'a str,
    /// Where in that file.
    pub(super) position: Position,
    /// A place that is more to the point, if the explanation knows one: the argument instead of the call.
    pub(super) better: Cell<Option<Position>>,
}

fn script(message: impl Into<String>) -> Error {
    Error::new(Kind::Script, message)
}

/// `error` with the hint if there is one.
pub(super) fn hinted(error: Error, hint: Option<String>) -> Error {
    match hint {
        Some(hint) => error.help(hint),
        None => error,
    }
}

/// Our error for a Rhai error without its wrappers.
pub(super) fn explain(error: &EvalAltResult, around: &Surroundings) -> Error {
    if let Some(ours) = thrown::ours(error) {
        if let Some(option) = ours.fact("option").and_then(|o| o.as_str()) {
            around.better.set(key_after(around, option));
        }
        let unfilled = super::habits::binding(ours.message()).map(super::habits::unfilled);
        let ours = hinted(ours, unfilled);
        let number = |name: &str| ours.fact(name).and_then(serde_json::Value::as_u64).and_then(|n| u16::try_from(n).ok());
        // Caught and thrown again: the place is where it was raised.
        if ours.fact("file").and_then(|file| file.as_str()) == Some(around.file)
            && let (Some(line), Some(column)) = (number("line"), number("column"))
        {
            around.better.set(Some(Position::new(line, column)));
        }
        let argument = ours.fact("argument").and_then(|a| a.as_str()).and_then(|argument| argument_named(around, argument));
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
            hinted(error, super::habits::fitting(&type_words(Some(engine), wanted)).map(str::to_owned))
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
                around.better.set(only_call_of(around, name));
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

/// Where `name(` stands in the text, if it does so once: for errors that come without a place.
fn only_call_of(around: &Surroundings, name: &str) -> Option<Position> {
    let call = format!("{name}(");
    let mut places = around.text.match_indices(&call);
    let (at, _) = places.next()?;
    if places.next().is_some() { None } else { position_of(around.text, at) }
}

/// The place of a byte offset.
pub(super) fn position_of(text: &str, offset: usize) -> Option<Position> {
    let before = &text[..offset];
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    Some(Position::new(u16::try_from(line).ok()?, u16::try_from(column).ok()?))
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

pub(super) fn constant(name: &str) -> Error {
    let name = if name.is_empty() { "a constant".to_owned() } else { format!("`{name}` is a constant: it") };
    script(format!("{name} cannot be changed")).help("what changes is kept in a variable with a name of its own: `let name = ...;`")
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

/// Rhai's words as a fragment of ours: quotes become backticks, names of types ours, the first letter small.
pub(super) fn plain(message: &str) -> String {
    let mut text = message.trim().trim_end_matches('.').replace('\'', "`");
    for (rhai, ours) in [
        ("Runtime error: ", ""),
        ("a boolean expression", "true or false"),
        ("a boolean", "true or false"),
        ("an object map", "a map"),
        ("an array", "a list"),
        ("object map literal", "map"),
        ("array literal", "list"),
        ("object map", "map"),
        ("Array", "List"),
        ("array", "list"),
        ("Expecting", "expected"),
        ("ImmutableString", "text"),
        ("&str", "text"),
        ("i64", "whole number"),
        ("f64", "number"),
    ] {
        text = text.replace(rhai, ours);
    }
    let mut letters = text.chars();
    let second_small = text.chars().nth(1).is_none_or(|c| !c.is_uppercase());
    match letters.next() {
        Some(first) if second_small => first.to_lowercase().chain(letters).collect(),
        _ => text,
    }
}

pub(super) fn unknown_variable(name: &str, around: &Surroundings) -> Error {
    if let Some((module, variable)) = name.rsplit_once("::") {
        return script(format!("module `{module}` offers no `{variable}`"))
            .help("a file offers its functions, and the variables that it marks with `export`");
    }
    let error = script(format!("unknown variable `{name}`"));
    let after = text_after(around);
    let before = token(around).map_or("", |token| &around.text[..token.start]);
    if after.starts_with(':') && before.trim_end().ends_with(['(', ',', '{']) {
        return error.help(format!("arguments have no names here; options stand in a map at the end: `#{{{name}: ...}}`"));
    }
    let habit = super::habits::word(name, before, after);
    if around.docs.functions.iter().any(|f| f.name == name && f.receiver.is_none()) {
        // `deploy("A", latest, "Test")` means the text.
        return hinted(error.help(format!("`{name}` is a function: call it with `{name}(...)`")), habit);
    }
    // `octopus.deploy(...)`
    if let Some(function) =
        after.strip_prefix('.').map(|rest| rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default())
        && around.docs.functions.iter().any(|f| f.name == function && f.receiver.is_none())
    {
        return error.help(format!("functions stand by themselves: `{function}(...)`"));
    }
    let declared = declared_names(around.text);
    if declared.iter().any(|d| d == name) {
        return error.help(format!("`{name}` is declared elsewhere: a variable is known from its `let` to the end of its block")).help(
            "a function (`fn`) sees only its parameters: pass the value in, or use a closure (`|x| ...`), which sees variables around it",
        );
    }
    let known: Vec<String> = declared.into_iter().chain(around.shelf.known_names()).collect();
    let help = did_you_mean(name, known.iter().map(String::as_str))
        .or(habit)
        .unwrap_or_else(|| format!("a variable is declared before it is used: `let {name} = ...;`"));
    error.help(help)
}

/// The name that is near. Every short name is near to every other one.
fn did_you_mean<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    if name.len() < 3 { None } else { nearest(name, known).map(|near| format!("did you mean `{near}`?")) }
}

/// The names that a text declares: after `let`, `const`, `for`, `as`, `catch`, and parameters of functions and closures.
fn declared_names(text: &str) -> Vec<String> {
    Reading::new(text).declared_names().map(str::to_owned).collect()
}

/// `Unknown property 'x' - a getter is not registered for type 'T'` and its brother for setting.
fn unknown_property(message: &str, around: &Surroundings) -> Error {
    let mut quoted = message.split('\'').skip(1).step_by(2);
    let (Some(property), Some(subject)) = (quoted.next(), quoted.next()) else { return script(plain(message)) };
    let subject = type_words(Some(around.engine), subject);
    if subject == "nothing" {
        return script(format!("there is no value here, so no property `{property}`"))
            .help(format!("what stands before `.{property}` is `()`: a map lacks that key, or a function returned nothing"))
            .help(format!("`?.{property}` gives `()` instead of an error"));
    }
    let known: Vec<&str> =
        around.docs.types.iter().filter(|t| t.name == subject).flat_map(|t| t.properties.iter().map(|p| p.name)).collect();
    let whose = with_article(&subject);
    if message.starts_with("No writable") {
        return script(format!("property `{property}` of {whose} cannot be set"))
            .help("keep what changes in a variable of your own: `let x = ...;`");
    }
    let error = script(format!("{whose} has no property `{property}`"));
    let here = |f: &FunctionDoc| f.receiver == Some(subject.as_str());
    if around.docs.functions.iter().any(|f| f.name == property && here(f)) {
        return error.help(format!("`{property}` is a function: write `.{property}()`"));
    }
    if subject.starts_with("list") {
        let habit = super::habits::method(property).map_or_else(
            || format!("take an item out, `list[0].{property}`, or go through all: `list.map(|x| x.{property})`"),
            str::to_owned,
        );
        return error.help(habit);
    }
    let habit = if subject == "text" { super::habits::method(property).map(str::to_owned) } else { None };
    let error = hinted(error, habit);
    let hint = nearest(property, known.iter().copied()).map(|n| format!("did you mean `{n}`?"));
    let list =
        (!known.is_empty()).then(|| format!("{whose} has: {}", known.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ")));
    hinted(hinted(error, hint), list)
}

/// `name (type, type)`: no such function, or none for these arguments.
fn unknown_function(call: &str, around: &Surroundings) -> Error {
    let (name, arguments) = call.split_once(" (").unwrap_or((call, ""));
    let arguments = arguments.strip_suffix(')').unwrap_or(arguments);
    let given: Vec<String> = arguments.split(", ").filter(|a| !a.is_empty()).map(|a| type_words(Some(around.engine), a)).collect();
    let shown: Vec<String> = given.iter().map(|g| with_article(g)).collect();
    if name.starts_with("anon$") {
        return script(match shown.len() {
            0 => "the closure takes arguments, and was called with none".to_owned(),
            _ => format!("the closure does not take what it was called with: {}", shown.join(", ")),
        })
        .help(match shown.len() {
            0 => "write it without parameters: `|| ...`".to_owned(),
            1 => "it is called with one value: `|x| ...`".to_owned(),
            many => format!("it is called with {many} values, or with fewer: `|{}| ...`", ["a", "b", "c", "d"][..many.min(4)].join(", ")),
        });
    }
    // `elements of different types cannot be sorted` is no name of a function.
    if arguments.is_empty() && name.contains(' ') {
        return script(plain(name)).help("say what comes first: `list.sort(|a, b| if a > b { 1 } else { -1 })`");
    }
    if !name.starts_with(|c: char| c.is_alphabetic() || c == '_') {
        let error = script(match shown.as_slice() {
            [one] => format!("`{name}` cannot be used with {one}"),
            [left, right] => format!("`{name}` cannot be used between {left} and {right}"),
            _ => format!("`{name}` cannot be used here"),
        });
        return hinted(error, super::habits::operands(name, &given).map(str::to_owned));
    }

    let (module, bare) = name.rsplit_once("::").map_or((None, name), |(m, n)| (Some(m), n));
    let mut known: Vec<Way> = around.shelf.functions().into_iter().map(|(name, parameters)| Way::scripted(name, parameters)).collect();
    if module.is_none() {
        known.extend(around.docs.functions.iter().map(Way::of));
        known.extend(standard_ways());
    }
    let mut ways: Vec<&Way> = known.iter().filter(|w| w.name == bare).collect();
    if ways.iter().any(|w| !w.standard) {
        // Rhai has functions of the same name for other things.
        ways.retain(|w| !w.standard);
    }
    let method = called_as_method(around, bare);
    if !ways.is_empty() {
        return wrong_arguments(bare, &given, &ways, method, around);
    }
    let names: Vec<&str> = known.iter().map(|s| s.name.as_str()).collect();
    let hint = did_you_mean(bare, names.iter().copied());
    if let Some(module) = module {
        let here = around.shelf.compiled(around.file);
        let declared_here = |name: &str| here.iter().any(|unit| unit.ast.iter_functions().any(|f| f.name == name));
        let all = || {
            let other: Vec<String> = names.iter().filter(|n| !declared_here(n)).map(|n| format!("`{n}`")).collect();
            format!("it has: {}", other.join(", "))
        };
        return script(format!("module `{module}` has no function `{bare}`")).help(hint.unwrap_or_else(all));
    }
    if declared_names(around.text).iter().any(|d| d == bare) {
        return script(format!("there is no function `{bare}`"))
            .help(format!("`{bare}` is a variable; if it holds a closure, call it with `{bare}.call(...)`"));
    }
    match (method, given.first()) {
        (true, Some(subject)) => {
            let of_subject = |w: &&Way| match (w.receiver, w.parameters.first()) {
                (Some(receiver), _) => receiver == subject,
                (None, _) if around.docs.places.contains(&subject.as_str()) => true,
                (None, first) => first.is_some_and(|(_, kind)| kind == subject),
            };
            let near = nearest(bare, known.iter().filter(of_subject).map(|w| w.name.as_str())).map(|n| format!("did you mean `{n}`?"));
            let is_plain = subject == "text" || subject.starts_with("list");
            let habit = super::habits::method(bare).filter(|_| is_plain).map(str::to_owned);
            let slip = || super::habits::method_like(bare).filter(|_| is_plain).map(str::to_owned);
            let of_ours =
                around.docs.types.iter().any(|t| t.name == subject).then(|| format!("`octorhai help {subject}` lists what it has"));
            let often = || super::habits::often(subject).map(str::to_owned);
            hinted(
                script(format!("{} has no function `{bare}`", with_article(subject))),
                habit.or(near).or_else(slip).or_else(often).or(of_ours),
            )
        }
        _ => hinted(script(format!("there is no function `{bare}`")), hint),
    }
}

/// The bytes of the token at the error's place.
fn token(around: &Surroundings) -> Option<std::ops::Range<usize>> {
    Some(super::failure::span(around.text, around.position.line()?, around.position.position()?))
}

/// What follows the token at the error's place.
fn text_after<'a>(around: &Surroundings<'a>) -> &'a str {
    token(around).map_or("", |token| around.text[token.end..].trim_start())
}

/// Whether the call at the error's place is written `subject.name(...)`.
fn called_as_method(around: &Surroundings, name: &str) -> bool {
    token(around).is_some_and(|token| &around.text[token.clone()] == name && around.text[..token.start].trim_end().ends_with('.'))
}

/// Where, in the call at the error's place, the key `name` of a map literal stands. Constant maps have lost their
/// positions when a script runs, so the text is searched.
fn key_after(around: &Surroundings, name: &str) -> Option<Position> {
    let start = token(around)?.start;
    let call = around.text[start..].split(';').next()?;
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let (at, _) = call.match_indices(name).find(|(at, _)| {
        let after = call[at + name.len()..].trim_start_matches('"').trim_start();
        !call[..*at].ends_with(is_word) && after.starts_with(':') && !after.starts_with("::")
    })?;
    position_of(around.text, start + at)
}

/// Where argument number `index` of the call at the error's place begins.
fn argument_position(around: &Surroundings, index: usize) -> Option<Position> {
    let unit = around.shelf.compiled(around.file)?;
    let mut found = None;
    unit.ast.walk(&mut |nodes| {
        let call = match nodes.last() {
            Some(ASTNode::Expr(Expr::FnCall(call, at) | Expr::MethodCall(call, at)) | ASTNode::Stmt(Stmt::FnCall(call, at))) => {
                Some((call, at))
            }
            _ => None,
        };
        if let Some((call, at)) = call
            && *at == around.position
        {
            found = call.args.get(index).map(Expr::start_position).filter(|p| !p.is_none());
        }
        found.is_none()
    });
    found
}

/// What a wrong argument needs: its place, and how the function is called.
fn argument_named(around: &Surroundings, argument: &str) -> Option<String> {
    let name = &around.text[token(around)?];
    let doc = around.docs.functions.iter().find(|f| f.name == name && f.params.iter().any(|p| p.name == argument))?;
    let index = doc.params.iter().position(|p| p.name == argument)?;
    let before_dot = usize::from(doc.receiver.is_none() && called_as_method(around, name));
    if let Some(index) = index.checked_sub(before_dot) {
        around.better.set(argument_position(around, index));
    }
    let receiver = if before_dot > 0 { ", and what stands before the dot is its first argument" } else { "" };
    Some(format!("it is: `{}`{receiver}", doc.signature()))
}

/// The function exists: say which argument is not right, and show how it is called.
fn wrong_arguments(name: &str, given: &[String], ways: &[&Way], method: bool, around: &Surroundings) -> Error {
    let subject = given.first().map(String::as_str);
    // What a way takes of `given` for its parameters, and how many of those stand before the dot.
    let arguments = |way: &Way| match way.receiver {
        Some(receiver) => (subject == Some(receiver)).then(|| (&given[1..], 0)),
        None if method && subject.is_some_and(|s| around.docs.places.contains(&s)) => Some((&given[1..], 0)),
        None => Some((given, usize::from(method))),
    };
    let fits = |wanted: &str, given: &str| wanted == given || wanted == ANY;
    let reachable: Vec<(&Way, &[String], usize)> =
        ways.iter().filter_map(|w| arguments(w).map(|(given, offset)| (*w, given, offset))).collect();
    let right_count = reachable.iter().filter(|(way, given, _)| (way.required..=way.parameters.len()).contains(&given.len()));
    let best = right_count
        .min_by_key(|(way, given, _)| way.parameters.iter().zip(*given).filter(|((_, wanted), given)| !fits(wanted, given)).count());
    let error = if let Some((way, given, offset)) = best {
        let wrong = way.parameters.iter().zip(*given).enumerate().find(|(_, ((_, wanted), given))| !fits(wanted, given));
        match wrong {
            Some((0, (_, given))) if method => script(format!("{} has no function `{name}`", with_article(given))),
            Some((i, ((parameter, wanted), given))) => {
                around.better.set(argument_position(around, i - offset));
                let parameter = if parameter.is_empty() { String::new() } else { format!(" (`{parameter}`)") };
                let (wanted, given) = (with_article(wanted), with_article(given));
                script(format!("argument {}{parameter} of `{name}` must be {wanted}, not {given}", i + 1 - offset))
            }
            None => script(format!("`{name}` cannot be called here")),
        }
    } else if let Some((_, given, offset)) = reachable.first() {
        let counts = reachable.iter().flat_map(|(way, _, offset)| (way.required..=way.parameters.len()).map(|n| n.saturating_sub(*offset)));
        script(format!("`{name}` takes {}, not {}", counted(counts), given.len().saturating_sub(*offset)))
    } else {
        let owners: Vec<String> = ways.iter().filter_map(|w| w.receiver).map(with_article).collect();
        match subject {
            Some(subject) if method => script(format!("{} has no function `{name}`", with_article(subject))),
            _ => script(format!("`{name}` is a function of {}", owners.join(" and of "))),
        }
    };
    let mut shown: Vec<String> = match reachable.as_slice() {
        [] => ways.iter().map(|w| format!("`{}`", w.shown)).collect(),
        some => some.iter().map(|(w, ..)| format!("`{}`", w.shown)).collect(),
    };
    shown.dedup();
    let more = shown.len().saturating_sub(6);
    shown.truncate(6);
    let mut help = format!("it is: {}", shown.join("\n   or: "));
    if more > 0 {
        help = format!("{help}\n  and {more} more");
    }
    error.help(help)
}

/// Used by `syntax` as well.
pub(super) fn unknown_module(name: &str) -> Error {
    let embedded: Vec<String> =
        super::modules::standard_library().filter_map(|(n, _)| Some(n.strip_prefix("std/")?.strip_suffix(".rhai")?.to_owned())).collect();
    let error = script(format!("unknown module `{name}`"));
    if embedded.iter().any(|e| e == name) {
        return error.help(format!("import it first: `import \"std/{name}\" as {name};`"));
    }
    let error = error.help(format!("import it first: `import \"./{name}\" as {name};`"));
    match suggestion(name, embedded.iter().map(String::as_str)) {
        Some(hint) if hint.starts_with("did") => error.help(hint),
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declared_names_are_those_of_let_for_and_parameters() {
        let text = "let a = 1; for item in list { } fn go(first, second) { first } let f = |x, y| x + other; try { } catch (err) { }";
        assert_eq!(declared_names(text), ["a", "err", "f", "first", "item", "second", "x", "y"]);
    }
}
