//! Writes that may be done twice: sent, looked for, and sent again.
//!
//! A proxy delivers a request twice and hands on the second answer, a refusal of what is done already. An answer is lost, or a request
//! is under way for minutes. In all of these the state of the server says whether what was asked for is there.

use super::client::Client;
use crate::error::{Error, Kind, Result};
use jiff::SignedDuration;

/// Requests in all; the pauses between them double from one second.
const ATTEMPTS: u32 = 6;

/// Whether an error leaves open what the server did: a refusal that is cut, or not in Octopus's words, says nothing either.
pub(super) fn is_doubt(error: &Error) -> bool {
    matches!(error.kind(), Kind::InDoubt | Kind::BadAnswer)
}

impl Client {
    /// Sends what does no harm when it is done twice. After a lost answer, and after a refusal, `look` says whether the server is as it
    /// was asked to be; if not, what was lost is sent again, and what was refused is refused.
    pub(crate) async fn repeat<T, S: Future<Output = Result<T>>, L: Future<Output = Result<Option<T>>>>(
        &self,
        send: impl Fn() -> S,
        look: impl Fn() -> L,
    ) -> Result<T> {
        let mut pause = SignedDuration::from_secs(1);
        let mut attempt = 1;
        loop {
            let error: Error = match send().await {
                Err(error) if is_doubt(&error) || error.kind().is_refusal() || error.kind() == Kind::NotFound => error,
                other => return other,
            };
            if let Some(done) = look().await? {
                return Ok(done);
            }
            if !is_doubt(&error) || attempt == ATTEMPTS {
                return Err(error);
            }
            self.rest(pause).await?;
            pause *= 2;
            attempt += 1;
        }
    }
}
