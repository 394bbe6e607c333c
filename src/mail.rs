//! E-mail over SMTP: one letter in, tried again while that helps, one clear error out.

mod letter;
mod plain;

pub use letter::{Attachment, Letter, one_line};

use crate::{
    clock::{self, Clock},
    crash,
    error::{Error, Kind, Result},
};
use jiff::SignedDuration;
use lettre::{
    address::Envelope,
    message::Mailbox,
    transport::smtp::{
        authentication::{Credentials, Mechanism},
        client::{AsyncSmtpConnection, TlsParameters},
        extension::ClientId,
    },
};
use percent_encoding::percent_decode_str;
use std::{borrow::Cow, time::Duration};
use url::{Host, Url};

/// Waits before the second, third and fourth try.
const BACKOFF: [SignedDuration; 3] = [SignedDuration::from_secs(1), SignedDuration::from_secs(5), SignedDuration::from_secs(20)];
/// Real time for connecting, and for one whole conversation with the server.
const CONNECT_LIMIT: Duration = Duration::from_secs(20);
const SEND_LIMIT: Duration = Duration::from_secs(120);

const FORMS: &str =
    "write it like `smtp://user:password@mail.example.com:587`, `smtps://user:password@mail.example.com` or `smtp://127.0.0.1:2525`";

/// Sends letters to one SMTP server.
#[derive(Clone)]
pub struct Mailer {
    /// What messages call the server instead of its address.
    shown: Option<String>,
    host: String,
    port: u16,
    tls: Tls,
    login: Option<Login>,
    from: Option<Mailbox>,
    clock: Clock,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Tls {
    Never,
    WhenOffered,
    Required,
    FromTheStart,
}

#[derive(Clone)]
struct Login {
    user: String,
    password: String,
}

/// Why one try failed.
struct Failure {
    words: String,
    again: bool,
}

impl Mailer {
    /// A mailer for the server at `url`; nothing is connected yet.
    ///
    /// * `smtps://host` speaks TLS from the start (port 465).
    /// * `smtp://host` (port 587) takes STARTTLS when the server offers it, and insists on it when there is a password
    ///   or `?tls=required`. `?tls=none` never asks for it, and is refused together with a password.
    /// * `smtp://127.0.0.1:2525`, `[::1]` and `localhost` are plain unless `?tls=required` is said.
    ///
    /// User and password are percent-encoded in the URL. `from` is the sender of letters that name none.
    ///
    /// # Errors
    /// [`Kind::Usage`] when the URL or the sender is wrong; neither shows the password.
    pub fn new(url: &str, from: Option<&str>, clock: Clock) -> Result<Self> {
        let wrong = |why: &str| Error::usage(format!("the mail server's URL is wrong: {why}")).help(FORMS);
        let url = Url::parse(url).map_err(|e| wrong(&e.to_string()))?;
        let host = match url.host_str() {
            Some(host) if !host.is_empty() => host.trim_matches(['[', ']']).to_owned(),
            _ => return Err(wrong("it names no host")),
        };
        let loopback = match host.parse::<std::net::IpAddr>().ok() {
            Some(address) => address.is_loopback(),
            None => {
                matches!(url.host(), Some(Host::Domain(name)) if name.eq_ignore_ascii_case("localhost"))
                    || host.eq_ignore_ascii_case("localhost")
            }
        };
        let decode =
            |text: &str| percent_decode_str(text).decode_utf8().map(Cow::into_owned).map_err(|_| wrong("user or password is not UTF-8"));
        let login = match (url.username(), url.password()) {
            ("", None) => None,
            (user, password) => Some(Login { user: decode(user)?, password: decode(password.unwrap_or_default())? }),
        };
        let mut said = None;
        for (name, value) in url.query_pairs() {
            match (&*name, &*value) {
                ("tls", "required") => said = Some(Tls::Required),
                ("tls", "none") => said = Some(Tls::Never),
                ("tls", _) => return Err(wrong("`tls` is `required` or `none`")),
                _ => return Err(wrong(&format!("`{name}` is no option of it; there is `tls`"))),
            }
        }
        let tls = match (url.scheme(), said) {
            ("smtps", None | Some(Tls::Required)) => Tls::FromTheStart,
            ("smtps", _) => return Err(wrong("`smtps` always speaks TLS; `tls=none` contradicts it")),
            ("smtp", Some(Tls::Never)) if login.is_some() && !loopback => {
                return Err(wrong("a password is not sent without TLS to another machine").help("leave `?tls=none` out, or use `smtps://`"));
            }
            ("smtp", Some(tls)) => tls,
            ("smtp", None) if loopback => Tls::Never,
            ("smtp", None) if login.is_some() => Tls::Required,
            ("smtp", None) => Tls::WhenOffered,
            (other, _) => return Err(wrong(&format!("`{other}` is not `smtp` or `smtps`"))),
        };
        let port = url.port().unwrap_or(if tls == Tls::FromTheStart { 465 } else { 587 });
        let from = from.map(sender).transpose()?;
        Ok(Self { shown: None, host, port, tls, login, from, clock })
    }

