//! What is written: README, docs/, the reference, examples of functions.

mod blocks;
mod examples;
mod golden;
mod reference;
