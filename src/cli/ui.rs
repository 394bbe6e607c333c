//! The only door to stdout and stderr: stdout is data, stderr is talk; nothing leaves without the redactor, and nothing untamed.
//!
//! In a step of Octopus all of it goes through one [`Voice`] on stdout: each line on stderr would be an error there.

use super::{columns::columns, narrow::Narrow};
use crate::{
    error::Error,
    platform::{console::output_code_page, terminal::follows_sequences},
    secrets::Redactor,
    step::{
        charset::Charset,
        voice::{LogLevel, Voice},
    },
    tame::{self, Messages},
};
use indicatif::ProgressDrawTarget;
use parking_lot::Mutex;
use serde_json::Value;
use std::{
    io::{self, IsTerminal, Write},
    sync::{Arc, OnceLock},
    time::Duration,
};

/// How long the end of the process waits for somebody who writes.
const BRIEFLY: Duration = Duration::from_millis(100);

/// How loud the talk is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Loudness {
    /// Warnings and errors.
    Quiet,
    /// What a reader wants to know.
    Normal,
    /// Everything, also progress that only says that things go on.
    Verbose,
}

/// How a piece of text is coloured, where there is colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// As it is.
    Plain,
    /// Less important.
    Dim,
    /// Went well.
    Good,
    /// Went wrong.
    Bad,
    /// Not as it should be.
    Warn,
    /// Not to be missed.
    Strong,
}

/// Writes; clones write to the same place.
#[derive(Clone)]
pub struct Ui {
    inner: Arc<UiParts>,
    /// The run whose lines these are, where several runs write to the same place.
    run: Option<Arc<str>>,
}

struct UiParts {
    out: Mutex<Out>,
    redactor: Redactor,
    /// The writer of a step, in one.
    voice: Option<Voice>,
    /// `--store` as it was given.
    store: OnceLock<String>,
    colour: bool,
    live: bool,
    loudness: Loudness,
}

impl UiParts {
    /// Without colour and live lines.
    fn plain(out: Out, loudness: Loudness, redactor: Redactor) -> Self {
        Self { out: Mutex::new(out), redactor, voice: None, store: OnceLock::new(), colour: false, live: false, loudness }
    }
}

struct Out {
    data: Box<dyn Write + Send>,
    talk: Box<dyn Write + Send>,
    /// Whether it was told that stdout cannot be written.
    data_lost: bool,
    /// Live lines, which must step aside while something is written.
    bars: Option<indicatif::MultiProgress>,
    /// Where lines go while somebody types one.
    above: Option<Box<dyn Write + Send>>,
    /// What keeps the two streams from holding messages for the agent of Octopus, where they are no terminals.
    messages: [Option<Messages>; 2],
}

impl Out {
    fn to(data: Box<dyn Write + Send>, talk: Box<dyn Write + Send>) -> Self {
        let messages = [Some(Messages::default()), Some(Messages::default())];
        Self { data, talk, data_lost: false, bars: None, above: None, messages }
    }

    fn data(&mut self, line: &str) -> io::Result<()> {
        let [messages, _] = &mut self.messages;
        write_line(self.above.as_mut().unwrap_or(&mut self.data), messages.as_mut(), line)
    }

    fn talk(&mut self, line: &str) -> io::Result<()> {
        let [_, messages] = &mut self.messages;
        write_line(self.above.as_mut().unwrap_or(&mut self.talk), messages.as_mut(), line)
    }
}

/// Somebody types a line while this lives.
pub struct Typing(Ui);

impl Drop for Typing {
    fn drop(&mut self) {
        self.0.inner.out.lock().above = None;
    }
}

impl Ui {
    /// Stdout and stderr of this process. `colour`: whether the user wants it; a pipe has none.
    pub fn console(colour: bool, loudness: Loudness, redactor: Redactor) -> Self {
        let terminal = io::stderr().is_terminal();
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb") || !follows_sequences();
        let mut out = Out::to(Box::new(io::stdout()), Box::new(io::stderr()));
        // A person may see such a text; who reads a pipe may be the agent of Octopus, also where the run is no step of ours.
        for (messages, is_terminal) in out.messages.iter_mut().zip([io::stdout().is_terminal(), terminal]) {
            *messages = messages.take().filter(|_| !is_terminal);
        }
        let (colour, live) = (colour && terminal && !dumb, terminal && !dumb && loudness > Loudness::Quiet);
        Self::new(UiParts { colour, live, ..UiParts::plain(out, loudness, redactor) })
    }

