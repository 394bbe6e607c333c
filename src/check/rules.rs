//! Rules about what a script says: functions, properties, parameters. `arguments` has those about what functions are given, `risks`
//! those about what the script does.

use super::{File, Finding, HIDES_FUNCTION, PARAMETER_TWICE, TEXT_WITHOUT_VALUES, UNKNOWN_FUNCTION, UNKNOWN_PROPERTY, WRONG_ARGUMENTS};
use crate::{
    engine::{
        self,
        docs::{self, Entry},
        foreign_syntax,
        scene::Scene,
        text::{
            calls::{Call, calls},
            kinds::Kinds,
            scan::Kind,
        },
    },
    error::{nearest, suggestion},
};
use std::{collections::BTreeSet, ops::Range};

/// Words that Rhai knows as functions without declaring them.
const LANGUAGE: &[&str] =
    &["print", "debug", "type_of", "is_def_var", "is_def_fn", "is_shared", "Fn", "call", "curry", "eval", "throw", "this"];

/// What one file's rules look at.
pub(super) struct Sheet<'f, 'a> {
    pub(super) file: &'f File<'a>,
    /// All files of the script.
    files: &'f [File<'a>],
    pub(super) calls: Vec<Call<'a>>,
    pub(super) scene: &'f Scene,
    kinds: Kinds<'f, 'a>,
    /// Functions of all files of the script, with how many parameters each has.
    pub(super) own: &'f [(String, usize)],
    pub(super) found: Vec<Finding>,
}

