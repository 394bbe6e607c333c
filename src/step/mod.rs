//! What a step of Octopus hands on to us and what it hears from us: the frame of variables on a pipe, and service messages.
//!
//! Knows the forms, not what they are used for: `template` writes launchers that send the frame, `cli` reads it and speaks.

mod bash_variables;
pub mod charset;
pub mod frame;
pub mod octostache;
pub mod voice;
