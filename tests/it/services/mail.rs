//! Mail from end to end: the mailer sends to the sandbox's mail box over a real socket.

use jiff::{SignedDuration, Timestamp};
use octorhai::{
    clock::Clock,
    error::Kind,
    mail::{Attachment, Letter, Mailer},
    sandbox::mailbox::Mailbox,
};

fn mailbox() -> Mailbox {
    Mailbox::start(([127, 0, 0, 1], 0).into()).expect("a free port")
}

fn clock() -> Clock {
    Clock::virtual_at("2026-03-02T20:15:00Z".parse().expect("a timestamp"))
}

fn mailer(mailbox: &Mailbox, clock: &Clock) -> Mailer {
    Mailer::new(&mailbox.url(), Some("Zug <train@example.com>"), clock.clone()).expect("a mailer")
}

fn letter() -> Letter {
    Letter {
        to: vec!["Jürgen Müller <juergen@example.com>".into(), "b@example.com".into()],
        cc: vec!["c@example.com".into()],
        bcc: vec!["hidden@example.com".into()],
        reply_to: Some("answers@example.com".into()),
        subject: "Größe und Straße: A and B are live — everything about it in one very long line that must be folded somewhere".into(),
        text: Some("Hallo Jürgen,\n.\n..two dots\n.one dot\nGrüße\n".into()),
        message_id: "run-7.3@octorhai".into(),
        ..Letter::default()
    }
}

fn unix(text: &str) -> String {
    text.replace("\r\n", "\n")
}

#[tokio::test]
async fn a_letter_arrives_as_it_was_written() {
    let (mailbox, clock) = (mailbox(), clock());
    let all_bytes: Vec<u8> = (0..=255).cycle().take(10_000).collect();
    let html = "<h1>Grüße</h1><p>A &amp; B are <b>live</b>.</p>";
    let sent = Letter {
        html: Some(html.into()),
        attachments: vec![
            Attachment { name: "übersicht.csv".into(), content_type: None, content: "a;ä\n1;2\n".into() },
            Attachment { name: "blob.bin".into(), content_type: Some("application/x-thing".into()), content: all_bytes.clone() },
        ],
        ..letter()
    };
    mailer(&mailbox, &clock).send(&sent).await.expect("it is sent");

    let [mail] = &mailbox.mails()[..] else { panic!("one mail, not {:?}", mailbox.mails()) };
    assert_eq!(mail.from, "train@example.com");
    assert_eq!(mail.to, ["juergen@example.com", "b@example.com", "c@example.com", "hidden@example.com"]);
    assert_eq!(mail.subject, sent.subject);
    assert_eq!(unix(&mail.text()), sent.text.expect("there is one"));
    assert_eq!(unix(&mail.html()), html);
    assert_eq!(mail.attachments(), [("übersicht.csv".to_owned(), "a;ä\n1;2\n".into()), ("blob.bin".to_owned(), all_bytes)]);
    assert!(!mail.raw.contains("hidden@example.com"), "a blind copy stays blind");
    assert!(mail.raw.is_ascii() && mail.raw.lines().all(|line| line.len() <= 998));
    assert!(mail.raw.contains("Date: Mon, 02 Mar 2026 20:15:00 +0000\r\n"), "{}", mail.raw);
    assert_eq!(mail.header("Message-ID").as_deref(), Some("run-7.3@octorhai"));
    assert!(mail.header("To").is_some_and(|to| to.contains("juergen@example.com")));
    assert!(mail.header("Reply-To").is_some_and(|to| to.contains("answers@example.com")));
}

#[tokio::test]
async fn text_alone_html_alone_and_neither() {
    let (mailbox, clock) = (mailbox(), clock());
    let mailer = mailer(&mailbox, &clock);
    mailer.send(&letter()).await.expect("it is sent");
    mailer.send(&Letter { text: None, html: Some("<p>Hello &amp;<br>bye</p>".into()), ..letter() }).await.expect("it is sent");
    mailer.send(&Letter { text: None, subject: String::new(), ..letter() }).await.expect("it is sent");
    let mails = mailbox.mails();
    assert_eq!((unix(&mails[0].text()).trim_end(), mails[0].html().as_str()), (letter().text.expect("there is one").trim_end(), ""));
    assert_eq!((unix(&mails[1].text()).trim_end(), mails[1].html().as_str()), ("Hello &\nbye", "<p>Hello &amp;<br>bye</p>"));
    assert_eq!((mails[2].text().trim_end(), mails[2].subject.as_str()), ("", ""));
}

