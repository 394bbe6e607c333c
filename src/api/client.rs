//! The only door to the network: sends requests, repeats those that may be repeated, and says what went wrong.
//!
//! Reads (GET) are retried until the client's patience, or the deadline of a wait, is used up.
//! Writes are sent again only when the first one was surely not done; everything else is `in_doubt`, and who sent it
//! decides (durable-runs.md §2). The credential goes to the configured server and nowhere else.

use super::address::{Base, Route};
use super::answer::{Answer, NoAnswer, clipped, too_much, with_request};
use super::asking::Asking;
use super::bounded::{self, Form};
use super::decode::{Document, Problem, timestamp};
use super::pacer::{Pacer, Pacers};
use super::retry::{Setback, backoff};
use super::stats::{Counter, Stats};
use super::{Credential, tls};
use crate::cancel::Cancel;
use crate::clock::{Clock, Stopwatch, later, real_limit, text::show};
use crate::crash;
use crate::error::{Error, Kind, Result};
use crate::json::JsonText;
use crate::transport::{Content, InProcess};
use crate::trust::Certificates;
use http::{Request, Response, header};
use http_body_util::BodyExt;
use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, StatusCode};
use serde_json::Value;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use url::Url;

/// How long one request may take, in real time.
const REQUEST_LIMIT: Duration = Duration::from_secs(60);
/// How long one request gets at least, however soon the wait ends that it is sent for.
const SHORTEST_REQUEST: Duration = Duration::from_secs(2);
/// How long a server that never answered is asked again: a wrong address is not a five-minute wait.
pub(super) const FIRST_CONTACT: SignedDuration = SignedDuration::from_secs(15);
/// How long a write goes on after the run was cancelled, so that we know what it did. Cancelling ends within 2 s.
const WRITE_GRACE: Duration = Duration::from_millis(700);

/// Told once per outage, e.g. "the server answers 502, trying again for up to 5m".
pub type OnRetry = Arc<dyn Fn(&str) + Send + Sync>;

/// Demand before each write, also before it is sent again: an error keeps it from being sent.
pub type BeforeWrite = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = Result<()>> + Send>> + Send + Sync>;

/// What a client needs to know.
#[derive(Clone)]
pub struct Settings {
    /// The server, and how to log in there.
    pub credential: Credential,
    /// The time; a virtual clock's callers hold a [`crate::clock::Busy`] token.
    pub clock: Clock,
    /// Ends every wait.
    pub cancel: Cancel,
    /// Certificates that are trusted beside those of the machine.
    pub ca_cert: Option<Certificates>,
    /// How long reads are retried, in the clock's time.
    pub patience: SignedDuration,
    /// The User-Agent header.
    pub user_agent: String,
    /// Hears about outages.
    pub on_retry: Option<OnRetry>,
    /// Is asked before each write, but not by copies that tidy up ([`Client::with_cancel`]).
    pub before_write: Option<BeforeWrite>,
    /// The address that people are shown instead of the server's, e.g. the one in front of a load balancer.
    pub public_url: Option<String>,
    /// Whether the server is known to start nothing after its `QueueTimeExpiry`: only then a create is sent anew.
    pub keeps_deadlines: bool,
    /// While it is on, nothing but reads leaves this client and its copies.
    pub dry: Dry,
    /// Whether the address is known to be that of an Octopus Server: a run that goes on has been answered before.
    pub known: bool,
    /// Keeps to the limits of servers: clients with the same ones wait for one another's requests.
    pub pacers: Pacers,
}

impl Settings {
    /// Settings with the usual patience of five minutes.
    pub fn new(credential: Credential, clock: Clock, cancel: Cancel) -> Self {
        Self {
            credential,
            clock,
            cancel,
            ca_cert: None,
            patience: SignedDuration::from_mins(5),
            user_agent: concat!("octorhai/", env!("CARGO_PKG_VERSION")).to_owned(),
            on_retry: None,
            before_write: None,
            public_url: None,
            keeps_deadlines: false,
            dry: Dry::default(),
            known: false,
            pacers: Pacers::default(),
        }
    }
}

