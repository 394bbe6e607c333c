//! The HTTP side: connections that can be cut, prefixes, credentials, faults, and which file answers what.

use super::{
    access::Access,
    agenda::Due,
    answer::{Answer, Ask, Handled, Refusal, Tell, str_of},
    bounds, builtin_feed, control, endpoints,
    faults::Faults,
    gate::Gate,
    late::{Late, Waiting},
    limits::LimitState,
    log::{Exchange, Log},
    mailbox::Mailbox,
    members::Accepts,
    nouns::{self, Depth, Noun},
    oidc,
    poster::{Looked, Poster},
    routing::Endpoint,
    state::State,
    store::Document,
    subscriptions,
    wire::Line,
    worker::{self, Worker},
    world::model::{FaultAction, FaultPlan},
};
use crate::clock::{Clock, later};
use axum::{
    body::{Body, Bytes, HttpBody},
    extract::{ConnectInfo, Request, State as Extract},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header, request::Parts},
    response::Response,
};
use futures_util::stream;
use jiff::SignedDuration;
use parking_lot::Mutex;
use percent_encoding::percent_decode_str;
use serde_json::Value;
use std::{
    io, iter,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio::sync::Semaphore;

const SPACES: &Noun = nouns::named("spaces");

/// What all connections share.
pub(crate) struct Shared {
    pub(crate) state: Mutex<State>,
    pub(crate) faults: Mutex<Faults>,
    /// Requests that are still on their way.
    pub(crate) late: Waiting,
    pub(crate) clock: Clock,
    pub(crate) gate: Gate,
    /// The sandbox's own key, which opens what lies under `/sandbox/` whatever becomes of the keys of the world.
    pub(crate) key: String,
    /// How much of bodies may be on its way, in KiB.
    pub(crate) bodies: Semaphore,
    pub(crate) base: String,
    /// How far the `Date` of answers is ahead.
    pub(crate) date_ahead: SignedDuration,
    pub(crate) requests: AtomicU64,
    pub(crate) log: Log,
    pub(crate) mailbox: Mailbox,
    /// Where steps with a body run.
    pub(crate) worker: Worker,
    /// Posts the events of subscriptions.
    pub(crate) poster: Poster,
}

impl Shared {
    /// Lets happen what is due by now, late requests at their moments. Whoever looks at the state calls this first.
    pub(crate) fn catch_up(&self, state: &mut State) {
        let now = self.clock.now();
        while let Some(Late { at, method, path, query, headers, raw }) = self.late.arrived(now) {
            state.advance_to(at);
            // It has effects only: who sent it is gone.
            let _ = respond(state, &method, &path, query, &headers, raw, &mut Seen::default());
            state.fill_slots();
        }
        state.advance_to(now);
    }

    /// What the job of subscriptions has found by now.
    pub(crate) fn look_at_subscriptions(&self) -> Looked {
        let mut state = self.state.lock();
        self.catch_up(&mut state);
        Looked { clock: self.clock.clone(), batches: subscriptions::batches(&mut state), next: subscriptions::next_look(&state) }
    }
}

/// Answers one request.
pub(crate) async fn handle(Extract(shared): Extract<Arc<Shared>>, ConnectInfo(line): ConnectInfo<Line>, request: Request) -> Response {
    let response = respond_to(&shared, line, request).await;
    // Before the answer leaves, so that nobody's clock jumps over a step that has begun.
    worker::look(&shared);
    if subscriptions::any(&shared.state.lock()) {
        shared.poster.call(shared.clock.enter());
    }
    response
}

async fn respond_to(shared: &Arc<Shared>, line: Line, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    if let Some(stranger) = shared.gate.refuses(&parts) {
        let answer = json(stranger.status, &serde_json::json!({ "ErrorMessage": stranger.why }));
        return refused(shared, &parts, answer);
    }
    let full = parts.uri.path().to_owned();
    let query = pairs(parts.uri.query().unwrap_or_default());
    // With the virtual directory too: that is the only address a client knows.
    let own = full.strip_prefix(shared.base.as_str()).unwrap_or(&full);
    let is_control = own.starts_with("/sandbox/");
    let has_key = key_of(&parts.headers, &query).is_some_and(|key| key == shared.key || shared.state.lock().keys.knows(key));
    if is_control {
        // What `octorhai run` goes by is for each of its keys.
        let for_clients = parts.method == Method::GET && control::FOR_CLIENTS.contains(&own);
        if for_clients && !has_key {
            return refused(shared, &parts, refusal(&Refusal::unauthorized()));
        }
        if !for_clients && !opens_control(shared, &parts.headers, &query) {
            let why =
                "what lies under /sandbox/ is for who has the sandbox's own key, or that of an administrator: send it as X-Octopus-ApiKey";
            return refused(shared, &parts, json(401, &serde_json::json!({ "ErrorMessage": why })));
        }
    }
    let limit = match (is_control, has_key) {
        (true, _) => bounds::BODY_OF_CONTROL,
        (false, true) => bounds::BODY,
        (false, false) => bounds::BODY_WITHOUT_KEY,
    };
    let raw = match whole(shared, body, limit).await {
        Ok(raw) => raw,
        Err(_) if !has_key => return refused(shared, &parts, refusal(&Refusal::unauthorized())),
        Err(Unread::TooLarge) => return refused(shared, &parts, refusal(&Refusal::too_large(limit))),
        Err(Unread::Busy) => return refused(shared, &parts, page(StatusCode::SERVICE_UNAVAILABLE, "Too many large requests at once")),
        Err(Unread::Broken) => return refused(shared, &parts, page(StatusCode::BAD_REQUEST, "The request broke off")),
    };
    line.has_arrived();
    let method = match parts.headers.get("X-HTTP-Method-Override").and_then(|v| v.to_str().ok()) {
        Some(wanted) if parts.method == Method::POST => wanted.to_uppercase(),
        _ => parts.method.to_string(),
    };
    // Time on a clock that stands is what clients make it: each says how late it is when it sends something.
    if has_key && let Some(at) = parts.headers.get("X-Octorhai-Now").and_then(|v| v.to_str().ok()).and_then(|v| v.parse().ok()) {
        shared.clock.advance_to(at);
    }
    if is_control {
        // Dated too: else the HTTP library puts the time of this machine on it.
        return dated(shared, control::route(shared, &method, own, &raw));
    }
    shared.requests.fetch_add(1, Ordering::SeqCst);
    let Some(path) = full.strip_prefix(shared.base.as_str()).filter(|p| p.starts_with('/') || p.is_empty()) else {
        return dated(shared, page(StatusCode::NOT_FOUND, "Not Found"));
    };
    let (struck, tasks_fail) = shared.faults.lock().strike(&method, path, shared.clock.now());
    if tasks_fail {
        let mut state = shared.state.lock();
        let now = shared.clock.now();
        state.agenda.add(now, Due::Restart);
        shared.catch_up(&mut state);
    }
    for fault in struck.iter().filter(|f| f.action == FaultAction::Delay) {
        let by = fault.by.unwrap_or_default().0;
        if shared.clock.is_virtual() {
            shared.clock.advance(by);
        } else {
            shared.clock.sleep(by).await;
        }
    }
    let mut seen = Seen::default();
    let instead = struck.iter().find_map(|f| before(f, &line).map(|response| (f, response)));
    let mut response = if let Some((fault, response)) = instead {
        if fault.action == FaultAction::Late {
            let at = later(shared.clock.now(), fault.by.unwrap_or_default().0);
            let (method, path, headers, raw) = (method.clone(), path.to_owned(), parts.headers.clone(), raw.clone());
            shared.late.add(Late { at, method, path, query, headers, raw });
        }
        response
    } else {
        for _ in struck.iter().filter(|f| f.action == FaultAction::Twice) {
            answer(shared, &method, path, query.clone(), &parts.headers, raw.clone(), &mut seen);
        }
        answer(shared, &method, path, query, &parts.headers, raw.clone(), &mut seen)
    };
    if let Some(code) = struck.iter().find_map(|f| if let FaultAction::StatusAfter(code) = f.action { Some(code) } else { None }) {
        response = error_page(code);
    }
    if struck.iter().any(|f| f.action == FaultAction::DropAfter) {
        line.cut();
    }
    if struck.iter().any(|f| f.action == FaultAction::Truncate) {
        let (mut head, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default();
        head.headers.remove(header::CONTENT_LENGTH);
        response = Response::from_parts(head, Body::from(bytes.slice(..bytes.len() / 2)));
    }
    let status = if line.is_cut() { 0 } else { response.status().as_u16() };
    let header = |name| parts.headers.get(name).and_then(|v: &HeaderValue| v.to_str().ok()).unwrap_or_default().to_owned();
    let exchange = Exchange {
        at: shared.clock.now(),
        method,
        path: parts.uri.to_string(),
        endpoint: seen.endpoint.map(Endpoint::name),
        status,
        user: seen.user,
        client: header(header::USER_AGENT),
    };
    if shared.log.is_written() {
        let (head, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default();
        let kind = head.headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
        shared.log.add(exchange, Some([(&header(header::CONTENT_TYPE), &raw), (kind, &bytes)]));
        response = Response::from_parts(head, Body::from(bytes));
    } else {
        shared.log.add(exchange, None);
    }
    dated(shared, response)
}

/// A request that nobody looked at, in the log and on its way out.
fn refused(shared: &Shared, parts: &Parts, response: Response) -> Response {
    let exchange = Exchange {
        at: shared.clock.now(),
        method: parts.method.to_string(),
        path: parts.uri.to_string(),
        endpoint: None,
        status: response.status().as_u16(),
        user: String::new(),
        client: parts.headers.get(header::USER_AGENT).and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned(),
    };
    shared.log.add(exchange, Some([("", &[]), ("", &[])]));
    dated(shared, response)
}

fn refusal(refusal: &Refusal) -> Response {
    json(refusal.status, &refusal.body())
}

/// Why a body was not read to its end.
enum Unread {
    TooLarge,
    /// Others are sending too much already.
    Busy,
    Broken,
}

/// A body of at most `limit` bytes, as long as all that are on their way together stay below their limit.
async fn whole(shared: &Shared, mut body: Body, limit: usize) -> Result<Bytes, Unread> {
    let (mut raw, mut held) = (Vec::new(), Vec::new());
    let mut room = 0;
    while let Some(frame) = std::future::poll_fn(|cx| HttpBody::poll_frame(Pin::new(&mut body), cx)).await {
        let Ok(data) = frame.map_err(|_| Unread::Broken)?.into_data() else { continue };
        if raw.len() + data.len() > limit {
            return Err(Unread::TooLarge);
        }
        while room < raw.len() + data.len() {
            held.push(shared.bodies.try_acquire_many(BLOCK_KIB).map_err(|_| Unread::Busy)?);
            room += BLOCK_KIB as usize * 1024;
        }
        raw.extend_from_slice(&data);
    }
    Ok(raw.into())
}

/// By how much the room for a body grows.
const BLOCK_KIB: u32 = 64;

/// Whether who sends this may see and change what is true, and not only what a client may know.
fn opens_control(shared: &Shared, headers: &HeaderMap, query: &[(String, String)]) -> bool {
    let Some(key) = key_of(headers, query) else { return false };
    if key == shared.key {
        return true;
    }
    let mut state = shared.state.lock();
    shared.catch_up(&mut state);
    let caller = state.key_of_caller(key).map(|place| &state.keys.all[place]);
    caller.is_some_and(|key| !key.read_only && Access::of(&state.store, &key.user, false).everything)
}

/// What was found out about a request on the way to its answer.
#[derive(Default)]
pub(crate) struct Seen {
    endpoint: Option<&'static Endpoint>,
    user: String,
    /// What the caller is told of a rate limit.
    limit: Option<LimitState>,
}

/// The answer of a fault that keeps the request from happening.
fn before(fault: &FaultPlan, line: &Line) -> Option<Response> {
    let mut response = match fault.action {
        FaultAction::Delay | FaultAction::DropAfter | FaultAction::StatusAfter(_) | FaultAction::Truncate | FaultAction::Twice => {
            return None;
        }
        FaultAction::Status(code) => error_page(code),
        FaultAction::Html => page(StatusCode::OK, "Please sign in to the proxy"),
        FaultAction::Empty => json(200, &serde_json::json!({})),
        FaultAction::Redirect => {
            let mut response = page(StatusCode::FOUND, "Moved");
            if let Ok(to) = HeaderValue::from_str(fault.url.as_deref().unwrap_or("/")) {
                response.headers_mut().insert(header::LOCATION, to);
            }
            response
        }
        FaultAction::Huge => huge(fault.size.unwrap_or(100)),
        FaultAction::Reset | FaultAction::Late | FaultAction::Restart => {
            line.cut();
            page(StatusCode::SERVICE_UNAVAILABLE, "cut")
        }
    };
    if let Some(seconds) = fault.retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    Some(response)
}

fn error_page(code: u16) -> Response {
    page(StatusCode::from_u16(code).unwrap_or(StatusCode::BAD_GATEWAY), "The sandbox was told to answer this")
}

/// A JSON array of `megabytes`, made while it is sent.
fn huge(megabytes: u64) -> Response {
    let block = Bytes::from(format!(",\"{}\"", "x".repeat((1 << 20) - 3)));
    let blocks = iter::repeat_n(block, usize::try_from(megabytes).unwrap_or(usize::MAX));
    let parts = iter::once(Bytes::from_static(b"[\"\"")).chain(blocks).chain(iter::once(Bytes::from_static(b"]")));
    let mut response = Response::new(Body::from_stream(stream::iter(parts.map(Ok::<_, io::Error>))));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    response
}

/// An HTML page, as proxies send it.
fn page(status: StatusCode, text: &str) -> Response {
    let html = format!("<!DOCTYPE html>\n<html><head><title>{status}</title></head><body><h1>{status}</h1><p>{text}</p></body></html>\n");
    let mut response = Response::new(Body::from(html));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    response
}

/// Sets the `Date` header from the world's clock, and says that no page may have what is answered.
fn dated(shared: &Shared, mut response: Response) -> Response {
    let closed = [
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("cross-origin-resource-policy", "same-origin"),
        // What somebody stored as an artifact is no page of this server.
        ("content-security-policy", "sandbox; default-src 'none'"),
    ];
    for (name, value) in closed {
        response.headers_mut().insert(header::HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    let now = shared.clock.now();
    // On a clock that stands the seconds of `Date` are not enough: clients of several processes share this one.
    if shared.clock.is_virtual()
        && let Ok(value) = HeaderValue::from_str(&now.to_string())
    {
        response.headers_mut().insert(header::HeaderName::from_static("x-octorhai-now"), value);
    }
    let printer = jiff::fmt::rfc2822::DateTimePrinter::new();
    if let Ok(date) = printer.timestamp_to_rfc9110_string(&later(now, shared.date_ahead))
        && let Ok(value) = HeaderValue::from_str(&date)
    {
        response.headers_mut().insert(header::DATE, value);
    }
    response
}

/// What an answer shows, as text; links begin with the virtual directory.
fn written(shown: &dyn Tell, base: &str) -> serde_json::Result<Vec<u8>> {
    let mut text = Vec::new();
    shown.tell(&mut text)?;
    if !base.is_empty() {
        let mut tree: Value = serde_json::from_slice(&text)?;
        rebase(&mut tree, base);
        text = serde_json::to_vec(&tree)?;
    }
    Ok(text)
}

pub(crate) fn json(status: u16, body: &Value) -> Response {
    json_text(status, serde_json::to_vec(body).unwrap_or_default())
}

fn json_text(status: u16, text: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    response
}

fn pairs(query: &str) -> Vec<(String, String)> {
    url::form_urlencoded::parse(query.as_bytes()).map(|(k, v)| (k.into_owned(), v.into_owned())).collect()
}

fn answer(
    shared: &Shared,
    method: &str,
    path: &str,
    query: Vec<(String, String)>,
    headers: &HeaderMap,
    raw: Bytes,
    seen: &mut Seen,
) -> Response {
    let mut state = shared.state.lock();
    shared.catch_up(&mut state);
    let handled = respond(&mut state, method, path, query, headers, raw, seen);
    if method != "GET" {
        state.fill_slots();
    }
    // Others may go on while this answer is written out.
    drop(state);
    let mut response = match handled {
        Ok(Answer::Json(status, shown)) => match written(&*shown, &shared.base) {
            Ok(text) => json_text(status, text),
            Err(problem) => refusal(&Refusal::broken(&problem)),
        },
        Ok(Answer::Bytes(status, kind, bytes)) => {
            let mut response = Response::new(Body::from(bytes));
            *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
            if let Ok(kind) = HeaderValue::from_str(&kind) {
                response.headers_mut().insert(header::CONTENT_TYPE, kind);
            }
            response
        }
        Err(refused) => refusal(&refused),
    };
    if let Some(limit) = &seen.limit {
        limit.tell(response.headers_mut());
    }
    response
}

/// Puts the virtual directory before every link.
fn rebase(value: &mut Value, base: &str) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                if key == "Links" {
                    for link in value.as_object_mut().into_iter().flat_map(|m| m.values_mut()) {
                        if let Some(to) = link.as_str().filter(|l| l.starts_with('/')) {
                            *link = Value::String(format!("{base}{to}"));
                        }
                    }
                } else {
                    rebase(value, base);
                }
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|v| rebase(v, base)),
        _ => {}
    }
}

/// The key that comes with a request.
fn key_of<'r>(headers: &'r HeaderMap, query: &'r [(String, String)]) -> Option<&'r str> {
    let header = |name: &str| headers.get(name).and_then(|v| v.to_str().ok()).map(str::trim).filter(|v| !v.is_empty());
    let bearer = header("Authorization")
        .and_then(|v| v.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, key)| key.trim());
    header("X-Octopus-ApiKey")
        .or(bearer)
        .or_else(|| header("X-NuGet-ApiKey"))
        .or_else(|| query.iter().find(|(k, _)| k.eq_ignore_ascii_case("apikey")).map(|(_, v)| v.as_str()))
}

pub(crate) fn respond(
    state: &mut State,
    method: &str,
    path: &str,
    query: Vec<(String, String)>,
    headers: &HeaderMap,
    raw: Bytes,
    seen: &mut Seen,
) -> Handled {
    let decoded: Vec<String> =
        path.split('/').filter(|s| !s.is_empty()).map(|s| percent_decode_str(s).decode_utf8_lossy().into_owned()).collect();
    let sent_as = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    if let Some(handled) = oidc::route(state, method, path, sent_as, &raw) {
        return handled;
    }
    let Some((_, behind)) = decoded.split_first().filter(|(first, _)| first.eq_ignore_ascii_case("api")) else {
        return Err(Refusal::not_simulated(method, path));
    };
    let (named, segments) = endpoints::behind_space(behind);
    let found = endpoints::find(method, path, named.is_some(), segments);
    let key = key_of(headers, &query).and_then(|key| state.key_of_caller(key));
    let caller = key.map(|place| &state.keys.all[place]).map(|key| (key.user.clone(), key.read_only, key.is_agent));
    seen.limit = state.limit(caller.as_ref().map(|c| c.0.as_str()), caller.as_ref().is_some_and(|c| c.2));
    if seen.limit.as_ref().is_some_and(|limit| limit.rejected) {
        return Err(Refusal::too_many());
    }
    let (user, read_only) = match caller {
        Some((user, read_only, _)) => (user, read_only),
        None if found.as_ref().is_ok_and(|e| e.is_public) => (super::audit::SYSTEM.to_owned(), true),
        None => return Err(Refusal::unauthorized()),
    };
    seen.user = state.username(&user);
    if let Some(place) = key {
        state.keys.all[place].used = Some(state.now);
    }
    // What needs nobody to be signed in asks for no permission.
    state.access = if user == super::audit::SYSTEM { Access::unlimited() } else { Access::of(&state.store, &user, read_only) };
    let mut space = None;
    if let Some(id) = named {
        let seen = |doc: &&Arc<Document>| state.sees(SPACES, doc);
        let doc = state.store.find(SPACES.path, None, id).filter(seen).ok_or_else(|| Refusal::missing(id))?;
        space = Some(str_of(doc, "Id").to_owned());
    }
    let endpoint = found?;
    seen.endpoint = Some(endpoint);
    if endpoint.since > state.plan.version.generation {
        return Err(Refusal::missing(path));
    }
    if let Depth::Absent(why) = endpoint.depth {
        return Err(Refusal::absent(method, path, why));
    }
    let ids = endpoints::identifiers(endpoint, segments);
    // Everybody may see themselves.
    let is_own = endpoint.is_own && ids.first().is_some_and(|id| id.eq_ignore_ascii_case(&user));
    state.admit(method, if is_own { "" } else { endpoint.needs }, space.as_deref())?;
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
    let files = matches!(endpoint.accepts, Accepts::File).then(|| {
        let packages = state.packages.iter().map(builtin_feed::Package::size);
        packages.chain(state.blobs.values().map(|(_, bytes)| bytes.len())).sum()
    });
    let admitted = state.weight.admit(method, path, raw.len(), files);
    admitted.map_err(|message| Refusal::said(413, message))?;
    let body = if raw.is_empty() || files.is_some() {
        Value::Null
    } else {
        serde_json::from_slice(&raw).map_err(|e| Refusal::invalid(format!("The request body is not valid JSON: {e}")))?
    };
    let webhook_secret = headers.get("X-Octopus-Webhook-Secret").and_then(|v| v.to_str().ok()).map(str::to_owned);
    endpoint.accepts.admit(method, path, &ids, &body)?;
    let ask = Ask { method: method.to_owned(), path: path.to_owned(), query, body, raw, content_type, user, webhook_secret, space };
    endpoint.handler.answer(state, &ask, &ids)
}
