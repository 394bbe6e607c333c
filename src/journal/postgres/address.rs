//! The address of a PostgreSQL server: what may be shown of it, what TLS it asks for.

use crate::error::{Error, Result};
use rustls::{
    ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
};
use std::{path::PathBuf, sync::Arc, time::Duration};
use tokio_postgres::config::{Config, SslMode};
use tokio_postgres_rustls::MakeRustlsConnect;
use url::Url;

/// How long a connection may take to come, and how long data may stay without an answer.
const LIMIT: Duration = Duration::from_secs(15);

/// Where and how to connect.
pub struct Address {
    /// For the driver.
    pub config: Config,
    /// For people.
    pub shown: String,
    password: Option<String>,
    verified: bool,
    roots: Option<PathBuf>,
}

/// Whether an address is one of PostgreSQL.
pub fn is_one(address: &str) -> bool {
    address.starts_with("postgres://") || address.starts_with("postgresql://")
}

impl Address {
    /// Reads an address. Errors do not repeat it: it can hold a password.
    pub fn read(text: &str) -> Result<Self> {
        let wrong = |why: &str| {
            Error::usage(format!("the address of the PostgreSQL store is wrong: {why}"))
                .help("write it like postgres://user@host:5432/database, with the password in PGPASSWORD")
        };
        let mut url = Url::parse(text).map_err(|error| wrong(&error.to_string()))?;
        // Two things are not known to the driver: modes that verify, and the file with the authority.
        let (mut roots, mut verified, mut kept) = (None, true, Vec::new());
        for (name, value) in url.query_pairs() {
            match (&*name, &*value) {
                ("sslrootcert", file) => roots = Some(PathBuf::from(file)),
                ("sslmode", "verify-ca" | "verify-full") => kept.push((name.into_owned(), "require".to_owned())),
                ("sslmode", "allow") => kept.push((name.into_owned(), "prefer".to_owned())),
                _ => kept.push((name.into_owned(), value.into_owned())),
            }
        }
        url.set_query(None);
        if !kept.is_empty() {
            url.query_pairs_mut().extend_pairs(&kept);
        }
        let mut config: Config = url.as_str().parse().map_err(|error: tokio_postgres::Error| wrong(&super::words(&error)))?;
        if config.get_hosts().is_empty() {
            return Err(wrong("it names no host"));
        }
        if config.get_ssl_mode() == SslMode::Prefer {
            // Whoever does not insist on TLS gets what the server has, as from other clients: often a certificate of its own making.
            verified = roots.is_some();
        }
        config.connect_timeout(LIMIT).tcp_user_timeout(LIMIT).keepalives_idle(LIMIT).application_name("octorhai");
        let password = config.get_password().map(|password| String::from_utf8_lossy(password).into_owned());
        url.set_query(None);
        let _ = url.set_password(None);
        Ok(Self { config, shown: url.to_string(), password, verified, roots })
    }

    /// A text without the password.
    pub fn clean(&self, text: &str) -> String {
        match self.password.as_deref().filter(|password| !password.is_empty()) {
            Some(password) => text.replace(password, "***"),
            None => text.to_owned(),
        }
    }

    /// What TLS is made with.
    pub fn tls(&self) -> Result<MakeRustlsConnect> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|error| Error::bug(format!("TLS has no protocol versions: {error}")))?;
        let config = if self.verified {
            let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
            if let Some(file) = &self.roots {
                let broken = |why: String| {
                    Error::usage(format!("the certificate file `{}` cannot be used: {why}", file.display()))
                        .help("`sslrootcert` must name a file with certificates in PEM form")
                };
                let own = roots.len();
                for certificate in CertificateDer::pem_file_iter(file).map_err(|error| broken(error.to_string()))? {
                    roots.add(certificate.map_err(|error| broken(error.to_string()))?).map_err(|error| broken(error.to_string()))?;
                }
                if roots.len() == own {
                    return Err(broken("there is no certificate in it".to_owned()));
                }
            }
            builder.with_root_certificates(roots)
        } else {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(Anybody(provider)))
        };
        Ok(MakeRustlsConnect::new(config.with_no_client_auth()))
    }
}

/// Takes any certificate, but makes sure that the other side has its key.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// The address with a password where it has none: from a variable, so that it stands on no command line.
pub fn with_password(address: &str, password: Option<&str>) -> String {
    if let (Ok(mut url), Some(password)) = (Url::parse(address), password)
        && is_one(address)
        && url.password().is_none()
        && url.set_password(Some(password)).is_ok()
    {
        return url.to_string();
    }
    address.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_used_and_not_shown() {
        let text = with_password("postgres://ann@db.example:5433/runs?sslmode=verify-full", Some("s3/cret"));
        let address = Address::read(&text).expect("an address");
        assert_eq!(address.config.get_password(), Some(&b"s3/cret"[..]));
        assert_eq!((address.shown.as_str(), address.verified), ("postgres://ann@db.example:5433/runs", true));
        assert_eq!(address.config.get_ssl_mode(), SslMode::Require);
        assert_eq!(address.clean("no entry for s3/cret"), "no entry for ***");
        assert_eq!(with_password("postgres://ann:own@db/x", Some("other")), "postgres://ann:own@db/x");
        assert_eq!(with_password("/var/lib/octorhai", Some("other")), "/var/lib/octorhai");
    }

    #[test]
    fn a_wrong_address_is_not_repeated() {
        for text in ["postgres://ann:s3cret@db:port/x", "postgres://ann:s3cret@db/x?sslmode=maybe", "postgres://"] {
            let error = Address::read(text).err().unwrap_or_else(|| panic!("{text}"));
            assert!(
                error.message().starts_with("the address of the PostgreSQL store is wrong") && !format!("{error:?}").contains("s3cret")
            );
        }
    }
}
