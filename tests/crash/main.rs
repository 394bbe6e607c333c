//! A run that is killed, at whatever place, and started again ends as one that nobody disturbed: for every script of
//! `scripts/`, killed at every place it passes, also when requests get lost, late or twice, and when the last thing
//! written to the journal is torn.
//!
//! `OCTORHAI_CRASH_ALL=1` leaves out none of the places at which the usual run takes samples.

#![allow(clippy::print_stdout, reason = "counts of places are part of the result")]

#[path = "../support/mod.rs"]
mod support;

mod kills;
mod oracle;
mod play;
mod scenes;
