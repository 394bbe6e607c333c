//! What a subcommand is: a file with its arguments, of which clap makes a value, and with what it does.

use super::{
    environment::Environment,
    ui::{Loudness, Ui},
};
use crate::step::voice::Voice;

/// What a subcommand is performed with.
pub(super) struct Stage<'a> {
    /// Where it speaks.
    pub(super) ui: &'a Ui,
    /// The environment variables of this process.
    pub(super) environment: &'a Environment,
    /// How a step of Octopus speaks.
    pub(super) voice: Option<&'a Voice>,
    /// The whole command line as clap knows it, for help.
    pub(super) cli: fn() -> clap::Command,
}

/// The arguments of a subcommand, and what it does.
pub(super) trait Subcommand {
    /// Whether it may write in colour; `--no-color` says no.
    fn has_colour(&self) -> bool {
        true
    }

    /// How much it tells.
    fn loudness(&self) -> Loudness {
        Loudness::Normal
    }

    /// Whether a step of Octopus hears it.
    fn is_step(&self) -> bool {
        false
    }

    /// Does it, and returns the exit code.
    fn perform(&self, stage: &Stage<'_>) -> u8;
}
