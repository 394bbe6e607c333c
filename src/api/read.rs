//! Reads: repeated until Octopus itself has answered.
//!
//! A page of a proxy, a redirect to a login page, an empty object, half an answer: none of them is a word of Octopus's, and each passes like
//! a 502. They are asked again until the wait's limit, or for as long as the client's patience lasts. Where Octopus has never answered
//! the address may be wrong: there a few tries are enough.

use super::{
    address::Route,
    answer::{Answer, NoAnswer},
    asking::Asking,
    bounded::Form,
    client::{Body, Client, Demand, FIRST_CONTACT},
    decode::Document,
    retry::Setback,
};
use crate::{
    clock::later,
    error::{Error, Kind, Result},
    json::JsonText,
};
use jiff::Timestamp;
use serde_json::Value;
use std::sync::atomic::Ordering;

/// What is done about an answer that is not one of Octopus's.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Odd {
    /// Demand again: a proxy, a login page or a server that starts is in between.
    AskAgain,
    /// Told: a page that real servers do not have.
    Tell,
}

/// Why a read heard nothing of Octopus.
enum Unheard {
    /// It is tried again.
    Yet(Setback),
    /// That would not help.
    Error(Error),
}

impl Client {
    /// `GET path` as JSON. `path` is `/api/...`, or a link of the server's.
    pub async fn get(&self, path: &str) -> Result<Value> {
        self.read_as(path, |json| Ok(json.tree())).await
    }

    /// `GET path` as text, which is not a page for people.
    pub async fn get_text(&self, path: &str) -> Result<String> {
        self.taped(path, (Form::Text, Odd::AskAgain), Answer::text, Ok).await
    }

    /// `GET path` as JSON, of a page that only a sandbox has; none where there is no such page.
    pub async fn get_of_sandbox(&self, path: &str) -> Result<Option<Value>> {
        match self.taped(path, (Form::Json, Odd::Tell), Answer::json, |json| Ok(json.tree())).await {
            Ok(page) => Ok(Some(page)),
            Err(error) if error.stops() => Err(error),
            Err(_) => Ok(None),
        }
    }