    /// The same mailer, called `name` in messages: a sandbox's address is another one each time.
    #[must_use]
    pub fn shown_as(self, name: impl Into<String>) -> Self {
        Self { shown: Some(name.into()), ..self }
    }

    /// The same mailer with a sender for letters that name none.
    ///
    /// # Errors
    /// [`Kind::Usage`] when that is no address.
    pub fn written_by(self, from: &str) -> Result<Self> {
        Ok(Self { from: Some(sender(from)?), ..self })
    }

    /// Whether it knows a sender for letters that name none.
    pub fn has_sender(&self) -> bool {
        self.from.is_some()
    }

    /// Where letters go, for people: `mail.example.com:587`.
    pub fn server(&self) -> String {
        self.shown.clone().unwrap_or_else(|| format!("{}:{}", self.host, self.port))
    }

    /// Sends one letter. Lost connections and 4xx answers are tried again three times, after 1, 5 and 20 seconds of the clock's
    /// time (on a virtual clock the caller holds a [`clock::Busy`] token). The server takes the letter for all recipients or for none.
    ///
    /// When the connection is lost after the server had the letter, it may arrive twice; both carry the same `Message-ID`,
    /// by which mail servers recognise them.
    ///
    /// # Errors
    /// [`Kind::Mail`] with the server's own words, and the fact `temporary` when a later try may succeed; an address that is none is named.
    pub async fn send(&self, letter: &Letter) -> Result<()> {
        let (envelope, bytes) = letter::written(letter, self.from.as_ref(), self.clock.now())?;
        let mut waits = BACKOFF.iter();
        let mut tries = 1;
        loop {
            crash::point("mail: before", "a letter");
            let tried = self.limited(&envelope, &bytes).await;
            crash::point("mail: after", "a letter");
            let Err(failure) = tried else { return Ok(()) };
            match waits.next() {
                Some(wait) if failure.again => {
                    tracing::debug!(server = self.server(), why = failure.words, "mail not sent, trying again");
                    tries += 1;
                    self.clock.sleep(*wait).await;
                }
                _ => return Err(self.error(&failure, tries)),
            }
        }
    }

    /// Tries once. See [`Mailer::send`].
    ///
    /// # Errors
    /// [`Kind::Mail`], with the fact `temporary` when another try may succeed.
    pub async fn send_once(&self, letter: &Letter) -> Result<()> {
        let (envelope, bytes) = letter::written(letter, self.from.as_ref(), self.clock.now())?;
        crash::point("mail: before", "a letter");
        let tried = self.limited(&envelope, &bytes).await;
        crash::point("mail: after", "a letter");
        tried.map_err(|failure| self.error(&failure, 1))
    }

    fn error(&self, failure: &Failure, tries: u32) -> Error {
        let words = match &self.login {
            Some(login) if !login.password.is_empty() => failure.words.replace(&login.password, "***"),
            _ => failure.words.clone(),
        };
        let tried = if tries > 1 { format!(" (tried {tries} times)") } else { String::new() };
        let error = Error::new(Kind::Mail, format!("the mail server `{}` did not take the mail{tried}: {words}", self.server()));
        if failure.again { error.with("temporary", true) } else { error }
    }

