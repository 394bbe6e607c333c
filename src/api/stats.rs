//! Counting requests: how many, and how many in the busiest minute.

use jiff::{SignedDuration, Timestamp};
use std::collections::VecDeque;

/// What a client has sent so far, retries and redirects included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Requests.
    pub requests: u64,
    /// The most requests in any sixty seconds of the client's clock.
    pub busiest_minute: u64,
    /// Requests that the server rejected because there were too many (429).
    pub rejected: u64,
    /// Requests that waited for their turn, so that the server would not reject them.
    pub delayed: u64,
}

/// Keeps the times of the last minute only, so that a long run needs no more memory than a short one.
#[derive(Default)]
pub(crate) struct Counter {
    stats: Stats,
    recent: VecDeque<Timestamp>,
}

impl Counter {
    pub(crate) fn count(&mut self, now: Timestamp) {
        while self.recent.front().is_some_and(|&t| now.duration_since(t) >= SignedDuration::from_mins(1)) {
            self.recent.pop_front();
        }
        self.recent.push_back(now);
        self.stats.requests += 1;
        self.stats.busiest_minute = self.stats.busiest_minute.max(self.recent.len() as u64);
    }

    pub(crate) fn rejected(&mut self) {
        self.stats.rejected += 1;
    }

    pub(crate) fn delayed(&mut self) {
        self.stats.delayed += 1;
    }

    pub(crate) fn stats(&self) -> Stats {
        self.stats
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_busiest_minute_slides() {
        let mut counter = Counter::default();
        for second in [0, 30, 59, 60, 61, 300] {
            counter.count(Timestamp::from_second(second).expect("in range"));
        }
        assert_eq!(counter.stats(), Stats { requests: 6, busiest_minute: 4, ..Stats::default() });
    }
}
