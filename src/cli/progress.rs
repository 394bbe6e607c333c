//! Live progress on a terminal: one line a task, with what it waits for below it; what is over scrolls up as plain lines.

use super::{
    lines::Lines,
    ui::{Loudness, Tone, Ui, span},
};
use crate::{
    clock::Stopwatch,
    event::{Event, Sink, What},
};
use indicatif::{MultiProgress, ProgressBar, ProgressState, ProgressStyle};
use jiff::{Timestamp, tz::TimeZone};
use parking_lot::Mutex;
use std::{collections::BTreeMap, fmt::Write, sync::Arc, time::Duration};

/// More lines than this do not fit on a screen; the others are counted.
const MOST_LINES: usize = 20;

/// Shows a run as it goes.
pub struct LiveSink {
    ui: Ui,
    state: Mutex<LiveState>,
    time: Arc<Mutex<RunTime>>,
}

struct LiveState {
    lines: Lines,
    bars: MultiProgress,
    tasks: BTreeMap<String, TaskLine>,
    /// Tasks without a line, because there are too many.
    hidden: usize,
    more: Option<ProgressBar>,
    /// What the run itself waits for (no task).
    waiting: Option<ProgressBar>,
}

struct TaskLine {
    bar: Option<ProgressBar>,
    title: String,
    state: String,
    step: String,
    percent: Option<u8>,
    why: String,
}

/// The run's clock as far as its events tell: a virtual one stands between events, a real one goes on.
struct RunTime {
    at: Timestamp,
    heard: Stopwatch,
    stands: bool,
}

impl RunTime {
    fn now(&self) -> Timestamp {
        if self.stands { self.at } else { self.at.saturating_add(self.heard.elapsed()).unwrap_or(self.at) }
    }
}

impl LiveSink {
    /// Shows on the terminal of `ui`.
    pub fn new(ui: Ui, zone: TimeZone) -> Self {
        let bars = ui.start_bars();
        let time = RunTime { at: Timestamp::UNIX_EPOCH, heard: Stopwatch::start(), stands: true };
        Self {
            ui,
            state: Mutex::new(LiveState { lines: Lines::new(zone), bars, tasks: BTreeMap::new(), hidden: 0, more: None, waiting: None }),
            time: Arc::new(Mutex::new(time)),
        }
    }

    /// Takes all live lines away: what they told of is over, or nobody waits for it any more.
    pub fn end(&self) {
        let mut state = self.state.lock();
        let tasks = std::mem::take(&mut state.tasks).into_values().filter_map(|task| task.bar);
        let bars: Vec<ProgressBar> = tasks.chain(state.more.take()).chain(state.waiting.take()).collect();
        for bar in bars {
            // Its clock first: a tick between clearing and ending would draw it once more.
            bar.disable_steady_tick();
            remove(&state.bars, &bar);
        }
        let _ = state.bars.clear();
        state.hidden = 0;
        self.ui.end_bars();
    }

    /// A new line that says how long it has been since then.
    fn spinner(&self, bars: &MultiProgress, since: Timestamp) -> ProgressBar {
        let time = Arc::clone(&self.time);
        let style = styled("{spinner} {run_time:>7}  {wide_msg}").with_key("run_time", move |_: &ProgressState, out: &mut dyn Write| {
            let _ = out.write_str(&span(time.lock().now().duration_since(since).as_secs_f64()));
        });
        let bar = bars.add(ProgressBar::new_spinner().with_style(style));
        bar.enable_steady_tick(Duration::from_millis(250));
        bar
    }

    /// The live line of a task, made when it is first heard of.
    fn task<'a>(&self, state: &'a mut LiveState, id: &str, title: &str, at: Timestamp) -> &'a mut TaskLine {
        if !state.tasks.contains_key(id) {
            let room = state.tasks.values().filter(|task| task.bar.is_some()).count() < MOST_LINES;
            let bar = room.then(|| self.spinner(&state.bars, at));
            if !room {
                state.hidden += 1;
            }
            let task = TaskLine {
                bar,
                title: title.to_owned(),
                state: "Queued".to_owned(),
                step: String::new(),
                percent: None,
                why: String::new(),
            };
            state.tasks.insert(id.to_owned(), task);
        }
        state.tasks.get_mut(id).expect("it was put there just now")
    }

    fn count_hidden(state: &mut LiveState) {
        if state.hidden == 0 {
            if let Some(bar) = state.more.take() {
                remove(&state.bars, &bar);
            }
            return;
        }
        let bar = state.more.get_or_insert_with(|| state.bars.add(ProgressBar::new_spinner().with_style(styled("  {msg}"))));
        bar.set_message(format!("and {} more tasks", state.hidden));
    }
}

fn styled(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}

/// Takes a line from the screen.
fn remove(bars: &MultiProgress, bar: &ProgressBar) {
    bar.finish_and_clear();
    bars.remove(bar);
}

impl TaskLine {
    fn show(&self, ui: &Ui) {
        let Some(bar) = &self.bar else { return };
        let mut text = format!("{}  {}", self.title, self.state);
        if !self.step.is_empty() {
            text.push_str("  ");
            text.push_str(&self.step);
        }
        if let Some(percent) = self.percent {
            let _ = write!(text, "  {percent} %");
        }
        if !self.why.is_empty() {
            text.push_str("  ");
            text.push_str(&ui.paint(Tone::Warn, &format!("waits: {}", self.why)));
        }
        // Bars are drawn by their own code, past `Ui::talk`: the secrets go here.
        bar.set_message(ui.drawn(&text));
    }
}

