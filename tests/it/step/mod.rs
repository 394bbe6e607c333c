//! Steps: `octorhai step run` and step templates.

mod golden;
mod launchers;
mod run;
mod templates;
mod voice;
