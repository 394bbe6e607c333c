//! The closing lines of a run: what ran when (a chart in text), mails, result, statistics.

use super::{
    lines::{day, in_lines, time, tone_of, zone_name},
    ui::{Tone, Ui, span},
};
use crate::{
    error::with_commas,
    event::{Event, Sink, Subject, What},
    run::Stats,
};
use jiff::{Timestamp, tz::TimeZone};
use parking_lot::Mutex;
use std::collections::BTreeMap;

/// Letters of the longest bar.
const WIDTH: usize = 40;
/// A chart that people still read.
const MOST_ROWS: usize = 60;
/// A title that leaves room for the chart.
const MOST_TITLE: usize = 48;

/// Collects what the closing lines tell.
#[derive(Default)]
pub struct Timeline(Mutex<TimelineState>);

#[derive(Default)]
struct TimelineState {
    rows: Vec<TaskRow>,
    /// Task → its place in `rows`.
    index: BTreeMap<String, usize>,
    mails: Vec<(Vec<String>, String, bool)>,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
    virtual_time: bool,
}

struct TaskRow {
    title: String,
    url: Option<String>,
    queued: Timestamp,
    started: Option<Timestamp>,
    ended: Option<Timestamp>,
    state: String,
}

impl Sink for Timeline {
    fn event(&self, event: &Event) {
        let mut state = self.0.lock();
        state.first.get_or_insert(event.at);
        state.last = Some(event.at);
        let what = match &event.what {
            What::Replayed { what } => what,
            what => what,
        };
        match &in_lines(what) {
            What::RunStarted { virtual_time, .. } => state.virtual_time = *virtual_time,
            What::TaskStarted { subject, .. } => {
                state.row(subject, event.at);
            }
            What::TaskProgress { subject, state: now, .. } => {
                let row = state.row(subject, event.at);
                if row.started.is_none() && now != "Queued" {
                    row.started = Some(event.at);
                }
                row.state.clone_from(now);
            }
            What::TaskEnded { subject, state: end, queued, started, completed, .. } => {
                let row = state.row(subject, *queued);
                (row.queued, row.started, row.ended) = (*queued, *started, completed.or(Some(event.at)));
                row.state.clone_from(end);
            }
            What::Mail { to, subject, problem } => state.mails.push((to.clone(), subject.clone(), problem.is_none())),
            _ => {}
        }
    }
}

impl TimelineState {
    fn row(&mut self, subject: &Subject, queued: Timestamp) -> &mut TaskRow {
        let at = *self.index.entry(subject.task.clone()).or_insert(self.rows.len());
        if at == self.rows.len() {
            let (title, url) = (subject.title.clone(), subject.url.clone());
            self.rows.push(TaskRow { title, url, queued, started: None, ended: None, state: "Queued".to_owned() });
        }
        &mut self.rows[at]
    }
}

impl Timeline {
    /// The tasks that have not ended, as far as this run has seen: `Project A 2.0.0 → Test (ServerTasks-12)`.
    pub fn open(&self) -> Vec<String> {
        self.unended(|_| true).into_iter().map(|(text, _)| text).collect()
    }

    /// [`Timeline::open`] without those that are being cancelled, each with the link to its page.
    pub fn going_on(&self) -> Vec<(String, Option<String>)> {
        self.unended(|row| row.state != "Cancelling")
    }

    fn unended(&self, wanted: impl Fn(&TaskRow) -> bool) -> Vec<(String, Option<String>)> {
        let state = self.0.lock();
        let mut open: Vec<(usize, String, Option<String>)> = state
            .index
            .iter()
            .map(|(task, at)| (task, *at, &state.rows[*at]))
            .filter(|(_, _, row)| row.ended.is_none() && wanted(row))
            .map(|(task, at, row)| (at, format!("{} ({task})", row.title), row.url.clone()))
            .collect();
        open.sort_unstable();
        open.into_iter().map(|(_, text, url)| (text, url)).collect()
    }

