//! Answers of the server and what they mean: JSON, or an error that keeps the server's own words.

use super::bounded::{self, NotJson, beginning, untorn};
use crate::error::{Error, Kind, Result};
use crate::json::JsonText;
use jiff::SignedDuration;
use serde_json::Value;

/// A whole answer.
pub(crate) struct Answer {
    pub(crate) method: String,
    /// Path and query, for messages.
    pub(crate) path: String,
    pub(crate) url: String,
    pub(crate) status: u16,
    /// The pause the server asks for (octopus-api.md §7.3).
    pub(crate) retry_after: Option<SignedDuration>,
    /// Whether it says of itself that it is a page for people.
    pub(crate) is_page: bool,
    pub(crate) body: Vec<u8>,
}

/// Why there is no answer.
pub(crate) enum NoAnswer {
    /// The request surely did not reach the server: refused, no such host, no TLS.
    NotSent(String),
    /// The same, and trying again cannot help.
    Hopeless(Error),
    /// The request may have reached the server.
    Lost(String),
    /// There was an answer, but not one to use.
    Useless(Error),
    /// There was an answer, and surely not Octopus's.
    Strange(Error),
}

/// What an error needs to know about its request: adds the facts scripts can read.
pub(crate) fn with_request(error: Error, method: &str, path: &str, url: &str) -> Error {
    error.with("method", method).with("path", path).with("url", url)
}

impl Answer {
    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Whether asking again may help.
    pub(crate) fn is_transient(&self) -> bool {
        // Proxies have more numbers than HTTP for a server that is away (520 to 530).
        matches!(self.status, 408 | 429) || (self.status >= 500 && self.status != 501)
    }

    /// The body as a text, which is not a page for people.
    pub(crate) fn text(self) -> Result<String> {
        if self.looks_like_html() { Err(self.not_octopus("an HTML page")) } else { Ok(self.content()) }
    }

    /// The body, whatever it is.
    pub(crate) fn content(self) -> String {
        String::from_utf8(self.body).unwrap_or_else(|other| {
            let pieces = || {
                other.as_bytes().utf8_chunks().flat_map(|piece| [piece.valid(), if piece.invalid().is_empty() { "" } else { "\u{fffd}" }])
            };
            // Room for all at once: a text that grows is there twice each time it does.
            let mut text = String::with_capacity(pieces().map(str::len).sum());
            text.extend(pieces());
            text
        })
    }

    /// The body as JSON; an empty one is null.
    pub(crate) fn json(mut self) -> Result<JsonText> {
        if self.is_page {
            return Err(self.not_octopus("an HTML page"));
        }
        if self.body.iter().all(u8::is_ascii_whitespace) {
            return Ok(JsonText::default());
        }
        let length = self.body.len();
        if self.body.starts_with(b"\xef\xbb\xbf") {
            self.body.drain(..3);
        }
        bounded::json(&mut self.body).map_err(|problem| match problem {
            NotJson::TooMuch(what) => self.too_much(&what),
            NotJson::Wrong(_) if self.looks_like_html() => self.not_octopus("an HTML page"),
            NotJson::Wrong(_) if self.body.starts_with(b"\xff\xfe") || self.body.starts_with(b"\xfe\xff") => {
                self.not_octopus("a text in UTF-16, where JSON is in UTF-8")
            }
            NotJson::Wrong(problem) if problem.is_eof() => self.not_octopus(&format!("JSON that breaks off after {length} bytes")),
            NotJson::Wrong(problem) => self.not_octopus(&format!("something that is not JSON ({problem})")),
        })
    }

    /// The error for an answer that is larger than we take: asking again brings the same.
    fn too_much(&self, what: &str) -> Error {
        too_much(&self.method, &self.path, &self.url, what)
    }

    fn looks_like_html(&self) -> bool {
        self.is_page || self.body.iter().find(|b| !b.is_ascii_whitespace()) == Some(&b'<')
    }

