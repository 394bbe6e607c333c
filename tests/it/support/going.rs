//! A run in a process of its own that somebody stops on its way.

use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, ChildStdout, Command},
    sync::mpsc::{Receiver, channel},
    thread::{self, JoinHandle},
};

/// A run whose script has printed `go`.
pub struct Going {
    child: Child,
    out: BufReader<ChildStdout>,
    told: JoinHandle<String>,
    heard: Receiver<()>,
}

impl Going {
    /// Starts a run, with both outputs piped, and waits for the `go` of its script; `what` is told when something else comes.
    pub fn start(command: &mut Command, what: &str) -> Self {
        let mut child = command.spawn().expect("it starts");
        let mut out = BufReader::new(child.stdout.take().expect("a pipe"));
        let err = BufReader::new(child.stderr.take().expect("a pipe"));
        let (hear, heard) = channel();
        let told = thread::spawn(move || {
            let mut text = String::new();
            for line in err.lines().map_while(Result::ok) {
                if line.contains(": ending the run") {
                    let _ = hear.send(());
                }
                text.extend([line.as_str(), "\n"]);
            }
            text
        });
        let mut first = String::new();
        out.read_line(&mut first).expect("a line");
        if first.trim() != "go" {
            let _ = child.kill();
            panic!("{what}: {first}{}", told.join().expect("no panic"));
        }
        Self { child, out, told, heard }
    }

    /// Sends a signal, e.g. `-INT`.
    pub fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([signal, self.child.id().to_string().as_str()]).status().expect("kill runs");
        assert!(sent.success());
    }

    /// Waits until it has told that a signal ends it.
    pub fn has_heard(&self) {
        self.heard.recv().expect("the signal is told");
    }

    /// Waits for its end: the exit code, what else it printed, and all that it told.
    pub fn ended(mut self) -> (Option<i32>, String, String) {
        let code = self.child.wait().expect("it ends").code();
        let mut rest = String::new();
        let _ = self.out.read_to_string(&mut rest);
        (code, rest, self.told.join().expect("no panic"))
    }
}
