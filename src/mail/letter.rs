//! A letter as it goes over the wire: checked addresses, safe headers, the MIME tree.

use super::plain;
use crate::{
    error::{Error, Kind, Result},
    tame,
};
use jiff::Timestamp;
use lettre::{
    Address, Message,
    address::Envelope,
    message::{
        Attachment as Part, Mailbox, Mailboxes, MultiPart, SinglePart,
        header::{ContentType, HeaderName, HeaderValue},
    },
};
use sha2::{Digest, Sha256};

/// One letter. At least one recipient is needed; every list of addresses takes `a@example.com` and `Name <a@example.com>`.
#[derive(Clone, Debug, Default)]
pub struct Letter {
    /// Recipients.
    pub to: Vec<String>,
    /// Recipients of a copy.
    pub cc: Vec<String>,
    /// Recipients whom the others do not see.
    pub bcc: Vec<String>,
    /// The sender, when it is not the mailer's own.
    pub from: Option<String>,
    /// Where answers go, when not to the sender.
    pub reply_to: Option<String>,
    /// One line: line breaks become blanks.
    pub subject: String,
    /// The body as plain text. Without one it is made from `html`.
    pub text: Option<String>,
    /// The body as HTML.
    pub html: Option<String>,
    /// Files that come along.
    pub attachments: Vec<Attachment>,
    /// Stable over retries, with or without angle brackets: `run-7.3@octorhai`. Receivers drop doubles by it.
    pub message_id: String,
}

/// A file that comes along with a letter.
#[derive(Clone, Debug, Default)]
pub struct Attachment {
    /// The file's name, without a folder.
    pub name: String,
    /// E.g. `text/csv`; guessed from the name when missing.
    pub content_type: Option<String>,
    /// The file.
    pub content: Vec<u8>,
}

/// Envelope and bytes of a letter, the same for the same letter, sender and time.
pub(super) fn written(letter: &Letter, sender: Option<&Mailbox>, now: Timestamp) -> Result<(Envelope, Vec<u8>)> {
    let from = match (&letter.from, sender) {
        (Some(from), _) => one_address(from)?,
        (None, Some(sender)) => sender.clone(),
        (None, None) => return Err(Error::new(Kind::Mail, "the mail has no sender").help("give `from`, or set one for all mails")),
    };
    let (to, cc, bcc) = (addresses(&letter.to)?, addresses(&letter.cc)?, addresses(&letter.bcc)?);
    let mut recipients: Vec<Address> = Vec::new();
    for mailbox in to.iter().chain(&cc).chain(&bcc) {
        if !recipients.contains(&mailbox.email) {
            recipients.push(mailbox.email.clone());
        }
    }
    if recipients.is_empty() {
        return Err(Error::new(Kind::Mail, "the mail has no recipient").help("give `to`, `cc` or `bcc`"));
    }
    let unbuildable = |e: &dyn std::fmt::Display| Error::new(Kind::Mail, format!("the mail cannot be written: {e}"));
    let envelope = Envelope::new(Some(from.email.clone()), recipients).map_err(|e| unbuildable(&e))?;

    let date = now.try_into().map_err(|e: jiff::Error| unbuildable(&e))?;
    let mut builder = Message::builder().from(from).date(date).subject(one_line(&letter.subject));
    if let Some(reply_to) = &letter.reply_to {
        builder = builder.reply_to(one_address(reply_to)?);
    }
    builder = to.into_iter().fold(builder, lettre::message::MessageBuilder::to);
    builder = cc.into_iter().fold(builder, lettre::message::MessageBuilder::cc);
    let builder = builder
        .message_id(Some(message_id(&letter.message_id)?))
        // RFC 3834: keeps holiday answers away.
        .raw_header(HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".to_owned()))
        .envelope(envelope.clone());
    let message = body(builder, letter)?.map_err(|e| unbuildable(&e))?;
    Ok((envelope, message.formatted()))
}

type Built = std::result::Result<Message, lettre::error::Error>;

fn body(builder: lettre::message::MessageBuilder, letter: &Letter) -> Result<Built> {
    let text = match (&letter.text, &letter.html) {
        (Some(text), _) => text.clone(),
        (None, Some(html)) => plain::from_html(html),
        (None, None) => String::new(),
    };
    let alternative = letter.html.as_ref().map(|html| {
        let parts = MultiPart::alternative().boundary(boundary(letter, "alternative"));
        parts.singlepart(SinglePart::plain(text.clone())).singlepart(SinglePart::html(html.clone()))
    });
    if letter.attachments.is_empty() {
        return Ok(match alternative {
            Some(alternative) => builder.multipart(alternative),
            None => builder.singlepart(SinglePart::plain(text)),
        });
    }
    let mixed = MultiPart::mixed().boundary(boundary(letter, "mixed"));
    let mut mixed = match alternative {
        Some(alternative) => mixed.multipart(alternative),
        None => mixed.singlepart(SinglePart::plain(text)),
    };
    for attachment in &letter.attachments {
        mixed = mixed.singlepart(part(attachment)?);
    }
    Ok(builder.multipart(mixed))
}

fn part(attachment: &Attachment) -> Result<SinglePart> {
    // Nothing that leads elsewhere, is a device or hides how the name ends, on whatever system it is saved.
    let name = tame::line(&one_line(&attachment.name)).replace(['/', '\\', '"', ':', '<', '>', '|', '?', '*'], "_");
    let name = name.trim_matches(['.', ' ']).to_owned();
    let name = if name.is_empty() { "attachment".to_owned() } else { name };
    let kind = attachment.content_type.as_deref().unwrap_or_else(|| guessed(&name));
    let wrong = || {
        Error::new(Kind::Mail, format!("`{}` is not a content type (attachment `{name}`)", one_line(kind))).help("write it like `text/csv`")
    };
    if kind.chars().any(char::is_control) {
        return Err(wrong());
    }
    let content_type = ContentType::parse(kind).map_err(|_| wrong())?;
    // As bytes: text would get other line ends on the way.
    let body =
        lettre::message::Body::new_with_encoding(attachment.content.clone(), lettre::message::header::ContentTransferEncoding::Base64)
            .map_err(|_| Error::new(Kind::Mail, format!("the attachment `{name}` cannot be encoded")))?;
    Ok(Part::new(name).body(body, content_type))
}

fn guessed(name: &str) -> &'static str {
    let ending = name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
    match ending.as_deref() {
        Some("txt" | "log") => "text/plain; charset=utf-8",
        Some("md") => "text/markdown; charset=utf-8",
        Some("csv") => "text/csv; charset=utf-8",
        Some("html" | "htm") => "text/html; charset=utf-8",
        Some("json") => "application/json",
        Some("xml") => "application/xml",
        Some("pdf") => "application/pdf",
        Some("zip") => "application/zip",
        Some("png") => "image/png",
        Some("jpg" | "jpeg") => "image/jpeg",
        Some("svg") => "image/svg+xml",
        _ => "application/octet-stream",
    }
}