    /// The error for an answer that no Octopus Server gives.
    pub(crate) fn not_octopus(&self, why: &str) -> Error {
        let error = Error::new(
            Kind::BadAnswer,
            format!("`{} {}` was answered ({}) with {why}{}", self.method, self.path, self.status, self.beginning()),
        )
        .help("is a proxy or a login page in between, or does the server's address lack its virtual directory?");
        self.annotate(error)
    }

    /// The first words of the body, for messages: `, which begins "<!DOCTYPE html>"`.
    fn beginning(&self) -> String {
        let text = String::from_utf8_lossy(&self.body[..self.body.len().min(400)]);
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let words: String = words.chars().filter(|c| !c.is_control()).collect();
        let words = if self.body.len() > 400 { untorn(&words) } else { &words };
        let short = beginning(words, 80);
        if words.is_empty() {
            return ", an empty body".to_owned();
        }
        if short.is_empty() { String::new() } else { format!(", which begins `{}`", short.replace('`', "'")) }
    }

    fn annotate(&self, error: Error) -> Error {
        with_request(error.with("status", self.status), &self.method, &self.path, &self.url)
    }

    /// In a few words what the answer was, for messages about retries.
    pub(crate) fn summary(&self) -> String {
        match self.words() {
            (Some(message), _) if !message.is_empty() => format!("{} ({})", self.status, clipped(&message, 300)),
            _ => self.status.to_string(),
        }
    }

    /// `ErrorMessage` and `Errors` of the body (octopus-api.md §7.1).
    fn words(&self) -> (Option<String>, Vec<String>) {
        let Ok(body) = serde_json::from_slice::<Value>(&self.body) else { return (None, Vec::new()) };
        let errors = body.get("Errors").and_then(Value::as_array).map(|errors| {
            errors.iter().map(|e| e.as_str().map_or_else(|| e.to_string(), str::to_owned)).filter(|e| !e.is_empty()).collect()
        });
        let message = body.get("ErrorMessage").or_else(|| body.get("error_description")).and_then(Value::as_str);
        (message.map(|m| m.trim().to_owned()).or_else(|| body.is_object().then(String::new)), errors.unwrap_or_default())
    }

    /// The error for an answer that is not a success.
    pub(crate) fn refusal(&self, has_credential: bool) -> Error {
        let (message, errors) = self.words();
        let Some(message) = message else {
            return self.refusal_without_words(has_credential);
        };
        let kind = match self.status {
            401 => Kind::Unauthorized,
            403 => Kind::Forbidden,
            404 => Kind::NotFound,
            409 => Kind::Conflict,
            500.. if self.status != 501 => Kind::Unreachable,
            _ if errors.iter().chain([&message]).any(|words| is_stale(words)) => Kind::Conflict,
            _ => Kind::Refused,
        };
        let mut text = if message.is_empty() { "the server gave no reason".to_owned() } else { fragment(&message) };
        if !errors.is_empty() {
            let mut told: Vec<String> = errors.iter().take(MOST_ERRORS).map(|e| fragment(e)).collect();
            if errors.len() > MOST_ERRORS {
                told.push(format!("and {} more", errors.len() - MOST_ERRORS));
            }
            text = format!("{text}: {}", told.join("; "));
        }
        let mut error = Error::new(kind, format!("{text} (`{} {}` was answered {})", self.method, self.path, self.status));
        if !errors.is_empty() {
            error = error.with("errors", errors.iter().take(MOST_ERRORS).map(|e| clipped(e, MOST_WORDS)).collect::<Vec<_>>());
        }
        for advice in self.advice() {
            error = error.help(advice);
        }
        if kind == Kind::Conflict {
            error = error
                .help("read it again, see whether your change is still wanted, and make it on what is there now; it was not sent again");
        }
        if self.status == 403
            && let Some(permission) = missing_permission(&message)
        {
            error = error
                .help(format!("the user of the API key or access token needs a role with `{permission}` here"))
                .with("permission", permission);
        }
        if self.status == 404 {
            error = error.help("the server also says so of what the user of the API key or access token may not see");
        }
        self.annotate(login_help(error, self.status, has_credential))
    }