/// A switch that keeps writes from being sent; clones are the same switch.
#[derive(Clone, Default)]
pub struct Dry(Arc<AtomicBool>);

impl Dry {
    /// Switches it on or off.
    pub fn set(&self, on: bool) {
        self.0.store(on, Ordering::SeqCst);
    }

    /// Whether writes are kept back.
    pub fn is_on(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }

    /// What is told instead of sending something: scripts cannot catch it, for what follows would build on what is not there.
    pub fn refusal(&self, what: &str, content: &Value) -> Error {
        Error::new(Kind::Cancelled, format!("not sent: {what}")).with("dry", content.clone())
    }
}

/// A client of one server; clones share connections and counters.
#[derive(Clone)]
pub struct Client {
    pub(super) inner: Arc<ClientParts>,
    pub(super) until: Option<Timestamp>,
    pub(super) cancel: Cancel,
    /// See [`Client::with_cancel`].
    pub(super) tidies_up: bool,
}

pub(super) struct ClientParts {
    pub(super) base: Base,
    /// What people are shown.
    shown: Base,
    pub(super) settings: Settings,
    headers: HeaderMap,
    http: OnceLock<Result<reqwest::Client>>,
    pub(super) counter: Mutex<Counter>,
    pub(super) pacer: Arc<Pacer>,
    /// The server's clock as last seen, and ours at that moment.
    server_clock: Mutex<Option<(Timestamp, Timestamp)>>,
    pub(super) reached: AtomicBool,
    /// Whether anything was answered as Octopus answers.
    pub(super) answered: AtomicBool,
    outage_told: AtomicBool,
    limit_told: AtomicBool,
    drops_deadlines: AtomicBool,
}

/// What is asked of one exchange.
#[derive(Clone, Copy)]
pub(super) struct Demand {
    /// What the answer should be.
    pub(super) form: Form,
    /// How long each request may take, in real time.
    pub(super) limit: Duration,
}

