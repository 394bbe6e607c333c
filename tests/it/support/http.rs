//! A server for the client's tests: real sockets, one closure that decides what happens to each request.

use jiff::Timestamp;
use octorhai::api::{Client, Credential, Settings, SpaceClient};
use octorhai::cancel::Cancel;
use octorhai::clock::Clock;
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

pub const KEY: &str = "API-ABCDEFGHIJKLMNOP";

/// A request as it arrived.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    pub path: String,
    pub query: BTreeMap<String, String>,
    pub headers: BTreeMap<String, String>,
    pub body: Value,
}

/// What the server does.
pub enum Reply {
    Json(u16, Value),
    /// Status, further header lines, body.
    Text(u16, &'static str, String),
    /// Closes without a word.
    Hangup,
    /// Promises more than it sends.
    Truncated(String),
    /// Sends so many bytes of JSON, without saying how many.
    Endless(usize),
}

pub struct Server {
    pub address: String,
    pub requests: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    /// Answers each connection's request with what `answer` says; `clock` is the server's.
    pub fn start(clock: &Clock, answer: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = format!("http://{}", listener.local_addr().expect("an address"));
        let requests: Arc<Mutex<Vec<Request>>> = Arc::default();
        let (seen, clock, answer) = (requests.clone(), clock.clone(), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (seen, clock, answer) = (seen.clone(), clock.clone(), answer.clone());
                std::thread::spawn(move || {
                    if let Some(request) = read(&stream) {
                        seen.lock().push(request.clone());
                        write(stream, &clock, answer(&request));
                    }
                });
            }
        });
        Self { address, requests }
    }

    pub fn count(&self, method: &str) -> usize {
        self.requests.lock().iter().filter(|r| r.method == method).count()
    }
}

fn read(stream: &TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split_whitespace();
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.insert(name.to_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").and_then(|l| l.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let query = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    Some(Request { method, path: path.to_owned(), query, headers, body: serde_json::from_slice(&body).unwrap_or_default() })
}

fn write(mut stream: TcpStream, clock: &Clock, reply: Reply) {
    let date = clock.now().strftime("%a, %d %b %Y %H:%M:%S GMT");
    let head = |status: u16, more: &str| format!("HTTP/1.1 {status} X\r\nDate: {date}\r\nConnection: close\r\n{more}");
    let full = |status: u16, more: &str, body: &str| format!("{}Content-Length: {}\r\n\r\n{body}", head(status, more), body.len());
    let _ = match reply {
        Reply::Json(status, body) => stream.write_all(full(status, "Content-Type: application/json\r\n", &body.to_string()).as_bytes()),
        Reply::Text(status, more, body) => stream.write_all(full(status, more, &body).as_bytes()),
        Reply::Hangup => Ok(()),
        Reply::Truncated(body) => {
            stream.write_all(format!("{}Content-Length: {}\r\n\r\n{body}", head(200, ""), body.len() + 10).as_bytes())
        }
        Reply::Endless(bytes) => (|| {
            stream.write_all(format!("{}\r\n[", head(200, "")).as_bytes())?;
            let chunk = vec![b'1'; 1 << 20];
            for _ in 0..bytes >> 20 {
                stream.write_all(&chunk)?;
            }
            Ok(())
        })(),
    };
}

pub fn start_of_time() -> Timestamp {
    "2026-03-02T08:00:00Z".parse().expect("a timestamp")
}

pub fn virtual_clock() -> Clock {
    Clock::virtual_at(start_of_time())
}

/// Of a server that is known to keep to deadlines.
pub fn settings(address: &str, clock: &Clock) -> Settings {
    let settings = Settings::new(Credential::api_key(address, KEY).expect("a credential"), clock.clone(), Cancel::new());
    Settings { keeps_deadlines: true, ..settings }
}

pub fn client(address: &str, clock: &Clock) -> Client {
    Client::new(settings(address, clock)).expect("the settings are right")
}

pub fn spaces() -> Reply {
    Reply::Json(200, json!({"Items": [{"Id": "Spaces-1", "Name": "Default", "IsDefault": true}], "TotalResults": 1}))
}

pub async fn space(address: &str, clock: &Clock) -> SpaceClient {
    client(address, clock).space(None).await.expect("there is a default space")
}

pub fn page(items: Vec<Value>) -> Reply {
    Reply::Json(200, json!({"TotalResults": items.len(), "Items": items}))
}
