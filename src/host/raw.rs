//! The raw API, for what has no function of its own.

use super::prelude::*;
use super::space::Space;
use crate::engine::options::Data;

crate::functions! {
    group "query";

    /// Asks the API: a path of the space (`"projects"`) or of the server (`"/api/serverstatus"`). Returns maps and lists.
    /// Reserved words of Rhai are read with `["default"]`.
    ///
    /// ```rhai
    /// print(get("projects?take=1").TotalResults);
    /// ```
    fn get(host: Host, path: String) -> "map" raises "not_found, request" {
        let place = host.place();
        Ok(host.block(place.space.read(&path))?)
    }

    /// Sends a document to the API with POST. Not repeated when the answer is lost: that is an error of kind `in_doubt`.
    /// A document that holds a secret is refused: `.reveal()` gives the text that is to be sent.
    ///
    /// ```rhai
    /// post("projectgroups", #{Name: "Made by a script"});
    /// ```
    fn post(host: Host, path: String; body: Option<Data>) -> "map" raises "not_found, refused, conflict, in_doubt, request" {
        send(&host, "POST", &path, body.as_ref().map(|body| &body.0))
    }

    /// Sends a whole document to the API with PUT: get it, change it, put it back. Where the server knows that somebody changed the document
    /// since it was read, that is an error of kind `conflict`. A sensitive variable keeps its secret by its `Id`: without it and without a
    /// value the document is not sent.
    ///
    /// ```rhai
    /// let g = get("projectgroups/ProjectGroups-1");
    /// g.Description = "seen";
    /// put("projectgroups/ProjectGroups-1", g);
    /// ```
    fn put(host: Host, path: String, body: Data) -> "map" raises "not_found, refused, conflict, in_doubt, request" {
        send(&host, "PUT", &path, Some(&body.0))
    }

    /// Deletes something through the API.
    ///
    /// ```rhai
    /// let g = post("projectgroups", #{Name: "Not for long"});
    /// delete(`projectgroups/${g.Id}`);
    /// ```
    fn delete(host: Host, path: String) -> "map" raises "not_found, refused, in_doubt, request" {
        send(&host, "DELETE", &path, None)
    }
}

/// An error for a document that would wipe a secret.
fn keeps_secrets(method: &str, path: &str, body: &Value) -> HostResult<()> {
    let Some(name) = api::variables::unkept_secret(body) else { return Ok(()) };
    let text = format!(
        "`{method} {path}` was not sent: the sensitive variable `{name}` has neither an `Id` nor a `Value`, and the server would wipe its secret"
    );
    Err(Error::new(Kind::Script, text)
        .with("variable", name)
        .help("change the document that `get` returned and send it whole: the `Id` of a sensitive variable is what keeps its secret")
        .into())
}

fn send(host: &Host, method: &str, path: &str, body: Option<&Dynamic>) -> HostResult<JsonText> {
    let place = host.place();
    let body = body.map(to_json);
    if let Some(body) = &body {
        keeps_secrets(method, path, body)?;
    }
    let arguments = serde_json::json!({"method": method, "path": path, "body": body});
    host.effect("raw", &arguments, |attempt| async move {
        match (method, &body) {
            ("DELETE", _) => delete(&place, path, attempt.may_be_done()).await,
            ("PUT", Some(body)) => {
                let there = if attempt.may_be_done() { read(&place, path).await? } else { None };
                if let Some(now) = there.filter(|now| is_as(&now.tree(), body)) {
                    return Ok(now);
                }
                // Sent again, it might undo what others did since.
                attempt.once(&format!("`{method} {path}`"))?;
                put(&place, path, body).await
            }
            _ => {
                attempt.once(&format!("`{method} {path}`"))?;
                place.space.send(method, path, body.as_ref()).await
            }
        }
    })
}

/// What is there, if it can be read.
async fn read(place: &Space, path: &str) -> Result<Option<JsonText>> {
    match place.space.read(path).await {
        Ok(document) => Ok(Some(document)),
        // What can only be deleted or written has nothing to say.
        Err(error) if matches!(error.kind(), Kind::NotFound | Kind::Refused | Kind::Forbidden) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Deletes what is there: gone is gone, whoever of two deliveries was the first.
async fn delete(place: &Space, path: &str, may_be_done: bool) -> Result<JsonText> {
    let was_there = read(place, path).await?.is_some();
    let gone = async || Ok(if was_there && read(place, path).await?.is_none() { Some(JsonText::default()) } else { None });
    if may_be_done && !was_there {
        return Ok(JsonText::default());
    }
    place.space.client().repeat(|| place.space.send("DELETE", path, None), gone).await
}

/// Puts a document: one that is there as it was sent is done.
async fn put(place: &Space, path: &str, body: &Value) -> Result<JsonText> {
    let same = async || Ok(read(place, path).await?.filter(|now| is_as(&now.tree(), body)));
    place.space.client().repeat(|| place.space.send("PUT", path, Some(body)), same).await
}

/// Whether a document holds what was sent, but for what the server counts and writes itself.
fn is_as(now: &Value, sent: &Value) -> bool {
    const SERVERS: [&str; 7] = [
        "Version",
        "ConcurrencyToken",
        "VariableSnapshotConcurrencyToken",
        "Links",
        "LastModifiedOn",
        "LastModifiedBy",
        "LastModifiedByUserId",
    ];
    match (now, sent) {
        (Value::Object(now), Value::Object(sent)) => sent
            .iter()
            .filter(|(name, _)| !SERVERS.contains(&name.as_str()))
            .all(|(name, sent)| now.get(name).map_or(sent.is_null(), |now| is_as(now, sent))),
        (Value::Array(now), Value::Array(sent)) => now.len() == sent.len() && now.iter().zip(sent).all(|(now, sent)| is_as(now, sent)),
        (now, sent) => now == sent,
    }
}
