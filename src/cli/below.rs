//! The few calls that front ends make into the layers below, each in one place.

use super::{params::Declared, sandbox::Ready};
use crate::{
    engine::Failure,
    error::{Error, Result},
    run::{self, Outcome, Settings, Source},
    sandbox::World,
};
use std::net::SocketAddr;

/// Runs a script.
pub(super) fn run(settings: Settings) -> Outcome {
    run::run(settings)
}

/// The parameters that a script declares, and what its head says about it.
pub(super) fn declared(_source: &Source) -> std::result::Result<(Option<String>, Vec<Declared>), Failure> {
    Ok((None, Vec::new()))
}

/// A world by the name of a built-in one, or from a file.
pub(super) fn world(_name_or_file: &str) -> Result<World> {
    Ok(World)
}

/// The text of a built-in world.
pub(super) fn world_text(name: &str) -> Result<String> {
    Err(Error::usage(format!("there is no built-in world `{name}`")))
}

/// A failure as text, with its place in the script.
pub(super) fn explain(failure: &Failure, _colour: bool) -> Option<String> {
    let _ = failure;
    None
}

/// The zone that a world's people live in.
pub(super) fn world_zone(_world: &World) -> String {
    "UTC".to_owned()
}

/// Serves `world` at `address` with a clock `speed` times as fast as the one on the wall, tells when it listens, and
/// returns when a signal asks for the end.
pub(super) fn serve(_world: World, _address: SocketAddr, _speed: f64, _tell: impl FnOnce(Ready)) -> Result<()> {
    Err(Error::bug("the sandbox is not connected"))
}

/// What the reference says about a function, a group of functions or a word; `None` when it knows nothing.
pub(super) fn reference(_topic: &str) -> Option<String> {
    None
}
