//! The sandbox's mail box: a small real SMTP server (RFC 5321) that keeps what it is sent, so that scripts really send mail.
//!
//! It is small on purpose: no TLS, no relaying, any password is right and none is kept.

use crate::{
    clock::real_limit,
    error::{Error, Kind, Result},
};
use mail_parser::{Message, MessageParser, MimeHeaders, PartType};
use parking_lot::Mutex;
use serde::Serialize;
use std::{io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncBufRead, AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::Semaphore,
    task::{JoinHandle, JoinSet},
};

/// The largest mail, in bytes; what EHLO announces as `SIZE`.
pub const MAX_MAIL: usize = 25 * 1024 * 1024;
/// All kept mails together, in bytes.
const MAX_KEPT: usize = 256 * 1024 * 1024;
/// The longest line. RFC 5321 §4.5.3.1 asks for 1,000 in mails and RFC 4954 for 12,288 in AUTH; more is harmless.
const MAX_LINE: usize = 64 * 1024;
const MAX_RECIPIENTS: usize = 1000;
const MAX_CONNECTIONS: usize = 256;
/// Real time for one line of a client.
const IDLE: Duration = Duration::from_secs(300);

/// One mail as it came in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Mail {
    /// The sender of the envelope; empty for a bounce.
    pub from: String,
    /// The recipients of the envelope, blind copies among them.
    pub to: Vec<String>,
    /// The subject, decoded.
    pub subject: String,
    /// The whole mail with its headers and CRLF line ends, dots unstuffed.
    pub raw: String,
}

impl Mail {
    fn parsed(&self) -> Option<Message<'_>> {
        MessageParser::default().parse(self.raw.as_bytes())
    }

    /// The plain-text body, decoded; empty when there is none.
    pub fn text(&self) -> String {
        self.body(|mail| {
            mail.text_bodies().find_map(|part| match &part.body {
                PartType::Text(text) => Some(text.to_string()),
                _ => None,
            })
        })
    }

    /// The HTML body, decoded; empty when there is none.
    pub fn html(&self) -> String {
        self.body(|mail| {
            mail.html_bodies().find_map(|part| match &part.body {
                PartType::Html(html) => Some(html.to_string()),
                _ => None,
            })
        })
    }

    fn body(&self, find: impl Fn(&Message<'_>) -> Option<String>) -> String {
        self.parsed().and_then(|mail| find(&mail)).unwrap_or_default()
    }

    /// The attachments with their names, decoded.
    pub fn attachments(&self) -> Vec<(String, Vec<u8>)> {
        let Some(mail) = self.parsed() else { return Vec::new() };
        mail.attachments().map(|part| (part.attachment_name().unwrap_or_default().to_owned(), part.contents().to_vec())).collect()
    }

    /// A header, decoded when it is text, else as it stands.
    pub fn header(&self, name: &str) -> Option<String> {
        let mail = self.parsed()?;
        let text = mail.header(name.to_owned())?.as_text().map(str::to_owned);
        text.or_else(|| mail.header_raw(name.to_owned()).map(|raw| raw.trim().to_owned()))
    }
}

