//! Secrets: none comes out anywhere, and none arrives damaged.

mod functions;
mod hard;
mod rows;
mod sinks;
