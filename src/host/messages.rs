//! Telling people: e-mail, notes to channels, reports.

use super::prelude::*;
use super::{call::ScriptCall, outbox::Posted, time::Moment};
use crate::{
    engine::{library, options::WORD},
    mail::{Attachment, Letter, Mailer, one_line},
    report::{self, Cell, Format, KeyedRows, Rows},
    secrets::MASK,
};
use std::borrow::Cow;

crate::options! {
    /// A mail.
    pub struct EmailOptions for ["email"] {
        /// Who gets it: one address or a list.
        to: Vec<Name> = Vec::new(), "required";
        /// Who gets a copy.
        cc: Vec<Name> = Vec::new(), "[]";
        /// Who gets a copy that the others do not see.
        bcc: Vec<Name> = Vec::new(), "[]";
        /// Who sends it; otherwise `--mail-from`.
        from: Option<Name> = None, "none";
        /// Where answers go.
        reply_to: Option<Name> = None, "none";
        /// The subject line.
        subject: Option<SubjectLine> = None, "required";
        /// The text; rows (`dashboard(...)`) and reports are shown as a table.
        body: Option<Dynamic> = None, "none";
        /// The text as HTML; `report(rows, #{format: "html"})` makes such.
        html: Option<Shown> = None, "none";
        /// Files: a map from file name to text.
        attachments: Map = Map::new(), "#{}";
        /// Whether a mail that is not sent within half a minute is an error (kind `mail`), not a warning.
        required: bool = false, "false";
    }
}

crate::options! {
    /// How a report looks.
    pub struct ReportOptions for ["report"] {
        /// How the rows are written.
        format: Format = Format::Table, "\"table\"";
        /// A title above it.
        title: Option<Shown> = None, "none";
        /// Which columns, in which order.
        columns: OneOrMore<Name> = OneOrMore::ALL, "all";
        /// How wide a table may be, in characters.
        width: i64 = 100, "100";
    }
}

impl OptionValue for Format {
    const KIND: &'static str = WORD;
    const WORDS: &'static [&'static str] = &Self::NAMES;
    fn read(value: Dynamic) -> Result<Self, String> {
        String::read(value)?.parse().map_err(|error: Error| error.message().to_owned())
    }
}

/// A value as a cell: times and durations keep what they are, so that each format writes them its own way.
fn cell(value: &Dynamic) -> Cell {
    if let Some(moment) = value.read_lock::<Moment>() {
        Cell::Time { shown: moment.to_string().into(), iso: moment.iso().into() }
    } else if let Some(span) = value.read_lock::<SignedDuration>().map(|span| span.as_secs_f64()) {
        Cell::Span { shown: shown(value).into(), seconds: span }
    } else {
        to_json(value).into()
    }
}

