//! Rhai without Octopus: limits, modules, diagnostics, thrown values, options, signatures.

pub mod options;
pub mod thrown;
