//! Which members of a body an endpoint takes. What it does not act on it does not accept: a server may act on it.

use super::answer::Refusal;
use serde_json::Value;

/// What an endpoint does with the body of a request.
#[derive(Clone, Copy)]
pub(crate) enum Accepts {
    /// It acts on these members, whatever the case of their names. Another that says something is answered with 501.
    Only(&'static [&'static [&'static str]]),
    /// It keeps the document and shows it again.
    Document,
    /// A list of ids.
    List,
    /// A file.
    File,
}

/// What documents carry with them, and what names the path once more.
const ADDRESS: &[&str] = &["Id", "SpaceId", "SpaceName", "Links"];

impl Accepts {
    /// The members, or the word for what else it takes.
    pub(crate) fn shown(self) -> Value {
        match self {
            Self::Only(members) => members.concat().into(),
            Self::Document => "document".into(),
            Self::List => "list".into(),
            Self::File => "file".into(),
        }
    }

    /// Refuses members of a body on which nothing would act. Clients also say what one of the path's identifiers says already.
    pub(crate) fn admit(self, method: &str, path: &str, ids: &[&str], body: &Value) -> Result<(), Refusal> {
        let (Self::Only(known), Value::Object(body)) = (self, body) else { return Ok(()) };
        let is_in = |list: &[&str], name: &str| list.iter().any(|one| one.eq_ignore_ascii_case(name));
        let repeats = |value: &Value| value.as_str().is_some_and(|value| ids.iter().any(|id| id.eq_ignore_ascii_case(value)));
        let unknown = body.iter().find(|(name, value)| {
            says_something(value) && !repeats(value) && !known.iter().chain([&ADDRESS]).any(|list| is_in(list, name))
        });
        unknown.map_or(Ok(()), |(name, _)| {
            Err(Refusal::said(501, format!("The sandbox does not simulate the member `{name}` of {method} {path}.")))
        })
    }
}

/// Clients send members without a value that they know and do not use.
fn says_something(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(list) => !list.is_empty(),
        Value::Object(members) => !members.is_empty(),
        _ => true,
    }
}
