//! Everything that is shown, with texts in it that others wrote to deceive: no line is forged, nothing moves the terminal, nothing speaks to the
//! agent of Octopus.

use super::{
    json::JsonSink,
    lines::{PlainSink, tests::at},
    timeline::Timeline,
    ui::{Loudness, Ui, testing},
};
use crate::{
    error::Error,
    event::{Event, Hidden, Level, Sink, Subject, What},
};
use jiff::tz::TimeZone;
use proptest::prelude::*;
use serde_json::json;
use std::collections::BTreeSet;

/// The number of a kind of event. A new kind is added here, and to the lists of the tests that count them.
pub(super) fn kind(what: &What) -> u8 {
    match what {
        What::RunStarted { .. } => 0,
        What::Print { .. } => 1,
        What::Note { .. } => 2,
        What::TaskStarted { .. } => 3,
        What::TaskProgress { .. } => 4,
        What::Waiting { .. } => 5,
        What::TaskEnded { .. } => 6,
        What::Mail { .. } => 7,
        What::Progress { .. } => 8,
        What::Output { .. } => 9,
        What::Artifact { .. } => 10,
        What::Replayed { .. } => 11,
        What::RunEnded { .. } => 12,
        What::Planned { .. } => 13,
    }
}

/// Pieces that do harm somewhere.
const PIECES: [&str; 34] = [
    "\u{1b}[2J",
    "\u{1b}[31m",
    "\u{1b}]0;owned\u{7}",
    "\u{1b}]8;;http://evil.example\u{1b}\\",
    "\u{9b}31m",
    "\u{9d}0;x\u{9c}",
    "\u{7}",
    "\u{8}\u{8}\u{8}",
    "\r",
    "\r\n",
    "\n",
    "\u{b}",
    "\u{c}",
    "\u{7f}",
    "\u{85}",
    "\u{2028}",
    "\u{2029}",
    "\u{202e}",
    "\u{2066}",
    "\u{200f}",
    "\u{61c}",
    "\u{200b}",
    "\u{feff}",
    "\u{e0041}",
    "\0",
    "##octopus[setVariable name='QQ==' value='QQ==']",
    "##o",
    "#",
    "ctopus[stdout-ignore]",
    "  help: rm -rf /",
    "error: no such thing",
    "08:00:00  Project A  Success",
    "\u{fdd0}",
    "Größe → 🐙",
];

fn hostile() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(PIECES.to_vec()), 0..6).prop_map(|pieces| format!("a{}z", pieces.concat()))
}

/// One event of each kind, `text` in each place that a text can have.
fn events(text: &str) -> Vec<Event> {
    let own = || text.to_owned();
    let maybe = || Some(text.to_owned());
    let subject = || Subject {
        task: own(),
        title: own(),
        project: maybe(),
        release: maybe(),
        environment: maybe(),
        tenant: maybe(),
        runbook: maybe(),
        url: maybe(),
    };
    let noon = at("12:00:00");
    let note = |level| What::Note { level, text: own() };
    let all = vec![
        What::RunStarted { script: own(), server: own(), virtual_time: true },
        What::Print { text: own() },
        note(Level::Verbose),
        note(Level::Info),
        note(Level::Highlight),
        note(Level::Warning),
        What::TaskStarted { subject: subject(), how: own() },
        What::TaskProgress { subject: subject(), state: own(), step: maybe(), percent: Some(5) },
        What::Waiting { task: None, title: own(), why: own(), url: maybe() },
        What::Waiting { task: maybe(), title: own(), why: own(), url: maybe() },
        What::TaskEnded { subject: subject(), state: own(), queued: noon, started: Some(noon), completed: Some(noon), error: own() },
        What::Mail { to: vec![own(), own()], subject: own(), problem: None },
        What::Mail { to: vec![own()], subject: own(), problem: maybe() },
        What::Progress { percent: 1, text: own() },
        What::Planned { tasks: 1 },
        What::Output { name: own(), value: maybe(), secret: None, raw: false },
        What::Output { name: own(), value: None, secret: Some(Hidden::new(own())), raw: false },
        What::Artifact { name: own(), path: own() },
        What::Replayed { what: Box::new(What::TaskStarted { subject: subject(), how: own() }) },
        What::RunEnded { exit_code: 1, result: Some(json!(text)), error: Some(json!({"message": text})), mode: None },
    ];
    let kinds: BTreeSet<u8> = all.iter().map(kind).collect();
    assert_eq!(kinds.len(), 14, "{kinds:?}");
    all.into_iter().zip(1..).map(|(what, seq)| Event { seq, at: noon, what }).collect()
}

/// Written for the test, apart from what it tests: what no reader may get.
fn harms(c: char) -> bool {
    c.is_control() && !matches!(c, '\n' | '\t')
        || matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fdd0}' | '\u{e0000}'..='\u{e007f}')
}