    /// What the server advises: its help text, and where it says there is more to read.
    fn advice(&self) -> Vec<String> {
        let Ok(body) = serde_json::from_slice::<Value>(&self.body) else { return Vec::new() };
        let text = body.get("HelpText").and_then(Value::as_str).map(fragment).filter(|text| !text.is_empty());
        let links = body.get("ParsedHelpLinks").and_then(Value::as_array).into_iter().flatten().chain(body.get("HelpLink"));
        let mut advice: Vec<String> = text.into_iter().collect();
        for link in links.filter_map(Value::as_str).filter(|link| !link.is_empty()).take(MOST_LINKS) {
            let see = format!("see {}", clipped(link, 300));
            if !advice.contains(&see) {
                advice.push(see);
            }
        }
        advice
    }

    fn refusal_without_words(&self, has_credential: bool) -> Error {
        let kind = match self.status {
            // Whoever says no with a page for people is not Octopus: a proxy, a gate before it.
            _ if self.looks_like_html() => return self.not_octopus("an HTML page"),
            401 => Kind::Unauthorized,
            403 => Kind::Forbidden,
            404 if self.body.is_empty() => Kind::NotFound,
            409 => Kind::Conflict,
            405 | 501 => Kind::Refused,
            _ => return self.not_octopus("no Octopus error"),
        };
        let error = Error::new(kind, format!("`{} {}` was answered {}{}", self.method, self.path, self.status, self.beginning()));
        self.annotate(login_help(error, self.status, has_credential))
    }
}

/// Whether a refusal says that somebody else was faster, as servers do that have no status of its own for that (octopus-api.md §8.1, §8.2).
fn is_stale(words: &str) -> bool {
    words.contains("another user has made changes") || words.contains("submitted data was out of date")
}

fn login_help(error: Error, status: u16, has_credential: bool) -> Error {
    match status {
        401 if has_credential => error.help("is the API key or access token of this server, and not expired?"),
        401 => error.help("no API key or access token was given"),
        _ => error,
    }
}

/// The permission that a refusal names: `... Missing permission: DeploymentCreate`.
fn missing_permission(message: &str) -> Option<&str> {
    let name = message.split_once("Missing permission: ")?.1;
    let end = name.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(name.len());
    Some(&name[..end]).filter(|name| !name.is_empty())
}

/// A sentence of the server's as part of ours: without its final full stop.
fn fragment(sentence: &str) -> String {
    clipped(sentence.trim().trim_end_matches('.'), MOST_WORDS)
}

/// The most characters of one sentence of the server's that a message repeats, how many of its errors and of its links.
const MOST_WORDS: usize = 2000;
const MOST_ERRORS: usize = 20;
const MOST_LINKS: usize = 5;

/// A text of the server's in a message; of a long one the beginning, and how much is missing.
pub(super) fn clipped(text: &str, most: usize) -> String {
    let begins = beginning(text, most);
    let missing = text.chars().count() - begins.chars().count();
    if missing == 0 { begins } else { format!("{begins}... ({missing} more characters)") }
}

