//! The server's time as one read saw it: what is decided by it is decided the same way when a run is continued.

use super::{asking::Asking, client::Client};
use crate::json::JsonText;
use jiff::Timestamp;

/// Stands for the clock among the addresses of a record; no address of a server begins so.
const CLOCK: &str = "clock:server";

impl Client {
    /// The time on the server now. In a read that is played back, the time at which the read was made.
    pub fn moment(&self) -> Timestamp {
        let tape = Asking::now().tape;
        let played = tape.as_ref().and_then(|tape| tape.play(CLOCK)).and_then(Result::ok);
        if let Some(at) = played.and_then(|at| at.json().text()?.parse().ok()) {
            return at;
        }
        let now = self.server_now();
        if let Some(tape) = tape {
            tape.keep(CLOCK, Ok(JsonText::of(&now.to_string())));
        }
        now
    }
}