    /// Somewhere else, without colour.
    #[cfg(test)]
    pub fn to(data: Box<dyn Write + Send>, talk: Box<dyn Write + Send>, loudness: Loudness, redactor: Redactor) -> Self {
        Self::new(UiParts::plain(Out::to(data, talk), loudness, redactor))
    }

    /// In a step of Octopus. The task log shows what is verbose only to who asks for it, so all of it is said.
    pub fn step(redactor: Redactor) -> (Self, Voice) {
        let voice = Voice::on(io::stdout(), Charset::of(output_code_page()));
        let nowhere = || Box::new(io::sink());
        let plain = UiParts::plain(Out::to(nowhere(), nowhere()), Loudness::Verbose, redactor);
        (Self::new(UiParts { voice: Some(voice.clone()), ..plain }), voice)
    }

    fn new(inner: UiParts) -> Self {
        Self { inner: Arc::new(inner), run: None }
    }

    /// The same place, where every line begins with the name of a run: several write there side by side.
    #[must_use = "lines of `self` are as before"]
    pub fn of_run(&self, run: &str) -> Self {
        Self { inner: Arc::clone(&self.inner), run: Some(run.into()) }
    }

    /// The same place for what is said of all runs.
    #[must_use = "lines of `self` are as before"]
    pub fn of_all(&self) -> Self {
        Self { inner: Arc::clone(&self.inner), run: None }
    }

    /// The run of [`Ui::of_run`].
    pub fn run(&self) -> Option<&str> {
        self.run.as_deref()
    }

    /// Each line with the name of its run in front.
    fn named(&self, text: &str) -> String {
        match &self.run {
            Some(run) => text.split('\n').map(|line| format!("{run}: {line}")).collect::<Vec<_>>().join("\n"),
            None => text.to_owned(),
        }
    }

    /// How loud the talk is.
    pub fn loudness(&self) -> Loudness {
        self.inner.loudness
    }

    /// Whether stderr is a terminal that can show live lines.
    pub fn is_live(&self) -> bool {
        self.inner.live && self.run.is_none()
    }

    /// What takes the secrets out.
    pub fn redactor(&self) -> &Redactor {
        &self.inner.redactor
    }

    /// From now on hints that name `octorhai runs` name this store too: who gave one finds the run nowhere else.
    pub fn name_store(&self, store: &str) {
        let plain = store.chars().all(|letter| letter.is_alphanumeric() || "/\\._-:@+,=".contains(letter));
        let _first_stays = self.inner.store.set(if plain { store.to_owned() } else { format!("\"{store}\"") });
    }

    /// A hint as it must be typed here.
    pub fn hint(&self, text: &str) -> String {
        match self.inner.store.get() {
            Some(store) => text
                .replace("octorhai runs ", &format!("octorhai runs --store {store} "))
                .replace("octorhai run --run-id ", &format!("octorhai run --store {store} --run-id ")),
            None => text.to_owned(),
        }
    }

    /// Writes a line of data to stdout.
    pub fn data(&self, line: &str) {
        self.bare_data(&self.named(line));
    }

    /// The same for a line that names its run itself.
    pub fn bare_data(&self, line: &str) {
        self.put(&self.finished(line));
    }

    /// Writes a document as a line of JSON to stdout: secrets are taken out of its texts, nothing moves a terminal, and it stays a document.
    pub fn json(&self, value: Value) {
        self.put(&tame::json(&self.inner.redactor.clean_members(value).to_string()));
    }

    fn put(&self, clean: &str) {
        if let Some(voice) = &self.inner.voice {
            return voice.say(LogLevel::Default, clean);
        }
        self.write(|out| {
            let Err(why) = out.data(clean) else { return Ok(()) };
            // Who looks at the data later must know that it is not whole; who closed the pipe does know.
            if why.kind() != io::ErrorKind::BrokenPipe && !std::mem::replace(&mut out.data_lost, true) {
                let why = if why.kind() == io::ErrorKind::StorageFull { "the disk is full".to_owned() } else { why.to_string() };
                out.talk(&format!("warning: stdout cannot be written ({why}): what follows there is lost"))?;
            }
            Ok(())
        });
    }

