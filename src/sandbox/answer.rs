//! A request as handlers see it, and what they answer.

use axum::body::Bytes;
use jiff::{Timestamp, fmt::temporal::Pieces};
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::collections::HashSet;

/// A request after routing prefixes, space and credential have been read off it.
#[derive(Clone)]
pub(crate) struct Ask {
    pub(crate) method: String,
    /// The path as it was sent, without the virtual directory and without the query.
    pub(crate) path: String,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) body: Value,
    pub(crate) raw: Bytes,
    pub(crate) content_type: String,
    /// `Users-…` of the caller.
    pub(crate) user: String,
    /// What the header `X-Octopus-Webhook-Secret` says.
    pub(crate) webhook_secret: Option<String>,
    /// The space named in the path.
    pub(crate) space: Option<String>,
}

static NULL: Value = Value::Null;

impl Ask {
    /// A query parameter; absent when empty.
    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(k, _)| k.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str()).filter(|v| !v.is_empty())
    }

    /// The same request with another body.
    pub(crate) fn with_body(&self, body: Value) -> Self {
        Self { body, ..self.clone() }
    }

    /// The same, where a request without it is refused.
    pub(crate) fn need_query(&self, name: &str) -> Result<&str, Refusal> {
        self.query(name).ok_or_else(|| Refusal::invalid(format!("The {name} parameter is required.")))
    }

    /// A list in the query, as `a=1,2` or `a=1&a=2`; empty when absent.
    pub(crate) fn list(&self, name: &str) -> Vec<String> {
        self.query
            .iter()
            .filter(|(k, _)| k.eq_ignore_ascii_case(name))
            .flat_map(|(_, v)| v.split(','))
            .map(|v| v.trim().to_owned())
            .filter(|v| !v.is_empty())
            .collect()
    }

    /// The `ids` of a list request, each once, in the order of the request; ids differ by more than the case of characters.
    pub(crate) fn ids(&self) -> Vec<String> {
        let mut seen = HashSet::new();
        self.list("ids").into_iter().filter(|id| seen.insert(id.to_lowercase())).collect()
    }

    /// The places in a list of what a request asks for, in ascending order: `place` of each of its `ids`, or `all` when it names none.
    /// Every list that takes `ids` asks this, so that a request costs what it names and not what there is.
    pub(crate) fn places(&self, place: impl Fn(&str) -> Option<usize>, all: impl FnOnce() -> Vec<usize>) -> Vec<usize> {
        let ids = self.list("ids");
        if ids.is_empty() {
            return all();
        }
        let mut found: Vec<usize> = ids.iter().filter_map(|id| place(id)).collect();
        found.sort_unstable();
        found.dedup();
        found
    }

    /// What a list in the query lets through.
    pub(crate) fn only(&self, name: &str) -> Only {
        Only(self.list(name))
    }

    pub(crate) fn flag(&self, name: &str) -> Option<bool> {
        self.query(name).map(|v| v.eq_ignore_ascii_case("true") || v == "1")
    }

    /// A property of the body, whatever its case.
    pub(crate) fn field(&self, name: &str) -> &Value {
        field(&self.body, name)
    }

    /// Whether the body names a property, even with null.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.body.as_object().is_some_and(|body| body.keys().any(|key| key.eq_ignore_ascii_case(name)))
    }

    /// A text property of the body; absent when null or empty.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        text(&self.body, name)
    }

    /// The same, where a request without it is refused.
    pub(crate) fn need(&self, name: &str) -> Result<String, Refusal> {
        self.text(name).ok_or_else(|| Refusal::required(name))
    }

    /// The span of time that `from…` and `to…` in the query leave open.
    pub(crate) fn between(&self, what: &str) -> Result<Between, Refusal> {
        // A plus sign that was not written as %2B arrives as a space.
        let read = |name: String| self.query(&name).map(|text| moment(&name, &text.replace(' ', "+"), text)).transpose();
        Ok(Between { from: read(format!("from{what}"))?, to: read(format!("to{what}"))? })
    }

    /// A point in time in the body; absent when null or empty.
    pub(crate) fn time(&self, name: &str) -> Result<Option<Timestamp>, Refusal> {
        time(&self.body, name)
    }

    /// A list of texts in the body; empty when absent.
    pub(crate) fn texts(&self, name: &str) -> Vec<String> {
        texts(self.field(name))
    }
}

