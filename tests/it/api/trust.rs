//! `--ca-cert`: which files are taken, and which servers are believed because of one.

use crate::support::{certificates::*, http::*};
use octorhai::{
    api::{Client, Credential, Settings},
    cancel::Cancel,
    clock::Clock,
    error::{Error, Kind},
    trust::Certificates,
};
use serde_json::Value;
use std::{fs, path::Path};

/// Asks the server as `host`.
async fn ask(server: &TlsServer, host: &str, trusted: Option<&Path>) -> Result<Value, Error> {
    let ca_cert = trusted.map(Certificates::read).transpose()?;
    let login = Credential::api_key(&format!("https://{host}:{}", server.port), KEY)?;
    Client::new(Settings { ca_cert, ..Settings::new(login, Clock::real(), Cancel::new()) })?.get("/api/spaces").await
}

/// Fails before a byte of the request is sent.
async fn is_refused(server: &TlsServer, host: &str, trusted: Option<&Path>, parts: &[&str]) {
    let error = ask(server, host, trusted).await.expect_err("it is not believed");
    let text = format!("{}\n{}", error.message(), error.hints().join("\n"));
    assert!(error.kind() == Kind::Unreachable && parts.iter().all(|part| text.contains(part)), "{:?}: {text}", error.kind());
    assert_eq!(server.heard(), "", "{text}");
}

#[tokio::test]
async fn self_signed_certificate_is_believed_when_it_is_given() {
    let mint = Mint::new();
    let other = mint.self_signed("other", &[]);
    mint.write("bare.cnf", "[req]\ndistinguished_name=d\n[d]\n");
    // As `openssl req -x509` makes it, which calls itself an authority; one that does not; and one that says nothing.
    for (name, more) in
        [("plain", &[][..]), ("leaf", &["-addext", "basicConstraints=critical,CA:FALSE"]), ("bare", &["-config", "bare.cnf"])]
    {
        let own = mint.self_signed(name, more);
        let server = TlsServer::showing(&own);
        for host in ["localhost", "127.0.0.1"] {
            ask(&server, host, Some(&own)).await.unwrap_or_else(|error| panic!("{name} {host}: {error:?}"));
            assert!(server.heard().contains(KEY), "{name}");
        }
        is_refused(&server, "localhost", None, &["is not trusted", "--ca-cert FILE", "OCTORHAI_CA_CERT"]).await;
        is_refused(&server, "localhost", Some(&other), &["is not trusted"]).await;
        // In a file with others.
        let both = [fs::read(&other).expect("read"), fs::read(&own).expect("read")].concat();
        ask(&server, "localhost", Some(&mint.write("both.pem", both))).await.expect("one of two");
        server.heard();
    }
}

#[tokio::test]
async fn certificate_of_another_host_is_not_believed_by_itself() {
    let mint = Mint::new();
    let own = mint.self_signed("elsewhere", &["-subj", "/CN=x", "-addext", "subjectAltName=DNS:octopus.example.com"]);
    is_refused(&TlsServer::showing(&own), "localhost", Some(&own), &["is not for this host", "as its certificate names it"]).await;
}

#[tokio::test]
async fn private_authority_is_believed_and_others_are_not() {
    let mint = Mint::new();
    let authority = mint.self_signed("authority", &["-subj", "/CN=our authority"]);
    let server = TlsServer::showing(&mint.signed_by("authority", "server"));
    ask(&server, "localhost", Some(&authority)).await.expect("it is signed by the authority");
    assert!(server.heard().contains(KEY));
    let stranger = mint.self_signed("stranger", &["-subj", "/CN=our authority"]);
    is_refused(&server, "localhost", Some(&stranger), &["is not trusted"]).await;
    // One that is no authority vouches for itself alone.
    let leaf = mint.self_signed("leaf", &["-addext", "basicConstraints=critical,CA:FALSE"]);
    let server = TlsServer::showing(&mint.signed_by("leaf", "by-leaf"));
    is_refused(&server, "localhost", Some(&leaf), &["is not trusted"]).await;
}

#[test]
fn file_that_holds_no_certificate_to_trust_is_refused() {
    let mint = Mint::new();
    let good = mint.self_signed("good", &[]);
    let (certificate, key) = (fs::read_to_string(&good).expect("read"), fs::read_to_string(mint.file("good.key")).expect("read"));
    mint.openssl(&["x509", "-in", "good.pem", "-outform", "der", "-out", "good.der"]);
    mint.openssl(&["x509", "-in", "good.pem", "-pubkey", "-noout", "-out", "public.pem"]);
    mint.openssl(&["req", "-new", "-key", "good.key", "-subj", "/CN=x", "-out", "request.pem"]);
    mint.openssl(&["pkcs8", "-topk8", "-in", "good.key", "-passout", "pass:x", "-out", "locked.key"]);
    mint.valid_between("old", "20200101000000Z", "20210101000000Z");
    mint.valid_between("young", "21000101000000Z", "21010101000000Z");
    let old = fs::read_to_string(mint.file("old.pem")).expect("read");
    mint.write("junk", "not a certificate\n");
    mint.write("empty", "");
    mint.write("blank", "\n\n \t\n");
    mint.write("bytes", [0x30, 0x82, 0xff, 0x00, 0xfe]);
    mint.write("large", vec![b'x'; 5 << 20]);
    mint.write("cut.pem", &certificate[..certificate.len() / 2]);
    mint.write("wrong.pem", certificate.replace("MII", "AAA"));
    mint.write("with-key.pem", format!("{certificate}{key}"));
    mint.write("both-old.pem", old.repeat(2));
    fs::create_dir(mint.file("folder")).expect("made");
    for (name, why) in [
        ("missing", "there is no such file"),
        ("folder", "it is a folder"),
        ("junk", "there is no certificate in PEM form in it"),
        ("empty", "it is empty"),
        ("blank", "it is empty"),
        ("bytes", "it is in the binary form DER"),
        ("good.der", "it is in the binary form DER"),
        ("large", "it has more than 4 MiB, the most we read"),
        ("cut.pem", "it is damaged"),
        ("wrong.pem", "its certificate cannot be read"),
        ("good.key", "it holds a private key"),
        ("locked.key", "it holds a private key"),
        ("with-key.pem", "it holds a private key"),
        ("public.pem", "it holds a public key, not a certificate"),
        ("request.pem", "it holds a request for a certificate"),
        ("old.pem", "its certificate expired on 2021-01-01"),
        ("young.pem", "its certificate is not valid before 2100-01-01"),
        ("both-old.pem", "none of the 2 certificates in it is valid today"),
    ] {
        let error = Certificates::read(&mint.file(name)).err().unwrap_or_else(|| panic!("{name} is taken"));
        let wanted = format!("the certificate file `{}` cannot be used: {why}", mint.file(name).display());
        assert!(error.kind() == Kind::Usage && error.message().starts_with(&wanted), "{name}: {error:?}");
    }
    #[cfg(unix)]
    assert!(Certificates::read(Path::new("/dev/zero")).expect_err("endless").message().ends_with("it is not a file but a device or pipe"));
    // An old one beside a good one does no harm.
    Certificates::read(&mint.write("old-and-good.pem", format!("{old}{certificate}"))).expect("one is good");
    Certificates::read(&mint.write("windows.pem", certificate.replace('\n', "\r\n"))).expect("line ends of Windows");
    Certificates::read(&mint.write("told.pem", format!("\u{feff}# our server\n{certificate}"))).expect("words in front of it");
}
