//! The typed Octopus client, usable as a library by itself.

/// How to log in. Never printed.
#[derive(Clone)]
pub enum Credential {
    /// Header `X-Octopus-ApiKey`.
    ApiKey(String),
    /// Header `Authorization: Bearer`.
    AccessToken(String),
}
