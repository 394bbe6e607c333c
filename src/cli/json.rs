//! `--output json`: one event a line on stdout, nothing else there.

use super::ui::Ui;
use crate::{
    event::{Event, Sink},
    run::Stats,
};
use serde_json::json;

/// Writes events as JSON.
pub struct JsonSink(Ui);

impl JsonSink {
    /// Writes to the stdout of `ui`.
    pub fn new(ui: Ui) -> Self {
        Self(ui)
    }
}

impl Sink for JsonSink {
    fn event(&self, event: &Event) {
        // Events hold strings, numbers and JSON values only, which always can be written.
        let line = serde_json::to_string(event).unwrap_or_else(|why| json!({"event": "unprintable", "why": why.to_string()}).to_string());
        self.0.data(&line);
    }
}

/// The line that `--stats` adds after the last event.
pub fn stats(stats: &Stats) -> String {
    json!({
        "event": "stats",
        "requests": stats.requests,
        "busiest_minute": stats.busiest_minute,
        "seconds": stats.seconds,
        "real_seconds": stats.real_seconds,
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::super::{lines::tests::story, ui::Loudness, ui::testing};
    use super::*;
    use serde_json::Value;

    #[test]
    fn each_event_is_one_json_line_without_secrets() {
        let (ui, data, talk) = testing::ui(Loudness::Normal);
        let sink = JsonSink::new(ui);
        let story = story();
        for event in &story {
            sink.event(event);
        }
        let text = data.text();
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        assert_eq!(lines.len(), story.len());
        assert_eq!(lines[3]["event"], "task_started");
        assert_eq!(lines[3]["task"], "ServerTasks-12");
        assert_eq!(lines[3]["at"], "2026-03-02T08:00:01Z");
        assert_eq!(lines[6]["text"], "half way ***");
        assert_eq!(lines[18]["exit_code"], 5);
        assert!(talk.text().is_empty());
    }

    #[test]
    fn statistics_are_a_line_too() {
        let line: Value = serde_json::from_str(&stats(&Stats { requests: 7, ..Stats::default() })).expect("JSON");
        assert_eq!(line, json!({"event": "stats", "requests": 7, "busiest_minute": 0, "seconds": 0.0, "real_seconds": 0.0}));
    }
}
