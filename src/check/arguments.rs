//! Rules about what functions are given: arguments, options, closures.

use super::{
    Finding, NOT_A_CLOSURE, OPTION_MISSING, UNKNOWN_OPTION, WRONG_ARGUMENTS, WRONG_OPTION,
    rules::{Sheet, with_article},
};
use crate::{
    engine::{
        docs::{self, Entry},
        foreign_syntax,
        library::ParamDoc,
        options::{OptionDoc, Takes, fitting_option, wrong_value},
        text::calls::{Call, Pair},
    },
    error::{Error, suggestion},
};
use rhai::{Dynamic, FnPtr, Map};
use std::ops::Range;

/// Kinds of parameters for which no text will do.
const NO_TEXT: &[&str] = &["true or false", "whole number", "number", "map", "closure", "list", "options map"];

/// Kinds of parameters for which a value of one of our types will not do.
const NO_TYPE: &[&str] = &["true or false", "whole number", "number", "map", "closure", "list", "options map", "word", "version range"];

/// Kinds of parameters for which no list will do.
const NO_LIST: &[&str] =
    &["true or false", "whole number", "number", "map", "closure", "options map", "word", "version range", "text", "duration", "time"];

/// The default of an option that has to be given.
const REQUIRED: &str = "required";

/// Whether options and closure may change places, as in `lock(name, || ..., #{...})` and `only_one(#{...})`.
fn takes_options_anywhere(params: &[ParamDoc]) -> bool {
    let options = params.iter().any(|param| !param.options.is_empty());
    options && params.iter().all(|param| matches!(param.takes.kind, "any value" | "options map" | "closure" | "text"))
}

impl Sheet<'_, '_> {
    /// Arguments and options that cannot be what the function takes.
    pub(super) fn arguments(&mut self) {
        let mut told = Vec::new();
        for call in self.calls.iter().filter(|call| self.is_ours(call)) {
            let entries: Vec<&Entry> = self.entries(call).into_iter().filter(|entry| self.fits(call, entry)).collect();
            // Rhai has functions of the same names for its own values.
            let others = call.receiver.is_some() && self.receiver(call).is_none();
            let [entry, rest @ ..] = entries.as_slice() else { continue };
            let of_rhai = call.receiver.is_some() && docs::is_builtin(call.name);
            if others && !rest.is_empty() || of_rhai {
                continue;
            }
            if let Some(finding) = self.before_the_dot(call, entry) {
                told.push(finding);
                continue;
            }
            for (number, argument) in call.args.iter().enumerate() {
                if self.found.iter().any(|found| found.rule.name == NOT_A_CLOSURE.name && found.range == self.file.span(argument)) {
                    continue;
                }
                for finding in self.argument(call, entry, number, argument) {
                    // Two calls may share a variable with options.
                    if told.iter().all(|other: &Finding| other.range != finding.range || other.message != finding.message) {
                        told.push(finding);
                    }
                }
            }
            told.extend(self.options_missing(call, entry));
        }
        self.found.append(&mut told);
    }

    /// A value before the dot that cannot be the first argument.
    fn before_the_dot(&self, call: &Call<'_>, entry: &Entry) -> Option<Finding> {
        let param = entry.params.first().filter(|_| self.before_dot(call, entry) == 1)?;
        let kind = self.receiver(call).filter(|kind| self.scene.type_named(kind).is_some_and(|_| kind.starts_with(char::is_uppercase)))?;
        let end = call.receiver?;
        if param.takes.names.is_none() || param.takes.types.contains(&kind.as_str()) {
            return None;
        }
        let place = format!("`{}`: argument `{}`", call.name, param.name);
        let error = wrong_value(&place, param.name, &param.takes, None, &format!("got {}", with_article(&kind)));
        let finding = self.file.finding(&WRONG_ARGUMENTS, end..end + 1, error.message());
        Some(finding.help(format!("it is: `{}`, and what stands before the dot is its first argument", entry.signature)))
    }

    fn argument(&self, call: &Call<'_>, entry: &Entry, number: usize, argument: &Range<usize>) -> Vec<Finding> {
        let params = &entry.params[self.before_dot(call, entry).min(entry.params.len())..];
        let Some(param) = params.get(number) else { return Vec::new() };
        // Where an argument before it may be left out, the options map may stand earlier, or be last.
        let pairs = self.map(argument).filter(|_| param.takes.kind != "map");
        if let Some(pairs) = pairs.filter(|_| !param.options.is_empty() || param.optional && takes_options_anywhere(params)) {
            let options = params.iter().find(|param| !param.options.is_empty()).map_or(&[][..], |param| param.options);
            return pairs.iter().filter_map(|pair| self.option(call, options, pair)).collect();
        }
        let place = format!("`{}`: argument `{}`", call.name, param.name);
        let Some(error) = self.wrong(&place, param.name, &param.takes, argument) else { return Vec::new() };
        let mut finding = self.file.finding(&WRONG_ARGUMENTS, argument.clone(), error.message());
        finding.help = error.hints().to_vec();
        if let Some(hint) = self.file.reading.value(argument).and_then(|value| fitting_option(call.name, param.options, &value)) {
            finding = finding.help(hint);
        } else if finding.help.is_empty() {
            finding = finding.help(format!("it is: `{}`", entry.signature));
        }
        vec![finding]
    }

