//! Certificates that people trust beside those of the machine: a file that is read whole before anything is sent, and what it changes
//! about whom a TLS connection believes.
//!
//! A certificate of an authority is trusted as the system's authorities are. Any certificate of the file is trusted itself, too: a server
//! that shows this very certificate is believed, for its name and as long as it is valid. That is how a self-signed certificate works,
//! whether or not it says that it is one of an authority.

use crate::{
    clock::Clock,
    error::{Error, Result},
    platform::files,
};
use jiff::Timestamp;
use rustls::{
    CertificateError, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_name,
    },
    crypto::CryptoProvider,
    pki_types::{
        CertificateDer, ServerName, UnixTime,
        pem::{PemObject, SectionKind},
    },
    server::ParsedCertificate,
};
use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};
use x509_cert::{
    Certificate as Parsed,
    der::{Decode as _, Encode as _},
    ext::pkix::BasicConstraints,
};

/// Files with certificates are not larger; those of a whole system have 250 KB.
const LARGEST_FILE: u64 = 4 << 20;

/// Certificates from a file, looked at: there is at least one, each can be read, and one is valid now. Clones share them.
#[derive(Clone)]
pub struct Certificates {
    file: PathBuf,
    all: Arc<Vec<Trusted>>,
}

struct Trusted {
    certificate: CertificateDer<'static>,
    /// Whether it may sign others: only then others are believed because of it.
    is_authority: bool,
    valid: (Timestamp, Timestamp),
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificates({})", self.file.display())
    }
}

impl Certificates {
    /// Reads a file in PEM form.
    ///
    /// # Errors
    /// Usage errors for all that is not such a file: none, a folder, empty, without a certificate, in DER form, with a private key in it,
    /// larger than 4 MiB; and when no certificate in it is valid now.
    pub fn read(file: &Path) -> Result<Self> {
        let refuse = |why: &str| Error::usage(format!("the certificate file `{}` cannot be used: {why}", file.display())).help(FORM);
        let bytes = files::read(file, LARGEST_FILE).map_err(|why| refuse(&why.to_string()))?;
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return Err(refuse("it is empty"));
        }
        // A sequence of DER; PEM begins with a text.
        if bytes.starts_with(&[0x30]) && !bytes.is_ascii() {
            let pem = file.with_extension("pem");
            return Err(refuse("it is in the binary form DER").help(format!(
                "convert it: openssl x509 -inform der -in {} -out {}",
                file.display(),
                pem.display()
            )));
        }
        let (mut certificates, mut others) = (Vec::new(), Vec::new());
        for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(&bytes) {
            match section.map_err(|error| refuse(&format!("it is damaged ({error})")))? {
                (SectionKind::Certificate, der) => certificates.push(CertificateDer::from(der)),
                (kind, _) => others.push(kind),
            }
        }
        // Also an encrypted one, which is none of the known sections.
        if bytes.windows(KEY.len()).any(|window| window == KEY) {
            return Err(refuse("it holds a private key, which belongs on the server alone").help("name a file with the certificate alone"));
        }
        if certificates.is_empty() {
            return Err(refuse(match others.first() {
                Some(SectionKind::Csr) => "it holds a request for a certificate, not a certificate",
                Some(SectionKind::PublicKey) => "it holds a public key, not a certificate",
                _ => "there is no certificate in PEM form in it",
            }));
        }
        let count = certificates.len();
        let which =
            |number: usize| if count == 1 { "its certificate".to_owned() } else { format!("certificate {number} of {count} in it") };
        let mut all = Vec::new();
        for (at, certificate) in certificates.into_iter().enumerate() {
            let trusted = Trusted::read(certificate).map_err(|why| refuse(&format!("{} cannot be read ({why})", which(at + 1))))?;
            all.push(trusted);
        }
        let now = Clock::real().now();
        if !all.iter().any(|one| one.valid.0 <= now && now <= one.valid.1) {
            let (from, until) = all[0].valid;
            return Err(refuse(&match count {
                1 if until < now => format!("its certificate expired on {}", until.strftime("%Y-%m-%d")),
                1 => format!("its certificate is not valid before {}", from.strftime("%Y-%m-%d")),
                _ => format!("none of the {count} certificates in it is valid today"),
            })
            .help("get the server's or the authority's present certificate"));
        }
        Ok(Self { file: file.to_owned(), all: Arc::new(all) })
    }

    /// Those of authorities.
    pub fn authorities(&self) -> impl Iterator<Item = CertificateDer<'static>> + '_ {
        self.all.iter().filter(|one| one.is_authority).map(|one| one.certificate.clone())
    }

    /// The authorities of Mozilla and those of `own`.
    pub fn roots(own: Option<&Self>) -> RootCertStore {
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        // Each was added to another store when it was read.
        roots.add_parsable_certificates(own.into_iter().flat_map(Self::authorities));
        roots
    }

    /// Believes whom `others` believes, and servers that show one of these certificates.
    pub fn beside(self, others: Arc<dyn ServerCertVerifier>) -> Arc<dyn ServerCertVerifier> {
        Arc::new(Beside { others, own: Some(self) })
    }
}

