//! Worlds of simulated servers by what people write for them.

use crate::{
    error::{Error, Result},
    sandbox::World,
};

/// A world by the name of a built-in one, or from a file; `run_scripts`: whether scripts of its steps may run on this machine.
pub(super) fn named(name_or_file: &str, run_scripts: bool) -> Result<World> {
    let world = World::named_or_file(name_or_file)?;
    Ok(if run_scripts { world.running_scripts() } else { world })
}

/// The text of a built-in world.
pub(super) fn text(name: &str) -> Result<String> {
    // A copy gets a key of its own where it needs one.
    let own = |text: String| text.replacen("\nkey ", "\n# key ", 1);
    World::builtin_toml(name).map(own).ok_or_else(|| {
        Error::usage(format!("there is no built-in world `{name}`"))
            .help("there is: `shop`, `tenants`, `previews`, and `fleet(200)` for any number")
    })
}