/// The same for the same letter, and not to be guessed by who writes only part of it.
fn boundary(letter: &Letter, level: &str) -> String {
    let mut hash = Sha256::new();
    for text in [level, &letter.message_id, letter.text.as_deref().unwrap_or_default(), letter.html.as_deref().unwrap_or_default()] {
        hash.update(text.len().to_le_bytes());
        hash.update(text);
    }
    let number = hash.finalize().iter().take(16).fold(0_u128, |number, byte| number << 8 | u128::from(*byte));
    // `=_` cannot occur in quoted-printable or base64 (RFC 2045 §6.7).
    format!("=_{number:032x}")
}

fn message_id(given: &str) -> Result<String> {
    let bare = given.trim().trim_start_matches('<').trim_end_matches('>');
    let fine = |c: char| c.is_ascii_graphic() && !matches!(c, '<' | '>' | '(' | ')' | ',' | ';' | ':' | '"' | '\\');
    match bare.split_once('@') {
        Some((left, right)) if !left.is_empty() && !right.is_empty() && !right.contains('@') && bare.chars().all(fine) => {
            Ok(format!("<{bare}>"))
        }
        _ => Err(Error::bug(format!("`{}` is not a message id", one_line(given)))),
    }
}

/// Control characters, line breaks among them, become one blank each run.
pub fn one_line(text: &str) -> String {
    text.split(char::is_control).filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ").trim().to_owned()
}

/// One mail address, named in the error when it is none.
pub(super) fn one_address(text: &str) -> Result<Mailbox> {
    let mut found = parse(text)?;
    match (found.pop(), found.pop()) {
        (Some(one), None) => Ok(one),
        _ => Err(wrong(text)),
    }
}

fn addresses(texts: &[String]) -> Result<Vec<Mailbox>> {
    let mut all = Vec::new();
    for text in texts {
        all.extend(parse(text)?);
    }
    Ok(all)
}

/// `a@example.com, Name <b@example.com>`: one or more.
fn parse(text: &str) -> Result<Vec<Mailbox>> {
    if text.trim().is_empty() || text.chars().any(char::is_control) {
        return Err(wrong(text));
    }
    let found: Mailboxes = text.trim().trim_end_matches([',', ' ']).parse().map_err(|_| wrong(text))?;
    Ok(found.into_iter().collect())
}

