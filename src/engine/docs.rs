//! The reference: what `help`, completion and reference pages show, from the declarations of functions and types.

use super::{
    library::{Docs, FunctionDoc, ParamDoc, PropertyDoc, TypeDoc},
    modules::standard_library,
    options::OptionDoc,
    words::{Way, standard_names, standard_ways},
};
use crate::error::Kind;
use rhai::Engine;
use std::{collections::BTreeSet, sync::LazyLock};

/// One function or one type, as documentation shows it.
#[derive(Clone, Debug, Default)]
pub struct Entry {
    /// The name in scripts: `deploy`; `Task.cancel` for a function of a type, `Task` for a type, `lists::chunks` for a
    /// function of the standard library.
    pub name: String,
    /// How it is called, e.g. `deploy(project, version, env, #{...}) -> Task`; the name of a type.
    pub signature: String,
    /// The help group; `types` for a type.
    pub group: String,
    /// The first sentence, on one line.
    pub summary: String,
    /// All prose (Markdown), without the example.
    pub prose: String,
    /// Its parameters; for functions of the standard library only the signature knows them.
    pub params: &'static [ParamDoc],
    /// The keys of its options map.
    pub options: &'static [OptionDoc],
    /// The kinds of error that a call may raise, each with what it means.
    pub errors: Vec<(&'static str, &'static str)>,
    /// The properties of a type.
    pub properties: &'static [PropertyDoc],
    /// The signatures of a type's functions.
    pub functions: Vec<String>,
    /// The code of the example; empty when there is none.
    pub example: String,
}

impl Entry {
    /// What a call returns, in words of users.
    pub fn returns(&self) -> &str {
        self.signature.split_once(" -> ").map_or("", |(_, returns)| returns)
    }

    /// Whether it is a type; else it is a function.
    pub fn is_type(&self) -> bool {
        self.group == "types"
    }

    /// Whether it is a function of the standard library.
    pub fn is_standard(&self) -> bool {
        self.group.starts_with("std/")
    }

    /// How many of its parameters the value before the dot of a call is, a value of type `of` if that is known: that of a function of a
    /// type is none of them, and neither is a space, which has every function as its own.
    pub fn params_before_dot(&self, of: Option<&str>) -> usize {
        usize::from(!self.name.contains('.') && of != Some("Space"))
    }
}

/// One of Rhai's own functions.
#[derive(Clone, Debug)]
pub struct Builtin {
    /// Name by which scripts call it, e.g. `push`.
    pub name: String,
    /// The type of its first parameter, in words of users: what may stand before the dot.
    pub on: String,
    /// How it is called.
    pub signature: String,
}

/// Rhai's own functions that are called by name, in the order of their names. Described once in a process, and only if somebody asks.
pub fn builtins() -> &'static [Builtin] {
    static BUILTINS: LazyLock<Vec<Builtin>> = LazyLock::new(|| {
        let first = |way: &Way| way.parameters.first().map_or_else(String::new, |(_, kind)| kind.clone());
        standard_ways().into_iter().map(|way| Builtin { on: first(&way), name: way.name, signature: way.shown }).collect()
    });
    &BUILTINS
}

/// Whether one of Rhai's own functions has this name; without describing them all, which took a quarter of the instructions of a short run.
pub fn is_builtin(name: &str) -> bool {
    builtin_names().contains(name)
}

/// The names of Rhai's own functions.
pub fn builtin_names() -> &'static BTreeSet<String> {
    static NAMES: LazyLock<BTreeSet<String>> = LazyLock::new(standard_names);
    &NAMES
}

/// All functions of a library, its types, and the functions of the standard library, in order of declaration.
pub fn entries(docs: &Docs) -> Vec<Entry> {
    let functions = docs.functions.iter().map(function);
    let types = docs.types.iter().map(|doc| scripted(doc, docs));
    functions.chain(types).chain(standard_functions()).collect()
}

fn entry(name: String, signature: String, group: &str, text: &str) -> Entry {
    let (prose, example) = parse(text);
    Entry { name, signature, group: group.to_owned(), summary: first_sentence(&prose), prose, example, ..Entry::default() }
}

fn function(doc: &FunctionDoc) -> Entry {
    let name = doc.receiver.map_or_else(|| doc.name.to_owned(), |of| format!("{of}.{}", doc.name));
    Entry {
        params: doc.params,
        errors: errors(doc),
        options: doc.params.iter().find(|p| !p.options.is_empty()).map_or(&[], |p| p.options),
        ..entry(name, doc.signature(), doc.group, &text_of(doc.doc))
    }
}

/// What every function may raise that takes something.
const WRONG: (&str, &str) = ("script", "an argument or an option is wrong");

