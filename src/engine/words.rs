//! Rhai's and Rust's names of types, and signatures of functions, in words of users.

use super::library::FunctionDoc;
use rhai::{Engine, FuncMetadata};
use std::collections::BTreeSet;

/// The word for a parameter that takes everything.
pub(super) const ANY: &str = "any value";

/// A type's name in words of users: `i64` is a `whole number`, `crate::host::Task` a `Task`.
pub(super) fn type_words(engine: Option<&Engine>, name: &str) -> String {
    let name = name.trim().trim_start_matches('&').trim_start_matches("mut ").trim();
    if name.contains('|') {
        return "text".to_owned();
    }
    if let Some(registered) = engine.map(|e| e.map_type_name(name)).filter(|n| *n != name) {
        return type_words(None, registered);
    }
    if let Some((outer, inner)) = name.strip_suffix('>').and_then(|n| n.split_once('<')) {
        let inner = first_argument(inner);
        return match outer.trim().rsplit("::").next().unwrap_or_default() {
            "Option" => format!("{} or nothing", type_words(engine, inner)),
            "Vec" => format!("list of {}", type_words(engine, inner)),
            "Range" | "RangeInclusive" => "range".to_owned(),
            // `Result<T>`, `HostResult<T>`, `Box<T>`, ...
            _ => type_words(engine, inner),
        };
    }
    let last = name.rsplit("::").next().unwrap_or(name).trim();
    match last {
        "i64" | "INT" | "i8" | "i16" | "i32" | "i128" | "u8" | "u16" | "u32" | "u64" | "u128" | "usize" => "whole number",
        "f64" | "f32" | "FLOAT" => "number",
        "string" | "str" | "String" | "ImmutableString" | "char" => "text",
        "bool" => "true or false",
        "array" | "Array" => "list",
        "map" | "Map" => "map",
        "Fn" | "FnPtr" => "closure",
        "()" | "" => "nothing",
        "Dynamic" | "T" | "?" | "RhaiResult" => ANY,
        "blob" | "Blob" => "bytes",
        "range" | "range=" | "ExclusiveRange" | "InclusiveRange" => "range",
        other => other,
    }
    .to_owned()
}

/// `a Task`, `text`, `an Environment`: for sentences.
pub fn with_article(words: &str) -> String {
    match words {
        "text" | "true or false" | "nothing" | "any value" | "bytes" => words.to_owned(),
        _ if words.starts_with(['a', 'e', 'i', 'o', 'A', 'E', 'I', 'O']) => format!("an {words}"),
        _ => format!("a {words}"),
    }
}

/// `2 or 3 arguments`
pub(super) fn counted(counts: impl IntoIterator<Item = usize>) -> String {
    let counts: BTreeSet<usize> = counts.into_iter().collect();
    let numbers = counts.iter().map(usize::to_string).collect::<Vec<_>>().join(" or ");
    format!("{numbers} {}", if numbers == "1" { "argument" } else { "arguments" })
}

/// Up to the first comma that is not inside of brackets.
fn first_argument(arguments: &str) -> &str {
    let mut depth = 0;
    for (i, c) in arguments.char_indices() {
        match c {
            '<' | '(' | '[' => depth += 1,
            '>' | ')' | ']' => depth -= 1,
            ',' if depth == 0 => return &arguments[..i],
            _ => {}
        }
    }
    arguments
}

/// One way to call a function, in words of users.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Way {
    pub(super) name: String,
    /// The type it is a method of, and only that. Any function can be called with its first argument before the dot.
    pub(super) receiver: Option<&'static str>,
    /// Name and type of each parameter; an unnamed one has an empty name, an untyped one takes any value.
    pub(super) parameters: Vec<(String, String)>,
    /// How many of them a call cannot leave out.
    pub(super) required: usize,
    /// `push(list: list, item)`
    pub(super) shown: String,
    /// One of Rhai's own functions.
    pub(super) standard: bool,
}