fn wrong(text: &str) -> Error {
    let shown = crate::error::shortened(&one_line(text), 100);
    Error::new(Kind::Mail, format!("`{shown}` is not a mail address"))
        .help("write it like `team@example.com` or `The Team <team@example.com>`")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::{prelude::*, test_runner::RngSeed};

    fn letter() -> Letter {
        Letter {
            to: vec!["a@example.com".into()],
            from: Some("me@example.com".into()),
            subject: "Hi".into(),
            text: Some("Hello".into()),
            message_id: "1@octorhai".into(),
            ..Letter::default()
        }
    }

    fn raw(letter: &Letter) -> Result<String> {
        written(letter, None, Timestamp::UNIX_EPOCH).map(|(_, bytes)| String::from_utf8(bytes).expect("mails are ASCII here"))
    }

    #[test]
    fn the_same_letter_is_the_same_bytes_with_the_date_of_the_clock() {
        let letter = Letter {
            html: Some("<p>Hello</p>".into()),
            attachments: vec![Attachment { name: "a.csv".into(), ..Attachment::default() }],
            ..letter()
        };
        let raw_mail = raw(&letter).expect("a mail");
        assert_eq!(raw_mail, raw(&letter).expect("a mail"));
        assert!(raw_mail.contains("Date: Thu, 01 Jan 1970 00:00:00 +0000\r\n"), "{raw_mail}");
        assert!(raw_mail.contains("Message-ID: <1@octorhai>\r\n"), "{raw_mail}");
        assert!(raw_mail.contains("multipart/mixed") && raw_mail.contains("multipart/alternative") && raw_mail.contains("text/csv"));
    }

    #[test]
    fn headers_cannot_be_injected() {
        let injected = "Hi\r\nBcc: evil@example.com\r\n\r\nBody\u{2028}x\u{0}y";
        let mut one = letter();
        one.subject = injected.into();
        one.attachments =
            vec![Attachment { name: "a.txt\"\r\nX-Evil: 1".into(), content_type: Some("text/plain".into()), content: b"x".to_vec() }];
        let text = raw(&one).expect("a mail");
        let (headers, rest) = text.split_once("\r\n\r\n").expect("headers and body");
        assert!(!headers.lines().any(|line| line.starts_with("Bcc")), "{headers}");
        assert!(headers.contains("Subject: ") && !rest.lines().any(|line| line.starts_with("X-Evil")), "{text}");

        let breakers: [fn(&mut Letter); 7] = [
            |l| l.to.push("b@example.com\r\nBcc: evil@example.com".into()),
            |l| l.cc.push("B\n <b@example.com>".into()),
            |l| l.bcc.push("b@example.com\n".into()),
            |l| l.from = Some("me@example.com\r\nX: y".into()),
            |l| l.reply_to = Some("me@example.com\rX: y".into()),
            |l| l.message_id = "1@octorhai>\r\nX: y".into(),
            |l| {
                let content_type = Some("text/plain\r\nX-Evil: 1".into());
                l.attachments.push(Attachment { name: "a".into(), content_type, content: Vec::new() });
            },
        ];
        for (n, break_it) in breakers.iter().enumerate() {
            let mut bad = letter();
            break_it(&mut bad);
            assert!(raw(&bad).is_err(), "{n}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { rng_seed: RngSeed::Fixed(2026), failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn whatever_is_written_stays_in_its_place(subject in ".*", name in ".*", text in "(?s).*", reply in prop::option::of(".{0,20}")) {
            let attachments = vec![Attachment { name, content_type: None, content: text.clone().into() }];
            let reply_to = reply.map(|name| format!("{name}<r@example.com>"));
            let wild = Letter { subject, text: Some(text), reply_to, attachments, ..letter() };
            let sent = raw(&wild);
            prop_assert!(sent.is_ok() || wild.reply_to.is_some(), "only a wild name before an address may be refused");
            if let Ok(text) = sent {
                let (headers, _) = text.split_once("\r\n\r\n").expect("headers and body");
                let names: Vec<&str> =
                    headers.split("\r\n").filter(|line| !line.starts_with([' ', '\t'])).filter_map(|line| Some(line.split_once(':')?.0)).collect();
                let known = ["From", "Date", "Subject", "Reply-To", "To", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type"];
                prop_assert!(names.len() <= known.len() && names.iter().all(|name| known.contains(name)), "{:?}", headers);
                prop_assert!(!headers.replace("\r\n", "").contains(['\r', '\n']), "{:?}", headers);
            }
        }
    }

    #[test]
    fn a_wrong_address_is_named() {
        let error = raw(&Letter { cc: vec!["b@example.com".into(), "nobody at home".into()], ..letter() }).expect_err("an error");
        assert_eq!((error.kind(), error.message()), (Kind::Mail, "`nobody at home` is not a mail address"));
        let nobody = raw(&Letter { to: vec![], ..letter() }).expect_err("an error");
        assert_eq!(nobody.message(), "the mail has no recipient");
        let unsigned = raw(&Letter { from: None, ..letter() }).expect_err("an error");
        assert_eq!(unsigned.message(), "the mail has no sender");
    }

    #[test]
    fn recipients_are_counted_once_and_blind_copies_stay_blind() {
        let letter = Letter {
            to: vec!["a@example.com, The B <b@example.com>".into()],
            cc: vec!["a@example.com".into()],
            bcc: vec!["secret@example.com".into()],
            ..letter()
        };
        let (envelope, bytes) = written(&letter, None, Timestamp::UNIX_EPOCH).expect("a mail");
        let to: Vec<String> = envelope.to().iter().map(ToString::to_string).collect();
        assert_eq!(to, ["a@example.com", "b@example.com", "secret@example.com"]);
        assert!(!String::from_utf8_lossy(&bytes).contains("secret"));
    }
}
