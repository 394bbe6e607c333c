//! The tests of the whole program, by subject, in one test program: it is linked once, and while one test waits, others run.
//!
//! `cargo test -- locks` runs a subject, `cargo test -- locks::scripts` one file of it. A new file is declared by the `mod.rs` beside it.

mod support;

mod api;
mod check;
mod cli;
mod conventions;
mod docs;
mod doctor;
mod engine;
mod fuzz;
mod journal;
mod locks;
mod repl;
mod resilience;
mod sandbox;
mod scripts;
mod secrets;
mod services;
mod step;
