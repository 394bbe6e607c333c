//! Rhai's and Rust's names of types, and signatures of functions, in words of users.

use rhai::{Engine, FuncMetadata};

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
        "Dynamic" | "T" | "?" | "RhaiResult" => "any value",
        "blob" | "Blob" => "bytes",
        "range" | "range=" | "ExclusiveRange" | "InclusiveRange" => "range",
        other => other,
    }
    .to_owned()
}

/// `a Task`, `text`, `an Environment`: for sentences.
pub(super) fn with_article(words: &str) -> String {
    match words {
        "text" | "true or false" | "nothing" | "any value" | "bytes" => words.to_owned(),
        _ if words.starts_with(['a', 'e', 'i', 'o', 'A', 'E', 'I', 'O']) => format!("an {words}"),
        _ => format!("a {words}"),
    }
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

/// A function that scripts can call, in words of users.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Signature {
    pub(super) name: String,
    /// Name and type of each parameter; an unnamed one has an empty name, an untyped one takes any value.
    pub(super) parameters: Vec<(String, String)>,
    pub(super) result: String,
    /// One of Rhai's own functions.
    pub(super) standard: bool,
}

impl Signature {
    pub(super) fn of(engine: &Engine, function: &FuncMetadata) -> Self {
        let mut parameters: Vec<(String, String)> = function
            .params_info
            .iter()
            .map(|info| {
                let (name, kind) = info.split_once(':').unwrap_or((info, "Dynamic"));
                let name = name.trim().trim_start_matches("mut ").trim_start_matches('_');
                (name.to_owned(), type_words(Some(engine), kind))
            })
            .collect();
        parameters.resize(function.num_params, (String::new(), "any value".to_owned()));
        Self { name: function.name.to_string(), parameters, result: type_words(Some(engine), &function.return_type), standard: false }
    }

    /// `wait(task: Task, options: map) -> Task`; the result is left out when there is none.
    pub(super) fn show(&self) -> String {
        let parameters: Vec<String> = self
            .parameters
            .iter()
            .map(|(name, kind)| match (name.as_str(), kind.as_str()) {
                ("", kind) => kind.to_owned(),
                (name, "any value") => name.to_owned(),
                (name, kind) => format!("{name}: {kind}"),
            })
            .collect();
        let result = match self.result.as_str() {
            "nothing" => String::new(),
            result => format!(" -> {result}"),
        };
        format!("{}({}){result}", self.name, parameters.join(", "))
    }
}

/// Every native function that `engine` knows, Rhai's own included, in the order of their names.
pub(super) fn signatures(engine: &Engine) -> Vec<Signature> {
    let of = |info: rhai::FuncInfo| Some(Signature::of(engine, info.metadata));
    let own = engine.collect_fn_metadata(None, of, false);
    let mut all = engine.collect_fn_metadata(None, of, true);
    for signature in &mut all {
        signature.standard = !own.contains(signature);
    }
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
