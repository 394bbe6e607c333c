//! What Tab offers.

use super::{
    cursor::{self, Expected},
    names::Names,
};
use crate::{
    engine::{docs::builtins, scene::Scene, standard_library},
    host::nouns::Noun,
    tame,
};
use rustyline::completion::Pair;

/// More than these nobody reads, and the editor cannot count many more.
const MOST: usize = 10_000;

/// With so few candidates there is room for their signatures.
const FEW: usize = 8;

fn pair(shown: impl Into<String>, put: impl Into<String>) -> Pair {
    Pair { display: shown.into(), replacement: put.into() }
}

/// Where the word at the cursor begins, and what it could become.
pub(super) fn complete(text: &str, behind: &str, scene: &Scene, names: &Names, commands: &[(&str, &str)]) -> (usize, Vec<Pair>) {
    let place = cursor::at(text, scene);
    let part = &text[place.start..];
    // A text gets its closing quote, if that does not stand there already.
    let quoted = |name: &str| {
        let quote = if behind.starts_with(['"', '`']) {
            String::new()
        } else {
            text[..place.start].chars().next_back().map_or_else(String::new, String::from)
        };
        pair(name, format!("{}{quote}", name.replace('\\', "\\\\").replace('"', "\\\"")))
    };
    let mut all: Vec<Pair> = match &place.expected {
        Expected::Command => commands.iter().map(|(name, _)| pair(*name, format!("{} ", name.split(' ').next().unwrap_or(name)))).collect(),
        Expected::OfCommand(":help" | ":h" | ":?") => {
            let known = scene.entries.iter().map(|entry| entry.name.as_str());
            known.map(|name| pair(name, name)).collect()
        }
        Expected::OfCommand(":space") => {
            names.get(&Noun::Spaces).iter().filter(|name| tame::line(name) == name.as_str()).map(|name| pair(name, name)).collect()
        }
        Expected::OfCommand(_) | Expected::Nothing => Vec::new(),
        Expected::Member { kind, variable } => members(scene, kind.as_deref(), *variable),
        Expected::InModule(alias) => {
            let path = scene.modules.iter().find(|(name, _)| name == alias).map_or(*alias, |(_, path)| path);
            let module = path.rsplit('/').next().unwrap_or(path);
            let own = scene.entries.iter().filter_map(|entry| Some((entry, entry.name.strip_prefix(module)?.strip_prefix("::")?)));
            own.map(|(entry, name)| pair(&entry.signature, format!("{name}("))).collect()
        }
        Expected::Key { options, given } => {
            let open = options.iter().filter(|option| !given.contains(&option.name));
            open.map(|option| pair(format!("{}: {} = {}", option.name, option.takes.shown(), option.default), format!("{}: ", option.name)))
                .collect()
        }
        // The editor draws what is typed as it is: a name that it cannot show has to be looked up and given by a script.
        Expected::Name(wanted) => {
            names.get(wanted).iter().filter(|name| tame::line(name) == name.as_str()).map(|name| quoted(name)).collect()
        }
        Expected::Choice(choices) => choices.iter().map(|choice| quoted(choice)).collect(),
        Expected::Import => standard_library().map(|(name, _)| quoted(name.trim_end_matches(".rhai"))).collect(),
        Expected::Value => values(scene),
    };
    all.dedup_by(|a, b| a.replacement == b.replacement);
    let mut fits = fitting(&all, part);
    fits.truncate(MOST);
    if fits.len() <= FEW && matches!(place.expected, Expected::Value) {
        for fit in &mut fits {
            if let Some(signature) =
                fit.replacement.strip_suffix('(').and_then(|name| scene.called(name, None).first().map(|e| &e.signature))
            {
                fit.display.clone_from(signature);
            }
        }
    }
    (place.start, fits)
}

/// Those that begin with what was typed, without regard to case; if none does, those that have it in them.
fn fitting(all: &[Pair], part: &str) -> Vec<Pair> {
    let part = part.to_lowercase();
    let by = |test: &dyn Fn(&str) -> bool| all.iter().filter(|pair| test(&pair.replacement.to_lowercase())).cloned().collect::<Vec<_>>();
    let begin = by(&|text| text.starts_with(&part));
    if begin.is_empty() && part.len() > 1 { by(&|text| text.contains(&part)) } else { begin }
}

/// Functions and variables.
fn values(scene: &Scene) -> Vec<Pair> {
    let plain = |name: &str| !name.contains(['.', ':']);
    let functions = scene.entries.iter().filter(|entry| !entry.is_type() && plain(&entry.name));
    let mut all: Vec<Pair> = functions.map(|entry| pair(&entry.name, format!("{}(", entry.name))).collect();
    all.extend(scene.functions.iter().map(|(name, params)| pair(format!("{name}({})", params.join(", ")), format!("{name}("))));
    all.extend(scene.variables.iter().map(|variable| pair(&variable.name, &variable.name)));
    all.extend(scene.modules.iter().map(|(name, _)| pair(format!("{name}::"), format!("{name}::"))));
    all.push(pair("ctx", "ctx"));
    all.push(pair("print", "print("));
    all.sort_by(|a, b| a.replacement.cmp(&b.replacement));
    all
}

/// What can stand behind the dot of a value of type `kind`.
fn members(scene: &Scene, kind: Option<&str>, variable: Option<&str>) -> Vec<Pair> {
    let Some(kind) = kind else { return Vec::new() };
    let mut all = Vec::new();
    if let Some(entry) = scene.type_named(kind) {
        all.extend(entry.properties.iter().map(|p| pair(format!("{}: {}", p.name, p.kind), p.name)));
    }
    let method = |name: &str| name.strip_prefix(kind).and_then(|rest| rest.strip_prefix('.')).map(str::to_owned);
    all.extend(scene.entries.iter().filter_map(|entry| Some(pair(&entry.signature, format!("{}(", method(&entry.name)?)))));
    if kind == "Space" {
        all.extend(values(scene).into_iter().filter(|pair| pair.replacement.ends_with('(')));
    }
    let keys = scene.variables.iter().filter(|known| Some(known.name.as_str()) == variable).flat_map(|known| &known.keys);
    all.extend(keys.map(|key| pair(key, key)));
    let plain = if kind.starts_with("list") { "list" } else { kind };
    let of_rhai = builtins().iter().filter(|builtin| builtin.on == plain);
    all.extend(of_rhai.map(|builtin| pair(&builtin.signature, format!("{}(", builtin.name))));
    // Rhai has several ways to call most of its own.
    all.dedup_by(|a, b| a.replacement == b.replacement);
    all
}
