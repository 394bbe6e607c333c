//! octorhai: short Rhai scripts that coordinate Octopus Deploy projects.
//!
//! The modules, in order of layers (ARCHITECTURE.md says which arrows may not exist; `tests/it/conventions` holds it):
//! ground (`error`, `json`, `clock`, `cancel`, `event`, `crash`, `platform`, `secrets`, `tame`, `transport`,
//! `trust`, `userinfo`), the typed client (`api`), services (`journal`, `mail`, `report`),
//! the script engine without Octopus (`engine`), the joint (`host`), a run (`run`), front ends (`cli`),
//! and beside all of them the simulated Octopus Server (`sandbox`), which shares nothing but the ground.

pub mod cancel;
pub mod clock;
pub mod crash;
pub mod error;
pub mod event;
pub mod json;
pub mod platform;
pub mod secrets;
pub mod tame;
pub mod transport;
pub mod trust;
pub mod userinfo;

pub mod api;

pub mod doctor;
pub mod journal;
pub mod lock;
pub mod mail;
pub mod report;
pub mod step;

pub mod engine;

pub mod check;
pub mod host;
pub mod manual;
pub mod repl;
pub mod run;

pub mod template;

pub mod cli;

pub mod sandbox;