/// A property of an object, whatever its case (octopus-api.md §1).
pub(crate) fn field<'a>(object: &'a Value, name: &str) -> &'a Value {
    object.get(name).or_else(|| object.as_object()?.iter().find(|(k, _)| k.eq_ignore_ascii_case(name)).map(|(_, v)| v)).unwrap_or(&NULL)
}

/// A text property; absent when null or empty.
pub(crate) fn text(object: &Value, name: &str) -> Option<String> {
    field(object, name).as_str().filter(|s| !s.is_empty()).map(str::to_owned)
}

/// A point in time in an object; absent when null or empty.
pub(crate) fn time(object: &Value, name: &str) -> Result<Option<Timestamp>, Refusal> {
    text(object, name).map(|text| moment(name, &text, &text)).transpose()
}

/// Servers know times to the end of the year 9999. Its last hours, by which freezes without an end are written, our clock does not reach: they
/// are its last moment.
fn moment(name: &str, text: &str, shown: &str) -> Result<Timestamp, Refusal> {
    let is_last = |written: &Pieces<'_>| written.date().year() == 9999 && written.to_numeric_offset().is_some();
    let last = || Pieces::parse(text).ok().filter(is_last).map(|_| Timestamp::MAX);
    let read = text.parse().ok().or_else(last);
    read.ok_or_else(|| Refusal::invalid(format!("The value '{shown}' is not valid for {name}.")))
}

/// A span of time: from a moment on, and before another.
pub(crate) struct Between {
    from: Option<Timestamp>,
    to: Option<Timestamp>,
}

impl Between {
    /// Whether something was then; what has not happened is in the span that is open at both ends only.
    pub(crate) fn has(&self, at: Option<Timestamp>) -> bool {
        at.map_or(self.from.is_none() && self.to.is_none(), |at| {
            self.from.is_none_or(|from| at >= from) && self.to.is_none_or(|to| at < to)
        })
    }
}

/// Texts that a query names, whatever their case; all when it names none.
pub(crate) struct Only(pub(crate) Vec<String>);

impl Only {
    pub(crate) fn has(&self, value: Option<&str>) -> bool {
        self.0.is_empty() || value.is_some_and(|value| self.0.iter().any(|one| one.eq_ignore_ascii_case(value)))
    }

    pub(crate) fn has_any<'v>(&self, mut values: impl Iterator<Item = &'v String>) -> bool {
        self.0.is_empty() || values.any(|value| self.has(Some(value)))
    }
}

/// Whether one of these members of a document is this text, whatever its case.
pub(crate) fn is_called(doc: &Value, members: &[&str], name: &str) -> bool {
    members.iter().any(|member| str_of(doc, member).eq_ignore_ascii_case(name))
}

/// A list of texts; empty when it is something else.
pub(crate) fn texts(list: &Value) -> Vec<String> {
    list.as_array().map(|a| a.iter().filter_map(|v| v.as_str().map(str::to_owned)).collect()).unwrap_or_default()
}

/// A text property of one of our own documents; `""` when absent.
pub(crate) fn str_of<'a>(document: &'a Value, name: &str) -> &'a str {
    document.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// Writes members of an object: `entries!(map; "Id": id, "Name": name)`.
macro_rules! entries {
    ($map:expr; $($key:literal: $value:expr),* $(,)?) => {{
        $($map.serialize_entry($key, &$value)?;)*
    }};
}
pub(crate) use entries;

/// What an answer shows. It owns it, so that it is written out when others have the state again.
pub(crate) trait Tell: Send {
    /// Appends it as JSON.
    fn tell(&self, to: &mut Vec<u8>) -> serde_json::Result<()>;
}

impl<T: Serialize + Send> Tell for T {
    fn tell(&self, to: &mut Vec<u8>) -> serde_json::Result<()> {
        serde_json::to_writer(to, self)
    }
}

/// A bare list.
pub(crate) struct All<T>(pub(crate) Vec<T>);

