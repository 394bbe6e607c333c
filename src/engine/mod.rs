//! Rhai without Octopus: limits, modules, diagnostics, thrown values, options, signatures.

pub mod library;
pub mod options;
pub mod thrown;

/// A script that did not compile or did not end well, with all that is known about where and why.
pub struct Failure {
    /// What happened.
    pub error: crate::error::Error,
}
