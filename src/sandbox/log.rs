//! What was asked and answered: the latest requests in memory, and all of them, whole, in a file of JSON lines.
//!
//! A failed check of an official client is read from the file: who asked for what, what the sandbox made of it, what went back.
//! Credentials never enter it: no header but the client's name is kept, and keys in addresses and bodies are struck out.

use super::state::stamp;
use crate::error::{Error, Result};
use jiff::Timestamp;
use parking_lot::Mutex;
use serde_json::{Map, Value, json};
use std::{collections::VecDeque, fs::File, io::Write, path::Path};
use tokio::sync::Notify;

/// How many requests are kept in memory, and how much of an address: a batch of a hundred ids is two thousand letters.
const RECENT: usize = 10_000;
const ADDRESS: usize = 400;
/// Bodies above this many bytes are only counted.
const WHOLE: usize = 1 << 20;
/// Parts of the names of members that hold a credential, in lower case; only texts are struck out, `{"HasValue":true,...}` is none.
const SECRET: [&str; 7] = ["apikey", "token", "password", "passphrase", "secret", "privatekey", "newvalue"];

/// One request and its answer.
pub(crate) struct Exchange {
    pub(crate) at: Timestamp,
    pub(crate) method: String,
    /// Path and query.
    pub(crate) path: String,
    /// The pattern of the endpoint, as `GET /api/{space}/projects/{id}`; none when no such endpoint is known.
    pub(crate) endpoint: Option<String>,
    /// 0 when the connection was cut.
    pub(crate) status: u16,
    pub(crate) user: String,
    pub(crate) client: String,
}

/// The log of one server.
#[derive(Default)]
pub(crate) struct Log {
    recent: Mutex<VecDeque<Exchange>>,
    file: Mutex<Option<(String, File)>>,
    broken: Mutex<Option<Error>>,
    noticed: Notify,
}

impl Log {
    /// From now on every exchange is also written behind what the file holds.
    pub(crate) fn write_to(&self, path: &Path) -> Result<()> {
        let name = path.display().to_string();
        let file = File::options().create(true).append(true).open(path);
        let file = file.map_err(|e| Error::usage(format!("the log `{name}` cannot be written: {e}")))?;
        *self.file.lock() = Some((name, file));
        Ok(())
    }

    /// Whether bodies are wanted.
    pub(crate) fn is_written(&self) -> bool {
        self.file.lock().is_some()
    }

    /// Waits until the file can no longer be written (a full disk), and says why.
    pub(crate) async fn breaks(&self) -> Error {
        loop {
            let noticed = self.noticed.notified();
            if let Some(error) = self.broken.lock().take() {
                return error;
            }
            noticed.await;
        }
    }

    /// Adds an exchange; `bodies` are what was sent and what went back, with their content types.
    pub(crate) fn add(&self, exchange: Exchange, bodies: Option<[(&str, &[u8]); 2]>) {
        if let (Some([sent, answered]), Some((name, file))) = (bodies, &mut *self.file.lock()) {
            let mut line = show(&exchange);
            line["endpoint"] = json!(exchange.endpoint);
            line["user"] = json!(exchange.user);
            line["client"] = json!(without_keys(&exchange.client));
            line["request_body"] = body(sent.0, sent.1);
            line["response_body"] = body(answered.0, answered.1);
            // One write a line, so that whoever is killed leaves whole lines.
            if let Err(e) = file.write_all(format!("{line}\n").as_bytes()) {
                *self.broken.lock() = Some(Error::usage(format!("the log `{name}` cannot be written: {e}")));
                self.noticed.notify_waiters();
            }
        }
        let mut exchange = exchange;
        for text in [&mut exchange.path, &mut exchange.client, &mut exchange.method] {
            if let Some((cut, _)) = text.char_indices().nth(ADDRESS) {
                text.truncate(cut);
                text.push('…');
                text.shrink_to_fit();
            }
        }
        let mut recent = self.recent.lock();
        if recent.len() == RECENT {
            recent.pop_front();
        }
        recent.push_back(exchange);
    }

