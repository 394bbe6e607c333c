//! The address of a PostgreSQL server: what may be shown of it, what TLS it asks for.
//!
//! On this machine TLS is used where the server has it. Beyond it a server must have it, with a certificate that is verified, unless the
//! address says `sslmode=disable`; then the password does not leave this machine as text either ([`super::plain`]).

use super::plain::Plain;
use crate::{
    error::{Error, Result, with_causes},
    trust::{self, Certificates},
    userinfo,
};
use rustls::{ClientConfig, client::danger::ServerCertVerifier};
use std::{path::Path, sync::Arc, time::Duration};
use tokio_postgres::config::{Config, Host, SslMode, SslNegotiation};
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
    secrecy: Secrecy,
}

/// What keeps a connection from being read by others.
#[derive(Clone, Debug)]
enum Secrecy {
    /// TLS, with a certificate that Mozilla's authorities or those of a file vouch for.
    Verified(Option<Certificates>),
    /// TLS where the server has it, with any certificate: on this machine.
    AnyCertificate,
    /// Nothing, because the address says so: on this machine.
    None,
    /// The same on the way to another machine.
    NoneByWish,
}

/// How to connect.
pub enum Connector {
    /// By TLS, where it is used.
    Tls(MakeRustlsConnect),
    /// Without, and without showing the password.
    Plain(Plain),
}

/// Whether an address is one of PostgreSQL.
pub fn is_one(address: &str) -> bool {
    address.starts_with("postgres://") || address.starts_with("postgresql://")
}

impl Address {
    /// Reads an address. Errors do not repeat it: it can hold a password.
    pub fn read(text: &str) -> Result<Self> {
        let wrong =
            |why: &str| Error::usage(format!("the address `{}` of the PostgreSQL store is wrong: {why}", userinfo::shown(text))).help(FORM);
        let mut url = Url::parse(text).map_err(|error| wrong(&error.to_string()))?;
        // Two things are not known to the driver: modes that verify, and the file with the authority.
        let (mut roots, mut mode, mut kept) = (None, None, Vec::new());
        for (name, value) in url.query_pairs() {
            if name == "sslmode" {
                mode = Some(value.clone().into_owned());
            }
            match (&*name, &*value) {
                ("sslrootcert", file) => roots = Some(Certificates::read(Path::new(file))?),
                ("sslmode", "verify-ca" | "verify-full") => kept.push((name.into_owned(), "require".to_owned())),
                ("sslmode", "allow") => kept.push((name.into_owned(), "prefer".to_owned())),
                _ => kept.push((name.into_owned(), value.into_owned())),
            }
        }
        url.set_query(None);
        if !kept.is_empty() {
            url.query_pairs_mut().extend_pairs(&kept);
        }
        let mut config: Config = url.as_str().parse().map_err(|error: tokio_postgres::Error| wrong(&with_causes(&error)))?;
        if config.get_hosts().is_empty() {
            return Err(wrong("it names no host"));
        }
        let secrecy = match (mode.as_deref(), is_here(&config)) {
            (Some("disable"), true) => Secrecy::None,
            (Some("disable"), false) => Secrecy::NoneByWish,
            // As from other clients: often a certificate of the server's own making.
            (None | Some("prefer" | "allow"), true) if roots.is_none() => Secrecy::AnyCertificate,
            (Some(weak @ ("prefer" | "allow")), false) => {
                return Err(Error::usage(format!(
                    "the address of the PostgreSQL store asks for `sslmode={weak}`, which trusts any server on the way to another machine"
                ))
                .help("leave `sslmode` out: then TLS is used and the certificate is verified; ?sslrootcert=FILE names the authority, or the certificate itself")
                .help("without TLS, where nobody can listen on the way: ?sslmode=disable"));
            }
            _ => Secrecy::Verified(roots),
        };
        match secrecy {
            Secrecy::Verified(_) if !is_here(&config) => drop(config.ssl_mode(SslMode::Require)),
            // The driver would answer a server that asks for the password as text. To it this is TLS without a question before it.
            Secrecy::NoneByWish => drop(config.ssl_mode(SslMode::Require).ssl_negotiation(SslNegotiation::Direct)),
            _ => {}
        }
        config.connect_timeout(LIMIT).tcp_user_timeout(LIMIT).keepalives_idle(LIMIT).application_name("octorhai");
        let password = config.get_password().map(|password| String::from_utf8_lossy(password).into_owned());
        url.set_query(None);
        let _ = url.set_password(None);
        Ok(Self { config, shown: url.to_string(), password, secrecy })
    }

    /// Whether everybody on the way can read and change what is sent to another machine.
    pub fn is_exposed(&self) -> bool {
        matches!(self.secrecy, Secrecy::NoneByWish)
    }

    /// A text without the password.
    pub fn clean(&self, text: &str) -> String {
        match self.password.as_deref().filter(|password| !password.is_empty()) {
            Some(password) => text.replace(password, "***"),
            None => text.to_owned(),
        }
    }

