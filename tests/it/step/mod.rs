//! Steps: `octorhai step run` and step templates.

mod boxes;
mod context;
mod golden;
mod keys;
mod launchers;
mod octostache;
mod run;
mod templates;
mod voice;
mod watch;

use octorhai::engine::params::ParamDecl;
use serde_json::Value;

/// A parameter for a text.
fn param(name: &str, default: Option<Value>) -> ParamDecl {
    ParamDecl { name: name.into(), required: default.is_none(), default, file: "x.rhai".into(), line: 1, ..ParamDecl::default() }
}
