//! Requests wait for their turn, and answers tell the pacer what the server allows (octopus-api.md §7.3).

use super::{asking::Asking, client::Client, pacer::Ticket, retry::too_fast};
use crate::{
    clock::{later, text::show},
    error::Result,
};
use jiff::{SignedDuration, Timestamp};
use reqwest::header::HeaderMap;
use url::Url;

/// How much later than its deadline a request may be sent that goes first.
const LATEST: SignedDuration = SignedDuration::from_secs(2);

impl Client {
    /// Waits until a request to `url` may be sent, and tells how long that took. What tidies up goes first, and so does a request that would
    /// come too late for the wait it belongs to.
    ///
    /// # Errors
    /// `unreachable` when the client's deadline comes first; that of a cancelled run.
    pub(super) async fn turn(&self, url: &Url) -> Result<SignedDuration> {
        let pacer = &*self.inner.pacer;
        if !pacer.limits() || !is_limited(url) {
            return Ok(SignedDuration::ZERO);
        }
        let began = self.clock().now();
        let mut ticket = pacer.join(began, self.tidies_up);
        let deadline = self.until.or_else(|| Asking::now().patient_until);
        if deadline.is_some_and(|deadline| ticket.due() > deadline) {
            drop(ticket);
            ticket = pacer.join(began, true);
        }
        if let Some(deadline) = self.until
            && ticket.due() > deadline.max(later(began, LATEST))
        {
            return Err(self.mask(too_fast(&self.address(), pacer.per_minute(), ticket.due().duration_since(began))));
        }
        self.wait_for(&mut ticket).await?;
        let waited = self.clock().since(began);
        if waited.is_positive() {
            self.inner.counter.lock().delayed();
        }
        Ok(waited)
    }

    async fn wait_for(&self, ticket: &mut Ticket<'_>) -> Result<()> {
        let pacer = &*self.inner.pacer;
        loop {
            let (now, due) = (self.clock().now(), ticket.due());
            if due > now {
                if let Some(per_minute) = pacer.per_minute()
                    && pacer.tells()
                {
                    self.tell(&format!(
                        "the server allows {per_minute} requests a minute: requests wait for their turn, this one {}",
                        show(due.duration_since(now))
                    ));
                }
                self.rest_until(due).await?;
            } else if self.cancel.guard(async { Ok(pacer.lets_go(ticket, self.clock()).await) }).await? {
                return Ok(());
            } else {
                // Never sooner than in a millisecond: what is due already must not spin.
                self.rest_until(ticket.due().max(later(now, SignedDuration::from_millis(1)))).await?;
            }
        }
    }

    /// Counts a request that is sent without waiting: where a redirect leads.
    pub(super) fn sent_at_once(&self, url: &Url) {
        if self.inner.pacer.limits() && is_limited(url) {
            self.inner.pacer.join(self.clock().now(), false).go();
        }
    }

    /// Keeps what the head of an answer to a request that was counted at that moment, or soon after it, says of the server's limit.
    pub(super) fn heard_of_limit(&self, url: &Url, counted_at: Timestamp, status: u16, headers: &HeaderMap) {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let limit = text("octopus-ratelimit-policy")
            .zip(text("octopus-ratelimit"))
            .and_then(|(policy, state)| Some((member(policy, "l")?, member(policy, "rpm").filter(|rate| *rate > 0)?, member(state, "r")?)));
        let pacer = &*self.inner.pacer;
        let mut retry_after = None;
        if status == 429 {
            self.inner.counter.lock().rejected();
            retry_after = text("retry-after").and_then(|value| self.pause_in(value.trim()));
        }
        if limit.is_some() || retry_after.is_some() {
            pacer.heard(self.clock().now(), counted_at, limit, retry_after);
        } else if (200..300).contains(&status) && pacer.limits() && is_limited(url) {
            pacer.did_not_count();
        }
    }
}

/// Whether a server may count requests to this address: those to its API, not those for what only a sandbox has.
fn is_limited(url: &Url) -> bool {
    url.path_segments().is_some_and(|mut segments| segments.any(|segment| segment == "api"))
}

/// The number `name` of a header `l=200;rpm=600`.
fn member(header: &str, name: &str) -> Option<u32> {
    header.split(';').find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('=')?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_of_the_headers_are_read() {
        assert_eq!([member("l=200;rpm=600", "l"), member("l=200; rpm=600", "rpm")], [Some(200), Some(600)]);
        assert_eq!([member("r=7;t=18", "r"), member("r=-1", "r"), member("rpm=6", "r"), member("", "r")], [Some(7), None, None, None]);
    }
}
