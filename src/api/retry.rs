//! Between two attempts: how long to pause, when to give up, and what is said then.

use super::answer::Answer;
use crate::clock::text::show;
use crate::error::{Error, Kind};
use jiff::{SignedDuration, Timestamp};

/// Why an attempt did not succeed, and until when there may be others.
pub(crate) struct Setback {
    /// In words, e.g. `the server answers 502`.
    pub(crate) last: String,
    /// The pause the server asks for.
    pub(crate) asked: Option<SignedDuration>,
    /// No attempt after this.
    pub(crate) limit: Timestamp,
    /// What a server said that is there, but is asked too often.
    limited: Option<String>,
    /// What is wrong with an answer that was not Octopus's, and whether Octopus has answered before.
    odd: Option<(Error, bool)>,
}

/// How often an address is asked that has never answered as Octopus does: it may be a wrong one.
const FIRST_TRIES: u32 = 3;

impl Setback {
    /// The server answered, but not yet what was wanted.
    pub(crate) fn answered(answer: &Answer, limit: Timestamp) -> Self {
        let summary = answer.summary();
        Self {
            last: format!("the server answers {summary}"),
            asked: answer.retry_after,
            limit,
            limited: (answer.status == 429).then_some(summary),
            odd: None,
        }
    }

    /// Nothing was heard of the server.
    pub(crate) fn silent(why: String, limit: Timestamp) -> Self {
        Self { last: why, asked: None, limit, limited: None, odd: None }
    }

    /// Somebody else than Octopus answered. `known`: Octopus has answered at this address before.
    pub(crate) fn odd(error: Error, limit: Timestamp, known: bool) -> Self {
        Self { last: error.message().to_owned(), asked: None, limit, limited: None, odd: Some((error, known)) }
    }

    /// Whether the server is there and answers, and only wants to be asked less often.
    pub(crate) fn is_limited(&self) -> bool {
        self.limited.is_some()
    }

    /// Whether nobody ever answered as Octopus does at this address.
    fn is_of_a_stranger(&self) -> bool {
        self.odd.as_ref().is_some_and(|(_, known)| !known)
    }

    /// How long it is tried again, in words.
    pub(crate) fn how_long(&self, left: SignedDuration) -> String {
        if self.is_of_a_stranger() { format!("{} more times", FIRST_TRIES - 1) } else { format!("for up to {}", show(left)) }
    }

    /// The error of an address at which nobody ever answered as Octopus does, when that was the last of the tries it has.
    pub(crate) fn first_and_last(&self, attempt: u32) -> Option<&Error> {
        self.odd.as_ref().filter(|_| self.is_of_a_stranger() && attempt + 1 >= FIRST_TRIES).map(|(error, _)| error)
    }

    /// Whether another attempt cannot be made in the time that is left.
    pub(crate) fn is_hopeless(&self, left: SignedDuration) -> bool {
        left <= SignedDuration::ZERO || self.asked.is_some_and(|asked| asked > left)
    }

    /// The error of who gives up.
    pub(crate) fn error(&self, server: &str, tried: SignedDuration, left: SignedDuration) -> Error {
        if let Some(summary) = &self.limited {
            return self.too_often(summary, server, tried, left);
        }
        if let Some((odd, _)) = &self.odd {
            let text = format!("the server at `{server}` does not answer as Octopus does: {}; tried for {}", self.last, show(tried));
            let error = odd.hints().iter().fold(Error::new(Kind::Unreachable, text), Error::help);
            return odd.facts().iter().fold(error, |error, (name, value)| error.with(name, value.clone()));
        }
        let mut text = format!("the server at `{server}` cannot be reached: {}; tried for {}", self.last, show(tried));
        if let Some(asked) = self.asked.filter(|asked| *asked > left) {
            text = format!("{text}, and it wants a pause of {}", show(asked));
        }
        Error::new(Kind::Unreachable, text)
    }

