//! What an option takes and what it refuses: nothing, an empty text, an empty list, a value of another type, a word with a slip.

use super::option_calls::{call_of, run, with_options};
use octorhai::engine::{docs::Entry, options::OptionDoc};
use std::collections::BTreeSet;

/// Values that are tried with every option, as scripts write them.
const TRIED: &[&str] = &["\"\"", "\" \"", "[]", "[\"\"]", "()", "[()]", "#{}", "|| 1", "5", "0.5", "true", "\"soon\"", "[[\"a\"]]"];

/// What an option of a kind takes of [`TRIED`], besides `()`; what is not named here is an error.
const KINDS: &[(&str, &[&str])] = &[
    ("true or false", &["true"]),
    ("whole number", &["5"]),
    ("duration", &[]),
    ("time", &[]),
    ("window", &[]),
    // Any text can be the version of a release.
    ("version range", &["5", "0.5", "\"soon\""]),
    ("map", &["#{}"]),
    ("any value", TRIED),
    ("word", &[]),
    ("list of these", &["[]"]),
    // A word or a closure.
    ("closure", &["|| 1"]),
    // A name can be a number, and any text can be one: only the server knows.
    ("text", &["5", "0.5", "\"soon\""]),
    ("text or list of text", &["[]", "5", "0.5", "\"soon\""]),
    ("project", &["5", "0.5", "\"soon\""]),
    ("project or list", &["[]", "5", "0.5", "\"soon\""]),
    ("environment", &["5", "0.5", "\"soon\""]),
    ("environment or list", &["[]", "5", "0.5", "\"soon\""]),
    ("tenant", &["5", "0.5", "\"soon\""]),
    ("tenant or list", &["[]", "5", "0.5", "\"soon\""]),
    ("project group", &["5", "0.5", "\"soon\""]),
    ("channel", &["5", "0.5", "\"soon\""]),
    ("step or list", &["[]", "5", "0.5", "\"soon\""]),
    ("deployment target or list", &["[]", "5", "0.5", "\"soon\""]),
    ("target tag or list", &["[]", "5", "0.5", "\"soon\""]),
    ("event category or list", &["[]", "5", "0.5", "\"soon\""]),
];

/// Texts that are shown to people: they may be empty.
const PROSE: &[&str] = &["comment", "notes", "message", "title", "html"];

/// What may be left out by `()` though its default is something; without a subject `email` says that it needs one.
const OPTIONAL: &[&str] = &["expires", "limit", "snapshot", "again_after", "subject"];

/// Lists of which something must be chosen.
const ONE_OR_MORE: &[&str] = &["machines", "target_tags", "columns"];

fn takes(option: &OptionDoc, value: &str) -> bool {
    let kind = option.takes.kind;
    if value == "()" {
        return kind == "any value" || option.default == "none" || OPTIONAL.contains(&option.name);
    }
    if value == "[]" && ONE_OR_MORE.contains(&option.name) {
        return false;
    }
    let (_, taken) = KINDS.iter().find(|(known, _)| *known == kind).unwrap_or_else(|| panic!("say what `{kind}` takes: {}", option.name));
    taken.contains(&value) || (kind == "text" && PROSE.contains(&option.name) && ["\"\"", "\" \""].contains(&value))
}

fn value(text: &str) -> rhai::Dynamic {
    rhai::Engine::new().eval(text).expect("a value")
}

/// Calls the function with each of the values, in one run: what `catch` got, or `taken`.
fn called(function: &Entry, values: &[(&OptionDoc, String)]) -> Vec<String> {
    let call = call_of(&function.name);
    let attempt = |(option, value): &(&OptionDoc, String)| {
        format!("try {{ {}; print(\"taken\"); }} catch (e) {{ print(e.message); }}\n", call.with(&format!("{}: {value}", option.name)))
    };
    let script = format!("{}\n{}", call.before(), values.iter().map(attempt).collect::<String>());
    let ran = run(&script);
    assert_eq!(ran.error(), "", "{}", function.name);
    ran.printed().lines().map(str::to_owned).collect()
}

#[test]
fn what_an_option_does_not_take_is_an_error_that_names_it() {
    let mut kinds = BTreeSet::new();
    let mut problems = Vec::new();
    for function in with_options() {
        let name = function.name.rsplit('.').next().expect("a name");
        let mut refused = Vec::new();
        for option in function.options {
            kinds.insert(option.takes.kind);
            for tried in TRIED {
                let found = (option.takes.vet)(value(tried));
                match (takes(option, tried), found) {
                    (true, Err(why)) => problems.push(format!("`{}` of `{name}` does not take {tried}: {why}", option.name)),
                    (false, Ok(())) => problems.push(format!("`{}` of `{name}` takes {tried}", option.name)),
                    (true, Ok(())) => {}
                    (false, Err(_)) => refused.push((option, (*tried).to_owned())),
                }
            }
            for word in option.takes.words {
                let slip = format!("\"{}\"", word.chars().rev().collect::<String>() + "x");
                refused.push((option, slip));
                refused.push((option, format!("\"{word}x\"")));
            }
        }
        let told = called(&function, &refused);
        assert_eq!(told.len(), refused.len(), "`{name}`: {told:#?}");
        for ((option, value), told) in refused.iter().zip(told) {
            if !told.starts_with(&format!("option `{}` of `{name}` must be", option.name)) {
                problems.push(format!("`{name}` with `{}: {value}`: {told}", option.name));
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    assert_eq!(kinds, KINDS.iter().map(|(kind, _)| *kind).collect(), "kinds of this table that no option has");
}

/// The nearest word is told for a slip in a word.
#[test]
fn a_slip_in_a_word_is_told_with_the_word() {
    let mut words = 0;
    for function in with_options() {
        let call = call_of(&function.name);
        for option in function.options {
            let Some(word) = option.takes.words.first() else { continue };
            words += 1;
            let script = format!("{}\n{}", call.before(), call.with(&format!("{}: \"{word}x\"", option.name)));
            let failure = run(&script).outcome.failure.expect("no such word");
            let hints = failure.error.hints();
            assert!(hints.iter().any(|hint| hint.contains(&format!("\"{word}\""))), "{} of {}: {hints:?}", option.name, function.name);
        }
    }
    assert!(words > 20, "{words}");
}

#[test]
fn an_empty_list_selects_nothing_and_only_leaving_it_out_selects_all() {
    for function in with_options() {
        let call = call_of(&function.name);
        for option in function.options.iter().filter(|option| option.default == "all") {
            let (name, of) = (option.name, function.name.rsplit('.').next().expect("a name"));
            if ONE_OR_MORE.contains(&name) {
                let ran = run(&format!("{}\n{}", call.before(), call.with(&format!("{name}: []"))));
                let why = "the list is empty and chooses none, leave the option out for all";
                assert_eq!(ran.error(), format!("option `{name}` of `{of}` must be: {}; {why}", option.takes.kind));
                let made = ran.outcome.truth["deployments"].as_array().expect("a list").iter().filter(|d| d["history"] == false).count();
                assert_eq!(made, 0, "{}", function.name);
                continue;
            }
            let script = format!("{}\nprint({}.len()); print({}.len());", call.before(), call.with(&format!("{name}: []")), call.with(""));
            let ran = run(&script);
            let printed = ran.printed();
            let (none, all) = printed.split_once('\n').unwrap_or_else(|| panic!("{}: {name}: {}", function.name, ran.error()));
            assert_eq!(none, "0", "`{name}` of `{}`", function.name);
            assert!(all != "0", "`{}` found nothing to select from", function.name);
        }
    }
}