    /// Any request: reads are retried, writes are not.
    pub async fn raw(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value> {
        match method {
            "GET" => self.get(path).await,
            "POST" | "PUT" | "PATCH" | "DELETE" => self.send(method, path, body).await.map(|json| json.tree()),
            other => Err(Error::usage(format!("`{other}` is not a method; there is: `GET`, `POST`, `PUT`, `PATCH`, `DELETE`"))),
        }
    }

    /// Reads one document.
    pub async fn fetch<T: Document>(&self, route: &Route) -> Result<T> {
        self.read_as(route.as_str(), |body| self.decode(body, route)).await
    }

    /// Reads one document; none when the server says 404.
    pub async fn fetch_opt<T: Document>(&self, route: &Route) -> Result<Option<T>> {
        match self.fetch(route).await {
            Ok(document) => Ok(Some(document)),
            Err(error) if error.kind() == Kind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// `GET path`, read by `parse`. What it finds wrong with the whole, [`Kind::BadAnswer`] without the fact `json_path` or with one that
    /// names a member of the outermost object, is taken for an answer of somebody else than Octopus.
    pub(crate) async fn read_as<T>(&self, path: &str, parse: impl Fn(JsonText) -> Result<T>) -> Result<T> {
        self.taped(path, (Form::Json, Odd::AskAgain), Answer::json, parse).await
    }

    /// The answer to a read from the tape that lies in, or a live one, which is kept on it.
    async fn taped<B: Taped, T>(
        &self,
        path: &str,
        wanted: (Form, Odd),
        open: impl Fn(Answer) -> Result<B>,
        parse: impl Fn(B) -> Result<T>,
    ) -> Result<T> {
        // Without the server: it may have moved when the run goes on.
        let place = self.inner.base.resolve(path).map_or_else(|_| path.to_owned(), |url| url[url::Position::BeforePath..].to_owned());
        let tape = Asking::now().tape;
        if let Some(played) = tape.as_ref().and_then(|tape| tape.play(&place)) {
            return played.map(B::from_tape).and_then(parse);
        }
        let read = self.read(path, wanted, |answer| {
            let body = open(answer)?;
            let kept = tape.is_some().then(|| body.for_tape());
            Ok((parse(body)?, kept))
        });
        match read.await {
            Ok((read, kept)) => {
                if let (Some(tape), Some(kept)) = (&tape, kept) {
                    tape.keep(&place, Ok(kept));
                }
                Ok(read)
            }
            Err(error) => {
                if let Some(tape) = &tape {
                    tape.keep(&place, Err(&error));
                }
                Err(error)
            }
        }
    }

    async fn read<T>(&self, path: &str, (form, odd): (Form, Odd), parse: impl Fn(Answer) -> Result<T>) -> Result<T> {
        let url = self.inner.base.resolve(path)?;
        let began = self.clock().now();
        let mut until = self.tried_until(began);
        let mut attempt = 0;
        loop {
            self.cancel.check()?;
            until = self.longer(until, self.turn(&url).await?);
            let asked = Demand { form, limit: self.request_limit(until) };
            let sent = self.cancel.guard(async { Ok(self.exchange("GET", &url, &Body::None, asked).await) }).await?;
            let setback = match self.heard(sent, odd, began, until, &parse) {
                Ok(read) => {
                    self.inner.answered.store(true, Ordering::Relaxed);
                    self.recovered(began);
                    return read.map_err(|error| self.mask(error));
                }
                Err(Unheard::Error(error)) => return Err(self.mask(error)),
                Err(Unheard::Yet(setback)) => setback,
            };
            self.pause_or_give_up("GET", &url, &setback, began, attempt).await?;
            attempt += 1;
        }
    }

    /// What a read heard of Octopus, if anything.
    fn heard<T>(
        &self,
        sent: Result<Answer, NoAnswer>,
        odd: Odd,
        began: Timestamp,
        until: Timestamp,
        parse: &impl Fn(Answer) -> Result<T>,
    ) -> Result<Result<T>, Unheard> {
        let answered = self.inner.answered.load(Ordering::Relaxed);
        let silent = |why: String, limit: Timestamp| Err(Unheard::Yet(Setback::silent(why, limit)));
        let strange = |error: Error| match odd {
            Odd::Tell => Unheard::Error(error),
            Odd::AskAgain => Unheard::Yet(Setback::odd(error, until, answered)),
        };
        let read = match sent {
            Ok(answer) if answer.is_success() => parse(answer),
            Ok(answer) if answer.is_transient() => return Err(Unheard::Yet(Setback::answered(&answer, until))),
            Ok(answer) => Err(answer.refusal(!self.inner.settings.credential.is_anonymous())),
            Err(NoAnswer::NotSent(why)) if !self.inner.reached.load(Ordering::Relaxed) => {
                return silent(why, until.min(later(began, FIRST_CONTACT)));
            }
            // Somebody is there who never gave a whole answer of Octopus's: another protocol, another program.
            Err(NoAnswer::Lost(why)) if !answered => return silent(why, until.min(later(began, FIRST_CONTACT))),
            Err(NoAnswer::NotSent(why) | NoAnswer::Lost(why)) => return silent(why, until),
            // A certificate that is not trusted for a while, of one node of several or of a proxy, is an outage like others.
            Err(NoAnswer::Hopeless(error)) if answered && error.kind() == Kind::Unreachable => {
                return silent(error.message().to_owned(), until);
            }
            Err(NoAnswer::Hopeless(error) | NoAnswer::Useless(error)) => return Err(Unheard::Error(error)),
            Err(NoAnswer::Strange(error)) => return Err(strange(error)),
        };
        match read {
            Err(error) if is_strange(&error) => Err(strange(error)),
            read => Ok(read),
        }
    }
}

/// Whether nobody but somebody else than Octopus answers so: no JSON, or the wrong one as a whole. A member deep inside that is not as
/// we know it is another version of Octopus, and stays so.
fn is_strange(error: &Error) -> bool {
    let deep = |path: &str| path.contains(['.', '[']);
    error.kind() == Kind::BadAnswer
        && error.fact("too_much").is_none()
        && !error.fact("json_path").and_then(Value::as_str).is_some_and(deep)
}

/// A body as the tape keeps it: as JSON.
trait Taped {
    fn for_tape(&self) -> JsonText;
    fn from_tape(json: JsonText) -> Self;
}

impl Taped for JsonText {
    fn for_tape(&self) -> JsonText {
        self.clone()
    }
    fn from_tape(json: JsonText) -> Self {
        json
    }
}

impl Taped for String {
    fn for_tape(&self) -> JsonText {
        JsonText::of(self)
    }
    fn from_tape(json: JsonText) -> Self {
        json.json().text().unwrap_or_default().into_owned()
    }
}
