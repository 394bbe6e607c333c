//! Turns events into plain lines: `08:03:10  Project A 2.0.0 → Test  started  (ServerTasks-12)`.
//!
//! Times are the event's own, so the same events give the same bytes on every machine.

use super::ui::{Loudness, Tone, Ui, span};
use crate::{
    event::{Event, Level, Sink, Subject, What},
    tame,
};
use jiff::{Timestamp, tz::TimeZone};
use parking_lot::Mutex;
use std::{borrow::Cow, collections::BTreeMap, fmt::Write};

/// One line to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlainLine {
    /// The least loudness at which it is shown.
    pub from: Loudness,
    /// Its colour.
    pub tone: Tone,
    /// The text, with its time in front.
    pub text: String,
}

/// Remembers what was said, so that only news is said.
pub struct Lines {
    zone: TimeZone,
    day: String,
    /// Task → what was last said about it.
    last: BTreeMap<String, (String, Option<String>)>,
}

impl Lines {
    /// Times are shown in `zone`.
    pub fn new(zone: TimeZone) -> Self {
        Self { zone, day: String::new(), last: BTreeMap::new() }
    }

    /// The lines of an event. A change of date puts a line in front.
    pub fn of(&mut self, event: &Event) -> Vec<PlainLine> {
        let body = self.body(&event.what);
        if body.is_empty() {
            return Vec::new();
        }
        let day = day(event.at, &self.zone);
        let mut lines = Vec::new();
        let loudest = body.iter().map(|(from, ..)| *from).min().unwrap_or(Loudness::Verbose);
        if day != self.day {
            // The first line of a run says its date itself.
            if !self.day.is_empty() && loudest < Loudness::Verbose {
                lines.push(PlainLine { from: Loudness::Normal, tone: Tone::Dim, text: format!("-- {day} --") });
            }
            if loudest < Loudness::Verbose || self.day.is_empty() {
                self.day.clone_from(&day);
            }
        }
        let time = time(event.at, &self.zone);
        lines.extend(body.into_iter().map(|(from, tone, text)| {
            // Further lines of one text stand under the first.
            PlainLine { from, tone, text: format!("{time}  {}", tame::framed(text.trim_end()).replace('\n', "\n          ")) }
        }));
        if let What::RunStarted { .. } = event.what
            && let Some(line) = lines.last_mut()
        {
            let _ = write!(line.text, " ({day}, {})", zone_name(&self.zone, event.at));
        }
        lines
    }