/// The error for an answer that is larger than we take. A script can catch it; the request is not repeated.
pub(super) fn too_much(method: &str, path: &str, url: &str, what: &str) -> Error {
    let error = Error::new(Kind::BadAnswer, format!("`{method} {path}` was answered with {what}"))
        .help("ask for less at a time, e.g. with `take` and `skip` or for one project; or is this not an Octopus Server?")
        .with("too_much", true);
    with_request(error, method, path, url)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        Answer {
            method: "POST".into(),
            path: "/api/Spaces-1/releases".into(),
            url: "http://o.test/api/Spaces-1/releases".into(),
            status,
            retry_after: None,
            is_page: false,
            body: body.into(),
        }
    }

    #[test]
    fn the_servers_own_words_are_kept() {
        let error =
            answer(400, r#"{"ErrorMessage":"There was a problem with your request.","Errors":["The Name field is required.","No."]}"#)
                .refusal(true);
        assert_eq!(error.kind(), Kind::Refused);
        assert_eq!(
            error.message(),
            "There was a problem with your request: The Name field is required; No (`POST /api/Spaces-1/releases` was answered 400)"
        );
        assert_eq!(error.fact("status"), Some(&Value::from(400)));
        assert_eq!(error.fact("errors").and_then(Value::as_array).map(Vec::len), Some(2));
    }

    #[test]
    fn each_status_has_its_kind() {
        let body = r#"{"ErrorMessage":"No."}"#;
        for (status, kind) in
            [(401, Kind::Unauthorized), (403, Kind::Forbidden), (404, Kind::NotFound), (405, Kind::Refused), (409, Kind::Conflict)]
        {
            assert_eq!(answer(status, body).refusal(true).kind(), kind, "{status}");
        }
        assert_eq!(answer(404, "<html>IIS</html>").refusal(true).kind(), Kind::BadAnswer);
        assert_eq!(answer(404, "").refusal(true).kind(), Kind::NotFound);
    }

    #[test]
    fn a_stale_save_is_a_conflict_with_and_without_a_status_of_its_own() {
        let stale = r#"{"ErrorMessage":"There was a problem with your request.","Errors":["Changes to these variables could not be saved, because another user has made changes to the variables between when you started editing and when you saved your changes."]}"#;
        for (status, body) in [(400, stale), (409, r#"{"ErrorMessage":"It has been changed."}"#)] {
            let error = answer(status, body).refusal(true);
            assert_eq!(error.kind(), Kind::Conflict, "{status}");
            assert!(error.hints()[0].starts_with("read it again"), "{error:?}");
        }
        let other = r#"{"ErrorMessage":"There was a problem with your request.","Errors":["The Name field is required."]}"#;
        assert_eq!(answer(400, other).refusal(true).kind(), Kind::Refused);
    }

    #[test]
    fn who_lacks_a_permission_is_told_which() {
        let error = answer(
            403,
            r#"{"ErrorMessage":"You do not have permission. Missing permission: DeploymentCreate. Ask.","HelpText":"Ask Ada."}"#,
        )
        .refusal(true);
        assert_eq!(error.hints(), ["Ask Ada", "the user of the API key or access token needs a role with `DeploymentCreate` here"]);
        assert_eq!(error.fact("permission"), Some(&Value::from("DeploymentCreate")));
        assert!(answer(403, r#"{"ErrorMessage":"No.","HelpText":null}"#).refusal(true).hints().is_empty());
    }

    #[test]
    fn the_servers_advice_is_passed_on_once() {
        let body = r#"{"ErrorMessage":"No.","Errors":[],"HelpText":"","HelpLink":"https://oc.to/a","ParsedHelpLinks":["https://oc.to/a","https://oc.to/b",7],"Details":{}}"#;
        assert_eq!(answer(400, body).refusal(true).hints(), ["see https://oc.to/a", "see https://oc.to/b"]);
    }

    #[test]
    fn html_and_truncated_json_say_so() {
        let html = answer(200, "<!DOCTYPE html><title>Sign in</title>").json().expect_err("not JSON");
        assert!(html.message().contains("an HTML page, which begins `<!DOCTYPE html><title>Sign in</title>`"), "{html}");
        assert!(html.hints()[0].contains("login page"));
        let cut = answer(200, r#"{"Items":[{"Id":"Proj"#).json().expect_err("cut off");
        assert!(cut.message().contains("breaks off after 21 bytes"), "{cut}");
        assert_eq!(cut.kind(), Kind::BadAnswer);
    }
}