impl Way {
    /// One of the library.
    pub(super) fn of(doc: &FunctionDoc) -> Self {
        Self {
            name: doc.name.to_owned(),
            receiver: doc.receiver,
            parameters: doc.params.iter().map(|p| (p.name.to_owned(), ANY.to_owned())).collect(),
            required: doc.counts().0,
            shown: doc.signature(),
            standard: false,
        }
    }

    /// One that a file of the run defines.
    pub(super) fn scripted(name: String, parameters: Vec<String>) -> Self {
        Self {
            shown: format!("{name}({})", parameters.join(", ")),
            name,
            receiver: None,
            required: parameters.len(),
            parameters: parameters.into_iter().map(|p| (p, ANY.to_owned())).collect(),
            standard: false,
        }
    }

    fn standard(engine: &Engine, function: &FuncMetadata) -> Self {
        let mut parameters: Vec<(String, String)> = function
            .params_info
            .iter()
            .map(|info| {
                let (name, kind) = info.split_once(':').unwrap_or((info, "Dynamic"));
                let name = name.trim().trim_start_matches("mut ").trim_start_matches('_');
                (name.to_owned(), type_words(Some(engine), kind))
            })
            .collect();
        parameters.resize(function.num_params, (String::new(), ANY.to_owned()));
        let words: Vec<String> = parameters
            .iter()
            .map(|(name, kind)| match (name.as_str(), kind.as_str()) {
                ("", kind) => kind.to_owned(),
                (name, ANY) => name.to_owned(),
                (name, kind) => format!("{name}: {kind}"),
            })
            .collect();
        let result = match type_words(Some(engine), &function.return_type).as_str() {
            "nothing" => String::new(),
            result => format!(" -> {result}"),
        };
        Self {
            shown: format!("{}({}){result}", function.name, words.join(", ")),
            name: function.name.to_string(),
            receiver: None,
            required: parameters.len(),
            parameters,
            standard: true,
        }
    }
}

/// Rhai's own functions.
fn standard_engine() -> Engine {
    let mut engine = Engine::new_raw();
    engine.register_global_module(super::standard::module());
    engine
}

/// Neither an operator nor the access to a property.
fn is_called_by_name(function: &FuncMetadata) -> bool {
    function.name.starts_with(|c: char| c.is_alphabetic()) && !function.name.contains('$')
}

/// The names of Rhai's own functions that are called by name.
pub(super) fn standard_names() -> BTreeSet<String> {
    let name = |function: &FuncMetadata| is_called_by_name(function).then(|| function.name.to_string());
    standard_engine().collect_fn_metadata(None, |info| name(info.metadata), true).into_iter().collect()
}

/// Rhai's own functions that are called by name, in the order of their names.
pub(super) fn standard_ways() -> Vec<Way> {
    let engine = standard_engine();
    let way = |function: &FuncMetadata| is_called_by_name(function).then(|| Way::standard(&engine, function));
    let mut all = engine.collect_fn_metadata(None, |info| way(info.metadata), true);
    all.sort_by(|a, b| (&a.name, a.parameters.len(), &a.parameters).cmp(&(&b.name, b.parameters.len(), &b.parameters)));
    all.dedup();
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rust_types_become_words() {
        for (rust, words) in [
            ("i64", "whole number"),
            ("&str | ImmutableString | String", "text"),
            ("alloc::string::String", "text"),
            ("&mut octorhai::host::tasks::Task", "Task"),
            ("HostResult<Task>", "Task"),
            ("Result<rhai::Map, Box<EvalAltResult>>", "map"),
            ("HostResult<Vec<Task>>", "list of Task"),
            ("HostResult<()>", "nothing"),
            ("Option<String>", "text or nothing"),
            ("rhai::Dynamic", "any value"),
        ] {
            assert_eq!(type_words(None, rust), words, "{rust}");
        }
    }
}