    /// A server with a rate limiting policy is well, and another address would not help (octopus-api.md §7.3).
    fn too_often(&self, summary: &str, server: &str, tried: SignedDuration, left: SignedDuration) -> Error {
        let pause = match self.asked {
            Some(asked) => format!("it wants a pause of {} (Retry-After)", show(asked)),
            None => "it names no pause (no Retry-After)".to_owned(),
        };
        let obeyed = match (self.asked, tried.is_positive()) {
            (Some(asked), false) => format!("{} is the longest we wait for it now", show(left.min(asked).max(SignedDuration::ZERO))),
            (Some(_), true) => format!("its pauses were kept for {}", show(tried)),
            (None, _) => format!("asked again with growing pauses for {}", show(tried)),
        };
        let error =
            Error::new(Kind::Unreachable, format!("the server at `{server}` limits requests: it answers {summary}; {pause}, and {obeyed}"))
                .help("ask less often: fewer runs at a time, longer intervals in loops of your own")
                .help("run with another account, each has a limit of its own; or ask for a higher rate limiting policy on the server")
                .with("status", 429);
        match self.asked {
            Some(asked) => error.with("retry_after", asked.as_secs()),
            None => error,
        }
    }
}

/// The error of a request whose turn comes too late, as far as the server's limit is known.
pub(crate) fn too_fast(server: &str, per_minute: Option<i64>, wait: SignedDuration) -> Error {
    let limit = per_minute.map_or_else(|| "limits requests".to_owned(), |rate| format!("allows {rate} requests a minute"));
    let text = format!("the server at `{server}` {limit}, and the turn of this one comes in {}, later than it is waited for", show(wait));
    Error::new(Kind::Unreachable, text)
        .help("ask less often: fewer runs at a time, longer intervals in loops of your own")
        .help("run with another account, each has a limit of its own; or ask for a higher rate limiting policy on the server")
}

/// Half a second, doubled each time up to half a minute, spread by a fifth so that many clients do not come at once.
/// The spread follows from path and attempt, so that a run can be repeated to the byte.
pub(crate) fn backoff(path: &str, attempt: u32) -> SignedDuration {
    let base = 500_i64 << attempt.min(6);
    let hash = path.bytes().fold(u64::from(attempt) + 0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
    let spread = (hash >> 16) % 41; // 0..=40 percent, less 20
    SignedDuration::from_millis((base * (80 + spread as i64) / 100).min(30_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_of_requests_is_not_an_unreachable_server() {
        let minute = SignedDuration::from_secs(60);
        let setback = |asked, limited: Option<&str>| Setback {
            last: "the server answers 502".into(),
            asked,
            limit: Timestamp::UNIX_EPOCH,
            limited: limited.map(str::to_owned),
            odd: None,
        };
        let said = |s: &Setback| s.error("http://octo", minute * 5, SignedDuration::ZERO).message().to_owned();
        assert_eq!(said(&setback(None, None)), "the server at `http://octo` cannot be reached: the server answers 502; tried for 5m");
        assert_eq!(
            said(&setback(Some(minute), Some("429 Too Many Requests"))),
            "the server at `http://octo` limits requests: it answers 429 Too Many Requests; it wants a pause of 1m (Retry-After), and its pauses were kept for 5m"
        );
        let error = setback(None, Some("429")).error("http://octo", minute, SignedDuration::ZERO);
        assert_eq!(error.kind(), Kind::Unreachable);
    }

    #[test]
    fn backoff_grows_to_half_a_minute_and_repeats() {
        let pauses: Vec<_> = (0..12).map(|attempt| backoff("/api/tasks", attempt)).collect();
        assert!(pauses[0] >= SignedDuration::from_millis(400) && pauses[0] <= SignedDuration::from_millis(600));
        assert!(pauses[11] >= SignedDuration::from_secs(24) && pauses[11] <= SignedDuration::from_secs(30));
        assert_eq!(pauses, (0..12).map(|attempt| backoff("/api/tasks", attempt)).collect::<Vec<_>>());
    }
}
