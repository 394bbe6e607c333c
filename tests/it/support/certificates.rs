//! Certificates made by `openssl`, and a server that shows one.

use rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use std::{
    fs,
    io::{Read, Write},
    net::TcpListener,
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, Mutex},
    thread,
};

/// Makes certificates in a folder of its own.
pub struct Mint(tempfile::TempDir);

impl Mint {
    pub fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    /// The file of this name.
    pub fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a file.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        fs::write(self.file(name), content).expect("written");
        self.file(name)
    }

    pub fn openssl(&self, arguments: &[&str]) {
        let made = Command::new("openssl").args(arguments).current_dir(self.0.path()).output().expect("openssl is installed");
        assert!(made.status.success(), "openssl {arguments:?}: {}", String::from_utf8_lossy(&made.stderr));
    }

    /// `NAME.pem` and `NAME.key`, signed by itself; for localhost unless `more` says otherwise.
    pub fn self_signed(&self, name: &str, more: &[&str]) -> PathBuf {
        let (key, certificate) = (format!("{name}.key"), format!("{name}.pem"));
        let own = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", &key, "-out", &certificate];
        let usual = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"];
        let usual = if more.contains(&"-subj") { &[][..] } else { &usual[..] };
        self.openssl(&[&own[..], usual, more].concat());
        self.file(&certificate)
    }

    /// `NAME.pem`, signed by itself, that is valid between two moments such as `20210101000000Z`.
    pub fn valid_between(&self, name: &str, from: &str, until: &str) -> PathBuf {
        let (key, request, certificate) = (format!("{name}.key"), format!("{name}.csr"), format!("{name}.pem"));
        let key_of = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", &key, "-out", &request];
        self.openssl(&[&["req", "-new", "-subj", "/CN=localhost"], &key_of[..]].concat());
        self.write("index.txt", "");
        self.write("serial", "01");
        let office = "[ca]\ndefault_ca=x\n[x]\ndatabase=index.txt\nunique_subject=no\nnew_certs_dir=.\ndefault_md=sha256\npolicy=p\nserial=serial\n[p]\ncommonName=supplied\n";
        self.write("office.cnf", office);
        let dates = ["-startdate", from, "-enddate", until, "-notext", "-out", &certificate];
        self.openssl(&[&["ca", "-config", "office.cnf", "-selfsign", "-batch", "-in", &request, "-keyfile", &key], &dates[..]].concat());
        self.file(&certificate)
    }

    /// The same as [`Mint::self_signed`], signed by the key of `by`.
    pub fn signed_by(&self, by: &str, name: &str) -> PathBuf {
        let (certificate, key) = (format!("{by}.pem"), format!("{by}.key"));
        self.self_signed(name, &["-CA", &certificate, "-CAkey", &key, "-days", "30", "-addext", "basicConstraints=critical,CA:FALSE"])
    }
}

/// A server that answers all with an empty page of spaces.
pub struct TlsServer {
    pub port: u16,
    heard: Arc<Mutex<Vec<u8>>>,
}

impl TlsServer {
    /// With the certificate `NAME.pem`.
    pub fn showing(certificate: &Path) -> Self {
        let chain = CertificateDer::pem_file_iter(certificate).expect("readable").collect::<Result<Vec<_>, _>>().expect("certificates");
        let key = PrivateKeyDer::from_pem_file(certificate.with_extension("key")).expect("a key");
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .expect("a certificate with its key");
        let config = Arc::new(config);
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let heard: Arc<Mutex<Vec<u8>>> = Arc::default();
        let kept = Arc::clone(&heard);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (config, kept) = (Arc::clone(&config), Arc::clone(&kept));
                thread::spawn(move || {
                    let mut stream = StreamOwned::new(ServerConnection::new(config).expect("a connection"), client);
                    let (mut head, mut part) = (Vec::new(), [0; 4096]);
                    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
                        match stream.read(&mut part) {
                            Ok(length @ 1..) => head.extend_from_slice(&part[..length]),
                            _ => return,
                        }
                    }
                    kept.lock().expect("no panic").extend_from_slice(&head);
                    let body = r#"{"Items":[{"Id":"Spaces-1","Name":"Default","IsDefault":true}],"TotalResults":1}"#;
                    let length = body.len();
                    let _gone = write!(
                        stream,
                        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
                    );
                    stream.conn.send_close_notify();
                    let _gone = stream.flush();
                });
            }
        });
        Self { port, heard }
    }

    /// The requests that were read since the last call: a key is in one only after the certificate was believed.
    pub fn heard(&self) -> String {
        String::from_utf8_lossy(&std::mem::take(&mut *self.heard.lock().expect("no panic"))).into_owned()
    }
}
