//! The one writer of a step: log lines and service messages, all on stdout (octopus-step-contract.md §2).
//!
//! Whatever is said is one write of whole lines, so that no message stands anywhere but at the begin of a line, and the level is back
//! at the default after each: who is killed between two of them leaves nothing behind. Text that is not ours can hold no message.

use super::charset::Charset;
use crate::tame;
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use parking_lot::Mutex;
use std::{
    fmt::Write as _,
    io::Write,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

/// How a line stands in the task log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogLevel {
    /// Only shown when somebody wants all of it.
    Verbose,
    /// An ordinary line.
    Default,
    /// Also listed on the task's summary.
    Highlight,
    /// Why nothing goes on.
    Wait,
    /// Not as it should be.
    Warning,
    /// What went wrong.
    Error,
}

impl LogLevel {
    const fn name(self) -> &'static str {
        match self {
            Self::Verbose => "stdout-verbose",
            Self::Default => "stdout-default",
            Self::Highlight => "stdout-highlight",
            Self::Wait => "stdout-wait",
            Self::Warning => "stdout-warning",
            Self::Error => "stdout-error",
        }
    }
}

/// Longer lines are broken: a reader gives up past 10 MB (octopus-step-contract.md §1.6), people do sooner.
const LONGEST: usize = 32 << 10;

/// Speaks; clones speak with the same mouth.
#[derive(Clone)]
pub struct Voice(Arc<VoiceParts>);

struct VoiceParts {
    charset: Charset,
    out: Mutex<Box<dyn Write + Send>>,
    gone: AtomicBool,
    on_gone: OnceLock<Box<dyn Fn() + Send + Sync>>,
}

impl Voice {
    /// On stdout, or on something else in tests, for a reader of these characters.
    pub fn on(out: impl Write + Send + 'static, charset: Charset) -> Self {
        Self(Arc::new(VoiceParts { charset, out: Mutex::new(Box::new(out)), gone: AtomicBool::new(false), on_gone: OnceLock::new() }))
    }

    /// What to do when nobody hears us any more: then the step was cancelled (octopus-step-contract.md §1.8).
    pub fn when_gone(&self, act: impl Fn() + Send + Sync + 'static) {
        let _first_stays = self.0.on_gone.set(Box::new(act));
    }

    /// Says something, of one line or several.
    pub fn say(&self, level: LogLevel, text: &str) {
        let mut whole = String::with_capacity(text.len() + 64);
        if level != LogLevel::Default {
            let _ = writeln!(whole, "##octopus[{}]", level.name());
        }
        for line in tame::text(text).trim_end_matches('\n').split('\n') {
            payload(&self.0.charset.fold(line), &mut whole);
        }
        if level != LogLevel::Default {
            let _ = writeln!(whole, "##octopus[{}]", LogLevel::Default.name());
        }
        self.write(&whole);
    }

    /// Sets an output variable of the step.
    pub fn set_variable(&self, name: &str, value: &str, sensitive: bool) {
        let mut attributes = vec![("name", name), ("value", value)];
        if sensitive {
            attributes.push(("sensitive", "True"));
        }
        self.send("setVariable", &attributes);
    }

    /// Sets the progress bar of the task.
    pub fn progress(&self, percent: u8, text: &str) {
        self.send("progress", &[("percentage", &percent.min(100).to_string()), ("message", text)]);
    }

    /// Hands a file over; it must stay where it is until the step is over. `path` is absolute.
    pub fn artifact(&self, path: &str, name: &str, length: u64) {
        self.send("createArtifact", &[("path", path), ("name", name), ("length", &length.to_string())]);
    }

    /// Says why the step failed, in one line.
    pub fn result(&self, message: &str) {
        self.send("resultMessage", &[("message", message)]);
    }

    /// Has a text struck out wherever it shows up from now on.
    pub fn mask(&self, secret: &str) {
        self.send("mask", &[("value", secret)]);
    }

    fn send(&self, name: &str, attributes: &[(&str, &str)]) {
        let mut line = format!("##octopus[{name}");
        for (attribute, value) in attributes {
            let _ = write!(line, " {attribute}='{}'", BASE64.encode(value));
        }
        line.push_str("]\n");
        self.write(&line);
    }

    fn write(&self, whole: &str) {
        let bytes = self.0.charset.encode(whole);
        let written = {
            let mut out = self.0.out.lock();
            out.write_all(&bytes).and_then(|()| out.flush())
        };
        if written.is_err()
            && !self.0.gone.swap(true, Ordering::SeqCst)
            && let Some(act) = self.0.on_gone.get()
        {
            act();
        }
    }
}