    /// What an event says, without its time.
    pub fn body(&mut self, what: &What) -> Vec<(Loudness, Tone, String)> {
        let what = &in_lines(what);
        let normal = |tone, text| vec![(Loudness::Normal, tone, text)];
        match what {
            What::RunStarted { script, server, virtual_time } => {
                let how = if *virtual_time { " in virtual time" } else { "" };
                normal(Tone::Plain, format!("{script} on {server}{how}"))
            }
            What::Note { level: Level::Verbose, text } => vec![(Loudness::Verbose, Tone::Dim, text.clone())],
            What::Note { level: Level::Info, text } => normal(Tone::Plain, text.clone()),
            What::Note { level: Level::Highlight, text } => normal(Tone::Strong, text.clone()),
            What::Note { level: Level::Warning, text } => vec![(Loudness::Quiet, Tone::Warn, format!("warning: {text}"))],
            What::TaskStarted { subject, how } => {
                let how = match how.as_str() {
                    "undo" => "started, to undo",
                    "adopted" => "taken over",
                    _ => "started",
                };
                normal(Tone::Plain, format!("{}  {how}  ({})", subject.title, subject.task))
            }
            What::TaskProgress { subject, state, step, percent } => {
                let now = (state.clone(), step.clone());
                let news = self.last.get(&subject.task) != Some(&now);
                self.last.insert(subject.task.clone(), now);
                let mut text = format!("{}  {state}", subject.title);
                if let Some(step) = step {
                    let _ = write!(text, "  {step}");
                }
                if let Some(percent) = percent {
                    let _ = write!(text, "  {percent} %");
                }
                vec![(if news { Loudness::Normal } else { Loudness::Verbose }, Tone::Dim, text)]
            }
            What::Waiting { task, title, why, url } => {
                let what = if task.is_some() { title.clone() } else { format!("waiting for {title}") };
                let url = url.as_ref().map_or_else(String::new, |url| format!("  {url}"));
                normal(Tone::Warn, format!("{what}: {why}{url}"))
            }
            What::TaskEnded { subject, state, queued, started, completed, error } => {
                self.last.remove(&subject.task);
                let took = completed.map_or_else(String::new, |end| {
                    format!("  after {}", span(end.duration_since(started.unwrap_or(*queued)).as_secs_f64()))
                });
                let mut lines = normal(tone_of(state), format!("{}  {state}{took}  ({})", subject.title, subject.task));
                if !error.trim().is_empty() {
                    lines.push((Loudness::Normal, Tone::Bad, format!("  {}", error.trim())));
                }
                if let (false, Some(url)) = (state == "Success", &subject.url) {
                    lines.push((Loudness::Normal, Tone::Dim, format!("  {url}")));
                }
                lines
            }
            What::Mail { to, subject, problem: None } => normal(Tone::Plain, format!("mail to {}: {subject}", to.join(", "))),
            What::Mail { to, subject, problem: Some(problem) } => {
                vec![(Loudness::Quiet, Tone::Warn, format!("warning: mail to {} could not be sent: {subject}: {problem}", to.join(", ")))]
            }
            What::Progress { percent, text } => normal(Tone::Plain, format!("{percent} %  {text}")),
            What::Output { name, value, .. } => {
                normal(Tone::Plain, format!("output {name} = {}", value.as_deref().unwrap_or("*** (sensitive)")))
            }
            What::Artifact { name, path } => normal(Tone::Plain, format!("artifact {name} written to {path}")),
            // Data, or told by the closing lines.
            // What is gone through again was told when it happened.
            What::Print { .. } | What::Planned { .. } | What::Replayed { .. } | What::RunEnded { .. } => Vec::new(),
        }
    }
}

/// An event whose names are lines: one that holds a line break would read like two events.
pub fn in_lines(what: &What) -> What {
    let mut what = what.clone();
    let one = |text: &mut String| {
        if let Cow::Owned(tamed) = tame::line(text) {
            *text = tamed;
        }
    };
    let of_subject = |subject: &mut Subject| {
        let Subject { task, title, project, release, environment, tenant, runbook, url } = subject;
        [task, title].into_iter().for_each(one);
        [project, release, environment, tenant, runbook, url].into_iter().flatten().for_each(one);
    };
    match &mut what {
        What::RunStarted { script, server, .. } => [script, server].into_iter().for_each(one),
        What::TaskStarted { subject, how } => {
            of_subject(subject);
            one(how);
        }
        What::TaskProgress { subject, state, step, .. } => {
            of_subject(subject);
            one(state);
            step.iter_mut().for_each(one);
        }
        What::Waiting { task, title, url, .. } => {
            one(title);
            [task, url].into_iter().flatten().for_each(one);
        }
        What::TaskEnded { subject, state, .. } => {
            of_subject(subject);
            one(state);
        }
        What::Mail { to, subject, .. } => {
            to.iter_mut().for_each(one);
            one(subject);
        }
        What::Output { name, .. } => one(name),
        What::Artifact { name, path } => [name, path].into_iter().for_each(one),
        What::Replayed { what } => **what = in_lines(what),
        What::Print { .. } | What::Note { .. } | What::Progress { .. } | What::Planned { .. } | What::RunEnded { .. } => {}
    }
    what
}

/// The colour of a task's state.
pub fn tone_of(state: &str) -> Tone {
    match state {
        "Success" => Tone::Good,
        "Failed" | "TimedOut" => Tone::Bad,
        "Canceled" | "Cancelling" => Tone::Warn,
        _ => Tone::Plain,
    }
}