    async fn limited(&self, envelope: &Envelope, bytes: &[u8]) -> Result<(), Failure> {
        let silent = || Failure { words: format!("no answer within {} seconds", SEND_LIMIT.as_secs()), again: true };
        clock::real_limit(SEND_LIMIT, self.once(envelope, bytes)).await.unwrap_or_else(|| Err(silent()))
    }

    /// One conversation. lettre's own transport reports a failed QUIT as a failure of the letter, which would send it again; so the steps are ours.
    async fn once(&self, envelope: &Envelope, bytes: &[u8]) -> Result<(), Failure> {
        let hello = ClientId::default();
        let parameters = || TlsParameters::new(self.host.clone());
        let first = if self.tls == Tls::FromTheStart { Some(parameters()?) } else { None };
        let mut connection =
            AsyncSmtpConnection::connect_tokio1((self.host.as_str(), self.port), Some(CONNECT_LIMIT), &hello, first, None).await?;
        match self.tls {
            Tls::Required if !connection.can_starttls() => {
                connection.abort().await;
                return Err(Failure { words: "it does not offer STARTTLS, which is required here".to_owned(), again: false });
            }
            Tls::Required | Tls::WhenOffered if connection.can_starttls() => connection.starttls(parameters()?, &hello).await?,
            _ => {}
        }
        if let Some(login) = &self.login {
            let credentials = Credentials::new(login.user.clone(), login.password.clone());
            connection.auth(&[Mechanism::Plain, Mechanism::Login], &credentials).await?;
        }
        connection.send(envelope, bytes).await?;
        // The letter is delivered; how the server takes the good-bye does not matter.
        let _ = connection.quit().await;
        Ok(())
    }
}

fn sender(address: &str) -> Result<Mailbox> {
    letter::one_address(address).map_err(|e| Error::usage(format!("the sender is wrong: {e}")))
}

impl From<lettre::transport::smtp::Error> for Failure {
    fn from(error: lettre::transport::smtp::Error) -> Self {
        use std::error::Error as _;
        let words = error.source().map_or_else(|| error.to_string(), ToString::to_string);
        let words = match error.status() {
            Some(code) => format!("{code} {words}"),
            None if error.is_tls() => format!("TLS: {words}"),
            None => words,
        };
        // What is left besides the named kinds is the connection and the network.
        let again = !(error.is_permanent() || error.is_client() || error.is_tls() || error.is_response());
        Self { words, again }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mailer(url: &str) -> Result<Mailer> {
        Mailer::new(url, Some("Train <train@example.com>"), Clock::virtual_at(jiff::Timestamp::UNIX_EPOCH))
    }

    #[test]
    fn the_url_decides_about_tls_and_port() {
        for (url, tls, server) in [
            ("smtps://mail.example.com", Tls::FromTheStart, "mail.example.com:465"),
            ("smtp://mail.example.com", Tls::WhenOffered, "mail.example.com:587"),
            ("smtp://u:p@mail.example.com:25", Tls::Required, "mail.example.com:25"),
            ("smtp://mail.example.com?tls=none", Tls::Never, "mail.example.com:587"),
            ("smtp://127.0.0.1:2525", Tls::Never, "127.0.0.1:2525"),
            ("smtp://u:p@[::1]:2525", Tls::Never, "::1:2525"),
            ("smtp://LOCALHOST:2525?tls=required", Tls::Required, "LOCALHOST:2525"),
        ] {
            let mailer = mailer(url).expect(url);
            assert_eq!((mailer.tls, mailer.server().as_str()), (tls, server), "{url}");
        }
    }

    #[test]
    fn a_wrong_url_is_said_without_the_password() {
        for url in [
            "http://me:hunter2@example.com",
            "smtp://me:hunter2@example.com:99999",
            "smtp://me:hunter2@example.com?tls=none",
            "smtps://me:hunter2@example.com?tls=none",
            "smtp://me:hunter2@example.com?tls=maybe",
            "smtp://me:hunter2@example.com?pool=3",
            "smtp:me:hunter2",
            "me:hunter2@example.com",
        ] {
            let Err(error) = mailer(url) else { unreachable!("{url} is wrong") };
            assert_eq!(error.kind(), Kind::Usage, "{url}");
            assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        }
        assert!(Mailer::new("smtp://127.0.0.1", Some("nobody"), Clock::real()).is_err());
    }
}