/// A listening mail box; it stops when this is dropped.
#[derive(Debug)]
pub struct Mailbox {
    address: SocketAddr,
    kept: Arc<Kept>,
    listener: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Kept {
    mails: Mutex<Vec<Mail>>,
    faults: Mutex<Faults>,
}

#[derive(Debug, Default)]
struct Faults {
    reject: Vec<String>,
    fail_next: usize,
}

impl Mailbox {
    /// Listens on `listen` (port 0: any free one) on the current tokio runtime.
    ///
    /// # Errors
    /// [`Kind::Usage`] when the address cannot be listened on; [`Kind::Bug`] outside of a runtime.
    pub fn start(listen: SocketAddr) -> Result<Self> {
        let cannot = |e: io::Error| Error::new(Kind::Usage, format!("the mail box cannot listen on `{listen}`: {e}"));
        let runtime = tokio::runtime::Handle::try_current().map_err(|_| Error::bug("a mail box was started outside of a runtime"))?;
        let listener = std::net::TcpListener::bind(listen).map_err(cannot)?;
        listener.set_nonblocking(true).map_err(cannot)?;
        let address = listener.local_addr().map_err(cannot)?;
        let listener = TcpListener::from_std(listener).map_err(cannot)?;
        let kept = Arc::new(Kept::default());
        let listener = runtime.spawn(listen_on(listener, kept.clone()));
        Ok(Self { address, kept, listener })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it listens, as a mailer's URL: `smtp://127.0.0.1:2525`.
    pub fn url(&self) -> String {
        format!("smtp://{}", self.address)
    }

    /// Every mail so far, in order of arrival.
    pub fn mails(&self) -> Vec<Mail> {
        self.kept.mails.lock().clone()
    }

    /// Forgets every mail.
    pub fn clear(&self) {
        self.kept.mails.lock().clear();
    }

    /// Recipients that are answered 550 from now on: whole addresses, or with a `*` at an end (`*@gone.example`). Case does not count.
    pub fn reject(&self, patterns: impl IntoIterator<Item = impl Into<String>>) {
        self.kept.faults.lock().reject = patterns.into_iter().map(|pattern| pattern.into().to_lowercase()).collect();
    }

    /// The next `times` mails are answered 451 after their last line, and not kept.
    pub fn fail_next(&self, times: usize) {
        self.kept.faults.lock().fail_next = times;
    }
}

impl Drop for Mailbox {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

async fn listen_on(listener: TcpListener, kept: Arc<Kept>) {
    // Conversations end together with this task.
    let mut conversations = JoinSet::new();
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    while let Ok(place) = places.clone().acquire_owned().await {
        if let Ok((stream, _)) = listener.accept().await {
            let kept = kept.clone();
            conversations.spawn(async move {
                // A client that goes away in the middle is its own business.
                let _ = Conversation::new(stream, kept).run().await;
                drop(place);
            });
        } else {
            // Out of file handles, most likely: some come back when others hang up.
            let _ = real_limit(Duration::from_millis(50), std::future::pending::<()>()).await;
        }
        while conversations.try_join_next().is_some() {}
    }
}

struct Conversation {
    reader: BufReader<OwnedReadHalf>,
    writer: OwnedWriteHalf,
    kept: Arc<Kept>,
    greeted: bool,
    from: Option<String>,
    to: Vec<String>,
}

impl Conversation {
    fn new(stream: TcpStream, kept: Arc<Kept>) -> Self {
        let (reader, writer) = stream.into_split();
        Self { reader: BufReader::new(reader), writer, kept, greeted: false, from: None, to: Vec::new() }
    }

    async fn run(mut self) -> io::Result<()> {
        self.say("220 octorhai sandbox ESMTP").await?;
        loop {
            let line = match self.line().await? {
                Line::Whole(line) => line,
                Line::TooLong => {
                    self.say("500 5.5.6 line too long").await?;
                    continue;
                }
                Line::End => return Ok(()),
            };
            let line = String::from_utf8_lossy(&line).into_owned();
            let (verb, rest) = line.split_once(' ').map_or((line.as_str(), ""), |(verb, rest)| (verb, rest.trim()));
            match verb.to_ascii_uppercase().as_str() {
                "EHLO" if !rest.is_empty() => {
                    self.hello();
                    let size = format!("250-SIZE {MAX_MAIL}");
                    let lines = [
                        "250-octorhai",
                        "250-PIPELINING",
                        &size,
                        "250-8BITMIME",
                        "250-SMTPUTF8",
                        "250-ENHANCEDSTATUSCODES",
                        "250 AUTH PLAIN LOGIN",
                    ];
                    self.say(&lines.join("\r\n")).await?;
                }
                "HELO" if !rest.is_empty() => {
                    self.hello();
                    self.say("250 octorhai").await?;
                }
                "MAIL" => {
                    let answer = self.mail(rest);
                    self.say(answer).await?;
                }
                "RCPT" => {
                    let answer = self.recipient(rest);
                    self.say(&answer).await?;
                }
                "DATA" => self.data().await?,
                "AUTH" => self.auth(rest).await?,
                "RSET" => {
                    self.reset();
                    self.say("250 2.0.0 forgotten").await?;
                }
                "NOOP" => self.say("250 2.0.0 yes").await?,
                "VRFY" => self.say("252 2.0.0 send it and see").await?,
                "QUIT" => {
                    self.say("221 2.0.0 bye").await?;
                    return Ok(());
                }
                "EHLO" | "HELO" => self.say("501 5.5.4 who are you?").await?,
                // A web page in somebody's browser can send lines to any port: what begins like HTTP is heard no further.
                "GET" | "POST" | "PUT" | "HEAD" | "DELETE" | "OPTIONS" | "PATCH" | "CONNECT" | "TRACE" | "PRI" => {
                    self.say("221 2.7.0 this is no web server").await?;
                    return Ok(());
                }
                _ if verb.ends_with(':') => {
                    self.say("221 2.7.0 this is no web server").await?;
                    return Ok(());
                }
                _ => self.say("502 5.5.1 not known here").await?,
            }
        }
    }