    /// What is written: without secrets, what comes from elsewhere tamed, our colours in place.
    fn finished(&self, text: &str) -> String {
        tame::finished(&self.inner.redactor.clean(text), tame::text)
    }

    /// The same in one line, for who draws by code of others past this door.
    pub fn drawn(&self, text: &str) -> String {
        tame::finished(&self.inner.redactor.clean(text), tame::line)
    }

    /// Writes a table of data whose first row is its head.
    pub fn table<const N: usize>(&self, rows: &[[String; N]]) {
        let clean = |cell: &String| self.inner.redactor.clean(cell).into_owned();
        let rows: Vec<[String; N]> = rows.iter().map(|row| row.each_ref().map(clean)).collect();
        for (number, line) in columns(&rows).into_iter().enumerate() {
            self.data(&if number == 0 { self.paint(Tone::Strong, &line) } else { line });
        }
    }

    /// Writes a line of talk to stderr, however quiet the user wants it.
    pub fn talk(&self, line: &str) {
        self.tell(LogLevel::Default, line);
    }

    /// The same; in a step, at a level of its log.
    pub fn tell(&self, level: LogLevel, line: &str) {
        let line = self.hint(line);
        let clean = self.finished(&line);
        match &self.inner.voice {
            Some(voice) => voice.say(level, &clean),
            None => self.write(|out| out.talk(&self.named(&clean))),
        }
    }

    /// Writes a line of talk unless the user wants it quiet.
    pub fn say(&self, line: &str) {
        if self.inner.loudness > Loudness::Quiet {
            self.talk(line);
        }
    }

    /// Shows an error: `error: what`, then what helps.
    pub fn error(&self, error: &Error) {
        let mut text = format!("{} {}", self.paint(Tone::Bad, "error:"), tame::framed(error.message()));
        for hint in error.hints() {
            text = format!("{text}\n  {} {}", self.paint(Tone::Strong, "help:"), tame::framed(hint).replace('\n', "\n        "));
        }
        self.tell(LogLevel::Error, &text);
    }

    /// The exit code of a subcommand; shows the error that ended it.
    pub fn exit_code(&self, ended: crate::error::Result<u8>) -> u8 {
        ended.unwrap_or_else(|error| {
            self.error(&error);
            error.kind().exit_code()
        })
    }

    /// Shows a warning.
    pub fn warning(&self, text: &str) {
        self.tell(LogLevel::Warning, &format!("{} {text}", self.paint(Tone::Warn, "warning:")));
    }

    /// `text` in a colour, where there is colour.
    pub fn paint(&self, tone: Tone, text: &str) -> String {
        let code = match tone {
            Tone::Plain => return text.to_owned(),
            Tone::Dim => "2",
            Tone::Good => "32",
            Tone::Bad => "1;31",
            Tone::Warn => "33",
            Tone::Strong => "1",
        };
        if self.inner.colour { tame::painted(code, text) } else { text.to_owned() }
    }

    /// Whether there is colour.
    pub fn has_colour(&self) -> bool {
        self.inner.colour
    }

    /// From now on all lines go to `printer`, which puts them above the line that is typed.
    #[must_use = "lines go there as long as this lives"]
    pub fn above_prompt(&self, printer: Box<dyn Write + Send>) -> Typing {
        self.inner.out.lock().above = Some(printer);
        Typing(self.clone())
    }

    /// Starts live lines, which from now on step aside when something is written. Nobody sees them unless
    /// [`Ui::is_live`].
    pub fn start_bars(&self) -> indicatif::MultiProgress {
        // 8 pictures a second: more is work that nobody sees.
        let target = if self.is_live() {
            ProgressDrawTarget::term_like_with_hz(Box::new(Narrow::on(console::Term::buffered_stderr())), 8)
        } else {
            ProgressDrawTarget::hidden()
        };
        let bars = indicatif::MultiProgress::with_draw_target(target);
        self.inner.out.lock().bars = Some(bars.clone());
        bars
    }

    /// Ends them.
    pub fn end_bars(&self) {
        self.inner.out.lock().bars = None;
    }

    /// Takes them from the screen, and lets nobody draw them again: the process ends.
    pub fn drop_bars(&self) {
        // Whoever writes to a pipe that nobody reads holds it.
        let Some(mut out) = self.inner.out.try_lock_for(BRIEFLY) else { return };
        if let Some(bars) = out.bars.take() {
            let _ = bars.clear();
            bars.set_draw_target(ProgressDrawTarget::hidden());
        }
    }