impl<T: Tell> Tell for All<T> {
    fn tell(&self, to: &mut Vec<u8>) -> serde_json::Result<()> {
        to.push(b'[');
        for (i, item) in self.0.iter().enumerate() {
            if i > 0 {
                to.push(b',');
            }
            item.tell(to)?;
        }
        to.push(b']');
        Ok(())
    }
}

/// What goes back.
pub(crate) enum Answer {
    Json(u16, Box<dyn Tell>),
    Bytes(u16, String, Bytes),
}

#[allow(clippy::unnecessary_wraps)] // so that handlers can end with them
impl Answer {
    pub(crate) fn ok(shown: impl Tell + 'static) -> Handled {
        Ok(Self::Json(200, Box::new(shown)))
    }
    pub(crate) fn created(shown: impl Tell + 'static) -> Handled {
        Ok(Self::Json(201, Box::new(shown)))
    }
    pub(crate) fn plain(text: String) -> Handled {
        Ok(Self::Bytes(200, "text/plain; charset=utf-8".into(), text.into()))
    }
}

/// What a handler returns.
pub(crate) type Handled = Result<Answer, Refusal>;

/// The server says no.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) message: String,
    pub(crate) errors: Vec<String>,
}

impl Refusal {
    /// 400 with one reason in `Errors`.
    pub(crate) fn invalid(reason: impl Into<String>) -> Self {
        Self { status: 400, message: "There was a problem with your request.".into(), errors: vec![reason.into()] }
    }
    /// A status, and a sentence in `ErrorMessage`.
    pub(crate) fn said(status: u16, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), errors: Vec::new() }
    }
    /// 400 for a field that is not there.
    pub(crate) fn required(field: &str) -> Self {
        Self::invalid(format!("The {field} field is required."))
    }
    /// 404 for an id or name.
    pub(crate) fn missing(what: &str) -> Self {
        Self::said(404, format!("The resource '{what}' was not found."))
    }
    /// 404 for the name of something of a kind.
    pub(crate) fn unknown(kind: &str, name: &str) -> Self {
        Self::said(404, format!("The {kind} '{name}' was not found."))
    }
    /// 403 for a lack of `permission`.
    pub(crate) fn forbidden(permission: &str) -> Self {
        let message = format!(
            "You do not have permission to perform this action. Please contact your Octopus administrator. Missing permission: {permission}"
        );
        Self::said(403, message)
    }
    /// 429 (octopus-api.md §7.3).
    pub(crate) fn too_many() -> Self {
        let message = "Too many requests have been made. Please wait before you try again.";
        Self::said(429, message)
    }
    /// 500: a mistake of the sandbox.
    pub(crate) fn broken(why: &impl std::fmt::Display) -> Self {
        Self::said(500, format!("The sandbox cannot write its answer: {why}"))
    }
    pub(crate) fn wrong_verb(method: &str) -> Self {
        Self::said(405, format!("The requested resource does not support http method '{method}'."))
    }
    pub(crate) fn unauthorized() -> Self {
        let message = "You must be logged in to perform this action. Please provide a valid API key or log in again.";
        Self::said(401, message)
    }
    /// 413 for a body of more than so many bytes.
    pub(crate) fn too_large(limit: usize) -> Self {
        let message = format!("The request body is larger than {} KiB.", limit >> 10);
        Self::said(413, message)
    }
    /// 501 for what is known not to be there.
    pub(crate) fn absent(method: &str, path: &str, why: &str) -> Self {
        Self::said(501, format!("The sandbox does not simulate {method} {path}: {why}."))
    }
    pub(crate) fn not_simulated(method: &str, path: &str) -> Self {
        Self::said(501, format!("The sandbox does not simulate {method} {path}."))
    }

    /// The body; `Errors` only with 400, because a client reads any `Errors` as a failed validation (octopus-api.md §29).
    pub(crate) fn body(&self) -> Value {
        let mut body = Map::new();
        body.insert("ErrorMessage".into(), json!(self.message));
        if self.status == 400 {
            body.insert("Errors".into(), json!(self.errors));
            body.insert("ParsedHelpLinks".into(), json!([]));
            body.insert("Details".into(), json!({}));
        }
        Value::Object(body)
    }
}