    fn hello(&mut self) {
        self.greeted = true;
        self.reset();
    }

    fn reset(&mut self) {
        self.from = None;
        self.to.clear();
    }

    fn mail(&mut self, rest: &str) -> &'static str {
        if !self.greeted || self.from.is_some() {
            return "503 5.5.1 not now";
        }
        let Some((address, parameters)) = path(rest, "FROM:") else { return "501 5.5.4 write MAIL FROM:<address>" };
        let size = parameters.split_whitespace().find_map(|word| word.to_ascii_uppercase().strip_prefix("SIZE=")?.parse::<usize>().ok());
        if size.is_some_and(|size| size > MAX_MAIL) {
            return "552 5.3.4 too large";
        }
        self.from = Some(address);
        "250 2.1.0 sender accepted"
    }

    fn recipient(&mut self, rest: &str) -> String {
        if self.from.is_none() {
            return "503 5.5.1 MAIL comes first".to_owned();
        }
        let address = match path(rest, "TO:") {
            Some((address, _)) if !address.is_empty() => address,
            _ => return "501 5.5.4 write RCPT TO:<address>".to_owned(),
        };
        if self.kept.faults.lock().reject.iter().any(|pattern| fits(pattern, &address.to_lowercase())) {
            return format!("550 5.1.1 <{address}>: no such user here");
        }
        if self.to.len() >= MAX_RECIPIENTS {
            return "452 4.5.3 too many recipients".to_owned();
        }
        self.to.push(address);
        "250 2.1.5 recipient accepted".to_owned()
    }

    async fn data(&mut self) -> io::Result<()> {
        if self.to.is_empty() {
            return self.say("503 5.5.1 RCPT comes first").await;
        }
        self.say("354 end with <CRLF>.<CRLF>").await?;
        let mut raw: Vec<u8> = Vec::new();
        let mut trouble = None;
        loop {
            match self.line().await? {
                Line::Whole(line) if line == b"." => break,
                Line::Whole(_) if trouble.is_some() => {}
                Line::Whole(line) => {
                    raw.extend(line.strip_prefix(b".").unwrap_or(&line));
                    raw.extend(b"\r\n");
                    if raw.len() > MAX_MAIL {
                        trouble = Some("552 5.3.4 too large");
                        raw = Vec::new();
                    }
                }
                Line::TooLong => trouble = trouble.or(Some("500 5.5.6 line too long")),
                // Without its last line a mail is not delivered.
                Line::End => return Err(io::ErrorKind::UnexpectedEof.into()),
            }
        }
        let answer = trouble.unwrap_or_else(|| self.keep(raw));
        self.reset();
        self.say(answer).await
    }

    fn keep(&mut self, raw: Vec<u8>) -> &'static str {
        {
            let mut faults = self.kept.faults.lock();
            if faults.fail_next > 0 {
                faults.fail_next -= 1;
                return "451 4.3.0 try again later";
            }
        }
        let raw = String::from_utf8(raw).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned());
        let mut mail = Mail { from: self.from.clone().unwrap_or_default(), to: self.to.clone(), subject: String::new(), raw };
        mail.subject = mail.parsed().and_then(|parsed| parsed.subject().map(str::to_owned)).unwrap_or_default();
        let mut mails = self.kept.mails.lock();
        if mails.iter().map(|mail| mail.raw.len()).sum::<usize>() + mail.raw.len() > MAX_KEPT {
            return "452 4.2.2 the mail box is full";
        }
        mails.push(mail);
        "250 2.0.0 kept"
    }

