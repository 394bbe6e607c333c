//! A sandbox in a process of its own, as `octorhai sandbox` starts it.

use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, Command, Stdio},
};

/// The process; it ends when this is dropped.
pub struct Standalone {
    child: Child,
    told: BufReader<std::process::ChildStderr>,
    /// Its address.
    pub url: String,
}

impl Standalone {
    pub fn start(world: &str, arguments: &[&str]) -> Self {
        let mut child = Command::new(assert_cmd::cargo::cargo_bin!("octorhai"))
            .args(["sandbox", "--listen", "127.0.0.1:0", "--world", world])
            .args(arguments)
            .stderr(Stdio::piped())
            .spawn()
            .expect("octorhai starts");
        let mut told = BufReader::new(child.stderr.take().expect("piped"));
        let mut line = String::new();
        told.read_line(&mut line).expect("it tells its address");
        let url = line.split_whitespace().nth(3).expect("an address").trim_end_matches(',').to_owned();
        Self { child, told, url }
    }

    /// Waits for its end: exit code and what it told after its address.
    pub fn ends(mut self) -> (Option<i32>, String) {
        let code = self.child.wait().expect("it ends").code();
        let mut told = String::new();
        let _ = self.told.read_to_string(&mut told);
        (code, told)
    }
}

impl Drop for Standalone {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
