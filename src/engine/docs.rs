//! Reference data from the functions' own documentation: what `help`, completion and the reference pages show.

use super::{
    modules::standard_library,
    options::OptionDoc,
    words::{Signature, type_words},
};
use rhai::{Engine, FuncMetadata, Module, Shared};

/// One function, or one property of a type, as documentation shows it.
#[derive(Clone, Debug)]
pub struct FunctionDoc {
    /// The name in scripts: `deploy`; `Task.cancel` for a function of a type, `Task.state` for a property,
    /// `lists::chunks` for a function of the standard library.
    pub name: String,
    /// Parameters and result in words of users, e.g. `wait(task: Task, options: map) -> Task`; one line for each way to call it.
    pub signature: String,
    /// The help group.
    pub group: String,
    /// The first sentence.
    pub summary: String,
    /// All prose (Markdown), without the example.
    pub prose: String,
    /// The keys of its options map.
    pub options: &'static [OptionDoc],
    /// The code of the example; empty when there is none.
    pub example: String,
    /// The version that brought it (a line `Since 0.2.0` in its prose); empty when not said.
    pub since: String,
}

/// Options of functions, as [`options!`](crate::options) declares them: `(WaitOptions::FUNCTIONS, WaitOptions::DOCS)`.
pub type OptionTable = (&'static [&'static str], &'static [OptionDoc]);

/// The functions and properties of a library, in the order of the groups and then of the names.
///
/// A module's group comes with it. Ways to call one function (of the same name in the same group) become one entry, with
/// the documentation of the first that has any. Operators, setters, indexers and `to_string` are left out.
pub fn functions(library: &[(&str, Shared<Module>)], options: &[OptionTable]) -> Vec<FunctionDoc> {
    // Names of types are looked up in all modules: one may use the types of another.
    let mut all = Engine::new_raw();
    for (_, module) in library {
        all.register_global_module(module.clone());
    }
    let mut docs: Vec<FunctionDoc> = Vec::new();
    for (group, module) in library {
        let mut engine = Engine::new_raw();
        engine.register_global_module(module.clone());
        let mut found = engine.collect_fn_metadata(None, |info| Some(info.metadata.clone()), true);
        // A module has no order of its own.
        found.sort_by(|a, b| (&a.name, a.num_params, &a.params_info).cmp(&(&b.name, b.num_params, &b.params_info)));
        let start = docs.len();
        for function in &found {
            let Some((name, signature)) = heading(&all, function) else { continue };
            let (prose, example, since) = parse(&comments(function.comments.iter().map(AsRef::as_ref)));
            match docs[start..].iter_mut().find(|d| d.name == name) {
                Some(known) => {
                    known.signature = format!("{}\n{signature}", known.signature);
                    if known.prose.is_empty() {
                        (known.summary, known.prose, known.example, known.since) = (first_sentence(&prose), prose, example, since);
                    }
                }
                None => docs.push(FunctionDoc {
                    options: options.iter().find(|(names, _)| names.contains(&function.name.as_str())).map_or(&[], |(_, docs)| docs),
                    name,
                    signature,
                    group: (*group).to_owned(),
                    summary: first_sentence(&prose),
                    prose,
                    example,
                    since,
                }),
            }
        }
    }
    docs
}

/// The functions of the embedded standard library; the group is the name of the import, e.g. `std/lists`.
pub fn standard_functions() -> Vec<FunctionDoc> {
    let engine = Engine::new_raw();
    let mut docs = Vec::new();
    for (file, text) in standard_library() {
        // That each file compiles is a test of ours.
        let Ok(ast) = engine.compile(text) else { continue };
        let group = file.trim_end_matches(".rhai").to_owned();
        let module = group.trim_start_matches("std/");
        let start = docs.len();
        for function in ast.iter_functions().filter(|f| f.access == rhai::FnAccess::Public && !f.name.starts_with("anon$")) {
            let (prose, example, since) = parse(&comments(function.comments.iter().copied()));
            docs.push(FunctionDoc {
                name: format!("{module}::{}", function.name),
                signature: format!("{module}::{}({})", function.name, function.params.join(", ")),
                group: group.clone(),
                summary: first_sentence(&prose),
                prose,
                options: &[],
                example,
                since,
            });
        }
        docs[start..].sort_by(|a: &FunctionDoc, b| a.name.cmp(&b.name));
    }
    docs
}

