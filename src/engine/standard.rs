//! Rhai's own functions, without those that would break rules of ours: time, real sleeping, bits and bytes.

use super::{
    bounded, closures,
    tag::Tag,
    thrown::{HostResult, raise},
    unlocked::LOOK_AT_THIS,
};
use crate::error::{Error, Kind};
use rhai::{
    Dynamic, Engine, Module, NativeCallContext, Shared,
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
        // What `unlocked` puts into loops.
        module.set_native_fn(LOOK_AT_THIS, |context: NativeCallContext, this: &mut Dynamic| {
            Tag::with(&context, |tag| tag.sizes).map_or(Ok(()), |sizes| sizes.check(this))
        });
        bounded::register(module);
        closures::register(module);
    }
}

fn no_sleep() -> HostResult<()> {
    Err(raise(Error::new(Kind::Script, "`sleep` takes a duration").help("write a unit: `sleep(\"30s\")` or `sleep(5.minutes)`")))
}

static STANDARD: LazyLock<Shared<Module>> = LazyLock::new(|| StandardFunctions::new().as_shared_module());

/// One module for all engines of the process: building it is most of what a new engine costs.
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
