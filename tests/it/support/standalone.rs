//! A sandbox in a process of its own, as `octorhai sandbox` starts it.

use serde_json::Value;
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
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
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("octorhai"));
        if let Some(kits) = std::env::var_os(super::kits::VARIABLE) {
            command.env("OCTORHAI_PWSH", std::path::Path::new(&kits).join("powershell/pwsh.sh"));
        }
        let mut child = command
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

    /// The answer to a request with the key that everybody knows, e.g. `/sandbox/state`.
    pub fn get(&self, path: &str) -> Value {
        let host = self.url.trim_start_matches("http://");
        let mut stream = TcpStream::connect(host).expect("it listens");
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\nX-Octopus-ApiKey: API-SANDBOX\r\nConnection: close\r\n\r\n").expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let body = answer.split_once("\r\n\r\n").expect("a body").1;
        serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {body}"))
    }

    /// Waits until a request has arrived for which there is a fault.
    pub fn is_asked(&self) {
        super::until("a request with a fault", || {
            let faults = self.get("/sandbox/faults");
            faults.as_array().expect("a list").iter().any(|fault| fault["seen"] != 0).then_some(())
        });
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