    /// Takes any user and password; both are read and dropped (RFC 4954).
    async fn auth(&mut self, rest: &str) -> io::Result<()> {
        let mut words = rest.split_whitespace();
        let mechanism = words.next().unwrap_or_default().to_ascii_uppercase();
        let given = words.next().is_some();
        // `VXNlcm5hbWU6` and `UGFzc3dvcmQ6` are `Username:` and `Password:`.
        let questions: &[&str] = match (mechanism.as_str(), given) {
            ("PLAIN", true) => &[],
            ("PLAIN", false) => &["334 "],
            ("LOGIN", true) => &["334 UGFzc3dvcmQ6"],
            ("LOGIN", false) => &["334 VXNlcm5hbWU6", "334 UGFzc3dvcmQ6"],
            _ => return self.say("504 5.5.4 PLAIN or LOGIN").await,
        };
        for question in questions {
            self.say(question).await?;
            match self.line().await? {
                Line::Whole(line) if line != b"*" => {}
                _ => return self.say("501 5.7.0 given up").await,
            }
        }
        self.say("235 2.7.0 welcome").await
    }

    async fn say(&mut self, text: &str) -> io::Result<()> {
        self.writer.write_all(format!("{text}\r\n").as_bytes()).await
    }

    async fn line(&mut self) -> io::Result<Line> {
        real_limit(IDLE, bounded_line(&mut self.reader)).await.unwrap_or(Ok(Line::End))
    }
}

enum Line {
    /// Without its line end.
    Whole(Vec<u8>),
    /// Read to its end and dropped.
    TooLong,
    /// The client is gone.
    End,
}