/// All findings in all files.
pub(super) fn all(files: &[File<'_>], scene: &Scene) -> Vec<Finding> {
    let own: Vec<(String, usize)> = files.iter().flat_map(functions).collect();
    let mut found = Vec::new();
    let mut declared: Vec<(String, bool)> = Vec::new();
    let sheet = |file| Sheet::new(file, files, scene, &own);
    // What one place says of a project holds for the others.
    let said: Vec<(&str, &str)> = files.iter().map(sheet).flat_map(|sheet| sheet.said_of_projects()).collect();
    for file in files {
        let mut sheet = sheet(file);
        sheet.forgotten(&said);
        sheet.functions();
        sheet.hidden();
        sheet.closures();
        sheet.arguments();
        sheet.properties();
        sheet.texts();
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

/// What helps when a function of the items is called on their list: `tasks.refresh()`.
fn of_each(scene: &Scene, kind: &str, function: &str) -> Option<String> {
    let item = kind.strip_prefix("list of ")?;
    let known = scene.entries.iter().any(|entry| entry.name == format!("{item}.{function}"));
    known.then(|| format!("it is a function of {}: `list.map(|item| item.{function}())` calls it for each", with_article(item)))
}

/// How a function of the script is called that was written like a method.
fn as_function(call: &Call<'_>) -> String {
    let more = if call.args.is_empty() { "" } else { ", ..." };
    format!("write `{}(value{more})`: in a function of the script, the value before the dot is `this`, not a parameter", call.name)
}

/// `a Task`, `text`, `a list`: for sentences, which do not say of what a list is.
pub(super) fn with_article(kind: &str) -> String {
    engine::with_article(if kind.starts_with("list") { "list" } else { kind })
}

/// Names and numbers of parameters of the functions that a file declares.
fn functions(file: &File<'_>) -> Vec<(String, usize)> {
    let reading = &file.reading;
    let count = |open: usize| reading.items(open, reading.end_of(open)).count();
    reading.functions().map(|function| (reading.word(function.name).to_owned(), count(function.open))).collect()
}

impl<'f, 'a> Sheet<'f, 'a> {
    fn new(file: &'f File<'a>, files: &'f [File<'a>], scene: &'f Scene, own: &'f [(String, usize)]) -> Self {
        let kinds = Kinds::new(&file.reading, scene);
        Self { file, files, calls: calls(&file.reading), scene, kinds, own, found: Vec::new() }
    }

    pub(super) fn word(&self, at: usize) -> &'a str {
        self.file.reading.word(at)
    }

    /// The type of the value that ends with a piece.
    pub(super) fn kind_at(&self, end: usize) -> Option<String> {
        self.kinds.ending(end)
    }

    /// The type of the expression that a range of pieces is.
    pub(super) fn kind_of(&self, range: &Range<usize>) -> Option<String> {
        self.kinds.of(range)
    }

    /// The type before the dot of a call.
    pub(super) fn receiver(&self, call: &Call<'_>) -> Option<String> {
        self.kind_at(call.receiver?)
    }

    /// What a call may mean; of a value of unknown type, a function of any type.
    pub(super) fn entries(&self, call: &Call<'_>) -> Vec<&'f Entry> {
        let receiver = self.receiver(call);
        let mut all = self.scene.called(call.name, receiver.as_deref());
        if call.receiver.is_some() && receiver.is_none() {
            let of_a_type = |entry: &&Entry| !entry.is_type() && entry.name.rsplit_once('.').is_some_and(|(_, name)| name == call.name);
            all.extend(self.scene.entries.iter().filter(of_a_type));
        }
        all
    }

    /// How many parameters of an entry the value before the dot of a call is.
    pub(super) fn before_dot(&self, call: &Call<'_>, entry: &Entry) -> usize {
        call.receiver.map_or(0, |_| entry.params_before_dot(self.receiver(call).as_deref()))
    }

    /// Whether an entry can be called with as many arguments as a call has.
    pub(super) fn fits(&self, call: &Call<'_>, entry: &Entry) -> bool {
        let (least, most) = self.counts(call, entry);
        (least..=most).contains(&call.args.len())
    }

    /// How many arguments a call of an entry takes in its brackets.
    fn counts(&self, call: &Call<'_>, entry: &Entry) -> (usize, usize) {
        let least = entry.params.iter().filter(|param| !param.optional).count();
        let before = self.before_dot(call, entry);
        (least.saturating_sub(before), entry.params.len().saturating_sub(before))
    }

    /// Whether a call is one of a function of ours: not of the script's own, of a module, or of a closure in a map.
    pub(super) fn is_ours(&self, call: &Call<'_>) -> bool {
        call.module.is_none() && self.own.iter().all(|(name, _)| name != call.name) && !self.may_be_in_map(call)
    }

    /// Whether what is called may be a closure in a map: the value before the dot may be a map, and some map has such a key.
    fn may_be_in_map(&self, call: &Call<'_>) -> bool {
        call.receiver.is_some() && self.may_be_any(call) && self.files.iter().any(|file| file.reading.is_key(call.name))
    }

    fn functions(&mut self) {
        let mut told = Vec::new();
        for call in &self.calls {
            let here = call.at..call.at + 1;
            if let Some(module) = call.module {
                told.extend(self.in_module(call, module));
                continue;
            }
            if LANGUAGE.contains(&call.name)
                || self.may_be_in_map(call)
                || (call.receiver.is_none() && self.file.reading.declaration(call.at).is_some())
            {
                continue;
            }
            let own: Vec<usize> = self.own.iter().filter(|(name, _)| name == call.name).map(|(_, count)| *count).collect();
            let entries = self.entries(call);
            let of_a_type = self.scene.entries.iter().any(|e| e.name.rsplit_once('.').is_some_and(|(_, name)| name == call.name));
            let rhai = docs::is_builtin(call.name);
            if !own.is_empty() {
                if !own.contains(&call.args.len()) && !rhai && entries.is_empty() {
                    let wanted = own.iter().map(usize::to_string).collect::<Vec<_>>().join(" or ");
                    let arguments = if wanted == "1" { "argument" } else { "arguments" };
                    let message = format!("`{}` takes {wanted} {arguments}, not {}", call.name, call.args.len());
                    let finding = self.file.finding(&WRONG_ARGUMENTS, here, message);
                    let as_method = call.receiver.is_some() && own.contains(&(call.args.len() + 1));
                    told.push(if as_method { finding.help(as_function(call)) } else { finding });
                }
            } else if let [entry, ..] = entries.as_slice() {
                if !entries.iter().any(|entry| self.fits(call, entry)) && !rhai {
                    let (least, most) = self.counts(call, entry);
                    let wanted = if least == most { least.to_string() } else { format!("{least} to {most}") };
                    let arguments = if wanted == "1" { "argument" } else { "arguments" };
                    let message = format!("`{}` takes {wanted} {arguments}, not {}", call.name, call.args.len());
                    told.push(self.file.finding(&WRONG_ARGUMENTS, here, message).help(format!("it is: `{}`", entry.signature)));
                }
            } else if call.receiver.is_none() && of_a_type && !call.args.is_empty() {
                // `cancel(task)` is `task.cancel()`.
            } else if !(rhai || call.receiver.is_some() && self.may_be_any(call) && of_a_type) {
                let kind = self.receiver(call);
                let message = match &kind {
                    Some(kind) => format!("{} has no function `{}`", with_article(kind), call.name),
                    None => format!("there is no function `{}`", call.name),
                };
                let habit = kind.and_then(|kind| {
                    of_each(self.scene, &kind, call.name).or_else(|| foreign_syntax::method(call.name).map(str::to_owned))
                });
                told.push(self.file.finding(&UNKNOWN_FUNCTION, here, message).help(habit.unwrap_or_else(|| self.instead(call.name))));
            }
        }
        self.found.append(&mut told);
    }

    /// Whether the value before the dot of a call may have functions that are not known: its type is not, or it is a map.
    fn may_be_any(&self, call: &Call<'_>) -> bool {
        self.receiver(call).is_none_or(|kind| kind == "map")
    }

    /// What to write instead of a function that does not exist.
    fn instead(&self, name: &str) -> String {
        if let Some(line) = foreign_syntax::function(name) {
            return format!("write {line}");
        }
        let known = self.scene.entries.iter().filter(|e| !e.is_type()).map(|e| e.name.rsplit(['.', ':']).next().unwrap_or_default());
        let known = known.chain(self.own.iter().map(|(name, _)| name.as_str())).chain(docs::builtin_names().iter().map(String::as_str));
        match suggestion(name, known.collect::<BTreeSet<_>>()) {
            Some(hint) if hint.starts_with("did") => hint,
            _ => foreign_syntax::method(name).map_or_else(|| "`octorhai help` lists the functions".to_owned(), str::to_owned),
        }
    }

    /// A function of the standard library must be in its module; other modules are files, whose functions are known.
    fn in_module(&self, call: &Call<'_>, module: &str) -> Option<Finding> {
        let reading = &self.file.reading;
        let at = (1..reading.pieces.len()).find(|at| reading.is_word(*at, "as") && self.word(at + 1) == module)?;
        let path = self.word(at - 1).trim_matches('"').trim_end_matches(".rhai");
        let of_path = |e: &&Entry| e.group == path || e.group == format!("std/{path}");
        let standard: Vec<&str> =
            self.scene.entries.iter().filter(of_path).filter_map(|e| e.name.split_once("::")).map(|(_, name)| name).collect();
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

    /// Functions of the script that stand before one of ours.
    fn hidden(&mut self) {
        let reading = &self.file.reading;
        let mut told = Vec::new();
        for function in reading.functions().filter(|function| !function.typed) {
            let name = self.word(function.name);
            let count = reading.items(function.open, reading.end_of(function.open)).count();
            let same = |entry: &&Entry| {
                let least = entry.params.iter().filter(|param| !param.optional).count();
                (least..=entry.params.len()).contains(&count)
            };
            if let Some(entry) = self.scene.called(name, None).into_iter().find(same) {
                let message = format!("this `{name}` stands before `{}`: the script cannot call that any more", entry.signature);
                told.push(self.file.finding(&HIDES_FUNCTION, function.name..function.name + 1, message).help("give it a name of its own"));
            }
        }
        self.found.append(&mut told);
    }

    fn properties(&mut self) {
        let reading = &self.file.reading;
        let mut told = Vec::new();
        for at in 1..reading.pieces.len() {
            let is_property = reading.is_sign(at, ".") && reading.pieces.get(at + 1).is_some_and(|next| next.kind == Kind::Word);
            if !is_property || reading.is_sign(at + 2, "(") {
                continue;
            }
            let (name, Some(kind)) = (self.word(at + 1), self.kind_at(at - 1)) else { continue };
            let Some(entry) = self.scene.type_named(&kind) else { continue };
            if entry.properties.iter().any(|property| property.name == name) {
                continue;
            }
            let finding = self.file.finding(&UNKNOWN_PROPERTY, at + 1..at + 2, format!("a {kind} has no property `{name}`"));
            let method = self.scene.entries.iter().any(|entry| entry.name == format!("{kind}.{name}"));
            let known: Vec<&str> = entry.properties.iter().map(|property| property.name).collect();
            let all = known.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
            told.push(match nearest(name, known.iter().copied()) {
                _ if method => finding.help(format!("it is a function: `{name}()`")),
                Some(near) => finding.help(format!("did you mean `{near}`?")).help(format!("a {kind} has: {all}")),
                None => finding.help(format!("a {kind} has: {all}")),
            });
        }
        self.found.append(&mut told);
    }

    /// `"to ${ctx.env}"`: only a text in backticks has values in it.
    fn texts(&mut self) {
        let reading = &self.file.reading;
        let mut told = Vec::new();
        for (at, piece) in reading.pieces.iter().enumerate().filter(|(_, piece)| piece.kind == Kind::Text && piece.closed) {
            let text = piece.of(reading.text);
            let code = text.starts_with('"').then(|| text.split_once("${")).flatten().and_then(|(_, rest)| rest.split_once('}'));
            if let Some((code, _)) = code.filter(|(code, _)| !code.is_empty() && !code.contains('\\')) {
                let message = format!("`${{{code}}}` is not filled in: this text is in double quotes");
                told.push(self.file.finding(&TEXT_WITHOUT_VALUES, at..at + 1, message).help(foreign_syntax::TEXT_WITH_VALUES));
            }
        }
        self.found.append(&mut told);
    }

    fn parameters(&mut self, declared: &mut Vec<(String, bool)>) {
        let mut told = Vec::new();
        for call in
            self.calls.iter().filter(|call| matches!(call.name, "param" | "secret") && call.module.is_none() && call.receiver.is_none())
        {
            let Some(name) = call.args.first().and_then(|first| self.file.reading.literal(first)) else { continue };
            let lower = name.to_lowercase();
            // Reading it again is fine; saying a second time what it is is not.
            let says = call.args.len() > 1 || call.name == "secret";
            if says && declared.iter().any(|(known, said)| *known == lower && *said) {
                let message = format!("the parameter `{name}` is declared a second time");
                let finding = self.file.finding(&PARAMETER_TWICE, call.at..call.close + 1, message);
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
