//! A real pseudo-terminal with a screen: what a person types goes in, what she sees comes out.

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use std::{
    ffi::OsStr,
    io::{Read, Write},
    num::NonZero,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

const ROWS: NonZero<u16> = NonZero::new(40).expect("not zero");
const COLUMNS: NonZero<u16> = NonZero::new(110).expect("not zero");

/// The program on a terminal.
pub struct Terminal {
    screen: Arc<Mutex<vt100::Parser>>,
    keys: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    _master: Box<dyn MasterPty + Send>,
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _over_already = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Terminal {
    /// The program with arguments, in `folder`.
    pub fn start(folder: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        Self::of(assert_cmd::cargo::cargo_bin!("octorhai"), folder, arguments, environment)
    }

    /// Any program.
    pub fn of(program: impl AsRef<OsStr>, folder: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let pty = native_pty_system()
            .openpty(PtySize { rows: ROWS.get(), cols: COLUMNS.get(), pixel_width: 0, pixel_height: 0 })
            .expect("a terminal");
        let mut command = CommandBuilder::new(program);
        command.args(arguments);
        command.cwd(folder);
        command.env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        for (name, value) in [("TERM", "xterm-256color"), ("TZ", "UTC"), ("OCTORHAI_STATE", folder.to_str().expect("a path"))] {
            command.env(name, value);
        }
        for (name, value) in environment {
            command.env(name, value);
        }
        let child = pty.slave.spawn_command(command).expect("it starts");
        drop(pty.slave);
        let screen = Arc::new(Mutex::new(vt100::Parser::new(ROWS, COLUMNS, 1000)));
        let (mut from, keys) = (pty.master.try_clone_reader().expect("a reader"), pty.master.take_writer().expect("a writer"));
        let drawn = screen.clone();
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = from.read(&mut bytes) {
                drawn.lock().expect("no panic").process(&bytes[..count]);
            }
        });
        Self { screen, keys, child, _master: pty.master }
    }

    /// Presses keys.
    pub fn types(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).expect("it listens");
        self.keys.flush().expect("it listens");
    }

    /// Types a line and Enter.
    pub fn enters(&mut self, line: &str) {
        self.types(&format!("{line}\r"));
    }

    /// What is on the screen, without blank lines at the end.
    pub fn screen(&self) -> String {
        self.screen.lock().expect("no panic").screen().contents().trim_end().to_owned()
    }

    /// Waits until the screen is as wanted.
    #[track_caller]
    pub fn until(&self, what: &str, test: impl Fn(&str) -> bool) -> String {
        for _ in 0..60_000 {
            let screen = self.screen();
            if test(&screen) {
                return screen;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        panic!("{what} did not come:\n{}", self.screen())
    }

    /// Waits until a text is on the screen.
    #[track_caller]
    pub fn shows(&self, text: &str) -> String {
        self.until(text, |screen| screen.contains(text))
    }

    /// Waits until the last line is this one.
    #[track_caller]
    pub fn ends_with(&self, line: &str) {
        self.until(line, |screen| screen.lines().last() == Some(line));
    }

    /// Presses Tab until the last line begins like this: a server that has not answered in a moment is asked again by the next Tab. What stands
    /// behind, the hint to an open call, is not typed.
    #[track_caller]
    pub fn completes_to(&mut self, line: &str) {
        for _ in 0..30 {
            self.types("\t");
            for _ in 0..50 {
                if self.screen().lines().last().is_some_and(|last| last.starts_with(line)) {
                    return;
                }
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        panic!("{line} did not come:\n{}", self.screen())
    }

    /// Sends the program a signal, e.g. `TERM`.
    pub fn signal(&self, name: &str) {
        let id = self.child.process_id().expect("it runs").to_string();
        assert!(std::process::Command::new("kill").args([&format!("-{name}"), &id]).status().expect("kill is there").success());
    }

    /// Waits for the end and returns the exit code.
    pub fn ends(&mut self) -> u32 {
        for _ in 0..3000 {
            if let Some(status) = self.child.try_wait().expect("a child") {
                return status.exit_code();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("it does not end:\n{}", self.screen())
    }
}
