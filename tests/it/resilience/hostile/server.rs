//! A server between the client and a sandbox: it passes everything on, but for one kind of request, which it answers as a behaviour says.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

/// A request as it came.
pub struct Request {
    pub method: String,
    /// Path and query.
    pub target: String,
    /// The whole head.
    pub head: String,
    body: Vec<u8>,
}

impl Request {
    /// A number in the query, e.g. `skip`.
    pub fn number(&self, name: &str) -> usize {
        let query = self.target.split_once('?').map_or("", |(_, query)| query);
        let found = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        found.and_then(|number| number.parse().ok()).unwrap_or(0)
    }

    /// The path without the query.
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }
}

/// What a behaviour knows when it answers.
pub struct Asked<'a> {
    pub request: &'a Request,
    /// How many such requests came before.
    pub before: usize,
    /// The address of a second server, which must never hear of the client.
    pub elsewhere: &'a str,
    /// Our own address.
    pub here: &'a str,
}

pub type Answer = fn(&mut TcpStream, &Asked) -> std::io::Result<()>;

/// The server; it listens until the test program ends.
pub struct Hostile {
    pub url: String,
    /// How many requests were answered in its own way.
    pub met: Arc<AtomicUsize>,
}

impl Hostile {
    /// Before the sandbox at `behind`; requests that `aims` at are answered by `answer`.
    pub fn start(behind: &str, elsewhere: &str, aims: fn(&Request) -> bool, answer: Answer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let met = Arc::new(AtomicUsize::new(0));
        let (behind, elsewhere, here) = (behind.trim_start_matches("http://").to_owned(), elsewhere.to_owned(), url.clone());
        let (behind, elsewhere, here, count) = (Arc::new(behind), Arc::new(elsewhere), Arc::new(here), Arc::clone(&met));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (behind, elsewhere, here, count) = (Arc::clone(&behind), Arc::clone(&elsewhere), Arc::clone(&here), Arc::clone(&count));
                thread::spawn(move || {
                    let mut stream = stream;
                    let Some(request) = read(&stream) else { return };
                    // Either side may leave in the middle.
                    let _gone = if aims(&request) {
                        let before = count.fetch_add(1, Ordering::SeqCst);
                        answer(&mut stream, &Asked { request: &request, before, elsewhere: &elsewhere, here: &here })
                    } else {
                        pass(&request, &behind, &mut stream)
                    };
                });
            }
        });
        Self { url, met }
    }
}

/// A server that only keeps what it hears.
pub fn recorder() -> (String, Arc<Mutex<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let heard = Arc::new(Mutex::new(String::new()));
    let kept = Arc::clone(&heard);
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let kept = Arc::clone(&kept);
            thread::spawn(move || {
                let mut bytes = [0; 4096];
                kept.lock().expect("no panic").push_str("somebody came: ");
                while let Ok(length @ 1..) = stream.read(&mut bytes) {
                    kept.lock().expect("no panic").push_str(&String::from_utf8_lossy(&bytes[..length]));
                    let _gone = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
                }
            });
        }
    });
    (url, heard)
}

fn read(stream: &TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while reader.read_line(&mut head).ok()? > 2 {}
    let mut words = head.split_whitespace();
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let length = head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    Some(Request { method, target, head, body })
}

/// Hands a request to the sandbox and its answer back.
fn pass(request: &Request, behind: &str, back: &mut TcpStream) -> std::io::Result<()> {
    let mut to = TcpStream::connect(behind)?;
    for (at, line) in request.head.trim_end().lines().enumerate() {
        match line.to_ascii_lowercase() {
            line if at > 0 && line.starts_with("host:") => write!(to, "Host: {behind}\r\n")?,
            line if at > 0 && line.starts_with("connection:") => {}
            _ => write!(to, "{line}\r\n")?,
        }
    }
    write!(to, "Connection: close\r\n\r\n")?;
    to.write_all(&request.body)?;
    std::io::copy(&mut to, back).map(|_| ())
}