/// `08:03:10`.
pub fn time(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned_datetime(zone.clone()).strftime("%H:%M:%S").to_string()
}

/// `Mon 2026-03-02`.
pub fn day(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned_datetime(zone.clone()).strftime("%a %Y-%m-%d").to_string()
}

/// `Europe/Berlin`, `UTC`, `+02:00`.
pub fn zone_name(zone: &TimeZone, at: Timestamp) -> String {
    zone.iana_name().map_or_else(|| at.to_zoned_datetime(zone.clone()).strftime("%:z").to_string(), str::to_owned)
}

/// Shows plain lines on stderr and what the script prints on stdout.
pub struct PlainSink {
    ui: Ui,
    lines: Mutex<Lines>,
}

impl PlainSink {
    /// Shows on `ui`, with times in `zone`.
    pub fn new(ui: Ui, zone: TimeZone) -> Self {
        Self { ui, lines: Mutex::new(Lines::new(zone)) }
    }
}

impl Sink for PlainSink {
    fn event(&self, event: &Event) {
        if let What::Print { text } = &event.what {
            self.ui.data(text);
            return;
        }
        for line in self.lines.lock().of(event) {
            if line.from <= self.ui.loudness() {
                self.ui.talk(&self.ui.paint(line.tone, &line.text));
            }
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::ui::testing;
    use super::*;
    use crate::event::Hidden;

    pub(crate) fn at(text: &str) -> Timestamp {
        format!("2026-03-02T{text}Z").parse().expect("a time of day")
    }

    pub(crate) fn subject(task: u32, title: &str) -> Subject {
        Subject {
            task: format!("ServerTasks-{task}"),
            title: title.to_owned(),
            url: Some(format!("https://octo/t/{task}")),
            ..Subject::default()
        }
    }

    /// A short run with a bit of everything.
    pub(crate) fn story() -> Vec<Event> {
        let a = || subject(12, "Project A 2.0.0 → Test");
        let c = || subject(13, "Project C 2.0.0 → Test");
        let progress = |subject, state: &str, step: Option<&str>, percent| What::TaskProgress {
            subject,
            state: state.to_owned(),
            step: step.map(str::to_owned),
            percent,
        };
        let ended = |subject, state: &str, queued, started, completed, error: &str| What::TaskEnded {
            subject,
            state: state.to_owned(),
            queued,
            started: Some(started),
            completed: Some(completed),
            error: error.to_owned(),
        };
        let note = |level, text: &str| What::Note { level, text: text.to_owned() };
        [
            ("08:00:00", What::RunStarted { script: "x.rhai".into(), server: "sandbox shop".into(), virtual_time: true }),
            ("08:00:00", note(Level::Info, "`latest` of Project A is 2.0.0")),
            ("08:00:00", note(Level::Verbose, "GET /api")),
            ("08:00:01", What::TaskStarted { subject: a(), how: "deploy".into() }),
            ("08:00:02", progress(a(), "Executing", Some("Step 1: Copy"), Some(5))),
            ("08:00:09", progress(a(), "Executing", Some("Step 1: Copy"), Some(15))),
            ("08:00:09", What::Print { text: "half way API-SECRET".into() }),
            (
                "08:00:10",
                What::Waiting {
                    task: Some("ServerTasks-13".into()),
                    title: "Project C 2.0.0 → Test".into(),
                    why: "queued behind Project A 2.0.0 → Test (ServerTasks-12)".into(),
                    url: None,
                },
            ),
            ("08:12:31", ended(a(), "Success", at("08:00:01"), at("08:00:01"), at("08:12:31"), "")),
            ("08:12:31", What::Mail { to: vec!["a@b".into(), "c@d".into()], subject: "A is live".into(), problem: None }),
            ("08:12:31", What::TaskStarted { subject: c(), how: "undo".into() }),
            ("08:20:00", ended(c(), "Failed", at("08:12:31"), at("08:15:00"), at("08:20:00"), "The step Copy failed\nwith two lines")),
            ("08:20:00", note(Level::Warning, "nobody answered")),
            ("08:20:00", What::Mail { to: vec!["a@b".into()], subject: "C failed".into(), problem: Some("no route".into()) }),
            ("08:20:00", What::Progress { percent: 40, text: "two of five".into() }),
            ("08:20:00", What::Output { name: "Live".into(), value: Some("A".into()), secret: None, raw: false }),
            ("08:20:00", What::Output { name: "Password".into(), value: None, secret: Some(Hidden::new("x")), raw: false }),
            ("08:20:00", What::Artifact { name: "r.html".into(), path: "out/r.html".into() }),
            ("08:20:00", What::RunEnded { exit_code: 5, result: None, error: None, mode: None }),
        ]
        .into_iter()
        .zip(1..)
        .map(|((time, what), seq)| Event { seq, at: at(time), what })
        .collect()
    }

    const GOLDEN: &str = "\
08:00:00  x.rhai on sandbox shop in virtual time (Mon 2026-03-02, UTC)
08:00:00  `latest` of Project A is 2.0.0
08:00:01  Project A 2.0.0 → Test  started  (ServerTasks-12)
08:00:02  Project A 2.0.0 → Test  Executing  Step 1: Copy  5 %
08:00:10  Project C 2.0.0 → Test: queued behind Project A 2.0.0 → Test (ServerTasks-12)
08:12:31  Project A 2.0.0 → Test  Success  after 12m 30s  (ServerTasks-12)
08:12:31  mail to a@b, c@d: A is live
08:12:31  Project C 2.0.0 → Test  started, to undo  (ServerTasks-13)
08:20:00  Project C 2.0.0 → Test  Failed  after 5m  (ServerTasks-13)
08:20:00    The step Copy failed
          with two lines
08:20:00    https://octo/t/13
08:20:00  warning: nobody answered
08:20:00  warning: mail to a@b could not be sent: C failed: no route
08:20:00  40 %  two of five
08:20:00  output Live = A
08:20:00  output Password = *** (sensitive)
08:20:00  artifact r.html written to out/r.html
";

    fn told(loudness: Loudness) -> (String, String) {
        let (ui, data, talk) = testing::ui(loudness);
        let sink = PlainSink::new(ui, TimeZone::UTC);
        for event in story() {
            sink.event(&event);
        }
        (data.text(), talk.text())
    }

    #[test]
    fn a_run_as_plain_lines() {
        let (data, talk) = told(Loudness::Normal);
        assert_eq!(data, "half way ***\n");
        assert_eq!(talk, GOLDEN);
    }

    #[test]
    fn quiet_says_warnings_and_verbose_says_all() {
        let (data, talk) = told(Loudness::Quiet);
        assert_eq!(data, "half way ***\n");
        assert_eq!(talk, "08:20:00  warning: nobody answered\n08:20:00  warning: mail to a@b could not be sent: C failed: no route\n");
        let (_, talk) = told(Loudness::Verbose);
        assert!(
            talk.contains("08:00:00  GET /api\n") && talk.contains("08:00:09  Project A 2.0.0 → Test  Executing  Step 1: Copy  15 %\n"),
            "{talk}"
        );
    }

    #[test]
    fn a_new_day_is_announced_and_the_zone_counts() {
        let (ui, _, talk) = testing::ui(Loudness::Normal);
        let sink = PlainSink::new(ui, TimeZone::get("Australia/Brisbane").expect("a bundled zone"));
        let progress = |percent| What::Progress { percent, text: "x".into() };
        for (seq, time, percent) in [(1, "13:59:59", 1), (2, "14:00:00", 2)] {
            sink.event(&Event { seq, at: at(time), what: progress(percent) });
        }
        assert_eq!(talk.text(), "23:59:59  1 %  x\n-- Tue 2026-03-03 --\n00:00:00  2 %  x\n");
    }
}