    /// The latest requests, oldest first.
    pub(crate) fn recent(&self) -> Vec<Value> {
        self.recent.lock().iter().map(show).collect()
    }
}

fn show(e: &Exchange) -> Value {
    json!({"at": stamp(e.at), "method": e.method, "path": without_key(&e.path), "status": e.status})
}

/// A text without what looks like an API key, wherever it stands.
fn without_keys(text: &str) -> String {
    let mut shown = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("API-") {
        let tail = &rest[at + 4..];
        let end = tail.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(tail.len());
        shown.push_str(&rest[..at]);
        shown.push_str(if end == 0 { "API-" } else { "API-***" });
        rest = &tail[end..];
    }
    shown + rest
}

/// The address without the value of `?apikey=`, and without keys that stand where none belongs.
fn without_key(path: &str) -> String {
    let Some((path, query)) = path.split_once('?') else { return without_keys(path) };
    let is_key = |pair: &str| {
        let name = pair.split('=').next().unwrap_or_default();
        percent_encoding::percent_decode_str(name).decode_utf8_lossy().eq_ignore_ascii_case("apikey")
    };
    let path = without_keys(path);
    let query = without_keys(query);
    let pairs: Vec<&str> = query.split('&').map(|pair| if is_key(pair) { "apikey=***" } else { pair }).collect();
    format!("{path}?{}", pairs.join("&"))
}

/// JSON as JSON, text as text, everything else as its size and kind.
fn body(kind: &str, bytes: &[u8]) -> Value {
    if bytes.is_empty() {
        return Value::Null;
    }
    if bytes.len() <= WHOLE {
        if let Ok(mut value) = serde_json::from_slice::<Value>(bytes) {
            strike(&mut value);
            return value;
        }
        if kind.starts_with("text/")
            && let Ok(text) = std::str::from_utf8(bytes)
        {
            return json!(text);
        }
    }
    json!({"bytes": bytes.len(), "type": kind})
}

fn strike(value: &mut Value) {
    match value {
        Value::Object(map) => strike_members(map),
        Value::Array(list) => list.iter_mut().for_each(strike),
        _ => {}
    }
}

fn strike_members(map: &mut Map<String, Value>) {
    // A variable's value is in a member of another name.
    let sensitive = ["IsSensitive", "isSensitive"].iter().any(|k| map.get(*k) == Some(&Value::Bool(true)));
    for (key, value) in map {
        let key = key.to_lowercase();
        if value.is_string() && (SECRET.iter().any(|part| key.contains(part)) || sensitive && key == "value") {
            *value = json!("***");
        } else {
            strike(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_struck_out() {
        assert_eq!(without_key("/api/projects?skip=0&APIKEY=API-X&take=1"), "/api/projects?skip=0&apikey=***&take=1");
        assert_eq!(without_key("/api/projects/API-ABC?%61pikey=secret&x=API-DEF"), "/api/projects/API-***?apikey=***&x=API-***");
        let kept = body(
            "application/json",
            br#"{"ApiKey":"API-1","A":{"NewValue":"x"},"Variables":[{"IsSensitive":true,"Value":"y"},{"IsSensitive":false,"Value":"z"}]}"#,
        );
        assert_eq!(
            kept.to_string(),
            r#"{"ApiKey":"***","A":{"NewValue":"***"},"Variables":[{"IsSensitive":true,"Value":"***"},{"IsSensitive":false,"Value":"z"}]}"#
        );
    }

    #[test]
    fn what_is_not_text_is_counted() {
        assert_eq!(body("application/zip", &[0, 1, 2]), json!({"bytes": 3, "type": "application/zip"}));
        assert_eq!(body("text/plain", b"a log"), json!("a log"));
        assert_eq!(body("", b""), Value::Null);
    }
}