async fn bounded_line(reader: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Line> {
    let mut line = Vec::new();
    let mut too_long = false;
    loop {
        let buffer = reader.fill_buf().await?;
        if buffer.is_empty() {
            return Ok(Line::End);
        }
        let end = buffer.iter().position(|byte| *byte == b'\n');
        let part = &buffer[..end.unwrap_or(buffer.len())];
        too_long |= line.len() + part.len() > MAX_LINE;
        if !too_long {
            line.extend_from_slice(part);
        }
        let used = end.map_or(buffer.len(), |end| end + 1);
        reader.consume(used);
        if end.is_some() {
            if too_long {
                return Ok(Line::TooLong);
            }
            if line.last() == Some(&b'\r') {
                line.pop();
            }
            return Ok(Line::Whole(line));
        }
    }
}

/// `FROM:<a@example.com> SIZE=12` in the address and the parameters.
fn path(text: &str, keyword: &str) -> Option<(String, String)> {
    let (word, rest) = (text.get(..keyword.len())?, text.get(keyword.len()..)?);
    let (address, parameters) = rest.trim_start().strip_prefix('<')?.split_once('>')?;
    let whole = word.eq_ignore_ascii_case(keyword) && !address.chars().any(|c| c.is_whitespace() || c == '<');
    whole.then(|| (address.to_owned(), parameters.trim().to_owned()))
}

fn fits(pattern: &str, address: &str) -> bool {
    match (pattern.strip_prefix('*'), pattern.strip_suffix('*')) {
        (Some(end), _) => address.ends_with(end),
        (None, Some(start)) => address.starts_with(start),
        (None, None) => pattern == address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt;

    /// Says `lines` at once (PIPELINING) and gives the codes of the answers.
    async fn codes(mailbox: &Mailbox, lines: &str) -> Vec<String> {
        let mut stream = TcpStream::connect(mailbox.address()).await.expect("it listens");
        stream.write_all(lines.replace('\n', "\r\n").as_bytes()).await.expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("it answers and closes");
        answer.lines().filter(|line| line.as_bytes().get(3) == Some(&b' ')).map(|line| line[..3].to_owned()).collect()
    }

    fn started() -> Mailbox {
        Mailbox::start(([127, 0, 0, 1], 0).into()).expect("a free port")
    }

    #[tokio::test]
    async fn a_pipelined_conversation_is_kept_with_dots_unstuffed() {
        let mailbox = started();
        let said = "EHLO me\nMAIL FROM:<a@x> SIZE=10\nRCPT TO:<b@x>\nrcpt to: <c@x>\nDATA\n\
                    Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\n\n..dot\n...\nend\n.\nNOOP\nMAIL FROM:<>\nRSET\nQUIT\n";
        assert_eq!(codes(&mailbox, said).await, ["220", "250", "250", "250", "250", "354", "250", "250", "250", "250", "221"]);
        let [mail] = &mailbox.mails()[..] else { unreachable!("one mail") };
        assert_eq!((mail.from.as_str(), mail.to.join(" ").as_str(), mail.subject.as_str()), ("a@x", "b@x c@x", "Grüße"));
        assert!(mail.raw.ends_with("\r\n\r\n.dot\r\n..\r\nend\r\n"), "{}", mail.raw);
        assert_eq!(mail.text().replace("\r\n", "|"), ".dot|..|end|");
        mailbox.clear();
        assert!(mailbox.mails().is_empty());
    }

    #[tokio::test]
    async fn the_order_and_the_limits_are_kept() {
        let mailbox = started();
        let said =
            "MAIL FROM:<a@x>\nEHLO\nHELO me\nRCPT TO:<b@x>\nDATA\nMAIL FROM:a@x\nMAIL FROM:<a@x> SIZE=99999999\nSTARTTLS\nVRFY x\nQUIT\n";
        assert_eq!(codes(&mailbox, said).await, ["220", "503", "501", "250", "503", "503", "501", "552", "502", "252", "221"]);
        let long = "x".repeat(MAX_LINE + 1);
        let said = format!("EHLO me\n{long}\nMAIL FROM:<a@x>\nRCPT TO:<b@x>\nDATA\n{long}\nshort\n.\nQUIT\n");
        assert_eq!(codes(&mailbox, &said).await, ["220", "250", "500", "250", "250", "354", "500", "221"]);
        let line = "y".repeat(60_000);
        let huge = format!("{line}\n").repeat(MAX_MAIL / line.len() + 1);
        let said = format!("EHLO me\nMAIL FROM:<a@x>\nRCPT TO:<b@x>\nDATA\n{huge}.\nQUIT\n");
        assert_eq!(codes(&mailbox, &said).await, ["220", "250", "250", "250", "354", "552", "221"]);
        assert!(mailbox.mails().is_empty());
    }

    #[tokio::test]
    async fn a_login_is_taken_and_faults_are_given() {
        let mailbox = started();
        let said = "EHLO me\nAUTH PLAIN AGEAYg==\nAUTH PLAIN\nAGEAYg==\nAUTH LOGIN\nYQ==\nYg==\nAUTH LOGIN\n*\nAUTH CRAM-MD5\nQUIT\n";
        assert_eq!(codes(&mailbox, said).await, ["220", "250", "235", "334", "235", "334", "334", "235", "334", "501", "504", "221"]);
        mailbox.reject(["*@gone.example", "Bob@x"]);
        mailbox.fail_next(1);
        let once = "MAIL FROM:<a@x>\nRCPT TO:<any@gone.example>\nRCPT TO:<bob@x>\nRCPT TO:<c@x>\nDATA\nhi\n.\n";
        let said = format!("EHLO me\n{once}{once}QUIT\n");
        let expected = ["220", "250", "250", "550", "550", "250", "354", "451", "250", "550", "550", "250", "354", "250", "221"];
        assert_eq!(codes(&mailbox, &said).await, expected);
        assert_eq!(mailbox.mails().len(), 1);
    }

    #[tokio::test]
    async fn a_dropped_mail_box_is_gone() {
        let mailbox = started();
        let address = mailbox.address();
        let mut open = TcpStream::connect(address).await.expect("it listens");
        let mut greeting = [0; 4];
        open.read_exact(&mut greeting).await.expect("a greeting");
        drop(mailbox);
        let mut rest = String::new();
        // The open conversation ends, one way or the other.
        let _ = open.read_to_string(&mut rest).await;
        assert!(TcpStream::connect(address).await.is_err());
    }
}