/// What a function may raise: its own kinds, then those of each request to the server.
fn errors(doc: &FunctionDoc) -> Vec<(&'static str, &'static str)> {
    const CLOSURE: (&str, &str) = ("...", "whatever the closure raises");
    const REQUEST: [Kind; 4] = [Kind::Unreachable, Kind::Unauthorized, Kind::Forbidden, Kind::BadAnswer];
    let of = |kind: &Kind| (kind.name(), kind.meaning());
    let mut all: Vec<(&str, &str)> = Vec::new();
    for word in doc.raises.split(", ") {
        match word {
            "closure" => all.push(CLOSURE),
            "request" => all.extend(REQUEST.iter().map(of)),
            word => all.extend(Kind::ALL.iter().filter(|kind| kind.name() == word).map(of)),
        }
    }
    if !doc.params.is_empty() {
        all.push(WRONG);
    }
    all
}

fn scripted(doc: &TypeDoc, docs: &Docs) -> Entry {
    let functions = docs.functions.iter().filter(|f| f.receiver == Some(doc.name)).map(FunctionDoc::signature).collect();
    Entry { properties: doc.properties, functions, ..entry(doc.name.to_owned(), doc.name.to_owned(), "types", &text_of(doc.doc)) }
}

/// The functions of the embedded standard library; the group is the name of the import, e.g. `std/lists`.
pub fn standard_functions() -> Vec<Entry> {
    let engine = Engine::new_raw();
    let mut all = Vec::new();
    for (file, text) in standard_library() {
        // That each file compiles is a test of ours.
        let Ok(ast) = engine.compile(text) else { continue };
        let group = file.trim_end_matches(".rhai");
        let module = group.trim_start_matches("std/");
        let start = all.len();
        for function in ast.iter_functions().filter(|f| f.access == rhai::FnAccess::Public && !f.name.starts_with("anon$")) {
            let comments = function.comments.iter().flat_map(|c| c.lines()).map(|l| l.trim_start().trim_start_matches("///"));
            let name = format!("{module}::{}", function.name);
            let signature = format!("{name}({})", function.params.join(", "));
            let text = text_of(&comments.collect::<Vec<_>>().join("\n"));
            all.push(Entry { errors: vec![WRONG], ..entry(name, signature, group, &text) });
        }
        all[start..].sort_by(|a, b| a.name.cmp(&b.name));
    }
    all
}

/// A doc comment as people read it: without the space that stands after the signs.
pub fn text_of(doc: &str) -> String {
    let lines: Vec<&str> = doc.lines().map(|l| l.strip_prefix(' ').unwrap_or(l).trim_end()).collect();
    lines.join("\n").trim().to_owned()
}

/// Prose and example (the first fence marked `rhai`).
fn parse(text: &str) -> (String, String) {
    let (mut prose, mut example) = (Vec::new(), Vec::new());
    let (mut in_example, mut seen) = (false, false);
    for line in text.lines() {
        if in_example && line.trim() == "```" {
            in_example = false;
        } else if in_example {
            example.push(line);
        } else if !seen && matches!(line.trim(), "```rhai" | "```rhai,no_run") {
            (in_example, seen) = (true, true);
        } else {
            prose.push(line);
        }
    }
    (prose.join("\n").trim().to_owned(), example.join("\n"))
}

/// On one line. A full stop inside of `e.g. this` ends nothing: the next sentence begins with a capital or a sign.
fn first_sentence(prose: &str) -> String {
    let paragraph = prose.split("\n\n").next().unwrap_or_default().replace('\n', " ");
    let ends = paragraph.match_indices(". ").find(|(at, _)| !paragraph[at + 2..].starts_with(|c: char| c.is_lowercase()));
    ends.map_or(paragraph.clone(), |(at, _)| paragraph[..=at].to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prose_and_example_are_told_apart() {
        let text = text_of(" Waits, e.g. for one.\n More: `a`.\n\n ```rhai\n wait(t);\n   more();\n ```\n");
        let (prose, example) = parse(&text);
        assert_eq!(prose, "Waits, e.g. for one.\nMore: `a`.");
        assert_eq!(example, "wait(t);\n  more();");
        assert_eq!(first_sentence(&prose), "Waits, e.g. for one.");
        assert_eq!(first_sentence("One\ntwo.\n\nThree."), "One two.");
    }

    #[test]
    fn every_function_of_the_standard_library_is_documented() {
        let all = standard_functions();
        assert!(all.iter().any(|d| d.signature == "lists::chunks(list, n)"));
        for doc in all {
            assert!(!doc.summary.is_empty() && !doc.example.is_empty(), "{}", doc.name);
        }
    }
}
