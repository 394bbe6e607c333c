//! What a session shows: values, progress while something runs, news above the line that is typed.

use super::super::{
    lines::Lines,
    progress::LiveSink,
    ui::{Loudness, Tone, Ui},
};
use crate::{
    engine::thrown::to_json,
    event::{Event, Sink, What},
    repl::values::{kind_of, line_of},
    run::session::Session,
};
use jiff::tz::TimeZone;
use parking_lot::Mutex;
use rhai::Dynamic;
use rustyline::ExternalPrinter;
use serde_json::Value;
use std::io::{self, Write};

/// Rows of a table that are shown at once.
const ROWS: usize = 30;

/// Where nothing says how wide the terminal is.
pub(super) const WIDTH: usize = 100;

/// Shows events: with live lines while an input runs, as plain lines above the prompt otherwise.
pub(super) struct Screen {
    ui: Ui,
    zone: TimeZone,
    live: Mutex<Option<LiveSink>>,
    lines: Mutex<Lines>,
}

/// An input runs while this lives.
pub(super) struct InputRuns<'a>(&'a Screen);

impl Screen {
    pub(super) fn new(ui: Ui, zone: TimeZone) -> Self {
        Self { lines: Mutex::new(Lines::new(zone.clone())), live: Mutex::default(), ui, zone }
    }

    /// Live lines from now on, where the terminal can show them.
    pub(super) fn busy(&self) -> InputRuns<'_> {
        if self.ui.is_live() {
            *self.live.lock() = Some(LiveSink::new(self.ui.clone(), self.zone.clone()));
        }
        InputRuns(self)
    }
}

impl Drop for InputRuns<'_> {
    fn drop(&mut self) {
        if let Some(live) = self.0.live.lock().take() {
            live.end();
        }
    }
}

impl Sink for Screen {
    fn event(&self, event: &Event) {
        // The greeting has said it.
        if matches!(event.what, What::RunStarted { .. } | What::RunEnded { .. }) {
            return;
        }
        if let Some(live) = &*self.live.lock() {
            return live.event(event);
        }
        if let What::Print { text } = &event.what {
            return self.ui.data(text);
        }
        for line in self.lines.lock().of(event) {
            // Steps that come and go are no news for somebody who types.
            if line.from <= Loudness::Normal && !matches!(event.what, What::TaskProgress { .. }) {
                self.ui.talk(&self.ui.paint(line.tone, &line.text));
            }
        }
    }
}

/// Writes above the line that is typed.
pub(super) struct Above<P>(pub(super) P);

impl<P: ExternalPrinter> Write for Above<P> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.print(String::from_utf8_lossy(bytes).into_owned()).map_err(io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Shows a value, which is `it`: a table for a list, else a line; `full` for all of it.
pub(super) fn show(ui: &Ui, session: &mut Session, value: &Dynamic, width: usize, full: bool) {
    if let Some(length) = value.read_lock::<rhai::Array>().map(|items| items.len()).filter(|length| *length > 0)
        && is_table(value)
    {
        let rows = if full { length } else { length.min(ROWS) };
        let shown = if rows < length { format!("it.extract(0, {rows})") } else { "it".to_owned() };
        if let Some(table) = session.look(&format!("report({shown}, #{{width: {width}}})")) {
            ui.data(table.to_string().trim_end());
            if rows < length {
                ui.say(&ui.paint(Tone::Dim, &format!("{} more; `:full` shows all", length - rows)));
            }
            return;
        }
    }
    if full {
        return ui.data(&whole(session, value));
    }
    let line = line_of(value);
    let text = value.clone().into_string().ok();
    // A log or a report is read as it is.
    let line = text.filter(|text| text.trim_end().contains('\n')).unwrap_or(line);
    let line = ui.redactor().clean(&line).into_owned();
    let mut lines = line.trim_end().lines();
    let mut cut = false;
    for line in lines.by_ref().take(ROWS) {
        let short: String = line.chars().take(4 * width).collect();
        cut |= short.len() < line.len();
        ui.data(&short);
    }
    let more = lines.count();
    if more > 0 {
        ui.say(&ui.paint(Tone::Dim, &format!("{more} more lines; `:full` shows all")));
    } else if cut {
        ui.say(&ui.paint(Tone::Dim, "cut; `:full` shows all"));
    }
}

/// Whether a list is shown as a table: one of maps or of values with properties.
fn is_table(value: &Dynamic) -> bool {
    value.read_lock::<rhai::Array>().is_some_and(|items| {
        items
            .iter()
            .all(|item| item.is_map() || !matches!(to_json(item), Value::Array(_) | Value::Number(_) | Value::Bool(_) | Value::Null))
            && items.iter().any(|item| !item.is_string())
    })
}

/// All that is known of a value: the server's document, or its JSON.
fn whole(session: &mut Session, value: &Dynamic) -> String {
    if let Ok(text) = value.clone().into_string() {
        return text;
    }
    let document = if value.is_map() || value.is_array() { None } else { session.look("it.raw") };
    let json = to_json(document.as_ref().unwrap_or(value));
    match &json {
        Value::String(line) => format!("{}: {line}", kind_of(value)),
        _ => serde_json::to_string_pretty(&json).unwrap_or_else(|_| line_of(value)),
    }
}

/// What a dry session would have sent.
pub(super) fn not_sent(ui: &Ui, what: &str, content: &Value) {
    ui.say(&ui.paint(Tone::Warn, what));
    if !content.is_null() {
        ui.say(&serde_json::to_string_pretty(content).unwrap_or_default());
    }
    ui.say(&format!("  {} this session is dry: `:live` sends what changes something", ui.paint(Tone::Strong, "help:")));
}

/// A text without what looks like an API key, known or not.
pub(super) fn without_keys(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("API-") {
        let key = rest[at + 4..].find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len() - at - 4);
        out.push_str(&rest[..at]);
        out.push_str(if key >= 8 { "***" } else { &rest[at..at + 4 + key] });
        rest = &rest[at + 4 + key..];
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_key_is_not_remembered() {
        assert_eq!(without_keys("f(\"API-ABCDEFGH1234\"); g(\"API-x\")"), "f(\"***\"); g(\"API-x\")");
    }
}
