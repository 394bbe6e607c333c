//! Circles: no file of a layer may, through whatever other files of the layer, use itself.

use super::{
    known::{Offenders, beyond_the_known},
    modules::Modules,
    repository::{File, none, sources},
};
use std::collections::{BTreeMap, BTreeSet};

/// For each file the files of the same layer that it uses, by their paths below `src`.
///
/// A name that `mod.rs` hands on counts as its definer's. A module that uses its own submodules is no arrow: it puts its parts together.
type Arrows = BTreeMap<String, BTreeSet<String>>;

fn arrows(files: &[File]) -> Arrows {
    let modules = Modules::read(files);
    let mut arrows = Arrows::new();
    for (path, module) in modules.0.iter().filter(|(path, _)| !path.is_empty()) {
        let imported = module.imports.iter().filter(|import| !module.only_hands_on(import)).map(|import| &import.path);
        for used in imported.chain(&module.paths) {
            let Some(definer) = modules.definer(path, used) else { continue };
            let (from, to) = (below_src(&module.file), below_src(&definer.file));
            if layer(from) == layer(to) && from != to && !to.starts_with(&folder_of_parts(from)) {
                arrows.entry(from.to_owned()).or_default().insert(to.to_owned());
            }
        }
    }
    arrows
}

fn below_src(path: &str) -> &str {
    path.strip_prefix("src/").unwrap_or(path)
}

/// The layer of a file: its first folder or its name.
fn layer(file: &str) -> &str {
    file.split('/').next().unwrap_or(file).trim_end_matches(".rs")
}

/// The folder of the submodules of a file.
fn folder_of_parts(file: &str) -> String {
    let module = file.trim_end_matches(".rs");
    format!("{}/", module.strip_suffix("/mod").unwrap_or(module))
}

fn reaches(arrows: &Arrows, from: &str, to: &str) -> bool {
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    let mut next = vec![from];
    while let Some(file) = next.pop() {
        if file == to {
            return true;
        }
        if seen.insert(file) {
            next.extend(arrows.get(file).into_iter().flatten().map(String::as_str));
        }
    }
    false
}

/// The arrows that are part of a circle: their end leads back to their start.
fn in_circles(files: &[File]) -> Offenders {
    let arrows = arrows(files);
    let all = arrows.iter().flat_map(|(from, ends)| ends.iter().map(move |to| (from.clone(), to.clone())));
    all.filter(|(from, to)| reaches(&arrows, to, from)).collect()
}

#[test]
fn files_of_a_layer_use_each_other_in_one_direction() {
    none(beyond_the_known("circles", &in_circles(&sources()), |from, to| {
        format!("{from} uses {to}, which leads back to it: move what both need into a file that uses neither")
    }));
}

#[test]
fn a_circle_between_files_is_found() {
    let files = |texts: &[(&str, &str)]| texts.iter().map(|(path, text)| File::new(path, text)).collect::<Vec<_>>();
    let find =
        |texts: &[(&str, &str)]| in_circles(&files(texts)).into_iter().map(|(from, to)| format!("{from} → {to}")).collect::<Vec<_>>();
    let a = ("src/api/a.rs", "use super::b::B; pub struct A;");
    let outside = ("src/api/c.rs", "use crate::api::a::A;");
    let through_b = ["api/a.rs → api/b.rs", "api/b.rs → api/a.rs"];
    assert_eq!(find(&[a, outside, ("src/api/b.rs", "pub struct B; fn f(a: super::a::A) {}")]), through_b);
    // Through a name that mod.rs hands on, and through a third file.
    let handed_on = ("src/api/mod.rs", "mod a; mod b; pub use a::A;");
    assert_eq!(find(&[handed_on, a, ("src/api/b.rs", "pub struct B; fn f() { super::A::new() }")]), through_b);
    assert_eq!(find(&[a, ("src/api/b.rs", "use super::c; pub struct B(c::C);"), ("src/api/c.rs", "pub struct C(super::a::A);")]).len(), 3);
    // Through what mod.rs defines itself, when another module than its own parts is between.
    let parts = [("src/api/c/mod.rs", "mod d; pub struct C; use super::a::A;"), ("src/api/c/d.rs", "use super::C;")];
    assert!(find(&parts).is_empty());
    assert_eq!(find(&[parts[0], parts[1], ("src/api/a.rs", "pub struct A; use super::c::d::D;")]).len(), 3);
    // One direction, tests, comments, other layers, and a module with its parts are no circle.
    let quiet = ("src/api/b.rs", "pub struct B; // super::a::A\n#[cfg(test)] mod tests { use super::super::a::A; }");
    assert!(find(&[a, outside, quiet, ("src/host/x.rs", "use crate::api::a::A;")]).is_empty());
    assert!(find(&[("src/api/mod.rs", "mod a; pub struct Api; fn f() { a::g() }"), ("src/api/a.rs", "use super::Api;")]).is_empty());
}
