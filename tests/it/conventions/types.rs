//! Names of types: one word, one meaning. No name is defined in more than two modules.

use super::{
    known::{Offenders, beyond_the_known},
    modules::Modules,
    repository::{File, none, sources},
};
use std::collections::BTreeMap;

/// So many modules may define a type of the same name: one for what a server sends, one for what a script sees.
const MOST_MODULES: usize = 2;

fn overloaded(files: &[File]) -> Offenders {
    let modules = Modules::read(files);
    let mut definers: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (path, module) in &modules.0 {
        for name in &module.types {
            definers.entry(name).or_default().push(path.join("::"));
        }
    }
    definers.retain(|_, modules| {
        modules.dedup();
        modules.len() > MOST_MODULES
    });
    definers.into_iter().flat_map(|(name, modules)| modules.into_iter().map(|module| (name.to_owned(), module))).collect()
}

#[test]
fn a_type_name_has_at_most_two_meanings() {
    none(beyond_the_known("types", &overloaded(&sources()), |name, module| {
        format!("{module} defines `{name}`, as more than {MOST_MODULES} modules do: give the type a name of its own")
    }));
}

#[test]
fn a_type_name_with_a_third_meaning_is_found() {
    let files = |texts: &[&str]| {
        let paths = ["src/api/a.rs", "src/host/b.rs", "src/run/c.rs"];
        paths.iter().zip(texts).map(|(path, text)| File::new(path, text)).collect::<Vec<_>>()
    };
    let found = overloaded(&files(&["pub struct Place;", "enum Place {}", "pub(crate) type Place = u8;"]));
    assert_eq!(
        found.into_iter().map(|(name, module)| format!("{name} {module}")).collect::<Vec<_>>(),
        ["Place api::a", "Place host::b", "Place run::c"]
    );
    let quiet = "fn f() { struct Place; } impl X for Y { type Place = u8; }\n#[cfg(test)] mod tests { struct Place; }";
    assert!(overloaded(&files(&["struct Place;", "trait Place {}", quiet])).is_empty());
}