    fn write(&self, work: impl FnOnce(&mut Out) -> io::Result<()>) {
        let mut out = self.inner.out.lock();
        // A reader that went away (`| head`) does not end a run: deployments are more than their log.
        let _reader_gone = match out.bars.clone() {
            Some(bars) => bars.suspend(|| work(&mut out)),
            None => work(&mut out),
        };
    }
}

fn write_line(to: &mut Box<dyn Write + Send>, messages: Option<&mut Messages>, line: &str) -> io::Result<()> {
    let line = messages.map_or(line.into(), |messages| messages.none_in(line));
    // One write a line, so that lines of several processes on one terminal do not mix.
    let mut whole = String::with_capacity(line.len() + 1);
    whole.push_str(&line);
    whole.push('\n');
    to.write_all(whole.as_bytes())?;
    to.flush()
}

/// Whether somebody sits at a terminal who can be asked.
pub fn somebody_is_there() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// `41m 10s`, `2d 3h`, `0.4s`: a span for people, two units at most.
pub fn span(seconds: f64) -> String {
    let whole = seconds.max(0.0).round() as u64;
    match whole {
        0 if seconds > 0.0 => format!("{:.1}s", seconds.max(0.1)),
        0..60 => format!("{whole}s"),
        60..3600 => two(whole / 60, "m", whole % 60, "s"),
        3600..86_400 => two(whole / 3600, "h", whole % 3600 / 60, "m"),
        _ => two(whole / 86_400, "d", whole % 86_400 / 3600, "h"),
    }
}

fn two(big: u64, big_unit: &str, small: u64, small_unit: &str) -> String {
    if small == 0 { format!("{big}{big_unit}") } else { format!("{big}{big_unit} {small}{small_unit}") }
}

#[cfg(test)]
pub(super) mod testing {
    use super::*;

    /// Something to write to and to read later.
    #[derive(Clone, Default)]
    pub(crate) struct Paper(Arc<Mutex<Vec<u8>>>);

    impl Paper {
        pub(crate) fn text(&self) -> String {
            String::from_utf8(self.0.lock().clone()).expect("we write UTF-8")
        }
    }

    impl Write for Paper {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// A ui on paper: (ui, stdout, stderr).
    pub(crate) fn ui(loudness: Loudness) -> (Ui, Paper, Paper) {
        let (data, talk) = (Paper::default(), Paper::default());
        let redactor = Redactor::new();
        redactor.learn("API-SECRET");
        (Ui::to(Box::new(data.clone()), Box::new(talk.clone()), loudness, redactor), data, talk)
    }

    /// The same, with colour.
    pub(crate) fn coloured(loudness: Loudness) -> (Ui, Paper, Paper) {
        let (plain, data, talk) = ui(loudness);
        let Some(inner) = Arc::into_inner(plain.inner) else { unreachable!("nobody else has it") };
        (Ui::new(UiParts { colour: true, ..inner }), data, talk)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_and_talk_go_separate_ways_and_without_secrets() {
        let (ui, data, talk) = testing::ui(Loudness::Normal);
        ui.data("42 API-SECRET");
        ui.say("hello API-SECRET");
        ui.error(&Error::usage("no such key `API-SECRET`").help("take another one\nsoon"));
        assert_eq!(data.text(), "42 ***\n");
        assert_eq!(talk.text(), "hello ***\nerror: no such key `***`\n  help: take another one\n        soon\n");
    }

    #[test]
    fn a_reader_that_went_away_is_no_error() {
        struct Gone;
        impl Write for Gone {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let ui = Ui::to(Box::new(Gone), Box::new(Gone), Loudness::Normal, Redactor::new());
        ui.data("one");
        ui.talk("two");
    }

    #[test]
    fn spans_and_numbers_read_well() {
        for (seconds, text) in [
            (0.0, "0s"),
            (0.04, "0.1s"),
            (0.23, "0.2s"),
            (59.0, "59s"),
            (60.0, "1m"),
            (2470.0, "41m 10s"),
            (3660.0, "1h 1m"),
            (90_000.0, "1d 1h"),
        ] {
            assert_eq!(span(seconds), text);
        }
    }
}