/// Name and signature, or `None` for what is not called by name.
fn heading(engine: &Engine, function: &FuncMetadata) -> Option<(String, String)> {
    let signature = Signature::of(engine, function);
    let subject =
        function.params_info.first().and_then(|p| p.split_once(':')).map(|(_, kind)| kind.trim()).filter(|k| k.starts_with("&mut"));
    let subject = subject.map(|kind| type_words(Some(engine), kind)).filter(|s| s != "any value");
    if let Some(property) = function.name.strip_prefix("get$") {
        let name = format!("{}.{property}", subject?);
        return Some((name.clone(), format!("{name} -> {}", signature.result)));
    }
    if !function.name.starts_with(|c: char| c.is_ascii_alphabetic())
        || function.name.contains('$')
        || matches!(function.name.as_str(), "to_string" | "to_debug")
    {
        return None;
    }
    let Some(subject) = subject else { return Some((signature.name.clone(), signature.show())) };
    let name = format!("{subject}.{}", signature.name);
    let shown = Signature { name: name.clone(), parameters: signature.parameters[1..].to_vec(), ..signature };
    Some((name, shown.show()))
}

/// The text of doc comments without their signs.
fn comments<'a>(comments: impl Iterator<Item = &'a str>) -> String {
    let mut lines = Vec::new();
    for comment in comments {
        if let Some(block) = comment.strip_prefix("/**") {
            lines.extend(block.trim_end_matches("*/").lines().map(|l| l.trim().trim_start_matches('*').trim_start().to_owned()));
        } else {
            lines.extend(comment.lines().map(|l| {
                let l = l.trim_start().trim_start_matches("///");
                l.strip_prefix(' ').unwrap_or(l).trim_end().to_owned()
            }));
        }
    }
    lines.join("\n").trim().to_owned()
}

/// Prose, example (the first fence marked `rhai`) and version.
fn parse(text: &str) -> (String, String, String) {
    let (mut prose, mut example, mut since) = (Vec::new(), Vec::new(), String::new());
    let mut in_example = false;
    let mut seen = false;
    for line in text.lines() {
        if in_example && line.trim() == "```" {
            in_example = false;
        } else if in_example {
            example.push(line);
        } else if !seen && matches!(line.trim(), "```rhai" | "```rhai,no_run") {
            (in_example, seen) = (true, true);
        } else if let Some(version) = line.trim().strip_prefix("Since ").filter(|v| v.starts_with(|c: char| c.is_ascii_digit())) {
            version.trim_end_matches('.').clone_into(&mut since);
        } else {
            prose.push(line);
        }
    }
    (prose.join("\n").trim().to_owned(), example.join("\n"), since)
}

fn first_sentence(prose: &str) -> String {
    let paragraph = prose.split("\n\n").next().unwrap_or_default().replace('\n', " ");
    match paragraph.find(". ") {
        Some(end) => paragraph[..=end].to_owned(),
        None => paragraph,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prose_example_and_version_are_told_apart() {
        let text = comments(
            ["/// Waits, e.g. for one.\n/// More: `a`.", "///\n/// Since 0.2.0.\n///\n/// ```rhai\n/// wait(t);\n///   more();\n/// ```"]
                .into_iter(),
        );
        let (prose, example, since) = parse(&text);
        assert_eq!(prose, "Waits, e.g. for one.\nMore: `a`.");
        assert_eq!(example, "wait(t);\n  more();");
        assert_eq!(since, "0.2.0");
        assert_eq!(first_sentence("Waits. More."), "Waits.");
        assert_eq!(first_sentence("One\ntwo.\n\nThree."), "One two.");
    }

    #[test]
    fn every_function_of_the_standard_library_is_documented() {
        let docs = standard_functions();
        assert!(docs.iter().any(|d| d.signature == "lists::chunks(list, n)"));
        for doc in docs {
            assert!(!doc.summary.is_empty() && !doc.example.is_empty(), "{}", doc.name);
        }
    }
}