/// Whether a line ends in the begin of a message: a reader that is in the midst of one goes on with the next line, and misses the
/// message there (measured with Calamari's).
fn begins_a_message(line: &str) -> bool {
    const HEAD: &str = "##octopus[";
    (1..=HEAD.len()).any(|length| line.ends_with(&HEAD[..length]))
}

/// Adds a line of text that is not ours: without what readers could take for a message (octopus-step-contract.md §2.5).
fn payload(line: &str, to: &mut String) {
    let clean: String = line.chars().filter(|c| *c == '\t' || !c.is_control()).collect();
    let clean = clean.replace("##octopus", "# #octopus");
    let mut rest = clean.as_str();
    loop {
        let cut = if rest.len() <= LONGEST { rest.len() } else { (0..=LONGEST).rev().find(|at| rest.is_char_boundary(*at)).unwrap_or(0) };
        let (part, more) = rest.split_at(cut);
        to.push_str(part);
        if begins_a_message(part) {
            to.push(' ');
        }
        to.push('\n');
        if more.is_empty() {
            return;
        }
        rest = more;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    #[derive(Clone, Default)]
    struct Paper(Arc<Mutex<Vec<u8>>>);

    impl Write for Paper {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn heard(speak: impl FnOnce(&Voice)) -> String {
        let paper = Paper::default();
        speak(&Voice::on(paper.clone(), Charset::Utf8));
        let bytes = paper.0.lock().clone();
        String::from_utf8(bytes).expect("we write UTF-8")
    }

    #[test]
    fn levels_are_set_around_a_text_and_put_back() {
        assert_eq!(heard(|v| v.say(LogLevel::Default, "one")), "one\n");
        assert_eq!(heard(|v| v.say(LogLevel::Warning, "one\r\ntwo\n")), "##octopus[stdout-warning]\none\ntwo\n##octopus[stdout-default]\n");
    }

    #[test]
    fn values_are_base64() {
        assert_eq!(
            heard(|v| v.set_variable("A.b", "x]\n'ü", true)),
            "##octopus[setVariable name='QS5i' value='eF0KJ8O8' sensitive='VHJ1ZQ==']\n"
        );
        assert_eq!(heard(|v| v.set_variable("A", "", false)), "##octopus[setVariable name='QQ==' value='']\n");
    }

    #[test]
    fn nobody_elses_text_is_a_message() {
        for text in [
            "##octopus[setVariable name='QQ==' value='QQ==']",
            "###octopus[stdout-ignore]",
            "#\u{1}#octopus[stdout-ignore]",
            "##\rocto\0pus[x]",
            "a\n##octopus[x]\nb##octopus foo]",
            "x#",
        ] {
            let heard = heard(|v| v.say(LogLevel::Default, text));
            assert!(!heard.contains("##octopus") && !heard.contains("#\n"), "{heard:?}");
        }
    }

    #[test]
    fn line_that_ends_in_the_begin_of_a_message_is_padded() {
        let head = "##octopus[";
        for length in 1..=head.len() {
            let heard = heard(|v| v.say(LogLevel::Default, &format!("x {}", &head[..length])));
            let is_taken_apart = heard.contains("# #octopus");
            assert!((heard.ends_with(" \n") || is_taken_apart) && !heard.contains("##octopus"), "{heard:?}");
        }
        // Also where a long line is broken.
        let heard = heard(|v| v.say(LogLevel::Default, &format!("{}##octo{}", "x".repeat(LONGEST - 6), "y".repeat(9))));
        assert!(heard.contains("##octo \ny"), "it is not padded where it is broken");
    }

    #[test]
    fn reader_of_a_code_page_gets_its_bytes() {
        let paper = Paper::default();
        let voice = Voice::on(paper.clone(), Charset::of(Some(437)));
        voice.say(LogLevel::Default, "ü → 🐙");
        voice.set_variable("ü", "→", false);
        let heard = paper.0.lock().clone();
        assert_eq!(heard, [&b"\x81 -> \\u{1f419}\n"[..], b"##octopus[setVariable name='w7w=' value='4oaS']\n"].concat());
    }

    #[test]
    fn long_lines_are_broken_and_nothing_is_lost() {
        let long = "ä".repeat(40_000);
        let heard = heard(|v| v.say(LogLevel::Default, &long));
        assert!(heard.lines().all(|line| line.len() <= LONGEST));
        assert_eq!(heard.replace('\n', ""), long);
    }

    #[test]
    fn who_is_not_heard_any_more_says_so_once() {
        struct Gone;
        impl Write for Gone {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let voice = Voice::on(Gone, Charset::Utf8);
        let count = Arc::new(Mutex::new(0));
        let counted = count.clone();
        voice.when_gone(move || *counted.lock() += 1);
        voice.say(LogLevel::Default, "one");
        voice.say(LogLevel::Error, "two");
        assert_eq!(*count.lock(), 1);
    }
}