/// Believes servers by the authorities of Mozilla, and by `own`.
///
/// # Errors
/// Only when the crypto provider cannot verify signatures.
pub fn verifier(own: Option<&Certificates>, provider: Arc<CryptoProvider>) -> Result<Arc<dyn ServerCertVerifier>> {
    let roots = Arc::new(Certificates::roots(own));
    let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider).build();
    let verifier: Arc<dyn ServerCertVerifier> = verifier.map_err(|why| Error::bug(format!("certificates cannot be verified: {why}")))?;
    Ok(match own {
        Some(own) => own.clone().beside(verifier),
        None => verifier,
    })
}

/// What a file must be.
const FORM: &str = "it must hold certificates in PEM form, `-----BEGIN CERTIFICATE-----`: the server's own, or its authority's";

/// The end of each line that begins a private key.
const KEY: &[u8] = b"PRIVATE KEY-----";

impl Trusted {
    fn read(certificate: CertificateDer<'static>) -> std::result::Result<Self, String> {
        let parsed = Parsed::from_der(&certificate).map_err(|why| why.to_string())?;
        let about = &parsed.tbs_certificate;
        let moment = |time: x509_cert::time::Time| {
            i64::try_from(time.to_unix_duration().as_secs()).ok().and_then(|seconds| Timestamp::from_second(seconds).ok())
        };
        let valid = (moment(about.validity.not_before), moment(about.validity.not_after));
        let (Some(from), Some(until)) = valid else { return Err("its dates are out of range".to_owned()) };
        let basic = about.get::<BasicConstraints>().map_err(|why| why.to_string())?;
        let is_self_signed = about.issuer.to_der().ok() == about.subject.to_der().ok();
        // Authorities of before 1996 do not say that they are.
        let is_authority = basic.map_or(about.version == x509_cert::Version::V1 && is_self_signed, |(_, basic)| basic.ca);
        if is_authority {
            RootCertStore::empty().add(certificate.clone()).map_err(|why| why.to_string())?;
        }
        Ok(Self { certificate, is_authority, valid: (from, until) })
    }
}

/// Believes servers whatever certificate they show, as long as they have its key.
///
/// # Errors
/// Only when the crypto provider cannot verify signatures.
pub fn any_certificate(provider: Arc<CryptoProvider>) -> Result<Arc<dyn ServerCertVerifier>> {
    Ok(Arc::new(Beside { others: verifier(None, provider)?, own: None }))
}

/// Checks signatures as `others` does, and believes more certificates.
#[derive(Debug)]
struct Beside {
    others: Arc<dyn ServerCertVerifier>,
    /// These beside those that `others` believes; all that there are without.
    own: Option<Certificates>,
}

impl ServerCertVerifier for Beside {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        stapled: &[u8],
        now: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        let Some(own) = &self.own else { return Ok(ServerCertVerified::assertion()) };
        let error = match self.others.verify_server_cert(certificate, chain, name, stapled, now) {
            Ok(verified) => return Ok(verified),
            Err(error) => error,
        };
        let is_revoked = matches!(error, rustls::Error::InvalidCertificate(CertificateError::Revoked));
        let Some(own) = own.all.iter().find(|own| own.certificate == *certificate).filter(|_| !is_revoked) else {
            return Err(error);
        };
        let now = i64::try_from(now.as_secs()).ok().and_then(|seconds| Timestamp::from_second(seconds).ok()).unwrap_or(Timestamp::MAX);
        if now < own.valid.0 {
            return Err(CertificateError::NotValidYet.into());
        }
        if own.valid.1 < now {
            return Err(CertificateError::Expired.into());
        }
        verify_server_name(&ParsedCertificate::try_from(certificate)?, name)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        self.others.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        self.others.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.others.supported_verify_schemes()
    }
}