#[tokio::test]
async fn what_passes_is_tried_again_and_the_clock_knows() {
    let (mailbox, clock) = (mailbox(), clock());
    let _busy = clock.enter();
    let start = clock.now();
    mailbox.fail_next(2);
    mailer(&mailbox, &clock).send(&letter()).await.expect("the third try works");
    assert_eq!(mailbox.mails().len(), 1);
    assert_eq!(clock.since(start), SignedDuration::from_secs(6));

    mailbox.fail_next(9);
    let error = mailer(&mailbox, &clock).send(&letter()).await.expect_err("four tries are not enough");
    assert_eq!(error.kind(), Kind::Mail);
    assert!(error.message().contains("451 4.3.0 try again later") && error.message().contains("(tried 4 times)"), "{error}");
    assert_eq!(mailbox.mails().len(), 1);
}

#[tokio::test]
async fn a_refusal_is_final_and_in_the_servers_words() {
    let (mailbox, clock) = (mailbox(), clock());
    let start = clock.now();
    mailbox.reject(["*@gone.example"]);
    let mut letter = letter();
    letter.cc.push("bob@gone.example".into());
    let error = mailer(&mailbox, &clock).send(&letter).await.expect_err("it is refused");
    assert_eq!(error.kind(), Kind::Mail);
    assert!(error.message().contains("550 5.1.1 <bob@gone.example>: no such user here"), "{error}");
    assert!(mailbox.mails().is_empty());
    assert_eq!(clock.now(), start, "no second try");
}

#[tokio::test]
async fn nobody_listens_and_the_password_stays_secret() {
    let clock = Clock::virtual_at(Timestamp::UNIX_EPOCH);
    let _busy = clock.enter();
    let gone = mailbox().address();
    let mailer = Mailer::new(&format!("smtp://me:hunter2%21@{gone}"), Some("me@example.com"), clock.clone()).expect("a mailer");
    let error = mailer.send(&letter()).await.expect_err("nobody listens");
    assert_eq!(error.kind(), Kind::Mail);
    let shown = format!("{error:?}");
    assert!(shown.contains(&gone.to_string()) && !shown.contains("hunter2"), "{shown}");
    assert_eq!(clock.since(Timestamp::UNIX_EPOCH), SignedDuration::from_secs(26), "all tries were made");
}

#[tokio::test]
async fn a_login_is_used_and_required_tls_is_not_given_up() {
    let (mailbox, clock) = (mailbox(), clock());
    let with_login = format!("smtp://me:p%40ss@{}", mailbox.address());
    Mailer::new(&with_login, Some("me@example.com"), clock.clone()).expect("a mailer").send(&letter()).await.expect("it is sent");
    assert_eq!(mailbox.mails().len(), 1);
    let error = Mailer::new(&format!("{with_login}?tls=required"), Some("me@example.com"), clock.clone())
        .expect("a mailer")
        .send(&letter())
        .await
        .expect_err("the mail box has no TLS");
    assert!(error.message().contains("STARTTLS") && !format!("{error:?}").contains("p@ss"), "{error}");
    assert_eq!(mailbox.mails().len(), 1);
}

#[tokio::test]
async fn many_letters_at_once_all_arrive() {
    let (mailbox, clock) = (mailbox(), clock());
    let mailer = mailer(&mailbox, &clock);
    let sent: Vec<_> = (0..50)
        .map(|n| {
            let mailer = mailer.clone();
            tokio::spawn(async move { mailer.send(&Letter { subject: format!("{n:02}"), ..letter() }).await })
        })
        .collect();
    for one in sent {
        one.await.expect("no panic").expect("it is sent");
    }
    let mut subjects: Vec<String> = mailbox.mails().into_iter().map(|mail| mail.subject).collect();
    subjects.sort();
    assert_eq!(subjects, (0..50).map(|n| format!("{n:02}")).collect::<Vec<_>>());
}