impl Sink for LiveSink {
    fn event(&self, event: &Event) {
        {
            let mut time = self.time.lock();
            time.at = event.at;
            time.heard = Stopwatch::start();
            if let What::RunStarted { virtual_time, .. } = event.what {
                time.stands = virtual_time;
            }
        }
        if let What::Print { text } = &event.what {
            self.ui.data(text);
            return;
        }
        if let What::RunEnded { .. } = event.what {
            self.end();
        }
        let mut state = self.state.lock();
        let state = &mut *state;
        let mut scrolls = true;
        match &event.what {
            What::TaskStarted { subject, .. } => {
                self.task(state, &subject.task, &subject.title, event.at).show(&self.ui);
            }
            What::TaskProgress { subject, state: now, step, percent } => {
                let task = self.task(state, &subject.task, &subject.title, event.at);
                if task.state != *now {
                    task.why.clear();
                }
                task.state.clone_from(now);
                task.step = step.clone().unwrap_or_default();
                task.percent = *percent;
                task.show(&self.ui);
                scrolls = self.ui.loudness() >= Loudness::Verbose;
            }
            What::Waiting { task: Some(id), title, why, url } => {
                let task = self.task(state, id, title, event.at);
                task.why = url.as_ref().map_or_else(|| why.clone(), |url| format!("{why}  {url}"));
                task.show(&self.ui);
                // A link must stay readable; the rest is on the live line.
                scrolls = url.is_some() || task.bar.is_none();
            }
            What::Waiting { task: None, title, why, .. } => {
                let bar = state.waiting.get_or_insert_with(|| self.spinner(&state.bars, event.at));
                bar.set_message(self.ui.drawn(&format!("{title}  waits: {why}")));
            }
            What::TaskEnded { subject, .. } => match state.tasks.remove(&subject.task) {
                Some(TaskLine { bar: Some(bar), .. }) => remove(&state.bars, &bar),
                Some(_) => state.hidden -= 1,
                None => {}
            },
            _ => {}
        }
        if !matches!(event.what, What::Waiting { .. } | What::RunEnded { .. } | What::Note { .. })
            && let Some(bar) = state.waiting.take()
        {
            remove(&state.bars, &bar);
        }
        Self::count_hidden(state);
        let lines = state.lines.of(event);
        for line in lines {
            if scrolls && line.from <= self.ui.loudness() {
                self.ui.talk(&self.ui.paint(line.tone, &line.text));
            }
        }
    }
}

impl Drop for LiveSink {
    fn drop(&mut self) {
        self.ui.end_bars();
    }
}

#[cfg(test)]
mod tests {
    use super::super::{
        lines::tests::{at, story, subject},
        ui::testing,
    };
    use super::*;

    fn live(ui: &Ui) -> LiveSink {
        LiveSink::new(ui.clone(), TimeZone::UTC)
    }

    #[test]
    fn what_is_over_scrolls_and_what_runs_stays_on_its_line() {
        let (ui, data, talk) = testing::ui(Loudness::Normal);
        let sink = live(&ui);
        for event in story() {
            sink.event(&event);
        }
        let text = talk.text();
        assert_eq!(data.text(), "half way ***\n");
        assert!(text.contains("08:12:31  Project A 2.0.0 → Test  Success  after 12m 30s"), "{text}");
        assert!(!text.contains("Executing") && !text.contains("queued behind"), "{text}");
        assert!(sink.state.lock().tasks.is_empty());
    }

    #[test]
    fn a_line_says_state_step_percent_and_why_it_waits() {
        let (ui, ..) = testing::ui(Loudness::Normal);
        let sink = live(&ui);
        let send = |what| sink.event(&Event { seq: 1, at: at("08:00:00"), what });
        let progress =
            |state: &str| What::TaskProgress { subject: subject(1, "A"), state: state.into(), step: Some("Copy".into()), percent: Some(7) };
        send(progress("Queued"));
        send(What::Waiting { task: Some("ServerTasks-1".into()), title: "A".into(), why: "API-SECRET".into(), url: None });
        let message = || sink.state.lock().tasks["ServerTasks-1"].bar.as_ref().map(ProgressBar::message);
        assert_eq!(message().as_deref(), Some("A  Queued  Copy  7 %  waits: ***"));
        send(progress("Executing"));
        assert_eq!(message().as_deref(), Some("A  Executing  Copy  7 %"));
    }

    #[test]
    fn too_many_tasks_are_counted() {
        let (ui, ..) = testing::ui(Loudness::Normal);
        let sink = live(&ui);
        for n in 0..1000 {
            sink.event(&Event { seq: 1, at: at("08:00:00"), what: What::TaskStarted { subject: subject(n, "T"), how: "deploy".into() } });
        }
        let state = sink.state.lock();
        assert_eq!(state.hidden, 980);
        assert_eq!(state.more.as_ref().map(ProgressBar::message).as_deref(), Some("and 980 more tasks"));
    }
}
