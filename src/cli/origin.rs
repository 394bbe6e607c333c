//! Where a run begins: what differs between a command line, a record and a step of Octopus. All else is the same run.

use super::{environment::Environment, script_file::source, ui::Ui};
use crate::{
    cancel::Cancel,
    engine::{Source, params::ParamDecl},
    error::Result,
    event::Sink,
    run::{ContextSettings, RunOptions, Target},
};
use serde_json::Value;
use std::{collections::BTreeMap, path::Path, sync::Arc};

/// Values of parameters by their names.
pub(super) type Values = BTreeMap<String, Value>;

/// The values of a script's parameters, and what should be said about them.
pub(super) type Gathered = (Values, Vec<String>);

/// A file of parameters and its text.
pub(super) type ParamsFile<'a> = (&'a Path, &'a str);

/// Where a run begins.
pub(super) trait Origin {
    /// The script that `path` names.
    fn script(&self, path: &Path) -> Result<Source> {
        source(path)
    }

    /// The values of the script's parameters, and what should be said about them.
    fn values(&self, declared: &[ParamDecl], file: Option<ParamsFile<'_>>, ui: &Ui, environment: &Environment) -> Result<Gathered>;

    /// Where the run works.
    fn target(&self, options: &RunOptions, ui: &Ui, environment: &Environment) -> Result<Target>;

    /// Whether a person types it, who may be told of slips, and asked for what is missing.
    fn is_typed(&self) -> bool {
        false
    }

    /// A parameter as people see it.
    fn shown(&self, param: &ParamDecl) -> String {
        param.name.clone()
    }

    /// What shows the run, where that is not a terminal.
    fn sink(&self, _ui: &Ui) -> Option<Arc<dyn Sink>> {
        None
    }

    /// What a script finds as `ctx`, with what only the origin knows of it.
    fn context(&self, context: ContextSettings) -> ContextSettings {
        context
    }

    /// Ends the run.
    fn cancel(&self) -> Cancel {
        Cancel::new()
    }
}
