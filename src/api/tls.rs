//! Builds the HTTP client of [`super::client`] and reads its failures: which roots are trusted, and whether a request
//! can have reached the server.

use super::address::Base;
use super::answer::NoAnswer;
use crate::error::{Error, Kind, Result, with_causes};
use crate::trust::{self, Certificates};
use rustls_platform_verifier::Verifier;
use std::error::Error as StdError;
use std::sync::Arc;
use std::time::Duration;

/// Builds the HTTP client: no redirects of its own, ring for TLS, the platform's roots, or Mozilla's where there are none.
pub(crate) fn build(base: &Base, ca_cert: Option<&Certificates>) -> Result<reqwest::Client> {
    // Somebody may have installed a provider already; any will do.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = || {
        let builder = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(Duration::from_secs(10))
            // A connection the server has dropped meanwhile would put a write in doubt; proxies drop them after a minute.
            .pool_idle_timeout(Duration::from_secs(30))
            .pool_max_idle_per_host(64);
        if base.loopback { builder.no_proxy() } else { builder }
    };
    let broken = |error: &dyn StdError| Error::new(Kind::Usage, format!("the HTTP client cannot be set up: {}", with_causes(error)));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = match ca_cert {
        // Loading the platform's roots takes milliseconds that nobody needs here.
        _ if !base.tls => trust::verifier(None, provider.clone())?,
        None => match builder().build() {
            Ok(client) => return Ok(client),
            // A container without certificates: the platform verifier refuses to start.
            Err(_) => trust::verifier(None, provider.clone())?,
        },
        Some(own) => match Verifier::new_with_extra_roots(own.authorities(), provider.clone()) {
            Ok(platform) => own.clone().beside(Arc::new(platform)),
            Err(_) => trust::verifier(Some(own), provider.clone())?,
        },
    };
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| Error::bug(format!("TLS has no protocol versions: {e}")))?;
    let config = config.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth();
    builder().tls_backend_preconfigured(config).build().map_err(|e| broken(&e))
}

/// Reads why a request has no answer.
pub(crate) fn classify(error: &reqwest::Error, base: &Base) -> NoAnswer {
    if error.is_builder() {
        return NoAnswer::Hopeless(Error::bug(format!("a request could not be put together: {}", with_causes(error))));
    }
    if let Some(rustls::Error::InvalidCertificate(problem)) = source::<rustls::Error>(error) {
        use rustls::CertificateError::{Expired, ExpiredContext, NotValidForName, NotValidForNameContext};
        let untrusted = |why: &str| Error::new(Kind::Unreachable, format!("the certificate of `{base}` {why}: {problem}"));
        return NoAnswer::Hopeless(match problem {
            NotValidForName | NotValidForNameContext { .. } => {
                untrusted("is not for this host").help("give the server's address as its certificate names it")
            }
            Expired | ExpiredContext { .. } => untrusted("has expired").help("the server needs a new one"),
            _ => untrusted("is not trusted")
                .help("give the certificate authority of the server, or its own certificate if it has signed that itself: --ca-cert FILE, or OCTORHAI_CA_CERT"),
        });
    }
    if error.is_connect() {
        let why = source::<std::io::Error>(error).map_or_else(|| root(error), ToString::to_string);
        return NoAnswer::NotSent(format!("no connection to `{base}` ({})", without_number(&why)));
    }
    cut(&root(error))
}

/// The connection was cut.
pub(crate) fn cut(why: &str) -> NoAnswer {
    NoAnswer::Lost(format!("the connection broke before the answer came ({why})"))
}

/// Without the number that Rust writes behind the system's words.
fn without_number(text: &str) -> &str {
    text.rsplit_once(" (os error ").map_or(text, |(words, _)| words)
}

/// Looks for a `T` among the causes of an error.
fn source<'a, T: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<T>() {
            // An I/O error often only wraps the one that says more.
            return found.source().and_then(source::<T>).or(Some(found));
        }
        // `io::Error::source` skips what it wraps and goes on with that one's source.
        if let Some(found) = error.downcast_ref::<std::io::Error>().and_then(|io| io.get_ref()).and_then(|inner| {
            let inner: &(dyn StdError + 'static) = inner;
            source::<T>(inner)
        }) {
            return Some(found);
        }
        next = error.source();
    }
    None
}

/// The innermost cause.
pub(crate) fn root(error: &(dyn StdError + 'static)) -> String {
    let mut error = error;
    while let Some(inner) = error.source() {
        error = inner;
    }
    error.to_string()
}