    /// What a connection is made with.
    pub fn connector(&self) -> Result<Connector> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier: Arc<dyn ServerCertVerifier> = match &self.secrecy {
            Secrecy::NoneByWish => return Ok(Connector::Plain(Plain)),
            Secrecy::Verified(own) => trust::verifier(own.as_ref(), provider.clone())?,
            Secrecy::AnyCertificate | Secrecy::None => trust::any_certificate(provider.clone())?,
        };
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| Error::bug(format!("TLS has no protocol versions: {error}")))?;
        let config = builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth();
        Ok(Connector::Tls(MakeRustlsConnect::new(config)))
    }
}

/// How an address is written.
const FORM: &str = "write it like postgres://user@host:5432/database, with the password in PGPASSWORD";

/// Whether all hosts of an address are this machine.
fn is_here(config: &Config) -> bool {
    // All others are sockets of this machine.
    #[allow(irrefutable_let_patterns, reason = "there are none on some systems")]
    let name = |host: &Host| {
        let Host::Tcp(name) = host else { return true };
        let name = name.trim_matches(['[', ']']).to_ascii_lowercase();
        name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
    };
    if config.get_hostaddrs().is_empty() {
        config.get_hosts().iter().all(name)
    } else {
        config.get_hostaddrs().iter().all(std::net::IpAddr::is_loopback)
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
        assert_eq!(address.shown, "postgres://ann@db.example:5433/runs");
        assert_eq!(address.config.get_ssl_mode(), SslMode::Require);
        assert_eq!(address.clean("no entry for s3/cret"), "no entry for ***");
        assert_eq!(with_password("postgres://ann:own@db/x", Some("other")), "postgres://ann:own@db/x");
        assert_eq!(with_password("/var/lib/octorhai", Some("other")), "/var/lib/octorhai");
    }

    #[test]
    fn tls_is_verified_beyond_this_machine_unless_it_is_switched_off() {
        for (address, mode, secrecy) in [
            ("db.example/x", SslMode::Require, "Verified(None)"),
            ("db.example/x?sslmode=require", SslMode::Require, "Verified(None)"),
            ("db.example/x?sslmode=verify-ca", SslMode::Require, "Verified(None)"),
            ("db.example/x?sslmode=verify-full", SslMode::Require, "Verified(None)"),
            ("10.0.0.1/x", SslMode::Require, "Verified(None)"),
            ("[2001:db8::1]/x", SslMode::Require, "Verified(None)"),
            ("localhost.example/x", SslMode::Require, "Verified(None)"),
            ("localhost/x?hostaddr=10.0.0.1", SslMode::Require, "Verified(None)"),
            ("localhost/x?host=db.example", SslMode::Require, "Verified(None)"),
            ("db.example/x?sslmode=disable", SslMode::Require, "NoneByWish"),
            ("localhost/x", SslMode::Prefer, "AnyCertificate"),
            ("LOCALHOST/x", SslMode::Prefer, "AnyCertificate"),
            ("127.0.0.9:5433/x?sslmode=prefer", SslMode::Prefer, "AnyCertificate"),
            ("[::1]/x?sslmode=allow", SslMode::Prefer, "AnyCertificate"),
            ("localhost/x?sslmode=require", SslMode::Require, "Verified(None)"),
            ("localhost/x?sslmode=disable", SslMode::Disable, "None"),
        ] {
            let read = Address::read(&format!("postgres://ann@{address}")).unwrap_or_else(|error| panic!("{address}: {error:?}"));
            assert_eq!((read.config.get_ssl_mode(), format!("{:?}", read.secrecy).as_str()), (mode, secrecy), "{address}");
            assert_eq!(read.is_exposed(), secrecy == "NoneByWish", "{address}");
        }
        for weak in ["prefer", "allow"] {
            let error = Address::read(&format!("postgres://ann:s3cret@db.example/x?sslmode={weak}")).err().expect("refused");
            let text = format!("{error:?}");
            assert!(
                error.message().contains(&format!("sslmode={weak}")) && text.contains("sslrootcert") && !text.contains("s3cret"),
                "{text}"
            );
        }
    }

    #[test]
    fn a_wrong_address_is_told_without_its_password() {
        for text in [
            "postgres://ann:s3cret@db:port/x",
            "postgres://ann:s3cret@db/x?sslmode=maybe",
            "postgres://",
            "postgres://ann@db:port/x?password=s3cret",
            "postgres://ann:s3cret@db/x?sslrootcert=nowhere.pem",
        ] {
            let error = Address::read(text).err().unwrap_or_else(|| panic!("{text}"));
            assert!(!format!("{error:?}").contains("s3cret"), "{error:?}");
            assert!(error.message().starts_with("the address `postgres://") || error.message().contains("nowhere.pem"), "{error:?}");
        }
    }
}
