//! A run that is killed, at whatever place, and started again ends as one that nobody disturbed: for every script of
//! `scripts/`, killed at every place it passes, also when requests get lost, late or twice, and when the last thing
//! written to the journal is torn.
//!
//! `trouble` is the second layer: what is around a run goes wrong while the run lives on.
//!
//! The usual run kills at every other place at which something is sent or written, and at samples of those that only look.
//! `OCTORHAI_CRASH_EVERY=1` leaves out none, and takes every script where the usual run takes two; with a larger number it
//! is every so many-th place, for a quick look. `.ci/full crash` is the former.

#![allow(clippy::print_stdout, reason = "counts of places are part of the result")]

#[path = "../it/support/mod.rs"]
mod support;

mod kills;
mod oracle;
mod play;
mod scenes;
mod trouble;
