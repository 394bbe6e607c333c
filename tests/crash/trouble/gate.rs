//! Stands before the server and does something when a chosen request comes, before it goes on or before its answer does.

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::StatusCode,
    response::Response,
};
use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

/// When it is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// The request has not come to the server.
    Request,
    /// The server has done it, and its answer is held back.
    Answer,
}

type Deed = Box<dyn FnOnce() + Send>;

/// Where it listens, and what it is about to do.
#[derive(Clone)]
pub struct Gate {
    pub url: String,
    plan: Arc<Plan>,
}

struct Plan {
    server: String,
    http: reqwest::Client,
    passed: AtomicUsize,
    next: Mutex<Option<(usize, Moment, Deed)>>,
}

impl Gate {
    /// In front of the server at an address.
    pub fn before(runtime: &tokio::runtime::Runtime, server: String) -> Self {
        // What is redirected is the client's business.
        let http = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().expect("a client");
        let plan = Arc::new(Plan { server, http, passed: AtomicUsize::new(0), next: Mutex::new(None) });
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let router = Router::new().fallback(pass).with_state(Arc::clone(&plan));
        runtime.spawn(async move { axum::serve(listener, router).await });
        Self { url, plan }
    }

    /// Does something at the `nth` request to `/api` from now on, once; it and all others wait until it is done.
    pub fn at(&self, nth: usize, moment: Moment, deed: impl FnOnce() + Send + 'static) {
        self.plan.passed.store(0, Ordering::SeqCst);
        *self.plan.next.lock().expect("no panic") = Some((nth, moment, Box::new(deed)));
    }

    /// From now on all requests pass; whether something was done before.
    pub fn calm(&self) -> bool {
        self.plan.next.lock().expect("no panic").take().is_none()
    }
}

async fn act(plan: &Plan, number: usize, moment: Moment) {
    let deed = plan.next.lock().expect("no panic").take_if(|(nth, when, _)| *nth == number && *when == moment);
    if let Some((_, _, deed)) = deed {
        tokio::task::spawn_blocking(deed).await.expect("no panic");
    }
}

async fn pass(State(plan): State<Arc<Plan>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let counts = head.uri.path().starts_with("/api");
    let number = if counts { plan.passed.fetch_add(1, Ordering::SeqCst) + 1 } else { 0 };
    act(&plan, number, Moment::Request).await;
    let lost = |why: String| Response::builder().status(StatusCode::BAD_GATEWAY).body(Body::from(why)).expect("an answer");
    let Ok(body) = axum::body::to_bytes(body, usize::MAX).await else { return lost("no request".to_owned()) };
    let mut headers = head.headers;
    headers.remove("host");
    let sent = plan.http.request(head.method, format!("{}{}", plan.server, head.uri)).headers(headers).body(body).send().await;
    act(&plan, number, Moment::Answer).await;
    let answer = match sent {
        Ok(answer) => answer,
        Err(error) => return lost(error.to_string()),
    };
    let mut response = Response::new(Body::empty());
    *response.status_mut() = answer.status();
    *response.headers_mut() = answer.headers().clone();
    response.headers_mut().remove("transfer-encoding");
    match answer.bytes().await {
        Ok(bytes) => *response.body_mut() = Body::from(bytes),
        Err(error) => return lost(error.to_string()),
    }
    response
}