    /// Shows the chart and the mails on `ui`; nothing when nothing ran and nothing was sent.
    pub fn show(&self, ui: &Ui, zone: &TimeZone) {
        let state = self.0.lock();
        let mut rows: Vec<&TaskRow> = state.rows.iter().collect();
        if let (Some(first), Some(last), false) = (state.first, state.last, rows.is_empty()) {
            let kind = if state.virtual_time { "virtual time" } else { "real time" };
            rows.sort_by_key(|row| row.queued); // stable: equal times keep the order of events
            // A server's clock may differ from ours: then the chart shows the tasks' own times only.
            let all_ended = rows.iter().all(|row| row.ended.is_some());
            let (first, last) = if state.virtual_time || !all_ended { (first, last) } else { (rows[0].queued, rows[0].queued) };
            let from = rows[0].queued.min(first);
            let to = rows.iter().filter_map(|row| row.ended).max().unwrap_or(last).max(last);
            ui.say("");
            ui.say(&ui.paint(Tone::Strong, &format!("What ran when ({kind}, {}, {})", day(from, zone), zone_name(zone, from))));
            let titles = rows.iter().take(MOST_ROWS).map(|row| row.title.chars().count()).max().unwrap_or(0).min(MOST_TITLE);
            let several_days = day(from, zone) != day(to, zone);
            for row in rows.iter().take(MOST_ROWS) {
                ui.say(&row.text(ui, zone, titles, (from, to), several_days));
            }
            if let Some(more) = rows.get(MOST_ROWS..).filter(|more| !more.is_empty()) {
                let good = more.iter().filter(|row| row.state == "Success").count();
                ui.say(&format!("  and {} more tasks, {} of them Success", with_commas(more.len() as u64), with_commas(good as u64)));
            }
        }
        if !state.mails.is_empty() {
            ui.say("");
            ui.say(&ui.paint(Tone::Strong, "Mails"));
            for (to, subject, sent) in &state.mails {
                let what = if *sent { "sent to" } else { "NOT sent to" };
                ui.say(&format!("  {what} {}: {subject}", to.join(", ")));
            }
        }
    }
}

impl TaskRow {
    fn text(&self, ui: &Ui, zone: &TimeZone, titles: usize, (from, to): (Timestamp, Timestamp), several_days: bool) -> String {
        let clock = |at| if several_days { format!("{} {}", &day(at, zone)[4..], time(at, zone)) } else { time(at, zone) };
        let begin = self.started.unwrap_or(self.queued);
        let end = self.ended.unwrap_or(to);
        let until = self.ended.map_or_else(|| format!("{:>width$}", "goes on", width = clock(to).chars().count()), clock);
        let place = |at: Timestamp| {
            let whole = to.duration_since(from).as_secs_f64();
            let part = at.duration_since(from).as_secs_f64();
            if whole <= 0.0 { 0 } else { ((part / whole) * WIDTH as f64).round() as usize }.min(WIDTH)
        };
        let (queued, begun) = (place(self.queued).min(WIDTH - 1), place(begin).min(WIDTH - 1));
        // What ran is seen, however short it was.
        let ended = place(end).max(begun + 1);
        let bar = format!(
            "{}{}{}{}",
            " ".repeat(queued),
            "░".repeat(begun - queued),
            "█".repeat(ended - begun),
            " ".repeat(WIDTH - ended.min(WIDTH))
        );
        let tone = tone_of(&self.state);
        format!(
            "  {}  {} - {}  {:>7}  {}  {}",
            fit(&self.title, titles),
            clock(begin),
            until,
            span(end.duration_since(begin).as_secs_f64()),
            ui.paint(tone, &bar),
            ui.paint(tone, &self.state)
        )
    }
}

/// Cut or filled to `width` letters.
fn fit(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return format!("{text:<width$}");
    }
    text.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

/// `done in 41m 10s of virtual time`; the time on the wall is for people who watch, it differs from run to run.
pub fn result(ok: bool, exit_code: u8, stats: &Stats, virtual_time: bool, with_real: bool) -> String {
    let what = if ok { "done in".to_owned() } else { format!("ended with exit code {exit_code} after") };
    let spent = span(stats.seconds);
    match (virtual_time, with_real) {
        (true, true) => format!("{what} {spent} of virtual time ({:.1} s)", stats.real_seconds),
        (true, false) => format!("{what} {spent} of virtual time"),
        (false, _) => format!("{what} {spent}"),
    }
}

