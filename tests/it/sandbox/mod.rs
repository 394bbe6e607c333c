//! The simulated server, seen from outside.

mod clients;
mod faults;
mod log;
mod names;
mod packages;
mod permissions;
mod rules;
mod shapes;
mod shop;
mod step_templates;
mod steps;
mod writes;
