//! Rules about what a script says: functions, arguments, options, properties, parameters. `risks` has those about what it does.

use super::{
    File, Finding, PARAMETER_TWICE, UNKNOWN_FUNCTION, UNKNOWN_OPTION, UNKNOWN_PROPERTY, WRONG_ARGUMENTS, WRONG_OPTION,
    calls::{Call, calls},
};
use crate::{
    engine::{docs::Entry, options::OptionDoc, scan::Kind, scene::Scene},
    error::suggestion,
};
use std::{collections::BTreeSet, ops::Range};

/// Words that Rhai knows as functions without declaring them.
const LANGUAGE: &[&str] =
    &["print", "debug", "type_of", "is_def_var", "is_def_fn", "is_shared", "Fn", "call", "curry", "eval", "throw", "this"];

/// What one file's rules look at.
pub(super) struct Sheet<'a> {
    pub(super) file: &'a File<'a>,
    pub(super) calls: Vec<Call<'a>>,
    scene: &'a Scene,
    /// Functions of all files of the script, with how many parameters each has.
    pub(super) own: &'a [(String, usize)],
    pub(super) found: Vec<Finding>,
}

/// All findings in all files.
pub(super) fn all(files: &[File<'_>], scene: &Scene) -> Vec<Finding> {
    let own: Vec<(String, usize)> = files.iter().flat_map(functions).collect();
    let mut found = Vec::new();
    let mut declared: Vec<(String, bool)> = Vec::new();
    let sheet = |file| Sheet { file, calls: calls(file.text, &file.pieces), scene, own: &own, found: Vec::new() };
    // What one place says of a project holds for the others.
    let said: Vec<(&str, &str)> = files.iter().map(sheet).flat_map(|sheet| sheet.said_of_projects()).collect();
    for file in files {
        let mut sheet = sheet(file);
        sheet.forgotten(&said);
        sheet.functions();
        sheet.options();
        sheet.properties();
        sheet.parameters(&mut declared);
        sheet.limits();
        sheet.loops();
        sheet.check_then_act();
        sheet.times();
        sheet.secrets();
        sheet.inline();
        found.append(&mut sheet.found);
    }
    found
}

/// Names and numbers of parameters of the functions that a file declares.
fn functions(file: &File<'_>) -> Vec<(String, usize)> {
    let word = |at: usize| file.word(at);
    let declared = (0..file.pieces.len()).filter(|at| word(*at) == "fn" && word(at + 2) == "(");
    let count = |open: usize| {
        let close = (open..file.pieces.len()).find(|at| word(*at) == ")").unwrap_or(open);
        (open + 1..close).filter(|at| file.pieces[*at].kind == Kind::Word).count()
    };
    declared.map(|at| (word(at + 1).to_owned(), count(at + 2))).collect()
}

impl<'a> Sheet<'a> {
    pub(super) fn word(&self, at: usize) -> &'a str {
        self.file.word(at)
    }

    pub(super) fn kind_at(&self, end: usize) -> Option<String> {
        self.scene.kind_at(self.file.text, &self.file.pieces, end)
    }

    /// The type before the dot of a call.
    fn receiver(&self, call: &Call<'_>) -> Option<String> {
        self.kind_at(call.receiver?)
    }

    /// What a call may mean; of a value of unknown type, a function of any type.
    pub(super) fn entries(&self, call: &Call<'_>) -> Vec<&'a Entry> {
        let receiver = self.receiver(call);
        let mut all = self.scene.called(call.name, receiver.as_deref());
        if call.receiver.is_some() && receiver.is_none() {
            let of_a_type = |entry: &&Entry| !entry.is_type() && entry.name.rsplit_once('.').is_some_and(|(_, name)| name == call.name);
            all.extend(self.scene.entries.iter().filter(of_a_type));
        }
        all
    }

    /// How many parameters of an entry the value before the dot of a call is.
    fn before_dot(&self, call: &Call<'_>, entry: &Entry) -> usize {
        call.receiver.map_or(0, |_| entry.params_before_dot(self.receiver(call).as_deref()))
    }

    /// How many arguments a call of an entry takes in its brackets.
    fn counts(&self, call: &Call<'_>, entry: &Entry) -> (usize, usize) {
        let least = entry.params.iter().filter(|param| !param.optional).count();
        let before = self.before_dot(call, entry);
        (least.saturating_sub(before), entry.params.len().saturating_sub(before))
    }

    fn functions(&mut self) {
        let mut told = Vec::new();
        for call in &self.calls {
            let here = call.at..call.at + 1;
            if let Some(module) = call.module {
                told.extend(self.in_module(call, module));
                continue;
            }
            if LANGUAGE.contains(&call.name) {
                continue;
            }
            let own: Vec<usize> = self.own.iter().filter(|(name, _)| name == call.name).map(|(_, count)| *count).collect();
            let entries = self.entries(call);
            let of_a_type = self.scene.entries.iter().any(|e| e.name.rsplit_once('.').is_some_and(|(_, name)| name == call.name));
            let rhai = self.scene.builtins.iter().any(|builtin| builtin.name == call.name);
            if !own.is_empty() {
                let given = call.args.len() + usize::from(call.receiver.is_some());
                if !own.contains(&given) && !own.contains(&call.args.len()) {
                    let wanted = own.iter().map(usize::to_string).collect::<Vec<_>>().join(" or ");
                    told.push(self.file.finding(
                        &WRONG_ARGUMENTS,
                        here,
                        format!("`{}` takes {wanted} arguments, not {}", call.name, call.args.len()),
                    ));
                }
            } else if let [entry, ..] = entries.as_slice() {
                let fits = entries.iter().any(|entry| {
                    let (least, most) = self.counts(call, entry);
                    (least..=most).contains(&call.args.len())
                });
                if !fits && !rhai {
                    let (least, most) = self.counts(call, entry);
                    let wanted = if least == most { least.to_string() } else { format!("{least} to {most}") };
                    let given = call.args.len();
                    let finding =
                        self.file.finding(&WRONG_ARGUMENTS, here, format!("`{}` takes {wanted} arguments, not {given}", call.name));
                    told.push(finding.help(format!("it is: `{}`", entry.signature)));
                }
            } else if !(rhai || call.receiver.is_some() && self.receiver(call).is_none() && (of_a_type || self.is_key(call.name))) {
                let message = match self.receiver(call) {
                    Some(kind) if self.scene.type_named(&kind).is_some() => format!("a {kind} has no function `{}`", call.name),
                    _ => format!("there is no function `{}`", call.name),
                };
                let finding = self.file.finding(&UNKNOWN_FUNCTION, here, message);
                let known =
                    self.scene.entries.iter().filter(|e| !e.is_type()).map(|e| e.name.rsplit(['.', ':']).next().unwrap_or_default());
                let known =
                    known.chain(self.own.iter().map(|(name, _)| name.as_str())).chain(self.scene.builtins.iter().map(|b| b.name.as_str()));
                told.push(match suggestion(call.name, known.collect::<BTreeSet<_>>()) {
                    Some(hint) if hint.starts_with("did") => finding.help(hint),
                    _ => finding.help("`octorhai help` lists the functions"),
                });
            }
        }
        self.found.append(&mut told);
    }

    /// Whether a map of this file has the key `name`: a closure in a map is called like a function.
    fn is_key(&self, name: &str) -> bool {
        (0..self.file.pieces.len()).any(|at| self.word(at) == name && self.word(at + 1) == ":")
    }

    /// A function of the standard library must be in its module; other modules are files, whose functions are known.
    fn in_module(&self, call: &Call<'_>, module: &str) -> Option<Finding> {
        let path =
            (0..self.file.pieces.len()).find(|at| self.word(*at) == "as" && self.word(at + 1) == module).map(|at| self.word(at - 1))?;
        let path = path.trim_matches('"').trim_end_matches(".rhai");
        let standard: Vec<&str> = self
            .scene
            .entries
            .iter()
            .filter(|e| e.group == path || e.group == format!("std/{path}"))
            .filter_map(|e| e.name.split_once("::"))
            .map(|(_, name)| name)
            .collect();
        let own = self.own.iter().map(|(name, _)| name.as_str());
        let known: BTreeSet<&str> = if standard.is_empty() { own.collect() } else { standard.into_iter().collect() };
        if known.contains(call.name) {
            return None;
        }
        let finding = self.file.finding(&UNKNOWN_FUNCTION, call.at..call.at + 1, format!("`{path}` has no function `{}`", call.name));
        Some(match suggestion(call.name, known) {
            Some(hint) => finding.help(hint),
            None => finding,
        })
    }

    fn options(&mut self) {
        let mut told = Vec::new();
        for call in &self.calls {
            let entries: Vec<&Entry> = self.entries(call).into_iter().filter(|entry| !entry.options.is_empty()).collect();
            let options: Vec<&OptionDoc> = entries.iter().flat_map(|entry| entry.options).collect();
            if options.is_empty() || call.module.is_some() {
                continue;
            }
            // The options map is the last argument, or the one before a closure; other maps are values.
            let place = call.args.iter().rposition(|argument| self.word(argument.start) == "#{");
            let maps = entries.iter().any(|entry| {
                let at = place.map_or(usize::MAX, |place| place + self.before_dot(call, entry));
                // Where arguments before it may be left out, the map may stand earlier.
                let mut from_here = entry.params.iter().skip(at).skip_while(|param| param.optional && param.options.is_empty());
                from_here.next().is_some_and(|param| !param.options.is_empty())
            });
            let Some(pairs) = place.filter(|_| maps).and_then(|place| self.file.map(&call.args[place])) else {
                continue;
            };
            for pair in pairs {
                let Some(option) = options.iter().find(|option| option.name == pair.key) else {
                    let finding =
                        self.file.finding(&UNKNOWN_OPTION, pair.at..pair.at + 1, format!("`{}` has no option `{}`", call.name, pair.key));
                    let hint = suggestion(pair.key, options.iter().map(|option| option.name));
                    told.push(finding.help(hint.unwrap_or_else(|| format!("`octorhai help {}` lists its options", call.name))));
                    continue;
                };
                if let Some(why) = self.wrong_value(option, &pair.value) {
                    let message = format!("option `{}` of `{}` must be: {}; {why}", option.name, call.name, option.takes.shown());
                    let finding = self.file.finding(&WRONG_OPTION, pair.value.clone(), message);
                    told.push(if option.takes.kind == "duration" {
                        finding.help(format!("write it with its unit, e.g. `{}: \"45m\"`", option.name))
                    } else {
                        finding
                    });
                }
            }
        }
        self.found.append(&mut told);
    }

    /// Why a value that is written out cannot be that of an option.
    fn wrong_value(&self, option: &OptionDoc, value: &Range<usize>) -> Option<String> {
        let written = self.file.value(value)?;
        (option.takes.vet)(written).err()
    }

    fn properties(&mut self) {
        let mut told = Vec::new();
        for at in 1..self.file.pieces.len() {
            if self.word(at) != "." || self.file.pieces.get(at + 1).is_none_or(|next| next.kind != Kind::Word) || self.word(at + 2) == "(" {
                continue;
            }
            let (name, Some(kind)) = (self.word(at + 1), self.kind_at(at - 1)) else { continue };
            let Some(entry) = self.scene.type_named(&kind) else { continue };
            if entry.properties.iter().any(|property| property.name == name) {
                continue;
            }
            let finding = self.file.finding(&UNKNOWN_PROPERTY, at + 1..at + 2, format!("a {kind} has no property `{name}`"));
            let method = self.scene.entries.iter().any(|entry| entry.name == format!("{kind}.{name}"));
            told.push(match suggestion(name, entry.properties.iter().map(|property| property.name)) {
                _ if method => finding.help(format!("it is a function: `{name}()`")),
                Some(hint) => finding.help(hint),
                None => finding.help(format!("`octorhai help {kind}` lists them")),
            });
        }
        self.found.append(&mut told);
    }

    fn parameters(&mut self, declared: &mut Vec<(String, bool)>) {
        let mut told = Vec::new();
        for call in
            self.calls.iter().filter(|call| matches!(call.name, "param" | "secret") && call.module.is_none() && call.receiver.is_none())
        {
            let Some(name) = call.args.first().and_then(|first| self.file.literal(first)) else { continue };
            let lower = name.to_lowercase();
            // Reading it again is fine; saying a second time what it is is not.
            let says = call.args.len() > 1 || call.name == "secret";
            if says && declared.iter().any(|(known, said)| *known == lower && *said) {
                let finding = self.file.finding(
                    &PARAMETER_TWICE,
                    call.at..call.close + 1,
                    format!("the parameter `{name}` is declared a second time"),
                );
                told.push(
                    finding
                        .help(format!("declare it once, at the top: `let value = {}(\"{name}\", ...);`, and use the variable", call.name)),
                );
            }
            declared.push((lower, says));
        }
        self.found.append(&mut told);
    }
}
