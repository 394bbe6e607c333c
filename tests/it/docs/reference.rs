//! What the reference says about each function: enough, and in the form that readers expect.

use crate::support;
use octorhai::{
    engine::docs::{Entry, entries},
    error::Kind,
    host,
};

/// What `offence` says about entries, one a line.
fn none(offence: impl Fn(&Entry) -> Vec<String>) {
    let all = entries(host::library().docs());
    assert!(all.len() > 80, "{} entries", all.len());
    let offences: Vec<String> = all.iter().flat_map(|e| offence(e).into_iter().map(|o| format!("{}: {o}", e.name))).collect();
    assert!(offences.is_empty(), "{}", offences.join("\n"));
}

#[test]
fn every_entry_has_a_summary_and_every_function_an_example() {
    none(|entry| {
        let mut offences = Vec::new();
        let summary = &entry.summary;
        if !summary.ends_with('.') || summary.len() < 9 || summary.contains("```") {
            offences.push(format!("summary `{summary}`"));
        }
        if entry.group != "types" && entry.example.trim().is_empty() {
            offences.push("no example".to_owned());
        }
        offences
    });
}

#[test]
fn every_option_argument_and_property_is_explained() {
    none(|entry| {
        let options = entry.options.iter().map(|o| (o.name, vec![o.takes.kind, o.default, o.prose]));
        let properties = entry.properties.iter().map(|p| (p.name, vec![p.kind, p.doc]));
        let params = entry.params.iter().map(|p| (p.name, vec![p.takes.kind]));
        let empty = |(name, texts): (&str, Vec<&str>)| texts.iter().any(|t| t.trim().is_empty()).then(|| name.to_owned());
        let unended = |(name, prose): (&str, &str)| (!prose.trim_end().ends_with(['.', '!', '?'])).then(|| format!("{name}: `{prose}`"));
        let proses = entry.options.iter().map(|o| (o.name, o.prose)).chain(entry.properties.iter().map(|p| (p.name, p.doc)));
        options.chain(properties).chain(params).filter_map(empty).chain(proses.filter_map(unended)).collect()
    });
}

#[test]
fn no_name_is_a_reserved_word() {
    let engine = rhai::Engine::new();
    let compiles = |text: String| engine.compile(&text).is_ok();
    assert!(!compiles("x.default".to_owned()) && !compiles("#{until: 1}".to_owned()), "these words are reserved");
    none(|entry| {
        let last = entry.name.rsplit(['.', ':']).next().unwrap_or_default();
        let mut texts = vec![if entry.group == "types" { "1".to_owned() } else { format!("let x = 1; {last}(x); x.{last}()") }];
        texts.extend(entry.options.iter().map(|o| format!("#{{{}: 1}}", o.name)));
        texts.extend(entry.properties.iter().map(|p| format!("let x = 1; x.{}", p.name)));
        texts.retain(|text| !compiles(text.clone()));
        texts
    });
}

#[test]
fn no_two_entries_share_a_name_and_no_words_of_the_machinery_are_shown() {
    // A type may be named as the function that makes it.
    let mut names: Vec<_> = entries(host::library().docs()).into_iter().map(|e| (e.name, e.group == "types")).collect();
    names.sort_unstable();
    assert!(names.windows(2).all(|w| w[0] != w[1]), "{names:?}");
    none(|entry| {
        let shown = format!("{} {} {:?} {:?} {:?}", entry.signature, entry.prose, entry.params, entry.options, entry.properties);
        ["Dynamic", "Option<", "Vec<", "i64", "FnPtr", "SignedDuration"]
            .iter()
            .filter(|w| shown.contains(**w))
            .map(|w| (*w).to_owned())
            .collect()
    });
}

#[test]
fn the_kinds_of_error_are_kinds_and_the_prose_agrees() {
    let functions = host::library().docs().functions.clone();
    let known: Vec<&str> = Kind::ALL.iter().map(|kind| kind.name()).chain(["request", "closure", ""]).collect();
    let mut wrong = Vec::new();
    for function in &functions {
        let raises: Vec<&str> = function.raises.split(", ").collect();
        wrong.extend(raises.iter().filter(|word| !known.contains(word)).map(|word| format!("{}: `{word}` is no kind", function.name)));
        for (at, _) in function.doc.match_indices("error of kind `") {
            let kind = function.doc[at + 15..].split('`').next().unwrap_or_default();
            if !raises.contains(&kind) {
                wrong.push(format!("{}: its prose tells of `{kind}`, its list does not", function.name));
            }
        }
        // Who asks the server says so, and who takes a name can be told that there is none.
        if function.params.iter().any(|param| param.takes.names.is_some()) && !raises.contains(&"not_found") {
            wrong.push(format!("{}: it takes a name, and cannot say that there is none", function.name));
        }
        if function.params.iter().any(|param| param.takes.kind == "closure" && !param.optional)
            && !raises.contains(&"closure")
            && !["attempt", "undo"].contains(&function.name)
        {
            wrong.push(format!("{}: what its closure raises is not told", function.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn help_explains_every_function_whole() {
    let mut wrong = Vec::new();
    for entry in entries(host::library().docs()).into_iter().filter(|entry| entry.group != "types") {
        let ran = support::run(&["help", &entry.name]);
        let mut parts = vec![entry.signature.clone(), entry.prose.clone(), "\nExample:\n".to_owned()];
        parts.extend(entry.example.lines().map(|line| line.trim().to_owned()));
        parts.extend(entry.options.iter().map(|option| option.prose.split_whitespace().collect::<Vec<_>>().join(" ")));
        if !entry.options.is_empty() {
            parts.push("\nOptions (name, type, default):\n".to_owned());
        }
        parts.push(if entry.errors.is_empty() { "\nErrors: none\n" } else { "\nErrors (err.kind):\n" }.to_owned());
        parts.extend(entry.errors.iter().map(|(_, meaning)| (*meaning).to_owned()));
        let missing: Vec<&String> = parts.iter().filter(|part| !ran.stdout.contains(part.as_str())).collect();
        if ran.code != 0 || !missing.is_empty() {
            wrong.push(format!("{}: {missing:?}", entry.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
