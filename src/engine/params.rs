//! Parameters of a script, found in its text without running it, and the check of values for them.

use super::{Failure, Program};
use crate::error::Result;
use serde_json::Value;

/// What values a parameter takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParamKind {
    /// Any text.
    Text,
    /// A whole or decimal number.
    Number,
    /// `true` or `false`.
    Flag,
    /// Several texts.
    List,
    /// One of [`ParamDecl::choices`].
    Choice,
}

/// One `param(...)` or `secret(...)` of a script.
#[derive(Clone, Debug, PartialEq)]
pub struct ParamDecl {
    /// The name.
    pub name: String,
    /// The value when none is given.
    pub default: Option<Value>,
    /// Whether a value must be given.
    pub required: bool,
    /// What values it takes.
    pub kind: ParamKind,
    /// A short title, empty when not said.
    pub label: String,
    /// What it is for, empty when not said.
    pub help: String,
    /// For [`ParamKind::Choice`]: the values that are allowed.
    pub choices: Vec<String>,
    /// Declared by `secret(...)`: never shown.
    pub secret: bool,
    /// The file of the declaration.
    pub file: String,
    /// The line of the declaration, from 1.
    pub line: usize,
}

/// All parameters of `program`, in the order of the text, each once.
pub fn declarations(_program: &Program) -> std::result::Result<Vec<ParamDecl>, Failure> {
    Ok(Vec::new())
}

/// Checks a value written on a command line and converts it to the parameter's kind.
pub fn check_value(_decl: &ParamDecl, text: &str) -> Result<Value> {
    Ok(text.into())
}

/// Checks a value from a parameter file.
pub fn check_json(_decl: &ParamDecl, value: &Value) -> Result<Value> {
    Ok(value.clone())
}