/// Looks at what was written, as it came; `\r\n` of data is a line end.
fn is_tame(written: &str, coloured: bool) -> Result<(), TestCaseError> {
    let mut plain = written.replace("\r\n", "\n");
    if coloured {
        for code in ["0", "1", "2", "32", "33", "1;31"] {
            plain = plain.replace(&format!("\u{1b}[{code}m"), "");
        }
    }
    prop_assert!(!plain.contains(harms), "{:?}", plain);
    prop_assert!(!plain.replace('\n', "").contains("##octopus"), "{:?}", plain);
    Ok(())
}

fn told(ui: &Ui, text: &str) {
    let sink = PlainSink::new(ui.clone(), TimeZone::UTC);
    let timeline = Timeline::default();
    for event in events(text) {
        sink.event(&event);
        timeline.event(&event);
    }
    timeline.show(ui, &TimeZone::UTC);
    ui.warning(text);
    ui.error(&Error::usage(text).help(text));
    ui.table(&[[text.to_owned(), text.to_owned()]]);
}

proptest! {
    #[test]
    fn nothing_harms_in_lines_and_colours(text in hostile()) {
        for coloured in [false, true] {
            let (ui, data, talk) = if coloured { testing::coloured(Loudness::Verbose) } else { testing::ui(Loudness::Verbose) };
            told(&ui, &text);
            is_tame(&data.text(), coloured)?;
            is_tame(&talk.text(), coloured)?;
            prop_assert_eq!(talk.text().contains('\u{1b}'), coloured, "what we colour stays coloured");
        }
    }

    #[test]
    fn no_event_and_no_help_is_forged(text in hostile()) {
        let (ui, _, talk) = testing::ui(Loudness::Verbose);
        let sink = PlainSink::new(ui.clone(), TimeZone::UTC);
        for event in events(&text) {
            let before = talk.text().len();
            sink.event(&event);
            let lines = talk.text()[before..].to_owned();
            // The error of a task that ended and the link to it stand on lines of their own.
            let most = if matches!(event.what, What::TaskEnded { .. }) { 3 } else { 1 };
            prop_assert!(lines.lines().filter(|line| !line.starts_with("          ")).count() <= most, "{:?}: {}", event.what, lines);
        }
        let before = talk.text().len();
        ui.error(&Error::usage(text.as_str()).help(text.as_str()));
        let told = talk.text()[before..].to_owned();
        let begins = |word: &str| told.lines().filter(|line| line.trim_start().starts_with(word)).count();
        prop_assert!(begins("error:") == 1 && begins("help:") == 1, "{}", told);
    }

    #[test]
    fn json_is_tame_and_whole(text in hostile()) {
        let (ui, data, _) = testing::ui(Loudness::Normal);
        let sink = JsonSink::new(ui);
        let events = events(&text);
        for event in &events {
            sink.event(event);
        }
        is_tame(&data.text(), false)?;
        for (line, event) in data.text().lines().zip(&events) {
            prop_assert_eq!(serde_json::from_str::<serde_json::Value>(line).expect("JSON"), serde_json::to_value(event).expect("JSON"));
        }
    }

    #[test]
    fn live_lines_are_lines(text in hostile()) {
        let (ui, ..) = testing::coloured(Loudness::Normal);
        let drawn = ui.drawn(&format!("{}  {}", ui.paint(super::ui::Tone::Warn, &text), text));
        // On a terminal, which nobody reads for messages.
        is_tame(&drawn.replace("##octopus", ""), true)?;
        prop_assert!(!drawn.contains(['\n', '\t']), "{:?}", drawn);
    }
}

#[test]
fn a_failure_in_colour_keeps_its_colours_and_no_others() {
    let script = "let a = \"\u{1b}[31mx\u{202e}\"; throw a + \"\\n  help: do it\";";
    let file = "evil\u{1b}]0;x\u{7}.rhai";
    let error = Error::usage("no \u{1b}[2J\n  help: forged\u{202e}").help("yes\n\u{1b}[5m");
    let failure = crate::engine::Failure::in_text(error, file, script, (1, 1));
    for coloured in [false, true] {
        let (ui, _, talk) = if coloured { testing::coloured(Loudness::Normal) } else { testing::ui(Loudness::Normal) };
        ui.talk(&super::failures::rendered(&failure, coloured));
        let told = talk.text();
        let mut plain = String::new();
        let mut rest = told.as_str();
        // What the renderer colours with: whole sequences of digits.
        while let Some((before, behind)) = rest.split_once("\u{1b}[") {
            plain.push_str(before);
            rest = behind.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';').strip_prefix('m').expect("a colour");
        }
        plain.push_str(rest);
        assert_eq!(told.contains('\u{1b}'), coloured);
        assert!(!plain.contains(harms) && plain.contains("| help: forged"), "{plain:?}");
        assert!(!told.contains("\u{1b}[2J") && !told.contains("\u{1b}[5m") && !told.contains("\u{1b}[31mx"), "{told:?}");
        assert_eq!(
            plain.lines().filter(|line| line.trim_start_matches(['=', ' ', '|', '╰', '╭']).starts_with("help:")).count(),
            2,
            "ours, and the one with its bar: {plain}"
        );
    }
}
