//! The engine without Octopus.

mod branches;
mod golden;
mod reference;
mod sample;
