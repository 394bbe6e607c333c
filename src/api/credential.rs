//! How to log in, and where: a secret belongs to the address that it was configured with.

use super::address::Base;
use crate::{
    error::{Error, Result},
    transport::InProcess,
};
use reqwest::header::{HeaderMap, HeaderValue};
use std::{fmt, sync::Arc};

/// A server, and how to log in there.
///
/// The two are one value on purpose: a client is made of it, the secret cannot be taken out of it, and the address cannot be changed.
/// So no code can send a key to a server other than the one that it was given for.
#[derive(Clone)]
pub struct Credential {
    base: Base,
    secret: Secret,
    /// The server, when it is in this process.
    here: Option<Arc<dyn InProcess>>,
}

#[derive(Clone)]
enum Secret {
    None,
    ApiKey(String),
    AccessToken(String),
}

impl Credential {
    /// No secret: for the few documents that everybody may read.
    ///
    /// # Errors
    /// A usage error, without password, when `url` is not the address of a server.
    pub fn anonymous(url: &str) -> Result<Self> {
        Ok(Self { base: Base::parse(url)?, secret: Secret::None, here: None })
    }

    /// An API key for the server at `url`: header `X-Octopus-ApiKey`.
    ///
    /// # Errors
    /// As of [`Credential::anonymous`]; also for a key that no header can hold.
    pub fn api_key(url: &str, key: &str) -> Result<Self> {
        Self::anonymous(url)?.with(Secret::ApiKey(key.trim().to_owned()))
    }

    /// An access token for the server at `url`: header `Authorization: Bearer`.
    ///
    /// # Errors
    /// As of [`Credential::api_key`].
    pub fn access_token(url: &str, token: &str) -> Result<Self> {
        Self::anonymous(url)?.with(Secret::AccessToken(token.trim().to_owned()))
    }

    /// The same server, which is `server` in this process: requests go there without a socket.
    #[must_use]
    pub fn in_process(self, server: Arc<dyn InProcess>) -> Self {
        Self { here: Some(server), ..self }
    }

    /// An API key that the same server made.
    ///
    /// # Errors
    /// As of [`Credential::api_key`].
    pub fn with_key_of_the_same_server(&self, key: &str) -> Result<Self> {
        self.clone().with(Secret::ApiKey(key.trim().to_owned()))
    }

    fn with(self, secret: Secret) -> Result<Self> {
        let credential = Self { secret, ..self };
        credential.headers()?;
        Ok(credential)
    }

    /// The server's address in its normal form: [`super::base_address`].
    pub fn address(&self) -> String {
        self.base.to_string()
    }

    pub(super) fn base(&self) -> &Base {
        &self.base
    }

    /// The server, when it is in this process.
    pub(super) fn server_here(&self) -> Option<&Arc<dyn InProcess>> {
        self.here.as_ref()
    }

    pub(super) fn is_anonymous(&self) -> bool {
        matches!(self.secret, Secret::None)
    }

    /// Whether the secret is an API key that begins with this hint of a server.
    pub(super) fn is_api_key_that_begins(&self, hint: &str) -> bool {
        matches!(&self.secret, Secret::ApiKey(key) if !hint.is_empty() && key.starts_with(hint))
    }

    /// What tells this secret from others, and from which nobody learns it.
    pub(super) fn fingerprint(&self) -> String {
        uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, self.secret().unwrap_or_default().as_bytes()).simple().to_string()
    }

    /// The secret, to take it out of answers that echo it.
    pub(super) fn secret(&self) -> Option<&str> {
        match &self.secret {
            Secret::None => None,
            Secret::ApiKey(secret) | Secret::AccessToken(secret) => Some(secret.as_str()).filter(|secret| !secret.is_empty()),
        }
    }

    /// What a request carries.
    pub(super) fn headers(&self) -> Result<HeaderMap> {
        let (name, what, text) = match &self.secret {
            Secret::None => return Ok(HeaderMap::new()),
            Secret::ApiKey(key) => ("x-octopus-apikey", "API key", key.clone()),
            Secret::AccessToken(token) => ("authorization", "access token", format!("Bearer {token}")),
        };
        let value = HeaderValue::from_str(&text);
        let mut value = value.map_err(|_| Error::usage(format!("the {what} has characters that no HTTP header can hold")))?;
        value.set_sensitive(true);
        Ok(HeaderMap::from_iter([(reqwest::header::HeaderName::from_static(name), value)]))
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.secret {
            Secret::None => "nothing",
            Secret::ApiKey(_) => "an API key",
            Secret::AccessToken(_) => "an access token",
        };
        write!(f, "Credential({kind} for {})", self.base)
    }
}
