//! Names that are not there, and functions that do not take what they are given: which ones would.

use super::around::{Surroundings, hinted, plain, script};
use crate::{
    engine::{
        foreign_syntax,
        library::FunctionDoc,
        modules::standard_library,
        text::Reading,
        words::{ANY, Way, counted, standard_ways, type_words, with_article},
    },
    error::{Error, nearest, suggestion},
};

/// A name that nothing declares.
pub(super) fn unknown_variable(name: &str, around: &Surroundings) -> Error {
    if let Some((module, variable)) = name.rsplit_once("::") {
        return script(format!("module `{module}` offers no `{variable}`"))
            .help("a file offers its functions, and the variables that it marks with `export`");
    }
    let error = script(format!("unknown variable `{name}`"));
    let after = around.text_after();
    let before = around.token().map_or("", |token| &around.text[..token.start]);
    if after.starts_with(':') && before.trim_end().ends_with(['(', ',', '{']) {
        return error.help(format!("arguments have no names here; options stand in a map at the end: `#{{{name}: ...}}`"));
    }
    let habit = foreign_syntax::word(name, before, after);
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
pub(super) fn unknown_property(message: &str, around: &Surroundings) -> Error {
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
        let habit = foreign_syntax::method(property).map_or_else(
            || format!("take an item out, `list[0].{property}`, or go through all: `list.map(|x| x.{property})`"),
            str::to_owned,
        );
        return error.help(habit);
    }
    let habit = if subject == "text" { foreign_syntax::method(property).map(str::to_owned) } else { None };
    let error = hinted(error, habit);
    let hint = nearest(property, known.iter().copied()).map(|n| format!("did you mean `{n}`?"));
    let list =
        (!known.is_empty()).then(|| format!("{whose} has: {}", known.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ")));
    hinted(hinted(error, hint), list)
}

/// `name (type, type)`: no such function, or none for these arguments.
pub(super) fn unknown_function(call: &str, around: &Surroundings) -> Error {
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
        return hinted(error, foreign_syntax::operands(name, &given).map(str::to_owned));
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
    let method = around.called_as_method(bare);
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
            let habit = foreign_syntax::method(bare).filter(|_| is_plain).map(str::to_owned);
            let slip = || foreign_syntax::method_like(bare).filter(|_| is_plain).map(str::to_owned);
            let of_ours =
                around.docs.types.iter().any(|t| t.name == subject).then(|| format!("`octorhai help {subject}` lists what it has"));
            let often = || foreign_syntax::often(subject).map(str::to_owned);
            hinted(
                script(format!("{} has no function `{bare}`", with_article(subject))),
                habit.or(near).or_else(slip).or_else(often).or(of_ours),
            )
        }
        _ => hinted(script(format!("there is no function `{bare}`")), hint),
    }
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
                around.better.set(around.argument_position(i - offset));
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

/// A module that was not imported.
pub(super) fn unknown_module(name: &str) -> Error {
    let embedded: Vec<String> =
        standard_library().filter_map(|(n, _)| Some(n.strip_prefix("std/")?.strip_suffix(".rhai")?.to_owned())).collect();
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
