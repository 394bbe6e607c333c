//! Rhai's own functions, without those that would break rules of ours: time, real sleeping, bits and bytes.

use super::{
    compare,
    sizes::padded,
    thrown::{HostResult, REVEAL, holds_secret, raise, to_dynamic, to_json},
};
use crate::error::{Error, Kind};
use rhai::{
    Array, Dynamic, Engine, ImmutableString, Map, Module, Shared,
    packages::{
        ArithmeticPackage, BasicArrayPackage, BasicFnPackage, BasicIteratorPackage, BasicMapPackage, BasicMathPackage, BasicStringPackage,
        LanguageCorePackage, LogicPackage, MoreStringPackage, Package,
    },
};
use std::{collections::BTreeSet, sync::LazyLock};

rhai::def_package! {
    /// What scripts have without us. Rhai's clock (`timestamp`) is not in it: time comes from the run's clock.
    pub StandardFunctions(module):
        LanguageCorePackage, ArithmeticPackage, BasicStringPackage, BasicIteratorPackage, BasicFnPackage, LogicPackage,
        BasicMathPackage, BasicArrayPackage, BasicMapPackage, MoreStringPackage
    {
        // Rhai's `sleep` blocks the thread in real time and cannot be cancelled. A library that knows a clock
        // registers its own, which comes before these.
        module.set_native_fn("sleep", |_seconds: i64| no_sleep());
        module.set_native_fn("sleep", |_seconds: f64| no_sleep());
        // Rhai's throws a text in words of its reader.
        module.set_native_fn("parse_json", |text: ImmutableString| json(&text));
        // Rhai's writes the names of Rust's types for values of ours.
        module.set_native_fn("to_json", |map: &mut Map| json_text(Dynamic::from_map(map.clone())));
        // By what `<` says: Rhai's own sort versions as texts, and cannot sort times.
        module.set_native_fn("sort", |list: &mut Array| compare::sort(list, false));
        module.set_native_fn("sort_desc", |list: &mut Array| compare::sort(list, true));
        // The only functions that make something big out of nothing.
        module.set_native_fn("pad", |list: &mut Array, length: i64, item: Dynamic| {
            list.resize(padded(length)?.max(list.len()), item);
            Ok(())
        });
        module.set_native_fn("pad", |text: &mut ImmutableString, length: i64, sign: char| fill(text, length, &sign.to_string()));
        module.set_native_fn("pad", |text: &mut ImmutableString, length: i64, with: ImmutableString| fill(text, length, &with));
    }
}

fn fill(text: &mut ImmutableString, length: i64, with: &str) -> HostResult<()> {
    let missing = padded(length)?.saturating_sub(text.chars().count());
    *text = text.chars().chain(with.chars().cycle().take(missing)).collect::<String>().into();
    Ok(())
}

fn json(text: &str) -> HostResult<Dynamic> {
    let read = serde_json::from_str(text).map(|value| to_dynamic(&value));
    read.map_err(|why| {
        raise(
            Error::new(Kind::Script, format!("the text is not JSON: {why}"))
                .help("JSON has keys and texts in double quotes: `{\"env\": \"Test\"}`"),
        )
    })
}

fn json_text(value: Dynamic) -> HostResult<String> {
    if holds_secret(&value) {
        return Err(raise(Error::new(Kind::Script, "`to_json`: the map holds a secret, and JSON is data").help(REVEAL)));
    }
    Ok(to_json(&value).to_string())
}

fn no_sleep() -> HostResult<()> {
    Err(raise(Error::new(Kind::Script, "`sleep` takes a duration").help("write a unit: `sleep(\"30s\")` or `sleep(5.minutes)`")))
}

static STANDARD: LazyLock<Shared<Module>> = LazyLock::new(|| StandardFunctions::new().as_shared_module());

/// One module for all engines of the process: building it is most of what a new engine costs (deps.md §1).
pub(super) fn module() -> Shared<Module> {
    STANDARD.clone()
}

/// Whether one of Rhai's own functions has this name.
pub(super) fn has(name: &str) -> bool {
    static NAMES: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
        let mut engine = Engine::new_raw();
        engine.register_global_module(module());
        engine.collect_fn_metadata(None, |info| Some(info.metadata.name.to_string()), true).into_iter().collect()
    });
    NAMES.contains(name)
}
