//! Holds the sandbox against real servers: which keys an answer has, of which type, and whether they can be null.

pub mod check;
pub mod differences;
pub mod learn;
pub mod log;
pub mod mutate;
pub mod schema;
pub mod types;
pub mod walk;