/// Adds a row of a report: one of our types, a map, or anything that prints.
fn add_row(host: &ScriptCall<'_>, records: &mut KeyedRows, value: &Dynamic, columns: &[String]) -> HostResult<()> {
    if let Some(cells) = library::columns(host.engine_call(), value, columns)? {
        records.add(cells.into_iter().map(|(name, value)| (name, cell(&value))));
        return Ok(());
    }
    match value.read_lock::<Map>() {
        Some(map) => {
            // Of a map in the map a column may name a part: `a.b`.
            let is_wanted = |name: &str| {
                columns.iter().any(|column| column.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')))
            };
            let wanted = map.iter().filter(|(name, _)| columns.is_empty() || is_wanted(name));
            records.add(wanted.map(|(name, value)| (name.as_str(), cell(value))));
        }
        None => records.add([(report::LONE, cell(value))]),
    }
    Ok(())
}

/// Rows of a list of anything.
fn rows(host: &ScriptCall<'_>, value: Dynamic, columns: &[String]) -> HostResult<Rows> {
    let items = crate::engine::options::list(value);
    let mut records = KeyedRows::default();
    for item in items {
        add_row(host, &mut records, &item, columns)?;
    }
    let rows = records.into_rows().map_err(raise)?;
    // A tenant column without tenants says nothing.
    Ok(if columns.is_empty() { without_empty_tenants(rows) } else { rows })
}

fn without_empty_tenants(mut rows: Rows) -> Rows {
    let Some(at) = rows.columns.iter().position(|c| c == "tenant") else { return rows };
    if rows.rows.iter().all(|row| row[at].shown().is_empty()) {
        rows.columns.remove(at);
        for row in &mut rows.rows {
            row.remove(at);
        }
    }
    rows
}

/// Rows without secrets, before any format wraps, cuts or escapes them.
fn readable_rows(host: &Host, rows: Rows) -> Rows {
    let mut masked = false;
    let mut text = |text: String| match host.secrets.clean(&text) {
        Cow::Owned(clean) => {
            masked = true;
            clean
        }
        Cow::Borrowed(_) => text,
    };
    let columns = rows.columns.into_iter().map(&mut text).collect();
    let mut cell = |cell: Cell| match cell {
        Cell::Text(shown) => Cell::Text(text(shown)),
        Cell::Nested(value) => Cell::Nested(host.secrets.clean_value(*value).into()),
        Cell::Number(number) if host.secrets.is_in(&number.to_string()) => Cell::Text(MASK.to_owned()),
        other => other,
    };
    let cells = rows.rows.into_iter().map(|row| row.into_iter().map(&mut cell).collect()).collect();
    if masked {
        host.warn_once("report: `***` stands in it in place of a secret".to_owned());
    }
    Rows { columns, rows: cells, title: rows.title }
}

fn rendered(host: &ScriptCall<'_>, value: Dynamic, options: &ReportOptions) -> HostResult<String> {
    let columns = texts(options.columns.named());
    let rows = readable_rows(host, rows(host, value, &columns)?);
    let looks = report::Options {
        title: options.title.as_ref().map(|title| host.secrets.clean(title).into_owned()),
        columns: columns.into_iter().map(report::Column::new).collect(),
        width: u16::try_from(options.width).unwrap_or(100).max(20),
    };
    Ok(report::render(&rows, options.format, &looks))
}

/// The text of a mail: text as it is, rows as a table.
fn body_text(host: &ScriptCall<'_>, body: Dynamic) -> HostResult<String> {
    if body.is_array() { rendered(host, body, &ReportOptions::default()) } else { Ok(shown(&body)) }
}

/// The subject of a mail: people read it, so a secret is `***` in it.
#[derive(Clone, Debug)]
pub struct SubjectLine(String);

impl OptionValue for SubjectLine {
    const KIND: &'static str = Name::KIND;
    fn read(value: Dynamic) -> Result<Self, String> {
        let Shown(text) = Shown::read(value)?;
        if text.trim().is_empty() { Err("it is empty".to_owned()) } else { Ok(Self(text)) }
    }
}

fn texts(names: &[Name]) -> Vec<String> {
    names.iter().cloned().map(String::from).collect()
}

fn letter(host: &ScriptCall<'_>, options: &EmailOptions) -> HostResult<Letter> {
    for (missing, name) in [(options.to.is_empty(), "to"), (options.subject.is_none(), "subject")] {
        if missing {
            return Err(Error::new(Kind::Script, format!("`email` needs the option `{name}`"))
                .help("email(#{to: \"team@example.com\", subject: \"...\", body: \"...\"})")
                .into());
        }
    }
    let text = match options.body.clone() {
        Some(body) => Some(body_text(host, body)?),
        None => None,
    };
    let attachments = options
        .attachments
        .iter()
        .map(|(name, content)| Attachment { name: name.to_string(), content_type: None, content: shown(content).into_bytes() })
        .collect();
    Ok(Letter {
        to: texts(&options.to),
        cc: texts(&options.cc),
        bcc: texts(&options.bcc),
        from: options.from.clone().map(String::from),
        reply_to: options.reply_to.clone().map(String::from),
        subject: options.subject.as_ref().map(|subject| one_line(&subject.0)).unwrap_or_default(),
        text,
        html: options.html.as_ref().map(|html| html.0.clone()),
        attachments,
        message_id: String::new(),
    })
}

/// The letter as its readers may see it: without secrets, unless the script has revealed them itself. An error of a step may hold a
/// secret that nobody meant to send.
fn readable(host: &Host, mut letter: Letter) -> Letter {
    let revealed = host.ledger.revealed.lock().clone();
    let mut masked = false;
    let mut clean = |text: &mut String| {
        if let Cow::Owned(clean) = host.secrets.clean_but(text, &revealed) {
            (*text, masked) = (clean, true);
        }
    };
    clean(&mut letter.subject);
    letter.text.iter_mut().chain(&mut letter.html).for_each(&mut clean);
    for file in &mut letter.attachments {
        clean(&mut file.name);
        let mut text = String::from_utf8_lossy(&file.content).into_owned();
        clean(&mut text);
        file.content = text.into_bytes();
    }
    if masked {
        let text =
            format!("mail `{}`: `***` stands in it in place of a secret; `.reveal()` of the secret lets mails show it", letter.subject);
        host.note(Level::Warning, text);
    }
    letter
}

/// In a simulation nobody has to be told who writes.
const SANDBOX_SENDER: &str = "octorhai@example.com";

/// How mail leaves. What is not said on the command line, a sandbox knows: its own mail box, and a sender.
fn mailer(host: &Host, has_sender: bool) -> HostResult<Option<Mailer>> {
    let given = host.outbox.mailer.as_ref();
    if given.is_some_and(|mailer| has_sender || mailer.has_sender()) {
        return Ok(given.cloned());
    }
    Ok(match (given, host.sandbox_smtp()?) {
        (Some(mailer), Some(_)) => Some(mailer.clone().written_by(SANDBOX_SENDER).map_err(raise)?),
        (None, Some(url)) => Some(Mailer::new(&url, Some(SANDBOX_SENDER), host.clock.clone()).map_err(raise)?.shown_as("sandbox")),
        (given, None) => given.cloned(),
    })
}

crate::functions! {
    group "tell";

    /// Sends a mail over SMTP (`--smtp URL`; a sandbox brings its own mail box). It is tried for half a minute. When the mail
    /// server is away, the mail is kept and tried again as long as the run goes on, and once more at its end; that is a warning
    /// and never stops a deployment. What the server refuses is given up at once. `required: true` makes a mail that is not
    /// sent within the half minute an error of kind `mail`. Returns whether it was sent by then.
    /// Secrets are `***` in subject, text and attachments; one whose `.reveal()` the script has called is shown.
    ///
    /// ```rhai
    /// email(#{to: "team@example.com", subject: "What is in Test", body: dashboard(#{env: "Test"})});
    /// ```
    fn email(host: ScriptCall, options: Box<EmailOptions>) -> "true or false" raises "mail" {
        let letter = readable(&host, letter(&host, &options)?);
        let arguments = serde_json::json!({"to": letter.to, "subject": letter.subject});
        let posted = if let Some(mailer) = &mailer(&host, letter.from.is_some())? {
            host.effect("email", &arguments, |attempt| {
                // The same after a restart: a second copy is recognised by its Message-ID.
                let letter = Letter { message_id: format!("{}@octorhai", attempt.marker.as_str().replace(':', ".")), ..letter.clone() };
                let (host, required) = (&host, options.required);
                // A mail server that hangs must not hold up the end.
                async move { Box::pin(host.post(&attempt, mailer, letter, required)).await }
            })?
        } else {
            let error = Error::new(Kind::Mail, "no mail server is known");
            Posted::Failed(error.help("give one with `--smtp smtp://HOST:PORT` or OCTORHAI_SMTP_URL"))
        };
        let (to, subject) = (letter.recipients(), letter.subject.clone());
        match posted {
            Posted::Sent => {
                host.emit(What::Mail { to, subject, problem: None });
                Ok(true)
            }
            Posted::Kept(error) => {
                let told = format!("mail to {}: {subject}: {}; it is kept and tried again as long as the run goes on", to.join(", "), error.message());
                host.note(Level::Warning, told);
                Ok(false)
            }
            Posted::Failed(error) => {
                host.emit(What::Mail { to, subject, problem: Some(error.message().to_owned()) });
                if options.required || error.kind() == Kind::Script { Err(raise(error)) } else { Ok(false) }
            }
        }
    }

    /// What `catch (err)` caught, as text for people: the message, the failed step, the first error lines, what was
    /// undone, and the link.
    ///
    /// ```rhai
    /// try { wait(deploy("Project A", "latest", "Test")); } catch (err) { print(problem(err)); }
    /// ```
    fn problem(call, err: Dynamic) -> "text" {
        let Some(error) = crate::engine::thrown::from_value(&err) else {
            // What a script threw itself: a map with a message, or anything. A saga adds to a map what it has undone.
            let Some(map) = err.read_lock::<Map>() else { return Ok(err.clone()) };
            let undone: Vec<(&str, Dynamic)> = LISTS.iter().filter_map(|name| Some((*name, map.get(*name)?.clone()))).collect();
            let message = map.get("message").cloned();
            if undone.is_empty() {
                return Ok(message.unwrap_or_else(|| err.clone()));
            }
            let message = message.unwrap_or_else(|| {
                let own: Map = map.iter().filter(|(name, _)| !LISTS.contains(&name.as_str())).map(|(k, v)| (k.clone(), v.clone())).collect();
                own.into()
            });
            let error = Error::new(Kind::Script, shown(&message));
            let error = undone.iter().fold(error, |error, (name, list)| error.with(name, to_json(list)));
            return Ok(Dynamic::from(in_words(&error)));
        };
        Ok(Dynamic::from(in_words(&error)))
    }

    /// Tells a group of people something: `channel` is an e-mail address, or a name in the parameters of the run
    /// (`param("ops", "ops@example.com")`). The first line is the subject.
    ///
    /// ```rhai
    /// notify("ops@example.com", "Project A is live in Test");
    /// ```
    fn notify(host: ScriptCall, channel: Name, text: Shown) -> "true or false" raises "mail" {
        let known = host.given(&channel).and_then(|value| value.as_str().map(str::to_owned));
        let to = known.unwrap_or_else(|| channel.to_string());
        if !to.contains('@') {
            return Err(raise(Error::new(Kind::Script, format!("`{channel}` is no address and no parameter that holds one")).help("give an e-mail address")));
        }
        let subject = text.lines().next().unwrap_or_default().to_owned();
        let options = Map::from_iter([("to".into(), to.into()), ("subject".into(), subject.into()), ("body".into(), text.0.into())]);
        host.engine_call().ctx.call_native_fn::<bool>("email", (options,))
    }

    /// Rows as text: a table, Markdown, HTML, CSV or JSON, with `***` in place of secrets. Rows are what `dashboard`, `deployments`, `promotable`,
    /// `events`, ... return, or maps.
    ///
    /// ```rhai
    /// print(report(dashboard(#{env: "Test"})));
    /// artifact("dashboard.html", report(dashboard(), #{format: "html", title: "Everything"}));
    /// ```
    fn report(host: ScriptCall, rows: Dynamic; options: ReportOptions) -> "text" {
        rendered(&host, rows, &options)
    }
}

/// The members of an error that say what a saga has undone.
const LISTS: [&str; 2] = ["undone", "not_undone"];

/// An error as paragraphs for a mail.
fn in_words(error: &Error) -> String {
    let mut text = vec![error.message().to_owned()];
    let list = |name: &str| -> Vec<String> {
        let items = error.fact(name).and_then(Value::as_array);
        items.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    if let Some(step) = error.fact("failed_step").and_then(Value::as_str) {
        text.push(format!("Failed step: {step}"));
    }
    for (heading, name) in
        [("First error lines", "first_errors"), ("Undone", "undone"), ("Not undone", "not_undone"), ("Not started", "not_started")]
    {
        let lines = list(name);
        if !lines.is_empty() {
            text.push(format!("{heading}:\n  {}", lines.join("\n  ")));
        }
    }
    if let Some(url) = error.fact("url").and_then(Value::as_str) {
        text.push(url.to_owned());
    }
    text.join("\n\n")
}