/// The body of a write.
pub(super) enum Body<'a> {
    None,
    Json(&'a Value),
    /// A file in a form: its name and content.
    File(&'a str, &'a [u8]),
    /// Nothing, with the secret of a webhook instead of ours.
    Hook(&'a str),
}

impl Client {
    /// A client. Opens no connection yet; an address or a key that cannot be right is an error of kind `usage`.
    pub fn new(settings: Settings) -> Result<Self> {
        let base = settings.credential.base().clone();
        let shown = settings.public_url.as_deref().map_or_else(|| Ok(base.clone()), Base::parse)?;
        let mut headers = settings.credential.headers()?;
        headers.insert("accept", HeaderValue::from_static("application/json"));
        let user_agent = HeaderValue::from_str(settings.user_agent.trim());
        let user_agent = user_agent.map_err(|_| Error::usage("the user agent has characters that no HTTP header can hold"))?;
        headers.insert("user-agent", user_agent);
        let cancel = settings.cancel.clone();
        Ok(Self {
            inner: Arc::new(ClientParts {
                base,
                shown,
                answered: AtomicBool::new(settings.known),
                pacer: settings.pacers.of(&settings.credential),
                settings,
                headers,
                http: OnceLock::new(),
                counter: Mutex::default(),
                server_clock: Mutex::default(),
                reached: AtomicBool::new(false),
                outage_told: AtomicBool::new(false),
                limit_told: AtomicBool::new(false),
                drops_deadlines: AtomicBool::new(false),
            }),
            until: None,
            cancel,
            tidies_up: false,
        })
    }

    /// The same client with another patience: reads are retried until `deadline`. For waits.
    #[must_use]
    pub fn until(&self, deadline: Timestamp) -> Self {
        Self { until: Some(deadline), ..self.clone() }
    }

    /// The same client with another cancel token: for tidying up after a run was cancelled.
    #[must_use]
    pub fn with_cancel(&self, cancel: Cancel) -> Self {
        Self { cancel, tidies_up: true, ..self.clone() }
    }

    /// The clock.
    pub fn clock(&self) -> &Clock {
        &self.inner.settings.clock
    }

    /// The cancel token.
    pub fn cancel(&self) -> &Cancel {
        &self.cancel
    }

    /// Sleeps on the clock, unless the run is cancelled.
    pub async fn rest(&self, span: SignedDuration) -> Result<()> {
        self.rest_until(later(self.clock().now(), span)).await
    }

    /// Sleeps until the clock shows `due`, unless the run is cancelled.
    pub async fn rest_until(&self, due: Timestamp) -> Result<()> {
        let sleep = async {
            self.clock().sleep_until(due).await;
            Ok(())
        };
        self.cancel.guard(sleep).await
    }

    /// The base address for people, without `/api`.
    pub fn address(&self) -> String {
        self.inner.shown.to_string()
    }

    /// What was sent so far.
    pub fn stats(&self) -> Stats {
        self.inner.counter.lock().stats()
    }

    /// The time on the server: the `Date` of its last answer and what has passed since on our clock.
    pub fn server_now(&self) -> Timestamp {
        let now = self.clock().now();
        match *self.inner.server_clock.lock() {
            Some((theirs, ours)) => later(theirs, now.duration_since(ours)),
            None => now,
        }
    }

    /// An address for people from a link of the server's (`/app#/Spaces-1/...`).
    pub fn web_url(&self, link: &str) -> String {
        self.inner.shown.resolve(link).map_or_else(|_| self.address(), String::from)
    }

    /// Sends a write; see the module's description for when it is sent again. An empty answer is null.
    pub async fn send(&self, method: &str, path: &str, body: Option<&Value>) -> Result<JsonText> {
        let answer = self.write(method, path, body.map_or(Body::None, Body::Json)).await?;
        // Octopus answers with what it made, or with nothing at all; an empty object is a gate's or a proxy's. (A sandbox's own pages do.)
        if path.contains("/api/") && answer.as_str() == "{}" {
            return Err(self.mask(doubt(method, path, "the server answered with an empty object, which Octopus does not")));
        }
        Ok(answer)
    }

    /// `POST path` to a webhook of the server, which answers with nothing; with its secret, or else as the user of the credential.
    pub(super) async fn call(&self, path: &str, secret: Option<&str>) -> Result<()> {
        let answer = self.write("POST", path, secret.map_or(Body::None, Body::Hook)).await?;
        if !matches!(answer.as_str().trim(), "" | "null") {
            return Err(self.mask(doubt("POST", path, "the server answered with a document, which Octopus does not")));
        }
        Ok(())
    }

    /// `POST path` with a file in a form, as a browser sends one.
    pub async fn upload(&self, path: &str, file: &str, content: &[u8]) -> Result<JsonText> {
        self.write("POST", path, Body::File(file, content)).await
    }

    /// Sends a write whose answer is a document.
    pub async fn submit<T: Document>(&self, method: &str, route: &Route, body: Option<&Value>) -> Result<T> {
        let answer = self.send(method, route.as_str(), body).await?;
        // The write was done, yet what it did cannot be told: the caller must look.
        self.decode(answer, route).map_err(|error| doubt(method, route.as_str(), error.message()))
    }

    /// Turns a body into a document; an error names where in it and which request.
    pub(crate) fn decode<T: Document>(&self, body: impl Into<JsonText>, route: &Route) -> Result<T> {
        T::decode(body).map_err(|problem| self.unreadable(problem, T::NOUN, route))
    }

    /// The error for an answer to a request of `route` that is not the `noun` that was asked for.
    pub(super) fn unreadable(&self, problem: Problem, noun: &str, route: &Route) -> Error {
        let error = problem.into_error(noun);
        let told = Error::new(error.kind(), format!("{} (`{}`)", error.message(), route.as_str()));
        self.mask(error.hints().iter().fold(told, |told, hint| told.help(hint.as_str())).with("path", route.as_str()))
    }

    /// Until when a request that began then is tried.
    pub(super) fn tried_until(&self, began: Timestamp) -> Timestamp {
        self.until.unwrap_or_else(|| later(began, self.inner.settings.patience).max(Asking::now().patient_until.unwrap_or(Timestamp::MIN)))
    }

    /// The same after a request waited for its turn. Its patience begins after that wait, if its caller set no deadline.
    pub(super) fn longer(&self, until: Timestamp, waited: SignedDuration) -> Timestamp {
        if self.until.is_some() { until } else { later(until, waited) }
    }

    /// How long a read that is tried until then may take, in real time: no longer than its caller waits. A virtual clock says nothing about
    /// the network.
    pub(super) fn request_limit(&self, until: Timestamp) -> Duration {
        if self.clock().is_virtual() {
            return REQUEST_LIMIT;
        }
        let left = Duration::try_from(until.duration_since(self.clock().now())).unwrap_or_default();
        left.clamp(SHORTEST_REQUEST, REQUEST_LIMIT)
    }

    async fn write(&self, method: &str, path: &str, body: Body<'_>) -> Result<JsonText> {
        let url = self.inner.base.resolve(path)?;
        if self.inner.settings.dry.is_on() {
            let content = if let Body::Json(json) = body { json.clone() } else { Value::Null };
            return Err(self.mask(self.inner.settings.dry.refusal(&format!("{method} {}", shown_path(&url)), &content)));
        }
        let began = self.clock().now();
        let mut until = self.tried_until(began);
        let mut attempt = 0;
        loop {
            self.cancel.check()?;
            until = self.longer(until, self.turn(&url).await?);
            self.still_wanted().await?;
            let sent = tokio::select! {
                sent = self.exchange(method, &url, &body, Demand { form: Form::Json, limit: REQUEST_LIMIT }) => sent,
                () = self.cancelled_and_grace() => Err(NoAnswer::Lost("the run was cancelled before the answer came".to_owned())),
            };
            let setback = match sent {
                Ok(answer) if answer.is_success() => {
                    self.recovered(began);
                    return answer.json().map_err(|error| self.mask(doubt(method, &shown_path(&url), error.message())));
                }
                // Turned away at the door: surely not done.
                Ok(answer) if answer.status == 429 || (answer.status == 503 && answer.retry_after.is_some()) => {
                    Setback::answered(&answer, until)
                }
                Ok(answer) if answer.status == 501 || ((400..500).contains(&answer.status) && answer.status != 408) => {
                    return Err(self.mask(answer.refusal(!self.inner.settings.credential.is_anonymous())));
                }
                Ok(answer) => {
                    return Err(self.mask(doubt(method, &shown_path(&url), &format!("the server answered {}", answer.summary()))));
                }
                Err(NoAnswer::NotSent(why)) => {
                    let limit = if self.inner.reached.load(Ordering::Relaxed) { until } else { until.min(later(began, FIRST_CONTACT)) };
                    Setback::silent(why, limit)
                }
                Err(NoAnswer::Hopeless(error)) => return Err(self.mask(error)),
                Err(NoAnswer::Lost(why)) => return Err(self.mask(doubt(method, &shown_path(&url), &why))),
                Err(NoAnswer::Useless(error) | NoAnswer::Strange(error)) => {
                    return Err(self.mask(doubt(method, &shown_path(&url), error.message())));
                }
            };
            self.pause_or_give_up(method, &url, &setback, began, attempt).await?;
            attempt += 1;
        }
    }

    /// `Err` when the caller does not want writes any more ([`Settings::before_write`]).
    pub async fn still_wanted(&self) -> Result<()> {
        match self.inner.settings.before_write.as_ref().filter(|_| !self.tidies_up) {
            Some(before_write) => self.cancel.guard(before_write()).await,
            None => Ok(()),
        }
    }

    /// Returns a while after the token was set: a write under way gets the chance to tell what it did.
    async fn cancelled_and_grace(&self) {
        self.cancel.cancelled().await;
        real_limit(WRITE_GRACE, std::future::pending::<()>()).await;
    }

    /// Sleeps before the next attempt, or says that it is no use.
    pub(super) async fn pause_or_give_up(&self, method: &str, url: &Url, setback: &Setback, began: Timestamp, attempt: u32) -> Result<()> {
        let now = self.clock().now();
        let path = shown_path(url);
        let left = setback.limit.duration_since(now);
        if let Some(error) = setback.first_and_last(attempt) {
            return Err(self.mask(error.clone()));
        }
        if setback.is_hopeless(left) {
            let mut error = setback.error(&self.inner.shown.to_string(), self.clock().since(began), left);
            if !self.inner.reached.load(Ordering::Relaxed) {
                error = error.help("is the address right, and is the server running?");
            }
            return Err(self.mask(with_request(error, method, &path, url.as_str())));
        }
        let told = if setback.is_limited() { &self.inner.limit_told } else { &self.inner.outage_told };
        if !told.swap(true, Ordering::Relaxed) {
            self.tell(&format!("{}, trying again {}", setback.last, setback.how_long(left)));
        }
        self.rest(setback.asked.unwrap_or_else(|| backoff(&path, attempt)).min(left)).await
    }

    pub(super) fn recovered(&self, began: Timestamp) {
        if self.inner.outage_told.swap(false, Ordering::Relaxed) {
            self.tell(&format!("the server answers again after {}", show(self.clock().since(began))));
        }
    }

    /// Keeps whether the last answer still had its `QueueTimeExpiry`: a server may have changed since it was measured.
    pub(crate) fn deadline_seen(&self, kept: bool) {
        self.inner.drops_deadlines.store(!kept, Ordering::Relaxed);
    }

    /// Whether nothing starts after its `QueueTimeExpiry`, as far as is known.
    pub(crate) fn keeps_deadlines(&self) -> bool {
        self.inner.settings.keeps_deadlines && !self.inner.drops_deadlines.load(Ordering::Relaxed)
    }

    /// Says something about the connection to whoever listens.
    pub(crate) fn tell(&self, text: &str) {
        tracing::info!("{text}");
        if let Some(on_retry) = &self.inner.settings.on_retry {
            on_retry(&self.masked(text));
        }
    }

    /// One request and its whole answer; redirects of reads are followed on this server.
    pub(super) async fn exchange(&self, method: &str, url: &Url, body: &Body<'_>, asked: Demand) -> Result<Answer, NoAnswer> {
        crash::point("request: before", method);
        // In a box: what waits for an answer has small futures, however many of them are around this one.
        let answer = Box::pin(self.followed(method, url, body, asked)).await;
        crash::point("request: after", method);
        answer
    }

    async fn followed(&self, method: &str, url: &Url, body: &Body<'_>, asked: Demand) -> Result<Answer, NoAnswer> {
        let mut url = url.clone();
        for _ in 0..=5 {
            let watch = Stopwatch::start();
            let late = |what: &str| NoAnswer::Lost(format!("the {what} in time"));
            let response = real_limit(asked.limit, self.request(method, &url, body)).await;
            let response = response.ok_or_else(|| late("server did not answer"))??;
            let status = response.status();
            let location = response.headers().get("location").and_then(|l| l.to_str().ok()).map(str::to_owned);
            if let Some(location) = location.filter(|_| status.is_redirection() && status != StatusCode::NOT_MODIFIED) {
                url = self.redirected(method, &url, status, &location).map_err(NoAnswer::Strange)?;
                self.sent_at_once(&url);
                continue;
            }
            let left = asked.limit.saturating_sub(watch.elapsed());
            return real_limit(left, self.whole(method, &url, response, asked.form)).await.ok_or_else(|| late("answer did not end"))?;
        }
        let error = Error::new(Kind::BadAnswer, format!("`{method} {}` was redirected more than 5 times", shown_path(&url)));
        Err(NoAnswer::Strange(with_request(error, method, &shown_path(&url), url.as_str())))
    }

    async fn request(&self, method: &str, url: &Url, body: &Body<'_>) -> Result<Response<Content>, NoAnswer> {
        let trouble = |error: reqwest::Error| tls::classify(&error, &self.inner.base);
        let verb = Method::from_bytes(method.as_bytes()).map_err(|_| NoAnswer::Hopeless(Error::bug(format!("`{method}` is no method"))))?;
        let mut request = if let Body::File(name, bytes) = body {
            let part = reqwest::multipart::Part::bytes(bytes.to_vec()).file_name((*name).to_owned());
            let form = reqwest::multipart::Form::new().part("file", part);
            self.sockets()?.request(verb, url.clone()).multipart(form).build().map_err(trouble)?
        } else {
            reqwest::Request::new(verb, url.clone())
        };
        request.headers_mut().extend(self.inner.headers.clone());
        let (kind, content) = match body {
            Body::None | Body::Hook(_) | Body::File(..) => (None, None),
            Body::Json(value) => (Some("application/json; charset=utf-8"), Some(value.to_string().into())),
        };
        if let Some(kind) = kind {
            request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
            *request.body_mut() = content;
        } else if matches!(body, Body::None | Body::Hook(_)) && method != "GET" {
            request.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        if let Body::Hook(secret) = body {
            let secret =
                HeaderValue::try_from(*secret).map_err(|_| NoAnswer::Hopeless(Error::usage("the secret of the webhook cannot be sent")))?;
            request.headers_mut().remove("x-octopus-apikey");
            request.headers_mut().remove(header::AUTHORIZATION);
            request.headers_mut().insert("x-octopus-webhook-secret", secret);
        }
        // A sandbox of another process whose clock stands goes on to ours. Never less than what we take its time to be: who
        // waits for a moment on the server has waited for it.
        if self.clock().is_virtual() {
            let now = self.clock().now().max(self.server_now()).to_string();
            request.headers_mut().extend(HeaderValue::try_from(now).ok().map(|now| (HeaderName::from_static("x-octorhai-now"), now)));
        }
        let here = self.inner.settings.credential.server_here();
        if here.is_none() {
            // What cannot leave does not count.
            self.sockets()?;
        }
        let asked_at = self.clock().now();
        self.inner.counter.lock().count(asked_at);
        let response = if let Some(server) = here {
            let answered = answered_here(server, request).await.map_err(trouble)?;
            // In the words of a socket.
            answered.ok_or_else(|| tls::cut("connection closed before message completed"))?
        } else {
            let response = self.sockets()?.execute(request).await.map_err(trouble)?;
            Response::from(response).map(|content: reqwest::Body| content.map_err(Into::into).boxed_unsync())
        };
        tracing::debug!(method, path = %shown_path(url), status = response.status().as_u16(), "request");
        self.inner.reached.store(true, Ordering::Relaxed);
        // The clock of a sandbox in another process goes on for all its clients.
        let mut counted_at = asked_at;
        if self.clock().is_virtual() && here.is_none() {
            let now = response.headers().get("x-octorhai-now").and_then(|now| now.to_str().ok()).and_then(|now| now.parse().ok());
            counted_at = counted_at.max(now.unwrap_or(asked_at));
            self.clock().advance_to(counted_at);
        }
        self.heard_of_limit(url, counted_at, response.status().as_u16(), response.headers());
        let date = response.headers().get("date").and_then(|d| d.to_str().ok());
        if let Some(date) = date.and_then(|d| jiff::fmt::rfc2822::parse(d).ok().map(|z| z.timestamp()).or_else(|| timestamp(d))) {
            *self.inner.server_clock.lock() = Some((date, self.clock().now()));
        }
        Ok(response)
    }

    /// What sends requests over sockets; made when it is needed.
    fn sockets(&self) -> Result<&reqwest::Client, NoAnswer> {
        let http = self.inner.http.get_or_init(|| tls::build(&self.inner.base, self.inner.settings.ca_cert.as_ref()));
        http.as_ref().map_err(|error| NoAnswer::Hopeless(error.clone()))
    }

    /// Where a redirect leads, if it may be followed.
    fn redirected(&self, method: &str, from: &Url, status: StatusCode, location: &str) -> Result<Url> {
        let path = shown_path(from);
        let refuse = |what: String, help: &str| {
            let error = Error::new(Kind::BadAnswer, clipped(&what, 1000)).help(help).with("status", status.as_u16());
            with_request(error, method, &path, from.as_str())
        };
        let to = from.join(location).map_err(|_| {
            refuse(format!("`{method} {path}` was redirected to `{location}`, which is no address"), "is a proxy in between?")
        })?;
        if !self.inner.base.covers(&to) {
            let mut other = to.origin().ascii_serialization();
            if other == from.origin().ascii_serialization() {
                other.push_str(to.path());
            }
            return Err(refuse(
                format!(
                    "`{method} {path}` was redirected ({}) from `{}` to another server, `{other}`; the credential does not follow",
                    status.as_u16(),
                    self.inner.base
                ),
                "if that is the right server, give its address instead",
            ));
        }
        if method != "GET" {
            return Err(refuse(
                format!("`{method} {path}` was redirected ({}) to `{}`", status.as_u16(), to.path()),
                "a write is not sent a second time to another path",
            ));
        }
        Ok(to)
    }

    /// Reads the body, as long as it is of a size that can be right.
    async fn whole(&self, method: &str, url: &Url, response: Response<Content>, form: Form) -> Result<Answer, NoAnswer> {
        let path = shown_path(url);
        let status = response.status().as_u16();
        let kind = response.headers().get("content-type").and_then(|kind| kind.to_str().ok());
        let is_page = kind.is_some_and(|kind| kind.trim_start().to_ascii_lowercase().starts_with("text/html"));
        let retry_after =
            response.headers().get("retry-after").and_then(|value| value.to_str().ok()).and_then(|value| self.pause_in(value.trim()));
        let body = bounded::body(response, form).await;
        match body.map_err(|error| NoAnswer::Lost(format!("the answer broke off ({})", tls::root(&*error))))? {
            Ok(body) => Ok(Answer { method: method.to_owned(), path, url: url.to_string(), status, retry_after, is_page, body }),
            Err(what) => Err(NoAnswer::Useless(too_much(method, &path, url.as_str(), &what))),
        }
    }

    /// The pause a `Retry-After` asks for: seconds, or a date on the server's clock.
    pub(super) fn pause_in(&self, value: &str) -> Option<SignedDuration> {
        if let Ok(seconds) = value.parse::<u32>() {
            return Some(SignedDuration::from_secs(seconds.into()));
        }
        let until = jiff::fmt::rfc2822::parse(value).ok()?.timestamp();
        Some(until.duration_since(self.server_now()).max(SignedDuration::ZERO))
    }

    /// Takes the credential out of an error, should the server have echoed it.
    pub(super) fn mask(&self, error: Error) -> Error {
        let fact = |value: Value| {
            let text = self.masked(&value.to_string());
            serde_json::from_str(&text).unwrap_or(Value::String(text))
        };
        error.rewritten(|text| self.masked(text), fact)
    }

    fn masked(&self, text: &str) -> String {
        let text = self.inner.settings.credential.secret().map_or_else(|| text.to_owned(), |secret| text.replace(secret, "***"));
        if self.inner.settings.public_url.is_some() {
            text.replace(&self.inner.base.to_string(), &self.inner.shown.to_string())
        } else {
            text
        }
    }
}

/// The answer of a server in this process; none when it cut the connection.
async fn answered_here(server: &Arc<dyn InProcess>, request: reqwest::Request) -> reqwest::Result<Option<Response<Content>>> {
    let (mut head, content) = Request::<reqwest::Body>::try_from(request)?.into_parts();
    let host = head.uri.authority().and_then(|host| HeaderValue::from_str(host.as_str()).ok());
    head.headers.extend(host.map(|host| (header::HOST, host)));
    head.uri = head.uri.path_and_query().cloned().map(Into::into).unwrap_or_default();
    let content = content.collect().await?.to_bytes();
    Ok(Arc::clone(server).answer(Request::from_parts(head, content)).await)
}

/// Stands between what is not known and why.
pub(super) const DOUBT: &str = " is not known: ";

/// The error of a write that may or may not have been done.
pub(crate) fn doubt(method: &str, path: &str, why: &str) -> Error {
    Error::new(Kind::InDoubt, format!("whether `{method} {path}` was done{DOUBT}{why}")).with("method", method).with("path", path)
}

/// Path and query of an address, for messages.
fn shown_path(url: &Url) -> String {
    url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()))
}
