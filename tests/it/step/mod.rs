//! Steps: `octorhai step run` and step templates.

mod golden;
mod run;
mod templates;
