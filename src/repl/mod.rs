//! What makes a session pleasant: completion, hints, colours, and scripts made of it. Shows nothing itself: `cli` does.
//!
//! [`Helper`] is what the line editor asks; what it knows of the session is a [`Scene`](crate::engine::scene::Scene); [`names::Names`] asks the server, briefly.

mod colours;
mod complete;
mod cursor;
pub mod helper;
pub mod names;
pub mod save;
pub mod values;

pub use helper::Helper;
