//! Steps: `octorhai step run` and step templates.

mod boxes;
mod context;
mod golden;
mod launchers;
mod octostache;
mod run;
mod templates;
mod voice;
mod watch;
