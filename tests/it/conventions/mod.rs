//! The conventions of this repository as tests: each lists all offenders, and each is shown to find a seeded one.

mod circles;
mod citations;
mod compiled;
mod doors;
mod files;
mod golden;
mod kinds;
mod known;
mod layers;
mod links;
mod modules;
mod reader;
mod repository;
mod scripts;
mod systems;
mod types;
mod unfinished;