/// What `--stats` shows.
pub fn stats(stats: &Stats) -> Vec<String> {
    vec![
        "Requests".to_owned(),
        format!("  sent            {:>10}", with_commas(stats.requests)),
        format!("  per minute      {:>10}", format!("{:.1}", stats.requests as f64 / (stats.seconds / 60.0).max(1.0))),
        format!("  busiest minute  {:>10}", with_commas(stats.busiest_minute)),
        format!("  delayed         {:>10}", with_commas(stats.delayed)),
        format!("  rejected        {:>10}", with_commas(stats.rejected)),
    ]
}

impl Timeline {
    /// Whether the run was in virtual time, as its first event said.
    pub fn is_virtual(&self) -> bool {
        self.0.lock().virtual_time
    }
}

#[cfg(test)]
mod tests {
    use super::super::{
        lines::tests::{at, story, subject},
        ui::{Loudness, testing},
    };
    use super::*;

    #[test]
    fn a_chart_of_a_run() {
        let timeline = Timeline::default();
        for event in story() {
            timeline.event(&event);
        }
        let (ui, _, talk) = testing::ui(Loudness::Normal);
        timeline.show(&ui, &TimeZone::UTC);
        let golden = "
What ran when (virtual time, Mon 2026-03-02, UTC)
  Project A 2.0.0 → Test  08:00:01 - 08:12:31  12m 30s  █████████████████████████                 Success
  Project C 2.0.0 → Test  08:15:00 - 08:20:00       5m                           ░░░░░██████████  Failed

Mails
  sent to a@b, c@d: A is live
  NOT sent to a@b: C failed
";
        assert_eq!(talk.text(), golden);
    }

    #[test]
    fn a_task_that_goes_on_and_one_that_took_no_time() {
        let timeline = Timeline::default();
        let events = [
            ("08:00:00", What::TaskStarted { subject: subject(1, "One"), how: "deploy".into() }),
            (
                "08:10:00",
                What::TaskEnded {
                    subject: subject(2, "Two"),
                    state: "Canceled".into(),
                    queued: at("08:10:00"),
                    started: None,
                    completed: None,
                    error: String::new(),
                },
            ),
        ];
        for ((time, what), seq) in events.into_iter().zip(1..) {
            timeline.event(&Event { seq, at: at(time), what });
        }
        let (ui, _, talk) = testing::ui(Loudness::Normal);
        timeline.show(&ui, &TimeZone::UTC);
        let text = talk.text();
        assert!(text.contains("One  08:00:00 -  goes on      10m  ████████████████████████████████████████  Queued"), "{text}");
        assert!(text.contains("Two  08:10:00 - 08:10:00       0s                                         █  Canceled"), "{text}");
    }

    #[test]
    fn a_thousand_tasks_are_summed_up_and_nothing_is_shown_for_nothing() {
        let (ui, _, talk) = testing::ui(Loudness::Normal);
        let timeline = Timeline::default();
        timeline.show(&ui, &TimeZone::UTC);
        assert_eq!(talk.text(), "");
        for n in 0..1000 {
            timeline.event(&Event {
                seq: 1,
                at: at("08:00:00"),
                what: What::TaskEnded {
                    subject: subject(n, "T"),
                    state: "Success".into(),
                    queued: at("08:00:00"),
                    started: None,
                    completed: None,
                    error: String::new(),
                },
            });
        }
        timeline.show(&ui, &TimeZone::UTC);
        assert!(talk.text().ends_with("  and 940 more tasks, 940 of them Success\n"), "{}", talk.text());
        assert_eq!(talk.text().lines().count(), 63);
    }

    #[test]
    fn result_and_statistics() {
        let stats_of = Stats { requests: 96, busiest_minute: 12, rejected: 1, delayed: 40, seconds: 2470.0, real_seconds: 0.21 };
        assert_eq!(result(true, 0, &stats_of, true, true), "done in 41m 10s of virtual time (0.2 s)");
        assert_eq!(result(true, 0, &stats_of, true, false), "done in 41m 10s of virtual time");
        assert_eq!(result(false, 5, &stats_of, false, true), "ended with exit code 5 after 41m 10s");
        assert_eq!(
            stats(&stats_of).join("\n"),
            "Requests
  sent                    96
  per minute             2.3
  busiest minute          12
  delayed                 40
  rejected                 1"
        );
    }
}
