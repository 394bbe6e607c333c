//! The server's time as one read saw it: what is decided by it is decided the same way when a run is continued.

use super::client::Client;
use super::tape;
use crate::json::JsonText;
use jiff::Timestamp;

/// Stands for the clock among the addresses of a record; no address of a server begins so.
const CLOCK: &str = "clock:server";

impl Client {
    /// The time on the server now. In a read that is played back, the time at which the read was made.
    pub fn moment(&self) -> Timestamp {
        let played = tape::play(CLOCK).and_then(Result::ok);
        if let Some(at) = played.and_then(|at| at.json().text()?.parse().ok()) {
            return at;
        }
        let now = self.server_now();
        tape::keep(CLOCK, Ok(JsonText::of(&now.to_string())));
        now
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        api::{Credential, Settings},
        cancel::Cancel,
        clock::Clock,
    };
    use jiff::SignedDuration;

    #[test]
    fn time_of_a_read_that_is_played_back_is_that_of_the_record() {
        let clock = Clock::virtual_at(Timestamp::UNIX_EPOCH);
        let settings =
            Settings::new(Credential::api_key("http://127.0.0.1:9", "API-X").expect("a credential"), clock.clone(), Cancel::new());
        let client = Client::new(settings).expect("a client");
        let (first, heard) = tape::recording(|| client.moment());
        clock.advance(SignedDuration::from_hours(1));
        let (again, left) = tape::playing(heard, || client.moment());
        assert_eq!((first, left), (again, Vec::new()));
        assert!(client.moment() > first, "a new read sees the new time");
    }
}