    /// The entries of a map that is written out, as an argument or where the variable is declared that is one.
    fn map(&self, argument: &Range<usize>) -> Option<Vec<Pair<'_>>> {
        let reading = &self.file.reading;
        let variable = if argument.len() == 1 { reading.map_of_variable(argument.start) } else { None };
        reading.map(&variable.unwrap_or_else(|| argument.clone()))
    }

    fn option(&self, call: &Call<'_>, options: &[OptionDoc], pair: &Pair<'_>) -> Option<Finding> {
        let here = pair.at..pair.at + 1;
        let Some(option) = options.iter().find(|option| option.name == pair.key) else {
            let finding = self.file.finding(&UNKNOWN_OPTION, here, format!("`{}` has no option `{}`", call.name, pair.key));
            let known: Vec<&str> = options.iter().map(|option| option.name).collect();
            let hint = foreign_syntax::option(call.name, pair.key, &known).or_else(|| suggestion(pair.key, known.iter().copied()));
            return Some(finding.help(hint.unwrap_or_else(|| format!("`octorhai help {}` lists its options", call.name))));
        };
        let place = format!("option `{}` of `{}`", option.name, call.name);
        let error = self.wrong(&place, option.name, &option.takes, &pair.value)?;
        let mut finding = self.file.finding(&WRONG_OPTION, pair.value.clone(), error.message());
        finding.help = error.hints().to_vec();
        Some(finding)
    }

    /// Why an expression cannot be what is taken at `place`, as far as its text tells.
    fn wrong(&self, place: &str, name: &str, takes: &Takes, range: &Range<usize>) -> Option<Error> {
        let reading = &self.file.reading;
        let told = |word: Option<&str>, why: &str| Some(wrong_value(place, name, takes, word, why));
        if let Some(value) = reading.value(range) {
            let why = (takes.vet)(value.clone()).err()?;
            let word = value.into_immutable_string().ok().filter(|_| !takes.words.is_empty());
            return told(word.as_deref(), &why);
        }
        if reading.is_sign(range.start, "[") && reading.end_of(range.start) + 1 == range.end {
            // Each item that is written out, as a list of one.
            let mut items = reading.items(range.start, range.end - 1).filter_map(|item| reading.value(&item));
            let why = items.find_map(|item| (takes.vet)(Dynamic::from_array(vec![item])).err())?;
            return told(None, &why);
        }
        let kind = self.kind_of(range)?;
        let stand_in = match kind.as_str() {
            "map" => Some(Dynamic::from_map(Map::new())),
            "closure" => FnPtr::new("closure").ok().map(Dynamic::from),
            "true or false" => Some(Dynamic::TRUE),
            _ => None,
        };
        if let Some(value) = stand_in {
            let why = (takes.vet)(value).err()?;
            return told(None, why.split(": `").next().unwrap_or(&why));
        }
        let is_type = self.scene.type_named(&kind).is_some() && kind.starts_with(|c: char| c.is_uppercase());
        let refused = match kind.as_str() {
            "text" => NO_TEXT.contains(&takes.kind) && takes.words.is_empty(),
            kind if kind.starts_with("list") => NO_LIST.contains(&takes.kind) || takes.names.is_some() && !takes.kind.contains("list"),
            _ if is_type && takes.names.is_some() => !takes.types.contains(&kind.as_str()),
            _ if is_type => NO_TYPE.contains(&takes.kind),
            _ => false,
        };
        let got = match kind.as_str() {
            "text" => "got text".to_owned(),
            kind => format!("got {}", with_article(kind)),
        };
        if refused { told(None, &got) } else { None }
    }

    /// Options that have to be given, and are not.
    fn options_missing(&self, call: &Call<'_>, entry: &Entry) -> Option<Finding> {
        let required: Vec<&str> = entry.options.iter().filter(|option| option.default == REQUIRED).map(|option| option.name).collect();
        let pairs = call.args.iter().find_map(|argument| self.map(argument))?;
        let missing = required.iter().find(|name| pairs.iter().all(|pair| pair.key != **name))?;
        let message = format!("`{}` needs the option `{missing}`", call.name);
        let finding = self.file.finding(&OPTION_MISSING, call.at..call.at + 1, message);
        Some(finding.help(foreign_syntax::function("mail").map_or_else(String::new, |line| format!("write {line}"))))
    }

    /// `retry(3, deploy(...))`: the deployment starts before `retry` does.
    pub(super) fn closures(&mut self) {
        let mut told = Vec::new();
        for call in self.calls.iter().filter(|call| self.is_ours(call)) {
            let takes_closure = |entry: &&Entry| entry.params.iter().any(|param| param.takes.kind == "closure");
            let Some(entry) = self.entries(call).into_iter().find(takes_closure).filter(|_| call.receiver.is_none()) else { continue };
            let is_closure = |argument: &Range<usize>| {
                let first = argument.start;
                self.file.reading.closure(first).is_some()
                    || self.word(first) == "Fn"
                    || self.kind_of(argument).as_deref() == Some("closure")
            };
            // One of several closures, or the list that a function goes through.
            let closures = entry.params.iter().filter(|param| param.takes.kind == "closure").count();
            if call.args.iter().filter(|argument| is_closure(argument)).count() >= closures {
                continue;
            }
            let called = call.args.iter().find(|argument| {
                let starts = self.calls.iter().find(|inner| inner.at == argument.start && inner.close + 1 == argument.end);
                starts.is_some_and(|inner| self.is_ours(inner)) && self.kind_of(argument).as_deref() == Some("Task")
            });
            if let Some(argument) = called {
                let inner = self.word(argument.start);
                let message = format!("`{inner}` is called before `{}`, and `{}` gets a task instead of a closure", call.name, call.name);
                let finding = self.file.finding(&NOT_A_CLOSURE, argument.clone(), message);
                told.push(finding.help(format!("write `|| {inner}(...)`: a closure is called when its turn comes")));
            }
        }
        self.found.append(&mut told);
    }
}
